// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/proc.h"

#include "lab/exec.h"
#include "lab/netns.h"
#include "lab/private.h"
#include "lab/proc_setup.h"
#include "lab/procfs.h"
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LOG_MAX_BYTES  (1 << 20)
#define END_WAIT_MS    3000
#define END_ROUNDS     8
#define RECONFIGURE_MS 3000 // the agent waits for it
#define PROCESSES_MAX  64   // ended at a time

struct kind {
    const char *name;
    const char *config;   // file name
    const char *commands; // file name of what follows it, NULL: nothing
    const char *user;     // owner of the private directory
    const char *variable; // of the environment, NULL: none
    const char *package;  // what to install
    const char *members[VNRS_PROC_MEMBERS_MAX];
    bool is_plain;  // does not change its user on its own
    bool is_secret; // the configuration
    const struct fixed_file {
        const char *name, *text;
    } * fixed,   // files that are always the same, until one without name
        *by_esp; // one more, by vnrs_proc_want.kernel_esp; NULL: none
};

static const struct fixed_file frr_files[] = {{"empty.conf", ""}, {"vtysh.conf", ""}, {0}}; // vtysh complains without
static const struct fixed_file exabgp_files[] = {{"exabgp.env", "[exabgp.api]\ncli = false\n"
                                                                "[exabgp.daemon]\ndaemonize = false\ndrop = false\n"
                                                                "[exabgp.log]\ndestination = stdout\n"},
                                                 {0}};

// One tunnel: what its end of the link "tun" sends goes into it, what comes out of it goes there, and the link is up
// while the tunnel is. A tunnel may be there twice for a moment (both ends began one), so its files are counted. Names
// of files are relative: the path of a socket could be too long otherwise.
#define STRONGSWAN_CONF(kernel, device)                                                                                \
    "swanctl {\n    load = random nonce openssl\n}\n"                                                                  \
    "charon-systemd {\n"                                                                                               \
    "    load = random nonce openssl kdf " kernel " kernel-netlink socket-default updown vici error-notify\n"          \
    "    install_routes = no\n    install_virtual_ip = no\n"                                                           \
    "    retransmit_timeout = 1\n    retransmit_base = 1.5\n    retransmit_tries = 3\n"                                \
    "    journal {\n        default = -1\n    }\n"                                                                     \
    "    filelog {\n        stderr {\n            default = 0\n            flush_line = yes\n        }\n    }\n"       \
    "    start-scripts {\n"                                                                                            \
    "        files = rm -f up.*\n"                                                                                     \
    "        link = ip link set tun down\n" device "        in = ip rule add pref 100 iif tun lookup 100\n"            \
    "        out = ip rule add pref 101 lookup main\n"                                                                 \
    "        stop = ip route replace unreachable default table 100 metric 4294967295\n"                                \
    "        route = ip route replace default dev ipsec0 table 100\n"                                                  \
    "        load = swanctl --load-all --noprompt --file swanctl.conf --uri unix://charon.vici 2>&1 | grep -v "        \
    "directory\n"                                                                                                      \
    "    }\n"                                                                                                          \
    "    plugins {\n"                                                                                                  \
    "        vici {\n            socket = unix://charon.vici\n        }\n"                                             \
    "        error-notify {\n            socket = unix://" VNRS_PROC_TUNNEL_ERRORS "\n        }\n"                     \
    "    }\n}\n"

// Which of the two: whether the kernel carries ESP. If not, charon makes the TUN device ipsec0, and fills a table that
// the rule "out" comes before. If so, ipsec0 takes what the policies of the same number are for (if_id of
// vnrs_tunnel_config), and what a charon that was killed left in the kernel goes before the next one starts.
static const struct fixed_file strongswan_conf[] = {
    [false] = {"strongswan.conf", STRONGSWAN_CONF("kernel-libipsec", "")},
    [true] = {"strongswan.conf",
              STRONGSWAN_CONF("", "        old = ip xfrm state flush; ip xfrm policy flush; ip link del ipsec0 2>&-\n"
                                  "        device = ip link add ipsec0 mtu 1400 type xfrm dev ike if_id 1\n"
                                  "        up = ip link set ipsec0 up\n")},
};

static const struct fixed_file strongswan_files[] = {
    {"updown", "case $PLUTO_VERB in\n"
               "up*) : >\"up.$PLUTO_UNIQUEID\" ;;\n"
               "down*) rm -f \"up.$PLUTO_UNIQUEID\" ;;\n"
               "esac\n"
               "set -- up.*\n"
               "if [ -e \"$1\" ]; then\n"
               "    ip link set tun up && ip route replace default dev tun\n"
               "else\n"
               "    ip link set tun down\n"
               "fi\n"},
    // A tunnel that could not be made is not tried again by strongSwan itself.
    {"keeper", "while :; do\n"
               "    set -- up.*\n"
               "    [ -e \"$1\" ] || swanctl --initiate --child tunnel --uri unix://charon.vici >/dev/null 2>&1\n"
               "    sleep 2\n"
               "done\n"},
    {0}};

static const struct kind kinds[_VNRS_PROC_MAX] = {
    [VNRS_PROC_FRR] = {.name = "FRR",
                       .config = "frr.conf",
                       .user = "frr",
                       .package = "frr",
                       .members = {"zebra", "staticd", "bgpd", "bfdd"},
                       .fixed = frr_files},
    [VNRS_PROC_BIRD] = {.name = "BIRD", .config = "bird.conf", .user = "bird", .package = "bird2", .members = {"bird"}},
    [VNRS_PROC_EXEC] =
        {.name = "command", .config = "argv", .user = VNRS_PROC_USER, .members = {"exec"}, .is_plain = true},
    [VNRS_PROC_GOBGP] = {.name = "GoBGP",
                         .config = "gobgpd.toml",
                         .commands = "commands",
                         .user = VNRS_PROC_USER,
                         .package = "gobgpd",
                         .members = {"gobgpd"},
                         .is_plain = true},
    [VNRS_PROC_EXABGP] = {.name = "ExaBGP",
                          .config = "exabgp.conf",
                          .user = VNRS_PROC_USER,
                          .package = "exabgp",
                          .members = {"exabgp"},
                          .is_plain = true,
                          .fixed = exabgp_files},
    [VNRS_PROC_OPENBGPD] = {.name = "OpenBGPD",
                            .config = "bgpd.conf",
                            .user = "root", // its children change theirs
                            .package = "openbgpd",
                            .members = {"bgpd"}},
    [VNRS_PROC_STRONGSWAN] = {.name = "strongSwan",
                              .config = "swanctl.conf",
                              .user = VNRS_IKE_USER,
                              .variable = "STRONGSWAN_CONF=strongswan.conf",
                              .package = "charon-systemd, and libcharon-extra-plugins and strongswan-swanctl",
                              .members = {"charon", "keeper"},
                              .is_plain = true,
                              .is_secret = true,
                              .fixed = strongswan_files,
                              .by_esp = strongswan_conf},
};

static unsigned members_of(const struct kind *kind)
{
    unsigned n = 0;

    while (n < VNRS_PROC_MEMBERS_MAX && kind->members[n])
        n++;
    return n;
}

// The private directory.

static int path_in(const char *dir, const char *name, char ret[static 512])
{
    return snprintf(ret, 512, "%s/%s", dir, name) >= 512 ? -ENAMETOOLONG : 0;
}

static int open_dir(const struct vnrs_proc_want *want, const struct passwd *owner)
{
    if (mkdir(want->dir, 0755) < 0 && errno != EEXIST)
        return -errno;
    _close_ int dir = vnrs_private_open(want->dir);
    if (dir >= 0 && owner && fchown(dir, owner->pw_uid, owner->pw_gid) < 0)
        return -errno;
    return dir < 0 ? dir : TAKE_FD(dir);
}

// The configuration, and the commands that follow it behind a NUL.
static size_t config_len(const struct vnrs_proc_want *want, const struct kind *kind)
{
    const char *end = kind->commands && want->size ? memchr(want->data, '\0', want->size) : NULL;
    return end ? (size_t)(end - (const char *)want->data) : want->size;
}

static const char *commands_of(const struct vnrs_proc_want *want, const struct kind *kind, size_t *ret_len)
{
    size_t at = MIN(config_len(want, kind) + 1, want->size);

    *ret_len = want->size - at;
    return (const char *)want->data + at;
}

static bool is_file_same(int dir, const char *name, const char *want, size_t want_len)
{
    _free_ char *text = NULL;
    size_t len;

    return vnrs_private_load(dir, name, VNRS_PROC_CONFIG_MAX, &text, &len) == 0 && len == want_len &&
           memcmp(text, want, len) == 0;
}

static bool is_config_same(const struct vnrs_proc_want *want, const struct kind *kind)
{
    _close_ int dir = vnrs_private_open(want->dir);
    size_t len;
    const char *commands = commands_of(want, kind, &len);

    return dir >= 0 && is_file_same(dir, kind->config, want->data, config_len(want, kind)) &&
           (!kind->commands || is_file_same(dir, kind->commands, commands, len));
}

static int write_config(const struct vnrs_proc_want *want, const struct kind *kind)
{
    const struct passwd *owner = getpwnam(kind->user);
    struct vnrs_private_owner to = {
        .uid = owner ? owner->pw_uid : 0, .gid = owner ? owner->pw_gid : 0, .mode = kind->is_secret ? 0600 : 0640};
    _close_ int dir = open_dir(want, owner);
    int err = dir < 0 ? dir : vnrs_private_store(dir, kind->config, want->data, config_len(want, kind), &to);
    size_t len;
    const char *commands = commands_of(want, kind, &len);

    if (err == 0 && kind->commands)
        err = vnrs_private_store(dir, kind->commands, commands, len, &to);
    for (const struct fixed_file *file = kind->fixed; err == 0 && file && file->name; file++)
        err = vnrs_private_store(dir, file->name, file->text, strlen(file->text), &to);
    if (err == 0 && kind->by_esp) {
        const struct fixed_file *file = &kind->by_esp[want->kernel_esp];
        err = vnrs_private_store(dir, file->name, file->text, strlen(file->text), &to);
    }
    return err;
}

// Beside the directory, where only we write: what it says is ended. No key makes a file name with '~'.
static int note_path(const char *dir, char ret[static 512])
{
    return snprintf(ret, 512, "%s~state", dir) >= 512 ? -ENAMETOOLONG : 0;
}

static int store_note(const char *dir, const struct vnrs_proc *proc)
{
    char path[512];
    int err = note_path(dir, path);

    return err < 0 ? err : vnrs_file_store(path, proc->members, sizeof(proc->members[0]) * proc->n, 0600);
}

int vnrs_proc_load(const char *dir, struct vnrs_proc *ret_proc)
{
    struct vnrs_proc proc = {0};
    char path[512];
    _free_ char *text = NULL;
    size_t len = 0;
    int err = note_path(dir, path);

    if (err == 0)
        err = vnrs_file_load(path, sizeof(proc.members), &text, &len);
    if (err < 0 && err != -ENOENT)
        return err;
    if (err == 0 && len % sizeof(proc.members[0]) == 0) {
        memcpy(proc.members, text, len);
        proc.n = (unsigned)(len / sizeof(proc.members[0]));
    }
    for (unsigned i = 0; i < proc.n; i++) {
        struct vnrs_proc_member *m = &proc.members[i];
        m->name[sizeof(m->name) - 1] = '\0';
        _close_ int fd = vnrs_procfs_open(m->pid, m->start);
        if (fd < 0)
            m->pid = 0;
    }
    *ret_proc = proc;
    return 0;
}

static bool is_in_netns(pid_t pid, int ns_fd)
{
    char path[64];
    struct vnrs_netns_id want, have;

    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    _close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && vnrs_netns_id_get(fd, &have) == 0 && vnrs_netns_id_get(ns_fd, &want) == 0 &&
           have.dev == want.dev && have.ino == want.ino;
}

// What runs of this directory: by the note, also if it went elsewhere, and whatever works in it.
static size_t find_all(const char *dir, pid_t *ret_pids, uint64_t *ret_starts)
{
    struct vnrs_proc proc = {0};
    size_t n = 0;

    if (vnrs_proc_load(dir, &proc) < 0)
        proc.n = 0;
    for (unsigned i = 0; i < proc.n; i++) {
        if (!proc.members[i].pid)
            continue;
        ret_pids[n] = proc.members[i].pid;
        ret_starts[n++] = proc.members[i].start;
    }
    return n + vnrs_procfs_in_dir(dir, ret_pids + n, ret_starts + n, PROCESSES_MAX - n);
}

// Until none is left: a process can start another one while it is ended. One that does so without end must not keep us.
static int end_all(const char *dir)
{
    pid_t pids[PROCESSES_MAX];
    uint64_t starts[PROCESSES_MAX];

    for (unsigned round = 0; round < END_ROUNDS; round++) {
        size_t n = find_all(dir, pids, starts);
        if (n == 0)
            return 0;
        vnrs_procfs_end(pids, starts, n, round ? 0 : END_WAIT_MS);
    }
    return find_all(dir, pids, starts) ? -EBUSY : 0;
}

// Starting.

static int open_log(const char *path)
{
    _close_ int dir = vnrs_private_open(path);
    return dir < 0 ? dir : vnrs_private_append(dir, "log", LOG_MAX_BYTES);
}

static int missing_program(const struct vnrs_proc_want *want, const struct kind *kind, const char *program,
                           struct vnrs_err *err)
{
    if (kind->package)
        return vnrs_err_set(err, -ENOENT, "%s is missing (%s): install the package %s", kind->name, program,
                            kind->package);
    return vnrs_err_set(err, -ENOENT, "there is no program '%s'", (const char *)want->data);
}

static int start_member(const struct vnrs_proc_want *want, const struct kind *kind, struct vnrs_proc_member *member,
                        int log_fd, struct vnrs_err *err)
{
    struct vnrs_proc_args args;
    int code = vnrs_proc_argv(want, member->name, &args);

    if (code < 0)
        return vnrs_err_set(err, code, "the command of a %s cannot be made", kind->name);
    struct vnrs_exec_spawn spawn = {.path = args.argv[0],
                                    .argv = args.argv,
                                    .ns_fd = want->ns_fd,
                                    .log_fd = log_fd,
                                    .dir = want->dir,
                                    .variable = kind->variable,
                                    .session = true};
    if (want->kind == VNRS_PROC_FRR && strcmp(member->name, "zebra") != 0) {
        spawn.waits = true;
        spawn.setup = vnrs_proc_wait_for_zebra;
        spawn.arg = (void *)want->dir;
    }
    if (kind->is_plain) {
        spawn.setup = vnrs_proc_become_command;
        spawn.arg = getpwnam(kind->user);
        if (!spawn.arg)
            return vnrs_err_set(err, -ENOENT, "there is no user '%s' to run a %s as: run scripts/setup", kind->user,
                                kind->name);
    }
    pid_t pid = vnrs_exec_spawn(&spawn, 3);
    if (pid == -ENOENT)
        return missing_program(want, kind, args.argv[0], err);
    if (pid < 0)
        return vnrs_err_errno(err, pid, "starting '%s'", args.argv[0]);
    member->pid = pid;
    return vnrs_procfs_start(pid, &member->start);
}

// Sockets and pid files of an earlier run would be taken for those of this one.
static void remove_leftovers(const char *dir, const char *member)
{
    static const char *const suffixes[] = {"vty", "pid", "ctl", "vici", "enfy"};
    char path[512];

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (snprintf(path, sizeof(path), "%s/%s.%s", dir, member, suffixes[i]) < (int)sizeof(path))
            (void)unlink(path);
    if (snprintf(path, sizeof(path), "%s/api", dir) < (int)sizeof(path)) // GoBGP's
        (void)unlink(path);
}

// The chroot of OpenBGPD's children, which its service unit makes otherwise.
static void make_chroot(void)
{
    const struct passwd *user = getpwnam("_openbgpd");

    if (user)
        (void)mkdir(user->pw_dir, 0755);
}

static int start_missing(const struct vnrs_proc_want *want, const struct kind *kind, struct vnrs_proc *proc,
                         struct vnrs_err *err)
{
    _close_ int log_fd = open_log(want->dir);
    int code = log_fd < 0 ? log_fd : 0;

    proc->n = members_of(kind);
    if (want->kind == VNRS_PROC_OPENBGPD)
        make_chroot();
    for (unsigned i = 0; i < proc->n && code == 0; i++) {
        struct vnrs_proc_member *m = &proc->members[i];
        if (m->pid)
            continue;
        *m = (struct vnrs_proc_member){0};
        (void)snprintf(m->name, sizeof(m->name), "%s", kind->members[i]);
        remove_leftovers(want->dir, m->name);
        code = start_member(want, kind, m, log_fd, err);
        if (code == 0)
            code = store_note(want->dir, proc);
    }
    if (code == 0 && want->kind == VNRS_PROC_FRR)
        code = vnrs_proc_configure_frr(want, log_fd, err);
    if (code == 0 && want->kind == VNRS_PROC_GOBGP)
        code = vnrs_proc_configure_gobgp(want, log_fd, err);
    return code < 0 ? vnrs_err_errno(err, code, "starting %s", kind->name) : 0;
}

// BIRD reads its file again; sessions that did not change go on. -EAGAIN: cannot be done, restart.
static int reconfigure(const struct vnrs_proc_want *want, struct vnrs_err *err)
{
    char ctl[512];

    if (want->kind != VNRS_PROC_BIRD || path_in(want->dir, "bird.ctl", ctl) < 0)
        return -EAGAIN;
    const char *argv[] = {"birdc", "-s", ctl, "configure", NULL};
    struct vnrs_exec_run run = {.argv = argv, .ns_fd = -1, .timeout_ms = RECONFIGURE_MS};
    _free_ char *out = NULL;
    int status = vnrs_exec_run(&run, &out, NULL);
    if (status == 0 && strstr(out, "Reconfigur"))
        return 0;
    if (status < 0 || !strstr(out, "Reading configuration"))
        return -EAGAIN; // it does not answer
    // It goes on with what it had. Without the file the next ENSURE tries again.
    char path[512];
    if (path_in(want->dir, kinds[want->kind].config, path) == 0)
        (void)unlink(path);
    char *last = strrchr(out, '\n'); // the verdict is on the last line
    if (last && !last[1])
        *last = '\0';
    last = strrchr(out, '\n');
    return vnrs_err_set(err, -EINVAL, "BIRD refuses the configuration: %s", last ? last + 1 : out);
}

static bool is_running(const struct vnrs_proc *proc, const struct kind *kind, int ns_fd, bool *ret_any)
{
    bool all = proc->n == members_of(kind);

    *ret_any = false;
    for (unsigned i = 0; i < proc->n; i++) {
        bool alive = proc->members[i].pid && is_in_netns(proc->members[i].pid, ns_fd);
        all = all && alive;
        *ret_any = *ret_any || alive;
    }
    return all;
}

int vnrs_proc_ensure(const struct vnrs_proc_want *want, struct vnrs_proc *ret_proc, enum vnrs_ag_outcome *ret_outcome,
                     struct vnrs_err *err)
{
    const struct kind *kind = &kinds[want->kind];
    struct vnrs_proc proc;
    bool any;
    int code = vnrs_proc_load(want->dir, &proc);

    if (code < 0)
        return vnrs_err_errno(err, code, "%s", want->dir);
    bool all = is_running(&proc, kind, want->ns_fd, &any);
    bool same = is_config_same(want, kind);
    *ret_outcome = any ? VNRS_AG_CHANGED : VNRS_AG_CREATED;
    if (all && same)
        *ret_outcome = VNRS_AG_UNCHANGED;
    if (!same || (any && !all && want->kind != VNRS_PROC_FRR))
        code = write_config(want, kind);
    if (code < 0)
        return vnrs_err_errno(err, code, "%s", want->dir);
    if (all && !same)
        code = reconfigure(want, err);
    if (!all || code == -EAGAIN) {
        // One dead member of FRR is started again; otherwise everything, after what an earlier run left.
        code = any && same ? 0 : end_all(want->dir);
        if (code < 0)
            return vnrs_err_errno(err, code, "what runs in '%s' does not end", want->dir);
        if (!(any && same))
            proc = (struct vnrs_proc){0};
        code = start_missing(want, kind, &proc, err);
    }
    if (code == 0)
        *ret_proc = proc;
    return code;
}

static int remove_dir(const char *path)
{
    _close_ int dir = vnrs_private_open(path);
    int err = dir < 0 ? dir : vnrs_private_clear(dir);

    if (err == 0 && rmdir(path) < 0)
        err = -errno;
    return err;
}

int vnrs_proc_remove(const char *dir, struct vnrs_err *err)
{
    char note[512];
    int code = note_path(dir, note);

    if (code < 0)
        return vnrs_err_errno(err, code, "%s", dir);
    code = end_all(dir);
    if (code < 0)
        return vnrs_err_errno(err, code, "what runs in '%s' does not end", dir);
    code = remove_dir(dir);
    bool was_there = code == 0;
    if (code < 0 && code != -ENOENT)
        return vnrs_err_errno(err, code, "%s", dir);
    was_there |= unlink(note) == 0;
    return was_there;
}
