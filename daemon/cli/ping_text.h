// SPDX-License-Identifier: GPL-2.0-or-later
// What pings of all machines came to.
#pragma once

#include <jansson.h>
#include <stdio.h>

// One sentence out of the answer to `vnrs trace`, why a ping was not answered; `trace` may be NULL. The caller's.
json_t *vnrs_ping_reason(const json_t *trace);
// `results`: objects of from, to, address, answered, reason. A matrix, then a line for each that was not answered.
void vnrs_ping_text(FILE *out, const json_t *results);
