// SPDX-License-Identifier: GPL-2.0-or-later
// Tells user space of packets one by one: of all that are dropped, of a sample of those that are forwarded, of whole
// packets of NICs that are captured (capture.h), and of none while nobody reads.
#pragma once

#include "lib/capture.h"

STAGE bool flow_is_asked_for(const struct vnrs_bpf_flow_switch *asked, const struct decision *d)
{
    if (!(asked->on & VNRS_BPF_FLOWS))
        return false;
    if (d->verdict == VNRS_BPF_VERDICT_DROP || d->reason)
        return true;
    return d->verdict == VNRS_BPF_VERDICT_FORWARD && asked->sample && bpf_get_prandom_u32() % asked->sample == 0;
}

STAGE void flow_tell(struct __sk_buff *skb, struct vnrs_bpf_flow_switch *asked, const struct packet *p,
                     const struct decision *d)
{
    struct vnrs_bpf_flow_event *event;

    if (asked->on & VNRS_BPF_CAPTURES)
        capture_verdict(skb, p, d);
    if (!flow_is_asked_for(asked, d))
        return;
    event = event_has_room(sizeof(*event)) ? bpf_ringbuf_reserve(&flow_events, sizeof(*event), 0) : NULL;
    if (!event) {
        __sync_fetch_and_add(&asked->lost, 1);
        return;
    }
    event_fill(event, skb, p, d);
    bpf_ringbuf_submit(event, 0);
}
