// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/node.h"

#include "model/diag_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct vnrs_arena *arena;
    struct vnrs_diags diags;
};

static struct fixture fixture(void)
{
    struct fixture f = {.arena = vnrs_arena_new()};
    f.diags = (struct vnrs_diags){.arena = f.arena, .file = "t"};
    return f;
}

static void done(struct fixture *f)
{
    vnrs_diags_fini(&f->diags);
    vnrs_arena_free(f->arena);
}

static void assert_pos(struct vnrs_pos pos, unsigned line, unsigned col)
{
    assert_int_equal(pos.line, line);
    assert_int_equal(pos.col, col);
}

static void knows_where_everything_is(void **state)
{
    static const char text[] = "# comment\n"
                               "a: 1\n"
                               "list:\n"
                               "  - {x: \"q\", y: [1, two]}\n"
                               "  - plain\n"
                               "ü: z\n";
    struct fixture f = fixture();
    struct vnrs_node *root = vnrs_node_load(text, strlen(text), f.arena, &f.diags);

    (void)state;
    assert_non_null(root);
    assert_int_equal(root->kind, VNRS_NODE_MAP);
    assert_int_equal(root->n, 3);
    const struct vnrs_node *a = vnrs_node_get(root, "a"), *list = vnrs_node_get(root, "list");
    assert_string_equal(a->text, "1");
    assert_true(a->plain);
    assert_pos(a->key_pos, 2, 1);
    assert_pos(a->pos, 2, 4);
    assert_int_equal(list->n, 2);
    const struct vnrs_node *x = vnrs_node_get(list->first, "x"), *y = vnrs_node_get(list->first, "y");
    assert_false(x->plain);
    assert_pos(x->pos, 4, 9);
    assert_int_equal(y->n, 2);
    assert_pos(y->first->next->pos, 4, 21);
    assert_pos(root->first->next->next->pos, 6, 4); // columns count characters, not bytes
    assert_null(vnrs_node_get(root, "nothing"));
    assert_null(vnrs_node_get(a, "a"));
    assert_null(vnrs_node_get(NULL, "a"));
    list->first->bad = true;
    vnrs_node_get(root, "a")->bad = true;
    assert_null(vnrs_node_get(root, "a"));
    assert_true(vnrs_node_has(root, "a"));
    assert_false(vnrs_node_has(root, "b"));
    done(&f);
}

static void empty_is_an_empty_map(void **state)
{
    static const char *const texts[] = {"", "\n\n", "# only a comment\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct fixture f = fixture();
        const struct vnrs_node *root = vnrs_node_load(texts[i], strlen(texts[i]), f.arena, &f.diags);
        assert_non_null(root);
        assert_int_equal(root->kind, VNRS_NODE_MAP);
        assert_int_equal(root->n, 0);
        done(&f);
    }
}

static void refuses_what_is_not_in_the_subset(void **state)
{
    static const struct {
        const char *text;
        unsigned id, line, col;
    } rows[] = {
        {"a: [", VNRS_V_YAML_SYNTAX, 1, 5},
        {"a: \"\\0\"", VNRS_V_YAML_SYNTAX, 1, 4},
        {"\t- x", VNRS_V_YAML_SYNTAX, 1, 1},
        {"a: \xff\xfe", VNRS_V_YAML_SYNTAX, 1, 1},
        {"a: &x 1\nb: *x", VNRS_V_YAML_FEATURE, 2, 4},
        {"*x", VNRS_V_YAML_FEATURE, 1, 1},
        {"? [a]\n: b", VNRS_V_YAML_FEATURE, 1, 3},
        {"a: !x b", VNRS_V_YAML_FEATURE, 1, 4},
        {"a: !!int 3", VNRS_V_YAML_FEATURE, 1, 4},
        {"<<: {a: b}", VNRS_V_YAML_FEATURE, 1, 1},
        {"a: 1\n---\nb: 2", VNRS_V_YAML_FEATURE, 2, 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct fixture f = fixture();
        assert_null(vnrs_node_load(rows[i].text, strlen(rows[i].text), f.arena, &f.diags));
        assert_int_equal(f.diags.list.len, 1);
        assert_int_equal(f.diags.list.items[0].id, rows[i].id);
        assert_pos(f.diags.list.items[0].pos, rows[i].line, rows[i].col);
        done(&f);
    }
}

// `open` repeated, then `close` as often.
static bool loads_nested(unsigned depth)
{
    char text[128] = "";
    struct fixture f = fixture();

    for (unsigned i = 0; i < depth; i++)
        strcat(text, "[");
    for (unsigned i = 0; i < depth; i++)
        strcat(text, "]");
    bool ok = vnrs_node_load(text, strlen(text), f.arena, &f.diags);
    if (!ok)
        assert_int_equal(f.diags.list.items[0].id, VNRS_V_TOO_BIG);
    done(&f);
    return ok;
}

static bool loads_keys(unsigned n)
{
    char text[2048];
    int used = 0;
    struct fixture f = fixture();

    for (unsigned i = 0; i < n; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, "k%u: v\n", i);
    bool ok = vnrs_node_load(text, (size_t)used, f.arena, &f.diags);
    if (!ok)
        assert_int_equal(f.diags.list.items[0].id, VNRS_V_TOO_BIG);
    done(&f);
    return ok;
}

static bool loads_nodes(size_t n)
{
    char *text = malloc(2 * n + 2);
    struct fixture f = fixture();

    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 0; i < n; i++)
        memcpy(text + 1 + 2 * i, "1,", 2);
    text[2 * n + 1] = ']';
    bool ok = vnrs_node_load(text, 2 * n + 2, f.arena, &f.diags);
    if (!ok)
        assert_int_equal(f.diags.list.items[0].id, VNRS_V_TOO_BIG);
    free(text);
    done(&f);
    return ok;
}

static void limits_hold_exactly(void **state)
{
    struct fixture f = fixture();

    (void)state;
    assert_true(loads_nested(VNRS_NODE_DEPTH_MAX));
    assert_false(loads_nested(VNRS_NODE_DEPTH_MAX + 1));
    assert_true(loads_keys(VNRS_NODE_KEYS_MAX));
    assert_false(loads_keys(VNRS_NODE_KEYS_MAX + 1));
    assert_true(loads_nodes(VNRS_NODES_MAX - 1));
    assert_false(loads_nodes(VNRS_NODES_MAX));
    assert_null(vnrs_node_load("", VNRS_NODE_SOURCE_BYTES_MAX + 1, f.arena, &f.diags));
    assert_int_equal(f.diags.list.items[0].id, VNRS_V_TOO_BIG);
    done(&f);
}

static void a_key_twice_counts_once(void **state)
{
    struct fixture f = fixture();
    static const char text[] = "a: 1\nb: 2\na: 3\n";
    const struct vnrs_node *root = vnrs_node_load(text, strlen(text), f.arena, &f.diags);

    (void)state;
    assert_non_null(root);
    assert_int_equal(f.diags.list.len, 1);
    assert_int_equal(f.diags.list.items[0].id, VNRS_V_DUPLICATE_KEY);
    assert_pos(f.diags.list.items[0].pos, 3, 1);
    assert_pos(f.diags.list.items[0].note_pos, 1, 1);
    assert_string_equal(vnrs_node_get(root, "a")->text, "1");
    done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_where_everything_is),         cmocka_unit_test(empty_is_an_empty_map),
        cmocka_unit_test(refuses_what_is_not_in_the_subset), cmocka_unit_test(limits_hold_exactly),
        cmocka_unit_test(a_key_twice_counts_once),
    };
    return cmocka_run_group_tests_name("model.node", tests, NULL, NULL);
}
