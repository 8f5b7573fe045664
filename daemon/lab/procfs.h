// SPDX-License-Identifier: GPL-2.0-or-later
// Processes that need not be children: is it still the same one, end it, find those that work in a directory.
#pragma once

#include "util/macros.h"

#include <stdint.h>
#include <sys/types.h>

// Start time in clock ticks since boot, or a negative errno.
int vnrs_procfs_start(pid_t pid, uint64_t *ret_start) VNRS_MUST_CHECK;
// A pidfd of the process with that start time, or -ESRCH. A zombie counts as gone (it is reaped if it is a child).
int vnrs_procfs_open(pid_t pid, uint64_t start) VNRS_MUST_CHECK;
// SIGTERM to each process and its group, SIGKILL to those that are there `wait_ms` later; returns when all are gone.
// pids[i] with another start time than starts[i] are left alone.
void vnrs_procfs_end(const pid_t *pids, const uint64_t *starts, size_t n, unsigned wait_ms);
// Up to `max` processes whose working directory is `dir`, by whatever name they came there, and that are in another
// network namespace than ours or run as the directory's owner: somebody who looks around in it is no process of it.
size_t vnrs_procfs_in_dir(const char *dir, pid_t *ret_pids, uint64_t *ret_starts, size_t max);
