// SPDX-License-Identifier: GPL-2.0-or-later
// Command line of the differential tests.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct diff_args {
    uint64_t seed;
    unsigned topologies, frames; // how many of them
    bool has_topology, has_frame;
    unsigned topology; // only this one is checked
    uint64_t frame;    // likewise
};

static inline bool diff_args_parse(struct diff_args *args, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--seed") == 0)
            args->seed = value;
        else if (strcmp(argv[i], "--topologies") == 0)
            args->topologies = (unsigned)value;
        else if (strcmp(argv[i], "--frames") == 0)
            args->frames = (unsigned)value;
        else if (strcmp(argv[i], "--topology") == 0)
            args->has_topology = true, args->topology = (unsigned)value;
        else if (strcmp(argv[i], "--frame") == 0)
            args->has_frame = true, args->frame = value;
        else
            argc = 0;
    }
    if (argc % 2 == 1)
        return true;
    (void)fprintf(stderr, "usage: [--seed N] [--topologies N] [--frames N] [--topology N [--frame N]]\n");
    return false;
}
