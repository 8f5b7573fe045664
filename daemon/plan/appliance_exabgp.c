// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance_kinds.h"

static void exabgp_route(struct vnrs_strbuf *out, const struct vnrs_machine *machine, const struct vnrs_announce *a)
{
    struct vnrs_addr hop = appliance_next_hop(machine, a);
    char text[VNRS_PREFIX_STR_MAX];

    if (hop.family == VNRS_AF_NONE)
        return;
    vnrs_strbuf_printf(out, "        route %s", vnrs_prefix_format(&a->prefix, text));
    vnrs_strbuf_printf(out, " next-hop %s", vnrs_addr_format(&hop, text));
    if (a->prepend) { // an AS path that is given is not prepended to
        vnrs_strbuf_printf(out, " as-path [ %u", machine->run.asn);
        for (unsigned i = 0; i < a->prepend; i++)
            vnrs_strbuf_printf(out, " %u", machine->run.asn);
        vnrs_strbuf_puts(out, " ]");
    }
    vnrs_strbuf_puts(out, a->communities.len ? " community [" : "");
    list_foreach (c, &a->communities)
        vnrs_strbuf_printf(out, " %u:%u", *c >> 16, *c & 0xffff);
    vnrs_strbuf_puts(out, a->communities.len ? " ]" : "");
    if (a->has_med)
        vnrs_strbuf_printf(out, " med %u", a->med);
    vnrs_strbuf_puts(out, ";\n");
}

static void exabgp_capabilities(struct vnrs_strbuf *out, const struct vnrs_bgp_options *options)
{
    vnrs_strbuf_puts(out, "    capability {\n        asn4 enable;\n        route-refresh enable;\n");
    if (options->graceful_restart)
        vnrs_strbuf_printf(out, "        graceful-restart %u;\n", options->restart_s);
    vnrs_strbuf_puts(out, options->extended_messages ? "        extended-message enable;\n" : "");
    vnrs_strbuf_puts(out, options->add_path ? "        add-path send/receive;\n" : "");
    vnrs_strbuf_puts(out, "    }\n");
}

void appliance_exabgp(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                      const struct appliance_sessions *sessions)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = appliance_router_id(machine);
    bool v6 = appliance_has_family(&machine->run, VNRS_AF_IPV6);

    vnrs_strbuf_printf(out, "# vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    vec_foreach (s, &sessions->list) {
        vnrs_strbuf_printf(out, "neighbor %s {\n", vnrs_addr_format(&s->remote, text));
        vnrs_strbuf_printf(out, "    description \"%s instance %u\";\n", s->rs->name, s->instance);
        vnrs_strbuf_printf(out, "    router-id %s;\n", vnrs_addr_format(&id, text));
        vnrs_strbuf_printf(out, "    local-address %s;\n    local-as %u;\n    peer-as %u;\n",
                           vnrs_addr_format(&s->local, text), machine->run.asn, VNRS_RS_ASN);
        vnrs_strbuf_printf(out, "    hold-time %u;\n    outgoing-ttl 255;\n", s->conn->timers.hold);
        if (s->conn->ttl_security_hops)
            vnrs_strbuf_printf(out, "    incoming-ttl %u;\n", 256 - s->conn->ttl_security_hops);
        if (s->conn->password)
            vnrs_strbuf_printf(out, "    md5-password \"%s\";\n", s->conn->password);
        exabgp_capabilities(out, &s->rs->options);
        vnrs_strbuf_printf(out, "    family {\n        ipv4 unicast;\n%s    }\n    static {\n",
                           v6 ? "        ipv6 unicast;\n" : "");
        list_foreach (a, &machine->run.announce)
            exabgp_route(out, machine, a);
        vnrs_strbuf_puts(out, "    }\n}\n");
    }
}
