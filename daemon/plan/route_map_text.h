// SPDX-License-Identifier: GPL-2.0-or-later
// A route map in one line for people: all of its rules. Pure.
#pragma once

#include "model/model.h"
#include "util/strbuf.h"

// "no: Contains routePrefix 10.0.0.0/8 → Drop all, Terminate; tag → Add community 65001:1"
void vnrs_route_map_text(struct vnrs_strbuf *out, const struct vnrs_route_map *map);
