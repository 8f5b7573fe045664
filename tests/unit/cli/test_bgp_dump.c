// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs bgp dump against a daemon that is one answer: what is asked for, and what is in the file then.
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define END     "0\r\n\r\n"
// MRT records of three and of no octets: time, type and subtype, length.
#define ONE                                                                                                            \
    "0123\0\x0d\0\x01\0\0\0\x03"                                                                                       \
    "abc"
#define TWO "0123\0\x0d\0\x02\0\0\0\0"

struct text {
    const char *bytes;
    size_t len;
};
#define TEXT(literal)                                                                                                  \
    (struct text)                                                                                                      \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct {
    const char *what;
    const char *server; // argument, or NULL
    bool updates;
    const char *path; // asked for
    struct text answer;
    int exit;
    struct text file;
} rows[] = {
    {"two records, in pieces", NULL, false, "/v1/labs/l/dump?updates=0",
     TEXT(CHUNKED "5\r\n"
                  "0123\0"
                  "\r\n"
                  "c\r\n"
                  "\x0d\0\x01\0\0\0\x03"
                  "abc"
                  "01"
                  "\r\n"
                  "a\r\n"
                  "23\0\x0d\0\x02\0\0\0\0"
                  "\r\n" END),
     VNRS_EXIT_OK, TEXT(ONE TWO)},
    {"it breaks off", "rs", true, "/v1/labs/l/dump?updates=1&routeServer=rs",
     TEXT(CHUNKED "11\r\n" ONE "01"
                  "\r\n"),
     VNRS_EXIT_FAILED, TEXT(ONE)},
    {"no MRT", "rs/1", false, "/v1/labs/l/dump?updates=0&routeServer=rs&instance=1",
     TEXT(CHUNKED "1b\r\n" ONE "0123\0\x0d\0\x02\xff\0\0\0"
                  "\r\n" END),
     VNRS_EXIT_FAILED, TEXT(ONE)},
    {"refused", "no", false, "/v1/labs/l/dump?updates=0&routeServer=no",
     TEXT("HTTP/1.1 404 Not Found\r\nContent-Length: 32\r\n\r\n{\"error\":{\"message\":\"not there\"}}"),
     VNRS_EXIT_FAILED, TEXT("")},
};

// One connection; ends with 0 when the path was the one.
static void serve(int listener, const char *path, struct text answer)
{
    char request[1024], want[256];
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    while (len < sizeof(request) - 1 && !memmem(request, len, "\r\n\r\n", 4)) {
        ssize_t got = read(fd, request + len, sizeof(request) - 1 - len);
        if (got <= 0)
            _exit(2);
        len += (size_t)got;
    }
    (void)snprintf(want, sizeof(want), "GET %s HTTP/", path);
    bool same = strncmp(request, want, strlen(want)) == 0;
    // Who has read enough may be gone.
    (void)!send(fd, answer.bytes, answer.len, MSG_NOSIGNAL);
    _exit(same ? 0 : 1);
}

static pid_t start_daemon(const char *socket_path, const char *path, struct text answer)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", socket_path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 1), 0);
    pid_t pid = fork();
    if (pid == 0)
        serve(fd, path, answer);
    (void)close(fd);
    return pid;
}

static void whole_records_are_written(void **state)
{
    char dir[] = "/tmp/vnrs-bgp-dump-XXXXXX", socket_path[64], file[64], have[256];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
    (void)snprintf(file, sizeof(file), "%s/mrt", dir);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *argv[] = {"dump", (char *)rows[i].server, NULL};
        const struct vnrs_cli cli = {.socket = socket_path,
                                     .lab = "l",
                                     .updates = rows[i].updates,
                                     .file = file,
                                     .argc = rows[i].server ? 2 : 1,
                                     .argv = argv};
        int status;
        pid_t pid = start_daemon(socket_path, rows[i].path, rows[i].answer);
        int rc = vnrs_cli_bgp_dump(&cli);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        FILE *f = fopen(file, "rb");
        assert_non_null(f);
        size_t len = fread(have, 1, sizeof(have), f);
        (void)fclose(f);
        (void)unlink(socket_path);
        if (rc != rows[i].exit || status || len != rows[i].file.len || memcmp(have, rows[i].file.bytes, len) != 0)
            fail_msg("%s: exit %d, daemon %d, %zu octets", rows[i].what, rc, status, len);
    }
    (void)unlink(file);
    assert_int_equal(rmdir(dir), 0);
}

static void a_file_that_cannot_be(void **state)
{
    char *argv[] = {"dump", NULL};
    const struct vnrs_cli cli = {
        .socket = "/nonexistent/sock", .lab = "l", .file = "/nonexistent/mrt", .argc = 1, .argv = argv};

    (void)state;
    assert_int_equal(vnrs_cli_bgp_dump(&cli), VNRS_EXIT_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_records_are_written),
        cmocka_unit_test(a_file_that_cannot_be),
    };
    return cmocka_run_group_tests_name("cli.bgp_dump", tests, NULL, NULL);
}
