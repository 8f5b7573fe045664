// SPDX-License-Identifier: GPL-2.0-or-later
// The commands of a machine's daemons (lab/proc.h). Pure, but for where FRR is.
#include "lab/proc.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const frr_dirs[] = {"/usr/lib/frr", "/usr/libexec/frr"};

struct builder {
    struct vnrs_proc_args *args;
    size_t used;
    unsigned n;
    bool failed;
};

static void add_arg(struct builder *b, const char *fmt, ...) VNRS_PRINTF(2, 3);

static void add_arg(struct builder *b, const char *fmt, ...)
{
    va_list ap;
    size_t room = sizeof(b->args->text) - b->used;

    va_start(ap, fmt);
    int len = vsnprintf(b->args->text + b->used, room, fmt, ap);
    va_end(ap);
    if (len < 0 || (size_t)len >= room || b->n + 1 >= ARRAY_SIZE(b->args->argv)) {
        b->failed = true;
        return;
    }
    b->args->argv[b->n++] = b->args->text + b->used;
    b->used += (size_t)len + 1;
}

static const char *frr_dir(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(frr_dirs); i++)
        if (access(frr_dirs[i], X_OK) == 0)
            return frr_dirs[i];
    return frr_dirs[0];
}

static void frr_argv(struct builder *b, const char *dir, const char *member)
{
    add_arg(b, "%s/%s", frr_dir(), member);
    // The configuration comes through vtysh, which knows which daemon each line is for.
    static const char *const pairs[][2] = {{"-f", "empty.conf"}, {"-z", "zserv.api"}};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        add_arg(b, "%s", pairs[i][0]);
        add_arg(b, "%s/%s", dir, pairs[i][1]);
    }
    add_arg(b, "-i");
    add_arg(b, "%s/%s.pid", dir, member);
    add_arg(b, "--vty_socket");
    add_arg(b, "%s", dir);
    add_arg(b, "-P");
    add_arg(b, "0");
    add_arg(b, "-u");
    add_arg(b, "frr");
    add_arg(b, "-g");
    add_arg(b, "frr");
    add_arg(b, "--log");
    add_arg(b, "stdout");
    if (strcmp(member, "bfdd") == 0) {
        add_arg(b, "--bfdctl");
        add_arg(b, "%s/bfdd.sock", dir);
    }
}

static void bird_argv(struct builder *b, const char *dir)
{
    add_arg(b, "bird");
    add_arg(b, "-f");
    add_arg(b, "-c");
    add_arg(b, "%s/bird.conf", dir);
    add_arg(b, "-s");
    add_arg(b, "%s/bird.ctl", dir);
    add_arg(b, "-P");
    add_arg(b, "%s/bird.pid", dir);
    add_arg(b, "-u");
    add_arg(b, "bird");
    add_arg(b, "-g");
    add_arg(b, "bird");
}

static void gobgp_argv(struct builder *b, const char *dir)
{
    add_arg(b, "gobgpd");
    add_arg(b, "-f");
    add_arg(b, "%s/gobgpd.toml", dir);
    add_arg(b, "--api-hosts");
    add_arg(b, "unix://%s/api", dir);
    add_arg(b, "--pprof-disable");
    add_arg(b, "--log-plain");
}

static void exabgp_argv(struct builder *b, const char *dir)
{
    add_arg(b, "exabgp");
    add_arg(b, "--env");
    add_arg(b, "%s/exabgp.env", dir);
    add_arg(b, "%s/exabgp.conf", dir);
}

static void openbgpd_argv(struct builder *b, const char *dir)
{
    add_arg(b, "/usr/sbin/bgpd"); // FRR's has the same name, elsewhere
    add_arg(b, "-d");
    add_arg(b, "-f");
    add_arg(b, "%s/bgpd.conf", dir);
}

// data: strings, each with its NUL. They stay where they are.
static void exec_argv(struct builder *b, const char *data, size_t size)
{
    if (size == 0 || data[size - 1] != '\0' || data[0] == '\0')
        b->failed = true;
    for (size_t at = 0; at < size && !b->failed; at += strlen(data + at) + 1) {
        if (b->n + 1 >= ARRAY_SIZE(b->args->argv))
            b->failed = true;
        else
            b->args->argv[b->n++] = data + at;
    }
}

static void strongswan_argv(struct builder *b, const char *member)
{
    if (strcmp(member, "charon") == 0) {
        add_arg(b, "charon-systemd");
        return;
    }
    add_arg(b, "sh");
    add_arg(b, "%s", member);
}

int vnrs_proc_argv(const struct vnrs_proc_want *want, const char *member, struct vnrs_proc_args *ret_args)
{
    struct builder b = {.args = ret_args};

    switch ((enum vnrs_proc_kind)want->kind) {
    case VNRS_PROC_FRR:
        frr_argv(&b, want->dir, member);
        break;
    case VNRS_PROC_BIRD:
        bird_argv(&b, want->dir);
        break;
    case VNRS_PROC_GOBGP:
        gobgp_argv(&b, want->dir);
        break;
    case VNRS_PROC_EXABGP:
        exabgp_argv(&b, want->dir);
        break;
    case VNRS_PROC_OPENBGPD:
        openbgpd_argv(&b, want->dir);
        break;
    case VNRS_PROC_STRONGSWAN:
        strongswan_argv(&b, member);
        break;
    case VNRS_PROC_EXEC:
        exec_argv(&b, want->data, want->size);
        break;
    default:
        return -EINVAL;
    }
    if (b.failed)
        return -EINVAL;
    ret_args->argv[b.n] = NULL;
    return 0;
}
