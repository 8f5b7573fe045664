// SPDX-License-Identifier: GPL-2.0-or-later
// An ARM template (as `bicep build` writes it, or as the portal exports it) as the flat list of resources that its
// deployment would make: loops unrolled, conditions decided, nested deployments (modules) opened, expressions
// evaluated. Pure.
#pragma once

#include <jansson.h>

// `parameters` as in a parameter file, {"name": {"value": V}}, or NULL. Each resource of the result is {"type", "name",
// "location", "sku", "properties"}, type and name with all their parts: "Microsoft.Network/virtualNetworks/subnets",
// "hub/default". `lost` (a list) gets {"resource", "property", "why"} of all that has no value here; a whole resource
// has no "property". NULL: `error` says what is wrong with the template.
json_t *vnrs_arm_expand(const json_t *template, const json_t *parameters, json_t *lost, char error[static 200]);
