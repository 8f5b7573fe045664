// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/diag.h"

#include <stdarg.h>

static const char *diag_vprintf(struct vnrs_diags *diags, const char *fmt, va_list ap)
{
    char text[1024];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    const char *kept = vnrs_arena_strndup(diags->arena, text, strlen(text));
    if (!kept)
        diags->failed = true;
    return kept;
}

struct vnrs_diag *vnrs_diag_add(struct vnrs_diags *diags, enum vnrs_diag_severity severity, unsigned id,
                                struct vnrs_pos pos, const char *fmt, ...)
{
    va_list ap;
    struct vnrs_diag diag = {.severity = severity, .id = id, .pos = pos};

    va_start(ap, fmt);
    diag.message = diag_vprintf(diags, fmt, ap);
    va_end(ap);
    if (severity == VNRS_DIAG_ERROR)
        diags->errors++;
    if (!diag.message || vec_push(&diags->list, diag) < 0) {
        diags->failed = true;
        return NULL;
    }
    return &diags->list.items[diags->list.len - 1];
}

void vnrs_diag_note(struct vnrs_diags *diags, struct vnrs_diag *diag, struct vnrs_pos pos, const char *fmt, ...)
{
    va_list ap;

    if (!diag)
        return;
    va_start(ap, fmt);
    diag->note = diag_vprintf(diags, fmt, ap);
    va_end(ap);
    diag->note_pos = pos;
}

void vnrs_diag_help(struct vnrs_diags *diags, struct vnrs_diag *diag, const char *fmt, ...)
{
    va_list ap;

    if (!diag)
        return;
    va_start(ap, fmt);
    diag->help = diag_vprintf(diags, fmt, ap);
    va_end(ap);
}

bool vnrs_diags_has_error(const struct vnrs_diags *diags)
{
    return diags->errors > 0 || diags->failed;
}

static bool diag_before(const struct vnrs_diag *a, const struct vnrs_diag *b)
{
    if (a->pos.line != b->pos.line)
        return a->pos.line < b->pos.line;
    if (a->pos.col != b->pos.col)
        return a->pos.col < b->pos.col;
    return a->id < b->id;
}

void vnrs_diags_sort(struct vnrs_diags *diags)
{
    // Insertion sort: stable, and the list is short or already nearly in order.
    for (size_t i = 1; i < diags->list.len; i++) {
        struct vnrs_diag d = diags->list.items[i];
        size_t j = i;
        for (; j > 0 && diag_before(&d, &diags->list.items[j - 1]); j--)
            diags->list.items[j] = diags->list.items[j - 1];
        diags->list.items[j] = d;
    }
}

static void print_source_line(const struct vnrs_diags *diags, struct vnrs_pos pos, FILE *out)
{
    const char *line = diags->source;

    for (unsigned n = 1; line && n < pos.line; n++) {
        line = strchr(line, '\n');
        if (line)
            line++;
    }
    if (!line || !*line)
        return;
    int len = (int)strcspn(line, "\r\n");
    (void)fprintf(out, "%5u | %.*s\n      | %*s^\n", pos.line, len, line, (int)pos.col - 1, "");
}

static void print_place(const struct vnrs_diags *diags, struct vnrs_pos pos, FILE *out)
{
    if (pos.line)
        (void)fprintf(out, "%s:%u:%u: ", diags->file, pos.line, pos.col);
    else
        (void)fprintf(out, "%s: ", diags->file);
}

void vnrs_diags_print(const struct vnrs_diags *diags, FILE *out, bool color)
{
    vec_foreach (d, &diags->list) {
        bool is_error = d->severity == VNRS_DIAG_ERROR;
        print_place(diags, d->pos, out);
        (void)fprintf(out, "%s%s%s[V%03u]: %s", color ? (is_error ? "\033[1;31m" : "\033[1;33m") : "",
                      is_error ? "error" : "warning", color ? "\033[0m" : "", d->id, d->message);
        if (d->azure_code)
            (void)fprintf(out, " (%s)", d->azure_code);
        (void)fputc('\n', out);
        if (d->pos.line)
            print_source_line(diags, d->pos, out);
        if (d->note) {
            (void)fputs("note: ", out);
            if (d->note_pos.line)
                print_place(diags, d->note_pos, out);
            (void)fprintf(out, "%s\n", d->note);
        }
        if (d->help)
            (void)fprintf(out, "help: %s\n", d->help);
    }
    if (diags->failed)
        (void)fprintf(out, "%s: error: out of memory while checking\n", diags->file);
}

void vnrs_diags_fini(struct vnrs_diags *diags)
{
    vec_free(&diags->list);
}
