// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bfd_filter.h"

#include "bgp/bfd_packet.h"

#include <string.h>

// The program sees the datagram from its UDP header on, and the IP header at SKF_NET_OFF.
#define UDP_BYTES   8u
#define NET(offset) ((uint32_t)(SKF_NET_OFF + (offset)))

struct program {
    struct sock_filter *at;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    *p->at++ = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

// The accumulator is compared; a datagram that is not so goes no further.
static void demand(struct program *p, uint16_t compare, uint32_t k)
{
    add(p, (uint16_t)(BPF_JMP | BPF_K | compare), k, 1, 0);
    add(p, BPF_RET | BPF_K, 0, 0, 0);
}

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void accept_source(struct program *p, const struct vnrs_addr *peer)
{
    bool v6 = peer->family == VNRS_AF_IPV6;
    unsigned words = v6 ? 4 : 1, offset = v6 ? 8 : 12;

    for (unsigned i = 0; i < words; i++) {
        add(p, BPF_LD | BPF_W | BPF_ABS, NET((int)(offset + 4 * i)), 0, 0);
        add(p, BPF_JMP | BPF_JEQ | BPF_K, word(peer->bytes + 4 * (size_t)i), 0, (uint8_t)(2 * (words - i) - 1));
    }
    add(p, BPF_RET | BPF_K, UINT32_MAX, 0, 0);
}

size_t vnrs_bfd_filter_build(const struct vnrs_addr *peers, size_t n, bool single_hop, struct sock_filter *ret)
{
    struct program p = {ret};
    bool v6 = n && peers[0].family == VNRS_AF_IPV6;

    add(&p, BPF_LD | BPF_W | BPF_LEN, 0, 0, 0);
    demand(&p, BPF_JGE, UDP_BYTES + VNRS_BFD_PACKET_BYTES);
    add(&p, BPF_LD | BPF_B | BPF_ABS, UDP_BYTES, 0, 0);
    add(&p, BPF_ALU | BPF_RSH | BPF_K, 5, 0, 0);
    demand(&p, BPF_JEQ, VNRS_BFD_VERSION);
    if (single_hop) {
        add(&p, BPF_LD | BPF_B | BPF_ABS, NET(v6 ? 7 : 8), 0, 0);
        demand(&p, BPF_JEQ, VNRS_BFD_TTL);
    }
    for (size_t i = 0; i < n; i++)
        accept_source(&p, &peers[i]);
    add(&p, BPF_RET | BPF_K, 0, 0, 0);
    return (size_t)(p.at - ret);
}
