// SPDX-License-Identifier: GPL-2.0-or-later
// Next-hop objects of one namespace. A slot stands for one group handle as one owner (a table) sees it; routes point to
// its id, so other members are one write whatever the number of routes. Slots with one hop that will not fail over can
// point to the hop's own object (`direct`), which reads better in `ip route`.
//
// Ids lie in a range of ours and are found again after a restart: hops by content, slots by what the routes in the
// kernel point to (vnrs_nhset_claim), then by content. Objects of others are never touched: only those with our
// protocol, in our range, whose hops leave by links in `links` (unless the whole namespace is ours).
//
// A hop that the kernel refuses (link down, gateway not reachable) is left out of its groups; a group without hops
// drops packets, or has `drop` as its hop. Where the kernel has no next-hop objects, `legacy` is set and routes carry
// the hops of their slot.
#pragma once

#include "fib/nlroute.h"
#include "util/hash.h"
#include "util/vec.h"

#define VNRS_NHID_FIRST 0x56000000u
#define VNRS_NHID_LAST  0x56ffffffu

struct vnrs_nhslot {
    struct {
        uint32_t owner, handle, family; // family 0: for both
    } key;
    uint32_t id;        // 0: none yet
    bool direct, dirty; // dirty: to be compared with the kernel
    uint32_t n_hops;
    struct vnrs_nlhop hops[VNRS_NLHOPS_MAX]; // sorted
    uint64_t digest;                         // of the hops, in legacy mode what routes are compared by
};

struct vnrs_nhset {
    struct vnrs_nl *nl;
    bool exclusive, resilient, legacy;
    struct vnrs_nlhop drop; // where a slot without hops leads; ifindex 0: a blackhole
    struct vnrs_map have;   // by id: what the kernel has in our range, others' too
    struct vnrs_map hops;   // by hop: the id that it has
    struct vnrs_map slots;  // by key
    VEC(uint32_t) links;    // whose next hops are ours
    uint32_t next_id;
    bool sweep;      // something may be unused
    bool dirty;      // a slot is
    unsigned failed; // refused since the last load
    int first_error; // of them, a negative errno
    char error[256];
};

void vnrs_nhset_init(struct vnrs_nhset *set, struct vnrs_nl *nl);
void vnrs_nhset_fini(struct vnrs_nhset *set);

// Read the kernel's objects. Slots stay, and are compared again by the next write.
int vnrs_nhset_load(struct vnrs_nhset *set) VNRS_MUST_CHECK;
// What a slot shall lead to. Returns 1 when routes that use it have to be written again, 0, or a negative errno.
int vnrs_nhset_put(struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family,
                   const struct vnrs_nlhop *hops, uint32_t n_hops, bool direct) VNRS_MUST_CHECK;
const struct vnrs_nhslot *vnrs_nhset_find(const struct vnrs_nhset *set, uint32_t owner, uint32_t handle,
                                          uint8_t family);
// A route of this slot points to object `id`: keep it if it is a group and nobody else has it.
void vnrs_nhset_claim(struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family, uint32_t id);
void vnrs_nhset_release(struct vnrs_nhset *set, uint32_t owner, uint32_t handle, uint8_t family);
void vnrs_nhset_release_owner(struct vnrs_nhset *set, uint32_t owner);

// Give every slot an id and make the objects be so. Call before routes are written.
int vnrs_nhset_write(struct vnrs_nhset *set) VNRS_MUST_CHECK;
// Remove objects of ours that no slot uses. Call after routes were written.
int vnrs_nhset_sweep(struct vnrs_nhset *set) VNRS_MUST_CHECK;

uint64_t vnrs_nlhops_digest(struct vnrs_nlhop *hops, uint32_t n); // sorts them
