// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arm_template.h"

#include "cli/arm_expr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRAMES_MAX  16 // deployments in deployments
#define ID_MAX      512
#define DEPLOYMENTS "Microsoft.Resources/deployments"

struct world {
    json_t *resources, *lost; // what was found so far
    unsigned work;
    unsigned frames;
};

// A template that is being expanded.
struct frame {
    struct vnrs_arm_scope scope;
    struct world *world;
    json_t *names, *raws; // symbolic names (null in the older form) and resources as written
    bool *begun;          // each of them
    json_t *outputs;      // of deployments in it: by name, by symbolic name, by "symbolic[index]"
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(vnrs_arm_get(object, key));
}

// ---- what is told

struct loss {
    struct world *world;
    const char *type, *name;
};

static void tell_lost(void *arg, const char *property, const char *why)
{
    const struct loss *loss = arg;
    char resource[ID_MAX];

    (void)snprintf(resource, sizeof(resource), "%s%s%s", loss->type, *loss->name ? " " : "", loss->name);
    (void)json_array_append_new(
        loss->world->lost, *property
                               ? json_pack("{s:s, s:s, s:s}", "resource", resource, "property", property, "why", why)
                               : json_pack("{s:s, s:s}", "resource", resource, "why", why));
}

// ---- one resource

static void expand_at(struct frame *frame, size_t i);
static json_t *expand_nested(struct frame *outer, const json_t *raw, const char *name);

// The evaluated name, below that of `parent`; NULL: it has none here.
static json_t *make_name(struct frame *frame, const json_t *raw, const char *parent)
{
    const char *text = text_of(raw, "name");
    json_t *name = text ? vnrs_arm_text(&frame->scope, text) : vnrs_arm_fail(&frame->scope, "it has no name");

    if (name && !json_is_string(name)) {
        json_decref(name);
        name = vnrs_arm_fail(&frame->scope, "its name is no text");
    }
    if (!name || !*parent)
        return name;
    json_t *whole = json_sprintf("%s/%s", parent, json_string_value(name));
    json_decref(name);
    return whole;
}

static bool is_wanted(struct frame *frame, const json_t *raw)
{
    const json_t *condition = vnrs_arm_get(raw, "condition");
    const char *text = json_string_value(condition);
    json_t *value = text ? vnrs_arm_text(&frame->scope, text) : json_incref((json_t *)condition);
    bool wanted = !condition || !value || json_is_true(value); // not known: rather too much than too little

    json_decref(value);
    return wanted && !json_is_true(vnrs_arm_get(raw, "existing"));
}

static void add_resource(struct frame *frame, const json_t *raw, const char *type, const char *name)
{
    static const char *const parts[] = {"location", "sku", "properties"};
    struct loss loss = {.world = frame->world, .type = type, .name = name};
    json_t *resource = json_pack("{s:s, s:s}", "type", type, "name", name);

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        const json_t *part = vnrs_arm_get(raw, parts[i]);
        if (part)
            (void)json_object_set_new(resource, parts[i], vnrs_arm_tree(&frame->scope, part, tell_lost, &loss));
    }
    (void)json_array_append_new(frame->world->resources, resource);
}

static void expand_raw(struct frame *frame, const json_t *raw, const json_t *symbol, const char *parent_type,
                       const char *parent_name);

static void expand_once(struct frame *frame, const json_t *raw, const json_t *symbol, const char *parent_type,
                        const char *parent_name)
{
    const char *own = text_of(raw, "type");
    char type[ID_MAX];
    struct loss loss = {.world = frame->world, .type = type, .name = ""};

    (void)snprintf(type, sizeof(type), "%s%s%s", parent_type, *parent_type ? "/" : "", own ? own : "?");
    if (!is_wanted(frame, raw))
        return;
    json_t *name = make_name(frame, raw, parent_name);
    if (!name) {
        tell_lost(&loss, "", frame->scope.error);
        return;
    }
    if (strcasecmp(type, DEPLOYMENTS) == 0) {
        json_t *outputs = expand_nested(frame, raw, json_string_value(name));
        const char *key = json_string_value(symbol);
        const json_t *index = frame->scope.loop ? json_object_get(frame->scope.loops, frame->scope.loop) : NULL;
        if (key && index) {
            json_t *indexed = json_sprintf("%s[%lld]", key, (long long)json_integer_value(index));
            (void)json_object_set(frame->outputs, json_string_value(indexed), outputs);
            json_decref(indexed);
        } else if (key) {
            (void)json_object_set(frame->outputs, key, outputs);
        }
        (void)json_object_set_new(frame->outputs, json_string_value(name), outputs);
    } else {
        add_resource(frame, raw, type, json_string_value(name));
        const json_t *children = vnrs_arm_get(raw, "resources");
        for (size_t i = 0; i < json_array_size(children); i++)
            expand_raw(frame, json_array_get(children, i), NULL, type, json_string_value(name));
    }
    json_decref(name);
}

static void expand_raw(struct frame *frame, const json_t *raw, const json_t *symbol, const char *parent_type,
                       const char *parent_name)
{
    const json_t *copy = vnrs_arm_get(raw, "copy"), *count = vnrs_arm_get(copy, "count");
    const char *loop = text_of(copy, "name"), *outer = frame->scope.loop;

    if (frame->scope.depth >= VNRS_ARM_DEPTH_MAX)
        return;
    frame->scope.depth++;
    if (!loop) {
        expand_once(frame, raw, symbol, parent_type, parent_name);
    } else {
        struct loss loss = {
            .world = frame->world, .type = text_of(raw, "type") ? text_of(raw, "type") : "?", .name = ""};
        json_t *n = vnrs_arm_tree(&frame->scope, count, tell_lost, &loss);
        for (json_int_t i = 0; i < MIN(json_integer_value(n), VNRS_ARM_LOOP_MAX); i++) {
            (void)json_object_set_new(frame->scope.loops, loop, json_integer(i));
            frame->scope.loop = loop;
            expand_once(frame, raw, symbol, parent_type, parent_name);
        }
        (void)json_object_del(frame->scope.loops, loop);
        frame->scope.loop = outer;
        json_decref(n);
    }
    frame->scope.depth--;
}

// ---- references

// "Microsoft.Network/virtualNetworks" and "hub" of an id; false: it is none.
static bool split_id(const char *id, char type[static ID_MAX], char name[static ID_MAX])
{
    const char *at = NULL, *next;
    size_t t, n = 0;
    bool is_name = false;

    for (next = id; (next = strstr(next, "/providers/")); next++)
        at = next + strlen("/providers/");
    if (!at || strlen(at) >= ID_MAX)
        return false;
    t = strcspn(at, "/");
    memcpy(type, at, t);
    for (at += t; *at == '/'; at += 1 + strcspn(at + 1, "/"), is_name = !is_name) {
        size_t len = strcspn(at + 1, "/");
        if (!is_name)
            type[t++] = '/';
        else if (n)
            name[n++] = '/';
        memcpy(is_name ? name + n : type + t, at + 1, len);
        *(is_name ? &n : &t) += len;
    }
    type[t] = name[n] = '\0';
    return true;
}

// Properties of a resource of this template, as far as they are written there.
static json_t *properties_at(struct frame *frame, size_t i)
{
    json_t *properties = vnrs_arm_get(json_array_get(frame->raws, i), "properties");
    return properties ? vnrs_arm_tree(&frame->scope, properties, NULL, NULL) : json_object();
}

static bool is_called(struct frame *frame, size_t i, const char *type, const char *name)
{
    const json_t *raw = json_array_get(frame->raws, i);
    const char *own = text_of(raw, "type");

    if (!own || strcasecmp(own, type) != 0 || vnrs_arm_get(raw, "copy"))
        return false;
    json_t *text = make_name(frame, raw, "");
    bool same = text && strcasecmp(json_string_value(text), name) == 0;
    json_decref(text);
    return same;
}

static json_t *known_outputs(const struct frame *frame, const char *name)
{
    json_t *outputs = vnrs_arm_get(frame->outputs, name);
    return outputs ? json_pack("{s:O}", "outputs", outputs) : NULL;
}

// Every deployment in the frame that has not been: what is looked for may be an output of it.
static void expand_deployments(struct frame *frame)
{
    for (size_t i = 0; i < json_array_size(frame->raws); i++) {
        const char *type = text_of(json_array_get(frame->raws, i), "type");
        if (type && strcasecmp(type, DEPLOYMENTS) == 0)
            expand_at(frame, i);
    }
}

static json_t *refer(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    struct frame *frame = scope->arg;
    const char *target = json_string_value(args[0]), *key = target;
    char type[ID_MAX], name[ID_MAX];
    bool is_id = target && split_id(target, type, name);
    json_t *found;

    if (!target)
        return vnrs_arm_fail(scope, "reference() needs a name");
    if (is_id && strcasecmp(type, DEPLOYMENTS) == 0)
        key = name;
    if (key != target || !is_id) {
        if ((found = known_outputs(frame, key)))
            return found;
        expand_deployments(frame);
        if ((found = known_outputs(frame, key)))
            return found;
    }
    for (size_t i = 0; i < json_array_size(frame->raws); i++) {
        const char *symbol = json_string_value(json_array_get(frame->names, i));
        if (is_id ? is_called(frame, i, type, name) : symbol && strcasecmp(symbol, target) == 0)
            return properties_at(frame, i);
    }
    return vnrs_arm_fail(scope, "only Azure knows what is asked of '%.150s'", is_id ? name : target);
}

// ---- templates

// Values of parameters: given, or by default.
static void take_parameters(struct frame *frame, const json_t *template, const json_t *given)
{
    json_t *declared = vnrs_arm_get(template, "parameters"), *declaration;
    const char *name;

    json_object_foreach(declared, name, declaration)
    {
        json_t *value = vnrs_arm_get(vnrs_arm_get(given, name), "value"),
               *def = vnrs_arm_get(declaration, "defaultValue");
        if (value)
            (void)json_object_set(frame->scope.parameters, name, value);
        else if (def)
            (void)json_object_set_new(frame->scope.parameters, name, vnrs_arm_tree(&frame->scope, def, NULL, NULL));
    }
}

// Resources are a list, or an object by symbolic name (languageVersion 2.0).
static bool take_resources(struct frame *frame, const json_t *template)
{
    json_t *resources = vnrs_arm_get(template, "resources"), *raw;
    const char *symbol;

    for (size_t i = 0; i < json_array_size(resources); i++) {
        (void)json_array_append_new(frame->names, json_null());
        (void)json_array_append(frame->raws, json_array_get(resources, i));
    }
    json_object_foreach(resources, symbol, raw)
    {
        (void)json_array_append_new(frame->names, json_string(symbol));
        (void)json_array_append(frame->raws, raw);
    }
    frame->begun = calloc(json_array_size(frame->raws) + 1, sizeof(*frame->begun));
    return frame->begun != NULL;
}

static void expand_at(struct frame *frame, size_t i)
{
    if (frame->begun[i])
        return;
    frame->begun[i] = true;
    expand_raw(frame, json_array_get(frame->raws, i), json_array_get(frame->names, i), "", "");
}

static void frame_init(struct frame *frame, struct world *world)
{
    *frame = (struct frame){.scope = {.parameters = json_object(),
                                      .known = json_object(),
                                      .loops = json_object(),
                                      .reference = refer,
                                      .arg = frame,
                                      .work = &world->work},
                            .world = world,
                            .names = json_array(),
                            .raws = json_array(),
                            .outputs = json_object()};
}

static void frame_fini(struct frame *frame)
{
    json_decref(frame->scope.parameters);
    json_decref(frame->scope.known);
    json_decref(frame->scope.loops);
    json_decref(frame->names);
    json_decref(frame->raws);
    json_decref(frame->outputs);
    free(frame->begun);
}

// Expands it and returns the values of its outputs.
static json_t *run_frame(struct frame *frame, const json_t *template)
{
    if (!take_resources(frame, template))
        return json_object();
    for (size_t i = 0; i < json_array_size(frame->raws); i++)
        expand_at(frame, i);
    const json_t *outputs = vnrs_arm_get(template, "outputs");
    return outputs ? vnrs_arm_tree(&frame->scope, outputs, NULL, NULL) : json_object();
}

// A nested deployment sees the values of its own parameters, or, without scope "inner", those of the outer template.
static json_t *expand_nested(struct frame *outer, const json_t *raw, const char *name)
{
    const json_t *properties = vnrs_arm_get(raw, "properties"), *template = vnrs_arm_get(properties, "template");
    const char *scope = json_string_value(vnrs_arm_path(properties, "expressionEvaluationOptions.scope"));
    struct loss loss = {.world = outer->world, .type = DEPLOYMENTS, .name = name};
    struct frame frame;

    if (!json_is_object(template) || outer->world->frames >= FRAMES_MAX) {
        tell_lost(&loss, "", template ? "it is nested too deeply" : "its template is somewhere else");
        return json_object();
    }
    outer->world->frames++;
    frame_init(&frame, outer->world);
    if (scope && strcasecmp(scope, "inner") == 0) {
        const json_t *given = vnrs_arm_get(properties, "parameters");
        json_t *values = given ? vnrs_arm_tree(&outer->scope, given, tell_lost, &loss) : json_object();
        frame.scope.variables = vnrs_arm_get(template, "variables");
        take_parameters(&frame, template, values);
        json_decref(values);
    } else {
        (void)json_object_update(frame.scope.parameters, outer->scope.parameters);
        (void)json_object_update(frame.scope.loops, outer->scope.loops);
        frame.scope.variables = outer->scope.variables;
        frame.scope.loop = outer->scope.loop;
    }
    json_t *outputs = run_frame(&frame, template);
    frame_fini(&frame);
    outer->world->frames--;
    return outputs;
}

json_t *vnrs_arm_expand(const json_t *template, const json_t *parameters, json_t *lost, char error[static 200])
{
    struct world world = {.resources = json_array(), .lost = lost, .work = VNRS_ARM_WORK_MAX};
    const json_t *resources = vnrs_arm_get(template, "resources");
    struct frame frame;

    if (!json_is_array(resources) && !json_is_object(resources)) {
        json_decref(world.resources);
        (void)snprintf(error, 200, "it is no ARM template: it has no \"resources\"");
        return NULL;
    }
    frame_init(&frame, &world);
    frame.scope.variables = vnrs_arm_get(template, "variables");
    take_parameters(&frame, template, parameters);
    json_decref(run_frame(&frame, template));
    frame_fini(&frame);
    if (world.work == 0) {
        json_decref(world.resources);
        (void)snprintf(error, 200, "it makes too much: its loops do not end");
        return NULL;
    }
    return world.resources;
}
