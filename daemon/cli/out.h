// SPDX-License-Identifier: GPL-2.0-or-later
// A binary stream of the daemon on its way to a file or a pipe. Only whole records are written, so what an interruption
// leaves can be read.
#pragma once

#include "cli/cli.h"

#include <stdint.h>

struct vnrs_out {
    int fd; // 0: not open
    const char *name;
    // How long the record is that begins with these `len` bytes; 0: that is not to be seen yet; SIZE_MAX: it is none.
    size_t (*measure)(const uint8_t *bytes, size_t len);
    void (*wrote)(void *arg, const uint8_t *record, size_t len); // each one that was written; NULL: nobody asks
    void *arg;
    char *bytes; // from the beginning of a record
    size_t len, cap;
    int error; // of writing
    bool malformed;
};

// Standard output is not to be a terminal, unless -w says where else; `what`: "MRT". Both return an exit status after
// saying why.
int vnrs_out_check(const struct vnrs_cli *cli, const char *what);
int vnrs_out_open(struct vnrs_out *out, const struct vnrs_cli *cli);
void vnrs_out_close(struct vnrs_out *out); // also one that was never opened
// A piece of the stream, for vnrs_client_stream(): false after an error.
bool vnrs_out_piece(void *out, const void *bytes, size_t len);
// Says what went wrong with writing, if anything did.
int vnrs_out_complain(const struct vnrs_out *out);
