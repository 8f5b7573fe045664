// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/kernel_counters.h"

#include "vnrs/drop_reason.h"
#include "vnrs/meter.h"

#include <stdio.h>
#include <string.h>

// The next hop type of the route, as far as it can be told from where a packet came out; enough for the class.
static uint32_t type_of(const struct vnrs_bpf_nic *from, const struct vnrs_bpf_nic *to, bool own)
{
    if (to->flags & VNRS_NIC_EDGE)
        return VNRS_NH_INTERNET;
    if (to->flags & VNRS_NIC_SERVICE)
        return VNRS_NH_SERVICE_ENDPOINT;
    if (!own)
        return VNRS_NH_APPLIANCE;
    return from->vnet == to->vnet       ? VNRS_NH_VNET_LOCAL
           : from->region == to->region ? VNRS_NH_VNET_PEERING
                                        : VNRS_NH_VNET_GLOBAL_PEERING;
}

enum vnrs_billing vnrs_kernel_counters_class(const struct vnrs_bpf_nic *from, const struct vnrs_bpf_nic *to, bool own)
{
    return vnrs_meter(from, to, type_of(from, to, own));
}

static const struct vnrs_bpf_nic *find_nic(const struct vnrs_map *nics, uint32_t ifindex)
{
    const struct vnrs_fib_nic *nic = vnrs_map_find(nics, &ifindex, sizeof(ifindex));

    return nic ? &nic->nic : NULL;
}

struct element {
    char from[16], to[16];
    unsigned mark;
    unsigned long long packets, bytes;
};

static void tell_passed(const struct element *e, const struct vnrs_map *nics, const struct vnrs_kernel_counting *c)
{
    struct vnrs_kernel_count count = {
        .from = c->ifindex(c->arg, e->from), .to = c->ifindex(c->arg, e->to), .packets = e->packets, .bytes = e->bytes};
    const struct vnrs_bpf_nic *from = find_nic(nics, count.from), *to = find_nic(nics, count.to);

    if (!from || !to)
        return;
    count.billing = vnrs_kernel_counters_class(from, to, e->mark & 1);
    c->count(c->arg, &count);
}

static void tell_dropped(const struct element *e, const struct vnrs_kernel_counting *c)
{
    const struct vnrs_kernel_count count = {
        .dropped = true, .reason = e->mark & 0xffff, .packets = e->packets, .bytes = e->bytes};

    if (count.reason < _VNRS_DROP_MAX)
        c->count(c->arg, &count);
}

// Elements are `"a" . "b" . 0x… counter packets N bytes N` and `0x… counter packets N bytes N`.
void vnrs_kernel_counters_read(const char *listing, const struct vnrs_map *nics,
                               const struct vnrs_kernel_counting *counting)
{
    static const char counter[] = " counter packets ";

    for (const char *at = strstr(listing, counter); at; at = strstr(at + 1, counter)) {
        const char *begin = at;
        struct element e = {0};
        while (begin > listing && !strchr("{,", begin[-1]))
            begin--;
        if (sscanf(begin, " \"%15[^\"]\" . \"%15[^\"]\" . %x counter packets %llu bytes %llu", e.from, e.to, &e.mark,
                   &e.packets, &e.bytes) == 5)
            tell_passed(&e, nics, counting);
        else if (sscanf(begin, " %x counter packets %llu bytes %llu", &e.mark, &e.packets, &e.bytes) == 3 &&
                 e.mark & VNRS_KERNEL_MARK_DROP)
            tell_dropped(&e, counting);
    }
}
