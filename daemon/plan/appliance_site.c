// SPDX-License-Identifier: GPL-2.0-or-later
// The router of a site as FRR and as BIRD.
#include "plan/appliance_kinds.h"

#define SITE_PATHS_MAX 16

static struct vnrs_addr router_id(const struct site_router *router)
{
    if (router->ip.family == VNRS_AF_IPV4)
        return router->ip;
    return router->sessions.len && router->sessions.items[0].local.family == VNRS_AF_IPV4
               ? router->sessions.items[0].local
               : vnrs_addr_from_v4(0x0a000000 + router->site->id);
}

// ---- FRR

// Each session has a peer group that it joins last: what a neighbor gets by itself starts it anew.
static void frr_group(struct vnrs_strbuf *out, const struct site_session *s, unsigned n)
{
    char local[VNRS_ADDR_STR_MAX], group[16];

    (void)snprintf(group, sizeof(group), "azure%u", n);
    vnrs_strbuf_printf(out, " neighbor %s peer-group\n neighbor %s remote-as %u\n", group, group, s->remote_asn);
    if (s->tunnel)
        vnrs_strbuf_printf(out, " neighbor %s ebgp-multihop 255\n", group);
    vnrs_strbuf_printf(out, " neighbor %s update-source %s\n", group, vnrs_addr_format(&s->local, local));
    if (s->password)
        vnrs_strbuf_printf(out, " neighbor %s password %s\n", group, s->password);
    vnrs_strbuf_printf(out,
                       " neighbor %s timers %u %u\n neighbor %s timers connect %u\n"
                       " neighbor %s advertisement-interval 0\n",
                       group, s->timers.keepalive, s->timers.hold, group, APPLIANCE_RETRY_S, group);
    if (s->bfd)
        vnrs_strbuf_printf(out, " neighbor %s bfd\n neighbor %s bfd profile %s\n", group, group, group);
}

static void frr_bfd(struct vnrs_strbuf *out, const struct site_router *router)
{
    bool any = false;
    unsigned n = 0;

    vec_foreach (s, &router->sessions) {
        n++;
        if (!s->bfd)
            continue;
        vnrs_strbuf_puts(out, any ? "" : "bfd\n");
        any = true;
        vnrs_strbuf_printf(out,
                           " profile azure%u\n  transmit-interval %u\n  receive-interval %u\n"
                           "  detect-multiplier %u\n exit\n",
                           n, s->bfd->tx_ms, s->bfd->rx_ms, s->bfd->multiplier);
    }
    vnrs_strbuf_puts(out, any ? "exit\n" : "");
}

static void frr_family(struct vnrs_strbuf *out, const struct site_router *router)
{
    char text[VNRS_PREFIX_STR_MAX];
    unsigned n = 0;

    vnrs_strbuf_printf(out, " address-family ipv4 unicast\n  maximum-paths %u\n", SITE_PATHS_MAX);
    list_foreach (a, &router->machine.run.announce) {
        if (a->prefix.family == VNRS_AF_IPV4)
            vnrs_strbuf_printf(out, "  network %s\n", vnrs_prefix_format(&a->prefix, text));
    }
    vec_foreach (s, &router->sessions) {
        n++;
        vnrs_strbuf_printf(out,
                           "  neighbor azure%u activate\n  neighbor azure%u route-map vnrs-out out\n"
                           "  neighbor azure%u soft-reconfiguration inbound\n",
                           n, n, n);
    }
    vnrs_strbuf_puts(out, " exit-address-family\n");
}

// What nobody in the site has ends here: a wider route that was learned would lead it back.
static void frr_own(struct vnrs_strbuf *out, const struct site_router *router)
{
    char text[VNRS_PREFIX_STR_MAX];

    list_foreach (prefix, &router->site->prefixes) {
        if (prefix->family == VNRS_AF_IPV4)
            vnrs_strbuf_printf(out, "ip route %s reject 250\n", vnrs_prefix_format(prefix, text));
    }
    // The addresses of tunnels and circuits are not known behind them.
    if (router->ip.family == VNRS_AF_IPV4)
        vnrs_strbuf_printf(out,
                           "route-map vnrs-source permit 1\n set src %s\nexit\nip protocol bgp route-map vnrs-source\n",
                           vnrs_addr_format(&router->ip, text));
}

void appliance_site_frr(struct vnrs_strbuf *out, const struct site_router *router)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = router_id(router);
    unsigned n = 0;

    vnrs_strbuf_printf(out, "! vnrs: lab %s, site %s; written anew by every apply\n", router->model->name,
                       router->site->name);
    appliance_frr_head(out, router->site->name);
    // The kernel drops next-hop objects with a link's carrier, and FRR does not make them again; hops in routes come
    // back with it.
    vnrs_strbuf_puts(out, "no zebra nexthop kernel enable\n");
    frr_own(out, router);
    appliance_frr_policy(out, &router->machine);
    frr_bfd(out, router);
    vnrs_strbuf_printf(out, "router bgp %u\n bgp router-id %s\n", router->site->asn, vnrs_addr_format(&id, text));
    vnrs_strbuf_puts(out, " no bgp ebgp-requires-policy\n no bgp network import-check\n"
                          " bgp bestpath as-path multipath-relax\n");
    vec_foreach (s, &router->sessions)
        frr_group(out, s, ++n);
    frr_family(out, router);
    n = 0;
    vec_foreach (s, &router->sessions) {
        vnrs_addr_format(&s->remote, text);
        vnrs_strbuf_printf(out, " neighbor %s peer-group azure%u\n neighbor %s description %s\n", text, ++n, text,
                           s->name);
    }
    vnrs_strbuf_puts(out, "exit\n");
}

// ---- BIRD

static void bird_kernel(struct vnrs_strbuf *out, const struct site_router *router)
{
    char text[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out,
                       "protocol kernel {\n    merge paths on limit %u;\n    ipv4 {\n        import none;\n"
                       "        export filter {\n",
                       SITE_PATHS_MAX);
    if (router->ip.family == VNRS_AF_IPV4)
        vnrs_strbuf_printf(out, "            krt_prefsrc = %s;\n", vnrs_addr_format(&router->ip, text));
    vnrs_strbuf_puts(out, "            if source = RTS_BGP || dest = RTD_UNREACHABLE then accept;\n"
                          "            reject;\n        };\n    };\n}\n");
}

// The gateway's addresses, through the tunnels: what next hops are looked up in.
static void bird_tunnels(struct vnrs_strbuf *out, const struct site_router *router)
{
    char text[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_puts(out, "protocol static tunnels {\n    check link yes;\n    ipv4;\n");
    vec_foreach (s, &router->sessions) {
        if (s->tunnel)
            vnrs_strbuf_printf(out, "    route %s/32 via \"%s\";\n", vnrs_addr_format(&s->remote, text), s->tunnel);
    }
    vnrs_strbuf_puts(out, "}\n");
}

static void bird_session(struct vnrs_strbuf *out, const struct site_router *router, const struct site_session *s,
                         unsigned n)
{
    char remote[VNRS_ADDR_STR_MAX], local[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, "protocol bgp azure%u {\n    description \"%s\";\n", n, s->name);
    vnrs_strbuf_printf(out, "    local %s as %u;\n    neighbor %s as %u;\n    %s;\n",
                       vnrs_addr_format(&s->local, local), router->site->asn, vnrs_addr_format(&s->remote, remote),
                       s->remote_asn, s->tunnel ? "multihop" : "direct");
    if (s->password)
        vnrs_strbuf_printf(out, "    password \"%s\";\n", s->password);
    vnrs_strbuf_printf(out, "    hold time %u;\n    keepalive time %u;\n", s->timers.hold, s->timers.keepalive);
    vnrs_strbuf_printf(out, "    connect retry time %u;\n    connect delay time 1;\n    error wait time 1, 10;\n",
                       APPLIANCE_RETRY_S);
    vnrs_strbuf_puts(out, "    graceful restart off;\n");
    if (s->bfd)
        vnrs_strbuf_printf(out,
                           "    bfd {\n        min tx interval %u ms;\n        min rx interval %u ms;\n"
                           "        idle tx interval 1 s;\n        multiplier %u;\n    };\n",
                           s->bfd->tx_ms, s->bfd->rx_ms, s->bfd->multiplier);
    vnrs_strbuf_puts(out, "    ipv4 {\n        import all;\n        export filter vnrs_out;\n    };\n}\n");
}

void appliance_site_bird(struct vnrs_strbuf *out, const struct site_router *router)
{
    char text[VNRS_ADDR_STR_MAX];
    struct vnrs_addr id = router_id(router);
    bool bfd = false;
    unsigned n = 0;

    vec_foreach (s, &router->sessions)
        bfd |= s->bfd != NULL;
    vnrs_strbuf_printf(out, "# vnrs: lab %s, site %s; written anew by every apply\n", router->model->name,
                       router->site->name);
    vnrs_strbuf_printf(out, "router id %s;\nprotocol device {\n}\n", vnrs_addr_format(&id, text));
    vnrs_strbuf_puts(out, "protocol direct {\n    ipv4;\n}\n"); // the links of circuits
    vnrs_strbuf_puts(out, bfd ? "protocol bfd {\n}\n" : "");
    bird_kernel(out, router);
    bird_tunnels(out, router);
    appliance_bird_announce(out, &router->machine);
    vec_foreach (s, &router->sessions)
        bird_session(out, router, s, n++);
}
