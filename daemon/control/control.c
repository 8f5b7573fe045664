// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/control.h"

#include "control/api.h"
#include "control/logged.h"
#include "control/sandbox.h"
#include "control/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sched.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

struct vnrs_lab *vnrs_control_find_lab(struct vnrs_control *control, const char *name)
{
    vec_foreach (lab, &control->labs) {
        if (strcmp((*lab)->name, name) == 0)
            return *lab;
    }
    return NULL;
}

// ---- what the agent says unasked

static void on_record(void *ctx, const struct vnrs_ag_record *record, const void *data, size_t len)
{
    vnrs_record_piece(ctx, record, data, len);
}

static void on_speaker(void *ctx, const struct vnrs_ag_speaker *speaker, int fd)
{
    struct vnrs_lab *lab = vnrs_control_find_lab(ctx, speaker->obj.lab);

    if (!lab) {
        log_warn("a speaker of lab '%s', which is not known", speaker->obj.lab);
        (void)close(fd);
        return;
    }
    log_debug("lab '%s': speaker '%s' runs as %d", lab->name, speaker->obj.key, speaker->pid);
    vnrs_instance_attach(lab, speaker->obj.key, fd);
}

static void on_exited(struct vnrs_lab *lab, const struct vnrs_ag_event *event)
{
    struct vnrs_obj_state *object = vnrs_objects_find(lab, event->obj.type, event->obj.key);

    if (object)
        object->running = false;
    vnrs_event_add(lab->control, lab, "exited", "%s '%s' ended: %s", vnrs_object_type_name(event->obj.type),
                   event->obj.key, event->text);
    log_warn("lab '%s': %s '%s' ended: %s", lab->name, vnrs_object_type_name(event->obj.type), event->obj.key,
             event->text);
    if (event->obj.type == VNRS_OBJ_SPEAKER)
        vnrs_instance_exited(lab, event->obj.key);
}

static void on_tunnel(struct vnrs_lab *lab, const struct vnrs_ag_event *event)
{
    struct vnrs_obj_state *object = vnrs_objects_find(lab, event->obj.type, event->obj.key);

    if (!object || event->tunnel >= _VNRS_TUNNEL_MAX)
        return;
    object->tunnel = event->tunnel;
    vnrs_event_add(lab->control, lab, "tunnel", "'%s' is %s", event->obj.key, event->text);
}

static void on_event(void *ctx, const struct vnrs_ag_event *event)
{
    struct vnrs_lab *lab = vnrs_control_find_lab(ctx, event->obj.lab);

    if (!lab || (!lab->model && !lab->next))
        return;
    if (event->kind == VNRS_AG_EV_EXITED) {
        on_exited(lab, event);
        vnrs_lab_check(lab, false);
    } else if (event->kind == VNRS_AG_EV_TUNNEL) {
        on_tunnel(lab, event);
    } else if (event->kind == VNRS_AG_EV_SUSPECT) {
        vnrs_event_add(lab->control, lab, "suspect", "%s '%s': %s", vnrs_object_type_name(event->obj.type),
                       event->obj.key, event->text[0] ? event->text : "changed by another hand");
        vnrs_lab_check(lab, true);
    }
}

static void on_flows(void *ctx, const struct vnrs_ag_flow_events *head, const void *events, size_t size)
{
    struct vnrs_lab *lab = vnrs_control_find_lab(ctx, head->lab);

    if (lab)
        vnrs_flows_take(lab, head, events, size);
}

static void on_lost(void *ctx, int err)
{
    struct vnrs_control *control = ctx;

    control->lost = true;
    log_errno_ret(err, "the agent is gone");
    (void)event_base_loopbreak(control->base);
}

// ---- start

static void on_hello(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_control *control = request->owner;

    if (reply->error < 0) {
        log_error("the agent refuses: %s", reply->text);
        on_lost(control, reply->error);
        return;
    }
    control->ready = true;
    vec_foreach (lab, &control->labs) {
        if ((*lab)->next)
            vnrs_lab_check(*lab, true);
    }
    vnrs_event_add(control, NULL, "start", "the controller is ready; %zu labs", control->labs.len);
}

static void on_query_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_control *control = arg;
    uint64_t now = vnrs_clock_ms();

    (void)fd, (void)what;
    vec_foreach (lab, &control->labs) {
        vec_foreach (instance, &(*lab)->instances)
            vnrs_instance_expire_queries(*instance, now);
    }
}

// Never reused, also not by a controller that starts a moment later.
static uint64_t new_generation(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int start(struct vnrs_control *control)
{
    static const struct timeval period = {2, 0};
    struct vnrs_ag_hello hello = {.generation = control->generation};
    struct vnrs_agent_request request = {.type = VNRS_AG_HELLO, .owner = control, .done = on_hello};

    control->query_timer = event_new(control->base, -1, EV_PERSIST, on_query_timer, control);
    if (!control->query_timer || event_add(control->query_timer, &period) < 0)
        return -ENOMEM;
    return vnrs_agent_send(control->agent, &request, &hello, sizeof(hello), NULL, 0);
}

struct vnrs_control *vnrs_control_new(struct event_base *base, int agent_fd, int listen_fd)
{
    static const struct vnrs_agent_handlers handlers = {
        .record = on_record, .speaker = on_speaker, .event = on_event, .flows = on_flows, .lost = on_lost};
    struct vnrs_control *control = calloc(1, sizeof(*control));

    if (!control) {
        (void)close(agent_fd);
        (void)close(listen_fd);
        return NULL;
    }
    control->base = base;
    control->generation = new_generation();
    control->logged = vnrs_logged_new();
    control->agent = vnrs_agent_new(base, agent_fd, &handlers, control);
    if (vnrs_api_start(control, listen_fd) < 0 || !control->agent || !control->logged || start(control) < 0) {
        vnrs_control_free(control);
        return NULL;
    }
    return control;
}

void vnrs_control_free(struct vnrs_control *control)
{
    vnrs_api_stop(control);
    while (control->labs.len)
        vnrs_lab_free(control->labs.items[control->labs.len - 1]);
    vec_free(&control->labs);
    vec_free(&control->followers);
    vec_free(&control->watchers);
    if (control->query_timer)
        event_free(control->query_timer);
    vnrs_agent_free(control->agent);
    vnrs_logged_free(control->logged);
    free(control);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    (void)event_base_loopbreak(arg);
}

int vnrs_control_main(int argc, char **argv)
{
    struct event_base *base = event_base_new();
    struct vnrs_control *control = base ? vnrs_control_new(base, VNRS_CONTROL_FD_AGENT, VNRS_CONTROL_FD_LISTEN) : NULL;
    struct event *term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
    bool has_tcp = strcmp(argv[argc - 1], VNRS_CONTROL_ARG_TCP) == 0;

    if (has_tcp && control && vnrs_api_listen_tcp(control, VNRS_CONTROL_FD_TCP) < 0) {
        vnrs_control_free(control);
        control = NULL;
    }
    if (!control || !term || evsignal_add(term, NULL) < 0) {
        log_error("out of memory");
        return EXIT_FAILURE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int r = vnrs_sched_set_slice(VNRS_SCHED_CONTROLLER_US, true);
    if (r < 0)
        log_debug("cannot have shorter slices of the processor: %s", strerror(-r));
    r = vnrs_control_sandbox();
    if (r < 0) {
        log_errno_ret(r, "cannot enter the sandbox");
        return EXIT_FAILURE;
    }
    (void)event_base_dispatch(base);
    bool lost = control->lost;
    vnrs_control_free(control);
    event_free(term);
    event_base_free(base);
    return lost ? EXIT_FAILURE : EXIT_SUCCESS;
}
