// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_lpm.h"

#include "fib/bpf_map.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#define DOMAIN_BITS 32

union route_key {
    struct vnrs_bpf_route_key4 v4;
    struct vnrs_bpf_route_key6 v6;
};

// Returns the map that the key is for.
static int route_key(const struct vnrs_bpf_lpm *lpm, uint32_t domain, const struct vnrs_prefix *prefix,
                     union route_key *ret_key)
{
    *ret_key = (union route_key){0};
    if (prefix->family == VNRS_AF_IPV4) {
        ret_key->v4 = (struct vnrs_bpf_route_key4){.prefixlen = DOMAIN_BITS + prefix->len, .domain_be = htonl(domain)};
        memcpy(&ret_key->v4.addr_be, prefix->bytes, 4);
        return lpm->fd4;
    }
    ret_key->v6 = (struct vnrs_bpf_route_key6){.prefixlen = DOMAIN_BITS + prefix->len, .domain_be = htonl(domain)};
    memcpy(ret_key->v6.addr, prefix->bytes, 16);
    return lpm->fd6;
}

int vnrs_bpf_lpm_put(const struct vnrs_bpf_lpm *lpm, uint32_t domain, const struct vnrs_prefix *prefix,
                     const struct vnrs_bpf_route *route)
{
    union route_key key;
    int fd = route_key(lpm, domain, prefix, &key);

    return bpf_map_update_elem(fd, &key, route, BPF_ANY);
}

int vnrs_bpf_lpm_remove(const struct vnrs_bpf_lpm *lpm, uint32_t domain, const struct vnrs_prefix *prefix)
{
    union route_key key;
    int fd = route_key(lpm, domain, prefix, &key), err = bpf_map_delete_elem(fd, &key);

    return err == -ENOENT ? 0 : err;
}

struct walk {
    vnrs_bpf_lpm_fn fn;
    void *arg;
};

static int walk4(const void *key, const void *value, void *arg)
{
    const struct vnrs_bpf_route_key4 *k = key;
    struct vnrs_prefix prefix = {.family = VNRS_AF_IPV4, .len = (uint8_t)(k->prefixlen - DOMAIN_BITS)};
    struct walk *walk = arg;

    memcpy(prefix.bytes, &k->addr_be, 4);
    return walk->fn(ntohl(k->domain_be), &prefix, value, walk->arg);
}

static int walk6(const void *key, const void *value, void *arg)
{
    const struct vnrs_bpf_route_key6 *k = key;
    struct vnrs_prefix prefix = {.family = VNRS_AF_IPV6, .len = (uint8_t)(k->prefixlen - DOMAIN_BITS)};
    struct walk *walk = arg;

    memcpy(prefix.bytes, k->addr, 16);
    return walk->fn(ntohl(k->domain_be), &prefix, value, walk->arg);
}

int vnrs_bpf_lpm_walk(const struct vnrs_bpf_lpm *lpm, vnrs_bpf_lpm_fn fn, void *arg)
{
    struct walk walk = {fn, arg};
    int err =
        vnrs_bpf_map_walk(lpm->fd4, sizeof(struct vnrs_bpf_route_key4), sizeof(struct vnrs_bpf_route), walk4, &walk);

    if (err)
        return err;
    return vnrs_bpf_map_walk(lpm->fd6, sizeof(struct vnrs_bpf_route_key6), sizeof(struct vnrs_bpf_route), walk6, &walk);
}
