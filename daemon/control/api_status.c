// SPDX-License-Identifier: GPL-2.0-or-later
// Is the lab what the file says? Conditions, progress, errors.
#include "control/api.h"
#include "control/links.h"
#include "control/outside.h"
#include "control/state.h"

#include "util/utf8.h"

#include <stdio.h>
#include <string.h>

struct condition {
    bool ok;
    bool hidden; // the lab has nothing of the kind
    char text[256];
};

static void check_objects(const struct vnrs_lab *lab, struct condition *c)
{
    size_t wanted = lab->desired.objects.len, good = 0;

    vec_foreach (object, &lab->desired.objects) {
        const struct vnrs_obj_state *state = vnrs_objects_find(lab, object->type, object->key);
        good += state && state->spec && !state->error;
    }
    c->ok = lab->model && !lab->next && !lab->build_error && lab->stage == VNRS_LAB_IDLE && good == wanted;
    if (lab->build_error)
        (void)snprintf(c->text, sizeof(c->text), "%s", lab->build_error);
    else
        (void)snprintf(c->text, sizeof(c->text), "%zu of %zu objects are as wanted%s", good, wanted,
                       good == wanted && !c->ok ? "; being checked" : "");
}

static void check_daemons(const struct vnrs_lab *lab, struct condition *c)
{
    size_t wanted = 0, good = 0;
    const char *missing = NULL;

    vec_foreach (object, &lab->desired.objects) {
        if (object->type != VNRS_OBJ_PROC)
            continue;
        const struct vnrs_obj_state *state = vnrs_objects_find(lab, object->type, object->key);
        wanted++;
        if (state && state->spec && state->running)
            good++;
        else
            missing = object->key;
    }
    c->ok = lab->model && good == wanted;
    (void)snprintf(c->text, sizeof(c->text), "%zu of %zu run%s%s", good, wanted, missing ? "; not yet: " : "",
                   missing ? missing : "");
}

enum telling { TELLS_NOTHING, TELLS_REFUSED, TELLS_REASON };

// What is counted of the sessions.
struct sessions {
    size_t wanted, good;
    size_t quiet;      // Established, but the peer has not said all yet
    enum telling told; // by `missing`
    char missing[192];
};

// Why a session is not there: nothing is known, a connection was refused (as by every daemon that just starts), more.
static enum telling how_telling(const char *error)
{
    if (!*error)
        return TELLS_NOTHING;
    return strncmp(error, VNRS_CANNOT_CONNECT, strlen(VNRS_CANNOT_CONNECT)) == 0 ? TELLS_REFUSED : TELLS_REASON;
}

static void count_session(struct sessions *s, const struct vnrs_speaker *speaker, const char *name,
                          const struct vnrs_spk_peer *peer)
{
    const char *error = peer ? peer->last_error : "";

    s->wanted++;
    if (peer && peer->state == VNRS_BGP_ST_ESTABLISHED) {
        s->good++;
        s->quiet += !peer->eor;
    } else if (!s->missing[0] || how_telling(error) > s->told) {
        s->told = how_telling(error); // the first that says most
        (void)snprintf(s->missing, sizeof(s->missing), "; not yet: %s/%s instance %u%s%.100s", speaker->owner, name,
                       speaker->index, *error ? ": " : "", error);
        vnrs_utf8_trim(s->missing);
    }
}

static void check_sessions(const struct vnrs_lab *lab, struct condition *c, size_t *ret_quiet)
{
    struct sessions s = {0};

    vec_foreach (speaker, &lab->speakers.list) {
        const struct vnrs_instance *instance = vnrs_instance_find(lab, speaker->key);
        vec_foreach (config, &speaker->peers)
            count_session(&s, speaker, config->name, instance ? vnrs_instance_find_peer(instance, config->name) : NULL);
    }
    c->ok = lab->model && s.good == s.wanted;
    (void)snprintf(c->text, sizeof(c->text), "%zu of %zu sessions are Established%s", s.good, s.wanted, s.missing);
    vnrs_utf8_trim(c->text);
    *ret_quiet = s.quiet;
}

static void check_routes(const struct vnrs_lab *lab, struct condition *c, size_t quiet)
{
    bool behind = lab->fib_behind || lab->fib_settling;

    c->ok = lab->model && vnrs_lab_is_reached(lab) && !lab->dirty && !lab->fib_outstanding && !behind &&
            !lab->fib_error && !lab->fib_hold && !quiet;
    if (lab->fib_error)
        (void)snprintf(c->text, sizeof(c->text), "%s", lab->fib_error);
    else if (lab->failed)
        (void)snprintf(c->text, sizeof(c->text), "%zu routes are programmed; objects are missing",
                       vnrs_fib_routes(lab->fib));
    else if (lab->fib_hold)
        (void)snprintf(c->text, sizeof(c->text), "kept from before the restart until the BGP sessions are back");
    else if (quiet)
        (void)snprintf(c->text, sizeof(c->text), "%zu sessions have not sent all their routes yet", quiet);
    else
        (void)snprintf(c->text, sizeof(c->text), "%zu routes are programmed%s", vnrs_fib_routes(lab->fib),
                       behind ? "; machines' own tables follow" : "");
}

// Every tunnel shall be up: a gateway with one that is down has lost a half of what it is there for.
static void check_tunnels(const struct vnrs_lab *lab, struct condition *c)
{
    size_t wanted = 0, good = 0;
    char missing[160] = "";

    for (size_t n = 0; lab->model && n < lab->model->connections.len; n++) {
        const struct vnrs_connection *connection = &lab->model->connections.items[n];
        for (unsigned i = 0; connection->type == VNRS_CONNECTION_IPSEC && i < connection->gateway->n_instances; i++) {
            const char *why = "";
            bool up = vnrs_tunnel_state(lab, connection, i, &why) == VNRS_TUNNEL_UP;
            wanted++;
            good += up;
            if (!up && !missing[0])
                (void)snprintf(missing, sizeof(missing), "; not yet: %s of %s instance %u: %s", connection->name,
                               connection->gateway->name, i, why);
        }
    }
    c->ok = good == wanted;
    c->hidden = !wanted;
    (void)snprintf(c->text, sizeof(c->text), "%zu of %zu tunnels are up%s", good, wanted, missing);
}

enum { OBJECTS, DAEMONS, TUNNELS, SESSIONS, ROUTES, N_CONDITIONS };

static bool check_all(const struct vnrs_lab *lab, struct condition c[static N_CONDITIONS])
{
    size_t quiet;

    check_objects(lab, &c[OBJECTS]);
    check_daemons(lab, &c[DAEMONS]);
    check_tunnels(lab, &c[TUNNELS]);
    check_sessions(lab, &c[SESSIONS], &quiet);
    check_routes(lab, &c[ROUTES], quiet);
    bool ok = true;
    for (size_t i = 0; i < N_CONDITIONS; i++)
        ok &= c[i].ok;
    return ok;
}

bool vnrs_api_lab_is_ready(struct vnrs_lab *lab)
{
    struct condition c[N_CONDITIONS] = {0};
    return check_all(lab, c);
}

static json_t *errors_json(const struct vnrs_lab *lab)
{
    json_t *list = json_array();
    const struct vnrs_map_entry *e;

    if (lab->build_error)
        (void)json_array_append_new(list, json_string(lab->build_error));
    if (lab->fib_error)
        (void)json_array_append_new(list, json_string(lab->fib_error));
    if (lab->record_error)
        (void)json_array_append_new(list, json_string(lab->record_error));
    if (lab->list_error)
        (void)json_array_append_new(list, json_string(lab->list_error));
    for (size_t at = 0; json_array_size(list) < 100 && (e = vnrs_map_next(&lab->objects, &at));) {
        const struct vnrs_obj_state *object = e->value;
        if (object->error)
            (void)json_array_append_new(list, json_string(object->error));
    }
    return list;
}

void vnrs_api_status(struct vnrs_api_call *call)
{
    static const char *const names[] = {"objects", "daemons", "tunnels", "bgp", "routes"};
    static const char *const steps[] = {"done", "reading what exists", "making objects", "removing objects"};
    struct vnrs_lab *lab = call->lab;
    struct condition c[N_CONDITIONS] = {0};
    bool ready = check_all(lab, c);
    json_t *conditions = json_array();

    for (size_t i = 0; i < N_CONDITIONS; i++) {
        if (!c[i].hidden)
            (void)json_array_append_new(
                conditions, json_pack("{s:s, s:b, s:s}", "name", names[i], "ok", c[i].ok, "text", c[i].text));
    }
    const char *step = steps[lab->stage];
    for (size_t i = 0; lab->stage == VNRS_LAB_IDLE && !ready && i < N_CONDITIONS; i++) {
        if (!c[i].ok) {
            step = names[i];
            break;
        }
    }
    vnrs_api_reply(call, 200,
                   json_pack("{s:s, s:I, s:I, s:b, s:o, s:{s:I, s:I, s:s}, s:o, s:o}", "lab", lab->name, "generation",
                             (json_int_t)lab->generation, "reached", (json_int_t)lab->reached, "ready", ready,
                             "conditions", conditions, "progress", "done", (json_int_t)lab->work_done, "total",
                             (json_int_t)lab->work_total, "step", step, "errors", errors_json(lab), "links",
                             vnrs_links_json(lab)));
}
