// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces that will be asked for soon, made by a thread with `lo` up and their settings, while the caller makes the
// links of those before: the kernel does both side by side, and a namespace takes about as long as a link. The thread
// does not allocate and holds no lock while it works, so that the caller may fork at any time; it ends when there was
// nothing to do for a second. Of no use, and so without a thread, on a single processor.
#pragma once

#include "lab/sysctl.h"

struct vnrs_ahead;

// Returns 0 or -ENOMEM.
int vnrs_ahead_new(struct vnrs_ahead **ret_ahead) VNRS_MUST_CHECK;
// What was made and not taken is gone. Accepts NULL; returns NULL.
struct vnrs_ahead *vnrs_ahead_free(struct vnrs_ahead *ahead);

// The namespace `name` (of lab/netns.h) will be asked for, if there is none yet. A hint: whatever stands in the way is
// no error.
void vnrs_ahead_want(struct vnrs_ahead *ahead, const char *name, enum vnrs_sysctl_profile profile);
// The one that was made for that name and profile, without the name; waits if it is just being made. It is the
// caller's. -1: none; the caller makes it.
int vnrs_ahead_take(struct vnrs_ahead *ahead, const char *name, enum vnrs_sysctl_profile profile);
