// SPDX-License-Identifier: GPL-2.0-or-later
// Random packets of random topologies through the program, by test runs, against the model: same verdict, reason, next
// hop and bytes; the packets of a flow go one way, and where a load balancer chooses it, both directions of it; nobody
// gets what the file does not let him have; everything is counted, and once.
//
//   bpf_test_diff [--seed N] [--topologies N] [--frames N] [--topology N [--frame N]]
//
// --topology checks only that one (those before it are applied),
// --frame only that frame.
#include "diff_args.h"
#include "diff_coverage.h"
#include "diff_lab.h"
#include "fixture.h"

#include "util/hash.h"
#include "util/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>
#include <linux/pkt_cls.h>

#define LINKS      64u
#define FLOWS      (1u << 14)
#define IPV4_LEAST 34u // the kernel takes no shorter frames for test runs
#define IPV6_LEAST 54u

struct flow { // what packets that must go one way have in common
    uint64_t key;
    uint32_t to;
};

struct counters {
    struct vnrs_bpf_nic_counters nic[VNRS_IFINDEX_FIRST + LINKS];
    struct vnrs_bpf_counter drops[_VNRS_DROP_MAX], types[_VNRS_NH_MAX];
};

static struct diff_args args;
static struct fixture fx;
static struct flow flows[FLOWS];
static struct counters expected; // what the program's counters shall be after this topology
static struct diff_coverage met; // by all frames
static uint64_t runs, untold;    // frames of this topology, and those that were neither forwarded nor dropped
static bool complete;            // all topologies were looked at
static uint64_t returned;        // frames that went the other way of a balanced flow

struct check { // one frame
    const struct diff_lab *lab;
    uint64_t number;
    struct random_frame frame;
    struct pm_result result;
};

#define FAIL(c, ...) diff_lab_fail((c)->lab, (c)->number, &(c)->frame, &(c)->result, __VA_ARGS__)

static void run_frame_at(struct check *c, uint32_t ifindex, struct __sk_buff *ret_ctx, uint32_t *ret_value,
                         struct frame *ret_out)
{
    static uint32_t spoiled_mark;
    struct __sk_buff in = {.ifindex = ifindex, .mark = ++spoiled_mark};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = c->frame.bytes, .data_size_in = (uint32_t)c->frame.len,
                .data_out = ret_out->bytes, .data_size_out = sizeof(ret_out->bytes), .ctx_in = &in,
                .ctx_size_in = sizeof(in), .ctx_out = ret_ctx, .ctx_size_out = sizeof(*ret_ctx), .repeat = 1);

    int r = bpf_prog_test_run_opts(vnrs_bpf_dataplane_program(fx.dp), &opts);
    if (r)
        FAIL(c, "test run: %s", strerror(-r));
    runs++;
    *ret_value = opts.retval;
    ret_out->len = opts.data_size_out;
}

static void run_frame(struct check *c, struct __sk_buff *ret_ctx, uint32_t *ret_value, struct frame *ret_out)
{
    run_frame_at(c, c->frame.from->ifindex, ret_ctx, ret_value, ret_out);
}

// ---- flows

// From one NIC: addresses and protocol, and the ports of what is no fragment (azure-routing.md section 10).
static uint64_t flow_key(const struct check *c)
{
    const struct pm_packet *p = &c->result.packet;
    const struct {
        struct vnrs_addr src, dst;
        uint16_t sport, dport, from;
        uint8_t protocol;
    } __attribute__((packed)) key = {p->src, p->dst, p->sport, p->dport, (uint16_t)c->frame.from->ifindex, p->protocol};

    return vnrs_hash_bytes(&key, sizeof(key)) | 1;
}

static void check_flow(const struct check *c, uint32_t to)
{
    uint64_t key = flow_key(c);

    for (unsigned at = (uint32_t)(key >> 20) % FLOWS, n = 0; n < 8; n++, at = (at + 1) % FLOWS) {
        if (flows[at].key == key && flows[at].to != to)
            FAIL(c, "an earlier packet of the flow went to next hop %u, this one to %u", flows[at].to, to);
        if (flows[at].key && flows[at].key != key)
            continue;
        flows[at] = (struct flow){key, to};
        return;
    }
}

// ---- one frame

static bool is_decision(const struct pm_outcome *o, const struct __sk_buff *ctx)
{
    return o->verdict == ctx->cb[VNRS_BPF_CB_VERDICT] && o->reason == ctx->cb[VNRS_BPF_CB_REASON] &&
           (o->verdict != VNRS_BPF_VERDICT_FORWARD ||
            (o->to->ifindex == ctx->cb[VNRS_BPF_CB_IFINDEX] &&
             VNRS_BPF_ACCOUNT(o->type, o->billing) == ctx->cb[VNRS_BPF_CB_ACCOUNT]));
}

// The outcome that the program's decision and what it made of the frame are right for.
static const struct pm_outcome *find_outcome(struct check *c, const struct __sk_buff *ctx, const struct frame *out)
{
    const char *wrong = NULL;

    for (unsigned i = 0; i < c->result.n; i++) {
        const struct pm_outcome *o = &c->result.outcomes[i];
        if (!is_decision(o, ctx))
            continue;
        wrong = pm_bytes_wrong(c->frame.from, &c->result, o, c->frame.bytes, c->frame.len, out->bytes, out->len);
        if (!wrong)
            return o;
    }
    FAIL(c, "the program says: verdict %u, reason %u, class and type %#x, interface %u%s%s",
         ctx->cb[VNRS_BPF_CB_VERDICT], ctx->cb[VNRS_BPF_CB_REASON], ctx->cb[VNRS_BPF_CB_ACCOUNT],
         ctx->cb[VNRS_BPF_CB_IFINDEX], wrong ? "; the bytes: " : "", wrong ? wrong : "");
}

static void add(struct vnrs_bpf_counter *counter, size_t bytes)
{
    counter->packets++;
    counter->bytes += bytes;
}

static void read_counters(struct counters *ret)
{
    for (unsigned i = VNRS_IFINDEX_FIRST; i < VNRS_IFINDEX_FIRST + LINKS; i++)
        assert_int_equal(vnrs_bpf_counters_nic(fx.dp, i, &ret->nic[i]), 0);
    assert_int_equal(vnrs_bpf_counters_drop(fx.dp, ret->drops), 0);
    fixture_type_counters(&fx, VNRS_IFINDEX_FIRST + LINKS, ret->types);
}

static void count(const struct check *c, const struct pm_outcome *outcome, size_t out_len)
{
    size_t bytes = c->frame.len - 14;
    bool v6 = c->result.packet.family == VNRS_AF_IPV6;

    add(&expected.nic[c->frame.from->ifindex].from[outcome->billing], bytes);
    if (outcome->reason) {
        add(&expected.drops[outcome->reason], bytes);
        met.reasons[outcome->reason]++;
    }
    untold += !outcome->reason && outcome->verdict != VNRS_BPF_VERDICT_FORWARD; // answered, or nothing to say
    if (outcome->verdict == VNRS_BPF_VERDICT_REPLY)
        add(&expected.nic[c->frame.from->ifindex].to[VNRS_BILL_NONE], out_len - 14);
    if (outcome->verdict != VNRS_BPF_VERDICT_FORWARD)
        return;
    add(&expected.nic[outcome->to->ifindex].to[outcome->billing], bytes);
    add(&expected.types[outcome->type], bytes);
    met.types[outcome->type][v6]++;
    met.billing[outcome->billing]++;
}

static bool can_run(const struct random_frame *frame)
{
    unsigned type = (unsigned)frame->bytes[12] << 8 | frame->bytes[13];

    return frame->len >= (type == 0x0800 ? IPV4_LEAST : type == 0x86dd ? IPV6_LEAST : 15);
}

// The model and the program agree on what becomes of the frame of `c`: returns that.
static const struct pm_outcome *compare(struct check *c)
{
    struct __sk_buff ctx = {0};
    struct frame out;
    uint32_t ret;

    pm_decide(diff_lab_world(c->lab), c->frame.from, c->frame.bytes, c->frame.len, &c->result);
    run_frame(c, &ctx, &ret, &out);
    const struct pm_outcome *outcome = find_outcome(c, &ctx, &out);
    bool goes = outcome->verdict == VNRS_BPF_VERDICT_FORWARD || outcome->verdict == VNRS_BPF_VERDICT_REPLY;
    if (ret != (goes ? TC_ACT_REDIRECT : TC_ACT_SHOT))
        FAIL(c, "the program returns %u", ret);
    if (outcome->verdict == VNRS_BPF_VERDICT_FORWARD && ctx.mark)
        FAIL(c, "the sender's mark is still there");
    if (ctx.cb[VNRS_BPF_CB_NEXTHOP])
        check_flow(c, ctx.cb[VNRS_BPF_CB_NEXTHOP]);
    count(c, outcome, out.len);
    return outcome;
}

static void check_delivery(const struct check *c, const struct pm_outcome *outcome)
{
    const char *wrong = outcome->verdict == VNRS_BPF_VERDICT_FORWARD
                            ? pm_delivery_wrong(diff_lab_world(c->lab), c->frame.from, outcome->to, &c->result.packet)
                            : NULL;

    if (wrong)
        FAIL(c, "forwarded to %s: %s", outcome->to->key, wrong);
}

// Whichever next hop it is, that load balancer chooses it.
static bool is_balanced(const struct pm_result *result, const struct vnrs_balancer *lb)
{
    bool all = lb && result->n;

    for (unsigned i = 0; i < result->n; i++)
        all &= result->outcomes[i].balancer == lb;
    return all;
}

static void swap(uint8_t *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = a[i];
        a[i] = a[n + i];
        a[n + i] = byte;
    }
}

// Who has the destination, in whatever network.
static bool find_answerer(const struct check *c, const struct pm_port **ret_port)
{
    vec_foreach (port, &diff_lab_world(c->lab)->ports) {
        if (!pm_has_addr(port, &c->result.packet.dst))
            continue;
        *ret_port = port;
        return true;
    }
    return false;
}

// The answer to a packet that a load balancer sent to a backend goes to the same one (azure-routing.md 5.5).
static void check_return(const struct check *c, const struct pm_outcome *outcome)
{
    const struct pm_packet *p = &c->result.packet;
    struct check back = *c;

    if (!is_balanced(&c->result, outcome->balancer) || !find_answerer(c, &back.frame.from))
        return;
    swap(back.frame.bytes + 14 + (p->family == VNRS_AF_IPV4 ? 12 : 8), p->family == VNRS_AF_IPV4 ? 4 : 16);
    if (p->sport || p->dport)
        swap(back.frame.bytes + 14 + p->l4, 2);
    const struct pm_outcome *other = compare(&back);
    if (!is_balanced(&back.result, outcome->balancer))
        return;
    if (other->to != outcome->to)
        FAIL(c, "to backend %s, and the answer to %s", outcome->to->key, other->to->key);
    returned++;
}

// From a link that is no NIC of the lab.
static void check_stranger(struct check *c)
{
    uint32_t ifindex = VNRS_IFINDEX_FIRST, ret;
    struct __sk_buff ctx = {0};
    struct frame out;

    while (pm_port_of(diff_lab_world(c->lab), ifindex))
        ifindex++;
    run_frame_at(c, ifindex, &ctx, &ret, &out);
    if (ret != TC_ACT_SHOT || ctx.cb[VNRS_BPF_CB_VERDICT] != VNRS_BPF_VERDICT_DROP ||
        ctx.cb[VNRS_BPF_CB_REASON] != VNRS_DROP_UNKNOWN_NIC || out.len != c->frame.len ||
        memcmp(out.bytes, c->frame.bytes, out.len) != 0)
        FAIL(c, "from interface %u, which is no NIC: verdict %u, reason %u", ifindex, ctx.cb[VNRS_BPF_CB_VERDICT],
             ctx.cb[VNRS_BPF_CB_REASON]);
    add(&expected.drops[VNRS_DROP_UNKNOWN_NIC], c->frame.len - 14);
    met.reasons[VNRS_DROP_UNKNOWN_NIC]++;
}

static bool check_frame(struct check *c)
{
    diff_lab_frame(c->lab, c->number, &c->frame);
    if (!can_run(&c->frame))
        return false;
    const struct pm_outcome *outcome = compare(c);
    if (outcome->verdict == VNRS_BPF_VERDICT_FORWARD)
        outcome = compare(c); // by what was remembered
    check_delivery(c, outcome);
    check_return(c, outcome);
    if (c->number % 256 == 0)
        check_stranger(c);
    return true;
}

// ---- a topology

static void assert_counter(const struct check *c, const char *what, unsigned index, struct vnrs_bpf_counter have,
                           struct vnrs_bpf_counter want)
{
    if (have.packets != want.packets || have.bytes != want.bytes)
        diff_lab_fail(c->lab, 0, NULL, NULL, "%s %u: %llu packets, %llu bytes counted, not %llu, %llu", what, index,
                      (unsigned long long)have.packets, (unsigned long long)have.bytes,
                      (unsigned long long)want.packets, (unsigned long long)want.bytes);
}

static void check_counters(const struct check *c)
{
    static struct counters have;

    read_counters(&have);
    for (unsigned at = VNRS_IFINDEX_FIRST * _VNRS_BILL_MAX; at < (VNRS_IFINDEX_FIRST + LINKS) * _VNRS_BILL_MAX; at++) {
        unsigned i = at / _VNRS_BILL_MAX, billing = at % _VNRS_BILL_MAX;
        assert_counter(c, "from NIC", i, have.nic[i].from[billing], expected.nic[i].from[billing]);
        assert_counter(c, "to NIC", i, have.nic[i].to[billing], expected.nic[i].to[billing]);
    }
    for (unsigned i = 0; i < _VNRS_DROP_MAX; i++)
        assert_counter(c, "drop reason", i, have.drops[i], expected.drops[i]);
    for (unsigned i = 0; i < _VNRS_NH_MAX; i++)
        assert_counter(c, "next hop type", i, have.types[i], expected.types[i]);
}

static uint64_t told_by(const struct counters *counters)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < _VNRS_DROP_MAX; i++)
        n += counters->drops[i].packets;
    for (unsigned i = 0; i < _VNRS_NH_MAX; i++)
        n += counters->types[i].packets;
    return n;
}

// Forwarded, by type, or dropped, by reason: each packet is in one of these counters, but for those that were answered
// and those about which there is nothing to say. `before`: what told_by() was.
static void check_total(const struct check *c, uint64_t before)
{
    static struct counters have;

    read_counters(&have);
    uint64_t told = told_by(&have) - before;
    if (told + untold != runs)
        diff_lab_fail(c->lab, 0, NULL, NULL, "%llu packets were counted, and %llu more answered, of %llu",
                      (unsigned long long)told, (unsigned long long)untold, (unsigned long long)runs);
}

static uint64_t check_topology(const struct diff_lab *lab)
{
    struct check c = {.lab = lab};
    uint64_t n = 0;

    memset(flows, 0, sizeof(flows));
    read_counters(&expected);
    uint64_t before = told_by(&expected);
    runs = untold = 0;
    if (args.has_frame) {
        c.number = args.frame;
        return check_frame(&c);
    }
    for (c.number = 0; c.number < args.frames; c.number++)
        n += check_frame(&c);
    check_counters(&c);
    check_total(&c, before);
    return n;
}

static void program_and_model_agree(void **state)
{
    struct diff_lab *lab = diff_lab_new(args.seed);
    unsigned last = args.has_topology ? args.topology + 1 : args.topologies;
    uint64_t n = 0;

    (void)state;
    print_message("seed %llu: %u topologies, %u frames each\n", (unsigned long long)args.seed, last, args.frames);
    diff_lab_sink_add(lab, fx.sink);
    for (unsigned i = 0; i < last; i++) {
        diff_lab_next(lab, i);
        if (!args.has_topology || i == args.topology)
            n += check_topology(lab);
    }
    diff_lab_free(lab);
    complete = true;
    print_message("%llu frames compared, %llu answers through load balancers\n", (unsigned long long)n,
                  (unsigned long long)returned);
}

static void every_drop_reason_and_next_hop_type_was_met(void **state)
{
    (void)state;
    if (!complete || args.has_topology || args.topologies < 30)
        skip(); // it would only say again that the run broke off
    diff_coverage_check(&met);
    assert_true(returned > args.topologies);
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    for (unsigned i = VNRS_IFINDEX_FIRST; i < VNRS_IFINDEX_FIRST + LINKS; i++)
        sh("ip link add f%u index %u type veth peer name g%u index %u", i, i, i, 1000 + i);
    fixture_open(&fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&fx, true);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_and_model_agree),
        cmocka_unit_test(every_drop_reason_and_next_hop_type_was_met),
    };

    args = (struct diff_args){.seed = 20261126, .topologies = 202, .frames = 5000};
    if (!diff_args_parse(&args, argc, argv))
        return 2;
    fixture_require_root();
    vnrs_log_init("difftest", VNRS_LOG_WARN); // the controller tells of every health probe that fails
    return cmocka_run_group_tests_name("bpf.diff", tests, setup, teardown);
}
