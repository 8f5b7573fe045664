// SPDX-License-Identifier: GPL-2.0-or-later
// What stands in a topology, for the model of the packet path: every NIC with its addresses.
#include "packet_model.h"

#include "plan/desired.h"
#include "plan/names.h"
#include "util/arena.h"

#include <assert.h>

#define MTU_EDGE 1500u

static void add_port(struct pm_world *w, const struct vnrs_ids *ids, struct pm_port port)
{
    port.ifindex = vnrs_ids_find(ids, VNRS_ID_LINK, port.key);
    port.mac = vnrs_name_mac(w->model->name, port.key);
    port.domain = port.subnet ? vnrs_routing_domain(w->routing, port.subnet) : NULL;
    port.vnet = port.subnet ? port.subnet->vnet : port.vnet;
    assert(port.ifindex);
    int r = vec_push(&w->ports, port);
    assert(r == 0);
}

// Who probes backends: in every network with a load balancer (azure-routing.md 5.5, 10).
static void add_prober(struct pm_world *w, const struct vnrs_ids *ids, const struct vnrs_vnet *vnet)
{
    static const struct vnrs_addr wire_server = {.family = VNRS_AF_IPV4, .bytes = {168, 63, 129, 16}};
    bool probed = false;

    list_foreach (lb, &w->model->balancers)
        probed |= lb->subnet->vnet == vnet;
    if (probed)
        add_port(w, ids,
                 (struct pm_port){.kind = PM_PROBER,
                                  .key = vnrs_link_key_prober(w->arena, vnet),
                                  .mtu = MTU_EDGE,
                                  .vnet = vnet,
                                  .addrs = &wire_server,
                                  .n_addrs = 1});
}

static bool is_expressroute(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    list_foreach (gateway, &model->gateways) {
        if (gateway->type == VNRS_GATEWAY_EXPRESSROUTE &&
            (gateway->instances[0].machine == machine || gateway->instances[1].machine == machine))
            return true;
    }
    return machine->role == VNRS_MACHINE_MSEE;
}

void pm_world_init(struct pm_world *w, const struct vnrs_model *model, const struct vnrs_routing *routing,
                   const struct vnrs_ids *ids)
{
    *w = (struct pm_world){.model = model, .routing = routing, .arena = vnrs_arena_new()};
    assert(w->arena);
    list_foreach (nic, &model->nics) {
        add_port(w, ids,
                 (struct pm_port){.kind = PM_MACHINE,
                                  .nic = *nic,
                                  .key = (*nic)->name,
                                  .mtu = (*nic)->mtu,
                                  .forwarding = (*nic)->forwarding,
                                  .gateway = (*nic)->machine->role != VNRS_MACHINE_USER,
                                  .expressroute = is_expressroute(model, (*nic)->machine),
                                  .subnet = (*nic)->subnet,
                                  .addrs = (*nic)->ips.items,
                                  .n_addrs = (*nic)->ips.len});
    }
    list_foreach (rs, &model->route_servers) {
        for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++)
            add_port(w, ids,
                     (struct pm_port){.kind = PM_INSTANCE,
                                      .key = vnrs_link_key_rs(w->arena, rs, i),
                                      .mtu = MTU_EDGE,
                                      .subnet = rs->subnet,
                                      .addrs = &rs->ips[i],
                                      .n_addrs = 1});
    }
    list_foreach (service, &model->services) {
        list_foreach (host, &service->hosts)
            add_port(w, ids,
                     (struct pm_port){.kind = PM_SERVICE,
                                      .key = vnrs_link_key_service(w->arena, host),
                                      .mtu = MTU_EDGE,
                                      .service = service,
                                      .addrs = &host->ip,
                                      .n_addrs = 1});
    }
    list_foreach (vnet, &model->vnets)
        add_prober(w, ids, vnet);
    if (model->internet.present)
        add_port(w, ids, (struct pm_port){.kind = PM_EDGE, .key = VNRS_LINK_KEY_EDGE, .mtu = MTU_EDGE});
}

void pm_world_fini(struct pm_world *w)
{
    vec_free(&w->ports);
    vnrs_arena_free(w->arena);
}

const struct pm_port *pm_port_of(const struct pm_world *w, uint32_t ifindex)
{
    vec_foreach (port, &w->ports) {
        if (port->ifindex == ifindex)
            return port;
    }
    return NULL;
}

bool pm_has_addr(const struct pm_port *port, const struct vnrs_addr *addr)
{
    for (size_t i = 0; i < port->n_addrs; i++) {
        if (vnrs_addr_equal(&port->addrs[i], addr))
            return true;
    }
    return false;
}

const struct pm_port *pm_owner(const struct pm_world *w, const struct vnrs_vnet *vnet, const struct vnrs_addr *addr)
{
    vec_foreach (port, &w->ports) {
        if (port->vnet == vnet && vnet && pm_has_addr(port, addr))
            return port;
    }
    return NULL;
}

struct vnrs_addr pm_gateway(const struct pm_port *port, uint8_t family)
{
    struct vnrs_addr addr = {.family = family}; // outside every subnet: "the fabric" (plan/desired.h)

    if (port->subnet) {
        list_foreach (prefix, &port->subnet->prefixes) {
            if (prefix->family == family) {
                addr = vnrs_prefix_addr(prefix);
                return vnrs_addr_add(&addr, 1); // the first address of the subnet (azure-routing.md section 10)
            }
        }
        return (struct vnrs_addr){0};
    }
    int r = vnrs_addr_parse(family == VNRS_AF_IPV4 ? "169.254.0.1" : "fd76:6e72:7300::1", &addr);
    assert(r == 0);
    return addr;
}
