// SPDX-License-Identifier: GPL-2.0-or-later
// A child that is started again when it ends: after 0.1 s, then twice as long each time up to 10 s; one that has lived
// for 30 s begins anew. It ends with the agent. Also: noticing the end of processes that are not children.
#pragma once

#include "agent/agentd.h"

#define VNRS_CHILD_FDS_MAX 3

struct vnrs_agentd_child {
    struct vnrs_agentd *ad;
    pid_t pid; // 0: does not run
    int pidfd;
    struct event *exit_event, *restart_timer;
    unsigned backoff_ms;
    uint64_t started_ms;
    // Starts it with vnrs_agentd_child_spawn; on failure it is tried again later. Borrowed, set by init.
    int (*start)(void *arg);
    void (*ended)(void *arg, const char *how);
    void *arg;
};

struct vnrs_agentd_program {
    const char *path; // of the program
    const char *const *argv;
    int fds[VNRS_CHILD_FDS_MAX]; // become 3, 4, 5; -1: stays closed
};

void vnrs_agentd_child_init(struct vnrs_agentd_child *child, struct vnrs_agentd *ad, int (*start)(void *arg),
                            void (*ended)(void *arg, const char *how), void *arg);
// Calls `start` now.
int vnrs_agentd_child_run(struct vnrs_agentd_child *child) VNRS_MUST_CHECK;
// For `start`: without privileges (priv.h), descriptors in place.
int vnrs_agentd_child_spawn(struct vnrs_agentd_child *child, const struct vnrs_agentd_program *program) VNRS_MUST_CHECK;
void vnrs_agentd_child_signal(const struct vnrs_agentd_child *child, int sig);
// No restart any more; a process that runs is killed and waited for.
void vnrs_agentd_child_fini(struct vnrs_agentd_child *child);

// How a process ended, "exit status 1" or "signal 9 (Killed)"; reaps it where it is our child, else it "ended".
const char *vnrs_agentd_how_ended(int pidfd, char *buf, size_t size);
