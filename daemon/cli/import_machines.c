// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual machines, their NICs, scale sets, firewalls and internal load balancers of an ARM template.
#include "cli/import_map.h"

#include "cli/arm_expr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MACHINES   "Microsoft.Compute/virtualMachines"
#define SCALE_SETS "Microsoft.Compute/virtualMachineScaleSets"
#define NICS       "Microsoft.Network/networkInterfaces"
#define FIREWALLS  "Microsoft.Network/azureFirewalls"
#define BALANCERS  "Microsoft.Network/loadBalancers"

// ---- NICs

// Of ipConfigurations: the subnet of the first, and the addresses where all of them say one.
static json_t *make_nic(const json_t *properties)
{
    const json_t *list = vnrs_arm_get(properties, "ipConfigurations");
    json_t *subnet = vnrs_import_subnet_ref(vnrs_arm_path(json_array_get(list, 0), "properties.subnet"));
    json_t *addresses = json_array();

    if (!subnet) {
        json_decref(addresses);
        return NULL;
    }
    json_t *nic = json_pack("{s:o}", "subnet", subnet);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *address = vnrs_import_text(json_array_get(list, i), "properties.privateIPAddress");
        if (address)
            (void)json_array_append_new(addresses, json_string(address));
    }
    if (json_array_size(addresses) == 1 && json_array_size(list) == 1)
        (void)json_object_set(nic, "privateIp", json_array_get(addresses, 0));
    else if (json_array_size(addresses) > 0 && json_array_size(addresses) == json_array_size(list))
        (void)json_object_set(nic, "privateIps", addresses);
    json_decref(addresses);
    if (json_is_true(vnrs_arm_get(properties, "enableIPForwarding")))
        (void)json_object_set_new(nic, "enableIPForwarding", json_true());
    return nic;
}

// The ASN that a Route Server expects at one of the machine's addresses, or NULL; borrowed.
static json_t *asn_of(const struct vnrs_import *import, const json_t *nics)
{
    const json_t *servers = json_object_get(import->topology, "routeServers");

    for (size_t s = 0; s < json_array_size(servers); s++) {
        const json_t *peers = json_object_get(json_array_get(servers, s), "bgpConnections");
        for (size_t p = 0; p < json_array_size(peers); p++) {
            const json_t *ip = json_object_get(json_array_get(peers, p), "peerIp");
            for (size_t n = 0; ip && n < json_array_size(nics); n++)
                if (json_equal(json_object_get(json_array_get(nics, n), "privateIp"), ip))
                    return json_object_get(json_array_get(peers, p), "peerAsn");
        }
    }
    return NULL;
}

// `nics` is taken.
static void add_machine(struct vnrs_import *import, const json_t *resource, json_t *name, json_t *nics)
{
    json_t *machine = json_pack("{s:o, s:o}", "name", name, "nics", nics), *asn = asn_of(import, nics);

    if (asn) {
        (void)json_object_set_new(machine, "run", json_pack("{s:s, s:O}", "kind", "frr", "asn", asn));
        vnrs_import_note(import, resource, NULL,
                         "it peers with a Route Server: it runs FRR and announces nothing until "
                         "'announce' says what");
    }
    (void)json_array_append_new(vnrs_import_section(import, "machines"), machine);
}

static void add_virtual_machine(struct vnrs_import *import, const json_t *resource)
{
    const json_t *refs = vnrs_arm_path(resource, "properties.networkProfile.networkInterfaces");
    json_t *nics = json_array();

    for (size_t i = 0; i < json_array_size(refs); i++) {
        json_t *name = vnrs_import_ref(json_array_get(refs, i), "networkInterfaces");
        const json_t *found = name ? vnrs_import_find(import, NICS, json_string_value(name)) : NULL;
        json_t *nic = found ? make_nic(vnrs_arm_get(found, "properties")) : NULL;
        if (nic)
            (void)json_array_append_new(nics, nic);
        else
            vnrs_import_note(import, resource, "networkProfile", "its NIC '%s' is not in the template, or in no subnet",
                             name ? json_string_value(name) : "?");
        json_decref(name);
    }
    if (json_array_size(nics)) {
        add_machine(import, resource, vnrs_import_name(vnrs_import_text(resource, "name")), nics);
    } else {
        vnrs_import_note(import, resource, NULL, "it has no NIC");
        json_decref(nics);
    }
}

// The machine that has a NIC, and which of its NICs that is; NULL: none.
static const json_t *owner_of(const struct vnrs_import *import, const json_t *nic, size_t *ret_index)
{
    json_t *wanted = vnrs_import_name(vnrs_import_text(nic, "name"));
    const json_t *machine, *found = NULL;
    size_t at = 0;

    while (!found && (machine = vnrs_import_next(import, MACHINES, &at))) {
        const json_t *refs = vnrs_arm_path(machine, "properties.networkProfile.networkInterfaces");
        for (size_t i = 0; i < json_array_size(refs) && !found; i++) {
            json_t *name = vnrs_import_ref(json_array_get(refs, i), "networkInterfaces");
            if (name && json_equal(name, wanted)) {
                found = machine;
                *ret_index = i;
            }
            json_decref(name);
        }
    }
    json_decref(wanted);
    return found;
}

// A NIC without a machine is one, so that its address answers.
static void add_lone_nic(struct vnrs_import *import, const json_t *resource)
{
    size_t index;

    if (owner_of(import, resource, &index))
        return;
    json_t *nic = make_nic(vnrs_arm_get(resource, "properties"));
    if (nic)
        add_machine(import, resource, vnrs_import_name(vnrs_import_text(resource, "name")), json_pack("[o]", nic));
    else
        vnrs_import_note(import, resource, NULL, "it is in no subnet of the template");
}

static void add_scale_set(struct vnrs_import *import, const json_t *resource)
{
    const json_t *list =
        vnrs_arm_path(resource, "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations");
    json_int_t n = json_integer_value(vnrs_arm_path(resource, "sku.capacity"));
    json_t *nics = json_array(), *name = vnrs_import_name(vnrs_import_text(resource, "name"));

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *nic = make_nic(vnrs_arm_get(json_array_get(list, i), "properties"));
        if (nic)
            (void)json_array_append_new(nics, nic);
    }
    if (json_array_size(nics) && n > 0) {
        add_machine(import, resource, json_sprintf("%s-{1..%lld}", json_string_value(name), (long long)n), nics);
    } else {
        vnrs_import_note(import, resource, NULL, "it has no machines, or they have no NICs");
        json_decref(nics);
    }
    json_decref(name);
}

static void add_firewall(struct vnrs_import *import, const json_t *resource)
{
    json_t *nic = make_nic(vnrs_arm_get(resource, "properties"));

    if (!nic) {
        vnrs_import_note(import, resource, NULL, "it is in no subnet of the template");
        return;
    }
    (void)json_object_set_new(nic, "enableIPForwarding", json_true());
    vnrs_import_note(import, resource, NULL, "a machine that forwards everything stands for it");
    add_machine(import, resource, vnrs_import_name(vnrs_import_text(resource, "name")), json_pack("[o]", nic));
}

// ---- load balancers

static bool is_backend(const json_t *nic, const char *balancer)
{
    const json_t *list = vnrs_arm_path(nic, "properties.ipConfigurations");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pools = vnrs_arm_path(json_array_get(list, i), "properties.loadBalancerBackendAddressPools");
        for (size_t p = 0; p < json_array_size(pools); p++) {
            json_t *name = vnrs_import_ref(json_array_get(pools, p), "loadBalancers");
            bool same = name && strcasecmp(json_string_value(name), balancer) == 0;
            json_decref(name);
            if (same)
                return true;
        }
    }
    return false;
}

// NICs of its pool, as MACHINE/ethN.
static json_t *backends_of(const struct vnrs_import *import, const char *balancer)
{
    json_t *list = json_array();
    const json_t *nic;
    size_t at = 0, index = 0;

    while ((nic = vnrs_import_next(import, NICS, &at))) {
        if (!is_backend(nic, balancer))
            continue;
        const json_t *machine = owner_of(import, nic, &index);
        json_t *name = vnrs_import_name(vnrs_import_text(machine ? machine : nic, "name"));
        (void)json_array_append_new(list, json_sprintf("%s/eth%zu", json_string_value(name), machine ? index : 0));
        json_decref(name);
    }
    return list;
}

static bool has_all_ports(const json_t *resource)
{
    const json_t *rules = vnrs_arm_path(resource, "properties.loadBalancingRules");

    for (size_t i = 0; i < json_array_size(rules); i++) {
        const char *protocol = vnrs_import_text(json_array_get(rules, i), "properties.protocol");
        if (protocol && strcasecmp(protocol, "All") == 0)
            return true;
    }
    return false;
}

static void add_balancer(struct vnrs_import *import, const json_t *resource)
{
    static const char *const probe_keys[] = {"port", "intervalInSeconds", "numberOfProbes", NULL};
    const json_t *frontend = json_array_get(vnrs_arm_path(resource, "properties.frontendIPConfigurations"), 0);
    const json_t *probe = json_array_get(vnrs_arm_path(resource, "properties.probes"), 0);
    json_t *subnet = vnrs_import_subnet_ref(vnrs_arm_path(frontend, "properties.subnet"));
    json_t *name = vnrs_import_name(vnrs_import_text(resource, "name"));
    const char *address = vnrs_import_text(frontend, "properties.privateIPAddress");

    if (!subnet || !probe || !has_all_ports(resource)) {
        vnrs_import_note(import, resource, NULL,
                         "only internal load balancers with an HA ports rule and a probe are built");
        json_decref(subnet);
        json_decref(name);
        return;
    }
    json_t *lb = json_pack("{s:o, s:o}", "name", name, "subnet", subnet), *watch = json_object();
    if (address)
        (void)json_object_set_new(lb, "privateIPAddress", json_string(address));
    (void)json_object_set_new(lb, "backendPool", backends_of(import, json_string_value(name)));
    vnrs_import_take_numbers(watch, vnrs_arm_get(probe, "properties"), probe_keys);
    (void)json_object_set_new(lb, "probe", watch);
    (void)json_array_append_new(vnrs_import_section(import, "loadBalancers"), lb);
}

void vnrs_import_machines(struct vnrs_import *import)
{
    static const struct {
        const char *type;
        void (*add)(struct vnrs_import *import, const json_t *resource);
    } passes[] = {{MACHINES, add_virtual_machine},
                  {NICS, add_lone_nic},
                  {SCALE_SETS, add_scale_set},
                  {FIREWALLS, add_firewall},
                  {BALANCERS, add_balancer}};
    const json_t *resource;

    for (size_t i = 0; i < ARRAY_SIZE(passes); i++) {
        size_t at = 0;
        while ((resource = vnrs_import_next(import, passes[i].type, &at)))
            passes[i].add(import, resource);
    }
}
