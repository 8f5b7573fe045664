// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/protect.h"

#include "net/addr.h"
#include "speaker/conn.h"
#include "util/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_TTL 64
#define TTL_MAX     255 // RFC 5082
#define OPTION_END  0   // of TCP
#define OPTION_NOP  1
#define OPTION_MD5  19 // RFC 2385
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73 // not in every C library's headers
#endif

struct vnrs_protect_key { // on the listening socket
    struct vnrs_addr addr;
    char md5[VNRS_MD5_KEY_MAX + 4];
};

static int key_set(int fd, const struct vnrs_addr *peer, const char *key)
{
    struct tcp_md5sig sig = {.tcpm_keylen = (uint16_t)strlen(key)};

    (void)vnrs_conn_sockaddr(peer, 0, &sig.tcpm_addr);
    memcpy(sig.tcpm_key, key, sig.tcpm_keylen);
    int err = setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig)) < 0 ? -errno : 0;
    explicit_bzero(&sig, sizeof(sig));
    return err;
}

static int ttl_set(int fd, bool v6, int ttl)
{
    return setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_UNICAST_HOPS : IP_TTL, &ttl, sizeof(ttl)) < 0
               ? -errno
               : 0;
}

int vnrs_protect_connection(int fd, const struct vnrs_spk_peer_config *peer)
{
    bool v6 = peer->addr.family == VNRS_AF_IPV6;
    int min = peer->ttl_min, err = ttl_set(fd, v6, min ? TTL_MAX : peer->ttl ? peer->ttl : DEFAULT_TTL);

    if (err == 0 && min &&
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MINHOPCOUNT : IP_MINTTL, &min, sizeof(min)) < 0)
        err = -errno;
    if (err == 0 && peer->md5[0])
        err = key_set(fd, &peer->addr, peer->md5);
    return err;
}

int vnrs_protect_listener_init(int fd)
{
    int on = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_SAVE_SYN, &on, sizeof(on)) < 0 ? -errno : 0;
}

static bool has_option(const uint8_t *p, size_t left, uint8_t kind)
{
    while (left && *p != OPTION_END) {
        size_t len = *p == OPTION_NOP ? 1 : left > 1 ? p[1] : 0;
        if (*p == kind)
            return true;
        if (!len || len > left)
            return false;
        p += len;
        left -= len;
    }
    return false;
}

bool vnrs_protect_syn_is_trusted(const uint8_t *syn, size_t len, const struct vnrs_spk_peer_config *peer)
{
    bool v6 = len && syn[0] >> 4 == 6;
    size_t ip = v6 ? 40 : len ? (syn[0] & 15u) * 4u : 0;

    if (ip < 20 || len < ip + 20)
        return false;
    size_t tcp = (size_t)(syn[ip + 12] >> 4) * 4;
    if (tcp < 20 || len < ip + tcp)
        return false;
    if (syn[v6 ? 7 : 8] < peer->ttl_min)
        return false;
    return !peer->md5[0] || has_option(syn + ip + 20, tcp - 20, OPTION_MD5);
}

bool vnrs_protect_is_trusted(int fd, const struct vnrs_spk_peer_config *peer)
{
    uint8_t syn[256]; // both headers, with all options that TCP can have
    socklen_t len = sizeof(syn);

    if (!peer->ttl_min && !peer->md5[0])
        return true;
    return getsockopt(fd, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len) == 0 && vnrs_protect_syn_is_trusted(syn, len, peer);
}

void vnrs_protect_listener(struct vnrs_speakerd *sp)
{
    bool v6 = sp->core->conf.local.family == VNRS_AF_IPV6;
    int ttl = DEFAULT_TTL, err;

    if (!sp->listener || (!sp->keys && !(sp->keys = calloc(VNRS_BGP_PEERS_MAX, sizeof(*sp->keys)))))
        return;
    // Keys that go first: another slot may have the same address now.
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        const struct vnrs_bgp_member *m = sp->core->members[slot];
        struct vnrs_protect_key *key = &sp->keys[slot];
        if (key->md5[0] && (!m || !m->conf.md5[0] || !vnrs_addr_equal(&key->addr, &m->conf.addr))) {
            (void)key_set(VNRS_SPEAKER_FD_LISTEN, &key->addr, "");
            explicit_bzero(key, sizeof(*key));
        }
    }
    for (unsigned slot = 0; slot < VNRS_BGP_PEERS_MAX; slot++) {
        const struct vnrs_bgp_member *m = sp->core->members[slot];
        struct vnrs_protect_key *key = &sp->keys[slot];
        if (m && m->conf.ttl_min)
            ttl = TTL_MAX; // of what we answer a connection with
        if (!m || strcmp(key->md5, m->conf.md5) == 0)
            continue;
        if ((err = key_set(VNRS_SPEAKER_FD_LISTEN, &m->conf.addr, m->conf.md5)) < 0)
            log_errno_ret(err, "cannot set the TCP MD5 key of peer '%s'", m->conf.name);
        key->addr = m->conf.addr;
        memcpy(key->md5, m->conf.md5, sizeof(key->md5));
    }
    if ((err = ttl_set(VNRS_SPEAKER_FD_LISTEN, v6, ttl)) < 0)
        log_errno_ret(err, "cannot set the TTL of the listening socket");
}

void vnrs_protect_free(struct vnrs_speakerd *sp)
{
    if (sp->keys)
        explicit_bzero(sp->keys, VNRS_BGP_PEERS_MAX * sizeof(*sp->keys));
    free(sp->keys);
    sp->keys = NULL;
}
