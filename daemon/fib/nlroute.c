// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/nlroute.h"

#include "vnrs/rtprot.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#define HOP_BYTES_MAX 40 // rtnexthop, RTA_VIA of an IPv6 address

static_assert(sizeof(struct nlmsghdr) + sizeof(struct rtmsg) + 64 + VNRS_NLHOPS_MAX * HOP_BYTES_MAX <= VNRS_NL_MSG_MAX,
              "the longest route fits");
static_assert(IFNAMSIZ == 16, "struct vnrs_nlrule");

static uint8_t af_of(uint8_t family)
{
    return family == VNRS_AF_IPV4 ? AF_INET : family == VNRS_AF_IPV6 ? AF_INET6 : AF_UNSPEC;
}

static uint8_t family_of(uint8_t af)
{
    return af == AF_INET ? VNRS_AF_IPV4 : af == AF_INET6 ? VNRS_AF_IPV6 : VNRS_AF_NONE;
}

static uint16_t addr_len(uint8_t family)
{
    return (uint16_t)(vnrs_af_bits(family) / 8);
}

static struct nlmsghdr *start(struct vnrs_nlmsg *msg, uint16_t type, uint16_t flags)
{
    // libmnl leaves the padding behind short attributes as it was.
    memset(msg, 0, sizeof(*msg));
    struct nlmsghdr *head = mnl_nlmsg_put_header(msg->bytes);
    head->nlmsg_type = type;
    head->nlmsg_flags = NLM_F_REQUEST | flags;
    return head;
}

static uint16_t verb_flags(enum vnrs_nl_verb verb)
{
    switch (verb) {
    case VNRS_NL_CREATE:
        return NLM_F_CREATE | NLM_F_EXCL;
    case VNRS_NL_PUT:
        return NLM_F_CREATE | NLM_F_REPLACE;
    case VNRS_NL_DELETE:
        break;
    }
    return 0;
}

// A gateway of the other family goes into RTA_VIA (IPv4 over IPv6 next hops).
static void put_gateway(struct nlmsghdr *head, uint8_t family, const struct vnrs_addr *via)
{
    if (via->family == VNRS_AF_NONE)
        return;
    if (via->family == family) {
        mnl_attr_put(head, RTA_GATEWAY, addr_len(family), via->bytes);
        return;
    }
    struct {
        uint16_t family;
        uint8_t bytes[16];
    } other = {.family = af_of(via->family)};
    memcpy(other.bytes, via->bytes, addr_len(via->family));
    mnl_attr_put(head, RTA_VIA, (uint16_t)(sizeof(other.family) + addr_len(via->family)), &other);
}

static void put_multipath(struct nlmsghdr *head, const struct vnrs_nlroute *route)
{
    struct nlattr *nest = mnl_attr_nest_start(head, RTA_MULTIPATH);

    for (uint32_t i = 0; i < route->n_hops; i++) {
        const struct vnrs_nlhop *hop = &route->hops[i];
        struct rtnexthop *leg = mnl_nlmsg_put_extra_header(head, sizeof(*leg));
        leg->rtnh_ifindex = (int)hop->ifindex;
        leg->rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0;
        put_gateway(head, route->prefix.family, &hop->via);
        leg->rtnh_len = (uint16_t)((char *)mnl_nlmsg_get_payload_tail(head) - (char *)leg);
    }
    mnl_attr_nest_end(head, nest);
}

static void put_target(struct nlmsghdr *head, struct rtmsg *rtm, const struct vnrs_nlroute *route)
{
    if (route->nhid) {
        mnl_attr_put_u32(head, RTA_NH_ID, route->nhid);
    } else if (route->n_hops == 1) {
        rtm->rtm_flags = route->hops[0].onlink ? RTNH_F_ONLINK : 0;
        if (route->hops[0].via.family == VNRS_AF_NONE && route->prefix.family == VNRS_AF_IPV4)
            rtm->rtm_scope = RT_SCOPE_LINK;
        put_gateway(head, route->prefix.family, &route->hops[0].via);
        mnl_attr_put_u32(head, RTA_OIF, route->hops[0].ifindex);
    } else if (route->n_hops) {
        put_multipath(head, route);
    }
}

bool vnrs_nlroute_encode(const struct vnrs_nlroute *route, enum vnrs_nl_verb verb, struct vnrs_nlmsg *ret_msg)
{
    bool del = verb == VNRS_NL_DELETE;
    struct nlmsghdr *head = start(ret_msg, del ? RTM_DELROUTE : RTM_NEWROUTE, verb_flags(verb));
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(head, sizeof(*rtm));

    if (route->n_hops > VNRS_NLHOPS_MAX)
        return false;
    rtm->rtm_family = af_of(route->prefix.family);
    rtm->rtm_dst_len = route->prefix.len;
    rtm->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
    rtm->rtm_protocol = route->protocol;
    rtm->rtm_scope = del ? RT_SCOPE_NOWHERE : RT_SCOPE_UNIVERSE;
    rtm->rtm_type = del ? RTN_UNSPEC : route->type;
    if (route->prefix.len)
        mnl_attr_put(head, RTA_DST, addr_len(route->prefix.family), route->prefix.bytes);
    mnl_attr_put_u32(head, RTA_TABLE, route->table);
    if (route->metric)
        mnl_attr_put_u32(head, RTA_PRIORITY, route->metric);
    if (!del && route->type == RTN_UNICAST)
        put_target(head, rtm, route);
    return true;
}

bool vnrs_nlnexthop_encode(const struct vnrs_nlnexthop *nexthop, enum vnrs_nl_verb verb, struct vnrs_nlmsg *ret_msg)
{
    bool del = verb == VNRS_NL_DELETE;
    struct nlmsghdr *head = start(ret_msg, del ? RTM_DELNEXTHOP : RTM_NEWNEXTHOP, verb_flags(verb));
    struct nhmsg *nhm = mnl_nlmsg_put_extra_header(head, sizeof(*nhm));

    if (nexthop->n_members > VNRS_NLHOPS_MAX)
        return false;
    mnl_attr_put_u32(head, NHA_ID, nexthop->id);
    if (del)
        return true;
    nhm->nh_family = af_of(nexthop->family);
    nhm->nh_protocol = nexthop->protocol;
    if (nexthop->n_members) {
        struct nexthop_grp members[VNRS_NLHOPS_MAX] = {0};
        for (uint32_t i = 0; i < nexthop->n_members; i++)
            members[i].id = nexthop->members[i];
        mnl_attr_put(head, NHA_GROUP, (uint16_t)(sizeof(members[0]) * nexthop->n_members), members);
        if (nexthop->resilient) {
            mnl_attr_put_u16(head, NHA_GROUP_TYPE, NEXTHOP_GRP_TYPE_RES);
            struct nlattr *nest = mnl_attr_nest_start(head, NHA_RES_GROUP);
            mnl_attr_put_u16(head, NHA_RES_GROUP_BUCKETS, VNRS_NL_BUCKETS);
            mnl_attr_put_u32(head, NHA_RES_GROUP_IDLE_TIMER, 0); // a new member takes its share at once
            mnl_attr_nest_end(head, nest);
        }
    } else if (nexthop->blackhole) {
        mnl_attr_put(head, NHA_BLACKHOLE, 0, NULL);
    } else {
        nhm->nh_flags = nexthop->hop.onlink ? RTNH_F_ONLINK : 0;
        mnl_attr_put_u32(head, NHA_OIF, nexthop->hop.ifindex);
        if (nexthop->hop.via.family)
            mnl_attr_put(head, NHA_GATEWAY, addr_len(nexthop->hop.via.family), nexthop->hop.via.bytes);
    }
    return true;
}

void vnrs_nlneigh_encode(const struct vnrs_nlneigh *neigh, enum vnrs_nl_verb verb, struct vnrs_nlmsg *ret_msg)
{
    bool del = verb == VNRS_NL_DELETE;
    struct nlmsghdr *head = start(ret_msg, del ? RTM_DELNEIGH : RTM_NEWNEIGH, verb_flags(verb));
    struct ndmsg *ndm = mnl_nlmsg_put_extra_header(head, sizeof(*ndm));

    ndm->ndm_family = af_of(neigh->addr.family);
    ndm->ndm_ifindex = (int)neigh->ifindex;
    ndm->ndm_flags = neigh->proxy ? NTF_PROXY : 0;
    if (!del)
        ndm->ndm_state = NUD_PERMANENT;
    mnl_attr_put(head, NDA_DST, addr_len(neigh->addr.family), neigh->addr.bytes);
    if (!del)
        mnl_attr_put_u8(head, NDA_PROTOCOL, VNRS_RTPROT);
    if (!del && !neigh->proxy)
        mnl_attr_put(head, NDA_LLADDR, sizeof(neigh->mac.bytes), neigh->mac.bytes);
}

void vnrs_nlrule_encode(const struct vnrs_nlrule *rule, enum vnrs_nl_verb verb, struct vnrs_nlmsg *ret_msg)
{
    bool del = verb == VNRS_NL_DELETE;
    struct nlmsghdr *head = start(ret_msg, del ? RTM_DELRULE : RTM_NEWRULE, verb_flags(verb));
    struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(head, sizeof(*frh));

    frh->family = af_of(rule->family);
    frh->action = FR_ACT_TO_TBL;
    frh->table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_UNSPEC;
    mnl_attr_put_u32(head, FRA_PRIORITY, rule->priority);
    mnl_attr_put_u32(head, FRA_TABLE, rule->table);
    mnl_attr_put_strz(head, FRA_IIFNAME, rule->iif);
    mnl_attr_put_u8(head, FRA_PROTOCOL, rule->protocol);
}

void vnrs_nlroute_encode_dump(uint8_t family, uint8_t protocol, uint32_t table, struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETROUTE, 0);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(head, sizeof(*rtm));

    rtm->rtm_family = af_of(family);
    rtm->rtm_protocol = protocol;
    if (table)
        mnl_attr_put_u32(head, RTA_TABLE, table);
}

void vnrs_nlnexthop_encode_dump(struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETNEXTHOP, 0);
    (void)mnl_nlmsg_put_extra_header(head, sizeof(struct nhmsg));
}

void vnrs_nlneigh_encode_dump(uint8_t family, bool proxy, struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETNEIGH, 0);
    struct ndmsg *ndm = mnl_nlmsg_put_extra_header(head, sizeof(*ndm));

    ndm->ndm_family = af_of(family);
    ndm->ndm_flags = proxy ? NTF_PROXY : 0;
}

void vnrs_nlrule_encode_dump(uint8_t family, struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETRULE, 0);
    struct fib_rule_hdr *frh = mnl_nlmsg_put_extra_header(head, sizeof(*frh));

    frh->family = af_of(family);
}

void vnrs_nllink_encode_dump(struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETLINK, 0);
    (void)mnl_nlmsg_put_extra_header(head, sizeof(struct ifinfomsg));
}

void vnrs_nlroute_encode_get(const struct vnrs_addr *to, struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETROUTE, 0);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(head, sizeof(*rtm));

    rtm->rtm_family = af_of(to->family);
    rtm->rtm_dst_len = (uint8_t)vnrs_af_bits(to->family);
    rtm->rtm_flags = RTM_F_FIB_MATCH;
    mnl_attr_put(head, RTA_DST, addr_len(to->family), to->bytes);
}

void vnrs_nllink_encode_get(const char *ifname, struct vnrs_nlmsg *ret_msg)
{
    struct nlmsghdr *head = start(ret_msg, RTM_GETLINK, 0);
    (void)mnl_nlmsg_put_extra_header(head, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(head, IFLA_IFNAME, ifname);
}

// Attributes by type; `max` is the highest type that is looked at.
struct attrs {
    const struct nlattr *of[64];
};

static int take_attr(const struct nlattr *attr, void *arg)
{
    struct attrs *attrs = arg;
    uint16_t type = mnl_attr_get_type(attr);

    if (type < ARRAY_SIZE(attrs->of))
        attrs->of[type] = attr;
    return MNL_CB_OK;
}

static bool parse_attrs(const struct nlmsghdr *msg, size_t header, struct attrs *attrs)
{
    *attrs = (struct attrs){0};
    return mnl_nlmsg_get_payload_len(msg) >= header && mnl_attr_parse(msg, (unsigned)header, take_attr, attrs) >= 0;
}

static uint32_t u32_of(const struct nlattr *attr, uint32_t otherwise)
{
    return attr && mnl_attr_get_payload_len(attr) >= sizeof(uint32_t) ? mnl_attr_get_u32(attr) : otherwise;
}

static bool addr_of(const struct nlattr *attr, uint8_t family, struct vnrs_addr *ret_addr)
{
    *ret_addr = (struct vnrs_addr){0};
    if (!attr)
        return true;
    if (!family || mnl_attr_get_payload_len(attr) != addr_len(family))
        return false;
    ret_addr->family = family;
    memcpy(ret_addr->bytes, mnl_attr_get_payload(attr), addr_len(family));
    return true;
}

static bool via_of(const struct attrs *attrs, uint8_t family, struct vnrs_addr *ret_addr)
{
    const struct nlattr *via = attrs->of[RTA_VIA];
    uint16_t af;

    if (!via)
        return addr_of(attrs->of[RTA_GATEWAY], family, ret_addr);
    if (mnl_attr_get_payload_len(via) < sizeof(af))
        return false;
    memcpy(&af, mnl_attr_get_payload(via), sizeof(af));
    *ret_addr = (struct vnrs_addr){.family = family_of((uint8_t)af)};
    if (!ret_addr->family || mnl_attr_get_payload_len(via) != sizeof(af) + addr_len(ret_addr->family))
        return false;
    memcpy(ret_addr->bytes, (char *)mnl_attr_get_payload(via) + sizeof(af), addr_len(ret_addr->family));
    return true;
}

static bool multipath_of(const struct nlattr *attr, struct vnrs_nlroute *route)
{
    const char *at = mnl_attr_get_payload(attr);
    int left = mnl_attr_get_payload_len(attr);

    while (left >= (int)sizeof(struct rtnexthop)) {
        const struct rtnexthop *leg = (const struct rtnexthop *)at;
        struct attrs attrs = {0};
        if (leg->rtnh_len < sizeof(*leg) || leg->rtnh_len > left || route->n_hops == VNRS_NLHOPS_MAX ||
            mnl_attr_parse_payload(RTNH_DATA(leg), leg->rtnh_len - sizeof(*leg), take_attr, &attrs) < 0)
            return false;
        struct vnrs_nlhop *hop = &route->hops[route->n_hops++];
        hop->ifindex = (uint32_t)leg->rtnh_ifindex;
        hop->onlink = leg->rtnh_flags & RTNH_F_ONLINK;
        if (!via_of(&attrs, route->prefix.family, &hop->via))
            return false;
        at += RTNH_ALIGN(leg->rtnh_len);
        left -= RTNH_ALIGN(leg->rtnh_len);
    }
    return true;
}

bool vnrs_nlroute_decode(const struct nlmsghdr *msg, struct vnrs_nlroute *ret_route)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(msg);
    struct attrs attrs;
    struct vnrs_addr dst;

    if (msg->nlmsg_type != RTM_NEWROUTE || !parse_attrs(msg, sizeof(*rtm), &attrs))
        return false;
    struct vnrs_nlroute route = {
        .prefix = {.family = family_of(rtm->rtm_family), .len = rtm->rtm_dst_len},
        .table = u32_of(attrs.of[RTA_TABLE], rtm->rtm_table),
        .metric = u32_of(attrs.of[RTA_PRIORITY], 0),
        .protocol = rtm->rtm_protocol,
        .type = rtm->rtm_type,
        .nhid = u32_of(attrs.of[RTA_NH_ID], 0),
    };
    if (!route.prefix.family || rtm->rtm_flags & RTM_F_CLONED || rtm->rtm_tos || rtm->rtm_src_len ||
        !addr_of(attrs.of[RTA_DST], route.prefix.family, &dst))
        return false;
    memcpy(route.prefix.bytes, dst.bytes, sizeof(route.prefix.bytes));
    if (route.nhid) {
        // A group with a lone blackhole member shows up as a route of type blackhole.
        route.type = RTN_UNICAST;
    } else if (route.type == RTN_UNICAST && attrs.of[RTA_MULTIPATH]) {
        if (!multipath_of(attrs.of[RTA_MULTIPATH], &route))
            return false;
    } else if (route.type == RTN_UNICAST) {
        route.n_hops = 1;
        route.hops[0].ifindex = u32_of(attrs.of[RTA_OIF], 0);
        route.hops[0].onlink = rtm->rtm_flags & RTNH_F_ONLINK;
        if (!via_of(&attrs, route.prefix.family, &route.hops[0].via))
            return false;
    }
    *ret_route = route;
    return true;
}

bool vnrs_nlnexthop_decode(const struct nlmsghdr *msg, struct vnrs_nlnexthop *ret_nexthop)
{
    const struct nhmsg *nhm = mnl_nlmsg_get_payload(msg);
    struct attrs attrs;

    if (msg->nlmsg_type != RTM_NEWNEXTHOP || !parse_attrs(msg, sizeof(*nhm), &attrs))
        return false;
    struct vnrs_nlnexthop nexthop = {
        .id = u32_of(attrs.of[NHA_ID], 0), .protocol = nhm->nh_protocol, .family = family_of(nhm->nh_family)};
    const struct nlattr *group = attrs.of[NHA_GROUP];
    if (group) {
        const struct nexthop_grp *members = mnl_attr_get_payload(group);
        size_t n = mnl_attr_get_payload_len(group) / sizeof(*members);
        for (size_t i = 0; i < n && i < VNRS_NLHOPS_MAX; i++)
            nexthop.members[nexthop.n_members++] = members[i].id;
        const struct nlattr *type = attrs.of[NHA_GROUP_TYPE];
        nexthop.resilient = type && mnl_attr_get_payload_len(type) >= sizeof(uint16_t) &&
                            mnl_attr_get_u16(type) == NEXTHOP_GRP_TYPE_RES;
        nexthop.family = VNRS_AF_NONE;
    } else if (attrs.of[NHA_BLACKHOLE]) {
        nexthop.blackhole = true;
    } else {
        nexthop.hop.ifindex = u32_of(attrs.of[NHA_OIF], 0);
        nexthop.hop.onlink = nhm->nh_flags & RTNH_F_ONLINK;
        if (!addr_of(attrs.of[NHA_GATEWAY], nexthop.family, &nexthop.hop.via))
            return false;
    }
    *ret_nexthop = nexthop;
    return nexthop.id != 0;
}

bool vnrs_nlneigh_decode(const struct nlmsghdr *msg, struct vnrs_nlneigh *ret_neigh)
{
    const struct ndmsg *ndm = mnl_nlmsg_get_payload(msg);
    struct attrs attrs;

    if (msg->nlmsg_type != RTM_NEWNEIGH || !parse_attrs(msg, sizeof(*ndm), &attrs))
        return false;
    struct vnrs_nlneigh neigh = {.ifindex = (uint32_t)ndm->ndm_ifindex, .proxy = ndm->ndm_flags & NTF_PROXY};
    const struct nlattr *mac = attrs.of[NDA_LLADDR], *protocol = attrs.of[NDA_PROTOCOL];
    if (!protocol || !mnl_attr_get_payload_len(protocol) || mnl_attr_get_u8(protocol) != VNRS_RTPROT)
        return false;
    if (!attrs.of[NDA_DST] || !addr_of(attrs.of[NDA_DST], family_of(ndm->ndm_family), &neigh.addr))
        return false;
    if (!neigh.proxy) {
        if (!(ndm->ndm_state & NUD_PERMANENT) || !mac || mnl_attr_get_payload_len(mac) != sizeof(neigh.mac.bytes))
            return false;
        memcpy(neigh.mac.bytes, mnl_attr_get_payload(mac), sizeof(neigh.mac.bytes));
    }
    *ret_neigh = neigh;
    return true;
}

bool vnrs_nlrule_decode(const struct nlmsghdr *msg, struct vnrs_nlrule *ret_rule)
{
    const struct fib_rule_hdr *frh = mnl_nlmsg_get_payload(msg);
    struct attrs attrs;

    if (msg->nlmsg_type != RTM_NEWRULE || !parse_attrs(msg, sizeof(*frh), &attrs))
        return false;
    const struct nlattr *iif = attrs.of[FRA_IIFNAME], *protocol = attrs.of[FRA_PROTOCOL];
    if (frh->action != FR_ACT_TO_TBL || !iif || mnl_attr_validate(iif, MNL_TYPE_NUL_STRING) < 0 ||
        mnl_attr_get_payload_len(iif) > sizeof(ret_rule->iif))
        return false;
    struct vnrs_nlrule rule = {
        .family = family_of(frh->family),
        .protocol = protocol && mnl_attr_get_payload_len(protocol) ? mnl_attr_get_u8(protocol) : 0,
        .priority = u32_of(attrs.of[FRA_PRIORITY], 0),
        .table = u32_of(attrs.of[FRA_TABLE], frh->table),
    };
    memcpy(rule.iif, mnl_attr_get_str(iif), strlen(mnl_attr_get_str(iif)));
    *ret_rule = rule;
    return rule.family != VNRS_AF_NONE;
}

bool vnrs_nllink_decode(const struct nlmsghdr *msg, uint32_t *ret_ifindex, char ret_name[static 16],
                        uint32_t *ret_flags)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(msg);
    struct attrs attrs;

    if (msg->nlmsg_type != RTM_NEWLINK || !parse_attrs(msg, sizeof(*ifi), &attrs))
        return false;
    const struct nlattr *name = attrs.of[IFLA_IFNAME];
    if (!name || mnl_attr_validate(name, MNL_TYPE_NUL_STRING) < 0 || mnl_attr_get_payload_len(name) > 16)
        return false;
    *ret_ifindex = (uint32_t)ifi->ifi_index;
    *ret_flags = ifi->ifi_flags;
    memset(ret_name, 0, 16);
    memcpy(ret_name, mnl_attr_get_str(name), strlen(mnl_attr_get_str(name)));
    return true;
}
