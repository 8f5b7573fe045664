// SPDX-License-Identifier: GPL-2.0-or-later
// vnrsd: the agent; with --controller (by the agent only) the controller.
#include "agent/agentd.h"
#include "control/control.h"
#include "net/addr.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char usage[] =
    "usage: vnrsd [OPTION...]\n"
    "\n"
    "The daemon of vnrs: keeps the labs, their Route Servers and their data plane. See vnrs(1) for what to do with "
    "it.\n"
    "\n"
    "  --run-dir DIR      keep records, sockets and private directories of daemons in DIR (default /run/vnrs);\n"
    "                     several vnrsd with a directory each may run side by side\n"
    "  --socket PATH      listen for vnrs(1) on PATH (default DIR/vnrs.sock)\n"
    "  --listen ADDR:PORT let everybody on this host read the API at a loopback address too, as 127.0.0.1:9180\n"
    "  --foreground       stay in the foreground; this is the default\n"
    "  --log-level LEVEL  error, warning, info (default) or debug\n"
    "  --agent-fd N       start no controller, serve the one at the other end of the SOCK_SEQPACKET descriptor N\n"
    "                     (include/vnrs/agent_proto.h) and end with it\n"
    "  --version          print the version\n"
    "  --help             print this\n";

enum { OPT_RUN_DIR = 256, OPT_SOCKET, OPT_LISTEN, OPT_FOREGROUND, OPT_LOG_LEVEL, OPT_AGENT_FD, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {
    {"run-dir", required_argument, NULL, OPT_RUN_DIR},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"foreground", no_argument, NULL, OPT_FOREGROUND},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"agent-fd", required_argument, NULL, OPT_AGENT_FD},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static const char *const levels[] = {
    [VNRS_LOG_ERROR] = "error", [VNRS_LOG_WARN] = "warning", [VNRS_LOG_INFO] = "info", [VNRS_LOG_DEBUG] = "debug"};

static int parse_level(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcmp(text, levels[i]) == 0)
            return (int)i;
    return -1;
}

// Tells whoever started us (systemd) that requests can be made: sd_notify(3) without its library.
static void notify_ready(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    static const char message[] = "READY=1";

    if (!path || (path[0] != '/' && path[0] != '@') || !vnrs_str_copy(addr.sun_path, sizeof(addr.sun_path), path))
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        addr.sun_path[0] = '\0'; // abstract
    _close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, message, sizeof(message) - 1, MSG_NOSIGNAL, (const struct sockaddr *)&addr, len) < 0)
        log_warn("the service manager cannot be told that vnrsd is ready");
}

// 127.0.0.1:9180, [::1]:9180
static bool parse_listen(const char *text, struct vnrs_agentd_options *options)
{
    static const struct vnrs_addr loopback6 = {.family = VNRS_AF_IPV6, .bytes = {[15] = 1}};
    const char *colon = strrchr(text, ':');
    bool has_brackets = *text == '[' && colon && colon > text + 2 && colon[-1] == ']';
    char addr[VNRS_ADDR_STR_MAX], *end;

    if (!colon || (strchr(text, ':') != colon && !has_brackets))
        return false;
    (void)snprintf(addr, sizeof(addr), "%.*s", (int)(colon - text - 2 * has_brackets), text + has_brackets);
    unsigned long port = strtoul(colon + 1, &end, 10);
    options->tcp_port = (uint16_t)port;
    return vnrs_addr_parse(addr, &options->tcp) == 0 && end != colon + 1 && !*end && port > 0 && port <= UINT16_MAX &&
           (options->tcp.family == VNRS_AF_IPV4 ? options->tcp.bytes[0] == 127
                                                : vnrs_addr_equal(&options->tcp, &loopback6));
}

static int bad_usage(const char *what)
{
    (void)fprintf(stderr, "vnrsd: %s\nTry 'vnrsd --help'.\n", what);
    return 2;
}

// Returns 0 to go on, else the exit status + 1.
static int parse_options(int argc, char **argv, struct vnrs_agentd_options *options, enum vnrs_log_level *level)
{
    char *end;
    int opt, parsed;

    while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (opt) {
        case OPT_RUN_DIR:
            options->run_dir = optarg;
            break;
        case OPT_SOCKET:
            options->socket_path = optarg;
            break;
        case OPT_LISTEN:
            if (!parse_listen(optarg, options))
                return 1 + bad_usage("--listen is a loopback address and a port, as 127.0.0.1:9180 or [::1]:9180");
            break;
        case OPT_FOREGROUND:
            break;
        case OPT_LOG_LEVEL:
            parsed = parse_level(optarg);
            if (parsed < 0)
                return 1 + bad_usage("--log-level is error, warning, info or debug");
            *level = (enum vnrs_log_level)parsed;
            options->log_level = optarg;
            break;
        case OPT_AGENT_FD:
            options->agent_fd = (int)strtol(optarg, &end, 10);
            if (*end || options->agent_fd < 3)
                return 1 + bad_usage("--agent-fd is the number of an inherited descriptor");
            break;
        case OPT_VERSION:
            (void)printf("vnrsd %s\n", VNRS_VERSION);
            return 1;
        case OPT_HELP:
            (void)fputs(usage, stdout);
            return 1;
        default:
            return 1 + bad_usage("wrong option");
        }
    }
    if (optind < argc)
        return 1 + bad_usage("no arguments are taken");
    if (options->run_dir[0] != '/' || strlen(options->run_dir) > 80)
        return 1 + bad_usage("--run-dir is an absolute path of at most 80 bytes");
    return 0;
}

// The controller is this file as well; what it is told about logging is in its arguments.
static int controller_main(int argc, char **argv)
{
    int level = argc >= 4 && strcmp(argv[2], "--log-level") == 0 ? parse_level(argv[3]) : -1;

    vnrs_log_init("vnrsd-controller", level < 0 ? VNRS_LOG_INFO : (enum vnrs_log_level)level);
    return vnrs_control_main(argc, argv);
}

int main(int argc, char **argv)
{
    struct vnrs_agentd_options options = {.run_dir = "/run/vnrs", .agent_fd = -1};
    enum vnrs_log_level level = VNRS_LOG_INFO;
    struct vnrs_agentd *ad;
    struct vnrs_err err = {0};

    if (argc >= 2 && strcmp(argv[1], "--controller") == 0)
        return controller_main(argc, argv);
    int done = parse_options(argc, argv, &options, &level);
    if (done)
        return done - 1;
    vnrs_log_init("vnrsd", level);
    if (vnrs_agentd_new(&options, &ad, &err) < 0) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    int status = vnrs_agentd_run(ad, notify_ready);
    vnrs_agentd_free(ad);
    return status;
}
