// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/sched.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// As in sched_setattr(2), which the C library of Debian 12 lacks.
struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

#define RESET_ON_FORK UINT64_C(1)

static_assert(sizeof(struct attr) == 48, "the first version of struct sched_attr");

int vnrs_sched_set_slice(unsigned us, bool inherited)
{
    struct attr attr = {0};

    // All of it is set again, so it has to be what it was.
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) < 0)
        return -errno;
    if (attr.policy != SCHED_OTHER)
        return 0;
    attr.size = sizeof(attr);
    attr.runtime_ns = us * UINT64_C(1000);
    attr.flags = inherited ? attr.flags & ~RESET_ON_FORK : attr.flags | RESET_ON_FORK;
    return syscall(SYS_sched_setattr, 0, &attr, 0) < 0 ? -errno : 0;
}
