// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int send_text(int fd, const char *text, const int *fds, size_t n)
{
    struct iovec parts[2] = {{(void *)text, 2}, {(void *)(text + 2), strlen(text) - 2}};
    return vnrs_msg_send(fd, parts, 2, fds, n);
}

static int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void messages_carry_descriptors(void **state)
{
    int pair[2], pipes[2], fds[VNRS_MSG_FDS_MAX] = {-1};
    size_t n = ARRAY_SIZE(fds);
    char buf[64], byte = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(send_text(pair[0], "hello", pipes, 2), 0);
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), fds, &n), 5);
    assert_memory_equal(buf, "hello", 5);
    assert_int_equal(n, 2);
    assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    n = ARRAY_SIZE(fds);
    assert_int_equal(send_text(pair[0], "no descriptor", NULL, 0), 0);
    int spare[2] = {fds[0], fds[1]};
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), fds, &n), 13);
    assert_int_equal(n, 0);
    (void)close(spare[0]);
    (void)close(spare[1]);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    (void)close(pair[0]);
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), NULL, NULL), 0); // the other side is gone
    (void)close(pair[1]);
}

static void descriptors_without_room_are_closed(void **state)
{
    int pair[2], pipes[2], fd = -1, before;
    size_t n = 1;
    char buf[4];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(pipes), 0);
    before = count_fds();
    assert_int_equal(send_text(pair[0], "four", pipes, 2), 0);
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), &fd, &n), 4);
    assert_int_equal(n, 1);
    assert_int_equal(count_fds(), before + 1);
    (void)close(fd);
    assert_int_equal(send_text(pair[0], "four", pipes, 2), 0);
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), NULL, NULL), 4);
    assert_int_equal(count_fds(), before);
    n = 1;
    assert_int_equal(send_text(pair[0], "too long for it", pipes, 1), 0);
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), &fd, &n), -EMSGSIZE);
    assert_int_equal(count_fds(), before);
    for (int i = 0; i < 2; i++) {
        (void)close(pair[i]);
        (void)close(pipes[i]);
    }
}

static void full_and_empty_queues_say_so(void **state)
{
    int pair[2], fds[VNRS_MSG_FDS_MAX + 1] = {0};
    char buf[16];
    int err = 0, sent = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(vnrs_fd_set_nonblock(pair[0], true), 0);
    assert_int_equal(vnrs_fd_set_nonblock(pair[1], true), 0);
    assert_int_equal(vnrs_msg_recv(pair[1], buf, sizeof(buf), NULL, NULL), -EAGAIN);
    while ((err = send_text(pair[0], "message", NULL, 0)) == 0)
        sent++;
    assert_int_equal(err, -EAGAIN);
    assert_true(sent > 1);
    while (vnrs_msg_recv(pair[1], buf, sizeof(buf), NULL, NULL) == 7)
        sent--;
    assert_int_equal(sent, 0);
    assert_int_equal(send_text(pair[0], "message", fds, ARRAY_SIZE(fds)), -EINVAL);
    assert_int_equal(vnrs_fd_set_nonblock(pair[0], false), 0);
    assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    (void)close(pair[1]);
    assert_int_equal(send_text(pair[0], "message", NULL, 0), -EPIPE);
    (void)close(pair[0]);
    assert_int_equal(vnrs_fd_set_nonblock(-1, true), -EBADF);
}

static void stores_and_loads_files(void **state)
{
    char dir[] = "/tmp/vnrs-test-fd-XXXXXX", path[64], temp[80];
    _free_ char *text = NULL;
    struct stat st;
    size_t len = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    (void)snprintf(temp, sizeof(temp), "%s.new", path);
    assert_int_equal(vnrs_file_load(path, 100, &text, &len), -ENOENT);
    static char big[10000];
    memset(big, 'b', sizeof(big));
    assert_int_equal(vnrs_file_store(path, big, sizeof(big), 0640), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(access(temp, F_OK), -1);
    assert_int_equal(vnrs_file_load(path, sizeof(big) - 1, &text, &len), -EFBIG);
    assert_null(text);
    assert_int_equal(vnrs_file_load(path, sizeof(big), &text, &len), 0);
    assert_int_equal(len, sizeof(big));
    assert_memory_equal(text, big, sizeof(big));
    assert_int_equal(text[len], '\0');
    assert_int_equal(vnrs_file_store(path, "", 0, 0600), 0);
    _free_ char *empty = NULL;
    assert_int_equal(vnrs_file_load(path, 100, &empty, NULL), 0);
    assert_string_equal(empty, "");
    assert_int_equal(vnrs_file_store("/nonexistent/dir/file", "x", 1, 0600), -ENOENT);
    (void)unlink(path);
    (void)rmdir(dir);
}

static void clock_goes_forward(void **state)
{
    uint64_t first = vnrs_clock_ms();

    (void)state;
    assert_true(first > 0);
    assert_true(vnrs_clock_ms() >= first);
}

// What vnrsd is when it is killed in the middle of starting a program: its child has copies of all descriptors.
static pid_t lock_and_fork(const char *path, const int *hold)
{
    pid_t pid = fork();
    char byte;

    if (pid != 0)
        return pid;
    if (vnrs_file_lock(path) < 0)
        _exit(1);
    if (fork() == 0) {
        (void)close(hold[1]);
        (void)!read(hold[0], &byte, 1); // until the test is over
        _exit(0);
    }
    (void)raise(SIGKILL);
    _exit(1);
}

static void lock_dies_with_its_process(void **state)
{
    char path[] = "/tmp/vnrs-lock-XXXXXX";
    int hold[2], status;

    (void)state;
    (void)close(mkstemp(path));
    assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
    pid_t pid = lock_and_fork(path, hold);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    int fd = vnrs_file_lock(path);
    assert_true(fd >= 0);
    pid = fork();
    if (pid == 0)
        _exit(vnrs_file_lock(path) == -EAGAIN ? 0 : 1); // another one
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(fd);
    (void)close(hold[0]);
    (void)close(hold[1]);
    (void)unlink(path);
    assert_int_equal(vnrs_file_lock("/nowhere/lock"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_carry_descriptors),   cmocka_unit_test(descriptors_without_room_are_closed),
        cmocka_unit_test(full_and_empty_queues_say_so), cmocka_unit_test(stores_and_loads_files),
        cmocka_unit_test(clock_goes_forward),           cmocka_unit_test(lock_dies_with_its_process),
    };
    return cmocka_run_group_tests_name("util.fd", tests, NULL, NULL);
}
