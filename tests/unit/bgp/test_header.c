// SPDX-License-Identifier: GPL-2.0-or-later
#include "test_msg_hex.h"

#include <errno.h>
#include <stdio.h>

#define FF16 "ffffffffffffffffffffffffffffffff"

static const struct row {
    const char *what, *bytes;
    bool extended;
    int want; // length, 0, or -EBADMSG with the next two
    unsigned subcode;
    const char *data;
} rows[] = {
    {"nothing yet", "", false, 0, 0, NULL},
    {"part of the marker", "ffffff", false, 0, 0, NULL},
    {"all but the type", FF16 "0013", false, 0, 0, NULL},
    {"keepalive", FF16 "0013 04", false, 19, 0, NULL},
    {"first octet is another protocol's", "47455420", false, -EBADMSG, 1, NULL},
    {"last octet of the marker is wrong", "fffffffffffffffffffffffffffffffe 0013 04", false, -EBADMSG, 1, NULL},
    {"length below the header", FF16 "0012 04", false, -EBADMSG, 2, "0012"},
    {"length zero", FF16 "0000 02", false, -EBADMSG, 2, "0000"},
    {"length 4096", FF16 "1000 02", false, 4096, 0, NULL},
    {"length 4097", FF16 "1001 02", false, -EBADMSG, 2, "1001"},
    {"length 4097, extended", FF16 "1001 02", true, 4097, 0, NULL},
    {"length 65535, extended", FF16 "ffff 02", true, 65535, 0, NULL},
    {"extended does not apply to OPEN", FF16 "1001 01", true, -EBADMSG, 2, "1001"},
    {"extended notification", FF16 "1001 03", true, 4097, 0, NULL},
    {"shortest OPEN", FF16 "001d 01", false, 29, 0, NULL},
    {"OPEN too short", FF16 "001c 01", false, -EBADMSG, 2, "001c"},
    {"shortest UPDATE", FF16 "0017 02", false, 23, 0, NULL},
    {"UPDATE too short", FF16 "0016 02", false, -EBADMSG, 2, "0016"},
    {"shortest NOTIFICATION", FF16 "0015 03", false, 21, 0, NULL},
    {"NOTIFICATION too short", FF16 "0014 03", false, -EBADMSG, 2, "0014"},
    {"keepalive with a body", FF16 "0014 04", false, -EBADMSG, 2, "0014"},
    {"keepalive with a body, extended", FF16 "1001 04", true, -EBADMSG, 2, "1001"},
    {"route refresh", FF16 "0017 05", false, 23, 0, NULL},
    {"type 0", FF16 "0013 00", false, -EBADMSG, 3, "00"},
    {"type 6", FF16 "0013 06", false, -EBADMSG, 3, "06"},
    {"type 255", FF16 "0013 ff", false, -EBADMSG, 3, "ff"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        struct vnrs_bgp_error error = {0};
        uint8_t bytes[32], type = 99;
        size_t n = hex_bytes(r->bytes, bytes, sizeof(bytes));

        print_message("  %s\n", r->what);
        assert_int_equal(vnrs_bgp_header_decode(bytes, n, r->extended, &type, &error), r->want);
        if (r->want > 0)
            assert_int_equal(type, bytes[18]);
        else
            assert_int_equal(type, 99);
        if (r->want < 0)
            assert_error(&error, VNRS_BGP_ERR_HEADER, r->subcode, r->data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests_name("bgp.header", tests, NULL, NULL);
}
