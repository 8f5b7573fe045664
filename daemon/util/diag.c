// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/diag.h"

#include <stdarg.h>
#include <sys/types.h>

// What a user wrote may hold control characters; none of them reaches a terminal.
static void defuse(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
            c[0] = c[1] = '?'; // C1 controls as UTF-8
    }
}

static const char *diag_vprintf(struct vnrs_diags *diags, const char *fmt, va_list ap)
{
    char text[1024];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    defuse(text);
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

// Merge two sorted runs of `from` into `to`.
static void merge_runs(const struct vnrs_diag *from, struct vnrs_diag *to, size_t left, size_t middle, size_t right)
{
    size_t a = left, b = middle;

    for (size_t i = left; i < right; i++)
        to[i] = a < middle && (b >= right || !diag_before(&from[b], &from[a])) ? from[a++] : from[b++];
}

void vnrs_diags_sort(struct vnrs_diags *diags)
{
    size_t n = diags->list.len;
    struct vnrs_diag *items = diags->list.items, *other = n > 1 ? malloc(n * sizeof(*other)) : NULL;

    if (!other) {
        diags->failed |= n > 1;
        return;
    }
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t left = 0; left < n; left += 2 * run)
            merge_runs(items, other, left, MIN(left + run, n), MIN(left + 2 * run, n));
        struct vnrs_diag *merged = other;
        other = items;
        items = merged;
    }
    free(other);
    diags->list.items = items;
    diags->list.cap = n;
}

#define EXCERPT_COLUMNS 160u // of a longer line only the part around the caret is shown

static bool is_secret_key(const struct vnrs_diags *diags, const char *text, size_t len)
{
    for (const char *const *key = diags->secret_keys; key && *key; key++)
        if (strlen(*key) == len && strncmp(*key, text, len) == 0)
            return true;
    return false;
}

// Where a secret begins in a line: behind "key:", up to the end, whatever its quotes. Negative: nowhere.
static ssize_t secret_at(const struct vnrs_diags *diags, const char *line)
{
    size_t len = strcspn(line, "\r\n");

    for (size_t colon = 1; colon < len; colon++) {
        size_t end = colon, begin;
        if (line[colon] != ':')
            continue;
        while (end && strchr(" \t\"'", line[end - 1]))
            end--;
        for (begin = end; begin && !strchr(" \t\"',{", line[begin - 1]);)
            begin--;
        if (is_secret_key(diags, line + begin, end - begin))
            return (ssize_t)(colon + 1);
    }
    return -1;
}

// The secret of the line before stands on this one.
static bool is_secret_below(const struct vnrs_diags *diags, const char *before)
{
    ssize_t at = before ? secret_at(diags, before) : -1;

    if (at < 0)
        return false;
    before += at;
    before += strspn(before, " \t");
    return strchr("|>\r\n", *before) != NULL;
}

// The source line and, below it, a caret. Columns count code points; a tab stays a tab so that both lines agree.
static void print_source_line(const struct vnrs_diags *diags, struct vnrs_pos pos, FILE *out)
{
    const char *line = diags->source, *before = NULL;
    unsigned first = pos.col > EXCERPT_COLUMNS ? pos.col - EXCERPT_COLUMNS / 2 : 1, col = 0;
    char caret[EXCERPT_COLUMNS + 1];

    for (unsigned n = 1; line && n < pos.line; n++) {
        before = line;
        line = strchr(line, '\n');
        if (line)
            line++;
    }
    if (!line || !*line)
        return;
    ssize_t secret = is_secret_below(diags, before) ? 0 : secret_at(diags, line);
    const unsigned char *hidden = secret < 0 ? NULL : (const unsigned char *)line + secret;
    memset(caret, ' ', sizeof(caret));
    (void)fprintf(out, "%5u | ", pos.line);
    for (const unsigned char *c = (const unsigned char *)line; *c && *c != '\r' && *c != '\n'; c++) {
        if (c == hidden) {
            (void)fputs(" ********", out);
            break;
        }
        col += (*c & 0xc0) != 0x80;
        if (col < first || col >= first + EXCERPT_COLUMNS)
            continue;
        if (*c == '\t')
            caret[col - first] = '\t';
        (void)fputc((*c < 0x20 && *c != '\t') || *c == 0x7f ? '?' : *c, out);
    }
    (void)fprintf(out, "\n      | %.*s^\n", (int)(pos.col - first), caret);
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
