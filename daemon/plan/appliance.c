// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance.h"

#include "plan/appliance_kinds.h"

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

char *vnrs_appliance_config(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    static const appliance_fn kinds[_VNRS_RUN_MAX] = {
        [VNRS_RUN_FRR] = appliance_frr,           [VNRS_RUN_BIRD] = appliance_bird,
        [VNRS_RUN_GOBGP] = appliance_gobgp,       [VNRS_RUN_EXABGP] = appliance_exabgp,
        [VNRS_RUN_OPENBGPD] = appliance_openbgpd,
    };

    if (machine->run.config)
        return strdup(machine->run.config);

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
