// SPDX-License-Identifier: GPL-2.0-or-later
// A JSON value as a YAML document. Whatever reads YAML 1.1 or 1.2 gets the same value back: what could be taken for a
// number, a boolean, null or a date there is quoted where it is a text.
#pragma once

#include "util/macros.h"

#include <jansson.h>

#include <stdio.h>

// Returns 0, -ENOMEM or -EIO.
int vnrs_yaml_print(FILE *out, const json_t *json) VNRS_MUST_CHECK;
