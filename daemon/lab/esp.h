// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the kernel carries IPsec by itself: ESP in UDP with AES-GCM (RFC 4303, 3948, 4106), bound to an XFRM
// interface that packets are routed into. Many kernels are built without the one or the other.
#pragma once

#include "util/macros.h"

#include <stdbool.h>

// Makes both in a namespace of nobody's. Negative errno: it could not be asked.
int vnrs_esp_probe(bool *ret_has) VNRS_MUST_CHECK;
