// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with links on purpose: as the file says, until somebody says otherwise live. What was said live stays
// when a file is applied, unless that file says of the NIC's link another thing than the one before it did; it does not
// outlive the controller.
#pragma once

#include "control/state.h"

// What is to be wrong with a link; `declared`: what the file says of it (NULL: the link is of nothing in the file that
// could say it).
struct vnrs_impair vnrs_links_get(const struct vnrs_lab *lab, const char *key, const struct vnrs_impair *declared);
// All that are not as they should be, as objects.
json_t *vnrs_links_json(const struct vnrs_lab *lab);
// `desired` is of `model`: what was said live is put into it, or forgotten. Returns 0 or -ENOMEM.
int vnrs_links_apply(struct vnrs_lab *lab, const struct vnrs_model *model,
                     struct vnrs_desired *desired) VNRS_MUST_CHECK;
// A pass ended: calls that wait for it are answered.
void vnrs_links_pass_ended(struct vnrs_lab *lab);
void vnrs_links_fini(struct vnrs_lab *lab);
