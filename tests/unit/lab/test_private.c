// SPDX-License-Identifier: GPL-2.0-or-later
// What a daemon can put into its directory to lead us elsewhere.
#include "lab/private.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char base[64], outside[128];
static int dir;
static struct vnrs_private_owner self = {.mode = 0640};

static int setup(void **state)
{
    char path[128];

    (void)state;
    self.uid = geteuid();
    self.gid = getegid();
    strcpy(base, "/tmp/vnrs-test-private-XXXXXX");
    assert_non_null(mkdtemp(base));
    (void)snprintf(outside, sizeof(outside), "%s/outside", base);
    (void)snprintf(path, sizeof(path), "%s/dir", base);
    assert_int_equal(vnrs_file_store(outside, "untouched", 9, 0600), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    dir = vnrs_private_open(path);
    return dir < 0;
}

static int teardown(void **state)
{
    char path[128];

    (void)state;
    assert_int_equal(vnrs_private_clear(dir), 0);
    (void)close(dir);
    (void)snprintf(path, sizeof(path), "%s/dir", base);
    return rmdir(path) < 0 || unlink(outside) < 0 || rmdir(base) < 0;
}

static void assert_untouched(void)
{
    _free_ char *text = NULL;
    struct stat st;

    assert_int_equal(vnrs_file_load(outside, 100, &text, NULL), 0);
    assert_string_equal(text, "untouched");
    assert_int_equal(stat(outside, &st), 0);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void put_fifo(const char *name)
{
    assert_int_equal(mknodat(dir, name, S_IFIFO | 0644, 0), 0);
}

static void put_symlink(const char *name)
{
    assert_int_equal(symlinkat("../outside", dir, name), 0);
}

static void put_hard_link(const char *name)
{
    assert_int_equal(linkat(AT_FDCWD, outside, dir, name, 0), 0);
}

static void (*const traps[])(const char *name) = {put_fifo, put_symlink, put_hard_link};

static void storing_replaces_whatever_is_there(void **state)
{
    _free_ char *bytes = NULL;
    size_t size;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(traps); i++) {
        traps[i]("conf");
        traps[i]("conf.new");
        assert_int_equal(vnrs_private_store(dir, "conf", "text", 4, &self), 0);
        free(TAKE_PTR(bytes));
        assert_int_equal(vnrs_private_load(dir, "conf", 100, &bytes, &size), 0);
        assert_string_equal(bytes, "text");
        assert_int_equal(size, 4);
        assert_untouched();
        assert_int_equal(vnrs_private_clear(dir), 0);
    }
}

static void loading_takes_ordinary_files_only(void **state)
{
    _free_ char *bytes = NULL;
    size_t size;

    (void)state;
    put_fifo("pipe");
    put_symlink("link");
    assert_int_equal(mkdirat(dir, "folder", 0755), 0);
    assert_int_equal(vnrs_private_load(dir, "pipe", 100, &bytes, &size), -EINVAL);
    assert_int_equal(vnrs_private_load(dir, "link", 100, &bytes, &size), -ELOOP);
    assert_int_equal(vnrs_private_load(dir, "folder", 100, &bytes, &size), -EINVAL);
    assert_int_equal(vnrs_private_load(dir, "none", 100, &bytes, &size), -ENOENT);
    assert_int_equal(vnrs_private_store(dir, "big", "12345", 5, &self), 0);
    assert_int_equal(vnrs_private_load(dir, "big", 4, &bytes, &size), -EFBIG);
}

static void log_is_ours_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(traps); i++) {
        traps[i]("log");
        _close_ int fd = vnrs_private_append(dir, "log", 100);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "line\n", 5), 5);
        assert_untouched();
        assert_int_equal(vnrs_private_clear(dir), 0);
    }
    _close_ int fd = vnrs_private_append(dir, "log", 100);
    assert_int_equal(write(fd, "line\n", 5), 5);
    _close_ int kept = vnrs_private_append(dir, "log", 5);
    assert_int_equal(lseek(kept, 0, SEEK_END), 5);
    _close_ int cut = vnrs_private_append(dir, "log", 4);
    assert_int_equal(lseek(cut, 0, SEEK_END), 0);
}

static void clearing_stays_inside(void **state)
{
    (void)state;
    put_symlink("link");
    assert_int_equal(mkdirat(dir, "a", 0755), 0);
    assert_int_equal(mkdirat(dir, "a/b", 0), 0);
    assert_int_equal(symlinkat("../..", dir, "a/up"), 0);
    assert_int_equal(vnrs_private_clear(dir), 0);
    assert_untouched();
    // Deeper than we go down.
    int at = dup(dir);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(at);
        at = next;
    }
    (void)close(at);
    assert_int_equal(vnrs_private_clear(dir), -ELOOP);
    // What is left of it: half as deep each time.
    char half[80];
    for (size_t i = 0; i < 40; i++)
        memcpy(half + 2 * i, "d/", 2);
    half[79] = '\0';
    assert_int_equal(renameat(dir, half, dir, "e"), 0);
}

static void the_directory_is_no_link(void **state)
{
    char path[128], link[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/dir", base);
    (void)snprintf(link, sizeof(link), "%s/link", base);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(vnrs_private_open(link), -ENOTDIR);
    assert_int_equal(unlink(link), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(storing_replaces_whatever_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(loading_takes_ordinary_files_only, setup, teardown),
        cmocka_unit_test_setup_teardown(log_is_ours_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(clearing_stays_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(the_directory_is_no_link, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
