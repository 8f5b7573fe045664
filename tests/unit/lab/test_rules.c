// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/rules.h"

#include "lab/netns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    int ns;
    struct vnrs_rtnl nl;
    struct vnrs_err err;
};

static int setup(void **state)
{
    static struct world w;

    if (geteuid() != 0)
        return 0;
    assert_int_equal(vnrs_netns_new(&w.ns), 0);
    assert_int_equal(vnrs_rtnl_open(w.ns, &w.nl), 0);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w) {
        vnrs_rtnl_close(&w->nl);
        (void)close(w->ns);
    }
    return 0;
}

static int run_command(void *arg)
{
    return system(arg);
}

static void in_ns(const struct world *w, char *command)
{
    assert_int_equal(vnrs_netns_run(w->ns, run_command, command), 0);
}

// What `ip rule` shows between the local and the main table.
static void shows(const struct world *w, const char *want)
{
    char command[600];

    (void)snprintf(command, sizeof(command),
                   "test \"$(ip rule | sed '1d;/32766/,$d;s,proto vnrs,proto 157,' | tr '\\t' ' ')\" = \"%s\"", want);
    in_ns(w, command);
}

#define THREE(iif, table)                                                                                              \
    "1000: from all iif " iif " lookup " table " proto 157\n1001: from all iif " iif                                   \
    " lookup main suppress_prefixlength 0 proto 157\n1002: from all iif " iif " unreachable proto 157"

static void made_kept_changed_removed(void **state)
{
    struct world *w = *state;

    if (!w)
        skip();
    assert_int_equal(vnrs_rules_ensure("lo", 1000, &w->nl, &w->err), 1);
    shows(w, THREE("lo", "1000"));
    assert_int_equal(vnrs_rules_ensure("lo", 1000, &w->nl, &w->err), 0); // nothing is written
    in_ns(w, "ip rule del pref 1001");
    assert_int_equal(vnrs_rules_ensure("lo", 1000, &w->nl, &w->err), 1);
    shows(w, THREE("lo", "1000"));
    assert_int_equal(vnrs_rules_ensure("lo", 1001, &w->nl, &w->err), 1);
    shows(w, THREE("lo", "1001"));
    assert_int_equal(vnrs_rules_remove(&w->nl, &w->err), 0);
    shows(w, "");
    assert_int_equal(vnrs_rules_remove(&w->nl, &w->err), 0); // twice is success
}

static void others_stay(void **state)
{
    struct world *w = *state;

    if (!w)
        skip();
    in_ns(w, "ip rule add pref 1001 from 10.0.0.0/8 lookup 7");
    assert_int_equal(vnrs_rules_ensure("lo", 1000, &w->nl, &w->err), 1);
    in_ns(w, "ip rule | grep -q 'from 10.0.0.0/8 lookup 7'");
    assert_int_equal(vnrs_rules_remove(&w->nl, &w->err), 0);
    shows(w, "1001: from 10.0.0.0/8 lookup 7");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_kept_changed_removed),
        cmocka_unit_test(others_stay),
    };
    return cmocka_run_group_tests_name("lab.rules", tests, setup, teardown);
}
