// SPDX-License-Identifier: GPL-2.0-or-later
// JSON Schema draft-07 of the topology file, for editors. Where a value may have several shapes they stand in one
// `type` list where possible: editors turn a failed `oneOf` into a flood of messages.
#include "model/model.h"
#include "model/schema.h"

#include <jansson.h>

#include <string.h>

#define NAME_PATTERN    "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
#define TAG_PATTERN     "^[A-Za-z][A-Za-z0-9._-]{0,39}$"
#define SERVICE_PATTERN "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
#define SUBNET_PATTERN  "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}/[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
#define COUNTED_PATTERN "^[A-Za-z0-9][A-Za-z0-9_-]*([{][0-9]+[.][.][0-9]+[}])?[A-Za-z0-9_-]*$"
#define ADDR_PATTERN    "^[0-9A-Fa-f:.]+$"
#define LOSS_PATTERN    "^[0-9]{1,3}([.][0-9]{1,4})?%$"
#define RATE_PATTERN    "^[0-9]{1,12}[kmg]bit$"
#define DELAY_PATTERN   "^[0-9]{1,12}[um]?s$"
#define PREFIX_PATTERN  "^[0-9A-Fa-f:.]+/[0-9]{1,3}$"

static json_t *object_schema(const struct vnrs_schema *schema);

static json_t *text_schema(unsigned types)
{
    static const struct {
        unsigned type;
        const char *pattern;
    } patterns[] = {
        {VNRS_T_TEXT, NULL},
        {VNRS_T_NAME, NAME_PATTERN},
        {VNRS_T_SERVICE, SERVICE_PATTERN},
        {VNRS_T_SUBNET, SUBNET_PATTERN},
        {VNRS_T_COUNTED, COUNTED_PATTERN},
        {VNRS_T_ADDR, ADDR_PATTERN},
        {VNRS_T_PREFIX, PREFIX_PATTERN},
        {VNRS_T_TAG, TAG_PATTERN},
        {VNRS_T_LOSS, LOSS_PATTERN},
        {VNRS_T_RATE, RATE_PATTERN},
        {VNRS_T_DELAY, DELAY_PATTERN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
        if (!(types & patterns[i].type))
            continue;
        json_t *text = json_pack("{s:s}", "type", "string");
        if (patterns[i].pattern)
            (void)json_object_set_new(text, "pattern", json_string(patterns[i].pattern));
        return text;
    }
    return NULL;
}

static json_t *enum_schema(const char *const *values)
{
    json_t *list = json_array();
    for (; *values; values++)
        (void)json_array_append_new(list, json_string(*values));
    return json_pack("{s:o}", "enum", list);
}

// A value that is not a list. Several possible shapes become `anyOf`.
static json_t *value_schema(const struct vnrs_schema_key *key)
{
    json_t *shapes = json_array();
    json_t *text = text_schema(key->types & ~(unsigned)VNRS_T_TAG), *tag = text_schema(key->types & VNRS_T_TAG);

    if (text)
        (void)json_array_append_new(shapes, text);
    if (tag)
        (void)json_array_append_new(shapes, tag);
    if (key->types & VNRS_T_BOOL)
        (void)json_array_append_new(shapes, json_pack("{s:s}", "type", "boolean"));
    if (key->types & VNRS_T_INT)
        (void)json_array_append_new(shapes, json_pack("{s:s,s:I,s:I}", "type", "integer", "minimum",
                                                      (json_int_t)key->min, "maximum", (json_int_t)key->max));
    if (key->types & VNRS_T_ENUM)
        (void)json_array_append_new(shapes, enum_schema(key->values));
    if (key->types & VNRS_T_OBJECT)
        (void)json_array_append_new(shapes, object_schema(key->object));
    json_t *value = NULL;
    if (json_array_size(shapes) == 1)
        value = json_incref(json_array_get(shapes, 0));
    else
        value = json_pack("{s:O}", "anyOf", shapes);
    json_decref(shapes);
    return value;
}

static json_t *default_value(const struct vnrs_schema_key *key)
{
    if (key->types & VNRS_T_BOOL)
        return json_boolean(strcmp(key->def, "true") == 0);
    if ((key->types & VNRS_T_INT) && key->def[strspn(key->def, "0123456789")] == '\0')
        return json_integer((json_int_t)strtoll(key->def, NULL, 10));
    return json_string(key->def);
}

static json_t *key_schema(const struct vnrs_schema_key *key)
{
    json_t *value = value_schema(key);

    if (key->types & VNRS_T_LIST) {
        json_t *list = json_pack("{s:s,s:O}", "type", "array", "items", value);
        bool counted = !(key->types & VNRS_T_INT); // else the range is that of the numbers
        if (counted && key->min)
            (void)json_object_set_new(list, "minItems", json_integer((json_int_t)key->min));
        if (counted && key->max)
            (void)json_object_set_new(list, "maxItems", json_integer((json_int_t)key->max));
        if (key->types & VNRS_T_ONE) {
            json_t *either = json_pack("{s:[O,O]}", "anyOf", value, list);
            json_decref(list);
            list = either;
        }
        json_decref(value);
        value = list;
    }
    (void)json_object_set_new(value, "description", json_string(key->help));
    if (key->def)
        (void)json_object_set_new(value, "default", default_value(key));
    return value;
}

static json_t *object_schema(const struct vnrs_schema *schema)
{
    json_t *properties = json_object(), *required = json_array();

    for (size_t i = 0; i < schema->n_keys; i++) {
        const struct vnrs_schema_key *key = &schema->keys[i];
        (void)json_object_set_new(properties, key->key, key_schema(key));
        if (key->required)
            (void)json_array_append_new(required, json_string(key->key));
    }
    json_t *object = json_pack("{s:s,s:s,s:b,s:O}", "type", "object", "description", schema->help,
                               "additionalProperties", 0, "properties", properties);
    if (json_array_size(required))
        (void)json_object_set(object, "required", required);
    json_decref(required);
    json_decref(properties);
    return object;
}

char *vnrs_schema_json(void)
{
    json_t *schema = object_schema(&vnrs_schema_root);

    (void)json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    (void)json_object_set_new(schema, "title", json_string("vnrs topology file"));
    char *text = json_dumps(schema, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(schema);
    return text;
}
