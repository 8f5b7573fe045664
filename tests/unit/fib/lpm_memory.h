// SPDX-License-Identifier: GPL-2.0-or-later
// Memory for vnrs_lpm_nodes in a test: chunks from the heap, and what fails when.
#pragma once

#include "fib/lpm_nodes.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct lpm_memory {
    struct vnrs_lpm_line *chunks[VNRS_LPM_CHUNKS_MAX];
    unsigned n_chunks, max, waits; // max 0: no limit of its own
};

static int lpm_memory_grow(void *arg, unsigned index, struct vnrs_lpm_line **ret_chunk)
{
    struct lpm_memory *memory = arg;

    assert_int_equal(index, memory->n_chunks);
    if (memory->max && index >= memory->max)
        return -ENOMEM;
    *ret_chunk = memory->chunks[index] = aligned_alloc(128, VNRS_LPM_CHUNK_LINES * sizeof(struct vnrs_lpm_line));
    assert_non_null(*ret_chunk);
    memory->n_chunks++;
    return 0;
}

static int lpm_memory_wait(void *arg)
{
    ((struct lpm_memory *)arg)->waits++;
    return 0;
}

static void lpm_memory_open(struct lpm_memory *memory, struct vnrs_lpm_nodes **ret_nodes)
{
    struct vnrs_lpm_memory hooks = {.arg = memory, .grow = lpm_memory_grow, .wait = lpm_memory_wait};

    assert_int_equal(vnrs_lpm_nodes_new(&hooks, ret_nodes), 0);
}

static void lpm_memory_close(struct lpm_memory *memory)
{
    for (unsigned c = 0; c < memory->n_chunks; c++)
        free(memory->chunks[c]);
    *memory = (struct lpm_memory){0};
}
