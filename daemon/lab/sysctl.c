// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/sysctl.h"

#include "lab/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct setting {
    const char *path;     // below /proc/sys/net
    const char *value[4]; // by profile
};

// In order: switching forwarding on or off resets others. Duplicate address detection is off so that addresses can be
// used at once, redirects so that hosts do not learn routes around the fabric, the reverse path filter because Azure's
// hosts have none. nexthop_compat_mode 0 makes a change of a next-hop object O(1) (data-plane.md), and hides the next
// hops from `ip route`: so only in the fabric, where no user looks.
static const struct setting settings[] = {
    {"ipv4/ip_forward", {"0", "1", "0", "1"}},
    {"ipv6/conf/all/forwarding", {"0", "1", "0", "1"}},
    {"ipv6/conf/default/forwarding", {"0", "1", "0", "1"}},
    {"ipv4/conf/all/rp_filter", {"0", "0", "0", "0"}},
    {"ipv4/conf/default/rp_filter", {"0", "0", "0", "0"}},
    {"ipv4/conf/all/accept_redirects", {"0", "0", "0", "0"}},
    {"ipv4/conf/default/accept_redirects", {"0", "0", "0", "0"}},
    {"ipv4/conf/all/send_redirects", {"0", "0", "0", "0"}},
    {"ipv4/conf/default/send_redirects", {"0", "0", "0", "0"}},
    {"ipv4/conf/all/promote_secondaries", {"1", "1", "1", "1"}},
    {"ipv4/conf/default/promote_secondaries", {"1", "1", "1", "1"}},
    {"ipv4/nexthop_compat_mode", {"1", "1", "0", "0"}},
    {"ipv4/fib_multipath_hash_policy", {"1", "1", "1", "1"}},
    {"ipv6/fib_multipath_hash_policy", {"1", "1", "1", "1"}},
    {"ipv6/conf/all/accept_ra", {"0", "0", "0", "0"}},
    {"ipv6/conf/default/accept_ra", {"0", "0", "0", "0"}},
    {"ipv6/conf/default/autoconf", {"0", "0", "0", "0"}},
    {"ipv6/conf/all/accept_redirects", {"0", "0", "0", "0"}},
    {"ipv6/conf/default/accept_redirects", {"0", "0", "0", "0"}},
    {"ipv6/conf/all/accept_dad", {"0", "0", "0", "0"}},
    {"ipv6/conf/default/accept_dad", {"0", "0", "0", "0"}},
    {"ipv6/conf/default/dad_transmits", {"0", "0", "0", "0"}},
    {"ipv6/conf/default/router_solicitations", {"0", "0", "0", "0"}},
    {"ipv6/conf/all/disable_ipv6", {"0", "0", "1", "0"}},
    {"ipv6/conf/default/disable_ipv6", {"0", "0", "1", "0"}},
};

// In the namespace: /proc/sys/net is that of whoever opens it.
static int set_here(const char *path, const char *value)
{
    char full[192], have[64];

    if (snprintf(full, sizeof(full), "/proc/sys/%s", path) >= (int)sizeof(full))
        return -ENAMETOOLONG;
    _close_ int fd = open(full, O_RDONLY | O_CLOEXEC);
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
    // Only now for writing: /proc/sys may be read-only in a container and right nevertheless.
    _close_ int out = open(full, O_WRONLY | O_CLOEXEC);
    if (out < 0 || write(out, value, strlen(value)) < 0)
        return -errno;
    return 1;
}

struct profile_args {
    enum vnrs_sysctl_profile profile;
    struct vnrs_err *err;
};

static int apply_here(void *arg)
{
    const struct profile_args *a = arg;
    int written = 0;

    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        char path[160];
        (void)snprintf(path, sizeof(path), "net/%s", settings[i].path);
        int err = set_here(path, settings[i].value[a->profile]);
        if (err < 0 && err != -ENOENT)
            return vnrs_err_errno(a->err, err, "sysctl '%s'", path);
        written += err > 0;
    }
    return written;
}

int vnrs_sysctl_profile_apply(int ns_fd, enum vnrs_sysctl_profile profile, struct vnrs_err *err)
{
    struct profile_args args = {profile, err};
    return vnrs_netns_run(ns_fd, apply_here, &args);
}

struct set_args {
    const char *path, *value;
};

static int set_one(void *arg)
{
    const struct set_args *a = arg;
    return set_here(a->path, a->value);
}

int vnrs_sysctl_set(int ns_fd, const char *path, const char *value)
{
    struct set_args args = {path, value};
    return vnrs_netns_run(ns_fd, set_one, &args);
}
