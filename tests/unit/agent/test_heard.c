// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/heard.h"

#include "vnrs/rtprot.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/nexthop.h>
#include <linux/pkt_sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define FABRIC_END 17u
#define GUEST_END  2u

struct world {
    struct vnrs_agentd ad;
    struct vnrs_agentd_lab lab;
    struct vnrs_agentd_object link, netns, fabric;
    struct vnrs_agentd_place in_fabric, in_guest, in_nft;
    char buf[1024] __attribute__((aligned(8)));
};

static void add(struct world *w, struct vnrs_agentd_object *object, uint32_t type, const char *key)
{
    object->lab = &w->lab;
    object->obj.type = type;
    (void)snprintf(object->obj.key, sizeof(object->obj.key), "%s", key);
    (void)snprintf(object->id, sizeof(object->id), "%u:%s", type, key);
    assert_int_equal(vnrs_map_put(&w->lab.objects, object->id, strlen(object->id), object), 0);
}

static int setup(void **state)
{
    static struct world w;

    memset(&w, 0, sizeof(w));
    w.ad.base = event_base_new();
    assert_non_null(w.ad.base);
    w.lab.ad = &w.ad;
    (void)snprintf(w.lab.name, sizeof(w.lab.name), "x");
    add(&w, &w.fabric, VNRS_OBJ_FABRIC, "fabric");
    add(&w, &w.netns, VNRS_OBJ_NETNS, "vm");
    add(&w, &w.link, VNRS_OBJ_LINK, "vm/eth0");
    w.fabric.spec.fabric.dataplane = 1;
    w.netns.spec.netns.flags = VNRS_NETNS_FORWARD;
    struct vnrs_obj_link *link = &w.link.spec.link;
    link->kind = VNRS_LINK_NIC;
    link->mtu = 1500;
    (void)snprintf(link->a.ifname, sizeof(link->a.ifname), "v1");
    (void)snprintf(link->b.ifname, sizeof(link->b.ifname), "eth0");
    (void)snprintf(link->b.ns.name, sizeof(link->b.ns.name), "vm");
    link->b.n_addrs = 1;
    link->b.addrs[0] = (struct vnrs_ag_ifaddr){.addr = {.family = VNRS_AF_IPV4, .bytes = {10, 0, 0, 4}}, .len = 24};
    w.link.index = (struct vnrs_link_index){FABRIC_END, GUEST_END};
    w.in_fabric = (struct vnrs_agentd_place){.lab = &w.lab,
                                             .owner = w.fabric.obj,
                                             .fabric = true,
                                             .groups = {.links = true, .routes = true, .neighbours = true}};
    w.in_guest =
        (struct vnrs_agentd_place){.lab = &w.lab, .owner = w.netns.obj, .groups = {.links = true, .own_routes = true}};
    w.in_nft = (struct vnrs_agentd_place){.lab = &w.lab, .owner = w.fabric.obj, .nft_table = "vnrs"};
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->lab.suspect_timer)
        event_free(w->lab.suspect_timer);
    vnrs_map_fini(&w->lab.objects);
    event_base_free(w->ad.base);
    return 0;
}

// Whether it is suspected, and as what.
static const char *suspected(struct world *w, const struct vnrs_agentd_place *place, const struct nlmsghdr *msg,
                             const struct vnrs_agentd_object *except)
{
    w->lab.is_suspect = false;
    vnrs_agentd_heard(place, msg, except);
    return w->lab.is_suspect ? w->lab.suspect.key : "";
}

static void *begin(struct world *w, uint16_t type, size_t size)
{
    struct nlmsghdr *msg = mnl_nlmsg_put_header(w->buf);

    msg->nlmsg_type = type;
    msg->nlmsg_pid = 4711;
    return mnl_nlmsg_put_extra_header(msg, size);
}

static struct nlmsghdr *link_message(struct world *w, uint32_t ifindex, const char *ifname, const char *alias,
                                     unsigned flags, uint32_t mtu)
{
    struct ifinfomsg *info = begin(w, RTM_NEWLINK, sizeof(*info));
    struct nlmsghdr *msg = (void *)w->buf;

    info->ifi_index = (int)ifindex;
    info->ifi_flags = flags;
    mnl_attr_put_strz(msg, IFLA_IFNAME, ifname);
    mnl_attr_put_strz(msg, IFLA_IFALIAS, alias);
    mnl_attr_put_u32(msg, IFLA_MTU, mtu);
    return msg;
}

static void links_are_compared_with_what_is_wanted(void **state)
{
    static const struct {
        const char *what, *ifname, *alias;
        uint32_t ifindex, mtu;
        unsigned flags;
        const char *key;
    } rows[] = {
        {"right", "eth0", "vnrs:x:vm/eth0", GUEST_END, 1500, IFF_UP | IFF_LOWER_UP, ""},
        {"down", "eth0", "vnrs:x:vm/eth0", GUEST_END, 1500, 0, "vm/eth0"},
        {"no carrier", "eth0", "vnrs:x:vm/eth0", GUEST_END, 1500, IFF_UP, "vm/eth0"},
        {"MTU", "eth0", "vnrs:x:vm/eth0", GUEST_END, 1400, IFF_UP | IFF_LOWER_UP, "vm/eth0"},
        {"alias", "eth0", "mine", GUEST_END, 1500, IFF_UP | IFF_LOWER_UP, "vm/eth0"},
        {"name", "eth7", "vnrs:x:vm/eth0", GUEST_END, 1500, IFF_UP | IFF_LOWER_UP, "vm/eth0"},
        {"an earlier one", "eth0", "vnrs:x:vm/eth0", 99, 1500, 0, ""},
        {"of others", "eth1", "", 5, 1500, 0, ""},
        {"lo down", "lo", "", 1, 65536, 0, "vm"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct nlmsghdr *msg =
            link_message(w, rows[i].ifindex, rows[i].ifname, rows[i].alias, rows[i].flags, rows[i].mtu);
        print_message("%s\n", rows[i].what);
        assert_string_equal(suspected(w, &w->in_guest, msg, NULL), rows[i].key);
        if (rows[i].ifindex == GUEST_END)
            assert_string_equal(suspected(w, &w->in_guest, msg, &w->link), "");
    }
}

static const struct nlmsghdr *addr_message(struct world *w, uint32_t ifindex, uint8_t last, uint32_t pid)
{
    struct ifaddrmsg *info = begin(w, RTM_DELADDR, sizeof(*info));
    struct nlmsghdr *msg = (void *)w->buf;
    const uint8_t addr[4] = {10, 0, 0, last};

    msg->nlmsg_pid = pid;
    info->ifa_index = ifindex;
    info->ifa_family = 2;
    mnl_attr_put(msg, IFA_ADDRESS, sizeof(addr), addr);
    mnl_attr_put_u8(msg, IFA_PROTO, VNRS_RTPROT);
    return msg;
}

static void addresses_that_are_wanted_count(void **state)
{
    struct world *w = *state;

    assert_string_equal(suspected(w, &w->in_guest, addr_message(w, GUEST_END, 4, 0), NULL), "vm/eth0");
    assert_string_equal(suspected(w, &w->in_guest, addr_message(w, GUEST_END, 4, 0), &w->link), "");
    assert_string_equal(suspected(w, &w->in_guest, addr_message(w, GUEST_END, 5, 9), NULL), "");
    assert_string_equal(suspected(w, &w->in_guest, addr_message(w, 9, 4, 0), NULL), "");
    assert_string_equal(suspected(w, &w->in_guest, addr_message(w, 9, 4, 7), NULL), "vm");
}

static const struct nlmsghdr *qdisc_message(struct world *w, uint32_t ifindex, uint32_t handle)
{
    struct tcmsg *tc = begin(w, RTM_DELQDISC, sizeof(*tc));

    tc->tcm_ifindex = (int)ifindex;
    tc->tcm_handle = handle;
    return (void *)w->buf;
}

static void qdiscs_of_ours_count(void **state)
{
    struct world *w = *state;

    assert_string_equal(suspected(w, &w->in_guest, qdisc_message(w, GUEST_END, 0x766e0000), NULL), "vm/eth0");
    assert_string_equal(suspected(w, &w->in_fabric, qdisc_message(w, FABRIC_END, 0x766e0000), NULL), "vm/eth0");
    assert_string_equal(suspected(w, &w->in_guest, qdisc_message(w, GUEST_END, 0x10000), NULL), "");
    assert_string_equal(suspected(w, &w->in_guest, qdisc_message(w, 5, 0x766e0000), NULL), "");
    // There is no filter of ours with the kernel's data plane.
    assert_string_equal(suspected(w, &w->in_fabric, qdisc_message(w, FABRIC_END, 0xffff0000), NULL), "");
}

static const struct nlmsghdr *setting(struct world *w, int ifindex, uint16_t attr, int value)
{
    struct netconfmsg *conf = begin(w, RTM_NEWNETCONF, sizeof(*conf));
    struct nlmsghdr *msg = (void *)w->buf;

    conf->ncm_family = 2;
    mnl_attr_put_u32(msg, NETCONFA_IFINDEX, (uint32_t)ifindex);
    mnl_attr_put_u32(msg, attr, (uint32_t)value);
    return msg;
}

static void settings_are_compared_with_what_is_wanted(void **state)
{
    struct world *w = *state;
    const int all = NETCONFA_IFINDEX_ALL;

    assert_string_equal(suspected(w, &w->in_guest, setting(w, all, NETCONFA_FORWARDING, 1), NULL), "");
    assert_string_equal(suspected(w, &w->in_guest, setting(w, all, NETCONFA_FORWARDING, 0), NULL), "vm");
    assert_string_equal(suspected(w, &w->in_guest, setting(w, all, NETCONFA_RP_FILTER, 1), NULL), "vm");
    assert_string_equal(suspected(w, &w->in_guest, setting(w, GUEST_END, NETCONFA_FORWARDING, 0), NULL), "");
    assert_string_equal(suspected(w, &w->in_fabric, setting(w, all, NETCONFA_FORWARDING, 1), NULL), "");
    assert_string_equal(suspected(w, &w->in_fabric, setting(w, FABRIC_END, NETCONFA_PROXY_NEIGH, 0), NULL), "fabric");
    assert_string_equal(suspected(w, &w->in_fabric, setting(w, FABRIC_END, NETCONFA_PROXY_NEIGH, 0), &w->link), "");
    assert_string_equal(suspected(w, &w->in_fabric, setting(w, 5, NETCONFA_PROXY_NEIGH, 0), NULL), "");
}

static const struct nlmsghdr *nexthop(struct world *w, uint16_t type, uint16_t flags, uint32_t id)
{
    (void)begin(w, type, sizeof(struct nhmsg));
    struct nlmsghdr *msg = (void *)w->buf;
    msg->nlmsg_flags = flags;
    mnl_attr_put_u32(msg, NHA_ID, id);
    return msg;
}

static void next_hops_of_ours_count(void **state)
{
    struct world *w = *state;

    assert_string_equal(suspected(w, &w->in_fabric, nexthop(w, RTM_DELNEXTHOP, 0, 0x56000001), NULL), "fabric");
    assert_string_equal(suspected(w, &w->in_fabric, nexthop(w, RTM_DELNEXTHOP, 0, 7), NULL), "");
    assert_string_equal(suspected(w, &w->in_fabric, nexthop(w, RTM_NEWNEXTHOP, NLM_F_REPLACE, 0x56000001), NULL),
                        "fabric");
    assert_string_equal(suspected(w, &w->in_fabric, nexthop(w, RTM_NEWNEXTHOP, 0, 0x56000001), NULL), "");
    assert_string_equal(suspected(w, &w->in_guest, nexthop(w, RTM_DELNEXTHOP, 0, 0x56000001), NULL), "");
}

static const struct nlmsghdr *nftables(struct world *w, uint16_t type, const char *table)
{
    (void)begin(w, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), sizeof(struct nfgenmsg));
    struct nlmsghdr *msg = (void *)w->buf;
    if (table)
        mnl_attr_put_strz(msg, NFTA_TABLE_NAME, table);
    return msg;
}

static void the_table_of_ours_counts(void **state)
{
    struct world *w = *state;

    assert_string_equal(suspected(w, &w->in_nft, nftables(w, NFT_MSG_DELTABLE, "vnrs"), NULL), "fabric");
    assert_string_equal(suspected(w, &w->in_nft, nftables(w, NFT_MSG_NEWRULE, "vnrs"), NULL), "fabric");
    assert_string_equal(suspected(w, &w->in_nft, nftables(w, NFT_MSG_DELTABLE, "vnrsx"), NULL), "");
    assert_string_equal(suspected(w, &w->in_nft, nftables(w, NFT_MSG_NEWGEN, "vnrs"), NULL), "");
    assert_string_equal(suspected(w, &w->in_nft, nftables(w, NFT_MSG_DELTABLE, NULL), NULL), "");
    assert_string_equal(suspected(w, &w->in_fabric, nftables(w, NFT_MSG_DELTABLE, "vnrs"), NULL), "");
}

static void lost_messages_are_suspect(void **state)
{
    struct world *w = *state;

    vnrs_agentd_heard_lost(&w->in_guest);
    assert_true(w->lab.is_suspect);
    assert_string_equal(w->lab.suspect.key, "vm");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(links_are_compared_with_what_is_wanted),
        TEST(addresses_that_are_wanted_count),
        TEST(qdiscs_of_ours_count),
        TEST(settings_are_compared_with_what_is_wanted),
        TEST(next_hops_of_ours_count),
        TEST(the_table_of_ours_counts),
        TEST(lost_messages_are_suspect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
