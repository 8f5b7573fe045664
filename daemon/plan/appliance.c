// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/appliance.h"

#include "util/strbuf.h"

#include <string.h>

#define CONNECT_RETRY_S 2

// One session that the machine has.
struct session {
    const struct vnrs_route_server *rs;
    const struct vnrs_nic *nic;
    struct vnrs_addr local, remote;
    unsigned instance;
};

typedef VEC(struct session) session_list;

static int find_sessions(const struct vnrs_model *model, const struct vnrs_machine *machine, session_list *sessions)
{
    list_foreach (rs, &model->route_servers) {
        list_foreach (conn, &rs->connections) {
            if (!conn->nic || conn->nic->machine != machine)
                continue;
            for (unsigned i = 0; i < VNRS_RS_INSTANCES; i++) {
                struct session s = {
                    .rs = rs, .nic = conn->nic, .local = conn->peer_ip, .remote = rs->ips[i], .instance = i};
                if (rs->ips[i].family != VNRS_AF_NONE && vec_push(sessions, s) < 0)
                    return -ENOMEM;
            }
        }
    }
    return 0;
}

static struct vnrs_addr router_id(const struct vnrs_machine *machine)
{
    list_foreach (nic, &machine->nics) {
        list_foreach (ip, &nic->ips) {
            if (ip->family == VNRS_AF_IPV4)
                return *ip;
        }
    }
    return vnrs_addr_from_v4(0x0a000001);
}

// Where packets for an IPv6 prefix shall go when the session itself is IPv4. NONE: nowhere.
static struct vnrs_addr next_hop6(const struct vnrs_machine *machine, const struct vnrs_announce *announce)
{
    if (announce->next_hop.family == VNRS_AF_IPV6)
        return announce->next_hop;
    list_foreach (nic, &machine->nics) {
        list_foreach (ip, &nic->ips) {
            if (ip->family == VNRS_AF_IPV6)
                return *ip;
        }
    }
    return (struct vnrs_addr){0};
}

static bool has_family(const struct vnrs_run *run, uint8_t family)
{
    list_foreach (a, &run->announce) {
        if (a->prefix.family == family)
            return true;
    }
    return false;
}

// ---- FRR

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
    struct vnrs_addr hop = a->prefix.family == VNRS_AF_IPV4 ? a->next_hop : next_hop6(machine, a);
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

static void frr_policy(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
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
static bool is_first_of_group(const session_list *sessions, const struct session *s)
{
    return s == sessions->items || s[-1].rs != s->rs || !vnrs_addr_equal(&s[-1].local, &s->local);
}

static unsigned group_number(const session_list *sessions, const struct session *s)
{
    unsigned n = 0;

    for (const struct session *at = sessions->items; at <= s; at++)
        n += is_first_of_group(sessions, at);
    return n;
}

static void frr_family(struct vnrs_strbuf *out, const struct vnrs_run *run, const session_list *sessions,
                       uint8_t family)
{
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_printf(out, " address-family ipv%u unicast\n", family);
    list_foreach (a, &run->announce) {
        if (a->prefix.family == family)
            vnrs_strbuf_printf(out, "  network %s\n", vnrs_prefix_format(&a->prefix, text));
    }
    vec_foreach (s, sessions) {
        unsigned n = group_number(sessions, s);
        if (is_first_of_group(sessions, s))
            vnrs_strbuf_printf(out,
                               "  neighbor azure%u activate\n  neighbor azure%u route-map vnrs-out out\n"
                               "  neighbor azure%u soft-reconfiguration inbound\n",
                               n, n, n);
    }
    vnrs_strbuf_puts(out, " exit-address-family\n");
}

static void frr_group(struct vnrs_strbuf *out, const struct session *s, unsigned n)
{
    char text[VNRS_ADDR_STR_MAX], group[16];

    (void)snprintf(group, sizeof(group), "azure%u", n);
    vnrs_strbuf_printf(out, " neighbor %s peer-group\n neighbor %s remote-as %u\n", group, group, VNRS_RS_ASN);
    vnrs_strbuf_printf(out, " neighbor %s ebgp-multihop 255\n neighbor %s update-source %s\n", group, group,
                       vnrs_addr_format(&s->local, text));
    vnrs_strbuf_printf(out, " neighbor %s timers %u %u\n neighbor %s timers connect %u\n", group,
                       s->rs->timers.keepalive, s->rs->timers.hold, group, CONNECT_RETRY_S);
    // FRR holds updates of eBGP peers back for some seconds otherwise.
    vnrs_strbuf_printf(out, " neighbor %s advertisement-interval 0\n", group);
}

static void frr_config(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                       const session_list *sessions)
{
    const struct vnrs_run *run = &machine->run;
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = router_id(machine);

    vnrs_strbuf_printf(out, "! vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    vnrs_strbuf_printf(out, "frr defaults traditional\nhostname %s\nbgp no-rib\n", machine->name);
    // The Route Server is reached by the default route: without this FRR waits for a better one before it connects.
    vnrs_strbuf_puts(out, "ip nht resolve-via-default\nipv6 nht resolve-via-default\n");
    frr_policy(out, machine);
    vnrs_strbuf_printf(out, "router bgp %u\n bgp router-id %s\n", run->asn, vnrs_addr_format(&id, text));
    vnrs_strbuf_puts(out, " no bgp ebgp-requires-policy\n no bgp network import-check\n");
    vec_foreach (s, sessions) {
        if (is_first_of_group(sessions, s))
            frr_group(out, s, group_number(sessions, s));
    }
    frr_family(out, run, sessions, VNRS_AF_IPV4);
    if (has_family(run, VNRS_AF_IPV6))
        frr_family(out, run, sessions, VNRS_AF_IPV6);
    vec_foreach (s, sessions) {
        vnrs_addr_format(&s->remote, text);
        vnrs_strbuf_printf(out, " neighbor %s peer-group azure%u\n neighbor %s description %s instance %u\n", text,
                           group_number(sessions, s), text, s->rs->name, s->instance);
    }
    vnrs_strbuf_puts(out, "exit\n");
}

// ---- BIRD

static void bird_filter(struct vnrs_strbuf *out, const struct vnrs_machine *machine)
{
    const struct vnrs_run *run = &machine->run;
    char text[VNRS_PREFIX_STR_MAX];

    vnrs_strbuf_puts(out, "filter vnrs_out {\n");
    list_foreach (a, &run->announce) {
        struct vnrs_addr hop = a->prefix.family == VNRS_AF_IPV4 ? a->next_hop : next_hop6(machine, a);
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

    if (!has_family(run, family))
        return;
    vnrs_strbuf_printf(out, "protocol static announce%u {\n    ipv%u;\n", family, family);
    list_foreach (a, &run->announce) {
        if (a->prefix.family == family)
            vnrs_strbuf_printf(out, "    route %s unreachable;\n", vnrs_prefix_format(&a->prefix, text));
    }
    vnrs_strbuf_puts(out, "}\n");
}

static void bird_config(struct vnrs_strbuf *out, const struct vnrs_model *model, const struct vnrs_machine *machine,
                        const session_list *sessions)
{
    const struct vnrs_run *run = &machine->run;
    char remote[VNRS_ADDR_STR_MAX], local[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = router_id(machine);
    unsigned n = 0;

    vnrs_strbuf_printf(out, "# vnrs: lab %s, machine %s; written anew by every apply\n", model->name, machine->name);
    vnrs_strbuf_printf(out, "router id %s;\n", vnrs_addr_format(&id, local));
    // No kernel protocol: nothing of this goes into the machine's routing table.
    vnrs_strbuf_puts(out, "protocol device {\n}\n");
    bird_static(out, run, VNRS_AF_IPV4);
    bird_static(out, run, VNRS_AF_IPV6);
    bird_filter(out, machine);
    vec_foreach (s, sessions) {
        vnrs_strbuf_printf(out, "protocol bgp rs%u {\n    description \"%s instance %u\";\n", n++, s->rs->name,
                           s->instance);
        vnrs_strbuf_printf(out, "    local %s as %u;\n    neighbor %s as %u;\n    multihop;\n",
                           vnrs_addr_format(&s->local, local), run->asn, vnrs_addr_format(&s->remote, remote),
                           VNRS_RS_ASN);
        vnrs_strbuf_printf(out, "    hold time %u;\n    keepalive time %u;\n", s->rs->timers.hold,
                           s->rs->timers.keepalive);
        vnrs_strbuf_printf(out, "    connect retry time %u;\n    connect delay time 1;\n", CONNECT_RETRY_S);
        vnrs_strbuf_puts(out, "    error wait time 1, 10;\n    graceful restart off;\n");
        for (int family = 4; family <= 6; family += 2) {
            if (family == 4 || has_family(run, VNRS_AF_IPV6))
                vnrs_strbuf_printf(out, "    ipv%d {\n        import all;\n        export filter vnrs_out;\n    };\n",
                                   family);
        }
        vnrs_strbuf_puts(out, "}\n");
    }
}

char *vnrs_appliance_config(const struct vnrs_model *model, const struct vnrs_machine *machine)
{
    if (machine->run.config)
        return strdup(machine->run.config);

    struct vnrs_strbuf out = {0};
    session_list sessions = {0};
    if (find_sessions(model, machine, &sessions) < 0)
        out.failed = true;
    else if (machine->run.kind == VNRS_RUN_BIRD)
        bird_config(&out, model, machine, &sessions);
    else
        frr_config(&out, model, machine, &sessions);
    vec_free(&sessions);
    char *text = vnrs_strbuf_take(&out);
    vnrs_strbuf_fini(&out);
    return text;
}
