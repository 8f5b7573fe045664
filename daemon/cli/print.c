// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/print.h"

#include "cli/cli.h"
#include "cli/yaml.h"

#include <stdio.h>
#include <string.h>

bool vnrs_format_parse(const char *text, enum vnrs_format *ret_format)
{
    static const char *const names[] = {[VNRS_FORMAT_TABLE] = "table",
                                        [VNRS_FORMAT_JSON] = "json",
                                        [VNRS_FORMAT_YAML] = "yaml",
                                        [VNRS_FORMAT_TSV] = "tsv"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *ret_format = (enum vnrs_format)i;
            return true;
        }
    }
    return false;
}

static void print_yaml(const json_t *json)
{
    int err = vnrs_yaml_print(stdout, json);

    if (err < 0)
        (void)fprintf(stderr, "vnrs: error: cannot write YAML: %s\n", strerror(-err));
}

bool vnrs_cli_print(const struct vnrs_cli *cli, const json_t *json)
{
    if (cli->format == VNRS_FORMAT_JSON) {
        (void)json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
        (void)fputc('\n', stdout);
    } else if (cli->format == VNRS_FORMAT_YAML) {
        print_yaml(json);
    } else {
        return false;
    }
    return true;
}

bool vnrs_cli_print_next(const struct vnrs_cli *cli, const json_t *json)
{
    if (cli->format == VNRS_FORMAT_JSON) {
        (void)json_dumpf(json, stdout, JSON_COMPACT);
        (void)fputc('\n', stdout);
    } else if (cli->format == VNRS_FORMAT_YAML) {
        (void)fputs("---\n", stdout);
        print_yaml(json);
    } else {
        return false;
    }
    return true;
}

void vnrs_cli_rows(const struct vnrs_cli *cli, const struct vnrs_column *columns, size_t n_columns, const json_t *rows)
{
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_table_print_tsv(stdout, columns, n_columns, rows);
    else
        vnrs_table_print(stdout, columns, n_columns, rows);
}

void vnrs_cli_row(const struct vnrs_cli *cli, const struct vnrs_column *columns, size_t n_columns, const json_t *row)
{
    json_t *rows = json_pack("[O]", row);

    vnrs_cli_rows(cli, columns, n_columns, rows);
    json_decref(rows);
}

void vnrs_cli_value(const struct vnrs_cli *cli, const struct vnrs_column *columns, size_t n_columns,
                    const json_t *answer)
{
    const json_t *value = json_object_get(answer, "value");

    if (!vnrs_cli_print(cli, value))
        vnrs_cli_rows(cli, columns, n_columns, value);
}
