// SPDX-License-Identifier: GPL-2.0-or-later
// Network namespaces: the only module that changes namespaces. Named ones are files below /run/netns with the namespace
// mounted on them, as `ip netns` makes them, so that the user's tools see ours. Whoever needs something of a namespace
// gets a descriptor of it, a socket opened inside, or has a function run inside. Each thread is in a namespace of its
// own choice; any may call what says so here, all else is for one thread.
#pragma once

#include "lab/err.h"
#include "lab/name.h"

#include <stdbool.h>
#include <stdint.h>

#define VNRS_NETNS_DIR "/run/netns"

// Identity of a namespace, to see whether a name still means the same one.
struct vnrs_netns_id {
    uint64_t dev, ino;
};

// 1: made, 0: it was there, or a negative errno. *ret_fd is the caller's. `lo` is set up in a new one.
int vnrs_netns_create(const char *name, int *ret_fd) VNRS_MUST_CHECK;
// Sets `lo` up. 1: it was down, 0: it was up, or a negative errno.
int vnrs_netns_lo_up(int ns_fd) VNRS_MUST_CHECK;
// The same for whoever is inside. Any thread; `arg` is not used.
int vnrs_netns_lo_up_here(void *arg) VNRS_MUST_CHECK;
// One without a name, that is gone with its last descriptor or socket. Returns 0 or a negative errno.
int vnrs_netns_new(int *ret_fd) VNRS_MUST_CHECK;
// The same, with `fn` called inside; a negative errno of `fn` ends it. Any thread.
int vnrs_netns_make(int (*fn)(void *arg), void *arg, int *ret_fd) VNRS_MUST_CHECK;
// Gives a namespace a name. A file of that name that is no namespace (left by a kill) gets in its place.
int vnrs_netns_name(const char *name, int ns_fd) VNRS_MUST_CHECK;
// -ENOENT: no such name, or a file that is no namespace (left by a kill between two steps).
int vnrs_netns_open(const char *name, int *ret_fd) VNRS_MUST_CHECK;
// 1: removed, 0: was not there. What runs inside goes on in a namespace without name.
int vnrs_netns_delete(const char *name) VNRS_MUST_CHECK;
int vnrs_netns_id_get(int ns_fd, struct vnrs_netns_id *ret_id) VNRS_MUST_CHECK;
bool vnrs_netns_is_own(int ns_fd); // that of this process
bool vnrs_netns_has_name(int ns_fd, const char *name);

// The namespace that a message means. `err` gets a sentence on failure; vnrs_netns_is_gone tells whether the code means
// that there is no such namespace (any more), or only that it could not be opened now.
int vnrs_netns_resolve(const char *lab, const struct vnrs_ag_netns *ns, int *ret_fd,
                       struct vnrs_err *err) VNRS_MUST_CHECK;
bool vnrs_netns_is_gone(int code);

// Calls `fn` with the name behind "vnrs.<lab>." (empty: the fabric) of each namespace of the lab; all labs and the
// whole name when `lab` is NULL. A non-zero return ends the walk and is returned.
int vnrs_netns_walk(const char *lab, int (*fn)(const char *name, void *arg), void *arg);

// ns_fd -1: this one. A process that cannot come back to its own namespace aborts.
int vnrs_netns_run(int ns_fd, int (*fn)(void *arg), void *arg);
// The descriptor or a negative errno; close-on-exec.
int vnrs_netns_socket(int ns_fd, int family, int type, int protocol) VNRS_MUST_CHECK;
// For a child between fork and exec: stay there.
int vnrs_netns_join(int ns_fd) VNRS_MUST_CHECK;
