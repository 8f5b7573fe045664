// SPDX-License-Identifier: GPL-2.0-or-later
// A topology file, read and checked on this side, so that errors come with the source line.
#pragma once

#include "model/model.h"

#include <jansson.h>

struct vnrs_checked_file {
    struct vnrs_arena *arena;
    struct vnrs_diags diags;
    struct vnrs_model *model; // NULL: the file has errors
    char *source;
    json_t *files; // that it names (run.config), by name: their text
};

// Diagnostics stay in `f`. Returns an exit status; a file that cannot be read is told of at once. Free it in any case.
int vnrs_checked_file_load(const char *path, struct vnrs_checked_file *f);
void vnrs_checked_file_fini(struct vnrs_checked_file *f);
