// SPDX-License-Identifier: GPL-2.0-or-later
// GET /metrics: Prometheus text format. Labels are names of the topology file only, so their number is bounded by it.
#include "control/api.h"
#include "control/counters.h"
#include "control/drop_name.h"
#include "control/state.h"

#include "util/strbuf.h"
#include "vnrs/bfd.h"

#include <stdio.h>
#include <string.h>

static void put_help(struct vnrs_strbuf *out, const char *name, const char *type, const char *help)
{
    vnrs_strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t peer_up(const struct vnrs_spk_peer *peer)
{
    return peer->state == VNRS_BGP_ST_ESTABLISHED;
}

static uint64_t peer_received(const struct vnrs_spk_peer *peer)
{
    return peer->received;
}

static uint64_t peer_advertised(const struct vnrs_spk_peer *peer)
{
    return peer->advertised;
}

static uint64_t peer_messages_in(const struct vnrs_spk_peer *peer)
{
    return peer->messages_in;
}

static uint64_t peer_messages_out(const struct vnrs_spk_peer *peer)
{
    return peer->messages_out;
}

static uint64_t peer_flaps(const struct vnrs_spk_peer *peer)
{
    return peer->flaps;
}

static uint64_t bfd_up(const struct vnrs_spk_peer *peer)
{
    return peer->bfd.state == VNRS_BFD_UP;
}

static uint64_t bfd_failures(const struct vnrs_spk_peer *peer)
{
    return peer->bfd.failures;
}

static uint64_t bfd_packets_in(const struct vnrs_spk_peer *peer)
{
    return peer->bfd.packets_in;
}

static uint64_t bfd_packets_out(const struct vnrs_spk_peer *peer)
{
    return peer->bfd.packets_out;
}

static uint64_t bfd_discarded(const struct vnrs_spk_peer *peer)
{
    return peer->bfd.discarded;
}

static const struct {
    const char *name, *type, *help;
    uint64_t (*value)(const struct vnrs_spk_peer *peer);
    bool bfd; // only of peers with BFD
} peer_metrics[] = {
    {"vnrs_bgp_peer_up", "gauge", "1: the session is Established (Azure: BGP Peer Status).", peer_up, false},
    {"vnrs_bgp_routes_received", "gauge", "Prefixes in Adj-RIB-In (Azure: Count of Routes Learned from Peer).",
     peer_received, false},
    {"vnrs_bgp_routes_advertised", "gauge", "Prefixes in Adj-RIB-Out (Azure: Count of Routes Advertised to Peer).",
     peer_advertised, false},
    {"vnrs_bgp_messages_received_total", "counter", "BGP messages from the peer.", peer_messages_in, false},
    {"vnrs_bgp_messages_sent_total", "counter", "BGP messages to the peer.", peer_messages_out, false},
    {"vnrs_bgp_session_flaps_total", "counter", "Times the session went down.", peer_flaps, false},
    {"vnrs_bfd_up", "gauge", "1: BFD with the peer is up.", bfd_up, true},
    {"vnrs_bfd_failures_total", "counter", "Times BFD went down, but for AdminDown of the peer.", bfd_failures, true},
    {"vnrs_bfd_packets_received_total", "counter", "BFD packets from the peer.", bfd_packets_in, true},
    {"vnrs_bfd_packets_sent_total", "counter", "BFD packets to the peer.", bfd_packets_out, true},
    {"vnrs_bfd_packets_discarded_total", "counter", "BFD packets from the peer that were not acceptable.",
     bfd_discarded, true},
};

static const char *owner_label(const struct vnrs_speaker *speaker)
{
    if (speaker->rs)
        return "route_server";
    return speaker->connection ? "circuit" : "gateway";
}

// Azure's dimensions: peer, its address, instance (azure-routing.md 5.10).
static void put_peer(struct vnrs_strbuf *out, const char *name, const struct vnrs_instance *instance,
                     const struct vnrs_spk_peer *peer, uint64_t value)
{
    char ip[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, "%s{lab=\"%s\",%s=\"%s\",instance=\"%u\",peer=\"%s\",peer_ip=\"%s\"} %llu\n", name,
                       instance->lab->name, owner_label(instance->speaker), instance->speaker->owner,
                       instance->speaker->index, peer->name, vnrs_addr_format(&peer->addr, ip),
                       (unsigned long long)value);
}

static void put_peers(struct vnrs_strbuf *out, const struct vnrs_control *control)
{
    for (size_t m = 0; m < ARRAY_SIZE(peer_metrics); m++) {
        put_help(out, peer_metrics[m].name, peer_metrics[m].type, peer_metrics[m].help);
        vec_foreach (lab, &control->labs) {
            vec_foreach (instance, &(*lab)->instances) {
                vec_foreach (peer, &(*instance)->peers) {
                    if ((*instance)->speaker && (peer->bfd.configured || !peer_metrics[m].bfd))
                        put_peer(out, peer_metrics[m].name, *instance, peer, peer_metrics[m].value(peer));
                }
            }
        }
    }
}

// Azure's metrics of a whole Route Server (azure-routing.md 5.10).
static void put_route_servers(struct vnrs_strbuf *out, const struct vnrs_control *control)
{
    static const struct {
        const char *name, *help;
    } metrics[] = {
        {"vnrs_route_server_units", "Routing infrastructure units (Azure: Routing Infrastructure Units)."},
        {"vnrs_route_server_machines", "Machines in the networks served (Azure: Spoke VM Utilization)."},
    };

    for (size_t m = 0; m < ARRAY_SIZE(metrics); m++) {
        put_help(out, metrics[m].name, "gauge", metrics[m].help);
        vec_foreach (lab, &control->labs) {
            if (!(*lab)->model)
                continue;
            list_foreach (rs, &(*lab)->model->route_servers)
                vnrs_strbuf_printf(out, "%s{lab=\"%s\",route_server=\"%s\"} %zu\n", metrics[m].name, (*lab)->name,
                                   rs->name, m ? vnrs_model_served_machines((*lab)->model, rs) : rs->min_capacity);
        }
    }
}

static uint64_t lab_ready(struct vnrs_lab *lab)
{
    return vnrs_api_lab_is_ready(lab);
}

static uint64_t lab_generation(struct vnrs_lab *lab)
{
    return lab->generation;
}

static uint64_t lab_reached(struct vnrs_lab *lab)
{
    return lab->reached;
}

static uint64_t lab_routes(struct vnrs_lab *lab)
{
    return vnrs_fib_routes(lab->fib);
}

static uint64_t lab_failed(struct vnrs_lab *lab)
{
    return lab->failed;
}

static uint64_t lab_writes(struct vnrs_lab *lab)
{
    return lab->fib_writes;
}

static const struct {
    const char *name, *type, *help;
    uint64_t (*value)(struct vnrs_lab *lab);
} lab_metrics[] = {
    {"vnrs_lab_ready", "gauge", "1: everything is as the file says.", lab_ready},
    {"vnrs_lab_generation", "gauge", "Newest generation accepted.", lab_generation},
    {"vnrs_lab_generation_reached", "gauge", "Newest generation that is in the kernel.", lab_reached},
    {"vnrs_lab_routes", "gauge", "Routes programmed, over all route domains.", lab_routes},
    {"vnrs_lab_failed_objects", "gauge", "Objects that could not be made at the last attempt.", lab_failed},
    {"vnrs_lab_sink_writes_total", "counter", "Writes to maps and kernel tables.", lab_writes},
};

static void put_labs(struct vnrs_strbuf *out, const struct vnrs_control *control)
{
    for (size_t m = 0; m < ARRAY_SIZE(lab_metrics); m++) {
        put_help(out, lab_metrics[m].name, lab_metrics[m].type, lab_metrics[m].help);
        vec_foreach (lab, &control->labs) {
            if ((*lab)->generation)
                vnrs_strbuf_printf(out, "%s{lab=\"%s\"} %llu\n", lab_metrics[m].name, (*lab)->name,
                                   (unsigned long long)lab_metrics[m].value(*lab));
        }
    }
}

// ---- packet counters come from the agent, lab by lab

enum { COUNT_PACKETS, COUNT_BYTES, _COUNT_MAX };

static const char *const units[_COUNT_MAX] = {"packets", "bytes"};

struct scrape { // lines, by unit
    struct vnrs_strbuf types[_COUNT_MAX], drops[_COUNT_MAX], billed[_COUNT_MAX];
};

struct scrape_part {
    struct vnrs_api_call *call;
    char lab[VNRS_LAB_NAME_MAX];
    struct vnrs_counters counters;
};

static void put_counters(struct vnrs_strbuf *out, const char *name, const char *what, struct vnrs_strbuf *lines)
{
    char full[64];

    for (int unit = 0; unit < _COUNT_MAX; unit++) {
        (void)snprintf(full, sizeof(full), "vnrs_%s_%s_total", name, units[unit]);
        vnrs_strbuf_printf(out, "# HELP %s %c%s%s.\n# TYPE %s counter\n", full, units[unit][0] - 'a' + 'A',
                           units[unit] + 1, what, full);
        vnrs_strbuf_add(out, lines[unit].text, lines[unit].len);
        vnrs_strbuf_fini(&lines[unit]);
    }
}

static void finish(struct vnrs_api_call *call)
{
    struct scrape *scrape = call->data;

    if (--call->waiting)
        return;
    struct vnrs_strbuf out = {0};
    const struct vnrs_control *control = call->control;
    put_help(&out, "vnrs_build_info", "gauge", "Version.");
    vnrs_strbuf_puts(&out, "vnrs_build_info{version=\"" VNRS_VERSION "\"} 1\n");
    put_help(&out, "vnrs_http_requests_total", "counter", "API requests.");
    vnrs_strbuf_printf(&out, "vnrs_http_requests_total %llu\n", (unsigned long long)control->http_requests);
    put_help(&out, "vnrs_recomputes_total", "counter", "Computations of effective routes.");
    vnrs_strbuf_printf(&out, "vnrs_recomputes_total %llu\n", (unsigned long long)control->recomputes);
    put_labs(&out, control);
    put_route_servers(&out, control);
    put_peers(&out, control);
    put_counters(&out, "forwarded", " forwarded, by next hop type", scrape->types);
    put_counters(&out, "dropped", " dropped, by reason", scrape->drops);
    put_counters(&out, "billing", " forwarded, by what Azure bills them as", scrape->billed);
    _free_ char *text = vnrs_strbuf_take(&out);
    vnrs_strbuf_fini(&out);
    if (text)
        vnrs_api_reply_text(call, "text/plain; version=0.0.4; charset=utf-8", text);
    else
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
}

static void on_counters(struct vnrs_agent_request *request, enum vnrs_agent_msg type, const void *items, size_t n)
{
    struct scrape_part *part = request->arg;

    if (type == VNRS_AG_COUNTER)
        vnrs_counters_add(&part->counters, items, n);
}

static void put_count(struct vnrs_strbuf *lines, const char *name, const char *lab, const char *labels,
                      struct vnrs_count count)
{
    const uint64_t values[_COUNT_MAX] = {count.packets, count.bytes};

    for (int unit = 0; unit < _COUNT_MAX; unit++)
        vnrs_strbuf_printf(&lines[unit], "vnrs_%s_%s_total{lab=\"%s\",%s} %llu\n", name, units[unit], lab, labels,
                           (unsigned long long)values[unit]);
}

static void put_billed(struct scrape *scrape, const struct scrape_part *part, const struct vnrs_lab *lab)
{
    struct vnrs_billed billed[_VNRS_BILL_MAX];
    char labels[96];

    vnrs_counters_bill(&part->counters, lab->fib, billed);
    for (int b = VNRS_BILL_NONE + 1; b < _VNRS_BILL_MAX; b++) {
        const struct vnrs_count *all = &billed[b].all, *out = &billed[b].outbound;
        bool outside = vnrs_billing_is_outside((enum vnrs_billing)b);
        if (!all->packets)
            continue;
        (void)snprintf(labels, sizeof(labels), "class=\"%s\",direction=\"%s\"", vnrs_billing_name(b),
                       outside ? "outbound" : "inside");
        put_count(scrape->billed, "billing", part->lab, labels, outside ? *out : *all);
        if (!outside)
            continue;
        (void)snprintf(labels, sizeof(labels), "class=\"%s\",direction=\"inbound\"", vnrs_billing_name(b));
        put_count(scrape->billed, "billing", part->lab, labels,
                  (struct vnrs_count){all->packets - out->packets, all->bytes - out->bytes});
    }
}

// What was counted: lines of zeros would be many.
static void put_part(struct scrape *scrape, const struct scrape_part *part, const struct vnrs_lab *lab)
{
    char labels[96];

    for (int i = 0; i < _VNRS_NH_MAX; i++) {
        (void)snprintf(labels, sizeof(labels), "type=\"%s\"", vnrs_nexthop_type_name(i));
        if (part->counters.types[i].packets)
            put_count(scrape->types, "forwarded", part->lab, labels, part->counters.types[i]);
    }
    for (uint32_t i = 0; i < _VNRS_DROP_MAX; i++) {
        (void)snprintf(labels, sizeof(labels), "reason=\"%s\"", vnrs_drop_name(i));
        if (part->counters.drops[i].packets)
            put_count(scrape->drops, "dropped", part->lab, labels, part->counters.drops[i]);
    }
    put_billed(scrape, part, lab);
}

static void on_counters_end(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct scrape_part *part = request->arg;
    struct vnrs_api_call *call = part->call;
    const struct vnrs_lab *lab = vnrs_control_find_lab(call->control, part->lab);

    if (reply->error == 0 && lab) // a lab without counters has no lines
        put_part(call->data, part, lab);
    free(part);
    finish(call);
}

void vnrs_api_metrics(struct vnrs_api_call *call)
{
    call->data = calloc(1, sizeof(struct scrape));
    if (!call->data) {
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
        return;
    }
    call->waiting = 1;
    vec_foreach (lab, &call->control->labs) {
        struct scrape_part *part = calloc(1, sizeof(*part));
        struct vnrs_agent_request request = {
            .type = VNRS_AG_COUNTERS, .arg = part, .items = on_counters, .done = on_counters_end};
        struct vnrs_ag_lab body = {0};
        if (!part || !(*lab)->model || (*lab)->model->dataplane == VNRS_DATAPLANE_NONE) {
            free(part);
            continue;
        }
        part->call = call;
        vnrs_str_copy(part->lab, sizeof(part->lab), (*lab)->name);
        vnrs_str_copy(body.lab, sizeof(body.lab), (*lab)->name);
        if (vnrs_agent_send(call->control->agent, &request, &body, sizeof(body), NULL, 0) < 0)
            free(part);
        else
            call->waiting++;
    }
    finish(call);
}
