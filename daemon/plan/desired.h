// SPDX-License-Identifier: GPL-2.0-or-later
// Desired state: the objects that the agent shall make for a model, in the order in which they depend on each other.
// Pure: numbers come from plan/ids.h, names from plan/names.h.
//
// Addresses of the lab's own making, none of them visible to Azure's routing:
//   169.254.0.1, fd76:6e72:7300::1   "the fabric", as seen by the Internet edge and by service hosts: it answers ARP
//                                    for any address, so this one is a next hop
//   192.0.2.1 (or .1 of 198.51.100.0/24, 203.0.113.0/24 where a host of the file is 192.0.2.1)
//                                    the Internet edge: what machines look like to Internet hosts with `snat: true`
//   168.63.129.16                    Azure's platform address, where a network has a load balancer: it probes backends
//   169.254.x.y, 169.254.1.1 and up to 169.254.127.255
//                                    a machine towards a host behind it, the end of a tunnel; one each
//   169.254.0.2                      a gateway instance or site towards the ends of its tunnels
#pragma once

#include "model/model.h"
#include "plan/ids.h"
#include "routing/routing.h"
#include "vnrs/agent_proto.h"

struct vnrs_object {
    enum vnrs_obj_type type;
    const char *key;  // unique in its type
    const void *spec; // struct vnrs_obj_<type>; padding is zero, so specs compare by bytes
    size_t spec_size;
    const void *data; // PROC
    size_t data_size;
    const char *what; // for people: "machine 'vm1'"
};

struct vnrs_desired {
    struct vnrs_arena *arena;
    VEC(struct vnrs_object) objects;
    VEC(struct vnrs_object) held; // guest tables of NICs whose link is down on purpose: they wait for the carrier
};

// The size of a type's spec; 0: no such type.
size_t vnrs_object_spec_size(enum vnrs_obj_type type);
const char *vnrs_object_type_name(enum vnrs_obj_type type); // "link"

// `routing` is of the same model; its learned routes do not matter. On failure one sentence is in `error`. Returns 0,
// -EEXIST (two objects got one name), -ENOSPC (out of numbers) or -ENOMEM.
int vnrs_desired_make(const struct vnrs_model *model, const struct vnrs_routing *routing, struct vnrs_ids *ids,
                      char error[static 256], struct vnrs_desired *ret_desired) VNRS_MUST_CHECK;
void vnrs_desired_fini(struct vnrs_desired *desired);
// plan/impair.c: from now on `impair` is wrong with the link `key`, and nothing else. -ENOENT: there is no such NIC.
int vnrs_desired_impair(struct vnrs_desired *desired, const char *key,
                        const struct vnrs_impair *impair) VNRS_MUST_CHECK;

// Keys of links (and so of fabric ifindexes).
#define VNRS_LINK_KEY_EDGE "internet.edge/eth0"
char *vnrs_link_key_rs(struct vnrs_arena *arena, const struct vnrs_route_server *rs, unsigned instance);
char *vnrs_link_key_prober(struct vnrs_arena *arena, const struct vnrs_vnet *vnet);
char *vnrs_link_key_service(struct vnrs_arena *arena, const struct vnrs_host *host);
// False for links that are not NICs (edge or machine to a host): their ifindexes are the kernel's.
bool vnrs_link_key_is_nic(const char *key);

// Names of numbers: a domain keeps its number while its network, route table and service endpoints stay the same.
char *vnrs_domain_key(struct vnrs_arena *arena, const struct vnrs_domain *domain);
char *vnrs_subnet_key(struct vnrs_arena *arena, const struct vnrs_subnet *subnet);
char *vnrs_domain_key_prober(struct vnrs_arena *arena, const struct vnrs_vnet *vnet);
// What an instance of a gateway, or an edge router of a circuit, learned: by the machine's name.
#define VNRS_DOMAIN_KEY_EDGE    "platform:edge"
#define VNRS_DOMAIN_KEY_SERVICE "platform:service"

// The first address of the subnet's first prefix of a family: Azure's default gateway. NONE: no such prefix.
struct vnrs_addr vnrs_subnet_gateway(const struct vnrs_subnet *subnet, uint8_t family);
// The namespace that backends of the network's load balancers are probed from, behind "vnrs.<lab>.", and its address.
#define VNRS_PROBER_NETNS "platform.%s"
struct vnrs_addr vnrs_prober_addr(void);
// "The fabric" for NICs outside every subnet: the Internet edge and service hosts.
struct vnrs_addr vnrs_fabric_gateway(uint8_t family);
// The name of a machine's namespace for people and `ip netns exec`: its own, or "" where there is no name.
const char *vnrs_machine_netns(struct vnrs_arena *arena, const struct vnrs_model *model,
                               const struct vnrs_machine *machine);
