// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bfd_socket.h"

#include "speaker/bfd_filter.h"
#include "speaker/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>

#define PORTS         (65536u - VNRS_BFD_SOURCE_PORT)
#define PORT_TRIES    64u
#define RECEIVE_BYTES (256 << 10)

static int option_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static uint16_t port_of(enum vnrs_bfd_hops hops)
{
    return hops == VNRS_BFD_SINGLE ? VNRS_BFD_PORT_SINGLE : VNRS_BFD_PORT_MULTI;
}

int vnrs_bfd_socket_admit(int fd, const struct vnrs_addr *peers, size_t n, enum vnrs_bfd_hops hops)
{
    _free_ struct sock_filter *code = calloc(VNRS_BFD_FILTER_FIXED + n * VNRS_BFD_FILTER_PEER, sizeof(*code));

    if (!code)
        return -ENOMEM;
    struct sock_fprog program = {.len = (unsigned short)vnrs_bfd_filter_build(peers, n, hops == VNRS_BFD_SINGLE, code),
                                 .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

int vnrs_bfd_socket_listen(int fd, const struct vnrs_addr *local, enum vnrs_bfd_hops hops)
{
    bool v6 = local->family == VNRS_AF_IPV6;
    struct sockaddr_storage ss;
    socklen_t len = vnrs_conn_sockaddr(local, port_of(hops), &ss);
    int err = vnrs_bfd_socket_admit(fd, NULL, 0, hops);

    if (err == 0)
        err = option_set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, 1);
    if (err == 0 && v6)
        err = option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    (void)option_set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BYTES);
    if (err == 0 && bind(fd, (struct sockaddr *)&ss, len) < 0)
        err = -errno;
    return err;
}

int vnrs_bfd_socket_source(int fd, const struct vnrs_addr *local, uint32_t random)
{
    bool v6 = local->family == VNRS_AF_IPV6;
    struct sockaddr_storage ss;
    int err = option_set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, VNRS_BFD_TTL);

    // Nothing is received here. What comes all the same shall take no memory.
    (void)option_set(fd, SOL_SOCKET, SO_RCVBUF, 0);
    (void)option_set(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, IPTOS_CLASS_CS6);
    for (unsigned i = 0; i < PORT_TRIES && err == 0; i++) {
        socklen_t len = vnrs_conn_sockaddr(local, (uint16_t)(VNRS_BFD_SOURCE_PORT + (random + i) % PORTS), &ss);
        if (bind(fd, (struct sockaddr *)&ss, len) == 0)
            return 0;
        if (errno != EADDRINUSE)
            err = -errno;
    }
    return err < 0 ? err : -EADDRINUSE;
}

static int ttl_of(struct msghdr *msg)
{
    int ttl = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
        if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
            (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT))
            memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
    return ttl;
}

int vnrs_bfd_socket_recv(int fd, struct vnrs_bfd_datagram *ret_datagram)
{
    struct sockaddr_storage ss = {0};
    struct iovec part = {ret_datagram->bytes, sizeof(ret_datagram->bytes)};
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(sizeof(int)) * 4];
    } control;
    struct msghdr msg = {.msg_name = &ss,
                         .msg_namelen = sizeof(ss),
                         .msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT);

    if (len < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    ret_datagram->from = vnrs_conn_addr(&ss);
    ret_datagram->ttl = ttl_of(&msg);
    ret_datagram->len = (size_t)len;
    return 1;
}

int vnrs_bfd_socket_send(int fd, const struct vnrs_addr *peer, enum vnrs_bfd_hops hops, const uint8_t *bytes,
                         size_t len)
{
    struct sockaddr_storage ss;
    socklen_t ss_len = vnrs_conn_sockaddr(peer, port_of(hops), &ss);

    return sendto(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, ss_len) < 0 ? -errno : 0;
}
