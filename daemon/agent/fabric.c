// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/fabric.h"

#include "agent/flows.h"
#include "agent/guests.h"
#include "agent/monitor.h"
#include "agent/names.h"
#include "fib/bpf_counters.h"
#include "fib/bpf_pin.h"
#include "fib/bpf_sink.h"
#include "fib/kernel_drops.h"
#include "fib/kernel_fabric.h"
#include "fib/kernel_sink.h"
#include "fib/nlfilter.h"
#include "lab/netns.h"
#include "lab/snat.h"
#include "lab/sysctl.h"
#include "util/log.h"
#include "util/vec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIN_DIR "/sys/fs/bpf/vnrs"

enum { DATAPLANE_EBPF, DATAPLANE_KERNEL }; // enum vnrs_dataplane

static void pin_dir_of(const struct vnrs_agentd_lab *lab, char ret[static 128])
{
    (void)snprintf(ret, 128, "%s/%s", PIN_DIR, lab->name);
}

void vnrs_agentd_fabric_forget(struct vnrs_agentd_lab *lab)
{
    if (lab->fabric_sink)
        lab->fabric_sink->ops->free(lab->fabric_sink);
    lab->fabric_sink = NULL;
    vnrs_agentd_flows_pause(lab);
    lab->dataplane = vnrs_bpf_dataplane_close(lab->dataplane);
    vnrs_agentd_watch_free(lab->fabric_watch);
    lab->fabric_watch = NULL;
    vnrs_agentd_watch_free(lab->nft_watch);
    lab->nft_watch = NULL;
    vnrs_agentd_names_pins_leave(lab);
    vnrs_rtnl_close(&lab->fabric_nl);
    if (lab->fabric_fd >= 0)
        (void)close(TAKE_FD(lab->fabric_fd));
}

struct replace_args {
    struct vnrs_bpf_dataplane *dataplane;
    VEC(uint32_t) ifindexes;
};

static int replace_here(void *arg)
{
    const struct replace_args *a = arg;

    return vnrs_bpf_dataplane_replace(a->dataplane, a->ifindexes.items, a->ifindexes.len);
}

// After an update all NICs change over at once; what is wrong with one of them its own LINK object tells.
static void replace_program(struct vnrs_agentd_lab *lab)
{
    struct replace_args args = {.dataplane = lab->dataplane};
    struct vnrs_map_entry *e;
    size_t at = 0;
    int code = 0;

    while (code == 0 && (e = vnrs_map_next(&lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        if (object->obj.type == VNRS_OBJ_LINK && object->spec.link.kind == VNRS_LINK_NIC && object->spec.link.a.ifindex)
            code = vec_push(&args.ifindexes, object->spec.link.a.ifindex);
    }
    if (code == 0)
        code = vnrs_netns_run(lab->fabric_fd, replace_here, &args);
    if (code < 0)
        log_debug("lab '%s': replacing the packet path on %zu links: %s", lab->name, args.ifindexes.len,
                  strerror(-code));
    vec_free(&args.ifindexes);
}

static int open_ebpf(struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    char dir[128];
    const char *why = "cannot be loaded";

    pin_dir_of(lab, dir);
    int code = vnrs_bpf_dataplane_open(dir, &why, &lab->dataplane);
    if (code < 0)
        return vnrs_err_set(err, code, "eBPF data plane: %s", why);
    code = vnrs_bpf_events_forget(lab->dataplane);
    if (code == 0)
        code = vnrs_bpf_sink_new(lab->dataplane, &lab->fabric_sink);
    if (code < 0) // the next attempt opens it again
        lab->dataplane = vnrs_bpf_dataplane_close(lab->dataplane);
    else
        replace_program(lab);
    vnrs_agentd_flows_resume(lab);
    return code < 0 ? vnrs_err_errno(err, code, "eBPF data plane") : 0;
}

static int run_nft(void *arg, const char *script, char **ret_out, char *error, size_t error_size)
{
    struct vnrs_agentd_lab *lab = arg;
    struct vnrs_err err = {0};
    int code = vnrs_nft_run(lab->fabric_fd, script, ret_out, &err);

    if (code < 0)
        (void)snprintf(error, error_size, "%s", err.text);
    if (strncmp(script, "list ", 5) != 0)
        vnrs_agentd_watch_discard(lab->nft_watch);
    return code;
}

int vnrs_agentd_fabric_log(struct vnrs_agentd_lab *lab, bool on, uint32_t sample)
{
    _free_ char *script = vnrs_fabric_log_script(on, sample), *out = NULL;
    char error[128] = "";
    int code = script ? run_nft(lab, script, &out, error, sizeof(error)) : -ENOMEM;

    if (code < 0 && error[0])
        log_warn("lab '%s': %s", lab->name, error);
    return code;
}

static int open_kernel(struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    int fd = vnrs_rtnl_socket(lab->fabric_fd);

    if (fd < 0)
        return vnrs_err_errno(err, fd, "netlink socket in the fabric");
    int code = vnrs_kernel_sink_new(fd, &lab->fabric_sink);
    if (code < 0)
        return vnrs_err_errno(err, code, "kernel data plane");
    vnrs_kernel_sink_nft_set(lab->fabric_sink, run_nft, lab);
    if (!lab->flows) // what a killed agent wanted to see nobody reads
        code = vnrs_agentd_fabric_log(lab, false, 0);
    vnrs_agentd_flows_resume(lab);
    return code < 0 ? vnrs_err_errno(err, code, "kernel data plane") : 0;
}

// The other end has no IPv6 before it is up: what the kernel says of its own on a link must not come in as a packet.
static int mute_drop_end(void *arg, struct vnrs_rtnl *nl VNRS_UNUSED, uint32_t ifindex VNRS_UNUSED,
                         struct vnrs_err *err)
{
    const struct vnrs_agentd_lab *lab = arg;
    int code = vnrs_sysctl_set(lab->fabric_fd, "net/ipv6/conf/" VNRS_KERNEL_DROP_END "/disable_ipv6", "1");

    return code < 0 && code != -ENOENT ? vnrs_err_errno(err, code, "IPv6 of link '%s'", VNRS_KERNEL_DROP_END) : 0;
}

// It is the fabric's and no object of a lab, so that its alias names none. 1: it was made, or was not right.
static int keep_drop_link(struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    static const struct vnrs_obj_link spec = {
        .kind = VNRS_LINK_PLAIN,
        .mtu = VNRS_KERNEL_DROP_MTU,
        .a = {.ns.kind = VNRS_AG_NETNS_OURS,
              .ifname = VNRS_KERNEL_DROP_LINK,
              .ifindex = VNRS_KERNEL_DROP_IFINDEX,
              .mac.bytes = {0x02, [5] = 1}},
        .b = {.ns.kind = VNRS_AG_NETNS_OURS,
              .ifname = VNRS_KERNEL_DROP_END,
              .ifindex = VNRS_KERNEL_DROP_END_IFINDEX,
              .mac.bytes = {0x02, [5] = 2}},
    };
    enum vnrs_ag_outcome outcome = VNRS_AG_UNCHANGED;
    struct vnrs_rtnl nl = {.fd = -1};
    struct vnrs_link_index index;
    int code = vnrs_rtnl_open(lab->fabric_fd, &nl);

    if (code < 0)
        return vnrs_err_errno(err, code, "netlink socket in the fabric");
    const struct vnrs_link_place place = {
        .a = &nl, .b = &nl, .ns_b = lab->fabric_fd, .made = mute_drop_end, .arg = lab};
    code = vnrs_link_ensure("", "drop", &spec, &place, &outcome, &index, err);
    vnrs_rtnl_close(&nl);
    return code < 0 ? code : outcome != VNRS_AG_UNCHANGED;
}

// Where the packet path is the kernel's there is more to listen to.
static int open_watches(struct vnrs_agentd_lab *lab, const struct vnrs_agentd_object *object)
{
    bool kernel = object->spec.fabric.dataplane == DATAPLANE_KERNEL;
    const struct vnrs_agentd_watch_options options = {
        .groups = {.links = true, .routes = kernel, .neighbours = kernel}, .fabric = true, .apart = kernel};
    const struct vnrs_agentd_watch_options nft = {.nft_table = VNRS_KERNEL_NFT_TABLE, .fabric = true};
    int code = 0;

    if (!lab->fabric_watch)
        code = vnrs_agentd_watch_new(lab, &object->obj, lab->fabric_fd, &options, &lab->fabric_watch);
    if (code == 0 && kernel && !lab->nft_watch)
        code = vnrs_agentd_watch_new(lab, &object->obj, lab->fabric_fd, &nft, &lab->nft_watch);
    return code;
}

// Pins, and the eye on them. 1: one was made again.
static int keep_pins(struct vnrs_agentd_lab *lab, struct vnrs_err *err)
{
    char dir[128];

    if (!lab->dataplane)
        return 0;
    pin_dir_of(lab, dir);
    _free_ char *objects = vnrs_bpf_pin_path(dir, "");
    int code = objects ? vnrs_bpf_dataplane_repin(lab->dataplane) : -ENOMEM;
    if (code < 0)
        return vnrs_err_errno(err, code, "pins in '%s'", dir);
    vnrs_agentd_names_pins_watch(lab, objects);
    return code;
}

// Sink and watch, if they are not open. The namespace is lab->fabric_fd.
static int open_parts(struct vnrs_agentd_lab *lab, const struct vnrs_agentd_object *object, struct vnrs_err *err)
{
    int code = 0;

    if (!lab->fabric_sink)
        code = object->spec.fabric.dataplane == DATAPLANE_KERNEL ? open_kernel(lab, err) : open_ebpf(lab, err);
    if (code < 0)
        return code;
    code = open_watches(lab, object);
    return code < 0 ? vnrs_err_errno(err, code, "watching the fabric") : 0;
}

static int apply_sysctls(struct vnrs_agentd_lab *lab, uint32_t dataplane, struct vnrs_err *err)
{
    size_t n;

    if (dataplane == DATAPLANE_EBPF)
        return vnrs_sysctl_profile_apply(lab->fabric_fd, VNRS_SYSCTL_FABRIC, err);
    int written = vnrs_sysctl_profile_apply(lab->fabric_fd, VNRS_SYSCTL_FABRIC_KERNEL, err);
    const struct vnrs_sysctl *sysctls = vnrs_kernel_sink_sysctls(&n);
    for (size_t i = 0; i < n && written >= 0; i++) {
        int code = vnrs_sysctl_set(lab->fabric_fd, sysctls[i].path, sysctls[i].value);
        if (code < 0 && code != -ENOENT)
            return vnrs_err_errno(err, code, "sysctl '%s' of the fabric", sysctls[i].path);
        written += code > 0;
    }
    return written;
}

// Whether the descriptor still is what the name means.
static bool is_fabric_current(const struct vnrs_agentd_lab *lab, int named_fd)
{
    struct vnrs_netns_id have, want;

    return lab->fabric_fd >= 0 && vnrs_netns_id_get(lab->fabric_fd, &have) == 0 &&
           vnrs_netns_id_get(named_fd, &want) == 0 && have.dev == want.dev && have.ino == want.ino;
}

int vnrs_agentd_fabric_ensure(struct vnrs_agentd_object *object, enum vnrs_ag_outcome *ret_outcome,
                              struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = object->lab;
    char name[VNRS_NETNS_NAME_MAX];
    _close_ int fd = -1;
    int created = vnrs_netns_create(vnrs_mark_netns(lab->name, "", name), &fd);

    if (created < 0)
        return vnrs_err_errno(err, created, "namespace '%s'", name);
    vnrs_agentd_names_watch(lab->ad);
    if (!is_fabric_current(lab, fd)) {
        vnrs_agentd_fabric_forget(lab);
        lab->fabric_fd = TAKE_FD(fd);
    }
    int written = apply_sysctls(lab, object->spec.fabric.dataplane, err);
    if (written < 0)
        return written;
    int up = vnrs_netns_lo_up(lab->fabric_fd);
    if (up < 0)
        return vnrs_err_errno(err, up, "lo in namespace '%s'", name);
    int link = object->spec.fabric.dataplane == DATAPLANE_KERNEL ? keep_drop_link(lab, err) : 0;
    int code = link < 0 ? link : open_parts(lab, object, err);
    int pinned = code == 0 ? keep_pins(lab, err) : code;
    if (code == 0)
        vnrs_agentd_flows_keep(lab);
    if (pinned >= 0)
        *ret_outcome = created                           ? VNRS_AG_CREATED
                       : written || up || link || pinned ? VNRS_AG_CHANGED
                                                         : VNRS_AG_UNCHANGED;
    return MIN(pinned, 0);
}

int vnrs_agentd_fabric_remove(struct vnrs_agentd_lab *lab, enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    char name[VNRS_NETNS_NAME_MAX], dir[128];

    vnrs_agentd_fabric_forget(lab);
    pin_dir_of(lab, dir);
    int code = vnrs_bpf_dataplane_destroy(dir);
    if (code < 0)
        return vnrs_err_errno(err, code, "pins in '%s'", dir);
    (void)rmdir(PIN_DIR); // if that was the last lab
    code = vnrs_netns_delete(vnrs_mark_netns(lab->name, "", name));
    if (code < 0)
        return vnrs_err_errno(err, code, "namespace '%s'", name);
    *ret_outcome = code ? VNRS_AG_REMOVED : VNRS_AG_UNCHANGED;
    return 0;
}

struct attach_args {
    struct vnrs_bpf_dataplane *dataplane;
    uint32_t ifindex;
};

static int attach_here(void *arg)
{
    const struct attach_args *a = arg;

    // A filter lives with the link, needs no pin, and costs a hundredth of a TCX link (data-plane.md).
    return vnrs_bpf_dataplane_attach(a->dataplane, a->ifindex, VNRS_BPF_ATTACH_FILTER);
}

static int link_sysctls(struct vnrs_agentd_lab *lab, const char *ifname, struct vnrs_err *err)
{
    size_t n;
    const struct vnrs_sysctl *sysctls = vnrs_kernel_sink_link_sysctls(&n);

    for (size_t i = 0; i < n; i++) {
        char path[160];
        const char *at = strstr(sysctls[i].path, "%s");
        int before = at ? (int)(at - sysctls[i].path) : (int)strlen(sysctls[i].path);
        (void)snprintf(path, sizeof(path), "%.*s%s%s", before, sysctls[i].path, at ? ifname : "", at ? at + 2 : "");
        int code = vnrs_sysctl_set(lab->fabric_fd, path, sysctls[i].value);
        if (code < 0 && code != -ENOENT)
            return vnrs_err_errno(err, code, "sysctl '%s' of the fabric", path);
    }
    return 0;
}

// What belongs to a NIC in either data plane. 1: the program is to be attached.
static int prepare_link(struct vnrs_agentd_lab *lab, const char *ifname, uint32_t ifindex, struct vnrs_err *err)
{
    if (!lab->fabric_sink)
        return vnrs_err_set(err, -ENOENT, "the fabric of lab '%s' is not there", lab->name);
    vnrs_agentd_flows_link(lab, ifindex);
    return lab->dataplane ? 1 : link_sysctls(lab, ifname, err);
}

int vnrs_agentd_fabric_attach(struct vnrs_agentd_lab *lab, const char *ifname, uint32_t ifindex, struct vnrs_err *err)
{
    struct attach_args args = {lab->dataplane, ifindex};
    int code = prepare_link(lab, ifname, ifindex, err);

    if (code <= 0)
        return code;
    code = vnrs_netns_run(lab->fabric_fd, attach_here, &args);
    return code < 0 ? vnrs_err_errno(err, code, "packet path on link '%s'", ifname) : 0;
}

static int send_one(struct vnrs_rtnl *nl, struct vnrs_nlmsg *msg)
{
    struct nlmsghdr *head = (struct nlmsghdr *)msg->bytes;

    head->nlmsg_flags |= NLM_F_ACK;
    return vnrs_rtnl_talk(nl, head, NULL, NULL);
}

int vnrs_agentd_fabric_attach_new(struct vnrs_agentd_lab *lab, const char *ifname, uint32_t ifindex,
                                  struct vnrs_rtnl *nl, struct vnrs_err *err)
{
    struct vnrs_nlmsg msg;
    char what[64];
    int code = prepare_link(lab, ifname, ifindex, err);

    if (code <= 0)
        return code;
    vnrs_nlfilter_encode_ingress(ifindex, &msg);
    code = send_one(nl, &msg);
    if (code == 0) {
        vnrs_nlfilter_encode(ifindex, vnrs_bpf_dataplane_program(lab->dataplane), &msg);
        code = send_one(nl, &msg);
    }
    (void)snprintf(what, sizeof(what), "packet path on link '%s'", ifname);
    return code < 0 ? vnrs_rtnl_err(nl, err, code, what) : 0;
}

struct vnrs_rtnl *vnrs_agentd_fabric_socket(struct vnrs_agentd_lab *lab)
{
    char name[VNRS_NETNS_NAME_MAX];

    if (lab->fabric_fd < 0 || !vnrs_netns_has_name(lab->fabric_fd, vnrs_mark_netns(lab->name, "", name)))
        return NULL;
    if (lab->fabric_nl.fd < 0 && vnrs_rtnl_open(lab->fabric_fd, &lab->fabric_nl) < 0)
        return NULL;
    return &lab->fabric_nl;
}

// Routes.

static int give(struct vnrs_sink *sink, uint32_t kind, const void *item)
{
    switch ((enum vnrs_ag_fib_kind)kind) {
    case VNRS_AG_FIB_BEGIN:
        return sink->ops->sync_begin(sink);
    case VNRS_AG_FIB_GROUPS:
        return sink->ops->group_set(sink, item);
    case VNRS_AG_FIB_ROUTES:
        return sink->ops->route_set(sink, item);
    case VNRS_AG_FIB_NICS:
        return sink->ops->nic_set(sink, item);
    case VNRS_AG_FIB_ENDPOINTS:
        return sink->ops->endpoint_set(sink, item);
    case VNRS_AG_FIB_ACLS:
        return sink->ops->acl_set(sink, item);
    case VNRS_AG_FIB_END:
        return sink->ops->sync_end(sink);
    case VNRS_AG_FIB_FLUSH:
        return sink->ops->flush(sink);
    case VNRS_AG_FIB_SETTLE: // not for sinks
        break;
    }
    return -EINVAL;
}

// For guest tables alone.
static bool is_apart(uint32_t kind, const void *item)
{
    const struct vnrs_fib_group *group = item;

    if (kind == VNRS_AG_FIB_ROUTES)
        return ((const struct vnrs_fib_route *)item)->apart;
    return kind == VNRS_AG_FIB_GROUPS && group->n && group->members[0].kind == VNRS_BPF_NH_NIC &&
           !group->members[0].ifindex;
}

// Goes on after an error: the others are to be right nevertheless.
static int give_all(struct vnrs_sink *sink, const struct vnrs_ag_fib *fib, const void *data, bool is_fabric,
                    struct vnrs_err *err)
{
    size_t size = vnrs_agentd_fib_size(fib->kind);
    int first = 0;

    for (uint32_t i = 0; i < (size ? fib->n : 1); i++) {
        const void *item = (const char *)data + i * size;
        int code = is_fabric && is_apart(fib->kind, item) ? 0 : give(sink, fib->kind, item);
        if (code < 0 && first == 0)
            first = vnrs_agentd_sink_failed(sink, code, err);
    }
    return first;
}

int vnrs_agentd_fib(struct vnrs_agentd_lab *lab, const struct vnrs_ag_fib *fib, const void *data, bool *ret_behind,
                    struct vnrs_err *err)
{
    int first = vnrs_agentd_guests_open(lab, err);

    if (first < 0)
        return first;
    if (lab->fabric_sink)
        first = give_all(lab->fabric_sink, fib, data, true, err);
    struct vnrs_err other = {0}, *err2 = first < 0 ? &other : err;
    int code = give_all(lab->guest_sink, fib, data, false, err2);
    if (code == 0 && (fib->kind == VNRS_AG_FIB_END || fib->kind == VNRS_AG_FIB_FLUSH))
        code = vnrs_agentd_guests_flush(lab, ret_behind, err2);
    return first < 0 ? first : code;
}
