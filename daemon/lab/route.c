// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/route.h"

#include "lab/link.h"
#include "net/addr.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HOPS_MAX            4
#define IPV6_METRIC_DEFAULT 1024 // what the kernel makes of metric 0

struct hop {
    struct vnrs_addr via;
    uint32_t ifindex;
};

struct hops {
    unsigned n;
    struct hop list[HOPS_MAX];
};

struct search {
    const struct vnrs_obj_route *spec;
    uint32_t metric;
    bool found;
    uint8_t protocol;
    struct hops hops;
    bool overflow; // more hops than any of ours has
};

static uint32_t metric_of(const struct vnrs_obj_route *spec)
{
    return spec->prefix.family == VNRS_AF_IPV6 && spec->metric == 0 ? IPV6_METRIC_DEFAULT : spec->metric;
}

static struct vnrs_addr addr_of(const struct nlattr *attr, uint8_t family)
{
    struct vnrs_addr addr = {.family = family};
    size_t size = vnrs_af_bits(family) / 8;

    if (mnl_attr_get_payload_len(attr) != size)
        return (struct vnrs_addr){0};
    memcpy(addr.bytes, mnl_attr_get_payload(attr), size);
    return addr;
}

static void add_hop(struct search *s, struct hop hop)
{
    if (s->hops.n < HOPS_MAX)
        s->hops.list[s->hops.n++] = hop;
    else
        s->overflow = true;
}

static void read_multipath(struct search *s, const struct nlattr *attr)
{
    int len = mnl_attr_get_payload_len(attr);

    for (const struct rtnexthop *nh = mnl_attr_get_payload(attr); RTNH_OK(nh, len);
         len -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh)) {
        struct hop hop = {.ifindex = (uint32_t)nh->rtnh_ifindex};
        const struct nlattr *inner = (const struct nlattr *)RTNH_DATA(nh);
        int left = nh->rtnh_len - (int)sizeof(*nh);
        for (; mnl_attr_ok(inner, left); left -= MNL_ALIGN(inner->nla_len), inner = mnl_attr_next(inner))
            if (mnl_attr_get_type(inner) == RTA_GATEWAY)
                hop.via = addr_of(inner, s->spec->prefix.family);
        add_hop(s, hop);
    }
}

static int read_route(const struct nlmsghdr *msg, void *arg)
{
    struct search *s = arg;
    const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
    const struct vnrs_prefix *prefix = &s->spec->prefix;
    struct vnrs_addr dst = {.family = prefix->family}, via = {0};
    uint32_t metric = 0, ifindex = 0;
    const struct nlattr *multipath = NULL;
    struct nlattr *attr;

    if (msg->nlmsg_type != RTM_NEWROUTE || rt->rtm_dst_len != prefix->len || rt->rtm_table != RT_TABLE_MAIN ||
        rt->rtm_tos || (rt->rtm_flags & RTM_F_CLONED))
        return 0;
    mnl_attr_for_each(attr, msg, sizeof(*rt))
    {
        switch (mnl_attr_get_type(attr)) {
        case RTA_DST:
            dst = addr_of(attr, prefix->family);
            break;
        case RTA_PRIORITY:
            metric = mnl_attr_get_u32(attr);
            break;
        case RTA_OIF:
            ifindex = mnl_attr_get_u32(attr);
            break;
        case RTA_GATEWAY:
            via = addr_of(attr, prefix->family);
            break;
        case RTA_MULTIPATH:
            multipath = attr;
            break;
        }
    }
    if (metric != s->metric || memcmp(dst.bytes, prefix->bytes, sizeof(dst.bytes)) != 0)
        return 0;
    s->found = true;
    s->overflow = false;
    s->protocol = rt->rtm_protocol;
    s->hops.n = 0;
    if (multipath)
        read_multipath(s, multipath);
    else if (rt->rtm_type == RTN_UNICAST) // else it refuses
        add_hop(s, (struct hop){via, ifindex});
    return 0;
}

static uint8_t af_of(const struct vnrs_prefix *prefix)
{
    return prefix->family == VNRS_AF_IPV4 ? AF_INET : AF_INET6;
}

static int search(struct vnrs_rtnl *nl, struct search *s)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

    rt->rtm_family = af_of(&s->spec->prefix);
    rt->rtm_table = RT_TABLE_MAIN;
    return vnrs_rtnl_talk(nl, msg, read_route, s);
}

// A name per hop may be given; an empty one means the route's.
static const char *hop_ifname(const struct vnrs_obj_route *spec, unsigned i)
{
    return i < spec->n_via && spec->ifnames[i][0] ? spec->ifnames[i] : spec->ifname;
}

static int wanted_hops(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl, struct hops *ret, struct vnrs_err *err)
{
    ret->n = spec->refuse ? 0 : MAX(spec->n_via, 1u);
    for (unsigned i = 0; i < ret->n; i++) {
        const char *ifname = hop_ifname(spec, i);
        ret->list[i] = (struct hop){.via = i < spec->n_via ? spec->via[i] : (struct vnrs_addr){0}};
        int code = vnrs_link_find(nl, ifname, &ret->list[i].ifindex);
        if (code < 0)
            return vnrs_err_errno(err, code, "link '%s' of a route", ifname);
    }
    return 0;
}

static bool is_same_hops(const struct hops *x, const struct hops *y)
{
    if (x->n != y->n)
        return false;
    for (unsigned i = 0; i < x->n; i++) { // the order is the kernel's business
        bool found = false;
        for (unsigned j = 0; j < y->n; j++)
            found = found ||
                    (x->list[i].ifindex == y->list[j].ifindex && vnrs_addr_equal(&x->list[i].via, &y->list[j].via));
        if (!found)
            return false;
    }
    return true;
}

// `flags` of each hop: RTNH_F_ONLINK, or 0.
static void put_hops(struct nlmsghdr *msg, const struct hops *hops, size_t size, unsigned flags)
{
    if (hops->n == 0)
        return;
    if (hops->n == 1) {
        ((struct rtmsg *)mnl_nlmsg_get_payload(msg))->rtm_flags |= flags;
        mnl_attr_put_u32(msg, RTA_OIF, hops->list[0].ifindex);
        if (hops->list[0].via.family)
            mnl_attr_put(msg, RTA_GATEWAY, size, hops->list[0].via.bytes);
        return;
    }
    struct nlattr *nest = mnl_attr_nest_start(msg, RTA_MULTIPATH);
    for (unsigned i = 0; i < hops->n; i++) {
        struct rtnexthop *nh = mnl_nlmsg_put_extra_header(msg, sizeof(*nh));
        uint32_t before = msg->nlmsg_len;
        nh->rtnh_ifindex = (int)hops->list[i].ifindex;
        nh->rtnh_flags = (unsigned char)flags;
        mnl_attr_put(msg, RTA_GATEWAY, size, hops->list[i].via.bytes);
        nh->rtnh_len = (unsigned short)(sizeof(*nh) + msg->nlmsg_len - before);
    }
    mnl_attr_nest_end(msg, nest);
    nest->nla_type = RTA_MULTIPATH; // RTA_MULTIPATH is no nest in the kernel's policy
}

static struct nlmsghdr *begin_route(void *buf, uint16_t type, uint16_t flags, const struct vnrs_obj_route *spec)
{
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, flags);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));

    rt->rtm_family = af_of(&spec->prefix);
    rt->rtm_dst_len = spec->prefix.len;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = VNRS_RTPROT;
    rt->rtm_type = type == RTM_DELROUTE ? RTN_UNSPEC : spec->refuse ? RTN_UNREACHABLE : RTN_UNICAST;
    rt->rtm_scope = type == RTM_DELROUTE          ? RT_SCOPE_NOWHERE
                    : spec->n_via || spec->refuse ? RT_SCOPE_UNIVERSE
                                                  : RT_SCOPE_LINK;
    mnl_attr_put(msg, RTA_DST, vnrs_af_bits(spec->prefix.family) / 8, spec->prefix.bytes);
    mnl_attr_put_u32(msg, RTA_PRIORITY, metric_of(spec));
    return msg;
}

static int put_route(struct vnrs_rtnl *nl, const struct vnrs_obj_route *spec, const struct hops *hops, uint16_t how,
                     unsigned flags)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = begin_route(buf, RTM_NEWROUTE, how, spec);

    put_hops(msg, hops, vnrs_af_bits(spec->prefix.family) / 8, flags);
    return vnrs_rtnl_talk(nl, msg, NULL, NULL);
}

int vnrs_route_ensure(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl, enum vnrs_ag_outcome *ret_outcome,
                      struct vnrs_err *err)
{
    char text[VNRS_PREFIX_STR_MAX];
    struct search s = {.spec = spec, .metric = metric_of(spec)};
    struct hops want;
    int code = wanted_hops(spec, nl, &want, err);

    if (code < 0)
        return code;
    (void)vnrs_prefix_format(&spec->prefix, text);
    code = search(nl, &s);
    if (code < 0)
        return vnrs_rtnl_err(nl, err, code, "reading routes");
    if (s.found && s.protocol != VNRS_RTPROT)
        return vnrs_err_set(err, -EEXIST, "there is a route to %s with metric %u that is not ours (protocol %u)", text,
                            s.metric, s.protocol);
    if (s.found && !s.overflow && is_same_hops(&s.hops, &want)) {
        *ret_outcome = VNRS_AG_UNCHANGED;
        return 0;
    }
    const uint16_t how = NLM_F_CREATE | (s.found ? NLM_F_REPLACE : NLM_F_EXCL);
    code = put_route(nl, spec, &want, how, 0);
    // Somebody removed the route that came with an address; the next hop is on the link nevertheless.
    if (spec->n_via && (code == -ENETUNREACH || code == -EHOSTUNREACH || code == -EINVAL))
        code = put_route(nl, spec, &want, how, RTNH_F_ONLINK);
    if (code < 0)
        return vnrs_rtnl_err(nl, err, code, text);
    *ret_outcome = s.found ? VNRS_AG_CHANGED : VNRS_AG_CREATED;
    return 0;
}

int vnrs_route_remove(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl, struct vnrs_err *err)
{
    char buf[VNRS_RTNL_MSG_MAX], text[VNRS_PREFIX_STR_MAX];
    // With the protocol in the message the kernel removes no route of another one.
    int code = vnrs_rtnl_talk(nl, begin_route(buf, RTM_DELROUTE, 0, spec), NULL, NULL);

    if (code == -ESRCH)
        return 0;
    if (code < 0)
        return vnrs_rtnl_err(nl, err, code, vnrs_prefix_format(&spec->prefix, text));
    return 1;
}

int vnrs_route_is_right(const struct vnrs_obj_route *spec, struct vnrs_rtnl *nl)
{
    struct search s = {.spec = spec, .metric = metric_of(spec)};
    struct vnrs_err err = {0};
    struct hops want;
    int code = wanted_hops(spec, nl, &want, &err);

    if (code == 0)
        code = search(nl, &s);
    if (code == -ENODEV)
        return 0;
    return code < 0 ? code : s.found && s.protocol == VNRS_RTPROT && !s.overflow && is_same_hops(&s.hops, &want);
}
