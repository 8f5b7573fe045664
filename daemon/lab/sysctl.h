// SPDX-License-Identifier: GPL-2.0-or-later
// Settings below /proc/sys/net of a namespace. Written only where they differ.
#pragma once

#include "lab/err.h"

enum vnrs_sysctl_profile {
    VNRS_SYSCTL_HOST,          // a machine that does not forward
    VNRS_SYSCTL_ROUTER,        // a machine that forwards
    VNRS_SYSCTL_FABRIC,        // the fabric of the eBPF data plane: no address, no IPv6 of its own
    VNRS_SYSCTL_FABRIC_KERNEL, // the fabric that the kernel routes in
};

// Returns how many were written, or a negative errno. A setting that this kernel does not have is skipped.
int vnrs_sysctl_profile_apply(int ns_fd, enum vnrs_sysctl_profile profile, struct vnrs_err *err) VNRS_MUST_CHECK;

// The same in the namespace that the calling thread is in.
int vnrs_sysctl_profile_here(enum vnrs_sysctl_profile profile, struct vnrs_err *err) VNRS_MUST_CHECK;
// Each thread keeps a procfs to look in; one that ends gives it up.
void vnrs_sysctl_proc_close(void);

// One setting; `path` is below /proc/sys. Returns 1: written, 0: was so, -ENOENT: not there, or another negative errno.
int vnrs_sysctl_set(int ns_fd, const char *path, const char *value) VNRS_MUST_CHECK;
