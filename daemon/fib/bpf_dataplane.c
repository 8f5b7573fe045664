// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_dataplane.h"

#include "fib/bpf_filter.h"
#include "fib/bpf_pin.h"
#include "util/log.h"
#include "vnrs/bpf_abi.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>

#include "forward.skel.h"

// Of newer kernel headers than those of the oldest distribution we build on.
#define ATTACH_TCX_INGRESS ((enum bpf_attach_type)46)

struct vnrs_bpf_dataplane {
    struct forward_bpf *skel;
    int program; // either the skeleton's, or the pinned one that is the same
    uint32_t program_id;
    bool replaces; // another one was pinned
    char *pins;    // NULL: nothing is pinned
};

static const char *const map_names[_VNRS_BPF_MAP_MAX] = {
    [VNRS_BPF_MAP_NICS] = "nics",
    [VNRS_BPF_MAP_TABLES] = "tables",
    [VNRS_BPF_MAP_LINES] = "lines",
    [VNRS_BPF_MAP_GROUPS] = "groups",
    [VNRS_BPF_MAP_NEXTHOPS] = "nexthops",
    [VNRS_BPF_MAP_ACCESS] = "access",
    [VNRS_BPF_MAP_CACHE] = "cache",
    [VNRS_BPF_MAP_NIC_COUNTERS] = "nic_counters",
    [VNRS_BPF_MAP_DROP_COUNTERS] = "drop_counters",
    [VNRS_BPF_MAP_FLOW_SWITCH] = "flow_switch",
    [VNRS_BPF_MAP_FLOW_EVENTS] = "flow_events",
    [VNRS_BPF_MAP_CAPTURES] = "captures",
    [VNRS_BPF_MAP_IMPAIRMENTS] = "impairments",
};

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
    char line[512];

    if (level == LIBBPF_DEBUG)
        return 0;
    (void)vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    log_debug("libbpf: %s", line);
    return 0;
}

// --- what went wrong, for a human ---

static char sentence[256];

static bool has_capability(unsigned cap)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    return syscall(SYS_capget, &header, data) == 0 && (data[cap / 32].effective >> (cap % 32) & 1);
}

static void explain_permission(void)
{
    static const struct {
        unsigned cap;
        const char *name;
    } needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_PERFMON, "CAP_PERFMON"}, {CAP_NET_ADMIN, "CAP_NET_ADMIN"}};
    char missing[64] = "";

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        if (has_capability(needed[i].cap))
            continue;
        size_t at = strlen(missing);
        (void)snprintf(missing + at, sizeof(missing) - at, "%s%s", at ? ", " : "", needed[i].name);
    }
    if (*missing)
        (void)snprintf(sentence, sizeof(sentence), "eBPF programs cannot be loaded without %s", missing);
    else
        (void)snprintf(
            sentence, sizeof(sentence),
            "the kernel does not let this process load eBPF programs (container, user namespace or lockdown)");
}

static const char *explain(const char *what, int err)
{
    if (err == -EPERM || (err == -EACCES && !has_capability(CAP_PERFMON)))
        explain_permission();
    else if (err == -ENOSYS)
        (void)snprintf(sentence, sizeof(sentence), "this kernel was built without eBPF");
    else if (err == -EACCES || err == -EINVAL)
        (void)snprintf(sentence, sizeof(sentence), "cannot %s: this kernel refuses it (6.1 or newer is needed): %s",
                       what, strerror(-err));
    else
        (void)snprintf(sentence, sizeof(sentence), "cannot %s: %s", what, strerror(-err));
    return sentence;
}

// --- load ---

static bool map_matches(const struct bpf_map *map, int fd)
{
    struct bpf_map_info info = {0};
    __u32 len = sizeof(info);

    return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.type == bpf_map__type(map) &&
           info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
           info.max_entries == bpf_map__max_entries(map) && info.map_flags == bpf_map__map_flags(map);
}

// An element for each processor there may ever be.
static int size_cache(struct vnrs_bpf_dataplane *dp)
{
    int cpus = libbpf_num_possible_cpus();

    return cpus < 0 ? cpus : bpf_map__set_max_entries(dp->skel->maps.cache, (uint32_t)cpus);
}

static int adopt_maps(struct vnrs_bpf_dataplane *dp)
{
    struct bpf_map *map;

    bpf_object__for_each_map(map, dp->skel->obj)
    {
        _free_ char *path = vnrs_bpf_pin_path(dp->pins, bpf_map__name(map));
        if (!path)
            return -ENOMEM;
        _close_ int fd = bpf_obj_get(path);
        if (fd < 0 || bpf_map__is_internal(map) || !map_matches(map, fd))
            continue;
        int err = bpf_map__reuse_fd(map, fd);
        if (err)
            return err;
    }
    return 0;
}

// How many were not pinned.
static int pin_maps(struct vnrs_bpf_dataplane *dp)
{
    int pinned = 0;

    for (size_t i = 0; i < ARRAY_SIZE(map_names); i++) {
        struct bpf_map *map = bpf_object__find_map_by_name(dp->skel->obj, map_names[i]);
        if (!map)
            return -ENOENT;
        _free_ char *path = vnrs_bpf_pin_path(dp->pins, map_names[i]);
        if (!path)
            return -ENOMEM;
        if (vnrs_bpf_pin_same(path, bpf_map__fd(map)))
            continue;
        int err = vnrs_bpf_pin_replace(path, bpf_map__fd(map));
        if (err)
            return err;
        pinned++;
    }
    return pinned;
}

static int program_info(int fd, struct bpf_prog_info *info)
{
    __u32 len = sizeof(*info);

    return bpf_obj_get_info_by_fd(fd, info, &len);
}

static uint32_t map_id(int fd)
{
    struct bpf_map_info info = {0};
    __u32 len = sizeof(info);

    return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

// Same instructions (the kernel's tag leaves map references out) and the very same maps.
static bool program_matches(const struct vnrs_bpf_dataplane *dp, int pinned)
{
    struct bpf_prog_info ours = {0}, theirs = {0};
    __u32 ids[_VNRS_BPF_MAP_MAX + 8];

    theirs.map_ids = (__u64)(uintptr_t)ids;
    theirs.nr_map_ids = ARRAY_SIZE(ids);
    if (program_info(bpf_program__fd(dp->skel->progs.forward), &ours) || program_info(pinned, &theirs) ||
        memcmp(ours.tag, theirs.tag, sizeof(ours.tag)) != 0)
        return false;
    for (unsigned m = 0; m < _VNRS_BPF_MAP_MAX; m++) {
        uint32_t id = map_id(vnrs_bpf_dataplane_map(dp, m));
        bool found = false;
        for (__u32 i = 0; i < MIN(theirs.nr_map_ids, ARRAY_SIZE(ids)); i++)
            found |= ids[i] == id;
        if (!found)
            return false;
    }
    return true;
}

static int adopt_program(struct vnrs_bpf_dataplane *dp)
{
    _free_ char *path = vnrs_bpf_pin_path(dp->pins, "forward");
    if (!path)
        return -ENOMEM;
    _close_ int pinned = bpf_obj_get(path);
    if (pinned >= 0 && program_matches(dp, pinned)) {
        dp->program = TAKE_FD(pinned);
        return 0;
    }
    dp->replaces = pinned >= 0;
    return vnrs_bpf_pin_replace(path, bpf_program__fd(dp->skel->progs.forward));
}

static int load(struct vnrs_bpf_dataplane *dp, const char **ret_error)
{
    int err = 0;

    libbpf_set_print(print_libbpf);
    dp->skel = forward_bpf__open();
    if (!dp->skel) {
        *ret_error = explain("read the eBPF program", -errno);
        return -errno;
    }
    if ((err = size_cache(dp))) {
        *ret_error = explain("count processors", err);
        return err;
    }
    if (dp->pins && (err = adopt_maps(dp))) {
        *ret_error = explain("adopt the pinned eBPF maps", err);
        return err;
    }
    if ((err = forward_bpf__load(dp->skel))) {
        *ret_error = explain("load the eBPF program", err);
        return err;
    }
    if (dp->pins && ((err = MIN(pin_maps(dp), 0)) || (err = adopt_program(dp)))) {
        *ret_error = explain("pin the eBPF maps and program", err);
        return err;
    }
    if (dp->program < 0 && (dp->program = dup(bpf_program__fd(dp->skel->progs.forward))) < 0)
        err = -errno;
    struct bpf_prog_info info = {0};
    if (err || (err = program_info(dp->program, &info))) {
        *ret_error = explain("inspect the eBPF program", err);
        return err;
    }
    dp->program_id = info.id;
    return 0;
}

int vnrs_bpf_dataplane_open(const char *pin_dir, const char **ret_error, struct vnrs_bpf_dataplane **ret_dp)
{
    struct vnrs_bpf_dataplane *dp = calloc(1, sizeof(*dp));
    const char *error = NULL;
    int err = 0;

    if (!dp) {
        *ret_error = explain("load the eBPF program", -ENOMEM);
        return -ENOMEM;
    }
    dp->program = -1;
    if (pin_dir) {
        dp->pins = strdup(pin_dir);
        err = dp->pins ? vnrs_bpf_pin_prepare(pin_dir) : -ENOMEM;
        if (err)
            error = explain("make the directory for pinned eBPF maps", err);
    }
    if (!err)
        err = load(dp, &error);
    if (err) {
        vnrs_bpf_dataplane_close(dp);
        *ret_error = error;
        return err;
    }
    *ret_dp = dp;
    return 0;
}

struct vnrs_bpf_dataplane *vnrs_bpf_dataplane_close(struct vnrs_bpf_dataplane *dp)
{
    if (!dp)
        return NULL;
    forward_bpf__destroy(dp->skel);
    if (dp->program >= 0)
        (void)close(dp->program);
    free(dp->pins);
    free(dp);
    return NULL;
}

int vnrs_bpf_dataplane_destroy(const char *pin_dir)
{
    return vnrs_bpf_pin_remove_all(pin_dir);
}

static int repin_program(const struct vnrs_bpf_dataplane *dp)
{
    _free_ char *path = vnrs_bpf_pin_path(dp->pins, "forward");
    struct bpf_prog_info info = {0};

    if (!path)
        return -ENOMEM;
    _close_ int pinned = bpf_obj_get(path);
    if (pinned >= 0 && program_info(pinned, &info) == 0 && info.id == dp->program_id)
        return 0;
    int err = vnrs_bpf_pin_replace(path, dp->program);
    return err ? err : 1;
}

int vnrs_bpf_dataplane_repin(struct vnrs_bpf_dataplane *dp)
{
    int err = dp->pins ? vnrs_bpf_pin_prepare(dp->pins) : 0;

    if (err || !dp->pins)
        return err;
    int maps = pin_maps(dp);
    if (maps < 0)
        return maps;
    int program = repin_program(dp);
    return program < 0 ? program : maps || program;
}

int vnrs_bpf_dataplane_map(const struct vnrs_bpf_dataplane *dp, enum vnrs_bpf_map map)
{
    return bpf_object__find_map_fd_by_name(dp->skel->obj, map_names[map]);
}

uint32_t vnrs_bpf_dataplane_program_id(const struct vnrs_bpf_dataplane *dp)
{
    return dp->program_id;
}

int vnrs_bpf_dataplane_program(const struct vnrs_bpf_dataplane *dp)
{
    return dp->program;
}

// --- attach ---

static int filter_attach(struct vnrs_bpf_dataplane *dp, uint32_t ifindex)
{
    return vnrs_bpf_filter_program(ifindex) == dp->program_id ? 0 : vnrs_bpf_filter_write(&ifindex, 1, dp->program);
}

static char *link_path(const struct vnrs_bpf_dataplane *dp, unsigned ifindex)
{
    char *path = NULL;

    return asprintf(&path, "%s/" VNRS_BPF_PIN_LINKS "/%u", dp->pins, ifindex) < 0 ? NULL : path;
}

// 1: the pinned link runs our program now; 0: there is none that is attached to this link.
static int tcx_adopt(struct vnrs_bpf_dataplane *dp, const char *path, unsigned ifindex)
{
    struct bpf_link_info info = {0};
    __u32 len = sizeof(info);
    _close_ int fd = bpf_obj_get(path);

    // The kernel answers {ifindex, attach type} for TCX as for XDP, only the first of which these headers know. A link
    // whose device is gone stays pinned with ifindex 0.
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.xdp.ifindex != ifindex)
        return 0;
    if (info.prog_id == dp->program_id)
        return 1;
    int err = bpf_link_update(fd, dp->program, NULL);
    return err ? err : 1;
}

static int tcx_attach(struct vnrs_bpf_dataplane *dp, unsigned ifindex)
{
    if (!dp->pins)
        return -EINVAL; // it would end with this process
    _free_ char *path = link_path(dp, ifindex);
    if (!path)
        return -ENOMEM;
    int found = tcx_adopt(dp, path, ifindex);
    if (found)
        return MIN(found, 0);
    _close_ int fd = bpf_link_create(dp->program, (int)ifindex, ATTACH_TCX_INGRESS, NULL);
    if (fd < 0)
        return fd == -EINVAL && !vnrs_bpf_dataplane_has_tcx(dp) ? -EOPNOTSUPP : fd;
    return vnrs_bpf_pin_replace(path, fd);
}

static int tcx_detach(struct vnrs_bpf_dataplane *dp, unsigned ifindex)
{
    if (!dp->pins)
        return 0;
    _free_ char *path = link_path(dp, ifindex);
    if (!path)
        return -ENOMEM;
    // Without its last name the link would go a while later, and until then refuse the same program a second time.
    _close_ int fd = bpf_obj_get(path);
    int err = fd < 0 ? 0 : bpf_link_detach(fd);
    if (err && err != -ENOLINK) // its device is gone already
        return err;
    return unlink(path) && errno != ENOENT ? -errno : 0;
}

int vnrs_bpf_dataplane_attach(struct vnrs_bpf_dataplane *dp, unsigned ifindex, enum vnrs_bpf_attach how)
{
    int err = how == VNRS_BPF_ATTACH_TCX ? tcx_attach(dp, ifindex) : filter_attach(dp, ifindex);

    // The new one runs already: TCX comes before filters, and both decide the same.
    if (!err)
        err = how == VNRS_BPF_ATTACH_TCX ? vnrs_bpf_filter_remove(ifindex) : tcx_detach(dp, ifindex);
    return err;
}

int vnrs_bpf_dataplane_replace(struct vnrs_bpf_dataplane *dp, const uint32_t *ifindexes, size_t n)
{
    return dp->replaces ? vnrs_bpf_filter_write(ifindexes, n, dp->program) : 0;
}

int vnrs_bpf_dataplane_detach(struct vnrs_bpf_dataplane *dp, unsigned ifindex)
{
    int err = tcx_detach(dp, ifindex);

    return err ? err : vnrs_bpf_filter_remove(ifindex);
}

bool vnrs_bpf_dataplane_has_tcx(struct vnrs_bpf_dataplane *dp)
{
    // No link has this number: a kernel that knows TCX says so, another does not know what is asked for.
    _close_ int fd = bpf_link_create(dp->program, INT32_MAX, ATTACH_TCX_INGRESS, NULL);

    return fd == -ENODEV;
}

int vnrs_bpf_dataplane_probe(char *text, size_t size)
{
    struct vnrs_bpf_dataplane *dp = NULL;
    const char *error = NULL;
    int err = vnrs_bpf_dataplane_open(NULL, &error, &dp);

    if (err) {
        (void)snprintf(text, size, "%s", error);
        return err;
    }
    (void)snprintf(text, size, "eBPF programs can be loaded; TCX links are %s",
                   vnrs_bpf_dataplane_has_tcx(dp) ? "available"
                                                  : "not available (kernel 6.6), ingress filters are used");
    vnrs_bpf_dataplane_close(dp);
    return 0;
}
