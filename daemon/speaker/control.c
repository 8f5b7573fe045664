// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/control.h"

#include "bgp/heirs.h"
#include "bgp/report.h"
#include "speaker/bfd_link.h"
#include "speaker/bmp.h"
#include "speaker/conn.h"
#include "speaker/dump.h"
#include "speaker/protect.h"
#include "speaker/route_sets.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/utf8.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

#define CONSUMER   VNRS_BGP_SLOT_LOCAL // and the number of its queue
#define BIT        (UINT64_C(1) << CONSUMER)
#define BODY_MAX   (VNRS_SPEAKER_MSG_MAX - sizeof(struct vnrs_spk_hdr))
#define ROUTES_PER (BODY_MAX / sizeof(struct vnrs_spk_route))
#define PATHS_PER  (BODY_MAX / sizeof(struct vnrs_spk_path))
#define RULES_MAX  (VNRS_MAPS_MAX * VNRS_MAP_RULES_MAX)

static_assert(PATHS_PER >= VNRS_BGP_REPORT_MAX, "what one entry gives at a time fits one message");
static_assert(VNRS_BGP_PEERS_MAX * sizeof(struct vnrs_spk_peer) <= BODY_MAX, "all peers fit one message");

struct query {
    struct vnrs_spk_query ask;
    struct vnrs_bgp_report_cursor at;
    bool done;
    int error;
    struct vnrs_spk_detail detail; // PEER_DETAIL: counted so far
};

struct vnrs_control {
    struct event *read, *write;
    bool blocked; // the socket is full
    uint64_t generation;
    bool greeted, hello_due, synced, converged;
    uint64_t replayed; // routes told before SYNCED
    bool staging;      // between CONFIG_BEGIN and CONFIG_END
    struct vnrs_spk_config conf;
    VEC(struct vnrs_spk_own) own;
    VEC(struct vnrs_spk_peer_config) peers;
    VEC(struct vnrs_spk_bmp) stations;
    VEC(struct vnrs_spk_map) maps;
    VEC(struct vnrs_spk_map_rule) rules;
    VEC(struct vnrs_spk_map_item) items;
    VEC(struct query) queries;
    uint64_t reviewed_ms;
    struct vnrs_spk_peer told[VNRS_BGP_PEERS_MAX]; // by slot
    struct vnrs_route_sets sets;                   // of the message of routes
    // Structs lie in them behind a header of 16 bytes.
    alignas(16) uint8_t in[VNRS_SPEAKER_MSG_MAX];
    alignas(16) uint8_t out[VNRS_SPEAKER_MSG_MAX];
};

// --- sending

static struct vnrs_spk_hdr make_hdr(const struct vnrs_control *ct, enum vnrs_speaker_msg type, size_t count)
{
    return (struct vnrs_spk_hdr){
        .proto = VNRS_SPEAKER_PROTO, .type = (uint16_t)type, .count = (uint32_t)count, .generation = ct->generation};
}

static bool put_parts(struct vnrs_speakerd *sp, const struct iovec *parts, size_t n)
{
    struct vnrs_control *ct = sp->control;
    int err = vnrs_msg_send(VNRS_SPEAKER_FD_CONTROL, parts, n, NULL, 0);

    if (err == 0)
        return true;
    ct->blocked = true;
    if (err == -EAGAIN || err == -ENOBUFS) {
        (void)event_add(ct->write, NULL);
    } else { // nobody holds the other end, not even the agent
        log_errno_ret(err, "cannot send to the controller");
        vnrs_speakerd_exit(sp, EXIT_FAILURE);
    }
    return false;
}

bool vnrs_control_put(struct vnrs_speakerd *sp, enum vnrs_speaker_msg type, size_t count, const void *body, size_t len)
{
    struct vnrs_spk_hdr hdr = make_hdr(sp->control, type, count);
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)body, len}};

    return put_parts(sp, parts, len ? 2 : 1);
}

static bool send_hello(struct vnrs_speakerd *sp)
{
    struct vnrs_spk_hello hello = {.generation = sp->control->generation, .pid = getpid()};

    if (!vnrs_control_put(sp, VNRS_SPK_HELLO, 1, &hello, sizeof(hello)))
        return false;
    sp->control->hello_due = false;
    return true;
}

// Peers that changed; with `review` also those of which only counters did.
static bool send_peers(struct vnrs_speakerd *sp, bool review)
{
    struct vnrs_control *ct = sp->control;
    struct vnrs_spk_peer *list = (struct vnrs_spk_peer *)ct->out, now;
    struct vnrs_bgp_member *sent[VNRS_BGP_PEERS_MAX];
    size_t n = 0;

    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bgp_member *m = sp->core->members[slot];
        if (!m || (!m->changed && !review))
            continue;
        vnrs_bgp_report_peer(m, &now);
        if (!m->changed && memcmp(&now, &ct->told[slot], sizeof(now)) == 0)
            continue;
        sent[n] = m;
        list[n++] = now;
    }
    if (n && !vnrs_control_put(sp, VNRS_SPK_PEER, n, list, n * sizeof(*list)))
        return false;
    for (size_t i = 0; i < n; i++) {
        sent[i]->changed = false;
        ct->told[sent[i]->slot] = list[i];
    }
    return true;
}

static bool is_in_step(const struct vnrs_speakerd *sp)
{
    return sp->core->rib.queues.by_number[CONSUMER].in_step;
}

static struct vnrs_bgp_dest *take_route(struct vnrs_speakerd *sp, unsigned *looks)
{
    struct vnrs_bgp_rib *rib = &sp->core->rib;
    uint64_t consumers;

    return is_in_step(sp) ? vnrs_bgp_queue_pop(rib, CONSUMER)
                          : vnrs_bgp_queue_walk(rib, CONSUMER, BIT, looks, &consumers);
}

static void give_back_route(struct vnrs_speakerd *sp, struct vnrs_bgp_dest *dest)
{
    if (is_in_step(sp))
        vnrs_bgp_queue_unpop(&sp->core->rib, CONSUMER, dest);
    else
        vnrs_bgp_queue_unwalk(&sp->core->rib, CONSUMER, dest, BIT);
}

static bool put_routes(struct vnrs_speakerd *sp, struct vnrs_spk_route *list, size_t n)
{
    struct vnrs_route_sets *sets = &sp->control->sets;
    size_t sets_len = sets->n * sizeof(sets->sets[0]), len = n * sizeof(*list);
    struct vnrs_spk_hdr sets_hdr = make_hdr(sp->control, VNRS_SPK_SETS, sets->n),
                        hdr = make_hdr(sp->control, VNRS_SPK_ROUTES, n);
    struct iovec parts[] = {{&sets_hdr, sizeof(sets_hdr)}, {sets->sets, sets_len}, {&hdr, sizeof(hdr)}, {list, len}};

    if (!sets->n)
        return put_parts(sp, parts + 2, 2);
    if (sizeof(sets_hdr) + sets_len + sizeof(hdr) + len <= VNRS_SPEAKER_MSG_MAX)
        return put_parts(sp, parts, 4);
    return put_parts(sp, parts, 2) && put_parts(sp, parts + 2, 2);
}

static bool send_routes(struct vnrs_speakerd *sp)
{
    struct vnrs_control *ct = sp->control;
    struct vnrs_spk_route *list = (struct vnrs_spk_route *)ct->out;
    struct vnrs_bgp_dest *taken[ROUTES_PER], *d;
    unsigned looks = VNRS_BGP_WALK_LOOK;
    struct vnrs_spk_set set;
    size_t n = 0;

    vnrs_route_sets_clear(&ct->sets);
    while (n < ROUTES_PER && (d = take_route(sp, &looks))) {
        vnrs_bgp_report_set(sp->core, d, &set);
        list[n] = (struct vnrs_spk_route){.prefix = d->prefix};
        if (vnrs_route_sets_add(&ct->sets, &set, &list[n].set) < 0) {
            give_back_route(sp, d);
            break;
        }
        if (set.n || d->advertised & BIT)
            taken[n++] = d;
        else // nothing that the controller could have
            vnrs_bgp_rib_done(&sp->core->rib, d);
    }
    if (n && !put_routes(sp, list, n)) {
        while (n--)
            give_back_route(sp, taken[n]);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        taken[i]->advertised = list[i].set ? taken[i]->advertised | BIT : taken[i]->advertised & ~BIT;
        ct->replayed += !ct->synced && list[i].set;
        vnrs_bgp_rib_done(&sp->core->rib, taken[i]);
    }
    return true;
}

// What comes where nothing is left. Only when the controller has heard of everything: of a prefix that it has yet to
// hear of it may have another set than is reported now.
static void send_heirs(struct vnrs_speakerd *sp, unsigned slot)
{
    struct vnrs_bgp_heirs *heirs = (struct vnrs_bgp_heirs *)sp->control->out;

    static_assert(sizeof(*heirs) <= BODY_MAX, "they fit one message");
    if (!sp->control->synced || !is_in_step(sp) || vnrs_bgp_queue_due(&sp->core->rib, CONSUMER))
        return;
    vnrs_bgp_heirs_find(sp->core, slot, heirs);
    if (heirs->n)
        (void)vnrs_control_put(sp, VNRS_SPK_NEXT, heirs->n, heirs->list, heirs->n * sizeof(heirs->list[0]));
}

void vnrs_control_lost(struct vnrs_speakerd *sp, const struct vnrs_bgp_member *member)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_down down = {.sources = UINT64_C(1) << member->slot};

    // Without room the controller learns it prefix by prefix only.
    if (ct && ct->greeted && !ct->hello_due && !ct->blocked &&
        vnrs_control_put(sp, VNRS_SPK_DOWN, 1, &down, sizeof(down)))
        send_heirs(sp, member->slot);
}

static bool send_synced(struct vnrs_speakerd *sp)
{
    struct vnrs_spk_synced synced = {.routes = sp->control->replayed};

    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        synced.peers += sp->core->members[slot] != NULL;
    if (!vnrs_control_put(sp, VNRS_SPK_SYNCED, 1, &synced, sizeof(synced)))
        return false;
    sp->control->synced = true;
    return true;
}

static bool send_converged(struct vnrs_speakerd *sp)
{
    if (!vnrs_control_put(sp, VNRS_SPK_CONVERGED, 0, NULL, 0))
        return false;
    sp->control->converged = true;
    return true;
}

// --- queries: one message of answers in a run

static int query_check(const struct vnrs_speakerd *sp, const struct vnrs_spk_query *ask,
                       struct vnrs_bgp_member **ret_member)
{
    *ret_member = ask->peer[0] ? vnrs_bgp_speaker_find_name(sp->core, ask->peer) : NULL;
    if (ask->kind < VNRS_SPK_LEARNED || ask->kind > VNRS_SPK_PEER_DETAIL)
        return -EINVAL;
    if (ask->prefix.family != VNRS_AF_NONE &&
        (ask->prefix.family > VNRS_AF_IPV6 || ask->prefix.len > vnrs_af_bits(ask->prefix.family)))
        return -EINVAL;
    if (!*ret_member && (ask->peer[0] || ask->kind != VNRS_SPK_RIB))
        return -ENOENT;
    return 0;
}

#define ENTRIES_PER_RUN 65536

// Everything about one peer, once all tables were looked at. False: the socket is full.
static bool detail_run(struct vnrs_speakerd *sp, struct query *q, struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(&m->peer);
    struct vnrs_spk_detail *detail = (struct vnrs_spk_detail *)sp->control->out;

    for (size_t looked = 0; vnrs_bgp_report_count(m, &q->at, &q->detail);)
        if (++looked == ENTRIES_PER_RUN)
            return true;
    *detail = q->detail;
    detail->query = q->ask.id;
    vnrs_bgp_report_detail(m, vnrs_clock_ms(), detail);
    if (session)
        vnrs_conn_ports(sp, m, session->side, &detail->local_port, &detail->remote_port);
    q->done = vnrs_control_put(sp, VNRS_SPK_DETAIL, 1, detail, sizeof(*detail));
    return q->done;
}

static bool query_run(struct vnrs_speakerd *sp)
{
    struct vnrs_control *ct = sp->control;
    struct query *q = &ct->queries.items[0];
    struct vnrs_spk_path *list = (struct vnrs_spk_path *)ct->out;
    struct vnrs_bgp_member *m = NULL;
    struct vnrs_bgp_report_cursor start = q->at;
    size_t n = 0, more = 0, looked = 0;

    if (!q->done && (q->error = query_check(sp, &q->ask, &m)) < 0)
        q->done = true; // also when the peer goes away half way
    if (!q->done && q->ask.kind == VNRS_SPK_PEER_DETAIL && !detail_run(sp, q, m))
        return false;
    // A run is bounded by what it looks at, too: few of many prefixes may be the peer's.
    while (!q->done && q->ask.kind != VNRS_SPK_PEER_DETAIL && n + VNRS_BGP_REPORT_MAX <= PATHS_PER &&
           looked++ < ENTRIES_PER_RUN) {
        q->done = !vnrs_bgp_report_next(sp->core, &q->ask, m, &q->at, list + n, &more);
        n += more;
    }
    if (n && !vnrs_control_put(sp, VNRS_SPK_PATHS, n, list, n * sizeof(*list))) {
        q->at = start;
        q->done = false;
        return false;
    }
    if (!q->done)
        return true;
    struct vnrs_spk_query_end end = {.query = q->ask.id, .error = q->error};
    if (!vnrs_control_put(sp, VNRS_SPK_QUERY_END, 1, &end, sizeof(end)))
        return false;
    ct->queries.len--;
    memmove(q, q + 1, ct->queries.len * sizeof(*q));
    return true;
}

// One message of what is due, in order of importance. Returns false when nothing is, or the socket is full.
static bool send_next(struct vnrs_speakerd *sp)
{
    struct vnrs_control *ct = sp->control;
    uint64_t now = vnrs_clock_ms();

    if (!ct->greeted)
        return false;
    if (ct->hello_due)
        return send_hello(sp);
    bool review = now - ct->reviewed_ms >= VNRS_CONTROL_REVIEW_MS;
    if (!send_peers(sp, review))
        return false;
    if (review)
        ct->reviewed_ms = now;
    (void)vnrs_bgp_queue_rejoin(&sp->core->rib, CONSUMER, BIT);
    if (!ct->synced && is_in_step(sp))
        return send_synced(sp);
    if (vnrs_bgp_queue_due(&sp->core->rib, CONSUMER))
        return send_routes(sp);
    if (!ct->converged && vnrs_bgp_speaker_is_converged(sp->core, now))
        return send_converged(sp);
    return false;
}

bool vnrs_control_flush(struct vnrs_speakerd *sp)
{
    struct vnrs_control *ct = sp->control;
    int left = VNRS_CONTROL_RUN_MAX;

    while (!ct->blocked && left > 0 && send_next(sp))
        left--;
    // Answers take their turn with routes: neither can hold up the other for long.
    if (!ct->blocked && ct->greeted && !ct->hello_due && ct->queries.len)
        (void)query_run(sp);
    bool dumping = !ct->blocked && ct->greeted && !ct->hello_due && vnrs_dump_run(sp);
    return !ct->blocked && (left == 0 || ct->queries.len || dumping);
}

bool vnrs_control_is_behind(const struct vnrs_speakerd *sp)
{
    return sp->control->blocked && vnrs_bgp_queue_due(&sp->core->rib, CONSUMER) > VNRS_CONTROL_BACKLOG_MAX;
}

uint64_t vnrs_control_next(const struct vnrs_speakerd *sp)
{
    const struct vnrs_control *ct = sp->control;
    return ct->greeted && !ct->blocked ? ct->reviewed_ms + VNRS_CONTROL_REVIEW_MS : VNRS_BGP_NEVER;
}

// --- receiving. Handlers return 0, or a negative errno for a message that must not be.

static int take_hello(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    const struct vnrs_spk_hello *hello = body;
    struct vnrs_control *ct = sp->control;

    (void)n;
    ct->generation = hello->generation;
    ct->greeted = ct->hello_due = true;
    ct->synced = ct->converged = ct->staging = false;
    vec_clear(&ct->queries); // they were the earlier controller's
    vnrs_dump_forget(sp);
    vnrs_bgp_queue_leave(&sp->core->rib, CONSUMER);
    sp->core->rib.queues.by_number[CONSUMER].is_scattered = true;
    vnrs_bgp_queue_join(&sp->core->rib, CONSUMER, CONSUMER, 1u << VNRS_BGP_HEARS_MULTIPATH);
    ct->replayed = 0;
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        if (sp->core->members[slot])
            sp->core->members[slot]->changed = true;
    return 0;
}

static int take_config_begin(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;

    (void)n;
    memcpy(&ct->conf, body, sizeof(ct->conf));
    vec_clear(&ct->own);
    vec_clear(&ct->peers);
    vec_clear(&ct->stations);
    vec_clear(&ct->maps);
    vec_clear(&ct->rules);
    vec_clear(&ct->items);
    ct->staging = true;
    return 0;
}

static int take_own(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_own *own = body;
    int err = ct->staging && n <= VNRS_CONTROL_OWN_MAX - ct->own.len ? 0 : -EBADMSG;

    for (size_t i = 0; i < n && err == 0; i++)
        err = vec_push(&ct->own, own[i]);
    return err;
}

static int take_peers(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_peer_config *peers = body;
    int err = ct->staging && n <= VNRS_BGP_PEERS_MAX - ct->peers.len ? 0 : -EBADMSG;

    for (size_t i = 0; i < n && err == 0; i++)
        err = vec_push(&ct->peers, peers[i]);
    return err;
}

static int take_maps(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_map *maps = body;
    int err = ct->staging && n <= VNRS_MAPS_MAX - ct->maps.len ? 0 : -EBADMSG;

    for (size_t i = 0; i < n && err == 0; i++)
        err = vec_push(&ct->maps, maps[i]);
    return err;
}

static int take_rules(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_map_rule *rules = body;
    int err = ct->staging && n <= RULES_MAX - ct->rules.len ? 0 : -EBADMSG;

    for (size_t i = 0; i < n && err == 0; i++)
        err = vec_push(&ct->rules, rules[i]);
    return err;
}

static int take_items(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_map_item *items = body;
    int err = ct->staging && n <= VNRS_MAP_ITEMS_MAX - ct->items.len ? 0 : -EBADMSG;

    for (size_t i = 0; i < n && err == 0; i++)
        err = vec_push(&ct->items, items[i]);
    return err;
}

static int take_stations(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;
    const struct vnrs_spk_bmp *stations = body;
    int err = ct->staging && n <= VNRS_BMP_STATIONS_MAX - ct->stations.len ? 0 : -EBADMSG;

    for (size_t i = 0; i < n && err == 0; i++) {
        bool is_addr = stations[i].station.family == VNRS_AF_IPV4 || stations[i].station.family == VNRS_AF_IPV6;
        if (!is_addr || !memchr(stations[i].name, '\0', sizeof(stations[i].name)))
            return -EBADMSG;
        err = vec_push(&ct->stations, stations[i]);
    }
    return err;
}

static int take_config_end(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct vnrs_control *ct = sp->control;

    (void)body;
    (void)n;
    if (!ct->staging)
        return -EBADMSG;
    ct->staging = false;
    ct->converged = false;
    struct vnrs_bgp_policy *policy = NULL;
    int err = 0;
    if (ct->maps.len || ct->rules.len || ct->items.len)
        err = vnrs_bgp_policy_new(ct->maps.items, ct->maps.len, ct->rules.items, ct->rules.len, ct->items.items,
                                  ct->items.len, &policy);
    if (err == 0)
        err = vnrs_bgp_speaker_configure(sp->core, vnrs_clock_ms(), &ct->conf, ct->own.items, ct->own.len,
                                         ct->peers.items, ct->peers.len, &policy);
    vnrs_bgp_policy_free(policy);
    vnrs_protect_listener(sp);
    vnrs_bfd_link_sync(sp);
    return err < 0 ? err : vnrs_bmp_configure(sp, ct->stations.items, ct->stations.len);
}

static int take_query(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    struct query q = {0};

    (void)n;
    memcpy(&q.ask, body, sizeof(q.ask));
    if (sp->control->queries.len >= VNRS_CONTROL_QUERIES_MAX || !memchr(q.ask.peer, '\0', sizeof(q.ask.peer)))
        return -EBADMSG;
    return vec_push(&sp->control->queries, q);
}

static void act_on(struct vnrs_bgp_member *m, const struct vnrs_spk_action *action)
{
    if (action->kind == VNRS_SPK_CLEAR)
        vnrs_bgp_member_clear(m, vnrs_clock_ms(), action->text);
    else
        vnrs_bgp_member_refresh(m, vnrs_clock_ms());
}

// An empty name means every peer. A peer that is no longer configured is nobody's error.
static int take_action(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    const struct vnrs_spk_action *action = body;

    (void)n;
    if (!memchr(action->peer, '\0', sizeof(action->peer)) || !vnrs_utf8_is_text(action->text, sizeof(action->text)) ||
        (action->kind != VNRS_SPK_CLEAR && action->kind != VNRS_SPK_REFRESH))
        return -EBADMSG;
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bgp_member *m = sp->core->members[slot];
        if (m && (!action->peer[0] || strcmp(action->peer, m->conf.name) == 0))
            act_on(m, action);
    }
    return 0;
}

static int take_dump(struct vnrs_speakerd *sp, const void *body, size_t n)
{
    (void)n;
    return vnrs_dump_take(sp, body);
}

static const struct {
    int (*take)(struct vnrs_speakerd *sp, const void *body, size_t n);
    size_t size; // of one struct
    size_t min, max;
} handlers[_VNRS_SPK_MAX] = {
    [VNRS_SPK_HELLO] = {take_hello, sizeof(struct vnrs_spk_hello), 1, 1},
    [VNRS_SPK_CONFIG_BEGIN] = {take_config_begin, sizeof(struct vnrs_spk_config), 1, 1},
    [VNRS_SPK_OWN] = {take_own, sizeof(struct vnrs_spk_own), 0, SIZE_MAX},
    [VNRS_SPK_PEER_CONFIG] = {take_peers, sizeof(struct vnrs_spk_peer_config), 0, SIZE_MAX},
    [VNRS_SPK_MAP] = {take_maps, sizeof(struct vnrs_spk_map), 0, SIZE_MAX},
    [VNRS_SPK_MAP_RULE] = {take_rules, sizeof(struct vnrs_spk_map_rule), 0, SIZE_MAX},
    [VNRS_SPK_MAP_ITEM] = {take_items, sizeof(struct vnrs_spk_map_item), 0, SIZE_MAX},
    [VNRS_SPK_CONFIG_END] = {take_config_end, 0, 0, 0},
    [VNRS_SPK_QUERY] = {take_query, sizeof(struct vnrs_spk_query), 1, 1},
    [VNRS_SPK_ACTION] = {take_action, sizeof(struct vnrs_spk_action), 1, 1},
    [VNRS_SPK_BMP] = {take_stations, sizeof(struct vnrs_spk_bmp), 0, SIZE_MAX},
    [VNRS_SPK_DUMP] = {take_dump, sizeof(struct vnrs_spk_dump), 1, 1},
};

static int take_message(struct vnrs_speakerd *sp, const uint8_t *msg, size_t len)
{
    struct vnrs_spk_hdr hdr;

    if (len < sizeof(hdr))
        return -EBADMSG;
    memcpy(&hdr, msg, sizeof(hdr));
    if (hdr.proto != VNRS_SPEAKER_PROTO || hdr.type >= _VNRS_SPK_MAX || !handlers[hdr.type].take)
        return -EBADMSG;
    if (hdr.count < handlers[hdr.type].min || hdr.count > handlers[hdr.type].max ||
        (uint64_t)hdr.count * handlers[hdr.type].size != len - sizeof(hdr))
        return -EBADMSG;
    // What an earlier controller left in the socket.
    if (hdr.type != VNRS_SPK_HELLO && hdr.generation != sp->control->generation)
        return 0;
    return handlers[hdr.type].take(sp, msg + sizeof(hdr), hdr.count);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;
    ssize_t len = vnrs_msg_recv(fd, sp->control->in, sizeof(sp->control->in), NULL, NULL);

    (void)what;
    if (len == -EAGAIN)
        return;
    if (len == 0 || len == -ECONNRESET) {
        vnrs_speakerd_exit(sp, EXIT_SUCCESS);
        return;
    }
    int err = len < 0 ? (int)len : take_message(sp, sp->control->in, (size_t)len);
    if (err < 0) {
        log_errno_ret(err, "message from the controller refused");
        vnrs_speakerd_exit(sp, EXIT_FAILURE);
        return;
    }
    vnrs_speakerd_settle(sp);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;

    (void)fd;
    (void)what;
    sp->control->blocked = false;
    vnrs_speakerd_settle(sp);
}

int vnrs_control_init(struct vnrs_speakerd *sp)
{
    int err = vnrs_fd_set_nonblock(VNRS_SPEAKER_FD_CONTROL, true);

    if (err < 0)
        return err;
    if (!(sp->control = calloc(1, sizeof(*sp->control))))
        return -ENOMEM;
    sp->control->read = event_new(sp->base, VNRS_SPEAKER_FD_CONTROL, EV_READ | EV_PERSIST, on_read, sp);
    sp->control->write = event_new(sp->base, VNRS_SPEAKER_FD_CONTROL, EV_WRITE, on_write, sp);
    if (!sp->control->read || !sp->control->write || event_add(sp->control->read, NULL) < 0)
        return -ENOMEM;
    return 0;
}

void vnrs_control_free(struct vnrs_speakerd *sp)
{
    struct vnrs_control *ct = TAKE_PTR(sp->control);

    if (!ct)
        return;
    if (ct->read)
        event_free(ct->read);
    if (ct->write)
        event_free(ct->write);
    vec_free(&ct->own);
    vec_free(&ct->peers);
    vec_free(&ct->stations);
    vec_free(&ct->maps);
    vec_free(&ct->rules);
    vec_free(&ct->items);
    vec_free(&ct->queries);
    free(ct);
}
