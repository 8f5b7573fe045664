// SPDX-License-Identifier: GPL-2.0-or-later
// MRT dumps from a speaker to a client: credit all the way, and what happens when one of them goes away.
#include "control/fixture.h"
#include "control/labs.h"

struct client {
    int fd;
    size_t len; // received, with HTTP around it
    bool ended;
    char head[4096]; // the beginning of it
};

static struct client client_new(struct fixture *f, const char *path)
{
    struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char request[256];

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->path);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(write(c.fd, request, (size_t)len), len);
    return c;
}

// Takes what is there; true once the other side has ended.
static bool client_read(struct client *c)
{
    static char buf[65536];
    ssize_t n;

    while ((n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        if (c->len < sizeof(c->head) - 1)
            memcpy(c->head + c->len, buf, MIN((size_t)n, sizeof(c->head) - 1 - c->len));
        c->len += (size_t)n;
    }
    c->ended |= n == 0 || (n < 0 && errno != EAGAIN);
    return c->ended;
}

static bool is_asked(struct fake_speaker *speaker, unsigned dumps)
{
    (void)speaker_hear(speaker);
    return speaker->dumps == dumps;
}

static void say_data(struct fake_speaker *speaker, uint32_t id, uint16_t len, unsigned pieces)
{
    static struct vnrs_spk_dump_data list[31];

    for (unsigned i = 0; i < pieces; i++) {
        list[i] = (struct vnrs_spk_dump_data){.id = id, .len = len};
        memset(list[i].bytes, 'm', sizeof(list[i].bytes));
    }
    speaker_say(speaker, VNRS_SPK_DUMP_DATA, list, sizeof(list[0]), pieces);
}

static void say_end(struct fake_speaker *speaker, uint32_t id, int error)
{
    struct vnrs_spk_dump_end end = {.id = id, .error = error};
    speaker_say(speaker, VNRS_SPK_DUMP_END, &end, sizeof(end), 1);
}

static struct fake_speaker begin(struct fixture *f)
{
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    struct fake_speaker speaker = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&speaker));
    fixture_settle(f, 20); // its HELLO
    return speaker;
}

static void a_table_comes_whole(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speaker = begin(f);
    struct client c = client_new(f, "/v1/labs/l/dump?routeServer=rs");

    RUN_UNTIL(f, is_asked(&speaker, 1));
    assert_int_equal(speaker.dump.kind, VNRS_SPK_DUMP_TABLE);
    assert_string_equal(speaker.dump.view, "rs-0");
    assert_true(speaker.dump.credit >= 31 * VNRS_DUMP_PIECE);
    say_data(&speaker, speaker.dump.id, 3, 1);
    // What the client has taken is credit again.
    RUN_UNTIL(f, ((void)client_read(&c), is_asked(&speaker, 2)));
    assert_int_equal(speaker.dump.kind, VNRS_SPK_DUMP_MORE);
    assert_int_equal(speaker.dump.credit, 3);
    say_data(&speaker, speaker.dump.id, 2, 1);
    say_end(&speaker, speaker.dump.id, 0);
    RUN_UNTIL(f, client_read(&c));
    assert_non_null(strstr(c.head, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(c.head, "3\r\nmmm\r\n2\r\nmm\r\n0\r\n\r\n"));
    (void)close(c.fd);
    (void)close(speaker.fd);
}

static void a_client_that_does_not_read_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speaker = begin(f);
    struct client c = client_new(f, "/v1/labs/l/dump?updates=1");

    RUN_UNTIL(f, is_asked(&speaker, 1));
    assert_int_equal(speaker.dump.kind, VNRS_SPK_DUMP_UPDATES);
    uint32_t id = speaker.dump.id;
    uint64_t used = 0, step = UINT64_C(31) * VNRS_DUMP_PIECE;
    for (; used + step <= speaker.credit; used += step) { // until its socket is full, and the window behind it
        say_data(&speaker, id, VNRS_DUMP_PIECE, 31);
        fixture_settle(f, 10);
        (void)speaker_hear(&speaker);
        assert_true(used < 2 << 20);
    }
    unsigned orders = speaker.dumps;
    fixture_settle(f, 50);
    assert_true(is_asked(&speaker, orders));
    while (is_asked(&speaker, orders)) {
        (void)client_read(&c);
        event_base_loop(f->base, EVLOOP_ONCE);
    }
    assert_int_equal(speaker.dump.kind, VNRS_SPK_DUMP_MORE);
    // It goes away: the speaker is told.
    (void)close(c.fd);
    RUN_UNTIL(f, ((void)speaker_hear(&speaker), speaker.dump.kind == VNRS_SPK_DUMP_STOP));
    assert_int_equal(speaker.dump.id, id);
    say_data(&speaker, id, 5, 1); // was under way
    fixture_settle(f, 20);
    assert_non_null(lab_of(f)->instances.items[0]->chan);
    (void)close(speaker.fd);
}

static void more_than_the_credit_is_not_believed(void **state)
{
    static const struct {
        uint16_t len;
        unsigned times;
    } rows[] = {{VNRS_DUMP_PIECE + 1, 1}, {VNRS_DUMP_PIECE, 60}}; // a socket holds some
    struct fixture *f = *state;
    struct fake_speaker speaker = begin(f);

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (i)
            speaker = fixture_speaker(f, "l", "rs-0");
        RUN_UNTIL(f, speaker_hear(&speaker));
        fixture_settle(f, 20);
        struct client c = client_new(f, "/v1/labs/l/dump");
        RUN_UNTIL(f, is_asked(&speaker, 1));
        for (unsigned n = 0; n < rows[i].times && lab_of(f)->instances.items[0]->chan; n++) {
            say_data(&speaker, speaker.dump.id, rows[i].len, rows[i].times == 1 ? 1 : 31);
            fixture_settle(f, 5);
        }
        RUN_UNTIL(f, client_read(&c)); // broken off, without the last chunk
        assert_null(strstr(c.head, "\r\n0\r\n\r\n"));
        assert_null(lab_of(f)->instances.items[0]->chan);
        (void)close(c.fd);
        (void)close(speaker.fd);
    }
}

static void a_dump_that_fails_is_broken_off(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speaker = begin(f);
    struct client c = client_new(f, "/v1/labs/l/dump?updates=1"), dead = client_new(f, "/v1/labs/l/dump?updates=1");

    RUN_UNTIL(f, is_asked(&speaker, 2));
    say_end(&speaker, speaker.dump.id, -ENOBUFS);
    say_end(&speaker, speaker.dump.id - 1, -ENOBUFS);
    RUN_UNTIL(f, client_read(&c) && client_read(&dead));
    assert_non_null(strstr(c.head, "HTTP/1.1 200 OK\r\n"));
    assert_null(strstr(c.head, "0\r\n\r\n"));
    (void)close(c.fd);
    (void)close(dead.fd);
    // The speaker dies.
    c = client_new(f, "/v1/labs/l/dump?updates=1");
    RUN_UNTIL(f, is_asked(&speaker, 3));
    (void)close(speaker.fd);
    f->agent.n_speakers = 0;
    RUN_UNTIL(f, client_read(&c));
    (void)close(c.fd);
}

static void refusals(void **state)
{
    static const struct {
        const char *query;
        int status;
    } rows[] = {{"?routeServer=nope", 404},
                {"?routeServer=rs&instance=2", 400},
                {"?instance=x", 400},
                {"?routeServer=rs&instance=1", 503}};
    struct fixture *f = *state;
    struct fake_speaker speaker = begin(f);
    struct client clients[VNRS_INSTANCE_DUMPS_MAX];
    char path[128];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)snprintf(path, sizeof(path), "/v1/labs/l/dump%s", rows[i].query);
        struct answer answer = fixture_http(f, "GET", path, NULL);
        assert_int_equal(answer.status, rows[i].status);
        json_decref(answer.json);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
        clients[i] = client_new(f, "/v1/labs/l/dump?updates=1");
    RUN_UNTIL(f, is_asked(&speaker, ARRAY_SIZE(clients)));
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/dump", NULL);
    assert_int_equal(answer.status, 503);
    json_decref(answer.json);
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++)
        (void)close(clients[i].fd);
    (void)close(speaker.fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_table_comes_whole),
        TEST(a_client_that_does_not_read_costs_nothing),
        TEST(more_than_the_credit_is_not_believed),
        TEST(a_dump_that_fails_is_broken_off),
        TEST(refusals),
    };
    return cmocka_run_group_tests_name("control.instance_dump", tests, NULL, NULL);
}
