// SPDX-License-Identifier: GPL-2.0-or-later
// Verbs that look into a BGP speaker: one peer in full, the RIB with the step that eliminated each path, reset,
// refresh.
#include "cli/cli.h"
#include "cli/peer_text.h"

#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

int vnrs_verb_peer(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *path = vnrs_client_path("/peer", "peer", cli->argv[0], NULL, NULL);
    int rc = path ? vnrs_cli_get(cli, path, &answer) : VNRS_EXIT_FAILED;
    const json_t *peers = json_object_get(answer.json, "value");

    if (rc)
        return rc;
    if (vnrs_cli_print(cli, peers))
        return VNRS_EXIT_OK;
    for (size_t i = 0; i < json_array_size(peers); i++) {
        (void)fputs(i ? "\n" : "", stdout);
        vnrs_peer_text_full(stdout, json_array_get(peers, i));
    }
    return VNRS_EXIT_OK;
}

static int print_rib(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {
        {"Speaker", "speaker"}, {"Network", "network"}, {"Next Hop", "nextHop"}, {"Peer", "peer"},
        {"AS Path", "asPath"},  {"Used", "best"},       {"Lost At", "lostAt"},   {"Note", "note"}};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *path = cli->argc == 2 ? vnrs_client_path("/rib", "prefix", cli->argv[1], NULL, NULL) : strdup("/rib");
    int rc = path ? vnrs_cli_get(cli, path, &answer) : VNRS_EXIT_FAILED;

    if (rc)
        return rc;
    vnrs_cli_value(cli, columns, ARRAY_SIZE(columns) - (cli->why ? 0 : 2), answer.json);
    return VNRS_EXIT_OK;
}

// clear, refresh: a POST that names the peer.
static int act_on_peer(const struct vnrs_cli *cli, const char *action)
{
    static const struct vnrs_column columns[] = {{"Instances", "instances"}};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *lab = NULL;
    struct vnrs_strbuf path = {0};
    int rc = vnrs_cli_lab(cli, &lab);

    if (rc)
        return rc;
    vnrs_strbuf_printf(&path, "/v1/labs/%s/peers/%s", lab, action);
    _free_ char *full = path.failed ? NULL : vnrs_client_path(path.text, "peer", cli->argv[1], "text", cli->message);
    vnrs_strbuf_fini(&path);
    if (!full)
        return VNRS_EXIT_FAILED;
    answer = vnrs_client_request(cli->socket, "POST", full, NULL);
    if (answer.exit)
        return vnrs_answer_complain(&answer, cli->socket);
    if (vnrs_cli_print(cli, answer.json))
        return VNRS_EXIT_OK;
    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_cli_row(cli, columns, ARRAY_SIZE(columns), answer.json);
    else
        (void)printf("%s: %s on %" JSON_INTEGER_FORMAT " instances\n", cli->argv[1], action,
                     json_integer_value(json_object_get(answer.json, "instances")));
    return VNRS_EXIT_OK;
}

int vnrs_verb_bgp(const struct vnrs_cli *cli)
{
    const char *what = cli->argv[0];

    if (strcmp(what, "rib") == 0)
        return print_rib(cli);
    if (cli->argc == 2 && (strcmp(what, "clear") == 0 || (strcmp(what, "refresh") == 0 && !cli->message)))
        return act_on_peer(cli, what);
    if (strcmp(what, "dump") == 0)
        return vnrs_cli_bgp_dump(cli);
    (void)fputs("usage: vnrs bgp rib [PREFIX] [--why] | clear PEER [--message TEXT] | refresh PEER |\n"
                "       dump [--updates] [-w FILE] [ROUTE-SERVER[/INSTANCE]]\n",
                stderr);
    return VNRS_EXIT_USAGE;
}
