// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ping_text.h"

#include "cli/table.h"

#include "util/macros.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_t *vnrs_ping_reason(const json_t *trace)
{
    static const char *const ways[] = {"forward", "back"};

    if (!trace)
        return json_string("the way could not be asked for");
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const json_t *way = json_object_get(trace, ways[i]);
        if (json_is_object(way) && strcmp(text_at(way, "result"), "delivered") != 0)
            return json_sprintf("%s: %s: %s", ways[i], text_at(way, "result"), text_at(way, "reason"));
    }
    return json_string("the routes lead there, but there was no answer");
}

// The row of a machine, with a key for each machine that was pinged: "+" all addresses answered, "-" none, "+/-" some.
static json_t *find_row(json_t *rows, const char *from)
{
    json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (strcmp(text_at(row, "from"), from) == 0)
            return row;
    }
    row = json_pack("{s:s}", "from", from);
    (void)json_array_append_new(rows, row);
    return row;
}

static void mark(json_t *row, const char *key, bool answered)
{
    const char *before = text_at(row, key), *now = answered ? "+" : "-";

    (void)json_object_set_new(row, key, json_string(!*before || strcmp(before, now) == 0 ? now : "+/-"));
}

struct matrix {
    struct vnrs_column *columns;
    char (*keys)[16]; // machines' names may have dots, which a column's path may not
    size_t n;
    json_t *rows;
};

static const char *find_key(struct matrix *matrix, const char *to)
{
    for (size_t c = 1; c < matrix->n; c++)
        if (strcmp(matrix->columns[c].heading, to) == 0)
            return matrix->keys[c];
    (void)snprintf(matrix->keys[matrix->n], sizeof(matrix->keys[0]), "to%zu", matrix->n);
    matrix->columns[matrix->n] = (struct vnrs_column){to, matrix->keys[matrix->n]};
    return matrix->keys[matrix->n++];
}

static void print_matrix(FILE *out, const json_t *results)
{
    struct matrix matrix = {.columns = calloc(json_array_size(results) + 2, sizeof(struct vnrs_column)),
                            .keys = calloc(json_array_size(results) + 2, sizeof(*matrix.keys)),
                            .rows = json_array()};
    const json_t *result;
    size_t i;

    if (matrix.columns && matrix.keys) {
        matrix.columns[matrix.n++] = (struct vnrs_column){"From", "from"};
        json_array_foreach(results, i, result)
        {
            json_t *row = find_row(matrix.rows, text_at(result, "from"));
            (void)find_key(&matrix, text_at(result, "from")); // both in the same order
            mark(row, find_key(&matrix, text_at(result, "to")), json_is_true(json_object_get(result, "answered")));
        }
        vnrs_table_print(out, matrix.columns, matrix.n, matrix.rows);
    }
    json_decref(matrix.rows);
    free(matrix.columns);
    free(matrix.keys);
}

void vnrs_ping_text(FILE *out, const json_t *results)
{
    const json_t *result;
    bool first = true;
    size_t i;

    print_matrix(out, results);
    json_array_foreach(results, i, result)
    {
        if (json_is_true(json_object_get(result, "answered")))
            continue;
        (void)fprintf(out, "%s%s → %s %s: %s\n", first ? "\n" : "", text_at(result, "from"), text_at(result, "to"),
                      text_at(result, "address"), text_at(result, "reason"));
        first = false;
    }
}
