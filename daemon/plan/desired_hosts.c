// SPDX-License-Identifier: GPL-2.0-or-later
// Objects of what is outside every virtual network: the Internet edge and its hosts, service hosts, who probes
// backends, hosts behind machines.
#include "plan/build.h"
#include "plan/names.h"
#include "util/strbuf.h"

#define EDGE "internet.edge"

static struct vnrs_addr addr_of(const char *text)
{
    struct vnrs_addr addr = {0};

    (void)!vnrs_addr_parse(text, &addr); // constants of this file
    return addr;
}

struct vnrs_addr vnrs_fabric_gateway(uint8_t family)
{
    return addr_of(family == VNRS_AF_IPV4 ? "169.254.0.1" : "fd76:6e72:7300::1");
}

static bool is_host_addr(const struct vnrs_model *model, const struct vnrs_addr *addr)
{
    list_foreach (host, &model->internet.hosts) {
        if (vnrs_addr_equal(&host->ip, addr))
            return true;
    }
    list_foreach (service, &model->services) {
        list_foreach (host, &service->hosts) {
            if (vnrs_addr_equal(&host->ip, addr))
                return true;
        }
    }
    list_foreach (gateway, &model->gateways) {
        for (unsigned i = 0; i < gateway->n_instances; i++) {
            if (vnrs_addr_equal(&gateway->instances[i].public_ip, addr))
                return true;
        }
    }
    list_foreach (site, &model->sites) {
        if (vnrs_addr_equal(&site->public_ip, addr))
            return true;
    }
    return false;
}

static struct vnrs_addr choose_edge_addr(const struct vnrs_model *model, uint8_t family)
{
    static const char *const v4[] = {"192.0.2.1", "198.51.100.1", "203.0.113.1"};
    static const char *const v6[] = {"2001:db8:ffff::1", "2001:db8:fffe::1", "2001:db8:fffd::1"};
    const char *const *candidates = family == VNRS_AF_IPV4 ? v4 : v6;
    struct vnrs_addr addr = {0};

    for (size_t i = 0; i < ARRAY_SIZE(v4); i++) {
        addr = addr_of(candidates[i]);
        if (!is_host_addr(model, &addr))
            break;
    }
    return addr;
}

// The fabric as next hop, for a NIC whose address is in no subnet.
static void route_to_fabric(struct build *b, const char *ns, uint8_t family)
{
    struct vnrs_addr fabric = vnrs_fabric_gateway(family);
    struct vnrs_prefix prefix = vnrs_prefix_host(&fabric);

    build_route(b, ns, "eth0", &prefix, NULL);
}

static void edge_route(struct build *b, struct vnrs_map *seen, const struct vnrs_prefix *prefix)
{
    struct vnrs_addr fabric = vnrs_fabric_gateway(prefix->family);

    // Virtual networks that are not peered may have equal ranges.
    if (vnrs_map_find(seen, prefix, sizeof(*prefix)))
        return;
    if (vnrs_map_put(seen, prefix, sizeof(*prefix), (void *)prefix) < 0)
        build_fail(b, -ENOMEM, "out of memory");
    build_route(b, EDGE, "eth0", prefix, &fabric);
}

static void edge_routes(struct build *b)
{
    struct vnrs_map seen = {0};

    route_to_fabric(b, EDGE, VNRS_AF_IPV4);
    route_to_fabric(b, EDGE, VNRS_AF_IPV6);
    list_foreach (vnet, &b->model->vnets) {
        list_foreach (prefix, &vnet->address_space)
            edge_route(b, &seen, prefix);
    }
    list_foreach (service, &b->model->services) {
        list_foreach (prefix, &service->prefixes)
            edge_route(b, &seen, prefix);
    }
    vnrs_map_fini(&seen);
}

// Source NAT of one family on a link of the edge, 32 sources an object.
static void edge_snat(struct build *b, const char *ifname, uint8_t family)
{
    struct vnrs_obj_snat *snat = NULL;
    unsigned n = 0;

    list_foreach (vnet, &b->model->vnets) {
        list_foreach (prefix, &vnet->address_space) {
            if (prefix->family != family)
                continue;
            if (!snat || snat->n == ARRAY_SIZE(snat->sources)) {
                snat =
                    build_object(b, VNRS_OBJ_SNAT, build_text(b, "%s-%u", ifname, n++), "source NAT of the Internet");
                if (!snat)
                    return;
                snat->ns = build_netns(EDGE);
                vnrs_str_copy(snat->ifname, sizeof(snat->ifname), ifname);
            }
            snat->sources[snat->n++] = *prefix;
        }
    }
}

static void internet_host(struct build *b, const struct vnrs_host *host)
{
    const struct vnrs_addr *edge = host->ip.family == VNRS_AF_IPV4 ? &b->edge4 : &b->edge6;
    const char *ns = build_text(b, "internet.%s", host->name), *what = build_text(b, "Internet host '%s'", host->name);
    char ifname[VNRS_IFNAME_MAX];
    unsigned bits = vnrs_af_bits(host->ip.family);

    vnrs_name_host_link(b->model->name, host->name, ifname);
    build_take(b, build_text(b, "edge %s", ifname), what);
    (void)build_object(b, VNRS_OBJ_NETNS, ns, what);
    const char *key = build_text(b, "%s/eth0", ns);
    struct vnrs_obj_link *link = build_object(b, VNRS_OBJ_LINK, key, what);
    if (!link)
        return;
    link->mtu = 1500;
    link->a.ns = build_netns(EDGE);
    vnrs_str_copy(link->a.ifname, sizeof(link->a.ifname), ifname);
    link->a.mac = vnrs_name_mac(b->model->name, build_text(b, "%s edge", key));
    build_end_addr(&link->a, edge, bits);
    link->b.ns = build_netns(ns);
    vnrs_str_copy(link->b.ifname, sizeof(link->b.ifname), "eth0");
    link->b.mac = vnrs_name_mac(b->model->name, key);
    build_end_addr(&link->b, &host->ip, bits);

    struct vnrs_prefix to_host = vnrs_prefix_host(&host->ip), to_edge = vnrs_prefix_host(edge);
    struct vnrs_prefix all = build_default(host->ip.family);
    build_route(b, EDGE, ifname, &to_host, NULL);
    build_route(b, ns, "eth0", &to_edge, NULL);
    build_route(b, ns, "eth0", &all, edge);
    if (b->model->internet.snat)
        edge_snat(b, ifname, host->ip.family);
}

void build_public(struct build *b, const char *ns, const struct vnrs_addr *addr, const char *what)
{
    const char *key = build_text(b, "internet.%s/pub", ns);
    struct vnrs_obj_link *link = build_object(b, VNRS_OBJ_LINK, key, what);

    if (!link)
        return;
    link->mtu = 1500;
    link->a.ns = build_netns(EDGE);
    vnrs_name_host_link(b->model->name, ns, link->a.ifname);
    build_take(b, build_text(b, "edge %s", link->a.ifname), what);
    link->a.mac = vnrs_name_mac(b->model->name, build_text(b, "%s edge", key));
    build_end_addr(&link->a, &b->edge4, 32);
    link->b.ns = build_netns(ns);
    vnrs_str_copy(link->b.ifname, sizeof(link->b.ifname), "pub");
    link->b.mac = vnrs_name_mac(b->model->name, key);
    build_end_addr(&link->b, addr, 32);

    struct vnrs_prefix to_addr = vnrs_prefix_host(addr), to_edge = vnrs_prefix_host(&b->edge4);
    build_route(b, EDGE, link->a.ifname, &to_addr, NULL);
    build_route(b, ns, "pub", &to_edge, NULL);
}

static bool has_tunnels(const struct vnrs_model *model)
{
    list_foreach (c, &model->connections) {
        if (c->type == VNRS_CONNECTION_IPSEC)
            return true;
    }
    return false;
}

void build_internet(struct build *b)
{
    const struct vnrs_ag_netns ns = build_netns(EDGE);

    if (!b->model->internet.present && !has_tunnels(b->model))
        return;
    b->edge4 = choose_edge_addr(b->model, VNRS_AF_IPV4);
    b->edge6 = choose_edge_addr(b->model, VNRS_AF_IPV6);
    struct vnrs_obj_netns *netns = build_object(b, VNRS_OBJ_NETNS, EDGE, "the Internet edge");
    if (netns)
        netns->flags = VNRS_NETNS_FORWARD;
    if (!b->model->internet.present)
        return;
    struct vnrs_obj_link *link = build_nic(b, VNRS_LINK_KEY_EDGE, "the Internet edge", &ns, "eth0", 1500);
    if (!link)
        return;
    build_end_addr(&link->b, &b->edge4, 32);
    build_end_addr(&link->b, &b->edge6, 128);
    edge_routes(b);
    list_foreach (host, &b->model->internet.hosts)
        internet_host(b, host);
}

static void service_host(struct build *b, const struct vnrs_service *service, const struct vnrs_host *host)
{
    const char *name = build_text(b, "service.%s", host->name);
    const char *what = build_text(b, "host '%s' of service '%s'", host->name, service->name);
    const struct vnrs_ag_netns ns = build_netns(name);
    struct vnrs_addr fabric = vnrs_fabric_gateway(host->ip.family);
    struct vnrs_prefix all = build_default(host->ip.family);

    (void)build_object(b, VNRS_OBJ_NETNS, name, what);
    struct vnrs_obj_link *link = build_nic(b, build_text(b, "%s/eth0", name), what, &ns, "eth0", 1500);
    if (!link)
        return;
    build_end_addr(&link->b, &host->ip, vnrs_af_bits(host->ip.family));
    route_to_fabric(b, name, host->ip.family);
    build_route(b, name, "eth0", &all, &fabric);
}

void build_services(struct build *b)
{
    list_foreach (service, &b->model->services) {
        list_foreach (host, &service->hosts)
            service_host(b, service, host);
    }
}

// ---- who probes backends of load balancers

struct vnrs_addr vnrs_prober_addr(void)
{
    return addr_of("168.63.129.16");
}

static void prober(struct build *b, const struct vnrs_vnet *vnet)
{
    const char *name = build_text(b, VNRS_PROBER_NETNS, vnet->name);
    const char *what = build_text(b, "health probes of virtual network '%s'", vnet->name);
    const struct vnrs_ag_netns ns = build_netns(name);
    struct vnrs_addr fabric = vnrs_fabric_gateway(VNRS_AF_IPV4), addr = vnrs_prober_addr();
    struct vnrs_prefix all = build_default(VNRS_AF_IPV4);

    (void)build_object(b, VNRS_OBJ_NETNS, name, what);
    struct vnrs_obj_link *link = build_nic(b, build_text(b, "%s/eth0", name), what, &ns, "eth0", 1500);
    if (!link)
        return;
    build_end_addr(&link->b, &addr, vnrs_af_bits(addr.family));
    route_to_fabric(b, name, VNRS_AF_IPV4);
    build_route(b, name, "eth0", &all, &fabric);
}

void build_probers(struct build *b)
{
    list_foreach (vnet, &b->model->vnets) {
        if (vnrs_vnet_is_probed(b->model, vnet))
            prober(b, vnet);
    }
}

// ---- hosts behind machines

struct vnrs_addr build_transfer_addr(struct build *b, const char *key, uint8_t family)
{
    uint32_t number = vnrs_ids_get(b->ids, VNRS_ID_TRANSFER, key);
    struct vnrs_addr base = addr_of(family == VNRS_AF_IPV4 ? "169.254.1.0" : "fd76:6e72:7300:1::");

    if (!number)
        build_fail(b, -ENOSPC, "no address is left for link '%s'", key);
    return vnrs_addr_add(&base, number);
}

// `index`: how many machines the host stood behind before this one.
static struct vnrs_addr link_behind(struct build *b, const struct vnrs_machine *machine, const struct vnrs_host *host,
                                    unsigned index)
{
    const char *what = build_text(b, "link between machine '%s' and host '%s'", machine->name, host->name);
    const char *key = build_text(b, "host.%s/%s", host->name, machine->name);
    struct vnrs_obj_link *link = build_object(b, VNRS_OBJ_LINK, key, what);
    struct vnrs_addr machine_side = build_transfer_addr(b, key, host->ip.family);
    unsigned bits = vnrs_af_bits(host->ip.family);

    if (!link)
        return machine_side;
    link->mtu = 1500;
    link->a.ns = build_netns(machine->name);
    vnrs_name_host_link(b->model->name, host->name, link->a.ifname);
    build_take(b, build_text(b, "%s %s", machine->name, link->a.ifname), what);
    link->a.mac = vnrs_name_mac(b->model->name, build_text(b, "%s machine", key));
    build_end_addr(&link->a, &machine_side, bits);
    link->b.ns = build_netns(build_text(b, "host.%s", host->name));
    vnrs_str_copy(link->b.ifname, sizeof(link->b.ifname), build_text(b, "eth%u", index));
    link->b.mac = vnrs_name_mac(b->model->name, key);
    build_end_addr(&link->b, &host->ip, bits);
    struct vnrs_prefix to_host = vnrs_prefix_host(&host->ip), to_machine = vnrs_prefix_host(&machine_side);
    build_route(b, machine->name, link->a.ifname, &to_host, NULL);
    build_route(b, link->b.ns.name, link->b.ifname, &to_machine, NULL);
    return machine_side;
}

static const struct vnrs_host *find_behind(const struct vnrs_machine *machine, const char *name)
{
    list_foreach (host, &machine->hosts) {
        if (strcmp(host->name, name) == 0)
            return host;
    }
    return NULL;
}

static void host_behind(struct build *b, const struct vnrs_host *host)
{
    const char *ns = build_text(b, "host.%s", host->name), *what = build_text(b, "host '%s'", host->name);
    struct vnrs_prefix all = build_default(host->ip.family);
    struct vnrs_addr via[ARRAY_SIZE(((struct vnrs_obj_route *)0)->via)];
    unsigned n = 0;

    (void)build_object(b, VNRS_OBJ_NETNS, ns, what);
    list_foreach (machine, &b->model->machines) {
        if (n < ARRAY_SIZE(via) && machine->netns == VNRS_NETNS_OURS && find_behind(machine, host->name)) {
            via[n] = link_behind(b, machine, host, n);
            n++;
        }
    }
    struct vnrs_obj_route *route = n ? build_route(b, ns, "eth0", &all, &via[0]) : NULL;
    for (unsigned i = 1; route && i < n; i++) {
        route->via[i] = via[i];
        vnrs_str_copy(route->ifnames[i], sizeof(route->ifnames[i]), build_text(b, "eth%u", i));
        route->n_via++;
    }
}

void build_hosts_behind(struct build *b)
{
    struct vnrs_map seen = {0};

    list_foreach (machine, &b->model->machines) {
        list_foreach (host, &machine->hosts) {
            if (vnrs_map_find(&seen, host->name, strlen(host->name)))
                continue;
            if (vnrs_map_put(&seen, host->name, strlen(host->name), (void *)host) < 0)
                build_fail(b, -ENOMEM, "out of memory");
            host_behind(b, host);
        }
    }
    vnrs_map_fini(&seen);
}
