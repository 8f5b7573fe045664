// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct attr { // sched_setattr(2)
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static struct attr attr_of_self(void)
{
    struct attr attr = {0};

    assert_int_equal(syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0), 0);
    return attr;
}

// Linux 6.12 on; earlier ones say 0.
static void skip_without_slices(void)
{
    if (attr_of_self().runtime_ns == 0)
        skip();
}

// Run `fn` in a child, so that this process stays as it is.
static int status_of(int (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int set_keeps_the_rest(void)
{
    if (setpriority(PRIO_PROCESS, 0, 3) < 0 || vnrs_sched_set_slice(VNRS_SCHED_SPEAKER_US, true) < 0)
        return 1;
    struct attr attr = attr_of_self();
    return attr.policy == SCHED_OTHER && attr.nice == 3 && attr.flags == 0 ? 0 : 2;
}

static void test_nothing_else_changes(void **state)
{
    (void)state;
    assert_int_equal(status_of(set_keeps_the_rest), 0);
}

static uint64_t child_ns;

static void *look(void *arg)
{
    (void)arg;
    child_ns = attr_of_self().runtime_ns;
    return NULL;
}

// Slices in hundreds of us: the caller's, and that of a thread it starts.
static int slices_after(unsigned us, bool inherited)
{
    pthread_t thread;

    if (vnrs_sched_set_slice(us, inherited) < 0 || pthread_create(&thread, NULL, look, NULL) != 0 ||
        pthread_join(thread, NULL) != 0)
        return 255;
    if (attr_of_self().runtime_ns != us * UINT64_C(1000))
        return 254;
    return child_ns == us * UINT64_C(1000);
}

static int inherits(void)
{
    return slices_after(VNRS_SCHED_SPEAKER_US, true);
}

static int does_not_inherit(void)
{
    return slices_after(VNRS_SCHED_AGENT_US, false);
}

static int changes(void)
{
    return slices_after(VNRS_SCHED_AGENT_US, true) == 1 ? slices_after(VNRS_SCHED_SPEAKER_US, true) : 253;
}

static void test_slices(void **state)
{
    (void)state;
    skip_without_slices();
    assert_int_equal(status_of(inherits), 1);
    assert_int_equal(status_of(does_not_inherit), 0);
    assert_int_equal(status_of(changes), 1);
}

static int keeps_batch(void)
{
    const struct sched_param param = {0};

    if (sched_setscheduler(0, SCHED_BATCH, &param) < 0 || vnrs_sched_set_slice(VNRS_SCHED_AGENT_US, true) < 0)
        return 1;
    return attr_of_self().policy == SCHED_BATCH ? 0 : 2;
}

static void test_another_policy_stays(void **state)
{
    (void)state;
    assert_int_equal(status_of(keeps_batch), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_else_changes),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_another_policy_stays),
    };
    return cmocka_run_group_tests_name("util.sched", tests, NULL, NULL);
}
