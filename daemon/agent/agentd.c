// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/agentd.h"

#include "agent/conn.h"
#include "agent/controller.h"
#include "agent/monitor.h"
#include "agent/names.h"
#include "agent/runs.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sched.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define STOP_WAIT_S 5

static int make_dir(const char *path, struct vnrs_err *err)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return vnrs_err_errno(err, -errno, "the run directory '%s'", path);
    return 0;
}

// One vnrsd per run directory.
static int lock_run_dir(struct vnrs_agentd *ad, struct vnrs_err *err)
{
    char path[256];
    int code = make_dir(ad->options.run_dir, err);

    (void)snprintf(path, sizeof(path), "%s/labs", ad->options.run_dir);
    if (code == 0)
        code = make_dir(path, err);
    if (code < 0)
        return code;
    (void)snprintf(path, sizeof(path), "%s/lock", ad->options.run_dir);
    ad->lock_fd = vnrs_file_lock(path);
    if (ad->lock_fd < 0 && ad->lock_fd != -EAGAIN)
        return vnrs_err_errno(err, ad->lock_fd, "%s", path);
    if (ad->lock_fd < 0)
        return vnrs_err_set(err, -EBUSY, "another vnrsd is running with the run directory '%s'", ad->options.run_dir);
    return 0;
}

// Descriptors of each namespace and of each process that is watched.
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    (void)what;
    log_info("%s: ending; labs stay as they are", strsignal((int)sig));
    vnrs_agentd_stop(arg, EXIT_SUCCESS);
}

static int make_loop(struct vnrs_agentd *ad)
{
    static const int signals[] = {SIGTERM, SIGINT};

    (void)signal(SIGPIPE, SIG_IGN);
    ad->base = event_base_new();
    for (size_t i = 0; ad->base && i < ARRAY_SIZE(signals); i++) {
        ad->signals[i] = evsignal_new(ad->base, signals[i], on_signal, ad);
        if (!ad->signals[i] || event_add(ad->signals[i], NULL) < 0)
            return -ENOMEM;
    }
    return ad->base ? 0 : -ENOMEM;
}

int vnrs_agentd_new(const struct vnrs_agentd_options *options, struct vnrs_agentd **ret_ad, struct vnrs_err *err)
{
    struct vnrs_agentd *ad = calloc(1, sizeof(*ad));

    if (!ad)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    ad->options = *options;
    ad->lock_fd = ad->listen_fd = ad->tcp_fd = -1;
    int code = vnrs_priv_probe(&ad->priv, err);
    if (code == 0)
        code = lock_run_dir(ad, err);
    if (code == 0)
        code = vnrs_priv_limit(err);
    if (code == 0) {
        raise_limits();
        code = make_loop(ad);
    }
    if (code == 0)
        code = vnrs_agentd_labs_load(ad);
    if (code < 0) {
        (void)vnrs_err_errno(err, code, "starting");
        vnrs_agentd_free(ad);
        return code;
    }
    vnrs_agentd_names_watch(ad);
    *ret_ad = ad;
    return 0;
}

int vnrs_agentd_run(struct vnrs_agentd *ad, void (*ready)(void))
{
    struct vnrs_err err = {0};

    if (vnrs_agentd_controller_start(ad, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    // Daemons of labs do not inherit it.
    int code = vnrs_sched_set_slice(VNRS_SCHED_AGENT_US, false);
    if (code < 0)
        log_debug("cannot have shorter slices of the processor: %s", strerror(-code));
    if (ad->priv.injector)
        log_info("no CAP_SYS_ADMIN: injecting routes into the own namespace only");
    ready();
    if (event_base_dispatch(ad->base) < 0)
        return EXIT_FAILURE;
    return ad->status;
}

static void on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
    struct vnrs_agentd *ad = arg;

    (void)fd, (void)what;
    log_warn("children do not end: killed");
    (void)event_base_loopbreak(ad->base);
}

// Calls `fn` for every SPEAKER object; returns how many run.
static unsigned walk_speakers(struct vnrs_agentd *ad, void (*fn)(const struct vnrs_agentd_object *object))
{
    struct vnrs_map_entry *l, *o;
    size_t at_lab = 0;
    unsigned n = 0;

    while ((l = vnrs_map_next(&ad->labs, &at_lab))) {
        const struct vnrs_agentd_lab *lab = l->value;
        size_t at = 0;
        while ((o = vnrs_map_next(&lab->objects, &at))) {
            if (fn)
                fn(o->value);
            n += vnrs_agentd_speaker_runs(o->value);
        }
    }
    return n;
}

void vnrs_agentd_stop(struct vnrs_agentd *ad, int status)
{
    static const struct timeval wait = {.tv_sec = STOP_WAIT_S};

    if (ad->stopping)
        return;
    ad->stopping = true;
    ad->status = status;
    vnrs_agentd_controller_stop(ad);
    (void)walk_speakers(ad, vnrs_agentd_speaker_stop);
    ad->stop_timer = evtimer_new(ad->base, on_stop_timer, ad);
    if (!ad->stop_timer || evtimer_add(ad->stop_timer, &wait) < 0)
        (void)event_base_loopbreak(ad->base);
    vnrs_agentd_check_stopped(ad);
}

void vnrs_agentd_check_stopped(struct vnrs_agentd *ad)
{
    if (ad->stopping && !vnrs_agentd_controller_runs(ad) && walk_speakers(ad, NULL) == 0)
        (void)event_base_loopbreak(ad->base);
}

void vnrs_agentd_free(struct vnrs_agentd *ad)
{
    if (!ad)
        return;
    ad->stopping = true;
    vnrs_agentd_controller_free(ad);
    vnrs_agentd_conn_free(ad->conn);
    ad->conn = NULL;
    vnrs_agentd_labs_free(ad);
    vnrs_agentd_names_free(ad);
    vnrs_agentd_ear_free(ad);
    for (size_t i = 0; i < ARRAY_SIZE(ad->signals); i++)
        if (ad->signals[i])
            event_free(ad->signals[i]);
    if (ad->stop_timer)
        event_free(ad->stop_timer);
    if (ad->base)
        event_base_free(ad->base);
    if (ad->listen_fd >= 0)
        (void)close(ad->listen_fd);
    if (ad->tcp_fd >= 0)
        (void)close(ad->tcp_fd);
    if (ad->lock_fd >= 0)
        (void)close(ad->lock_fd);
    free(ad);
}
