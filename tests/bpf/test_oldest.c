// SPDX-License-Identifier: GPL-2.0-or-later
// What kernel 6.1's verifier refuses and newer ones take, as far as it shows in the instructions that this kernel runs:
// a back edge that is no jump, and frames of nested calls that are too large together when each is rounded up to 32
// bytes. The rest shows on that kernel only (scripts/test-kernel bpf).
#include "fixture.h"

#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#define STACK_MAX    512
#define FRAME_UNIT   32
#define FRAMES_MAX   8
#define PROGRAMS_MAX 64

static struct fixture fx;
static struct bpf_insn *insns;
static size_t insns_len;

static void load(void)
{
    struct bpf_prog_info info = {0};
    __u32 len = sizeof(info);
    int fd = vnrs_bpf_dataplane_program(fx.dp);

    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    __u32 bytes = info.xlated_prog_len;
    insns = calloc(1, bytes);
    assert_non_null(insns);
    info = (struct bpf_prog_info){.xlated_prog_len = bytes, .xlated_prog_insns = (uintptr_t)insns};
    len = sizeof(info);
    assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
    insns_len = bytes / sizeof(*insns);
}

static bool is_call(const struct bpf_insn *insn) // of a function of the program; `off` leads there
{
    return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_jump(const struct bpf_insn *insn)
{
    return BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32;
}

// --- back edges ---

static enum { NEW = 0, ENTERED, DONE } * states;

static void visit(size_t at);

static void follow(size_t from, size_t to, bool may_go_back)
{
    assert_in_range(to, 0, insns_len - 1);
    if (states[to] == NEW)
        visit(to);
    else if (states[to] == ENTERED && !may_go_back)
        fail_msg("back edge from instruction %zu to %zu is no jump", from, to);
}

// In the verifier's order: what follows, then where it jumps to.
static void visit(size_t at) // NOLINT(misc-no-recursion): as deep as the program is long
{
    const struct bpf_insn *insn = &insns[at];
    bool jumps = is_jump(insn), is_always = jumps && BPF_OP(insn->code) == BPF_JA;

    states[at] = ENTERED;
    if (is_call(insn)) {
        follow(at, at + 1, false);
        follow(at, at + 1 + (size_t)insn->off, false);
    } else if (jumps && BPF_OP(insn->code) == BPF_CALL) {
        follow(at, at + 1, false);
    } else if (!jumps || BPF_OP(insn->code) != BPF_EXIT) {
        if (!is_always)
            follow(at, at + 1, jumps);
        if (jumps)
            follow(at, at + 1 + (size_t)insn->off, true);
    }
    states[at] = DONE;
}

static void loops_go_back_by_jumps(void **state)
{
    (void)state;
    states = calloc(insns_len, sizeof(*states));
    assert_non_null(states);
    visit(0);
    free(states);
}

// --- stack ---

static size_t starts[PROGRAMS_MAX + 1]; // of the functions, and the end
static size_t starts_len;

static int compare(const void *x, const void *y)
{
    size_t a = *(const size_t *)x, b = *(const size_t *)y;
    return a < b ? -1 : a > b;
}

static void find_functions(void)
{
    starts_len = 0;
    starts[starts_len++] = 0;
    for (size_t i = 0; i < insns_len; i++) {
        size_t start = i + 1 + (size_t)insns[i].off;
        if (!is_call(&insns[i]) || bsearch(&start, starts, starts_len, sizeof(start), compare))
            continue;
        assert_in_range(starts_len, 1, PROGRAMS_MAX - 1);
        starts[starts_len++] = start;
        qsort(starts, starts_len, sizeof(starts[0]), compare);
    }
    starts[starts_len] = insns_len;
}

// What one instruction reaches below the frame pointer. `copies` has the registers that hold it.
static int reach(const struct bpf_insn *insn, bool copies[static 16])
{
    unsigned class = BPF_CLASS(insn->code);
    bool stores = class == BPF_ST || class == BPF_STX;

    if (stores || class == BPF_LDX) {
        int off = (stores ? insn->dst_reg : insn->src_reg) == BPF_REG_10 ? insn->off : 0;
        if (class == BPF_LDX)
            copies[insn->dst_reg] = false;
        return off < 0 ? -off : 0;
    }
    if (class != BPF_ALU64 && class != BPF_ALU && class != BPF_LD)
        return 0;
    bool added = insn->code == (BPF_ALU64 | BPF_ADD) && copies[insn->dst_reg] && insn->imm < 0;
    copies[insn->dst_reg] = insn->code == (BPF_ALU64 | BPF_MOV | BPF_X) && insn->src_reg == BPF_REG_10;
    return added ? -insn->imm : 0;
}

static int frame_of(size_t start, size_t end)
{
    bool copies[16] = {false};
    int frame = 1;

    for (size_t i = start; i < end; i++)
        frame = MAX(frame, reach(&insns[i], copies));
    return (frame + FRAME_UNIT - 1) / FRAME_UNIT * FRAME_UNIT;
}

static int stack_of(size_t start, unsigned depth) // NOLINT(misc-no-recursion): bounded
{
    size_t end = ((size_t *)bsearch(&start, starts, starts_len, sizeof(start), compare))[1];
    int most = 0;

    assert_in_range(depth, 1, FRAMES_MAX);
    for (size_t i = start; i < end; i++)
        if (is_call(&insns[i]))
            most = MAX(most, stack_of(i + 1 + (size_t)insns[i].off, depth + 1));
    return frame_of(start, end) + most;
}

static void frames_are_small_together(void **state)
{
    (void)state;
    find_functions();
    assert_in_range(starts_len, 8, PROGRAMS_MAX);
    int stack = stack_of(0, 1);
    print_message("%d bytes of stack\n", stack);
    assert_in_range(stack, FRAME_UNIT * 3, STACK_MAX);
}

static int setup(void **state)
{
    (void)state;
    fixture_enter_namespace();
    fixture_open(&fx);
    load();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(insns);
    fixture_close(&fx, true);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loops_go_back_by_jumps),
                                       cmocka_unit_test(frames_are_small_together)};

    fixture_require_root();
    return cmocka_run_group_tests_name("bpf.oldest", tests, setup, teardown);
}
