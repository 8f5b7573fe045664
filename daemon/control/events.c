// SPDX-License-Identifier: GPL-2.0-or-later
// What happened, in a bounded ring; as a list or as a stream of server-sent events.
#include "control/api.h"
#include "control/state.h"

#include "util/strbuf.h"
#include "util/utf8.h"

#include <event2/buffer.h>
#include <event2/http.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

json_t *vnrs_event_json(const struct vnrs_event_entry *event)
{
    char time_text[32] = "";
    struct tm tm;
    time_t at = (time_t)event->time;

    if (gmtime_r(&at, &tm))
        (void)strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)event->id, "time", time_text, "lab", event->lab,
                     "kind", event->kind, "text", event->text);
}

static bool is_asked_for(const struct vnrs_api_call *call, const struct vnrs_event_entry *event)
{
    return !call->lab_name[0] || strcmp(call->lab_name, event->lab) == 0;
}

// A client that is behind loses events, which it sees by their numbers.
static void push_event(struct vnrs_api_call *call, const struct vnrs_event_entry *event)
{
    json_t *json = vnrs_event_json(event);
    _free_ char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    struct evbuffer *chunk = vnrs_api_is_behind(call) ? NULL : evbuffer_new();

    json_decref(json);
    if (text && chunk && evbuffer_add_printf(chunk, "id: %llu\ndata: %s\n\n", (unsigned long long)event->id, text) > 0)
        evhttp_send_reply_chunk(call->request, chunk);
    if (chunk)
        evbuffer_free(chunk);
}

void vnrs_event_add(struct vnrs_control *control, const struct vnrs_lab *lab, const char *kind, const char *fmt, ...)
{
    struct vnrs_event_entry *event = &control->events[control->n_events % VNRS_EVENTS_MAX];
    va_list ap;

    *event = (struct vnrs_event_entry){.id = ++control->n_events, .time = time(NULL)};
    vnrs_str_copy(event->lab, sizeof(event->lab), lab ? lab->name : "");
    vnrs_str_copy(event->kind, sizeof(event->kind), kind);
    va_start(ap, fmt);
    (void)vsnprintf(event->text, sizeof(event->text), fmt, ap);
    va_end(ap);
    vnrs_utf8_trim(event->text);
    vec_foreach (call, &control->followers) {
        if (is_asked_for(*call, event))
            push_event(*call, event);
    }
}

static void unfollow(struct vnrs_api_call *call)
{
    struct vnrs_control *control = call->control;

    for (size_t i = 0; i < control->followers.len; i++) {
        if (control->followers.items[i] == call) {
            control->followers.items[i] = control->followers.items[--control->followers.len];
            return;
        }
    }
}

static const struct vnrs_event_entry *find_event(const struct vnrs_control *control, uint64_t id)
{
    return &control->events[(id - 1) % VNRS_EVENTS_MAX];
}

static void follow(struct vnrs_api_call *call, uint64_t from)
{
    if (vec_push(&call->control->followers, call) < 0) {
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
        return;
    }
    vnrs_api_stream(call, "text/event-stream", unfollow);
    for (uint64_t id = from; id <= call->control->n_events; id++) {
        if (is_asked_for(call, find_event(call->control, id)))
            push_event(call, find_event(call->control, id));
    }
}

void vnrs_api_events(struct vnrs_api_call *call)
{
    const char *since = vnrs_api_param(call, "since", false), *stream = vnrs_api_param(call, "follow", false);
    uint64_t last = call->control->n_events, from = since ? strtoull(since, NULL, 10) + 1 : 1;
    json_t *list;

    from = MAX(from, 1u);
    if (last > VNRS_EVENTS_MAX && from <= last - VNRS_EVENTS_MAX)
        from = last - VNRS_EVENTS_MAX + 1;
    if (stream && strcmp(stream, "1") == 0) {
        follow(call, from);
        return;
    }
    list = json_array();
    for (uint64_t id = from; id <= last; id++) {
        if (is_asked_for(call, find_event(call->control, id)))
            (void)json_array_append_new(list, vnrs_event_json(find_event(call->control, id)));
    }
    vnrs_api_reply(call, 200, json_pack("{s:o}", "value", list));
}
