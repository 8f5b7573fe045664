// SPDX-License-Identifier: GPL-2.0-or-later
// Verbs about routes and BGP, with the columns that users of az and vtysh know.
#include "cli/cli.h"
#include "cli/peer_text.h"

#include <stdio.h>

static int get_with(const struct vnrs_cli *cli, const char *what, const char *name, const char *value,
                    const char *name2, const char *value2, struct vnrs_answer *ret_answer)
{
    _free_ char *path = vnrs_client_path(what, name, value, name2, value2);
    return path ? vnrs_cli_get(cli, path, ret_answer) : VNRS_EXIT_FAILED;
}

int vnrs_verb_effective_routes(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {{"Source", "source"},
                                                 {"State", "state"},
                                                 {"Address Prefix", "addressPrefix"},
                                                 {"Next Hop Type", "nextHopType"},
                                                 {"Next Hop IP", "nextHopIpAddress"},
                                                 {"Why", "why"}};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = get_with(cli, "/effective-routes", "nic", cli->argv[0], NULL, NULL, &answer);

    if (rc)
        return rc;
    if (vnrs_cli_print(cli, answer.json))
        return VNRS_EXIT_OK;
    vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns) - !cli->wide, json_object_get(answer.json, "value"));
    const json_t *pending = json_object_get(answer.json, "pending");
    if (pending && cli->format == VNRS_FORMAT_TABLE)
        (void)printf("\nroutes of %lld prefixes change in %lld s (routeChangeDelay)\n",
                     json_integer_value(json_object_get(pending, "prefixes")),
                     json_integer_value(json_object_get(pending, "seconds")));
    return VNRS_EXIT_OK;
}

int vnrs_verb_next_hop(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {{"Next Hop Type", "nextHopType"},
                                                 {"Next Hop IP", "nextHopIpAddresses"},
                                                 {"Route Table", "routeTableId"},
                                                 {"Address Prefix", "addressPrefix"},
                                                 {"Why", "why"}};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};

    if (!cli->from || !cli->to) {
        (void)fputs("usage: vnrs next-hop --from NIC --to IP\n", stderr);
        return VNRS_EXIT_USAGE;
    }
    int rc = get_with(cli, "/next-hop", "from", cli->from, "to", cli->to, &answer);
    if (rc)
        return rc;
    if (!vnrs_cli_print(cli, answer.json))
        vnrs_cli_row(cli, columns, ARRAY_SIZE(columns), answer.json);
    return VNRS_EXIT_OK;
}

int vnrs_verb_peerings(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {
        {"VirtualNetwork", "virtualNetwork"},
        {"RemoteVirtualNetwork", "remoteVirtualNetwork"},
        {"PeeringState", "peeringState"},
        {"PeeringSyncLevel", "peeringSyncLevel"},
        {"ForwardedTraffic", "allowForwardedTraffic"},
        {"GatewayTransit", "allowGatewayTransit"},
        {"RemoteGateways", "useRemoteGateways"},
        {"RemoteAddressSpace", "remoteAddressSpace.addressPrefixes"},
        {"RemoteVirtualNetworkAddressSpace", "remoteVirtualNetworkAddressSpace.addressPrefixes"}};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = vnrs_cli_get(cli, "/peerings", &answer);

    if (rc)
        return rc;
    vnrs_cli_value(cli, columns, ARRAY_SIZE(columns), answer.json);
    return VNRS_EXIT_OK;
}

static void print_way(const char *title, const json_t *way)
{
    static const struct vnrs_column columns[] = {{"At", "at"},
                                                 {"Address Prefix", "addressPrefix"},
                                                 {"Next Hop Type", "nextHopType"},
                                                 {"Next Hop", "nextHopIpAddresses"},
                                                 {"Why", "why"}};
    const char *to = json_string_value(json_object_get(way, "to"));
    const char *reason = json_string_value(json_object_get(way, "reason"));

    (void)printf("%s:\n", title);
    vnrs_table_print(stdout, columns, ARRAY_SIZE(columns), json_object_get(way, "hops"));
    (void)printf("%s%s%s%s%s\n", json_string_value(json_object_get(way, "result")), to && *to ? ": " : "", to ? to : "",
                 reason && *reason ? ": " : "", reason ? reason : "");
}

// The hops of both ways, each with the way that it is of.
static void print_hop_rows(const struct vnrs_cli *cli, const json_t *trace)
{
    static const struct vnrs_column columns[] = {{"Way", "way"},
                                                 {"At", "hop.at"},
                                                 {"Address Prefix", "hop.addressPrefix"},
                                                 {"Next Hop Type", "hop.nextHopType"},
                                                 {"Next Hop", "hop.nextHopIpAddresses"},
                                                 {"Why", "hop.why"}};
    static const char *const ways[] = {"forward", "back"};
    json_t *rows = json_array(), *hop;
    size_t h;

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        const json_t *way = json_object_get(trace, ways[i]);
        json_array_foreach(json_object_get(way, "hops"), h, hop)(void)
            json_array_append_new(rows, json_pack("{s:s s:O}", "way", ways[i], "hop", hop));
    }
    vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns), rows);
    json_decref(rows);
}

int vnrs_verb_trace(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};

    if (!cli->from || !cli->to) {
        (void)fputs("usage: vnrs trace --from NIC --to IP\n", stderr);
        return VNRS_EXIT_USAGE;
    }
    int rc = get_with(cli, "/trace", "from", cli->from, "to", cli->to, &answer);
    if (rc)
        return rc;
    const json_t *back = json_object_get(answer.json, "back");
    if (vnrs_cli_print(cli, answer.json))
        return VNRS_EXIT_OK;
    if (cli->format == VNRS_FORMAT_TSV) {
        print_hop_rows(cli, answer.json);
        return VNRS_EXIT_OK;
    }
    print_way("forward", json_object_get(answer.json, "forward"));
    if (json_is_object(back)) {
        (void)putchar('\n');
        print_way("back", back);
    }
    if (json_is_true(json_object_get(answer.json, "asymmetric")))
        (void)puts("\nasymmetric: the ways pass other machines");
    return VNRS_EXIT_OK;
}

int vnrs_verb_peers(const struct vnrs_cli *cli)
{
    const char *of = cli->argc ? cli->argv[0] : NULL;
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = of ? get_with(cli, "/peers", "of", of, NULL, NULL, &answer)
                : get_with(cli, "/peers", "all", cli->all ? "1" : "0", NULL, NULL, &answer);

    if (rc)
        return rc;
    const json_t *peers = json_object_get(answer.json, "value");
    if (vnrs_cli_print(cli, peers))
        return VNRS_EXIT_OK;
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_peer_text_summary_tsv(stdout, peers);
    else
        vnrs_peer_text_summary(stdout, peers);
    return VNRS_EXIT_OK;
}

static int print_role_routes(const struct vnrs_cli *cli, const char *what)
{
    static const struct vnrs_column columns[] = {{"LocalAddress", "localAddress"},
                                                 {"Network", "network"},
                                                 {"NextHop", "nextHop"},
                                                 {"SourcePeer", "sourcePeer"},
                                                 {"Origin", "origin"},
                                                 {"AsPath", "asPath"},
                                                 {"Weight", "weight"},
                                                 {"Note", "note"}}; // Azure has no such column
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = get_with(cli, what, "peer", cli->argv[0], NULL, NULL, &answer);
    const char *role;
    json_t *routes, *rows;

    if (rc)
        return rc;
    if (vnrs_cli_print(cli, answer.json))
        return VNRS_EXIT_OK;
    rows = json_array();
    json_object_foreach(answer.json, role, routes)(void) json_array_extend(rows, routes); // a gateway has one list
    vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns) - !cli->wide, rows);
    json_decref(rows);
    return VNRS_EXIT_OK;
}

int vnrs_verb_learned_routes(const struct vnrs_cli *cli)
{
    return print_role_routes(cli, "/learned-routes");
}

int vnrs_verb_advertised_routes(const struct vnrs_cli *cli)
{
    return print_role_routes(cli, "/advertised-routes");
}
