// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/snat.h"

#include "lab/exec.h"
#include "net/addr.h"
#include "util/hash.h"
#include "util/strbuf.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// What nft takes as a name: keys of ours have nothing else in them.
const char *vnrs_snat_table(const char *key, char ret[static VNRS_SNAT_TABLE_MAX])
{
    (void)snprintf(ret, VNRS_SNAT_TABLE_MAX, "vnrs.%s", key);
    for (char *c = ret; *c; c++)
        if (!strchr("-_./", *c) && !isalnum((unsigned char)*c))
            *c = '_';
    return ret;
}

// NAT traversal makes ESP UDP as well, so that is all there is.
static void add_ike(struct vnrs_strbuf *buf, const struct vnrs_obj_snat *spec)
{
    const char *ip = spec->ike_peer.family == VNRS_AF_IPV4 ? "ip" : "ip6";
    char peer[VNRS_ADDR_STR_MAX], inside[VNRS_ADDR_STR_MAX];

    if (spec->ike_peer.family == VNRS_AF_NONE)
        return;
    vnrs_strbuf_printf(buf,
                       "  chain prerouting {\n"
                       "    type nat hook prerouting priority dstnat; policy accept;\n"
                       "    iifname \"%s\" %s saddr %s udp dport { 500, 4500 } dnat %s to %s\n"
                       "  }\n",
                       spec->ifname, ip, vnrs_addr_format(&spec->ike_peer, peer), ip,
                       vnrs_addr_format(&spec->ike_inside, inside));
}

static void add_rule(struct vnrs_strbuf *buf, const struct vnrs_obj_snat *spec, uint8_t family)
{
    char text[VNRS_PREFIX_STR_MAX];
    bool any = false;

    for (uint32_t i = 0; i < spec->n; i++) {
        if (spec->sources[i].family != family)
            continue;
        if (!any)
            vnrs_strbuf_printf(buf, "    oifname \"%s\" %s saddr { ", spec->ifname,
                               family == VNRS_AF_IPV4 ? "ip" : "ip6");
        vnrs_strbuf_printf(buf, "%s%s", any ? ", " : "", vnrs_prefix_format(&spec->sources[i], text));
        any = true;
    }
    if (any)
        vnrs_strbuf_puts(buf, " } masquerade\n");
}

char *vnrs_snat_script(const char *key, const struct vnrs_obj_snat *spec)
{
    struct vnrs_strbuf buf = {0};
    char name[VNRS_SNAT_TABLE_MAX];

    // Added first so that deleting never fails: one transaction, no moment without the rules.
    (void)vnrs_snat_table(key, name);
    vnrs_strbuf_printf(&buf, "add table inet %s\ndelete table inet %s\ntable inet %s {\n", name, name, name);
    add_ike(&buf, spec);
    vnrs_strbuf_puts(&buf, "  chain postrouting {\n"
                           "    type nat hook postrouting priority srcnat; policy accept;\n");
    add_rule(&buf, spec, VNRS_AF_IPV4);
    add_rule(&buf, spec, VNRS_AF_IPV6);
    vnrs_strbuf_puts(&buf, "  }\n}\n");
    return vnrs_strbuf_take(&buf);
}

static int nft_failed(int status, char *errors, struct vnrs_err *err)
{
    if (status == -ENOENT)
        return vnrs_err_set(err, -ENOENT, "the program nft is missing: install the package nftables");
    if (status < 0)
        return vnrs_err_errno(err, status, "nft");
    errors[strcspn(errors, "\n")] = '\0';
    return vnrs_err_set(err, -EIO, "nft: %s", errors);
}

int vnrs_nft_run(int ns_fd, const char *script, char **ret_out, struct vnrs_err *err)
{
    static const char *const argv[] = {"nft", "-f", "-", NULL};
    struct vnrs_exec_run run = {.argv = argv, .ns_fd = ns_fd, .input = script, .timeout_ms = 30000};
    _free_ char *out = NULL, *errors = NULL;
    int status = vnrs_exec_run(&run, &out, &errors);

    if (status != 0)
        return nft_failed(status, errors, err);
    if (ret_out)
        *ret_out = TAKE_PTR(out);
    return 0;
}

int vnrs_snat_listing(const char *key, int ns_fd, uint64_t *ret_hash, struct vnrs_err *err)
{
    char name[VNRS_SNAT_TABLE_MAX];
    const char *const argv[] = {"nft", "list", "table", "inet", vnrs_snat_table(key, name), NULL};
    struct vnrs_exec_run run = {.argv = argv, .ns_fd = ns_fd};
    _free_ char *out = NULL, *errors = NULL;
    int status = vnrs_exec_run(&run, &out, &errors);

    if (status == 1 && strstr(errors, "No such file or directory")) {
        *ret_hash = 0;
        return 0;
    }
    if (status != 0)
        return nft_failed(status, errors, err);
    *ret_hash = vnrs_hash_str(out);
    return 0;
}

int vnrs_snat_ensure(const char *key, const struct vnrs_obj_snat *spec, int ns_fd, uint64_t *listing,
                     enum vnrs_ag_outcome *ret_outcome, struct vnrs_err *err)
{
    uint64_t before = 0, after = 0;
    int code = vnrs_snat_listing(key, ns_fd, &before, err);

    if (code < 0)
        return code;
    if (before && before == *listing) {
        *ret_outcome = VNRS_AG_UNCHANGED;
        return 0;
    }
    _free_ char *script = vnrs_snat_script(key, spec);
    if (!script)
        return -ENOMEM;
    code = vnrs_nft_run(ns_fd, script, NULL, err);
    if (code == 0)
        code = vnrs_snat_listing(key, ns_fd, &after, err);
    if (code < 0)
        return code;
    *listing = after;
    *ret_outcome = before ? VNRS_AG_CHANGED : VNRS_AG_CREATED;
    return 0;
}

int vnrs_snat_remove(const char *key, int ns_fd, struct vnrs_err *err)
{
    char name[VNRS_SNAT_TABLE_MAX], script[VNRS_SNAT_TABLE_MAX + 32];
    uint64_t before = 0;
    int code = vnrs_snat_listing(key, ns_fd, &before, err);

    if (code < 0 || !before)
        return code;
    (void)snprintf(script, sizeof(script), "delete table inet %s\n", vnrs_snat_table(key, name));
    code = vnrs_nft_run(ns_fd, script, NULL, err);
    return code < 0 ? code : 1;
}
