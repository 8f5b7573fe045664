// SPDX-License-Identifier: GPL-2.0-or-later
// Routing daemons and commands of a machine: FRR (zebra, staticd, bgpd, bfdd), BIRD, or any argv; strongSwan (charon,
// and what makes it try again) at each end of a tunnel. They run in the machine's namespace, each in a session of its
// own, with a private directory as working directory that holds their configuration, sockets and log. The directory is
// theirs: what they put there is not trusted. The note of pids and start times lies beside it and is ours. They outlive
// the agent; the next one adopts them by that note. The system's own FRR and BIRD (/etc, /run/frr) are not touched, so
// any number runs on one host.
#pragma once

#include "lab/err.h"
#include "vnrs/agent_proto.h"

#include <stdbool.h>

#define VNRS_PROC_MEMBERS_MAX   4
#define VNRS_IKE_USER           "vnrs-ike"    // whom strongSwan runs as: nobody else may read the keys
#define VNRS_PROC_TUNNEL_ERRORS "charon.enfy" // socket in the directory where strongSwan tells what goes wrong
#define VNRS_PROC_TUNNEL_LINK   "tun"         // link of its namespace that is up while its tunnel is

struct vnrs_proc_member {
    char name[16]; // "zebra"; of a command its program's name
    int32_t pid;   // 0: does not run
    uint32_t pad;
    uint64_t start; // start time in /proc/<pid>/stat: a reused pid is another process
};

struct vnrs_proc {
    unsigned n;
    struct vnrs_proc_member members[VNRS_PROC_MEMBERS_MAX];
};

struct vnrs_proc_want {
    const char *dir; // private directory; its parent exists
    uint32_t kind;   // enum vnrs_proc_kind
    const void *data;
    size_t size; // configuration, or NUL-separated argv
    int ns_fd;
    bool kernel_esp; // strongSwan leaves ESP to the kernel (lab/esp.h); else it carries packets itself
};

// Adopts what runs, starts what does not, hands a changed configuration over (BIRD: reconfigured, others: restarted).
// *ret_proc then holds every member.
int vnrs_proc_ensure(const struct vnrs_proc_want *want, struct vnrs_proc *ret_proc, enum vnrs_ag_outcome *ret_outcome,
                     struct vnrs_err *err) VNRS_MUST_CHECK;
// Terminates every process of the note and the directory (SIGTERM, after a bounded wait SIGKILL) and removes both. 1:
// removed, 0: was not there, -EBUSY: something in it does not end.
int vnrs_proc_remove(const char *dir, struct vnrs_err *err) VNRS_MUST_CHECK;
// What the directory's note says and still runs.
int vnrs_proc_load(const char *dir, struct vnrs_proc *ret_proc) VNRS_MUST_CHECK;

// The command of one member, pure: pointers into `args` and to constants. Returns 0, or -EINVAL for data that is no
// argv or a member that the kind does not have.
struct vnrs_proc_args {
    char text[1024];
    const char *argv[32];
};
int vnrs_proc_argv(const struct vnrs_proc_want *want, const char *member,
                   struct vnrs_proc_args *ret_args) VNRS_MUST_CHECK;
