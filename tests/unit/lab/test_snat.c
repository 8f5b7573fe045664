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
    "add table inet vnrs.h-www-0\n"                                                                                    \
    "delete table inet vnrs.h-www-0\n"                                                                                 \
    "table inet vnrs.h-www-0 {\n"
#define POSTROUTING                                                                                                    \
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
        (void)snprintf(want, sizeof(want), HEAD POSTROUTING "%s" TAIL, rows[i].rules);
        _free_ char *script = vnrs_snat_script("h-www-0", &spec);
        assert_non_null(script);
        if (strcmp(script, want) != 0)
            fail_msg("%s: %s", rows[i].what, script);
    }
}

static void ike_goes_inside(void **state)
{
    static const char want[] =
        "add table inet vnrs.tunnel.c-0.site/ike_\ndelete table inet vnrs.tunnel.c-0.site/ike_\n"
        "table inet vnrs.tunnel.c-0.site/ike_ {\n"
        "  chain prerouting {\n"
        "    type nat hook prerouting priority dstnat; policy accept;\n"
        "    iifname \"pub\" ip saddr 203.0.113.10 udp dport { 500, 4500 } dnat ip to 169.254.1.7\n"
        "  }\n" POSTROUTING "    oifname \"pub\" ip saddr { 169.254.1.7/32 } masquerade\n" TAIL;
    struct vnrs_obj_snat spec = {.ifname = "pub", .n = 1};

    (void)state;
    assert_int_equal(vnrs_addr_parse("203.0.113.10", &spec.ike_peer), 0);
    assert_int_equal(vnrs_addr_parse("169.254.1.7", &spec.ike_inside), 0);
    assert_int_equal(vnrs_prefix_parse("169.254.1.7/32", &spec.sources[0]), 0);
    // What no table name can have is left out of it.
    _free_ char *script = vnrs_snat_script("tunnel.c-0.site/ike}", &spec);
    assert_string_equal(script, want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(script_by_table), cmocka_unit_test(ike_goes_inside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
