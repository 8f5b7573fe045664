// SPDX-License-Identifier: GPL-2.0-or-later
// Models for the planner's tests: the examples of the project, and small files in the test itself.
#pragma once

#include "plan/desired.h"
#include "util/arena.h"
#include "util/fd.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

// How files begin: one virtual network, or one with a Route Server to which keys may be added.
#define LABS_NETWORK                                                                                                   \
    "name: l\nvirtualNetworks:\n  - name: net\n    addressSpace: [10.0.0.0/16]\n    subnets:\n"                        \
    "      - {name: default, addressPrefix: 10.0.0.0/24}\n"
#define LABS_ROUTE_SERVER                                                                                              \
    "name: l\nvirtualNetworks:\n  - name: hub\n    addressSpace: [10.0.0.0/16]\n    subnets:\n"                        \
    "      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}\n"                                                  \
    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"                                                                \
    "routeServers:\n  - name: rs\n    virtualNetwork: hub\n"

static inline struct vnrs_model *labs_load_text(const char *file, const char *text)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    struct vnrs_diags diags = {.arena = arena, .file = file, .source = text};
    struct vnrs_model *model = vnrs_model_load(file, text, strlen(text), NULL, &diags);

    if (!model)
        vnrs_diags_print(&diags, stderr, false);
    assert(model);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(arena);
    return model;
}

static inline struct vnrs_model *labs_load_example(const char *name)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    char path[512];
    char *text = NULL;
    size_t len;

    (void)snprintf(path, sizeof(path), "%s/packaging/examples/%s.vnrs.yml", root ? root : ".", name);
    int r = vnrs_file_load(path, 1 << 20, &text, &len);
    if (r < 0)
        fprintf(stderr, "cannot read %s\n", path);
    assert(r == 0);
    struct vnrs_model *model = labs_load_text(name, text);
    free(text);
    return model;
}

struct labs_plan {
    struct vnrs_model *model;
    struct vnrs_routing *routing;
    struct vnrs_desired desired;
    char error[256];
    int r;
};

static inline struct labs_plan labs_plan(struct vnrs_model *model, struct vnrs_ids *ids)
{
    struct labs_plan plan = {.model = model};

    plan.routing = vnrs_routing_compute(model, NULL, 0);
    assert(plan.routing);
    plan.r = vnrs_desired_make(model, plan.routing, ids, plan.error, &plan.desired);
    return plan;
}

static inline void labs_plan_fini(struct labs_plan *plan)
{
    if (plan->r == 0)
        vnrs_desired_fini(&plan->desired);
    vnrs_routing_free(plan->routing);
    vnrs_model_free(plan->model);
}

static inline const struct vnrs_object *labs_find(const struct labs_plan *plan, enum vnrs_obj_type type,
                                                  const char *key)
{
    vec_foreach (object, &plan->desired.objects) {
        if (object->type == type && strcmp(object->key, key) == 0)
            return object;
    }
    return NULL;
}
