// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/learned.h"

#include "util/hash.h"
#include "util/vec.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#define STALE     UINT32_C(0x80000000) // in a slot, beside the number of the set
#define SET(slot) ((slot) & ~STALE)

struct set {
    uint32_t id, refs;
    unsigned instance;
    bool interned; // found by content; after a loss another set may have the same
    bool rescan;   // its prefixes changed
    LIST_HEAD(, mix) mixes;
    uint32_t key_instance, n;      // the key begins here
    struct vnrs_said_path paths[]; // n of them
};

struct merged {
    struct vnrs_learned_merged pub;
    bool interned;
    uint32_t split; // the loss in which its prefixes went several ways
    LIST_HEAD(, mix) mixes;
    struct vnrs_learned_set set; // allocated for `n` paths
};

struct mix { // what the instances say together
    struct {
        uint32_t set[VNRS_LEARNED_INSTANCES]; // 0: nothing
    } key;
    struct merged *merged;
    LIST_ENTRY(mix) in_set[VNRS_LEARNED_INSTANCES], in_merged;
};

struct vnrs_learned_db {
    struct vnrs_prefixes *prefixes;
    uint32_t *last_origin;
    struct vnrs_slots said[VNRS_LEARNED_INSTANCES];
    struct vnrs_slots changed;
    uint32_t cursor;
    VEC(struct set *) sets; // by id
    VEC(uint32_t) free_sets;
    struct vnrs_map by_content; // sets
    struct vnrs_map mixes;      // by all sets
    struct mix *last_mix;       // that was asked for; prefixes that follow each other often have the same
    struct vnrs_map merged;     // by content
    uint32_t losses;
    enum vnrs_hub_preference preference;
    bool failed;
};

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

static size_t set_key_len(const struct set *set)
{
    return sizeof(set->key_instance) + sizeof(set->n) + set->n * sizeof(set->paths[0]);
}

static void set_unmap(struct vnrs_learned_db *db, struct set *set)
{
    if (set->interned)
        (void)vnrs_map_remove(&db->by_content, &set->key_instance, set_key_len(set));
    set->interned = false;
}

static void merged_unmap(struct vnrs_learned_db *db, struct merged *merged)
{
    if (merged->interned)
        (void)vnrs_map_remove(&db->merged, merged->set.paths, merged->set.n * sizeof(merged->set.paths[0]));
    merged->interned = false;
}

static void mix_free(struct vnrs_learned_db *db, struct mix *mix)
{
    if (db->last_mix == mix)
        db->last_mix = NULL;
    (void)vnrs_map_remove(&db->mixes, &mix->key, sizeof(mix->key));
    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        if (mix->key.set[i])
            LIST_REMOVE(mix, in_set[i]);
    LIST_REMOVE(mix, in_merged);
    if (LIST_EMPTY(&mix->merged->mixes)) {
        merged_unmap(db, mix->merged);
        free(mix->merged);
    }
    free(mix);
}

static void set_unref(struct vnrs_learned_db *db, struct set *set)
{
    if (--set->refs)
        return;
    while (!LIST_EMPTY(&set->mixes))
        mix_free(db, LIST_FIRST(&set->mixes));
    set_unmap(db, set);
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
    struct set *set = malloc(sizeof(*set) + bytes);

    if (!set)
        return -ENOMEM;
    *set = (struct set){.refs = 1, .instance = instance, .interned = true, .key_instance = instance, .n = said->n};
    memcpy(set->paths, said->paths, bytes);
    struct set *known = vnrs_map_find(&db->by_content, &set->key_instance, set_key_len(set));
    if (known) {
        free(set);
        known->refs++;
        *ret_set = known->id;
        return 0;
    }
    int r = vnrs_map_put(&db->by_content, &set->key_instance, set_key_len(set), set);
    if (r == 0 && (r = set_number(db, set)) < 0)
        (void)vnrs_map_remove(&db->by_content, &set->key_instance, set_key_len(set));
    if (r < 0) {
        free(set);
        return r;
    }
    *ret_set = set->id;
    return 0;
}

// ---- prefixes

static int note_change(struct vnrs_learned_db *db, uint32_t id)
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

static int forget(struct vnrs_learned_db *db, unsigned instance, uint32_t id)
{
    uint32_t slot = vnrs_slots_find(&db->said[instance], id);
    int r = slot ? note_change(db, id) : 0;

    if (!slot || r < 0)
        return r;
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
    r = note_change(db, id);
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
        return 0;
    }
    int r = note_change(db, id);
    if (r < 0)
        return r;
    new->refs++;
    set_unref(db, old);
    vnrs_slots_replace(&db->said[instance], id, set);
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

// ---- together

static void said_by(const struct set *set, struct vnrs_learned_set *ret_set)
{
    ret_set->n = set->n;
    for (unsigned i = 0; i < ret_set->n; i++)
        ret_set->paths[i] = set->paths[i].hop;
}

static struct vnrs_learned_verdict merge(const struct vnrs_learned_db *db,
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
    merged = calloc(1, offsetof(struct merged, set.paths) + bytes);
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

static void merged_put(struct vnrs_learned_db *db, struct merged *merged)
{
    if (!LIST_EMPTY(&merged->mixes))
        return;
    merged_unmap(db, merged);
    free(merged);
}

static struct mix *mix_new(struct vnrs_learned_db *db, const uint32_t sets[static VNRS_LEARNED_INSTANCES])
{
    struct mix *mix = calloc(1, sizeof(*mix));
    struct vnrs_learned_set set;

    if (!mix)
        return NULL;
    memcpy(mix->key.set, sets, sizeof(mix->key.set));
    (void)merge(db, sets, &set);
    mix->merged = merged_get(db, &set);
    if (!mix->merged || vnrs_map_put(&db->mixes, &mix->key, sizeof(mix->key), mix) < 0) {
        if (mix->merged)
            merged_put(db, mix->merged);
        free(mix);
        return NULL;
    }
    LIST_INSERT_HEAD(&mix->merged->mixes, mix, in_merged);
    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++)
        if (sets[i])
            LIST_INSERT_HEAD(&db->sets.items[sets[i]]->mixes, mix, in_set[i]);
    return mix;
}

// True: some instance says something.
static bool sets_of(const struct vnrs_learned_db *db, uint32_t prefix, uint32_t sets[static VNRS_LEARNED_INSTANCES])
{
    bool found = false;

    for (unsigned i = 0; i < VNRS_LEARNED_INSTANCES; i++) {
        sets[i] = db->said[i].len ? SET(vnrs_slots_find(&db->said[i], prefix)) : 0;
        found |= sets[i] != 0;
    }
    return found;
}

bool vnrs_learned_get(struct vnrs_learned_db *db, uint32_t prefix, struct vnrs_learned_merged *ret_merged)
{
    uint32_t sets[VNRS_LEARNED_INSTANCES];

    if (!sets_of(db, prefix, sets))
        return false;
    struct mix *mix = db->last_mix;
    if (!mix || memcmp(mix->key.set, sets, sizeof(sets)) != 0)
        mix = vnrs_map_find(&db->mixes, sets, sizeof(sets));
    if (!mix)
        mix = mix_new(db, sets);
    if (mix)
        *ret_merged = mix->merged->pub;
    else
        db->failed = true;
    db->last_mix = mix;
    return mix;
}

struct vnrs_learned_verdict vnrs_learned_verdict(const struct vnrs_learned_db *db, uint32_t prefix)
{
    uint32_t sets[VNRS_LEARNED_INSTANCES];
    struct vnrs_learned_set set;

    if (!sets_of(db, prefix, sets))
        return (struct vnrs_learned_verdict){0};
    return merge(db, sets, &set);
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
        if (!sets_of(db, id, sets) || !is_of_several_classes(sets))
            continue;
        struct mix *mix = vnrs_map_find(&db->mixes, sets, sizeof(sets));
        if (mix) // made again with the new preference
            mix_free(db, mix);
        if (r == 0)
            r = note_change(db, id);
    }
    return r;
}

bool vnrs_learned_failed(struct vnrs_learned_db *db)
{
    bool failed = db->failed;
    db->failed = false;
    return failed;
}

// ---- a source dies

// True when the set loses a next hop, or a source of one, and has others.
static bool set_loses(const struct set *set, uint64_t sources)
{
    bool left = false, touched = false;

    for (uint32_t i = 0; i < set->n; i++) {
        left |= (set->paths[i].sources & ~sources) != 0;
        touched |= (set->paths[i].sources & sources) != 0;
    }
    return touched && left;
}

static void set_lose(struct vnrs_learned_db *db, struct set *set, uint64_t sources)
{
    uint32_t n = 0;

    set_unmap(db, set);
    for (uint32_t i = 0; i < set->n; i++) {
        set->paths[i].sources &= ~sources;
        if (set->paths[i].sources)
            set->paths[n++] = set->paths[i];
    }
    set->n = n;
    // Where another set says the same already, that one stays the one that is found.
    if (!vnrs_map_find(&db->by_content, &set->key_instance, set_key_len(set)) &&
        vnrs_map_put(&db->by_content, &set->key_instance, set_key_len(set), set) == 0)
        set->interned = true;
}

static bool is_same(const struct vnrs_learned_set *a, const struct vnrs_learned_set *b)
{
    return a->n == b->n && memcmp(a->paths, b->paths, a->n * sizeof(a->paths[0])) == 0;
}

static bool is_subset(const struct vnrs_learned_set *part, const struct vnrs_learned_set *of)
{
    unsigned at = 0;

    for (unsigned i = 0; i < of->n && at < part->n; i++)
        at += vnrs_addr_equal(&of->paths[i].nexthop, &part->paths[at].nexthop);
    return part->n && at == part->n;
}

// True when all prefixes of `merged` now have these next hops, a part of those of before.
static bool merged_shrinks(const struct vnrs_learned_db *db, const struct merged *merged, struct vnrs_learned_set *ret)
{
    const struct mix *mix = LIST_FIRST(&merged->mixes);
    struct vnrs_learned_set other;

    (void)merge(db, mix->key.set, ret);
    LIST_FOREACH(mix, &merged->mixes, in_merged)
    {
        (void)merge(db, mix->key.set, &other);
        if (!is_same(ret, &other))
            return false;
    }
    return is_subset(ret, &merged->set);
}

static void merged_set(struct vnrs_learned_db *db, struct merged *merged, const struct vnrs_learned_set *set)
{
    size_t bytes = set->n * sizeof(set->paths[0]);

    merged_unmap(db, merged);
    merged->set.n = set->n;
    memcpy(merged->set.paths, set->paths, bytes);
    if (!vnrs_map_find(&db->merged, merged->set.paths, bytes) &&
        vnrs_map_put(&db->merged, merged->set.paths, bytes, merged) == 0)
        merged->interned = true;
}

static void mixes_update(struct vnrs_learned_db *db, struct set *set,
                         void (*moved)(void *arg, const struct vnrs_learned_merged *merged), void *arg)
{
    struct mix *mix, *next;
    struct vnrs_learned_set now;

    for (mix = LIST_FIRST(&set->mixes); mix; mix = next) {
        struct merged *merged = mix->merged;
        next = LIST_NEXT(mix, in_set[set->instance]);
        (void)merge(db, mix->key.set, &now);
        if (is_same(&now, &merged->set))
            continue;
        if (merged->split != db->losses && merged_shrinks(db, merged, &now)) {
            merged_set(db, merged, &now);
            moved(arg, &merged->pub);
            continue;
        }
        // They go another way than other prefixes of the merged set, or not to a part of it: one by one.
        merged->split = db->losses;
        set->rescan = true;
        mix_free(db, mix);
    }
}

static int rescan(struct vnrs_learned_db *db, unsigned instance)
{
    struct vnrs_slots *said = &db->said[instance];
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(said, id));)
        if (db->sets.items[SET(vnrs_slots_find(said, id))]->rescan)
            r = note_change(db, id);
    return r;
}

int vnrs_learned_down(struct vnrs_learned_db *db, unsigned instance, uint64_t sources,
                      void (*moved)(void *arg, const struct vnrs_learned_merged *merged), void *arg)
{
    VEC(struct set *) lost = {0};
    bool again = false;
    int r = 0;

    db->losses++;
    vec_foreach (set, &db->sets)
        if (r == 0 && *set && (*set)->instance == instance && set_loses(*set, sources))
            r = vec_push(&lost, *set);
    if (r == 0) {
        vec_foreach (set, &lost)
            set_lose(db, *set, sources);
        vec_foreach (set, &lost)
            mixes_update(db, *set, moved, arg);
        vec_foreach (set, &lost)
            again |= (*set)->rescan;
        if (again)
            r = rescan(db, instance);
        vec_foreach (set, &lost)
            (*set)->rescan = false;
    }
    vec_free(&lost);
    return r;
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
