// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void values_in_paths_are_escaped(void **state)
{
    (void)state;
    char *path = vnrs_client_path("/next-hop", "from", "vm1/eth0", "to", "fd00::1 &x");
    assert_string_equal(path, "/next-hop?from=vm1%2Feth0&to=fd00%3A%3A1%20%26x");
    free(path);
    path = vnrs_client_path("/learned-routes", "peer", "nva1", NULL, NULL);
    assert_string_equal(path, "/learned-routes?peer=nva1");
    free(path);
}

static void a_socket_that_is_not_there_is_no_daemon(void **state)
{
    (void)state;
    struct vnrs_answer answer = vnrs_client_request("/nonexistent/vnrs.sock", "GET", "/v1/labs", NULL);
    assert_int_equal(answer.status, 0);
    assert_int_equal(answer.exit, VNRS_EXIT_NO_DAEMON);
    vnrs_answer_fini(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_in_paths_are_escaped),
        cmocka_unit_test(a_socket_that_is_not_there_is_no_daemon),
    };
    return cmocka_run_group_tests_name("cli.client", tests, NULL, NULL);
}
