// SPDX-License-Identifier: GPL-2.0-or-later
// The stream of single packets of a lab, a JSON object in each line. A line {"lost": N} says how many packets were not
// told of.
#include "control/state.h"
#include "control/watch.h"

#include "util/strbuf.h"

#include <event2/buffer.h>

#include <string.h>

static void add_line(struct evbuffer *out, json_t *json)
{
    _free_ char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    if (text)
        (void)evbuffer_add_printf(out, "%s\n", text);
    json_decref(json);
}

static void tell_lost(struct vnrs_watcher *watcher, struct evbuffer *out)
{
    add_line(out, json_pack("{s:I}", "lost", (json_int_t)watcher->lost));
    watcher->lost = 0;
}

static void show(struct vnrs_watcher *watcher, const struct vnrs_watched *packet, struct evbuffer *out)
{
    (void)watcher;
    add_line(out, vnrs_flow_json(packet->event, packet->nic, packet->to_nic, packet->offset_ns));
}

void vnrs_api_flows(struct vnrs_api_call *call)
{
    static const struct vnrs_watch_kind kind = {.type = "application/x-ndjson", .lost = tell_lost, .show = show};
    const struct vnrs_flow_query query = {.sample = vnrs_api_param(call, "sample", false)};
    const struct vnrs_model *model = call->lab->model;
    struct vnrs_watcher watcher = {.kind = &kind};
    const char *nic = vnrs_api_param(call, "nic", false);

    if (!vnrs_watch_want_filter(call, &query, &watcher.filter) || (nic && !(nic = vnrs_watch_want_nic(call, nic))))
        return;
    if (nic)
        (void)vnrs_str_copy(watcher.filter.nic, sizeof(watcher.filter.nic), nic);
    if (model && model->dataplane == VNRS_DATAPLANE_NONE) {
        vnrs_api_error(call, 409, "unsupported", "the lab has no data plane that could tell of single packets",
                       "`dataplane: ebpf` in the file, or tcpdump in a machine: `vnrs exec MACHINE -- tcpdump`");
        return;
    }
    vnrs_watch_begin(call, &watcher);
}
