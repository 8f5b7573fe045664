// SPDX-License-Identifier: GPL-2.0-or-later
// Model + learned routes → effective routes → sinks. One function computes it whole, whatever the event was; what has
// not changed is not sent.
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

#define RETRY_MS 1000

// ---- learned routes

typedef VEC(struct vnrs_learned_route) learned_list;

struct merge {
    const struct vnrs_instance *other; // NULL: none
    bool only_missing;                 // the second walk: what the first did not see
    learned_list *out;
};

static int merge_route(const struct vnrs_prefix *prefix, void *value, void *arg)
{
    struct merge *merge = arg;
    const struct vnrs_instance_route *entry = value;
    const struct vnrs_instance_route *twin = merge->other ? vnrs_trie_find(&merge->other->routes, prefix) : NULL;
    struct vnrs_learned_route merged = entry->route;

    if (twin && merge->only_missing)
        return 0;
    if (twin)
        vnrs_learned_merge(&entry->route, &twin->route, &merged);
    return vec_push(merge->out, merged);
}

static int merge_instances(const struct vnrs_lab *lab, const struct vnrs_route_server *rs, learned_list *out)
{
    const struct vnrs_instance *a = vnrs_instance_find(lab, rs->name, 0), *b = vnrs_instance_find(lab, rs->name, 1);
    struct merge first = {.other = b, .out = out}, second = {.other = a, .only_missing = true, .out = out};
    int r = a ? vnrs_trie_walk(&a->routes, merge_route, &first) : 0;

    return r == 0 && b ? vnrs_trie_walk(&b->routes, merge_route, &second) : r;
}

static int compute_routing(struct vnrs_lab *lab)
{
    const struct vnrs_model *model = lab->model;
    size_t n = model->route_servers.len;
    _free_ struct vnrs_learned *learned = calloc(n + 1, sizeof(*learned));
    _free_ learned_list *lists = calloc(n + 1, sizeof(*lists));
    struct vnrs_routing *routing = NULL;
    int r = learned && lists ? 0 : -ENOMEM;

    for (size_t i = 0; i < n && r == 0; i++) {
        r = merge_instances(lab, &model->route_servers.items[i], &lists[i]);
        learned[i] = (struct vnrs_learned){
            .rs = &model->route_servers.items[i], .routes = lists[i].items, .n_routes = lists[i].len};
    }
    if (r == 0)
        routing = vnrs_routing_compute(model, learned, n);
    for (size_t i = 0; lists && i < n; i++)
        vec_free(&lists[i]);
    if (!routing)
        return -ENOMEM;
    vnrs_routing_free(lab->routing);
    lab->routing = routing;
    return 0;
}

// ---- routes for the sinks

static uint32_t link_number(const struct vnrs_lab *lab, const char *key)
{
    return key ? vnrs_ids_find(lab->ids, VNRS_ID_LINK, key) : 0;
}

static struct vnrs_fib_member make_member(const struct vnrs_lab *lab, struct vnrs_arena *arena,
                                          const struct vnrs_fwd_member *in)
{
    struct vnrs_fib_member out = {.kind = VNRS_BPF_NH_DROP, .via = in->via};

    switch (in->kind) {
    case VNRS_FWD_ENDPOINT:
        out.kind = VNRS_BPF_NH_ENDPOINT;
        out.vnet = vnrs_ids_find(lab->ids, VNRS_ID_VNET, in->vnet->name);
        return out;
    case VNRS_FWD_NIC:
        out.ifindex = link_number(lab, in->nic->name);
        break;
    case VNRS_FWD_INTERNET:
        out.ifindex = link_number(lab, VNRS_LINK_KEY_EDGE);
        break;
    case VNRS_FWD_SERVICE_HOST:
        out.ifindex = link_number(lab, vnrs_link_key_service(arena, &in->service->hosts.items[in->host]));
        break;
    case VNRS_FWD_DEAD:
        break;
    default:
        return out;
    }
    out.kind = out.ifindex ? VNRS_BPF_NH_NIC : VNRS_BPF_NH_DEAD;
    return out;
}

static const struct vnrs_fib_group_ref *want_members(struct vnrs_lab *lab, struct vnrs_arena *arena,
                                                     const struct vnrs_fwd_route *route)
{
    struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX] = {0};
    unsigned n = MIN(route->n, (unsigned)VNRS_GROUP_MEMBERS_MAX);

    for (unsigned i = 0; i < n; i++)
        members[i] = make_member(lab, arena, &route->members[i]);
    return vnrs_fib_want_group(lab->fib, members, n);
}

static void want_table(struct vnrs_lab *lab, struct vnrs_arena *arena, uint32_t domain,
                       const struct vnrs_fwd_table *table)
{
    const struct vnrs_fib_group_ref *group = NULL;
    const struct vnrs_fwd_member *last = NULL;
    unsigned last_n = 0;

    list_foreach (route, &table->routes) {
        if (!group || route->members != last || route->n != last_n)
            group = want_members(lab, arena, route);
        last = route->members;
        last_n = route->n;
        vnrs_fib_want_route(lab->fib, domain, &route->prefix, route->type, group);
    }
}

// With dataplane none the machine is in a real network: only what that network does not know is told, and next hops
// are addresses, not NICs.
static void want_injected(struct vnrs_lab *lab, uint32_t number, const struct vnrs_domain *domain)
{
    list_foreach (route, &domain->routes) {
        struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX] = {0};
        unsigned n = MAX(route->n_next_hops, 1u);
        if (route->state != VNRS_ROUTE_ACTIVE || route->source == VNRS_SRC_DEFAULT)
            continue;
        for (unsigned i = 0; i < n; i++) {
            members[i].kind = route->type == VNRS_NH_NONE ? VNRS_BPF_NH_DROP : VNRS_BPF_NH_NIC;
            if (i < route->n_next_hops)
                members[i].via = route->next_hops[i];
        }
        vnrs_fib_want_route(lab->fib, number, &route->prefix, route->type, vnrs_fib_want_group(lab->fib, members, n));
    }
}

static int want_domain(struct vnrs_lab *lab, struct vnrs_arena *arena, const struct vnrs_domain *domain)
{
    const char *key = vnrs_domain_key(arena, domain);
    uint32_t number = key ? vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, key) : 0;
    struct vnrs_fwd_table table = {0};

    if (!number)
        return -ENOMEM;
    if (lab->model->dataplane == VNRS_DATAPLANE_NONE) {
        want_injected(lab, number, domain);
        return 0;
    }
    int r = vnrs_fwd_resolve(lab->model, lab->reach, domain, arena, &table);
    if (r == 0)
        want_table(lab, arena, number, &table);
    return r;
}

// ---- NICs, endpoints, access lists

// `subnet` NULL: outside every subnet.
static void put_gateways(struct vnrs_bpf_nic *nic, const struct vnrs_subnet *subnet)
{
    struct vnrs_addr v4 = subnet ? vnrs_subnet_gateway(subnet, VNRS_AF_IPV4) : vnrs_fabric_gateway(VNRS_AF_IPV4);
    struct vnrs_addr v6 = subnet ? vnrs_subnet_gateway(subnet, VNRS_AF_IPV6) : vnrs_fabric_gateway(VNRS_AF_IPV6);

    memcpy(&nic->gateway_be, v4.bytes, sizeof(nic->gateway_be));
    memcpy(nic->gateway6, v6.bytes, sizeof(nic->gateway6));
}

static void want_nic(struct vnrs_lab *lab, const char *key, struct vnrs_bpf_nic nic)
{
    struct vnrs_fib_nic out = {.ifindex = link_number(lab, key), .nic = nic};
    struct vnrs_mac mac = vnrs_name_mac(lab->name, key ? key : "");

    memcpy(out.nic.mac, mac.bytes, sizeof(out.nic.mac));
    out.nic.flags |= VNRS_NIC_PRESENT;
    if (out.ifindex)
        vnrs_fib_want_nic(lab->fib, &out);
}

static void want_endpoint(struct vnrs_lab *lab, const char *key, uint32_t vnet, const struct vnrs_addr *addr)
{
    struct vnrs_fib_endpoint out = {.vnet = vnet, .ifindex = link_number(lab, key), .addr = *addr};

    if (out.ifindex)
        vnrs_fib_want_endpoint(lab->fib, &out);
}

static uint32_t domain_number(const struct vnrs_lab *lab, struct vnrs_arena *arena, const struct vnrs_subnet *subnet)
{
    const struct vnrs_domain *domain = vnrs_routing_domain(lab->routing, subnet);
    const char *key = domain ? vnrs_domain_key(arena, domain) : NULL;
    return key ? vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, key) : 0;
}

static uint32_t subnet_number(const struct vnrs_lab *lab, struct vnrs_arena *arena, const struct vnrs_subnet *subnet)
{
    const char *key = vnrs_subnet_key(arena, subnet);
    return key ? vnrs_ids_find(lab->ids, VNRS_ID_SUBNET, key) : 0;
}

static void want_in_subnet(struct vnrs_lab *lab, struct vnrs_arena *arena, const char *key,
                           const struct vnrs_subnet *subnet, uint32_t flags, unsigned mtu, const struct vnrs_addr *ips,
                           size_t n_ips)
{
    struct vnrs_bpf_nic nic = {
        .flags = flags,
        .domain = domain_number(lab, arena, subnet),
        .vnet = vnrs_ids_find(lab->ids, VNRS_ID_VNET, subnet->vnet->name),
        .subnet = subnet_number(lab, arena, subnet),
        .mtu = mtu,
    };

    put_gateways(&nic, subnet);
    want_nic(lab, key, nic);
    for (size_t i = 0; i < n_ips; i++)
        want_endpoint(lab, key, nic.vnet, &ips[i]);
}

static void want_service(struct vnrs_lab *lab, struct vnrs_arena *arena, const struct vnrs_service *service)
{
    list_foreach (host, &service->hosts) {
        const char *key = vnrs_link_key_service(arena, host);
        struct vnrs_bpf_nic nic = {
            .flags = VNRS_NIC_SERVICE | (service->restricted ? VNRS_NIC_RESTRICTED : 0u),
            .domain = vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, VNRS_DOMAIN_KEY_SERVICE),
            .mtu = 1500,
        };
        put_gateways(&nic, NULL);
        want_nic(lab, key, nic);
        want_endpoint(lab, key, 0, &host->ip);
        list_foreach (subnet, &service->allowed) {
            struct vnrs_fib_acl acl = {
                .ifindex = link_number(lab, key), .subnet = subnet_number(lab, arena, *subnet), .allowed = 1};
            if (acl.ifindex)
                vnrs_fib_want_acl(lab->fib, &acl);
        }
    }
}

static void want_nics(struct vnrs_lab *lab, struct vnrs_arena *arena)
{
    list_foreach (nic, &lab->model->nics) {
        const struct vnrs_nic *n = *nic;
        want_in_subnet(lab, arena, n->name, n->subnet, n->forwarding ? VNRS_NIC_FORWARDING : 0, n->mtu, n->ips.items,
                       n->ips.len);
    }
    list_foreach (rs, &lab->model->route_servers) {
        for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
            if (rs->ips[i].family != VNRS_AF_NONE)
                want_in_subnet(lab, arena, vnrs_link_key_rs(arena, rs, i), rs->subnet, 0, 1500, &rs->ips[i], 1);
        }
    }
    list_foreach (service, &lab->model->services)
        want_service(lab, arena, service);
    if (lab->model->internet.present) {
        struct vnrs_bpf_nic edge = {
            .flags = VNRS_NIC_EDGE,
            .domain = vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, VNRS_DOMAIN_KEY_EDGE),
            .mtu = 1500,
        };
        put_gateways(&edge, NULL);
        want_nic(lab, VNRS_LINK_KEY_EDGE, edge);
    }
}

static int want_platform(struct vnrs_lab *lab, struct vnrs_arena *arena)
{
    static const struct {
        enum vnrs_fwd_platform which;
        const char *key;
    } tables[] = {{VNRS_FWD_PLATFORM_EDGE, VNRS_DOMAIN_KEY_EDGE}, {VNRS_FWD_PLATFORM_SERVICE, VNRS_DOMAIN_KEY_SERVICE}};

    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        struct vnrs_fwd_table table = {0};
        int r = vnrs_fwd_platform(lab->model, arena, tables[i].which, &table);
        if (r < 0)
            return r;
        want_table(lab, arena, vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, tables[i].key), &table);
    }
    return 0;
}

static int want_all(struct vnrs_lab *lab)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    int r = arena ? 0 : -ENOMEM;

    vnrs_fib_begin(lab->fib, lab->fib_items);
    list_foreach (domain, &lab->routing->domains) {
        if (r == 0)
            r = want_domain(lab, arena, domain);
    }
    if (r == 0 && lab->model->dataplane != VNRS_DATAPLANE_NONE) {
        if (lab->fib_items)
            want_nics(lab, arena);
        r = want_platform(lab, arena);
    }
    vnrs_arena_free(arena);
    return r;
}

// ---- to the agent

// Everything that was sent is answered.
static void end_round(struct vnrs_lab *lab)
{
    if (lab->fib_failed) {
        unsigned ms = vnrs_lab_backoff_ms(lab->fib_retries++);
        const struct timeval later = {ms / 1000, (ms % 1000) * 1000};
        lab->fib_failed = false;
        lab->fib_sync = true;
        (void)evtimer_add(lab->fib_retry, &later);
        return;
    }
    lab->fib_retries = 0;
    vnrs_lab_clear_error(&lab->fib_error);
    (void)evtimer_del(lab->fib_retry);
    if (lab->stage == VNRS_LAB_IDLE && !lab->failed && !lab->dirty && !lab->next && !lab->build_error)
        lab->reached = lab->generation;
}

void vnrs_lab_on_fib_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    vnrs_lab_dirty(arg);
}

static void on_fib(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;

    lab->fib_outstanding--;
    if (reply->error < 0 && !lab->fib_failed) { // the first is told for all
        char text[512];
        (void)snprintf(text, sizeof(text), "routes: %s", reply->text[0] ? reply->text : strerror(-reply->error));
        vnrs_lab_keep_error(lab, &lab->fib_error, text);
        lab->fib_failed = true;
    }
    lab->fib_writes = MAX(lab->fib_writes, reply->writes);
    if (lab->fib_outstanding == 0)
        end_round(lab);
}

static int emit(void *arg, unsigned kind, const void *items, size_t n)
{
    static const size_t sizes[] = {
        [VNRS_AG_FIB_GROUPS] = sizeof(struct vnrs_fib_group),
        [VNRS_AG_FIB_ROUTES] = sizeof(struct vnrs_fib_route),
        [VNRS_AG_FIB_NICS] = sizeof(struct vnrs_fib_nic),
        [VNRS_AG_FIB_ACLS] = sizeof(struct vnrs_fib_acl),
        [VNRS_AG_FIB_ENDPOINTS] = sizeof(struct vnrs_fib_endpoint),
        [VNRS_AG_FIB_FLUSH] = 0,
    };
    struct vnrs_lab *lab = arg;
    struct vnrs_agent_request request = {.type = VNRS_AG_FIB, .owner = lab, .done = on_fib};
    struct vnrs_ag_fib body = {.kind = kind};
    size_t size = sizes[kind], room = VNRS_AGENT_MSG_MAX - sizeof(struct vnrs_ag_hdr) - sizeof(body), at = 0;

    vnrs_str_copy(body.lab, sizeof(body.lab), lab->name);
    do {
        size_t part = size ? MIN(n - at, room / size) : 0;
        body.n = (uint32_t)part;
        int r = vnrs_agent_send(lab->control->agent, &request, &body, sizeof(body),
                                part ? (const char *)items + at * size : NULL, part * size);
        if (r < 0)
            return r;
        lab->fib_outstanding++;
        at += part;
    } while (at < n);
    return 0;
}

static int program(struct vnrs_lab *lab)
{
    int r = want_all(lab);

    if (r == 0)
        r = vnrs_fib_commit(lab->fib, lab->fib_sync, emit, lab);
    lab->fib_sync = lab->fib_items = r < 0;
    if (r < 0)
        return r;
    if (lab->fib_outstanding == 0)
        end_round(lab);
    return 0;
}

int vnrs_lab_compute(struct vnrs_lab *lab)
{
    const struct timeval later = {RETRY_MS / 1000, 0};
    uint64_t began = vnrs_clock_ms();

    lab->dirty = false;
    lab->control->recomputes++;
    int r = compute_routing(lab);
    if (r == 0 && lab->fib_ready && !lab->fib_hold && lab->stage != VNRS_LAB_REMOVING)
        r = program(lab);
    lab->recompute_ms = (unsigned)(vnrs_clock_ms() - began);
    if (r < 0) {
        lab->dirty = true;
        (void)evtimer_add(lab->recompute, &later);
    }
    return r;
}

void vnrs_lab_dirty(struct vnrs_lab *lab)
{
    // A big lab under a stream of updates computes at most half of the time.
    const struct timeval soon = {0, (suseconds_t)MIN(lab->recompute_ms * 1000u, 500000u)};

    if (!lab->model || lab->destroyers.len || lab->dirty)
        return;
    lab->dirty = true;
    (void)evtimer_add(lab->recompute, &soon);
}

void vnrs_lab_release_hold(struct vnrs_lab *lab)
{
    if (!lab->fib_hold)
        return;
    lab->fib_hold = false;
    (void)evtimer_del(lab->hold_timer);
    vnrs_lab_dirty(lab);
}
