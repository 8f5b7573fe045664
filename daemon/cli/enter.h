// SPDX-License-Identifier: GPL-2.0-or-later
// Commands in a machine's namespace. Entering is left to nsenter, so that the CLI has no namespace code.
#pragma once

#include "util/macros.h"
#include "util/vec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>

#define VNRS_ENTER_OPTION_MAX 4200

typedef VEC(char *) vnrs_argv; // texts are borrowed or literal

// Complains and returns an exit status where only root may.
int vnrs_enter_check(void);
// The beginning of a command in a namespace: its name of ours, or a path. `option` lives as long as argv. Returns 0 or
// -ENOMEM.
int vnrs_enter_push(vnrs_argv *argv, const char *netns, char option[static VNRS_ENTER_OPTION_MAX]) VNRS_MUST_CHECK;
// Start a command with its output thrown away. Returns its pid, or -1.
pid_t vnrs_enter_spawn(char *const *argv);
// Start one ping of an address; it ends with status 0 when that answers within a second. Returns its pid, or -1.
pid_t vnrs_enter_ping(const char *netns, const char *to);
