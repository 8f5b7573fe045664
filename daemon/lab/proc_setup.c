// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/proc_setup.h"

#include "lab/exec.h"
#include "lab/private.h"
#include "util/fd.h"

#include <cap-ng.h>

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define SOCKETS_WAIT_MS  60000 // a cold start on a slow machine
#define CONNECT_RETRY_MS 10

// In the child: for good, with these capabilities only.
static int become(const struct passwd *user, const unsigned *kept, size_t n)
{
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < n; i++)
        (void)capng_update(CAPNG_ADD,
                           CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_BOUNDING_SET | CAPNG_AMBIENT,
                           kept[i]);
    if (capng_change_id((int)user->pw_uid, (int)user->pw_gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0 ||
        capng_apply(CAPNG_SELECT_ALL) < 0)
        return -EPERM;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

// A command of the file's author is no reason to run anything as root: it gets the network of its machine and no files.
// Neither are daemons that do not change their user on their own.
int vnrs_proc_become_command(void *arg)
{
    static const unsigned kept[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE};
    return become(arg, kept, ARRAY_SIZE(kept));
}

// FRR is configured by `vtysh -b` when all daemons listen. A child waits for them, so that the agent does not.

static bool is_listening(const char *dir, const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    _close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", dir, name) >= (int)sizeof(addr.sun_path))
        return true; // FRR could not make it either: it says so
    return fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;
}

// Until these sockets of the directory listen, or it takes too long: FRR will say what it misses.
static int wait_for_sockets(const char *dir, const char *const *names, unsigned n)
{
    _close_ int watch = inotify_init1(IN_CLOEXEC);
    uint64_t deadline = vnrs_clock_ms() + SOCKETS_WAIT_MS;
    unsigned ready = 0;

    if (watch < 0 || inotify_add_watch(watch, dir, IN_CREATE) < 0)
        return -errno;
    while (ready < n && vnrs_clock_ms() < deadline) {
        if (is_listening(dir, names[ready])) {
            ready++;
            continue;
        }
        // Woken by the socket's creation; between bind and listen there is no event to wait for.
        struct pollfd p = {.fd = watch, .events = POLLIN};
        char events[4096];
        if (poll(&p, 1, CONNECT_RETRY_MS) > 0 && read(watch, events, sizeof(events)) < 0)
            return -errno;
    }
    return 0;
}

int vnrs_proc_wait_for_zebra(void *arg)
{
    static const char *const names[] = {"zserv.api"};
    return wait_for_sockets(arg, names, ARRAY_SIZE(names));
}

struct waiting {
    const char *dir;
    const struct passwd *user;
};

// What reads the daemons' answers and their directory is no more than they are.
static int wait_for_daemons(void *arg)
{
    static const char *const names[] = {"zebra.vty", "staticd.vty", "bgpd.vty", "bfdd.vty"};
    const struct waiting *waiting = arg;
    int err = become(waiting->user, NULL, 0);

    return err < 0 ? err : wait_for_sockets(waiting->dir, names, ARRAY_SIZE(names));
}

int vnrs_proc_configure_frr(const struct vnrs_proc_want *want, int log_fd, struct vnrs_err *err)
{
    const char *const argv[] = {"vtysh", "-b", "--config_dir", want->dir, "--vty_socket", want->dir, NULL};
    struct waiting waiting = {want->dir, getpwnam("frr")};
    struct vnrs_exec_spawn spawn = {.path = "vtysh",
                                    .argv = argv,
                                    .ns_fd = -1,
                                    .log_fd = log_fd,
                                    .dir = want->dir,
                                    .session = true,
                                    .detach = true,
                                    .setup = wait_for_daemons,
                                    .arg = &waiting};
    pid_t pid = waiting.user ? vnrs_exec_spawn(&spawn, 3) : -ENOENT;

    if (pid == -ENOENT)
        return vnrs_err_set(err, -ENOENT, "FRR is missing (vtysh): install the package frr");
    return pid < 0 ? vnrs_err_errno(err, pid, "starting vtysh") : 0;
}

// GoBGP is told what it announces when it answers, one command a line. A child does it.

struct feeding {
    const char *dir;
    const struct passwd *user;
    char target[256];
};

static int run_gobgp(const struct feeding *feeding, char *line)
{
    const char *argv[32] = {"gobgp", "--target", feeding->target};
    struct vnrs_exec_run run = {.argv = argv, .ns_fd = -1, .timeout_ms = SOCKETS_WAIT_MS};
    unsigned n = 3;

    for (char *rest = NULL, *word = strtok_r(line, " ", &rest); word && n + 1 < ARRAY_SIZE(argv);
         word = strtok_r(NULL, " ", &rest))
        argv[n++] = word;
    return vnrs_exec_run(&run, NULL, NULL);
}

static int feed_gobgp(void *arg)
{
    const struct timespec pause = {.tv_nsec = CONNECT_RETRY_MS * 10 * 1000000L};
    const struct feeding *feeding = arg;
    uint64_t deadline = vnrs_clock_ms() + SOCKETS_WAIT_MS;
    _free_ char *text = NULL;
    size_t len;
    _close_ int dir = vnrs_private_open(feeding->dir);
    int err = dir < 0 ? dir : become(feeding->user, NULL, 0);

    if (err == 0)
        err = vnrs_private_load(dir, "commands", VNRS_PROC_CONFIG_MAX, &text, &len);
    for (char ask[] = "global"; err == 0 && run_gobgp(feeding, ask) != 0 && vnrs_clock_ms() < deadline;)
        (void)nanosleep(&pause, NULL);
    for (char *rest = NULL, *line = err ? NULL : strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (run_gobgp(feeding, line) != 0)
            (void)fprintf(stderr, "gobgp refuses a command of the machine's\n"); // into the machine's log
    return err;
}

int vnrs_proc_configure_gobgp(const struct vnrs_proc_want *want, int log_fd, struct vnrs_err *err)
{
    struct feeding feeding = {.dir = want->dir, .user = getpwnam(VNRS_PROC_USER)};
    const char *const argv[] = {"gobgp", "--target", feeding.target, "global", "rib", "summary", NULL};
    struct vnrs_exec_spawn spawn = {.path = "gobgp",
                                    .argv = argv,
                                    .ns_fd = -1,
                                    .log_fd = log_fd,
                                    .dir = want->dir,
                                    .session = true,
                                    .detach = true,
                                    .setup = feed_gobgp,
                                    .arg = &feeding};

    if (snprintf(feeding.target, sizeof(feeding.target), "unix://%s/api", want->dir) >= (int)sizeof(feeding.target))
        return -ENAMETOOLONG;
    pid_t pid = feeding.user ? vnrs_exec_spawn(&spawn, 3) : -ENOENT;
    if (pid == -ENOENT)
        return vnrs_err_set(err, -ENOENT, "GoBGP is missing (gobgp): install the package gobgpd");
    return pid < 0 ? vnrs_err_errno(err, pid, "starting gobgp") : 0;
}
