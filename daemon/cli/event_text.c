// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/event_text.h"

#include <string.h>

#define DATA "data: "

json_t *vnrs_event_parse(const char *line, size_t len)
{
    const size_t skip = strlen(DATA);

    return len > skip && memcmp(line, DATA, skip) == 0 ? json_loadb(line + skip, len - skip, 0, NULL) : NULL;
}

static const char *text_of(const json_t *event, const char *key)
{
    const char *text = json_string_value(json_object_get(event, key));
    return text && *text ? text : "-"; // of no lab
}

void vnrs_event_text(FILE *out, const json_t *event)
{
    (void)fprintf(out, "%s  %s  %s  %s\n", text_of(event, "time"), text_of(event, "lab"), text_of(event, "kind"),
                  text_of(event, "text"));
}
