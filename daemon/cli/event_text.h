// SPDX-License-Identifier: GPL-2.0-or-later
// Events of the controller as text.
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

// An event out of a line of a stream of server-sent events; NULL: it holds none. The caller's.
json_t *vnrs_event_parse(const char *line, size_t len);
// A line: time, lab, kind, what happened.
void vnrs_event_text(FILE *out, const json_t *event);
