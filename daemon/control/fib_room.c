// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fib_room.h"

#include "util/macros.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int cmp_hop(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct vnrs_bpf_nexthop));
}

// In order, each once, as the sink keeps them (fib/bpf_slots.h). Returns how many.
static uint32_t make_hops(const struct vnrs_fib_member *members, uint32_t n, struct vnrs_bpf_nexthop *hops)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        const struct vnrs_fib_member *m = &members[i];
        bool nic = m->kind == VNRS_BPF_NH_NIC || m->kind == VNRS_BPF_NH_DEAD;
        hops[i] = (struct vnrs_bpf_nexthop){.kind = m->kind,
                                            .vnet = m->kind == VNRS_BPF_NH_ENDPOINT ? m->vnet : 0,
                                            .ifindex = nic ? m->ifindex : 0,
                                            .flags = nic ? m->flags : 0};
    }
    qsort(hops, n, sizeof(*hops), cmp_hop);
    for (uint32_t i = 0; i < n; i++)
        if (!kept || cmp_hop(&hops[kept - 1], &hops[i]) != 0)
            hops[kept++] = hops[i];
    return kept;
}

int vnrs_fib_distinct_add(struct vnrs_fib_distinct *distinct, const struct vnrs_fib_member *members, uint32_t n)
{
    if (members[0].kind == VNRS_BPF_NH_NIC && !members[0].ifindex)
        return 0;
    _free_ struct vnrs_bpf_nexthop *hops = calloc(n, sizeof(*hops));
    if (!hops)
        return -ENOMEM;
    size_t len = make_hops(members, n, hops) * sizeof(*hops);
    if (vnrs_map_find(&distinct->seen, hops, len))
        return 0;
    int r = vnrs_map_put(&distinct->seen, hops, len, hops);
    if (r == 0)
        (void)TAKE_PTR(hops); // the map has it
    return r;
}

size_t vnrs_fib_distinct_len(const struct vnrs_fib_distinct *distinct)
{
    return distinct->seen.len;
}

void vnrs_fib_distinct_fini(struct vnrs_fib_distinct *distinct)
{
    vnrs_map_fini_values(&distinct->seen);
}
