// SPDX-License-Identifier: GPL-2.0-or-later
// Counters for people, from the JSON that tests/unit/control/test_counters.c makes.
#include "cli/counter_text.h"

#include "cli/golden.h"

static void a_lab(void **state)
{
    json_t *counters = golden_json("counters.golden.json");

    (void)state;
    golden_check(vnrs_counter_text, counters, "counters.golden");
    json_decref(counters);
}

static void a_nic(void **state)
{
    json_t *counters = golden_json("counters.golden.json");

    (void)state;
    golden_check(vnrs_counter_text_nic, vnrs_counter_text_find(counters, "spoke/eth0"), "counters-nic.golden");
    json_decref(counters);
}

static void a_lab_for_programs(void **state)
{
    json_t *counters = golden_json("counters.golden.json");

    (void)state;
    golden_check(vnrs_counter_tsv, counters, "counters-tsv.golden");
    json_decref(counters);
}

static void a_nic_for_programs(void **state)
{
    json_t *counters = golden_json("counters.golden.json");

    (void)state;
    golden_check(vnrs_counter_tsv_nic, vnrs_counter_text_find(counters, "spoke/eth0"), "counters-nic-tsv.golden");
    json_decref(counters);
}

static void nics_by_name(void **state)
{
    json_t *counters = golden_json("counters.golden.json");

    (void)state;
    assert_non_null(vnrs_counter_text_find(counters, "spoke"));
    assert_ptr_equal(vnrs_counter_text_find(counters, "spoke"), vnrs_counter_text_find(counters, "spoke/eth0"));
    assert_null(vnrs_counter_text_find(counters, "spok"));
    assert_null(vnrs_counter_text_find(counters, "spoke/"));
    assert_null(vnrs_counter_text_find(counters, "spoke/eth"));
    json_decref(counters);
}

static void nothing_was_counted(void **state)
{
    json_t *none = json_pack("{s:[], s:[], s:[], s:[]}", "nics", "billing", "nextHopTypes", "drops");
    _free_ char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    vnrs_counter_text(out, none);
    (void)fclose(out);
    assert_null(strstr(text, "Billing"));
    json_decref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lab),
        cmocka_unit_test(a_nic),
        cmocka_unit_test(a_lab_for_programs),
        cmocka_unit_test(a_nic_for_programs),
        cmocka_unit_test(nics_by_name),
        cmocka_unit_test(nothing_was_counted),
    };

    return cmocka_run_group_tests_name("cli.counter_text", tests, NULL, NULL);
}
