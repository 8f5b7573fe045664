// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/logged.h"

#include "control/api.h"
#include "control/state.h"

#include "util/log.h"
#include "util/utf8.h"

#include <string.h>
#include <time.h>

struct vnrs_logged {
    struct {
        time_t time;
        char *text;
    } lines[VNRS_LOGGED_MAX];
    uint64_t n; // that ever came
};

static void on_line(void *arg, const char *line)
{
    struct vnrs_logged *logged = arg;
    char *text = strdup(line), **place = &logged->lines[logged->n % VNRS_LOGGED_MAX].text;

    if (!text)
        return; // one line less
    vnrs_utf8_trim(text);
    free(*place);
    *place = text;
    logged->lines[logged->n++ % VNRS_LOGGED_MAX].time = time(NULL);
}

struct vnrs_logged *vnrs_logged_new(void)
{
    struct vnrs_logged *logged = calloc(1, sizeof(*logged));

    if (logged)
        vnrs_log_tap(on_line, logged);
    return logged;
}

void vnrs_logged_free(struct vnrs_logged *logged)
{
    if (!logged)
        return;
    vnrs_log_tap(NULL, NULL);
    for (size_t i = 0; i < VNRS_LOGGED_MAX; i++)
        free(logged->lines[i].text);
    free(logged);
}

static json_t *line_json(const struct vnrs_logged *logged, uint64_t i)
{
    const time_t *at = &logged->lines[i % VNRS_LOGGED_MAX].time;
    char time_text[32] = "";
    struct tm tm;

    if (gmtime_r(at, &tm))
        (void)strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_pack("{s:s, s:s}", "time", time_text, "text", logged->lines[i % VNRS_LOGGED_MAX].text);
}

void vnrs_api_log(struct vnrs_api_call *call)
{
    const struct vnrs_logged *logged = call->control->logged;
    json_t *list = json_array();

    for (uint64_t i = logged->n > VNRS_LOGGED_MAX ? logged->n - VNRS_LOGGED_MAX : 0; i < logged->n; i++)
        (void)json_array_append_new(list, line_json(logged, i));
    vnrs_api_reply(call, 200, json_pack("{s:o}", "value", list));
}
