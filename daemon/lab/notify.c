// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/notify.h"

#include "lab/netns.h"
#include "util/fd.h"
#include "vnrs/rtprot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/net_namespace.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_BYTES (4 << 20)
#define BUFFER_BYTES  65536

// Only what another hand did, and every change of a link, which carries no number of who made it (nor does what the
// kernel does on its own, which follows from what happened to a link). A burst of our own writes must not drown the
// rest. Routes that a daemon of a machine writes are not for us either, and there may be very many: with `own_routes`
// only those with our protocol pass, and what took the place of another route.
static int filter(int fd, bool own_routes)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 13, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 12, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 11, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, htonl(VNRS_RTNL_PORTID_MASK)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(VNRS_RTNL_PORTID_FIRST), 9, 0),
        BPF_STMT(BPF_JMP | BPF_JA, own_routes ? 0 : 7),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 0, 4),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_flags)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htons(NLM_F_REPLACE), 2, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, sizeof(struct nlmsghdr) + offsetof(struct rtmsg, rtm_protocol)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VNRS_RTPROT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffffu),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int join(int fd, const struct vnrs_notify_groups *groups)
{
    static const struct {
        int group;
        bool links, own_routes, routes;
    } known[] = {
        {RTNLGRP_LINK, true, false, false},        {RTNLGRP_IPV4_IFADDR, true, false, false},
        {RTNLGRP_IPV6_IFADDR, true, false, false}, {RTNLGRP_IPV4_ROUTE, false, true, true},
        {RTNLGRP_IPV6_ROUTE, false, true, true},   {RTNLGRP_NEXTHOP, false, false, true},
        {RTNLGRP_IPV4_RULE, false, false, true},   {RTNLGRP_IPV6_RULE, false, false, true},
    };
    int size = RECEIVE_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); // without CAP_NET_ADMIN in the host
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!(groups->links && known[i].links) && !(groups->own_routes && known[i].own_routes) &&
            !(groups->routes && known[i].routes))
            continue;
        int group = known[i].group;
        if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
            return -errno;
    }
    return 0;
}

int vnrs_notify_open(int ns_fd, const struct vnrs_notify_groups *groups)
{
    _close_ int fd = vnrs_rtnl_socket(ns_fd);
    int err = fd < 0 ? fd : filter(fd, groups->own_routes);

    if (err == 0)
        err = join(fd, groups);
    return err < 0 ? err : TAKE_FD(fd);
}

int vnrs_notify_open_all(struct vnrs_rtnl *ret_nl)
{
    static const struct vnrs_notify_groups all = {.links = true, .routes = true, .own_routes = true};
    _close_ int ns_fd = -1;
    int on = 1, err = vnrs_netns_new(&ns_fd);

    if (err < 0)
        return err;
    _close_ int fd = vnrs_notify_open(ns_fd, &all);
    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0)
        return -errno;
    err = vnrs_rtnl_open(ns_fd, ret_nl);
    return err < 0 ? err : TAKE_FD(fd);
}

static int take_number(const struct nlmsghdr *msg, void *arg)
{
    struct nlattr *attr;

    if (msg->nlmsg_type != RTM_NEWNSID)
        return 0;
    mnl_attr_for_each(attr, msg, sizeof(struct rtgenmsg))
    {
        if (mnl_attr_get_type(attr) == NETNSA_NSID)
            *(int *)arg = (int)mnl_attr_get_u32(attr);
    }
    return 0;
}

static struct nlmsghdr *number_message(void *buf, uint16_t type, int ns_fd)
{
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, 0);
    struct rtgenmsg *gen = mnl_nlmsg_put_extra_header(msg, sizeof(*gen));

    gen->rtgen_family = AF_UNSPEC;
    mnl_attr_put_u32(msg, NETNSA_FD, (uint32_t)ns_fd);
    return msg;
}

int vnrs_notify_number(struct vnrs_rtnl *nl, int ns_fd)
{
    char buf[VNRS_RTNL_MSG_MAX] __attribute__((aligned(8)));
    struct nlmsghdr *msg = number_message(buf, RTM_NEWNSID, ns_fd);
    int number = -1;

    mnl_attr_put_u32(msg, NETNSA_NSID, (uint32_t)-1); // the kernel's choice
    int err = vnrs_rtnl_talk(nl, msg, NULL, NULL);
    if (err < 0 && err != -EEXIST)
        return err;
    err = vnrs_rtnl_talk(nl, number_message(buf, RTM_GETNSID, ns_fd), take_number, &number);
    if (err < 0)
        return err;
    return number < 0 ? -ENOENT : number;
}

static int number_of(struct msghdr *datagram)
{
    int number = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(datagram); c; c = CMSG_NXTHDR(datagram, c))
        if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
            c->cmsg_len >= CMSG_LEN(sizeof(number)))
            memcpy(&number, CMSG_DATA(c), sizeof(number));
    return number;
}

int vnrs_notify_read(int fd, vnrs_notify_fn fn, void *arg)
{
    static char buf[BUFFER_BYTES] __attribute__((aligned(8)));
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct sockaddr_nl from = {0};
    struct iovec part = {buf, sizeof(buf)};
    struct msghdr datagram = {.msg_name = &from,
                              .msg_namelen = sizeof(from),
                              .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(fd, &datagram, MSG_DONTWAIT);

    if (got < 0 && errno == ENOBUFS)
        return -ENOBUFS;
    if (got <= 0)
        return got < 0 && errno == EINTR;
    if (from.nl_pid != 0)
        return 1; // not of the kernel
    int len = (int)got, number = number_of(&datagram);
    for (const struct nlmsghdr *msg = (const struct nlmsghdr *)buf; mnl_nlmsg_ok(msg, len);
         msg = mnl_nlmsg_next(msg, &len))
        fn(msg, number, arg);
    return 1;
}
