// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bmp.h"

#include "bgp/bmp_feed.h"
#include "net/addr.h"
#include "speaker/conn.h"
#include "speaker/monitor.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define TICK_MS 1000u

struct vnrs_bmp_station {
    struct vnrs_speakerd *sp;
    struct vnrs_spk_bmp conf;
    uint32_t asn, router_id; // of the speaker, as the station knows it
    uint32_t request;        // id of the socket that it waits for, 0: none
    int fd;                  // -1: not connected
    bool connected;          // and has a feed
    bool lost;               // to be dropped, once nothing looks at it any more
    unsigned wait_ms;
    uint64_t begun_ms, progress_ms, statistics_ms;
    struct event *read, *write;
    struct event *timer; // connected: a tick; else the next try
    struct vnrs_bmp_feed feed;
    uint8_t *out;
    size_t out_len;
};

static const char *address_text(const struct vnrs_bmp_station *st, char buf[static VNRS_ADDR_STR_MAX])
{
    return vnrs_addr_format(&st->conf.station, buf);
}

static void arm(struct vnrs_bmp_station *st, unsigned ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    (void)event_add(st->timer, &tv);
}

static void disconnect(struct vnrs_bmp_station *st)
{
    if (st->read)
        event_free(TAKE_PTR(st->read));
    if (st->write)
        event_free(TAKE_PTR(st->write));
    if (st->fd >= 0)
        (void)close(TAKE_FD(st->fd));
    if (st->connected)
        vnrs_bmp_feed_fini(&st->feed);
    st->connected = st->lost = false;
    st->out_len = 0;
    free(TAKE_PTR(st->out));
    vnrs_monitor_update(st->sp);
}

// Another try, later.
static void give_up(struct vnrs_bmp_station *st)
{
    bool calm = st->connected && vnrs_clock_ms() - st->begun_ms >= VNRS_BMP_CALM_MS;

    disconnect(st);
    arm(st, calm ? VNRS_BMP_RETRY_MIN_MS : st->wait_ms);
    st->wait_ms = calm ? VNRS_BMP_RETRY_MIN_MS : MIN(st->wait_ms * 2, VNRS_BMP_RETRY_MAX_MS);
}

static void drop(struct vnrs_bmp_station *st, const char *why)
{
    char text[VNRS_ADDR_STR_MAX];

    if (st->connected)
        log_info("BMP station %s is dropped: %s", address_text(st, text), why);
    else
        log_debug("BMP station %s: %s", address_text(st, text), why);
    give_up(st);
}

static void station_free(struct vnrs_bmp_station *st)
{
    disconnect(st);
    if (st->timer)
        event_free(st->timer);
    free(st);
}

// --- sending

// Returns false when the connection is broken.
static bool send_out(struct vnrs_bmp_station *st)
{
    size_t done = 0;

    while (done < st->out_len) {
        ssize_t put = send(st->fd, st->out + done, st->out_len - done, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return false;
        if (put < 0)
            break;
        done += (size_t)put;
    }
    if (done || !st->out_len)
        st->progress_ms = vnrs_clock_ms();
    st->out_len -= done;
    memmove(st->out, st->out + done, st->out_len);
    if (st->out_len)
        (void)event_add(st->write, NULL);
    return true;
}

static void fill_out(struct vnrs_bmp_station *st)
{
    size_t made = 0, len;

    while (made < VNRS_BMP_RUN_BYTES && VNRS_BMP_OUT_BYTES - st->out_len >= VNRS_BMP_MESSAGE_MAX &&
           (len = vnrs_bmp_feed_next(&st->feed, st->out + st->out_len, VNRS_BMP_OUT_BYTES - st->out_len))) {
        st->out_len += len;
        made += len;
    }
}

static bool has_room(const struct vnrs_bmp_station *st)
{
    return VNRS_BMP_OUT_BYTES - st->out_len >= VNRS_BMP_MESSAGE_MAX;
}

// Returns true when there is more to do at once.
static bool flush(struct vnrs_bmp_station *st)
{
    if (st->lost) {
        drop(st, "the connection is gone");
        return false;
    }
    if (!st->connected)
        return false;
    fill_out(st);
    if (st->feed.failed) {
        drop(st, "it does not keep up");
        return false;
    }
    if (st->out_len && !event_pending(st->write, EV_WRITE, NULL) && !send_out(st)) {
        drop(st, "the connection is gone");
        return false;
    }
    return has_room(st) && vnrs_bmp_feed_is_pending(&st->feed);
}

bool vnrs_bmp_flush_all(struct vnrs_speakerd *sp)
{
    bool more = false;

    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (sp->stations[i])
            more |= flush(sp->stations[i]);
    return more;
}

// --- the connection

// The feed borrows the speaker's clock; the time of day is told in its terms.
static uint64_t wall_offset_us(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000 - vnrs_clock_ms() * 1000;
}

static void begin(struct vnrs_bmp_station *st)
{
    char text[VNRS_ADDR_STR_MAX];

    if (!(st->out = malloc(VNRS_BMP_OUT_BYTES))) {
        drop(st, "out of memory");
        return;
    }
    log_info("BMP station %s is connected", address_text(st, text));
    st->sp->core->now = vnrs_clock_ms();
    vnrs_bmp_feed_init(&st->feed, st->sp->core, st->conf.ribs, st->conf.name, wall_offset_us());
    st->connected = true;
    st->begun_ms = st->progress_ms = st->statistics_ms = vnrs_clock_ms();
    vnrs_monitor_update(st->sp);
    arm(st, TICK_MS);
}

// A station says nothing; what it sends nevertheless is dropped. Its end is what this is for.
static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_bmp_station *st = arg;
    uint8_t buf[4096];
    ssize_t got = recv(fd, buf, sizeof(buf), 0);

    (void)what;
    st->lost |= got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR && errno != EWOULDBLOCK);
    vnrs_speakerd_settle(st->sp);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_bmp_station *st = arg;
    int err = 0;
    socklen_t len = sizeof(err);

    (void)what;
    if (st->connected) {
        st->lost |= !send_out(st);
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
        drop(st, strerror(err ? err : errno));
    } else if (event_add(st->read, NULL) < 0) {
        drop(st, "out of memory");
    } else {
        begin(st);
    }
    vnrs_speakerd_settle(st->sp);
}

static int start_connect(struct vnrs_bmp_station *st)
{
    const struct vnrs_addr *local = &st->sp->core->conf.local;
    unsigned stall_ms = VNRS_BMP_STALL_MS;
    struct sockaddr_storage from, to;
    socklen_t from_len = vnrs_conn_sockaddr(local, 0, &from);
    socklen_t to_len = vnrs_conn_sockaddr(&st->conf.station, st->conf.port ? st->conf.port : VNRS_BMP_PORT, &to);
    int err = vnrs_fd_set_nonblock(st->fd, true);

    if (err < 0)
        return err;
    // One that is silently gone is found out when what it does not acknowledge gets old.
    if (setsockopt(st->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof(stall_ms)) < 0)
        return -errno;
    if (local->family == st->conf.station.family && bind(st->fd, (struct sockaddr *)&from, from_len) < 0)
        return -errno;
    if (connect(st->fd, (struct sockaddr *)&to, to_len) < 0 && errno != EINPROGRESS)
        return -errno;
    st->read = event_new(st->sp->base, st->fd, EV_READ | EV_PERSIST, on_read, st);
    st->write = event_new(st->sp->base, st->fd, EV_WRITE, on_write, st);
    return st->read && st->write && event_add(st->write, NULL) == 0 ? 0 : -ENOMEM;
}

bool vnrs_bmp_take_socket(struct vnrs_speakerd *sp, const struct vnrs_spk_socket *answer, int *fd)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++) {
        struct vnrs_bmp_station *st = sp->stations[i];
        if (!st || st->request != answer->id)
            continue;
        st->request = 0;
        st->fd = TAKE_FD(*fd);
        int err = st->fd < 0 ? MIN(answer->error, -1) : start_connect(st);
        if (err < 0)
            drop(st, strerror(-err));
        return true;
    }
    return false;
}

static void tick(struct vnrs_bmp_station *st)
{
    uint64_t now = vnrs_clock_ms();

    if (st->out_len && now - st->progress_ms >= VNRS_BMP_STALL_MS) {
        drop(st, "it does not read");
        return;
    }
    if (st->conf.statistics_s && now - st->statistics_ms >= st->conf.statistics_s * UINT64_C(1000)) {
        st->statistics_ms = now;
        vnrs_bmp_feed_statistics(&st->feed);
    }
    arm(st, TICK_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_bmp_station *st = arg;

    (void)fd;
    (void)what;
    if (st->connected) {
        tick(st);
    } else if (vnrs_agent_link_ask(st->sp, VNRS_SPK_SOCKET_TCP, st->conf.station.family, &st->request) < 0) {
        drop(st, "cannot ask the agent for a socket");
    }
    vnrs_speakerd_settle(st->sp);
}

// --- configuration

static void say_goodbye(struct vnrs_bmp_station *st)
{
    uint8_t buf[VNRS_BMP_TEXT_MAX];
    int len = vnrs_bmp_termination_encode(VNRS_BMP_TERM_ADMIN, "monitoring ends", buf, sizeof(buf));

    // As far as the socket takes it: behind half a message it would mean nothing.
    if (st->connected && len > 0 && (!st->out_len || send_out(st)) && !st->out_len)
        (void)!send(st->fd, buf, (size_t)len, MSG_NOSIGNAL);
}

static struct vnrs_bmp_station *station_new(struct vnrs_speakerd *sp, const struct vnrs_spk_bmp *conf)
{
    struct vnrs_bmp_station *st = calloc(1, sizeof(*st));

    if (!st)
        return NULL;
    st->sp = sp;
    st->conf = *conf;
    st->asn = sp->core->conf.asn;
    st->router_id = sp->core->conf.router_id;
    st->fd = -1;
    st->wait_ms = VNRS_BMP_RETRY_MIN_MS;
    if (!(st->timer = evtimer_new(sp->base, on_timer, st))) {
        free(st);
        return NULL;
    }
    arm(st, 0);
    return st;
}

static bool is_kept(const struct vnrs_bmp_station *st, const struct vnrs_spk_bmp *list, size_t n)
{
    bool same = st->asn == st->sp->core->conf.asn && st->router_id == st->sp->core->conf.router_id;

    for (size_t i = 0; same && i < n; i++)
        if (memcmp(&list[i], &st->conf, sizeof(st->conf)) == 0)
            return true;
    return false;
}

static bool is_there(const struct vnrs_speakerd *sp, const struct vnrs_spk_bmp *conf)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (sp->stations[i] && memcmp(&sp->stations[i]->conf, conf, sizeof(*conf)) == 0)
            return true;
    return false;
}

int vnrs_bmp_configure(struct vnrs_speakerd *sp, const struct vnrs_spk_bmp *list, size_t n)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++) {
        if (!sp->stations[i] || is_kept(sp->stations[i], list, n))
            continue;
        say_goodbye(sp->stations[i]);
        station_free(TAKE_PTR(sp->stations[i]));
    }
    for (size_t i = 0; i < n; i++) {
        unsigned free_place = 0;
        if (is_there(sp, &list[i]))
            continue;
        while (free_place < VNRS_BMP_STATIONS_MAX && sp->stations[free_place])
            free_place++;
        if (free_place == VNRS_BMP_STATIONS_MAX)
            return -EBADMSG;
        if (!(sp->stations[free_place] = station_new(sp, &list[i])))
            return -ENOMEM;
    }
    return 0;
}

void vnrs_bmp_stop(struct vnrs_speakerd *sp)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++) {
        if (!sp->stations[i])
            continue;
        (void)flush(sp->stations[i]); // the ends of sessions are news, too
        say_goodbye(sp->stations[i]);
        station_free(TAKE_PTR(sp->stations[i]));
    }
}

// --- what happens

static struct vnrs_bmp_feed *feed_at(const struct vnrs_speakerd *sp, unsigned i)
{
    return sp->stations[i] && sp->stations[i]->connected ? &sp->stations[i]->feed : NULL;
}

bool vnrs_bmp_is_watching(const struct vnrs_speakerd *sp)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (feed_at(sp, i))
            return true;
    return false;
}

void vnrs_bmp_up(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (feed_at(sp, i))
            vnrs_bmp_feed_up(feed_at(sp, i), m);
}

void vnrs_bmp_down(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (feed_at(sp, i))
            vnrs_bmp_feed_down(feed_at(sp, i), m);
}

void vnrs_bmp_path(struct vnrs_speakerd *sp, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                   bool best)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (feed_at(sp, i))
            vnrs_bmp_feed_path(feed_at(sp, i), prefix, slot, path_id, best);
}

void vnrs_bmp_told(struct vnrs_speakerd *sp, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t members)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (feed_at(sp, i))
            vnrs_bmp_feed_told(feed_at(sp, i), prefix, path_id, members);
}

void vnrs_bmp_malformed(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m, const uint8_t *msg, size_t len)
{
    for (unsigned i = 0; i < VNRS_BMP_STATIONS_MAX; i++)
        if (feed_at(sp, i))
            vnrs_bmp_feed_malformed(feed_at(sp, i), m, msg, len);
}
