// SPDX-License-Identifier: GPL-2.0-or-later
// A series of random topologies, each applied over the last one, by the controller itself: what it tells its agent goes
// to the sinks under test, as vnrsd would hand it to them. Beside them the model of the packet path
// (lib/packet_model.h) over the same topology.
#pragma once

#include "lib/packet_model.h"
#include "lib/random_lab.h"
#include "lib/random_packet.h"

#include "fib/sink.h"

struct diff_lab;

#define DIFF_SINKS_MAX 2

struct diff_lab *diff_lab_new(uint64_t seed);
void diff_lab_free(struct diff_lab *lab);
// The sink is borrowed. Errors of its end the test.
void diff_lab_sink_add(struct diff_lab *lab, struct vnrs_sink *sink);

// The topology of this number, from 0 in order. Valid until the next one.
void diff_lab_next(struct diff_lab *lab, unsigned number);
const struct pm_world *diff_lab_world(const struct diff_lab *lab);
const struct random_lab *diff_lab_drawn(const struct diff_lab *lab);
// Frame `number` of this topology, whatever was drawn before.
void diff_lab_frame(const struct diff_lab *lab, uint64_t number, struct random_frame *ret_frame);

// Prints everything that is needed to see it again, and fails.
void diff_lab_fail(const struct diff_lab *lab, uint64_t number, const struct random_frame *frame,
                   const struct pm_result *result, const char *fmt, ...)
    __attribute__((format(printf, 5, 6), noreturn));
