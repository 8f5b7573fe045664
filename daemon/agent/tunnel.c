// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tunnel.h"

#include "agent/conn.h"
#include "agent/guests.h"
#include "agent/runs.h"
#include "fib/guest_sink.h"
#include "lab/esp.h"
#include "lab/private.h"
#include "lab/rtnl.h"
#include "util/fd.h"
#include "util/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000

struct vnrs_agentd_tunnel {
    struct vnrs_agentd_object *object;
    char dir[512];
    bool running, up;
    enum vnrs_tunnel_state reason; // why it is not up
    enum vnrs_tunnel_state told;
    struct event *heard, *retry; // of the socket; NULL: not connected
    unsigned retry_ms;
};

bool vnrs_agentd_tunnel_kernel_esp(struct vnrs_agentd *ad)
{
    bool has = false;

    if (ad->esp == VNRS_ESP_UNKNOWN) {
        int err = vnrs_esp_probe(&has);
        if (err < 0)
            log_warn("whether the kernel carries ESP cannot be asked: %s", strerror(-err));
        ad->esp = has ? VNRS_ESP_KERNEL : VNRS_ESP_OWN;
    }
    return ad->esp == VNRS_ESP_KERNEL;
}

// Reasons.

enum vnrs_tunnel_state vnrs_agentd_tunnel_reason(const void *bytes, size_t len)
{
    // Numbers of error_notify_msg.h of strongSwan, which are part of its interface.
    static const uint8_t reasons[] = {
        [2] = VNRS_TUNNEL_KEY,       // the other end does not take our key
        [3] = VNRS_TUNNEL_KEY,       // we do not take its key
        [4] = VNRS_TUNNEL_FAILED,    // no IKE message
        [5] = VNRS_TUNNEL_KEY,       // one that we cannot decrypt
        [6] = VNRS_TUNNEL_NO_ANSWER, // sent again and again
        [7] = VNRS_TUNNEL_NO_ANSWER, // it began and did not go on
        [8] = VNRS_TUNNEL_PROPOSAL,  // IKE
        [9] = VNRS_TUNNEL_PROPOSAL,  // ESP
        [10] = VNRS_TUNNEL_PROPOSAL, // networks
        [11] = VNRS_TUNNEL_FAILED,   // installing the SA
        [12] = VNRS_TUNNEL_FAILED,   // installing the policy
        [15] = VNRS_TUNNEL_FAILED,   // virtual IP
        [16] = VNRS_TUNNEL_KEY,      // not authorized
    };
    uint32_t type;

    if (len < sizeof(type))
        return VNRS_TUNNEL_NONE;
    memcpy(&type, bytes, sizeof(type));
    type = ntohl(type);
    return type < ARRAY_SIZE(reasons) ? reasons[type] : VNRS_TUNNEL_NONE;
}

enum vnrs_tunnel_state vnrs_agentd_tunnel_state(const struct vnrs_agentd_object *object)
{
    const struct vnrs_agentd_tunnel *tunnel = object->tunnel;

    if (!tunnel)
        return VNRS_TUNNEL_NONE;
    if (!tunnel->running)
        return VNRS_TUNNEL_NOT_RUNNING;
    return tunnel->up ? VNRS_TUNNEL_UP : tunnel->reason;
}

static void tell(struct vnrs_agentd_tunnel *tunnel)
{
    static const char *const texts[_VNRS_TUNNEL_MAX] = {
        [VNRS_TUNNEL_UP] = "up",
        [VNRS_TUNNEL_CONNECTING] = "connecting",
        [VNRS_TUNNEL_NOT_RUNNING] = "down: its daemon does not run",
        [VNRS_TUNNEL_NO_ANSWER] = "down: the other end does not answer",
        [VNRS_TUNNEL_KEY] = "down: the ends have different keys",
        [VNRS_TUNNEL_PROPOSAL] = "down: the ends agree on no algorithms or networks",
        [VNRS_TUNNEL_FAILED] = "down: strongSwan cannot set it up, see its log",
    };
    const struct vnrs_agentd_object *object = tunnel->object;
    enum vnrs_tunnel_state state = vnrs_agentd_tunnel_state(object);

    if (state == tunnel->told)
        return;
    tunnel->told = state;
    log_info("lab '%s': tunnel '%s' is %s", object->lab->name, object->obj.key, texts[state]);
    vnrs_agentd_conn_tunnel(object->lab->ad->conn, &object->obj, state, texts[state]);
}

// What charon says.

static void disconnect(struct vnrs_agentd_tunnel *tunnel)
{
    if (!tunnel->heard)
        return;
    (void)close(event_get_fd(tunnel->heard));
    event_free(tunnel->heard);
    tunnel->heard = NULL;
}

static void connect_later(struct vnrs_agentd_tunnel *tunnel)
{
    const struct timeval delay = {tunnel->retry_ms / 1000, (tunnel->retry_ms % 1000) * 1000};

    tunnel->retry_ms = MIN(tunnel->retry_ms * 2, (unsigned)RETRY_MAX_MS);
    if (evtimer_add(tunnel->retry, &delay) < 0)
        log_error("out of memory");
}

static void on_heard(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd_tunnel *tunnel = arg;
    char bytes[4096]; // more than one message: one of them counts
    ssize_t got = read(fd, bytes, sizeof(bytes));

    (void)what;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) { // it ended
        disconnect(tunnel);
        connect_later(tunnel);
        return;
    }
    enum vnrs_tunnel_state reason = vnrs_agentd_tunnel_reason(bytes, (size_t)got);
    if (reason != VNRS_TUNNEL_NONE && !tunnel->up)
        tunnel->reason = reason;
    tell(tunnel);
}

// The directory is charon's: what it put there leads to no other place.
static int open_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat st;
    _close_ int dir = vnrs_private_open(path);
    _close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (dir < 0 || fd < 0)
        return dir < 0 ? dir : -errno;
    if (fstatat(dir, VNRS_PROC_TUNNEL_ERRORS, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EINVAL;
    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" VNRS_PROC_TUNNEL_ERRORS, dir);
    return connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : TAKE_FD(fd);
}

static void on_retry(evutil_socket_t unused, short what, void *arg)
{
    struct vnrs_agentd_tunnel *tunnel = arg;

    (void)unused, (void)what;
    if (tunnel->heard)
        return;
    _close_ int fd = open_socket(tunnel->dir);
    if (fd >= 0)
        tunnel->heard = event_new(tunnel->object->lab->ad->base, fd, EV_READ | EV_PERSIST, on_heard, tunnel);
    if (!tunnel->heard) {
        connect_later(tunnel);
        return;
    }
    (void)TAKE_FD(fd);
    tunnel->retry_ms = RETRY_MIN_MS;
    if (event_add(tunnel->heard, NULL) < 0)
        log_error("out of memory");
}

// What its processes and links do.

static struct vnrs_agentd_tunnel *tunnel_new(struct vnrs_agentd_object *object)
{
    struct vnrs_agentd_tunnel *tunnel = calloc(1, sizeof(*tunnel));

    if (!tunnel)
        return NULL;
    tunnel->object = object;
    tunnel->reason = VNRS_TUNNEL_CONNECTING;
    tunnel->retry = evtimer_new(object->lab->ad->base, on_retry, tunnel);
    if (!tunnel->retry) {
        free(tunnel);
        return NULL;
    }
    return tunnel;
}

void vnrs_agentd_tunnel_started(struct vnrs_agentd_object *object, const char *dir, int ns_fd, bool fresh)
{
    struct vnrs_agentd_tunnel *tunnel = object->tunnel ? object->tunnel : tunnel_new(object);
    struct vnrs_rtnl nl = {.fd = -1};

    if (!tunnel) {
        log_error("out of memory: tunnel '%s' is not watched", object->obj.key);
        return;
    }
    object->tunnel = tunnel;
    (void)snprintf(tunnel->dir, sizeof(tunnel->dir), "%s", dir);
    tunnel->running = true;
    if (fresh) {
        tunnel->reason = VNRS_TUNNEL_CONNECTING;
        tunnel->up = false; // the link may be so still, by the one before
    } else {
        bool known = vnrs_rtnl_open(ns_fd, &nl) == 0;
        tunnel->up = known && vnrs_link_is_up(&nl, VNRS_PROC_TUNNEL_LINK);
        vnrs_rtnl_close(&nl);
    }
    if (!tunnel->heard) {
        tunnel->retry_ms = RETRY_MIN_MS;
        connect_later(tunnel);
    }
    tell(tunnel);
}

void vnrs_agentd_tunnel_ended(struct vnrs_agentd_object *object, const char *member)
{
    if (!object->tunnel || strcmp(member, "charon") != 0)
        return;
    object->tunnel->running = false;
    tell(object->tunnel);
}

void vnrs_agentd_tunnel_forget(struct vnrs_agentd_object *object)
{
    struct vnrs_agentd_tunnel *tunnel = TAKE_PTR(object->tunnel);

    if (!tunnel)
        return;
    disconnect(tunnel);
    event_free(tunnel->retry);
    free(tunnel);
}

static bool is_in(const struct vnrs_ag_netns *x, const struct vnrs_ag_netns *y)
{
    return x->kind == VNRS_AG_NETNS_OURS && y->kind == VNRS_AG_NETNS_OURS && strcmp(x->name, y->name) == 0;
}

// With the carrier the kernel lets go of the next hops over the link, without a message: they are written again.
static void carrier_changed(struct vnrs_agentd_lab *lab, const struct vnrs_ag_netns *ns)
{
    struct vnrs_map_entry *e;
    struct vnrs_err err = {0};
    size_t at = 0;
    bool behind; // the rest follows in its own turns

    if (!lab->guest_sink)
        return;
    while ((e = vnrs_map_next(&lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_TABLE && is_in(&object->spec.table.ns, ns))
            vnrs_guest_sink_table_suspect(lab->guest_sink, object->obj.key);
    }
    int code = lab->guest_sink->ops->flush(lab->guest_sink);
    code =
        code < 0 ? vnrs_agentd_sink_failed(lab->guest_sink, code, &err) : vnrs_agentd_guests_flush(lab, &behind, &err);
    if (code < 0)
        log_debug("lab '%s': %s", lab->name, err.text);
}

void vnrs_agentd_tunnel_link_made(const struct vnrs_agentd_object *link)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&link->lab->objects, &at))) {
        struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_PROC && object->tunnel && is_in(&object->spec.proc.ns, &link->spec.link.b.ns))
            vnrs_agentd_proc_kill(object);
    }
}

void vnrs_agentd_tunnel_link(struct vnrs_agentd_object *link, const struct vnrs_link_end *end, uint32_t flags)
{
    struct vnrs_agentd_lab *lab = link->lab;
    struct vnrs_map_entry *e;
    size_t at = 0;

    if (end == &link->spec.link.a) {
        bool carrier = flags & IFF_RUNNING; // as its routes have it: LOWER_UP is told before they do
        if (carrier != link->carrier)
            carrier_changed(lab, &end->ns);
        link->carrier = carrier;
        return;
    }
    while ((e = vnrs_map_next(&lab->objects, &at))) {
        struct vnrs_agentd_object *object = e->value;
        if (object->obj.type != VNRS_OBJ_PROC || !object->tunnel || !is_in(&object->spec.proc.ns, &end->ns))
            continue;
        object->tunnel->up = flags & IFF_UP;
        if (object->tunnel->up)
            object->tunnel->reason = VNRS_TUNNEL_CONNECTING; // what was wrong is not any more
        tell(object->tunnel);
    }
}
