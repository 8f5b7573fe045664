// SPDX-License-Identifier: GPL-2.0-or-later
// A daemon that takes one request, says what it was, and gives one answer; and what a verb prints meanwhile.
#pragma once

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

struct text {
    const char *bytes;
    size_t len;
};
#define TEXT(literal)                                                                                                  \
    (struct text)                                                                                                      \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

struct one_answer {
    char dir[32], socket[64], file[64]; // `file`: a name in the directory, for what a verb writes
    pid_t pid;
    int request_fd;
    // Who has sent the answer waits until the file has so many bytes, and interrupts its parent then; 0: it ends.
    off_t interrupt_at;
};

static inline void one_answer_init(struct one_answer *daemon)
{
    *daemon = (struct one_answer){.dir = "/tmp/vnrs-cli-test-XXXXXX"};
    assert_non_null(mkdtemp(daemon->dir));
    (void)snprintf(daemon->socket, sizeof(daemon->socket), "%s/sock", daemon->dir);
    (void)snprintf(daemon->file, sizeof(daemon->file), "%s/file", daemon->dir);
}

static inline void one_answer_fini(const struct one_answer *daemon)
{
    (void)unlink(daemon->file);
    assert_int_equal(rmdir(daemon->dir), 0);
}

// Head and body: as many bytes as the head says.
static inline bool one_answer_is_whole(const char *request, size_t len)
{
    const char *end = memmem(request, len, "\r\n\r\n", 4), *length = strcasestr(request, "\r\ncontent-length:");
    size_t body = length ? strtoul(length + 17, NULL, 10) : 0;

    return end && len >= (size_t)(end + 4 - request) + body;
}

static inline void one_answer_interrupt(const struct one_answer *daemon, int fd)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    struct stat st;
    char byte;

    for (int i = 0; i < 2000 && (stat(daemon->file, &st) < 0 || st.st_size < daemon->interrupt_at); i++)
        (void)nanosleep(&pause, NULL);
    (void)kill(getppid(), SIGINT);
    (void)!read(fd, &byte, 1); // until it is closed
}

static inline void one_answer_serve(const struct one_answer *daemon, int listener, int request_fd, struct text answer)
{
    char request[4096] = "";
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    while (len < sizeof(request) - 1 && !one_answer_is_whole(request, len)) {
        ssize_t got = read(fd, request + len, sizeof(request) - 1 - len);
        if (got <= 0)
            _exit(2);
        len += (size_t)got;
        request[len] = '\0';
    }
    (void)!write(request_fd, request, len);
    (void)close(request_fd);
    (void)!send(fd, answer.bytes, answer.len, MSG_NOSIGNAL); // who has read enough may be gone
    if (daemon->interrupt_at)
        one_answer_interrupt(daemon, fd);
    _exit(0);
}

static inline void one_answer_start(struct one_answer *daemon, struct text answer)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pipe_fds[2];

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", daemon->socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    daemon->pid = fork();
    if (daemon->pid == 0)
        one_answer_serve(daemon, fd, pipe_fds[1], answer);
    daemon->request_fd = pipe_fds[0];
    (void)close(pipe_fds[1]);
    (void)close(fd);
}

// The request that came, as text; none did: "".
static inline void one_answer_end(struct one_answer *daemon, char request[static 4096])
{
    size_t len = 0;
    ssize_t got;
    int status;

    // It may still wait for somebody to call: nobody will.
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", daemon->socket);
    (void)!connect(fd, (struct sockaddr *)&addr, sizeof(addr));
    (void)close(fd);
    while ((got = read(daemon->request_fd, request + len, 4095 - len)) > 0)
        len += (size_t)got;
    request[len] = '\0';
    (void)close(daemon->request_fd);
    assert_int_equal(waitpid(daemon->pid, &status, 0), daemon->pid);
    (void)unlink(daemon->socket);
}

// ---- what is printed

struct printed {
    int fd, own; // 1 or 2, and where that led
    FILE *file;
};

static inline void printed_begin(struct printed *printed, int fd)
{
    (void)fflush(NULL);
    printed->fd = fd;
    printed->own = dup(fd);
    printed->file = tmpfile();
    assert_non_null(printed->file);
    assert_int_equal(dup2(fileno(printed->file), fd), fd);
}

static inline void printed_end(struct printed *printed, char text[static 4096])
{
    (void)fflush(NULL);
    assert_int_equal(dup2(printed->own, printed->fd), printed->fd);
    (void)close(printed->own);
    rewind(printed->file);
    text[fread(text, 1, 4095, printed->file)] = '\0';
    (void)fclose(printed->file);
}
