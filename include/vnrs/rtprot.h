// SPDX-License-Identifier: GPL-2.0-or-later
// Route protocol number that marks every kernel route of ours (`ip route show proto vnrs`). It lies in the range that
// rt_protos leaves to routing daemons and is free in iproute2's list.
#pragma once

#define VNRS_RTPROT 157

// Kernel routing tables that have a number of their own everywhere (linux/rtnetlink.h).
#define VNRS_RT_TABLE_DEFAULT 253
#define VNRS_RT_TABLE_MAIN    254
#define VNRS_RT_TABLE_LOCAL   255
