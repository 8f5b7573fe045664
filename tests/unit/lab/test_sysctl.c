// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/sysctl.h"

#include "lab/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 200 // more than one procfs is used for

struct look {
    const char *path;
    char value[16];
};

static int look_here(void *arg)
{
    struct look *look = arg;
    _close_ int fd = open(look->path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, look->value, sizeof(look->value) - 1);

    return len < 0 ? -errno : 0;
}

// As everybody else sees it.
static void holds(int ns, const char *path, const char *want)
{
    struct look look = {.path = path};

    assert_int_equal(vnrs_netns_run(ns, look_here, &look), 0);
    look.value[strcspn(look.value, "\n")] = '\0';
    assert_string_equal(look.value, want);
}

static int new_ns(void)
{
    int ns;

    if (geteuid() != 0)
        skip();
    assert_int_equal(vnrs_netns_new(&ns), 0);
    return ns;
}

static void a_profile_is_written_once(void **state)
{
    struct vnrs_err err = {0};
    int ns = new_ns();

    (void)state;
    assert_true(vnrs_sysctl_profile_apply(ns, VNRS_SYSCTL_HOST, &err) > 5);
    assert_int_equal(vnrs_sysctl_profile_apply(ns, VNRS_SYSCTL_HOST, &err), 0);
    holds(ns, "/proc/sys/net/ipv4/ip_forward", "0");
    holds(ns, "/proc/sys/net/ipv4/conf/all/rp_filter", "0");
    assert_true(vnrs_sysctl_profile_apply(ns, VNRS_SYSCTL_ROUTER, &err) >= 1);
    holds(ns, "/proc/sys/net/ipv4/ip_forward", "1");
    (void)close(ns);
}

// One after the other, and in turns: each has its own values.
static void namespaces_are_told_apart(void **state)
{
    struct vnrs_err err = {0};
    int hosts = new_ns(), routers = new_ns();

    (void)state;
    assert_true(vnrs_sysctl_profile_apply(hosts, VNRS_SYSCTL_HOST, &err) > 0);
    assert_true(vnrs_sysctl_profile_apply(routers, VNRS_SYSCTL_ROUTER, &err) > 0);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(vnrs_sysctl_profile_apply(hosts, VNRS_SYSCTL_HOST, &err), 0);
        assert_int_equal(vnrs_sysctl_profile_apply(routers, VNRS_SYSCTL_ROUTER, &err), 0);
    }
    holds(hosts, "/proc/sys/net/ipv4/ip_forward", "0");
    holds(routers, "/proc/sys/net/ipv4/ip_forward", "1");
    (void)close(hosts);
    (void)close(routers);
}

static void one_setting(void **state)
{
    int ns = new_ns();

    (void)state;
    assert_int_equal(vnrs_sysctl_set(ns, "net/ipv4/ip_default_ttl", "77"), 1);
    assert_int_equal(vnrs_sysctl_set(ns, "net/ipv4/ip_default_ttl", "77"), 0);
    holds(ns, "/proc/sys/net/ipv4/ip_default_ttl", "77");
    assert_int_equal(vnrs_sysctl_set(ns, "net/ipv4/no_such_setting", "1"), -ENOENT);
    assert_int_equal(vnrs_sysctl_set(-1, "net/ipv4/no_such_setting", "1"), -ENOENT);
    (void)close(ns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_written_once),
        cmocka_unit_test(namespaces_are_told_apart),
        cmocka_unit_test(one_setting),
    };

    return cmocka_run_group_tests_name("lab.sysctl", tests, NULL, NULL);
}
