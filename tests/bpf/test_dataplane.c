// SPDX-License-Identifier: GPL-2.0-or-later
// Loading, pinning, adopting, attaching and removing the data plane.
#include "fixture.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#define LINK 16

static struct fixture fx;

static uint32_t program_id(int fd)
{
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);

    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    return info.id;
}

static uint32_t map_id(enum vnrs_bpf_map map)
{
    struct bpf_map_info info = {0};
    __u32 len = sizeof(info);

    assert_int_equal(bpf_obj_get_info_by_fd(vnrs_bpf_dataplane_map(fx.dp, map), &info, &len), 0);
    return info.id;
}

static const char *pin(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof(path), "%s/v%d/%s", fx.pins, VNRS_BPF_LAYOUT, name);
    return path;
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void next_process_adopts_maps_and_program(void **state)
{
    uint32_t ids[_VNRS_BPF_MAP_MAX], program = program_id(vnrs_bpf_dataplane_program(fx.dp));

    (void)state;
    for (unsigned m = 0; m < _VNRS_BPF_MAP_MAX; m++)
        ids[m] = map_id(m);
    fixture_close(&fx, false);
    fixture_open(&fx);
    for (unsigned m = 0; m < _VNRS_BPF_MAP_MAX; m++)
        assert_int_equal(map_id(m), ids[m]);
    assert_int_equal(program_id(vnrs_bpf_dataplane_program(fx.dp)), program);
}

static void map_of_another_definition_is_replaced_and_so_is_the_program(void **state)
{
    uint32_t program = program_id(vnrs_bpf_dataplane_program(fx.dp)), groups = map_id(VNRS_BPF_MAP_GROUPS);
    uint32_t nics = map_id(VNRS_BPF_MAP_NICS);

    (void)state;
    fixture_fill(fx.sink);
    fixture_close(&fx, false);
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "groups", 4, 8, 4, NULL);
    assert_true(fd >= 0);
    assert_int_equal(unlink(pin("groups")), 0);
    assert_int_equal(bpf_obj_pin(fd, pin("groups")), 0);
    (void)close(fd);
    fixture_open(&fx);
    assert_int_equal(map_id(VNRS_BPF_MAP_NICS), nics);
    assert_int_not_equal(map_id(VNRS_BPF_MAP_GROUPS), groups);
    assert_int_not_equal(program_id(vnrs_bpf_dataplane_program(fx.dp)), program);
    fixture_fill(fx.sink); // routes that name lost groups are written again
    uint64_t writes = fx.sink->writes;
    assert_true(writes > 10);
    fixture_close(&fx, false);
    fixture_open(&fx);
    fixture_fill(fx.sink);
    assert_int_equal(fx.sink->writes, 0);
}

static void destroy_leaves_nothing_and_twice_is_success(void **state)
{
    (void)state;
    assert_true(exists(pin("nics")));
    enum vnrs_bpf_attach how = vnrs_bpf_dataplane_has_tcx(fx.dp) ? VNRS_BPF_ATTACH_TCX : VNRS_BPF_ATTACH_FILTER;
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, how), 0);
    assert_int_equal(vnrs_bpf_dataplane_destroy(fx.pins), 0);
    assert_false(exists(fx.pins));
    assert_int_equal(vnrs_bpf_dataplane_destroy(fx.pins), 0);
}

// --- attaching ---

static uint32_t filter_program(void)
{
    struct bpf_tc_hook hook = {.sz = sizeof(hook), .ifindex = LINK, .attach_point = BPF_TC_INGRESS};
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 0x766e7273, .priority = 1);

    return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

static uint32_t link_program(void)
{
    struct bpf_link_info info = {0};
    __u32 len = sizeof(info);
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/links/%u", fx.pins, LINK);
    int fd = bpf_obj_get(path);
    if (fd < 0)
        return 0;
    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    (void)close(fd);
    return info.xdp.ifindex == LINK ? info.prog_id : 0;
}

static void attach_is_idempotent_and_changes_over(void **state)
{
    uint32_t program = program_id(vnrs_bpf_dataplane_program(fx.dp));

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int again = 0; again < 2; again++) {
            assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_FILTER), 0);
            assert_int_equal(filter_program(), program);
            assert_int_equal(link_program(), 0);
        }
        for (int again = 0; again < 2 && vnrs_bpf_dataplane_has_tcx(fx.dp); again++) {
            assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_TCX), 0);
            assert_int_equal(link_program(), program);
            assert_int_equal(filter_program(), 0);
        }
    }
    for (int again = 0; again < 2; again++) {
        assert_int_equal(vnrs_bpf_dataplane_detach(fx.dp, LINK), 0);
        assert_int_equal(filter_program(), 0);
        assert_int_equal(link_program(), 0);
    }
}

// An older version's program on the link, and its pin: both give way to ours in place.
static void another_version_is_replaced(void **state)
{
    enum vnrs_bpf_attach ways[] = {VNRS_BPF_ATTACH_FILTER, VNRS_BPF_ATTACH_TCX};

    (void)state;
    for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
        if (ways[w] == VNRS_BPF_ATTACH_TCX && !vnrs_bpf_dataplane_has_tcx(fx.dp))
            continue;
        assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, ways[w]), 0);
        uint32_t old = program_id(vnrs_bpf_dataplane_program(fx.dp));
        fixture_close(&fx, false);
        assert_int_equal(unlink(pin("nics")), 0); // so that the program of the next process is another
        fixture_open(&fx);
        uint32_t program = program_id(vnrs_bpf_dataplane_program(fx.dp));
        assert_int_not_equal(program, old);
        assert_int_equal(ways[w] == VNRS_BPF_ATTACH_TCX ? link_program() : filter_program(), old);
        assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, ways[w]), 0);
        assert_int_equal(ways[w] == VNRS_BPF_ATTACH_TCX ? link_program() : filter_program(), program);
    }
}

// All links change over at once; one that is not there does not keep the others from it.
static void another_version_is_replaced_everywhere(void **state)
{
    const uint32_t links[] = {9999, LINK};

    (void)state;
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_FILTER), 0);
    uint32_t old = program_id(vnrs_bpf_dataplane_program(fx.dp));
    assert_int_equal(vnrs_bpf_dataplane_replace(fx.dp, links, 2), 0); // nothing was pinned before
    assert_int_equal(filter_program(), old);
    fixture_close(&fx, false);
    assert_int_equal(unlink(pin("nics")), 0); // so that the program of the next process is another
    fixture_open(&fx);
    uint32_t program = program_id(vnrs_bpf_dataplane_program(fx.dp));
    assert_int_not_equal(program, old);
    assert_int_equal(vnrs_bpf_dataplane_replace(fx.dp, links, 2), -ENODEV);
    assert_int_equal(filter_program(), program);
    assert_int_equal(vnrs_bpf_dataplane_replace(fx.dp, links + 1, 1), 0);
    assert_int_equal(filter_program(), program);
}

// The pin of a link that was deleted says nothing about the next one with the same ifindex.
static void pin_of_a_lost_link_is_no_obstacle(void **state)
{
    (void)state;
    if (!vnrs_bpf_dataplane_has_tcx(fx.dp))
        skip();
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_TCX), 0);
    sh("ip link del f");
    assert_int_equal(link_program(), 0);
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_TCX), -ENODEV);
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_FILTER), -ENODEV);
    sh("ip link add f index %u type veth peer name g", LINK);
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_TCX), 0);
    assert_int_equal(link_program(), program_id(vnrs_bpf_dataplane_program(fx.dp)));
    sh("ip link del f");
    assert_int_equal(vnrs_bpf_dataplane_detach(fx.dp, LINK), 0);
}

// Filters of others on the same hook are not touched.
static void a_foreign_filter_stays(void **state)
{
    struct bpf_tc_hook hook = {.sz = sizeof(hook), .ifindex = LINK, .attach_point = BPF_TC_INGRESS};
    LIBBPF_OPTS(bpf_tc_opts, foreign, .handle = 7, .priority = 1, .prog_fd = vnrs_bpf_dataplane_program(fx.dp));
    LIBBPF_OPTS(bpf_tc_opts, query, .handle = 7, .priority = 1);

    (void)state;
    assert_int_equal(bpf_tc_hook_create(&hook), 0);
    assert_int_equal(bpf_tc_attach(&hook, &foreign), 0);
    assert_int_equal(vnrs_bpf_dataplane_attach(fx.dp, LINK, VNRS_BPF_ATTACH_FILTER), 0);
    assert_int_equal(vnrs_bpf_dataplane_detach(fx.dp, LINK), 0);
    assert_int_equal(filter_program(), 0);
    assert_int_equal(bpf_tc_query(&hook, &query), 0);
}

// --- errors ---

static void missing_capabilities_are_named(void **state)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    char text[256] = "";
    int status;

    (void)state;
    pid_t child = fork(); // what is given up cannot be had back
    assert_true(child >= 0);
    if (child == 0) {
        bool good = syscall(SYS_capset, &header, none) == 0 && vnrs_bpf_dataplane_probe(text, sizeof(text)) == -EPERM &&
                    strstr(text, "CAP_BPF") && strstr(text, "CAP_PERFMON") && strstr(text, "CAP_NET_ADMIN");
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(vnrs_bpf_dataplane_probe(text, sizeof(text)), 0);
    assert_non_null(strstr(text, "can be loaded"));
}

static void pinning_elsewhere_is_refused(void **state)
{
    struct vnrs_bpf_dataplane *dp = NULL;
    char dir[] = "/tmp/vnrs-test-bpf-XXXXXX", sub[64];
    const char *error = NULL;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(sub, sizeof(sub), "%s/lab", dir);
    assert_true(vnrs_bpf_dataplane_open(sub, &error, &dp) < 0);
    assert_non_null(error);
    assert_null(dp);
    assert_int_equal(vnrs_bpf_dataplane_destroy(sub), 0);
    assert_int_equal(rmdir(dir), 0);
}

// In a mount namespace of its own, without a BPF file system: it is mounted.
static void bpf_file_system_is_mounted_where_it_is_missing(void **state)
{
    int status;

    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct vnrs_bpf_dataplane *dp = NULL;
        const char *error = NULL, *pins = "/sys/fs/bpf/vnrs-test-bpf-mount";
        bool good = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        while (good && umount("/sys/fs/bpf") == 0)
            ;
        good = good && vnrs_bpf_dataplane_open(pins, &error, &dp) == 0;
        vnrs_bpf_dataplane_close(dp);
        _exit(good && vnrs_bpf_dataplane_destroy(pins) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// What the kernel looks at to prove the program harmless. Kernel 6.1 looks at a quarter more than 6.18 does.
static void program_is_cheap_to_verify(void **state)
{
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);

    (void)state;
    assert_int_equal(bpf_obj_get_info_by_fd(vnrs_bpf_dataplane_program(fx.dp), &info, &len), 0);
    print_message("%u instructions verified\n", info.verified_insns);
    assert_in_range(info.verified_insns, 1, 28000);
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    sh("ip link add f index %u type veth peer name g", LINK);
    fixture_open(&fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(next_process_adopts_maps_and_program, setup, teardown),
        cmocka_unit_test_setup_teardown(map_of_another_definition_is_replaced_and_so_is_the_program, setup, teardown),
        cmocka_unit_test_setup_teardown(destroy_leaves_nothing_and_twice_is_success, setup, teardown),
        cmocka_unit_test_setup_teardown(attach_is_idempotent_and_changes_over, setup, teardown),
        cmocka_unit_test_setup_teardown(another_version_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(another_version_is_replaced_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(pin_of_a_lost_link_is_no_obstacle, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_filter_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(program_is_cheap_to_verify, setup, teardown),
        cmocka_unit_test(bpf_file_system_is_mounted_where_it_is_missing),
        cmocka_unit_test(missing_capabilities_are_named),
        cmocka_unit_test(pinning_elsewhere_is_refused),
    };

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.dataplane", tests, NULL, NULL);
}
