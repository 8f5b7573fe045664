// SPDX-License-Identifier: GPL-2.0-or-later
// A speaker with two peers under a script: bytes and whole messages from either peer, connections that come up and
// break, time that passes, an operator who meddles. Whatever happens: everything sent is well formed, every deadline
// that is due is served, and in the end nothing is left.
#include "fuzz.h"

#include "bgp/adj_out.h"
#include "bgp/speaker_core.h"

#include <errno.h>
#include <string.h>

#define PEERS 2u

enum op {
    OP_BYTES,      // raw
    OP_MESSAGE,    // a good header before them
    OP_OPEN,       // a good OPEN with chosen capabilities
    OP_KEEPALIVE,  //
    OP_ANNOUNCE,   // a good UPDATE
    OP_CONNECTION, // comes from the peer, or ours comes up
    OP_BREAK,      //
    OP_TIME,       // passes
    OP_TELL,       // output is taken
    OP_OPERATOR,   // clears, refreshes, shuts down
    OP_PLACE,      // in the world: what the speaker is and its peers are to it, branch-to-branch, preference, prefixes
    _OP_MAX
};

struct pipe { // one side of one peer
    bool pending, connected;
    size_t len;
    uint8_t bytes[2u * VNRS_BGP_MSG_EXTENDED_MAX];
};

static struct {
    struct vnrs_bgp_speaker *sp;
    struct vnrs_spk_config conf;
    struct vnrs_spk_peer_config peers[PEERS];
    struct pipe pipes[PEERS][_VNRS_BGP_SIDE_MAX];
    bool has_room, has_prefixes;
    uint64_t now;
    uint32_t random;
} w;

struct source {
    const uint8_t *at;
    size_t left;
};

static uint8_t u8(struct source *s)
{
    if (!s->left)
        return 0;
    s->left--;
    return *s->at++;
}

static void on_connect(void *arg, struct vnrs_bgp_member *m)
{
    (void)arg;
    w.pipes[m->slot][VNRS_BGP_OUT].pending = true;
}

static void on_close(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    struct pipe *p = &w.pipes[m->slot][side];

    (void)arg;
    p->pending = p->connected = false;
    p->len = 0;
}

// An UPDATE as the peer reads it.
static void check_update(struct vnrs_bgp_member *m, const uint8_t *bytes, size_t len)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    struct vnrs_bgp_update update;
    struct vnrs_bgp_error error;

    FUZZ_CHECK(fsm);
    struct vnrs_bgp_session far = fsm->session;
    FUZZ_CHECK(len <= (far.extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX));
    memcpy(far.add_path_rx, fsm->session.add_path_tx, sizeof(far.add_path_rx));
    const struct vnrs_bgp_fsm *other = vnrs_bgp_peer_session(&w.sp->members[!m->slot]->peer);
    // Who gives itself another's identifier finds that in what is reflected.
    far.local_id = other && other->remote.id == fsm->remote.id ? 0 : fsm->remote.id;
    FUZZ_CHECK(vnrs_bgp_update_decode(&far, bytes, len, scratch, &update, &error) == VNRS_BGP_OK);
    // An edge router's customer sees nobody's private ASN (azure-routing.md 6.2).
    bool is_customer = w.conf.role == VNRS_SPK_ROLE_MSEE && m->conf.kind == VNRS_SPK_PEER_OUTSIDE && !far.ibgp;
    for (unsigned i = 0; i < ARRAY_SIZE(update.reach); i++)
        FUZZ_CHECK(!is_customer || !update.reach[i].len || !vnrs_bgp_attrs_has_asn(&update.attrs[i], 65001));
}

static void on_send(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    struct vnrs_bgp_error error;
    uint8_t type;

    (void)arg;
    FUZZ_CHECK(w.pipes[m->slot][side].connected);
    FUZZ_CHECK(vnrs_bgp_header_decode(bytes, len, true, &type, &error) == (int)len);
    if (type == VNRS_BGP_UPDATE)
        check_update(m, bytes, len);
    else
        FUZZ_CHECK(len <= VNRS_BGP_MSG_MAX);
}

static bool has_room(void *arg, const struct vnrs_bgp_member *m)
{
    (void)arg;
    (void)m;
    return w.has_room;
}

static uint32_t on_random(void *arg)
{
    (void)arg;
    return w.random = w.random * 1664525u + 1013904223u;
}

static const struct vnrs_bgp_speaker_ops ops = {
    .connect = on_connect, .close = on_close, .send = on_send, .has_room = has_room, .random = on_random};

static void process(struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    struct pipe *p = &w.pipes[m->slot][side];
    size_t done = 0;

    while (p->connected && done < p->len) {
        size_t have = p->len - done;
        uint8_t *tight = malloc(have); // so that a sanitizer sees a read beyond it
        FUZZ_CHECK(tight);
        memcpy(tight, p->bytes + done, have);
        ssize_t used = vnrs_bgp_peer_input(&m->peer, w.now, side, tight, have);
        free(tight);
        FUZZ_CHECK(used == -ECONNRESET || (used >= 0 && (size_t)used <= have));
        FUZZ_CHECK((used == -ECONNRESET) == !p->connected);
        if (used <= 0)
            break;
        done += (size_t)used;
    }
    if (!p->connected)
        return;
    p->len -= done;
    memmove(p->bytes, p->bytes + done, p->len);
    FUZZ_CHECK(p->len < VNRS_BGP_MSG_EXTENDED_MAX); // what waits is less than a message
}

static void say(struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    struct pipe *p = &w.pipes[m->slot][side];

    if (!p->connected)
        return;
    FUZZ_CHECK(p->len + len <= sizeof(p->bytes));
    memcpy(p->bytes + p->len, bytes, len);
    p->len += len;
    process(m, side);
}

static size_t header(uint8_t *msg, uint8_t type, size_t len)
{
    memset(msg, 0xff, 16);
    msg[16] = (uint8_t)((len + 19) >> 8);
    msg[17] = (uint8_t)(len + 19);
    msg[18] = type;
    return len + 19;
}

static void say_bytes(struct source *s, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, bool whole)
{
    uint8_t msg[19 + 1024], type = whole ? 1 + u8(s) % 5 : 0;
    size_t n = u8(s);

    n = MIN(n >= 0xf0 ? (n & 15) * 64 : n, s->left);
    if (n)
        memcpy(msg + 19, s->at, n);
    s->at += n;
    s->left -= n;
    if (whole)
        say(m, side, msg, header(msg, type, n));
    else
        say(m, side, msg + 19, n);
}

static void say_open(struct source *s, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    uint8_t bits = u8(s), more = u8(s), msg[VNRS_BGP_MSG_MAX];
    struct vnrs_bgp_open open = {
        .asn = m->conf.asn, .hold = more & 1 ? 3 : 90, .id = 0x0a00000a + m->slot + (more >> 7)};

    open.caps = (struct vnrs_bgp_caps){
        .mp = {!(bits & 1), !(bits & 2)},
        .refresh = bits & 4,
        .enhanced_refresh = bits & 8,
        .as4 = !(bits & 16),
        .extended_message = bits & 32,
        .graceful_restart = bits & 64,
        .gr_notification = bits & 128,
        .gr_restarted = more & 2,
        .gr_time = 60,
        .gr_af = {true, true},
        .gr_forwarding = {more & 4, more & 4},
        .add_path_receive = {more & 8, more & 8},
        .add_path_send = {more & 16, more & 16},
        .ext_nexthop = more & 32,
    };
    int len = vnrs_bgp_open_encode(&open, msg, sizeof(msg));
    FUZZ_CHECK(len > 0);
    say(m, side, msg, (size_t)len);
}

// A good one where there is a session; of its attributes some are chosen.
static void say_announcement(struct source *s, struct vnrs_bgp_member *m)
{
    const struct vnrs_bgp_fsm *fsm = vnrs_bgp_peer_session(&m->peer);
    uint8_t bits = u8(s), which = u8(s), id = u8(s), msg[VNRS_BGP_MSG_MAX];
    const uint8_t path[] = {2, 2, 0, 0, 0xfd, 0xe9, 0, 0, bits & 1 ? 0xff : 0xfe, 0xeb}; // 65515 is the speaker's own
    static const uint32_t no_export[] = {VNRS_BGP_NO_EXPORT}, marked[] = {VNRS_BGP_COMMUNITY_RS};
    struct vnrs_bgp_attrs attrs = {.as_path = path, .as_path_bytes = sizeof(path), .origin = bits >> 6 & 1};
    struct vnrs_addr a = vnrs_addr_from_v4(0xc0a80000u + (uint32_t)(which << 8));
    struct vnrs_prefix prefix = vnrs_prefix_make(&a, 24);
    uint32_t path_id = id;
    size_t used;

    if (!fsm)
        return;
    struct vnrs_bgp_session far = fsm->session;
    memcpy(far.add_path_tx, fsm->session.add_path_rx, sizeof(far.add_path_tx));
    attrs.nexthop = m->conf.addr;
    attrs.communities = bits & 2 ? no_export : bits & 8 ? marked : NULL;
    attrs.n_communities = bits & 10 ? 1 : 0;
    attrs.originator_id = bits & 16 && fsm->session.ibgp ? 0x0a000063 : 0;
    if (bits & 32) // the default route
        prefix = (struct vnrs_prefix){.family = VNRS_AF_IPV4};
    int len = vnrs_bgp_update_encode(&far, VNRS_BGP_AF4, bits & 4 ? NULL : &attrs, &prefix,
                                     far.add_path_tx[VNRS_BGP_AF4] ? &path_id : NULL, 1, msg, sizeof(msg), &used);
    FUZZ_CHECK(len > 0);
    say(m, fsm->side, msg, (size_t)len);
}

static void connection(struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    struct pipe *p = &w.pipes[m->slot][side];

    if (side == VNRS_BGP_IN) {
        if (vnrs_bgp_peer_accept(&m->peer, w.now) < 0)
            return;
        FUZZ_CHECK(!p->connected);
        p->connected = true;
        vnrs_bgp_peer_accepted(&m->peer, w.now);
    } else if (p->pending) {
        p->pending = false;
        p->connected = true;
        vnrs_bgp_peer_connected(&m->peer, w.now);
    }
}

static void disconnection(struct vnrs_bgp_member *m, enum vnrs_bgp_side side, bool refused)
{
    struct pipe *p = &w.pipes[m->slot][side];

    if (!p->connected && !p->pending)
        return;
    vnrs_bgp_peer_disconnected(&m->peer, w.now, side, refused ? "cannot connect" : NULL);
    FUZZ_CHECK(!p->connected); // it was closed
}

static void time_passes(struct source *s)
{
    static const uint32_t steps[] = {1, 100, 1000, 3000, 30000, 90000, 480000, 0};
    uint32_t step = steps[u8(s) % ARRAY_SIZE(steps)];
    uint64_t next = vnrs_bgp_speaker_next(w.sp);

    if (step)
        w.now += step;
    else if (next != VNRS_BGP_NEVER && next > w.now)
        w.now = next;
    vnrs_bgp_speaker_tick(w.sp, w.now);
    FUZZ_CHECK(vnrs_bgp_speaker_next(w.sp) > w.now); // else the owner would turn in circles
}

static void tell(bool room)
{
    w.has_room = room;
    for (unsigned i = 0; i < 64 && vnrs_bgp_adj_out_run(w.sp); i++)
        ;
    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++)
            vnrs_bgp_peer_drained(&w.sp->members[i]->peer, w.now, side);
}

static void configure(void)
{
    static struct vnrs_spk_own own[] = {{.kind = VNRS_SPK_OWN_RANGE}, {.kind = VNRS_SPK_OWN_STATIC}};
    struct vnrs_addr a = vnrs_addr_from_v4(0xc0a80100u), b = vnrs_addr_from_v4(0xc0a80200u);
    size_t n = w.has_prefixes ? ARRAY_SIZE(own) : 0;

    own[0].prefix = vnrs_prefix_make(&a, 24); // what the peers announce, too
    own[1].prefix = vnrs_prefix_make(&b, 24);
    FUZZ_CHECK(vnrs_bgp_speaker_configure(w.sp, w.now, &w.conf, own, n, w.peers, PEERS, NULL) == 0);
}

static unsigned sessions(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PEERS; i++)
        n += vnrs_bgp_peer_session(&w.sp->members[i]->peer) != NULL;
    return n;
}

// Branch-to-branch, preference and prefixes change while sessions go on.
static void place_changes(struct source *s, struct vnrs_bgp_member *m)
{
    uint8_t what = u8(s), value = what >> 3;
    unsigned before = sessions();

    switch (what & 7) {
    case 0:
    case 1:
        w.conf.branch_to_branch ^= 1;
        break;
    case 2:
    case 3:
        w.conf.preference = value % _VNRS_SPK_PREFER_MAX;
        break;
    case 4:
        w.has_prefixes = !w.has_prefixes;
        break;
    case 5:
        w.peers[m->slot].kind = value % _VNRS_SPK_PEER_KIND_MAX;
        break;
    case 6:
        w.peers[m->slot].local = value & 1 ? vnrs_addr_from_v4(0xa9fe1501) : (struct vnrs_addr){0};
        break;
    default:
        w.conf.role = value % _VNRS_SPK_ROLE_MAX;
        w.conf.asn = value & 16 ? 12076 : 65515;
        break;
    }
    configure();
    FUZZ_CHECK((what & 7) > 4 || sessions() == before);
}

static void operator_does(struct source *s, struct vnrs_bgp_member *m)
{
    uint8_t what = u8(s);

    switch (what % 6) {
    case 0:
        vnrs_bgp_member_clear(m, w.now, "");
        break;
    case 1:
        vnrs_bgp_member_refresh(m, w.now);
        break;
    case 2:
        w.peers[m->slot].shutdown ^= 1;
        configure();
        break;
    case 3:
        w.peers[m->slot].delay_open ^= 2;
        configure();
        break;
    case 4:
        w.peers[m->slot].max_prefixes = what >> 5;
        configure();
        break;
    default:
        w.conf.features = what & 0x1f;
        configure();
        break;
    }
}

static void step(struct source *s)
{
    uint8_t op = u8(s);
    struct vnrs_bgp_member *m = w.sp->members[op >> 4 & 1];
    enum vnrs_bgp_side side = op & 0x20 ? VNRS_BGP_OUT : VNRS_BGP_IN;
    uint8_t keepalive[19];

    switch ((enum op)((op & 15) % _OP_MAX)) {
    case OP_BYTES:
    case OP_MESSAGE:
        say_bytes(s, m, side, (op & 15) % _OP_MAX == OP_MESSAGE);
        break;
    case OP_OPEN:
        say_open(s, m, side);
        break;
    case OP_KEEPALIVE:
        say(m, side, keepalive, header(keepalive, VNRS_BGP_KEEPALIVE, 0));
        break;
    case OP_ANNOUNCE:
        say_announcement(s, m);
        break;
    case OP_CONNECTION:
        connection(m, side);
        break;
    case OP_BREAK:
        disconnection(m, side, op & 0x40);
        break;
    case OP_TIME:
        time_passes(s);
        break;
    case OP_TELL:
        tell(op & 0x40);
        break;
    case OP_OPERATOR:
        operator_does(s, m);
        break;
    case OP_PLACE:
        place_changes(s, m);
        break;
    case _OP_MAX:
        break;
    }
}

static void check_end(void)
{
    w.has_prefixes = false;
    configure();
    vnrs_bgp_speaker_stop(w.sp, w.now);
    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++) {
            FUZZ_CHECK(w.sp->members[i]->peer.fsm[side].state == VNRS_BGP_ST_IDLE);
            FUZZ_CHECK(!w.pipes[i][side].connected && !w.pipes[i][side].pending);
        }
    FUZZ_CHECK(w.sp->rib.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {.at = data, .left = size};
    uint8_t kinds = u8(&s);

    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned side = 0; side < _VNRS_BGP_SIDE_MAX; side++)
            on_close(NULL, &(struct vnrs_bgp_member){.slot = i}, side);
    w.now = 1000;
    w.random = 1;
    w.has_room = true;
    w.has_prefixes = false;
    w.conf = (struct vnrs_spk_config){.asn = 65515, .router_id = 0x0a000004, .connect_retry_ms = 5000};
    w.conf.local = vnrs_addr_from_v4(0x0a000004);
    w.conf.role = kinds & 1;
    w.conf.features = u8(&s) & 0x1f;
    for (unsigned i = 0; i < PEERS; i++) {
        bool ibgp = kinds & 2u << i;
        w.peers[i] = (struct vnrs_spk_peer_config){.name = {(char)('a' + i)},
                                                   .hold = 90,
                                                   .keepalive = 30,
                                                   .asn = ibgp ? 65515 : 65001,
                                                   .passive = kinds >> 3 & 1};
        w.peers[i].addr = vnrs_addr_from_v4(0x0a00000au + i);
    }
    w.sp = vnrs_bgp_speaker_new(&ops, NULL, 1);
    FUZZ_CHECK(w.sp);
    configure();
    for (unsigned steps = 0; s.left && steps < 400; steps++)
        step(&s);
    check_end();
    vnrs_bgp_speaker_free(w.sp);
    return 0;
}
