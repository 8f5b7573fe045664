// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/nlfilter.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct tcmsg *start(struct vnrs_nlmsg *msg, uint16_t type, uint16_t flags, uint32_t ifindex)
{
    memset(msg, 0, sizeof(*msg));
    struct nlmsghdr *head = mnl_nlmsg_put_header(msg->bytes);
    head->nlmsg_type = type;
    head->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | flags;
    struct tcmsg *tc = mnl_nlmsg_put_extra_header(head, sizeof(*tc));
    tc->tcm_family = AF_UNSPEC;
    tc->tcm_ifindex = (int)ifindex;
    return tc;
}

void vnrs_nlfilter_encode_ingress(uint32_t ifindex, struct vnrs_nlmsg *ret_msg)
{
    struct tcmsg *tc = start(ret_msg, RTM_NEWQDISC, NLM_F_EXCL, ifindex);

    tc->tcm_parent = TC_H_INGRESS;
    tc->tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0);
    mnl_attr_put_strz((struct nlmsghdr *)ret_msg->bytes, TCA_KIND, "ingress");
}

void vnrs_nlfilter_encode(uint32_t ifindex, int program, struct vnrs_nlmsg *ret_msg)
{
    struct tcmsg *tc = start(ret_msg, RTM_NEWTFILTER, NLM_F_REPLACE, ifindex);
    struct nlmsghdr *head = (struct nlmsghdr *)ret_msg->bytes;

    tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
    tc->tcm_handle = VNRS_NLFILTER_HANDLE;
    tc->tcm_info = TC_H_MAKE(VNRS_NLFILTER_PRIORITY << 16, htons(ETH_P_ALL));
    mnl_attr_put_strz(head, TCA_KIND, "bpf");
    struct nlattr *options = mnl_attr_nest_start(head, TCA_OPTIONS);
    mnl_attr_put_u32(head, TCA_BPF_FD, (uint32_t)program);
    mnl_attr_put_strz(head, TCA_BPF_NAME, "forward");
    mnl_attr_put_u32(head, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
    mnl_attr_nest_end(head, options);
}
