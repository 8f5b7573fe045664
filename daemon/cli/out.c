// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MAX (64u << 20) // far beyond what a daemon of ours sends

int vnrs_out_check(const struct vnrs_cli *cli, const char *what)
{
    if (cli->file || !isatty(STDOUT_FILENO))
        return VNRS_EXIT_OK;
    (void)fprintf(stderr, "vnrs: error: %s is not for a terminal\nhelp: write it to a file with -w, or into a pipe\n",
                  what);
    return VNRS_EXIT_USAGE;
}

int vnrs_out_open(struct vnrs_out *out, const struct vnrs_cli *cli)
{
    out->fd = STDOUT_FILENO;
    out->name = cli->file ? cli->file : "to the pipe";
    if (cli->file && (out->fd = open(cli->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
        (void)fprintf(stderr, "vnrs: error: cannot write %s: %s\n", cli->file, strerror(errno));
        return VNRS_EXIT_FAILED;
    }
    return VNRS_EXIT_OK;
}

void vnrs_out_close(struct vnrs_out *out)
{
    if (out->fd > STDERR_FILENO)
        (void)close(out->fd);
    free(out->bytes);
}

static bool keep(struct vnrs_out *out, const void *bytes, size_t len)
{
    if (out->len + len > out->cap) {
        size_t cap = (out->len + len) * 2;
        char *grown = realloc(out->bytes, cap);
        if (!grown) {
            out->error = -ENOMEM;
            return false;
        }
        out->bytes = grown;
        out->cap = cap;
    }
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
    return true;
}

static bool write_all(struct vnrs_out *out, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(out->fd, out->bytes + done, len - done);
        if (n < 0 && errno != EINTR) {
            out->error = -errno;
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// The next whole record at `at`, or 0.
static size_t whole_record(struct vnrs_out *out, size_t at)
{
    size_t len = out->measure((const uint8_t *)out->bytes + at, out->len - at);

    out->malformed |= len > RECORD_MAX;
    return out->malformed || len > out->len - at ? 0 : len;
}

bool vnrs_out_piece(void *arg, const void *bytes, size_t len)
{
    struct vnrs_out *out = arg;
    size_t whole = 0, n;

    if (!keep(out, bytes, len))
        return false;
    while ((n = whole_record(out, whole)))
        whole += n;
    if (!write_all(out, whole) || out->malformed)
        return false;
    for (size_t at = 0; out->wrote && at < whole; at += n) {
        n = whole_record(out, at);
        out->wrote(out->arg, (const uint8_t *)out->bytes + at, n);
    }
    out->len -= whole;
    memmove(out->bytes, out->bytes + whole, out->len);
    return true;
}

int vnrs_out_complain(const struct vnrs_out *out)
{
    if (!out->error)
        return VNRS_EXIT_OK;
    (void)fprintf(stderr, "vnrs: error: cannot write %s: %s\n", out->name, strerror(-out->error));
    return VNRS_EXIT_FAILED;
}
