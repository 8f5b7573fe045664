// SPDX-License-Identifier: GPL-2.0-or-later
// What the sinks are told at once, as a whole: the next hops of many prefixes change together, or a backend of a load
// balancer does.
#include "control/fib_send.h"
#include "control/state.h"

#include <errno.h>
#include <string.h>

// Nobody knows what the sinks have now.
static void lose(struct vnrs_lab *lab)
{
    lab->fib_sync = lab->fib_items = lab->fib_lost = true;
    vnrs_lab_dirty(lab);
}

static bool is_part(const struct vnrs_learned_set *part, const struct vnrs_learned_set *of)
{
    unsigned at = 0;

    for (unsigned i = 0; i < of->n && at < part->n; i++)
        at += vnrs_addr_equal(&of->paths[i].nexthop, &part->paths[at].nexthop);
    return at == part->n;
}

// These are in groups that other routes have, too.
static bool is_shared(const struct vnrs_learned_set *set, const struct vnrs_fib_member *members, unsigned n)
{
    bool shared = vnrs_learned_is_drop(set);

    for (unsigned i = 0; i < n; i++)
        shared |= (members[i].flags & VNRS_BPF_NHF_BALANCED) != 0;
    return shared;
}

static bool has_members(const struct vnrs_fib_member *a, unsigned n, const struct vnrs_fib_member *b, unsigned n_b)
{
    return n == n_b && memcmp(a, b, n * sizeof(*a)) == 0;
}

typedef VEC(struct vnrs_fib_move) move_list;

// What becomes of the group that the domains of a virtual network have. Returns -EXDEV where that cannot be said of the
// group alone.
static int add_move(const struct vnrs_lab *lab, const struct vnrs_vnet *vnet, const struct vnrs_learned_set *from,
                    const struct vnrs_learned_set *to, move_list *moves)
{
    struct vnrs_fib_move move = {0};

    move.n_from = vnrs_lab_members(lab, vnet, from, move.from);
    move.n_to = vnrs_lab_members(lab, vnet, to, move.to);
    if (is_shared(from, move.from, move.n_from) || is_shared(to, move.to, move.n_to))
        return -EXDEV;
    vec_foreach (known, moves) {
        if (!has_members(known->from, known->n_from, move.from, move.n_from))
            continue;
        return has_members(known->to, known->n_to, move.to, move.n_to) ? 0 : -EXDEV;
    }
    return vec_push(moves, move);
}

static int replace(struct vnrs_lab *lab, const struct vnrs_learned_merged *merged, const struct vnrs_learned_set *to)
{
    const struct vnrs_vnet *last = NULL;
    move_list moves = {0};
    bool any = false;
    int r = 0;

    vec_foreach (d, &lab->domains) {
        const struct vnrs_vnet *vnet = d->domain ? d->domain->vnet : NULL;
        if (r < 0 || !d->learned || (any && vnet == last))
            continue;
        r = add_move(lab, vnet, merged->set, to, &moves);
        any = true;
        last = vnet;
    }
    if (r == 0)
        r = vnrs_fib_move(lab->fib, merged->origin, moves.items, moves.len, vnrs_fib_send, lab);
    vec_free(&moves);
    return r;
}

bool vnrs_lab_move(void *arg, const struct vnrs_learned_merged *merged, const struct vnrs_learned_set *to)
{
    struct vnrs_lab *lab = arg;

    if (!vnrs_lab_fib_is_ready(lab) || lab->fib_lost)
        return true; // a recompute of everything follows
    int r = is_part(to, merged->set) ? vnrs_fib_shrink(lab->fib, merged->origin, to, vnrs_fib_send, lab)
                                     : replace(lab, merged, to);
    if (r == -EXDEV)
        return false;
    if (r < 0)
        lose(lab);
    return true;
}

void vnrs_lab_backend_changed(struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic)
{
    const struct vnrs_fib_backend backend = {.frontend = lb->frontend,
                                             .ifindex = vnrs_lab_link_number(lab, nic->name),
                                             .down = vnrs_probe_is_down(lab, lb, nic)};

    if (!vnrs_lab_fib_is_ready(lab) || lab->fib_lost || !backend.ifindex)
        return; // the next recompute asks for the state
    if (vnrs_fib_set_backend(lab->fib, &backend, vnrs_fib_send, lab) < 0)
        lose(lab);
}
