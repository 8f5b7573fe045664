// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/peer_text.h"

#include "cli/table.h"
#include "util/macros.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define DAY_S  86400
#define WEEK_S (7 * DAY_S)

const char *vnrs_peer_text_duration(json_int_t seconds, char text[static 32])
{
    long long s = seconds;

    if (s < 0)
        (void)snprintf(text, 32, "never");
    else if (s < DAY_S)
        (void)snprintf(text, 32, "%02lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else if (s < WEEK_S)
        (void)snprintf(text, 32, "%lldd%02lldh%02lldm", s / DAY_S, s / 3600 % 24, s / 60 % 60);
    else
        (void)snprintf(text, 32, "%02lldw%lldd%02lldh", s / WEEK_S, s / DAY_S % 7, s / 3600 % 24);
    return text;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static json_int_t number_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static bool is_true(const json_t *json, const char *key)
{
    return json_is_true(json_object_get(json, key));
}

static bool is_up(const json_t *peer)
{
    return strcmp(text_of(peer, "state"), "Established") == 0;
}

static const char *since(const json_t *peer, char text[static 32])
{
    const json_t *seconds = json_object_get(peer, "sinceSeconds");
    return vnrs_peer_text_duration(json_is_integer(seconds) ? json_integer_value(seconds) : -1, text);
}

static const char *bfd_state(const json_t *peer)
{
    return text_of(json_object_get(peer, "bfd"), "state");
}

// ---- summary

static json_t *summary_row(const json_t *peer)
{
    json_t *row = json_copy((json_t *)peer);
    char up_down[32], desc[256];

    (void)snprintf(desc, sizeof(desc), "%s/%s instance %" JSON_INTEGER_FORMAT, text_of(peer, "owner"),
                   text_of(peer, "name"), number_of(peer, "instance"));
    (void)json_object_set_new(row, "version", json_integer(4));
    (void)json_object_set_new(row, "upDown", json_string(since(peer, up_down)));
    (void)json_object_set_new(row, "bfdState", json_string(*bfd_state(peer) ? bfd_state(peer) : "off"));
    (void)json_object_set(row, "statePfx", json_object_get(peer, is_up(peer) ? "received" : "state"));
    (void)json_object_set_new(row, "desc", json_string(desc));
    return row;
}

static const struct vnrs_column summary_columns[] = {
    {"Neighbor", "peerIp"},       {"V", "version"},           {"AS", "peerAsn"},
    {"MsgRcvd", "messagesIn"},    {"MsgSent", "messagesOut"}, {"Up/Down", "upDown"},
    {"State/PfxRcd", "statePfx"}, {"PfxSnt", "advertised"},   {"BFD", "bfdState"},
    {"Speaker", "speaker"},       {"Desc", "desc"},           {"Last Error", "lastError"}};

static json_t *summary_rows(const json_t *peers)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < json_array_size(peers); i++)
        (void)json_array_append_new(rows, summary_row(json_array_get(peers, i)));
    return rows;
}

void vnrs_peer_text_summary(FILE *out, const json_t *peers)
{
    json_t *rows = summary_rows(peers);

    vnrs_table_print(out, summary_columns, ARRAY_SIZE(summary_columns), rows);
    json_decref(rows);
}

void vnrs_peer_text_summary_tsv(FILE *out, const json_t *peers)
{
    json_t *rows = summary_rows(peers);

    vnrs_table_print_tsv(out, summary_columns, ARRAY_SIZE(summary_columns), rows);
    json_decref(rows);
}

// ---- one peer

static void put(FILE *out, const char *label, const char *fmt, ...) VNRS_PRINTF(3, 4);

static void put(FILE *out, const char *label, const char *fmt, ...)
{
    va_list ap;

    (void)fprintf(out, "  %-18s", label);
    va_start(ap, fmt);
    (void)vfprintf(out, fmt, ap);
    va_end(ap);
    (void)fputc('\n', out);
}

static void put_end(FILE *out, const char *label, const char *addr, json_int_t port, json_int_t asn, const char *id)
{
    char where[96];

    if (port)
        (void)snprintf(where, sizeof(where), "%s port %" JSON_INTEGER_FORMAT, addr, port);
    else
        (void)snprintf(where, sizeof(where), "%s", addr);
    put(out, label, "%s, AS %" JSON_INTEGER_FORMAT "%s%s", where, asn, *id ? ", identifier " : "", id);
}

static void put_state(FILE *out, const json_t *peer)
{
    const char *by = text_of(peer, "openedBy");
    char time[32];

    if (!is_up(peer))
        put(out, "State", "%s, last up or down %s", text_of(peer, "state"), since(peer, time));
    else
        put(out, "State", "Established for %s%s%s", since(peer, time),
            *by ? strcmp(by, "peer") == 0 ? ", opened by the peer" : ", opened here" : "",
            is_true(peer, "stale") ? ", some routes are stale" : "");
}

static void put_session(FILE *out, const json_t *peer)
{
    const json_t *timers = json_object_get(peer, "timers");
    json_int_t hops = number_of(peer, "ttlSecurityHops");
    char gtsm[48] = "off";

    put_end(out, "Local", text_of(peer, "localAddress"), number_of(peer, "localPort"), number_of(peer, "localAsn"),
            text_of(peer, "localRouterId"));
    put_end(out, "Peer", text_of(peer, "peerIp"), number_of(peer, "peerPort"), number_of(peer, "peerAsn"),
            text_of(peer, "routerId"));
    put(out, "Hold time",
        "%" JSON_INTEGER_FORMAT " s (configured %" JSON_INTEGER_FORMAT ", peer %" JSON_INTEGER_FORMAT
        "), %" JSON_INTEGER_FORMAT " s left",
        number_of(timers, "holdTime"), number_of(timers, "configuredHoldTime"), number_of(timers, "peerHoldTime"),
        number_of(timers, "holdTimeLeft"));
    put(out, "Keepalive time", "%" JSON_INTEGER_FORMAT " s (configured %" JSON_INTEGER_FORMAT ")",
        number_of(timers, "keepaliveTime"), number_of(timers, "configuredKeepaliveTime"));
    if (hops)
        (void)snprintf(gtsm, sizeof(gtsm), "%" JSON_INTEGER_FORMAT " hop%s", hops, hops == 1 ? "" : "s");
    put(out, "Protection", "TCP MD5 %s, TTL security %s, TTL %" JSON_INTEGER_FORMAT,
        is_true(peer, "md5") ? "on" : "off", gtsm, number_of(peer, "ttl"));
    put(out, "Connects", "%s", is_true(peer, "passive") ? "the peer only (passive)" : "either side");
    put(out, "Prefixes",
        "%" JSON_INTEGER_FORMAT " received, %" JSON_INTEGER_FORMAT " advertised, %" JSON_INTEGER_FORMAT " queued",
        number_of(peer, "received"), number_of(peer, "advertised"), number_of(peer, "queued"));
}

static void put_bfd(FILE *out, const json_t *peer)
{
    const json_t *bfd = json_object_get(peer, "bfd");
    char time[32];

    if (!json_is_object(bfd)) {
        put(out, "BFD", "off");
        return;
    }
    put(out, "BFD", "%s for %s, peer %s, %s%s%s%s", text_of(bfd, "state"),
        vnrs_peer_text_duration(number_of(bfd, "sinceSeconds"), time), text_of(bfd, "peerState"),
        is_true(bfd, "multihop") ? "multihop" : "single hop", is_true(bfd, "strict") ? ", strict" : "",
        *text_of(bfd, "error") ? ", no socket: " : "", text_of(bfd, "error"));
    put(out, "  intervals",
        "a packet every %.6g ms, %.6g ms to detect a failure (configured %" JSON_INTEGER_FORMAT
        " and %" JSON_INTEGER_FORMAT " ms × %" JSON_INTEGER_FORMAT ")",
        (double)number_of(bfd, "transmitIntervalUs") / 1000, (double)number_of(bfd, "detectionTimeUs") / 1000,
        number_of(bfd, "configuredTransmitInterval"), number_of(bfd, "configuredReceiveInterval"),
        number_of(bfd, "detectMultiplier"));
    put(out, "  diagnostics", "%s; peer: %s; last failure: %s", text_of(bfd, "diagnostic"),
        text_of(bfd, "peerDiagnostic"), *text_of(bfd, "lastFailure") ? text_of(bfd, "lastFailure") : "none");
    put(out, "  packets",
        "%" JSON_INTEGER_FORMAT " received, %" JSON_INTEGER_FORMAT " sent, %" JSON_INTEGER_FORMAT
        " discarded; %" JSON_INTEGER_FORMAT " failures",
        number_of(bfd, "packetsIn"), number_of(bfd, "packetsOut"), number_of(bfd, "discarded"),
        number_of(bfd, "failures"));
}

static void put_restart(FILE *out, const json_t *peer)
{
    const json_t *gr = json_object_get(peer, "gracefulRestart");

    put(out, "Graceful restart",
        "%s; restart time %" JSON_INTEGER_FORMAT " s here, %" JSON_INTEGER_FORMAT " s there%s%s%s",
        is_true(gr, "inUse") ? "on" : "off", number_of(gr, "localRestartTime"), number_of(gr, "peerRestartTime"),
        is_true(gr, "notification") ? "; also after NOTIFICATIONs" : "",
        is_true(gr, "localRestarted") ? "; this side has restarted" : "",
        is_true(gr, "peerRestarted") ? "; the peer has restarted" : "");
}

static void put_past(FILE *out, const json_t *peer)
{
    const json_t *note = json_object_get(peer, "lastNotification"), *reset = json_object_get(peer, "lastReset");
    const char *error = text_of(peer, "lastError");
    char ago[32];

    put(out, "Flaps", "%" JSON_INTEGER_FORMAT, number_of(peer, "flaps"));
    if (json_is_object(reset))
        put(out, "Last reset", "%s ago, %s: %s", vnrs_peer_text_duration(number_of(reset, "secondsAgo"), ago),
            text_of(reset, "time"), text_of(reset, "reason"));
    else
        put(out, "Last reset", "never");
    put(out, "Last error", "%s", *error ? error : "none");
    if (!json_is_object(note)) {
        put(out, "Last NOTIFICATION", "none");
        return;
    }
    put(out, "Last NOTIFICATION",
        "sent by %s %s ago, %s: code %" JSON_INTEGER_FORMAT ", subcode %" JSON_INTEGER_FORMAT ", %s",
        strcmp(text_of(note, "sentBy"), "peer") == 0 ? "the peer" : "us",
        vnrs_peer_text_duration(number_of(note, "secondsAgo"), ago), text_of(note, "time"), number_of(note, "code"),
        number_of(note, "subcode"), text_of(note, "text"));
    put(out, "  its data", "%s", *text_of(note, "data") ? text_of(note, "data") : "none");
}

static void put_messages(FILE *out, const json_t *messages)
{
    static const struct vnrs_column columns[] = {{"Messages", "name"}, {"Received", "received"}, {"Sent", "sent"}};
    static const char *const kinds[][2] = {{"OPEN", "open"},
                                           {"UPDATE", "update"},
                                           {"NOTIFICATION", "notification"},
                                           {"KEEPALIVE", "keepalive"},
                                           {"ROUTE-REFRESH", "routeRefresh"},
                                           {"total", "total"}};
    const json_t *in = json_object_get(messages, "received"), *sent = json_object_get(messages, "sent");
    json_t *rows = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        (void)json_array_append_new(rows, json_pack("{s:s, s:I, s:I}", "name", kinds[i][0], "received",
                                                    number_of(in, kinds[i][1]), "sent", number_of(sent, kinds[i][1])));
    vnrs_table_print(out, columns, ARRAY_SIZE(columns), rows);
    json_decref(rows);
}

void vnrs_peer_text_full(FILE *out, const json_t *peer)
{
    static const struct vnrs_column capabilities[] = {{"Capability", "name"},
                                                      {"RFC", "rfc"},
                                                      {"Announced", "announced"},
                                                      {"Received", "received"},
                                                      {"In Use", "inUse"}};
    static const struct vnrs_column families[] = {{"Family", "name"},
                                                  {"In Use", "inUse"},
                                                  {"Received", "received"},
                                                  {"Accepted", "accepted"},
                                                  {"Advertised", "advertised"},
                                                  {"ADD-PATH In", "addPathIn"},
                                                  {"Out", "addPathOut"},
                                                  {"GR Ours", "gracefulRestartAnnounced"},
                                                  {"F", "forwardingKeptAnnounced"},
                                                  {"GR Theirs", "gracefulRestartReceived"},
                                                  {"F", "forwardingKeptReceived"}};

    (void)fprintf(out, "BGP neighbor %s, %s/%s instance %" JSON_INTEGER_FORMAT "\n", text_of(peer, "peerIp"),
                  text_of(peer, "owner"), text_of(peer, "name"), number_of(peer, "instance"));
    put_state(out, peer);
    put_session(out, peer);
    put_bfd(out, peer);
    put_restart(out, peer);
    put_past(out, peer);
    (void)fputc('\n', out);
    vnrs_table_print(out, capabilities, ARRAY_SIZE(capabilities), json_object_get(peer, "capabilities"));
    (void)fputc('\n', out);
    vnrs_table_print(out, families, ARRAY_SIZE(families), json_object_get(peer, "families"));
    (void)fputc('\n', out);
    put_messages(out, json_object_get(peer, "messages"));
}
