// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_filter.h"

#include "fib/nlfilter.h"

#include <errno.h>
#include <sys/socket.h>

#include <bpf/libbpf.h>

#define COOKIE_INGRESS (1ull << 32)

static void note(void *arg, uint64_t cookie, int error, const char *text)
{
    int *first = arg;

    (void)text;
    if (*first == 0 && !(cookie & COOKIE_INGRESS && error == -EEXIST))
        *first = error;
}

static int queue(struct vnrs_nl *nl, uint32_t ifindex, int program)
{
    struct vnrs_nlmsg msg;

    vnrs_nlfilter_encode_ingress(ifindex, &msg);
    int err = vnrs_nl_queue(nl, &msg, COOKIE_INGRESS | ifindex);
    if (err < 0)
        return err;
    vnrs_nlfilter_encode(ifindex, program, &msg);
    return vnrs_nl_queue(nl, &msg, ifindex);
}

int vnrs_bpf_filter_write(const uint32_t *ifindexes, size_t n, int program)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), refused = 0;
    struct vnrs_nl *nl;

    if (fd < 0)
        return -errno;
    int err = vnrs_nl_new(fd, &nl);
    if (err < 0)
        return err;
    err = vnrs_nl_handler_set(nl, note, &refused);
    for (size_t i = 0; i < n && err == 0; i++)
        err = queue(nl, ifindexes[i], program);
    if (err == 0)
        err = vnrs_nl_flush(nl);
    vnrs_nl_free(nl);
    return err < 0 ? err : refused;
}

static struct bpf_tc_hook hook_of(uint32_t ifindex)
{
    return (struct bpf_tc_hook){
        .sz = sizeof(struct bpf_tc_hook), .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS};
}

uint32_t vnrs_bpf_filter_program(uint32_t ifindex)
{
    struct bpf_tc_hook hook = hook_of(ifindex);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = VNRS_NLFILTER_HANDLE, .priority = VNRS_NLFILTER_PRIORITY);

    return bpf_tc_query(&hook, &opts) == 0 ? opts.prog_id : 0;
}

int vnrs_bpf_filter_remove(uint32_t ifindex)
{
    struct bpf_tc_hook hook = hook_of(ifindex);
    LIBBPF_OPTS(bpf_tc_opts, opts, .handle = VNRS_NLFILTER_HANDLE, .priority = VNRS_NLFILTER_PRIORITY);

    // Asking first tells "not there" apart from a refusal: a removal answers both with -EINVAL.
    return vnrs_bpf_filter_program(ifindex) ? bpf_tc_detach(&hook, &opts) : 0;
}
