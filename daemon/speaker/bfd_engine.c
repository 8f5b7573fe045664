// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bfd_engine.h"

#include "net/addr.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define US_PER_S 1000000u

struct session {
    struct vnrs_bfd bfd;
    uint32_t id;
    struct vnrs_addr peer;
    enum vnrs_bfd_hops hops;
    uint8_t ttl_min;
    int fd;
    uint32_t discarded;
    bool due; // to be told now
    struct vnrs_spk_bfd_state told;
};

struct vnrs_bfd_engine {
    int pair;
    int listeners[_VNRS_BFD_HOPS_MAX];
    struct session *sessions[VNRS_BFD_SESSIONS_MAX];
    bool blocked; // the other side does not read
    uint64_t reviewed_us;
    bool quit;
};

static uint64_t clock_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

static uint32_t random_bits(void)
{
    uint32_t bits = 0;

    (void)!getrandom(&bits, sizeof(bits), 0); // jitter, or a discriminator that is looked at again
    return bits;
}

static void on_send(void *arg, const uint8_t *bytes, size_t len)
{
    const struct session *s = arg;

    // What cannot be sent now is as good as lost on the way.
    (void)!vnrs_bfd_socket_send(s->fd, &s->peer, s->hops, bytes, len);
}

static void on_changed(void *arg)
{
    ((struct session *)arg)->due = true;
}

static uint32_t on_random(void *arg)
{
    (void)arg;
    return random_bits();
}

static const struct vnrs_bfd_ops session_ops = {.send = on_send, .changed = on_changed, .random = on_random};

static void session_free(struct session *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s);
}

static struct session *find_id(const struct vnrs_bfd_engine *e, uint32_t id)
{
    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++)
        if (e->sessions[i] && e->sessions[i]->id == id)
            return e->sessions[i];
    return NULL;
}

static struct session *find_discr(const struct vnrs_bfd_engine *e, uint32_t discr)
{
    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++)
        if (e->sessions[i] && e->sessions[i]->bfd.discr == discr)
            return e->sessions[i];
    return NULL;
}

// One that only says AdminDown any more gives way to its successor.
static struct session *find_addr(const struct vnrs_bfd_engine *e, const struct vnrs_addr *peer, enum vnrs_bfd_hops hops)
{
    struct session *found = NULL;

    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++) {
        struct session *s = e->sessions[i];
        if (s && s->hops == hops && vnrs_addr_equal(&s->peer, peer) &&
            (!found || found->bfd.state == VNRS_BFD_ADMIN_DOWN))
            found = s;
    }
    return found;
}

// --- receiving

static void take_datagram(struct vnrs_bfd_engine *e, enum vnrs_bfd_hops hops, const struct vnrs_bfd_datagram *d)
{
    struct session *s = find_addr(e, &d->from, hops);
    struct vnrs_bfd_packet p;

    if (!s)
        return;
    bool good = d->ttl >= (hops == VNRS_BFD_SINGLE ? VNRS_BFD_TTL : s->ttl_min) &&
                vnrs_bfd_packet_decode(d->bytes, d->len, &p) == VNRS_BFD_OK;
    // Section 6.3: the discriminator decides. That the session has this peer is one more check (RFC 5883 section 4.2).
    if (good && p.your_discr) {
        struct session *named = find_discr(e, p.your_discr);
        good = named && named->hops == hops && vnrs_addr_equal(&named->peer, &d->from);
        s = good ? named : s;
    }
    if (good)
        vnrs_bfd_receive(&s->bfd, clock_us(), &p);
    else
        s->discarded++;
}

static void take_datagrams(struct vnrs_bfd_engine *e, enum vnrs_bfd_hops hops)
{
    struct vnrs_bfd_datagram d;

    for (unsigned i = 0; i < VNRS_BFD_RUN_MAX && e->listeners[hops] >= 0; i++) {
        if (vnrs_bfd_socket_recv(e->listeners[hops], &d) <= 0)
            return;
        take_datagram(e, hops, &d);
    }
}

static void admit(const struct vnrs_bfd_engine *e, enum vnrs_bfd_hops hops)
{
    struct vnrs_addr peers[VNRS_BFD_SESSIONS_MAX];
    size_t n = 0;

    if (e->listeners[hops] < 0)
        return;
    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++)
        if (e->sessions[i] && e->sessions[i]->hops == hops && e->sessions[i]->bfd.state != VNRS_BFD_ADMIN_DOWN)
            peers[n++] = e->sessions[i]->peer;
    int err = vnrs_bfd_socket_admit(e->listeners[hops], peers, n, hops);
    if (err < 0)
        log_errno_ret(err, "cannot set the filter of a BFD socket");
}

// --- commands

static void say_error(const struct vnrs_bfd_engine *e, const struct vnrs_bfd_command *c, int error)
{
    struct vnrs_bfd_event event = {c->id, c->hops, {.configured = 1, .error = error}};
    struct iovec part = {&event, sizeof(event)};

    (void)!vnrs_msg_send(e->pair, &part, 1, NULL, 0);
}

// Bound here: the port is free only once the one before is closed.
static void listen_on(struct vnrs_bfd_engine *e, const struct vnrs_bfd_command *c)
{
    int *fd = &e->listeners[c->hops];

    if (*fd >= 0)
        (void)close(*fd);
    *fd = c->fd;
    int err = *fd >= 0 ? vnrs_bfd_socket_listen(*fd, &c->local, c->hops) : 0;
    if (err < 0) {
        (void)close(*fd);
        *fd = -1;
        say_error(e, c, err);
    }
    admit(e, c->hops);
}

static uint32_t new_discr(const struct vnrs_bfd_engine *e)
{
    uint32_t discr;

    do
        discr = random_bits();
    while (!discr || find_discr(e, discr));
    return discr;
}

static struct vnrs_bfd_conf conf_of(const struct vnrs_spk_bfd *conf)
{
    return (struct vnrs_bfd_conf){conf->min_tx_us, conf->min_rx_us, conf->multiplier};
}

static void add(struct vnrs_bfd_engine *e, const struct vnrs_bfd_command *c)
{
    struct vnrs_bfd_conf conf = conf_of(&c->conf);
    unsigned slot = 0;

    while (slot < VNRS_BFD_SESSIONS_MAX && e->sessions[slot])
        slot++;
    struct session *s = slot < VNRS_BFD_SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        say_error(e, c, -ENOBUFS);
        (void)close(c->fd);
        return;
    }
    s->id = c->id;
    s->peer = c->peer;
    s->hops = c->hops;
    s->ttl_min = c->conf.ttl_min;
    s->fd = c->fd;
    s->due = true;
    vnrs_bfd_init(&s->bfd, &conf, new_discr(e), &session_ops, s);
    e->sessions[slot] = s;
    admit(e, s->hops);
    vnrs_bfd_start(&s->bfd, clock_us());
}

static void take_command(struct vnrs_bfd_engine *e, const struct vnrs_bfd_command *c)
{
    struct session *s = c->kind == VNRS_BFD_CHANGE || c->kind == VNRS_BFD_REMOVE ? find_id(e, c->id) : NULL;
    struct vnrs_bfd_conf conf = conf_of(&c->conf);

    switch (c->kind) {
    case VNRS_BFD_LISTEN:
        listen_on(e, c);
        break;
    case VNRS_BFD_ADD:
        add(e, c);
        break;
    case VNRS_BFD_CHANGE:
        if (!s)
            break;
        s->ttl_min = c->conf.ttl_min;
        vnrs_bfd_configure(&s->bfd, clock_us(), &conf);
        break;
    case VNRS_BFD_REMOVE:
        if (!s)
            break;
        vnrs_bfd_stop(&s->bfd, clock_us());
        admit(e, s->hops);
        break;
    }
}

static void take_commands(struct vnrs_bfd_engine *e)
{
    struct vnrs_bfd_command c;

    for (unsigned i = 0; i < VNRS_BFD_RUN_MAX && !e->quit; i++) {
        ssize_t len = vnrs_msg_recv(e->pair, &c, sizeof(c), NULL, NULL);
        if (len == -EAGAIN)
            return;
        if (len == sizeof(c))
            take_command(e, &c);
        else
            e->quit = true;
    }
}

// --- telling

static struct vnrs_spk_bfd_state state_of(const struct session *s)
{
    const struct vnrs_bfd *b = &s->bfd;

    return (struct vnrs_spk_bfd_state){
        .configured = 1,
        .state = (uint8_t)b->state,
        .remote_state = b->remote_state,
        .diag = b->diag,
        .remote_diag = b->remote_diag,
        .failure = b->failure,
        .remote_multiplier = b->remote_multiplier,
        .independent = b->remote_independent,
        .failures = b->failures,
        .tx_us = vnrs_bfd_tx_interval(b),
        .detection_us = (uint32_t)MIN(vnrs_bfd_detection_time(b), (uint64_t)UINT32_MAX),
        .discarded = s->discarded,
        .packets_in = b->packets_in,
        .packets_out = b->packets_out,
        .changed_ms = b->changed_us / 1000,
    };
}

static void tell(struct vnrs_bfd_engine *e)
{
    uint64_t now = clock_us();
    bool review = now - e->reviewed_us >= VNRS_BFD_REVIEW_US;

    e->blocked = false;
    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++) {
        struct session *s = e->sessions[i];
        if (!s || s->bfd.state == VNRS_BFD_ADMIN_DOWN || (!s->due && !review))
            continue;
        struct vnrs_bfd_event event = {s->id, s->hops, state_of(s)};
        struct iovec part = {&event, sizeof(event)};
        if (!s->due && memcmp(&event.state, &s->told, sizeof(s->told)) == 0)
            continue;
        if (vnrs_msg_send(e->pair, &part, 1, NULL, 0) < 0) {
            e->blocked = true; // the next ones will not do better
            return;
        }
        s->told = event.state;
        s->due = false;
    }
    if (review)
        e->reviewed_us = now;
}

// --- running

static void tick(struct vnrs_bfd_engine *e)
{
    uint64_t now = clock_us();

    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++) {
        struct session *s = e->sessions[i];
        if (!s)
            continue;
        if (vnrs_bfd_is_over(&s->bfd, now)) {
            session_free(s);
            e->sessions[i] = NULL;
        } else if (vnrs_bfd_next(&s->bfd) <= now) {
            vnrs_bfd_tick(&s->bfd, now);
        }
    }
}

static void wait_for_work(struct vnrs_bfd_engine *e)
{
    uint64_t next = VNRS_BFD_NEVER, now;
    struct pollfd fds[] = {
        {.fd = e->pair, .events = (short)(POLLIN | (e->blocked ? POLLOUT : 0))},
        {.fd = e->listeners[VNRS_BFD_SINGLE], .events = POLLIN},
        {.fd = e->listeners[VNRS_BFD_MULTI], .events = POLLIN},
    };

    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++)
        if (e->sessions[i])
            next = MIN(next, vnrs_bfd_next(&e->sessions[i]->bfd));
    if (next != VNRS_BFD_NEVER && !e->blocked)
        next = MIN(next, e->reviewed_us + VNRS_BFD_REVIEW_US);
    now = clock_us();
    uint64_t wait = next > now ? next - now : 0;
    struct timespec ts = {.tv_sec = (time_t)(wait / US_PER_S), .tv_nsec = (long)(wait % US_PER_S * 1000)};
    (void)ppoll(fds, ARRAY_SIZE(fds), next == VNRS_BFD_NEVER ? NULL : &ts, NULL);
}

bool vnrs_bfd_engine_run(struct vnrs_bfd_engine *e)
{
    wait_for_work(e);
    take_commands(e);
    // What has come is heard before anybody is given up.
    take_datagrams(e, VNRS_BFD_SINGLE);
    take_datagrams(e, VNRS_BFD_MULTI);
    tick(e);
    tell(e);
    return !e->quit;
}

struct vnrs_bfd_engine *vnrs_bfd_engine_new(int pair)
{
    struct vnrs_bfd_engine *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->pair = pair;
    e->listeners[VNRS_BFD_SINGLE] = e->listeners[VNRS_BFD_MULTI] = -1;
    return e;
}

void vnrs_bfd_engine_free(struct vnrs_bfd_engine *e)
{
    if (!e)
        return;
    for (unsigned i = 0; i < VNRS_BFD_SESSIONS_MAX; i++) {
        if (e->sessions[i])
            vnrs_bfd_stop(&e->sessions[i]->bfd, clock_us());
        session_free(e->sessions[i]);
    }
    for (unsigned i = 0; i < _VNRS_BFD_HOPS_MAX; i++)
        if (e->listeners[i] >= 0)
            (void)close(e->listeners[i]);
    free(e);
}
