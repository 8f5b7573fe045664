// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/sandbox.h"

#include <cap-ng.h>
#include <seccomp.h>

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif
#ifndef WITH_SANITIZER
#define WITH_SANITIZER 0
#endif

#define OPEN_FILES_MAX 512 // two connections per peer, those that linger, and the loop's own

// Everything the loop, the sockets that exist, memory and exit need. `socket` and all that opens a file is missing.
static const int allowed[] = {
    SCMP_SYS(read),          SCMP_SYS(write),
    SCMP_SYS(readv),         SCMP_SYS(writev),
    SCMP_SYS(recvfrom),      SCMP_SYS(sendto),
    SCMP_SYS(recvmsg),       SCMP_SYS(sendmsg),
    SCMP_SYS(accept4),       SCMP_SYS(connect),
    SCMP_SYS(bind),          SCMP_SYS(listen),
    SCMP_SYS(shutdown),      SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),   SCMP_SYS(close),
    SCMP_SYS(fcntl),         SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),  SCMP_SYS(poll),
    SCMP_SYS(ppoll),         SCMP_SYS(timerfd_settime),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),  SCMP_SYS(time),
    SCMP_SYS(getrandom),     SCMP_SYS(getpid),
    SCMP_SYS(gettid),        SCMP_SYS(brk),
    SCMP_SYS(mmap),          SCMP_SYS(munmap),
    SCMP_SYS(mremap),        SCMP_SYS(madvise),
    SCMP_SYS(mprotect),      SCMP_SYS(futex),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),  SCMP_SYS(sigaltstack),
    SCMP_SYS(tgkill),        SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),          SCMP_SYS(exit_group),
};

// Calls that nothing honest of ours makes: whoever comes here runs foreign code.
static const int deadly[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(fork), SCMP_SYS(vfork),
    SCMP_SYS(setns),  SCMP_SYS(bpf),      SCMP_SYS(mount),  SCMP_SYS(kill),
};

static void release_filter(scmp_filter_ctx *ctx)
{
    if (*ctx)
        seccomp_release(*ctx);
}

static int filter_load(void)
{
    _cleanup_(release_filter) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int err = ctx ? seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

    for (size_t i = 0; i < ARRAY_SIZE(allowed) && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < ARRAY_SIZE(deadly) && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    return err < 0 ? err : seccomp_load(ctx);
}

static int limits_set(void)
{
    const struct rlimit files = {OPEN_FILES_MAX, OPEN_FILES_MAX}, none = {0, 0};

    if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
        return -errno;
    if (!WITH_SANITIZER && setrlimit(RLIMIT_NPROC, &none) < 0)
        return -errno;
    return 0;
}

static int capabilities_drop(void)
{
    capng_clear(CAPNG_SELECT_ALL);
    // The bounding set can only be reduced by a process that still may; one started without capabilities has no use
    // for it, because it can execute nothing.
    capng_select_t what =
        prctl(PR_CAPBSET_READ, CAP_SETPCAP) == 1 && geteuid() == 0 ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS;
    return capng_apply(what) < 0 ? -EPERM : 0;
}

int vnrs_sandbox_begin(void)
{
    int err = capabilities_drop();

    if (err == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        err = -errno;
    return err;
}

int vnrs_sandbox_seal(void)
{
    int err = limits_set();

    // Nobody of the same user may look into this process; the leak checker would have to.
    if (err == 0 && !WITH_SANITIZER && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        err = -errno;
    if (err == 0 && !WITH_SANITIZER)
        err = filter_load();
    return err;
}
