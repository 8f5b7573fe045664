// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/diff.h"

#include "plan/labs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// What an agent that has done everything would know.
static struct vnrs_actual_object *as_actual(const struct vnrs_desired *desired)
{
    struct vnrs_actual_object *actual = calloc(desired->objects.len, sizeof(*actual));

    for (size_t i = 0; i < desired->objects.len; i++) {
        const struct vnrs_object *o = &desired->objects.items[i];
        actual[i] = (struct vnrs_actual_object){.type = o->type,
                                                .key = o->key,
                                                .spec = o->spec,
                                                .spec_size = o->spec_size,
                                                .data = o->data,
                                                .data_size = o->data_size};
    }
    return actual;
}

static void unchanged_is_nothing(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan a = labs_plan(labs_load_example("hub-spoke"), ids);
    struct labs_plan b = labs_plan(labs_load_example("hub-spoke"), ids);
    struct vnrs_actual_object *actual = as_actual(&a.desired);
    vnrs_request_list requests = {0};

    (void)state;
    assert_int_equal(
        vnrs_diff(b.desired.objects.items, b.desired.objects.len, actual, a.desired.objects.len, &requests), 0);
    assert_int_equal(requests.len, 0);
    free(actual);
    labs_plan_fini(&a);
    labs_plan_fini(&b);
    vnrs_ids_free(ids);
}

static void unknown_specs_are_ensured_again_and_nothing_is_removed(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan a = labs_plan(labs_load_example("hub-spoke"), ids);
    struct vnrs_actual_object *actual = as_actual(&a.desired);
    vnrs_request_list requests = {0};

    (void)state;
    for (size_t i = 0; i < a.desired.objects.len; i++)
        actual[i].spec = NULL;
    assert_int_equal(
        vnrs_diff(a.desired.objects.items, a.desired.objects.len, actual, a.desired.objects.len, &requests), 0);
    assert_int_equal(requests.len, a.desired.objects.len);
    vec_foreach (request, &requests)
        assert_int_equal(request->op, VNRS_REQUEST_ENSURE);
    vec_free(&requests);
    free(actual);
    labs_plan_fini(&a);
    vnrs_ids_free(ids);
}

// The agent makes the next namespaces while it makes a link: they come in turns, each before what needs it.
static void a_namespace_comes_right_before_its_first_link(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan a = labs_plan(labs_load_example("hub-spoke"), ids);
    vnrs_request_list requests = {0};
    size_t in_turns = 0;

    (void)state;
    assert_int_equal(vnrs_diff(a.desired.objects.items, a.desired.objects.len, NULL, 0, &requests), 0);
    assert_int_equal(requests.len, a.desired.objects.len);
    assert_int_equal(requests.items[0].object->type, VNRS_OBJ_FABRIC);
    for (size_t i = 1; i < requests.len; i++) {
        const struct vnrs_object *object = requests.items[i].object, *before = requests.items[i - 1].object;
        if (object->type == VNRS_OBJ_LINK && before->type == VNRS_OBJ_NETNS) {
            const struct vnrs_obj_link *link = object->spec;
            assert_true(strcmp(link->a.ns.name, before->key) == 0 || strcmp(link->b.ns.name, before->key) == 0);
            in_turns++;
        } else if (object->type != VNRS_OBJ_LINK && object->type != VNRS_OBJ_NETNS) {
            assert_true(object->type >= before->type); // as before
        }
    }
    assert_true(in_turns > 3);
    vec_free(&requests);
    labs_plan_fini(&a);
    vnrs_ids_free(ids);
}

static void removals_come_first_and_dependents_before(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan a = labs_plan(labs_load_example("hub-spoke"), ids);
    struct vnrs_actual_object *actual = as_actual(&a.desired);
    vnrs_request_list requests = {0};
    unsigned last = _VNRS_OBJ_MAX;
    const struct vnrs_object fabric = a.desired.objects.items[0];

    (void)state;
    assert_int_equal(fabric.type, VNRS_OBJ_FABRIC);
    assert_int_equal(vnrs_diff(&fabric, 1, actual, a.desired.objects.len, &requests), 0);
    assert_int_equal(requests.len, a.desired.objects.len - 1);
    vec_foreach (request, &requests) {
        assert_int_equal(request->op, VNRS_REQUEST_REMOVE);
        assert_true(request->actual->type <= last);
        last = request->actual->type;
    }
    vec_clear(&requests);
    // The whole lab: speakers and daemons first, links when their namespaces are gone.
    assert_int_equal(vnrs_diff(NULL, 0, actual, a.desired.objects.len, &requests), 0);
    assert_int_equal(requests.len, a.desired.objects.len);
    assert_int_equal(requests.items[0].actual->type, VNRS_OBJ_SPEAKER);
    assert_int_equal(requests.items[requests.len - 1].actual->type, VNRS_OBJ_ROUTE);
    vec_free(&requests);
    // One goes, one changes, one is new.
    struct vnrs_obj_netns flags = {.flags = VNRS_NETNS_FORWARD}, none = {0};
    const struct vnrs_object want[] = {
        {.type = VNRS_OBJ_NETNS, .key = "new", .spec = &none, .spec_size = sizeof(none)},
        {.type = VNRS_OBJ_NETNS, .key = "same", .spec = &none, .spec_size = sizeof(none)},
        {.type = VNRS_OBJ_NETNS, .key = "changed", .spec = &flags, .spec_size = sizeof(flags)},
    };
    const struct vnrs_actual_object have[] = {
        {.type = VNRS_OBJ_NETNS, .key = "same", .spec = &none, .spec_size = sizeof(none)},
        {.type = VNRS_OBJ_NETNS, .key = "changed", .spec = &none, .spec_size = sizeof(none)},
        {.type = VNRS_OBJ_NETNS, .key = "gone", .spec = &none, .spec_size = sizeof(none)},
        {.type = VNRS_OBJ_LINK, .key = "same"}, // another type: no relation
    };
    assert_int_equal(vnrs_diff(want, 3, have, 4, &requests), 0);
    assert_int_equal(requests.len, 4);
    assert_int_equal(requests.items[0].op, VNRS_REQUEST_REMOVE);
    assert_int_equal(requests.items[0].actual->type, VNRS_OBJ_LINK);
    assert_string_equal(requests.items[1].actual->key, "gone");
    assert_string_equal(requests.items[2].object->key, "new");
    assert_string_equal(requests.items[3].object->key, "changed");
    vec_free(&requests);
    free(actual);
    labs_plan_fini(&a);
    vnrs_ids_free(ids);
}

static const char *const small = LABS_NETWORK "machines:\n"
                                              "  - {name: b, nics: [{subnet: net/default, privateIp: 10.0.0.9}]}\n";
static const char *const larger = "name: l\n"
                                  "virtualNetworks:\n"
                                  "  - name: other\n"
                                  "    addressSpace: [10.9.0.0/16]\n"
                                  "    subnets:\n"
                                  "      - {name: default, addressPrefix: 10.9.0.0/24}\n"
                                  "  - name: net\n"
                                  "    addressSpace: [10.0.0.0/16]\n"
                                  "    subnets:\n"
                                  "      - {name: first, addressPrefix: 10.0.1.0/24}\n"
                                  "      - {name: default, addressPrefix: 10.0.0.0/24}\n"
                                  "machines:\n"
                                  "  - {name: a, nics: [{subnet: other/default, privateIp: 10.9.0.9}]}\n"
                                  "  - {name: b, nics: [{subnet: net/default, privateIp: 10.0.0.9}]}\n";

static void additions_touch_nothing_else(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan a = labs_plan(labs_load_text("small", small), ids);
    struct labs_plan b = labs_plan(labs_load_text("larger", larger), ids);
    struct vnrs_actual_object *actual = as_actual(&a.desired);
    vnrs_request_list requests = {0};

    (void)state;
    assert_int_equal(
        vnrs_diff(b.desired.objects.items, b.desired.objects.len, actual, a.desired.objects.len, &requests), 0);
    assert_int_equal(requests.len, 3); // namespace, link and table of `a`
    vec_foreach (request, &requests) {
        assert_int_equal(request->op, VNRS_REQUEST_ENSURE);
        assert_int_equal(request->object->key[0], 'a');
    }
    vec_free(&requests);
    free(actual);
    labs_plan_fini(&a);
    labs_plan_fini(&b);
    vnrs_ids_free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unchanged_is_nothing),
        cmocka_unit_test(unknown_specs_are_ensured_again_and_nothing_is_removed),
        cmocka_unit_test(a_namespace_comes_right_before_its_first_link),
        cmocka_unit_test(removals_come_first_and_dependents_before),
        cmocka_unit_test(additions_touch_nothing_else),
    };
    return cmocka_run_group_tests_name("plan.diff", tests, NULL, NULL);
}
