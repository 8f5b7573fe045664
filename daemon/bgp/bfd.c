// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/bfd.h"

#include <string.h>

#define OVER_MAX_US 10000000u // how long AdminDown is said at most

void vnrs_bfd_init(struct vnrs_bfd *s, const struct vnrs_bfd_conf *conf, uint32_t discr, const struct vnrs_bfd_ops *ops,
                   void *arg)
{
    *s = (struct vnrs_bfd){
        .conf = *conf,
        .ops = ops,
        .arg = arg,
        .state = VNRS_BFD_DOWN,
        .discr = discr,
        .min_tx_us = MAX(conf->min_tx_us, VNRS_BFD_SLOW_US),
        .min_rx_us = conf->min_rx_us,
        .remote_state = VNRS_BFD_DOWN,
        .remote_min_rx_us = 1,
        .send_us = VNRS_BFD_NEVER,
        .expire_us = VNRS_BFD_NEVER,
        .over_us = VNRS_BFD_NEVER,
    };
    s->tx_used_us = s->min_tx_us;
    s->rx_used_us = s->min_rx_us;
}

uint32_t vnrs_bfd_tx_interval(const struct vnrs_bfd *s)
{
    bool demanded = s->remote_demand && s->state == VNRS_BFD_UP && s->remote_state == VNRS_BFD_UP;

    if (!s->remote_min_rx_us || (demanded && s->poll == VNRS_BFD_POLL_NONE))
        return 0;
    return MAX(s->tx_used_us, s->remote_min_rx_us);
}

uint64_t vnrs_bfd_detection_time(const struct vnrs_bfd *s)
{
    return (uint64_t)s->remote_multiplier * MAX(s->rx_used_us, s->remote_min_tx_us);
}

// Section 6.8.7: 75 to 100 %, to 90 % where a single lost packet would already be a failure.
static uint64_t jitter(const struct vnrs_bfd *s, uint64_t us)
{
    uint64_t most = s->conf.multiplier == 1 ? us * 9 / 10 : us;
    uint64_t range = most - us * 3 / 4;

    return most - range * (s->ops->random(s->arg) % 1024u) / 1023u;
}

// The next packet leaves one interval after the last one, which may be at once.
static void schedule(struct vnrs_bfd *s)
{
    uint32_t interval = vnrs_bfd_tx_interval(s);

    s->send_us = interval ? s->sent_us + jitter(s, interval) : VNRS_BFD_NEVER;
}

static void transmit(struct vnrs_bfd *s, bool final)
{
    const struct vnrs_bfd_packet p = {
        .state = (uint8_t)s->state,
        .diag = s->diag,
        .poll = !final && s->poll != VNRS_BFD_POLL_NONE,
        .final = final,
        .multiplier = s->conf.multiplier,
        .my_discr = s->discr,
        .your_discr = s->remote_discr,
        .min_tx_us = s->min_tx_us,
        .min_rx_us = s->min_rx_us,
    };
    uint8_t bytes[VNRS_BFD_PACKET_BYTES];

    vnrs_bfd_packet_encode(&p, bytes);
    s->packets_out++;
    s->ops->send(s->arg, bytes, sizeof(bytes));
}

static void transmit_due(struct vnrs_bfd *s)
{
    s->sent_us = s->now_us;
    transmit(s, false);
    schedule(s);
}

// Section 6.8.3. What would let the other side's detection time run out, or ours, waits for the end of the Poll
// Sequence; nothing has to wait while the session is not Up.
static void set_intervals(struct vnrs_bfd *s)
{
    bool up = s->state == VNRS_BFD_UP;
    uint32_t tx = up ? s->conf.min_tx_us : MAX(s->conf.min_tx_us, VNRS_BFD_SLOW_US), rx = s->conf.min_rx_us;

    if (tx != s->min_tx_us || rx != s->min_rx_us)
        s->poll = s->poll == VNRS_BFD_POLL_NONE ? VNRS_BFD_POLL_ACTIVE : VNRS_BFD_POLL_AGAIN;
    s->min_tx_us = tx;
    s->min_rx_us = rx;
    s->tx_used_us = up ? MIN(s->tx_used_us, tx) : tx;
    s->rx_used_us = up ? MAX(s->rx_used_us, rx) : rx;
}

static void enter(struct vnrs_bfd *s, enum vnrs_bfd_state state, uint8_t diag)
{
    if (s->state == VNRS_BFD_UP && state == VNRS_BFD_DOWN && s->remote_state != VNRS_BFD_ADMIN_DOWN) {
        s->failures++;
        s->failure = diag;
    }
    s->state = state;
    s->diag = diag;
    s->changed_us = s->now_us;
    set_intervals(s);
    s->ops->changed(s->arg);
}

void vnrs_bfd_start(struct vnrs_bfd *s, uint64_t now_us)
{
    s->now_us = s->changed_us = now_us;
    transmit_due(s);
}

void vnrs_bfd_configure(struct vnrs_bfd *s, uint64_t now_us, const struct vnrs_bfd_conf *conf)
{
    s->now_us = now_us;
    s->conf = *conf;
    set_intervals(s);
    schedule(s);
    if (s->expire_us != VNRS_BFD_NEVER)
        s->expire_us = s->heard_us + vnrs_bfd_detection_time(s);
}

void vnrs_bfd_stop(struct vnrs_bfd *s, uint64_t now_us)
{
    s->now_us = now_us;
    if (s->state == VNRS_BFD_ADMIN_DOWN)
        return;
    enter(s, VNRS_BFD_ADMIN_DOWN, VNRS_BFD_DIAG_ADMIN);
    s->expire_us = VNRS_BFD_NEVER;
    transmit_due(s);
    s->over_us = now_us + MIN((uint64_t)s->conf.multiplier * vnrs_bfd_tx_interval(s), (uint64_t)OVER_MAX_US);
}

bool vnrs_bfd_is_over(const struct vnrs_bfd *s, uint64_t now_us)
{
    return now_us >= s->over_us;
}

// Section 6.2: the next state, by ours and by what the peer says it is in. Returns true when ours changed.
static bool run_machine(struct vnrs_bfd *s)
{
    static const uint8_t table[_VNRS_BFD_STATE_MAX][_VNRS_BFD_STATE_MAX] = {
        [VNRS_BFD_DOWN] = {[VNRS_BFD_ADMIN_DOWN] = VNRS_BFD_DOWN,
                           [VNRS_BFD_DOWN] = VNRS_BFD_INIT,
                           [VNRS_BFD_INIT] = VNRS_BFD_UP,
                           [VNRS_BFD_UP] = VNRS_BFD_DOWN},
        [VNRS_BFD_INIT] = {[VNRS_BFD_ADMIN_DOWN] = VNRS_BFD_DOWN,
                           [VNRS_BFD_DOWN] = VNRS_BFD_INIT,
                           [VNRS_BFD_INIT] = VNRS_BFD_UP,
                           [VNRS_BFD_UP] = VNRS_BFD_UP},
        [VNRS_BFD_UP] = {[VNRS_BFD_ADMIN_DOWN] = VNRS_BFD_DOWN,
                         [VNRS_BFD_DOWN] = VNRS_BFD_DOWN,
                         [VNRS_BFD_INIT] = VNRS_BFD_UP,
                         [VNRS_BFD_UP] = VNRS_BFD_UP},
    };
    enum vnrs_bfd_state next = table[s->state][s->remote_state];

    if (next == s->state)
        return false;
    enter(s, next, next == VNRS_BFD_DOWN ? VNRS_BFD_DIAG_SIGNALED : VNRS_BFD_DIAG_NONE);
    return true;
}

static void end_poll(struct vnrs_bfd *s)
{
    if (s->poll == VNRS_BFD_POLL_AGAIN) {
        s->poll = VNRS_BFD_POLL_ACTIVE;
    } else {
        s->poll = VNRS_BFD_POLL_NONE;
        s->tx_used_us = s->min_tx_us;
        s->rx_used_us = s->min_rx_us;
    }
}

// In the order of section 6.8.6.
void vnrs_bfd_receive(struct vnrs_bfd *s, uint64_t now_us, const struct vnrs_bfd_packet *p)
{
    uint32_t interval = vnrs_bfd_tx_interval(s);

    s->now_us = s->heard_us = now_us;
    s->packets_in++;
    s->remote_discr = p->my_discr;
    s->remote_state = p->state;
    s->remote_diag = p->diag;
    s->remote_demand = p->demand;
    s->remote_independent = p->independent;
    s->remote_multiplier = p->multiplier;
    s->remote_min_tx_us = p->min_tx_us;
    s->remote_min_rx_us = p->min_rx_us;
    if (p->final && s->poll != VNRS_BFD_POLL_NONE)
        end_poll(s);
    if (s->state == VNRS_BFD_ADMIN_DOWN)
        return;
    bool changed = run_machine(s);
    s->expire_us = now_us + vnrs_bfd_detection_time(s);
    if (p->poll)
        transmit(s, true);
    if (changed)
        transmit_due(s); // the peer shall not wait for the next one
    else if (vnrs_bfd_tx_interval(s) != interval)
        schedule(s);
}

static void expire(struct vnrs_bfd *s)
{
    s->expire_us = VNRS_BFD_NEVER;
    s->remote_discr = 0; // section 6.8.1
    s->remote_state = VNRS_BFD_DOWN;
    s->remote_min_rx_us = 1;
    s->remote_demand = false;
    if (s->state == VNRS_BFD_DOWN) {
        schedule(s);
        return;
    }
    enter(s, VNRS_BFD_DOWN, VNRS_BFD_DIAG_EXPIRED);
    transmit_due(s);
}

void vnrs_bfd_tick(struct vnrs_bfd *s, uint64_t now_us)
{
    s->now_us = now_us;
    if (now_us >= s->expire_us)
        expire(s);
    if (now_us >= s->send_us)
        transmit_due(s);
}

uint64_t vnrs_bfd_next(const struct vnrs_bfd *s)
{
    return MIN(MIN(s->send_us, s->expire_us), s->over_us);
}
