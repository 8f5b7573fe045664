// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <zlib.h>

#define BLOCK 512

struct unpacked {
    char path[32];
    uint8_t bytes[16 * BLOCK];
    size_t len;
};

static struct vnrs_archive *begin(struct unpacked *u, const char *folder)
{
    (void)snprintf(u->path, sizeof(u->path), "/tmp/vnrs-archive-XXXXXX");
    int fd = mkstemp(u->path);
    assert_true(fd >= 0);
    struct vnrs_archive *archive = vnrs_archive_new(fd, folder, 1800000000);
    assert_non_null(archive);
    return archive;
}

static void end(struct unpacked *u, struct vnrs_archive *archive, int want)
{
    assert_int_equal(vnrs_archive_end(archive), want);
    gzFile in = gzopen(u->path, "rb");
    assert_non_null(in);
    int got = gzread(in, u->bytes, sizeof(u->bytes));
    assert_true(got >= 0);
    u->len = (size_t)got;
    (void)gzclose(in);
    (void)unlink(u->path);
}

static unsigned long octal(const uint8_t *field)
{
    return strtoul((const char *)field, NULL, 8);
}

// As the standard says: the sum of all bytes, those of the sum itself being blanks.
static void checksum_is_right(const uint8_t *header)
{
    unsigned long sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    assert_int_equal(octal(header + 148), sum);
    assert_int_equal(header[154], 0);
    assert_int_equal(header[155], ' ');
}

static void files_one_after_the_other(void **state)
{
    struct unpacked u;
    struct vnrs_archive *archive = begin(&u, "top");
    char block[BLOCK];

    (void)state;
    memset(block, 'b', sizeof(block));
    vnrs_archive_add(archive, "a.txt", "hello", 5);
    vnrs_archive_add(archive, "x/empty", "", 0);
    vnrs_archive_add(archive, "x/block", block, sizeof(block));
    end(&u, archive, 0);
    assert_int_equal(u.len, BLOCK * (2 + 1 + 2 + 2));
    assert_string_equal(u.bytes, "top/a.txt");
    assert_int_equal(octal(u.bytes + 100), 0644);
    assert_int_equal(octal(u.bytes + 124), 5);
    assert_int_equal(octal(u.bytes + 136), 1800000000);
    assert_int_equal(u.bytes[156], '0');
    assert_memory_equal(u.bytes + 257, "ustar\00000", 8);
    checksum_is_right(u.bytes);
    assert_memory_equal(u.bytes + BLOCK, "hello\0", 6);
    assert_string_equal(u.bytes + 2 * BLOCK, "top/x/empty");
    assert_string_equal(u.bytes + 3 * BLOCK, "top/x/block");
    assert_memory_equal(u.bytes + 4 * BLOCK, block, BLOCK);
    for (size_t i = 5 * BLOCK; i < u.len; i++)
        assert_int_equal(u.bytes[i], 0);
}

static void long_names(void **state)
{
    static const struct {
        size_t folder, file; // lengths
        int error;
    } rows[] = {{4, 95, 0}, {4, 96, 0}, {4, 100, 0}, {155, 100, 0}, {4, 101, -ENAMETOOLONG}, {156, 100, -ENAMETOOLONG}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char folder[200] = "", file[200] = "";
        struct unpacked u;
        memset(folder, 'd', rows[i].folder);
        memset(file, 'f', rows[i].file);
        struct vnrs_archive *archive = begin(&u, folder);
        vnrs_archive_add(archive, file, "x", 1);
        vnrs_archive_add(archive, "after", "x", 1); // the error sticks
        end(&u, archive, rows[i].error);
        bool is_split = rows[i].folder + 1 + rows[i].file > 100;
        if (rows[i].error) {
            assert_int_equal(u.len, 0);
        } else {
            assert_memory_equal(u.bytes + (is_split ? 345 : 0), folder, rows[i].folder);
            assert_memory_equal(u.bytes + (is_split ? 0 : rows[i].folder + 1), file, rows[i].file);
            checksum_is_right(u.bytes);
        }
    }
}

static void nowhere_to_write(void **state)
{
    struct vnrs_archive *archive = vnrs_archive_new(open("/dev/full", O_WRONLY | O_CLOEXEC), "top", 0);
    char text[4096];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_non_null(archive);
    vnrs_archive_add(archive, "a", text, sizeof(text));
    assert_int_equal(vnrs_archive_end(archive), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_one_after_the_other),
        cmocka_unit_test(long_names),
        cmocka_unit_test(nowhere_to_write),
    };
    return cmocka_run_group_tests_name("cli.archive", tests, NULL, NULL);
}
