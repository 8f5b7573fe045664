// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/runs.h"

#include "agent/child.h"
#include "agent/conn.h"
#include "agent/tunnel.h"
#include "lab/netns.h"
#include "lab/procfs.h"
#include "net/addr.h"
#include "util/fd.h"
#include "util/log.h"
#include "vnrs/speaker_proto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define BGP_PORT       179
#define LISTEN_BACKLOG 64

// Daemons of machines.

struct member {
    struct vnrs_agentd_object *object;
    char name[16];
    int pidfd;
    struct event *event;
};

struct vnrs_agentd_proc {
    unsigned n;
    struct member members[VNRS_PROC_MEMBERS_MAX];
};

static void clear_member(struct member *m)
{
    if (m->event)
        event_free(m->event);
    if (m->event && m->pidfd >= 0)
        (void)close(m->pidfd);
    m->event = NULL;
    m->pidfd = -1;
}

static void on_member_ended(evutil_socket_t fd, short what, void *arg)
{
    struct member *m = arg;
    struct vnrs_agentd_object *object = m->object;
    char how[64], text[100];

    (void)what;
    (void)vnrs_agentd_how_ended(fd, how, sizeof(how));
    clear_member(m);
    (void)snprintf(text, sizeof(text), "%s ended: %s", m->name, how);
    log_info("lab '%s': %s of '%s'", object->lab->name, text, object->obj.key);
    vnrs_agentd_conn_event(object->lab->ad->conn, VNRS_AG_EV_EXITED, &object->obj, text);
    vnrs_agentd_tunnel_ended(object, m->name);
}

static int watch_member(struct member *m, const struct vnrs_proc_member *process)
{
    (void)snprintf(m->name, sizeof(m->name), "%s", process->name);
    m->pidfd = vnrs_procfs_open(process->pid, process->start);
    if (m->pidfd < 0)
        return m->pidfd;
    m->event = event_new(m->object->lab->ad->base, m->pidfd, EV_READ, on_member_ended, m);
    return m->event && event_add(m->event, NULL) == 0 ? 0 : -ENOMEM;
}

void vnrs_agentd_proc_forget(struct vnrs_agentd_object *object)
{
    if (!object->proc)
        return;
    for (unsigned i = 0; i < object->proc->n; i++)
        clear_member(&object->proc->members[i]);
    free(object->proc);
    object->proc = NULL;
}

static int watch_proc(struct vnrs_agentd_object *object, const struct vnrs_proc *proc, const char *dir,
                      struct vnrs_err *err)
{
    int first = 0;

    vnrs_agentd_proc_forget(object);
    object->proc = calloc(1, sizeof(*object->proc));
    if (!object->proc)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    object->proc->n = proc->n;
    for (unsigned i = 0; i < proc->n; i++) { // all of them, whatever happened to the first
        object->proc->members[i] = (struct member){.object = object, .pidfd = -1};
        int code = watch_member(&object->proc->members[i], &proc->members[i]);
        if (code == -ESRCH)
            first = first ? first
                          : vnrs_err_set(err, -ECHILD, "%s of '%s' ended at once: see %s/log", proc->members[i].name,
                                         object->obj.key, dir);
        else if (code < 0)
            first = vnrs_err_errno(err, code, "watching %s", proc->members[i].name);
    }
    return first;
}

static void rewatch(struct vnrs_agentd_object *object, const char *dir)
{
    struct vnrs_proc proc;
    struct vnrs_err err = {0};

    if (vnrs_proc_load(dir, &proc) == 0 && watch_proc(object, &proc, dir, &err) < 0)
        log_debug("lab '%s': %s", object->lab->name, err.text);
}

static int proc_dir(const struct vnrs_agentd_object *object, char ret[static 512])
{
    char key[VNRS_KEY_FILE_MAX];
    int len = snprintf(ret, 512, "%s/proc/%s", object->lab->dir, vnrs_mark_key_file(object->obj.key, key));

    return len >= 512 ? -ENAMETOOLONG : 0;
}

int vnrs_agentd_proc_ensure(struct vnrs_agentd_object *object, const void *data, size_t size,
                            enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    const struct vnrs_obj_proc *spec = &object->spec.proc;
    struct vnrs_proc proc;
    char dir[512], parent[300];
    _close_ int ns_fd = -1;
    int code = vnrs_netns_resolve(object->lab->name, &spec->ns, &ns_fd, err);

    if (code == 0 && vnrs_netns_is_own(ns_fd))
        code = vnrs_err_set(err, -EPERM, "'%s' would run in the namespace of vnrsd: give its machine another one",
                            object->obj.key);
    if (code == 0)
        code = proc_dir(object, dir);
    (void)snprintf(parent, sizeof(parent), "%s/proc", object->lab->dir);
    if (code == 0 && mkdir(parent, 0755) < 0 && errno != EEXIST)
        code = vnrs_err_errno(err, -errno, "%s", parent);
    if (code < 0)
        return code;
    struct vnrs_proc_want want = {.dir = dir, .kind = spec->kind, .data = data, .size = size, .ns_fd = ns_fd};
    if (spec->kind == VNRS_PROC_STRONGSWAN)
        want.kernel_esp = vnrs_agentd_tunnel_kernel_esp(object->lab->ad);
    code = vnrs_proc_ensure(&want, &proc, ret_outcome, err);
    if (code < 0) { // what it ended is no event; what still runs is watched again
        vnrs_agentd_proc_forget(object);
        rewatch(object, dir);
        return code;
    }
    if (*ret_outcome != VNRS_AG_UNCHANGED || !object->proc)
        code = watch_proc(object, &proc, dir, err);
    if (code == 0 && spec->kind == VNRS_PROC_STRONGSWAN)
        vnrs_agentd_tunnel_started(object, dir, ns_fd, *ret_outcome != VNRS_AG_UNCHANGED);
    return code;
}

int vnrs_agentd_proc_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    char dir[512], parent[300];
    int code = proc_dir(object, dir);

    vnrs_agentd_proc_forget(object); // what is ended on purpose is no event
    vnrs_agentd_tunnel_forget(object);
    if (code == 0)
        code = vnrs_proc_remove(dir, err);
    (void)snprintf(parent, sizeof(parent), "%s/proc", object->lab->dir);
    (void)rmdir(parent); // if that was the last one
    return code;
}

void vnrs_agentd_proc_kill(struct vnrs_agentd_object *object)
{
    for (unsigned i = 0; object->proc && i < object->proc->n; i++) {
        const struct member *m = &object->proc->members[i];
        if (m->event && m->pidfd >= 0 && pidfd_send_signal(m->pidfd, SIGKILL, NULL, 0) < 0)
            log_debug("lab '%s': %s of '%s' is not killed: %m", object->lab->name, m->name, object->obj.key);
    }
}

bool vnrs_agentd_proc_runs(const struct vnrs_agentd_object *object)
{
    struct vnrs_proc proc;
    char dir[512];

    if (proc_dir(object, dir) < 0 || vnrs_proc_load(dir, &proc) < 0)
        return false;
    bool all = proc.n > 0;
    for (unsigned i = 0; i < proc.n; i++)
        all = all && proc.members[i].pid;
    return all;
}

// Speakers.

struct vnrs_agentd_speaker {
    struct vnrs_agentd_child child;
    struct vnrs_agentd_object *object;
    struct vnrs_obj_speaker spec; // that it was started with
    struct vnrs_netns_id ns;      // in which it listens
    int control_fd;               // the controller's end: a new controller gets it again
    int agent_fd;                 // our end of the pair over which it asks for sockets
    struct event *agent_event;
};

static void close_pairs(struct vnrs_agentd_speaker *speaker)
{
    if (speaker->agent_event)
        event_free(speaker->agent_event);
    speaker->agent_event = NULL;
    if (speaker->control_fd >= 0)
        (void)close(TAKE_FD(speaker->control_fd));
    if (speaker->agent_fd >= 0)
        (void)close(TAKE_FD(speaker->agent_fd));
}

static socklen_t make_sockaddr(const struct vnrs_addr *addr, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (addr->family == VNRS_AF_IPV6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(BGP_PORT);
        memcpy(&in6->sin6_addr, addr->bytes, sizeof(in6->sin6_addr));
        return sizeof(*in6);
    }
    struct sockaddr_in *in = (struct sockaddr_in *)ret;
    in->sin_family = AF_INET;
    in->sin_port = htons(BGP_PORT);
    memcpy(&in->sin_addr, addr->bytes, sizeof(in->sin_addr));
    return sizeof(*in);
}

static int open_listener(const struct vnrs_obj_speaker *spec, int ns_fd)
{
    struct sockaddr_storage addr;
    socklen_t len = make_sockaddr(&spec->listen, &addr);
    int on = 1;
    _close_ int fd = vnrs_netns_socket(ns_fd, addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);

    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (addr.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(fd, (const struct sockaddr *)&addr, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
        return -errno;
    return TAKE_FD(fd);
}

// The speaker asks for a socket of its namespace. It handles bytes of peers: what it says is checked.
static int answer_socket(struct vnrs_agentd_speaker *speaker, const struct vnrs_spk_socket *request)
{
    static const struct {
        int type, protocol;
    } kinds[] = {
        [VNRS_SPK_SOCKET_TCP] = {SOCK_STREAM, IPPROTO_TCP},
        [VNRS_SPK_SOCKET_UDP] = {SOCK_DGRAM, IPPROTO_UDP},
    };
    static_assert(ARRAY_SIZE(kinds) == _VNRS_SPK_SOCKET_MAX, "every kind of socket");
    struct vnrs_spk_hdr hdr = {.proto = VNRS_SPEAKER_PROTO, .type = VNRS_SPK_SOCKET, .count = 1};
    struct vnrs_spk_socket answer = {.id = request->id, .family = request->family, .kind = request->kind};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {&answer, sizeof(answer)}};
    struct vnrs_err err = {0};
    _close_ int ns_fd = -1;
    _close_ int fd = vnrs_netns_resolve(speaker->object->lab->name, &speaker->spec.ns, &ns_fd, &err);

    if (fd == 0)
        fd = vnrs_netns_socket(ns_fd, request->family == VNRS_AF_IPV6 ? AF_INET6 : AF_INET,
                               kinds[request->kind].type | SOCK_NONBLOCK, kinds[request->kind].protocol);
    answer.error = MIN(fd, 0);
    return vnrs_msg_send(speaker->agent_fd, parts, ARRAY_SIZE(parts), &fd, fd >= 0 ? 1 : 0);
}

static void on_agent_request(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_speaker *speaker = arg;
    struct {
        struct vnrs_spk_hdr hdr;
        struct vnrs_spk_socket body;
    } msg;
    ssize_t len = vnrs_msg_recv(fd, &msg, sizeof(msg), NULL, NULL);

    (void)what;
    if (len == -EAGAIN)
        return;
    bool right = len == (ssize_t)(sizeof(msg.hdr) + sizeof(msg.body)) && msg.hdr.proto == VNRS_SPEAKER_PROTO &&
                 msg.hdr.type == VNRS_SPK_SOCKET && msg.hdr.count == 1 && msg.body.kind < _VNRS_SPK_SOCKET_MAX &&
                 (msg.body.family == VNRS_AF_IPV4 || msg.body.family == VNRS_AF_IPV6);
    int err = right ? answer_socket(speaker, &msg.body) : -EPROTO;
    if (err == 0)
        return;
    // Gone, out of order, or it does not read its answers: its end makes a new one.
    (void)event_del(speaker->agent_event);
    if (len != 0 && len != -ECONNRESET)
        log_error("lab '%s': speaker '%s' breaks the protocol: %s", speaker->object->lab->name,
                  speaker->object->obj.key, strerror(-err));
    vnrs_agentd_child_signal(&speaker->child, SIGKILL);
}

int vnrs_agentd_speaker_program(void)
{
    char path[512];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof("vnrs-speaker"));

    if (len < 0)
        return -errno;
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return -ENOENT;
    memcpy(slash + 1, "vnrs-speaker", sizeof("vnrs-speaker"));
    int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int spawn_speaker(struct vnrs_agentd_speaker *speaker, int listen_fd)
{
    char path[64];
    const char *argv[] = {"vnrs-speaker", speaker->object->obj.key, NULL};
    int control[2], agent[2];
    _close_ int program_fd = vnrs_agentd_speaker_program();

    if (program_fd < 0)
        return program_fd;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
        return -errno;
    speaker->control_fd = control[0];
    _close_ int their_control = control[1];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0)
        return -errno;
    speaker->agent_fd = agent[0];
    _close_ int their_agent = agent[1];
    int err = vnrs_fd_set_nonblock(speaker->agent_fd, true);
    if (err < 0)
        return err;
    speaker->agent_event =
        event_new(speaker->child.ad->base, speaker->agent_fd, EV_READ | EV_PERSIST, on_agent_request, speaker);
    if (!speaker->agent_event || event_add(speaker->agent_event, NULL) < 0)
        return -ENOMEM;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", program_fd);
    struct vnrs_agentd_program program = {.path = path, .argv = argv, .fds = {their_control, their_agent, listen_fd}};
    return vnrs_agentd_child_spawn(&speaker->child, &program);
}

static int start_speaker_err(struct vnrs_agentd_speaker *speaker, struct vnrs_err *err)
{
    const struct vnrs_obj_speaker *spec = &speaker->spec;
    char text[VNRS_ADDR_STR_MAX];
    _close_ int ns_fd = -1;
    _close_ int listen_fd = -1;

    close_pairs(speaker);
    int code = vnrs_netns_resolve(speaker->object->lab->name, &spec->ns, &ns_fd, err);
    if (code < 0)
        return code;
    code = vnrs_netns_id_get(ns_fd, &speaker->ns);
    if (code < 0)
        return vnrs_err_errno(err, code, "the namespace of speaker '%s'", speaker->object->obj.key);
    if (spec->listen.family != VNRS_AF_NONE) {
        listen_fd = open_listener(spec, ns_fd);
        if (listen_fd < 0 && !spec->listen_optional)
            return vnrs_err_errno(err, listen_fd, "speaker '%s' cannot listen on %s port %d", speaker->object->obj.key,
                                  vnrs_addr_format(&spec->listen, text), BGP_PORT);
    }
    code = spawn_speaker(speaker, listen_fd);
    if (code < 0)
        close_pairs(speaker);
    if (code == -ENOENT)
        return vnrs_err_set(err, code, "the program vnrs-speaker is not beside vnrsd: install both in one directory");
    return code < 0 ? vnrs_err_errno(err, code, "starting speaker '%s'", speaker->object->obj.key) : 0;
}

static int start_speaker(void *arg)
{
    struct vnrs_agentd_speaker *speaker = arg;
    struct vnrs_err err = {0};
    int code = start_speaker_err(speaker, &err);

    if (code < 0) {
        log_error("lab '%s': %s", speaker->object->lab->name, err.text);
        return code;
    }
    vnrs_agentd_speaker_announce(speaker->object);
    return 0;
}

static void on_speaker_ended(void *arg, const char *how)
{
    struct vnrs_agentd_speaker *speaker = arg;
    struct vnrs_agentd_object *object = speaker->object;

    close_pairs(speaker);
    if (speaker->child.ad->stopping)
        return;
    log_error("lab '%s': speaker '%s' ended (%s): started again", object->lab->name, object->obj.key, how);
    vnrs_agentd_conn_event(object->lab->ad->conn, VNRS_AG_EV_EXITED, &object->obj, how);
}

// The namespace was removed by another hand and made again: nobody reaches the old one's listener.
static bool is_elsewhere(const struct vnrs_agentd_speaker *speaker)
{
    struct vnrs_netns_id id;
    struct vnrs_err err = {0};
    _close_ int ns_fd = -1;

    return vnrs_netns_resolve(speaker->object->lab->name, &speaker->spec.ns, &ns_fd, &err) == 0 &&
           vnrs_netns_id_get(ns_fd, &id) == 0 && (id.dev != speaker->ns.dev || id.ino != speaker->ns.ino);
}

int vnrs_agentd_speaker_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                               struct vnrs_err *err)
{
    struct vnrs_agentd_speaker *speaker = object->speaker;
    bool moved =
        speaker && (memcmp(&speaker->spec, &object->spec.speaker, sizeof(speaker->spec)) != 0 || is_elsewhere(speaker));

    if (speaker && !moved) { // one that has just ended is being started again
        *ret_outcome = VNRS_AG_UNCHANGED;
        return 0;
    }
    vnrs_agentd_speaker_free(speaker);
    object->speaker = speaker = calloc(1, sizeof(*speaker));
    if (!speaker)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    speaker->object = object;
    speaker->spec = object->spec.speaker;
    speaker->control_fd = speaker->agent_fd = -1;
    vnrs_agentd_child_init(&speaker->child, object->lab->ad, start_speaker, on_speaker_ended, speaker);
    int code = start_speaker_err(speaker, err);
    if (code < 0) { // the next ENSURE tries again
        vnrs_agentd_speaker_free(speaker);
        object->speaker = NULL;
        return code;
    }
    speaker->child.started_ms = vnrs_clock_ms();
    vnrs_agentd_speaker_announce(object);
    *ret_outcome = moved ? VNRS_AG_CHANGED : VNRS_AG_CREATED;
    return 0;
}

void vnrs_agentd_speaker_announce(const struct vnrs_agentd_object *object)
{
    if (vnrs_agentd_speaker_runs(object))
        vnrs_agentd_conn_speaker(object->lab->ad->conn, &object->obj, object->speaker->child.pid,
                                 object->speaker->control_fd);
}

bool vnrs_agentd_speaker_runs(const struct vnrs_agentd_object *object)
{
    return object->speaker && object->speaker->child.pid;
}

void vnrs_agentd_speaker_stop(const struct vnrs_agentd_object *object)
{
    if (vnrs_agentd_speaker_runs(object))
        vnrs_agentd_child_signal(&object->speaker->child, SIGTERM);
}

void vnrs_agentd_speaker_free(struct vnrs_agentd_speaker *speaker)
{
    if (!speaker)
        return;
    vnrs_agentd_child_fini(&speaker->child);
    close_pairs(speaker);
    free(speaker);
}
