// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/nflog.h"

#include "lab/netns.h"
#include "util/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_BYTES (2 << 20) // of the socket
#define FLUSH_CS     5         // a datagram that is not full is sent after so many hundredths of a second
#define FLUSH_AT     32        // packets; or with so many

struct vnrs_nflog {
    int fd;
    uint32_t next_seq;
    uint64_t lost;
};

// ---- one packet

static uint32_t u32_of(const struct nlattr *attr)
{
    return mnl_attr_get_payload_len(attr) >= sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

// What the header says; the kernel tells only how much of the packet it handed over.
static uint32_t ip_length(const struct vnrs_nflog_packet *packet)
{
    struct ip6_hdr v6;
    struct iphdr v4;

    if (packet->protocol_be == htons(ETH_P_IP) && packet->n >= sizeof(v4)) {
        memcpy(&v4, packet->bytes, sizeof(v4));
        return ntohs(v4.tot_len);
    }
    if (packet->protocol_be == htons(ETH_P_IPV6) && packet->n >= sizeof(v6)) {
        memcpy(&v6, packet->bytes, sizeof(v6));
        return (uint32_t)sizeof(v6) + ntohs(v6.ip6_plen);
    }
    return packet->n;
}

static void take_attr(const struct nlattr *attr, struct vnrs_nflog_packet *packet)
{
    switch (mnl_attr_get_type(attr)) {
    case NFULA_PACKET_HDR:
        if (mnl_attr_get_payload_len(attr) >= sizeof(struct nfulnl_msg_packet_hdr))
            packet->protocol_be = ((const struct nfulnl_msg_packet_hdr *)mnl_attr_get_payload(attr))->hw_protocol;
        break;
    case NFULA_MARK:
        packet->mark = u32_of(attr);
        break;
    case NFULA_IFINDEX_INDEV:
        packet->in = u32_of(attr);
        break;
    case NFULA_IFINDEX_OUTDEV:
        packet->out = u32_of(attr);
        break;
    case NFULA_SEQ:
        packet->seq = u32_of(attr);
        break;
    case NFULA_PAYLOAD:
        packet->bytes = mnl_attr_get_payload(attr);
        packet->n = MIN(mnl_attr_get_payload_len(attr), (uint32_t)VNRS_NFLOG_BYTES);
        break;
    default:
        break;
    }
}

bool vnrs_nflog_decode(const struct nlmsghdr *msg, struct vnrs_nflog_packet *ret_packet)
{
    struct vnrs_nflog_packet packet = {0};
    struct nlattr *attr;

    if (msg->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
        mnl_nlmsg_get_payload_len(msg) < sizeof(struct nfgenmsg))
        return false;
    mnl_attr_for_each(attr, msg, sizeof(struct nfgenmsg)) take_attr(attr, &packet);
    if (!packet.bytes)
        return false;
    packet.len = MAX(ip_length(&packet), packet.n);
    *ret_packet = packet;
    return true;
}

// ---- the socket

static struct nlmsghdr *begin(void *buf, uint16_t group)
{
    struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);

    msg->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
    msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct nfgenmsg *head = mnl_nlmsg_put_extra_header(msg, sizeof(*head));
    head->nfgen_family = AF_UNSPEC;
    head->version = NFNETLINK_V0;
    head->res_id = htons(group);
    return msg;
}

// No rule hands packets over yet, so that nothing but the answer comes.
static int talk(int fd, const struct nlmsghdr *msg)
{
    char answer[256] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *head = (const struct nlmsghdr *)answer;

    if (send(fd, msg, msg->nlmsg_len, 0) < 0)
        return -errno;
    ssize_t n = recv(fd, answer, sizeof(answer), 0);
    if (n < 0)
        return -errno;
    if (!mnl_nlmsg_ok(head, (int)n) || head->nlmsg_type != NLMSG_ERROR ||
        mnl_nlmsg_get_payload_len(head) < sizeof(struct nlmsgerr))
        return -EBADMSG;
    return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error;
}

static int bind_group(int fd, uint16_t group)
{
    const struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
    char buf[256];
    struct nlmsghdr *msg = begin(buf, group);

    mnl_attr_put(msg, NFULA_CFG_CMD, sizeof(cmd), &cmd);
    return talk(fd, msg);
}

static int set_mode(int fd, uint16_t group)
{
    const struct nfulnl_msg_config_mode mode = {.copy_mode = NFULNL_COPY_PACKET, .copy_range = htonl(VNRS_NFLOG_BYTES)};
    char buf[256];
    struct nlmsghdr *msg = begin(buf, group);

    mnl_attr_put(msg, NFULA_CFG_MODE, sizeof(mode), &mode);
    mnl_attr_put_u32(msg, NFULA_CFG_NLBUFSIZ, htonl(VNRS_NFLOG_DATAGRAM));
    mnl_attr_put_u32(msg, NFULA_CFG_TIMEOUT, htonl(FLUSH_CS));
    mnl_attr_put_u32(msg, NFULA_CFG_QTHRESH, htonl(FLUSH_AT));
    mnl_attr_put_u16(msg, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    return talk(fd, msg);
}

// The kernel alone can send to a socket that is connected to it. What finds no room shows in the numbers of packets.
static int open_socket(int ns_fd, uint16_t group, int *ret_fd)
{
    static const int on = 1, buffer = BUFFER_BYTES;
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    _close_ int fd = vnrs_netns_socket(ns_fd, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);

    if (fd < 0)
        return fd;
    if (connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
        return -errno;
    int err = bind_group(fd, group);
    if (err == 0)
        err = set_mode(fd, group);
    if (err == 0)
        *ret_fd = TAKE_FD(fd);
    return err;
}

int vnrs_nflog_open(int ns_fd, uint16_t group, struct vnrs_nflog **ret_log)
{
    struct vnrs_nflog *log = calloc(1, sizeof(*log));

    if (!log)
        return -ENOMEM;
    int err = open_socket(ns_fd, group, &log->fd);
    if (err < 0) {
        free(log);
        return err;
    }
    *ret_log = log;
    return 0;
}

struct vnrs_nflog *vnrs_nflog_close(struct vnrs_nflog *log)
{
    if (log)
        (void)close(log->fd);
    free(log);
    return NULL;
}

int vnrs_nflog_fd(const struct vnrs_nflog *log)
{
    return log->fd;
}

uint64_t vnrs_nflog_lost(const struct vnrs_nflog *log)
{
    return log->lost;
}

struct run {
    struct vnrs_nflog *log;
    unsigned done;
    bool more;
    vnrs_nflog_fn fn;
    void *arg;
};

static void take_datagram(const char *datagram, int n, struct run *run)
{
    const struct nlmsghdr *msg = (const struct nlmsghdr *)datagram;
    struct vnrs_nflog_packet packet;

    for (; mnl_nlmsg_ok(msg, n); msg = mnl_nlmsg_next(msg, &n)) {
        if (!vnrs_nflog_decode(msg, &packet))
            continue;
        run->log->lost += packet.seq - run->log->next_seq;
        run->log->next_seq = packet.seq + 1;
        run->done++;
        run->more &= run->fn(&packet, run->arg);
    }
}

unsigned vnrs_nflog_consume(struct vnrs_nflog *log, unsigned max, vnrs_nflog_fn fn, void *arg)
{
    char datagram[2 * VNRS_NFLOG_DATAGRAM] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct run run = {.log = log, .more = true, .fn = fn, .arg = arg};

    while (run.more && run.done < max) {
        ssize_t n = recv(log->fd, datagram, sizeof(datagram), MSG_DONTWAIT);
        if (n <= 0)
            break;
        take_datagram(datagram, (int)n, &run);
    }
    return run.done;
}
