// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netns.h"

#include "agent/monitor.h"
#include "agent/names.h"
#include "lab/ahead.h"
#include "lab/netns.h"
#include "lab/sysctl.h"
#include "util/fd.h"

#include <errno.h>

int vnrs_agentd_watch_here(struct vnrs_agentd_object *object, int ns_fd,
                           const struct vnrs_agentd_watch_options *options)
{
    if (object->watch && vnrs_agentd_watch_is_of(object->watch, ns_fd))
        return 0;
    vnrs_agentd_watch_free(object->watch);
    object->watch = NULL;
    return vnrs_agentd_watch_new(object->lab, &object->obj, ns_fd, options, &object->watch);
}

// How many were written.
static int set_carrier(int fd, struct vnrs_err *err)
{
    static const char *const paths[] = {"net/ipv4/conf/all/ignore_routes_with_linkdown",
                                        "net/ipv6/conf/all/ignore_routes_with_linkdown"};
    int written = 0;

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        int code = vnrs_sysctl_set(fd, paths[i], "1");
        if (code < 0 && code != -ENOENT)
            return vnrs_err_errno(err, code, "sysctl '%s'", paths[i]);
        written += code > 0;
    }
    return written;
}

static enum vnrs_sysctl_profile profile_of(const struct vnrs_obj_netns *spec)
{
    return spec->flags & VNRS_NETNS_FORWARD ? VNRS_SYSCTL_ROUTER : VNRS_SYSCTL_HOST;
}

void vnrs_agentd_netns_ahead(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg)
{
    const struct vnrs_ag_obj *obj = msg->fixed;
    char name[VNRS_NETNS_NAME_MAX];

    if (msg->hdr.type != VNRS_AG_ENSURE || obj->type != VNRS_OBJ_NETNS || ad->priv.injector ||
        (!ad->ahead && vnrs_ahead_new(&ad->ahead) < 0))
        return;
    vnrs_ahead_want(ad->ahead, vnrs_mark_netns(obj->lab, obj->key, name), profile_of(&msg->spec->netns));
}

// One that was made ahead gets the name, and is the caller's in *ret_fd. 1: so it is, and has its settings; 0: there is
// none, or the name has another namespace by now.
static int take_ahead(const struct vnrs_agentd_object *object, const char *name, int *ret_fd)
{
    struct vnrs_ahead *ahead = object->lab->ad->ahead;
    _close_ int fd = ahead ? vnrs_ahead_take(ahead, name, profile_of(&object->spec.netns)) : -1, other = -1;

    if (fd < 0 || vnrs_netns_open(name, &other) != -ENOENT)
        return 0;
    int code = vnrs_netns_name(name, fd);
    if (code < 0)
        return code;
    *ret_fd = TAKE_FD(fd);
    return 1;
}

// How many settings, `lo` among them, were not right. One that was made ahead has them.
static int settle(const struct vnrs_agentd_object *object, const char *name, int fd, struct vnrs_err *err)
{
    int written = vnrs_sysctl_profile_apply(fd, profile_of(&object->spec.netns), err);

    if (written < 0)
        return written;
    int up = vnrs_netns_lo_up(fd);
    return up < 0 ? vnrs_err_errno(err, up, "lo in namespace '%s'", name) : written + up;
}

int vnrs_agentd_netns_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    const struct vnrs_agentd_watch_options options = {.groups = {.links = true, .own_routes = true}};
    char name[VNRS_NETNS_NAME_MAX];
    _close_ int fd = -1;
    int ahead = take_ahead(object, vnrs_mark_netns(object->lab->name, object->obj.key, name), &fd);
    int created = ahead ? ahead : vnrs_netns_create(name, &fd);

    if (created < 0)
        return vnrs_err_errno(err, created, "namespace '%s'", name);
    vnrs_agentd_names_watch(object->lab->ad);
    int written = ahead ? 0 : settle(object, name, fd, err);
    if (written < 0)
        return written;
    int more = object->spec.netns.flags & VNRS_NETNS_CARRIER ? set_carrier(fd, err) : 0;
    if (more < 0)
        return more;
    int code = vnrs_agentd_watch_here(object, fd, &options);
    if (code < 0)
        return vnrs_err_errno(err, code, "watching namespace '%s'", name);
    object->fresh = created;
    *ret_outcome = created ? VNRS_AG_CREATED : written || more ? VNRS_AG_CHANGED : VNRS_AG_UNCHANGED;
    return 0;
}

int vnrs_agentd_netns_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    char name[VNRS_NETNS_NAME_MAX];
    int code = vnrs_netns_delete(vnrs_mark_netns(object->lab->name, object->obj.key, name));

    return code < 0 ? vnrs_err_errno(err, code, "namespace '%s'", name) : code;
}
