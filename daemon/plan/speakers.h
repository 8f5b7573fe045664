// SPDX-License-Identifier: GPL-2.0-or-later
// Which BGP speakers a lab has and what each of them is told, as the messages of vnrs/speaker_proto.h: the instances of
// its Route Servers. Nothing is decided elsewhere: the controller sends what stands here. Pure.
#pragma once

#include "model/model.h"
#include "plan/route_map_msgs.h"
#include "routing/routing.h"
#include "util/vec.h"
#include "vnrs/speaker_proto.h"

#define VNRS_SESSION_TTL 128 // azure-routing.md 5.2

struct vnrs_speaker {
    const char *key;   // of the speaker object and of the instance: "rs-0"
    const char *owner; // the Route Server
    unsigned index;    // which of its instances
    const struct vnrs_vnet *hub;
    const struct vnrs_route_server *rs;
    enum vnrs_learned_class class;
    struct vnrs_spk_config config; // `restart` is for the sender to say
    VEC(struct vnrs_spk_local) locals;
    struct vnrs_route_map_msgs maps;
    VEC(struct vnrs_spk_peer_config) peers;
    VEC(struct vnrs_spk_bmp) stations;
};

struct vnrs_speakers {
    struct vnrs_arena *arena;
    VEC(struct vnrs_speaker) list; // Route Servers in file order, their instances by index
};

// What they are told borrows from the model. Returns 0 or -ENOMEM.
int vnrs_speakers_make(const struct vnrs_model *model, struct vnrs_speakers *ret_speakers) VNRS_MUST_CHECK;
void vnrs_speakers_fini(struct vnrs_speakers *speakers); // keys of sessions are wiped

// NULL: none.
const struct vnrs_speaker *vnrs_speakers_find(const struct vnrs_speakers *speakers, const char *key);
const struct vnrs_spk_peer_config *vnrs_speaker_find_peer(const struct vnrs_speaker *speaker, const char *name);
