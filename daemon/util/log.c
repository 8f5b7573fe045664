// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *log_program = "vnrs";
static enum vnrs_log_level log_max = VNRS_LOG_INFO;
static void (*log_tap)(void *arg, const char *line);
static void *log_tap_arg;

static const char *const level_names[] = {
    [VNRS_LOG_ERROR] = "error", [VNRS_LOG_WARN] = "warning", [VNRS_LOG_INFO] = "info", [VNRS_LOG_DEBUG] = "debug"};

void vnrs_log_init(const char *program, enum vnrs_log_level max)
{
    log_program = program;
    log_max = max;
}

void vnrs_log_tap(void (*tap)(void *arg, const char *line), void *arg)
{
    log_tap = tap;
    log_tap_arg = arg;
}

// One write per line, so that lines of several processes on one descriptor never mix.
static void log_write(enum vnrs_log_level level, const char *fmt, va_list ap, const char *tail)
{
    char line[1024];
    int used = snprintf(line, sizeof(line), "%s[%d]: %s: ", log_program, (int)getpid(), level_names[level]);
    int more = vsnprintf(line + used, sizeof(line) - (size_t)used, fmt, ap);
    size_t len = MIN((size_t)used + (size_t)MAX(more, 0), sizeof(line) - 2);

    if (tail)
        len += (size_t)MAX(snprintf(line + len, sizeof(line) - len, ": %s", tail), 0);
    len = MIN(len, sizeof(line) - 2);
    line[len] = '\0';
    if (log_tap)
        log_tap(log_tap_arg, line);
    line[len++] = '\n';
    if (write(STDERR_FILENO, line, len) < 0)
        return; // nobody is left to tell
}

void vnrs_log(enum vnrs_log_level level, const char *fmt, ...)
{
    va_list ap;

    if (level > log_max)
        return;
    va_start(ap, fmt);
    log_write(level, fmt, ap, NULL);
    va_end(ap);
}

int vnrs_log_errno_ret(int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_write(VNRS_LOG_ERROR, fmt, ap, strerror(err < 0 ? -err : err));
    va_end(ap);
    return err;
}
