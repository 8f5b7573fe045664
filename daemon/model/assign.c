// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses of NICs: those that the file gives are taken first, then every other NIC gets the next free one of its
// subnet in file order, one of each address family that the subnet has. Azure keeps the first four addresses of a
// subnet and the last (azure-routing.md section 10).
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

static void report_taken(struct vnrs_loader *l, const struct vnrs_nic *nic, const struct vnrs_addr *ip,
                         struct vnrs_pos owner, const char *owner_name)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_diag *d = loader_error(l, VNRS_V_ADDRESS_DUPLICATE, vnrs_loader_pos(l, ip, nic->pos),
                                       "address %s of '%s' is taken", vnrs_addr_format(ip, text), nic->name);
    if (d)
        d->azure_code = "PrivateIPAddressIsAllocated";
    vnrs_diag_note(l->diags, d, owner, "by '%s'", owner_name);
}

static void take_fixed(struct vnrs_loader *l, struct vnrs_nic *nic, const struct vnrs_addr *ip)
{
    char text[VNRS_ADDR_STR_MAX], range[VNRS_PREFIX_STR_MAX];
    const struct vnrs_subnet *subnet = nic->subnet;
    const struct vnrs_prefix *prefix = prefix_of(subnet, ip);
    struct vnrs_pos pos = vnrs_loader_pos(l, ip, nic->pos);
    struct vnrs_diag *d;

    if (!prefix) {
        if (!subnet->prefixes.len)
            return; // the subnet's own mistake was reported
        d = loader_error(l, VNRS_V_ADDRESS_OUTSIDE, pos, "address %s of '%s' is outside subnet '%s/%s'",
                         vnrs_addr_format(ip, text), nic->name, subnet->vnet->name, subnet->name);
        if (d)
            d->azure_code = "PrivateIPAddressNotInSubnet";
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, subnet->prefixes.items, subnet->pos), "the subnet is %s",
                       vnrs_prefix_format(subnet->prefixes.items, range));
        return;
    }
    if (is_reserved(prefix, ip)) {
        d = loader_error(l, VNRS_V_ADDRESS_RESERVED, pos, "address %s of '%s' is one of the five that Azure keeps",
                         vnrs_addr_format(ip, text), nic->name);
        if (d)
            d->azure_code = "PrivateIPAddressInReservedRange";
        vnrs_diag_help(l->diags, d, "the first four addresses of %s and its last are not for NICs",
                       vnrs_prefix_format(prefix, range));
        return;
    }
    struct vnrs_nic *other = vnrs_loader_find_nic(l, subnet->vnet, ip);
    const struct vnrs_route_server *rs = find_instance(l->model, subnet->vnet, ip);
    if (other)
        report_taken(l, nic, ip, vnrs_loader_pos(l, other->ips.items, other->pos), other->name);
    else if (rs)
        report_taken(l, nic, ip, rs->pos, rs->name ? rs->name : "a Route Server");
    else if (vnrs_loader_put_nic(l, subnet->vnet, ip, nic) < 0)
        l->diags->failed = true;
}

static void report_full(struct vnrs_loader *l, const struct vnrs_nic *nic, const struct vnrs_prefix *prefix)
{
    char range[VNRS_PREFIX_STR_MAX];
    struct vnrs_diag *d = loader_error(l, VNRS_V_SUBNET_FULL, nic->pos, "no free address for '%s' in subnet '%s/%s'",
                                       nic->name, nic->subnet->vnet->name, nic->subnet->name);

    if (d)
        d->azure_code = "SubnetIsFull";
    vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, prefix, nic->subnet->pos), "the subnet is %s",
                   vnrs_prefix_format(prefix, range));
}

// The next free address of a prefix from `*cursor` on; the cursor moves past it.
static bool next_free(const struct vnrs_loader *l, const struct vnrs_subnet *subnet, const struct vnrs_prefix *prefix,
                      struct vnrs_addr *cursor)
{
    struct vnrs_addr last = vnrs_prefix_last(prefix), base = vnrs_prefix_addr(prefix);

    *cursor = cursor->family ? vnrs_addr_add(cursor, 1) : vnrs_addr_add(&base, RESERVED_FIRST);
    while (vnrs_addr_cmp(cursor, &last) < 0 &&
           (vnrs_loader_find_nic(l, subnet->vnet, cursor) || find_instance(l->model, subnet->vnet, cursor)))
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
            report_full(l, nic, prefix);
            continue;
        }
        nic->ips.items[nic->ips.len] = *cursor;
        if (vnrs_loader_put_nic(l, subnet->vnet, &nic->ips.items[nic->ips.len++], nic) < 0)
            l->diags->failed = true;
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
    for (size_t i = 0; i < l->model->nics.len; i++)
        if (l->model->nics.items[i]->subnet && !l->model->nics.items[i]->ips.len)
            assign_nic(l, l->model->nics.items[i], cursors);
}
