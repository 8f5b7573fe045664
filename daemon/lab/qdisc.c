// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/qdisc.h"

#include "util/macros.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <string.h>

#define HANDLE      VNRS_QDISC_HANDLE
#define TICK_NS     64     // PSCHED_SHIFT of the kernel: what it counts times in
#define FRAME_MAX   9100   // the longest that a NIC may send, with its header
#define BURST_US    4000   // what may go at once after a pause
#define QUEUE_US    50000  // what waits at most
#define NETEM_LIMIT 100000 // packets: a delay must not become a loss
#define LOOPBACK    1

struct root { // the qdisc at the root of a link
    bool exists, netem, tbf;
    uint32_t handle;
    uint64_t rate_bps;
    uint32_t limit, latency, jitter, loss;
};

struct query {
    uint32_t ifindex;
    struct root root;
};

// ---- what is there

static void read_tbf(const struct nlattr *options, struct root *root)
{
    struct nlattr *attr;

    mnl_attr_for_each_nested(attr, options)
    {
        if (mnl_attr_get_type(attr) == TCA_TBF_PARMS && mnl_attr_get_payload_len(attr) >= sizeof(struct tc_tbf_qopt)) {
            struct tc_tbf_qopt qopt;
            memcpy(&qopt, mnl_attr_get_payload(attr), sizeof(qopt));
            root->limit = qopt.limit;
            root->rate_bps = root->rate_bps ? root->rate_bps : (uint64_t)qopt.rate.rate * 8;
        } else if (mnl_attr_get_type(attr) == TCA_TBF_RATE64) {
            root->rate_bps = mnl_attr_get_u64(attr) * 8;
        }
    }
}

static void read_netem(const struct nlattr *options, struct root *root)
{
    struct tc_netem_qopt qopt;
    const struct nlattr *attr;

    if (mnl_attr_get_payload_len(options) < sizeof(qopt))
        return;
    memcpy(&qopt, mnl_attr_get_payload(options), sizeof(qopt));
    root->latency = qopt.latency;
    root->jitter = qopt.jitter;
    root->limit = qopt.limit;
    root->loss = qopt.loss;
    const char *at = (const char *)mnl_attr_get_payload(options) + MNL_ALIGN(sizeof(qopt));
    size_t left = mnl_attr_get_payload_len(options) - MIN(MNL_ALIGN(sizeof(qopt)), mnl_attr_get_payload_len(options));
    for (attr = (const void *)at; mnl_attr_ok(attr, (int)left);
         left -= MNL_ALIGN(attr->nla_len), attr = mnl_attr_next(attr)) {
        struct tc_netem_rate rate;
        if (mnl_attr_get_type(attr) == TCA_NETEM_RATE && mnl_attr_get_payload_len(attr) >= sizeof(rate)) {
            memcpy(&rate, mnl_attr_get_payload(attr), sizeof(rate));
            root->rate_bps = root->rate_bps ? root->rate_bps : (uint64_t)rate.rate * 8;
        } else if (mnl_attr_get_type(attr) == TCA_NETEM_RATE64) {
            root->rate_bps = mnl_attr_get_u64(attr) * 8;
        }
    }
}

static int take_qdisc(const struct nlmsghdr *msg, void *arg)
{
    struct query *query = arg;
    const struct tcmsg *tc = mnl_nlmsg_get_payload(msg);
    const struct nlattr *options = NULL;
    struct nlattr *attr;

    if (msg->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != (int)query->ifindex || tc->tcm_parent != TC_H_ROOT)
        return 0;
    struct root root = {.exists = tc->tcm_handle != 0, .handle = tc->tcm_handle}; // without a handle: the default one
    mnl_attr_for_each(attr, msg, sizeof(*tc))
    {
        if (mnl_attr_get_type(attr) == TCA_KIND) {
            root.netem = strcmp(mnl_attr_get_str(attr), "netem") == 0;
            root.tbf = strcmp(mnl_attr_get_str(attr), "tbf") == 0;
        } else if (mnl_attr_get_type(attr) == TCA_OPTIONS) {
            options = attr;
        }
    }
    if (options && root.tbf)
        read_tbf(options, &root);
    if (options && root.netem)
        read_netem(options, &root);
    query->root = root;
    return 0;
}

static struct nlmsghdr *begin(void *buf, uint16_t type, uint16_t flags, uint32_t ifindex)
{
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, type, flags);
    struct tcmsg *tc = mnl_nlmsg_put_extra_header(msg, sizeof(*tc));

    tc->tcm_family = AF_UNSPEC;
    tc->tcm_ifindex = (int)ifindex;
    if (type != RTM_GETQDISC)
        tc->tcm_parent = TC_H_ROOT;
    return msg;
}

static int get_root(struct vnrs_rtnl *nl, uint32_t ifindex, struct root *ret_root)
{
    struct query query = {.ifindex = ifindex};
    char buf[VNRS_RTNL_MSG_MAX];
    int err = vnrs_rtnl_talk(nl, begin(buf, RTM_GETQDISC, NLM_F_DUMP, ifindex), take_qdisc, &query);

    *ret_root = query.root;
    return err;
}

// ---- what is wanted

static uint32_t ticks(uint64_t us)
{
    return (uint32_t)MIN(us * 1000 / TICK_NS, (uint64_t)UINT32_MAX);
}

static uint64_t bytes_in(uint64_t rate_bps, uint64_t us)
{
    return rate_bps / 8 * us / 1000000;
}

// Nothing of it: the root shall not be ours.
static struct root root_for(const struct vnrs_impair *impair, bool with_loss)
{
    struct root root = {.handle = HANDLE};
    uint32_t loss_ppm = with_loss ? impair->loss_ppm : 0;

    root.netem = impair->delay_us || loss_ppm;
    root.tbf = !root.netem && impair->rate_kbit;
    root.exists = root.netem || root.tbf;
    root.rate_bps = impair->rate_kbit * 1000ull;
    if (root.tbf)
        root.limit = (uint32_t)MIN(MAX(bytes_in(root.rate_bps, QUEUE_US), 4ull * FRAME_MAX), (uint64_t)INT32_MAX);
    if (root.netem) {
        root.limit = NETEM_LIMIT;
        root.latency = ticks(impair->delay_us);
        root.jitter = ticks(impair->jitter_us);
        root.loss = (uint32_t)(((uint64_t)loss_ppm * UINT32_MAX + VNRS_LOSS_PPM_MAX / 2) / VNRS_LOSS_PPM_MAX);
    }
    return root;
}

static bool is_same(const struct root *have, const struct root *want)
{
    if (!want->exists)
        return !have->exists || have->handle != HANDLE;
    return have->exists && have->handle == want->handle && have->netem == want->netem && have->tbf == want->tbf &&
           have->rate_bps == want->rate_bps && have->limit == want->limit && have->latency == want->latency &&
           have->jitter == want->jitter && have->loss == want->loss;
}

static void put_tbf(struct nlmsghdr *msg, const struct root *root)
{
    uint64_t rate = root->rate_bps / 8;
    uint32_t burst = (uint32_t)MIN(MAX(bytes_in(root->rate_bps, BURST_US), 2ull * FRAME_MAX), (uint64_t)INT32_MAX);
    struct tc_tbf_qopt qopt = {
        .rate = {.linklayer = TC_LINKLAYER_ETHERNET, .rate = (uint32_t)MIN(rate, (uint64_t)UINT32_MAX)},
        .limit = root->limit};

    struct nlattr *options = mnl_attr_nest_start(msg, TCA_OPTIONS);
    mnl_attr_put(msg, TCA_TBF_PARMS, sizeof(qopt), &qopt);
    mnl_attr_put_u32(msg, TCA_TBF_BURST, burst);
    if (rate > UINT32_MAX)
        mnl_attr_put_u64(msg, TCA_TBF_RATE64, rate);
    mnl_attr_nest_end(msg, options);
}

static void put_netem(struct nlmsghdr *msg, const struct root *root)
{
    uint64_t rate64 = root->rate_bps / 8;
    struct tc_netem_qopt qopt = {
        .latency = root->latency, .limit = root->limit, .loss = root->loss, .jitter = root->jitter};
    struct tc_netem_rate rate = {.rate = (uint32_t)MIN(rate64, (uint64_t)UINT32_MAX)};
    struct nlattr *options = mnl_attr_nest_start(msg, TCA_OPTIONS);

    (void)memcpy(mnl_nlmsg_get_payload_tail(msg), &qopt, sizeof(qopt));
    msg->nlmsg_len += MNL_ALIGN(sizeof(qopt));
    if (rate64 > UINT32_MAX)
        mnl_attr_put_u64(msg, TCA_NETEM_RATE64, rate64);
    if (rate64)
        mnl_attr_put(msg, TCA_NETEM_RATE, sizeof(rate), &rate);
    mnl_attr_nest_end(msg, options);
}

static struct nlmsghdr *encode(void *buf, uint32_t ifindex, const struct root *root)
{
    struct nlmsghdr *msg = begin(buf, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex);
    struct tcmsg *tc = mnl_nlmsg_get_payload(msg);

    tc->tcm_handle = root->handle;
    mnl_attr_put_strz(msg, TCA_KIND, root->netem ? "netem" : "tbf");
    if (root->netem)
        put_netem(msg, root);
    else
        put_tbf(msg, root);
    return msg;
}

struct nlmsghdr *vnrs_qdisc_encode(void *buf, uint32_t ifindex, const struct vnrs_impair *impair, bool with_loss)
{
    const struct root root = root_for(impair, with_loss);

    return root.exists ? encode(buf, ifindex, &root) : NULL;
}

static int put_root(struct vnrs_rtnl *nl, uint32_t ifindex, const struct root *root)
{
    char buf[VNRS_RTNL_MSG_MAX];

    return vnrs_rtnl_talk(nl, encode(buf, ifindex, root), NULL, NULL);
}

static int delete_root(struct vnrs_rtnl *nl, uint32_t ifindex)
{
    char buf[VNRS_RTNL_MSG_MAX];
    int err = vnrs_rtnl_talk(nl, begin(buf, RTM_DELQDISC, 0, ifindex), NULL, NULL);

    return err == -ENOENT || err == -EINVAL ? 0 : err; // gone meanwhile
}

// ---- for others

bool vnrs_qdisc_is_right(struct vnrs_rtnl *nl, uint32_t ifindex, const struct vnrs_impair *impair, bool with_loss)
{
    struct root have, want = root_for(impair, with_loss);

    return get_root(nl, ifindex, &have) == 0 && is_same(&have, &want);
}

static int refuse(const struct root *want, const struct vnrs_impair *impair, struct vnrs_err *err)
{
    if (want->tbf)
        return vnrs_err_set(err, -EOPNOTSUPP, "a rate needs the kernel's sch_tbf, which this kernel does not have");
    return vnrs_err_set(err, -EOPNOTSUPP, "%s needs the kernel's sch_netem, which this kernel does not have",
                        impair->delay_us ? "delay" : "loss with the kernel's data plane");
}

int vnrs_qdisc_set(struct vnrs_rtnl *nl, uint32_t ifindex, const struct vnrs_impair *impair, bool with_loss,
                   struct vnrs_err *err)
{
    struct root have, want = root_for(impair, with_loss);
    int code = get_root(nl, ifindex, &have);

    if (code < 0)
        return vnrs_rtnl_err(nl, err, code, "queueing discipline");
    if (is_same(&have, &want))
        return 0;
    if (have.exists && have.handle != HANDLE)
        return vnrs_err_set(err, -EEXIST, "the link has a queueing discipline at its root that is not ours");
    // The kernel changes one of another kind only when the old one is gone.
    if (have.exists && (!want.exists || have.netem != want.netem))
        code = delete_root(nl, ifindex);
    if (code == 0 && want.exists)
        code = put_root(nl, ifindex, &want);
    if (code == -ENOENT || code == -EOPNOTSUPP)
        return refuse(&want, impair, err);
    return code < 0 ? vnrs_rtnl_err(nl, err, code, "queueing discipline") : 1;
}

int vnrs_qdisc_probe(struct vnrs_rtnl *nl, struct vnrs_qdisc_kinds *ret_kinds)
{
    const struct root tbf = {.handle = HANDLE, .tbf = true, .rate_bps = 1000000, .limit = FRAME_MAX};
    const struct root netem = {.handle = HANDLE, .netem = true, .latency = 1, .limit = 1};
    int has_tbf = put_root(nl, LOOPBACK, &tbf);

    if (has_tbf == 0)
        (void)delete_root(nl, LOOPBACK);
    int has_netem = put_root(nl, LOOPBACK, &netem);
    if (has_netem == 0)
        (void)delete_root(nl, LOOPBACK);
    if (has_tbf == -EPERM || has_netem == -EPERM)
        return -EPERM;
    *ret_kinds = (struct vnrs_qdisc_kinds){.tbf = has_tbf == 0, .netem = has_netem == 0};
    return 0;
}
