// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/sysctl.h"

#include "lab/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#define PROC_USES_MAX 64

// Opened once for all settings in them.
enum folder { IPV4, IPV4_ALL, IPV4_DEFAULT, IPV6, IPV6_ALL, IPV6_DEFAULT, _FOLDERS };

static const char *const folders[_FOLDERS] = {
    [IPV4] = "net/ipv4", [IPV4_ALL] = "net/ipv4/conf/all", [IPV4_DEFAULT] = "net/ipv4/conf/default",
    [IPV6] = "net/ipv6", [IPV6_ALL] = "net/ipv6/conf/all", [IPV6_DEFAULT] = "net/ipv6/conf/default",
};

struct setting {
    enum folder folder;
    const char *name;
    const char *value[4]; // by profile
};

// In order: switching forwarding on or off resets others. Duplicate address detection is off so that addresses can be
// used at once, redirects so that hosts do not learn routes around the fabric, the reverse path filter because Azure's
// hosts have none. nexthop_compat_mode 0 makes a change of a next-hop object O(1) (data-plane.md), and hides the next
// hops from `ip route`: so only in the fabric, where no user looks. Hash policy 3 with fields 55 is the five-tuple, the
// same in both directions as load balancers want it; policy 1 takes a hash that the sender's socket chose.
static const struct setting settings[] = {
    {IPV4, "ip_forward", {"0", "1", "0", "1"}},
    {IPV6_ALL, "forwarding", {"0", "1", "0", "1"}},
    {IPV6_DEFAULT, "forwarding", {"0", "1", "0", "1"}},
    {IPV4_ALL, "rp_filter", {"0", "0", "0", "0"}},
    {IPV4_DEFAULT, "rp_filter", {"0", "0", "0", "0"}},
    {IPV4_ALL, "accept_redirects", {"0", "0", "0", "0"}},
    {IPV4_DEFAULT, "accept_redirects", {"0", "0", "0", "0"}},
    {IPV4_ALL, "send_redirects", {"0", "0", "0", "0"}},
    {IPV4_DEFAULT, "send_redirects", {"0", "0", "0", "0"}},
    {IPV4_ALL, "promote_secondaries", {"1", "1", "1", "1"}},
    {IPV4_DEFAULT, "promote_secondaries", {"1", "1", "1", "1"}},
    {IPV4, "nexthop_compat_mode", {"1", "1", "0", "0"}},
    {IPV4, "fib_multipath_hash_policy", {"1", "1", "1", "3"}},
    {IPV6, "fib_multipath_hash_policy", {"1", "1", "1", "3"}},
    {IPV4, "fib_multipath_hash_fields", {"7", "7", "7", "55"}},
    {IPV6, "fib_multipath_hash_fields", {"7", "7", "7", "55"}},
    {IPV6_ALL, "accept_ra", {"0", "0", "0", "0"}},
    {IPV6_DEFAULT, "accept_ra", {"0", "0", "0", "0"}},
    {IPV6_DEFAULT, "autoconf", {"0", "0", "0", "0"}},
    {IPV6_ALL, "accept_redirects", {"0", "0", "0", "0"}},
    {IPV6_DEFAULT, "accept_redirects", {"0", "0", "0", "0"}},
    {IPV6_ALL, "accept_dad", {"0", "0", "0", "0"}},
    {IPV6_DEFAULT, "accept_dad", {"0", "0", "0", "0"}},
    {IPV6_DEFAULT, "dad_transmits", {"0", "0", "0", "0"}},
    {IPV6_DEFAULT, "router_solicitations", {"0", "0", "0", "0"}},
    {IPV6_ALL, "disable_ipv6", {"0", "0", "1", "0"}},
    {IPV6_DEFAULT, "disable_ipv6", {"0", "0", "1", "0"}},
};

static _Thread_local struct {
    int fd;
    unsigned uses;
} own_proc = {.fd = -1};

// A procfs that is mounted nowhere, or a negative errno.
static int mount_proc(void)
{
    _close_ int fs = fsopen("proc", FSOPEN_CLOEXEC);

    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    return fd < 0 ? -errno : fd;
}

// Where "sys/net" is. A borrowed descriptor, or a negative errno.
//
// A procfs keeps the names "ipv4" and "ipv6" below "sys/net" once for each namespace that looked there, for as long as
// there is memory, and every look goes through all of them: with thousands of namespaces that takes longer than
// everything else about a namespace, and the files that were opened take as much memory as the namespaces. So we look
// in a procfs of our own, and leave it for a new one now and then.
static int proc_dir(void)
{
    if (own_proc.fd >= 0 && own_proc.uses++ < PROC_USES_MAX)
        return own_proc.fd;
    vnrs_sysctl_proc_close();
    own_proc.fd = mount_proc();
    if (own_proc.fd < 0) // not allowed here
        own_proc.fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return own_proc.fd < 0 ? -errno : own_proc.fd;
}

void vnrs_sysctl_proc_close(void)
{
    if (own_proc.fd >= 0)
        (void)close(own_proc.fd);
    own_proc.fd = -1;
    own_proc.uses = 0;
}

// In the namespace: sys/net is that of whoever opens it. `path` begins at `dir_fd`.
static int set_here(int dir_fd, const char *path, const char *value)
{
    char have[64];
    _close_ int fd = openat(dir_fd, path, O_RDWR | O_CLOEXEC);

    // /proc/sys may be read-only in a container and right nevertheless.
    bool read_only = fd < 0 && (errno == EROFS || errno == EACCES || errno == EPERM);
    int refused = -errno;
    if (read_only)
        fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t len = read(fd, have, sizeof(have) - 1);
    if (len < 0)
        return -errno;
    while (len > 0 && (have[len - 1] == '\n' || have[len - 1] == ' '))
        len--;
    have[len] = '\0';
    if (strcmp(have, value) == 0)
        return 0;
    if (read_only)
        return refused;
    return pwrite(fd, value, strlen(value), 0) < 0 ? -errno : 1;
}

struct profile_args {
    enum vnrs_sysctl_profile profile;
    int proc_fd;
    int fds[_FOLDERS]; // -1: not open yet
    struct vnrs_err *err;
};

static int apply_one(struct profile_args *a, const struct setting *s)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "sys/%s", folders[s->folder]);
    if (a->fds[s->folder] < 0)
        a->fds[s->folder] = openat(a->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int err = a->fds[s->folder] < 0 ? -errno : set_here(a->fds[s->folder], s->name, s->value[a->profile]);
    if (err < 0 && err != -ENOENT) // a kernel without IPv6
        return vnrs_err_errno(a->err, err, "sysctl '%s/%s'", folders[s->folder], s->name);
    return err > 0;
}

int vnrs_sysctl_profile_here(enum vnrs_sysctl_profile profile, struct vnrs_err *err)
{
    struct profile_args args = {.profile = profile, .proc_fd = proc_dir(), .err = err};
    int written = 0;

    if (args.proc_fd < 0)
        return vnrs_err_errno(err, args.proc_fd, "procfs");
    for (int i = 0; i < _FOLDERS; i++)
        args.fds[i] = -1;
    for (size_t i = 0; i < ARRAY_SIZE(settings) && written >= 0; i++) {
        int one = apply_one(&args, &settings[i]);
        written = one < 0 ? one : written + one;
    }
    for (int i = 0; i < _FOLDERS; i++)
        if (args.fds[i] >= 0)
            (void)close(args.fds[i]);
    return written;
}

struct apply_args {
    enum vnrs_sysctl_profile profile;
    struct vnrs_err *err;
};

static int apply_here(void *arg)
{
    const struct apply_args *a = arg;

    return vnrs_sysctl_profile_here(a->profile, a->err);
}

int vnrs_sysctl_profile_apply(int ns_fd, enum vnrs_sysctl_profile profile, struct vnrs_err *err)
{
    struct apply_args args = {profile, err};

    return vnrs_netns_run(ns_fd, apply_here, &args);
}

struct set_args {
    int proc_fd;
    const char *path, *value;
};

static int set_one(void *arg)
{
    const struct set_args *a = arg;
    char path[192];

    if (snprintf(path, sizeof(path), "sys/%s", a->path) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return set_here(a->proc_fd, path, a->value);
}

int vnrs_sysctl_set(int ns_fd, const char *path, const char *value)
{
    struct set_args args = {proc_dir(), path, value};

    return args.proc_fd < 0 ? args.proc_fd : vnrs_netns_run(ns_fd, set_one, &args);
}
