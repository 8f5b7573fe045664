// SPDX-License-Identifier: GPL-2.0-or-later
// Text from outside, as UTF-8 (RFC 3629). Pure.
#pragma once

#include "util/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Length of the well-formed sequence at `p`, 0: there is none. `left` is at least 1.
size_t vnrs_utf8_len(const uint8_t *p, size_t left);
// C0, DEL and C1 controls: they could drive the terminal that shows the text.
bool vnrs_utf8_is_control(const uint8_t *p, size_t n);
// Takes away the incomplete sequence at the end of a text that was well-formed before it was cut.
void vnrs_utf8_trim(char *text);
// The field holds a terminated, well-formed text without controls.
bool vnrs_utf8_is_text(const char *field, size_t size) VNRS_MUST_CHECK;
