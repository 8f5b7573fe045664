// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/flows.h"

#include "agent/conn.h"
#include "fib/bpf_counters.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <string.h>

#define RUN_MAX          512 // events in one message
#define RUN_BYTES        (VNRS_AGENT_MSG_MAX - sizeof(struct vnrs_ag_hdr) - sizeof(struct vnrs_ag_flow_events))
#define EVENT_BYTES_MAX  EVENT_SIZE(VNRS_CAPTURE_BYTES_MAX)
#define EVENT_SIZE(n)    ((sizeof(struct vnrs_bpf_flow_event) + (n) + 7) & ~(size_t)7)
#define PAUSE_MS         50 // after it: about 10,000 events a second is what a lab may cost agent and controller
#define PAUSE_CAPTURE_MS 2  // somebody wants whole packets: some 30 to 60 MB a second

struct vnrs_agentd_flows {
    struct vnrs_agentd_lab *lab;
    struct vnrs_ag_flows want;
    struct vnrs_ag_capture captures[VNRS_CAPTURES_MAX];
    size_t n_captures;
    struct vnrs_bpf_events *reader; // NULL: paused
    struct event *ready, *timer;
    uint64_t lost, told; // read but not sent; what the controller knows of all that was lost, since the reader is open
    size_t n, used;
    char run[RUN_BYTES] __attribute__((aligned(8)));
};

static bool take_event(const struct vnrs_bpf_flow_event *event, void *arg)
{
    struct vnrs_agentd_flows *flows = arg;
    size_t bytes = sizeof(*event) + MIN(event->bytes, (uint32_t)VNRS_CAPTURE_BYTES_MAX);

    memcpy(flows->run + flows->used, event, bytes);
    flows->used += EVENT_SIZE(bytes - sizeof(*event));
    flows->n++;
    return RUN_BYTES - flows->used >= EVENT_BYTES_MAX;
}

static void send_run(struct vnrs_agentd_flows *flows)
{
    uint64_t lost = flows->lost + vnrs_bpf_events_lost(flows->reader);
    struct vnrs_ag_flow_events head = {.n = (uint32_t)flows->n, .lost = lost - flows->told};

    vnrs_str_copy(head.lab, sizeof(head.lab), flows->lab->name);
    if (vnrs_agentd_conn_flows(flows->lab->ad->conn, &head, flows->run, flows->used))
        flows->told = lost;
    else
        flows->lost += flows->n;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_flows *flows = arg;
    const struct timeval pause = {.tv_usec = (flows->n_captures ? PAUSE_CAPTURE_MS : PAUSE_MS) * 1000};

    (void)fd, (void)what;
    flows->n = flows->used = 0;
    if (vnrs_agentd_conn_is_idle(flows->lab->ad->conn)) {
        int err = vnrs_bpf_events_consume(flows->reader, RUN_MAX);
        if (err < 0)
            log_debug("lab '%s': reading packet events: %s", flows->lab->name, strerror(-err));
        if (flows->n)
            send_run(flows);
    }
    (void)evtimer_add(flows->timer, &pause);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    const struct vnrs_agentd_flows *flows = arg;

    (void)fd, (void)what;
    (void)event_add(flows->ready, NULL);
}

static int ask(struct vnrs_agentd_flows *flows)
{
    uint32_t on = (flows->want.on ? VNRS_BPF_FLOWS : 0) | (flows->n_captures ? VNRS_BPF_CAPTURES : 0);

    for (size_t i = 0; i < flows->n_captures; i++) {
        const struct vnrs_ag_capture *capture = &flows->captures[i];
        int err = vnrs_bpf_capture_set(flows->lab->dataplane, capture->ifindex, capture->bytes);
        if (err < 0)
            return err;
    }
    return vnrs_bpf_events_ask(flows->reader, on, flows->want.sample);
}

// Those that are captured, but for the `n` that shall be.
static void end_captures(const struct vnrs_agentd_flows *flows, const struct vnrs_ag_capture *but, size_t n)
{
    for (size_t i = 0; flows->reader && i < flows->n_captures; i++) {
        bool stays = false;
        for (size_t k = 0; k < n; k++)
            stays |= but[k].ifindex == flows->captures[i].ifindex;
        int err = stays ? 0 : vnrs_bpf_capture_set(flows->lab->dataplane, flows->captures[i].ifindex, 0);
        if (err < 0)
            log_debug("lab '%s': a capture does not end: %s", flows->lab->name, strerror(-err));
    }
}

static int open_reader(struct vnrs_agentd_flows *flows)
{
    struct event_base *base = flows->lab->ad->base;
    int err = vnrs_bpf_events_open(flows->lab->dataplane, take_event, flows, &flows->reader);

    if (err < 0)
        return err;
    flows->lost = flows->told = 0;
    flows->ready = event_new(base, vnrs_bpf_events_fd(flows->reader), EV_READ, on_ready, flows);
    flows->timer = evtimer_new(base, on_timer, flows);
    if (!flows->ready || !flows->timer || event_add(flows->ready, NULL) < 0)
        return -ENOMEM;
    return ask(flows);
}

void vnrs_agentd_flows_pause(struct vnrs_agentd_lab *lab)
{
    struct vnrs_agentd_flows *flows = lab->flows;

    if (!flows)
        return;
    if (flows->ready)
        event_free(TAKE_PTR(flows->ready));
    if (flows->timer)
        event_free(TAKE_PTR(flows->timer));
    end_captures(flows, NULL, 0);
    flows->reader = vnrs_bpf_events_close(flows->reader);
}

void vnrs_agentd_flows_resume(struct vnrs_agentd_lab *lab)
{
    int err = lab->flows && lab->dataplane && !lab->flows->reader ? open_reader(lab->flows) : 0;

    if (err < 0) {
        log_warn("lab '%s': packet events cannot be read: %s", lab->name, strerror(-err));
        vnrs_agentd_flows_pause(lab);
    }
}

void vnrs_agentd_flows_stop(struct vnrs_agentd_lab *lab)
{
    vnrs_agentd_flows_pause(lab);
    free(TAKE_PTR(lab->flows));
}

void vnrs_agentd_flows_stop_all(struct vnrs_agentd *ad)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ad->labs, &at)))
        vnrs_agentd_flows_stop(e->value);
}

int vnrs_agentd_flows_set(struct vnrs_agentd_lab *lab, const struct vnrs_ag_flows *want,
                          const struct vnrs_ag_capture *captures, size_t n, struct vnrs_err *err)
{
    if (!want->on && !n) {
        vnrs_agentd_flows_stop(lab);
        return 0;
    }
    if (!lab->dataplane)
        return vnrs_err_set(err, -EOPNOTSUPP, "lab '%s' has no eBPF data plane, and no other tells of single packets",
                            lab->name);
    if (!lab->flows && !(lab->flows = calloc(1, sizeof(*lab->flows))))
        return -ENOMEM;
    struct vnrs_agentd_flows *flows = lab->flows;
    flows->lab = lab;
    flows->want = *want;
    end_captures(flows, captures, n);
    flows->n_captures = n;
    if (n)
        memcpy(flows->captures, captures, n * sizeof(*captures));
    int code = flows->reader ? ask(flows) : open_reader(flows);
    if (code < 0)
        vnrs_agentd_flows_stop(lab);
    return code < 0 ? vnrs_err_errno(err, code, "packet events of lab '%s'", lab->name) : 0;
}
