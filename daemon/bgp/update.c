// SPDX-License-Identifier: GPL-2.0-or-later
// UPDATE, received. First the frame: where prefixes and attributes lie. Then the attributes. Then the verdict on the
// whole, by RFC 7606 sections 3 to 5.
#include "bgp/attr_decode.h"
#include "bgp/msg_wire.h"
#include "bgp/nlri.h"

#include <errno.h>

struct frame {
    struct vnrs_wire withdrawn, attrs, reach;
};

// Returns NULL, or what is wrong with the lengths.
static const char *frame_update(const uint8_t *msg, size_t len, struct frame *frame)
{
    struct vnrs_wire w = vnrs_wire_make(msg + VNRS_BGP_HEADER_BYTES, len - VNRS_BGP_HEADER_BYTES);

    frame->withdrawn = vnrs_wire_sub(&w, vnrs_wire_u16(&w));
    frame->attrs = vnrs_wire_sub(&w, vnrs_wire_u16(&w));
    if (w.failed)
        return "field lengths exceed the message";
    frame->reach = w;
    return NULL;
}

// The IPv4 fields of the message itself.
static void classic_prefixes(struct vnrs_bgp_attr_decode *d, const struct frame *frame, struct vnrs_bgp_update *update)
{
    bool in_use = d->session->mp[VNRS_BGP_AF4];
    struct vnrs_bgp_nlri withdrawn = vnrs_bgp_nlri_of(d, VNRS_BGP_AF4, frame->withdrawn);
    struct vnrs_bgp_nlri reach = vnrs_bgp_nlri_of(d, VNRS_BGP_AF4, frame->reach);

    if (!vnrs_bgp_nlri_check(&withdrawn) || !vnrs_bgp_nlri_check(&reach)) {
        vnrs_bgp_attr_fault(d, VNRS_BGP_SESSION_RESET, VNRS_BGP_UPDATE_NETWORK, NULL, "malformed prefix");
        return;
    }
    if (!in_use) {
        if (frame->withdrawn.left || frame->reach.left)
            vnrs_bgp_attr_fault(d, VNRS_BGP_ATTR_DISCARD, 0, NULL, "IPv4 prefixes, which are not in use");
        return;
    }
    update->withdrawn[0] = withdrawn;
    update->reach[0] = reach;
}

static void require(struct vnrs_bgp_attr_decode *d, bool present, uint8_t type, const char *why)
{
    struct vnrs_bgp_attr_raw missing = {.type = type};

    if (!present)
        vnrs_bgp_attr_fault(d, VNRS_BGP_TREAT_AS_WITHDRAW, VNRS_BGP_UPDATE_MISSING, &missing, why);
}

// What must be there when something is announced: RFC 4271 section 5, RFC 7606 section 3 d.
static void judge_mandatory(struct vnrs_bgp_attr_decode *d, const struct vnrs_bgp_update *update)
{
    bool classic = update->reach[0].len;

    if (!classic && !update->reach[1].len)
        return;
    require(d, d->has_origin, VNRS_BGP_ATTR_ORIGIN, "ORIGIN is missing");
    require(d, d->has_as_path, VNRS_BGP_ATTR_AS_PATH, "AS_PATH is missing");
    if (d->session->ibgp)
        require(d, d->attrs->has & VNRS_BGP_HAS_LOCAL_PREF, VNRS_BGP_ATTR_LOCAL_PREF, "LOCAL_PREF is missing");
    if (d->is_own)
        vnrs_bgp_attr_fault(d, VNRS_BGP_TREAT_AS_WITHDRAW, VNRS_BGP_UPDATE_OPTIONAL, NULL, d->is_own);
    if (!classic)
        return;
    require(d, d->has_nexthop, VNRS_BGP_ATTR_NEXT_HOP, "NEXT_HOP is missing");
    if (d->has_nexthop && !vnrs_bgp_is_host_addr(&d->nexthop)) {
        const struct vnrs_bgp_attr_raw *raw = d->raw;
        while (raw->type != VNRS_BGP_ATTR_NEXT_HOP)
            raw++;
        vnrs_bgp_attr_fault(d, VNRS_BGP_TREAT_AS_WITHDRAW, VNRS_BGP_UPDATE_NEXT_HOP, raw,
                            "NEXT_HOP is not a host address");
    }
}

// RFC 7606 section 5.2: attributes in error that announce nothing leave it open whether prefixes were lost. (A lone
// MP_UNREACH_NLRI, which that section exempts, has no errors short of a reset.)
static void judge_missing_nlri(struct vnrs_bgp_attr_decode *d, const struct frame *frame)
{
    if (d->fault.outcome == VNRS_BGP_TREAT_AS_WITHDRAW && !frame->reach.left && !d->has_mp_prefixes)
        d->fault.outcome = VNRS_BGP_SESSION_RESET;
}

// RFC 4724 section 2. Some send the IPv4 marker in the form of the other families: both are taken.
static void judge_end_of_rib(const struct vnrs_bgp_attr_decode *d, const struct frame *frame,
                             struct vnrs_bgp_update *update)
{
    if (frame->withdrawn.left || frame->reach.left || d->fault.outcome != VNRS_BGP_OK)
        return;
    if (!frame->attrs.left && d->session->mp[VNRS_BGP_AF4])
        update->eor[VNRS_BGP_AF4] = true;
    if (d->n_raw == 1 && d->has_mp_unreach && !d->mp_unreach.len)
        update->eor[d->mp_unreach.af] = true;
}

static void error_from_fault(const struct vnrs_bgp_fault *fault, struct vnrs_bgp_error *ret_error)
{
    const void *data = fault->culprit.start;
    size_t len = fault->culprit.total;

    if (fault->subcode == VNRS_BGP_UPDATE_MISSING) {
        data = &fault->type;
        len = 1;
    } else if (fault->subcode == VNRS_BGP_UPDATE_MALFORMED_LIST || fault->subcode == VNRS_BGP_UPDATE_AS_PATH) {
        len = 0; // RFC 4271 section 6.3 names no data for these
    }
    (void)vnrs_bgp_error_make(VNRS_BGP_ERR_UPDATE, fault->subcode, data, len, ret_error);
}

// Next hops go where they belong; what an outcome forbids to use is cleared.
static void finish(struct vnrs_bgp_attr_decode *d, struct vnrs_bgp_update *update)
{
    update->why = d->fault.why;
    update->bad_attr = d->fault.type;
    update->has_reach = update->reach[0].len || update->reach[1].len;
    if (d->fault.outcome >= VNRS_BGP_TREAT_AS_WITHDRAW) {
        memset(update->attrs, 0, sizeof(update->attrs));
        return;
    }
    if (update->reach[1].len) {
        update->attrs[1] = update->attrs[0];
        update->attrs[1].nexthop = d->mp_nexthop;
        update->attrs[1].nexthop_link_local = d->mp_nexthop_link_local;
    }
    if (update->reach[0].len)
        update->attrs[0].nexthop = d->nexthop;
}

enum vnrs_bgp_outcome vnrs_bgp_update_decode(const struct vnrs_bgp_session *session, const uint8_t *msg, size_t len,
                                             uint8_t scratch[static VNRS_BGP_MSG_EXTENDED_MAX],
                                             struct vnrs_bgp_update *ret_update, struct vnrs_bgp_error *ret_error)
{
    struct frame frame = {0};
    struct vnrs_bgp_attr_raw raw[256]; // 4 KiB: not cleared for each message
    struct vnrs_bgp_attr_decode d = {
        .session = session,
        .attrs = &ret_update->attrs[0],
        .scratch = {.at = scratch, .left = VNRS_BGP_MSG_EXTENDED_MAX},
        .raw = raw,
    };

    *ret_update = (struct vnrs_bgp_update){0};
    if (len < VNRS_BGP_UPDATE_MIN) {
        ret_update->why = "message too short";
        (void)vnrs_bgp_error_bad_length(len, ret_error);
        return VNRS_BGP_SESSION_RESET;
    }
    const char *why = frame_update(msg, len, &frame);
    if (why) {
        vnrs_bgp_attr_fault(&d, VNRS_BGP_SESSION_RESET, VNRS_BGP_UPDATE_MALFORMED_LIST, NULL, why);
    } else {
        classic_prefixes(&d, &frame, ret_update);
        vnrs_bgp_attrs_frame(&d, frame.attrs);
        vnrs_bgp_attrs_read(&d);
        ret_update->withdrawn[1] = d.mp_unreach;
        ret_update->reach[1] = d.mp_reach;
        judge_mandatory(&d, ret_update);
        judge_missing_nlri(&d, &frame);
        judge_end_of_rib(&d, &frame, ret_update);
    }
    if (d.fault.outcome == VNRS_BGP_SESSION_RESET) {
        *ret_update = (struct vnrs_bgp_update){0};
        error_from_fault(&d.fault, ret_error);
    }
    finish(&d, ret_update);
    return d.fault.outcome;
}
