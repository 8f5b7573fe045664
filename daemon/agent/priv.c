// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/priv.h"

#include <cap-ng.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>

// For ourselves: namespaces and mounts (SYS_ADMIN), networks, BPF, private directories of other users, ending their
// processes. The others for the daemons we start, which change their user and drop on their own.
static const int kept[] = {
    CAP_SYS_ADMIN,    CAP_NET_ADMIN, CAP_NET_RAW,         CAP_NET_BROADCAST, CAP_NET_BIND_SERVICE,
    CAP_BPF,          CAP_PERFMON,   CAP_CHOWN,           CAP_FOWNER,        CAP_DAC_OVERRIDE,
    CAP_KILL,         CAP_SETUID,    CAP_SETGID,          CAP_SETPCAP,       CAP_SYS_PTRACE,
    CAP_SYS_RESOURCE, CAP_IPC_LOCK,  CAP_DAC_READ_SEARCH, CAP_SYS_CHROOT};

bool vnrs_priv_has(int capability)
{
    return capng_have_capability(CAPNG_EFFECTIVE, (unsigned)capability);
}

static void probe_group(struct vnrs_priv *priv)
{
    const struct group *group = getgrnam(VNRS_USER);

    priv->api_group = group ? group->gr_gid : 0;
}

int vnrs_priv_probe(struct vnrs_priv *ret_priv, struct vnrs_err *err)
{
    struct vnrs_priv priv = {0};
    const struct passwd *user = getpwnam(VNRS_USER);

    if (capng_get_caps_process() < 0)
        return vnrs_err_set(err, -EPERM, "the capabilities of this process cannot be read");
    if (!vnrs_priv_has(CAP_NET_ADMIN))
        return vnrs_err_set(err, -EPERM,
                            "vnrsd needs root, or at least the capability CAP_NET_ADMIN: run it with sudo");
    priv.injector = !vnrs_priv_has(CAP_SYS_ADMIN);
    priv.drop = user && vnrs_priv_has(CAP_SETUID) && vnrs_priv_has(CAP_SETGID);
    if (!user && !priv.injector)
        return vnrs_err_set(err, -ENOENT,
                            "there is no user '" VNRS_USER "' to run without privileges as: run scripts/setup");
    if (priv.drop) {
        priv.uid = user->pw_uid;
        priv.gid = user->pw_gid;
    }
    probe_group(&priv);
    *ret_priv = priv;
    return 0;
}

int vnrs_priv_limit(struct vnrs_err *err)
{
    capng_clear(CAPNG_SELECT_BOTH);
    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        // What the process does not have (in a container) cannot be asked for.
        if (prctl(PR_CAPBSET_READ, kept[i]) == 1)
            (void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, (unsigned)kept[i]);
    }
    if (capng_apply(CAPNG_SELECT_BOTH) < 0)
        return vnrs_err_set(err, -EPERM, "capabilities cannot be given up");
    return 0;
}

int vnrs_priv_drop(const struct vnrs_priv *priv, pid_t parent)
{
    capng_clear(CAPNG_SELECT_BOTH);
    // Needs CAP_SETPCAP; without it the set is useless to a process that can gain nothing.
    (void)capng_apply(CAPNG_SELECT_BOUNDS);
    if (priv->drop && (setgroups(0, NULL) < 0 || setresgid(priv->gid, priv->gid, priv->gid) < 0 ||
                       setresuid(priv->uid, priv->uid, priv->uid) < 0))
        return -errno;
    if (capng_apply(CAPNG_SELECT_CAPS) < 0)
        return -EPERM;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}
