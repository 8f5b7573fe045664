// SPDX-License-Identifier: GPL-2.0-or-later
// Templates as lists of resources: loops, conditions, children, nested deployments, references.
#include "cli/arm_template.h"

#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *template, const char *parameters, const char *resources, const char *losses)
{
    json_error_t error;
    char why[200] = "";
    json_t *json = json_loads(template, 0, &error), *given = json_loads(parameters, 0, NULL), *lost = json_array();

    if (!json)
        fail_msg("%s at %d", error.text, error.position);
    json_t *list = vnrs_arm_expand(json, given, lost, why);
    char *text = list ? json_dumps(list, JSON_COMPACT) : strdup(why), *told = json_dumps(lost, JSON_COMPACT);
    assert_string_equal(text, resources);
    assert_string_equal(told, losses);
    free(told);
    free(text);
    json_decref(list);
    json_decref(lost);
    json_decref(given);
    json_decref(json);
}

static void loops_conditions_and_children(void **state)
{
    (void)state;
    expect(
        "{\"parameters\": {\"n\": {\"defaultValue\": 1}, \"on\": {\"defaultValue\": \"[equals(parameters('n'), 2)]\"}},"
        " \"resources\": ["
        "{\"type\": \"A/b\", \"name\": \"[format('r{0}', copyIndex())]\", \"copy\": {\"name\": \"l\", \"count\": "
        "\"[parameters('n')]\"}, \"properties\": {\"i\": \"[copyIndex()]\"}, \"resources\": [{\"type\": \"c\", "
        "\"name\": \"x\"}]},"
        "{\"type\": \"A/d\", \"name\": \"yes\", \"condition\": \"[parameters('on')]\"},"
        "{\"type\": \"A/d\", \"name\": \"no\", \"condition\": false}]}",
        "{\"n\": {\"value\": 2}}",
        "[{\"type\":\"A/b\",\"name\":\"r0\",\"properties\":{\"i\":0}},{\"type\":\"A/b/c\",\"name\":\"r0/x\"},"
        "{\"type\":\"A/b\",\"name\":\"r1\",\"properties\":{\"i\":1}},{\"type\":\"A/b/c\",\"name\":\"r1/x\"},"
        "{\"type\":\"A/d\",\"name\":\"yes\"}]",
        "[]");
}

// A module sees its own parameters; what it puts out is known before it is reached.
static void deployments_are_opened(void **state)
{
    (void)state;
    expect("{\"variables\": {\"v\": \"outer\"}, \"resources\": ["
           "{\"type\": \"A/b\", \"name\": \"first\", \"properties\": {\"x\": "
           "\"[reference(resourceId('Microsoft.Resources/deployments', 'm'), '2022-09-01').outputs.o.value]\"}},"
           "{\"type\": \"Microsoft.Resources/deployments\", \"name\": \"m\", \"properties\": {"
           "\"expressionEvaluationOptions\": {\"scope\": \"inner\"}, \"parameters\": {\"p\": {\"value\": "
           "\"[variables('v')]\"}}, \"template\": {\"parameters\": {\"p\": {\"type\": \"string\"}}, \"variables\": "
           "{\"v\": \"inner\"}, \"resources\": [{\"type\": \"A/c\", \"name\": \"[concat(parameters('p'), "
           "variables('v'))]\"}], \"outputs\": {\"o\": {\"value\": \"[toUpper(parameters('p'))]\"}}}}},"
           "{\"type\": \"Microsoft.Resources/deployments\", \"name\": \"old\", \"properties\": {\"template\": "
           "{\"resources\": [{\"type\": \"A/d\", \"name\": \"[variables('v')]\"}]}}}]}",
           "{}",
           "[{\"type\":\"A/c\",\"name\":\"outerinner\"},{\"type\":\"A/d\",\"name\":\"outer\"},{\"type\":\"A/b\","
           "\"name\":\"first\",\"properties\":{\"x\":\"OUTER\"}}]",
           "[]");
}

static void symbolic_names_refer(void **state)
{
    (void)state;
    expect(
        "{\"resources\": {"
        "\"nic\": {\"type\": \"A/nic\", \"name\": \"n1\", \"properties\": {\"ip\": \"10.0.0.4\"}},"
        "\"mods\": {\"type\": \"Microsoft.Resources/deployments\", \"name\": \"[format('m{0}', copyIndex())]\", "
        "\"copy\": {\"name\": \"mods\", \"count\": 2}, \"properties\": {\"template\": {\"resources\": {}, \"outputs\": "
        "{\"i\": {\"value\": \"[copyIndex()]\"}}}}},"
        "\"user\": {\"type\": \"A/u\", \"name\": \"u\", \"properties\": {\"a\": \"[reference('nic').ip]\", \"b\": "
        "\"[reference('mods[1]').outputs.i.value]\", \"c\": \"[reference(resourceId('A/nic', 'n1')).ip]\", \"d\": "
        "\"[reference('nic').mac]\", \"e\": \"[reference(resourceId('A/nic', 'n2')).ip]\"}}}}",
        "{}",
        "[{\"type\":\"A/nic\",\"name\":\"n1\",\"properties\":{\"ip\":\"10.0.0.4\"}},{\"type\":\"A/u\",\"name\":\"u\","
        "\"properties\":{\"a\":\"10.0.0.4\",\"b\":1,\"c\":\"10.0.0.4\",\"d\":null,\"e\":null}}]",
        "[{\"resource\":\"A/u u\",\"property\":\"d\",\"why\":\"there is no 'mac'\"},{\"resource\":\"A/u u\","
        "\"property\":\"e\",\"why\":\"only Azure knows what is asked of 'n2'\"}]");
}

static void what_cannot_be_is_told(void **state)
{
    (void)state;
    expect(
        "{\"resources\": [{\"type\": \"A/b\", \"name\": \"[parameters('x')]\"}, {\"type\": \"A/b\"}, {\"name\": \"n\"},"
        "{\"type\": \"A/b\", \"name\": \"[add(1, 1)]\"}, {\"type\": \"Microsoft.Resources/deployments\", \"name\": "
        "\"linked\", \"properties\": {\"templateLink\": {\"uri\": \"https://example.com\"}}}, 7]}",
        "{}", "[{\"type\":\"?\",\"name\":\"n\"}]",
        "[{\"resource\":\"A/b\",\"why\":\"parameter 'x' has no value\"},{\"resource\":\"A/b\",\"why\":\"it has no "
        "name\"},{\"resource\":\"A/b\",\"why\":\"its name is no "
        "text\"},{\"resource\":\"Microsoft.Resources/deployments "
        "linked\",\"why\":\"its template is somewhere else\"},{\"resource\":\"?\",\"why\":\"it has no name\"}]");
    expect("{}", "{}", "it is no ARM template: it has no \"resources\"", "[]");
    expect("[1]", "{}", "it is no ARM template: it has no \"resources\"", "[]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_conditions_and_children),
        cmocka_unit_test(deployments_are_opened),
        cmocka_unit_test(symbolic_names_refer),
        cmocka_unit_test(what_cannot_be_is_told),
    };
    return cmocka_run_group_tests_name("cli.arm_template", tests, NULL, NULL);
}
