// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/links.h"

#include "control/api.h"
#include "model/impair.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HELP_INSPECT "`vnrs inspect` shows the NICs: MACHINE or MACHINE/eth0"

static struct vnrs_lab_link *find(const struct vnrs_lab *lab, const char *key)
{
    vec_foreach (link, &lab->links) {
        if (strcmp(link->key, key) == 0)
            return link;
    }
    return NULL;
}

static struct vnrs_impair declared_in(const struct vnrs_model *model, const char *key)
{
    const struct vnrs_nic *nic = model ? vnrs_model_find_nic(model, key) : NULL;
    return nic ? nic->link : (struct vnrs_impair){0};
}

struct vnrs_impair vnrs_links_get(const struct vnrs_lab *lab, const char *key, const struct vnrs_impair *declared)
{
    const struct vnrs_lab_link *link = find(lab, key);
    return link ? link->impair : declared ? *declared : (struct vnrs_impair){0};
}

static void forget(struct vnrs_lab *lab, const struct vnrs_lab_link *link)
{
    size_t at = (size_t)(link - lab->links.items);

    lab->links.len--;
    memmove(&lab->links.items[at], &lab->links.items[at + 1], (lab->links.len - at) * sizeof(*link));
}

// What the file says is not kept as said live.
static int set(struct vnrs_lab *lab, const char *key, const struct vnrs_impair *impair)
{
    struct vnrs_lab_link *link = find(lab, key), fresh = {.declared = declared_in(lab->model, key)};

    if (vnrs_impair_equal(impair, &fresh.declared)) {
        if (link)
            forget(lab, link);
        return 0;
    }
    vnrs_str_copy(fresh.key, sizeof(fresh.key), key);
    if (!link && vec_push(&lab->links, fresh) < 0)
        return -ENOMEM;
    link = find(lab, key);
    link->impair = *impair;
    return 0;
}

int vnrs_links_apply(struct vnrs_lab *lab, const struct vnrs_model *model, struct vnrs_desired *desired)
{
    for (size_t i = lab->links.len; i-- > 0;) {
        struct vnrs_lab_link *link = &lab->links.items[i];
        const struct vnrs_impair declared = declared_in(model, link->key);
        int r = vnrs_impair_equal(&declared, &link->declared) ? vnrs_desired_impair(desired, link->key, &link->impair)
                                                              : -ENOENT;
        if (r == -ENOENT)
            forget(lab, link);
        else if (r < 0)
            return r;
    }
    lab->relink = false;
    return 0;
}

// ---- as JSON

static json_t *text_or_null(bool there, const char *text)
{
    return there ? json_string(text) : json_null();
}

static json_t *link_json(const char *key, const struct vnrs_impair *impair, bool live)
{
    char loss[16], rate[16], delay[16], jitter[16], text[VNRS_IMPAIR_STR_MAX];

    return json_pack("{s:s, s:b, s:o, s:o, s:o, s:o, s:b, s:s}", "nic", key, "down", (int)impair->down, "loss",
                     text_or_null(impair->loss_ppm, vnrs_loss_format(impair->loss_ppm, loss)), "rate",
                     text_or_null(impair->rate_kbit, vnrs_rate_format(impair->rate_kbit, rate)), "delay",
                     text_or_null(impair->delay_us, vnrs_delay_format(impair->delay_us, delay)), "jitter",
                     text_or_null(impair->jitter_us, vnrs_delay_format(impair->jitter_us, jitter)), "live", (int)live,
                     "text", vnrs_impair_format(impair, text));
}

json_t *vnrs_links_json(const struct vnrs_lab *lab)
{
    json_t *list = json_array();

    for (size_t i = 0; lab->model && i < lab->model->nics.len; i++) {
        const struct vnrs_nic *nic = lab->model->nics.items[i];
        if (!vnrs_impair_is_none(&nic->link) && !find(lab, nic->name))
            (void)json_array_append_new(list, link_json(nic->name, &nic->link, false));
    }
    vec_foreach (link, &lab->links) {
        if (!vnrs_impair_is_none(&link->impair))
            (void)json_array_append_new(list, link_json(link->key, &link->impair, true));
    }
    return list;
}

// ---- calls

struct change { // `data` of a call that waits
    char key[VNRS_KEY_MAX];
    struct vnrs_impair before;
    uint64_t pass; // that ran when it was made
};

static const char *error_of(const struct vnrs_lab *lab, const char *key)
{
    static const enum vnrs_obj_type types[] = {VNRS_OBJ_IMPAIR, VNRS_OBJ_LINK};

    if (lab->build_error)
        return lab->build_error;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const struct vnrs_obj_state *object = vnrs_objects_find(lab, types[i], key);
        if (object && object->error)
            return object->error;
    }
    return NULL;
}

static void answer(struct vnrs_lab *lab, struct vnrs_api_call *call)
{
    const struct change *change = call->data;
    const struct vnrs_impair declared = declared_in(lab->model, change->key);
    const struct vnrs_impair now = vnrs_links_get(lab, change->key, &declared);
    const char *error = error_of(lab, change->key);

    if (!error) {
        vnrs_api_reply(call, 200, link_json(change->key, &now, find(lab, change->key)));
        return;
    }
    // As it was before: what cannot be is not tried for ever.
    char text[512];
    (void)snprintf(text, sizeof(text), "%s", error);
    if (set(lab, change->key, &change->before) == 0)
        vnrs_lab_relink(lab);
    vnrs_api_error(call, 409, "unsupported", text, "`vnrs doctor` tells what this kernel has; nothing was changed");
}

void vnrs_links_pass_ended(struct vnrs_lab *lab)
{
    for (size_t i = lab->relinkers.len; i-- > 0;) {
        struct vnrs_api_call *call = lab->relinkers.items[i];
        if (((const struct change *)call->data)->pass >= lab->passes)
            continue;
        lab->relinkers.items[i] = lab->relinkers.items[--lab->relinkers.len];
        answer(lab, call);
    }
}

void vnrs_links_fini(struct vnrs_lab *lab)
{
    while (lab->relinkers.len)
        vnrs_api_error(lab->relinkers.items[--lab->relinkers.len], 404, "not-found", "the lab was removed", NULL);
    vec_free(&lab->relinkers);
    vec_free(&lab->links);
}

struct wish {
    const char *name, *wrong, *help;
};

static bool refuse(struct vnrs_api_call *call, const struct wish *wish, const char *text)
{
    char message[160];

    (void)snprintf(message, sizeof(message), "'%.80s' of %s: %s", text, wish->name, wish->wrong);
    vnrs_api_error(call, 400, "bad-request", message, wish->help);
    return false;
}

// The wanted text, "none" being nothing; NULL: it is to stay as it is.
static const char *wanted(const struct vnrs_api_call *call, const char *name)
{
    return json_string_value(json_object_get(call->body, name));
}

static bool want_loss(struct vnrs_api_call *call, struct vnrs_impair *impair)
{
    static const struct wish wish = {"loss", VNRS_LOSS_WRONG, VNRS_LOSS_HELP};
    const char *text = wanted(call, "loss");

    if (text && strcmp(text, "none") == 0)
        impair->loss_ppm = 0;
    else if (text && vnrs_loss_parse(text, &impair->loss_ppm) < 0)
        return refuse(call, &wish, text);
    return true;
}

static bool want_rate(struct vnrs_api_call *call, struct vnrs_impair *impair)
{
    static const struct wish wish = {"rate", VNRS_RATE_WRONG, VNRS_RATE_HELP};
    const char *text = wanted(call, "rate");

    if (text && strcmp(text, "none") == 0)
        impair->rate_kbit = 0;
    else if (text && vnrs_rate_parse(text, &impair->rate_kbit) < 0)
        return refuse(call, &wish, text);
    return true;
}

static bool want_delay(struct vnrs_api_call *call, const char *name, uint32_t *ret_us)
{
    const struct wish wish = {name, VNRS_DELAY_WRONG, VNRS_DELAY_HELP};
    const char *text = wanted(call, name);

    if (text && strcmp(text, "none") == 0)
        *ret_us = 0;
    else if (text && vnrs_delay_parse(text, ret_us) < 0)
        return refuse(call, &wish, text);
    return true;
}

static bool want_set(struct vnrs_api_call *call, struct vnrs_impair *impair)
{
    if (!want_loss(call, impair) || !want_rate(call, impair) || !want_delay(call, "delay", &impair->delay_us) ||
        !want_delay(call, "jitter", &impair->jitter_us))
        return false;
    if (!impair->delay_us && !wanted(call, "jitter"))
        impair->jitter_us = 0; // it was of the delay
    if (impair->jitter_us <= impair->delay_us)
        return true;
    vnrs_api_error(call, 400, "bad-request", "jitter is more than the delay",
                   "no packet arrives before it was sent: 'delay' is at least as long");
    return false;
}

static bool want_change(struct vnrs_api_call *call, struct vnrs_impair *impair)
{
    const char *action = wanted(call, "action");

    if (action && strcmp(action, "set") == 0)
        return want_set(call, impair);
    if (action && strcmp(action, "reset") == 0)
        *impair = (struct vnrs_impair){0};
    else if (action && (strcmp(action, "down") == 0 || strcmp(action, "up") == 0))
        impair->down = strcmp(action, "down") == 0;
    else {
        vnrs_api_error(call, 400, "bad-request", "'action' is down, up, set or reset", NULL);
        return false;
    }
    return true;
}

// The link meant, or NULL after an answer.
static const char *want_link(struct vnrs_api_call *call, const char *name)
{
    const struct vnrs_nic *nic = name && call->lab->model ? vnrs_model_find_nic(call->lab->model, name) : NULL;
    char message[160];

    name = nic ? nic->name : name;
    if (name && !(nic && nic->attach) && vnrs_lab_link_number(call->lab, name))
        return name;
    if (nic && nic->attach)
        (void)snprintf(message, sizeof(message), "NIC '%.80s' is attached: its link is not ours", name);
    else
        (void)snprintf(message, sizeof(message), "lab '%s' has no NIC '%.80s'", call->lab->name, name ? name : "");
    vnrs_api_error(call, 400, "bad-request", message,
                   nic ? "`tc qdisc` impairs links that vnrs did not make" : HELP_INSPECT);
    return NULL;
}

void vnrs_api_link(struct vnrs_api_call *call)
{
    const char *key = want_link(call, vnrs_api_param(call, "nic", false));

    if (!key)
        return;
    const struct vnrs_impair declared = declared_in(call->lab->model, key);
    const struct vnrs_impair now = vnrs_links_get(call->lab, key, &declared);
    vnrs_api_reply(call, 200, link_json(key, &now, find(call->lab, key)));
}

void vnrs_api_link_change(struct vnrs_api_call *call)
{
    struct vnrs_lab *lab = call->lab;
    const char *key = want_link(call, wanted(call, "nic"));
    struct change *change = key ? calloc(1, sizeof(*change)) : NULL;

    if (!key)
        return;
    call->data = change;
    const struct vnrs_impair declared = declared_in(lab->model, key);
    struct vnrs_impair impair = vnrs_links_get(lab, key, &declared);
    if (change) {
        change->before = impair;
        change->pass = lab->passes;
        vnrs_str_copy(change->key, sizeof(change->key), key);
    }
    if (!want_change(call, &impair))
        return;
    if (!change || set(lab, key, &impair) < 0 || vec_push(&lab->relinkers, call) < 0) {
        vnrs_api_error(call, 500, "failed", "out of memory", NULL);
        return;
    }
    char text[VNRS_IMPAIR_STR_MAX];
    vnrs_event_add(lab->control, lab, "link", "%s: %s", key,
                   vnrs_impair_is_none(&impair) ? "up" : vnrs_impair_format(&impair, text));
    vnrs_lab_relink(lab);
}
