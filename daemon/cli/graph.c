// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/graph.h"

#include <stdio.h>
#include <string.h>

struct maker {
    const struct vnrs_model *model;
    json_t *nodes, *edges;
    json_t *ids; // "kind/name": id
};

// ---- nodes and edges

static json_t *find(const struct maker *m, const char *kind, const char *name)
{
    char key[256];

    (void)snprintf(key, sizeof(key), "%s/%s", kind, name);
    return json_object_get(m->ids, key);
}

// Takes `details`. Returns the id, borrowed.
static json_t *add_node(struct maker *m, const char *kind, const char *name, json_t *in, json_t *details)
{
    char key[256];
    json_t *id = json_sprintf("n%zu", json_array_size(m->nodes) + 1);

    (void)snprintf(key, sizeof(key), "%s/%s", kind, name);
    (void)json_object_set(m->ids, key, id);
    (void)json_array_append_new(m->nodes, json_pack("{s:O, s:s, s:s, s:O?, s:o}", "id", id, "kind", kind, "name", name,
                                                    "in", in, "details", details));
    json_decref(id);
    return find(m, kind, name);
}

// Takes `details`. Returns the edge, borrowed.
static json_t *add_edge(struct maker *m, const char *kind, const char *name, json_t *from, json_t *to, json_t *details)
{
    (void)json_array_append_new(m->edges, json_pack("{s:O, s:O, s:s, s:s, s:o}", "from", from, "to", to, "kind", kind,
                                                    "name", name, "details", details));
    return json_array_get(m->edges, json_array_size(m->edges) - 1);
}

static void add_line(json_t *details, const char *text)
{
    (void)json_array_append_new(details, json_string(text));
}

static void set_up(json_t *object, bool up)
{
    (void)json_object_set_new(object, "state", json_string(up ? "up" : "down"));
}

static json_t *prefix_lines(const vnrs_prefix_list *prefixes)
{
    char text[VNRS_PREFIX_STR_MAX];
    json_t *details = json_array();

    list_foreach (prefix, prefixes)
        add_line(details, vnrs_prefix_format(prefix, text));
    return details;
}

static void add_addrs(json_t *details, const struct vnrs_addr *addrs, size_t n)
{
    char text[VNRS_ADDR_STR_MAX];

    for (size_t i = 0; i < n; i++)
        if (addrs[i].family != VNRS_AF_NONE)
            add_line(details, vnrs_addr_format(&addrs[i], text));
}

static void add_asn(json_t *details, uint32_t asn)
{
    if (asn)
        (void)json_array_append_new(details, json_sprintf("AS %u", asn));
}

static const char *subnet_key(const struct vnrs_subnet *subnet, char text[static 160])
{
    (void)snprintf(text, 160, "%s/%s", subnet->vnet->name, subnet->name);
    return text;
}

static json_t *find_subnet(const struct maker *m, const struct vnrs_subnet *subnet)
{
    char key[160];
    return find(m, "subnet", subnet_key(subnet, key));
}

static json_t *find_machine(const struct maker *m, const char *name)
{
    json_t *id = find(m, "machine", name);
    return id ? id : find(m, "nva", name);
}

// ---- virtual networks

static void add_vnets(struct maker *m)
{
    char key[160];

    list_foreach (vnet, &m->model->vnets) {
        json_t *details = prefix_lines(&vnet->address_space);
        if (vnet->region)
            add_line(details, vnet->region);
        json_t *in = add_node(m, "virtualNetwork", vnet->name, NULL, details);
        list_foreach (subnet, &vnet->subnets) {
            details = prefix_lines(&subnet->prefixes);
            if (subnet->route_table)
                (void)json_array_append_new(details, json_sprintf("route table %s", subnet->route_table->name));
            (void)add_node(m, "subnet", subnet_key(subnet, key), in, details);
        }
    }
}

// The two halves are one edge, from the one that is first in the file; it has the worse state of the two.
static void add_peerings(struct maker *m)
{
    list_foreach (p, &m->model->peerings) {
        bool uses_gateway = p->use_remote_gateways || (p->other && p->other->use_remote_gateways);
        enum vnrs_peering_state state = p->other && p->state == VNRS_PEERING_CONNECTED ? p->other->state : p->state;
        bool is_up = p->other && state == VNRS_PEERING_CONNECTED;
        if (p->other && p->other < p)
            continue;
        json_t *details = json_array();
        add_line(details, vnrs_peering_state_name(state));
        if (p->global)
            add_line(details, "global");
        if (uses_gateway)
            (void)json_array_append_new(
                details, json_sprintf("uses gateways of %s", p->use_remote_gateways ? p->remote->name : p->vnet->name));
        set_up(add_edge(m, "peering", "", find(m, "virtualNetwork", p->vnet->name),
                        find(m, "virtualNetwork", p->remote->name), details),
               is_up);
    }
}

// ---- machines

static void add_further_nics(struct maker *m, const struct vnrs_machine *machine, json_t *id)
{
    for (size_t i = 1; i < machine->nics.len; i++) {
        const struct vnrs_nic *nic = &machine->nics.items[i];
        json_t *details = json_array();
        add_addrs(details, nic->ips.items, nic->ips.len);
        json_t *other = add_node(m, "nic", nic->name, find_subnet(m, nic->subnet), details);
        (void)add_edge(m, "nic", "", id, other, json_array());
    }
}

static void add_hosts_behind(struct maker *m, const struct vnrs_machine *machine, json_t *id)
{
    list_foreach (host, &machine->hosts) {
        json_t *other = find(m, "host", host->name), *details = json_array();
        add_addrs(details, &host->ip, 1);
        if (other)
            json_decref(details);
        else
            other = add_node(m, "host", host->name, NULL, details);
        (void)add_edge(m, "behind", "", id, other, json_array());
    }
}

static void add_machines(struct maker *m)
{
    for (size_t i = 0; i < m->model->n_user_machines; i++) {
        const struct vnrs_machine *machine = &m->model->machines.items[i];
        const struct vnrs_nic *first = machine->nics.len ? &machine->nics.items[0] : NULL;
        bool forwards = false;
        json_t *details = json_array();
        list_foreach (nic, &machine->nics)
            forwards |= nic->forwarding;
        if (first)
            add_addrs(details, first->ips.items, first->ips.len);
        add_asn(details, machine->run.asn);
        json_t *id = add_node(m, forwards ? "nva" : "machine", machine->name,
                              first ? find_subnet(m, first->subnet) : NULL, details);
        add_further_nics(m, machine, id);
        add_hosts_behind(m, machine, id);
    }
}

static void add_balancers(struct maker *m)
{
    list_foreach (lb, &m->model->balancers) {
        json_t *details = json_array();
        add_addrs(details, &lb->frontend, 1);
        json_t *id = add_node(m, "loadBalancer", lb->name, find_subnet(m, lb->subnet), details);
        list_foreach (nic, &lb->backends)
            (void)add_edge(m, "backend", "", id, find_machine(m, (*nic)->machine->name), json_array());
    }
}

// ---- BGP and the outside

static json_t *find_peer(struct maker *m, const struct vnrs_bgp_connection *c)
{
    char text[VNRS_ADDR_STR_MAX];
    json_t *id = c->nic ? find_machine(m, c->nic->machine->name) : NULL;

    if (id)
        return id;
    id = find(m, "bgpPeer", vnrs_addr_format(&c->peer_ip, text));
    return id ? id : add_node(m, "bgpPeer", text, NULL, json_array());
}

static void add_route_servers(struct maker *m)
{
    list_foreach (rs, &m->model->route_servers) {
        json_t *details = json_array();
        add_addrs(details, rs->ips, VNRS_RS_INSTANCES);
        add_asn(details, VNRS_RS_ASN);
        json_t *id =
            add_node(m, "routeServer", rs->name,
                     rs->subnet ? find_subnet(m, rs->subnet) : find(m, "virtualNetwork", rs->vnet->name), details);
        list_foreach (c, &rs->connections) {
            json_t *edge =
                add_edge(m, "bgp", c->name, id, find_peer(m, c), json_pack("[o]", json_sprintf("AS %u", c->peer_asn)));
            (void)json_object_set_new(edge, "owner", json_string(rs->name));
        }
    }
}

static void add_gateways(struct maker *m)
{
    list_foreach (gateway, &m->model->gateways) {
        json_t *details = json_array();
        add_line(details, gateway->type == VNRS_GATEWAY_VPN ? "Vpn" : "ExpressRoute");
        for (unsigned i = 0; i < gateway->n_instances; i++)
            add_addrs(details, &gateway->instances[i].ip, 1);
        add_asn(details, gateway->asn);
        json_t *id = add_node(m, "gateway", gateway->name, find_subnet(m, gateway->subnet), details);
        list_foreach (rs, &m->model->route_servers) {
            if (rs->vnet == gateway->vnet && rs->allow_branch_to_branch)
                (void)add_edge(m, "bgp", "", find(m, "routeServer", rs->name), id,
                               json_pack("[s]", "branch-to-branch"));
        }
    }
}

static void add_outside(struct maker *m)
{
    list_foreach (site, &m->model->sites) {
        json_t *details = prefix_lines(&site->prefixes);
        add_asn(details, site->asn);
        (void)add_node(m, "site", site->name, NULL, details);
    }
    list_foreach (c, &m->model->connections)
        (void)add_edge(m, "connection", c->name, find(m, "gateway", c->gateway->name), find(m, "site", c->site->name),
                       json_pack("[s]", c->type == VNRS_CONNECTION_IPSEC ? "IPsec" : "ExpressRoute"));
    list_foreach (service, &m->model->services)
        (void)add_node(m, "service", service->name, NULL, prefix_lines(&service->prefixes));
    list_foreach (vnet, &m->model->vnets) {
        list_foreach (subnet, &vnet->subnets) {
            list_foreach (service, &subnet->service_endpoints)
                (void)add_edge(m, "serviceEndpoint", "", find_subnet(m, subnet), find(m, "service", (*service)->name),
                               json_array());
        }
    }
    if (!m->model->internet.present)
        return;
    json_t *details = json_array();
    list_foreach (host, &m->model->internet.hosts)
        add_line(details, host->name);
    (void)add_node(m, "internet", "Internet", NULL, details);
}

json_t *vnrs_graph_make(const struct vnrs_model *model)
{
    struct maker m = {.model = model, .nodes = json_array(), .edges = json_array(), .ids = json_object()};
    json_t *graph = json_pack("{s:s, s:O, s:O}", "name", model->name, "nodes", m.nodes, "edges", m.edges);

    if (graph && m.ids) {
        add_vnets(&m);
        add_peerings(&m);
        add_machines(&m);
        add_balancers(&m);
        add_route_servers(&m);
        add_gateways(&m);
        add_outside(&m);
    }
    json_decref(m.nodes);
    json_decref(m.edges);
    json_decref(m.ids);
    return graph;
}

// ---- what runs

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_same(const json_t *a, const char *a_key, const json_t *b, const char *b_key)
{
    return strcmp(text_of(a, a_key), text_of(b, b_key)) == 0;
}

// Of all instances of the Route Server.
static void add_sessions(json_t *edge, const json_t *peers)
{
    size_t i, all = 0, established = 0;
    const char *other = "";
    json_t *peer, *details = json_object_get(edge, "details");

    json_array_foreach(peers, i, peer)
    {
        if (!is_same(peer, "owner", edge, "owner") || !is_same(peer, "name", edge, "name"))
            continue;
        all++;
        if (strcmp(text_of(peer, "state"), "Established") == 0)
            established++;
        else
            other = text_of(peer, "state");
    }
    if (!all)
        return;
    if (established == all)
        add_line(details, "Established");
    else if (established)
        (void)json_array_append_new(details, json_sprintf("%zu of %zu Established", established, all));
    else
        add_line(details, other);
    set_up(edge, established == all);
}

static void add_connection(json_t *edge, const json_t *connections)
{
    json_t *connection;
    size_t i;

    json_array_foreach(connections, i, connection)
    {
        const char *status = text_of(connection, "connectionStatus");
        if (!is_same(connection, "name", edge, "name"))
            continue;
        add_line(json_object_get(edge, "details"), status);
        set_up(edge, strcmp(status, "Connected") == 0);
        return;
    }
}

static void add_machine_state(json_t *node, const json_t *machines)
{
    json_t *machine;
    size_t i;

    json_array_foreach(machines, i, machine)
    {
        const char *state = text_of(machine, "state");
        if (is_same(machine, "name", node, "name"))
            set_up(node, strcmp(state, "up") == 0 || strcmp(state, "running") == 0);
    }
}

void vnrs_graph_add_states(json_t *graph, const json_t *peers, const json_t *lab)
{
    json_t *edge, *node;
    size_t i;

    json_array_foreach(json_object_get(graph, "edges"), i, edge)
    {
        const char *kind = text_of(edge, "kind");
        if (strcmp(kind, "bgp") == 0 && json_object_get(edge, "owner"))
            add_sessions(edge, peers);
        else if (strcmp(kind, "connection") == 0)
            add_connection(edge, json_object_get(lab, "connections"));
    }
    json_array_foreach(json_object_get(graph, "nodes"), i, node)
    {
        const char *kind = text_of(node, "kind");
        if (strcmp(kind, "machine") == 0 || strcmp(kind, "nva") == 0)
            add_machine_state(node, json_object_get(lab, "machines"));
    }
}
