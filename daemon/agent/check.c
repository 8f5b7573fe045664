// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/check.h"

#include "lab/name.h"
#include "net/addr.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>

#define MTU_MIN      68
#define MTU_MAX      65535
#define IFINDEX_MAX  0x7fffffffu
#define PROTOCOL_MAX 255

static bool is_addr(const struct vnrs_addr *addr, bool none_too)
{
    static const uint8_t zero[sizeof(addr->bytes)];

    if (addr->family == VNRS_AF_NONE)
        return none_too && memcmp(addr->bytes, zero, sizeof(zero)) == 0;
    if (addr->family == VNRS_AF_IPV4)
        return memcmp(addr->bytes + 4, zero, sizeof(zero) - 4) == 0;
    return addr->family == VNRS_AF_IPV6;
}

static bool is_prefix(const struct vnrs_prefix *prefix)
{
    struct vnrs_addr addr = vnrs_prefix_addr(prefix);

    if ((prefix->family != VNRS_AF_IPV4 && prefix->family != VNRS_AF_IPV6) ||
        prefix->len > vnrs_af_bits(prefix->family) || !is_addr(&addr, false))
        return false;
    struct vnrs_prefix clean = vnrs_prefix_make(&addr, prefix->len);
    return vnrs_prefix_equal(prefix, &clean);
}

static bool is_netns(const struct vnrs_ag_netns *ns)
{
    switch (ns->kind) {
    case VNRS_AG_NETNS_OURS:
        return ns->name[0] == '\0' || vnrs_name_is_netns(ns->name, sizeof(ns->name));
    case VNRS_AG_NETNS_SELF:
        return true;
    case VNRS_AG_NETNS_PATH:
        return vnrs_name_is_netns_path(ns->name, sizeof(ns->name));
    case VNRS_AG_NETNS_PID:
        return ns->pid > 0;
    case VNRS_AG_NETNS_CONTAINER:
        return vnrs_name_is_netns(ns->name, sizeof(ns->name));
    }
    return false;
}

static bool is_ours(const struct vnrs_ag_netns *ns)
{
    return ns->kind == VNRS_AG_NETNS_OURS && is_netns(ns);
}

static bool is_ifname(const char name[static VNRS_IFNAME_MAX])
{
    return vnrs_name_is_link(name, VNRS_IFNAME_MAX);
}

// Specs: NULL when right, else what is wrong.

static const char *check_fabric(const union vnrs_agentd_spec *spec)
{
    return spec->fabric.dataplane <= 1 ? NULL : "data plane";
}

static const char *check_netns(const union vnrs_agentd_spec *spec)
{
    return spec->netns.flags & ~(uint32_t)(VNRS_NETNS_FORWARD | VNRS_NETNS_CARRIER) ? "flags" : NULL;
}

static const char *check_end(const struct vnrs_link_end *end)
{
    if (!is_netns(&end->ns))
        return "namespace";
    if (!is_ifname(end->ifname))
        return "link name";
    if (end->ifindex > IFINDEX_MAX || (end->mac.bytes[0] & 1))
        return "ifindex or MAC";
    if (end->n_addrs > VNRS_LINK_ADDRS_MAX)
        return "number of addresses";
    for (unsigned i = 0; i < end->n_addrs; i++)
        if (!is_addr(&end->addrs[i].addr, false) || end->addrs[i].len > vnrs_af_bits(end->addrs[i].addr.family))
            return "address";
    return NULL;
}

static const char *check_link(const union vnrs_agentd_spec *spec)
{
    const struct vnrs_obj_link *link = &spec->link;
    const char *wrong = is_ours(&link->a.ns) ? check_end(&link->a) : "namespace of end a";

    if (!wrong)
        wrong = check_end(&link->b);
    if (wrong)
        return wrong;
    if (link->mtu && (link->mtu < MTU_MIN || link->mtu > MTU_MAX))
        return "MTU";
    if (link->down > 1)
        return "switch";
    // The kernel takes the peer's index only together with the first end's.
    if (link->b.ifindex && !link->a.ifindex)
        return "ifindex of end b without one of end a";
    if (link->kind >= _VNRS_LINK_KIND_MAX)
        return "kind";
    if (link->kind == VNRS_LINK_NIC && link->a.ns.name[0])
        return "fabric end of a NIC";
    if (link->kind == VNRS_LINK_TUNNEL && !is_ours(&link->b.ns))
        return "namespace of a tunnel";
    return NULL;
}

static const char *check_route(const union vnrs_agentd_spec *spec)
{
    const struct vnrs_obj_route *route = &spec->route;

    if (!is_ours(&route->ns))
        return "namespace";
    if (route->refuse > 1 || (route->refuse && (route->n_via || route->ifname[0])))
        return "refusal";
    if (!route->refuse && !is_ifname(route->ifname))
        return "link name";
    if (!is_prefix(&route->prefix))
        return "prefix";
    if (route->n_via > ARRAY_SIZE(route->via))
        return "number of next hops";
    for (unsigned i = 0; i < route->n_via; i++)
        if (!is_addr(&route->via[i], false) || route->via[i].family != route->prefix.family ||
            (route->ifnames[i][0] && !is_ifname(route->ifnames[i])))
            return "next hop";
    return NULL;
}

static const char *check_snat(const union vnrs_agentd_spec *spec)
{
    const struct vnrs_obj_snat *snat = &spec->snat;

    if (!is_ours(&snat->ns))
        return "namespace";
    if (!is_ifname(snat->ifname))
        return "link name";
    if (snat->n > ARRAY_SIZE(snat->sources))
        return "number of sources";
    for (uint32_t i = 0; i < snat->n; i++)
        if (!is_prefix(&snat->sources[i]))
            return "source";
    if (!is_addr(&snat->ike_peer, true) || !is_addr(&snat->ike_inside, true) ||
        snat->ike_peer.family != snat->ike_inside.family)
        return "other end of a tunnel";
    return NULL;
}

static const char *check_table(const union vnrs_agentd_spec *spec)
{
    const struct vnrs_obj_table *table = &spec->table;

    if (!is_netns(&table->ns))
        return "namespace";
    if (!is_ifname(table->ifname))
        return "link name";
    // Routes with the table's protocol are taken for ours: those of the kernel and of `ip route` never are.
    if (!table->domain || !table->table || table->table == RT_TABLE_LOCAL || table->protocol <= RTPROT_STATIC ||
        table->protocol > PROTOCOL_MAX)
        return "domain, table or protocol";
    if (!is_addr(&table->gateway4, true) || !is_addr(&table->gateway6, true) ||
        table->gateway4.family == VNRS_AF_IPV6 || table->gateway6.family == VNRS_AF_IPV4)
        return "gateway";
    if (table->n_own > VNRS_LINK_ADDRS_MAX)
        return "number of addresses";
    for (unsigned i = 0; i < table->n_own; i++)
        if (!is_addr(&table->own[i], false))
            return "address";
    if (table->from_link && (!is_ours(&table->ns) || table->table == RT_TABLE_MAIN))
        return "table of a link";
    return table->onlink > 1 || table->by_link > 1 || table->from_link > 1 ? "flag" : NULL;
}

static const char *check_proc(const union vnrs_agentd_spec *spec)
{
    if (!is_netns(&spec->proc.ns) || (spec->proc.kind == VNRS_PROC_STRONGSWAN && !is_ours(&spec->proc.ns)))
        return "namespace";
    return spec->proc.kind == 0 || spec->proc.kind >= _VNRS_PROC_MAX ? "kind" : NULL;
}

static const char *check_speaker(const union vnrs_agentd_spec *spec)
{
    if (!is_ours(&spec->speaker.ns) && spec->speaker.ns.kind != VNRS_AG_NETNS_SELF)
        return "namespace";
    return !is_addr(&spec->speaker.listen, true) || spec->speaker.listen_optional > 1 ? "address" : NULL;
}

static const char *check_impair(const union vnrs_agentd_spec *spec)
{
    const struct vnrs_impair *impair = &spec->impair;

    if (impair->down > 1 || impair->loss_ppm > VNRS_LOSS_PPM_MAX)
        return "switch or loss";
    if (impair->rate_kbit && (impair->rate_kbit < VNRS_RATE_KBIT_MIN || impair->rate_kbit > VNRS_RATE_KBIT_MAX))
        return "rate";
    if (impair->delay_us > VNRS_DELAY_US_MAX || impair->jitter_us > impair->delay_us)
        return "delay";
    return impair->down || impair->loss_ppm || impair->rate_kbit || impair->delay_us ? NULL : "nothing in it";
}

static const struct {
    const char *name;
    size_t size;
    const char *(*check)(const union vnrs_agentd_spec *spec);
} types[_VNRS_OBJ_MAX] = {
    [VNRS_OBJ_FABRIC] = {"fabric", sizeof(struct vnrs_obj_fabric), check_fabric},
    [VNRS_OBJ_NETNS] = {"namespace", sizeof(struct vnrs_obj_netns), check_netns},
    [VNRS_OBJ_LINK] = {"link", sizeof(struct vnrs_obj_link), check_link},
    [VNRS_OBJ_ROUTE] = {"route", sizeof(struct vnrs_obj_route), check_route},
    [VNRS_OBJ_SNAT] = {"source NAT", sizeof(struct vnrs_obj_snat), check_snat},
    [VNRS_OBJ_TABLE] = {"guest table", sizeof(struct vnrs_obj_table), check_table},
    [VNRS_OBJ_PROC] = {"daemon", sizeof(struct vnrs_obj_proc), check_proc},
    [VNRS_OBJ_SPEAKER] = {"speaker", sizeof(struct vnrs_obj_speaker), check_speaker},
    [VNRS_OBJ_IMPAIR] = {"impairment", sizeof(struct vnrs_obj_impair), check_impair},
};
static_assert(ARRAY_SIZE(types) == 10, "a check for every object type");

size_t vnrs_agentd_spec_size(uint32_t type)
{
    return type < _VNRS_OBJ_MAX ? types[type].size : 0;
}

const char *vnrs_agentd_type_name(uint32_t type)
{
    return type < _VNRS_OBJ_MAX && types[type].name ? types[type].name : "object";
}

// Objects.

static int wrong(struct vnrs_err *err, const char *what)
{
    return vnrs_err_set(err, -EINVAL, "malformed request: %s", what);
}

static int check_obj(const struct vnrs_ag_obj *obj, struct vnrs_err *err)
{
    if (!vnrs_name_is_lab(obj->lab, sizeof(obj->lab)))
        return wrong(err, "name of the lab");
    if (!vnrs_name_is_key(obj->key, sizeof(obj->key)))
        return wrong(err, "key of the object");
    if (!vnrs_agentd_spec_size(obj->type))
        return wrong(err, "type of the object");
    if (obj->type == VNRS_OBJ_FABRIC && strcmp(obj->key, "fabric") != 0)
        return wrong(err, "key of the fabric");
    if (obj->type == VNRS_OBJ_NETNS && !vnrs_name_is_netns(obj->key, sizeof(obj->key)))
        return wrong(err, "name of the namespace");
    return 0;
}

static int check_ensure(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    const struct vnrs_ag_obj *obj = msg->fixed;
    int code = check_obj(obj, err);

    if (code < 0)
        return code;
    size_t size = types[obj->type].size;
    if (rest < size || rest - size != msg->data_size)
        return wrong(err, "length");
    msg->spec = (const union vnrs_agentd_spec *)(obj + 1);
    msg->data = (const char *)msg->spec + size;
    const char *what = types[obj->type].check(msg->spec);
    if (what)
        return vnrs_err_set(err, -EINVAL, "malformed request: %s of %s '%s'", what, types[obj->type].name, obj->key);
    if (obj->type != VNRS_OBJ_PROC)
        return msg->data_size ? wrong(err, "data without use") : 0;
    const char *argv = msg->data;
    if (msg->spec->proc.kind == VNRS_PROC_EXEC && (!msg->data_size || !argv[0] || argv[msg->data_size - 1]))
        return wrong(err, "command");
    return 0;
}

// FIB.

static bool is_group(const void *item)
{
    const struct vnrs_fib_group *group = item;

    if (!group->handle || !group->n || group->n > VNRS_GROUP_MEMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < group->n; i++)
        if (group->members[i].kind > VNRS_BPF_NH_DEAD || group->members[i].flags & ~VNRS_BPF_NHF_BALANCED ||
            group->members[i].ifindex > IFINDEX_MAX || !is_addr(&group->members[i].via, true))
            return false;
    return true;
}

static bool is_route(const void *item)
{
    const struct vnrs_fib_route *route = item;
    return route->domain && is_prefix(&route->prefix) && route->type < _VNRS_NH_MAX;
}

static bool is_nic(const void *item)
{
    const struct vnrs_fib_nic *nic = item;
    return nic->ifindex && nic->ifindex <= IFINDEX_MAX;
}

static bool is_endpoint(const void *item)
{
    const struct vnrs_fib_endpoint *endpoint = item;
    return endpoint->ifindex <= IFINDEX_MAX && is_addr(&endpoint->addr, false);
}

static bool is_acl(const void *item)
{
    const struct vnrs_fib_acl *acl = item;
    return acl->kind < _VNRS_ACL_MAX && acl->to && acl->from && acl->allowed <= 1 &&
           (acl->kind != VNRS_ACL_SERVICE || acl->to <= IFINDEX_MAX);
}

static const struct {
    size_t size;
    bool (*check)(const void *item);
} fib_kinds[VNRS_AG_FIB_SETTLE + 1] = {
    [VNRS_AG_FIB_GROUPS] = {sizeof(struct vnrs_fib_group), is_group},
    [VNRS_AG_FIB_ROUTES] = {sizeof(struct vnrs_fib_route), is_route},
    [VNRS_AG_FIB_NICS] = {sizeof(struct vnrs_fib_nic), is_nic},
    [VNRS_AG_FIB_ENDPOINTS] = {sizeof(struct vnrs_fib_endpoint), is_endpoint},
    [VNRS_AG_FIB_ACLS] = {sizeof(struct vnrs_fib_acl), is_acl},
};

size_t vnrs_agentd_fib_size(uint32_t kind)
{
    return kind < ARRAY_SIZE(fib_kinds) ? fib_kinds[kind].size : 0;
}

static int check_fib(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    const struct vnrs_ag_fib *fib = msg->fixed;

    (void)rest;
    if (!vnrs_name_is_lab(fib->lab, sizeof(fib->lab)))
        return wrong(err, "name of the lab");
    if (fib->kind < VNRS_AG_FIB_BEGIN || fib->kind > VNRS_AG_FIB_SETTLE)
        return wrong(err, "kind of routes");
    size_t size = fib_kinds[fib->kind].size;
    if ((uint64_t)size * fib->n != msg->data_size || (!size && fib->n))
        return wrong(err, "number of routes");
    for (uint32_t i = 0; i < fib->n; i++)
        if (!fib_kinds[fib->kind].check((const char *)msg->data + i * size))
            return wrong(err, "route, group, NIC, endpoint or access list entry");
    return 0;
}

static int check_record(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    const struct vnrs_ag_record *record = msg->fixed;

    (void)rest;
    if (!vnrs_name_is_lab(record->lab, sizeof(record->lab)))
        return wrong(err, "name of the lab");
    if (record->total > VNRS_RECORD_MAX || record->offset > record->total ||
        msg->data_size > record->total - record->offset || (record->total && !msg->data_size))
        return wrong(err, "size of the record");
    return 0;
}

static int check_remove(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    (void)rest;
    return check_obj(msg->fixed, err);
}

static int check_lab(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    const struct vnrs_ag_lab *lab = msg->fixed;

    (void)rest;
    return vnrs_name_is_lab(lab->lab, sizeof(lab->lab)) ? 0 : wrong(err, "name of the lab");
}

static int check_flows(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    const struct vnrs_ag_flows *flows = msg->fixed;

    (void)rest;
    if (!vnrs_name_is_lab(flows->lab, sizeof(flows->lab)))
        return wrong(err, "name of the lab");
    if (flows->on > 1 || flows->sample > (flows->on ? VNRS_FLOWS_SAMPLE_MAX : 0))
        return wrong(err, "switch or sample");
    const struct vnrs_ag_capture *captures = msg->data;
    size_t n = msg->data_size / sizeof(*captures);
    if (msg->data_size % sizeof(*captures) || n > VNRS_CAPTURES_MAX)
        return wrong(err, "number of captures");
    for (size_t i = 0; i < n; i++)
        if (captures[i].ifindex < VNRS_IFINDEX_FIRST || captures[i].ifindex >= VNRS_NICS_MAX || !captures[i].bytes ||
            captures[i].bytes > VNRS_CAPTURE_BYTES_MAX)
            return wrong(err, "capture");
    return 0;
}

static int check_connect(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    const struct vnrs_ag_connect *connect = msg->fixed;

    (void)rest;
    if (!vnrs_name_is_lab(connect->lab, sizeof(connect->lab)))
        return wrong(err, "name of the lab");
    if (!vnrs_name_is_netns(connect->netns, sizeof(connect->netns)))
        return wrong(err, "name of the namespace");
    if (!is_addr(&connect->from, false) || !is_addr(&connect->to, false) ||
        connect->from.family != connect->to.family || !connect->port)
        return wrong(err, "address or port");
    return 0;
}

static int check_nothing(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err)
{
    (void)msg, (void)rest, (void)err;
    return 0;
}

// Messages.

enum data_rule { NO_DATA, DATA, SPEC_AND_DATA };

static const struct {
    size_t size; // of the fixed struct
    enum data_rule rule;
    int (*check)(struct vnrs_agentd_msg *msg, size_t rest, struct vnrs_err *err); // rest: bytes behind `fixed`
} requests[_VNRS_AG_MAX] = {
    [VNRS_AG_HELLO] = {sizeof(struct vnrs_ag_hello), NO_DATA, check_nothing},
    [VNRS_AG_RECORD] = {sizeof(struct vnrs_ag_record), DATA, check_record},
    [VNRS_AG_ENSURE] = {sizeof(struct vnrs_ag_obj), SPEC_AND_DATA, check_ensure},
    [VNRS_AG_REMOVE] = {sizeof(struct vnrs_ag_obj), NO_DATA, check_remove},
    [VNRS_AG_LIST] = {sizeof(struct vnrs_ag_lab), NO_DATA, check_lab},
    [VNRS_AG_FIB] = {sizeof(struct vnrs_ag_fib), DATA, check_fib},
    [VNRS_AG_COUNTERS] = {sizeof(struct vnrs_ag_lab), NO_DATA, check_lab},
    [VNRS_AG_PROBE] = {0, NO_DATA, check_nothing},
    [VNRS_AG_FLOWS] = {sizeof(struct vnrs_ag_flows), DATA, check_flows},
    [VNRS_AG_CONNECT] = {sizeof(struct vnrs_ag_connect), NO_DATA, check_connect},
};

int vnrs_agentd_check(const void *bytes, size_t len, struct vnrs_agentd_msg *ret_msg, struct vnrs_err *err)
{
    struct vnrs_agentd_msg msg = {0};

    if (len < sizeof(msg.hdr))
        return vnrs_err_set(err, -EPROTO, "a message of %zu bytes", len);
    memcpy(&msg.hdr, bytes, sizeof(msg.hdr));
    if (msg.hdr.proto != VNRS_AGENT_PROTO)
        return vnrs_err_set(err, -EPROTO, "protocol version %u instead of %u", msg.hdr.proto, VNRS_AGENT_PROTO);
    if (msg.hdr.type >= _VNRS_AG_MAX || !requests[msg.hdr.type].check || msg.hdr.seq == 0)
        return vnrs_err_set(err, -EPROTO, "no request: type %u, number %u", msg.hdr.type, msg.hdr.seq);
    size_t size = requests[msg.hdr.type].size, rest = len - sizeof(msg.hdr);
    *ret_msg = msg;
    if (msg.hdr.count != (size ? 1 : 0) || rest < size)
        return wrong(err, "number of structs");
    rest -= size;
    msg.fixed = size ? (const char *)bytes + sizeof(msg.hdr) : NULL;
    msg.data = (const char *)bytes + sizeof(msg.hdr) + size;
    msg.data_size = msg.hdr.data_size;
    if (requests[msg.hdr.type].rule == SPEC_AND_DATA ? rest < msg.data_size : rest != msg.data_size)
        return wrong(err, "length");
    if (requests[msg.hdr.type].rule == NO_DATA && rest)
        return wrong(err, "data without use");
    int code = requests[msg.hdr.type].check(&msg, rest, err);
    if (code == 0)
        *ret_msg = msg;
    return code;
}
