// SPDX-License-Identifier: GPL-2.0-or-later
// The difference of two models for people: what `vnrs plan` prints. Every thing that a user writes has a row (type,
// name, text that says all of it); rows of both models are compared. Pure.
#pragma once

#include "model/model.h"
#include "util/vec.h"

struct vnrs_change {
    char op;          // '+', '~', '-'
    const char *type; // "machine"
    const char *name;
    const char *detail; // what it is; for '~': "old → new", and what will blink
};

struct vnrs_changes {
    struct vnrs_arena *arena;
    VEC(struct vnrs_change) list; // removals first, else in the order of the file
};

// `before` may be NULL (nothing), and so may `after`. Returns 0 or -ENOMEM.
int vnrs_changes_make(const struct vnrs_model *before, const struct vnrs_model *after,
                      struct vnrs_changes *ret_changes) VNRS_MUST_CHECK;
void vnrs_changes_fini(struct vnrs_changes *changes);
