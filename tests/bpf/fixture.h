// SPDX-License-Identifier: GPL-2.0-or-later
// A small lab for test runs of the program: its own network namespace with links that have the ifindexes below, a data
// plane pinned under a name of this process, and a sink.
//
//   VM_A 10.0.0.4 fd00::4 ┐                         ┌ NVA1 10.0.2.4 fd00:2::4   both forward
//   VM_B 10.0.1.4 fd00:1::4 ├ virtual network 1 ────┼ NVA2 10.0.2.5 fd00:2::5
//   SMALL 10.0.3.4 fd00:3::4 ┘ (MTU 1280)           ├ peering ── VM_P 10.1.0.4 (virtual network 2)
//                                                   └ STORAGE (restricted to VM_A's subnet), OPEN, INTERNET
#pragma once

#include "fib/bpf_counters.h"
#include "fib/bpf_sink.h"
#include "packet.h"

enum { VM_A = 16, VM_B, NVA1, NVA2, VM_P, STORAGE, OPEN, INTERNET, SMALL, _NIC_END, OTHER_LINK = 40 };

enum {
    HANDLE_LOCAL = 1,
    HANDLE_PEER,
    HANDLE_NVA1,
    HANDLE_ECMP,
    HANDLE_NONE,
    HANDLE_DEAD,
    HANDLE_HALF_DEAD,
    HANDLE_INTERNET,
    HANDLE_STORAGE,
    HANDLE_OPEN,
    HANDLE_GONE,
    HANDLE_VM_B,
    _HANDLE_END
};

enum { DOMAIN_VM = 1, DOMAIN_NVA };

struct fixture {
    struct vnrs_bpf_dataplane *dp;
    struct vnrs_sink *sink;
    struct vnrs_bpf_events *events; // NULL: nobody takes them
    char pins[64];
};

extern struct vnrs_bpf_flow_event last_event;

enum { FROM_NIC, TO_NIC, DIRECTIONS };

struct run {
    uint32_t ret; // TC_ACT_*
    uint32_t cb[5];
    uint32_t mark;
    struct frame out;
};

// Exit code 77 when this is not root or the kernel refuses.
void fixture_require_root(void);
// setns etc. are for the test: these leave the process in a new network namespace.
void fixture_enter_namespace(void);
void fixture_open(struct fixture *fx); // pins under a name of this process
// All of it: a namespace with a link for each NIC, and one (OTHER_LINK) that is none; the maps filled.
void fixture_start(struct fixture *fx);
void fixture_close(struct fixture *fx, bool destroy);
// Events of the data plane; of those that are taken the last one is in `last_event`. 0 or a negative errno.
int fixture_events_open(struct fixture *fx);
void fixture_events_close(struct fixture *fx);
// Everything of the drawing, between sync_begin and sync_end.
void fixture_fill(struct vnrs_sink *sink);
void fixture_fill_routes(struct vnrs_sink *sink, uint32_t handle_base);

void fixture_run(const struct fixture *fx, unsigned ifindex, const struct frame *in, uint32_t gso_size,
                 struct run *ret_run);

// Of all classes together.
void fixture_nic_counters(const struct fixture *fx, unsigned ifindex, struct vnrs_bpf_counter ret[static DIRECTIONS]);

// By enum vnrs_nexthop_type, of all NICs below `end`.
void fixture_type_counters(const struct fixture *fx, unsigned end, struct vnrs_bpf_counter ret[static _VNRS_NH_MAX]);

// The command must succeed.
void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void route_set(struct vnrs_sink *sink, uint32_t domain, const char *prefix, uint32_t handle, uint8_t type);
void group_set(struct vnrs_sink *sink, uint32_t handle, unsigned n, const struct vnrs_fib_member *members);
void endpoint_set(struct vnrs_sink *sink, uint32_t vnet, const char *addr, uint32_t ifindex);
void nic_set(struct vnrs_sink *sink, uint32_t ifindex, const struct vnrs_bpf_nic *nic);

#define TO_NIC(i)                                                                                                      \
    {                                                                                                                  \
        .kind = VNRS_BPF_NH_NIC, .ifindex = (i)                                                                        \
    }
#define TO_BACKEND(i)                                                                                                  \
    {                                                                                                                  \
        .kind = VNRS_BPF_NH_NIC, .flags = VNRS_BPF_NHF_BALANCED, .ifindex = (i)                                        \
    }
#define TO_BACKEND_DOWN(i)                                                                                             \
    {                                                                                                                  \
        .kind = VNRS_BPF_NH_DEAD, .flags = VNRS_BPF_NHF_BALANCED, .ifindex = (i)                                       \
    }
#define TO_ENDPOINT(v)                                                                                                 \
    {                                                                                                                  \
        .kind = VNRS_BPF_NH_ENDPOINT, .vnet = (v)                                                                      \
    }
#define TO_DEAD(i)                                                                                                     \
    {                                                                                                                  \
        .kind = VNRS_BPF_NH_DEAD, .ifindex = (i)                                                                       \
    }
#define TO_NOBODY                                                                                                      \
    {                                                                                                                  \
        .kind = VNRS_BPF_NH_DROP                                                                                       \
    }
#define GROUP(sink, handle, ...)                                                                                       \
    do {                                                                                                               \
        const struct vnrs_fib_member members_[] = {__VA_ARGS__};                                                       \
        group_set(sink, handle, ARRAY_SIZE(members_), members_);                                                       \
    } while (0)
