// SPDX-License-Identifier: GPL-2.0-or-later
// Keys and values of the maps shared by bpf/forward.bpf.c and daemon/fib/ (kernel and user space).
//
// One set of maps per lab, pinned under <bpffs>/vnrs/<lab>/v<VNRS_BPF_LAYOUT>/. Numbers are host order unless the name
// ends in _be. No pointers, no bit-fields, padding explicit and zero (hash keys compare by bytes).
//
// A packet from a NIC is handled with: nics[ingress ifindex] → tables[domain], destination → groups[group] →
// nexthops[member] → (tables[vnet], destination) → nics[egress ifindex]; or, where one with the same addresses was
// handled since anything changed, with cache alone.
#pragma once

#include "vnrs/billing.h"

#include <linux/types.h>

#define VNRS_BPF_LAYOUT 7

// Fabric ends get ifindexes VNRS_IFINDEX_FIRST.. assigned by us, so that the NIC record is an array access.
#define VNRS_IFINDEX_FIRST 16
#define VNRS_NICS_MAX      8192
#define VNRS_DOMAINS_MAX   65536     // and as many virtual networks
#define VNRS_ROUTES_MAX    (1 << 21) // of each family
#define VNRS_GROUPS_MAX    65536
#define VNRS_GROUPS_TWINS  4096 // of them at most with the members of another
#define VNRS_NEXTHOPS_MAX  65536
#define VNRS_ACLS_MAX      65536
#define VNRS_GROUP_BUCKETS 64 // a power of two; 8 peers times 8 buckets
#define VNRS_CACHE_BITS    12 // sets for each CPU: 2 to this

// MAC that answers every ARP request and neighbour solicitation (azure-routing.md section 10), and the source MAC of
// everything the fabric delivers.
#define VNRS_FABRIC_MAC                                                                                                \
    {                                                                                                                  \
        0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc                                                                             \
    }

enum vnrs_nic_flags {
    VNRS_NIC_PRESENT = 1u << 0,
    VNRS_NIC_FORWARDING = 1u << 1,   // enableIPForwarding: source and destination checks are off
    VNRS_NIC_SERVICE = 1u << 2,      // a service host: `access` lists who may send to it
    VNRS_NIC_RESTRICTED = 1u << 3,   // with SERVICE: only the subnets in `access`; without it every subnet
    VNRS_NIC_EDGE = 1u << 4,         // Internet edge: carries any address, on both sides
    VNRS_NIC_GATEWAY = 1u << 5,      // with FORWARDING: a gateway's; what it forwards may cross any peering
    VNRS_NIC_EXPRESSROUTE = 1u << 6, // with GATEWAY: of ExpressRoute, not of a VPN
    VNRS_NIC_PLATFORM = 1u << 7,     // Azure's own, 168.63.129.16
    VNRS_NIC_ROUTE_SERVER = 1u << 8,
};

enum vnrs_nic_kind {       // for metering
    VNRS_NIC_KIND_MACHINE, // or a Route Server's
    VNRS_NIC_KIND_VPN,
    VNRS_NIC_KIND_EXPRESSROUTE,
    VNRS_NIC_KIND_SERVICE,
    VNRS_NIC_KIND_EDGE,
    VNRS_NIC_KIND_PLATFORM,
    _VNRS_NIC_KIND_MAX
};

struct vnrs_bpf_nic {
    __u32 flags;       // enum vnrs_nic_flags
    __u32 domain;      // route domain whose routes decide for packets from this NIC
    __u32 vnet;        // whose endpoints this NIC's addresses belong to
    __u32 subnet;      // identity towards services; 0: none (Internet, platform)
    __u32 mtu;         // IP packet size in bytes
    __u8 mac[6];       // of the guest end
    __u16 region;      // of the virtual network: those of one region have the same number
    __be32 gateway_be; // first address of the (first IPv4) subnet: source of ICMP errors; 0: none
    __u8 gateway6[16]; // likewise IPv6; all zero: none
};

struct vnrs_bpf_nic_record { // map `nics`: ARRAY by ifindex
    struct vnrs_bpf_nic nic;
    // One of its addresses of each family, in `nic.vnet`, all zero: none. Saves most packets looking the address up.
    __be32 addr_be[4]; // IPv4 in the first word
    __be32 addr6_be[4];
};

// Longest-prefix match (vnrs/lpm.h): map `tables` has a table for each route domain, which tells group and type, and
// one for each virtual network, which tells who has an address. Map `lines`, an ARRAY_OF_MAPS with chunks of
// VNRS_LPM_CHUNK_LINES lines, has the nodes of all of them.
#define VNRS_TABLE_DOMAIN(domain) (domain)
#define VNRS_TABLE_VNET(vnet)     (VNRS_DOMAINS_MAX + (vnet))
#define VNRS_TABLES_MAX           (2 * VNRS_DOMAINS_MAX)

// Values of the two kinds never look the same, so that tables of one kind share no nodes with those of the other.
#define VNRS_ROUTE_VALUE(group, type) ((__u32)(type) << 16 | (group))
#define VNRS_ROUTE_GROUP(value)       ((value)&0xffff) // index into `groups`, never 0
#define VNRS_ROUTE_TYPE(value)        ((value) >> 16)  // enum vnrs_nexthop_type, for accounting
#define VNRS_ENDPOINT_VALUE(ifindex)  (VNRS_ENDPOINT_MARK | (ifindex))
#define VNRS_ENDPOINT_MARK            (1u << 29)
#define VNRS_ENDPOINT_IFINDEX(value)  ((value) & ~VNRS_ENDPOINT_MARK) // 0 stays 0: nobody

// Resilient: a lost member only gives away its own buckets. Filled by daemon/fib/bpf.
struct vnrs_bpf_group {               // map `groups`: ARRAY
    __u32 n;                          // of members; 1: all buckets are the same
    __u16 bucket[VNRS_GROUP_BUCKETS]; // index into `nexthops`
};

enum vnrs_bpf_nexthop_kind {
    VNRS_BPF_NH_DROP,     // packets are dropped: None
    VNRS_BPF_NH_ENDPOINT, // to whoever has the destination address in virtual network `vnet`
    VNRS_BPF_NH_NIC,      // to NIC `ifindex`, whatever the destination
    VNRS_BPF_NH_DEAD,     // next hop known but not reachable
};

enum vnrs_bpf_nexthop_flags {
    // A backend of a load balancer: both directions of a flow go to the same one. All members of a group have it, or
    // there is no telling which one a flow comes back to.
    VNRS_BPF_NHF_BALANCED = 1u << 0,
};

struct vnrs_bpf_nexthop { // map `nexthops`: ARRAY
    __u32 kind;           // enum vnrs_bpf_nexthop_kind
    __u32 vnet;           // ENDPOINT
    __u32 ifindex;        // NIC: fabric end of the link
    __u32 flags;          // enum vnrs_bpf_nexthop_flags
};

enum vnrs_acl_kind {
    VNRS_ACL_SERVICE,   // the service behind NIC `to` lets subnet `from` in, where it is restricted
    VNRS_ACL_FORWARDED, // virtual network `to` lets in what its peered network `from` only forwards
    _VNRS_ACL_MAX
};

struct vnrs_bpf_acl_key { // map `access`: HASH, value __u32 1
    __u32 kind;           // enum vnrs_acl_kind
    __u32 to, from;
};

// What was decided for a packet, for the next one with the same NIC, addresses and protocol. It holds as long as the
// epoch (in map `flow_switch`) is what it was: user space adds 1 after each change of what decisions come from. Packets
// that the same could not be decided for are not in here: dropped ones, and those of a group of several next hops.
struct vnrs_bpf_cached {
    __u64 valid;       // VNRS_BPF_VALID
    __u16 to;          // ifindex
    __u16 nexthop;     // index into `nexthops`
    __u16 least, more; // IP bytes: so many, and up to so many more; other packets are decided anew
    __u8 mac[6];       // of `to`
    __u8 protocol;
    __u8 account; // VNRS_BPF_ACCOUNT
};
// One number to compare. The NIC's ifindex has less than 16 bits; one with more says an epoch that is not yet.
#define VNRS_BPF_VALID(epoch, from)     (((__u64)(epoch) << 16) + (from))
#define VNRS_BPF_ACCOUNT(type, billing) ((__u32)(billing) << 4 | (type)) // enum vnrs_nexthop_type, vnrs_billing

struct vnrs_bpf_cache4 {
    struct vnrs_bpf_cached decided;
    __u64 addrs; // both, as they lie in the header
};
struct vnrs_bpf_cache4_set {
    struct vnrs_bpf_cache4 way[2];
};
struct vnrs_bpf_cache6 {
    struct vnrs_bpf_cached decided;
    __u64 addrs[4]; // likewise
    __u64 pad;
};
struct vnrs_bpf_cache6_set {
    struct vnrs_bpf_cache6 way[2];
};

// Map `cache`: ARRAY by CPU, one element for each possible one; none looks at that of another. Mapped only for the sake
// of sets that do not lie across cache lines.
struct vnrs_bpf_cache {
    struct vnrs_bpf_cache4_set set4[1 << VNRS_CACHE_BITS];
    struct vnrs_bpf_cache6_set set6[1 << VNRS_CACHE_BITS];
};

struct vnrs_bpf_counter {
    __u64 packets, bytes; // bytes: IP bytes, without Ethernet header
};

#define VNRS_BPF_TYPES_MAX 8 // enum vnrs_nexthop_type

// Of packets that one NIC sent, and of those that another got, so that one packet is two elements and each knows its
// class. NONE: `from` what was dropped or answered, `to` the fabric's answers.
struct vnrs_bpf_nic_counters { // map `nic_counters`: PERCPU_ARRAY by ifindex; below VNRS_IFINDEX_FIRST: of NICs that
                               // are gone, by what they were (enum vnrs_nic_kind): what was metered stays so
    struct vnrs_bpf_counter from[_VNRS_BILL_MAX], to[_VNRS_BILL_MAX];
    struct vnrs_bpf_counter types[VNRS_BPF_TYPES_MAX]; // of what it sent and was forwarded
};

// map `drop_counters`: PERCPU_ARRAY, index enum vnrs_drop_reason
// map `flow_switch`: ARRAY of one struct vnrs_bpf_flow_switch, mapped: what every packet has to ask for
// map `flow_events`: RINGBUF of struct vnrs_bpf_flow_event, each with the bytes of the packet behind it where it has
// any map `captures`: ARRAY by ifindex of __u32: how many bytes of each packet of this NIC are wanted; 0: none

enum vnrs_bpf_flow_on {
    VNRS_BPF_FLOWS = 1u << 0,    // of drops and samples
    VNRS_BPF_CAPTURES = 1u << 1, // of what `captures` names
    VNRS_BPF_IMPAIRED = 1u << 2, // not a matter of readers: `impairments` has something in it
};

enum vnrs_bpf_impair_flags {
    VNRS_BPF_IMPAIR_DOWN = 1u << 0,  // nothing is delivered
    VNRS_BPF_IMPAIR_QUEUE = 1u << 1, // what is delivered goes through the qdisc of the fabric end
};

struct vnrs_bpf_impair { // map `impairments`: ARRAY by ifindex; all zero: nothing is wrong with the link
    __u32 flags;         // enum vnrs_bpf_impair_flags
    __u32 loss_ppm;      // of packets in each direction
};

struct vnrs_bpf_flow_switch {
    __u32 on;     // enum vnrs_bpf_flow_on; 0: nobody reads, nothing is written, all links are as they should be
    __u32 sample; // of the forwarded packets one in so many is told; 0: none
    __u64 lost;   // events that found no room
    __u64 epoch;  // of decisions
};

// For whom a packet is captured, and as what.
enum vnrs_bpf_captured {
    VNRS_BPF_CAPTURED_FROM = 1u << 0,   // the NIC that sent it
    VNRS_BPF_CAPTURED_TO = 1u << 1,     // the NIC that gets it
    VNRS_BPF_CAPTURED_ANSWER = 1u << 2, // the fabric's answer to a packet: all but `len` and the bytes is of that one
};

#define VNRS_CAPTURE_BYTES_MAX 65535

struct vnrs_bpf_flow_event { // a packet that was dropped, a sample of those that were forwarded, or one that is
                             // captured
    __u64 time_ns;           // CLOCK_MONOTONIC
    __u32 reason;            // enum vnrs_drop_reason
    __u32 ifindex;           // of the NIC that sent it
    __u32 egress;            // FORWARD: of the NIC that gets it; else 0. UNKNOWN: one of the two
    __u32 len;               // IP bytes
    __u8 saddr[16], daddr[16];
    __be16 sport_be, dport_be;
    __u8 verdict; // enum vnrs_bpf_verdict
    __u8 type;    // FORWARD: enum vnrs_nexthop_type
    __u8 family;  // 4, 6, or 0: not IP
    __u8 protocol;
    __u8
        captured; // enum vnrs_bpf_captured; 0: told of as a drop or a sample: without bytes by the program; of what the
                  // kernel forwards with the headers' bytes, which are to be read, and type _VNRS_NH_MAX: not known
    __u8 pad[3];
    __u32 bytes;         // of the frame, from its beginning, behind this
    __u8 sent_macs[12];  // FORWARD: Ethernet addresses as the NIC sent it; the bytes have those it was delivered with
    __be16 vlan_type_be; // of a tag that is not in the bytes; 0: none
    __u16 vlan_tag;
};

// What the program decided, left in skb->cb[] (index enum vnrs_bpf_cb) where a test run can read it.
enum vnrs_bpf_verdict {
    VNRS_BPF_VERDICT_DROP,    // dropped; CB_REASON says why
    VNRS_BPF_VERDICT_FORWARD, // delivered to CB_IFINDEX
    VNRS_BPF_VERDICT_REPLY,   // answered to the sender; with a CB_REASON: an ICMP error about a dropped packet
    VNRS_BPF_VERDICT_IGNORE,  // nothing to say, nothing to count as lost (gratuitous ARP, duplicate address detection)
    // Never by the program: captured on the link of a NIC whose packets the kernel forwards, which does not tell. What
    // is in the headers is zero, and to be read from the bytes.
    VNRS_BPF_VERDICT_UNKNOWN,
};
enum vnrs_bpf_cb {
    VNRS_BPF_CB_VERDICT,
    VNRS_BPF_CB_REASON,  // enum vnrs_drop_reason
    VNRS_BPF_CB_NEXTHOP, // index into `nexthops`
    VNRS_BPF_CB_IFINDEX,
    VNRS_BPF_CB_ACCOUNT, // VNRS_BPF_ACCOUNT
};

#ifndef __bpf__
#include <assert.h>
static_assert(sizeof(struct vnrs_bpf_nic) == 48, "layout of struct vnrs_bpf_nic");
static_assert(sizeof(struct vnrs_bpf_nic_record) == 80, "layout of struct vnrs_bpf_nic_record");
static_assert(VNRS_NEXTHOPS_MAX <= 65536, "a bucket of a group is 16 bits");
static_assert(sizeof(struct vnrs_bpf_nexthop) == 16, "layout of struct vnrs_bpf_nexthop");
static_assert(VNRS_NICS_MAX <= 1 << 16, "VNRS_BPF_VALID has 16 bits for a NIC");
static_assert(sizeof(struct vnrs_bpf_cache4) == 32, "two in a cache line");
static_assert(sizeof(struct vnrs_bpf_cache6) == 64, "a cache line");
static_assert(sizeof(struct vnrs_bpf_counter) == 16, "layout of struct vnrs_bpf_counter");
static_assert(sizeof(struct vnrs_bpf_nic_counters) == 640, "layout of struct vnrs_bpf_nic_counters");
static_assert(_VNRS_BILL_MAX <= 16 && VNRS_BPF_TYPES_MAX <= 16, "VNRS_BPF_ACCOUNT is one byte");
static_assert(_VNRS_NIC_KIND_MAX <= VNRS_IFINDEX_FIRST, "no NIC has the numbers of those that are gone");
static_assert(sizeof(struct vnrs_bpf_flow_switch) == 24, "layout of struct vnrs_bpf_flow_switch");
static_assert(sizeof(struct vnrs_bpf_flow_event) == 88, "layout of struct vnrs_bpf_flow_event");
#endif
