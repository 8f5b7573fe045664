// SPDX-License-Identifier: GPL-2.0-or-later
// Message builders against golden bytes. Little endian hosts only, as the bytes are.
#include "fib/nlfilter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void check(const struct vnrs_nlmsg *msg, const char *golden)
{
    char hex[1024], *at = hex;

    for (uint32_t i = 0; i < ((const struct nlmsghdr *)msg->bytes)->nlmsg_len; i++)
        at += sprintf(at, "%02x", (unsigned char)msg->bytes[i]);
    assert_string_equal(hex, golden);
}

static void ingress_of_a_link(void **state)
{
    struct vnrs_nlmsg msg;

    (void)state;
    vnrs_nlfilter_encode_ingress(0x117, &msg);
    check(&msg, "3000000024000106000000000000000000000000170100000000fffff1ffffff000000000c000100696e677265737300");
}

static void filter_of_a_link(void **state)
{
    struct vnrs_nlmsg msg;

    (void)state;
    vnrs_nlfilter_encode(0x117, 31, &msg);
    check(&msg,
          "4c0000002c0001050000000000000000000000001701000073726e76f2ffffff0003010008000100627066002000028008000600"
          "1f0000000c000700666f7277617264000800080001000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ingress_of_a_link),
        cmocka_unit_test(filter_of_a_link),
    };

    return cmocka_run_group_tests_name("fib.nlfilter", tests, NULL, NULL);
}
