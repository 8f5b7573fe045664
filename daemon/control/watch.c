// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/watch.h"

#include "control/state.h"

#include "util/strbuf.h"

#include <event2/buffer.h>
#include <event2/http.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void tell_agent(struct vnrs_control *control, const char *lab, struct vnrs_api_call *call);

static void forget(struct vnrs_api_call *call)
{
    struct vnrs_control *control = call->control;
    struct vnrs_watcher *watcher = call->data;

    if (watcher->end)
        event_free(TAKE_PTR(watcher->end));
    for (size_t i = 0; i < control->watchers.len; i++) {
        if (control->watchers.items[i] == call) {
            control->watchers.items[i] = control->watchers.items[--control->watchers.len];
            break;
        }
    }
    tell_agent(control, call->lab_name, NULL);
}

static void finish(struct vnrs_api_call *call)
{
    forget(call);
    vnrs_api_stream_end(call);
}

static void on_time_is_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    finish(arg);
}

static int start_clock(struct vnrs_api_call *call)
{
    struct vnrs_watcher *watcher = call->data;
    struct timeval seconds = {.tv_sec = watcher->filter.seconds};

    if (!watcher->filter.seconds)
        return 0;
    watcher->end = evtimer_new(call->control->base, on_time_is_up, call);
    return watcher->end && evtimer_add(watcher->end, &seconds) == 0 ? 0 : -ENOMEM;
}

static void start(struct vnrs_api_call *call)
{
    const struct vnrs_watcher *watcher = call->data;
    struct evbuffer *out = evbuffer_new();

    vnrs_api_stream(call, watcher->kind->type, forget);
    if (out && watcher->kind->begin)
        watcher->kind->begin(watcher, out);
    if (out && evbuffer_get_length(out))
        evhttp_send_reply_chunk(call->request, out);
    if (out)
        evbuffer_free(out);
}

// The first thing that is known of a watch: whether the agent can.
static void on_told(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_api_call *call = request->arg;
    bool gone = !vnrs_control_find_lab(call->control, call->lab_name);
    int err = gone ? -ENOENT : reply->error < 0 ? reply->error : start_clock(call);

    if (err == 0 && call->request) {
        start(call);
        return;
    }
    forget(call);
    if (gone)
        vnrs_api_error(call, 404, "not-found", "the lab was removed", NULL);
    else
        vnrs_api_error(call, err == -EOPNOTSUPP ? 409 : 500, err == -EOPNOTSUPP ? "unsupported" : "failed",
                       reply->text[0] ? reply->text : "packets cannot be watched", NULL);
}

// ---- what all watchers of a lab together want

struct wants {
    struct vnrs_ag_flows flows;
    struct vnrs_ag_capture captures[VNRS_CAPTURES_MAX];
    size_t n_captures;
};

// False: there is no room for it.
static bool add_capture(struct wants *wants, const struct vnrs_watcher *watcher)
{
    for (size_t i = 0; i < wants->n_captures; i++) {
        struct vnrs_ag_capture *capture = &wants->captures[i];
        if (capture->ifindex == watcher->number) {
            capture->bytes = MAX(capture->bytes, watcher->bytes);
            return true;
        }
    }
    if (wants->n_captures == VNRS_CAPTURES_MAX)
        return false;
    wants->captures[wants->n_captures++] = (struct vnrs_ag_capture){watcher->number, watcher->bytes};
    return true;
}

static uint32_t finer_sample(uint32_t a, uint32_t b)
{
    return !a ? b : !b ? a : MIN(a, b);
}

static bool collect(struct vnrs_control *control, const char *lab, struct wants *wants)
{
    *wants = (struct wants){0};
    (void)vnrs_str_copy(wants->flows.lab, sizeof(wants->flows.lab), lab);
    vec_foreach (other, &control->watchers) {
        const struct vnrs_watcher *watcher = (*other)->data;
        if (strcmp((*other)->lab_name, lab) != 0)
            continue;
        if (watcher->number && !add_capture(wants, watcher))
            return false;
        if (watcher->number)
            continue;
        wants->flows.on = 1;
        wants->flows.sample = finer_sample(wants->flows.sample, watcher->filter.sample);
    }
    return true;
}

// `call`: the one that waits for the answer, or NULL.
static void tell_agent(struct vnrs_control *control, const char *lab, struct vnrs_api_call *call)
{
    struct vnrs_agent_request request = {.type = VNRS_AG_FLOWS, .arg = call, .done = call ? on_told : NULL};
    struct wants wants;

    bool fits = collect(control, lab, &wants);
    if (!fits && !call)
        return; // only one that is new can be too much
    if (!fits) {
        forget(call);
        vnrs_api_error(call, 503, "too-many", "as many NICs of the lab as can be are captured already", "end another");
        return;
    }
    int err = control->lost ? -ENOTCONN
                            : vnrs_agent_send(control->agent, &request, &wants.flows, sizeof(wants.flows),
                                              wants.captures, wants.n_captures * sizeof(wants.captures[0]));
    if (err < 0 && call) {
        forget(call);
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
    }
}

// ---- packets

struct batch {
    const char *names[VNRS_NICS_MAX]; // of links, by number
    int64_t offset_ns;
    uint32_t sample; // that the packets were taken with
};

static struct batch *make_batch(const struct vnrs_lab *lab)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    struct timespec wall, mono;

    if (!batch)
        return NULL;
    vec_foreach (object, &lab->desired.objects) {
        uint32_t number = object->type == VNRS_OBJ_LINK ? vnrs_lab_link_number(lab, object->key) : 0;
        if (number && number < VNRS_NICS_MAX)
            batch->names[number] = object->key;
    }
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    batch->offset_ns = (int64_t)(wall.tv_sec - mono.tv_sec) * 1000000000 + (wall.tv_nsec - mono.tv_nsec);
    vec_foreach (call, &lab->control->watchers) {
        const struct vnrs_watcher *watcher = (*call)->data;
        if (strcmp((*call)->lab_name, lab->name) == 0 && !watcher->number)
            batch->sample = finer_sample(batch->sample, watcher->filter.sample);
    }
    return batch;
}

static const char *name_of(const struct batch *batch, uint32_t number)
{
    return number < VNRS_NICS_MAX ? batch->names[number] : NULL;
}

// Of samples that another watcher wants more often, this one gets as many as it asked for.
static bool is_due(struct vnrs_watcher *watcher, const struct batch *batch, const struct vnrs_bpf_flow_event *event)
{
    if (!vnrs_flow_is_forwarded(event) || !watcher->filter.sample)
        return true;
    watcher->credit += batch->sample;
    if (watcher->credit < watcher->filter.sample)
        return false;
    watcher->credit -= watcher->filter.sample;
    return true;
}

// Whether it is told of for this watcher at all: a capture, or drops and samples.
static bool is_meant(struct vnrs_watcher *watcher, const struct batch *batch, const struct vnrs_bpf_flow_event *event)
{
    if (!watcher->number)
        return !event->captured && is_due(watcher, batch, event);
    return (event->captured & (VNRS_BPF_CAPTURED_FROM | VNRS_BPF_CAPTURED_ANSWER) &&
            event->ifindex == watcher->number) ||
           (event->captured & VNRS_BPF_CAPTURED_TO && event->egress == watcher->number);
}

// NULL: no further event that is whole.
static const struct vnrs_bpf_flow_event *next_event(const char *events, size_t size, size_t *at)
{
    const struct vnrs_bpf_flow_event *event = (const void *)(events + *at);

    if (*at >= size || size - *at < sizeof(*event) || size - *at - sizeof(*event) < event->bytes)
        return NULL;
    *at += (sizeof(*event) + event->bytes + 7) & ~(size_t)7;
    return event;
}

struct run { // of events, for one watcher
    struct vnrs_watcher *watcher;
    const struct batch *batch;
    struct evbuffer *out; // NULL: it gets none
};

// False: it wants no more.
static bool take_event(const struct run *run, const struct vnrs_bpf_flow_event *told)
{
    struct vnrs_watcher *watcher = run->watcher;
    struct vnrs_bpf_flow_event event = *told;
    const struct vnrs_watched packet = {.event = &event,
                                        .bytes = (const uint8_t *)(told + 1),
                                        .nic = name_of(run->batch, event.ifindex),
                                        .to_nic = name_of(run->batch, event.egress),
                                        .offset_ns = run->batch->offset_ns};

    if (!is_meant(watcher, run->batch, &event))
        return true;
    if (event.verdict == VNRS_BPF_VERDICT_UNKNOWN || (!event.captured && event.bytes))
        vnrs_flow_read_bytes(&event, packet.bytes);
    if (!vnrs_flow_filter_matches(&watcher->filter, &event, packet.nic, packet.to_nic))
        return true;
    if (!run->out) {
        watcher->lost++;
        return true;
    }
    watcher->kind->show(watcher, &packet, run->out);
    return !watcher->left || --watcher->left;
}

static void push(struct vnrs_api_call *call, const struct batch *batch, const struct vnrs_ag_flow_events *head,
                 const char *events, size_t size)
{
    struct vnrs_watcher *watcher = call->data;
    struct run run = {.watcher = watcher, .batch = batch, .out = vnrs_api_is_behind(call) ? NULL : evbuffer_new()};
    const struct vnrs_bpf_flow_event *event;
    bool more = true;
    size_t at = 0;

    watcher->lost += head->lost;
    if (run.out && watcher->lost && watcher->kind->lost)
        watcher->kind->lost(watcher, run.out);
    for (uint32_t i = 0; more && i < head->n && (event = next_event(events, size, &at)); i++)
        more = take_event(&run, event);
    if (run.out && evbuffer_get_length(run.out))
        evhttp_send_reply_chunk(call->request, run.out);
    if (run.out)
        evbuffer_free(run.out);
    if (!more)
        finish(call);
}

void vnrs_flows_take(struct vnrs_lab *lab, const struct vnrs_ag_flow_events *head, const void *events, size_t size)
{
    _free_ struct batch *batch = make_batch(lab);
    struct vnrs_control *control = lab->control;

    for (size_t i = control->watchers.len; batch && i-- > 0;) { // backwards: one that ends gives its place to the last
        struct vnrs_api_call *call = control->watchers.items[i];
        if (call->streaming && strcmp(call->lab_name, lab->name) == 0)
            push(call, batch, head, events, size);
    }
}

void vnrs_flows_end(struct vnrs_lab *lab)
{
    struct vnrs_control *control = lab->control;

    for (size_t i = control->watchers.len; i-- > 0;) {
        struct vnrs_api_call *call = control->watchers.items[i];
        if (call->streaming && strcmp(call->lab_name, lab->name) == 0)
            finish(call); // one that waits for the agent's answer is told then
    }
}

// ---- the beginning

const char *vnrs_watch_want_nic(struct vnrs_api_call *call, const char *name)
{
    const struct vnrs_nic *nic = call->lab->model ? vnrs_model_find_nic(call->lab->model, name) : NULL;
    char message[160];

    if (nic)
        name = nic->name;
    if (vnrs_lab_link_number(call->lab, name))
        return name;
    (void)snprintf(message, sizeof(message), "lab '%s' has no NIC '%.80s'", call->lab->name, name);
    vnrs_api_error(call, 400, "bad-request", message, "`vnrs inspect` shows the NICs: MACHINE or MACHINE/eth0");
    return NULL;
}

bool vnrs_watch_want_filter(struct vnrs_api_call *call, const struct vnrs_flow_query *extra,
                            struct vnrs_flow_filter *ret_filter)
{
    struct vnrs_flow_query query = *extra;
    struct vnrs_flow_wrong wrong = {0};

    query.reason = vnrs_api_param(call, "reason", false);
    query.from = vnrs_api_param(call, "from", false);
    query.to = vnrs_api_param(call, "to", false);
    query.protocol = vnrs_api_param(call, "protocol", false);
    query.port = vnrs_api_param(call, "port", false);
    query.verdict = vnrs_api_param(call, "verdict", false);
    query.seconds = vnrs_api_param(call, "seconds", false);
    if (vnrs_flow_filter_parse(&query, ret_filter, &wrong) == 0)
        return true;
    vnrs_api_error(call, 400, "bad-request", wrong.message, wrong.help);
    return false;
}

void vnrs_watch_begin(struct vnrs_api_call *call, const struct vnrs_watcher *watcher)
{
    struct vnrs_watcher *own = calloc(1, sizeof(*own));

    call->data = own;
    if (!own || vec_push(&call->control->watchers, call) < 0) {
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
        return;
    }
    *own = *watcher;
    tell_agent(call->control, call->lab_name, call);
}
