// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/room.h"

#include "routing/resolve.h"
#include "util/arena.h"
#include "vnrs/bpf_abi.h"

#include <errno.h>
#include <stdio.h>

struct vnrs_room vnrs_room_of(enum vnrs_dataplane dataplane)
{
    const struct vnrs_room maps = {
        .routes = VNRS_ROUTES_MAX,
        .groups = VNRS_GROUPS_MAX - 1 - VNRS_GROUPS_TWINS, // slot 0 is none
        .acls = VNRS_ACLS_MAX,
    };

    return dataplane == VNRS_DATAPLANE_EBPF ? maps : (struct vnrs_room){0};
}

int vnrs_room_judge(size_t room, size_t n, const char *what, char error[static 256])
{
    if (!room || n <= room)
        return 0;
    (void)snprintf(error, 256, "the eBPF data plane has room for %zu %s, and this lab needs %zu", room, what, n);
    return -ENOSPC;
}

static size_t count_acls(const struct vnrs_model *model)
{
    size_t n = 0;

    list_foreach (service, &model->services)
        n += service->hosts.len * service->allowed.len;
    list_foreach (peering, &model->peerings)
        n += peering->other && peering->lets_forwarded;
    return n;
}

// What tables may have at most: all rows, and hosts and frontends, which have routes of their own.
static size_t count_rows(const struct vnrs_model *model, const struct vnrs_routing *routing)
{
    size_t n = 0, each = model->balancers.len + 1;

    list_foreach (service, &model->services)
        each += service->hosts.len;
    list_foreach (domain, &routing->domains)
        n += domain->routes.len + each;
    list_foreach (vnet, &model->vnets)
        n += 3 * (vnet->address_space.len + 2); // the prober's, the edge's, that of service hosts
    return n + 2 * (each + 2);
}

static void count_table(const struct vnrs_fwd_table *table, size_t n[2])
{
    list_foreach (route, &table->routes)
        n[route->prefix.family == VNRS_AF_IPV6]++;
}

static int count_routes(const struct vnrs_model *model, const struct vnrs_routing *routing,
                        const struct vnrs_reach *reach, struct vnrs_arena *arena, size_t n[2])
{
    static const enum vnrs_fwd_platform platforms[] = {VNRS_FWD_PLATFORM_EDGE, VNRS_FWD_PLATFORM_SERVICE};
    struct vnrs_fwd_table table = {0};
    int r = 0;

    list_foreach (domain, &routing->domains) {
        if (r == 0 && (r = vnrs_fwd_resolve(model, reach, domain, arena, &table)) == 0)
            count_table(&table, n);
    }
    for (size_t i = 0; i < ARRAY_SIZE(platforms) && r == 0; i++) {
        if ((r = vnrs_fwd_platform(model, arena, platforms[i], &table)) == 0)
            count_table(&table, n);
    }
    list_foreach (vnet, &model->vnets) {
        if (r == 0 && vnrs_vnet_is_probed(model, vnet) && (r = vnrs_fwd_prober(vnet, arena, &table)) == 0)
            count_table(&table, n);
    }
    return r;
}

int vnrs_room_check(const struct vnrs_room *room, const struct vnrs_model *model, const struct vnrs_routing *routing,
                    const struct vnrs_reach *reach, char error[static 256])
{
    size_t n[2] = {0};
    int r =
        vnrs_room_judge(room->acls, count_acls(model), "entries of access lists (subnets that services let in)", error);

    if (r < 0 || !room->routes || count_rows(model, routing) <= room->routes)
        return r;
    struct vnrs_arena *arena = vnrs_arena_new();
    r = arena ? count_routes(model, routing, reach, arena, n) : -ENOMEM;
    vnrs_arena_free(arena);
    if (r == 0)
        r = vnrs_room_judge(room->routes, n[0], "IPv4 routes", error);
    return r < 0 ? r : vnrs_room_judge(room->routes, n[1], "IPv6 routes", error);
}
