// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char *print(const struct vnrs_diags *diags)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    vnrs_diags_print(diags, out, false);
    (void)fclose(out);
    return text;
}

static void check(struct vnrs_diags *diags, const char *want)
{
    _free_ char *got = print(diags);
    assert_string_equal(got, want);
    vnrs_diags_fini(diags);
    vnrs_arena_free(diags->arena);
}

#define POS(l, c) ((struct vnrs_pos){.line = (l), .col = (c)})

static void prints_line_caret_note_and_help(void **state)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "f.yml", .source = "a: 1\n  b: 2\r\nc: 3"};

    (void)state;
    struct vnrs_diag *d = vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 12, POS(2, 3), "bad %s", "thing");
    d->azure_code = "RouteConflict";
    vnrs_diag_note(&diags, d, POS(1, 1), "see");
    vnrs_diag_help(&diags, d, "do %d", 7);
    (void)vnrs_diag_add(&diags, VNRS_DIAG_WARNING, 3, POS(3, 4), "hm");
    (void)vnrs_diag_add(&diags, VNRS_DIAG_WARNING, 4, POS(9, 1), "past the end");
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 5, POS(0, 0), "nowhere");
    assert_int_equal(diags.errors, 2);
    assert_true(vnrs_diags_has_error(&diags));
    check(&diags, "f.yml:2:3: error[V012]: bad thing (RouteConflict)\n"
                  "    2 |   b: 2\n"
                  "      |   ^\n"
                  "note: f.yml:1:1: see\n"
                  "help: do 7\n"
                  "f.yml:3:4: warning[V003]: hm\n"
                  "    3 | c: 3\n"
                  "      |    ^\n"
                  "f.yml:9:1: warning[V004]: past the end\n"
                  "f.yml: error[V005]: nowhere\n");
}

static void keeps_the_terminal_safe_and_the_caret_in_place(void **state)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "f", .source = "\ta: \x1b[2J\nü: x\n"};

    (void)state;
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(1, 5), "no '\x1b[2J\xc2\x9b'");
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(2, 4), "x");
    check(&diags, "f:1:5: error[V001]: no '?[2J?"
                  "?'\n"
                  "    1 | \ta: ?[2J\n"
                  "      | \t   ^\n"
                  "f:2:4: error[V001]: x\n"
                  "    2 | ü: x\n"
                  "      |    ^\n");
}

static void shows_part_of_a_long_line(void **state)
{
    char source[5001];
    memset(source, 'x', 5000);
    source[5000] = '\0';
    source[2999] = '!';
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "f", .source = source};

    (void)state;
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(1, 3000), "x");
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(1, 4294967295u), "x");
    _free_ char *text = print(&diags);
    assert_true(strlen(text) < 1000);
    const char *mark = strchr(strchr(text, '|'), '!'), *caret = strchr(text, '^');
    assert_non_null(mark);
    const char *line = strchr(text, '\n') + 1, *below = strchr(line, '\n') + 1;
    assert_int_equal(mark - line, caret - below);
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
}

// Neither where the mistake is, nor beside it, nor where the text is broken.
static void secrets_are_not_shown(void **state)
{
    static const char *const keys[] = {"password", "sharedKey", NULL};
    static const struct {
        const char *line, *want; // NULL: as it is
    } rows[] = {
        {"- {name: a, password: s3cret, peerAsn: 0}", "- {name: a, password: ********"},
        {"password: s3cret", "password: ********"},
        {"\"password\" :\"s3cret, }", "\"password\" : ********"},
        {"  'sharedKey':s3cret", "  'sharedKey': ********"},
        {"{a: 'b: c', password: s3cret}", "{a: 'b: c', password: ********"},
        {"passwords: [a], b: 1", NULL},
        {"- password", NULL},
        {": password", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char want[256];
        struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "f", .source = rows[i].line, .secret_keys = keys};
        (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(1, 3), "e");
        (void)snprintf(want, sizeof(want), "f:1:3: error[V001]: e\n    1 | %s\n      |   ^\n",
                       rows[i].want ? rows[i].want : rows[i].line);
        check(&diags, want);
    }
    struct vnrs_diags diags = {
        .arena = vnrs_arena_new(), .file = "f", .source = "password: |\n  s3cret\nb: 1", .secret_keys = keys};
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(2, 3), "e");
    (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(3, 1), "e");
    check(&diags, "f:2:3: error[V001]: e\n    2 |  ********\n      |   ^\n"
                  "f:3:1: error[V001]: e\n    3 | b: 1\n      | ^\n");
}

static void sorts_by_position_then_id_and_is_stable(void **state)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "f"};
    unsigned random = 1;

    (void)state;
    vnrs_diags_sort(&diags);
    for (unsigned i = 0; i < 1000; i++) {
        random = random * 1664525u + 1013904223u;
        (void)vnrs_diag_add(&diags, VNRS_DIAG_ERROR, random >> 10 & 3, POS(random >> 20 & 7, random >> 25 & 3), "%u",
                            i);
    }
    vnrs_diags_sort(&diags);
    assert_int_equal(diags.list.len, 1000);
    for (size_t i = 1; i < diags.list.len; i++) {
        const struct vnrs_diag *a = &diags.list.items[i - 1], *b = &diags.list.items[i];
        assert_true(a->pos.line <= b->pos.line);
        if (a->pos.line != b->pos.line)
            continue;
        assert_true(a->pos.col <= b->pos.col);
        if (a->pos.col != b->pos.col)
            continue;
        assert_true(a->id <= b->id);
        if (a->id == b->id)
            assert_true(strtoul(a->message, NULL, 10) < strtoul(b->message, NULL, 10));
    }
    assert_non_null(vnrs_diag_add(&diags, VNRS_DIAG_ERROR, 1, POS(1, 1), "after"));
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
}

static void warnings_are_no_errors(void **state)
{
    struct vnrs_diags diags = {.arena = vnrs_arena_new(), .file = "f"};

    (void)state;
    (void)vnrs_diag_add(&diags, VNRS_DIAG_WARNING, 1, POS(1, 1), "w");
    assert_false(vnrs_diags_has_error(&diags));
    vnrs_diag_note(&diags, NULL, POS(1, 1), "ignored");
    vnrs_diag_help(&diags, NULL, "ignored");
    diags.failed = true;
    assert_true(vnrs_diags_has_error(&diags));
    vnrs_diags_fini(&diags);
    vnrs_arena_free(diags.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_line_caret_note_and_help),
        cmocka_unit_test(keeps_the_terminal_safe_and_the_caret_in_place),
        cmocka_unit_test(shows_part_of_a_long_line),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(sorts_by_position_then_id_and_is_stable),
        cmocka_unit_test(warnings_are_no_errors),
    };
    return cmocka_run_group_tests_name("util.diag", tests, NULL, NULL);
}
