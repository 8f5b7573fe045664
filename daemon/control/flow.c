// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/flow.h"

#include "control/drop_name.h"
#include "net/frame.h"
#include "routing/routing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECONDS_MAX 86400

static const struct {
    const char *name;
    uint8_t number;
} protocols[] = {{"icmp", IPPROTO_ICMP}, {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmpv6", IPPROTO_ICMPV6}};

// ---- filter

static bool parse_number(const char *text, unsigned long min, unsigned long max, uint32_t *ret)
{
    char *end = NULL;
    unsigned long value = text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

    if (!end || *end || strlen(text) > 10 || value < min || value > max)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static int refuse(struct vnrs_flow_wrong *wrong, const char *what, const char *value, const char *help)
{
    (void)snprintf(wrong->message, sizeof(wrong->message), "%s '%.80s'", what, value);
    (void)snprintf(wrong->help, sizeof(wrong->help), "%s", help);
    return -EINVAL;
}

static int parse_reason(const char *text, struct vnrs_flow_filter *filter, struct vnrs_flow_wrong *wrong)
{
    filter->reason = vnrs_drop_parse(text);
    if (filter->reason >= 0)
        return 0;
    (void)refuse(wrong, "there is no drop reason", text, "one of:");
    for (uint32_t i = 0; i < _VNRS_DROP_MAX; i++) {
        size_t at = strlen(wrong->help);
        (void)snprintf(wrong->help + at, sizeof(wrong->help) - at, " %s", vnrs_drop_name(i));
    }
    return -EINVAL;
}

static int parse_range(const char *text, struct vnrs_prefix *ret, struct vnrs_flow_wrong *wrong)
{
    struct vnrs_addr addr;

    if (vnrs_addr_parse(text, &addr) == 0) {
        *ret = vnrs_prefix_host(&addr);
        return 0;
    }
    if (vnrs_prefix_parse(text, ret) == 0)
        return 0;
    return refuse(wrong, "neither an address nor a prefix:", text, "as 10.0.0.4, 10.0.0.0/24 or fd00::/64");
}

static int parse_protocol(const char *text, struct vnrs_flow_filter *filter, struct vnrs_flow_wrong *wrong)
{
    uint32_t number;

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (strcmp(text, protocols[i].name) == 0) {
            filter->protocol = protocols[i].number;
            return 0;
        }
    }
    if (!parse_number(text, 0, 255, &number))
        return refuse(wrong, "not a protocol:", text, "tcp, udp, icmp, icmpv6 or a number up to 255");
    filter->protocol = (int)number;
    return 0;
}

static int parse_port(const char *text, struct vnrs_flow_filter *filter, struct vnrs_flow_wrong *wrong)
{
    uint32_t number;

    if (!parse_number(text, 1, 65535, &number))
        return refuse(wrong, "not a port:", text, "1 to 65535");
    filter->port = (uint16_t)number;
    return 0;
}

static int parse_verdict(const char *text, struct vnrs_flow_filter *filter, struct vnrs_flow_wrong *wrong)
{
    if (strcmp(text, "dropped") == 0)
        filter->verdict = VNRS_FLOW_DROPPED;
    else if (strcmp(text, "forwarded") == 0)
        filter->verdict = VNRS_FLOW_FORWARDED;
    else
        return refuse(wrong, "not a verdict:", text, "'dropped' or 'forwarded'");
    return 0;
}

// What can never match is a mistake, not an empty answer.
static int check_filter(const struct vnrs_flow_filter *filter, struct vnrs_flow_wrong *wrong)
{
    const char *message = NULL, *help = "leave out one of the two";

    if (filter->verdict == VNRS_FLOW_FORWARDED && !filter->sample) {
        message = "forwarded packets are shown as samples only";
        help = "say one in how many: --sample 100; 1 is all of them";
    } else if (filter->verdict == VNRS_FLOW_DROPPED && filter->sample) {
        message = "samples are taken of forwarded packets, and only dropped ones are asked for";
    } else if (filter->verdict == VNRS_FLOW_FORWARDED && filter->reason >= 0) {
        message = "a packet that was forwarded has no drop reason";
    } else if (filter->port && filter->protocol >= 0 && filter->protocol != IPPROTO_TCP &&
               filter->protocol != IPPROTO_UDP) {
        message = "only TCP and UDP have ports";
    } else if (filter->from.family && filter->to.family && filter->from.family != filter->to.family) {
        message = "no packet goes from IPv4 to IPv6 or back";
    }
    if (!message)
        return 0;
    (void)snprintf(wrong->message, sizeof(wrong->message), "%s", message);
    (void)snprintf(wrong->help, sizeof(wrong->help), "%s", help);
    return -EINVAL;
}

int vnrs_flow_filter_parse(const struct vnrs_flow_query *query, struct vnrs_flow_filter *ret_filter,
                           struct vnrs_flow_wrong *wrong)
{
    struct vnrs_flow_filter filter = {.reason = -1, .protocol = -1};
    int r = 0;

    if (query->reason)
        r = parse_reason(query->reason, &filter, wrong);
    if (r == 0 && query->from)
        r = parse_range(query->from, &filter.from, wrong);
    if (r == 0 && query->to)
        r = parse_range(query->to, &filter.to, wrong);
    if (r == 0 && query->protocol)
        r = parse_protocol(query->protocol, &filter, wrong);
    if (r == 0 && query->port)
        r = parse_port(query->port, &filter, wrong);
    if (r == 0 && query->verdict)
        r = parse_verdict(query->verdict, &filter, wrong);
    if (r == 0 && query->sample && !parse_number(query->sample, 1, VNRS_FLOWS_SAMPLE_MAX, &filter.sample))
        r = refuse(wrong, "not a rate of samples:", query->sample, "N shows one in N forwarded packets: 1 is all");
    if (r == 0 && query->seconds && !parse_number(query->seconds, 1, SECONDS_MAX, &filter.seconds))
        r = refuse(wrong, "not a number of seconds:", query->seconds, "1 to 86400");
    if (r == 0)
        r = check_filter(&filter, wrong);
    if (r == 0)
        *ret_filter = filter;
    return r;
}

// ---- events

bool vnrs_flow_is_forwarded(const struct vnrs_bpf_flow_event *event)
{
    return event->verdict == VNRS_BPF_VERDICT_FORWARD;
}

bool vnrs_flow_is_dropped(const struct vnrs_bpf_flow_event *event)
{
    return event->verdict == VNRS_BPF_VERDICT_DROP || (event->reason && !vnrs_flow_is_forwarded(event));
}

void vnrs_flow_read_bytes(struct vnrs_bpf_flow_event *event, const uint8_t *bytes)
{
    struct vnrs_frame frame;

    if (event->vlan_type_be)
        return; // the packet path does not look behind a tag either
    vnrs_frame_parse(bytes, event->bytes, event->len + ETH_HLEN, &frame);
    event->family = frame.family;
    event->protocol = frame.protocol;
    memcpy(event->saddr, frame.saddr, sizeof(event->saddr));
    memcpy(event->daddr, frame.daddr, sizeof(event->daddr));
    event->sport_be = frame.sport_be;
    event->dport_be = frame.dport_be;
}

static struct vnrs_addr flow_addr(const struct vnrs_bpf_flow_event *event, const uint8_t bytes[static 16])
{
    struct vnrs_addr addr = {.family = event->family == 4   ? VNRS_AF_IPV4
                                       : event->family == 6 ? VNRS_AF_IPV6
                                                            : VNRS_AF_NONE};

    if (addr.family)
        memcpy(addr.bytes, bytes, vnrs_af_bits(addr.family) / 8);
    return addr;
}

static bool is_in(const struct vnrs_prefix *range, const struct vnrs_bpf_flow_event *event, const uint8_t *bytes)
{
    struct vnrs_addr addr = flow_addr(event, bytes);

    return !range->family || (addr.family == range->family && vnrs_prefix_contains_addr(range, &addr));
}

bool vnrs_flow_filter_matches(const struct vnrs_flow_filter *filter, const struct vnrs_bpf_flow_event *event,
                              const char *nic, const char *to_nic)
{
    bool forwarded = vnrs_flow_is_forwarded(event), dropped = vnrs_flow_is_dropped(event);
    bool icmp = event->family == 6 && event->protocol == IPPROTO_ICMPV6 && filter->protocol == IPPROTO_ICMP;

    if ((filter->verdict == VNRS_FLOW_DROPPED && !dropped) || (filter->verdict == VNRS_FLOW_FORWARDED && !forwarded) ||
        (forwarded && !filter->sample))
        return false;
    if (filter->nic[0] && !(nic && strcmp(nic, filter->nic) == 0) && !(to_nic && strcmp(to_nic, filter->nic) == 0))
        return false;
    if (filter->reason >= 0 && (!dropped || event->reason != (uint32_t)filter->reason))
        return false;
    if (filter->protocol >= 0 && !icmp && (!event->family || event->protocol != filter->protocol))
        return false;
    if (filter->port && ntohs(event->sport_be) != filter->port && ntohs(event->dport_be) != filter->port)
        return false;
    return is_in(&filter->from, event, event->saddr) && is_in(&filter->to, event, event->daddr);
}

static json_t *addr_json(const struct vnrs_bpf_flow_event *event, const uint8_t *bytes)
{
    struct vnrs_addr addr = flow_addr(event, bytes);
    char text[VNRS_ADDR_STR_MAX];

    return addr.family ? json_string(vnrs_addr_format(&addr, text)) : json_null();
}

static json_t *port_json(const struct vnrs_bpf_flow_event *event, __be16 port_be)
{
    bool has_ports = event->sport_be || event->dport_be;
    return has_ports ? json_integer(ntohs(port_be)) : json_null();
}

static json_t *protocol_json(const struct vnrs_bpf_flow_event *event)
{
    char number[8];

    if (!event->family)
        return json_null();
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].number == event->protocol)
            return json_string(protocols[i].name);
    (void)snprintf(number, sizeof(number), "%u", event->protocol);
    return json_string(number);
}

static const char *format_time(int64_t ns, char text[static 40])
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm tm;
    size_t len = 0;

    text[0] = '\0';
    if (gmtime_r(&seconds, &tm))
        len = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + len, 40 - len, ".%06uZ", (unsigned)(ns % 1000000000 / 1000));
    return text;
}

json_t *vnrs_flow_json(const struct vnrs_bpf_flow_event *event, const char *nic, const char *to_nic, int64_t offset_ns)
{
    bool forwarded = vnrs_flow_is_forwarded(event);
    char time_text[40];

    return json_pack("{s:s, s:s?, s:s, s:s?, s:s?, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:I}", "time",
                     format_time((int64_t)event->time_ns + offset_ns, time_text), "nic", nic, "verdict",
                     forwarded ? "forwarded" : "dropped", "reason", forwarded ? NULL : vnrs_drop_name(event->reason),
                     "text", forwarded ? NULL : vnrs_drop_text(event->reason), "nextHopType",
                     forwarded && event->type < _VNRS_NH_MAX ? vnrs_nexthop_type_name(event->type) : NULL, "toNic",
                     forwarded ? to_nic : NULL, "protocol", protocol_json(event), "from",
                     addr_json(event, event->saddr), "fromPort", port_json(event, event->sport_be), "to",
                     addr_json(event, event->daddr), "toPort", port_json(event, event->dport_be), "bytes",
                     (json_int_t)event->len);
}

void vnrs_flow_comment(const struct vnrs_bpf_flow_event *event, bool inbound, const char *nic, const char *to_nic,
                       char *ret_text, size_t size)
{
    const char *reason = vnrs_drop_name(event->reason), *text = vnrs_drop_text(event->reason);

    if (event->verdict == VNRS_BPF_VERDICT_UNKNOWN)
        ret_text[0] = '\0';
    else if (event->captured & VNRS_BPF_CAPTURED_ANSWER)
        (void)snprintf(ret_text, size, "answer of the fabric%s%s", event->reason ? ": " : "",
                       event->reason ? reason : "");
    else if (vnrs_flow_is_forwarded(event) && inbound)
        (void)snprintf(ret_text, size, "forwarded: %s, from %s", vnrs_nexthop_type_name(event->type), nic ? nic : "?");
    else if (vnrs_flow_is_forwarded(event))
        (void)snprintf(ret_text, size, "forwarded: %s, to %s", vnrs_nexthop_type_name(event->type),
                       to_nic ? to_nic : "?");
    else if (vnrs_flow_is_dropped(event))
        (void)snprintf(ret_text, size, "dropped: %s (%s)", reason, text);
    else
        (void)snprintf(ret_text, size, "%s",
                       event->verdict == VNRS_BPF_VERDICT_REPLY ? "answered by the fabric" : "no answer is due");
}
