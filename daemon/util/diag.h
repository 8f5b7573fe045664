// SPDX-License-Identifier: GPL-2.0-or-later
// Diagnostics about what a user wrote: collected, never thrown away at the first, rendered only at the edge (caret text
// or JSON). A diagnostic has a stable id (V012), a position, a message, and usually help and a second position.
#pragma once

#include "util/arena.h"
#include "util/vec.h"

#include <stdbool.h>
#include <stdio.h>

enum vnrs_diag_severity { VNRS_DIAG_ERROR, VNRS_DIAG_WARNING };

struct vnrs_pos {
    unsigned line, col; // both from 1; line 0: no position
};

struct vnrs_diag {
    enum vnrs_diag_severity severity;
    unsigned id; // 12 is shown as V012
    struct vnrs_pos pos;
    const char *message;
    const char *azure_code; // Azure's own error code for the same refusal, or NULL
    struct vnrs_pos note_pos;
    const char *note; // NULL: no note
    const char *help; // NULL: no help
};

// All diagnostics of one source text. Texts live in the arena, which the sink borrows.
struct vnrs_diags {
    struct vnrs_arena *arena;
    const char *file;               // shown name
    const char *source;             // whole text, for the caret line; may be NULL
    const char *const *secret_keys; // NULL-terminated: the caret line does not show what stands behind "key:"; or NULL
    VEC(struct vnrs_diag) list;
    unsigned errors;
    bool failed; // memory ran out while reporting: counts as an error
};

// Append; returns the new diagnostic so that note and help can be set, or NULL when memory ran out.
struct vnrs_diag *vnrs_diag_add(struct vnrs_diags *diags, enum vnrs_diag_severity severity, unsigned id,
                                struct vnrs_pos pos, const char *fmt, ...) VNRS_PRINTF(5, 6);
void vnrs_diag_note(struct vnrs_diags *diags, struct vnrs_diag *diag, struct vnrs_pos pos, const char *fmt, ...)
    VNRS_PRINTF(4, 5);
void vnrs_diag_help(struct vnrs_diags *diags, struct vnrs_diag *diag, const char *fmt, ...) VNRS_PRINTF(3, 4);

bool vnrs_diags_has_error(const struct vnrs_diags *diags);
// By position, then id; stable.
void vnrs_diags_sort(struct vnrs_diags *diags);
void vnrs_diags_print(const struct vnrs_diags *diags, FILE *out, bool color);
void vnrs_diags_fini(struct vnrs_diags *diags); // frees the list; the arena is the caller's
