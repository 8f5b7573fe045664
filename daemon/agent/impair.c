// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/impair.h"

#include "agent/fabric.h"
#include "fib/bpf_counters.h"
#include "lab/netns.h"
#include "lab/qdisc.h"

#include <errno.h>
#include <string.h>

struct end { // of a link, and a netlink socket in its namespace
    struct vnrs_rtnl nl;
    uint32_t ifindex;
};

static void close_ends(struct end ends[static 2])
{
    vnrs_rtnl_close(&ends[0].nl);
    vnrs_rtnl_close(&ends[1].nl);
}

static int open_end(const struct vnrs_agentd_lab *lab, const struct vnrs_link_end *spec, struct end *end,
                    struct vnrs_err *err)
{
    _close_ int fd = -1;
    int code = vnrs_netns_resolve(lab->name, &spec->ns, &fd, err);

    if (code < 0)
        return code;
    code = vnrs_rtnl_open(fd, &end->nl);
    if (code == 0)
        code = vnrs_link_find(&end->nl, spec->ifname, &end->ifindex);
    return code < 0 ? vnrs_err_errno(err, code, "link '%s'", spec->ifname) : 0;
}

// Both ends of the NIC. Whatever it returns, they are to be closed.
static int open_ends(const struct vnrs_agentd_object *object, struct end ends[static 2], struct vnrs_err *err)
{
    const struct vnrs_agentd_object *link = vnrs_agentd_object_find(object->lab, VNRS_OBJ_LINK, object->obj.key);

    ends[0] = ends[1] = (struct end){.nl.fd = -1};
    if (!link || link->spec.link.kind != VNRS_LINK_NIC)
        return vnrs_err_set(err, -ENODEV, "there is no NIC '%s'", object->obj.key);
    int code = open_end(object->lab, &link->spec.link.a, &ends[0], err);
    return code < 0 ? code : open_end(object->lab, &link->spec.link.b, &ends[1], err);
}

// Where the packet path is ours it draws the lost packets, and counts them; else netem does.
static bool qdisc_loses(const struct vnrs_agentd_lab *lab)
{
    return !lab->dataplane;
}

static struct vnrs_bpf_impair for_path(const struct vnrs_impair *impair)
{
    return (struct vnrs_bpf_impair){.flags = (impair->down ? VNRS_BPF_IMPAIR_DOWN : 0u) |
                                             (impair->rate_kbit || impair->delay_us ? VNRS_BPF_IMPAIR_QUEUE : 0u),
                                    .loss_ppm = impair->loss_ppm};
}

// After a restart the packet path may not be open yet.
static int open_path(const struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    struct vnrs_agentd_object *fabric = vnrs_agentd_object_find(lab, VNRS_OBJ_FABRIC, "fabric");
    enum vnrs_ag_outcome outcome;

    return lab->fabric_sink || !fabric ? 0 : vnrs_agentd_fabric_ensure(fabric, &outcome, err);
}

// 1: it was told something else before.
static int tell_path(const struct vnrs_agentd_lab *lab, uint32_t ifindex, const struct vnrs_impair *impair)
{
    struct vnrs_bpf_impair have = {0}, want = for_path(impair);

    if (!lab->dataplane)
        return 0;
    int err = vnrs_bpf_impair_get(lab->dataplane, ifindex, &have);
    if (err < 0 || memcmp(&have, &want, sizeof(want)) == 0)
        return err;
    err = vnrs_bpf_impair_set(lab->dataplane, ifindex, &want);
    return err < 0 ? err : 1;
}

static bool is_last(const struct vnrs_agentd_object *object)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&object->lab->objects, &at))) {
        const struct vnrs_agentd_object *other = e->value;
        if (other != object && other->obj.type == VNRS_OBJ_IMPAIR)
            return false;
    }
    return true;
}

// `impair` all zero: as if there were none. 1: something was changed.
static int set_ends(const struct vnrs_agentd_lab *lab, struct end ends[static 2], const struct vnrs_impair *impair,
                    struct vnrs_err *err)
{
    int changed = 0;

    for (int i = 0; i < 2; i++) {
        int code = vnrs_qdisc_set(&ends[i].nl, ends[i].ifindex, impair, qdisc_loses(lab), err);
        if (code < 0)
            return code;
        changed |= code;
    }
    int code = tell_path(lab, ends[0].ifindex, impair);
    return code < 0 ? vnrs_err_errno(err, code, "impairment in the packet path") : changed | code;
}

int vnrs_agentd_impair_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                              struct vnrs_err *err)
{
    static const struct vnrs_impair none;
    const struct vnrs_agentd_lab *lab = object->lab;
    struct vnrs_err ignored = {0};
    struct end ends[2];
    int code = open_ends(object, ends, err);

    if (code == 0)
        code = open_path(lab, err);
    if (code == 0)
        code = set_ends(lab, ends, &object->spec.impair, err);
    if (code < 0 && ends[0].ifindex && ends[1].ifindex && set_ends(lab, ends, &none, &ignored) < 0)
        *err = ignored; // half of it is left
    if (code >= 0 && lab->dataplane) {
        int on = vnrs_bpf_impair_switch(lab->dataplane, true);
        if (on < 0)
            code = vnrs_err_errno(err, on, "impairment in the packet path");
    }
    close_ends(ends);
    if (code >= 0)
        *ret_outcome = code ? VNRS_AG_CHANGED : VNRS_AG_UNCHANGED;
    return MIN(code, 0);
}

int vnrs_agentd_impair_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    static const struct vnrs_impair none;
    const struct vnrs_agentd_lab *lab = object->lab;
    struct vnrs_err gone = {0};
    struct end ends[2];
    int code = open_ends(object, ends, &gone);
    bool is_gone = code == -ENODEV || vnrs_netns_is_gone(code);

    if (code == 0)
        code = open_path(lab, err);
    if (code == 0)
        code = set_ends(lab, ends, &none, err);
    else if (!is_gone && gone.text[0])
        *err = gone;
    if (is_gone) // one end at least, and so the other; its number is free for another NIC
        code = ends[0].ifindex ? tell_path(lab, ends[0].ifindex, &none) : 0;
    close_ends(ends);
    if (code >= 0 && lab->dataplane && is_last(object)) {
        int off = vnrs_bpf_impair_switch(lab->dataplane, false);
        if (off < 0)
            return vnrs_err_errno(err, off, "impairment in the packet path");
    }
    return code;
}

bool vnrs_agentd_impair_is_there(const struct vnrs_agentd_object *object)
{
    const struct vnrs_agentd_lab *lab = object->lab;
    const struct vnrs_impair *impair = &object->spec.impair;
    struct vnrs_bpf_impair have = {0}, want = for_path(impair);
    struct vnrs_err gone = {0};
    struct end ends[2];
    bool there = open_ends(object, ends, &gone) == 0;

    for (int i = 0; there && i < 2; i++)
        there = vnrs_qdisc_is_right(&ends[i].nl, ends[i].ifindex, impair, qdisc_loses(lab));
    if (there && lab->dataplane)
        there =
            vnrs_bpf_impair_get(lab->dataplane, ends[0].ifindex, &have) == 0 && memcmp(&have, &want, sizeof(want)) == 0;
    close_ends(ends);
    return there;
}
