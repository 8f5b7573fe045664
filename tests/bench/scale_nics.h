// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#define SCALE_ADDRESS 0x0a000004 // 10.0.0.4, of the first NIC; the others follow
