// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance.h"

#include "plan/appliance_kinds.h"
#include "plan/tunnel.h"
#include "util/arena.h"

#include <errno.h>
#include <string.h>

static int find_sessions(const struct vnrs_model *model, const struct vnrs_machine *machine,
                         struct appliance_sessions *sessions)
{
    list_foreach (rs, &model->route_servers) {
        list_foreach (conn, &rs->connections) {
            if (!conn->nic || conn->nic->machine != machine)
                continue;
            for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
                struct appliance_session s = {
                    .rs = rs, .conn = conn, .local = conn->peer_ip, .remote = rs->ips[i], .instance = i};
                if (rs->ips[i].family != VNRS_AF_NONE && vec_push(&sessions->list, s) < 0)
                    return -ENOMEM;
            }
        }
    }
    return 0;
}

static struct vnrs_addr first_ip(const struct vnrs_machine *machine, uint8_t family)
{
    list_foreach (nic, &machine->nics) {
        list_foreach (ip, &nic->ips) {
            if (ip->family == family)
                return *ip;
        }
    }
    return (struct vnrs_addr){0};
}

struct vnrs_addr appliance_router_id(const struct vnrs_machine *machine)
{
    struct vnrs_addr ip = first_ip(machine, VNRS_AF_IPV4);
    return ip.family == VNRS_AF_NONE ? vnrs_addr_from_v4(0x0a000001) : ip;
}

struct vnrs_addr appliance_next_hop6(const struct vnrs_machine *machine, const struct vnrs_announce *announce)
{
    return announce->next_hop.family == VNRS_AF_IPV6 ? announce->next_hop : first_ip(machine, VNRS_AF_IPV6);
}

struct vnrs_addr appliance_next_hop(const struct vnrs_machine *machine, const struct vnrs_announce *announce)
{
    return announce->next_hop.family == announce->prefix.family ? announce->next_hop
                                                                : first_ip(machine, announce->prefix.family);
}

bool appliance_has_family(const struct vnrs_run *run, uint8_t family)
{
    list_foreach (a, &run->announce) {
        if (a->prefix.family == family)
            return true;
    }
    return false;
}

// ---- sites

static const struct vnrs_site *site_of(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    list_foreach (site, &model->sites) {
        if (site->machine == machine)
            return site;
    }
    return NULL;
}

static int add_tunnels(struct site_router *router, const struct vnrs_connection *c, struct vnrs_arena *arena)
{
    for (unsigned i = 0; i < c->gateway->n_instances; i++) {
        char tunnel[VNRS_IFNAME_MAX];
        (void)vnrs_tunnel_link(router->model->name, c, i, tunnel);
        struct site_session session = {.name = c->name,
                                       .local = router->ip,
                                       .remote = vnrs_tunnel_gateway_ip(c, i),
                                       .remote_asn = c->gateway->asn,
                                       .timers = c->gateway->timers,
                                       .tunnel = vnrs_arena_strndup(arena, tunnel, strlen(tunnel))};
        if (!session.tunnel || vec_push(&router->sessions, session) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_circuits(struct site_router *router, const struct vnrs_connection *c)
{
    for (unsigned i = 0; i < ARRAY_SIZE(c->links); i++) {
        struct site_session session = {.name = c->name,
                                       .local = c->links[i].customer_ip,
                                       .remote = c->links[i].msee_ip,
                                       .remote_asn = VNRS_MSEE_ASN,
                                       .timers = c->gateway->timers,
                                       .password = c->password,
                                       .bfd = c->bfd.on ? &c->bfd : NULL};
        if (vec_push(&router->sessions, session) < 0)
            return -ENOMEM;
    }
    return 0;
}

// The site's prefixes and what else it announces, each prefix once.
static int merge_announce(struct site_router *router, struct vnrs_arena *arena)
{
    const struct vnrs_run *run = &router->site->machine->run;
    size_t n = router->site->prefixes.len + run->announce.len;
    struct vnrs_announce *all = vnrs_arena_alloc(arena, MAX(n, 1u) * sizeof(*all));

    if (!all)
        return -ENOMEM;
    router->machine.run.asn = router->site->asn;
    router->machine.run.announce.items = all;
    router->machine.run.announce.len = 0;
    list_foreach (a, &run->announce)
        all[router->machine.run.announce.len++] = *a;
    list_foreach (prefix, &router->site->prefixes) {
        bool listed = false;
        list_foreach (a, &run->announce)
            listed |= vnrs_prefix_equal(&a->prefix, prefix);
        if (!listed)
            all[router->machine.run.announce.len++] = (struct vnrs_announce){.prefix = *prefix};
    }
    return 0;
}

static char *site_config(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    struct site_router router = {.model = model, .site = site_of(model, machine), .machine = *machine};
    struct vnrs_arena *arena = vnrs_arena_new();
    struct vnrs_strbuf out = {.failed = !arena || !router.site};

    if (!out.failed) {
        router.ip = router.site->bgp_ip;
        out.failed = merge_announce(&router, arena) < 0;
    }
    list_foreach (c, &model->connections) {
        if (out.failed || c->site != router.site)
            continue;
        if (c->type == VNRS_CONNECTION_EXPRESSROUTE)
            out.failed = add_circuits(&router, c) < 0;
        else if (c->enable_bgp)
            out.failed = add_tunnels(&router, c, arena) < 0;
    }
    if (!out.failed && machine->run.kind == VNRS_RUN_FRR)
        appliance_site_frr(&out, &router);
    else if (!out.failed)
        appliance_site_bird(&out, &router);
    vec_free(&router.sessions);
    vnrs_arena_free(arena);
    char *text = vnrs_strbuf_take(&out);
    vnrs_strbuf_fini(&out);
    return text;
}

char *vnrs_appliance_config(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    static const appliance_fn kinds[_VNRS_RUN_MAX] = {
        [VNRS_RUN_FRR] = appliance_frr,           [VNRS_RUN_BIRD] = appliance_bird,
        [VNRS_RUN_GOBGP] = appliance_gobgp,       [VNRS_RUN_EXABGP] = appliance_exabgp,
        [VNRS_RUN_OPENBGPD] = appliance_openbgpd,
    };

    if (machine->run.config)
        return strdup(machine->run.config);
    if (machine->role == VNRS_MACHINE_SITE)
        return site_config(model, machine);

    struct vnrs_strbuf out = {0};
    struct appliance_sessions sessions = {0};
    if (find_sessions(model, machine, &sessions) < 0)
        out.failed = true;
    else
        kinds[machine->run.kind](&out, model, machine, &sessions);
    vec_free(&sessions.list);
    char *text = vnrs_strbuf_take(&out);
    vnrs_strbuf_fini(&out);
    return text;
}

char *vnrs_appliance_commands(const struct vnrs_machine *machine)
{
    struct vnrs_strbuf out = {0};

    if (machine->run.kind == VNRS_RUN_GOBGP && !machine->run.config)
        appliance_gobgp_commands(&out, machine);
    char *text = out.len ? vnrs_strbuf_take(&out) : strdup("");
    vnrs_strbuf_fini(&out);
    return text;
}
