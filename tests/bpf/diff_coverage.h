// SPDX-License-Identifier: GPL-2.0-or-later
// Which drop reasons, next hop types and billing classes the packets of a run met. Every one of
// include/vnrs/drop_reason.h, nexthop_type.h and billing.h has to be among them, or in a short list of those that
// cannot be there, with the test that meets them.
#pragma once

#include "vnrs/billing.h"
#include "vnrs/drop_reason.h"
#include "vnrs/nexthop_type.h"

#include <stdint.h>

struct diff_coverage {
    uint64_t reasons[_VNRS_DROP_MAX];
    uint64_t types[_VNRS_NH_MAX][2];  // forwarded; IPv4, IPv6
    uint64_t billing[_VNRS_BILL_MAX]; // forwarded
};

// Fails with the names of all that were not met.
void diff_coverage_check(const struct diff_coverage *coverage);
