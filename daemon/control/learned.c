// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/learned.h"

#include "control/learned_db.h"

#include <errno.h>
#include <string.h>

unsigned vnrs_learned_number(enum vnrs_learned_class class, unsigned index)
{
    return (unsigned)class * VNRS_LEARNED_TWINS + index;
}

struct vnrs_learned_db *vnrs_learned_db_new(struct vnrs_prefixes *prefixes, uint32_t *last_origin)
{
    struct vnrs_learned_db *db = calloc(1, sizeof(*db));

    if (!db)
        return NULL;
    db->prefixes = prefixes;
    db->last_origin = last_origin;
    if (vec_push(&db->sets, NULL) < 0) { // number 0 is none
        free(db);
        return NULL;
    }
    return db;
}

// ---- sets

size_t vnrs_learned_set_key_len(const struct set *set)
{
    return sizeof(set->key_instance) + sizeof(set->n) + set->n * sizeof(set->paths[0]);
}

void vnrs_learned_set_unmap(struct vnrs_learned_db *db, struct set *set)
{
    if (set->interned)
        (void)vnrs_map_remove(&db->by_content, &set->key_instance, vnrs_learned_set_key_len(set));
    set->interned = false;
}

void vnrs_learned_merged_unmap(struct vnrs_learned_db *db, struct merged *merged)
{
    if (merged->interned)
        (void)vnrs_map_remove(&db->merged, merged->set.paths, merged->set.n * sizeof(merged->set.paths[0]));
    merged->interned = false;
}

static void merged_put(struct vnrs_learned_db *db, struct merged *merged)
{
    if (!LIST_EMPTY(&merged->mixes))
        return;
    vnrs_learned_merged_unmap(db, merged);
    free(merged);
}

void vnrs_learned_mix_leave(struct vnrs_learned_db *db, struct mix *mix)
{
    if (!mix->merged)
        return;
    LIST_REMOVE(mix, in_merged);
    merged_put(db, mix->merged);
    mix->merged = NULL;
}

void vnrs_learned_mix_free(struct vnrs_learned_db *db, struct mix *mix)
{
    if (db->last_mix == mix)
        db->last_mix = NULL;
    (void)vnrs_map_remove(&db->mixes, &mix->key, sizeof(mix->key));
    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        if (mix->key.set[i])
            LIST_REMOVE(mix, in_set[i]);
    vnrs_learned_mix_leave(db, mix);
    free(mix);
}

static void set_unref(struct vnrs_learned_db *db, struct set *set)
{
    if (--set->refs)
        return;
    while (!LIST_EMPTY(&set->mixes))
        vnrs_learned_mix_free(db, LIST_FIRST(&set->mixes));
    vnrs_learned_set_unmap(db, set);
    db->sets.items[set->id] = NULL;
    if (vec_push(&db->free_sets, set->id) < 0)
        db->failed = true; // the number is lost
    free(set);
}

void vnrs_learned_unref(struct vnrs_learned_db *db, uint32_t set)
{
    set_unref(db, db->sets.items[set]);
}

static int set_number(struct vnrs_learned_db *db, struct set *set)
{
    if (db->free_sets.len) {
        set->id = db->free_sets.items[--db->free_sets.len];
        db->sets.items[set->id] = set;
        return 0;
    }
    set->id = (uint32_t)db->sets.len;
    return set->id < STALE ? vec_push(&db->sets, set) : -ENOMEM;
}

int vnrs_learned_intern(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_said *said, uint32_t *ret_set)
{
    size_t bytes = said->n * sizeof(said->paths[0]);
    struct set *set = malloc(sizeof(*set));

    if (!set)
        return -ENOMEM;
    *set = (struct set){.refs = 1, .instance = instance, .interned = true, .key_instance = instance, .n = said->n};
    memcpy(set->paths, said->paths, bytes);
    struct set *known = vnrs_map_find(&db->by_content, &set->key_instance, vnrs_learned_set_key_len(set));
    if (known) {
        free(set);
        known->refs++;
        *ret_set = known->id;
        return 0;
    }
    int r = vnrs_map_put(&db->by_content, &set->key_instance, vnrs_learned_set_key_len(set), set);
    if (r == 0 && (r = set_number(db, set)) < 0)
        (void)vnrs_map_remove(&db->by_content, &set->key_instance, vnrs_learned_set_key_len(set));
    if (r < 0) {
        free(set);
        return r;
    }
    *ret_set = set->id;
    return 0;
}

// ---- together

static void said_by(const struct set *set, struct vnrs_learned_set *ret_set)
{
    ret_set->n = set->n;
    for (unsigned i = 0; i < ret_set->n; i++)
        ret_set->paths[i] = set->paths[i].hop;
}

struct vnrs_learned_verdict vnrs_learned_mix_merge(const struct vnrs_learned_db *db,
                                                   const uint32_t sets[static VNRS_LEARNED_INSTANCES],
                                                   struct vnrs_learned_set *ret_set)
{
    struct vnrs_learned_offer offers[VNRS_LEARNED_INSTANCES];
    struct vnrs_learned_set said[VNRS_LEARNED_INSTANCES];
    struct vnrs_learned_verdict verdict;
    size_t n = 0;

    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++) {
        if (!sets[i])
            continue;
        said_by(db->sets.items[sets[i]], &said[n]);
        offers[n] = (struct vnrs_learned_offer){&said[n], (enum vnrs_learned_class)(i / VNRS_LEARNED_TWINS)};
        n++;
    }
    vnrs_learned_merge(offers, n, db->preference, ret_set, &verdict);
    // They are equally long; how long makes no difference to who uses them.
    for (unsigned i = 0; i < ret_set->n; i++)
        ret_set->paths[i].path_len = 0;
    return verdict;
}

static struct merged *merged_get(struct vnrs_learned_db *db, const struct vnrs_learned_set *set)
{
    size_t bytes = set->n * sizeof(set->paths[0]);
    struct merged *merged = vnrs_map_find(&db->merged, set->paths, bytes);

    if (merged)
        return merged;
    merged = calloc(1, sizeof(*merged));
    if (!merged)
        return NULL;
    merged->set.n = set->n;
    memcpy(merged->set.paths, set->paths, bytes);
    if (vnrs_map_put(&db->merged, merged->set.paths, bytes, merged) < 0) {
        free(merged);
        return NULL;
    }
    merged->interned = true;
    merged->pub = (struct vnrs_learned_merged){.origin = ++*db->last_origin, .set = &merged->set};
    return merged;
}

static struct mix *mix_new(struct vnrs_learned_db *db, const uint32_t sets[static VNRS_LEARNED_INSTANCES])
{
    struct mix *mix = calloc(1, sizeof(*mix));
    struct vnrs_learned_set set;

    if (!mix)
        return NULL;
    memcpy(mix->key.set, sets, sizeof(mix->key.set));
    (void)vnrs_learned_mix_merge(db, sets, &set);
    mix->merged = set.n ? merged_get(db, &set) : NULL;
    if ((set.n && !mix->merged) || vnrs_map_put(&db->mixes, &mix->key, sizeof(mix->key), mix) < 0) {
        if (mix->merged)
            merged_put(db, mix->merged);
        free(mix);
        return NULL;
    }
    if (mix->merged)
        LIST_INSERT_HEAD(&mix->merged->mixes, mix, in_merged);
    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        if (sets[i])
            LIST_INSERT_HEAD(&db->sets.items[sets[i]]->mixes, mix, in_set[i]);
    return mix;
}

static bool has_any(const uint32_t sets[static VNRS_LEARNED_INSTANCES])
{
    uint32_t any = 0;

    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        any |= sets[i];
    return any;
}

bool vnrs_learned_sets_of(const struct vnrs_learned_db *db, uint32_t prefix,
                          uint32_t sets[static VNRS_LEARNED_INSTANCES])
{
    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        sets[i] = db->said[i].len ? SET(vnrs_slots_find(&db->said[i], prefix)) : 0;
    return has_any(sets);
}

static bool get_merged(struct vnrs_learned_db *db, const uint32_t sets[static VNRS_LEARNED_INSTANCES],
                       struct vnrs_learned_merged *ret_merged)
{
    struct mix *mix = db->last_mix;

    if (!mix || memcmp(mix->key.set, sets, sizeof(mix->key.set)) != 0)
        mix = vnrs_map_find(&db->mixes, sets, sizeof(mix->key.set));
    if (!mix)
        mix = mix_new(db, sets);
    db->failed |= !mix;
    db->last_mix = mix;
    if (mix && mix->merged)
        *ret_merged = mix->merged->pub;
    return mix && mix->merged;
}

// ---- prefixes

int vnrs_learned_note(struct vnrs_learned_db *db, uint32_t id)
{
    if (vnrs_slots_find(&db->changed, id))
        return 0;
    int r = vnrs_slots_put(&db->changed, id, 1);
    if (r == 0)
        vnrs_prefixes_hold(db->prefixes, id);
    return r;
}

static bool says_the_same(const struct set *a, const struct set *b)
{
    return a->n == b->n && memcmp(a->paths, b->paths, a->n * sizeof(a->paths[0])) == 0;
}

// True when the prefix is with the same others without the instance, which lost all that it said of it: then forwarding
// has followed already.
static bool is_no_news(struct vnrs_learned_db *db, unsigned instance, uint32_t id)
{
    struct vnrs_learned_merged before, after;
    uint32_t sets[VNRS_LEARNED_INSTANCES];

    (void)vnrs_learned_sets_of(db, id, sets);
    if (db->sets.items[sets[instance]]->n || !get_merged(db, sets, &before))
        return false;
    sets[instance] = 0;
    return has_any(sets) && get_merged(db, sets, &after) && before.origin == after.origin;
}

static int forget(struct vnrs_learned_db *db, unsigned instance, uint32_t id)
{
    uint32_t slot = vnrs_slots_find(&db->said[instance], id);
    int r = slot && !is_no_news(db, instance, id) ? vnrs_learned_note(db, id) : 0;

    if (!slot || r < 0)
        return r;
    db->n_stale[instance] -= (slot & STALE) != 0;
    vnrs_slots_remove(&db->said[instance], id);
    vnrs_learned_unref(db, SET(slot));
    vnrs_prefixes_drop(db->prefixes, id);
    return 0;
}

static int put_new(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_prefix *prefix, uint32_t set)
{
    uint32_t id;
    int r = vnrs_prefixes_get(db->prefixes, prefix, &id);

    if (r < 0)
        return r;
    r = vnrs_learned_note(db, id);
    if (r == 0)
        r = vnrs_slots_put(&db->said[instance], id, set);
    if (r < 0)
        vnrs_prefixes_drop(db->prefixes, id);
    else
        db->sets.items[set]->refs++;
    return r;
}

int vnrs_learned_put(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_prefix *prefix, uint32_t set)
{
    uint32_t id = vnrs_prefixes_find(db->prefixes, prefix);
    uint32_t slot = id ? vnrs_slots_find(&db->said[instance], id) : 0;

    if (!slot)
        return set ? put_new(db, instance, prefix, set) : 0;
    if (!set)
        return forget(db, instance, id);
    struct set *old = db->sets.items[SET(slot)], *new = db->sets.items[set];
    if (old == new || says_the_same(old, new)) { // also after a loss: then it is the set that lost
        vnrs_slots_replace(&db->said[instance], id, old->id);
        db->n_stale[instance] -= (slot & STALE) != 0;
        return 0;
    }
    int r = vnrs_learned_note(db, id);
    if (r < 0)
        return r;
    new->refs++;
    set_unref(db, old);
    vnrs_slots_replace(&db->said[instance], id, set);
    db->n_stale[instance] -= (slot & STALE) != 0;
    return 0;
}

int vnrs_learned_supersede(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_prefix *prefix)
{
    unsigned twin = instance ^ 1u;
    uint32_t id = db->said[twin].len ? vnrs_prefixes_find(db->prefixes, prefix) : 0;

    static_assert(VNRS_LEARNED_TWINS == 2, "the twin is the other one of the class");
    return id && vnrs_slots_find(&db->said[twin], id) & STALE ? forget(db, twin, id) : 0;
}

size_t vnrs_learned_len(const struct vnrs_learned_db *db, unsigned instance)
{
    return db->said[instance].len;
}

void vnrs_learned_stale(struct vnrs_learned_db *db, unsigned instance)
{
    struct vnrs_slots *said = &db->said[instance];

    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_slots_next(said, id));)
        vnrs_slots_replace(said, id, vnrs_slots_find(said, id) | STALE);
    db->n_stale[instance] = said->len;
}

int vnrs_learned_sweep(struct vnrs_learned_db *db, unsigned instance, bool all)
{
    struct vnrs_slots *said = &db->said[instance];
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(said, id));)
        if (all || vnrs_slots_find(said, id) & STALE)
            r = forget(db, instance, id);
    return r;
}

uint32_t vnrs_learned_take(struct vnrs_learned_db *db)
{
    uint32_t id = vnrs_slots_any(&db->changed, db->cursor);

    if (id)
        vnrs_slots_remove(&db->changed, id);
    db->cursor = id;
    return id;
}

size_t vnrs_learned_pending(const struct vnrs_learned_db *db)
{
    return db->changed.len;
}

bool vnrs_learned_is_pending(const struct vnrs_learned_db *db, uint32_t prefix)
{
    return vnrs_slots_find(&db->changed, prefix);
}

uint32_t vnrs_learned_pending_next(const struct vnrs_learned_db *db, uint32_t id)
{
    return vnrs_slots_next(&db->changed, id);
}

void vnrs_learned_take_all(struct vnrs_learned_db *db)
{
    uint32_t id;

    while ((id = vnrs_learned_take(db)))
        vnrs_prefixes_drop(db->prefixes, id);
}

uint32_t vnrs_learned_next(const struct vnrs_learned_db *db, uint32_t id)
{
    uint32_t next = VNRS_PREFIX_NONE;

    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++) {
        uint32_t other = db->said[i].len ? vnrs_slots_next(&db->said[i], id) : VNRS_PREFIX_NONE;
        next = !next ? other : !other ? next : MIN(next, other);
    }
    return next;
}

// ---- what is asked

bool vnrs_learned_get(struct vnrs_learned_db *db, uint32_t prefix, struct vnrs_learned_merged *ret_merged)
{
    uint32_t sets[VNRS_LEARNED_INSTANCES];

    return vnrs_learned_sets_of(db, prefix, sets) && get_merged(db, sets, ret_merged);
}

struct vnrs_learned_verdict vnrs_learned_verdict(const struct vnrs_learned_db *db, uint32_t prefix)
{
    uint32_t sets[VNRS_LEARNED_INSTANCES];
    struct vnrs_learned_set set;

    if (!vnrs_learned_sets_of(db, prefix, sets))
        return (struct vnrs_learned_verdict){0};
    return vnrs_learned_mix_merge(db, sets, &set);
}

static bool is_of_several_classes(const uint32_t sets[static VNRS_LEARNED_INSTANCES])
{
    unsigned classes = 0;

    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        classes |= sets[i] ? 1u << i / VNRS_LEARNED_TWINS : 0;
    return (classes & (classes - 1)) != 0;
}

int vnrs_learned_prefer(struct vnrs_learned_db *db, enum vnrs_hub_preference preference)
{
    uint32_t sets[VNRS_LEARNED_INSTANCES];
    int r = 0;

    if (preference == db->preference)
        return 0;
    db->preference = preference;
    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_learned_next(db, id));) {
        if (!vnrs_learned_sets_of(db, id, sets) || !is_of_several_classes(sets))
            continue;
        struct mix *mix = vnrs_map_find(&db->mixes, sets, sizeof(sets));
        if (mix) // made again with the new preference
            vnrs_learned_mix_free(db, mix);
        if (r == 0)
            r = vnrs_learned_note(db, id);
    }
    return r;
}

bool vnrs_learned_failed(struct vnrs_learned_db *db)
{
    bool failed = db->failed;
    db->failed = false;
    return failed;
}

void vnrs_learned_db_free(struct vnrs_learned_db *db)
{
    if (!db)
        return;
    vnrs_learned_take_all(db);
    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++) {
        struct vnrs_slots *said = &db->said[i];
        for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_slots_next(said, id));) {
            vnrs_learned_unref(db, SET(vnrs_slots_find(said, id)));
            vnrs_prefixes_drop(db->prefixes, id);
        }
        vnrs_slots_fini(said);
    }
    vec_free(&db->sets);
    vec_free(&db->free_sets);
    vnrs_map_fini(&db->by_content);
    vnrs_map_fini(&db->mixes);
    vnrs_map_fini(&db->merged);
    free(db);
}
