// SPDX-License-Identifier: GPL-2.0-or-later
// An octet of session flags, then an UPDATE from its withdrawn-routes length on. What was understood is encoded again,
// and must then be understood as the same.
#include "fuzz.h"

#include "bgp/msg.h"

#include <errno.h>
#include <string.h>

static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX], scratch_again[VNRS_BGP_MSG_EXTENDED_MAX];
static uint8_t back[VNRS_BGP_MSG_EXTENDED_MAX];
static struct vnrs_prefix prefixes[VNRS_BGP_MSG_EXTENDED_MAX];
static uint32_t path_ids[VNRS_BGP_MSG_EXTENDED_MAX];

static size_t collect(struct vnrs_bgp_nlri nlri)
{
    size_t n = 0;

    while (vnrs_bgp_nlri_next(&nlri, &prefixes[n]) > 0) {
        FUZZ_CHECK(prefixes[n].len <= vnrs_af_bits(prefixes[n].family));
        struct vnrs_addr addr = vnrs_prefix_addr(&prefixes[n]);
        struct vnrs_prefix masked = vnrs_prefix_make(&addr, prefixes[n].len);
        FUZZ_CHECK(vnrs_prefix_equal(&masked, &prefixes[n]));
        path_ids[n++] = nlri.path_id;
    }
    return n;
}

static void check_edit(struct vnrs_bgp_attr_table *table, const struct vnrs_bgp_attrs *attrs)
{
    static uint8_t edit_scratch[VNRS_BGP_ATTR_SCRATCH_BYTES];
    const struct vnrs_bgp_attr_edit edit = {
        .prepend_asn = 65515, .add_communities = {VNRS_BGP_COMMUNITY_RS}, .strip_local_pref = true, .strip_med = true};
    struct vnrs_bgp_attrs out;
    char text[64];

    int err = vnrs_bgp_attrs_edit(attrs, &edit, edit_scratch, sizeof(edit_scratch), &out);
    FUZZ_CHECK(err == 0 || err == -ENOBUFS);
    if (err < 0)
        return;
    FUZZ_CHECK(out.path_len == attrs->path_len + 1 && out.first_asn == 65515);
    FUZZ_CHECK(vnrs_bgp_attrs_has_asn(&out, 65515));
    FUZZ_CHECK(vnrs_bgp_attrs_has_community(&out, VNRS_BGP_COMMUNITY_RS));
    FUZZ_CHECK(vnrs_bgp_as_path_format(&out, text, sizeof(text)) < sizeof(text));
    const struct vnrs_bgp_attrs *kept = vnrs_bgp_attrs_intern(table, &out);
    FUZZ_CHECK(kept && kept->path_len == out.path_len);
    vnrs_bgp_attrs_unref(table, kept);
}

// One region of prefixes there and back. `attrs` NULL: withdrawn.
static void check_round(const struct vnrs_bgp_session *session, struct vnrs_bgp_attr_table *table,
                        struct vnrs_bgp_nlri nlri, const struct vnrs_bgp_attrs *attrs)
{
    const struct vnrs_bgp_attrs *kept = attrs ? vnrs_bgp_attrs_intern(table, attrs) : NULL;
    size_t n = collect(nlri), used = 0;

    FUZZ_CHECK(!attrs || (kept && kept->path_len == attrs->path_len && kept->first_asn == attrs->first_asn));
    if (attrs)
        check_edit(table, kept);
    for (size_t at = 0; at < n; at += used) {
        struct vnrs_bgp_update update;
        struct vnrs_bgp_error error;
        uint8_t type;

        int len = vnrs_bgp_update_encode(session, nlri.af, kept, prefixes + at, nlri.has_ids ? path_ids + at : NULL,
                                         n - at, back, sizeof(back), &used);
        if (len == -ENOBUFS && !session->as4) // the whole AS4_PATH may take more than what came
            break;
        FUZZ_CHECK(len > 0 && used > 0);
        FUZZ_CHECK(vnrs_bgp_header_decode(back, (size_t)len, session->extended_message, &type, &error) == len);
        FUZZ_CHECK(vnrs_bgp_update_decode(session, back, (size_t)len, scratch_again, &update, &error) == VNRS_BGP_OK);
        int field = nlri.af == VNRS_BGP_AF6 || (kept && kept->nexthop.family == VNRS_AF_IPV6);
        struct vnrs_bgp_nlri got = attrs ? update.reach[field] : update.withdrawn[field];
        struct vnrs_prefix p;
        for (size_t i = 0; i < used; i++)
            FUZZ_CHECK(vnrs_bgp_nlri_next(&got, &p) == 1 && vnrs_prefix_equal(&p, &prefixes[at + i]) &&
                       got.path_id == path_ids[at + i]);
        FUZZ_CHECK(vnrs_bgp_nlri_next(&got, &p) == 0);
        if (attrs) {
            const struct vnrs_bgp_attrs *again = vnrs_bgp_attrs_intern(table, &update.attrs[field]);
            FUZZ_CHECK(again == kept);
            vnrs_bgp_attrs_unref(table, again);
        }
    }
    vnrs_bgp_attrs_unref(table, kept);
}

static void check_update(const struct vnrs_bgp_session *session, const uint8_t *msg, size_t len)
{
    struct vnrs_bgp_error error = {0};
    struct vnrs_bgp_update update;
    enum vnrs_bgp_outcome outcome = vnrs_bgp_update_decode(session, msg, len, scratch, &update, &error);

    FUZZ_CHECK((outcome == VNRS_BGP_SESSION_RESET) == (error.code != 0));
    FUZZ_CHECK((outcome == VNRS_BGP_OK) == (update.why == NULL));
    if (outcome == VNRS_BGP_SESSION_RESET) {
        FUZZ_CHECK(!update.has_reach && !update.withdrawn[0].len && !update.withdrawn[1].len);
        return;
    }
    struct vnrs_bgp_attr_table *table = vnrs_bgp_attr_table_new();
    FUZZ_CHECK(table);
    for (int i = 0; i < 2; i++) {
        check_round(session, table, update.withdrawn[i], NULL);
        if (outcome == VNRS_BGP_TREAT_AS_WITHDRAW)
            check_round(session, table, update.reach[i], NULL);
        else if (update.reach[i].len)
            check_round(session, table, update.reach[i], &update.attrs[i]);
    }
    FUZZ_CHECK(vnrs_bgp_attr_table_len(table) == 0);
    vnrs_bgp_attr_table_free(table);
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
    size_t max = session.extended_message ? VNRS_BGP_MSG_EXTENDED_MAX : VNRS_BGP_MSG_MAX;
    size_t len = VNRS_BGP_HEADER_BYTES + size - 1;

    if (len > max)
        return 0;
    uint8_t *msg = malloc(len); // the decoder does not look at the header
    FUZZ_CHECK(msg);
    memset(msg, 0xff, VNRS_BGP_HEADER_BYTES);
    memcpy(msg + VNRS_BGP_HEADER_BYTES, data + 1, size - 1);
    check_update(&session, msg, len);
    free(msg);
    return 0;
}
