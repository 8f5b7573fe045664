// SPDX-License-Identifier: GPL-2.0-or-later
// Functions of lists and objects, with lambdas (Azure docs: "Array functions", "Object functions", "Lambda functions"
// of ARM templates).
#include "cli/arm_expr.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define LIST_MAX 10000 // elements that range() makes

static json_t *fn_create_array(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append(list, args[i]);
    return list;
}

static json_t *fn_create_object(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i + 1 < n; i += 2) {
        if (!json_is_string(args[i])) {
            json_decref(object);
            return vnrs_arm_fail(scope, "createObject() needs names");
        }
        (void)json_object_set(object, json_string_value(args[i]), args[i + 1]);
    }
    return object;
}

static json_t *fn_array(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_is_array(args[0]) ? json_incref(args[0]) : json_pack("[O]", args[0]);
}

static size_t length_of(const json_t *value)
{
    return json_is_string(value) ? json_string_length(value) : MAX(json_array_size(value), json_object_size(value));
}

static json_t *fn_length(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_integer((json_int_t)length_of(args[0]));
}

static json_t *fn_empty(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(length_of(args[0]) == 0);
}

static bool has(const json_t *list, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), value))
            return true;
    return false;
}

static json_t *fn_contains(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *text = json_string_value(args[1]);

    if (json_is_string(args[0]))
        return json_boolean(text && strstr(json_string_value(args[0]), text));
    if (json_is_object(args[0]))
        return json_boolean(text && vnrs_arm_get(args[0], text));
    return json_boolean(has(args[0], args[1]));
}

static json_t *at_end(struct vnrs_arm_scope *scope, const json_t *value, bool last)
{
    size_t len = length_of(value);

    if (len == 0 || json_is_object(value))
        return vnrs_arm_fail(scope, "there is nothing in it");
    if (json_is_string(value))
        return json_stringn(json_string_value(value) + (last ? len - 1 : 0), 1);
    return json_incref(json_array_get(value, last ? len - 1 : 0));
}

static json_t *fn_first(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return at_end(scope, args[0], false);
}

static json_t *fn_last(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return at_end(scope, args[0], true);
}

static json_t *slice(const json_t *value, size_t from, size_t to)
{
    size_t len = length_of(value);

    from = MIN(from, len);
    to = MAX(MIN(to, len), from);
    if (json_is_string(value))
        return json_stringn(json_string_value(value) + from, to - from);
    json_t *list = json_array();
    for (; from < to; from++)
        (void)json_array_append(list, json_array_get(value, from));
    return list;
}

static json_t *fn_skip(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return slice(args[0], (size_t)MAX(json_integer_value(args[1]), 0), SIZE_MAX);
}

static json_t *fn_take(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return slice(args[0], 0, (size_t)MAX(json_integer_value(args[1]), 0));
}

static json_t *fn_union(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    json_t *all = json_is_object(args[0]) ? json_object() : json_array();

    for (size_t i = 0; i < n; i++) {
        if (json_is_object(all))
            (void)json_object_update(all, args[i]);
        for (size_t e = 0; e < json_array_size(args[i]); e++)
            if (!has(all, json_array_get(args[i], e)))
                (void)json_array_append(all, json_array_get(args[i], e));
    }
    return all;
}

static json_t *fn_intersection(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    json_t *list = json_array();

    for (size_t e = 0; e < json_array_size(args[0]); e++) {
        json_t *value = json_array_get(args[0], e);
        bool in_all = true;
        for (size_t i = 1; i < n; i++)
            in_all = in_all && has(args[i], value);
        if (in_all)
            (void)json_array_append(list, value);
    }
    return list;
}

static json_t *fn_range(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_int_t from = json_integer_value(args[0]), count = json_integer_value(args[1]);

    if (count < 0 || count > LIST_MAX || from < INT32_MIN || from > INT32_MAX)
        return vnrs_arm_fail(scope, "range() is too long");
    json_t *list = json_array();
    for (json_int_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_integer(from + i));
    return list;
}

static json_t *fn_items(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *list = json_array(), *value;
    const char *key;

    json_object_foreach(args[0], key, value)(void)
        json_array_append_new(list, json_pack("{s:s, s:O}", "key", key, "value", value));
    return list;
}

static json_t *fn_keys(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *list = json_array(), *value;
    const char *key;

    json_object_foreach(args[0], key, value)(void) json_array_append_new(list, json_string(key));
    return list;
}

static json_t *fn_flatten(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(args[0]); i++)
        (void)json_array_extend(list, json_array_get(args[0], i));
    return list;
}

static json_t *fn_shallow_merge(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < json_array_size(args[0]); i++)
        (void)json_object_update(object, json_array_get(args[0], i));
    return object;
}

static json_t *fn_try_get(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    const json_t *value = args[0];

    for (size_t i = 1; i < n && value; i++)
        value = json_is_string(args[i]) ? vnrs_arm_get(value, json_string_value(args[i]))
                                        : json_array_get(value, (size_t)json_integer_value(args[i]));
    return value ? json_incref((json_t *)value) : json_null();
}

// ---- lambdas

// What the lambda makes of an element, and of its index where it asks for two.
static json_t *each(struct vnrs_arm_scope *scope, const json_t *lambda, const json_t *list, size_t i)
{
    json_t *index = json_integer((json_int_t)i), *values[] = {json_array_get(list, i), index};
    json_t *value = vnrs_arm_call(scope, lambda, values, ARRAY_SIZE(values));

    json_decref(index);
    return value;
}

static json_t *fn_map(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(args[0]); i++) {
        json_t *value = each(scope, args[1], args[0], i);
        if (!value) {
            json_decref(list);
            return NULL;
        }
        (void)json_array_append_new(list, value);
    }
    return list;
}

static json_t *fn_filter(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < json_array_size(args[0]); i++) {
        json_t *keep = each(scope, args[1], args[0], i);
        if (!keep) {
            json_decref(list);
            return NULL;
        }
        if (json_is_true(keep))
            (void)json_array_append(list, json_array_get(args[0], i));
        json_decref(keep);
    }
    return list;
}

static json_t *fn_reduce(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_t *sum = json_incref(args[1]);

    for (size_t i = 0; i < json_array_size(args[0]) && sum; i++) {
        json_t *values[] = {sum, json_array_get(args[0], i)};
        json_t *next = vnrs_arm_call(scope, args[2], values, ARRAY_SIZE(values));
        json_decref(sum);
        sum = next;
    }
    return sum;
}

static json_t *fn_to_object(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < json_array_size(args[0]); i++) {
        json_t *key = each(scope, args[1], args[0], i);
        json_t *value = n > 2 ? each(scope, args[2], args[0], i) : json_incref(json_array_get(args[0], i));
        bool ok = json_is_string(key) && value && json_object_set(object, json_string_value(key), value) == 0;
        json_decref(key);
        json_decref(value);
        if (!ok) {
            json_decref(object);
            return *scope->error ? NULL : vnrs_arm_fail(scope, "toObject() needs names");
        }
    }
    return object;
}

static json_t *fn_lambda_variables(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *name = json_string_value(args[0]);
    json_t *value = name && scope->locals ? vnrs_arm_get(scope->locals, name) : NULL;

    return value ? json_incref(value) : vnrs_arm_fail(scope, "no lambda has the variable '%s'", name ? name : "");
}

const struct vnrs_arm_fn vnrs_arm_list_fns[] = {
    {"createArray", 0, -1, fn_create_array},
    {"createObject", 0, -1, fn_create_object},
    {"array", 1, 1, fn_array},
    {"length", 1, 1, fn_length},
    {"empty", 1, 1, fn_empty},
    {"contains", 2, 2, fn_contains},
    {"first", 1, 1, fn_first},
    {"last", 1, 1, fn_last},
    {"skip", 2, 2, fn_skip},
    {"take", 2, 2, fn_take},
    {"union", 1, -1, fn_union},
    {"intersection", 1, -1, fn_intersection},
    {"range", 2, 2, fn_range},
    {"items", 1, 1, fn_items},
    {"objectKeys", 1, 1, fn_keys},
    {"flatten", 1, 1, fn_flatten},
    {"shallowMerge", 1, 1, fn_shallow_merge},
    {"tryGet", 2, -1, fn_try_get},
    {"map", 2, 2, fn_map},
    {"filter", 2, 2, fn_filter},
    {"reduce", 3, 3, fn_reduce},
    {"toObject", 2, 3, fn_to_object},
    {"lambdaVariables", 1, 1, fn_lambda_variables},
    {NULL, 0, 0, NULL},
};
