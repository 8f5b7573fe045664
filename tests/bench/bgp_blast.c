// SPDX-License-Identifier: GPL-2.0-or-later
// All peers of a BGP daemon under measurement, in one process: senders, whose UPDATEs are made in advance, and
// receivers, which count distinct prefixes. Prints one JSON line with the seconds of each phase.
//
//   bgp_blast REMOTE ROUTES SENDERS FANOUT TIMEOUT_S PID...
//
// Load: each of SENDERS (10.0.0.10 on, AS 65001 on) announces the same ROUTES prefixes, each with paths of its own, ten
// prefixes a path, and at last a marker of its own; the phase ends when the receiver 10.0.0.30 (AS 65030) has every
// prefix and every marker. Fan-out: FANOUT more receivers (10.0.0.31 on) connect; it ends when all have every prefix.
// CPU seconds and peak memory are those of PID..., together.
#include "blast.h"
#include "util/macros.h"

#include <arpa/inet.h>
#include <stdio.h>

// --- phases

static bool is_all_established(void)
{
    for (unsigned i = 0; i < blast.n_conns; i++)
        if (!blast.conns[i].established)
            return false;
    return true;
}

static bool is_all_received(uint32_t markers)
{
    for (unsigned i = 0; i < blast.n_conns; i++)
        if (blast.conns[i].seen &&
            (blast.conns[i].count < blast.routes || (blast.conns[i].markers & markers) != markers))
            return false;
    return true;
}

static void add_receiver(unsigned i)
{
    blast_add(FIRST_RECEIVER + i, 65030 + i)->seen = blast_alloc(((size_t)blast.routes / 64 + 1) * 8);
}

struct phase {
    double up_s, wall_s, cpu_s;
};

static void step_until_up(void)
{
    while (!is_all_established())
        blast_step();
}

static struct phase load(unsigned senders)
{
    double cpu = blast_cpu_seconds();
    uint64_t begin = blast_now_us();

    for (unsigned i = 0; i < senders; i++)
        blast.conns[i].tx_off = 0;
    while (!is_all_received((1u << senders) - 1))
        blast_step();
    return (struct phase){.wall_s = (double)(blast_now_us() - begin) / 1e6, .cpu_s = blast_cpu_seconds() - cpu};
}

static struct phase fan_out(unsigned receivers, unsigned senders)
{
    struct phase phase;
    double cpu = blast_cpu_seconds();
    uint64_t begin = blast_now_us();

    for (unsigned i = 1; i <= receivers; i++)
        add_receiver(i);
    step_until_up();
    phase.up_s = (double)(blast_now_us() - begin) / 1e6;
    while (!is_all_received((1u << senders) - 1))
        blast_step();
    phase.wall_s = (double)(blast_now_us() - begin) / 1e6;
    phase.cpu_s = blast_cpu_seconds() - cpu;
    return phase;
}

int main(int argc, char **argv)
{
    struct phase loaded, fanned = {0};
    struct in_addr addr;

    if (argc < 7 || argc - 6 > PIDS_MAX || inet_pton(AF_INET, argv[1], &addr) != 1)
        blast_fail("usage: bgp_blast REMOTE ROUTES SENDERS FANOUT TIMEOUT PID...");
    blast.remote = ntohl(addr.s_addr);
    blast.routes = (uint32_t)strtoul(argv[2], NULL, 10);
    unsigned senders = (unsigned)strtoul(argv[3], NULL, 10), fan = (unsigned)strtoul(argv[4], NULL, 10);
    blast.deadline_ms = blast_now_us() / 1000 + strtoul(argv[5], NULL, 10) * 1000;
    for (int i = 6; i < argc; i++)
        blast.pids[blast.n_pids++] = argv[i];
    if (!senders || senders > SENDERS_MAX || fan > SENDERS_MAX || !blast.routes || blast.routes > ROUTES_MAX)
        blast_fail("too many or too few");

    for (unsigned i = 0; i < senders; i++)
        blast_make_table(blast_add(FIRST_SENDER + i, 65001 + i), i);
    add_receiver(0);
    step_until_up();
    loaded = load(senders);
    if (fan)
        fanned = fan_out(fan, senders);
    printf("{\"load_s\": %.4f, \"load_cpu_s\": %.2f, ", loaded.wall_s, loaded.cpu_s);
    printf("\"up_s\": %.4f, \"fan_s\": %.4f, \"fan_cpu_s\": %.2f, ", fanned.up_s, fanned.wall_s, fanned.cpu_s);
    printf("\"peak_kib\": %lu}\n", blast_peak_kib());
    return 0;
}
