// SPDX-License-Identifier: GPL-2.0-or-later
// What scale_bench.py compares a lab with: as many namespaces and veth pairs as the lab has machines, with nothing in
// them. One namespace holds all first ends; every other one has a name below /run/netns, `lo` up and one end, both ends
// up. Prints "up SECONDS", also of CPU, waits for the end of its input, takes all of it down and prints "down SECONDS".
//
//   scale_bare NUMBER
#include "scale_links.h"

#include "util/macros.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define DIRECTORY "/run/netns"

static void path_of(const char *name, char path[static 64])
{
    (void)snprintf(path, 64, DIRECTORY "/bare.%s", name);
}

// Enters a new namespace with a name. Returns its descriptor.
static int make_namespace(const char *name)
{
    char path[64];

    path_of(name, path);
    int file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0444);
    scale_must(file >= 0, path);
    (void)close(file);
    scale_must(unshare(CLONE_NEWNET) == 0, "a namespace");
    scale_must(mount("/proc/thread-self/ns/net", path, "none", MS_BIND, NULL) == 0, path);
    scale_up("lo");
    return scale_namespace_own();
}

static void remove_namespace(const char *name)
{
    char path[64];

    path_of(name, path);
    scale_must(umount2(path, MNT_DETACH) == 0 && unlink(path) == 0, path);
}

static void make_machine(struct mnl_socket *nl, unsigned number)
{
    char name[16], ifname[16];

    (void)snprintf(name, sizeof(name), "%u", number);
    (void)snprintf(ifname, sizeof(ifname), "bare%u", number);
    _close_ int ns = make_namespace(name);
    scale_pair_make(nl, &(struct scale_pair){.ifname = ifname, .peer = "eth0", .peer_ns = ns});
    scale_up("eth0");
}

// As `ip netns` prepares it.
static void prepare_directory(void)
{
    (void)mkdir(DIRECTORY, 0755);
    if (mount("", DIRECTORY, "none", MS_SHARED | MS_REC, NULL) < 0)
        scale_must(mount(DIRECTORY, DIRECTORY, "none", MS_BIND | MS_REC, NULL) == 0 &&
                       mount("", DIRECTORY, "none", MS_SHARED | MS_REC, NULL) == 0,
                   DIRECTORY);
}

int main(int argc, char **argv)
{
    unsigned n = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    char name[16], byte;

    if (!n)
        return 2;
    prepare_directory();
    double begin = scale_now();
    _close_ int first = make_namespace("fabric");
    struct mnl_socket *nl = scale_netlink();
    for (unsigned i = 0; i < n; i++)
        make_machine(nl, i);
    scale_must(setns(first, CLONE_NEWNET) == 0, "the first namespace");
    printf("up %.3f %.3f\n", scale_now() - begin, scale_cpu());
    (void)fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
    begin = scale_now();
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        remove_namespace(name);
    }
    remove_namespace("fabric");
    printf("down %.3f\n", scale_now() - begin);
    return 0;
}
