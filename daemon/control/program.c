// SPDX-License-Identifier: GPL-2.0-or-later
// Model + learned routes → effective routes → sinks. What a learned route becomes in a domain is decided in one place
// (want_learned): for all of them when the model or the state of the sinks changed, else for those that changed, in
// bounded slices, so that the loop stays free and the agent works meanwhile.
#include "control/fib_send.h"
#include "control/state.h"

#include "plan/names.h"
#include "routing/resolve.h"
#include "util/arena.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_MS  1000
#define SLICE_MAX 4096u // prefixes times domains in one turn of the loop

struct programmer {
    struct vnrs_lab *lab;
    struct vnrs_arena *arena;
    // The last group that learned routes asked for.
    uint32_t origin;
    const struct vnrs_vnet *vnet;
    struct vnrs_fib_group_ref *group;
};

// ---- groups

static struct vnrs_fib_member make_member(const struct vnrs_lab *lab, struct vnrs_arena *arena,
                                          const struct vnrs_fwd_member *in)
{
    struct vnrs_fib_member out = {.kind = VNRS_BPF_NH_DROP, .via = in->via};
    bool down = false;

    switch (in->kind) {
    case VNRS_FWD_ENDPOINT:
        out.kind = VNRS_BPF_NH_ENDPOINT;
        out.vnet = vnrs_ids_find(lab->ids, VNRS_ID_VNET, in->vnet->name);
        return out;
    case VNRS_FWD_NIC:
        out.ifindex = vnrs_lab_link_number(lab, in->nic->name);
        out.flags = in->balancer ? VNRS_BPF_NHF_BALANCED : 0;
        down = in->balancer && vnrs_probe_is_down(lab, in->balancer, in->nic);
        break;
    case VNRS_FWD_INTERNET:
        out.ifindex = vnrs_lab_link_number(lab, VNRS_LINK_KEY_EDGE);
        break;
    case VNRS_FWD_SERVICE_HOST:
        out.ifindex = vnrs_lab_link_number(lab, vnrs_link_key_service(arena, &in->service->hosts.items[in->host]));
        break;
    case VNRS_FWD_DEAD:
        break;
    default:
        return out;
    }
    out.kind = out.ifindex && !down ? VNRS_BPF_NH_NIC : VNRS_BPF_NH_DEAD;
    return out;
}

static struct vnrs_fib_group_ref *static_group(struct programmer *p, const struct vnrs_fwd_route *route)
{
    struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX] = {0};
    unsigned n = MIN(route->n, (unsigned)VNRS_GROUP_MEMBERS_MAX);

    for (unsigned i = 0; i < n; i++)
        members[i] = make_member(p->lab, p->arena, &route->members[i]);
    return vnrs_fib_want_group(p->lab->fib, 0, members, n);
}

static bool is_injected_only(const struct vnrs_lab *lab)
{
    return lab->model->dataplane == VNRS_DATAPLANE_NONE;
}

// With dataplane none the machine is in a real network, and a gateway has links of its own: next hops are addresses,
// not NICs.
static struct vnrs_fib_member injected_member(const struct vnrs_addr *next_hop)
{
    return (struct vnrs_fib_member){.kind = VNRS_BPF_NH_NIC, .via = *next_hop};
}

static unsigned hop_members(const struct vnrs_lab *lab, const struct vnrs_vnet *vnet, const struct vnrs_addr *hop,
                            struct vnrs_fib_member *out, unsigned room)
{
    struct vnrs_fwd_member members[VNRS_FWD_MEMBERS_MAX];
    unsigned n = vnrs_fwd_nexthop(lab->reach, vnet, hop, members, MIN(room, (unsigned)ARRAY_SIZE(members)));

    for (unsigned i = 0; i < n; i++)
        out[i] = make_member(lab, NULL, &members[i]); // a NIC, or nobody's
    return n;
}

unsigned vnrs_lab_members(const struct vnrs_lab *lab, const struct vnrs_vnet *vnet, const struct vnrs_learned_set *set,
                          struct vnrs_fib_member ret_members[static VNRS_GROUP_MEMBERS_MAX])
{
    unsigned n = 0;

    ret_members[0] = (struct vnrs_fib_member){.kind = VNRS_BPF_NH_DROP};
    if (vnrs_learned_is_drop(set))
        return 1;
    for (unsigned i = 0; i < set->n && n < VNRS_GROUP_MEMBERS_MAX; i++) {
        const struct vnrs_addr *hop = &set->paths[i].nexthop;
        if (is_injected_only(lab) || !vnet)
            ret_members[n++] = injected_member(hop);
        else
            n += hop_members(lab, vnet, hop, ret_members + n, VNRS_GROUP_MEMBERS_MAX - n);
    }
    return n;
}

static struct vnrs_fib_group_ref *learned_group(struct programmer *p, const struct vnrs_learned_merged *merged,
                                                const struct vnrs_vnet *vnet)
{
    struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX];

    if (p->group && p->origin == merged->origin && p->vnet == vnet)
        return p->group;
    unsigned n = vnrs_lab_members(p->lab, vnet, merged->set, members);
    bool balanced = merged->set->n == 1 && members[0].flags & VNRS_BPF_NHF_BALANCED;
    p->origin = merged->origin;
    p->vnet = vnet;
    // All routes to a load balancer have one group, so that both directions of a flow meet in it; all that are dropped
    // have one with user routes of type None.
    bool is_shared = balanced || vnrs_learned_is_drop(merged->set);
    return p->group = vnrs_fib_want_group(p->lab->fib, is_shared ? 0 : merged->origin, members, n);
}

// ---- routes

static bool is_used(const struct vnrs_lab *lab, const struct vnrs_domain *domain, const struct vnrs_prefix *prefix)
{
    enum vnrs_learned_fate fate = domain ? vnrs_domain_fate(domain, prefix) : VNRS_LEARNED_USED;

    // Only the fabric knows service endpoints.
    return fate == VNRS_LEARNED_USED || (fate == VNRS_LEARNED_SHADOWED && is_injected_only(lab));
}

// A learned route in one domain. Returns false when the domain has none of this prefix, so that its other rows decide.
static bool want_learned(struct programmer *p, const struct vnrs_lab_domain *d, uint32_t id,
                         const struct vnrs_prefix *prefix)
{
    struct vnrs_learned_merged merged;

    if (!d->learned || !is_used(p->lab, d->domain, prefix) || !vnrs_learned_get(d->learned, id, &merged))
        return false;
    vnrs_fib_want_number(p->lab->fib, d->number, id, vnrs_learned_is_drop(merged.set) ? VNRS_NH_NONE : VNRS_NH_GATEWAY,
                         learned_group(p, &merged, d->domain ? d->domain->vnet : NULL));
    return true;
}

static void want_row(struct programmer *p, uint32_t domain, const struct vnrs_fwd_route *route)
{
    vnrs_fib_want_route(p->lab->fib, domain, &route->prefix, route->type, static_group(p, route));
}

// What the fabric has in a domain beside learned routes. Where one of those has the prefix of a row, the row goes.
static int make_table(struct programmer *p, const struct vnrs_lab_domain *d, struct vnrs_fwd_table *ret_table)
{
    struct vnrs_domain domain;
    int r = vnrs_lab_domain_compute(p->lab, d->domain, VNRS_LAB_LEARNED_PIVOTAL, NULL, p->arena, &domain);

    return r < 0 ? r : vnrs_fwd_resolve(p->lab->model, p->lab->reach, &domain, p->arena, ret_table);
}

static bool is_learned_row(struct programmer *p, const struct vnrs_lab_domain *d, const struct vnrs_prefix *prefix)
{
    struct vnrs_learned_merged merged;
    uint32_t id = d->learned && vnrs_learned_is_pivotal(prefix) ? vnrs_prefixes_find(&p->lab->prefixes, prefix) : 0;

    return id && is_used(p->lab, d->domain, prefix) && vnrs_learned_get(d->learned, id, &merged);
}

static int want_fabric(struct programmer *p, const struct vnrs_lab_domain *d)
{
    struct vnrs_fwd_table table = {0};
    int r = make_table(p, d, &table);

    for (size_t i = 0; r == 0 && i < table.routes.len; i++)
        if (!is_learned_row(p, d, &table.routes.items[i].prefix))
            want_row(p, d->number, &table.routes.items[i]);
    return r;
}

// With dataplane none only what the machine's network does not know is told: user routes, and what is learned.
static void want_injected(struct programmer *p, const struct vnrs_lab_domain *d)
{
    list_foreach (route, &d->domain->routes) {
        struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX] = {0};
        if (route->state != VNRS_ROUTE_ACTIVE || route->source != VNRS_SRC_USER)
            continue;
        members[0].kind = route->type == VNRS_NH_NONE ? VNRS_BPF_NH_DROP : VNRS_BPF_NH_NIC;
        for (unsigned i = 0; i < route->n_next_hops; i++)
            members[i] = injected_member(&route->next_hops[i]);
        vnrs_fib_want_route(p->lab->fib, d->number, &route->prefix, route->type,
                            vnrs_fib_want_group(p->lab->fib, 0, members, MAX(1u, route->n_next_hops)));
    }
}

// A pivotal prefix was learned or is not any more: the other rows of the pivotal prefixes may come or go with it.
static int change_pivotal(struct programmer *p, const struct vnrs_lab_domain *d)
{
    struct vnrs_fwd_table table = {0};
    size_t n_pivots;
    const struct vnrs_prefix *pivots = vnrs_learned_pivots(&n_pivots);
    bool has_rows = d->domain && !is_injected_only(p->lab);
    int r = has_rows ? make_table(p, d, &table) : 0;

    for (size_t i = 0; r == 0 && i < n_pivots; i++) {
        const struct vnrs_fwd_route *row = NULL;
        uint32_t id = vnrs_prefixes_find(&p->lab->prefixes, &pivots[i]);
        if (id && want_learned(p, d, id, &pivots[i]))
            continue;
        list_foreach (route, &table.routes) {
            if (vnrs_prefix_equal(&route->prefix, &pivots[i]))
                row = route;
        }
        if (row)
            want_row(p, d->number, row);
        else if (id && (has_rows || is_used(p->lab, d->domain, &pivots[i])))
            vnrs_fib_drop_number(p->lab->fib, d->number, id);
    }
    return r;
}

// ---- everything

static int find_domains(struct vnrs_lab *lab, struct vnrs_arena *arena)
{
    int r = 0;

    vec_clear(&lab->domains);
    list_foreach (domain, &lab->routing->domains) {
        const char *key = vnrs_domain_key(arena, domain);
        const struct vnrs_lab_domain d = {.domain = domain,
                                          .number = key ? vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, key) : 0,
                                          .learned = vnrs_lab_learned_of(lab, domain->hub)};
        if (r == 0)
            r = d.number ? vec_push(&lab->domains, d) : -ENOMEM;
    }
    vec_foreach (speaker, &lab->speakers.list) {
        const struct vnrs_lab_domain d = {
            .number = speaker->domain ? vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, speaker->domain) : 0,
            .learned = speaker->domain ? vnrs_lab_learned_in(lab, speaker->domain) : NULL};
        if (r == 0 && d.number)
            r = vec_push(&lab->domains, d);
    }
    return r;
}

static int want_probers(struct programmer *p)
{
    int r = 0;

    list_foreach (vnet, &p->lab->model->vnets) {
        struct vnrs_fwd_table table = {0};
        const char *key = vnrs_vnet_is_probed(p->lab->model, vnet) ? vnrs_domain_key_prober(p->arena, vnet) : NULL;
        if (key && r == 0)
            r = vnrs_fwd_prober(vnet, p->arena, &table);
        list_foreach (route, &table.routes)
            want_row(p, vnrs_ids_find(p->lab->ids, VNRS_ID_DOMAIN, key), route);
    }
    return r;
}

static int want_platform(struct programmer *p)
{
    static const struct {
        enum vnrs_fwd_platform which;
        const char *key;
    } tables[] = {{VNRS_FWD_PLATFORM_EDGE, VNRS_DOMAIN_KEY_EDGE}, {VNRS_FWD_PLATFORM_SERVICE, VNRS_DOMAIN_KEY_SERVICE}};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        struct vnrs_fwd_table table = {0};
        int r = vnrs_fwd_platform(p->lab->model, p->arena, tables[i].which, &table);
        if (r < 0)
            return r;
        list_foreach (route, &table.routes)
            want_row(p, vnrs_ids_find(p->lab->ids, VNRS_ID_DOMAIN, tables[i].key), route);
    }
    return want_probers(p);
}

static int want_domain(struct programmer *p, const struct vnrs_lab_domain *d)
{
    int r = 0;

    if (!d->domain)
        vnrs_fib_domain_apart(p->lab->fib, d->number);
    else if (is_injected_only(p->lab))
        want_injected(p, d);
    else
        r = want_fabric(p, d);
    for (uint32_t id = VNRS_PREFIX_NONE; d->learned && r == 0 && (id = vnrs_learned_next(d->learned, id));) {
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&p->lab->prefixes, id);
        (void)want_learned(p, d, id, &prefix);
    }
    return r;
}

static int want_all(struct programmer *p)
{
    struct vnrs_lab *lab = p->lab;
    int r = find_domains(lab, p->arena);

    vnrs_fib_begin(lab->fib, lab->fib_items);
    vec_foreach (d, &lab->domains) {
        if (r == 0)
            r = want_domain(p, d);
    }
    if (r == 0 && !is_injected_only(lab)) {
        if (lab->fib_items)
            vnrs_lab_want_nics(lab, p->arena);
        r = want_platform(p);
    }
    vec_foreach (routes, &lab->routes)
        vnrs_learned_take_all((*routes)->db);
    return r;
}

// ---- what changed

static void change_learned(struct programmer *p, struct vnrs_learned_db *db, uint32_t id,
                           const struct vnrs_prefix *prefix)
{
    vec_foreach (d, &p->lab->domains) {
        if (d->learned == db && !want_learned(p, d, id, prefix) && is_used(p->lab, d->domain, prefix))
            vnrs_fib_drop_number(p->lab->fib, d->number, id);
    }
}

static int change_slice(struct programmer *p, struct vnrs_learned_db *db, size_t *budget)
{
    bool pivotal = false;
    uint32_t id;
    int r = 0;

    while (*budget && (id = vnrs_learned_take(db))) {
        const struct vnrs_prefix prefix = vnrs_prefixes_prefix(&p->lab->prefixes, id);
        --*budget;
        if (vnrs_learned_is_pivotal(&prefix))
            pivotal = true;
        else
            change_learned(p, db, id, &prefix);
        // Where it was dropped, the fib state has the number until the change is emitted.
        vnrs_prefixes_drop(&p->lab->prefixes, id);
    }
    vec_foreach (d, &p->lab->domains) {
        if (pivotal && d->learned == db && r == 0)
            r = change_pivotal(p, d);
    }
    return r;
}

static unsigned delay_of(const struct vnrs_lab *lab, const struct vnrs_lab_routes *routes)
{
    list_foreach (rs, &lab->model->route_servers)
        if (strcmp(rs->vnet->name, routes->key) == 0)
            return rs->change_delay_s;
    return 0;
}

static uint64_t wait_of(const struct vnrs_lab *lab, const struct vnrs_lab_routes *routes)
{
    unsigned delay = delay_of(lab, routes);
    return delay ? vnrs_damping_wait_ms(&routes->damping, delay, vnrs_clock_ms()) : 0;
}

uint64_t vnrs_lab_damped_ms(const struct vnrs_lab *lab, const struct vnrs_vnet *hub, size_t *ret_prefixes)
{
    *ret_prefixes = 0;
    vec_foreach (routes, &lab->routes) {
        uint64_t wait = hub && strcmp((*routes)->key, hub->name) == 0 ? wait_of(lab, *routes) : 0;
        if (!wait || !vnrs_learned_pending((*routes)->db))
            continue;
        *ret_prefixes = vnrs_learned_pending((*routes)->db);
        return wait;
    }
    return 0;
}

static int change_some(struct programmer *p)
{
    size_t budget = MAX((size_t)1, SLICE_MAX / MAX((size_t)1, p->lab->domains.len));
    int r = 0;

    vec_foreach (routes, &p->lab->routes) {
        if (r < 0 || !vnrs_learned_pending((*routes)->db) || wait_of(p->lab, *routes))
            continue;
        vnrs_damping_note(&(*routes)->damping, delay_of(p->lab, *routes), vnrs_clock_ms());
        r = change_slice(p, (*routes)->db, &budget);
    }
    return r;
}

// Come back when the first of those that wait may go on.
static void wait_for_damped(struct vnrs_lab *lab)
{
    uint64_t first = UINT64_MAX;

    vec_foreach (routes, &lab->routes) {
        uint64_t wait = vnrs_learned_pending((*routes)->db) ? wait_of(lab, *routes) : 0;
        first = wait ? MIN(first, wait) : first;
    }
    const struct timeval later = {(time_t)(first / 1000), (suseconds_t)(first % 1000 * 1000)};
    if (first != UINT64_MAX)
        (void)evtimer_add(lab->damped, &later);
}

size_t vnrs_lab_pending(const struct vnrs_lab *lab)
{
    size_t n = 0;

    vec_foreach (routes, &lab->routes)
        n += lab->model && wait_of(lab, *routes) ? 0 : vnrs_learned_pending((*routes)->db);
    return n;
}

// ---- both

// `whole`: the model or the sinks changed; else what is learned.
static int program(struct vnrs_lab *lab, bool whole)
{
    struct programmer p = {.lab = lab, .arena = vnrs_arena_new()};
    int r = !p.arena ? -ENOMEM : whole ? want_all(&p) : change_some(&p);

    vec_foreach (routes, &lab->routes) {
        if (vnrs_learned_failed((*routes)->db) && r == 0)
            r = -ENOMEM;
    }
    vnrs_arena_free(p.arena);
    int committed = r < 0 ? r : vnrs_fib_commit(lab->fib, whole && lab->fib_sync, vnrs_fib_send, lab);
    if (whole || committed < 0)
        lab->fib_sync = lab->fib_items = lab->fib_lost = committed < 0;
    if (committed == -ENOSPC)
        return vnrs_fib_refused(lab);
    if (committed < 0)
        return committed;
    if (whole)
        (void)evtimer_del(lab->fib_retry);
    if (lab->fib_outstanding == 0)
        vnrs_fib_round_end(lab);
    return 0;
}

bool vnrs_lab_fib_is_ready(const struct vnrs_lab *lab)
{
    return lab->model && lab->routing && lab->fib_ready && !lab->fib_hold && lab->stage != VNRS_LAB_REMOVING;
}

static int again_later(struct vnrs_lab *lab, int r)
{
    const struct timeval later = {RETRY_MS / 1000, 0};

    if (r < 0) {
        lab->dirty = true;
        (void)evtimer_add(lab->recompute, &later);
    }
    return r;
}

int vnrs_lab_compute(struct vnrs_lab *lab)
{
    uint64_t began = vnrs_clock_ms();

    lab->control->recomputes++;
    if (!lab->dirty) {
        int r = vnrs_lab_fib_is_ready(lab) && !lab->fib_lost ? program(lab, false) : 0;
        if (r == 0 && vnrs_lab_pending(lab))
            vnrs_lab_learned(lab);
        wait_for_damped(lab);
        return again_later(lab, r);
    }
    lab->dirty = false;
    int r = vnrs_lab_fib_is_ready(lab) ? program(lab, true) : 0;
    lab->recompute_ms = (unsigned)(vnrs_clock_ms() - began);
    return again_later(lab, r);
}

void vnrs_lab_dirty(struct vnrs_lab *lab)
{
    // A big lab under a stream of changes computes at most half of the time.
    const struct timeval soon = {0, (suseconds_t)MIN(lab->recompute_ms * 1000u, 500000u)};

    if (!lab->model || lab->destroyers.len || lab->dirty)
        return;
    lab->dirty = true;
    (void)evtimer_add(lab->recompute, &soon);
}

void vnrs_lab_learned(struct vnrs_lab *lab)
{
    const struct timeval now = {0, 0};

    if (!lab->domains.len)
        vnrs_lab_dirty(lab);
    if (lab->dirty || lab->destroyers.len || lab->fib_lost || lab->fib_outstanding >= VNRS_FIB_OUTSTANDING_MAX ||
        !vnrs_lab_fib_is_ready(lab))
        return; // a recompute, or the answers of the agent, lead back here
    if (!evtimer_pending(lab->recompute, NULL))
        (void)evtimer_add(lab->recompute, &now);
}

void vnrs_lab_on_damped(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    vnrs_lab_learned(arg);
}

void vnrs_lab_release_hold(struct vnrs_lab *lab)
{
    if (!lab->fib_hold)
        return;
    lab->fib_hold = false;
    (void)evtimer_del(lab->hold_timer);
    vnrs_lab_dirty(lab);
}
