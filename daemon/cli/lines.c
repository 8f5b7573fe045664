// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/lines.h"

#include <string.h>

bool vnrs_lines_add(struct vnrs_lines *lines, const void *bytes, size_t len)
{
    struct vnrs_strbuf rest = {0};
    size_t done = 0;
    const char *end;

    vnrs_strbuf_add(&lines->rest, bytes, len);
    if (lines->rest.failed)
        return false;
    while ((end = memchr(lines->rest.text + done, '\n', lines->rest.len - done))) {
        size_t line = (size_t)(end - (lines->rest.text + done));
        lines->line(lines->arg, lines->rest.text + done, line);
        done += line + 1;
    }
    vnrs_strbuf_add(&rest, lines->rest.text + done, lines->rest.len - done);
    vnrs_strbuf_fini(&lines->rest);
    lines->rest = rest;
    return !rest.failed;
}

void vnrs_lines_fini(struct vnrs_lines *lines)
{
    vnrs_strbuf_fini(&lines->rest);
}
