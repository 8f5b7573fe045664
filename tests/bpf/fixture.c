// SPDX-License-Identifier: GPL-2.0-or-later
#include "fixture.h"

#include "net/addr.h"

#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#define SKIPPED 77

void fixture_require_root(void)
{
    char text[256];

    if (geteuid() == 0 && vnrs_bpf_dataplane_probe(text, sizeof(text)) == 0)
        return;
    fprintf(stderr, "skipped: %s\n", geteuid() ? "needs root" : text);
    exit(SKIPPED);
}

void sh(const char *fmt, ...)
{
    char command[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("command failed: %s", command);
}

void fixture_enter_namespace(void)
{
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    sh("ip link set lo up");
}

void fixture_open(struct fixture *fx)
{
    const char *error = NULL;

    (void)snprintf(fx->pins, sizeof(fx->pins), "/sys/fs/bpf/vnrs-test-bpf-%d", getpid());
    if (vnrs_bpf_dataplane_open(fx->pins, &error, &fx->dp))
        fail_msg("%s", error);
    assert_int_equal(vnrs_bpf_sink_new(fx->dp, &fx->sink), 0);
}

void fixture_close(struct fixture *fx, bool destroy)
{
    fx->sink->ops->free(fx->sink);
    fx->dp = vnrs_bpf_dataplane_close(fx->dp);
    if (destroy)
        assert_int_equal(vnrs_bpf_dataplane_destroy(fx->pins), 0);
}

struct vnrs_bpf_flow_event last_event;

static bool remember_event(const struct vnrs_bpf_flow_event *event, void *arg)
{
    (void)arg;
    last_event = *event;
    return true;
}

int fixture_events_open(struct fixture *fx)
{
    return vnrs_bpf_events_open(fx->dp, remember_event, NULL, &fx->events);
}

void fixture_events_close(struct fixture *fx)
{
    fx->events = vnrs_bpf_events_close(fx->events);
}

void route_set(struct vnrs_sink *sink, uint32_t domain, const char *prefix, uint32_t handle, uint8_t type)
{
    struct vnrs_fib_route route = {.domain = domain, .group = handle, .type = type};

    assert_int_equal(vnrs_prefix_parse(prefix, &route.prefix), 0);
    if (sink->ops->route_set(sink, &route))
        fail_msg("%s", sink->error);
}

void group_set(struct vnrs_sink *sink, uint32_t handle, unsigned n, const struct vnrs_fib_member *members)
{
    struct vnrs_fib_group group = {.handle = handle, .n = n};

    memcpy(group.members, members, n * sizeof(*members));
    if (sink->ops->group_set(sink, &group))
        fail_msg("%s", sink->error);
}

void endpoint_set(struct vnrs_sink *sink, uint32_t vnet, const char *addr, uint32_t ifindex)
{
    struct vnrs_fib_endpoint endpoint = {.vnet = vnet, .ifindex = ifindex};

    assert_int_equal(vnrs_addr_parse(addr, &endpoint.addr), 0);
    if (sink->ops->endpoint_set(sink, &endpoint))
        fail_msg("%s", sink->error);
}

void fixture_nic_counters(const struct fixture *fx, unsigned ifindex, struct vnrs_bpf_counter ret[static DIRECTIONS])
{
    struct vnrs_bpf_nic_counters all;

    assert_int_equal(vnrs_bpf_counters_nic(fx->dp, ifindex, &all), 0);
    memset(ret, 0, DIRECTIONS * sizeof(*ret));
    for (unsigned i = 0; i < _VNRS_BILL_MAX; i++) {
        ret[FROM_NIC].packets += all.from[i].packets;
        ret[FROM_NIC].bytes += all.from[i].bytes;
        ret[TO_NIC].packets += all.to[i].packets;
        ret[TO_NIC].bytes += all.to[i].bytes;
    }
}

void fixture_type_counters(const struct fixture *fx, unsigned end, struct vnrs_bpf_counter ret[static _VNRS_NH_MAX])
{
    struct vnrs_bpf_nic_counters all;

    memset(ret, 0, _VNRS_NH_MAX * sizeof(*ret));
    for (unsigned ifindex = 0; ifindex < end; ifindex++) {
        assert_int_equal(vnrs_bpf_counters_nic(fx->dp, ifindex, &all), 0);
        for (unsigned i = 0; i < _VNRS_NH_MAX; i++) {
            ret[i].packets += all.types[i].packets;
            ret[i].bytes += all.types[i].bytes;
        }
    }
}

void nic_set(struct vnrs_sink *sink, uint32_t ifindex, const struct vnrs_bpf_nic *nic)
{
    struct vnrs_fib_nic wanted = {.ifindex = ifindex, .nic = *nic};

    wanted.nic.flags |= VNRS_NIC_PRESENT;
    wanted.nic.mac[0] = 2;
    wanted.nic.mac[5] = (uint8_t)ifindex;
    if (sink->ops->nic_set(sink, &wanted))
        fail_msg("%s", sink->error);
}

static void fill_nics(struct vnrs_sink *sink)
{
    static const struct {
        unsigned ifindex;
        struct vnrs_bpf_nic nic;
        const char *addr, *addr6, *gateway, *gateway6;
    } nics[] = {
        {VM_A,
         {.domain = DOMAIN_VM, .vnet = 1, .subnet = 1, .mtu = 1500},
         "10.0.0.4",
         "fd00::4",
         "10.0.0.1",
         "fd00::1"},
        {VM_B,
         {.domain = DOMAIN_VM, .vnet = 1, .subnet = 2, .mtu = 1500},
         "10.0.1.4",
         "fd00:1::4",
         "10.0.1.1",
         "fd00:1::1"},
        {NVA1,
         {.flags = VNRS_NIC_FORWARDING, .domain = DOMAIN_NVA, .vnet = 1, .subnet = 3, .mtu = 1500},
         "10.0.2.4",
         "fd00:2::4",
         "10.0.2.1",
         "fd00:2::1"},
        {NVA2,
         {.flags = VNRS_NIC_FORWARDING, .domain = DOMAIN_NVA, .vnet = 1, .subnet = 3, .mtu = 1500},
         "10.0.2.5",
         "fd00:2::5",
         "10.0.2.1",
         "fd00:2::1"},
        {VM_P, {.domain = DOMAIN_VM, .vnet = 2, .subnet = 9, .mtu = 1500}, "10.1.0.4", NULL, "10.1.0.1", NULL},
        {STORAGE,
         {.flags = VNRS_NIC_SERVICE | VNRS_NIC_RESTRICTED | VNRS_NIC_EDGE, .mtu = 1500},
         NULL,
         NULL,
         NULL,
         NULL},
        {OPEN, {.flags = VNRS_NIC_SERVICE | VNRS_NIC_EDGE, .mtu = 1500}, NULL, NULL, NULL, NULL},
        {INTERNET, {.flags = VNRS_NIC_EDGE, .domain = DOMAIN_VM, .mtu = 1500}, NULL, NULL, NULL, NULL},
        {SMALL,
         {.domain = DOMAIN_VM, .vnet = 1, .subnet = 4, .mtu = 1280},
         "10.0.3.4",
         "fd00:3::4",
         "10.0.3.1",
         "fd00:3::1"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(nics); i++) {
        struct vnrs_bpf_nic nic = nics[i].nic;
        if (nics[i].gateway)
            assert_int_equal(inet_pton(AF_INET, nics[i].gateway, &nic.gateway_be), 1);
        if (nics[i].gateway6)
            assert_int_equal(inet_pton(AF_INET6, nics[i].gateway6, nic.gateway6), 1);
        nic_set(sink, nics[i].ifindex, &nic);
        if (nics[i].addr)
            endpoint_set(sink, nic.vnet, nics[i].addr, nics[i].ifindex);
        if (nics[i].addr6)
            endpoint_set(sink, nic.vnet, nics[i].addr6, nics[i].ifindex);
    }
    endpoint_set(sink, 1, "10.0.0.99", 4000); // an address whose NIC is not there (any more)
}

void fixture_fill_routes(struct vnrs_sink *sink, uint32_t base)
{
    GROUP(sink, base + HANDLE_LOCAL, TO_ENDPOINT(1));
    GROUP(sink, base + HANDLE_PEER, TO_ENDPOINT(2));
    GROUP(sink, base + HANDLE_NVA1, TO_NIC(NVA1));
    GROUP(sink, base + HANDLE_ECMP, TO_NIC(NVA1), TO_NIC(NVA2));
    GROUP(sink, base + HANDLE_NONE, TO_NOBODY);
    GROUP(sink, base + HANDLE_DEAD, TO_DEAD(NVA1), TO_DEAD(NVA2));
    GROUP(sink, base + HANDLE_HALF_DEAD, TO_DEAD(NVA1), TO_NIC(NVA2));
    GROUP(sink, base + HANDLE_INTERNET, TO_NIC(INTERNET));
    GROUP(sink, base + HANDLE_STORAGE, TO_NIC(STORAGE));
    GROUP(sink, base + HANDLE_OPEN, TO_NIC(OPEN));
    GROUP(sink, base + HANDLE_GONE, TO_NIC(4000));
    GROUP(sink, base + HANDLE_VM_B, TO_NIC(VM_B));
    for (uint32_t domain = DOMAIN_VM; domain <= DOMAIN_NVA; domain++) {
        route_set(sink, domain, "10.0.0.0/16", base + HANDLE_LOCAL, VNRS_NH_VNET_LOCAL);
        route_set(sink, domain, "fd00::/16", base + HANDLE_LOCAL, VNRS_NH_VNET_LOCAL);
        route_set(sink, domain, "10.1.0.0/16", base + HANDLE_PEER, VNRS_NH_VNET_PEERING);
        route_set(sink, domain, "10.2.0.0/16", base + HANDLE_NONE, VNRS_NH_NONE);
    }
    route_set(sink, DOMAIN_VM, "10.3.0.0/16", base + HANDLE_NVA1, VNRS_NH_APPLIANCE);
    route_set(sink, DOMAIN_VM, "10.4.0.0/16", base + HANDLE_ECMP, VNRS_NH_GATEWAY);
    route_set(sink, DOMAIN_VM, "fd04::/16", base + HANDLE_ECMP, VNRS_NH_GATEWAY);
    route_set(sink, DOMAIN_VM, "10.5.0.0/16", base + HANDLE_DEAD, VNRS_NH_APPLIANCE);
    route_set(sink, DOMAIN_VM, "10.6.0.0/16", base + HANDLE_HALF_DEAD, VNRS_NH_APPLIANCE);
    route_set(sink, DOMAIN_VM, "10.7.0.0/16", base + HANDLE_GONE, VNRS_NH_APPLIANCE);
    route_set(sink, DOMAIN_VM, "10.8.0.0/16", base + HANDLE_VM_B, VNRS_NH_APPLIANCE);
    route_set(sink, DOMAIN_VM, "20.0.0.0/16", base + HANDLE_STORAGE, VNRS_NH_SERVICE_ENDPOINT);
    route_set(sink, DOMAIN_VM, "20.1.0.0/16", base + HANDLE_OPEN, VNRS_NH_SERVICE_ENDPOINT);
    route_set(sink, DOMAIN_VM, "8.0.0.0/8", base + HANDLE_INTERNET, VNRS_NH_INTERNET);
}

void fixture_fill(struct vnrs_sink *sink)
{
    const struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = STORAGE, .from = 1, .allowed = 1};

    assert_int_equal(sink->ops->sync_begin(sink), 0);
    fill_nics(sink);
    assert_int_equal(sink->ops->acl_set(sink, &acl), 0);
    fixture_fill_routes(sink, 0);
    assert_int_equal(sink->ops->sync_end(sink), 0);
    assert_int_equal(sink->ops->flush(sink), 0);
}

void fixture_start(struct fixture *fx)
{
    fixture_enter_namespace();
    for (unsigned i = VM_A; i < _NIC_END; i++)
        sh("ip link add f%u index %u type veth peer name g%u", i, i, i);
    sh("ip link add f%u index %u type veth peer name g%u", OTHER_LINK, OTHER_LINK, OTHER_LINK);
    fixture_open(fx);
    fixture_fill(fx->sink);
}

void fixture_run(const struct fixture *fx, unsigned ifindex, const struct frame *in, uint32_t gso_size,
                 struct run *ret_run)
{
    struct __sk_buff in_ctx = {.ifindex = ifindex, .gso_size = gso_size, .gso_segs = gso_size ? 2 : 0, .mark = 77};
    struct __sk_buff out_ctx = {0};
    struct run run = {0};
    LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = (uint32_t)in->len,
                .data_out = run.out.bytes, .data_size_out = sizeof(run.out.bytes), .ctx_in = &in_ctx,
                .ctx_size_in = sizeof(in_ctx), .ctx_out = &out_ctx, .ctx_size_out = sizeof(out_ctx), .repeat = 1);

    int err = bpf_prog_test_run_opts(vnrs_bpf_dataplane_program(fx->dp), &opts);
    if (err)
        fail_msg("test run: %s", strerror(-err));
    run.ret = opts.retval;
    run.out.len = opts.data_size_out;
    run.mark = out_ctx.mark;
    memcpy(run.cb, out_ctx.cb, sizeof(run.cb));
    *ret_run = run;
}
