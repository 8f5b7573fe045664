// SPDX-License-Identifier: GPL-2.0-or-later
// Counters of a lab or of one of its NICs for people, from the JSON of /v1/labs/NAME/counters.
#pragma once

#include <jansson.h>

#include <stdio.h>

// Tables: NICs, billing classes with their total, next hop types, what was dropped.
void vnrs_counter_text(FILE *out, const json_t *counters);
// `nic`: of "nics". Its billing classes with their total.
void vnrs_counter_text_nic(FILE *out, const json_t *nic);
// The first table of either, as TSV: NICs, or the classes of one.
void vnrs_counter_tsv(FILE *out, const json_t *counters);
void vnrs_counter_tsv_nic(FILE *out, const json_t *nic);
// The NIC of "nics" that is called `name`, or is the first of the machine of that name. Borrowed; NULL: none.
json_t *vnrs_counter_text_find(const json_t *counters, const char *name);
