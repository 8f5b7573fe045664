// SPDX-License-Identifier: GPL-2.0-or-later
// How expressions are read: arm_expr.c. What its functions do is in the tests of their files.
#include "cli/arm.h"

static const struct arm_row rows[] = {
    {"plain", "\"plain\""},
    {"", "\"\""},
    {"[", "\"[\""},
    {"[[concat('a')]", "\"[concat('a')]\""},
    {"[not an end", "\"[not an end\""},
    {"['it''s']", "\"it's\""},
    {"['']", "\"\""},
    {"[ 12 ]", "12"},
    {"[-3]", "-3"},
    {"[true]", "true"},
    {"[NULL]", "null"},
    {"[parameters('list')[1]]", "2"},
    {"[parameters('list')[add(0, 1)]]", "2"},
    {"[parameters('object').NAME]", "\"n\""},
    {"[parameters('object')['name']]", "\"n\""},
    {"[parameters('object').?nothing]", "null"},
    {"[createObject('a', createArray(createObject('b', 5))).a[0].b]", "5"},
    {"[CONCAT('a')]", "\"a\""},
    // only the branch that is taken needs a value
    {"[if(true, 1, parameters('none'))]", "1"},
    {"[if(equals(1, 2), parameters('none').x[3], 2)]", "2"},
    {"[if(false, if(true, parameters('none'), 1), 3)]", "3"},
    {"[parameters('object').nothing]", "!there is no 'nothing'"},
    {"[parameters('list')[2]]", "!there is no element 2"},
    {"[parameters('list')[-1]]", "!there is no element -1"},
    {"[frobnicate()]", "!the function frobnicate() is not known"},
    {"[toLower()]", "!toLower() has 0 arguments"},
    {"[toLower('a', 'b')]", "!toLower() has 2 arguments"},
    {"[concat('a'))]", "!there is more after its end"},
    {"[concat('a']", "!cannot be read at \"]\""},
    {"[concat('a' 'b')]", "!cannot be read at \"'b')]\""},
    {"['a]", "!a text has no end"},
    {"[parameters('list')[0]", "!it ends too early"},
    {"[name]", "!cannot be read at \"]\""},
    {"[.a]", "!cannot be read at \".a]\""},
    {"[lambda()]", "!lambda() has no body"},
};

// A text of brackets costs a sentence, not the stack; what doubles itself ends.
static void what_is_too_large_ends(void **state)
{
    (void)state;
    char *deep = malloc(100010), *doubled = malloc(4096);
    size_t len = 0;

    deep[0] = '[';
    for (size_t i = 1; i < 100000; i += 4)
        memcpy(deep + i, "not(", 4);
    strcpy(deep + 100001, "]");
    deep[100000] = '(';
    arm_rows(&(struct arm_row){deep, "!it is nested too deeply"}, 1);
    len += (size_t)sprintf(doubled, "[");
    for (int i = 0; i < 30; i++)
        len += (size_t)sprintf(doubled + len, "reduce(range(0, 2), ");
    len += (size_t)sprintf(doubled + len, "createArray(1)");
    for (int i = 0; i < 30; i++)
        len +=
            (size_t)sprintf(doubled + len, ", lambda('a', 'b', concat(lambdaVariables('a'), lambdaVariables('a'))))");
    (void)sprintf(doubled + len, "]");
    arm_rows(&(struct arm_row){doubled, "!the template is too large"}, 1);
    free(deep);
    free(doubled);
}

static void lost(void *arg, const char *property, const char *why)
{
    (void)snprintf(arg, 200, "%s: %s", property, why);
}

static void trees_keep_their_shape(void **state)
{
    (void)state;
    unsigned work = VNRS_ARM_WORK_MAX;
    char told[200] = "";
    struct vnrs_arm_scope scope = {
        .parameters = json_object(), .known = json_object(), .loops = json_object(), .work = &work};
    json_t *tree = json_loads("{\"a\": [1, true, \"[add(1, 1)]\", {\"b\": \"[parameters('x')]\"}], \"copy\": "
                              "[{\"name\": \"c\", \"count\": 2, \"input\": \"[copyIndex('c')]\"}], \"d\": null}",
                              0, NULL);
    json_t *value = vnrs_arm_tree(&scope, tree, lost, told);
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

    assert_string_equal(text, "{\"a\":[1,true,2,{\"b\":null}],\"c\":[0,1],\"d\":null}");
    assert_string_equal(told, "a.3.b: parameter 'x' has no value");
    free(text);
    json_decref(value);
    json_decref(tree);
    json_decref(scope.parameters);
    json_decref(scope.known);
    json_decref(scope.loops);
}

static void expressions_and_values(void **state)
{
    (void)state;
    arm_rows(rows, ARRAY_SIZE(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_and_values),
        cmocka_unit_test(what_is_too_large_ends),
        cmocka_unit_test(trees_keep_their_shape),
    };
    return cmocka_run_group_tests_name("cli.arm_expr", tests, NULL, NULL);
}
