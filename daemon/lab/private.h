// SPDX-License-Identifier: GPL-2.0-or-later
// Files in a directory that belongs to a daemon of a machine, handled by us who may do more than it: whatever it puts
// there (links, pipes, folders) leads us nowhere else and does not make us wait. `dir` is a descriptor of the
// directory.
#pragma once

#include "util/macros.h"

#include <sys/types.h>

// The directory itself, not a link to one: descriptor or negative errno. Its parent is ours.
int vnrs_private_open(const char *path) VNRS_MUST_CHECK;
struct vnrs_private_owner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

// A new file takes the place of `name`.
int vnrs_private_store(int dir, const char *name, const void *bytes, size_t size,
                       const struct vnrs_private_owner *owner) VNRS_MUST_CHECK;
// An ordinary file of at most `max` bytes; else -EINVAL, -EFBIG, -ELOOP (a link). malloc'ed.
int vnrs_private_load(int dir, const char *name, size_t max, char **ret_bytes, size_t *ret_size) VNRS_MUST_CHECK;
// For appending, emptied first if it is larger than `max`. What is not an ordinary file with one name is replaced.
int vnrs_private_append(int dir, const char *name, off_t max) VNRS_MUST_CHECK;
// Everything in it, folders as well. -ELOOP: nested too deeply.
int vnrs_private_clear(int dir) VNRS_MUST_CHECK;
