// SPDX-License-Identifier: GPL-2.0-or-later
// The model as a topology file: everything explicit (defaults, assigned addresses, members of counted sets), so that
// loading it again gives the same model without any other file. Gateways are in print_gateway.c.
#include "model/print.h"

#include "model/impair.h"
#include "model/loader.h"

#include <string.h>

const char *yes_no(bool value)
{
    return value ? "true" : "false";
}

// Free text as a double-quoted scalar.
void put_quoted(struct vnrs_strbuf *out, const char *text)
{
    vnrs_strbuf_puts(out, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            vnrs_strbuf_printf(out, "\\%c", c);
        else if (c == '\n')
            vnrs_strbuf_puts(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            vnrs_strbuf_printf(out, "\\x%02x", c);
        else
            vnrs_strbuf_add(out, text, 1);
    }
    vnrs_strbuf_puts(out, "\"");
}

void put_addr(struct vnrs_strbuf *out, const struct vnrs_addr *addr)
{
    char text[VNRS_ADDR_STR_MAX];
    // Quoted, because "::" and a trailing colon mean something in YAML.
    vnrs_strbuf_printf(out, addr->family == VNRS_AF_IPV6 ? "\"%s\"" : "%s", vnrs_addr_format(addr, text));
}

static void put_prefix(struct vnrs_strbuf *out, const struct vnrs_prefix *prefix)
{
    char text[VNRS_PREFIX_STR_MAX];
    vnrs_strbuf_printf(out, prefix->family == VNRS_AF_IPV6 ? "\"%s\"" : "%s", vnrs_prefix_format(prefix, text));
}

void put_prefixes(struct vnrs_strbuf *out, const vnrs_prefix_list *list)
{
    vnrs_strbuf_puts(out, "[");
    list_foreach (prefix, list) {
        vnrs_strbuf_puts(out, prefix == list->items ? "" : ", ");
        put_prefix(out, prefix);
    }
    vnrs_strbuf_puts(out, "]");
}

void put_addrs(struct vnrs_strbuf *out, const struct vnrs_addr *items, size_t n)
{
    vnrs_strbuf_puts(out, "[");
    for (size_t i = 0; i < n; i++) {
        vnrs_strbuf_puts(out, i ? ", " : "");
        put_addr(out, &items[i]);
    }
    vnrs_strbuf_puts(out, "]");
}

void put_hosts(struct vnrs_strbuf *out, const struct vnrs_host *hosts, size_t n)
{
    vnrs_strbuf_puts(out, "[");
    for (size_t i = 0; i < n; i++) {
        vnrs_strbuf_printf(out, "%s{name: %s, ip: ", i ? ", " : "", hosts[i].name);
        put_addr(out, &hosts[i].ip);
        vnrs_strbuf_puts(out, "}");
    }
    vnrs_strbuf_puts(out, "]");
}

static void print_vnets(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->vnets.len)
        vnrs_strbuf_puts(out, "virtualNetworks:\n");
    list_foreach (vnet, &m->vnets) {
        vnrs_strbuf_printf(out, "  - name: %s\n", vnet->name);
        if (vnet->region)
            vnrs_strbuf_printf(out, "    region: %s\n", vnet->region);
        vnrs_strbuf_puts(out, "    addressSpace: ");
        put_prefixes(out, &vnet->address_space);
        vnrs_strbuf_puts(out, vnet->subnets.len ? "\n    subnets:\n" : "\n");
        list_foreach (subnet, &vnet->subnets) {
            vnrs_strbuf_printf(out, "      - name: %s\n        addressPrefixes: ", subnet->name);
            put_prefixes(out, &subnet->prefixes);
            vnrs_strbuf_puts(out, "\n");
            if (subnet->route_table)
                vnrs_strbuf_printf(out, "        routeTable: %s\n", subnet->route_table->name);
            if (subnet->service_endpoints.len)
                vnrs_strbuf_puts(out, "        serviceEndpoints:\n");
            for (size_t i = 0; i < subnet->service_endpoints.len; i++)
                vnrs_strbuf_printf(out, "          - {service: %s}\n", subnet->service_endpoints.items[i]->name);
        }
    }
}

static void print_peerings(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->peerings.len)
        vnrs_strbuf_puts(out, "virtualNetworkPeerings:\n");
    list_foreach (p, &m->peerings) {
        vnrs_strbuf_printf(out,
                           "  - virtualNetwork: %s\n    remoteVirtualNetwork: %s\n    allowVirtualNetworkAccess: %s\n"
                           "    allowForwardedTraffic: %s\n    allowGatewayTransit: %s\n    useRemoteGateways: %s\n",
                           p->vnet->name, p->remote->name, yes_no(p->allow_access), yes_no(p->allow_forwarded),
                           yes_no(p->allow_gateway_transit), yes_no(p->use_remote_gateways));
        if (p->unverified)
            vnrs_strbuf_puts(out, "    doNotVerifyRemoteGateways: true\n");
        if (p->disconnected)
            vnrs_strbuf_puts(out, "    peeringState: Disconnected\n");
        if (p->remote_space.items != p->remote->address_space.items) {
            vnrs_strbuf_puts(out, "    remoteAddressSpace: ");
            put_prefixes(out, &p->remote_space);
            vnrs_strbuf_puts(out, "\n");
        }
    }
}

static void print_service_tags(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->service_tags.len)
        vnrs_strbuf_puts(out, "serviceTags:\n");
    list_foreach (tag, &m->service_tags) {
        vnrs_strbuf_printf(out, "  - name: %s\n    addressPrefixes: ", tag->name);
        put_prefixes(out, &tag->prefixes);
        vnrs_strbuf_puts(out, "\n");
    }
}

static void print_route_tables(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->route_tables.len)
        vnrs_strbuf_puts(out, "routeTables:\n");
    list_foreach (table, &m->route_tables) {
        vnrs_strbuf_printf(out, "  - name: %s\n    disableBgpRoutePropagation: %s\n%s", table->name,
                           yes_no(table->disable_bgp_propagation),
                           table->disable_peering ? "    disablePeeringRoute: All\n" : "");
        vnrs_strbuf_puts(out, table->routes.len ? "    routes:\n" : "");
        list_foreach (udr, &table->routes) {
            vnrs_strbuf_printf(out, "      - {name: %s, addressPrefix: ", udr->name);
            if (udr->tag)
                vnrs_strbuf_puts(out, udr->tag->name);
            else
                put_prefix(out, &udr->prefix);
            vnrs_strbuf_printf(out, ", nextHopType: %s",
                               udr->ecmp ? VNRS_NEXTHOP_APPLIANCE_ECMP : vnrs_nexthop_names[udr->type]);
            if (udr->ecmp) {
                vnrs_strbuf_puts(out, ", nextHop: {nextHopIpAddresses: ");
                put_addrs(out, udr->next_hops.items, udr->next_hops.len);
                vnrs_strbuf_puts(out, "}");
            } else if (udr->next_hops.len) {
                vnrs_strbuf_puts(out, ", nextHopIpAddress: ");
                put_addr(out, udr->next_hops.items);
            }
            vnrs_strbuf_puts(out, "}\n");
        }
    }
}

static void print_balancers(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->balancers.len)
        vnrs_strbuf_puts(out, "loadBalancers:\n");
    list_foreach (lb, &m->balancers) {
        vnrs_strbuf_printf(out, "  - name: %s\n    subnet: %s/%s\n    privateIPAddress: ", lb->name,
                           lb->subnet->vnet->name, lb->subnet->name);
        put_addr(out, &lb->frontend);
        vnrs_strbuf_puts(out, "\n    backendPool: [");
        list_foreach (nic, &lb->backends) {
            vnrs_strbuf_puts(out, nic == lb->backends.items ? "" : ", ");
            put_quoted(out, (*nic)->name);
        }
        vnrs_strbuf_printf(out, "]\n    probe: {protocol: Tcp, port: %u, intervalInSeconds: %u, numberOfProbes: %u}\n",
                           lb->probe_port, lb->probe_interval_s, lb->probe_tries);
    }
}

static void put_numbers(struct vnrs_strbuf *out, const char *key, const vnrs_number_list *list, bool communities)
{
    vnrs_strbuf_printf(out, "%s: [", key);
    list_foreach (n, list) {
        vnrs_strbuf_puts(out, n == list->items ? "" : ", ");
        if (communities)
            vnrs_strbuf_printf(out, "\"%u:%u\"", *n >> 16, *n & 0xffff);
        else
            vnrs_strbuf_printf(out, "%u", *n);
    }
    vnrs_strbuf_puts(out, "]");
}

// As members of a map that has begun; `before` stands before the first.
static void put_map_values(struct vnrs_strbuf *out, const struct vnrs_map_values *values, const char *before)
{
    if (values->has_prefixes) {
        vnrs_strbuf_printf(out, "%sroutePrefix: ", before);
        put_prefixes(out, &values->prefixes);
        before = ", ";
    }
    if (values->has_communities) {
        vnrs_strbuf_puts(out, before);
        put_numbers(out, "community", &values->communities, true);
        before = ", ";
    }
    if (values->has_asns) {
        vnrs_strbuf_puts(out, before);
        put_numbers(out, "asPath", &values->asns, false);
    }
    vnrs_strbuf_puts(out, "}");
}

static void print_map_rule(struct vnrs_strbuf *out, const struct vnrs_map_rule *rule)
{
    vnrs_strbuf_printf(out, "          - name: %s\n            nextStepIfMatched: %s\n%s", rule->name,
                       rule->terminate ? "Terminate" : "Continue",
                       rule->criteria.len ? "            matchCriteria:\n" : "");
    list_foreach (c, &rule->criteria) {
        vnrs_strbuf_printf(out, "              - {matchCondition: %s", vnrs_map_condition_names[c->condition]);
        put_map_values(out, &c->values, ", ");
        vnrs_strbuf_puts(out, "\n");
    }
    vnrs_strbuf_puts(out, rule->actions.len ? "            actions:\n" : "");
    list_foreach (action, &rule->actions) {
        vnrs_strbuf_printf(out, "              - type: %s\n%s", vnrs_map_action_names[action->type],
                           action->parameters.len ? "                parameters:\n" : "");
        list_foreach (values, &action->parameters) {
            vnrs_strbuf_puts(out, "                  - {");
            put_map_values(out, values, "");
            vnrs_strbuf_puts(out, "\n");
        }
    }
}

static void print_route_maps(struct vnrs_strbuf *out, const struct vnrs_route_server *rs)
{
    vnrs_strbuf_puts(out, rs->route_maps.len ? "    routeMaps:\n" : "");
    list_foreach (map, &rs->route_maps) {
        vnrs_strbuf_printf(out, "      - name: %s\n%s", map->name, map->rules.len ? "        rules:\n" : "");
        list_foreach (rule, &map->rules)
            print_map_rule(out, rule);
    }
}

static void print_map_refs(struct vnrs_strbuf *out, const struct vnrs_bgp_connection *c)
{
    if (!c->in_map && !c->out_map)
        return;
    vnrs_strbuf_puts(out, "        routingConfiguration: {");
    if (c->in_map)
        vnrs_strbuf_printf(out, "inboundRouteMap: %s%s", c->in_map->name, c->out_map ? ", " : "");
    if (c->out_map)
        vnrs_strbuf_printf(out, "outboundRouteMap: %s", c->out_map->name);
    vnrs_strbuf_puts(out, "}\n");
}

void put_bfd(struct vnrs_strbuf *out, const struct vnrs_bfd_options *bfd, const char *indent)
{
    if (!bfd->on)
        return;
    vnrs_strbuf_printf(out, "%sbfd: {transmitInterval: %u, receiveInterval: %u, detectMultiplier: %u, multihop: %s",
                       indent, bfd->tx_ms, bfd->rx_ms, bfd->multiplier, yes_no(bfd->multihop));
    if (bfd->ttl_min)
        vnrs_strbuf_printf(out, ", minimumTtl: %u", bfd->ttl_min);
    vnrs_strbuf_printf(out, ", strict: %s}\n", yes_no(bfd->strict));
}

static void print_connection(struct vnrs_strbuf *out, const struct vnrs_bgp_connection *c)
{
    vnrs_strbuf_printf(out, "      - name: %s\n        peerIp: ", c->name);
    put_addr(out, &c->peer_ip);
    vnrs_strbuf_printf(out, "\n        peerAsn: %u\n        bgp: {keepalive: %u, hold: %u}\n", c->peer_asn,
                       c->timers.keepalive, c->timers.hold);
    if (c->password)
        vnrs_strbuf_puts(out, "        password: \"" VNRS_BGP_PASSWORD_HIDDEN "\"\n");
    if (c->ttl_security_hops)
        vnrs_strbuf_printf(out, "        ttlSecurityHops: %u\n", c->ttl_security_hops);
    vnrs_strbuf_printf(out, "        passive: %s\n        delayOpen: %u\n        minHold: %u\n", yes_no(c->passive),
                       c->delay_open, c->min_hold);
    put_bfd(out, &c->bfd, "        ");
    print_map_refs(out, c);
}

static void print_bgp_options(struct vnrs_strbuf *out, const struct vnrs_route_server *rs)
{
    const struct vnrs_bgp_options *o = &rs->options;

    vnrs_strbuf_printf(out,
                       "    bgp:\n      keepalive: %u\n      hold: %u\n      gracefulRestart: %s\n"
                       "      restartTime: %u\n      enhancedRefresh: %s\n      extendedMessages: %s\n"
                       "      addPath: %s\n      extendedNextHop: %s\n",
                       rs->timers.keepalive, rs->timers.hold, yes_no(o->graceful_restart), o->restart_s,
                       yes_no(o->enhanced_refresh), yes_no(o->extended_messages), yes_no(o->add_path),
                       yes_no(o->extended_next_hop));
}

static void print_bmp(struct vnrs_strbuf *out, const struct vnrs_route_server *rs)
{
    vnrs_strbuf_puts(out, rs->bmp.len ? "    bmp:\n" : "");
    list_foreach (target, &rs->bmp) {
        const char *comma = "";
        vnrs_strbuf_puts(out, "      - {station: ");
        put_addr(out, &target->station);
        vnrs_strbuf_printf(out, ", port: %u, ribs: [", target->port);
        for (unsigned i = 0; i < ARRAY_SIZE(vnrs_bmp_rib_names); i++) {
            if (!(target->ribs & 1u << i))
                continue;
            vnrs_strbuf_printf(out, "%s%s", comma, vnrs_bmp_rib_names[i]);
            comma = ", ";
        }
        vnrs_strbuf_printf(out, "], statistics: %u}\n", target->statistics_s);
    }
}

static void print_route_servers(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->route_servers.len)
        vnrs_strbuf_puts(out, "routeServers:\n");
    list_foreach (rs, &m->route_servers) {
        vnrs_strbuf_printf(out,
                           "  - name: %s\n    virtualNetwork: %s\n    allowBranchToBranchTraffic: %s\n"
                           "    hubRoutingPreference: %s\n    virtualRouterAutoScaleConfiguration: {minCapacity: %u}\n",
                           rs->name, rs->vnet->name, yes_no(rs->allow_branch_to_branch),
                           vnrs_preference_names[rs->preference], rs->min_capacity);
        vnrs_strbuf_printf(out, "    routeChangeDelay: %u\n", rs->change_delay_s);
        print_bgp_options(out, rs);
        vnrs_strbuf_puts(out, "    instanceIps: ");
        put_addrs(out, rs->ips, rs->ips[1].family ? 2 : 1);
        vnrs_strbuf_puts(out, "\n");
        print_route_maps(out, rs);
        vnrs_strbuf_puts(out, rs->connections.len ? "    bgpConnections:\n" : "");
        list_foreach (c, &rs->connections)
            print_connection(out, c);
        print_bmp(out, rs);
    }
}

static void print_outside(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    if (m->services.len)
        vnrs_strbuf_puts(out, "services:\n");
    list_foreach (s, &m->services) {
        vnrs_strbuf_printf(out, "  - name: %s\n    addressPrefixes: ", s->name);
        put_prefixes(out, &s->prefixes);
        vnrs_strbuf_puts(out, "\n    hosts: ");
        put_hosts(out, s->hosts.items, s->hosts.len);
        vnrs_strbuf_puts(out, s->restricted ? "\n    allowedSubnets: [" : "");
        for (size_t i = 0; i < s->allowed.len; i++)
            vnrs_strbuf_printf(out, "%s%s/%s", i ? ", " : "", s->allowed.items[i]->vnet->name,
                               s->allowed.items[i]->name);
        vnrs_strbuf_puts(out, s->restricted ? "]\n" : "\n");
    }
    if (!m->internet.present)
        return;
    vnrs_strbuf_printf(out, "internet:\n  snat: %s\n  hosts: ", yes_no(m->internet.snat));
    put_hosts(out, m->internet.hosts.items, m->internet.hosts.len);
    vnrs_strbuf_puts(out, "\n");
}

static void print_announce(struct vnrs_strbuf *out, const struct vnrs_announce *a)
{
    vnrs_strbuf_puts(out, "        - {prefix: ");
    put_prefix(out, &a->prefix);
    vnrs_strbuf_printf(out, ", prepend: %u", a->prepend);
    if (a->next_hop.family) {
        vnrs_strbuf_puts(out, ", nextHop: ");
        put_addr(out, &a->next_hop);
    }
    if (a->has_med)
        vnrs_strbuf_printf(out, ", med: %u", a->med);
    if (a->communities.len) {
        vnrs_strbuf_puts(out, ", ");
        put_numbers(out, "communities", &a->communities, true);
    }
    vnrs_strbuf_puts(out, "}\n");
}

void print_run(struct vnrs_strbuf *out, const struct vnrs_run *run, bool hide)
{
    if (run->kind == VNRS_RUN_NONE)
        return;
    vnrs_strbuf_printf(out, "    run:\n      kind: %s\n", vnrs_run_kind_names[run->kind]);
    if (run->asn)
        vnrs_strbuf_printf(out, "      asn: %u\n", run->asn);
    if (run->config) {
        vnrs_strbuf_puts(out, "      configText: ");
        put_quoted(out, hide ? VNRS_BGP_PASSWORD_HIDDEN : run->config);
        vnrs_strbuf_puts(out, "\n");
    }
    if (run->announce.len)
        vnrs_strbuf_puts(out, "      announce:\n");
    list_foreach (a, &run->announce)
        print_announce(out, a);
    if (run->argv.len)
        vnrs_strbuf_puts(out, "      exec:\n");
    for (size_t i = 0; i < run->argv.len; i++) {
        vnrs_strbuf_puts(out, "        - ");
        put_quoted(out, hide && i ? VNRS_BGP_PASSWORD_HIDDEN : run->argv.items[i]);
        vnrs_strbuf_puts(out, "\n");
    }
}

static void put_link(struct vnrs_strbuf *out, const struct vnrs_impair *link)
{
    char text[16];

    if (vnrs_impair_is_none(link))
        return;
    vnrs_strbuf_printf(out, ", link: {down: %s", yes_no(link->down));
    if (link->loss_ppm)
        vnrs_strbuf_printf(out, ", loss: %s", vnrs_loss_format(link->loss_ppm, text));
    if (link->rate_kbit)
        vnrs_strbuf_printf(out, ", rate: %s", vnrs_rate_format(link->rate_kbit, text));
    if (link->delay_us)
        vnrs_strbuf_printf(out, ", delay: %s", vnrs_delay_format(link->delay_us, text));
    if (link->jitter_us)
        vnrs_strbuf_printf(out, ", jitter: %s", vnrs_delay_format(link->jitter_us, text));
    vnrs_strbuf_puts(out, "}");
}

static void print_nic(struct vnrs_strbuf *out, const struct vnrs_nic *nic)
{
    vnrs_strbuf_printf(out, "      - {subnet: %s/%s, privateIps: ", nic->subnet->vnet->name, nic->subnet->name);
    put_addrs(out, nic->ips.items, nic->ips.len);
    vnrs_strbuf_printf(out, ", enableIPForwarding: %s, mtu: %u", yes_no(nic->forwarding), nic->mtu);
    if (nic->attach) {
        vnrs_strbuf_puts(out, ", attach: ");
        put_quoted(out, nic->ifname);
    }
    put_link(out, &nic->link);
    vnrs_strbuf_puts(out, "}\n");
}

static void print_netns(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
{
    if (machine->netns == VNRS_NETNS_PID)
        vnrs_strbuf_printf(out, "    pid: %d\n", machine->pid);
    if (!machine->netns_ref)
        return;
    vnrs_strbuf_puts(out, machine->netns == VNRS_NETNS_CONTAINER ? "    container: " : "    netns: ");
    put_quoted(out, machine->netns_ref);
    vnrs_strbuf_puts(out, "\n");
}

static void print_machines(struct vnrs_strbuf *out, const struct vnrs_model *m, bool hide)
{
    if (m->n_user_machines)
        vnrs_strbuf_puts(out, "machines:\n");
    list_foreach (machine, &m->machines) {
        if (machine->role != VNRS_MACHINE_USER)
            break; // those after it come of gateways, sites and connections
        vnrs_strbuf_printf(out, "  - name: %s\n", machine->name);
        print_netns(out, machine);
        vnrs_strbuf_puts(out, "    nics:\n");
        list_foreach (nic, &machine->nics)
            print_nic(out, nic);
        print_run(out, &machine->run, hide);
        if (machine->inject.on)
            vnrs_strbuf_printf(out, "    inject: {table: %u, protocol: %u, metric: %u}\n", machine->inject.table,
                               machine->inject.protocol, machine->inject.metric);
        else
            vnrs_strbuf_puts(out, "    inject: off\n");
        if (!machine->hosts.len)
            continue;
        vnrs_strbuf_puts(out, "    hosts: ");
        put_hosts(out, machine->hosts.items, machine->hosts.len);
        vnrs_strbuf_puts(out, "\n");
    }
}

static void print_next_hop_test(struct vnrs_strbuf *out, const struct vnrs_test *test)
{
    vnrs_strbuf_puts(out, "    expect: {");
    if (test->has_type)
        vnrs_strbuf_printf(out, "nextHopType: %s",
                           test->ecmp ? VNRS_NEXTHOP_APPLIANCE_ECMP : vnrs_nexthop_names[test->type]);
    if (test->has_next_hops) {
        vnrs_strbuf_printf(out, "%snextHopIp: ", test->has_type ? ", " : "");
        put_addrs(out, test->next_hops.items, test->next_hops.len);
    }
    vnrs_strbuf_puts(out, "}\n");
}

static void print_tests(struct vnrs_strbuf *out, const struct vnrs_model *m)
{
    static const char *const keys[] = {
        [VNRS_TEST_PING] = "ping", [VNRS_TEST_NEXT_HOP] = "to", [VNRS_TEST_CONNECT] = "connect"};

    if (m->tests.len)
        vnrs_strbuf_puts(out, "tests:\n");
    list_foreach (test, &m->tests) {
        vnrs_strbuf_puts(out, "  - name: ");
        put_quoted(out, test->name);
        vnrs_strbuf_printf(out, "\n    from: %s\n    %s: ", test->from->name, keys[test->kind]);
        put_addr(out, &test->to);
        vnrs_strbuf_puts(out, "\n");
        if (test->kind == VNRS_TEST_CONNECT)
            vnrs_strbuf_printf(out, "    port: %u\n", test->port);
        if (test->kind == VNRS_TEST_NEXT_HOP)
            print_next_hop_test(out, test);
        else
            vnrs_strbuf_printf(out, "    expect: %s\n", test->expect_fail ? "fail" : "ok");
    }
}

static char *print_model(const struct vnrs_model *model, bool hide)
{
    struct vnrs_strbuf out = {0};

    vnrs_strbuf_printf(&out, "name: %s\nlimits: %s\ndataplane: %s\nnoneRoutes: %s\npeeringFlags: %s\n", model->name,
                       vnrs_limits_names[model->limits], vnrs_dataplane_names[model->dataplane],
                       vnrs_none_routes_names[model->none_routes], vnrs_peering_flags_names[model->peering_flags]);
    print_vnets(&out, model);
    print_peerings(&out, model);
    print_service_tags(&out, model);
    print_route_tables(&out, model);
    print_balancers(&out, model);
    print_route_servers(&out, model);
    print_gateways(&out, model, hide);
    print_outside(&out, model);
    print_machines(&out, model, hide);
    print_tests(&out, model);
    return vnrs_strbuf_take(&out);
}

char *vnrs_model_print(const struct vnrs_model *model)
{
    return print_model(model, false);
}

char *vnrs_model_print_hidden(const struct vnrs_model *model)
{
    return print_model(model, true);
}
