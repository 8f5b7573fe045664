// SPDX-License-Identifier: GPL-2.0-or-later
#include "bgp/error_text.h"

#include "util/strbuf.h"
#include "util/utf8.h"

#include <stdio.h>
#include <string.h>

#define SUBCODES_MAX 12

static const char *const codes[] = {
    [0] = "no error given",
    [VNRS_BGP_ERR_HEADER] = "message header error",
    [VNRS_BGP_ERR_OPEN] = "OPEN message error",
    [VNRS_BGP_ERR_UPDATE] = "UPDATE message error",
    [VNRS_BGP_ERR_HOLD_TIMER] = "hold timer expired",
    [VNRS_BGP_ERR_FSM] = "finite state machine error",
    [VNRS_BGP_ERR_CEASE] = "Cease",
    [VNRS_BGP_ERR_REFRESH] = "ROUTE-REFRESH message error",
    [VNRS_BGP_ERR_SEND_HOLD] = "send hold timer expired",
};

static const char *const subcodes[ARRAY_SIZE(codes)][SUBCODES_MAX] = {
    [VNRS_BGP_ERR_HEADER] = {[1] = "connection not synchronised", "bad message length", "bad message type"},
    [VNRS_BGP_ERR_OPEN] = {[1] = "unsupported version number",
                           "bad peer AS",
                           "bad BGP identifier",
                           "unsupported optional parameter",
                           [6] = "unacceptable hold time",
                           "unsupported capability",
                           [11] = "role mismatch"},
    [VNRS_BGP_ERR_UPDATE] = {[1] = "malformed attribute list",
                             "unrecognised well-known attribute",
                             "missing well-known attribute",
                             "attribute flags error",
                             "attribute length error",
                             "invalid ORIGIN attribute",
                             [8] = "invalid NEXT_HOP attribute",
                             "optional attribute error",
                             "invalid network field",
                             "malformed AS_PATH"},
    [VNRS_BGP_ERR_FSM] = {[1] = "unexpected message in OpenSent",
                          "unexpected message in OpenConfirm",
                          "unexpected message in Established"},
    [VNRS_BGP_ERR_CEASE] = {[VNRS_BGP_CEASE_MAX_PREFIXES] = "maximum number of prefixes reached",
                            [VNRS_BGP_CEASE_SHUTDOWN] = "administrative shutdown",
                            [VNRS_BGP_CEASE_DECONFIGURED] = "peer de-configured",
                            [VNRS_BGP_CEASE_RESET] = "administrative reset",
                            [VNRS_BGP_CEASE_REJECTED] = "connection rejected",
                            [VNRS_BGP_CEASE_CONFIG_CHANGE] = "other configuration change",
                            [VNRS_BGP_CEASE_COLLISION] = "connection collision resolution",
                            [VNRS_BGP_CEASE_RESOURCES] = "out of resources",
                            [VNRS_BGP_CEASE_HARD_RESET] = "hard reset",
                            [VNRS_BGP_CEASE_BFD_DOWN] = "BFD down"},
    [VNRS_BGP_ERR_REFRESH] = {[1] = "invalid message length"},
};

static bool is_hard_reset(const struct vnrs_bgp_error *error)
{
    return error->code == VNRS_BGP_ERR_CEASE && error->subcode == VNRS_BGP_CEASE_HARD_RESET;
}

// RFC 8538 section 3.1: the reason is in the data.
static bool unwrap(const struct vnrs_bgp_error *error, struct vnrs_bgp_error *inner)
{
    if (!is_hard_reset(error) || error->data_len < 2)
        return false;
    *inner = (struct vnrs_bgp_error){
        .code = error->data[0], .subcode = error->data[1], .data_len = (uint16_t)(error->data_len - 2)};
    memcpy(inner->data, error->data + 2, inner->data_len);
    return !is_hard_reset(inner);
}

const char *vnrs_bgp_error_text(const struct vnrs_bgp_error *error, char *buf, size_t size)
{
    const char *code = error->code < ARRAY_SIZE(codes) ? codes[error->code] : NULL, *sub = NULL;
    char text[UINT8_MAX + 1]; // a whole RFC 9003 text

    struct vnrs_bgp_error inner;
    if (unwrap(error, &inner)) {
        static const char what[] = "Cease, hard reset: ";
        (void)vnrs_str_copy(buf, size, what);
        if (size > sizeof(what))
            (void)vnrs_bgp_error_text(&inner, buf + sizeof(what) - 1, size - sizeof(what) + 1);
        return buf;
    }
    if (code && error->subcode < SUBCODES_MAX)
        sub = subcodes[error->code][error->subcode];
    (void)vnrs_bgp_error_format(error, text, sizeof(text));
    if (!code)
        (void)snprintf(buf, size, "code %u, subcode %u", error->code, error->subcode);
    else if (sub)
        (void)snprintf(buf, size, "%s, %s", code, sub);
    else if (error->subcode)
        (void)snprintf(buf, size, "%s, subcode %u", code, error->subcode);
    else
        (void)snprintf(buf, size, "%s", code);
    size_t used = strnlen(buf, size);
    if (text[0] && used < size)
        (void)snprintf(buf + used, size - used, " (%s)", text);
    vnrs_utf8_trim(buf);
    return buf;
}
