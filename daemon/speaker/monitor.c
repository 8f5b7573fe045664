// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/monitor.h"

#include "speaker/bmp.h"
#include "speaker/dump.h"

static void on_received(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *msg, size_t len)
{
    vnrs_dump_received(arg, m, side, msg, len);
}

static void on_changed(void *arg, struct vnrs_bgp_member *m)
{
    vnrs_dump_changed(arg, m);
}

static void on_malformed(void *arg, struct vnrs_bgp_member *m, const uint8_t *msg, size_t len)
{
    vnrs_bmp_malformed(arg, m, msg, len);
}

static void on_up(void *arg, struct vnrs_bgp_member *m)
{
    vnrs_bmp_up(arg, m);
}

static void on_down(void *arg, struct vnrs_bgp_member *m)
{
    vnrs_bmp_down(arg, m);
}

static void on_path(void *arg, const struct vnrs_prefix *prefix, unsigned slot, uint32_t path_id, bool best)
{
    vnrs_bmp_path(arg, prefix, slot, path_id, best);
}

static void on_told(void *arg, const struct vnrs_prefix *prefix, uint32_t path_id, uint64_t members)
{
    vnrs_bmp_told(arg, prefix, path_id, members);
}

static const struct vnrs_bgp_observer of_messages = {.received = on_received, .changed = on_changed};
static const struct vnrs_bgp_observer of_all = {
    .received = on_received,
    .changed = on_changed,
    .malformed = on_malformed,
    .up = on_up,
    .down = on_down,
    .path = on_path,
    .told = on_told,
};

// Paths are many: where only messages are wanted, nobody is called for each.
void vnrs_monitor_update(struct vnrs_speakerd *sp)
{
    const struct vnrs_bgp_observer *observer = vnrs_dump_is_watching(sp) ? &of_messages : NULL;

    vnrs_bgp_speaker_observe(sp->core, vnrs_bmp_is_watching(sp) ? &of_all : observer, sp);
}
