// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/counters.h"

#include "control/drop_name.h"
#include "control/state.h"
#include "vnrs/meter.h"

#include <assert.h>

static const struct {
    const char *name, *billed;
} classes[] = {
#define X(id, name, billed) {name, billed},
    VNRS_BILLING_CLASSES(X)
#undef X
};
static_assert(ARRAY_SIZE(classes) == _VNRS_BILL_MAX, "a name for every class");

// What is at the other end of it; MACHINE: it stays inside virtual networks.
static const enum vnrs_nic_kind outsides[_VNRS_BILL_MAX] = {
    [VNRS_BILL_VPN] = VNRS_NIC_KIND_VPN,
    [VNRS_BILL_VPN_PEERING] = VNRS_NIC_KIND_VPN,
    [VNRS_BILL_VPN_GLOBAL_PEERING] = VNRS_NIC_KIND_VPN,
    [VNRS_BILL_EXPRESSROUTE] = VNRS_NIC_KIND_EXPRESSROUTE,
    [VNRS_BILL_EXPRESSROUTE_PEERING] = VNRS_NIC_KIND_EXPRESSROUTE,
    [VNRS_BILL_EXPRESSROUTE_GLOBAL_PEERING] = VNRS_NIC_KIND_EXPRESSROUTE,
    [VNRS_BILL_SERVICE_ENDPOINT] = VNRS_NIC_KIND_SERVICE,
    [VNRS_BILL_INTERNET] = VNRS_NIC_KIND_EDGE,
    [VNRS_BILL_PLATFORM] = VNRS_NIC_KIND_PLATFORM,
};

const char *vnrs_billing_name(enum vnrs_billing billing)
{
    return classes[billing].name;
}

const char *vnrs_billing_text(enum vnrs_billing billing)
{
    return classes[billing].billed;
}

bool vnrs_billing_is_outside(enum vnrs_billing billing)
{
    return outsides[billing] != VNRS_NIC_KIND_MACHINE;
}

void vnrs_counters_add(struct vnrs_counters *c, const struct vnrs_ag_counter *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct vnrs_count count = {list[i].packets, list[i].bytes};
        uint32_t kind = list[i].kind, index = list[i].index, billing = list[i].billing;
        bool is_nic = kind == VNRS_AG_COUNTER_NIC_FROM || kind == VNRS_AG_COUNTER_NIC_TO;
        if (is_nic && index < VNRS_NICS_MAX && billing < _VNRS_BILL_MAX) {
            struct vnrs_counters_nic *nic = &c->nics[index];
            nic->present = true;
            (kind == VNRS_AG_COUNTER_NIC_FROM ? nic->from : nic->to)[billing] = count;
        } else if (kind == VNRS_AG_COUNTER_TYPE && index < _VNRS_NH_MAX) {
            c->types[index] = count;
        } else if (kind == VNRS_AG_COUNTER_DROP && index < _VNRS_DROP_MAX) {
            c->drops[index] = count;
        }
    }
}

static void add(struct vnrs_count *sum, const struct vnrs_count *count)
{
    sum->packets += count->packets;
    sum->bytes += count->bytes;
}

static enum vnrs_nic_kind kind_of(const struct vnrs_fib_state *fib, uint32_t ifindex)
{
    if (ifindex < VNRS_IFINDEX_FIRST)
        return (enum vnrs_nic_kind)ifindex;
    const struct vnrs_fib_nic *nic = vnrs_fib_find_nic(fib, ifindex);
    return nic ? vnrs_nic_kind_of(nic->nic.flags) : VNRS_NIC_KIND_MACHINE;
}

void vnrs_counters_bill(const struct vnrs_counters *c, const struct vnrs_fib_state *fib,
                        struct vnrs_billed ret_billed[static _VNRS_BILL_MAX])
{
    memset(ret_billed, 0, _VNRS_BILL_MAX * sizeof(*ret_billed));
    for (uint32_t i = 0; i < VNRS_NICS_MAX; i++) {
        const struct vnrs_counters_nic *nic = &c->nics[i];
        if (!nic->present)
            continue;
        enum vnrs_nic_kind kind = kind_of(fib, i);
        for (int b = 0; b < _VNRS_BILL_MAX; b++) {
            add(&ret_billed[b].all, &nic->from[b]);
            if (kind != VNRS_NIC_KIND_MACHINE && kind == outsides[b])
                add(&ret_billed[b].outbound, &nic->to[b]);
        }
    }
}

// ---- as JSON

static json_t *count_json(const struct vnrs_count *count)
{
    return json_pack("{s:I, s:I}", "packets", (json_int_t)count->packets, "bytes", (json_int_t)count->bytes);
}

static json_t *sum_json(const struct vnrs_count counts[static _VNRS_BILL_MAX])
{
    struct vnrs_count sum = {0};

    for (int b = 0; b < _VNRS_BILL_MAX; b++)
        add(&sum, &counts[b]);
    return count_json(&sum);
}

// Classes that the NIC had packets of.
static json_t *nic_classes(const struct vnrs_counters_nic *nic)
{
    json_t *list = json_array();

    for (int b = VNRS_BILL_NONE + 1; b < _VNRS_BILL_MAX; b++) {
        if (nic->from[b].packets || nic->to[b].packets)
            (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s}", "class", classes[b].name, "fromNic",
                                                        count_json(&nic->from[b]), "toNic", count_json(&nic->to[b]),
                                                        "billed", classes[b].billed));
    }
    return list;
}

static json_t *nics_json(const struct vnrs_counters *c, const struct vnrs_lab *lab)
{
    json_t *list = json_array();

    vec_foreach (object, &lab->desired.objects) {
        uint32_t i = object->type == VNRS_OBJ_LINK ? vnrs_ids_find(lab->ids, VNRS_ID_LINK, object->key) : 0;
        if (!i || i >= VNRS_NICS_MAX)
            continue;
        const struct vnrs_counters_nic *nic = &c->nics[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "name", object->key, "fromNic",
                                                    sum_json(nic->from), "toNic", sum_json(nic->to), "billing",
                                                    nic_classes(nic)));
    }
    return list;
}

static json_t *direction_json(int billing, uint64_t packets, uint64_t bytes)
{
    const struct vnrs_count count = {packets, bytes};

    return vnrs_billing_is_outside((enum vnrs_billing)billing) ? count_json(&count) : json_null();
}

static json_t *classes_json(const struct vnrs_counters *c, const struct vnrs_fib_state *fib)
{
    struct vnrs_billed billed[_VNRS_BILL_MAX];
    json_t *list = json_array();

    vnrs_counters_bill(c, fib, billed);
    for (int b = VNRS_BILL_NONE + 1; b < _VNRS_BILL_MAX; b++) {
        const struct vnrs_count *all = &billed[b].all, *out = &billed[b].outbound;
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:I, s:I, s:o, s:o, s:s}", "class", classes[b].name, "packets",
                                              (json_int_t)all->packets, "bytes", (json_int_t)all->bytes, "outbound",
                                              direction_json(b, out->packets, out->bytes), "inbound",
                                              direction_json(b, all->packets - out->packets, all->bytes - out->bytes),
                                              "billed", classes[b].billed));
    }
    return list;
}

static json_t *types_json(const struct vnrs_counters *c)
{
    json_t *list = json_array();

    for (int i = 0; i < _VNRS_NH_MAX; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:I, s:I}", "type", vnrs_nexthop_type_name(i), "packets",
                                              (json_int_t)c->types[i].packets, "bytes", (json_int_t)c->types[i].bytes));
    return list;
}

static json_t *drops_json(const struct vnrs_counters *c, bool all)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < _VNRS_DROP_MAX; i++)
        if (all || c->drops[i].packets)
            (void)json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I}", "reason", vnrs_drop_name(i), "text",
                                                        vnrs_drop_text(i), "packets", (json_int_t)c->drops[i].packets,
                                                        "bytes", (json_int_t)c->drops[i].bytes));
    return list;
}

json_t *vnrs_counters_json(const struct vnrs_counters *c, const struct vnrs_lab *lab)
{
    // The kernel's data plane does not know next hop types, and counts no drops by routing: zeros would not be true.
    bool all = !lab || !lab->model || lab->model->dataplane == VNRS_DATAPLANE_EBPF;

    return json_pack("{s:o, s:o, s:o, s:o}", "nics", lab ? nics_json(c, lab) : json_array(), "billing",
                     lab ? classes_json(c, lab->fib) : json_array(), "nextHopTypes", all ? types_json(c) : json_array(),
                     "drops", drops_json(c, all));
}
