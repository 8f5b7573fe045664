// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with a link on purpose, put into desired state: in the link itself (down), and as an object of its own
// (all of it), which there is none of where nothing is wrong.
#include "model/impair.h"
#include "plan/build.h"

#include <errno.h>
#include <string.h>

static struct vnrs_object *find(struct vnrs_desired *desired, enum vnrs_obj_type type, const char *key)
{
    vec_foreach (object, &desired->objects) {
        if (object->type == type && strcmp(object->key, key) == 0)
            return object;
    }
    return NULL;
}

static void remove_object(struct vnrs_desired *desired, const struct vnrs_object *object)
{
    size_t at = (size_t)(object - desired->objects.items);

    desired->objects.len--;
    memmove(&desired->objects.items[at], &desired->objects.items[at + 1],
            (desired->objects.len - at) * sizeof(*object));
}

int vnrs_desired_hold(struct vnrs_desired *desired, const char *key)
{
    const struct vnrs_object *table = find(desired, VNRS_OBJ_TABLE, key);

    if (!table)
        return 0;
    if (vec_push(&desired->held, *table) < 0)
        return -ENOMEM;
    remove_object(desired, table);
    return 0;
}

static int insert_table(struct vnrs_desired *desired, const struct vnrs_object *table)
{
    size_t at = 0;

    if (vec_push(&desired->objects, *table) < 0)
        return -ENOMEM;
    while (desired->objects.items[at].type <= VNRS_OBJ_TABLE && at < desired->objects.len - 1)
        at++;
    memmove(&desired->objects.items[at + 1], &desired->objects.items[at],
            (desired->objects.len - 1 - at) * sizeof(*table));
    desired->objects.items[at] = *table;
    return 0;
}

// It has waited long enough.
static int release(struct vnrs_desired *desired, const char *key)
{
    for (size_t i = 0; i < desired->held.len; i++) {
        if (strcmp(desired->held.items[i].key, key) != 0)
            continue;
        const struct vnrs_object table = desired->held.items[i];
        desired->held.items[i] = desired->held.items[--desired->held.len];
        return insert_table(desired, &table);
    }
    return 0;
}

// The last type of all: at the end it is in its place.
static int add_object(struct vnrs_desired *desired, const struct vnrs_object *link)
{
    struct vnrs_object object = {.type = VNRS_OBJ_IMPAIR, .key = link->key, .what = link->what};

    _Static_assert(VNRS_OBJ_IMPAIR == _VNRS_OBJ_MAX - 1, "objects are sorted by type");
    return vec_push(&desired->objects, object);
}

int vnrs_desired_impair(struct vnrs_desired *desired, const char *key, const struct vnrs_impair *impair)
{
    struct vnrs_object *link = find(desired, VNRS_OBJ_LINK, key);
    const struct vnrs_obj_link *old = link ? link->spec : NULL;

    if (!old || old->kind != VNRS_LINK_NIC)
        return -ENOENT;
    struct vnrs_obj_link *spec = vnrs_arena_dup(desired->arena, old, sizeof(*old));
    void *own = vnrs_arena_dup(desired->arena, impair, sizeof(*impair));
    if (!spec || !own)
        return -ENOMEM;
    spec->down = impair->down;
    link->spec = spec;
    if ((impair->down ? vnrs_desired_hold(desired, key) : release(desired, key)) < 0)
        return -ENOMEM;
    link = find(desired, VNRS_OBJ_LINK, key); // the list may have moved
    struct vnrs_object *object = find(desired, VNRS_OBJ_IMPAIR, key);
    if (vnrs_impair_is_none(impair)) {
        if (object)
            remove_object(desired, object);
        return 0;
    }
    if (!object) {
        if (add_object(desired, link) < 0)
            return -ENOMEM;
        object = &desired->objects.items[desired->objects.len - 1];
    }
    object->spec = own;
    object->spec_size = sizeof(struct vnrs_obj_impair);
    return 0;
}
