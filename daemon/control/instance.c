// SPDX-License-Identifier: GPL-2.0-or-later
// BGP instances: which there are, their configuration, and what happens to their routes when a speaker dies. Routes of
// a dead speaker stay, marked stale, until the new one has heard from every peer, or a bounded wait ends: the packet
// path must not notice a restart.
#include "control/state.h"

#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"
#include "util/utf8.h"

#include <errno.h>
#include <string.h>

int vnrs_instance_send(struct vnrs_instance *instance, enum vnrs_speaker_msg type, const void *items, size_t n,
                       size_t size)
{
    struct vnrs_spk_hdr hdr = {
        .proto = VNRS_SPEAKER_PROTO, .type = (uint16_t)type, .count = (uint32_t)n, .generation = instance->generation};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)items, n * size}};

    return instance->chan ? vnrs_chan_send(instance->chan, parts, ARRAY_SIZE(parts)) : -ENOTCONN;
}

// ---- configuration

// As many messages as it takes.
static int send_array(struct vnrs_instance *instance, enum vnrs_speaker_msg type, const void *items, size_t n,
                      size_t size)
{
    size_t room = (VNRS_SPEAKER_MSG_MAX - sizeof(struct vnrs_spk_hdr)) / size;
    int r = 0;

    for (size_t at = 0; at < n && r == 0; at += room)
        r = vnrs_instance_send(instance, type, (const char *)items + at * size, MIN(room, n - at), size);
    return r;
}

static void forget_configured(struct vnrs_instance *instance)
{
    vec_foreach (peer, &instance->configured)
        explicit_bzero(peer->md5, sizeof(peer->md5));
    vec_clear(&instance->configured);
}

static const struct vnrs_spk_peer_config *find_configured(const struct vnrs_instance *instance, const char *name)
{
    vec_foreach (peer, &instance->configured) {
        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}

// What was said of peers that go, or whose session starts again, is not true any more. The speaker says it anew of all
// that change.
static void forget_peers(struct vnrs_instance *instance, bool all)
{
    for (size_t i = instance->peers.len; i-- > 0;) {
        const char *name = instance->peers.items[i].name;
        const struct vnrs_spk_peer_config *had = find_configured(instance, name);
        const struct vnrs_spk_peer_config *has = vnrs_speaker_find_peer(instance->speaker, name);
        if (all || !had || !has || memcmp(had, has, sizeof(*had)) != 0)
            instance->peers.items[i] = instance->peers.items[--instance->peers.len];
    }
}

static int set_configured(struct vnrs_instance *instance)
{
    uint8_t features = instance->speaker->config.features;
    int r = 0;

    forget_peers(instance, instance->features != features);
    forget_configured(instance);
    instance->features = features;
    vec_foreach (peer, &instance->speaker->peers) {
        if (r == 0)
            r = vec_push(&instance->configured, *peer);
    }
    return r;
}

static int send_parts(struct vnrs_instance *instance)
{
    const struct vnrs_speaker *speaker = instance->speaker;
    const struct {
        enum vnrs_speaker_msg type;
        const void *items;
        size_t n, size;
    } parts[] = {
#define PART(type, list) {type, (list)->items, (list)->len, sizeof(*(list)->items)}
        PART(VNRS_SPK_OWN, &speaker->own),
        PART(VNRS_SPK_MAP, &speaker->maps.maps),
        PART(VNRS_SPK_MAP_RULE, &speaker->maps.rules),
        PART(VNRS_SPK_MAP_ITEM, &speaker->maps.items),
        PART(VNRS_SPK_PEER_CONFIG, &instance->configured),
        PART(VNRS_SPK_BMP, &speaker->stations),
#undef PART
    };
    int r = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++)
        r = send_array(instance, parts[i].type, parts[i].items, parts[i].n, parts[i].size);
    return r;
}

static int send_config(struct vnrs_instance *instance)
{
    const struct vnrs_outlet *outlet = &instance->outlets[0];
    struct vnrs_spk_config config = instance->speaker->config;

    if (vnrs_learned_len(outlet->db, outlet->number))
        config.restart = VNRS_SPK_RESTARTED | VNRS_SPK_FORWARDING_KEPT;
    int r = set_configured(instance);
    if (r == 0)
        r = vnrs_instance_send(instance, VNRS_SPK_CONFIG_BEGIN, &config, 1, sizeof(config));
    if (r == 0)
        r = send_parts(instance);
    if (r == 0)
        r = vnrs_instance_send(instance, VNRS_SPK_CONFIG_END, NULL, 0, 0);
    return r;
}

// ---- the channel

static void on_wait_end(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_instance *instance = arg;

    (void)fd, (void)what;
    log_info("lab '%s': instance '%s' did not converge in time; its old routes go", instance->lab->name, instance->key);
    vnrs_instance_drop_stale(instance);
}

static void speaker_gone(struct vnrs_instance *instance)
{
    const struct timeval wait = {VNRS_STALE_WAIT_MS / 1000, 0};

    vnrs_chan_free(instance->chan);
    instance->chan = NULL;
    instance->hello = instance->converged = false;
    vec_clear(&instance->peers);
    vnrs_instance_end_queries(instance, -ECONNRESET);
    vnrs_instance_end_dumps(instance, -ECONNRESET);
    for (unsigned i = 0; i < instance->n_outlets; i++)
        vnrs_learned_stale(instance->outlets[i].db, instance->outlets[i].number);
    if (!evtimer_pending(instance->timer, NULL)) // one that dies again and again does not keep them for ever
        (void)evtimer_add(instance->timer, &wait);
}

static int on_message(void *arg, const void *bytes, size_t len, int fd)
{
    if (fd >= 0)
        (void)close(fd);
    return vnrs_instance_message(arg, bytes, len);
}

static void on_lost(void *arg, int err)
{
    struct vnrs_instance *instance = arg;

    if (instance->lab->destroyers.len) { // it was asked to go
        speaker_gone(instance);
        return;
    }
    log_errno_ret(err, "lab '%s': speaker '%s' is lost; its routes stay for %u s", instance->lab->name, instance->key,
                  VNRS_STALE_WAIT_MS / 1000);
    vnrs_event_add(instance->lab->control, instance->lab, "speaker", "speaker '%s' is lost", instance->key);
    speaker_gone(instance);
}

// From here on the speaker says everything anew.
static int greet(struct vnrs_instance *instance)
{
    instance->generation = ++instance->lab->control->generation;
    const struct vnrs_spk_hello hello = {.generation = instance->generation, .pid = getpid()};
    int r = vnrs_instance_send(instance, VNRS_SPK_HELLO, &hello, 1, sizeof(hello));

    return r < 0 ? r : send_config(instance);
}

static int start_channel(struct vnrs_instance *instance)
{
    static const struct vnrs_chan_ops ops = {.message = on_message, .lost = on_lost};

    instance->chan =
        vnrs_chan_new(instance->lab->control->base, TAKE_FD(instance->fd), VNRS_SPEAKER_MSG_MAX, &ops, instance);
    return instance->chan ? greet(instance) : -ENOMEM;
}

static struct vnrs_instance *new_instance(struct vnrs_lab *lab, const char *key)
{
    struct vnrs_instance *instance = calloc(1, sizeof(*instance));

    if (!instance)
        return NULL;
    instance->lab = lab;
    instance->fd = -1;
    vnrs_str_copy(instance->key, sizeof(instance->key), key);
    instance->timer = evtimer_new(lab->control->base, on_wait_end, instance);
    if (!instance->timer || vec_push(&lab->instances, instance) < 0) {
        vnrs_instance_free(instance);
        return NULL;
    }
    return instance;
}

void vnrs_instance_attach(struct vnrs_lab *lab, const char *key, int fd)
{
    struct vnrs_instance *instance = vnrs_instance_find(lab, key);

    if (!instance)
        instance = new_instance(lab, key);
    if (!instance) {
        (void)close(fd);
        return;
    }
    if (instance->chan)
        speaker_gone(instance);
    if (instance->fd >= 0)
        (void)close(instance->fd);
    instance->fd = fd;
    int r = instance->speaker ? start_channel(instance) : 0;
    if (r < 0)
        log_errno_ret(r, "lab '%s': cannot configure speaker '%s'", lab->name, key);
}

// ---- where its routes go

static void forget_routes(struct vnrs_instance *instance)
{
    int r = 0;

    for (unsigned i = 0; i < instance->n_outlets && r == 0; i++)
        r = vnrs_learned_sweep(instance->outlets[i].db, instance->outlets[i].number, true);
    if (r < 0)
        log_error("lab '%s': out of memory: old routes of '%s' stay", instance->lab->name, instance->key);
}

static void close_outlets(struct vnrs_instance *instance)
{
    forget_routes(instance);
    while (instance->n_outlets)
        vnrs_outlet_fini(&instance->outlets[--instance->n_outlets]);
}

static int make_outlet(struct vnrs_lab *lab, const char *key, enum vnrs_hub_preference preference, unsigned number,
                       struct vnrs_outlet *ret)
{
    const struct vnrs_lab_routes *routes = vnrs_lab_routes_get(lab, key);

    if (!routes)
        return -ENOMEM;
    *ret = (struct vnrs_outlet){.db = routes->db, .number = number};
    return vnrs_learned_prefer(routes->db, preference);
}

// With a Route Server beside it, a gateway does not spread flows over its circuits (azure-routing.md 5.6).
static int add_circuits(const struct vnrs_model *m, const struct vnrs_speaker *speaker, struct vnrs_outlet *outlet)
{
    bool has_server = false;
    size_t n = 0;
    int r = 0;

    list_foreach (rs, &m->route_servers)
        has_server |= rs->vnet == speaker->hub;
    list_foreach (c, &m->connections)
        n += c->gateway == speaker->gateway;
    if (!has_server || n < 2)
        return 0;
    list_foreach (c, &m->connections) {
        for (unsigned i = 0; c->gateway == speaker->gateway && i < ARRAY_SIZE(c->links) && r == 0; i++)
            r = vec_push(&outlet->circuits, (struct vnrs_outlet_circuit){c->links[i].nic->ips.items[0], c->id});
    }
    return r;
}

static int make_outlets(struct vnrs_lab *lab, const struct vnrs_speaker *speaker,
                        struct vnrs_outlet outlets[static VNRS_INSTANCE_OUTLETS_MAX], unsigned *ret_n)
{
    const struct vnrs_addr *self = &speaker->config.local;
    unsigned n = 0;
    int r = 0;

    if (speaker->in_hub) {
        r = make_outlet(lab, speaker->hub->name, vnrs_hub_preference_of(lab->model, speaker->hub),
                        vnrs_learned_number(speaker->class, speaker->index), &outlets[n]);
        if (speaker->is_next_hop)
            outlets[n].hops = VNRS_OUTLET_TO_SELF, outlets[n].self = *self;
        if (r == 0 && speaker->class == VNRS_LEARNED_ER)
            r = add_circuits(lab->model, speaker, &outlets[n]);
        n++;
    }
    if (r == 0 && speaker->domain) {
        r = make_outlet(lab, speaker->domain, VNRS_HRP_EXPRESSROUTE, 0, &outlets[n]);
        outlets[n].hops = VNRS_OUTLET_NOT_SELF, outlets[n].self = *self;
        n++;
    }
    *ret_n = n;
    return r;
}

static bool same_circuits(const struct vnrs_outlet *a, const struct vnrs_outlet *b)
{
    bool same = a->circuits.len == b->circuits.len;

    for (size_t i = 0; same && i < a->circuits.len; i++) {
        const struct vnrs_outlet_circuit *x = &a->circuits.items[i], *y = &b->circuits.items[i];
        same = x->circuit == y->circuit && vnrs_addr_equal(&x->next_hop, &y->next_hop);
    }
    return same;
}

static bool has_outlets(const struct vnrs_instance *instance, const struct vnrs_outlet *outlets, unsigned n)
{
    bool same = instance->n_outlets == n;

    for (unsigned i = 0; same && i < n; i++) {
        const struct vnrs_outlet *a = &instance->outlets[i], *b = &outlets[i];
        same = a->db == b->db && a->number == b->number && a->hops == b->hops && vnrs_addr_equal(&a->self, &b->self);
    }
    return same;
}

// True: what the instance says would be taken differently.
static bool swap_circuits(struct vnrs_instance *instance, struct vnrs_outlet *outlets)
{
    bool changed = false;

    for (unsigned i = 0; i < instance->n_outlets; i++) {
        struct vnrs_outlet *have = &instance->outlets[i], old = *have;
        if (same_circuits(have, &outlets[i]))
            continue;
        have->circuits = outlets[i].circuits;
        outlets[i].circuits = old.circuits;
        changed = true;
    }
    return changed;
}

// The instance is of this speaker of the model from now on. `*ret_moved`: it has to say its routes again. Where they go
// elsewhere than before, those that it said are gone.
static int bind_speaker(struct vnrs_instance *instance, const struct vnrs_speaker *speaker, bool *ret_moved)
{
    struct vnrs_outlet outlets[VNRS_INSTANCE_OUTLETS_MAX] = {0};
    unsigned n = 0;
    int r = make_outlets(instance->lab, speaker, outlets, &n);

    if (r == 0) {
        instance->speaker = speaker;
        *ret_moved = !has_outlets(instance, outlets, n);
    }
    if (r == 0 && *ret_moved) {
        close_outlets(instance);
        memcpy(instance->outlets, outlets, sizeof(outlets));
        instance->n_outlets = n;
        return 0;
    }
    if (r == 0)
        *ret_moved = swap_circuits(instance, outlets);
    for (unsigned i = 0; i < n; i++)
        vnrs_outlet_fini(&outlets[i]);
    return r;
}

// ---- the model changed

static int update(struct vnrs_lab *lab, const struct vnrs_speaker *speaker)
{
    struct vnrs_instance *instance = vnrs_instance_find(lab, speaker->key);
    bool moved = false;

    if (!instance && !(instance = new_instance(lab, speaker->key)))
        return -ENOMEM;
    int r = bind_speaker(instance, speaker, &moved);
    if (r < 0)
        return r;
    if (instance->fd >= 0)
        return start_channel(instance);
    if (!instance->chan)
        return 0;
    return moved ? greet(instance) : send_config(instance);
}

void vnrs_instances_update(struct vnrs_lab *lab)
{
    for (size_t i = lab->instances.len; i-- > 0;) {
        if (vnrs_speakers_find(&lab->speakers, lab->instances.items[i]->key))
            continue;
        vnrs_instance_free(lab->instances.items[i]);
        memmove(&lab->instances.items[i], &lab->instances.items[i + 1],
                (--lab->instances.len - i) * sizeof(*lab->instances.items));
    }
    vec_foreach (speaker, &lab->speakers.list) {
        int r = update(lab, speaker);
        if (r < 0)
            log_errno_ret(r, "lab '%s': cannot configure speaker '%s'", lab->name, speaker->key);
    }
    vnrs_lab_routes_prune(lab);
}

void vnrs_instance_free(struct vnrs_instance *instance)
{
    vnrs_chan_free(instance->chan);
    if (instance->fd >= 0)
        (void)close(instance->fd);
    vnrs_instance_end_queries(instance, -ECONNRESET);
    vnrs_instance_end_dumps(instance, -ECONNRESET);
    forget_configured(instance);
    vec_free(&instance->configured);
    close_outlets(instance);
    vec_free(&instance->peers);
    vec_free(&instance->queries);
    vec_free(&instance->dumps);
    if (instance->timer)
        event_free(instance->timer);
    free(instance);
}

void vnrs_instance_exited(struct vnrs_lab *lab, const char *key)
{
    struct vnrs_instance *instance = vnrs_instance_find(lab, key);

    if (instance && instance->chan)
        speaker_gone(instance);
}

struct vnrs_instance *vnrs_instance_find(const struct vnrs_lab *lab, const char *key)
{
    vec_foreach (instance, &lab->instances) {
        if (strcmp((*instance)->key, key) == 0)
            return *instance;
    }
    return NULL;
}

const struct vnrs_spk_peer *vnrs_instance_find_peer(const struct vnrs_instance *instance, const char *name)
{
    vec_foreach (peer, &instance->peers) {
        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}

bool vnrs_instances_converged(const struct vnrs_lab *lab)
{
    vec_foreach (instance, &lab->instances) {
        if ((*instance)->speaker && !(*instance)->converged)
            return false;
    }
    return true;
}

// ---- questions

int vnrs_instance_query(struct vnrs_instance *instance, const struct vnrs_spk_query *query,
                        const struct vnrs_spk_pending *pending)
{
    struct vnrs_spk_query out = *query;
    struct vnrs_spk_pending entry = *pending;

    if (!instance->chan || !instance->hello)
        return -ENOTCONN;
    out.id = entry.id = ++instance->lab->control->query_id;
    entry.asked_ms = vnrs_clock_ms();
    int r = vec_push(&instance->queries, entry);
    if (r < 0)
        return r;
    r = vnrs_instance_send(instance, VNRS_SPK_QUERY, &out, 1, sizeof(out));
    if (r < 0)
        instance->queries.len--;
    return r;
}

int vnrs_instance_action(struct vnrs_instance *instance, enum vnrs_spk_action_kind kind, const char *peer,
                         const char *text)
{
    struct vnrs_spk_action action = {.kind = kind};

    vnrs_str_copy(action.peer, sizeof(action.peer), peer);
    vnrs_str_copy(action.text, sizeof(action.text), text);
    vnrs_utf8_trim(action.text);
    return instance->hello ? vnrs_instance_send(instance, VNRS_SPK_ACTION, &action, 1, sizeof(action)) : -ENOTCONN;
}
