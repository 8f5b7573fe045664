// SPDX-License-Identifier: GPL-2.0-or-later
// Messages between the controller and one vnrs-speaker (one BGP instance), over a SOCK_SEQPACKET pair whose ends the
// agent keeps. One datagram is one message: header, then a fixed struct or an array of one fixed struct. Only behind
// SETS there may be another one, so that the reader is not woken for sets alone: it would take the processor from the
// writer, and wait for what it has to do with them. Both sides check every length and count and close on the first that
// is wrong.
//
// The controller speaks first: HELLO with its generation. The speaker answers HELLO and replays its whole state: PEER
// for each peer, SETS and ROUTES for the prefixes with usable paths, then SYNCED. Whatever was queued for an earlier
// controller is recognised by the generation in the header and skipped. CONFIG_BEGIN, OWN…, MAP…, MAP_RULE…, MAP_ITEM…,
// PEER_CONFIG…, CONFIG_END set the whole configuration; the speaker applies the difference at CONFIG_END (sessions of
// peers that did not change go on, also where a route map did).
//
// The speaker also has a second pair, to the agent: SOCKET asks for a TCP or UDP socket of the instance's namespace,
// which comes back as SOCKET with a descriptor; the listening socket is given at start.
#pragma once

#include "vnrs/addr.h"
#include "vnrs/route_map.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define VNRS_SPEAKER_PROTO   7
#define VNRS_SPEAKER_MSG_MAX 32768 // bytes, header included
#define VNRS_PEER_NAME_MAX   64
#define VNRS_PATHS_MAX       16 // ECMP paths of one prefix that are passed up
#define VNRS_AS_PATH_STR_MAX 128
#define VNRS_PEER_ERROR_MAX  320 // a whole RFC 9003 text and what goes before it
#define VNRS_SHUTDOWN_MAX    256 // with the NUL
#define VNRS_MD5_KEY_MAX     80  // octets, TCP_MD5SIG_MAXKEYLEN
#define VNRS_NOTE_MAX        192 // one sentence about a path

// How an error of a peer begins that tells no more than this: nobody listens there, or not yet.
#define VNRS_CANNOT_CONNECT "cannot connect: "

// Descriptors of vnrs-speaker at exec.
enum { VNRS_SPEAKER_FD_CONTROL = 3, VNRS_SPEAKER_FD_AGENT = 4, VNRS_SPEAKER_FD_LISTEN = 5 };

enum vnrs_speaker_msg {
    VNRS_SPK_HELLO = 1,    // both ways; struct vnrs_spk_hello
    VNRS_SPK_CONFIG_BEGIN, // struct vnrs_spk_config
    VNRS_SPK_OWN,          // struct vnrs_spk_own[]: prefixes this instance originates
    VNRS_SPK_PEER_CONFIG,  // struct vnrs_spk_peer_config[]
    VNRS_SPK_CONFIG_END,
    VNRS_SPK_PEER,      // struct vnrs_spk_peer[]: state of peers, at every change
    VNRS_SPK_ROUTES,    // struct vnrs_spk_route[]: usable best paths of a prefix, by set
    VNRS_SPK_SYNCED,    // end of the replay; struct vnrs_spk_synced
    VNRS_SPK_CONVERGED, // every peer is Established with End-of-RIB, or was given up on for now
    VNRS_SPK_QUERY,     // struct vnrs_spk_query
    VNRS_SPK_PATHS,     // struct vnrs_spk_path[]: answer, several messages
    VNRS_SPK_QUERY_END, // struct vnrs_spk_query_end
    VNRS_SPK_ACTION,    // struct vnrs_spk_action
    VNRS_SPK_SOCKET,    // speaker ⇄ agent; struct vnrs_spk_socket
    VNRS_SPK_MAP,       // struct vnrs_spk_map[]: route maps
    VNRS_SPK_MAP_RULE,  // struct vnrs_spk_map_rule[]: the rules of all maps, in their order
    VNRS_SPK_MAP_ITEM,  // struct vnrs_spk_map_item[]: what is in all rules, in their order
    VNRS_SPK_DETAIL,    // struct vnrs_spk_detail: answer to a query of that kind
    VNRS_SPK_SETS,      // struct vnrs_spk_set[]: what the ROUTES up to the next SETS refer to
    VNRS_SPK_DOWN, // struct vnrs_spk_down: the paths of these sources are gone; ROUTES say prefix by prefix what is
                   // left
    VNRS_SPK_BMP,  // struct vnrs_spk_bmp[]: stations, as a part of the configuration
    VNRS_SPK_DUMP, // struct vnrs_spk_dump
    VNRS_SPK_DUMP_DATA, // struct vnrs_spk_dump_data[]: a piece of the MRT file
    VNRS_SPK_DUMP_END,  // struct vnrs_spk_dump_end
    VNRS_SPK_NEXT,      // struct vnrs_spk_next[]: after DOWN; ROUTES say the same prefix by prefix
    _VNRS_SPK_MAX,
};

struct vnrs_spk_hdr {
    uint16_t proto;      // VNRS_SPEAKER_PROTO
    uint16_t type;       // enum vnrs_speaker_msg
    uint32_t count;      // structs that follow
    uint64_t generation; // of the controller's HELLO; 0 towards the agent
};

struct vnrs_spk_hello {
    uint64_t generation; // of the controller, never reused
    int32_t pid;
    uint32_t pad;
};

// What an instance does beyond a Route Server of Azure, whose OPEN has none of it (azure-routing.md 5.2).
enum {
    VNRS_SPK_EXTENDED_MESSAGES = 1 << 0, // RFC 8654
    VNRS_SPK_ENHANCED_REFRESH = 1 << 1,  // RFC 7313
    VNRS_SPK_GRACEFUL_RESTART = 1 << 2,  // RFC 4724 and 8538, both roles
    VNRS_SPK_ADD_PATH = 1 << 3,          // RFC 7911, receive and send
    VNRS_SPK_EXTENDED_NEXTHOP = 1 << 4,  // RFC 8950, IPv4 over an IPv6 next hop
};
enum {
    VNRS_SPK_RESTARTED = 1 << 0,       // there was a speaker of this instance before
    VNRS_SPK_FORWARDING_KEPT = 1 << 1, // and its routes are in force still
};

// What the instance is (bgp/roles.h): what it tells whom, and what it keeps to itself.
enum vnrs_spk_role {
    VNRS_SPK_ROLE_PLAIN,        // a BGP speaker like any other
    VNRS_SPK_ROLE_ROUTE_SERVER, // of Azure (azure-routing.md 5.4, 5.5)
    VNRS_SPK_ROLE_VPN_GATEWAY,  // 6.1
    VNRS_SPK_ROLE_ER_GATEWAY,   // ExpressRoute gateway, 6.2
    VNRS_SPK_ROLE_MSEE,         // Microsoft's edge router at the end of a circuit's link, 6.2
    _VNRS_SPK_ROLE_MAX
};

// What a peer is to the instance.
enum vnrs_spk_peer_kind {
    VNRS_SPK_PEER_OUTSIDE, // an NVA, or the router of a site
    VNRS_SPK_PEER_ROUTE_SERVER,
    VNRS_SPK_PEER_VPN_GATEWAY,
    VNRS_SPK_PEER_ER_GATEWAY,
    VNRS_SPK_PEER_MSEE,
    VNRS_SPK_PEER_TWIN, // the other instance of the same VPN gateway
    _VNRS_SPK_PEER_KIND_MAX
};

// Which class of routes wins where several have a prefix (hubRoutingPreference, azure-routing.md 5.8).
enum vnrs_spk_preference {
    VNRS_SPK_PREFER_EXPRESSROUTE,
    VNRS_SPK_PREFER_VPN, // and NVAs, alike
    VNRS_SPK_PREFER_AS_PATH,
    _VNRS_SPK_PREFER_MAX
};

struct vnrs_spk_config {
    uint32_t asn;
    uint32_t router_id;     // host order
    struct vnrs_addr local; // address of the instance: source of sessions, next hop of what it advertises
    uint8_t role;           // enum vnrs_spk_role
    uint8_t features;       // 0: Azure's OPEN, byte for byte
    uint8_t restart;        // looked at in the first configuration that a speaker gets
    uint32_t connect_retry_ms;
    uint16_t restart_s;       // graceful restart: how long peers shall keep routes, at most 4095; 0: 120
    uint8_t branch_to_branch; // Route Server: gateways and NVAs hear of each other
    uint8_t preference;       // Route Server: enum vnrs_spk_preference
};

// What a prefix is to the instance that originates it.
enum vnrs_spk_own_kind {
    VNRS_SPK_OWN_RANGE,  // of the virtual networks served: told to every peer (AS path = own ASN), and routes equal to
                         // it or inside it are not used (azure-routing.md 5.5)
    VNRS_SPK_OWN_CUSTOM, // a custom route of a gateway: told likewise, and that is all
    VNRS_SPK_OWN_STATIC, // of a local network gateway: told on like a site's route, with an empty AS path, and reported
                         // with the instance itself as next hop (6.1)
    _VNRS_SPK_OWN_MAX
};

struct vnrs_spk_own {
    struct vnrs_prefix prefix;
    uint8_t kind; // enum vnrs_spk_own_kind
    uint8_t pad;
};

struct vnrs_spk_bfd {              // RFC 5880, asynchronous mode
    uint32_t min_tx_us, min_rx_us; // wanted intervals
    uint8_t multiplier;            // 0: no BFD
    uint8_t multihop;              // RFC 5883, else RFC 5881
    uint8_t ttl_min;               // multihop: received packets must have it; 0: no check
    uint8_t strict; // draft-ietf-idr-bgp-bfd-strict-mode: no session before BFD is up, where the peer wants that, too
};

#define VNRS_SPK_WEIGHT_MAX 32000

struct vnrs_spk_peer_config {
    char name[VNRS_PEER_NAME_MAX];
    struct vnrs_addr addr;
    uint8_t passive;          // do not connect
    uint16_t hold, keepalive; // seconds, proposed
    uint16_t port;            // 0: 179
    uint32_t asn;
    uint32_t max_prefixes; // counted as Azure does (azure-routing.md 5.3); 0: no limit
    uint8_t ttl;           // outgoing IP TTL
    uint8_t shutdown;      // administratively down
    uint8_t ttl_min;       // RFC 5082: received packets must have it, ours leave with 255; 0: no check
    uint8_t delay_open;    // seconds to wait for the peer's OPEN before ours goes (RFC 4271 section 8.1.3); 0: none
    char md5[VNRS_MD5_KEY_MAX + 4]; // RFC 2385, never logged or told to anybody; empty: none
    uint16_t in_map, out_map;       // place of the route map among the MAPs, from 1; 0: none
    struct vnrs_spk_bfd bfd;
    struct vnrs_addr local; // in place of the configuration's, in this session; NONE: that one
    uint8_t kind;           // enum vnrs_spk_peer_kind
    uint16_t min_hold;      // seconds; a shorter hold time of the peer, but for 0, is refused
    uint16_t weight;        // of the circuit (routingWeight), where an ExpressRoute gateway has an edge router as peer
    uint8_t pad[2];
};

struct vnrs_spk_map {
    char name[VNRS_PEER_NAME_MAX];
    uint32_t n_rules; // of the MAP_RULEs, the next ones
};

struct vnrs_spk_map_rule {
    char name[VNRS_PEER_NAME_MAX];
    uint32_t n_items;  // of the MAP_ITEMs, the next ones
    uint8_t terminate; // when it matches: no later rule is looked at
    uint8_t pad[3];
};

// One value of a criterion or action. Those of one list follow each other.
struct vnrs_spk_map_item {
    uint8_t is_action;
    uint8_t what;     // enum vnrs_map_condition, or vnrs_map_action_type
    uint8_t property; // enum vnrs_map_property
    uint8_t empty;    // the list has no values: this only says that it is there
    uint16_t part;    // which criterion or action of the rule, ascending
    struct vnrs_prefix prefix;
    uint32_t number; // community or ASN
};

// FSM states, RFC 4271 section 8.2.2.
enum vnrs_bgp_state {
    VNRS_BGP_ST_IDLE,
    VNRS_BGP_ST_CONNECT,
    VNRS_BGP_ST_ACTIVE,
    VNRS_BGP_ST_OPEN_SENT,
    VNRS_BGP_ST_OPEN_CONFIRM,
    VNRS_BGP_ST_ESTABLISHED,
    _VNRS_BGP_ST_MAX
};

struct vnrs_spk_bfd_state {       // numbers as in vnrs/bfd.h
    uint8_t configured;           // 0: there is no BFD with this peer, and nothing else here means anything
    uint8_t state, remote_state;  // enum vnrs_bfd_state
    uint8_t diag, remote_diag;    // of the last change, ours and as received
    uint8_t failure;              // diagnostic of the last failure
    uint8_t remote_multiplier;    // as received
    uint8_t independent;          // C bit of the peer: its BFD does not share the fate of its BGP
    int32_t error;                // a negative errno: why there is no session, 0: there is one
    uint32_t failures;            // from Up to Down, but for the peer's AdminDown
    uint32_t tx_us, detection_us; // negotiated: between two packets of ours, until the peer is given up; 0: none
    uint32_t discarded;           // packets that came from the peer and were not acceptable
    uint32_t pad;
    uint64_t packets_in, packets_out;
    uint64_t changed_ms; // CLOCK_MONOTONIC of the last change of the state
};

struct vnrs_spk_peer {
    char name[VNRS_PEER_NAME_MAX];
    struct vnrs_addr addr;
    uint8_t state; // enum vnrs_bgp_state
    uint8_t eor;   // End-of-RIB was received, or the peer does not send one and has been quiet
    uint8_t stale; // its routes are those of before it restarted, as far as it did not send them again
    uint32_t asn;
    uint64_t established_ms; // CLOCK_MONOTONIC of the last change to or from Established
    uint32_t received;       // prefixes in Adj-RIB-In
    uint32_t advertised;     // prefixes in Adj-RIB-Out
    uint32_t messages_in, messages_out;
    uint16_t hold, keepalive; // negotiated, or proposed
    uint32_t flaps;
    uint32_t router_id;
    uint32_t remote_asn;                  // from its OPEN
    char last_error[VNRS_PEER_ERROR_MAX]; // one sentence in UTF-8, empty: none
    struct vnrs_spk_bfd_state bfd;
};

struct vnrs_spk_nexthop {
    struct vnrs_addr nexthop; // as received; NONE, the only one of its set: packets are dropped (RFC 7999)
    uint8_t pad[3];
    uint32_t path_len;
    uint64_t sources; // bit per peer that announces it, the same as in DOWN
};

struct vnrs_spk_set { // paths that are equally good
    uint32_t n;       // from 1
    uint32_t pad;
    struct vnrs_spk_nexthop paths[VNRS_PATHS_MAX];
};

struct vnrs_spk_route { // replaces what was said of the prefix before
    struct vnrs_prefix prefix;
    uint8_t pad[2];
    uint32_t set; // which of the last SETS, from 1; 0: no paths any more
};

struct vnrs_spk_down {
    uint64_t sources;
};

struct vnrs_spk_next {            // of `from` nothing is left, and every prefix that has it has `to` now
    struct vnrs_spk_set from, to; // `to` may be without paths: nothing comes
    uint8_t parts;                // the prefixes go different ways, of which `to` says nothing
    uint8_t more;                 // the peer was all of other sets, too, that are not among these
    uint8_t pad[6];
};

struct vnrs_spk_synced {
    uint64_t routes;
    uint32_t peers;
    uint32_t pad;
};

enum vnrs_spk_query_kind { VNRS_SPK_LEARNED = 1, VNRS_SPK_ADVERTISED, VNRS_SPK_RIB, VNRS_SPK_PEER_DETAIL };

struct vnrs_spk_query {
    uint32_t id;
    uint32_t kind;
    char peer[VNRS_PEER_NAME_MAX]; // LEARNED, ADVERTISED, PEER_DETAIL; empty: all (RIB)
    struct vnrs_prefix prefix;     // RIB: only this one, unless NONE
    uint8_t pad[2];
};

struct vnrs_spk_path { // a path of an Adj-RIB-In, of an Adj-RIB-Out, or of the RIB
    uint32_t query;
    struct vnrs_prefix prefix;
    struct vnrs_addr nexthop;
    uint8_t origin;  // enum vnrs_bgp_origin
    uint8_t best;    // RIB: 1 best, 2 equally good, 0 lost
    uint8_t lost_at; // RIB: decision step that eliminated it (bgp/decide.h); 255: not eligible
    uint16_t weight; // as Azure shows it
    uint32_t med;
    char peer[VNRS_PEER_NAME_MAX];
    char as_path[VNRS_AS_PATH_STR_MAX]; // "65515-65001"
    char note[VNRS_NOTE_MAX];           // why it is not used, what a route map did to it; empty otherwise
};

// Capabilities as bits: announced in an OPEN of ours, in the peer's, and what came of both.
enum vnrs_spk_cap {
    VNRS_SPK_CAP_AS4,
    VNRS_SPK_CAP_REFRESH,
    VNRS_SPK_CAP_ENHANCED_REFRESH,
    VNRS_SPK_CAP_EXTENDED_MESSAGES,
    VNRS_SPK_CAP_GRACEFUL_RESTART,
    VNRS_SPK_CAP_GR_NOTIFICATION,
    VNRS_SPK_CAP_GR_RESTARTED, // not a capability of its own: the R bit
    VNRS_SPK_CAP_EXTENDED_NEXTHOP,
    VNRS_SPK_CAP_FAMILY,                                       // + family: 0 IPv4 unicast, 1 IPv6 unicast
    VNRS_SPK_CAP_GR_FAMILY = VNRS_SPK_CAP_FAMILY + 2,          // graceful restart has the family
    VNRS_SPK_CAP_GR_FORWARDING = VNRS_SPK_CAP_GR_FAMILY + 2,   // with the F bit
    VNRS_SPK_CAP_ADD_PATH_RX = VNRS_SPK_CAP_GR_FORWARDING + 2, // of the one whose OPEN it is; in use: we receive
    VNRS_SPK_CAP_ADD_PATH_TX = VNRS_SPK_CAP_ADD_PATH_RX + 2,
    VNRS_SPK_CAP_BFD_STRICT = VNRS_SPK_CAP_ADD_PATH_TX + 2,
    _VNRS_SPK_CAP_MAX
};

#define VNRS_SPK_FAMILIES      2
#define VNRS_SPK_MESSAGE_TYPES 5 // OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH
#define VNRS_SPK_ERROR_BYTES   4080

enum vnrs_spk_side { VNRS_SPK_NOBODY, VNRS_SPK_US, VNRS_SPK_PEER_SIDE };

// What there is to know of a peer beyond struct vnrs_spk_peer. Times are CLOCK_MONOTONIC in ms, 0: never.
struct vnrs_spk_detail {
    uint32_t query;
    uint32_t announced, received, in_use; // 1 << enum vnrs_spk_cap; the last two are 0 without a session
    uint32_t messages_in[VNRS_SPK_MESSAGE_TYPES], messages_out[VNRS_SPK_MESSAGE_TYPES];
    uint32_t paths[VNRS_SPK_FAMILIES];      // in Adj-RIB-In
    uint32_t accepted[VNRS_SPK_FAMILIES];   // of them those that may be used
    uint32_t advertised[VNRS_SPK_FAMILIES]; // prefixes in Adj-RIB-Out
    uint32_t queued;                        // prefixes that wait to be told
    uint32_t hold_left_ms;                  // of the hold timer
    uint16_t local_port, remote_port;       // 0: no connection
    uint16_t hold_remote;                   // in the peer's OPEN
    uint16_t gr_time_local, gr_time_remote; // seconds
    uint8_t opened_by;                      // enum vnrs_spk_side: the session's connection
    uint8_t error_by;                       // the NOTIFICATION below; NOBODY: none yet
    uint8_t error_code, error_subcode;
    uint16_t error_len;
    uint8_t error_data[VNRS_SPK_ERROR_BYTES]; // as on the wire
    uint64_t error_ms, reset_ms;
    char error_text[VNRS_PEER_ERROR_MAX]; // both in UTF-8
    char reset_text[VNRS_PEER_ERROR_MAX]; // why the last session ended
};

struct vnrs_spk_query_end {
    uint32_t query;
    int32_t error; // 0 or a negative errno (ENOENT: no such peer)
};

enum vnrs_spk_action_kind { VNRS_SPK_CLEAR = 1, VNRS_SPK_REFRESH };

struct vnrs_spk_action {
    uint32_t kind;
    char peer[VNRS_PEER_NAME_MAX];
    char text[VNRS_SHUTDOWN_MAX]; // CLEAR: what the peer is told (RFC 9003), in UTF-8; empty: a default
};

#define VNRS_BMP_STATIONS_MAX 4

enum {                                 // RIBs that a station is told about
    VNRS_SPK_BMP_PRE_POLICY = 1 << 0,  // Adj-RIB-In, RFC 7854
    VNRS_SPK_BMP_POST_POLICY = 1 << 1, // of it what may be used
    VNRS_SPK_BMP_LOC_RIB = 1 << 2,     // RFC 9069
    VNRS_SPK_BMP_ADJ_RIB_OUT = 1 << 3, // RFC 8671, post-policy
};

struct vnrs_spk_bmp {
    char name[VNRS_PEER_NAME_MAX]; // of this speaker, as the station shall know it
    struct vnrs_addr station;
    uint8_t ribs;          // VNRS_SPK_BMP_*
    uint16_t port;         // 0: 11019
    uint16_t statistics_s; // seconds between two Statistics Reports; 0: none
    uint8_t pad[2];
};

enum vnrs_spk_dump_kind {
    VNRS_SPK_DUMP_TABLE = 1, // all that the RIB holds, then DUMP_END
    VNRS_SPK_DUMP_UPDATES,   // messages received and changes of state from now on, until STOP
    VNRS_SPK_DUMP_MORE,      // more credit
    VNRS_SPK_DUMP_STOP,
};

struct vnrs_spk_dump {
    uint32_t id; // chosen by the controller
    uint32_t kind;
    uint32_t credit; // octets that may be sent besides those allowed before; not with STOP
    uint32_t pad;
    char view[VNRS_PEER_NAME_MAX]; // TABLE: name of the RIB in the file
};

#define VNRS_DUMP_PIECE 1016

struct vnrs_spk_dump_data {
    uint32_t id;
    uint16_t len;
    uint8_t pad[2];
    uint8_t bytes[VNRS_DUMP_PIECE];
};

struct vnrs_spk_dump_end {
    uint32_t id;
    int32_t error; // 0 or a negative errno (ENOBUFS: the reader of updates did not keep up)
};

enum vnrs_spk_socket_kind { VNRS_SPK_SOCKET_TCP, VNRS_SPK_SOCKET_UDP, _VNRS_SPK_SOCKET_MAX };

struct vnrs_spk_socket {
    uint32_t id;     // chosen by the speaker, repeated in the answer
    uint32_t family; // VNRS_AF_IPV4 or VNRS_AF_IPV6
    uint32_t kind;   // enum vnrs_spk_socket_kind
    int32_t error;   // answer: 0 with a descriptor attached, or a negative errno
};

static_assert(sizeof(struct vnrs_spk_hdr) == 16, "wire layout");
static_assert(_VNRS_SPK_CAP_MAX <= 32, "they fit the words of vnrs_spk_detail");
static_assert(offsetof(struct vnrs_spk_detail, error_ms) == 4184 && sizeof(struct vnrs_spk_detail) == 4840,
              "wire layout");
static_assert(sizeof(struct vnrs_spk_bfd) == 12, "wire layout");
static_assert(sizeof(struct vnrs_spk_bfd_state) == 56, "wire layout");
static_assert(sizeof(struct vnrs_spk_map) == 68, "wire layout");
static_assert(sizeof(struct vnrs_spk_map_rule) == 72, "wire layout");
static_assert(sizeof(struct vnrs_spk_map_item) == 28, "wire layout");
static_assert(sizeof(struct vnrs_spk_nexthop) == 32, "wire layout");
static_assert(sizeof(struct vnrs_spk_set) == 8 + 32 * VNRS_PATHS_MAX, "wire layout");
static_assert(sizeof(struct vnrs_spk_next) == 2 * sizeof(struct vnrs_spk_set) + 8, "wire layout");
static_assert(sizeof(struct vnrs_spk_route) == 24, "wire layout");
