// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/file.h"

#include "cli/client.h"
#include "cli/golden.h"

static char dir[] = "/tmp/vnrs-file-test-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/l.vnrs.yml", dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/bird.conf", dir);
    (void)unlink(path);
    return rmdir(dir);
}

static int load(const char *source, struct vnrs_checked_file *f)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/l.vnrs.yml", dir);
    assert_int_equal(vnrs_file_store(path, source, strlen(source), 0644), 0);
    return vnrs_checked_file_load(path, f);
}

static void with_errors(void **state)
{
    struct vnrs_checked_file f = {0};

    (void)state;
    assert_int_equal(load("name: l\nnonsense: 1\n", &f), VNRS_EXIT_INVALID);
    assert_null(f.model);
    assert_true(f.diags.list.len > 0);
    vnrs_checked_file_fini(&f);
}

static void files_that_it_names_are_beside_it(void **state)
{
    struct vnrs_checked_file f = {0};
    char path[64];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/bird.conf", dir);
    assert_int_equal(vnrs_file_store(path, "router id 1.2.3.4;\n", 19, 0644), 0);
    assert_int_equal(
        load("name: l\n"
             "virtualNetworks:\n"
             "  - {name: v, addressSpace: [10.0.0.0/16], subnets: [{name: s, addressPrefix: 10.0.0.0/24}]}\n"
             "machines:\n"
             "  - name: m\n"
             "    nics: [{subnet: v/s, enableIPForwarding: true}]\n"
             "    run: {kind: bird, config: bird.conf}\n",
             &f),
        VNRS_EXIT_OK);
    assert_string_equal(json_string_value(json_object_get(f.files, "bird.conf")), "router id 1.2.3.4;\n");
    vnrs_checked_file_fini(&f);
}

static void no_file(void **state)
{
    struct vnrs_checked_file f = {0};

    (void)state;
    assert_int_equal(vnrs_checked_file_load("/nonexistent.vnrs.yml", &f), VNRS_EXIT_FAILED);
    vnrs_checked_file_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_errors),
        cmocka_unit_test(files_that_it_names_are_beside_it),
        cmocka_unit_test(no_file),
    };
    return cmocka_run_group_tests_name("cli.file", tests, make_dir, remove_dir);
}
