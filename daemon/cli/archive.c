// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/archive.h"

#include "util/strbuf.h"

#include <zlib.h>

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES 512u
#define LEN_MAX     077777777777ull // eleven octal digits

struct header { // POSIX.1-1988 ustar; numbers are octal digits
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, linkname[100], magic[6],
        version[2], uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};
static_assert(sizeof(struct header) == BLOCK_BYTES, "a header is a block");

struct vnrs_archive {
    gzFile out;
    char *folder;
    time_t now;
    int error;
};

struct vnrs_archive *vnrs_archive_new(int fd, const char *folder, time_t now)
{
    struct vnrs_archive *archive = calloc(1, sizeof(*archive));
    gzFile out = archive ? gzdopen(fd, "wb") : NULL;

    if (out) {
        *archive = (struct vnrs_archive){.out = out, .folder = strdup(folder), .now = now};
        archive->error = archive->folder ? 0 : -ENOMEM;
        return archive;
    }
    (void)close(fd);
    free(archive);
    return NULL;
}

static void put(struct vnrs_archive *archive, const void *bytes, size_t len)
{
    if (archive->error || !len)
        return;
    errno = 0;
    if (gzwrite(archive->out, bytes, (unsigned)len) != (int)len)
        archive->error = errno ? -errno : -EIO;
}

// The name, as two parts where it is longer than a field: what is before a slash, and what is after it.
static int put_name(struct header *header, const char *name)
{
    size_t len = strlen(name);
    const char *cut = name;

    while (len - (size_t)(cut - name) > sizeof(header->name)) {
        cut = strchr(cut, '/');
        if (!cut)
            return -ENAMETOOLONG;
        cut++;
    }
    if (cut > name && (size_t)(cut - name) - 1 > sizeof(header->prefix))
        return -ENAMETOOLONG;
    if (cut > name)
        memcpy(header->prefix, name, (size_t)(cut - name) - 1);
    memcpy(header->name, cut, len - (size_t)(cut - name)); // no terminator where it fills the field
    return 0;
}

static void put_octal(char *field, size_t size, unsigned long long value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%0*llo", (int)size - 1, value);
    memcpy(field, text, size);
}

static int make_header(struct header *header, const char *name, size_t len, time_t now)
{
    unsigned sum = 0;
    int err = put_name(header, name);

    if (err < 0 || len > LEN_MAX)
        return err < 0 ? err : -EFBIG;
    put_octal(header->mode, sizeof(header->mode), 0644);
    put_octal(header->uid, sizeof(header->uid), 0);
    put_octal(header->gid, sizeof(header->gid), 0);
    put_octal(header->size, sizeof(header->size), len);
    put_octal(header->mtime, sizeof(header->mtime), now > 0 ? (unsigned long long)now : 0);
    header->type = '0';
    memcpy(header->magic, "ustar", sizeof(header->magic));
    memcpy(header->version, "00", sizeof(header->version));
    memset(header->checksum, ' ', sizeof(header->checksum));
    for (size_t i = 0; i < sizeof(*header); i++)
        sum += ((const uint8_t *)header)[i];
    put_octal(header->checksum, sizeof(header->checksum) - 1, sum); // six digits, zero, blank
    return 0;
}

void vnrs_archive_add(struct vnrs_archive *archive, const char *name, const void *bytes, size_t len)
{
    static const uint8_t zeros[BLOCK_BYTES];
    struct vnrs_strbuf path = {0};
    struct header header = {0};

    vnrs_strbuf_printf(&path, "%s/%s", archive->folder ? archive->folder : "", name);
    if (!archive->error)
        archive->error = path.failed ? -ENOMEM : make_header(&header, path.text, len, archive->now);
    vnrs_strbuf_fini(&path);
    put(archive, &header, sizeof(header));
    put(archive, bytes, len);
    put(archive, zeros, (BLOCK_BYTES - len % BLOCK_BYTES) % BLOCK_BYTES);
}

int vnrs_archive_end(struct vnrs_archive *archive)
{
    static const uint8_t zeros[2 * BLOCK_BYTES];

    put(archive, zeros, sizeof(zeros));
    errno = 0;
    int closed = gzclose(archive->out), err = archive->error;
    if (!err && closed != Z_OK)
        err = errno ? -errno : -EIO;
    free(archive->folder);
    free(archive);
    return err;
}
