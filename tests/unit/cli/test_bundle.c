// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs bundle where there is not much to collect; tests/system/test_bundle.py has labs.
#include "cli/cli.h"

#include "cli/one_answer.h"

#include <zlib.h>

static int run(const struct vnrs_cli *cli, char out[static 4096], char err[static 4096])
{
    struct printed printed_out, printed_err;

    printed_begin(&printed_out, STDOUT_FILENO);
    printed_begin(&printed_err, STDERR_FILENO);
    int rc = vnrs_verb_bundle(cli);
    printed_end(&printed_err, err);
    printed_end(&printed_out, out);
    return rc;
}

static void without_a_daemon(void **state)
{
    char dir[] = "/tmp/vnrs-bundle-test-XXXXXX", socket_path[64], file[64], out[4096], err[4096], want[80], bytes[8192];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(socket_path, sizeof(socket_path), "%s/none.sock", dir);
    (void)snprintf(file, sizeof(file), "%s/b.tar.gz", dir);
    char *argv[] = {file};
    const struct vnrs_cli cli = {.socket = socket_path, .argc = 1, .argv = argv};
    assert_int_equal(run(&cli, out, err), VNRS_EXIT_NO_DAEMON);
    (void)snprintf(want, sizeof(want), "%s\n", file);
    assert_string_equal(out, want);
    assert_non_null(strstr(err, "vnrs: not collected: version.json: no vnrsd answers\n"));
    assert_non_null(strstr(err, "journalctl -u vnrsd\n"));
    gzFile in = gzopen(file, "rb");
    assert_non_null(in);
    int got = gzread(in, bytes, sizeof(bytes) - 1);
    assert_true(got > 1024);
    bytes[got] = '\0';
    assert_non_null(strstr(bytes, "/bundle.json"));
    assert_non_null(strstr(bytes + 512, "\"release\": \""));
    assert_non_null(strstr(bytes + 512, "\"notCollected\": ["));
    (void)gzclose(in);
    (void)unlink(file);
    (void)rmdir(dir);
}

static void a_file_that_cannot_be(void **state)
{
    char out[4096], err[4096];
    char *argv[] = {"/nonexistent/b.tar.gz"};
    const struct vnrs_cli cli = {.socket = "/nonexistent", .argc = 1, .argv = argv};

    (void)state;
    assert_int_equal(run(&cli, out, err), VNRS_EXIT_FAILED);
    assert_string_equal(out, "");
    assert_string_equal(err, "vnrs: error: cannot write /nonexistent/b.tar.gz: No such file or directory\n");
}

static void a_full_disk(void **state)
{
    char out[4096], err[4096];
    char *argv[] = {"/dev/full"};
    const struct vnrs_cli cli = {.socket = "/nonexistent", .argc = 1, .argv = argv};

    (void)state;
    assert_int_equal(run(&cli, out, err), VNRS_EXIT_FAILED);
    assert_string_equal(out, "");
    assert_string_equal(err, "vnrs: error: cannot write /dev/full: No space left on device\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_daemon),
        cmocka_unit_test(a_file_that_cannot_be),
        cmocka_unit_test(a_full_disk),
    };
    return cmocka_run_group_tests_name("cli.bundle", tests, NULL, NULL);
}
