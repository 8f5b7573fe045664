// SPDX-License-Identifier: GPL-2.0-or-later
// Expressions of ARM templates and what they are, as compact JSON; "!why" where they have no value.
#pragma once

#include "cli/arm_expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct arm_row {
    const char *expression, *value;
};

static inline void arm_rows(const struct arm_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned work = VNRS_ARM_WORK_MAX;
        struct vnrs_arm_scope scope = {.parameters = json_pack("{s:s, s:i, s:[i,i], s:{s:s}}", "Text", "hub", "number",
                                                               7, "list", 1, 2, "object", "Name", "n"),
                                       .variables =
                                           json_pack("{s:s, s:s, s:s, s:[{s:s, s:i, s:s}]}", "plain", "v", "made",
                                                     "[concat('a', 'b')]", "loop", "[variables('loop')]", "copy",
                                                     "name", "many", "count", 2, "input", "[copyIndex('many', 5)]"),
                                       .known = json_object(),
                                       .loops = json_pack("{s:i, s:i}", "outer", 1, "inner", 2),
                                       .loop = "inner",
                                       .work = &work};
        char text[512];
        json_t *value = vnrs_arm_text(&scope, rows[i].expression);
        char *json = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        (void)snprintf(text, sizeof(text), "%s%s", json ? "" : "!", json ? json : scope.error);
        if (strcmp(text, rows[i].value) != 0)
            print_error("%s\n", rows[i].expression);
        assert_string_equal(text, rows[i].value);
        assert_int_equal(scope.depth, json ? 0 : scope.depth);
        free(json);
        json_decref(value);
        json_decref(scope.parameters);
        json_decref(scope.variables);
        json_decref(scope.known);
        json_decref(scope.loops);
    }
}

#define ARM_TEST_MAIN(name)                                                                                            \
    static void expressions_and_values(void **state)                                                                   \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        arm_rows(rows, sizeof(rows) / sizeof(*rows));                                                                  \
    }                                                                                                                  \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        const struct CMUnitTest tests[] = {cmocka_unit_test(expressions_and_values)};                                  \
        return cmocka_run_group_tests_name(name, tests, NULL, NULL);                                                   \
    }
