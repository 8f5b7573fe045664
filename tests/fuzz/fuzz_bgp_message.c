// SPDX-License-Identifier: GPL-2.0-or-later
// An octet of session flags, then a stream of bytes as a peer sends it: cut into messages, each given to its decoder.
#include "fuzz.h"

#include "bgp/msg.h"

#include <errno.h>
#include <string.h>

static uint8_t back[VNRS_BGP_MSG_EXTENDED_MAX];

static void check_error(const struct vnrs_bgp_error *error)
{
    struct vnrs_bgp_error again;
    char text[300];

    FUZZ_CHECK(error->data_len <= VNRS_BGP_ERROR_DATA_MAX);
    int len = vnrs_bgp_notification_encode(error, back, sizeof(back));
    FUZZ_CHECK(len == 21 + error->data_len);
    FUZZ_CHECK(vnrs_bgp_notification_decode(back, (size_t)len, &again) == 0);
    FUZZ_CHECK(memcmp(&again, error, sizeof(again)) == 0);
    for (size_t size = 1; size < sizeof(text); size += 37)
        FUZZ_CHECK(strlen(vnrs_bgp_error_format(error, text, size)) < size);
    for (const char *c = text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_refresh(const uint8_t *msg, size_t len)
{
    struct vnrs_bgp_error error;
    uint8_t af, subtype;
    int err = vnrs_bgp_refresh_decode(msg, len, &af, &subtype, &error);

    if (err == -EBADMSG)
        check_error(&error);
    if (err < 0)
        return;
    FUZZ_CHECK(vnrs_bgp_refresh_encode(af, subtype, back, sizeof(back)) == (int)len);
    FUZZ_CHECK(memcmp(back + VNRS_BGP_HEADER_BYTES, msg + VNRS_BGP_HEADER_BYTES, len - VNRS_BGP_HEADER_BYTES) == 0);
}

static void check_message(const struct vnrs_bgp_session *session, uint8_t type, const uint8_t *msg, size_t len)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    struct vnrs_bgp_error error;
    struct vnrs_bgp_update update;
    struct vnrs_bgp_open open;

    switch ((enum vnrs_bgp_type)type) {
    case VNRS_BGP_OPEN:
        if (vnrs_bgp_open_decode(msg, len, &open, &error) < 0)
            check_error(&error);
        break;
    case VNRS_BGP_UPDATE:
        if (vnrs_bgp_update_decode(session, msg, len, scratch, &update, &error) == VNRS_BGP_SESSION_RESET)
            check_error(&error);
        break;
    case VNRS_BGP_NOTIFICATION:
        FUZZ_CHECK(vnrs_bgp_notification_decode(msg, len, &error) == 0);
        check_error(&error);
        break;
    case VNRS_BGP_KEEPALIVE:
        break;
    case VNRS_BGP_ROUTE_REFRESH:
        check_refresh(msg, len);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const struct vnrs_bgp_session session = {
        .as4 = !(data[0] & 1),
        .ibgp = data[0] & 2,
        .extended_message = data[0] & 4,
        .mp = {!(data[0] & 8), !(data[0] & 16)},
        .add_path_rx = {(data[0] & 160) == 32, data[0] & 32},
        .add_path_tx = {(data[0] & 160) == 32, data[0] & 32},
        .local_id = 0x0a000004,
        .ext_nexthop = data[0] & 64,
    };
    for (size_t at = 1; at < size;) {
        struct vnrs_bgp_error error;
        uint8_t type;
        int len = vnrs_bgp_header_decode(data + at, size - at, session.extended_message, &type, &error);
        if (len < 0)
            check_error(&error);
        if (len <= 0 || (size_t)len > size - at)
            break;
        uint8_t *msg = malloc((size_t)len);
        FUZZ_CHECK(msg);
        memcpy(msg, data + at, (size_t)len);
        check_message(&session, type, msg, (size_t)len);
        free(msg);
        at += (size_t)len;
    }
    return 0;
}
