// SPDX-License-Identifier: GPL-2.0-or-later
// Requests about a topology file: validate, plan, apply; and destroy.
#include "control/api.h"
#include "control/state.h"

#include "model/schema.h"
#include "util/strbuf.h"

#include <string.h>

struct input {
    const char *file, *source;
    json_t *files;
    struct vnrs_model *model;
    struct vnrs_arena *arena;
    struct vnrs_diags diags;
};

static json_t *pos_json(struct vnrs_pos pos, const char *message)
{
    return json_pack("{s:i, s:i, s:s}", "line", pos.line, "column", pos.col, "message", message);
}

static json_t *diag_json(const struct vnrs_diag *diag)
{
    char id[16];

    (void)snprintf(id, sizeof(id), "V%03u", diag->id);
    json_t *json =
        json_pack("{s:s, s:s, s:i, s:i, s:s}", "severity", diag->severity == VNRS_DIAG_ERROR ? "error" : "warning",
                  "id", id, "line", diag->pos.line, "column", diag->pos.col, "message", diag->message);
    if (json && diag->help)
        (void)json_object_set_new(json, "help", json_string(diag->help));
    if (json && diag->note)
        (void)json_object_set_new(json, "note", pos_json(diag->note_pos, diag->note));
    if (json && diag->azure_code)
        (void)json_object_set_new(json, "azureCode", json_string(diag->azure_code));
    return json;
}

static json_t *diags_json(struct vnrs_diags *diags)
{
    json_t *list = json_array();

    vnrs_diags_sort(diags);
    vec_foreach (diag, &diags->list)
        (void)json_array_append_new(list, diag_json(diag));
    return list;
}

static void input_fini(struct input *in)
{
    vnrs_model_free(in->model);
    vnrs_diags_fini(&in->diags);
    vnrs_arena_free(in->arena);
}

static void refuse_file(struct vnrs_api_call *call, struct input *in)
{
    char message[256];
    json_t *json;

    (void)snprintf(message, sizeof(message), "'%.200s' has errors; nothing was changed", in->file);
    json = json_pack("{s:{s:s, s:s, s:s}, s:o}", "error", "id", "invalid-file", "message", message, "help",
                     "correct the file and apply it again", "diagnostics", diags_json(&in->diags));
    vnrs_api_reply(call, 422, json);
}

// False: the call was answered.
static bool load(struct vnrs_api_call *call, struct input *in)
{
    *in = (struct input){0};
    if (!call->body || json_unpack(call->body, "{s:s, s:s, s?:o}", "file", &in->file, "source", &in->source, "files",
                                   &in->files) < 0) {
        vnrs_api_error(call, 400, "bad-request", "the body needs 'file' and 'source'", NULL);
        return false;
    }
    if (in->files && !json_is_object(in->files))
        in->files = NULL;
    in->arena = vnrs_arena_new();
    in->diags = (struct vnrs_diags){.arena = in->arena, .file = in->file, .source = in->source};
    if (!in->arena) {
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
        return false;
    }
    in->model = vnrs_lab_load(in->file, in->source, in->files, &in->diags);
    if (in->model)
        return true;
    refuse_file(call, in);
    input_fini(in);
    return false;
}

void vnrs_api_validate(struct vnrs_api_call *call)
{
    struct input in;

    if (!load(call, &in))
        return;
    vnrs_api_reply(call, 200,
                   json_pack("{s:b, s:s, s:o}", "valid", 1, "lab", in.model->name, "warnings", diags_json(&in.diags)));
    input_fini(&in);
}

static json_t *changes_json(const struct vnrs_lab *lab, const struct vnrs_model *model)
{
    const struct vnrs_model *before = lab ? lab->next ? lab->next : lab->model : NULL;
    struct vnrs_changes changes = {0};
    json_t *list = json_array();

    if (vnrs_changes_make(before, model, &changes) < 0)
        return list;
    vec_foreach (change, &changes.list) {
        char op[2] = {change->op, '\0'};
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "op", op, "type", change->type, "name",
                                                    change->name, "detail", change->detail));
    }
    vnrs_changes_fini(&changes);
    return list;
}

void vnrs_api_plan(struct vnrs_api_call *call)
{
    struct input in;

    if (!load(call, &in))
        return;
    const struct vnrs_lab *lab = vnrs_control_find_lab(call->control, in.model->name);
    vnrs_api_reply(call, 200,
                   json_pack("{s:s, s:o, s:o}", "lab", in.model->name, "changes", changes_json(lab, in.model),
                             "warnings", diags_json(&in.diags)));
    input_fini(&in);
}

void vnrs_api_apply(struct vnrs_api_call *call)
{
    struct input in;

    if (!load(call, &in))
        return;
    struct vnrs_lab *lab = vnrs_control_find_lab(call->control, in.model->name);
    if (lab && lab->destroyers.len) {
        vnrs_api_error(call, 409, "busy", "the lab is being removed", "try again in a moment");
        input_fini(&in);
        return;
    }
    json_t *changes = changes_json(lab, in.model), *warnings = diags_json(&in.diags);
    if (!lab)
        lab = vnrs_lab_new(call->control, in.model->name);
    json_t *name = json_string(in.model->name);
    if (!lab || vnrs_lab_apply(lab, in.file, in.source, in.files, TAKE_PTR(in.model)) < 0) {
        json_decref(changes);
        json_decref(warnings);
        json_decref(name);
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
    } else {
        vnrs_api_reply(call, 200,
                       json_pack("{s:o, s:o, s:o, s:I}", "lab", name, "changes", changes, "warnings", warnings,
                                 "generation", (json_int_t)lab->generation));
    }
    input_fini(&in);
}

// The assertions of a file, which may be another one than the lab that runs was made of: what they start from must run.
void vnrs_api_file_tests(struct vnrs_api_call *call)
{
    struct input in;
    char message[256] = "";

    if (!load(call, &in))
        return;
    const struct vnrs_lab *lab = vnrs_control_find_lab(call->control, in.model->name);
    const struct vnrs_model *running = lab ? lab->model : NULL;
    if (!running)
        (void)snprintf(message, sizeof(message), "lab '%.64s' of '%.100s' does not run", in.model->name, in.file);
    list_foreach (test, &in.model->tests) {
        if (running && !*message && !vnrs_model_find_machine(running, test->from->name))
            (void)snprintf(message, sizeof(message), "machine '%.64s' is not in the lab that runs", test->from->name);
    }
    if (*message)
        vnrs_api_error(call, 409, "not-running", message,
                       "`vnrs plan FILE` shows the difference, `vnrs apply` makes it");
    else
        vnrs_api_reply(call, 200, vnrs_api_tests_of(in.model));
    input_fini(&in);
}

void vnrs_api_destroy(struct vnrs_api_call *call)
{
    struct vnrs_lab *lab = call->lab;

    // Not known: perhaps something of it is left all the same.
    if (!lab && vnrs_schema_is_name(call->lab_name, false) && strlen(call->lab_name) < VNRS_LAB_NAME_MAX)
        lab = vnrs_lab_new(call->control, call->lab_name);
    if (!lab || vec_push(&lab->destroyers, call) < 0) {
        vnrs_api_error(call, 404, "not-found", "there is no such lab", "`vnrs list` shows the labs");
        return;
    }
    if (lab->destroyers.len == 1)
        vnrs_lab_destroy(lab);
}

// As it is applied: defaults filled in, nothing in it that others may not see.
void vnrs_api_config(struct vnrs_api_call *call)
{
    const struct vnrs_lab *lab = call->lab;

    if (!lab->model) {
        vnrs_api_error(call, 503, "not-ready", lab->build_error ? lab->build_error : "the lab is being built",
                       "`vnrs status` shows the progress");
        return;
    }
    _free_ char *text = vnrs_model_print_hidden(lab->model);
    vnrs_api_reply(call, 200,
                   text ? json_pack("{s:s, s:s, s:I, s:s}", "lab", lab->name, "file", lab->file, "generation",
                                    (json_int_t)lab->generation, "text", text)
                        : NULL);
}
