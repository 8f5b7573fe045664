// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_nexthops.h"

#include "vnrs/rtprot.h"

#include <errno.h>
#include <stdio.h>

struct hop { // an object that is one hop; with ifindex 0 the one that drops
    struct vnrs_nlhop hop;
    uint32_t id;
    bool refused, used;
};

struct object { // in the kernel
    struct vnrs_nlnexthop nexthop;
    bool taken; // by a slot
};

void vnrs_nhset_init(struct vnrs_nhset *set, struct vnrs_nl *nl)
{
    *set = (struct vnrs_nhset){.nl = nl, .next_id = VNRS_NHID_FIRST};
}

void vnrs_nhset_fini(struct vnrs_nhset *set)
{
    vnrs_map_fini_values(&set->have);
    vnrs_map_fini_values(&set->hops);
    vnrs_map_fini_values(&set->slots);
    vec_free(&set->links);
}

static bool is_ours(const struct vnrs_nhset *set, const struct vnrs_nlnexthop *nexthop)
{
    if (nexthop->protocol != VNRS_RTPROT)
        return false;
    if (set->exclusive)
        return true;
    if (nexthop->blackhole)
        return false;
    for (uint32_t i = 0; i < nexthop->n_members; i++) {
        const struct object *member = vnrs_map_find(&set->have, &nexthop->members[i], sizeof(nexthop->members[i]));
        if (!member || !is_ours(set, &member->nexthop))
            return false;
    }
    if (nexthop->n_members)
        return true;
    vec_foreach (link, &set->links)
        if (*link == nexthop->hop.ifindex)
            return true;
    return false;
}

static struct object *find_object(const struct vnrs_nhset *set, uint32_t id)
{
    return vnrs_map_find(&set->have, &id, sizeof(id));
}

static int remember(struct vnrs_nhset *set, const struct vnrs_nlnexthop *nexthop)
{
    struct object *known = find_object(set, nexthop->id);

    if (known) {
        known->nexthop = *nexthop;
        return 0;
    }
    _free_ struct object *added = calloc(1, sizeof(*added));
    if (!added)
        return -ENOMEM;
    added->nexthop = *nexthop;
    int r = vnrs_map_put(&set->have, &added->nexthop.id, sizeof(added->nexthop.id), added);
    if (r < 0)
        return r;
    TAKE_PTR(added);
    return 0;
}

static void forget(struct vnrs_nhset *set, uint32_t id)
{
    free(vnrs_map_remove(&set->have, &id, sizeof(id)));
}

static int take_nexthop(const struct nlmsghdr *msg, void *arg)
{
    struct vnrs_nlnexthop nexthop;

    if (!vnrs_nlnexthop_decode(msg, &nexthop) || nexthop.id < VNRS_NHID_FIRST || nexthop.id > VNRS_NHID_LAST)
        return 0;
    return remember(arg, &nexthop);
}

static void restart_load(void *arg)
{
    vnrs_map_fini_values(&((struct vnrs_nhset *)arg)->have);
}

static int put_hop(struct vnrs_nhset *set, const struct vnrs_nlhop *hop, uint32_t id)
{
    _free_ struct hop *added = calloc(1, sizeof(*added));

    if (!added)
        return -ENOMEM;
    *added = (struct hop){.hop = *hop, .id = id};
    int r = vnrs_map_put(&set->hops, &added->hop, sizeof(added->hop), added);
    if (r < 0)
        return r;
    TAKE_PTR(added);
    return 0;
}

// Objects of ours in the kernel keep their ids.
static int adopt_hops(struct vnrs_nhset *set)
{
    struct vnrs_map_entry *e;

    vnrs_map_fini_values(&set->hops);
    for (size_t at = 0; (e = vnrs_map_next(&set->have, &at));) {
        const struct vnrs_nlnexthop *nexthop = &((struct object *)e->value)->nexthop;
        if (nexthop->n_members || nexthop->protocol != VNRS_RTPROT ||
            (nexthop->blackhole && nexthop->family != VNRS_AF_IPV6) ||
            vnrs_map_find(&set->hops, &nexthop->hop, sizeof(nexthop->hop)))
            continue;
        int r = put_hop(set, &nexthop->hop, nexthop->id);
        if (r < 0)
            return r;
    }
    return 0;
}

int vnrs_nhset_load(struct vnrs_nhset *set)
{
    struct vnrs_nlmsg request;
    struct vnrs_map_entry *e;

    set->failed = 0;
    set->error[0] = '\0';
    for (size_t at = 0; (e = vnrs_map_next(&set->slots, &at));)
        ((struct vnrs_nhslot *)e->value)->dirty = true;
    set->dirty = true;
    if (set->legacy)
        return 0;
    vnrs_nlnexthop_encode_dump(&request);
    int r = vnrs_nl_dump(set->nl, &request, restart_load, take_nexthop, set);
    if (r == -EOPNOTSUPP) {
        set->legacy = true;
        return 0;
    }
    if (r < 0)
        return r;
    set->sweep = true;
    for (size_t at = 0; (e = vnrs_map_next(&set->slots, &at));) {
        const struct vnrs_nhslot *slot = e->value;
        struct object *object = find_object(set, slot->id);
        if (object && !slot->direct)
            object->taken = true;
    }
    return adopt_hops(set);
}

const struct vnrs_nhslot *vnrs_nhset_find(const struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family)
{
    const struct vnrs_nhslot key = {.key = {owner, handle, family}};
    return vnrs_map_find(&set->slots, &key.key, sizeof(key.key));
}

static int cmp_hop(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct vnrs_nlhop));
}

uint64_t vnrs_nlhops_digest(struct vnrs_nlhop *hops, uint32_t n)
{
    qsort(hops, n, sizeof(hops[0]), cmp_hop);
    return vnrs_hash_bytes(hops, sizeof(hops[0]) * n);
}

int vnrs_nhset_put(struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family,
                   const struct vnrs_nlhop *hops, uint32_t n_hops, bool direct)
{
    struct vnrs_nhslot want = {.key = {owner, handle, family}, .direct = direct && n_hops == 1, .dirty = true};

    for (uint32_t i = 0; i < n_hops; i++) {
        bool again = false;
        for (uint32_t j = 0; j < want.n_hops; j++)
            again |= memcmp(&hops[i], &want.hops[j], sizeof(hops[i])) == 0;
        if (!again && want.n_hops < VNRS_NLHOPS_MAX)
            want.hops[want.n_hops++] = hops[i];
    }
    want.digest = vnrs_nlhops_digest(want.hops, want.n_hops);
    struct vnrs_nhslot *known = (struct vnrs_nhslot *)vnrs_nhset_find(set, owner, handle, family);
    if (known) {
        if (known->digest == want.digest && known->direct == want.direct)
            return 0;
        bool moved = set->legacy || known->direct || want.direct;
        if (!moved)
            want.id = known->id;
        *known = want;
        set->sweep = set->dirty = true;
        return moved;
    }
    _free_ struct vnrs_nhslot *added = malloc(sizeof(*added));
    if (!added)
        return -ENOMEM;
    *added = want;
    int r = vnrs_map_put(&set->slots, &added->key, sizeof(added->key), added);
    if (r < 0)
        return r;
    TAKE_PTR(added);
    set->dirty = true;
    return 1;
}

void vnrs_nhset_claim(struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family, uint32_t id)
{
    struct vnrs_nhslot *slot = (struct vnrs_nhslot *)vnrs_nhset_find(set, owner, handle, family);
    struct object *object = find_object(set, id);

    if (!slot || slot->id || slot->direct || !object || object->taken || !object->nexthop.n_members ||
        object->nexthop.protocol != VNRS_RTPROT || object->nexthop.resilient != set->resilient)
        return;
    object->taken = true;
    slot->id = id;
}

void vnrs_nhset_release(struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family)
{
    const struct vnrs_nhslot key = {.key = {owner, handle, family}};
    struct vnrs_nhslot *slot = vnrs_map_remove(&set->slots, &key.key, sizeof(key.key));

    if (slot)
        set->sweep = true;
    free(slot);
}

void vnrs_nhset_release_owner(struct vnrs_nhset *set, uint32_t owner)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&set->slots, &at));) {
        struct vnrs_nhslot *slot = e->value;
        if (slot->key.owner == owner)
            vnrs_nhset_release(set, owner, slot->key.handle, (uint8_t)slot->key.family);
    }
}

static void on_error(void *arg, uint64_t cookie, int error, const char *text)
{
    struct vnrs_nhset *set = arg;
    struct object *object = find_object(set, (uint32_t)cookie);
    char via[VNRS_ADDR_STR_MAX];
    bool group = object && object->nexthop.n_members;
    struct vnrs_map_entry *e;

    if (error == -ENOENT)
        return; // removed by another hand already
    for (size_t at = 0; (e = vnrs_map_next(&set->hops, &at));)
        if (((struct hop *)e->value)->id == (uint32_t)cookie)
            ((struct hop *)e->value)->refused = true;
    if (set->failed++ == 0) {
        set->first_error = error;
        if (object && !group && !object->nexthop.blackhole)
            (void)snprintf(set->error, sizeof(set->error), "next hop '%s' by link %u: %s",
                           vnrs_addr_format(&object->nexthop.hop.via, via), object->nexthop.hop.ifindex, text);
        else
            (void)snprintf(set->error, sizeof(set->error), "next-hop %s %u: %s", group ? "group" : "object",
                           (uint32_t)cookie, text);
    }
    forget(set, (uint32_t)cookie);
}

static uint32_t next_id(struct vnrs_nhset *set)
{
    do
        set->next_id = set->next_id >= VNRS_NHID_LAST ? VNRS_NHID_FIRST + 1 : set->next_id + 1;
    while (find_object(set, set->next_id));
    return set->next_id;
}

static int write_object(struct vnrs_nhset *set, const struct vnrs_nlnexthop *nexthop, enum vnrs_nl_verb verb)
{
    struct vnrs_nlmsg msg;

    if (!vnrs_nlnexthop_encode(nexthop, verb, &msg))
        return -E2BIG;
    int r = vnrs_nl_queue(set->nl, &msg, nexthop->id);
    return r < 0 ? r : remember(set, nexthop);
}

static int ensure_hop(struct vnrs_nhset *set, const struct vnrs_nlhop *hop, uint8_t family, struct hop **ret_hop)
{
    struct hop *known = vnrs_map_find(&set->hops, hop, sizeof(*hop));

    if (!known) {
        int r = put_hop(set, hop, next_id(set));
        if (r < 0)
            return r;
        known = vnrs_map_find(&set->hops, hop, sizeof(*hop));
    }
    *ret_hop = known;
    if (known->refused || find_object(set, known->id))
        return 0;
    const struct vnrs_nlnexthop nexthop = {
        .id = known->id,
        .protocol = VNRS_RTPROT,
        .family = hop->via.family          ? hop->via.family
                  : hop->ifindex && family ? family
                                           : VNRS_AF_IPV6,
        .blackhole = hop->ifindex == 0,
        .hop = *hop,
    };
    return write_object(set, &nexthop, VNRS_NL_CREATE);
}

static int cmp_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int slot_members(struct vnrs_nhset *set, const struct vnrs_nhslot *slot, struct vnrs_nlnexthop *group)
{
    struct hop *hop;
    int r;

    for (uint32_t i = 0; i < slot->n_hops; i++) {
        r = ensure_hop(set, &slot->hops[i], (uint8_t)slot->key.family, &hop);
        if (r < 0)
            return r;
        if (!hop->refused)
            group->members[group->n_members++] = hop->id;
    }
    if (group->n_members == 0) {
        r = ensure_hop(set, &set->drop, VNRS_AF_NONE, &hop);
        if (r < 0)
            return r;
        group->members[group->n_members++] = hop->id;
    }
    qsort(group->members, group->n_members, sizeof(group->members[0]), cmp_id);
    return 0;
}

static bool is_same_group(const struct vnrs_nlnexthop *have, const struct vnrs_nlnexthop *want)
{
    uint32_t members[VNRS_NLHOPS_MAX];

    if (have->n_members != want->n_members || have->resilient != want->resilient)
        return false;
    memcpy(members, have->members, sizeof(members));
    qsort(members, have->n_members, sizeof(members[0]), cmp_id);
    return memcmp(members, want->members, sizeof(members[0]) * want->n_members) == 0;
}

// A group of ours with these members that no slot has and no route of this sink pointed to.
static uint32_t find_alike(struct vnrs_nhset *set, const struct vnrs_nlnexthop *want)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&set->have, &at));) {
        struct object *object = e->value;
        if (!object->taken && object->nexthop.protocol == VNRS_RTPROT && object->nexthop.n_members &&
            is_same_group(&object->nexthop, want)) {
            object->taken = true;
            return object->nexthop.id;
        }
    }
    return 0;
}

static int write_group(struct vnrs_nhset *set, struct vnrs_nhslot *slot)
{
    struct vnrs_nlnexthop want = {.protocol = VNRS_RTPROT, .resilient = set->resilient};
    int r = slot_members(set, slot, &want);

    if (r < 0)
        return r;
    if (slot->direct && want.n_members == 1 && find_object(set, want.members[0])) {
        slot->id = want.members[0];
        slot->dirty = false;
        return 0;
    }
    if (slot->direct)
        slot->id = 0; // was the id of the hop that is refused now
    if (!slot->id)
        slot->id = find_alike(set, &want);
    if (!slot->id)
        slot->id = next_id(set);
    want.id = slot->id;
    slot->dirty = false;
    const struct object *have = find_object(set, slot->id);
    if (have && is_same_group(&have->nexthop, &want))
        return 0;
    r = write_object(set, &want, have ? VNRS_NL_PUT : VNRS_NL_CREATE);
    if (r < 0)
        return r;
    find_object(set, slot->id)->taken = true;
    return 0;
}

int vnrs_nhset_write(struct vnrs_nhset *set)
{
    struct vnrs_map_entry *e;
    int r;

    if (set->legacy || !set->dirty)
        return 0;
    r = vnrs_nl_handler_set(set->nl, on_error, set);
    if (r < 0)
        return r;
    // Hops first, so that it is known which of them the kernel takes.
    for (size_t at = 0; (e = vnrs_map_next(&set->slots, &at));) {
        const struct vnrs_nhslot *slot = e->value;
        struct vnrs_nlnexthop group = {0};
        if (!slot->dirty)
            continue;
        r = slot_members(set, slot, &group);
        if (r < 0)
            return r;
    }
    r = vnrs_nl_flush(set->nl);
    if (r < 0)
        return r;
    for (size_t at = 0; (e = vnrs_map_next(&set->slots, &at));) {
        if (!((struct vnrs_nhslot *)e->value)->dirty)
            continue;
        r = write_group(set, e->value);
        if (r < 0)
            return r;
    }
    r = vnrs_nl_flush(set->nl);
    set->dirty = r < 0;
    return r;
}

static void mark_used(struct vnrs_nhset *set)
{
    struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&set->have, &at));)
        ((struct object *)e->value)->taken = false;
    for (size_t at = 0; (e = vnrs_map_next(&set->slots, &at));) {
        const struct vnrs_nhslot *slot = e->value;
        struct object *object = find_object(set, slot->id);
        if (!object)
            continue;
        object->taken = true;
        for (uint32_t i = 0; i < object->nexthop.n_members; i++) {
            struct object *member = find_object(set, object->nexthop.members[i]);
            if (member)
                member->taken = true;
        }
    }
}

static int sweep_kind(struct vnrs_nhset *set, bool groups)
{
    VEC(uint32_t) unused = {0};
    struct vnrs_map_entry *e;
    struct vnrs_nlmsg msg;
    int r = 0;

    for (size_t at = 0; r >= 0 && (e = vnrs_map_next(&set->have, &at));) {
        const struct object *object = e->value;
        if (!object->taken && (object->nexthop.n_members != 0) == groups && is_ours(set, &object->nexthop))
            r = vec_push(&unused, object->nexthop.id);
    }
    vec_foreach (id, &unused) {
        struct vnrs_nlnexthop nexthop = find_object(set, *id)->nexthop;
        if (r < 0)
            break;
        r = vnrs_nlnexthop_encode(&nexthop, VNRS_NL_DELETE, &msg) ? vnrs_nl_queue(set->nl, &msg, nexthop.id) : -E2BIG;
        if (!groups)
            free(vnrs_map_remove(&set->hops, &nexthop.hop, sizeof(nexthop.hop)));
        forget(set, nexthop.id);
    }
    vec_free(&unused);
    return r;
}

int vnrs_nhset_sweep(struct vnrs_nhset *set)
{
    if (set->legacy || !set->sweep)
        return 0;
    mark_used(set);
    int r = vnrs_nl_handler_set(set->nl, on_error, set);
    if (r == 0)
        r = sweep_kind(set, true);
    if (r == 0)
        r = sweep_kind(set, false);
    if (r == 0)
        r = vnrs_nl_flush(set->nl);
    set->sweep = r < 0;
    return r;
}
