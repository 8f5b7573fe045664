// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/counters.h"

#include "fib/bpf_counters.h"
#include "fib/kernel_counters.h"
#include "fib/kernel_sink.h"
#include "lab/link_stats.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

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

static void give_nic(const struct sink *sink, uint32_t ifindex, const struct vnrs_bpf_nic_counters *values)
{
    for (unsigned i = 0; i < _VNRS_BILL_MAX; i++) {
        struct vnrs_ag_counter counter = {.kind = VNRS_AG_COUNTER_NIC_FROM, .billing = (uint16_t)i, .index = ifindex};
        give(sink, counter, &values->from[i]);
        counter.kind = VNRS_AG_COUNTER_NIC_TO;
        give(sink, counter, &values->to[i]);
    }
}

// Adds what the NIC sent to `types`.
static int give_ebpf_nic(const struct sink *sink, const struct vnrs_agentd_lab *lab, uint32_t ifindex,
                         struct vnrs_bpf_counter types[static _VNRS_NH_MAX])
{
    struct vnrs_bpf_nic_counters values;
    int code = vnrs_bpf_counters_nic(lab->dataplane, ifindex, &values);

    for (unsigned i = 0; i < _VNRS_NH_MAX && code == 0; i++) {
        types[i].packets += values.types[i].packets;
        types[i].bytes += values.types[i].bytes;
    }
    if (code == 0)
        give_nic(sink, ifindex, &values);
    return code;
}

static int give_ebpf(const struct sink *sink, struct vnrs_agentd_lab *lab)
{
    struct vnrs_bpf_counter types[_VNRS_NH_MAX] = {0}, drops[_VNRS_DROP_MAX] = {0};
    struct vnrs_map_entry *e;
    size_t at = 0;
    int code = 0;

    for (uint32_t gone = 0; gone < _VNRS_NIC_KIND_MAX && code == 0; gone++)
        code = give_ebpf_nic(sink, lab, gone, types);
    while (code == 0 && (e = vnrs_map_next(&lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_LINK && object->spec.link.kind == VNRS_LINK_NIC && object->index.a)
            code = give_ebpf_nic(sink, lab, object->index.a, types);
    }
    if (code == 0)
        code = vnrs_bpf_counters_drop(lab->dataplane, drops);
    if (code < 0)
        return code;
    give_all(sink, VNRS_AG_COUNTER_TYPE, types, _VNRS_NH_MAX);
    give_all(sink, VNRS_AG_COUNTER_DROP, drops, _VNRS_DROP_MAX);
    return 0;
}

// ---- the kernel's data plane: links count all, nftables counts what it lets pass, by pairs of links

struct link {
    char name[16];
    uint32_t ifindex;
};

struct kernel {
    struct vnrs_map links; // struct link by name
    struct vnrs_bpf_nic_counters *nics;
    struct vnrs_bpf_counter drops[_VNRS_DROP_MAX];
    bool failed; // out of memory
};

static struct vnrs_bpf_counter without_ethernet(uint64_t packets, uint64_t bytes)
{
    return (struct vnrs_bpf_counter){.packets = packets, .bytes = bytes - MIN(bytes, packets * ETH_HLEN)};
}

static void take_link(const struct vnrs_link_stats *stats, void *arg)
{
    struct kernel *k = arg;
    struct link *link = NULL;

    if (stats->ifindex < VNRS_IFINDEX_FIRST || stats->ifindex >= VNRS_NICS_MAX)
        return;
    k->nics[stats->ifindex].from[VNRS_BILL_NONE] = without_ethernet(stats->rx_packets, stats->rx_bytes);
    k->nics[stats->ifindex].to[VNRS_BILL_NONE] = without_ethernet(stats->tx_packets, stats->tx_bytes);
    link = calloc(1, sizeof(*link));
    if (link) {
        vnrs_str_copy(link->name, sizeof(link->name), stats->name);
        link->ifindex = stats->ifindex;
    }
    if (!link || vnrs_map_find(&k->links, link->name, strlen(link->name)) ||
        vnrs_map_put(&k->links, link->name, strlen(link->name), link) < 0) {
        k->failed |= !link;
        free(link);
    }
}

static uint32_t link_number(void *arg, const char *name)
{
    const struct kernel *k = arg;
    const struct link *link = vnrs_map_find(&k->links, name, strlen(name));

    return link ? link->ifindex : 0;
}

// Out of what its link counted, which is what it sent or got at all. Links were read later.
static void move(struct vnrs_bpf_counter counters[static _VNRS_BILL_MAX], const struct vnrs_kernel_count *count)
{
    struct vnrs_bpf_counter *rest = &counters[VNRS_BILL_NONE];

    counters[count->billing].packets += count->packets;
    counters[count->billing].bytes += count->bytes;
    rest->packets -= MIN(rest->packets, count->packets);
    rest->bytes -= MIN(rest->bytes, count->bytes);
}

static void take_count(void *arg, const struct vnrs_kernel_count *count)
{
    struct kernel *k = arg;

    if (count->dropped) {
        k->drops[count->reason] = (struct vnrs_bpf_counter){count->packets, count->bytes};
        return;
    }
    move(k->nics[count->from].from, count);
    move(k->nics[count->to].to, count);
}

static int read_links(struct kernel *k, const struct vnrs_agentd_lab *lab)
{
    struct vnrs_rtnl nl = {.fd = -1};
    int code = vnrs_rtnl_open(lab->fabric_fd, &nl);

    if (code == 0)
        code = vnrs_link_stats_walk(&nl, take_link, k);
    vnrs_rtnl_close(&nl);
    return code < 0 ? code : k->failed ? -ENOMEM : 0;
}

static int give_kernel(const struct sink *sink, const struct vnrs_agentd_lab *lab)
{
    struct kernel k = {.nics = calloc(VNRS_NICS_MAX, sizeof(*k.nics))};
    const struct vnrs_kernel_counting counting = {.ifindex = link_number, .count = take_count, .arg = &k};
    int code = k.nics ? read_links(&k, lab) : -ENOMEM;

    if (code == 0 && lab->fabric_sink) {
        int counted = vnrs_kernel_sink_counters(lab->fabric_sink, &counting);
        if (counted < 0) // then all is of no class
            log_debug("lab '%s': counters of the fabric: %s", lab->name, strerror(-counted));
    }
    for (uint32_t i = VNRS_IFINDEX_FIRST; i < VNRS_NICS_MAX && code == 0; i++)
        give_nic(sink, i, &k.nics[i]);
    if (code == 0)
        give_all(sink, VNRS_AG_COUNTER_DROP, k.drops, _VNRS_DROP_MAX);
    vnrs_map_fini_values(&k.links);
    free(k.nics);
    return code;
}

int vnrs_agentd_counters(struct vnrs_agentd_lab *lab, vnrs_agentd_counter_fn fn, void *arg)
{
    struct sink sink = {fn, arg};

    if (lab->dataplane)
        return give_ebpf(&sink, lab);
    return lab->fabric_fd >= 0 ? give_kernel(&sink, lab) : 0;
}
