// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/routing.h"

#include <errno.h>
#include <string.h>

// Keep `out` sorted by next hop; the first path of a next hop stays. Beyond the array's end the highest addresses go.
static void path_insert(struct vnrs_learned_set *out, const struct vnrs_learned_nexthop *path)
{
    unsigned at = 0;

    while (at < out->n && vnrs_addr_cmp(&out->paths[at].nexthop, &path->nexthop) < 0)
        at++;
    if (at == ARRAY_SIZE(out->paths) || (at < out->n && vnrs_addr_equal(&out->paths[at].nexthop, &path->nexthop)))
        return;
    unsigned moved = MIN(out->n, (unsigned)ARRAY_SIZE(out->paths) - 1) - at;
    memmove(&out->paths[at + 1], &out->paths[at], moved * sizeof(out->paths[0]));
    out->paths[at] = *path;
    out->n = MIN(out->n + 1, (unsigned)ARRAY_SIZE(out->paths));
}

static unsigned bit(enum vnrs_learned_class class)
{
    return 1u << class;
}

// The classes that come first, of those in `there`.
static unsigned preferred(enum vnrs_hub_preference preference, unsigned there)
{
    unsigned er = there & bit(VNRS_LEARNED_ER), others = there & ~er;

    if (preference == VNRS_HRP_EXPRESSROUTE && er)
        return er;
    if (preference == VNRS_HRP_VPN && others)
        return others;
    return there;
}

void vnrs_learned_merge(const struct vnrs_learned_offer *offers, size_t n, enum vnrs_hub_preference preference,
                        struct vnrs_learned_set *out, struct vnrs_learned_verdict *ret_verdict)
{
    struct vnrs_learned_set merged = {0};
    unsigned there = 0, won = 0;
    uint32_t shortest = UINT32_MAX;

    for (size_t i = 0; i < n; i++)
        there |= offers[i].set->n ? bit(offers[i].from) : 0;
    unsigned first = preferred(preference, there);
    for (size_t i = 0; i < n; i++) {
        for (unsigned at = 0; at < offers[i].set->n && bit(offers[i].from) & first; at++)
            shortest = MIN(shortest, offers[i].set->paths[at].path_len);
    }
    for (size_t i = 0; i < n; i++) {
        for (unsigned at = 0; at < offers[i].set->n && bit(offers[i].from) & first; at++) {
            if (offers[i].set->paths[at].path_len != shortest)
                continue;
            path_insert(&merged, &offers[i].set->paths[at]);
            won |= bit(offers[i].from);
        }
    }
    if (vnrs_learned_is_drop(&merged)) { // no address comes before all others
        memset(&merged.paths[1], 0, sizeof(merged.paths) - sizeof(merged.paths[0]));
        merged.n = 1;
    }
    *out = merged;
    if (ret_verdict)
        *ret_verdict = (struct vnrs_learned_verdict){
            .won = (uint8_t)won, .ranked = (uint8_t)(there & ~first), .longer = (uint8_t)(first & ~won)};
}

// ---- hubs

static const struct vnrs_route_server *route_server_in(const struct vnrs_model *model, const struct vnrs_vnet *hub)
{
    list_foreach (rs, &model->route_servers) {
        if (rs->vnet == hub)
            return rs;
    }
    return NULL;
}

enum vnrs_hub_preference vnrs_hub_preference_of(const struct vnrs_model *model, const struct vnrs_vnet *hub)
{
    const struct vnrs_route_server *rs = route_server_in(model, hub);
    return rs ? rs->preference : VNRS_HRP_EXPRESSROUTE;
}

const char *vnrs_hub_preference_name(enum vnrs_hub_preference preference)
{
    static const char *const names[] = {
        [VNRS_HRP_EXPRESSROUTE] = "ExpressRoute", [VNRS_HRP_VPN] = "VpnGateway", [VNRS_HRP_ASPATH] = "ASPath"};
    return (unsigned)preference < ARRAY_SIZE(names) ? names[preference] : "Unknown";
}

static size_t ranges_add(const vnrs_prefix_list *ranges, struct vnrs_prefix *out)
{
    size_t n = 0;

    list_foreach (range, ranges) {
        if (range->family != VNRS_AF_IPV4)
            continue;
        if (out)
            out[n] = *range;
        n++;
    }
    return n;
}

static size_t locals_add(const struct vnrs_model *model, const struct vnrs_vnet *hub, struct vnrs_prefix *out)
{
    size_t n = ranges_add(&hub->address_space, out);

    list_foreach (vnet, &model->vnets) {
        const struct vnrs_peering *to = vnrs_model_find_peering(model, hub, vnet);
        if (to && vnrs_model_hub_of(model, vnet) == hub)
            n += ranges_add(&to->remote_space, out ? out + n : NULL); // as known on its side
    }
    return n;
}

int vnrs_hub_locals(const struct vnrs_model *model, const struct vnrs_vnet *hub, struct vnrs_prefix **ret,
                    size_t *ret_n)
{
    size_t n = locals_add(model, hub, NULL);
    struct vnrs_prefix *prefixes = NULL;

    if (n) {
        prefixes = calloc(n, sizeof(*prefixes));
        if (!prefixes)
            return -ENOMEM;
        (void)locals_add(model, hub, prefixes);
    }
    *ret = prefixes;
    *ret_n = n;
    return 0;
}
