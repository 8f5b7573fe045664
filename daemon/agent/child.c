// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/child.h"

#include "lab/exec.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define BACKOFF_MIN_MS  100
#define BACKOFF_MAX_MS  10000
#define BACKOFF_CALM_MS 30000
#define FIRST_FD        3
#define MOVED_FD_MIN    128 // above what is being put in place

const char *vnrs_agentd_how_ended(int pidfd, char *buf, size_t size)
{
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        (void)snprintf(buf, size, "ended");
    else if (info.si_code == CLD_EXITED)
        (void)snprintf(buf, size, "exit status %d", info.si_status);
    else
        (void)snprintf(buf, size, "signal %d (%s)", info.si_status, strsignal(info.si_status));
    return buf;
}

static void on_restart_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    if (vnrs_agentd_child_run(arg) < 0)
        log_debug("tried again later"); // what failed was logged by `start`
}

static void schedule(struct vnrs_agentd_child *child)
{
    if (child->ad->stopping)
        return;
    struct timeval delay = {child->backoff_ms / 1000, (child->backoff_ms % 1000) * 1000};
    if (!child->restart_timer)
        child->restart_timer = evtimer_new(child->ad->base, on_restart_timer, child);
    if (!child->restart_timer || evtimer_add(child->restart_timer, &delay) < 0)
        log_error("out of memory");
    child->backoff_ms = MIN(child->backoff_ms * 2, (unsigned)BACKOFF_MAX_MS);
}

static void clear_process(struct vnrs_agentd_child *child)
{
    if (child->exit_event)
        event_free(child->exit_event);
    child->exit_event = NULL;
    if (child->pidfd >= 0)
        (void)close(TAKE_FD(child->pidfd));
    child->pid = 0;
}

static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_child *child = arg;
    char how[64];

    (void)what;
    (void)vnrs_agentd_how_ended(fd, how, sizeof(how));
    clear_process(child);
    if (vnrs_clock_ms() - child->started_ms >= BACKOFF_CALM_MS)
        child->backoff_ms = BACKOFF_MIN_MS;
    schedule(child);
    child->ended(child->arg, how);
    vnrs_agentd_check_stopped(child->ad);
}

void vnrs_agentd_child_init(struct vnrs_agentd_child *child, struct vnrs_agentd *ad, int (*start)(void *arg),
                            void (*ended)(void *arg, const char *how), void *arg)
{
    *child = (struct vnrs_agentd_child){
        .ad = ad, .pidfd = -1, .backoff_ms = BACKOFF_MIN_MS, .start = start, .ended = ended, .arg = arg};
}

int vnrs_agentd_child_run(struct vnrs_agentd_child *child)
{
    child->started_ms = vnrs_clock_ms();
    int err = child->start(child->arg);
    if (err < 0)
        schedule(child);
    return err;
}

struct place_args {
    const struct vnrs_agentd_child *child;
    const struct vnrs_agentd_program *program;
    pid_t parent;
};

// In the child.
static int place_fds(void *arg)
{
    const struct place_args *a = arg;
    int moved[VNRS_CHILD_FDS_MAX];

    for (int i = 0; i < VNRS_CHILD_FDS_MAX; i++) {
        moved[i] = a->program->fds[i] < 0 ? -1 : fcntl(a->program->fds[i], F_DUPFD_CLOEXEC, MOVED_FD_MIN);
        if (a->program->fds[i] >= 0 && moved[i] < 0)
            return -errno;
    }
    for (int i = 0; i < VNRS_CHILD_FDS_MAX; i++) {
        if (moved[i] < 0)
            (void)close(FIRST_FD + i);
        else if (dup2(moved[i], FIRST_FD + i) < 0)
            return -errno;
    }
    return vnrs_priv_drop(&a->child->ad->priv, a->parent);
}

int vnrs_agentd_child_spawn(struct vnrs_agentd_child *child, const struct vnrs_agentd_program *program)
{
    struct place_args args = {child, program, getpid()};
    struct vnrs_exec_spawn spawn = {
        .path = program->path, .argv = program->argv, .ns_fd = -1, .log_fd = -1, .setup = place_fds, .arg = &args};
    pid_t pid = vnrs_exec_spawn(&spawn, FIRST_FD + VNRS_CHILD_FDS_MAX);

    if (pid < 0)
        return pid;
    child->pid = pid;
    child->pidfd = pidfd_open(pid, 0);
    if (child->pidfd >= 0)
        child->exit_event = event_new(child->ad->base, child->pidfd, EV_READ, on_exit_event, child);
    if (!child->exit_event || event_add(child->exit_event, NULL) < 0) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        clear_process(child);
        return -ENOMEM;
    }
    return 0;
}

void vnrs_agentd_child_signal(const struct vnrs_agentd_child *child, int sig)
{
    if (child->pidfd >= 0)
        (void)pidfd_send_signal(child->pidfd, sig, NULL, 0);
}

void vnrs_agentd_child_fini(struct vnrs_agentd_child *child)
{
    siginfo_t info;

    if (child->restart_timer)
        event_free(child->restart_timer);
    child->restart_timer = NULL;
    vnrs_agentd_child_signal(child, SIGKILL);
    if (child->pidfd >= 0)
        (void)waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
    clear_process(child);
}
