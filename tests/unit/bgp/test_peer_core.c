// SPDX-License-Identifier: GPL-2.0-or-later
// A whole speaker without sockets: peers that are fed with encoded UPDATEs, and what each of them is told.
#include "bgp/adj_out.h"
#include "bgp/report.h"
#include "bgp/speaker_core.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ASN 65515u

struct world {
    struct vnrs_bgp_speaker *sp;
    struct vnrs_spk_config conf;
    struct vnrs_spk_peer_config peers[4];
    size_t n_peers;
    uint8_t last[VNRS_BGP_MSG_MAX]; // the last message sent to anybody
    unsigned sent;
    const struct vnrs_bgp_member *listens; // the only one that has room
    uint8_t told[1u << 16];                // to it
    size_t told_len;
};

static void on_connect(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    (void)m;
}
static void on_close(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    (void)arg;
    (void)m;
    (void)side;
}
static void on_send(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    struct world *w = arg;

    (void)side;
    if (w->listens) {
        assert_ptr_equal(m, w->listens);
        memcpy(w->told + w->told_len, bytes, len);
        w->told_len += len;
        return;
    }
    memcpy(w->last, bytes, len);
    w->sent++;
}
static uint32_t on_random(void *arg)
{
    (void)arg;
    return 0;
}
static bool has_room(void *arg, const struct vnrs_bgp_member *m)
{
    const struct world *w = arg;
    return m == w->listens && w->told_len + VNRS_BGP_MSG_MAX <= sizeof(w->told);
}
static const struct vnrs_bgp_speaker_ops ops = {
    .connect = on_connect, .close = on_close, .send = on_send, .has_room = has_room, .random = on_random};

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a = {0};
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static struct vnrs_prefix prefix(const char *text)
{
    struct vnrs_prefix p = {0};
    assert_int_equal(vnrs_prefix_parse(text, &p), 0);
    return p;
}

static int configure(struct world *w, const char *const *locals, size_t n)
{
    struct vnrs_spk_own list[8] = {0};

    for (size_t i = 0; i < n; i++)
        list[i].prefix = prefix(locals[i]);
    return vnrs_bgp_speaker_configure(w->sp, 1000, &w->conf, list, n, w->peers, w->n_peers, NULL);
}

static void peer_add(struct world *w, const char *name, const char *address, uint32_t asn)
{
    struct vnrs_spk_peer_config *p = &w->peers[w->n_peers++];

    *p = (struct vnrs_spk_peer_config){.addr = addr(address), .passive = 1, .hold = 180, .keepalive = 60, .asn = asn};
    (void)snprintf(p->name, sizeof(p->name), "%s", name);
}

static void setup(struct world *w, const char *local)
{
    *w = (struct world){0};
    w->sp = vnrs_bgp_speaker_new(&ops, w, 7);
    assert_non_null(w->sp);
    w->conf = (struct vnrs_spk_config){.asn = ASN,
                                       .router_id = 0x0a000004,
                                       .local = addr(local),
                                       .role = VNRS_SPK_ROLE_ROUTE_SERVER,
                                       .connect_retry_ms = 5000};
}

static struct vnrs_bgp_member *up(struct world *w, const char *name, uint64_t now)
{
    struct vnrs_bgp_member *m = vnrs_bgp_speaker_find_name(w->sp, name);
    uint8_t buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_open open = {.asn = m->conf.asn,
                                 .hold = 180,
                                 .id = 0x0a000000u + m->slot + 10,
                                 .caps = {.mp = {true, true}, .any_mp = true, .as4 = true, .refresh = true}};
    open.caps.ext_nexthop = m->speaker->conf.features & VNRS_SPK_EXTENDED_NEXTHOP;

    assert_int_equal(vnrs_bgp_peer_accept(&m->peer, now), 0);
    vnrs_bgp_peer_accepted(&m->peer, now);
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_int_equal(vnrs_bgp_peer_input(&m->peer, now, VNRS_BGP_IN, buf, (size_t)len), len);
    len = vnrs_bgp_keepalive_encode(buf, sizeof(buf));
    assert_int_equal(vnrs_bgp_peer_input(&m->peer, now, VNRS_BGP_IN, buf, (size_t)len), len);
    assert_non_null(vnrs_bgp_peer_session(&m->peer));
    return m;
}

struct route {
    uint32_t path[4];
    unsigned path_len;
    uint32_t community;
    const char *nexthop;
};

static ssize_t announce_at(struct vnrs_bgp_member *m, struct route r, const struct vnrs_prefix *list, size_t n,
                           uint64_t now)
{
    uint8_t path[2 + 16] = {2, (uint8_t)r.path_len}, buf[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_attrs a = {.nexthop = r.nexthop ? addr(r.nexthop) : m->conf.addr,
                               .as_path = path,
                               .as_path_bytes = (uint16_t)(2 + 4 * r.path_len),
                               .communities = &r.community,
                               .n_communities = r.community != 0,
                               .has = VNRS_BGP_HAS_MED,
                               .med = 50};
    size_t used = 0;

    for (unsigned i = 0; i < r.path_len; i++)
        for (unsigned b = 0; b < 4; b++)
            path[2 + 4 * i + b] = (uint8_t)(r.path[i] >> (24 - 8 * b));
    // The peer's side of the same session.
    struct vnrs_bgp_session s = vnrs_bgp_peer_session(&m->peer)->session;
    int len = vnrs_bgp_update_encode(&s, list[0].family == VNRS_AF_IPV6, &a, list, NULL, n, buf, sizeof(buf), &used);
    assert_true(len > 0 && used == n);
    return vnrs_bgp_peer_input(&m->peer, now, VNRS_BGP_IN, buf, (size_t)len);
}

static ssize_t announce_many(struct vnrs_bgp_member *m, struct route r, const struct vnrs_prefix *list, size_t n)
{
    return announce_at(m, r, list, n, 2000);
}

static ssize_t announce(struct vnrs_bgp_member *m, struct route r, const char *text)
{
    struct vnrs_prefix p = prefix(text);
    return announce_many(m, r, &p, 1);
}

// Reads what a peer is told until nothing is left; the Adj-RIB-In that results, as text, sorted by arrival.
struct heard {
    unsigned messages, announced, withdrawn, eor;
    struct vnrs_bgp_attrs attrs; // of the last announcement; arrays are gone
    char path[64];
    uint32_t community;
    struct vnrs_prefix last;
};

static void hear(struct vnrs_bgp_member *m, const uint8_t *msg, size_t len, struct heard *h)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    struct vnrs_bgp_session s = vnrs_bgp_peer_session(&m->peer)->session;
    struct vnrs_bgp_update u = {0};
    struct vnrs_bgp_error error;

    s.peer_asn = ASN; // seen from the other end
    assert_int_equal(vnrs_bgp_update_decode(&s, msg, len, scratch, &u, &error), VNRS_BGP_OK);
    h->messages++;
    for (unsigned i = 0; i < 2; i++) {
        struct vnrs_prefix p;
        while (vnrs_bgp_nlri_next(&u.withdrawn[i], &p))
            h->withdrawn++;
        if (u.reach[i].len) {
            h->attrs = u.attrs[i];
            (void)vnrs_bgp_as_path_format(&u.attrs[i], h->path, sizeof(h->path));
            h->community = u.attrs[i].n_communities ? u.attrs[i].communities[u.attrs[i].n_communities - 1] : 0;
        }
        while (vnrs_bgp_nlri_next(&u.reach[i], &p)) {
            h->announced++;
            h->last = p;
        }
        h->eor += u.eor[i];
    }
}

static struct heard listen_to(struct vnrs_bgp_member *m)
{
    struct world *w = m->speaker->arg;
    struct heard h = {0};
    bool more;

    w->listens = m;
    do {
        w->told_len = 0;
        more = vnrs_bgp_adj_out_run(w->sp);
        for (size_t at = 0, len; at < w->told_len; at += len) {
            len = (size_t)(w->told[at + 16] << 8 | w->told[at + 17]);
            hear(m, w->told + at, len, &h);
        }
    } while (more || w->told_len);
    w->listens = NULL;
    return h;
}

static struct vnrs_spk_set route_of(struct world *w, const char *text)
{
    struct vnrs_prefix p = prefix(text);
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&w->sp->rib, &p);
    struct vnrs_spk_set r = {0};

    if (d)
        vnrs_bgp_report_set(w->sp, d, &r);
    return r;
}

static void exchange(void **state)
{
    static const char *const ranges[] = {"10.0.0.0/16", "10.1.0.0/16"};
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    peer_add(&w, "a", "10.0.0.10", 65001);
    peer_add(&w, "b", "10.0.0.11", 65002);
    assert_int_equal(configure(&w, ranges, 2), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
    struct heard h = listen_to(a);
    assert_true(h.messages == 1 && h.announced == 2 && h.eor == 0); // own ranges in one UPDATE, no End-of-RIB
    assert_string_equal(h.path, "65515");
    assert_true(h.community == 0 && h.attrs.origin == VNRS_BGP_ORIGIN_IGP && h.attrs.has == 0);
    (void)listen_to(b);

    assert_true(announce(a, (struct route){{65001, 65002}, 2, 0, "10.0.0.77"}, "192.168.0.0/16") > 0);
    h = listen_to(b);
    assert_true(h.announced == 1 && h.community == VNRS_BGP_COMMUNITY_RS);
    assert_string_equal(h.path, "65515-65001-65002");
    struct vnrs_addr us = addr("10.0.0.4");
    assert_true(vnrs_addr_equal(&h.attrs.nexthop, &us) && !(h.attrs.has & VNRS_BGP_HAS_MED));
    assert_int_equal(listen_to(a).messages, 0);
    struct vnrs_spk_set r = route_of(&w, "192.168.0.0/16");
    struct vnrs_addr kept = addr("10.0.0.77");
    assert_true(r.n == 1 && r.paths[0].path_len == 2 && r.paths[0].sources);
    assert_true(vnrs_addr_equal(&r.paths[0].nexthop, &kept));

    // The same next hop from both is one way to go; a better path of b turns the direction around.
    assert_true(announce(b, (struct route){{65002, 65009}, 2, 0, "10.0.0.77"}, "192.168.0.0/16") > 0);
    assert_int_equal(route_of(&w, "192.168.0.0/16").n, 1);
    assert_true(announce(b, (struct route){{65002}, 1, 0, NULL}, "192.168.0.0/16") > 0);
    assert_int_equal(listen_to(a).announced, 1);
    assert_int_equal(listen_to(b).withdrawn, 1);
    vnrs_bgp_peer_disconnected(&b->peer, 3000, VNRS_BGP_IN, NULL);
    assert_int_equal(listen_to(a).withdrawn, 1);
    assert_int_equal(w.sp->rib.counts[b->slot], 0);
    vnrs_bgp_speaker_stop(w.sp, 4000);
    assert_true(w.last[18] == VNRS_BGP_NOTIFICATION && w.last[19] == 6 && w.last[20] == 2);
    vnrs_bgp_speaker_free(w.sp);
}

static const struct {
    const char *what;
    struct route route;
    const char *prefix;
    bool learned, used, told;
} import_rows[] = {
    {"ordinary", {{65001}, 1, 0, NULL}, "192.168.0.0/16", true, true, true},
    {"own ASN in the path", {{65001, ASN}, 2, 0, NULL}, "192.168.0.0/16", false, false, false},
    {"ASN 0 in the path", {{65001, 0}, 2, 0, NULL}, "192.168.0.0/16", false, false, false},
    {"first ASN is another's", {{65009}, 1, 0, NULL}, "192.168.0.0/16", false, false, false},
    {"equal to a range", {{65001}, 1, 0, NULL}, "10.0.0.0/16", true, false, false},
    {"inside a range", {{65001}, 1, 0, NULL}, "10.0.3.0/24", true, false, false},
    {"inside a nested range", {{65001}, 1, 0, NULL}, "10.0.128.0/25", true, false, false},
    {"covers a range", {{65001}, 1, 0, NULL}, "10.0.0.0/8", true, true, true},
    {"default route", {{65001}, 1, 0, NULL}, "0.0.0.0/0", true, true, true},
    {"next hop is us", {{65001}, 1, 0, "10.0.0.4"}, "192.168.0.0/16", true, false, false},
    {"NO_ADVERTISE", {{65001}, 1, VNRS_BGP_NO_ADVERTISE, NULL}, "192.168.0.0/16", true, true, false},
    {"NO_EXPORT", {{65001}, 1, VNRS_BGP_NO_EXPORT, NULL}, "192.168.0.0/16", true, true, false},
    {"NO_EXPORT_SUBCONFED", {{65001}, 1, VNRS_BGP_NO_EXPORT_SUBCONFED, NULL}, "192.168.0.0/16", true, true, false},
    {"BLACKHOLE", {{65001}, 1, VNRS_BGP_BLACKHOLE, NULL}, "192.168.0.0/16", true, true, false},
    {"GRACEFUL_SHUTDOWN", {{65001}, 1, VNRS_BGP_GRACEFUL_SHUTDOWN, NULL}, "192.168.0.0/16", true, true, true},
};

static void import_rules(void **state)
{
    static const char *const ranges[] = {"10.0.0.0/16", "10.0.128.0/24"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(import_rows); i++) {
        struct world w;
        setup(&w, "10.0.0.4");
        peer_add(&w, "a", "10.0.0.10", 65001);
        peer_add(&w, "b", "10.0.0.11", 65002);
        assert_int_equal(configure(&w, ranges, 2), 0);
        struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
        (void)listen_to(b);
        assert_true(announce(a, (struct route){{65001}, 1, 0, NULL}, import_rows[i].prefix) > 0);
        assert_true(announce(a, import_rows[i].route, import_rows[i].prefix) > 0); // replaces the good one
        struct heard h = listen_to(b);
        struct vnrs_spk_set r = route_of(&w, import_rows[i].prefix);
        if ((w.sp->rib.counts[a->slot] == 1) != import_rows[i].learned || (r.n == 1) != import_rows[i].used ||
            (h.announced == 1) != import_rows[i].told)
            fail_msg("%s: learned %u, used %u, told %u", import_rows[i].what, w.sp->rib.counts[a->slot], r.n,
                     h.announced);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// What is said of 192.168.0.7/32 by two peers whose paths are equally long or not, and what comes of it: next hops, or
// nothing but "drop". `by`: bit per peer that is named as a source.
static const struct {
    const char *what;
    struct route a, b;
    const char *want;
    unsigned by;
} blackhole_rows[] = {
    {"one path", {{65001}, 1, VNRS_BGP_BLACKHOLE, NULL}, {.path_len = 0}, "drop", 1},
    {"one path, not it", {{65001}, 1, 0xfde90064u, NULL}, {.path_len = 0}, "10.0.0.10", 1},
    {"both", {{65001}, 1, VNRS_BGP_BLACKHOLE, NULL}, {{65002}, 1, VNRS_BGP_BLACKHOLE, NULL}, "drop", 3},
    {"the best of two equals", {{65001}, 1, VNRS_BGP_BLACKHOLE, NULL}, {{65002}, 1, 0, NULL}, "drop", 1},
    {"the other of two equals", {{65001}, 1, 0, NULL}, {{65002}, 1, VNRS_BGP_BLACKHOLE, NULL}, "drop", 2},
    {"a shorter path", {{65001}, 1, VNRS_BGP_BLACKHOLE, NULL}, {{65002, 65009}, 2, 0, NULL}, "drop", 1},
    {"a longer path", {{65001, 65009}, 2, VNRS_BGP_BLACKHOLE, NULL}, {{65002}, 1, 0, NULL}, "10.0.0.11", 2},
    {"a path that is barred", {{65001}, 1, VNRS_BGP_BLACKHOLE, "10.0.0.4"}, {{65002}, 1, 0, NULL}, "10.0.0.11", 2},
    {"no path", {{65001}, 1, 0, NULL}, {{65002}, 1, 0, NULL}, "10.0.0.10 10.0.0.11", 3},
};

static const char *set_text(const struct vnrs_spk_set *set, uint64_t *ret_sources)
{
    static char text[128];
    char ip[VNRS_ADDR_STR_MAX];
    size_t len = 0;

    text[0] = '\0';
    *ret_sources = 0;
    for (unsigned i = 0; i < set->n; i++) {
        const struct vnrs_addr *hop = &set->paths[i].nexthop;
        *ret_sources |= set->paths[i].sources;
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
                                hop->family ? vnrs_addr_format(hop, ip) : "drop");
    }
    return text;
}

static const char *note_of(struct world *w, const struct vnrs_bgp_member *m, const char *text)
{
    static struct vnrs_spk_path paths[VNRS_BGP_REPORT_MAX];
    const struct vnrs_spk_query query = {.kind = VNRS_SPK_RIB, .prefix = prefix(text)};
    struct vnrs_bgp_report_cursor at = {0};
    size_t n;

    assert_true(vnrs_bgp_report_next(w->sp, &query, w->sp->members[m->slot], &at, paths, &n));
    assert_int_equal(n, 1);
    return paths[0].note;
}

// RFC 7999: traffic is dropped as long as one of the paths that would share it says so, and nobody outside hears of it.
static void blackhole(void **state)
{
    static const char *const victim = "192.168.0.7/32";

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(blackhole_rows); i++) {
        struct world w;
        uint64_t sources;
        setup(&w, "10.0.0.4");
        peer_add(&w, "a", "10.0.0.10", 65001);
        peer_add(&w, "b", "10.0.0.11", 65002);
        peer_add(&w, "c", "10.0.0.12", 65003);
        assert_int_equal(configure(&w, NULL, 0), 0);
        struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
        assert_true(announce(a, blackhole_rows[i].a, victim) > 0);
        if (blackhole_rows[i].b.path_len)
            assert_true(announce(b, blackhole_rows[i].b, victim) > 0);
        struct vnrs_spk_set set = route_of(&w, victim);
        const char *have = set_text(&set, &sources);
        uint64_t by = (blackhole_rows[i].by & 1 ? UINT64_C(1) << a->slot : 0) |
                      (blackhole_rows[i].by & 2 ? UINT64_C(1) << b->slot : 0);
        if (strcmp(have, blackhole_rows[i].want) != 0 || sources != by)
            fail_msg("%s: '%s' by %#llx", blackhole_rows[i].what, have, (unsigned long long)sources);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// A path becomes BLACKHOLE and stops being it.
static void blackhole_comes_and_goes(void **state)
{
    static const char *const victim = "192.168.0.7/32";
    const struct route open = {{65001}, 1, 0, NULL}, closed = {{65001}, 1, VNRS_BGP_BLACKHOLE, NULL};
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    peer_add(&w, "a", "10.0.0.10", 65001);
    peer_add(&w, "b", "10.0.0.11", 65002);
    assert_int_equal(configure(&w, NULL, 0), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
    assert_true(announce(b, (struct route){{65002}, 1, 0, NULL}, victim) > 0);
    assert_true(announce(a, open, victim) > 0);
    assert_int_equal(route_of(&w, victim).n, 2);
    assert_string_equal(note_of(&w, a, victim), "");
    assert_true(announce(a, closed, victim) > 0);
    assert_true(route_of(&w, victim).n == 1 && !route_of(&w, victim).paths[0].nexthop.family);
    assert_string_equal(note_of(&w, a, victim), "BLACKHOLE (RFC 7999): packets are dropped");
    assert_string_equal(note_of(&w, b, victim), "packets are dropped: an equally good path is BLACKHOLE (RFC 7999)");
    assert_true(announce(a, open, victim) > 0);
    assert_int_equal(route_of(&w, victim).n, 2);
    assert_true(announce(a, closed, victim) > 0);
    vnrs_bgp_peer_disconnected(&a->peer, 3000, VNRS_BGP_IN, NULL);
    assert_true(route_of(&w, victim).n == 1 && route_of(&w, victim).paths[0].nexthop.family);
    vnrs_bgp_speaker_free(w.sp);
}

static void prefix_limit(void **state)
{
    struct vnrs_prefix list[8];
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    peer_add(&w, "a", "10.0.0.10", 65001);
    w.peers[0].max_prefixes = 8;
    assert_int_equal(configure(&w, NULL, 0), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000);
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        struct vnrs_addr at = vnrs_addr_from_v4(0xc0a80000u + (i << 8));
        list[i] = vnrs_prefix_make(&at, 24);
    }
    struct route r = {{65001}, 1, 0, NULL};
    assert_true(announce_many(a, r, list, 4) > 0);
    assert_true(announce_many(a, r, list, 4) > 0); // 4 present + 4 coming
    assert_int_equal(announce_many(a, r, list, 5), -ECONNRESET);
    static const uint8_t expected[] = {VNRS_BGP_NOTIFICATION, 6, 1, 0, 1, 1, 0, 0, 0, 8};
    assert_memory_equal(w.last + 18, expected, sizeof(expected));
    assert_int_equal(w.sp->rib.len, 0);
    // Why it was dropped is seen for as long as it is away.
    for (unsigned i = 0; i < 2; i++) {
        struct vnrs_spk_peer seen;
        vnrs_bgp_peer_disconnected(&a->peer, 3000 + i, VNRS_BGP_OUT, VNRS_CANNOT_CONNECT "Connection refused");
        vnrs_bgp_report_peer(a, &seen);
        assert_string_equal(seen.last_error, "sent NOTIFICATION: Cease, maximum number of prefixes reached; "
                                             "cannot connect: Connection refused");
    }
    vnrs_bgp_speaker_free(w.sp);
}

// What of Azure's FAQ: half of the limit and one, all of it announced again in whatever pieces, is too much; after a
// quiet while, or when it was gone meanwhile, it is not. No limit counts the same peer's changes for ever.
static void prefix_limit_of_bursts(void **state)
{
    struct vnrs_prefix list[5];
    struct route r = {{65001}, 1, 0, NULL};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
        struct vnrs_addr at = vnrs_addr_from_v4(0xc0a80000u + (i << 8));
        list[i] = vnrs_prefix_make(&at, 24);
    }
    for (unsigned how = 0; how < 4; how++) {
        struct world w;
        setup(&w, "10.0.0.4");
        peer_add(&w, "a", "10.0.0.10", 65001);
        w.peers[0].max_prefixes = 8;
        w.conf.role = how != 3;
        assert_int_equal(configure(&w, NULL, 0), 0);
        struct vnrs_bgp_member *a = up(&w, "a", 1000);
        assert_true(announce_at(a, r, list, 5, 2000) > 0);
        if (how == 1) // gone meanwhile
            vnrs_bgp_rib_withdraw_all(&w.sp->rib, a->slot);
        assert_true(announce_at(a, r, list, 2, 2500) > 0);
        assert_true(announce_at(a, r, list + 2, 1, 3000) > 0);
        uint64_t now = how == 2 ? 5000 : 4999;
        assert_int_equal(announce_at(a, r, list + 3, 1, now) > 0, how != 0);
        // One that changes every few seconds is no burst without an end.
        for (unsigned i = 0; i < 20 && how == 2; i++)
            assert_true(announce_at(a, r, list, 1, now + 10000 + i * 5000) > 0);
        vnrs_bgp_speaker_free(w.sp);
    }
}

// 5,000 prefixes leave in full messages, none twice, none missing; a refresh tells them again.
static void packing(void **state)
{
    struct vnrs_prefix list[500];
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    peer_add(&w, "a", "10.0.0.10", 65001);
    peer_add(&w, "b", "10.0.0.11", 65002);
    assert_int_equal(configure(&w, NULL, 0), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
    for (unsigned n = 0; n < 10; n++) {
        for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
            struct vnrs_addr at = vnrs_addr_from_v4(0x14000000u + ((n * 500 + i) << 8));
            list[i] = vnrs_prefix_make(&at, 24);
        }
        assert_true(announce_many(a, (struct route){{65001}, 1, 0, NULL}, list, ARRAY_SIZE(list)) > 0);
    }
    struct heard h = listen_to(b);
    assert_int_equal(h.announced, 5000);
    assert_true(h.messages >= 5 && h.messages <= 6);
    assert_int_equal(b->advertised, 5000);
    vnrs_bgp_adj_out_refresh(b, VNRS_BGP_AF6);
    assert_int_equal(listen_to(b).messages, 0);
    vnrs_bgp_adj_out_refresh(b, VNRS_BGP_AF4);
    assert_int_equal(listen_to(b).announced, 5000);
    vnrs_bgp_peer_disconnected(&a->peer, 3000, VNRS_BGP_IN, NULL);
    h = listen_to(b);
    assert_true(h.withdrawn == 5000 && h.messages <= 6 && b->advertised == 0);
    assert_int_equal(w.sp->rib.len, 0);
    vnrs_bgp_speaker_free(w.sp);
}

static void ipv6(void **state)
{
    static const char *const ranges[] = {"fd00::/48"};
    struct world w;

    (void)state;
    setup(&w, "fd00::4");
    peer_add(&w, "a", "fd00::10", 65001);
    peer_add(&w, "b", "fd00::11", 65002);
    assert_int_equal(configure(&w, ranges, 1), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
    assert_int_equal(listen_to(b).announced, 1);
    assert_true(announce(a, (struct route){{65001}, 1, 0, NULL}, "2001:db8::/32") > 0);
    assert_true(announce(a, (struct route){{65001}, 1, 0, "10.0.0.10"}, "192.168.0.0/16") > 0);
    struct heard h = listen_to(b);
    struct vnrs_addr us = addr("fd00::4");
    assert_true(h.announced == 1 && vnrs_addr_equal(&h.attrs.nexthop, &us)); // no IPv4 address to tell IPv4 with
    assert_true(route_of(&w, "2001:db8::/32").n == 1 && route_of(&w, "192.168.0.0/16").n == 1);
    vnrs_bgp_speaker_free(w.sp);
}

// RFC 8950: with only an IPv6 address, IPv4 prefixes are told by that, and taken with one.
static void ipv4_over_ipv6(void **state)
{
    static const char *const ranges[] = {"10.0.0.0/16"};
    struct world w;

    (void)state;
    setup(&w, "fd00::4");
    w.conf.features = VNRS_SPK_EXTENDED_NEXTHOP;
    peer_add(&w, "a", "fd00::10", 65001);
    peer_add(&w, "b", "fd00::11", 65002);
    assert_int_equal(configure(&w, ranges, 1), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
    struct heard h = listen_to(b);
    struct vnrs_addr us = addr("fd00::4"), them = addr("fd00::10");
    assert_true(h.announced == 1 && h.messages == 1 && vnrs_addr_equal(&h.attrs.nexthop, &us));
    assert_true(announce(a, (struct route){{65001}, 1, 0, "fd00::10"}, "192.168.0.0/16") > 0);
    h = listen_to(b);
    assert_true(h.announced == 1 && h.last.family == VNRS_AF_IPV4 && vnrs_addr_equal(&h.attrs.nexthop, &us));
    struct vnrs_spk_set r = route_of(&w, "192.168.0.0/16");
    assert_true(r.n == 1 && vnrs_addr_equal(&r.paths[0].nexthop, &them));
    vnrs_bgp_peer_disconnected(&a->peer, 3000, VNRS_BGP_IN, NULL);
    assert_int_equal(listen_to(b).withdrawn, 1);
    vnrs_bgp_speaker_free(w.sp);
}

static void reconfiguration(void **state)
{
    static const char *const before[] = {"10.0.0.0/16", "10.1.0.0/16"}, *const after[] = {"10.1.0.0/16"};
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    peer_add(&w, "a", "10.0.0.10", 65001);
    peer_add(&w, "b", "10.0.0.11", 65002);
    assert_int_equal(configure(&w, before, 2), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 1000), *b = up(&w, "b", 1000);
    assert_true(announce(a, (struct route){{65001}, 1, 0, NULL}, "10.0.9.0/24") > 0);
    (void)listen_to(a);
    (void)listen_to(b);
    unsigned sent = w.sent;
    assert_int_equal(configure(&w, before, 2), 0); // nothing changes, nothing is said
    assert_true(listen_to(a).messages == 0 && listen_to(b).messages == 0 && w.sent == sent);
    assert_int_equal(configure(&w, after, 1), 0);
    struct heard h = listen_to(b);
    assert_true(h.withdrawn == 1 && h.announced == 1); // the range goes, what it hid comes
    assert_true(vnrs_bgp_peer_session(&a->peer) && vnrs_bgp_peer_session(&b->peer));
    w.peers[0].hold = 30; // a restarts, b does not
    assert_int_equal(configure(&w, after, 1), 0);
    assert_true(!vnrs_bgp_peer_session(&a->peer) && vnrs_bgp_peer_session(&b->peer));
    assert_true(w.last[19] == 6 && w.last[20] == VNRS_BGP_CEASE_CONFIG_CHANGE);
    assert_int_equal(listen_to(b).withdrawn, 1);
    w.conf.asn = 65000; // a new identity restarts all
    assert_int_equal(configure(&w, after, 1), 0);
    assert_null(vnrs_bgp_peer_session(&b->peer));
    vnrs_bgp_speaker_free(w.sp);
}

static void bad_configurations(void **state)
{
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    peer_add(&w, "a", "10.0.0.10", 65001);
    peer_add(&w, "b", "10.0.0.10", 65002);
    assert_int_equal(configure(&w, NULL, 0), -EEXIST);
    w.peers[1].addr = addr("fd00::1");
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    w.peers[1].addr = addr("10.0.0.11");
    w.peers[1].asn = 0;
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    w.peers[1].asn = 65002;
    w.peers[1].hold = 2;
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    w.peers[1].hold = 3;
    memset(w.peers[1].name, 'x', sizeof(w.peers[1].name));
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    memset(w.peers[1].name, 0, sizeof(w.peers[1].name));
    memset(w.peers[1].md5, 'x', VNRS_MD5_KEY_MAX + 1);
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    w.conf.restart_s = VNRS_BGP_GR_TIME_MAX + 1;
    w.n_peers = 1;
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    w.conf.restart_s = 0;
    w.conf.asn = 0;
    assert_int_equal(configure(&w, NULL, 0), -EINVAL);
    assert_false(w.sp->configured);
    struct vnrs_spk_peer_config many[VNRS_BGP_PEERS_MAX + 1] = {0};
    w.conf.asn = ASN;
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
        many[i] = w.peers[0];
        many[i].addr = vnrs_addr_from_v4(0x0a000100u + i);
    }
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, NULL, 0, many, ARRAY_SIZE(many), NULL), -E2BIG);
    const struct vnrs_spk_own nothing = {.prefix = prefix("10.0.0.0/16"), .kind = _VNRS_SPK_OWN_MAX};
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, &nothing, 1, many, 1, NULL), -EINVAL);
    assert_int_equal(vnrs_bgp_speaker_configure(w.sp, 1, &w.conf, NULL, 0, many, VNRS_BGP_PEERS_MAX, NULL), 0);
    vnrs_bgp_speaker_free(w.sp);
}

static void convergence(void **state)
{
    struct world w;

    (void)state;
    setup(&w, "10.0.0.4");
    assert_false(vnrs_bgp_speaker_is_converged(w.sp, 1000));
    peer_add(&w, "a", "10.0.0.10", 65001);
    peer_add(&w, "b", "10.0.0.11", 65002);
    w.peers[1].hold = 3; // given up on after 10 s
    assert_int_equal(configure(&w, NULL, 0), 0);
    struct vnrs_bgp_member *a = up(&w, "a", 5000);
    vnrs_bgp_speaker_tick(w.sp, 8999); // not a word yet
    assert_false(a->eor);
    vnrs_bgp_speaker_tick(w.sp, 9000);
    assert_true(a->eor);
    assert_false(vnrs_bgp_speaker_is_converged(w.sp, 10999));
    assert_true(vnrs_bgp_speaker_next(w.sp) <= 11000);
    assert_true(vnrs_bgp_speaker_is_converged(w.sp, 11000));
    struct vnrs_bgp_member *b = up(&w, "b", 12000);
    const struct vnrs_prefix one = prefix("192.168.0.0/24");
    vnrs_bgp_speaker_tick(w.sp, 12000);
    assert_true(announce_at(b, (struct route){{65002}, 1, 0, NULL}, &one, 1, 12000) > 0);
    vnrs_bgp_speaker_tick(w.sp, 13999);
    assert_false(b->eor);
    vnrs_bgp_speaker_tick(w.sp, 14000); // quiet for two seconds
    assert_true(b->eor);
    vnrs_bgp_speaker_free(w.sp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange),
        cmocka_unit_test(import_rules),
        cmocka_unit_test(blackhole),
        cmocka_unit_test(blackhole_comes_and_goes),
        cmocka_unit_test(prefix_limit),
        cmocka_unit_test(prefix_limit_of_bursts),
        cmocka_unit_test(packing),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(ipv4_over_ipv6),
        cmocka_unit_test(reconfiguration),
        cmocka_unit_test(bad_configurations),
        cmocka_unit_test(convergence),
    };
    return cmocka_run_group_tests_name("peer_core", tests, NULL, NULL);
}
