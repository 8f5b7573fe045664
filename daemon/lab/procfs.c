// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/procfs.h"

#include "util/fd.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FIELD_STATE  3
#define FIELD_START  22
#define KILL_WAIT_MS 2000

// The state letter, or a negative errno.
static int read_stat(pid_t pid, uint64_t *ret_start)
{
    char path[64], text[1024];

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? -ESRCH : -errno;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    // The second field is the name in parentheses and may hold anything.
    char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return -ESRCH;
    char state = at[2];
    at += 2;
    for (int field = FIELD_STATE; field < FIELD_START && at; field++) {
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return -ESRCH;
    *ret_start = strtoull(at, NULL, 10);
    return state;
}

int vnrs_procfs_start(pid_t pid, uint64_t *ret_start)
{
    return MIN(read_stat(pid, ret_start), 0);
}

int vnrs_procfs_open(pid_t pid, uint64_t start)
{
    uint64_t now;

    if (pid <= 0)
        return -ESRCH;
    _close_ int fd = pidfd_open(pid, 0);
    if (fd < 0)
        return -errno;
    // The start time is read after the descriptor pins the process.
    int state = read_stat(pid, &now);
    if (state < 0 || now != start)
        return -ESRCH;
    if (state == 'Z' || state == 'X') {
        siginfo_t info;
        (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
        return -ESRCH;
    }
    return TAKE_FD(fd);
}

static void wait_gone(int fd, uint64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t now = vnrs_clock_ms();
    siginfo_t info;

    while (now < deadline && poll(&p, 1, (int)(deadline - now)) < 0 && errno == EINTR)
        now = vnrs_clock_ms();
    (void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
}

static void end_some(const pid_t *pids, const uint64_t *starts, size_t n, int sig, unsigned wait_ms)
{
    int fds[64];

    n = MIN(n, ARRAY_SIZE(fds));
    for (size_t i = 0; i < n; i++) {
        fds[i] = vnrs_procfs_open(pids[i], starts[i]);
        if (fds[i] < 0)
            continue;
        (void)pidfd_send_signal(fds[i], sig, NULL, 0);
        if (getpgid(pids[i]) == pids[i])
            (void)kill(-pids[i], sig);
    }
    uint64_t deadline = vnrs_clock_ms() + wait_ms;
    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0)
            continue;
        wait_gone(fds[i], deadline);
        (void)close(fds[i]);
    }
}

void vnrs_procfs_end(const pid_t *pids, const uint64_t *starts, size_t n, unsigned wait_ms)
{
    end_some(pids, starts, n, SIGTERM, wait_ms);
    end_some(pids, starts, n, SIGKILL, KILL_WAIT_MS);
}

// Follows `name` in /proc/<pid>.
static bool is_at(pid_t pid, const char *name, const struct stat *place)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return stat(path, &st) == 0 && st.st_dev == place->st_dev && st.st_ino == place->st_ino;
}

static bool runs_as(pid_t pid, uid_t uid)
{
    char path[64], line[256];
    unsigned real = 0;
    bool found = false;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file))
        found = sscanf(line, "Uid: %u", &real) == 1;
    if (file)
        (void)fclose(file);
    return found && real == uid;
}

size_t vnrs_procfs_in_dir(const char *dir, pid_t *ret_pids, uint64_t *ret_starts, size_t max)
{
    struct stat place, own_net;
    size_t n = 0;

    if (stat(dir, &place) < 0 || stat("/proc/self/ns/net", &own_net) < 0)
        return 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *e = readdir(proc); e && n < max; e = readdir(proc)) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        // Once more after the start time is known: the number may have gone to another process in between.
        if (pid > 1 && is_at(pid, "cwd", &place) && vnrs_procfs_start(pid, &ret_starts[n]) == 0 &&
            is_at(pid, "cwd", &place) && (!is_at(pid, "ns/net", &own_net) || runs_as(pid, place.st_uid)))
            ret_pids[n++] = pid;
    }
    (void)closedir(proc);
    return n;
}
