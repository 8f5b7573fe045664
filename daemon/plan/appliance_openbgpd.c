// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance_kinds.h"

// ASN of a peer that knows 2 octets only, where ours does not fit.
#define AS_TRANS 23456u

static void openbgpd_network(struct vnrs_strbuf *out, const struct vnrs_machine *machine, const struct vnrs_announce *a)
{
    struct vnrs_addr hop = appliance_next_hop(machine, a);
    char text[VNRS_PREFIX_STR_MAX];

    if (hop.family == VNRS_AF_NONE)
        return;
    vnrs_strbuf_printf(out, "network %s set {", vnrs_prefix_format(&a->prefix, text));
    vnrs_strbuf_printf(out, " nexthop %s", vnrs_addr_format(&hop, text));
    if (a->prepend)
        vnrs_strbuf_printf(out, " prepend-self %u", a->prepend);
    list_foreach (c, &a->communities)
        vnrs_strbuf_printf(out, " community %u:%u", *c >> 16, *c & 0xffff);
    if (a->has_med)
        vnrs_strbuf_printf(out, " med %u", a->med);
    vnrs_strbuf_puts(out, " }\n");
}

static bool has_next_hops(const struct vnrs_run *run)
{
    list_foreach (a, &run->announce) {
        if (a->next_hop.family != VNRS_AF_NONE)
            return true;
    }
    return false;
}

static void openbgpd_neighbor(struct vnrs_strbuf *out, const struct vnrs_run *run, const struct appliance_session *s)
{
    bool v6 = appliance_has_family(run, VNRS_AF_IPV6);
    const struct vnrs_bgp_options *options = &s->rs->options;
    char text[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, "neighbor %s {\n    descr \"%s instance %u\"\n", vnrs_addr_format(&s->remote, text),
                       s->rs->name, s->instance);
    vnrs_strbuf_printf(out, "    remote-as %u\n    local-address %s\n    holdtime %u\n", VNRS_RS_ASN,
                       vnrs_addr_format(&s->local, text), s->conn->timers.hold);
    // It checks TTLs of direct neighbors only, to whom it tells no next hop but its own. For the Route Server's check
    // it is enough that it sends 255.
    vnrs_strbuf_puts(out, s->conn->ttl_security_hops == 1 && !has_next_hops(run) ? "    ttl-security yes\n"
                                                                                 : "    multihop 255\n");
    if (s->conn->password)
        vnrs_strbuf_printf(out, "    tcp md5sig password %s\n", s->conn->password);
    vnrs_strbuf_printf(out, "    announce IPv4 unicast\n    announce IPv6 %s\n", v6 ? "unicast" : "none");
    vnrs_strbuf_printf(out, "    announce restart %s\n", options->graceful_restart ? "yes" : "no");
    vnrs_strbuf_puts(out, options->enhanced_refresh ? "    announce enhanced refresh yes\n" : "");
    vnrs_strbuf_puts(out, options->add_path ? "    announce add-path recv yes\n    announce add-path send all\n" : "");
    vnrs_strbuf_puts(out, "}\n");
}

void appliance_openbgpd(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                        const struct appliance_sessions *sessions)
{
    char text[VNRS_PREFIX_STR_MAX];
    struct vnrs_addr id = appliance_router_id(machine);
    uint32_t asn = machine->run.asn;

    vnrs_strbuf_printf(out, "# vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    vnrs_strbuf_printf(out, "AS %u", asn);
    if (asn > UINT16_MAX)
        vnrs_strbuf_printf(out, " %u", AS_TRANS);
    // The socket is in the working directory, which is the machine's own.
    vnrs_strbuf_printf(out, "\nrouter-id %s\nsocket \"bgpd.sock\"\nfib-update no\nconnect-retry %d\n",
                       vnrs_addr_format(&id, text), APPLIANCE_RETRY_S);
    list_foreach (a, &machine->run.announce)
        openbgpd_network(out, machine, a);
    vec_foreach (s, &sessions->list)
        openbgpd_neighbor(out, &machine->run, s);
    // What is learned stays here; only what is announced goes out.
    vnrs_strbuf_puts(out, "allow from any\ndeny to any\n");
    list_foreach (a, &machine->run.announce)
        vnrs_strbuf_printf(out, "allow to any prefix %s set nexthop no-modify\n", vnrs_prefix_format(&a->prefix, text));
}
