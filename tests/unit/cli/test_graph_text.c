// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/graph_text.h"

#include "cli/file.h"
#include "cli/golden.h"
#include "cli/graph.h"

static json_t *example(const char *name)
{
    struct vnrs_checked_file f = {0};
    const char *root = getenv("VNRS_SOURCE_DIR");
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/packaging/examples/%s.vnrs.yml", root ? root : ".", name);
    assert_int_equal(vnrs_checked_file_load(path, &f), 0);
    json_t *graph = vnrs_graph_make(f.model);
    vnrs_checked_file_fini(&f);
    return graph;
}

static void examples(void **state)
{
    static const struct {
        const char *name, *mermaid, *dot;
    } rows[] = {{"hub-spoke", "graph-hub-spoke.mmd.golden", "graph-hub-spoke.dot.golden"},
                {"coexistence", "graph-coexistence.mmd.golden", "graph-coexistence.dot.golden"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *graph = example(rows[i].name);
        golden_check(vnrs_graph_mermaid, graph, rows[i].mermaid);
        golden_check(vnrs_graph_dot, graph, rows[i].dot);
        json_decref(graph);
    }
}

// Text that the languages would take for theirs; what is down.
static void quoted_and_down(void **state)
{
    static const char *const json =
        "{\"name\": \"l\", \"nodes\": ["
        " {\"id\": \"n1\", \"kind\": \"subnet\", \"name\": \"v/s\", \"in\": null, \"details\": [\"a\\\"b\\\\c\"]},"
        " {\"id\": \"n2\", \"kind\": \"machine\", \"name\": \"m\", \"in\": \"n1\", \"details\": [\"<i>#`&\"],"
        "  \"state\": \"down\"}],"
        " \"edges\": [{\"from\": \"n2\", \"to\": \"n1\", \"kind\": \"bgp\", \"name\": \"x\", \"details\": [\"Idle\"],"
        "  \"state\": \"down\"}]}";
    json_t *graph = json_loads(json, 0, NULL);

    (void)state;
    assert_non_null(graph);
    golden_check(vnrs_graph_mermaid, graph, "graph-quoted.mmd.golden");
    golden_check(vnrs_graph_dot, graph, "graph-quoted.dot.golden");
    json_decref(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(examples), cmocka_unit_test(quoted_and_down)};
    return cmocka_run_group_tests_name("cli.graph_text", tests, NULL, NULL);
}
