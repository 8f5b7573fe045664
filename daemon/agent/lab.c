// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/lab.h"

#include "agent/fabric.h"
#include "agent/flows.h"
#include "agent/guests.h"
#include "agent/monitor.h"
#include "agent/runs.h"
#include "agent/tunnel.h"
#include "lab/name.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_MAX_BYTES   (512u << 20)
#define JOURNAL_WASTE_BYTES (4u << 20)
#define JOURNAL_MAGIC       0x76411003u // changes with the layout of any spec

// One entry; the spec follows unless it is a removal.
struct entry {
    uint32_t magic;
    uint32_t removed;
    uint64_t listing;
    struct vnrs_ag_obj obj;
    uint32_t spec_size;
};

static void make_id(uint32_t type, const char *key, char ret[static VNRS_KEY_MAX + 8])
{
    (void)snprintf(ret, VNRS_KEY_MAX + 8, "%u:%s", type, key);
}

struct vnrs_agentd_object *vnrs_agentd_object_find(const struct vnrs_agentd_lab *lab, uint32_t type, const char *key)
{
    char id[VNRS_KEY_MAX + 8];

    make_id(type, key, id);
    return vnrs_map_find(&lab->objects, id, strlen(id));
}

static struct vnrs_agentd_object *add_object(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj)
{
    struct vnrs_agentd_object *object = calloc(1, sizeof(*object));

    if (!object)
        return NULL;
    object->lab = lab;
    object->obj = *obj;
    make_id(obj->type, obj->key, object->id);
    if (vnrs_map_put(&lab->objects, object->id, strlen(object->id), object) < 0) {
        free(object);
        return NULL;
    }
    return object;
}

static void free_object(struct vnrs_agentd_object *object)
{
    vnrs_agentd_watch_free(object->watch);
    vnrs_agentd_proc_forget(object);
    vnrs_agentd_tunnel_forget(object);
    vnrs_agentd_speaker_free(object->speaker);
    free(object);
}

// Journal.

static int path_in(const struct vnrs_agentd_lab *lab, const char *name, char ret[static 320])
{
    return snprintf(ret, 320, "%s/%s", lab->dir, name) >= 320 ? -ENAMETOOLONG : 0;
}

static void make_entry(const struct vnrs_agentd_object *object, bool removed, struct entry *ret)
{
    *ret = (struct entry){.magic = JOURNAL_MAGIC,
                          .removed = removed,
                          .listing = object->listing,
                          .obj = object->obj,
                          .spec_size = removed ? 0 : (uint32_t)vnrs_agentd_spec_size(object->obj.type)};
}

static int make_lab_dir(const struct vnrs_agentd_lab *lab)
{
    return mkdir(lab->dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_journal(struct vnrs_agentd_lab *lab)
{
    char path[320];

    if (lab->journal_fd >= 0)
        return 0;
    int err = make_lab_dir(lab);
    if (err == 0)
        err = path_in(lab, "objects", path);
    if (err < 0)
        return err;
    lab->journal_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return lab->journal_fd < 0 ? -errno : 0;
}

// All that counts, in a new file.
static int compact_journal(struct vnrs_agentd_lab *lab)
{
    struct vnrs_strbuf buf = {0};
    struct vnrs_map_entry *e;
    char path[320];
    size_t at = 0;

    while ((e = vnrs_map_next(&lab->objects, &at))) {
        const struct vnrs_agentd_object *object = e->value;
        struct entry entry;
        make_entry(object, false, &entry);
        vnrs_strbuf_add(&buf, (const char *)&entry, sizeof(entry));
        vnrs_strbuf_add(&buf, (const char *)&object->spec, entry.spec_size);
    }
    int err = buf.failed ? -ENOMEM : path_in(lab, "objects", path);
    if (err == 0)
        err = vnrs_file_store(path, buf.text ? buf.text : "", buf.len, 0600);
    vnrs_strbuf_fini(&buf);
    if (err < 0)
        return err;
    if (lab->journal_fd >= 0)
        (void)close(TAKE_FD(lab->journal_fd));
    lab->journal_waste = 0;
    return open_journal(lab);
}

static int append(struct vnrs_agentd_object *object, bool removed)
{
    struct vnrs_agentd_lab *lab = object->lab;
    struct entry entry;
    int err = open_journal(lab);

    if (err < 0)
        return err;
    make_entry(object, removed, &entry);
    struct iovec parts[] = {{&entry, sizeof(entry)}, {&object->spec, entry.spec_size}};
    ssize_t put = writev(lab->journal_fd, parts, ARRAY_SIZE(parts));
    if (put != (ssize_t)(sizeof(entry) + entry.spec_size)) {
        err = put < 0 ? -errno : -ENOSPC;
        int again = compact_journal(lab); // no half entry may stay in the middle
        return again < 0 ? again : err;
    }
    lab->journal_waste += (size_t)put;
    return lab->journal_waste > JOURNAL_WASTE_BYTES + lab->objects.len * 4 * sizeof(union vnrs_agentd_spec)
               ? compact_journal(lab)
               : 0;
}

// Ends at the first entry that is not whole: a kill in the middle of writing.
static void read_entries(struct vnrs_agentd_lab *lab, const char *bytes, size_t len)
{
    for (size_t at = 0; len - at >= sizeof(struct entry);) {
        struct entry entry;
        memcpy(&entry, bytes + at, sizeof(entry));
        at += sizeof(entry);
        bool whole = entry.magic == JOURNAL_MAGIC && entry.spec_size <= len - at &&
                     entry.spec_size == (entry.removed ? 0 : vnrs_agentd_spec_size(entry.obj.type)) &&
                     memchr(entry.obj.key, 0, sizeof(entry.obj.key));
        if (!whole)
            break;
        struct vnrs_agentd_object *object = vnrs_agentd_object_find(lab, entry.obj.type, entry.obj.key);
        if (entry.removed && object) {
            (void)vnrs_map_remove(&lab->objects, object->id, strlen(object->id));
            free_object(object);
        } else if (!entry.removed) {
            object = object ? object : add_object(lab, &entry.obj);
            if (!object)
                break;
            memcpy(&object->spec, bytes + at, entry.spec_size);
            object->listing = entry.listing;
        }
        at += entry.spec_size;
    }
}

static int load_journal(struct vnrs_agentd_lab *lab)
{
    char path[320];
    _free_ char *bytes = NULL;
    size_t len;
    int err = path_in(lab, "objects", path);

    if (err == 0)
        err = vnrs_file_load(path, JOURNAL_MAX_BYTES, &bytes, &len);
    if (err == -ENOENT)
        return 0;
    if (err < 0)
        return err;
    read_entries(lab, bytes, len);
    return compact_journal(lab);
}

struct vnrs_agentd_object *vnrs_agentd_object_put(struct vnrs_agentd_lab *lab, const struct vnrs_ag_obj *obj,
                                                  const union vnrs_agentd_spec *spec, struct vnrs_err *err)
{
    struct vnrs_agentd_object *object = vnrs_agentd_object_find(lab, obj->type, obj->key);
    size_t size = vnrs_agentd_spec_size(obj->type);

    if (object && !object->unwritten && memcmp(&object->spec, spec, size) == 0)
        return object;
    if (!object)
        object = add_object(lab, obj);
    if (!object) {
        (void)vnrs_err_set(err, -ENOMEM, "out of memory");
        return NULL;
    }
    memcpy(&object->spec, spec, size);
    int code = append(object, false);
    object->unwritten = code < 0;
    if (code < 0) {
        (void)vnrs_err_errno(err, code, "writing down object '%s'", obj->key);
        return NULL;
    }
    return object;
}

int vnrs_agentd_object_store(struct vnrs_agentd_object *object)
{
    return append(object, false);
}

void vnrs_agentd_object_drop(struct vnrs_agentd_object *object)
{
    struct vnrs_agentd_lab *lab = object->lab;
    int err = append(object, true);

    if (err < 0) // it would only be looked for once more by the next agent
        log_warn("lab '%s': forgetting '%s': %s", lab->name, object->obj.key, strerror(-err));
    (void)vnrs_map_remove(&lab->objects, object->id, strlen(object->id));
    free_object(object);
}

// Labs.

struct vnrs_agentd_lab *vnrs_agentd_lab_find(struct vnrs_agentd *ad, const char *name, bool make)
{
    struct vnrs_agentd_lab *lab = vnrs_map_find(&ad->labs, name, strlen(name));

    if (lab || !make)
        return lab;
    lab = calloc(1, sizeof(*lab));
    if (!lab)
        return NULL;
    lab->ad = ad;
    lab->journal_fd = lab->fabric_fd = lab->fabric_nl.fd = lab->pins_watch = -1;
    if (!vnrs_str_copy(lab->name, sizeof(lab->name), name) ||
        snprintf(lab->dir, sizeof(lab->dir), "%s/labs/%s", ad->options.run_dir, name) >= (int)sizeof(lab->dir) ||
        vnrs_map_put(&ad->labs, lab->name, strlen(lab->name), lab) < 0) {
        free(lab);
        return NULL;
    }
    return lab;
}

static void free_lab(struct vnrs_agentd_lab *lab)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&lab->objects, &at)))
        free_object(e->value);
    vnrs_map_fini(&lab->objects);
    vnrs_agentd_flows_stop(lab);
    vnrs_agentd_fabric_forget(lab);
    vnrs_agentd_guests_free(lab);
    if (lab->suspect_timer)
        event_free(lab->suspect_timer);
    if (lab->journal_fd >= 0)
        (void)close(lab->journal_fd);
    free(lab->upload);
    free(lab);
}

uint64_t vnrs_agentd_lab_writes(const struct vnrs_agentd_lab *lab)
{
    return (lab->fabric_sink ? lab->fabric_sink->writes : 0) + (lab->guest_sink ? lab->guest_sink->writes : 0);
}

void vnrs_agentd_labs_free(struct vnrs_agentd *ad)
{
    struct vnrs_map_entry *e;
    size_t at = 0;

    while ((e = vnrs_map_next(&ad->labs, &at)))
        free_lab(e->value);
    vnrs_map_fini(&ad->labs);
}

int vnrs_agentd_labs_load(struct vnrs_agentd *ad)
{
    char path[256];

    if (snprintf(path, sizeof(path), "%s/labs", ad->options.run_dir) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    int err = 0;
    for (struct dirent *e = readdir(dir); e && err == 0; e = readdir(dir)) {
        if (!vnrs_name_is_lab(e->d_name, VNRS_LAB_NAME_MAX))
            continue;
        struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, e->d_name, true);
        err = lab ? load_journal(lab) : -ENOMEM;
    }
    (void)closedir(dir);
    return err;
}

// Records.

static void forget_lab(struct vnrs_agentd_lab *lab)
{
    static const char *const files[] = {"record", "record.new", "objects", "objects.new"};
    char path[320];

    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (path_in(lab, files[i], path) == 0)
            (void)unlink(path);
    if (path_in(lab, "proc", path) == 0)
        (void)rmdir(path);
    if (rmdir(lab->dir) < 0 && errno != ENOENT)
        log_warn("lab '%s': directory '%s' stays: %s", lab->name, lab->dir, strerror(errno));
    (void)vnrs_map_remove(&lab->ad->labs, lab->name, strlen(lab->name));
    free_lab(lab);
}

int vnrs_agentd_record_put(struct vnrs_agentd *ad, const struct vnrs_ag_record *piece, const void *data, size_t size,
                           struct vnrs_err *err)
{
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, piece->lab, piece->total > 0);
    char path[320];

    if (piece->total == 0) {
        if (lab)
            forget_lab(lab);
        return 0;
    }
    if (!lab)
        return vnrs_err_set(err, -ENOMEM, "out of memory");
    if (piece->offset == 0) {
        free(lab->upload);
        lab->upload = malloc(piece->total);
        lab->upload_total = piece->total;
        lab->upload_have = 0;
    }
    if (!lab->upload)
        return vnrs_err_set(err, piece->offset ? -EINVAL : -ENOMEM, "record of lab '%s': no first piece", lab->name);
    if (piece->total != lab->upload_total || piece->offset != lab->upload_have)
        return vnrs_err_set(err, -EINVAL, "record of lab '%s': pieces out of order", lab->name);
    memcpy(lab->upload + piece->offset, data, size);
    lab->upload_have += (uint32_t)size;
    if (lab->upload_have < lab->upload_total)
        return 0;
    int code = make_lab_dir(lab);
    if (code == 0)
        code = path_in(lab, "record", path);
    if (code == 0)
        code = vnrs_file_store(path, lab->upload, lab->upload_total, 0600);
    free(TAKE_PTR(lab->upload));
    return code < 0 ? vnrs_err_errno(err, code, "record of lab '%s'", lab->name) : 0;
}

int vnrs_agentd_record_load(const struct vnrs_agentd_lab *lab, char **ret_bytes, size_t *ret_size)
{
    char path[320];
    int err = path_in(lab, "record", path);

    return err < 0 ? err : vnrs_file_load(path, VNRS_RECORD_MAX, ret_bytes, ret_size);
}
