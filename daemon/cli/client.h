// SPDX-License-Identifier: GPL-2.0-or-later
// The controller's HTTP/JSON API over its Unix socket. The CLI uses nothing else of the daemon.
#pragma once

#include "util/macros.h"

#include <jansson.h>

#include <signal.h>
#include <stdbool.h>

struct vnrs_strbuf;

// Exit statuses, cli-api.md.
enum vnrs_exit {
    VNRS_EXIT_OK,
    VNRS_EXIT_FAILED,
    VNRS_EXIT_USAGE,
    VNRS_EXIT_INVALID,
    VNRS_EXIT_NOT_READY,
    VNRS_EXIT_NOT_PERMITTED,
    VNRS_EXIT_NO_DAEMON,
};

struct vnrs_answer {
    int status;   // HTTP; 0: the daemon was not reached
    int exit;     // enum vnrs_exit that fits the outcome; 0 for 2xx
    json_t *json; // body, or NULL
};

void vnrs_answer_fini(struct vnrs_answer *answer);

// From now on each request is told on standard error, with its status and how long it took.
void vnrs_client_be_verbose(void);

// One request; `body` is borrowed and may be NULL. Prints nothing.
struct vnrs_answer vnrs_client_request(const char *socket, const char *method, const char *path, const json_t *body);
// Who takes an answer that comes in pieces.
struct vnrs_stream_reader {
    void (*begun)(void *arg); // the daemon has agreed, and tells of all that happens from now on; may be NULL
    bool (*piece)(void *arg, const void *bytes, size_t len); // false: wants no more
    void *arg;
    const volatile sig_atomic_t *stop; // a signal handler sets it to end the stream; NULL: none does
};

// GET whose answer takes as long as it takes. An answer that is no success is in `json`; one that breaks off has `exit`
// set with status 200.
struct vnrs_answer vnrs_client_stream(const char *socket, const char *path, const struct vnrs_stream_reader *reader);
// The same for what lies under a lab; `suffix` begins with a slash or is empty.
struct vnrs_answer vnrs_client_lab_request(const char *socket, const char *method, const char *lab, const char *suffix);

// Print the one sentence (and the help line) of a failed answer to stderr; returns its exit status.
int vnrs_answer_complain(const struct vnrs_answer *answer, const char *socket);

// Appends "?name=value" to a path, or "&name=value" where it has a parameter; the value is escaped.
void vnrs_client_param(struct vnrs_strbuf *path, const char *name, const char *value);
// "?name=value" with the value escaped, appended to `path`. Returns the new text, owned by the caller.
char *vnrs_client_path(const char *path, const char *name, const char *value, const char *name2, const char *value2);
