// SPDX-License-Identifier: GPL-2.0-or-later
// The Route Monitoring messages of a feed (bgp/bmp_feed.h, whose part it is): pieces of the walk through the RIBs, and
// changes, told view by view and peer by peer; what a prefix has there is looked up when it is told. Then End-of-RIB.
#pragma once

#include "bgp/bmp_feed.h"

// The next message, 0 when there is none (or the feed has failed). `size` is at least VNRS_BMP_MESSAGE_MAX.
size_t vnrs_bmp_routes_next(struct vnrs_bmp_feed *feed, uint8_t *buf, size_t size);

// In bmp_feed.c: the header of messages about this slot (SLOT_LOCAL: the Loc-RIB); `ms` is the speaker's time.
struct vnrs_bmp_peer vnrs_bmp_feed_peer(const struct vnrs_bmp_feed *feed, unsigned slot, uint8_t flags, uint64_t ms);
