// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/link_stats.h"

#include "util/macros.h"

#include <linux/if_link.h>
#include <string.h>

struct walk {
    void (*fn)(const struct vnrs_link_stats *stats, void *arg);
    void *arg;
};

static int take_link(const struct nlmsghdr *msg, void *arg)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
    struct vnrs_link_stats stats = {.ifindex = (uint32_t)info->ifi_index, .name = ""};
    struct rtnl_link_stats64 raw = {0};
    const struct walk *walk = arg;
    struct nlattr *attr;

    if (msg->nlmsg_type != RTM_NEWLINK)
        return 0;
    mnl_attr_for_each(attr, msg, sizeof(*info))
    {
        // Newer kernels append to it.
        if (mnl_attr_get_type(attr) == IFLA_STATS64)
            memcpy(&raw, mnl_attr_get_payload(attr), MIN(sizeof(raw), mnl_attr_get_payload_len(attr)));
        else if (mnl_attr_get_type(attr) == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
            stats.name = mnl_attr_get_str(attr);
    }
    stats.rx_packets = raw.rx_packets;
    stats.rx_bytes = raw.rx_bytes;
    stats.tx_packets = raw.tx_packets;
    stats.tx_bytes = raw.tx_bytes;
    walk->fn(&stats, walk->arg);
    return 0;
}

int vnrs_link_stats_walk(struct vnrs_rtnl *nl, void (*fn)(const struct vnrs_link_stats *stats, void *arg), void *arg)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct walk walk = {fn, arg};
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, RTM_GETLINK, NLM_F_DUMP);

    (void)mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
    return vnrs_rtnl_talk(nl, msg, take_link, &walk);
}
