// SPDX-License-Identifier: GPL-2.0-or-later
// What is done in a child around the start of a machine's daemon (lab/proc.h), so that the agent waits for none: rights
// are given up, FRR's daemons wait for zebra, FRR and GoBGP are told their configuration when they answer.
#pragma once

#include "lab/proc.h"

#define VNRS_PROC_USER       "vnrs-run" // whose rights commands and daemons get that do not change their user
#define VNRS_PROC_CONFIG_MAX (8u << 20) // bytes

// For vnrs_exec_spawn's `setup`. `arg`: the struct passwd of the user. It keeps what the network of a machine needs.
int vnrs_proc_become_command(void *arg);
// For vnrs_exec_spawn's `setup`. `arg`: the directory. A daemon of FRR that finds no zebra looks for it again after ten
// seconds, and bgpd forgets for good what BFD sessions it has asked for meanwhile.
int vnrs_proc_wait_for_zebra(void *arg);

// Start a child that configures the daemons once they answer; what it has to say goes to `log_fd`.
int vnrs_proc_configure_frr(const struct vnrs_proc_want *want, int log_fd, struct vnrs_err *err) VNRS_MUST_CHECK;
int vnrs_proc_configure_gobgp(const struct vnrs_proc_want *want, int log_fd, struct vnrs_err *err) VNRS_MUST_CHECK;
