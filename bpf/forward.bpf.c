// SPDX-License-Identifier: GPL-2.0-or-later
// The packet path: runs at the ingress of the fabric end of every NIC, decides by the routes of that NIC alone, and
// hands the packet to the machine behind another NIC. This file only wires; every stage is a header in lib/.
#include "lib/arp.h"
#include "lib/cache.h"
#include "lib/count.h"
#include "lib/deliver.h"
#include "lib/lpm.h"
#include "lib/nd.h"
#include "lib/nexthop.h"
#include "lib/parse.h"
#include "lib/source.h"

#define PLATFORM_WIRE_SERVER bpf_htonl(0xa83f8110) // 168.63.129.16
#define PLATFORM_METADATA    bpf_htonl(0xa9fea9fe) // 169.254.169.254

// Azure serves its platform addresses whatever the routes say: they go to who has them, and else nowhere. Other
// link-local addresses leave no link (RFC 3927 section 7).
STAGE __u32 route_platform(const struct vnrs_bpf_nic *nic, const struct packet *p, struct decision *d)
{
    d->type = VNRS_NH_VNET_LOCAL;
    d->to_endpoint = true;
    d->ifindex = endpoint_find(nic->vnet, p->family, p->daddr);
    if (d->ifindex)
        return 0;
    return p->daddr[0] == PLATFORM_WIRE_SERVER || p->daddr[0] == PLATFORM_METADATA ? VNRS_DROP_PLATFORM
                                                                                   : VNRS_DROP_NO_ROUTE;
}

// `vnet`, which most often is the NIC's own: where the processor may guess that, the search for the endpoint need not
// wait for the one for the route.
STAGE __u32 vnet_likely(const struct vnrs_bpf_nic *nic, __u32 vnet)
{
    __u32 own = nic->vnet, guess = own;

    barrier_var(guess); // or the compiler would see that the result is always `vnet`
    return vnet == own ? guess : vnet;
}

// Route, group, next hop. Fills in the decision up to `ifindex`; returns 0 or a drop reason.
STAGE __u32 route_packet(const struct vnrs_bpf_nic *nic, const struct packet *p, struct decision *d)
{
    __u32 route = lpm_find(VNRS_TABLE_DOMAIN(nic->domain), p->family, p->daddr), index;
    const struct vnrs_bpf_nexthop *nexthop;

    if (!route)
        return VNRS_DROP_NO_ROUTE;
    d->type = VNRS_ROUTE_TYPE(route);
    nexthop = nexthop_choose(VNRS_ROUTE_GROUP(route), p, &index, &d->by_flow);
    if (!nexthop)
        return VNRS_DROP_DEAD_NEXTHOP;
    d->nexthop = index;
    if (nexthop->kind == VNRS_BPF_NH_DROP)
        return VNRS_DROP_NONE_ROUTE;
    d->to_endpoint = nexthop->kind == VNRS_BPF_NH_ENDPOINT;
    d->ifindex =
        d->to_endpoint ? endpoint_find(vnet_likely(nic, nexthop->vnet), p->family, p->daddr) : nexthop->ifindex;
    return d->ifindex ? 0 : VNRS_DROP_NO_ENDPOINT;
}

// A packet that says who and where to. Returns whether there is something to decide.
STAGE bool read_ip(struct __sk_buff *skb, const struct vnrs_bpf_nic *nic, bool is_ipv4, bool multicast,
                   struct packet *p, struct decision *d)
{
    __u32 reason = is_ipv4 ? parse_ipv4(skb, p) : parse_ipv6(skb, p);

    if (reason) {
        drop(d, reason);
        return false;
    }
    if (!is_ipv4 && nd_is_solicit(skb, p)) {
        nd_handle(skb, nic, p, d);
        return false;
    }
    if (multicast)
        drop(d, VNRS_DROP_MULTICAST);
    return !multicast;
}

// From the wire to `p`. Returns whether that is to be routed; else it is decided.
STAGE bool read_frame(struct __sk_buff *skb, struct packet *p, struct decision *d)
{
    __u32 ifindex = skb->ifindex;
    const struct vnrs_bpf_nic_record *nic = bpf_map_lookup_elem(&nics, &ifindex);

    if (!nic || !(nic->nic.flags & VNRS_NIC_PRESENT)) {
        drop(d, VNRS_DROP_UNKNOWN_NIC);
        return false;
    }
    const struct ethhdr *eth = (void *)(long)skb->data;
    if ((void *)(eth + 1) > (void *)(long)skb->data_end) {
        drop(d, VNRS_DROP_MALFORMED);
        return false;
    }
    __be16 proto = eth->h_proto;
    bool multicast = eth->h_dest[0] & 1;

    if (skb->vlan_present || proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD))
        drop(d, VNRS_DROP_VLAN);
    else if (proto == bpf_htons(ETH_P_ARP))
        arp_handle(skb, &nic->nic, p, d);
    else if (proto == bpf_htons(ETH_P_IP) || proto == bpf_htons(ETH_P_IPV6))
        return read_ip(skb, &nic->nic, proto == bpf_htons(ETH_P_IP), multicast, p, d);
    else
        drop(d, multicast ? VNRS_DROP_MULTICAST : VNRS_DROP_ETHERTYPE);
    return false;
}

// Whether and where to, from the routes. `now` was read before: what is found here may be remembered under it.
STAGE void decide(struct __sk_buff *skb, const struct packet *p, struct decision *d, __u64 now)
{
    __u32 ifindex = skb->ifindex + cache_after(now), reason;

    const struct vnrs_bpf_nic_record *nic = bpf_map_lookup_elem(&nics, &ifindex);
    if (!nic)
        return;
    reason = source_check(skb, nic, p);
    if (!reason && p->family == 4 && (p->daddr[0] == PLATFORM_WIRE_SERVER || addr4_is_link_local(p->daddr[0])))
        reason = route_platform(&nic->nic, p, d);
    else if (!reason)
        reason = route_packet(&nic->nic, p, d);
    if (reason)
        drop(d, reason);
    else
        deliver(skb, &nic->nic, p, d, now);
}

// A packet that the short way does not take. `c`: what was decided for one like it, or NULL.
SUBPROGRAM forward_any(struct __sk_buff *skb, const struct vnrs_bpf_cached *c)
{
    struct packet packet = {.frame_len = skb->len};
    struct decision decision = {};

    if (read_frame(skb, &packet, &decision)) {
        if (c)
            cache_use(skb, c, &decision);
        else
            decide(skb, &packet, &decision, cache_epoch(switch_now()));
    }
    return finish(skb, &packet, &decision);
}

SEC("tc")
int forward(struct __sk_buff *skb)
{
    __u8 *frame = (void *)(long)skb->data;
    const struct vnrs_bpf_flow_switch *now = switch_now();
    const struct vnrs_bpf_cached *c;

    if (!now)
        return TC_ACT_SHOT; // never: an array has what it was made with
    c = cache_find(skb, frame, cache_epoch(now));
    if (!c || now->on)
        return forward_any(skb, c);
    return finish_again(skb, frame, c);
}

char _license[] SEC("license") = "GPL";
