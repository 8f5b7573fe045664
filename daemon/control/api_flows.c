// SPDX-License-Identifier: GPL-2.0-or-later
// The stream of single packets of a lab, a JSON object in each line. The agent reads them only while somebody watches.
// Lossy by design: a line {"lost": N} says how many packets were not told of, wherever they were lost.
#include "control/api.h"
#include "control/flow.h"
#include "control/state.h"

#include "util/strbuf.h"

#include <event2/buffer.h>
#include <event2/http.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct watcher { // `data` of a call
    struct vnrs_flow_filter filter;
    uint64_t credit; // samples that have come for it, weighed by what each stands for
    uint64_t lost;   // to be told
    struct event *end;
};

static void tell_agent(struct vnrs_control *control, const char *lab, struct vnrs_api_call *call);

static void forget(struct vnrs_api_call *call)
{
    struct vnrs_control *control = call->control;
    struct watcher *watcher = call->data;

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

static void on_time_is_up(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    forget(arg);
    vnrs_api_stream_end(arg);
}

static int begin(struct vnrs_api_call *call)
{
    struct watcher *watcher = call->data;
    struct timeval seconds = {.tv_sec = watcher->filter.seconds};

    if (!watcher->filter.seconds)
        return 0;
    watcher->end = evtimer_new(call->control->base, on_time_is_up, call);
    return watcher->end && evtimer_add(watcher->end, &seconds) == 0 ? 0 : -ENOMEM;
}

// The first thing that is known of a watch: whether the agent can.
static void on_told(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_api_call *call = request->arg;
    bool gone = !vnrs_control_find_lab(call->control, call->lab_name);
    int err = gone ? -ENOENT : reply->error < 0 ? reply->error : begin(call);

    if (err == 0 && call->request) {
        vnrs_api_stream(call, "application/x-ndjson", forget);
        return;
    }
    forget(call);
    if (gone)
        vnrs_api_error(call, 404, "not-found", "the lab was removed", NULL);
    else
        vnrs_api_error(call, err == -EOPNOTSUPP ? 409 : 500, err == -EOPNOTSUPP ? "unsupported" : "failed",
                       reply->text[0] ? reply->text : "packets cannot be watched", NULL);
}

// What all watchers of the lab together want. `call`: the one that waits for the answer, or NULL.
static void tell_agent(struct vnrs_control *control, const char *lab, struct vnrs_api_call *call)
{
    struct vnrs_agent_request request = {.type = VNRS_AG_FLOWS, .arg = call, .done = call ? on_told : NULL};
    struct vnrs_ag_flows want = {0};

    vec_foreach (other, &control->watchers) {
        const struct watcher *watcher = (*other)->data;
        uint32_t sample = watcher->filter.sample;
        if (strcmp((*other)->lab_name, lab) != 0)
            continue;
        want.on = 1;
        if (sample && (!want.sample || sample < want.sample))
            want.sample = sample;
    }
    vnrs_str_copy(want.lab, sizeof(want.lab), lab);
    int err = control->lost ? -ENOTCONN : vnrs_agent_send(control->agent, &request, &want, sizeof(want), NULL, 0);
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
        uint32_t sample = ((const struct watcher *)(*call)->data)->filter.sample;
        if (strcmp((*call)->lab_name, lab->name) == 0 && sample && (!batch->sample || sample < batch->sample))
            batch->sample = sample;
    }
    return batch;
}

static const char *name_of(const struct batch *batch, uint32_t number)
{
    return number < VNRS_NICS_MAX ? batch->names[number] : NULL;
}

// Of samples that another watcher wants more often, this one gets as many as it asked for.
static bool is_due(struct watcher *watcher, const struct batch *batch, const struct vnrs_bpf_flow_event *event)
{
    if (!vnrs_flow_is_forwarded(event) || !watcher->filter.sample)
        return true;
    watcher->credit += batch->sample;
    if (watcher->credit < watcher->filter.sample)
        return false;
    watcher->credit -= watcher->filter.sample;
    return true;
}

static void add_line(struct evbuffer *out, json_t *json)
{
    _free_ char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    if (text)
        (void)evbuffer_add_printf(out, "%s\n", text);
    json_decref(json);
}

static void push(struct vnrs_api_call *call, const struct batch *batch, const struct vnrs_ag_flow_events *head,
                 const struct vnrs_bpf_flow_event *events)
{
    struct watcher *watcher = call->data;
    struct evbuffer *out = vnrs_api_is_behind(call) ? NULL : evbuffer_new();

    watcher->lost += head->lost;
    if (out && watcher->lost)
        add_line(out, json_pack("{s:I}", "lost", (json_int_t)watcher->lost));
    if (out)
        watcher->lost = 0;
    for (uint32_t i = 0; i < head->n; i++) {
        const char *nic = name_of(batch, events[i].ifindex), *to_nic = name_of(batch, events[i].egress);
        if (!is_due(watcher, batch, &events[i]) || !vnrs_flow_filter_matches(&watcher->filter, &events[i], nic, to_nic))
            continue;
        if (out)
            add_line(out, vnrs_flow_json(&events[i], nic, to_nic, batch->offset_ns));
        else
            watcher->lost++;
    }
    if (!out)
        return;
    if (evbuffer_get_length(out))
        evhttp_send_reply_chunk(call->request, out);
    evbuffer_free(out);
}

void vnrs_flows_take(struct vnrs_lab *lab, const struct vnrs_ag_flow_events *head,
                     const struct vnrs_bpf_flow_event *events)
{
    _free_ struct batch *batch = make_batch(lab);

    vec_foreach (call, &lab->control->watchers) {
        if (batch && (*call)->streaming && strcmp((*call)->lab_name, lab->name) == 0)
            push(*call, batch, head, events);
    }
}

void vnrs_flows_end(struct vnrs_lab *lab)
{
    struct vnrs_control *control = lab->control;

    for (size_t i = control->watchers.len; i-- > 0;) {
        struct vnrs_api_call *call = control->watchers.items[i];
        if (!call->streaming || strcmp(call->lab_name, lab->name) != 0)
            continue; // one that waits for the agent's answer is told then
        forget(call);
        vnrs_api_stream_end(call);
    }
}

// ---- the beginning

// The link meant by the parameter "nic": a NIC, or what else is at the fabric (the Internet edge, a service).
static bool want_nic(struct vnrs_api_call *call, struct vnrs_flow_filter *filter)
{
    const char *name = vnrs_api_param(call, "nic", false);
    const struct vnrs_nic *nic = name && call->lab->model ? vnrs_model_find_nic(call->lab->model, name) : NULL;
    char message[160];

    if (!name)
        return true;
    if (nic)
        name = nic->name;
    if (vnrs_lab_link_number(call->lab, name) && vnrs_str_copy(filter->nic, sizeof(filter->nic), name))
        return true;
    (void)snprintf(message, sizeof(message), "lab '%s' has no NIC '%.80s'", call->lab->name, name);
    vnrs_api_error(call, 400, "bad-request", message, "`vnrs inspect` shows the NICs: MACHINE or MACHINE/eth0");
    return false;
}

static bool want_filter(struct vnrs_api_call *call, struct vnrs_flow_filter *ret_filter)
{
    struct vnrs_flow_query query = {.reason = vnrs_api_param(call, "reason", false),
                                    .from = vnrs_api_param(call, "from", false),
                                    .to = vnrs_api_param(call, "to", false),
                                    .protocol = vnrs_api_param(call, "protocol", false),
                                    .verdict = vnrs_api_param(call, "verdict", false),
                                    .sample = vnrs_api_param(call, "sample", false),
                                    .seconds = vnrs_api_param(call, "seconds", false)};
    struct vnrs_flow_wrong wrong = {0};

    if (vnrs_flow_filter_parse(&query, ret_filter, &wrong) == 0)
        return want_nic(call, ret_filter);
    vnrs_api_error(call, 400, "bad-request", wrong.message, wrong.help);
    return false;
}

void vnrs_api_flows(struct vnrs_api_call *call)
{
    const struct vnrs_model *model = call->lab->model;
    struct vnrs_flow_filter filter;

    if (!want_filter(call, &filter))
        return;
    if (model && model->dataplane != VNRS_DATAPLANE_EBPF) {
        vnrs_api_error(call, 409, "unsupported",
                       "only the eBPF data plane tells of single packets; the lab has another",
                       "`dataplane: ebpf` in the file, or tcpdump in a machine: `vnrs exec MACHINE -- tcpdump`");
        return;
    }
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    call->data = watcher;
    if (!watcher || vec_push(&call->control->watchers, call) < 0) {
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
        return;
    }
    watcher->filter = filter;
    tell_agent(call->control, call->lab_name, call);
}
