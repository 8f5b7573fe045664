// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel counted on a link: packets that go over loopback are sent and received.
#include "lab/link_stats.h"

#include "lab/netns.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PACKETS 7
#define BYTES   (20 + 8 + 100) // loopback counts no Ethernet header

static struct vnrs_link_stats seen;
static unsigned n_seen;

static void take(const struct vnrs_link_stats *stats, void *arg)
{
    assert_ptr_equal(arg, &n_seen);
    if (stats->ifindex == 1)
        seen = *stats;
    n_seen++;
}

static void counted_on_loopback(void **state)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct vnrs_rtnl nl = {.fd = -1};
    char payload[100] = {0};
    int ns = -1;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(vnrs_netns_create("vnrs-test-link-stats", &ns) >= 0, 1);
    assert_int_equal(vnrs_rtnl_open(ns, &nl), 0);
    assert_int_equal(vnrs_link_stats_walk(&nl, take, &n_seen), 0);
    const struct vnrs_link_stats before = seen;
    int fd = vnrs_netns_socket(ns, AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    int listener = vnrs_netns_socket(ns, AF_INET, SOCK_DGRAM, 0); // or port unreachable is counted as well
    assert_int_equal(bind(listener, (const struct sockaddr *)&to, sizeof(to)), 0);
    for (int i = 0; i < PACKETS; i++)
        assert_int_equal(sendto(fd, payload, sizeof(payload), 0, (const struct sockaddr *)&to, sizeof(to)), 100);
    assert_int_equal(vnrs_link_stats_walk(&nl, take, &n_seen), 0);
    assert_true(n_seen >= 2);
    assert_int_equal(seen.tx_packets - before.tx_packets, PACKETS);
    assert_int_equal(seen.rx_packets - before.rx_packets, PACKETS);
    assert_int_equal(seen.tx_bytes - before.tx_bytes, PACKETS * BYTES);
    assert_int_equal(seen.rx_bytes - before.rx_bytes, PACKETS * BYTES);
    (void)close(fd);
    (void)close(listener);
    vnrs_rtnl_close(&nl);
    (void)close(ns);
    assert_int_equal(vnrs_netns_delete("vnrs-test-link-stats"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counted_on_loopback),
    };
    return cmocka_run_group_tests_name("lab.link_stats", tests, NULL, NULL);
}
