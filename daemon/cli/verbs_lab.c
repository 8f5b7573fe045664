// SPDX-License-Identifier: GPL-2.0-or-later
// Verbs over a running lab as a whole.
#include "cli/cli.h"
#include "cli/counter_text.h"

#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

// Verbs take the lab as their argument as well as by --lab.
static struct vnrs_cli with_lab_argument(const struct vnrs_cli *cli)
{
    struct vnrs_cli named = *cli;
    if (cli->argc == 1)
        named.lab = cli->argv[0];
    return named;
}

int vnrs_verb_destroy(const struct vnrs_cli *given)
{
    static const struct vnrs_column columns[] = {{"Lab", "lab"}, {"Removed", "removed"}};
    struct vnrs_cli cli = with_lab_argument(given);
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *lab = NULL;

    if (!cli.lab) {
        answer = vnrs_client_request(cli.socket, "GET", "/v1/labs", NULL);
        if (answer.exit)
            return vnrs_answer_complain(&answer, cli.socket);
        if (json_array_size(json_object_get(answer.json, "value")) == 0) {
            (void)puts("nothing to remove");
            return VNRS_EXIT_OK;
        }
        vnrs_answer_fini(&answer);
    }
    int rc = vnrs_cli_lab(&cli, &lab);
    if (rc)
        return rc;
    answer = vnrs_client_lab_request(cli.socket, "DELETE", lab, "");
    if (answer.status == 404) {
        (void)printf("lab '%s': nothing to remove\n", lab);
        return VNRS_EXIT_OK;
    }
    if (answer.exit)
        return vnrs_answer_complain(&answer, cli.socket);
    if (vnrs_cli_print(&cli, answer.json))
        return VNRS_EXIT_OK;
    if (cli.format == VNRS_FORMAT_TSV)
        vnrs_cli_row(&cli, columns, ARRAY_SIZE(columns), answer.json);
    else
        (void)printf("lab '%s' removed, %" JSON_INTEGER_FORMAT " objects\n", lab,
                     json_integer_value(json_object_get(answer.json, "removed")));
    return VNRS_EXIT_OK;
}

static void print_status(const struct vnrs_cli *cli, const json_t *status, bool is_ready)
{
    static const struct vnrs_column columns[] = {{"Condition", "name"}, {"Ok", "ok"}, {"Detail", "text"}};
    const json_t *links = json_object_get(status, "links"), *errors = json_object_get(status, "errors");

    if (cli->format == VNRS_FORMAT_TABLE)
        (void)printf("lab %s: %s, generation %" JSON_INTEGER_FORMAT "\n\n", cli->lab, is_ready ? "ready" : "not ready",
                     json_integer_value(json_object_get(status, "generation")));
    vnrs_cli_rows(cli, columns, ARRAY_SIZE(columns), json_object_get(status, "conditions"));
    if (cli->format == VNRS_FORMAT_TSV)
        return;
    for (size_t i = 0; i < json_array_size(links); i++)
        vnrs_cli_print_link(json_array_get(links, i));
    for (size_t i = 0; i < json_array_size(errors); i++)
        (void)printf("error: %s\n", json_string_value(json_array_get(errors, i)));
}

int vnrs_verb_status(const struct vnrs_cli *given)
{
    struct vnrs_cli cli = with_lab_argument(given);
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    _free_ char *lab = NULL;
    int rc = vnrs_cli_lab(&cli, &lab);

    if (rc)
        return rc;
    cli.lab = lab;
    if (cli.wait) {
        rc = vnrs_cli_get(&cli, "/status", &answer);
        if (rc)
            return rc;
        json_int_t wanted = json_integer_value(json_object_get(answer.json, "generation"));
        vnrs_answer_fini(&answer);
        rc = vnrs_cli_wait(&cli, lab, vnrs_status_is_ready, wanted);
        if (rc && rc != VNRS_EXIT_NOT_READY)
            return rc;
    }
    rc = vnrs_cli_get(&cli, "/status", &answer);
    if (rc)
        return rc;
    json_int_t generation = json_integer_value(json_object_get(answer.json, "generation"));
    bool is_ready = vnrs_status_is_ready(answer.json, generation);
    if (!vnrs_cli_print(&cli, answer.json))
        print_status(&cli, answer.json, is_ready);
    return is_ready ? VNRS_EXIT_OK : VNRS_EXIT_NOT_READY;
}

static int print_value_table(const struct vnrs_cli *cli, const char *path, const struct vnrs_column *columns, size_t n)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_request(cli->socket, "GET", path, NULL);

    if (answer.exit)
        return vnrs_answer_complain(&answer, cli->socket);
    vnrs_cli_value(cli, columns, n, answer.json);
    return VNRS_EXIT_OK;
}

int vnrs_verb_list(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {
        {"Lab", "name"},          {"Ready", "ready"}, {"Data Plane", "dataplane"},
        {"Machines", "machines"}, {"NICs", "nics"},   {"File", "file"}};
    return print_value_table(cli, "/v1/labs", columns, ARRAY_SIZE(columns));
}

int vnrs_verb_doctor(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {{"Check", "name"}, {"Status", "status"}, {"Detail", "text"}};
    return print_value_table(cli, "/v1/doctor", columns, ARRAY_SIZE(columns));
}

// Each of the `parts` of every whole, as {whole: …, part: …}.
static json_t *part_rows(const json_t *wholes, const char *whole_name, const char *parts_key, const char *part_name)
{
    json_t *rows = json_array();

    for (size_t w = 0; w < json_array_size(wholes); w++) {
        const json_t *whole = json_array_get(wholes, w), *parts = json_object_get(whole, parts_key);
        for (size_t p = 0; p < json_array_size(parts); p++)
            (void)json_array_append_new(rows,
                                        json_pack("{s:O s:O}", whole_name, whole, part_name, json_array_get(parts, p)));
    }
    return rows;
}

static json_t *nic_rows(const json_t *lab)
{
    return part_rows(json_object_get(lab, "machines"), "machine", "nics", "nic");
}

static json_t *backend_rows(const json_t *lab)
{
    return part_rows(json_object_get(lab, "loadBalancers"), "balancer", "backends", "backend");
}

// One row per instance: the gateway's fields beside it.
static json_t *gateway_rows(const json_t *lab)
{
    return part_rows(json_object_get(lab, "virtualNetworkGateways"), "gateway", "instances", "instance");
}

static void print_part(const struct vnrs_column *columns, size_t n, json_t *rows)
{
    if (json_array_size(rows)) {
        (void)putchar('\n');
        vnrs_table_print(stdout, columns, n, rows);
    }
    json_decref(rows);
}

static void print_outside(const json_t *lab)
{
    static const struct vnrs_column gateways[] = {
        {"Gateway", "gateway.name"},        {"Virtual Network", "gateway.virtualNetwork"},
        {"Type", "gateway.gatewayType"},    {"ASN", "gateway.asn"},
        {"Instance", "instance.name"},      {"IP", "instance.ip"},
        {"Public IP", "instance.publicIp"}, {"Namespace", "instance.netns"}};
    static const struct vnrs_column sites[] = {{"Site", "name"},
                                               {"Address Prefixes", "addressPrefixes"},
                                               {"ASN", "asn"},
                                               {"BGP IP", "bgpPeeringAddress"},
                                               {"Public IP", "publicIp"},
                                               {"Namespace", "netns"}};
    static const struct vnrs_column connections[] = {{"Connection", "name"},
                                                     {"Type", "connectionType"},
                                                     {"Gateway", "gateway"},
                                                     {"Site", "site"},
                                                     {"Status", "connectionStatus"}};

    print_part(gateways, ARRAY_SIZE(gateways), gateway_rows(lab));
    print_part(sites, ARRAY_SIZE(sites), json_incref(json_object_get(lab, "sites")));
    print_part(connections, ARRAY_SIZE(connections), json_incref(json_object_get(lab, "connections")));
}

int vnrs_verb_inspect(const struct vnrs_cli *given)
{
    static const struct vnrs_column nic_columns[] = {
        {"NIC", "nic.name"},        {"Subnet", "nic.subnet"},      {"Private IP", "nic.privateIpAddresses"},
        {"MAC", "nic.mac"},         {"Link", "nic.link"},          {"Run", "machine.run"},
        {"State", "machine.state"}, {"Namespace", "machine.netns"}};
    static const struct vnrs_column rs_columns[] = {{"Route Server", "name"},
                                                    {"Virtual Network", "virtualNetwork"},
                                                    {"ASN", "virtualRouterAsn"},
                                                    {"IPs", "virtualRouterIps"},
                                                    {"Namespaces", "netns"}};
    static const struct vnrs_column backend_columns[] = {{"Load Balancer", "balancer.name"},
                                                         {"Frontend", "balancer.privateIPAddress"},
                                                         {"Backend", "backend.nic"},
                                                         {"State", "backend.state"},
                                                         {"Reason", "backend.reason"}};
    static const struct vnrs_column host_columns[] = {
        {"Host", "name"}, {"Kind", "kind"}, {"IP", "ip"}, {"Namespace", "netns"}};
    struct vnrs_cli cli = with_lab_argument(given);
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = vnrs_cli_get(&cli, "", &answer);

    if (rc)
        return rc;
    if (vnrs_cli_print(&cli, answer.json))
        return VNRS_EXIT_OK;
    json_t *rows = nic_rows(answer.json);
    vnrs_cli_rows(&cli, nic_columns, ARRAY_SIZE(nic_columns), rows);
    json_decref(rows);
    if (cli.format == VNRS_FORMAT_TSV)
        return VNRS_EXIT_OK;
    if (json_array_size(json_object_get(answer.json, "routeServers"))) {
        (void)putchar('\n');
        vnrs_table_print(stdout, rs_columns, ARRAY_SIZE(rs_columns), json_object_get(answer.json, "routeServers"));
    }
    print_part(backend_columns, ARRAY_SIZE(backend_columns), backend_rows(answer.json));
    print_outside(answer.json);
    if (json_array_size(json_object_get(answer.json, "hosts"))) {
        (void)putchar('\n');
        vnrs_table_print(stdout, host_columns, ARRAY_SIZE(host_columns), json_object_get(answer.json, "hosts"));
    }
    return VNRS_EXIT_OK;
}

int vnrs_verb_counters(const struct vnrs_cli *cli)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = {0};
    int rc = vnrs_cli_get(cli, "/counters", &answer);

    if (rc)
        return rc;
    const json_t *nic = cli->argc ? vnrs_counter_text_find(answer.json, cli->argv[0]) : NULL;
    if (cli->argc && !nic) {
        (void)fprintf(stderr, "vnrs: error: there is no NIC '%s'\n", cli->argv[0]);
        return VNRS_EXIT_FAILED;
    }
    if (vnrs_cli_print(cli, nic ? nic : answer.json))
        return VNRS_EXIT_OK;
    bool is_tsv = cli->format == VNRS_FORMAT_TSV;
    if (nic)
        (is_tsv ? vnrs_counter_tsv_nic : vnrs_counter_text_nic)(stdout, nic);
    else
        (is_tsv ? vnrs_counter_tsv : vnrs_counter_text)(stdout, answer.json);
    if (!cli->quiet && !json_array_size(json_object_get(answer.json, "nextHopTypes")))
        (void)fputs("vnrs: this data plane counts no next hop types; `dataplane: ebpf` does\n", stderr);
    return VNRS_EXIT_OK;
}

int vnrs_verb_version(const struct vnrs_cli *cli)
{
    static const struct vnrs_column columns[] = {{"Version", "version"}};
    json_t *version = json_pack("{s:s}", "version", VNRS_VERSION);

    if (cli->format == VNRS_FORMAT_TSV)
        vnrs_cli_row(cli, columns, ARRAY_SIZE(columns), version);
    else if (!vnrs_cli_print(cli, version))
        (void)printf("vnrs %s\n", VNRS_VERSION);
    json_decref(version);
    return VNRS_EXIT_OK;
}
