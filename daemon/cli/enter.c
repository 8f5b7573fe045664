// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/enter.h"

#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int vnrs_enter_check(void)
{
    if (geteuid() == 0)
        return VNRS_EXIT_OK;
    (void)fputs("vnrs: error: only root may enter a machine\nhelp: run it with sudo\n", stderr);
    return VNRS_EXIT_NOT_PERMITTED;
}

int vnrs_enter_push(vnrs_argv *argv, const char *netns, char option[static VNRS_ENTER_OPTION_MAX])
{
    (void)snprintf(option, VNRS_ENTER_OPTION_MAX, "--net=%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
    const char *fixed[] = {"nsenter", option, "--"};

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        if (vec_push(argv, (char *)fixed[i]) < 0)
            return -ENOMEM;
    return 0;
}

pid_t vnrs_enter_spawn(char *const *argv)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(null, fd);
    (void)execvp(argv[0], argv);
    _exit(127);
}

pid_t vnrs_enter_ping(const char *netns, const char *to)
{
    char option[VNRS_ENTER_OPTION_MAX];
    vnrs_argv argv = {0};
    const char *ping[] = {"ping", "-n", "-q", "-c", "1", "-W", "1", to, NULL};
    bool ok = vnrs_enter_push(&argv, netns, option) == 0;

    for (size_t i = 0; ok && i < ARRAY_SIZE(ping); i++)
        ok = vec_push(&argv, (char *)ping[i]) == 0;
    pid_t pid = ok ? vnrs_enter_spawn(argv.items) : -1;
    vec_free(&argv);
    return pid;
}
