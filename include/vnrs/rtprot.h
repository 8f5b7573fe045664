// SPDX-License-Identifier: GPL-2.0-or-later
// Protocol number that marks kernel routes, next hops and rules of ours. scripts/setup and the packages register it by
// name in /etc/iproute2/rt_protos.d/, so that `ip route` shows "proto vnrs". Not taken in the kernel's rtnetlink.h.
#pragma once

#define VNRS_RTPROT 157
