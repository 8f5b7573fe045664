// SPDX-License-Identifier: GPL-2.0-or-later
// Whole packets of one NIC, both directions, as a pcapng stream, what became of each in its comment: where the eBPF
// data plane decides; with the kernel's that is not known.
#include "control/pcapng.h"
#include "control/state.h"
#include "control/watch.h"

#include "util/strbuf.h"

#include <event2/buffer.h>

#include <stdio.h>

#define ETHERNET_BYTES 14
#define TAG_BYTES      4
#define BYTES_MIN      64 // the headers
#define COUNT_MAX      1000000000

static void flush(struct vnrs_strbuf *text, struct evbuffer *out)
{
    if (!text->failed && text->len)
        (void)evbuffer_add(out, text->text, text->len);
    vnrs_strbuf_fini(text);
}

static void begin(const struct vnrs_watcher *watcher, struct evbuffer *out)
{
    struct vnrs_strbuf text = {0};

    vnrs_pcapng_begin(&text, watcher->filter.nic, watcher->bytes);
    flush(&text, out);
}

static void show_one(struct vnrs_watcher *watcher, const struct vnrs_watched *packet, bool inbound,
                     struct evbuffer *out)
{
    const struct vnrs_bpf_flow_event *event = packet->event;
    uint32_t room = watcher->bytes - (event->vlan_type_be ? TAG_BYTES : 0);
    bool sent = !inbound && vnrs_flow_is_forwarded(event);
    char comment[VNRS_PCAPNG_COMMENT_MAX];
    struct vnrs_strbuf text = {0};

    vnrs_flow_comment(event, inbound, packet->nic, packet->to_nic, comment, sizeof(comment));
    vnrs_pcapng_packet(&text,
                       &(struct vnrs_pcapng_packet){.time_ns = (uint64_t)((int64_t)event->time_ns + packet->offset_ns),
                                                    .bytes = packet->bytes,
                                                    .n = MIN(event->bytes, room),
                                                    .frame_len = event->len + ETHERNET_BYTES,
                                                    .macs = sent ? event->sent_macs : NULL,
                                                    .vlan_type_be = event->vlan_type_be,
                                                    .vlan_tag = event->vlan_tag,
                                                    .inbound = inbound,
                                                    .lost = watcher->lost,
                                                    .comment = comment});
    watcher->lost = text.failed ? watcher->lost + 1 : 0;
    flush(&text, out);
}

// One that a NIC sends to itself is seen twice.
static void show(struct vnrs_watcher *watcher, const struct vnrs_watched *packet, struct evbuffer *out)
{
    const struct vnrs_bpf_flow_event *event = packet->event;
    bool answer = event->captured & VNRS_BPF_CAPTURED_ANSWER;

    if (event->captured & VNRS_BPF_CAPTURED_FROM && event->ifindex == watcher->number)
        show_one(watcher, packet, false, out);
    if (answer || (event->captured & VNRS_BPF_CAPTURED_TO && event->egress == watcher->number))
        show_one(watcher, packet, true, out);
}

static bool want_number(struct vnrs_api_call *call, const char *name, uint32_t min, uint32_t max, uint32_t *value)
{
    const char *text = vnrs_api_param(call, name, false);
    char message[160], *end = NULL;

    if (!text)
        return true;
    unsigned long number = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (end && !*end && number >= min && number <= max) {
        *value = (uint32_t)number;
        return true;
    }
    (void)snprintf(message, sizeof(message), "'%s' is %u to %u, not '%.40s'", name, min, max, text);
    vnrs_api_error(call, 400, "bad-request", message, NULL);
    return false;
}

// False: it was answered that the lab's data plane cannot.
static bool want_possible(struct vnrs_api_call *call)
{
    const struct vnrs_model *model = call->lab->model;
    bool asks_verdict = vnrs_api_param(call, "reason", false) || vnrs_api_param(call, "verdict", false);

    if (model && model->dataplane == VNRS_DATAPLANE_NONE)
        vnrs_api_error(call, 409, "unsupported", "packets are captured in the fabric, and the lab has none",
                       "tcpdump in the machine: `vnrs exec MACHINE -- tcpdump`");
    else if (model && model->dataplane == VNRS_DATAPLANE_KERNEL && asks_verdict)
        vnrs_api_error(call, 409, "unsupported",
                       "the kernel data plane does not tell what becomes of a packet: there is no capture by drop "
                       "reason, of dropped or of forwarded packets only",
                       "leave that out, or `dataplane: ebpf` in the file");
    else
        return true;
    return false;
}

void vnrs_api_capture(struct vnrs_api_call *call)
{
    static const struct vnrs_watch_kind kind = {.type = "application/x-pcapng", .begin = begin, .show = show};
    const char *verdict = vnrs_api_param(call, "verdict", false);
    // All of what is forwarded, unless only what is dropped is wanted.
    const struct vnrs_flow_query query = {.sample = verdict && *verdict == 'd' ? NULL : "1"};
    struct vnrs_watcher watcher = {.kind = &kind, .bytes = VNRS_CAPTURE_BYTES_MAX};
    const char *nic = vnrs_api_param(call, "nic", true); // without it the call is answered, and gone

    if (!nic || !(nic = vnrs_watch_want_nic(call, nic)) || !vnrs_watch_want_filter(call, &query, &watcher.filter) ||
        !want_number(call, "bytes", BYTES_MIN, VNRS_CAPTURE_BYTES_MAX, &watcher.bytes) ||
        !want_number(call, "count", 1, COUNT_MAX, &watcher.left) || !want_possible(call))
        return;
    (void)vnrs_str_copy(watcher.filter.nic, sizeof(watcher.filter.nic), nic);
    watcher.number = vnrs_lab_link_number(call->lab, nic);
    vnrs_watch_begin(call, &watcher);
}
