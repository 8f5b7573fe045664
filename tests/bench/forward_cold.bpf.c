// SPDX-License-Identifier: GPL-2.0-or-later
// The packet path as it is, but without the memory of decisions: what the first packet between two addresses takes.
#include "lib/cache.h"

#define cache_find(skb, frame, now) NULL
#include "../../bpf/forward.bpf.c" // NOLINT(bugprone-suspicious-include)
