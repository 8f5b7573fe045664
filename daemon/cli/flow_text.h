// SPDX-License-Identifier: GPL-2.0-or-later
// One packet for people, in one line.
#pragma once

#include <jansson.h>

#include <stdio.h>

// `flow`: a line of the API's stream, or an entry of what `vnrs flows -o json` prints.
void vnrs_flow_text(FILE *out, const json_t *flow);
