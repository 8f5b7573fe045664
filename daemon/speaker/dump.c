// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/dump.h"

#include "bgp/mrt_dump.h"
#include "speaker/control.h"
#include "speaker/monitor.h"
#include "util/fd.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define PIECES ((VNRS_SPEAKER_MSG_MAX - sizeof(struct vnrs_spk_hdr)) / sizeof(struct vnrs_spk_dump_data))

struct vnrs_dump {
    uint32_t id, kind;
    uint64_t credit; // octets
    bool ended;      // nothing is added any more
    int error;
    struct vnrs_mrt_dump table;             // TABLE
    uint8_t *log;                           // UPDATES: a ring of records
    size_t log_head, log_len;               //
    uint8_t states[VNRS_BGP_PEERS_MAX];     // UPDATES: as last told, by slot
    struct vnrs_spk_dump_data list[PIECES]; // to be sent
    size_t n_list;
};

static void dump_free(struct vnrs_dump *d)
{
    if (!d)
        return;
    vnrs_mrt_dump_fini(&d->table);
    free(d->log);
    free(d);
}

static void dump_remove(struct vnrs_speakerd *sp, unsigned i)
{
    dump_free(sp->dumps[i]);
    sp->dumps[i] = NULL;
    vnrs_monitor_update(sp);
}

static int dump_add(struct vnrs_speakerd *sp, const struct vnrs_spk_dump *ask)
{
    unsigned i = 0;

    while (i < VNRS_DUMPS_MAX && sp->dumps[i])
        i++;
    struct vnrs_dump *d = i < VNRS_DUMPS_MAX ? calloc(1, sizeof(*d)) : NULL;
    if (!d)
        return i < VNRS_DUMPS_MAX ? -ENOMEM : -EBADMSG;
    d->id = ask->id;
    d->kind = ask->kind;
    d->credit = ask->credit;
    vnrs_mrt_dump_init(&d->table, sp->core, ask->view);
    if (d->kind == VNRS_SPK_DUMP_UPDATES) {
        for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
            if (sp->core->members[slot])
                d->states[slot] = (uint8_t)vnrs_bgp_peer_state(&sp->core->members[slot]->peer);
        if (!(d->log = malloc(VNRS_DUMP_LOG_BYTES))) {
            dump_free(d);
            return -ENOMEM;
        }
    }
    sp->dumps[i] = d;
    vnrs_monitor_update(sp);
    return 0;
}

int vnrs_dump_take(struct vnrs_speakerd *sp, const struct vnrs_spk_dump *ask)
{
    unsigned i = 0;

    if (!memchr(ask->view, '\0', sizeof(ask->view)))
        return -EBADMSG;
    while (i < VNRS_DUMPS_MAX && !(sp->dumps[i] && sp->dumps[i]->id == ask->id))
        i++;
    bool found = i < VNRS_DUMPS_MAX;
    switch (ask->kind) {
    case VNRS_SPK_DUMP_TABLE:
    case VNRS_SPK_DUMP_UPDATES:
        return found ? -EBADMSG : dump_add(sp, ask);
    case VNRS_SPK_DUMP_MORE: // of one that has ended meanwhile: nobody's error
        if (found)
            sp->dumps[i]->credit += ask->credit;
        return 0;
    case VNRS_SPK_DUMP_STOP:
        if (found)
            dump_remove(sp, i);
        return 0;
    default:
        return -EBADMSG;
    }
}

void vnrs_dump_forget(struct vnrs_speakerd *sp)
{
    for (unsigned i = 0; i < VNRS_DUMPS_MAX; i++)
        if (sp->dumps[i])
            dump_remove(sp, i);
}

// --- the log

static void log_add(struct vnrs_dump *d, const uint8_t *bytes, size_t len)
{
    size_t tail = (d->log_head + d->log_len) % VNRS_DUMP_LOG_BYTES, first = MIN(len, VNRS_DUMP_LOG_BYTES - tail);

    if (len > VNRS_DUMP_LOG_BYTES - d->log_len) {
        d->ended = true;
        d->error = -ENOBUFS;
        return;
    }
    memcpy(d->log + tail, bytes, first);
    memcpy(d->log, bytes + first, len - first);
    d->log_len += len;
}

static size_t log_read(struct vnrs_dump *d, uint8_t *buf, size_t size)
{
    size_t n = MIN(size, d->log_len), first = MIN(n, VNRS_DUMP_LOG_BYTES - d->log_head);

    memcpy(buf, d->log + d->log_head, first);
    memcpy(buf + first, d->log, n - first);
    d->log_head = (d->log_head + n) % VNRS_DUMP_LOG_BYTES;
    d->log_len -= n;
    return n;
}

static bool is_watching(const struct vnrs_dump *d)
{
    return d && d->kind == VNRS_SPK_DUMP_UPDATES && !d->ended;
}

bool vnrs_dump_is_watching(const struct vnrs_speakerd *sp)
{
    for (unsigned i = 0; i < VNRS_DUMPS_MAX; i++)
        if (is_watching(sp->dumps[i]))
            return true;
    return false;
}

static struct vnrs_mrt_ends ends_of(const struct vnrs_bgp_member *m)
{
    return (struct vnrs_mrt_ends){.peer_asn = m->conf.asn,
                                  .local_asn = m->speaker->conf.asn,
                                  .peer = m->conf.addr,
                                  .local = *vnrs_bgp_member_local(m)};
}

static uint32_t wall_s(void)
{
    return (uint32_t)time(NULL);
}

void vnrs_dump_received(struct vnrs_speakerd *sp, const struct vnrs_bgp_member *m, enum vnrs_bgp_side side,
                        const uint8_t *msg, size_t len)
{
    static uint8_t record[VNRS_BGP_MSG_EXTENDED_MAX + VNRS_MRT_MESSAGE_EXTRA];
    const struct vnrs_bgp_fsm *fsm = &m->peer.fsm[side];
    struct vnrs_mrt_ends ends = ends_of(m);
    bool open = fsm->state >= VNRS_BGP_ST_OPEN_CONFIRM; // what was negotiated is known
    bool add_path = open && (fsm->session.add_path_rx[VNRS_BGP_AF4] || fsm->session.add_path_rx[VNRS_BGP_AF6]);
    int n =
        vnrs_mrt_message_encode(wall_s(), &ends, !open || fsm->session.as4, add_path, msg, len, record, sizeof(record));

    for (unsigned i = 0; n > 0 && i < VNRS_DUMPS_MAX; i++)
        if (is_watching(sp->dumps[i]))
            log_add(sp->dumps[i], record, (size_t)n);
}

void vnrs_dump_changed(struct vnrs_speakerd *sp, struct vnrs_bgp_member *m)
{
    enum vnrs_bgp_state state = vnrs_bgp_peer_state(&m->peer);
    struct vnrs_mrt_ends ends = ends_of(m);
    uint8_t record[VNRS_MRT_MESSAGE_EXTRA + 4];

    for (unsigned i = 0; i < VNRS_DUMPS_MAX; i++) {
        struct vnrs_dump *d = sp->dumps[i];
        if (!is_watching(d) || d->states[m->slot] == state)
            continue;
        int n = vnrs_mrt_state_encode(wall_s(), &ends, d->states[m->slot], state, record, sizeof(record));
        if (n > 0)
            log_add(d, record, (size_t)n);
        d->states[m->slot] = (uint8_t)state;
    }
}

// --- sending

// Fills `list` as far as there is credit. Table: 0 bytes mean the end.
static void fill(struct vnrs_dump *d)
{
    while (d->n_list < PIECES && d->credit) {
        struct vnrs_spk_dump_data *piece = &d->list[d->n_list];
        size_t room = MIN(d->credit, (uint64_t)VNRS_DUMP_PIECE);
        ssize_t n = 0;
        *piece = (struct vnrs_spk_dump_data){.id = d->id};
        if (d->kind == VNRS_SPK_DUMP_UPDATES)
            n = (ssize_t)log_read(d, piece->bytes, room);
        else if (!d->ended)
            n = vnrs_mrt_dump_read(&d->table, vnrs_clock_ms(), wall_s(), piece->bytes, room);
        if (n <= 0) {
            d->ended |= d->kind == VNRS_SPK_DUMP_TABLE;
            d->error = n < 0 ? (int)n : d->error;
            return;
        }
        piece->len = (uint16_t)n;
        d->credit -= (uint64_t)n;
        d->n_list++;
    }
}

// Returns true when something was sent.
static bool dump_run(struct vnrs_speakerd *sp, unsigned i)
{
    struct vnrs_dump *d = sp->dumps[i];

    if (!d->n_list)
        fill(d);
    if (d->n_list) {
        if (!vnrs_control_put(sp, VNRS_SPK_DUMP_DATA, d->n_list, d->list, d->n_list * sizeof(d->list[0])))
            return false;
        d->n_list = 0;
        return true;
    }
    // An overrun log is told as far as it goes.
    if (!d->ended || d->log_len)
        return false;
    struct vnrs_spk_dump_end end = {.id = d->id, .error = d->error};
    if (!vnrs_control_put(sp, VNRS_SPK_DUMP_END, 1, &end, sizeof(end)))
        return false;
    dump_remove(sp, i);
    return true;
}

bool vnrs_dump_run(struct vnrs_speakerd *sp)
{
    bool sent = false;

    for (unsigned i = 0; i < VNRS_DUMPS_MAX; i++)
        if (sp->dumps[i])
            sent |= dump_run(sp, i);
    return sent;
}
