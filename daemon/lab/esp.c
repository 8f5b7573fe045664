// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/esp.h"

#include "lab/netns.h"
#include "lab/rtnl.h"
#include "util/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>

#define LOOPBACK     1
#define IF_ID        1
#define GCM          "rfc4106(gcm(aes))"
#define GCM_KEY_BITS 288 // 256 of AES, 32 of salt
#define GCM_ICV_BITS 128
#define IKE_NAT_PORT 4500

static int add_interface(int ns_fd)
{
    char buf[VNRS_RTNL_MSG_MAX];
    struct vnrs_rtnl nl = {.fd = -1};
    int err = vnrs_rtnl_open(ns_fd, &nl);

    if (err < 0)
        return err;
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    (void)mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
    struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
    mnl_attr_put_strz(msg, IFLA_INFO_KIND, "xfrm");
    struct nlattr *data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
    mnl_attr_put_u32(msg, IFLA_XFRM_LINK, LOOPBACK);
    mnl_attr_put_u32(msg, IFLA_XFRM_IF_ID, IF_ID);
    mnl_attr_nest_end(msg, data);
    mnl_attr_nest_end(msg, info);
    err = vnrs_rtnl_talk(&nl, msg, NULL, NULL);
    vnrs_rtnl_close(&nl);
    return err;
}

static int add_association(int ns_fd)
{
    union {
        struct xfrm_algo_aead aead;
        char bytes[sizeof(struct xfrm_algo_aead) + GCM_KEY_BITS / 8];
    } algorithm = {.aead = {.alg_name = GCM, .alg_key_len = GCM_KEY_BITS, .alg_icv_len = GCM_ICV_BITS}};
    const struct xfrm_encap_tmpl encap = {
        .encap_type = UDP_ENCAP_ESPINUDP, .encap_sport = htons(IKE_NAT_PORT), .encap_dport = htons(IKE_NAT_PORT)};
    const uint32_t here = htonl(INADDR_LOOPBACK);
    char buf[VNRS_RTNL_MSG_MAX];
    _close_ int fd = vnrs_netns_socket(ns_fd, AF_NETLINK, SOCK_RAW, NETLINK_XFRM);

    if (fd < 0)
        return fd;
    struct vnrs_rtnl nl = {.fd = fd};
    struct nlmsghdr *msg = vnrs_rtnl_begin(buf, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL);
    struct xfrm_usersa_info *sa = mnl_nlmsg_put_extra_header(msg, sizeof(*sa));
    sa->family = AF_INET;
    sa->saddr.a4 = sa->id.daddr.a4 = here;
    sa->id.spi = htonl(0x1000);
    sa->id.proto = IPPROTO_ESP;
    sa->mode = XFRM_MODE_TUNNEL;
    sa->lft.soft_byte_limit = sa->lft.hard_byte_limit = XFRM_INF;
    sa->lft.soft_packet_limit = sa->lft.hard_packet_limit = XFRM_INF;
    mnl_attr_put(msg, XFRMA_ALG_AEAD, sizeof(algorithm.bytes), &algorithm);
    mnl_attr_put(msg, XFRMA_ENCAP, sizeof(encap), &encap);
    mnl_attr_put_u32(msg, XFRMA_IF_ID, IF_ID);
    return vnrs_rtnl_talk(&nl, msg, NULL, NULL);
}

int vnrs_esp_probe(bool *ret_has)
{
    _close_ int fd = -1;
    int err = vnrs_netns_new(&fd);

    if (err < 0)
        return err;
    int interface = add_interface(fd), association = add_association(fd);
    if (interface == -EPERM || association == -EPERM)
        return -EPERM;
    *ret_has = interface == 0 && association == 0;
    return 0;
}
