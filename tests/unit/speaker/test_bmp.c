// SPDX-License-Identifier: GPL-2.0-or-later
// Connections to monitoring stations, over the loopback interface: asked for, begun, kept, ended. What they are told is
// in bgp/test_bmp_feed.c.
#include "speaker/bmp.h"

#include "util/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "speaker/test_world.h"

#define LOOPBACK    0x7f000001u
#define HEADER      6 // version, length, type (RFC 7854 section 4.1)
#define INITIATION  4
#define TERMINATION 5
#define DEADLINE_MS 10000

struct station {
    int listener, fd;
    uint16_t port;
};

static void station_open(struct station *st)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(LOOPBACK)};
    socklen_t len = sizeof(sin);

    *st = (struct station){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .fd = -1};
    assert_int_equal(bind(st->listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(st->listener, 1), 0);
    assert_int_equal(getsockname(st->listener, (struct sockaddr *)&sin, &len), 0);
    st->port = ntohs(sin.sin_port);
}

static void station_close(struct station *st)
{
    if (st->fd >= 0)
        (void)close(st->fd);
    (void)close(st->listener);
}

static struct vnrs_spk_bmp conf_of(const struct station *st)
{
    return (struct vnrs_spk_bmp){
        .name = "lab/rs-0", .station = vnrs_addr_from_v4(LOOPBACK), .ribs = VNRS_SPK_BMP_LOC_RIB, .port = st->port};
}

static void configure(struct world *w, const struct vnrs_spk_bmp *list, size_t n)
{
    struct vnrs_spk_config conf = {.asn = 65515, .router_id = 1, .local = vnrs_addr_from_v4(LOOPBACK)};

    give_type(w, VNRS_SPK_CONFIG_BEGIN, 1, &conf, sizeof(conf));
    if (n)
        give_type(w, VNRS_SPK_BMP, (uint32_t)n, list, n * sizeof(list[0]));
    give_type(w, VNRS_SPK_CONFIG_END, 0, NULL, 0);
    assert_int_equal(w->sp.status, -1);
}

struct request {
    struct vnrs_spk_hdr hdr;
    struct vnrs_spk_socket body;
};

// What the agent is asked for, if anything.
static bool asked(struct world *w, struct request *ret_request)
{
    assert_int_equal(vnrs_fd_set_nonblock(w->agent, true), 0);
    run(w);
    return vnrs_msg_recv(w->agent, ret_request, sizeof(*ret_request), NULL, NULL) == sizeof(*ret_request);
}

static void answer(struct world *w, struct request request, int error)
{
    int fd = error ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct iovec part = {&request, sizeof(request)};

    assert_int_equal(request.hdr.type, VNRS_SPK_SOCKET);
    assert_true(request.body.kind == VNRS_SPK_SOCKET_TCP && request.body.family == VNRS_AF_IPV4);
    request.body.error = error;
    assert_int_equal(vnrs_msg_send(w->agent, &part, 1, &fd, error ? 0 : 1), 0);
    if (fd >= 0)
        (void)close(fd);
    run(w);
}

static void wait_for_watching(struct world *w, bool is_watching)
{
    for (uint64_t end = vnrs_clock_ms() + DEADLINE_MS; vnrs_bmp_is_watching(&w->sp) != is_watching;) {
        assert_true(vnrs_clock_ms() < end);
        run(w);
    }
}

static void connect_to(struct world *w, struct station *st)
{
    struct request request;

    assert_true(asked(w, &request));
    answer(w, request, 0);
    st->fd = accept(st->listener, NULL, NULL);
    assert_true(st->fd >= 0);
    wait_for_watching(w, true);
}

// The next message to the station; its type, -1 at the end of the connection.
static int next_type(struct world *w, struct station *st)
{
    uint8_t head[HEADER], body[4096];
    struct pollfd p = {.fd = st->fd, .events = POLLIN};

    run(w);
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
    ssize_t got = recv(st->fd, head, sizeof(head), MSG_WAITALL);
    if (got <= 0)
        return -1;
    assert_int_equal(got, HEADER);
    assert_int_equal(head[0], 3); // version
    size_t len = ((size_t)head[3] << 8 | head[4]) - HEADER;
    assert_true(len <= sizeof(body));
    assert_int_equal(recv(st->fd, body, len, MSG_WAITALL), (ssize_t)len);
    return head[5];
}

static void a_station_is_told_from_its_beginning_to_its_end(void **state)
{
    struct request request;
    struct station st;
    struct world w;
    int type = 0;

    (void)state;
    setup(&w); // takes fixed descriptors
    greet(&w);
    station_open(&st);
    struct vnrs_spk_bmp conf = conf_of(&st);
    configure(&w, &conf, 1);
    assert_null(w.sp.core->observer); // nobody is there yet
    connect_to(&w, &st);
    assert_true(w.sp.core->observer && w.sp.core->observer->path && w.sp.core->observer->told);
    assert_int_equal(next_type(&w, &st), INITIATION);
    configure(&w, &conf, 1); // as before: it goes on
    assert_false(asked(&w, &request));
    assert_true(vnrs_bmp_is_watching(&w.sp));
    configure(&w, NULL, 0);
    for (int next; (next = next_type(&w, &st)) != -1;)
        type = next;
    assert_int_equal(type, TERMINATION);
    assert_false(vnrs_bmp_is_watching(&w.sp));
    assert_null(w.sp.core->observer);
    station_close(&st);
    teardown(&w);
}

static void another_configuration_is_another_connection(void **state)
{
    struct station st;
    struct world w;

    (void)state;
    setup(&w); // takes fixed descriptors
    greet(&w);
    station_open(&st);
    struct vnrs_spk_bmp conf = conf_of(&st);
    configure(&w, &conf, 1);
    connect_to(&w, &st);
    (void)close(st.fd);
    conf.statistics_s = 30;
    configure(&w, &conf, 1);
    assert_false(vnrs_bmp_is_watching(&w.sp));
    connect_to(&w, &st);
    assert_int_equal(next_type(&w, &st), INITIATION);
    vnrs_bmp_stop(&w.sp);
    station_close(&st);
    teardown(&w);
}

// Refused by the agent, by the station, or left by it: tried again, but not at once.
static void what_fails_is_tried_again_later(void **state)
{
    struct request request;
    struct station st;
    struct world w;

    (void)state;
    setup(&w); // takes fixed descriptors
    greet(&w);
    station_open(&st);
    struct vnrs_spk_bmp conf = conf_of(&st);
    configure(&w, &conf, 1);
    assert_true(asked(&w, &request));
    uint64_t begin = vnrs_clock_ms();
    answer(&w, request, -EPERM);
    while (!asked(&w, &request))
        assert_true(vnrs_clock_ms() - begin < DEADLINE_MS);
    assert_true(vnrs_clock_ms() - begin >= VNRS_BMP_RETRY_MIN_MS - 10);
    answer(&w, request, 0);
    st.fd = accept(st.listener, NULL, NULL);
    wait_for_watching(&w, true);
    (void)close(st.fd);
    wait_for_watching(&w, false);
    assert_false(asked(&w, &request));
    vnrs_bmp_stop(&w.sp);
    st.fd = -1;
    station_close(&st);
    teardown(&w);
}

static void there_may_be_so_many(void **state)
{
    struct vnrs_spk_bmp list[VNRS_BMP_STATIONS_MAX + 1] = {0};
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    configure(&w, NULL, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(list); i++)
        list[i] = (struct vnrs_spk_bmp){.station = vnrs_addr_from_v4(LOOPBACK), .port = (uint16_t)(1 + i)};
    assert_int_equal(vnrs_bmp_configure(&w.sp, list, VNRS_BMP_STATIONS_MAX), 0);
    assert_int_equal(vnrs_bmp_configure(&w.sp, list, ARRAY_SIZE(list)), -EBADMSG);
    assert_int_equal(vnrs_bmp_configure(&w.sp, list + 1, VNRS_BMP_STATIONS_MAX), 0); // one goes, one comes
    vnrs_bmp_stop(&w.sp);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_station_is_told_from_its_beginning_to_its_end),
        cmocka_unit_test(another_configuration_is_another_connection),
        cmocka_unit_test(what_fails_is_tried_again_later),
        cmocka_unit_test(there_may_be_so_many),
    };
    vnrs_log_init("test", VNRS_LOG_ERROR);
    return cmocka_run_group_tests_name("bmp", tests, NULL, NULL);
}
