// SPDX-License-Identifier: GPL-2.0-or-later
// Values of nodes into values of the model. The schema check came first: what it refused reads as absent.
#include "model/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *const vnrs_dataplane_names[3] = {
    [VNRS_DATAPLANE_EBPF] = "ebpf", [VNRS_DATAPLANE_KERNEL] = "kernel", [VNRS_DATAPLANE_NONE] = "none"};
const char *const vnrs_peering_flags_names[2] = {[VNRS_PEERING_FLAGS_DROP] = "drop", [VNRS_PEERING_FLAGS_TAG] = "tag"};
const char *const vnrs_limits_names[2] = {[VNRS_LIMITS_AZURE] = "azure", [VNRS_LIMITS_NONE] = "none"};
const char *const vnrs_none_routes_names[3] = {
    [VNRS_NONE_DOCUMENTED] = "documented", [VNRS_NONE_LEGACY] = "legacy", [VNRS_NONE_PLATFORM] = "platform"};
const char *const vnrs_bmp_rib_names[4] = {"prePolicy", "postPolicy", "locRib", "adjRibOut"};
const char *const vnrs_preference_names[3] = {
    [VNRS_HRP_EXPRESSROUTE] = "ExpressRoute", [VNRS_HRP_VPN] = "VpnGateway", [VNRS_HRP_ASPATH] = "ASPath"};
const char *const vnrs_map_condition_names[_VNRS_MAP_CONDITION_MAX] = {[VNRS_MAP_EQUALS] = "Equals",
                                                                       [VNRS_MAP_CONTAINS] = "Contains",
                                                                       [VNRS_MAP_NOT_EQUALS] = "NotEquals",
                                                                       [VNRS_MAP_NOT_CONTAINS] = "NotContains"};
const char *const vnrs_map_action_names[_VNRS_MAP_ACTION_MAX] = {
    [VNRS_MAP_DROP] = "Drop", [VNRS_MAP_ADD] = "Add", [VNRS_MAP_REPLACE] = "Replace", [VNRS_MAP_REMOVE] = "Remove"};
const char *const vnrs_run_kind_names[_VNRS_RUN_MAX] = {
    [VNRS_RUN_NONE] = "",       [VNRS_RUN_FRR] = "frr",       [VNRS_RUN_BIRD] = "bird",        [VNRS_RUN_EXEC] = "exec",
    [VNRS_RUN_GOBGP] = "gobgp", [VNRS_RUN_EXABGP] = "exabgp", [VNRS_RUN_OPENBGPD] = "openbgpd"};
const char *const vnrs_gateway_type_names[2] = {
    [VNRS_GATEWAY_VPN] = "Vpn", [VNRS_GATEWAY_EXPRESSROUTE] = "ExpressRoute"};
const char *const vnrs_connection_type_names[2] = {
    [VNRS_CONNECTION_IPSEC] = "IPsec", [VNRS_CONNECTION_EXPRESSROUTE] = "ExpressRoute"};
const char *const vnrs_nexthop_names[_VNRS_NH_MAX] = {
#define X(id, text) [id] = text,
    VNRS_NEXTHOP_TYPES(X)
#undef X
};

const char *vnrs_read_text(struct vnrs_loader *l, const struct vnrs_node *map, const char *key)
{
    const struct vnrs_node *node = vnrs_node_get(map, key);
    return node ? vnrs_loader_strdup(l, node->text) : NULL;
}

bool vnrs_read_bool(const struct vnrs_node *map, const char *key, bool def)
{
    const struct vnrs_node *node = vnrs_node_get(map, key);
    return node ? strcmp(node->text, "true") == 0 : def;
}

uint32_t vnrs_read_number(const struct vnrs_node *map, const char *key, uint32_t def)
{
    const struct vnrs_node *node = vnrs_node_get(map, key);
    return node ? (uint32_t)strtoul(node->text, NULL, 10) : def;
}

int vnrs_read_enum(const struct vnrs_node *map, const char *key, const char *const *values, size_t n, int def)
{
    const struct vnrs_node *node = vnrs_node_get(map, key);

    for (size_t i = 0; node && i < n; i++)
        if (strcmp(node->text, values[i]) == 0)
            return (int)i;
    return def;
}

void vnrs_read_addr(struct vnrs_loader *l, const struct vnrs_node *map, const char *key, struct vnrs_addr *out)
{
    const struct vnrs_node *node = vnrs_node_get(map, key);

    if (node && vnrs_addr_parse(node->text, out) == 0)
        vnrs_loader_mark(l, out, node->pos);
}

// A list, or the single value that may stand for one.
static const struct vnrs_node *list_first(const struct vnrs_node *node)
{
    return node->kind == VNRS_NODE_LIST ? node->first : node;
}

static size_t list_room(const struct vnrs_node *node)
{
    return node->kind == VNRS_NODE_LIST ? node->n : 1;
}

void vnrs_read_addrs(struct vnrs_loader *l, const struct vnrs_node *node, vnrs_addr_list *out)
{
    if (!node || !(out->items = vnrs_loader_alloc(l, list_room(node) * sizeof(*out->items))))
        return;
    for (const struct vnrs_node *n = list_first(node); n; n = node->kind == VNRS_NODE_LIST ? n->next : NULL) {
        if (n->bad || vnrs_addr_parse(n->text, &out->items[out->len]) < 0)
            continue;
        vnrs_loader_mark(l, &out->items[out->len++], n->pos);
    }
}

void vnrs_read_prefixes(struct vnrs_loader *l, const struct vnrs_node *node, vnrs_prefix_list *out)
{
    if (!node || !(out->items = vnrs_loader_alloc(l, list_room(node) * sizeof(*out->items))))
        return;
    for (const struct vnrs_node *n = list_first(node); n; n = node->kind == VNRS_NODE_LIST ? n->next : NULL) {
        if (n->bad || vnrs_prefix_parse(n->text, &out->items[out->len]) < 0)
            continue;
        vnrs_loader_mark(l, &out->items[out->len++], n->pos);
    }
}

void vnrs_read_timers(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_bgp_timers *timers)
{
    if (!node)
        return;
    timers->hold = vnrs_read_number(node, "hold", timers->hold);
    timers->keepalive = vnrs_read_number(node, "keepalive", timers->hold / 3);
    struct vnrs_diag *d = NULL;
    if (timers->hold == 1 || timers->hold == 2)
        d = loader_error(l, VNRS_V_TIMERS, node->pos, "hold time of %u seconds", timers->hold);
    else if (timers->hold && (!timers->keepalive || timers->keepalive >= timers->hold))
        d = loader_error(l, VNRS_V_TIMERS, node->pos, "keepalive of %u seconds with a hold time of %u",
                         timers->keepalive, timers->hold);
    else if (!timers->hold && timers->keepalive)
        d = loader_error(l, VNRS_V_TIMERS, node->pos, "keepalive of %u seconds, but the hold timer is off",
                         timers->keepalive);
    vnrs_diag_help(l->diags, d, "hold is 0 or at least 3; keepalive is shorter, usually a third (RFC 4271)");
}

// What it does not say stays as it is.
void vnrs_read_bfd(const struct vnrs_node *node, struct vnrs_bfd_options *bfd)
{
    if (!node || node->bad)
        return;
    bfd->on = node->kind == VNRS_NODE_MAP || strcmp(node->text, "true") == 0;
    if (node->kind != VNRS_NODE_MAP)
        return;
    bfd->tx_ms = vnrs_read_number(node, "transmitInterval", bfd->tx_ms);
    bfd->rx_ms = vnrs_read_number(node, "receiveInterval", bfd->rx_ms);
    bfd->multiplier = vnrs_read_number(node, "detectMultiplier", bfd->multiplier);
    bfd->has_multihop |= vnrs_node_get(node, "multihop") != NULL;
    bfd->multihop = vnrs_read_bool(node, "multihop", bfd->multihop);
    bfd->ttl_min = vnrs_read_number(node, "minimumTtl", bfd->ttl_min);
    bfd->strict = vnrs_read_bool(node, "strict", bfd->strict);
}

void vnrs_read_ref(struct vnrs_loader *l, struct vnrs_node *node, enum vnrs_ref_kind kind, void **slot)
{
    if (!node || node->bad)
        return;
    vnrs_loader_mark(l, slot, node->pos);
    if (vec_push(&l->refs, (struct vnrs_ref){.kind = kind, .node = node, .slot = slot}) < 0)
        l->diags->failed = true;
}

void vnrs_read_name(struct vnrs_loader *l, enum vnrs_ref_kind kind, const char *noun, const char *name,
                    struct vnrs_pos pos, void *object)
{
    struct vnrs_map *names = &l->names[kind];

    if (!name)
        return;
    const void *other = vnrs_map_find(names, name, strlen(name));
    if (other) {
        const char *slash = strchr(name, '/');
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_DUPLICATE_NAME, pos, "a second %s named '%s'", noun, slash ? slash + 1 : name);
        vnrs_diag_note(l->diags, d, vnrs_loader_pos(l, other, (struct vnrs_pos){0}), "the first is here");
        return;
    }
    vnrs_loader_mark(l, object, pos);
    if (vnrs_map_put(names, name, strlen(name), object) < 0)
        l->diags->failed = true;
}

void vnrs_read_hosts(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_host **ret, size_t *ret_n)
{
    struct vnrs_host *hosts = list ? vnrs_loader_alloc(l, list->n * sizeof(*hosts)) : NULL;
    size_t n = 0;

    if (!hosts)
        return;
    node_foreach (node, list) {
        struct vnrs_host *host = &hosts[n];
        host->name = vnrs_read_text(l, node, "name");
        host->pos = node->pos;
        vnrs_read_addr(l, node, "ip", &host->ip);
        if (host->name && host->ip.family)
            n++;
    }
    *ret = hosts;
    *ret_n = n;
}

void vnrs_read_local_name(struct vnrs_loader *l, struct vnrs_map *seen, const char *noun, const char *name,
                          struct vnrs_node *node)
{
    if (!name)
        return;
    const struct vnrs_node *other = vnrs_map_find(seen, name, strlen(name));
    if (other) {
        struct vnrs_diag *d = loader_error(l, VNRS_V_DUPLICATE_NAME, node->pos, "a second %s named '%s'", noun, name);
        vnrs_diag_note(l->diags, d, other->pos, "the first is here");
    } else if (vnrs_map_put(seen, name, strlen(name), node) < 0) {
        l->diags->failed = true;
    }
}

// "65001:1", two 16-bit numbers (RFC 1997).
static int parse_community(const char *text, uint32_t *ret)
{
    unsigned high, low;
    int used = 0;

    if (!strchr("0123456789", text[0]) || sscanf(text, "%5u:%5u%n", &high, &low, &used) != 2 || text[used] ||
        high > UINT16_MAX || low > UINT16_MAX || strspn(text, "0123456789:") != strlen(text))
        return -EINVAL;
    *ret = high << 16 | low;
    return 0;
}

void vnrs_read_communities(struct vnrs_loader *l, const struct vnrs_node *list, vnrs_number_list *out)
{
    if (!list || !(out->items = vnrs_loader_alloc(l, list->n * sizeof(*out->items))))
        return;
    node_foreach (node, list) {
        uint32_t *community = &out->items[out->len];
        if (node->bad)
            continue;
        if (parse_community(node->text, community) == 0) {
            vnrs_loader_mark(l, community, node->pos);
            out->len++;
            continue;
        }
        struct vnrs_diag *d = loader_error(l, VNRS_V_BAD_COMMUNITY, node->pos, "'%s' is not a community", node->text);
        vnrs_diag_help(l->diags, d, "two numbers up to 65535 in quotes: \"65001:1\"");
    }
}
