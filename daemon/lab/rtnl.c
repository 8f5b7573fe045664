// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/rtnl.h"

#include "lab/netns.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RECV_BYTES    65536
#define DUMP_ATTEMPTS 4

static int bind_own(int fd)
{
    static uint32_t next;

    for (uint32_t tries = 0; tries <= ~VNRS_RTNL_PORTID_MASK; tries++) {
        uint32_t number = VNRS_RTNL_PORTID_FIRST | (next++ & ~VNRS_RTNL_PORTID_MASK);
        struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_pid = number};
        if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
            return 0;
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}

// A connected socket takes no messages but the kernel's: a daemon that may administer its machine's network could
// otherwise answer in its place.
static int connect_kernel(int fd)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ? -errno : 0;
}

int vnrs_rtnl_socket(int ns_fd)
{
    int on = 1;
    _close_ int fd = vnrs_netns_socket(ns_fd, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
        return -errno;
    int err = bind_own(fd);
    if (err == 0)
        err = connect_kernel(fd);
    return err < 0 ? err : TAKE_FD(fd);
}

int vnrs_rtnl_open(int ns_fd, struct vnrs_rtnl *nl)
{
    int fd = vnrs_rtnl_socket(ns_fd);

    if (fd < 0)
        return fd;
    *nl = (struct vnrs_rtnl){.fd = fd};
    return 0;
}

void vnrs_rtnl_close(struct vnrs_rtnl *nl)
{
    if (nl->fd >= 0)
        (void)close(nl->fd);
    nl->fd = -1;
}

struct nlmsghdr *vnrs_rtnl_begin(void *buf, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);

    msg->nlmsg_type = type;
    msg->nlmsg_flags = NLM_F_REQUEST | flags | ((flags & NLM_F_DUMP) == NLM_F_DUMP ? 0 : NLM_F_ACK);
    return msg;
}

static void keep_refusal(struct vnrs_rtnl *nl, const struct nlmsghdr *msg)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(msg);
    size_t skip = sizeof(*e);

    if (!(msg->nlmsg_flags & NLM_F_ACK_TLVS))
        return;
    if (!(msg->nlmsg_flags & NLM_F_CAPPED))
        skip += e->msg.nlmsg_len - sizeof(struct nlmsghdr);
    if (skip > mnl_nlmsg_get_payload_len(msg))
        return;
    struct nlattr *attr;
    mnl_attr_for_each(attr, msg, skip)
    {
        if (mnl_attr_get_type(attr) != NLMSGERR_ATTR_MSG)
            continue;
        size_t len = MIN((size_t)mnl_attr_get_payload_len(attr), sizeof(nl->refusal) - 1);
        memcpy(nl->refusal, mnl_attr_get_payload(attr), len);
        nl->refusal[len] = '\0';
    }
}

// 1: the conversation is over, 0: go on, or a negative errno.
static int take_one(struct vnrs_rtnl *nl, const struct nlmsghdr *msg, bool *changed,
                    int (*cb)(const struct nlmsghdr *, void *), void *arg)
{
    if (msg->nlmsg_seq != nl->seq)
        return 0; // of a conversation that was given up
    if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
        *changed = true;
    if (msg->nlmsg_type == NLMSG_ERROR) {
        if (mnl_nlmsg_get_payload_len(msg) < sizeof(struct nlmsgerr))
            return -EBADMSG;
        keep_refusal(nl, msg);
        int error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(msg))->error;
        return error ? error : 1;
    }
    if (msg->nlmsg_type == NLMSG_DONE) {
        if (mnl_nlmsg_get_payload_len(msg) < sizeof(int))
            return 1;
        int error = *(const int *)mnl_nlmsg_get_payload(msg);
        return error < 0 ? error : 1;
    }
    return cb && msg->nlmsg_type >= NLMSG_MIN_TYPE ? MIN(cb(msg, arg), 0) : 0;
}

static int read_answer(struct vnrs_rtnl *nl, bool *changed, int (*cb)(const struct nlmsghdr *, void *), void *arg)
{
    static char buf[RECV_BYTES] __attribute__((aligned(8)));

    for (;;) {
        ssize_t got = recv(nl->fd, buf, sizeof(buf), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        int len = (int)got;
        for (const struct nlmsghdr *msg = (const struct nlmsghdr *)buf; mnl_nlmsg_ok(msg, len);
             msg = mnl_nlmsg_next(msg, &len)) {
            int done = take_one(nl, msg, changed, cb, arg);
            if (done)
                return MIN(done, 0);
        }
    }
}

int vnrs_rtnl_talk(struct vnrs_rtnl *nl, struct nlmsghdr *msg, int (*cb)(const struct nlmsghdr *msg, void *arg),
                   void *arg)
{
    for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        bool changed = false;
        msg->nlmsg_seq = ++nl->seq;
        nl->refusal[0] = '\0';
        if (send(nl->fd, msg, msg->nlmsg_len, 0) < 0)
            return -errno;
        int err = read_answer(nl, &changed, cb, arg);
        if (err < 0 || !changed)
            return err;
    }
    return -EINTR;
}

int vnrs_rtnl_err(const struct vnrs_rtnl *nl, struct vnrs_err *err, int code, const char *what)
{
    if (nl->refusal[0])
        return vnrs_err_set(err, code, "%s: %s", what, nl->refusal);
    return vnrs_err_errno(err, code, "%s", what);
}
