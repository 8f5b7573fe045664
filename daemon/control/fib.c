// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fib.h"

#include "net/addr.h"
#include "util/hash.h"
#include "util/vec.h"
#include "vnrs/agent_proto.h"

// A group. `members` is the content and the key.
struct vnrs_fib_group_ref {
    uint32_t handle;
    uint32_t n;
    uint32_t wanted;                     // routes that shall use it
    uint32_t used;                       // routes that were sent with it
    uint32_t leaving;                    // of `used`, routes that move or go
    bool sent;                           // the sinks know it with this content
    struct vnrs_fib_group_ref *moves_to; // where the leaving ones go, if it is one group for all
    bool splits;                         // they go to several
    struct vnrs_fib_member members[VNRS_GROUP_MEMBERS_MAX];
};

struct route_key {
    uint32_t domain;
    struct vnrs_prefix prefix;
    uint8_t pad[2];
};

struct route {
    struct route_key key;
    struct vnrs_fib_group_ref *sent, *want; // NULL: not there
    uint8_t sent_type, want_type;
    uint32_t epoch;
};

// NIC, endpoint or access list entry: a struct that begins with its key, and one that says "remove".
struct item {
    uint32_t epoch;
    bool sent;  // the sinks have `bytes`
    bool fresh; // `bytes` changed since
    size_t size;
    char bytes[sizeof(struct vnrs_fib_nic)];
    char key[sizeof(struct vnrs_fib_endpoint)];
    size_t key_len;
};

enum item_kind { ITEM_NIC, ITEM_ENDPOINT, ITEM_ACL, _ITEM_MAX };

struct vnrs_fib_state {
    struct vnrs_map routes; // struct route by key
    struct vnrs_map groups; // struct vnrs_fib_group_ref by members
    struct vnrs_map items[_ITEM_MAX];
    uint32_t epoch, item_epoch, next_handle;
    bool items_begun;
    size_t n_sent;
    bool failed;
};

struct vnrs_fib_state *vnrs_fib_state_new(void)
{
    return calloc(1, sizeof(struct vnrs_fib_state));
}

void vnrs_fib_state_free(struct vnrs_fib_state *state)
{
    if (!state)
        return;
    vnrs_map_fini_values(&state->routes);
    vnrs_map_fini_values(&state->groups);
    for (int k = 0; k < _ITEM_MAX; k++)
        vnrs_map_fini_values(&state->items[k]);
    free(state);
}

size_t vnrs_fib_routes(const struct vnrs_fib_state *state)
{
    return state->n_sent;
}

// ---- what is wanted

void vnrs_fib_begin(struct vnrs_fib_state *state, bool items)
{
    const struct vnrs_map_entry *e;

    state->epoch++;
    state->failed = false;
    state->items_begun = items;
    state->item_epoch += items;
    for (size_t at = 0; (e = vnrs_map_next(&state->groups, &at));) {
        struct vnrs_fib_group_ref *group = e->value;
        group->wanted = group->leaving = 0;
        group->moves_to = NULL;
        group->splits = false;
    }
}

const struct vnrs_fib_group_ref *vnrs_fib_want_group(struct vnrs_fib_state *state,
                                                     const struct vnrs_fib_member *members, unsigned n)
{
    struct vnrs_fib_group_ref *group = vnrs_map_find(&state->groups, members, n * sizeof(*members));

    if (group)
        return group;
    group = calloc(1, sizeof(*group));
    if (group) {
        group->n = n;
        memcpy(group->members, members, n * sizeof(*members));
        if (vnrs_map_put(&state->groups, group->members, n * sizeof(*members), group) == 0) {
            group->handle = ++state->next_handle;
            return group;
        }
        free(group);
    }
    state->failed = true;
    return NULL;
}

void vnrs_fib_want_route(struct vnrs_fib_state *state, uint32_t domain, const struct vnrs_prefix *prefix,
                         enum vnrs_nexthop_type type, const struct vnrs_fib_group_ref *group)
{
    struct route_key key = {.domain = domain, .prefix = *prefix};
    struct route *route = vnrs_map_find(&state->routes, &key, sizeof(key));

    if (!group) {
        state->failed = true;
        return;
    }
    if (!route) {
        route = calloc(1, sizeof(*route));
        if (route)
            route->key = key;
        if (!route || vnrs_map_put(&state->routes, &route->key, sizeof(route->key), route) < 0) {
            free(route);
            state->failed = true;
            return;
        }
    }
    route->epoch = state->epoch;
    route->want = (struct vnrs_fib_group_ref *)group;
    route->want_type = (uint8_t)type;
    route->want->wanted++;
}

static void want_item(struct vnrs_fib_state *state, enum item_kind kind, const void *key, size_t key_len,
                      const void *bytes, size_t size)
{
    struct item *item = vnrs_map_find(&state->items[kind], key, key_len);

    if (!item) {
        item = calloc(1, sizeof(*item));
        if (item) {
            memcpy(item->key, key, key_len);
            item->key_len = key_len;
        }
        if (!item || vnrs_map_put(&state->items[kind], item->key, key_len, item) < 0) {
            free(item);
            state->failed = true;
            return;
        }
    }
    item->epoch = state->item_epoch;
    if (item->size != size || memcmp(item->bytes, bytes, size) != 0) {
        memcpy(item->bytes, bytes, size);
        item->size = size;
        item->fresh = true;
    }
}

void vnrs_fib_want_nic(struct vnrs_fib_state *state, const struct vnrs_fib_nic *nic)
{
    want_item(state, ITEM_NIC, &nic->ifindex, sizeof(nic->ifindex), nic, sizeof(*nic));
}

void vnrs_fib_want_endpoint(struct vnrs_fib_state *state, const struct vnrs_fib_endpoint *endpoint)
{
    struct vnrs_fib_endpoint key = *endpoint;

    key.ifindex = 0;
    want_item(state, ITEM_ENDPOINT, &key, sizeof(key), endpoint, sizeof(*endpoint));
}

void vnrs_fib_want_acl(struct vnrs_fib_state *state, const struct vnrs_fib_acl *acl)
{
    uint32_t key[2] = {acl->ifindex, acl->subnet};

    want_item(state, ITEM_ACL, key, sizeof(key), acl, sizeof(*acl));
}

// ---- getting there

struct commit {
    struct vnrs_fib_state *state;
    bool sync;
    vnrs_fib_emit emit;
    void *arg;
    int err;
    int emitted;
    VEC(struct vnrs_fib_group) groups;
    VEC(struct vnrs_fib_route) set, removed;
    VEC(struct route *) gone;
};

static void emit(struct commit *c, unsigned kind, const void *items, size_t n)
{
    if (c->err == 0 && (n || kind == VNRS_AG_FIB_BEGIN || kind == VNRS_AG_FIB_END || kind == VNRS_AG_FIB_FLUSH)) {
        c->err = c->emit(c->arg, kind, items, n);
        c->emitted += (int)n;
    }
}

static bool is_wanted(const struct commit *c, const struct route *route)
{
    return route->epoch == c->state->epoch;
}

// Where do the routes of each sent group go?
static void find_moves(struct commit *c)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&c->state->routes, &at));) {
        struct route *route = e->value;
        struct vnrs_fib_group_ref *from = route->sent;
        struct vnrs_fib_group_ref *to = is_wanted(c, route) ? route->want : NULL;
        if (!from || from == to)
            continue;
        from->leaving++;
        if (!to)
            continue;
        from->splits |= from->moves_to && from->moves_to != to;
        from->moves_to = to;
    }
}

// A group that all routes leave for one new group becomes that group: the new content under the old handle.
static void move_groups(struct commit *c)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&c->state->groups, &at));) {
        struct vnrs_fib_group_ref *from = e->value, *to = from->moves_to;
        if (!from->sent || !to || from->splits || from->wanted || from->leaving != from->used || to->sent)
            continue;
        uint32_t handle = from->handle;
        from->handle = to->handle;
        to->handle = handle;
        from->sent = false;
        to->sent = true;
        struct vnrs_fib_group group = {.handle = to->handle, .n = to->n};
        memcpy(group.members, to->members, sizeof(group.members));
        if (vec_push(&c->groups, group) < 0)
            c->err = -ENOMEM;
        // Its routes are where they shall be, without a message of their own.
        from->moves_to = to;
        from->leaving = UINT32_MAX;
    }
}

static bool was_moved(const struct vnrs_fib_group_ref *from, const struct vnrs_fib_group_ref *to)
{
    return from && from->leaving == UINT32_MAX && from->moves_to == to;
}

static void set_route(struct commit *c, struct route *route)
{
    struct vnrs_fib_group_ref *group = route->want;
    bool same = (route->sent == group || was_moved(route->sent, group)) && route->sent_type == route->want_type;

    if (!same || c->sync) {
        struct vnrs_fib_route out = {
            .domain = route->key.domain, .group = group->handle, .prefix = route->key.prefix, .type = route->want_type};
        if (vec_push(&c->set, out) < 0)
            c->err = -ENOMEM;
    }
    route->sent = group;
    route->sent_type = route->want_type;
}

static void collect_routes(struct commit *c)
{
    const struct vnrs_map_entry *e;

    c->state->n_sent = 0;
    for (size_t at = 0; (e = vnrs_map_next(&c->state->routes, &at)) && c->err == 0;) {
        struct route *route = e->value;
        if (is_wanted(c, route)) {
            set_route(c, route);
            c->state->n_sent++;
            continue;
        }
        struct vnrs_fib_route out = {.domain = route->key.domain, .prefix = route->key.prefix};
        if ((route->sent && !c->sync && vec_push(&c->removed, out) < 0) || vec_push(&c->gone, route) < 0)
            c->err = -ENOMEM;
    }
}

// Groups that are wanted and that the sinks do not know yet, or all wanted ones.
static void collect_groups(struct commit *c)
{
    const struct vnrs_map_entry *e;

    if (c->sync)
        vec_clear(&c->groups);
    for (size_t at = 0; (e = vnrs_map_next(&c->state->groups, &at)) && c->err == 0;) {
        struct vnrs_fib_group_ref *group = e->value;
        if (!group->wanted || (group->sent && !c->sync))
            continue;
        struct vnrs_fib_group out = {.handle = group->handle, .n = group->n};
        memcpy(out.members, group->members, sizeof(out.members));
        group->sent = true;
        if (vec_push(&c->groups, out) < 0)
            c->err = -ENOMEM;
    }
}

static int compare_ascending(const void *a, const void *b)
{
    const struct vnrs_fib_route *x = a, *y = b;

    if (x->domain != y->domain)
        return x->domain < y->domain ? -1 : 1;
    return vnrs_prefix_cmp(&x->prefix, &y->prefix);
}

static int compare_descending(const void *a, const void *b)
{
    return compare_ascending(b, a);
}

// What an item is when it is to be removed.
static void make_removal(enum item_kind kind, struct item *item)
{
    if (kind == ITEM_NIC)
        ((struct vnrs_fib_nic *)(void *)item->bytes)->nic.flags = 0;
    else if (kind == ITEM_ENDPOINT)
        ((struct vnrs_fib_endpoint *)(void *)item->bytes)->ifindex = 0;
    else
        ((struct vnrs_fib_acl *)(void *)item->bytes)->allowed = 0;
}

static const struct {
    unsigned fib;
    size_t size;
} item_kinds[_ITEM_MAX] = {
    [ITEM_NIC] = {VNRS_AG_FIB_NICS, sizeof(struct vnrs_fib_nic)},
    [ITEM_ENDPOINT] = {VNRS_AG_FIB_ENDPOINTS, sizeof(struct vnrs_fib_endpoint)},
    [ITEM_ACL] = {VNRS_AG_FIB_ACLS, sizeof(struct vnrs_fib_acl)},
};

// `removing`: those that are not wanted any more, else those that are and that the sinks do not have like that.
static void emit_items(struct commit *c, enum item_kind kind, bool removing)
{
    struct vnrs_map *map = &c->state->items[kind];
    size_t size = item_kinds[kind].size, n = 0;
    char *out = malloc(map->len * size + 1);
    const struct vnrs_map_entry *e;

    if (!out) {
        c->err = -ENOMEM;
        return;
    }
    for (size_t at = 0; (e = vnrs_map_next(map, &at));) {
        struct item *item = e->value;
        bool wanted = item->epoch == c->state->item_epoch;
        if (wanted == removing)
            continue;
        if (removing)
            make_removal(kind, item);
        if (removing ? item->sent && !c->sync : c->sync || item->fresh || !item->sent)
            memcpy(out + n++ * size, item->bytes, size);
        item->sent = true;
        item->fresh = false;
        if (removing) {
            vnrs_map_remove(map, item->key, item->key_len);
            free(item);
        }
    }
    emit(c, item_kinds[kind].fib, out, n);
    free(out);
}

static void forget(struct commit *c)
{
    const struct vnrs_map_entry *e;

    vec_foreach (route, &c->gone) {
        vnrs_map_remove(&c->state->routes, &(*route)->key, sizeof((*route)->key));
        free(*route);
    }
    for (size_t at = 0; (e = vnrs_map_next(&c->state->groups, &at));) {
        struct vnrs_fib_group_ref *group = e->value;
        group->used = group->wanted;
        if (!group->wanted) {
            vnrs_map_remove(&c->state->groups, group->members, group->n * sizeof(*group->members));
            free(group);
        }
    }
}

// Nobody knows what the sinks have: the next commit is a sync, and handles are not used twice.
static void forget_all(struct vnrs_fib_state *state)
{
    vnrs_map_fini_values(&state->routes);
    vnrs_map_fini_values(&state->groups);
    for (int kind = 0; kind < _ITEM_MAX; kind++)
        vnrs_map_fini_values(&state->items[kind]);
    state->n_sent = 0;
}

static void emit_all(struct commit *c)
{
    bool with_items = c->sync || c->state->items_begun;

    if (c->sync)
        emit(c, VNRS_AG_FIB_BEGIN, NULL, 0);
    for (int kind = 0; with_items && kind < _ITEM_MAX; kind++)
        emit_items(c, kind, false);
    if (c->set.len)
        qsort(c->set.items, c->set.len, sizeof(*c->set.items), compare_ascending);
    if (c->removed.len)
        qsort(c->removed.items, c->removed.len, sizeof(*c->removed.items), compare_descending);
    emit(c, VNRS_AG_FIB_GROUPS, c->groups.items, c->groups.len);
    emit(c, VNRS_AG_FIB_ROUTES, c->set.items, c->set.len);
    emit(c, VNRS_AG_FIB_ROUTES, c->removed.items, c->removed.len);
    for (int kind = _ITEM_MAX - 1; with_items && kind >= 0; kind--)
        emit_items(c, kind, true);
    if (c->sync)
        emit(c, VNRS_AG_FIB_END, NULL, 0);
    if (c->sync || c->emitted)
        emit(c, VNRS_AG_FIB_FLUSH, NULL, 0);
}

int vnrs_fib_commit(struct vnrs_fib_state *state, bool sync, vnrs_fib_emit emit_fn, void *arg)
{
    struct commit c = {.state = state, .sync = sync, .emit = emit_fn, .arg = arg};

    if (state->failed)
        return -ENOMEM;
    if (!sync) {
        find_moves(&c);
        move_groups(&c);
    }
    collect_routes(&c);
    collect_groups(&c);
    if (c.err == 0)
        emit_all(&c);
    if (c.err < 0)
        forget_all(state);
    else
        forget(&c);
    vec_free(&c.groups);
    vec_free(&c.set);
    vec_free(&c.removed);
    vec_free(&c.gone);
    return c.err < 0 ? c.err : c.emitted;
}
