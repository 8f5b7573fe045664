// SPDX-License-Identifier: GPL-2.0-or-later
// The BFD sessions of a speaker on their sockets. It shares nothing with the rest of the speaker: commands come and
// states go as messages over a SOCK_SEQPACKET pair, and descriptors in a command belong to the engine from then on. It
// runs in a thread of its own (bfd_thread.h), so that a main loop that loads a million routes delays no packet; work
// between two looks at the clock is bounded. Neither side waits for the other: of a session whose state could not be
// told, the newest is told when there is room.
#pragma once

#include "bgp/bfd.h"
#include "speaker/bfd_socket.h"
#include "vnrs/speaker_proto.h"

#define VNRS_BFD_SESSIONS_MAX 128u // also those that only say AdminDown any more
#define VNRS_BFD_RUN_MAX      64u  // packets or commands in a row
#define VNRS_BFD_REVIEW_US    1000000u

enum vnrs_bfd_command_kind {
    VNRS_BFD_LISTEN, // `fd` receives for `hops` at `local`, in place of the one before; -1: nothing does
    VNRS_BFD_ADD,    // session `id`; `fd` sends
    VNRS_BFD_CHANGE, // its intervals, multiplier and ttl_min
    VNRS_BFD_REMOVE, // after it has said AdminDown
};

struct vnrs_bfd_command {
    enum vnrs_bfd_command_kind kind;
    uint32_t id; // never reused
    int fd;
    enum vnrs_bfd_hops hops;
    struct vnrs_addr local, peer;
    struct vnrs_spk_bfd conf;
};

struct vnrs_bfd_event {
    uint32_t id;                     // 0: nothing is received for `hops`, because of state.error
    enum vnrs_bfd_hops hops;         //
    struct vnrs_spk_bfd_state state; // of the session
};

struct vnrs_bfd_engine;

// `pair` is non-blocking and stays the caller's. NULL: out of memory.
struct vnrs_bfd_engine *vnrs_bfd_engine_new(int pair) VNRS_MUST_CHECK;
// Each session says AdminDown once. Accepts NULL.
void vnrs_bfd_engine_free(struct vnrs_bfd_engine *engine);
// Waits for the next thing to do and does it. Returns false when the other end of the pair is closed.
bool vnrs_bfd_engine_run(struct vnrs_bfd_engine *engine);
