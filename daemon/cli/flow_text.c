// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/flow_text.h"

#include <stdbool.h>
#include <string.h>

static const char *text_of(const json_t *flow, const char *key, const char *none)
{
    const char *text = json_string_value(json_object_get(flow, key));
    return text ? text : none;
}

static void print_end(FILE *out, const json_t *flow, const char *addr_key, const char *port_key)
{
    const char *addr = text_of(flow, addr_key, "?");
    const json_t *port = json_object_get(flow, port_key);
    bool brackets = json_is_integer(port) && strchr(addr, ':');

    (void)fprintf(out, "%s%s%s", brackets ? "[" : "", addr, brackets ? "]" : "");
    if (json_is_integer(port))
        (void)fprintf(out, ":%" JSON_INTEGER_FORMAT, json_integer_value(port));
}

void vnrs_flow_text(FILE *out, const json_t *flow)
{
    const char *time = text_of(flow, "time", ""), *clock = strchr(time, 'T');
    const char *type = json_string_value(json_object_get(flow, "nextHopType"));

    (void)fprintf(out, "%s  %s  %s  ", clock ? clock + 1 : time, text_of(flow, "nic", "?"),
                  text_of(flow, "verdict", "?"));
    if (strcmp(text_of(flow, "verdict", ""), "forwarded") == 0)
        (void)fprintf(out, "%s%s→ %s  ", type ? type : "", type ? " " : "", text_of(flow, "toNic", "?"));
    else
        (void)fprintf(out, "%s (%s)  ", text_of(flow, "reason", "?"), text_of(flow, "text", "?"));
    if (json_is_string(json_object_get(flow, "protocol"))) {
        (void)fprintf(out, "%s ", text_of(flow, "protocol", ""));
        print_end(out, flow, "from", "fromPort");
        (void)fputs(" → ", out);
        print_end(out, flow, "to", "toPort");
        (void)fputs("  ", out);
    }
    (void)fprintf(out, "%" JSON_INTEGER_FORMAT " bytes\n", json_integer_value(json_object_get(flow, "bytes")));
}
