// SPDX-License-Identifier: GPL-2.0-or-later
// The body of a NOTIFICATION. It is shown in words whatever it is, to a terminal that must not be harmed; it goes out
// again as it was; inside a hard reset (RFC 8538) the words stay.
#include "fuzz.h"

#include "bgp/error_text.h"
#include "bgp/msg.h"
#include "util/utf8.h"

#include <string.h>

static void check_text(const char *text)
{
    for (size_t left = strlen(text), n; left; left -= n, text += n) {
        n = vnrs_utf8_len((const uint8_t *)text, left);
        FUZZ_CHECK(n && !vnrs_utf8_is_control((const uint8_t *)text, n));
    }
}

static void check_words(const struct vnrs_bgp_error *error)
{
    static const size_t sizes[] = {1, 2, 3, 20, 64, 255, 320, 600};
    char text[600];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        FUZZ_CHECK(strlen(vnrs_bgp_error_format(error, text, sizes[i])) < sizes[i]);
        check_text(text);
        FUZZ_CHECK(strlen(vnrs_bgp_error_text(error, text, sizes[i])) < sizes[i]);
        check_text(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t back[VNRS_BGP_MSG_EXTENDED_MAX];
    static struct vnrs_bgp_error error, again;
    size_t len = VNRS_BGP_HEADER_BYTES + size;

    if (len > VNRS_BGP_MSG_EXTENDED_MAX)
        return 0;
    uint8_t *msg = malloc(len); // the decoder does not look at the header
    FUZZ_CHECK(msg);
    memset(msg, 0xff, VNRS_BGP_HEADER_BYTES);
    if (size)
        memcpy(msg + VNRS_BGP_HEADER_BYTES, data, size);
    int err = vnrs_bgp_notification_decode(msg, len, &error);
    FUZZ_CHECK((err < 0) == (size < 2));
    if (err == 0) {
        size_t kept = size - 2 < VNRS_BGP_ERROR_DATA_MAX ? size - 2 : VNRS_BGP_ERROR_DATA_MAX;
        FUZZ_CHECK(error.data_len == kept &&
                   vnrs_bgp_notification_encode(&error, back, sizeof(back)) == (int)kept + 21);
        FUZZ_CHECK(memcmp(back + VNRS_BGP_HEADER_BYTES, msg + VNRS_BGP_HEADER_BYTES, kept + 2) == 0);
        check_words(&error);
        again = error;
        vnrs_bgp_error_harden(&again);
        FUZZ_CHECK(again.code == VNRS_BGP_ERR_CEASE && again.subcode == VNRS_BGP_CEASE_HARD_RESET);
        FUZZ_CHECK(vnrs_bgp_notification_encode(&again, back, VNRS_BGP_MSG_MAX) > 0);
        check_words(&again);
    }
    free(msg);
    return 0;
}
