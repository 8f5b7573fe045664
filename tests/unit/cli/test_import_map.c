// SPDX-License-Identifier: GPL-2.0-or-later
// A template with everything that is read (import_map.c and its parts), compared with what the repository holds; and
// what is made of it is a valid topology.
#include "cli/import_map.h"

#include "cli/arm_template.h"
#include "cli/golden.h"
#include "cli/yaml.h"
#include "model/model.h"

static struct vnrs_import import_file(const char *name)
{
    char path[512], error[200];

    golden_path(path, "cli", name);
    json_t *template = json_load_file(path, 0, NULL), *notes = json_array();
    assert_non_null(template);
    json_t *resources = vnrs_arm_expand(template, NULL, notes, error);
    assert_non_null(resources);
    struct vnrs_import import = {.resources = resources, .topology = json_object(), .notes = notes};
    vnrs_import_map(&import, name);
    json_decref(template);
    json_decref(resources);
    return import;
}

static void import_fini(struct vnrs_import *import)
{
    json_decref(import->topology);
    json_decref(import->notes);
}

static void print(FILE *out, const json_t *json)
{
    assert_int_equal(vnrs_yaml_print(out, json), 0);
    (void)fputc('\n', out);
}

static void a_hub_with_everything(void **state)
{
    (void)state;
    struct vnrs_import import = import_file("import-hub.template.json");
    json_t *both = json_pack("{s:O, s:O}", "topology", import.topology, "notes", import.notes);

    golden_check(print, both, "import-hub.golden");
    json_decref(both);
    import_fini(&import);
}

static void it_is_a_valid_topology(void **state)
{
    (void)state;
    struct vnrs_import import = import_file("import-hub.template.json");
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "l"};
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    print(out, import.topology);
    (void)fclose(out);
    diags.source = text;
    struct vnrs_model *model = vnrs_model_load("l", text, len, NULL, &diags);
    if (!model)
        vnrs_diags_print(&diags, stderr, false);
    assert_non_null(model);
    assert_int_equal(model->vnets.len, 3);
    assert_int_equal(model->n_user_machines, 7);
    vnrs_model_free(model);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    free(text);
    import_fini(&import);
}

static void names_are_made_to_fit(void **state)
{
    static const struct {
        const char *name, *wanted;
    } rows[] = {{"hub/default", "default"}, {"a.b c", "a-b-c"}, {"_x", "x"}, {"", "unnamed"}, {"-", "unnamed"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_t *name = vnrs_import_name(rows[i].name);
        assert_string_equal(json_string_value(name), rows[i].wanted);
        json_decref(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hub_with_everything),
        cmocka_unit_test(it_is_a_valid_topology),
        cmocka_unit_test(names_are_made_to_fit),
    };
    return cmocka_run_group_tests_name("cli.import_map", tests, NULL, NULL);
}
