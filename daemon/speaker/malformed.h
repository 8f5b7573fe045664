// SPDX-License-Identifier: GPL-2.0-or-later
// UPDATEs with errors, in the log: what was wrong, the prefixes concerned and the whole message (RFC 7606 section 6).
// A peer cannot fill the log: within a minute only so many are told in full, the others are counted.
#pragma once

#include "speaker/speakerd.h"

#define VNRS_MALFORMED_PERIOD_MS  60000u
#define VNRS_MALFORMED_PER_PERIOD 10u
#define VNRS_MALFORMED_TEXT_MAX   700u
#define VNRS_MALFORMED_LINE_BYTES 256u // octets of the message in one line

void vnrs_malformed_log(struct vnrs_speakerd *sp, const struct vnrs_bgp_member *member, enum vnrs_bgp_outcome outcome,
                        const struct vnrs_bgp_update *update, const uint8_t *msg, size_t len);

// "treat-as-withdraw: wrong attribute length (attribute 8): 10.0.1.0/24, 10.0.2.0/24 and 5 more". Returns `buf`.
const char *vnrs_malformed_text(enum vnrs_bgp_outcome outcome, const struct vnrs_bgp_update *update, char *buf,
                                size_t size);
// Whether one more may be told now; *ret_suppressed: how many were not since the last that was.
bool vnrs_malformed_admit(struct vnrs_malformed_budget *budget, uint64_t now_ms, unsigned *ret_suppressed);
