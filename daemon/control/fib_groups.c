// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fib_groups.h"

#include "control/fib_room.h"

int vnrs_fib_groups_init(struct vnrs_fib_groups *groups)
{
    *groups = (struct vnrs_fib_groups){0};
    return vec_push(&groups->list, NULL);
}

void vnrs_fib_groups_clear(struct vnrs_fib_groups *groups)
{
    vec_foreach (group, &groups->list)
        free(*group);
    groups->list.len = 1;
    vec_clear(&groups->free);
    vnrs_map_fini(&groups->by_key);
}

void vnrs_fib_groups_fini(struct vnrs_fib_groups *groups)
{
    vnrs_fib_groups_clear(groups);
    vec_free(&groups->list);
    vec_free(&groups->free);
}

static size_t key_len(const struct vnrs_fib_group_ref *group)
{
    return sizeof(group->origin) + sizeof(group->n) + group->n * sizeof(group->members[0]);
}

void vnrs_fib_groups_unkey(struct vnrs_fib_groups *groups, struct vnrs_fib_group_ref *group)
{
    if (group->keyed)
        (void)vnrs_map_remove(&groups->by_key, &group->origin, key_len(group));
    group->keyed = false;
}

int vnrs_fib_groups_key(struct vnrs_fib_groups *groups, struct vnrs_fib_group_ref *group)
{
    if (vnrs_map_find(&groups->by_key, &group->origin, key_len(group)))
        return 0;
    int r = vnrs_map_put(&groups->by_key, &group->origin, key_len(group), group);
    group->keyed = r == 0;
    return r;
}

static int give_number(struct vnrs_fib_groups *groups, struct vnrs_fib_group_ref *group)
{
    if (groups->free.len) {
        group->number = groups->free.items[--groups->free.len];
        groups->list.items[group->number] = group;
        return 0;
    }
    group->number = (uint32_t)groups->list.len;
    return group->number >> VNRS_FIB_GROUP_BITS ? -ENOMEM : vec_push(&groups->list, group);
}

struct vnrs_fib_group_ref *vnrs_fib_groups_get(struct vnrs_fib_groups *groups, uint32_t origin,
                                               const struct vnrs_fib_member *members, unsigned n)
{
    struct vnrs_fib_group_ref *group = calloc(1, sizeof(*group));

    if (!group)
        return NULL;
    group->origin = origin;
    group->n = n;
    memcpy(group->members, members, n * sizeof(*members));
    struct vnrs_fib_group_ref *known = vnrs_map_find(&groups->by_key, &group->origin, key_len(group));
    if (known) {
        free(group);
        return known;
    }
    if (vnrs_fib_groups_key(groups, group) < 0 || give_number(groups, group) < 0) {
        vnrs_fib_groups_unkey(groups, group);
        free(group);
        return NULL;
    }
    group->handle = ++groups->last_handle;
    return group;
}

int vnrs_fib_groups_end(struct vnrs_fib_groups *groups)
{
    int r = 0;

    for (size_t i = 1; i < groups->list.len; i++) {
        struct vnrs_fib_group_ref *group = groups->list.items[i];
        if (!group)
            continue;
        group->moves_to = NULL;
        group->splits = group->moved = false;
        if (group->used)
            continue;
        vnrs_fib_groups_unkey(groups, group);
        groups->list.items[i] = NULL;
        if (vec_push(&groups->free, group->number) < 0)
            r = -ENOMEM;
        free(group);
    }
    return r;
}

int vnrs_fib_groups_count(const struct vnrs_fib_groups *groups, size_t *ret_n)
{
    struct vnrs_fib_distinct distinct = {0};
    int r = 0;

    for (size_t i = 1; r == 0 && i < groups->list.len; i++) {
        const struct vnrs_fib_group_ref *group = groups->list.items[i];
        if (group && group->used)
            r = vnrs_fib_distinct_add(&distinct, group->members, group->n);
    }
    *ret_n = vnrs_fib_distinct_len(&distinct);
    vnrs_fib_distinct_fini(&distinct);
    return r;
}
