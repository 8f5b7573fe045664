// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/flow_text.h"

#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void one_line_each(void **state)
{
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"{\"time\":\"2026-01-12T13:46:41.500500Z\",\"nic\":\"a/"
         "eth0\",\"verdict\":\"dropped\",\"reason\":\"NONE_ROUTE\","
         "\"text\":\"next hop type "
         "None\",\"nextHopType\":null,\"toNic\":null,\"protocol\":\"udp\",\"from\":\"10.0.0.4\","
         "\"fromPort\":5000,\"to\":\"10.1.0.4\",\"toPort\":53,\"bytes\":84}",
         "13:46:41.500500Z  a/eth0  dropped  NONE_ROUTE (next hop type None)  udp 10.0.0.4:5000 → 10.1.0.4:53  84 "
         "bytes\n"},
        {"{\"time\":\"2026-01-12T13:46:41.500500Z\",\"nic\":\"a/eth0\",\"verdict\":\"forwarded\",\"reason\":null,"
         "\"text\":null,\"nextHopType\":\"VnetLocal\",\"toNic\":\"b/eth0\",\"protocol\":\"tcp\",\"from\":\"fd00::4\","
         "\"fromPort\":5000,\"to\":\"fd00::5\",\"toPort\":80,\"bytes\":60}",
         "13:46:41.500500Z  a/eth0  forwarded  VnetLocal → b/eth0  tcp [fd00::4]:5000 → [fd00::5]:80  60 bytes\n"},
        {"{\"time\":\"2026-01-12T13:46:41.500500Z\",\"nic\":\"a/eth0\",\"verdict\":\"forwarded\",\"reason\":null,"
         "\"text\":null,\"nextHopType\":\"VnetLocal\",\"toNic\":null,\"protocol\":\"icmpv6\",\"from\":\"fd00::4\","
         "\"fromPort\":null,\"to\":\"fd00::5\",\"toPort\":null,\"bytes\":60}",
         "13:46:41.500500Z  a/eth0  forwarded  VnetLocal → ?  icmpv6 fd00::4 → fd00::5  60 bytes\n"},
        {"{\"time\":\"2026-01-12T13:46:41.500500Z\",\"nic\":null,\"verdict\":\"dropped\",\"reason\":\"ETHERTYPE\","
         "\"text\":\"not ARP, IPv4 or IPv6\",\"protocol\":null,\"from\":null,\"to\":null,\"bytes\":46}",
         "13:46:41.500500Z  ?  dropped  ETHERTYPE (not ARP, IPv4 or IPv6)  46 bytes\n"},
        {"{\"time\":\"2026-01-12T13:46:41.500500Z\",\"nic\":\"a/eth0\",\"verdict\":\"forwarded\",\"reason\":null,"
         "\"text\":null,\"nextHopType\":null,\"toNic\":\"b/eth0\",\"protocol\":\"icmp\",\"from\":\"10.0.0.4\","
         "\"to\":\"10.0.1.4\",\"bytes\":84}",
         "13:46:41.500500Z  a/eth0  forwarded  → b/eth0  icmp 10.0.0.4 → 10.0.1.4  84 bytes\n"},
        {"{}", "  ?  ?  ? (?)  0 bytes\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _free_ char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        json_t *flow = json_loads(rows[i].json, 0, NULL);
        assert_non_null(flow);
        vnrs_flow_text(out, flow);
        (void)fclose(out);
        assert_string_equal(text, rows[i].want);
        json_decref(flow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_line_each)};
    return cmocka_run_group_tests_name("cli.flow_text", tests, NULL, NULL);
}
