// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/table.h"

#include "util/strbuf.h"

#include <string.h>

static const json_t *descend(const json_t *row, const char *path)
{
    char key[64];

    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        (void)snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
        row = json_object_get(row, key);
    }
    return json_object_get(row, path);
}

static void cell_add(struct vnrs_strbuf *buf, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        vnrs_strbuf_puts(buf, json_string_value(value));
        break;
    case JSON_INTEGER:
        vnrs_strbuf_printf(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        vnrs_strbuf_printf(buf, "%.1f", json_real_value(value));
        break;
    case JSON_TRUE:
        vnrs_strbuf_puts(buf, "yes");
        break;
    case JSON_FALSE:
        vnrs_strbuf_puts(buf, "no");
        break;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i)
                vnrs_strbuf_puts(buf, " ");
            cell_add(buf, json_array_get(value, i));
        }
        break;
    case JSON_OBJECT:
    case JSON_NULL:
        break;
    }
}

static char *cell_text(const json_t *row, const char *path)
{
    struct vnrs_strbuf buf = {0};
    cell_add(&buf, descend(row, path));
    return vnrs_strbuf_take(&buf);
}

static void print_row(FILE *out, char *const *cells, const size_t *widths, size_t n)
{
    size_t last = 0;

    for (size_t i = 0; i < n; i++)
        if (cells[i] && *cells[i])
            last = i;
    for (size_t i = 0; i <= last; i++)
        (void)fprintf(out, "%-*s%s", i == last ? 0 : (int)widths[i], cells[i] ? cells[i] : "", i == last ? "\n" : "  ");
}

void vnrs_table_print(FILE *out, const struct vnrs_column *columns, size_t n_columns, const json_t *rows)
{
    size_t n_rows = json_array_size(rows);
    char **cells = calloc((n_rows + 2) * n_columns, sizeof(*cells));
    size_t *widths = calloc(n_columns, sizeof(*widths));

    if (!cells || !widths)
        goto out;
    for (size_t c = 0; c < n_columns; c++) {
        cells[c] = strdup(columns[c].heading);
        widths[c] = strlen(columns[c].heading);
        for (size_t r = 0; r < n_rows; r++) {
            char *text = cell_text(json_array_get(rows, r), columns[c].path);
            cells[(r + 2) * n_columns + c] = text;
            widths[c] = MAX(widths[c], text ? strlen(text) : 0);
        }
        char *dashes = cells[n_columns + c] = malloc(widths[c] + 1);
        if (dashes) {
            memset(dashes, '-', widths[c]);
            dashes[widths[c]] = '\0';
        }
    }
    for (size_t r = 0; r < n_rows + 2; r++)
        print_row(out, cells + r * n_columns, widths, n_columns);
out:
    for (size_t i = 0; cells && i < (n_rows + 2) * n_columns; i++)
        free(cells[i]);
    free(cells);
    free(widths);
}

static void put_escaped(FILE *out, const char *text)
{
    static const char special[] = "\t\n\r\\", letters[] = "tnr\\";

    for (; *text; text++) {
        const char *found = strchr(special, *text);
        if (found)
            (void)fputc('\\', out);
        (void)fputc(found ? letters[found - special] : *text, out);
    }
}

void vnrs_table_tsv_headings(FILE *out, const struct vnrs_column *columns, size_t n_columns)
{
    for (size_t c = 0; c < n_columns; c++)
        (void)fprintf(out, "%s%c", columns[c].heading, c + 1 < n_columns ? '\t' : '\n');
}

void vnrs_table_tsv_row(FILE *out, const struct vnrs_column *columns, size_t n_columns, const json_t *row)
{
    for (size_t c = 0; c < n_columns; c++) {
        _free_ char *text = cell_text(row, columns[c].path);
        put_escaped(out, text ? text : "");
        (void)fputc(c + 1 < n_columns ? '\t' : '\n', out);
    }
}

void vnrs_table_print_tsv(FILE *out, const struct vnrs_column *columns, size_t n_columns, const json_t *rows)
{
    vnrs_table_tsv_headings(out, columns, n_columns);
    for (size_t r = 0; r < json_array_size(rows); r++)
        vnrs_table_tsv_row(out, columns, n_columns, json_array_get(rows, r));
}
