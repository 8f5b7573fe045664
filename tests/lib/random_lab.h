// SPDX-License-Identifier: GPL-2.0-or-later
// Random topologies: files that `vnrs validate` accepts, and what the Route Server and the gateways of the first
// virtual network learn. Virtual networks v0 (the hub), v1, …, peered or not with all combinations of flags; one that
// nobody is peered with has the hub's ranges again. Load balancers before appliances, gateways and circuits, services
// and service tags, NICs with several addresses and all sizes of packets, IPv6 beside IPv4. Lengths of prefixes, next
// hops and flags are drawn so that rules meet.
#pragma once

#include "net/addr.h"
#include "rng.h"

#include "routing/routing.h"

#define RANDOM_LAB_LEARNED_MAX 20
#define RANDOM_LAB_HOPS_MAX    4

// Who speaks to the controller, by the keys of their instances.
enum random_speaker { RANDOM_RS, RANDOM_VPN0, RANDOM_VPN1, RANDOM_ER, _RANDOM_SPEAKER_MAX };
extern const char *const random_speaker_keys[_RANDOM_SPEAKER_MAX];
enum vnrs_learned_class random_speaker_class(enum random_speaker speaker);

struct random_said { // by one speaker about a prefix
    unsigned n;      // 0: nothing
    unsigned path_len;
    // Of the prefix's family or not, in order, no duplicates; or one without an address: packets are dropped.
    struct vnrs_addr hops[RANDOM_LAB_HOPS_MAX];
};

struct random_learned {
    struct vnrs_prefix prefix; // no duplicates
    struct random_said by[_RANDOM_SPEAKER_MAX];
};

struct random_lab {
    char *yaml;                       // free()
    bool speaks[_RANDOM_SPEAKER_MAX]; // is there
    enum vnrs_hub_preference preference;
    struct vnrs_addr vpn[2]; // of the instances of the VPN gateway: what NICs get as next hops
    size_t n_learned;
    struct random_learned learned[RANDOM_LAB_LEARNED_MAX];
    size_t n_out;
    struct vnrs_addr out[16]; // machines with these answer no health probe
};

// At least one speaker says something about every prefix that is learned.
void random_lab_make(struct rng *rng, struct random_lab *ret_lab);
