// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/file.h"

#include "cli/client.h"
#include "util/fd.h"
#include "util/strbuf.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#define SOURCE_MAX (4u << 20)

// Files that the topology names (run.config), read relative to it and sent along: the daemon reads no files. The
// loader's callback has no argument.
static struct {
    char dir[4096];
    json_t *files;
} named;

static int load_named_file(const char *path, char **ret_text)
{
    char full[8192];

    (void)snprintf(full, sizeof(full), "%s%s%s", *path == '/' ? "" : named.dir, *path == '/' ? "" : "/", path);
    int err = vnrs_file_load(full, SOURCE_MAX, ret_text, NULL);
    if (err == 0)
        (void)json_object_set_new(named.files, path, json_string(*ret_text));
    return err;
}

void vnrs_checked_file_fini(struct vnrs_checked_file *f)
{
    vnrs_model_free(f->model);
    vnrs_diags_fini(&f->diags);
    vnrs_arena_free(f->arena);
    json_decref(f->files);
    free(f->source);
}

int vnrs_checked_file_load(const char *path, struct vnrs_checked_file *f)
{
    size_t len = 0;
    char copy[4096];
    int err = vnrs_file_load(path, SOURCE_MAX, &f->source, &len);

    if (err < 0) {
        (void)fprintf(stderr, "vnrs: error: cannot read '%s': %s\n", path,
                      err == -EFBIG ? "larger than 4 MiB" : strerror(-err));
        return VNRS_EXIT_FAILED;
    }
    f->arena = vnrs_arena_new();
    f->files = json_object();
    if (!f->arena || !f->files)
        return VNRS_EXIT_FAILED;
    (void)vnrs_str_copy(copy, sizeof(copy), path);
    (void)vnrs_str_copy(named.dir, sizeof(named.dir), dirname(copy));
    named.files = f->files;
    f->diags = (struct vnrs_diags){.arena = f->arena, .file = path, .source = f->source};
    f->model = vnrs_model_load(path, f->source, len, load_named_file, &f->diags);
    vnrs_diags_sort(&f->diags);
    return f->model ? VNRS_EXIT_OK : VNRS_EXIT_INVALID;
}
