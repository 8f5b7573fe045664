// SPDX-License-Identifier: GPL-2.0-or-later
// The route maps of a Route Server as its speakers are told them (vnrs/speaker_proto.h). Pure.
#pragma once

#include "model/model.h"
#include "util/vec.h"
#include "vnrs/speaker_proto.h"

struct vnrs_route_map_msgs { // zero: no maps
    VEC(struct vnrs_spk_map) maps;
    VEC(struct vnrs_spk_map_rule) rules;
    VEC(struct vnrs_spk_map_item) items;
};

// Adds all maps, in the order of their ids. Returns 0 or -ENOMEM.
int vnrs_route_map_msgs_make(const struct vnrs_route_server *rs, struct vnrs_route_map_msgs *msgs) VNRS_MUST_CHECK;
void vnrs_route_map_msgs_fini(struct vnrs_route_map_msgs *msgs);
