// SPDX-License-Identifier: GPL-2.0-or-later
// Verbs over a topology file. The file is always checked here first, so that errors come with the source line and
// nothing is sent that the daemon would refuse.
#include "cli/cli.h"

#include "model/model.h"
#include "util/fd.h"
#include "util/strbuf.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>

#define SOURCE_MAX (4u << 20)

// Files that the topology names (run.config), read relative to it and sent along: the daemon reads no files.
static struct {
    char dir[4096];
    json_t *files;
} named;

static int load_named_file(const char *path, char **ret_text)
{
    char full[8192];

    (void)snprintf(full, sizeof(full), "%s%s%s", *path == '/' ? "" : named.dir, *path == '/' ? "" : "/", path);
    int err = vnrs_file_load(full, SOURCE_MAX, ret_text, NULL);
    if (err == 0 && named.files)
        (void)json_object_set_new(named.files, path, json_string(*ret_text));
    return err;
}

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

struct checked_file {
    struct vnrs_arena *arena;
    struct vnrs_diags diags;
    struct vnrs_model *model; // NULL: the file has errors
    char *source;
};

static void checked_file_fini(struct checked_file *f)
{
    vnrs_model_free(f->model);
    vnrs_diags_fini(&f->diags);
    vnrs_arena_free(f->arena);
    free(f->source);
}

// Load and check one file; diagnostics stay in `f`. A file that cannot be read is told at once.
static int check_file(const char *path, struct checked_file *f)
{
    size_t len = 0;
    char copy[4096];
    int err = vnrs_file_load(path, SOURCE_MAX, &f->source, &len);

    if (err < 0) {
        (void)fprintf(stderr, "vnrs: error: cannot read '%s': %s\n", path,
                      err == -EFBIG ? "larger than 4 MiB" : strerror(-err));
        return VNRS_EXIT_FAILED;
    }
    f->arena = vnrs_arena_new();
    if (!f->arena)
        return VNRS_EXIT_FAILED;
    (void)vnrs_str_copy(copy, sizeof(copy), path);
    (void)vnrs_str_copy(named.dir, sizeof(named.dir), dirname(copy));
    f->diags = (struct vnrs_diags){.arena = f->arena, .file = path, .source = f->source};
    f->model = vnrs_model_load(path, f->source, len, load_named_file, &f->diags);
    vnrs_diags_sort(&f->diags);
    return f->model ? VNRS_EXIT_OK : VNRS_EXIT_INVALID;
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
        _cleanup_(checked_file_fini) struct checked_file f = {0};
        int rc = check_file(cli->argv[i], &f);
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

// Check the file and post it to `path`; prints what went wrong.
static int post_file(const struct vnrs_cli *cli, const char *path, struct vnrs_answer *ret_answer)
{
    _cleanup_(checked_file_fini) struct checked_file f = {0};

    named.files = json_object();
    int rc = check_file(cli->argv[0], &f);
    vnrs_diags_print(&f.diags, stderr, cli->color);
    if (rc) {
        json_decref(TAKE_PTR(named.files));
        return rc;
    }
    json_t *body = json_pack("{s:s s:s s:o}", "file", cli->argv[0], "source", f.source, "files", TAKE_PTR(named.files));
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
    int rc = post_file(cli, "/v1/plan", &answer);

    if (rc)
        return rc;
    if (!vnrs_cli_print(cli, answer.json))
        print_changes(cli, json_object_get(answer.json, "changes"));
    return VNRS_EXIT_OK;
}

int vnrs_verb_apply(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = post_file(cli, "/v1/labs", &answer);

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
