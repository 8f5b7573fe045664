// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs link against a daemon that is one answer: what is asked for, and what is said of the answer.
#include "cli/cli.h"

#include "cli/one_answer.h"

#define ARGS_MAX 11

#define ANSWER(body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" body
#define DOWN         "{\"nic\":\"a/eth0\",\"down\":true,\"live\":true,\"text\":\"down\"}"
#define RATE         "{\"nic\":\"a/eth0\",\"down\":false,\"live\":false,\"text\":\"rate 10mbit\"}"
#define NOTHING      "{\"nic\":\"a/eth0\",\"down\":false,\"live\":true,\"text\":\"\"}"

static const struct {
    const char *what;
    char *argv[ARGS_MAX];
    struct text answer;
    const char *request, *body; // NULL: none
    const char *out;            // how it begins
    int exit;
    bool json, quiet;
} rows[] = {
    {"what is wrong",
     {"a"},
     .answer = TEXT(ANSWER(RATE)),
     .request = "GET /v1/labs/l/link?nic=a HTTP/",
     .out = "link a/eth0: rate 10mbit\n"},
    {"escaped",
     {"a/eth0"},
     .answer = TEXT(ANSWER(NOTHING)),
     .request = "GET /v1/labs/l/link?nic=a%2Feth0 HTTP/",
     .out = "link a/eth0: up (set live)\n"},
    {"quiet, but asked",
     {"a"},
     .quiet = true,
     .answer = TEXT(ANSWER(DOWN)),
     .request = "GET /v1/labs/l/link?nic=a HTTP/",
     .out = "link a/eth0: down (set live)\n"},
    {"down",
     {"a", "down"},
     .answer = TEXT(ANSWER(DOWN)),
     .request = "POST /v1/labs/l/link HTTP/",
     .body = "{\"nic\":\"a\",\"action\":\"down\"}",
     .out = "link a/eth0: down (set live)\n"},
    {"quiet",
     {"a", "up"},
     .quiet = true,
     .answer = TEXT(ANSWER(RATE)),
     .request = "POST /v1/labs/l/link HTTP/",
     .body = "{\"nic\":\"a\",\"action\":\"up\"}",
     .out = ""},
    {"as JSON",
     {"a", "reset"},
     .json = true,
     .answer = TEXT(ANSWER(RATE)),
     .request = "POST /v1/labs/l/link HTTP/",
     .body = "{\"nic\":\"a\",\"action\":\"reset\"}",
     .out = "{\n  \"nic\": \"a/eth0\""},
    {"one value",
     {"a", "set", "loss", "1%"},
     .answer = TEXT(ANSWER(RATE)),
     .request = "POST /v1/labs/l/link HTTP/",
     .body = "{\"nic\":\"a\",\"action\":\"set\",\"loss\":\"1%\"}",
     .out = "link a/eth0: rate 10mbit\n"},
    {"all values",
     {"a", "set", "jitter", "1ms", "rate", "none", "loss", "0%", "delay", "2ms"},
     .answer = TEXT(ANSWER(RATE)),
     .request = "POST /v1/labs/l/link HTTP/",
     .body =
         "{\"nic\":\"a\",\"action\":\"set\",\"jitter\":\"1ms\",\"rate\":\"none\",\"loss\":\"0%\",\"delay\":\"2ms\"}",
     .out = "link a/eth0: rate 10mbit\n"},
    {"refused",
     {"a", "set", "loss", "x"},
     .answer = TEXT("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"no\"}}"),
     .exit = VNRS_EXIT_USAGE,
     .request = "POST /v1/labs/l/link HTTP/",
     .body = "{\"nic\":\"a\",\"action\":\"set\",\"loss\":\"x\"}",
     .out = ""},
    {"it cannot",
     {"a", "set", "delay", "1s"},
     .answer = TEXT("HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n{\"error\":{\"message\":\"no\"}}"),
     .exit = VNRS_EXIT_FAILED,
     .request = "POST /v1/labs/l/link HTTP/",
     .body = "{\"nic\":\"a\",\"action\":\"set\",\"delay\":\"1s\"}",
     .out = ""},
};

static int count(char *const *argv)
{
    int n = 0;

    while (argv[n])
        n++;
    return n;
}

static bool is_body(const char *request, const char *want)
{
    const char *body = strstr(request, "\r\n\r\n");
    json_t *have = body ? json_loads(body + 4, 0, NULL) : NULL, *wanted = want ? json_loads(want, 0, NULL) : NULL;
    bool same = want ? json_equal(have, wanted) : body && !body[4];

    json_decref(have), json_decref(wanted);
    return same;
}

static void requests_and_answers(void **state)
{
    struct one_answer daemon;

    (void)state;
    one_answer_init(&daemon);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct vnrs_cli cli = {.socket = daemon.socket,
                                     .lab = "l",
                                     .format = rows[i].json ? VNRS_FORMAT_JSON : VNRS_FORMAT_TABLE,
                                     .quiet = rows[i].quiet,
                                     .argc = count(rows[i].argv),
                                     .argv = (char **)rows[i].argv};
        char request[4096], out[4096], err[4096];
        struct printed printed[2];
        one_answer_start(&daemon, rows[i].answer);
        printed_begin(&printed[0], STDOUT_FILENO), printed_begin(&printed[1], STDERR_FILENO);
        int rc = vnrs_verb_link(&cli);
        printed_end(&printed[1], err), printed_end(&printed[0], out);
        one_answer_end(&daemon, request);
        bool asked = strncmp(request, rows[i].request, strlen(rows[i].request)) == 0 && is_body(request, rows[i].body);
        bool said = *rows[i].out ? strncmp(out, rows[i].out, strlen(rows[i].out)) == 0 : !*out;
        if (rc != rows[i].exit || !asked || !said || !*err != !rc)
            fail_msg("%s: exit %d, asked '%s', said '%s' and '%s'", rows[i].what, rc, request, out, err);
    }
    one_answer_fini(&daemon);
}

static void mistakes_are_said_before_anybody_is_asked(void **state)
{
    static const struct {
        char *argv[ARGS_MAX];
        const char *err;
    } wrong[] = {
        {{"a", "sideways"}, "not down, up, set or reset: 'sideways'"},
        {{"a", ""}, "not down, up, set or reset: ''"},
        {{"a", "down", "now"}, "nothing comes after 'down'"},
        {{"a", "reset", "loss"}, "nothing comes after 'reset'"},
        {{"a", "set"}, "a value is missing after 'set'"},
        {{"a", "set", "loss"}, "a value is missing after 'loss'"},
        {{"a", "set", "loss", "1%", "rate"}, "a value is missing after 'rate'"},
        {{"a", "set", "mtu", "1"}, "a link has no 'mtu'"},
        {{"a", "set", "loss", "1%", "loss", "2%"}, "given twice: 'loss'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const struct vnrs_cli cli = {
            .socket = "/nonexistent/sock", .lab = "l", .argc = count(wrong[i].argv), .argv = (char **)wrong[i].argv};
        struct printed printed;
        char err[4096], want[128];
        printed_begin(&printed, STDERR_FILENO);
        int rc = vnrs_verb_link(&cli);
        printed_end(&printed, err);
        (void)snprintf(want, sizeof(want), "vnrs: error: %s\nhelp: ", wrong[i].err);
        if (rc != VNRS_EXIT_USAGE || strncmp(err, want, strlen(want)) != 0)
            fail_msg("%s: exit %d, '%s'", wrong[i].err, rc, err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_answers),
        cmocka_unit_test(mistakes_are_said_before_anybody_is_asked),
    };
    return cmocka_run_group_tests_name("cli.link", tests, NULL, NULL);
}
