// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fib.h"

#include "control/fib_groups.h"
#include "control/fib_items.h"
#include "control/fib_room.h"
#include "util/hash.h"
#include "util/vec.h"
#include "vnrs/agent_proto.h"

#define TYPE_BITS 4 // of a slot: next hop type, above it the number of the group
#define SYNC_PART 4096u

static_assert(_VNRS_NH_MAX <= 1 << TYPE_BITS, "a type fits");
static_assert(TYPE_BITS + VNRS_FIB_GROUP_BITS == 32, "and a group beside it");

struct domain {
    uint32_t id;
    bool apart;
    struct vnrs_slots sent, want; // `want` of a new whole only
};

struct change {
    uint32_t domain, prefix, from, to; // slots; 0: not there
};

struct vnrs_fib_state {
    struct vnrs_prefixes *prefixes;
    struct vnrs_map domains; // by id
    struct domain *last_domain;
    struct vnrs_fib_groups groups;
    VEC(struct change) changes;
    struct vnrs_fib_items items;
    struct vnrs_room room;
    char problem[256];
    bool whole, whole_items;
    bool failed;
};

struct vnrs_fib_state *vnrs_fib_state_new(struct vnrs_prefixes *prefixes)
{
    struct vnrs_fib_state *state = calloc(1, sizeof(*state));

    if (!state)
        return NULL;
    state->prefixes = prefixes;
    if (vnrs_fib_groups_init(&state->groups) < 0) {
        free(state);
        return NULL;
    }
    return state;
}

static void drop_slots(struct vnrs_fib_state *state, struct vnrs_slots *slots)
{
    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_slots_next(slots, id));)
        vnrs_prefixes_drop(state->prefixes, id);
    vnrs_slots_fini(slots);
}

// References that changes took over: of routes that go.
static void drop_changes(struct vnrs_fib_state *state)
{
    vec_foreach (change, &state->changes)
        if (!change->to)
            vnrs_prefixes_drop(state->prefixes, change->prefix);
    vec_free(&state->changes);
}

// Nobody knows what the sinks have: the next commit is a sync. Handles are not used twice.
static void forget_all(struct vnrs_fib_state *state)
{
    const struct vnrs_map_entry *e;

    drop_changes(state);
    for (size_t at = 0; (e = vnrs_map_next(&state->domains, &at));) {
        struct domain *domain = e->value;
        drop_slots(state, &domain->sent);
        drop_slots(state, &domain->want);
    }
    vnrs_map_fini_values(&state->domains);
    state->last_domain = NULL;
    vnrs_fib_groups_clear(&state->groups);
    vnrs_fib_items_fini(&state->items);
    state->whole = false;
}

void vnrs_fib_state_free(struct vnrs_fib_state *state)
{
    if (!state)
        return;
    forget_all(state);
    vnrs_fib_groups_fini(&state->groups);
    free(state);
}

void vnrs_fib_room_set(struct vnrs_fib_state *state, const struct vnrs_room *room)
{
    state->room = *room;
}

const char *vnrs_fib_problem(const struct vnrs_fib_state *state)
{
    return state->problem;
}

size_t vnrs_fib_routes(const struct vnrs_fib_state *state)
{
    const struct vnrs_map_entry *e;
    size_t n = 0;

    for (size_t at = 0; (e = vnrs_map_next(&state->domains, &at));)
        n += ((const struct domain *)e->value)->sent.len;
    return n;
}

// ---- groups

struct vnrs_fib_group_ref *vnrs_fib_want_group(struct vnrs_fib_state *state, uint32_t origin,
                                               const struct vnrs_fib_member *members, unsigned n)
{
    struct vnrs_fib_group_ref *group = vnrs_fib_groups_get(&state->groups, origin, members, n);

    state->failed |= !group;
    return group;
}

static struct vnrs_fib_group_ref *group_in(const struct vnrs_fib_state *state, uint32_t slot)
{
    return slot ? state->groups.list.items[slot >> TYPE_BITS] : NULL;
}

const struct vnrs_fib_member *vnrs_fib_find(const struct vnrs_fib_state *state, uint32_t domain, uint32_t prefix,
                                            enum vnrs_nexthop_type *ret_type, unsigned *ret_n)
{
    const struct domain *d = vnrs_map_find(&state->domains, &domain, sizeof(domain));
    uint32_t slot = d ? vnrs_slots_find(&d->sent, prefix) : 0;
    const struct vnrs_fib_group_ref *group = group_in(state, slot);

    if (!group)
        return NULL;
    *ret_type = (enum vnrs_nexthop_type)(slot & ((1u << TYPE_BITS) - 1));
    *ret_n = group->n;
    return group->members;
}

// ---- what is wanted

void vnrs_fib_begin(struct vnrs_fib_state *state, bool items)
{
    const struct vnrs_map_entry *e;

    drop_changes(state); // there are none, unless a commit was left out
    for (size_t at = 0; (e = vnrs_map_next(&state->domains, &at));)
        drop_slots(state, &((struct domain *)e->value)->want);
    state->whole = true;
    state->whole_items = items;
    state->items.epoch += items;
    state->failed = false;
}

static struct domain *get_domain(struct vnrs_fib_state *state, uint32_t id)
{
    if (state->last_domain && state->last_domain->id == id)
        return state->last_domain;
    struct domain *domain = vnrs_map_find(&state->domains, &id, sizeof(id));
    if (!domain) {
        domain = calloc(1, sizeof(*domain));
        if (domain)
            domain->id = id;
        if (!domain || vnrs_map_put(&state->domains, &domain->id, sizeof(domain->id), domain) < 0) {
            free(domain);
            state->failed = true;
            return NULL;
        }
    }
    state->last_domain = domain;
    return domain;
}

// From one slot to another; it counts as sent.
static int change(struct vnrs_fib_state *state, struct domain *domain, uint32_t prefix, uint32_t to)
{
    uint32_t from = vnrs_slots_find(&domain->sent, prefix);

    if (from == to)
        return 0;
    int r = vec_push(&state->changes, (struct change){domain->id, prefix, from, to});
    if (r == 0)
        r = vnrs_slots_put(&domain->sent, prefix, to);
    if (r < 0)
        return r;
    if (!from)
        vnrs_prefixes_hold(state->prefixes, prefix);
    struct vnrs_fib_group_ref *left = group_in(state, from), *got = group_in(state, to);
    if (got)
        got->used++;
    if (!left || left == got) {
        if (left)
            left->used--;
        return 0;
    }
    left->used--;
    if (got) {
        left->splits |= left->moves_to && left->moves_to != got;
        left->moves_to = got;
    }
    return 0;
}

static int want(struct vnrs_fib_state *state, struct domain *domain, uint32_t prefix, uint32_t slot)
{
    if (!state->whole)
        return change(state, domain, prefix, slot);
    if (!vnrs_slots_find(&domain->want, prefix))
        vnrs_prefixes_hold(state->prefixes, prefix);
    return vnrs_slots_put(&domain->want, prefix, slot);
}

void vnrs_fib_want_number(struct vnrs_fib_state *state, uint32_t domain, uint32_t prefix, enum vnrs_nexthop_type type,
                          struct vnrs_fib_group_ref *group)
{
    struct domain *d = group ? get_domain(state, domain) : NULL;

    if (!d || want(state, d, prefix, group->number << TYPE_BITS | (uint32_t)type) < 0)
        state->failed = true;
}

void vnrs_fib_drop_number(struct vnrs_fib_state *state, uint32_t domain, uint32_t prefix)
{
    struct domain *d = get_domain(state, domain);

    if (!d || change(state, d, prefix, 0) < 0)
        state->failed = true;
}

void vnrs_fib_want_route(struct vnrs_fib_state *state, uint32_t domain, const struct vnrs_prefix *prefix,
                         enum vnrs_nexthop_type type, struct vnrs_fib_group_ref *group)
{
    uint32_t number;

    if (vnrs_prefixes_get(state->prefixes, prefix, &number) < 0) {
        state->failed = true;
        return;
    }
    vnrs_fib_want_number(state, domain, number, type, group);
    vnrs_prefixes_drop(state->prefixes, number);
}

void vnrs_fib_domain_apart(struct vnrs_fib_state *state, uint32_t domain)
{
    struct domain *d = get_domain(state, domain);

    if (d)
        d->apart = true;
}

static void want_item(struct vnrs_fib_state *state, enum vnrs_fib_item kind, const void *item)
{
    if (vnrs_fib_items_want(&state->items, kind, item) < 0)
        state->failed = true;
}

void vnrs_fib_want_nic(struct vnrs_fib_state *state, const struct vnrs_fib_nic *nic)
{
    want_item(state, VNRS_FIB_NIC, nic);
}

const struct vnrs_fib_nic *vnrs_fib_find_nic(const struct vnrs_fib_state *state, uint32_t ifindex)
{
    return state ? vnrs_fib_items_find(&state->items, VNRS_FIB_NIC, &ifindex) : NULL;
}

void vnrs_fib_want_endpoint(struct vnrs_fib_state *state, const struct vnrs_fib_endpoint *endpoint)
{
    want_item(state, VNRS_FIB_ENDPOINT, endpoint);
}

void vnrs_fib_want_acl(struct vnrs_fib_state *state, const struct vnrs_fib_acl *acl)
{
    want_item(state, VNRS_FIB_ACL, acl);
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
    VEC(struct vnrs_fib_route) routes;
};

static void emit(struct commit *c, unsigned kind, const void *items, size_t n)
{
    if (c->err == 0 && (n || kind == VNRS_AG_FIB_BEGIN || kind == VNRS_AG_FIB_END || kind == VNRS_AG_FIB_FLUSH)) {
        c->err = c->emit(c->arg, kind, items, n);
        c->emitted += (int)n;
    }
}

// A domain of the new whole: what differs becomes changes.
static int compare_domain(struct vnrs_fib_state *state, struct domain *domain)
{
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(&domain->want, id));)
        r = change(state, domain, id, vnrs_slots_find(&domain->want, id));
    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(&domain->sent, id));)
        if (!vnrs_slots_find(&domain->want, id))
            r = change(state, domain, id, 0);
    drop_slots(state, &domain->want);
    return r;
}

static void compare(struct commit *c)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; c->state->whole && c->err == 0 && (e = vnrs_map_next(&c->state->domains, &at));)
        c->err = compare_domain(c->state, e->value);
    c->state->whole = false;
}

// ---- whether it fits

static size_t count_routes(const struct vnrs_fib_state *state, uint8_t family)
{
    const struct vnrs_map_entry *e;
    size_t n = 0;

    for (size_t at = 0; (e = vnrs_map_next(&state->domains, &at));) {
        const struct domain *domain = e->value;
        for (uint32_t id = VNRS_PREFIX_NONE; !domain->apart && (id = vnrs_slots_next(&domain->sent, id));)
            n += vnrs_prefixes_prefix(state->prefixes, id).family == family;
    }
    return n;
}

// Whatever may be too much is counted.
static int check_room(struct vnrs_fib_state *state)
{
    const struct vnrs_room *room = &state->room;
    bool many = room->routes && vnrs_fib_routes(state) > room->routes;
    size_t v4 = many ? count_routes(state, VNRS_AF_IPV4) : 0, v6 = many ? count_routes(state, VNRS_AF_IPV6) : 0;
    size_t groups = 0, acls = state->items.of[VNRS_FIB_ACL].len;
    int r = room->groups && state->groups.list.len > room->groups ? vnrs_fib_groups_count(&state->groups, &groups) : 0;

    if (acls > room->acls)
        acls = vnrs_fib_items_wanted(&state->items, VNRS_FIB_ACL);
    if (r == 0)
        r = vnrs_room_judge(room->routes, v4, "IPv4 routes", state->problem);
    if (r == 0)
        r = vnrs_room_judge(room->routes, v6, "IPv6 routes", state->problem);
    if (r == 0)
        r = vnrs_room_judge(room->groups, groups, "groups of next hops", state->problem);
    return r < 0 ? r : vnrs_room_judge(room->acls, acls, "entries of access lists", state->problem);
}

// ---- what is sent

static void push_group(struct commit *c, struct vnrs_fib_group_ref *group)
{
    struct vnrs_fib_group out = {.handle = group->handle, .n = group->n};

    memcpy(out.members, group->members, sizeof(out.members));
    group->sent = true;
    if (vec_push(&c->groups, out) < 0)
        c->err = -ENOMEM;
}

// A group that all routes leave for one new group becomes that group: the new content under the old handle.
static void move_groups(struct commit *c)
{
    for (size_t i = 1; !c->sync && i < c->state->groups.list.len; i++) {
        struct vnrs_fib_group_ref *from = c->state->groups.list.items[i], *to = from ? from->moves_to : NULL;
        if (!to || !from->sent || from->used || from->splits || to->sent)
            continue;
        uint32_t handle = from->handle;
        from->handle = to->handle;
        to->handle = handle;
        from->sent = false;
        from->moved = true;
        push_group(c, to);
    }
}

// Groups that routes use and that the sinks do not know yet, or all that are used.
static void collect_groups(struct commit *c)
{
    for (size_t i = 1; i < c->state->groups.list.len; i++) {
        struct vnrs_fib_group_ref *group = c->state->groups.list.items[i];
        if (group && group->used && (c->sync || !group->sent))
            push_group(c, group);
    }
    emit(c, VNRS_AG_FIB_GROUPS, c->groups.items, c->groups.len);
}

static void push_route(struct commit *c, uint32_t domain, uint32_t prefix, uint32_t slot)
{
    const struct vnrs_fib_group_ref *group = group_in(c->state, slot);
    const struct domain *d = get_domain(c->state, domain);
    const struct vnrs_fib_route out = {.domain = domain,
                                       .apart = d && d->apart,
                                       .group = group ? group->handle : 0,
                                       .prefix = vnrs_prefixes_prefix(c->state->prefixes, prefix),
                                       .type = slot & ((1u << TYPE_BITS) - 1)};

    if (vec_push(&c->routes, out) < 0)
        c->err = -ENOMEM;
}

static void emit_routes(struct commit *c)
{
    emit(c, VNRS_AG_FIB_ROUTES, c->routes.items, c->routes.len);
    vec_clear(&c->routes);
}

static bool was_moved(const struct vnrs_fib_state *state, const struct change *change)
{
    const struct vnrs_fib_group_ref *from = group_in(state, change->from);
    uint32_t types = (change->from ^ change->to) & ((1u << TYPE_BITS) - 1);

    return from && from->moved && from->moves_to == group_in(state, change->to) && !types;
}

// Sets before removals: nothing is without a route that shall have one.
static void emit_changes(struct commit *c)
{
    for (int removing = 0; removing < 2; removing++) {
        vec_foreach (change, &c->state->changes)
            if ((change->to == 0) == removing && !was_moved(c->state, change))
                push_route(c, change->domain, change->prefix, change->to);
        emit_routes(c);
    }
}

static void emit_whole(struct commit *c)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&c->state->domains, &at));) {
        const struct domain *domain = e->value;
        for (uint32_t id = VNRS_PREFIX_NONE; c->err == 0 && (id = vnrs_slots_next(&domain->sent, id));) {
            push_route(c, domain->id, id, vnrs_slots_find(&domain->sent, id));
            if (c->routes.len == SYNC_PART)
                emit_routes(c);
        }
    }
    emit_routes(c);
}

static void emit_items(struct commit *c, bool removing)
{
    for (int i = 0; i < _VNRS_FIB_ITEM_MAX && c->err == 0; i++) {
        enum vnrs_fib_item kind = removing ? _VNRS_FIB_ITEM_MAX - 1 - i : i;
        _free_ void *items = NULL;
        int n = vnrs_fib_items_take(&c->state->items, kind, removing, c->sync, &items);
        if (n < 0)
            c->err = n;
        else
            emit(c, vnrs_fib_items_message(kind), items, (size_t)n);
    }
}

static void emit_all(struct commit *c, bool with_items)
{
    if (c->sync)
        emit(c, VNRS_AG_FIB_BEGIN, NULL, 0);
    if (with_items)
        emit_items(c, false);
    collect_groups(c);
    if (c->sync)
        emit_whole(c);
    else
        emit_changes(c);
    if (with_items)
        emit_items(c, true);
    if (c->sync)
        emit(c, VNRS_AG_FIB_END, NULL, 0);
    if (c->sync || c->emitted)
        emit(c, VNRS_AG_FIB_FLUSH, NULL, 0);
}

int vnrs_fib_commit(struct vnrs_fib_state *state, bool sync, vnrs_fib_emit emit_fn, void *arg)
{
    struct commit c = {.state = state, .sync = sync, .emit = emit_fn, .arg = arg};
    bool with_items = sync || (state->whole && state->whole_items);

    if (state->failed)
        c.err = -ENOMEM;
    compare(&c);
    if (c.err == 0)
        c.err = check_room(state);
    if (c.err == 0)
        move_groups(&c);
    if (c.err == 0)
        emit_all(&c, with_items);
    state->failed = false;
    drop_changes(state);
    if (c.err < 0)
        forget_all(state);
    else if (vnrs_fib_groups_end(&state->groups) < 0)
        state->failed = true;
    vec_free(&c.groups);
    vec_free(&c.routes);
    return c.err < 0 ? c.err : c.emitted;
}

// ---- a next hop dies

static bool leads_to(const struct vnrs_fib_member *member, const struct vnrs_learned_set *set)
{
    bool found = false;

    for (unsigned i = 0; i < set->n; i++)
        found |= vnrs_addr_equal(&member->via, &set->paths[i].nexthop);
    return found;
}

// In place, under its handle.
static void set_members(struct commit *c, struct vnrs_fib_group_ref *group, const struct vnrs_fib_member *members,
                        uint32_t n)
{
    vnrs_fib_groups_unkey(&c->state->groups, group);
    group->n = n;
    memset(group->members, 0, sizeof(group->members));
    memcpy(group->members, members, n * sizeof(*members));
    if (vnrs_fib_groups_key(&c->state->groups, group) < 0)
        c->err = -ENOMEM;
    push_group(c, group);
}

static void shrink_group(struct commit *c, struct vnrs_fib_group_ref *group, const struct vnrs_learned_set *set)
{
    struct vnrs_fib_member kept[VNRS_GROUP_MEMBERS_MAX] = {0};
    uint32_t n = 0;

    for (uint32_t i = 0; i < group->n; i++)
        if (leads_to(&group->members[i], set))
            kept[n++] = group->members[i];
    if (n && n != group->n)
        set_members(c, group, kept, n);
}

// Send the groups that were set again in place.
static int emit_again(struct commit *c)
{
    emit(c, VNRS_AG_FIB_GROUPS, c->groups.items, c->groups.len);
    if (c->emitted)
        emit(c, VNRS_AG_FIB_FLUSH, NULL, 0);
    vec_free(&c->groups);
    if (c->err < 0)
        forget_all(c->state);
    return c->err < 0 ? c->err : c->emitted;
}

int vnrs_fib_shrink(struct vnrs_fib_state *state, uint32_t origin, const struct vnrs_learned_set *set,
                    vnrs_fib_emit emit_fn, void *arg)
{
    struct commit c = {.state = state, .emit = emit_fn, .arg = arg};

    for (size_t i = 1; i < state->groups.list.len; i++) {
        struct vnrs_fib_group_ref *group = state->groups.list.items[i];
        if (group && group->sent && group->origin == origin)
            shrink_group(&c, group, set);
    }
    return emit_again(&c);
}

static const struct vnrs_fib_move *find_move(const struct vnrs_fib_move *moves, size_t n,
                                             const struct vnrs_fib_group_ref *group)
{
    for (size_t i = 0; i < n; i++)
        if (moves[i].n_from == group->n &&
            memcmp(moves[i].from, group->members, group->n * sizeof(group->members[0])) == 0)
            return &moves[i];
    return NULL;
}

int vnrs_fib_move(struct vnrs_fib_state *state, uint32_t origin, const struct vnrs_fib_move *moves, size_t n,
                  vnrs_fib_emit emit_fn, void *arg)
{
    struct commit c = {.state = state, .emit = emit_fn, .arg = arg};

    for (size_t i = 1; i < state->groups.list.len; i++) {
        const struct vnrs_fib_group_ref *group = state->groups.list.items[i];
        if (group && group->sent && group->origin == origin && !find_move(moves, n, group))
            return -EXDEV;
    }
    for (size_t i = 1; i < state->groups.list.len; i++) {
        struct vnrs_fib_group_ref *group = state->groups.list.items[i];
        const struct vnrs_fib_move *move =
            group && group->sent && group->origin == origin ? find_move(moves, n, group) : NULL;
        if (move)
            set_members(&c, group, move->to, move->n_to);
    }
    return emit_again(&c);
}

static void set_backend(struct commit *c, struct vnrs_fib_group_ref *group, const struct vnrs_fib_backend *backend)
{
    const uint8_t kind = backend->down ? VNRS_BPF_NH_DEAD : VNRS_BPF_NH_NIC;

    for (uint32_t i = 0; i < group->n; i++) {
        struct vnrs_fib_member *member = &group->members[i];
        if (!(member->flags & VNRS_BPF_NHF_BALANCED) || member->ifindex != backend->ifindex || member->kind == kind ||
            !vnrs_addr_equal(&member->via, &backend->frontend))
            continue;
        vnrs_fib_groups_unkey(&c->state->groups, group);
        member->kind = kind;
        if (vnrs_fib_groups_key(&c->state->groups, group) < 0)
            c->err = -ENOMEM;
        push_group(c, group);
        return;
    }
}

int vnrs_fib_set_backend(struct vnrs_fib_state *state, const struct vnrs_fib_backend *backend, vnrs_fib_emit emit_fn,
                         void *arg)
{
    struct commit c = {.state = state, .emit = emit_fn, .arg = arg};

    for (size_t i = 1; i < state->groups.list.len; i++) {
        struct vnrs_fib_group_ref *group = state->groups.list.items[i];
        if (group && group->sent)
            set_backend(&c, group, backend);
    }
    return emit_again(&c);
}
