// SPDX-License-Identifier: GPL-2.0-or-later
// Announces what an MRT file holds, as its peers did: a source of routes for tests and measurements.
//
//   bgp_replay FILE REMOTE TIMEOUT_S
//
// For each peer of the file (TABLE_DUMP_V2 index, BGP4MP sessions; not 0.0.0.0, which is the collector itself) it opens
// a session to REMOTE from the peer's address, which must be one of this host, with the peer's ASN and identifier. When
// all are Established it sends every path of the tables and every UPDATE, in the file's order, prints one JSON line,
// and keeps the sessions up until standard input ends.
#include "bgp/msg.h"
#include "bgp/wire.h"
#include "lib/mrt_read.h"
#include "util/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#define FILE_MAX     (1u << 30)
#define CONNS_MAX    64u
#define RX_BYTES     (256u * 1024u)
#define HOLD_S       240
#define KEEPALIVE_MS 10000u
#define RETRY_MS     100
#define ATTR_MP      14
#define UPDATE_ROOM  (VNRS_BGP_HEADER_BYTES + 4u) // header and the two lengths

struct conn {
    struct mrt_peer peer;
    int fd; // -1: to be connected at retry_ms
    bool established;
    uint64_t retry_ms;
    uint8_t *tx; // messages
    size_t tx_len, tx_cap, tx_off;
    size_t last; // beginning of the last message, and its attributes, for another prefix behind them
    const uint8_t *last_attrs;
    size_t last_attrs_len;
    uint8_t *rx;
    size_t rx_len;
    unsigned updates;
};

static struct conn conns[CONNS_MAX];
static unsigned n_conns;
static struct vnrs_addr remote;
static uint64_t deadline_ms, keepalive_ms;

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("bgp_replay: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static struct conn *conn_of(const struct mrt_peer *peer)
{
    for (unsigned i = 0; i < n_conns; i++)
        if (vnrs_addr_equal(&conns[i].peer.addr, &peer->addr))
            return &conns[i];
    if (n_conns == CONNS_MAX)
        fail("more than %u peers", CONNS_MAX);
    if (peer->addr.family != remote.family)
        fail("a peer of another address family than REMOTE");
    struct conn *c = &conns[n_conns++];
    *c = (struct conn){.peer = *peer, .fd = -1, .rx = malloc(RX_BYTES)};
    if (!c->rx)
        fail("no memory");
    return c;
}

// --- what is to be sent

static uint8_t *tx_room(struct conn *c, size_t len)
{
    if (c->tx_len + len > c->tx_cap) {
        c->tx_cap = (c->tx_len + len) * 2;
        if (!(c->tx = realloc(c->tx, c->tx_cap)))
            fail("no memory");
    }
    return c->tx + c->tx_len;
}

static void set_u16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

// The message that began at `last` ends here.
static void set_length(struct conn *c)
{
    set_u16(c->tx + c->last + 16, c->tx_len - c->last);
}

static void put(struct conn *c, const void *bytes, size_t len)
{
    if (len)
        memcpy(tx_room(c, len), bytes, len);
    c->tx_len += len;
}

static void put_prefix(struct conn *c, const struct vnrs_prefix *prefix)
{
    put(c, &prefix->len, 1);
    put(c, prefix->bytes, (prefix->len + 7u) / 8);
}

static void begin_update(struct conn *c)
{
    static const uint8_t header[UPDATE_ROOM] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,           0xff,
                                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,    0,    VNRS_BGP_UPDATE};

    c->last = c->tx_len;
    c->updates++;
    put(c, header, sizeof(header));
}

// The attributes of a RIB entry; MP_REACH_NLRI, of which it has the next hop, gets family and prefix back.
static void put_attrs(struct conn *c, const struct mrt_entry *e, const struct vnrs_prefix *prefix)
{
    struct vnrs_wire w = vnrs_wire_make(e->attrs, e->attrs_len);
    size_t begin = c->tx_len;

    while (w.left) {
        const uint8_t *start = w.at;
        uint8_t flags = vnrs_wire_u8(&w), type = vnrs_wire_u8(&w);
        size_t len = flags & 0x10 ? vnrs_wire_u16(&w) : vnrs_wire_u8(&w);
        const uint8_t *value = vnrs_wire_take(&w, len);
        if (!value || (type == ATTR_MP && (len < 1 || value[0] != len - 1)))
            fail("malformed attribute %u", type);
        if (type != ATTR_MP) {
            put(c, start, (size_t)(w.at - start));
            continue;
        }
        size_t prefix_len = 1 + (prefix->len + 7u) / 8;
        const uint8_t head[] = {
            0x80, ATTR_MP, (uint8_t)(3 + len + 1 + prefix_len), 0, prefix->family == VNRS_AF_IPV6 ? 2 : 1, 1};
        put(c, head, sizeof(head));
        put(c, value, len);
        put(c, "", 1);
        put_prefix(c, prefix);
    }
    set_u16(c->tx + c->last + VNRS_BGP_HEADER_BYTES + 2, c->tx_len - begin);
}

static bool has_mp(const struct mrt_entry *e)
{
    struct vnrs_wire w = vnrs_wire_make(e->attrs, e->attrs_len);

    while (w.left) {
        uint8_t flags = vnrs_wire_u8(&w);
        if (vnrs_wire_u8(&w) == ATTR_MP)
            return true;
        (void)vnrs_wire_take(&w, flags & 0x10 ? vnrs_wire_u16(&w) : vnrs_wire_u8(&w));
    }
    return false;
}

static void add_path(struct conn *c, const struct mrt_entry *e, const struct vnrs_prefix *prefix)
{
    bool mp = has_mp(e);
    bool same = !mp && c->last_attrs && c->last_attrs_len == e->attrs_len &&
                memcmp(c->last_attrs, e->attrs, e->attrs_len) == 0 && c->tx_len - c->last + 5 <= VNRS_BGP_MSG_MAX;

    if (!same) {
        begin_update(c);
        put_attrs(c, e, prefix);
        c->last_attrs = mp ? NULL : e->attrs;
        c->last_attrs_len = e->attrs_len;
    }
    if (!mp)
        put_prefix(c, prefix);
    set_length(c);
    if (c->tx_len - c->last > VNRS_BGP_MSG_MAX)
        fail("a path whose attributes need an extended message");
}

static void add_table(const struct mrt_reader *reader, struct mrt_record *rec)
{
    struct mrt_entry e;

    while (mrt_entry_next(rec, &e)) {
        const struct mrt_peer *peer = &reader->peers[e.peer];
        if (peer->addr.family != VNRS_AF_IPV4 || vnrs_addr_to_v4(&peer->addr) != 0)
            add_path(conn_of(peer), &e, &rec->prefix);
    }
}

static void add_message(const struct mrt_record *rec)
{
    const struct mrt_peer peer = {.addr = rec->peer, .asn = rec->peer_asn};

    if (rec->msg[18] != VNRS_BGP_UPDATE)
        return;
    if (!rec->as4 || rec->add_path)
        fail("an UPDATE of a session with 2-octet ASNs or additional paths");
    struct conn *c = conn_of(&peer);
    c->last_attrs = NULL;
    c->updates++;
    put(c, rec->msg, rec->len);
}

static void load(const char *path, struct mrt_reader *reader)
{
    static char *text; // for as long as the program runs
    struct mrt_record rec = {0};
    size_t len = 0;
    int r = vnrs_file_load(path, FILE_MAX, &text, &len);

    if (r < 0)
        fail("cannot read %s: %s", path, strerror(-r));
    mrt_reader_init(reader, (const uint8_t *)text, len);
    while ((r = mrt_next(reader, &rec)) > 0) {
        if (rec.kind == MRT_RIB)
            add_table(reader, &rec);
        else if (rec.kind == MRT_MESSAGE)
            add_message(&rec);
    }
    if (r < 0)
        fail("%s, octet %zu: %s", path, reader->offset, reader->why);
    if (!n_conns)
        fail("nothing to announce in %s", path);
}

// --- sessions

static socklen_t make_sockaddr(const struct vnrs_addr *addr, uint16_t port, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (addr->family == VNRS_AF_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, addr->bytes, 16);
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, addr->bytes, 4);
    return sizeof(*in);
}

static void lost(struct conn *c)
{
    if (c->established)
        fail("connection of AS %u was closed", c->peer.asn);
    (void)close(c->fd);
    c->fd = -1;
    c->rx_len = 0;
    c->retry_ms = vnrs_clock_ms() + RETRY_MS;
}

static void try_connect(struct conn *c)
{
    const struct vnrs_bgp_open open = {
        .asn = c->peer.asn,
        .hold = HOLD_S,
        .id = c->peer.id ? c->peer.id : vnrs_addr_to_v4(&c->peer.addr),
        .caps = {.mp = {true, true}, .any_mp = true, .refresh = true, .as4 = true},
    };
    struct sockaddr_storage local, to;
    uint8_t msg[VNRS_BGP_MSG_MAX];
    int len = vnrs_bgp_open_encode(&open, msg, sizeof(msg));
    socklen_t local_len = make_sockaddr(&c->peer.addr, 0, &local), to_len = make_sockaddr(&remote, VNRS_BGP_PORT, &to);

    c->fd = socket(local.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&local, local_len) < 0)
        fail("no socket: %s", strerror(errno));
    if (connect(c->fd, (struct sockaddr *)&to, to_len) < 0 || send(c->fd, msg, (size_t)len, MSG_NOSIGNAL) != len)
        lost(c);
}

static void say_keepalive(struct conn *c)
{
    uint8_t msg[VNRS_BGP_HEADER_BYTES];
    int len = vnrs_bgp_keepalive_encode(msg, sizeof(msg));

    if (send(c->fd, msg, (size_t)len, MSG_NOSIGNAL) != len)
        fail("cannot send a KEEPALIVE");
}

static void take_message(struct conn *c, const uint8_t *msg)
{
    switch (msg[18]) {
    case VNRS_BGP_OPEN:
        say_keepalive(c);
        break;
    case VNRS_BGP_KEEPALIVE:
        c->established = true;
        break;
    case VNRS_BGP_NOTIFICATION:
        if (c->established)
            fail("NOTIFICATION %u/%u", msg[VNRS_BGP_HEADER_BYTES], msg[VNRS_BGP_HEADER_BYTES + 1]);
        break;
    default: // what the others announce
        break;
    }
}

static void read_conn(struct conn *c)
{
    ssize_t n = recv(c->fd, c->rx + c->rx_len, RX_BYTES - c->rx_len, MSG_DONTWAIT);
    size_t off = 0, len;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lost(c);
        return;
    }
    c->rx_len += (size_t)n;
    while (c->rx_len - off >= VNRS_BGP_HEADER_BYTES) {
        const uint8_t *msg = c->rx + off;
        if ((len = (size_t)msg[16] << 8 | msg[17]) < VNRS_BGP_HEADER_BYTES)
            fail("malformed header");
        if (c->rx_len - off < len)
            break;
        take_message(c, msg);
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

// Returns false when standard input has ended.
static bool step(bool sending)
{
    struct pollfd fds[CONNS_MAX + 1];
    uint64_t now = vnrs_clock_ms();
    char input[64];

    for (unsigned i = 0; i < n_conns; i++) {
        struct conn *c = &conns[i];
        if (c->fd < 0 && now >= c->retry_ms)
            try_connect(c);
        bool more = sending && c->tx_off < c->tx_len;
        fds[i] = (struct pollfd){.fd = c->fd, .events = POLLIN | (more ? POLLOUT : 0)};
        // Between two messages only.
        if (now >= keepalive_ms && c->established && (!c->tx_off || c->tx_off == c->tx_len))
            say_keepalive(c);
    }
    if (now >= keepalive_ms)
        keepalive_ms = now + KEEPALIVE_MS;
    fds[n_conns] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    (void)poll(fds, n_conns + 1, RETRY_MS);
    for (unsigned i = 0; i < n_conns; i++) {
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            read_conn(&conns[i]);
        if (conns[i].fd >= 0 && fds[i].revents & POLLOUT)
            write_conn(&conns[i]);
    }
    return !(fds[n_conns].revents & (POLLIN | POLLHUP)) || read(STDIN_FILENO, input, sizeof(input)) > 0;
}

static bool is_all(bool sent)
{
    for (unsigned i = 0; i < n_conns; i++)
        if (!conns[i].established || (sent && conns[i].tx_off < conns[i].tx_len))
            return false;
    return true;
}

static void step_until(bool sent)
{
    while (!is_all(sent)) {
        if (!step(sent))
            exit(0);
        if (vnrs_clock_ms() > deadline_ms)
            fail("not within the time given");
    }
}

int main(int argc, char **argv)
{
    static struct mrt_reader reader;
    unsigned updates = 0;

    if (argc != 4 || vnrs_addr_parse(argv[2], &remote) < 0)
        fail("usage: bgp_replay FILE REMOTE TIMEOUT_S");
    load(argv[1], &reader);
    deadline_ms = vnrs_clock_ms() + strtoul(argv[3], NULL, 10) * 1000;
    step_until(false);
    uint64_t begin = vnrs_clock_ms();
    step_until(true);
    for (unsigned i = 0; i < n_conns; i++)
        updates += conns[i].updates;
    printf("{\"peers\": %u, \"updates\": %u, \"send_s\": %.3f}\n", n_conns, updates,
           (double)(vnrs_clock_ms() - begin) / 1e3);
    (void)fflush(stdout);
    while (step(false))
        ;
    return 0;
}
