// SPDX-License-Identifier: GPL-2.0-or-later
// What learned routes meet in a domain, made once for each model: ranges, service endpoints, user routes.
#include "routing/effective.h"

#include "routing/effective_rows.h"

#include <errno.h>
#include <string.h>

bool vnrs_eff_peering_counts(const struct vnrs_domain *domain, const struct vnrs_peering *peering)
{
    return peering->vnet == domain->vnet && vnrs_peering_is_usable(peering) &&
           !(domain->table && domain->table->disable_peering);
}

static int local_collect(struct vnrs_domain *domain, const struct vnrs_model *model, struct vnrs_arena *arena,
                         struct vnrs_cover *local)
{
    size_t n = domain->vnet->address_space.len;

    list_foreach (peering, &model->peerings)
        n += vnrs_eff_peering_counts(domain, peering) ? peering->remote_space.len : 0;
    if (vnrs_cover_alloc(arena, local, n) < 0)
        return -ENOMEM;
    list_foreach (range, &domain->vnet->address_space)
        vnrs_cover_put(local, range, domain->vnet);
    list_foreach (peering, &model->peerings) {
        if (!vnrs_eff_peering_counts(domain, peering))
            continue;
        list_foreach (range, &peering->remote_space)
            vnrs_cover_put(local, range, peering->remote);
    }
    vnrs_cover_build(local);
    return 0;
}

static int endpoints_collect(struct vnrs_domain *domain, struct vnrs_arena *arena, struct vnrs_cover *endpoints)
{
    size_t n = 0;

    list_foreach (service, &vnrs_eff_subnet_of(domain)->service_endpoints)
        n += (*service)->prefixes.len;
    if (vnrs_cover_alloc(arena, endpoints, n) < 0)
        return -ENOMEM;
    list_foreach (service, &vnrs_eff_subnet_of(domain)->service_endpoints) {
        list_foreach (prefix, &(*service)->prefixes)
            vnrs_cover_put(endpoints, prefix, *service);
    }
    vnrs_cover_build(endpoints);
    return 0;
}

uint32_t vnrs_eff_tag_rank(const struct vnrs_service_tag *tag)
{
    static const char cloud[] = "AzureCloud";

    if (!tag)
        return 0;
    if (strcmp(tag->name, cloud) == 0)
        return 4;
    if (strncmp(tag->name, cloud, sizeof(cloud) - 1) == 0 && tag->name[sizeof(cloud) - 1] == '.')
        return 3;
    return strchr(tag->name, '.') ? 1 : 2;
}

static size_t users_count(const struct vnrs_domain *domain)
{
    size_t n = 0;

    if (domain->table)
        list_foreach (udr, &domain->table->routes)
            n += udr->tag ? udr->tag->prefixes.len : 1;
    return n;
}

static size_t user_add(struct vnrs_user_route *users, size_t n, const struct vnrs_udr *udr)
{
    if (!udr->tag) {
        users[n] = (struct vnrs_user_route){udr, &udr->prefix};
        return 1;
    }
    list_foreach (prefix, &udr->tag->prefixes)
        users[n++] = (struct vnrs_user_route){udr, prefix};
    return udr->tag->prefixes.len;
}

static int udrs_collect(struct vnrs_domain *domain, struct vnrs_arena *arena, struct vnrs_domain_rules *rules)
{
    size_t cap = users_count(domain), n = 0;
    struct vnrs_user_route *users = vnrs_arena_alloc(arena, cap * sizeof(*users));

    if (!users || vnrs_cover_alloc(arena, &rules->udrs, cap) < 0)
        return -ENOMEM;
    if (domain->table)
        list_foreach (udr, &domain->table->routes)
            n += user_add(users, n, udr);
    for (size_t i = 0; i < n; i++) {
        vnrs_cover_put(&rules->udrs, users[i].prefix, &users[i]);
        rules->udrs.entries[i].order += vnrs_eff_tag_rank(users[i].udr->tag) * (uint32_t)n;
    }
    vnrs_cover_build(&rules->udrs);
    rules->users = users;
    rules->n_users = n;
    return 0;
}

int vnrs_effective_rules(struct vnrs_domain *domain, const struct vnrs_model *model, struct vnrs_arena *arena)
{
    struct vnrs_domain_rules *rules = vnrs_arena_alloc(arena, sizeof(*rules));

    if (!rules || local_collect(domain, model, arena, &rules->local) < 0 ||
        endpoints_collect(domain, arena, &rules->endpoints) < 0 || udrs_collect(domain, arena, rules) < 0)
        return -ENOMEM;
    domain->rules = rules;
    return 0;
}

enum vnrs_learned_fate vnrs_domain_fate(const struct vnrs_domain *domain, const struct vnrs_prefix *prefix)
{
    const struct vnrs_domain_rules *rules = domain->rules;

    if (vnrs_cover_match(&rules->local, prefix))
        return VNRS_LEARNED_SUPPRESSED;
    // A service endpoint is asked before everything else (azure-routing.md 2.1 item 4, 7).
    const struct vnrs_cover_entry *endpoint = vnrs_cover_match(&rules->endpoints, prefix);
    if (endpoint && vnrs_prefix_equal(endpoint->prefix, prefix))
        return VNRS_LEARNED_ENDPOINT;
    if (vnrs_cover_find(&rules->udrs, prefix))
        return VNRS_LEARNED_OVERRIDDEN;
    return endpoint ? VNRS_LEARNED_SHADOWED : VNRS_LEARNED_USED;
}
