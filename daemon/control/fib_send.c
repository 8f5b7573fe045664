// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fib_send.h"

#include "control/state.h"
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

// The first failure is told for all.
static void note_failure(struct vnrs_lab *lab, const struct vnrs_ag_reply *reply)
{
    char text[512];

    if (reply->error >= 0 || lab->fib_failed)
        return;
    (void)snprintf(text, sizeof(text), "routes: %s", reply->text[0] ? reply->text : strerror(-reply->error));
    vnrs_lab_keep_error(lab, &lab->fib_error, text);
    lab->fib_failed = true;
}

static void on_settled(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;

    lab->fib_settling = false;
    note_failure(lab, reply);
    lab->fib_writes = MAX(lab->fib_writes, reply->writes);
    if (lab->fib_outstanding == 0)
        vnrs_fib_round_end(lab);
}

// Guest tables follow behind the fabric. One question at a time: it is about all that was said before it.
static void ask_settled(struct vnrs_lab *lab)
{
    struct vnrs_agent_request request = {.type = VNRS_AG_FIB, .owner = lab, .done = on_settled};
    struct vnrs_ag_fib body = {.kind = VNRS_AG_FIB_SETTLE};

    vnrs_str_copy(body.lab, sizeof(body.lab), lab->name);
    int r = vnrs_agent_send(lab->control->agent, &request, &body, sizeof(body), NULL, 0);
    lab->fib_behind = false;
    lab->fib_settling = r == 0;
    if (r < 0)
        note_failure(lab, &(struct vnrs_ag_reply){.error = r});
}

void vnrs_fib_round_end(struct vnrs_lab *lab)
{
    if (!lab->fib_failed && lab->fib_behind && !lab->fib_settling)
        ask_settled(lab);
    if (lab->fib_failed) {
        unsigned ms = vnrs_lab_backoff_ms(lab->fib_retries++);
        const struct timeval later = {ms / 1000, (ms % 1000) * 1000};
        lab->fib_failed = false;
        lab->fib_sync = true;
        (void)evtimer_add(lab->fib_retry, &later);
        return;
    }
    // The fabric has it; the answer about guest tables leads back here, and a retry says everything again.
    if (lab->fib_settling || evtimer_pending(lab->fib_retry, NULL))
        return;
    lab->fib_retries = 0;
    vnrs_lab_clear_error(&lab->fib_error);
    if (lab->stage == VNRS_LAB_IDLE && !lab->failed && !lab->dirty && !vnrs_lab_pending(lab) && !lab->next &&
        !lab->build_error)
        lab->reached = lab->generation;
}

void vnrs_lab_on_fib_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    vnrs_lab_dirty(arg);
}

static void on_fib(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;

    lab->fib_outstanding--;
    note_failure(lab, reply);
    lab->fib_behind |= reply->outcome == VNRS_AG_BEHIND;
    lab->fib_writes = MAX(lab->fib_writes, reply->writes);
    if (lab->fib_outstanding < VNRS_FIB_OUTSTANDING_MAX && vnrs_lab_pending(lab))
        vnrs_lab_learned(lab);
    if (lab->fib_outstanding == 0)
        vnrs_fib_round_end(lab);
}

int vnrs_fib_send(void *arg, unsigned kind, const void *items, size_t n)
{
    static const size_t sizes[] = {
        [VNRS_AG_FIB_GROUPS] = sizeof(struct vnrs_fib_group),
        [VNRS_AG_FIB_ROUTES] = sizeof(struct vnrs_fib_route),
        [VNRS_AG_FIB_NICS] = sizeof(struct vnrs_fib_nic),
        [VNRS_AG_FIB_ACLS] = sizeof(struct vnrs_fib_acl),
        [VNRS_AG_FIB_ENDPOINTS] = sizeof(struct vnrs_fib_endpoint),
        [VNRS_AG_FIB_FLUSH] = 0,
    };
    struct vnrs_lab *lab = arg;
    struct vnrs_agent_request request = {.type = VNRS_AG_FIB, .owner = lab, .done = on_fib};
    struct vnrs_ag_fib body = {.kind = kind};
    size_t size = sizes[kind], room = VNRS_AGENT_MSG_MAX - sizeof(struct vnrs_ag_hdr) - sizeof(body), at = 0;

    vnrs_str_copy(body.lab, sizeof(body.lab), lab->name);
    do {
        size_t part = size ? MIN(n - at, room / size) : 0;
        body.n = (uint32_t)part;
        int r = vnrs_agent_send(lab->control->agent, &request, &body, sizeof(body),
                                part ? (const char *)items + at * size : NULL, part * size);
        if (r < 0)
            return r;
        lab->fib_outstanding++;
        at += part;
    } while (at < n);
    return 0;
}

int vnrs_fib_refused(struct vnrs_lab *lab)
{
    unsigned ms = vnrs_lab_backoff_ms(lab->fib_retries++);
    const struct timeval later = {ms / 1000, (ms % 1000) * 1000};
    char text[300];

    (void)snprintf(text, sizeof(text), "routes: %s", vnrs_fib_problem(lab->fib));
    vnrs_lab_keep_error(lab, &lab->fib_error, text);
    (void)evtimer_add(lab->fib_retry, &later);
    return 0;
}
