// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/suspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void events_that_never_rest_become_rare(void **state)
{
    unsigned delay = 0, total = 0;

    (void)state;
    assert_int_equal(vnrs_agentd_suspect_delay(0, 0), 20);
    for (int i = 0; i < 20; i++) {
        unsigned next = vnrs_agentd_suspect_delay(delay, 0);
        assert_true(next >= delay && next <= 500);
        delay = next;
        total += delay;
    }
    assert_int_equal(delay, 500);
    assert_true(total > 5000);
    assert_int_equal(vnrs_agentd_suspect_delay(delay, 999), 500);
    assert_int_equal(vnrs_agentd_suspect_delay(delay, 1000), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(events_that_never_rest_become_rare)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
