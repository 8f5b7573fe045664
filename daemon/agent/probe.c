// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/probe.h"

#include "agent/lab.h"
#include "agent/runs.h"
#include "agent/tunnel.h"
#include "lab/exec.h"
#include "lab/netns.h"
#include "lab/proc.h"
#include "lab/qdisc.h"
#include "lab/rtnl.h"
#include "util/strbuf.h"
#include "util/vec.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nexthop.h>
#include <pwd.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KERNEL_FLOOR(major, minor) ((major)*1000 + (minor))

static void add(struct vnrs_agentd_probes *probes, enum vnrs_ag_probe_status status, const char *name, const char *fmt,
                ...) VNRS_PRINTF(4, 5);

static void add(struct vnrs_agentd_probes *probes, enum vnrs_ag_probe_status status, const char *name, const char *fmt,
                ...)
{
    struct vnrs_ag_probe probe = {.status = status};
    va_list ap;

    (void)snprintf(probe.name, sizeof(probe.name), "%s", name);
    va_start(ap, fmt);
    (void)vsnprintf(probe.text, sizeof(probe.text), fmt, ap);
    va_end(ap);
    if (vec_push(probes, probe) < 0)
        return; // one line less
}

static int kernel_version(char *ret_text, size_t size)
{
    struct utsname name;
    int major = 0, minor = 0;

    if (uname(&name) < 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2)
        return 0;
    (void)snprintf(ret_text, size, "%s", name.release);
    return KERNEL_FLOOR(major, minor);
}

static void probe_kernel(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    char text[65] = "unknown";
    int version = kernel_version(text, sizeof(text));

    (void)ad;
    if (version >= KERNEL_FLOOR(6, 1))
        add(probes, VNRS_PROBE_OK, "kernel", "%s", text);
    else
        add(probes, VNRS_PROBE_WARN, "kernel", "%s is older than 6.1, the oldest that is tested", text);
    if (version >= KERNEL_FLOOR(6, 6))
        add(probes, VNRS_PROBE_OK, "TCX", "the kernel has it; ingress filters are used, which work everywhere");
    else
        add(probes, VNRS_PROBE_OK, "TCX", "not in this kernel (6.6); ingress filters are used");
}

static void probe_privileges(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    if (ad->priv.injector)
        add(probes, VNRS_PROBE_WARN, "capabilities",
            "no CAP_SYS_ADMIN: only `dataplane: none` works; run vnrsd as root for labs");
    else if (!vnrs_priv_has(CAP_BPF) || !vnrs_priv_has(CAP_PERFMON))
        add(probes, VNRS_PROBE_WARN, "capabilities",
            "no CAP_BPF or CAP_PERFMON: use `dataplane: kernel`, or give both to vnrsd");
    else
        add(probes, VNRS_PROBE_OK, "capabilities", "all that are needed");
    if (ad->priv.drop)
        add(probes, VNRS_PROBE_OK, "user", "controller and speakers run as '" VNRS_USER "'");
    else
        add(probes, VNRS_PROBE_WARN, "user",
            "controller and speakers run as uid %u; scripts/setup makes a user for them", (unsigned)getuid());
}

static void probe_bpf(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    char text[160] = "";
    struct statfs fs;

    if (ad->priv.injector)
        return;
    int err = vnrs_bpf_dataplane_probe(text, sizeof(text));
    add(probes, err < 0 ? VNRS_PROBE_FAIL : VNRS_PROBE_OK, "eBPF data plane", "%s%s", text,
        err < 0 ? "; use `dataplane: kernel`" : "");
    if (statfs("/sys/fs/bpf", &fs) == 0 && fs.f_type == BPF_FS_MAGIC)
        add(probes, VNRS_PROBE_OK, "BPF file system", "mounted on /sys/fs/bpf");
    else
        add(probes, VNRS_PROBE_WARN, "BPF file system", "not mounted on /sys/fs/bpf; vnrsd mounts it when needed");
}

static int ignore(const struct nlmsghdr *msg, void *arg)
{
    (void)msg, (void)arg;
    return 0;
}

static void probe_nexthops(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct vnrs_rtnl nl = {.fd = -1};
    int err = vnrs_rtnl_open(-1, &nl);

    (void)ad;
    if (err == 0) {
        struct nlmsghdr *msg = vnrs_rtnl_begin(buf, RTM_GETNEXTHOP, NLM_F_DUMP);
        (void)mnl_nlmsg_put_extra_header(msg, sizeof(struct nhmsg));
        err = vnrs_rtnl_talk(&nl, msg, ignore, NULL);
    }
    vnrs_rtnl_close(&nl);
    if (err == 0)
        add(probes, VNRS_PROBE_OK, "next-hop objects", "the kernel has them");
    else
        add(probes, VNRS_PROBE_WARN, "next-hop objects", "%s; a failover takes longer", strerror(-err));
}

// What `vnrs link` and `link:` of a NIC can do here: asked of the kernel in a namespace of nobody's.
static void probe_impairments(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    struct vnrs_qdisc_kinds kinds = {0};
    struct vnrs_rtnl nl = {.fd = -1};
    _close_ int fd = -1;

    if (ad->priv.injector)
        return;
    int err = vnrs_netns_new(&fd);
    if (err == 0)
        err = vnrs_rtnl_open(fd, &nl);
    if (err == 0)
        err = vnrs_qdisc_probe(&nl, &kinds);
    vnrs_rtnl_close(&nl);
    if (err < 0)
        add(probes, VNRS_PROBE_WARN, "link impairments", "cannot be probed: %s", strerror(-err));
    else if (kinds.tbf && kinds.netem)
        add(probes, VNRS_PROBE_OK, "link impairments", "carrier, loss, rate and delay");
    else
        add(probes, VNRS_PROBE_WARN, "link impairments", "no %s in this kernel: %s",
            kinds.tbf     ? "sch_netem"
            : kinds.netem ? "sch_tbf"
                          : "sch_netem and sch_tbf",
            kinds.tbf     ? "no delay, and no loss with `dataplane: kernel`"
            : kinds.netem ? "no rate without delay"
                          : "no rate, no delay, and no loss with `dataplane: kernel`");
}

// Programs of others, and what each is for.
static const struct {
    const char *name, *program, *other, *without;
} programs[] = {
    {"nftables", "nft", NULL, "source NAT and the checks of `dataplane: kernel` do not work: install nftables"},
    {"FRR", "/usr/lib/frr/bgpd", "/usr/libexec/frr/bgpd", "machines with `run: frr` do not work: install frr"},
    {"BIRD", "bird", NULL, "machines with `run: bird` do not work: install bird2"},
    {"GoBGP", "gobgpd", NULL, "machines with `run: gobgp` do not work: install gobgpd"},
    {"ExaBGP", "exabgp", NULL, "machines with `run: exabgp` do not work: install exabgp"},
    {"OpenBGPD", "/usr/sbin/bgpd", NULL, "machines with `run: openbgpd` do not work: install openbgpd"},
    {"containers", "podman", "docker", "machines with `container:` do not work: install podman"},
};

static void probe_programs(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    char path[256];

    if (ad->priv.injector)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        if (vnrs_exec_find(programs[i].program, path, sizeof(path)) ||
            (programs[i].other && vnrs_exec_find(programs[i].other, path, sizeof(path))))
            add(probes, VNRS_PROBE_OK, programs[i].name, "%s", path);
        else
            add(probes, VNRS_PROBE_WARN, programs[i].name, "not installed: %s", programs[i].without);
    }
}

// The plugin lies where strongSwan was built to look.
static bool has_plugin(const char *name)
{
    static const char *const dirs[] = {"/usr/lib/ipsec/plugins", "/usr/lib64/strongswan/plugins",
                                       "/usr/lib/strongswan/plugins"};
    char path[128];
    bool found = false;

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        (void)snprintf(path, sizeof(path), "%s/libstrongswan-%s.so", dirs[i], name);
        found |= access(path, R_OK) == 0;
    }
    return found;
}

static void probe_tunnels(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    static const char *const plugins[] = {"error-notify", "vici", "updown", "kernel-libipsec"};
    const char *missing = NULL;
    bool kernel_esp = !ad->priv.injector && vnrs_agentd_tunnel_kernel_esp(ad); // needs no kernel-libipsec, no TUN

    if (ad->priv.injector)
        return;
    if (!vnrs_exec_find("charon-systemd", NULL, 0) || !vnrs_exec_find("swanctl", NULL, 0))
        missing = "charon-systemd or swanctl";
    for (size_t i = 0; i < ARRAY_SIZE(plugins) - kernel_esp && !missing; i++)
        missing = has_plugin(plugins[i]) ? NULL : plugins[i];
    if (missing)
        add(probes, VNRS_PROBE_WARN, "strongSwan",
            "no %s: IPsec connections do not work: install charon-systemd, strongswan-swanctl and "
            "libcharon-extra-plugins",
            missing);
    else if (!kernel_esp && access("/dev/net/tun", R_OK | W_OK) < 0)
        add(probes, VNRS_PROBE_WARN, "strongSwan", "IPsec connections do not work without /dev/net/tun: modprobe tun");
    else if (!getpwnam(VNRS_IKE_USER))
        add(probes, VNRS_PROBE_WARN, "strongSwan",
            "IPsec connections do not work without the user '" VNRS_IKE_USER "': run scripts/setup");
    else
        add(probes, VNRS_PROBE_OK, "strongSwan", "%s",
            kernel_esp ? "ESP by the kernel (XFRM)"
                       : "ESP by kernel-libipsec: this kernel has no esp4 or no xfrm_interface");
}

static void probe_speaker(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    _close_ int fd = vnrs_agentd_speaker_program();

    (void)ad;
    if (fd >= 0 && faccessat(fd, "", X_OK, AT_EMPTY_PATH) == 0)
        add(probes, VNRS_PROBE_OK, "vnrs-speaker", "beside vnrsd");
    else
        add(probes, VNRS_PROBE_FAIL, "vnrs-speaker",
            "not beside vnrsd, or not executable: Route Servers do not work; install both in one directory");
}

struct leftovers {
    struct vnrs_agentd *ad;
    struct vnrs_strbuf names;
    unsigned n;
};

static int check_leftover(const char *name, void *arg)
{
    struct leftovers *l = arg;
    char lab[VNRS_LAB_NAME_MAX];
    const char *start = name + strlen("vnrs."), *end = strchr(start, '.');

    (void)snprintf(lab, sizeof(lab), "%.*s", end ? (int)(end - start) : (int)strlen(start), start);
    if (vnrs_agentd_lab_find(l->ad, lab, false))
        return 0;
    if (l->n++ < 3)
        vnrs_strbuf_printf(&l->names, "%s%s", l->n > 1 ? ", " : "", name);
    return 0;
}

static void probe_leftovers(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    struct leftovers l = {.ad = ad};

    if (ad->priv.injector)
        return;
    (void)vnrs_netns_walk(NULL, check_leftover, &l);
    if (l.n)
        add(probes, VNRS_PROBE_WARN, "leftovers",
            "%u namespaces of labs that this vnrsd does not know (%s%s): `vnrs destroy` removes them", l.n,
            l.names.text ? l.names.text : "", l.n > 3 ? ", …" : "");
    else
        add(probes, VNRS_PROBE_OK, "leftovers", "none");
    vnrs_strbuf_fini(&l.names);
}

static double resident_mb(pid_t pid)
{
    unsigned long total = 0, resident = 0;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        (void)fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

// What a child runs. Names of processes do not tell: those that are started by a descriptor are called by its number.
static bool is_called(pid_t pid, const char *first, const char *second)
{
    char path[64], args[64] = "";

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(args, 1, sizeof(args) - 1, file) : 0;
    if (file)
        (void)fclose(file);
    args[len] = '\0';
    return strcmp(args, first) == 0 && (!second || strcmp(args + strlen(args) + 1, second) == 0);
}

// Of all that is ours: the agent, the controller and the speakers. Daemons of machines are others'.
static void probe_memory(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    double controller = 0, speakers = 0, largest = 0;
    unsigned n = 0;
    char path[64];
    int pid;

    (void)ad;
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    while (file && fscanf(file, "%d", &pid) == 1) {
        if (is_called(pid, "vnrsd", "--controller"))
            controller += resident_mb(pid);
        if (!is_called(pid, "vnrs-speaker", NULL))
            continue;
        double mb = resident_mb(pid);
        speakers += mb;
        largest = MAX(largest, mb);
        n++;
    }
    if (file)
        (void)fclose(file);
    add(probes, VNRS_PROBE_OK, "memory", "agent %.1f MB, controller %.1f MB, %u speakers %.1f MB, the largest %.1f MB",
        resident_mb(getpid()), controller, n, speakers, largest);
}

void vnrs_agentd_probe(struct vnrs_agentd *ad, struct vnrs_agentd_probes *probes)
{
    static void (*const all[])(struct vnrs_agentd * ad, struct vnrs_agentd_probes * probes) = {
        probe_kernel,   probe_privileges, probe_bpf,     probe_nexthops,  probe_impairments,
        probe_programs, probe_tunnels,    probe_speaker, probe_leftovers, probe_memory};

    // The capabilities are what they are now, not what they were before they were limited.
    (void)capng_get_caps_process();
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        all[i](ad, probes);
}
