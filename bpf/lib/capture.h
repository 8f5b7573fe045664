// SPDX-License-Identifier: GPL-2.0-or-later
// Whole packets of NICs that somebody captures, with what became of them. A packet is told of when it is decided, but
// for one that its own answer overwrites: that is told of just before. Costs a lab in which nothing is captured
// nothing, and other NICs of a lab in which something is two looks into an array.
#pragma once

#include "lib/maps.h"
#include "lib/packet.h"

// Sizes that the ring is asked for: it takes constants only.
#define CAPTURE_ROOM_SMALL  128
#define CAPTURE_ROOM_MEDIUM 2048
#define CAPTURE_ROOM_LARGE  20480 // a quarter of the largest, not segmented yet, with its headers
#define CAPTURE_ROOM_MAX    (VNRS_CAPTURE_BYTES_MAX + 1)

// A reader that does not keep up leaves the ring full: asking costs less than trying, which takes a lock.
STAGE bool event_has_room(__u32 size)
{
    return bpf_ringbuf_query(&flow_events, BPF_RB_AVAIL_DATA) + size + BPF_RINGBUF_HDR_SZ <= FLOW_EVENTS_BYTES;
}

STAGE void event_fill(struct vnrs_bpf_flow_event *event, const struct __sk_buff *skb, const struct packet *p,
                      const struct decision *d)
{
    bool forwarded = d->verdict == VNRS_BPF_VERDICT_FORWARD;

    event->time_ns = bpf_ktime_get_ns();
    event->reason = d->reason;
    event->ifindex = skb->ifindex;
    event->egress = forwarded ? d->ifindex : 0;
    event->len = p->frame_len - ETH_HLEN;
    __builtin_memcpy(event->saddr, p->saddr, 16);
    __builtin_memcpy(event->daddr, p->daddr, 16);
    event->sport_be = p->sport;
    event->dport_be = p->dport;
    event->verdict = d->verdict;
    event->type = forwarded ? d->type : 0;
    event->family = p->family;
    event->protocol = p->protocol;
    event->captured = 0;
    __builtin_memset(event->pad, 0, sizeof(event->pad));
    event->bytes = 0;
    __builtin_memcpy(event->sent_macs, d->macs, sizeof(event->sent_macs));
    event->vlan_type_be = 0;
    event->vlan_tag = 0;
}

struct capture {
    const struct packet *p;
    const struct decision *d;
    __u32 bytes, captured; // to be told, and for whom
    __u32 frame_len;
};

// False: there was no room.
STAGE bool capture_put(struct __sk_buff *skb, const struct capture *c, __u32 room)
{
    __u32 bytes = c->bytes, last = bytes - 1;
    struct vnrs_bpf_flow_event *event = bpf_ringbuf_reserve(&flow_events, sizeof(*event) + room, 0);

    if (!event)
        return false;
    event_fill(event, skb, c->p, c->d);
    event->len = c->frame_len - ETH_HLEN;
    event->captured = c->captured;
    event->bytes = bytes;
    event->vlan_type_be = skb->vlan_proto * skb->vlan_present; // 0 or 1: a branch would cost each size of room a path
    event->vlan_tag = skb->vlan_tci;
    // The length is made of what was compared: of "not 0" kernel 6.1's verifier learns no bound.
    barrier_var(last);
    if (last < room) {
        barrier_var(last);
        if (!bpf_skb_load_bytes(skb, 0, event + 1, last + 1)) {
            bpf_ringbuf_submit(event, 0);
            return true;
        }
    }
    bpf_ringbuf_discard(event, 0);
    return false;
}

STAGE bool capture_put_any(struct __sk_buff *skb, const struct capture *c)
{
    if (!event_has_room(sizeof(struct vnrs_bpf_flow_event) + c->bytes))
        return false;
    if (c->bytes <= CAPTURE_ROOM_SMALL)
        return capture_put(skb, c, CAPTURE_ROOM_SMALL);
    if (c->bytes <= CAPTURE_ROOM_MEDIUM)
        return capture_put(skb, c, CAPTURE_ROOM_MEDIUM);
    if (c->bytes <= CAPTURE_ROOM_LARGE)
        return capture_put(skb, c, CAPTURE_ROOM_LARGE);
    return capture_put(skb, c, CAPTURE_ROOM_MAX);
}

SUBPROGRAM capture_tell(struct __sk_buff *skb, const struct packet *p, const struct decision *d, __u32 bytes,
                        __u32 captured)
{
    struct capture c = {.p = p, .d = d, .bytes = bytes, .captured = captured};

    if (!p || !d)
        return 0;
    __u32 len = skb->len;
    barrier_var(len); // or both lengths would be read by one instruction, through two kinds of pointer
    c.frame_len = captured & VNRS_BPF_CAPTURED_ANSWER ? len : p->frame_len;
    if (c.bytes > len)
        c.bytes = len;
    if (capture_put_any(skb, &c))
        return 0;
    struct vnrs_bpf_flow_switch *asked = switch_now();
    if (asked)
        __sync_fetch_and_add(&asked->lost, 1);
    return 0;
}

STAGE __u32 capture_bytes(__u32 ifindex)
{
    __u32 *bytes = bpf_map_lookup_elem(&captures, &ifindex);

    return bytes ? *bytes : 0;
}

// At the end: the packet, or what the fabric answers to it.
SUBPROGRAM capture_verdict(struct __sk_buff *skb, const struct packet *p, const struct decision *d)
{
    if (!p || !d)
        return 0;
    __u32 from = capture_bytes(skb->ifindex), to = 0, captured = 0;

    if (d->verdict == VNRS_BPF_VERDICT_FORWARD)
        to = capture_bytes(d->ifindex);
    if (d->verdict == VNRS_BPF_VERDICT_REPLY)
        captured = from ? VNRS_BPF_CAPTURED_TO | VNRS_BPF_CAPTURED_ANSWER : 0;
    else if (!d->captured)
        captured = (from ? VNRS_BPF_CAPTURED_FROM : 0) | (to ? VNRS_BPF_CAPTURED_TO : 0);
    if (captured)
        capture_tell(skb, p, d, from > to ? from : to, captured);
    return 0;
}

// A packet that may be overwritten by the answer to it, and what can be said of it before.
SUBPROGRAM capture_question(struct __sk_buff *skb, const struct packet *p, struct decision *d, __u32 verdict)
{
    if (!p || !d)
        return 0;
    __u32 decided = d->verdict;
    const struct vnrs_bpf_flow_switch *asked = switch_now();
    __u32 bytes = asked && asked->on & VNRS_BPF_CAPTURES ? capture_bytes(skb->ifindex) : 0;

    if (!bytes)
        return 0;
    d->verdict = verdict;
    capture_tell(skb, p, d, bytes, VNRS_BPF_CAPTURED_FROM);
    d->verdict = decided;
    d->captured = true;
    return 0;
}
