// SPDX-License-Identifier: GPL-2.0-or-later
// Route domains, the match of an address, the sentences in `why`, and the seed's architecture whole.
#include "routing/routing.h"

#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

// The lab of topology.md, without its gateways.
static const char seed[] = "vnet hub 10.0.0.0/16\n"
                           "subnet hub RouteServerSubnet\n"
                           "subnet hub GatewaySubnet\n"
                           "subnet hub nva\n"
                           "subnet hub workload\n"
                           "vnet spoke 10.1.0.0/16\n"
                           "peer hub spoke forwarded transit\n"
                           "peer spoke hub forwarded use\n"
                           "table rt-workload\n"
                           "udr rt-workload 203.0.113.0/24 None\n"
                           "attach hub/workload rt-workload\n"
                           "service Microsoft.Storage 198.18.64.0/20\n"
                           "host Microsoft.Storage 198.18.64.10\n"
                           "endpoint hub/workload Microsoft.Storage\n"
                           "rs rs hub\n"
                           "internet\n"
                           "nic hub/workload vm-hub/eth0 10.0.3.4\n"
                           "nic spoke/s vm-spoke/eth0 10.1.0.4\n"
                           "nic hub/nva nva1/eth0 10.0.2.4\n"
                           "nic hub/nva nva2/eth0 10.0.2.5\n"
                           "learn rs 10.50.0.0/16 10.0.2.4 10.0.2.5\n"
                           "learn rs 0.0.0.0/0 10.0.2.4\n"
                           "learn rs 10.0.3.0/24 10.0.2.5\n";

static int seed_setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    assert(lab);
    lab_init(lab);
    lab_add(lab, seed);
    (void)lab_compute(lab);
    *state = lab;
    return 0;
}

static int seed_teardown(void **state)
{
    lab_fini(*state);
    free(*state);
    return 0;
}

static const struct vnrs_domain *domain_of(const struct lab *lab, const char *subnet)
{
    return vnrs_routing_domain(lab->routing, lab_subnet((struct lab *)lab, subnet));
}

// Azure's table (azure-routing.md 9.1) and the reason behind it.
static char *golden(const struct vnrs_domain *domain)
{
    struct vnrs_strbuf out = {0};
    char prefix[VNRS_PREFIX_STR_MAX], ip[VNRS_ADDR_STR_MAX];

    list_foreach (row, &domain->routes) {
        for (unsigned i = 0; i == 0 || i < row->n_next_hops; i++)
            vnrs_strbuf_printf(&out, "%-21s  %-7s  %-14s  %-29s  %-8s  %s\n", vnrs_route_source_name(row->source),
                               vnrs_route_state_name(row->state), vnrs_prefix_format(&row->prefix, prefix),
                               vnrs_nexthop_type_name(row->type),
                               i < row->n_next_hops ? vnrs_addr_format(&row->next_hops[i], ip) : "", row->why);
    }
    return vnrs_strbuf_take(&out);
}

static void seed_workload(void **state)
{
    _free_ char *have = golden(domain_of(*state, "hub/workload"));

    assert_string_equal(have,
                        "Default                Active   10.0.0.0/16     VnetLocal                                "
                        "address range of virtual network 'hub'\n"
                        "Default                Active   10.1.0.0/16     VNetPeering                              "
                        "address range of virtual network 'spoke', peered with this one\n"
                        "VirtualNetworkGateway  Active   0.0.0.0/0       VirtualNetworkGateway          10.0.2.4  "
                        "learned by Route Server 'rs'; replaces the system default route and the None routes\n"
                        "VirtualNetworkGateway  Active   10.50.0.0/16    VirtualNetworkGateway          10.0.2.4  "
                        "learned by Route Server 'rs'; 2 equal next hops share the flows\n"
                        "VirtualNetworkGateway  Active   10.50.0.0/16    VirtualNetworkGateway          10.0.2.5  "
                        "learned by Route Server 'rs'; 2 equal next hops share the flows\n"
                        "Default                Active   198.18.64.0/20  VirtualNetworkServiceEndpoint            "
                        "service endpoint 'Microsoft.Storage' of the subnet: asked first, not overridden by any route\n"
                        "User                   Active   203.0.113.0/24  None                                     "
                        "user route of route table 'rt-workload'\n");
}

static void seed_spoke(void **state)
{
    _free_ char *have = golden(domain_of(*state, "spoke/s"));

    assert_string_equal(have,
                        "Default                Active   10.1.0.0/16     VnetLocal                                "
                        "address range of virtual network 'spoke'\n"
                        "Default                Active   10.0.0.0/16     VNetPeering                              "
                        "address range of virtual network 'hub', peered with this one\n"
                        "VirtualNetworkGateway  Active   0.0.0.0/0       VirtualNetworkGateway          10.0.2.4  "
                        "learned by Route Server 'rs'; replaces the system default route and the None routes\n"
                        "VirtualNetworkGateway  Active   10.50.0.0/16    VirtualNetworkGateway          10.0.2.4  "
                        "learned by Route Server 'rs'; 2 equal next hops share the flows\n"
                        "VirtualNetworkGateway  Active   10.50.0.0/16    VirtualNetworkGateway          10.0.2.5  "
                        "learned by Route Server 'rs'; 2 equal next hops share the flows\n");
}

struct match {
    const char *subnet, *dst, *prefix; // NULL: none
    enum vnrs_nexthop_type type;
};

static void match_2_3_service_endpoints_then_longest_prefix(void **state)
{
    static const struct match matches[] = {
        {"hub/workload", "10.0.0.0", "10.0.0.0/16", VNRS_NH_VNET_LOCAL},
        {"hub/workload", "10.0.255.255", "10.0.0.0/16", VNRS_NH_VNET_LOCAL},
        {"hub/workload", "10.1.0.4", "10.1.0.0/16", VNRS_NH_VNET_PEERING},
        {"hub/workload", "10.50.0.1", "10.50.0.0/16", VNRS_NH_GATEWAY},
        {"hub/workload", "10.51.0.1", "0.0.0.0/0", VNRS_NH_GATEWAY},
        {"hub/workload", "198.18.64.10", "198.18.64.0/20", VNRS_NH_SERVICE_ENDPOINT},
        {"hub/workload", "203.0.113.9", "203.0.113.0/24", VNRS_NH_NONE},
        {"hub/workload", "255.255.255.255", "0.0.0.0/0", VNRS_NH_GATEWAY},
        {"hub/workload", "2001:db8::1", NULL, VNRS_NH_NONE},
        {"spoke/s", "198.18.64.10", "0.0.0.0/0", VNRS_NH_GATEWAY},
        {"spoke/s", "203.0.113.9", "0.0.0.0/0", VNRS_NH_GATEWAY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
        const struct match *m = &matches[i];
        struct vnrs_addr dst = lab_addr(m->dst);
        const struct vnrs_eff_route *route = vnrs_domain_match(domain_of(*state, m->subnet), &dst);
        if (!m->prefix) {
            assert_null(route);
            continue;
        }
        struct vnrs_prefix want = lab_prefix(m->prefix);
        assert_non_null(route);
        assert_true(vnrs_prefix_equal(&route->prefix, &want));
        assert_int_equal(route->type, m->type);
    }
}

static void domains_share_table_and_endpoints(void **state)
{
    struct lab *lab = *state;
    const struct vnrs_domain *plain = domain_of(lab, "hub/s"), *workload = domain_of(lab, "hub/workload");

    assert_int_equal(lab->routing->domains.len, 3);
    assert_ptr_equal(plain, domain_of(lab, "hub/RouteServerSubnet"));
    assert_ptr_equal(plain, domain_of(lab, "hub/GatewaySubnet"));
    assert_ptr_equal(plain, domain_of(lab, "hub/nva"));
    assert_int_equal(plain->subnets.len, 4);
    assert_int_equal(plain->id, 1);
    assert_int_equal(workload->id, 2);
    assert_int_equal(domain_of(lab, "spoke/s")->id, 3);
    assert_string_equal(workload->table->name, "rt-workload");
    assert_string_equal(domain_of(lab, "spoke/s")->hub->name, "hub");
}

static void domains_differ_by_endpoint_set_not_by_its_order(void **state)
{
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab, "vnet a 10.0.0.0/16\nsubnet a x\nsubnet a y\nsubnet a z\n"
                  "service S 20.0.0.0/8\nservice T 21.0.0.0/8\n"
                  "endpoint a/x S\nendpoint a/x T\nendpoint a/y T\nendpoint a/y S\nendpoint a/z T\n"
                  "vnet b 10.0.0.0/16\ntable t nopropagation\nsubnet b x\nattach b/x t\nrs rs b\n");
    (void)lab_compute(&lab);
    assert_ptr_equal(domain_of(&lab, "a/x"), domain_of(&lab, "a/y"));
    assert_ptr_not_equal(domain_of(&lab, "a/x"), domain_of(&lab, "a/z"));
    assert_ptr_not_equal(domain_of(&lab, "a/s"), domain_of(&lab, "b/s"));
    assert_non_null(domain_of(&lab, "b/s")->hub);
    assert_null(domain_of(&lab, "b/x")->hub); // propagation is off
    lab_fini(&lab);
}

static void ids_do_not_depend_on_what_is_learned(void **state)
{
    struct lab *lab = *state;
    unsigned before = domain_of(lab, "spoke/s")->id;

    lab->n_learned = 0;
    (void)lab_compute(lab);
    assert_int_equal(domain_of(lab, "spoke/s")->id, before);
    struct vnrs_addr dst = lab_addr("10.50.0.1");
    assert_int_equal(vnrs_domain_match(domain_of(lab, "spoke/s"), &dst)->type, VNRS_NH_NONE);
}

struct why {
    const char *prefix;
    enum vnrs_route_source source;
    const char *want;
};

static void why_names_the_rule_that_won_and_what_it_beat(void **state)
{
    static const struct why whys[] = {
        {"10.1.0.0/16", VNRS_SRC_DEFAULT,
         "user route '10.1.0.0/16' of route table 't' has the same prefix: User beats Default"},
        {"10.1.0.0/16", VNRS_SRC_USER, "user route of route table 't'; User beats Default at the same prefix"},
        {"172.30.0.0/16", VNRS_SRC_GATEWAY,
         "user route '172.30.0.0/16' of route table 't' has the same prefix: User beats VirtualNetworkGateway"},
        {"172.30.0.0/16", VNRS_SRC_USER,
         "user route of route table 't'; User beats VirtualNetworkGateway at the same prefix; no NIC of this or a "
         "peered "
         "virtual network has 10.7.7.7: packets are dropped"},
        {"20.0.0.0/8", VNRS_SRC_USER, "service endpoint 'S' has the same prefix and is not overridden"},
        {"20.0.0.0/8", VNRS_SRC_GATEWAY, "service endpoint 'S' has the same prefix and is not overridden"},
        {"20.1.0.0/16", VNRS_SRC_GATEWAY,
         "inside a prefix of service endpoint 'S', which is asked first: decides for no packet"},
        {"21.0.0.0/8", VNRS_SRC_USER, "user route of route table 't'; there is no VPN gateway: packets are dropped"},
        {"22.0.0.0/8", VNRS_SRC_USER, "user route of route table 't'; this lab has no Internet: packets are dropped"},
        {"0.0.0.0/0", VNRS_SRC_DEFAULT, "system default route; this lab has no Internet: packets are dropped"},
        {"192.168.0.0/16", VNRS_SRC_DEFAULT,
         "system route: a reserved range that no virtual network route replaces is dropped"},
        {"10.2.0.0/16", VNRS_SRC_DEFAULT,
         "address range of virtual network 'far', peered with this one from another region"},
    };
    struct lab lab;
    (void)state;

    lab_init(&lab);
    lab_add(&lab,
            "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\nvnet far 10.2.0.0/16\npeer a b\npeer b a\npeer a far global\n"
            "peer far a global\nrs rs a\nservice S 20.0.0.0/8\nendpoint a/s S\ntable t\nattach a/s t\n"
            "nic b/s fw/eth0 10.1.0.4\n"
            "udr t 10.1.0.0/16 VirtualAppliance 10.1.0.4\nudr t 172.30.0.0/16 VirtualAppliance 10.7.7.7\n"
            "udr t 20.0.0.0/8 None\nudr t 21.0.0.0/8 VirtualNetworkGateway\nudr t 22.0.0.0/8 Internet\n"
            "learn rs 172.30.0.0/16 10.0.2.4\nlearn rs 20.1.0.0/16 10.0.2.4\nlearn rs 20.0.0.0/8 10.0.2.4\n");
    const struct vnrs_domain *domain = lab_compute(&lab);
    for (size_t i = 0; i < ARRAY_SIZE(whys); i++) {
        struct vnrs_prefix prefix = lab_prefix(whys[i].prefix);
        const struct vnrs_eff_route *found = NULL;
        list_foreach (row, &domain->routes) {
            if (vnrs_prefix_equal(&row->prefix, &prefix) && row->source == whys[i].source &&
                row->type != VNRS_NH_SERVICE_ENDPOINT)
                found = row;
        }
        assert_non_null(found);
        assert_string_equal(found->why, whys[i].want);
    }
    lab_fini(&lab);
}

// azure-routing.md 6.1: a VPN gateway that is not active-active shows its public address, also in networks that use it.
static void next_hops_shown_6_1(void **state)
{
    static const struct {
        const char *gateway, *vnet, *hop, *want;
        enum vnrs_nexthop_type type;
    } rows[] = {
        {"gateway vpn hub vpn 10.0.3.4\n", "hub", "10.0.3.4", "198.51.100.4", VNRS_NH_GATEWAY},
        {"gateway vpn hub vpn 10.0.3.4\n", "spoke", "10.0.3.4", "198.51.100.4", VNRS_NH_GATEWAY},
        {"gateway vpn hub vpn 10.0.3.4\n", "other", "10.0.3.4", "10.0.3.4", VNRS_NH_GATEWAY},
        {"gateway vpn hub vpn 10.0.3.4\n", "hub", "10.0.2.4", "10.0.2.4", VNRS_NH_GATEWAY}, // an NVA's
        {"gateway vpn hub vpn 10.0.3.4\n", "hub", "10.0.3.4", "10.0.3.4", VNRS_NH_APPLIANCE},
        {"gateway vpn hub vpn 10.0.3.4 10.0.3.5\n", "hub", "10.0.3.4", "10.0.3.4", VNRS_NH_GATEWAY},
        {"gateway er hub er 10.0.3.4\n", "hub", "10.0.3.4", "10.0.3.4", VNRS_NH_GATEWAY},
    };
    char text[VNRS_ADDR_STR_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct lab lab;
        lab_init(&lab);
        lab_add(&lab, "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\nvnet other 10.2.0.0/16\npeer hub spoke transit\n"
                      "peer spoke hub use\n");
        lab_add(&lab, rows[i].gateway);
        lab.model.gateways.items[0].instances[0].public_ip = lab_addr("198.51.100.4");
        struct vnrs_addr hop = lab_addr(rows[i].hop);
        const struct vnrs_addr *shown =
            vnrs_next_hop_shown(&lab.model, vnrs_model_find_vnet(&lab.model, rows[i].vnet), rows[i].type, &hop);
        assert_string_equal(vnrs_addr_format(shown, text), rows[i].want);
        lab_fini(&lab);
    }
}

static void names_are_azures(void **state)
{
    (void)state;
    assert_string_equal(vnrs_nexthop_type_name(VNRS_NH_VNET_GLOBAL_PEERING), "VNetGlobalPeering");
    assert_string_equal(vnrs_nexthop_type_name(VNRS_NH_SERVICE_ENDPOINT), "VirtualNetworkServiceEndpoint");
    assert_string_equal(vnrs_nexthop_type_name(_VNRS_NH_MAX), "Unknown");
    assert_string_equal(vnrs_next_hop_name(VNRS_NH_APPLIANCE, true), "VirtualApplianceEcmp");
    assert_string_equal(vnrs_next_hop_name(VNRS_NH_APPLIANCE, false), "VirtualAppliance");
    assert_string_equal(vnrs_next_hop_name(VNRS_NH_GATEWAY, false), "VirtualNetworkGateway");
    assert_string_equal(vnrs_route_state_name(VNRS_ROUTE_INVALID), "Invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(seed_workload, seed_setup, seed_teardown),
        cmocka_unit_test_setup_teardown(seed_spoke, seed_setup, seed_teardown),
        cmocka_unit_test_setup_teardown(match_2_3_service_endpoints_then_longest_prefix, seed_setup, seed_teardown),
        cmocka_unit_test_setup_teardown(domains_share_table_and_endpoints, seed_setup, seed_teardown),
        cmocka_unit_test(domains_differ_by_endpoint_set_not_by_its_order),
        cmocka_unit_test_setup_teardown(ids_do_not_depend_on_what_is_learned, seed_setup, seed_teardown),
        cmocka_unit_test(why_names_the_rule_that_won_and_what_it_beat),
        cmocka_unit_test(next_hops_shown_6_1),
        cmocka_unit_test(names_are_azures),
    };
    return cmocka_run_group_tests_name("routing.routing", tests, NULL, NULL);
}
