// SPDX-License-Identifier: GPL-2.0-or-later
// The program as a filter at the ingress of links of the current network namespace: by one batch of messages, whatever
// the number of links. A filter lives with its link and does not end with the process.
#pragma once

#include "util/macros.h"

#include <stdint.h>

// On each of the links, in the place of whatever filter of ours is there, without a gap. All are tried. Returns 0 or
// the first negative errno (-ENODEV: no such link).
int vnrs_bpf_filter_write(const uint32_t *ifindexes, size_t n, int program) VNRS_MUST_CHECK;
// The id of the program of our filter; 0: there is none.
uint32_t vnrs_bpf_filter_program(uint32_t ifindex);
int vnrs_bpf_filter_remove(uint32_t ifindex) VNRS_MUST_CHECK; // success also where there is none
