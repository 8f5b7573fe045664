// SPDX-License-Identifier: GPL-2.0-or-later
// References by name, and what follows from them: the other half of a peering, the subnet and addresses of a Route
// Server, the NIC behind a BGP connection, where a test goes. Addresses are assigned in assign.c.
#include "model/loader.h"
#include "model/schema.h"

#include <string.h>

static const char *const ref_nouns[_VNRS_REF_MAX] = {
    [VNRS_REF_VNET] = "virtual network",
    [VNRS_REF_SUBNET] = "subnet",
    [VNRS_REF_ROUTE_TABLE] = "route table",
    [VNRS_REF_SERVICE] = "service",
    [VNRS_REF_TAG] = "service tag",
    [VNRS_REF_MACHINE] = "machine",
    [VNRS_REF_GATEWAY] = "virtual network gateway",
    [VNRS_REF_SITE] = "site",
};

struct name_walk {
    const struct vnrs_map *map;
    size_t at;
};

static const char *next_name(void *arg)
{
    struct name_walk *walk = arg;
    const struct vnrs_map_entry *e = vnrs_map_next(walk->map, &walk->at);
    return e ? e->key : NULL;
}

static void resolve_refs(struct vnrs_loader *l)
{
    vec_foreach (ref, &l->refs) {
        const char *name = ref->node->text;
        if (ref->node->bad || (*ref->slot = vnrs_map_find(&l->names[ref->kind], name, strlen(name))))
            continue;
        struct name_walk walk = {.map = &l->names[ref->kind]};
        const char *meant = vnrs_schema_suggest(name, next_name, &walk);
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_UNKNOWN_REF, ref->node->pos, "no %s '%s'", ref_nouns[ref->kind], name);
        ref->node->bad = true; // once is enough, even if a counted set repeats it
        if (meant)
            vnrs_diag_help(l->diags, d, "did you mean '%s'?", meant);
        else if (ref->kind == VNRS_REF_SERVICE)
            vnrs_diag_help(l->diags, d, "services are listed in the section 'services'");
        else if (ref->kind == VNRS_REF_TAG)
            vnrs_diag_help(l->diags, d, "service tags are defined in the section 'serviceTags'");
    }
}

// Lists of references without those that do not exist.
static void compact_refs(struct vnrs_loader *l)
{
    list_foreach (vnet, &l->model->vnets) {
        list_foreach (subnet, &vnet->subnets) {
            size_t n = 0;
            for (size_t i = 0; i < subnet->service_endpoints.len; i++)
                if (subnet->service_endpoints.items[i])
                    subnet->service_endpoints.items[n++] = subnet->service_endpoints.items[i];
            subnet->service_endpoints.len = n;
        }
    }
    list_foreach (service, &l->model->services) {
        size_t n = 0;
        for (size_t i = 0; i < service->allowed.len; i++)
            if (service->allowed.items[i])
                service->allowed.items[n++] = service->allowed.items[i];
        service->allowed.len = n;
    }
}

static void resolve_peerings(struct vnrs_model *m)
{
    list_foreach (p, &m->peerings) {
        if (!p->vnet || !p->remote)
            continue;
        const char *here = p->vnet->region, *there = p->remote->region;
        p->global = here && there ? strcmp(here, there) != 0 : here != there;
        list_foreach (q, &m->peerings)
            if (q->vnet == p->remote && q->remote == p->vnet && !p->other)
                p->other = q;
        if (!p->remote_space.items)
            p->remote_space = p->remote->address_space;
    }
    list_foreach (p, &m->peerings) {
        bool apart = p->disconnected || (p->other && p->other->disconnected);
        p->state = p->disconnected      ? VNRS_PEERING_DISCONNECTED
                   : !p->other || apart ? VNRS_PEERING_INITIATED
                                        : VNRS_PEERING_CONNECTED;
    }
    list_foreach (p, &m->peerings)
        if (p->state != VNRS_PEERING_CONNECTED)
            p->other = NULL;
}

static void resolve_route_servers(struct vnrs_loader *l)
{
    list_foreach (rs, &l->model->route_servers) {
        if (!rs->vnet)
            continue;
        list_foreach (subnet, &rs->vnet->subnets)
            if (subnet->name && strcmp(subnet->name, "RouteServerSubnet") == 0)
                rs->subnet = subnet;
        if (!rs->subnet || rs->ips[0].family)
            continue;
        list_foreach (prefix, &rs->subnet->prefixes) {
            if (prefix->family != VNRS_AF_IPV4 || prefix->len > 29)
                continue;
            // The first two that Azure hands out: the four before them are its own.
            struct vnrs_addr base = vnrs_prefix_addr(prefix);
            for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++)
                rs->ips[i] = vnrs_addr_add(&base, 4 + i);
            break;
        }
    }
}

// The NIC with that address in the Route Server's virtual network or one peered with it directly.
static struct vnrs_nic *find_peer_nic(const struct vnrs_loader *l, const struct vnrs_route_server *rs,
                                      const struct vnrs_addr *ip)
{
    struct vnrs_nic *nic = vnrs_loader_find_nic(l, rs->vnet, ip);

    list_foreach (p, &l->model->peerings)
        if (!nic && p->vnet == rs->vnet && p->other)
            nic = vnrs_loader_find_nic(l, p->remote, ip);
    return nic;
}

static void resolve_connections(struct vnrs_loader *l)
{
    list_foreach (rs, &l->model->route_servers)
        list_foreach (c, &rs->connections)
            if (rs->vnet && c->peer_ip.family)
                c->nic = find_peer_nic(l, rs, &c->peer_ip);
}

static struct vnrs_addr address_of(const struct vnrs_model *m, const struct vnrs_machine *machine)
{
    list_foreach (site, &m->sites)
        if (site->machine == machine)
            return site->bgp_ip;
    return machine->nics.len && machine->nics.items[0].ips.len ? machine->nics.items[0].ips.items[0]
                                                               : (struct vnrs_addr){0};
}

static void resolve_targets(struct vnrs_loader *l)
{
    vec_foreach (target, &l->targets) {
        const char *text = target->node->text;
        const struct vnrs_machine *machine = vnrs_map_find(&l->names[VNRS_REF_MACHINE], text, strlen(text));
        const struct vnrs_host *host = vnrs_map_find(&l->hosts, text, strlen(text));
        if (vnrs_addr_parse(text, &target->test->to) == 0)
            continue;
        if (machine) {
            target->test->to = address_of(l->model, machine);
        } else if (host) {
            target->test->to = host->ip;
        } else {
            struct name_walk walk = {.map = &l->names[VNRS_REF_MACHINE]};
            const char *meant = vnrs_schema_suggest(text, next_name, &walk);
            walk = (struct name_walk){.map = &l->hosts};
            meant = meant ? meant : vnrs_schema_suggest(text, next_name, &walk);
            struct vnrs_diag *d = loader_error(l, VNRS_V_UNKNOWN_REF, target->node->pos,
                                               "'%s' is neither a machine, nor a host, nor an address", text);
            if (meant)
                vnrs_diag_help(l->diags, d, "did you mean '%s'?", meant);
        }
    }
}

// A host stands behind several machines, or it has a name of its own; machines and hosts share their names.
static void name_host(struct vnrs_loader *l, struct vnrs_host *host, bool behind)
{
    struct vnrs_machine *machine = vnrs_map_find(&l->names[VNRS_REF_MACHINE], host->name, strlen(host->name));
    const struct vnrs_host *other = vnrs_map_find(&l->hosts, host->name, strlen(host->name));
    struct vnrs_pos first;

    if (machine)
        first = machine->pos;
    else if (other && !(behind && vnrs_addr_equal(&other->ip, &host->ip)))
        first = other->pos;
    else {
        if (!other && vnrs_map_put(&l->hosts, host->name, strlen(host->name), host) < 0)
            l->diags->failed = true;
        return;
    }
    struct vnrs_diag *d = loader_error(l, VNRS_V_DUPLICATE_NAME, host->pos, "host '%s': the name is taken", host->name);
    vnrs_diag_note(l->diags, d, first, "by this");
    if (behind && other)
        vnrs_diag_help(l->diags, d, "a host that stands behind several machines has one address");
}

static void name_hosts(struct vnrs_loader *l)
{
    list_foreach (host, &l->model->internet.hosts)
        name_host(l, host, false);
    list_foreach (service, &l->model->services)
        list_foreach (host, &service->hosts)
            name_host(l, host, false);
    list_foreach (machine, &l->model->machines)
        list_foreach (host, &machine->hosts)
            name_host(l, host, true);
}

static void list_nics(struct vnrs_loader *l)
{
    struct vnrs_model *m = l->model;

    if (!(m->nics.items = vnrs_loader_alloc(l, l->n_nics * sizeof(*m->nics.items))))
        return;
    list_foreach (machine, &m->machines)
        list_foreach (nic, &machine->nics)
            m->nics.items[m->nics.len++] = nic;
}

static void resolve_nic_refs(struct vnrs_loader *l)
{
    vec_foreach (ref, &l->nic_refs) {
        const char *text = ref->node->text, *slash = strchr(text, '/');
        size_t len = slash ? (size_t)(slash - text) : strlen(text);
        const struct vnrs_machine *machine = vnrs_map_find(&l->names[VNRS_REF_MACHINE], text, len);
        list_foreach (nic, &(machine ? machine : &(struct vnrs_machine){0})->nics)
            if (!*ref->slot && (!slash || strcmp(nic->name, text) == 0))
                *ref->slot = nic;
        if (*ref->slot)
            continue;
        struct name_walk walk = {.map = &l->names[VNRS_REF_MACHINE]};
        const char *meant = machine ? NULL : vnrs_schema_suggest(text, next_name, &walk);
        struct vnrs_diag *d = loader_error(l, VNRS_V_UNKNOWN_REF, ref->node->pos, "no NIC '%s'", text);
        if (meant)
            vnrs_diag_help(l->diags, d, "did you mean '%s'?", meant);
    }
    list_foreach (lb, &l->model->balancers) {
        size_t n = 0;
        for (size_t i = 0; i < lb->backends.len; i++) {
            if (!lb->backends.items[i])
                continue;
            vnrs_loader_mark(l, &lb->backends.items[n], vnrs_loader_pos(l, &lb->backends.items[i], lb->pos));
            lb->backends.items[n++] = lb->backends.items[i];
        }
        lb->backends.len = n;
    }
}

// In Azure an NVA is never in the subnet of the instances.
static void resolve_bfd(const struct vnrs_model *m)
{
    list_foreach (rs, &m->route_servers)
        list_foreach (c, &rs->connections)
            if (!c->bfd.has_multihop)
                c->bfd.multihop = !vnrs_route_server_is_beside(rs, &c->peer_ip);
}

void vnrs_model_resolve(struct vnrs_loader *l)
{
    resolve_refs(l);
    compact_refs(l);
    resolve_peerings(l->model);
    resolve_route_servers(l);
    vnrs_model_place_gateways(l);
    list_nics(l);
    resolve_nic_refs(l);
    vnrs_model_assign_addresses(l);
    vnrs_model_assign_outside(l);
    resolve_bfd(l->model);
    resolve_connections(l);
    name_hosts(l);
    resolve_targets(l);
}
