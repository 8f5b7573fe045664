// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/rules.h"

#include "util/macros.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <string.h>
#include <sys/socket.h>

#define RULES         3u
#define NO_SUPPRESSOR UINT32_MAX

struct rule {
    uint8_t action;
    uint32_t table;
    uint32_t suppress; // routes of at most this length; NO_SUPPRESSOR: none
};

struct search {
    const char *ifname;
    struct rule want[RULES];
    bool found[RULES], right[RULES];
};

static struct search search_of(const char *ifname, uint32_t table)
{
    return (struct search){.ifname = ifname,
                           .want = {{FR_ACT_TO_TBL, table, NO_SUPPRESSOR},
                                    {FR_ACT_TO_TBL, RT_TABLE_MAIN, 0},
                                    {FR_ACT_UNREACHABLE, RT_TABLE_UNSPEC, NO_SUPPRESSOR}}};
}

static int read_rule(const struct nlmsghdr *msg, void *arg)
{
    struct search *s = arg;
    const struct fib_rule_hdr *head = mnl_nlmsg_get_payload(msg);
    struct rule rule = {.action = head->action, .table = head->table, .suppress = NO_SUPPRESSOR};
    uint32_t priority = 0;
    uint8_t protocol = 0;
    const char *iif = "";
    const struct nlattr *attr;

    mnl_attr_for_each(attr, msg, sizeof(*head))
    {
        switch (mnl_attr_get_type(attr)) {
        case FRA_PRIORITY:
            priority = mnl_attr_get_u32(attr);
            break;
        case FRA_PROTOCOL:
            protocol = mnl_attr_get_u8(attr);
            break;
        case FRA_TABLE:
            rule.table = mnl_attr_get_u32(attr);
            break;
        case FRA_SUPPRESS_PREFIXLEN:
            rule.suppress = mnl_attr_get_u32(attr);
            break;
        case FRA_IIFNAME:
            iif = mnl_attr_get_str(attr);
            break;
        default:
            break;
        }
    }
    unsigned i = priority - VNRS_RULES_PRIORITY;
    if (protocol != VNRS_RTPROT || i >= RULES)
        return 0;
    s->found[i] = true;
    s->right[i] = rule.action == s->want[i].action && rule.table == s->want[i].table &&
                  rule.suppress == s->want[i].suppress && strcmp(iif, s->ifname) == 0;
    return 0;
}

static struct nlmsghdr *begin_rule(void *buf, uint16_t type, uint16_t flags, unsigned i)
{
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, flags);
    struct fib_rule_hdr *head = mnl_nlmsg_put_extra_header(msg, sizeof(*head));

    head->family = AF_INET;
    if (type != RTM_GETRULE) { // a strict dump takes the family only
        mnl_attr_put_u32(msg, FRA_PRIORITY, VNRS_RULES_PRIORITY + i);
        mnl_attr_put_u8(msg, FRA_PROTOCOL, VNRS_RTPROT);
    }
    return msg;
}

static int find(struct search *s, struct vnrs_rtnl *nl, struct vnrs_err *err)
{
    char buf[VNRS_RTNL_MSG_MAX];
    int code = vnrs_rtnl_talk(nl, begin_rule(buf, RTM_GETRULE, NLM_F_DUMP, 0), read_rule, s);

    return code < 0 ? vnrs_rtnl_err(nl, err, code, "reading rules") : 0;
}

static int del(struct vnrs_rtnl *nl, unsigned i, struct vnrs_err *err)
{
    char buf[VNRS_RTNL_MSG_MAX];
    int code = vnrs_rtnl_talk(nl, begin_rule(buf, RTM_DELRULE, 0, i), NULL, NULL);

    return code < 0 && code != -ENOENT ? vnrs_rtnl_err(nl, err, code, "removing a rule") : 0;
}

static int add(struct vnrs_rtnl *nl, const struct search *s, unsigned i, struct vnrs_err *err)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct nlmsghdr *msg = begin_rule(buf, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, i);
    struct fib_rule_hdr *head = mnl_nlmsg_get_payload(msg);

    head->action = s->want[i].action;
    mnl_attr_put_strz(msg, FRA_IIFNAME, s->ifname);
    if (s->want[i].table)
        mnl_attr_put_u32(msg, FRA_TABLE, s->want[i].table);
    if (s->want[i].suppress != NO_SUPPRESSOR)
        mnl_attr_put_u32(msg, FRA_SUPPRESS_PREFIXLEN, s->want[i].suppress);
    int code = vnrs_rtnl_talk(nl, msg, NULL, NULL);
    return code < 0 ? vnrs_rtnl_err(nl, err, code, "adding a rule") : 0;
}

int vnrs_rules_ensure(const char *ifname, uint32_t table, struct vnrs_rtnl *nl, struct vnrs_err *err)
{
    struct search s = search_of(ifname, table);
    int code = find(&s, nl, err), done = 0;

    for (unsigned i = 0; i < RULES && code == 0; i++) {
        if (s.right[i])
            continue;
        if (s.found[i])
            code = del(nl, i, err);
        if (code == 0)
            code = add(nl, &s, i, err);
        done = 1;
    }
    return code < 0 ? code : done;
}

int vnrs_rules_remove(struct vnrs_rtnl *nl, struct vnrs_err *err)
{
    struct search s = search_of("", 0);
    int code = find(&s, nl, err);

    for (unsigned i = 0; i < RULES && code == 0; i++)
        code = s.found[i] ? del(nl, i, err) : 0;
    return code;
}
