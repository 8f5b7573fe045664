// SPDX-License-Identifier: GPL-2.0-or-later
// One hub, and instances that say which peers announce a prefix.
#pragma once

#include "control/learned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define RS0  0u // numbers by vnrs_learned_number
#define RS1  1u
#define VPN0 2u
#define VPN1 3u
#define ER0  4u

struct world {
    struct vnrs_prefixes prefixes;
    uint32_t last_origin;
    struct vnrs_learned_db *db;
    bool refuse; // a move
    unsigned moves;
    uint32_t moved_origin, moved_n;
};

static inline void setup(struct world *w)
{
    *w = (struct world){0};
    w->db = vnrs_learned_db_new(&w->prefixes, &w->last_origin);
    assert_non_null(w->db);
}

static inline void teardown(struct world *w)
{
    vnrs_learned_db_free(w->db);
    assert_int_equal(vnrs_prefixes_len(&w->prefixes), 0);
    vnrs_prefixes_fini(&w->prefixes);
}

static inline struct vnrs_prefix prefix_of(unsigned i)
{
    struct vnrs_addr addr = vnrs_addr_from_v4(0x0a000000u + (i << 8));
    return vnrs_prefix_make(&addr, 24);
}

// Next hop 10.0.0.N of peer N, for each bit N.
static inline struct vnrs_said said_of(unsigned peers, unsigned len)
{
    struct vnrs_said said;

    memset(&said, 0, sizeof(said));
    for (unsigned peer = 0; peer < 8; peer++) {
        if (!(peers & 1u << peer))
            continue;
        said.paths[said.n].hop.nexthop = vnrs_addr_from_v4(0x0a000000u + peer);
        said.paths[said.n].hop.path_len = len;
        said.paths[said.n++].sources = UINT64_C(1) << peer;
    }
    return said;
}

static inline void say(struct world *w, unsigned instance, unsigned i, unsigned peers, unsigned len)
{
    const struct vnrs_prefix prefix = prefix_of(i);
    const struct vnrs_said said = said_of(peers, len);
    uint32_t set = 0;

    if (said.n)
        assert_int_equal(vnrs_learned_intern(w->db, instance, &said, &set), 0);
    assert_int_equal(vnrs_learned_put(w->db, instance, &prefix, set), 0);
    if (set)
        vnrs_learned_unref(w->db, set);
}

static inline size_t take_all(struct world *w)
{
    size_t n = vnrs_learned_pending(w->db);
    vnrs_learned_take_all(w->db);
    return n;
}

static inline struct vnrs_learned_merged merged_of(struct world *w, unsigned i)
{
    struct vnrs_prefix prefix = prefix_of(i);
    struct vnrs_learned_merged merged = {0};
    uint32_t id = vnrs_prefixes_find(&w->prefixes, &prefix);

    if (id)
        (void)vnrs_learned_get(w->db, id, &merged);
    return merged;
}

static inline unsigned n_hops(struct world *w, unsigned i)
{
    struct vnrs_learned_merged merged = merged_of(w, i);
    return merged.set ? merged.set->n : 0;
}
