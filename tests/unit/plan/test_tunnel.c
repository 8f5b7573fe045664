// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/tunnel.h"

#include "net/addr.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr out = {0};

    assert_true(!*text || vnrs_addr_parse(text, &out) == 0);
    return out;
}

static void configuration(void **state)
{
    static const char want[] = "connections {\n"
                               "    tunnel {\n"
                               "        version = 2\n"
                               "        remote_addrs = 198.51.100.7\n"
                               "        encap = yes\n"
                               "        mobike = no\n"
                               "        dpd_delay = 5s\n"
                               "        keyingtries = 1\n"
                               "        unique = replace\n"
                               "        proposals = aes256gcm16-prfsha384-ecp384\n"
                               "        local {\n"
                               "            auth = psk\n"
                               "            id = 203.0.113.10\n"
                               "        }\n"
                               "        remote {\n"
                               "            auth = psk\n"
                               "            id = 198.51.100.7\n"
                               "        }\n"
                               "        children {\n"
                               "            tunnel {\n"
                               "                local_ts = 0.0.0.0/0\n"
                               "                remote_ts = 0.0.0.0/0\n"
                               "                esp_proposals = aes256gcm16\n"
                               "                if_id_in = 1\n"
                               "                if_id_out = 1\n"
                               "                updown = /bin/sh updown\n"
                               "                dpd_action = clear\n"
                               "            }\n"
                               "        }\n"
                               "    }\n"
                               "}\n"
                               "secrets {\n"
                               "    ike-tunnel {\n"
                               "        secret = 0x61227d0ac3a4\n"
                               "    }\n"
                               "}\n";
    const struct vnrs_addr own = addr("203.0.113.10"), peer = addr("198.51.100.7");
    _free_ char *config = vnrs_tunnel_config(&own, &peer, "a\"}\n\xc3\xa4");

    (void)state;
    assert_string_equal(config, want);
}

static void names(void **state)
{
    struct vnrs_addr apipa = addr("169.254.21.1");
    struct vnrs_gateway gateway = {.instances = {{.ip = addr("10.0.1.4")}, {.ip = addr("10.0.1.5")}}};
    struct vnrs_connection c = {.name = "to-b", .gateway = &gateway, .gateway_bgp_ips = {&apipa, 1}};
    char link[VNRS_IFNAME_MAX], other[VNRS_IFNAME_MAX];
    const struct vnrs_addr first = vnrs_tunnel_gateway_ip(&c, 0), second = vnrs_tunnel_gateway_ip(&c, 1);

    (void)state;
    assert_true(vnrs_addr_equal(&first, &apipa));
    assert_true(vnrs_addr_equal(&second, &gateway.instances[1].ip));
    assert_string_equal(vnrs_tunnel_link("l", &c, 1, link), "tun-to-b-1");
    c.name = "a-connection-with-a-long-name";
    assert_int_equal(strlen(vnrs_tunnel_link("l", &c, 0, link)), VNRS_IFNAME_MAX - 1);
    assert_string_not_equal(link, vnrs_tunnel_link("l", &c, 1, other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(configuration), cmocka_unit_test(names)};
    return cmocka_run_group_tests_name("plan.tunnel", tests, NULL, NULL);
}
