// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/diff.h"

#include "util/hash.h"

#include <stdio.h>

bool vnrs_object_equal(const struct vnrs_object *object, const struct vnrs_actual_object *actual)
{
    return actual->spec && object->spec_size == actual->spec_size && object->data_size == actual->data_size &&
           memcmp(object->spec, actual->spec, object->spec_size) == 0 &&
           (object->data_size == 0 || memcmp(object->data, actual->data, object->data_size) == 0);
}

struct key {
    char text[VNRS_KEY_MAX + 8];
    size_t len;
};

static struct key key_of(enum vnrs_obj_type type, const char *name)
{
    struct key key = {0};

    (void)snprintf(key.text, sizeof(key.text), "%c%s", (int)type, name);
    key.len = strlen(key.text);
    return key;
}

static int remove_type(const struct vnrs_map *wanted, enum vnrs_obj_type type, const struct vnrs_actual_object *actual,
                       size_t n, vnrs_request_list *requests)
{
    for (size_t i = n; i-- > 0;) {
        const struct key key = key_of(type, actual[i].key);
        struct vnrs_request request = {.op = VNRS_REQUEST_REMOVE, .actual = &actual[i]};
        if (actual[i].type == type && !vnrs_map_find(wanted, key.text, key.len) && vec_push(requests, request) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int map_objects(struct vnrs_map *map, struct key *keys, const struct vnrs_object *desired, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        keys[i] = key_of(desired[i].type, desired[i].key);
        if (vnrs_map_put(map, keys[i].text, keys[i].len, (void *)&desired[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int map_actual(struct vnrs_map *map, struct key *keys, const struct vnrs_actual_object *actual, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        keys[i] = key_of(actual[i].type, actual[i].key);
        if (vnrs_map_put(map, keys[i].text, keys[i].len, (void *)&actual[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

// ---- what is missing or different

struct ensuring {
    const struct vnrs_map *wanted, *there;
    const struct vnrs_object *desired;
    size_t n;
    bool *done; // of each object
    vnrs_request_list *requests;
};

static int ensure(const struct ensuring *e, const struct vnrs_object *object)
{
    const struct key key = key_of(object->type, object->key);
    const struct vnrs_actual_object *is = vnrs_map_find(e->there, key.text, key.len);
    const struct vnrs_request request = {.op = VNRS_REQUEST_ENSURE, .object = object, .actual = is};

    if (e->done[object - e->desired])
        return 0;
    e->done[object - e->desired] = true;
    return is && vnrs_object_equal(object, is) ? 0 : vec_push(e->requests, request);
}

static int ensure_link(const struct ensuring *e, const struct vnrs_object *object)
{
    const struct vnrs_obj_link *link = object->spec;
    const struct vnrs_ag_netns *ends[] = {&link->a.ns, &link->b.ns};

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        const struct key key = key_of(VNRS_OBJ_NETNS, ends[i]->name);
        const struct vnrs_object *netns =
            ends[i]->kind == VNRS_AG_NETNS_OURS ? vnrs_map_find(e->wanted, key.text, key.len) : NULL;
        int r = netns ? ensure(e, netns) : 0;
        if (r < 0)
            return r;
    }
    return ensure(e, object);
}

// The fabric; each namespace right before the first link in it, so that the agent can make the next namespaces while
// it makes a link; the others.
static int ensure_all(const struct ensuring *e)
{
    int r = 0;

    for (size_t i = 0; i < e->n && r == 0; i++)
        r = e->desired[i].type == VNRS_OBJ_FABRIC ? ensure(e, &e->desired[i]) : 0;
    for (size_t i = 0; i < e->n && r == 0; i++)
        r = e->desired[i].type == VNRS_OBJ_LINK ? ensure_link(e, &e->desired[i]) : 0;
    for (size_t i = 0; i < e->n && r == 0; i++)
        r = ensure(e, &e->desired[i]);
    return r;
}

static int diff_maps(const struct ensuring *e, const struct vnrs_actual_object *actual, size_t n_actual)
{
    // A lab that goes as a whole takes what is in its namespaces along: the kernel drops thousands of links of a
    // namespace at once, but one link after the other takes it some ten milliseconds each.
    static const enum vnrs_obj_type whole[] = {VNRS_OBJ_SPEAKER, VNRS_OBJ_PROC,  VNRS_OBJ_TABLE,
                                               VNRS_OBJ_SNAT,    VNRS_OBJ_NETNS, VNRS_OBJ_FABRIC,
                                               VNRS_OBJ_IMPAIR,  VNRS_OBJ_LINK,  VNRS_OBJ_ROUTE};
    static const enum vnrs_obj_type single[] = {VNRS_OBJ_SPEAKER, VNRS_OBJ_PROC,  VNRS_OBJ_IMPAIR,
                                                VNRS_OBJ_TABLE,   VNRS_OBJ_SNAT,  VNRS_OBJ_ROUTE,
                                                VNRS_OBJ_LINK,    VNRS_OBJ_NETNS, VNRS_OBJ_FABRIC};
    _Static_assert(ARRAY_SIZE(whole) == _VNRS_OBJ_MAX - 1 && ARRAY_SIZE(single) == ARRAY_SIZE(whole), "every type");

    for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
        int r = remove_type(e->wanted, e->n ? single[i] : whole[i], actual, n_actual, e->requests);
        if (r < 0)
            return r;
    }
    return ensure_all(e);
}

int vnrs_diff(const struct vnrs_object *desired, size_t n_desired, const struct vnrs_actual_object *actual,
              size_t n_actual, vnrs_request_list *requests)
{
    struct vnrs_map wanted = {0}, there = {0};
    struct key *keys = calloc(n_desired + n_actual + 1, sizeof(*keys));
    _free_ bool *done = calloc(n_desired + 1, sizeof(*done));
    const struct ensuring ensuring = {&wanted, &there, desired, n_desired, done, requests};
    int r = -ENOMEM;

    if (keys && done && map_objects(&wanted, keys, desired, n_desired) == 0 &&
        map_actual(&there, keys + n_desired, actual, n_actual) == 0)
        r = diff_maps(&ensuring, actual, n_actual);
    vnrs_map_fini(&wanted);
    vnrs_map_fini(&there);
    free(keys);
    return r;
}
