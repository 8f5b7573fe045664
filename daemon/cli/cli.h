// SPDX-License-Identifier: GPL-2.0-or-later
// What every verb of the CLI gets: the global options, its arguments, and the few helpers that verbs share.
#pragma once

#include "cli/client.h"
#include "cli/print.h"

#include <stdbool.h>

struct vnrs_cli {
    const char *socket;
    const char *lab;         // --lab, or NULL
    enum vnrs_format format; // -o
    bool wait, wide, all, why, quiet, color;
    unsigned timeout_s;
    const char *from, *to;   // next-hop, flows, capture
    const char *message;     // bgp clear: what the peer is told
    bool updates;            // bgp dump
    bool follow;             // events, flows
    bool dropped, forwarded; // flows, and its filters beside `from` and `to`
    const char *nic, *reason, *protocol, *port, *sample;
    const char *file;         // -w, or NULL
    const char *count, *snap; // -c, -s of capture
    const char *as;           // --format of graph and test, or NULL
    int argc;
    char **argv; // positional
};

typedef int (*vnrs_verb_fn)(const struct vnrs_cli *cli); // returns enum vnrs_exit

// file verbs: validate, plan, apply, schema
int vnrs_verb_validate(const struct vnrs_cli *cli);
int vnrs_verb_plan(const struct vnrs_cli *cli);
int vnrs_verb_apply(const struct vnrs_cli *cli);
int vnrs_verb_schema(const struct vnrs_cli *cli);
int vnrs_verb_import(const struct vnrs_cli *cli);
int vnrs_verb_graph(const struct vnrs_cli *cli); // or over a lab
// lab verbs
int vnrs_verb_destroy(const struct vnrs_cli *cli);
int vnrs_verb_status(const struct vnrs_cli *cli);
int vnrs_verb_list(const struct vnrs_cli *cli);
int vnrs_verb_inspect(const struct vnrs_cli *cli);
int vnrs_verb_counters(const struct vnrs_cli *cli);
int vnrs_verb_events(const struct vnrs_cli *cli);
int vnrs_verb_flows(const struct vnrs_cli *cli);
int vnrs_verb_capture(const struct vnrs_cli *cli);
int vnrs_verb_link(const struct vnrs_cli *cli);
int vnrs_verb_doctor(const struct vnrs_cli *cli);
int vnrs_verb_bundle(const struct vnrs_cli *cli);
int vnrs_verb_version(const struct vnrs_cli *cli);
// routing verbs
int vnrs_verb_effective_routes(const struct vnrs_cli *cli);
int vnrs_verb_next_hop(const struct vnrs_cli *cli);
int vnrs_verb_trace(const struct vnrs_cli *cli);
int vnrs_verb_peerings(const struct vnrs_cli *cli);
int vnrs_verb_peers(const struct vnrs_cli *cli);
int vnrs_verb_learned_routes(const struct vnrs_cli *cli);
int vnrs_verb_advertised_routes(const struct vnrs_cli *cli);
// BGP verbs
int vnrs_verb_peer(const struct vnrs_cli *cli);
int vnrs_verb_bgp(const struct vnrs_cli *cli);
int vnrs_cli_bgp_dump(const struct vnrs_cli *cli); // of `bgp`
// machine verbs
int vnrs_verb_exec(const struct vnrs_cli *cli);
int vnrs_verb_shell(const struct vnrs_cli *cli);
int vnrs_verb_ping(const struct vnrs_cli *cli);
int vnrs_verb_test(const struct vnrs_cli *cli);
int vnrs_verb_connect_probe(const struct vnrs_cli *cli); // hidden: run by `test` inside a machine

// The lab meant: --lab, or the only one. Returns 0 and its name (owned by the caller), or an exit status after saying
// why.
int vnrs_cli_lab(const struct vnrs_cli *cli, char **ret_lab);
// Says that the verb has no output in the format meant by -o; `formats` it has: "json or yaml", or "" where it has one
// of its own. Returns the exit status.
int vnrs_cli_no_format(const char *verb, const char *formats);
// GET of /v1/labs/<lab><suffix>; on failure the sentence is printed. Returns the exit status.
int vnrs_cli_get(const struct vnrs_cli *cli, const char *suffix, struct vnrs_answer *ret_answer);
// Check a topology file, and POST it to `path`. What is wrong with it, or with that, is printed. Returns the exit
// status.
int vnrs_cli_post_file(const struct vnrs_cli *cli, const char *file, const char *path, struct vnrs_answer *ret_answer);
void vnrs_cli_print_link(const json_t *link); // a line: link.c
// Poll the lab's status until `done` says so or the time is up. Prints what is unmet on a time-out.
int vnrs_cli_wait(const struct vnrs_cli *cli, const char *lab, bool (*done)(const json_t *status, json_int_t wanted),
                  json_int_t wanted);
bool vnrs_status_is_ready(const json_t *status, json_int_t wanted);
bool vnrs_status_is_reached(const json_t *status, json_int_t wanted);
