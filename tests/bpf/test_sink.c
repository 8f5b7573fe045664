// SPDX-License-Identifier: GPL-2.0-or-later
// What the sink writes: nothing twice, one write for a changed group, nothing left behind.
#include "fixture.h"

#include "fib/bpf_routes.h"

#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

static struct fixture fx;

static void reopen(void)
{
    fixture_close(&fx, false);
    fixture_open(&fx);
}

static void flush(void)
{
    assert_int_equal(fx.sink->ops->flush(fx.sink), 0);
}

struct route {
    uint32_t group, type;
};

static struct vnrs_lpm_table table_read(uint32_t number)
{
    struct vnrs_lpm_table table;

    assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_TABLES), &number, &table), 0);
    return table;
}

// What a packet to the first address of the prefix finds, by way of the maps themselves.
static struct route route_read(const char *text)
{
    struct vnrs_bpf_route_maps maps = {
        .tables_fd = vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_TABLES),
        .lines_fd = vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_LINES),
        .groups_fd = vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_GROUPS),
        .nexthops_fd = vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_NEXTHOPS),
    };
    struct vnrs_bpf_routes *reader;
    struct vnrs_prefix prefix;
    struct vnrs_addr addr;
    uint64_t writes = 0;

    flush();
    assert_int_equal(vnrs_prefix_parse(text, &prefix), 0);
    addr = vnrs_prefix_addr(&prefix);
    assert_int_equal(vnrs_bpf_routes_new(&maps, &writes, &reader), 0);
    uint32_t value = vnrs_bpf_lpm_find(vnrs_bpf_routes_lpm(reader), DOMAIN_VM, &addr);
    vnrs_bpf_routes_free(reader);
    assert_int_equal(writes, 0);
    return (struct route){VNRS_ROUTE_GROUP(value), VNRS_ROUTE_TYPE(value)};
}

static struct vnrs_bpf_group group_read(uint32_t index)
{
    struct vnrs_bpf_group group;

    assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_GROUPS), &index, &group), 0);
    return group;
}

static struct vnrs_bpf_nic_record nic_read(uint32_t ifindex)
{
    struct vnrs_bpf_nic_record record;

    assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_NICS), &ifindex, &record), 0);
    return record;
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
    struct route before = route_read("30.7.0.0/16");
    uint64_t writes = fx.sink->writes;
    GROUP(fx.sink, 500, TO_NIC(NVA2), TO_NIC(NVA1));
    assert_int_equal(fx.sink->writes - writes, 1); // both next hops exist already
    struct route after = route_read("30.7.0.0/16");
    assert_int_equal(before.group, after.group);
    GROUP(fx.sink, 500, TO_NIC(NVA2), TO_NIC(NVA1), TO_NIC(NVA1)); // same members, otherwise said
    assert_int_equal(fx.sink->writes - writes, 1);
    fixture_fill(fx.sink); // the routes of handle 500 are not in it
    assert_int_equal(route_read("30.7.0.0/16").group, 0);
    assert_in_range(fx.sink->writes - writes, 2, 10); // root and the nodes on the way, whatever the number of routes
}

// As HANDLE_NVA1, and many routes that no two nodes are alike for.
static void fill_twin(uint32_t handle)
{
    char text[32];

    GROUP(fx.sink, handle, TO_NIC(NVA1));
    for (int i = 0; i < 200; i++) {
        (void)snprintf(text, sizeof(text), "30.%d.%d.0/24", i, i * i % 251);
        route_set(fx.sink, DOMAIN_VM, text, handle, VNRS_NH_APPLIANCE);
    }
    flush();
}

static void expect_twin_moves_at_once(uint32_t handle)
{
    struct route before = route_read("30.7.49.0/24");

    assert_int_not_equal(before.group, route_read("10.3.0.0/16").group);
    uint64_t writes = fx.sink->writes;
    GROUP(fx.sink, handle, TO_NIC(NVA2), TO_NIC(VM_B));
    flush();
    assert_int_equal(fx.sink->writes - writes, 1);
    assert_int_equal(route_read("30.7.49.0/24").group, before.group);
    GROUP(fx.sink, handle, TO_NIC(NVA1));
    flush();
    assert_int_equal(fx.sink->writes - writes, 2);
}

static void equal_members_tie_no_handles(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    fill_twin(550);
    expect_twin_moves_at_once(550);
    reopen();
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    fixture_fill_routes(fx.sink, 1000);
    fill_twin(551);
    assert_int_equal(fx.sink->writes, 0);
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
    expect_twin_moves_at_once(551);
    // A route of the other handle that becomes one of this does not draw it there.
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", 551, VNRS_NH_APPLIANCE);
    assert_int_equal(route_read("10.3.0.0/16").group, route_read("30.7.49.0/24").group);
    fixture_fill(fx.sink);
}

// They share one after a route went from one handle to the other.
static void handle_that_shares_its_slot_moves_alone(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    GROUP(fx.sink, 600, TO_NIC(NVA1));
    route_set(fx.sink, DOMAIN_VM, "31.0.0.0/16", HANDLE_NVA1, VNRS_NH_APPLIANCE);
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
    assert_int_equal(route_read("10.3.0.0/16").group, route_read("8.0.0.0/8").group);
    assert_int_equal(route_read("10.3.0.0/16").type, VNRS_NH_INTERNET);
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", HANDLE_INTERNET, VNRS_NH_APPLIANCE);
    assert_int_equal(route_read("10.3.0.0/16").type, VNRS_NH_APPLIANCE);
    assert_in_range(fx.sink->writes - writes, 2, 8);
    writes = fx.sink->writes;
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", 0, 0);
    assert_int_equal(route_read("10.3.0.0/16").group, 0);
    assert_in_range(fx.sink->writes - writes, 1, 4);
    writes = fx.sink->writes;
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", 0, 0); // gone is gone
    flush();
    assert_int_equal(fx.sink->writes, writes);
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
    static const uint32_t tables[] = {VNRS_TABLE_DOMAIN(DOMAIN_VM), VNRS_TABLE_DOMAIN(DOMAIN_NVA), VNRS_TABLE_VNET(1)};
    (void)state;
    fixture_fill(fx.sink);
    static const struct vnrs_lpm_table empty;
    for (uint32_t t = 0; t < ARRAY_SIZE(tables); t++) {
        struct vnrs_lpm_table table = table_read(tables[t]);
        assert_memory_not_equal(&table, &empty, sizeof(empty));
    }
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
    for (uint32_t t = 0; t < ARRAY_SIZE(tables); t++) {
        struct vnrs_lpm_table table = table_read(tables[t]);
        assert_memory_equal(&table, &empty, sizeof(empty));
    }
    assert_int_equal(map_len(VNRS_BPF_MAP_ACCESS), 0);
    for (uint32_t i = VM_A; i < _NIC_END; i++) {
        assert_int_equal(nic_read(i).nic.flags, 0);
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
    struct vnrs_fib_route far = {.domain = VNRS_DOMAINS_MAX, .group = 1, .prefix = route.prefix};
    struct vnrs_fib_endpoint network = {.vnet = VNRS_DOMAINS_MAX, .addr = {VNRS_AF_IPV4, {10}}, .ifindex = VM_A},
                             owner = {.vnet = 1, .addr = {VNRS_AF_IPV4, {10}}, .ifindex = VNRS_NICS_MAX};

    (void)state;
    uint64_t writes = fx.sink->writes;
    assert_int_equal(fx.sink->ops->route_set(fx.sink, &route), -ENOENT);
    assert_non_null(strstr(fx.sink->error, "0.0.0.0/8"));
    assert_int_equal(fx.sink->ops->group_set(fx.sink, &empty), -EINVAL);
    assert_int_equal(fx.sink->ops->group_set(fx.sink, &odd), -EINVAL);
    assert_int_equal(fx.sink->ops->nic_set(fx.sink, &nic), -ERANGE);
    assert_int_equal(fx.sink->ops->route_set(fx.sink, &far), -ERANGE);
    assert_int_equal(fx.sink->ops->endpoint_set(fx.sink, &network), -ERANGE);
    assert_int_equal(fx.sink->ops->endpoint_set(fx.sink, &owner), -ERANGE);
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
        if (n % 1000 == 0)
            flush();
    }
    assert_int_equal(err, -ENOSPC);
    assert_non_null(strstr(fx.sink->error, "full"));
    assert_in_range(n, 65000, VNRS_GROUPS_MAX);
    flush();
    fixture_fill(fx.sink); // the routes of this test go
    uint64_t writes = fx.sink->writes;
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, writes);
    assert_int_not_equal(route_read("10.3.0.0/16").group, 0);
}

static uint32_t nexthops_in_use(void)
{
    static const struct vnrs_bpf_nexthop none;
    struct vnrs_bpf_nexthop nexthop;
    uint32_t n = 0;

    for (uint32_t i = 0; i < VNRS_NEXTHOPS_MAX; i++) {
        assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(fx.dp, VNRS_BPF_MAP_NEXTHOPS), &i, &nexthop), 0);
        n += memcmp(&nexthop, &none, sizeof(none)) != 0;
    }
    return n;
}

// Groups of `size` new next hops each, one route a group, until one is refused. Returns how many were not.
static uint32_t fill_nexthops(uint32_t size, uint32_t first_vnet, uint8_t octet)
{
    struct vnrs_fib_group group = {.n = size};
    struct vnrs_fib_route route = {.domain = 50, .prefix = {.family = VNRS_AF_IPV4, .len = 32, .bytes = {40, octet}}};

    for (uint32_t n = 0; n <= VNRS_NEXTHOPS_MAX / size; n++) {
        group.handle = route.group = (octet + 1u) << 16 | n;
        for (uint32_t m = 0; m < size; m++)
            group.members[m] = (struct vnrs_fib_member)TO_ENDPOINT(first_vnet + size * n + m);
        route.prefix.bytes[2] = (uint8_t)(n >> 8);
        route.prefix.bytes[3] = (uint8_t)n;
        assert_int_equal(fx.sink->ops->group_set(fx.sink, &group), 0); // takes them with its first route
        int err = fx.sink->ops->route_set(fx.sink, &route);
        if (err == 0)
            continue;
        assert_int_equal(err, -ENOSPC);
        assert_non_null(strstr(fx.sink->error, "full"));
        return n;
    }
    fail_msg("there is no end to next hops");
    return 0;
}

// 65,535 next hops fit. A group that needs more of them than are left gets none: others get the rest, one by one.
static void full_nexthop_table_is_an_error_and_harms_nobody(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    uint32_t others = nexthops_in_use(), eights = fill_nexthops(8, 100, 0), ones = fill_nexthops(1, 100000, 1);
    assert_in_range(ones, 0, 7);
    assert_int_equal(others + 8 * eights + ones, VNRS_NEXTHOPS_MAX - 2); // number 0, and nobody, are all zero
    flush();
    assert_int_not_equal(route_read("10.3.0.0/16").group, 0);
    fixture_fill(fx.sink); // the routes of this test go
    uint64_t writes = fx.sink->writes;
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, writes);
}

// 65,536 entries fit, those of the fixture with them.
static void full_access_list_is_an_error_and_harms_nobody(void **state)
{
    struct vnrs_fib_acl acl = {.kind = VNRS_ACL_SERVICE, .to = 1000, .allowed = 1};
    uint32_t n = 0;
    int err = 0;

    (void)state;
    fixture_fill(fx.sink);
    for (; !err && n <= VNRS_ACLS_MAX; n++) {
        acl.from = n;
        err = fx.sink->ops->acl_set(fx.sink, &acl);
    }
    assert_int_equal(err, -ENOSPC);
    assert_non_null(strstr(fx.sink->error, "full"));
    assert_in_range(n, VNRS_ACLS_MAX - 10, VNRS_ACLS_MAX);
    uint64_t writes = fx.sink->writes;
    assert_int_equal(fx.sink->ops->acl_set(fx.sink, &acl), -ENOSPC);
    assert_int_equal(fx.sink->writes, writes);
    acl.from = 0;
    acl.allowed = 0;
    assert_int_equal(fx.sink->ops->acl_set(fx.sink, &acl), 0); // room for one
    acl.from = n;
    acl.allowed = 1;
    assert_int_equal(fx.sink->ops->acl_set(fx.sink, &acl), 0);
    fixture_fill(fx.sink);
    writes = fx.sink->writes;
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, writes);
}

// Two million of a family.
static void full_route_table_is_an_error_and_harms_nobody(void **state)
{
    struct vnrs_fib_route route = {
        .domain = 50, .group = 9000, .type = VNRS_NH_APPLIANCE, .prefix = {.family = VNRS_AF_IPV4, .len = 32}};
    uint32_t n = 0;
    int err = 0;

    (void)state;
    fixture_fill(fx.sink);
    GROUP(fx.sink, 9000, TO_NIC(NVA1));
    for (; !err && n <= VNRS_ROUTES_MAX; n++) {
        uint32_t addr = htobe32(40u << 24 | n);
        memcpy(route.prefix.bytes, &addr, sizeof(addr));
        err = fx.sink->ops->route_set(fx.sink, &route);
    }
    assert_int_equal(err, -ENOSPC);
    assert_non_null(strstr(fx.sink->error, "full"));
    assert_in_range(n, VNRS_ROUTES_MAX - 100, VNRS_ROUTES_MAX);
    flush();
    assert_int_not_equal(route_read("10.3.0.0/16").group, 0);
    fixture_fill(fx.sink);
    uint64_t writes = fx.sink->writes;
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, writes);
}

static uint32_t reason_of(const char *dst)
{
    struct spec packet = {.src = "10.0.0.4", .dst = dst};
    struct frame in;
    struct run run;

    frame_build(&packet, &in);
    fixture_run(&fx, VM_A, &in, 0, &run);
    return run.cb[VNRS_BPF_CB_REASON];
}

// A process that was killed leaves routes that packets follow, all of them, until the next one knows what shall be.
static void next_process_changes_nothing_before_its_sync_ends(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    reopen();
    assert_int_equal(reason_of("10.3.0.1"), 0);
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    GROUP(fx.sink, 1, TO_ENDPOINT(1));
    route_set(fx.sink, DOMAIN_VM, "10.0.0.0/16", 1, VNRS_NH_VNET_LOCAL);
    flush();
    assert_int_equal(reason_of("10.3.0.1"), 0);
    assert_int_equal(reason_of("10.0.1.4"), 0);
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, 0);
    reopen();
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    GROUP(fx.sink, 1, TO_NOBODY);
    route_set(fx.sink, DOMAIN_VM, "10.0.0.0/16", 1, VNRS_NH_NONE);
    struct vnrs_bpf_nic vm = {.flags = VNRS_NIC_FORWARDING, .domain = DOMAIN_VM, .vnet = 1, .mtu = 1500};
    nic_set(fx.sink, VM_A, &vm);
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
    assert_int_equal(reason_of("10.3.0.1"), VNRS_DROP_NO_ROUTE);
    assert_int_equal(reason_of("10.0.1.4"), VNRS_DROP_NONE_ROUTE);
}

// Two handles share a slot. What one of them becomes is not seen by packets that still follow
// routes of the other, even when those are gone already but for the publishing.
static void slot_with_unpublished_changes_is_not_rewritten(void **state)
{
    (void)state;
    fixture_fill(fx.sink);
    GROUP(fx.sink, 800, TO_NIC(NVA1));
    route_set(fx.sink, DOMAIN_VM, "33.0.0.0/16", HANDLE_NVA1, VNRS_NH_APPLIANCE);
    route_set(fx.sink, DOMAIN_VM, "33.0.0.0/16", 800, VNRS_NH_APPLIANCE);
    flush();
    route_set(fx.sink, DOMAIN_VM, "10.3.0.0/16", 0, 0);
    GROUP(fx.sink, 800, TO_NOBODY);
    assert_int_equal(reason_of("10.3.0.1"), 0);
    assert_int_equal(reason_of("33.0.0.1"), 0);
    flush();
    assert_int_equal(reason_of("10.3.0.1"), VNRS_DROP_NO_ROUTE);
    assert_int_equal(reason_of("33.0.0.1"), VNRS_DROP_NONE_ROUTE);
}

// An address that a NIC loses is not its own any more, wherever that is noted.
static void address_in_a_nic_record_goes_with_the_address(void **state)
{
    static const uint32_t none[4];
    struct spec packet = {.src = "10.0.0.4", .dst = "10.0.1.4"};
    struct vnrs_bpf_nic_record record;

    (void)state;
    fixture_fill(fx.sink);
    record = nic_read(VM_A);
    assert_memory_equal(record.addr_be, "\x0a\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(record.addr6_be[3] >> 24, 4);
    endpoint_set(fx.sink, 1, "10.0.0.77", VM_A); // a second one
    assert_int_equal(nic_read(VM_A).addr_be[0], record.addr_be[0]);
    endpoint_set(fx.sink, 1, "10.0.0.4", VM_B); // moves
    flush();
    record = nic_read(VM_A);
    assert_memory_equal(record.addr_be, none, sizeof(none));
    assert_int_equal(reason_of(packet.dst), VNRS_DROP_SOURCE);
    endpoint_set(fx.sink, 1, "10.0.0.4", VM_A);
    flush();
    assert_int_equal(reason_of(packet.dst), 0);
    endpoint_set(fx.sink, 1, "10.0.0.4", 0);
    flush();
    assert_int_equal(reason_of(packet.dst), VNRS_DROP_SOURCE);
    fixture_fill(fx.sink);
    assert_int_equal(reason_of(packet.dst), 0);
    struct vnrs_bpf_nic moved = {.domain = DOMAIN_VM, .vnet = 2, .mtu = 1500};
    nic_set(fx.sink, VM_A, &moved); // into another virtual network
    flush();
    record = nic_read(VM_A);
    assert_memory_equal(record.addr_be, none, sizeof(none));
    assert_int_equal(reason_of(packet.dst), VNRS_DROP_SOURCE);
    fixture_fill(fx.sink);
    reopen(); // a new process that never hears of the address
    assert_int_equal(fx.sink->ops->sync_begin(fx.sink), 0);
    moved.vnet = 1;
    nic_set(fx.sink, VM_A, &moved);
    assert_int_equal(fx.sink->ops->sync_end(fx.sink), 0);
    record = nic_read(VM_A);
    assert_memory_equal(record.addr_be, none, sizeof(none));
    assert_memory_equal(record.addr6_be, none, sizeof(none));
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
        cmocka_unit_test_setup_teardown(equal_members_tie_no_handles, setup, teardown),
        cmocka_unit_test_setup_teardown(handle_that_shares_its_slot_moves_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(route_moves_between_groups_and_types, setup, teardown),
        cmocka_unit_test_setup_teardown(freed_slots_rest_before_they_are_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(end_of_sync_removes_what_was_not_said, setup, teardown),
        cmocka_unit_test_setup_teardown(mistakes_are_refused_with_a_sentence, setup, teardown),
        cmocka_unit_test_setup_teardown(full_group_table_is_an_error_and_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(full_nexthop_table_is_an_error_and_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(full_access_list_is_an_error_and_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(full_route_table_is_an_error_and_harms_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(next_process_changes_nothing_before_its_sync_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(address_in_a_nic_record_goes_with_the_address, setup, teardown),
        cmocka_unit_test_setup_teardown(slot_with_unpublished_changes_is_not_rewritten, setup, teardown),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.sink", tests, enter, NULL);
}
