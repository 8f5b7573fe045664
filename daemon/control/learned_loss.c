// SPDX-License-Identifier: GPL-2.0-or-later
// A source of paths dies: what becomes of the sets that had its next hops.
#include "control/learned_db.h"

#include <errno.h>
#include <string.h>

typedef VEC(struct set *) set_list;

// ---- sets

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

// Its content is another now. Where another set says the same already, that one stays the one that is found.
static void set_map(struct vnrs_learned_db *db, struct set *set)
{
    size_t len = vnrs_learned_set_key_len(set);

    if (!vnrs_map_find(&db->by_content, &set->key_instance, len) &&
        vnrs_map_put(&db->by_content, &set->key_instance, len, set) == 0)
        set->interned = true;
}

static void set_lose(struct vnrs_learned_db *db, struct set *set, uint64_t sources)
{
    uint32_t n = 0;

    vnrs_learned_set_unmap(db, set);
    for (uint32_t i = 0; i < set->n; i++) {
        set->paths[i].sources &= ~sources;
        set->paths[i].hop.beyond &= ~sources;
        if (set->paths[i].sources)
            set->paths[n++] = set->paths[i];
    }
    set->n = n;
    set_map(db, set);
}

static const struct vnrs_learned_heir *find_heir(const struct vnrs_learned_heir *heirs, size_t n, const struct set *set)
{
    for (size_t i = 0; i < n; i++)
        if (heirs[i].from.n == set->n && memcmp(heirs[i].from.paths, set->paths, set->n * sizeof(set->paths[0])) == 0)
            return &heirs[i];
    return NULL;
}

static void set_inherit(struct vnrs_learned_db *db, struct set *set, const struct vnrs_said *to)
{
    vnrs_learned_set_unmap(db, set);
    set->n = to->n;
    memcpy(set->paths, to->paths, to->n * sizeof(set->paths[0]));
    if (set->n)
        set_map(db, set);
}

// ---- what is merged of them

static bool is_same(const struct vnrs_learned_set *a, const struct vnrs_learned_set *b)
{
    return a->n == b->n && memcmp(a->paths, b->paths, a->n * sizeof(a->paths[0])) == 0;
}

// True when all prefixes of `merged` that have next hops have `now`.
static bool stays_together(const struct vnrs_learned_db *db, const struct merged *merged,
                           const struct vnrs_learned_set *now)
{
    const struct mix *mix;
    struct vnrs_learned_set other;

    LIST_FOREACH(mix, &merged->mixes, in_merged)
    {
        (void)vnrs_learned_mix_merge(db, mix->key.set, &other);
        if (other.n && !is_same(now, &other))
            return false;
    }
    return true;
}

static void merged_map(struct vnrs_learned_db *db, struct merged *merged)
{
    size_t bytes = merged->set.n * sizeof(merged->set.paths[0]);

    if (!vnrs_map_find(&db->merged, merged->set.paths, bytes) &&
        vnrs_map_put(&db->merged, merged->set.paths, bytes, merged) == 0)
        merged->interned = true;
}

static void merged_set(struct vnrs_learned_db *db, struct merged *merged, const struct vnrs_learned_set *set)
{
    size_t bytes = set->n * sizeof(set->paths[0]);

    vnrs_learned_merged_unmap(db, merged);
    merged->set.n = set->n;
    memcpy(merged->set.paths, set->paths, bytes);
    merged_map(db, merged);
}

static void mixes_update(struct vnrs_learned_db *db, struct set *set, vnrs_learned_move move, void *arg)
{
    struct mix *mix, *next;
    struct vnrs_learned_set now;

    for (mix = LIST_FIRST(&set->mixes); mix; mix = next) {
        struct merged *merged = mix->merged;
        next = LIST_NEXT(mix, in_set[set->instance]);
        (void)vnrs_learned_mix_merge(db, mix->key.set, &now);
        if (merged ? is_same(&now, &merged->set) : !now.n)
            continue;
        if (!now.n) { // its prefixes go one by one, when the instance says so
            vnrs_learned_mix_leave(db, mix);
            continue;
        }
        if (merged && merged->split != db->losses && stays_together(db, merged, &now) &&
            move(arg, &merged->pub, &now)) {
            merged_set(db, merged, &now);
            continue;
        }
        // They go another way than other prefixes of the merged set, or cannot go in one step: one by one.
        if (merged)
            merged->split = db->losses;
        set->rescan = true;
        vnrs_learned_mix_free(db, mix);
    }
}

static int rescan(struct vnrs_learned_db *db, unsigned instance)
{
    struct vnrs_slots *said = &db->said[instance];
    int r = 0;

    for (uint32_t id = VNRS_PREFIX_NONE; r == 0 && (id = vnrs_slots_next(said, id));)
        if (db->sets.items[SET(vnrs_slots_find(said, id))]->rescan)
            r = vnrs_learned_note(db, id);
    return r;
}

static void mark_used(struct vnrs_learned_db *db)
{
    uint32_t sets[VNRS_LEARNED_INSTANCES];
    struct vnrs_map_entry *e;
    struct mix *mix = NULL;

    for (size_t at = 0; (e = vnrs_map_next(&db->mixes, &at));)
        ((struct mix *)e->value)->used = false;
    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_learned_next(db, id));) {
        (void)vnrs_learned_sets_of(db, id, sets);
        if (!mix || memcmp(mix->key.set, sets, sizeof(sets)) != 0)
            mix = vnrs_map_find(&db->mixes, sets, sizeof(sets));
        if (mix)
            mix->used = true;
    }
}

// True: no prefix had it, and it is gone.
static bool drop_unused(struct vnrs_learned_db *db, struct merged *merged)
{
    struct mix *mix, *next;

    LIST_FOREACH(mix, &merged->mixes, in_merged)
    if (mix->used)
        return false;
    for (mix = LIST_FIRST(&merged->mixes); mix; mix = next) { // the last one takes it along
        next = LIST_NEXT(mix, in_merged);
        vnrs_learned_mix_free(db, mix);
    }
    return true;
}

// What moved may have become what another merged set is that prefixes had before. Where none has it any more, those
// that come to this content join what moved: so its own prefixes stay with it when it is said of them one by one.
static void take_places(struct vnrs_learned_db *db, const set_list *sets)
{
    VEC(struct merged *) moved = {0};
    const struct mix *mix;

    vec_foreach (set, sets)
        LIST_FOREACH(mix, &(*set)->mixes, in_set[(*set)->instance])
    if (mix->merged && !mix->merged->interned && vec_push(&moved, mix->merged) < 0)
        break; // it only saves writes
    if (moved.len)
        mark_used(db);
    vec_foreach (merged, &moved) {
        struct merged *other =
            vnrs_map_find(&db->merged, (*merged)->set.paths, (*merged)->set.n * sizeof((*merged)->set.paths[0]));
        if (other && other != *merged && drop_unused(db, other))
            merged_map(db, *merged);
    }
    vec_free(&moved);
}

// The content of these sets of the instance changed.
static int sets_changed(struct vnrs_learned_db *db, unsigned instance, const set_list *sets, vnrs_learned_move move,
                        void *arg)
{
    bool again = false;
    int r = 0;

    db->losses++;
    vec_foreach (set, sets)
        mixes_update(db, *set, move, arg);
    take_places(db, sets);
    vec_foreach (set, sets)
        again |= (*set)->rescan;
    if (again)
        r = rescan(db, instance);
    vec_foreach (set, sets)
        (*set)->rescan = false;
    return r;
}

// ---- entries

int vnrs_learned_down(struct vnrs_learned_db *db, unsigned instance, uint64_t sources, vnrs_learned_move move,
                      void *arg)
{
    set_list lost = {0};
    int r = 0;

    vec_foreach (set, &db->sets)
        if (r == 0 && *set && (*set)->instance == instance && set_loses(*set, sources))
            r = vec_push(&lost, *set);
    if (r == 0) {
        vec_foreach (set, &lost)
            set_lose(db, *set, sources);
        r = sets_changed(db, instance, &lost, move, arg);
    }
    vec_free(&lost);
    return r;
}

int vnrs_learned_inherit(struct vnrs_learned_db *db, unsigned instance, const struct vnrs_learned_heir *heirs, size_t n,
                         vnrs_learned_move move, void *arg)
{
    set_list moved = {0};
    int r = 0;

    if (db->n_stale[instance]) // of those the instance knows nothing
        return 0;
    vec_foreach (set, &db->sets)
        if (r == 0 && *set && (*set)->instance == instance && find_heir(heirs, n, *set))
            r = vec_push(&moved, *set);
    if (r == 0) {
        vec_foreach (set, &moved) // each by what it was: no set is looked at twice
            set_inherit(db, *set, &find_heir(heirs, n, *set)->to);
        r = sets_changed(db, instance, &moved, move, arg);
    }
    vec_free(&moved);
    return r;
}

// Marks the sets of which prefixes are stale, and those of which some are not.
static void look_for_stale(struct vnrs_learned_db *db, unsigned instance)
{
    const struct vnrs_slots *said = &db->said[instance];

    for (uint32_t id = VNRS_PREFIX_NONE; (id = vnrs_slots_next(said, id));) {
        uint32_t slot = vnrs_slots_find(said, id);
        struct set *set = db->sets.items[SET(slot)];
        set->stale |= (slot & STALE) != 0;
        set->fresh |= (slot & STALE) == 0;
    }
}

int vnrs_learned_expire(struct vnrs_learned_db *db, unsigned instance, vnrs_learned_move move, void *arg)
{
    static const struct vnrs_said nothing;
    set_list gone = {0};
    int r = 0;

    if (!db->n_stale[instance])
        return 0;
    look_for_stale(db, instance);
    vec_foreach (set, &db->sets) {
        if (r == 0 && *set && (*set)->stale && !(*set)->fresh)
            r = vec_push(&gone, *set);
        if (*set)
            (*set)->stale = (*set)->fresh = false;
    }
    if (r == 0) {
        vec_foreach (set, &gone)
            set_inherit(db, *set, &nothing);
        r = sets_changed(db, instance, &gone, move, arg);
    }
    vec_free(&gone);
    int swept = vnrs_learned_sweep(db, instance, false);
    return r < 0 ? r : swept;
}
