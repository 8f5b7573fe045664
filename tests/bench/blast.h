// SPDX-License-Identifier: GPL-2.0-or-later
// BGP peers that measure a daemon: senders, whose UPDATEs are made in advance, and receivers, which count prefixes. One
// program, one loop; what goes wrong ends the program.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIRST_PREFIX   0x14000000u // 20.0.0.0/24 on
#define FIRST_MARKER   0x13000000u // 19.0.s.0/24
#define ROUTES_MAX     7000000u    // up to 127.0.0.0
#define FIRST_SENDER   0x0a00000au // 10.0.0.10
#define FIRST_RECEIVER 0x0a00001eu // 10.0.0.30
#define PER_UPDATE     10u
#define SENDERS_MAX    8u
#define CONNS_MAX      32u
#define PIDS_MAX       16

struct conn {
    int fd; // -1: to be connected at retry_ms
    uint64_t retry_ms;
    uint32_t addr, asn; // host order
    bool farther;       // what it announces is one AS more away
    bool returns;       // connects again, however the connection ended
    bool established;
    uint8_t *rx;
    size_t rx_len;
    uint8_t *tx;
    size_t tx_len, tx_off;
    uint64_t *seen; // bit per prefix; NULL: not counted
    uint32_t count;
    uint32_t markers; // bit per sender
};

struct blast {
    struct conn conns[CONNS_MAX];
    unsigned n_conns;
    uint32_t remote, routes;    // the daemon's address, how many prefixes a table has
    const char *pids[PIDS_MAX]; // of the daemon
    int n_pids;
    uint64_t deadline_ms, keepalive_ms; // keepalive_ms: when the next ones are due
};

extern struct blast blast;

uint64_t blast_now_us(void);
_Noreturn __attribute__((format(printf, 1, 2))) void blast_fail(const char *format, ...);
void *blast_alloc(size_t n); // zeroed
// One UPDATE: ORIGIN, an AS_PATH of four, or five, that depends on `set`, NEXT_HOP, and n prefixes /24 from `addr` on.
// Returns where it ends.
uint8_t *blast_put_update(uint8_t *msg, const struct conn *c, uint32_t set, uint32_t addr, uint32_t n);
// The whole table of a sender and its marker, to be sent once `tx_off` is set to 0.
void blast_make_table(struct conn *c, uint32_t marker);
struct conn *blast_add(uint32_t addr, uint32_t asn);
void blast_step(void); // what is due, and what comes within a while
double blast_cpu_seconds(void);
unsigned long blast_peak_kib(void);
