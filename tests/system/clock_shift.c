// SPDX-License-Identifier: GPL-2.0-or-later
// Preloaded into a program under test: its monotonic clock is ahead by the seconds that the first eight octets of the
// file $CLOCK_SHIFT hold, now. The file is mapped before the program begins, and gives up its rights.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *shift;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("CLOCK_SHIFT");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        shift = at;
    (void)close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int result = (int)syscall(SYS_clock_gettime, id, ts);

    if (result == 0 && shift && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE))
        ts->tv_sec += *shift;
    return result;
}
