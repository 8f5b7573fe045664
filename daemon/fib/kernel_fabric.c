// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_fabric.h"

#include "fib/kernel_counters.h"
#include "fib/kernel_drops.h"
#include "vnrs/drop_reason.h"

#include <errno.h>
#include <stdio.h>

void vnrs_fabric_fini(struct vnrs_fabric *fabric)
{
    vnrs_map_fini_values(&fabric->nics);
    vnrs_map_fini_values(&fabric->endpoints);
    vnrs_map_fini_values(&fabric->acls);
}

// Put a copy of `value`, whose first `key_len` bytes are its key; `present` false: remove.
static int put(struct vnrs_map *map, const void *value, size_t size, size_t key_len, bool present)
{
    void *known = vnrs_map_find(map, value, key_len);

    if (!present) {
        (void)vnrs_map_remove(map, value, key_len);
        free(known);
        return known != NULL;
    }
    if (known) {
        if (memcmp(known, value, size) == 0)
            return 0;
        memcpy(known, value, size);
        return 1;
    }
    void *added = malloc(size);
    if (!added)
        return -ENOMEM;
    memcpy(added, value, size);
    int r = vnrs_map_put(map, added, key_len, added);
    if (r < 0)
        free(added);
    return r < 0 ? r : 1;
}

int vnrs_fabric_nic_set(struct vnrs_fabric *fabric, const struct vnrs_fib_nic *nic)
{
    return put(&fabric->nics, nic, sizeof(*nic), sizeof(nic->ifindex), nic->nic.flags & VNRS_NIC_PRESENT);
}

int vnrs_fabric_endpoint_set(struct vnrs_fabric *fabric, const struct vnrs_fib_endpoint *endpoint)
{
    const struct vnrs_fabric_endpoint value = {.key = {.vnet = endpoint->vnet, .addr = endpoint->addr},
                                               .ifindex = endpoint->ifindex};
    if (endpoint->addr.family != VNRS_AF_IPV4 && endpoint->addr.family != VNRS_AF_IPV6)
        return -EINVAL;
    return put(&fabric->endpoints, &value, sizeof(value), sizeof(value.key), endpoint->ifindex);
}

int vnrs_fabric_acl_set(struct vnrs_fabric *fabric, const struct vnrs_fib_acl *acl)
{
    return put(&fabric->acls, acl, sizeof(*acl), offsetof(struct vnrs_fib_acl, allowed), acl->allowed);
}

const struct vnrs_fib_nic *vnrs_fabric_nic_find(const struct vnrs_fabric *fabric, uint32_t ifindex)
{
    return vnrs_map_find(&fabric->nics, &ifindex, sizeof(ifindex));
}

uint32_t vnrs_fabric_endpoint_find(const struct vnrs_fabric *fabric, uint32_t vnet, const struct vnrs_addr *addr)
{
    const struct vnrs_fabric_endpoint value = {.key = {.vnet = vnet, .addr = *addr}};
    const struct vnrs_fabric_endpoint *known = vnrs_map_find(&fabric->endpoints, &value.key, sizeof(value.key));
    return known ? known->ifindex : 0;
}

struct pair { // element of a set: a link and an address or another link
    uint32_t ifindex;
    struct vnrs_addr addr;
    uint32_t other;
};

typedef VEC(struct pair) pairs;

static int cmp_pair(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->ifindex != y->ifindex)
        return x->ifindex < y->ifindex ? -1 : 1;
    int c = vnrs_addr_cmp(&x->addr, &y->addr);
    return c ? c : x->other < y->other ? -1 : x->other > y->other;
}

// A set, or a map, in which equal elements appear once.
static void add_elements(struct vnrs_strbuf *out, const char *kind, const char *name, const char *type, pairs *elements)
{
    char addr[VNRS_ADDR_STR_MAX];
    bool first = true;

    if (elements->len)
        qsort(elements->items, elements->len, sizeof(elements->items[0]), cmp_pair);
    vnrs_strbuf_printf(out, "  %s %s {\n    type %s;\n", kind, name, type);
    vec_foreach (e, elements) {
        if (e > elements->items && cmp_pair(e, e - 1) == 0)
            continue;
        vnrs_strbuf_puts(out, first ? "    elements = {" : ",");
        vnrs_strbuf_printf(out, " %u", e->ifindex);
        if (e->addr.family)
            vnrs_strbuf_printf(out, " . %s", vnrs_addr_format(&e->addr, addr));
        if (e->other)
            vnrs_strbuf_printf(out, " %c %u", kind[0] == 'm' ? ':' : '.', e->other);
        first = false;
    }
    vnrs_strbuf_puts(out, first ? "  }\n" : " }\n  }\n");
}

static void add_set(struct vnrs_strbuf *out, const char *name, const char *type, pairs *elements)
{
    add_elements(out, "set", name, type, elements);
}

static void add_map(struct vnrs_strbuf *out, const char *name, const char *type, pairs *elements)
{
    add_elements(out, "map", name, type, elements);
}

struct sets {
    pairs checked, probed, restricted, addrs4, addrs6, allowed;
    // What NICs that forward may send into other networks. Elements begin with the number of a network, but for
    // `senders` (of what network a NIC that forwards is) and `inside` (NICs of any network).
    pairs senders, inside, lets, origins4, origins6;
};

static bool is_listed(const struct vnrs_fabric *fabric, enum vnrs_acl_kind kind, uint32_t to, uint32_t from)
{
    const struct vnrs_fib_acl key = {.kind = kind, .to = to, .from = from};

    return vnrs_map_find(&fabric->acls, &key, offsetof(struct vnrs_fib_acl, allowed));
}

// A gateway may send anywhere.
static bool is_sender(const struct vnrs_fib_nic *nic)
{
    return nic->nic.vnet && (nic->nic.flags & (VNRS_NIC_FORWARDING | VNRS_NIC_GATEWAY)) == VNRS_NIC_FORWARDING;
}

// Networks that have NICs which forward, by number; each once.
static int find_sending(const struct vnrs_fabric *fabric, struct sets *sets, struct vnrs_map *vnets)
{
    struct vnrs_map_entry *e;
    int r = 0;

    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(&fabric->nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        if (!is_sender(nic))
            continue;
        r = vec_push(&sets->senders, (struct pair){.ifindex = nic->ifindex, .other = nic->nic.vnet});
        if (r >= 0)
            r = vnrs_map_put(vnets, &nic->nic.vnet, sizeof(nic->nic.vnet), e->value);
    }
    return r;
}

// The NIC lets in what its own network forwards, and what those forward that are listed.
static int collect_lets(const struct vnrs_fabric *fabric, const struct vnrs_fib_nic *nic, const struct vnrs_map *vnets,
                        struct sets *sets)
{
    struct vnrs_map_entry *e;
    int r = vec_push(&sets->inside, (struct pair){.ifindex = nic->ifindex});

    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(vnets, &at));) {
        uint32_t vnet = ((const struct vnrs_fib_nic *)e->value)->nic.vnet;
        if (vnet == nic->nic.vnet || is_listed(fabric, VNRS_ACL_FORWARDED, nic->nic.vnet, vnet))
            r = vec_push(&sets->lets, (struct pair){.ifindex = vnet, .other = nic->ifindex});
    }
    return r;
}

static int collect_forwarded(const struct vnrs_fabric *fabric, struct sets *sets)
{
    struct vnrs_map vnets = {0};
    struct vnrs_map_entry *e;
    int r = find_sending(fabric, sets, &vnets);

    for (size_t at = 0; r >= 0 && vnets.len && (e = vnrs_map_next(&fabric->nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        if (nic->nic.vnet)
            r = collect_lets(fabric, nic, &vnets, sets);
    }
    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(&fabric->endpoints, &at));) {
        const struct vnrs_fabric_endpoint *endpoint = e->value;
        const struct pair pair = {.ifindex = endpoint->key.vnet, .addr = endpoint->key.addr};
        if (vnrs_map_find(&vnets, &endpoint->key.vnet, sizeof(endpoint->key.vnet)))
            r = vec_push(pair.addr.family == VNRS_AF_IPV4 ? &sets->origins4 : &sets->origins6, pair);
    }
    vnrs_map_fini(&vnets);
    return r;
}

static int collect_allowed(const struct vnrs_fabric *fabric, const struct vnrs_fib_nic *service, struct sets *sets)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&fabric->nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        if (!nic->nic.subnet || !is_listed(fabric, VNRS_ACL_SERVICE, service->ifindex, nic->nic.subnet))
            continue;
        int r = vec_push(&sets->allowed, (struct pair){.ifindex = nic->ifindex, .other = service->ifindex});
        if (r < 0)
            return r;
    }
    return 0;
}

// Somebody in the NIC's network has the address, and no other packets to it are let through.
static bool has_wire_server(const struct vnrs_fabric *fabric, const struct vnrs_fib_nic *nic)
{
    static const struct vnrs_addr wire_server = {VNRS_AF_IPV4, {168, 63, 129, 16}};
    return nic->nic.vnet && vnrs_fabric_endpoint_find(fabric, nic->nic.vnet, &wire_server);
}

static int collect(const struct vnrs_fabric *fabric, struct sets *sets)
{
    struct vnrs_map_entry *e;
    int r = 0;

    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(&fabric->nics, &at));) {
        const struct vnrs_fib_nic *nic = e->value;
        if (!(nic->nic.flags & (VNRS_NIC_FORWARDING | VNRS_NIC_EDGE)))
            r = vec_push(&sets->checked, (struct pair){.ifindex = nic->ifindex});
        if (r >= 0 && has_wire_server(fabric, nic))
            r = vec_push(&sets->probed, (struct pair){.ifindex = nic->ifindex});
        if (r >= 0 && (nic->nic.flags & VNRS_NIC_RESTRICTED)) {
            r = vec_push(&sets->restricted, (struct pair){.ifindex = nic->ifindex});
            if (r >= 0)
                r = collect_allowed(fabric, nic, sets);
        }
    }
    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(&fabric->endpoints, &at));) {
        const struct vnrs_fabric_endpoint *endpoint = e->value;
        const struct pair pair = {.ifindex = endpoint->ifindex, .addr = endpoint->key.addr};
        r = vec_push(pair.addr.family == VNRS_AF_IPV4 ? &sets->addrs4 : &sets->addrs6, pair);
    }
    return r;
}

// What a NIC may send, and what may be delivered to it: as in bpf/lib/source.h and deliver.h. Neighbour discovery is
// between a machine and the fabric: solicitations pass the source check, and are not forwarded. What a forwarding NIC
// may not send either: encapsulations that Azure refuses, sources that no packet has, addresses of a link only,
// platform addresses.
// What is dropped is marked with why, and dropped by the chain `refuse` behind it: in between it is counted. What is
// delivered is marked with whether the NIC has the address, for the same sake. The marks are literals in nft's text.
#define REFUSE(n)     " meta mark set 0x000100" n " accept\n"
#define R_MULTICAST   REFUSE("04")
#define R_SOURCE      REFUSE("06")
#define R_NO_ROUTE    REFUSE("07")
#define R_DEAD        REFUSE("0a")
#define R_DESTINATION REFUSE("0b")
#define R_SERVICE     REFUSE("0c")
#define R_PROTOCOL    REFUSE("0e")
#define R_PLATFORM    REFUSE("0f")
#define R_FORWARDED   REFUSE("10")
static_assert(VNRS_DROP_MULTICAST == 0x04 && VNRS_DROP_SOURCE == 0x06 && VNRS_DROP_NO_ROUTE == 0x07 &&
                  VNRS_DROP_NONE_ROUTE == 0x08 && VNRS_DROP_NO_ENDPOINT == 0x09 && VNRS_DROP_DEAD_NEXTHOP == 0x0a &&
                  VNRS_DROP_DESTINATION == 0x0b && VNRS_DROP_SERVICE_DENIED == 0x0c && VNRS_DROP_PROTOCOL == 0x0e &&
                  VNRS_DROP_PLATFORM == 0x0f && VNRS_DROP_NOT_FORWARDED == 0x10 && VNRS_KERNEL_MARK_DROP == 0x10000 &&
                  VNRS_KERNEL_MARK_PASS == 0x20000 && VNRS_KERNEL_DROP_IFINDEX == 8192,
              "marks and numbers in the text below");

static const char chains[] =
    "  chain source {\n"
    "    type filter hook prerouting priority raw; policy accept;\n"
    "    meta l4proto { 4, 47 }" R_PROTOCOL // IP in IP, GRE
    "    icmpv6 type nd-neighbor-solicit accept\n"
    "    ip daddr { 224.0.0.0/4, 255.255.255.255 }" R_MULTICAST "    ip6 daddr ff00::/8" R_MULTICAST
    "    ip saddr { 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4, 255.255.255.255 }" R_SOURCE
    "    ip daddr 169.254.169.254" R_PLATFORM "    ip daddr 169.254.0.0/16" R_NO_ROUTE
    "    ip daddr 168.63.129.16 iif != @probed" R_PLATFORM "    ip6 saddr { ::/127, fe80::/10, ff00::/8 }" R_SOURCE
    "    ip6 daddr fe80::/10" R_NO_ROUTE "    iif != @checked accept\n"
    "    iif . ip saddr @addrs4 accept\n"
    "    iif . ip6 saddr @addrs6 accept\n"
    "   " R_SOURCE "  }\n"
    "  chain source_refuse {\n"
    "    type filter hook prerouting priority raw + 2; policy accept;\n"
    "    meta mark & 0x00010000 != 0 drop\n"
    "  }\n"
    "  chain routed {\n" // what routing drops: the gateway tells why (kernel_drops.h)
    "    meta mark set rt ip nexthop map { 192.0.0.7 : 0x00010007, 192.0.0.8 : 0x00010008, 192.0.0.9 : 0x00010009 } "
    "accept\n"
    "    meta mark set rt ip6 nexthop map { fe80::7 : 0x00010007, fe80::8 : 0x00010008, fe80::9 : 0x00010009 } accept\n"
    "   " R_DEAD "  }\n"
    "  chain deliver {\n"
    "    type filter hook forward priority filter; policy accept;\n"
    "    icmpv6 type nd-neighbor-solicit drop\n"
    "    oif 8192 goto routed\n"
    "    oif @restricted iif . oif != @allowed" R_SERVICE "    meta mark set iif map @senders\n"
    "    oif @inside meta mark . oif != @lets meta mark . ip saddr != @origins4 meta mark != 0" R_FORWARDED
    "    oif @inside meta mark . oif != @lets meta mark . ip6 saddr != @origins6 meta mark != 0" R_FORWARDED
    "    oif . ip daddr @addrs4 meta mark set 0x00020001 accept\n"
    "    oif . ip6 daddr @addrs6 meta mark set 0x00020001 accept\n"
    "    oif != @checked meta mark set 0x00020000 accept\n"
    "   " R_DESTINATION "  }\n"
    "  chain deliver_refuse {\n"
    "    type filter hook forward priority filter + 2; policy accept;\n"
    "    meta mark & 0x00010000 != 0 drop\n"
    "  }\n"
    "}\n";

// Stays when the checks are made anew, with what it counted.
static const char counting[] = "table inet " VNRS_KERNEL_COUNT_TABLE " {\n"
                               "  set passed {\n"
                               "    type iface_index . iface_index . mark; size 65535; flags dynamic;\n"
                               "  }\n"
                               "  set dropped {\n"
                               "    type mark; size 64; flags dynamic;\n"
                               "  }\n"
                               "  chain source {\n"
                               "    type filter hook prerouting priority raw + 1; policy accept;\n"
                               "  }\n"
                               "  chain deliver {\n"
                               "    type filter hook forward priority filter + 1; policy accept;\n"
                               "  }\n"
                               "}\n"
                               "flush chain inet " VNRS_KERNEL_COUNT_TABLE " source\n"
                               "flush chain inet " VNRS_KERNEL_COUNT_TABLE " deliver\n"
                               "table inet " VNRS_KERNEL_COUNT_TABLE " {\n"
                               "  chain source {\n"
                               "    meta mark & 0x00010000 != 0 update @dropped { meta mark counter }\n"
                               "  }\n"
                               "  chain deliver {\n"
                               "    meta mark & 0x00010000 != 0 update @dropped { meta mark counter }\n"
                               "    meta mark & 0x00020000 != 0 update @passed { iif . oif . meta mark counter }\n"
                               "  }\n"
                               "}\n";

// Proxy ARP would answer a machine that announces its own address, or asks whether anybody else has it (RFC 5227).
static const char arp_chain[] = "  chain ask {\n"
                                "    type filter hook input priority filter; policy accept;\n"
                                "    iif . arp daddr ip @addrs4 drop\n"
                                "  }\n"
                                "}\n";

char *vnrs_fabric_nft_script(const struct vnrs_fabric *fabric)
{
    struct vnrs_strbuf body = {0}, out = {0};
    struct sets sets = {0};
    char mark[18];

    int r = collect(fabric, &sets);
    if (r >= 0)
        r = collect_forwarded(fabric, &sets);
    add_set(&body, "checked", "iface_index", &sets.checked);
    add_set(&body, "probed", "iface_index", &sets.probed);
    add_set(&body, "restricted", "iface_index", &sets.restricted);
    add_set(&body, "allowed", "iface_index . iface_index", &sets.allowed);
    add_set(&body, "addrs4", "iface_index . ipv4_addr", &sets.addrs4);
    add_set(&body, "addrs6", "iface_index . ipv6_addr", &sets.addrs6);
    add_map(&body, "senders", "iface_index : mark", &sets.senders);
    add_set(&body, "inside", "iface_index", &sets.inside);
    add_set(&body, "lets", "mark . iface_index", &sets.lets);
    add_set(&body, "origins4", "mark . ipv4_addr", &sets.origins4);
    add_set(&body, "origins6", "mark . ipv6_addr", &sets.origins6);
    vnrs_strbuf_puts(&body, chains);
    vnrs_strbuf_puts(&body, "table arp vnrs\ndelete table arp vnrs\ntable arp vnrs {\n");
    add_set(&body, "addrs4", "iface_index . ipv4_addr", &sets.addrs4);
    vnrs_strbuf_puts(&body, arp_chain);
    vnrs_strbuf_puts(&body, counting);
    vec_free(&sets.checked);
    vec_free(&sets.probed);
    vec_free(&sets.restricted);
    vec_free(&sets.allowed);
    vec_free(&sets.senders);
    vec_free(&sets.inside);
    vec_free(&sets.lets);
    vec_free(&sets.origins4);
    vec_free(&sets.origins6);
    vec_free(&sets.addrs4);
    vec_free(&sets.addrs6);
    _free_ char *text = vnrs_strbuf_take(&body);
    if (r < 0 || !text)
        return NULL;
    (void)snprintf(mark, sizeof(mark), "m%016llx", (unsigned long long)vnrs_hash_str(text));
    // One transaction: there is never a moment without the checks.
    vnrs_strbuf_printf(
        &out, "table inet vnrs\ndelete table inet vnrs\ntable inet vnrs {\n  set %s {\n    type mark;\n  }\n%s", mark,
        text);
    return vnrs_strbuf_take(&out);
}

void vnrs_fabric_nft_mark(const char *script, char ret_mark[static 18])
{
    const char *at = strstr(script, "set m");
    (void)snprintf(ret_mark, 18, "%.17s", at + 4);
}

static_assert(VNRS_KERNEL_LOG_GROUP == 1, "the group in the text below");

char *vnrs_fabric_log_script(bool on, uint32_t sample)
{
    static const char dropped[] = "    meta mark & 0x00010000 != 0 log group 1\n";
    struct vnrs_strbuf out = {0};

    // Added first so that deleting never fails.
    vnrs_strbuf_puts(&out, "table inet " VNRS_KERNEL_LOG_TABLE "\ndelete table inet " VNRS_KERNEL_LOG_TABLE "\n");
    if (!on)
        return vnrs_strbuf_take(&out);
    vnrs_strbuf_printf(&out,
                       "table inet " VNRS_KERNEL_LOG_TABLE " {\n"
                       "  chain source {\n"
                       "    type filter hook prerouting priority raw + 1; policy accept;\n"
                       "%s"
                       "  }\n"
                       "  chain deliver {\n"
                       "    type filter hook forward priority filter + 1; policy accept;\n"
                       "%s",
                       dropped, dropped);
    if (sample > 1)
        vnrs_strbuf_printf(&out, "    meta mark & 0x00020000 != 0 numgen random mod %u == 0 log group 1\n", sample);
    else if (sample)
        vnrs_strbuf_puts(&out, "    meta mark & 0x00020000 != 0 log group 1\n");
    vnrs_strbuf_puts(&out, "  }\n}\n");
    return vnrs_strbuf_take(&out);
}
