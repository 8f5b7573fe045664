// SPDX-License-Identifier: GPL-2.0-or-later
#include "scale_links.h"

#include "util/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define BUFFER_SIZE 4096

void scale_must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "scale: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double read_clock(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double scale_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double scale_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int scale_namespace_own(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    scale_must(fd >= 0, "own namespace");
    return fd;
}

struct mnl_socket *scale_netlink(void)
{
    struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);

    scale_must(nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0, "netlink");
    return nl;
}

void scale_up(const char *ifname)
{
    struct ifreq req = {0};
    _close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
    scale_must(fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &req) == 0, ifname);
    req.ifr_flags |= IFF_UP;
    scale_must(ioctl(fd, SIOCSIFFLAGS, &req) == 0, ifname);
}

void scale_pair_make(struct mnl_socket *nl, const struct scale_pair *pair)
{
    char buf[BUFFER_SIZE];
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);

    msg->nlmsg_type = RTM_NEWLINK;
    msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
    info->ifi_index = (int)pair->index;
    info->ifi_flags = info->ifi_change = IFF_UP;
    mnl_attr_put_strz(msg, IFLA_IFNAME, pair->ifname);
    struct nlattr *linkinfo = mnl_attr_nest_start(msg, IFLA_LINKINFO);
    mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(msg, VETH_INFO_PEER);
    struct ifinfomsg *peer_info = mnl_nlmsg_put_extra_header(msg, sizeof(*peer_info));
    peer_info->ifi_index = (int)pair->peer_index;
    mnl_attr_put_strz(msg, IFLA_IFNAME, pair->peer);
    mnl_attr_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)pair->peer_ns);
    mnl_attr_nest_end(msg, peer);
    mnl_attr_nest_end(msg, data);
    mnl_attr_nest_end(msg, linkinfo);
    scale_must(mnl_socket_sendto(nl, msg, msg->nlmsg_len) > 0, "netlink");
    ssize_t got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
    scale_must(got > 0 && mnl_cb_run(buf, (size_t)got, 0, mnl_socket_get_portid(nl), NULL, NULL) >= 0, pair->ifname);
}
