// SPDX-License-Identifier: GPL-2.0-or-later
// Messages between the controller (no privileges) and the agent (root), over a SOCK_SEQPACKET pair. One datagram is one
// message: header, one fixed struct or an array of one fixed struct, and for some types bytes behind it (`data_size`).
// The agent checks every length, count, name and enum before it acts, and parses nothing that a user or a peer wrote:
// file contents and records are bytes to it.
//
// Requests are pipelined and executed in order; each is answered by one REPLY with its seq (LIST and HELLO send their
// objects before it), in order but for FIB SETTLE. An object is named by (lab, type, key). ENSURE is idempotent: it
// makes the kernel agree with the spec and says whether it had to do anything; REMOVE of what is not there is success.
// Objects of lower types exist before those of higher types and go after them.
//
// Marks: namespaces are named "vnrs.<lab>[.<name>]", links carry the alias "vnrs:<lab>:<key>", routes the protocol
// VNRS_RTPROT, rules the protocol and a priority range, pins lie below <bpffs>/vnrs/<lab>/, nftables tables are called
// "vnrs" or "vnrs.…". Nothing without a mark is ever touched.
#pragma once

#include "vnrs/addr.h"
#include "vnrs/fib.h"
#include "vnrs/impair.h"

#define VNRS_AGENT_PROTO    5
#define VNRS_AGENT_MSG_MAX  131072 // bytes, header included
#define VNRS_LAB_NAME_MAX   48     // with NUL
#define VNRS_KEY_MAX        112
#define VNRS_IFNAME_MAX     16
#define VNRS_LINK_ADDRS_MAX 16
#define VNRS_RECORD_MAX     (8u << 20)

// Descriptors of the controller at exec: agent pair, listening API socket.
enum { VNRS_CONTROL_FD_AGENT = 3, VNRS_CONTROL_FD_LISTEN = 4, VNRS_CONTROL_FD_TCP = 5 };

enum vnrs_agent_msg {
    VNRS_AG_HELLO = 1, // controller: struct vnrs_ag_hello. Agent answers: RECORDs, SPEAKERs that run, then REPLY
    VNRS_AG_RECORD,    // both ways: struct vnrs_ag_record and data: a piece of a lab's record
    VNRS_AG_ENSURE,    // struct vnrs_ag_obj, the type's spec, data
    VNRS_AG_REMOVE,    // struct vnrs_ag_obj
    VNRS_AG_LIST,      // struct vnrs_ag_lab: answered by OBJECTs that exist and carry the lab's mark, then REPLY
    VNRS_AG_OBJECT,    // agent: struct vnrs_ag_found[]
    VNRS_AG_FIB,       // struct vnrs_ag_fib and data: one array of the kind; deltas or parts of a sync
    VNRS_AG_COUNTERS,  // struct vnrs_ag_lab: answered by COUNTER, then REPLY
    VNRS_AG_COUNTER,   // agent: struct vnrs_ag_counter[]
    VNRS_AG_PROBE,     // none: answered by PROBED, then REPLY (doctor)
    VNRS_AG_PROBED,    // agent: struct vnrs_ag_probe[]
    VNRS_AG_REPLY,     // agent: struct vnrs_ag_reply
    VNRS_AG_SPEAKER,   // agent: struct vnrs_ag_speaker with the control descriptor attached: a speaker (re)started
    VNRS_AG_EVENT,     // agent: struct vnrs_ag_event
    VNRS_AG_FLOWS,     // struct vnrs_ag_flows and data: struct vnrs_ag_capture[]: single packets are wanted, or no more
    VNRS_AG_FLOW_EVENTS, // agent: struct vnrs_ag_flow_events and data: the events; some may be lost
    VNRS_AG_CONNECT,     // struct vnrs_ag_connect: REPLY has a TCP socket attached whose connection is under way
    _VNRS_AG_MAX,
};

struct vnrs_ag_hdr {
    uint16_t proto;     // VNRS_AGENT_PROTO
    uint16_t type;      // enum vnrs_agent_msg
    uint32_t seq;       // of the request; an answer repeats it; 0 in events
    uint32_t count;     // fixed structs of the type
    uint32_t data_size; // bytes behind them
};

struct vnrs_ag_hello {
    uint64_t generation;
};

struct vnrs_ag_lab {
    char lab[VNRS_LAB_NAME_MAX];
};

// A lab's record: what a new controller needs to go on. Written atomically when the last piece has come; total 0
// removes it (and everything else that the agent keeps of the lab).
struct vnrs_ag_record {
    char lab[VNRS_LAB_NAME_MAX];
    uint32_t total, offset;
};

// In this order they depend on each other.
enum vnrs_obj_type {
    VNRS_OBJ_FABRIC = 1, // the lab's fabric namespace and data plane; key "fabric"
    VNRS_OBJ_NETNS,      // a namespace of ours; key = its name behind "vnrs.<lab>."
    VNRS_OBJ_LINK,       // a veth pair
    VNRS_OBJ_ROUTE,      // a static route in a namespace of ours
    VNRS_OBJ_SNAT,       // source NAT at the Internet edge
    VNRS_OBJ_TABLE,      // guest table fed with the routes of a domain
    VNRS_OBJ_PROC,       // a routing daemon or command in a machine; data = configuration or argv
    VNRS_OBJ_SPEAKER,    // a BGP instance
    VNRS_OBJ_IMPAIR,     // what is wrong with a NIC on purpose; key = its link's
    _VNRS_OBJ_MAX,
};

struct vnrs_ag_obj {
    char lab[VNRS_LAB_NAME_MAX];
    char key[VNRS_KEY_MAX];
    uint32_t type; // enum vnrs_obj_type
    uint32_t pad;  // a spec may have numbers of eight bytes
};

enum vnrs_ag_netns_kind { // numbers as enum vnrs_netns_kind of the model
    VNRS_AG_NETNS_OURS,   // name: behind "vnrs.<lab>."; empty: the fabric
    VNRS_AG_NETNS_SELF,   // the agent's own
    VNRS_AG_NETNS_PATH,
    VNRS_AG_NETNS_PID,
    VNRS_AG_NETNS_CONTAINER, // podman or docker
};

struct vnrs_ag_netns {
    uint8_t kind;
    uint8_t pad[3];
    int32_t pid;
    char name[120];
};

struct vnrs_obj_fabric {
    uint32_t dataplane; // enum vnrs_dataplane: 0 eBPF, 1 kernel
};

enum {
    VNRS_NETNS_FORWARD = 1u << 0, // the machine forwards packets (sysctl)
    VNRS_NETNS_CARRIER = 1u << 1, // it uses no route over a link without carrier (sysctl)
};

struct vnrs_obj_netns {
    uint32_t flags;
};

struct vnrs_ag_ifaddr {
    struct vnrs_addr addr;
    uint8_t len;
    uint8_t pad[2];
};

struct vnrs_link_end {
    struct vnrs_ag_netns ns; // OURS; end b of any kind
    char ifname[VNRS_IFNAME_MAX];
    uint32_t ifindex; // 0: the kernel's choice
    struct vnrs_mac mac;
    uint8_t n_addrs;
    uint8_t pad;
    struct vnrs_ag_ifaddr addrs[VNRS_LINK_ADDRS_MAX];
};

enum vnrs_link_kind {
    VNRS_LINK_PLAIN,
    VNRS_LINK_NIC,    // the packet path is attached to end a, in the fabric
    VNRS_LINK_TUNNEL, // to the end of a tunnel (PROC): without ARP, both ends have the MAC of `a`; end b is taken up
                      // and down by what runs there, so that end a has a carrier while the tunnel is up
    _VNRS_LINK_KIND_MAX
};

struct vnrs_obj_link {
    struct vnrs_link_end a, b; // a NIC: a is the fabric end (no addresses), b the guest end
    uint32_t mtu;
    uint32_t kind; // enum vnrs_link_kind
    uint32_t down; // 1: end a is not set up, so that end b has no carrier
};

struct vnrs_obj_route {
    struct vnrs_ag_netns ns; // OURS
    char ifname[VNRS_IFNAME_MAX];
    struct vnrs_prefix prefix;
    struct vnrs_addr via[4];          // none: on link; several: equal cost, all by `ifname` unless `ifnames` differ
    char ifnames[4][VNRS_IFNAME_MAX]; // empty: `ifname`
    uint8_t n_via;
    uint8_t refuse; // 1: packets are refused; no link, no next hop
    uint32_t metric;
};

struct vnrs_obj_snat {       // packets that leave `ifname` and come from `sources` get the address of `ifname`
    struct vnrs_ag_netns ns; // OURS
    char ifname[VNRS_IFNAME_MAX];
    uint32_t n;
    struct vnrs_prefix sources[32];
    struct vnrs_addr ike_peer; // IKE, and ESP in UDP, that come in by `ifname` from there go to `ike_inside`; or NONE
    struct vnrs_addr ike_inside;
    uint8_t pad[2];
};

struct vnrs_obj_table {
    struct vnrs_ag_netns ns;
    char ifname[VNRS_IFNAME_MAX];
    uint32_t domain;
    uint32_t table; // 254: main
    uint32_t metric;
    uint32_t protocol; // above RTPROT_STATIC: every route of the table with it and the metric is taken for ours
    struct vnrs_addr gateway4, gateway6; // next hop of routes whose member has no `via`
    uint8_t onlink;  // next hops need not be in a connected network (the fabric answers ARP for all of them)
    uint8_t by_link; // each next hop is at the other end of a link of its own, which the namespace's other routes tell:
                     // its routes lead by that link; one that is not, or has no carrier, is left out
    uint8_t n_own;
    struct vnrs_addr own[VNRS_LINK_ADDRS_MAX]; // of the machine: no next hop to itself, the gateway takes its place
    uint8_t from_link; // not the main table, namespace OURS: for packets that come in by `ifname`, and what neither it
                       // nor the main table without its default route knows is refused (IPv4)
    uint8_t pad[2];
};

enum vnrs_proc_kind {
    VNRS_PROC_FRR = 1,
    VNRS_PROC_BIRD,
    VNRS_PROC_EXEC,
    VNRS_PROC_GOBGP,
    VNRS_PROC_EXABGP,
    VNRS_PROC_OPENBGPD,
    VNRS_PROC_STRONGSWAN, // one end of one tunnel
    _VNRS_PROC_MAX
};

// What the end of a tunnel is about, and why it is not up.
enum vnrs_tunnel_state {
    VNRS_TUNNEL_NONE, // not the end of a tunnel
    VNRS_TUNNEL_UP,
    VNRS_TUNNEL_CONNECTING,  // nothing is known to be wrong
    VNRS_TUNNEL_NOT_RUNNING, // the daemon is not there
    VNRS_TUNNEL_NO_ANSWER,   // from the other end
    VNRS_TUNNEL_KEY,         // the ends have different keys
    VNRS_TUNNEL_PROPOSAL,    // the ends agree on no algorithms or networks
    VNRS_TUNNEL_FAILED,      // otherwise
    _VNRS_TUNNEL_MAX
};

struct vnrs_obj_proc {       // data: configuration file, or NUL-separated argv (EXEC); GOBGP: NUL, then commands;
                             // STRONGSWAN: swanctl.conf
    struct vnrs_ag_netns ns; // not the agent's own
    uint32_t kind;           // enum vnrs_proc_kind
};

struct vnrs_obj_speaker {
    struct vnrs_ag_netns ns; // OURS or SELF
    struct vnrs_addr listen; // with port 179
    uint8_t pad[3];
    uint32_t listen_optional; // 1: go on without the listening socket (sessions are opened from here only)
};

struct vnrs_obj_impair {
    struct vnrs_impair impair; // something in it is not zero
};

struct vnrs_ag_found {
    struct vnrs_ag_obj obj;
    uint32_t ifindex; // LINK: of end a
    uint32_t running; // PROC, SPEAKER
    uint32_t tunnel;  // PROC: enum vnrs_tunnel_state
};

enum vnrs_ag_outcome {
    VNRS_AG_UNCHANGED,
    VNRS_AG_CREATED,
    VNRS_AG_CHANGED,
    VNRS_AG_REMOVED,
    VNRS_AG_BEHIND, // FIB END and FLUSH: guest tables are not done yet; SETTLE tells when, and how it went
};

struct vnrs_ag_reply {
    int32_t error;    // 0 or a negative errno
    uint32_t outcome; // enum vnrs_ag_outcome
    uint64_t writes;  // FIB: what the sinks wrote so far
    char text[256];   // error: one sentence; else empty
};

enum vnrs_ag_fib_kind {
    VNRS_AG_FIB_BEGIN = 1, // sync begins
    VNRS_AG_FIB_GROUPS,    // struct vnrs_fib_group[]
    VNRS_AG_FIB_ROUTES,    // struct vnrs_fib_route[]
    VNRS_AG_FIB_NICS,      // struct vnrs_fib_nic[]
    VNRS_AG_FIB_ENDPOINTS, // struct vnrs_fib_endpoint[]
    VNRS_AG_FIB_ACLS,      // struct vnrs_fib_acl[]
    VNRS_AG_FIB_END,       // sync ends: what was not mentioned is removed
    VNRS_AG_FIB_FLUSH,     // deltas are in the fabric when this is answered
    VNRS_AG_FIB_SETTLE,    // answered, later than what comes behind it, when guest tables have all that was flushed
};

struct vnrs_ag_fib {
    char lab[VNRS_LAB_NAME_MAX];
    uint32_t kind; // enum vnrs_ag_fib_kind
    uint32_t n;    // structs in data
};

enum vnrs_ag_counter_kind {
    VNRS_AG_COUNTER_NIC_FROM =
        1, // NIC_*: of the NIC with that fabric ifindex, or enum vnrs_nic_kind: those that are gone
    VNRS_AG_COUNTER_NIC_TO,
    VNRS_AG_COUNTER_TYPE, // next hop type
    VNRS_AG_COUNTER_DROP  // drop reason
};

struct vnrs_ag_counter { // none that is zero
    uint16_t kind;       // enum vnrs_ag_counter_kind
    uint16_t billing;    // NIC_*: enum vnrs_billing; else 0
    uint32_t index;      // as the kind says
    uint64_t packets, bytes;
};

struct vnrs_ag_connect { // from an address in a namespace of ours
    char lab[VNRS_LAB_NAME_MAX];
    char netns[VNRS_KEY_MAX];  // behind "vnrs.<lab>."
    struct vnrs_addr from, to; // of one family
    uint16_t port;
};

#define VNRS_FLOWS_SAMPLE_MAX 1000000000u

struct vnrs_ag_flows {
    char lab[VNRS_LAB_NAME_MAX];
    uint32_t on;     // 1: drops and samples; 0: none
    uint32_t sample; // of forwarded packets one in so many; 0: none
};

#define VNRS_CAPTURES_MAX 64

struct vnrs_ag_capture { // a NIC whose packets are wanted whole
    uint32_t ifindex;
    uint32_t bytes; // of each packet at most, from 1
};

// Each event begins at a multiple of 8 bytes: struct vnrs_bpf_flow_event, and behind it as many bytes as that says.
struct vnrs_ag_flow_events {
    char lab[VNRS_LAB_NAME_MAX];
    uint32_t n;
    uint32_t pad;
    uint64_t lost; // since the last message
};

enum vnrs_ag_probe_status { VNRS_PROBE_OK, VNRS_PROBE_WARN, VNRS_PROBE_FAIL };

struct vnrs_ag_probe {
    uint32_t status;
    char name[40];
    char text[200]; // what was found; for WARN and FAIL what to do
};

struct vnrs_ag_speaker {
    struct vnrs_ag_obj obj;
    int32_t pid;
};

enum vnrs_ag_event_kind {
    VNRS_AG_EV_SUSPECT = 1, // kernel state of the object changed by another hand: check the lab again
    VNRS_AG_EV_EXITED,      // a PROC or SPEAKER ended; text says how
    VNRS_AG_EV_TUNNEL,      // the state of a PROC that is the end of a tunnel changed
};

struct vnrs_ag_event {
    uint32_t kind;
    uint32_t tunnel; // TUNNEL: enum vnrs_tunnel_state
    struct vnrs_ag_obj obj;
    char text[120];
};
