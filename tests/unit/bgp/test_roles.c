// SPDX-License-Identifier: GPL-2.0-or-later
// Who is told what, in what form: azure-routing.md 5.4 to 5.8 and 6, by section.
#include "bgp/roles.h"

#include "bgp/test_core_world.h"
#include "util/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LOCAL = VNRS_BGP_FROM_LOCAL, STATIC = VNRS_BGP_FROM_STATIC };
#define P(kind) VNRS_SPK_PEER_##kind
#define R(role) VNRS_SPK_ROLE_##role

static const struct {
    const char *rule;
    unsigned role, from, kind;
    const char *prefix;
    bool off, on; // told without, and with branch-to-branch traffic
} telling[] = {
    {"5.4 1: own ranges", R(ROUTE_SERVER), LOCAL, P(OUTSIDE), "10.0.0.0/16", true, true},
    {"5.4 3: other NVAs, always", R(ROUTE_SERVER), P(OUTSIDE), P(OUTSIDE), "10.5.0.0/16", true, true},
    {"5.4 4: gateways with branch-to-branch", R(ROUTE_SERVER), P(ER_GATEWAY), P(OUTSIDE), "10.5.0.0/16", false, true},
    {"5.4 4: both kinds", R(ROUTE_SERVER), P(VPN_GATEWAY), P(OUTSIDE), "10.5.0.0/16", false, true},
    {"5.6: NVAs to gateways", R(ROUTE_SERVER), P(OUTSIDE), P(ER_GATEWAY), "10.5.0.0/16", false, true},
    {"5.6: NVAs to gateways", R(ROUTE_SERVER), P(OUTSIDE), P(VPN_GATEWAY), "10.5.0.0/16", false, true},
    {"6.3: transit needs both", R(ROUTE_SERVER), P(VPN_GATEWAY), P(ER_GATEWAY), "10.5.0.0/16", false, true},
    {"6.3: transit needs both", R(ROUTE_SERVER), P(ER_GATEWAY), P(VPN_GATEWAY), "10.5.0.0/16", false, true},
    {"5.6: circuits are not joined", R(ROUTE_SERVER), P(ER_GATEWAY), P(ER_GATEWAY), "10.5.0.0/16", false, false},
    {"6.1: gateways join their own tunnels", R(ROUTE_SERVER), P(VPN_GATEWAY), P(VPN_GATEWAY), "10.5.0.0/16", false,
     false},
    {"5.6: gateways know the ranges", R(ROUTE_SERVER), LOCAL, P(VPN_GATEWAY), "10.0.0.0/16", false, false},
    {"6.1: own ranges", R(VPN_GATEWAY), LOCAL, P(OUTSIDE), "10.0.0.0/16", true, true},
    {"6.1: static prefixes", R(VPN_GATEWAY), STATIC, P(OUTSIDE), "10.5.0.0/16", true, true},
    {"6.1: transit among sites", R(VPN_GATEWAY), P(OUTSIDE), P(OUTSIDE), "10.5.0.0/16", true, true},
    {"6.1: but no default route", R(VPN_GATEWAY), P(OUTSIDE), P(OUTSIDE), "0.0.0.0/0", false, false},
    {"5.6: nor one of an NVA", R(VPN_GATEWAY), P(ROUTE_SERVER), P(OUTSIDE), "0.0.0.0/0", false, false},
    {"8.2: halves of it are", R(VPN_GATEWAY), P(ROUTE_SERVER), P(OUTSIDE), "128.0.0.0/1", true, true},
    {"5.6: sites to the Route Server", R(VPN_GATEWAY), P(OUTSIDE), P(ROUTE_SERVER), "10.5.0.0/16", true, true},
    {"5.6: static ones too", R(VPN_GATEWAY), STATIC, P(ROUTE_SERVER), "10.5.0.0/16", true, true},
    {"6.1: a default route of a site", R(VPN_GATEWAY), P(OUTSIDE), P(ROUTE_SERVER), "0.0.0.0/0", true, true},
    {"the twin says it itself", R(VPN_GATEWAY), P(TWIN), P(ROUTE_SERVER), "10.5.0.0/16", false, false},
    {"6.4: the twin hears", R(VPN_GATEWAY), P(OUTSIDE), P(TWIN), "10.5.0.0/16", true, true},
    {"the twin has them", R(VPN_GATEWAY), STATIC, P(TWIN), "10.5.0.0/16", false, false},
    {"the twin hears it itself", R(VPN_GATEWAY), P(ROUTE_SERVER), P(TWIN), "10.5.0.0/16", false, false},
    {"6.2: own ranges", R(ER_GATEWAY), LOCAL, P(MSEE), "10.0.0.0/16", true, true},
    {"8.2: a default route goes on-prem", R(ER_GATEWAY), P(ROUTE_SERVER), P(MSEE), "0.0.0.0/0", true, true},
    {"6.2: on-prem to the Route Server", R(ER_GATEWAY), P(MSEE), P(ROUTE_SERVER), "10.5.0.0/16", true, true},
    {"5.6: circuits are not joined", R(ER_GATEWAY), P(MSEE), P(MSEE), "10.5.0.0/16", false, false},
    {"6.2: Azure to on-prem", R(MSEE), P(ER_GATEWAY), P(OUTSIDE), "10.0.0.0/16", true, true},
    {"6.2: on-prem to Azure", R(MSEE), P(OUTSIDE), P(ER_GATEWAY), "10.5.0.0/16", true, true},
    {"a plain speaker tells everything", R(PLAIN), P(OUTSIDE), P(OUTSIDE), "0.0.0.0/0", true, true},
};

static void tells_by_role(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(telling); i++) {
        struct vnrs_spk_config conf = {.role = (uint8_t)telling[i].role};
        struct vnrs_prefix prefix = world_prefix(telling[i].prefix);
        struct vnrs_bgp_tellings tellings;
        for (unsigned b2b = 0; b2b < 2; b2b++) {
            conf.branch_to_branch = (uint8_t)b2b;
            vnrs_bgp_role_tells(&conf, &tellings);
            const struct vnrs_bgp_telling *how = &tellings.by[telling[i].kind][telling[i].from][false];
            bool allowed = how->allowed && (prefix.len || !how->no_default);
            if (allowed != (b2b ? telling[i].on : telling[i].off))
                fail_msg("%s (row %zu), branch-to-branch %u", telling[i].rule, i, b2b);
        }
    }
}

static void ranks_by_role(void **state)
{
    static const struct {
        const char *rule;
        unsigned role, preference, from, rank, weight;
    } ranks[] = {
        {"5.8: ExpressRoute first", R(ROUTE_SERVER), VNRS_SPK_PREFER_EXPRESSROUTE, P(ER_GATEWAY), 0, 0},
        {"5.8: ExpressRoute first", R(ROUTE_SERVER), VNRS_SPK_PREFER_EXPRESSROUTE, P(VPN_GATEWAY), 1, 0},
        {"5.8: ExpressRoute first", R(ROUTE_SERVER), VNRS_SPK_PREFER_EXPRESSROUTE, P(OUTSIDE), 1, 0},
        {"5.8: VPN and NVAs first", R(ROUTE_SERVER), VNRS_SPK_PREFER_VPN, P(ER_GATEWAY), 1, 0},
        {"5.8: VPN and NVAs first", R(ROUTE_SERVER), VNRS_SPK_PREFER_VPN, P(VPN_GATEWAY), 0, 0},
        {"5.8: VPN and NVAs first", R(ROUTE_SERVER), VNRS_SPK_PREFER_VPN, P(OUTSIDE), 0, 0},
        {"5.8: by AS path alone", R(ROUTE_SERVER), VNRS_SPK_PREFER_AS_PATH, P(ER_GATEWAY), 0, 0},
        {"5.8: by AS path alone", R(ROUTE_SERVER), VNRS_SPK_PREFER_AS_PATH, P(VPN_GATEWAY), 0, 0},
        {"first hand first", R(ER_GATEWAY), 0, P(MSEE), 32000, 0},
        {"first hand first", R(ER_GATEWAY), 0, P(ROUTE_SERVER), 32001, 0},
        {"the heaviest circuit first", R(ER_GATEWAY), 0, P(MSEE), 31999, 1},
        {"the heaviest circuit first", R(ER_GATEWAY), 0, P(MSEE), 0, 32000},
        {"the heaviest circuit first", R(ER_GATEWAY), 0, P(MSEE), 0, 65535},
        {"first hand first", R(VPN_GATEWAY), 0, P(OUTSIDE), 0, 0},
        {"first hand first", R(VPN_GATEWAY), 0, STATIC, 0, 0},
        {"first hand first", R(VPN_GATEWAY), 0, P(TWIN), 32001, 0},
        {"first hand first", R(VPN_GATEWAY), 0, P(ROUTE_SERVER), 32001, 0},
        {"first hand first", R(VPN_GATEWAY), 0, LOCAL, 0, 0},
        {"first hand first", R(MSEE), 0, P(OUTSIDE), 0, 0},
        {"first hand first", R(MSEE), 0, P(ER_GATEWAY), 32001, 0},
        {"no classes", R(PLAIN), 0, P(OUTSIDE), 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ranks); i++) {
        struct vnrs_spk_config conf = {.role = (uint8_t)ranks[i].role, .preference = (uint8_t)ranks[i].preference};
        if (vnrs_bgp_role_rank(&conf, ranks[i].from, ranks[i].weight) != ranks[i].rank)
            fail_msg("%s (row %zu)", ranks[i].rule, i);
    }
}

static void private_asns(void **state)
{
    (void)state;
    assert_true(vnrs_bgp_asn_is_private(64512) && vnrs_bgp_asn_is_private(65534));
    assert_true(vnrs_bgp_asn_is_private(4200000000u) && vnrs_bgp_asn_is_private(4294967294u));
    assert_false(vnrs_bgp_asn_is_private(64511) || vnrs_bgp_asn_is_private(65535) || vnrs_bgp_asn_is_private(12076));
    assert_false(vnrs_bgp_asn_is_private(4199999999u) || vnrs_bgp_asn_is_private(4294967295u));
}

// ---- whole speakers

struct side { // a peer: what it is, and its ASN
    enum vnrs_spk_peer_kind kind;
    uint32_t asn;
};

static void setup(struct world *w, enum vnrs_spk_role role, uint32_t asn, const struct side *sides, unsigned n)
{
    world_setup(w, n, 0, 0);
    w->conf.role = (uint8_t)role;
    w->conf.asn = asn;
    for (unsigned i = 0; i < n; i++) {
        w->peers[i].kind = (uint8_t)sides[i].kind;
        w->peers[i].asn = sides[i].asn;
    }
    world_configure(w);
    for (unsigned i = 0; i < n; i++)
        world_up(w, (char)('a' + i), NULL);
}

static struct vnrs_addr say_nexthop; // NONE: the peer itself

// The peer announces a prefix.
static void say(struct world *w, char name, const char *prefix, size_t n, const uint32_t *asns, uint32_t community)
{
    struct vnrs_bgp_member *m = world_member(w, name);
    struct vnrs_bgp_session s = world_far_end(m);
    struct vnrs_prefix p = world_prefix(prefix);
    uint8_t path[64] = {2, (uint8_t)n}, buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_attrs a = {.nexthop = say_nexthop.family ? say_nexthop : m->conf.addr,
                               .as_path = n ? path : NULL,
                               .as_path_bytes = (uint16_t)(n ? 2 + 4 * n : 0),
                               .communities = &community,
                               .n_communities = community ? 1 : 0};
    size_t used;

    for (size_t i = 0; i < n; i++)
        for (unsigned byte = 0; byte < 4; byte++)
            path[2 + 4 * i + byte] = (uint8_t)(asns[i] >> (24 - 8 * byte));
    int len = vnrs_bgp_update_encode(&s, VNRS_BGP_AF4, &a, &p, s.add_path_tx[VNRS_BGP_AF4] ? &(uint32_t){7} : NULL, 1,
                                     buf, sizeof(buf), &used);
    assert_int_equal(world_input(w, m, buf, (size_t)len), len);
}
#define SAY(w, name, prefix, community, ...)                                                                           \
    say(w, name, prefix, sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__}, community)

static char heard_lines[32][256], heard_text[4096];
static size_t n_heard;

static void note(const char *text)
{
    assert_true(n_heard < ARRAY_SIZE(heard_lines));
    assert_true(vnrs_str_copy(heard_lines[n_heard++], sizeof(heard_lines[0]), text));
}

static int line_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

// In the order of the alphabet: in which they are told is the table's matter.
static const char *heard_sorted(void)
{
    size_t len = 0;

    heard_text[0] = '\0';
    qsort(heard_lines, n_heard, sizeof(heard_lines[0]), line_cmp);
    for (size_t i = 0; i < n_heard; i++)
        len += (size_t)snprintf(heard_text + len, sizeof(heard_text) - len, "%s%s", i ? "; " : "", heard_lines[i]);
    return heard_text;
}

static void on_announced(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id,
                         const struct vnrs_bgp_attrs *attrs)
{
    char text[512], p[VNRS_PREFIX_STR_MAX], hop[VNRS_ADDR_STR_MAX], path[128];

    (void)arg, (void)path_id;
    (void)vnrs_bgp_as_path_format(attrs, path, sizeof(path));
    int len = snprintf(text, sizeof(text), "%s via %s path %s", vnrs_prefix_format(prefix, p),
                       vnrs_addr_format(&attrs->nexthop, hop), path[0] ? path : "-");
    if (vnrs_bgp_attrs_has_community(attrs, VNRS_BGP_COMMUNITY_RS))
        len += snprintf(text + len, sizeof(text) - (size_t)len, " marked");
    if (vnrs_bgp_attrs_has_community(attrs, VNRS_BGP_NO_EXPORT))
        len += snprintf(text + len, sizeof(text) - (size_t)len, " no-export");
    if (attrs->originator_id)
        (void)snprintf(text + len, sizeof(text) - (size_t)len, " from %u.%u clusters %u", attrs->originator_id >> 24,
                       attrs->originator_id & 255, attrs->n_clusters);
    note(text);
}

static void on_withdrawn(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id)
{
    char text[64], p[VNRS_PREFIX_STR_MAX];

    (void)arg, (void)path_id;
    (void)snprintf(text, sizeof(text), "no %s", vnrs_prefix_format(prefix, p));
    note(text);
}

// What a peer was told since the last time.
static void assert_hears(struct world *w, char name, const char *want)
{
    struct heard h = {.on_announced = on_announced, .on_withdrawn = on_withdrawn};
    bool more;

    world_room((char[]){name, '\0'}, UINT_MAX);
    n_heard = 0;
    do {
        more = world_run(w);
        world_hear(world_member(w, name), &h);
    } while (more);
    assert_string_equal(heard_sorted(), want);
}

static void reconfigure(struct world *w)
{
    world_configure(w);
    for (unsigned i = 0; i < w->n_peers; i++) // no session is touched
        assert_non_null(vnrs_bgp_peer_session(&w->sp->members[i]->peer));
}

// 5.4, 5.6: the forms in which NVAs and gateways hear of each other, and branch-to-branch while sessions go on.
static void a_route_server_between_branches(void **state)
{
    static const struct side sides[] = {
        {P(OUTSIDE), 65001}, {P(OUTSIDE), 65002}, {P(VPN_GATEWAY), 65515}, {P(ER_GATEWAY), 65515}};
    struct world w;

    (void)state;
    setup(&w, R(ROUTE_SERVER), WORLD_ASN, sides, 4);
    SAY(&w, 'a', "10.50.0.0/16", 0, 65001);
    SAY(&w, 'c', "10.60.0.0/16", 0, 65003);
    SAY(&w, 'd', "10.70.0.0/16", 0, 12076, 65020);
    assert_hears(&w, 'a', "");
    assert_hears(&w, 'b', "10.50.0.0/16 via 10.0.0.4 path 65515-65001 marked");
    assert_hears(&w, 'c', "");
    assert_hears(&w, 'd', "");

    w.conf.branch_to_branch = 1;
    reconfigure(&w);
    assert_hears(&w, 'b',
                 "10.60.0.0/16 via 10.0.0.4 path 65515-65003; "
                 "10.70.0.0/16 via 10.0.0.4 path 65515-12076-65020");
    assert_hears(&w, 'c',
                 "10.50.0.0/16 via 10.0.0.10 path 65001 marked; "
                 "10.70.0.0/16 via 10.0.0.13 path 12076-65020 from 10.13 clusters 1");
    assert_hears(&w, 'd',
                 "10.50.0.0/16 via 10.0.0.10 path 65001 marked; "
                 "10.60.0.0/16 via 10.0.0.12 path 65003 from 10.12 clusters 1");
    w.conf.branch_to_branch = 0;
    reconfigure(&w);
    assert_hears(&w, 'a', ""); // it had not been told yet
    assert_hears(&w, 'b',
                 "no 10.60.0.0/16; "
                 "no 10.70.0.0/16");
    assert_hears(&w, 'c',
                 "no 10.50.0.0/16; "
                 "no 10.70.0.0/16");
    vnrs_bgp_speaker_free(w.sp);
}

// 5.6: a VPN gateway with an ASN of its own speaks eBGP; next hops stay as they are.
static void a_gateway_of_another_as(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65001}, {P(VPN_GATEWAY), 65004}};
    struct world w;

    (void)state;
    setup(&w, R(ROUTE_SERVER), WORLD_ASN, sides, 2);
    w.conf.branch_to_branch = 1;
    reconfigure(&w);
    SAY(&w, 'a', "10.50.0.0/16", 0, 65001);
    SAY(&w, 'b', "10.60.0.0/16", 0, 65004, 65003);
    assert_hears(&w, 'a', "10.60.0.0/16 via 10.0.0.4 path 65515-65004-65003");
    assert_hears(&w, 'b', "10.50.0.0/16 via 10.0.0.10 path 65515-65001 marked");
    vnrs_bgp_speaker_free(w.sp);
}

// RFC 7999 3.2: outside the AS nobody hears of it, and who does is asked to keep it there.
static void blackhole_stays_inside(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65001}, {P(VPN_GATEWAY), 65515}, {P(OUTSIDE), 65002}};
    struct world w;

    (void)state;
    setup(&w, R(ROUTE_SERVER), WORLD_ASN, sides, 3);
    w.conf.branch_to_branch = 1;
    reconfigure(&w);
    SAY(&w, 'a', "10.50.0.7/32", 0, 65001);
    assert_hears(&w, 'b', "10.50.0.7/32 via 10.0.0.10 path 65001 marked");
    assert_hears(&w, 'c', "10.50.0.7/32 via 10.0.0.4 path 65515-65001 marked");
    SAY(&w, 'a', "10.50.0.7/32", VNRS_BGP_BLACKHOLE, 65001);
    assert_hears(&w, 'b', "10.50.0.7/32 via 10.0.0.10 path 65001 marked no-export");
    assert_hears(&w, 'c', "no 10.50.0.7/32");
    vnrs_bgp_speaker_free(w.sp);
}

static const char *best_of(const struct world *w, const char *prefix)
{
    struct vnrs_prefix p = world_prefix(prefix);
    const struct vnrs_bgp_path *best = vnrs_bgp_dest_best(vnrs_bgp_rib_find(&w->sp->rib, &p));
    return w->sp->members[best->slot]->conf.name;
}

static unsigned reported(const struct world *w, const char *prefix)
{
    struct vnrs_prefix p = world_prefix(prefix);
    struct vnrs_spk_set set;

    vnrs_bgp_report_set(w->sp, vnrs_bgp_rib_find(&w->sp->rib, &p), &set);
    return set.n;
}

// 5.8: the class decides before the AS path, and can be changed while sessions go on.
static void hub_routing_preference(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65001}, {P(VPN_GATEWAY), 65515}, {P(ER_GATEWAY), 65515}};
    struct world w;

    (void)state;
    setup(&w, R(ROUTE_SERVER), WORLD_ASN, sides, 3);
    w.conf.branch_to_branch = 1;
    w.conf.preference = VNRS_SPK_PREFER_EXPRESSROUTE;
    reconfigure(&w);
    SAY(&w, 'a', "10.50.0.0/16", 0, 65001, 65009, 65010);
    SAY(&w, 'b', "10.50.0.0/16", 0, 65003, 65009);
    SAY(&w, 'c', "10.50.0.0/16", 0, 12076, 65020, 65021, 65022);
    assert_string_equal(best_of(&w, "10.50.0.0/16"), "c");
    const struct vnrs_prefix p = world_prefix("10.50.0.0/16");
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&w.sp->rib, &p);
    assert_int_equal(vnrs_bgp_dest_lost_at(&w.sp->rib, d, d->paths->next), VNRS_BGP_STEP_CLASS);
    assert_int_equal(reported(&w, "10.50.0.0/16"), 0); // the gateway says it itself
    w.conf.preference = VNRS_SPK_PREFER_VPN;
    reconfigure(&w);
    assert_string_equal(best_of(&w, "10.50.0.0/16"), "b"); // NVAs are of the same class: the shorter path
    SAY(&w, 'a', "10.50.0.0/16", 0, 65001, 65009);
    assert_int_equal(reported(&w, "10.50.0.0/16"), 1); // both: the NVA's is reported
    w.conf.preference = VNRS_SPK_PREFER_AS_PATH;
    reconfigure(&w);
    SAY(&w, 'c', "10.50.0.0/16", 0, 12076);
    assert_string_equal(best_of(&w, "10.50.0.0/16"), "c");
    w.conf.branch_to_branch = 0; // gateways' are no candidates any more
    reconfigure(&w);
    assert_string_equal(best_of(&w, "10.50.0.0/16"), "a");
    assert_int_equal(reported(&w, "10.50.0.0/16"), 1);
    vnrs_bgp_speaker_free(w.sp);
}

// 6.1: transit among sites, the twin, the Route Server; static prefixes; what is equal to a range is not taken.
static void a_vpn_gateway(void **state)
{
    static const struct side sides[] = {
        {P(OUTSIDE), 65050}, {P(OUTSIDE), 65051}, {P(ROUTE_SERVER), 65515}, {P(TWIN), 65515}};
    const struct vnrs_spk_own own[] = {{world_prefix("172.20.0.0/16"), VNRS_SPK_OWN_STATIC, 0},
                                       {world_prefix("10.0.0.0/16"), VNRS_SPK_OWN_RANGE, 0}};
    struct world w;

    (void)state;
    setup(&w, R(VPN_GATEWAY), WORLD_ASN, sides, 4);
    w.peers[0].local = world_addr("169.254.21.1");
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, own, ARRAY_SIZE(own), w.peers, 4, NULL), 0);
    world_up(&w, 'a', NULL); // another address is another session
    SAY(&w, 'a', "192.168.10.0/24", 0, 65050);
    SAY(&w, 'a', "0.0.0.0/0", 0, 65050);
    SAY(&w, 'a', "10.0.0.0/16", 0, 65050);
    SAY(&w, 'b', "10.0.0.0/8", 0, 65051); // a superset is taken
    SAY(&w, 'c', "10.50.0.0/16", VNRS_BGP_COMMUNITY_RS, 65001);
    SAY(&w, 'd', "192.168.40.0/24", 0, 65052);
    assert_hears(&w, 'a',
                 "10.0.0.0/16 via 169.254.21.1 path 65515; "
                 "10.0.0.0/8 via 169.254.21.1 path 65515-65051; "
                 "10.50.0.0/16 via 169.254.21.1 path 65515-65001 marked; "
                 "172.20.0.0/16 via 169.254.21.1 path 65515; "
                 "192.168.40.0/24 via 169.254.21.1 path 65515-65052");
    assert_hears(&w, 'b',
                 "10.0.0.0/16 via 10.0.0.4 path 65515; "
                 "10.50.0.0/16 via 10.0.0.4 path 65515-65001 marked; "
                 "172.20.0.0/16 via 10.0.0.4 path 65515; "
                 "192.168.10.0/24 via 10.0.0.4 path 65515-65050; "
                 "192.168.40.0/24 via 10.0.0.4 path 65515-65052");
    assert_hears(&w, 'c',
                 "0.0.0.0/0 via 10.0.0.4 path 65050; "
                 "10.0.0.0/8 via 10.0.0.4 path 65051; "
                 "172.20.0.0/16 via 10.0.0.4 path -; "
                 "192.168.10.0/24 via 10.0.0.4 path 65050");
    assert_hears(&w, 'd',
                 "0.0.0.0/0 via 10.0.0.4 path 65050; "
                 "10.0.0.0/8 via 10.0.0.4 path 65051; "
                 "192.168.10.0/24 via 10.0.0.4 path 65050");
    assert_int_equal(reported(&w, "172.20.0.0/16"), 1);
    assert_int_equal(reported(&w, "192.168.10.0/24"), 1);
    assert_int_equal(reported(&w, "10.50.0.0/16"), 0);    // the Route Server's
    assert_int_equal(reported(&w, "192.168.40.0/24"), 0); // the twin's
    vnrs_bgp_speaker_free(w.sp);
}

// 6.2: own ranges to the circuit, next hops of the edge routers kept; 5.6: what went through a Route Server before and
// comes back is not taken where there is one.
static void an_expressroute_gateway(void **state)
{
    static const struct side sides[] = {{P(MSEE), 12076}, {P(MSEE), 12076}, {P(ROUTE_SERVER), 65515}};
    struct world w;

    (void)state;
    setup(&w, R(ER_GATEWAY), WORLD_ASN, sides, 3);
    SAY(&w, 'a', "192.168.20.0/24", 0, 12076, 65060);
    SAY(&w, 'b', "192.168.20.0/24", 0, 12076, 65060);
    SAY(&w, 'a', "10.99.0.0/16", VNRS_BGP_COMMUNITY_RS, 12076);
    SAY(&w, 'c', "0.0.0.0/0", VNRS_BGP_COMMUNITY_RS, 65001);
    assert_hears(&w, 'b', "0.0.0.0/0 via 10.0.0.4 path 65515-65001 marked");
    assert_hears(&w, 'c', "192.168.20.0/24 via 10.0.0.10 path 12076-65060");
    assert_int_equal(reported(&w, "192.168.20.0/24"), 2);
    assert_int_equal(world_path(&w, world_member(&w, 'a'), "10.99.0.0/16")->barred, VNRS_BGP_BARRED_MARKED);
    w.n_peers = 2; // no Route Server: nothing to keep apart
    world_configure(&w);
    assert_int_equal(world_path(&w, world_member(&w, 'a'), "10.99.0.0/16")->barred, VNRS_BGP_USABLE);
    vnrs_bgp_speaker_free(w.sp);
}

// A peer that is told next hops as they are hears of another one, by eBGP too, where all else is the same.
static void a_kept_next_hop_that_changes(void **state)
{
    static const struct side sides[] = {{P(MSEE), 12076}, {P(MSEE), 12076}, {P(ROUTE_SERVER), 65004}};
    struct world w;

    (void)state;
    setup(&w, R(ER_GATEWAY), WORLD_ASN, sides, 3);
    SAY(&w, 'a', "192.168.20.0/24", 0, 12076, 65060);
    SAY(&w, 'b', "192.168.20.0/24", 0, 12076, 65060);
    assert_hears(&w, 'c', "192.168.20.0/24 via 10.0.0.10 path 65515-12076-65060");
    assert_hears(&w, 'a', "");
    assert_hears(&w, 'b', ""); // everybody is in step
    world_close_connection(&w, world_member(&w, 'a'));
    assert_hears(&w, 'c', "192.168.20.0/24 via 10.0.0.11 path 65515-12076-65060");
    vnrs_bgp_speaker_free(w.sp);
}

// 6.2: towards on-prem private ASNs are taken out.
static void an_edge_router(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65060}, {P(ER_GATEWAY), 65515}};
    struct world w;

    (void)state;
    setup(&w, R(MSEE), 12076, sides, 2);
    SAY(&w, 'a', "192.168.20.0/24", 0, 65060);
    SAY(&w, 'b', "10.0.0.0/16", 0, 65515);
    SAY(&w, 'b', "10.50.0.0/16", VNRS_BGP_COMMUNITY_RS, 65515, 65001, 3356, 4200000001);
    assert_hears(&w, 'a',
                 "10.0.0.0/16 via 10.0.0.4 path 12076; "
                 "10.50.0.0/16 via 10.0.0.4 path 12076-3356 marked");
    assert_hears(&w, 'b', "192.168.20.0/24 via 10.0.0.4 path 12076-65060");
    assert_int_equal(reported(&w, "192.168.20.0/24"), 1);
    assert_int_equal(reported(&w, "10.0.0.0/16"), 0);
    vnrs_bgp_speaker_free(w.sp);
}

// RFC 4456: ORIGINATOR_ID follows the path when another gateway has the same one, and only inside the AS.
static void who_is_reflected(void **state)
{
    static const struct side sides[] = {
        {P(OUTSIDE), 65001}, {P(VPN_GATEWAY), 65515}, {P(ER_GATEWAY), 65515}, {P(ER_GATEWAY), 65515}};
    struct world w;

    (void)state;
    setup(&w, R(ROUTE_SERVER), WORLD_ASN, sides, 4);
    w.conf.branch_to_branch = 1;
    reconfigure(&w);
    say_nexthop = world_addr("10.0.0.50"); // both tell the same edge router's
    SAY(&w, 'c', "10.70.0.0/16", 0, 12076, 65020);
    SAY(&w, 'd', "10.70.0.0/16", 0, 12076, 65020);
    say_nexthop = (struct vnrs_addr){0};
    assert_hears(&w, 'a', "10.70.0.0/16 via 10.0.0.4 path 65515-12076-65020");
    assert_hears(&w, 'b', "10.70.0.0/16 via 10.0.0.50 path 12076-65020 from 10.12 clusters 1");
    assert_hears(&w, 'c', "");
    assert_hears(&w, 'd', "");
    world_close_connection(&w, world_member(&w, 'c'));
    assert_hears(&w, 'a', ""); // to whom it is the same
    assert_hears(&w, 'b', "10.70.0.0/16 via 10.0.0.50 path 12076-65020 from 10.13 clusters 1");
    vnrs_bgp_speaker_free(w.sp);
}

// Both next hops that are the instance, in whichever session they come.
static void own_addresses(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65050}};
    struct world w;

    (void)state;
    setup(&w, R(VPN_GATEWAY), WORLD_ASN, sides, 1);
    w.peers[0].local = world_addr("169.254.21.1");
    world_configure(&w);
    world_up(&w, 'a', NULL);
    say_nexthop = world_addr("10.0.0.4");
    SAY(&w, 'a', "192.168.10.0/24", 0, 65050);
    say_nexthop = world_addr("169.254.21.1");
    SAY(&w, 'a', "192.168.11.0/24", 0, 65050);
    say_nexthop = (struct vnrs_addr){0};
    assert_int_equal(world_path(&w, world_member(&w, 'a'), "192.168.10.0/24")->barred, VNRS_BGP_BARRED_NEXTHOP);
    assert_int_equal(world_path(&w, world_member(&w, 'a'), "192.168.11.0/24")->barred, VNRS_BGP_BARRED_NEXTHOP);
    vnrs_bgp_speaker_free(w.sp);
}

// What an instance is, what a peer is to it and where it is spoken with: another one is another session.
static void what_ends_sessions(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65001}, {P(VPN_GATEWAY), 65515}};
    struct world w;

    (void)state;
    setup(&w, R(ROUTE_SERVER), WORLD_ASN, sides, 2);
    SAY(&w, 'b', "10.60.0.0/16", 0, 65003);
    w.peers[1].kind = P(ER_GATEWAY);
    world_configure(&w);
    assert_non_null(vnrs_bgp_peer_session(&world_member(&w, 'a')->peer));
    assert_null(vnrs_bgp_peer_session(&world_member(&w, 'b')->peer));
    assert_null(world_path(&w, world_member(&w, 'b'), "10.60.0.0/16"));
    world_up(&w, 'b', NULL);
    assert_int_equal(w.sp->rib.sources[1].from, P(ER_GATEWAY));
    w.conf.role = R(PLAIN);
    world_configure(&w);
    assert_null(vnrs_bgp_peer_session(&world_member(&w, 'a')->peer));
    assert_null(vnrs_bgp_peer_session(&world_member(&w, 'b')->peer));
    vnrs_bgp_speaker_free(w.sp);
}

// Toggles towards peers that hear of every path (RFC 7911), and what observers are told meanwhile.
static unsigned n_observed, n_observed_paths, n_observed_best;

static void on_observed(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best)
{
    (void)arg, (void)prefix, (void)path_id;
    n_observed++;
    n_observed_paths += slot != VNRS_BGP_SLOT_LOCAL;
    n_observed_best += best;
}

static void assert_observed(unsigned n, unsigned paths, unsigned best)
{
    assert_int_equal(n_observed, n);
    assert_int_equal(n_observed_paths, paths);
    assert_int_equal(n_observed_best, best);
    n_observed = n_observed_paths = n_observed_best = 0;
}

static void toggles_with_all_paths(void **state)
{
    static const struct side sides[] = {{P(OUTSIDE), 65001}, {P(VPN_GATEWAY), 65515}, {P(ER_GATEWAY), 65515}};
    static const struct vnrs_bgp_observer observer = {.path = on_observed};
    const struct vnrs_bgp_caps all = {.add_path_receive = {true}, .add_path_send = {true}};
    struct world w;

    (void)state;
    world_setup(&w, 3, VNRS_SPK_ADD_PATH, 0);
    w.conf.role = R(ROUTE_SERVER);
    for (unsigned i = 0; i < 3; i++) {
        w.peers[i].kind = (uint8_t)sides[i].kind;
        w.peers[i].asn = sides[i].asn;
    }
    world_configure(&w);
    for (unsigned i = 0; i < 3; i++)
        world_up(&w, (char)('a' + i), i < 2 ? &all : NULL);
    SAY(&w, 'a', "10.50.0.0/16", 0, 65001);
    SAY(&w, 'b', "10.50.0.0/16", 0, 65003, 65009);
    SAY(&w, 'c', "10.50.0.0/16", 0, 12076, 65020, 65021);
    assert_hears(&w, 'a', "");
    assert_hears(&w, 'b', "");
    vnrs_bgp_speaker_observe(w.sp, &observer, NULL);
    w.conf.branch_to_branch = 1;
    reconfigure(&w);
    assert_observed(2, 2, 1); // the gateways' are candidates, one is the best
    assert_hears(&w, 'a',
                 "10.50.0.0/16 via 10.0.0.4 path 65515-12076-65020-65021; "
                 "10.50.0.0/16 via 10.0.0.4 path 65515-65003-65009");
    assert_hears(&w, 'b',
                 "10.50.0.0/16 via 10.0.0.10 path 65001 marked; "
                 "10.50.0.0/16 via 10.0.0.12 path 12076-65020-65021 from 10.12 clusters 1");
    assert_hears(&w, 'c', ""); // its own is the best
    w.conf.preference = VNRS_SPK_PREFER_VPN;
    reconfigure(&w);
    assert_observed(1, 0, 1); // no path is another one
    assert_hears(&w, 'a', "");
    assert_hears(&w, 'b', "");
    assert_hears(&w, 'c', "10.50.0.0/16 via 10.0.0.10 path 65001 marked");
    w.conf.preference = VNRS_SPK_PREFER_AS_PATH; // the same order
    reconfigure(&w);
    assert_observed(0, 0, 0);
    w.conf.branch_to_branch = 0;
    reconfigure(&w);
    assert_hears(&w, 'a', "no 10.50.0.0/16; no 10.50.0.0/16");
    assert_hears(&w, 'b', "no 10.50.0.0/16; no 10.50.0.0/16");
    assert_hears(&w, 'c', "no 10.50.0.0/16");
    vnrs_bgp_speaker_observe(w.sp, NULL, NULL);
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_by_role),
        cmocka_unit_test(ranks_by_role),
        cmocka_unit_test(private_asns),
        cmocka_unit_test(a_route_server_between_branches),
        cmocka_unit_test(a_gateway_of_another_as),
        cmocka_unit_test(blackhole_stays_inside),
        cmocka_unit_test(hub_routing_preference),
        cmocka_unit_test(a_vpn_gateway),
        cmocka_unit_test(an_expressroute_gateway),
        cmocka_unit_test(a_kept_next_hop_that_changes),
        cmocka_unit_test(an_edge_router),
        cmocka_unit_test(who_is_reflected),
        cmocka_unit_test(own_addresses),
        cmocka_unit_test(what_ends_sessions),
        cmocka_unit_test(toggles_with_all_paths),
    };
    return cmocka_run_group_tests_name("bgp.roles", tests, NULL, NULL);
}
