// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/report.h"

#include "bgp/adj_out.h"
#include "bgp/bfd_packet.h"
#include "bgp/error_text.h"
#include "util/strbuf.h"
#include "util/utf8.h"

#include <stdio.h>
#include <string.h>

static void append(char *text, size_t size, const char *more)
{
    size_t len = strlen(text);

    (void)snprintf(text + len, size - len, "%s%s", len && *more ? "; " : "", more);
    vnrs_utf8_trim(text);
}

// Why there is no session. What came later does not hide what came first: how the last one ended tells more than that
// connections are refused since, and BFD more than either.
static void explain_absence(const struct vnrs_bgp_member *m, char *text, size_t size)
{
    const struct vnrs_bgp_fsm *fsm = m->peer.fsm;
    bool waits = fsm[VNRS_BGP_OUT].waits_for_bfd || fsm[VNRS_BGP_IN].waits_for_bfd;
    bool failed = m->bfd.configured && m->bfd.failures && m->bfd.state != VNRS_BFD_UP;

    text[0] = '\0';
    if (waits) {
        append(text, size, "BFD is not up: strict mode waits for it");
        return;
    }
    if (failed && strncmp(m->peer.last_error, "BFD: ", 5) != 0)
        (void)snprintf(text, size, "BFD: %s", vnrs_bfd_diag_text(m->bfd.failure));
    append(text, size, m->peer.last_error);
    append(text, size, m->peer.connect_error);
}

void vnrs_bgp_report_peer(struct vnrs_bgp_member *m, struct vnrs_spk_peer *ret_peer)
{
    const struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(&m->peer);

    *ret_peer = (struct vnrs_spk_peer){
        .addr = m->conf.addr,
        .state = (uint8_t)vnrs_bgp_peer_state(&m->peer),
        .eor = m->eor,
        .stale = vnrs_bgp_retain_is_active(m),
        .asn = m->conf.asn,
        .established_ms = m->peer.changed_ms,
        .received = vnrs_bgp_import_count(m),
        .advertised = m->advertised,
        .messages_in = vnrs_bgp_peer_total(m->peer.messages_in),
        .messages_out = vnrs_bgp_peer_total(m->peer.messages_out),
        .hold = session ? session->session.hold : m->conf.hold,
        .keepalive = session ? session->session.keepalive : m->conf.keepalive,
        .flaps = m->peer.flaps,
        .router_id = session ? session->remote.id : 0,
        .remote_asn = session ? session->remote.asn : 0,
        .bfd = m->bfd,
    };
    (void)vnrs_str_copy(ret_peer->name, sizeof(ret_peer->name), m->conf.name);
    if (session)
        (void)vnrs_str_copy(ret_peer->last_error, sizeof(ret_peer->last_error), m->peer.last_error);
    else
        explain_absence(m, ret_peer->last_error, sizeof(ret_peer->last_error));
}

static uint32_t bit(bool is_set, unsigned cap)
{
    return (uint32_t)is_set << cap;
}

static uint32_t bits_of_caps(const struct vnrs_bgp_caps *caps)
{
    uint32_t bits =
        bit(caps->as4, VNRS_SPK_CAP_AS4) | bit(caps->refresh, VNRS_SPK_CAP_REFRESH) |
        bit(caps->enhanced_refresh, VNRS_SPK_CAP_ENHANCED_REFRESH) |
        bit(caps->extended_message, VNRS_SPK_CAP_EXTENDED_MESSAGES) |
        bit(caps->graceful_restart, VNRS_SPK_CAP_GRACEFUL_RESTART) |
        bit(caps->gr_notification, VNRS_SPK_CAP_GR_NOTIFICATION) | bit(caps->gr_restarted, VNRS_SPK_CAP_GR_RESTARTED) |
        bit(caps->ext_nexthop, VNRS_SPK_CAP_EXTENDED_NEXTHOP) | bit(caps->bfd_strict, VNRS_SPK_CAP_BFD_STRICT);

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        bits |= bit(caps->mp[af] || (af == VNRS_BGP_AF4 && !caps->any_mp), VNRS_SPK_CAP_FAMILY + af) |
                bit(caps->gr_af[af], VNRS_SPK_CAP_GR_FAMILY + af) |
                bit(caps->gr_forwarding[af], VNRS_SPK_CAP_GR_FORWARDING + af) |
                bit(caps->add_path_receive[af], VNRS_SPK_CAP_ADD_PATH_RX + af) |
                bit(caps->add_path_send[af], VNRS_SPK_CAP_ADD_PATH_TX + af);
    return bits;
}

static uint32_t bits_of_session(const struct vnrs_bgp_session *session)
{
    uint32_t bits = bit(session->as4, VNRS_SPK_CAP_AS4) | bit(session->refresh, VNRS_SPK_CAP_REFRESH) |
                    bit(session->enhanced_refresh, VNRS_SPK_CAP_ENHANCED_REFRESH) |
                    bit(session->extended_message, VNRS_SPK_CAP_EXTENDED_MESSAGES) |
                    bit(session->graceful_restart, VNRS_SPK_CAP_GRACEFUL_RESTART) |
                    bit(session->gr_notification, VNRS_SPK_CAP_GR_NOTIFICATION) |
                    bit(session->ext_nexthop, VNRS_SPK_CAP_EXTENDED_NEXTHOP) |
                    bit(session->bfd_strict, VNRS_SPK_CAP_BFD_STRICT);

    for (unsigned af = 0; af < _VNRS_BGP_AF_MAX; af++)
        bits |= bit(session->mp[af], VNRS_SPK_CAP_FAMILY + af) |
                bit(session->add_path_rx[af], VNRS_SPK_CAP_ADD_PATH_RX + af) |
                bit(session->add_path_tx[af], VNRS_SPK_CAP_ADD_PATH_TX + af);
    return bits;
}

static void put_notification(const struct vnrs_bgp_peer *peer, struct vnrs_spk_detail *detail)
{
    const struct vnrs_bgp_error *error = &peer->notification;

    static_assert(VNRS_BGP_ERROR_DATA_MAX <= VNRS_SPK_ERROR_BYTES, "the whole NOTIFICATION is told");
    detail->reset_ms = peer->reset_ms;
    (void)vnrs_str_copy(detail->reset_text, sizeof(detail->reset_text), peer->last_reset);
    if (!error->code)
        return;
    detail->error_by = peer->notification_received ? VNRS_SPK_PEER_SIDE : VNRS_SPK_US;
    detail->error_code = error->code;
    detail->error_subcode = error->subcode;
    detail->error_len = error->data_len;
    memcpy(detail->error_data, error->data, error->data_len);
    detail->error_ms = peer->notification_ms;
    (void)vnrs_bgp_error_text(error, detail->error_text, sizeof(detail->error_text));
}

void vnrs_bgp_report_detail(struct vnrs_bgp_member *m, uint64_t now_ms, struct vnrs_spk_detail *detail)
{
    const struct vnrs_bgp_fsm *session = vnrs_bgp_peer_session(&m->peer);

    detail->announced = bits_of_caps(&m->peer.conf.caps);
    detail->gr_time_local = m->peer.conf.caps.graceful_restart ? m->peer.conf.caps.gr_time : 0;
    detail->queued = (uint32_t)vnrs_bgp_queue_due(&m->speaker->rib, m->slot);
    for (unsigned i = 0; i < VNRS_SPK_MESSAGE_TYPES; i++) {
        detail->messages_in[i] = m->peer.messages_in[VNRS_BGP_OPEN + i];
        detail->messages_out[i] = m->peer.messages_out[VNRS_BGP_OPEN + i];
    }
    put_notification(&m->peer, detail);
    if (!session)
        return;
    uint64_t hold_at = session->deadline[VNRS_BGP_TM_HOLD];
    detail->announced = bits_of_caps(&session->announced);
    detail->received = bits_of_caps(&session->remote.caps);
    detail->in_use = bits_of_session(&session->session);
    detail->hold_left_ms = hold_at > now_ms ? (uint32_t)(hold_at - now_ms) : 0;
    detail->hold_remote = session->remote.hold;
    detail->gr_time_remote = session->remote.caps.gr_time;
    detail->opened_by = session->side == VNRS_BGP_OUT ? VNRS_SPK_US : VNRS_SPK_PEER_SIDE;
}

static void count(const struct vnrs_bgp_member *m, const struct vnrs_bgp_rib *table, const struct vnrs_bgp_dest *dest,
                  struct vnrs_spk_detail *detail)
{
    bool is_rib = table == &m->speaker->rib, is_received = table == vnrs_bgp_import_received(m);
    unsigned af = dest->prefix.family == VNRS_AF_IPV4 ? VNRS_BGP_AF4 : VNRS_BGP_AF6;

    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next) {
        if (p->slot != m->slot || p->barred == VNRS_BGP_BARRED_GONE)
            continue;
        detail->paths[af] += is_received;
        detail->accepted[af] += is_rib && !p->barred;
    }
    detail->advertised[af] += is_rib && dest->advertised >> m->slot & 1;
}

bool vnrs_bgp_report_count(const struct vnrs_bgp_member *m, struct vnrs_bgp_report_cursor *cursor,
                           struct vnrs_spk_detail *detail)
{
    const struct vnrs_bgp_rib *tables[] = {&m->speaker->rib, vnrs_bgp_import_received(m)};

    for (; cursor->table < ARRAY_SIZE(tables); cursor->table++, cursor->at = 0) {
        const struct vnrs_bgp_rib *table = tables[cursor->table];
        const struct vnrs_bgp_dest *dest =
            cursor->table && table == tables[0] ? NULL : vnrs_bgp_rib_next(table, &cursor->at);
        if (!dest)
            continue;
        count(m, table, dest, detail);
        return true;
    }
    return false;
}

static struct vnrs_spk_nexthop *find_nexthop(struct vnrs_spk_set *set, const struct vnrs_addr *nexthop)
{
    for (unsigned i = 0; i < set->n; i++)
        if (vnrs_addr_equal(&set->paths[i].nexthop, nexthop))
            return &set->paths[i];
    return NULL;
}

static bool is_reported(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_path *p)
{
    return vnrs_bgp_role_reports(sp->rib.sources[p->slot].from);
}

// What a set is made of: the paths of an entry but for those of one source.
struct choice {
    const struct vnrs_bgp_speaker *sp;
    const struct vnrs_bgp_path *best; // NULL: none that is usable and reported
    unsigned without;                 // VNRS_BGP_SLOTS: of all sources
};

static struct choice choose(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest, unsigned without)
{
    const struct vnrs_bgp_path *p = vnrs_bgp_dest_best(dest);

    while (p && p->slot == without)
        p = p->next;
    return (struct choice){sp, p && !p->barred && is_reported(sp, p) ? p : NULL, without};
}

// The path after `p` that is as good as the best one, of those that are reported; NULL: none.
static const struct vnrs_bgp_path *next_equal(const struct choice *c, const struct vnrs_bgp_path *p)
{
    for (p = p->next; p; p = p->next) {
        if (p->slot == c->without)
            continue;
        if (!vnrs_bgp_step_is_multipath(vnrs_bgp_path_lost_at(&c->sp->rib, c->best, p)))
            return NULL;
        if (is_reported(c->sp, p))
            return p;
    }
    return NULL;
}

static bool is_blackhole(const struct vnrs_bgp_path *p)
{
    return vnrs_bgp_attrs_has_community(p->attrs, VNRS_BGP_BLACKHOLE);
}

// True when one of the paths that would share the traffic has it dropped, whichever of them is the very best: that is
// decided by what says nothing about traffic.
static bool is_dropped(const struct choice *c)
{
    const struct vnrs_bgp_path *p = c->best;

    while (p && !is_blackhole(p))
        p = next_equal(c, p);
    return p;
}

void vnrs_bgp_report_set_without(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest, unsigned without,
                                 struct vnrs_spk_set *ret_set)
{
    static const struct vnrs_addr nowhere = {.family = VNRS_AF_NONE};
    const struct choice c = choose(sp, dest, without);
    bool dropped = is_dropped(&c);

    *ret_set = (struct vnrs_spk_set){0};
    for (const struct vnrs_bgp_path *p = c.best; p; p = next_equal(&c, p)) {
        if (dropped && !is_blackhole(p))
            continue;
        const struct vnrs_addr *nexthop = dropped ? &nowhere : &p->attrs->nexthop;
        struct vnrs_spk_nexthop *hop = find_nexthop(ret_set, nexthop);
        if (!hop) {
            if (ret_set->n == VNRS_PATHS_MAX)
                break;
            hop = &ret_set->paths[ret_set->n++];
            hop->nexthop = *nexthop;
            hop->path_len = p->attrs->path_len;
        }
        hop->sources |= UINT64_C(1) << p->slot;
    }
}

void vnrs_bgp_report_set(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest,
                         struct vnrs_spk_set *ret_set)
{
    vnrs_bgp_report_set_without(sp, dest, VNRS_BGP_SLOTS, ret_set);
}

static struct vnrs_spk_path path_make(const struct vnrs_spk_query *query, const struct vnrs_prefix *prefix,
                                      const struct vnrs_bgp_attrs *attrs)
{
    struct vnrs_spk_path path = {
        .query = query->id,
        .prefix = *prefix,
        .nexthop = attrs->nexthop,
        .origin = attrs->origin,
        .med = attrs->has & VNRS_BGP_HAS_MED ? attrs->med : 0,
    };
    (void)vnrs_bgp_as_path_format(attrs, path.as_path, sizeof(path.as_path));
    return path;
}

// How a path of the RIB stands, and why it is not used, or not as others: "" where it is. `received` as by
// vnrs_bgp_import_find, may be NULL.
static const char *standing(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest,
                            const struct vnrs_bgp_path *p, const struct vnrs_bgp_path *received,
                            struct vnrs_spk_path *path)
{
    enum vnrs_bgp_step step = vnrs_bgp_dest_lost_at(&sp->rib, dest, p);
    const struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(sp, p->slot);
    const struct choice all = choose(sp, dest, VNRS_BGP_SLOTS);

    path->lost_at = (uint8_t)step;
    path->best = step == VNRS_BGP_STEP_BEST ? 1 : vnrs_bgp_step_is_multipath(step) ? 2 : 0;
    path->weight = m ? VNRS_BGP_WEIGHT_LEARNED : 0;
    if (m)
        (void)vnrs_str_copy(path->peer, sizeof(path->peer), m->conf.name);
    if (p->barred)
        return vnrs_bgp_barred_text(p->barred);
    if (m && received && vnrs_bgp_retain_is_stale(m, &dest->prefix, received))
        return "stale: the peer restarts";
    if (path->best && is_dropped(&all))
        return is_blackhole(p) ? "BLACKHOLE (RFC 7999): packets are dropped"
                               : "packets are dropped: an equally good path is BLACKHOLE (RFC 7999)";
    return path->best ? "" : vnrs_bgp_step_text(step);
}

static void put_note(struct vnrs_spk_path *path, const char *why, const char *map)
{
    const char *const parts[] = {why, why[0] && map[0] ? "; " : "", map};
    size_t used = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts); used = strlen(path->note), i++)
        (void)vnrs_str_copy(path->note + used, sizeof(path->note) - used, parts[i]);
}

// What the inbound map did to a path of the RIB.
static void explain(struct vnrs_bgp_member *m, const struct vnrs_prefix *prefix, const struct vnrs_bgp_path *received,
                    char buf[static VNRS_NOTE_MAX])
{
    struct vnrs_bgp_map_outcome outcome;

    buf[0] = '\0';
    if (!m || !m->import)
        return;
    if (!received)
        (void)snprintf(buf, VNRS_NOTE_MAX, "summary of route map '%s'", vnrs_bgp_map_name(vnrs_bgp_import_map(m)));
    else if (vnrs_bgp_import_outcome(m, prefix, received->attrs, &outcome))
        (void)vnrs_bgp_map_explain(vnrs_bgp_import_map(m), &outcome, buf);
}

// Peers that are not told of the best path by its prefix, because of their maps.
static void note_kept_back(const struct vnrs_bgp_speaker *sp, const struct vnrs_bgp_dest *dest,
                           const struct vnrs_bgp_path *p, struct vnrs_spk_path *path)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bgp_member *m = sp->members[slot];
        const struct vnrs_bgp_map *map = m && slot != p->slot ? vnrs_bgp_adj_out_map(m) : NULL;
        struct vnrs_bgp_map_outcome outcome = {0};
        char text[VNRS_NOTE_MAX], note[VNRS_NOTE_MAX];
        if (map && p->slot < VNRS_BGP_PEERS_MAX)
            vnrs_bgp_map_match(map, &dest->prefix, p->attrs, &outcome);
        if (!outcome.dropped && !outcome.summarised)
            continue;
        (void)vnrs_bgp_map_explain(map, &outcome, text);
        int len = snprintf(note, sizeof(note), "%s%sto %s: %.*s", path->note, path->note[0] ? "; " : "", m->conf.name,
                           VNRS_NOTE_MAX / 2, text);
        if (len < VNRS_NOTE_MAX) // a note that is cut off would say something else
            (void)vnrs_str_copy(path->note, sizeof(path->note), note);
    }
}

static struct vnrs_spk_path path_of_rib(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                                        const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *p)
{
    struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(sp, p->slot);
    const struct vnrs_bgp_path *received =
        m ? vnrs_bgp_import_find(m, &dest->prefix, vnrs_bgp_path_received_id(p)) : NULL;
    struct vnrs_spk_path path = path_make(query, &dest->prefix, p->attrs);
    struct vnrs_bgp_map_outcome outcome;
    char map[VNRS_NOTE_MAX];

    // What the peer announced for this prefix itself may have gone elsewhere.
    if (received && vnrs_bgp_import_outcome(m, &dest->prefix, received->attrs, &outcome) &&
        (outcome.dropped || !vnrs_prefix_equal(&outcome.prefix, &dest->prefix)))
        received = NULL;
    explain(m, &dest->prefix, received, map);
    put_note(&path, standing(sp, dest, p, received, &path), map);
    if (path.best == 1 && query->prefix.family != VNRS_AF_NONE)
        note_kept_back(sp, dest, p, &path);
    return path;
}

// What became of a received route: under its identifier, or in a summary, which has none.
static const struct vnrs_bgp_path *rib_path_of(const struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *rib_dest,
                                               const struct vnrs_bgp_path *received)
{
    const struct vnrs_bgp_path *p = vnrs_bgp_dest_path_id(rib_dest, m->slot, vnrs_bgp_path_received_id(received));
    return p ? p : vnrs_bgp_dest_path_id(rib_dest, m->slot, 0);
}

// A route as a peer with an inbound map announced it. Returns false if it is in the RIB under its own prefix.
static bool path_as_received(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                             struct vnrs_bgp_member *m, const struct vnrs_bgp_dest *dest, const struct vnrs_bgp_path *p,
                             struct vnrs_spk_path *ret_path)
{
    struct vnrs_bgp_map_outcome outcome = {.prefix = dest->prefix};
    const struct vnrs_bgp_dest *rib_dest = NULL;
    const struct vnrs_bgp_path *rib_path = NULL;
    char map[VNRS_NOTE_MAX] = "";
    const char *why = "";

    if (vnrs_bgp_import_outcome(m, &dest->prefix, p->attrs, &outcome))
        (void)vnrs_bgp_map_explain(vnrs_bgp_import_map(m), &outcome, map);
    *ret_path = path_make(query, &dest->prefix, p->attrs);
    ret_path->weight = VNRS_BGP_WEIGHT_LEARNED;
    ret_path->lost_at = VNRS_BGP_STEP_BARRED;
    (void)vnrs_str_copy(ret_path->peer, sizeof(ret_path->peer), m->conf.name);
    if (!outcome.dropped)
        rib_dest = vnrs_bgp_rib_find(&sp->rib, &outcome.prefix);
    if (rib_dest)
        rib_path = rib_path_of(m, rib_dest, p);
    if (rib_path)
        why = standing(sp, rib_dest, rib_path, p, ret_path);
    put_note(ret_path, why, map);
    return outcome.dropped || !vnrs_prefix_equal(&outcome.prefix, &dest->prefix);
}

struct page { // of the paths of an entry
    struct vnrs_spk_path *paths;
    size_t n, skip;
    bool is_full; // there are more
};

// Room for one path more, or NULL.
static struct vnrs_spk_path *page_next(struct page *page)
{
    if (page->skip) {
        page->skip--;
        return NULL;
    }
    page->is_full = page->n == VNRS_BGP_REPORT_MAX;
    return page->is_full ? NULL : &page->paths[page->n++];
}

static void paths_advertised(const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                             const struct vnrs_bgp_dest *dest, struct page *page)
{
    for (const struct vnrs_bgp_path *p = NULL; (p = vnrs_bgp_adj_out_next_path(m, dest, p));) {
        struct vnrs_bgp_map_outcome outcome;
        bool failed = false;
        const struct vnrs_bgp_attrs *attrs = vnrs_bgp_adj_out_attrs(m, dest, p, &outcome, &failed);
        struct vnrs_spk_path *path = attrs ? page_next(page) : NULL;
        if (!path)
            continue;
        *path = path_make(query, &dest->prefix, attrs);
        (void)vnrs_str_copy(path->peer, sizeof(path->peer), m->conf.name);
        if (outcome.fired)
            (void)vnrs_bgp_map_explain(vnrs_bgp_adj_out_map(m), &outcome, path->note);
    }
}

// After the entries of the RIB: prefixes to which the outbound map summarises.
static bool next_summary(const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                         struct vnrs_bgp_report_cursor *cursor, struct vnrs_spk_path *ret_paths, size_t *ret_n)
{
    const struct vnrs_bgp_attrs *attrs = NULL;
    struct vnrs_prefix prefix;

    if (query->kind != VNRS_SPK_ADVERTISED || !m || !vnrs_bgp_adj_out_summary(m, cursor->at++, &prefix, &attrs))
        return false;
    if (query->prefix.family != VNRS_AF_NONE && !vnrs_prefix_equal(&query->prefix, &prefix))
        return true;
    ret_paths[0] = path_make(query, &prefix, attrs);
    (void)vnrs_str_copy(ret_paths[0].peer, sizeof(ret_paths[0].peer), m->conf.name);
    (void)snprintf(ret_paths[0].note, sizeof(ret_paths[0].note), "summary of route map '%s'",
                   vnrs_bgp_map_name(vnrs_bgp_adj_out_map(m)));
    *ret_n = 1;
    return true;
}

static void paths_of_rib(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                         const struct vnrs_bgp_dest *dest, struct page *page)
{
    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next) {
        bool wanted = (!m || p->slot == m->slot) && p->barred != VNRS_BGP_BARRED_GONE;
        struct vnrs_spk_path *path = wanted ? page_next(page) : NULL;
        if (path)
            *path = path_of_rib(sp, query, dest, p);
    }
}

static void paths_received(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                           struct vnrs_bgp_member *owner, const struct vnrs_bgp_dest *dest, struct page *page)
{
    for (const struct vnrs_bgp_path *p = dest->paths; p; p = p->next) {
        struct vnrs_spk_path made;
        bool wanted = path_as_received(sp, query, owner, dest, p, &made) || query->kind == VNRS_SPK_LEARNED;
        struct vnrs_spk_path *path = wanted ? page_next(page) : NULL;
        if (path)
            *path = made;
    }
}

// The tables that answer a query, one after the other.
static bool is_asked(const struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query,
                     const struct vnrs_bgp_member *member, unsigned table)
{
    const struct vnrs_bgp_member *owner = table ? sp->members[table - 1] : NULL;

    if (!table) // learned routes are there unless there is a map
        return query->kind != VNRS_SPK_LEARNED || !member || !member->import;
    return query->kind != VNRS_SPK_ADVERTISED && owner && owner->import && (!member || member == owner);
}

static const struct vnrs_bgp_dest *next_entry(const struct vnrs_bgp_rib *rib, const struct vnrs_spk_query *query,
                                              struct vnrs_bgp_report_cursor *cursor)
{
    if (cursor->shown) // the same once more; if it went meanwhile, another one, of which something is left out
        cursor->at--;
    if (query->prefix.family == VNRS_AF_NONE)
        return vnrs_bgp_rib_next(rib, &cursor->at);
    return cursor->at++ ? NULL : vnrs_bgp_rib_find(rib, &query->prefix);
}

bool vnrs_bgp_report_next(struct vnrs_bgp_speaker *sp, const struct vnrs_spk_query *query, struct vnrs_bgp_member *m,
                          struct vnrs_bgp_report_cursor *cursor, struct vnrs_spk_path *ret_paths, size_t *ret_n)
{
    const struct vnrs_bgp_dest *d = NULL;

    *ret_n = 0;
    for (; cursor->table <= VNRS_BGP_PEERS_MAX; cursor->table++, cursor->at = cursor->shown = 0) {
        if (!is_asked(sp, query, m, cursor->table))
            continue;
        struct vnrs_bgp_member *owner = cursor->table ? sp->members[cursor->table - 1] : NULL;
        struct page page = {.paths = ret_paths, .skip = cursor->shown};
        if (!(d = next_entry(owner ? vnrs_bgp_import_received(owner) : &sp->rib, query, cursor)))
            continue;
        if (owner)
            paths_received(sp, query, owner, d, &page);
        else if (query->kind != VNRS_SPK_ADVERTISED)
            paths_of_rib(sp, query, m, d, &page);
        else if (m)
            paths_advertised(query, m, d, &page);
        cursor->shown = page.is_full ? cursor->shown + page.n : 0;
        *ret_n = page.n;
        return true;
    }
    return next_summary(query, m, cursor, ret_paths, ret_n);
}
