// SPDX-License-Identifier: GPL-2.0-or-later
// Random frames of random topologies on real links, against the model: through the program at the ingress of the links,
// and through the kernel's own tables (`dataplane: kernel`), both made by the same controller. The packet path on the
// wire takes what test runs cannot: frames cut anywhere, tags that the kernel takes off, delivery itself. Where the
// kernel differs is a table with reasons (diff_kernel.c).
//
//   bpf_test_diff_wire [--seed N] [--topologies N] [--frames N] [--topology N [--frame N]]
#include "diff_args.h"
#include "diff_kernel.h"
#include "diff_lab.h"
#include "diff_wire.h"
#include "fixture.h"

#include "fib/kernel_counters.h"
#include "fib/kernel_drops.h"
#include "fib/kernel_sink.h"
#include "lab/rtnl.h"
#include "lab/snat.h"
#include "lab/sysctl.h"
#include "util/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LINKS 64u

struct check { // one frame
    const struct diff_lab *lab;
    uint64_t number;
    struct random_frame frame;
    struct pm_result result;
};

static struct diff_args args;
static struct fixture fx;
static struct vnrs_sink *kernel;
static struct wire wire;
static unsigned met[DIFF_RULES_MAX];      // how often each difference was looked at
static unsigned carried[_VNRS_NH_MAX][2]; // by the kernel, as the model says; IPv4, IPv6
static struct {
    unsigned sure, maybe;
} dropped[_VNRS_DROP_MAX]; // packets of one topology, by reason, as the model says

static void fail_frame(const struct check *c, const char *backend, const char *what) __attribute__((noreturn));
static void fail_frame(const struct check *c, const char *backend, const char *what)
{
    for (size_t i = 0; i < wire.n_arrivals; i++) {
        const struct wire_arrival *a = &wire.arrivals[i];
        (void)printf("# %zu bytes arrived behind interface %u:\n#  ", a->len, a->ifindex);
        for (size_t k = 0; k < a->len; k++)
            (void)printf("%02x", a->bytes[k]);
        (void)printf("\n");
    }
    diff_lab_fail(c->lab, c->number, &c->frame, &c->result, "%s: %s", backend, what);
}

// ---- the program

static bool goes_out(const struct pm_outcome *o)
{
    return o->verdict == VNRS_BPF_VERDICT_FORWARD || o->verdict == VNRS_BPF_VERDICT_REPLY;
}

// NULL: what arrived is right for the outcome.
static const char *ebpf_wrong(const struct check *c, const struct pm_outcome *o)
{
    const struct pm_port *to = o->verdict == VNRS_BPF_VERDICT_FORWARD ? o->to : c->frame.from;

    if (wire.n_arrivals != goes_out(o))
        return wire.n_arrivals ? "arrived, and should not" : "did not arrive";
    if (!goes_out(o))
        return NULL;
    if (wire.arrivals[0].ifindex != to->ifindex)
        return "arrived behind another interface";
    return pm_bytes_wrong(c->frame.from, &c->result, o, c->frame.bytes, c->frame.len, wire.arrivals[0].bytes,
                          wire.arrivals[0].len);
}

static void check_ebpf(const struct check *c)
{
    const char *wrong = NULL;

    for (unsigned i = 0; i < c->result.n; i++) {
        wrong = ebpf_wrong(c, &c->result.outcomes[i]);
        if (!wrong)
            return;
    }
    fail_frame(c, "the program", wrong);
}

// ---- the kernel

static bool is_allowed(const struct check *c, uint32_t ifindex)
{
    bool allowed = false;

    for (unsigned i = 0; i < c->result.n; i++)
        allowed |= c->result.outcomes[i].to && c->result.outcomes[i].to->ifindex == ifindex;
    return allowed;
}

static const char *kernel_wrong(const struct check *c, const struct pm_outcome *o)
{
    uint8_t want[RANDOM_FRAME_MAX];

    if (o->verdict != VNRS_BPF_VERDICT_FORWARD)
        return wire.n_arrivals ? "arrived, and should not" : NULL;
    if (wire.n_arrivals != 1)
        return wire.n_arrivals ? "arrived more than once" : "did not arrive";
    if (wire.arrivals[0].ifindex != o->to->ifindex)
        return "arrived behind another interface";
    size_t len = diff_kernel_forwarded(&c->frame, &c->result, o, want);
    if (wire.arrivals[0].len != len || memcmp(wire.arrivals[0].bytes, want, len) != 0)
        return "other bytes arrived";
    return NULL;
}

static bool is_answer(const struct check *c, const struct wire_arrival *a)
{
    const struct pm_outcome *o = &c->result.outcomes[0];

    return o->verdict == VNRS_BPF_VERDICT_REPLY && a->ifindex == c->frame.from->ifindex &&
           !pm_reply_wrong(c->frame.from, &c->result, o, c->frame.bytes, a->bytes, a->len);
}

// RFC 4291 2.7.1: the solicited-node group.
static bool is_group_of(const struct vnrs_addr *addr, const uint8_t target[static 16])
{
    static const uint8_t head[13] = {0xff, 2, [11] = 1, [12] = 0xff};

    return memcmp(addr->bytes, head, sizeof(head)) == 0 && memcmp(addr->bytes + 13, target + 13, 3) == 0;
}

// The machine's gateway, or an appliance that its routes may name as next hop. For IPv4 the kernel asks its routes,
// which may lead nowhere there.
static bool is_next_hop(const struct check *c, const struct vnrs_addr *target)
{
    const struct vnrs_addr gateway = pm_gateway(c->frame.from, target->family);
    bool found = vnrs_addr_equal(target, &gateway);

    vec_foreach (port, &diff_lab_world(c->lab)->ports)
        found |=
            target->family == VNRS_AF_IPV6 && c->frame.from->subnet && port->forwarding && pm_has_addr(port, target);
    return found;
}

// A solicitation as machines send it: from their own address, to the group, with their MAC and a right checksum. Others
// the kernel answers later or not.
static bool is_usual_solicitation(const struct check *c, const struct vnrs_addr *own, const struct vnrs_addr *target)
{
    const uint8_t *ip = c->frame.bytes + 14;

    return vnrs_addr_equal(own, &c->result.packet.src) && is_group_of(&c->result.packet.dst, target->bytes) &&
           c->result.packet.len == 72 && checksum(ip + 40, 32, pseudo_sum6(ip + 8, 32, IPPROTO_ICMPV6)) == 0;
}

// Whatever the kernel leaves unanswered, machines find their next hops.
static bool asks_for_next_hop(const struct check *c)
{
    bool arp = !c->result.packet.family, usual = false;
    struct vnrs_addr target = {.family = arp ? VNRS_AF_IPV4 : VNRS_AF_IPV6};

    if (c->result.outcomes[0].verdict != VNRS_BPF_VERDICT_REPLY)
        return false;
    memcpy(target.bytes, c->frame.bytes + (arp ? 38 : 62), arp ? 4 : 16);
    for (size_t i = 0; i < c->frame.from->n_addrs; i++) {
        const struct vnrs_addr *own = &c->frame.from->addrs[i];
        usual |= arp ? own->family == VNRS_AF_IPV4 && memcmp(own->bytes, c->frame.bytes + 28, 4) == 0
                     : is_usual_solicitation(c, own, &target);
    }
    return usual && is_next_hop(c, &target);
}

static void check_rule(const struct check *c, const struct diff_rule *rule)
{
    for (size_t i = 0; i < wire.n_arrivals; i++) {
        uint32_t at = wire.arrivals[i].ifindex;
        bool right = rule->effect == DIFF_LOOSE    ? is_allowed(c, at)
                     : rule->effect == DIFF_OWN    ? at == c->frame.from->ifindex
                     : rule->effect == DIFF_ANSWER ? is_answer(c, &wire.arrivals[i])
                                                   : false;
        if (!right)
            fail_frame(c, rule->what, "arrived, and should not");
    }
    if ((rule->effect == DIFF_ANSWER || rule->effect == DIFF_OWN) && asks_for_next_hop(c) && !wire.n_arrivals)
        fail_frame(c, rule->what, "no answer for the next hop");
}

static void check_kernel(const struct check *c, const struct diff_rule *rule)
{
    const char *wrong = NULL;

    if (rule) {
        check_rule(c, rule);
        met[diff_kernel_number(rule)]++;
        return;
    }
    for (unsigned i = 0; i < c->result.n; i++) {
        const struct pm_outcome *o = &c->result.outcomes[i];
        wrong = kernel_wrong(c, o);
        if (wrong)
            continue;
        if (o->verdict == VNRS_BPF_VERDICT_FORWARD)
            carried[o->type][c->result.packet.family == VNRS_AF_IPV6]++;
        return;
    }
    fail_frame(c, "the kernel", wrong);
}

// ---- what the kernel counts

struct drops {
    uint64_t packets[_VNRS_DROP_MAX];
};

static uint32_t no_link(void *arg, const char *name)
{
    (void)arg, (void)name;
    return 0;
}

static void take_drops(void *arg, const struct vnrs_kernel_count *count)
{
    ((struct drops *)arg)->packets[count->reason] = count->packets;
}

static void read_drops(struct drops *ret_drops)
{
    const struct vnrs_kernel_counting counting = {.ifindex = no_link, .count = take_drops, .arg = ret_drops};

    memset(ret_drops, 0, sizeof(*ret_drops));
    assert_int_equal(vnrs_kernel_sink_counters(kernel, &counting), 0);
}

// What becomes of packets that routing leads nowhere. Other reasons some packets have that the kernel drops before it
// asks nftables (no protocol of its, a source that no router takes, too big), or two, of which it finds the other
// first.
static bool is_of_routing(unsigned reason)
{
    return reason == VNRS_DROP_NO_ROUTE || reason == VNRS_DROP_NONE_ROUTE || reason == VNRS_DROP_NO_ENDPOINT ||
           reason == VNRS_DROP_DEAD_NEXTHOP;
}

static bool is_link_local(const struct vnrs_addr *addr)
{
    return addr->family == VNRS_AF_IPV4 ? addr->bytes[0] == 169 && addr->bytes[1] == 254
                                        : addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

// Sure is what has one outcome, unless it is too old to be routed on, which the kernel looks at first.
static void expect_drop(const struct check *c)
{
    const struct pm_result *r = &c->result;
    bool sure = r->packet.family && c->frame.bytes[14 + (r->packet.family == VNRS_AF_IPV4 ? 8 : 7)] > 1;

    for (unsigned i = 1; i < r->n; i++)
        sure &= r->outcomes[i].verdict == r->outcomes[0].verdict && r->outcomes[i].reason == r->outcomes[0].reason;
    for (unsigned i = 0; i < (sure ? 1 : r->n); i++) {
        const struct pm_outcome *o = &r->outcomes[i];
        if (o->verdict == VNRS_BPF_VERDICT_DROP)
            sure ? dropped[o->reason].sure++ : dropped[o->reason].maybe++;
        if (o->reason != VNRS_DROP_NO_ROUTE && is_link_local(&r->packet.dst))
            dropped[VNRS_DROP_NO_ROUTE].maybe++;
    }
}

// ---- a topology

enum pass { EBPF, KERNEL_ALIKE, KERNEL_OTHERWISE }; // where the kernel does as the model says, and where rules apply

static void check_frame(struct check *c, enum pass pass)
{
    struct pm_world world = *diff_lab_world(c->lab);

    diff_lab_frame(c->lab, c->number, &c->frame);
    world.lenient = pass != EBPF;
    pm_decide(&world, c->frame.from, c->frame.bytes, c->frame.len, &c->result);
    const struct diff_rule *rule = pass == EBPF ? NULL : diff_kernel_rule(&world, &c->frame, &c->result);
    if (pass != EBPF && (rule != NULL) != (pass == KERNEL_OTHERWISE))
        return;
    int r = wire_send(&wire, c->frame.from->ifindex, c->frame.bytes, c->frame.len);
    if (r == -EMSGSIZE || r == -EINVAL) // no frame for this link
        return;
    assert_int_equal(r, 0);
    if (pass == EBPF)
        check_ebpf(c);
    else
        check_kernel(c, rule);
    if (pass == KERNEL_ALIKE)
        expect_drop(c);
}

static void check_frames(const struct diff_lab *lab, enum pass pass)
{
    struct check c = {.lab = lab, .number = args.has_frame ? args.frame : 0};

    check_frame(&c, pass);
    while (!args.has_frame && ++c.number < args.frames)
        check_frame(&c, pass);
}

// What routing dropped is counted, with the model's reason.
static void check_kernel_frames(const struct diff_lab *lab)
{
    struct drops before, after;

    memset(dropped, 0, sizeof(dropped));
    read_drops(&before);
    check_frames(lab, KERNEL_ALIKE);
    read_drops(&after);
    for (unsigned i = 0; i < _VNRS_DROP_MAX; i++) {
        uint64_t n = after.packets[i] - before.packets[i];
        if (is_of_routing(i) && (n < dropped[i].sure || n > dropped[i].sure + dropped[i].maybe))
            fail_msg("%llu packets dropped for reason %u, not %u to %u", (unsigned long long)n, i, dropped[i].sure,
                     dropped[i].sure + dropped[i].maybe);
    }
    check_frames(lab, KERNEL_OTHERWISE);
}

static void set_links(const struct diff_lab *lab)
{
    unsigned mtus[LINKS];

    for (unsigned i = 0; i < LINKS; i++) {
        const struct pm_port *port = pm_port_of(diff_lab_world(lab), VNRS_IFINDEX_FIRST + i);
        mtus[i] = port ? port->mtu : 1500;
    }
    wire_set_mtus(&wire, mtus);
}

static void attach(const struct diff_lab *lab, bool on)
{
    vec_foreach (port, &diff_lab_world(lab)->ports) {
        int r = on ? vnrs_bpf_dataplane_attach(fx.dp, port->ifindex, VNRS_BPF_ATTACH_FILTER)
                   : vnrs_bpf_dataplane_detach(fx.dp, port->ifindex);
        assert_int_equal(r, 0);
    }
}

static void both_data_planes_and_the_model_agree(void **state)
{
    struct diff_lab *lab = diff_lab_new(args.seed);
    unsigned last = args.has_topology ? args.topology + 1 : args.topologies;

    (void)state;
    print_message("seed %llu: %u topologies, %u frames each\n", (unsigned long long)args.seed, last, args.frames);
    diff_lab_sink_add(lab, fx.sink);
    diff_lab_sink_add(lab, kernel);
    for (unsigned i = 0; i < last; i++) {
        diff_lab_next(lab, i);
        set_links(lab);
        if (args.has_topology && i != args.topology)
            continue;
        attach(lab, true);
        check_frames(lab, EBPF);
        attach(lab, false);
        check_kernel_frames(lab);
    }
    diff_lab_free(lab);
}

// A row of the table that no frame meets says nothing.
static void every_difference_was_met(void **state)
{
    (void)state;
    for (unsigned i = 0; !args.has_topology && args.topologies >= 20 && i < diff_kernel_rules(); i++)
        if (!met[i])
            fail_msg("no frame met difference %u", i);
}

static void the_kernel_forwarded_by_every_next_hop_type(void **state)
{
    (void)state;
    for (unsigned i = 0; !args.has_topology && args.topologies >= 20 && i < _VNRS_NH_MAX; i++)
        for (unsigned v6 = 0; v6 < 2; v6++)
            if (!carried[i][v6] == (i != VNRS_NH_NONE))
                fail_msg("%u IPv%u packets of next hop type %u", carried[i][v6], v6 ? 6 : 4, i);
}

// ---- set-up

static int run_nft(void *arg, const char *script, char **ret_out, char *error, size_t error_size)
{
    struct vnrs_err err = {0};
    int r = vnrs_nft_run(((const struct wire *)arg)->fabric_fd, script, ret_out, &err);

    if (r < 0)
        (void)snprintf(error, error_size, "%s", err.text);
    return r;
}

static void set_sysctls(const struct vnrs_sysctl *sysctls, size_t n, const char *link)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(sysctls[i].path, "%s");
        char path[160];
        int before = at ? (int)(at - sysctls[i].path) : (int)strlen(sysctls[i].path);
        (void)snprintf(path, sizeof(path), "%.*s%s%s", before, sysctls[i].path, at ? link : "", at ? at + 2 : "");
        int r = vnrs_sysctl_set(wire.fabric_fd, path, sysctls[i].value);
        if (r < 0 && r != -ENOENT)
            fail_msg("sysctl '%s': %s", path, strerror(-r));
    }
}

// As the agent makes a fabric that the kernel forwards.
static void open_kernel(void)
{
    struct vnrs_err err = {0};
    size_t n;

    if (vnrs_sysctl_profile_apply(wire.fabric_fd, VNRS_SYSCTL_FABRIC_KERNEL, &err) < 0)
        fail_msg("%s", err.text);
    const struct vnrs_sysctl *sysctls = vnrs_kernel_sink_sysctls(&n);
    set_sysctls(sysctls, n, NULL);
    sysctls = vnrs_kernel_sink_link_sysctls(&n);
    for (unsigned i = VNRS_IFINDEX_FIRST; i < VNRS_IFINDEX_FIRST + LINKS; i++) {
        char link[16];
        (void)snprintf(link, sizeof(link), "f%u", i);
        set_sysctls(sysctls, n, link);
    }
    sh("ip link add " VNRS_KERNEL_DROP_LINK " index %u mtu %u type veth peer name " VNRS_KERNEL_DROP_END
       " index %u mtu %u && sysctl -qw net/ipv6/conf/" VNRS_KERNEL_DROP_END
       "/disable_ipv6=1 && ip link set " VNRS_KERNEL_DROP_END " up && ip link set " VNRS_KERNEL_DROP_LINK " up",
       VNRS_KERNEL_DROP_IFINDEX, VNRS_KERNEL_DROP_MTU, VNRS_KERNEL_DROP_END_IFINDEX, VNRS_KERNEL_DROP_MTU);
    int fd = vnrs_rtnl_socket(wire.fabric_fd);
    assert_true(fd >= 0);
    assert_int_equal(vnrs_kernel_sink_new(fd, &kernel), 0);
    vnrs_kernel_sink_nft_set(kernel, run_nft, &wire);
}

static int setup(void **state)
{
    (void)state;
    wire_open(&wire, VNRS_IFINDEX_FIRST, LINKS);
    open_kernel();
    fixture_open(&fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kernel->ops->free(kernel);
    fixture_close(&fx, true);
    wire_close(&wire);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_data_planes_and_the_model_agree),
        cmocka_unit_test(every_difference_was_met),
        cmocka_unit_test(the_kernel_forwarded_by_every_next_hop_type),
    };

    args = (struct diff_args){.seed = 20261126, .topologies = 40, .frames = 1000};
    if (!diff_args_parse(&args, argc, argv))
        return 2;
    fixture_require_root();
    vnrs_log_init("difftest", VNRS_LOG_WARN); // the controller tells of every health probe that fails
    return cmocka_run_group_tests_name("bpf.diff_wire", tests, setup, teardown);
}
