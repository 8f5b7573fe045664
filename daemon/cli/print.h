// SPDX-License-Identifier: GPL-2.0-or-later
// What `-o` makes of an answer: the same object as JSON or YAML, its rows as a table or as TSV. All of it goes to
// standard output.
#pragma once

#include "cli/table.h"

#include <jansson.h>

#include <stdbool.h>

struct vnrs_cli;

enum vnrs_format {
    VNRS_FORMAT_TABLE, // for people
    VNRS_FORMAT_JSON,
    VNRS_FORMAT_YAML,
    VNRS_FORMAT_TSV, // rows of the verb's first table
};

// False: no such format.
bool vnrs_format_parse(const char *text, enum vnrs_format *ret_format);

// JSON or YAML. False: the format is another, and nothing was printed.
bool vnrs_cli_print(const struct vnrs_cli *cli, const json_t *json);
// The same of one object of a stream: a line of JSON, a document of YAML.
bool vnrs_cli_print_next(const struct vnrs_cli *cli, const json_t *json);
// A table, as TSV where that is the format. The second: of one row.
void vnrs_cli_rows(const struct vnrs_cli *cli, const struct vnrs_column *columns, size_t n_columns, const json_t *rows);
void vnrs_cli_row(const struct vnrs_cli *cli, const struct vnrs_column *columns, size_t n_columns, const json_t *row);
// Any of the four, of an answer that is {"value": rows}.
void vnrs_cli_value(const struct vnrs_cli *cli, const struct vnrs_column *columns, size_t n_columns,
                    const json_t *answer);
