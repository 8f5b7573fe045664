// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/malformed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void texts(void **state)
{
    static const uint8_t two[] = {24, 10, 0, 1, 8, 11}, v6[] = {32, 0x20, 1, 0x0d, 0xb8};
    static uint8_t many[4 * 1000];
    char buf[VNRS_MALFORMED_TEXT_MAX];
    struct vnrs_bgp_update u = {.why = "wrong attribute length", .bad_attr = 8};

    (void)state;
    assert_string_equal(vnrs_malformed_text(VNRS_BGP_SESSION_RESET, &u, buf, sizeof(buf)),
                        "session reset: wrong attribute length (attribute 8)");
    u.has_reach = true;
    u.reach[0] = (struct vnrs_bgp_nlri){.af = VNRS_BGP_AF4, .bytes = two, .len = sizeof(two)};
    u.withdrawn[1] = (struct vnrs_bgp_nlri){.af = VNRS_BGP_AF6, .bytes = v6, .len = sizeof(v6)};
    assert_string_equal(vnrs_malformed_text(VNRS_BGP_TREAT_AS_WITHDRAW, &u, buf, sizeof(buf)),
                        "treated as withdrawn: wrong attribute length (attribute 8): 10.0.1.0/24, 11.0.0.0/8, "
                        "2001:db8::/32");
    u.bad_attr = 0;
    u.withdrawn[1].len = 0;
    assert_string_equal(vnrs_malformed_text(VNRS_BGP_ATTR_DISCARD, &u, buf, sizeof(buf)),
                        "attribute discarded: wrong attribute length: 10.0.1.0/24, 11.0.0.0/8");
    for (size_t i = 0; i < sizeof(many); i += 4)
        memcpy(many + i, (uint8_t[]){24, 10, (uint8_t)(i >> 10), (uint8_t)(i >> 2)}, 4);
    u.reach[0] = (struct vnrs_bgp_nlri){.af = VNRS_BGP_AF4, .bytes = many, .len = sizeof(many)};
    unsigned listed = 0, more = 0;
    for (const char *p = vnrs_malformed_text(VNRS_BGP_TREAT_AS_WITHDRAW, &u, buf, sizeof(buf)); (p = strchr(p, '/'));
         p++)
        listed++;
    assert_int_equal(sscanf(strstr(buf, " and "), " and %u more", &more), 1);
    assert_true(listed > 40 && listed + more == 1000);
    for (size_t size = 1; size < sizeof(buf); size++) // any size will do
        assert_true(strlen(vnrs_malformed_text(VNRS_BGP_TREAT_AS_WITHDRAW, &u, buf, size)) < size);
}

static void budget(void **state)
{
    struct vnrs_malformed_budget b = {0};
    unsigned suppressed = 99;

    (void)state;
    for (unsigned i = 0; i < VNRS_MALFORMED_PER_PERIOD; i++)
        assert_true(vnrs_malformed_admit(&b, 1000 + i, &suppressed) && suppressed == 0);
    for (unsigned i = 0; i < 5; i++)
        assert_false(vnrs_malformed_admit(&b, 1000 + VNRS_MALFORMED_PERIOD_MS - 1, &suppressed));
    assert_true(vnrs_malformed_admit(&b, 1000 + VNRS_MALFORMED_PERIOD_MS, &suppressed) && suppressed == 5);
    assert_true(vnrs_malformed_admit(&b, 1000 + VNRS_MALFORMED_PERIOD_MS, &suppressed) && suppressed == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(budget)};
    return cmocka_run_group_tests_name("speaker.malformed", tests, NULL, NULL);
}
