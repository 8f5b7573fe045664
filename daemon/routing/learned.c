// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/routing.h"

#include <errno.h>
#include <string.h>

static uint32_t shortest_path(const struct vnrs_learned_set *set, uint32_t shortest)
{
    for (unsigned i = 0; i < set->n; i++)
        shortest = MIN(shortest, set->paths[i].path_len);
    return shortest;
}

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

void vnrs_learned_merge(const struct vnrs_learned_set *a, const struct vnrs_learned_set *b,
                        struct vnrs_learned_set *out)
{
    struct vnrs_learned_set merged = {0};
    uint32_t shortest = shortest_path(b, shortest_path(a, UINT32_MAX));

    for (unsigned i = 0; i < a->n; i++) {
        if (a->paths[i].path_len == shortest)
            path_insert(&merged, &a->paths[i]);
    }
    for (unsigned i = 0; i < b->n; i++) {
        if (b->paths[i].path_len == shortest)
            path_insert(&merged, &b->paths[i]);
    }
    *out = merged;
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

static size_t locals_add(const struct vnrs_model *model, const struct vnrs_route_server *rs, struct vnrs_prefix *out)
{
    size_t n = ranges_add(&rs->vnet->address_space, out);

    list_foreach (vnet, &model->vnets) {
        const struct vnrs_peering *to = vnrs_model_find_peering(model, rs->vnet, vnet);
        if (to && vnrs_model_route_server_of(model, vnet) == rs)
            n += ranges_add(&to->remote_space, out ? out + n : NULL); // as known on its side
    }
    return n;
}

int vnrs_route_server_locals(const struct vnrs_model *model, const struct vnrs_route_server *rs,
                             struct vnrs_prefix **ret, size_t *ret_n)
{
    size_t n = locals_add(model, rs, NULL);
    struct vnrs_prefix *prefixes = NULL;

    if (n) {
        prefixes = calloc(n, sizeof(*prefixes));
        if (!prefixes)
            return -ENOMEM;
        (void)locals_add(model, rs, prefixes);
    }
    *ret = prefixes;
    *ret_n = n;
    return 0;
}
