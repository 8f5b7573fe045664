// SPDX-License-Identifier: GPL-2.0-or-later
#include "diff_kernel.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#define ETH 14u

static const uint8_t fabric_mac[6] = VNRS_FABRIC_MAC;

static const uint8_t *ip_of(const struct random_frame *f)
{
    return f->bytes + ETH;
}

static unsigned ethertype(const struct random_frame *f)
{
    return (unsigned)f->bytes[12] << 8 | f->bytes[13];
}

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static bool is_v4(const struct pm_result *r)
{
    return r->packet.family == VNRS_AF_IPV4;
}

static bool is_v6(const struct pm_result *r)
{
    return r->packet.family == VNRS_AF_IPV6;
}

// Whether the headers of IP are whole, so that the other rules may look at them.
static bool is_sound(const struct random_frame *f, const struct pm_result *r)
{
    return r->packet.family && r->packet.len + ETH <= f->len && r->packet.l4 <= r->packet.len;
}

static bool forwards(const struct pm_result *r)
{
    bool any = false;

    for (unsigned i = 0; i < r->n; i++)
        any |= r->outcomes[i].verdict == VNRS_BPF_VERDICT_FORWARD;
    return any;
}

// ---- rules

static bool other_mac(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    (void)r;
    return !(f->bytes[0] & 1) && memcmp(f->bytes, fabric_mac, 6) != 0;
}

static bool bad_checksum(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    return is_v4(r) && is_sound(f, r) && sum_of(ip_of(f), r->packet.l4) != 0xffff;
}

static bool old_age(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    return forwards(r) && ip_of(f)[is_v4(r) ? 8 : 7] <= 1;
}

static bool options(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    bool any = false;

    for (size_t i = 20; is_v4(r) && is_sound(f, r) && i < r->packet.l4; i++)
        any |= ip_of(f)[i] > 1; // neither end nor no operation
    return any;
}

static bool hop_by_hop(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    return is_v6(r) && (ip_of(f)[6] == IPPROTO_HOPOPTS || r->packet.protocol == IPPROTO_HOPOPTS);
}

// Where the model stopped: headers behind a fragment header or an authentication header, or more than eight of them.
static bool odd_chain(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    (void)f;
    return is_v6(r) && (r->packet.protocol == IPPROTO_AH || r->packet.protocol == IPPROTO_ROUTING ||
                        r->packet.protocol == IPPROTO_FRAGMENT || r->packet.protocol == IPPROTO_DSTOPTS);
}

static bool odd_destination(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, loopback[16] = {[15] = 1}, none[16];
    const uint8_t *dst = r->packet.dst.bytes;

    (void)f;
    if (is_v4(r))
        return dst[0] == 0 || dst[0] == 127;
    return is_v6(r) && (!memcmp(dst, loopback, 16) || !memcmp(dst, none, 16) || !memcmp(dst, mapped, 12));
}

static bool too_big(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    (void)f;
    return r->n == 1 && r->outcomes[0].reason == VNRS_DROP_TOO_BIG;
}

static bool to_be_fragmented(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    bool any = false;

    (void)f;
    for (unsigned i = 0; i < r->n; i++)
        any |= r->outcomes[i].to && r->packet.len > r->outcomes[i].to->mtu;
    return any;
}

// A machine that tells, or asks for, an address that it does not have.
static bool foreign_announcement(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    bool own = false;

    (void)w;
    for (size_t i = 0; f->len >= 42 && i < f->from->n_addrs; i++)
        own |= f->from->addrs[i].family == VNRS_AF_IPV4 && memcmp(f->from->addrs[i].bytes, f->bytes + 38, 4) == 0;
    return ethertype(f) == 0x0806 && r->outcomes[0].verdict == VNRS_BPF_VERDICT_IGNORE && !own;
}

static bool foreign_mac(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    (void)r;
    return ethertype(f) == 0x0806 && f->len >= 42 && memcmp(f->bytes + 6, f->bytes + 22, 6) != 0;
}

static bool arp(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    (void)r;
    return ethertype(f) == 0x0806;
}

static bool discovery(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    (void)w;
    return is_v6(r) && is_sound(f, r) && r->packet.protocol == IPPROTO_ICMPV6 && r->packet.l4 < r->packet.len &&
           !r->packet.later_fragment && ip_of(f)[r->packet.l4] >= 133 && ip_of(f)[r->packet.l4] <= 137;
}

static bool solicitation(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    return discovery(w, f, r) && !r->packet.fragment && ip_of(f)[r->packet.l4] == 135;
}

static bool gateway(const struct pm_world *w, const struct random_frame *f, const struct pm_result *r)
{
    bool any = false;

    vec_foreach (port, &w->ports) {
        const struct vnrs_addr addr = pm_gateway(port, VNRS_AF_IPV4);
        any |= is_v4(r) && port->domain == f->from->domain && vnrs_addr_equal(&addr, &r->packet.dst);
    }
    return any;
}

static const struct diff_rule rules[] = {
    {"frame to another MAC", "a host takes only what is for it; no guest of a lab sends such", DIFF_DROPPED, other_mac},
    {"ARP announcement of an address of others", "answered: nftables cannot compare what it asks for with who asks",
     DIFF_OWN, foreign_announcement},
    {"ARP that names another MAC than the frame's", "answered to the one that it names", DIFF_OWN, foreign_mac},
    {"ARP", "the kernel asks its routes: no answer where they lead nowhere", DIFF_ANSWER, arp},
    {"neighbour solicitation", "the kernel answers for gateways and neighbours of the subnet, from its own code",
     DIFF_OWN, solicitation},
    {"neighbour discovery", "the kernel takes what is about neighbours that it answers for", DIFF_LOOSE, discovery},
    {"gateway address", "the table leads it nowhere, so that ARP is answered for it", DIFF_LOOSE, gateway},
    {"IPv4 header checksum", "every router looks at it; a lost packet is what the sender deserves", DIFF_DROPPED,
     bad_checksum},
    {"TTL", "the kernel decrements it", DIFF_DROPPED, old_age},
    {"IPv4 options", "the kernel acts on them: refuses source routes, records routes and times", DIFF_LOOSE, options},
    {"hop-by-hop options", "the kernel reads them", DIFF_LOOSE, hop_by_hop},
    {"headers behind fragment and authentication headers, or very many",
     "the kernel walks on, and drops what it cannot follow", DIFF_LOOSE, odd_chain},
    {"destinations that no router forwards to", "loopback, this network, unspecified", DIFF_LOOSE, odd_destination},
    {"too big", "no ICMP errors: the fabric has no address", DIFF_DROPPED, too_big},
    {"too big, may be fragmented", "the kernel fragments", DIFF_LOOSE, to_be_fragmented},
};

const struct diff_rule *diff_kernel_rule(const struct pm_world *world, const struct random_frame *frame,
                                         const struct pm_result *result)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].applies(world, frame, result))
            return &rules[i];
    }
    return NULL;
}

unsigned diff_kernel_rules(void)
{
    static_assert(ARRAY_SIZE(rules) <= DIFF_RULES_MAX, "room to count each");
    return ARRAY_SIZE(rules);
}

unsigned diff_kernel_number(const struct diff_rule *rule)
{
    return (unsigned)(rule - rules);
}

size_t diff_kernel_forwarded(const struct random_frame *frame, const struct pm_result *result,
                             const struct pm_outcome *outcome, uint8_t ret_bytes[static RANDOM_FRAME_MAX])
{
    size_t len = ETH + result->packet.len;
    uint8_t *ip = ret_bytes + ETH;

    memcpy(ret_bytes, frame->bytes, len);
    memcpy(ret_bytes, outcome->to->mac.bytes, 6);
    memcpy(ret_bytes + 6, fabric_mac, 6);
    ip[is_v4(result) ? 8 : 7]--;
    if (is_v4(result)) {
        ip[10] = ip[11] = 0;
        uint32_t sum = ~sum_of(ip, result->packet.l4) & 0xffff;
        ip[10] = (uint8_t)(sum >> 8);
        ip[11] = (uint8_t)sum;
    }
    return len;
}
