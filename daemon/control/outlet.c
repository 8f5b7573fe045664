// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/outlet.h"

#include <errno.h>
#include <string.h>

static void drop_sets(struct vnrs_outlet *outlet)
{
    vec_foreach (set, &outlet->sets)
        if (*set)
            vnrs_learned_unref(outlet->db, *set);
    vec_clear(&outlet->sets);
}

void vnrs_outlet_fini(struct vnrs_outlet *outlet)
{
    drop_sets(outlet);
    vec_free(&outlet->sets);
    vec_free(&outlet->circuits);
}

// As learned.h wants it: by address, no duplicates.
static void add_path(struct vnrs_said *said, const struct vnrs_addr *next_hop, uint64_t beyond,
                     const struct vnrs_spk_nexthop *path)
{
    unsigned at = 0;

    while (at < said->n && vnrs_addr_cmp(&said->paths[at].hop.nexthop, next_hop) < 0)
        at++;
    if (at < said->n && vnrs_addr_equal(&said->paths[at].hop.nexthop, next_hop)) {
        said->paths[at].sources |= path->sources;
        said->paths[at].hop.beyond |= beyond;
        return;
    }
    memmove(&said->paths[at + 1], &said->paths[at], (said->n++ - at) * sizeof(said->paths[0]));
    said->paths[at].hop.nexthop = *next_hop;
    said->paths[at].hop.path_len = path->path_len;
    said->paths[at].hop.beyond = beyond;
    said->paths[at].sources = path->sources;
}

static unsigned circuit_of(const struct vnrs_outlet *outlet, const struct vnrs_addr *next_hop)
{
    vec_foreach (known, &outlet->circuits)
        if (vnrs_addr_equal(&known->next_hop, next_hop))
            return known->circuit;
    return 0;
}

static void keep_one_circuit(const struct vnrs_outlet *outlet, struct vnrs_said *said)
{
    unsigned first = circuit_of(outlet, &said->paths[0].hop.nexthop), others = 0;

    for (unsigned i = 1; i < said->n; i++)
        others += circuit_of(outlet, &said->paths[i].hop.nexthop) != first;
    if (!others)
        return;
    memset(&said->paths[1], 0, (said->n - 1) * sizeof(said->paths[0]));
    said->n = 1;
}

static void convert(const struct vnrs_outlet *outlet, const struct vnrs_spk_set *in, struct vnrs_said *ret_said)
{
    memset(ret_said, 0, sizeof(*ret_said)); // compared by bytes
    for (unsigned i = 0; i < in->n; i++) {
        const struct vnrs_spk_nexthop *path = &in->paths[i];
        if (outlet->hops == VNRS_OUTLET_NOT_SELF && vnrs_addr_equal(&path->nexthop, &outlet->self))
            continue;
        bool to_self = outlet->hops == VNRS_OUTLET_TO_SELF && path->nexthop.family;
        add_path(ret_said, to_self ? &outlet->self : &path->nexthop, to_self ? path->sources : 0, path);
    }
    if (outlet->circuits.len && ret_said->n)
        keep_one_circuit(outlet, ret_said);
}

int vnrs_outlet_sets(struct vnrs_outlet *outlet, const struct vnrs_spk_set *sets, size_t n)
{
    drop_sets(outlet);
    for (size_t i = 0; i < n; i++) {
        struct vnrs_said said;
        uint32_t id = 0;
        convert(outlet, &sets[i], &said);
        int r = vec_reserve(&outlet->sets);
        if (r == 0 && said.n)
            r = vnrs_learned_intern(outlet->db, outlet->number, &said, &id);
        if (r < 0)
            return r;
        outlet->sets.items[outlet->sets.len++] = id;
    }
    return 0;
}

static bool is_said(const struct vnrs_said *a, const struct vnrs_said *b)
{
    return a->n == b->n && memcmp(a->paths, b->paths, a->n * sizeof(a->paths[0])) == 0;
}

// True when whatever is one with `i` here goes the same way.
static bool goes_one_way(const struct vnrs_outlet *outlet, const struct vnrs_spk_next *next,
                         const struct vnrs_learned_heir *heirs, size_t n, size_t i)
{
    bool one_way = outlet->hops == VNRS_OUTLET_AS_RECEIVED || !next[i].more;

    for (size_t k = 0; k < n; k++)
        if (is_said(&heirs[k].from, &heirs[i].from))
            one_way &= !next[k].parts && is_said(&heirs[k].to, &heirs[i].to);
    return one_way;
}

int vnrs_outlet_next(const struct vnrs_outlet *outlet, const struct vnrs_spk_next *next, size_t n,
                     vnrs_learned_move move, void *arg)
{
    size_t kept = 0;

    if (outlet->hops == VNRS_OUTLET_NOT_SELF || outlet->circuits.len)
        return 0;
    _free_ struct vnrs_learned_heir *heirs = calloc(n ? n : 1, sizeof(*heirs));
    if (!heirs)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        convert(outlet, &next[i].from, &heirs[i].from);
        convert(outlet, &next[i].to, &heirs[i].to);
    }
    _free_ struct vnrs_learned_heir *sure = calloc(n ? n : 1, sizeof(*sure));
    if (!sure)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (goes_one_way(outlet, next, heirs, n, i))
            sure[kept++] = heirs[i];
    return vnrs_learned_inherit(outlet->db, outlet->number, sure, kept, move, arg);
}

int vnrs_outlet_route(struct vnrs_outlet *outlet, const struct vnrs_spk_route *route)
{
    return vnrs_learned_put(outlet->db, outlet->number, &route->prefix,
                            route->set ? outlet->sets.items[route->set - 1] : 0);
}
