// SPDX-License-Identifier: GPL-2.0-or-later
// Runs a fuzz target over the files given, and over the files of the directories given, without libFuzzer.
#include "fuzz.h"

#include "util/fd.h"
#include "util/macros.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

static unsigned n_replayed;

static bool replay_file(const char *path)
{
    _free_ char *text = NULL;
    size_t len = 0;

    if (vnrs_file_load(path, INPUT_MAX, &text, &len) < 0) {
        fprintf(stderr, "cannot read '%s'\n", path);
        return false;
    }
    // Exactly its size, without the NUL: a sanitizer then sees a read beyond the end.
    _free_ uint8_t *input = malloc(len ? len : 1);
    if (!input)
        return false;
    memcpy(input, text, len);
    (void)LLVMFuzzerTestOneInput(input, len);
    n_replayed++;
    return true;
}

static bool replay(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return replay_file(path);
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    bool ok = true;
    for (struct dirent *e; (e = readdir(dir));) {
        _free_ char *file = NULL;
        if (e->d_name[0] == '.')
            continue;
        ok = asprintf(&file, "%s/%s", path, e->d_name) >= 0 && replay_file(file) && ok;
    }
    closedir(dir);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;

    for (int i = 1; i < argc; i++)
        ok = replay(argv[i]) && ok;
    printf("%u inputs replayed\n", n_replayed);
    return ok && n_replayed ? EXIT_SUCCESS : EXIT_FAILURE;
}
