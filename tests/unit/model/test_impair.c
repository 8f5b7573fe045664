// SPDX-License-Identifier: GPL-2.0-or-later
// Impairments as people write them: what is read, what is refused, and that what is printed is read back.
#include "model/impair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void losses(void **state)
{
    static const struct {
        const char *text;
        uint32_t ppm;
        const char *printed;
    } rows[] = {{"0%", 0, "0%"},
                {"1%", 10000, "1%"},
                {"100%", 1000000, "100%"},
                {"0.25%", 2500, "0.25%"},
                {"0.0001%", 1, "0.0001%"},
                {"10.50%", 105000, "10.5%"},
                {"99.9999%", 999999, "99.9999%"},
                {"007%", 70000, "7%"}};
    static const char *const wrong[] = {"",    "%",   "1",        "1 %", "-1%",  "100.0001%", "101%", "200%",
                                        "1.%", ".5%", "0.00001%", "1%%", "1e1%", "1000%",     "1,5%"};
    char buf[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t ppm = 7;
        assert_int_equal(vnrs_loss_parse(rows[i].text, &ppm), 0);
        assert_int_equal(ppm, rows[i].ppm);
        assert_string_equal(vnrs_loss_format(ppm, buf), rows[i].printed);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint32_t ppm = 7;
        if (vnrs_loss_parse(wrong[i], &ppm) == 0 || ppm != 7)
            fail_msg("'%s'", wrong[i]);
    }
}

static void rates(void **state)
{
    static const struct {
        const char *text;
        uint32_t kbit;
        const char *printed;
    } rows[] = {{"8kbit", 8, "8kbit"},
                {"100mbit", 100000, "100mbit"},
                {"1500kbit", 1500, "1500kbit"},
                {"2000kbit", 2000, "2mbit"},
                {"1000gbit", 1000000000, "1000gbit"}};
    static const char *const wrong[] = {
        "",       "bit",    "100",   "8000bit", "7kbit", "1001gbit",           "1.5mbit",
        "-1mbit", "1 mbit", "1Mbit", "1mbps",   "1tbit", "99999999999999gbit", "0mbit"};
    char buf[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t kbit = 7;
        assert_int_equal(vnrs_rate_parse(rows[i].text, &kbit), 0);
        assert_int_equal(kbit, rows[i].kbit);
        assert_string_equal(vnrs_rate_format(kbit, buf), rows[i].printed);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint32_t kbit = 7;
        if (vnrs_rate_parse(wrong[i], &kbit) == 0 || kbit != 7)
            fail_msg("'%s'", wrong[i]);
    }
}

static void delays(void **state)
{
    static const struct {
        const char *text;
        uint32_t us;
        const char *printed;
    } rows[] = {{"0us", 0, "0us"},          {"0ms", 0, "0us"},     {"20ms", 20000, "20ms"},
                {"1500us", 1500, "1500us"}, {"1s", 1000000, "1s"}, {"60s", 60000000, "60s"}};
    static const char *const wrong[] = {"",      "ms",   "20",   "61s", "60000001us",
                                        "1.5ms", "-1ms", "1 ms", "1m",  "99999999999999s"};
    char buf[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint32_t us = 7;
        assert_int_equal(vnrs_delay_parse(rows[i].text, &us), 0);
        assert_int_equal(us, rows[i].us);
        assert_string_equal(vnrs_delay_format(us, buf), rows[i].printed);
    }
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        uint32_t us = 7;
        if (vnrs_delay_parse(wrong[i], &us) == 0 || us != 7)
            fail_msg("'%s'", wrong[i]);
    }
}

static void all_of_it_in_one_line(void **state)
{
    const struct vnrs_impair none = {0}, all = {.down = 1,
                                                .loss_ppm = 999999,
                                                .rate_kbit = 999999999,
                                                .delay_us = 59999999,
                                                .jitter_us = 59999998};
    char buf[VNRS_IMPAIR_STR_MAX];

    (void)state;
    assert_string_equal(vnrs_impair_format(&none, buf), "");
    assert_string_equal(vnrs_impair_format(&all, buf),
                        "down, loss 99.9999%, rate 999999999kbit, delay 59999999us, jitter 59999998us");
    assert_true(vnrs_impair_is_none(&none));
    assert_false(vnrs_impair_is_none(&all));
    assert_true(vnrs_impair_equal(&all, &all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses),
        cmocka_unit_test(rates),
        cmocka_unit_test(delays),
        cmocka_unit_test(all_of_it_in_one_line),
    };
    return cmocka_run_group_tests_name("model.impair", tests, NULL, NULL);
}
