// SPDX-License-Identifier: GPL-2.0-or-later
// Internal load balancers. Rules: azure-routing.md sections 3.1, 5.5 and 10.
#include "model/loader.h"

#include <string.h>

static bool has_ipv4_range(const struct vnrs_subnet *subnet)
{
    list_foreach (prefix, &subnet->prefixes)
        if (prefix->family == VNRS_AF_IPV4)
            return true;
    return false;
}

static void check_frontend(struct vnrs_loader *l, const struct vnrs_balancer *lb)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &lb->frontend, lb->pos);
    const char *subnet = lb->subnet->name;
    struct vnrs_diag *d;

    if (subnet && (strcmp(subnet, "RouteServerSubnet") == 0 || strcmp(subnet, "GatewaySubnet") == 0)) {
        d = loader_error(l, VNRS_V_RESERVED_SUBNET, vnrs_loader_pos(l, &lb->subnet, lb->pos),
                         "load balancer '%s' in %s", lb->name ? lb->name : "?", subnet);
        vnrs_diag_help(l->diags, d, "this subnet is for Azure's own instances only");
    } else if (lb->frontend.family == VNRS_AF_IPV6 || !has_ipv4_range(lb->subnet)) {
        d = loader_error(l, VNRS_V_BALANCER, pos, "load balancer '%s' without an IPv4 frontend",
                         lb->name ? lb->name : "?");
        vnrs_diag_help(l->diags, d, "health probes come from 168.63.129.16, so load balancers are IPv4 only");
    }
}

static bool has_ipv4(const struct vnrs_nic *nic)
{
    list_foreach (ip, &nic->ips)
        if (ip->family == VNRS_AF_IPV4)
            return true;
    return false;
}

static void check_backend(struct vnrs_loader *l, const struct vnrs_balancer *lb, struct vnrs_nic *const *backend)
{
    const struct vnrs_nic *nic = *backend;
    struct vnrs_pos pos = vnrs_loader_pos(l, backend, lb->pos);
    struct vnrs_diag *d;

    list_foreach (other, &lb->backends) {
        if (other < backend && *other == nic) {
            (void)loader_error(l, VNRS_V_LISTED_TWICE, pos, "backend '%s' is there twice", nic->name);
            return;
        }
    }
    if (nic->subnet && nic->subnet->vnet != lb->subnet->vnet) {
        d = loader_error(l, VNRS_V_BALANCER, pos, "backend '%s' is not in virtual network '%s'", nic->name,
                         lb->subnet->vnet->name);
        vnrs_diag_note(l->diags, d, nic->pos, "the NIC is here");
        vnrs_diag_help(l->diags, d, "frontend and backends of a load balancer are in one virtual network");
    } else if (!has_ipv4(nic)) {
        (void)loader_error(l, VNRS_V_BALANCER, pos, "backend '%s' has no IPv4 address", nic->name);
    } else if (!nic->forwarding) {
        d = loader_error(l, VNRS_V_NEXT_HOP_NOT_FORWARDING, pos, "backend '%s' does not forward", nic->name);
        vnrs_diag_note(l->diags, d, nic->pos, "the NIC is here");
        vnrs_diag_help(l->diags, d, "packets keep their destination: add 'enableIPForwarding: true' to the NIC");
    }
}

void vnrs_validate_balancers(struct vnrs_loader *l)
{
    list_foreach (lb, &l->model->balancers) {
        if (l->model->dataplane == VNRS_DATAPLANE_NONE)
            (void)loader_error(l, VNRS_V_BALANCER, lb->pos, "load balancer '%s' with 'dataplane: none'",
                               lb->name ? lb->name : "?");
        if (!lb->subnet)
            continue;
        check_frontend(l, lb);
        for (size_t i = 0; i < lb->backends.len; i++)
            check_backend(l, lb, &lb->backends.items[i]);
    }
}
