// SPDX-License-Identifier: GPL-2.0-or-later
// The schema table is complete and consistent, parse.c reads exactly its keys, and the JSON Schema says the same.
#include "model/schema.h"

#include "model/diag_ids.h"
#include "model/model.h"
#include "util/fd.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void walk(const struct vnrs_schema *schema,
                 void (*fn)(const struct vnrs_schema *schema, const struct vnrs_schema_key *key, void *arg), void *arg)
{
    for (size_t i = 0; i < schema->n_keys; i++) {
        fn(schema, &schema->keys[i], arg);
        if (schema->keys[i].object)
            walk(schema->keys[i].object, fn, arg);
    }
}

static void check_key(const struct vnrs_schema *schema, const struct vnrs_schema_key *key, void *arg)
{
    unsigned scalars = key->types & ~(unsigned)(VNRS_T_LIST | VNRS_T_ONE | VNRS_T_OBJECT);

    (void)arg;
    assert_non_null(schema->noun);
    assert_non_null(schema->help);
    assert_true(schema->n_keys <= VNRS_NODE_KEYS_MAX);
    assert_non_null(key->help);
    assert_true(strlen(key->help) > 2);
    assert_true(scalars || (key->types & VNRS_T_OBJECT));
    assert_int_equal(!!(key->types & VNRS_T_ENUM), !!key->values);
    assert_int_equal(!!(key->types & VNRS_T_OBJECT), !!key->object);
    assert_true(!key->max || key->max > key->min);
    assert_true(!(key->required && key->def));
    assert_ptr_equal(vnrs_schema_find(schema, key->key), key); // no key twice
}

static void table_is_consistent(void **state)
{
    (void)state;
    walk(&vnrs_schema_root, check_key, NULL);
    assert_null(vnrs_schema_find(&vnrs_schema_root, "nothing"));
}

struct sources {
    char *text;
};

static void check_read(const struct vnrs_schema *schema, const struct vnrs_schema_key *key, void *arg)
{
    const struct sources *s = arg;
    char quoted[80];

    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", key->key);
    if (!strstr(s->text, quoted))
        fail_msg("no code reads key %s of %s", key->key, schema->noun);
}

static void has_key(const struct vnrs_schema *schema, const struct vnrs_schema_key *key, void *arg)
{
    const char **wanted = arg;
    (void)schema;
    if (*wanted && strcmp(*wanted, key->key) == 0)
        *wanted = NULL;
}

// Every literal after `call` in the code is a key of some object.
static void check_literals(const char *text, const char *call)
{
    for (const char *at = strstr(text, call); at; at = strstr(at + 1, call)) {
        const char *open = strchr(at, '"'), *end = strchr(at, ')');
        char key[80];
        if (!open || !end || open > end)
            continue;
        (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(open + 1, "\""), open + 1);
        const char *wanted = key;
        walk(&vnrs_schema_root, has_key, &wanted);
        if (wanted)
            fail_msg("code reads '%s', which is not in the schema", wanted);
    }
}

static void code_reads_exactly_the_keys(void **state)
{
    static const char *const files[] = {"parse.c",       "parse_balancer.c",  "parse_gateway.c", "parse_machine.c",
                                        "parse_route.c", "parse_route_map.c", "read.c"};
    static const char *const calls[] = {"vnrs_node_get(",    "vnrs_read_text(", "vnrs_read_bool(",
                                        "vnrs_read_number(", "vnrs_read_addr(", "vnrs_read_enum("};
    char all[1 << 17] = "";
    struct sources sources = {.text = all};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        char path[512];
        _free_ char *text = NULL;
        (void)snprintf(path, sizeof(path), "%s/daemon/model/%s", getenv("VNRS_SOURCE_DIR"), files[i]);
        assert_int_equal(vnrs_file_load(path, 1 << 20, &text, NULL), 0);
        assert_true(strlen(all) + strlen(text) < sizeof(all));
        strcat(all, text);
    }
    walk(&vnrs_schema_root, check_read, &sources);
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        check_literals(all, calls[i]);
}

static const json_t *properties(const json_t *object)
{
    return json_object_get(object, "properties");
}

// The object schema inside a value: directly, of a list's items, or one of several.
static const json_t *object_in(const json_t *value)
{
    const json_t *item;
    size_t i;

    if (properties(value))
        return value;
    if (json_object_get(value, "items"))
        return object_in(json_object_get(value, "items"));
    json_array_foreach(json_object_get(value, "anyOf"), i, item) if (object_in(item)) return object_in(item);
    return NULL;
}

static void check_json(const struct vnrs_schema *schema, const json_t *object)
{
    size_t required = 0;

    assert_non_null(object);
    assert_int_equal(json_object_size(properties(object)), schema->n_keys);
    assert_true(json_is_false(json_object_get(object, "additionalProperties")));
    for (size_t i = 0; i < schema->n_keys; i++) {
        const json_t *value = json_object_get(properties(object), schema->keys[i].key);
        assert_non_null(value);
        assert_string_equal(json_string_value(json_object_get(value, "description")), schema->keys[i].help);
        assert_int_equal(!!json_object_get(value, "default"), !!schema->keys[i].def);
        required += schema->keys[i].required;
        if (schema->keys[i].object)
            check_json(schema->keys[i].object, object_in(value));
    }
    assert_int_equal(json_array_size(json_object_get(object, "required")), required);
}

static void json_schema_has_all_keys(void **state)
{
    _free_ char *text = vnrs_schema_json();
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    (void)state;
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "$schema")), "http://json-schema.org/draft-07/schema#");
    check_json(&vnrs_schema_root, root);
    json_decref(root);
}

struct words {
    const char *const *at;
};

static const char *next_word(void *arg)
{
    struct words *w = arg;
    return *w->at ? *w->at++ : NULL;
}

static void suggests_what_was_meant(void **state)
{
    static const char *const words[] = {"addressSpace", "subnets", "name", "nics", "net/default", NULL};
    static const struct {
        const char *text, *meant;
    } rows[] = {
        {"adress-space", "addressSpace"},
        {"address_space", "addressSpace"},
        {"Subnets", "subnets"},
        {"subnet", "subnets"},
        {"nmae", "name"},
        {"net/defualt", "net/default"},
        {"x", NULL},
        {"zzzzzzzz", NULL},
        {"", NULL},
        {"completelydifferentandverylongtextthatgoesonandonandonandonandonandon", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct words w = {.at = words};
        const char *got = vnrs_schema_suggest(rows[i].text, next_word, &w);
        if (rows[i].meant) {
            assert_non_null(got);
            assert_string_equal(got, rows[i].meant);
        } else {
            assert_null(got);
        }
    }
}

static void knows_names(void **state)
{
    (void)state;
    assert_true(vnrs_schema_is_name("a", false));
    assert_true(vnrs_schema_is_name("0-vm_1", false));
    assert_true(vnrs_schema_is_name("Microsoft.Storage", true));
    assert_true(vnrs_schema_is_name("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd", false));
    assert_false(vnrs_schema_is_name("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddde", false));
    assert_false(vnrs_schema_is_name("", false));
    assert_false(vnrs_schema_is_name("-a", false));
    assert_false(vnrs_schema_is_name("a.b", false));
    assert_false(vnrs_schema_is_name("a b", true));
    assert_false(vnrs_schema_is_name("ü", true));
    assert_false(vnrs_schema_is_name("../x", true));
}

static void ids_are_unique(void **state)
{
    static const struct {
        unsigned number;
        const char *name;
    } ids[] = {
#define X(id, number, name) {number, name},
        VNRS_DIAG_IDS(X)
#undef X
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(ids[i].number, ids[j].number);
            assert_string_not_equal(ids[i].name, ids[j].name);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_consistent),
        cmocka_unit_test(code_reads_exactly_the_keys),
        cmocka_unit_test(json_schema_has_all_keys),
        cmocka_unit_test(suggests_what_was_meant),
        cmocka_unit_test(knows_names),
        cmocka_unit_test(ids_are_unique),
    };
    return cmocka_run_group_tests_name("model.schema", tests, NULL, NULL);
}
