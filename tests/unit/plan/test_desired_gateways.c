// SPDX-License-Identifier: GPL-2.0-or-later
// The objects of gateways, sites and connections, whole, as text: tests/unit/plan/gateways.golden.
#include "plan/desired.h"

#include "plan/labs.h"
#include "util/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const lab =
    "name: l\n"
    "virtualNetworks:\n"
    "  - name: hub\n"
    "    addressSpace: [10.0.0.0/16]\n"
    "    subnets:\n"
    "      - {name: GatewaySubnet, addressPrefix: 10.0.1.0/26}\n"
    "  - name: spoke\n"
    "    addressSpace: [10.1.0.0/16]\n"
    "    subnets: [{name: apps, addressPrefix: 10.1.0.0/24}]\n"
    "  - name: apart\n"
    "    addressSpace: [10.2.0.0/16]\n"
    "    subnets: [{name: apps, addressPrefix: 10.2.0.0/24}]\n"
    "virtualNetworkPeerings:\n"
    "  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true}\n"
    "  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowGatewayTransit: true}\n"
    "virtualNetworkGateways:\n"
    "  - {name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true, publicIps: [203.0.113.10, "
    "203.0.113.11],\n"
    "     bgpSettings: {bgpPeeringAddresses: [{customBgpIpAddresses: [169.254.21.1]}, {customBgpIpAddresses: "
    "[169.254.22.1]}]}}\n"
    "  - {name: er, virtualNetwork: hub, gatewayType: ExpressRoute}\n"
    "sites:\n"
    "  - {name: branch, addressPrefixes: [10.60.0.0/16], asn: 65010, bgpPeeringAddress: 10.60.0.1, publicIp: "
    "198.51.100.10,\n"
    "     hosts: [{name: pc, ip: 10.60.0.10}]}\n"
    "  - {name: a-depot-with-a-name, addressPrefixes: [10.61.0.0/16, 10.62.0.0/16], publicIp: 198.51.100.11,\n"
    "     hosts: [{name: store, ip: 10.61.0.9}]}\n"
    "  - {name: dc, addressPrefixes: [10.63.0.0/16], asn: 65020}\n"
    "connections:\n"
    "  - {name: b, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true, sharedKey: s3cret,\n"
    "     gatewayCustomBgpIpAddresses: [169.254.21.1, 169.254.22.1]}\n"
    "  - {name: to-a-depot-with-a-name, gateway: vpn, site: a-depot-with-a-name, connectionType: IPsec}\n"
    "  - {name: circuit, gateway: er, site: dc, connectionType: ExpressRoute}\n";

static void put_ns(struct vnrs_strbuf *out, const struct vnrs_ag_netns *ns)
{
    assert_int_equal(ns->kind, VNRS_AG_NETNS_OURS);
    vnrs_strbuf_puts(out, ns->name[0] ? ns->name : "fabric");
}

static void put_addr(struct vnrs_strbuf *out, const char *before, const struct vnrs_addr *addr)
{
    char text[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, "%s%s", before, vnrs_addr_format(addr, text));
}

static void put_end(struct vnrs_strbuf *out, const struct vnrs_link_end *end)
{
    vnrs_strbuf_puts(out, " ");
    put_ns(out, &end->ns);
    vnrs_strbuf_printf(out, ":%s", end->ifname);
    for (unsigned i = 0; i < end->n_addrs; i++) {
        put_addr(out, " ", &end->addrs[i].addr);
        vnrs_strbuf_printf(out, "/%u", end->addrs[i].len);
    }
}

static void put_link(struct vnrs_strbuf *out, const struct vnrs_obj_link *link)
{
    static const char *const kinds[] = {"", " NIC", " tunnel"};

    put_end(out, &link->a);
    vnrs_strbuf_puts(out, " --");
    put_end(out, &link->b);
    vnrs_strbuf_printf(out, " mtu %u%s", link->mtu, kinds[link->kind]);
}

static void put_route(struct vnrs_strbuf *out, const struct vnrs_obj_route *route)
{
    for (unsigned i = 0; i < route->n_via; i++) {
        put_addr(out, " via ", &route->via[i]);
        vnrs_strbuf_printf(out, " dev %s", route->ifnames[i][0] ? route->ifnames[i] : route->ifname);
    }
    if (route->refuse)
        vnrs_strbuf_printf(out, " refused, metric %u", route->metric);
    else if (!route->n_via)
        vnrs_strbuf_printf(out, " dev %s", route->ifname);
}

static void put_snat(struct vnrs_strbuf *out, const struct vnrs_obj_snat *snat)
{
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_puts(out, " ");
    put_ns(out, &snat->ns);
    vnrs_strbuf_printf(out, ":%s", snat->ifname);
    for (unsigned i = 0; i < snat->n; i++)
        vnrs_strbuf_printf(out, " from %s", vnrs_prefix_format(&snat->sources[i], text));
    put_addr(out, " IKE of ", &snat->ike_peer);
    put_addr(out, " to ", &snat->ike_inside);
}

static void put_object(struct vnrs_strbuf *out, const struct vnrs_object *object, const struct vnrs_ids *ids)
{
    vnrs_strbuf_printf(out, "%s %s", vnrs_object_type_name(object->type), object->key);
    switch (object->type) {
    case VNRS_OBJ_NETNS:
        vnrs_strbuf_printf(out, " flags %u", ((const struct vnrs_obj_netns *)object->spec)->flags);
        break;
    case VNRS_OBJ_LINK:
        put_link(out, object->spec);
        break;
    case VNRS_OBJ_ROUTE:
        put_route(out, object->spec);
        break;
    case VNRS_OBJ_SNAT:
        put_snat(out, object->spec);
        break;
    case VNRS_OBJ_TABLE: {
        const struct vnrs_obj_table *table = object->spec;
        vnrs_strbuf_puts(out, " in ");
        put_ns(out, &table->ns);
        assert_int_equal(table->domain, vnrs_ids_find(ids, VNRS_ID_DOMAIN, table->ns.name));
        vnrs_strbuf_printf(out, " table %u metric %u%s%s", table->table, table->metric,
                           table->by_link ? " by link" : "", table->from_link ? " from link" : "");
        break;
    }
    case VNRS_OBJ_PROC:
        vnrs_strbuf_printf(out, " in %s kind %u", ((const struct vnrs_obj_proc *)object->spec)->ns.name,
                           ((const struct vnrs_obj_proc *)object->spec)->kind);
        break;
    case VNRS_OBJ_SPEAKER: {
        const struct vnrs_obj_speaker *speaker = object->spec;
        vnrs_strbuf_printf(out, " in %s", speaker->ns.name);
        put_addr(out, " listens on ", &speaker->listen);
        break;
    }
    default:
        break;
    }
    vnrs_strbuf_puts(out, "\n");
}

static void all_objects(void **state)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    struct vnrs_ids *ids = vnrs_ids_new();
    struct labs_plan plan = labs_plan(labs_load_text("l", lab), ids);
    struct vnrs_strbuf out = {0};
    char path[512], *want = NULL;
    size_t len;

    (void)state;
    if (plan.r < 0)
        fail_msg("%s", plan.error);
    vec_foreach (object, &plan.desired.objects) {
        put_object(&out, object, ids);
        if (object->type == VNRS_OBJ_PROC) // the key, but not as text
            assert_null(memmem(object->data, object->data_size, "s3cret", 6));
    }
    (void)snprintf(path, sizeof(path), "%s/tests/unit/plan/gateways.golden", root ? root : ".");
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, out.text, out.len, 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(out.text, want);
    free(want);
    vnrs_strbuf_fini(&out);
    labs_plan_fini(&plan);
    vnrs_ids_free(ids);
}

static void nothing_without_data_plane(void **state)
{
    struct vnrs_ids *ids = vnrs_ids_new();
    char *text = NULL;
    assert_true(asprintf(&text, "dataplane: none\n%s", lab) > 0);
    struct vnrs_arena *arena = vnrs_arena_new();
    struct vnrs_diags diags = {.arena = arena, .file = "l", .source = text};
    struct vnrs_model *model = vnrs_model_load("l", text, strlen(text), NULL, &diags);

    (void)state;
    if (model) { // it may be refused as a whole
        struct labs_plan plan = labs_plan(model, ids);
        assert_int_equal(plan.r, 0);
        vec_foreach (object, &plan.desired.objects)
            assert_true(object->type == VNRS_OBJ_TABLE || object->type == VNRS_OBJ_SPEAKER);
        labs_plan_fini(&plan);
    }
    vnrs_diags_fini(&diags);
    vnrs_arena_free(arena);
    vnrs_ids_free(ids);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_objects), cmocka_unit_test(nothing_without_data_plane)};
    return cmocka_run_group_tests_name("plan.desired_gateways", tests, NULL, NULL);
}
