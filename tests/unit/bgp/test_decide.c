// SPDX-License-Identifier: GPL-2.0-or-later
// One attribute at a time: each row changes one thing and names the step that has to decide.
#include "bgp/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct side {
    struct vnrs_bgp_attrs attrs;
    struct vnrs_bgp_source source;
    uint32_t path_id;
};

static struct side base(void)
{
    return (struct side){
        .attrs = {.origin = VNRS_BGP_ORIGIN_IGP, .path_len = 2},
        .source = {.addr = vnrs_addr_from_v4(0x0a00000a), .router_id = 10, .asn = 65001},
    };
}

static void set_local(struct side *s)
{
    s->source.local = true;
}
static void set_pref_high(struct side *s)
{
    s->attrs.has = VNRS_BGP_HAS_LOCAL_PREF;
    s->attrs.local_pref = 200;
}
static void set_pref_low(struct side *s)
{
    s->attrs.has = VNRS_BGP_HAS_LOCAL_PREF;
    s->attrs.local_pref = 99;
}
static void set_pref_default(struct side *s)
{
    s->attrs.has = VNRS_BGP_HAS_LOCAL_PREF;
    s->attrs.local_pref = 100;
}
static void set_long(struct side *s)
{
    s->attrs.path_len = 3;
}
static void set_egp(struct side *s)
{
    s->attrs.origin = VNRS_BGP_ORIGIN_EGP;
}
static void set_incomplete(struct side *s)
{
    s->attrs.origin = VNRS_BGP_ORIGIN_INCOMPLETE;
}
static void set_ibgp(struct side *s)
{
    s->source.ibgp = true;
}
static void set_id(struct side *s)
{
    s->source.router_id = 11;
}
static void set_addr(struct side *s)
{
    s->source.addr = vnrs_addr_from_v4(0x0a00000b);
}
static void set_med(struct side *s)
{
    s->attrs.has = VNRS_BGP_HAS_MED;
    s->attrs.med = 5;
}
static void set_originator_low(struct side *s)
{
    s->attrs.originator_id = 9;
}
static void set_originator_high(struct side *s)
{
    s->attrs.originator_id = 0xc0000000; // as a number without sign
}
static void set_clusters(struct side *s)
{
    s->attrs.n_clusters = 2;
}
static void set_path_id(struct side *s)
{
    s->path_id = 7;
}
static void set_nothing(struct side *s)
{
    (void)s;
}

static const struct {
    const char *what;
    void (*better)(struct side *s);
    void (*worse)(struct side *s);
    enum vnrs_bgp_step step;
    bool multipath;
} rows[] = {
    {"originated here", set_local, set_nothing, VNRS_BGP_STEP_LOCAL, false},
    {"higher preference", set_pref_high, set_nothing, VNRS_BGP_STEP_PREF, false},
    {"lower preference than the default", set_nothing, set_pref_low, VNRS_BGP_STEP_PREF, false},
    {"the default said aloud", set_nothing, set_pref_default, VNRS_BGP_STEP_BEST, true},
    {"shorter path", set_nothing, set_long, VNRS_BGP_STEP_PATH_LEN, false},
    {"IGP before EGP", set_nothing, set_egp, VNRS_BGP_STEP_ORIGIN, true},
    {"EGP before incomplete", set_egp, set_incomplete, VNRS_BGP_STEP_ORIGIN, true},
    {"eBGP before iBGP", set_nothing, set_ibgp, VNRS_BGP_STEP_EBGP, true},
    {"lower identifier", set_nothing, set_id, VNRS_BGP_STEP_ID, true},
    {"lower address", set_nothing, set_addr, VNRS_BGP_STEP_ADDR, true},
    {"lower ORIGINATOR_ID than the other's identifier", set_originator_low, set_nothing, VNRS_BGP_STEP_ID, true},
    {"higher ORIGINATOR_ID than the other's identifier", set_id, set_originator_high, VNRS_BGP_STEP_ID, true},
    {"shorter CLUSTER_LIST", set_nothing, set_clusters, VNRS_BGP_STEP_CLUSTERS, true},
    {"identifier beats CLUSTER_LIST", set_clusters, set_id, VNRS_BGP_STEP_ID, true},
    {"CLUSTER_LIST beats address", set_addr, set_clusters, VNRS_BGP_STEP_CLUSTERS, true},
    {"lower path identifier", set_nothing, set_path_id, VNRS_BGP_STEP_PATH_ID, true},
    {"address beats path identifier", set_path_id, set_addr, VNRS_BGP_STEP_ADDR, true},
    {"MED is not looked at", set_nothing, set_med, VNRS_BGP_STEP_BEST, true},
    {"local beats preference", set_local, set_pref_high, VNRS_BGP_STEP_LOCAL, false},
    {"preference beats length", set_pref_high, set_nothing, VNRS_BGP_STEP_PREF, false},
    {"length beats origin", set_incomplete, set_long, VNRS_BGP_STEP_PATH_LEN, false},
    {"origin beats identifier", set_id, set_egp, VNRS_BGP_STEP_ORIGIN, true},
    {"eBGP beats identifier", set_id, set_ibgp, VNRS_BGP_STEP_EBGP, true},
    {"identifier beats address", set_addr, set_id, VNRS_BGP_STEP_ID, true},
};

static void one_attribute(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct side a = base(), b = base();
        enum vnrs_bgp_step step = _VNRS_BGP_STEP_MAX, back = _VNRS_BGP_STEP_MAX;
        rows[i].better(&a);
        rows[i].worse(&b);
        struct vnrs_bgp_candidate ca = {&a.attrs, &a.source, a.path_id}, cb = {&b.attrs, &b.source, b.path_id};
        int order = vnrs_bgp_decide_cmp(&ca, &cb, &step), reverse = vnrs_bgp_decide_cmp(&cb, &ca, &back);
        if (step != rows[i].step || back != step || (rows[i].step ? order >= 0 || reverse <= 0 : order || reverse))
            fail_msg("%s: order %d, %d at step %d", rows[i].what, order, reverse, (int)step);
        if (vnrs_bgp_step_is_multipath(step) != rows[i].multipath)
            fail_msg("%s: multipath", rows[i].what);
    }
}

static void every_step_has_a_text(void **state)
{
    (void)state;
    for (unsigned i = 0; i < _VNRS_BGP_STEP_MAX; i++)
        assert_true(vnrs_bgp_step_text(i) && vnrs_bgp_step_text(i)[0]);
    for (unsigned i = VNRS_BGP_USABLE + 1; i < _VNRS_BGP_BARRED_MAX; i++)
        assert_true(strlen(vnrs_bgp_barred_text(i)) > 0 && strlen(vnrs_bgp_barred_text(i)) < 64);
    assert_string_equal(vnrs_bgp_step_text(VNRS_BGP_STEP_BARRED), "not a candidate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_attribute),
        cmocka_unit_test(every_step_has_a_text),
    };
    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
