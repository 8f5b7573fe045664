// SPDX-License-Identifier: GPL-2.0-or-later
// Counters, doctor, versions, health.
#include "control/api.h"
#include "control/drop_name.h"
#include "control/state.h"

#include "util/strbuf.h"

// ---- counters

struct pair {
    uint64_t packets, bytes;
};

struct counters {
    struct pair from[VNRS_NICS_MAX], to[VNRS_NICS_MAX];
    struct pair types[_VNRS_NH_MAX], drops[_VNRS_DROP_MAX];
};

static void on_counters(struct vnrs_agent_request *request, enum vnrs_agent_msg type, const void *items, size_t n)
{
    struct vnrs_api_call *call = request->arg;
    struct counters *all = call->data;
    const struct vnrs_ag_counter *list = items;

    for (size_t i = 0; type == VNRS_AG_COUNTER && i < n; i++) {
        struct pair pair = {list[i].packets, list[i].bytes};
        uint32_t index = list[i].index;
        if (list[i].kind == VNRS_AG_COUNTER_NIC_FROM && index < VNRS_NICS_MAX)
            all->from[index] = pair;
        else if (list[i].kind == VNRS_AG_COUNTER_NIC_TO && index < VNRS_NICS_MAX)
            all->to[index] = pair;
        else if (list[i].kind == VNRS_AG_COUNTER_TYPE && index < _VNRS_NH_MAX)
            all->types[index] = pair;
        else if (list[i].kind == VNRS_AG_COUNTER_DROP && index < _VNRS_DROP_MAX)
            all->drops[index] = pair;
    }
}

static json_t *pair_json(const struct pair *pair)
{
    return json_pack("{s:I, s:I}", "packets", (json_int_t)pair->packets, "bytes", (json_int_t)pair->bytes);
}

static json_t *nic_counters(const struct vnrs_lab *lab, const struct counters *all)
{
    json_t *list = json_array();

    vec_foreach (object, &lab->desired.objects) {
        uint32_t i = object->type == VNRS_OBJ_LINK ? vnrs_ids_find(lab->ids, VNRS_ID_LINK, object->key) : 0;
        if (i && i < VNRS_NICS_MAX)
            (void)json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "name", object->key, "fromNic",
                                                        pair_json(&all->from[i]), "toNic", pair_json(&all->to[i])));
    }
    return list;
}

static void on_counters_end(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_api_call *call = request->arg;
    const struct counters *all = call->data;
    json_t *types = json_array(), *drops = json_array();
    const struct vnrs_lab *lab = vnrs_control_find_lab(call->control, call->lab_name);

    // The kernel's data plane counts neither: zeros would not be true.
    bool counted = !lab || !lab->model || lab->model->dataplane == VNRS_DATAPLANE_EBPF;

    for (int i = 0; counted && i < _VNRS_NH_MAX; i++)
        (void)json_array_append_new(types, json_pack("{s:s, s:I, s:I}", "type", vnrs_nexthop_type_name(i), "packets",
                                                     (json_int_t)all->types[i].packets, "bytes",
                                                     (json_int_t)all->types[i].bytes));
    for (int i = 0; counted && i < _VNRS_DROP_MAX; i++)
        (void)json_array_append_new(drops,
                                    json_pack("{s:s, s:s, s:I, s:I}", "reason", vnrs_drop_name((uint32_t)i), "text",
                                              vnrs_drop_text((uint32_t)i), "packets", (json_int_t)all->drops[i].packets,
                                              "bytes", (json_int_t)all->drops[i].bytes));
    json_t *json = json_pack("{s:o, s:o, s:o}", "nics", lab ? nic_counters(lab, all) : json_array(), "nextHopTypes",
                             types, "drops", drops);
    if (reply->error < 0) {
        json_decref(json);
        vnrs_api_error(call, 500, "failed", reply->text[0] ? reply->text : "the counters cannot be read", NULL);
        return;
    }
    vnrs_api_reply(call, 200, json);
}

void vnrs_api_counters(struct vnrs_api_call *call)
{
    struct vnrs_agent_request request = {
        .type = VNRS_AG_COUNTERS, .arg = call, .items = on_counters, .done = on_counters_end};
    struct vnrs_ag_lab body = {0};

    vnrs_str_copy(body.lab, sizeof(body.lab), call->lab->name);
    call->data = calloc(1, sizeof(struct counters));
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
