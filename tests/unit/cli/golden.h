// SPDX-License-Identifier: GPL-2.0-or-later
// Text that the CLI makes of the controller's JSON, compared with what the repository holds.
#pragma once

#include "util/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static inline void golden_path(char path[static 512], const char *folder, const char *name)
{
    const char *root = getenv("VNRS_SOURCE_DIR");

    (void)snprintf(path, 512, "%s/tests/unit/%s/%s", root ? root : ".", folder, name);
}

// What a test of the controller holds true. The caller's.
static inline json_t *golden_json(const char *name)
{
    char path[512];

    golden_path(path, "control", name);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

// Against tests/unit/cli/<golden>; VNRS_UPDATE_GOLDEN writes it.
static inline void golden_check(void (*print)(FILE *out, const json_t *json), const json_t *json, const char *golden)
{
    _free_ char *text = NULL, *want = NULL;
    char path[512];
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    print(out, json);
    (void)fclose(out);
    golden_path(path, "cli", golden);
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, text, strlen(text), 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(text, want);
}
