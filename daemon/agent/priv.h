// SPDX-License-Identifier: GPL-2.0-or-later
// Privileges of the agent (what it keeps) and of its children (none).
#pragma once

#include "lab/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define VNRS_USER "vnrs"

struct vnrs_priv {
    bool injector; // only CAP_NET_ADMIN: guest tables and speakers in the own namespace, nothing else
    bool drop;     // children run as uid:gid; else as we do
    uid_t uid;
    gid_t gid;       // of the user
    gid_t api_group; // of the API socket
};

// Looks at what this process has. -EPERM: not even CAP_NET_ADMIN; -ENOENT: no user for the children.
int vnrs_priv_probe(struct vnrs_priv *ret_priv, struct vnrs_err *err) VNRS_MUST_CHECK;
// Keep only what the agent and the daemons that it starts need, for good.
int vnrs_priv_limit(struct vnrs_err *err) VNRS_MUST_CHECK;
// In a child before exec: user, groups, no capabilities, no new privileges, ends with its parent.
int vnrs_priv_drop(const struct vnrs_priv *priv, pid_t parent) VNRS_MUST_CHECK;
bool vnrs_priv_has(int capability);
