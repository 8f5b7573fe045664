// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/import_map.h"

#include "cli/arm_expr.h"
#include "util/strbuf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// Types that are read, by themselves or with the resource that they belong to, and why others are not. The first row
// that fits the beginning of a type counts.
static const struct {
    const char *type, *why; // NULL: it is read
} kinds[] = {
    {"Microsoft.Network/virtualNetworks", NULL},
    {"Microsoft.Network/routeTables", NULL},
    {"Microsoft.Network/virtualHubs", NULL},
    {"Microsoft.Network/virtualNetworkGateways", NULL},
    {"Microsoft.Network/localNetworkGateways", NULL},
    {"Microsoft.Network/connections", NULL},
    {"Microsoft.Network/expressRouteCircuits", NULL},
    {"Microsoft.Network/networkInterfaces", NULL},
    {"Microsoft.Network/loadBalancers", NULL},
    {"Microsoft.Network/azureFirewalls", NULL},
    {"Microsoft.Compute/virtualMachines/", "what is installed in a machine is said in its 'run'"},
    {"Microsoft.Compute/virtualMachineScaleSets", NULL},
    {"Microsoft.Compute/virtualMachines", NULL},
    {"Microsoft.Network/publicIPAddresses", "NICs have no public addresses here; those of gateways are made up"},
    {"Microsoft.Network/publicIPPrefixes", "NICs have no public addresses here"},
    {"Microsoft.Network/networkSecurityGroups", "routing does not depend on security groups, and there are none"},
    {"Microsoft.Network/applicationSecurityGroups", "routing does not depend on security groups, and there are none"},
    {"Microsoft.Network/natGateways", "there is none; 'internet: {snat: true}' translates for all"},
    {"Microsoft.Network/bastionHosts", "`vnrs shell MACHINE` needs none"},
    {"Microsoft.Network/privateEndpoints", "there is none; a machine in the subnet can stand for one"},
    {"Microsoft.Network/virtualWans", "Virtual WAN is another product, with other rules"},
    {"Microsoft.Network/vpnSites", "Virtual WAN is another product, with other rules"},
};

const json_t *vnrs_import_next(const struct vnrs_import *import, const char *type, size_t *at)
{
    while (*at < json_array_size(import->resources)) {
        const json_t *resource = json_array_get(import->resources, (*at)++);
        if (strcasecmp(vnrs_import_text(resource, "type"), type) == 0)
            return resource;
    }
    return NULL;
}

const json_t *vnrs_import_find(const struct vnrs_import *import, const char *type, const char *name)
{
    const json_t *resource;
    size_t at = 0;

    while ((resource = vnrs_import_next(import, type, &at))) {
        json_t *own = vnrs_import_name(vnrs_import_text(resource, "name"));
        bool same = strcasecmp(json_string_value(own), name) == 0;
        json_decref(own);
        if (same)
            return resource;
    }
    return NULL;
}

void vnrs_import_note(struct vnrs_import *import, const json_t *resource, const char *property, const char *fmt, ...)
{
    char why[200];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    json_t *note = json_pack(
        "{s:o, s:s}", "resource",
        json_sprintf("%s %s", vnrs_import_text(resource, "type"), vnrs_import_text(resource, "name")), "why", why);
    if (property)
        (void)json_object_set_new(note, "property", json_string(property));
    (void)json_array_append_new(import->notes, note);
}

json_t *vnrs_import_section(struct vnrs_import *import, const char *name)
{
    json_t *section = json_object_get(import->topology, name);

    if (!section) {
        section = json_array();
        (void)json_object_set_new(import->topology, name, section);
    }
    return section;
}

json_t *vnrs_import_name(const char *name)
{
    const char *last = strrchr(name, '/');
    char text[81];
    size_t len = 0;

    for (name = last ? last + 1 : name; *name && len < sizeof(text) - 1; name++) {
        bool fits = isalnum((unsigned char)*name) || (len > 0 && (*name == '-' || *name == '_'));
        if (fits || len > 0)
            text[len++] = (char)(fits ? *name : '-');
    }
    text[len] = '\0';
    return json_string(len ? text : "unnamed");
}

// The part of an id that follows "/kind/"; false: there is none.
static bool part_of_id(const json_t *reference, const char *kind, char part[static 128])
{
    const char *at = vnrs_import_text(reference, "id");
    size_t len = strlen(kind);

    for (; at && (at = strchr(at, '/')); at++) {
        if (strncasecmp(at + 1, kind, len) == 0 && at[1 + len] == '/') {
            size_t n = strcspn(at + 2 + len, "/");
            (void)snprintf(part, 128, "%.*s", (int)n, at + 2 + len);
            return n > 0;
        }
    }
    return false;
}

json_t *vnrs_import_ref(const json_t *reference, const char *kind)
{
    char part[128];
    return part_of_id(reference, kind, part) ? vnrs_import_name(part) : NULL;
}

json_t *vnrs_import_subnet_ref(const json_t *reference)
{
    json_t *vnet = vnrs_import_ref(reference, "virtualNetworks"), *subnet = vnrs_import_ref(reference, "subnets");
    json_t *whole = vnet && subnet ? json_sprintf("%s/%s", json_string_value(vnet), json_string_value(subnet)) : NULL;

    json_decref(vnet);
    json_decref(subnet);
    return whole;
}

void vnrs_import_take(json_t *to, const json_t *from, const char *const *names)
{
    for (; *names; names++) {
        json_t *value = vnrs_arm_get(from, *names);
        if (value && !json_is_null(value))
            (void)json_object_set(to, *names, value);
    }
}

void vnrs_import_take_numbers(json_t *to, const json_t *from, const char *const *names)
{
    for (; *names; names++) {
        const json_t *value = vnrs_arm_get(from, *names);
        const char *text = json_string_value(value);
        char *end = NULL;
        long long number = text ? strtoll(text, &end, 10) : json_integer_value(value);
        if (json_is_integer(value) || (text && end != text && !*end))
            (void)json_object_set_new(to, *names, json_integer(number));
    }
}

const char *vnrs_import_text(const json_t *object, const char *path)
{
    return json_string_value(vnrs_arm_path(object, path));
}

// ---- all of it

static void note_kind(struct vnrs_import *import, const json_t *resource)
{
    const char *type = vnrs_import_text(resource, "type");

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (strncasecmp(type, kinds[i].type, strlen(kinds[i].type)) == 0) {
            if (kinds[i].why)
                vnrs_import_note(import, resource, NULL, "%s", kinds[i].why);
            return;
        }
    }
    vnrs_import_note(import, resource, NULL, "nothing stands for it here");
}

// Sections in the order of the documentation, whoever asked for one first.
static void order_sections(struct vnrs_import *import)
{
    static const char *const sections[] = {"virtualNetworks", "virtualNetworkPeerings",
                                           "routeTables",     "loadBalancers",
                                           "routeServers",    "virtualNetworkGateways",
                                           "sites",           "connections",
                                           "services",        "machines"};

    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        json_t *section = json_object_get(import->topology, sections[i]);
        if (!section)
            continue;
        json_incref(section);
        (void)json_object_del(import->topology, sections[i]);
        (void)json_object_set_new(import->topology, sections[i], section);
    }
}

void vnrs_import_map(struct vnrs_import *import, const char *lab)
{
    (void)json_object_set_new(import->topology, "name", vnrs_import_name(lab));
    vnrs_import_networks(import);
    vnrs_import_gateways(import);
    vnrs_import_machines(import);
    order_sections(import);
    for (size_t i = 0; i < json_array_size(import->resources); i++)
        note_kind(import, json_array_get(import->resources, i));
}
