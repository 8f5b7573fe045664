// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/decide.h"

#include <assert.h>

#define DEFAULT_LOCAL_PREF 100u // where a peer says nothing (RFC 4271 9.1.1 leaves it to policy)

typedef struct vnrs_bgp_candidate cand;

// -1: the lower value is better
static int lower(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int cmp_local(const cand *a, const cand *b)
{
    return lower(!a->source->local, !b->source->local);
}

static uint32_t pref(const cand *c)
{
    return c->attrs->has & VNRS_BGP_HAS_LOCAL_PREF ? c->attrs->local_pref : DEFAULT_LOCAL_PREF;
}

static int cmp_pref(const cand *a, const cand *b)
{
    return lower(pref(b), pref(a));
}

static int cmp_class(const cand *a, const cand *b)
{
    return lower(a->source->rank, b->source->rank);
}

static int cmp_path_len(const cand *a, const cand *b)
{
    return lower(a->attrs->path_len, b->attrs->path_len);
}

static int cmp_origin(const cand *a, const cand *b)
{
    return lower(a->attrs->origin, b->attrs->origin);
}

static int cmp_ebgp(const cand *a, const cand *b)
{
    return lower(a->source->ibgp, b->source->ibgp);
}

static uint32_t identifier(const cand *c)
{
    return c->attrs->originator_id ? c->attrs->originator_id : c->source->router_id;
}

static int cmp_id(const cand *a, const cand *b)
{
    return lower(identifier(a), identifier(b));
}

static int cmp_clusters(const cand *a, const cand *b)
{
    return lower(a->attrs->n_clusters, b->attrs->n_clusters);
}

static int cmp_addr(const cand *a, const cand *b)
{
    return vnrs_addr_cmp(&a->source->addr, &b->source->addr);
}

static int cmp_path_id(const cand *a, const cand *b)
{
    return lower(a->path_id, b->path_id);
}

static const struct {
    int (*cmp)(const cand *a, const cand *b);
    const char *text;
} steps[] = {
    [VNRS_BGP_STEP_BEST] = {.text = "best"},
    [VNRS_BGP_STEP_LOCAL] = {cmp_local, "not originated here"},
    [VNRS_BGP_STEP_PREF] = {cmp_pref, "lower local preference"},
    [VNRS_BGP_STEP_CLASS] = {cmp_class, "less preferred class of routes or circuit"},
    [VNRS_BGP_STEP_PATH_LEN] = {cmp_path_len, "longer AS path"},
    [VNRS_BGP_STEP_ORIGIN] = {cmp_origin, "lesser origin"},
    [VNRS_BGP_STEP_EBGP] = {cmp_ebgp, "learned by iBGP"},
    [VNRS_BGP_STEP_ID] = {cmp_id, "higher BGP identifier"},
    [VNRS_BGP_STEP_CLUSTERS] = {cmp_clusters, "longer cluster list"},
    [VNRS_BGP_STEP_ADDR] = {cmp_addr, "higher peer address"},
    [VNRS_BGP_STEP_PATH_ID] = {cmp_path_id, "higher path identifier"},
};
static_assert(ARRAY_SIZE(steps) == _VNRS_BGP_STEP_MAX, "a row for every step");

static const char *const barred_texts[] = {
    [VNRS_BGP_USABLE] = "",
    [VNRS_BGP_BARRED_LOCAL] = "equal to or inside a virtual network's range",
    [VNRS_BGP_BARRED_LOOP] = "own ASN in the AS path",
    [VNRS_BGP_BARRED_NEXTHOP] = "next hop is this instance",
    [VNRS_BGP_BARRED_BRANCH] = "of a gateway; branch-to-branch traffic is not allowed",
    [VNRS_BGP_BARRED_MARKED] = "went through a Route Server before (65517:65517)",
    [VNRS_BGP_BARRED_GONE] = "withdrawn",
};
static_assert(ARRAY_SIZE(barred_texts) == _VNRS_BGP_BARRED_MAX, "a text for every reason");

int vnrs_bgp_decide_cmp(const struct vnrs_bgp_candidate *a, const struct vnrs_bgp_candidate *b,
                        enum vnrs_bgp_step *ret_step)
{
    for (unsigned i = VNRS_BGP_STEP_LOCAL; i < _VNRS_BGP_STEP_MAX; i++) {
        int order = steps[i].cmp(a, b);
        if (order) {
            *ret_step = i;
            return order;
        }
    }
    *ret_step = VNRS_BGP_STEP_BEST;
    return 0;
}

bool vnrs_bgp_step_is_multipath(enum vnrs_bgp_step step)
{
    return step == VNRS_BGP_STEP_BEST || (step > VNRS_BGP_STEP_PATH_LEN && step < _VNRS_BGP_STEP_MAX);
}

const char *vnrs_bgp_step_text(enum vnrs_bgp_step step)
{
    return (unsigned)step < ARRAY_SIZE(steps) ? steps[step].text : "not a candidate";
}

const char *vnrs_bgp_barred_text(enum vnrs_bgp_barred barred)
{
    return (unsigned)barred < ARRAY_SIZE(barred_texts) ? barred_texts[barred] : "?";
}
