// SPDX-License-Identifier: GPL-2.0-or-later
// What is wrong with a NIC, at both ends of a veth between two namespaces of a lab of nobody's, and in a packet path
// where this kernel has one: made, changed, found broken, made again, removed; whole or not at all.
#include "agent/impair.h"

#include "fib/bpf_counters.h"
#include "lab/netns.h"
#include "lab/qdisc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#define FABRIC_END 4000

struct world {
    char dir[64], lab_name[32], fabric[64], machine[64];
    struct vnrs_agentd ad;
    struct vnrs_agentd_lab *lab;
    struct vnrs_agentd_object *impair;
    struct vnrs_qdisc_kinds kinds;
    bool is_root;
};

static const struct vnrs_impair slow = {.rate_kbit = 1000}, slower = {.rate_kbit = 500}, none;

// With $FABRIC and $MACHINE for the namespaces.
static void shell(const char *command)
{
    assert_int_equal(system(command), 0);
}

static struct vnrs_agentd_object *put(struct world *w, uint32_t type, const char *key,
                                      const union vnrs_agentd_spec *spec)
{
    struct vnrs_ag_obj obj = {.type = type};
    struct vnrs_err err = {0};

    (void)snprintf(obj.lab, sizeof(obj.lab), "%s", w->lab_name);
    (void)snprintf(obj.key, sizeof(obj.key), "%s", key);
    struct vnrs_agentd_object *object = vnrs_agentd_object_put(w->lab, &obj, spec, &err);
    assert_non_null(object);
    return object;
}

static void put_link(struct world *w, const char *key, uint32_t kind)
{
    const union vnrs_agentd_spec spec = {
        .link = {.a = {.ns = {.kind = VNRS_AG_NETNS_OURS}, .ifname = "fab"},
                 .b = {.ns = {.kind = VNRS_AG_NETNS_OURS, .name = "vm"}, .ifname = "eth0"},
                 .kind = kind}};

    (void)put(w, VNRS_OBJ_LINK, key, &spec);
}

static struct vnrs_agentd_object *put_impair(struct world *w, const char *key, const struct vnrs_impair *impair)
{
    const union vnrs_agentd_spec spec = {.impair = *impair};

    return put(w, VNRS_OBJ_IMPAIR, key, &spec);
}

static int make_namespaces(struct world *w)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fabric = -1, machine = -1;

    if (vnrs_netns_create(w->fabric, &fabric) < 0 || vnrs_netns_create(w->machine, &machine) < 0 ||
        vnrs_rtnl_open(fabric, &nl) < 0)
        return -1;
    int r = vnrs_qdisc_probe(&nl, &w->kinds);
    vnrs_rtnl_close(&nl);
    if (setenv("FABRIC", w->fabric, 1) < 0 || setenv("MACHINE", w->machine, 1) < 0)
        return -1;
    shell("ip -n $FABRIC link add fab index 4000 type veth peer name eth0 netns $MACHINE");
    return r;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    char labs[80];

    *state = w;
    if (!w)
        return -1;
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/vnrs-test-impair-XXXXXX");
    (void)snprintf(w->lab_name, sizeof(w->lab_name), "impair%d", (int)getpid());
    (void)snprintf(w->fabric, sizeof(w->fabric), "vnrs.%s", w->lab_name);
    (void)snprintf(w->machine, sizeof(w->machine), "vnrs.%s.vm", w->lab_name);
    if (!mkdtemp(w->dir))
        return -1;
    (void)snprintf(labs, sizeof(labs), "%s/labs", w->dir);
    if (mkdir(labs, 0755) < 0)
        return -1;
    w->ad.options.run_dir = w->dir;
    w->lab = vnrs_agentd_lab_find(&w->ad, w->lab_name, true);
    if (!w->lab)
        return -1;
    put_link(w, "a", VNRS_LINK_NIC);
    w->impair = put_impair(w, "a", &slow);
    w->is_root = geteuid() == 0;
    return w->is_root ? make_namespaces(w) : 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    struct vnrs_ag_record record = {0};
    struct vnrs_err err = {0};
    char labs[80];

    (void)snprintf(record.lab, sizeof(record.lab), "%s", w->lab_name);
    int r = vnrs_agentd_record_put(&w->ad, &record, NULL, 0, &err);
    vnrs_agentd_labs_free(&w->ad);
    if (w->is_root && (vnrs_netns_delete(w->fabric) < 0 || vnrs_netns_delete(w->machine) < 0))
        r = -1;
    (void)snprintf(labs, sizeof(labs), "%s/labs", w->dir);
    if (rmdir(labs) < 0 || rmdir(w->dir) < 0)
        r = -1;
    free(w);
    return r;
}

static int ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    *ret_outcome = VNRS_AG_REMOVED;
    *err = (struct vnrs_err){0};
    return vnrs_agentd_impair_ensure(object, ret_outcome, err);
}

static void assert_ensured(const struct world *w, enum vnrs_ag_outcome want)
{
    enum vnrs_ag_outcome outcome;
    struct vnrs_err err;

    if (ensure(w->impair, &outcome, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(outcome, want);
    assert_true(vnrs_agentd_impair_is_there(w->impair));
}

// What the root of that end is to be.
static bool is_end(const char *ns, const char *ifname, const struct vnrs_impair *impair, bool with_loss)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;
    uint32_t ifindex = 0;

    assert_int_equal(vnrs_netns_open(ns, &fd), 0);
    assert_int_equal(vnrs_rtnl_open(fd, &nl), 0);
    assert_int_equal(vnrs_link_find(&nl, ifname, &ifindex), 0);
    bool right = vnrs_qdisc_is_right(&nl, ifindex, impair, with_loss);
    vnrs_rtnl_close(&nl);
    return right;
}

static void assert_ends(const struct world *w, const struct vnrs_impair *impair)
{
    assert_true(is_end(w->fabric, "fab", impair, !w->lab->dataplane));
    assert_true(is_end(w->machine, "eth0", impair, !w->lab->dataplane));
}

#define NEED_TBF(w)                                                                                                    \
    if (!(w)->kinds.tbf)                                                                                               \
    skip()

static void made_changed_and_removed(void **state)
{
    struct world *w = *state;
    struct vnrs_err err = {0};

    NEED_TBF(w);
    assert_false(vnrs_agentd_impair_is_there(w->impair));
    assert_ensured(w, VNRS_AG_CHANGED);
    assert_ends(w, &slow);
    assert_ensured(w, VNRS_AG_UNCHANGED);
    w->impair = put_impair(w, "a", &slower);
    assert_false(vnrs_agentd_impair_is_there(w->impair));
    assert_ensured(w, VNRS_AG_CHANGED);
    assert_ends(w, &slower);
    assert_int_equal(vnrs_agentd_impair_remove(w->impair, &err), 1);
    assert_ends(w, &none);
    assert_int_equal(vnrs_agentd_impair_remove(w->impair, &err), 0);
}

static void one_end_that_is_not_right_any_more(void **state)
{
    struct world *w = *state;

    NEED_TBF(w);
    assert_ensured(w, VNRS_AG_CHANGED);
    shell("tc -n $MACHINE qdisc del dev eth0 root");
    assert_false(vnrs_agentd_impair_is_there(w->impair));
    assert_ensured(w, VNRS_AG_CHANGED);
    shell("tc -n $FABRIC qdisc del dev fab root");
    assert_false(vnrs_agentd_impair_is_there(w->impair));
    assert_ensured(w, VNRS_AG_CHANGED);
    assert_ends(w, &slow);
}

static void whole_or_not_at_all(void **state)
{
    struct world *w = *state;
    enum vnrs_ag_outcome outcome;
    struct vnrs_err err;

    NEED_TBF(w);
    shell("tc -n $MACHINE qdisc add dev eth0 root handle 1: pfifo"); // somebody's own
    assert_int_equal(ensure(w->impair, &outcome, &err), -EEXIST);
    assert_int_equal(outcome, VNRS_AG_REMOVED); // untouched
    assert_non_null(strstr(err.text, "not ours"));
    assert_true(is_end(w->fabric, "fab", &none, true)); // which had been made
    assert_false(vnrs_agentd_impair_is_there(w->impair));
    shell("tc -n $MACHINE qdisc show dev eth0 | grep -q 'pfifo 1:'");
}

static void what_the_kernel_lacks(void **state)
{
    const struct vnrs_impair late = {.delay_us = 20000, .loss_ppm = 10000};
    struct world *w = *state;
    enum vnrs_ag_outcome outcome;
    struct vnrs_err err;

    NEED_TBF(w);
    assert_ensured(w, VNRS_AG_CHANGED);
    w->impair = put_impair(w, "a", &late);
    int code = ensure(w->impair, &outcome, &err);
    if (w->kinds.netem) {
        assert_int_equal(code, 0);
        assert_ends(w, &late);
        return;
    }
    assert_int_equal(code, -EOPNOTSUPP);
    assert_non_null(strstr(err.text, "sch_netem"));
    assert_ends(w, &none); // not half of what was before either
}

static void links_that_are_not_there(void **state)
{
    struct world *w = *state;
    enum vnrs_ag_outcome outcome;
    struct vnrs_err err;

    if (!w->is_root)
        skip();
    struct vnrs_agentd_object *unknown = put_impair(w, "b", &slow);
    assert_int_equal(ensure(unknown, &outcome, &err), -ENODEV);
    assert_string_equal(err.text, "there is no NIC 'b'");
    put_link(w, "b", VNRS_LINK_TUNNEL);
    assert_int_equal(ensure(unknown, &outcome, &err), -ENODEV); // no NIC
    assert_int_equal(vnrs_agentd_impair_remove(unknown, &err), 0);
    shell("ip -n $FABRIC link del fab");
    assert_int_equal(ensure(w->impair, &outcome, &err), -ENODEV);
    assert_non_null(strstr(err.text, "link 'fab'"));
    assert_false(vnrs_agentd_impair_is_there(w->impair));
    assert_int_equal(vnrs_agentd_impair_remove(w->impair, &err), 0);
    assert_int_equal(vnrs_netns_delete(w->machine), 1);
    assert_int_equal(vnrs_netns_delete(w->fabric), 1);
    assert_true(ensure(w->impair, &outcome, &err) < 0);
    assert_int_equal(vnrs_agentd_impair_remove(w->impair, &err), 0);
}

// ---- with a packet path

static struct vnrs_bpf_impair told(const struct world *w)
{
    struct vnrs_bpf_impair have;

    assert_int_equal(vnrs_bpf_impair_get(w->lab->dataplane, FABRIC_END, &have), 0);
    return have;
}

static uint32_t is_switched_on(const struct world *w)
{
    struct vnrs_bpf_flow_switch value;
    uint32_t index = 0;

    assert_int_equal(
        bpf_map_lookup_elem(vnrs_bpf_dataplane_map(w->lab->dataplane, VNRS_BPF_MAP_FLOW_SWITCH), &index, &value), 0);
    return value.on & VNRS_BPF_IMPAIRED;
}

static void pin_dir(const struct world *w, char ret[static 96])
{
    (void)snprintf(ret, 96, "/sys/fs/bpf/%s", w->lab_name);
}

static int setup_path(void **state)
{
    const char *why = "";
    char dir[96];
    int r = setup(state);
    struct world *w = *state;

    if (r < 0 || !w->is_root)
        return r;
    pin_dir(w, dir);
    if (vnrs_bpf_dataplane_open(dir, &why, &w->lab->dataplane) < 0)
        print_message("no packet path: %s\n", why);
    return 0;
}

static int teardown_path(void **state)
{
    struct world *w = *state;
    char dir[96];

    w->lab->dataplane = vnrs_bpf_dataplane_close(w->lab->dataplane);
    pin_dir(w, dir);
    int r = w->is_root ? vnrs_bpf_dataplane_destroy(dir) : 0;
    return teardown(state) < 0 ? -1 : r;
}

static void the_path_is_told_while_anything_is_wrong(void **state)
{
    static const struct {
        struct vnrs_impair impair;
        uint32_t flags, loss_ppm;
        bool needs_tbf;
    } rows[] = {
        {{.loss_ppm = 25}, 0, 25, false},
        {{.down = 1}, VNRS_BPF_IMPAIR_DOWN, 0, false},
        {{.down = 1, .loss_ppm = 7}, VNRS_BPF_IMPAIR_DOWN, 7, false},
        {{.rate_kbit = 1000, .loss_ppm = 3}, VNRS_BPF_IMPAIR_QUEUE, 3, true},
    };
    struct world *w = *state;
    struct vnrs_err err = {0};

    if (!w->lab->dataplane)
        skip();
    assert_false(is_switched_on(w));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].needs_tbf && !w->kinds.tbf)
            continue;
        w->impair = put_impair(w, "a", &rows[i].impair);
        assert_false(vnrs_agentd_impair_is_there(w->impair));
        assert_ensured(w, VNRS_AG_CHANGED);
        assert_ensured(w, VNRS_AG_UNCHANGED);
        assert_int_equal(told(w).flags, rows[i].flags);
        assert_int_equal(told(w).loss_ppm, rows[i].loss_ppm);
        assert_ends(w, &rows[i].impair); // the queue draws none of the lost packets
        assert_true(is_switched_on(w));
    }
    struct vnrs_agentd_object *other = put_impair(w, "b", &slow); // of a NIC that is gone
    assert_int_equal(vnrs_agentd_impair_remove(w->impair, &err), 1);
    assert_int_equal(told(w).flags, 0);
    assert_int_equal(told(w).loss_ppm, 0);
    assert_true(is_switched_on(w));
    vnrs_agentd_object_drop(w->impair);
    assert_int_equal(vnrs_agentd_impair_remove(other, &err), 0);
    assert_false(is_switched_on(w));
}

int main(void)
{
#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_PATH(name) cmocka_unit_test_setup_teardown(name, setup_path, teardown_path)
    const struct CMUnitTest tests[] = {
        TEST(made_changed_and_removed), TEST(one_end_that_is_not_right_any_more),
        TEST(whole_or_not_at_all),      TEST(what_the_kernel_lacks),
        TEST(links_that_are_not_there), TEST_PATH(the_path_is_told_while_anything_is_wrong),
    };
    return cmocka_run_group_tests_name("agent.impair", tests, NULL, NULL);
}
