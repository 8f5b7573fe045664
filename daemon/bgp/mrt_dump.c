// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/mrt_dump.h"

#include "util/strbuf.h"

#include <errno.h>

#define RECORD_MIN 8192u

void vnrs_mrt_dump_init(struct vnrs_mrt_dump *dump, struct vnrs_bgp_speaker *speaker, const char *view)
{
    *dump = (struct vnrs_mrt_dump){.speaker = speaker};
    (void)vnrs_str_copy(dump->view, sizeof(dump->view), view);
}

void vnrs_mrt_dump_fini(struct vnrs_mrt_dump *dump)
{
    free(dump->record);
    dump->record = NULL;
}

// Calls `encode` until the record fits the buffer, which grows. Attributes bound it: 64 KiB for each path.
static int make_record(struct vnrs_mrt_dump *dump, int (*encode)(struct vnrs_mrt_dump *dump, const void *what),
                       const void *what)
{
    int len;

    while (!dump->record || (len = encode(dump, what)) == -ENOBUFS) {
        size_t size = dump->record ? dump->size * 2 : RECORD_MIN;
        uint8_t *grown = realloc(dump->record, size);
        if (!grown)
            return -ENOMEM;
        dump->record = grown;
        dump->size = size;
    }
    dump->len = (size_t)len;
    dump->used = 0;
    return 0;
}

struct moment {
    uint64_t now_ms;
    uint32_t wall_s;
};

static int encode_index(struct vnrs_mrt_dump *dump, const void *what)
{
    const struct moment *moment = what;
    const struct vnrs_bgp_speaker *sp = dump->speaker;
    struct vnrs_mrt_peer peers[VNRS_BGP_SLOTS] = {{.id = sp->conf.router_id, .asn = sp->conf.asn}};
    uint16_t n = 1;

    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        const struct vnrs_bgp_member *m = sp->members[slot];
        if (!m)
            continue;
        dump->peers[slot] = m->conf.addr;
        dump->index[slot] = n;
        peers[n++] =
            (struct vnrs_mrt_peer){.id = sp->rib.sources[slot].router_id, .asn = m->conf.asn, .addr = m->conf.addr};
    }
    return vnrs_mrt_peer_index_encode(moment->wall_s, sp->conf.router_id, dump->view, peers, n, dump->record,
                                      dump->size);
}

// A peer that came after the index was written has no place in it.
static bool is_indexed(const struct vnrs_mrt_dump *dump, const struct vnrs_bgp_path *p)
{
    const struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(dump->speaker, p->slot);

    return p->slot >= VNRS_BGP_PEERS_MAX || (m && vnrs_addr_equal(&m->conf.addr, &dump->peers[p->slot]));
}

static uint32_t since(const struct vnrs_mrt_dump *dump, const struct vnrs_bgp_path *p, const struct moment *moment)
{
    const struct vnrs_bgp_member *m = vnrs_bgp_speaker_member(dump->speaker, p->slot);
    uint64_t from = m ? m->peer.changed_ms : moment->now_ms;

    return moment->wall_s - (uint32_t)((moment->now_ms - MIN(from, moment->now_ms)) / 1000);
}

struct prefix_record {
    const struct moment *moment;
    const struct vnrs_bgp_dest *dest;
};

static int encode_dest(struct vnrs_mrt_dump *dump, const void *what)
{
    const struct prefix_record *record = what;
    struct vnrs_mrt_entry entries[VNRS_BGP_PATHS_PER_PREFIX];
    bool add_path = false; // RFC 8050: some peer has several paths of the prefix
    size_t n = 0;

    for (const struct vnrs_bgp_path *p = record->dest->paths; p && n < ARRAY_SIZE(entries); p = p->next) {
        if (!is_indexed(dump, p) || p->barred == VNRS_BGP_BARRED_GONE)
            continue;
        uint32_t id = vnrs_bgp_path_received_id(p);
        add_path |= id != 0;
        entries[n++] = (struct vnrs_mrt_entry){
            .peer = dump->index[p->slot], .time = since(dump, p, record->moment), .path_id = id, .attrs = p->attrs};
    }
    if (!n)
        return 0;
    return vnrs_mrt_rib_encode(record->moment->wall_s, dump->sequence, add_path, &record->dest->prefix, entries, n,
                               dump->record, dump->size);
}

// The next record. 1, 0 when there is none (any more, or for this entry), or -ENOMEM.
static int next_record(struct vnrs_mrt_dump *dump, const struct moment *moment, bool *ret_end)
{
    struct prefix_record record = {.moment = moment};

    if (!dump->begun) {
        dump->begun = true;
        return make_record(dump, encode_index, moment);
    }
    record.dest = vnrs_bgp_rib_next(&dump->speaker->rib, &dump->at);
    if (!record.dest) {
        *ret_end = true;
        return 0;
    }
    int err = make_record(dump, encode_dest, &record);
    dump->sequence += err == 0 && dump->len;
    return err;
}

ssize_t vnrs_mrt_dump_read(struct vnrs_mrt_dump *dump, uint64_t now_ms, uint32_t wall_s, uint8_t *buf, size_t size)
{
    const struct moment moment = {.now_ms = now_ms, .wall_s = wall_s};
    size_t done = 0;
    bool end = false;

    for (unsigned looked = 0; done < size && (looked < VNRS_MRT_DUMP_RUN || !done); looked++) {
        if (dump->used == dump->len) {
            int err = next_record(dump, &moment, &end);
            if (err < 0)
                return err;
            if (end)
                break;
        }
        size_t n = MIN(size - done, dump->len - dump->used);
        if (n)
            memcpy(buf + done, dump->record + dump->used, n);
        dump->used += n;
        done += n;
    }
    return (ssize_t)done;
}
