// SPDX-License-Identifier: GPL-2.0-or-later
// Small language helpers used everywhere: cleanup attributes, ownership transfer, array sizes.
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define VNRS_MUST_CHECK        __attribute__((warn_unused_result))
#define VNRS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define VNRS_UNUSED            __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

// Run `fn(&variable)` when the variable leaves its scope.
#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void vnrs_free_ptr(void *p)
{
    free(*(void **)p);
}

static inline void vnrs_close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

#define _free_  _cleanup_(vnrs_free_ptr)
#define _close_ _cleanup_(vnrs_close_fd)

// Hand the value over and leave the variable empty, so that its cleanup does nothing.
#define TAKE_PTR(p)                                                                                                    \
    ({                                                                                                                 \
        __typeof__(p) taken_ = (p);                                                                                    \
        (p) = NULL;                                                                                                    \
        taken_;                                                                                                        \
    })
#define TAKE_FD(fd)                                                                                                    \
    ({                                                                                                                 \
        int taken_ = (fd);                                                                                             \
        (fd) = -1;                                                                                                     \
        taken_;                                                                                                        \
    })
