// SPDX-License-Identifier: GPL-2.0-or-later
// Rules that have packets which come in by a link looked up in a table of their own: there first, then in the main
// table without its default route; what neither knows is refused. IPv4. What the machine itself sends, and what comes
// in by other links, is looked up in the main table alone. A rule of another protocol with one of the priorities is
// never touched.
#pragma once

#include "lab/err.h"
#include "lab/rtnl.h"

#define VNRS_RULES_PRIORITY 1000u // of the first of three

// Makes the kernel agree. 1: something was done, 0: it agreed, or a negative errno.
int vnrs_rules_ensure(const char *ifname, uint32_t table, struct vnrs_rtnl *nl, struct vnrs_err *err) VNRS_MUST_CHECK;
int vnrs_rules_remove(struct vnrs_rtnl *nl, struct vnrs_err *err) VNRS_MUST_CHECK; // 0 or a negative errno
