// SPDX-License-Identifier: GPL-2.0-or-later
// Peers for people, from the JSON that tests/unit/control/test_peer_json.c makes.
#include "cli/peer_text.h"

#include "util/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *load(const char *name)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/tests/unit/control/%s", root ? root : ".", name);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

// Against tests/unit/cli/<golden>; VNRS_UPDATE_GOLDEN writes it.
static void check(void (*print)(FILE *out, const json_t *json), const json_t *json, const char *golden)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    _free_ char *text = NULL, *want = NULL;
    char path[512];
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    print(out, json);
    (void)fclose(out);
    (void)snprintf(path, sizeof(path), "%s/tests/unit/cli/%s", root ? root : ".", golden);
    if (getenv("VNRS_UPDATE_GOLDEN"))
        assert_int_equal(vnrs_file_store(path, text, strlen(text), 0644), 0);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &want, &len), 0);
    assert_string_equal(text, want);
}

static void one_peer(void **state)
{
    json_t *peer = load("peer.golden.json"), *none = load("no-peer.golden.json");

    (void)state;
    check(vnrs_peer_text_full, peer, "peer.golden");
    check(vnrs_peer_text_full, none, "no-peer.golden");
    json_decref(peer);
    json_decref(none);
}

static void summary_has_frrs_columns(void **state)
{
    json_t *peers = json_pack("[o, o]", load("peer.golden.json"), load("no-peer.golden.json"));

    (void)state;
    check(vnrs_peer_text_summary, peers, "peers.golden");
    json_decref(peers);
}

static void durations(void **state)
{
    static const struct {
        json_int_t seconds;
        const char *want;
    } rows[] = {{-1, "never"},
                {0, "00:00:00"},
                {86399, "23:59:59"},
                {86400, "1d00h00m"},
                {604799, "6d23h59m"},
                {604800, "01w0d00h"},
                {INT64_C(5200) * 604800, "5200w0d00h"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_string_equal(vnrs_peer_text_duration(rows[i].seconds, text), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_peer),
        cmocka_unit_test(summary_has_frrs_columns),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests_name("cli.peer_text", tests, NULL, NULL);
}
