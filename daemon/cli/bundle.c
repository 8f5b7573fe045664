// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs bundle: all that helps somebody else to find out what is wrong, in one archive: what the API tells of the daemon
// and of each lab, and which kernel this is. Secrets are not in it, as the API tells nobody of them. What could not be
// had is said, and is no error; but a daemon that does not answer is, after the archive is written.
#include "cli/archive.h"
#include "cli/cli.h"

#include "util/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#define NICS_MAX 256 // whose effective routes are taken of a lab

struct bundle {
    const struct vnrs_cli *cli;
    struct vnrs_archive *archive;
    json_t *missing; // [{what, why}]
    int rc;          // a daemon that does not answer
};

static void add_json(struct bundle *bundle, const char *name, const json_t *json)
{
    _free_ char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(10) | JSON_ENCODE_ANY);

    if (text)
        vnrs_archive_add(bundle->archive, name, text, strlen(text));
}

static void miss(struct bundle *bundle, const char *what, const char *why)
{
    (void)json_array_append_new(bundle->missing, json_pack("{s:s, s:s}", "what", what, "why", why));
}

static void miss_answer(struct bundle *bundle, const char *what, const struct vnrs_answer *answer)
{
    const char *why = json_string_value(json_object_get(json_object_get(answer->json, "error"), "message"));

    if (!why)
        why = answer->status                            ? "the daemon answered without saying why"
              : answer->exit == VNRS_EXIT_NOT_PERMITTED ? "this user may not use the daemon's socket"
                                                        : "no vnrsd answers";
    miss(bundle, what, why);
    if (!answer->status)
        bundle->rc = answer->exit;
}

// The answer to a GET, in the archive as `name`; empty where there is none, which is noted.
static struct vnrs_answer take(struct bundle *bundle, const char *path, const char *name)
{
    struct vnrs_answer answer = vnrs_client_request(bundle->cli->socket, "GET", path, NULL);

    if (answer.exit || !answer.json) {
        miss_answer(bundle, name, &answer);
        vnrs_answer_fini(&answer);
    } else {
        add_json(bundle, name, answer.json);
    }
    return answer;
}

static void take_only(struct bundle *bundle, const char *path, const char *name)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = take(bundle, path, name);
}

static bool on_metrics(void *arg, const void *bytes, size_t len)
{
    struct vnrs_strbuf *text = arg;

    vnrs_strbuf_add(text, bytes, len);
    return !text->failed;
}

static void take_metrics(struct bundle *bundle)
{
    struct vnrs_strbuf text = {0};
    const struct vnrs_stream_reader reader = {.piece = on_metrics, .arg = &text};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer =
        vnrs_client_stream(bundle->cli->socket, "/metrics", &reader);

    if (answer.exit || text.failed)
        miss_answer(bundle, "metrics.txt", &answer);
    else
        vnrs_archive_add(bundle->archive, "metrics.txt", text.text, text.len);
    vnrs_strbuf_fini(&text);
}

// ---- one lab

struct lab {
    struct bundle *bundle;
    char *path;       // of the API, "/v1/labs/l"
    const char *name; // of its folder
};

static void name_file(char *text)
{
    for (; *text; text++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *text))
            *text = '_';
}

// What there is of each of several things: GET of `what`?`param`=`value`, as "what/value.json".
static void take_of(const struct lab *lab, const char *what, const char *param, const char *value)
{
    struct vnrs_strbuf base = {0}, name = {0};
    _free_ char *file = strdup(value);

    vnrs_strbuf_printf(&base, "%s/%s", lab->path, what);
    _free_ char *path = base.failed ? NULL : vnrs_client_path(base.text, param, value, NULL, NULL);
    if (file)
        name_file(file);
    vnrs_strbuf_printf(&name, "labs/%s/%s/%s.json", lab->name, what, file ? file : "");
    if (path && file && !name.failed)
        take_only(lab->bundle, path, name.text);
    vnrs_strbuf_fini(&base);
    vnrs_strbuf_fini(&name);
}

static struct vnrs_answer take_part(const struct lab *lab, const char *what, const char *as)
{
    struct vnrs_strbuf path = {0}, name = {0};
    struct vnrs_answer answer = {0};

    vnrs_strbuf_printf(&path, "%s%s", lab->path, what);
    vnrs_strbuf_printf(&name, "labs/%s/%s", lab->name, as);
    if (!path.failed && !name.failed)
        answer = take(lab->bundle, path.text, name.text);
    vnrs_strbuf_fini(&path);
    vnrs_strbuf_fini(&name);
    return answer;
}

// As a topology file that `vnrs validate` reads.
static void take_config(const struct lab *lab)
{
    struct vnrs_strbuf name = {0}, path = {0};

    vnrs_strbuf_printf(&path, "%s/config", lab->path);
    vnrs_strbuf_printf(&name, "labs/%s/config.vnrs.yml", lab->name);
    if (!path.failed && !name.failed) {
        _cleanup_(vnrs_answer_fini) struct vnrs_answer answer =
            vnrs_client_request(lab->bundle->cli->socket, "GET", path.text, NULL);
        const char *text = json_string_value(json_object_get(answer.json, "text"));
        if (answer.exit || !text)
            miss_answer(lab->bundle, name.text, &answer);
        else
            vnrs_archive_add(lab->bundle->archive, name.text, text, strlen(text));
    }
    vnrs_strbuf_fini(&name);
    vnrs_strbuf_fini(&path);
}

static void take_routes(const struct lab *lab, const char *peer)
{
    take_of(lab, "learned-routes", "peer", peer);
    take_of(lab, "advertised-routes", "peer", peer);
}

// Each connection once; `peers` has a row for each instance of it.
static void take_peers(const struct lab *lab, const json_t *peers)
{
    json_t *seen = json_object(), *peer;
    size_t i;

    json_array_foreach(peers, i, peer)
    {
        json_t *name = json_sprintf("%s/%s", json_string_value(json_object_get(peer, "owner")),
                                    json_string_value(json_object_get(peer, "name")));
        if (name && !json_object_get(seen, json_string_value(name))) {
            (void)json_object_set(seen, json_string_value(name), name);
            take_of(lab, "peer", "peer", json_string_value(name));
            take_routes(lab, json_string_value(name));
        }
        json_decref(name);
    }
    json_decref(seen);
}

static void take_nics(const struct lab *lab, const json_t *machines)
{
    json_t *machine, *nic;
    size_t m, n, taken = 0, all = 0;
    char why[64];

    json_array_foreach(machines, m, machine)
    {
        json_array_foreach(json_object_get(machine, "nics"), n, nic)
        {
            const char *name = json_string_value(json_object_get(nic, "name"));
            if (name && all++ < NICS_MAX) {
                take_of(lab, "effective-routes", "nic", name);
                taken++;
            }
        }
    }
    if (taken == all)
        return;
    (void)snprintf(why, sizeof(why), "of %zu NICs the first %zu are taken", all, taken);
    miss(lab->bundle, "effective-routes", why);
}

static void take_lab(struct bundle *bundle, const char *name)
{
    static const char *const parts[] = {"status", "peerings", "counters", "tests", "rib"};
    struct vnrs_strbuf path = {0};
    _free_ char *folder = strdup(name);
    json_t *gateway;
    size_t i;

    vnrs_strbuf_printf(&path, "/v1/labs/%s", name);
    if (!folder || path.failed)
        return;
    name_file(folder);
    const struct lab lab = {.bundle = bundle, .path = path.text, .name = folder};
    take_config(&lab);
    for (i = 0; i < ARRAY_SIZE(parts); i++) {
        char what[32], as[32];
        (void)snprintf(what, sizeof(what), "/%s", parts[i]);
        (void)snprintf(as, sizeof(as), "%s.json", parts[i]);
        _cleanup_(vnrs_answer_fini) struct vnrs_answer part = take_part(&lab, what, as);
    }
    _cleanup_(vnrs_answer_fini) struct vnrs_answer inspect = take_part(&lab, "", "inspect.json");
    _cleanup_(vnrs_answer_fini) struct vnrs_answer peers = take_part(&lab, "/peers?all=1", "peers.json");
    take_peers(&lab, json_object_get(peers.json, "value"));
    json_array_foreach(json_object_get(inspect.json, "virtualNetworkGateways"), i, gateway)
        take_routes(&lab, json_string_value(json_object_get(gateway, "name")));
    take_nics(&lab, json_object_get(inspect.json, "machines"));
    vnrs_strbuf_fini(&path);
}

// ---- all of it

static void take_labs(struct bundle *bundle)
{
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = take(bundle, "/v1/labs", "labs.json");
    const char *only = bundle->cli->lab;
    bool found = false;
    json_t *lab;
    size_t i;

    json_array_foreach(json_object_get(answer.json, "value"), i, lab)
    {
        const char *name = json_string_value(json_object_get(lab, "name"));
        if (!name || (only && strcmp(name, only) != 0))
            continue;
        found = true;
        take_lab(bundle, name);
    }
    if (only && !found && !bundle->rc) {
        miss(bundle, only, "there is no such lab");
        bundle->rc = VNRS_EXIT_FAILED;
    }
}

static void collect(struct bundle *bundle)
{
    static const char *const parts[][2] = {{"/v1/version", "version.json"},
                                           {"/v1/doctor", "doctor.json"},
                                           {"/v1/log", "log.json"},
                                           {"/v1/events", "events.json"},
                                           {"/readyz", "ready.json"}};

    for (size_t i = 0; i < ARRAY_SIZE(parts) && !bundle->rc; i++)
        take_only(bundle, parts[i][0], parts[i][1]);
    if (!bundle->rc)
        take_metrics(bundle);
    if (!bundle->rc)
        take_labs(bundle);
    miss(bundle, "log of the agent and the speakers", "only root may read it: journalctl -u vnrsd");
}

static void add_host(struct bundle *bundle, const char *time_text)
{
    struct utsname name = {0};

    (void)uname(&name);
    json_t *about = json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s}, s:O}", "created", time_text, "version", VNRS_VERSION,
                              "kernel", "sysname", name.sysname, "release", name.release, "version", name.version,
                              "machine", name.machine, "notCollected", bundle->missing);
    add_json(bundle, "bundle.json", about);
    json_decref(about);
}

static int open_file(const struct vnrs_cli *cli, const char *file)
{
    bool to_pipe = strcmp(file, "-") == 0;

    if (to_pipe && isatty(STDOUT_FILENO)) {
        (void)fputs("vnrs: error: an archive is not for a terminal\nhelp: name a file, or use a pipe\n", stderr);
        return -1;
    }
    // What a file of that time has in it already was written by somebody else.
    int fd = to_pipe ? dup(STDOUT_FILENO)
                     : open(file, O_WRONLY | O_CREAT | O_CLOEXEC | (cli->argc ? O_TRUNC : O_EXCL), 0600);
    if (fd < 0)
        (void)fprintf(stderr, "vnrs: error: cannot write %s: %s\n", file, strerror(errno));
    return fd;
}

static void tell(const struct bundle *bundle, const char *file)
{
    const struct vnrs_cli *cli = bundle->cli;
    json_t *missing, *told = json_pack("{s:s, s:O}", "file", file, "notCollected", bundle->missing);
    size_t i;

    if (strcmp(file, "-") != 0 && !vnrs_cli_print(cli, told))
        (void)puts(file);
    json_decref(told);
    json_array_foreach(bundle->missing, i, missing)
    {
        if (!cli->quiet)
            (void)fprintf(stderr, "vnrs: not collected: %s: %s\n", json_string_value(json_object_get(missing, "what")),
                          json_string_value(json_object_get(missing, "why")));
    }
}

int vnrs_verb_bundle(const struct vnrs_cli *cli)
{
    struct bundle bundle = {.cli = cli, .missing = json_array()};
    char time_text[32] = "", folder[64], own_name[80];
    time_t now = time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm))
        (void)strftime(time_text, sizeof(time_text), "%Y%m%dT%H%M%SZ", &tm);
    (void)snprintf(folder, sizeof(folder), "vnrs-bundle-%s", time_text);
    (void)snprintf(own_name, sizeof(own_name), "%s.tar.gz", folder);
    const char *file = cli->argc ? cli->argv[0] : own_name;
    int fd = open_file(cli, file);
    if (fd < 0 || !bundle.missing || !(bundle.archive = vnrs_archive_new(fd, folder, now))) {
        json_decref(bundle.missing);
        return VNRS_EXIT_FAILED;
    }
    collect(&bundle);
    add_host(&bundle, time_text);
    int err = vnrs_archive_end(bundle.archive);
    if (err < 0)
        (void)fprintf(stderr, "vnrs: error: cannot write %s: %s\n", file, strerror(-err));
    else
        tell(&bundle, file);
    json_decref(bundle.missing);
    return err < 0 ? VNRS_EXIT_FAILED : bundle.rc;
}
