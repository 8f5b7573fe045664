// SPDX-License-Identifier: GPL-2.0-or-later
// Node tree → internal load balancers.
#include "model/loader.h"

#define PROBE_INTERVAL_S_DEFAULT 5u
#define PROBE_TRIES_DEFAULT      2u

static void parse_backends(struct vnrs_loader *l, const struct vnrs_node *list, struct vnrs_balancer *lb)
{
    if (!list || !loader_room(l, &lb->backends, list))
        return;
    node_foreach (node, list) {
        struct vnrs_nic **slot = &lb->backends.items[lb->backends.len];
        if (node->bad)
            continue;
        lb->backends.len++;
        vnrs_loader_mark(l, slot, node->pos);
        if (vec_push(&l->nic_refs, (struct vnrs_nic_ref){node, slot}) < 0)
            l->diags->failed = true;
    }
}

void vnrs_model_parse_balancers(struct vnrs_loader *l, const struct vnrs_node *list)
{
    struct vnrs_model *m = l->model;
    struct vnrs_map names = {0};

    if (!list || !loader_room(l, &m->balancers, list))
        return;
    node_foreach (node, list) {
        if (node->bad || node->kind != VNRS_NODE_MAP)
            continue;
        struct vnrs_balancer *lb = &m->balancers.items[m->balancers.len++];
        const struct vnrs_node *probe = vnrs_node_get(node, "probe");
        lb->name = vnrs_read_text(l, node, "name");
        lb->pos = node->pos;
        vnrs_read_local_name(l, &names, "load balancer", lb->name, node);
        vnrs_read_ref(l, vnrs_node_get(node, "subnet"), VNRS_REF_SUBNET, (void **)&lb->subnet);
        vnrs_read_addr(l, node, "privateIPAddress", &lb->frontend);
        parse_backends(l, vnrs_node_get(node, "backendPool"), lb);
        lb->probe_port = (uint16_t)vnrs_read_number(probe, "port", 0);
        lb->probe_interval_s = vnrs_read_number(probe, "intervalInSeconds", PROBE_INTERVAL_S_DEFAULT);
        lb->probe_tries = vnrs_read_number(probe, "numberOfProbes", PROBE_TRIES_DEFAULT);
    }
    vnrs_map_fini(&names);
}
