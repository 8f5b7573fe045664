// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/cli.h"

#include "util/fd.h"
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define POLL_MIN_MS 10
#define POLL_MAX_MS 100
#define POLL_PART   16 // of the time that this step took so far: nobody waits much longer than that for the answer

int vnrs_cli_no_format(const char *verb, const char *formats)
{
    (void)fprintf(stderr,
                  *formats ? "vnrs: error: what '%s' prints is no table\nhelp: '-o' may be %s\n"
                           : "vnrs: error: what '%s' prints has a format of its own\nhelp: leave out '-o'\n",
                  verb, formats);
    return VNRS_EXIT_USAGE;
}

int vnrs_cli_lab(const struct vnrs_cli *cli, char **ret_lab)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};

    if (cli->lab) {
        *ret_lab = strdup(cli->lab);
        return *ret_lab ? VNRS_EXIT_OK : VNRS_EXIT_FAILED;
    }
    answer = vnrs_client_request(cli->socket, "GET", "/v1/labs", NULL);
    if (answer.exit)
        return vnrs_answer_complain(&answer, cli->socket);
    const json_t *labs = json_object_get(answer.json, "value");
    if (json_array_size(labs) == 1) {
        *ret_lab = strdup(json_string_value(json_object_get(json_array_get(labs, 0), "name")));
        return *ret_lab ? VNRS_EXIT_OK : VNRS_EXIT_FAILED;
    }
    if (json_array_size(labs) == 0) {
        (void)fputs("vnrs: error: no lab is running\nhelp: start one with 'vnrs apply FILE'\n", stderr);
        return VNRS_EXIT_FAILED;
    }
    (void)fputs("vnrs: error: several labs are running; name one with --lab:", stderr);
    for (size_t i = 0; i < json_array_size(labs); i++)
        (void)fprintf(stderr, " %s", json_string_value(json_object_get(json_array_get(labs, i), "name")));
    (void)fputc('\n', stderr);
    return VNRS_EXIT_USAGE;
}

int vnrs_cli_get(const struct vnrs_cli *cli, const char *suffix, struct vnrs_answer *ret_answer)
{
    _free_ char *lab = NULL;
    int rc = vnrs_cli_lab(cli, &lab);

    if (rc)
        return rc;
    struct vnrs_answer answer = vnrs_client_lab_request(cli->socket, "GET", lab, suffix);
    if (answer.exit) {
        rc = vnrs_answer_complain(&answer, cli->socket);
        vnrs_answer_fini(&answer);
        return rc;
    }
    *ret_answer = answer;
    return VNRS_EXIT_OK;
}

bool vnrs_status_is_ready(const json_t *status, json_int_t wanted)
{
    return vnrs_status_is_reached(status, wanted) && json_is_true(json_object_get(status, "ready"));
}

bool vnrs_status_is_reached(const json_t *status, json_int_t wanted)
{
    return json_integer_value(json_object_get(status, "reached")) >= wanted;
}

static void print_unmet(const json_t *status)
{
    const json_t *conditions = json_object_get(status, "conditions"), *errors = json_object_get(status, "errors");

    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *c = json_array_get(conditions, i);
        if (!json_is_true(json_object_get(c, "ok")))
            (void)fprintf(stderr, "  %s: %s\n", json_string_value(json_object_get(c, "name")),
                          json_string_value(json_object_get(c, "text")));
    }
    for (size_t i = 0; i < json_array_size(errors); i++)
        (void)fprintf(stderr, "  error: %s\n", json_string_value(json_array_get(errors, i)));
}

// One line that is redrawn; only on a terminal.
static void print_progress(const struct vnrs_cli *cli, const json_t *status)
{
    const json_t *p = json_object_get(status, "progress");
    const char *step = json_string_value(json_object_get(p, "step"));

    if (cli->quiet || !isatty(STDERR_FILENO))
        return;
    (void)fprintf(stderr, "\r\033[K%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT " %s",
                  json_integer_value(json_object_get(p, "done")), json_integer_value(json_object_get(p, "total")),
                  step ? step : "");
}

// What is left then, routes and sessions, may take no longer than a moment, whatever the objects took.
static bool has_all_objects(const json_t *status)
{
    const json_t *p = json_object_get(status, "progress");

    return json_integer_value(json_object_get(p, "done")) >= json_integer_value(json_object_get(p, "total"));
}

static void pause_since(uint64_t begin_ms)
{
    uint64_t ms = (vnrs_clock_ms() - begin_ms) / POLL_PART;
    const struct timespec pause = {.tv_nsec = (long)MIN(MAX(ms, POLL_MIN_MS), POLL_MAX_MS) * 1000000L};

    (void)nanosleep(&pause, NULL);
}

int vnrs_cli_wait(const struct vnrs_cli *cli, const char *lab, bool (*done)(const json_t *status, json_int_t wanted),
                  json_int_t wanted)
{
    uint64_t begin = vnrs_clock_ms(), deadline = begin + cli->timeout_s * 1000u;
    bool had_all = false;
    int rc = VNRS_EXIT_NOT_READY;

    for (;;) {
        _cleanup_(vnrs_answer_fini) struct vnrs_answer answer =
            vnrs_client_lab_request(cli->socket, "GET", lab, "/status");
        bool is_late = vnrs_clock_ms() >= deadline;
        // A controller that is being restarted is away for a moment: only a time-out makes that an error.
        if (answer.exit && ((answer.status != 0 && answer.status != 503) || is_late)) {
            rc = vnrs_answer_complain(&answer, cli->socket);
            break;
        }
        if (!answer.exit && done(answer.json, wanted)) {
            rc = VNRS_EXIT_OK;
            break;
        }
        print_progress(cli, answer.json);
        if (is_late) {
            (void)fprintf(stderr, "%svnrs: error: lab '%s' not ready after %u s\n",
                          isatty(STDERR_FILENO) ? "\r\033[K" : "", lab, cli->timeout_s);
            print_unmet(answer.json);
            break;
        }
        bool has_all = has_all_objects(answer.json);
        begin = has_all && !had_all ? vnrs_clock_ms() : begin;
        had_all = has_all;
        pause_since(begin);
    }
    if (rc == VNRS_EXIT_OK && !cli->quiet && isatty(STDERR_FILENO))
        (void)fputs("\r\033[K", stderr);
    return rc;
}
