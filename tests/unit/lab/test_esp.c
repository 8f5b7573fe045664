// SPDX-License-Identifier: GPL-2.0-or-later
// What is found out about the kernel is what iproute2 finds, by other messages, in a namespace of nobody's.
#include "lab/esp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY36 "0x000000000000000000000000000000000000000000000000000000000000000000000000"

static void agrees_with_iproute2(void **state)
{
    bool has = false;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(vnrs_esp_probe(&has), 0);
    // NOLINTNEXTLINE(cert-env33-c): a constant command
    int status = system("unshare -n sh -c \"ip link add x type xfrm dev lo if_id 1 && ip xfrm state add src 127.0.0.1 "
                        "dst 127.0.0.1 proto esp spi 1 mode tunnel aead 'rfc4106(gcm(aes))' " KEY36
                        " 128 encap espinudp 4500 4500 0.0.0.0\" 2>/dev/null");
    assert_int_equal(has, status == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_iproute2)};
    return cmocka_run_group_tests_name("lab.esp", tests, NULL, NULL);
}
