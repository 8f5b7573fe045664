// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/tap.h"

#include "lab/netns.h"
#include "util/vec.h"
#include "vnrs/bpf_abi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (2 << 20) // of each socket: what waits there; the kernel counts its overhead as well
#define READY_MAX    64        // sockets in one turn

struct tap {
    uint32_t ifindex, bytes;
    int fd;
};

struct vnrs_taps {
    int ns_fd, epoll_fd;
    VEC(struct tap) list;
    uint64_t lost;
    unsigned turn; // who is first
    uint8_t bytes[VNRS_CAPTURE_BYTES_MAX];
};

struct run { // of frames, for one caller
    struct vnrs_taps *taps;
    int64_t ahead_ns; // what the wall clock is ahead of the monotonic one
    unsigned done, max;
    vnrs_tap_fn fn;
    void *arg;
};

int vnrs_taps_new(int ns_fd, struct vnrs_taps **ret_taps)
{
    struct vnrs_taps *taps = calloc(1, sizeof(*taps));

    if (!taps)
        return -ENOMEM;
    taps->ns_fd = ns_fd;
    taps->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (taps->epoll_fd < 0) {
        int err = -errno;
        free(taps);
        return err;
    }
    *ret_taps = taps;
    return 0;
}

struct vnrs_taps *vnrs_taps_free(struct vnrs_taps *taps)
{
    if (!taps)
        return NULL;
    vec_foreach (tap, &taps->list)
        (void)close(tap->fd);
    vec_free(&taps->list);
    (void)close(taps->epoll_fd);
    free(taps);
    return NULL;
}

int vnrs_taps_fd(const struct vnrs_taps *taps)
{
    return taps->epoll_fd;
}

static struct tap *find(const struct vnrs_taps *taps, uint32_t ifindex)
{
    vec_foreach (tap, &taps->list)
        if (tap->ifindex == ifindex)
            return tap;
    return NULL;
}

// A link that is not there is no failure: the socket waits for vnrs_taps_renew().
static int bind_to_link(int fd, uint32_t ifindex)
{
    const struct sockaddr_ll addr = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)ifindex};

    return bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && errno != ENODEV ? -errno : 0;
}

// The kernel keeps no more of a frame than is wanted, so that more of them find room.
static int cut_to(int fd, uint32_t bytes)
{
    struct sock_filter keep = BPF_STMT(BPF_RET | BPF_K, bytes);
    const struct sock_fprog program = {.len = 1, .filter = &keep};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

// Without a protocol it gets nothing before it is bound: no frame of another link.
static int open_socket(const struct vnrs_taps *taps, uint32_t ifindex, uint32_t bytes, int *ret_fd)
{
    static const int on = 1, buffer = BUFFER_BYTES;
    _close_ int fd = vnrs_netns_socket(taps->ns_fd, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = ifindex};

    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
        epoll_ctl(taps->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    int err = cut_to(fd, bytes);
    if (err == 0)
        err = bind_to_link(fd, ifindex);
    if (err == 0)
        *ret_fd = TAKE_FD(fd);
    return err;
}

int vnrs_taps_set(struct vnrs_taps *taps, uint32_t ifindex, uint32_t bytes)
{
    struct tap *known = find(taps, ifindex);
    struct tap tap = {.ifindex = ifindex, .bytes = MIN(bytes, (uint32_t)VNRS_CAPTURE_BYTES_MAX)};

    if (known && bytes) {
        known->bytes = tap.bytes;
        return cut_to(known->fd, tap.bytes);
    }
    if (known) {
        (void)close(known->fd);
        *known = taps->list.items[--taps->list.len];
        return 0;
    }
    int err = bytes ? open_socket(taps, ifindex, tap.bytes, &tap.fd) : 0;
    if (err < 0 || !bytes)
        return err;
    err = vec_push(&taps->list, tap);
    if (err < 0)
        (void)close(tap.fd);
    return MIN(err, 0);
}

int vnrs_taps_renew(struct vnrs_taps *taps, uint32_t ifindex)
{
    const struct tap *tap = find(taps, ifindex);
    struct sockaddr_ll addr = {0};
    socklen_t len = sizeof(addr);

    if (!tap)
        return 0;
    if (getsockname(tap->fd, (struct sockaddr *)&addr, &len) < 0)
        return -errno;
    return addr.sll_ifindex == (int)ifindex ? 0 : bind_to_link(tap->fd, ifindex);
}

// ---- frames

static uint64_t to_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static int64_t wall_ahead_ns(void)
{
    struct timespec wall, mono;

    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    return (int64_t)(to_ns(&wall) - to_ns(&mono));
}

static void read_control(struct msghdr *msg, const struct run *run, struct vnrs_tap_frame *frame)
{
    struct tpacket_auxdata aux;
    struct timespec time;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&time, CMSG_DATA(c), sizeof(time));
            frame->time_ns = (uint64_t)((int64_t)to_ns(&time) - run->ahead_ns);
        } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
            memcpy(&aux, CMSG_DATA(c), sizeof(aux));
            frame->len = aux.tp_len;
            if (aux.tp_status & TP_STATUS_VLAN_VALID) {
                frame->vlan_type_be = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q);
                frame->vlan_tag = aux.tp_vlan_tci;
            }
        }
    }
}

// False: none waits. The error of a link that went down is taken with the first attempt.
static bool receive(const struct tap *tap, const struct run *run, struct vnrs_tap_frame *ret_frame)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct sockaddr_ll from = {0};
    struct iovec to = {run->taps->bytes, tap->bytes};
    struct msghdr msg = {.msg_name = &from,
                         .msg_namelen = sizeof(from),
                         .msg_iov = &to,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(tap->fd, &msg, MSG_DONTWAIT);

    if (n < 0)
        return false;
    *ret_frame = (struct vnrs_tap_frame){.ifindex = tap->ifindex,
                                         .outgoing = from.sll_pkttype == PACKET_OUTGOING,
                                         .len = (uint32_t)n,
                                         .n = (uint32_t)n,
                                         .bytes = run->taps->bytes};
    read_control(&msg, run, ret_frame);
    return true;
}

// False: the run is over.
static bool read_one(const struct tap *tap, unsigned max, struct run *run)
{
    struct vnrs_tap_frame frame;

    for (unsigned i = 0; i < max && run->done < run->max && receive(tap, run, &frame); i++) {
        run->done++;
        if (!run->fn(&frame, run->arg))
            return false;
    }
    return run->done < run->max;
}

unsigned vnrs_taps_consume(struct vnrs_taps *taps, unsigned max, vnrs_tap_fn fn, void *arg)
{
    struct run run = {.taps = taps, .ahead_ns = wall_ahead_ns(), .max = max, .fn = fn, .arg = arg};
    struct epoll_event ready[READY_MAX];
    int n = epoll_wait(taps->epoll_fd, ready, READY_MAX, 0);
    unsigned first = taps->turn++;
    bool more = n > 0;

    for (unsigned i = 0; more && i < (unsigned)n; i++) {
        const struct tap *tap = find(taps, ready[(first + i) % (unsigned)n].data.u32);
        if (tap)
            more = read_one(tap, MAX(max / (unsigned)n, 1u), &run);
    }
    return run.done;
}

uint64_t vnrs_taps_lost(struct vnrs_taps *taps)
{
    vec_foreach (tap, &taps->list) {
        struct tpacket_stats stats = {0};
        socklen_t len = sizeof(stats);
        if (getsockopt(tap->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0) // and it counts from 0 again
            taps->lost += stats.tp_drops;
    }
    return taps->lost;
}
