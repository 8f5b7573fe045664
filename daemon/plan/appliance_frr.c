// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance_kinds.h"

static bool is_plain(const struct vnrs_announce *a)
{
    return a->prefix.family == VNRS_AF_IPV4 && !a->prepend && !a->communities.len && !a->has_med &&
           a->next_hop.family == VNRS_AF_NONE;
}

// All prefixes without attributes share one entry of the route map, whose numbers end at 65535.
static void frr_plain(struct vnrs_strbuf *out, const struct vnrs_run *run)
{
    char text[VNRS_PREFIX_STR_MAX];
    unsigned seq = 0;

    list_foreach (a, &run->announce) {
        if (is_plain(a))
            vnrs_strbuf_printf(out, "ip prefix-list vnrs-plain seq %u permit %s\n", ++seq,
                               vnrs_prefix_format(&a->prefix, text));
    }
    if (seq)
        vnrs_strbuf_puts(out, "route-map vnrs-out permit 1\n match ip address prefix-list vnrs-plain\nexit\n");
}

static void frr_attributes(struct vnrs_strbuf *out, const struct vnrs_machine *machine, const struct vnrs_announce *a,
                           unsigned seq)
{
    const char *ip = a->prefix.family == VNRS_AF_IPV4 ? "ip" : "ipv6";
    struct vnrs_addr hop = a->prefix.family == VNRS_AF_IPV4 ? a->next_hop : appliance_next_hop6(machine, a);
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_printf(out, "%s prefix-list vnrs-%u seq 1 permit %s\n", ip, seq, vnrs_prefix_format(&a->prefix, text));
    vnrs_strbuf_printf(out, "route-map vnrs-out permit %u\n match %s address prefix-list vnrs-%u\n", seq, ip, seq);
    if (a->prepend) {
        vnrs_strbuf_puts(out, " set as-path prepend");
        for (unsigned i = 0; i < a->prepend; i++)
            vnrs_strbuf_printf(out, " %u", machine->run.asn);
        vnrs_strbuf_puts(out, "\n");
    }
    if (a->communities.len) {
        vnrs_strbuf_puts(out, " set community");
        list_foreach (c, &a->communities)
            vnrs_strbuf_printf(out, " %u:%u", *c >> 16, *c & 0xffff);
        vnrs_strbuf_puts(out, "\n");
    }
    if (a->has_med)
        vnrs_strbuf_printf(out, " set metric %u\n", a->med);
    if (hop.family != VNRS_AF_NONE)
        vnrs_strbuf_printf(out, " set %s %s\n", hop.family == VNRS_AF_IPV4 ? "ip next-hop" : "ipv6 next-hop global",
                           vnrs_addr_format(&hop, text));
    vnrs_strbuf_puts(out, "exit\n");
}

void appliance_frr_policy(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
{
    unsigned seq = 1;

    frr_plain(out, &machine->run);
    list_foreach (a, &machine->run.announce) {
        if (!is_plain(a))
            frr_attributes(out, machine, a, ++seq);
    }
    vnrs_strbuf_puts(out, "route-map vnrs-out deny 65535\nexit\n");
}

// What the instances of a Route Server have in common is a peer group, made before its members: each setting that a
// neighbor gets by itself starts it anew, and FRR waits longer before each new start.
static bool is_first_of_group(const struct appliance_sessions *sessions, const struct appliance_session *s)
{
    return s == sessions->list.items || s[-1].conn != s->conn;
}

static unsigned group_number(const struct appliance_sessions *sessions, const struct appliance_session *s)
{
    unsigned n = 0;

    for (const struct appliance_session *at = sessions->list.items; at <= s; at++)
        n += is_first_of_group(sessions, at);
    return n;
}

static void frr_family(struct vnrs_strbuf *out, const struct vnrs_run *run, const struct appliance_sessions *sessions,
                       uint8_t family)
{
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_printf(out, " address-family ipv%u unicast\n", family);
    list_foreach (a, &run->announce) {
        if (a->prefix.family == family)
            vnrs_strbuf_printf(out, "  network %s\n", vnrs_prefix_format(&a->prefix, text));
    }
    vec_foreach (s, &sessions->list) {
        unsigned n = group_number(sessions, s);
        if (is_first_of_group(sessions, s) && s->rs->options.add_path)
            vnrs_strbuf_printf(out, "  neighbor azure%u addpath-tx-all-paths\n", n); // it always takes them
        if (is_first_of_group(sessions, s))
            vnrs_strbuf_printf(out,
                               "  neighbor azure%u activate\n  neighbor azure%u route-map vnrs-out out\n"
                               "  neighbor azure%u soft-reconfiguration inbound\n",
                               n, n, n);
    }
    vnrs_strbuf_puts(out, " exit-address-family\n");
}

static void frr_group(struct vnrs_strbuf *out, const struct appliance_session *s, unsigned n)
{
    char text[VNRS_ADDR_STR_MAX], group[16];

    (void)snprintf(group, sizeof(group), "azure%u", n);
    vnrs_strbuf_printf(out, " neighbor %s peer-group\n neighbor %s remote-as %u\n", group, group, VNRS_RS_ASN);
    if (s->conn->ttl_security_hops) // it excludes ebgp-multihop
        vnrs_strbuf_printf(out, " neighbor %s disable-connected-check\n neighbor %s ttl-security hops %u\n", group,
                           group, s->conn->ttl_security_hops);
    else
        vnrs_strbuf_printf(out, " neighbor %s ebgp-multihop 255\n", group);
    vnrs_strbuf_printf(out, " neighbor %s update-source %s\n", group, vnrs_addr_format(&s->local, text));
    if (s->conn->password)
        vnrs_strbuf_printf(out, " neighbor %s password %s\n", group, s->conn->password);
    if (s->rs->options.extended_next_hop)
        vnrs_strbuf_printf(out, " neighbor %s capability extended-nexthop\n", group);
    vnrs_strbuf_printf(out, " neighbor %s timers %u %u\n neighbor %s timers connect %u\n", group,
                       s->conn->timers.keepalive, s->conn->timers.hold, group, APPLIANCE_RETRY_S);
    // FRR holds updates of eBGP peers back for some seconds otherwise.
    vnrs_strbuf_printf(out, " neighbor %s advertisement-interval 0\n", group);
    if (s->conn->bfd.on) // over several hops, as BGP itself
        vnrs_strbuf_printf(out, " neighbor %s bfd\n neighbor %s bfd profile %s\n", group, group, group);
}

static void frr_bfd(struct vnrs_strbuf *out, const struct appliance_sessions *sessions)
{
    bool any = false;

    vec_foreach (s, &sessions->list) {
        const struct vnrs_bfd_options *bfd = &s->conn->bfd;
        if (!is_first_of_group(sessions, s) || !bfd->on)
            continue;
        vnrs_strbuf_puts(out, any ? "" : "bfd\n");
        any = true;
        vnrs_strbuf_printf(out,
                           " profile azure%u\n  transmit-interval %u\n  receive-interval %u\n"
                           "  detect-multiplier %u\n exit\n",
                           group_number(sessions, s), bfd->tx_ms, bfd->rx_ms, bfd->multiplier);
    }
    vnrs_strbuf_puts(out, any ? "exit\n" : "");
}

// For all neighbors: members of a peer group do not get it from the group. That the machine goes on forwarding is true
// of static prefixes.
static void frr_restart(struct vnrs_strbuf *out, const struct appliance_sessions *sessions)
{
    unsigned time_s = 0;

    vec_foreach (s, &sessions->list)
        time_s = s->rs->options.graceful_restart ? MAX(time_s, s->rs->options.restart_s) : time_s;
    if (time_s)
        vnrs_strbuf_printf(
            out,
            " bgp graceful-restart\n bgp graceful-restart restart-time %u\n bgp graceful-restart preserve-fw-state\n",
            time_s);
}

// bgpd holds its sessions back until what it does late about route maps is done, five seconds unless told otherwise.
void appliance_frr_head(struct vnrs_strbuf *out, const char *hostname)
{
    vnrs_strbuf_printf(out, "frr defaults traditional\nhostname %s\nbgp route-map delay-timer 0\n", hostname);
}

void appliance_frr(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                   const struct appliance_sessions *sessions)
{
    const struct vnrs_run *run = &machine->run;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = appliance_router_id(machine);

    vnrs_strbuf_printf(out, "! vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    appliance_frr_head(out, machine->name);
    vnrs_strbuf_puts(out, "bgp no-rib\n");
    // The Route Server is reached by the default route: without this FRR waits for a better one before it connects.
    vnrs_strbuf_puts(out, "ip nht resolve-via-default\nipv6 nht resolve-via-default\n");
    appliance_frr_policy(out, machine);
    frr_bfd(out, sessions);
    vnrs_strbuf_printf(out, "router bgp %u\n bgp router-id %s\n", run->asn, vnrs_addr_format(&id, text));
    vnrs_strbuf_puts(out, " no bgp ebgp-requires-policy\n no bgp network import-check\n");
    frr_restart(out, sessions);
    vec_foreach (s, &sessions->list) {
        if (is_first_of_group(sessions, s))
            frr_group(out, s, group_number(sessions, s));
    }
    frr_family(out, run, sessions, VNRS_AF_IPV4);
    if (appliance_has_family(run, VNRS_AF_IPV6))
        frr_family(out, run, sessions, VNRS_AF_IPV6);
    vec_foreach (s, &sessions->list) {
        vnrs_addr_format(&s->remote, text);
        vnrs_strbuf_printf(out, " neighbor %s peer-group azure%u\n neighbor %s description %s instance %u\n", text,
                           group_number(sessions, s), text, s->rs->name, s->instance);
    }
    vnrs_strbuf_puts(out, "exit\n");
}
