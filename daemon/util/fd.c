// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

int vnrs_msg_send(int fd, const struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * VNRS_MSG_FDS_MAX)];
    } control = {0};
    struct msghdr msg = {.msg_iov = (struct iovec *)parts, .msg_iovlen = n_parts};

    if (n_fds > VNRS_MSG_FDS_MAX)
        return -EINVAL;
    if (n_fds) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

static void take_fds(const struct cmsghdr *c, int *fds, size_t room, size_t *n)
{
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int got;
        memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
        if (*n < room)
            fds[(*n)++] = got;
        else
            (void)close(got);
    }
}

ssize_t vnrs_msg_recv(int fd, void *buf, size_t size, int *fds, size_t *n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * VNRS_MSG_FDS_MAX)];
    } control;
    struct iovec part = {.iov_base = buf, .iov_len = size};
    struct msghdr msg = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    size_t room = n_fds ? *n_fds : 0, n = 0;
    ssize_t len;

    do
        len = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            take_fds(c, fds, room, &n);
    if (msg.msg_flags & MSG_TRUNC) {
        for (size_t i = 0; i < n; i++)
            (void)close(fds[i]);
        return -EMSGSIZE;
    }
    if (n_fds)
        *n_fds = n;
    return len;
}

int vnrs_file_load(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
    _close_ int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    _free_ char *text = NULL;
    size_t len = 0, cap = 0;

    if (fd < 0)
        return -errno;
    for (;;) {
        if (len + 1 >= cap) {
            cap = cap ? cap * 2 : 4096;
            char *grown = realloc(text, cap);
            if (!grown)
                return -ENOMEM;
            text = grown;
        }
        ssize_t got = read(fd, text + len, cap - len - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        len += (size_t)got;
        if (len > max)
            return -EFBIG;
    }
    text[len] = '\0';
    *ret_text = TAKE_PTR(text);
    if (ret_len)
        *ret_len = len;
    return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t put = write(fd, bytes, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

int vnrs_file_store(const char *path, const void *bytes, size_t len, mode_t mode)
{
    char temp[512];
    if ((size_t)snprintf(temp, sizeof(temp), "%s.new", path) >= sizeof(temp))
        return -ENAMETOOLONG;
    _close_ int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    int err = fchmod(fd, mode) < 0 ? -errno : write_all(fd, bytes, len);
    if (err == 0 && fsync(fd) < 0)
        err = -errno;
    if (err == 0 && rename(temp, path) < 0)
        err = -errno;
    if (err < 0)
        (void)unlink(temp);
    return err;
}

int vnrs_file_lock(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETLK, &whole) < 0) {
        int err = errno == EACCES ? EAGAIN : errno;
        (void)close(fd);
        return -err;
    }
    return fd;
}

int vnrs_fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

uint64_t vnrs_clock_us(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t vnrs_clock_ms(void)
{
    return vnrs_clock_us() / 1000u;
}
