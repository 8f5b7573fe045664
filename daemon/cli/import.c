// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs import: an ARM template as a topology file, with what was left out and why.
#include "cli/arm_template.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/import_map.h"
#include "cli/yaml.h"

#include "util/fd.h"
#include "util/strbuf.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>

#define TEMPLATE_MAX (16u << 20)

// Says what is wrong, and returns NULL then.
static json_t *load_json(const char *path)
{
    _free_ char *text = NULL;
    json_error_t error;
    int err = vnrs_file_load(path, TEMPLATE_MAX, &text, NULL);

    if (err < 0) {
        (void)fprintf(stderr, "vnrs: error: cannot read '%s': %s\n", path, strerror(-err));
        return NULL;
    }
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        (void)fprintf(stderr,
                      "%s:%d:%d: error: %s\nhelp: a Bicep file becomes a template by `az bicep build --file %s`\n",
                      path, error.line, error.column, error.text, path);
    return json;
}

// The lab is called as the file is.
static void name_of_file(const char *path, char name[static 128])
{
    char copy[4096];

    (void)vnrs_str_copy(copy, sizeof(copy), path);
    (void)snprintf(name, 128, "%s", basename(copy));
    name[strcspn(name, ".")] = '\0';
}

static const char *text_of(const json_t *note, const char *key)
{
    const char *text = json_string_value(json_object_get(note, key));
    return text ? text : "";
}

// What only has to do with what a machine runs is of no interest, and secrets are not written anyway.
static bool is_noise(const json_t *note)
{
    static const char *const parts[] = {
        "osProfile", "storageProfile", "diagnosticsProfile", "hardwareProfile", "virtualMachineProfile.osProfile",
        "sharedKey"};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (strncmp(text_of(note, "property"), parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

static void print_notes(FILE *out, const char *before, const json_t *notes)
{
    for (size_t i = 0; i < json_array_size(notes); i++) {
        const json_t *note = json_array_get(notes, i);
        const char *property = text_of(note, "property");
        (void)fprintf(out, "%s%s%s%s: %s\n", before, text_of(note, "resource"), *property ? ", " : "", property,
                      text_of(note, "why"));
    }
}

// As a file, with the notes as comments.
static char *make_file(const char *path, const struct vnrs_import *import)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    if (!out)
        return NULL;
    (void)fprintf(out, "# By `vnrs import` from %s.\n", path);
    if (json_array_size(import->notes))
        (void)fputs("# Left out, or made up:\n", out);
    print_notes(out, "#  - ", import->notes);
    int err = vnrs_yaml_print(out, import->topology);
    (void)fputc('\n', out);
    if (fclose(out) != 0 || err < 0) {
        free(text);
        return NULL;
    }
    return text;
}

// What is made is checked like any other file: what is missing in it is told, and has to be written by hand.
static int check(const struct vnrs_cli *cli, const char *text)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    struct vnrs_diags diags = {.arena = arena, .file = "imported", .source = text};
    struct vnrs_model *model = arena ? vnrs_model_load("imported", text, strlen(text), NULL, &diags) : NULL;
    int rc = model ? VNRS_EXIT_OK : VNRS_EXIT_INVALID;

    vnrs_diags_sort(&diags);
    vnrs_diags_print(&diags, stderr, cli->color);
    vnrs_model_free(model);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(arena);
    return rc;
}

static int print_import(const struct vnrs_cli *cli, const struct vnrs_import *import)
{
    _free_ char *text = make_file(cli->argv[0], import);

    if (!text)
        return VNRS_EXIT_FAILED;
    if (cli->format == VNRS_FORMAT_TABLE) {
        (void)fputs(text, stdout);
        (void)fflush(stdout);
        print_notes(stderr, "left out or made up: ", import->notes);
    } else {
        json_t *json = json_pack("{s:O, s:O}", "topology", import->topology, "notes", import->notes);
        (void)vnrs_cli_print(cli, json);
        json_decref(json);
    }
    return check(cli, text);
}

static int import_template(const struct vnrs_cli *cli, const json_t *template, const json_t *parameters)
{
    char error[200], name[128];
    json_t *lost = json_array();
    json_t *resources = vnrs_arm_expand(template, json_object_get(parameters, "parameters"), lost, error);
    struct vnrs_import import = {.resources = resources, .topology = json_object(), .notes = json_array()};
    int rc = VNRS_EXIT_INVALID;

    for (size_t i = 0; i < json_array_size(lost); i++)
        if (!is_noise(json_array_get(lost, i)))
            (void)json_array_append(import.notes, json_array_get(lost, i));
    if (resources) {
        name_of_file(cli->argv[0], name);
        vnrs_import_map(&import, name);
        rc = print_import(cli, &import);
    } else {
        (void)fprintf(stderr, "vnrs: error: '%s': %s\nhelp: a Bicep file becomes a template by `az bicep build`\n",
                      cli->argv[0], error);
    }
    json_decref(import.notes);
    json_decref(import.topology);
    json_decref(resources);
    json_decref(lost);
    return rc;
}

int vnrs_verb_import(const struct vnrs_cli *cli)
{
    json_t *template = load_json(cli->argv[0]), *parameters = NULL;
    int rc = VNRS_EXIT_FAILED;

    if (template && (cli->argc < 2 || (parameters = load_json(cli->argv[1]))))
        rc = import_template(cli, template, parameters);
    json_decref(parameters);
    json_decref(template);
    return rc;
}
