// SPDX-License-Identifier: GPL-2.0-or-later
// Functions of the template itself, of resources and of address ranges (Azure docs: "Resource functions", "Deployment
// functions", "CIDR functions" of ARM templates). The subscription and the resource group of a lab are made up.
#include "cli/arm_expr.h"

#include "net/addr.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SUBSCRIPTION_ID "/subscriptions/00000000-0000-0000-0000-000000000000"
#define GROUP_ID        SUBSCRIPTION_ID "/resourceGroups/lab"

static json_t *fn_parameters(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *name = json_string_value(args[0]);
    json_t *value = name ? vnrs_arm_get(scope->parameters, name) : NULL;

    return value ? json_incref(value) : vnrs_arm_fail(scope, "parameter '%s' has no value", name ? name : "");
}

// As it is written: a member of `variables`, or one of its copy loops as an object of its own.
static json_t *variable_source(const struct vnrs_arm_scope *scope, const char *name)
{
    json_t *found = vnrs_arm_get(scope->variables, name), *copies = vnrs_arm_get(scope->variables, "copy");

    if (found)
        return json_incref(found);
    for (size_t i = 0; i < json_array_size(copies); i++) {
        json_t *copy = json_array_get(copies, i);
        const char *copy_name = json_string_value(vnrs_arm_get(copy, "name"));
        if (copy_name && strcasecmp(copy_name, name) == 0)
            return json_pack("{s:[O]}", "copy", copy);
    }
    return NULL;
}

static void remember(void *arg, VNRS_UNUSED const char *property, VNRS_UNUSED const char *why)
{
    *(bool *)arg = true; // `error` of the scope has it
}

static json_t *fn_variables(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    const char *name = json_string_value(args[0]);
    json_t *known = name ? vnrs_arm_get(scope->known, name) : NULL;
    json_t *source = name && !known ? variable_source(scope, name) : NULL;
    bool is_lost = false;

    if (known)
        return json_incref(known);
    if (!source)
        return vnrs_arm_fail(scope, "there is no variable '%s'", name ? name : "");
    json_t *value = vnrs_arm_tree(scope, source, remember, &is_lost);
    json_decref(source);
    json_t *list = json_is_object(value) ? vnrs_arm_get(value, name) : NULL;
    if (list && json_object_size(value) == 1 && !vnrs_arm_get(scope->variables, name)) { // a copy loop
        json_incref(list);
        json_decref(value);
        value = list;
    }
    if (is_lost) {
        json_decref(value);
        return NULL;
    }
    (void)json_object_set(scope->known, name, value);
    return value;
}

static json_t *fn_copy_index(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    const char *name = n && json_is_string(args[0]) ? json_string_value(args[0]) : scope->loop;
    const json_t *index = name ? vnrs_arm_get(scope->loops, name) : NULL;
    json_int_t offset = n && json_is_integer(args[n - 1]) ? json_integer_value(args[n - 1]) : 0;

    if (!index)
        return vnrs_arm_fail(scope, "copyIndex() is in no copy loop");
    return json_integer(json_integer_value(index) + MIN(MAX(offset, INT32_MIN), INT32_MAX));
}

// "Microsoft.Network/virtualNetworks/subnets" with "hub", "default" after `before`.
static json_t *make_id(struct vnrs_arm_scope *scope, const char *before, json_t *const *args, size_t n)
{
    struct vnrs_strbuf buf = {0};
    size_t t = 0, name;

    while (t < n && !(json_is_string(args[t]) && strchr(json_string_value(args[t]), '/') &&
                      json_string_value(args[t])[0] != '/'))
        t++; // subscription and resource group
    if (t == n)
        return vnrs_arm_fail(scope, "resourceId() has no type");
    const char *type = json_string_value(args[t]), *part = strchr(type, '/');
    vnrs_strbuf_printf(&buf, "%s/providers/%.*s", before, (int)(part - type), type);
    for (name = t + 1; part && name < n; name++) {
        size_t len = strcspn(part + 1, "/");
        vnrs_strbuf_printf(&buf, "/%.*s/%s", (int)len, part + 1,
                           json_is_string(args[name]) ? json_string_value(args[name]) : "");
        part = part[1 + len] ? part + 1 + len : NULL;
    }
    json_t *id = part || name < n || buf.failed
                     ? vnrs_arm_fail(scope, "resourceId() has a name for each part of the type")
                     : json_string(buf.text);
    vnrs_strbuf_fini(&buf);
    return id;
}

static json_t *fn_resource_id(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    return make_id(scope, GROUP_ID, args, n);
}

static json_t *fn_subscription_resource_id(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    return make_id(scope, SUBSCRIPTION_ID, args, n);
}

static json_t *fn_tenant_resource_id(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    return make_id(scope, "", args, n);
}

static json_t *fn_extension_resource_id(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    const char *base = json_string_value(args[0]);
    return base ? make_id(scope, base, args + 1, n - 1) : vnrs_arm_fail(scope, "extensionResourceId() needs an id");
}

static json_t *fn_resource_group(VNRS_UNUSED struct vnrs_arm_scope *scope, VNRS_UNUSED json_t *const *args,
                                 VNRS_UNUSED size_t n)
{
    return json_pack("{s:s, s:s, s:s, s:{}}", "id", GROUP_ID, "name", "lab", "location", "", "tags");
}

static json_t *fn_subscription(VNRS_UNUSED struct vnrs_arm_scope *scope, VNRS_UNUSED json_t *const *args,
                               VNRS_UNUSED size_t n)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "id", SUBSCRIPTION_ID, "subscriptionId",
                     "00000000-0000-0000-0000-000000000000", "tenantId", "00000000-0000-0000-0000-000000000000",
                     "displayName", "lab");
}

static json_t *fn_deployment(VNRS_UNUSED struct vnrs_arm_scope *scope, VNRS_UNUSED json_t *const *args,
                             VNRS_UNUSED size_t n)
{
    return json_pack("{s:s, s:s}", "name", "lab", "location", "");
}

static json_t *fn_reference(struct vnrs_arm_scope *scope, json_t *const *args, size_t n)
{
    if (!scope->reference)
        return vnrs_arm_fail(scope, "reference() is known only where it is deployed");
    return scope->reference(scope, args, n);
}

// ---- ranges

static bool read_prefix(struct vnrs_arm_scope *scope, const json_t *text, struct vnrs_prefix *ret_prefix)
{
    const char *range = json_is_string(text) ? json_string_value(text) : "";
    int err = vnrs_prefix_parse(range, ret_prefix);

    if (err < 0 && err != -ERANGE)
        vnrs_arm_fail(scope, "'%.50s' is no address range", range);
    return err == 0 || err == -ERANGE;
}

static json_t *addr_json(const struct vnrs_addr *addr)
{
    char text[VNRS_ADDR_STR_MAX];
    return json_string(vnrs_addr_format(addr, text));
}

// Its i-th part of the given length.
static json_t *fn_cidr_subnet(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    struct vnrs_prefix range;
    json_int_t len = json_integer_value(args[1]), i = json_integer_value(args[2]);
    char text[VNRS_PREFIX_STR_MAX];

    if (!read_prefix(scope, args[0], &range))
        return NULL;
    unsigned bits = vnrs_af_bits(range.family);
    if (len < range.len || len > bits || i < 0 || (len - range.len < 32 && i >= INT64_C(1) << (len - range.len)))
        return vnrs_arm_fail(scope, "cidrSubnet() goes beyond the range");
    struct vnrs_addr addr = vnrs_prefix_addr(&range);
    unsigned shift = bits - (unsigned)len;
    // Bit by bit from the lowest of the number on: it may lie anywhere in 128 bits.
    for (unsigned b = 0; b < 32 && b + shift < bits; b++)
        if (i >> b & 1)
            addr.bytes[(bits - 1 - b - shift) / 8] |= (uint8_t)(1u << ((b + shift) % 8));
    range = vnrs_prefix_make(&addr, (unsigned)len);
    return json_string(vnrs_prefix_format(&range, text));
}

// The i-th usable address: 0 is the one after the network's own.
static json_t *fn_cidr_host(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    struct vnrs_prefix range;
    json_int_t i = json_integer_value(args[1]);

    if (!read_prefix(scope, args[0], &range))
        return NULL;
    struct vnrs_addr addr = vnrs_prefix_addr(&range);
    if (i >= 0 && i < UINT32_MAX)
        addr = vnrs_addr_add(&addr, (uint64_t)i + 1);
    if (i < 0 || i >= UINT32_MAX || !vnrs_prefix_contains_addr(&range, &addr))
        return vnrs_arm_fail(scope, "cidrHost() goes beyond the range");
    return addr_json(&addr);
}

static json_t *fn_parse_cidr(struct vnrs_arm_scope *scope, json_t *const *args, VNRS_UNUSED size_t n)
{
    struct vnrs_prefix range;

    if (!read_prefix(scope, args[0], &range))
        return NULL;
    struct vnrs_addr network = vnrs_prefix_addr(&range), broadcast = vnrs_prefix_last(&range);
    struct vnrs_addr first = vnrs_addr_add(&network, 1), last = broadcast;
    last.bytes[vnrs_af_bits(range.family) / 8 - 1] &= 0xfe;
    return json_pack("{s:o, s:o, s:o, s:o, s:i}", "network", addr_json(&network), "broadcast", addr_json(&broadcast),
                     "firstUsable", addr_json(&first), "lastUsable", addr_json(&last), "cidr", (int)range.len);
}

const struct vnrs_arm_fn vnrs_arm_id_fns[] = {
    {"parameters", 1, 1, fn_parameters},
    {"variables", 1, 1, fn_variables},
    {"copyIndex", 0, 2, fn_copy_index},
    {"resourceId", 2, -1, fn_resource_id},
    {"subscriptionResourceId", 2, -1, fn_subscription_resource_id},
    {"tenantResourceId", 2, -1, fn_tenant_resource_id},
    {"extensionResourceId", 3, -1, fn_extension_resource_id},
    {"resourceGroup", 0, 0, fn_resource_group},
    {"subscription", 0, 0, fn_subscription},
    {"deployment", 0, 0, fn_deployment},
    {"reference", 1, 3, fn_reference},
    {"cidrSubnet", 3, 3, fn_cidr_subnet},
    {"cidrHost", 2, 2, fn_cidr_host},
    {"parseCidr", 1, 1, fn_parse_cidr},
    {NULL, 0, 0, NULL},
};
