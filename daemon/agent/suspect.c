// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/suspect.h"

#include "agent/conn.h"
#include "fib/guest_sink.h"
#include "util/fd.h"

#define MIN_MS  20
#define MAX_MS  500
#define CALM_MS 1000

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_lab *lab = arg;

    (void)fd, (void)what;
    lab->is_suspect = false;
    lab->suspected_ms = vnrs_clock_ms();
    vnrs_agentd_conn_event(lab->ad->conn, VNRS_AG_EV_SUSPECT, &lab->suspect, "changed by another hand");
}

unsigned vnrs_agentd_suspect_delay(unsigned before_ms, uint64_t quiet_ms)
{
    return before_ms == 0 || quiet_ms >= CALM_MS ? MIN_MS : MIN(before_ms * 2, (unsigned)MAX_MS);
}

void vnrs_agentd_suspect(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj)
{
    if (obj->type == VNRS_OBJ_TABLE && lab->guest_sink)
        vnrs_guest_sink_table_suspect(lab->guest_sink, obj->key);
    if (lab->is_suspect)
        return;
    if (!lab->suspect_timer)
        lab->suspect_timer = evtimer_new(lab->ad->base, on_timer, lab);
    unsigned ms = vnrs_agentd_suspect_delay(lab->suspect_delay_ms, vnrs_clock_ms() - lab->suspected_ms);
    const struct timeval delay = {ms / 1000, (ms % 1000) * 1000};
    if (!lab->suspect_timer || evtimer_add(lab->suspect_timer, &delay) < 0)
        return;
    lab->suspect_delay_ms = ms;
    lab->is_suspect = true;
    lab->suspect = *obj;
}
