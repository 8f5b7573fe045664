// SPDX-License-Identifier: GPL-2.0-or-later
// The agent: parent of controller and speakers, executes typed requests with the privileges that they do not have. One
// event loop, no threads but the one that makes namespaces ahead (lab/ahead.h). What it knows of a lab (lab.h) is on
// disk below the run directory, so that the next agent goes on where a killed one stopped. Nothing in the kernel is
// torn down when it ends.
#pragma once

#include "agent/check.h"
#include "agent/priv.h"
#include "util/hash.h"
#include "vnrs/addr.h"

#include <event2/event.h>

#include <stdbool.h>

struct vnrs_agentd_conn;
struct vnrs_agentd_controller;
struct vnrs_agentd_ear;
struct vnrs_agentd_names;
struct vnrs_ahead;

struct vnrs_agentd_options {
    const char *run_dir;     // /run/vnrs
    const char *socket_path; // API; NULL: <run_dir>/vnrs.sock
    struct vnrs_addr tcp;    // of this host: the API for everybody on it, who may only read; NONE: nowhere
    uint16_t tcp_port;
    int agent_fd;          // serve requests on this descriptor instead of starting a controller; -1: no
    const char *log_level; // handed to the controller; NULL: default
};

struct vnrs_agentd {
    struct event_base *base;
    struct vnrs_agentd_options options;
    struct vnrs_priv priv;
    int lock_fd, listen_fd, tcp_fd;
    struct vnrs_map labs;                      // struct vnrs_agentd_lab by name
    struct vnrs_agentd_conn *conn;             // NULL: no controller at the moment
    struct vnrs_agentd_controller *controller; // NULL: agent_fd
    struct vnrs_agentd_names *names;           // watches namespaces that lose their name
    struct vnrs_agentd_ear *ear;               // hears the namespaces that are watched; NULL: none is
    struct vnrs_ahead *ahead;                  // NULL: nothing was made ahead yet
    struct event *signals[2], *stop_timer;
    bool stopping;
    int status;                                                       // exit status
    enum { VNRS_ESP_UNKNOWN = 0, VNRS_ESP_KERNEL, VNRS_ESP_OWN } esp; // who carries it: the kernel, strongSwan
};

// Opens run directory, lock and records. On failure one sentence is in `err`.
int vnrs_agentd_new(const struct vnrs_agentd_options *options, struct vnrs_agentd **ret_ad,
                    struct vnrs_err *err) VNRS_MUST_CHECK;
// Until SIGTERM or SIGINT. `ready` is called once when requests can be made. Returns the exit status.
int vnrs_agentd_run(struct vnrs_agentd *ad, void (*ready)(void));
void vnrs_agentd_free(struct vnrs_agentd *ad);

// Begin to stop: children are told to end, the loop ends when they have or after a bounded wait.
void vnrs_agentd_stop(struct vnrs_agentd *ad, int status);
// A child is gone: ends the loop if that was the last one that was waited for.
void vnrs_agentd_check_stopped(struct vnrs_agentd *ad);
