// SPDX-License-Identifier: GPL-2.0-or-later
// GoBGP takes what it announces by commands only.
#include "plan/appliance_kinds.h"

static void gobgp_families(struct vnrs_strbuf *out, const struct vnrs_run *run, const struct vnrs_bgp_options *options)
{
    for (int family = 4; family <= 6; family += 2) {
        if (family == 6 && !appliance_has_family(run, VNRS_AF_IPV6))
            continue;
        vnrs_strbuf_printf(out,
                           "  [[neighbors.afi-safis]]\n    [neighbors.afi-safis.config]\n"
                           "      afi-safi-name = \"ipv%d-unicast\"\n",
                           family);
        if (options->graceful_restart)
            vnrs_strbuf_puts(out, "    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n");
        if (options->add_path)
            vnrs_strbuf_puts(out,
                             "    [neighbors.afi-safis.add-paths.config]\n      receive = true\n      send-max = 8\n");
    }
}

static void gobgp_transport(struct vnrs_strbuf *out, const struct appliance_session *s)
{
    char local[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, "  [neighbors.transport.config]\n    local-address = \"%s\"\n",
                       vnrs_addr_format(&s->local, local));
    if (s->conn->ttl_security_hops)
        vnrs_strbuf_printf(out, "  [neighbors.ttl-security.config]\n    enabled = true\n    ttl-min = %u\n",
                           256 - s->conn->ttl_security_hops);
    else
        vnrs_strbuf_puts(out, "  [neighbors.ebgp-multihop.config]\n    enabled = true\n    multihop-ttl = 255\n");
    vnrs_strbuf_printf(out,
                       "  [neighbors.timers.config]\n    connect-retry = %d\n    hold-time = %u\n"
                       "    keepalive-interval = %u\n    idle-hold-time-after-reset = 1\n",
                       APPLIANCE_RETRY_S, s->conn->timers.hold, s->conn->timers.keepalive);
}

void appliance_gobgp(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                     const struct appliance_sessions *sessions)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = appliance_router_id(machine);

    vnrs_strbuf_printf(out, "# vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    vnrs_strbuf_printf(out, "[global.config]\n  as = %u\n  router-id = \"%s\"\n  port = 179\n", machine->run.asn,
                       vnrs_addr_format(&id, text));
    // Only what it originates is sent.
    vnrs_strbuf_puts(out, "[global.apply-policy.config]\n  export-policy-list = [\"vnrs-out\"]\n"
                          "  default-export-policy = \"reject-route\"\n"
                          "[[policy-definitions]]\n  name = \"vnrs-out\"\n  [[policy-definitions.statements]]\n"
                          "    [policy-definitions.statements.conditions.bgp-conditions]\n"
                          "      route-type = \"local\"\n"
                          "    [policy-definitions.statements.actions]\n"
                          "      route-disposition = \"accept-route\"\n");
    vec_foreach (s, &sessions->list) {
        vnrs_strbuf_printf(out,
                           "[[neighbors]]\n  [neighbors.config]\n    neighbor-address = \"%s\"\n    peer-as = %u\n"
                           "    description = \"%s instance %u\"\n",
                           vnrs_addr_format(&s->remote, text), VNRS_RS_ASN, s->rs->name, s->instance);
        if (s->conn->password)
            vnrs_strbuf_printf(out, "    auth-password = \"%s\"\n", s->conn->password);
        gobgp_transport(out, s);
        if (s->rs->options.graceful_restart)
            vnrs_strbuf_printf(out,
                               "  [neighbors.graceful-restart.config]\n    enabled = true\n"
                               "    notification-enabled = true\n    restart-time = %u\n",
                               s->rs->options.restart_s);
        gobgp_families(out, &machine->run, &s->rs->options);
    }
}

void appliance_gobgp_commands(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (a, &machine->run.announce) {
        struct vnrs_addr hop = appliance_next_hop(machine, a);
        if (hop.family == VNRS_AF_NONE)
            continue;
        vnrs_strbuf_printf(out, "global rib add %s", vnrs_prefix_format(&a->prefix, text));
        for (unsigned i = 0; i < a->prepend; i++)
            vnrs_strbuf_printf(out, "%s%u", i ? "," : " aspath ", machine->run.asn);
        list_foreach (c, &a->communities)
            vnrs_strbuf_printf(out, "%s%u:%u", c == a->communities.items ? " community " : ",", *c >> 16, *c & 0xffff);
        if (a->has_med)
            vnrs_strbuf_printf(out, " med %u", a->med);
        vnrs_strbuf_printf(out, " nexthop %s -a ipv%u\n", vnrs_addr_format(&hop, text), a->prefix.family);
    }
}
