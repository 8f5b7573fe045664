// SPDX-License-Identifier: GPL-2.0-or-later
// Frames of a veth in a namespace of nobody's: which way they go, whole and cut, tagged, lost, and over a link that
// goes and comes back.
#include "lab/tap.h"

#include "lab/netns.h"
#include "vnrs/bpf_abi.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#define NEAR  20 // ifindexes of the two ends
#define FAR   21
#define OTHER 22

#define ETHERTYPE 0x88b5 // for experiments: nobody answers

struct world {
    int ns;
    struct vnrs_taps *taps;
    unsigned n; // frames of ours that were seen
    bool only_one;
    struct vnrs_tap_frame last;
    uint8_t bytes[VNRS_CAPTURE_BYTES_MAX];
};

static int run_shell(void *arg)
{
    return system(arg);
}

static void shell(const struct world *w, const char *command)
{
    assert_int_equal(vnrs_netns_run(w->ns, run_shell, (void *)command), 0);
}

// Before a link that is up sends, the kernel needs a moment.
#define WAIT(name) "timeout 5 sh -c 'until ip -br link | grep -q \"^" name "@[^ ]* *UP\"; do sleep 0.01; done'"

static void add_links(const struct world *w, const char *name, const char *peer, unsigned first)
{
    char command[400];

    (void)snprintf(command, sizeof(command),
                   "ip link add %s index %u up type veth peer name %s index %u && ip link set %s up && " WAIT("%s"),
                   name, first, peer, first + 1, peer, name);
    shell(w, command);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    if (!w || geteuid() != 0)
        return w ? 0 : -1;
    if (vnrs_netns_new(&w->ns) < 0 || vnrs_taps_new(w->ns, &w->taps) < 0)
        return -1;
    add_links(w, "near", "far", NEAR);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->taps)
        (void)close(w->ns);
    w->taps = vnrs_taps_free(w->taps);
    free(w);
    return 0;
}

static void send_frames(const struct world *w, uint32_t ifindex, const char *type, size_t len, unsigned n)
{
    const struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};
    uint8_t frame[2048] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    _close_ int fd = vnrs_netns_socket(w->ns, AF_PACKET, SOCK_RAW, 0);

    assert_true(fd >= 0);
    memcpy(frame + 12, type, 2 + 4 * (type[0] == '\x81'));
    for (size_t i = 18; i < len; i++)
        frame[i] = (uint8_t)i;
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(sendto(fd, frame, len, 0, (const struct sockaddr *)&to, sizeof(to)), (ssize_t)len);
}

static void send_frame(const struct world *w, uint32_t ifindex, const char *type, size_t len)
{
    send_frames(w, ifindex, type, len, 1);
}

static bool take(const struct vnrs_tap_frame *frame, void *arg)
{
    struct world *w = arg;
    uint16_t type = 0;

    if (frame->n >= ETH_HLEN)
        memcpy(&type, frame->bytes + 12, 2);
    if (ntohs(type) != ETHERTYPE)
        return true; // the kernel has something to say about IPv6
    w->n++;
    w->last = *frame;
    memcpy(w->bytes, frame->bytes, frame->n);
    return !w->only_one;
}

// Until one of ours has come, or for `ms`.
static unsigned hear(struct world *w, int ms)
{
    struct pollfd wait = {.fd = vnrs_taps_fd(w->taps), .events = POLLIN};

    w->n = 0;
    for (int i = 0; !w->n && i < 100 && poll(&wait, 1, ms) > 0; i++)
        (void)vnrs_taps_consume(w->taps, 100, take, w);
    return w->n;
}

#define NEED_ROOT(w)                                                                                                   \
    if (!(w)->taps)                                                                                                    \
    skip()

static void both_ways(void **state)
{
    struct world *w = *state;
    struct timespec now;

    NEED_ROOT(w);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 1500), 0);
    send_frame(w, FAR, "\x88\xb5", 60);
    assert_int_equal(hear(w, 5000), 1);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    assert_false(w->last.outgoing);
    assert_int_equal(w->last.ifindex, NEAR);
    assert_int_equal(w->last.len, 60);
    assert_int_equal(w->last.n, 60);
    assert_int_equal(w->bytes[59], 59);
    assert_int_equal(w->last.vlan_type_be, 0);
    int64_t age = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)w->last.time_ns;
    assert_true(age > -1000000000 && age < 10000000000);
    send_frame(w, NEAR, "\x88\xb5", 61);
    assert_int_equal(hear(w, 5000), 1);
    assert_true(w->last.outgoing);
    assert_int_equal(w->last.len, 61);
}

static void cut_and_cut_elsewhere(void **state)
{
    struct world *w = *state;

    NEED_ROOT(w);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 20), 0);
    send_frame(w, FAR, "\x88\xb5", 1000);
    assert_int_equal(hear(w, 5000), 1);
    assert_int_equal(w->last.len, 1000);
    assert_int_equal(w->last.n, 20);
    send_frame(w, FAR, "\x88\xb5", 1000); // cut before it is known that more is wanted
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, UINT32_MAX), 0);
    assert_int_equal(hear(w, 5000), 1);
    assert_int_equal(w->last.len, 1000);
    assert_int_equal(w->last.n, 20);
    send_frame(w, FAR, "\x88\xb5", 1000);
    assert_int_equal(hear(w, 5000), 1);
    assert_int_equal(w->last.n, 1000);
}

static void a_tag_is_told_apart(void **state)
{
    struct world *w = *state;

    NEED_ROOT(w);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 1500), 0);
    send_frame(w, FAR, "\x81\x00\x20\x64\x88\xb5", 64);
    assert_int_equal(hear(w, 5000), 1);
    assert_int_equal(ntohs(w->last.vlan_type_be), 0x8100);
    assert_int_equal(w->last.vlan_tag, 0x2064);
    assert_int_equal(w->last.len, 60);
}

static void links_by_themselves(void **state)
{
    struct world *w = *state;

    NEED_ROOT(w);
    add_links(w, "other", "rehto", OTHER);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 1500), 0);
    send_frame(w, OTHER, "\x88\xb5", 60);
    assert_int_equal(hear(w, 50), 0);
    assert_int_equal(vnrs_taps_set(w->taps, OTHER, 1500), 0);
    send_frame(w, OTHER, "\x88\xb5", 60);
    send_frame(w, NEAR, "\x88\xb5", 60);
    w->only_one = true;
    assert_int_equal(hear(w, 5000), 1);
    uint32_t first = w->last.ifindex;
    assert_int_equal(hear(w, 5000), 1);
    assert_int_equal(w->last.ifindex + first, NEAR + OTHER);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 0), 0);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 0), 0);
    send_frame(w, NEAR, "\x88\xb5", 60);
    assert_int_equal(hear(w, 50), 0);
    send_frame(w, OTHER, "\x88\xb5", 60);
    assert_int_equal(hear(w, 5000), 1);
}

static void what_finds_no_room_is_counted(void **state)
{
    struct world *w = *state;
    uint64_t seen = 0;

    NEED_ROOT(w);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 1500), 0);
    assert_int_equal(vnrs_taps_lost(w->taps), 0);
    send_frames(w, FAR, "\x88\xb5", 1000, 20000);
    uint64_t lost = vnrs_taps_lost(w->taps);
    assert_true(lost > 0 && lost < 20000);
    assert_int_equal(vnrs_taps_lost(w->taps), lost);
    w->n = 0;
    while (vnrs_taps_consume(w->taps, 100, take, w) > 0)
        seen = w->n;
    assert_true(seen > 0 && seen <= 20000 && seen + lost >= 20000); // the kernel's own may be lost as well
}

static void links_that_go_and_come(void **state)
{
    struct world *w = *state;

    NEED_ROOT(w);
    assert_int_equal(vnrs_taps_set(w->taps, NEAR, 1500), 0);
    shell(w, "ip link set near down && ip link set near up && " WAIT("near"));
    send_frame(w, FAR, "\x88\xb5", 60);
    assert_int_equal(hear(w, 5000), 1);
    shell(w, "ip link del near");
    assert_int_equal(hear(w, 50), 0);
    assert_int_equal(vnrs_taps_renew(w->taps, NEAR), 0); // it is not there yet
    add_links(w, "near", "far", NEAR);
    assert_int_equal(vnrs_taps_renew(w->taps, FAR), 0); // nobody wants its frames
    assert_int_equal(vnrs_taps_renew(w->taps, NEAR), 0);
    assert_int_equal(vnrs_taps_renew(w->taps, NEAR), 0);
    send_frame(w, FAR, "\x88\xb5", 60);
    assert_int_equal(hear(w, 5000), 1);
    assert_int_equal(hear(w, 50), 0);
}

static void links_that_are_not_there_yet(void **state)
{
    struct world *w = *state;

    NEED_ROOT(w);
    assert_int_equal(vnrs_taps_set(w->taps, OTHER, 1500), 0);
    add_links(w, "other", "rehto", OTHER);
    assert_int_equal(vnrs_taps_renew(w->taps, OTHER), 0);
    send_frame(w, OTHER, "\x88\xb5", 60);
    assert_int_equal(hear(w, 5000), 1);
    send_frame(w, NEAR, "\x88\xb5", 60);
    assert_int_equal(hear(w, 50), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_ways),
        TEST(cut_and_cut_elsewhere),
        TEST(a_tag_is_told_apart),
        TEST(links_by_themselves),
        TEST(what_finds_no_room_is_counted),
        TEST(links_that_go_and_come),
        TEST(links_that_are_not_there_yet),
    };
    return cmocka_run_group_tests_name("lab.tap", tests, NULL, NULL);
}
