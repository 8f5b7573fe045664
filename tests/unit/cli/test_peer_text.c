// SPDX-License-Identifier: GPL-2.0-or-later
// Peers for people, from the JSON that tests/unit/control/test_peer_json.c makes.
#include "cli/peer_text.h"

#include "cli/golden.h"

static void one_peer(void **state)
{
    json_t *peer = golden_json("peer.golden.json"), *none = golden_json("no-peer.golden.json");

    (void)state;
    golden_check(vnrs_peer_text_full, peer, "peer.golden");
    golden_check(vnrs_peer_text_full, none, "no-peer.golden");
    json_decref(peer);
    json_decref(none);
}

static void summary_has_frrs_columns(void **state)
{
    json_t *peers = json_pack("[o, o]", golden_json("peer.golden.json"), golden_json("no-peer.golden.json"));

    (void)state;
    golden_check(vnrs_peer_text_summary, peers, "peers.golden");
    json_decref(peers);
}

static void summary_for_programs(void **state)
{
    json_t *peers = json_pack("[o, o]", golden_json("peer.golden.json"), golden_json("no-peer.golden.json"));

    (void)state;
    golden_check(vnrs_peer_text_summary_tsv, peers, "peers-tsv.golden");
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
        cmocka_unit_test(summary_for_programs),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests_name("cli.peer_text", tests, NULL, NULL);
}
