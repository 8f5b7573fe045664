// SPDX-License-Identifier: GPL-2.0-or-later
// A controller, a fake agent, fake speakers and an HTTP client in one event loop.
#pragma once

#include "control/fake_agent.h"

struct fixture {
    struct event_base *base;
    struct event *tick; // so that waiting for a condition ends at the deadline
    struct fake_agent agent;
    struct vnrs_control *control;
    char dir[64], path[96];
};

static inline void fixture_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

static inline void fixture_start(struct fixture *f)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int pair[2], r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);

    assert(r == 0);
    f->agent.base = f->base;
    f->agent.fd = pair[0];
    f->agent.gone = false;
    assert(vnrs_fd_set_nonblock(pair[0], true) == 0);
    int size = 4 << 20; // the fake agent does not queue
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    f->agent.read = event_new(f->base, pair[0], EV_READ | EV_PERSIST, fake_on_read, &f->agent);
    assert(event_add(f->agent.read, NULL) == 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
    (void)unlink(f->path);
    r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
    assert(r == 0);
    r = listen(fd, 16);
    assert(r == 0);
    f->control = vnrs_control_new(f->base, pair[1], fd);
    assert(f->control);
}

static inline void fixture_stop(struct fixture *f)
{
    vnrs_control_free(f->control);
    f->control = NULL;
    event_free(f->agent.read);
    (void)close(f->agent.fd);
}

static inline int fixture_setup(void **state)
{
    static const struct timeval period = {0, 5000};
    struct fixture *f = calloc(1, sizeof(*f));

    (void)signal(SIGPIPE, SIG_IGN); // as in the controller

    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/vnrs-control-XXXXXX");
    char *made = mkdtemp(f->dir);
    assert(made);
    (void)snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
    f->base = event_base_new();
    f->tick = event_new(f->base, -1, EV_PERSIST, fixture_tick, NULL);
    event_add(f->tick, &period);
    fixture_start(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    fixture_stop(f);
    fake_fini(&f->agent);
    event_free(f->tick);
    event_base_free(f->base);
    (void)unlink(f->path);
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

#define RUN_UNTIL(f, condition)                                                                                        \
    do {                                                                                                               \
        uint64_t deadline_ = vnrs_clock_ms() + 5000;                                                                   \
        while (!(condition)) {                                                                                         \
            assert_true(vnrs_clock_ms() < deadline_);                                                                  \
            event_base_loop((f)->base, EVLOOP_ONCE);                                                                   \
        }                                                                                                              \
    } while (0)

// Everything that is due happens; for "and then nothing more".
static inline void fixture_settle(struct fixture *f, unsigned ms)
{
    uint64_t end = vnrs_clock_ms() + ms;

    while (vnrs_clock_ms() < end)
        event_base_loop(f->base, EVLOOP_ONCE);
}

// ---- HTTP

struct answer {
    int status;
    json_t *json;
    char text[65536];
};

static inline struct answer fixture_http(struct fixture *f, const char *method, const char *path, const char *body)
{
    static struct answer answer;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char head[512];
    size_t have = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    answer = (struct answer){0};
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
    int r = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
    assert(r == 0);
    (void)snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                   method, path, body ? strlen(body) : 0);
    assert(write(fd, head, strlen(head)) == (ssize_t)strlen(head));
    if (body)
        assert(write(fd, body, strlen(body)) == (ssize_t)strlen(body));
    uint64_t deadline = vnrs_clock_ms() + 5000;
    for (;;) {
        event_base_loop(f->base, EVLOOP_ONCE);
        ssize_t n = recv(fd, answer.text + have, sizeof(answer.text) - 1 - have, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n > 0)
            have += (size_t)n;
        assert(vnrs_clock_ms() < deadline);
    }
    (void)close(fd);
    (void)sscanf(answer.text, "HTTP/1.1 %d", &answer.status);
    char *payload = strstr(answer.text, "\r\n\r\n");
    answer.json = payload ? json_loads(payload + 4, 0, NULL) : NULL;
    return answer;
}

static inline struct answer fixture_apply(struct fixture *f, const char *source)
{
    json_t *body = json_pack("{s:s, s:s}", "file", "t.vnrs.yml", "source", source);
    char *text = json_dumps(body, 0);
    struct answer answer = fixture_http(f, "POST", "/v1/labs", text);

    json_decref(body);
    free(text);
    return answer;
}

// ---- speakers

struct fake_speaker {
    int fd;              // our end
    uint64_t generation; // of the last HELLO
    unsigned hellos, configs, peers, own;
    struct vnrs_spk_config config;    // the last
    struct vnrs_spk_peer_config peer; // the last
    char text[VNRS_SHUTDOWN_MAX];     // of the last action
    struct vnrs_spk_dump dump;        // the last order about one
    unsigned dumps;                   // such orders
    uint64_t credit;                  // of all of them
    struct vnrs_spk_query asked[8];   // questions nobody has answered
    unsigned n_asked;
    unsigned n_stations;
    struct vnrs_spk_bmp stations[VNRS_BMP_STATIONS_MAX];
};

// A speaker of the instance starts: the controller gets its descriptor, and the agent keeps it.
static inline struct fake_speaker fixture_speaker(struct fixture *f, const char *lab, const char *key)
{
    struct fake_speaker speaker = {0};
    struct vnrs_ag_speaker msg = {.obj.type = VNRS_OBJ_SPEAKER, .pid = 42};
    int pair[2], r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);

    assert(r == 0);
    (void)snprintf(msg.obj.lab, sizeof(msg.obj.lab), "%s", lab);
    (void)snprintf(msg.obj.key, sizeof(msg.obj.key), "%s", key);
    speaker.fd = pair[0];
    f->agent.speaker_objs[f->agent.n_speakers] = msg.obj;
    f->agent.speakers[f->agent.n_speakers++] = pair[1];
    fake_send(&f->agent, VNRS_AG_SPEAKER, 0, &msg, sizeof(msg), 1, NULL, 0, pair[1]);
    return speaker;
}

static inline void speaker_say(struct fake_speaker *speaker, enum vnrs_speaker_msg type, const void *items, size_t size,
                               size_t n)
{
    struct vnrs_spk_hdr hdr = {
        .proto = VNRS_SPEAKER_PROTO, .type = (uint16_t)type, .count = (uint32_t)n, .generation = speaker->generation};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)items, size * n}};
    int r = vnrs_msg_send(speaker->fd, parts, 2, NULL, 0);
    assert(r == 0);
}

// Read what the controller said; true when a whole configuration has come.
static inline bool speaker_hear(struct fake_speaker *speaker)
{
    static _Alignas(16) char buf[VNRS_SPEAKER_MSG_MAX];
    struct vnrs_spk_hdr hdr;

    for (;;) {
        ssize_t n = recv(speaker->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n <= 0)
            return speaker->configs;
        memcpy(&hdr, buf, sizeof(hdr));
        if (hdr.type == VNRS_SPK_HELLO) {
            speaker->generation = hdr.generation;
            speaker->hellos++;
            speaker->configs = speaker->peers = speaker->own = 0;
            struct vnrs_spk_hello hello = {.generation = hdr.generation, .pid = 42};
            speaker_say(speaker, VNRS_SPK_HELLO, &hello, sizeof(hello), 1);
        }
        assert(hdr.generation == speaker->generation);
        speaker->peers += hdr.type == VNRS_SPK_PEER_CONFIG ? hdr.count : 0;
        speaker->own += hdr.type == VNRS_SPK_OWN ? hdr.count : 0;
        if (hdr.type == VNRS_SPK_CONFIG_BEGIN)
            memcpy(&speaker->config, buf + sizeof(hdr), sizeof(speaker->config));
        if (hdr.type == VNRS_SPK_PEER_CONFIG)
            memcpy(&speaker->peer, buf + sizeof(hdr) + (hdr.count - 1) * sizeof(speaker->peer), sizeof(speaker->peer));
        if (hdr.type == VNRS_SPK_ACTION)
            memcpy(speaker->text, buf + sizeof(hdr) + offsetof(struct vnrs_spk_action, text), sizeof(speaker->text));
        if (hdr.type == VNRS_SPK_QUERY && speaker->n_asked < sizeof(speaker->asked) / sizeof(speaker->asked[0]))
            memcpy(&speaker->asked[speaker->n_asked++], buf + sizeof(hdr), sizeof(speaker->asked[0]));
        if (hdr.type == VNRS_SPK_DUMP) {
            memcpy(&speaker->dump, buf + sizeof(hdr), sizeof(speaker->dump));
            speaker->dumps++;
            speaker->credit += speaker->dump.credit;
        }
        if (hdr.type == VNRS_SPK_CONFIG_BEGIN)
            speaker->n_stations = 0;
        if (hdr.type == VNRS_SPK_BMP) { // all in one message
            memcpy(speaker->stations, buf + sizeof(hdr), hdr.count * sizeof(speaker->stations[0]));
            speaker->n_stations = hdr.count;
        }
        speaker->configs += hdr.type == VNRS_SPK_CONFIG_END;
    }
}

static inline void speaker_say_set(struct fake_speaker *speaker, const char *prefix, const struct vnrs_spk_set *set)
{
    struct {
        struct vnrs_spk_set set;
        struct vnrs_spk_hdr hdr;
        struct vnrs_spk_route route;
    } both = {*set, {VNRS_SPEAKER_PROTO, VNRS_SPK_ROUTES, 1, speaker->generation}, {.set = set->n > 0}};
    int r = vnrs_prefix_parse(prefix, &both.route.prefix);
    size_t len = offsetof(__typeof__(both), route) + sizeof(both.route); // without what pads it

    assert(r == 0);
    if (set->n)
        speaker_say(speaker, VNRS_SPK_SETS, &both, len, 1);
    else
        speaker_say(speaker, VNRS_SPK_ROUTES, &both.route, sizeof(both.route), 1);
}

// Packets to "10.50.0.7/32" are dropped: a BLACKHOLE route of peer 4.
static inline void speaker_drop(struct fake_speaker *speaker, const char *prefix)
{
    speaker_say_set(speaker, prefix,
                    &(struct vnrs_spk_set){.n = 1, .paths[0] = {.path_len = 1, .sources = UINT64_C(1) << 4}});
}

// "10.50.0.0/16" with these next hops (NULL-terminated); none: withdrawn.
static inline void speaker_route(struct fake_speaker *speaker, const char *prefix, const char *const *next_hops)
{
    struct vnrs_spk_set set = {0};

    for (; next_hops && *next_hops; next_hops++) {
        struct vnrs_spk_nexthop *path = &set.paths[set.n++];
        int r = vnrs_addr_parse(*next_hops, &path->nexthop);
        assert(r == 0);
        path->path_len = 1;
        path->sources = UINT64_C(1) << path->nexthop.bytes[3]; // 10.0.1.4 is peer 4
    }
    speaker_say_set(speaker, prefix, &set);
}
