// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/probe.h"

#include "control/state.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct probe {
    struct vnrs_lab *lab;
    const struct vnrs_balancer *lb; // of the lab's model
    const struct vnrs_nic *nic;
    char key[2 * VNRS_KEY_MAX]; // balancer and NIC
    struct event *timer, *answer;
    int fd;     // connecting; -1: none
    bool asked; // the agent was asked for one
    bool probed;
    bool down;
    unsigned failures; // in a row
    char reason[64];   // of the last one
};

struct vnrs_probes {
    VEC(struct probe *) list;
};

static void make_key(const struct vnrs_balancer *lb, const struct vnrs_nic *nic, char key[static 2 * VNRS_KEY_MAX])
{
    (void)snprintf(key, 2 * VNRS_KEY_MAX, "%s\n%s", lb->name, nic->name);
}

static struct probe *find_probe(const struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic)
{
    char key[2 * VNRS_KEY_MAX];

    make_key(lb, nic, key);
    for (size_t i = 0; lab->probes && i < lab->probes->list.len; i++) {
        if (strcmp(lab->probes->list.items[i]->key, key) == 0)
            return lab->probes->list.items[i];
    }
    return NULL;
}

bool vnrs_probe_is_down(const struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic)
{
    const struct probe *probe = find_probe(lab, lb, nic);
    return probe && probe->down;
}

const char *vnrs_probe_state(const struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic,
                             const char **ret_reason)
{
    const struct probe *probe = find_probe(lab, lb, nic);

    *ret_reason = probe ? probe->reason : "";
    return !probe || !probe->probed ? "Unknown" : probe->down ? "Down" : "Up";
}

static void hang_up(struct probe *probe)
{
    if (probe->answer)
        event_free(probe->answer);
    probe->answer = NULL;
    if (probe->fd >= 0)
        (void)close(TAKE_FD(probe->fd));
    if (probe->lab->control->agent)
        vnrs_agent_cancel(probe->lab->control->agent, probe);
    probe->asked = false;
}

static void probe_free(struct probe *probe)
{
    hang_up(probe);
    if (probe->timer)
        event_free(probe->timer);
    free(probe);
}

static void turn(struct probe *probe, bool down)
{
    struct vnrs_lab *lab = probe->lab;

    probe->down = down;
    vnrs_event_add(lab->control, lab, "probe", "load balancer '%s': backend '%s' is %s%s%s", probe->lb->name,
                   probe->nic->name, down ? "out" : "in again", down ? ": " : "", down ? probe->reason : "");
    log_info("lab '%s': load balancer '%s': backend '%s' is %s%s%s", lab->name, probe->lb->name, probe->nic->name,
             down ? "out" : "in again", down ? ": " : "", down ? probe->reason : "");
    vnrs_lab_backend_changed(lab, probe->lb, probe->nic);
}

static void take_success(struct probe *probe)
{
    hang_up(probe);
    probe->probed = true;
    probe->failures = 0;
    probe->reason[0] = '\0';
    if (probe->down)
        turn(probe, false);
}

static void take_failure(struct probe *probe, const char *reason)
{
    hang_up(probe);
    probe->failures++;
    (void)vnrs_str_copy(probe->reason, sizeof(probe->reason), reason);
    if (probe->failures < probe->lb->probe_tries)
        return;
    probe->probed = true;
    if (!probe->down)
        turn(probe, true);
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    struct probe *probe = arg;
    int error = 0;
    socklen_t len = sizeof(error);

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (error)
        take_failure(probe, strerror(error));
    else
        take_success(probe);
}

static void on_socket(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct probe *probe = request->arg;

    probe->asked = false;
    if (reply->error < 0 || request->fd < 0) {
        take_failure(probe, reply->error < 0 ? strerror(-reply->error) : "no socket");
        return;
    }
    probe->fd = TAKE_FD(request->fd);
    probe->answer = event_new(probe->lab->control->base, probe->fd, EV_WRITE, on_answer, probe);
    if (!probe->answer || event_add(probe->answer, NULL) < 0)
        take_failure(probe, strerror(ENOMEM));
}

static const struct vnrs_addr *probed_addr(const struct vnrs_nic *nic)
{
    list_foreach (ip, &nic->ips)
        if (ip->family == VNRS_AF_IPV4)
            return ip;
    return &nic->ips.items[0];
}

static void ask(struct probe *probe)
{
    const struct vnrs_agent_request request = {
        .type = VNRS_AG_CONNECT, .owner = probe, .arg = probe, .done = on_socket, .fd = -1};
    struct vnrs_ag_connect body = {
        .from = vnrs_prober_addr(), .to = *probed_addr(probe->nic), .port = probe->lb->probe_port};

    vnrs_str_copy(body.lab, sizeof(body.lab), probe->lab->name);
    (void)snprintf(body.netns, sizeof(body.netns), VNRS_PROBER_NETNS, probe->lb->subnet->vnet->name);
    if (vnrs_agent_send(probe->lab->control->agent, &request, &body, sizeof(body), NULL, 0) == 0)
        probe->asked = true;
}

// The next probe; what the last one has no answer to by now, it has none.
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct probe *probe = arg;
    const struct timeval interval = {.tv_sec = probe->lb->probe_interval_s};

    (void)fd, (void)what;
    if (probe->asked || probe->fd >= 0)
        take_failure(probe, "no answer");
    ask(probe);
    (void)event_add(probe->timer, &interval);
}

static struct probe *probe_new(struct vnrs_lab *lab, const char *key)
{
    struct probe *probe = calloc(1, sizeof(*probe));

    if (!probe)
        return NULL;
    *probe = (struct probe){.lab = lab, .fd = -1};
    vnrs_str_copy(probe->key, sizeof(probe->key), key);
    probe->timer = evtimer_new(lab->control->base, on_timer, probe);
    if (!probe->timer || vec_push(&lab->probes->list, probe) < 0) {
        probe_free(probe);
        return NULL;
    }
    return probe;
}

static int want_probe(struct vnrs_lab *lab, const struct vnrs_balancer *lb, const struct vnrs_nic *nic)
{
    struct probe *probe = find_probe(lab, lb, nic);
    char key[2 * VNRS_KEY_MAX];

    make_key(lb, nic, key);
    if (!probe && !(probe = probe_new(lab, key)))
        return -ENOMEM;
    probe->lb = lb;
    probe->nic = nic;
    return 0;
}

int vnrs_probes_update(struct vnrs_lab *lab)
{
    int r = 0;

    if (!lab->probes && !lab->model->balancers.len)
        return 0;
    if (!lab->probes && !(lab->probes = calloc(1, sizeof(*lab->probes))))
        return -ENOMEM;
    vec_foreach (probe, &lab->probes->list)
        (*probe)->lb = NULL;
    list_foreach (lb, &lab->model->balancers) {
        list_foreach (nic, &lb->backends) {
            if (r == 0)
                r = want_probe(lab, lb, *nic);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < lab->probes->list.len; i++) {
        struct probe *probe = lab->probes->list.items[i];
        if (probe->lb)
            lab->probes->list.items[kept++] = probe;
        else
            probe_free(probe);
    }
    lab->probes->list.len = kept;
    return r;
}

void vnrs_probes_start(struct vnrs_lab *lab)
{
    const struct timeval now = {0};

    for (size_t i = 0; lab->probes && i < lab->probes->list.len; i++) {
        struct probe *probe = lab->probes->list.items[i];
        if (!evtimer_pending(probe->timer, NULL))
            (void)evtimer_add(probe->timer, &now);
    }
}

void vnrs_probes_free(struct vnrs_lab *lab)
{
    if (!lab->probes)
        return;
    vec_foreach (probe, &lab->probes->list)
        probe_free(*probe);
    vec_free(&lab->probes->list);
    free(lab->probes);
    lab->probes = NULL;
}
