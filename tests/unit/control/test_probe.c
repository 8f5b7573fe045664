// SPDX-License-Identifier: GPL-2.0-or-later
// Health probes: who is asked for, what an answer does, and that one failure more or less is one group.
#include "control/probe.h"

#include "control/labs.h"

#include <errno.h>

static const char *const balanced = "name: l\n"
                                    "virtualNetworks:\n"
                                    "  - name: net\n"
                                    "    addressSpace: [10.0.0.0/16]\n"
                                    "    subnets:\n"
                                    "      - {name: vm, addressPrefix: 10.0.0.0/24, routeTable: rt}\n"
                                    "      - {name: nva, addressPrefix: 10.0.2.0/24}\n"
                                    "routeTables:\n"
                                    "  - name: rt\n"
                                    "    routes:\n"
                                    "      - {name: all, addressPrefix: 0.0.0.0/0, nextHopType: VirtualAppliance, "
                                    "nextHopIpAddress: 10.0.2.100}\n"
                                    "loadBalancers:\n"
                                    "  - name: lb\n"
                                    "    subnet: net/nva\n"
                                    "    privateIPAddress: 10.0.2.100\n"
                                    "    backendPool: [a, b]\n"
                                    "    probe: {port: 8080, intervalInSeconds: 1, numberOfProbes: 1}\n"
                                    "machines:\n"
                                    "  - {name: vm, nics: [{subnet: net/vm}]}\n"
                                    "  - {name: a, nics: [{subnet: net/nva, enableIPForwarding: true}]}\n"
                                    "  - {name: b, nics: [{subnet: net/nva, enableIPForwarding: true}]}\n";

static void begin(struct fixture *f, const char *source)
{
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, source);
}

static const char *state_of(struct fixture *f, unsigned backend, const char **ret_reason)
{
    const struct vnrs_balancer *lb = &lab_of(f)->model->balancers.items[0];
    return vnrs_probe_state(lab_of(f), lb, lb->backends.items[backend], ret_reason);
}

static bool has_state(struct fixture *f, const char *a, const char *b)
{
    const char *reason;
    return strcmp(state_of(f, 0, &reason), a) == 0 && strcmp(state_of(f, 1, &reason), b) == 0;
}

// The group of the load balancer, as the sinks have it.
static const struct vnrs_fib_group *group_of(struct fixture *f)
{
    vec_foreach (group, &f->agent.groups) {
        if (group->n == 2 && group->members[0].flags & VNRS_BPF_NHF_BALANCED)
            return group;
    }
    return NULL;
}

static bool has_kinds(struct fixture *f, unsigned a, unsigned b)
{
    const struct vnrs_fib_group *group = group_of(f);
    return group && group->members[0].kind == a && group->members[1].kind == b;
}

static void backends_are_probed_from_the_platform_address(void **state)
{
    struct fixture *f = *state;
    const struct vnrs_ag_connect *asked = f->agent.connects;
    struct vnrs_addr platform, a, b;

    begin(f, balanced);
    RUN_UNTIL(f, f->agent.n_connects >= 2);
    assert_int_equal(vnrs_addr_parse("168.63.129.16", &platform), 0);
    assert_int_equal(vnrs_addr_parse("10.0.2.4", &a), 0);
    assert_int_equal(vnrs_addr_parse("10.0.2.5", &b), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(asked[i].lab, "l");
        assert_string_equal(asked[i].netns, "platform.net");
        assert_memory_equal(&asked[i].from, &platform, sizeof(platform));
        assert_true(vnrs_addr_equal(&asked[i].to, &a) || vnrs_addr_equal(&asked[i].to, &b));
        assert_int_equal(asked[i].port, 8080);
    }
    assert_false(vnrs_addr_equal(&asked[0].to, &asked[1].to));
    RUN_UNTIL(f, has_state(f, "Up", "Up"));
    assert_true(has_kinds(f, VNRS_BPF_NH_NIC, VNRS_BPF_NH_NIC));
}

static void a_failure_is_one_group_and_success_another(void **state)
{
    struct fixture *f = *state;
    const char *reason;

    begin(f, balanced);
    RUN_UNTIL(f, has_state(f, "Up", "Up"));
    fake_clear_counts(&f->agent);
    f->agent.fail_connect = -ECONNREFUSED;
    RUN_UNTIL(f, has_kinds(f, VNRS_BPF_NH_DEAD, VNRS_BPF_NH_DEAD));
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_GROUPS], 2); // one for each backend
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_ROUTES], 0);
    assert_true(has_state(f, "Down", "Down"));
    (void)state_of(f, 0, &reason);
    assert_string_equal(reason, "Connection refused");
    f->agent.fail_connect = 0;
    RUN_UNTIL(f, has_kinds(f, VNRS_BPF_NH_NIC, VNRS_BPF_NH_NIC));
    assert_true(has_state(f, "Up", "Up"));
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_ROUTES], 0);
    // A recompute of everything finds what it wants.
    fake_clear_counts(&f->agent);
    vnrs_lab_dirty(lab_of(f));
    fixture_settle(f, 200);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_GROUPS] + f->agent.n_fib[VNRS_AG_FIB_ROUTES], 0);
}

static void no_answer_is_a_failure(void **state)
{
    struct fixture *f = *state;
    const char *reason;

    f->agent.silent = true;
    begin(f, balanced);
    RUN_UNTIL(f, has_state(f, "Down", "Down"));
    (void)state_of(f, 1, &reason);
    assert_string_equal(reason, "no answer");
    (void)close(f->agent.kept);
}

static void another_file_keeps_what_is_known(void **state)
{
    struct fixture *f = *state;
    char *fewer = strdup(balanced);

    f->agent.fail_connect = -EHOSTUNREACH;
    begin(f, balanced);
    RUN_UNTIL(f, has_state(f, "Down", "Down"));
    char *pool = strstr(fewer, "[a, b]");
    memcpy(pool, "[b]   ", 6);
    begin(f, fewer);
    const struct vnrs_balancer *lb = &lab_of(f)->model->balancers.items[0];
    assert_true(vnrs_probe_is_down(lab_of(f), lb, lb->backends.items[0]));
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l", NULL);
    const json_t *shown = json_array_get(json_object_get(answer.json, "loadBalancers"), 0);
    const json_t *backends = json_object_get(shown, "backends");
    assert_string_equal(json_string_value(json_object_get(shown, "privateIPAddress")), "10.0.2.100");
    assert_int_equal(json_array_size(backends), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(backends, 0), "state")), "Down");
    json_decref(answer.json);
    free(fewer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(backends_are_probed_from_the_platform_address, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_one_group_and_success_another, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(no_answer_is_a_failure, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(another_file_keeps_what_is_known, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.probe", tests, NULL, NULL);
}
