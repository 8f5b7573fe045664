// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/flows.h"

#include "agent/conn.h"
#include "agent/fabric.h"
#include "fib/bpf_counters.h"
#include "fib/kernel_counters.h"
#include "fib/kernel_fabric.h"
#include "lab/nflog.h"
#include "lab/tap.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>
#include <time.h>

#define RUN_MAX          512 // events in one message
#define RUN_BYTES        (VNRS_AGENT_MSG_MAX - sizeof(struct vnrs_ag_hdr) - sizeof(struct vnrs_ag_flow_events))
#define EVENT_BYTES_MAX  EVENT_SIZE(VNRS_CAPTURE_BYTES_MAX)
#define EVENT_SIZE(n)    ((sizeof(struct vnrs_bpf_flow_event) + (n) + 7) & ~(size_t)7)
#define PAUSE_MS         50  // after it: about 10,000 events a second is what a lab may cost agent and controller
#define PAUSE_CAPTURE_MS 2   // somebody wants whole packets: some 30 to 60 MB a second
#define HEADERS_BYTES    128 // what the controller needs to see of a packet that nobody tells anything of

struct vnrs_agentd_flows {
    struct vnrs_agentd_lab *lab;
    struct vnrs_ag_flows want;
    struct vnrs_ag_capture captures[VNRS_CAPTURES_MAX];
    size_t n_captures;
    struct vnrs_bpf_events *reader; // of the eBPF data plane; NULL: paused, or it has another
    struct vnrs_taps *taps;         // of the kernel's likewise: what is captured
    struct vnrs_nflog *log;         // and what it drops, and samples; NULL: none are wanted
    struct event *ready, *logged, *timer;
    uint64_t lost, told; // read but not sent; what the controller knows of all that was lost, since the reader is open
    size_t n, used;
    char run[RUN_BYTES] __attribute__((aligned(8)));
};

// False: there may be no room for another.
static bool add_event(struct vnrs_agentd_flows *flows, const struct vnrs_bpf_flow_event *event, const void *bytes)
{
    size_t n = MIN(event->bytes, (uint32_t)VNRS_CAPTURE_BYTES_MAX);

    memcpy(flows->run + flows->used, event, sizeof(*event));
    memcpy(flows->run + flows->used + sizeof(*event), bytes, n);
    flows->used += EVENT_SIZE(n);
    flows->n++;
    return RUN_BYTES - flows->used >= EVENT_BYTES_MAX;
}

static bool take_event(const struct vnrs_bpf_flow_event *event, void *arg)
{
    return add_event(arg, event, event + 1);
}

// What comes in at the fabric's end is what the machine sends.
static bool take_frame(const struct vnrs_tap_frame *frame, void *arg)
{
    const struct vnrs_bpf_flow_event event = {
        .time_ns = frame->time_ns,
        .ifindex = frame->outgoing ? 0 : frame->ifindex,
        .egress = frame->outgoing ? frame->ifindex : 0,
        .len = frame->len - MIN(frame->len, (uint32_t)ETH_HLEN),
        .verdict = VNRS_BPF_VERDICT_UNKNOWN,
        .captured = frame->outgoing ? VNRS_BPF_CAPTURED_TO : VNRS_BPF_CAPTURED_FROM,
        .bytes = frame->n,
        .vlan_type_be = frame->vlan_type_be,
        .vlan_tag = frame->vlan_tag,
    };

    return add_event(arg, &event, frame->bytes);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static_assert(2 * VNRS_NFLOG_DATAGRAM <= EVENT_BYTES_MAX, "the rest of a datagram finds room");

// The controller reads the headers, as it does those of captured frames, so they are in a frame here too.
static bool take_logged(const struct vnrs_nflog_packet *packet, void *arg)
{
    uint8_t frame[ETH_HLEN + VNRS_NFLOG_BYTES] = {0};
    bool dropped = packet->mark & VNRS_KERNEL_MARK_DROP;
    const struct vnrs_bpf_flow_event event = {
        .time_ns = now_ns(),
        .reason = dropped ? packet->mark & 0xffff : 0,
        .ifindex = packet->in,
        .egress = dropped ? 0 : packet->out,
        .len = packet->len,
        .verdict = dropped ? VNRS_BPF_VERDICT_DROP : VNRS_BPF_VERDICT_FORWARD,
        .type = dropped ? 0 : _VNRS_NH_MAX,
        .bytes = ETH_HLEN + packet->n,
    };

    memcpy(frame + 2 * ETH_ALEN, &packet->protocol_be, sizeof(packet->protocol_be));
    memcpy(frame + ETH_HLEN, packet->bytes, packet->n);
    return add_event(arg, &event, frame);
}

static bool is_open(const struct vnrs_agentd_flows *flows)
{
    return flows->reader || flows->taps;
}

static void read_run(struct vnrs_agentd_flows *flows)
{
    flows->n = flows->used = 0;
    if (flows->log)
        (void)vnrs_nflog_consume(flows->log, RUN_MAX, take_logged, flows);
    if (flows->taps) {
        if (RUN_BYTES - flows->used >= EVENT_BYTES_MAX)
            (void)vnrs_taps_consume(flows->taps, RUN_MAX, take_frame, flows);
        return;
    }
    int err = vnrs_bpf_events_consume(flows->reader, RUN_MAX);
    if (err < 0)
        log_debug("lab '%s': reading packet events: %s", flows->lab->name, strerror(-err));
}

static void send_run(struct vnrs_agentd_flows *flows)
{
    uint64_t unread = flows->taps ? vnrs_taps_lost(flows->taps) : vnrs_bpf_events_lost(flows->reader);
    unread += flows->log ? vnrs_nflog_lost(flows->log) : 0;
    uint64_t lost = flows->lost + unread;
    struct vnrs_ag_flow_events head = {.n = (uint32_t)flows->n, .lost = lost - flows->told};

    vnrs_str_copy(head.lab, sizeof(head.lab), flows->lab->name);
    if (vnrs_agentd_conn_flows(flows->lab->ad->conn, &head, flows->run, flows->used))
        flows->told = lost;
    else
        flows->lost += flows->n;
}

static void listen_for(const struct vnrs_agentd_flows *flows, bool on)
{
    struct event *const events[] = {flows->ready, flows->logged};

    for (size_t i = 0; i < ARRAY_SIZE(events); i++)
        if (events[i])
            (void)(on ? event_add(events[i], NULL) : event_del(events[i]));
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_flows *flows = arg;
    const struct timeval pause = {.tv_usec = (flows->n_captures ? PAUSE_CAPTURE_MS : PAUSE_MS) * 1000};

    (void)fd, (void)what;
    listen_for(flows, false);
    if (vnrs_agentd_conn_is_idle(flows->lab->ad->conn)) {
        read_run(flows);
        if (flows->n)
            send_run(flows);
    }
    (void)evtimer_add(flows->timer, &pause);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    listen_for(arg, true);
}

// ---- the two data planes

static int set_capture(const struct vnrs_agentd_flows *flows, uint32_t ifindex, uint32_t bytes)
{
    if (flows->taps)
        return vnrs_taps_set(flows->taps, ifindex, bytes ? MAX(bytes, (uint32_t)HEADERS_BYTES) : 0);
    return vnrs_bpf_capture_set(flows->lab->dataplane, ifindex, bytes);
}

static void close_log(struct vnrs_agentd_flows *flows)
{
    if (flows->logged)
        event_free(TAKE_PTR(flows->logged));
    if (flows->log) {
        flows->lost += vnrs_nflog_lost(flows->log);
        int err = vnrs_agentd_fabric_log(flows->lab, false, 0);
        if (err < 0)
            log_debug("lab '%s': packets are logged on: %s", flows->lab->name, strerror(-err));
    }
    flows->log = vnrs_nflog_close(flows->log);
}

// The socket first: what rules hand over to nobody is lost without being counted.
static int open_log(struct vnrs_agentd_flows *flows)
{
    int err = vnrs_nflog_open(flows->lab->fabric_fd, VNRS_KERNEL_LOG_GROUP, &flows->log);

    if (err < 0)
        return err;
    flows->logged = event_new(flows->lab->ad->base, vnrs_nflog_fd(flows->log), EV_READ, on_ready, flows);
    return flows->logged && event_add(flows->logged, NULL) == 0 ? 0 : -ENOMEM;
}

static int ask_log(struct vnrs_agentd_flows *flows)
{
    if (!flows->want.on) {
        close_log(flows);
        return 0;
    }
    int err = flows->log ? 0 : open_log(flows);
    return err < 0 ? err : vnrs_agentd_fabric_log(flows->lab, true, flows->want.sample);
}

static int ask(struct vnrs_agentd_flows *flows)
{
    uint32_t on = (flows->want.on ? VNRS_BPF_FLOWS : 0) | (flows->n_captures ? VNRS_BPF_CAPTURES : 0);

    for (size_t i = 0; i < flows->n_captures; i++) {
        int err = set_capture(flows, flows->captures[i].ifindex, flows->captures[i].bytes);
        if (err < 0)
            return err;
    }
    return flows->reader ? vnrs_bpf_events_ask(flows->reader, on, flows->want.sample) : ask_log(flows);
}

// Those that are captured, but for the `n` that shall be.
static void end_captures(const struct vnrs_agentd_flows *flows, const struct vnrs_ag_capture *but, size_t n)
{
    for (size_t i = 0; is_open(flows) && i < flows->n_captures; i++) {
        bool stays = false;
        for (size_t k = 0; k < n; k++)
            stays |= but[k].ifindex == flows->captures[i].ifindex;
        int err = stays ? 0 : set_capture(flows, flows->captures[i].ifindex, 0);
        if (err < 0)
            log_debug("lab '%s': a capture does not end: %s", flows->lab->name, strerror(-err));
    }
}

static int open_reader(struct vnrs_agentd_flows *flows)
{
    const struct vnrs_agentd_lab *lab = flows->lab;
    struct event_base *base = lab->ad->base;
    int err = lab->dataplane ? vnrs_bpf_events_open(lab->dataplane, take_event, flows, &flows->reader)
                             : vnrs_taps_new(lab->fabric_fd, &flows->taps);

    if (err < 0)
        return err;
    int fd = flows->taps ? vnrs_taps_fd(flows->taps) : vnrs_bpf_events_fd(flows->reader);
    flows->lost = flows->told = 0;
    flows->ready = event_new(base, fd, EV_READ, on_ready, flows);
    flows->timer = evtimer_new(base, on_timer, flows);
    if (!flows->ready || !flows->timer || event_add(flows->ready, NULL) < 0)
        return -ENOMEM;
    return ask(flows);
}

// ---- for others

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
    close_log(flows);
    flows->reader = vnrs_bpf_events_close(flows->reader);
    flows->taps = vnrs_taps_free(flows->taps);
}

void vnrs_agentd_flows_resume(struct vnrs_agentd_lab *lab)
{
    int err = lab->flows && lab->fabric_sink && !is_open(lab->flows) ? open_reader(lab->flows) : 0;

    if (err < 0) {
        log_warn("lab '%s': packet events cannot be read: %s", lab->name, strerror(-err));
        vnrs_agentd_flows_pause(lab);
    }
}

void vnrs_agentd_flows_keep(struct vnrs_agentd_lab *lab)
{
    int err = lab->flows && lab->flows->log ? ask_log(lab->flows) : 0;

    if (err < 0)
        log_warn("lab '%s': packets that are dropped are not told of: %s", lab->name, strerror(-err));
}

void vnrs_agentd_flows_link(const struct vnrs_agentd_lab *lab, uint32_t ifindex)
{
    int err = lab->flows && lab->flows->taps ? vnrs_taps_renew(lab->flows->taps, ifindex) : 0;

    if (err < 0)
        log_warn("lab '%s': the capture of a link does not go on: %s", lab->name, strerror(-err));
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
    if (!lab->fabric_sink)
        return vnrs_err_set(err, -EOPNOTSUPP, "lab '%s' has no data plane whose packets could be seen", lab->name);
    if (!lab->flows && !(lab->flows = calloc(1, sizeof(*lab->flows))))
        return -ENOMEM;
    struct vnrs_agentd_flows *flows = lab->flows;
    flows->lab = lab;
    flows->want = *want;
    end_captures(flows, captures, n);
    flows->n_captures = n;
    if (n)
        memcpy(flows->captures, captures, n * sizeof(*captures));
    int code = is_open(flows) ? ask(flows) : open_reader(flows);
    if (code < 0)
        vnrs_agentd_flows_stop(lab);
    return code < 0 ? vnrs_err_errno(err, code, "packet events of lab '%s'", lab->name) : 0;
}
