// SPDX-License-Identifier: GPL-2.0-or-later
// Route protocol number that marks every kernel route of ours (`ip route show proto vnrs`). It lies in the range that
// rt_protos leaves to routing daemons and is free in iproute2's list.
#pragma once

#define VNRS_RTPROT 157
