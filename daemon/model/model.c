// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/model.h"

#include "model/loader.h"
#include "model/schema.h"

#include <errno.h>
#include <string.h>

struct marked { // position of a member of the model; its own address is the key
    const void *field;
    struct vnrs_pos pos;
};

void *vnrs_loader_alloc(struct vnrs_loader *l, size_t size)
{
    void *memory = vnrs_arena_alloc(l->model->arena, size);
    if (!memory)
        l->diags->failed = true;
    return memory;
}

const char *vnrs_loader_strdup(struct vnrs_loader *l, const char *text)
{
    const char *copy = vnrs_arena_strndup(l->model->arena, text, strlen(text));
    if (!copy)
        l->diags->failed = true;
    return copy;
}

void vnrs_loader_mark(struct vnrs_loader *l, const void *field, struct vnrs_pos pos)
{
    struct marked *marked = vnrs_arena_alloc(l->scratch, sizeof(*marked));

    if (marked) {
        *marked = (struct marked){.field = field, .pos = pos};
        if (vnrs_map_put(&l->fields, &marked->field, sizeof(marked->field), marked) == 0)
            return;
    }
    l->diags->failed = true;
}

struct vnrs_pos vnrs_loader_pos(const struct vnrs_loader *l, const void *field, struct vnrs_pos fallback)
{
    const struct marked *marked = vnrs_map_find(&l->fields, &field, sizeof(field));
    return marked ? marked->pos : fallback;
}

struct vnrs_nic *vnrs_loader_find_nic(const struct vnrs_loader *l, const struct vnrs_vnet *vnet,
                                      const struct vnrs_addr *addr)
{
    struct vnrs_nic_key key = {.vnet = vnet, .addr = *addr};
    return vnrs_map_find(&l->nics, &key, sizeof(key));
}

int vnrs_loader_put_nic(struct vnrs_loader *l, const struct vnrs_vnet *vnet, const struct vnrs_addr *addr,
                        struct vnrs_nic *nic)
{
    struct vnrs_nic_key *key = vnrs_arena_alloc(l->scratch, sizeof(*key));

    if (!key)
        return -ENOMEM;
    *key = (struct vnrs_nic_key){.vnet = vnet, .addr = *addr};
    return vnrs_map_put(&l->nics, key, sizeof(*key), nic);
}

// A counted set reports the same mistake once per machine: one is enough.
static void drop_repeated(struct vnrs_diags *diags)
{
    size_t n = 0;

    for (size_t i = 0; i < diags->list.len; i++) {
        const struct vnrs_diag *d = &diags->list.items[i], *last = n ? &diags->list.items[n - 1] : NULL;
        if (last && last->id == d->id && memcmp(&last->pos, &d->pos, sizeof(d->pos)) == 0 &&
            memcmp(&last->note_pos, &d->note_pos, sizeof(d->note_pos)) == 0) {
            diags->errors -= d->severity == VNRS_DIAG_ERROR;
            continue;
        }
        diags->list.items[n++] = *d;
    }
    diags->list.len = n;
}

static void load(struct vnrs_loader *l, const char *source, size_t len)
{
    struct vnrs_node *root = vnrs_node_load(source, len, l->scratch, l->diags);

    if (!root)
        return;
    vnrs_schema_check(root, &vnrs_schema_root, l->diags);
    if (root->bad)
        return;
    vnrs_model_parse(l, root);
    vnrs_model_resolve(l);
    // Validation follows pointers that are all there unless memory ran out.
    if (!l->diags->failed)
        vnrs_model_validate(l);
}

static void loader_fini(struct vnrs_loader *l)
{
    vnrs_map_fini(&l->fields);
    vnrs_map_fini(&l->hosts);
    vnrs_map_fini(&l->nics);
    for (size_t i = 0; i < ARRAY_SIZE(l->names); i++)
        vnrs_map_fini(&l->names[i]);
    vec_free(&l->refs);
    vec_free(&l->nic_refs);
    vec_free(&l->targets);
    vnrs_arena_free(l->scratch);
}

static struct vnrs_model *model_new(const char *file)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    struct vnrs_model *model = arena ? vnrs_arena_alloc(arena, sizeof(*model)) : NULL;

    if (model && (model->file = vnrs_arena_strndup(arena, file, strlen(file)))) {
        model->arena = arena;
        return model;
    }
    vnrs_arena_free(arena);
    return NULL;
}

struct vnrs_model *vnrs_model_load(const char *file, const char *source, size_t len,
                                   int (*load_file)(const char *path, char **ret_text), struct vnrs_diags *diags)
{
    static const char *const secret_keys[] = {"password", "sharedKey", NULL};
    struct vnrs_loader l = {
        .model = model_new(file), .scratch = vnrs_arena_new(), .diags = diags, .load_file = load_file};

    diags->secret_keys = secret_keys;
    if (l.model && l.scratch)
        load(&l, source, len);
    else
        diags->failed = true;
    loader_fini(&l);
    vnrs_diags_sort(diags);
    drop_repeated(diags);
    if (vnrs_diags_has_error(diags)) {
        vnrs_model_free(l.model);
        return NULL;
    }
    return l.model;
}

void vnrs_model_free(struct vnrs_model *model)
{
    if (model)
        vnrs_arena_free(model->arena);
}

bool vnrs_prefix_list_has(const vnrs_prefix_list *list, const struct vnrs_addr *addr)
{
    list_foreach (prefix, list)
        if (vnrs_prefix_contains_addr(prefix, addr))
            return true;
    return false;
}

struct vnrs_vnet *vnrs_model_find_vnet(const struct vnrs_model *model, const char *name)
{
    list_foreach (vnet, &model->vnets)
        if (strcmp(vnet->name, name) == 0)
            return vnet;
    return NULL;
}

const struct vnrs_balancer *vnrs_model_find_balancer(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                                                     const struct vnrs_addr *addr)
{
    list_foreach (lb, &model->balancers)
        if (lb->subnet && lb->subnet->vnet == vnet && vnrs_addr_equal(&lb->frontend, addr))
            return lb;
    return NULL;
}

bool vnrs_vnet_is_probed(const struct vnrs_model *model, const struct vnrs_vnet *vnet)
{
    list_foreach (lb, &model->balancers)
        if (lb->subnet->vnet == vnet)
            return true;
    return false;
}

struct vnrs_machine *vnrs_model_find_machine(const struct vnrs_model *model, const char *name)
{
    list_foreach (machine, &model->machines)
        if (strcmp(machine->name, name) == 0)
            return machine;
    return NULL;
}

struct vnrs_nic *vnrs_model_find_nic(const struct vnrs_model *model, const char *name)
{
    for (size_t i = 0; i < model->nics.len; i++)
        if (strcmp(model->nics.items[i]->name, name) == 0)
            return model->nics.items[i];
    const struct vnrs_machine *machine = vnrs_model_find_machine(model, name);
    return machine && machine->nics.len ? machine->nics.items : NULL;
}

const char *vnrs_peering_state_name(enum vnrs_peering_state state)
{
    static const char *const names[] = {[VNRS_PEERING_INITIATED] = "Initiated",
                                        [VNRS_PEERING_CONNECTED] = "Connected",
                                        [VNRS_PEERING_DISCONNECTED] = "Disconnected"};
    return names[state];
}

static bool has_prefix(const vnrs_prefix_list *list, const struct vnrs_prefix *prefix)
{
    list_foreach (have, list)
        if (vnrs_prefix_equal(have, prefix))
            return true;
    return false;
}

// What is in force on this side is what the other network has.
static bool is_in_sync(const struct vnrs_peering *peering)
{
    const vnrs_prefix_list *have = &peering->remote_space, *want = &peering->remote->address_space;

    list_foreach (prefix, want)
        if (!has_prefix(have, prefix))
            return false;
    list_foreach (prefix, have)
        if (!has_prefix(want, prefix))
            return false;
    return true;
}

const char *vnrs_peering_sync_level(const struct vnrs_peering *peering)
{
    static const char *const names[2][2] = {{"FullyInSync", "RemoteNotInSync"},
                                            {"LocalNotInSync", "LocalAndRemoteNotInSync"}};
    return names[!is_in_sync(peering)][peering->other && !is_in_sync(peering->other)];
}

const struct vnrs_peering *vnrs_model_find_peering(const struct vnrs_model *model, const struct vnrs_vnet *vnet,
                                                   const struct vnrs_vnet *remote)
{
    list_foreach (p, &model->peerings)
        if (p->vnet == vnet && p->remote == remote && p->other)
            return p;
    return NULL;
}

bool vnrs_route_server_is_beside(const struct vnrs_route_server *rs, const struct vnrs_addr *addr)
{
    if (!rs->vnet)
        return false;
    list_foreach (subnet, &rs->vnet->subnets)
        list_foreach (prefix, &subnet->prefixes)
            if (vnrs_prefix_contains_addr(prefix, &rs->ips[0]) && vnrs_prefix_contains_addr(prefix, addr))
                return true;
    return false;
}

const struct vnrs_gateway *vnrs_model_gateway_of(const struct vnrs_model *model, const struct vnrs_vnet *hub,
                                                 enum vnrs_gateway_type type)
{
    list_foreach (gateway, &model->gateways)
        if (gateway->vnet == hub && gateway->type == type)
            return gateway;
    return NULL;
}

bool vnrs_model_is_hub(const struct vnrs_model *model, const struct vnrs_vnet *vnet)
{
    list_foreach (rs, &model->route_servers)
        if (rs->vnet == vnet)
            return true;
    list_foreach (gateway, &model->gateways)
        if (gateway->vnet == vnet)
            return true;
    return false;
}

const struct vnrs_vnet *vnrs_model_hub_of(const struct vnrs_model *model, const struct vnrs_vnet *vnet)
{
    const struct vnrs_vnet *owner = vnet;

    list_foreach (p, &model->peerings)
        if (p->vnet == vnet && p->use_remote_gateways && p->other && p->other->allow_gateway_transit)
            owner = p->remote;
    return vnrs_model_is_hub(model, owner) ? owner : NULL;
}

size_t vnrs_model_served_machines(const struct vnrs_model *model, const struct vnrs_route_server *rs)
{
    const struct vnrs_vnet *last = NULL; // machines of one network often follow each other
    bool is_served = false;
    size_t n = 0;

    list_foreach (machine, &model->machines) {
        if (machine->role != VNRS_MACHINE_USER || !machine->nics.len || !machine->nics.items[0].subnet)
            continue;
        const struct vnrs_vnet *vnet = machine->nics.items[0].subnet->vnet;
        if (vnet != last)
            is_served = vnrs_model_route_server_of(model, vnet) == rs;
        last = vnet;
        n += is_served;
    }
    return n;
}

const struct vnrs_route_server *vnrs_model_route_server_of(const struct vnrs_model *model, const struct vnrs_vnet *vnet)
{
    const struct vnrs_vnet *hub = vnrs_model_hub_of(model, vnet);

    list_foreach (rs, &model->route_servers)
        if (rs->vnet == hub)
            return rs;
    return NULL;
}
