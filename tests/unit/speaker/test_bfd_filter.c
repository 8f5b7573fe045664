// SPDX-License-Identifier: GPL-2.0-or-later
// The filter of BFD sockets, run by the kernel on datagrams over the loopback interface: sources are addresses of
// 127.0.0.0/8, or ::1 and others that do not come.
#include "net/addr.h"
#include "speaker/bfd_filter.h"
#include "speaker/bfd_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define GOOD                                                                                                           \
    {                                                                                                                  \
        0x20, 0x48, 3, 24, 0, 0, 0, 7                                                                                  \
    }

static struct vnrs_addr addr(const char *text)
{
    struct vnrs_addr a = {0};
    assert_int_equal(vnrs_addr_parse(text, &a), 0);
    return a;
}

static int udp(bool v6)
{
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        skip();
    return fd;
}

// Sends `len` bytes from there with that TTL. Returns whether they came through.
static bool passes(int listener, const char *from, const char *to, enum vnrs_bfd_hops hops, int ttl,
                   const uint8_t *bytes, size_t len)
{
    struct vnrs_addr source = addr(from), target = addr(to);
    bool v6 = source.family == VNRS_AF_IPV6;
    struct vnrs_bfd_datagram d;
    int fd = udp(v6);

    assert_int_equal(vnrs_bfd_socket_source(fd, &source, 4711), 0);
    assert_int_equal(setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &ttl, sizeof(ttl)),
                     0);
    assert_int_equal(vnrs_bfd_socket_send(fd, &target, hops, bytes, len), 0);
    (void)close(fd);
    int got = vnrs_bfd_socket_recv(listener, &d);
    assert_true(got >= 0);
    if (got) {
        assert_int_equal(d.ttl, ttl);
        assert_true(vnrs_addr_equal(&d.from, &source));
        assert_int_equal(d.len, MIN(len, sizeof(d.bytes)));
    }
    return got;
}

static const struct {
    const char *what;
    enum vnrs_bfd_hops hops;
    int ttl;
    const char *from;
    size_t len;
    uint8_t bytes[24];
    bool want;
} rows[] = {
    {"a neighbour", VNRS_BFD_SINGLE, 255, "127.0.0.2", 24, GOOD, true},
    {"another one", VNRS_BFD_SINGLE, 255, "127.9.9.9", 24, GOOD, true},
    {"longer", VNRS_BFD_SINGLE, 255, "127.0.0.2", 100, GOOD, true},
    {"a stranger", VNRS_BFD_SINGLE, 255, "127.0.0.3", 24, GOOD, false},
    {"from further away", VNRS_BFD_SINGLE, 254, "127.0.0.2", 24, GOOD, false},
    {"too short", VNRS_BFD_SINGLE, 255, "127.0.0.2", 23, GOOD, false},
    {"version 0", VNRS_BFD_SINGLE, 255, "127.0.0.2", 24, {0x00, 0x48, 3, 24}, false},
    {"version 2", VNRS_BFD_SINGLE, 255, "127.0.0.2", 24, {0x40, 0x48, 3, 24}, false},
    {"a peer over hops", VNRS_BFD_MULTI, 1, "127.0.0.2", 24, GOOD, true},
    {"a stranger over hops", VNRS_BFD_MULTI, 255, "127.0.0.3", 24, GOOD, false},
    {"too short over hops", VNRS_BFD_MULTI, 255, "127.0.0.2", 23, GOOD, false},
};

static void rows_of_ipv4(void **state)
{
    const struct vnrs_addr local = addr("127.0.0.1"), peers[] = {addr("127.0.0.2"), addr("127.9.9.9")};
    int listeners[_VNRS_BFD_HOPS_MAX];
    static const uint8_t good[100] = GOOD;

    (void)state;
    for (unsigned hops = 0; hops < _VNRS_BFD_HOPS_MAX; hops++) {
        listeners[hops] = udp(false);
        if (vnrs_bfd_socket_listen(listeners[hops], &local, hops) == -EADDRINUSE)
            skip(); // somebody's BFD runs here
        assert_false(passes(listeners[hops], "127.0.0.2", "127.0.0.1", hops, 255, good, 24)); // nobody yet
        assert_int_equal(vnrs_bfd_socket_admit(listeners[hops], peers, 2, hops), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t bytes[100] = {0};
        memcpy(bytes, rows[i].bytes, sizeof(rows[i].bytes));
        if (passes(listeners[rows[i].hops], rows[i].from, "127.0.0.1", rows[i].hops, rows[i].ttl, bytes, rows[i].len) !=
            rows[i].want)
            fail_msg("%s: %s", rows[i].what, rows[i].want ? "kept out" : "let in");
    }
    for (unsigned hops = 0; hops < _VNRS_BFD_HOPS_MAX; hops++)
        (void)close(listeners[hops]);
}

static void ipv6(void **state)
{
    // All but one word of ::1 stand in the others.
    const struct vnrs_addr local = addr("::1"),
                           others[] = {addr("1::1"), addr("0:0:1::1"), addr("::1:0:0:1"), addr("::2"), addr("::1")};
    static const uint8_t good[24] = GOOD;
    int fd = udp(true);

    (void)state;
    int err = vnrs_bfd_socket_listen(fd, &local, VNRS_BFD_SINGLE);
    if (err == -EADDRNOTAVAIL || err == -EADDRINUSE)
        skip();
    assert_int_equal(err, 0);
    assert_int_equal(vnrs_bfd_socket_admit(fd, others, 4, VNRS_BFD_SINGLE), 0);
    assert_false(passes(fd, "::1", "::1", VNRS_BFD_SINGLE, 255, good, 24));
    assert_int_equal(vnrs_bfd_socket_admit(fd, others, 5, VNRS_BFD_SINGLE), 0);
    assert_true(passes(fd, "::1", "::1", VNRS_BFD_SINGLE, 255, good, 24));
    assert_false(passes(fd, "::1", "::1", VNRS_BFD_SINGLE, 64, good, 24));
    (void)close(fd);
}

static void as_many_as_there_can_be(void **state)
{
    struct vnrs_addr peers[128];
    struct sock_filter code[VNRS_BFD_FILTER_FIXED + 128 * VNRS_BFD_FILTER_PEER];
    const struct vnrs_addr first = addr("2001:db8::1");

    (void)state;
    for (unsigned i = 0; i < 128; i++)
        peers[i] = vnrs_addr_add(&first, i);
    assert_int_equal(vnrs_bfd_filter_build(peers, 128, true, code), ARRAY_SIZE(code));
    int fd = udp(true);
    assert_int_equal(vnrs_bfd_socket_admit(fd, peers, 128, VNRS_BFD_SINGLE), 0); // the kernel takes it
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_ipv4),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(as_many_as_there_can_be),
    };
    return cmocka_run_group_tests_name("bfd_filter", tests, NULL, NULL);
}
