// SPDX-License-Identifier: GPL-2.0-or-later
// Impaired links in desired state: as the file says, and as somebody says live.
#include "plan/labs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LAB(link)                                                                                                      \
    "name: l\nvirtualNetworks:\n  - name: n\n    addressSpace: [10.0.0.0/16]\n    subnets:\n"                          \
    "      - {name: s, addressPrefix: 10.0.0.0/24}\nmachines:\n  - {name: a, nics: [{subnet: n/s}]}\n"                 \
    "  - {name: b, nics: [{subnet: n/s, link: {" link "}}]}\n  - {name: c, nics: [{subnet: n/s}]}\n"

static struct labs_plan plan_of(const char *text)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_text("l.vnrs.yml", text), ids);

    assert_int_equal(plan.r, 0);
    vnrs_ids_free(ids);
    return plan;
}

static void assert_sorted(const struct labs_plan *plan)
{
    unsigned last = 0;

    vec_foreach (object, &plan->desired.objects) {
        assert_true(object->type >= last);
        last = object->type;
    }
}

// What is wanted of the link of a machine; `table`: whether its guest table is.
static void assert_link(const struct labs_plan *plan, const char *key, const struct vnrs_impair *impair, bool table)
{
    const struct vnrs_object *link = labs_find(plan, VNRS_OBJ_LINK, key), *own = labs_find(plan, VNRS_OBJ_IMPAIR, key);

    assert_non_null(link);
    assert_int_equal(((const struct vnrs_obj_link *)link->spec)->down, impair ? impair->down : 0);
    assert_int_equal(own != NULL, impair != NULL);
    if (own) {
        assert_int_equal(own->spec_size, sizeof(struct vnrs_obj_impair));
        assert_memory_equal(own->spec, impair, sizeof(*impair));
    }
    assert_int_equal(labs_find(plan, VNRS_OBJ_TABLE, key) != NULL, table);
    assert_sorted(plan);
}

static void as_the_file_says(void **state)
{
    const struct vnrs_impair lossy = {.loss_ppm = 10000, .delay_us = 20000, .jitter_us = 5000},
                             down = {.down = 1, .rate_kbit = 1000};
    struct labs_plan plan = plan_of(LAB("loss: 1%, delay: 20ms, jitter: 5ms"));

    (void)state;
    assert_link(&plan, "a/eth0", NULL, true);
    assert_link(&plan, "b/eth0", &lossy, true);
    labs_plan_fini(&plan);
    plan = plan_of(LAB("down: true, rate: 1mbit"));
    assert_link(&plan, "b/eth0", &down, false); // its guest table waits for the carrier
    assert_link(&plan, "c/eth0", NULL, true);
    labs_plan_fini(&plan);
    plan = plan_of(LAB("down: false"));
    assert_link(&plan, "b/eth0", NULL, true);
    labs_plan_fini(&plan);
}

static void as_is_said_live(void **state)
{
    const struct vnrs_impair none = {0}, down = {.down = 1}, lossy = {.loss_ppm = 1};
    struct labs_plan plan = plan_of(LAB("down: true"));
    size_t n = plan.desired.objects.len;

    (void)state;
    assert_int_equal(vnrs_desired_impair(&plan.desired, "b/eth0", &lossy), 0);
    assert_link(&plan, "b/eth0", &lossy, true);
    assert_int_equal(vnrs_desired_impair(&plan.desired, "b/eth0", &none), 0);
    assert_link(&plan, "b/eth0", NULL, true);
    for (int i = 0; i < 2; i++) { // twice is as once
        assert_int_equal(vnrs_desired_impair(&plan.desired, "b/eth0", &down), 0);
        assert_link(&plan, "b/eth0", &down, false);
    }
    assert_int_equal(plan.desired.objects.len, n);
    assert_int_equal(vnrs_desired_impair(&plan.desired, "a/eth0", &lossy), 0);
    assert_link(&plan, "a/eth0", &lossy, true);
    assert_link(&plan, "c/eth0", NULL, true);
    assert_int_equal(vnrs_desired_impair(&plan.desired, "z/eth0", &lossy), -ENOENT);
    labs_plan_fini(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_file_says),
        cmocka_unit_test(as_is_said_live),
    };
    return cmocka_run_group_tests_name("plan.impair", tests, NULL, NULL);
}
