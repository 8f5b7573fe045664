// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/found.h"

#include "agent/fabric.h"
#include "agent/object.h"
#include "lab/netns.h"
#include "util/arena.h"
#include "util/fd.h"
#include "util/strbuf.h"

#include <errno.h>
#include <string.h>

// Found by mark, not written down: a link by its alias in any namespace of the lab.

struct search {
    const char *lab;
    int (*fn)(struct vnrs_rtnl *nl, void *arg);
    void *arg;
};

static int search_one(const char *name, void *arg)
{
    struct search *search = arg;
    char full[VNRS_NETNS_NAME_MAX];
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;

    int code = vnrs_netns_open(vnrs_mark_netns(search->lab, name, full), &fd);
    if (code == 0)
        code = vnrs_rtnl_open(fd, &nl);
    if (code == 0)
        code = search->fn(&nl, search->arg);
    vnrs_rtnl_close(&nl);
    return code == -ENOENT ? 0 : code;
}

// The fabric first: an end in it is end a.
static int search_all(const char *lab, int (*fn)(struct vnrs_rtnl *nl, void *arg), void *arg)
{
    struct search search = {lab, fn, arg};
    int code = search_one("", &search);

    return code ? code : vnrs_netns_walk(lab, search_one, &search);
}

struct link_removal {
    const struct vnrs_ag_obj *obj;
    struct vnrs_err *err;
};

static int remove_link_in(struct vnrs_rtnl *nl, void *arg)
{
    const struct link_removal *removal = arg;
    return vnrs_link_remove(removal->obj->lab, removal->obj->key, NULL, nl, removal->err);
}

int vnrs_agentd_unknown_remove(struct vnrs_agentd *ad, const struct vnrs_ag_obj *obj, struct vnrs_err *err)
{
    struct link_removal removal = {obj, err};
    char name[VNRS_NETNS_NAME_MAX];

    if (ad->priv.injector)
        return 0;
    switch ((enum vnrs_obj_type)obj->type) {
    case VNRS_OBJ_FABRIC: {
        struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, obj->lab, true);
        enum vnrs_ag_outcome outcome = VNRS_AG_UNCHANGED;
        int code = lab ? vnrs_agentd_fabric_remove(lab, &outcome, err) : -ENOMEM;
        return code < 0 ? code : outcome == VNRS_AG_REMOVED;
    }
    case VNRS_OBJ_NETNS:
        return vnrs_netns_delete(vnrs_mark_netns(obj->lab, obj->key, name));
    case VNRS_OBJ_LINK:
        return search_all(obj->lab, remove_link_in, &removal);
    default:
        return 0;
    }
}

// Listing.

struct listing {
    struct vnrs_agentd_lab *lab; // NULL: nothing is written down
    const char *name;
    struct vnrs_agentd_found *found;
    struct vnrs_map links; // keys seen, borrowed from `keys`
    struct vnrs_arena *keys;
    int failed;
};

static void list_found(struct listing *l, struct vnrs_ag_found found, const char *key)
{
    (void)vnrs_str_copy(found.obj.lab, sizeof(found.obj.lab), l->name);
    if (vnrs_str_copy(found.obj.key, sizeof(found.obj.key), key) && vec_push(l->found, found) < 0)
        l->failed = -ENOMEM;
}

static void list_one(struct listing *l, uint32_t type, const char *key, uint32_t ifindex)
{
    list_found(l, (struct vnrs_ag_found){.obj.type = type, .ifindex = ifindex}, key);
}

static int list_netns(const char *name, void *arg)
{
    struct listing *l = arg;

    if (name[0])
        list_one(l, VNRS_OBJ_NETNS, name, 0);
    else
        list_one(l, VNRS_OBJ_FABRIC, "fabric", 0);
    return l->failed;
}

static void list_link(const char *key, uint32_t ifindex, void *arg)
{
    struct listing *l = arg;
    const struct vnrs_agentd_object *object = l->lab ? vnrs_agentd_object_find(l->lab, VNRS_OBJ_LINK, key) : NULL;

    if (vnrs_map_find(&l->links, key, strlen(key)))
        return; // the other end
    char *kept = vnrs_arena_strndup(l->keys, key, strlen(key));
    if (!kept || vnrs_map_put(&l->links, kept, strlen(kept), kept) < 0)
        l->failed = -ENOMEM;
    list_one(l, VNRS_OBJ_LINK, key, object && object->index.a ? object->index.a : ifindex);
}

static int list_links(struct vnrs_rtnl *nl, void *arg)
{
    struct listing *l = arg;
    int code = vnrs_link_walk(l->name, nl, list_link, l);

    return code < 0 ? code : l->failed;
}

static void list_written(struct listing *l)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while (l->lab && (e = vnrs_map_next(&l->lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        struct vnrs_ag_found found = {.obj.type = object->obj.type};
        if (vnrs_agentd_object_is_there(object, &found))
            list_found(l, found, object->obj.key);
    }
}

int vnrs_agentd_list(struct vnrs_agentd *ad, const char *lab, struct vnrs_agentd_found *found, struct vnrs_err *err)
{
    struct listing l = {.lab = vnrs_agentd_lab_find(ad, lab, false), .name = lab, .found = found};
    int code = 0;

    l.keys = vnrs_arena_new();
    if (!l.keys)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    if (!ad->priv.injector) {
        code = vnrs_netns_walk(lab, list_netns, &l);
        if (code == 0)
            code = search_all(lab, list_links, &l);
    }
    list_written(&l);
    vnrs_map_fini(&l.links);
    vnrs_arena_free(l.keys);
    code = code < 0 ? code : l.failed;
    return code < 0 ? vnrs_err_errno(err, code, "listing lab '%s'", lab) : 0;
}
