// SPDX-License-Identifier: GPL-2.0-or-later
// Source NAT at the Internet edge, and IKE through it: one nftables table "inet vnrs.<key>" for each object, written by
// nft(8) in one transaction. What nft lists afterwards is what shall be there: its hash is the state that the caller
// keeps, so that a change by hand is seen.
#pragma once

#include "lab/err.h"
#include "vnrs/agent_proto.h"

#include <stdint.h>

#define VNRS_SNAT_TABLE_MAX (VNRS_KEY_MAX + 8)

// Name of the table.
const char *vnrs_snat_table(const char *key, char ret[static VNRS_SNAT_TABLE_MAX]);
// The script for `nft -f -`, malloc'ed, or NULL when memory ran out. Pure.
char *vnrs_snat_script(const char *key, const struct vnrs_obj_snat *spec) VNRS_MUST_CHECK;

// *listing: hash of the table as it was after the last ensure with this very spec, 0: none; is set on success.
int vnrs_snat_ensure(const char *key, const struct vnrs_obj_snat *spec, int ns_fd, uint64_t *listing,
                     enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err) VNRS_MUST_CHECK;
// 1: removed, 0: was not there.
int vnrs_snat_remove(const char *key, int ns_fd, struct vnrs_err *err) VNRS_MUST_CHECK;
// Hash of the table as it is, 0: there is none.
int vnrs_snat_listing(const char *key, int ns_fd, uint64_t *ret_hash, struct vnrs_err *err) VNRS_MUST_CHECK;
// Runs `script`; for others that write nftables in a namespace. *ret_out may be NULL.
int vnrs_nft_run(int ns_fd, const char *script, char **ret_out, struct vnrs_err *err) VNRS_MUST_CHECK;
