// SPDX-License-Identifier: GPL-2.0-or-later
// Effective routes, one row a rule. Names begin with the section of azure-routing.md that they stand for.
#include "routing/effective.h"

#include "lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NONE_ROWS                                                                                                      \
    "Default Active 10.0.0.0/8 None\n"                                                                                 \
    "Default Active 100.64.0.0/10 None\n"                                                                              \
    "Default Active 172.16.0.0/12 None\n"                                                                              \
    "Default Active 192.168.0.0/16 None\n"
#define LOCAL    "Default Active 10.0.0.0/16 VnetLocal\n"
#define INTERNET "Default Active 0.0.0.0/0 Internet\n"

// Hub with Route Server, spoke that uses it, two NVAs.
#define HUB_SPOKE                                                                                                      \
    "vnet hub 10.0.0.0/16\n"                                                                                           \
    "vnet spoke 10.1.0.0/16\n"                                                                                         \
    "peer hub spoke transit\n"                                                                                         \
    "peer spoke hub use\n"                                                                                             \
    "rs rs hub\n"                                                                                                      \
    "nic hub/s nva1/eth0 10.0.2.4\n"                                                                                   \
    "nic hub/s nva2/eth0 10.0.2.5\n"                                                                                   \
    "internet\n"
#define HUB_LOCAL "Default Active 10.0.0.0/16 VnetLocal\nDefault Active 10.1.0.0/16 VNetPeering\n"

struct row {
    const char *name, *lab, *want;
};

static const struct row rows[] = {
    {"1.1 one VnetLocal row for each address range, by prefix, never one per subnet",
     "vnet a 10.9.0.0/16 10.0.0.0/16 10.2.0.0/24\nsubnet a more\nsubnet a evenmore\n",
     LOCAL "Default Active 10.2.0.0/24 VnetLocal\nDefault Active 10.9.0.0/16 VnetLocal\n" INTERNET NONE_ROWS},
    {"1.1 adjacent ranges are not summarised", "vnet a 10.0.0.0/17 10.0.128.0/17\n",
     "Default Active 10.0.0.0/17 VnetLocal\nDefault Active 10.0.128.0/17 VnetLocal\n" INTERNET NONE_ROWS},
    {"1.1 IPv6: ranges and ::/0, no None rows", "vnet a 10.0.0.0/16 fd00:1::/48\n",
     LOCAL "Default Active fd00:1::/48 VnetLocal\n" INTERNET "Default Active ::/0 Internet\n" NONE_ROWS},
    {"1.2-1 range equal to a reserved prefix: its row is VnetLocal", "vnet a 192.168.0.0/16\n",
     "Default Active 192.168.0.0/16 VnetLocal\n" INTERNET "Default Active 10.0.0.0/8 None\n"
     "Default Active 100.64.0.0/10 None\nDefault Active 172.16.0.0/12 None\n"},
    {"1.2-2 range around a reserved prefix: the None row is gone", "vnet a 172.0.0.0/8\n",
     "Default Active 172.0.0.0/8 VnetLocal\n" INTERNET "Default Active 10.0.0.0/8 None\n"
     "Default Active 100.64.0.0/10 None\nDefault Active 192.168.0.0/16 None\n"},
    {"1.2-3 range inside a reserved prefix: the None row stays", "vnet a 10.0.0.0/16\n", LOCAL INTERNET NONE_ROWS},
    {"1.2-4 UDR 0/0 removes all None rows, whatever its type",
     "vnet a 10.0.0.0/16\ntable t\nudr t 0.0.0.0/0 Internet\nattach a/s t\n",
     LOCAL "Default Invalid 0.0.0.0/0 Internet\nUser Active 0.0.0.0/0 Internet\n"},
    {"1.2-4 only for the subnet that has the route table",
     "vnet a 10.0.0.0/16\nsubnet a other\ntable t\nudr t 0.0.0.0/0 Internet\nattach a/s t\nlook a/other\n",
     LOCAL INTERNET NONE_ROWS},
    {"1.2-4 a UDR ::/0 leaves the None rows",
     "vnet a 10.0.0.0/16 fd00:1::/48\ntable t\nudr t ::/0 None\nattach a/s t\n",
     LOCAL "Default Active fd00:1::/48 VnetLocal\n" INTERNET "Default Invalid ::/0 Internet\n" NONE_ROWS
           "User Active ::/0 None\n"},
    {"1.2-5 learned 0/0 removes all None rows", HUB_SPOKE "learn rs 0.0.0.0/0 10.0.2.4\n",
     HUB_LOCAL "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.0.2.4\n"},
    {"1.2-6 a peering range inside a reserved prefix: the None row stays",
     "vnet a 10.0.0.0/16\nvnet b 172.16.5.0/24\npeer a b\npeer b a\n",
     LOCAL "Default Active 172.16.5.0/24 VNetPeering\n" INTERNET NONE_ROWS},
    {"1.2 a peering range equal to a reserved prefix replaces its None row (inferred)",
     "vnet a 10.0.0.0/16\nvnet b 192.168.0.0/16\npeer a b\npeer b a\n",
     LOCAL "Default Active 192.168.0.0/16 VNetPeering\n" INTERNET "Default Active 10.0.0.0/8 None\n"
           "Default Active 100.64.0.0/10 None\nDefault Active 172.16.0.0/12 None\n"},
    {"1.2 the tables of before 2023 had no row of 172.16.0.0/12 (switch)", "vnet a 10.0.0.0/16\nnone legacy\n",
     LOCAL INTERNET "Default Active 10.0.0.0/8 None\nDefault Active 100.64.0.0/10 None\n"
                    "Default Active 192.168.0.0/16 None\n"},
    {"1.2 the undocumented list (switch): a range and a learned route of it as for the others",
     "vnet hub 25.4.0.0/14\nrs rs hub\nnone platform\nlearn rs 198.18.0.0/15 25.4.0.4\nlearn rs 40.109.0.0/17 "
     "25.4.0.4\n",
     "Default Active 25.4.0.0/14 VnetLocal\nVirtualNetworkGateway Active 40.109.0.0/17 VirtualNetworkGateway 25.4.0.4\n"
     "VirtualNetworkGateway Active 198.18.0.0/15 VirtualNetworkGateway 25.4.0.4\n" INTERNET
     "Default Active 10.0.0.0/8 None\nDefault Active 20.35.252.0/22 None\nDefault Active 23.103.0.0/18 None\n"
     "Default Active 25.33.0.0/16 None\nDefault Active 25.41.0.0/20 None\nDefault Active 25.48.0.0/12 None\n"
     "Default Active 25.148.0.0/15 None\nDefault Active 25.150.0.0/16 None\nDefault Active 25.152.0.0/14 None\n"
     "Default Active 25.156.0.0/16 None\nDefault Active 25.159.0.0/16 None\nDefault Active 25.176.0.0/13 None\n"
     "Default Active 25.184.0.0/14 None\nDefault Active 40.108.0.0/17 None\nDefault Active 40.109.0.0/16 None\n"
     "Default Active 100.64.0.0/10 None\nDefault Active 104.146.0.0/17 None\nDefault Active 104.147.0.0/16 None\n"
     "Default Active 127.0.0.0/8 None\nDefault Active 157.59.0.0/16 None\nDefault Active 172.16.0.0/12 None\n"
     "Default Active 192.168.0.0/16 None\n"},
    {"1.2-4 a UDR 0/0 removes the undocumented ones, too",
     "vnet a 10.0.0.0/16\nnone platform\ntable t\nudr t 0.0.0.0/0 None\nattach a/s t\n",
     LOCAL "Default Invalid 0.0.0.0/0 Internet\nUser Active 0.0.0.0/0 None\n"},
    {"1.3 peering: one row for each range of the remote network, on every subnet",
     "vnet a 10.0.0.0/16\nvnet b 10.5.0.0/16 10.4.0.0/16\npeer a b\npeer b a\nsubnet a x\nlook a/x\n",
     LOCAL "Default Active 10.4.0.0/16 VNetPeering\nDefault Active 10.5.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"1.3 peering of another region is VNetGlobalPeering, sorted with the others",
     "vnet a 10.0.0.0/16\nvnet b 10.5.0.0/16\nvnet c 10.4.0.0/16\npeer a b\npeer b a\npeer a c global\npeer c a "
     "global\n",
     LOCAL "Default Active 10.4.0.0/16 VNetGlobalPeering\nDefault Active 10.5.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"1.3 learned: one row for each next hop", HUB_SPOKE "learn rs 172.30.0.0/16 10.0.2.4 10.0.2.5\n",
     HUB_LOCAL "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.2.4\n"
               "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.2.5\n" INTERNET NONE_ROWS},
    {"1.3 service endpoint: all prefixes, only on the subnet where it is enabled",
     "vnet a 10.0.0.0/16\nservice S 198.18.64.0/20 20.1.0.0/16\nendpoint a/s S\n",
     LOCAL "Default Active 20.1.0.0/16 VirtualNetworkServiceEndpoint\n"
           "Default Active 198.18.64.0/20 VirtualNetworkServiceEndpoint\n" INTERNET NONE_ROWS},
    {"1.3 service endpoint: not on another subnet of the network",
     "vnet a 10.0.0.0/16\nsubnet a x\nservice S 198.18.64.0/20\nendpoint a/s S\nlook a/x\n", LOCAL INTERNET NONE_ROWS},
    {"2.2 learned inside or equal to a VnetLocal range is not shown",
     HUB_SPOKE "learn rs 10.0.0.0/16 10.0.2.4\nlearn rs 10.0.2.0/24 10.0.2.4\nlearn rs 10.0.2.9/32 10.0.2.4\n",
     HUB_LOCAL INTERNET NONE_ROWS},
    {"2.2 learned inside or equal to a peering range is not shown",
     HUB_SPOKE "learn rs 10.1.0.0/16 10.0.2.4\nlearn rs 10.1.128.0/17 10.0.2.4\n", HUB_LOCAL INTERNET NONE_ROWS},
    {"2.2 learned around a range is shown; the None row of the same prefix gives way (inferred)",
     HUB_SPOKE "learn rs 10.0.0.0/8 10.0.2.4\n",
     HUB_LOCAL "VirtualNetworkGateway Active 10.0.0.0/8 VirtualNetworkGateway 10.0.2.4\n" INTERNET
               "Default Active 100.64.0.0/10 None\nDefault Active 172.16.0.0/12 None\n"
               "Default Active 192.168.0.0/16 None\n"},
    {"2.2 learned stays suppressed where a UDR overrides the range",
     HUB_SPOKE "learn rs 10.1.1.0/24 10.0.2.5\ntable t\nudr t 10.1.0.0/16 VirtualAppliance 10.0.2.4\nattach hub/s t\n",
     LOCAL "Default Invalid 10.1.0.0/16 VNetPeering\n" INTERNET NONE_ROWS
           "User Active 10.1.0.0/16 VirtualAppliance 10.0.2.4\n"},
    {"2.2 UDR inside the network's own range takes part",
     "vnet a 10.0.0.0/16\ntable t\nudr t 10.0.3.0/24 VirtualAppliance 10.0.2.4\nattach a/s t\n",
     LOCAL INTERNET NONE_ROWS "User Active 10.0.3.0/24 VirtualAppliance 10.0.2.4\n"},
    {"2.4 UDR 0/0 makes Default 0/0 Invalid",
     "vnet a 10.0.0.0/16\ntable t\nudr t 0.0.0.0/0 VirtualAppliance 10.0.2.4\nattach a/s t\n",
     LOCAL "Default Invalid 0.0.0.0/0 Internet\nUser Active 0.0.0.0/0 VirtualAppliance 10.0.2.4\n"},
    {"2.4 UDR equal to the network's range makes VnetLocal Invalid",
     "vnet a 10.0.0.0/16\ntable t\nudr t 10.0.0.0/16 VirtualAppliance 10.0.2.4\nattach a/s t\n",
     "Default Invalid 10.0.0.0/16 VnetLocal\n" INTERNET NONE_ROWS
     "User Active 10.0.0.0/16 VirtualAppliance 10.0.2.4\n"},
    {"2.4 UDR equal to a peering range makes VNetPeering Invalid",
     HUB_SPOKE "table t\nudr t 10.1.0.0/16 VirtualAppliance 10.0.2.4\nattach hub/s t\n",
     LOCAL "Default Invalid 10.1.0.0/16 VNetPeering\n" INTERNET NONE_ROWS
           "User Active 10.1.0.0/16 VirtualAppliance 10.0.2.4\n"},
    {"2.4 UDR equal to a reserved prefix makes its None row Invalid",
     "vnet a 10.0.0.0/16\ntable t\nudr t 172.16.0.0/12 Internet\nattach a/s t\n",
     LOCAL INTERNET "Default Active 10.0.0.0/8 None\nDefault Active 100.64.0.0/10 None\n"
                    "Default Invalid 172.16.0.0/12 None\nDefault Active 192.168.0.0/16 None\n"
                    "User Active 172.16.0.0/12 Internet\n"},
    {"2.4 UDR makes every learned row of the prefix Invalid",
     HUB_SPOKE "learn rs 172.30.0.0/16 10.0.2.4 10.0.2.5\ntable t\nudr t 172.30.0.0/16 None\nattach hub/s t\n",
     HUB_LOCAL "VirtualNetworkGateway Invalid 172.30.0.0/16 VirtualNetworkGateway 10.0.2.4\n"
               "VirtualNetworkGateway Invalid 172.30.0.0/16 VirtualNetworkGateway 10.0.2.5\n" INTERNET NONE_ROWS
               "User Active 172.30.0.0/16 None\n"},
    {"2.4 learned 0/0: Default 0/0 and the None rows are absent, not Invalid",
     HUB_SPOKE "learn rs 0.0.0.0/0 10.0.2.4 10.0.2.5\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n"
     "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.0.2.4\n"
     "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.0.2.5\n"},
    {"2.4 UDR 0/0 and learned 0/0: learned Invalid, Default absent, User Active",
     HUB_SPOKE "learn rs 0.0.0.0/0 10.0.2.4\ntable t\nudr t 0.0.0.0/0 Internet\nattach hub/s t\n",
     HUB_LOCAL "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.0.2.4\n"
               "User Active 0.0.0.0/0 Internet\n"},
    {"2.4 UDR with a next hop that nobody has stays Active",
     "vnet a 10.0.0.0/16\ntable t\nudr t 20.0.0.0/8 VirtualAppliance 10.0.9.9\nattach a/s t\n",
     LOCAL INTERNET NONE_ROWS "User Active 20.0.0.0/8 VirtualAppliance 10.0.9.9\n"},
    {"2.1-4 a UDR at the prefix of a service endpoint does not override it",
     "vnet a 10.0.0.0/16\nservice S 198.18.64.0/20\nendpoint a/s S\ntable t\nudr t 198.18.64.0/20 None\n"
     "udr t 198.18.64.8/29 None\nattach a/s t\n",
     LOCAL "Default Active 198.18.64.0/20 VirtualNetworkServiceEndpoint\n" INTERNET NONE_ROWS
           "User Invalid 198.18.64.0/20 None\nUser Active 198.18.64.8/29 None\n"},
    {"2.1-4 nor does a learned route",
     HUB_SPOKE "service S 198.18.64.0/20\nendpoint hub/s S\nlearn rs 198.18.64.0/20 10.0.2.4\n",
     HUB_LOCAL "VirtualNetworkGateway Invalid 198.18.64.0/20 VirtualNetworkGateway 10.0.2.4\n"
               "Default Active 198.18.64.0/20 VirtualNetworkServiceEndpoint\n" INTERNET NONE_ROWS},
    {"3.1 all next hop types of a UDR, by prefix, last",
     "vnet a 10.0.0.0/16\ntable t\nudr t 25.0.0.0/8 VirtualAppliance 10.0.2.4\nudr t 24.0.0.0/8 VirtualNetworkGateway\n"
     "udr t 23.0.0.0/8 VnetLocal\nudr t 22.0.0.0/8 Internet\nudr t 21.0.0.0/8 None\nattach a/s t\n",
     LOCAL INTERNET NONE_ROWS "User Active 21.0.0.0/8 None\nUser Active 22.0.0.0/8 Internet\n"
                              "User Active 23.0.0.0/8 VnetLocal\nUser Active 24.0.0.0/8 VirtualNetworkGateway\n"
                              "User Active 25.0.0.0/8 VirtualAppliance 10.0.2.4\n"},
    {"3.4 UDR 0/0 leaves service endpoints alone",
     "vnet a 10.0.0.0/16\nservice S 198.18.64.0/20\nendpoint a/s S\ntable t\n"
     "udr t 0.0.0.0/0 VirtualAppliance 10.0.2.4\nattach a/s t\n",
     LOCAL "Default Active 198.18.64.0/20 VirtualNetworkServiceEndpoint\nDefault Invalid 0.0.0.0/0 Internet\n"
           "User Active 0.0.0.0/0 VirtualAppliance 10.0.2.4\n"},
    {"3.5 disableBgpRoutePropagation removes every learned row, and the system default is back",
     HUB_SPOKE "learn rs 0.0.0.0/0 10.0.2.4\nlearn rs 172.30.0.0/16 10.0.2.4\ntable t nopropagation\nattach hub/s t\n",
     HUB_LOCAL INTERNET NONE_ROWS},
    {"3.5 an empty route table with propagation changes nothing",
     HUB_SPOKE "learn rs 172.30.0.0/16 10.0.2.4\ntable t\nattach hub/s t\n",
     HUB_LOCAL "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS},
    {"3.3 a service tag stands for its prefixes",
     "vnet a 10.0.0.0/16\ntag Storage 20.0.0.0/8 9.0.0.0/16\ntable t\nudr t Storage Internet\nattach a/s t\n",
     LOCAL INTERNET NONE_ROWS "User Active 9.0.0.0/16 Internet\nUser Active 20.0.0.0/8 Internet\n"},
    {"3.3 a tag that has 0.0.0.0/0 is a user route for it",
     "vnet a 10.0.0.0/16\ntag Internet 0.0.0.0/0\ntable t\nudr t Internet None\nattach a/s t\n",
     LOCAL "Default Invalid 0.0.0.0/0 Internet\nUser Active 0.0.0.0/0 None\n"},
    {"3.3 tie: prefix, regional tag, tag, AzureCloud of a region, AzureCloud",
     "vnet a 10.0.0.0/16\ntag AzureCloud 20.0.0.0/8 21.0.0.0/8 22.0.0.0/8 23.0.0.0/8 24.0.0.0/8\n"
     "tag AzureCloud.north 20.0.0.0/8 21.0.0.0/8 22.0.0.0/8 23.0.0.0/8\ntag Storage 20.0.0.0/8 21.0.0.0/8 22.0.0.0/8\n"
     "tag Storage.north 20.0.0.0/8 21.0.0.0/8\ntable t\n"
     "udr t AzureCloud VirtualAppliance 10.0.0.5\nudr t AzureCloud.north VirtualAppliance 10.0.0.4\n"
     "udr t Storage VirtualAppliance 10.0.0.3\nudr t Storage.north VirtualAppliance 10.0.0.2\n"
     "udr t 20.0.0.0/8 VirtualAppliance 10.0.0.1\nattach a/s t\n",
     LOCAL INTERNET NONE_ROWS "User Active 20.0.0.0/8 VirtualAppliance 10.0.0.1\n"
                              "User Invalid 20.0.0.0/8 VirtualAppliance 10.0.0.2\n"
                              "User Invalid 20.0.0.0/8 VirtualAppliance 10.0.0.3\n"
                              "User Invalid 20.0.0.0/8 VirtualAppliance 10.0.0.4\n"
                              "User Invalid 20.0.0.0/8 VirtualAppliance 10.0.0.5\n"
                              "User Active 21.0.0.0/8 VirtualAppliance 10.0.0.2\n"
                              "User Invalid 21.0.0.0/8 VirtualAppliance 10.0.0.3\n"
                              "User Invalid 21.0.0.0/8 VirtualAppliance 10.0.0.4\n"
                              "User Invalid 21.0.0.0/8 VirtualAppliance 10.0.0.5\n"
                              "User Active 22.0.0.0/8 VirtualAppliance 10.0.0.3\n"
                              "User Invalid 22.0.0.0/8 VirtualAppliance 10.0.0.4\n"
                              "User Invalid 22.0.0.0/8 VirtualAppliance 10.0.0.5\n"
                              "User Active 23.0.0.0/8 VirtualAppliance 10.0.0.4\n"
                              "User Invalid 23.0.0.0/8 VirtualAppliance 10.0.0.5\n"
                              "User Active 24.0.0.0/8 VirtualAppliance 10.0.0.5\n"},
    {"3.3 a tag is a user route: learned rows of its prefixes are Invalid",
     HUB_SPOKE "learn rs 20.0.0.0/8 10.0.2.4\ntag Storage 20.0.0.0/8\ntable t\nudr t Storage None\nattach hub/s t\n",
     HUB_LOCAL "VirtualNetworkGateway Invalid 20.0.0.0/8 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS
               "User Active 20.0.0.0/8 None\n"},
    {"3.6 VirtualApplianceEcmp: VirtualAppliance with all its next hops",
     "vnet a 10.0.0.0/16\ntable t\nudr t 20.0.0.0/8 VirtualAppliance 10.0.0.5 10.0.0.4\nattach a/s t\n",
     LOCAL INTERNET NONE_ROWS "User Active 20.0.0.0/8 VirtualAppliance 10.0.0.5\n"
                              "User Active 20.0.0.0/8 VirtualAppliance 10.0.0.4\n"},
    {"3.6 disablePeeringRoute removes rows to peered networks, and what is learned there is not hidden any more",
     "vnet hub 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer hub b\npeer b hub\nrs rs hub\ntable t nopeering\nattach hub/s t\n"
     "learn rs 10.1.0.0/24 10.0.2.4\n",
     LOCAL "VirtualNetworkGateway Active 10.1.0.0/24 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS},
    {"4.2 not transitive: A-B and B-C give A nothing of C",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\nvnet c 10.2.0.0/16\npeer a b\npeer b a\npeer b c\npeer c b\n",
     HUB_LOCAL INTERNET NONE_ROWS},
    {"4.2 the network in the middle has both",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\nvnet c 10.2.0.0/16\npeer a b\npeer b a\npeer b c\npeer c b\nlook b/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n"
     "Default Active 10.2.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"4.2 rows only when both halves exist", "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b\n",
     LOCAL INTERNET NONE_ROWS},
    {"4.4 ranges of the last sync are in force: an old one stays, a new one is not there yet",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16 10.2.0.0/16\npeer a b sync=10.1.0.0/17\npeer b a\n",
     LOCAL "Default Active 10.1.0.0/17 VNetPeering\n" INTERNET NONE_ROWS},
    {"4.4 the other half is in sync all the same",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b sync=10.1.0.0/17\npeer b a\nlook b/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"4.4 learned routes are hidden by ranges in force only",
     "vnet hub 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer hub b sync=10.1.0.0/17\npeer b hub\nrs rs hub\n"
     "learn rs 10.1.0.0/18 10.0.2.4\nlearn rs 10.1.128.0/18 10.0.2.4\n",
     LOCAL "Default Active 10.1.0.0/17 VNetPeering\n"
           "VirtualNetworkGateway Active 10.1.128.0/18 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS},
    {"4.2 a spoke that uses the remote gateway: hub ranges and learned rows, same next hops",
     HUB_SPOKE "learn rs 172.30.0.0/16 10.0.2.4 10.0.2.5\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n"
     "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.2.4\n"
     "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.2.5\n" INTERNET NONE_ROWS},
    {"4.2 not the prefixes of the other spokes",
     HUB_SPOKE "vnet spoke2 10.2.0.0/16\npeer hub spoke2 transit\npeer spoke2 hub use\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"4.2 a spoke without useRemoteGateways learns nothing",
     "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\npeer hub spoke transit\npeer spoke hub\nrs rs hub\n"
     "learn rs 172.30.0.0/16 10.0.2.4\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"4.1 useRemoteGateways without the other side's allowGatewayTransit learns nothing",
     "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\npeer hub spoke\npeer spoke hub use\nrs rs hub\n"
     "learn rs 172.30.0.0/16 10.0.2.4\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"14.11 allowVirtualNetworkAccess false on this half: no rows here",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b noaccess\npeer b a\n", LOCAL INTERNET NONE_ROWS},
    {"14.11 and on the other half: the rows are here",
     "vnet a 10.0.0.0/16\nvnet b 10.1.0.0/16\npeer a b\npeer b a noaccess\n", HUB_LOCAL INTERNET NONE_ROWS},
    {"5.5 relation: shorter than a range is programmed, in the hub", HUB_SPOKE "learn rs 10.0.0.0/15 10.0.2.4\n",
     HUB_LOCAL "VirtualNetworkGateway Active 10.0.0.0/15 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS},
    {"5.5 relation: equal to the range of a network peered with the hub that does not use its Route Server: hidden in "
     "the hub",
     HUB_SPOKE "vnet c 10.3.0.0/16\npeer hub c transit\npeer c hub\nlearn rs 10.3.0.0/16 10.0.2.4\n",
     HUB_LOCAL "Default Active 10.3.0.0/16 VNetPeering\n" INTERNET NONE_ROWS},
    {"5.5 relation: … and programmed in the networks that use it",
     HUB_SPOKE "vnet c 10.3.0.0/16\npeer hub c transit\npeer c hub\nlearn rs 10.3.0.0/16 10.0.2.4\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n"
     "VirtualNetworkGateway Active 10.3.0.0/16 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS},
    {"5.5 the announcement is echoed to the NVA's own subnet",
     HUB_SPOKE "learn rs 172.30.0.0/16 10.0.2.4\nlook hub/s\n",
     HUB_LOCAL "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.2.4\n" INTERNET NONE_ROWS},
    {"1.3 a hub without Route Server: what its gateways learn",
     "vnet hub 10.0.0.0/16\nvnet spoke 10.1.0.0/16\npeer hub spoke transit\npeer spoke hub use\ngateway vpn hub vpn "
     "10.0.3.4 10.0.3.5\ninternet\nlearn hub 172.30.0.0/16 10.0.3.4 10.0.3.5\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n"
     "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.3.4\n"
     "VirtualNetworkGateway Active 172.30.0.0/16 VirtualNetworkGateway 10.0.3.5\n" INTERNET NONE_ROWS},
    {"3.1 UDR VirtualNetworkGateway: the instances of the VPN gateway",
     HUB_SPOKE "gateway vpn hub vpn 10.0.3.4 10.0.3.5\ntable t\nudr t 172.30.0.0/16 VirtualNetworkGateway\n"
               "attach hub/s t\n",
     HUB_LOCAL INTERNET NONE_ROWS "User Active 172.30.0.0/16 VirtualNetworkGateway 10.0.3.4\n"
                                  "User Active 172.30.0.0/16 VirtualNetworkGateway 10.0.3.5\n"},
    {"3.1, 3.5 UDR VirtualNetworkGateway in a spoke, with propagation off",
     HUB_SPOKE "gateway vpn hub vpn 10.0.3.4\ntable t nopropagation\nudr t 172.30.0.0/16 VirtualNetworkGateway\n"
               "attach spoke/s t\nlook spoke/s\n",
     "Default Active 10.1.0.0/16 VnetLocal\nDefault Active 10.0.0.0/16 VNetPeering\n" INTERNET NONE_ROWS
     "User Active 172.30.0.0/16 VirtualNetworkGateway 10.0.3.4\n"},
    {"3.1 UDR VirtualNetworkGateway: not beside an ExpressRoute gateway",
     HUB_SPOKE "gateway vpn hub vpn 10.0.3.4\ngateway er hub er 10.0.3.5 10.0.3.6\ntable t\n"
               "udr t 172.30.0.0/16 VirtualNetworkGateway\nattach hub/s t\n",
     HUB_LOCAL INTERNET NONE_ROWS "User Active 172.30.0.0/16 VirtualNetworkGateway\n"},
    {"5.5 a prefix without next hops is no route", HUB_SPOKE "learn rs 0.0.0.0/0\n", HUB_LOCAL INTERNET NONE_ROWS},
    {"RFC 7999 BLACKHOLE: None, in the hub", HUB_SPOKE "learn rs 10.50.0.0/16 10.0.2.4\nlearn rs 10.50.0.7/32 drop\n",
     HUB_LOCAL "VirtualNetworkGateway Active 10.50.0.0/16 VirtualNetworkGateway 10.0.2.4\n"
               "VirtualNetworkGateway Active 10.50.0.7/32 None\n" INTERNET NONE_ROWS},
    {"RFC 7999 BLACKHOLE inside an address range is no more than any learned route there (2.2)",
     HUB_SPOKE "learn rs 10.0.2.4/32 drop\n", HUB_LOCAL INTERNET NONE_ROWS},
    {"RFC 7999 BLACKHOLE: User beats it like any learned route",
     HUB_SPOKE "learn rs 10.50.0.7/32 drop\ntable t\nudr t 10.50.0.7/32 Internet\nattach hub/s t\n",
     HUB_LOCAL "VirtualNetworkGateway Invalid 10.50.0.7/32 None\n" INTERNET NONE_ROWS
               "User Active 10.50.0.7/32 Internet\n"},
    {"RFC 7999 BLACKHOLE of 0/0 replaces the system routes as any learned default does",
     HUB_SPOKE "learn rs 0.0.0.0/0 drop\n", HUB_LOCAL "VirtualNetworkGateway Active 0.0.0.0/0 None\n"},
    {"8.1 dual homed: the spoke's own Route Server, next hops in both hubs",
     "vnet spoke 10.0.0.0/16\nvnet h1 10.1.0.0/16\nvnet h2 10.2.0.0/16\npeer spoke h1\npeer h1 spoke\npeer spoke h2\n"
     "peer h2 spoke\nrs rs spoke\nlearn rs 0.0.0.0/0 10.1.0.4 10.2.0.4\n",
     HUB_LOCAL "Default Active 10.2.0.0/16 VNetPeering\n"
               "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.0.4\n"
               "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.2.0.4\n"},
    {"9.1 order: VnetLocal, peering, gateway, service endpoint, Default 0/0, None, User",
     HUB_SPOKE "learn rs 9.0.0.0/8 10.0.2.4\nservice S 8.0.0.0/8\nendpoint hub/s S\ntable t\nudr t 7.0.0.0/8 None\n"
               "attach hub/s t\n",
     HUB_LOCAL "VirtualNetworkGateway Active 9.0.0.0/8 VirtualNetworkGateway 10.0.2.4\n"
               "Default Active 8.0.0.0/8 VirtualNetworkServiceEndpoint\n" INTERNET NONE_ROWS
               "User Active 7.0.0.0/8 None\n"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct lab lab;

    lab_init(&lab);
    lab_add(&lab, row->lab);
    const struct vnrs_domain *domain = lab_compute(&lab);
    _free_ char *have = lab_rows(domain);
    assert_string_equal(have, row->want);
    list_foreach (route, &domain->routes)
        assert_true(route->why && route->why[0]);
    lab_fini(&lab);
}

struct why {
    const char *prefix;
    struct vnrs_learned_verdict verdict;
    const char *want;
};

#define NVA (1 << VNRS_LEARNED_NVA)
#define VPN (1 << VNRS_LEARNED_VPN)
#define ER  (1 << VNRS_LEARNED_ER)

static const struct why whys[] = {
    {"20.0.0.0/16", {.won = NVA}, "learned by Route Server 'rs'; 2 equal next hops share the flows"},
    {"20.1.0.0/16", {.won = VPN}, "learned by VPN gateway 'vpn'; 2 equal next hops share the flows"},
    {"20.2.0.0/16",
     {.won = ER, .ranked = NVA | VPN},
     "learned by ExpressRoute gateway 'er'; 2 equal next hops share the flows; preferred to that of Route Server 'rs' "
     "and VPN gateway 'vpn' by hubRoutingPreference ExpressRoute"},
    {"20.3.0.0/16",
     {.won = NVA, .longer = VPN},
     "learned by Route Server 'rs'; 2 equal next hops share the flows; its AS path is shorter than that of VPN gateway "
     "'vpn'"},
    {"20.4.0.0/16",
     {.won = NVA | VPN},
     "learned by Route Server 'rs' and VPN gateway 'vpn'; 2 equal next hops share the flows"},
    {"20.5.0.0/16",
     {.won = ER, .ranked = NVA | VPN},
     "learned by ExpressRoute gateway 'er'; 2 equal next hops share the flows; preferred to that of Route Server 'rs' "
     "and VPN gateway 'vpn' by hubRoutingPreference ExpressRoute"},
    {"0.0.0.0/0",
     {.won = ER, .ranked = VPN},
     "learned by ExpressRoute gateway 'er'; preferred to that of VPN gateway 'vpn' by hubRoutingPreference "
     "ExpressRoute; replaces the system default route and the None routes"},
    {"20.0.0.7/32", {.won = NVA}, "learned by Route Server 'rs' as BLACKHOLE (RFC 7999): packets are dropped"},
    {"20.2.0.7/32",
     {.won = ER, .ranked = VPN},
     "learned by ExpressRoute gateway 'er' as BLACKHOLE (RFC 7999): packets are dropped; preferred to that of VPN "
     "gateway 'vpn' by hubRoutingPreference ExpressRoute"},
    {"::/0",
     {.won = NVA},
     "learned by Route Server 'rs' as BLACKHOLE (RFC 7999): packets are dropped; replaces the system default route"},
};

static void why_names_the_classes_and_the_rule_5_8(void **state)
{
    struct lab lab;
    char text[64];

    (void)state;
    lab_init(&lab);
    lab_add(&lab, HUB_SPOKE "gateway vpn hub vpn 10.0.3.4\ngateway er hub er 10.0.3.5\n");
    for (size_t i = 0; i < ARRAY_SIZE(whys); i++) {
        snprintf(text, sizeof(text), "learn hub %s %s\n", whys[i].prefix,
                 strstr(whys[i].want, "BLACKHOLE") ? "drop" : "10.0.2.4 10.0.2.5");
        lab_add(&lab, text);
    }
    for (size_t i = 0; i < lab.learned[0].n_routes; i++) {
        struct vnrs_learned_route *route = (struct vnrs_learned_route *)&lab.learned[0].routes[i];
        for (size_t w = 0; w < ARRAY_SIZE(whys); w++)
            if (strcmp(vnrs_prefix_format(&route->prefix, text), whys[w].prefix) == 0)
                route->verdict = whys[w].verdict;
    }
    const struct vnrs_domain *domain = lab_compute(&lab);
    size_t seen = 0;
    list_foreach (route, &domain->routes) {
        for (size_t w = 0; route->source == VNRS_SRC_GATEWAY && w < ARRAY_SIZE(whys); w++) {
            if (strcmp(vnrs_prefix_format(&route->prefix, text), whys[w].prefix) != 0)
                continue;
            assert_string_equal(route->why, whys[w].want);
            seen++;
        }
    }
    assert_int_equal(seen, ARRAY_SIZE(whys));
    lab_fini(&lab);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(rows) + 1];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        tests[i] = (struct CMUnitTest){
            .name = rows[i].name,
            .test_func = check_row,
            .initial_state = (void *)&rows[i],
        };
    }
    tests[ARRAY_SIZE(rows)] = (struct CMUnitTest)cmocka_unit_test(why_names_the_classes_and_the_rule_5_8);
    return _cmocka_run_group_tests("routing.effective", tests, ARRAY_SIZE(tests), NULL, NULL);
}
