# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic by what Azure bills it as: every class by pings of a known size, counted to the byte, on the NIC that sends them
and in the sums of the lab.

   depot ══ VPN ══╗                        ╔══ peering ══ spoke (10.1.0.4)
      dc ══ circuit ══ hub: vm, vm2, nva ══╣
   nva leads to 10.8.0.10                  ╚══ global peering ══ far (10.2.0.4)
"""
import re
import subprocess

import pytest

from conftest import Lab, leftovers, until

LAB = """
name: {name}
dataplane: {dataplane}
defaults: {{bgp: {{keepalive: 5, hold: 60}}}}
virtualNetworks:
  - name: hub
    region: westeurope
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: GatewaySubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: nva, addressPrefix: 10.0.2.0/24}}
      - {{name: apps, addressPrefix: 10.0.3.0/24, routeTable: rt, serviceEndpoints: [{{service: Microsoft.Storage}}]}}
  - name: spoke
    region: westeurope
    addressSpace: [10.1.0.0/16]
    subnets: [{{name: default, addressPrefix: 10.1.0.0/24, routeTable: rt}}]
  - name: far
    region: eastus
    addressSpace: [10.2.0.0/16]
    subnets: [{{name: default, addressPrefix: 10.2.0.0/24, routeTable: rt}}]
virtualNetworkPeerings:
  - {{virtualNetwork: hub, remoteVirtualNetwork: spoke, allowForwardedTraffic: true, allowGatewayTransit: true}}
  - {{virtualNetwork: spoke, remoteVirtualNetwork: hub, allowForwardedTraffic: true, useRemoteGateways: true}}
  - {{virtualNetwork: hub, remoteVirtualNetwork: far, allowForwardedTraffic: true, allowGatewayTransit: true}}
  - {{virtualNetwork: far, remoteVirtualNetwork: hub, allowForwardedTraffic: true, useRemoteGateways: true}}
routeTables:
  - name: rt
    routes:
      - {{name: nva, addressPrefix: 10.8.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.4}}
      - {{name: none, addressPrefix: 10.9.0.0/16, nextHopType: None}}
virtualNetworkGateways:
  - {{name: vpn, virtualNetwork: hub, gatewayType: Vpn}}
  - {{name: er, virtualNetwork: hub, gatewayType: ExpressRoute}}
sites:
  - {{name: depot, addressPrefixes: [10.61.0.0/16], publicIp: 198.51.100.11, hosts: [{{name: store, ip: 10.61.0.10}}]}}
  - name: dc
    addressPrefixes: [10.62.0.0/16]
    asn: 65020
    run: {{kind: bird}}
    hosts: [{{name: rack, ip: 10.62.0.10}}]
connections:
  - {{name: td, gateway: vpn, site: depot, connectionType: IPsec}}
  - {{name: circuit, gateway: er, site: dc, connectionType: ExpressRoute}}
services:
  - name: Microsoft.Storage
    addressPrefixes: [198.18.64.0/20]
    hosts: [{{name: storage1, ip: 198.18.64.10}}]
internet:
  hosts: [{{name: www, ip: 203.0.113.80}}]
machines:
  - {{name: vm, nics: [{{subnet: hub/apps, privateIp: 10.0.3.4}}]}}
  - {{name: vm2, nics: [{{subnet: hub/apps, privateIp: 10.0.3.5}}]}}
  - {{name: spoke, nics: [{{subnet: spoke/default, privateIp: 10.1.0.4}}]}}
  - {{name: far, nics: [{{subnet: far/default, privateIp: 10.2.0.4}}]}}
  - name: nva
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}}]
    hosts: [{{name: behind, ip: 10.8.0.10}}]
"""
PINGS, SIZE = 3, 200  # packets there, and as many back; bytes of IP
# from, to, class there, class back
WAYS = [
    ("vm", "10.0.3.5", "VnetLocal", "VnetLocal"),
    ("spoke", "10.0.3.4", "VNetPeering", "VNetPeering"),
    ("far", "10.0.3.4", "VNetGlobalPeering", "VNetGlobalPeering"),
    ("vm", "10.8.0.10", "VirtualAppliance", "VnetLocal"),
    ("spoke", "10.8.0.10", "VirtualAppliance+VNetPeering", "VNetPeering"),
    ("far", "10.8.0.10", "VirtualAppliance+VNetGlobalPeering", "VNetGlobalPeering"),
    ("vm", "10.61.0.10", "VpnGateway", "VpnGateway"),
    ("spoke", "10.61.0.10", "VpnGateway+VNetPeering", "VpnGateway+VNetPeering"),
    ("far", "10.61.0.10", "VpnGateway+VNetGlobalPeering", "VpnGateway+VNetGlobalPeering"),
    ("vm", "10.62.0.10", "ExpressRouteGateway", "ExpressRouteGateway"),
    ("spoke", "10.62.0.10", "ExpressRouteGateway+VNetPeering", "ExpressRouteGateway+VNetPeering"),
    ("far", "10.62.0.10", "ExpressRouteGateway+VNetGlobalPeering", "ExpressRouteGateway+VNetGlobalPeering"),
    ("vm", "198.18.64.10", "VirtualNetworkServiceEndpoint", "VirtualNetworkServiceEndpoint"),
    ("vm", "203.0.113.80", "Internet", "Internet"),
]
OUTSIDE = ("VpnGateway", "ExpressRouteGateway", "VirtualNetworkServiceEndpoint", "Internet")


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = f"bill-{request.param}"
    lab = Lab(daemon, LAB.format(name=name, dataplane=request.param), name, tmp_path_factory.mktemp(name))
    lab.apply("--timeout", "90s")
    for machine, to, *_ in WAYS:
        until(lambda: lab.ping(machine, to), 60, f"{machine} reaches {to}")
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def pair(count):
    return count["packets"], count["bytes"]


def of_nic(lab, name):
    """{class: ((packets, bytes) from it, to it)}"""
    return {c["class"]: (pair(c["fromNic"]), pair(c["toNic"])) for c in lab.get("counters", name)["billing"]}


def of_lab(lab):
    """{class: (packets, bytes), (packets, bytes) outbound, inbound}"""
    return {c["class"]: (pair(c), *(c[way] and pair(c[way]) for way in ("outbound", "inbound")))
            for c in lab.get("counters")["billing"]}


def ping(lab, machine, to):
    """Whether nothing was lost: a tunnel is a program, which may have no time."""
    out = lab.exec(machine, "ping", "-n", "-q", "-c", PINGS, "-i", "0.02", "-W", "2", "-s", SIZE - 28, to, check=False)
    return f" {PINGS} received" in out


def measure(read, lab, machine, to):
    """What read() says before and after pings of which none was lost."""
    for _ in range(10):
        before = read()
        if ping(lab, machine, to):
            return before, read()
    raise AssertionError(f"{machine} loses packets to {to}")


def grown(before, after):
    """What is new in tuples of tuples of numbers, by key; without keys of which nothing is."""
    def minus(a, b):
        return tuple(minus(x, y) for x, y in zip(a, b)) if isinstance(a, tuple) else a and a - b
    zero = ((0, 0), (0, 0))
    grown = {key: minus(value, before.get(key, zero)) for key, value in after.items()}
    return {key: value for key, value in grown.items() if value != minus(value, value)}


@pytest.mark.parametrize("machine,to,there,back", WAYS)
def test_counted_to_the_byte(lab, machine, to, there, back):
    n = (PINGS, PINGS * SIZE)
    (nic, whole), (nic_after, after) = measure(lambda: (of_nic(lab, machine), of_lab(lab)), lab, machine, to)
    expected = {there: (n, (0, 0))}
    expected[back] = ((0, 0) if back != there else n, n)
    assert grown(nic, nic_after) == expected
    if there != "VnetLocal" and back != "VnetLocal":  # what BGP speakers say to each other is that too
        both = (2 * PINGS, 2 * PINGS * SIZE)
        directions = (n, n) if there.split("+")[0] in OUTSIDE else (None, None)
        sums = {k: v for k, v in grown(whole, after).items() if k != "VnetLocal"}
        assert sums == ({there: (both, *directions)} if there == back else
                        {there: (n, *directions), back: (n, None, None)})


def test_gateways_count_what_they_carry(lab):
    before, after = measure(lambda: of_nic(lab, "gateway.vpn-0"), lab, "spoke", "10.61.0.10")
    n = (PINGS, PINGS * SIZE)
    seen = {k: v for k, v in grown(before, after).items() if k != "VnetLocal"}
    assert seen == {"VpnGateway+VNetPeering": (n, n)}


def test_all_that_a_nic_sends_is_counted_once(lab):
    def numbers():
        nic = lab.get("counters", "spoke")
        return nic["fromNic"]["packets"], sum(c["fromNic"]["packets"] for c in nic["billing"])
    before = numbers()
    assert ping(lab, "spoke", "10.0.3.4")
    lab.exec("spoke", "ping", "-q", "-c", 2, "-i", "0.02", "-W", "0.1", "10.9.0.1", check=False)  # None: forwarded by nobody
    all_sent, of_classes = (b - a for a, b in zip(before, numbers()))
    assert of_classes == PINGS and all_sent >= of_classes


def test_text_and_metrics_say_the_same(lab):
    text = lab.daemon.cli("--lab", lab.name, "counters", "spoke").stdout
    packets, size = of_nic(lab, "spoke")["VpnGateway+VNetPeering"][0]
    assert re.search(rf"^VpnGateway\+VNetPeering +{packets} +{size} .* outbound; network without gateway$", text, re.M), text
    assert re.search(r"^Total  ", lab.daemon.cli("--lab", lab.name, "counters").stdout, re.M)
    metrics = subprocess.run(["curl", "-s", "--unix-socket", lab.daemon.socket, "http://vnrs/metrics"], capture_output=True,
                             text=True, check=True).stdout
    row = of_lab(lab)["Internet"]
    for at, direction in ((1, "outbound"), (2, "inbound")):
        labels = f'{{lab="{lab.name}",class="Internet",direction="{direction}"}}'
        assert f"vnrs_billing_packets_total{labels} {row[at][0]}\n" in metrics
        assert f"vnrs_billing_bytes_total{labels} {row[at][1]}\n" in metrics
    assert f'vnrs_billing_bytes_total{{lab="{lab.name}",class="VNetPeering",direction="inside"}}' in metrics
    assert metrics.count("# TYPE vnrs_billing_bytes_total counter\n") == 1


def test_unknown_nic(lab):
    p = lab.daemon.cli("--lab", lab.name, "counters", "nobody", check=False)
    assert p.returncode == 1 and "there is no NIC 'nobody'" in p.stderr
