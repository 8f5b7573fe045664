// SPDX-License-Identifier: GPL-2.0-or-later
// What a controller says to the guest sink, in short; and waiting until it is written.
#pragma once

#include "fib/guest_sink.h"
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a;
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static inline void group(struct vnrs_sink *sink, uint32_t handle, unsigned n, const char *const *vias, uint8_t kind)
{
    struct vnrs_fib_group g = {.handle = handle, .n = n};

    for (unsigned i = 0; i < n; i++) {
        g.members[i].kind = kind;
        g.members[i].vnet = 3;
        if (vias[i])
            g.members[i].via = addr(vias[i]);
    }
    assert_int_equal(sink->ops->group_set(sink, &g), 0);
}

#define GROUP(sink, handle, kind, ...)                                                                                 \
    group(sink, handle, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__}, kind)

static inline void route(struct vnrs_sink *sink, const char *prefix, uint32_t handle)
{
    struct vnrs_fib_route r = {.domain = 7, .group = handle};

    assert_int_equal(vnrs_prefix_parse(prefix, &r.prefix), 0);
    assert_int_equal(sink->ops->route_set(sink, &r), 0);
}

static inline void ok(struct vnrs_sink *sink, int r)
{
    if (r < 0)
        print_message("%d: %s\n", r, sink->error);
    assert_int_equal(r, 0);
}

// Write all of it, piece by piece.
static inline int settle(struct vnrs_sink *sink)
{
    uint64_t target = vnrs_guest_sink_target(sink);

    while (vnrs_guest_sink_work(sink, 0))
        ;
    assert_int_equal(vnrs_guest_sink_done(sink), target);
    return vnrs_guest_sink_result(sink);
}

static inline int try_flush(struct vnrs_sink *sink)
{
    assert_int_equal(sink->ops->flush(sink), 0);
    return settle(sink);
}

static inline int try_end(struct vnrs_sink *sink)
{
    assert_int_equal(sink->ops->sync_end(sink), 0);
    return settle(sink);
}

static inline void flush(struct vnrs_sink *sink)
{
    ok(sink, try_flush(sink));
}
