// SPDX-License-Identifier: GPL-2.0-or-later
#include "diff_lab.h"

#include "control/fixture.h"
#include "control/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct diff_lab {
    uint64_t seed;
    unsigned number; // of the topology
    struct fixture *control;
    struct speaking {
        bool open;
        struct fake_speaker speaker;
        size_t n_said;
        struct vnrs_prefix said[RANDOM_LAB_LEARNED_MAX];
    } speaking[_RANDOM_SPEAKER_MAX];
    struct vnrs_sink *sinks[DIFF_SINKS_MAX];
    size_t n_sinks;
    struct random_lab drawn;
    struct vnrs_routing *routing; // with what is learned
    struct pm_world world;
    struct random_pool pool;
};

// ---- what the agent does with what the controller says

static int give(struct vnrs_sink *sink, uint32_t kind, const void *items, size_t i)
{
    switch ((enum vnrs_ag_fib_kind)kind) {
    case VNRS_AG_FIB_BEGIN:
        return sink->ops->sync_begin(sink);
    case VNRS_AG_FIB_GROUPS:
        return sink->ops->group_set(sink, (const struct vnrs_fib_group *)items + i);
    case VNRS_AG_FIB_ROUTES:
        return sink->ops->route_set(sink, (const struct vnrs_fib_route *)items + i);
    case VNRS_AG_FIB_NICS:
        return sink->ops->nic_set(sink, (const struct vnrs_fib_nic *)items + i);
    case VNRS_AG_FIB_ENDPOINTS:
        return sink->ops->endpoint_set(sink, (const struct vnrs_fib_endpoint *)items + i);
    case VNRS_AG_FIB_ACLS:
        return sink->ops->acl_set(sink, (const struct vnrs_fib_acl *)items + i);
    case VNRS_AG_FIB_END:
        return sink->ops->sync_end(sink);
    case VNRS_AG_FIB_FLUSH:
        return sink->ops->flush(sink);
    case VNRS_AG_FIB_SETTLE: // for guest tables
        break;
    }
    return -EINVAL;
}

static bool has_items(uint32_t kind)
{
    return kind != VNRS_AG_FIB_BEGIN && kind != VNRS_AG_FIB_END && kind != VNRS_AG_FIB_FLUSH;
}

static void on_fib(void *arg, const struct vnrs_ag_fib *fib, const void *items)
{
    struct diff_lab *lab = arg;

    for (size_t s = 0; s < lab->n_sinks; s++) {
        for (size_t i = 0; i < (has_items(fib->kind) ? fib->n : 1); i++) {
            int r = give(lab->sinks[s], fib->kind, items, i);
            if (r < 0) {
                print_message("seed %llu, topology %u\n%s", (unsigned long long)lab->seed, lab->number,
                              lab->drawn.yaml);
                fail_msg("%s: %s (%d)", lab->sinks[s]->ops->name, lab->sinks[s]->error, r);
            }
        }
    }
}

// Health probes of some backends fail.
static int probe_error(void *arg, const struct vnrs_ag_connect *connect)
{
    const struct diff_lab *lab = arg;

    for (size_t i = 0; i < lab->drawn.n_out; i++)
        if (vnrs_addr_equal(&lab->drawn.out[i], &connect->to))
            return -ECONNREFUSED;
    return 0;
}

// ---- topologies

struct diff_lab *diff_lab_new(uint64_t seed)
{
    struct diff_lab *lab = calloc(1, sizeof(*lab));
    void *control;

    assert_non_null(lab);
    lab->seed = seed;
    assert_int_equal(fixture_setup(&control), 0);
    lab->control = control;
    lab->control->agent.on_fib = on_fib;
    lab->control->agent.on_fib_arg = lab;
    lab->control->agent.connect_error = probe_error;
    lab->control->agent.connect_arg = lab;
    RUN_UNTIL(lab->control, lab->control->control->ready);
    return lab;
}

static void forget(struct diff_lab *lab)
{
    random_pool_fini(&lab->pool);
    if (lab->routing)
        pm_world_fini(&lab->world);
    vnrs_routing_free(lab->routing);
    lab->routing = NULL;
    free(lab->drawn.yaml);
    lab->drawn.yaml = NULL;
}

void diff_lab_free(struct diff_lab *lab)
{
    void *control = lab->control;

    forget(lab);
    for (int s = 0; s < _RANDOM_SPEAKER_MAX; s++)
        if (lab->speaking[s].open)
            (void)close(lab->speaking[s].speaker.fd);
    (void)fixture_teardown(&control);
    free(lab);
}

void diff_lab_sink_add(struct diff_lab *lab, struct vnrs_sink *sink)
{
    lab->sinks[lab->n_sinks++] = sink;
}

static struct vnrs_lab *lab_of(const struct diff_lab *lab)
{
    return vnrs_control_find_lab(lab->control->control, "l");
}

static void apply(struct diff_lab *lab)
{
    lab->control->agent.n_connects = 0;
    struct answer answer = fixture_apply(lab->control, lab->drawn.yaml);

    if (answer.status != 200) {
        print_message("%s", lab->drawn.yaml);
        fail_msg("seed %llu, topology %u: %s", (unsigned long long)lab->seed, lab->number, answer.text);
    }
    json_decref(answer.json);
    RUN_UNTIL(lab->control, vnrs_lab_is_reached(lab_of(lab)));
}

// A speaker lives as long as its instance is in the topologies, one after the other.
static void start_speaking(struct diff_lab *lab, enum random_speaker s)
{
    struct speaking *one = &lab->speaking[s];
    const char *key = random_speaker_keys[s];
    const struct vnrs_instance *instance = vnrs_instance_find(lab_of(lab), key);
    struct fake_agent *agent = &lab->control->agent;

    if (one->open && (!instance || !instance->hello)) {
        (void)close(one->speaker.fd);
        *one = (struct speaking){0};
    }
    if (one->open || !lab->drawn.speaks[s])
        return;
    assert_non_null(instance);
    one->open = true;
    one->speaker = fixture_speaker(lab->control, "l", key);
    (void)close(agent->speakers[--agent->n_speakers]); // there is one controller only
    RUN_UNTIL(lab->control, speaker_hear(&one->speaker));
    RUN_UNTIL(lab->control, vnrs_instance_find(lab_of(lab), key)->hello);
}

static void say_nothing(struct speaking *one)
{
    for (size_t i = 0; i < one->n_said; i++) {
        struct vnrs_spk_route route = {.prefix = one->said[i]};
        speaker_say(&one->speaker, VNRS_SPK_ROUTES, &route, sizeof(route), 1);
    }
    one->n_said = 0;
}

static void say_route(struct speaking *one, const struct vnrs_prefix *prefix, const struct random_said *said)
{
    struct vnrs_spk_route route = {.prefix = *prefix, .set = 1};
    struct vnrs_spk_set set = {.n = said->n};

    for (unsigned i = 0; i < set.n; i++)
        set.paths[i] =
            (struct vnrs_spk_nexthop){.nexthop = said->hops[i], .path_len = said->path_len, .sources = 1u << i};
    speaker_say(&one->speaker, VNRS_SPK_SETS, &set, sizeof(set), 1);
    speaker_say(&one->speaker, VNRS_SPK_ROUTES, &route, sizeof(route), 1);
    one->said[one->n_said++] = *prefix;
}

static bool is_idle(const struct diff_lab *lab)
{
    const struct vnrs_lab *l = lab_of(lab);
    size_t n = l->dirty + l->fib_outstanding;

    vec_foreach (routes, &l->routes)
        n += vnrs_learned_pending((*routes)->db);
    list_foreach (lb, &l->model->balancers) {
        list_foreach (nic, &lb->backends) {
            const char *why;
            n += strcmp(vnrs_probe_state(l, lb, *nic, &why), "Unknown") == 0;
        }
    }
    return n == 0 && vnrs_lab_is_reached(l);
}

// A PEER message comes after the routes before it.
static void finish_saying(struct diff_lab *lab, enum random_speaker s)
{
    struct vnrs_spk_peer peer = {.name = "p0", .flaps = lab->number + 1, .messages_in = 1};
    struct vnrs_instance *instance = vnrs_instance_find(lab_of(lab), random_speaker_keys[s]);

    speaker_say(&lab->speaking[s].speaker, VNRS_SPK_PEER, &peer, sizeof(peer), 1);
    RUN_UNTIL(lab->control, instance->peers.len && instance->peers.items[0].flaps == peer.flaps);
    (void)speaker_hear(&lab->speaking[s].speaker); // its configuration: only so that it does not fill the socket
}

static void speak(struct diff_lab *lab)
{
    for (int s = 0; s < _RANDOM_SPEAKER_MAX; s++) {
        struct speaking *one = &lab->speaking[s];
        start_speaking(lab, (enum random_speaker)s);
        if (!one->open)
            continue;
        say_nothing(one);
        for (size_t i = 0; i < lab->drawn.n_learned; i++)
            if (lab->drawn.learned[i].by[s].n)
                say_route(one, &lab->drawn.learned[i].prefix, &lab->drawn.learned[i].by[s]);
        finish_saying(lab, (enum random_speaker)s);
    }
    RUN_UNTIL(lab->control, is_idle(lab));
}

static int cmp_route(const void *a, const void *b)
{
    return vnrs_prefix_cmp(&((const struct vnrs_learned_route *)a)->prefix,
                           &((const struct vnrs_learned_route *)b)->prefix);
}

// What the speakers say about a prefix, as NICs get it: an instance of a VPN gateway is the next hop itself.
static void merge(const struct diff_lab *lab, const struct random_learned *learned, struct vnrs_learned_set *ret_set)
{
    struct vnrs_learned_set sets[_RANDOM_SPEAKER_MAX] = {0};
    struct vnrs_learned_offer offers[_RANDOM_SPEAKER_MAX];
    size_t n = 0;

    for (int s = 0; s < _RANDOM_SPEAKER_MAX; s++) {
        const struct random_said *said = &learned->by[s];
        if (!said->n)
            continue;
        sets[s].n = said->n;
        for (unsigned k = 0; k < said->n; k++)
            sets[s].paths[k] = (struct vnrs_learned_nexthop){
                .nexthop = s == RANDOM_VPN0 || s == RANDOM_VPN1 ? lab->drawn.vpn[s - RANDOM_VPN0] : said->hops[k],
                .path_len = said->path_len};
        offers[n++] = (struct vnrs_learned_offer){&sets[s], random_speaker_class((enum random_speaker)s)};
    }
    vnrs_learned_merge(offers, n, lab->drawn.preference, ret_set, NULL);
}

static void make_world(struct diff_lab *lab)
{
    struct vnrs_learned_set sets[RANDOM_LAB_LEARNED_MAX] = {0};
    struct vnrs_learned_route routes[RANDOM_LAB_LEARNED_MAX];
    struct vnrs_prefix prefixes[RANDOM_LAB_LEARNED_MAX];
    const struct vnrs_model *model = lab_of(lab)->model;
    struct vnrs_learned learned = {
        .hub = model->route_servers.items[0].vnet, .routes = routes, .n_routes = lab->drawn.n_learned};
    struct rng rng = rng_derive(lab->seed, lab->number);

    for (size_t i = 0; i < lab->drawn.n_learned; i++) {
        merge(lab, &lab->drawn.learned[i], &sets[i]);
        prefixes[i] = lab->drawn.learned[i].prefix;
        routes[i] = (struct vnrs_learned_route){.prefix = prefixes[i], .set = &sets[i]};
    }
    qsort(routes, learned.n_routes, sizeof(routes[0]), cmp_route);
    lab->routing = vnrs_routing_compute(model, &learned, 1);
    assert_non_null(lab->routing);
    pm_world_init(&lab->world, model, lab->routing, lab_of(lab)->ids);
    lab->world.out = lab->drawn.out;
    lab->world.n_out = lab->drawn.n_out;
    random_pool_init(&lab->pool, &rng, &lab->world, prefixes, lab->drawn.n_learned);
}

void diff_lab_next(struct diff_lab *lab, unsigned number)
{
    struct rng rng = rng_derive(lab->seed, number);

    forget(lab);
    lab->number = number;
    random_lab_make(&rng, &lab->drawn);
    apply(lab);
    speak(lab);
    make_world(lab);
}

const struct pm_world *diff_lab_world(const struct diff_lab *lab)
{
    return &lab->world;
}

const struct random_lab *diff_lab_drawn(const struct diff_lab *lab)
{
    return &lab->drawn;
}

void diff_lab_frame(const struct diff_lab *lab, uint64_t number, struct random_frame *ret_frame)
{
    struct rng rng = rng_derive(lab->seed ^ (uint64_t)(lab->number + 1) << 40, number);

    random_frame_make(&rng, &lab->world, &lab->pool, ret_frame);
}

// ---- telling

static void print_learned(const struct random_lab *drawn)
{
    char prefix[VNRS_PREFIX_STR_MAX], hop[VNRS_ADDR_STR_MAX];

    for (size_t i = 0; i < drawn->n_learned; i++) {
        for (int s = 0; s < _RANDOM_SPEAKER_MAX; s++) {
            const struct random_said *said = &drawn->learned[i].by[s];
            if (!said->n)
                continue;
            (void)printf("# '%s' learned %s, length %u:", random_speaker_keys[s],
                         vnrs_prefix_format(&drawn->learned[i].prefix, prefix), said->path_len);
            for (unsigned k = 0; k < said->n; k++)
                (void)printf(" %s", vnrs_addr_format(&said->hops[k], hop));
            (void)printf("\n");
        }
    }
    for (size_t i = 0; i < drawn->n_out; i++)
        (void)printf("# %s answers no health probe\n", vnrs_addr_format(&drawn->out[i], hop));
}

static void print_outcomes(const struct pm_result *result)
{
    for (unsigned i = 0; i < result->n; i++) {
        const struct pm_outcome *o = &result->outcomes[i];
        (void)printf("# the model says: verdict %u, reason %u, type %u, to %s\n", o->verdict, o->reason, o->type,
                     o->to ? o->to->key : "nobody");
    }
}

void diff_lab_fail(const struct diff_lab *lab, uint64_t number, const struct random_frame *frame,
                   const struct pm_result *result, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)printf("%s\n\n", lab->drawn.yaml);
    print_learned(&lab->drawn);
    if (frame) {
        char src[VNRS_ADDR_STR_MAX], dst[VNRS_ADDR_STR_MAX];
        print_outcomes(result);
        (void)printf("# frame %llu from %s (%u), %zu bytes, %s to %s, protocol %u:\n#  ", (unsigned long long)number,
                     frame->from->key, frame->from->ifindex, frame->len, vnrs_addr_format(&result->packet.src, src),
                     vnrs_addr_format(&result->packet.dst, dst), result->packet.protocol);
        for (size_t i = 0; i < frame->len; i++)
            (void)printf("%02x", frame->bytes[i]);
        (void)printf("\n");
    }
    (void)printf("# again: --seed %llu --topology %u --frame %llu\n", (unsigned long long)lab->seed, lab->number,
                 (unsigned long long)number);
    (void)fflush(stdout);
    fail_msg("%s", text);
    abort();
}
