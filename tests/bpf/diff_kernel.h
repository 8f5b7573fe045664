// SPDX-License-Identifier: GPL-2.0-or-later
// How a fabric that the kernel forwards (`dataplane: kernel`) differs from the packet path: one table, each row with
// its reason. docs/parity.md tells users the same.
#pragma once

#include "diff_lab.h"

enum diff_effect {
    DIFF_NONE,
    DIFF_DROPPED, // nothing arrives
    DIFF_LOOSE,   // arrives or not, with other bytes or not; but nowhere else than the model allows
    DIFF_ANSWER,  // it is answered as the model says, or not
    DIFF_OWN,     // it is answered or not, in another form or not: nothing arrives at others than the sender
};

struct diff_rule {
    const char *what, *why;
    enum diff_effect effect;
    bool (*applies)(const struct pm_world *world, const struct random_frame *frame, const struct pm_result *result);
};

// The first rule that applies, or NULL: as the model says.
const struct diff_rule *diff_kernel_rule(const struct pm_world *world, const struct random_frame *frame,
                                         const struct pm_result *result);

#define DIFF_RULES_MAX 32
unsigned diff_kernel_rules(void);                          // how many
unsigned diff_kernel_number(const struct diff_rule *rule); // from 0

// What the kernel makes of a frame that it forwards to this outcome: TTL decremented, padding cut off, MACs.
size_t diff_kernel_forwarded(const struct random_frame *frame, const struct pm_result *result,
                             const struct pm_outcome *outcome, uint8_t ret_bytes[static RANDOM_FRAME_MAX]);
