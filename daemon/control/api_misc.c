// SPDX-License-Identifier: GPL-2.0-or-later
// Counters, doctor, versions, health.
#include "control/api.h"
#include "control/counters.h"
#include "control/state.h"

#include "util/strbuf.h"

// ---- counters

static void on_counters(struct vnrs_agent_request *request, enum vnrs_agent_msg type, const void *items, size_t n)
{
    struct vnrs_api_call *call = request->arg;

    if (type == VNRS_AG_COUNTER)
        vnrs_counters_add(call->data, items, n);
}

static void on_counters_end(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_api_call *call = request->arg;

    if (reply->error < 0)
        vnrs_api_error(call, 500, "failed", reply->text[0] ? reply->text : "the counters cannot be read", NULL);
    else
        vnrs_api_reply(call, 200, vnrs_counters_json(call->data, vnrs_control_find_lab(call->control, call->lab_name)));
}

void vnrs_api_counters(struct vnrs_api_call *call)
{
    struct vnrs_agent_request request = {
        .type = VNRS_AG_COUNTERS, .arg = call, .items = on_counters, .done = on_counters_end};
    struct vnrs_ag_lab body = {0};

    vnrs_str_copy(body.lab, sizeof(body.lab), call->lab->name);
    call->data = calloc(1, sizeof(struct vnrs_counters));
    if (!call->data || vnrs_agent_send(call->control->agent, &request, &body, sizeof(body), NULL, 0) < 0)
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
}

// ---- doctor

static void on_probed(struct vnrs_agent_request *request, enum vnrs_agent_msg type, const void *items, size_t n)
{
    static const char *const statuses[] = {"OK", "WARN", "FAIL"};
    struct vnrs_api_call *call = request->arg;
    const struct vnrs_ag_probe *list = items;

    for (size_t i = 0; type == VNRS_AG_PROBED && i < n; i++)
        (void)json_array_append_new(call->result, json_pack("{s:s, s:s, s:s}", "name", list[i].name, "status",
                                                            statuses[MIN(list[i].status, 2u)], "text", list[i].text));
}

static void on_probe_end(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_api_call *call = request->arg;

    if (reply->error < 0)
        (void)json_array_append_new(
            call->result, json_pack("{s:s, s:s, s:s}", "name", "agent", "status", "FAIL", "text", reply->text));
    vnrs_api_reply(call, 200, json_pack("{s:o}", "value", TAKE_PTR(call->result)));
}

void vnrs_api_doctor(struct vnrs_api_call *call)
{
    struct vnrs_agent_request request = {.type = VNRS_AG_PROBE, .arg = call, .items = on_probed, .done = on_probe_end};

    call->result = json_array();
    if (!call->result || vnrs_agent_send(call->control->agent, &request, NULL, 0, NULL, 0) < 0)
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
}

// ---- the daemon itself

void vnrs_api_version(struct vnrs_api_call *call)
{
    vnrs_api_reply(call, 200,
                   json_pack("{s:s, s:i, s:i, s:i}", "version", VNRS_VERSION, "agentProtocol", VNRS_AGENT_PROTO,
                             "speakerProtocol", VNRS_SPEAKER_PROTO, "mapLayout", VNRS_BPF_LAYOUT));
}

void vnrs_api_healthz(struct vnrs_api_call *call)
{
    vnrs_api_reply(call, 200, json_pack("{s:s}", "status", "ok"));
}

void vnrs_api_readyz(struct vnrs_api_call *call)
{
    if (call->control->ready)
        vnrs_api_reply(call, 200, json_pack("{s:s}", "status", "ready"));
    else
        vnrs_api_error(call, 503, "starting", "the daemon is still starting", NULL);
}
