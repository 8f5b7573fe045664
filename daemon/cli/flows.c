// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs flows: packets one by one, as they come. Filters are checked and applied by the daemon.
#include "cli/cli.h"
#include "cli/flow_text.h"
#include "cli/lines.h"

#include "util/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define WAIT_SECONDS "2" // without -f

struct show {
    const struct vnrs_cli *cli;
    struct vnrs_lines lines;
    json_t *list; // -o json or yaml without -f; else NULL
    uint64_t lost;
};

static const struct vnrs_column columns[] = {{"Time", "time"},       {"NIC", "nic"},
                                             {"Verdict", "verdict"}, {"Reason", "reason"},
                                             {"Text", "text"},       {"Next Hop Type", "nextHopType"},
                                             {"To NIC", "toNic"},    {"Protocol", "protocol"},
                                             {"From", "from"},       {"From Port", "fromPort"},
                                             {"To", "to"},           {"To Port", "toPort"},
                                             {"Bytes", "bytes"}};

static void print_flow(const struct vnrs_cli *cli, const json_t *flow)
{
    if (vnrs_cli_print_next(cli, flow))
        return;
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_table_tsv_row(stdout, columns, ARRAY_SIZE(columns), flow);
    else
        vnrs_flow_text(stdout, flow);
}

static void show_line(void *arg, const char *text, size_t len)
{
    struct show *show = arg;
    json_t *flow = json_loadb(text, len, 0, NULL);
    const json_t *lost = json_object_get(flow, "lost");

    if (json_is_integer(lost)) {
        show->lost += (uint64_t)json_integer_value(lost);
        if (show->cli->follow && !show->cli->quiet)
            (void)fprintf(stderr, "vnrs: %" JSON_INTEGER_FORMAT " packets could not be shown\n",
                          json_integer_value(lost));
    } else if (show->list && flow) {
        (void)json_array_append(show->list, flow);
    } else if (flow) {
        print_flow(show->cli, flow);
    }
    json_decref(flow);
}

static bool on_piece(void *arg, const void *bytes, size_t len)
{
    struct show *show = arg;

    return vnrs_lines_add(&show->lines, bytes, len) && fflush(stdout) == 0;
}

static void on_begun(void *arg)
{
    const struct show *show = arg;

    if (show->cli->format == VNRS_FORMAT_TSV)
        vnrs_table_tsv_headings(stdout, columns, ARRAY_SIZE(columns));
    if (!show->cli->quiet)
        (void)fprintf(stderr, "vnrs: watching%s\n", show->cli->follow ? "" : " for " WAIT_SECONDS " s");
}

static char *make_path(const struct vnrs_cli *cli, const char *lab)
{
    const struct {
        const char *name, *value;
    } params[] = {
        {"nic", cli->nic},
        {"reason", cli->reason},
        {"from", cli->from},
        {"to", cli->to},
        {"protocol", cli->protocol},
        {"verdict", cli->dropped     ? "dropped"
                    : cli->forwarded ? "forwarded"
                                     : NULL},
        {"port", cli->port},
        {"sample", cli->sample},
        {"seconds", cli->follow ? NULL : WAIT_SECONDS},
    };
    struct vnrs_strbuf path = {0};

    vnrs_strbuf_printf(&path, "/v1/labs/%s/flows", lab);
    for (size_t i = 0; i < ARRAY_SIZE(params); i++)
        if (params[i].value)
            vnrs_client_param(&path, params[i].name, params[i].value);
    return vnrs_strbuf_take(&path);
}

static int run(const char *path, struct show *show)
{
    const struct vnrs_stream_reader reader = {.begun = on_begun, .piece = on_piece, .arg = show};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_stream(show->cli->socket, path, &reader);

    if (answer.exit && answer.status == 200) {
        (void)fputs(
            "vnrs: error: the stream broke off\nhelp: vnrsd ended, or packets came faster than they were read\n",
            stderr);
        return answer.exit;
    }
    if (answer.exit)
        return vnrs_answer_complain(&answer, show->cli->socket);
    if (show->list)
        (void)vnrs_cli_print(show->cli, show->list);
    if (show->lost && !show->cli->follow && !show->cli->quiet)
        (void)fprintf(stderr, "vnrs: %llu packets could not be shown\n", (unsigned long long)show->lost);
    return VNRS_EXIT_OK;
}

int vnrs_verb_flows(const struct vnrs_cli *cli)
{
    _free_ char *lab = NULL, *path = NULL;

    if (cli->dropped && cli->forwarded) {
        (void)fputs("vnrs: error: '--dropped' and '--forwarded' leave nothing\nhelp: leave out one of the two\n",
                    stderr);
        return VNRS_EXIT_USAGE;
    }
    int rc = vnrs_cli_lab(cli, &lab);
    if (rc)
        return rc;
    if (!(path = make_path(cli, lab)))
        return VNRS_EXIT_FAILED;
    bool is_list = !cli->follow && (cli->format == VNRS_FORMAT_JSON || cli->format == VNRS_FORMAT_YAML);
    struct show show = {.cli = cli, .list = is_list ? json_array() : NULL};
    show.lines = (struct vnrs_lines){.line = show_line, .arg = &show};
    rc = run(path, &show);
    json_decref(show.list);
    vnrs_lines_fini(&show.lines);
    return rc;
}
