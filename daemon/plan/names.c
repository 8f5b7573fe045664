// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/names.h"

#include "util/hash.h"

#include <stdio.h>
#include <string.h>

// Lab and key are kept apart by a byte that neither can hold; `purpose` keeps names and MACs independent.
static uint64_t hash_of(char purpose, const char *lab, const char *key)
{
    char text[VNRS_LAB_NAME_MAX + VNRS_KEY_MAX + 4];
    int len = snprintf(text, sizeof(text), "%c\n%s\n%s", purpose, lab, key);

    return vnrs_hash_bytes(text, MIN((size_t)len, sizeof(text) - 1));
}

const char *vnrs_name_fabric_link(const char *lab, const char *key, char buf[static VNRS_IFNAME_MAX])
{
    (void)snprintf(buf, VNRS_IFNAME_MAX, "v%014llx", (unsigned long long)(hash_of('l', lab, key) >> 8));
    return buf;
}

const char *vnrs_name_link(const char *lab, const char *prefix, const char *name, char buf[static VNRS_IFNAME_MAX])
{
    if (snprintf(buf, VNRS_IFNAME_MAX, "%s%s", prefix, name) >= VNRS_IFNAME_MAX)
        (void)snprintf(buf, VNRS_IFNAME_MAX, "%c%014llx", prefix[0],
                       (unsigned long long)(hash_of(prefix[0], lab, name) >> 8));
    return buf;
}

const char *vnrs_name_host_link(const char *lab, const char *name, char buf[static VNRS_IFNAME_MAX])
{
    return vnrs_name_link(lab, "h-", name, buf);
}

struct vnrs_mac vnrs_name_mac(const char *lab, const char *key)
{
    uint64_t hash = hash_of('m', lab, key);
    struct vnrs_mac mac = {{0x02}};

    for (int i = 1; i < 6; i++, hash >>= 8)
        mac.bytes[i] = (uint8_t)hash;
    return mac;
}

const char *vnrs_name_netns(const char *lab, const char *name, char buf[static VNRS_NETNS_FULL_MAX])
{
    (void)snprintf(buf, VNRS_NETNS_FULL_MAX, "vnrs.%s%s%s", lab, *name ? "." : "", name);
    return buf;
}
