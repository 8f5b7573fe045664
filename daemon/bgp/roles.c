// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/roles.h"

#include "util/macros.h"

#define FROM(kind)   (1u << VNRS_SPK_PEER_##kind)
#define FROM_LOCAL   (1u << VNRS_BGP_FROM_LOCAL)
#define FROM_STATIC  (1u << VNRS_BGP_FROM_STATIC)
#define FROM_ANYBODY (~0u)

enum {
    KEEP_NEXTHOP = 1 << 0,
    KEEP_INSIDE = 1 << 1, // the next hop, inside the AS
    NO_DEFAULT = 1 << 2,  // not 0.0.0.0/0 or ::/0
    PUBLIC_ONLY = 1 << 3, // without private ASNs
    MARK_NVA = 1 << 4,    // paths of NVAs
};

static const struct {
    unsigned always, // sources that the peer hears of
        b2b;         // and where branch-to-branch traffic is allowed
    unsigned flags;
} rows[_VNRS_SPK_ROLE_MAX][_VNRS_SPK_PEER_KIND_MAX] = {
    [VNRS_SPK_ROLE_PLAIN] = {[VNRS_SPK_PEER_OUTSIDE] = {.always = FROM_ANYBODY, .flags = KEEP_INSIDE}},
    // Gateways know the ranges of the virtual networks themselves, and two circuits, or two tunnels, are not joined by
    // a Route Server (5.6).
    [VNRS_SPK_ROLE_ROUTE_SERVER] =
        {
            [VNRS_SPK_PEER_OUTSIDE] = {.always = FROM_LOCAL | FROM(OUTSIDE),
                                       .b2b = FROM(VPN_GATEWAY) | FROM(ER_GATEWAY),
                                       .flags = MARK_NVA},
            [VNRS_SPK_PEER_VPN_GATEWAY] = {.b2b = FROM(OUTSIDE) | FROM(ER_GATEWAY), .flags = KEEP_NEXTHOP | MARK_NVA},
            [VNRS_SPK_PEER_ER_GATEWAY] = {.b2b = FROM(OUTSIDE) | FROM(VPN_GATEWAY), .flags = KEEP_NEXTHOP | MARK_NVA},
        },
    [VNRS_SPK_ROLE_VPN_GATEWAY] =
        {
            [VNRS_SPK_PEER_OUTSIDE] = {.always =
                                           FROM_LOCAL | FROM_STATIC | FROM(OUTSIDE) | FROM(ROUTE_SERVER) | FROM(TWIN),
                                       .flags = NO_DEFAULT},
            [VNRS_SPK_PEER_ROUTE_SERVER] = {.always = FROM_STATIC | FROM(OUTSIDE)},
            [VNRS_SPK_PEER_TWIN] = {.always = FROM(OUTSIDE)}, // it has the same static routes
        },
    // Next hops of what a circuit brings are the edge routers: a gateway of ExpressRoute carries no packets here.
    [VNRS_SPK_ROLE_ER_GATEWAY] =
        {
            [VNRS_SPK_PEER_MSEE] = {.always = FROM_LOCAL | FROM(ROUTE_SERVER)},
            [VNRS_SPK_PEER_ROUTE_SERVER] = {.always = FROM(MSEE), .flags = KEEP_NEXTHOP},
        },
    [VNRS_SPK_ROLE_MSEE] =
        {
            [VNRS_SPK_PEER_OUTSIDE] = {.always = FROM(ER_GATEWAY), .flags = PUBLIC_ONLY},
            [VNRS_SPK_PEER_ER_GATEWAY] = {.always = FROM(OUTSIDE)},
        },
};

static struct vnrs_bgp_telling telling(const struct vnrs_spk_config *conf, unsigned from, unsigned kind, bool ibgp)
{
    __typeof__(&rows[0][0]) row = &rows[conf->role][kind];
    unsigned sources = row->always | (conf->branch_to_branch ? row->b2b : 0);

    return (struct vnrs_bgp_telling){
        .allowed = sources >> from & 1u,
        .no_default = row->flags & NO_DEFAULT,
        .keep_nexthop = row->flags & (KEEP_NEXTHOP | (ibgp ? KEEP_INSIDE : 0)),
        .reflect = conf->role == VNRS_SPK_ROLE_ROUTE_SERVER,
        .mark = row->flags & MARK_NVA && from == VNRS_SPK_PEER_OUTSIDE,
        .public_only = row->flags & PUBLIC_ONLY,
    };
}

void vnrs_bgp_role_tells(const struct vnrs_spk_config *conf, struct vnrs_bgp_tellings *ret_tellings)
{
    for (unsigned kind = 0; kind < _VNRS_SPK_PEER_KIND_MAX; kind++)
        for (unsigned from = 0; from < _VNRS_BGP_FROM_MAX; from++)
            for (unsigned ibgp = 0; ibgp < 2; ibgp++)
                ret_tellings->by[kind][from][ibgp] = telling(conf, from, kind, ibgp);
}

bool vnrs_bgp_role_protects_locals(enum vnrs_spk_role role)
{
    return role == VNRS_SPK_ROLE_ROUTE_SERVER || role == VNRS_SPK_ROLE_VPN_GATEWAY || role == VNRS_SPK_ROLE_ER_GATEWAY;
}

bool vnrs_bgp_role_reports(unsigned from)
{
    return from == VNRS_SPK_PEER_OUTSIDE || from == VNRS_SPK_PEER_MSEE || from == VNRS_BGP_FROM_STATIC;
}

uint16_t vnrs_bgp_role_rank(const struct vnrs_spk_config *conf, unsigned from, unsigned weight)
{
    bool is_er = from == VNRS_SPK_PEER_ER_GATEWAY;

    if (conf->role == VNRS_SPK_ROLE_PLAIN)
        return 0;
    if (conf->role == VNRS_SPK_ROLE_ER_GATEWAY && from == VNRS_SPK_PEER_MSEE)
        return (uint16_t)(VNRS_SPK_WEIGHT_MAX - MIN(weight, VNRS_SPK_WEIGHT_MAX));
    if (conf->role != VNRS_SPK_ROLE_ROUTE_SERVER)
        return vnrs_bgp_role_reports(from) || from == VNRS_BGP_FROM_LOCAL ? 0 : VNRS_SPK_WEIGHT_MAX + 1;
    if (conf->preference == VNRS_SPK_PREFER_AS_PATH)
        return 0;
    return conf->preference == VNRS_SPK_PREFER_EXPRESSROUTE ? !is_er : is_er;
}

bool vnrs_bgp_asn_is_private(uint32_t asn)
{
    return (asn >= 64512 && asn <= 65534) || (asn >= 4200000000u && asn <= 4294967294u);
}
