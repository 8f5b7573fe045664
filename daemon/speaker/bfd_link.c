// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/bfd_link.h"

#include "net/addr.h"
#include "speaker/bfd_engine.h"
#include "speaker/bfd_thread.h"
#include "util/fd.h"
#include "util/log.h"

#include <errno.h>
#include <string.h>

struct vnrs_bfd_slot {
    uint32_t id;      // of its session; 0: none
    uint32_t request; // of the socket that it waits for; 0: none
    struct vnrs_addr local, peer;
    struct vnrs_spk_bfd conf;
};

struct vnrs_bfd_link {
    struct vnrs_bfd_thread *thread;
    int pair;
    struct event *read, *retry;
    struct vnrs_addr local; // of the sockets that receive
    bool listens[_VNRS_BFD_HOPS_MAX];
    uint32_t listen_request[_VNRS_BFD_HOPS_MAX];
    uint32_t last_id;
    struct vnrs_bfd_slot slots[VNRS_BGP_PEERS_MAX];
};

static enum vnrs_bfd_hops hops_of(const struct vnrs_spk_bfd *conf)
{
    return conf->multihop ? VNRS_BFD_MULTI : VNRS_BFD_SINGLE;
}

// Something could not be had or done: looked at again soon.
static void again(struct vnrs_bfd_link *link)
{
    struct timeval wait = {.tv_sec = VNRS_BFD_RETRY_MS / 1000, .tv_usec = VNRS_BFD_RETRY_MS % 1000 * 1000};

    (void)event_add(link->retry, &wait);
}

// The descriptor goes with the command, or is closed.
static bool command(struct vnrs_bfd_link *link, struct vnrs_bfd_command c)
{
    struct iovec part = {&c, sizeof(c)};
    int err = vnrs_msg_send(link->pair, &part, 1, NULL, 0);

    if (err < 0 && c.fd >= 0)
        (void)close(c.fd);
    if (err < 0)
        again(link);
    return err == 0;
}

static void say_none(struct vnrs_speakerd *sp, unsigned slot, int error)
{
    const struct vnrs_spk_bfd_state state = {.configured = error < 0, .error = error};

    if (sp->core->members[slot])
        vnrs_bgp_member_bfd(sp->core->members[slot], vnrs_clock_ms(), &state);
}

static const struct vnrs_bgp_member *wanted(const struct vnrs_speakerd *sp, unsigned slot)
{
    const struct vnrs_bgp_member *m = sp->core->members[slot];
    return m && !m->conf.shutdown && m->conf.bfd.multiplier ? m : NULL;
}

// The one that all sessions have at our end, or any: there is one socket of each port.
static struct vnrs_addr listen_addr(const struct vnrs_speakerd *sp)
{
    const struct vnrs_addr *only = NULL;

    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        const struct vnrs_bgp_member *m = wanted(sp, slot);
        if (m && only && !vnrs_addr_equal(only, vnrs_bgp_member_local(m)))
            return (struct vnrs_addr){.family = only->family};
        only = m ? vnrs_bgp_member_local(m) : only;
    }
    return only ? *only : sp->bfd->local;
}

static bool is_other_session(const struct vnrs_bfd_slot *s, const struct vnrs_bgp_member *m)
{
    return !vnrs_addr_equal(&s->peer, &m->conf.addr) || !vnrs_addr_equal(&s->local, vnrs_bgp_member_local(m)) ||
           s->conf.multihop != m->conf.bfd.multihop;
}

// Returns false when it has to be tried again.
static bool end_session(struct vnrs_speakerd *sp, unsigned slot)
{
    struct vnrs_bfd_slot *s = &sp->bfd->slots[slot];

    if (s->id && !command(sp->bfd, (struct vnrs_bfd_command){.kind = VNRS_BFD_REMOVE, .id = s->id, .fd = -1}))
        return false;
    *s = (struct vnrs_bfd_slot){0};
    say_none(sp, slot, 0);
    return true;
}

static void change_session(struct vnrs_bfd_link *link, struct vnrs_bfd_slot *s, const struct vnrs_spk_bfd *conf)
{
    if (memcmp(&s->conf, conf, sizeof(*conf)) == 0)
        return;
    if (!s->id ||
        command(link, (struct vnrs_bfd_command){.kind = VNRS_BFD_CHANGE, .id = s->id, .fd = -1, .conf = *conf}))
        s->conf = *conf;
}

// Sessions and sockets that are no longer wanted, or not in this way; `moved`: packets are received elsewhere. Returns
// false when it has to be tried again.
static bool clear_away(struct vnrs_speakerd *sp, bool moved)
{
    struct vnrs_bfd_link *link = sp->bfd;
    bool done = true;

    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bfd_slot *s = &link->slots[slot];
        const struct vnrs_bgp_member *m = wanted(sp, slot);
        if (!s->conf.multiplier)
            continue;
        if (!m || is_other_session(s, m))
            done &= end_session(sp, slot);
        else
            change_session(link, s, &m->conf.bfd);
    }
    for (unsigned hops = 0; hops < _VNRS_BFD_HOPS_MAX && moved; hops++) {
        link->listen_request[hops] = 0;
        if (link->listens[hops])
            link->listens[hops] =
                !command(link, (struct vnrs_bfd_command){.kind = VNRS_BFD_LISTEN, .fd = -1, .hops = hops});
        done &= !link->listens[hops];
    }
    return done;
}

static void ask(struct vnrs_speakerd *sp, uint32_t *ret_request)
{
    int err = vnrs_agent_link_ask(sp, VNRS_SPK_SOCKET_UDP, sp->core->conf.local.family, ret_request);

    if (err < 0)
        again(sp->bfd);
}

static void ask_for_sockets(struct vnrs_speakerd *sp)
{
    struct vnrs_bfd_link *link = sp->bfd;

    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        struct vnrs_bfd_slot *s = &link->slots[slot];
        const struct vnrs_bgp_member *m = wanted(sp, slot);
        if (!m)
            continue;
        enum vnrs_bfd_hops hops = hops_of(&m->conf.bfd);
        if (!link->listens[hops] && !link->listen_request[hops])
            ask(sp, &link->listen_request[hops]);
        if (s->conf.multiplier && (s->id || s->request))
            continue;
        s->peer = m->conf.addr;
        s->local = *vnrs_bgp_member_local(m);
        s->conf = m->conf.bfd;
        ask(sp, &s->request);
    }
}

void vnrs_bfd_link_sync(struct vnrs_speakerd *sp)
{
    struct vnrs_bfd_link *link = sp->bfd;
    if (!link)
        return;
    struct vnrs_addr local = listen_addr(sp);
    if (!clear_away(sp, !vnrs_addr_equal(&link->local, &local)))
        return;
    link->local = local;
    ask_for_sockets(sp);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    vnrs_bfd_link_sync(arg);
    vnrs_speakerd_settle(arg);
}

// No session can be without it.
static void listener_failed(struct vnrs_speakerd *sp, enum vnrs_bfd_hops hops, int error)
{
    struct vnrs_bfd_link *link = sp->bfd;

    link->listens[hops] = false;
    log_errno_ret(error, "no socket for BFD on port %d",
                  hops == VNRS_BFD_SINGLE ? VNRS_BFD_PORT_SINGLE : VNRS_BFD_PORT_MULTI);
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        if (!link->slots[slot].conf.multiplier || hops_of(&link->slots[slot].conf) != hops)
            continue;
        (void)end_session(sp, slot);
        say_none(sp, slot, error);
    }
    again(link);
}

// --- answers of the agent

static void take_listener(struct vnrs_speakerd *sp, enum vnrs_bfd_hops hops, int error, int *fd)
{
    struct vnrs_bfd_link *link = sp->bfd;

    link->listen_request[hops] = 0;
    if (error < 0)
        listener_failed(sp, hops, error);
    else
        link->listens[hops] = command(
            link,
            (struct vnrs_bfd_command){.kind = VNRS_BFD_LISTEN, .fd = TAKE_FD(*fd), .hops = hops, .local = link->local});
}

static void take_source(struct vnrs_speakerd *sp, unsigned slot, int error, int *fd)
{
    struct vnrs_bfd_link *link = sp->bfd;
    struct vnrs_bfd_slot *s = &link->slots[slot];

    s->request = 0;
    if (error == 0)
        error = vnrs_bfd_socket_source(*fd, &s->local, sp->core->ops->random(sp));
    if (error < 0) {
        log_errno_ret(error, "no socket for BFD with '%s'", sp->core->members[slot]->conf.name);
        say_none(sp, slot, error);
        again(link);
        return;
    }
    if (!++link->last_id)
        link->last_id = 1; // 0 means none
    const struct vnrs_bfd_command add = {.kind = VNRS_BFD_ADD,
                                         .id = link->last_id,
                                         .fd = TAKE_FD(*fd),
                                         .hops = hops_of(&s->conf),
                                         .peer = s->peer,
                                         .conf = s->conf};
    s->id = command(link, add) ? add.id : 0;
}

bool vnrs_bfd_link_socket(struct vnrs_speakerd *sp, const struct vnrs_spk_socket *answer, int *fd)
{
    int error = *fd >= 0 ? 0 : answer->error < 0 ? answer->error : -EBADF;

    if (!sp->bfd || !answer->id)
        return false;
    for (unsigned hops = 0; hops < _VNRS_BFD_HOPS_MAX; hops++)
        if (sp->bfd->listen_request[hops] == answer->id) {
            take_listener(sp, hops, error, fd);
            return true;
        }
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++)
        if (sp->bfd->slots[slot].request == answer->id) {
            take_source(sp, slot, error, fd);
            return true;
        }
    return false;
}

// --- what the thread says

static void take_event(struct vnrs_speakerd *sp, const struct vnrs_bfd_event *event)
{
    if (!event->id && !sp->bfd->listen_request[event->hops]) // else another one is on its way
        listener_failed(sp, event->hops, event->state.error);
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX && event->id; slot++)
        if (sp->bfd->slots[slot].id == event->id && sp->core->members[slot])
            vnrs_bgp_member_bfd(sp->core->members[slot], vnrs_clock_ms(), &event->state);
}

static void on_pair(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;
    struct vnrs_bfd_event event;

    (void)what;
    for (unsigned i = 0; i < VNRS_BGP_PEERS_MAX; i++) {
        ssize_t len = vnrs_msg_recv(fd, &event, sizeof(event), NULL, NULL);
        if (len == -EAGAIN)
            break;
        if (len != sizeof(event)) {
            log_error("the BFD thread has ended");
            vnrs_speakerd_exit(sp, EXIT_FAILURE);
            return;
        }
        take_event(sp, &event);
    }
    vnrs_speakerd_settle(sp);
}

int vnrs_bfd_link_init(struct vnrs_speakerd *sp)
{
    struct vnrs_bfd_link *link = calloc(1, sizeof(*link));

    if (!link)
        return -ENOMEM;
    sp->bfd = link;
    int err = vnrs_bfd_thread_start(&link->thread, &link->pair);
    if (err < 0)
        return err;
    link->read = event_new(sp->base, link->pair, EV_READ | EV_PERSIST, on_pair, sp);
    link->retry = evtimer_new(sp->base, on_retry, sp);
    if (!link->read || !link->retry || event_priority_set(link->read, VNRS_SPEAKERD_URGENT) < 0)
        return -ENOMEM;
    return event_add(link->read, NULL) == 0 ? 0 : -ENOMEM;
}

void vnrs_bfd_link_free(struct vnrs_speakerd *sp)
{
    struct vnrs_bfd_link *link = TAKE_PTR(sp->bfd);

    if (!link)
        return;
    if (link->read)
        event_free(link->read);
    if (link->retry)
        event_free(link->retry);
    vnrs_bfd_thread_stop(link->thread, link->pair);
    free(link);
}
