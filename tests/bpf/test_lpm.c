// SPDX-License-Identifier: GPL-2.0-or-later
// Longest-prefix match four ways: the program in the kernel, the kernel's own LPM_TRIE and routing tables, and the
// project's plain trie; random tables of both families that change all the time, addresses at the edges of prefixes,
// where mistakes live. VNRS_SLOW compares a hundred times as many pairs, VNRS_LOOKUPS=N that many, from VNRS_SEED.
#include "fixture.h"
#include "kernel_fib.h"

#include "net/trie.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#define LOOKUPS      100000 // of addresses that all four can look up
#define LOOKUPS_SLOW (100 * LOOKUPS)
#define PREFIXES     2000 // that come and go
#define GROUPS       100
#define DOMAINS      2

struct key { // of the LPM_TRIEs
    uint32_t prefixlen;
    uint32_t domain_be;
    uint8_t addr[16];
};

static_assert(GROUPS <= KERNEL_FIB_GROUPS_MAX, "a next hop for each");

static struct fixture fx;
static struct vnrs_trie plain[DOMAINS];
static struct kernel_fib tables[DOMAINS];
static int kernel_tries[2]; // IPv4, IPv6
static struct vnrs_prefix prefixes[PREFIXES];
static char nics[100 + GROUPS + 1]; // a number as a pointer, for the plain trie

static unsigned long lookups_wanted(void)
{
    const char *text = getenv("VNRS_LOOKUPS");

    return text ? strtoul(text, NULL, 10) : getenv("VNRS_SLOW") ? LOOKUPS_SLOW : LOOKUPS;
}

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
               memcmp(addr->bytes, (uint8_t[]){169, 254}, 2) == 0;
    return addr->bytes[0] == 0xff || (addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80);
}

static void key_make(uint32_t domain, uint8_t family, const uint8_t *bytes, unsigned len, struct key *ret_key)
{
    *ret_key = (struct key){.prefixlen = 32 + len, .domain_be = htobe32(domain)};
    memcpy(ret_key->addr, bytes, family == VNRS_AF_IPV4 ? 4 : 16);
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

static uint32_t kernel_find(uint32_t domain, const struct vnrs_addr *addr)
{
    uint32_t value = 0;
    struct key key;

    key_make(domain, addr->family, addr->bytes, vnrs_af_bits(addr->family), &key);
    return bpf_map_lookup_elem(kernel_tries[addr->family == VNRS_AF_IPV6], &key, &value) ? 0 : value;
}

static void route_change(uint32_t domain, const struct vnrs_prefix *prefix)
{
    uint32_t group = random() % 3 ? 1 + (uint32_t)random() % GROUPS : 0, nic = 100 + group;
    struct vnrs_fib_route route = {.domain = domain, .prefix = *prefix, .group = group};
    int kernel_trie = kernel_tries[prefix->family == VNRS_AF_IPV6];
    struct key key;

    key_make(domain, prefix->family, prefix->bytes, prefix->len, &key);
    assert_int_equal(fx.sink->ops->route_set(fx.sink, &route), 0);
    if (group) {
        assert_int_equal(vnrs_trie_put(&plain[domain - 1], prefix, &nics[nic]), 0);
        assert_int_equal(bpf_map_update_elem(kernel_trie, &key, &nic, BPF_ANY), 0);
        kernel_fib_set(&tables[domain - 1], prefix, group);
    } else {
        bool was = vnrs_trie_remove(&plain[domain - 1], prefix) != NULL;
        assert_int_equal(bpf_map_delete_elem(kernel_trie, &key) == 0, was);
        if (was)
            kernel_fib_set(&tables[domain - 1], prefix, 0);
    }
}

// At the edges of prefixes, or anywhere.
static struct vnrs_addr draw_addr(void)
{
    const struct vnrs_prefix *near = &prefixes[random() % PREFIXES];
    struct vnrs_addr addr;

    switch (random() % 4) {
    case 0:
        return vnrs_prefix_addr(near);
    case 1:
        return vnrs_prefix_last(near);
    case 2:
        addr = vnrs_prefix_last(near);
        return vnrs_addr_add(&addr, 1);
    default:
        random_addr(random() % 2 ? VNRS_AF_IPV4 : VNRS_AF_IPV6, &addr);
        return addr;
    }
}

// False: it is no address for all four.
static bool compare_one(void)
{
    uint32_t domain = 1 + (uint32_t)random() % DOMAINS;
    struct vnrs_addr addr = draw_addr();
    char text[VNRS_ADDR_STR_MAX], prefix[VNRS_PREFIX_STR_MAX];

    if (is_special(&addr))
        return false;
    struct vnrs_prefix by = {0};
    const char *found = vnrs_trie_match(&plain[domain - 1], &addr, &by);
    uint32_t expected = found ? (uint32_t)(found - nics) : 0;
    uint32_t kernel = kernel_find(domain, &addr), program = program_find(domain, &addr);
    bool known = kernel_fib_knows(&addr);
    unsigned group = known ? kernel_fib_find(&tables[domain - 1], &addr) : 0;
    uint32_t table = !known ? expected : group ? 100 + group : 0;
    if (program != expected || kernel != expected || table != expected)
        fail_msg("domain %u address %s: program %u, LPM_TRIE %u, routing table %u, trie %u by %s", domain,
                 vnrs_addr_format(&addr, text), program, kernel, table, expected, vnrs_prefix_format(&by, prefix));
    return known;
}

static void change_routes(unsigned n)
{
    while (n-- > 0)
        route_change(1 + (uint32_t)random() % DOMAINS, &prefixes[random() % PREFIXES]);
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
}

static void all_four_agree_while_routes_come_and_go(void **state)
{
    const char *text = getenv("VNRS_SEED");
    unsigned seed = text ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);
    unsigned long lookups = lookups_wanted(), compared = 0;

    (void)state;
    print_message("seed %u, %lu lookups\n", seed, lookups);
    srandom(seed);
    for (unsigned i = 0; i < PREFIXES; i++) {
        struct vnrs_addr addr;
        random_addr(random() % 2 ? VNRS_AF_IPV4 : VNRS_AF_IPV6, &addr);
        prefixes[i] = vnrs_prefix_make(&addr, (unsigned)random() % (vnrs_af_bits(addr.family) + 1));
    }
    for (unsigned long i = 0; compared < lookups; i++) {
        if (i % 200 == 0)
            change_routes(i % 5000 ? 5 : 1500);
        compared += compare_one();
    }
}

static void fill(void)
{
    struct vnrs_bpf_nic forwarding = {.flags = VNRS_NIC_FORWARDING, .mtu = 1500};

    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    for (uint32_t g = 1; g <= GROUPS; g++) {
        GROUP(fx.sink, g, TO_NIC(100 + g));
        char text[32];
        (void)snprintf(text, sizeof(text), "10.%u.0.0/16", g);
        route_set(fx.sink, 99, text, g, 0); // a group without a route would be forgotten
        nic_set(fx.sink, 100 + g, &forwarding);
    }
    for (uint32_t domain = 1; domain <= DOMAINS; domain++) {
        forwarding.domain = domain;
        nic_set(fx.sink, domain == 1 ? VM_A : VM_B, &forwarding);
    }
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
}

static int setup(void **state)
{
    LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);

    (void)state;
    fixture_enter_namespace();
    sh("ip link add f%u index %u type veth peer name f%u index %u", VM_A, VM_A, VM_B, VM_B);
    for (int f = 0; f < 2; f++) {
        kernel_tries[f] = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "reference", f ? 24 : 12, 4, 4 * PREFIXES, &opts);
        assert_true(kernel_tries[f] >= 0);
    }
    for (unsigned i = 0; i < DOMAINS; i++)
        kernel_fib_open(&tables[i]);
    fixture_open(&fx);
    fill();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&fx, true);
    for (unsigned i = 0; i < 2; i++)
        (void)close(kernel_tries[i]);
    for (unsigned i = 0; i < DOMAINS; i++) {
        vnrs_trie_fini(&plain[i]);
        kernel_fib_close(&tables[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_four_agree_while_routes_come_and_go, setup, teardown),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.lpm", tests, NULL, NULL);
}
