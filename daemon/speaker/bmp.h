// SPDX-License-Identifier: GPL-2.0-or-later
// Connections to BMP stations (RFC 7854), each with a feed of its own (bgp/bmp_feed.h). We connect, from the instance's
// namespace, and try again with a wait that doubles. Sending never blocks and what waits is bounded: a station that
// takes nothing for VNRS_BMP_STALL_MS while something waits, or whose feed has failed, is dropped and told anew after
// the wait. BGP does not notice.
#pragma once

#include "speaker/speakerd.h"

#define VNRS_BMP_RETRY_MIN_MS 1000u
#define VNRS_BMP_RETRY_MAX_MS 60000u
#define VNRS_BMP_CALM_MS      30000u // a connection that lasted as long makes the next wait short
#define VNRS_BMP_STALL_MS     30000u
#define VNRS_BMP_OUT_BYTES    262144u
#define VNRS_BMP_RUN_BYTES    131072u // made in one run

// As configured now: those that are new or changed begin, others end. After the speaker itself was configured.
int vnrs_bmp_configure(struct vnrs_speakerd *sp, const struct vnrs_spk_bmp *list, size_t n) VNRS_MUST_CHECK;
// Says goodbye and ends all.
void vnrs_bmp_stop(struct vnrs_speakerd *sp);
// Makes and sends what is due. Returns true when there is more to do at once.
bool vnrs_bmp_flush_all(struct vnrs_speakerd *sp);
// The agent's answer to a request for a socket, *fd -1 on failure. True when it was ours; the descriptor is taken then.
bool vnrs_bmp_take_socket(struct vnrs_speakerd *sp, const struct vnrs_spk_socket *answer, int *fd);

bool vnrs_bmp_is_watching(const struct vnrs_speakerd *sp); // a station is connected
void vnrs_bmp_up(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member);
void vnrs_bmp_down(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member);
void vnrs_bmp_path(struct vnrs_speakerd *sp, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id,
                   bool best);
void vnrs_bmp_told(struct vnrs_speakerd *sp, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t members);
void vnrs_bmp_malformed(struct vnrs_speakerd *sp, struct vnrs_bgp_member *member, const uint8_t *msg, size_t len);
