// SPDX-License-Identifier: GPL-2.0-or-later
#include "blast.h"

#include "util/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define KEEPALIVE_MS 10000u
#define RX_BYTES     (256u * 1024u)
#define HEADER       19u
#define RETRY_MS     100

enum { OPEN = 1, UPDATE, NOTIFICATION, KEEPALIVE };

struct blast blast;

uint64_t blast_now_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

void blast_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("blast: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *blast_alloc(size_t n)
{
    void *p = calloc(1, n);

    if (!p)
        blast_fail("no memory");
    return p;
}

// --- messages

static uint8_t *put_header(uint8_t *p, size_t len, uint8_t type)
{
    memset(p, 0xff, 16);
    p[16] = (uint8_t)(len >> 8);
    p[17] = (uint8_t)len;
    p[18] = type;
    return p + HEADER;
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
    value = htonl(value);
    memcpy(p, &value, 4);
    return p + 4;
}

static uint8_t *put_prefix24(uint8_t *p, uint32_t addr)
{
    *p++ = 24;
    *p++ = (uint8_t)(addr >> 24);
    *p++ = (uint8_t)(addr >> 16);
    *p++ = (uint8_t)(addr >> 8);
    return p;
}

static size_t make_open(const struct conn *c, uint8_t *buf)
{
    static const uint8_t params[] = {2, 14, 1, 4, 0, 1, 0, 1, 2, 0, 65, 4};
    uint8_t *p = buf + HEADER;

    *p++ = 4;
    *p++ = (uint8_t)(c->asn >> 8);
    *p++ = (uint8_t)c->asn;
    *p++ = 0; // hold time, 240 s
    *p++ = 240;
    p = put32(p, c->addr);
    *p++ = sizeof(params) + 4;
    memcpy(p, params, sizeof(params));
    p = put32(p + sizeof(params), c->asn);
    (void)put_header(buf, (size_t)(p - buf), OPEN);
    return (size_t)(p - buf);
}

// One UPDATE: ORIGIN, an AS_PATH of four that depends on `set`, NEXT_HOP, and n prefixes from `addr` on.
uint8_t *blast_put_update(uint8_t *msg, const struct conn *c, uint32_t set, uint32_t addr, uint32_t n)
{
    const uint8_t hops = c->farther ? 5 : 4, path = (uint8_t)(2 + 4 * hops);
    uint8_t *p = msg + HEADER;

    *p++ = 0;
    *p++ = 0;
    *p++ = 0;
    *p++ = (uint8_t)(4 + 3 + path + 7);
    memcpy(p, (const uint8_t[]){0x40, 1, 1, 0, 0x40, 2, path, 2, hops}, 9);
    p = put32(p + 9, c->asn);
    if (c->farther)
        p = put32(p, c->asn);
    p = put32(p, 3000 + set % 211);
    p = put32(p, 10000 + set / 211);
    p = put32(p, 200000 + set % 65521);
    memcpy(p, (const uint8_t[]){0x40, 3, 4}, 3);
    p = put32(p + 3, c->addr);
    for (uint32_t i = 0; i < n; i++)
        p = put_prefix24(p, addr + (i << 8));
    (void)put_header(msg, (size_t)(p - msg), UPDATE);
    return p;
}

void blast_make_table(struct conn *c, uint32_t marker)
{
    uint32_t updates = (blast.routes + PER_UPDATE - 1) / PER_UPDATE;
    uint8_t *p = blast_alloc((size_t)(updates + 2) * 128);

    c->tx = p;
    for (uint32_t i = 0; i < blast.routes; i += PER_UPDATE)
        p = blast_put_update(p, c, i / PER_UPDATE, FIRST_PREFIX + (i << 8), MIN(PER_UPDATE, blast.routes - i));
    p = blast_put_update(p, c, updates, FIRST_MARKER + (marker << 8), 1);
    c->tx_len = (size_t)(p - c->tx);
    c->tx_off = c->tx_len; // nothing to send until told
}

// --- what is received

static void take_prefix(struct conn *c, uint32_t addr, uint8_t len, bool announced)
{
    uint32_t i = (addr - FIRST_PREFIX) >> 8;

    if (len != 24)
        return;
    if (addr - FIRST_MARKER < SENDERS_MAX << 8) {
        if (announced)
            c->markers |= 1u << ((addr - FIRST_MARKER) >> 8);
    } else if (i < blast.routes) {
        uint64_t bit = UINT64_C(1) << (i % 64), *word = &c->seen[i / 64];
        if (!(*word & bit) && announced)
            c->count++;
        else if ((*word & bit) && !announced)
            c->count--;
        *word = announced ? *word | bit : *word & ~bit;
    }
}

static void take_prefixes(struct conn *c, const uint8_t *p, const uint8_t *end, bool announced)
{
    while (p < end) {
        uint8_t len = *p++, bytes = (uint8_t)((len + 7) / 8);
        uint32_t addr = 0;
        if (len > 32 || bytes > end - p)
            blast_fail("malformed prefix");
        for (unsigned i = 0; i < 4; i++)
            addr = addr << 8 | (i < bytes ? p[i] : 0);
        take_prefix(c, addr, len, announced);
        p += bytes;
    }
}

static void take_update(struct conn *c, const uint8_t *p, size_t len)
{
    size_t withdrawn, attrs;

    if (!c->seen)
        return;
    if (len < 4 || (withdrawn = (size_t)p[0] << 8 | p[1]) + 4 > len)
        blast_fail("malformed UPDATE");
    attrs = (size_t)p[2 + withdrawn] << 8 | p[3 + withdrawn];
    if (withdrawn + attrs + 4 > len)
        blast_fail("malformed UPDATE");
    take_prefixes(c, p + 2, p + 2 + withdrawn, false);
    take_prefixes(c, p + 4 + withdrawn + attrs, p + len, true);
}

static void say_keepalive(struct conn *c)
{
    uint8_t msg[HEADER];

    (void)put_header(msg, HEADER, KEEPALIVE);
    if (send(c->fd, msg, HEADER, MSG_NOSIGNAL) != HEADER)
        blast_fail("cannot send a KEEPALIVE");
}

static void take_message(struct conn *c, const uint8_t *msg, size_t len)
{
    switch (msg[18]) {
    case OPEN:
        say_keepalive(c);
        break;
    case KEEPALIVE:
        c->established = true;
        break;
    case UPDATE:
        take_update(c, msg + HEADER, len - HEADER);
        break;
    case NOTIFICATION:
        if (c->established && !c->returns)
            blast_fail("NOTIFICATION %u/%u", msg[HEADER], msg[HEADER + 1]);
        break;
    default:
        break;
    }
}

static void lost(struct conn *c)
{
    if (c->established && !c->returns)
        blast_fail("connection of AS %u was closed", c->asn);
    (void)close(c->fd);
    c->fd = -1;
    c->established = false;
    c->rx_len = 0;
    c->retry_ms = blast_now_us() / 1000 + RETRY_MS;
}

static void read_conn(struct conn *c)
{
    ssize_t n = recv(c->fd, c->rx + c->rx_len, RX_BYTES - c->rx_len, MSG_DONTWAIT);
    size_t off = 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lost(c);
        return;
    }
    // Acknowledged at once: a daemon that writes small pieces would otherwise wait for our delayed ACK, 40 ms each.
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
    c->rx_len += (size_t)n;
    while (c->rx_len - off >= HEADER) {
        const uint8_t *msg = c->rx + off;
        size_t len = (size_t)msg[16] << 8 | msg[17];
        if (len < HEADER)
            blast_fail("malformed header");
        if (c->rx_len - off < len)
            break;
        take_message(c, msg, len);
        off += len;
    }
    memmove(c->rx, c->rx + off, c->rx_len - off);
    c->rx_len -= off;
}

static void write_conn(struct conn *c)
{
    ssize_t n = send(c->fd, c->tx + c->tx_off, c->tx_len - c->tx_off, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0)
        c->tx_off += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR)
        lost(c);
}

// --- connections

static void try_connect(struct conn *c)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(c->addr)};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(blast.remote), .sin_port = htons(179)};
    uint8_t msg[64];

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
        blast_fail("no socket: %s", strerror(errno));
    size_t len = make_open(c, msg);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0 || send(c->fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
        lost(c);
}

struct conn *blast_add(uint32_t addr, uint32_t asn)
{
    struct conn *c = &blast.conns[blast.n_conns++];

    *c = (struct conn){.fd = -1, .addr = addr, .asn = asn, .rx = blast_alloc(RX_BYTES)};
    return c;
}

void blast_step(void)
{
    struct pollfd fds[CONNS_MAX];
    uint64_t now = blast_now_us() / 1000;

    if (now > blast.deadline_ms)
        blast_fail("not within the time given");
    for (unsigned i = 0; i < blast.n_conns; i++) {
        struct conn *c = &blast.conns[i];
        if (c->fd < 0 && now >= c->retry_ms)
            try_connect(c);
        fds[i] = (struct pollfd){.fd = c->fd, .events = POLLIN | (c->tx_off < c->tx_len ? POLLOUT : 0)};
        if (now >= blast.keepalive_ms && c->established && c->tx_off == c->tx_len)
            say_keepalive(c);
    }
    if (now >= blast.keepalive_ms)
        blast.keepalive_ms = now + KEEPALIVE_MS;
    (void)poll(fds, blast.n_conns, RETRY_MS);
    for (unsigned i = 0; i < blast.n_conns; i++) {
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            read_conn(&blast.conns[i]);
        if (blast.conns[i].fd >= 0 && fds[i].revents & POLLOUT)
            write_conn(&blast.conns[i]);
    }
}

// --- the daemon under measurement

double blast_cpu_seconds(void)
{
    unsigned long total = 0;

    for (int i = 0; i < blast.n_pids; i++) {
        char path[64], text[1024] = "";
        unsigned long user = 0, sys = 0;
        (void)snprintf(path, sizeof(path), "/proc/%s/stat", blast.pids[i]);
        FILE *f = fopen(path, "re");
        if (!f || !fgets(text, sizeof(text), f))
            blast_fail("process %s is gone", blast.pids[i]);
        (void)fclose(f);
        const char *p = strrchr(text, ')');
        if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
            blast_fail("cannot read %s", path);
        total += user + sys;
    }
    return (double)total / (double)sysconf(_SC_CLK_TCK);
}

unsigned long blast_peak_kib(void)
{
    unsigned long total = 0;

    for (int i = 0; i < blast.n_pids; i++) {
        char path[64], line[256];
        (void)snprintf(path, sizeof(path), "/proc/%s/status", blast.pids[i]);
        FILE *f = fopen(path, "re");
        if (!f)
            blast_fail("process %s is gone", blast.pids[i]);
        while (fgets(line, sizeof(line), f)) {
            unsigned long kib = 0;
            if (sscanf(line, "VmHWM: %lu", &kib) == 1)
                total += kib;
        }
        (void)fclose(f);
    }
    return total;
}
