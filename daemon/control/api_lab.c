// SPDX-License-Identifier: GPL-2.0-or-later
// Requests about labs as they are: list, inspect, tests.
#include "control/api.h"
#include "control/links.h"
#include "control/outside.h"
#include "control/state.h"

#include "model/impair.h"
#include "plan/names.h"
#include "util/arena.h"

#include <string.h>

static const char *const dataplanes[] = {"ebpf", "kernel", "none"};

void vnrs_api_labs(struct vnrs_api_call *call)
{
    json_t *list = json_array();

    vec_foreach (entry, &call->control->labs) {
        struct vnrs_lab *lab = *entry;
        const struct vnrs_model *model = lab->model ? lab->model : lab->next;
        if (!lab->generation)
            continue; // only looked at for leftovers
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:I, s:b, s:i, s:i}", "name", lab->name, "file",
                            lab->file ? lab->file : "", "dataplane", model ? dataplanes[model->dataplane] : "",
                            "generation", (json_int_t)lab->generation, "ready", vnrs_api_lab_is_ready(lab), "machines",
                            model ? (int)model->machines.len : 0, "nics", model ? (int)model->nics.len : 0));
    }
    vnrs_api_reply(call, 200, json_pack("{s:o}", "value", list));
}

// True: there is a model. Else the call was answered.
static bool has_model(struct vnrs_api_call *call)
{
    if (call->lab->model)
        return true;
    vnrs_api_error(call, 503, "not-ready", call->lab->build_error ? call->lab->build_error : "the lab is being built",
                   "`vnrs status` shows the progress");
    return false;
}

static json_t *addr_list(const vnrs_addr_list *list)
{
    char text[VNRS_ADDR_STR_MAX];
    json_t *json = json_array();

    list_foreach (addr, list)
        (void)json_array_append_new(json, json_string(vnrs_addr_format(addr, text)));
    return json;
}

static json_t *nic_json(const struct vnrs_lab *lab, const struct vnrs_nic *nic)
{
    char link[VNRS_IFNAME_MAX] = "", mac_text[VNRS_MAC_STR_MAX] = "", subnet[128], state[VNRS_IMPAIR_STR_MAX];
    const struct vnrs_impair impair = vnrs_links_get(lab, nic->name, &nic->link);
    uint32_t ifindex = nic->attach ? 0 : vnrs_ids_find(lab->ids, VNRS_ID_LINK, nic->name);

    if (ifindex) {
        struct vnrs_mac mac = vnrs_name_mac(lab->name, nic->name);
        vnrs_mac_format(&mac, mac_text);
        vnrs_name_fabric_link(lab->name, nic->name, link);
    }
    (void)snprintf(subnet, sizeof(subnet), "%s/%s", nic->subnet->vnet->name, nic->subnet->name);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:i, s:s, s:s, s:i}", "name", nic->name, "ifname",
                     nic->ifname, "subnet", subnet, "virtualNetwork", nic->subnet->vnet->name, "privateIpAddresses",
                     addr_list(&nic->ips), "mac", mac_text, "ipForwarding", nic->forwarding, "mtu", (int)nic->mtu,
                     "link", vnrs_impair_is_none(&impair) ? "up" : vnrs_impair_format(&impair, state), "fabricLink",
                     link, "ifindex", (int)ifindex);
}

static const char *machine_state(const struct vnrs_lab *lab, const struct vnrs_machine *machine)
{
    const struct vnrs_obj_state *proc = vnrs_objects_find(lab, VNRS_OBJ_PROC, machine->name);

    if (machine->run.kind == VNRS_RUN_NONE)
        return "up";
    if (!proc || !proc->there)
        return "not started";
    return proc->running ? "running" : "exited";
}

static json_t *machine_json(const struct vnrs_lab *lab, struct vnrs_arena *arena, const struct vnrs_machine *machine)
{
    static const char *const runs[] = {"", "frr", "bird", "exec", "gobgp", "exabgp", "openbgpd"};
    static const char *const kinds[] = {"namespace", "self", "path", "pid", "container"};
    static const char *const roles[] = {"machine", "gateway", "msee", "site"};
    json_t *nics = json_array();

    list_foreach (nic, &machine->nics)
        (void)json_array_append_new(nics, nic_json(lab, nic));
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:o}", "name", machine->name, "role",
                     roles[machine->role], "netns", vnrs_machine_netns(arena, lab->model, machine), "netnsKind",
                     kinds[machine->netns], "pid", machine->netns == VNRS_NETNS_PID ? machine->pid : 0, "run",
                     runs[machine->run.kind], "state", machine_state(lab, machine), "inject", machine->inject.on,
                     "nics", nics);
}

static json_t *route_server_json(const struct vnrs_lab *lab, const struct vnrs_route_server *rs)
{
    static const char *const preferences[] = {"ExpressRoute", "VpnGateway", "ASPath"};
    json_t *ips = json_array(), *netns = json_array();

    for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
        char text[VNRS_NETNS_FULL_MAX], name[VNRS_KEY_MAX];
        if (rs->ips[i].family == VNRS_AF_NONE)
            continue;
        (void)json_array_append_new(ips, json_string(vnrs_addr_format(&rs->ips[i], text)));
        (void)snprintf(name, sizeof(name), "routeserver.%s-%u", rs->name, i);
        if (lab->model->dataplane != VNRS_DATAPLANE_NONE)
            (void)json_array_append_new(netns, json_string(vnrs_name_netns(lab->name, name, text)));
    }
    return json_pack("{s:s, s:s, s:o, s:i, s:o, s:b, s:s, s:i}", "name", rs->name, "virtualNetwork", rs->vnet->name,
                     "virtualRouterIps", ips, "virtualRouterAsn", (int)VNRS_RS_ASN, "netns", netns,
                     "allowBranchToBranchTraffic", rs->allow_branch_to_branch, "hubRoutingPreference",
                     preferences[rs->preference], "bgpConnections", (int)rs->connections.len);
}

static json_t *balancer_json(const struct vnrs_lab *lab, const struct vnrs_balancer *lb)
{
    char text[VNRS_ADDR_STR_MAX], subnet[128];
    json_t *backends = json_array();

    list_foreach (nic, &lb->backends) {
        const char *reason, *state = vnrs_probe_state(lab, lb, *nic, &reason);
        (void)json_array_append_new(
            backends, json_pack("{s:s, s:s, s:s}", "nic", (*nic)->name, "state", state, "reason", reason));
    }
    (void)snprintf(subnet, sizeof(subnet), "%s/%s", lb->subnet->vnet->name, lb->subnet->name);
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:i, s:i}, s:o}", "name", lb->name, "subnet", subnet,
                     "privateIPAddress", vnrs_addr_format(&lb->frontend, text), "probe", "protocol", "Tcp", "port",
                     (int)lb->probe_port, "intervalInSeconds", (int)lb->probe_interval_s, "numberOfProbes",
                     (int)lb->probe_tries, "backends", backends);
}

static void add_host(const struct vnrs_lab *lab, json_t *list, const struct vnrs_host *host, const char *prefix,
                     const char *kind)
{
    char ip[VNRS_ADDR_STR_MAX], name[VNRS_KEY_MAX], netns[VNRS_NETNS_FULL_MAX];

    (void)snprintf(name, sizeof(name), "%s.%s", prefix, host->name);
    (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", host->name, "ip",
                                                vnrs_addr_format(&host->ip, ip), "netns",
                                                vnrs_name_netns(lab->name, name, netns), "kind", kind));
}

static bool is_first(const struct vnrs_model *model, const struct vnrs_machine *last, const char *name)
{
    for (const struct vnrs_machine *machine = model->machines.items; machine < last; machine++) {
        list_foreach (host, &machine->hosts) {
            if (strcmp(host->name, name) == 0)
                return false;
        }
    }
    return true;
}

static json_t *hosts_json(const struct vnrs_lab *lab)
{
    json_t *list = json_array();

    list_foreach (host, &lab->model->internet.hosts)
        add_host(lab, list, host, "internet", "internet");
    list_foreach (service, &lab->model->services) {
        list_foreach (host, &service->hosts)
            add_host(lab, list, host, "service", "service");
    }
    list_foreach (machine, &lab->model->machines) {
        list_foreach (host, &machine->hosts) {
            if (is_first(lab->model, machine, host->name))
                add_host(lab, list, host, "host", "behind");
        }
    }
    return list;
}

void vnrs_api_inspect(struct vnrs_api_call *call)
{
    struct vnrs_lab *lab = call->lab;
    struct vnrs_arena *arena = has_model(call) ? vnrs_arena_new() : NULL;
    char fabric[VNRS_NETNS_FULL_MAX];

    if (!lab->model)
        return;
    json_t *machines = json_array(), *rs_list = json_array(), *lb_list = json_array();
    list_foreach (machine, &lab->model->machines) {
        if (arena)
            (void)json_array_append_new(machines, machine_json(lab, arena, machine));
    }
    vnrs_arena_free(arena);
    list_foreach (rs, &lab->model->route_servers)
        (void)json_array_append_new(rs_list, route_server_json(lab, rs));
    list_foreach (lb, &lab->model->balancers)
        (void)json_array_append_new(lb_list, balancer_json(lab, lb));
    json_t *answer =
        json_pack("{s:s, s:s, s:s, s:I, s:{s:s}, s:o, s:o, s:o, s:o}", "name", lab->name, "file", lab->file,
                  "dataplane", dataplanes[lab->model->dataplane], "generation", (json_int_t)lab->generation, "fabric",
                  "netns", lab->model->dataplane == VNRS_DATAPLANE_NONE ? "" : vnrs_name_netns(lab->name, "", fabric),
                  "machines", machines, "loadBalancers", lb_list, "routeServers", rs_list, "hosts", hosts_json(lab));
    if (answer)
        vnrs_outside_add(lab, answer);
    vnrs_api_reply(call, 200, answer);
}

static json_t *space_json(const vnrs_prefix_list *list)
{
    char text[VNRS_PREFIX_STR_MAX];
    json_t *prefixes = json_array();

    list_foreach (prefix, list)
        (void)json_array_append_new(prefixes, json_string(vnrs_prefix_format(prefix, text)));
    return json_pack("{s:o}", "addressPrefixes", prefixes);
}

void vnrs_api_peerings(struct vnrs_api_call *call)
{
    if (!has_model(call))
        return;
    json_t *list = json_array();
    list_foreach (p, &call->lab->model->peerings) {
        (void)json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:o, s:o, s:s}", "virtualNetwork", p->vnet->name,
                      "remoteVirtualNetwork", p->remote->name, "peeringState", vnrs_peering_state_name(p->state),
                      "peeringSyncLevel", vnrs_peering_sync_level(p), "allowVirtualNetworkAccess", p->allow_access,
                      "allowForwardedTraffic", p->allow_forwarded, "allowGatewayTransit", p->allow_gateway_transit,
                      "useRemoteGateways", p->use_remote_gateways, "peerCompleteVnets", true, "remoteAddressSpace",
                      space_json(&p->remote_space), "remoteVirtualNetworkAddressSpace",
                      space_json(&p->remote->address_space), "nextHopType",
                      vnrs_nexthop_type_name(p->global ? VNRS_NH_VNET_GLOBAL_PEERING : VNRS_NH_VNET_PEERING)));
    }
    vnrs_api_reply(call, 200, json_pack("{s:o}", "value", list));
}

static json_t *test_json(struct vnrs_arena *arena, const struct vnrs_model *model, const struct vnrs_test *test)
{
    static const char *const kinds[] = {"ping", "next-hop", "connect"};
    char to[VNRS_ADDR_STR_MAX];

    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:b, s:o, s:o, s:s}", "name", test->name ? test->name : "", "from",
                     test->from->name, "kind", kinds[test->kind], "to", vnrs_addr_format(&test->to, to), "port",
                     (int)test->port, "expectFail", test->expect_fail, "nextHopType",
                     test->has_type ? json_string(vnrs_next_hop_name(test->type, test->ecmp)) : json_null(),
                     "nextHopIps", test->has_next_hops ? addr_list(&test->next_hops) : json_null(), "netns",
                     vnrs_machine_netns(arena, model, test->from));
}

json_t *vnrs_api_tests_of(const struct vnrs_model *model)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    json_t *list = json_array();

    list_foreach (test, &model->tests) {
        if (arena)
            (void)json_array_append_new(list, test_json(arena, model, test));
    }
    vnrs_arena_free(arena);
    return json_pack("{s:s, s:o}", "lab", model->name, "value", list);
}

void vnrs_api_tests(struct vnrs_api_call *call)
{
    if (has_model(call))
        vnrs_api_reply(call, 200, vnrs_api_tests_of(call->lab->model));
}
