// SPDX-License-Identifier: GPL-2.0-or-later
// A tar archive (POSIX ustar), packed by gzip, file by file. An error sticks: what comes after it does nothing, and the
// end tells of it.
#pragma once

#include "util/macros.h"

#include <stddef.h>
#include <time.h>

struct vnrs_archive;

// Takes the descriptor. `folder`: that all files are in, not empty; `now`: their time. NULL: no memory; the descriptor
// is closed then.
struct vnrs_archive *vnrs_archive_new(int fd, const char *folder, time_t now);
// `name`: below the folder, with slashes; 240 characters at most with it.
void vnrs_archive_add(struct vnrs_archive *archive, const char *name, const void *bytes, size_t len);
// Ends and frees it. 0, or the first error: -EIO and others of writing, -ENAMETOOLONG, -EFBIG.
int vnrs_archive_end(struct vnrs_archive *archive) VNRS_MUST_CHECK;
