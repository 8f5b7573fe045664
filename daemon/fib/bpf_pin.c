// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_pin.h"

#include "vnrs/bpf_abi.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#define BPFFS       "/sys/fs/bpf"
#define BPFFS_UNDER BPFFS "/"
#define NEW_SUFFIX  "~" // bpffs refuses names with a dot

static void close_dir(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

static int mount_bpffs(void)
{
    struct statfs fs;

    if (statfs(BPFFS, &fs))
        return -errno;
    if (fs.f_type == BPF_FS_MAGIC)
        return 0;
    return mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno : 0;
}

static int make_dirs(const char *path)
{
    _free_ char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    for (char *at = copy + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = '\0';
        if (mkdir(copy, 0700) && errno != EEXIST)
            return -errno;
        if (!was)
            return 0;
        *at = was;
    }
}

int vnrs_bpf_pin_prepare(const char *dir)
{
    _free_ char *links = NULL;
    _free_ char *objects = vnrs_bpf_pin_path(dir, "");
    int err = 0;

    if (!objects || asprintf(&links, "%s/" VNRS_BPF_PIN_LINKS, dir) < 0) {
        links = NULL;
        return -ENOMEM;
    }
    objects[strlen(objects) - 1] = '\0';
    if (strncmp(dir, BPFFS_UNDER, strlen(BPFFS_UNDER)) == 0)
        err = mount_bpffs();
    if (!err)
        err = make_dirs(objects);
    return err ? err : make_dirs(links);
}

char *vnrs_bpf_pin_path(const char *dir, const char *name)
{
    char *path = NULL;

    return asprintf(&path, "%s/v%d/%s", dir, VNRS_BPF_LAYOUT, name) < 0 ? NULL : path;
}

bool vnrs_bpf_pin_same(const char *path, int fd)
{
    struct bpf_map_info pinned = {0}, ours = {0};
    __u32 pinned_len = sizeof(pinned), ours_len = sizeof(ours);
    _close_ int pinned_fd = bpf_obj_get(path);

    return pinned_fd >= 0 && bpf_obj_get_info_by_fd(pinned_fd, &pinned, &pinned_len) == 0 &&
           bpf_obj_get_info_by_fd(fd, &ours, &ours_len) == 0 && pinned.id == ours.id;
}

int vnrs_bpf_pin_replace(const char *path, int fd)
{
    _free_ char *fresh = NULL;

    if (asprintf(&fresh, "%s" NEW_SUFFIX, path) < 0) {
        fresh = NULL;
        return -ENOMEM;
    }
    if (unlink(fresh) && errno != ENOENT) // of one that was killed here
        return -errno;
    int err = bpf_obj_pin(fd, fresh);
    if (err)
        return err;
    return rename(fresh, path) ? -errno : 0;
}

bool vnrs_bpf_pin_is_fresh(const char *name)
{
    size_t len = strlen(name), suffix = strlen(NEW_SUFFIX);

    return len > suffix && strcmp(name + len - suffix, NEW_SUFFIX) == 0;
}

// One level of folders below `fd`, then what is in them.
static int remove_entries(int fd, int depth)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return -errno;
    _cleanup_(close_dir) DIR *dir = fdopendir(own);
    if (!dir) {
        (void)close(own);
        return -ENOMEM;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        bool folder = entry->d_type == DT_DIR;
        if (folder && depth > 0) {
            _close_ int sub = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            int err = sub < 0 ? -errno : remove_entries(sub, depth - 1);
            if (err)
                return err;
        }
        if (unlinkat(fd, entry->d_name, folder ? AT_REMOVEDIR : 0) && errno != ENOENT)
            return -errno;
    }
    return 0;
}

int vnrs_bpf_pin_remove_all(const char *dir)
{
    _close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int err = remove_entries(fd, 1);
    if (err)
        return err;
    return rmdir(dir) && errno != ENOENT ? -errno : 0;
}
