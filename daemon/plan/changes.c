// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/changes.h"

#include "model/impair.h"
#include "plan/appliance.h"
#include "plan/route_map_text.h"
#include "routing/routing.h"
#include "util/hash.h"
#include "util/strbuf.h"
#include "vnrs/rtprot.h"

#include <stdio.h>

struct row {
    const char *type, *name, *text;
    const char *blink;  // what a change of the row disturbs, or NULL
    const char *hidden; // compared, not shown
    char *key;
    size_t key_len;
};

struct rows {
    struct vnrs_arena *arena;
    VEC(struct row) list;
    struct vnrs_map by_key; // index + 1
    bool failed;
};

static void add_row(struct rows *rows, const char *type, const char *name, const char *blink, struct vnrs_strbuf *text)
{
    struct row row = {.type = type, .blink = blink};

    row.name = vnrs_arena_strndup(rows->arena, name, strlen(name));
    row.text = vnrs_arena_strndup(rows->arena, text->len ? text->text : "", text->len);
    row.key = vnrs_arena_printf(rows->arena, "%s\n%s", type, name);
    rows->failed |= text->failed || !row.name || !row.text || !row.key;
    vnrs_strbuf_fini(text);
    *text = (struct vnrs_strbuf){0};
    if (rows->failed)
        return;
    row.key_len = strlen(row.key);
    rows->failed |= vec_push(&rows->list, row) < 0;
}

static void put_prefixes(struct vnrs_strbuf *text, const vnrs_prefix_list *list)
{
    char buf[VNRS_PREFIX_STR_MAX];
    const char *sep = "";

    list_foreach (prefix, list) {
        vnrs_strbuf_printf(text, "%s%s", sep, vnrs_prefix_format(prefix, buf));
        sep = ", ";
    }
}

static void vnet_rows(struct rows *rows, const struct vnrs_model *model)
{
    char name[2 * VNRS_NAME_LEN_MAX + 16];
    struct vnrs_strbuf text = {0};

    list_foreach (vnet, &model->vnets) {
        put_prefixes(&text, &vnet->address_space);
        add_row(rows, "virtual network", vnet->name, NULL, &text);
        list_foreach (subnet, &vnet->subnets) {
            (void)snprintf(name, sizeof(name), "%s/%s", vnet->name, subnet->name);
            put_prefixes(&text, &subnet->prefixes);
            if (subnet->route_table)
                vnrs_strbuf_printf(&text, ", route table %s", subnet->route_table->name);
            list_foreach (service, &subnet->service_endpoints)
                vnrs_strbuf_printf(&text, ", service endpoint %s", (*service)->name);
            add_row(rows, "subnet", name, NULL, &text);
        }
    }
    list_foreach (peering, &model->peerings) {
        (void)snprintf(name, sizeof(name), "%s → %s", peering->vnet->name, peering->remote->name);
        vnrs_strbuf_printf(&text, "%s%s%s%s%s", peering->allow_access ? "access" : "no access",
                           peering->allow_forwarded ? ", forwarded traffic" : "",
                           peering->allow_gateway_transit ? ", gateway transit" : "",
                           peering->use_remote_gateways ? ", remote gateways" : "", peering->global ? ", global" : "");
        vnrs_strbuf_puts(&text, peering->disconnected ? ", disconnected" : "");
        if (peering->remote_space.items != peering->remote->address_space.items) {
            vnrs_strbuf_puts(&text, ", in force ");
            put_prefixes(&text, &peering->remote_space);
        }
        add_row(rows, "peering", name, NULL, &text);
    }
}

static void table_rows(struct rows *rows, const struct vnrs_model *model)
{
    char name[2 * VNRS_NAME_LEN_MAX + 16], buf[VNRS_PREFIX_STR_MAX];
    static const char *const types[] = {
#define X(id, label) [id] = label,
        VNRS_NEXTHOP_TYPES(X)
#undef X
    };
    struct vnrs_strbuf text = {0};

    list_foreach (tag, &model->service_tags) {
        put_prefixes(&text, &tag->prefixes);
        add_row(rows, "service tag", tag->name, NULL, &text);
    }
    list_foreach (table, &model->route_tables) {
        vnrs_strbuf_puts(&text, table->disable_bgp_propagation ? "gateway routes off" : "gateway routes on");
        vnrs_strbuf_puts(&text, table->disable_peering ? ", peering routes off" : "");
        add_row(rows, "route table", table->name, NULL, &text);
        list_foreach (udr, &table->routes) {
            (void)snprintf(name, sizeof(name), "%s/%s", table->name, udr->name);
            vnrs_strbuf_printf(&text, "%s %s", udr->tag ? udr->tag->name : vnrs_prefix_format(&udr->prefix, buf),
                               types[udr->type]);
            list_foreach (hop, &udr->next_hops)
                vnrs_strbuf_printf(&text, " %s", vnrs_addr_format(hop, buf));
            add_row(rows, "route", name, NULL, &text);
        }
    }
}

static void balancer_rows(struct rows *rows, const struct vnrs_model *model)
{
    char buf[VNRS_ADDR_STR_MAX];
    struct vnrs_strbuf text = {0};

    list_foreach (lb, &model->balancers) {
        vnrs_strbuf_printf(&text, "%s in %s/%s, probe of port %u every %u s, %u tries, backends",
                           vnrs_addr_format(&lb->frontend, buf), lb->subnet->vnet->name, lb->subnet->name,
                           lb->probe_port, lb->probe_interval_s, lb->probe_tries);
        list_foreach (nic, &lb->backends)
            vnrs_strbuf_printf(&text, " %s", (*nic)->name);
        add_row(rows, "load balancer", lb->name, NULL, &text);
    }
}

static void put_bgp_options(struct vnrs_strbuf *text, const struct vnrs_bgp_options *options)
{
    if (options->graceful_restart)
        vnrs_strbuf_printf(text, ", graceful restart %u s", options->restart_s);
    vnrs_strbuf_puts(text, options->enhanced_refresh ? ", enhanced refresh" : "");
    vnrs_strbuf_puts(text, options->extended_messages ? ", extended messages" : "");
    vnrs_strbuf_puts(text, options->add_path ? ", ADD-PATH" : "");
    vnrs_strbuf_puts(text, options->extended_next_hop ? ", extended next hops" : "");
}

static void put_connection(struct vnrs_strbuf *text, const struct vnrs_bgp_connection *conn)
{
    char buf[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(text, "%s AS %u, timers %u/%u", vnrs_addr_format(&conn->peer_ip, buf), conn->peer_asn,
                       conn->timers.keepalive, conn->timers.hold);
    vnrs_strbuf_puts(text, conn->password ? ", password " VNRS_BGP_PASSWORD_HIDDEN : "");
    if (conn->ttl_security_hops)
        vnrs_strbuf_printf(text, ", TTL security %u hops", conn->ttl_security_hops);
    vnrs_strbuf_puts(text, conn->passive ? ", passive" : "");
    if (conn->delay_open)
        vnrs_strbuf_printf(text, ", OPEN delayed %u s", conn->delay_open);
    if (conn->min_hold)
        vnrs_strbuf_printf(text, ", hold time at least %u s", conn->min_hold);
}

// Apart from the connections: a session goes on when its maps change.
static void route_map_rows(struct rows *rows, const struct vnrs_route_server *rs)
{
    char name[2 * VNRS_NAME_LEN_MAX + 16];
    struct vnrs_strbuf text = {0};

    list_foreach (map, &rs->route_maps) {
        (void)snprintf(name, sizeof(name), "%s/%s", rs->name, map->name);
        vnrs_route_map_text(&text, map);
        add_row(rows, "route map", name, NULL, &text);
    }
    list_foreach (conn, &rs->connections) {
        if (!conn->in_map && !conn->out_map)
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", rs->name, conn->name);
        if (conn->in_map)
            vnrs_strbuf_printf(&text, "inbound %s%s", conn->in_map->name, conn->out_map ? ", " : "");
        if (conn->out_map)
            vnrs_strbuf_printf(&text, "outbound %s", conn->out_map->name);
        add_row(rows, "routing configuration", name, NULL, &text);
    }
}

static void route_server_rows(struct rows *rows, const struct vnrs_model *model)
{
    char name[2 * VNRS_NAME_LEN_MAX + 16], a[VNRS_ADDR_STR_MAX], b[VNRS_ADDR_STR_MAX];
    struct vnrs_strbuf text = {0};

    list_foreach (rs, &model->route_servers) {
        vnrs_strbuf_printf(&text, "in %s, %s %s", rs->vnet->name, vnrs_addr_format(&rs->ips[0], a),
                           vnrs_addr_format(&rs->ips[1], b));
        put_bgp_options(&text, &rs->options);
        add_row(rows, "route server", rs->name, "its sessions restart", &text);
        // Apart: sessions go on.
        vnrs_strbuf_printf(&text, "preference %s%s", vnrs_hub_preference_name(rs->preference),
                           rs->allow_branch_to_branch ? ", branch to branch" : "");
        add_row(rows, "route exchange", rs->name, NULL, &text);
        list_foreach (conn, &rs->connections) {
            (void)snprintf(name, sizeof(name), "%s/%s", rs->name, conn->name);
            put_connection(&text, conn);
            add_row(rows, "BGP connection", name, "the session restarts", &text);
            if (!rows->failed)
                rows->list.items[rows->list.len - 1].hidden = conn->password;
        }
        route_map_rows(rows, rs);
    }
}

static void put_host(struct rows *rows, const char *type, const char *where, const struct vnrs_host *host)
{
    char buf[VNRS_ADDR_STR_MAX];
    struct vnrs_strbuf text = {0};

    vnrs_strbuf_printf(&text, "%s%s%s", vnrs_addr_format(&host->ip, buf), *where ? " behind " : "", where);
    add_row(rows, type, host->name, NULL, &text);
}

static void outside_rows(struct rows *rows, const struct vnrs_model *model)
{
    struct vnrs_strbuf text = {0};

    list_foreach (service, &model->services) {
        put_prefixes(&text, &service->prefixes);
        if (service->restricted)
            vnrs_strbuf_puts(&text, ", only from");
        list_foreach (subnet, &service->allowed)
            vnrs_strbuf_printf(&text, " %s/%s", (*subnet)->vnet->name, (*subnet)->name);
        add_row(rows, "service", service->name, NULL, &text);
        list_foreach (host, &service->hosts)
            put_host(rows, "service host", "", host);
    }
    if (model->internet.present) {
        vnrs_strbuf_puts(&text, model->internet.snat ? "source NAT" : "no source NAT");
        add_row(rows, "internet", "internet", NULL, &text);
        list_foreach (host, &model->internet.hosts)
            put_host(rows, "internet host", "", host);
    }
}

// On one line: up to the first line's end in any argument.
static void put_argv(struct vnrs_strbuf *out, const struct vnrs_run *run)
{
    list_foreach (arg, &run->argv) {
        size_t line = strcspn(*arg, "\n");
        vnrs_strbuf_puts(out, " ");
        vnrs_strbuf_add(out, *arg, line);
        if ((*arg)[line]) {
            vnrs_strbuf_puts(out, " …");
            return;
        }
    }
}

// What makes the daemon another one although it is not shown: attributes, the user's own text. NULL: no memory.
static char *daemon_hidden(struct rows *rows, const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    struct vnrs_strbuf all = {0};
    char *kept = NULL;

    if (machine->run.kind == VNRS_RUN_EXEC) {
        list_foreach (arg, &machine->run.argv)
            vnrs_strbuf_printf(&all, "%s\n", *arg);
    } else {
        _free_ char *config = vnrs_appliance_config(model, machine), *commands = vnrs_appliance_commands(machine);
        all.failed |= !config || !commands;
        if (!all.failed)
            vnrs_strbuf_printf(&all, "%s%s", config, commands);
    }
    if (!all.failed)
        kept = vnrs_arena_strndup(rows->arena, all.text ? all.text : "", all.len);
    vnrs_strbuf_fini(&all);
    return kept;
}

static void daemon_row(struct rows *rows, const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    static const char *const kinds[] = {"none", "FRR", "BIRD", "command", "GoBGP", "ExaBGP", "OpenBGPD"};
    char buf[VNRS_PREFIX_STR_MAX];
    struct vnrs_strbuf text = {0};

    vnrs_strbuf_puts(&text, kinds[machine->run.kind]);
    if (machine->run.asn)
        vnrs_strbuf_printf(&text, " AS %u", machine->run.asn);
    list_foreach (a, &machine->run.announce)
        vnrs_strbuf_printf(&text, "%s%s", a == machine->run.announce.items ? ", announces " : " ",
                           vnrs_prefix_format(&a->prefix, buf));
    put_argv(&text, &machine->run);
    add_row(rows, "daemon", machine->name, "it restarts or reads its configuration again", &text);
    if (!rows->failed) {
        char *kept = daemon_hidden(rows, model, machine);
        rows->failed |= !kept;
        rows->list.items[rows->list.len - 1].hidden = kept;
    }
}

static void behind_rows(struct rows *rows, const struct vnrs_machine *machine)
{
    char buf[VNRS_ADDR_STR_MAX], name[2 * VNRS_NAME_LEN_MAX + 16];
    struct vnrs_strbuf text = {0};

    list_foreach (host, &machine->hosts) {
        (void)snprintf(name, sizeof(name), "%s/%s", machine->name, host->name);
        vnrs_strbuf_printf(&text, "%s behind %s", vnrs_addr_format(&host->ip, buf), machine->name);
        add_row(rows, "host", name, NULL, &text);
    }
}

static void gateway_rows(struct rows *rows, const struct vnrs_model *model)
{
    char buf[VNRS_ADDR_STR_MAX];
    struct vnrs_strbuf text = {0};

    list_foreach (gateway, &model->gateways) {
        bool is_vpn = gateway->type == VNRS_GATEWAY_VPN;
        vnrs_strbuf_printf(&text, "%s %s in %s, AS %u, timers %u/%u", is_vpn ? "VPN" : "ExpressRoute", gateway->sku,
                           gateway->vnet->name, gateway->asn, gateway->timers.keepalive, gateway->timers.hold);
        for (unsigned i = 0; i < gateway->n_instances; i++) {
            const struct vnrs_gateway_instance *instance = &gateway->instances[i];
            vnrs_strbuf_printf(&text, ", %s", vnrs_addr_format(&instance->ip, buf));
            if (is_vpn)
                vnrs_strbuf_printf(&text, " (%s)", vnrs_addr_format(&instance->public_ip, buf));
            list_foreach (ip, &instance->apipa)
                vnrs_strbuf_printf(&text, " %s", vnrs_addr_format(ip, buf));
        }
        if (gateway->custom_routes.len)
            vnrs_strbuf_puts(&text, ", custom routes ");
        put_prefixes(&text, &gateway->custom_routes);
        add_row(rows, "gateway", gateway->name, "its sessions and tunnels restart", &text);
    }
}

static void site_rows(struct rows *rows, const struct vnrs_model *model)
{
    char buf[VNRS_ADDR_STR_MAX];
    struct vnrs_strbuf text = {0};

    list_foreach (site, &model->sites) {
        put_prefixes(&text, &site->prefixes);
        vnrs_strbuf_printf(&text, "%srouter %s", text.len ? ", " : "", vnrs_addr_format(&site->bgp_ip, buf));
        if (site->asn)
            vnrs_strbuf_printf(&text, " AS %u", site->asn);
        if (site->public_ip.family != VNRS_AF_NONE)
            vnrs_strbuf_printf(&text, ", public %s", vnrs_addr_format(&site->public_ip, buf));
        add_row(rows, "site", site->name, "its connections restart", &text);
        if (site->machine->run.kind != VNRS_RUN_NONE)
            daemon_row(rows, model, site->machine);
        behind_rows(rows, site->machine);
    }
}

static void put_links(struct vnrs_strbuf *text, const struct vnrs_connection *c)
{
    char buf[VNRS_PREFIX_STR_MAX];

    for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++)
        vnrs_strbuf_printf(text, "%s %s", i ? "," : ", links", vnrs_prefix_format(&c->links[i].prefix, buf));
    vnrs_strbuf_printf(text, ", %s circuit, weight %u", c->premium ? "Premium" : "Standard", c->weight);
    vnrs_strbuf_puts(text, c->password ? ", password " VNRS_BGP_PASSWORD_HIDDEN : "");
    if (c->bfd.on)
        vnrs_strbuf_printf(text, ", BFD %u/%u ms × %u%s", c->bfd.tx_ms, c->bfd.rx_ms, c->bfd.multiplier,
                           c->bfd.strict ? " strict" : "");
}

static void connection_rows(struct rows *rows, const struct vnrs_model *model)
{
    char buf[VNRS_ADDR_STR_MAX];
    struct vnrs_strbuf text = {0};

    list_foreach (c, &model->connections) {
        bool is_ipsec = c->type == VNRS_CONNECTION_IPSEC;
        vnrs_strbuf_printf(&text, "%s between %s and %s", is_ipsec ? "IPsec" : "ExpressRoute", c->gateway->name,
                           c->site->name);
        if (is_ipsec)
            vnrs_strbuf_puts(&text, c->enable_bgp ? ", BGP" : ", static routes");
        else
            put_links(&text, c);
        list_foreach (ip, &c->gateway_bgp_ips)
            vnrs_strbuf_printf(&text, " %s", vnrs_addr_format(ip, buf));
        add_row(rows, "connection", c->name, is_ipsec ? "its tunnels restart" : "its sessions restart", &text);
        if (!rows->failed)
            rows->list.items[rows->list.len - 1].hidden = is_ipsec ? c->shared_key : c->password;
    }
}

static void machine_rows(struct rows *rows, const struct vnrs_model *model)
{
    char buf[VNRS_ADDR_STR_MAX], impair[VNRS_IMPAIR_STR_MAX];
    struct vnrs_strbuf text = {0};

    list_foreach (machine, &model->machines) {
        if (machine->role != VNRS_MACHINE_USER)
            break; // rows of gateways, sites and connections tell of those
        static const char *const kinds[] = {"own namespace", "the daemon's namespace", "namespace", "pid", "container"};
        vnrs_strbuf_puts(&text, kinds[machine->netns]);
        if (machine->netns_ref)
            vnrs_strbuf_printf(&text, " %s", machine->netns_ref);
        if (machine->netns == VNRS_NETNS_PID)
            vnrs_strbuf_printf(&text, " %d", machine->pid);
        if (machine->inject.on && machine->inject.table == VNRS_RT_TABLE_MAIN)
            vnrs_strbuf_printf(&text, ", routes into table main, metric %u", machine->inject.metric);
        else if (machine->inject.on)
            vnrs_strbuf_printf(&text, ", routes into table %u, metric %u", machine->inject.table,
                               machine->inject.metric);
        if (machine->inject.on && machine->inject.protocol != VNRS_RTPROT)
            vnrs_strbuf_printf(&text, ", protocol %u", machine->inject.protocol);
        add_row(rows, "machine", machine->name, NULL, &text);
        list_foreach (nic, &machine->nics) {
            vnrs_strbuf_printf(&text, "%s in %s/%s", nic->ifname, nic->subnet->vnet->name, nic->subnet->name);
            list_foreach (ip, &nic->ips)
                vnrs_strbuf_printf(&text, " %s", vnrs_addr_format(ip, buf));
            vnrs_strbuf_printf(&text, ", MTU %u%s", nic->mtu, nic->forwarding ? ", IP forwarding" : "");
            if (!vnrs_impair_is_none(&nic->link))
                vnrs_strbuf_printf(&text, ", link: %s", vnrs_impair_format(&nic->link, impair));
            add_row(rows, "nic", nic->name, "its link may blink", &text);
        }
        if (machine->run.kind != VNRS_RUN_NONE)
            daemon_row(rows, model, machine);
        behind_rows(rows, machine);
    }
}

static int rows_make(struct rows *rows, struct vnrs_arena *arena, const struct vnrs_model *model)
{
    static const char *const dataplanes[] = {"ebpf", "kernel", "none"};
    struct vnrs_strbuf text = {0};

    rows->arena = arena;
    if (!model)
        return 0;
    vnrs_strbuf_puts(&text, dataplanes[model->dataplane]);
    add_row(rows, "data plane", model->name, "everything is made again", &text);
    vnet_rows(rows, model);
    table_rows(rows, model);
    balancer_rows(rows, model);
    route_server_rows(rows, model);
    gateway_rows(rows, model);
    site_rows(rows, model);
    connection_rows(rows, model);
    outside_rows(rows, model);
    machine_rows(rows, model);
    for (size_t i = 0; i < rows->list.len && !rows->failed; i++) {
        struct row *row = &rows->list.items[i];
        rows->failed |= vnrs_map_put(&rows->by_key, row->key, row->key_len, row) < 0;
    }
    return rows->failed ? -ENOMEM : 0;
}

static void rows_fini(struct rows *rows)
{
    vnrs_map_fini(&rows->by_key);
    vec_free(&rows->list);
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static int compare_row(const struct row *old, const struct row *new, struct vnrs_changes *out)
{
    struct vnrs_change change = {.op = '~', .type = new->type, .name = new->name};
    const char *blink = new->blink ? new->blink : "";

    if (is_same_text(old->text, new->text) && is_same_text(old->hidden, new->hidden))
        return 0;
    if (is_same_text(old->text, new->text))
        change.detail = vnrs_arena_printf(out->arena, "%s; configuration differs; %s", new->text, blink);
    else
        change.detail = vnrs_arena_printf(out->arena, "%s → %s%s%s", old->text, new->text, *blink ? "; " : "", blink);
    return change.detail ? vec_push(&out->list, change) : -ENOMEM;
}

static int compare(const struct rows *old, const struct rows *new, struct vnrs_changes *out)
{
    int r = 0;

    for (size_t i = old->list.len; i-- > 0 && r == 0;) {
        const struct row *row = &old->list.items[i];
        struct vnrs_change gone = {.op = '-', .type = row->type, .name = row->name, .detail = row->text};
        if (!vnrs_map_find(&new->by_key, row->key, row->key_len))
            r = vec_push(&out->list, gone);
    }
    vec_foreach (row, &new->list) {
        const struct row *was = vnrs_map_find(&old->by_key, row->key, row->key_len);
        struct vnrs_change made = {.op = '+', .type = row->type, .name = row->name, .detail = row->text};
        if (r == 0)
            r = was ? compare_row(was, row, out) : vec_push(&out->list, made);
    }
    return r;
}

int vnrs_changes_make(const struct vnrs_model *before, const struct vnrs_model *after, struct vnrs_changes *ret_changes)
{
    struct vnrs_changes out = {.arena = vnrs_arena_new()};
    struct rows old = {0}, new = {0};
    int r = -ENOMEM;

    if (out.arena && rows_make(&old, out.arena, before) == 0 && rows_make(&new, out.arena, after) == 0)
        r = compare(&old, &new, &out);
    rows_fini(&old);
    rows_fini(&new);
    if (r < 0)
        vnrs_changes_fini(&out);
    else
        *ret_changes = out;
    return r;
}

void vnrs_changes_fini(struct vnrs_changes *changes)
{
    vec_free(&changes->list);
    vnrs_arena_free(changes->arena);
    changes->arena = NULL;
}
