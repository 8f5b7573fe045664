// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as a topology file: no crash; and what is accepted prints to a text that is accepted and prints the same.
#include "model/model.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vnrs_model *load(const char *text, size_t len, bool must_pass)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "fuzz", .source = text};
    char *shown = NULL;
    size_t shown_len = 0;
    FILE *out = open_memstream(&shown, &shown_len);

    if (!out || !diags.arena)
        abort();
    struct vnrs_model *model = vnrs_model_load("fuzz", text, len, NULL, &diags);
    vnrs_diags_print(&diags, out, false);
    (void)fclose(out);
    if (!model && (must_pass || !vnrs_diags_has_error(&diags))) {
        (void)fputs(text, stderr);
        (void)fputs(shown, stderr);
        abort();
    }
    free(shown);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
    return model;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct vnrs_model *model = load(text, size, false);
    if (model) {
        char *printed = vnrs_model_print(model);
        struct vnrs_model *again = load(printed, strlen(printed), true);
        char *printed_again = vnrs_model_print(again);
        if (strcmp(printed, printed_again) != 0)
            abort();
        free(printed);
        free(printed_again);
        vnrs_model_free(again);
    }
    vnrs_model_free(model);
    free(text);
    return 0;
}
