// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/counters.h"

#include "fib/bpf_counters.h"
#include "lab/link_stats.h"

#include <linux/if_ether.h>

struct sink {
    vnrs_agentd_counter_fn fn;
    void *arg;
};

static void give(const struct sink *sink, struct vnrs_ag_counter counter, const struct vnrs_bpf_counter *value)
{
    counter.packets = value->packets;
    counter.bytes = value->bytes;
    if (value->packets)
        sink->fn(sink->arg, &counter);
}

static void give_all(const struct sink *sink, enum vnrs_ag_counter_kind kind, const struct vnrs_bpf_counter *values,
                     unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        give(sink, (struct vnrs_ag_counter){.kind = kind, .index = i}, &values[i]);
}

// Adds what the NIC sent to `types`.
static int give_nic(const struct sink *sink, const struct vnrs_agentd_lab *lab, uint32_t ifindex,
                    struct vnrs_bpf_counter types[static _VNRS_NH_MAX])
{
    struct vnrs_bpf_nic_counters values;
    int code = vnrs_bpf_counters_nic(lab->dataplane, ifindex, &values);

    for (unsigned i = 0; i < _VNRS_NH_MAX && code == 0; i++) {
        types[i].packets += values.types[i].packets;
        types[i].bytes += values.types[i].bytes;
    }
    for (uint16_t i = 0; i < _VNRS_BILL_MAX && code == 0; i++) {
        struct vnrs_ag_counter counter = {.kind = VNRS_AG_COUNTER_NIC_FROM, .billing = i, .index = ifindex};
        give(sink, counter, &values.from[i]);
        counter.kind = VNRS_AG_COUNTER_NIC_TO;
        give(sink, counter, &values.to[i]);
    }
    return code;
}

static int give_ebpf(const struct sink *sink, struct vnrs_agentd_lab *lab)
{
    struct vnrs_bpf_counter types[_VNRS_NH_MAX] = {0}, drops[_VNRS_DROP_MAX] = {0};
    struct vnrs_map_entry *e;
    size_t at = 0;
    int code = 0;

    for (uint32_t gone = 0; gone < _VNRS_NIC_KIND_MAX && code == 0; gone++)
        code = give_nic(sink, lab, gone, types);
    while (code == 0 && (e = vnrs_map_next(&lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_LINK && object->spec.link.kind == VNRS_LINK_NIC && object->index.a)
            code = give_nic(sink, lab, object->index.a, types);
    }
    if (code == 0)
        code = vnrs_bpf_counters_drop(lab->dataplane, drops);
    if (code < 0)
        return code;
    give_all(sink, VNRS_AG_COUNTER_TYPE, types, _VNRS_NH_MAX);
    give_all(sink, VNRS_AG_COUNTER_DROP, drops, _VNRS_DROP_MAX);
    return 0;
}

static struct vnrs_bpf_counter without_ethernet(uint64_t packets, uint64_t bytes)
{
    return (struct vnrs_bpf_counter){.packets = packets, .bytes = bytes - MIN(bytes, packets * ETH_HLEN)};
}

static void give_link(const struct vnrs_link_stats *stats, void *arg)
{
    const struct vnrs_bpf_counter from = without_ethernet(stats->rx_packets, stats->rx_bytes),
                                  to = without_ethernet(stats->tx_packets, stats->tx_bytes);
    const struct sink *sink = arg;

    if (stats->ifindex < VNRS_IFINDEX_FIRST || stats->ifindex >= VNRS_NICS_MAX)
        return;
    give(sink, (struct vnrs_ag_counter){.kind = VNRS_AG_COUNTER_NIC_FROM, .index = stats->ifindex}, &from);
    give(sink, (struct vnrs_ag_counter){.kind = VNRS_AG_COUNTER_NIC_TO, .index = stats->ifindex}, &to);
}

// The kernel counts on fabric ends, and neither by next hop type nor why it drops.
static int give_kernel(struct sink *sink, const struct vnrs_agentd_lab *lab)
{
    struct vnrs_rtnl nl = {.fd = -1};
    int code = vnrs_rtnl_open(lab->fabric_fd, &nl);

    if (code == 0)
        code = vnrs_link_stats_walk(&nl, give_link, sink);
    vnrs_rtnl_close(&nl);
    return code;
}

int vnrs_agentd_counters(struct vnrs_agentd_lab *lab, vnrs_agentd_counter_fn fn, void *arg)
{
    struct sink sink = {fn, arg};

    if (lab->dataplane)
        return give_ebpf(&sink, lab);
    return lab->fabric_fd >= 0 ? give_kernel(&sink, lab) : 0;
}
