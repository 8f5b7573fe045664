// SPDX-License-Identifier: GPL-2.0-or-later
// golden_validate SOURCE_DIR [--update]: every tests/golden/validate/NAME.vnrs.yml must give exactly the messages of
// NAME.out, every diagnostic id must have a file that shows it, and packaging/schema/vnrs.schema.json must be what the
// schema table gives. With --update the expected texts are rewritten instead.
#include "model/diag_ids.h"
#include "model/model.h"
#include "util/fd.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

#define TEXT_BYTES_MAX (1u << 22)

static const struct {
    unsigned number;
    const char *name;
} ids[] = {
#define X(id, number, name) {number, name},
    VNRS_DIAG_IDS(X)
#undef X
};

struct run {
    const char *dir;
    bool update;
    unsigned failures;
    bool seen[1000]; // by id
};

static int load_file(const char *path, char **ret_text)
{
    return vnrs_file_load(path, TEXT_BYTES_MAX, ret_text, NULL);
}

// What a file gives: its messages, then what became of it.
static char *messages_of(struct run *run, const char *path)
{
    _free_ char *source = NULL;
    char *text = NULL;
    size_t len = 0, text_len = 0;

    if (vnrs_file_load(path, TEXT_BYTES_MAX, &source, &len) < 0)
        return NULL;
    FILE *out = open_memstream(&text, &text_len);
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = strrchr(path, '/') + 1, .source = source};
    if (!out || !diags.arena)
        abort();
    struct vnrs_model *model = vnrs_model_load(diags.file, source, len, load_file, &diags);
    vnrs_diags_print(&diags, out, false);
    (void)fprintf(out, "%s\n", model ? "accepted" : "refused");
    vec_foreach (d, &diags.list)
        run->seen[d->id] = true;
    vnrs_model_free(model);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    (void)fclose(out);
    return text;
}

static void compare(struct run *run, const char *path, const char *got)
{
    _free_ char *want = NULL;

    if (run->update) {
        if (vnrs_file_store(path, got, strlen(got), 0644) < 0)
            run->failures++;
        return;
    }
    int err = vnrs_file_load(path, TEXT_BYTES_MAX, &want, NULL);
    if (err == 0 && strcmp(want, got) == 0)
        return;
    run->failures++;
    (void)printf("%s: %s\n--- expected\n%s--- got\n%s", path, err < 0 ? strerror(-err) : "differs", want ? want : "",
                 got);
}

static void check_file(struct run *run, const char *path)
{
    static const char suffix[] = ".vnrs.yml";
    char out[4096];
    _free_ char *got = messages_of(run, path);

    if (!got ||
        (size_t)snprintf(out, sizeof(out), "%.*s.out", (int)(strlen(path) - strlen(suffix)), path) >= sizeof(out)) {
        run->failures++;
        return;
    }
    compare(run, out, got);
}

static void check_ids(struct run *run)
{
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/tests/golden/validate/V%03u-%s.vnrs.yml", run->dir, ids[i].number,
                       ids[i].name);
        if (run->seen[ids[i].number] && access(path, R_OK) == 0)
            continue;
        run->failures++;
        (void)printf("V%03u: no file %s, or it does not show the diagnostic\n", ids[i].number, path);
    }
}

static void check_schema(struct run *run)
{
    char path[4096];
    _free_ char *schema = vnrs_schema_json();
    _free_ char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/packaging/schema/vnrs.schema.json", run->dir);
    if (schema && asprintf(&text, "%s\n", schema) > 0)
        compare(run, path, text);
}

int main(int argc, char **argv)
{
    struct run run = {.update = argc == 3 && strcmp(argv[2], "--update") == 0};
    char pattern[4096];
    glob_t files;

    if (argc < 2 || argc > 3 || (argc == 3 && !run.update)) {
        (void)fprintf(stderr, "usage: golden_validate SOURCE_DIR [--update]\n");
        return 2;
    }
    run.dir = argv[1];
    (void)snprintf(pattern, sizeof(pattern), "%s/tests/golden/validate/*.vnrs.yml", run.dir);
    if (glob(pattern, 0, NULL, &files) != 0) {
        (void)fprintf(stderr, "no files: %s\n", pattern);
        return 1;
    }
    for (size_t i = 0; i < files.gl_pathc; i++)
        check_file(&run, files.gl_pathv[i]);
    (void)printf("%zu files, %u failures\n", files.gl_pathc, run.failures);
    globfree(&files);
    check_ids(&run);
    check_schema(&run);
    return run.failures ? 1 : 0;
}
