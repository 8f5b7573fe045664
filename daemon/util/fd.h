// SPDX-License-Identifier: GPL-2.0-or-later
// Descriptors: messages with descriptors attached over SOCK_SEQPACKET pairs, whole files, monotonic time.
#pragma once

#include "util/macros.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define VNRS_MSG_FDS_MAX 4

// Send one message of several parts. Returns 0, -EAGAIN when the queue is full, or another negative errno.
int vnrs_msg_send(int fd, const struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds) VNRS_MUST_CHECK;
// Receive one message. Returns its length (0: the other side is gone), -EAGAIN, -EMSGSIZE for one that does not fit, or
// another negative errno. Descriptors (close-on-exec) are the caller's; *n_fds is how many there is room for, then how
// many came. Descriptors that do not fit are closed.
ssize_t vnrs_msg_recv(int fd, void *buf, size_t size, int *fds, size_t *n_fds) VNRS_MUST_CHECK;

// The whole file, NUL-terminated; at most `max` bytes, else -EFBIG. Returns 0 or a negative errno.
int vnrs_file_load(const char *path, size_t max, char **ret_text, size_t *ret_len) VNRS_MUST_CHECK;
// Write to a temporary file beside `path`, flush, rename over it. Returns 0 or a negative errno.
int vnrs_file_store(const char *path, const void *bytes, size_t len, mode_t mode) VNRS_MUST_CHECK;
// Open the file (made if it is not there) and lock it for this process alone: the lock goes with the process, however
// it ends, whatever children it has just forked. Returns the descriptor, -EAGAIN when another process has the lock, or
// another negative errno. Closing any descriptor of the file gives the lock back (fcntl(2)).
int vnrs_file_lock(const char *path) VNRS_MUST_CHECK;

int vnrs_fd_set_nonblock(int fd, bool on) VNRS_MUST_CHECK;

// CLOCK_MONOTONIC in milliseconds, in microseconds.
uint64_t vnrs_clock_ms(void);
uint64_t vnrs_clock_us(void);
