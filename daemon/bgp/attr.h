// SPDX-License-Identifier: GPL-2.0-or-later
// Path attributes (RFC 4271 section 5): decoded, validated by RFC 7606, interned. One interned set per distinct
// content; a path is a prefix, a peer and a pointer to a set. Interned sets are immutable.
#pragma once

#include "net/addr.h"

#include <stdbool.h>

struct vnrs_bgp_session; // msg.h: what was negotiated
struct vnrs_bgp_error;

enum vnrs_bgp_origin { VNRS_BGP_ORIGIN_IGP, VNRS_BGP_ORIGIN_EGP, VNRS_BGP_ORIGIN_INCOMPLETE };

// Presence bits of the optional single-value attributes.
enum {
    VNRS_BGP_HAS_MED = 1u << 0,
    VNRS_BGP_HAS_LOCAL_PREF = 1u << 1,
    VNRS_BGP_HAS_ATOMIC_AGGREGATE = 1u << 2,
    VNRS_BGP_HAS_AGGREGATOR = 1u << 3,
};

#define VNRS_BGP_GRACEFUL_SHUTDOWN   0xffff0000u // RFC 8326
#define VNRS_BGP_BLACKHOLE           0xffff029au // RFC 7999
#define VNRS_BGP_NO_EXPORT           0xffffff01u
#define VNRS_BGP_NO_ADVERTISE        0xffffff02u
#define VNRS_BGP_NO_EXPORT_SUBCONFED 0xffffff03u
#define VNRS_BGP_COMMUNITY_RS        0xffedffedu // 65517:65517, azure-routing.md section 5.5
#define VNRS_BGP_PATH_ASNS_MAX       1024u       // longer AS paths are treated as withdrawn

// Canonical form. Byte strings are in wire form with 4-octet ASNs, whatever the session used. Arrays belong to the set.
struct vnrs_bgp_attrs {
    uint32_t refs;          // interned: references; else 0
    uint32_t originator_id; // RFC 4456, from inside the AS: who brought the route into it; 0: the peer
    uint64_t hash;          // interned: hash of the content
    uint8_t origin;         // enum vnrs_bgp_origin
    uint8_t has;            // VNRS_BGP_HAS_*
    uint16_t path_len;      // AS-path length as the decision counts it: an AS_SET is one (RFC 4271 9.1.2.2)
    uint32_t first_asn;     // leftmost ASN of the first AS_SEQUENCE, 0: none
    uint32_t med, local_pref;
    uint32_t aggregator_asn;
    struct vnrs_addr aggregator;
    struct vnrs_addr nexthop;            // global; of NEXT_HOP or MP_REACH_NLRI
    struct vnrs_addr nexthop_link_local; // RFC 2545, or NONE
    uint16_t n_clusters;                 // of CLUSTER_LIST (RFC 4456)
    uint16_t as_path_bytes, n_communities, n_ext_communities, n_large_communities, unknown_bytes;
    const uint8_t *clusters;          // 4 octets each
    const uint8_t *as_path;           // segments: type, count, count x 4 octets
    const uint32_t *communities;      // host order, ascending, no duplicates
    const uint8_t *ext_communities;   // 8 octets each, as received order
    const uint8_t *large_communities; // 12 octets each
    const uint8_t *unknown;           // whole attributes (flags, type, length, value), Partial bit set, to pass on
};

// The table of interned sets of one speaker.
struct vnrs_bgp_attr_table;
struct vnrs_bgp_attr_table *vnrs_bgp_attr_table_new(void) VNRS_MUST_CHECK;
void vnrs_bgp_attr_table_free(struct vnrs_bgp_attr_table *table); // every set must be unreferenced
size_t vnrs_bgp_attr_table_len(const struct vnrs_bgp_attr_table *table);

// The interned copy of `attrs` (any arrays borrowed), with one more reference; NULL when out of memory.
const struct vnrs_bgp_attrs *vnrs_bgp_attrs_intern(struct vnrs_bgp_attr_table *table,
                                                   const struct vnrs_bgp_attrs *attrs) VNRS_MUST_CHECK;
const struct vnrs_bgp_attrs *vnrs_bgp_attrs_ref(const struct vnrs_bgp_attrs *attrs);
void vnrs_bgp_attrs_unref(struct vnrs_bgp_attr_table *table, const struct vnrs_bgp_attrs *attrs); // accepts NULL

bool vnrs_bgp_attrs_has_community(const struct vnrs_bgp_attrs *attrs, uint32_t community);
bool vnrs_bgp_attrs_has_asn(const struct vnrs_bgp_attrs *attrs, uint32_t asn);
// "65515-65001", Azure's form; sets as "{65001,65002}". Returns the length without NUL; truncates to `size`.
size_t vnrs_bgp_as_path_format(const struct vnrs_bgp_attrs *attrs, char *buf, size_t size);

// Build what is sent from what was received. `out` borrows `scratch` and the arrays of `in`; intern it to keep it.
#define VNRS_BGP_ATTR_SCRATCH_BYTES 73728 // all of an extended message, and what is put in front
struct vnrs_bgp_attr_edit {
    uint32_t prepend_asn;             // 0: leave the path
    const struct vnrs_addr *nexthop;  // NULL: keep
    uint32_t add_communities[2];      // 0: none
    bool (*is_private)(uint32_t asn); // take those out of the path, before prepend_asn comes in; NULL: none
    bool strip_local_pref, strip_med; // towards eBGP
    bool reflect;                     // RFC 4456: put cluster_id in front; else nothing of a reflector goes out
    uint32_t cluster_id, originator_id;
};
int vnrs_bgp_attrs_edit(const struct vnrs_bgp_attrs *in, const struct vnrs_bgp_attr_edit *edit, uint8_t *scratch,
                        size_t scratch_size, struct vnrs_bgp_attrs *out) VNRS_MUST_CHECK;
