// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses of NICs and of frontends of load balancers: those that the file gives are taken first, then every other
// NIC, and after them every other frontend, gets the next free one of its subnet in file order, one of each address
// family that the subnet has. Azure keeps the first four addresses of a subnet and the last (azure-routing.md section
// 10).
#include "model/loader.h"

#define RESERVED_FIRST 4u

// One of the five addresses of a subnet that Azure keeps.
static bool is_reserved(const struct vnrs_prefix *prefix, const struct vnrs_addr *ip)
{
    struct vnrs_addr base = vnrs_prefix_addr(prefix), last = vnrs_prefix_last(prefix);
    struct vnrs_addr first = vnrs_addr_add(&base, RESERVED_FIRST);

    return vnrs_addr_cmp(ip, &first) < 0 || vnrs_addr_equal(ip, &last);
}

static const struct vnrs_prefix *prefix_of(const struct vnrs_subnet *subnet, const struct vnrs_addr *ip)
{
    list_foreach (prefix, &subnet->prefixes)
        if (vnrs_prefix_contains_addr(prefix, ip))
            return prefix;
    return NULL;
}

// The Route Server whose instance has the address, or NULL. With `dataplane: none` instances have no NIC of their own
// but live on addresses of the host, which a NIC of the file may well stand for.
static const struct vnrs_route_server *find_instance(const struct vnrs_model *m, const struct vnrs_vnet *vnet,
                                                     const struct vnrs_addr *ip)
{
    if (m->dataplane == VNRS_DATAPLANE_NONE)
        return NULL;
    list_foreach (rs, &m->route_servers)
        for (unsigned i = 0; rs->vnet == vnet && i < VNRS_RS_INSTANCES; i++)
            if (vnrs_addr_equal(&rs->ips[i], ip))
                return rs;
    return NULL;
}

struct wish { // an address that the file gives to a NIC or a frontend
    const char *name;
    const struct vnrs_subnet *subnet;
    const struct vnrs_addr *ip;
    struct vnrs_pos pos;
};

static void report_taken(struct vnrs_loader *l, const struct wish *wish, struct vnrs_pos owner, const char *owner_name)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d = loader_error(l, VNRS_V_ADDRESS_DUPLICATE, wish->pos, "address %s of '%s' is taken",
                                       vnrs_addr_format(wish->ip, text), wish->name);
    if (d)
        d->azure_code = "PrivateIPAddressIsAllocated";
    vnrs_diag_note(l->diags, d, owner, "by '%s'", owner_name);
}

// It is in the subnet, and not one of those that Azure keeps.
static bool check_place(struct vnrs_loader *l, const struct wish *wish)
{
    char text[VNRS_ADDR_STR_MAX], range[VNRS_PREFIX_STR_MAX];
    const struct vnrs_subnet *subnet = wish->subnet;
    const struct vnrs_prefix *prefix = prefix_of(subnet, wish->ip);
    struct vnrs_diag *d;

    if (!prefix) {
        if (!subnet->prefixes.len)
            return false; // the subnet's own mistake was reported
        d = loader_error(l, VNRS_V_ADDRESS_OUTSIDE, wish->pos, "address %s of '%s' is outside subnet '%s/%s'",
                         vnrs_addr_format(wish->ip, text), wish->name, subnet->vnet->name, subnet->name);
        if (d)
            d->azure_code = "PrivateIPAddressNotInSubnet";
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, subnet->prefixes.items, subnet->pos), "the subnet is %s",
                       vnrs_prefix_format(subnet->prefixes.items, range));
        return false;
    }
    if (is_reserved(prefix, wish->ip)) {
        d = loader_error(l, VNRS_V_ADDRESS_RESERVED, wish->pos,
                         "address %s of '%s' is one of the five that Azure keeps", vnrs_addr_format(wish->ip, text),
                         wish->name);
        if (d)
            d->azure_code = "PrivateIPAddressInReservedRange";
        vnrs_diag_help(l->diags, d, "the first four addresses of %s and its last are not for NICs",
                       vnrs_prefix_format(prefix, range));
        return false;
    }
    return true;
}

// `lb`: whose frontend it is; NULL: a NIC's. Frontends earlier in the file come first.
static bool check_free(struct vnrs_loader *l, const struct wish *wish, const struct vnrs_balancer *lb)
{
    const struct vnrs_vnet *vnet = wish->subnet->vnet;
    const struct vnrs_nic *nic = vnrs_loader_find_nic(l, vnet, wish->ip);
    const struct vnrs_route_server *rs = find_instance(l->model, vnet, wish->ip);
    const struct vnrs_balancer *other = vnrs_model_find_balancer(l->model, vnet, wish->ip);

    if (nic)
        report_taken(l, wish, vnrs_loader_pos(l, nic->ips.items, nic->pos), nic->name);
    else if (rs)
        report_taken(l, wish, rs->pos, rs->name ? rs->name : "a Route Server");
    else if (lb && other && other != lb)
        report_taken(l, wish, other->pos, other->name ? other->name : "a load balancer");
    else
        return true;
    return false;
}

static void take_fixed(struct vnrs_loader *l, struct vnrs_nic *nic, const struct vnrs_addr *ip)
{
    const struct wish wish = {nic->name, nic->subnet, ip, vnrs_loader_pos(l, ip, nic->pos)};

    if (check_place(l, &wish) && check_free(l, &wish, NULL) && vnrs_loader_put_nic(l, nic->subnet->vnet, ip, nic) < 0)
        l->diags->failed = true;
}

static void check_frontend(struct vnrs_loader *l, struct vnrs_balancer *lb)
{
    const struct wish wish = {lb->name ? lb->name : "?", lb->subnet, &lb->frontend,
                              vnrs_loader_pos(l, &lb->frontend, lb->pos)};

    if (check_place(l, &wish))
        (void)check_free(l, &wish, lb);
}

static void report_full(struct vnrs_loader *l, const char *name, struct vnrs_pos pos, const struct vnrs_subnet *subnet,
                        const struct vnrs_prefix *prefix)
{
    char range[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d = loader_error(l, VNRS_V_SUBNET_FULL, pos, "no free address for '%s' in subnet '%s/%s'", name,
                                       subnet->vnet->name, subnet->name);

    if (d)
        d->azure_code = "SubnetIsFull";
    vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, prefix, subnet->pos), "the subnet is %s",
                   vnrs_prefix_format(prefix, range));
}

// The next free address of a prefix from `*cursor` on; the cursor moves past it.
static bool next_free(const struct vnrs_loader *l, const struct vnrs_subnet *subnet, const struct vnrs_prefix *prefix,
                      struct vnrs_addr *cursor)
{
    struct vnrs_addr last = vnrs_prefix_last(prefix), base = vnrs_prefix_addr(prefix);

    *cursor = cursor->family ? vnrs_addr_add(cursor, 1) : vnrs_addr_add(&base, RESERVED_FIRST);
    while (vnrs_addr_cmp(cursor, &last) < 0 &&
           (vnrs_loader_find_nic(l, subnet->vnet, cursor) || find_instance(l->model, subnet->vnet, cursor) ||
            vnrs_model_find_balancer(l->model, subnet->vnet, cursor)))
        *cursor = vnrs_addr_add(cursor, 1);
    return vnrs_addr_cmp(cursor, &last) < 0 && vnrs_prefix_contains_addr(prefix, cursor);
}

// `cursors` holds two per subnet id: IPv4, IPv6.
static void assign_nic(struct vnrs_loader *l, struct vnrs_nic *nic, struct vnrs_addr *cursors)
{
    const struct vnrs_subnet *subnet = nic->subnet;
    bool done[2] = {false, false};

    if (!(nic->ips.items = vnrs_loader_alloc(l, 2 * sizeof(*nic->ips.items))))
        return;
    list_foreach (prefix, &subnet->prefixes) {
        bool is_v6 = prefix->family == VNRS_AF_IPV6;
        if (done[is_v6] || (is_v6 && nic->machine->role != VNRS_MACHINE_USER)) // gateways are IPv4 only
            continue;
        done[is_v6] = true;
        struct vnrs_addr *cursor = &cursors[subnet->id * 2 + is_v6], before = *cursor;
        if (!next_free(l, subnet, prefix, cursor)) {
            *cursor = before; // stays full for the next one
            report_full(l, nic->name, nic->pos, subnet, prefix);
            continue;
        }
        nic->ips.items[nic->ips.len] = *cursor;
        if (vnrs_loader_put_nic(l, subnet->vnet, &nic->ips.items[nic->ips.len++], nic) < 0)
            l->diags->failed = true;
    }
}

// Frontends are IPv4, and come after NICs, whose addresses do not change with them.
static void assign_frontend(struct vnrs_loader *l, struct vnrs_balancer *lb, struct vnrs_addr *cursors)
{
    list_foreach (prefix, &lb->subnet->prefixes) {
        struct vnrs_addr *cursor = &cursors[lb->subnet->id * 2];
        if (prefix->family != VNRS_AF_IPV4)
            continue;
        if (next_free(l, lb->subnet, prefix, cursor))
            lb->frontend = *cursor;
        else
            report_full(l, lb->name ? lb->name : "?", lb->pos, lb->subnet, prefix);
        return;
    }
}

void vnrs_model_assign_addresses(struct vnrs_loader *l)
{
    struct vnrs_addr *cursors = vnrs_arena_alloc(l->scratch, (l->model->n_subnets + 1) * 2 * sizeof(struct vnrs_addr));

    if (!cursors) {
        l->diags->failed = true;
        return;
    }
    for (size_t i = 0; i < l->model->nics.len; i++)
        if (l->model->nics.items[i]->subnet)
            list_foreach (ip, &l->model->nics.items[i]->ips)
                take_fixed(l, l->model->nics.items[i], ip);
    list_foreach (lb, &l->model->balancers)
        if (lb->subnet && lb->frontend.family)
            check_frontend(l, lb);
    for (size_t i = 0; i < l->model->nics.len; i++)
        if (l->model->nics.items[i]->subnet && !l->model->nics.items[i]->ips.len)
            assign_nic(l, l->model->nics.items[i], cursors);
    list_foreach (lb, &l->model->balancers)
        if (lb->subnet && !lb->frontend.family)
            assign_frontend(l, lb, cursors);
}
