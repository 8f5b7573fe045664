// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/flows.h"

#include "agent/conn.h"
#include "fib/bpf_counters.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <string.h>

#define RUN_MAX  512 // events in one message
#define PAUSE_MS 50  // after it: about 10,000 events a second is what a lab may cost agent and controller

struct vnrs_agentd_flows {
    struct vnrs_agentd_lab *lab;
    uint32_t sample;
    struct vnrs_bpf_events *reader; // NULL: paused
    struct event *ready, *timer;
    uint64_t lost, told; // read but not sent; what the controller knows of all that was lost, since the reader is open
    size_t n;
    struct vnrs_bpf_flow_event run[RUN_MAX];
};

static void take_event(const struct vnrs_bpf_flow_event *event, void *arg)
{
    struct vnrs_agentd_flows *flows = arg;

    flows->run[flows->n++] = *event;
}

static void send_run(struct vnrs_agentd_flows *flows)
{
    uint64_t lost = flows->lost + vnrs_bpf_events_lost(flows->reader);
    struct vnrs_ag_flow_events head = {.n = (uint32_t)flows->n, .lost = lost - flows->told};

    vnrs_str_copy(head.lab, sizeof(head.lab), flows->lab->name);
    if (vnrs_agentd_conn_flows(flows->lab->ad->conn, &head, flows->run))
        flows->told = lost;
    else
        flows->lost += flows->n;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
    struct vnrs_agentd_flows *flows = arg;

    (void)fd, (void)what;
    flows->n = 0;
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
    return vnrs_bpf_events_sample(flows->reader, flows->sample);
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

int vnrs_agentd_flows_set(struct vnrs_agentd_lab *lab, const struct vnrs_ag_flows *want, struct vnrs_err *err)
{
    if (!want->on) {
        vnrs_agentd_flows_stop(lab);
        return 0;
    }
    if (!lab->dataplane)
        return vnrs_err_set(err, -EOPNOTSUPP, "lab '%s' has no eBPF data plane, and no other tells of single packets",
                            lab->name);
    if (!lab->flows && !(lab->flows = calloc(1, sizeof(*lab->flows))))
        return -ENOMEM;
    lab->flows->lab = lab;
    lab->flows->sample = want->sample;
    int code = lab->flows->reader ? vnrs_bpf_events_sample(lab->flows->reader, want->sample) : open_reader(lab->flows);
    if (code < 0)
        vnrs_agentd_flows_stop(lab);
    return code < 0 ? vnrs_err_errno(err, code, "packet events of lab '%s'", lab->name) : 0;
}
