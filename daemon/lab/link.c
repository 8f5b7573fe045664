// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/link.h"

#include "lab/name.h"
#include "net/addr.h"
#include "util/vec.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

struct link_state {
    bool exists, veth;
    bool fresh; // was just made: has no address of ours
    uint32_t ifindex, mtu, flags, peer;
    struct vnrs_mac mac;
    char alias[VNRS_ALIAS_MAX];
};

static void read_linkinfo(const struct nlattr *info, struct link_state *state)
{
    struct nlattr *attr;

    mnl_attr_for_each_nested(attr, info)
    {
        if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
            state->veth = strcmp(mnl_attr_get_str(attr), "veth") == 0;
    }
}

static int read_link(const struct nlmsghdr *msg, void *arg)
{
    struct link_state *state = arg;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
    struct nlattr *attr;

    if (msg->nlmsg_type != RTM_NEWLINK)
        return 0;
    *state = (struct link_state){.exists = true, .ifindex = (uint32_t)info->ifi_index, .flags = info->ifi_flags};
    mnl_attr_for_each(attr, msg, sizeof(*info))
    {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_MTU:
            state->mtu = mnl_attr_get_u32(attr);
            break;
        case IFLA_ADDRESS:
            if (mnl_attr_get_payload_len(attr) == sizeof(state->mac))
                memcpy(&state->mac, mnl_attr_get_payload(attr), sizeof(state->mac));
            break;
        case IFLA_IFALIAS:
            (void)snprintf(state->alias, sizeof(state->alias), "%s", mnl_attr_get_str(attr));
            break;
        case IFLA_LINK:
            state->peer = mnl_attr_get_u32(attr);
            break;
        case IFLA_LINKINFO:
            read_linkinfo(attr, state);
            break;
        }
    }
    return 0;
}

static struct nlmsghdr *begin_link(void *buf, uint16_t type, uint16_t flags, uint32_t ifindex, struct ifinfomsg **ret)
{
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, flags);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

    info->ifi_family = AF_UNSPEC;
    info->ifi_index = (int)ifindex;
    if (ret)
        *ret = info;
    return msg;
}

// By index, or by name where that is 0.
static int get_link_by(struct vnrs_rtnl *nl, uint32_t ifindex, const char *ifname, struct link_state *ret_state)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = begin_link(buf, RTM_GETLINK, 0, ifindex, NULL);

    *ret_state = (struct link_state){0};
    if (!ifindex)
        mnl_attr_put_strz(msg, IFLA_IFNAME, ifname);
    mnl_attr_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    int err = vnrs_rtnl_talk(nl, msg, read_link, ret_state);
    return err == -ENODEV ? 0 : err;
}

static int get_link(struct vnrs_rtnl *nl, const char *ifname, struct link_state *ret_state)
{
    return get_link_by(nl, 0, ifname, ret_state);
}

bool vnrs_link_is_up(struct vnrs_rtnl *nl, const char *ifname)
{
    struct link_state state;

    return get_link(nl, ifname, &state) == 0 && state.exists && state.flags & IFF_UP;
}

int vnrs_link_find(struct vnrs_rtnl *nl, const char *ifname, uint32_t *ret_ifindex)
{
    struct link_state state;
    int err = get_link(nl, ifname, &state);

    if (err < 0)
        return err;
    if (!state.exists)
        return -ENODEV;
    *ret_ifindex = state.ifindex;
    return 0;
}

// Addresses of one link.

struct have_addr {
    struct vnrs_ag_ifaddr addr;
    bool ours;
};

struct have_addrs {
    uint32_t ifindex;
    VEC(struct have_addr) list;
};

static int read_addr(const struct nlmsghdr *msg, void *arg)
{
    struct have_addrs *have = arg;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(msg);
    const struct nlattr *local = NULL;
    struct have_addr found = {.addr.len = info->ifa_prefixlen};
    struct nlattr *attr;

    if (msg->nlmsg_type != RTM_NEWADDR || info->ifa_index != have->ifindex)
        return 0;
    mnl_attr_for_each(attr, msg, sizeof(*info))
    {
        // IFA_LOCAL is the own address where there is one, IFA_ADDRESS otherwise (IPv6).
        if (mnl_attr_get_type(attr) == IFA_LOCAL || (mnl_attr_get_type(attr) == IFA_ADDRESS && !local))
            local = attr;
        if (mnl_attr_get_type(attr) == IFA_PROTO)
            found.ours = mnl_attr_get_u8(attr) == VNRS_RTPROT;
    }
    size_t size = info->ifa_family == AF_INET ? 4 : 16;
    if (!local || mnl_attr_get_payload_len(local) != size)
        return 0;
    found.addr.addr.family = info->ifa_family == AF_INET ? VNRS_AF_IPV4 : VNRS_AF_IPV6;
    memcpy(found.addr.addr.bytes, mnl_attr_get_payload(local), size);
    return vec_push(&have->list, found);
}

static int get_addrs(struct vnrs_rtnl *nl, struct have_addrs *have)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, RTM_GETADDR, NLM_F_DUMP);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

    info->ifa_family = AF_UNSPEC;
    info->ifa_index = have->ifindex;
    return vnrs_rtnl_talk(nl, msg, read_addr, have);
}

static bool is_same_addr(const struct vnrs_ag_ifaddr *x, const struct vnrs_ag_ifaddr *y)
{
    return x->len == y->len && vnrs_addr_equal(&x->addr, &y->addr);
}

static bool is_wanted(const struct vnrs_link_end *end, const struct vnrs_ag_ifaddr *addr)
{
    for (unsigned i = 0; i < end->n_addrs; i++)
        if (is_same_addr(&end->addrs[i], addr))
            return true;
    return false;
}

static bool is_there(const struct have_addrs *have, const struct vnrs_ag_ifaddr *addr)
{
    vec_foreach (h, &have->list)
        if (is_same_addr(&h->addr, addr))
            return true;
    return false;
}

static int write_addr(struct vnrs_rtnl *nl, uint16_t type, uint32_t ifindex, const struct vnrs_ag_ifaddr *addr)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0);
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));
    size_t size = vnrs_af_bits(addr->addr.family) / 8;

    info->ifa_family = addr->addr.family == VNRS_AF_IPV4 ? AF_INET : AF_INET6;
    info->ifa_prefixlen = addr->len;
    info->ifa_index = ifindex;
    mnl_attr_put(msg, IFA_LOCAL, size, addr->addr.bytes);
    mnl_attr_put(msg, IFA_ADDRESS, size, addr->addr.bytes);
    if (type == RTM_NEWADDR) {
        mnl_attr_put_u8(msg, IFA_PROTO, VNRS_RTPROT);
        if (addr->addr.family == VNRS_AF_IPV6)
            mnl_attr_put_u32(msg, IFA_FLAGS, IFA_F_NODAD);
    }
    return vnrs_rtnl_talk(nl, msg, NULL, NULL);
}

// 1: addresses differed and were written, 0: they agree, or a negative errno.
static int sync_addrs(struct vnrs_rtnl *nl, const struct link_state *link, const struct vnrs_link_end *end,
                      struct vnrs_err *err)
{
    const uint32_t ifindex = link->ifindex;
    struct have_addrs have = {.ifindex = ifindex};
    int code = link->fresh ? 0 : get_addrs(nl, &have), changed = 0;

    vec_foreach (h, &have.list) {
        if (code < 0 || !h->ours || is_wanted(end, &h->addr))
            continue;
        changed = 1;
        code = write_addr(nl, RTM_DELADDR, ifindex, &h->addr);
        // A dump that was done twice names it twice; a secondary can go with its primary.
        code = code == -EADDRNOTAVAIL ? 0 : code;
    }
    for (unsigned i = 0; i < end->n_addrs && code >= 0; i++) {
        if (is_there(&have, &end->addrs[i]))
            continue;
        changed = 1;
        code = write_addr(nl, RTM_NEWADDR, ifindex, &end->addrs[i]);
    }
    vec_free(&have.list);
    if (code < 0) {
        char what[64];
        (void)snprintf(what, sizeof(what), "addresses of link '%s'", end->ifname);
        return vnrs_rtnl_err(nl, err, code, what);
    }
    return changed;
}

// Both ends.

static int delete_link(struct vnrs_rtnl *nl, uint32_t ifindex)
{
    char buf[VNRS_RTNL_MSG_MAX];
    int err = vnrs_rtnl_talk(nl, begin_link(buf, RTM_DELLINK, 0, ifindex, NULL), NULL, NULL);
    return err == -ENODEV ? 0 : err;
}

static bool has_mac(const struct vnrs_mac *mac)
{
    return memcmp(mac, &(struct vnrs_mac){0}, sizeof(*mac)) != 0;
}

// Without ARP a packet carries the MAC of the link that sends it, which must be that of the one that takes it.
static const struct vnrs_mac *mac_of(const struct vnrs_obj_link *spec, const struct vnrs_link_end *end)
{
    return spec->kind == VNRS_LINK_TUNNEL ? &spec->a.mac : &end->mac;
}

static bool is_kept_down(const struct vnrs_obj_link *spec, const struct vnrs_link_end *end)
{
    return spec->down && end == &spec->a;
}

static uint32_t flags_of(const struct vnrs_obj_link *spec, const struct vnrs_link_end *end)
{
    if (is_kept_down(spec, end))
        return 0;
    if (spec->kind != VNRS_LINK_TUNNEL)
        return IFF_UP;
    return end == &spec->a ? IFF_UP | IFF_NOARP : IFF_NOARP;
}

// The kernel would make as many queues as there are processors, and then wait for a grace period to use one of them.
static void put_end(struct nlmsghdr *msg, const struct vnrs_obj_link *spec, const struct vnrs_link_end *end)
{
    const struct vnrs_mac *mac = mac_of(spec, end);

    mnl_attr_put_u32(msg, IFLA_NUM_TX_QUEUES, 1);
    mnl_attr_put_u32(msg, IFLA_NUM_RX_QUEUES, 1);
    mnl_attr_put_strz(msg, IFLA_IFNAME, end->ifname);
    if (spec->mtu)
        mnl_attr_put_u32(msg, IFLA_MTU, spec->mtu);
    if (has_mac(mac))
        mnl_attr_put(msg, IFLA_ADDRESS, sizeof(*mac), mac);
}

static int create_pair(const struct vnrs_obj_link *spec, const struct vnrs_link_place *place)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = begin_link(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, spec->a.ifindex, NULL);

    put_end(msg, spec, &spec->a);
    struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
    mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(msg, VETH_INFO_PEER);
    struct ifinfomsg *peer_info = mnl_nlmsg_put_extra_header(msg, sizeof(*peer_info));
    peer_info->ifi_index = (int)spec->b.ifindex;
    put_end(msg, spec, &spec->b);
    mnl_attr_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)place->ns_b);
    mnl_attr_nest_end(msg, peer);
    mnl_attr_nest_end(msg, data);
    mnl_attr_nest_end(msg, info);
    return vnrs_rtnl_talk(place->a, msg, NULL, NULL);
}

// Alias, MTU, MAC and flags, as far as they differ. 1: differs, 0: agrees, or a negative errno.
static int sync_end(struct vnrs_rtnl *nl, const struct link_state *have, const struct vnrs_obj_link *spec,
                    const struct vnrs_link_end *end, const char *alias)
{
    const struct vnrs_mac *mac = mac_of(spec, end);
    const uint32_t flags = flags_of(spec, end);
    char buf[VNRS_RTNL_MSG_MAX];
    struct ifinfomsg *info;
    struct nlmsghdr *msg = begin_link(buf, RTM_NEWLINK, 0, have->ifindex, &info);
    bool differs = false;

    if (strcmp(have->alias, alias) != 0) {
        mnl_attr_put(msg, IFLA_IFALIAS, strlen(alias), alias);
        differs = true;
    }
    if (spec->mtu && have->mtu != spec->mtu) {
        mnl_attr_put_u32(msg, IFLA_MTU, spec->mtu);
        differs = true;
    }
    if (has_mac(mac) && memcmp(&have->mac, mac, sizeof(*mac)) != 0) {
        mnl_attr_put(msg, IFLA_ADDRESS, sizeof(*mac), mac);
        differs = true;
    }
    const uint32_t mask = is_kept_down(spec, end) ? flags | IFF_UP : flags;
    if ((have->flags & mask) != flags) {
        info->ifi_flags = flags;
        info->ifi_change = mask;
        differs = true;
    }
    if (!differs)
        return differs;
    int err = vnrs_rtnl_talk(nl, msg, NULL, NULL);
    return err < 0 ? err : 1;
}

// Without alias it is ours if it is a veth in a namespace of ours: made just before a kill. A container's own eth0
// looks the same.
static bool is_foreign(const struct link_state *have, const struct vnrs_link_end *end, const char *alias)
{
    bool half_made = have->veth && have->alias[0] == '\0' && end->ns.kind == VNRS_AG_NETNS_OURS;

    return have->exists && strcmp(have->alias, alias) != 0 && !half_made;
}

// Which end is somebody else's: 'a', 'b', or 0. End b in a namespace of others is ours also as the peer of an end a
// that is.
static char foreign_end(const struct vnrs_obj_link *spec, const struct link_state *a, const struct link_state *b,
                        const char *alias)
{
    if (is_foreign(a, &spec->a, alias))
        return 'a';
    bool half_made = b->veth && b->alias[0] == '\0' && a->exists && a->peer == b->ifindex && b->peer == a->ifindex;
    return is_foreign(b, &spec->b, alias) && !half_made ? 'b' : 0;
}

// Whether both ends are the two ends of one pair that can stay.
static bool is_usable(const struct vnrs_obj_link *spec, const struct link_state *a, const struct link_state *b)
{
    if (!a->exists || !b->exists || !a->veth || !b->veth || a->peer != b->ifindex || b->peer != a->ifindex)
        return false;
    return (!spec->a.ifindex || spec->a.ifindex == a->ifindex) && (!spec->b.ifindex || spec->b.ifindex == b->ifindex);
}

static int get_ends(const struct vnrs_obj_link *spec, const struct vnrs_link_place *place, struct link_state *ret_a,
                    struct link_state *ret_b)
{
    int err = get_link(place->a, spec->a.ifname, ret_a);
    return err < 0 ? err : get_link(place->b, spec->b.ifname, ret_b);
}

// 1: differed and was made right, 0: agrees.
static int sync_both(const struct vnrs_obj_link *spec, const struct vnrs_link_place *place, const char *alias,
                     const struct link_state *a, const struct link_state *b, struct vnrs_err *err)
{
    int end_a = sync_end(place->a, a, spec, &spec->a, alias);
    if (end_a < 0)
        return vnrs_rtnl_err(place->a, err, end_a, spec->a.ifname);
    int end_b = sync_end(place->b, b, spec, &spec->b, alias);
    if (end_b < 0)
        return vnrs_rtnl_err(place->b, err, end_b, spec->b.ifname);
    int addrs_a = sync_addrs(place->a, a, &spec->a, err);
    if (addrs_a < 0)
        return addrs_a;
    int addrs_b = sync_addrs(place->b, b, &spec->b, err);
    return addrs_b < 0 ? addrs_b : end_a || end_b || addrs_a || addrs_b;
}

// The index of a link that is there. Unlike a message this does not wait for the kernel's lock of all links.
static int get_index(const struct vnrs_rtnl *nl, const char *ifname, uint32_t *ret_index)
{
    struct ifreq request = {0};

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
    if (ioctl(nl->fd, SIOCGIFINDEX, &request) < 0)
        return -errno;
    *ret_index = (uint32_t)request.ifr_ifindex;
    return 0;
}

static struct link_state made_end(const struct vnrs_obj_link *spec, const struct vnrs_link_end *end, uint32_t ifindex,
                                  uint32_t peer)
{
    return (struct link_state){.exists = true,
                               .veth = true,
                               .fresh = true,
                               .ifindex = ifindex,
                               .peer = peer,
                               .mtu = spec->mtu,
                               .mac = *mac_of(spec, end)};
}

// Both ends are what was asked for, but for the indexes that the kernel chose.
static int create_both(const struct vnrs_obj_link *spec, const struct vnrs_link_place *place, struct link_state *ret_a,
                       struct link_state *ret_b)
{
    uint32_t a = 0, b = 0;
    int err = create_pair(spec, place);

    if (err == 0)
        err = get_index(place->a, spec->a.ifname, &a);
    if (err == 0)
        err = get_index(place->b, spec->b.ifname, &b);
    if (err < 0)
        return err;
    *ret_a = made_end(spec, &spec->a, a, b);
    *ret_b = made_end(spec, &spec->b, b, a);
    return 0;
}

static int make_pair(const struct vnrs_obj_link *spec, const struct vnrs_link_place *place, const char *alias,
                     struct link_state *a, struct link_state *b, struct vnrs_err *err)
{
    char foreign = foreign_end(spec, a, b, alias);
    if (foreign)
        return vnrs_err_set(err, -EEXIST, "there is a link '%s' in the namespace that is not ours",
                            foreign == 'a' ? spec->a.ifname : spec->b.ifname);
    int code = a->exists ? delete_link(place->a, a->ifindex) : 0;
    if (code == 0 && b->exists)
        code = delete_link(place->b, b->ifindex); // gone with its peer, if that was it
    if (code < 0)
        return vnrs_err_errno(err, code, "removing the old link '%s'", spec->a.ifname);
    code = create_both(spec, place, a, b);
    return code < 0 ? vnrs_rtnl_err(place->a, err, code, spec->a.ifname) : 0;
}

int vnrs_link_ensure(const char *lab, const char *key, const struct vnrs_obj_link *spec,
                     const struct vnrs_link_place *place, enum vnrs_ag_outcome *ret_outcome,
                     struct vnrs_link_index *ret_index, struct vnrs_err *err)
{
    char alias[VNRS_ALIAS_MAX];
    struct link_state a, b;
    bool created = place->fresh && create_both(spec, place, &a, &b) == 0; // the kernel refuses it where one is there
    int code = created ? 0 : get_ends(spec, place, &a, &b);

    (void)vnrs_mark_alias(lab, key, alias);
    if (code < 0)
        return vnrs_err_errno(err, code, "reading link '%s'", spec->a.ifname);
    if (!created && (foreign_end(spec, &a, &b, alias) || !is_usable(spec, &a, &b))) {
        code = make_pair(spec, place, alias, &a, &b, err);
        created = code == 0;
    }
    if (created && place->made)
        code = place->made(place->arg, place->a, a.ifindex, err);
    if (code < 0)
        return code;
    code = sync_both(spec, place, alias, &a, &b, err);
    if (code < 0)
        return code;
    *ret_outcome = created ? VNRS_AG_CREATED : code ? VNRS_AG_CHANGED : VNRS_AG_UNCHANGED;
    *ret_index = (struct vnrs_link_index){a.ifindex, b.ifindex};
    return 0;
}

struct walk {
    const char *lab, *key;
    void (*fn)(const char *key, uint32_t ifindex, void *arg);
    void *arg;
    uint32_t found;
};

static int walk_link(const struct nlmsghdr *msg, void *arg)
{
    struct walk *walk = arg;
    struct link_state state = {0};
    int err = read_link(msg, &state);
    const char *key = err < 0 ? NULL : vnrs_mark_alias_key(walk->lab, state.alias);

    if (key && walk->fn)
        walk->fn(key, state.ifindex, walk->arg);
    if (key && walk->key && strcmp(key, walk->key) == 0)
        walk->found = state.ifindex;
    return 0;
}

static int walk_links(struct vnrs_rtnl *nl, struct walk *walk)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = begin_link(buf, RTM_GETLINK, NLM_F_DUMP, 0, NULL);

    mnl_attr_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    return vnrs_rtnl_talk(nl, msg, walk_link, walk);
}

int vnrs_link_walk(const char *lab, struct vnrs_rtnl *nl, void (*fn)(const char *key, uint32_t ifindex, void *arg),
                   void *arg)
{
    struct walk walk = {.lab = lab, .fn = fn, .arg = arg};
    return walk_links(nl, &walk);
}

int vnrs_link_remove(const char *lab, const char *key, const struct vnrs_link_hint *hint, struct vnrs_rtnl *nl,
                     struct vnrs_err *err)
{
    struct walk walk = {.lab = lab, .key = key};
    struct link_state state = {0};
    char alias[VNRS_ALIAS_MAX];
    int code = hint ? get_link_by(nl, hint->ifindex, hint->ifname, &state) : 0;

    if (state.exists && strcmp(state.alias, vnrs_mark_alias(lab, key, alias)) == 0)
        walk.found = state.ifindex;
    else if (code == 0 && !(hint && hint->ifindex)) // by index it would have been found under any name
        code = walk_links(nl, &walk);
    if (code == 0 && walk.found)
        code = delete_link(nl, walk.found);
    if (code < 0)
        return vnrs_rtnl_err(nl, err, code, "removing a link");
    return walk.found != 0;
}
