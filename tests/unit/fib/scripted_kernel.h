// SPDX-License-Identifier: GPL-2.0-or-later
// The other end of a netlink socket, played by a test: it is handed every datagram as it is sent, and says its answers
// before the sender goes on, as rtnetlink does. Linked with --wrap (tests/CMakeLists.txt).
#pragma once

#include "fib/netlink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct {
    int fd, own; // what the code under test has, and where answers go in
    void (*hear)(const struct nlmsghdr *msg, bool last);
    unsigned datagrams;
} kernel = {.fd = -1};

ssize_t __real_sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to, socklen_t to_len);
ssize_t __wrap_sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to, socklen_t to_len);
int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

ssize_t __wrap_sendto(int fd, const void *bytes, size_t len, int flags, const struct sockaddr *to, socklen_t to_len)
{
    int left = (int)len;

    if (fd != kernel.fd)
        return __real_sendto(fd, bytes, len, flags, to, to_len);
    kernel.datagrams++;
    for (const struct nlmsghdr *msg = bytes; mnl_nlmsg_ok(msg, left);) {
        const struct nlmsghdr *at = msg;
        msg = mnl_nlmsg_next(msg, &left);
        kernel.hear(at, !mnl_nlmsg_ok(msg, left));
    }
    return (ssize_t)len;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return fd == kernel.fd ? 0 : __real_setsockopt(fd, level, name, value, len);
}

static void kernel_open(void (*hear)(const struct nlmsghdr *msg, bool last), struct vnrs_nl **ret_nl)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    kernel.fd = pair[0];
    kernel.own = pair[1];
    kernel.hear = hear;
    kernel.datagrams = 0;
    assert_int_equal(vnrs_nl_new(pair[0], ret_nl), 0);
}

static void kernel_close(struct vnrs_nl *nl)
{
    vnrs_nl_free(nl);
    (void)close(kernel.own);
    kernel.fd = -1;
}

static void kernel_say(const struct nlmsghdr *msg)
{
    assert_int_equal(send(kernel.own, msg, msg->nlmsg_len, 0), msg->nlmsg_len);
}

// The answer to `msg`: 0, or a negative errno. `text`: in the kernel's own words, NULL: none. `whole`: what was sent
// comes back in it (no NETLINK_CAP_ACK).
static void kernel_answer(const struct nlmsghdr *msg, int error, const char *text, bool whole)
{
    _Alignas(NLMSG_ALIGNTO) char bytes[1024] = {0};
    struct nlmsghdr *head = mnl_nlmsg_put_header(bytes);
    struct nlmsgerr *answer = mnl_nlmsg_put_extra_header(head, sizeof(*answer));

    head->nlmsg_type = NLMSG_ERROR;
    head->nlmsg_seq = msg->nlmsg_seq;
    head->nlmsg_flags = (uint16_t)((whole ? 0 : NLM_F_CAPPED) | (text ? NLM_F_ACK_TLVS : 0));
    answer->error = error;
    answer->msg = *msg;
    if (whole) {
        size_t rest = msg->nlmsg_len - sizeof(*msg);
        memcpy(mnl_nlmsg_put_extra_header(head, rest), msg + 1, rest);
    }
    if (text)
        mnl_attr_put_strz(head, NLMSGERR_ATTR_MSG, text);
    kernel_say(head);
}
