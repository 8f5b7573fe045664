// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs events: what happened to the labs, and with -f what happens from now on.
#include "cli/cli.h"
#include "cli/event_text.h"
#include "cli/lines.h"

#include <stdio.h>
#include <string.h>

static const struct vnrs_column columns[] = {{"Time", "time"}, {"Lab", "lab"}, {"Kind", "kind"}, {"Text", "text"}};

static void on_line(void *arg, const char *text, size_t len)
{
    const struct vnrs_cli *cli = arg;
    json_t *event = vnrs_event_parse(text, len);

    if (event && !vnrs_cli_print_next(cli, event)) {
        if (cli->format == VNRS_FORMAT_TSV)
            vnrs_table_tsv_row(stdout, columns, ARRAY_SIZE(columns), event);
        else
            vnrs_event_text(stdout, event);
    }
    json_decref(event);
}

static bool on_piece(void *arg, const void *bytes, size_t len)
{
    return vnrs_lines_add(arg, bytes, len) && fflush(stdout) == 0;
}

static int follow(const struct vnrs_cli *cli, struct vnrs_strbuf *path)
{
    struct vnrs_lines lines = {.line = on_line, .arg = (void *)cli};
    const struct vnrs_stream_reader reader = {.piece = on_piece, .arg = &lines};

    vnrs_client_param(path, "follow", "1");
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_table_tsv_headings(stdout, columns, ARRAY_SIZE(columns));
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_stream(cli->socket, path->text, &reader);
    vnrs_lines_fini(&lines);
    if (answer.exit && answer.status == 200) {
        (void)fputs("vnrs: error: the stream broke off\nhelp: vnrsd ended\n", stderr);
        return answer.exit;
    }
    return vnrs_answer_complain(&answer, cli->socket);
}

static int list(const struct vnrs_cli *cli, const char *path)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_request(cli->socket, "GET", path, NULL);
    const json_t *events = json_object_get(answer.json, "value"), *event;
    size_t i;

    if (answer.exit)
        return vnrs_answer_complain(&answer, cli->socket);
    if (vnrs_cli_print(cli, events))
        return VNRS_EXIT_OK;
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_table_print_tsv(stdout, columns, ARRAY_SIZE(columns), events);
    else
        json_array_foreach(events, i, event) vnrs_event_text(stdout, event);
    return VNRS_EXIT_OK;
}

int vnrs_verb_events(const struct vnrs_cli *cli)
{
    struct vnrs_strbuf path = {0};

    if (cli->lab)
        vnrs_strbuf_printf(&path, "/v1/labs/%s/events", cli->lab);
    else
        vnrs_strbuf_puts(&path, "/v1/events");
    int rc = path.failed ? VNRS_EXIT_FAILED : cli->follow ? follow(cli, &path) : list(cli, path.text);
    vnrs_strbuf_fini(&path);
    return rc;
}
