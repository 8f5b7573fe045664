// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/utf8.h"

#include <string.h>

size_t vnrs_utf8_len(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : (p[0] & 0xf8) == 0xf0       ? 4
                                             : 0;
    uint32_t c = n > 1 ? p[0] & (0x7fu >> n) : p[0];

    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

bool vnrs_utf8_is_control(const uint8_t *p, size_t n)
{
    return n == 1 ? p[0] < 0x20 || p[0] == 0x7f : n == 2 && p[0] == 0xc2 && p[1] < 0xa0;
}

void vnrs_utf8_trim(char *text)
{
    size_t len = strlen(text), at = len;

    while (at && len - at < 4 && ((uint8_t)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at && (uint8_t)text[at - 1] >= 0xc0)
        at--;
    if (at < len && !vnrs_utf8_len((const uint8_t *)text + at, len - at))
        text[at] = '\0';
}

bool vnrs_utf8_is_text(const char *field, size_t size)
{
    size_t len = strnlen(field, size), n;

    for (size_t at = 0; at < len; at += n) {
        const uint8_t *p = (const uint8_t *)field + at;
        n = vnrs_utf8_len(p, len - at);
        if (!n || vnrs_utf8_is_control(p, n))
            return false;
    }
    return len < size;
}
