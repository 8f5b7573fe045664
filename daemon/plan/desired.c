// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/desired.h"

#include "model/impair.h"
#include "plan/appliance.h"
#include "plan/build.h"
#include "plan/names.h"
#include "util/strbuf.h"
#include "vnrs/bpf_abi.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    size_t spec_size;
} types[] = {
    [VNRS_OBJ_FABRIC] = {"fabric", sizeof(struct vnrs_obj_fabric)},
    [VNRS_OBJ_NETNS] = {"namespace", sizeof(struct vnrs_obj_netns)},
    [VNRS_OBJ_LINK] = {"link", sizeof(struct vnrs_obj_link)},
    [VNRS_OBJ_ROUTE] = {"route", sizeof(struct vnrs_obj_route)},
    [VNRS_OBJ_SNAT] = {"source NAT", sizeof(struct vnrs_obj_snat)},
    [VNRS_OBJ_TABLE] = {"guest table", sizeof(struct vnrs_obj_table)},
    [VNRS_OBJ_PROC] = {"daemon", sizeof(struct vnrs_obj_proc)},
    [VNRS_OBJ_SPEAKER] = {"speaker", sizeof(struct vnrs_obj_speaker)},
    [VNRS_OBJ_IMPAIR] = {"impairment", sizeof(struct vnrs_obj_impair)},
};
_Static_assert(ARRAY_SIZE(types) == _VNRS_OBJ_MAX, "every type has a row");

size_t vnrs_object_spec_size(enum vnrs_obj_type type)
{
    return (unsigned)type < ARRAY_SIZE(types) ? types[type].spec_size : 0;
}

const char *vnrs_object_type_name(enum vnrs_obj_type type)
{
    return (unsigned)type < ARRAY_SIZE(types) && types[type].name ? types[type].name : "object";
}

char *vnrs_link_key_rs(struct vnrs_arena *arena, const struct vnrs_route_server *rs, unsigned instance)
{
    return vnrs_arena_printf(arena, "routeserver.%s-%u/eth0", rs->name, instance);
}

char *vnrs_link_key_service(struct vnrs_arena *arena, const struct vnrs_host *host)
{
    return vnrs_arena_printf(arena, "service.%s/eth0", host->name);
}

char *vnrs_link_key_prober(struct vnrs_arena *arena, const struct vnrs_vnet *vnet)
{
    return vnrs_arena_printf(arena, VNRS_PROBER_NETNS "/eth0", vnet->name);
}

char *vnrs_domain_key_prober(struct vnrs_arena *arena, const struct vnrs_vnet *vnet)
{
    return vnrs_arena_printf(arena, "platform:prober/%s", vnet->name);
}

bool vnrs_link_key_is_nic(const char *key)
{
    static const char *const others[] = {"internet.", "host.", "tunnel.", "circuit."};
    bool is_nic = true;

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        is_nic &= strncmp(key, others[i], strlen(others[i])) != 0;
    return is_nic || strcmp(key, VNRS_LINK_KEY_EDGE) == 0;
}

char *vnrs_subnet_key(struct vnrs_arena *arena, const struct vnrs_subnet *subnet)
{
    return vnrs_arena_printf(arena, "%s/%s", subnet->vnet->name, subnet->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *vnrs_domain_key(struct vnrs_arena *arena, const struct vnrs_domain *domain)
{
    const struct vnrs_subnet *subnet = domain->subnets.items[0];
    VEC(const char *) services = {0};
    struct vnrs_strbuf text = {0};

    vnrs_strbuf_printf(&text, "%s/%s", domain->vnet->name, domain->table ? domain->table->name : "");
    list_foreach (service, &subnet->service_endpoints) {
        if (vec_push(&services, (*service)->name) < 0)
            text.failed = true;
    }
    if (services.len)
        qsort(services.items, services.len, sizeof(*services.items), compare_names);
    vec_foreach (name, &services)
        vnrs_strbuf_printf(&text, ",%s", *name);
    vec_free(&services);
    char *key = text.failed ? NULL : vnrs_arena_strndup(arena, text.text, text.len);
    vnrs_strbuf_fini(&text);
    return key;
}

struct vnrs_addr vnrs_subnet_gateway(const struct vnrs_subnet *subnet, uint8_t family)
{
    list_foreach (prefix, &subnet->prefixes) {
        if (prefix->family == family) {
            struct vnrs_addr network = vnrs_prefix_addr(prefix);
            return vnrs_addr_add(&network, 1);
        }
    }
    return (struct vnrs_addr){0};
}

const char *vnrs_machine_netns(struct vnrs_arena *arena, const struct vnrs_model *model,
                               const struct vnrs_machine *machine)
{
    char name[VNRS_NETNS_FULL_MAX];

    if (machine->netns == VNRS_NETNS_OURS)
        vnrs_name_netns(model->name, machine->name, name);
    else
        vnrs_str_copy(name, sizeof(name), machine->netns_ref ? machine->netns_ref : "");
    const char *text = vnrs_arena_strndup(arena, name, strlen(name));
    return text ? text : "";
}

// ---- what the parts share

int build_fail(struct build *b, int err, const char *fmt, ...)
{
    va_list ap;

    if (b->failed == 0) {
        b->failed = err;
        va_start(ap, fmt);
        (void)vsnprintf(b->error, 256, fmt, ap);
        va_end(ap);
    }
    return err;
}

const char *build_text(struct build *b, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    const char *kept = len < 0 ? NULL : vnrs_arena_strndup(b->out->arena, text, MIN((size_t)len, sizeof(text) - 1));
    if (!kept)
        build_fail(b, -ENOMEM, "out of memory");
    return kept ? kept : "";
}

void build_take(struct build *b, const char *name, const char *what)
{
    const char *other = vnrs_map_find(&b->taken, name, strlen(name));

    if (other)
        build_fail(b, -EEXIST, "%s and %s would both be called '%s'; rename one of them", other, what, name);
    else if (vnrs_map_put(&b->taken, name, strlen(name), (void *)what) < 0)
        build_fail(b, -ENOMEM, "out of memory");
}

void *build_object(struct build *b, enum vnrs_obj_type type, const char *key, const char *what)
{
    struct vnrs_object object = {.type = type, .key = key, .spec_size = types[type].spec_size, .what = what};
    void *spec = vnrs_arena_alloc(b->out->arena, object.spec_size);

    object.spec = spec;
    if (strlen(key) >= VNRS_KEY_MAX)
        build_fail(b, -ENAMETOOLONG, "%s has a name that is too long", what);
    build_take(b, build_text(b, "%s '%s'", types[type].name, key), what);
    if (!spec || vec_push(&b->out->objects, object) < 0)
        build_fail(b, -ENOMEM, "out of memory");
    return b->failed ? NULL : spec;
}

struct vnrs_ag_netns build_netns(const char *name)
{
    struct vnrs_ag_netns ns = {.kind = VNRS_AG_NETNS_OURS};

    vnrs_str_copy(ns.name, sizeof(ns.name), name);
    return ns;
}

static struct vnrs_ag_netns machine_netns(const struct vnrs_machine *machine)
{
    struct vnrs_ag_netns ns = {.kind = (uint8_t)machine->netns, .pid = machine->pid};
    const char *name = machine->netns == VNRS_NETNS_OURS ? machine->name : machine->netns_ref;

    vnrs_str_copy(ns.name, sizeof(ns.name), name ? name : "");
    return ns;
}

void build_end_addr(struct vnrs_link_end *end, const struct vnrs_addr *addr, unsigned len)
{
    end->addrs[end->n_addrs++] = (struct vnrs_ag_ifaddr){.addr = *addr, .len = (uint8_t)len};
}

struct vnrs_obj_link *build_nic(struct build *b, const char *key, const char *what, const struct vnrs_ag_netns *guest,
                                const char *ifname, unsigned mtu)
{
    static const uint8_t fabric_mac[] = VNRS_FABRIC_MAC;
    struct vnrs_obj_link *link = build_object(b, VNRS_OBJ_LINK, key, what);

    if (!link)
        return NULL;
    link->mtu = mtu;
    link->kind = VNRS_LINK_NIC;
    link->a.ns = build_netns("");
    vnrs_name_fabric_link(b->model->name, key, link->a.ifname);
    memcpy(link->a.mac.bytes, fabric_mac, sizeof(fabric_mac));
    link->a.ifindex = vnrs_ids_get(b->ids, VNRS_ID_LINK, key);
    if (!link->a.ifindex)
        build_fail(b, -ENOSPC, "no interface number is left for %s", what);
    link->b.ns = *guest;
    vnrs_str_copy(link->b.ifname, sizeof(link->b.ifname), ifname);
    link->b.mac = vnrs_name_mac(b->model->name, key);
    build_take(b, build_text(b, "%s", link->a.ifname), what);
    char mac[VNRS_MAC_STR_MAX];
    build_take(b, build_text(b, "%s", vnrs_mac_format(&link->b.mac, mac)), what);
    return b->failed ? NULL : link;
}

struct vnrs_prefix build_default(uint8_t family)
{
    return (struct vnrs_prefix){.family = family};
}

struct vnrs_obj_route *build_route(struct build *b, const char *ns, const char *ifname,
                                   const struct vnrs_prefix *prefix, const struct vnrs_addr *via)
{
    char text[VNRS_PREFIX_STR_MAX];
    vnrs_prefix_format(prefix, text);
    const char *key = build_text(b, "%s/%s", ns, text);
    struct vnrs_obj_route *route = build_object(b, VNRS_OBJ_ROUTE, key, build_text(b, "route %s in '%s'", text, ns));

    if (!route)
        return NULL;
    route->ns = build_netns(ns);
    vnrs_str_copy(route->ifname, sizeof(route->ifname), ifname);
    route->prefix = *prefix;
    if (via)
        route->via[route->n_via++] = *via;
    return route;
}

// ---- machines, Route Servers

static unsigned prefix_len_of(const struct vnrs_subnet *subnet, const struct vnrs_addr *addr)
{
    list_foreach (prefix, &subnet->prefixes) {
        if (vnrs_prefix_contains_addr(prefix, addr))
            return prefix->len;
    }
    return vnrs_af_bits(addr->family);
}

static void machine_link(struct build *b, const struct vnrs_nic *nic)
{
    const struct vnrs_ag_netns ns = machine_netns(nic->machine);
    struct vnrs_obj_link *link =
        build_nic(b, nic->name, build_text(b, "NIC '%s'", nic->name), &ns, nic->ifname, nic->mtu);

    list_foreach (ip, &nic->ips) {
        if (!link)
            return;
        if (link->b.n_addrs == VNRS_LINK_ADDRS_MAX) {
            build_fail(b, -ENOSPC, "NIC '%s' has more than %u addresses", nic->name, VNRS_LINK_ADDRS_MAX);
            return;
        }
        build_end_addr(&link->b, ip, prefix_len_of(nic->subnet, ip));
    }
    if (!link || vnrs_impair_is_none(&nic->link))
        return;
    link->down = nic->link.down;
    struct vnrs_obj_impair *impair =
        build_object(b, VNRS_OBJ_IMPAIR, nic->name, build_text(b, "link of NIC '%s'", nic->name));
    if (impair)
        impair->impair = nic->link;
}

static bool nic_has_family(const struct vnrs_nic *nic, uint8_t family)
{
    list_foreach (ip, &nic->ips) {
        if (ip->family == family)
            return true;
    }
    return false;
}

static void machine_default(struct build *b, const struct vnrs_machine *machine, uint8_t family)
{
    list_foreach (nic, &machine->nics) {
        struct vnrs_addr gateway = vnrs_subnet_gateway(nic->subnet, family);
        struct vnrs_prefix all = build_default(family);
        if (!nic_has_family(nic, family) || gateway.family == VNRS_AF_NONE || nic->attach)
            continue;
        build_route(b, machine->name, nic->ifname, &all, &gateway);
        return; // a machine has one default route; which NIC else is the machine's own matter
    }
}

// The number of the domain that a subnet's routes come from; 0: the build has failed.
static uint32_t domain_number(struct build *b, const struct vnrs_subnet *subnet)
{
    const struct vnrs_domain *domain = vnrs_routing_domain(b->routing, subnet);
    char *key = domain ? vnrs_domain_key(b->out->arena, domain) : NULL;
    uint32_t number = key ? vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, key) : 0;

    if (!number)
        build_fail(b, -ENOSPC, "no number is left for the routes of subnet '%s'", subnet->name);
    return number;
}

static void machine_table(struct build *b, const struct vnrs_nic *nic)
{
    const struct vnrs_machine *machine = nic->machine;
    struct vnrs_obj_table *table =
        build_object(b, VNRS_OBJ_TABLE, nic->name, build_text(b, "guest table of NIC '%s'", nic->name));

    if (!table)
        return;
    table->ns = machine_netns(machine);
    vnrs_str_copy(table->ifname, sizeof(table->ifname), nic->ifname);
    table->domain = domain_number(b, nic->subnet);
    table->table = machine->inject.table;
    table->protocol = machine->inject.protocol;
    // Two NICs have the same prefixes: the first one wins, as in the machine's own DHCP client on Azure.
    table->metric = machine->inject.metric + (uint32_t)(nic - machine->nics.items);
    table->gateway4 = vnrs_subnet_gateway(nic->subnet, VNRS_AF_IPV4);
    table->gateway6 = vnrs_subnet_gateway(nic->subnet, VNRS_AF_IPV6);
    table->onlink = b->model->dataplane != VNRS_DATAPLANE_NONE;
    list_foreach (ip, &nic->ips)
        if (table->n_own < VNRS_LINK_ADDRS_MAX)
            table->own[table->n_own++] = *ip;
}

static void machine_proc(struct build *b, const struct vnrs_machine *machine)
{
    static const uint32_t kinds[] = {[VNRS_RUN_FRR] = VNRS_PROC_FRR,       [VNRS_RUN_BIRD] = VNRS_PROC_BIRD,
                                     [VNRS_RUN_EXEC] = VNRS_PROC_EXEC,     [VNRS_RUN_GOBGP] = VNRS_PROC_GOBGP,
                                     [VNRS_RUN_EXABGP] = VNRS_PROC_EXABGP, [VNRS_RUN_OPENBGPD] = VNRS_PROC_OPENBGPD};
    struct vnrs_obj_proc *proc =
        build_object(b, VNRS_OBJ_PROC, machine->name, build_text(b, "daemon of machine '%s'", machine->name));

    if (!proc)
        return;
    struct vnrs_object *object = &b->out->objects.items[b->out->objects.len - 1];
    proc->ns = machine_netns(machine);
    proc->kind = kinds[machine->run.kind];
    struct vnrs_strbuf data = {0};
    if (machine->run.kind == VNRS_RUN_EXEC) {
        list_foreach (arg, &machine->run.argv)
            vnrs_strbuf_add(&data, *arg, strlen(*arg) + 1);
    } else {
        _free_ char *text = vnrs_appliance_config(b->model, machine);
        _free_ char *commands = vnrs_appliance_commands(machine);
        if (text)
            vnrs_strbuf_puts(&data, text);
        if (commands && *commands) { // a second file
            vnrs_strbuf_add(&data, "", 1);
            vnrs_strbuf_puts(&data, commands);
        }
        data.failed |= !text || !commands;
    }
    object->data_size = data.len;
    object->data = data.failed || !data.len ? NULL : vnrs_arena_dup(b->out->arena, data.text, data.len);
    if (data.failed || (data.len && !object->data))
        build_fail(b, -ENOMEM, "out of memory");
    vnrs_strbuf_fini(&data);
}

static void build_machine(struct build *b, const struct vnrs_machine *machine)
{
    bool none = b->model->dataplane == VNRS_DATAPLANE_NONE;

    if (machine->netns == VNRS_NETNS_OURS && !none) {
        struct vnrs_obj_netns *ns =
            build_object(b, VNRS_OBJ_NETNS, machine->name, build_text(b, "machine '%s'", machine->name));
        if (!ns)
            return;
        ns->flags = machine->hosts.len ? VNRS_NETNS_FORWARD : 0;
        if (machine->role != VNRS_MACHINE_USER) // its tunnels and circuits come and go
            ns->flags = VNRS_NETNS_FORWARD | VNRS_NETNS_CARRIER;
        list_foreach (nic, &machine->nics)
            ns->flags |= nic->forwarding ? VNRS_NETNS_FORWARD : 0;
    }
    list_foreach (nic, &machine->nics) {
        if (!none && !nic->attach)
            machine_link(b, nic);
        if (machine->inject.on)
            machine_table(b, nic);
    }
    if (!machine->inject.on && machine->netns == VNRS_NETNS_OURS && !none) {
        machine_default(b, machine, VNRS_AF_IPV4);
        machine_default(b, machine, VNRS_AF_IPV6);
    }
    if (machine->run.kind != VNRS_RUN_NONE)
        machine_proc(b, machine);
}

static void build_instance(struct build *b, const struct vnrs_route_server *rs, unsigned i)
{
    const struct vnrs_addr *ip = &rs->ips[i];
    const char *what = build_text(b, "Route Server '%s' instance %u", rs->name, i);
    const char *name = build_text(b, "routeserver.%s-%u", rs->name, i);
    bool none = b->model->dataplane == VNRS_DATAPLANE_NONE;

    if (!none) {
        const struct vnrs_ag_netns ns = build_netns(name);
        const char *key = build_text(b, "%s/eth0", name);
        (void)build_object(b, VNRS_OBJ_NETNS, name, what);
        struct vnrs_obj_link *link = build_nic(b, key, what, &ns, "eth0", 1500);
        struct vnrs_addr gateway = vnrs_subnet_gateway(rs->subnet, ip->family);
        struct vnrs_prefix all = build_default(ip->family);
        if (link)
            build_end_addr(&link->b, ip, prefix_len_of(rs->subnet, ip));
        build_route(b, name, "eth0", &all, &gateway);
    }
    const char *key = build_text(b, "%s-%u", rs->name, i);
    struct vnrs_obj_speaker *speaker = build_object(b, VNRS_OBJ_SPEAKER, key, what);
    if (!speaker)
        return;
    if (none)
        speaker->ns.kind = VNRS_AG_NETNS_SELF;
    else
        speaker->ns = build_netns(name);
    speaker->listen = *ip;
    speaker->listen_optional = none;
}

// Numbers that maps need although no object has them.
static void build_numbers(struct build *b)
{
    bool ok = true;

    list_foreach (vnet, &b->model->vnets) {
        ok &= vnrs_ids_get(b->ids, VNRS_ID_VNET, vnet->name) != 0;
        list_foreach (subnet, &vnet->subnets)
            ok &= vnrs_ids_get(b->ids, VNRS_ID_SUBNET, build_text(b, "%s/%s", vnet->name, subnet->name)) != 0;
    }
    list_foreach (domain, &b->routing->domains) {
        char *key = vnrs_domain_key(b->out->arena, domain);
        ok &= key && vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, key) != 0;
    }
    list_foreach (machine, &b->model->machines) {
        if (machine->role == VNRS_MACHINE_GATEWAY || machine->role == VNRS_MACHINE_MSEE)
            ok &= vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, machine->name) != 0;
    }
    list_foreach (vnet, &b->model->vnets) {
        char *key = vnrs_vnet_is_probed(b->model, vnet) ? vnrs_domain_key_prober(b->out->arena, vnet) : "";
        ok &= key && (!*key || vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, key) != 0);
    }
    ok &= vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, VNRS_DOMAIN_KEY_EDGE) != 0;
    ok &= vnrs_ids_get(b->ids, VNRS_ID_DOMAIN, VNRS_DOMAIN_KEY_SERVICE) != 0;
    if (!ok)
        build_fail(b, -ENOSPC, "no numbers are left for virtual networks, subnets or route domains");
}

// By type; objects of one type stay in the order in which they were made.
static int sort_by_type(struct vnrs_desired *out)
{
    VEC(struct vnrs_object) sorted = {0};

    for (int type = 1; type < _VNRS_OBJ_MAX; type++) {
        vec_foreach (object, &out->objects) {
            if (object->type == (enum vnrs_obj_type)type && vec_push(&sorted, *object) < 0) {
                vec_free(&sorted);
                return -ENOMEM;
            }
        }
    }
    free(out->objects.items);
    out->objects.items = sorted.items;
    out->objects.cap = sorted.cap;
    return 0;
}

static void build_all(struct build *b)
{
    if (b->model->dataplane != VNRS_DATAPLANE_NONE) {
        struct vnrs_obj_fabric *fabric = build_object(b, VNRS_OBJ_FABRIC, "fabric", "the fabric");
        if (fabric)
            fabric->dataplane = b->model->dataplane;
    }
    build_numbers(b);
    list_foreach (rs, &b->model->route_servers) {
        for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
            if (rs->ips[i].family != VNRS_AF_NONE)
                build_instance(b, rs, i);
        }
    }
    if (b->model->dataplane != VNRS_DATAPLANE_NONE) {
        build_internet(b);
        build_services(b);
        build_probers(b);
    }
    list_foreach (machine, &b->model->machines) {
        if (machine->role == VNRS_MACHINE_USER || b->model->dataplane != VNRS_DATAPLANE_NONE)
            build_machine(b, machine);
    }
    if (b->model->dataplane != VNRS_DATAPLANE_NONE) {
        build_gateways(b);
        build_hosts_behind(b);
    }
}

int vnrs_desired_make(const struct vnrs_model *model, const struct vnrs_routing *routing, struct vnrs_ids *ids,
                      char error[static 256], struct vnrs_desired *ret_desired)
{
    struct vnrs_desired out = {.arena = vnrs_arena_new()};
    struct build b = {.model = model, .routing = routing, .ids = ids, .out = &out, .error = error};

    if (!out.arena)
        return build_fail(&b, -ENOMEM, "out of memory");
    vnrs_ids_unmark(ids);
    build_all(&b);
    if (b.failed == 0 && sort_by_type(&out) < 0)
        build_fail(&b, -ENOMEM, "out of memory");
    list_foreach (nic, &model->nics) {
        if (b.failed == 0 && (*nic)->link.down && vnrs_desired_hold(&out, (*nic)->name) < 0)
            build_fail(&b, -ENOMEM, "out of memory");
    }
    vnrs_map_fini(&b.taken);
    if (b.failed < 0)
        vnrs_desired_fini(&out);
    else
        *ret_desired = out;
    return b.failed;
}

void vnrs_desired_fini(struct vnrs_desired *desired)
{
    vec_free(&desired->objects);
    vec_free(&desired->held);
    vnrs_arena_free(desired->arena);
    desired->arena = NULL;
}
