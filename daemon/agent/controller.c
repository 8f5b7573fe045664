// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/controller.h"

#include "agent/child.h"
#include "agent/conn.h"
#include "control/control.h"
#include "net/addr.h"
#include "util/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LISTEN_BACKLOG 64
#define LINGER_MS      1000 // the controller of an agent that was killed

struct vnrs_agentd_controller {
    struct vnrs_agentd_child child;
};

static int start_child(void *arg)
{
    struct vnrs_agentd *ad = arg;
    const char *argv[6] = {"vnrsd", "--controller"};
    int pair[2], err, n = 2;

    if (ad->options.log_level) {
        argv[n++] = "--log-level";
        argv[n++] = ad->options.log_level;
    }
    if (ad->tcp_fd >= 0)
        argv[n] = VNRS_CONTROL_ARG_TCP;
    vnrs_agentd_conn_free(ad->conn);
    ad->conn = NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return log_errno_ret(-errno, "starting the controller");
    _close_ int theirs = pair[1];
    err = vnrs_agentd_conn_new(ad, pair[0], &ad->conn);
    if (err == 0) {
        struct vnrs_agentd_program program = {
            .path = "/proc/self/exe", .argv = argv, .fds = {theirs, ad->listen_fd, ad->tcp_fd}};
        err = vnrs_agentd_child_spawn(&ad->controller->child, &program);
    }
    if (err < 0) {
        vnrs_agentd_conn_free(ad->conn);
        ad->conn = NULL;
        return log_errno_ret(err, "starting the controller");
    }
    return 0;
}

static void on_ended(void *arg, const char *how)
{
    struct vnrs_agentd *ad = arg;

    if (!ad->stopping)
        log_error("the controller ended (%s): started again", how);
    vnrs_agentd_conn_free(ad->conn);
    ad->conn = NULL;
}

// Whether somebody listens who stays: the controller of an agent that was killed ends when it notices, and whoever is
// connected to it hears of that.
static bool is_taken(const struct sockaddr_un *addr)
{
    struct pollfd end = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    bool taken = end.fd >= 0 && connect(end.fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 &&
                 poll(&end, 1, LINGER_MS) <= 0;

    if (end.fd >= 0)
        (void)close(end.fd);
    return taken;
}

// A socket that somebody listens on is left alone (the lock of the run directory does not cover a path elsewhere).
static int open_listen(struct vnrs_agentd *ad, struct vnrs_err *err)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char path[256];

    int len = ad->options.socket_path ? snprintf(path, sizeof(path), "%s", ad->options.socket_path)
                                      : snprintf(path, sizeof(path), "%s/vnrs.sock", ad->options.run_dir);
    if (len >= (int)sizeof(addr.sun_path))
        return vnrs_err_set(err, -ENAMETOOLONG, "the path '%s' is too long for a socket", path);
    memcpy(addr.sun_path, path, (size_t)len + 1);
    _close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return vnrs_err_errno(err, -errno, "API socket");
    if (is_taken(&addr))
        return vnrs_err_set(err, -EADDRINUSE, "somebody listens on '%s' already", path);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) // of an earlier vnrsd; anything else makes bind fail
        (void)unlink(path);
    mode_t mask = umask(0117); // never open to others, not even for a moment
    int bound = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
    int code = bound < 0 ? -errno : 0;
    (void)umask(mask);
    // Without CAP_CHOWN (a container) it stays the socket of our own group.
    if (code == 0 && chown(path, (uid_t)-1, ad->priv.api_group) < 0 && !ad->priv.injector)
        code = -errno;
    if (code == 0 && listen(fd, LISTEN_BACKLOG) < 0)
        code = -errno;
    if (code < 0)
        return vnrs_err_errno(err, code, "API socket '%s'", path);
    ad->listen_fd = TAKE_FD(fd);
    return 0;
}

// For everybody on this host, so on a loopback address only.
static int open_tcp(struct vnrs_agentd *ad, struct vnrs_err *err)
{
    const struct vnrs_agentd_options *o = &ad->options;
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(o->tcp_port)};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(o->tcp_port)};
    bool is_v4 = o->tcp.family == VNRS_AF_IPV4;
    const struct sockaddr *to = is_v4 ? (const struct sockaddr *)&to4 : (const struct sockaddr *)&to6;
    char text[VNRS_ADDR_STR_MAX];
    const int on = 1;

    memcpy(&to4.sin_addr, o->tcp.bytes, sizeof(to4.sin_addr));
    memcpy(&to6.sin6_addr, o->tcp.bytes, sizeof(to6.sin6_addr));
    _close_ int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, to, is_v4 ? sizeof(to4) : sizeof(to6)) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
        return vnrs_err_errno(err, -errno, "API on %s port %u", vnrs_addr_format(&o->tcp, text), o->tcp_port);
    ad->tcp_fd = TAKE_FD(fd);
    return 0;
}

int vnrs_agentd_controller_start(struct vnrs_agentd *ad, struct vnrs_err *err)
{
    int code;

    if (ad->options.agent_fd >= 0) {
        code = vnrs_agentd_conn_new(ad, ad->options.agent_fd, &ad->conn);
        return code < 0 ? vnrs_err_errno(err, code, "descriptor %d", ad->options.agent_fd) : 0;
    }
    code = open_listen(ad, err);
    if (code == 0 && ad->options.tcp.family != VNRS_AF_NONE)
        code = open_tcp(ad, err);
    if (code < 0)
        return code;
    ad->controller = calloc(1, sizeof(*ad->controller));
    if (!ad->controller)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    vnrs_agentd_child_init(&ad->controller->child, ad, start_child, on_ended, ad);
    code = vnrs_agentd_child_run(&ad->controller->child);
    return code < 0 ? vnrs_err_errno(err, code, "starting the controller") : 0;
}

void vnrs_agentd_controller_lost(struct vnrs_agentd *ad)
{
    if (!ad->controller)
        vnrs_agentd_stop(ad, ad->status);
    else // it may have closed the pair and gone on, or have sent nonsense
        vnrs_agentd_child_signal(&ad->controller->child, SIGKILL);
}

void vnrs_agentd_controller_stop(struct vnrs_agentd *ad)
{
    if (ad->controller)
        vnrs_agentd_child_signal(&ad->controller->child, SIGTERM);
}

bool vnrs_agentd_controller_runs(const struct vnrs_agentd *ad)
{
    return ad->controller && ad->controller->child.pid;
}

void vnrs_agentd_controller_free(struct vnrs_agentd *ad)
{
    if (ad->controller)
        vnrs_agentd_child_fini(&ad->controller->child);
    free(ad->controller);
    ad->controller = NULL;
}
