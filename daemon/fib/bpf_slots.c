// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_slots.h"

#include "fib/bpf_group.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

struct vnrs_bpf_nexthop_slot {
    struct vnrs_bpf_nexthop content;
    uint32_t index;
    uint32_t refs; // by group slots
};

// Which of `max` objects have an index. Searching on from the last one gives a freed index a long rest before a packet
// that is still under way could see it with another meaning.
struct index_table {
    void **by_index;
    uint32_t max, last, used;
};

struct vnrs_bpf_slots {
    int groups_fd, nexthops_fd;
    uint64_t *writes;
    struct index_table groups, nexthops;
    struct vnrs_map groups_by_members, nexthops_by_content; // one of those with equal content
};

// --- members ---

static int nexthop_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct vnrs_bpf_nexthop));
}

static int nexthop_make(const struct vnrs_fib_member *member, struct vnrs_bpf_nexthop *ret_nexthop)
{
    struct vnrs_bpf_nexthop nexthop = {.kind = member->kind};

    switch (member->kind) {
    case VNRS_BPF_NH_DROP:
        break;
    case VNRS_BPF_NH_ENDPOINT:
        nexthop.vnet = member->vnet;
        break;
    case VNRS_BPF_NH_NIC:
    case VNRS_BPF_NH_DEAD:
        nexthop.ifindex = member->ifindex;
        nexthop.flags = member->flags;
        break;
    default:
        return -EINVAL;
    }
    *ret_nexthop = nexthop;
    return 0;
}

int vnrs_bpf_members_make(const struct vnrs_fib_group *group, struct vnrs_bpf_members *ret_members)
{
    struct vnrs_bpf_members members = {0}, once = {0};

    if (group->n < 1 || group->n > VNRS_GROUP_MEMBERS_MAX)
        return -EINVAL;
    for (uint32_t m = 0; m < group->n; m++) {
        int err = nexthop_make(&group->members[m], &members.nexthops[m]);
        if (err)
            return err;
    }
    qsort(members.nexthops, group->n, sizeof(*members.nexthops), nexthop_cmp);
    for (uint32_t m = 0; m < group->n; m++) {
        if (once.n == 0 || nexthop_cmp(&once.nexthops[once.n - 1], &members.nexthops[m]) != 0)
            once.nexthops[once.n++] = members.nexthops[m];
    }
    *ret_members = once;
    return 0;
}

bool vnrs_bpf_members_equal(const struct vnrs_bpf_members *a, const struct vnrs_bpf_members *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

// --- indexes ---

static int index_find_free(const struct index_table *table, uint32_t *ret_index)
{
    for (uint32_t step = 1; step < table->max; step++) {
        uint32_t index = 1 + (table->last + step - 1) % (table->max - 1);
        if (!table->by_index[index]) {
            *ret_index = index;
            return 0;
        }
    }
    return -ENOSPC;
}

static void index_put(struct index_table *table, uint32_t index, void *object)
{
    table->by_index[index] = object;
    table->used++;
}

static void index_drop(struct index_table *table, uint32_t index)
{
    table->by_index[index] = NULL;
    table->used--;
}

static void index_free_all(struct index_table *table)
{
    for (uint32_t i = 0; table->by_index && i < table->max; i++)
        free(table->by_index[i]);
    free(table->by_index);
}

// --- next hops ---

static void nexthop_put(struct vnrs_bpf_slots *slots, struct vnrs_bpf_nexthop_slot *nexthop)
{
    if (--nexthop->refs)
        return;
    if (vnrs_map_find(&slots->nexthops_by_content, &nexthop->content, sizeof(nexthop->content)) == nexthop)
        (void)vnrs_map_remove(&slots->nexthops_by_content, &nexthop->content, sizeof(nexthop->content));
    index_drop(&slots->nexthops, nexthop->index);
    free(nexthop);
}

// Enter it under its index and, unless there is one with that content already, its content.
static int nexthop_enter(struct vnrs_bpf_slots *slots, const struct vnrs_bpf_nexthop *content, uint32_t index,
                         struct vnrs_bpf_nexthop_slot **ret_nexthop)
{
    struct vnrs_bpf_nexthop_slot *nexthop = calloc(1, sizeof(*nexthop));
    if (!nexthop)
        return -ENOMEM;
    *nexthop = (struct vnrs_bpf_nexthop_slot){.content = *content, .index = index, .refs = 1};
    if (!vnrs_map_find(&slots->nexthops_by_content, content, sizeof(*content)) &&
        vnrs_map_put(&slots->nexthops_by_content, &nexthop->content, sizeof(nexthop->content), nexthop)) {
        free(nexthop);
        return -ENOMEM;
    }
    index_put(&slots->nexthops, index, nexthop);
    *ret_nexthop = nexthop;
    return 0;
}

static int nexthop_get(struct vnrs_bpf_slots *slots, const struct vnrs_bpf_nexthop *content,
                       struct vnrs_bpf_nexthop_slot **ret_nexthop)
{
    struct vnrs_bpf_nexthop_slot *nexthop = vnrs_map_find(&slots->nexthops_by_content, content, sizeof(*content));
    uint32_t index;

    if (nexthop) {
        nexthop->refs++;
        *ret_nexthop = nexthop;
        return 0;
    }
    int err = index_find_free(&slots->nexthops, &index);
    if (!err)
        err = nexthop_enter(slots, content, index, &nexthop);
    if (err)
        return err;
    err = bpf_map_update_elem(slots->nexthops_fd, &index, content, BPF_ANY);
    if (err) {
        nexthop_put(slots, nexthop);
        return err;
    }
    ++*slots->writes;
    slots->nexthops.last = index;
    *ret_nexthop = nexthop;
    return 0;
}

static int nexthop_adopt(struct vnrs_bpf_slots *slots, uint32_t index, struct vnrs_bpf_nexthop_slot **ret_nexthop)
{
    struct vnrs_bpf_nexthop_slot *nexthop = slots->nexthops.by_index[index];
    struct vnrs_bpf_nexthop content;

    if (nexthop) {
        nexthop->refs++;
        *ret_nexthop = nexthop;
        return 0;
    }
    int err = bpf_map_lookup_elem(slots->nexthops_fd, &index, &content);
    return err ? err : nexthop_enter(slots, &content, index, ret_nexthop);
}

// --- groups ---

static void held_put(struct vnrs_bpf_slots *slots, struct vnrs_bpf_nexthop_slot **held)
{
    for (unsigned m = 0; m < VNRS_GROUP_MEMBERS_MAX; m++) {
        if (held[m])
            nexthop_put(slots, held[m]);
        held[m] = NULL;
    }
}

// References to the next hops of all members, in the order of the members, or none.
static int held_get(struct vnrs_bpf_slots *slots, const struct vnrs_bpf_members *members,
                    struct vnrs_bpf_nexthop_slot **ret_held)
{
    struct vnrs_bpf_nexthop_slot *held[VNRS_GROUP_MEMBERS_MAX] = {0};

    for (uint32_t m = 0; m < members->n; m++) {
        int err = nexthop_get(slots, &members->nexthops[m], &held[m]);
        if (err) {
            held_put(slots, held);
            return err;
        }
    }
    memcpy(ret_held, held, sizeof(held));
    return 0;
}

static void group_forget_members(struct vnrs_bpf_slots *slots, const struct vnrs_bpf_group_slot *slot)
{
    if (vnrs_map_find(&slots->groups_by_members, &slot->members, sizeof(slot->members)) == slot)
        (void)vnrs_map_remove(&slots->groups_by_members, &slot->members, sizeof(slot->members));
}

// Let it be found by its members. Not being found costs a slot, nothing else, so running out of memory is no error.
static void group_offer_members(struct vnrs_bpf_slots *slots, struct vnrs_bpf_group_slot *slot)
{
    if (slot->members.n && !vnrs_map_find(&slots->groups_by_members, &slot->members, sizeof(slot->members)))
        (void)!vnrs_map_put(&slots->groups_by_members, &slot->members, sizeof(slot->members), slot);
}

static void fill(const struct vnrs_bpf_group *old, const struct vnrs_bpf_members *members,
                 struct vnrs_bpf_nexthop_slot *const *held, struct vnrs_bpf_group *ret_buckets)
{
    uint32_t indexes[VNRS_GROUP_MEMBERS_MAX];

    for (uint32_t m = 0; m < members->n; m++)
        indexes[m] = held[m]->index;
    ret_buckets->n = members->n;
    vnrs_bpf_group_fill(old ? old->bucket : NULL, indexes, members->n, ret_buckets->bucket);
}

int vnrs_bpf_slots_rewrite(struct vnrs_bpf_slots *slots, struct vnrs_bpf_group_slot *slot,
                           const struct vnrs_bpf_members *members)
{
    struct vnrs_bpf_nexthop_slot *held[VNRS_GROUP_MEMBERS_MAX];
    struct vnrs_bpf_group buckets;

    int err = held_get(slots, members, held);
    if (err)
        return err;
    fill(slot->members.n ? &slot->buckets : NULL, members, held, &buckets);
    err = bpf_map_update_elem(slots->groups_fd, &slot->index, &buckets, BPF_ANY);
    if (err) {
        held_put(slots, held);
        return err;
    }
    ++*slots->writes;
    group_forget_members(slots, slot);
    held_put(slots, slot->held);
    memcpy(slot->held, held, sizeof(held));
    slot->members = *members;
    slot->buckets = buckets;
    group_offer_members(slots, slot);
    return 0;
}

// References that only wait for the next publish are nobody's.
static bool is_in_use(const struct vnrs_bpf_group_slot *slot)
{
    return slot->refs > slot->retired;
}

static bool has_room_for_twin(const struct vnrs_bpf_slots *slots)
{
    return slots->groups.used - slots->groups_by_members.len < VNRS_GROUPS_TWINS;
}

// Of those with these members, the one that is preferred if nobody uses it.
static struct vnrs_bpf_group_slot *group_find(const struct vnrs_bpf_slots *slots,
                                              const struct vnrs_bpf_members *members, uint32_t preferred)
{
    struct vnrs_bpf_group_slot *slot = preferred < slots->groups.max ? slots->groups.by_index[preferred] : NULL;

    if (slot && !is_in_use(slot) && vnrs_bpf_members_equal(&slot->members, members))
        return slot;
    return vnrs_map_find(&slots->groups_by_members, members, sizeof(*members));
}

int vnrs_bpf_slots_get(struct vnrs_bpf_slots *slots, const struct vnrs_bpf_members *members, uint32_t preferred,
                       struct vnrs_bpf_group_slot **ret_slot)
{
    struct vnrs_bpf_group_slot *slot = group_find(slots, members, preferred);
    uint32_t index;

    if (slot && (!is_in_use(slot) || !has_room_for_twin(slots))) {
        slot->refs++;
        *ret_slot = slot;
        return 0;
    }
    int err = index_find_free(&slots->groups, &index);
    if (err)
        return err;
    slot = calloc(1, sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    *slot = (struct vnrs_bpf_group_slot){.index = index, .refs = 1};
    err = vnrs_bpf_slots_rewrite(slots, slot, members);
    if (err) {
        free(slot);
        return err;
    }
    index_put(&slots->groups, index, slot);
    slots->groups.last = index;
    *ret_slot = slot;
    return 0;
}

// What the slot holds, as far as it is a filling of ours; else it stays without members and matches nothing.
static int group_read(struct vnrs_bpf_slots *slots, struct vnrs_bpf_group_slot *slot)
{
    struct vnrs_bpf_nexthop_slot *held[VNRS_GROUP_MEMBERS_MAX] = {0};
    uint32_t indexes[VNRS_GROUP_MEMBERS_MAX];
    unsigned n;

    int err = bpf_map_lookup_elem(slots->groups_fd, &slot->index, &slot->buckets);
    if (err)
        return err;
    n = vnrs_bpf_group_members(slot->buckets.bucket, indexes);
    for (unsigned m = 0; m < n; m++) {
        if (indexes[m] == 0 || indexes[m] >= slots->nexthops.max || slot->buckets.n != n)
            n = 0;
    }
    for (unsigned m = 0; m < n && !err; m++)
        err = nexthop_adopt(slots, indexes[m], &held[m]);
    if (err) {
        held_put(slots, held);
        return err;
    }
    for (unsigned m = 0; m < n; m++) { // in the order of members
        unsigned at = m;
        for (; at > 0 && nexthop_cmp(&slot->members.nexthops[at - 1], &held[m]->content) > 0; at--) {
            slot->members.nexthops[at] = slot->members.nexthops[at - 1];
            slot->held[at] = slot->held[at - 1];
        }
        slot->members.nexthops[at] = held[m]->content;
        slot->held[at] = held[m];
    }
    slot->members.n = n;
    return 0;
}

int vnrs_bpf_slots_adopt(struct vnrs_bpf_slots *slots, uint32_t index, struct vnrs_bpf_group_slot **ret_slot)
{
    struct vnrs_bpf_group_slot *slot;

    if (index >= slots->groups.max)
        index = 0; // shared by all that cannot be right
    slot = slots->groups.by_index[index];
    if (slot) {
        slot->refs++;
        *ret_slot = slot;
        return 0;
    }
    slot = calloc(1, sizeof(*slot));
    if (!slot)
        return -ENOMEM;
    *slot = (struct vnrs_bpf_group_slot){.index = index, .refs = 1};
    int err = index ? group_read(slots, slot) : 0;
    if (err) {
        free(slot);
        return err;
    }
    index_put(&slots->groups, index, slot);
    group_offer_members(slots, slot);
    *ret_slot = slot;
    return 0;
}

void vnrs_bpf_slots_put(struct vnrs_bpf_slots *slots, struct vnrs_bpf_group_slot *slot)
{
    if (--slot->refs)
        return;
    group_forget_members(slots, slot);
    held_put(slots, slot->held);
    index_drop(&slots->groups, slot->index);
    free(slot);
}

int vnrs_bpf_slots_new(int groups_fd, int nexthops_fd, uint64_t *writes, struct vnrs_bpf_slots **ret_slots)
{
    struct vnrs_bpf_slots *slots = calloc(1, sizeof(*slots));

    if (!slots)
        return -ENOMEM;
    *slots = (struct vnrs_bpf_slots){
        .groups_fd = groups_fd,
        .nexthops_fd = nexthops_fd,
        .writes = writes,
        .groups = {.by_index = calloc(VNRS_GROUPS_MAX, sizeof(void *)), .max = VNRS_GROUPS_MAX},
        .nexthops = {.by_index = calloc(VNRS_NEXTHOPS_MAX, sizeof(void *)), .max = VNRS_NEXTHOPS_MAX},
    };
    if (!slots->groups.by_index || !slots->nexthops.by_index) {
        vnrs_bpf_slots_free(slots);
        return -ENOMEM;
    }
    *ret_slots = slots;
    return 0;
}

struct vnrs_bpf_slots *vnrs_bpf_slots_free(struct vnrs_bpf_slots *slots)
{
    if (!slots)
        return NULL;
    index_free_all(&slots->groups);
    index_free_all(&slots->nexthops);
    vnrs_map_fini(&slots->groups_by_members);
    vnrs_map_fini(&slots->nexthops_by_content);
    free(slots);
    return NULL;
}
