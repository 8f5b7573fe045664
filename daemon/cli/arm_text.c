// SPDX-License-Identifier: GPL-2.0-or-later
// Functions of texts and numbers (Azure docs: "String functions", "Numeric functions", "Logical functions" of ARM
// templates).
#include "cli/arm_expr.h"

#include "util/hash.h"
#include "util/strbuf.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX (1u << 20) // of one value: what loops and pads can make of a small template

static json_t *text_of(struct vnrs_arm_scope *scope, struct vnrs_strbuf *buf)
{
    vnrs_strbuf_puts(buf, "");
    if (buf->failed || buf->len > TEXT_MAX) {
        vnrs_strbuf_fini(buf);
        return vnrs_arm_fail(scope, "a text is too long");
    }
    json_t *value = json_stringn(buf->text, buf->len);
    vnrs_strbuf_fini(buf);
    return value;
}

// As string() shows it.
static void add_value(struct vnrs_strbuf *buf, const json_t *value)
{
    if (json_is_string(value)) {
        vnrs_strbuf_puts(buf, json_string_value(value));
    } else if (json_is_boolean(value)) {
        vnrs_strbuf_puts(buf, json_is_true(value) ? "True" : "False");
    } else if (!json_is_null(value)) {
        _free_ char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        vnrs_strbuf_puts(buf, text ? text : "");
    }
}

static json_t *fn_concat(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    struct vnrs_strbuf buf = {0};

    if (n && json_is_array(args[0])) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            (void)json_array_extend(list, args[i]);
        return list;
    }
    for (size_t i = 0; i < n; i++)
        add_value(&buf, args[i]);
    return text_of(scope, &buf);
}

// {N}, and {N:D3} for a number with zeros before it.
static const char *add_placeholder(struct vnrs_strbuf *buf, const char *at, json_t *const *args, size_t n)
{
    char *end;
    unsigned long i = strtoul(at + 1, &end, 10);
    int digits = 0;

    if (end == at + 1 || i + 1 >= n)
        return NULL;
    if (*end == ':') {
        if (toupper((unsigned char)end[1]) != 'D')
            return NULL;
        digits = (int)strtoul(end + 2, &end, 10);
        digits = MIN(MAX(digits, 0), 20);
    }
    if (*end != '}')
        return NULL;
    if (digits && json_is_integer(args[i + 1]))
        vnrs_strbuf_printf(buf, "%0*lld", digits, (long long)json_integer_value(args[i + 1]));
    else
        add_value(buf, args[i + 1]);
    return end + 1;
}

static json_t *fn_format(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    const char *at = json_string_value(args[0]);
    struct vnrs_strbuf buf = {0};

    if (!at)
        return vnrs_arm_fail(scope, "format() needs a text");
    while (*at) {
        if ((at[0] == '{' && at[1] == '{') || (at[0] == '}' && at[1] == '}')) {
            vnrs_strbuf_add(&buf, at, 1);
            at += 2;
        } else if (*at == '{') {
            if (!(at = add_placeholder(&buf, at, args, n))) {
                vnrs_strbuf_fini(&buf);
                return vnrs_arm_fail(scope, "format() cannot make \"%.60s\"", json_string_value(args[0]));
            }
        } else {
            vnrs_strbuf_add(&buf, at++, 1);
        }
    }
    return text_of(scope, &buf);
}

static json_t *change_case(struct vnrs_arm_scope *scope, const json_t *value, int (*change)(int c))
{
    struct vnrs_strbuf buf = {0};

    for (const char *p = json_string_value(value); p && *p; p++) {
        char c = (char)change((unsigned char)*p);
        vnrs_strbuf_add(&buf, &c, 1);
    }
    return text_of(scope, &buf);
}

static json_t *fn_to_lower(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return change_case(scope, args[0], tolower);
}

static json_t *fn_to_upper(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return change_case(scope, args[0], toupper);
}

static json_t *fn_trim(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *text = json_string_value(args[0]);
    size_t len = text ? strlen(text) : 0;

    if (!text)
        return vnrs_arm_fail(scope, "trim() needs a text");
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    while (len && isspace((unsigned char)*text))
        text++, len--;
    return json_stringn(text, len);
}

static json_t *fn_substring(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    const char *text = json_string_value(args[0]);
    size_t len = text ? strlen(text) : 0, from = (size_t)json_integer_value(args[1]);
    size_t count = n > 2 ? (size_t)json_integer_value(args[2]) : len - MIN(from, len);

    if (!text || from > len || count > len - from)
        return vnrs_arm_fail(scope, "substring() goes beyond the end");
    return json_stringn(text + from, count);
}

static json_t *fn_replace(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *at = json_string_value(args[0]), *old = json_string_value(args[1]), *found;
    struct vnrs_strbuf buf = {0};

    if (!at || !old || !*old || !json_is_string(args[2]))
        return vnrs_arm_fail(scope, "replace() needs texts");
    for (; (found = strstr(at, old)); at = found + strlen(old)) {
        vnrs_strbuf_add(&buf, at, (size_t)(found - at));
        vnrs_strbuf_puts(&buf, json_string_value(args[2]));
    }
    vnrs_strbuf_puts(&buf, at);
    return text_of(scope, &buf);
}

// One delimiter, or a list of them.
static json_t *fn_split(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *at = json_string_value(args[0]);
    json_t *list = json_array(),
           *delimiters = json_is_array(args[1]) ? json_incref(args[1]) : json_pack("[O]", args[1]);

    if (!at) {
        json_decref(list);
        list = vnrs_arm_fail(scope, "split() needs a text");
    }
    for (const char *begin = at; list && begin; at++) {
        size_t len = 0;
        for (size_t i = 0; i < json_array_size(delimiters) && !len; i++) {
            const char *d = json_string_value(json_array_get(delimiters, i));
            len = d && *d && strncmp(at, d, strlen(d)) == 0 ? strlen(d) : 0;
        }
        if (!len && *at)
            continue;
        (void)json_array_append_new(list, json_stringn(begin, (size_t)(at - begin)));
        begin = *at ? at + len : NULL;
        at += len ? len - 1 : 0;
    }
    json_decref(delimiters);
    return list;
}

static json_t *fn_join(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    struct vnrs_strbuf buf = {0};

    for (size_t i = 0; i < json_array_size(args[0]); i++) {
        if (i)
            add_value(&buf, args[1]);
        add_value(&buf, json_array_get(args[0], i));
    }
    return text_of(scope, &buf);
}

static json_t *is_at(struct vnrs_arm_scope *scope, json_t *const *args, bool at_end)
{
    const char *text = json_string_value(args[0]), *part = json_string_value(args[1]);

    if (!text || !part)
        return vnrs_arm_fail(scope, "%s() needs texts", at_end ? "endsWith" : "startsWith");
    size_t len = strlen(text), part_len = strlen(part);
    return json_boolean(part_len <= len && strncasecmp(text + (at_end ? len - part_len : 0), part, part_len) == 0);
}

static json_t *fn_starts_with(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return is_at(scope, args, false);
}

static json_t *fn_ends_with(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return is_at(scope, args, true);
}

static json_t *fn_index_of(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *text = json_string_value(args[0]), *part = json_string_value(args[1]);

    if (!text || !part)
        return vnrs_arm_fail(scope, "indexOf() needs texts");
    const char *found = strcasestr(text, part);
    return json_integer(found ? found - text : -1);
}

static json_t *fn_pad_left(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    struct vnrs_strbuf text = {0}, buf = {0};
    const char *pad = n > 2 ? json_string_value(args[2]) : " ";
    size_t width = (size_t)MIN(MAX(json_integer_value(args[1]), 0), 1024);

    add_value(&text, args[0]);
    while (pad && *pad && text.len + buf.len < width)
        vnrs_strbuf_add(&buf, pad, 1);
    vnrs_strbuf_puts(&buf, text.text ? text.text : "");
    vnrs_strbuf_fini(&text);
    return text_of(scope, &buf);
}

static json_t *fn_string(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    struct vnrs_strbuf buf = {0};

    add_value(&buf, args[0]);
    return text_of(scope, &buf);
}

// Thirteen letters and digits that depend on the arguments only. Azure's are others.
static json_t *fn_unique(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    json_t *all = fn_concat(scope, args, n);
    char text[14] = "";

    if (!all)
        return NULL;
    uint64_t hash = json_is_string(all) ? vnrs_hash_str(json_string_value(all)) : 0;
    for (size_t i = 0; i < sizeof(text) - 1; i++, hash >>= 5)
        text[i] = alphabet[hash & 31];
    json_decref(all);
    return json_string(text);
}

static json_t *fn_json(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *text = json_string_value(args[0]);
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    return value ? value : vnrs_arm_fail(scope, "json() cannot read its text");
}

const struct vnrs_arm_fn vnrs_arm_text_fns[] = {
    {"concat", 0, -1, fn_concat},         {"format", 1, -1, fn_format},     {"toLower", 1, 1, fn_to_lower},
    {"toUpper", 1, 1, fn_to_upper},       {"trim", 1, 1, fn_trim},          {"substring", 2, 3, fn_substring},
    {"replace", 3, 3, fn_replace},        {"split", 2, 2, fn_split},        {"join", 2, 2, fn_join},
    {"startsWith", 2, 2, fn_starts_with}, {"endsWith", 2, 2, fn_ends_with}, {"indexOf", 2, 2, fn_index_of},
    {"padLeft", 2, 3, fn_pad_left},       {"string", 1, 1, fn_string},      {"uniqueString", 1, -1, fn_unique},
    {"guid", 1, -1, fn_unique},           {"json", 1, 1, fn_json},          {NULL, 0, 0, NULL},
};

// ---- numbers and logic

static json_t *fn_add(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_int_t value;

    if (__builtin_add_overflow(json_integer_value(args[0]), json_integer_value(args[1]), &value))
        return vnrs_arm_fail(scope, "a number is too large");
    return json_integer(value);
}

static json_t *fn_sub(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_int_t value;

    if (__builtin_sub_overflow(json_integer_value(args[0]), json_integer_value(args[1]), &value))
        return vnrs_arm_fail(scope, "a number is too large");
    return json_integer(value);
}

static json_t *fn_mul(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    json_int_t value;

    if (__builtin_mul_overflow(json_integer_value(args[0]), json_integer_value(args[1]), &value))
        return vnrs_arm_fail(scope, "a number is too large");
    return json_integer(value);
}

static json_t *divide(struct vnrs_arm_scope *scope, json_t *const *args, bool rest)
{
    json_int_t a = json_integer_value(args[0]), b = json_integer_value(args[1]);

    if (b == 0 || (b == -1 && a == INT64_MIN))
        return vnrs_arm_fail(scope, b ? "a number is too large" : "it divides by zero");
    return json_integer(rest ? a % b : a / b);
}

static json_t *fn_div(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return divide(scope, args, false);
}

static json_t *fn_mod(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return divide(scope, args, true);
}

static json_t *fn_int(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *text = json_string_value(args[0]);
    char *end = NULL;

    if (json_is_integer(args[0]))
        return json_incref(args[0]);
    long long value = text ? strtoll(text, &end, 10) : 0;
    return text && end != text && !*end ? json_integer(value) : vnrs_arm_fail(scope, "int() cannot read its text");
}

// The smallest or the largest of the arguments, or of a list.
static json_t *extreme(struct vnrs_arm_scope *scope, json_t *const *args, size_t n, int sign)
{
    const json_t *best = NULL;
    size_t count = json_is_array(args[0]) ? json_array_size(args[0]) : n;

    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_is_array(args[0]) ? json_array_get(args[0], i) : args[i];
        json_int_t v = json_integer_value(value), b = json_integer_value(best);
        if (!best || (sign < 0 ? v < b : v > b))
            best = value;
    }
    return best ? json_incref((json_t *)best) : vnrs_arm_fail(scope, "there is no number");
}

static json_t *fn_min(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    return extreme(scope, args, n, -1);
}

static json_t *fn_max(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    return extreme(scope, args, n, 1);
}

static json_t *fn_true(VNRS_UNUSED struct vnrs_arm_scope *scope, VNRS_UNUSED json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_true();
}

static json_t *fn_false(VNRS_UNUSED struct vnrs_arm_scope *scope, VNRS_UNUSED json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_false();
}

static json_t *fn_null(VNRS_UNUSED struct vnrs_arm_scope *scope, VNRS_UNUSED json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_null();
}

static json_t *fn_and(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    bool all = true;

    for (size_t i = 0; i < n; i++)
        all = all && json_is_true(args[i]);
    return json_boolean(all);
}

static json_t *fn_or(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++)
        any = any || json_is_true(args[i]);
    return json_boolean(any);
}

static json_t *fn_not(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(!json_is_true(args[0]));
}

static json_t *fn_bool(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *text = json_string_value(args[0]);
    return json_boolean(json_is_true(args[0]) || json_integer_value(args[0]) ||
                        (text && strcasecmp(text, "true") == 0));
}

static json_t *fn_equals(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(json_equal(args[0], args[1]));
}

static int compare(const json_t *a, const json_t *b)
{
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
}

static json_t *fn_less(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(compare(args[0], args[1]) < 0);
}

static json_t *fn_less_or_equals(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(compare(args[0], args[1]) <= 0);
}

static json_t *fn_greater(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(compare(args[0], args[1]) > 0);
}

static json_t *fn_greater_or_equals(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    return json_boolean(compare(args[0], args[1]) >= 0);
}

static json_t *fn_coalesce(VNRS_UNUSED struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!json_is_null(args[i]))
            return json_incref(args[i]);
    return json_null();
}

const struct vnrs_arm_fn vnrs_arm_number_fns[] = {
    {"add", 2, 2, fn_add},
    {"sub", 2, 2, fn_sub},
    {"mul", 2, 2, fn_mul},
    {"div", 2, 2, fn_div},
    {"mod", 2, 2, fn_mod},
    {"int", 1, 1, fn_int},
    {"min", 1, -1, fn_min},
    {"max", 1, -1, fn_max},
    {"true", 0, 0, fn_true},
    {"false", 0, 0, fn_false},
    {"null", 0, 0, fn_null},
    {"and", 1, -1, fn_and},
    {"or", 1, -1, fn_or},
    {"not", 1, 1, fn_not},
    {"bool", 1, 1, fn_bool},
    {"equals", 2, 2, fn_equals},
    {"less", 2, 2, fn_less},
    {"lessOrEquals", 2, 2, fn_less_or_equals},
    {"greater", 2, 2, fn_greater},
    {"greaterOrEquals", 2, 2, fn_greater_or_equals},
    {"coalesce", 1, -1, fn_coalesce},
    {NULL, 0, 0, NULL},
};
