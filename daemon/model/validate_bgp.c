// SPDX-License-Identifier: GPL-2.0-or-later
// What is checked of BGP sessions of Route Servers and of gateways alike. Rules: azure-routing.md section 5.2.
#include "model/loader.h"

#include <string.h>

const char *vnrs_asn_reservation(const struct vnrs_model *m, uint32_t asn)
{
    static const struct {
        uint32_t first, last;
        const char *who;
        bool always; // not a matter of Azure's limits
    } reserved[] = {
        {VNRS_RS_ASN, VNRS_RS_ASN, "the Route Server's own", true},
        {23456, 23456, "reserved by IANA (AS_TRANS)", true},
        {8074, 8075, "reserved by Azure", false},
        {12076, 12076, "reserved by Azure", false},
        {65517, 65520, "reserved by Azure", false},
        {64496, 64511, "reserved by IANA (documentation)", false},
        {65535, 65551, "reserved by IANA", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (asn >= reserved[i].first && asn <= reserved[i].last &&
            (reserved[i].always || m->limits == VNRS_LIMITS_AZURE))
            return reserved[i].who;
    return NULL;
}

// What every daemon can be given in a line of its configuration.
static bool is_password(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text >= 0x7f || strchr("\"'\\;{}$", *text))
            return false;
    return true;
}

void vnrs_check_password(struct vnrs_loader *l, const char *const *password, struct vnrs_pos pos, const char *what,
                         const char *name)
{
    struct vnrs_diag *d;

    if (*password && !is_password(*password)) {
        d = loader_error(l, VNRS_V_BGP_PASSWORD, vnrs_loader_pos(l, password, pos),
                         "the password of %s '%s' cannot be given to every daemon", what, name ? name : "?");
        vnrs_diag_help(l->diags, d, "printable ASCII without blanks, quotes, '\\', ';', '$', '{' and '}'");
    } else if (*password && strcmp(*password, VNRS_BGP_PASSWORD_HIDDEN) == 0) {
        d = loader_warning(l, VNRS_V_BGP_PASSWORD, vnrs_loader_pos(l, password, pos),
                           "the password of %s '%s' is what hidden ones are shown as", what, name ? name : "?");
        vnrs_diag_help(l->diags, d, "a text that vnrs printed does not hold the passwords; put them in again");
    }
}

void vnrs_check_bfd(struct vnrs_loader *l, const struct vnrs_bfd_options *bfd, struct vnrs_pos pos,
                    const struct vnrs_bgp_timers *timers, const struct vnrs_machine *machine)
{
    unsigned detection_ms = MAX(bfd->tx_ms, bfd->rx_ms) * bfd->multiplier;
    struct vnrs_diag *d;

    if (!bfd->multihop && bfd->ttl_min) {
        d = loader_error(l, VNRS_V_BFD, pos, "BFD over a single hop with 'minimumTtl'");
        vnrs_diag_help(l->diags, d, "received packets must have a TTL of 255 there (RFC 5881)");
    }
    if (timers->hold && detection_ms >= timers->hold * 1000u) {
        d = loader_warning(l, VNRS_V_BFD, pos, "BFD needs %u ms to see a failure, BGP's hold time is %u s",
                           detection_ms, timers->hold);
        vnrs_diag_help(l->diags, d, "BFD is of use only where it is faster: shorter intervals, or a longer hold time");
    }
    const struct vnrs_run *run = machine ? &machine->run : NULL;
    if (run && !run->config &&
        (run->kind == VNRS_RUN_GOBGP || run->kind == VNRS_RUN_EXABGP || run->kind == VNRS_RUN_OPENBGPD)) {
        d = loader_warning(l, VNRS_V_BFD, pos, "BFD with '%s', which runs %s", machine->name,
                           vnrs_run_kind_names[run->kind]);
        vnrs_diag_note(l->diags, d, run->pos, "the daemon is here");
        vnrs_diag_help(l->diags, d, "it has no BFD: the session comes up without; 'bfd: false' says so");
    }
}
