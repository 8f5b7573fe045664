// SPDX-License-Identifier: GPL-2.0-or-later
// What is outside every virtual network: services, the Internet, hosts. Rules: azure-routing.md section 7.
#include "model/loader.h"
#include "net/trie.h"

#include <string.h>

static size_t count_ranges(const struct vnrs_model *m)
{
    size_t n = 0;
    list_foreach (vnet, &m->vnets)
        n += vnet->address_space.len;
    list_foreach (service, &m->services)
        n += service->prefixes.len;
    return n;
}

static bool is_service(const struct vnrs_model *m, const void *owner)
{
    const struct vnrs_service *service = owner;
    return m->services.len && service >= m->services.items && service < m->services.items + m->services.len;
}

static const char *owner_name(const struct vnrs_model *m, const void *owner)
{
    const char *name =
        is_service(m, owner) ? ((const struct vnrs_service *)owner)->name : ((const struct vnrs_vnet *)owner)->name;
    return name ? name : "?";
}

static void report_service_overlap(struct vnrs_loader *l, const struct vnrs_range *first,
                                   const struct vnrs_range *second)
{
    const struct vnrs_model *m = l->model;
    char a[VNRS_PREFIX_STR_MAX], b[VNRS_PREFIX_STR_MAX];

    // Virtual networks may overlap as long as nothing connects them.
    if (!is_service(m, first->owner) && !is_service(m, second->owner))
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_SERVICE_OVERLAP, second->pos, "%s of '%s' overlaps %s of '%s'",
                                       vnrs_prefix_format(&second->prefix, a), owner_name(m, second->owner),
                                       vnrs_prefix_format(&first->prefix, b), owner_name(m, first->owner));
    vnrs_diag_note(l->diags, d, first->pos, "'%s' is here", owner_name(m, first->owner));
    vnrs_diag_help(l->diags, d, "ranges of services are disjoint from each other and from virtual networks");
}

// All ranges of virtual networks and services. NULL: no memory.
static struct vnrs_range *list_ranges(struct vnrs_loader *l, size_t *ret_n)
{
    const struct vnrs_model *m = l->model;
    struct vnrs_range *ranges = vnrs_arena_alloc(l->scratch, count_ranges(m) * sizeof(*ranges));
    size_t n = 0;

    if (!ranges) {
        l->diags->failed = true;
        return NULL;
    }
    list_foreach (vnet, &m->vnets)
        list_foreach (range, &vnet->address_space)
            ranges[n++] = (struct vnrs_range){*range, vnrs_loader_pos(l, range, vnet->pos), vnet};
    list_foreach (service, &m->services)
        list_foreach (range, &service->prefixes)
            ranges[n++] = (struct vnrs_range){*range, vnrs_loader_pos(l, range, service->pos), service};
    *ret_n = n;
    return ranges;
}

static void check_service_ranges(struct vnrs_loader *l)
{
    size_t n = 0;
    struct vnrs_range *ranges = l->model->services.len ? list_ranges(l, &n) : NULL;

    vnrs_ranges_sweep(l, ranges, n, report_service_overlap);
}

static bool has_endpoint(const struct vnrs_subnet *subnet, const struct vnrs_service *service)
{
    for (size_t i = 0; i < subnet->service_endpoints.len; i++)
        if (subnet->service_endpoints.items[i] == service)
            return true;
    return false;
}

static bool vnet_has_endpoint(const struct vnrs_vnet *vnet, const struct vnrs_service *service)
{
    list_foreach (subnet, &vnet->subnets)
        if (has_endpoint(subnet, service))
            return true;
    return false;
}

// How many subnets Azure's services let in at most; of others it is not known here.
static void check_allowed_count(struct vnrs_loader *l, const struct vnrs_service *service)
{
    static const struct {
        const char *name;
        size_t max;
    } limits[] = {{"Microsoft.Storage", 400}, {"Microsoft.Sql", 128}, {"Microsoft.KeyVault", 200}};

    for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
        if (service->name && strcmp(service->name, limits[i].name) == 0)
            vnrs_report_count(l, service->pos, "allowed subnets of this service", service->allowed.len, limits[i].max);
}

static void check_allowed(struct vnrs_loader *l, const struct vnrs_service *service)
{
    for (size_t i = 0; i < service->allowed.len; i++) {
        const struct vnrs_subnet *subnet = service->allowed.items[i];
        struct vnrs_pos pos = vnrs_loader_pos(l, &service->allowed.items[i], service->pos);
        bool twice = false;
        for (size_t j = 0; j < i; j++)
            twice |= service->allowed.items[j] == subnet;
        if (twice)
            (void)loader_error(l, VNRS_V_LISTED_TWICE, pos, "subnet '%s/%s' is there twice", subnet->vnet->name,
                               subnet->name);
        if (twice || has_endpoint(subnet, service))
            continue;
        struct vnrs_diag *d =
            loader_warning(l, VNRS_V_ALLOWED_NO_ENDPOINT, pos, "subnet '%s/%s' has no service endpoint for %s",
                           subnet->vnet->name, subnet->name, service->name ? service->name : "?");
        vnrs_diag_note(l->diags, d, subnet->pos, "the subnet is here");
        vnrs_diag_help(l->diags, d, "the service knows a subnet only by its service endpoint");
    }
}

static void check_service(struct vnrs_loader *l, const struct vnrs_service *service)
{
    bool used = false;
    char text[VNRS_ADDR_STR_MAX];

    list_foreach (vnet, &l->model->vnets)
        used |= vnet_has_endpoint(vnet, service);
    if (!used && service->name)
        (void)loader_warning(l, VNRS_V_SERVICE_UNUSED, service->pos, "no subnet has a service endpoint for %s",
                             service->name);
    check_allowed_count(l, service);
    check_allowed(l, service);
    list_foreach (host, &service->hosts) {
        bool inside = !service->prefixes.len;
        list_foreach (range, &service->prefixes)
            inside |= vnrs_prefix_contains_addr(range, &host->ip);
        if (inside)
            continue;
        struct vnrs_diag *d = loader_error(l, VNRS_V_HOST_OUTSIDE, vnrs_loader_pos(l, &host->ip, host->pos),
                                           "host '%s' at %s is outside the ranges of %s", host->name,
                                           vnrs_addr_format(&host->ip, text), service->name ? service->name : "?");
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, service->prefixes.items, service->pos), "the ranges are here");
    }
}

// A host on the Internet, or behind a machine, must not be where routes of the platform lead elsewhere.
static void check_host_place(struct vnrs_loader *l, const struct vnrs_trie *ranges, const struct vnrs_host *host)
{
    const struct vnrs_range *range = vnrs_trie_match(ranges, &host->ip, NULL);
    char text[VNRS_ADDR_STR_MAX];

    if (!range)
        return;
    const char *of = owner_name(l->model, range->owner);
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_HOST_IN_VNET, vnrs_loader_pos(l, &host->ip, host->pos), "host '%s' at %s is inside '%s'",
                     host->name, vnrs_addr_format(&host->ip, text), of);
    vnrs_diag_note(l->diags, d, range->pos, "'%s' is here", of);
    vnrs_diag_help(l->diags, d, "packets for it would never leave that range");
}

static void check_host_ip(struct vnrs_loader *l, struct vnrs_map *seen, struct vnrs_host *host)
{
    const struct vnrs_host *other = vnrs_map_find(seen, &host->ip, sizeof(host->ip));
    char text[VNRS_ADDR_STR_MAX];

    if (!other) {
        if (vnrs_map_put(seen, &host->ip, sizeof(host->ip), host) < 0)
            l->diags->failed = true;
        return;
    }
    struct vnrs_diag *d = loader_error(l, VNRS_V_HOST_DUPLICATE, vnrs_loader_pos(l, &host->ip, host->pos),
                                       "hosts '%s' and '%s' have the same address %s", other->name, host->name,
                                       vnrs_addr_format(&host->ip, text));
    vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &other->ip, other->pos), "'%s' is here", other->name);
}

static void check_hosts(struct vnrs_loader *l)
{
    struct vnrs_model *m = l->model;
    struct vnrs_map seen = {0};
    struct vnrs_trie places = {0};
    size_t n = 0;
    struct vnrs_range *ranges = list_ranges(l, &n);

    for (size_t i = 0; i < n; i++)
        if (vnrs_trie_put(&places, &ranges[i].prefix, &ranges[i]) < 0)
            l->diags->failed = true;
    list_foreach (host, &m->internet.hosts) {
        check_host_place(l, &places, host);
        check_host_ip(l, &seen, host);
    }
    list_foreach (service, &m->services)
        list_foreach (host, &service->hosts)
            check_host_ip(l, &seen, host);
    list_foreach (machine, &m->machines)
        list_foreach (host, &machine->hosts)
            check_host_place(l, &places, host);
    vnrs_trie_fini(&places);
    vnrs_map_fini(&seen);
}

static void report_edge_overlap(struct vnrs_loader *l, const struct vnrs_range *first, const struct vnrs_range *second)
{
    char a[VNRS_PREFIX_STR_MAX], b[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_EDGE_OVERLAP, second->pos,
                     "%s of '%s' overlaps %s of '%s', and both reach the Internet or the same service",
                     vnrs_prefix_format(&second->prefix, a), owner_name(l->model, second->owner),
                     vnrs_prefix_format(&first->prefix, b), owner_name(l->model, first->owner));
    vnrs_diag_note(l->diags, d, first->pos, "'%s' is here", owner_name(l->model, first->owner));
    vnrs_diag_help(l->diags, d, "the way back from there would be ambiguous: one Internet serves the whole lab");
}

// Networks that reach the same place outside (`service`, or the Internet with NULL) must be told apart by address
// there.
static void check_edge(struct vnrs_loader *l, const struct vnrs_service *service)
{
    const struct vnrs_model *m = l->model;
    struct vnrs_range *ranges = vnrs_arena_alloc(l->scratch, count_ranges(m) * sizeof(*ranges));
    size_t n = 0;

    if (!ranges)
        return;
    list_foreach (vnet, &m->vnets)
        list_foreach (range, &vnet->address_space)
            if (!service || vnet_has_endpoint(vnet, service))
                ranges[n++] = (struct vnrs_range){*range, vnrs_loader_pos(l, range, vnet->pos), vnet};
    vnrs_ranges_sweep(l, ranges, n, report_edge_overlap);
}

void vnrs_validate_outside(struct vnrs_loader *l)
{
    check_service_ranges(l);
    list_foreach (service, &l->model->services)
        check_service(l, service);
    check_hosts(l);
    if (l->model->internet.present) {
        check_edge(l, NULL);
        return;
    }
    list_foreach (service, &l->model->services)
        check_edge(l, service);
}
