// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs graph: the topology of a file, or of a lab with what runs and what does not, to be drawn.
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/graph.h"
#include "cli/graph_text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define NOT_FOUND 127 // of a shell

static int no_config_files(VNRS_UNUSED const char *path, char **ret_text)
{
    *ret_text = strdup("");
    return *ret_text ? 0 : -ENOMEM;
}

// As it is applied: the API has the text of it.
static int graph_of_lab(const struct vnrs_cli *given, json_t **ret_graph)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer config = {0}, peers = {0}, lab = {0};
    _free_ char *name = NULL;
    struct vnrs_cli cli = *given;
    struct vnrs_diags diags = {.arena = vnrs_arena_new()};
    int rc = vnrs_cli_lab(&cli, &name);

    cli.lab = name;
    if (!rc)
        rc = vnrs_cli_get(&cli, "/config", &config);
    if (!rc)
        rc = vnrs_cli_get(&cli, "/peers?all=1", &peers);
    if (!rc)
        rc = vnrs_cli_get(&cli, "", &lab);
    const char *text = json_string_value(json_object_get(config.json, "text"));
    struct vnrs_model *model =
        !rc && text && diags.arena ? vnrs_model_load(name, text, strlen(text), no_config_files, &diags) : NULL;
    *ret_graph = model ? vnrs_graph_make(model) : NULL;
    if (*ret_graph)
        vnrs_graph_add_states(*ret_graph, json_object_get(peers.json, "value"), lab.json);
    else if (!rc)
        (void)fprintf(stderr,
                      "vnrs: error: what the daemon says of lab '%s' cannot be read\nhelp: are vnrs and vnrsd of the "
                      "same version?\n",
                      name);
    vnrs_model_free(model);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    return !rc && !*ret_graph ? VNRS_EXIT_FAILED : rc;
}

static int graph_of_file(const struct vnrs_cli *cli, json_t **ret_graph)
{
    _cleanup_(vnrs_checked_file_fini) struct vnrs_checked_file f = {0};
    int rc = vnrs_checked_file_load(cli->argv[0], &f);

    if (rc)
        vnrs_diags_print(&f.diags, stderr, cli->color);
    else
        *ret_graph = vnrs_graph_make(f.model);
    return !rc && !*ret_graph ? VNRS_EXIT_FAILED : rc;
}

// Graphviz draws.
static int print_svg(const json_t *graph)
{
    (void)fflush(stdout);
    FILE *out = popen("command -v dot >/dev/null || exit 127; exec dot -Tsvg", "w");
    if (!out)
        return VNRS_EXIT_FAILED;
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); // it may be gone before it has read
    vnrs_graph_dot(out, graph);
    int status = pclose(out);
    (void)signal(SIGPIPE, before);
    if (status == 0)
        return VNRS_EXIT_OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
        (void)fputs("vnrs: error: SVG is drawn by graphviz, which is not installed\n"
                    "help: apt install graphviz, or draw '--format mermaid' or '--format dot' elsewhere\n",
                    stderr);
    else
        (void)fputs("vnrs: error: graphviz failed to draw\nhelp: see what '--format dot' gives it\n", stderr);
    return VNRS_EXIT_FAILED;
}

int vnrs_verb_graph(const struct vnrs_cli *cli)
{
    const char *as = cli->as ? cli->as : "mermaid";
    bool is_svg = strcmp(as, "svg") == 0, is_dot = strcmp(as, "dot") == 0;
    json_t *graph = NULL;

    if (!is_svg && !is_dot && strcmp(as, "mermaid") != 0) {
        (void)fprintf(stderr, "vnrs: error: a graph is mermaid, dot or svg, not '%s'\nhelp: '-o json' has it as data\n",
                      as);
        return VNRS_EXIT_USAGE;
    }
    int rc = cli->argc ? graph_of_file(cli, &graph) : graph_of_lab(cli, &graph);
    if (rc || vnrs_cli_print(cli, graph))
        goto out;
    if (is_svg)
        rc = print_svg(graph);
    else
        (is_dot ? vnrs_graph_dot : vnrs_graph_mermaid)(stdout, graph);
out:
    json_decref(graph);
    return rc;
}
