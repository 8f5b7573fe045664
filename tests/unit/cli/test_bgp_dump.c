// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs bgp dump against a daemon that is one answer: what is asked for, and what is in the file then.
#include "cli/cli.h"

#include "cli/one_answer.h"

#define END "0\r\n\r\n"
// MRT records of three and of no octets: time, type and subtype, length.
#define ONE                                                                                                            \
    "0123\0\x0d\0\x01\0\0\0\x03"                                                                                       \
    "abc"
#define TWO "0123\0\x0d\0\x02\0\0\0\0"

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

static void whole_records_are_written(void **state)
{
    struct one_answer daemon;
    char have[256], request[4096], want[256];

    (void)state;
    one_answer_init(&daemon);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *argv[] = {"dump", (char *)rows[i].server, NULL};
        const struct vnrs_cli cli = {.socket = daemon.socket,
                                     .lab = "l",
                                     .updates = rows[i].updates,
                                     .file = daemon.file,
                                     .argc = rows[i].server ? 2 : 1,
                                     .argv = argv};
        one_answer_start(&daemon, rows[i].answer);
        int rc = vnrs_cli_bgp_dump(&cli);
        one_answer_end(&daemon, request);
        (void)snprintf(want, sizeof(want), "GET %s HTTP/", rows[i].path);
        bool same = strncmp(request, want, strlen(want)) == 0;
        FILE *f = fopen(daemon.file, "rb");
        assert_non_null(f);
        size_t len = fread(have, 1, sizeof(have), f);
        (void)fclose(f);
        if (rc != rows[i].exit || !same || len != rows[i].file.len || memcmp(have, rows[i].file.bytes, len) != 0)
            fail_msg("%s: exit %d, asked '%.80s', %zu octets", rows[i].what, rc, request, len);
    }
    one_answer_fini(&daemon);
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
