// SPDX-License-Identifier: GPL-2.0-or-later
// Life of a lab: apply, restore, check and destroy are passes of the same kind: read actual state (LIST), compute
// desired state, request the difference, program the sinks. A pass that leaves failures behind is tried again later.
#include "control/api.h"
#include "control/links.h"
#include "control/state.h"

#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETRY_FIRST_MS 500u
#define RETRY_LAST_MS  15000u
#define CHECK_MS       200u  // at most one check of a lab in this time
#define CHECK_CALM_MS  250   // after a short pass: what happens then, it did not cause
#define CHECK_LAST_MS  1600u // and in this time, when every check leads to the next

static void begin_pass(struct vnrs_lab *lab);

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    begin_pass(arg);
}

static void on_recompute(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_lab *lab = arg;

    (void)fd, (void)what;
    if (lab->model) {
        int r = vnrs_lab_compute(lab);
        if (r < 0)
            log_errno_ret(r, "lab '%s': cannot compute routes", lab->name);
    }
}

static void on_hold_end(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_lab *lab = arg;

    (void)fd, (void)what;
    if (lab->fib_hold)
        log_warn("lab '%s': not every BGP session came back; going on without", lab->name);
    vnrs_lab_release_hold(lab);
}

struct vnrs_lab *vnrs_lab_new(struct vnrs_control *control, const char *name)
{
    struct vnrs_lab *lab = calloc(1, sizeof(*lab));

    if (!lab)
        return NULL;
    lab->control = control;
    vnrs_str_copy(lab->name, sizeof(lab->name), name);
    lab->ids = vnrs_ids_new();
    lab->fib = vnrs_fib_state_new(&lab->prefixes);
    lab->retry = evtimer_new(control->base, on_retry, lab);
    lab->recompute = evtimer_new(control->base, on_recompute, lab);
    lab->hold_timer = evtimer_new(control->base, on_hold_end, lab);
    lab->fib_retry = evtimer_new(control->base, vnrs_lab_on_fib_retry, lab);
    lab->damped = evtimer_new(control->base, vnrs_lab_on_damped, lab);
    lab->fib_sync = lab->fib_lost = true;
    if (!lab->ids || !lab->fib || !lab->retry || !lab->recompute || !lab->hold_timer || !lab->fib_retry ||
        !lab->damped || vec_push(&control->labs, lab) < 0) {
        vnrs_lab_free(lab);
        return NULL;
    }
    return lab;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static void free_model(struct vnrs_lab *lab)
{
    vec_clear(&lab->domains);
    vnrs_routing_free(lab->routing);
    vnrs_reach_free(lab->reach);
    vnrs_desired_fini(&lab->desired);
    vec_foreach (instance, &lab->instances)
        (*instance)->speaker = NULL;
    vnrs_speakers_fini(&lab->speakers);
    vnrs_model_free(lab->model);
    lab->routing = NULL;
    lab->reach = NULL;
    lab->model = NULL;
}

void vnrs_lab_free(struct vnrs_lab *lab)
{
    struct vnrs_control *control = lab->control;
    const struct vnrs_map_entry *e;

    for (size_t i = 0; i < control->labs.len; i++) {
        if (control->labs.items[i] == lab) {
            memmove(&control->labs.items[i], &control->labs.items[i + 1],
                    (--control->labs.len - i) * sizeof(*control->labs.items));
            break;
        }
    }
    vnrs_flows_end(lab);
    vnrs_links_fini(lab);
    if (control->agent)
        vnrs_agent_cancel(control->agent, lab);
    vnrs_probes_free(lab);
    while (lab->instances.len)
        vnrs_instance_free(lab->instances.items[--lab->instances.len]);
    vec_free(&lab->instances);
    vnrs_lab_routes_prune(lab);
    vec_free(&lab->routes);
    vec_free(&lab->domains);
    for (size_t at = 0; (e = vnrs_map_next(&lab->objects, &at));)
        vnrs_objects_drop(lab, e->value);
    vnrs_map_fini(&lab->objects);
    free_event(lab->retry);
    free_event(lab->recompute);
    free_event(lab->hold_timer);
    free_event(lab->fib_retry);
    free_event(lab->damped);
    free_model(lab);
    vnrs_model_free(lab->next);
    vnrs_fib_state_free(lab->fib);
    vnrs_prefixes_fini(&lab->prefixes);
    vnrs_ids_free(lab->ids);
    json_decref(lab->files);
    vec_free(&lab->destroyers);
    free(lab->file);
    free(lab->source);
    free(lab->build_error);
    free(lab->list_error);
    free(lab->fib_error);
    free(lab->record);
    free(lab->record_error);
    free(lab);
}

// ---- model

static json_t *loading_files; // of the vnrs_lab_load that runs: the loader's callback has no argument

static int load_file(const char *path, char **ret_text)
{
    const char *text = json_string_value(json_object_get(loading_files, path));

    if (!text)
        return -ENOENT;
    char *copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    *ret_text = copy;
    return 0;
}

struct vnrs_model *vnrs_lab_load(const char *file, const char *source, json_t *files, struct vnrs_diags *diags)
{
    loading_files = files;
    struct vnrs_model *model = vnrs_model_load(file, source, strlen(source), load_file, diags);
    loading_files = NULL;
    return model;
}

static int keep_text(char **kept, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        return -ENOMEM;
    free(*kept);
    *kept = copy;
    return 0;
}

int vnrs_lab_apply(struct vnrs_lab *lab, const char *file, const char *source, json_t *files, struct vnrs_model *model)
{
    int r = keep_text(&lab->file, file);

    if (r == 0)
        r = keep_text(&lab->source, source);
    if (r < 0) {
        vnrs_model_free(model);
        return r;
    }
    json_decref(lab->files);
    lab->files = files ? json_incref(files) : NULL;
    vnrs_model_free(lab->next);
    lab->next = model;
    lab->generation++;
    lab->retries = 0;
    vnrs_event_add(lab->control, lab, "apply", "generation %llu of '%s' accepted", (unsigned long long)lab->generation,
                   file);
    begin_pass(lab);
    return 0;
}

void vnrs_lab_restore(struct vnrs_lab *lab, const char *record)
{
    struct vnrs_arena *arena = vnrs_arena_new();
    struct vnrs_diags diags = {.arena = arena};
    int r = arena ? vnrs_record_parse(lab, record) : -ENOMEM;

    if (r == 0) {
        lab->next = vnrs_lab_load(lab->file, lab->source, lab->files, &diags);
        if (!lab->next) {
            const char *why = diags.list.len ? diags.list.items[0].message : "out of memory";
            log_error("lab '%s': the recorded file is not valid any more: %s", lab->name, why);
            (void)keep_text(&lab->build_error, "the recorded file is not valid any more; apply it again");
        }
    } else {
        log_errno_ret(r, "lab '%s': cannot read the record; apply the file again", lab->name);
        (void)keep_text(&lab->build_error, "the record cannot be read; apply the file again");
    }
    vnrs_diags_fini(&diags);
    vnrs_arena_free(arena);
    if (lab->next && (lab->next->route_servers.len || lab->next->gateways.len)) {
        const struct timeval wait = {VNRS_STALE_WAIT_MS / 1000, 0};
        lab->fib_hold = true;
        (void)evtimer_add(lab->hold_timer, &wait);
    }
}

// ---- a pass

static void schedule(struct vnrs_lab *lab, unsigned ms)
{
    const struct timeval when = {ms / 1000, (ms % 1000) * 1000};
    uint64_t at_ms = vnrs_clock_ms() + ms;

    // The earlier one counts: what is wrong and tried again late must not hold up what has just happened.
    if (evtimer_pending(lab->retry, NULL) && lab->retry_at_ms <= at_ms)
        return;
    lab->retry_at_ms = at_ms;
    (void)evtimer_add(lab->retry, &when);
}

unsigned vnrs_lab_backoff_ms(unsigned tries)
{
    return MIN(RETRY_FIRST_MS << MIN(tries, 5u), RETRY_LAST_MS);
}

static void schedule_retry(struct vnrs_lab *lab)
{
    schedule(lab, vnrs_lab_backoff_ms(lab->retries++));
}

void vnrs_lab_keep_error(struct vnrs_lab *lab, char **kept, const char *text)
{
    if (*kept && strcmp(*kept, text) == 0)
        return;
    log_error("lab '%s': %s", lab->name, text);
    vnrs_event_add(lab->control, lab, "error", "%s", text);
    (void)keep_text(kept, text);
}

void vnrs_lab_clear_error(char **kept)
{
    free(*kept);
    *kept = NULL;
}

void vnrs_lab_note_error(struct vnrs_lab *lab, char **kept, const char *text)
{
    vnrs_lab_keep_error(lab, kept, text);
    lab->failed++;
    if (lab->stage == VNRS_LAB_IDLE)
        schedule_retry(lab);
}

static int build(struct vnrs_lab *lab)
{
    struct vnrs_model *model = lab->next ? lab->next : lab->model;
    const struct vnrs_room room = vnrs_room_of(model->dataplane);
    struct vnrs_routing *routing = vnrs_routing_compute(model, NULL, 0);
    struct vnrs_reach *reach = vnrs_reach_new(model);
    struct vnrs_desired desired = {0};
    struct vnrs_speakers speakers = {0};
    char error[256] = "out of memory";
    int r = routing && reach ? vnrs_speakers_make(model, &speakers) : -ENOMEM;

    if (r == 0)
        r = vnrs_room_check(&room, model, routing, reach, error);
    if (r == 0)
        r = vnrs_desired_make(model, routing, lab->ids, error, &desired);
    if (r == 0 && (r = vnrs_links_apply(lab, model, &desired)) < 0)
        vnrs_desired_fini(&desired);
    if (r < 0) {
        vnrs_speakers_fini(&speakers);
        vnrs_routing_free(routing);
        vnrs_reach_free(reach);
        vnrs_lab_keep_error(lab, &lab->build_error, error);
        return r;
    }
    lab->next = NULL;
    if (model == lab->model)
        lab->model = NULL; // free_model must not take it
    free_model(lab);
    lab->model = model;
    lab->reach = reach;
    lab->routing = routing;
    lab->desired = desired;
    lab->speakers = speakers;
    lab->fib_items = true;
    vnrs_fib_room_set(lab->fib, &room);
    lab->renumbered = false;
    vnrs_lab_clear_error(&lab->build_error);
    return vnrs_probes_update(lab);
}

static void end_pass(struct vnrs_lab *lab)
{
    lab->stage = VNRS_LAB_IDLE;
    lab->passed_ms = vnrs_clock_ms();
    lab->fib_ready = true;
    if (lab->failed) {
        schedule_retry(lab);
    } else {
        lab->retries = 0;
        vnrs_ids_prune(lab->ids);
    }
    vnrs_lab_dirty(lab);
    vnrs_probes_start(lab);
    vnrs_links_pass_ended(lab);
    if (lab->again)
        begin_pass(lab);
}

static void end_removal(struct vnrs_lab *lab);
static void fail_removal(struct vnrs_lab *lab);

void vnrs_lab_request_done(struct vnrs_lab *lab)
{
    lab->work_done++;
    if (lab->work_done < lab->work_total)
        return;
    if (lab->stage == VNRS_LAB_REMOVING)
        end_removal(lab);
    else if (lab->stage == VNRS_LAB_WORKING)
        end_pass(lab);
}

static void work(struct vnrs_lab *lab)
{
    bool changed = lab->next != NULL || lab->renumbered || lab->relink;
    int r = 0;

    lab->passes++;

    lab->failed = 0;
    if (changed || !lab->desired.arena) {
        r = build(lab);
        lab->record_due |= r == 0;
        vnrs_instances_update(lab);
    }
    if (r == 0 && lab->record_due)
        r = vnrs_record_store(lab);
    lab->stage = VNRS_LAB_WORKING;
    int n = r == 0 ? vnrs_objects_request(lab) : r;
    if (n < 0)
        lab->failed++;
    if (n > 0 && lab->work_done < lab->work_total)
        return;
    end_pass(lab);
}

static void on_listed(struct vnrs_agent_request *request, enum vnrs_agent_msg type, const void *items, size_t n)
{
    if (type == VNRS_AG_OBJECT)
        vnrs_objects_list(request->owner, items, n);
}

static void drop_unlisted(struct vnrs_lab *lab)
{
    const struct vnrs_map_entry *e;

    for (size_t at = 0; (e = vnrs_map_next(&lab->objects, &at));) {
        struct vnrs_obj_state *object = e->value;
        if (!object->listed)
            vnrs_objects_unlist(lab, object);
    }
}

static void on_list_end(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;

    if (reply->error < 0) {
        char text[512];
        (void)snprintf(text, sizeof(text), "cannot read what exists: %s", reply->text);
        vnrs_lab_keep_error(lab, &lab->list_error, text);
        lab->failed = 1;
        lab->stage = VNRS_LAB_IDLE;
        if (lab->destroyers.len)
            fail_removal(lab);
        else
            schedule_retry(lab);
        return;
    }
    vnrs_lab_clear_error(&lab->list_error);
    drop_unlisted(lab);
    if (lab->destroyers.len) {
        lab->stage = VNRS_LAB_REMOVING;
        lab->failed = 0;
        lab->removed = 0;
        int n = vnrs_objects_request_removal(lab);
        if (n <= 0) {
            lab->failed += n < 0;
            end_removal(lab);
        }
    } else if (lab->next || lab->model) {
        work(lab);
    } else {
        lab->stage = VNRS_LAB_IDLE; // leftovers that nobody asked for: `destroy` removes them
    }
}

static void begin_pass(struct vnrs_lab *lab)
{
    struct vnrs_agent_request request = {.type = VNRS_AG_LIST, .owner = lab, .items = on_listed, .done = on_list_end};
    struct vnrs_ag_lab body = {0};
    const struct vnrs_map_entry *e;

    if (lab->stage != VNRS_LAB_IDLE) {
        lab->again = true;
        return;
    }
    (void)evtimer_del(lab->retry);
    lab->again = lab->check_due = false;
    lab->last_pass_ms = vnrs_clock_ms();
    for (size_t at = 0; (e = vnrs_map_next(&lab->objects, &at));)
        ((struct vnrs_obj_state *)e->value)->listed = false;
    vnrs_str_copy(body.lab, sizeof(body.lab), lab->name);
    lab->stage = VNRS_LAB_LISTING;
    if (vnrs_agent_send(lab->control->agent, &request, &body, sizeof(body), NULL, 0) < 0) {
        lab->stage = VNRS_LAB_IDLE;
        schedule_retry(lab);
    }
}

void vnrs_lab_check(struct vnrs_lab *lab, bool suspect)
{
    const struct vnrs_map_entry *e;
    uint64_t since = vnrs_clock_ms() - lab->last_pass_ms,
             took = lab->passed_ms - MIN(lab->last_pass_ms, lab->passed_ms);

    for (size_t at = 0; suspect && (e = vnrs_map_next(&lab->objects, &at));) {
        struct vnrs_obj_state *object = e->value;
        free(object->spec);
        object->spec = NULL;
        object->spec_size = 0;
    }
    lab->fib_sync |= suspect;
    if (lab->stage != VNRS_LAB_IDLE) {
        lab->again = true;
        return;
    }
    // Somebody who undoes what we do would be answered as fast as he can: each time we wait longer.
    if (!lab->check_due)
        lab->check_gap_ms = vnrs_clock_ms() - lab->passed_ms >= MAX(2 * took, (uint64_t)CHECK_CALM_MS)
                                ? CHECK_MS
                                : MAX(MIN(MAX(2 * lab->check_gap_ms, CHECK_MS), CHECK_LAST_MS), 2 * (unsigned)took);
    lab->check_due = true;
    schedule(lab, since >= lab->check_gap_ms ? 0 : (unsigned)(lab->check_gap_ms - since));
}

void vnrs_lab_relink(struct vnrs_lab *lab)
{
    lab->relink = true;
    begin_pass(lab);
}

bool vnrs_lab_is_reached(const struct vnrs_lab *lab)
{
    return lab->reached >= lab->generation && lab->generation;
}

// ---- destroy

static void answer_destroyers(struct vnrs_lab *lab, bool found)
{
    const char *error = lab->list_error;
    const struct vnrs_map_entry *e;

    for (size_t at = 0; !error && (e = vnrs_map_next(&lab->objects, &at));)
        error = ((struct vnrs_obj_state *)e->value)->error;
    vec_foreach (call, &lab->destroyers) {
        if (lab->failed)
            vnrs_api_error(*call, 500, "failed", "not everything could be removed",
                           error ? error : "try again, or see the daemon's log");
        else if (!found)
            vnrs_api_error(*call, 404, "not-found", "there is no such lab", "`vnrs list` shows the labs");
        else
            vnrs_api_reply(*call, 200, json_pack("{s:I}", "removed", (json_int_t)lab->removed));
    }
    vec_clear(&lab->destroyers);
}

// What is left waits for the next destroy, or for an apply. It is not made whole again meanwhile.
static void fail_removal(struct vnrs_lab *lab)
{
    lab->failed++;
    answer_destroyers(lab, true);
    lab->stage = VNRS_LAB_IDLE;
    lab->again = false;
    if (!lab->generation) {
        vnrs_lab_free(lab);
        return;
    }
    free_model(lab);
    vnrs_instances_update(lab);
    lab->fib_sync = lab->fib_lost = true;
    (void)keep_text(&lab->build_error, "not everything could be removed; destroy the lab again, or apply its file");
}

static void on_record_removed(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;
    bool found = lab->removed || lab->generation;

    if (reply->error < 0) {
        log_error("lab '%s': the record cannot be removed: %s", lab->name, reply->text);
        fail_removal(lab);
        return;
    }
    if (found)
        vnrs_event_add(lab->control, lab, "destroy", "%zu objects removed", lab->removed);
    answer_destroyers(lab, found);
    vnrs_lab_free(lab);
}

static void end_removal(struct vnrs_lab *lab)
{
    struct vnrs_agent_request request = {.type = VNRS_AG_RECORD, .owner = lab, .done = on_record_removed};
    struct vnrs_ag_record record = {0};

    vnrs_str_copy(record.lab, sizeof(record.lab), lab->name);
    if (lab->failed || vnrs_agent_send(lab->control->agent, &request, &record, sizeof(record), NULL, 0) < 0)
        fail_removal(lab);
}

void vnrs_lab_destroy(struct vnrs_lab *lab)
{
    lab->fib_ready = false;
    lab->dirty = false;
    vnrs_probes_free(lab);
    (void)evtimer_del(lab->recompute);
    (void)evtimer_del(lab->fib_retry);
    vnrs_model_free(lab->next);
    lab->next = NULL;
    begin_pass(lab);
}
