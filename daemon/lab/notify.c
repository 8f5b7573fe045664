// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/notify.h"

#include "lab/netns.h"
#include "util/fd.h"
#include "vnrs/rtprot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/net_namespace.h>
#include <linux/netconf.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_BYTES (4 << 20)
#define BUFFER_BYTES  65536
#define NUMBERS       131072 // that we give; the kernel gives more

// Only what another hand did, and what carries no number of who did it: every change of a link and of settings, and the
// removal of an IPv6 address. What else the kernel does on its own follows from what happened to a link. A burst of our
// own writes must not drown the rest. Routes that a daemon of a machine writes are not for us either, and there may be
// very many: with own_routes only those with our protocol pass, and what took the place of another route. Settings of
// single links, that every new link tells of, pass where they are ours (a negative number means all links, or those to
// come).
static int filter(int fd, const struct vnrs_notify_groups *groups)
{
    enum { FIRST_ATTR = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct netconfmsg)) + NLA_HDRLEN };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 19, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 18, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELADDR), 0, 2),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct ifaddrmsg, ifa_family)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 15, 3),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNETCONF), 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIRST_ATTR),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, htonl(0x80000000u), 12, groups->neighbours ? 12 : 13),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 11, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, htonl(VNRS_RTNL_PORTID_MASK)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(VNRS_RTNL_PORTID_FIRST), 9, 0),
        BPF_STMT(BPF_JMP | BPF_JA, groups->own_routes ? 0 : 7),
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

static int join_group(int fd, int group)
{
    return setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ? -errno : 0;
}

static void set_buffer(int fd)
{
    int size = RECEIVE_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); // without CAP_NET_ADMIN in the host
}

static int join(int fd, const struct vnrs_notify_groups *groups)
{
    static const struct {
        int group;
        bool links, own_routes, routes, neighbours;
    } known[] = {
        {RTNLGRP_LINK, .links = true},
        {RTNLGRP_IPV4_IFADDR, .links = true},
        {RTNLGRP_IPV6_IFADDR, .links = true},
        {RTNLGRP_TC, .links = true},
        {RTNLGRP_IPV4_NETCONF, .links = true},
        {RTNLGRP_IPV6_NETCONF, .links = true},
        {RTNLGRP_IPV4_ROUTE, .own_routes = true, .routes = true},
        {RTNLGRP_IPV6_ROUTE, .own_routes = true, .routes = true},
        {RTNLGRP_NEXTHOP, .routes = true},
        {RTNLGRP_IPV4_RULE, .routes = true},
        {RTNLGRP_IPV6_RULE, .routes = true},
        {RTNLGRP_NEIGH, .neighbours = true},
    };

    set_buffer(fd);
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!(groups->links && known[i].links) && !(groups->own_routes && known[i].own_routes) &&
            !(groups->routes && known[i].routes) && !(groups->neighbours && known[i].neighbours))
            continue;
        int err = join_group(fd, known[i].group);
        if (err < 0)
            return err;
    }
    return 0;
}

int vnrs_notify_open(int ns_fd, const struct vnrs_notify_groups *groups)
{
    _close_ int fd = vnrs_rtnl_socket(ns_fd);
    int err = fd < 0 ? fd : filter(fd, groups);

    if (err == 0)
        err = join(fd, groups);
    return err < 0 ? err : TAKE_FD(fd);
}

int vnrs_notify_open_nft(int ns_fd)
{
    // Bound to a number of the kernel's choice: the kernel leaves out who has the number 0.
    const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    _close_ int fd = vnrs_netns_socket(ns_fd, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

    if (fd < 0)
        return fd;
    set_buffer(fd);
    int err = bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 ? -errno : join_group(fd, NFNLGRP_NFTABLES);
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

// For every notification of any namespace the kernel searches the numbers upwards for the one that it is about. Most
// are about a namespace that was just made: numbers are given downwards. -1: the kernel's choice.
static int next_number(bool first)
{
    static int low, high = NUMBERS;

    if (low == high)
        return -1;
    return first ? low++ : --high;
}

int vnrs_notify_number(struct vnrs_rtnl *nl, int ns_fd, bool first)
{
    char buf[VNRS_RTNL_MSG_MAX] __attribute__((aligned(8)));
    struct nlmsghdr *msg = number_message(buf, RTM_NEWNSID, ns_fd);
    int wanted = next_number(first), number = -1;

    mnl_attr_put_u32(msg, NETNSA_NSID, (uint32_t)wanted);
    int err = vnrs_rtnl_talk(nl, msg, NULL, NULL);
    if (err == 0 && wanted >= 0)
        return wanted;
    if (err < 0 && err != -EEXIST) // it has one already
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
