// SPDX-License-Identifier: GPL-2.0-or-later
// The observer of the speaker (struct vnrs_bgp_observer): passes what happens to MRT dumps (dump.h) and monitoring
// stations (bmp.h), and is in place only while there is one.
#pragma once

#include "speaker/speakerd.h"

// After dumps or stations came or went.
void vnrs_monitor_update(struct vnrs_speakerd *sp);
