// SPDX-License-Identifier: GPL-2.0-or-later
// Connections begun inside a namespace of a lab.
#include "agent/connect.h"

#include "lab/netns.h"
#include "util/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct vnrs_ag_connect want_to(uint16_t port)
{
    struct vnrs_ag_connect want = {.lab = "connect-test", .port = port};

    (void)snprintf(want.netns, sizeof(want.netns), "n%d", (int)getpid());
    want.from = want.to = (struct vnrs_addr){.family = VNRS_AF_IPV4, .bytes = {127, 0, 0, 1}};
    return want;
}

// SO_ERROR of a connection that has ended one way or the other.
static int outcome_of(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = -1;
    socklen_t len = sizeof(error);

    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static void a_namespace_that_is_not_there(void **state)
{
    const struct vnrs_ag_connect want = want_to(1);
    struct vnrs_err err = {0};
    int fd = -1;

    (void)state;
    int code = vnrs_agentd_connect(&want, &fd, &err);
    assert_true(code < 0 && vnrs_netns_is_gone(code));
    assert_true(err.text[0]);
    assert_int_equal(fd, -1);
}

static void made_and_refused_inside(void **state)
{
    struct vnrs_ag_connect want = want_to(0);
    char name[200];
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    struct vnrs_err err = {0};
    int ns = -1, fd = -1;

    (void)state;
    if (geteuid() != 0)
        skip();
    (void)snprintf(name, sizeof(name), "vnrs.%s.%s", want.lab, want.netns);
    assert_int_equal(vnrs_netns_create(name, &ns), 1);
    int listener = vnrs_netns_socket(ns, AF_INET, SOCK_STREAM, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    want.port = ntohs(addr.sin_port);
    assert_int_equal(vnrs_agentd_connect(&want, &fd, &err), 0);
    assert_int_equal(outcome_of(fd), 0);
    (void)close(fd);
    (void)close(listener);
    // Nobody listens any more: at once, or when the kernel says so.
    int code = vnrs_agentd_connect(&want, &fd, &err);
    assert_int_equal(code == 0 ? -outcome_of(fd) : code, -ECONNREFUSED);
    if (code == 0)
        (void)close(fd);
    // An address that the namespace does not have.
    want.from.bytes[0] = 10;
    assert_int_equal(vnrs_agentd_connect(&want, &fd, &err), -EADDRNOTAVAIL);
    (void)close(ns);
    assert_int_equal(vnrs_netns_delete(name), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namespace_that_is_not_there),
        cmocka_unit_test(made_and_refused_inside),
    };
    return cmocka_run_group_tests_name("agent.connect", tests, NULL, NULL);
}
