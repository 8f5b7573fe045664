// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/speakerd.h"

#include "speaker/bmp.h"
#include "speaker/conn.h"
#include "speaker/control.h"
#include "util/fd.h"
#include "util/log.h"

#include <string.h>

void vnrs_speakerd_exit(struct vnrs_speakerd *sp, int status)
{
    sp->status = status;
    (void)event_base_loopbreak(sp->base);
}

// Socket requests that could not be sent fail now that no state machine is in the middle of anything.
static void fail_requests(struct vnrs_speakerd *sp)
{
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        if (!sp->socket_failed[slot])
            continue;
        sp->socket_failed[slot] = false;
        if (sp->core->members[slot])
            vnrs_bgp_peer_disconnected(&sp->core->members[slot]->peer, vnrs_clock_ms(), VNRS_BGP_OUT,
                                       "cannot ask the agent for a socket");
    }
}

static void arm_timer(struct vnrs_speakerd *sp, bool at_once)
{
    uint64_t now = vnrs_clock_ms(), next = MIN(vnrs_bgp_speaker_next(sp->core), vnrs_control_next(sp));
    uint64_t wait = at_once || next <= now ? 0 : MIN(next - now, UINT64_C(3600000));
    struct timeval tv = {.tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)};

    (void)event_add(sp->timer, &tv);
}

void vnrs_speakerd_settle(struct vnrs_speakerd *sp)
{
    fail_requests(sp);
    bool more = vnrs_conn_flush_all(sp);
    more |= vnrs_control_flush(sp);
    more |= vnrs_bmp_flush_all(sp);
    bool behind = vnrs_control_is_behind(sp);
    if (behind != sp->reading_paused) {
        sp->reading_paused = behind;
        vnrs_conn_pause_all(sp, behind);
    }
    if (sp->stopping && !sp->lingering)
        vnrs_speakerd_exit(sp, EXIT_SUCCESS);
    arm_timer(sp, more);
}
