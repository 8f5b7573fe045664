// SPDX-License-Identifier: GPL-2.0-or-later
#include "routing/reach.h"

#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct row {
    const char *vnet, *ip, *want; // NULL: nobody in reach
};

// b is peered with a and c; d is peered with a, without access from a; e is half peered; z stands alone.
static const struct row rows[] = {
    {"a", "10.0.0.4", "in-a"}, {"a", "10.0.0.5", "in-a"},                          // second address
    {"b", "10.0.0.4", "in-a"}, {"a", "10.1.0.4", "in-b"}, {"c", "10.0.0.4", NULL}, // 4.2: not transitive
    {"z", "10.0.0.4", "in-z"}, {"a", "10.3.0.4", NULL},                            // 14.11
    {"d", "10.0.0.4", NULL},                                                       // nor back
    {"a", "10.4.0.4", NULL},                                                       // 4.2: only one half
    {"a", "10.0.0.6", NULL},   {"a", "fd00::4", "in-b"},
};

static void next_hops_are_found_here_and_one_peering_away(void **state)
{
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab, "vnet z 10.0.0.0/16\nvnet a 10.0.0.0/16\nvnet b 10.1.0.0/16 fd00::/64\nvnet c 10.2.0.0/16\n"
                  "vnet d 10.3.0.0/16\nvnet e 10.4.0.0/16\n"
                  "peer a b\npeer b a\npeer b c\npeer c b\npeer a d noaccess\npeer d a\npeer a e\n"
                  "nic z/s in-z 10.0.0.4\nnic a/s in-a 10.0.0.4 10.0.0.5\nnic b/s in-b 10.1.0.4 fd00::4\n"
                  "nic d/s in-d 10.3.0.4\nnic e/s in-e 10.4.0.4\n");
    struct vnrs_reach *reach = vnrs_reach_new(&lab.model);
    assert_non_null(reach);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_addr addr = lab_addr(rows[i].ip);
        const struct vnrs_nic *nic = vnrs_reach_find(reach, LAB_FIND(&lab.model.vnets, rows[i].vnet), &addr);
        if (!rows[i].want) {
            assert_null(nic);
            continue;
        }
        assert_non_null(nic);
        assert_string_equal(nic->name, rows[i].want);
    }
    vnrs_reach_free(reach);
    lab_fini(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_hops_are_found_here_and_one_peering_away),
    };
    return cmocka_run_group_tests_name("routing.reach", tests, NULL, NULL);
}
