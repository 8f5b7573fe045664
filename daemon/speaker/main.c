// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs-speaker NAME: started by the agent with its descriptors in place (vnrs/speaker_proto.h). Everything else it
// learns from the controller.
#include "speaker/bfd_link.h"
#include "speaker/bmp.h"
#include "speaker/conn.h"
#include "speaker/control.h"
#include "speaker/dump.h"
#include "speaker/malformed.h"
#include "speaker/sandbox.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sched.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void on_connect(void *arg, struct vnrs_bgp_member *m)
{
    vnrs_agent_link_request(arg, m->slot);
}

static void on_close(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side)
{
    vnrs_conn_close(arg, m, side);
}

static void on_send(void *arg, struct vnrs_bgp_member *m, enum vnrs_bgp_side side, const uint8_t *bytes, size_t len)
{
    vnrs_conn_send(arg, m, side, bytes, len);
}

static bool has_room(void *arg, const struct vnrs_bgp_member *m)
{
    return vnrs_conn_has_room(arg, m);
}

static uint32_t on_random(void *arg)
{
    uint32_t bits = 0;

    (void)arg;
    (void)!getrandom(&bits, sizeof(bits), 0); // only for jitter
    return bits;
}

static void on_lost(void *arg, const struct vnrs_bgp_member *m)
{
    vnrs_control_lost(arg, m);
}

static void on_malformed(void *arg, const struct vnrs_bgp_member *m, enum vnrs_bgp_outcome outcome,
                         const struct vnrs_bgp_update *update, const uint8_t *msg, size_t len)
{
    vnrs_malformed_log(arg, m, outcome, update, msg, len);
}

static const struct vnrs_bgp_speaker_ops core_ops = {
    .connect = on_connect,
    .close = on_close,
    .send = on_send,
    .has_room = has_room,
    .random = on_random,
    .lost = on_lost,
    .malformed = on_malformed,
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;
    uint64_t now = vnrs_clock_ms();

    (void)fd;
    (void)what;
    if (sp->reading_paused)
        vnrs_conn_excuse_all(sp, now);
    vnrs_bgp_speaker_tick(sp->core, now);
    vnrs_speakerd_settle(sp);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    struct vnrs_speakerd *sp = arg;

    (void)sig;
    (void)what;
    sp->stopping = true;
    vnrs_bgp_speaker_stop(sp->core, vnrs_clock_ms());
    vnrs_bfd_link_free(sp);
    vnrs_bmp_stop(sp);
    vnrs_speakerd_settle(sp);
}

// After each ordinary event it is looked whether there is an urgent one: BFD does not wait until 62 peers are served.
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config && event_config_set_max_dispatch_interval(config, NULL, 1, VNRS_SPEAKERD_ORDINARY) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    if (base && event_base_priority_init(base, _VNRS_SPEAKERD_PRIORITY_MAX) < 0) {
        event_base_free(base);
        return NULL;
    }
    return base;
}

static int loop_init(struct vnrs_speakerd *sp)
{
    static const int signals[] = {SIGTERM, SIGINT};

    if (!(sp->base = base_new()) || !(sp->timer = evtimer_new(sp->base, on_timer, sp)))
        return -ENOMEM;
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sp->signals[i] = evsignal_new(sp->base, signals[i], on_signal, sp);
        if (!sp->signals[i] || event_add(sp->signals[i], NULL) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void be_prompt(unsigned slice_us)
{
    int err = vnrs_sched_set_slice(slice_us, true);

    if (err < 0)
        log_debug("cannot have shorter slices of the processor: %s", strerror(-err));
}

static int start(struct vnrs_speakerd *sp)
{
    uint64_t seed = 0;
    int err = loop_init(sp);

    if (err < 0)
        return err;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        return -EIO;
    if (!(sp->core = vnrs_bgp_speaker_new(&core_ops, sp, seed)))
        return -ENOMEM;
    if ((err = vnrs_agent_link_init(sp)) < 0 || (err = vnrs_control_init(sp)) < 0 || (err = vnrs_conn_listen(sp)) < 0)
        return err;
    // In between, because the sandbox holds for every thread and lets none be started. The thread for BFD keeps the
    // slices that it begins with.
    be_prompt(VNRS_SCHED_AGENT_US);
    if ((err = vnrs_sandbox_begin()) < 0 || (err = vnrs_bfd_link_init(sp)) < 0)
        return err;
    be_prompt(VNRS_SCHED_SPEAKER_US);
    return vnrs_sandbox_seal();
}

static void finish(struct vnrs_speakerd *sp)
{
    vnrs_bfd_link_free(sp);
    vnrs_conn_free_all(sp);
    vnrs_dump_forget(sp);
    vnrs_bmp_stop(sp);
    vnrs_bgp_speaker_free(sp->core);
    vnrs_control_free(sp);
    struct event *events[] = {sp->timer, sp->listener, sp->agent, sp->signals[0], sp->signals[1]};
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
        if (events[i])
            event_free(events[i]);
    if (sp->base)
        event_base_free(sp->base);
}

int main(int argc, char **argv)
{
    struct vnrs_speakerd sp = {0};
    char name[96];

    if (argc != 2) {
        (void)fprintf(stderr, "vnrs-speaker is started by vnrsd, not by hand\n");
        return 2;
    }
    (void)snprintf(name, sizeof(name), "vnrs-speaker %s", argv[1]);
    vnrs_log_init(name, getenv("VNRS_DEBUG") ? VNRS_LOG_DEBUG : VNRS_LOG_INFO);
    (void)signal(SIGPIPE, SIG_IGN);
    int err = start(&sp);
    if (err < 0) {
        log_errno_ret(err, "cannot start");
        sp.status = EXIT_FAILURE;
    } else {
        vnrs_speakerd_settle(&sp);
        (void)event_base_dispatch(sp.base);
    }
    finish(&sp);
    return sp.status;
}
