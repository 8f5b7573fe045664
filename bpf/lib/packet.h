// SPDX-License-Identifier: GPL-2.0-or-later
// What the stages of the packet path hand to each other: the parsed packet and the decision about it.
#pragma once

#include "vnrs/bpf_abi.h"
#include "vnrs/drop_reason.h"
#include "vnrs/nexthop_type.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define STAGE static __always_inline

// A stage that the kernel verifies once and by itself (a global function), not once for every way that leads to it. To
// the verifier its pointers may be NULL, so it has to ask.
#define SUBPROGRAM __attribute__((noinline)) int

struct packet {
    __u32 frame_len; // as received, with Ethernet header
    __u32 len;       // IP bytes
    __u32 l4;        // offset of the upper-layer header in the frame
    __u8 family;     // 4, 6; 0: not IP
    __u8 protocol;
    bool fragment;       // any fragment of several, the first too: ports must not be looked at
    bool later_fragment; // has no upper-layer header
    bool dont_fragment;
    __u32 saddr[4], daddr[4]; // IPv4 in the first word
    __be16 sport, dport;      // TCP and UDP, unless a fragment; else 0
};

struct decision {
    __u32 verdict; // enum vnrs_bpf_verdict
    __u32 reason;
    __u32 nexthop;
    __u32 ifindex;
    __u32 type;
    __u32 billing;    // FORWARD: enum vnrs_billing
    bool to_endpoint; // `ifindex` was found by the destination address
    bool by_flow;     // of several next hops: flows between the same addresses may go to different ones
    bool queued;      // to be delivered through the qdisc of the fabric end
    bool captured;    // told of before it was overwritten by the answer to it
    __u32 macs[3];    // FORWARD: Ethernet addresses as they came
};

// Direct access to the first `n` bytes; they are pulled into the linear part where they are not.
STAGE bool packet_pull(struct __sk_buff *skb, __u32 n)
{
    if ((void *)(long)skb->data + n <= (void *)(long)skb->data_end)
        return true;
    return bpf_skb_pull_data(skb, n) == 0 && (void *)(long)skb->data + n <= (void *)(long)skb->data_end;
}

STAGE void addr_copy(__u32 *to, const void *from)
{
    __builtin_memcpy(to, from, 16);
}

STAGE bool addr_equal(const __u32 *a, const __u32 *b)
{
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

STAGE bool addr6_is_zero(const __u32 *a)
{
    return (a[0] | a[1] | a[2] | a[3]) == 0;
}

STAGE bool addr6_is_multicast(const __u32 *a)
{
    return (a[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
}

STAGE bool addr6_is_link_local(const __u32 *a)
{
    return (a[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

STAGE bool addr4_is_link_local(__be32 a)
{
    return (a & bpf_htonl(0xffff0000)) == bpf_htonl(0xa9fe0000);
}

STAGE bool addr4_is_multicast(__be32 a)
{
    return (a & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || a == 0xffffffff;
}

// Never the source of a packet that leaves its link: unspecified, loopback, multicast, link-local (RFC 1122 3.2.1.3,
// RFC 4291 2.5 to 2.7).
STAGE bool addr_is_no_source(__u32 family, const __u32 *a)
{
    if (family == 4) {
        __be32 net = a[0] & bpf_htonl(0xff000000);
        return !net || net == bpf_htonl(0x7f000000) || addr4_is_link_local(a[0]) || addr4_is_multicast(a[0]);
    }
    return addr6_is_multicast(a) || addr6_is_link_local(a) || !(a[0] | a[1] | a[2] | (a[3] & bpf_htonl(~1u)));
}

STAGE void fabric_mac(__u8 *to)
{
    __u8 mac[6] = VNRS_FABRIC_MAC;

    __builtin_memcpy(to, mac, 6);
}

STAGE void drop(struct decision *d, __u32 reason)
{
    d->verdict = VNRS_BPF_VERDICT_DROP;
    d->reason = reason;
    d->billing = VNRS_BILL_NONE; // a link may lose what was to be forwarded
}

STAGE void reply(struct __sk_buff *skb, struct decision *d)
{
    d->verdict = VNRS_BPF_VERDICT_REPLY;
    d->ifindex = skb->ifindex;
}
