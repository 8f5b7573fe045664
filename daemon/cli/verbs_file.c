// SPDX-License-Identifier: GPL-2.0-or-later
// Verbs over a topology file. The file is always checked here first, so that errors come with the source line and
// nothing is sent that the daemon would refuse.
#include "cli/cli.h"
#include "cli/file.h"

#include <stdio.h>

static json_t *diag_json(const struct vnrs_diags *diags)
{
    json_t *list = json_array();

    vec_foreach (d, &diags->list) {
        char id[16];
        (void)snprintf(id, sizeof(id), "V%03u", d->id);
        json_t *o = json_pack("{s:s s:s s:i s:i s:s s:s*}", "severity",
                              d->severity == VNRS_DIAG_ERROR ? "error" : "warning", "id", id, "line", (int)d->pos.line,
                              "column", (int)d->pos.col, "message", d->message, "help", d->help);
        if (o && d->azure_code)
            (void)json_object_set_new(o, "azureCode", json_string(d->azure_code));
        if (o && d->note)
            (void)json_object_set_new(o, "note",
                                      json_pack("{s:i s:i s:s}", "line", (int)d->note_pos.line, "column",
                                                (int)d->note_pos.col, "message", d->note));
        (void)json_array_append_new(list, o);
    }
    return list;
}

// A row for each diagnostic of all files.
static void print_diag_rows(const struct vnrs_cli *cli, const json_t *files)
{
    static const struct vnrs_column columns[] = {{"File", "file"},
                                                 {"Line", "diagnostic.line"},
                                                 {"Column", "diagnostic.column"},
                                                 {"Severity", "diagnostic.severity"},
                                                 {"Id", "diagnostic.id"},
                                                 {"Message", "diagnostic.message"},
                                                 {"Help", "diagnostic.help"}};
    json_t *rows = json_array(), *file, *diag;
    size_t f, d;

    json_array_foreach(files, f, file)
    {
        json_array_foreach(json_object_get(file, "diagnostics"), d, diag)(void) json_array_append_new(
            rows, json_pack("{s:O s:O}", "file", json_object_get(file, "file"), "diagnostic", diag));
    }
    vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns), rows);
    json_decref(rows);
}

int vnrs_verb_validate(const struct vnrs_cli *cli)
{
    int worst = VNRS_EXIT_OK;
    json_t *all = json_array();

    for (int i = 0; i < cli->argc; i++) {
        _cleanup_(vnrs_checked_file_fini) struct vnrs_checked_file f = {0};
        int rc = vnrs_checked_file_load(cli->argv[i], &f);
        worst = worst ? worst : rc;
        if (cli->format != VNRS_FORMAT_TABLE) {
            (void)json_array_append_new(all, json_pack("{s:s s:b s:o}", "file", cli->argv[i], "valid", f.model != NULL,
                                                       "diagnostics", diag_json(&f.diags)));
            continue;
        }
        vnrs_diags_print(&f.diags, stderr, cli->color);
        if (f.model)
            (void)printf("%s: ok: lab '%s', %zu virtual networks, %zu machines, %zu route servers\n", cli->argv[i],
                         f.model->name, f.model->vnets.len, f.model->n_user_machines, f.model->route_servers.len);
    }
    if (cli->format == VNRS_FORMAT_TSV)
        print_diag_rows(cli, all);
    else
        (void)vnrs_cli_print(cli, all);
    json_decref(all);
    return worst;
}

static void print_changes(const struct vnrs_cli *cli, const json_t *changes)
{
    static const struct vnrs_column columns[] = {
        {"Op", "op"}, {"Type", "type"}, {"Name", "name"}, {"Detail", "detail"}};

    if (cli->format == VNRS_FORMAT_TSV) {
        vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns), changes);
        return;
    }
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const json_t *c = json_array_get(changes, i);
        const char *detail = json_string_value(json_object_get(c, "detail"));
        (void)printf("%s %s %s%s%s%s\n", json_string_value(json_object_get(c, "op")),
                     json_string_value(json_object_get(c, "type")), json_string_value(json_object_get(c, "name")),
                     detail && *detail ? " (" : "", detail ? detail : "", detail && *detail ? ")" : "");
    }
    if (json_array_size(changes) == 0)
        (void)puts("no changes");
}

int vnrs_cli_post_file(const struct vnrs_cli *cli, const char *file, const char *path, struct vnrs_answer *ret_answer)
{
    _cleanup_(vnrs_checked_file_fini) struct vnrs_checked_file f = {0};

    int rc = vnrs_checked_file_load(file, &f);
    vnrs_diags_print(&f.diags, stderr, cli->color);
    if (rc)
        return rc;
    json_t *body = json_pack("{s:s s:s s:O}", "file", file, "source", f.source, "files", f.files);
    struct vnrs_answer answer = vnrs_client_request(cli->socket, "POST", path, body);
    json_decref(body);
    if (answer.exit) {
        rc = vnrs_answer_complain(&answer, cli->socket);
        vnrs_answer_fini(&answer);
        return rc;
    }
    *ret_answer = answer;
    return VNRS_EXIT_OK;
}

int vnrs_verb_plan(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = vnrs_cli_post_file(cli, cli->argv[0], "/v1/plan", &answer);

    if (rc)
        return rc;
    if (!vnrs_cli_print(cli, answer.json))
        print_changes(cli, json_object_get(answer.json, "changes"));
    return VNRS_EXIT_OK;
}

int vnrs_verb_apply(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = vnrs_cli_post_file(cli, cli->argv[0], "/v1/labs", &answer);

    if (rc)
        return rc;
    const char *lab = json_string_value(json_object_get(answer.json, "lab"));
    json_int_t generation = json_integer_value(json_object_get(answer.json, "generation"));
    if (cli->format == VNRS_FORMAT_TABLE || cli->format == VNRS_FORMAT_TSV)
        print_changes(cli, json_object_get(answer.json, "changes"));
    (void)fflush(stdout);
    rc = vnrs_cli_wait(cli, lab ? lab : "", cli->wait ? vnrs_status_is_ready : vnrs_status_is_reached, generation);
    (void)vnrs_cli_print(cli, answer.json);
    return rc;
}

int vnrs_verb_schema(const struct vnrs_cli *cli)
{
    _free_ char *text = vnrs_schema_json();
    json_t *schema = text && cli->format == VNRS_FORMAT_YAML ? json_loads(text, 0, NULL) : NULL;

    if (!text)
        return VNRS_EXIT_FAILED;
    if (schema)
        (void)vnrs_cli_print(cli, schema);
    else
        (void)puts(text);
    json_decref(schema);
    return VNRS_EXIT_OK;
}
