// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 64

// A pipe or device opens at once or not at all.
#define OPEN_FLAGS (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

int vnrs_private_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int vnrs_private_store(int dir, const char *name, const void *bytes, size_t size,
                       const struct vnrs_private_owner *owner)
{
    char temp[64];

    if (snprintf(temp, sizeof(temp), "%s.new", name) >= (int)sizeof(temp))
        return -ENAMETOOLONG;
    // What is there already may be another name of some other file.
    if (unlinkat(dir, temp, 0) < 0 && errno != ENOENT)
        return -errno;
    _close_ int fd = openat(dir, temp, OPEN_FLAGS | O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return -errno;
    ssize_t put = write(fd, bytes, size);
    int err = put < 0 ? -errno : (size_t)put < size ? -ENOSPC : 0;
    if (err == 0 && (fchown(fd, owner->uid, owner->gid) < 0 || fchmod(fd, owner->mode) < 0))
        err = -errno;
    if (err == 0 && renameat(dir, temp, dir, name) < 0)
        err = -errno;
    if (err < 0)
        (void)unlinkat(dir, temp, 0);
    return err;
}

int vnrs_private_load(int dir, const char *name, size_t max, char **ret_bytes, size_t *ret_size)
{
    _close_ int fd = openat(dir, name, OPEN_FLAGS | O_RDONLY);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if ((uint64_t)st.st_size > max)
        return -EFBIG;
    size_t size = (size_t)st.st_size, have = 0;
    _free_ char *bytes = malloc(size + 1);
    while (bytes && have < size) {
        ssize_t got = read(fd, bytes + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break; // cut meanwhile
        have += (size_t)got;
    }
    if (!bytes)
        return -ENOMEM;
    bytes[have] = '\0';
    *ret_bytes = TAKE_PTR(bytes);
    *ret_size = have;
    return 0;
}

static int open_plain(int dir, const char *name, struct stat *ret_st)
{
    _close_ int fd = openat(dir, name, OPEN_FLAGS | O_WRONLY | O_CREAT | O_APPEND, 0640);

    if (fd < 0 || fstat(fd, ret_st) < 0)
        return -errno;
    return S_ISREG(ret_st->st_mode) && ret_st->st_nlink == 1 ? TAKE_FD(fd) : -EINVAL;
}

int vnrs_private_append(int dir, const char *name, off_t max)
{
    struct stat st = {0};
    _close_ int fd = open_plain(dir, name, &st);

    if (fd < 0) {
        (void)unlinkat(dir, name, 0);
        fd = open_plain(dir, name, &st);
    }
    if (fd < 0)
        return fd;
    if (st.st_size > max && ftruncate(fd, 0) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int clear(int dir, int depth);

static int remove_entry(int dir, const char *name, int depth)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    _close_ int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0)
        return -errno;
    int err = clear(sub, depth + 1);
    return err < 0 ? err : unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int clear(int dir, int depth)
{
    int err = 0;

    if (depth > DEPTH_MAX)
        return -ELOOP;
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0)
        return -errno;
    DIR *list = fdopendir(own);
    if (!list) {
        (void)close(own);
        return -ENOMEM;
    }
    for (struct dirent *e = readdir(list); e; e = readdir(list)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int code = remove_entry(dir, e->d_name, depth);
        err = err < 0 ? err : code; // the others go nevertheless
    }
    (void)closedir(list);
    return err;
}

int vnrs_private_clear(int dir)
{
    return clear(dir, 0);
}
