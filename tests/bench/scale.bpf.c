// SPDX-License-Identifier: GPL-2.0-or-later
// Real packets to many NICs in turn, for scale_nics.c: what makes them, the bare redirect they are compared with, and
// what counts them where they arrive.
#include "lib/checksum.h"

#include "scale_nics.h"

#include <linux/ip.h>
#include <linux/udp.h>

#define PORT 9 // discard

__u32 first_ifindex; // of the fabric ends
__u32 nics;
__u32 turn;
__u64 delivered;

struct udp_frame {
    struct ethhdr eth;
    struct iphdr ip;
    struct udphdr udp;
} __attribute__((packed));

// What the packet path does at the least: find the NIC that has the address, and hand the packet to its guest.
SEC("tc")
int bare_redirect_peer(struct __sk_buff *skb)
{
    const struct udp_frame *frame = (void *)(long)skb->data;

    if ((void *)(frame + 1) > (void *)(long)skb->data_end)
        return TC_ACT_SHOT;
    return bpf_redirect_peer(first_ifindex + bpf_ntohl(frame->ip.daddr) - SCALE_ADDRESS, 0);
}

SEC("tc")
int sink(struct __sk_buff *skb)
{
    const struct udp_frame *frame = (void *)(long)skb->data;

    // Not what links say of themselves.
    if ((void *)(frame + 1) <= (void *)(long)skb->data_end && frame->udp.dest == bpf_htons(PORT))
        __sync_fetch_and_add(&delivered, 1);
    return TC_ACT_SHOT;
}

// A UDP frame from the first NIC to the next other one, from whatever the last run left.
SEC("xdp")
int generate(struct xdp_md *ctx)
{
    struct udp_frame *frame = (void *)(long)ctx->data;
    __u32 csum = 0;

    if ((void *)(frame + 1) > (void *)(long)ctx->data_end)
        return XDP_DROP;
    turn = turn + 1 < nics ? turn + 1 : 1;
    __builtin_memset(&frame->eth, 2, 2 * sizeof(frame->eth.h_dest));
    frame->eth.h_proto = bpf_htons(ETH_P_IP);
    __builtin_memset(&frame->ip, 0, sizeof(frame->ip));
    frame->ip.version = 4;
    frame->ip.ihl = 5;
    frame->ip.tot_len = bpf_htons((__u16)(ctx->data_end - ctx->data - sizeof(frame->eth)));
    frame->ip.ttl = 64;
    frame->ip.protocol = IPPROTO_UDP;
    frame->ip.saddr = bpf_htonl(SCALE_ADDRESS);
    frame->ip.daddr = bpf_htonl(SCALE_ADDRESS + turn);
    const __u16 *word = (void *)&frame->ip;
    for (int i = 0; i < 10; i++)
        csum += word[i];
    frame->ip.check = checksum_fold(csum);
    frame->udp.source = frame->udp.dest = bpf_htons(PORT);
    return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
