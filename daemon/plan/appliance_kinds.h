// SPDX-License-Identifier: GPL-2.0-or-later
// Inside daemon/plan only: what the generators of configurations share, one file for each daemon.
#pragma once

#include "plan/appliance.h"
#include "util/strbuf.h"
#include "util/vec.h"

#define APPLIANCE_RETRY_S 2

struct appliance_session { // one session that the machine has
    const struct vnrs_route_server *rs;
    const struct vnrs_bgp_connection *conn;
    struct vnrs_addr local, remote;
    unsigned instance;
};

struct appliance_sessions {
    VEC(struct appliance_session) list; // instances of a connection one after the other
};

struct vnrs_addr appliance_router_id(const struct vnrs_machine *machine);
// Where packets for an IPv6 prefix shall go when the session itself is IPv4. NONE: nowhere.
struct vnrs_addr appliance_next_hop6(const struct vnrs_machine *machine, const struct vnrs_announce *announce);
bool appliance_has_family(const struct vnrs_run *run, uint8_t family);

struct site_session { // one session of a site's router
    const char *name; // of the connection
    struct vnrs_addr local, remote;
    uint32_t remote_asn;
    struct vnrs_bgp_timers timers;
    const char *tunnel;                 // its link, through which `remote` is reached; NULL: a circuit, on link
    const char *password;               // NULL: none
    const struct vnrs_bfd_options *bfd; // NULL: none
};

struct site_router {
    const struct vnrs_model *model;
    const struct vnrs_site *site;
    struct vnrs_machine machine; // the site's, which announces the site's prefixes as well
    struct vnrs_addr ip;         // NONE: none
    VEC(struct site_session) sessions;
};

void appliance_site_frr(struct vnrs_strbuf *out, const struct site_router *router);
void appliance_site_bird(struct vnrs_strbuf *out, const struct site_router *router);
// Of both kinds of machines: how the configuration begins, and what they announce, as filter for what is sent.
void appliance_frr_head(struct vnrs_strbuf *out, const char *hostname);
void appliance_frr_policy(struct vnrs_strbuf *out, const struct vnrs_machine *machine);
void appliance_bird_announce(struct vnrs_strbuf *out, const struct vnrs_machine *machine);

typedef void (*appliance_fn)(struct vnrs_strbuf *out, const struct vnrs_model *model,
                             const struct vnrs_machine *machine, const struct appliance_sessions *sessions);
void appliance_frr(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                   const struct appliance_sessions *sessions);
void appliance_bird(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                    const struct appliance_sessions *sessions);
void appliance_gobgp(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                     const struct appliance_sessions *sessions);
void appliance_gobgp_commands(struct vnrs_strbuf *out, const struct vnrs_machine *machine);
void appliance_exabgp(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                      const struct appliance_sessions *sessions);
void appliance_openbgpd(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                        const struct appliance_sessions *sessions);
// The next hop that is told of a prefix: the one given, or the machine's own of that family. NONE: there is none.
struct vnrs_addr appliance_next_hop(const struct vnrs_machine *machine, const struct vnrs_announce *announce);
