// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/adj_out_turn.h"

struct vnrs_bgp_dest *vnrs_bgp_turn_take(const struct vnrs_bgp_turn *t, uint64_t *ret_for)
{
    struct vnrs_bgp_rib *rib = &t->sp->rib;

    *ret_for = t->consumers;
    if (t->kind == VNRS_BGP_TURN_RING)
        return vnrs_bgp_queue_pop(rib, t->number);
    if (t->kind == VNRS_BGP_TURN_WALK)
        return vnrs_bgp_queue_walk(rib, t->number, t->consumers, t->looks, ret_for);
    struct vnrs_bgp_member *m = t->sp->members[__builtin_ctzll(t->consumers)];
    while (m->locals_told < t->sp->locals.len) {
        struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(rib, &t->sp->locals.items[m->locals_told++]);
        if (d && vnrs_bgp_queue_take(rib, d, m->slot))
            return d;
    }
    return NULL;
}

void vnrs_bgp_turn_give_back(const struct vnrs_bgp_turn *t, struct vnrs_bgp_dest *d, uint64_t consumers)
{
    struct vnrs_bgp_rib *rib = &t->sp->rib;

    if (t->kind == VNRS_BGP_TURN_RING) {
        vnrs_bgp_queue_unpop(rib, t->number, d);
    } else if (t->kind == VNRS_BGP_TURN_WALK) {
        vnrs_bgp_queue_unwalk(rib, t->number, d, consumers);
    } else {
        struct vnrs_bgp_member *m = t->sp->members[__builtin_ctzll(consumers)];
        vnrs_bgp_queue_untake(rib, d, m->slot);
        m->locals_told--;
    }
}

void vnrs_bgp_turn_deliver(struct vnrs_bgp_speaker *sp, uint64_t to, int len)
{
    while (to) {
        struct vnrs_bgp_member *m = vnrs_bgp_take_member(sp, &to);
        vnrs_bgp_peer_told(&m->peer, sp->now, sp->message);
        sp->ops->send(sp->arg, m, vnrs_bgp_peer_session(&m->peer)->side, sp->message, (size_t)len);
    }
}

size_t vnrs_bgp_turn_send(const struct vnrs_bgp_turn *t, uint8_t af, uint64_t to, const struct vnrs_bgp_attrs *attrs,
                          size_t n)
{
    struct vnrs_bgp_speaker *sp = t->sp;
    uint64_t first = to;
    size_t used = 0;
    // Any of them: in what matters here the sessions of a group are equal.
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&vnrs_bgp_take_member(sp, &first)->peer);

    int len = vnrs_bgp_update_encode(&fsm->session, af, attrs, sp->batch_prefixes,
                                     t->group->add_path[af] ? sp->batch_path_ids : NULL, n, sp->message,
                                     sizeof(sp->message), &used);
    if (len <= 0)
        return 0;
    vnrs_bgp_turn_deliver(sp, to, len);
    for (size_t i = 0; i < used && sp->observer && sp->observer->told; i++)
        sp->observer->told(sp->observer_arg, &sp->batch_prefixes[i], t->group->add_path[af] ? sp->batch_path_ids[i] : 0,
                           to);
    return used;
}

static void count(struct vnrs_bgp_speaker *sp, uint64_t members, int by)
{
    while (members)
        vnrs_bgp_take_member(sp, &members)->advertised += (uint32_t)by;
}

void vnrs_bgp_turn_mark(struct vnrs_bgp_speaker *sp, struct vnrs_bgp_dest *d, uint64_t told, uint64_t forgot)
{
    count(sp, told & ~d->advertised, 1);
    count(sp, forgot & d->advertised, -1);
    d->advertised = (d->advertised | told) & ~forgot;
}
