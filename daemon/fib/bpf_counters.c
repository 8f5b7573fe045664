// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_counters.h"

#include "vnrs/meter.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

// Elements 0..n-1 of a per-CPU array, each summed; of a NIC's element, `counters` in it.
static int counters_read(int fd, uint32_t from, unsigned n, unsigned counters, struct vnrs_bpf_counter *ret_counters)
{
    int cpus = libbpf_num_possible_cpus();
    if (cpus < 0)
        return cpus;
    _free_ struct vnrs_bpf_counter *values = calloc((size_t)cpus * counters, sizeof(*values));
    _free_ struct vnrs_bpf_counter *sums = calloc((size_t)n * counters, sizeof(*sums));
    if (!values || !sums)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t key = from + i;
        int err = bpf_map_lookup_elem(fd, &key, values);
        if (err)
            return err;
        for (size_t at = 0; at < (size_t)cpus * counters; at++) {
            sums[i * counters + at % counters].packets += values[at].packets;
            sums[i * counters + at % counters].bytes += values[at].bytes;
        }
    }
    memcpy(ret_counters, sums, (size_t)n * counters * sizeof(*sums));
    return 0;
}

#define NIC_COUNTERS (sizeof(struct vnrs_bpf_nic_counters) / sizeof(struct vnrs_bpf_counter))

int vnrs_bpf_counters_nic(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex,
                          struct vnrs_bpf_nic_counters *ret_counters)
{
    if (ifindex >= VNRS_NICS_MAX)
        return -ERANGE;
    return counters_read(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_NIC_COUNTERS), ifindex, 1, NIC_COUNTERS,
                         ret_counters->from);
}

int vnrs_bpf_counters_drop(const struct vnrs_bpf_dataplane *dp,
                           struct vnrs_bpf_counter ret_counters[static _VNRS_DROP_MAX])
{
    return counters_read(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_DROP_COUNTERS), 0, _VNRS_DROP_MAX, 1, ret_counters);
}

int vnrs_bpf_counters_nic_gone(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, uint32_t flags)
{
    int cpus = libbpf_num_possible_cpus(), fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_NIC_COUNTERS);
    uint32_t gone = vnrs_nic_kind_of(flags);

    if (cpus < 0)
        return cpus;
    if (ifindex < VNRS_IFINDEX_FIRST || ifindex >= VNRS_NICS_MAX)
        return -ERANGE;
    size_t n = (size_t)cpus * NIC_COUNTERS;
    _free_ struct vnrs_bpf_counter *values = calloc(n, sizeof(*values));
    _free_ struct vnrs_bpf_counter *sums = calloc(n, sizeof(*sums));
    if (!values || !sums)
        return -ENOMEM;
    if (bpf_map_lookup_elem(fd, &ifindex, values) || bpf_map_lookup_elem(fd, &gone, sums))
        return -errno;
    for (size_t i = 0; i < n; i++) {
        sums[i].packets += values[i].packets;
        sums[i].bytes += values[i].bytes;
    }
    memset(values, 0, n * sizeof(*values));
    int err = bpf_map_update_elem(fd, &gone, sums, BPF_ANY);
    return err ? err : bpf_map_update_elem(fd, &ifindex, values, BPF_ANY);
}

struct vnrs_bpf_events {
    struct ring_buffer *ring;
    int switch_fd; // borrowed
    vnrs_bpf_event_fn fn;
    void *arg;
    unsigned left; // of the run
};

// Negative ends the run; the event is taken nevertheless.
static int event_handle(void *arg, void *data, size_t size)
{
    struct vnrs_bpf_events *events = arg;

    const struct vnrs_bpf_flow_event *event = data;
    bool more = true;

    if (size >= sizeof(*event) && size - sizeof(*event) >= event->bytes && events->fn)
        more = events->fn(event, events->arg);
    return --events->left && more ? 0 : -EAGAIN;
}

// Changes of `on`: bits that are kept, and those that are set. In place: what else is in there is not ours to write.
static int switch_turn(int fd, uint32_t kept, uint32_t set, const struct vnrs_bpf_flow_switch *readers)
{
    struct vnrs_bpf_flow_switch *now = mmap(NULL, sizeof(*now), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (now == MAP_FAILED)
        return -errno;
    if (readers) {
        now->sample = readers->sample;
        now->lost = readers->lost;
    }
    __atomic_store_n(&now->on, (now->on & kept) | set, __ATOMIC_RELEASE);
    (void)munmap(now, sizeof(*now));
    return 0;
}

// Whether links are impaired stays as it is.
static int switch_set(int fd, const struct vnrs_bpf_flow_switch *want)
{
    return switch_turn(fd, VNRS_BPF_IMPAIRED, want->on, want);
}

int vnrs_bpf_impair_set(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, const struct vnrs_bpf_impair *impair)
{
    if (ifindex >= VNRS_NICS_MAX)
        return -ERANGE;
    return bpf_map_update_elem(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_IMPAIRMENTS), &ifindex, impair, BPF_ANY);
}

int vnrs_bpf_impair_get(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, struct vnrs_bpf_impair *ret_impair)
{
    int fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_IMPAIRMENTS);

    return bpf_map_lookup_elem(fd, &ifindex, ret_impair) ? -errno : 0;
}

int vnrs_bpf_impair_switch(const struct vnrs_bpf_dataplane *dp, bool on)
{
    return switch_turn(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_FLOW_SWITCH), ~(uint32_t)VNRS_BPF_IMPAIRED,
                       on ? VNRS_BPF_IMPAIRED : 0, NULL);
}

int vnrs_bpf_events_open(const struct vnrs_bpf_dataplane *dp, vnrs_bpf_event_fn fn, void *arg,
                         struct vnrs_bpf_events **ret_events)
{
    static const struct vnrs_bpf_flow_switch off = {0}, on = {.on = VNRS_BPF_FLOWS};
    struct vnrs_bpf_events *events = calloc(1, sizeof(*events));

    if (!events)
        return -ENOMEM;
    events->switch_fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_FLOW_SWITCH);
    events->ring = ring_buffer__new(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_FLOW_EVENTS), event_handle, events, NULL);
    int err = events->ring ? switch_set(events->switch_fd, &off) : -errno;
    if (!err)
        err = vnrs_bpf_events_consume(events, UINT_MAX);
    if (err >= 0)
        err = switch_set(events->switch_fd, &on);
    if (err < 0) {
        (void)vnrs_bpf_events_close(events);
        return err;
    }
    events->fn = fn;
    events->arg = arg;
    *ret_events = events;
    return 0;
}

struct vnrs_bpf_events *vnrs_bpf_events_close(struct vnrs_bpf_events *events)
{
    static const struct vnrs_bpf_flow_switch off = {0};

    if (!events)
        return NULL;
    (void)switch_set(events->switch_fd, &off);
    ring_buffer__free(events->ring);
    free(events);
    return NULL;
}

int vnrs_bpf_events_fd(const struct vnrs_bpf_events *events)
{
    return ring_buffer__epoll_fd(events->ring);
}

int vnrs_bpf_events_ask(struct vnrs_bpf_events *events, uint32_t on, uint32_t one_in)
{
    struct vnrs_bpf_flow_switch value = {.on = on, .sample = one_in, .lost = vnrs_bpf_events_lost(events)};

    return switch_set(events->switch_fd, &value);
}

int vnrs_bpf_capture_set(const struct vnrs_bpf_dataplane *dp, uint32_t ifindex, uint32_t bytes)
{
    if (ifindex >= VNRS_NICS_MAX || bytes > VNRS_CAPTURE_BYTES_MAX)
        return -ERANGE;
    return bpf_map_update_elem(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_CAPTURES), &ifindex, &bytes, BPF_ANY);
}

int vnrs_bpf_events_forget(const struct vnrs_bpf_dataplane *dp)
{
    static const struct vnrs_bpf_flow_switch off = {0};
    int fd = vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_FLOW_SWITCH), err = 0;
    struct vnrs_bpf_flow_switch value = {0};
    uint32_t index = 0;

    if (bpf_map_lookup_elem(fd, &index, &value) || !(value.on & ~(uint32_t)VNRS_BPF_IMPAIRED))
        return 0;
    for (uint32_t i = 0; value.on & VNRS_BPF_CAPTURES && !err && i < VNRS_NICS_MAX; i++)
        err = vnrs_bpf_capture_set(dp, i, 0);
    return err ? err : switch_set(fd, &off);
}

int vnrs_bpf_events_consume(struct vnrs_bpf_events *events, unsigned max)
{
    events->left = max;
    int n = max ? ring_buffer__consume(events->ring) : 0;
    return n == -EAGAIN ? (int)max : n;
}

uint64_t vnrs_bpf_events_lost(const struct vnrs_bpf_events *events)
{
    struct vnrs_bpf_flow_switch value = {0};
    uint32_t index = 0;

    return bpf_map_lookup_elem(events->switch_fd, &index, &value) ? 0 : value.lost;
}
