// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/tunnel.h"

#include "net/addr.h"
#include "plan/names.h"
#include "util/strbuf.h"

#include <stdio.h>
#include <string.h>

const char *vnrs_tunnel_name(const struct vnrs_connection *connection, unsigned instance,
                             char buf[static VNRS_TUNNEL_NAME_MAX])
{
    (void)snprintf(buf, VNRS_TUNNEL_NAME_MAX, "%s-%u", connection->name, instance);
    return buf;
}

const char *vnrs_tunnel_link(const char *lab, const struct vnrs_connection *connection, unsigned instance,
                             char buf[static VNRS_IFNAME_MAX])
{
    char name[VNRS_TUNNEL_NAME_MAX];

    return vnrs_name_link(lab, "tun-", vnrs_tunnel_name(connection, instance, name), buf);
}

struct vnrs_addr vnrs_tunnel_gateway_ip(const struct vnrs_connection *connection, unsigned instance)
{
    const vnrs_addr_list *apipa = &connection->gateway_bgp_ips;

    return instance < apipa->len ? apipa->items[instance] : connection->gateway->instances[instance].ip;
}

static void put_side(struct vnrs_strbuf *out, const char *side, const struct vnrs_addr *id)
{
    char text[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(out, "        %s {\n            auth = psk\n            id = %s\n        }\n", side,
                       vnrs_addr_format(id, text));
}

// The public addresses are the identities, as with Azure's. Both ends are behind the NAT of their own gateway or site,
// so ESP is in UDP. Where the kernel carries it, packets reach it by an XFRM interface with the number if_id. The key
// is written as hexadecimal digits: whatever it holds is no syntax.
char *vnrs_tunnel_config(const struct vnrs_addr *own, const struct vnrs_addr *peer, const char *key)
{
    struct vnrs_strbuf out = {0};
    char text[VNRS_ADDR_STR_MAX];

    vnrs_strbuf_printf(&out,
                       "connections {\n    tunnel {\n        version = 2\n        remote_addrs = %s\n"
                       "        encap = yes\n        mobike = no\n        dpd_delay = 5s\n        keyingtries = 1\n"
                       "        unique = replace\n        proposals = aes256gcm16-prfsha384-ecp384\n",
                       vnrs_addr_format(peer, text));
    put_side(&out, "local", own);
    put_side(&out, "remote", peer);
    vnrs_strbuf_puts(&out, "        children {\n            tunnel {\n                local_ts = 0.0.0.0/0\n"
                           "                remote_ts = 0.0.0.0/0\n                esp_proposals = aes256gcm16\n"
                           "                if_id_in = 1\n                if_id_out = 1\n"
                           "                updown = /bin/sh updown\n                dpd_action = clear\n"
                           "            }\n        }\n    }\n}\n"
                           "secrets {\n    ike-tunnel {\n        secret = 0x");
    for (const char *c = key; *c; c++)
        vnrs_strbuf_printf(&out, "%02x", (unsigned char)*c);
    vnrs_strbuf_puts(&out, "\n    }\n}\n");
    char *config = vnrs_strbuf_take(&out);
    vnrs_strbuf_fini(&out);
    return config;
}
