// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of a lab's objects, and the requests that bring them in line.
#include "control/state.h"

#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static size_t make_map_key(enum vnrs_obj_type type, const char *key, char out[static VNRS_KEY_MAX + 2])
{
    out[0] = (char)type;
    vnrs_str_copy(out + 1, VNRS_KEY_MAX, key);
    return strlen(out);
}

struct vnrs_obj_state *vnrs_objects_find(const struct vnrs_lab *lab, enum vnrs_obj_type type, const char *key)
{
    char map_key[VNRS_KEY_MAX + 2];

    return vnrs_map_find(&lab->objects, map_key, make_map_key(type, key, map_key));
}

struct vnrs_obj_state *vnrs_objects_get(struct vnrs_lab *lab, enum vnrs_obj_type type, const char *key)
{
    struct vnrs_obj_state *object = vnrs_objects_find(lab, type, key);

    if (object)
        return object;
    object = calloc(1, sizeof(*object));
    if (!object)
        return NULL;
    object->type = type;
    vnrs_str_copy(object->key, sizeof(object->key), key);
    size_t len = make_map_key(type, key, object->map_key);
    if (vnrs_map_put(&lab->objects, object->map_key, len, object) < 0) {
        free(object);
        return NULL;
    }
    return object;
}

static void forget_spec(struct vnrs_obj_state *object)
{
    free(object->spec);
    free(object->data);
    object->spec = object->data = NULL;
    object->spec_size = object->data_size = 0;
}

static void fail_object(struct vnrs_lab *lab, struct vnrs_obj_state *object, const char *why)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%s '%s': %s", vnrs_object_type_name(object->type), object->key, why);
    vnrs_lab_keep_error(lab, &object->error, text);
}

void vnrs_objects_unlist(struct vnrs_lab *lab, struct vnrs_obj_state *object)
{
    if (!object->error) {
        vnrs_objects_drop(lab, object);
        return;
    }
    // Its error is kept, so that status goes on telling it and the next attempt does not tell it as news.
    forget_spec(object);
    object->there = object->running = false;
}

void vnrs_objects_drop(struct vnrs_lab *lab, struct vnrs_obj_state *object)
{
    vnrs_map_remove(&lab->objects, object->map_key, strlen(object->map_key));
    forget_spec(object);
    free(object->error);
    free(object);
}

// The kernel's number of a link wins over ours: nothing has to be made again.
static void take_number(struct vnrs_lab *lab, const char *key, uint32_t ifindex)
{
    if (vnrs_ids_find(lab->ids, VNRS_ID_LINK, key) == ifindex)
        return;
    if (vnrs_ids_set(lab->ids, VNRS_ID_LINK, key, ifindex) < 0)
        log_warn("lab '%s': link '%s' has number %u, which is not one of ours", lab->name, key, ifindex);
    else
        lab->renumbered = true;
}

void vnrs_objects_list(struct vnrs_lab *lab, const struct vnrs_ag_found *found, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct vnrs_obj_state *object = vnrs_objects_get(lab, found[i].obj.type, found[i].obj.key);
        if (!object)
            continue; // asked for again by the next check
        object->listed = true;
        if (!object->there)
            forget_spec(object);
        object->there = true;
        object->running = found[i].running;
        object->tunnel = found[i].tunnel < _VNRS_TUNNEL_MAX ? found[i].tunnel : VNRS_TUNNEL_NONE;
        if ((object->type == VNRS_OBJ_PROC || object->type == VNRS_OBJ_SPEAKER) && !object->running)
            forget_spec(object);
        if (object->type == VNRS_OBJ_LINK && found[i].ifindex && vnrs_link_key_is_nic(object->key))
            take_number(lab, object->key, found[i].ifindex);
    }
}

// ---- answers

static void learn_spec(struct vnrs_obj_state *object, const struct vnrs_agent_request *request)
{
    void *spec = malloc(request->spec_size + 1), *data = malloc(request->data_size + 1);

    forget_spec(object);
    if (!spec || !data) { // not known then: ensured once more
        free(spec);
        free(data);
        return;
    }
    memcpy(spec, request->spec, request->spec_size);
    if (request->data_size)
        memcpy(data, request->data, request->data_size);
    object->spec = spec;
    object->spec_size = request->spec_size;
    object->data = data;
    object->data_size = request->data_size;
}

// The packet path or a guest table is new: the sinks have to be told everything.
static bool needs_sync(const struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    enum vnrs_obj_type type = request->obj.type;

    return reply->outcome != VNRS_AG_UNCHANGED &&
           (type == VNRS_OBJ_FABRIC || type == VNRS_OBJ_LINK || type == VNRS_OBJ_TABLE);
}

static void on_ensured(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;
    struct vnrs_obj_state *object = vnrs_objects_get(lab, request->obj.type, request->obj.key);

    if (object && reply->error < 0) {
        fail_object(lab, object, reply->text[0] ? reply->text : strerror(-reply->error));
        forget_spec(object);
        lab->failed++;
    } else if (object) {
        vnrs_lab_clear_error(&object->error);
        learn_spec(object, request);
        object->there = object->running = true;
        lab->fib_sync |= needs_sync(request, reply);
        // Nothing of an earlier run forwards by this: waiting for the speakers would wait for ever.
        if (needs_sync(request, reply) && object->type != VNRS_OBJ_TABLE)
            vnrs_lab_release_hold(lab);
    }
    vnrs_lab_request_done(lab);
}

static void on_removed(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;
    struct vnrs_obj_state *object = vnrs_objects_find(lab, request->obj.type, request->obj.key);

    if (object && reply->error < 0) {
        char text[512];
        (void)snprintf(text, sizeof(text), "cannot remove %s '%s': %s", vnrs_object_type_name(object->type),
                       object->key, reply->text[0] ? reply->text : strerror(-reply->error));
        vnrs_lab_keep_error(lab, &object->error, text);
        lab->failed++;
    } else if (object) {
        lab->removed++;
        vnrs_objects_drop(lab, object);
    }
    vnrs_lab_request_done(lab);
}

// ---- requests

typedef VEC(struct vnrs_actual_object) actual_list;

static int actual_of(const struct vnrs_lab *lab, actual_list *out)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&lab->objects, &at));) {
        const struct vnrs_obj_state *object = e->value;
        if (!object->there)
            continue; // an attempt that failed
        struct vnrs_actual_object actual = {
            .type = object->type,
            .key = object->key,
            .spec = object->spec,
            .spec_size = object->spec_size,
            .data = object->data,
            .data_size = object->data_size,
        };
        if (vec_push(out, actual) < 0)
            return -ENOMEM;
    }
    return 0;
}

static struct vnrs_agent_request request_for(struct vnrs_lab *lab, enum vnrs_obj_type type, const char *key)
{
    struct vnrs_agent_request request = {.owner = lab, .obj.type = type};

    vnrs_str_copy(request.obj.lab, sizeof(request.obj.lab), lab->name);
    vnrs_str_copy(request.obj.key, sizeof(request.obj.key), key);
    return request;
}

static int send_remove(struct vnrs_lab *lab, const struct vnrs_actual_object *actual)
{
    struct vnrs_agent_request request = request_for(lab, actual->type, actual->key);

    request.type = VNRS_AG_REMOVE;
    request.done = on_removed;
    return vnrs_agent_send(lab->control->agent, &request, &request.obj, sizeof(request.obj), NULL, 0);
}

static int send_ensure(struct vnrs_lab *lab, const struct vnrs_object *object)
{
    struct vnrs_agent_request request = request_for(lab, object->type, object->key);

    request.type = VNRS_AG_ENSURE;
    request.done = on_ensured;
    int r = vnrs_agent_ensure(lab->control->agent, &request, object->spec, object->spec_size, object->data,
                              object->data_size);
    if (r != -EMSGSIZE)
        return r;
    // One configuration that is too long must not stop the others.
    struct vnrs_obj_state *state = vnrs_objects_get(lab, object->type, object->key);
    if (state)
        fail_object(lab, state, "the configuration is longer than the agent takes");
    lab->failed++;
    lab->work_done++; // nothing will be answered
    return 0;
}

static void mark_wanted(struct vnrs_lab *lab)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&lab->objects, &at));)
        ((struct vnrs_obj_state *)e->value)->wanted = false;
    vec_foreach (object, &lab->desired.objects) {
        struct vnrs_obj_state *state = vnrs_objects_find(lab, object->type, object->key);
        if (state)
            state->wanted = true;
    }
}

// Failed attempts that left nothing behind and are not wanted any more.
static void drop_ghosts(struct vnrs_lab *lab)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&lab->objects, &at));) {
        struct vnrs_obj_state *object = e->value;
        if (!object->wanted && !object->there)
            vnrs_objects_drop(lab, object);
    }
}

int vnrs_objects_request(struct vnrs_lab *lab)
{
    actual_list actual = {0};
    vnrs_request_list requests = {0};
    int r;

    mark_wanted(lab);
    drop_ghosts(lab);
    r = actual_of(lab, &actual);
    if (r == 0)
        r = vnrs_diff(lab->desired.objects.items, lab->desired.objects.len, actual.items, actual.len, &requests);
    lab->work_total = requests.len;
    lab->work_done = 0;
    vec_foreach (request, &requests) {
        if (r == 0)
            r = request->op == VNRS_REQUEST_REMOVE ? send_remove(lab, request->actual)
                                                   : send_ensure(lab, request->object);
    }
    if (r == 0)
        r = (int)requests.len;
    vec_free(&requests);
    vec_free(&actual);
    return r;
}

int vnrs_objects_request_removal(struct vnrs_lab *lab)
{
    actual_list actual = {0};
    vnrs_request_list requests = {0};
    int r = actual_of(lab, &actual);

    if (r == 0)
        r = vnrs_diff(NULL, 0, actual.items, actual.len, &requests);
    lab->work_total = requests.len;
    lab->work_done = 0;
    vec_foreach (request, &requests) {
        if (r == 0)
            r = send_remove(lab, request->actual);
    }
    if (r == 0)
        r = (int)requests.len;
    vec_free(&requests);
    vec_free(&actual);
    return r;
}
