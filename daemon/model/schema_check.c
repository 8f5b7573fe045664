// SPDX-License-Identifier: GPL-2.0-or-later
// Checks that need nothing but the schema table: keys, types, enum values, ranges, the form of names and addresses.
#include "model/diag_ids.h"
#include "model/impair.h"
#include "model/model.h"
#include "model/schema.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SUGGEST_LEN_MAX 64

// Letters and digits in lower case: 'address-prefix' is then the same as 'addressPrefix'.
static size_t fold(const char *text, char out[static SUGGEST_LEN_MAX])
{
    size_t n = 0;
    for (; *text && n < SUGGEST_LEN_MAX - 1; text++)
        if (isalnum((unsigned char)*text))
            out[n++] = (char)tolower((unsigned char)*text);
    out[n] = '\0';
    return n;
}

// Levenshtein distance of two short texts.
static unsigned distance(const char *a, const char *b)
{
    char x[SUGGEST_LEN_MAX], y[SUGGEST_LEN_MAX];
    unsigned row[SUGGEST_LEN_MAX];
    size_t nx = fold(a, x), ny = fold(b, y);

    for (size_t j = 0; j <= ny; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= nx; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= ny; j++) {
            unsigned substituted = diagonal + (x[i - 1] != y[j - 1]);
            diagonal = row[j];
            row[j] = MIN(substituted, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[ny];
}

const char *vnrs_schema_suggest(const char *text, const char *(*next)(void *arg), void *arg)
{
    const char *best = NULL, *candidate;
    unsigned best_distance = (unsigned)MIN(strlen(text), (size_t)SUGGEST_LEN_MAX) / 3 + 1;

    while ((candidate = next(arg))) {
        unsigned d = distance(text, candidate);
        if (d < best_distance || (d == best_distance && !best && d <= 2 && d < strlen(text))) {
            best = candidate;
            best_distance = d;
        }
    }
    return best;
}

static const char *next_value(void *arg)
{
    const char *const **at = arg;
    return **at ? *(*at)++ : NULL;
}

struct key_walk {
    const struct vnrs_schema *schema;
    size_t at;
};

static const char *next_key(void *arg)
{
    struct key_walk *walk = arg;
    return walk->at < walk->schema->n_keys ? walk->schema->keys[walk->at++].key : NULL;
}

bool vnrs_schema_is_name(const char *text, bool dots)
{
    size_t len = strlen(text);

    if (len == 0 || len > VNRS_NAME_LEN_MAX || !isalnum((unsigned char)text[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_' && !(dots && text[i] == '.'))
            return false;
    return true;
}

static bool is_tag(const char *text)
{
    return isalpha((unsigned char)text[0]) && vnrs_schema_is_name(text, true);
}

static bool is_subnet_ref(const char *text)
{
    char vnet[VNRS_NAME_LEN_MAX + 1];
    const char *slash = strchr(text, '/');

    if (!slash || (size_t)(slash - text) >= sizeof(vnet))
        return false;
    memcpy(vnet, text, (size_t)(slash - text));
    vnet[slash - text] = '\0';
    return vnrs_schema_is_name(vnet, false) && vnrs_schema_is_name(slash + 1, false);
}

static bool is_number(const struct vnrs_node *node)
{
    size_t digits = strspn(node->text, "0123456789");
    return node->plain && digits > 0 && !node->text[digits] && (digits == 1 || node->text[0] != '0');
}

static bool in_range(const struct vnrs_node *node, const struct vnrs_schema_key *key)
{
    errno = 0;
    unsigned long value = strtoul(node->text, NULL, 10);
    return errno == 0 && value >= key->min && value <= key->max;
}

static bool has_value(const struct vnrs_schema_key *key, const char *text)
{
    for (const char *const *v = key->values; *v; v++)
        if (strcmp(*v, text) == 0)
            return true;
    return false;
}

static size_t text_max(const struct vnrs_schema_key *key)
{
    return key->max ? key->max : VNRS_TEXT_BYTES_MAX;
}

// Values with a unit.
static const struct quantity {
    unsigned type;
    const char *wrong, *help;
} quantities[] = {
    {VNRS_T_LOSS, VNRS_LOSS_WRONG, VNRS_LOSS_HELP},
    {VNRS_T_RATE, VNRS_RATE_WRONG, VNRS_RATE_HELP},
    {VNRS_T_DELAY, VNRS_DELAY_WRONG, VNRS_DELAY_HELP},
};

static const struct quantity *quantity_of(unsigned types)
{
    for (size_t i = 0; i < ARRAY_SIZE(quantities); i++)
        if (types & quantities[i].type)
            return &quantities[i];
    return NULL;
}

static bool is_quantity(const char *text, unsigned types)
{
    uint32_t value;

    return ((types & VNRS_T_LOSS) && vnrs_loss_parse(text, &value) == 0) ||
           ((types & VNRS_T_RATE) && vnrs_rate_parse(text, &value) == 0) ||
           ((types & VNRS_T_DELAY) && vnrs_delay_parse(text, &value) == 0);
}

static bool is_text_of(const struct vnrs_node *node, const struct vnrs_schema_key *key)
{
    struct vnrs_addr addr;
    struct vnrs_prefix prefix;
    const char *text = node->text;

    return ((key->types & VNRS_T_ENUM) && has_value(key, text)) ||
           ((key->types & VNRS_T_INT) && is_number(node) && in_range(node, key)) ||
           ((key->types & VNRS_T_BOOL) && node->plain && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) ||
           ((key->types & VNRS_T_ADDR) && vnrs_addr_parse(text, &addr) == 0) ||
           ((key->types & VNRS_T_PREFIX) && vnrs_prefix_parse(text, &prefix) == 0) ||
           ((key->types & VNRS_T_NAME) && vnrs_schema_is_name(text, false)) ||
           ((key->types & VNRS_T_SERVICE) && vnrs_schema_is_name(text, true)) ||
           ((key->types & VNRS_T_SUBNET) && is_subnet_ref(text)) || ((key->types & VNRS_T_TAG) && is_tag(text)) ||
           is_quantity(text, key->types) ||
           // A counted name is taken apart, and refused where it makes no sense, by parse.c.
           ((key->types & (VNRS_T_TEXT | VNRS_T_COUNTED)) && *text && strlen(text) <= text_max(key));
}

static const char *type_phrase(const struct vnrs_schema_key *key)
{
    static const struct {
        unsigned type;
        const char *phrase;
    } phrases[] = {
        {VNRS_T_ENUM | VNRS_T_OBJECT, "one of the words it knows, or a map"},
        {VNRS_T_ENUM | VNRS_T_INT, "a number or one of the words it knows"},
        {VNRS_T_PREFIX | VNRS_T_OBJECT, "a prefix or a map"},
        {VNRS_T_PREFIX | VNRS_T_TAG, "a prefix or a service tag"},
        {VNRS_T_BOOL | VNRS_T_OBJECT, "true, false or a map"},
        {VNRS_T_ADDR, "an IP address"},
        {VNRS_T_PREFIX, "a prefix"},
        {VNRS_T_OBJECT, "a map"},
        {VNRS_T_BOOL, "true or false"},
        {VNRS_T_INT, "a number"},
        {VNRS_T_NAME, "a name"},
        {VNRS_T_COUNTED, "a name"},
        {VNRS_T_SERVICE, "the name of a service"},
        {VNRS_T_TAG, "the name of a service tag"},
        {VNRS_T_SUBNET, "a subnet, written <virtual network>/<subnet>"},
        {VNRS_T_LOSS, "a share of packets"},
        {VNRS_T_RATE, "a rate"},
        {VNRS_T_DELAY, "a time"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
        if ((key->types & phrases[i].type) == phrases[i].type)
            return phrases[i].phrase;
    return "text";
}

static struct vnrs_diag *refuse(struct vnrs_diags *diags, struct vnrs_node *node, unsigned id,
                                const struct vnrs_schema_key *key, const char *what)
{
    node->bad = true;
    return vnrs_diag_add(diags, VNRS_DIAG_ERROR, id, node->pos, "'%s' of %s: %s", node->text ? node->text : "",
                         key->key, what);
}

static void refuse_prefix(struct vnrs_node *node, const struct vnrs_schema_key *key, struct vnrs_diags *diags)
{
    struct vnrs_prefix meant;
    char text[VNRS_PREFIX_STR_MAX];

    if (vnrs_prefix_parse(node->text, &meant) == -ERANGE) {
        struct vnrs_diag *d = refuse(diags, node, VNRS_V_HOST_BITS, key, "has bits set after the prefix length");
        vnrs_diag_help(diags, d, "the network is %s", vnrs_prefix_format(&meant, text));
        return;
    }
    struct vnrs_diag *d = refuse(diags, node, VNRS_V_BAD_PREFIX, key,
                                 key->types & VNRS_T_TAG ? "neither a prefix nor a service tag" : "not a prefix");
    vnrs_diag_help(diags, d, "write it as 10.0.0.0/16 or 2001:db8::/64");
}

static void refuse_enum(struct vnrs_node *node, const struct vnrs_schema_key *key, struct vnrs_diags *diags)
{
    const char *const *at = key->values;
    const char *meant = vnrs_schema_suggest(node->text, next_value, &at);
    struct vnrs_diag *d = refuse(diags, node, VNRS_V_BAD_VALUE, key, "not a value that it can have");
    char list[256] = "";

    for (const char *const *v = key->values; *v; v++) {
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *v);
    }
    if (meant)
        vnrs_diag_help(diags, d, "did you mean '%s'?", meant);
    else
        vnrs_diag_help(diags, d, "possible: %s", list);
}

static void refuse_type(struct vnrs_node *node, const struct vnrs_schema_key *key, struct vnrs_diags *diags)
{
    const char *found = node->kind == VNRS_NODE_MAP ? "a map" : node->kind == VNRS_NODE_LIST ? "a list" : node->text;
    bool quote = node->kind == VNRS_NODE_SCALAR && *node->text;

    node->bad = true;
    (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_WRONG_TYPE, node->pos, "%s is %s, not %s%s%s", key->key,
                        (key->types & VNRS_T_LIST) ? "a list" : type_phrase(key), quote ? "'" : "",
                        *found ? found : "empty", quote ? "'" : "");
}

static void refuse_scalar(struct vnrs_node *node, const struct vnrs_schema_key *key, struct vnrs_diags *diags)
{
    const unsigned shapes = key->types & ~(unsigned)(VNRS_T_LIST | VNRS_T_ONE);

    if (!*node->text) {
        refuse_type(node, key, diags);
        return;
    }
    if (shapes & (VNRS_T_TEXT | VNRS_T_COUNTED)) {
        node->bad = true;
        (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_OUT_OF_RANGE, node->pos, "%s is longer than %zu bytes",
                            key->key, text_max(key));
    } else if ((shapes & VNRS_T_INT) && is_number(node)) {
        struct vnrs_diag *d = refuse(diags, node, VNRS_V_OUT_OF_RANGE, key, "out of range");
        vnrs_diag_help(diags, d, "possible: %lu to %lu", key->min, key->max);
    } else if (shapes & VNRS_T_ENUM)
        refuse_enum(node, key, diags);
    else if (shapes & VNRS_T_PREFIX)
        refuse_prefix(node, key, diags);
    else if (shapes & VNRS_T_ADDR)
        (void)refuse(diags, node, VNRS_V_BAD_ADDRESS, key, "not an IP address");
    else if (shapes & (VNRS_T_NAME | VNRS_T_SERVICE | VNRS_T_SUBNET | VNRS_T_TAG)) {
        struct vnrs_diag *d = refuse(diags, node, VNRS_V_BAD_NAME, key, "not a name");
        if (shapes & VNRS_T_SUBNET)
            vnrs_diag_help(diags, d, "write <virtual network>/<subnet>");
        else
            vnrs_diag_help(diags, d, "letters, digits, '-' and '_', a letter or digit first, at most %d",
                           VNRS_NAME_LEN_MAX);
    } else if (quantity_of(shapes)) {
        struct vnrs_diag *d = refuse(diags, node, VNRS_V_QUANTITY, key, quantity_of(shapes)->wrong);
        vnrs_diag_help(diags, d, "%s", quantity_of(shapes)->help);
    } else
        refuse_type(node, key, diags);
}

static void check_value(struct vnrs_node *node, const struct vnrs_schema_key *key, struct vnrs_diags *diags)
{
    if (node->kind == VNRS_NODE_MAP && (key->types & VNRS_T_OBJECT))
        vnrs_schema_check(node, key->object, diags);
    else if (node->kind != VNRS_NODE_SCALAR)
        refuse_type(node, key, diags);
    else if (!is_text_of(node, key))
        refuse_scalar(node, key, diags);
}

static void check_member(struct vnrs_node *node, const struct vnrs_schema_key *key, struct vnrs_diags *diags)
{
    struct vnrs_schema_key item = *key;

    if (!(key->types & VNRS_T_LIST)) {
        check_value(node, key, diags);
        return;
    }
    item.types &= ~(unsigned)(VNRS_T_LIST | VNRS_T_ONE);
    item.max = key->types & VNRS_T_INT ? key->max : 0;
    if (node->kind != VNRS_NODE_LIST) {
        if (key->types & VNRS_T_ONE)
            check_value(node, &item, diags);
        else
            refuse_type(node, key, diags);
        return;
    }
    if (node->n < key->min && !(key->types & VNRS_T_INT)) {
        node->bad = true;
        if (key->min > 1)
            (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_EMPTY_LIST, node->pos, "%s needs %lu entries or more",
                                key->key, key->min);
        else
            (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_EMPTY_LIST, node->pos, "%s must not be empty", key->key);
    }
    if (key->max && node->n > key->max && !(key->types & VNRS_T_INT)) {
        node->bad = true;
        (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_TOO_BIG, node->pos, "%s has %zu entries, more than %lu",
                            key->key, node->n, key->max);
        return;
    }
    node_foreach (child, node)
        check_value(child, &item, diags);
}

// What Azure has there and a topology file has not: what to do instead.
static const struct {
    const char *noun, *key, *help;
} absent[] = {
    {"topology", "networkSecurityGroups", "there are none here: the machines' own firewalls filter"},
    {"topology", "privateEndpoints", "there are none here: a machine in the subnet can stand for one"},
    {"topology", "natGateways", "packets leave by 'internet: {snat: true}', or through an appliance"},
    {"topology", "publicIPAddresses", "packets leave by 'internet: {snat: true}'; gateways and sites have 'publicIp'"},
    {"topology", "localNetworkGateways", "these are 'sites'"},
    {"topology", "expressRouteCircuits", "a connection of type ExpressRoute is a circuit"},
    {"topology", "virtualWans", "a hub of Virtual WAN is not a virtual network; there are none here"},
    {"virtual network", "peerings", "these are 'virtualNetworkPeerings', one for each direction"},
    {"virtual network", "flowTimeoutInMinutes", "there is no state of flows here that could time out"},
    {"virtual network", "summarizedGatewayPrefixes", "not here: Azure documents hardly more than the name"},
    {"subnet", "networkSecurityGroup", "there are none here: the machines' own firewalls filter"},
    {"subnet", "natGateway", "packets leave by 'internet: {snat: true}', or through an appliance"},
    {"subnet", "serviceEndpointPolicies", "there are none here: a service has 'allowedSubnets'"},
    {"subnet", "privateEndpointNetworkPolicies", "there are no private endpoints here"},
    {"subnet", "delegations", "they mean nothing for routing: leave them out"},
    {"service endpoint", "locations", "a service has the prefixes that 'services' gives it"},
    {"route", "hasBgpOverride", "Azure shows it and does not take it"},
    {"Route Server", "virtualRouterAsn", "a Route Server has ASN 65515"},
    {"Route Server", "publicIPAddress", "Azure manages a Route Server by it; none is needed here"},
    {"Route Server", "hostedSubnet", "it is in RouteServerSubnet of 'virtualNetwork'"},
    {"Route Server", "sku", "Azure has one only"},
    {"virtual network gateway", "enableBgp", "connections have 'enableBgp'"},
    {"NIC", "publicIPAddress", "packets leave by 'internet: {snat: true}'; nothing comes in by itself"},
    {"NIC", "publicIp", "packets leave by 'internet: {snat: true}'; nothing comes in by itself"},
    {"NIC", "networkSecurityGroup", "there are none here: the machine's own firewall filters"},
};

static const char *absent_help(const char *noun, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
        if (strcmp(absent[i].noun, noun) == 0 && strcmp(absent[i].key, key) == 0)
            return absent[i].help;
    return NULL;
}

// Returns the key that was probably meant, or NULL.
static const char *report_unknown(struct vnrs_node *member, const struct vnrs_schema *schema, struct vnrs_diags *diags)
{
    struct key_walk walk = {.schema = schema};
    const char *instead = absent_help(schema->noun, member->key);
    const char *meant = instead ? NULL : vnrs_schema_suggest(member->key, next_key, &walk);
    struct vnrs_diag *d = vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_UNKNOWN_KEY, member->key_pos,
                                        "unknown key '%s' in %s", member->key, schema->noun);

    member->bad = true;
    if (instead)
        vnrs_diag_help(diags, d, "%s", instead);
    else if (meant)
        vnrs_diag_help(diags, d, "did you mean '%s'?", meant);
    return meant;
}

// Keys of the object that are there, or were meant to be: bit i is schema->keys[i].
static uint64_t check_members(struct vnrs_node *root, const struct vnrs_schema *schema, struct vnrs_diags *diags)
{
    uint64_t seen = 0;

    node_foreach (member, root) {
        const struct vnrs_schema_key *key = vnrs_schema_find(schema, member->key);
        if (key && !member->bad)
            check_member(member, key, diags);
        if (!key) {
            const char *meant = report_unknown(member, schema, diags);
            key = meant ? vnrs_schema_find(schema, meant) : NULL;
        }
        if (key)
            seen |= UINT64_C(1) << (key - schema->keys);
    }
    return seen;
}

void vnrs_schema_check(struct vnrs_node *root, const struct vnrs_schema *schema, struct vnrs_diags *diags)
{
    if (root->kind != VNRS_NODE_MAP) {
        root->bad = true;
        (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_WRONG_TYPE, root->pos, "a %s is a map of keys and values",
                            schema->noun);
        return;
    }
    uint64_t seen = check_members(root, schema, diags);
    for (size_t i = 0; i < schema->n_keys; i++)
        if (schema->keys[i].required && !(seen >> i & 1))
            (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_MISSING_KEY, root->pos, "%s without '%s'", schema->noun,
                                schema->keys[i].key);
}
