// SPDX-License-Identifier: GPL-2.0-or-later
// A scripted NVA that announces many prefixes and comes back with all of them whenever its session ends.
//
//   bgp_hold ROUTE_SERVER ROUTES NETNS ADDRESS ASN
//
// Prints "sent" each time that the table is on its way as a whole, with End-of-RIB (RFC 4724) behind it. Ends with its
// standard input.
#include "blast.h"

#include "util/macros.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 900000 // nobody waits longer

static void enter(const char *netns)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
    _close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        blast_fail("cannot enter namespace '%s'", path);
}

static bool is_over(void)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};

    return poll(&input, 1, 0) > 0;
}

// Behind the table (RFC 4724): an UPDATE without anything in it. blast_make_table leaves room.
static void add_end_of_rib(struct conn *c)
{
    static const uint8_t rest[] = {0, 23, 2, 0, 0, 0, 0};
    uint8_t *p = c->tx + c->tx_len;

    memset(p, 0xff, 16);
    memcpy(p + 16, rest, sizeof(rest));
    c->tx_len = c->tx_off = c->tx_len + 16 + sizeof(rest);
}

int main(int argc, char **argv)
{
    struct in_addr remote, own;
    bool told = false;

    if (argc != 6 || inet_pton(AF_INET, argv[1], &remote) != 1 || inet_pton(AF_INET, argv[4], &own) != 1)
        blast_fail("usage: bgp_hold ROUTE_SERVER ROUTES NETNS ADDRESS ASN");
    setvbuf(stdout, NULL, _IOLBF, 0);
    blast.remote = ntohl(remote.s_addr);
    blast.routes = (uint32_t)strtoul(argv[2], NULL, 10);
    blast.deadline_ms = blast_now_us() / 1000 + DEADLINE_MS;
    enter(argv[3]);
    struct conn *c = blast_add(ntohl(own.s_addr), (uint32_t)strtoul(argv[5], NULL, 10));
    c->returns = true;
    blast_make_table(c, 0);
    add_end_of_rib(c);
    while (!is_over()) {
        bool was = c->established;
        blast_step();
        if (c->established && !was) {
            c->tx_off = 0;
            told = false;
        } else if (c->established && c->tx_off == c->tx_len && !told) {
            printf("sent\n");
            told = true;
        }
    }
    return 0;
}
