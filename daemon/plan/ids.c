// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/ids.h"

#include "util/hash.h"
#include "vnrs/bpf_abi.h"

#include <jansson.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct id {
    uint32_t number;
    bool marked;
    char name[];
};

struct id_space {
    struct vnrs_map by_name;   // struct id
    struct vnrs_map by_number; // the same, by &number
    uint32_t next;             // nothing below it is free
};

struct vnrs_ids {
    struct id_space spaces[_VNRS_ID_MAX];
};

static const struct {
    const char *name;
    uint32_t first, last;
} kinds[] = {
    [VNRS_ID_VNET] = {"vnet", 1, 65535},         [VNRS_ID_SUBNET] = {"subnet", 1, 65535},
    [VNRS_ID_DOMAIN] = {"domain", 1, 65535},     [VNRS_ID_LINK] = {"link", VNRS_IFINDEX_FIRST, VNRS_NICS_MAX - 1},
    [VNRS_ID_TRANSFER] = {"transfer", 1, 32000},
};
_Static_assert(ARRAY_SIZE(kinds) == _VNRS_ID_MAX, "every kind has a row");

struct vnrs_ids *vnrs_ids_new(void)
{
    struct vnrs_ids *ids = calloc(1, sizeof(*ids));

    for (int k = 0; ids && k < _VNRS_ID_MAX; k++)
        ids->spaces[k].next = kinds[k].first;
    return ids;
}

void vnrs_ids_free(struct vnrs_ids *ids)
{
    if (!ids)
        return;
    for (int k = 0; k < _VNRS_ID_MAX; k++) {
        const struct vnrs_map_entry *e;
        for (size_t at = 0; (e = vnrs_map_next(&ids->spaces[k].by_name, &at));)
            free(e->value);
        vnrs_map_fini(&ids->spaces[k].by_name);
        vnrs_map_fini(&ids->spaces[k].by_number);
    }
    free(ids);
}

static void drop_id(struct id_space *space, struct id *id)
{
    vnrs_map_remove(&space->by_name, id->name, strlen(id->name));
    if (vnrs_map_find(&space->by_number, &id->number, sizeof(id->number)) == id)
        vnrs_map_remove(&space->by_number, &id->number, sizeof(id->number));
    if (id->number < space->next)
        space->next = id->number;
    free(id);
}

static struct id *add_id(struct id_space *space, const char *name, uint32_t number)
{
    size_t len = strlen(name);
    struct id *id = malloc(sizeof(*id) + len + 1);

    if (!id)
        return NULL;
    *id = (struct id){.number = number, .marked = true};
    memcpy(id->name, name, len + 1);
    if (vnrs_map_put(&space->by_number, &id->number, sizeof(id->number), id) < 0) {
        free(id);
        return NULL;
    }
    if (vnrs_map_put(&space->by_name, id->name, len, id) < 0) {
        vnrs_map_remove(&space->by_number, &id->number, sizeof(id->number));
        free(id);
        return NULL;
    }
    return id;
}

uint32_t vnrs_ids_get(struct vnrs_ids *ids, enum vnrs_id_kind kind, const char *name)
{
    struct id_space *space = &ids->spaces[kind];
    struct id *id = vnrs_map_find(&space->by_name, name, strlen(name));

    if (id) {
        id->marked = true;
        return id->number;
    }
    uint32_t number = space->next;
    while (number <= kinds[kind].last && vnrs_map_find(&space->by_number, &number, sizeof(number)))
        number++;
    space->next = number;
    if (number > kinds[kind].last || !add_id(space, name, number))
        return 0;
    return number;
}

uint32_t vnrs_ids_find(const struct vnrs_ids *ids, enum vnrs_id_kind kind, const char *name)
{
    const struct id *id = vnrs_map_find(&ids->spaces[kind].by_name, name, strlen(name));
    return id ? id->number : 0;
}

int vnrs_ids_set(struct vnrs_ids *ids, enum vnrs_id_kind kind, const char *name, uint32_t number)
{
    struct id_space *space = &ids->spaces[kind];
    struct id *id = vnrs_map_find(&space->by_name, name, strlen(name));

    if (number < kinds[kind].first || number > kinds[kind].last)
        return -ERANGE;
    if (id && id->number == number)
        return 0;
    struct id *other = vnrs_map_find(&space->by_number, &number, sizeof(number));
    if (other)
        drop_id(space, other);
    if (id)
        drop_id(space, id);
    return add_id(space, name, number) ? 0 : -ENOMEM;
}

void vnrs_ids_unmark(struct vnrs_ids *ids)
{
    for (int k = 0; k < _VNRS_ID_MAX; k++) {
        const struct vnrs_map_entry *e;
        for (size_t at = 0; (e = vnrs_map_next(&ids->spaces[k].by_name, &at));)
            ((struct id *)e->value)->marked = false;
    }
}

void vnrs_ids_prune(struct vnrs_ids *ids)
{
    for (int k = 0; k < _VNRS_ID_MAX; k++) {
        const struct vnrs_map_entry *e;
        for (size_t at = 0; (e = vnrs_map_next(&ids->spaces[k].by_name, &at));) {
            struct id *id = e->value;
            if (!id->marked)
                drop_id(&ids->spaces[k], id);
        }
    }
}

char *vnrs_ids_format(const struct vnrs_ids *ids)
{
    json_t *root = json_object();
    bool failed = !root;

    for (int k = 0; k < _VNRS_ID_MAX && !failed; k++) {
        json_t *space = json_object();
        const struct vnrs_map_entry *e;
        for (size_t at = 0; space && (e = vnrs_map_next(&ids->spaces[k].by_name, &at));) {
            const struct id *id = e->value;
            failed |= json_object_set_new(space, id->name, json_integer(id->number)) < 0;
        }
        failed |= json_object_set_new(root, kinds[k].name, space) < 0;
    }
    char *text = failed ? NULL : json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(root);
    return text;
}

static int parse_space(struct vnrs_ids *ids, enum vnrs_id_kind kind, json_t *space)
{
    const char *name;
    json_t *number;

    json_object_foreach(space, name, number)
    {
        json_int_t value = json_integer_value(number);
        if (!json_is_integer(number) || value < 0 || value > UINT32_MAX)
            return -EINVAL;
        int r = vnrs_ids_set(ids, kind, name, (uint32_t)value);
        if (r < 0)
            return r == -ERANGE ? -EINVAL : r;
    }
    return 0;
}

int vnrs_ids_parse(struct vnrs_ids *ids, const char *text)
{
    json_t *root = json_loads(text, 0, NULL);
    int r = root ? 0 : -EINVAL;

    for (int k = 0; k < _VNRS_ID_MAX && r == 0; k++) {
        json_t *space = json_object_get(root, kinds[k].name);
        if (space)
            r = parse_space(ids, k, space);
    }
    json_decref(root);
    return r;
}
