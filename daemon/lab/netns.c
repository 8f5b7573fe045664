// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/netns.h"

#include "lab/exec.h"
#include "lab/procfs.h"
#include "util/fd.h"
#include "util/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CONTAINERS_KNOWN   64
#define CONTAINER_KNOWN_MS 30000
#define CONTAINER_WAIT_MS  5000 // the agent waits for it

#define NETNS_PATH_MAX (sizeof(VNRS_NETNS_DIR) + 1 + VNRS_NETNS_NAME_MAX)

static int open_own(int *ret_fd)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int vnrs_netns_join(int ns_fd)
{
    return setns(ns_fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

// Nothing sensible can be done by a process that is in the wrong namespace and does not know it.
static void come_back(int home)
{
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
}

int vnrs_netns_id_get(int ns_fd, struct vnrs_netns_id *ret_id)
{
    struct stat st;

    if (fstat(ns_fd, &st) < 0)
        return -errno;
    *ret_id = (struct vnrs_netns_id){.dev = st.st_dev, .ino = st.st_ino};
    return 0;
}

static bool is_same(int fd, int other)
{
    struct vnrs_netns_id x = {0}, y = {0};

    return vnrs_netns_id_get(fd, &x) == 0 && vnrs_netns_id_get(other, &y) == 0 && x.dev == y.dev && x.ino == y.ino;
}

bool vnrs_netns_is_own(int ns_fd)
{
    _close_ int own = -1;

    return open_own(&own) == 0 && is_same(own, ns_fd);
}

int vnrs_netns_run(int ns_fd, int (*fn)(void *arg), void *arg)
{
    _close_ int home = -1;

    if (ns_fd < 0)
        return fn(arg);
    int err = open_own(&home);
    if (err < 0)
        return err;
    if (is_same(home, ns_fd)) // entering even the own one takes CAP_SYS_ADMIN
        return fn(arg);
    err = vnrs_netns_join(ns_fd);
    if (err < 0)
        return err;
    err = fn(arg);
    come_back(home);
    return err;
}

struct socket_args {
    int family, type, protocol;
};

static int open_socket(void *arg)
{
    const struct socket_args *a = arg;
    int fd = socket(a->family, a->type | SOCK_CLOEXEC, a->protocol);
    return fd < 0 ? -errno : fd;
}

int vnrs_netns_socket(int ns_fd, int family, int type, int protocol)
{
    struct socket_args args = {family, type, protocol};
    return vnrs_netns_run(ns_fd, open_socket, &args);
}

// Open a file that must be a network namespace. Others are not even opened: a device may do something when it is.
static int open_netns(const char *path, int *ret_fd)
{
    _close_ int handle = open(path, O_PATH | O_CLOEXEC);
    char again[64];
    struct statfs fs;

    if (handle < 0 || fstatfs(handle, &fs) < 0)
        return -errno;
    if (fs.f_type != NSFS_MAGIC)
        return -EINVAL;
    (void)snprintf(again, sizeof(again), "/proc/self/fd/%d", handle);
    _close_ int fd = open(again, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
        return -EINVAL;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static void path_of(const char *name, char ret[static NETNS_PATH_MAX])
{
    (void)snprintf(ret, NETNS_PATH_MAX, "%s/%s", VNRS_NETNS_DIR, name);
}

bool vnrs_netns_has_name(int ns_fd, const char *name)
{
    char path[NETNS_PATH_MAX];
    struct vnrs_netns_id id = {0};
    struct stat st;

    path_of(name, path);
    return vnrs_netns_id_get(ns_fd, &id) == 0 && stat(path, &st) == 0 && st.st_dev == id.dev && st.st_ino == id.ino;
}

int vnrs_netns_open(const char *name, int *ret_fd)
{
    char path[NETNS_PATH_MAX];

    path_of(name, path);
    int err = open_netns(path, ret_fd);
    return err == -EINVAL ? -ENOENT : err;
}

// The directory must be a shared mount of its own, so that a namespace's mount is seen (and can be unmounted) from
// every mount namespace of the host.
static int make_dir(void)
{
    if (mkdir(VNRS_NETNS_DIR, 0755) < 0 && errno != EEXIST)
        return -errno;
    if (mount("", VNRS_NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
        return 0;
    if (errno != EINVAL)
        return -errno;
    if (mount(VNRS_NETNS_DIR, VNRS_NETNS_DIR, "none", MS_BIND | MS_REC, NULL) < 0 ||
        mount("", VNRS_NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) < 0)
        return -errno;
    return 0;
}

// 1: it was down.
static int lo_up(void)
{
    struct ifreq req = {.ifr_name = "lo"};
    _close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req) < 0)
        return -errno;
    if (req.ifr_flags & IFF_UP)
        return 0;
    req.ifr_flags |= IFF_UP;
    return ioctl(fd, SIOCSIFFLAGS, &req) < 0 ? -errno : 1;
}

int vnrs_netns_lo_up_here(void *arg)
{
    (void)arg;
    return lo_up();
}

int vnrs_netns_lo_up(int ns_fd)
{
    return vnrs_netns_run(ns_fd, vnrs_netns_lo_up_here, NULL);
}

int vnrs_netns_make(int (*fn)(void *arg), void *arg, int *ret_fd)
{
    _close_ int home = -1, fd = -1;
    int err = open_own(&home);

    if (err < 0)
        return err;
    if (unshare(CLONE_NEWNET) < 0)
        return -errno;
    err = open_own(&fd);
    if (err == 0 && fn)
        err = fn(arg);
    come_back(home);
    if (err >= 0)
        *ret_fd = TAKE_FD(fd);
    return MIN(err, 0);
}

int vnrs_netns_new(int *ret_fd)
{
    return vnrs_netns_make(NULL, NULL, ret_fd);
}

int vnrs_netns_name(const char *name, int ns_fd)
{
    static bool dir_made;
    char path[NETNS_PATH_MAX], source[64];

    int err = dir_made ? 0 : make_dir();
    if (err < 0)
        return err;
    dir_made = true;
    path_of(name, path);
    _close_ int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
    if (file < 0) {
        dir_made = errno != ENOENT; // somebody removed the directory
        return -errno;
    }
    (void)snprintf(source, sizeof(source), "/proc/self/fd/%d", ns_fd);
    if (mount(source, path, "none", MS_BIND, NULL) == 0)
        return 0;
    err = -errno;
    (void)unlink(path);
    return err;
}

int vnrs_netns_create(const char *name, int *ret_fd)
{
    _close_ int fd = -1;
    int err = vnrs_netns_open(name, ret_fd);

    if (err != -ENOENT)
        return err;
    err = vnrs_netns_make(vnrs_netns_lo_up_here, NULL, &fd);
    if (err == 0)
        err = vnrs_netns_name(name, fd);
    if (err < 0)
        return err;
    *ret_fd = TAKE_FD(fd);
    return 1;
}

int vnrs_netns_delete(const char *name)
{
    char path[NETNS_PATH_MAX];

    path_of(name, path);
    if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
        return -errno;
    if (unlink(path) < 0)
        return errno == ENOENT ? 0 : -errno;
    return 1;
}

int vnrs_netns_walk(const char *lab, int (*fn)(const char *name, void *arg), void *arg)
{
    char prefix[VNRS_NETNS_NAME_MAX] = "vnrs.";
    DIR *dir = opendir(VNRS_NETNS_DIR);
    int err = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    if (lab)
        (void)vnrs_mark_netns(lab, "", prefix);
    size_t len = strlen(prefix);
    for (struct dirent *e = readdir(dir); e && err == 0; e = readdir(dir)) {
        if (strncmp(e->d_name, prefix, len) != 0)
            continue;
        if (!lab)
            err = fn(e->d_name, arg);
        else if (e->d_name[len] == '\0' || e->d_name[len] == '.')
            err = fn(e->d_name + len + (e->d_name[len] == '.'), arg);
    }
    (void)closedir(dir);
    return err;
}

// Asking takes long enough to be felt when it is done for every object: what was answered holds for a while, and not
// longer than that very process lives. (A name can go to another container while the first one runs on.)
static struct container {
    char name[sizeof(((struct vnrs_ag_netns *)NULL)->name)];
    int pid;
    uint64_t start, asked_ms;
} containers[CONTAINERS_KNOWN];

static struct container *known_container(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(containers); i++) {
        struct container *c = &containers[i];
        if (c->pid == 0 || strcmp(c->name, name) != 0)
            continue;
        if (vnrs_clock_ms() - c->asked_ms > CONTAINER_KNOWN_MS)
            return NULL;
        _close_ int alive = vnrs_procfs_open(c->pid, c->start);
        return alive < 0 ? NULL : c;
    }
    return NULL;
}

static void remember_container(const char *name, int pid)
{
    static size_t next;
    struct container c = {.pid = pid, .asked_ms = vnrs_clock_ms()};

    if (!vnrs_str_copy(c.name, sizeof(c.name), name) || vnrs_procfs_start(pid, &c.start) < 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(containers); i++)
        if (strcmp(containers[i].name, name) == 0)
            containers[i].pid = 0;
    containers[next++ % ARRAY_SIZE(containers)] = c;
}

// Ask podman, then docker. A container that does not run has pid 0.
static int ask_for_container(const char *name, int *ret_pid, struct vnrs_err *err)
{
    static const char *const engines[] = {"podman", "docker"};
    bool any = false;

    for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
        const char *argv[] = {engines[i], "inspect", "--type", "container", "--format", "{{.State.Pid}}", name, NULL};
        struct vnrs_exec_run run = {.argv = argv, .ns_fd = -1, .timeout_ms = CONTAINER_WAIT_MS};
        _free_ char *out = NULL;
        int status = vnrs_exec_run(&run, &out, NULL);
        if (status < 0 && status != -ENOENT) // that it does not answer says nothing about the container
            return vnrs_err_errno(err, status, "asking %s for container '%s'", engines[i], name);
        any = any || status != -ENOENT;
        if (status != 0)
            continue;
        *ret_pid = (int)strtol(out, NULL, 10);
        if (*ret_pid > 0)
            return 0;
        return vnrs_err_set(err, -ESRCH, "container '%s' is not running: start it first", name);
    }
    return any ? vnrs_err_set(err, -ENOENT, "no container '%s' in podman or docker", name)
               : vnrs_err_set(err, -ENOENT, "neither podman nor docker is installed, container '%s' cannot be found",
                              name);
}

static int container_pid(const char *name, int *ret_pid, struct vnrs_err *err)
{
    const struct container *known = known_container(name);

    if (known) {
        *ret_pid = known->pid;
        return 0;
    }
    int code = ask_for_container(name, ret_pid, err);
    if (code == 0)
        remember_container(name, *ret_pid);
    return code;
}

static int open_pid(int pid, int *ret_fd)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
    return open_netns(path, ret_fd);
}

static int open_given(const char *path, int *ret_fd)
{
    return path[0] == '/' ? open_netns(path, ret_fd) : vnrs_netns_open(path, ret_fd);
}

int vnrs_netns_resolve(const char *lab, const struct vnrs_ag_netns *ns, int *ret_fd, struct vnrs_err *err)
{
    char name[VNRS_NETNS_NAME_MAX];
    int pid = 0, code;

    switch ((enum vnrs_ag_netns_kind)ns->kind) {
    case VNRS_AG_NETNS_OURS:
        code = vnrs_netns_open(vnrs_mark_netns(lab, ns->name, name), ret_fd);
        return code < 0 ? vnrs_err_errno(err, code, "namespace '%s'", name) : 0;
    case VNRS_AG_NETNS_SELF:
        code = open_own(ret_fd);
        return code < 0 ? vnrs_err_errno(err, code, "own namespace") : 0;
    case VNRS_AG_NETNS_PATH:
        code = open_given(ns->name, ret_fd);
        return code == -EINVAL ? vnrs_err_set(err, code, "'%s' is not a network namespace", ns->name)
               : code < 0      ? vnrs_err_errno(err, code, "namespace '%s'", ns->name)
                               : 0;
    case VNRS_AG_NETNS_PID:
        code = open_pid(ns->pid, ret_fd);
        return code < 0 ? vnrs_err_errno(err, code, "namespace of process %d", ns->pid) : 0;
    case VNRS_AG_NETNS_CONTAINER:
        code = container_pid(ns->name, &pid, err);
        if (code == 0)
            code = open_pid(pid, ret_fd);
        return code < 0 ? vnrs_err_errno(err, code, "namespace of container '%s'", ns->name) : 0;
    }
    return vnrs_err_set(err, -EINVAL, "unknown kind of namespace %u", ns->kind);
}

bool vnrs_netns_is_gone(int code)
{
    return code == -ENOENT || code == -ESRCH || code == -EINVAL || code == -ENOTDIR;
}
