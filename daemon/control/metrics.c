// SPDX-License-Identifier: GPL-2.0-or-later
// GET /metrics: Prometheus text format. Labels are names of the topology file only, so their number is bounded by it.
#include "control/api.h"
#include "control/drop_name.h"
#include "control/state.h"

#include "util/strbuf.h"
#include "vnrs/bfd.h"

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

struct scrape {
    struct vnrs_strbuf types, drops;
};

struct scrape_part {
    struct vnrs_api_call *call;
    char lab[VNRS_LAB_NAME_MAX];
};

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
    put_peers(&out, control);
    put_help(&out, "vnrs_forwarded_packets_total", "counter", "Packets forwarded, by next hop type.");
    vnrs_strbuf_add(&out, scrape->types.text, scrape->types.len);
    put_help(&out, "vnrs_dropped_packets_total", "counter", "Packets dropped, by reason.");
    vnrs_strbuf_add(&out, scrape->drops.text, scrape->drops.len);
    vnrs_strbuf_fini(&scrape->types);
    vnrs_strbuf_fini(&scrape->drops);
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
    struct scrape *scrape = part->call->data;
    const struct vnrs_ag_counter *list = items;

    for (size_t i = 0; type == VNRS_AG_COUNTER && i < n; i++) {
        unsigned long long packets = list[i].packets;
        if (list[i].kind == VNRS_AG_COUNTER_TYPE && list[i].index < _VNRS_NH_MAX)
            vnrs_strbuf_printf(&scrape->types, "vnrs_forwarded_packets_total{lab=\"%s\",type=\"%s\"} %llu\n", part->lab,
                               vnrs_nexthop_type_name(list[i].index), packets);
        else if (list[i].kind == VNRS_AG_COUNTER_DROP && list[i].index < _VNRS_DROP_MAX)
            vnrs_strbuf_printf(&scrape->drops, "vnrs_dropped_packets_total{lab=\"%s\",reason=\"%s\"} %llu\n", part->lab,
                               vnrs_drop_name(list[i].index), packets);
    }
}

static void on_counters_end(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct scrape_part *part = request->arg;
    struct vnrs_api_call *call = part->call;

    (void)reply; // a lab without counters has no lines
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
