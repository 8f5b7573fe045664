// SPDX-License-Identifier: GPL-2.0-or-later
// The goals of the data plane, by their ids, and what a run of dataplane_bench measured for each. Goals for many NICs
// are not among them: scripts/bench scale.
#pragma once

enum goal {
    GOAL_P1,
    GOAL_P2,
    GOAL_P3_HOT,
    GOAL_P3_WIDE,
    GOAL_P4_HOT,
    GOAL_P4_WIDE,
    GOAL_P5,
    GOAL_P7,
    GOAL_P7_FIRST,
    GOAL_P8,
    GOAL_P8_FIRST,
    GOAL_P9,
    GOAL_P10_1K,
    GOAL_P10_100K,
    GOAL_P10_1M,
    GOAL_P11,
    GOAL_P12_INSTRUCTIONS,
    GOAL_P12_BYTES,
    GOAL_P12_VERIFIED,
    GOAL_P13,
    GOAL_P13_FIRST,
    GOAL_U1_CPU,
    GOAL_U1_WALL,
    GOAL_U2,
    GOAL_U3,
    GOAL_U4_WAIT,
    GOAL_S4_ONE,
    GOAL_S4_MANY,
    GOAL_Q1,
    _GOAL_MAX
};

// What was measured, in the unit of the goal; the worst counts where a goal is told of twice.
void goal_measured(enum goal goal, double value);
// Print Markdown.
void goals_print(void);
