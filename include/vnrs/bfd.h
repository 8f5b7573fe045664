// SPDX-License-Identifier: GPL-2.0-or-later
// States and diagnostics of BFD (RFC 5880 section 4.1) for all programs: numbers as on the wire, and how they are
// shown.
#pragma once

#define VNRS_BFD_STATES(X)                                                                                             \
    X(VNRS_BFD_ADMIN_DOWN, "AdminDown")                                                                                \
    X(VNRS_BFD_DOWN, "Down")                                                                                           \
    X(VNRS_BFD_INIT, "Init")                                                                                           \
    X(VNRS_BFD_UP, "Up")

enum vnrs_bfd_state {
#define X(id, text) id,
    VNRS_BFD_STATES(X)
#undef X
        _VNRS_BFD_STATE_MAX
};

// Any other value up to VNRS_BFD_DIAG_LAST may be received.
#define VNRS_BFD_DIAGS(X)                                                                                              \
    X(VNRS_BFD_DIAG_NONE, "no diagnostic")                                                                             \
    X(VNRS_BFD_DIAG_EXPIRED, "control detection time expired")                                                         \
    X(VNRS_BFD_DIAG_ECHO, "echo function failed")                                                                      \
    X(VNRS_BFD_DIAG_SIGNALED, "neighbor signaled session down")                                                        \
    X(VNRS_BFD_DIAG_RESET, "forwarding plane reset")                                                                   \
    X(VNRS_BFD_DIAG_PATH, "path down")                                                                                 \
    X(VNRS_BFD_DIAG_CONCATENATED, "concatenated path down")                                                            \
    X(VNRS_BFD_DIAG_ADMIN, "administratively down")                                                                    \
    X(VNRS_BFD_DIAG_REVERSE, "reverse concatenated path down")

enum vnrs_bfd_diag {
#define X(id, text) id,
    VNRS_BFD_DIAGS(X)
#undef X
        _VNRS_BFD_DIAG_MAX
};

#define VNRS_BFD_DIAG_LAST 31
