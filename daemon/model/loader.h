// SPDX-License-Identifier: GPL-2.0-or-later
// Inside daemon/model only: what the stages of loading share. Stages: node tree → schema check → parse (objects and
// plain values) → resolve (references, derived values, addresses) → validate. Each stage reports and goes on with what
// is left, so that one run tells everything; pointers that could not be resolved are NULL, addresses NONE, lists short.
#pragma once

#include "model/diag_ids.h"
#include "model/model.h"
#include "model/node.h"
#include "util/hash.h"

// NICs, hosts and instances of one lab: the data plane has this many slots (bpf_abi.h).
#define VNRS_MODEL_NICS_MAX 8000u

enum vnrs_ref_kind {
    VNRS_REF_VNET,
    VNRS_REF_SUBNET, // by "vnet/subnet"
    VNRS_REF_ROUTE_TABLE,
    VNRS_REF_SERVICE,
    VNRS_REF_TAG,
    VNRS_REF_MACHINE,
    VNRS_REF_GATEWAY,
    VNRS_REF_SITE,
    _VNRS_REF_MAX
};

struct vnrs_ref { // a name in the file that stands for an object
    enum vnrs_ref_kind kind;
    struct vnrs_node *node;
    void **slot;
};

struct vnrs_nic_ref { // a machine, for its first NIC, or machine/interface
    struct vnrs_node *node;
    struct vnrs_nic **slot;
};

struct vnrs_target { // of a test, resolved when every address is known
    struct vnrs_node *node;
    struct vnrs_test *test;
};

struct vnrs_loader {
    struct vnrs_model *model;
    struct vnrs_arena *scratch; // node tree, and everything else that goes when loading ends
    struct vnrs_diags *diags;
    int (*load_file)(const char *path, char **ret_text);
    struct vnrs_map fields;               // address of a member of the model → where its value stands in the file
    struct vnrs_map names[_VNRS_REF_MAX]; // name → object
    struct vnrs_map hosts;                // name → struct vnrs_host
    struct vnrs_map nics;                 // struct vnrs_nic_key → struct vnrs_nic
    VEC(struct vnrs_ref) refs;
    VEC(struct vnrs_nic_ref) nic_refs;
    VEC(struct vnrs_target) targets;
    struct vnrs_bgp_timers timers; // defaults.bgp
    struct vnrs_bfd_options bfd;   // defaults.bfd
    struct vnrs_node *inject;      // defaults.inject, NULL: none
    size_t n_nics;
    size_t n_others;               // room for machines that are not in the file's list
    const struct vnrs_vnet **hubs; // by id of a virtual network: vnrs_model_hub_of, once validation has begun
};

struct vnrs_nic_key {
    const struct vnrs_vnet *vnet;
    struct vnrs_addr addr;
    uint8_t pad[7]; // 0: keys compare by bytes
};

// Memory of the model, zeroed; NULL when there is none left (which vnrs_diags_has_error then says).
void *vnrs_loader_alloc(struct vnrs_loader *l, size_t size);
// Room for as many objects as the list has entries; `out` is a VNRS_LIST whose len the caller counts up.
#define loader_room(l, out, list)                                                                                      \
    (((out)->items = vnrs_loader_alloc(l, ((list) ? (list)->n : 0) * sizeof(*(out)->items))))
const char *vnrs_loader_strdup(struct vnrs_loader *l, const char *text);
// Remember and find where the value of a member stands; `fallback` is the position of its object.
void vnrs_loader_mark(struct vnrs_loader *l, const void *field, struct vnrs_pos pos);
struct vnrs_pos vnrs_loader_pos(const struct vnrs_loader *l, const void *field, struct vnrs_pos fallback);
// The NIC with that address in a virtual network, or NULL.
struct vnrs_nic *vnrs_loader_find_nic(const struct vnrs_loader *l, const struct vnrs_vnet *vnet,
                                      const struct vnrs_addr *addr);
int vnrs_loader_put_nic(struct vnrs_loader *l, const struct vnrs_vnet *vnet, const struct vnrs_addr *addr,
                        struct vnrs_nic *nic) VNRS_MUST_CHECK;

#define loader_error(l, id, pos, ...)   vnrs_diag_add((l)->diags, VNRS_DIAG_ERROR, id, pos, __VA_ARGS__)
#define loader_warning(l, id, pos, ...) vnrs_diag_add((l)->diags, VNRS_DIAG_WARNING, id, pos, __VA_ARGS__)

void vnrs_model_parse(struct vnrs_loader *l, const struct vnrs_node *root);
void vnrs_model_parse_service_tags(struct vnrs_loader *l, const struct vnrs_node *list);
void vnrs_model_parse_route_tables(struct vnrs_loader *l, const struct vnrs_node *list);
void vnrs_model_parse_balancers(struct vnrs_loader *l, const struct vnrs_node *list);
void vnrs_model_parse_route_maps(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_route_server *rs);
void vnrs_model_parse_map_refs(struct vnrs_loader *l, const struct vnrs_node *node, const struct vnrs_route_server *rs,
                               struct vnrs_bgp_connection *connection);
void vnrs_model_parse_machines(struct vnrs_loader *l, const struct vnrs_node *list);
void vnrs_model_parse_run(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_run *run);
size_t vnrs_model_count_outside(const struct vnrs_node *root); // at most so many machines come of it
void vnrs_model_parse_outside(struct vnrs_loader *l, const struct vnrs_node *root); // gateways, sites, connections
void vnrs_model_parse_tests(struct vnrs_loader *l, const struct vnrs_node *list);
void vnrs_model_resolve(struct vnrs_loader *l);
void vnrs_model_place_gateways(struct vnrs_loader *l); // into their subnets
void vnrs_model_assign_addresses(struct vnrs_loader *l);
void vnrs_model_assign_outside(struct vnrs_loader *l); // public addresses, links of circuits, what sites default to
void vnrs_model_validate(struct vnrs_loader *l);

// Parts of validation, each with its file.
void vnrs_validate_vnets(struct vnrs_loader *l);
void vnrs_validate_peerings(struct vnrs_loader *l);
void vnrs_validate_routes(struct vnrs_loader *l);
void vnrs_validate_balancers(struct vnrs_loader *l);
void vnrs_validate_route_servers(struct vnrs_loader *l);
void vnrs_validate_route_maps(struct vnrs_loader *l);
void vnrs_validate_outside(struct vnrs_loader *l); // services, Internet, hosts
void vnrs_validate_gateways(struct vnrs_loader *l);
void vnrs_validate_sites(struct vnrs_loader *l);
void vnrs_validate_connections(struct vnrs_loader *l);
void vnrs_validate_machines(struct vnrs_loader *l);

// Prefixes of the file that must not overlap. `fn` gets each pair of different owners, the earlier in the file first;
// of several enclosing ranges the narrowest. The array is sorted in place.
struct vnrs_range {
    struct vnrs_prefix prefix;
    struct vnrs_pos pos;
    const void *owner;
};
typedef void (*vnrs_overlap_fn)(struct vnrs_loader *l, const struct vnrs_range *first, const struct vnrs_range *second);
void vnrs_ranges_sweep(struct vnrs_loader *l, struct vnrs_range *ranges, size_t n, vnrs_overlap_fn fn);

bool vnrs_vnet_has_addr(const struct vnrs_vnet *vnet, const struct vnrs_addr *addr);
// The virtual network, `vnet` itself or one connected with it by peering, whose address space holds `addr`; or NULL.
const struct vnrs_vnet *vnrs_vnet_reach(const struct vnrs_model *m, const struct vnrs_vnet *vnet,
                                        const struct vnrs_addr *addr);
// The note of a missing subnet that has to be called `name`: one that is called almost so, or the virtual network.
void vnrs_note_subnet(struct vnrs_loader *l, struct vnrs_diag *d, const struct vnrs_vnet *vnet, const char *name);
// More than Azure allows of something; nothing, and NULL, with `limits: none`.
struct vnrs_diag *vnrs_report_count(struct vnrs_loader *l, struct vnrs_pos pos, const char *what, size_t n, size_t max);

// A range of GatewaySubnet that is small for the gateways in it.
void vnrs_check_gateway_coexistence(struct vnrs_loader *l, const struct vnrs_subnet *subnet,
                                    const struct vnrs_prefix *prefix);
// A route to VirtualNetworkGateway, as a subnet sees it.
void vnrs_check_gateway_route(struct vnrs_loader *l, const struct vnrs_udr *udr, const struct vnrs_subnet *user);
// One of the link-local addresses that gateways may have in tunnels: 169.254.21.0 to 169.254.22.255.
bool vnrs_is_gateway_apipa(const struct vnrs_addr *addr);
// Why a peer cannot have that ASN. NULL: it can.
const char *vnrs_asn_reservation(const struct vnrs_model *m, uint32_t asn);
// The text, by the address of the member that holds it (NULL: there is none), must be one that every daemon can take.
void vnrs_check_password(struct vnrs_loader *l, const char *const *password, struct vnrs_pos pos, const char *what,
                         const char *name);
// BFD that is on, whatever the session is; `machine` is at its other end, or NULL.
void vnrs_check_bfd(struct vnrs_loader *l, const struct vnrs_bfd_options *bfd, struct vnrs_pos pos,
                    const struct vnrs_bgp_timers *timers, const struct vnrs_machine *machine);

// Readers of nodes that passed the schema check; `map` may be NULL.
const char *vnrs_read_text(struct vnrs_loader *l, const struct vnrs_node *map, const char *key); // NULL: absent
bool vnrs_read_bool(const struct vnrs_node *map, const char *key, bool def);
uint32_t vnrs_read_number(const struct vnrs_node *map, const char *key, uint32_t def);
int vnrs_read_enum(const struct vnrs_node *map, const char *key, const char *const *values, size_t n, int def);
void vnrs_read_addr(struct vnrs_loader *l, const struct vnrs_node *map, const char *key, struct vnrs_addr *out);
void vnrs_read_addrs(struct vnrs_loader *l, const struct vnrs_node *node, vnrs_addr_list *out);
void vnrs_read_prefixes(struct vnrs_loader *l, const struct vnrs_node *node, vnrs_prefix_list *out);
void vnrs_read_timers(struct vnrs_loader *l, const struct vnrs_node *node, struct vnrs_bgp_timers *timers);
void vnrs_read_bfd(const struct vnrs_node *node, struct vnrs_bfd_options *bfd);
void vnrs_read_ref(struct vnrs_loader *l, struct vnrs_node *node, enum vnrs_ref_kind kind, void **slot);
// Name the object; a second of the same kind and name is an error.
void vnrs_read_name(struct vnrs_loader *l, enum vnrs_ref_kind kind, const char *noun, const char *name,
                    struct vnrs_pos pos, void *object);
// A name that lives only inside one object: of a route, a BGP connection. `seen` has those before it.
void vnrs_read_local_name(struct vnrs_loader *l, struct vnrs_map *seen, const char *noun, const char *name,
                          struct vnrs_node *node);
void vnrs_read_communities(struct vnrs_loader *l, const struct vnrs_node *list, vnrs_number_list *out);
void vnrs_read_hosts(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_host **ret, size_t *ret_n);

extern const char *const vnrs_dataplane_names[3],
    *const vnrs_limits_names[2], *const vnrs_peering_flags_names[2],
                                     *const vnrs_preference_names[3],
                                         *const vnrs_run_kind_names[_VNRS_RUN_MAX],
                                             *const vnrs_map_condition_names[_VNRS_MAP_CONDITION_MAX],
                                                 *const vnrs_map_action_names[_VNRS_MAP_ACTION_MAX],
                                                     *const vnrs_nexthop_names[_VNRS_NH_MAX],
                                                         *const vnrs_gateway_type_names[2],
                                                             *const vnrs_connection_type_names[2];
extern const char *const vnrs_bmp_rib_names[4];
extern const char *const vnrs_none_routes_names[3];
