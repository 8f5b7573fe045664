# SPDX-License-Identifier: GPL-2.0-or-later
"""Segmentation offload across virtual networks and through an appliance, and packets that really are too big.

    left                         hub                        right
    a  (MTU 1500) ─┐                                    ┌─ b  (MTU 1500)
    ja (MTU 9000) ─┴── peering ── nva (MTU 9000) ── peering ─┴─ jb (MTU 9000)

Between left and right everything goes through the appliance.
"""
import json
import pathlib
import subprocess

import pytest

from conftest import Lab, until

BULK = pathlib.Path(__file__).with_name("bulk.py")
BYTES = 8 << 20

TOPOLOGY = """
name: {name}
dataplane: {dataplane}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16, 'fd00:a::/48']
    subnets: [{{name: nva, addressPrefixes: [10.0.1.0/24, 'fd00:a:0:1::/64']}}]
  - name: left
    addressSpace: [10.1.0.0/16, 'fd00:b::/48']
    subnets: [{{name: s, addressPrefixes: [10.1.1.0/24, 'fd00:b:0:1::/64'], routeTable: to-right}}]
  - name: right
    addressSpace: [10.2.0.0/16, 'fd00:c::/48']
    subnets: [{{name: s, addressPrefixes: [10.2.1.0/24, 'fd00:c:0:1::/64'], routeTable: to-left}}]
virtualNetworkPeerings:
  - {{virtualNetwork: hub, remoteVirtualNetwork: left, allowForwardedTraffic: true}}
  - {{virtualNetwork: left, remoteVirtualNetwork: hub, allowForwardedTraffic: true}}
  - {{virtualNetwork: hub, remoteVirtualNetwork: right, allowForwardedTraffic: true}}
  - {{virtualNetwork: right, remoteVirtualNetwork: hub, allowForwardedTraffic: true}}
routeTables:
  - name: to-right
    routes:
      - {{name: v4, addressPrefix: 10.2.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.1.4}}
      - {{name: v6, addressPrefix: 'fd00:c::/48', nextHopType: VirtualAppliance, nextHopIpAddress: 'fd00:a:0:1::4'}}
  - name: to-left
    routes:
      - {{name: v4, addressPrefix: 10.1.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.1.4}}
      - {{name: v6, addressPrefix: 'fd00:b::/48', nextHopType: VirtualAppliance, nextHopIpAddress: 'fd00:a:0:1::4'}}
machines:
  - {{name: nva, nics: [{{subnet: hub/nva, privateIps: [10.0.1.4, 'fd00:a:0:1::4'], enableIPForwarding: true, mtu: 9000}}]}}
  - {{name: a, nics: [{{subnet: left/s, privateIps: [10.1.1.4, 'fd00:b:0:1::4']}}]}}
  - {{name: ja, nics: [{{subnet: left/s, privateIps: [10.1.1.5, 'fd00:b:0:1::5'], mtu: 9000}}]}}
  - {{name: b, nics: [{{subnet: right/s, privateIps: [10.2.1.4, 'fd00:c:0:1::4']}}]}}
  - {{name: jb, nics: [{{subnet: right/s, privateIps: [10.2.1.5, 'fd00:c:0:1::5'], mtu: 9000}}]}}
"""


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(daemon, request, tmp_path_factory):
    name = f"gso-{request.param}"
    lab = Lab(daemon, TOPOLOGY.format(name=name, dataplane=request.param), name, tmp_path_factory.mktemp(name))
    lab.dataplane = request.param
    try:
        lab.apply()
        for to in ("10.2.1.4", "10.2.1.5", "fd00:c:0:1::4", "fd00:c:0:1::5"):
            until(lambda to=to: lab.ping("ja", to), 20, f"{to} answers through the appliance")
        yield lab
    finally:
        lab.destroy(check=False)


def too_big(lab):
    """Packets that the fabric dropped for being too big; only the eBPF data plane counts them."""
    return sum(d["packets"] for d in lab.get("counters")["drops"] if d["reason"] == "TOO_BIG") if lab.dataplane == "ebpf" else 0


def start(lab, machine, *args):
    return subprocess.Popen(["ip", "netns", "exec", lab.ns(machine), "/usr/bin/python3", BULK, *map(str, args)],
                            stdout=subprocess.PIPE, text=True)


def transfer(lab, sender, receiver, address, segment, n=BYTES):
    """What the two ends say; both sent and got the same bytes."""
    far = start(lab, receiver, "receive", address, 5001)
    try:
        assert far.stdout.readline() == "ready\n"
        near = start(lab, sender, "send", address, 5001, segment, n)
        told = [p.communicate(timeout=90)[0] for p in (near, far)]
    finally:
        far.kill()
        far.wait(10)
    near, far = map(json.loads, told)
    assert (far["tcp"], far["udp"]) == (near["tcp"], near["udp"])
    return near, far


@pytest.mark.parametrize("address", ["10.0.1.4", "fd00:a:0:1::4", "10.2.1.4", "fd00:c:0:1::4"])
def test_bundles_arrive_as_such(lab, address):
    """Over a peering, and over two with an appliance between them."""
    before = too_big(lab)
    near, far = transfer(lab, "a", "nva" if address.endswith(("10.0.1.4", "a:0:1::4")) else "b", address, 1400)
    assert far["tcp_longest"] > 4 * 1500 and far["udp_longest"] > 4 * 1500, far
    assert near["errors"] == 0 and too_big(lab) == before


@pytest.mark.parametrize("address", ["10.2.1.5", "fd00:c:0:1::5"])
def test_bundles_of_jumbo_packets_arrive_as_such(lab, address):
    before = too_big(lab)
    near, far = transfer(lab, "ja", "jb", address, 8900)
    assert far["tcp_longest"] > 2 * 9000 and far["udp_longest"] > 2 * 9000, far
    assert near["errors"] == 0 and too_big(lab) == before


def path_mtu(lab, address):
    words = lab.exec("ja", "ip", "route", "get", address).split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else None


def can_send(lab, address, size):
    return subprocess.run(["ip", "netns", "exec", lab.ns("ja"), "ping", "-n", "-q", "-c", "1", "-W", "1", "-M", "do", "-s",
                           str(size), address], capture_output=True).returncode == 0


@pytest.mark.parametrize("address, back, head", [("10.2.1.4", "10.1.1.5/32", 28), ("fd00:c:0:1::4", "fd00:b:0:1::5/128", 48)])
def test_the_path_mtu_is_found_behind_the_appliance(lab, address, back, head):
    """ja sends what its own link takes; only the last NIC takes less. The error comes from the fabric, to the appliance's
    NIC, and goes on from there to ja."""
    if lab.dataplane == "kernel":
        pytest.skip("the kernel's fabric has no address and sends no errors (docs/parity.md)")
    before = too_big(lab)
    assert path_mtu(lab, address) is None
    assert not can_send(lab, address, 3000)
    until(lambda: path_mtu(lab, address) == 1500, 10, "the error reaches the sender")
    assert too_big(lab) == before + 1
    assert can_send(lab, address, 1500 - head) and not can_send(lab, address, 1501 - head)
    lab.exec("ja", "ip", "-6" if ":" in address else "-4", "route", "flush", "cache")

    # TCP is told by a handshake what the other end takes; let that one promise too much.
    gateway = "fd00:c:0:1::1" if ":" in address else "10.2.1.1"
    lab.exec("b", "ip", "route", "add", back, "via", gateway, "dev", "eth0", "metric", "1", "advmss", "8900")
    try:
        near, far = transfer(lab, "ja", "b", address, 1400, 1 << 20)
        assert near["errors"] >= 1 and far["tcp_longest"] > 1500
        assert path_mtu(lab, address) == 1500
    finally:
        lab.exec("b", "ip", "route", "del", back, "metric", "1")
        lab.exec("ja", "ip", "-6" if ":" in address else "-4", "route", "flush", "cache")
