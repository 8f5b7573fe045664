// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs bgp dump: MRT from a speaker to a file or a pipe. Only whole records are written, so what an interruption leaves
// can be read.
#include "cli/cli.h"

#include "util/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MRT_HEADER_BYTES 12
#define RECORD_MAX       (64u << 20) // far beyond what a daemon of ours sends

struct out {
    int fd;
    const char *name;
    char *bytes; // from the beginning of a record
    size_t len, cap;
    int error; // of writing
    bool malformed;
};

static bool keep(struct out *out, const void *bytes, size_t len)
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

static bool write_all(struct out *out, size_t len)
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

// Octets of whole records at the front.
static size_t whole_records(struct out *out)
{
    size_t done = 0;

    while (out->len - done >= MRT_HEADER_BYTES) {
        const unsigned char *p = (const unsigned char *)out->bytes + done + 8;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        out->malformed |= len > RECORD_MAX;
        if (out->malformed || out->len - done - MRT_HEADER_BYTES < len)
            break;
        done += MRT_HEADER_BYTES + len;
    }
    return done;
}

static bool on_piece(void *arg, const void *bytes, size_t len)
{
    struct out *out = arg;

    if (!keep(out, bytes, len))
        return false;
    size_t whole = whole_records(out);
    if (!write_all(out, whole) || out->malformed)
        return false;
    out->len -= whole;
    memmove(out->bytes, out->bytes + whole, out->len);
    return true;
}

static char *make_path(const struct vnrs_cli *cli, const char *lab)
{
    struct vnrs_strbuf base = {0}, path = {0};
    _free_ char *server = cli->argc == 2 ? strdup(cli->argv[1]) : NULL;
    char *slash = server ? strchr(server, '/') : NULL;

    if (slash)
        *slash++ = '\0';
    vnrs_strbuf_printf(&base, "/v1/labs/%s/dump", lab);
    _free_ char *with_server = base.failed ? NULL
                                           : vnrs_client_path(base.text, "updates", cli->updates ? "1" : "0",
                                                              server ? "routeServer" : NULL, server);
    vnrs_strbuf_fini(&base);
    if (!with_server)
        return NULL;
    vnrs_strbuf_printf(&path, "%s%s%s", with_server, slash ? "&instance=" : "", slash ? slash : "");
    return vnrs_strbuf_take(&path);
}

static int run(const struct vnrs_cli *cli, const char *path, struct out *out)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_stream(cli->socket, path, on_piece, out);

    if (out->error) {
        (void)fprintf(stderr, "vnrs: error: cannot write %s: %s\n", out->name, strerror(-out->error));
        return VNRS_EXIT_FAILED;
    }
    if (answer.exit && answer.status == 200) {
        (void)fputs("vnrs: error: the dump broke off; what was written before is whole\n"
                    "help: the speaker or vnrsd ended, or updates came faster than they were written\n",
                    stderr);
        return answer.exit;
    }
    return vnrs_answer_complain(&answer, cli->socket);
}

int vnrs_cli_bgp_dump(const struct vnrs_cli *cli)
{
    _close_ int file = -1;
    _free_ char *lab = NULL, *path = NULL;

    if (!cli->file && isatty(STDOUT_FILENO)) {
        (void)fputs("vnrs: error: MRT is not for a terminal\nhelp: write it to a file with -w, or into a pipe\n",
                    stderr);
        return VNRS_EXIT_USAGE;
    }
    int rc = vnrs_cli_lab(cli, &lab);
    if (rc)
        return rc;
    if (!(path = make_path(cli, lab)))
        return VNRS_EXIT_FAILED;
    if (cli->file && (file = open(cli->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0) {
        (void)fprintf(stderr, "vnrs: error: cannot write %s: %s\n", cli->file, strerror(errno));
        return VNRS_EXIT_FAILED;
    }
    struct out out = {.fd = cli->file ? file : STDOUT_FILENO, .name = cli->file ? cli->file : "to the pipe"};
    rc = run(cli, path, &out);
    free(out.bytes);
    return rc;
}
