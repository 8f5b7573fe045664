// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs test: the assertions of a file, each tried until it holds or the time is over.
#include "cli/cli.h"
#include "cli/enter.h"
#include "cli/junit.h"

#include "util/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define RETRY_MS 200

static bool ends_well(pid_t pid)
{
    int status = 0;

    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// A TCP connection from inside the machine: this program again, in the namespace.
static bool probe_connect(const char *netns, const char *to, json_int_t port)
{
    char option[VNRS_ENTER_OPTION_MAX], port_text[16];
    vnrs_argv argv = {0};
    const char *self[] = {"/proc/self/exe", "connect-probe", to, port_text, NULL};
    bool ok = vnrs_enter_push(&argv, netns, option) == 0;

    (void)snprintf(port_text, sizeof(port_text), "%" JSON_INTEGER_FORMAT, port);
    // nsenter replaces itself by what it runs, so /proc/self/exe would be nsenter: name the file.
    char exe[4096];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (len <= 0)
        return false;
    exe[len] = '\0';
    self[0] = exe;
    for (size_t i = 0; ok && i < ARRAY_SIZE(self); i++)
        ok = vec_push(&argv, (char *)self[i]) == 0;
    ok = ok && ends_well(vnrs_enter_spawn(argv.items));
    vec_free(&argv);
    return ok;
}

static bool same_set(const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++) {
        bool found = false;
        for (size_t j = 0; j < json_array_size(b) && !found; j++)
            found = json_equal(json_array_get(a, i), json_array_get(b, j));
        if (!found)
            return false;
    }
    return true;
}

static bool probe_next_hop(const struct vnrs_cli *cli, const json_t *test, char *detail, size_t size)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    const char *from = json_string_value(json_object_get(test, "from"));
    const char *to = json_string_value(json_object_get(test, "to"));
    _free_ char *path = vnrs_client_path("/next-hop", "from", from ? from : "", "to", to ? to : "");

    if (!path || vnrs_cli_get(cli, path, &answer))
        return false;
    const json_t *type = json_object_get(answer.json, "nextHopType");
    const json_t *ips = json_object_get(answer.json, "nextHopIpAddresses");
    const json_t *want_type = json_object_get(test, "nextHopType"), *want_ips = json_object_get(test, "nextHopIps");
    _free_ char *ip_text = json_dumps(ips, JSON_COMPACT);
    (void)snprintf(detail, size, "%s %s", type ? json_string_value(type) : "no route", ip_text ? ip_text : "");
    return (!want_type || json_is_null(want_type) || json_equal(type, want_type)) &&
           (!want_ips || json_is_null(want_ips) || same_set(ips, want_ips));
}

// One try of one test.
static bool try_test(const struct vnrs_cli *cli, const json_t *test, char *detail, size_t size)
{
    const char *kind = json_string_value(json_object_get(test, "kind"));
    const char *to = json_string_value(json_object_get(test, "to"));
    const char *netns = json_string_value(json_object_get(test, "netns"));
    bool expects_fail = json_is_true(json_object_get(test, "expectFail")), ok;

    if (!kind || !to || !netns)
        return false;
    if (strcmp(kind, "next-hop") == 0)
        return probe_next_hop(cli, test, detail, size);
    if (strcmp(kind, "ping") == 0)
        ok = ends_well(vnrs_enter_ping(netns, to));
    else
        ok = probe_connect(netns, to, json_integer_value(json_object_get(test, "port")));
    (void)snprintf(detail, size, "%s: %s", to, ok ? "answered" : "no answer");
    return ok != expects_fail;
}

static bool run_test(const struct vnrs_cli *cli, const json_t *test, char *detail, size_t size)
{
    const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    uint64_t deadline = vnrs_clock_ms() + cli->timeout_s * 1000u;

    while (!try_test(cli, test, detail, size)) {
        if (vnrs_clock_ms() >= deadline)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

// An argument that no lab can be called is a file.
static bool is_file(const char *name)
{
    return strpbrk(name, "/.") != NULL;
}

// The assertions of the lab that runs, or of the file that was named, and the lab they are about.
static int get_tests(const struct vnrs_cli *cli, struct vnrs_answer *ret_answer, char **ret_lab)
{
    if (cli->argc == 1 && is_file(cli->argv[0])) {
        int rc = vnrs_cli_post_file(cli, cli->argv[0], "/v1/tests", ret_answer);
        if (rc)
            return rc;
        const char *name = json_string_value(json_object_get(ret_answer->json, "lab"));
        *ret_lab = strdup(name ? name : "");
        return *ret_lab ? VNRS_EXIT_OK : VNRS_EXIT_FAILED;
    }
    struct vnrs_cli named = *cli;
    if (cli->argc == 1)
        named.lab = cli->argv[0];
    int rc = vnrs_cli_lab(&named, ret_lab);
    named.lab = *ret_lab;
    return rc ? rc : vnrs_cli_get(&named, "/tests", ret_answer);
}

static json_t *run_tests(const struct vnrs_cli *cli, const json_t *tests, size_t *ret_failed)
{
    json_t *results = json_array();

    *ret_failed = 0;
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        char detail[256] = "";
        uint64_t begin = vnrs_clock_ms();
        bool ok = run_test(cli, test, detail, sizeof(detail));
        *ret_failed += !ok;
        (void)json_array_append_new(results, json_pack("{s:s s:O s:s s:I}", "result", ok ? "pass" : "fail", "name",
                                                       json_object_get(test, "name"), "detail", detail, "durationMs",
                                                       (json_int_t)(vnrs_clock_ms() - begin)));
    }
    return results;
}

int vnrs_verb_test(const struct vnrs_cli *given)
{
    static const struct vnrs_column columns[] = {{"Result", "result"}, {"Test", "name"}, {"Detail", "detail"}};
    struct vnrs_cli cli = *given;
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *lab = NULL;
    size_t failed;

    if (cli.as && strcmp(cli.as, "junit") != 0) {
        (void)fprintf(stderr, "vnrs: error: no format '%s'\nhelp: '--format junit', or '-o json'\n", cli.as);
        return VNRS_EXIT_USAGE;
    }
    int rc = vnrs_enter_check();
    if (!rc)
        rc = get_tests(&cli, &answer, &lab);
    cli.lab = lab;
    // A test that expects no answer would pass before the lab is up: wait for it first.
    if (!rc)
        rc = vnrs_cli_wait(&cli, lab, vnrs_status_is_ready, 0);
    if (rc)
        return rc;
    json_t *results = run_tests(&cli, json_object_get(answer.json, "value"), &failed);
    if (cli.as)
        vnrs_junit_print(stdout, lab, results);
    else if (!vnrs_cli_print(&cli, results))
        vnrs_cli_rows(&cli, columns, ARRAY_SIZE(columns), results);
    bool is_table = cli.format == VNRS_FORMAT_TABLE && !cli.as;
    (void)fprintf(is_table ? stdout : stderr, "%s%zu passed, %zu failed\n", is_table ? "\n" : "",
                  json_array_size(results) - failed, failed);
    json_decref(results);
    return failed ? VNRS_EXIT_FAILED : VNRS_EXIT_OK;
}
