// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void validators_by_table(void **state)
{
    static const struct {
        const char *what, *name;
        bool lab, netns, key, link, path;
    } rows[] = {
        {"plain", "hub-1", true, true, true, true, true},
        {"empty", "", false, false, false, false, false},
        {"dot inside", "rs.0", false, true, true, true, true},
        {"dot first", ".x", false, false, true, true, false},
        {"parent", "..", false, false, true, false, false},
        {"dash first", "-x", false, false, true, true, false},
        {"slash", "vm1/eth0", false, false, true, false, false},
        {"path", "/run/netns/x", false, false, true, false, true},
        {"path with parent", "/run/../x", false, false, true, false, false},
        {"blank", "a b", false, false, false, false, false},
        {"newline", "a\n", false, false, false, false, false},
        {"quote", "a\"b", false, false, true, false, false},
        {"counted by the kernel", "eth%d", false, false, true, false, false},
        {"not ASCII", "a\xc3\xa9", false, false, false, false, false},
        {"15 bytes", "abcdefghijklmno", true, true, true, true, true},
        {"16 bytes", "abcdefghijklmnop", true, true, true, false, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char field[64] = {0};
        strcpy(field, rows[i].name);
        bool right = vnrs_name_is_lab(field, VNRS_LAB_NAME_MAX) == rows[i].lab &&
                     vnrs_name_is_netns(field, sizeof(field)) == rows[i].netns &&
                     vnrs_name_is_key(field, sizeof(field)) == rows[i].key &&
                     vnrs_name_is_link(field, sizeof(field)) == rows[i].link &&
                     vnrs_name_is_netns_path(field, sizeof(field)) == rows[i].path;
        if (!right)
            fail_msg("%s", rows[i].what);
    }
}

static void field_without_nul_is_refused(void **state)
{
    char field[8];

    (void)state;
    memset(field, 'a', sizeof(field));
    assert_false(vnrs_name_is_lab(field, sizeof(field)));
    assert_false(vnrs_name_is_netns(field, sizeof(field)));
    assert_false(vnrs_name_is_key(field, sizeof(field)));
    field[7] = '\0';
    assert_true(vnrs_name_is_lab(field, sizeof(field)));
}

static void marks(void **state)
{
    char ns[VNRS_NETNS_NAME_MAX], alias[VNRS_ALIAS_MAX], file[VNRS_KEY_FILE_MAX];

    (void)state;
    assert_string_equal(vnrs_mark_netns("hub", "", ns), "vnrs.hub");
    assert_string_equal(vnrs_mark_netns("hub", "vm1", ns), "vnrs.hub.vm1");
    assert_string_equal(vnrs_mark_alias("hub", "vm1/eth0", alias), "vnrs:hub:vm1/eth0");
    assert_string_equal(vnrs_mark_alias_key("hub", alias), "vm1/eth0");
    assert_null(vnrs_mark_alias_key("hu", alias));
    assert_null(vnrs_mark_alias_key("hub2", alias));
    assert_null(vnrs_mark_alias_key("hub", "uplink"));
    assert_string_equal(vnrs_mark_key_file("vm-1_a.b", file), "vm-1_a.b");
    assert_string_equal(vnrs_mark_key_file("../x", file), "%2E.%2Fx");
    assert_string_equal(vnrs_mark_key_file("a/b%", file), "a%2Fb%25");
}

static void longest_key_fits(void **state)
{
    char key[VNRS_KEY_MAX], file[VNRS_KEY_FILE_MAX];

    (void)state;
    memset(key, '/', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    assert_int_equal(strlen(vnrs_mark_key_file(key, file)), 3 * (VNRS_KEY_MAX - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validators_by_table),
        cmocka_unit_test(field_without_nul_is_refused),
        cmocka_unit_test(marks),
        cmocka_unit_test(longest_key_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
