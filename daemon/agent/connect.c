// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/connect.h"

#include "lab/netns.h"
#include "util/fd.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static socklen_t make_sockaddr(const struct vnrs_addr *addr, uint16_t port, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (addr->family == VNRS_AF_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, addr->bytes, sizeof(in6->sin6_addr));
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, addr->bytes, sizeof(in->sin_addr));
    return sizeof(*in);
}

// Bound and connecting; 0 or a negative errno.
static int begin(int fd, const struct vnrs_ag_connect *want)
{
    struct sockaddr_storage addr;
    socklen_t len = make_sockaddr(&want->from, 0, &addr);

    if (bind(fd, (const struct sockaddr *)&addr, len) < 0)
        return -errno;
    len = make_sockaddr(&want->to, want->port, &addr);
    if (connect(fd, (const struct sockaddr *)&addr, len) < 0 && errno != EINPROGRESS)
        return -errno;
    return 0;
}

int vnrs_agentd_connect(const struct vnrs_ag_connect *want, int *ret_fd, struct vnrs_err *err)
{
    struct vnrs_ag_netns ns = {.kind = VNRS_AG_NETNS_OURS};
    _close_ int ns_fd = -1, fd = -1;

    static_assert(sizeof(ns.name) > sizeof(want->netns), "room");
    memcpy(ns.name, want->netns, sizeof(want->netns));
    int code = vnrs_netns_resolve(want->lab, &ns, &ns_fd, err);
    if (code < 0)
        return code;
    fd = vnrs_netns_socket(ns_fd, want->from.family == VNRS_AF_IPV6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK,
                           IPPROTO_TCP);
    code = fd < 0 ? fd : begin(fd, want);
    if (code < 0)
        return vnrs_err_set(err, code, "connection from '%s': %s", want->netns, strerror(-code));
    *ret_fd = TAKE_FD(fd);
    return 0;
}
