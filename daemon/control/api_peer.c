// SPDX-License-Identifier: GPL-2.0-or-later
// Everything about one BGP peer, on each instance: the speakers are asked, so the call is answered later.
#include "control/api.h"
#include "control/peer_json.h"

#include "util/fd.h"
#include "util/strbuf.h"

#include <errno.h>
#include <string.h>
#include <time.h>

struct part { // of one instance
    struct vnrs_api_call *call;
    char speaker[VNRS_KEY_MAX], peer[VNRS_PEER_NAME_MAX];
    size_t place; // in the answer
    bool is_answered;
    struct vnrs_spk_detail detail;
};

static void finish(struct vnrs_api_call *call)
{
    if (--call->waiting == 0)
        vnrs_api_reply(call, 200, TAKE_PTR(call->result));
}

static void on_detail(void *arg, const struct vnrs_spk_detail *detail)
{
    struct part *part = arg;

    part->detail = *detail;
    part->is_answered = true;
}

// The model may be another one by now, so names are looked up again.
static json_t *part_json(const struct part *part)
{
    const struct vnrs_lab *lab = part->call->lab;
    const struct vnrs_speaker *speaker = vnrs_speakers_find(&lab->speakers, part->speaker);
    const struct vnrs_spk_peer_config *config = speaker ? vnrs_speaker_find_peer(speaker, part->peer) : NULL;

    return config ? vnrs_peer_json_full(lab, speaker, config, part->is_answered ? &part->detail : NULL, vnrs_clock_ms(),
                                        time(NULL))
                  : NULL;
}

static void on_end(void *arg, int error)
{
    struct part *part = arg;
    struct vnrs_api_call *call = part->call;

    (void)error; // what a speaker that died had to say is not known
    (void)json_array_set_new(json_object_get(call->result, "value"), part->place, part_json(part));
    free(part);
    finish(call);
}

static void ask(struct vnrs_api_call *call, const struct vnrs_speaker *speaker, const char *name, size_t place)
{
    struct vnrs_instance *instance = vnrs_instance_find(call->lab, speaker->key);
    struct part *part = calloc(1, sizeof(*part));
    struct vnrs_spk_query query = {.kind = VNRS_SPK_PEER_DETAIL};
    struct vnrs_spk_pending pending = {.detail = on_detail, .end = on_end, .arg = part};

    if (!part)
        return;
    part->call = call;
    part->place = place;
    vnrs_str_copy(part->speaker, sizeof(part->speaker), speaker->key);
    vnrs_str_copy(part->peer, sizeof(part->peer), name);
    vnrs_str_copy(query.peer, sizeof(query.peer), name);
    call->waiting++;
    if (!instance || vnrs_instance_query(instance, &query, &pending) < 0)
        on_end(part, -ENOTCONN);
}

void vnrs_api_peer(struct vnrs_api_call *call)
{
    const struct vnrs_speaker *speaker = NULL;
    struct vnrs_api_peer_ref ref;

    if (!vnrs_api_want_peer(call, &ref))
        return;
    call->result = json_pack("{s:[]}", "value");
    json_t *value = json_object_get(call->result, "value");
    call->waiting = 1;
    while ((speaker = vnrs_api_next_speaker(call->lab, &ref, speaker))) {
        (void)json_array_append_new(value, json_null()); // in the order of instances, whoever answers first
        ask(call, speaker, ref.name, json_array_size(value) - 1);
    }
    finish(call);
}
