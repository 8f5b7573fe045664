// SPDX-License-Identifier: GPL-2.0-or-later
// Verbs that enter a machine's namespace.
#include "cli/cli.h"
#include "cli/enter.h"

#include "net/addr.h"
#include "util/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define RETRY_MS   200
#define CONNECT_MS 1500

static const char *find_netns(const json_t *lab, const char *name)
{
    static const char *const lists[] = {"machines", "hosts"};

    for (size_t l = 0; l < ARRAY_SIZE(lists); l++) {
        const json_t *list = json_object_get(lab, lists[l]);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *m = json_array_get(list, i);
            const char *found = json_string_value(json_object_get(m, "name"));
            if (found && strcmp(found, name) == 0)
                return json_string_value(json_object_get(m, "netns"));
        }
    }
    return NULL;
}

static int enter(const struct vnrs_cli *cli, char *const *command, size_t n)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    vnrs_argv argv = {0};
    char option[VNRS_ENTER_OPTION_MAX];
    int rc = vnrs_enter_check();

    if (!rc)
        rc = vnrs_cli_get(cli, "", &answer);
    if (rc)
        return rc;
    const char *netns = find_netns(answer.json, cli->argv[0]);
    if (!netns) {
        (void)fprintf(stderr, "vnrs: error: no machine '%s'\nhelp: 'vnrs inspect' lists them\n", cli->argv[0]);
        return VNRS_EXIT_FAILED;
    }
    int err = vnrs_enter_push(&argv, netns, option);
    for (size_t i = 0; i < n && err == 0; i++)
        err = vec_push(&argv, command[i]);
    if (err == 0)
        err = vec_push(&argv, NULL);
    if (err == 0) {
        (void)execvp(argv.items[0], argv.items);
        (void)fprintf(stderr, "vnrs: error: cannot run nsenter: %s\nhelp: apt install util-linux\n", strerror(errno));
    }
    vec_free(&argv);
    return VNRS_EXIT_FAILED;
}

int vnrs_verb_exec(const struct vnrs_cli *cli)
{
    return enter(cli, cli->argv + 1, (size_t)cli->argc - 1);
}

int vnrs_verb_shell(const struct vnrs_cli *cli)
{
    char *shell = getenv("SHELL");
    char *command[] = {shell ? shell : "/bin/sh"};
    return enter(cli, command, 1);
}

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

int vnrs_verb_connect_probe(const struct vnrs_cli *cli)
{
    struct vnrs_addr addr;
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6};
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    unsigned long port = strtoul(cli->argv[1], NULL, 10);

    if (vnrs_addr_parse(cli->argv[0], &addr) < 0 || port == 0 || port > 65535)
        return VNRS_EXIT_USAGE;
    bool is_v4 = addr.family == VNRS_AF_IPV4;
    to4.sin_port = to6.sin6_port = htons((uint16_t)port);
    memcpy(&to4.sin_addr, addr.bytes, 4);
    memcpy(&to6.sin6_addr, addr.bytes, 16);
    _close_ int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&to4 : (const struct sockaddr *)&to6;
    if (fd < 0 || (connect(fd, to, is_v4 ? sizeof(to4) : sizeof(to6)) < 0 && errno != EINPROGRESS))
        return VNRS_EXIT_FAILED;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);
    if (poll(&p, 1, CONNECT_MS) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
        return VNRS_EXIT_FAILED;
    return VNRS_EXIT_OK;
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

int vnrs_verb_test(const struct vnrs_cli *given)
{
    static const struct vnrs_column columns[] = {{"Result", "result"}, {"Test", "name"}, {"Detail", "detail"}};
    struct vnrs_cli cli = *given;
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *lab = NULL;
    size_t passed = 0, failed = 0;

    if (cli.argc == 1)
        cli.lab = cli.argv[0];
    int rc = vnrs_enter_check();
    if (!rc)
        rc = vnrs_cli_lab(&cli, &lab);
    cli.lab = lab;
    if (!rc)
        rc = vnrs_cli_get(&cli, "/tests", &answer);
    // A test that expects no answer would pass before the lab is up: wait for it first.
    if (!rc)
        rc = vnrs_cli_wait(&cli, lab, vnrs_status_is_ready, 0);
    if (rc)
        return rc;
    json_t *results = json_array();
    const json_t *tests = json_object_get(answer.json, "value");
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        char detail[256] = "";
        bool ok = run_test(&cli, test, detail, sizeof(detail));
        *(ok ? &passed : &failed) += 1;
        (void)json_array_append_new(results, json_pack("{s:s s:O s:s}", "result", ok ? "pass" : "fail", "name",
                                                       json_object_get(test, "name"), "detail", detail));
    }
    if (!vnrs_cli_print(&cli, results))
        vnrs_cli_rows(&cli, columns, ARRAY_SIZE(columns), results);
    json_decref(results);
    bool is_table = cli.format == VNRS_FORMAT_TABLE;
    (void)fprintf(is_table ? stdout : stderr, "%s%zu passed, %zu failed\n", is_table ? "\n" : "", passed, failed);
    return failed ? VNRS_EXIT_FAILED : VNRS_EXIT_OK;
}
