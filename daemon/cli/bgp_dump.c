// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs bgp dump: MRT from a speaker to a file or a pipe.
#include "cli/out.h"

#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

#define MRT_HEADER_BYTES 12

static size_t measure(const uint8_t *bytes, size_t len)
{
    const uint8_t *p = bytes + 8;

    if (len < MRT_HEADER_BYTES)
        return 0;
    return MRT_HEADER_BYTES + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
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

static int run(const struct vnrs_cli *cli, const char *path, struct vnrs_out *out)
{
    const struct vnrs_stream_reader reader = {.piece = vnrs_out_piece, .arg = out};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_stream(cli->socket, path, &reader);

    if (out->error)
        return vnrs_out_complain(out);
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
    struct vnrs_out out = {.measure = measure};
    _free_ char *lab = NULL, *path = NULL;
    int rc = cli->format == VNRS_FORMAT_TABLE ? vnrs_out_check(cli, "MRT") : vnrs_cli_no_format("bgp dump", "");

    if (rc == VNRS_EXIT_OK)
        rc = vnrs_cli_lab(cli, &lab);
    if (rc)
        return rc;
    if (!(path = make_path(cli, lab)))
        return VNRS_EXIT_FAILED;
    rc = vnrs_out_open(&out, cli);
    if (rc == VNRS_EXIT_OK)
        rc = run(cli, path, &out);
    vnrs_out_close(&out);
    return rc;
}
