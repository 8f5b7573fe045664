// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs link: what is wrong with the link of a NIC, on purpose.
#include "cli/cli.h"

#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

void vnrs_cli_print_link(const json_t *link)
{
    const char *text = json_string_value(json_object_get(link, "text"));
    bool live = json_is_true(json_object_get(link, "live"));

    (void)printf("link %s: %s%s\n", json_string_value(json_object_get(link, "nic")), text && *text ? text : "up",
                 live ? " (set live)" : "");
}

static int usage(const char *message, const char *what)
{
    (void)fprintf(stderr,
                  "vnrs: error: %s '%s'\nhelp: vnrs link NIC [down | up | reset | set [loss P] [rate R] "
                  "[delay T] [jitter T]]\n",
                  message, what);
    return VNRS_EXIT_USAGE;
}

// "set" and pairs behind it: "loss 1% rate 10mbit".
static int take_pairs(const struct vnrs_cli *cli, json_t *body)
{
    static const char *const names[] = {"loss", "rate", "delay", "jitter"};

    if (cli->argc < 4)
        return usage("a value is missing after", cli->argv[cli->argc - 1]);
    for (int i = 2; i < cli->argc; i += 2) {
        bool known = false;
        for (size_t n = 0; n < ARRAY_SIZE(names); n++)
            known |= strcmp(cli->argv[i], names[n]) == 0;
        if (!known)
            return usage("a link has no", cli->argv[i]);
        if (i + 1 == cli->argc)
            return usage("a value is missing after", cli->argv[i]);
        if (json_object_get(body, cli->argv[i]))
            return usage("given twice:", cli->argv[i]);
        (void)json_object_set_new(body, cli->argv[i], json_string(cli->argv[i + 1]));
    }
    return VNRS_EXIT_OK;
}

static int make_body(const struct vnrs_cli *cli, json_t *body)
{
    static const char *const actions[] = {"down", "up", "reset", "set"};
    const char *action = cli->argv[1];
    bool known = false;

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
        known |= strcmp(action, actions[i]) == 0;
    if (!known)
        return usage("not down, up, set or reset:", action);
    (void)json_object_set_new(body, "nic", json_string(cli->argv[0]));
    (void)json_object_set_new(body, "action", json_string(action));
    if (strcmp(action, "set") == 0)
        return take_pairs(cli, body);
    return cli->argc > 2 ? usage("nothing comes after", action) : VNRS_EXIT_OK;
}

static void print_row(const struct vnrs_cli *cli, const json_t *link)
{
    static const struct vnrs_column columns[] = {{"NIC", "nic"},   {"Down", "down"},   {"Loss", "loss"},
                                                 {"Rate", "rate"}, {"Delay", "delay"}, {"Jitter", "jitter"},
                                                 {"Live", "live"}};

    vnrs_cli_row(cli, columns, ARRAY_SIZE(columns), link);
}

static int show(const struct vnrs_cli *cli, struct vnrs_answer *answer)
{
    int rc = vnrs_answer_complain(answer, cli->socket);

    if (rc || vnrs_cli_print(cli, answer->json))
        return rc;
    if (cli->format == VNRS_FORMAT_TSV)
        print_row(cli, answer->json);
    else if (!cli->quiet || cli->argc == 1)
        vnrs_cli_print_link(answer->json);
    return VNRS_EXIT_OK;
}

int vnrs_verb_link(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    struct vnrs_strbuf path = {0};
    _free_ char *lab = NULL;
    json_t *body = cli->argc > 1 ? json_object() : NULL;
    int rc = body ? make_body(cli, body) : VNRS_EXIT_OK;

    if (rc == VNRS_EXIT_OK)
        rc = vnrs_cli_lab(cli, &lab);
    if (rc == VNRS_EXIT_OK) {
        vnrs_strbuf_printf(&path, "/v1/labs/%s/link", lab);
        if (!body)
            vnrs_client_param(&path, "nic", cli->argv[0]);
        answer = vnrs_client_request(cli->socket, body ? "POST" : "GET", path.text ? path.text : "/", body);
        rc = show(cli, &answer);
    }
    vnrs_strbuf_fini(&path);
    json_decref(body);
    return rc;
}
