// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/snat.h"
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD                                                                                                           \
    "add table inet vnrs\n"                                                                                            \
    "delete table inet vnrs\n"                                                                                         \
    "table inet vnrs {\n"                                                                                              \
    "  chain postrouting {\n"                                                                                          \
    "    type nat hook postrouting priority srcnat; policy accept;\n"
#define TAIL "  }\n}\n"

static void script_by_table(void **state)
{
    static const struct {
        const char *what;
        const char *sources[4];
        const char *rules;
    } rows[] = {
        {"none", {NULL}, ""},
        {"IPv4", {"10.0.0.0/8"}, "    oifname \"eth0\" ip saddr { 10.0.0.0/8 } masquerade\n"},
        {"IPv6", {"fd00::/8"}, "    oifname \"eth0\" ip6 saddr { fd00::/8 } masquerade\n"},
        {"both, mixed",
         {"10.0.0.0/16", "fd00::/48", "192.168.1.0/24"},
         "    oifname \"eth0\" ip saddr { 10.0.0.0/16, 192.168.1.0/24 } masquerade\n"
         "    oifname \"eth0\" ip6 saddr { fd00::/48 } masquerade\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_obj_snat spec = {.ifname = "eth0"};
        for (; rows[i].sources[spec.n]; spec.n++)
            assert_int_equal(vnrs_prefix_parse(rows[i].sources[spec.n], &spec.sources[spec.n]), 0);
        char want[1024];
        (void)snprintf(want, sizeof(want), "%s%s%s", HEAD, rows[i].rules, TAIL);
        _free_ char *script = vnrs_snat_script(&spec);
        assert_non_null(script);
        if (strcmp(script, want) != 0)
            fail_msg("%s: %s", rows[i].what, script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(script_by_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
