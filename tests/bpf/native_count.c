// SPDX-License-Identifier: GPL-2.0-or-later
#include "native_count.h"

#include "fixture.h"
#include "native.h"
#include "vnrs/lpm.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#define PACKET_AT 0x20000000 // __sk_buff has 32 bits for addresses

// All of an array map.
static void *map_copy(const struct vnrs_bpf_dataplane *dp, enum vnrs_bpf_map map)
{
    int fd = vnrs_bpf_dataplane_map(dp, map);
    struct bpf_map_info info = {0};
    uint32_t len = sizeof(info);

    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    char *all = calloc(info.max_entries, info.value_size);
    assert_non_null(all);
    for (uint32_t i = 0; i < info.max_entries; i++)
        assert_int_equal(bpf_map_lookup_elem(fd, &i, all + (size_t)i * info.value_size), 0);
    return all;
}

static void *chunk_map(const struct vnrs_bpf_dataplane *dp)
{
    uint32_t first = 0, id;

    assert_int_equal(bpf_map_lookup_elem(vnrs_bpf_dataplane_map(dp, VNRS_BPF_MAP_LINES), &first, &id), 0);
    int fd = bpf_map_get_fd_by_id(id);
    assert_true(fd >= 0);
    void *at = mmap(NULL, VNRS_LPM_CHUNK_LINES * sizeof(struct vnrs_lpm_line), PROT_READ, MAP_SHARED, fd, 0);
    assert_true(at != MAP_FAILED);
    return at;
}

static void *zeros(size_t n, size_t size)
{
    void *at = calloc(n, size);

    assert_non_null(at);
    return at;
}

static void packet_put(const struct spec *spec, struct __sk_buff *ret_skb)
{
    struct frame frame;
    uint8_t *at = mmap((void *)PACKET_AT, FRAME_MAX, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    assert_ptr_equal(at, (void *)PACKET_AT);
    frame_build(spec, &frame);
    memcpy(at, frame.bytes, frame.len);
    *ret_skb = (struct __sk_buff){
        .ifindex = VM_A, .len = (uint32_t)frame.len, .data = PACKET_AT, .data_end = PACKET_AT + (uint32_t)frame.len};
}

// The parts that are counted lie between stops.
static void child(struct __sk_buff *skb)
{
    (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    (void)raise(SIGSTOP);
    (void)raise(SIGSTOP); // what the stop itself takes
    int first = native_forward(skb);
    (void)raise(SIGSTOP);
    int next = native_forward(skb);
    (void)raise(SIGSTOP);
    _exit(first == next && skb->cb[VNRS_BPF_CB_VERDICT] == VNRS_BPF_VERDICT_FORWARD ? 0 : 1);
}

// Instructions until the next stop.
static unsigned steps(pid_t pid)
{
    unsigned n = 0;
    int status;

    do {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        n++;
    } while (WSTOPSIG(status) == SIGTRAP);
    return n;
}

void native_measure(const struct spec *spec, unsigned *ret_first, unsigned *ret_next)
{
    struct __sk_buff skb;
    int status;

    packet_put(spec, &skb);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(&skb);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    unsigned stop = steps(pid);
    *ret_first = steps(pid) - stop;
    *ret_next = steps(pid) - stop;
    assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(munmap((void *)PACKET_AT, FRAME_MAX), 0);
}

void native_open(const struct vnrs_bpf_dataplane *dp)
{
    native = (struct native_maps){
        .nics = map_copy(dp, VNRS_BPF_MAP_NICS),
        .tables = map_copy(dp, VNRS_BPF_MAP_TABLES),
        .groups = map_copy(dp, VNRS_BPF_MAP_GROUPS),
        .nexthops = map_copy(dp, VNRS_BPF_MAP_NEXTHOPS),
        .flow_switch = map_copy(dp, VNRS_BPF_MAP_FLOW_SWITCH),
        .cache = zeros(1, sizeof(struct vnrs_bpf_cache)),
        .nic_counters = zeros(VNRS_NICS_MAX, sizeof(struct vnrs_bpf_nic_counters)),
        .drop_counters = zeros(256, sizeof(struct vnrs_bpf_counter)),
        .chunks = {chunk_map(dp)},
    };
}

void native_close(void)
{
    void *const copies[] = {native.nics,        native.tables, native.groups,       native.nexthops,
                            native.flow_switch, native.cache,  native.nic_counters, native.drop_counters};

    for (size_t i = 0; i < ARRAY_SIZE(copies); i++)
        free(copies[i]);
    (void)munmap(native.chunks[0], VNRS_LPM_CHUNK_LINES * sizeof(struct vnrs_lpm_line));
}
