// SPDX-License-Identifier: GPL-2.0-or-later
// What the sink writes: nothing twice, one write for a changed group, nothing left behind; and what the program then
// finds, against the project's own trie.
#include "fixture.h"

#include "net/trie.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#define LOOKUPS  100000
#define PREFIXES 3000

static struct fixture fx;

static void reopen(void)
{
    fixture_close(&fx, false);
    fixture_open(&fx);
}

static struct vnrs_bpf_route route_read(const char *text)
{
    struct vnrs_bpf_route value = {0};
    struct vnrs_bpf_route_key4 key = {.domain_be = htobe32(DOMAIN_VM)};
    struct vnrs_prefix prefix;

    assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
    key.prefixlen = 32u + prefix.len;
    memcpy(&key.addr_be, prefix.bytes, 4);
    assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_ROUTES4), &key, &value), 0);
    return value;
}

static struct vnrs_bpf_group group_read(uint32_t index)
{
    struct vnrs_bpf_group group;

    assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_GROUPS), &index, &group), 0);
    return group;
}

static size_t map_len(enum vnrs_bpf_map map)
{
    uint8_t key[32], next[32];
    void *from = NULL;
    size_t n = 0;

    for (; bpf_map_get_next_key(vnrs_bpf_dataplane_map(fx.dp, map), from, next) == 0; n++) {
        memcpy(key, next, sizeof(key));
        from = key;
    }
    return n;
}

static void same_state_again_writes_nothing(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    uint64_t writes = fx.sink->writes;
    assert_true(writes > 30);
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, writes);
}

static void next_process_writes_nothing_even_with_other_handles(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    reopen();
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, 0);
    reopen();
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    fixture_fill_routes(fx.sink, 1000);
    assert_int_equal(fx.sink->writes, 0);
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, 0);
}

// Also when the buckets are not what a fresh group would get.
static void next_process_adopts_a_group_with_a_history(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA1), TO_NIC(NVA2), TO_NIC(INTERNET));
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA2), TO_NIC(INTERNET));
    GROUP(fx.sink, HANDLE_ECMP, TO_NIC(NVA2), TO_NIC(NVA1));
    reopen();
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, 0);
}

static void changed_group_is_one_write_for_all_its_routes(void **state)
{
    char text[32];

    (void)state;
    fixture_fill(fx.sink);
    GROUP(fx.sink, 500, TO_NIC(NVA1), TO_NIC(VM_A));
    for (int i = 0; i < 200; i++) {
        (void)snprintf(text, sizeof(text), "30.%d.0.0/16", i);
        route_set(fx.sink, DOMAIN_VM, text, 500, VNRS_NH_APPLIANCE);
    }
    struct vnrs_bpf_route before = route_read("30.7.0.0/16");
    uint64_t writes = fx.sink->writes;
    GROUP(fx.sink, 500, TO_NIC(NVA2), TO_NIC(NVA1));
    assert_int_equal(fx.sink->writes - writes, 1); // both next hops exist already
    struct vnrs_bpf_route after = route_read("30.7.0.0/16");
    assert_int_equal(before.group, after.group);
    GROUP(fx.sink, 500, TO_NIC(NVA2), TO_NIC(NVA1), TO_NIC(NVA1)); // same members, otherwise said
    assert_int_equal(fx.sink->writes - writes, 1);
    fixture_fill(fx.sink); // the routes of handle 500 are not in it
    assert_int_equal(fx.sink->writes - writes, 1 + 200);
}

static void handle_that_shares_its_slot_moves_alone(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    GROUP(fx.sink, 600, TO_NIC(NVA1));
    route_set(fx.sink, DOMAIN_VM, "31.0.0.0/16", 600, VNRS_NH_APPLIANCE);
    uint32_t shared = route_read("10.3.0.0/16").group;
    assert_int_equal(route_read("31.0.0.0/16").group, shared);
    struct vnrs_bpf_group before = group_read(shared);
    GROUP(fx.sink, 600, TO_NIC(NVA2));
    struct vnrs_bpf_group after = group_read(shared);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(route_read("10.3.0.0/16").group, shared);
    assert_int_not_equal(route_read("31.0.0.0/16").group, shared);
    route_set(fx.sink, DOMAIN_VM, "31.0.0.0/16", 0, 0);
}

static void route_moves_between_groups_and_types(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    uint64_t writes = fx.sink->writes;
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", HANDLE_INTERNET, VNRS_NH_INTERNET);
    assert_int_equal(fx.sink->writes - writes, 1);
    assert_int_equal(route_read("10.3.0.0/16").group, route_read("8.0.0.0/8").group);
    assert_int_equal(route_read("10.3.0.0/16").type, VNRS_NH_INTERNET);
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", HANDLE_INTERNET, VNRS_NH_APPLIANCE);
    assert_int_equal(fx.sink->writes - writes, 2);
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", 0, 0);
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", 0, 0); // gone is gone
    assert_int_equal(fx.sink->writes - writes, 3);
}

static void freed_slots_rest_before_they_are_used_again(void **state)
{
    uint32_t last = 0;

    (void)state;
    fixture_fill(fx.sink);
    for (int i = 0; i < 10; i++) {
        GROUP(fx.sink, 700, TO_NIC(1000 + (unsigned)i));
        route_set(fx.sink, DOMAIN_VM, "32.0.0.0/16", 700, VNRS_NH_APPLIANCE);
        uint32_t group = route_read("32.0.0.0/16").group;
        assert_int_not_equal(group, last);
        last = group;
        route_set(fx.sink, DOMAIN_VM, "32.0.0.0/16", 0, 0);
    }
}

static void end_of_sync_removes_what_was_not_said(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    assert_true(map_len(VNRS_BPF_MAP_ROUTES4) > 10);
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
    assert_int_equal(map_len(VNRS_BPF_MAP_ROUTES4), 0);
    assert_int_equal(map_len(VNRS_BPF_MAP_ROUTES6), 0);
    assert_int_equal(map_len(VNRS_BPF_MAP_ENDPOINTS), 0);
    assert_int_equal(map_len(VNRS_BPF_MAP_SERVICE_ACL), 0);
    for (uint32_t i = VM_A; i < _NIC_END; i++) {
        struct vnrs_bpf_nic nic;
        assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_NICS), &i, &nic), 0);
        assert_int_equal(nic.flags, 0);
    }
    uint64_t writes = fx.sink->writes;
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
    assert_int_equal(fx.sink->writes, writes);
}

static void mistakes_are_refused_with_a_sentence(void **state)
{
    struct vnrs_fib_route route = {.domain = 1, .group = 9999, .prefix = {.family = VNRS_AF_IPV4, .len = 8}};
    struct vnrs_fib_group empty = {.handle = 1}, odd = {.handle = 1, .n = 1, .members = {{.kind = 99}}};
    struct vnrs_fib_nic nic = {.ifindex = VNRS_NICS_MAX, .nic.flags = VNRS_NIC_PRESENT};

    (void)state;
    uint64_t writes = fx.sink->writes;
    assert_int_equal(fx.sink->ops->route_set(fx.sink, &route), -ENOENT);
    assert_non_null(strstr(fx.sink->error, "0.0.0.0/8"));
    assert_int_equal(fx.sink->ops->group_set(fx.sink, &empty), -EINVAL);
    assert_int_equal(fx.sink->ops->group_set(fx.sink, &odd), -EINVAL);
    assert_int_equal(fx.sink->ops->nic_set(fx.sink, &nic), -ERANGE);
    assert_int_equal(fx.sink->writes, writes);
}

// 65,535 groups fit; the next is refused, and nothing of what is there suffers.
static void full_group_table_is_an_error_and_harms_nobody(void **state)
{
    struct vnrs_fib_group group = {.n = 2};
    struct vnrs_fib_route route = {.domain = 50, .prefix = {.family = VNRS_AF_IPV4, .len = 32, .bytes = {40}}};
    unsigned n = 0;
    int err = 0;

    (void)state;
    fixture_fill(fx.sink);
    for (; !err && n <= VNRS_GROUPS_MAX; n++) {
        group.handle = route.group = 10000 + n;
        group.members[0] = (struct vnrs_fib_member)TO_NIC(1000 + n % 300);
        group.members[1] = (struct vnrs_fib_member)TO_NIC(2000 + n / 300);
        route.prefix.bytes[1] = (uint8_t)(n >> 16);
        route.prefix.bytes[2] = (uint8_t)(n >> 8);
        route.prefix.bytes[3] = (uint8_t)n;
        err = fx.sink->ops->group_set(fx.sink, &group);
        assert_int_equal(err, 0); // takes a slot with its first route
        err = fx.sink->ops->route_set(fx.sink, &route);
    }
    assert_int_equal(err, -ENOSPC);
    assert_non_null(strstr(fx.sink->error, "full"));
    assert_in_range(n, 65000, VNRS_GROUPS_MAX);
    uint64_t writes = fx.sink->writes;
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes - writes, n - 1); // only the routes of this test went
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes - writes, n - 1);
}

// --- longest-prefix match against the trie ---

struct trial {
    struct vnrs_trie trie[2]; // of two domains
};

static void random_addr(uint8_t family, struct vnrs_addr *ret_addr)
{
    *ret_addr = (struct vnrs_addr){.family = family};
    for (unsigned b = 0; b < vnrs_af_bits(family) / 8; b++)
        ret_addr->bytes[b] = (uint8_t)random();
    if (random() % 4) { // crowd together, so that prefixes nest
        ret_addr->bytes[0] = family == VNRS_AF_IPV4 ? 10 : 0xfd;
        ret_addr->bytes[1] &= 3;
        if (family == VNRS_AF_IPV6)
            memset(ret_addr->bytes + 2, random() % 2, 9);
    }
}

// Addresses that the program treats specially before it looks for a route.
static bool is_special(const struct vnrs_addr *addr)
{
    if (addr->family == VNRS_AF_IPV4)
        return addr->bytes[0] >= 224 || memcmp(addr->bytes, (uint8_t[]){168, 63, 129, 16}, 4) == 0 ||
               memcmp(addr->bytes, (uint8_t[]){169, 254, 169, 254}, 4) == 0;
    return addr->bytes[0] == 0xff || (addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80);
}

// The NIC that the program sends a packet to; 0: no route.
static uint32_t program_find(uint32_t domain, const struct vnrs_addr *addr)
{
    char text[VNRS_ADDR_STR_MAX];
    struct spec packet = {.src = addr->family == VNRS_AF_IPV4 ? "10.0.0.4" : "fd00::4",
                          .dst = vnrs_addr_format(addr, text)};
    struct frame in;
    struct run run;

    frame_build(&packet, &in);
    fixture_run(&fx, domain == 1 ? VM_A : VM_B, &in, 0, &run);
    if (run.cb[VNRS_BPF_CB_VERDICT] == VNRS_BPF_VERDICT_FORWARD)
        return run.cb[VNRS_BPF_CB_IFINDEX];
    assert_int_equal(run.cb[VNRS_BPF_CB_REASON], VNRS_DROP_NO_ROUTE);
    return 0;
}

static void set_random_routes(struct trial *trial, struct vnrs_prefix *prefixes)
{
    struct vnrs_bpf_nic forwarding = {.flags = VNRS_NIC_FORWARDING, .mtu = 1500};

    for (uint32_t g = 1; g <= 100; g++) {
        GROUP(fx.sink, g, TO_NIC(100 + g));
        nic_set(fx.sink, 100 + g, &forwarding);
    }
    for (uint32_t domain = 1; domain <= 2; domain++) {
        forwarding.domain = domain;
        nic_set(fx.sink, domain == 1 ? VM_A : VM_B, &forwarding);
    }
    for (unsigned i = 0; i < PREFIXES; i++) {
        struct vnrs_addr addr;
        random_addr(random() % 2 ? VNRS_AF_IPV4 : VNRS_AF_IPV6, &addr);
        prefixes[i] = vnrs_prefix_make(&addr, (unsigned)random() % (vnrs_af_bits(addr.family) + 1));
        uint32_t domain = 1 + (uint32_t)random() % 2, group = 1 + (uint32_t)random() % 100;
        struct vnrs_fib_route route = {.domain = domain, .prefix = prefixes[i], .group = random() % 5 ? group : 0};
        assert_int_equal(fx.sink->ops->route_set(fx.sink, &route), 0);
        if (route.group)
            assert_int_equal(vnrs_trie_put(&trial->trie[domain - 1], &prefixes[i], (void *)(uintptr_t)(100 + group)),
                             0);
        else
            (void)vnrs_trie_remove(&trial->trie[domain - 1], &prefixes[i]);
    }
}

static void longest_prefix_match_agrees_with_the_trie(void **state)
{
    unsigned seed = (unsigned)time(NULL), hits = 0;
    struct vnrs_prefix prefixes[PREFIXES];
    struct trial trial = {0};

    (void)state;
    print_message("seed %u\n", seed);
    srandom(seed);
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    set_random_routes(&trial, prefixes);
    for (int i = 0; i < LOOKUPS; i++) {
        const struct vnrs_prefix *near = &prefixes[random() % PREFIXES];
        struct vnrs_addr addr;
        switch (random() % 4) { // edges of prefixes are where mistakes live
        case 0:
            addr = vnrs_prefix_addr(near);
            break;
        case 1:
            addr = vnrs_prefix_last(near);
            break;
        case 2:
            addr = vnrs_prefix_last(near);
            addr = vnrs_addr_add(&addr, 1);
            break;
        default:
            random_addr(random() % 2 ? VNRS_AF_IPV4 : VNRS_AF_IPV6, &addr);
        }
        if (is_special(&addr))
            continue;
        uint32_t domain = 1 + (uint32_t)random() % 2;
        uint32_t expected = (uint32_t)(uintptr_t)vnrs_trie_match(&trial.trie[domain - 1], &addr, NULL);
        uint32_t found = program_find(domain, &addr);
        char text[VNRS_ADDR_STR_MAX];
        if (found != expected)
            fail_msg("domain %u address %s: %u, not %u", domain, vnrs_addr_format(&addr, text), found, expected);
        hits += expected != 0;
    }
    assert_in_range(hits, LOOKUPS / 10, LOOKUPS);
    assert_int_equal(map_len(VNRS_BPF_MAP_ROUTES4) + map_len(VNRS_BPF_MAP_ROUTES6),
                     trial.trie[0].len + trial.trie[1].len);
    vnrs_trie_fini(&trial.trie[0]);
    vnrs_trie_fini(&trial.trie[1]);
}

static int enter(void **state)
{
    (void)state;
    fixture_enter_namespace();
    sh("ip link add f%u index %u type veth peer name f%u index %u", VM_A, VM_A, VM_B, VM_B);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    fixture_open(&fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(same_state_again_writes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(next_process_writes_nothing_even_with_other_handles, setup, teardown),
        cmocka_unit_test_setup_teardown(next_process_adopts_a_group_with_a_history, setup, teardown),
        cmocka_unit_test_setup_teardown(changed_group_is_one_write_for_all_its_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_that_shares_its_slot_moves_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(route_moves_between_groups_and_types, setup, teardown),
        cmocka_unit_test_setup_teardown(freed_slots_rest_before_they_are_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(end_of_sync_removes_what_was_not_said, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_refused_with_a_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(full_group_table_is_an_error_and_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(longest_prefix_match_agrees_with_the_trie, setup, teardown),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.sink", tests, enter, NULL);
}
