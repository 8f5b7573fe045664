// SPDX-License-Identifier: GPL-2.0-or-later
// Names and sentences of drop reasons (vnrs/drop_reason.h), as the API spells them.
#pragma once

#include "vnrs/drop_reason.h"

#include <stdint.h>

const char *vnrs_drop_name(uint32_t reason); // "NONE_ROUTE"; beyond the last: "UNSPEC"
const char *vnrs_drop_text(uint32_t reason); // "next hop type None"
// In upper or lower case. Returns the reason, or -EINVAL.
int vnrs_drop_parse(const char *name);
