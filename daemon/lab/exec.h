// SPDX-License-Identifier: GPL-2.0-or-later
// Programs of others: run to the end with bounded output and time (nft, podman, birdc), or start one that goes on
// (exec_spawn). Arguments are arrays, never a shell; the environment is a fixed one.
#pragma once

#include "lab/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct vnrs_exec_run {
    const char *const *argv; // argv[0] is looked up in VNRS_EXEC_PATH
    int ns_fd;               // network namespace to run in; -1: this one
    const char *input;       // standard input; NULL: none
    unsigned timeout_ms;     // 0: 10 s
    size_t output_max;       // of standard output; 0: 64 KiB; the rest is thrown away
};

#define VNRS_EXEC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Returns the exit status, -ENOENT (no such program), -ETIMEDOUT, or another negative errno. *ret_out (may be NULL) is
// standard output, *ret_errors (may be NULL) standard error, both malloc'ed, NUL-terminated, set whenever the program
// ran to its end.
int vnrs_exec_run(const struct vnrs_exec_run *run, char **ret_out, char **ret_errors) VNRS_MUST_CHECK;

struct vnrs_exec_spawn {
    const char *path;        // absolute, or looked up in VNRS_EXEC_PATH
    const char *const *argv; // with argv[0]
    int ns_fd;               // -1: this one
    int log_fd;              // standard output and error; -1: inherited
    const char *dir;         // working directory; NULL: /
    const char *variable;    // one more of the environment, "NAME=value"; NULL: none
    bool session;            // leader of its own session, outlives this process
    bool detach;             // not our child, and not waited for until it executes: 0 is returned
    bool waits;              // `setup` may take long: not waited for either, whatever goes wrong from there on
    // Runs in the child after everything else; an error (negative errno) ends it before the program starts.
    int (*setup)(void *arg);
    void *arg;
};

// Starts the program with no descriptor but those below `keep_fds` (at least 3, at most 64): 0, 1, 2 and what `setup`
// put there. Returns the pid, or a negative errno: also when the program could not be executed.
pid_t vnrs_exec_spawn(const struct vnrs_exec_spawn *spawn, unsigned keep_fds) VNRS_MUST_CHECK;

// Whether the program is there: full path into `ret` (may be NULL).
bool vnrs_exec_find(const char *program, char *ret, size_t size);
