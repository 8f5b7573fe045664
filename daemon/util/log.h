// SPDX-License-Identifier: GPL-2.0-or-later
// Log lines to standard error (and so to the journal), once, where a decision is made. Libraries below the
// programs return errors and do not log above debug.
#pragma once

#include "util/macros.h"

enum vnrs_log_level { VNRS_LOG_ERROR, VNRS_LOG_WARN, VNRS_LOG_INFO, VNRS_LOG_DEBUG };

// `program` prefixes every line and is borrowed for the life of the process.
void vnrs_log_init(const char *program, enum vnrs_log_level max);

// Each line that is written is given to `tap` too, without its end; `arg` is borrowed. NULL: to nobody.
void vnrs_log_tap(void (*tap)(void *arg, const char *line), void *arg);

void vnrs_log(enum vnrs_log_level level, const char *fmt, ...) VNRS_PRINTF(2, 3);

#define log_error(...) vnrs_log(VNRS_LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  vnrs_log(VNRS_LOG_WARN, __VA_ARGS__)
#define log_info(...)  vnrs_log(VNRS_LOG_INFO, __VA_ARGS__)
#define log_debug(...) vnrs_log(VNRS_LOG_DEBUG, __VA_ARGS__)

// Log an error with the text of a negative errno last, and return that errno.
int vnrs_log_errno_ret(int err, const char *fmt, ...) VNRS_PRINTF(2, 3);
#define log_errno_ret(err, ...) vnrs_log_errno_ret(err, __VA_ARGS__)
