// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual network gateways. Rules: azure-routing.md section 6.
#include "model/loader.h"

static void check_subnet(struct vnrs_loader *l, const struct vnrs_gateway *gateway)
{
    if (gateway->subnet)
        return;
    struct vnrs_diag *d = loader_error(l, VNRS_V_GATEWAY_SUBNET_MISSING, gateway->pos,
                                       "virtual network '%s' has no GatewaySubnet", gateway->vnet->name);
    vnrs_diag_note(l->diags, d, gateway->vnet->pos, "the virtual network is here");
    vnrs_diag_help(l->diags, d, "a gateway is placed in a subnet named GatewaySubnet, /27 or larger");
}

void vnrs_validate_gateways(struct vnrs_loader *l)
{
    list_foreach (gateway, &l->model->gateways) {
        if (!gateway->vnet)
            continue;
        check_subnet(l, gateway);
    }
}
