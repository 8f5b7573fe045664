// SPDX-License-Identifier: GPL-2.0-or-later
// Completion scripts for shells, made from the tables of verbs and options, so that they never lag behind.
#pragma once

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

struct vnrs_completion_verb {
    const char *name, *help;
};

// `verbs` and `options` end with an entry without name. False: no such shell (bash, zsh, fish).
bool vnrs_completion_print(FILE *out, const char *shell, const struct vnrs_completion_verb *verbs,
                           const struct option *options);
