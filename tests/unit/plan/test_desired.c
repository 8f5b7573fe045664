// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/desired.h"

#include "net/addr.h"
#include "plan/labs.h"
#include "vnrs/bpf_abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

static bool has_addr(const struct vnrs_link_end *end, const char *text, unsigned len)
{
    struct vnrs_addr addr;

    assert_int_equal(vnrs_addr_parse(text, &addr), 0);
    for (unsigned i = 0; i < end->n_addrs; i++) {
        if (vnrs_addr_equal(&end->addrs[i].addr, &addr) && end->addrs[i].len == len)
            return true;
    }
    return false;
}

static bool via_is(const struct vnrs_obj_route *route, unsigned i, const char *text)
{
    char buf[VNRS_ADDR_STR_MAX];

    return i < route->n_via && strcmp(vnrs_addr_format(&route->via[i], buf), text) == 0;
}

static const void *spec_of(const struct labs_plan *plan, enum vnrs_obj_type type, const char *key)
{
    const struct vnrs_object *object = labs_find(plan, type, key);

    if (!object)
        print_message("no %s '%s'\n", vnrs_object_type_name(type), key);
    assert_non_null(object);
    assert_int_equal(object->spec_size, vnrs_object_spec_size(type));
    return object->spec;
}

static void objects_are_in_order_of_type(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("hub-spoke"), ids);
    unsigned last = 0;

    (void)state;
    assert_int_equal(plan.r, 0);
    assert_int_equal(plan.desired.objects.items[0].type, VNRS_OBJ_FABRIC);
    vec_foreach (object, &plan.desired.objects) {
        assert_true(object->type >= last);
        last = object->type;
    }
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void machines(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("hub-spoke"), ids);
    const uint8_t fabric_mac[] = VNRS_FABRIC_MAC;

    (void)state;
    const struct vnrs_obj_link *link = spec_of(&plan, VNRS_OBJ_LINK, "vm-spoke/eth0");
    assert_int_equal(link->kind, VNRS_LINK_NIC);
    assert_int_equal(link->a.ifindex, vnrs_ids_find(ids, VNRS_ID_LINK, "vm-spoke/eth0"));
    assert_true(link->a.ifindex >= VNRS_IFINDEX_FIRST);
    assert_memory_equal(link->a.mac.bytes, fabric_mac, 6);
    assert_string_equal(link->a.ns.name, "");
    assert_int_equal(link->a.n_addrs, 0);
    assert_string_equal(link->b.ns.name, "vm-spoke");
    assert_string_equal(link->b.ifname, "eth0");
    assert_true(has_addr(&link->b, "10.1.0.4", 24));

    // A machine without forwarding gets Azure's routes; an NVA a default route, as its own routing may know better.
    const struct vnrs_obj_table *table = spec_of(&plan, VNRS_OBJ_TABLE, "vm-spoke/eth0");
    assert_int_equal(table->table, 254);
    assert_int_equal(table->onlink, 1);
    assert_int_equal(table->domain, vnrs_ids_find(ids, VNRS_ID_DOMAIN, "spoke/"));
    char text[VNRS_ADDR_STR_MAX];
    assert_string_equal(vnrs_addr_format(&table->gateway4, text), "10.1.0.1");
    assert_null(labs_find(&plan, VNRS_OBJ_ROUTE, "vm-spoke/0.0.0.0/0"));
    assert_null(labs_find(&plan, VNRS_OBJ_TABLE, "nva1/eth0"));
    const struct vnrs_obj_route *route = spec_of(&plan, VNRS_OBJ_ROUTE, "nva1/0.0.0.0/0");
    assert_true(via_is(route, 0, "10.0.2.1"));
    const struct vnrs_obj_netns *ns = spec_of(&plan, VNRS_OBJ_NETNS, "nva1");
    assert_int_equal(ns->flags, VNRS_NETNS_FORWARD);
    ns = spec_of(&plan, VNRS_OBJ_NETNS, "vm-spoke");
    assert_int_equal(ns->flags, 0);

    const struct vnrs_obj_proc *proc = spec_of(&plan, VNRS_OBJ_PROC, "nva2");
    assert_int_equal(proc->kind, VNRS_PROC_BIRD);
    assert_true(labs_find(&plan, VNRS_OBJ_PROC, "nva2")->data_size > 100);
    assert_int_not_equal(vnrs_ids_find(ids, VNRS_ID_DOMAIN, "hub/rt-workload,Microsoft.Storage"), 0);
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void route_server_instances(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("hub-spoke"), ids);
    char text[VNRS_ADDR_STR_MAX];

    (void)state;
    const struct vnrs_obj_link *link = spec_of(&plan, VNRS_OBJ_LINK, "routeserver.rs-1/eth0");
    assert_string_equal(link->b.ns.name, "routeserver.rs-1");
    assert_true(has_addr(&link->b, "10.0.1.5", 26));
    const struct vnrs_obj_speaker *speaker = spec_of(&plan, VNRS_OBJ_SPEAKER, "rs-1");
    assert_string_equal(speaker->ns.name, "routeserver.rs-1");
    assert_string_equal(vnrs_addr_format(&speaker->listen, text), "10.0.1.5");
    assert_int_equal(speaker->listen_optional, 0);
    const struct vnrs_obj_route *route = spec_of(&plan, VNRS_OBJ_ROUTE, "routeserver.rs-1/0.0.0.0/0");
    assert_true(via_is(route, 0, "10.0.1.1"));
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void internet_and_services(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("hub-spoke"), ids);

    (void)state;
    const struct vnrs_obj_link *edge = spec_of(&plan, VNRS_OBJ_LINK, VNRS_LINK_KEY_EDGE);
    assert_int_equal(edge->kind, VNRS_LINK_NIC);
    assert_true(has_addr(&edge->b, "192.0.2.1", 32));
    const struct vnrs_obj_link *host = spec_of(&plan, VNRS_OBJ_LINK, "internet.www/eth0");
    assert_int_equal(host->kind, VNRS_LINK_PLAIN);
    assert_int_equal(host->a.ifindex, 0);
    assert_string_equal(host->a.ns.name, "internet.edge");
    assert_string_equal(host->a.ifname, "h-www");
    assert_true(has_addr(&host->b, "203.0.113.80", 32));
    const struct vnrs_obj_route *route = spec_of(&plan, VNRS_OBJ_ROUTE, "internet.edge/10.1.0.0/16");
    assert_true(via_is(route, 0, "169.254.0.1"));
    route = spec_of(&plan, VNRS_OBJ_ROUTE, "internet.edge/169.254.0.1/32");
    assert_int_equal(route->n_via, 0);
    route = spec_of(&plan, VNRS_OBJ_ROUTE, "internet.www/0.0.0.0/0");
    assert_true(via_is(route, 0, "192.0.2.1"));
    const struct vnrs_obj_snat *snat = spec_of(&plan, VNRS_OBJ_SNAT, "h-www-0");
    assert_string_equal(snat->ifname, "h-www");
    assert_int_equal(snat->n, 2);
    const struct vnrs_obj_link *storage = spec_of(&plan, VNRS_OBJ_LINK, "service.storage1/eth0");
    assert_int_equal(storage->kind, VNRS_LINK_NIC);
    assert_true(has_addr(&storage->b, "198.18.64.10", 32));
    route = spec_of(&plan, VNRS_OBJ_ROUTE, "service.storage1/0.0.0.0/0");
    assert_true(via_is(route, 0, "169.254.0.1"));
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void hosts_behind_several_machines(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("hub-spoke"), ids);

    (void)state;
    const struct vnrs_obj_link *first = spec_of(&plan, VNRS_OBJ_LINK, "host.sdwan1/nva1");
    const struct vnrs_obj_link *second = spec_of(&plan, VNRS_OBJ_LINK, "host.sdwan1/nva2");
    assert_int_equal(first->kind, VNRS_LINK_PLAIN);
    assert_string_equal(first->a.ns.name, "nva1");
    assert_string_equal(first->a.ifname, "h-sdwan1");
    assert_string_equal(first->b.ifname, "eth0");
    assert_string_equal(second->b.ifname, "eth1");
    assert_true(has_addr(&first->b, "10.50.0.1", 32));
    assert_true(has_addr(&first->a, "169.254.1.1", 32));
    assert_true(has_addr(&second->a, "169.254.1.2", 32));
    const struct vnrs_obj_route *route = spec_of(&plan, VNRS_OBJ_ROUTE, "host.sdwan1/0.0.0.0/0");
    assert_int_equal(route->n_via, 2);
    assert_true(via_is(route, 1, "169.254.1.2"));
    assert_string_equal(route->ifnames[1], "eth1");
    route = spec_of(&plan, VNRS_OBJ_ROUTE, "nva2/10.50.0.1/32");
    assert_string_equal(route->ifname, "h-sdwan1");
    assert_int_equal(route->n_via, 0);
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void two_plans_are_the_same_bytes(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan a = labs_plan(labs_load_example("hub-spoke"), ids);
    struct labs_plan b = labs_plan(labs_load_example("hub-spoke"), ids);

    (void)state;
    assert_int_equal(a.desired.objects.len, b.desired.objects.len);
    for (size_t i = 0; i < a.desired.objects.len; i++) {
        const struct vnrs_object *x = &a.desired.objects.items[i], *y = &b.desired.objects.items[i];
        assert_string_equal(x->key, y->key);
        assert_memory_equal(x->spec, y->spec, x->spec_size);
        assert_int_equal(x->data_size, y->data_size);
        if (x->data_size)
            assert_memory_equal(x->data, y->data, x->data_size);
    }
    labs_plan_fini(&a);
    labs_plan_fini(&b);
    vnrs_ids_free(ids);
}

static void without_data_plane_only_tables_and_speakers(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("container-injector"), ids);

    (void)state;
    assert_int_equal(plan.r, 0);
    vec_foreach (object, &plan.desired.objects)
        assert_true(object->type == VNRS_OBJ_TABLE || object->type == VNRS_OBJ_SPEAKER ||
                    object->type == VNRS_OBJ_PROC);
    const struct vnrs_obj_table *table = spec_of(&plan, VNRS_OBJ_TABLE, "self/eth0");
    assert_int_equal(table->ns.kind, VNRS_AG_NETNS_SELF);
    assert_int_equal(table->onlink, 0);
    const struct vnrs_obj_speaker *speaker = spec_of(&plan, VNRS_OBJ_SPEAKER, "rs-0");
    assert_int_equal(speaker->ns.kind, VNRS_AG_NETNS_SELF);
    assert_int_equal(speaker->listen_optional, 1);
    assert_null(labs_find(&plan, VNRS_OBJ_SPEAKER, "rs-1"));
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void large_lab(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_example("scale"), ids);

    (void)state;
    assert_int_equal(plan.r, 0);
    assert_true(plan.desired.objects.len >= 3 * plan.model->machines.len);
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void link_keys(void **state)
{
    (void)state;
    assert_true(vnrs_link_key_is_nic("vm1/eth0"));
    assert_true(vnrs_link_key_is_nic("host/eth0"));
    assert_true(vnrs_link_key_is_nic(VNRS_LINK_KEY_EDGE));
    assert_true(vnrs_link_key_is_nic("service.s/eth0"));
    assert_true(vnrs_link_key_is_nic("routeserver.rs-0/eth0"));
    assert_false(vnrs_link_key_is_nic("internet.www/eth0"));
    assert_false(vnrs_link_key_is_nic("host.h/nva1"));
    assert_false(vnrs_link_key_is_nic("internet.gateway.vpn-0/pub"));
    assert_false(vnrs_link_key_is_nic("tunnel.c-0.site/tun"));
    assert_false(vnrs_link_key_is_nic("circuit.c-0/link0"));
    assert_true(vnrs_link_key_is_nic("gateway.vpn-0/eth0"));
    assert_true(vnrs_link_key_is_nic("msee.c-0/eth0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_in_order_of_type),
        cmocka_unit_test(machines),
        cmocka_unit_test(route_server_instances),
        cmocka_unit_test(internet_and_services),
        cmocka_unit_test(hosts_behind_several_machines),
        cmocka_unit_test(two_plans_are_the_same_bytes),
        cmocka_unit_test(without_data_plane_only_tables_and_speakers),
        cmocka_unit_test(large_lab),
        cmocka_unit_test(link_keys),
    };
    return cmocka_run_group_tests_name("plan.desired", tests, NULL, NULL);
}
