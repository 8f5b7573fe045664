// SPDX-License-Identifier: GPL-2.0-or-later
// Machines: their NICs, what they run and announce. Rules: azure-routing.md sections 5.2, 5.5, 8.2 and 10.
#include "model/impair.h"
#include "model/loader.h"

#include <string.h>

static bool is_reserved_subnet(const struct vnrs_subnet *subnet)
{
    return strcmp(subnet->name, "RouteServerSubnet") == 0 || strcmp(subnet->name, "GatewaySubnet") == 0;
}

static void check_nic(struct vnrs_loader *l, const struct vnrs_machine *machine, const struct vnrs_nic *nic)
{
    struct vnrs_pos pos = vnrs_loader_pos(l, &nic->subnet, nic->pos);
    const struct vnrs_nic *first = machine->nics.items;
    struct vnrs_diag *d;

    if (nic->subnet && is_reserved_subnet(nic->subnet)) {
        d = loader_error(l, VNRS_V_RESERVED_SUBNET, pos, "machine '%s' in %s", machine->name, nic->subnet->name);
        vnrs_diag_help(l->diags, d, "this subnet is for Azure's own instances only");
    }
    if (nic->subnet && first->subnet && nic->subnet->vnet != first->subnet->vnet) {
        d = loader_error(l, VNRS_V_NICS_ACROSS_VNETS, pos,
                         "machine '%s' has NICs in two virtual networks, '%s' and '%s'", machine->name,
                         first->subnet->vnet->name, nic->subnet->vnet->name);
        vnrs_diag_note(l->diags, d, first->pos, "the first NIC is here");
        vnrs_diag_help(l->diags, d, "Azure wants all NICs of a machine in one virtual network");
    }
    if (!nic->attach && l->model->dataplane == VNRS_DATAPLANE_NONE) {
        d = loader_error(l, VNRS_V_ATTACH_NEEDED, nic->pos, "NIC of '%s' without 'attach'", machine->name);
        vnrs_diag_help(l->diags, d, "with 'dataplane: none' no link is made: name an interface that exists");
    } else if (!nic->attach && machine->netns == VNRS_NETNS_SELF) {
        d = loader_error(l, VNRS_V_ATTACH_NEEDED, nic->pos, "NIC of '%s' without 'attach' beside one with it",
                         machine->name);
        vnrs_diag_help(l->diags, d, "a machine in the daemon's own namespace has interfaces that exist already");
    }
    if (nic->attach && !vnrs_impair_is_none(&nic->link)) {
        d = loader_error(l, VNRS_V_LINK_NOT_OURS, vnrs_loader_pos(l, &nic->link, nic->pos),
                         "link of '%s', which is attached", nic->name);
        vnrs_diag_help(l->diags, d, "only links that vnrs makes can be impaired; `tc qdisc` does it to others");
    }
    list_foreach (other, &machine->nics) {
        if (other >= nic || !other->ifname || !nic->ifname || strcmp(other->ifname, nic->ifname) != 0)
            continue;
        d = loader_error(l, VNRS_V_INTERFACE_DUPLICATE, vnrs_loader_pos(l, &nic->ifname, nic->pos), "a second NIC '%s'",
                         nic->name);
        vnrs_diag_note(l->diags, d, other->pos, "the first is here");
    }
}

static bool speaks_bgp(const struct vnrs_machine *machine)
{
    return machine->run.kind != VNRS_RUN_NONE && machine->run.kind != VNRS_RUN_EXEC;
}

static bool is_peer_of(const struct vnrs_machine *machine, const struct vnrs_route_server *rs)
{
    list_foreach (c, &rs->connections)
        if (c->nic && c->nic->machine == machine)
            return true;
    return false;
}

static bool forwards(const struct vnrs_machine *machine)
{
    list_foreach (nic, &machine->nics)
        if (nic->forwarding)
            return true;
    return false;
}

// A Route Server takes such a route but programs it nowhere (section 5.5).
static void check_local(struct vnrs_loader *l, const struct vnrs_machine *machine, const struct vnrs_announce *a)
{
    const struct vnrs_model *m = l->model;
    char x[VNRS_PREFIX_STR_MAX], y[VNRS_PREFIX_STR_MAX];

    list_foreach (rs, &m->route_servers) {
        if (!is_peer_of(machine, rs))
            continue;
        list_foreach (vnet, &m->vnets)
            list_foreach (range, &vnet->address_space) {
                if (!vnrs_prefix_contains(range, &a->prefix) || vnrs_model_route_server_of(m, vnet) != rs)
                    continue;
                struct vnrs_diag *d =
                    loader_warning(l, VNRS_V_ANNOUNCE_LOCAL, vnrs_loader_pos(l, &a->prefix, machine->pos),
                                   "'%s' announces %s, which lies in %s of '%s'", machine->name,
                                   vnrs_prefix_format(&a->prefix, x), vnrs_prefix_format(range, y), vnet->name);
                vnrs_diag_help(l->diags, d,
                               "a Route Server never programs prefixes of the networks it serves; use a route table");
                return;
            }
    }
}

// 0.0.0.0/0 comes back to the NVA's own subnet unless a route there says otherwise (section 8.2).
static void check_default(struct vnrs_loader *l, const struct vnrs_machine *machine, const struct vnrs_announce *a)
{
    const struct vnrs_subnet *subnet = machine->nics.len ? machine->nics.items[0].subnet : NULL;

    if (a->prefix.len || !subnet)
        return;
    if (subnet->route_table) {
        if (subnet->route_table->disable_bgp_propagation)
            return;
        list_foreach (udr, &subnet->route_table->routes)
            if (vnrs_prefix_equal(&udr->prefix, &a->prefix))
                return;
    }
    struct vnrs_diag *d = loader_warning(l, VNRS_V_ANNOUNCE_DEFAULT, vnrs_loader_pos(l, &a->prefix, machine->pos),
                                         "'%s' announces the default route into its own subnet", machine->name);
    vnrs_diag_note(l->diags, d, subnet->pos, "subnet '%s/%s' has no such route of its own", subnet->vnet->name,
                   subnet->name);
    vnrs_diag_help(l->diags, d,
                   "its packets to the Internet come back to it: give the subnet a route table with "
                   "0.0.0.0/0 to Internet");
}

static void check_communities(struct vnrs_loader *l, const struct vnrs_announce *a)
{
    list_foreach (community, &a->communities) {
        uint32_t high = *community >> 16;
        if (high != 65517 && high != 65518 && *community != (65515u << 16 | 10000) &&
            *community != (65515u << 16 | 20000))
            continue;
        struct vnrs_diag *d =
            loader_warning(l, VNRS_V_COMMUNITY_RESERVED, vnrs_loader_pos(l, community, (struct vnrs_pos){0}),
                           "community %u:%u is reserved by Azure", high, *community & 0xffff);
        vnrs_diag_help(l->diags, d, "Route Servers and gateways use it among themselves");
    }
}

static void check_announce(struct vnrs_loader *l, const struct vnrs_machine *machine)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (a, &machine->run.announce) {
        if (!a->prefix.family)
            continue;
        check_communities(l, a);
        check_local(l, machine, a);
        check_default(l, machine, a);
        list_foreach (other, &machine->run.announce) {
            if (other >= a || !vnrs_prefix_equal(&other->prefix, &a->prefix))
                continue;
            struct vnrs_diag *d =
                loader_error(l, VNRS_V_ANNOUNCE_DUPLICATE, vnrs_loader_pos(l, &a->prefix, machine->pos),
                             "%s is announced twice", vnrs_prefix_format(&a->prefix, text));
            vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, &other->prefix, machine->pos), "the first is here");
            break;
        }
    }
}

// What a configuration of FRR needs to peer with a Route Server, which is in another subnet and of another AS: one of
// these words in each row (azure-routing.md 5.11).
static const struct {
    const char *words[5];
    const char *add;
} frr_needs[] = {
    {{"ebgp-multihop", "disable-connected-check", "disable-ebgp-connected-route-check", "ttl-security"},
     "'neighbor ... ebgp-multihop', or the session does not come up"},
    {{"no bgp ebgp-requires-policy", "route-map", "frr defaults datacenter"},
     "'no bgp ebgp-requires-policy' or route maps, or no route is exchanged"},
};

static void check_own_config(struct vnrs_loader *l, const struct vnrs_run *run)
{
    const char *missing[ARRAY_SIZE(frr_needs)];
    size_t n = 0;

    if (run->kind != VNRS_RUN_FRR || !run->config)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(frr_needs); i++) {
        bool found = false;
        for (const char *const *word = frr_needs[i].words; *word; word++)
            found |= strstr(run->config, *word) != NULL;
        if (!found)
            missing[n++] = frr_needs[i].add;
    }
    if (!n)
        return;
    struct vnrs_diag *d = loader_warning(l, VNRS_V_FRR_CONFIG, vnrs_loader_pos(l, &run->config, run->pos),
                                         "this configuration of FRR is not enough to peer with a Route Server");
    vnrs_diag_help(l->diags, d, "add %s%s%s", missing[0], n > 1 ? "; and " : "", n > 1 ? missing[1] : "");
}

static void check_run(struct vnrs_loader *l, const struct vnrs_machine *machine)
{
    const struct vnrs_run *run = &machine->run;
    bool is_peer = false;
    struct vnrs_diag *d;

    if (run->kind == VNRS_RUN_NONE)
        return;
    if (l->model->dataplane == VNRS_DATAPLANE_NONE) {
        d = loader_error(l, VNRS_V_RUN_NOT_POSSIBLE, run->pos, "machine '%s' with 'run'", machine->name);
        vnrs_diag_help(l->diags, d, "with 'dataplane: none' nothing is started; run the daemon outside the lab");
        return;
    }
    if (!speaks_bgp(machine))
        return;
    if (!run->asn && !run->config) {
        d = loader_error(l, VNRS_V_RUN_NO_ASN, run->pos, "machine '%s' runs BGP without an ASN", machine->name);
        vnrs_diag_help(l->diags, d, "add 'asn', the same as 'peerAsn' of its BGP connection");
    }
    list_foreach (rs, &l->model->route_servers)
        is_peer |= is_peer_of(machine, rs);
    if (!is_peer)
        (void)loader_warning(l, VNRS_V_RUN_NO_PEER, run->pos, "'%s' runs BGP, but no Route Server has it as a peer",
                             machine->name);
    else
        check_own_config(l, run);
    if (run->announce.len && !forwards(machine)) {
        d = loader_error(l, VNRS_V_RUN_NOT_FORWARDING, run->pos, "'%s' announces routes, but none of its NICs forwards",
                         machine->name);
        vnrs_diag_note(l->diags, d, machine->nics.len ? machine->nics.items[0].pos : machine->pos, "its NIC is here");
        vnrs_diag_help(l->diags, d, "add 'enableIPForwarding: true' to the NIC");
    }
    check_announce(l, machine);
}

void vnrs_validate_machines(struct vnrs_loader *l)
{
    list_foreach (machine, &l->model->machines) {
        if (!machine->name || machine->role != VNRS_MACHINE_USER)
            continue;
        list_foreach (nic, &machine->nics)
            check_nic(l, machine, nic);
        check_run(l, machine);
        if (!machine->hosts.len || machine->run.kind != VNRS_RUN_NONE || forwards(machine))
            continue;
        struct vnrs_diag *d = loader_error(l, VNRS_V_BEHIND_NOT_FORWARDING, machine->hosts.items[0].pos,
                                           "hosts behind '%s', which does not forward", machine->name);
        vnrs_diag_help(l->diags, d, "add 'enableIPForwarding: true' to its NIC");
    }
}
