// SPDX-License-Identifier: GPL-2.0-or-later
// A fabric forwarded by the kernel, in throw-away namespaces (root; skipped without).
//
//   virtual network 1, 10.0.0.0/16 and fd00::/64        virtual network 2, 10.2.0.0/16
//     a    10.0.0.4   fd00::4   domain 1                  d   10.2.0.4   domain 3, peered
//     b    10.0.0.5   fd00::5   domain 1
//     nva  10.0.1.4   forwards, domain 2; holds 10.50.0.0/16 (announced) on lo
#include "fib/kernel_sink.h"

#include "fib/kernel_counters.h"
#include "fib/kernel_drops.h"
#include "guest_netns.h"
#include "net/addr.h"
#include "util/fd.h"

#define PING  "ping -q -c1 -W1 "
#define TRY   "ping -q -c1 -W0.05 "                               // nobody is to answer
#define ECHOS "awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp" // echo requests that arrived

enum { A, B, NVA, D, N_GUESTS };

struct guest {
    const char *link, *addr4, *addr6, *gateway;
    uint32_t domain, vnet, subnet, flags;
    int ns;
    uint32_t ifindex;
    struct vnrs_mac mac;
};

struct lab {
    int fabric;
    struct vnrs_sink *sink;
    struct guest guests[N_GUESTS];
};

static void ok(const struct lab *lab, int r)
{
    if (r < 0)
        print_message("%d: %s\n", r, lab->sink->error);
    assert_int_equal(r, 0);
}

static void write_sysctls(const struct vnrs_sysctl *sysctls, size_t n, const char *link)
{
    for (size_t i = 0; i < n; i++) {
        char path[160], name[128];
        const char *at = strstr(sysctls[i].path, "%s");
        if (at)
            (void)snprintf(name, sizeof(name), "%.*s%s%s", (int)(at - sysctls[i].path), sysctls[i].path, link, at + 2);
        else
            (void)snprintf(name, sizeof(name), "%s", sysctls[i].path);
        (void)snprintf(path, sizeof(path), "/proc/sys/%s", name);
        FILE *file = fopen(path, "w");
        if (!file)
            fail_msg("%s does not exist", path);
        assert_true(fputs(sysctls[i].value, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
}

static int run_nft(void *arg, const char *script, char **ret_out, char *error, size_t error_size)
{
    const struct lab *lab = arg;
    char out[16384], path[64], command[96];

    assert_int_equal(setns(lab->fabric, CLONE_NEWNET), 0);
    (void)snprintf(path, sizeof(path), "/tmp/vnrs-test-nft.%d", (int)getpid());
    (void)snprintf(command, sizeof(command), "nft -f %s 2>&1", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(script, file) >= 0);
    assert_int_equal(fclose(file), 0);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, sizeof(out) - 1, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    (void)unlink(path);
    if (status != 0) {
        (void)snprintf(error, error_size, "%s", out);
        return -EINVAL;
    }
    *ret_out = strdup(out);
    return 0;
}

static void add_guest(struct lab *lab, struct guest *guest)
{
    char path[64], text[32] = "";
    size_t n;

    guest->ns = ns_new();
    assert_int_equal(ns_run(lab->fabric,
                            "ip link add %s address 12:34:56:78:9a:bc type veth peer name eth0 netns /proc/$PPID/fd/%d",
                            guest->link, guest->ns),
                     0);
    const struct vnrs_sysctl *sysctls = vnrs_kernel_sink_link_sysctls(&n);
    write_sysctls(sysctls, n, guest->link);
    assert_int_equal(ns_run(lab->fabric, "ip link set %s up", guest->link), 0);
    (void)snprintf(path, sizeof(path), "ip -o link show %s | cut -d: -f1", guest->link);
    guest->ifindex = (uint32_t)ns_count(lab->fabric, path);
    assert_int_equal(ns_run(guest->ns,
                            "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad; ip addr add %s/24 dev eth0;"
                            "ip link set eth0 up; ip route add default via %s",
                            guest->addr4, guest->gateway),
                     0);
    if (guest->addr6)
        assert_int_equal(
            ns_run(guest->ns, "ip addr add %s/64 dev eth0 nodad; ip route add default via fd00::1", guest->addr6), 0);
    assert_int_equal(setns(guest->ns, CLONE_NEWNET), 0);
    FILE *pipe = popen("ip -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'", "r");
    assert_non_null(pipe);
    assert_non_null(fgets(text, sizeof(text), pipe));
    (void)pclose(pipe);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(vnrs_mac_parse(text, &guest->mac), 0);
}

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a;
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static void set_nic(const struct lab *lab, const struct guest *guest)
{
    struct vnrs_fib_nic nic = {.ifindex = guest->ifindex,
                               .nic = {.flags = VNRS_NIC_PRESENT | guest->flags,
                                       .domain = guest->domain,
                                       .vnet = guest->vnet,
                                       .subnet = guest->subnet,
                                       .mtu = 1500}};
    const struct vnrs_addr gateway = addr(guest->gateway), gateway6 = addr("fd00::1");
    struct vnrs_fib_endpoint endpoint = {.vnet = guest->vnet, .ifindex = guest->ifindex, .addr = addr(guest->addr4)};

    memcpy(nic.nic.mac, guest->mac.bytes, sizeof(nic.nic.mac));
    memcpy(&nic.nic.gateway_be, gateway.bytes, sizeof(nic.nic.gateway_be));
    if (guest->addr6)
        memcpy(nic.nic.gateway6, gateway6.bytes, sizeof(nic.nic.gateway6));
    ok(lab, lab->sink->ops->nic_set(lab->sink, &nic));
    ok(lab, lab->sink->ops->endpoint_set(lab->sink, &endpoint));
    if (guest->addr6) {
        endpoint.addr = addr(guest->addr6);
        ok(lab, lab->sink->ops->endpoint_set(lab->sink, &endpoint));
    }
}

static void set_group(const struct lab *lab, uint32_t handle, uint8_t kind, uint32_t vnet, int guest)
{
    struct vnrs_fib_group group = {.handle = handle, .n = 1, .members = {{.kind = kind, .vnet = vnet}}};

    if (guest >= 0) {
        group.members[0].ifindex = lab->guests[guest].ifindex;
        group.members[0].via = addr(lab->guests[guest].addr4);
    }
    ok(lab, lab->sink->ops->group_set(lab->sink, &group));
}

static void set_route(const struct lab *lab, uint32_t domain, const char *prefix, uint32_t handle)
{
    struct vnrs_fib_route route = {.domain = domain, .group = handle};

    assert_int_equal(vnrs_prefix_parse(prefix, &route.prefix), 0);
    ok(lab, lab->sink->ops->route_set(lab->sink, &route));
}

static void sync_lab(const struct lab *lab)
{
    const struct vnrs_fib_acl forwarded = {.kind = VNRS_ACL_FORWARDED, .to = 2, .from = 1, .allowed = 1};

    ok(lab, lab->sink->ops->sync_begin(lab->sink));
    set_group(lab, 1, VNRS_BPF_NH_ENDPOINT, 1, -1);
    set_group(lab, 2, VNRS_BPF_NH_ENDPOINT, 2, -1);
    set_group(lab, 3, VNRS_BPF_NH_NIC, 0, NVA);
    set_group(lab, 4, VNRS_BPF_NH_DROP, 0, -1);
    for (uint32_t domain = 1; domain <= 3; domain++) {
        set_route(lab, domain, "10.0.0.0/16", 1);
        set_route(lab, domain, "10.2.0.0/16", 2);
        set_route(lab, domain, "fd00::/64", 1);
        if (domain != 2)
            set_route(lab, domain, "10.50.0.0/16", 3);
        set_route(lab, domain, "10.51.0.0/16", 4);
    }
    for (size_t i = 0; i < N_GUESTS; i++)
        set_nic(lab, &lab->guests[i]);
    ok(lab, lab->sink->ops->acl_set(lab->sink, &forwarded));
    ok(lab, lab->sink->ops->sync_end(lab->sink));
}

// As the agent makes it.
static void make_drop_link(const struct lab *lab)
{
    assert_int_equal(ns_run(lab->fabric,
                            "ip link add %s index %u mtu %u type veth peer name %s index %u mtu %u;"
                            "echo 1 >/proc/sys/net/ipv6/conf/%s/disable_ipv6; ip link set %s up; ip link set %s up",
                            VNRS_KERNEL_DROP_LINK, VNRS_KERNEL_DROP_IFINDEX, VNRS_KERNEL_DROP_MTU, VNRS_KERNEL_DROP_END,
                            VNRS_KERNEL_DROP_END_IFINDEX, VNRS_KERNEL_DROP_MTU, VNRS_KERNEL_DROP_END,
                            VNRS_KERNEL_DROP_END, VNRS_KERNEL_DROP_LINK),
                     0);
}

static int setup(void **state, bool legacy)
{
    static struct lab lab;
    size_t n;

    lab = (struct lab){.guests = {
                           [A] = {"na", "10.0.0.4", "fd00::4", "10.0.0.1", 1, 1, 1, 0},
                           [B] = {"nb", "10.0.0.5", "fd00::5", "10.0.0.1", 1, 1, 1, 0},
                           [NVA] = {"nn", "10.0.1.4", NULL, "10.0.1.1", 2, 1, 2, VNRS_NIC_FORWARDING},
                           [D] = {"nd", "10.2.0.4", NULL, "10.2.0.1", 3, 2, 3, 0},
                       }};
    lab.fabric = ns_new();
    const struct vnrs_sysctl *sysctls = vnrs_kernel_sink_sysctls(&n);
    write_sysctls(sysctls, n, "");
    make_drop_link(&lab);
    for (size_t i = 0; i < N_GUESTS; i++)
        add_guest(&lab, &lab.guests[i]);
    assert_int_equal(ns_run(lab.guests[NVA].ns, "ip addr add 10.50.0.1/16 dev lo"), 0);
    assert_int_equal(vnrs_kernel_sink_new(ns_netlink(lab.fabric), &lab.sink), 0);
    vnrs_kernel_sink_legacy_set(lab.sink, legacy);
    vnrs_kernel_sink_nft_set(lab.sink, run_nft, &lab);
    sync_lab(&lab);
    *state = &lab;
    return 0;
}

static int setup_objects(void **state)
{
    return setup(state, false);
}

static int setup_legacy(void **state)
{
    return setup(state, true);
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    lab->sink->ops->free(lab->sink);
    for (size_t i = 0; i < N_GUESTS; i++)
        close(lab->guests[i].ns);
    close(lab->fabric);
    return 0;
}

static bool pings(const struct lab *lab, int guest, const char *target)
{
    return ns_run(lab->guests[guest].ns, PING "%s >/dev/null 2>&1", target) == 0;
}

// Once is enough: on a busy machine a reply may come late.
static bool reaches(const struct lab *lab, int guest, const char *target)
{
    return pings(lab, guest, target) || pings(lab, guest, target) || pings(lab, guest, target);
}

static void test_forwards(void **state)
{
    const struct lab *lab = *state;

    assert_true(reaches(lab, A, "10.0.0.5"));
    assert_true(reaches(lab, A, "fd00::5"));
    assert_true(reaches(lab, A, "10.0.1.4"));
    assert_true(reaches(lab, A, "10.2.0.4"));
    assert_true(reaches(lab, D, "10.0.0.4"));
    assert_true(reaches(lab, A, "10.50.0.1")); // learned, through the NVA
    assert_true(reaches(lab, D, "10.50.0.1"));
    assert_false(pings(lab, A, "10.51.0.1")); // None
    assert_false(pings(lab, A, "10.0.0.77")); // nobody
    assert_false(pings(lab, A, "8.8.8.8"));   // no default route
    assert_false(pings(lab, A, "10.0.0.1"));  // the gateway is virtual
    for (size_t i = 0; i < 2; i++)            // neighbours and .1 alike
        assert_true(ns_shows(lab->guests[A].ns, i ? "ip neigh show 10.0.0.1" : "ip neigh show 10.0.0.5",
                             "lladdr 12:34:56:78:9a:bc"));
    assert_true(ns_shows(lab->guests[A].ns, "ip neigh show 10.0.0.77", "lladdr 12:34:56:78:9a:bc"));
    assert_true(ns_shows(lab->guests[A].ns, "ip neigh show fd00::5", "lladdr 12:34:56:78:9a:bc"));
    assert_int_equal(ns_run(lab->guests[A].ns, "ip neigh flush all"), 0);
    assert_false(pings(lab, A, "fd00::1"));
    assert_true(ns_shows(lab->guests[A].ns, "ip neigh show fd00::1", "lladdr 12:34:56:78:9a:bc"));
}

static void test_writes_nothing_again(void **state)
{
    struct lab *lab = *state;
    uint64_t writes = lab->sink->writes;

    print_message("first sync: %d writes\n", (int)writes);
    sync_lab(lab);
    assert_int_equal(lab->sink->writes, writes);
    lab->sink->ops->free(lab->sink); // the agent starts again
    assert_int_equal(vnrs_kernel_sink_new(ns_netlink(lab->fabric), &lab->sink), 0);
    vnrs_kernel_sink_nft_set(lab->sink, run_nft, lab);
    sync_lab(lab);
    assert_int_equal(lab->sink->writes, 0);
    // Everything by hand.
    assert_int_equal(ns_run(lab->fabric, "ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 0 lookup "
                                         "local; ip -6 rule add pref 0 lookup local; ip nexthop flush >/dev/null; "
                                         "ip neigh flush all nud permanent; nft flush ruleset"),
                     0);
    sync_lab(lab);
    assert_true(lab->sink->writes > 20);
    assert_true(reaches(lab, A, "10.0.0.5"));
    assert_true(reaches(lab, A, "10.50.0.1"));
    assert_true(reaches(lab, A, "fd00::5"));
}

static void test_checks(void **state)
{
    const struct lab *lab = *state;
    struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = lab->guests[D].ifindex, .from = 1, .allowed = 1};
    const struct vnrs_fib_acl not_forwarded = {.kind = VNRS_ACL_FORWARDED, .to = 2, .from = 1};
    struct guest service = lab->guests[D];

    // Source: of a's alone; an NVA may send from anywhere, and b takes only what is for b.
    assert_int_equal(ns_run(lab->guests[A].ns, "ip addr add 10.0.0.99/32 dev lo"), 0);
    long echos = ns_count(lab->guests[D].ns, ECHOS);
    (void)ns_run(lab->guests[A].ns, PING "-I 10.0.0.99 10.2.0.4 >/dev/null 2>&1");
    assert_int_equal(ns_count(lab->guests[D].ns, ECHOS), echos);
    assert_int_equal(ns_run(lab->guests[NVA].ns, "ip addr add 10.0.0.99/32 dev lo"), 0);
    (void)ns_run(lab->guests[NVA].ns, PING "-I 10.0.0.99 10.2.0.4 >/dev/null 2>&1");
    assert_int_equal(ns_count(lab->guests[D].ns, ECHOS), echos + 1);
    ok(lab, lab->sink->ops->acl_set(lab->sink, &not_forwarded)); // over a peering only where it lets such in
    ok(lab, lab->sink->ops->flush(lab->sink));
    (void)ns_run(lab->guests[NVA].ns, PING "-I 10.0.0.99 10.2.0.4 >/dev/null 2>&1");
    assert_int_equal(ns_count(lab->guests[D].ns, ECHOS), echos + 1);
    assert_true(reaches(lab, NVA, "10.2.0.4"));
    assert_int_equal(ns_run(lab->guests[B].ns, "ip addr add 10.52.0.1/32 dev lo"), 0);
    set_group(lab, 9, VNRS_BPF_NH_NIC, 0, B);
    set_route(lab, 1, "10.52.0.0/16", 9);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_false(pings(lab, A, "10.52.0.1"));
    set_route(lab, 1, "10.52.0.0/16", 0);

    // Service: subnet 1 may, subnet 2 may not.
    service.flags = VNRS_NIC_SERVICE | VNRS_NIC_RESTRICTED;
    set_nic(lab, &service);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_false(pings(lab, A, "10.2.0.4"));
    ok(lab, lab->sink->ops->acl_set(lab->sink, &acl));
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_true(reaches(lab, A, "10.2.0.4"));
    assert_false(pings(lab, NVA, "10.2.0.4"));
    sync_lab(lab);
    assert_true(reaches(lab, NVA, "10.2.0.4"));
}

static uint32_t no_link(void *arg VNRS_UNUSED, const char *name VNRS_UNUSED)
{
    return 0;
}

static void add_drops(void *arg, const struct vnrs_kernel_count *count)
{
    assert_true(count->dropped);
    ((uint64_t *)arg)[count->reason] = count->packets;
}

static void read_drops(const struct lab *lab, uint64_t ret_packets[static _VNRS_DROP_MAX])
{
    const struct vnrs_kernel_counting counting = {.ifindex = no_link, .count = add_drops, .arg = ret_packets};

    memset(ret_packets, 0, _VNRS_DROP_MAX * sizeof(*ret_packets));
    assert_int_equal(vnrs_kernel_sink_counters(lab->sink, &counting), 0);
}

// Machines say things of their own meanwhile: to groups, to link-local addresses (NO_ROUTE), and from them (SOURCE).
static bool is_noise(unsigned reason)
{
    return reason == VNRS_DROP_MULTICAST || reason == VNRS_DROP_NO_ROUTE || reason == VNRS_DROP_SOURCE;
}

static void expect_drop(const struct lab *lab, const char *target, enum vnrs_drop_reason reason)
{
    uint64_t before[_VNRS_DROP_MAX], after[_VNRS_DROP_MAX];

    read_drops(lab, before);
    assert_int_not_equal(ns_run(lab->guests[A].ns, TRY "%s >/dev/null 2>&1", target), 0);
    read_drops(lab, after);
    for (unsigned i = 0; i < _VNRS_DROP_MAX; i++) {
        uint64_t more = after[i] - before[i];
        if (is_noise(i) ? i == reason && more == 0 : more != (i == reason))
            fail_msg("%s: reason %u from %u to %u", target, i, (unsigned)before[i], (unsigned)after[i]);
    }
}

// What routing drops is counted by reason, in both families; what answers comes only from machines.
static void test_counts_drops(void **state)
{
    const struct lab *lab = *state;

    expect_drop(lab, "10.51.0.1", VNRS_DROP_NONE_ROUTE);
    expect_drop(lab, "10.0.0.77", VNRS_DROP_NO_ENDPOINT);
    expect_drop(lab, "10.0.0.1", VNRS_DROP_NO_ENDPOINT);
    expect_drop(lab, "8.8.8.8", VNRS_DROP_NO_ROUTE);
    set_route(lab, 1, "fd02::/16", 3);
    set_route(lab, 1, "fd03::/16", 4);
    set_route(lab, 1, "fd04::/16", 1);
    set_group(lab, 3, VNRS_BPF_NH_DEAD, 0, NVA);
    ok(lab, lab->sink->ops->flush(lab->sink));
    expect_drop(lab, "fd03::1", VNRS_DROP_NONE_ROUTE);
    expect_drop(lab, "fd04::1", VNRS_DROP_NO_ENDPOINT);
    expect_drop(lab, "fd01::1", VNRS_DROP_NO_ROUTE);
    expect_drop(lab, "10.50.0.1", VNRS_DROP_DEAD_NEXTHOP);
    expect_drop(lab, "fd02::1", VNRS_DROP_DEAD_NEXTHOP);
    sync_lab(lab);
    assert_true(reaches(lab, A, "10.50.0.1"));
    // Gone and made again: the next sync leads there again.
    assert_int_equal(ns_run(lab->fabric, "ip link del " VNRS_KERNEL_DROP_LINK), 0);
    make_drop_link(lab);
    sync_lab(lab);
    expect_drop(lab, "10.51.0.1", VNRS_DROP_NONE_ROUTE);
    expect_drop(lab, "fd01::1", VNRS_DROP_NO_ROUTE);
}

static void test_changes(void **state)
{
    const struct lab *lab = *state;
    struct vnrs_fib_endpoint gone = {.vnet = 1, .addr = addr("10.0.0.5")};

    // A user route inside the virtual network wins over the endpoints in it.
    set_route(lab, 1, "10.0.0.5/32", 4);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_false(pings(lab, A, "10.0.0.5"));
    set_route(lab, 1, "10.0.0.5/32", 0);
    set_route(lab, 1, "10.0.0.0/28", 4);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_false(pings(lab, A, "10.0.0.5"));
    set_route(lab, 1, "10.0.0.0/28", 0);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_true(reaches(lab, A, "10.0.0.5"));

    // The NVA dies and comes back: as many writes as there are groups, not routes.
    uint64_t writes = lab->sink->writes;
    set_group(lab, 3, VNRS_BPF_NH_DEAD, 0, NVA);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_false(pings(lab, A, "10.50.0.1"));
    set_group(lab, 3, VNRS_BPF_NH_NIC, 0, NVA);
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_true(reaches(lab, A, "10.50.0.1"));
    print_message("dead and back: %d writes\n", (int)(lab->sink->writes - writes));

    ok(lab, lab->sink->ops->endpoint_set(lab->sink, &gone));
    ok(lab, lab->sink->ops->flush(lab->sink));
    assert_false(pings(lab, A, "10.0.0.5"));
    sync_lab(lab);
    assert_true(reaches(lab, A, "10.0.0.5"));

    // A link that is down does not stop the rest.
    assert_int_equal(ns_run(lab->fabric, "ip link set nd down"), 0);
    ok(lab, lab->sink->ops->sync_begin(lab->sink));
    set_group(lab, 1, VNRS_BPF_NH_ENDPOINT, 1, -1);
    set_route(lab, 1, "10.0.0.0/16", 1);
    for (size_t i = 0; i < N_GUESTS; i++)
        set_nic(lab, &lab->guests[i]);
    assert_int_equal(lab->sink->ops->sync_end(lab->sink), -ENETDOWN);
    print_message("%s\n", lab->sink->error);
    assert_true(reaches(lab, A, "10.0.0.5"));
    assert_int_equal(ns_run(lab->fabric, "ip link set nd up"), 0);
    sync_lab(lab);
    assert_true(reaches(lab, A, "10.2.0.4"));
}

static void test_many(void **state)
{
    enum { MANY = 20000 };
    const struct lab *lab = *state;
    struct vnrs_fib_route r = {.domain = 1, .prefix = {.family = VNRS_AF_IPV4, .len = 24}};

    for (unsigned round = 0; round < 2; round++) {
        uint64_t start = vnrs_clock_ms();
        r.group = round == 0 ? 3 : 0;
        for (uint32_t i = 0; i < MANY; i++) {
            const struct vnrs_addr a = vnrs_addr_from_v4(0x14000000 + i * 256);
            memcpy(r.prefix.bytes, a.bytes, sizeof(r.prefix.bytes));
            ok(lab, lab->sink->ops->route_set(lab->sink, &r));
        }
        ok(lab, lab->sink->ops->flush(lab->sink));
        print_message("%s of %d routes: %d ms\n", round ? "withdraw" : "add", MANY, (int)(vnrs_clock_ms() - start));
        assert_int_equal(ns_count(lab->fabric, "ip route show table 10001 | grep -c ^20"), round ? 0 : MANY);
    }
}

int main(void)
{
#define T(test, how) cmocka_unit_test_setup_teardown(test, how, teardown)
    const struct CMUnitTest tests[] = {
        T(test_forwards, setup_objects),     T(test_writes_nothing_again, setup_objects),
        T(test_checks, setup_objects),       T(test_changes, setup_objects),
        T(test_many, setup_objects),         T(test_forwards, setup_legacy),
        T(test_counts_drops, setup_objects), T(test_counts_drops, setup_legacy),
    };
    if (geteuid() != 0) {
        (void)puts("needs root");
        return 77;
    }
    return cmocka_run_group_tests_name("kernel_sink", tests, NULL, NULL);
}
