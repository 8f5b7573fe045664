// SPDX-License-Identifier: GPL-2.0-or-later
// Node tree → machines with their NICs, and tests.
#include "model/impair.h"
#include "model/loader.h"
#include "model/schema.h"
#include "vnrs/rtprot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MTU_DEFAULT    1500u
#define METRIC_DEFAULT 100u

struct counted { // "vm-{1..4000}": head "vm-", tail "", first 1, last 4000; a plain name is a head alone
    const char *head, *tail;
    size_t head_len;
    unsigned first, last;
    bool is_set;
};

static int parse_count(const char **text, unsigned *ret)
{
    size_t n = strspn(*text, "0123456789");

    if (n == 0 || n > 6 || (n > 1 && **text == '0'))
        return -EINVAL;
    *ret = (unsigned)strtoul(*text, NULL, 10);
    *text += n;
    return 0;
}

static int parse_counted(const char *text, struct counted *ret)
{
    const char *brace = strchr(text, '{');
    struct counted c = {.head = text, .tail = "", .head_len = strlen(text)};

    if (brace) {
        const char *at = brace + 1;
        c.head_len = (size_t)(brace - text);
        c.is_set = true;
        if (parse_count(&at, &c.first) < 0 || strncmp(at, "..", 2) != 0)
            return -EINVAL;
        at += 2;
        if (parse_count(&at, &c.last) < 0 || *at != '}' || c.last < c.first)
            return -EINVAL;
        c.tail = at + 1;
    }
    *ret = c;
    return 0;
}

static const char *counted_name(struct vnrs_loader *l, const struct counted *c, unsigned number)
{
    char name[VNRS_NAME_LEN_MAX + 2];
    int len;

    if (c->is_set)
        len = snprintf(name, sizeof(name), "%.*s%u%s", (int)c->head_len, c->head, number, c->tail);
    else
        len = snprintf(name, sizeof(name), "%s", c->head);
    if ((size_t)len >= sizeof(name) || !vnrs_schema_is_name(name, false))
        return NULL;
    return vnrs_loader_strdup(l, name);
}

static void parse_inject(const struct vnrs_node *node, struct vnrs_inject *inject)
{
    if (!node)
        return;
    if (node->kind == VNRS_NODE_SCALAR) {
        inject->on = strcmp(node->text, "on") == 0;
        return;
    }
    const struct vnrs_node *table = vnrs_node_get(node, "table"), *protocol = vnrs_node_get(node, "protocol");
    inject->on = true;
    if (table)
        inject->table =
            strcmp(table->text, "main") == 0 ? VNRS_RT_TABLE_MAIN : (uint32_t)strtoul(table->text, NULL, 10);
    if (protocol)
        inject->protocol =
            strcmp(protocol->text, "vnrs") == 0 ? VNRS_RTPROT : (uint8_t)strtoul(protocol->text, NULL, 10);
    inject->metric = vnrs_read_number(node, "metric", inject->metric);
}

static void parse_announce(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_announce *a)
{
    bool alone = node->kind == VNRS_NODE_SCALAR;
    const struct vnrs_node *prefix = alone ? node : vnrs_node_get(node, "prefix");

    if (prefix && vnrs_prefix_parse(prefix->text, &a->prefix) == 0)
        vnrs_loader_mark(l, &a->prefix, prefix->pos);
    if (alone)
        return;
    a->prepend = vnrs_read_number(node, "prepend", 0);
    vnrs_read_addr(l, node, "nextHop", &a->next_hop);
    a->has_med = vnrs_node_get(node, "med");
    a->med = vnrs_read_number(node, "med", 0);
    vnrs_read_communities(l, vnrs_node_get(node, "communities"), &a->communities);
}

static void parse_config(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_run *run)
{
    const struct vnrs_node *file = vnrs_node_get(node, "config");
    _free_ char *text = NULL;

    run->config = vnrs_read_text(l, node, "configText");
    if (run->config || file)
        vnrs_loader_mark(l, &run->config, run->config ? vnrs_node_get(node, "configText")->pos : file->pos);
    if (!file || run->config)
        return;
    int err = l->load_file ? l->load_file(file->text, &text) : -EACCES;
    if (err == 0) {
        run->config = vnrs_loader_strdup(l, text);
        return;
    }
    struct vnrs_diag *d = loader_error(l, VNRS_V_CONFIG_FILE, file->pos, "configuration file '%s': %s", file->text,
                                       l->load_file ? strerror(-err) : "files cannot be read here");
    vnrs_diag_help(l->diags, d, "'configText' holds the configuration itself");
}

// Keys of `run` that exclude each other.
static void check_run_keys(struct vnrs_loader *l, const struct vnrs_node *node)
{
    static const char *const pairs[][2] = {
        {"config", "configText"}, {"config", "exec"},     {"configText", "exec"},
        {"announce", "exec"},     {"config", "announce"}, {"configText", "announce"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        const struct vnrs_node *a = vnrs_node_get(node, pairs[i][0]), *b = vnrs_node_get(node, pairs[i][1]);
        if (!a || !b)
            continue;
        if (b->key_pos.line < a->key_pos.line ||
            (b->key_pos.line == a->key_pos.line && b->key_pos.col < a->key_pos.col)) {
            const struct vnrs_node *first = b;
            b = a;
            a = first;
        }
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_KEY_CONFLICT, b->key_pos, "run with both '%s' and '%s'", a->key, b->key);
        vnrs_diag_note(l->diags, d, a->key_pos, "'%s' is here", a->key);
    }
}

static void parse_run_kind(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_run *run)
{
    const struct vnrs_node *kind = vnrs_node_get(node, "kind"), *exec = vnrs_node_get(node, "exec");

    run->kind = exec && !kind ? VNRS_RUN_EXEC : VNRS_RUN_NONE;
    if (!kind && !exec) {
        if (!vnrs_node_has(node, "kind") && !vnrs_node_has(node, "exec"))
            (void)loader_error(l, VNRS_V_MISSING_KEY, node->pos, "run without 'kind'");
        return;
    }
    if (!kind)
        return;
    run->kind = (enum vnrs_run_kind)vnrs_read_enum(node, "kind", vnrs_run_kind_names, ARRAY_SIZE(vnrs_run_kind_names),
                                                   VNRS_RUN_NONE);
    if (run->kind == VNRS_RUN_EXEC && !exec)
        (void)loader_error(l, VNRS_V_MISSING_KEY, node->pos, "run of kind exec without 'exec'");
    else if (run->kind != VNRS_RUN_EXEC && exec) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_KEY_CONFLICT, exec->key_pos, "run of kind %s with 'exec'", kind->text);
        vnrs_diag_note(l->diags, d, kind->pos, "the kind is here");
    }
}

void vnrs_model_parse_run(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_run *run)
{
    const struct vnrs_node *announce = vnrs_node_get(node, "announce"), *exec = vnrs_node_get(node, "exec");

    if (!node)
        return;
    run->pos = node->pos;
    parse_run_kind(l, node, run);
    check_run_keys(l, node);
    const struct vnrs_node *asn = vnrs_node_get(node, "asn");
    run->asn = vnrs_read_number(node, "asn", 0);
    vnrs_loader_mark(l, &run->asn, asn ? asn->pos : node->pos);
    parse_config(l, node, run);
    if (announce && (run->announce.items = vnrs_loader_alloc(l, announce->n * sizeof(*run->announce.items))))
        node_foreach (a, announce)
            if (!a->bad)
                parse_announce(l, a, &run->announce.items[run->announce.len++]);
    if (exec && (run->argv.items = vnrs_loader_alloc(l, (exec->n + 1) * sizeof(*run->argv.items))))
        node_foreach (arg, exec)
            if (!arg->bad)
                run->argv.items[run->argv.len++] = vnrs_loader_strdup(l, arg->text);
}

static void parse_link(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_impair *impair)
{
    const struct vnrs_node *loss = vnrs_node_get(node, "loss"), *rate = vnrs_node_get(node, "rate");
    const struct vnrs_node *delay = vnrs_node_get(node, "delay"), *jitter = vnrs_node_get(node, "jitter");

    impair->down = vnrs_read_bool(node, "down", false);
    if ((loss && vnrs_loss_parse(loss->text, &impair->loss_ppm) < 0) ||
        (rate && vnrs_rate_parse(rate->text, &impair->rate_kbit) < 0) ||
        (delay && vnrs_delay_parse(delay->text, &impair->delay_us) < 0) ||
        (jitter && vnrs_delay_parse(jitter->text, &impair->jitter_us) < 0))
        return; // the schema has refused it
    if (!jitter || impair->jitter_us <= impair->delay_us)
        return;
    struct vnrs_diag *d =
        loader_error(l, VNRS_V_LINK_JITTER, jitter->pos, "jitter of %s is more than the delay", jitter->text);
    if (delay)
        vnrs_diag_note(l->diags, d, delay->pos, "the delay is here");
    vnrs_diag_help(l->diags, d, "no packet arrives before it was sent: 'delay' is at least as long");
}

static void parse_nic(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_machine *machine,
                      struct vnrs_nic *nic)
{
    const struct vnrs_node *one = vnrs_node_get(node, "privateIp"), *several = vnrs_node_get(node, "privateIps");
    const struct vnrs_node *attach = vnrs_node_get(node, "attach");
    unsigned number = (unsigned)(nic - machine->nics.items);

    nic->pos = node->pos;
    nic->machine = machine;
    nic->index = (unsigned)l->n_nics++;
    vnrs_read_ref(l, vnrs_node_get(node, "subnet"), VNRS_REF_SUBNET, (void **)&nic->subnet);
    if (one && several) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_KEY_CONFLICT, several->key_pos, "NIC with both 'privateIp' and 'privateIps'");
        vnrs_diag_note(l->diags, d, one->key_pos, "the other is here");
    }
    vnrs_read_addrs(l, one ? one : several, &nic->ips);
    nic->forwarding = vnrs_read_bool(node, "enableIPForwarding", false);
    nic->mtu = vnrs_read_number(node, "mtu", MTU_DEFAULT);
    nic->attach = attach;
    if (vnrs_node_get(node, "link")) {
        parse_link(l, vnrs_node_get(node, "link"), &nic->link);
        vnrs_loader_mark(l, &nic->link, vnrs_node_get(node, "link")->pos);
    }
    nic->ifname = attach ? vnrs_loader_strdup(l, attach->text) : vnrs_arena_printf(l->model->arena, "eth%u", number);
    if (attach && (strlen(attach->text) > 15 || strpbrk(attach->text, "/ \t") || attach->text[0] == '.')) {
        struct vnrs_diag *d =
            loader_error(l, VNRS_V_BAD_NAME, attach->pos, "'%s' of attach: not the name of an interface", attach->text);
        vnrs_diag_help(l->diags, d, "at most 15 characters, without '/' and blanks");
    }
    if (attach)
        vnrs_loader_mark(l, &nic->ifname, attach->pos);
    if (machine->name && nic->ifname)
        nic->name = vnrs_arena_printf(l->model->arena, "%s/%s", machine->name, nic->ifname);
    if (!nic->name)
        nic->name = "";
}

// At most one of the three ways to name a namespace; without any, ours, or our own process' with attached interfaces.
static void parse_netns(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_machine *machine)
{
    static const char *const keys[] = {"netns", "pid", "container"};
    const struct vnrs_node *given = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct vnrs_node *member = vnrs_node_get(node, keys[i]);
        if (member && given) {
            struct vnrs_diag *d = loader_error(l, VNRS_V_KEY_CONFLICT, member->key_pos,
                                               "machine with both '%s' and '%s'", given->key, member->key);
            vnrs_diag_note(l->diags, d, given->key_pos, "'%s' is here", given->key);
        }
        given = given ? given : member;
    }
    if (!given) {
        list_foreach (nic, &machine->nics)
            if (nic->attach)
                machine->netns = VNRS_NETNS_SELF;
    } else if (strcmp(given->key, "pid") == 0) {
        machine->netns = VNRS_NETNS_PID;
        machine->pid = (int)vnrs_read_number(node, "pid", 0);
    } else if (strcmp(given->key, "container") == 0) {
        machine->netns = VNRS_NETNS_CONTAINER;
        machine->netns_ref = vnrs_read_text(l, node, "container");
    } else {
        machine->netns = VNRS_NETNS_PATH;
        machine->netns_ref = strchr(given->text, '/')
                                 ? vnrs_loader_strdup(l, given->text)
                                 : vnrs_arena_printf(l->model->arena, "/run/netns/%s", given->text);
    }
}

static void parse_machine(struct vnrs_loader *l, const struct vnrs_node *node, const char *name,
                          struct vnrs_machine *machine)
{
    const struct vnrs_node *nics = vnrs_node_get(node, "nics"), *name_node = vnrs_node_get(node, "name");

    machine->name = name;
    machine->pos = node->pos;
    vnrs_read_name(l, VNRS_REF_MACHINE, "machine", name, name_node ? name_node->pos : node->pos, machine);
    if (nics && (machine->nics.items = vnrs_loader_alloc(l, nics->n * sizeof(*machine->nics.items))))
        node_foreach (nic, nics)
            if (!nic->bad)
                parse_nic(l, nic, machine, &machine->nics.items[machine->nics.len++]);
    parse_netns(l, node, machine);
    vnrs_model_parse_run(l, vnrs_node_get(node, "run"), &machine->run);
    vnrs_read_hosts(l, vnrs_node_get(node, "hosts"), &machine->hosts.items, &machine->hosts.len);
    machine->inject = (struct vnrs_inject){
        .on = true, .table = VNRS_RT_TABLE_MAIN, .protocol = VNRS_RTPROT, .metric = METRIC_DEFAULT};
    parse_inject(l->inject, &machine->inject);
    list_foreach (nic, &machine->nics)
        if (nic->forwarding)
            machine->inject.on = false;
    parse_inject(vnrs_node_get(node, "inject"), &machine->inject);
    if (machine->inject.table == VNRS_RT_TABLE_DEFAULT || machine->inject.table == VNRS_RT_TABLE_LOCAL) {
        struct vnrs_diag *d = loader_error(l, VNRS_V_INJECT_TABLE, node->pos, "injection into table %u of machine '%s'",
                                           machine->inject.table, name ? name : "?");
        vnrs_diag_help(l->diags, d, "tables 253 (default) and 255 (local) belong to the kernel; 254 is main");
    }
}

// What cannot be shared by all machines of a counted set.
static void refuse_in_set(struct vnrs_loader *l, const struct vnrs_node *map, const char *key,
                          const struct vnrs_node *name)
{
    struct vnrs_node *found = vnrs_node_get(map, key);

    if (!found)
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_COUNTED, found->key_pos, "'%s' in a counted set of machines", key);
    vnrs_diag_note(l->diags, d, name->pos, "the set is named here");
    vnrs_diag_help(l->diags, d, "all machines of the set would have the same; write them one by one");
    found->bad = true;
}

static void check_set(struct vnrs_loader *l, const struct vnrs_node *node, const struct vnrs_node *name)
{
    static const char *const machine_keys[] = {"netns", "pid", "container", "hosts", "run"};
    static const char *const nic_keys[] = {"privateIp", "privateIps", "attach"};

    for (size_t i = 0; i < ARRAY_SIZE(machine_keys); i++)
        refuse_in_set(l, node, machine_keys[i], name);
    node_foreach (nic, vnrs_node_get(node, "nics"))
        for (size_t i = 0; i < ARRAY_SIZE(nic_keys); i++)
            refuse_in_set(l, nic, nic_keys[i], name);
}

// How many machines an entry stands for; 0: its name is no good, which is reported.
static unsigned count_machines(struct vnrs_loader *l, const struct vnrs_node *node, struct counted *c)
{
    const struct vnrs_node *name = vnrs_node_get(node, "name");

    *c = (struct counted){0};
    if (!name)
        return 1;
    if (parse_counted(name->text, c) < 0 || !counted_name(l, c, c->last)) {
        struct vnrs_diag *d = loader_error(l, VNRS_V_BAD_NAME, name->pos, "'%s' of name: not a name", name->text);
        vnrs_diag_help(l->diags, d,
                       "letters, digits, '-' and '_', a letter or digit first, at most %d; a set is written vm-{1..10}",
                       VNRS_NAME_LEN_MAX);
        return 0;
    }
    if (c->is_set)
        check_set(l, node, name);
    return c->is_set ? c->last - c->first + 1 : 1;
}

void vnrs_model_parse_machines(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;
    struct counted c;
    size_t room = 0, n_nics = 0;

    node_foreach (node, list) {
        if (node->bad || node->kind != VNRS_NODE_MAP)
            continue;
        const struct vnrs_node *nics = vnrs_node_get(node, "nics");
        size_t n = count_machines(l, node, &c);
        n_nics += n * (nics ? nics->n : 0);
        if (n_nics > VNRS_MODEL_NICS_MAX || n > VNRS_MODEL_NICS_MAX) {
            struct vnrs_diag *d =
                loader_error(l, VNRS_V_TOO_MANY, node->pos, "more than %u NICs in one lab", VNRS_MODEL_NICS_MAX);
            vnrs_diag_help(l->diags, d, "the data plane has no room for more; 'limits: none' does not change that");
            break;
        }
        room += n;
    }
    if (!(m->machines.items = vnrs_loader_alloc(l, (room + l->n_others) * sizeof(*m->machines.items))))
        return;
    node_foreach (node, list) {
        if (node->bad || node->kind != VNRS_NODE_MAP)
            continue;
        const struct vnrs_node *name = vnrs_node_get(node, "name");
        if (name && (parse_counted(name->text, &c) < 0 || !counted_name(l, &c, c.last)))
            continue;
        c = name ? c : (struct counted){0};
        for (unsigned i = c.first; i <= c.last && m->machines.len < room; i++)
            parse_machine(l, node, name ? counted_name(l, &c, i) : NULL, &m->machines.items[m->machines.len++]);
    }
    m->n_user_machines = m->machines.len;
}

static void parse_expect(struct vnrs_loader *l, const struct vnrs_node *expect, struct vnrs_test *test)
{
    bool is_map = expect && expect->kind == VNRS_NODE_MAP;

    if (test->kind == VNRS_TEST_NEXT_HOP) {
        if (!is_map || (!vnrs_node_has(expect, "nextHopType") && !vnrs_node_has(expect, "nextHopIp"))) {
            struct vnrs_diag *d = loader_error(l, VNRS_V_TEST_EXPECT, expect ? expect->pos : test->pos,
                                               "next hop test '%s' expects nothing", test->name ? test->name : "?");
            vnrs_diag_help(l->diags, d, "write expect: {nextHopType: None} or expect: {nextHopIp: 10.0.2.4}");
            return;
        }
        const struct vnrs_node *type = vnrs_node_get(expect, "nextHopType");
        test->has_type = type;
        test->ecmp = type && strcmp(type->text, VNRS_NEXTHOP_APPLIANCE_ECMP) == 0;
        test->type = test->ecmp ? VNRS_NH_APPLIANCE
                                : (enum vnrs_nexthop_type)vnrs_read_enum(expect, "nextHopType", vnrs_nexthop_names,
                                                                         _VNRS_NH_MAX, 0);
        test->has_next_hops = vnrs_node_get(expect, "nextHopIp");
        vnrs_read_addrs(l, vnrs_node_get(expect, "nextHopIp"), &test->next_hops);
    } else if (is_map) {
        struct vnrs_diag *d = loader_error(l, VNRS_V_TEST_EXPECT, expect->pos, "test '%s' does not look up a next hop",
                                           test->name ? test->name : "?");
        vnrs_diag_help(l->diags, d, "ping and connect expect ok or fail; a next hop test has 'to'");
    } else {
        test->expect_fail = expect && strcmp(expect->text, "fail") == 0;
    }
}

// Returns false when it is not clear what is tested.
static bool parse_target(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_test *test)
{
    static const struct {
        const char *key;
        enum vnrs_test_kind kind;
    } targets[] = {{"to", VNRS_TEST_NEXT_HOP}, {"ping", VNRS_TEST_PING}, {"connect", VNRS_TEST_CONNECT}};
    struct vnrs_node *given = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct vnrs_node *member = vnrs_node_get(node, targets[i].key);
        if (!member)
            continue;
        if (given) {
            struct vnrs_diag *d = loader_error(l, VNRS_V_TEST_TARGET, member->key_pos, "test with both '%s' and '%s'",
                                               given->key, member->key);
            vnrs_diag_note(l->diags, d, given->key_pos, "'%s' is here", given->key);
            return false;
        }
        given = member;
        test->kind = targets[i].kind;
    }
    if (!given) {
        if (vnrs_node_has(node, "to") || vnrs_node_has(node, "ping") || vnrs_node_has(node, "connect"))
            return false;
        struct vnrs_diag *d = loader_error(l, VNRS_V_TEST_TARGET, node->pos, "test without a destination");
        vnrs_diag_help(l->diags, d, "one of: to (next hop), ping, connect");
        return false;
    }
    if (vec_push(&l->targets, (struct vnrs_target){.node = given, .test = test}) < 0)
        l->diags->failed = true;
    return true;
}

static void parse_test(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_test *test)
{
    const struct vnrs_node *port = vnrs_node_get(node, "port");

    test->name = vnrs_read_text(l, node, "name");
    test->pos = node->pos;
    vnrs_read_ref(l, vnrs_node_get(node, "from"), VNRS_REF_MACHINE, (void **)&test->from);
    if (!parse_target(l, node, test))
        return;
    test->port = vnrs_read_number(node, "port", 0);
    bool wants = test->kind == VNRS_TEST_CONNECT;
    if (wants && !vnrs_node_has(node, "port"))
        (void)loader_error(l, VNRS_V_TEST_PORT, node->pos, "test connects without a port");
    else if (!wants && port)
        (void)loader_error(l, VNRS_V_TEST_PORT, port->key_pos, "only a connect test has a port");
    parse_expect(l, vnrs_node_get(node, "expect"), test);
}

void vnrs_model_parse_tests(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;

    if (!list || !(m->tests.items = vnrs_loader_alloc(l, list->n * sizeof(*m->tests.items))))
        return;
    node_foreach (node, list)
        if (!node->bad && node->kind == VNRS_NODE_MAP)
            parse_test(l, node, &m->tests.items[m->tests.len++]);
}
