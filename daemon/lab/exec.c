// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/exec.h"

#include "lab/netns.h"
#include "util/fd.h"
#include "util/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define OUTPUT_MAX_BYTES 65536
#define TIMEOUT_MS       10000
#define ERROR_FD_MIN     64

static char *const environment[] = {("PATH=" VNRS_EXEC_PATH), "LC_ALL=C", "HOME=/root", "TERM=dumb"};

bool vnrs_exec_find(const char *program, char *ret, size_t size)
{
    char path[512];

    if (strchr(program, '/'))
        return access(program, X_OK) == 0 && (!ret || snprintf(ret, size, "%s", program) < (int)size);
    for (const char *dir = VNRS_EXEC_PATH; dir;) {
        const char *end = strchr(dir, ':');
        int len = end ? (int)(end - dir) : (int)strlen(dir);
        if (snprintf(path, sizeof(path), "%.*s/%s", len, dir, program) < (int)sizeof(path) && access(path, X_OK) == 0)
            return !ret || snprintf(ret, size, "%s", path) < (int)size;
        dir = end ? end + 1 : NULL;
    }
    return false;
}

static void reset_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 1; i < NSIG; i++)
        (void)signal(i, SIG_DFL);
}

// In the child. Does not return.
static void child_run(const struct vnrs_exec_spawn *spawn, const char *path, unsigned keep_fds, int error_fd)
{
    int err = 0;

    // The way back for an error must not be where `setup` puts its descriptors.
    int moved = fcntl(error_fd, F_DUPFD_CLOEXEC, ERROR_FD_MIN);
    if (moved >= 0)
        error_fd = moved;
    reset_signals();
    if (spawn->session)
        (void)setsid();
    if (spawn->ns_fd >= 0)
        err = vnrs_netns_join(spawn->ns_fd);
    if (err == 0 && chdir(spawn->dir ? spawn->dir : "/") < 0)
        err = -errno;
    if (err == 0 && spawn->log_fd >= 0 &&
        (dup2(spawn->log_fd, STDOUT_FILENO) < 0 || dup2(spawn->log_fd, STDERR_FILENO) < 0))
        err = -errno;
    // It may live on for a while before it executes: nothing of ours (locks, sockets) may be held by it.
    if (spawn->detach || (spawn->waits && err == 0))
        (void)close_range(STDERR_FILENO + 1, ~0u, 0);
    if (err == 0 && spawn->setup)
        err = spawn->setup(spawn->arg);
    if (err == 0) {
        char *variables[ARRAY_SIZE(environment) + 2] = {NULL};
        memcpy(variables, environment, sizeof(environment));
        variables[ARRAY_SIZE(environment)] = (char *)spawn->variable;
        (void)close_range(keep_fds, ~0u, CLOSE_RANGE_CLOEXEC);
        (void)execve(path, (char *const *)spawn->argv, variables);
        err = -errno;
    }
    (void)signal(SIGPIPE, SIG_IGN); // nobody may be there to read it
    _exit(write(error_fd, &err, sizeof(err)) < 0 ? 126 : 127);
}

pid_t vnrs_exec_spawn(const struct vnrs_exec_spawn *spawn, unsigned keep_fds)
{
    char path[512];
    int pipe_fds[2], err = 0;

    if (!vnrs_exec_find(spawn->path, path, sizeof(path)))
        return -ENOENT;
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -errno;
    _close_ int error_out = pipe_fds[0];
    _close_ int error_in = pipe_fds[1];
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        if (spawn->detach && fork() != 0)
            _exit(0); // the process that stays is nobody's child, its errors go to its log
        if (spawn->detach)
            (void)close(error_out);
        int null = open("/dev/null", O_RDWR);
        if (null >= 0)
            (void)dup2(null, STDIN_FILENO);
        child_run(spawn, path, keep_fds, error_in);
    }
    (void)close(TAKE_FD(error_in));
    if (spawn->detach)
        return waitpid(pid, NULL, 0) < 0 ? -errno : 0;
    ssize_t got;
    do
        got = read(error_out, &err, sizeof(err));
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof(err)) {
        (void)waitpid(pid, NULL, 0);
        return err;
    }
    return pid;
}

struct pipes {
    int in[2], out[2], errors[2];
};

static int pipes_in_child(void *arg)
{
    const struct pipes *p = arg;

    if (p->in[0] >= 0 && dup2(p->in[0], STDIN_FILENO) < 0)
        return -errno;
    if (dup2(p->out[1], STDOUT_FILENO) < 0 || dup2(p->errors[1], STDERR_FILENO) < 0)
        return -errno;
    return 0;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void pipes_close(struct pipes *p)
{
    int *all[] = {&p->in[0], &p->in[1], &p->out[0], &p->out[1], &p->errors[0], &p->errors[1]};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        close_end(all[i]);
}

static int pipes_open(struct pipes *p, bool input)
{
    *p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if ((input && pipe2(p->in, O_CLOEXEC) < 0) || pipe2(p->out, O_CLOEXEC) < 0 || pipe2(p->errors, O_CLOEXEC) < 0 ||
        (input && vnrs_fd_set_nonblock(p->in[1], true) < 0)) {
        int err = -errno;
        pipes_close(p);
        return err;
    }
    return 0;
}

// Read what is there; closes the descriptor at its end.
static void take_output(int *fd, struct vnrs_strbuf *buf, size_t max)
{
    char part[4096];
    ssize_t got = read(*fd, part, sizeof(part));

    if (got > 0)
        vnrs_strbuf_add(buf, part, buf->len < max ? MIN((size_t)got, max - buf->len) : 0);
    else if (got == 0 || errno != EINTR)
        close_end(fd);
}

static void give_input(int *fd, const char *input, size_t *at)
{
    ssize_t put = write(*fd, input + *at, strlen(input + *at));

    if (put > 0)
        *at += (size_t)put;
    if ((put < 0 && errno != EAGAIN && errno != EINTR) || !input[*at])
        close_end(fd);
}

static int pump(const struct vnrs_exec_run *run, struct pipes *p, struct vnrs_strbuf *out, struct vnrs_strbuf *errors)
{
    uint64_t deadline = vnrs_clock_ms() + (run->timeout_ms ? run->timeout_ms : TIMEOUT_MS);
    size_t max = run->output_max ? run->output_max : OUTPUT_MAX_BYTES, at = 0;

    while (p->out[0] >= 0 || p->errors[0] >= 0) {
        uint64_t now = vnrs_clock_ms();
        struct pollfd polls[] = {{.fd = p->out[0], .events = POLLIN},
                                 {.fd = p->errors[0], .events = POLLIN},
                                 {.fd = p->in[1], .events = POLLOUT}};
        if (now >= deadline)
            return -ETIMEDOUT;
        if (poll(polls, ARRAY_SIZE(polls), (int)(deadline - now)) < 0 && errno != EINTR)
            return -errno;
        if (polls[0].revents)
            take_output(&p->out[0], out, max);
        if (polls[1].revents)
            take_output(&p->errors[0], errors, max);
        if (polls[2].revents)
            give_input(&p->in[1], run->input ? run->input : "", &at);
    }
    return 0;
}

static int reap(pid_t pid, bool kill_it)
{
    int status;

    if (kill_it)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int vnrs_exec_run(const struct vnrs_exec_run *run, char **ret_out, char **ret_errors)
{
    struct vnrs_strbuf out = {0}, errors = {0};
    struct pipes p;
    int err = pipes_open(&p, run->input != NULL);

    if (err < 0)
        return err;
    struct vnrs_exec_spawn spawn = {
        .path = run->argv[0], .argv = run->argv, .ns_fd = run->ns_fd, .log_fd = -1, .setup = pipes_in_child, .arg = &p};
    // A program that does not read its input must not kill us.
    void (*old)(int) = signal(SIGPIPE, SIG_IGN);
    pid_t pid = vnrs_exec_spawn(&spawn, 3);
    close_end(&p.in[0]);
    close_end(&p.out[1]);
    close_end(&p.errors[1]);
    if (pid < 0) {
        err = pid;
    } else {
        err = pump(run, &p, &out, &errors);
        int status = reap(pid, err < 0);
        err = err < 0 ? err : status;
    }
    (void)signal(SIGPIPE, old);
    pipes_close(&p);
    vnrs_strbuf_add(&out, "", 0);
    vnrs_strbuf_add(&errors, "", 0);
    if (err >= 0 && (out.failed || errors.failed))
        err = -ENOMEM;
    if (err >= 0 && ret_out)
        *ret_out = vnrs_strbuf_take(&out);
    if (err >= 0 && ret_errors)
        *ret_errors = vnrs_strbuf_take(&errors);
    vnrs_strbuf_fini(&out);
    vnrs_strbuf_fini(&errors);
    return err;
}
