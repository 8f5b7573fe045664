// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance_kinds.h"

static void bird_filter(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
{
    const struct vnrs_run *run = &machine->run;
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_puts(out, "filter vnrs_out {\n");
    list_foreach (a, &run->announce) {
        struct vnrs_addr hop = a->prefix.family == VNRS_AF_IPV4 ? a->next_hop : appliance_next_hop6(machine, a);
        vnrs_strbuf_printf(out, "    if net = %s then {\n", vnrs_prefix_format(&a->prefix, text));
        for (unsigned i = 0; i < a->prepend; i++)
            vnrs_strbuf_printf(out, "        bgp_path.prepend(%u);\n", run->asn);
        list_foreach (c, &a->communities)
            vnrs_strbuf_printf(out, "        bgp_community.add((%u,%u));\n", *c >> 16, *c & 0xffff);
        if (a->has_med)
            vnrs_strbuf_printf(out, "        bgp_med = %u;\n", a->med);
        if (hop.family != VNRS_AF_NONE)
            vnrs_strbuf_printf(out, "        bgp_next_hop = %s;\n", vnrs_addr_format(&hop, text));
        vnrs_strbuf_puts(out, "        accept;\n    }\n");
    }
    vnrs_strbuf_puts(out, "    reject;\n}\n");
}

static void bird_static(struct vnrs_strbuf *out, const struct vnrs_run *run, uint8_t family)
{
    char text[VNRS_PREFIX_STR_MAX];

    if (!appliance_has_family(run, family))
        return;
    vnrs_strbuf_printf(out, "protocol static announce%u {\n    ipv%u;\n", family, family);
    list_foreach (a, &run->announce) {
        if (a->prefix.family == family)
            vnrs_strbuf_printf(out, "    route %s unreachable;\n", vnrs_prefix_format(&a->prefix, text));
    }
    vnrs_strbuf_puts(out, "}\n");
}

void appliance_bird_announce(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
{
    bird_static(out, &machine->run, VNRS_AF_IPV4);
    bird_static(out, &machine->run, VNRS_AF_IPV6);
    bird_filter(out, machine);
}

static void bird_protection(struct vnrs_strbuf *out, const struct vnrs_bgp_connection *conn)
{
    if (conn->ttl_security_hops)
        vnrs_strbuf_printf(out, "    multihop %u;\n    ttl security on;\n", conn->ttl_security_hops);
    else
        vnrs_strbuf_puts(out, "    multihop;\n");
    if (conn->password)
        vnrs_strbuf_printf(out, "    password \"%s\";\n", conn->password);
}

// Over several hops, as BGP itself. While it is down a second is fast enough (RFC 5880 section 6.8.3).
static void bird_bfd(struct vnrs_strbuf *out, const struct vnrs_bfd_options *bfd)
{
    if (bfd->on)
        vnrs_strbuf_printf(out,
                           "    bfd {\n        min tx interval %u ms;\n        min rx interval %u ms;\n"
                           "        idle tx interval 1 s;\n        multiplier %u;\n    };\n",
                           bfd->tx_ms, bfd->rx_ms, bfd->multiplier);
}

static bool has_bfd(const struct appliance_sessions *sessions)
{
    vec_foreach (s, &sessions->list) {
        if (s->conn->bfd.on)
            return true;
    }
    return false;
}

// Enhanced refresh needs nothing: BIRD always announces it.
static void bird_options(struct vnrs_strbuf *out, const struct vnrs_bgp_options *options)
{
    if (options->graceful_restart)
        vnrs_strbuf_printf(out, "    graceful restart on;\n    graceful restart time %u;\n", options->restart_s);
    else
        vnrs_strbuf_puts(out, "    graceful restart off;\n");
    vnrs_strbuf_puts(out, options->extended_messages ? "    enable extended messages on;\n" : "");
}

static void bird_channel(struct vnrs_strbuf *out, const struct vnrs_bgp_options *options, int family)
{
    vnrs_strbuf_printf(out, "    ipv%d {\n        import all;\n        export filter vnrs_out;\n", family);
    vnrs_strbuf_puts(out, options->add_path ? "        add paths on;\n" : "");
    vnrs_strbuf_puts(out, options->extended_next_hop && family == 4 ? "        extended next hop on;\n" : "");
    vnrs_strbuf_puts(out, "    };\n");
}

void appliance_bird(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                    const struct appliance_sessions *sessions)
{
    const struct vnrs_run *run = &machine->run;
    char remote[VNRS_ADDR_STR_MAX], local[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = appliance_router_id(machine);
    unsigned n = 0;

    vnrs_strbuf_printf(out, "# vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    vnrs_strbuf_printf(out, "router id %s;\n", vnrs_addr_format(&id, local));
    // No kernel protocol: nothing of this goes into the machine's routing table.
    vnrs_strbuf_puts(out, "protocol device {\n}\n");
    vnrs_strbuf_puts(out, has_bfd(sessions) ? "protocol bfd {\n}\n" : "");
    appliance_bird_announce(out, machine);
    vec_foreach (s, &sessions->list) {
        vnrs_strbuf_printf(out, "protocol bgp rs%u {\n    description \"%s instance %u\";\n", n++, s->rs->name,
                           s->instance);
        vnrs_strbuf_printf(out, "    local %s as %u;\n    neighbor %s as %u;\n", vnrs_addr_format(&s->local, local),
                           run->asn, vnrs_addr_format(&s->remote, remote), VNRS_RS_ASN);
        bird_protection(out, s->conn);
        vnrs_strbuf_printf(out, "    hold time %u;\n    keepalive time %u;\n", s->conn->timers.hold,
                           s->conn->timers.keepalive);
        vnrs_strbuf_printf(out, "    connect retry time %u;\n    connect delay time 1;\n", APPLIANCE_RETRY_S);
        vnrs_strbuf_puts(out, "    error wait time 1, 10;\n");
        bird_bfd(out, &s->conn->bfd);
        bird_options(out, &s->rs->options);
        for (int family = 4; family <= 6; family += 2) {
            if (family == 4 || appliance_has_family(run, VNRS_AF_IPV6))
                bird_channel(out, &s->rs->options, family);
        }
        vnrs_strbuf_puts(out, "}\n");
    }
}
