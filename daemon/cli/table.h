// SPDX-License-Identifier: GPL-2.0-or-later
// Tables as the az command line prints them: two blanks between columns, dashes under the headings, no trailing blanks.
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

struct vnrs_column {
    const char *heading;
    const char *path; // key in each row object; "a.b" descends; lists are joined by blanks
};

// `rows`: array of objects.
void vnrs_table_print(FILE *out, const struct vnrs_column *columns, size_t n_columns, const json_t *rows);
// The same cells for programs: a line of headings, a line for each row, one tab between cells. A tab, line feed,
// carriage return or backslash of a cell is \t, \n, \r or \\.
void vnrs_table_print_tsv(FILE *out, const struct vnrs_column *columns, size_t n_columns, const json_t *rows);
// One of its lines at a time: the headings, or those of `row`.
void vnrs_table_tsv_headings(FILE *out, const struct vnrs_column *columns, size_t n_columns);
void vnrs_table_tsv_row(FILE *out, const struct vnrs_column *columns, size_t n_columns, const json_t *row);
