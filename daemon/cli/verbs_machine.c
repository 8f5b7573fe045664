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
