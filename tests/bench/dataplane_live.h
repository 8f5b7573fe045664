// SPDX-License-Identifier: GPL-2.0-or-later
// Real packets for dataplane_bench: frames that come in by a link one after the other in one system call (XDP live
// frames), are handed on by a program at its ingress or by the kernel, and are counted and dropped in the namespace
// where they arrive. One core does all of it.
#pragma once

#include <stdbool.h>

#define LIVE_IN     16 // fabric ends: of the sender, and of the NIC that all packets go to
#define LIVE_OUT    18
#define LIVE_FRAMES 16384 // a run is short: some runs then fall between other work of the machine
#define LIVE_RUNS   10    // in each round
#define LIVE_TABLE  100   // of the kernel, in front of the main one where a case asks for it

struct live_case {
    const char *name;
    int program;        // at the ingress of LIVE_IN; -1: none, the kernel forwards
    int generate;       // XDP program that makes the frames
    unsigned *mask;     // of the keys that the frames are made from: where it is
    unsigned different; // how many destinations: a power of two
    const char *routes; // a file for `ip -batch` with the kernel's routes, or NULL
    bool table;         // they are in LIVE_TABLE
    bool dropped;       // nothing shall arrive
};

// Runs all cases in turns, LIVE_RUNS times `rounds` times, in namespaces of their own, and prints a table. `sink`
// counts in *delivered. What the fastest run of each case took, in ns a packet, is in ret_ns; 0: there is no figure.
void live_run(const struct live_case *cases, unsigned n, unsigned rounds, int sink,
              const volatile unsigned long long *delivered, double *ret_ns);
