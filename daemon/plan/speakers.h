// SPDX-License-Identifier: GPL-2.0-or-later
// Which BGP speakers a lab has and what each of them is told, as the messages of vnrs/speaker_proto.h: the instances of
// Route Servers and gateways, and the edge routers of circuits (MSEEs). Of the sessions the topology file knows those
// with NVAs and sites; those between speakers, which Azure makes by itself (azure-routing.md 5.6, 6.2, 6.3), are made
// here. Nothing is decided elsewhere: the controller sends what stands here. Pure.
#pragma once

#include "model/model.h"
#include "plan/route_map_msgs.h"
#include "routing/routing.h"
#include "util/vec.h"
#include "vnrs/speaker_proto.h"

#define VNRS_SESSION_TTL 128    // azure-routing.md 5.2
#define VNRS_MSEE_ASN    12076u // azure-routing.md 6.2

struct vnrs_speaker {
    const char *key;   // of the speaker object and of the instance: "rs-0"; else the machine: "gateway.vpn-0",
                       // "msee.circuit-1"
    const char *owner; // the Route Server, the gateway, or the connection whose circuit it is
    unsigned index;    // which of its instances, or links
    const struct vnrs_vnet *hub;
    const struct vnrs_route_server *rs;       // ROUTE_SERVER
    const struct vnrs_gateway *gateway;       // VPN_GATEWAY, ER_GATEWAY; MSEE: whose it is
    const struct vnrs_connection *connection; // MSEE
    enum vnrs_learned_class class;
    bool in_hub;        // NICs of the hub get what it passes up
    bool is_next_hop;   // and have to send packets to the instance for that, whatever the next hop it learned
    const char *domain; // what it passes up is also a route domain, by this key, for the table that the machine
                        // forwards by; NULL: it is not
    struct vnrs_spk_config config; // `restart` is for the sender to say
    VEC(struct vnrs_spk_own) own;
    struct vnrs_route_map_msgs maps;
    VEC(struct vnrs_spk_peer_config) peers; // those of the file first
    VEC(struct vnrs_spk_bmp) stations;
};

struct vnrs_speakers {
    struct vnrs_arena *arena;
    VEC(struct vnrs_speaker) list; // Route Servers, gateways, circuits, each in file order, then by index
};

// What they are told borrows from the model. Returns 0 or -ENOMEM.
int vnrs_speakers_make(const struct vnrs_model *model, struct vnrs_speakers *ret_speakers) VNRS_MUST_CHECK;
void vnrs_speakers_fini(struct vnrs_speakers *speakers); // keys of sessions are wiped

// NULL: none.
const struct vnrs_speaker *vnrs_speakers_find(const struct vnrs_speakers *speakers, const char *key);
const struct vnrs_spk_peer_config *vnrs_speaker_find_peer(const struct vnrs_speaker *speaker, const char *name);
// Of an NVA or a site, which the file has; else of another speaker.
bool vnrs_peer_is_outside(const struct vnrs_spk_peer_config *peer);
