// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES (64u * 1024u)

struct chunk {
    struct chunk *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

struct vnrs_arena {
    struct chunk *first;
};

struct vnrs_arena *vnrs_arena_new(void)
{
    return calloc(1, sizeof(struct vnrs_arena));
}

void vnrs_arena_free(struct vnrs_arena *arena)
{
    if (!arena)
        return;
    for (struct chunk *c = arena->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(arena);
}

void *vnrs_arena_alloc(struct vnrs_arena *arena, size_t size)
{
    size_t need = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    struct chunk *c = arena->first;

    if (size > PTRDIFF_MAX / 2)
        return NULL; // rounding up and adding the header would overflow
    if (!c || c->size - c->used < need) {
        size_t room = MAX(need, (size_t)CHUNK_BYTES);
        c = calloc(1, sizeof(*c) + room);
        if (!c)
            return NULL;
        c->size = room;
        c->next = arena->first;
        arena->first = c;
    }
    c->used += need;
    return c->bytes + c->used - need;
}

void *vnrs_arena_dup(struct vnrs_arena *arena, const void *bytes, size_t size)
{
    void *copy = vnrs_arena_alloc(arena, size);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}

char *vnrs_arena_strndup(struct vnrs_arena *arena, const char *text, size_t len)
{
    char *copy = vnrs_arena_alloc(arena, len + 1);
    if (copy)
        memcpy(copy, text, len);
    return copy;
}

char *vnrs_arena_printf(struct vnrs_arena *arena, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;

    va_start(ap, fmt);
    int len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0 || !(text = vnrs_arena_alloc(arena, (size_t)len + 1)))
        return NULL;
    va_start(ap, fmt);
    (void)vsnprintf(text, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return text;
}
