// SPDX-License-Identifier: GPL-2.0-or-later
// Throw-away namespaces for tests of the netlink sinks: they have no name and go with the process.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static inline int ns_new(void)
{
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    int fd = open("/proc/self/ns/net", O_RDONLY); // inherited by commands, which name it by path
    assert_true(fd >= 0);
    assert_int_equal(system("ip link set lo up"), 0);
    return fd;
}

// Run a shell command in a namespace; its exit status.
__attribute__((format(printf, 2, 3))) static inline int ns_run(int ns, const char *fmt, ...)
{
    char command[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
    int status = system(command);
    return status == 0 ? 0 : status;
}

// Does the output of a command in a namespace contain a text?
static inline bool ns_shows(int ns, const char *command, const char *text)
{
    char out[65536];

    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, sizeof(out) - 1, pipe);
    (void)pclose(pipe);
    out[n] = '\0';
    bool found = strstr(out, text);
    if (!found)
        print_message("'%s' does not show '%s' but:\n%s", command, text, out);
    return found;
}

static inline long ns_count(int ns, const char *command)
{
    char out[32] = "";

    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    (void)!fgets(out, sizeof(out), pipe);
    (void)pclose(pipe);
    return strtol(out, NULL, 10);
}

static inline int ns_netlink(int ns)
{
    assert_int_equal(setns(ns, CLONE_NEWNET), 0);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_true(fd >= 0);
    return fd;
}
