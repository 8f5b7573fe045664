// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/arm_expr.h"

#include "util/strbuf.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 64
#define ARGS_MAX     256

struct reader {
    struct vnrs_arm_scope *scope;
    const char *at;
    unsigned dry; // read, but not evaluated: the branch of an if() that is not taken, the body of a lambda
};

json_t *vnrs_arm_fail(struct vnrs_arm_scope *scope, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(scope->error, sizeof(scope->error), fmt, ap);
    va_end(ap);
    return NULL;
}

json_t *vnrs_arm_get(const json_t *object, const char *name)
{
    const char *key;
    json_t *value, *exact = json_object_get(object, name);

    if (exact)
        return exact;
    json_object_foreach((json_t *)object, key, value)
    {
        if (strcasecmp(key, name) == 0)
            return value;
    }
    return NULL;
}

json_t *vnrs_arm_path(const json_t *object, const char *path)
{
    char name[NAME_MAX_LEN];

    while (object && *path) {
        size_t len = strcspn(path, ".");
        (void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
        object = vnrs_arm_get(object, name);
        path += len + (path[len] == '.');
    }
    return (json_t *)object;
}

// ---- reading

static json_t *read_expr(struct reader *r);

static void skip_space(struct reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static json_t *unexpected(struct reader *r)
{
    skip_space(r);
    return *r->at ? vnrs_arm_fail(r->scope, "cannot be read at \"%.20s\"", r->at)
                  : vnrs_arm_fail(r->scope, "it ends too early");
}

// 'it''s'
static json_t *read_quoted(struct reader *r)
{
    struct vnrs_strbuf text = {0};
    const char *end;

    vnrs_strbuf_puts(&text, "");
    for (r->at++; (end = strchr(r->at, '\'')); r->at = end + 2) {
        vnrs_strbuf_add(&text, r->at, (size_t)(end - r->at));
        if (end[1] != '\'')
            break;
        vnrs_strbuf_add(&text, "'", 1);
    }
    json_t *json = end ? json_string(text.text) : vnrs_arm_fail(r->scope, "a text has no end");
    r->at = end ? end + 1 : r->at;
    vnrs_strbuf_fini(&text);
    return json;
}

static json_t *read_integer(struct reader *r)
{
    char *end = NULL;
    long long value = strtoll(r->at, &end, 10);

    if (end == r->at)
        return unexpected(r);
    r->at = end;
    return json_integer(value);
}

static bool read_name(struct reader *r, char name[static NAME_MAX_LEN])
{
    size_t len = 0;

    skip_space(r);
    while (isalnum((unsigned char)r->at[len]) || r->at[len] == '_')
        len++;
    if (len == 0 || len >= NAME_MAX_LEN)
        return false;
    memcpy(name, r->at, len);
    name[len] = '\0';
    r->at += len;
    return true;
}

// ---- calls

struct args {
    json_t *list[ARGS_MAX];
    const char *begin[ARGS_MAX], *end[ARGS_MAX];
    size_t n;
};

static void args_fini(struct args *args)
{
    for (size_t i = 0; i < args->n; i++)
        json_decref(args->list[i]);
}

// Of if(), the branch that is not taken is not evaluated: it may have no value.
static bool is_dry_arg(const char *name, const struct args *args)
{
    if (strcasecmp(name, "lambda") == 0)
        return true;
    return strcasecmp(name, "if") == 0 && args->n > 0 && args->n == (json_is_true(args->list[0]) ? 2u : 1u);
}

static bool read_args(struct reader *r, const char *name, struct args *args)
{
    if (take(r, ')'))
        return true;
    do {
        bool dry = is_dry_arg(name, args);
        if (args->n == ARGS_MAX)
            return vnrs_arm_fail(r->scope, "%s() has too many arguments", name);
        skip_space(r);
        args->begin[args->n] = r->at;
        r->dry += dry;
        json_t *value = read_expr(r);
        r->dry -= dry;
        if (!value)
            return false;
        args->end[args->n] = r->at;
        args->list[args->n++] = value;
    } while (take(r, ','));
    return take(r, ')') || unexpected(r);
}

// The names of its variables, and its body as it is written.
static json_t *make_lambda(struct reader *r, const struct args *args)
{
    json_t *names = json_array();
    size_t n = args->n;

    if (n == 0) {
        json_decref(names);
        return vnrs_arm_fail(r->scope, "lambda() has no body");
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (args->end[i] - args->begin[i] > 2)
            (void)json_array_append_new(names,
                                        json_stringn(args->begin[i] + 1, (size_t)(args->end[i] - args->begin[i]) - 2));
    return json_pack("{s:o, s:s%}", "lambda", names, "body", args->begin[n - 1],
                     (size_t)(args->end[n - 1] - args->begin[n - 1]));
}

json_t *vnrs_arm_call(struct vnrs_arm_scope *scope, const json_t *lambda, json_t *const *values, size_t n)
{
    const json_t *names = json_object_get(lambda, "lambda");
    json_t *outer = scope->locals;
    struct reader r = {.scope = scope, .at = json_string_value(json_object_get(lambda, "body"))};

    if (!r.at)
        return vnrs_arm_fail(scope, "a lambda is missing");
    scope->locals = outer ? json_copy(outer) : json_object();
    for (size_t i = 0; i < n && i < json_array_size(names); i++)
        (void)json_object_set(scope->locals, json_string_value(json_array_get(names, i)), values[i]);
    json_t *value = read_expr(&r);
    json_decref(scope->locals);
    scope->locals = outer;
    return value;
}

static const struct vnrs_arm_fn *find_function(const char *name)
{
    const struct vnrs_arm_fn *const tables[] = {vnrs_arm_text_fns, vnrs_arm_number_fns, vnrs_arm_list_fns,
                                                vnrs_arm_id_fns};

    for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
        for (const struct vnrs_arm_fn *fn = tables[t]; fn->name; fn++)
            if (strcasecmp(fn->name, name) == 0)
                return fn;
    return NULL;
}

// `value` is taken. What a call makes costs as well: a few of them can double a value again and again.
static json_t *pay(struct vnrs_arm_scope *scope, json_t *value)
{
    size_t cost = json_array_size(value) + json_string_length(value) / 16;

    if (cost <= *scope->work) {
        *scope->work -= (unsigned)cost;
        return value;
    }
    *scope->work = 0;
    json_decref(value);
    return vnrs_arm_fail(scope, "the template is too large");
}

static json_t *call(struct reader *r, const char *name, const struct args *args)
{
    if (r->dry)
        return json_null();
    if (strcasecmp(name, "if") == 0 && args->n == 3)
        return json_incref(args->list[json_is_true(args->list[0]) ? 1 : 2]);
    if (strcasecmp(name, "lambda") == 0)
        return make_lambda(r, args);
    const struct vnrs_arm_fn *fn = find_function(name);
    if (!fn)
        return vnrs_arm_fail(r->scope, "the function %s() is not known", name);
    if ((int)args->n < fn->min || (fn->max >= 0 && (int)args->n > fn->max))
        return vnrs_arm_fail(r->scope, "%s() has %zu arguments", name, args->n);
    return pay(r->scope, fn->fn(r->scope, args->list, args->n));
}

// ---- a value and what is taken out of it

static json_t *member(struct reader *r, const json_t *value, const char *name, bool is_safe)
{
    json_t *found = vnrs_arm_get(value, name);

    if (r->dry)
        return json_null();
    if (found)
        return json_incref(found);
    return is_safe ? json_null() : vnrs_arm_fail(r->scope, "there is no '%s'", name);
}

static json_t *element(struct reader *r, const json_t *value, const json_t *index)
{
    json_int_t i = json_integer_value(index);

    if (r->dry)
        return json_null();
    if (json_is_string(index))
        return member(r, value, json_string_value(index), false);
    if (i >= 0 && (size_t)i < json_array_size(value))
        return json_incref(json_array_get(value, (size_t)i));
    return vnrs_arm_fail(r->scope, "there is no element %lld", (long long)i);
}

// `value` is taken. .name, .?name, [index]
static json_t *read_accessors(struct reader *r, json_t *value)
{
    char name[NAME_MAX_LEN];

    while (value) {
        json_t *next = NULL, *index = NULL;
        if (take(r, '.')) {
            bool is_safe = take(r, '?');
            next = read_name(r, name) ? member(r, value, name, is_safe) : unexpected(r);
        } else if (take(r, '[')) {
            index = read_expr(r);
            next = index ? element(r, value, index) : NULL;
            if (next && !take(r, ']')) {
                json_decref(next);
                next = unexpected(r);
            }
            json_decref(index);
        } else {
            break;
        }
        json_decref(value);
        value = next;
    }
    return value;
}

static json_t *read_named(struct reader *r)
{
    char name[NAME_MAX_LEN];
    struct args args = {.n = 0};
    json_t *value = NULL;

    if (!read_name(r, name))
        return unexpected(r);
    if (!take(r, '(')) {
        if (strcasecmp(name, "true") == 0 || strcasecmp(name, "false") == 0)
            return json_boolean(strcasecmp(name, "true") == 0);
        return strcasecmp(name, "null") == 0 ? json_null() : unexpected(r);
    }
    if (read_args(r, name, &args))
        value = call(r, name, &args);
    args_fini(&args);
    return value;
}

static bool begin_work(struct vnrs_arm_scope *scope)
{
    if (scope->depth >= VNRS_ARM_DEPTH_MAX)
        return vnrs_arm_fail(scope, "it is nested too deeply");
    if (*scope->work == 0)
        return vnrs_arm_fail(scope, "the template is too large");
    --*scope->work;
    scope->depth++;
    return true;
}

static json_t *read_expr(struct reader *r)
{
    json_t *value;

    skip_space(r);
    if (!begin_work(r->scope))
        return NULL;
    if (*r->at == '\'')
        value = read_quoted(r);
    else if (isdigit((unsigned char)*r->at) || *r->at == '-')
        value = read_integer(r);
    else
        value = read_named(r);
    value = read_accessors(r, value);
    r->scope->depth--;
    return value;
}

json_t *vnrs_arm_text(struct vnrs_arm_scope *scope, const char *text)
{
    size_t len = strlen(text);
    struct reader r = {.scope = scope, .at = text + 1};

    if (len < 2 || text[0] != '[' || text[len - 1] != ']')
        return json_string(text);
    if (text[1] == '[')
        return json_string(text + 1);
    json_t *value = read_expr(&r);
    if (!value || (take(&r, ']') && !*r.at))
        return value;
    json_decref(value);
    return *r.at ? vnrs_arm_fail(scope, "there is more after its end") : unexpected(&r);
}

// ---- trees

struct walk {
    struct vnrs_arm_scope *scope;
    struct vnrs_strbuf path;
    vnrs_arm_lost_fn lost;
    void *arg;
};

static json_t *walk_value(struct walk *w, const json_t *tree);

// What is below `name`.
static json_t *walk_below(struct walk *w, const char *name, const json_t *tree)
{
    size_t len = w->path.len;

    vnrs_strbuf_printf(&w->path, "%s%s", len ? "." : "", name);
    json_t *value = walk_value(w, tree);
    w->path.len = len;
    if (w->path.text)
        w->path.text[len] = '\0';
    return value;
}

static json_t *walk_list(struct walk *w, const json_t *list)
{
    json_t *values = json_array();

    for (size_t i = 0; i < json_array_size(list); i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "%zu", i);
        (void)json_array_append_new(values, walk_below(w, name, json_array_get(list, i)));
    }
    return values;
}

// {"name", "count", "input"}: a list of `count` times `input`.
static void walk_copy(struct walk *w, json_t *values, const json_t *copy)
{
    const char *name = json_string_value(vnrs_arm_get(copy, "name")), *outer = w->scope->loop;
    json_t *count = walk_below(w, "copy", vnrs_arm_get(copy, "count")), *list = json_array();
    json_int_t n = MIN(json_integer_value(count), VNRS_ARM_LOOP_MAX);

    for (json_int_t i = 0; name && i < n; i++) {
        (void)json_object_set_new(w->scope->loops, name, json_integer(i));
        w->scope->loop = name;
        (void)json_array_append_new(list, walk_below(w, name, vnrs_arm_get(copy, "input")));
    }
    if (name) {
        (void)json_object_del(w->scope->loops, name);
        (void)json_object_set(values, name, list);
    }
    w->scope->loop = outer;
    json_decref(list);
    json_decref(count);
}

static json_t *walk_object(struct walk *w, const json_t *object)
{
    json_t *values = json_object(), *value, *copy = json_object_get(object, "copy");
    const char *key;

    for (size_t i = 0; i < json_array_size(copy); i++)
        walk_copy(w, values, json_array_get(copy, i));
    json_object_foreach((json_t *)object, key, value)
    {
        if (!copy || !json_is_array(copy) || value != copy)
            (void)json_object_set_new(values, key, walk_below(w, key, value));
    }
    return values;
}

static json_t *walk_value(struct walk *w, const json_t *tree)
{
    json_t *value = NULL;

    if (!tree)
        return json_null();
    if (begin_work(w->scope)) {
        if (json_is_string(tree))
            value = vnrs_arm_text(w->scope, json_string_value(tree));
        else if (json_is_array(tree))
            value = walk_list(w, tree);
        else if (json_is_object(tree))
            value = walk_object(w, tree);
        else
            value = json_incref((json_t *)tree);
        w->scope->depth--;
    }
    if (!value && w->lost)
        w->lost(w->arg, w->path.text ? w->path.text : "", w->scope->error);
    return value ? value : json_null();
}

json_t *vnrs_arm_tree(struct vnrs_arm_scope *scope, const json_t *tree, vnrs_arm_lost_fn lost, void *arg)
{
    struct walk walk = {.scope = scope, .lost = lost, .arg = arg};
    json_t *value = walk_value(&walk, tree);

    vnrs_strbuf_fini(&walk.path);
    return value;
}
