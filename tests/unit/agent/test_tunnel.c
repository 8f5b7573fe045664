// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tunnel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void reasons_by_table(void **state)
{
    static const struct {
        const char *what;
        const char *bytes;
        size_t len;
        enum vnrs_tunnel_state want;
    } rows[] = {
        {"our key is refused", "\0\0\0\2AUTH", 8, VNRS_TUNNEL_KEY},
        {"the other end's key is refused", "\0\0\0\3", 4, VNRS_TUNNEL_KEY},
        {"no answer", "\0\0\0\6", 4, VNRS_TUNNEL_NO_ANSWER},
        {"no algorithm", "\0\0\0\10", 4, VNRS_TUNNEL_PROPOSAL},
        {"no network", "\0\0\0\12", 4, VNRS_TUNNEL_PROPOSAL},
        {"not about this", "\0\0\0\15", 4, VNRS_TUNNEL_NONE}, // a second SA took the place of the first
        {"none at all", "\0\0\0\0", 4, VNRS_TUNNEL_NONE},
        {"one that is not known", "\0\0\0\177", 4, VNRS_TUNNEL_NONE},
        {"a large number", "\377\377\377\377", 4, VNRS_TUNNEL_NONE},
        {"too short", "\0\0\0", 3, VNRS_TUNNEL_NONE},
        {"nothing", "", 0, VNRS_TUNNEL_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum vnrs_tunnel_state is = vnrs_agentd_tunnel_reason(rows[i].bytes, rows[i].len);
        if (is != rows[i].want)
            fail_msg("%s: %d", rows[i].what, is);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reasons_by_table)};
    return cmocka_run_group_tests_name("tunnel", tests, NULL, NULL);
}
