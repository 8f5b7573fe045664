// SPDX-License-Identifier: GPL-2.0-or-later
// Functions of the template, of resources and of ranges: arm_id.c.
#include "cli/arm.h"

#define GROUP "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/lab"

static const struct arm_row rows[] = {
    {"[parameters('TEXT')]", "\"hub\""},
    {"[parameters('none')]", "!parameter 'none' has no value"},
    {"[variables('made')]", "\"ab\""},
    {"[variables('many')]", "[5,6]"},
    {"[variables('none')]", "!there is no variable 'none'"},
    {"[variables('loop')]", "!it is nested too deeply"},
    {"[copyIndex()]", "2"},
    {"[copyIndex(10)]", "12"},
    {"[copyIndex('outer')]", "1"},
    {"[copyIndex('outer', 1)]", "2"},
    {"[copyIndex('none')]", "!copyIndex() is in no copy loop"},
    {"[resourceId('Microsoft.Network/virtualNetworks', 'hub')]",
     "\"" GROUP "/providers/Microsoft.Network/virtualNetworks/hub\""},
    {"[resourceId('Microsoft.Network/virtualNetworks/subnets', 'hub', 'nva')]",
     "\"" GROUP "/providers/Microsoft.Network/virtualNetworks/hub/subnets/nva\""},
    {"[resourceId('other-group', 'Microsoft.Network/routeTables', 'rt')]",
     "\"" GROUP "/providers/Microsoft.Network/routeTables/rt\""},
    {"[resourceId('Microsoft.Network/virtualNetworks/subnets', 'hub')]",
     "!resourceId() has a name for each part of the type"},
    {"[resourceId('Microsoft.Network/virtualNetworks', 'hub', 'nva')]",
     "!resourceId() has a name for each part of the type"},
    {"[resourceId('a', 'b')]", "!resourceId() has no type"},
    {"[tenantResourceId('Microsoft.X/y', 'z')]", "\"/providers/Microsoft.X/y/z\""},
    {"[extensionResourceId('/a', 'Microsoft.X/y', 'z')]", "\"/a/providers/Microsoft.X/y/z\""},
    {"[subscriptionResourceId('Microsoft.X/y', 'z')]",
     "\"/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.X/y/z\""},
    {"[resourceGroup().name]", "\"lab\""},
    {"[subscription().displayName]", "\"lab\""},
    {"[deployment().name]", "\"lab\""},
    {"[reference('x')]", "!reference() is known only where it is deployed"},
    {"[cidrSubnet('10.0.0.0/16', 24, 0)]", "\"10.0.0.0/24\""},
    {"[cidrSubnet('10.0.0.0/16', 24, 255)]", "\"10.0.255.0/24\""},
    {"[cidrSubnet('10.0.0.0/16', 27, 9)]", "\"10.0.1.32/27\""},
    {"[cidrSubnet('10.0.0.0/16', 24, 256)]", "!cidrSubnet() goes beyond the range"},
    {"[cidrSubnet('10.0.0.0/16', 15, 0)]", "!cidrSubnet() goes beyond the range"},
    {"[cidrSubnet('10.0.0.0/16', 33, 0)]", "!cidrSubnet() goes beyond the range"},
    {"[cidrSubnet('fd00:1::/48', 64, 258)]", "\"fd00:1:0:102::/64\""},
    {"[cidrSubnet('10.0.0.0', 24, 0)]", "!'10.0.0.0' is no address range"},
    {"[cidrHost('10.0.2.0/24', 3)]", "\"10.0.2.4\""},
    {"[cidrHost('10.0.2.0/24', 254)]", "\"10.0.2.255\""},
    {"[cidrHost('10.0.2.0/24', 255)]", "!cidrHost() goes beyond the range"},
    {"[cidrHost('10.0.2.0/24', -1)]", "!cidrHost() goes beyond the range"},
    {"[parseCidr('10.0.2.7/24')]",
     "{\"network\":\"10.0.2.0\",\"broadcast\":\"10.0.2.255\",\"firstUsable\":\"10.0.2.1\","
     "\"lastUsable\":\"10.0.2.254\",\"cidr\":24}"},
};

ARM_TEST_MAIN("cli.arm_id")
