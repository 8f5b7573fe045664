// SPDX-License-Identifier: GPL-2.0-or-later
// vnrs capture: packets of a NIC as pcapng, to a file or a pipe, until as many as wanted have come or a signal does.
// The daemon makes the file; filters are checked and applied there.
#include "cli/out.h"

#include "util/strbuf.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_HEADER_BYTES 8
#define BLOCK_TRAILER      4 // its length again
#define BLOCK_BYTES_MIN    12
#define BLOCK_PACKET       6
#define PACKET_FIXED_BYTES 28 // with the header: up to the packet's bytes
#define PACKET_CAPTURED_AT 20
#define OPTION_LOST        4

struct capture {
    const struct vnrs_cli *cli;
    struct vnrs_out out;
    int refused; // exit status of opening the file
    uint64_t packets, lost;
};

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
    (void)signal;
    stopped = 1;
}

// Handlers are not restarted: that wakes the wait for more.
static void catch_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static uint32_t read_u32(const uint8_t *bytes) // the byte order is this host's
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static size_t measure(const uint8_t *bytes, size_t len)
{
    if (len < BLOCK_HEADER_BYTES)
        return 0;
    uint32_t length = read_u32(bytes + 4);
    return length < BLOCK_BYTES_MIN || length % 4 ? SIZE_MAX : length;
}

// What the options of a packet say of those before it that were not captured.
static uint64_t lost_before(const uint8_t *block, size_t len)
{
    size_t at = PACKET_FIXED_BYTES + (((size_t)read_u32(block + PACKET_CAPTURED_AT) + 3) & ~(size_t)3);
    uint64_t lost = 0;

    while (at + 4 + sizeof(lost) + BLOCK_TRAILER <= len) {
        uint16_t option[2];
        memcpy(option, block + at, sizeof(option));
        if (option[0] == OPTION_LOST && option[1] == sizeof(lost)) {
            memcpy(&lost, block + at + 4, sizeof(lost));
            break;
        }
        at += 4 + ((option[1] + 3u) & ~3u);
    }
    return lost;
}

static void count_block(void *arg, const uint8_t *block, size_t len)
{
    struct capture *capture = arg;

    if (len < PACKET_FIXED_BYTES || read_u32(block) != BLOCK_PACKET)
        return;
    capture->packets++;
    capture->lost += lost_before(block, len);
}

// The file is made when the daemon has agreed, so that a mistake in the command empties none.
static bool on_piece(void *arg, const void *bytes, size_t len)
{
    struct capture *capture = arg;

    if (!capture->out.fd && (capture->refused = vnrs_out_open(&capture->out, capture->cli)))
        return false;
    return vnrs_out_piece(&capture->out, bytes, len);
}

static char *make_path(const struct vnrs_cli *cli, const char *lab)
{
    const struct {
        const char *name, *value;
    } params[] = {
        {"nic", cli->argv[0]},
        {"count", cli->count},
        {"bytes", cli->snap},
        {"reason", cli->reason},
        {"from", cli->from},
        {"to", cli->to},
        {"protocol", cli->protocol},
        {"port", cli->port},
        {"verdict", cli->dropped     ? "dropped"
                    : cli->forwarded ? "forwarded"
                                     : NULL},
    };
    struct vnrs_strbuf path = {0};

    vnrs_strbuf_printf(&path, "/v1/labs/%s/capture", lab);
    for (size_t i = 0; i < ARRAY_SIZE(params); i++)
        if (params[i].value)
            vnrs_client_param(&path, params[i].name, params[i].value);
    return vnrs_strbuf_take(&path);
}

static int run(const char *path, struct capture *capture)
{
    const struct vnrs_cli *cli = capture->cli;
    const struct vnrs_stream_reader reader = {.piece = on_piece, .arg = capture, .stop = &stopped};
    _cleanup_(vnrs_answer_fini) struct vnrs_answer answer = vnrs_client_stream(cli->socket, path, &reader);

    if (capture->refused)
        return capture->refused;
    if (capture->out.error)
        return vnrs_out_complain(&capture->out);
    if (!stopped && answer.exit && answer.status != 200)
        return vnrs_answer_complain(&answer, cli->socket);
    if (!cli->quiet)
        (void)fprintf(stderr, "vnrs: %llu packets captured, %llu lost\n", (unsigned long long)capture->packets,
                      (unsigned long long)capture->lost);
    if (!stopped && answer.exit) {
        (void)fputs("vnrs: error: the capture broke off; what was written before is whole\nhelp: vnrsd ended\n",
                    stderr);
        return answer.exit;
    }
    return VNRS_EXIT_OK;
}

int vnrs_verb_capture(const struct vnrs_cli *cli)
{
    struct capture capture = {.cli = cli, .out = {.measure = measure, .wrote = count_block, .arg = &capture}};
    _free_ char *lab = NULL, *path = NULL;

    if (cli->dropped && cli->forwarded) {
        (void)fputs("vnrs: error: '--dropped' and '--forwarded' leave nothing\nhelp: leave out one of the two\n",
                    stderr);
        return VNRS_EXIT_USAGE;
    }
    int rc = vnrs_out_check(cli, "pcapng");
    if (rc == VNRS_EXIT_OK)
        rc = vnrs_cli_lab(cli, &lab);
    if (rc)
        return rc;
    if (!(path = make_path(cli, lab)))
        return VNRS_EXIT_FAILED;
    catch_signals();
    rc = run(path, &capture);
    vnrs_out_close(&capture.out);
    return rc;
}
