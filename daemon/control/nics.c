// SPDX-License-Identifier: GPL-2.0-or-later
// NICs, endpoints and access lists of the packet path, as the model wants them.
#include "control/links.h"

#include "plan/names.h"
#include "util/arena.h"

#include <string.h>

uint32_t vnrs_lab_link_number(const struct vnrs_lab *lab, const char *key)
{
    return key ? vnrs_ids_find(lab->ids, VNRS_ID_LINK, key) : 0;
}

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
    struct vnrs_fib_nic out = {.ifindex = vnrs_lab_link_number(lab, key), .nic = nic};
    struct vnrs_mac mac = vnrs_name_mac(lab->name, key ? key : "");

    memcpy(out.nic.mac, mac.bytes, sizeof(out.nic.mac));
    out.nic.flags |= VNRS_NIC_PRESENT;
    if (out.ifindex)
        vnrs_fib_want_nic(lab->fib, &out);
}

static void want_endpoint(struct vnrs_lab *lab, const char *key, uint32_t vnet, const struct vnrs_addr *addr)
{
    struct vnrs_fib_endpoint out = {.vnet = vnet, .ifindex = vnrs_lab_link_number(lab, key), .addr = *addr};

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

static bool is_same_region(const struct vnrs_vnet *a, const struct vnrs_vnet *b)
{
    return a->region && b->region ? strcmp(a->region, b->region) == 0 : a->region == b->region;
}

// The number of the first virtual network of the file that is in the region.
static uint16_t region_number(const struct vnrs_lab *lab, const struct vnrs_vnet *vnet)
{
    list_foreach (other, &lab->model->vnets) {
        if (is_same_region(other, vnet))
            return (uint16_t)vnrs_ids_find(lab->ids, VNRS_ID_VNET, other->name);
    }
    return 0;
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
        .region = region_number(lab, subnet->vnet),
    };

    put_gateways(&nic, subnet);
    want_nic(lab, key, nic);
    for (size_t i = 0; i < n_ips; i++)
        want_endpoint(lab, key, nic.vnet, &ips[i]);
}

static void want_prober(struct vnrs_lab *lab, struct vnrs_arena *arena, const struct vnrs_vnet *vnet)
{
    const char *key = vnrs_link_key_prober(arena, vnet), *domain = vnrs_domain_key_prober(arena, vnet);
    struct vnrs_addr addr = vnrs_prober_addr();
    struct vnrs_bpf_nic nic = {
        .flags = VNRS_NIC_PLATFORM,
        .domain = domain ? vnrs_ids_find(lab->ids, VNRS_ID_DOMAIN, domain) : 0,
        .vnet = vnrs_ids_find(lab->ids, VNRS_ID_VNET, vnet->name),
        .mtu = 1500,
        .region = region_number(lab, vnet),
    };

    put_gateways(&nic, NULL);
    want_nic(lab, key, nic);
    want_endpoint(lab, key, nic.vnet, &addr);
}

static void want_acl(struct vnrs_lab *lab, enum vnrs_acl_kind kind, uint32_t to, uint32_t from)
{
    const struct vnrs_fib_acl acl = {.kind = kind, .to = to, .from = from, .allowed = 1};

    if (to && from)
        vnrs_fib_want_acl(lab->fib, &acl);
}

// What a network lets in that its peer only forwards (azure-routing.md 4.1).
static void want_peering(struct vnrs_lab *lab, const struct vnrs_peering *peering)
{
    if (peering->other && peering->lets_forwarded)
        want_acl(lab, VNRS_ACL_FORWARDED, vnrs_ids_find(lab->ids, VNRS_ID_VNET, peering->vnet->name),
                 vnrs_ids_find(lab->ids, VNRS_ID_VNET, peering->remote->name));
}

static bool is_expressroute(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    list_foreach (gateway, &model->gateways) {
        for (unsigned i = 0; i < VNRS_GATEWAY_INSTANCES; i++) {
            if (gateway->instances[i].machine == machine)
                return gateway->type == VNRS_GATEWAY_EXPRESSROUTE;
        }
    }
    return machine->role == VNRS_MACHINE_MSEE;
}

// Traffic of a gateway needs no allowForwardedTraffic (azure-routing.md 4.1).
static uint32_t flags_of(const struct vnrs_model *model, const struct vnrs_nic *nic)
{
    uint32_t flags = nic->forwarding ? VNRS_NIC_FORWARDING : 0u;

    if (nic->machine->role == VNRS_MACHINE_USER)
        return flags;
    return flags | VNRS_NIC_GATEWAY | (is_expressroute(model, nic->machine) ? VNRS_NIC_EXPRESSROUTE : 0u);
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
            want_acl(lab, VNRS_ACL_SERVICE, vnrs_lab_link_number(lab, key), subnet_number(lab, arena, *subnet));
        }
    }
}

// The kernel has no routes to a link that is down; the eBPF packet path knows such links itself.
static bool is_cut_off(const struct vnrs_lab *lab, const struct vnrs_nic *nic)
{
    return lab->model->dataplane == VNRS_DATAPLANE_KERNEL && vnrs_links_get(lab, nic->name, &nic->link).down;
}

void vnrs_lab_want_nics(struct vnrs_lab *lab, struct vnrs_arena *arena)
{
    list_foreach (nic, &lab->model->nics) {
        const struct vnrs_nic *n = *nic;
        if (is_cut_off(lab, n))
            continue;
        want_in_subnet(lab, arena, n->name, n->subnet, flags_of(lab->model, n), n->mtu, n->ips.items, n->ips.len);
    }
    list_foreach (peering, &lab->model->peerings)
        want_peering(lab, peering);
    list_foreach (rs, &lab->model->route_servers) {
        for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
            if (rs->ips[i].family != VNRS_AF_NONE)
                want_in_subnet(lab, arena, vnrs_link_key_rs(arena, rs, i), rs->subnet, VNRS_NIC_ROUTE_SERVER, 1500,
                               &rs->ips[i], 1);
        }
    }
    list_foreach (service, &lab->model->services)
        want_service(lab, arena, service);
    list_foreach (vnet, &lab->model->vnets) {
        if (vnrs_vnet_is_probed(lab->model, vnet))
            want_prober(lab, arena, vnet);
    }
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
