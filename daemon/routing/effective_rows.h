// SPDX-License-Identifier: GPL-2.0-or-later
// Inside of vnrs_effective_fill: the rows of one domain while they are made, a file for each kind of them. They are
// made in the order in which Azure shows them; user routes last, once it is known what they beat.
#pragma once

#include "routing/effective.h"
#include "util/arena.h"

enum vnrs_eff_beaten { VNRS_EFF_BEATEN_DEFAULT = 1, VNRS_EFF_BEATEN_GATEWAY = 2 };

struct vnrs_eff_learned_why; // effective_learned.c

// One domain being filled.
struct vnrs_eff_table {
    struct vnrs_domain *domain;
    const struct vnrs_model *model;
    const struct vnrs_reach *reach;
    const struct vnrs_learned *learned; // NULL: none
    struct vnrs_arena *arena;
    const struct vnrs_domain_rules *rules;
    uint8_t *udr_beat;                         // per entry of rules->users: enum vnrs_eff_beaten
    struct vnrs_eff_learned_why *learned_whys; // made when first needed
    bool failed;                               // out of memory; looked at once in the end
};

// A text in the table's arena; NULL: out of memory, which the table remembers.
#define EFF_SAY(t, ...)                                                                                                \
    ({                                                                                                                 \
        const char *text_ = vnrs_arena_printf((t)->arena, __VA_ARGS__);                                                \
        (t)->failed |= !text_;                                                                                         \
        text_;                                                                                                         \
    })

// True when the ranges of the other network have system routes in the domain.
bool vnrs_eff_peering_counts(const struct vnrs_domain *domain, const struct vnrs_peering *peering);
// Which of several user routes has a prefix: that of the lowest rank (azure-routing.md 3.3). NULL: no tag.
uint32_t vnrs_eff_tag_rank(const struct vnrs_service_tag *tag);
static inline const struct vnrs_subnet *vnrs_eff_subnet_of(const struct vnrs_domain *domain)
{
    return domain->subnets.items[0]; // all are alike in what is read here
}

// A zeroed row at the end; there is room for all.
struct vnrs_eff_route *vnrs_eff_row_new(struct vnrs_eff_table *table, const struct vnrs_prefix *prefix,
                                        enum vnrs_route_source source, enum vnrs_nexthop_type type);
// User beats VirtualNetworkGateway beats Default at the same prefix; the loser is shown as Invalid (azure-routing.md
// 2.1, 2.4).
void vnrs_eff_contest(struct vnrs_eff_table *table, struct vnrs_eff_route *row);
// A service endpoint is asked before everything else: a route at its prefix has lost, one inside is never reached
// (azure-routing.md 2.1 item 4, 7). True when it has the prefix itself.
bool vnrs_eff_under_endpoint(struct vnrs_eff_table *table, struct vnrs_eff_route *row);
void vnrs_eff_sort(struct vnrs_eff_table *table, size_t from); // the rows from there on, by prefix
// Learned, and shown in the domain.
bool vnrs_eff_is_learned(const struct vnrs_eff_table *table, const struct vnrs_prefix *prefix);

void vnrs_eff_rows_vnet_local(struct vnrs_eff_table *table);
void vnrs_eff_rows_peering(struct vnrs_eff_table *table);
void vnrs_eff_rows_learned(struct vnrs_eff_table *table);
void vnrs_eff_rows_endpoints(struct vnrs_eff_table *table);
void vnrs_eff_rows_default(struct vnrs_eff_table *table);
void vnrs_eff_rows_none(struct vnrs_eff_table *table);
void vnrs_eff_rows_user(struct vnrs_eff_table *table);
