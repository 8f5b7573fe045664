// SPDX-License-Identifier: GPL-2.0-or-later
// What the agent told of counters, put together; and what of it is billed.
#include "control/counters.h"

#include "control/state.h"
#include "util/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HUB = 16, SPOKE, NVA, VPN, EDGE };

#define FROM(nic, class, n)                                                                                            \
    {                                                                                                                  \
        VNRS_AG_COUNTER_NIC_FROM, class, nic, n, (n)*100                                                               \
    }
#define TO(nic, class, n)                                                                                              \
    {                                                                                                                  \
        VNRS_AG_COUNTER_NIC_TO, class, nic, n, (n)*100                                                                 \
    }

// Packets: spoke → branch 5, branch → spoke 3, spoke → NVA 7, NVA → hub 7, hub → Internet 2, Internet → hub 1; a VPN
// gateway that is gone got 4 of a machine that is gone. The hub's NIC sent one that was dropped, and got an answer.
static const struct vnrs_ag_counter told[] = {
    FROM(SPOKE, VNRS_BILL_VPN_PEERING, 5),
    TO(VPN, VNRS_BILL_VPN_PEERING, 5),
    FROM(VPN, VNRS_BILL_VPN_PEERING, 3),
    TO(SPOKE, VNRS_BILL_VPN_PEERING, 3),
    FROM(SPOKE, VNRS_BILL_APPLIANCE_PEERING, 7),
    TO(NVA, VNRS_BILL_APPLIANCE_PEERING, 7),
    FROM(NVA, VNRS_BILL_VNET_LOCAL, 7),
    TO(HUB, VNRS_BILL_VNET_LOCAL, 7),
    FROM(HUB, VNRS_BILL_INTERNET, 2),
    TO(EDGE, VNRS_BILL_INTERNET, 2),
    FROM(EDGE, VNRS_BILL_INTERNET, 1),
    TO(HUB, VNRS_BILL_INTERNET, 1),
    FROM(VNRS_NIC_KIND_MACHINE, VNRS_BILL_VPN, 4),
    TO(VNRS_NIC_KIND_VPN, VNRS_BILL_VPN, 4),
    FROM(HUB, VNRS_BILL_NONE, 1),
    TO(HUB, VNRS_BILL_NONE, 1),
    {VNRS_AG_COUNTER_TYPE, 0, VNRS_NH_GATEWAY, 19, 1900},
    {VNRS_AG_COUNTER_DROP, 0, VNRS_DROP_NONE_ROUTE, 1, 100},
    // there is no room for these
    {VNRS_AG_COUNTER_NIC_FROM, _VNRS_BILL_MAX, HUB, 9, 9},
    {VNRS_AG_COUNTER_NIC_TO, 1, VNRS_NICS_MAX, 9, 9},
    {VNRS_AG_COUNTER_TYPE, 0, _VNRS_NH_MAX, 9, 9},
    {VNRS_AG_COUNTER_DROP, 0, _VNRS_DROP_MAX, 9, 9},
    {0, 0, HUB, 9, 9},
};

static const struct {
    const char *key;
    uint32_t flags;
} nics[] = {
    {"hub/eth0", 0},
    {"spoke/eth0", 0},
    {"nva/eth0", VNRS_NIC_FORWARDING},
    {"gateway.vpngw-0/eth0", VNRS_NIC_FORWARDING | VNRS_NIC_GATEWAY},
    {"internet.edge", VNRS_NIC_EDGE},
};

struct world {
    struct vnrs_lab lab;
    struct vnrs_prefixes prefixes;
    struct vnrs_counters *counters;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    w->counters = calloc(1, sizeof(*w->counters));
    w->lab.ids = vnrs_ids_new();
    w->lab.fib = vnrs_fib_state_new(&w->prefixes);
    assert_true(w->counters && w->lab.ids && w->lab.fib);
    vnrs_fib_begin(w->lab.fib, true);
    for (uint32_t i = 0; i < ARRAY_SIZE(nics); i++) {
        struct vnrs_fib_nic nic = {.ifindex = HUB + i, .nic.flags = VNRS_NIC_PRESENT | nics[i].flags};
        struct vnrs_object object = {.type = VNRS_OBJ_LINK, .key = nics[i].key};
        vnrs_fib_want_nic(w->lab.fib, &nic);
        assert_int_equal(vnrs_ids_set(w->lab.ids, VNRS_ID_LINK, nics[i].key, HUB + i), 0);
        assert_int_equal(vec_push(&w->lab.desired.objects, object), 0);
    }
    vnrs_counters_add(w->counters, told, ARRAY_SIZE(told));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    vnrs_fib_state_free(w->lab.fib);
    vnrs_ids_free(w->lab.ids);
    vnrs_prefixes_fini(&w->prefixes);
    vec_free(&w->lab.desired.objects);
    free(w->counters);
    free(w);
    return 0;
}

static void outside_things_make_directions(void **state)
{
    static const struct {
        enum vnrs_billing billing;
        unsigned all, outbound;
    } rows[] = {
        {VNRS_BILL_NONE, 1, 0},     {VNRS_BILL_VNET_LOCAL, 7, 0},  {VNRS_BILL_APPLIANCE_PEERING, 7, 0},
        {VNRS_BILL_VPN, 4, 4},      {VNRS_BILL_VPN_PEERING, 8, 5}, {VNRS_BILL_INTERNET, 3, 2},
        {VNRS_BILL_PLATFORM, 0, 0},
    };
    const struct world *w = *state;
    struct vnrs_billed billed[_VNRS_BILL_MAX];

    vnrs_counters_bill(w->counters, w->lab.fib, billed);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct vnrs_billed *b = &billed[rows[i].billing];
        assert_int_equal(b->all.packets, rows[i].all);
        assert_int_equal(b->all.bytes, rows[i].all * 100);
        assert_int_equal(b->outbound.packets, rows[i].outbound);
        assert_int_equal(b->outbound.bytes, rows[i].outbound * 100);
    }
}

static void every_class_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (int b = 0; b < _VNRS_BILL_MAX; b++) {
        assert_true(vnrs_billing_name(b)[0] && vnrs_billing_text(b)[0]);
        for (int other = 0; other < b; other++)
            assert_string_not_equal(vnrs_billing_name(b), vnrs_billing_name(other));
        // what is outside is billed by direction or not at all
        assert_int_equal(strncmp(vnrs_billing_text(b), "sender", 6) == 0 && vnrs_billing_is_outside(b), 0);
    }
}

// Against tests/unit/control/counters.golden.json; VNRS_UPDATE_GOLDEN writes it.
static void as_json(void **state)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    const struct world *w = *state;
    json_t *json = vnrs_counters_json(w->counters, &w->lab);
    _free_ char *text = json_dumps(json, JSON_INDENT(2)), *want = NULL;
    char path[512];
    size_t len = 0;

    assert_non_null(text);
    (void)snprintf(path, sizeof(path), "%s/tests/unit/control/counters.golden.json", root ? root : ".");
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, text, strlen(text), 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(text, want);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outside_things_make_directions),
        cmocka_unit_test(every_class_has_a_name_and_a_sentence),
        cmocka_unit_test(as_json),
    };

    return cmocka_run_group_tests_name("control.counters", tests, setup, teardown);
}
