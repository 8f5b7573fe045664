// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/monitor.h"

#include "speaker/dump.h"

static void on_received(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *msg, size_t len)
{
    vnrs_dump_received(arg, m, side, msg, len);
}

static void on_changed(void *arg, struct vnrs_bgp_member *m)
{
    vnrs_dump_changed(arg, m);
}

static const struct vnrs_bgp_observer observer = {
    .received = on_received,
    .changed = on_changed,
};

void vnrs_monitor_update(struct vnrs_speakerd *sp)
{
    bool watched = vnrs_dump_is_watching(sp);

    vnrs_bgp_speaker_observe(sp->core, watched ? &observer : NULL, sp);
}
