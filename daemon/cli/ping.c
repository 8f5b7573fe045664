// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs ping --all: who answers whom, by a ping of each machine to each address of the others, and for those that do not
// what the routes say of the way.
#include "cli/cli.h"
#include "cli/enter.h"
#include "cli/ping_text.h"

#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define AT_ONCE   32
#define CELLS_MAX 4096

struct cell {
    const char *from, *netns, *nic; // the machine, its namespace, its first NIC
    const char *to, *address;
    pid_t pid;
    bool ok;
};

typedef VEC(struct cell) cell_vec;

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool is_named(const struct vnrs_cli *cli, const char *name)
{
    for (int i = 0; i < cli->argc; i++)
        if (strcmp(cli->argv[i], name) == 0)
            return true;
    return cli->argc == 0;
}

static int add_cells_to(cell_vec *cells, const struct cell *from, const json_t *machine)
{
    const json_t *nics = json_object_get(machine, "nics"), *nic, *address;
    size_t n, a;

    json_array_foreach(nics, n, nic)
    {
        json_array_foreach(json_object_get(nic, "privateIpAddresses"), a, address)
        {
            struct cell cell = *from;
            cell.to = text_at(machine, "name");
            cell.address = json_string_value(address);
            if (cells->len == CELLS_MAX)
                return -E2BIG;
            if (vec_push(cells, cell) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static int add_cells_from(const struct vnrs_cli *cli, cell_vec *cells, const json_t *machines, const json_t *machine)
{
    const json_t *other;
    const struct cell from = {
        .from = text_at(machine, "name"),
        .netns = text_at(machine, "netns"),
        .nic = text_at(json_array_get(json_object_get(machine, "nics"), 0), "name"),
    };
    size_t i;
    int err = 0;

    if (!from.from || !from.netns || !from.nic || !is_named(cli, from.from))
        return 0;
    json_array_foreach(machines, i, other)
    {
        if (err == 0 && other != machine)
            err = add_cells_to(cells, &from, other);
    }
    return err;
}

static int make_cells(const struct vnrs_cli *cli, const json_t *machines, cell_vec *cells)
{
    const json_t *machine;
    size_t i;

    json_array_foreach(machines, i, machine)
    {
        int err = add_cells_from(cli, cells, machines, machine);
        if (err == -E2BIG)
            (void)fprintf(stderr,
                          "vnrs: error: more than %d pings\nhelp: name the machines they come from: vnrs ping --all "
                          "MACHINE...\n",
                          CELLS_MAX);
        if (err < 0)
            return VNRS_EXIT_FAILED;
    }
    return VNRS_EXIT_OK;
}

static void take_ended(cell_vec *cells)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);

    vec_foreach (cell, cells) {
        if (pid > 0 && cell->pid == pid) {
            cell->ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            cell->pid = 0;
            return;
        }
    }
}

static void ping_all(cell_vec *cells)
{
    size_t next = 0, running = 0;

    while (next < cells->len || running) {
        if (next < cells->len && running < AT_ONCE) {
            struct cell *cell = &cells->items[next++];
            cell->pid = vnrs_enter_ping(cell->netns, cell->address);
            running += cell->pid > 0;
        } else {
            take_ended(cells);
            running--;
        }
    }
}

static json_t *find_reason(const struct vnrs_cli *cli, const struct cell *cell)
{
    _free_ char *path = vnrs_client_path("/trace", "from", cell->nic, "to", cell->address);
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer =
        vnrs_client_lab_request(cli->socket, "GET", cli->lab, path ? path : "");

    return vnrs_ping_reason(path && !answer.exit ? answer.json : NULL);
}

static json_t *make_results(const struct vnrs_cli *cli, const cell_vec *cells)
{
    json_t *results = json_array();

    vec_foreach (cell, cells)
        (void)json_array_append_new(results, json_pack("{s:s s:s s:s s:b s:o}", "from", cell->from, "to", cell->to,
                                                       "address", cell->address, "answered", cell->ok, "reason",
                                                       cell->ok ? json_null() : find_reason(cli, cell)));
    return results;
}

static int check_names(const struct vnrs_cli *cli, const json_t *machines)
{
    for (int i = 0; i < cli->argc; i++) {
        const json_t *machine;
        bool found = false;
        size_t m;

        json_array_foreach(machines, m, machine) found =
            found || strcmp(text_at(machine, "name") ? text_at(machine, "name") : "", cli->argv[i]) == 0;
        if (!found) {
            (void)fprintf(stderr, "vnrs: error: no machine '%s'\nhelp: 'vnrs inspect' lists them\n", cli->argv[i]);
            return VNRS_EXIT_FAILED;
        }
    }
    return VNRS_EXIT_OK;
}

static void print_results(const struct vnrs_cli *cli, const json_t *results)
{
    static const struct vnrs_column columns[] = {
        {"From", "from"}, {"To", "to"}, {"Address", "address"}, {"Answered", "answered"}, {"Reason", "reason"}};

    if (vnrs_cli_print(cli, results))
        return;
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns), results);
    else
        vnrs_ping_text(stdout, results);
}

static int show(const struct vnrs_cli *cli, const json_t *machines)
{
    cell_vec cells = {0};
    int rc = check_names(cli, machines);

    if (!rc)
        rc = make_cells(cli, machines, &cells);
    if (!rc) {
        ping_all(&cells);
        json_t *results = make_results(cli, &cells);
        print_results(cli, results);
        json_decref(results);
    }
    vec_free(&cells);
    return rc;
}

int vnrs_verb_ping(const struct vnrs_cli *given)
{
    struct vnrs_cli cli = *given;
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *lab = NULL;

    if (!cli.all) {
        (void)fputs("vnrs: error: `vnrs ping` is for all machines: --all is missing\n"
                    "help: one alone: vnrs exec MACHINE -- ping ADDRESS\n",
                    stderr);
        return VNRS_EXIT_USAGE;
    }
    int rc = vnrs_enter_check();
    if (!rc)
        rc = vnrs_cli_lab(&cli, &lab);
    cli.lab = lab;
    if (!rc)
        rc = vnrs_cli_get(&cli, "", &answer);
    return rc ? rc : show(&cli, json_object_get(answer.json, "machines"));
}
