// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/heard.h"

#include "agent/monitor.h"
#include "agent/suspect.h"
#include "agent/tunnel.h"
#include "fib/guest_sink.h"
#include "fib/kernel_counters.h"
#include "fib/kernel_drops.h"
#include "fib/kernel_fabric.h"
#include "fib/kernel_nexthops.h"
#include "fib/nlfilter.h"
#include "lab/qdisc.h"
#include "net/addr.h"
#include "vnrs/rtprot.h"

#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/nexthop.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <string.h>
#include <sys/socket.h>

#define LOOPBACK 1

// A link's destruction, and carrier loss for a moment, take routes and next hops with them without a message: all
// guest tables in that namespace are to be read again (data-plane.md).
static void suspect_tables(const struct vnrs_agentd_place *place)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while (place->lab->guest_sink && (e = vnrs_map_next(&place->lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_TABLE && object->watch &&
            vnrs_agentd_watch_place(object->watch)->id.ino == place->id.ino)
            vnrs_guest_sink_table_suspect(place->lab->guest_sink, object->obj.key);
    }
}

// Links.

struct link_event {
    uint32_t ifindex, mtu, flags;
    const char *ifname, *alias;
    const struct vnrs_mac *mac;
};

static void read_link_event(const struct nlmsghdr *msg, struct link_event *ret)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
    struct nlattr *attr;

    *ret =
        (struct link_event){.ifindex = (uint32_t)info->ifi_index, .flags = info->ifi_flags, .ifname = "", .alias = ""};
    mnl_attr_for_each(attr, msg, sizeof(*info))
    {
        if (mnl_attr_get_type(attr) == IFLA_IFNAME)
            ret->ifname = mnl_attr_get_str(attr);
        else if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
            ret->alias = mnl_attr_get_str(attr);
        else if (mnl_attr_get_type(attr) == IFLA_MTU)
            ret->mtu = mnl_attr_get_u32(attr);
        else if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == sizeof(*ret->mac))
            ret->mac = mnl_attr_get_payload(attr);
    }
}

// Which end of the link is the one with this number in this namespace; NULL: none.
static const struct vnrs_link_end *end_at(const struct vnrs_agentd_place *place,
                                          const struct vnrs_agentd_object *object, uint32_t ifindex)
{
    const struct vnrs_link_end *ends[] = {&object->spec.link.a, &object->spec.link.b};
    const char *here = place->fabric ? "" : place->owner.key;

    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (ends[i]->ns.kind == VNRS_AG_NETNS_OURS && strcmp(ends[i]->ns.name, here) == 0 &&
            ifindex == (i ? object->index.b : object->index.a))
            return ends[i];
    return NULL;
}

// The LINK object with an end of this number here, or NULL. `recent`: LINK that was just made, and is most likely
// meant; or NULL.
static struct vnrs_agentd_object *link_at(const struct vnrs_agentd_place *place, uint32_t ifindex,
                                          const struct vnrs_agentd_object *recent)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    if (recent && end_at(place, recent, ifindex))
        return vnrs_agentd_object_find(place->lab, VNRS_OBJ_LINK, recent->obj.key);
    while ((e = vnrs_map_next(&place->lab->objects, &at))) {
        struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_LINK && end_at(place, object, ifindex))
            return object;
    }
    return NULL;
}

// By alias; by number where somebody changed the alias.
static struct vnrs_agentd_object *link_of(const struct vnrs_agentd_place *place, const struct link_event *event,
                                          const struct vnrs_agentd_object *recent)
{
    const char *key = vnrs_mark_alias_key(place->lab->name, event->alias);

    return key ? vnrs_agentd_object_find(place->lab, VNRS_OBJ_LINK, key) : link_at(place, event->ifindex, recent);
}

static bool is_link_right(const struct vnrs_agentd_object *object, const struct vnrs_link_end *end,
                          const struct link_event *event)
{
    const struct vnrs_obj_link *spec = &object->spec.link;
    static const struct vnrs_mac none;

    bool is_tunnel = spec->kind == VNRS_LINK_TUNNEL; // end b goes up and down, and a's carrier with it
    bool is_kept_down = spec->down && end == &spec->a;
    if ((!is_tunnel || end == &spec->a) && is_kept_down == !!(event->flags & IFF_UP))
        return false;
    if (!is_tunnel && !spec->down && !(event->flags & IFF_LOWER_UP))
        return false;
    if (spec->mtu && event->mtu && spec->mtu != event->mtu)
        return false;
    if (!is_tunnel && memcmp(&end->mac, &none, sizeof(none)) != 0 && event->mac &&
        memcmp(&end->mac, event->mac, sizeof(none)) != 0)
        return false;
    return strcmp(end->ifname, event->ifname) == 0 && vnrs_mark_alias_key(object->lab->name, event->alias) != NULL;
}

static void on_link(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg,
                    const struct vnrs_agentd_object *except)
{
    struct link_event event;

    read_link_event(msg, &event);
    if (place->owner.type == VNRS_OBJ_TABLE) { // an interface of others
        const struct vnrs_agentd_object *table = vnrs_agentd_object_find(place->lab, VNRS_OBJ_TABLE, place->owner.key);
        if (table && strcmp(table->spec.table.ifname, event.ifname) == 0 &&
            (msg->nlmsg_type == RTM_DELLINK || !(event.flags & IFF_LOWER_UP)))
            vnrs_agentd_suspect(place->lab, &place->owner);
        return;
    }
    if (event.ifindex == LOOPBACK) {
        if (!(event.flags & IFF_UP))
            vnrs_agentd_suspect(place->lab, &place->owner);
        return;
    }
    if (place->fabric && (event.ifindex == VNRS_KERNEL_DROP_IFINDEX || event.ifindex == VNRS_KERNEL_DROP_END_IFINDEX)) {
        if (msg->nlmsg_type == RTM_DELLINK || !(event.flags & IFF_LOWER_UP))
            vnrs_agentd_suspect(place->lab, &place->owner);
        return;
    }
    struct vnrs_agentd_object *object = link_of(place, &event, except);
    // What another agent's removal or our own re-creation left in the queue is of another number.
    const struct vnrs_link_end *end = object ? end_at(place, object, event.ifindex) : NULL;
    if (!end)
        return;
    if (object->spec.link.kind == VNRS_LINK_TUNNEL && msg->nlmsg_type == RTM_NEWLINK)
        vnrs_agentd_tunnel_link(object, end, event.flags);
    if (object == except || (msg->nlmsg_type == RTM_NEWLINK && is_link_right(object, end, &event)))
        return;
    suspect_tables(place);
    vnrs_agentd_suspect(place->lab, &object->obj);
}

static bool is_wanted(const struct vnrs_link_end *end, const struct nlattr *addr)
{
    for (unsigned i = 0; end && addr && i < end->n_addrs; i++)
        if (mnl_attr_get_payload_len(addr) == vnrs_af_bits(end->addrs[i].addr.family) / 8 &&
            memcmp(mnl_attr_get_payload(addr), end->addrs[i].addr.bytes, mnl_attr_get_payload_len(addr)) == 0)
            return true;
    return false;
}

// One that went with its link, or by our own hand, is no longer wanted. Who removed an IPv6 address is not told.
static void on_addr(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg,
                    const struct vnrs_agentd_object *except)
{
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(msg);
    const struct vnrs_agentd_object *link = link_at(place, info->ifa_index, except);
    const struct nlattr *addr = NULL;
    struct nlattr *attr;
    bool ours = false;

    mnl_attr_for_each(attr, msg, sizeof(*info))
    {
        if (mnl_attr_get_type(attr) == IFA_LOCAL || (mnl_attr_get_type(attr) == IFA_ADDRESS && !addr))
            addr = attr;
        else if (mnl_attr_get_type(attr) == IFA_PROTO)
            ours = mnl_attr_get_u8(attr) == VNRS_RTPROT;
    }
    if (link && link != except && is_wanted(end_at(place, link, info->ifa_index), addr))
        vnrs_agentd_suspect(place->lab, &link->obj);
    else if (!link && ours && msg->nlmsg_pid)
        vnrs_agentd_suspect(place->lab, &place->owner);
}

// Routes.

static void on_route(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
    const struct vnrs_agentd_object *table = place->owner.type == VNRS_OBJ_TABLE
                                                 ? vnrs_agentd_object_find(place->lab, VNRS_OBJ_TABLE, place->owner.key)
                                                 : NULL;
    uint32_t protocol = table ? table->spec.table.protocol : VNRS_RTPROT, id = rt->rtm_table;
    struct nlattr *attr;

    mnl_attr_for_each(attr, msg, sizeof(*rt))
    {
        if (mnl_attr_get_type(attr) == RTA_TABLE)
            id = mnl_attr_get_u32(attr);
    }
    bool removed = msg->nlmsg_type == RTM_DELROUTE && rt->rtm_protocol == protocol;
    bool replaced = msg->nlmsg_type == RTM_NEWROUTE && (msg->nlmsg_flags & NLM_F_REPLACE);
    if (removed || (replaced && (!table || table->spec.table.table == id)))
        vnrs_agentd_suspect(place->lab, &place->owner);
}

// Routing daemons of a machine have next hops of their own. One of ours that was replaced has the number only.
static void on_nexthop(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    struct nlattr *attr;
    uint32_t id = 0;

    mnl_attr_for_each(attr, msg, sizeof(struct nhmsg))
    {
        if (mnl_attr_get_type(attr) == NHA_ID)
            id = mnl_attr_get_u32(attr);
    }
    if (id >= VNRS_NHID_FIRST && id <= VNRS_NHID_LAST)
        vnrs_agentd_suspect(place->lab, &place->owner);
}

static void on_rule(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    struct nlattr *attr;

    mnl_attr_for_each(attr, msg, sizeof(struct fib_rule_hdr))
    {
        if (mnl_attr_get_type(attr) == FRA_PROTOCOL && mnl_attr_get_u8(attr) == VNRS_RTPROT)
            vnrs_agentd_suspect(place->lab, &place->owner);
    }
}

// Neighbours of links of ours in the fabric. An entry that another hand deletes is told of as failed.
static void on_neighbour(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);

    if (link_at(place, (uint32_t)nd->ndm_ifindex, NULL))
        vnrs_agentd_suspect(place->lab, &place->owner);
}

// Queueing disciplines and filters.

static void on_qdisc(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
    bool filters = TC_H_MAJ(tc->tcm_handle) == TC_H_MAJ(TC_H_CLSACT) && place->fabric && place->lab->dataplane;
    const struct vnrs_agentd_object *link =
        filters || tc->tcm_handle == VNRS_QDISC_HANDLE ? link_at(place, (uint32_t)tc->tcm_ifindex, NULL) : NULL;

    if (link)
        vnrs_agentd_suspect(place->lab, &link->obj);
}

static uint32_t filter_program(const struct nlmsghdr *msg)
{
    struct nlattr *attr, *option;
    uint32_t id = 0;

    mnl_attr_for_each(attr, msg, sizeof(struct tcmsg))
    {
        if (mnl_attr_get_type(attr) != TCA_OPTIONS)
            continue;
        mnl_attr_for_each_nested(option, attr)
        {
            if (mnl_attr_get_type(option) == TCA_BPF_ID)
                id = mnl_attr_get_u32(option);
        }
    }
    return id;
}

// One that took the place of ours has the number, and another program. When all of a priority go, no number is told.
static void on_filter(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
    const struct vnrs_bpf_dataplane *dp = place->lab->dataplane;

    if (!place->fabric || !dp || TC_H_MAJ(tc->tcm_info) >> 16 != VNRS_NLFILTER_PRIORITY ||
        TC_H_MAJ(tc->tcm_parent) != TC_H_MAJ(TC_H_CLSACT) ||
        TC_H_MIN(tc->tcm_parent) == TC_H_MIN(TC_H_MIN_EGRESS)) // "parent ffff:" is the ingress, too
        return;
    if (msg->nlmsg_type == RTM_NEWTFILTER &&
        (tc->tcm_handle != VNRS_NLFILTER_HANDLE || filter_program(msg) == vnrs_bpf_dataplane_program_id(dp)))
        return;
    const struct vnrs_agentd_object *link = link_at(place, (uint32_t)tc->tcm_ifindex, NULL);
    if (link)
        vnrs_agentd_suspect(place->lab, &link->obj);
}

// Settings. The kernel tells of these; others are set right when the lab is checked for another reason.

struct settings {
    int forwarding, rp_filter, proxy, linkdown; // -1: any
};

static struct settings settings_of(const struct vnrs_agentd_place *place, int ifindex,
                                   const struct vnrs_agentd_object *except)
{
    const struct vnrs_agentd_object *owner = vnrs_agentd_object_find(place->lab, place->owner.type, place->owner.key);
    struct settings want = {-1, -1, -1, -1};

    if (!owner || (!place->fabric && owner->obj.type != VNRS_OBJ_NETNS))
        return want;
    if (ifindex < 0) { // all links, or the next ones
        want.rp_filter = 0;
        want.forwarding = place->fabric ? !place->lab->dataplane : !!(owner->spec.netns.flags & VNRS_NETNS_FORWARD);
        if (ifindex == NETCONFA_IFINDEX_ALL && !place->fabric && owner->spec.netns.flags & VNRS_NETNS_CARRIER)
            want.linkdown = 1;
    } else if (place->fabric && !place->lab->dataplane) {
        const struct vnrs_agentd_object *link = link_at(place, (uint32_t)ifindex, except);
        if (link && link != except)
            want = (struct settings){1, 0, 1, -1};
    }
    return want;
}

static bool differs(const struct nlattr *attr, int want)
{
    return want >= 0 && (int)mnl_attr_get_u32(attr) != want;
}

static void on_settings(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg,
                        const struct vnrs_agentd_object *except)
{
    struct settings want = {-1, -1, -1, -1};
    struct nlattr *attr;
    bool wrong = false;

    mnl_attr_for_each(attr, msg, sizeof(struct netconfmsg)) // the link comes first
    {
        if (mnl_attr_get_payload_len(attr) < sizeof(uint32_t))
            return;
        switch (mnl_attr_get_type(attr)) {
        case NETCONFA_IFINDEX:
            want = settings_of(place, (int)mnl_attr_get_u32(attr), except);
            break;
        case NETCONFA_FORWARDING:
            wrong |= differs(attr, want.forwarding);
            break;
        case NETCONFA_RP_FILTER:
            wrong |= differs(attr, want.rp_filter);
            break;
        case NETCONFA_PROXY_NEIGH:
            wrong |= differs(attr, want.proxy);
            break;
        case NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN:
            wrong |= differs(attr, want.linkdown);
            break;
        default:
            break;
        }
    }
    if (wrong)
        vnrs_agentd_suspect(place->lab, &place->owner);
}

// nftables: the first attribute of every message names the table.

static void on_nftables(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg)
{
    const struct nlattr *attr = mnl_nlmsg_get_payload_offset(msg, sizeof(struct nfgenmsg));

    if (NFNL_SUBSYS_ID(msg->nlmsg_type) != NFNL_SUBSYS_NFTABLES || NFNL_MSG_TYPE(msg->nlmsg_type) == NFT_MSG_NEWGEN ||
        !mnl_attr_ok(attr, (int)mnl_nlmsg_get_payload_len(msg) - (int)MNL_ALIGN(sizeof(struct nfgenmsg))))
        return;
    if (mnl_attr_get_type(attr) != NFTA_TABLE_NAME || mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0)
        return;
    const char *table = mnl_attr_get_str(attr);
    if (strcmp(table, place->nft_table) == 0 ||
        (place->fabric && (strcmp(table, VNRS_KERNEL_COUNT_TABLE) == 0 || strcmp(table, VNRS_KERNEL_LOG_TABLE) == 0)))
        vnrs_agentd_suspect(place->lab, &place->owner);
}

static bool is_own_route(const struct nlmsghdr *msg)
{
    return ((const struct rtmsg *)mnl_nlmsg_get_payload(msg))->rtm_protocol == VNRS_RTPROT;
}

static bool has_payload(const struct nlmsghdr *msg, size_t size)
{
    return mnl_nlmsg_get_payload_len(msg) >= size;
}

void vnrs_agentd_heard_lost(const struct vnrs_agentd_place *place)
{
    suspect_tables(place);
    vnrs_agentd_suspect(place->lab, &place->owner); // of a table also that its routes are not known
}

void vnrs_agentd_heard(const struct vnrs_agentd_place *place, const struct nlmsghdr *msg,
                       const struct vnrs_agentd_object *except)
{
    const struct vnrs_notify_groups *groups = &place->groups;

    if (place->nft_table[0]) {
        on_nftables(place, msg);
        return;
    }
    switch (msg->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        if (groups->links && has_payload(msg, sizeof(struct ifinfomsg)))
            on_link(place, msg, except);
        return;
    case RTM_DELADDR:
        if (groups->links && has_payload(msg, sizeof(struct ifaddrmsg)))
            on_addr(place, msg, except);
        return;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (has_payload(msg, sizeof(struct rtmsg)) && (groups->routes || is_own_route(msg)))
            on_route(place, msg);
        return;
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
        if (groups->routes && (msg->nlmsg_type == RTM_DELNEXTHOP || msg->nlmsg_flags & NLM_F_REPLACE) &&
            has_payload(msg, sizeof(struct nhmsg)))
            on_nexthop(place, msg);
        return;
    case RTM_DELRULE:
        if (groups->routes && has_payload(msg, sizeof(struct fib_rule_hdr)))
            on_rule(place, msg);
        return;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        if (groups->neighbours && has_payload(msg, sizeof(struct ndmsg)))
            on_neighbour(place, msg);
        return;
    case RTM_DELQDISC:
        if (groups->links && has_payload(msg, sizeof(struct tcmsg)))
            on_qdisc(place, msg);
        return;
    case RTM_NEWTFILTER:
    case RTM_DELTFILTER:
        if (groups->links && has_payload(msg, sizeof(struct tcmsg)))
            on_filter(place, msg);
        return;
    case RTM_NEWNETCONF:
        if (groups->links && has_payload(msg, sizeof(struct netconfmsg)))
            on_settings(place, msg, except);
        return;
    }
}
