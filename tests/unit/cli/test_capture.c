// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs capture against a daemon that is one answer: what is asked for, what is in the file then, and what is counted.
#include "cli/cli.h"

#include "util/strbuf.h"

#include "cli/one_answer.h"

enum { COMMENT = 1, FLAGS = 2, LOST = 4 };

static void add_u32(struct vnrs_strbuf *out, uint32_t value)
{
    vnrs_strbuf_add(out, (const char *)&value, sizeof(value));
}

static void add_option(struct vnrs_strbuf *out, uint16_t code, uint16_t len, const char *bytes)
{
    const uint16_t head[] = {code, len};

    vnrs_strbuf_add(out, (const char *)head, sizeof(head));
    vnrs_strbuf_add(out, bytes, (size_t)(len + 3) & ~(size_t)3);
}

static void add_lost(struct vnrs_strbuf *out, uint64_t lost)
{
    char bytes[8];

    memcpy(bytes, &lost, sizeof(lost));
    add_option(out, LOST, sizeof(bytes), bytes);
}

// Its length is put in by end_block().
static size_t begin_block(struct vnrs_strbuf *out, uint32_t type)
{
    size_t at = out->len;

    add_u32(out, type);
    add_u32(out, 0);
    return at;
}

static void end_block(struct vnrs_strbuf *out, size_t at)
{
    uint32_t length = (uint32_t)(out->len - at) + 4;

    add_u32(out, length);
    memcpy(out->text + at + 4, &length, sizeof(length));
}

static size_t begin_packet(struct vnrs_strbuf *out, uint32_t captured, const char *padded)
{
    const uint32_t head[] = {0, 1, 2, captured, 60};
    size_t at = begin_block(out, 6);

    vnrs_strbuf_add(out, (const char *)head, sizeof(head));
    vnrs_strbuf_puts(out, padded);
    return at;
}

static void add_head(struct vnrs_strbuf *out)
{
    size_t at = begin_block(out, 0x0a0d0d0a);

    vnrs_strbuf_puts(out, "section header: ");
    end_block(out, at);
    end_block(out, begin_block(out, 1)); // nothing in it
}

// Three packets, before which 5 and 7 others were lost.
static void add_packets(struct vnrs_strbuf *out)
{
    size_t at = begin_packet(out, 4, "abcd");

    add_option(out, COMMENT, 3, "no.");
    add_option(out, FLAGS, 4, "\1\0\0");
    add_lost(out, 5);
    add_option(out, 0, 0, "");
    end_block(out, at);
    end_block(out, begin_packet(out, 8, "abcdefgh")); // no options
    at = begin_packet(out, 5, "abcde...");
    add_lost(out, 7);
    end_block(out, at);
}

// As chunks of at most `piece` bytes.
static struct text chunked(const struct vnrs_strbuf *bytes, size_t piece, bool whole, struct vnrs_strbuf *out)
{
    vnrs_strbuf_puts(out, CHUNKED);
    for (size_t at = 0; at < bytes->len; at += piece) {
        size_t n = MIN(piece, bytes->len - at);
        vnrs_strbuf_printf(out, "%zx\r\n", n);
        vnrs_strbuf_add(out, bytes->text + at, n);
        vnrs_strbuf_puts(out, "\r\n");
    }
    if (whole)
        vnrs_strbuf_puts(out, "0\r\n\r\n");
    assert_false(out->failed);
    return (struct text){out->text, out->len};
}

struct outcome {
    int rc;
    char request[4096], err[4096], file[4096];
    size_t file_len;
};

static void run(struct one_answer *daemon, struct vnrs_cli cli, struct text answer, struct outcome *ret)
{
    struct printed err;

    cli.socket = daemon->socket;
    cli.lab = "l";
    cli.file = daemon->file;
    one_answer_start(daemon, answer);
    printed_begin(&err, STDERR_FILENO);
    ret->rc = vnrs_verb_capture(&cli);
    printed_end(&err, ret->err);
    one_answer_end(daemon, ret->request);
    FILE *f = fopen(daemon->file, "rb");
    ret->file_len = f ? fread(ret->file, 1, sizeof(ret->file), f) : 0;
    if (f)
        (void)fclose(f);
}

static struct vnrs_cli cli_for(char **argv)
{
    return (struct vnrs_cli){.argc = 1, .argv = argv};
}

static void packets_are_counted_however_the_stream_is_cut(void **state)
{
    static const size_t pieces[] = {1, 7, 12, 1000};
    struct vnrs_strbuf bytes = {0};
    char *argv[] = {"a", NULL};
    struct one_answer daemon;
    struct outcome got;

    (void)state;
    one_answer_init(&daemon);
    add_head(&bytes);
    add_packets(&bytes);
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct vnrs_strbuf answer = {0};
        run(&daemon, cli_for(argv), chunked(&bytes, pieces[i], true, &answer), &got);
        assert_int_equal(got.rc, VNRS_EXIT_OK);
        assert_string_equal(got.err, "vnrs: 3 packets captured, 12 lost\n");
        assert_int_equal(got.file_len, bytes.len);
        assert_memory_equal(got.file, bytes.text, bytes.len);
        vnrs_strbuf_fini(&answer);
    }
    vnrs_strbuf_fini(&bytes);
    one_answer_fini(&daemon);
}

static void quiet_says_nothing(void **state)
{
    struct vnrs_strbuf bytes = {0}, answer = {0};
    char *argv[] = {"a", NULL};
    struct one_answer daemon;
    struct outcome got;

    (void)state;
    one_answer_init(&daemon);
    add_packets(&bytes);
    struct vnrs_cli cli = cli_for(argv);
    cli.quiet = true;
    run(&daemon, cli, chunked(&bytes, 100, true, &answer), &got);
    assert_int_equal(got.rc, VNRS_EXIT_OK);
    assert_string_equal(got.err, "");
    vnrs_strbuf_fini(&answer), vnrs_strbuf_fini(&bytes);
    one_answer_fini(&daemon);
}

static void what_was_written_before_it_broke_off_is_whole(void **state)
{
    struct vnrs_strbuf bytes = {0}, answer = {0};
    char *argv[] = {"a", NULL};
    struct one_answer daemon;
    struct outcome got;

    (void)state;
    one_answer_init(&daemon);
    add_head(&bytes);
    size_t head = bytes.len;
    add_packets(&bytes);
    bytes.len = head + 30; // in the first packet
    run(&daemon, cli_for(argv), chunked(&bytes, 50, false, &answer), &got);
    assert_int_equal(got.rc, VNRS_EXIT_FAILED);
    assert_non_null(strstr(got.err, "vnrs: 0 packets captured, 0 lost\n"));
    assert_non_null(strstr(got.err, "broke off"));
    assert_int_equal(got.file_len, head);
    vnrs_strbuf_fini(&answer), vnrs_strbuf_fini(&bytes);
    one_answer_fini(&daemon);
}

static void blocks_that_are_none(void **state)
{
    static const uint32_t lengths[] = {0, 8, 11, 30, 0xfffffffc};
    char *argv[] = {"a", NULL};
    struct one_answer daemon;
    struct outcome got;

    (void)state;
    one_answer_init(&daemon);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct vnrs_strbuf bytes = {0}, answer = {0};
        add_head(&bytes);
        size_t head = bytes.len;
        add_packets(&bytes);
        memcpy(bytes.text + head + 4, &lengths[i], 4);
        run(&daemon, cli_for(argv), chunked(&bytes, 1000, true, &answer), &got);
        assert_int_equal(got.rc, VNRS_EXIT_FAILED);
        assert_int_equal(got.file_len, head);
        vnrs_strbuf_fini(&answer), vnrs_strbuf_fini(&bytes);
    }
    one_answer_fini(&daemon);
}

// Options are walked no further than the block.
static void options_that_are_none(void **state)
{
    static const struct {
        const char *what;
        uint32_t captured;
        uint16_t code, len;
        size_t there; // bytes of the option behind its head
        unsigned lost;
    } rows[] = {
        {"lost", 4, LOST, 8, 8, 0x61},
        {"lost of another size", 4, LOST, 4, 4, 0},
        {"longer than the block", 4, LOST, 8, 4, 0},
        {"longer than anything", 4, COMMENT, UINT16_MAX, 8, 0},
        {"behind a packet longer than the block", 400, LOST, 8, 8, 0},
        {"behind a packet longer than anything", UINT32_MAX, LOST, 8, 8, 0},
    };
    char *argv[] = {"a", NULL};
    struct one_answer daemon;

    (void)state;
    one_answer_init(&daemon);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_strbuf bytes = {0}, answer = {0};
        const uint16_t head[] = {rows[i].code, rows[i].len};
        struct outcome got;
        char want[64];
        size_t at = begin_packet(&bytes, rows[i].captured, "abcd");
        vnrs_strbuf_add(&bytes, (const char *)head, sizeof(head));
        vnrs_strbuf_add(&bytes, "a\0\0\0\0\0\0\0", rows[i].there);
        end_block(&bytes, at);
        run(&daemon, cli_for(argv), chunked(&bytes, 1000, true, &answer), &got);
        (void)snprintf(want, sizeof(want), "vnrs: 1 packets captured, %u lost\n", rows[i].lost);
        if (got.rc != VNRS_EXIT_OK || strcmp(got.err, want) != 0)
            fail_msg("%s: exit %d, '%s'", rows[i].what, got.rc, got.err);
        vnrs_strbuf_fini(&answer), vnrs_strbuf_fini(&bytes);
    }
    one_answer_fini(&daemon);
}

static void what_is_asked_for(void **state)
{
    char *a[] = {"a", NULL}, *b[] = {"b/eth0", NULL};
    const struct {
        const char *what;
        struct vnrs_cli cli;
        const char *path;
    } rows[] = {
        {"all of it", {.argc = 1, .argv = a}, "?nic=a"},
        {"escaped",
         {.argc = 1, .argv = b, .from = "10.0.0.0/24", .to = "fd00::1"},
         "?nic=b%2Feth0&from=10.0.0.0%2F24&to=fd00%3A%3A1"},
        {"a few", {.argc = 1, .argv = a, .count = "3", .snap = "64"}, "?nic=a&count=3&bytes=64"},
        {"dropped", {.argc = 1, .argv = a, .dropped = true, .reason = "vlan"}, "?nic=a&reason=vlan&verdict=dropped"},
        {"forwarded",
         {.argc = 1, .argv = a, .forwarded = true, .protocol = "tcp", .port = "80"},
         "?nic=a&protocol=tcp&port=80&verdict=forwarded"},
        {"what is not for it", {.argc = 1, .argv = a, .sample = "1", .nic = "b", .follow = true}, "?nic=a"},
    };
    struct one_answer daemon;

    (void)state;
    one_answer_init(&daemon);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct outcome got;
        char want[256];
        run(&daemon, rows[i].cli, TEXT(CHUNKED "0\r\n\r\n"), &got);
        (void)snprintf(want, sizeof(want), "GET /v1/labs/l/capture%s HTTP/", rows[i].path);
        if (got.rc != VNRS_EXIT_OK || strncmp(got.request, want, strlen(want)) != 0)
            fail_msg("%s: exit %d, '%.120s'", rows[i].what, got.rc, got.request);
    }
    one_answer_fini(&daemon);
}

static void a_refusal_leaves_the_file(void **state)
{
    static const struct {
        struct text answer;
        int exit;
    } rows[] = {
        {TEXT("HTTP/1.1 400 Bad Request\r\nContent-Length: 31\r\n\r\n{\"error\":{\"message\":\"no such\"}}"),
         VNRS_EXIT_USAGE},
        {TEXT("HTTP/1.1 409 Conflict\r\nContent-Length: 31\r\n\r\n{\"error\":{\"message\":\"no such\"}}"),
         VNRS_EXIT_FAILED},
    };
    char *argv[] = {"zz", NULL};
    struct one_answer daemon;

    (void)state;
    one_answer_init(&daemon);
    FILE *f = fopen(daemon.file, "wb");
    assert_non_null(f);
    (void)fputs("kept", f);
    (void)fclose(f);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct outcome got;
        run(&daemon, cli_for(argv), rows[i].answer, &got);
        assert_int_equal(got.rc, rows[i].exit);
        assert_non_null(strstr(got.err, "vnrs: error: no such"));
        assert_int_equal(got.file_len, 4);
    }
    one_answer_fini(&daemon);
}

static void nobody_is_asked_for_nothing(void **state)
{
    char *argv[] = {"a", NULL}, err[4096];
    const struct vnrs_cli cli = {.socket = "/nonexistent/sock",
                                 .lab = "l",
                                 .file = "/dev/null",
                                 .argc = 1,
                                 .argv = argv,
                                 .dropped = true,
                                 .forwarded = true};
    struct printed printed;

    (void)state;
    printed_begin(&printed, STDERR_FILENO);
    int rc = vnrs_verb_capture(&cli);
    printed_end(&printed, err);
    assert_int_equal(rc, VNRS_EXIT_USAGE);
    assert_non_null(strstr(err, "leave nothing"));
}

// The last one: who is interrupted once stays so.
static void an_interrupt_is_success(void **state)
{
    struct vnrs_strbuf bytes = {0}, answer = {0};
    char *argv[] = {"a", NULL};
    struct one_answer daemon;
    struct outcome got;

    (void)state;
    one_answer_init(&daemon);
    add_head(&bytes);
    add_packets(&bytes);
    daemon.interrupt_at = (off_t)bytes.len;
    vnrs_strbuf_puts(&bytes, "half");
    run(&daemon, cli_for(argv), chunked(&bytes, 1000, false, &answer), &got);
    assert_int_equal(got.rc, VNRS_EXIT_OK);
    assert_string_equal(got.err, "vnrs: 3 packets captured, 12 lost\n");
    assert_int_equal(got.file_len, bytes.len - 4);
    vnrs_strbuf_fini(&answer), vnrs_strbuf_fini(&bytes);
    one_answer_fini(&daemon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_counted_however_the_stream_is_cut),
        cmocka_unit_test(quiet_says_nothing),
        cmocka_unit_test(what_was_written_before_it_broke_off_is_whole),
        cmocka_unit_test(blocks_that_are_none),
        cmocka_unit_test(options_that_are_none),
        cmocka_unit_test(what_is_asked_for),
        cmocka_unit_test(a_refusal_leaves_the_file),
        cmocka_unit_test(nobody_is_asked_for_nothing),
        cmocka_unit_test(an_interrupt_is_success),
    };
    return cmocka_run_group_tests_name("cli.capture", tests, NULL, NULL);
}
