// SPDX-License-Identifier: GPL-2.0-or-later
// What route maps match and do.
#include "bgp/attr_wire.h"
#include "bgp/test_map_text.h"

#include <errno.h>

struct route { // as text: "65001 65002 {65003}" with a set in braces, "65001:1 65001:2"
    const char *prefix, *path, *communities;
};

static uint8_t path_bytes[6 * VNRS_BGP_PATH_ASNS_MAX];
static uint32_t community_list[64];

static struct vnrs_bgp_attrs attrs_of(const struct route *route)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(path_bytes, sizeof(path_bytes));
    struct vnrs_bgp_attrs a = {.nexthop = vnrs_addr_from_v4(0x0a000001),
                               .as_path = path_bytes,
                               .communities = community_list,
                               .has = VNRS_BGP_HAS_MED,
                               .med = 7};
    uint8_t *sequence = NULL;
    unsigned high, low;
    int used = 0;

    for (const char *p = route->path; *p; p += used) {
        char word[16];
        assert_int_equal(sscanf(p, " %15s%n", word, &used), 1);
        bool set = word[0] == '{';
        if (set || !sequence) {
            sequence = set ? NULL : w.at;
            vnrs_wire_put_u8(&w, set ? VNRS_BGP_AS_SET : VNRS_BGP_AS_SEQUENCE);
            vnrs_wire_put_u8(&w, set);
        }
        vnrs_wire_put_u32(&w, (uint32_t)strtoul(word + set, NULL, 10));
        if (sequence)
            sequence[1]++;
    }
    a.as_path_bytes = (uint16_t)(w.at - path_bytes);
    for (const char *p = route->communities; *p; p += used) {
        assert_int_equal(sscanf(p, " %u:%u%n", &high, &low, &used), 2);
        community_list[a.n_communities++] = high << 16 | low;
    }
    vnrs_bgp_attrs_derive(&a);
    return a;
}

// "10.0.0.0/8 | 65001-65002 | 65001:1 65001:2", or "dropped".
static void run(const char *rules, const struct route *route, char *out, size_t size, char note[static VNRS_NOTE_MAX])
{
    struct vnrs_bgp_policy *policy = said_policy(rules);
    const struct vnrs_bgp_map *map = vnrs_bgp_policy_map(policy, 1);
    struct vnrs_bgp_attrs attrs = attrs_of(route), edited = {0};
    struct vnrs_bgp_map_outcome outcome;
    struct vnrs_prefix prefix = {0};
    char text[VNRS_PREFIX_STR_MAX], path[4096];

    assert_int_equal(vnrs_prefix_parse(route->prefix, &prefix), 0);
    vnrs_bgp_map_match(map, &prefix, &attrs, &outcome);
    vnrs_bgp_map_explain(map, &outcome, note);
    if (outcome.dropped || vnrs_bgp_map_edit(map, &attrs, &outcome, &edited) < 0) {
        (void)snprintf(out, size, "dropped");
    } else {
        vnrs_bgp_as_path_format(&edited, path, sizeof(path));
        int at = snprintf(out, size, "%s | %s |", vnrs_prefix_format(&outcome.prefix, text), path);
        for (size_t i = 0; i < edited.n_communities; i++)
            at += snprintf(out + at, size - (size_t)at, " %u:%u", edited.communities[i] >> 16,
                           edited.communities[i] & 0xffff);
        assert_int_equal(edited.has, outcome.summarised ? VNRS_BGP_HAS_ATOMIC_AGGREGATE : VNRS_BGP_HAS_MED);
        struct vnrs_bgp_attrs again = edited;
        vnrs_bgp_attrs_derive(&again);
        assert_int_equal(again.path_len, edited.path_len);
        assert_int_equal(again.first_asn, edited.first_asn);
    }
    vnrs_bgp_policy_free(policy);
}

static const struct route plain = {"10.1.0.0/16", "65001 65002", "65001:1 65001:2"};
static const struct route bare = {"10.1.0.0/16", "", ""};
static const struct route with_set = {"10.1.0.0/16", "65001 {65002", ""};
static const struct route v6 = {"fd00:1::/32", "65001", ""};

static void matches(void **state)
{
    static const struct {
        const char *criteria;
        const struct route *route;
        bool matches;
    } rows[] = {
        {"", &plain, true},
        // prefix
        {"=p:10.1.0.0/16", &plain, true},
        {"=p:10.0.0.0/8", &plain, false},
        {"=p:10.1.0.0/17", &plain, false},
        {"=p:10.2.0.0/16,10.1.0.0/16", &plain, true},
        {"=p:10.0.0.0/8,10.1.0.0/16", &plain, true}, // the longest that holds it is the one that is equal
        {"~p:10.1.0.0/16", &plain, true},
        {"~p:10.0.0.0/8", &plain, true},
        {"~p:10.1.0.0/17", &plain, false},
        {"~p:10.0.0.0/8,10.0.0.0/9,10.0.0.0/16", &plain, true}, // the next one before it does not hold it
        {"~p:9.0.0.0/8,10.0.0.0/16,11.0.0.0/8", &plain, false},
        {"~p:0.0.0.0/0", &plain, true},
        {"~p:0.0.0.0/0", &v6, false},
        {"~p:fd00::/8,10.0.0.0/8", &v6, true},
        {"!=p:10.1.0.0/16", &plain, false},
        {"!=p:10.0.0.0/8", &plain, true},
        {"!~p:10.0.0.0/8", &plain, false},
        {"!~p:10.2.0.0/16", &plain, true},
        // community
        {"=c:65001:1", &plain, true},
        {"=c:65001:2,65001:1", &plain, true},
        {"=c:65001:1,65001:1", &plain, true},
        {"=c:65001:1,65001:3", &plain, false},
        {"~c:65001:3,65001:1", &plain, true},
        {"~c:65001:3", &plain, false},
        {"~c:65001:3", &bare, false},
        {"!=c:65001:1,65001:3", &plain, true},
        {"!=c:65001:1", &plain, false},
        {"!~c:65001:3", &plain, true},
        {"!~c:65001:3,65001:1", &plain, false},
        {"!~c:65001:1", &bare, true},
        // AS path
        {"=a:65001,65002", &plain, true},
        {"=a:65002,65001", &plain, false},
        {"=a:65001", &plain, false},
        {"=a:65001,65002,65003", &plain, false},
        {"=a:65001", &bare, false},
        {"=a:65001,65002", &with_set, false},
        {"~a:65002", &plain, true},
        {"~a:65009,65002", &plain, true},
        {"~a:65009", &plain, false},
        {"~a:65002", &with_set, true},
        {"~a:65002", &bare, false},
        {"!=a:65001,65002", &plain, false},
        {"!=a:65001", &plain, true},
        {"!=a:65001,65002", &with_set, true},
        {"!~a:65002", &plain, false},
        {"!~a:65009", &plain, true},
        {"!~a:65009", &bare, true},
        // all of several
        {"~p:10.0.0.0/8 ~c:65001:1 ~a:65001", &plain, true},
        {"~p:10.0.0.0/8 ~c:65001:9 ~a:65001", &plain, false},
        {"~p:10.0.0.0/8 !~a:65001", &plain, false},
        {"~p:10.0.0.0/8 !~p:10.1.0.0/16", &plain, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char rules[256], out[256], note[VNRS_NOTE_MAX];
        (void)snprintf(rules, sizeof(rules), "r %s drop", rows[i].criteria);
        run(rules, rows[i].route, out, sizeof(out), note);
        if ((strcmp(out, "dropped") == 0) != rows[i].matches)
            fail_msg("'%s': %s", rows[i].criteria, out);
    }
}

static void actions(void **state)
{
    static const struct {
        const char *rules;
        const struct route *route;
        const char *out, *note;
    } rows[] = {
        {"", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2", ""},
        {"r", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2", ""},
        {"r drop", &plain, "dropped", "dropped by route map 'm' rule 'r'"},
        // AS path
        {"r +a:65010,65011", &plain, "10.1.0.0/16 | 65010-65011-65001-65002 | 65001:1 65001:2",
         "changed by route map 'm' rule 'r'"},
        {"r +a:65010 +a:65011", &plain, "10.1.0.0/16 | 65010-65011-65001-65002 | 65001:1 65001:2",
         "changed by route map 'm' rule 'r'"},
        {"r +a:65010", &bare, "10.1.0.0/16 | 65010 |", "changed by route map 'm' rule 'r'"},
        {"r +a:65010", &with_set, "10.1.0.0/16 | 65010-65001-{65002} |", "changed by route map 'm' rule 'r'"},
        {"r >a:65010,65011", &plain, "10.1.0.0/16 | 65010-65011 | 65001:1 65001:2",
         "changed by route map 'm' rule 'r'"},
        {"r >a:", &plain, "10.1.0.0/16 |  | 65001:1 65001:2", "changed by route map 'm' rule 'r'"},
        {"r >a:65010 +a:65011", &plain, "10.1.0.0/16 | 65011-65010 | 65001:1 65001:2",
         "changed by route map 'm' rule 'r'"},
        {"r +a:65011 >a:65010", &plain, "10.1.0.0/16 | 65011-65010 | 65001:1 65001:2",
         "changed by route map 'm' rule 'r'"},
        {"r -a:65001", &plain, "10.1.0.0/16 | 65002 | 65001:1 65001:2", "changed by route map 'm' rule 'r'"},
        {"r -a:65001,65002", &plain, "10.1.0.0/16 |  | 65001:1 65001:2", "changed by route map 'm' rule 'r'"},
        {"r -a:65002", &with_set, "10.1.0.0/16 | 65001 |", "changed by route map 'm' rule 'r'"},
        {"r -a:65001", &with_set, "10.1.0.0/16 | {65002} |", "changed by route map 'm' rule 'r'"},
        {"r -a:65001 +a:65001", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2",
         "changed by route map 'm' rule 'r'"},
        // communities
        {"r +c:65000:9,65001:2,65009:1", &plain, "10.1.0.0/16 | 65001-65002 | 65000:9 65001:1 65001:2 65009:1",
         "changed by route map 'm' rule 'r'"},
        {"r +c:65000:9", &bare, "10.1.0.0/16 |  | 65000:9", "changed by route map 'm' rule 'r'"},
        {"r >c:65000:9,65000:1", &plain, "10.1.0.0/16 | 65001-65002 | 65000:1 65000:9",
         "changed by route map 'm' rule 'r'"},
        {"r >c:", &plain, "10.1.0.0/16 | 65001-65002 |", "changed by route map 'm' rule 'r'"},
        {"r -c:65001:1,65001:9", &plain, "10.1.0.0/16 | 65001-65002 | 65001:2", "changed by route map 'm' rule 'r'"},
        {"r -c:65001:1 +c:65001:1 >c:65001:7", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:7",
         "changed by route map 'm' rule 'r'"},
        // summarising
        {"r >p:10.0.0.0/8", &plain, "10.0.0.0/8 |  |", "summarised as 10.0.0.0/8 by route map 'm' rule 'r'"},
        {"r >p:10.0.0.0/8,10.0.0.0/12,10.2.0.0/16", &plain, "10.0.0.0/12 |  |",
         "summarised as 10.0.0.0/12 by route map 'm' rule 'r'"},
        {"r >p:10.1.0.0/16", &plain, "10.1.0.0/16 |  |", "summarised as 10.1.0.0/16 by route map 'm' rule 'r'"},
        {"r >p:10.1.0.0/17", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2", ""},
        {"r >p:10.2.0.0/16 +c:65001:3", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2 65001:3",
         "changed by route map 'm' rule 'r'"},
        {"r +c:65001:3 >p:10.0.0.0/8 +a:65010", &plain, "10.0.0.0/8 | 65010 | 65001:3",
         "summarised as 10.0.0.0/8 by route map 'm' rule 'r'"},
        {"r >p:fd00::/8", &v6, "fd00::/8 |  |", "summarised as fd00::/8 by route map 'm' rule 'r'"},
        // order, Continue, Terminate
        {"a +c:65001:8; b +c:65001:9", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2 65001:8 65001:9",
         "changed by route map 'm' rule 'a', 'b'"},
        {"a! +c:65001:8; b +c:65001:9", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2 65001:8",
         "changed by route map 'm' rule 'a'"},
        {"a! ~a:65009 +c:65001:8; b +c:65001:9", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2 65001:9",
         "changed by route map 'm' rule 'b'"},
        {"a!; b drop", &plain, "10.1.0.0/16 | 65001-65002 | 65001:1 65001:2", ""},
        {"a; b drop", &plain, "dropped", "dropped by route map 'm' rule 'b'"},
        {"a drop; b! +c:65001:8", &plain, "dropped", "dropped by route map 'm' rule 'a'"},
        {"a +c:65001:8; b ~c:65001:8 drop", &plain, "dropped", "dropped by route map 'm' rule 'b'"},
        {"a -c:65001:1; b ~c:65001:1 drop", &plain, "10.1.0.0/16 | 65001-65002 | 65001:2",
         "changed by route map 'm' rule 'a'"},
        {"a +a:65010; b =a:65010,65001,65002 >a:65011; c =a:65011 +a:65012", &plain,
         "10.1.0.0/16 | 65012-65011 | 65001:1 65001:2", "changed by route map 'm' rule 'a', 'b', 'c'"},
        {"a >p:10.0.0.0/8; b =p:10.0.0.0/8 +c:65001:8; c =p:10.1.0.0/16 drop", &plain, "10.0.0.0/8 |  | 65001:8",
         "summarised as 10.0.0.0/8 by route map 'm' rule 'a', 'b'"},
        {"a >p:10.0.0.0/8; b >p:0.0.0.0/0", &plain, "0.0.0.0/0 |  |",
         "summarised as 0.0.0.0/0 by route map 'm' rule 'a', 'b'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char out[256], note[VNRS_NOTE_MAX];
        run(rows[i].rules, rows[i].route, out, sizeof(out), note);
        if (strcmp(out, rows[i].out) != 0 || strcmp(note, rows[i].note) != 0)
            fail_msg("'%s': %s (%s)", rows[i].rules, out, note);
    }
}

// A path of `n` ASNs and `n_segments` segments of one ASN more.
static struct vnrs_bgp_attrs long_path(unsigned n, unsigned n_segments)
{
    struct vnrs_wire_out w = vnrs_wire_out_make(path_bytes, sizeof(path_bytes));
    struct vnrs_bgp_attrs a = {.as_path = path_bytes};

    for (unsigned part; n; n -= part) {
        part = MIN(n, VNRS_BGP_SEGMENT_MAX);
        vnrs_wire_put_u8(&w, VNRS_BGP_AS_SEQUENCE);
        vnrs_wire_put_u8(&w, (uint8_t)part);
        for (unsigned i = 0; i < part; i++)
            vnrs_wire_put_u32(&w, 65001);
    }
    for (; n_segments; n_segments--) {
        vnrs_wire_put_u8(&w, VNRS_BGP_AS_SET);
        vnrs_wire_put_u8(&w, 1);
        vnrs_wire_put_u32(&w, 65002);
    }
    assert_false(w.full);
    a.as_path_bytes = (uint16_t)(w.at - path_bytes);
    return a;
}

static int edit_with(const char *rules, const struct vnrs_bgp_attrs *attrs, size_t *ret_bytes)
{
    struct vnrs_bgp_policy *policy = said_policy(rules);
    const struct vnrs_bgp_map *map = vnrs_bgp_policy_map(policy, 1);
    struct vnrs_prefix prefix = {.family = VNRS_AF_IPV4};
    struct vnrs_bgp_map_outcome outcome;
    struct vnrs_bgp_attrs edited = {0};

    vnrs_bgp_map_match(map, &prefix, attrs, &outcome);
    int err = outcome.dropped ? -EPERM : vnrs_bgp_map_edit(map, attrs, &outcome, &edited);
    *ret_bytes = edited.as_path_bytes;
    vnrs_bgp_policy_free(policy);
    return err;
}

static void path_limits(void **state)
{
    struct vnrs_bgp_attrs a = long_path(VNRS_BGP_PATH_ASNS_MAX - 1, 0);
    size_t bytes;

    (void)state;
    assert_int_equal(edit_with("r +a:65010", &a, &bytes), 0);
    assert_int_equal(edit_with("r +a:65010,65010", &a, &bytes), -E2BIG);
    assert_int_equal(edit_with("r +a:65010,65010; s +c:65001:1", &a, &bytes), -EPERM); // found while matching
    assert_int_equal(edit_with("r +a:65010 -a:65001", &a, &bytes), 0);
    assert_int_equal(bytes, 6);
    // Every ASN a segment of its own: the largest form.
    a = long_path(0, VNRS_BGP_PATH_ASNS_MAX);
    assert_int_equal(edit_with("r -a:65001", &a, &bytes), 0);
    assert_int_equal(bytes, a.as_path_bytes);
    assert_int_equal(edit_with("r +a:65010", &a, &bytes), -E2BIG);
    assert_int_equal(edit_with("r +a:65010,65011,65012", &a, &bytes), -E2BIG);
    // A full segment gets another one in front.
    a = long_path(VNRS_BGP_SEGMENT_MAX, 0);
    assert_int_equal(edit_with("r +a:65010", &a, &bytes), 0);
    assert_int_equal(bytes, a.as_path_bytes + 6);
    a = long_path(VNRS_BGP_SEGMENT_MAX - 1, 0);
    assert_int_equal(edit_with("r +a:65010", &a, &bytes), 0);
    assert_int_equal(bytes, a.as_path_bytes + 4);
}

static void community_limits(void **state)
{
    static uint32_t many[UINT16_MAX / 4 + 1];
    struct vnrs_bgp_attrs a = {.communities = many, .n_communities = ARRAY_SIZE(many) - 1};
    size_t bytes;

    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = i;
    assert_int_equal(edit_with("r +c:65001:1", &a, &bytes), 0);
    assert_int_equal(edit_with("r +c:0:5,65001:1", &a, &bytes), 0);
    assert_int_equal(edit_with("r +c:65001:1,65001:2", &a, &bytes), -E2BIG);
    a.n_communities++;
    assert_int_equal(edit_with("r +c:0:5", &a, &bytes), 0);
    assert_int_equal(edit_with("r +c:65001:1", &a, &bytes), -E2BIG);
    assert_int_equal(edit_with("r >c:65001:1", &a, &bytes), 0);
}

static void outcomes(void **state)
{
    struct vnrs_bgp_policy *policy = said_policy("a ~p:10.0.0.0/8 +c:65001:1; b ~p:10.2.0.0/16 >p:10.0.0.0/8");
    const struct vnrs_bgp_map *map = vnrs_bgp_policy_map(policy, 1);
    static const char *const texts[] = {"10.1.0.0/16", "10.3.0.0/16", "10.2.0.0/16", "10.2.1.0/24", "11.0.0.0/8"};
    struct vnrs_bgp_map_outcome o[ARRAY_SIZE(texts)];
    struct vnrs_bgp_attrs a = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct vnrs_prefix prefix = {0};
        assert_int_equal(vnrs_prefix_parse(texts[i], &prefix), 0);
        vnrs_bgp_map_match(map, &prefix, &a, &o[i]);
    }
    assert_true(vnrs_bgp_map_outcome_equal(&o[0], &o[1])); // other prefixes, the same edit
    assert_true(vnrs_bgp_map_outcome_equal(&o[2], &o[3]));
    assert_false(vnrs_bgp_map_outcome_equal(&o[0], &o[2]));
    assert_false(vnrs_bgp_map_outcome_equal(&o[0], &o[4]));
    vnrs_bgp_policy_free(policy);
}

// The longest names that the controller can say.
static void long_names(void **state)
{
    static struct said said;
    struct vnrs_bgp_policy *policy = NULL;
    struct vnrs_bgp_map_outcome outcome = {.fired = 7};
    char note[VNRS_NOTE_MAX];

    (void)state;
    said_map(&said, "m", "a; b; c");
    memset(said.maps[0].name, 'x', VNRS_PEER_NAME_MAX - 1);
    for (size_t i = 0; i < 3; i++)
        memset(said.rules[i].name, 'y', VNRS_PEER_NAME_MAX - 1);
    assert_int_equal(said_compile(&said, &policy), 0);
    vnrs_bgp_map_explain(vnrs_bgp_policy_map(policy, 1), &outcome, note);
    assert_int_equal(strlen(note), VNRS_NOTE_MAX - 1);
    vnrs_bgp_policy_free(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"policy_apply.matches", matches, NULL, NULL, NULL},
        {"policy_apply.actions", actions, NULL, NULL, NULL},
        {"policy_apply.path_limits", path_limits, NULL, NULL, NULL},
        {"policy_apply.community_limits", community_limits, NULL, NULL, NULL},
        {"policy_apply.outcomes", outcomes, NULL, NULL, NULL},
        {"policy_apply.long_names", long_names, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
