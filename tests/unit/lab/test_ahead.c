// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/ahead.h"

#include "lab/netns.h"
#include "util/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY    40
#define WAIT_MS 20000

static int setup(void **state)
{
    struct vnrs_ahead *ahead = NULL;
    cpu_set_t set;

    if (geteuid() != 0 || sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) < 2)
        return 0;
    assert_int_equal(vnrs_ahead_new(&ahead), 0);
    *state = ahead;
    return 0;
}

static int teardown(void **state)
{
    *state = vnrs_ahead_free(*state);
    return 0;
}

static struct vnrs_ahead *need(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static int look_here(void *arg)
{
    _close_ int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && read(fd, arg, 1) == 1 ? 0 : -errno;
}

static void is_ready(int fd, enum vnrs_sysctl_profile profile)
{
    struct vnrs_err err = {0};
    char forward = 0;

    assert_false(vnrs_netns_is_own(fd));
    assert_int_equal(vnrs_netns_run(fd, look_here, &forward), 0);
    assert_int_equal(forward, profile == VNRS_SYSCTL_ROUTER ? '1' : '0');
    assert_int_equal(vnrs_netns_lo_up(fd), 0); // it was
    assert_int_equal(vnrs_sysctl_profile_apply(fd, profile, &err), 0);
}

// What is asked for too early is the caller's to make: give the thread more time, until it is the thread's.
static int take_made(struct vnrs_ahead *ahead, const char *name, enum vnrs_sysctl_profile profile)
{
    int fd = -1;

    for (unsigned ms = 1; fd < 0 && ms < WAIT_MS; ms *= 2) {
        vnrs_ahead_want(ahead, name, profile);
        (void)usleep(ms * 1000);
        fd = vnrs_ahead_take(ahead, name, profile);
    }
    assert_true(fd >= 0);
    return fd;
}

static void a_namespace_is_made_ready(void **state)
{
    struct vnrs_ahead *ahead = need(state);
    _close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    _close_ int host = take_made(ahead, "vnrs-test-ahead-host", VNRS_SYSCTL_HOST);
    _close_ int router = take_made(ahead, "vnrs-test-ahead-router", VNRS_SYSCTL_ROUTER);

    is_ready(host, VNRS_SYSCTL_HOST);
    is_ready(router, VNRS_SYSCTL_ROUTER);
    assert_true(vnrs_netns_is_own(home)); // this thread stayed where it was
    assert_int_equal(vnrs_ahead_take(ahead, "vnrs-test-ahead-host", VNRS_SYSCTL_HOST), -1);
}

// Whoever of the two makes them, thread or caller, in whatever order: each is one of its own.
static void all_are_told_apart(void **state)
{
    struct vnrs_ahead *ahead = need(state);
    struct vnrs_netns_id ids[MANY];
    int kept[MANY], n = 0;
    char name[32];

    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "vnrs-test-ahead-%d", i);
        vnrs_ahead_want(ahead, name, VNRS_SYSCTL_HOST);
    }
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "vnrs-test-ahead-%d", i);
        _close_ int fd = take_made(ahead, name, VNRS_SYSCTL_HOST);
        is_ready(fd, VNRS_SYSCTL_HOST);
        assert_int_equal(vnrs_netns_id_get(fd, &ids[n]), 0);
        for (int j = 0; j < n; j++)
            assert_true(ids[j].ino != ids[n].ino);
        kept[n++] = TAKE_FD(fd); // so that its number is not given again
    }
    for (int i = 0; i < n; i++)
        (void)close(kept[i]);
}

static void only_what_is_asked_for(void **state)
{
    struct vnrs_ahead *ahead = need(state);
    _close_ int there = -1;

    assert_true(vnrs_netns_create("vnrs-test-ahead-there", &there) >= 0);
    vnrs_ahead_want(ahead, "vnrs-test-ahead-there", VNRS_SYSCTL_HOST);
    vnrs_ahead_want(ahead, "vnrs-test-ahead-other", VNRS_SYSCTL_HOST);
    _close_ int behind = take_made(ahead, "vnrs-test-ahead-behind", VNRS_SYSCTL_HOST); // so both were made, if at all
    assert_int_equal(vnrs_ahead_take(ahead, "vnrs-test-ahead-there", VNRS_SYSCTL_HOST), -1);
    assert_int_equal(vnrs_ahead_take(ahead, "vnrs-test-ahead-other", VNRS_SYSCTL_ROUTER), -1);
    assert_int_equal(vnrs_netns_delete("vnrs-test-ahead-there"), 1);
}

static unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

static void what_nobody_takes_is_gone(void **state)
{
    struct vnrs_ahead *ahead = NULL;
    char name[32];

    (void)need(state);
    unsigned before = count_fds();
    assert_int_equal(vnrs_ahead_new(&ahead), 0);
    (void)close(take_made(ahead, "vnrs-test-ahead-x", VNRS_SYSCTL_HOST));
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof(name), "vnrs-test-ahead-%d", i);
        vnrs_ahead_want(ahead, name, VNRS_SYSCTL_HOST);
    }
    assert_null(vnrs_ahead_free(ahead)); // in the middle of it
    assert_int_equal(count_fds(), before);
    assert_null(vnrs_ahead_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_namespace_is_made_ready, setup, teardown),
        cmocka_unit_test_setup_teardown(all_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_takes_is_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
