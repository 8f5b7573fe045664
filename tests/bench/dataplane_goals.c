// SPDX-License-Identifier: GPL-2.0-or-later
#include "dataplane_goals.h"

#include "util/macros.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>

static const struct {
    const char *id, *what, *unit;
    bool at_least; // else: at most
    double goal;
} goals[] = {
    [GOAL_P1] = {"P1", "rate beside bare redirect_peer, 1,000 routes and destinations", " %", true, 88},
    [GOAL_P2] = {"P2", "the same, 100,000 routes, 65,536 destinations", " %", true, 83},
    [GOAL_P3_HOT] = {"P3", "the same, 1,000,000 routes, 1,024 destinations", " %", true, 86},
    [GOAL_P3_WIDE] = {"P3", "the same, 1,000,000 routes, 65,536 destinations", " %", true, 68},
    [GOAL_P4_HOT] = {"P4", "rate beside kernel forwarding, 1,000 routes and destinations", " times", true, 1.85},
    [GOAL_P4_WIDE] = {"P4", "the same, 100,000 routes, 65,536 destinations", " times", true, 2.2},
    [GOAL_P5] = {"P5", "IPv6 beside bare redirect_peer, 1,000 routes and destinations", " %", true, 80},
    [GOAL_P7] = {"P7", "IPv4 packet above an empty program", " ns", false, 70},
    [GOAL_P7_FIRST] = {"P7", "the same, the first between two addresses", " ns", false, 70},
    [GOAL_P8] = {"P8", "IPv6 packet above an empty program", " ns", false, 100},
    [GOAL_P8_FIRST] = {"P8", "the same, the first between two addresses", " ns", false, 100},
    [GOAL_P9] = {"P9", "dropped packets (three reasons), the slowest", " ns", false, 40},
    [GOAL_P10_1K] = {"P10", "one lookup, 1,000 routes, 65,536 destinations", " ns", false, 10},
    [GOAL_P10_100K] = {"P10", "the same, 100,000 routes", " ns", false, 20},
    [GOAL_P10_1M] = {"P10", "the same, 1,000,000 routes", " ns", false, 40},
    [GOAL_P11] = {"P11", "a packet takes longer with 1,000,000 routes than with 1,000, 1,024 destinations", " %", false,
                  5},
    [GOAL_P12_INSTRUCTIONS] = {"P12", "instructions of the fast path", "", false, 600},
    [GOAL_P12_BYTES] = {"P12", "machine code of the fast path", " bytes", false, 4096},
    [GOAL_P12_VERIFIED] = {"P12", "instructions verified, whole program", "", false, 20000},
    [GOAL_P13] = {"P13", "instructions of a build for user space, IPv4 packet", "", false, 300},
    [GOAL_P13_FIRST] = {"P13", "the same, the first between two addresses", "", false, 300},
    [GOAL_U1_CPU] = {"U1", "one route, CPU, 99 %", " us", false, 50},
    [GOAL_U1_WALL] = {"U1", "one route until packets see it, 99 %", " us", false, 1000},
    [GOAL_U2] = {"U2", "1,000,000 IPv4 routes, CPU", " s", false, 1},
    [GOAL_U3] = {"U3", "writes to move 500,000 routes to another next hop", "", false, 2},
    [GOAL_U4_WAIT] = {"U4", "wait before memory is used again", " ms", false, 50},
    [GOAL_S4_ONE] = {"S4", "bytes per IPv4 route, 100,000 and more in one table", "", false, 350},
    [GOAL_S4_MANY] = {"S4", "the same, over 200 tables", "", false, 700},
    [GOAL_Q1] = {"Q1", "lookups that differ from another structure's", "", false, 0},
};
static_assert(ARRAY_SIZE(goals) == _GOAL_MAX, "a row for each goal");

static struct {
    bool done;
    double value;
} measured[_GOAL_MAX];

static bool is_worse(enum goal goal, double a, double b)
{
    return goals[goal].at_least ? a < b : a > b;
}

void goal_measured(enum goal goal, double value)
{
    if (!measured[goal].done || is_worse(goal, value, measured[goal].value))
        measured[goal].value = value;
    measured[goal].done = true;
}

static int decimals(double value)
{
    return value < 10 ? 2 : value < 100 ? 1 : 0;
}

void goals_print(void)
{
    printf("### Goals\n\n| id | what | goal | measured | |\n|---|---|---|---|---|\n");
    for (enum goal g = 0; g < _GOAL_MAX; g++) {
        double value = measured[g].value;
        if (measured[g].done)
            printf("| %s | %s | %s %g%s | %.*f%s | %s |\n", goals[g].id, goals[g].what,
                   goals[g].at_least ? "at least" : "at most", goals[g].goal, goals[g].unit, decimals(value), value,
                   goals[g].unit, is_worse(g, value, goals[g].goal) ? "**missed**" : "met");
    }
    printf("\n");
}
