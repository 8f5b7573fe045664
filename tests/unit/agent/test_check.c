// SPDX-License-Identifier: GPL-2.0-or-later
// Every request in a right form, then every way of making it wrong: cut at each length, longer, with other counts, and
// with each field that is a name, an enum or a number out of its range.
#include "agent/check.h"
#include "net/addr.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

union message {
    char bytes[VNRS_AGENT_MSG_MAX];
    struct vnrs_ag_hdr hdr;
    uint64_t align;
};

static union message msg;
static size_t len;

static void begin(uint16_t type, const void *fixed, size_t size)
{
    memset(&msg, 0, 4096);
    msg.hdr = (struct vnrs_ag_hdr){.proto = VNRS_AGENT_PROTO, .type = type, .seq = 1, .count = size ? 1 : 0};
    if (size)
        memcpy(msg.bytes + sizeof(msg.hdr), fixed, size);
    len = sizeof(msg.hdr) + size;
}

static void add(const void *bytes, size_t size, bool is_data)
{
    if (size)
        memcpy(msg.bytes + len, bytes, size);
    len += size;
    if (is_data)
        msg.hdr.data_size += (uint32_t)size;
}

static int check(void)
{
    struct vnrs_agentd_msg out;
    struct vnrs_err err = {0};
    // At its very end, so that a sanitizer sees any read behind it.
    _free_ char *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, msg.bytes, len);
    int code = vnrs_agentd_check(copy, len, &out, &err);
    assert_int_equal(code < 0, err.text[0] != '\0');
    return code;
}

static struct vnrs_ag_obj obj_of(uint32_t type)
{
    struct vnrs_ag_obj obj = {.lab = "hub", .type = type};

    strcpy(obj.key, type == VNRS_OBJ_FABRIC ? "fabric" : "x");
    return obj;
}

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a = {0};
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static struct vnrs_prefix prefix(const char *text)
{
    struct vnrs_prefix p = {0};
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

static struct vnrs_link_end end_of(const char *ns, const char *ifname)
{
    struct vnrs_link_end end = {.n_addrs = 1};

    strcpy(end.ns.name, ns);
    strcpy(end.ifname, ifname);
    end.addrs[0] = (struct vnrs_ag_ifaddr){.addr = addr("10.0.0.4"), .len = 24};
    return end;
}

// A right spec of each type.
static union vnrs_agentd_spec spec_of(uint32_t type)
{
    union vnrs_agentd_spec spec = {0};

    switch (type) {
    case VNRS_OBJ_NETNS:
        spec.netns.flags = VNRS_NETNS_FORWARD;
        break;
    case VNRS_OBJ_LINK:
        spec.link = (struct vnrs_obj_link){
            .a = end_of("", "v16"), .b = end_of("vm", "eth0"), .mtu = 1500, .kind = VNRS_LINK_NIC};
        spec.link.a.ifindex = 16;
        break;
    case VNRS_OBJ_ROUTE:
        spec.route = (struct vnrs_obj_route){
            .ns.name = "vm", .ifname = "eth0", .prefix = prefix("10.0.0.0/8"), .via = {addr("10.1.0.1")}, .n_via = 1};
        break;
    case VNRS_OBJ_SNAT:
        spec.snat =
            (struct vnrs_obj_snat){.ns.name = "edge", .ifname = "up", .n = 1, .sources = {prefix("10.0.0.0/8")}};
        break;
    case VNRS_OBJ_TABLE:
        spec.table = (struct vnrs_obj_table){.ns.kind = VNRS_AG_NETNS_SELF,
                                             .ifname = "eth0",
                                             .domain = 1,
                                             .table = 254,
                                             .protocol = 157,
                                             .gateway4 = addr("10.0.0.1"),
                                             .gateway6 = addr("fd00::1")};
        break;
    case VNRS_OBJ_PROC:
        spec.proc = (struct vnrs_obj_proc){.ns.name = "nva", .kind = VNRS_PROC_BIRD};
        break;
    case VNRS_OBJ_SPEAKER:
        spec.speaker = (struct vnrs_obj_speaker){.ns.name = "rs", .listen = addr("10.0.0.4")};
        break;
    case VNRS_OBJ_IMPAIR:
        spec.impair = (struct vnrs_impair){
            .down = 1, .loss_ppm = VNRS_LOSS_PPM_MAX, .rate_kbit = VNRS_RATE_KBIT_MIN, .delay_us = 2, .jitter_us = 2};
        break;
    }
    return spec;
}

static int ensure_with(const struct vnrs_ag_obj *obj, const union vnrs_agentd_spec *spec, const char *data, size_t size)
{
    begin(VNRS_AG_ENSURE, obj, sizeof(*obj));
    add(spec, vnrs_agentd_spec_size(obj->type), false);
    add(data, size, true);
    return check();
}

static int ensure(uint32_t type, const union vnrs_agentd_spec *spec)
{
    struct vnrs_ag_obj obj = obj_of(type);
    return ensure_with(&obj, spec, NULL, 0);
}

static void right_ones_pass(void **state)
{
    struct vnrs_ag_hello hello = {1};
    struct vnrs_ag_lab lab = {"hub"};
    struct vnrs_ag_record record = {.lab = "hub", .total = 10, .offset = 6};

    (void)state;
    for (uint32_t type = 1; type < _VNRS_OBJ_MAX; type++) {
        union vnrs_agentd_spec spec = spec_of(type);
        struct vnrs_ag_obj obj = obj_of(type);
        assert_int_equal(ensure(type, &spec), 0);
        begin(VNRS_AG_REMOVE, &obj, sizeof(obj));
        assert_int_equal(check(), 0);
    }
    begin(VNRS_AG_HELLO, &hello, sizeof(hello));
    assert_int_equal(check(), 0);
    begin(VNRS_AG_LIST, &lab, sizeof(lab));
    assert_int_equal(check(), 0);
    begin(VNRS_AG_COUNTERS, &lab, sizeof(lab));
    assert_int_equal(check(), 0);
    begin(VNRS_AG_PROBE, NULL, 0);
    assert_int_equal(check(), 0);
    begin(VNRS_AG_FLOWS, &(struct vnrs_ag_flows){.lab = "hub", .on = 1, .sample = VNRS_FLOWS_SAMPLE_MAX},
          sizeof(struct vnrs_ag_flows));
    assert_int_equal(check(), 0);
    begin(VNRS_AG_FLOWS, &(struct vnrs_ag_flows){.lab = "hub"}, sizeof(struct vnrs_ag_flows));
    add((struct vnrs_ag_capture[]){{16, 1}, {VNRS_NICS_MAX - 1, VNRS_CAPTURE_BYTES_MAX}},
        2 * sizeof(struct vnrs_ag_capture), true);
    assert_int_equal(check(), 0);
    begin(VNRS_AG_RECORD, &record, sizeof(record));
    add("abcd", 4, true);
    assert_int_equal(check(), 0);
}

// The message in `msg`, cut at every length and with one byte more, counts wrong, data_size wrong.
static void assert_only_this_length(const char *what)
{
    size_t full = len;
    struct vnrs_ag_hdr hdr = msg.hdr;

    assert_int_equal(check(), 0);
    for (len = 0; len < full; len++) {
        int code = check();
        if (code != (len < sizeof(hdr) ? -EPROTO : -EINVAL))
            fail_msg("%s cut at %zu of %zu: %d", what, len, full, code);
    }
    len = full + 1;
    msg.bytes[full] = 0;
    assert_int_equal(check(), -EINVAL);
    len = full;
    for (int i = 0; i < 4; i++) {
        const uint32_t counts[] = {hdr.count + 1, hdr.count ? 0 : 2, 0xffffffffu, 2};
        msg.hdr.count = counts[i];
        assert_int_equal(check(), -EINVAL);
    }
    msg.hdr.count = hdr.count;
    const uint32_t sizes[] = {hdr.data_size + 1, hdr.data_size - 1, 0xffffffffu};
    for (int i = 0; i < 3; i++) {
        msg.hdr.data_size = sizes[i];
        assert_int_equal(check(), -EINVAL);
    }
    msg.hdr.data_size = hdr.data_size;
    assert_int_equal(check(), 0);
}

static void every_other_length_is_refused(void **state)
{
    struct vnrs_ag_lab lab = {"hub"};
    struct vnrs_ag_hello hello = {1};
    struct vnrs_ag_record record = {.lab = "hub", .total = 4};
    struct vnrs_ag_fib fib = {.lab = "hub", .kind = VNRS_AG_FIB_ROUTES, .n = 1};
    struct vnrs_fib_route route = {.domain = 1, .group = 1, .prefix = prefix("10.0.0.0/8")};

    (void)state;
    for (uint32_t type = 1; type < _VNRS_OBJ_MAX; type++) {
        union vnrs_agentd_spec spec = spec_of(type);
        assert_int_equal(ensure(type, &spec), 0);
        if (type != VNRS_OBJ_PROC) { // may have data of any length
            assert_only_this_length(vnrs_agentd_type_name(type));
        }
        struct vnrs_ag_obj obj = obj_of(type);
        begin(VNRS_AG_REMOVE, &obj, sizeof(obj));
        assert_only_this_length("remove");
    }
    begin(VNRS_AG_HELLO, &hello, sizeof(hello));
    assert_only_this_length("hello");
    begin(VNRS_AG_LIST, &lab, sizeof(lab));
    assert_only_this_length("list");
    begin(VNRS_AG_PROBE, NULL, 0);
    assert_only_this_length("probe");
    begin(VNRS_AG_FLOWS, &(struct vnrs_ag_flows){.lab = "hub"}, sizeof(struct vnrs_ag_flows));
    assert_only_this_length("flows");
    begin(VNRS_AG_RECORD, &record, sizeof(record));
    add("abcd", 4, true);
    assert_only_this_length("record");
    begin(VNRS_AG_FIB, &fib, sizeof(fib));
    add(&route, sizeof(route), true);
    assert_only_this_length("fib");
}

static void no_request_at_all(void **state)
{
    static const uint16_t types[] = {0,
                                     VNRS_AG_OBJECT,
                                     VNRS_AG_COUNTER,
                                     VNRS_AG_PROBED,
                                     VNRS_AG_REPLY,
                                     VNRS_AG_SPEAKER,
                                     VNRS_AG_EVENT,
                                     VNRS_AG_FLOW_EVENTS,
                                     _VNRS_AG_MAX,
                                     0xffff};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        begin(types[i], NULL, 0);
        assert_int_equal(check(), -EPROTO);
    }
    begin(VNRS_AG_PROBE, NULL, 0);
    msg.hdr.proto = VNRS_AGENT_PROTO + 1;
    assert_int_equal(check(), -EPROTO);
    begin(VNRS_AG_PROBE, NULL, 0);
    msg.hdr.seq = 0;
    assert_int_equal(check(), -EPROTO);
}

static void names_of_objects(void **state)
{
    static const struct {
        const char *lab, *key;
        uint32_t type;
    } rows[] = {
        {"", "x", VNRS_OBJ_LINK},       {"a.b", "x", VNRS_OBJ_LINK},
        {"a/b", "x", VNRS_OBJ_LINK},    {"..", "x", VNRS_OBJ_LINK},
        {"hub", "", VNRS_OBJ_LINK},     {"hub", "a b", VNRS_OBJ_LINK},
        {"hub", "x", VNRS_OBJ_FABRIC},  {"hub", "../x", VNRS_OBJ_NETNS},
        {"hub", "a/b", VNRS_OBJ_NETNS}, {"hub", "x", 0},
        {"hub", "x", _VNRS_OBJ_MAX},    {"hub", "x", 0xffffffffu},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_ag_obj obj = {.type = rows[i].type};
        strcpy(obj.lab, rows[i].lab);
        strcpy(obj.key, rows[i].key);
        begin(VNRS_AG_REMOVE, &obj, sizeof(obj));
        if (check() != -EINVAL)
            fail_msg("row %zu passes", i);
    }
    struct vnrs_ag_obj obj = obj_of(VNRS_OBJ_LINK);
    memset(obj.lab, 'a', sizeof(obj.lab));
    begin(VNRS_AG_REMOVE, &obj, sizeof(obj));
    assert_int_equal(check(), -EINVAL);
    obj = obj_of(VNRS_OBJ_LINK);
    memset(obj.key, 'a', sizeof(obj.key));
    begin(VNRS_AG_REMOVE, &obj, sizeof(obj));
    assert_int_equal(check(), -EINVAL);
}

#define ASSERT_WRONG(type, change)                                                                                     \
    do {                                                                                                               \
        union vnrs_agentd_spec s = spec_of(type);                                                                      \
        change;                                                                                                        \
        assert_int_equal(ensure(type, &s), -EINVAL);                                                                   \
    } while (0)

static void fields_of_specs(void **state)
{
    (void)state;
    ASSERT_WRONG(VNRS_OBJ_FABRIC, s.fabric.dataplane = 2);
    ASSERT_WRONG(VNRS_OBJ_NETNS, s.netns.flags = 4);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.a.ns.kind = 9);
    ASSERT_WRONG(VNRS_OBJ_LINK, strcpy(s.link.a.ns.name, "vm")); // a NIC's end a is in the fabric
    ASSERT_WRONG(VNRS_OBJ_LINK, strcpy(s.link.b.ns.name, "../x"));
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.b.ifname[0] = '\0');
    ASSERT_WRONG(VNRS_OBJ_LINK, memset(s.link.b.ifname, 'a', VNRS_IFNAME_MAX));
    ASSERT_WRONG(VNRS_OBJ_LINK, strcpy(s.link.b.ifname, "a/b"));
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.a.ifindex = 0x80000000u);
    ASSERT_WRONG(VNRS_OBJ_LINK, (s.link.a.ifindex = 0, s.link.b.ifindex = 5));
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.b.mac.bytes[0] = 1); // multicast
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.b.n_addrs = VNRS_LINK_ADDRS_MAX + 1);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.b.addrs[0].len = 33);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.b.addrs[0].addr.family = 5);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.b.addrs[0].addr.bytes[15] = 1);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.mtu = 67);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.mtu = 65536);
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.kind = _VNRS_LINK_KIND_MAX);
    ASSERT_WRONG(VNRS_OBJ_LINK, (s.link.kind = VNRS_LINK_TUNNEL, s.link.b.ns.kind = VNRS_AG_NETNS_SELF));
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.prefix.family = 0);
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.prefix.len = 33);
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.prefix.bytes[3] = 1); // host bits
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.n_via = 5);
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.via[0] = addr("fd00::1"));
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.via[0].family = 0);
    ASSERT_WRONG(VNRS_OBJ_ROUTE, strcpy(s.route.ifnames[0], "a b"));
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.ifname[0] = '\0');
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.refuse = 1); // with a next hop
    ASSERT_WRONG(VNRS_OBJ_ROUTE, (s.route.n_via = 0, s.route.ifname[0] = '\0', s.route.refuse = 2));
    ASSERT_WRONG(VNRS_OBJ_SNAT, s.snat.n = 33);
    ASSERT_WRONG(VNRS_OBJ_SNAT, s.snat.sources[0].len = 60);
    ASSERT_WRONG(VNRS_OBJ_SNAT, strcpy(s.snat.ifname, "a\"; x"));
    ASSERT_WRONG(VNRS_OBJ_SNAT, s.snat.ike_peer = addr("203.0.113.10")); // and where to?
    ASSERT_WRONG(VNRS_OBJ_SNAT, (s.snat.ike_peer = addr("203.0.113.10"), s.snat.ike_inside = addr("fd00::1")));
    ASSERT_WRONG(VNRS_OBJ_SNAT, s.snat.ike_inside.family = 9);
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.domain = 0);
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.table = 0);
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.protocol = 256);
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.gateway4 = addr("fd00::1"));
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.gateway6 = addr("10.0.0.1"));
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.onlink = 2);
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.by_link = 2);
    ASSERT_WRONG(VNRS_OBJ_TABLE, (s.table.from_link = 2, s.table.table = 1000));
    ASSERT_WRONG(VNRS_OBJ_TABLE, (s.table.from_link = 1, s.table.table = 254));
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.ns = ((struct vnrs_ag_netns){.kind = VNRS_AG_NETNS_PID, .pid = -1}));
    for (uint32_t i = 0; i <= RTPROT_STATIC; i++)
        ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.protocol = i);
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.table = RT_TABLE_LOCAL);
    // Only in namespaces of ours, so that a marked thing is never in another one.
    ASSERT_WRONG(VNRS_OBJ_LINK, s.link.a.ns.kind = VNRS_AG_NETNS_SELF);
    ASSERT_WRONG(VNRS_OBJ_LINK, (s.link.kind = 0, s.link.a.ns.kind = VNRS_AG_NETNS_SELF));
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.ns.kind = VNRS_AG_NETNS_SELF);
    ASSERT_WRONG(VNRS_OBJ_ROUTE, s.route.ns = ((struct vnrs_ag_netns){.kind = VNRS_AG_NETNS_PID, .pid = 1}));
    ASSERT_WRONG(VNRS_OBJ_SNAT, s.snat.ns.kind = VNRS_AG_NETNS_SELF);
    ASSERT_WRONG(VNRS_OBJ_SPEAKER, s.speaker.ns = ((struct vnrs_ag_netns){.kind = VNRS_AG_NETNS_PID, .pid = 1}));
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.ns = ((struct vnrs_ag_netns){.kind = VNRS_AG_NETNS_PATH, .name = "a/../b"}));
    ASSERT_WRONG(VNRS_OBJ_TABLE, s.table.ns = ((struct vnrs_ag_netns){.kind = VNRS_AG_NETNS_CONTAINER, .name = "-x"}));
    ASSERT_WRONG(VNRS_OBJ_PROC, s.proc.kind = 0);
    ASSERT_WRONG(VNRS_OBJ_PROC, s.proc.kind = _VNRS_PROC_MAX);
    ASSERT_WRONG(VNRS_OBJ_PROC, (s.proc.kind = VNRS_PROC_STRONGSWAN, s.proc.ns.kind = VNRS_AG_NETNS_PATH));
    ASSERT_WRONG(VNRS_OBJ_SPEAKER, s.speaker.listen.family = 7);
    ASSERT_WRONG(VNRS_OBJ_SPEAKER, s.speaker.listen_optional = 2);
}

static void data_of_specs(void **state)
{
    struct vnrs_ag_obj obj = obj_of(VNRS_OBJ_PROC);
    union vnrs_agentd_spec spec = spec_of(VNRS_OBJ_PROC), netns = spec_of(VNRS_OBJ_NETNS);

    (void)state;
    assert_int_equal(ensure_with(&obj, &spec, "any\0bytes", 9), 0);
    spec.proc.kind = VNRS_PROC_EXEC;
    assert_int_equal(ensure_with(&obj, &spec,
                                 "sleep\0"
                                 "1",
                                 8),
                     0);
    assert_int_equal(ensure_with(&obj, &spec, "sleep", 5), -EINVAL);
    assert_int_equal(ensure_with(&obj, &spec, "", 1), -EINVAL);
    assert_int_equal(ensure_with(&obj, &spec, "", 0), -EINVAL);
    obj = obj_of(VNRS_OBJ_NETNS);
    assert_int_equal(ensure_with(&obj, &netns, "x", 1), -EINVAL);
}

static int fib(uint32_t kind, uint32_t n, const void *items, size_t size)
{
    struct vnrs_ag_fib head = {.lab = "hub", .kind = kind, .n = n};

    begin(VNRS_AG_FIB, &head, sizeof(head));
    add(items, size, true);
    return check();
}

static void impairments(void **state)
{
    static const struct vnrs_impair wrong[] = {
        {0},
        {.down = 2},
        {.loss_ppm = VNRS_LOSS_PPM_MAX + 1},
        {.rate_kbit = VNRS_RATE_KBIT_MIN - 1},
        {.rate_kbit = VNRS_RATE_KBIT_MAX + 1},
        {.delay_us = VNRS_DELAY_US_MAX + 1},
        {.delay_us = 5, .jitter_us = 6},
        {.jitter_us = 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const union vnrs_agentd_spec spec = {.impair = wrong[i]};
        assert_int_equal(ensure(VNRS_OBJ_IMPAIR, &spec), -EINVAL);
    }
    union vnrs_agentd_spec link = spec_of(VNRS_OBJ_LINK);
    link.link.down = 1;
    assert_int_equal(ensure(VNRS_OBJ_LINK, &link), 0);
    link.link.down = 2;
    assert_int_equal(ensure(VNRS_OBJ_LINK, &link), -EINVAL);
}

static void wishes_for_packets(void **state)
{
    static const struct vnrs_ag_flows wrong[] = {
        {.lab = "", .on = 1},
        {.lab = "a/b", .on = 1},
        {.lab = "hub", .on = 2},
        {.lab = "hub", .on = 0, .sample = 1},
        {.lab = "hub", .on = 1, .sample = VNRS_FLOWS_SAMPLE_MAX + 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        begin(VNRS_AG_FLOWS, &wrong[i], sizeof(wrong[i]));
        assert_int_equal(check(), -EINVAL);
    }
    static const struct vnrs_ag_capture captures[] = {
        {0, 1}, {VNRS_IFINDEX_FIRST - 1, 1}, {VNRS_NICS_MAX, 1}, {16, 0}, {16, VNRS_CAPTURE_BYTES_MAX + 1}};
    const struct vnrs_ag_flows off = {.lab = "hub"};
    for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
        begin(VNRS_AG_FLOWS, &off, sizeof(off));
        add(&captures[i], sizeof(captures[i]), true);
        assert_int_equal(check(), -EINVAL);
    }
    static struct vnrs_ag_capture many[VNRS_CAPTURES_MAX + 1];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (struct vnrs_ag_capture){16 + (uint32_t)i, 64};
    for (size_t over = 0; over < 2; over++) {
        begin(VNRS_AG_FLOWS, &off, sizeof(off));
        add(many, (VNRS_CAPTURES_MAX + over) * sizeof(many[0]), true);
        assert_int_equal(check(), over ? -EINVAL : 0);
    }
    begin(VNRS_AG_FLOWS, &off, sizeof(off));
    add(many, sizeof(many[0]) - 4, true);
    assert_int_equal(check(), -EINVAL);
}

static void routes_and_groups(void **state)
{
    struct vnrs_fib_route route = {.domain = 1, .group = 1, .prefix = prefix("10.0.0.0/8"), .type = VNRS_NH_APPLIANCE};
    struct vnrs_fib_group group = {.handle = 1, .n = 1};
    struct vnrs_fib_nic nic = {.ifindex = 16};
    struct vnrs_fib_endpoint endpoint = {.vnet = 1, .ifindex = 16, .addr = addr("10.0.0.4")};
    struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = 16, .from = 1, .allowed = 1};

    (void)state;
    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 1, &route, sizeof(route)), 0);
    assert_int_equal(fib(VNRS_AG_FIB_GROUPS, 1, &group, sizeof(group)), 0);
    assert_int_equal(fib(VNRS_AG_FIB_NICS, 1, &nic, sizeof(nic)), 0);
    assert_int_equal(fib(VNRS_AG_FIB_ENDPOINTS, 1, &endpoint, sizeof(endpoint)), 0);
    assert_int_equal(fib(VNRS_AG_FIB_ACLS, 1, &acl, sizeof(acl)), 0);
    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 0, NULL, 0), 0);
    assert_int_equal(fib(VNRS_AG_FIB_BEGIN, 0, NULL, 0), 0);
    assert_int_equal(fib(VNRS_AG_FIB_FLUSH, 0, NULL, 0), 0);

    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 2, &route, sizeof(route)), -EINVAL);
    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 0x80000001u, &route, sizeof(route)), -EINVAL);
    assert_int_equal(fib(VNRS_AG_FIB_BEGIN, 1, NULL, 0), -EINVAL);
    assert_int_equal(fib(VNRS_AG_FIB_END, 0, "x", 1), -EINVAL);
    assert_int_equal(fib(0, 0, NULL, 0), -EINVAL);
    assert_int_equal(fib(VNRS_AG_FIB_SETTLE, 0, NULL, 0), 0);
    assert_int_equal(fib(VNRS_AG_FIB_SETTLE + 1, 0, NULL, 0), -EINVAL);

    route.type = _VNRS_NH_MAX;
    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 1, &route, sizeof(route)), -EINVAL);
    route = (struct vnrs_fib_route){.group = 1, .prefix = prefix("10.0.0.0/8")};
    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 1, &route, sizeof(route)), -EINVAL);
    route = (struct vnrs_fib_route){.domain = 1, .prefix = {.family = VNRS_AF_IPV6, .len = 129}};
    assert_int_equal(fib(VNRS_AG_FIB_ROUTES, 1, &route, sizeof(route)), -EINVAL);
    const uint32_t counts[] = {0, VNRS_GROUP_MEMBERS_MAX + 1, 0xffffffffu};
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        group.n = counts[i];
        assert_int_equal(fib(VNRS_AG_FIB_GROUPS, 1, &group, sizeof(group)), -EINVAL);
    }
    group = (struct vnrs_fib_group){.handle = 1, .n = 1, .members = {{.kind = VNRS_BPF_NH_DEAD + 1}}};
    assert_int_equal(fib(VNRS_AG_FIB_GROUPS, 1, &group, sizeof(group)), -EINVAL);
    group = (struct vnrs_fib_group){.handle = 1, .n = 1, .members = {{.flags = 2}}};
    assert_int_equal(fib(VNRS_AG_FIB_GROUPS, 1, &group, sizeof(group)), -EINVAL);
    group = (struct vnrs_fib_group){.n = 1};
    assert_int_equal(fib(VNRS_AG_FIB_GROUPS, 1, &group, sizeof(group)), -EINVAL);
    nic.ifindex = 0;
    assert_int_equal(fib(VNRS_AG_FIB_NICS, 1, &nic, sizeof(nic)), -EINVAL);
    endpoint.addr.family = 0;
    assert_int_equal(fib(VNRS_AG_FIB_ENDPOINTS, 1, &endpoint, sizeof(endpoint)), -EINVAL);
    acl.allowed = 2;
    assert_int_equal(fib(VNRS_AG_FIB_ACLS, 1, &acl, sizeof(acl)), -EINVAL);
    acl = (struct vnrs_fib_acl){.kind = _VNRS_ACL_MAX, .to = 16, .from = 1, .allowed = 1};
    assert_int_equal(fib(VNRS_AG_FIB_ACLS, 1, &acl, sizeof(acl)), -EINVAL);
}

static int connect_code(const struct vnrs_ag_connect *want)
{
    begin(VNRS_AG_CONNECT, want, sizeof(*want));
    return check();
}

static void connections(void **state)
{
    const struct vnrs_ag_connect good = {.lab = "hub",
                                         .netns = "platform.net",
                                         .from = {VNRS_AF_IPV4, {168, 63, 129, 16}},
                                         .to = {VNRS_AF_IPV4, {10, 0, 0, 4}},
                                         .port = 80};
    struct vnrs_ag_connect want = good;

    (void)state;
    assert_int_equal(connect_code(&want), 0);
    strcpy(want.lab, "../hub");
    assert_int_equal(connect_code(&want), -EINVAL);
    want = good;
    strcpy(want.netns, "a/b");
    assert_int_equal(connect_code(&want), -EINVAL);
    want = good;
    want.netns[0] = '\0'; // the fabric
    assert_int_equal(connect_code(&want), -EINVAL);
    want = good;
    memset(want.netns, 'a', sizeof(want.netns));
    assert_int_equal(connect_code(&want), -EINVAL);
    want = good;
    want.port = 0;
    assert_int_equal(connect_code(&want), -EINVAL);
    want = good;
    want.to.family = VNRS_AF_IPV6;
    assert_int_equal(connect_code(&want), -EINVAL);
    want = good;
    want.from.family = VNRS_AF_NONE;
    assert_int_equal(connect_code(&want), -EINVAL);
}

static void records(void **state)
{
    static const struct {
        uint32_t total, offset, size;
        int code;
    } rows[] = {
        {0, 0, 0, 0},
        {4, 0, 4, 0},
        {8, 4, 4, 0},
        {4, 1, 4, -EINVAL},
        {4, 5, 0, -EINVAL},
        {4, 0, 0, -EINVAL},
        {0, 0, 4, -EINVAL},
        {0, 1, 0, -EINVAL},
        {8, 0xfffffffeu, 4, -EINVAL},
        {VNRS_RECORD_MAX, 0, 4, 0},
        {VNRS_RECORD_MAX + 1, 0, 4, -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_ag_record record = {.lab = "hub", .total = rows[i].total, .offset = rows[i].offset};
        begin(VNRS_AG_RECORD, &record, sizeof(record));
        add("abcd", rows[i].size, true);
        if (check() != rows[i].code)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_pass),    cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(no_request_at_all),  cmocka_unit_test(names_of_objects),
        cmocka_unit_test(fields_of_specs),    cmocka_unit_test(data_of_specs),
        cmocka_unit_test(wishes_for_packets), cmocka_unit_test(routes_and_groups),
        cmocka_unit_test(connections),        cmocka_unit_test(records),
        cmocka_unit_test(impairments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
