// SPDX-License-Identifier: GPL-2.0-or-later
// MRT dumps of a speaker: their bytes go to a sink, which gives credit as it has room. So a client that does not read
// costs no memory, here or in the speaker. What a speaker sends beyond its credit makes it untrustworthy.
#include "control/state.h"

#include "util/strbuf.h"

#include <errno.h>
#include <string.h>

static struct vnrs_spk_dumping *find_dump(struct vnrs_instance *instance, uint32_t id)
{
    vec_foreach (dump, &instance->dumps) {
        if (dump->id == id)
            return dump;
    }
    return NULL;
}

static struct vnrs_dump_sink take_dump(struct vnrs_instance *instance, struct vnrs_spk_dumping *dump)
{
    struct vnrs_dump_sink sink = dump->sink;

    *dump = instance->dumps.items[--instance->dumps.len];
    return sink;
}

static int order(struct vnrs_instance *instance, uint32_t id, enum vnrs_spk_dump_kind kind, const char *view,
                 uint32_t credit)
{
    struct vnrs_spk_dump ask = {.id = id, .kind = kind, .credit = credit};

    vnrs_str_copy(ask.view, sizeof(ask.view), view);
    return vnrs_instance_send(instance, VNRS_SPK_DUMP, &ask, 1, sizeof(ask));
}

int vnrs_instance_dump(struct vnrs_instance *instance, enum vnrs_spk_dump_kind kind, const char *view, uint32_t credit,
                       const struct vnrs_dump_sink *sink, uint32_t *ret_id)
{
    struct vnrs_spk_dumping dump = {.credit = credit, .sink = *sink};

    if (!instance->chan || !instance->hello)
        return -ENOTCONN;
    if (instance->dumps.len >= VNRS_INSTANCE_DUMPS_MAX)
        return -EBUSY;
    dump.id = ++instance->lab->control->query_id;
    int r = vec_push(&instance->dumps, dump);
    if (r < 0)
        return r;
    r = order(instance, dump.id, kind, view, credit);
    if (r < 0)
        instance->dumps.len--;
    else
        *ret_id = dump.id;
    return r;
}

void vnrs_instance_dump_more(struct vnrs_instance *instance, uint32_t id, uint32_t credit)
{
    struct vnrs_spk_dumping *dump = find_dump(instance, id);

    if (dump && order(instance, id, VNRS_SPK_DUMP_MORE, "", credit) == 0)
        dump->credit += credit;
}

void vnrs_instance_dump_stop(struct vnrs_instance *instance, uint32_t id)
{
    struct vnrs_spk_dumping *dump = find_dump(instance, id);

    if (!dump)
        return;
    (void)take_dump(instance, dump);
    (void)order(instance, id, VNRS_SPK_DUMP_STOP, "", 0); // without memory the speaker stops for want of credit
}

void vnrs_instance_end_dumps(struct vnrs_instance *instance, int error)
{
    while (instance->dumps.len) {
        struct vnrs_dump_sink sink = take_dump(instance, &instance->dumps.items[0]);
        sink.end(sink.arg, error);
    }
}

int vnrs_instance_on_dump_data(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_dump_data *pieces = items;

    for (size_t i = 0; i < n; i++) {
        struct vnrs_spk_dumping *dump = find_dump(instance, pieces[i].id);
        if (pieces[i].len > sizeof(pieces[i].bytes))
            return -EPROTO;
        if (!dump) // stopped meanwhile
            continue;
        if (pieces[i].len > dump->credit)
            return -EPROTO;
        dump->credit -= pieces[i].len;
        dump->sink.data(dump->sink.arg, pieces[i].bytes, pieces[i].len);
    }
    return 0;
}

int vnrs_instance_on_dump_end(struct vnrs_instance *instance, const void *items, size_t n)
{
    const struct vnrs_spk_dump_end *end = items;
    struct vnrs_spk_dumping *dump = find_dump(instance, end->id);

    (void)n;
    if (dump) {
        struct vnrs_dump_sink sink = take_dump(instance, dump);
        sink.end(sink.arg, MIN(end->error, 0));
    }
    return 0;
}
