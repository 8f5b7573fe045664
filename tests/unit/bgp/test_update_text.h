// SPDX-License-Identifier: GPL-2.0-or-later
// A decoded UPDATE as one line of text, for the tables of the UPDATE tests:
// "-10.0.0.0/8 +10.1.0.0/16#7 nh 10.0.0.1 path 65001 med 5". Prefixes first; attributes once for each kind of prefixes.
#pragma once

#include "test_msg_hex.h"

#include <stdio.h>

struct line {
    char text[4096];
    size_t len;
};

static inline void VNRS_PRINTF(2, 3) line_add(struct line *line, const char *fmt, ...)
{
    va_list args;

    if (line->len && line->len < sizeof(line->text) - 1)
        line->text[line->len++] = ' ';
    va_start(args, fmt);
    int n = vsnprintf(line->text + line->len, sizeof(line->text) - line->len, fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(line->text) - line->len);
    line->len += (size_t)n;
}

static inline void line_hex(struct line *line, const char *name, const uint8_t *bytes, size_t n)
{
    char hex[2048];

    assert_true(n * 2 < sizeof(hex));
    for (size_t i = 0; i < n; i++)
        snprintf(hex + i * 2, 3, "%02x", bytes[i]);
    if (n)
        line_add(line, "%s %s", name, hex);
}

static inline void line_prefixes(struct line *line, char sign, struct vnrs_bgp_nlri nlri)
{
    struct vnrs_prefix p;
    char text[VNRS_PREFIX_STR_MAX];

    while (vnrs_bgp_nlri_next(&nlri, &p) > 0) {
        if (nlri.has_ids)
            line_add(line, "%c%s#%u", sign, vnrs_prefix_format(&p, text), nlri.path_id);
        else
            line_add(line, "%c%s", sign, vnrs_prefix_format(&p, text));
    }
}

static inline void line_attrs(struct line *line, const struct vnrs_bgp_attrs *a)
{
    char text[VNRS_ADDR_STR_MAX], path[2048];

    line_add(line, "nh %s", vnrs_addr_format(&a->nexthop, text));
    if (a->nexthop_link_local.family)
        line_add(line, "ll %s", vnrs_addr_format(&a->nexthop_link_local, text));
    vnrs_bgp_as_path_format(a, path, sizeof(path));
    line_add(line, "path %s", path);
    if (a->origin)
        line_add(line, "origin %u", a->origin);
    if (a->has & VNRS_BGP_HAS_MED)
        line_add(line, "med %u", a->med);
    if (a->has & VNRS_BGP_HAS_LOCAL_PREF)
        line_add(line, "lp %u", a->local_pref);
    if (a->has & VNRS_BGP_HAS_ATOMIC_AGGREGATE)
        line_add(line, "atomic");
    if (a->has & VNRS_BGP_HAS_AGGREGATOR)
        line_add(line, "agg %u@%s", a->aggregator_asn, vnrs_addr_format(&a->aggregator, text));
    for (unsigned i = 0; i < a->n_communities; i++)
        line_add(line, "c %u:%u", a->communities[i] >> 16, a->communities[i] & 0xffff);
    line_hex(line, "ext", a->ext_communities, a->n_ext_communities * 8u);
    line_hex(line, "large", a->large_communities, a->n_large_communities * 12u);
    line_hex(line, "pass", a->unknown, a->unknown_bytes);
}

static inline const char *update_text(struct line *line, enum vnrs_bgp_outcome outcome, const struct vnrs_bgp_update *u)
{
    *line = (struct line){0};
    for (int i = 0; i < 2; i++)
        line_prefixes(line, '-', u->withdrawn[i]);
    for (int i = 0; i < 2; i++) {
        line_prefixes(line, '+', u->reach[i]);
        if (u->reach[i].len && outcome < VNRS_BGP_TREAT_AS_WITHDRAW)
            line_attrs(line, &u->attrs[i]);
    }
    if (u->eor[VNRS_BGP_AF4])
        line_add(line, "eor4");
    if (u->eor[VNRS_BGP_AF6])
        line_add(line, "eor6");
    return line->text;
}
