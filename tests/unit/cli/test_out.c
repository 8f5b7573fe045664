// SPDX-License-Identifier: GPL-2.0-or-later
// Only whole records are written, however the stream is cut; each is told of once.
#include "cli/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static size_t measure(const uint8_t *bytes, size_t len) // the first byte is the length
{
    return len ? bytes[0] == 0xff ? SIZE_MAX : bytes[0] : 0;
}

static char told[64];

static void on_record(void *arg, const uint8_t *record, size_t len)
{
    assert_ptr_equal(arg, told);
    strncat(told, (const char *)record + 1, len - 1);
}

static size_t written(FILE *file, char *ret, size_t size)
{
    rewind(file);
    return fread(ret, 1, size, file);
}

static void only_whole_records(void **state)
{
    static const char stream[] = "\4abc\2d\5efgh\3i"; // the last one is not whole

    (void)state;
    for (size_t piece = 1; piece < sizeof(stream); piece++) {
        FILE *file = tmpfile();
        assert_non_null(file);
        struct vnrs_out out = {.fd = fileno(file), .measure = measure, .wrote = on_record, .arg = told};
        char got[32];
        told[0] = '\0';
        for (size_t at = 0; at < sizeof(stream) - 1; at += piece)
            assert_true(vnrs_out_piece(&out, stream + at, MIN(piece, sizeof(stream) - 1 - at)));
        assert_int_equal(written(file, got, sizeof(got)), 11);
        assert_memory_equal(got, stream, 11);
        assert_string_equal(told, "abcdefgh");
        free(out.bytes);
        fclose(file);
    }
}

static void what_is_no_record_ends_it(void **state)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    struct vnrs_out out = {.fd = fileno(file), .measure = measure};
    char got[32];

    (void)state;
    assert_false(vnrs_out_piece(&out, "\2a\xff", 3));
    assert_int_equal(written(file, got, sizeof(got)), 2);
    assert_int_equal(vnrs_out_complain(&out), VNRS_EXIT_OK);
    free(out.bytes);
    fclose(file);
}

static void files_that_cannot_be_written(void **state)
{
    struct vnrs_out out = {.measure = measure};
    const struct vnrs_cli nowhere = {.file = "/nonexistent/x"}, full = {.file = "/dev/full"};

    (void)state;
    assert_int_equal(vnrs_out_open(&out, &nowhere), VNRS_EXIT_FAILED);
    assert_int_equal(vnrs_out_check(&nowhere, "x"), VNRS_EXIT_OK);
    assert_int_equal(vnrs_out_open(&out, &full), VNRS_EXIT_OK);
    assert_false(vnrs_out_piece(&out, "\2a", 2));
    assert_int_equal(vnrs_out_complain(&out), VNRS_EXIT_FAILED);
    vnrs_out_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_whole_records),
        cmocka_unit_test(what_is_no_record_ends_it),
        cmocka_unit_test(files_that_cannot_be_written),
    };
    return cmocka_run_group_tests_name("cli.out", tests, NULL, NULL);
}
