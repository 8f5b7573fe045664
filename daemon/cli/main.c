// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs: the command line. Verbs are a table; each is one function over the API or over a file.
#include "cli/cli.h"
#include "cli/completion.h"

#include "model/schema.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_SOCKET    "/run/vnrs/vnrs.sock"
#define DEFAULT_TIMEOUT_S 60

static int print_completion(const struct vnrs_cli *cli);
static int usage_error(const char *what, const char *value);

static const struct verb {
    const char *name, *alias;
    vnrs_verb_fn fn;
    int min_args, max_args; // max -1: any
    const char *args, *help;
} verbs[] = {
    {"validate", NULL, vnrs_verb_validate, 1, -1, "FILE...", "check topology files; no root, no daemon"},
    {"plan", NULL, vnrs_verb_plan, 1, 1, "FILE", "difference between what runs and what the file wants"},
    {"apply", "up", vnrs_verb_apply, 1, 1, "FILE [--wait] [--timeout 60s]", "make the host agree with the file"},
    {"destroy", "down", vnrs_verb_destroy, 0, 1, "[LAB]", "remove a lab, from recorded state"},
    {"status", NULL, vnrs_verb_status, 0, 1, "[LAB] [--wait] [--timeout 60s]", "health on one screen"},
    {"list", "ls", vnrs_verb_list, 0, 0, "", "labs"},
    {"inspect", NULL, vnrs_verb_inspect, 0, 1, "[LAB]", "machines, NICs, addresses, namespaces"},
    {"effective-routes", NULL, vnrs_verb_effective_routes, 1, 1, "NIC [--wide]", "Azure's table of a NIC"},
    {"next-hop", NULL, vnrs_verb_next_hop, 0, 0, "--from NIC --to IP", "where a packet goes first, and why"},
    {"trace", NULL, vnrs_verb_trace, 0, 0, "--from NIC --to IP", "its whole way there and back, hop by hop"},
    {"peerings", NULL, vnrs_verb_peerings, 0, 0, "", "virtual network peerings: state, sync level, ranges in force"},
    {"peers", NULL, vnrs_verb_peers, 0, 1, "[RS|GATEWAY|CIRCUIT] [--all]", "BGP peers of Route Servers and gateways"},
    {"peer", NULL, vnrs_verb_peer, 1, 1, "NAME", "everything about one BGP connection"},
    {"bgp", NULL, vnrs_verb_bgp, 1, 2,
     "rib [PREFIX] [--why] | clear PEER [--message TEXT] | refresh PEER | dump [--updates] [-w FILE] [RS]",
     "paths and why they lost; reset; ask again; MRT"},
    {"learned-routes", NULL, vnrs_verb_learned_routes, 1, 1, "PEER|GATEWAY [--wide]", "what a peer announced"},
    {"advertised-routes", NULL, vnrs_verb_advertised_routes, 1, 1, "PEER|GATEWAY [--wide]", "what a peer was told"},
    {"exec", NULL, vnrs_verb_exec, 2, -1, "MACHINE -- CMD...", "run a command inside a machine"},
    {"shell", NULL, vnrs_verb_shell, 1, 1, "MACHINE", "a shell inside a machine"},
    {"ping", NULL, vnrs_verb_ping, 0, -1, "--all [MACHINE...]", "who answers whom, and why not"},
    {"test", NULL, vnrs_verb_test, 0, 1, "[LAB|FILE] [--format junit] [--timeout 60s]",
     "the file's assertions, with wait and retry"},
    {"events", NULL, vnrs_verb_events, 0, 0, "[-f]", "what happened: sessions, objects, daemons, files"},
    {"flows", NULL, vnrs_verb_flows, 0, 0,
     "[-f] [--nic NIC] [--reason REASON] [--from A] [--to A] [--protocol P] [--port N] [--dropped|--forwarded] "
     "[--sample N]",
     "packets dropped, or one in N forwarded"},
    {"capture", NULL, vnrs_verb_capture, 1, 1,
     "NIC [-w FILE] [-c COUNT] [-s BYTES] [--reason REASON] [--from A] [--to A] [--protocol P] [--port N] "
     "[--dropped|--forwarded]",
     "packets of a NIC as pcapng, with what became of them"},
    {"link", NULL, vnrs_verb_link, 1, 10, "NIC [down | up | reset | set [loss P] [rate R] [delay T] [jitter T]]",
     "faults and impairments of a NIC's link"},
    {"counters", NULL, vnrs_verb_counters, 0, 1, "[NIC]", "packets per NIC, billing class, next hop type, drop reason"},
    {"doctor", NULL, vnrs_verb_doctor, 0, 0, "", "what this host can do, and how to fix what it cannot"},
    {"graph", NULL, vnrs_verb_graph, 0, 1, "[FILE] [--format mermaid|dot|svg]", "a lab, or a file, as a drawing"},
    {"bundle", NULL, vnrs_verb_bundle, 0, 1, "[FILE]",
     "all that helps to find a fault, in one archive, without secrets"},
    {"import", NULL, vnrs_verb_import, 1, 2, "TEMPLATE.json [PARAMETERS.json]", "an ARM template as a topology file"},
    {"schema", NULL, vnrs_verb_schema, 0, 0, "", "JSON Schema of the topology file"},
    {"completion", NULL, print_completion, 1, 1, "bash|zsh|fish", "completion script for a shell"},
    {"version", NULL, vnrs_verb_version, 0, 0, "", "version"},
    {"connect-probe", NULL, vnrs_verb_connect_probe, 2, 2, NULL, NULL},
};

// Verbs that do not have all formats of -o, and those that they have.
static const struct {
    const char *verb, *formats; // "": one of its own
} limited[] = {
    {"peer", "json or yaml"},
    {"schema", "json or yaml"},
    {"bundle", "json or yaml"},
    {"graph", "json or yaml"},
    {"import", "json or yaml"},
    {"exec", ""},
    {"shell", ""},
    {"capture", ""},
    {"completion", ""},
};

static void print_usage(FILE *out)
{
    (void)fputs("usage: vnrs [OPTIONS] VERB [ARGUMENTS]\n\nverbs:\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (verbs[i].help)
            (void)fprintf(out, "  %-17s %-41s %s\n", verbs[i].name, verbs[i].args, verbs[i].help);
    (void)fputs("\noptions:\n"
                "  -o FORMAT         output: table (default), json, yaml or tsv\n"
                "  --lab NAME        the lab meant, where several run\n"
                "  --socket PATH     API socket (default " DEFAULT_SOCKET ", or VNRS_SOCKET)\n"
                "  --timeout TIME    how long to wait: 30, 30s or 2m (default 60s)\n"
                "  --no-color        no colour (also NO_COLOR)\n"
                "  -q                no progress\n"
                "  -v                tell each request to the daemon\n"
                "\nexit status: 0 ok, 1 failed, 2 usage, 3 invalid file, 4 timed out or not ready, 5 not permitted,\n"
                "6 daemon not reachable\n",
                out);
}

// Each name and alias in turn, for vnrs_schema_suggest().
static const char *next_verb(void *arg)
{
    size_t *at = arg;

    while (*at < 2 * ARRAY_SIZE(verbs)) {
        const struct verb *verb = &verbs[*at / 2];
        const char *name = (*at)++ % 2 ? verb->alias : verb->name;
        if (name && verb->help)
            return name;
    }
    return NULL;
}

static int unknown_verb(const char *name)
{
    size_t at = 0;
    const char *meant = vnrs_schema_suggest(name, next_verb, &at);

    if (!meant)
        return usage_error("unknown verb", name);
    (void)fprintf(stderr, "vnrs: error: unknown verb '%s'\nhelp: did you mean '%s'?\n", name, meant);
    return VNRS_EXIT_USAGE;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0 || (verbs[i].alias && strcmp(verbs[i].alias, name) == 0))
            return &verbs[i];
    return NULL;
}

static bool parse_time(const char *text, unsigned *ret_seconds)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || text[0] == '-' || value > 86400)
        return false;
    if (strcmp(end, "m") == 0)
        value *= 60;
    else if (*end && strcmp(end, "s") != 0)
        return false;
    *ret_seconds = (unsigned)value;
    return true;
}

enum {
    OPT_LAB = 256,
    OPT_SOCKET,
    OPT_TIMEOUT,
    OPT_WAIT,
    OPT_WIDE,
    OPT_WHY,
    OPT_FROM,
    OPT_TO,
    OPT_MESSAGE,
    OPT_UPDATES,
    OPT_NIC,
    OPT_REASON,
    OPT_PROTOCOL,
    OPT_PORT,
    OPT_SAMPLE,
    OPT_DROPPED,
    OPT_FORWARDED,
    OPT_ALL,
    OPT_FORMAT,
    OPT_NO_COLOR,
    OPT_VERSION
};

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'},
    {"lab", required_argument, NULL, OPT_LAB},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"wide", no_argument, NULL, OPT_WIDE},
    {"all", no_argument, NULL, OPT_ALL},
    {"why", no_argument, NULL, OPT_WHY},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"message", required_argument, NULL, OPT_MESSAGE},
    {"updates", no_argument, NULL, OPT_UPDATES},
    {"follow", no_argument, NULL, 'f'},
    {"nic", required_argument, NULL, OPT_NIC},
    {"reason", required_argument, NULL, OPT_REASON},
    {"protocol", required_argument, NULL, OPT_PROTOCOL},
    {"port", required_argument, NULL, OPT_PORT},
    {"sample", required_argument, NULL, OPT_SAMPLE},
    {"dropped", no_argument, NULL, OPT_DROPPED},
    {"forwarded", no_argument, NULL, OPT_FORWARDED},
    {"write", required_argument, NULL, 'w'},
    {"count", required_argument, NULL, 'c'},
    {"snapshot-length", required_argument, NULL, 's'},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static int print_completion(const struct vnrs_cli *cli)
{
    struct vnrs_completion_verb names[2 * ARRAY_SIZE(verbs) + 1] = {0};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (!verbs[i].help)
            continue;
        names[n++] = (struct vnrs_completion_verb){verbs[i].name, verbs[i].help};
        if (verbs[i].alias)
            names[n++] = (struct vnrs_completion_verb){verbs[i].alias, verbs[i].help};
    }
    if (vnrs_completion_print(stdout, cli->argv[0], names, options))
        return VNRS_EXIT_OK;
    return usage_error("completion is for bash, zsh or fish, not", cli->argv[0]);
}

static int usage_error(const char *what, const char *value)
{
    (void)fprintf(stderr, "vnrs: error: %s '%s'\nhelp: 'vnrs --help' lists verbs and options\n", what, value);
    return VNRS_EXIT_USAGE;
}

// Returns -1 to go on, else an exit status.
static int take_option(struct vnrs_cli *cli, int opt, char **argv)
{
    switch (opt) {
    case 'o':
        return vnrs_format_parse(optarg, &cli->format) ? -1
                                                       : usage_error("output is table, json, yaml or tsv, not", optarg);
    case OPT_LAB:
        cli->lab = optarg;
        return -1;
    case OPT_SOCKET:
        cli->socket = optarg;
        return -1;
    case OPT_TIMEOUT:
        return parse_time(optarg, &cli->timeout_s) ? -1 : usage_error("not a time:", optarg);
    case OPT_WAIT:
        cli->wait = true;
        return -1;
    case OPT_WIDE:
        cli->wide = true;
        return -1;
    case OPT_ALL:
        cli->all = true;
        return -1;
    case OPT_WHY:
        cli->why = true;
        return -1;
    case OPT_FROM:
        cli->from = optarg;
        return -1;
    case OPT_TO:
        cli->to = optarg;
        return -1;
    case OPT_MESSAGE:
        cli->message = optarg;
        return -1;
    case OPT_UPDATES:
        cli->updates = true;
        return -1;
    case 'f':
        cli->follow = true;
        return -1;
    case OPT_NIC:
        cli->nic = optarg;
        return -1;
    case OPT_REASON:
        cli->reason = optarg;
        return -1;
    case OPT_PROTOCOL:
        cli->protocol = optarg;
        return -1;
    case OPT_PORT:
        cli->port = optarg;
        return -1;
    case OPT_SAMPLE:
        cli->sample = optarg;
        return -1;
    case OPT_DROPPED:
        cli->dropped = true;
        return -1;
    case OPT_FORWARDED:
        cli->forwarded = true;
        return -1;
    case 'w':
        cli->file = optarg;
        return -1;
    case 'c':
        cli->count = optarg;
        return -1;
    case 's':
        cli->snap = optarg;
        return -1;
    case OPT_FORMAT:
        cli->as = optarg;
        return -1;
    case OPT_NO_COLOR:
        cli->color = false;
        return -1;
    case 'q':
        cli->quiet = true;
        return -1;
    case 'v':
        vnrs_client_be_verbose();
        return -1;
    case 'h':
        print_usage(stdout);
        return VNRS_EXIT_OK;
    case OPT_VERSION:
        return vnrs_verb_version(cli);
    default:
        return usage_error(opt == ':' ? "a value is missing after" : "unknown option", argv[optind - 1]);
    }
}

static int check_format(const struct verb *verb, enum vnrs_format format)
{
    for (size_t i = 0; format != VNRS_FORMAT_TABLE && i < ARRAY_SIZE(limited); i++)
        if (strcmp(limited[i].verb, verb->name) == 0 && (format == VNRS_FORMAT_TSV || !*limited[i].formats))
            return vnrs_cli_no_format(verb->name, limited[i].formats);
    return VNRS_EXIT_OK;
}

// Output that got lost on its way is no success.
static int finish_output(int rc)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return rc;
    (void)fputs("vnrs: error: cannot write standard output\nhelp: is the disk full?\n", stderr);
    return rc ? rc : VNRS_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const char *env_socket = getenv("VNRS_SOCKET");
    struct vnrs_cli cli = {.socket = env_socket ? env_socket : DEFAULT_SOCKET,
                           .timeout_s = DEFAULT_TIMEOUT_S,
                           .color = isatty(STDERR_FILENO) && !getenv("NO_COLOR")};
    int opt;

    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":o:w:c:s:fqvh", options, NULL)) != -1) {
        int rc = take_option(&cli, opt, argv);
        if (rc >= 0)
            return rc;
    }
    if (optind == argc) {
        print_usage(stderr);
        return VNRS_EXIT_USAGE;
    }
    const struct verb *verb = find_verb(argv[optind]);
    if (!verb)
        return unknown_verb(argv[optind]);
    cli.argc = argc - optind - 1;
    cli.argv = argv + optind + 1;
    if (cli.argc < verb->min_args || (verb->max_args >= 0 && cli.argc > verb->max_args)) {
        (void)fprintf(stderr, "usage: vnrs %s %s\n", verb->name, verb->args ? verb->args : "");
        return VNRS_EXIT_USAGE;
    }
    int rc = check_format(verb, cli.format);
    if (rc)
        return rc;
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    rc = verb->fn(&cli);
    curl_global_cleanup();
    return finish_output(rc);
}
