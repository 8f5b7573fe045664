// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/mrt_read.h"

#include <errno.h>

enum {
    TYPE_TABLE_DUMP_V2 = 13,
    TYPE_BGP4MP = 16,
    TYPE_BGP4MP_ET = 17, // microseconds behind the header
};

static bool fail(struct mrt_reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static struct vnrs_addr take_addr(struct vnrs_wire *w, bool v6)
{
    struct vnrs_addr addr = {.family = v6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4};
    const uint8_t *bytes = vnrs_wire_take(w, v6 ? 16 : 4);

    if (bytes)
        memcpy(addr.bytes, bytes, v6 ? 16 : 4);
    return addr;
}

static uint32_t take_asn(struct vnrs_wire *w, bool as4)
{
    return as4 ? vnrs_wire_u32(w) : vnrs_wire_u16(w);
}

static bool read_peers(struct mrt_reader *r, struct vnrs_wire *w, struct mrt_record *rec)
{
    rec->kind = MRT_PEERS;
    rec->collector = vnrs_wire_u32(w);
    rec->view_len = vnrs_wire_u16(w);
    rec->view = vnrs_wire_take(w, rec->view_len);
    size_t n = vnrs_wire_u16(w);
    if (w->failed || n > MRT_PEERS_MAX)
        return fail(r, "malformed peer index");
    for (size_t i = 0; i < n; i++) {
        uint8_t type = vnrs_wire_u8(w);
        if (type & ~3u)
            return fail(r, "unknown type of a peer");
        r->peers[i].id = vnrs_wire_u32(w);
        r->peers[i].addr = take_addr(w, type & 1);
        r->peers[i].asn = take_asn(w, type & 2);
    }
    r->n_peers = n;
    r->has_peers = true;
    return true;
}

// Flags, type, length and value, over and over.
static bool is_attrs(const uint8_t *bytes, size_t len)
{
    struct vnrs_wire w = vnrs_wire_make(bytes, len);

    while (w.left) {
        uint8_t flags = vnrs_wire_u8(&w);
        (void)vnrs_wire_u8(&w);
        (void)vnrs_wire_take(&w, flags & 0x10 ? vnrs_wire_u16(&w) : vnrs_wire_u8(&w));
    }
    return !w.failed;
}

static bool take_entry(struct vnrs_wire *w, bool add_path, struct mrt_entry *e)
{
    e->peer = vnrs_wire_u16(w);
    e->time = vnrs_wire_u32(w);
    e->path_id = add_path ? vnrs_wire_u32(w) : 0;
    e->attrs_len = vnrs_wire_u16(w);
    e->attrs = vnrs_wire_take(w, e->attrs_len);
    return !w->failed;
}

static bool read_rib(struct mrt_reader *r, struct vnrs_wire *w, bool v6, struct mrt_record *rec)
{
    struct mrt_entry e;

    rec->kind = MRT_RIB;
    rec->sequence = vnrs_wire_u32(w);
    rec->prefix.family = v6 ? VNRS_AF_IPV6 : VNRS_AF_IPV4;
    rec->prefix.len = vnrs_wire_u8(w);
    if (rec->prefix.len > (v6 ? 128 : 32))
        return fail(r, "prefix too long");
    const uint8_t *bytes = vnrs_wire_take(w, (rec->prefix.len + 7u) / 8);
    if (bytes)
        memcpy(rec->prefix.bytes, bytes, (rec->prefix.len + 7u) / 8);
    rec->n_entries = vnrs_wire_u16(w);
    rec->entries = *w;
    for (unsigned i = 0; i < rec->n_entries; i++) {
        if (!take_entry(w, rec->add_path, &e))
            return fail(r, "entries cut off");
        if (!r->has_peers || e.peer >= r->n_peers)
            return fail(r, "entry of a peer that is not in the index");
        if (!is_attrs(e.attrs, e.attrs_len))
            return fail(r, "malformed attributes");
    }
    return true;
}

static bool read_ends(struct mrt_reader *r, struct vnrs_wire *w, struct mrt_record *rec)
{
    rec->peer_asn = take_asn(w, rec->as4);
    rec->local_asn = take_asn(w, rec->as4);
    (void)vnrs_wire_u16(w); // interface
    uint16_t family = vnrs_wire_u16(w);
    if (family != 1 && family != 2)
        return fail(r, "unknown family of a session");
    rec->peer = take_addr(w, family == 2);
    rec->local = take_addr(w, family == 2);
    return true;
}

static bool read_message(struct mrt_reader *r, struct vnrs_wire *w, struct mrt_record *rec)
{
    static const uint8_t marker[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    rec->kind = MRT_MESSAGE;
    if (!read_ends(r, w, rec))
        return false;
    rec->len = w->left;
    rec->msg = vnrs_wire_take(w, w->left);
    if (rec->len < 19 || memcmp(rec->msg, marker, sizeof(marker)) != 0 ||
        ((size_t)rec->msg[16] << 8 | rec->msg[17]) != rec->len)
        return fail(r, "not one BGP message");
    return true;
}

static bool read_state(struct mrt_reader *r, struct vnrs_wire *w, struct mrt_record *rec)
{
    rec->kind = MRT_STATE;
    if (!read_ends(r, w, rec))
        return false;
    rec->from = vnrs_wire_u16(w);
    rec->to = vnrs_wire_u16(w);
    return rec->from >= 1 && rec->from <= 6 && rec->to >= 1 && rec->to <= 6 ? true : fail(r, "no such state");
}

static bool read_table(struct mrt_reader *r, uint16_t subtype, struct vnrs_wire *w, struct mrt_record *rec)
{
    switch (subtype) {
    case 1:
        return read_peers(r, w, rec);
    case 2:
    case 4:
        return read_rib(r, w, subtype == 4, rec);
    case 8:
    case 10:
        rec->add_path = true;
        return read_rib(r, w, subtype == 10, rec);
    default:
        (void)vnrs_wire_take(w, w->left);
        return true;
    }
}

static bool read_session(struct mrt_reader *r, uint16_t subtype, struct vnrs_wire *w, struct mrt_record *rec)
{
    rec->as4 = subtype == 4 || subtype == 5 || subtype == 9;
    rec->add_path = subtype == 8 || subtype == 9;
    switch (subtype) {
    case 0:
    case 5:
        return read_state(r, w, rec);
    case 1:
    case 4:
    case 8:
    case 9:
        return read_message(r, w, rec);
    default:
        (void)vnrs_wire_take(w, w->left);
        return true;
    }
}

void mrt_reader_init(struct mrt_reader *r, const uint8_t *bytes, size_t len)
{
    memset(r, 0, sizeof(*r));
    r->in = vnrs_wire_make(bytes, len);
}

int mrt_next(struct mrt_reader *r, struct mrt_record *ret_record)
{
    struct mrt_record rec = {0};

    if (!r->in.left)
        return 0;
    rec.time = vnrs_wire_u32(&r->in);
    uint16_t type = vnrs_wire_u16(&r->in), subtype = vnrs_wire_u16(&r->in);
    size_t len = vnrs_wire_u32(&r->in);
    struct vnrs_wire w = vnrs_wire_sub(&r->in, len);
    bool ok = !r->in.failed || fail(r, "record cut off");
    if (ok && type == TYPE_TABLE_DUMP_V2) {
        ok = read_table(r, subtype, &w, &rec);
    } else if (ok && (type == TYPE_BGP4MP || type == TYPE_BGP4MP_ET)) {
        if (type == TYPE_BGP4MP_ET)
            (void)vnrs_wire_u32(&w);
        ok = read_session(r, subtype, &w, &rec);
    } else if (ok) {
        (void)vnrs_wire_take(&w, w.left);
    }
    if (ok && (w.failed || w.left))
        ok = fail(r, "the record's length does not fit what is in it");
    if (!ok)
        return -EBADMSG;
    r->offset += 12 + len;
    *ret_record = rec;
    return 1;
}

bool mrt_entry_next(struct mrt_record *rec, struct mrt_entry *ret_entry)
{
    if (!rec->n_entries)
        return false;
    rec->n_entries--;
    return take_entry(&rec->entries, rec->add_path, ret_entry);
}
