// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/object.h"

#include "agent/fabric.h"
#include "agent/found.h"
#include "agent/guests.h"
#include "agent/impair.h"
#include "agent/monitor.h"
#include "agent/netns.h"
#include "agent/runs.h"
#include "agent/tunnel.h"
#include "lab/netns.h"
#include "lab/route.h"
#include "lab/rules.h"
#include "lab/snat.h"

#include <errno.h>
#include <string.h>

struct type {
    // Make the kernel agree with object->spec.
    int (*ensure)(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                  enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err);
    // Remove what object->spec says. 1: removed, 0: was not there.
    int (*remove)(struct vnrs_agentd_object *object, struct vnrs_err *err);
    // Whether `spec` is somewhere else than the object: it is then removed first. NULL: never.
    bool (*is_moved)(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec);
    // Whether it is there. NULL: found by marks.
    bool (*is_there)(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found);
    bool injector; // works with CAP_NET_ADMIN alone
};

static bool is_other_ns(const struct vnrs_ag_netns *x, const struct vnrs_ag_netns *y)
{
    return memcmp(x, y, sizeof(*x)) != 0;
}

// Opens a namespace and a netlink socket in it.
static int open_place(const struct vnrs_agentd_lab *lab, const struct vnrs_ag_netns *ns, int *ret_fd,
                      struct vnrs_rtnl *ret_nl, struct vnrs_err *err)
{
    _close_ int fd = -1;
    int code = vnrs_netns_resolve(lab->name, ns, &fd, err);

    if (code < 0)
        return code;
    code = vnrs_rtnl_open(fd, ret_nl);
    if (code < 0)
        return vnrs_err_errno(err, code, "netlink socket");
    *ret_fd = TAKE_FD(fd);
    return 0;
}

// To remove something there: 0 where the namespace is gone, and what was in it with it.
static int reopen_place(const struct vnrs_agentd_lab *lab, const struct vnrs_ag_netns *ns, int *ret_fd,
                        struct vnrs_rtnl *ret_nl, struct vnrs_err *err)
{
    struct vnrs_err why = {0};
    int code = open_place(lab, ns, ret_fd, ret_nl, &why);

    if (code == 0)
        return 1;
    if (vnrs_netns_is_gone(code))
        return 0;
    *err = why;
    return code;
}

// Fabric.

static int fabric_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                         enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    (void)msg;
    return vnrs_agentd_fabric_ensure(object, ret_outcome, err);
}

static int fabric_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    enum vnrs_ag_outcome outcome = VNRS_AG_UNCHANGED;
    int code = vnrs_agentd_fabric_remove(object->lab, &outcome, err);

    return code < 0 ? code : outcome == VNRS_AG_REMOVED;
}

static bool fabric_is_moved(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec)
{
    return object->spec.fabric.dataplane != spec->fabric.dataplane;
}

static int netns_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                        enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    (void)msg;
    return vnrs_agentd_netns_ensure(object, ret_outcome, err);
}

// Links.

// One end of a link; what is open for longer is only borrowed.
struct end {
    struct vnrs_rtnl *nl, own_nl;
    int fd, own_fd; // of the namespace
};

static int open_end(struct vnrs_agentd_lab *lab, const struct vnrs_ag_netns *ns, struct end *end, struct vnrs_err *err)
{
    bool is_fabric = ns->kind == VNRS_AG_NETNS_OURS && !ns->name[0];

    end->nl = is_fabric ? vnrs_agentd_fabric_socket(lab) : NULL;
    end->fd = lab->fabric_fd;
    if (end->nl)
        return 0;
    end->nl = &end->own_nl;
    int code = open_place(lab, ns, &end->own_fd, &end->own_nl, err);
    end->fd = end->own_fd;
    return code;
}

static void close_end(struct end *end)
{
    vnrs_rtnl_close(&end->own_nl);
    if (end->own_fd >= 0)
        (void)close(end->own_fd);
}

// NULL: it is somebody else's, or the fabric.
static const struct vnrs_agentd_object *netns_of(const struct vnrs_agentd_lab *lab, const struct vnrs_ag_netns *ns)
{
    return ns->kind == VNRS_AG_NETNS_OURS ? vnrs_agentd_object_find(lab, VNRS_OBJ_NETNS, ns->name) : NULL;
}

// What we did ourselves is no news to the watches of both namespaces.
static void drain_link(struct vnrs_agentd_object *object, const struct vnrs_ag_netns *ns)
{
    const struct vnrs_agentd_lab *lab = object->lab;
    const struct vnrs_agentd_object *netns = netns_of(lab, ns);

    if (ns->kind != VNRS_AG_NETNS_OURS)
        return;
    struct vnrs_agentd_watch *watch = !ns->name[0] ? lab->fabric_watch : netns ? netns->watch : NULL;
    if (watch)
        vnrs_agentd_watch_drain(watch, object);
}

static int attach_made(void *arg, struct vnrs_rtnl *nl, uint32_t ifindex, struct vnrs_err *err)
{
    const struct vnrs_agentd_object *object = arg;
    const struct vnrs_obj_link *spec = &object->spec.link;

    return spec->kind == VNRS_LINK_NIC ? vnrs_agentd_fabric_attach_new(object->lab, spec->a.ifname, ifindex, nl, err)
                                       : 0;
}

static int link_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                       enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = object->lab;
    const struct vnrs_obj_link *spec = &object->spec.link;
    struct end a = {.own_nl.fd = -1, .own_fd = -1}, b = a;

    (void)msg;
    int code = open_end(lab, &spec->a.ns, &a, err);
    if (code == 0)
        code = open_end(lab, &spec->b.ns, &b, err);
    if (code == 0) {
        const struct vnrs_agentd_object *netns = netns_of(lab, &spec->b.ns);
        const bool fresh = netns && netns->fresh && !object->index.a;
        const struct vnrs_link_place place = {a.nl, b.nl, b.fd, attach_made, object, fresh};
        code = vnrs_link_ensure(lab->name, object->obj.key, spec, &place, ret_outcome, &object->index, err);
    }
    if (code == 0 && *ret_outcome != VNRS_AG_CREATED && spec->kind == VNRS_LINK_NIC)
        code = vnrs_agentd_fabric_attach(lab, spec->a.ifname, object->index.a, err);
    if (code == 0 && spec->kind == VNRS_LINK_TUNNEL && *ret_outcome == VNRS_AG_CREATED)
        vnrs_agentd_tunnel_link_made(object);
    close_end(&a);
    close_end(&b);
    if (code < 0 || *ret_outcome != VNRS_AG_UNCHANGED) {
        drain_link(object, &spec->a.ns);
        drain_link(object, &spec->b.ns);
    }
    return code;
}

// From either end: the other namespace may be gone already, and the link with it.
static int link_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    const struct vnrs_link_end *ends[] = {&object->spec.link.a, &object->spec.link.b};
    int removed = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ends) && removed == 0; i++) {
        const struct vnrs_link_hint hint = {i ? object->index.b : object->index.a, ends[i]->ifname};
        struct vnrs_rtnl nl = {.fd = -1};
        _close_ int fd = -1;
        removed = reopen_place(object->lab, &ends[i]->ns, &fd, &nl, err);
        if (removed <= 0)
            continue;
        removed = vnrs_link_remove(object->lab->name, object->obj.key, &hint, &nl, err);
        vnrs_rtnl_close(&nl);
    }
    return removed;
}

static bool end_is_moved(const struct vnrs_link_end *x, const struct vnrs_link_end *y)
{
    return is_other_ns(&x->ns, &y->ns) || strcmp(x->ifname, y->ifname) != 0;
}

static bool link_is_moved(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec)
{
    return end_is_moved(&object->spec.link.a, &spec->link.a) || end_is_moved(&object->spec.link.b, &spec->link.b);
}

// Routes.

static int route_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                        enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;
    int code = open_place(object->lab, &object->spec.route.ns, &fd, &nl, err);

    (void)msg;
    if (code == 0)
        code = vnrs_route_ensure(&object->spec.route, &nl, ret_outcome, err);
    vnrs_rtnl_close(&nl);
    return code;
}

static int route_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;
    int code = reopen_place(object->lab, &object->spec.route.ns, &fd, &nl, err);

    if (code <= 0)
        return code;
    code = vnrs_route_remove(&object->spec.route, &nl, err);
    vnrs_rtnl_close(&nl);
    return code;
}

static bool route_is_moved(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec)
{
    const struct vnrs_obj_route *x = &object->spec.route, *y = &spec->route;

    return is_other_ns(&x->ns, &y->ns) || memcmp(&x->prefix, &y->prefix, sizeof(x->prefix)) != 0 ||
           x->metric != y->metric;
}

static bool route_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    struct vnrs_rtnl nl = {.fd = -1};
    struct vnrs_err gone = {0};
    _close_ int fd = -1;

    (void)found;
    if (open_place(object->lab, &object->spec.route.ns, &fd, &nl, &gone) < 0)
        return false;
    bool right = vnrs_route_is_right(&object->spec.route, &nl) > 0;
    vnrs_rtnl_close(&nl);
    return right;
}

// Source NAT.

static int snat_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                       enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    char table[VNRS_SNAT_TABLE_MAX];
    const struct vnrs_agentd_watch_options options = {.nft_table = vnrs_snat_table(object->obj.key, table)};
    _close_ int fd = -1;
    int code = vnrs_netns_resolve(object->lab->name, &object->spec.snat.ns, &fd, err);

    (void)msg;
    if (code < 0)
        return code;
    code = vnrs_agentd_watch_here(object, fd, &options);
    if (code < 0)
        return vnrs_err_errno(err, code, "watching nftables of '%s'", object->obj.key);
    code = vnrs_snat_ensure(object->obj.key, &object->spec.snat, fd, &object->listing, ret_outcome, err);
    if (code == 0 && *ret_outcome == VNRS_AG_UNCHANGED)
        return 0;
    vnrs_agentd_watch_discard(object->watch);
    return code == 0 ? vnrs_agentd_object_store(object) : code;
}

static int snat_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;
    int code = reopen_place(object->lab, &object->spec.snat.ns, &fd, &nl, err);

    vnrs_rtnl_close(&nl);
    return code > 0 ? vnrs_snat_remove(object->obj.key, fd, err) : code;
}

// Any change is a new table: the stored hash belongs to the old spec.
static bool snat_is_moved(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec)
{
    return is_other_ns(&object->spec.snat.ns, &spec->snat.ns);
}

static bool snat_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    struct vnrs_err err = {0};
    _close_ int fd = -1;
    uint64_t hash;

    (void)found;
    return vnrs_netns_resolve(object->lab->name, &object->spec.snat.ns, &fd, &err) == 0 &&
           vnrs_snat_listing(object->obj.key, fd, &hash, &err) == 0 && hash;
}

// Guest tables.

static int table_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                        enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;
    int code = vnrs_agentd_table_ensure(object, ret_outcome, err);

    (void)msg;
    if (code < 0 || !object->spec.table.from_link)
        return code;
    code = open_place(object->lab, &object->spec.table.ns, &fd, &nl, err);
    if (code == 0)
        code = vnrs_rules_ensure(object->spec.table.ifname, object->spec.table.table, &nl, err);
    vnrs_rtnl_close(&nl);
    if (code > 0)
        *ret_outcome = VNRS_AG_CHANGED;
    return MIN(code, 0);
}

static int table_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;
    int code = vnrs_agentd_table_remove(object, err);

    if (code < 0 || !object->spec.table.from_link)
        return code < 0 ? code : 1;
    code = reopen_place(object->lab, &object->spec.table.ns, &fd, &nl, err);
    if (code <= 0)
        return code < 0 ? code : 1;
    code = vnrs_rules_remove(&nl, err);
    vnrs_rtnl_close(&nl);
    return code < 0 ? code : 1;
}

// A sink that knows the table moves its routes itself.
static bool table_is_moved(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec)
{
    const struct vnrs_obj_table *x = &object->spec.table, *y = &spec->table;

    return is_other_ns(&x->ns, &y->ns) || x->from_link != y->from_link ||
           (!object->live && (x->table != y->table || x->metric != y->metric || x->protocol != y->protocol ||
                              strcmp(x->ifname, y->ifname) != 0));
}

static bool table_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    found->running = object->live;
    return true;
}

// Processes.

static int proc_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                       enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    return vnrs_agentd_proc_ensure(object, msg->data, msg->data_size, ret_outcome, err);
}

static bool proc_is_moved(const struct vnrs_agentd_object *object, const union vnrs_agentd_spec *spec)
{
    return is_other_ns(&object->spec.proc.ns, &spec->proc.ns) || object->spec.proc.kind != spec->proc.kind;
}

static bool proc_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    found->running = vnrs_agentd_proc_runs(object);
    found->tunnel = vnrs_agentd_tunnel_state(object);
    return true;
}

static int speaker_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                          enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    (void)msg;
    return vnrs_agentd_speaker_ensure(object, ret_outcome, err);
}

static int speaker_remove(struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    bool running = object->speaker != NULL;

    (void)err;
    vnrs_agentd_speaker_free(object->speaker);
    object->speaker = NULL;
    return running;
}

static bool speaker_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    found->running = vnrs_agentd_speaker_runs(object);
    return true;
}

// Impairments.

static int impair_ensure(struct vnrs_agentd_object *object, const struct vnrs_agentd_msg *msg,
                         enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    (void)msg;
    return vnrs_agentd_impair_ensure(object, ret_outcome, err);
}

static bool impair_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    (void)found;
    return vnrs_agentd_impair_is_there(object);
}

static const struct type types[_VNRS_OBJ_MAX] = {
    [VNRS_OBJ_FABRIC] = {fabric_ensure, fabric_remove, fabric_is_moved, NULL, false},
    [VNRS_OBJ_NETNS] = {netns_ensure, vnrs_agentd_netns_remove, NULL, NULL, false},
    [VNRS_OBJ_LINK] = {link_ensure, link_remove, link_is_moved, NULL, false},
    [VNRS_OBJ_ROUTE] = {route_ensure, route_remove, route_is_moved, route_is_there, false},
    [VNRS_OBJ_SNAT] = {snat_ensure, snat_remove, snat_is_moved, snat_is_there, false},
    [VNRS_OBJ_TABLE] = {table_ensure, table_remove, table_is_moved, table_is_there, true},
    [VNRS_OBJ_PROC] = {proc_ensure, vnrs_agentd_proc_remove, proc_is_moved, proc_is_there, false},
    [VNRS_OBJ_SPEAKER] = {speaker_ensure, speaker_remove, NULL, speaker_is_there, true},
    [VNRS_OBJ_IMPAIR] = {impair_ensure, vnrs_agentd_impair_remove, NULL, impair_is_there, false},
};

// Requests.

static const struct vnrs_ag_netns *ns_of(uint32_t type, const union vnrs_agentd_spec *spec)
{
    return type == VNRS_OBJ_TABLE ? &spec->table.ns : &spec->speaker.ns;
}

static int check_injector(const struct vnrs_agentd *ad, uint32_t type, const union vnrs_agentd_spec *spec,
                          struct vnrs_err *err)
{
    if (!ad->priv.injector)
        return 0;
    if (!types[type].injector)
        return vnrs_err_set(err, -EPERM,
                            "%s: vnrsd has no CAP_SYS_ADMIN here and can only inject routes (dataplane: none)",
                            vnrs_agentd_type_name(type));
    if (ns_of(type, spec)->kind != VNRS_AG_NETNS_SELF)
        return vnrs_err_set(err, -EPERM,
                            "%s: without CAP_SYS_ADMIN only vnrsd's own namespace can be used (netns: self)",
                            vnrs_agentd_type_name(type));
    return 0;
}

int vnrs_agentd_ensure(struct vnrs_agentd *ad, const struct vnrs_agentd_msg *msg, enum vnrs_ag_outcome *ret_outcome,
                       struct vnrs_err *err)
{
    const struct vnrs_ag_obj *obj = msg->fixed;
    const struct type *type = &types[obj->type];
    union vnrs_agentd_spec spec = {0};
    int code = check_injector(ad, obj->type, msg->spec, err);

    if (code < 0)
        return code;
    memcpy(&spec, msg->spec, vnrs_agentd_spec_size(obj->type));
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, obj->lab, true);
    if (!lab)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    struct vnrs_agentd_object *object = vnrs_agentd_object_find(lab, obj->type, obj->key);
    bool changed = object && memcmp(&object->spec, &spec, vnrs_agentd_spec_size(obj->type)) != 0;
    if (changed && type->is_moved && type->is_moved(object, &spec)) {
        code = type->remove(object, err);
        if (code < 0)
            return code;
    }
    if (changed)
        object->listing = 0; // was of the old spec
    object = vnrs_agentd_object_put(lab, obj, &spec, err);
    if (!object)
        return -EIO;
    return type->ensure(object, msg, ret_outcome, err);
}

int vnrs_agentd_remove(struct vnrs_agentd *ad, const struct vnrs_ag_obj *obj, enum vnrs_ag_outcome *ret_outcome,
                       struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, obj->lab, false);
    struct vnrs_agentd_object *object = lab ? vnrs_agentd_object_find(lab, obj->type, obj->key) : NULL;
    int code = object ? types[obj->type].remove(object, err) : vnrs_agentd_unknown_remove(ad, obj, err);

    if (code < 0)
        return code;
    if (object)
        vnrs_agentd_object_drop(object);
    *ret_outcome = code ? VNRS_AG_REMOVED : VNRS_AG_UNCHANGED;
    return 0;
}

bool vnrs_agentd_object_is_there(const struct vnrs_agentd_object *object, struct vnrs_ag_found *found)
{
    const struct type *type = &types[object->obj.type];

    return type->is_there && type->is_there(object, found);
}
