# SPDX-License-Identifier: GPL-2.0-or-later
"""An NVA dies, another one announces the same prefixes: forwarding follows by next-hop slots, whatever the number of prefixes.
A user route leads to the first one, too, beside what was learned; it stays.

    vm ── workload ─ net ─ RouteServerSubnet (two instances)
                      └── nva ── nva1, nva2 (scripted peers)
"""
import random
import re

import pytest

from conftest import Lab, sh, until
from raw_peer import RawPeer

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
limits: none
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}
      - {name: nva, addressPrefix: 10.0.2.0/24}
      - {name: workload, addressPrefix: 10.0.3.0/24, routeTable: out}
routeTables:
  - name: out
    routes: [{name: all, addressPrefix: 0.0.0.0/0, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.4}]
routeServers:
  - name: rs
    virtualNetwork: net
    bgpConnections:
      - {name: nva1, peerIp: 10.0.2.4, peerAsn: 65001, bgp: {keepalive: 60, hold: 180}}
      - {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, bgp: {keepalive: 60, hold: 180}}
machines:
  - {name: vm, nics: [{subnet: net/workload, privateIp: 10.0.3.4}]}
  - {name: nva1, nics: [{subnet: net/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]}
  - {name: nva2, nics: [{subnet: net/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]}
"""
RANDOM = random.Random(1)  # no two parts of a table are alike, or one write would do for many prefixes
MORE = [f"10.{50 + i // 250}.{i % 250}.{i and RANDOM.randrange(64) * 4}/30" for i in range(5000)]  # than in one turn
PREFIXES = MORE[:900]
FEW = 40  # writes to maps and kernel tables: by domain, sink and family, not by prefix


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = "switch-" + request.param[0]
    source = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", request.param)
    lab = Lab(daemon, source, name, tmp_path_factory.mktemp("switch"))
    daemon.cli("apply", lab.file)  # not until the sessions are there: it is the test that has them
    until(lambda: all("10.0.2." in lab.exec(nva, "ip", "-o", "addr") for nva in ("nva1", "nva2")), 20, "both NVAs")
    yield lab
    lab.destroy()


def writes(lab):
    metrics = sh("curl", "-s", "--unix-socket", lab.daemon.socket, "http://vnrs/metrics")
    return int(re.search(rf'vnrs_lab_sink_writes_total{{lab="{lab.name}"}} (\d+)', metrics)[1])


def at_rest(lab):
    """Nothing is left to write, whoever is dead."""
    return all(c["ok"] for c in lab.get("status")["conditions"] if c["name"] != "bgp")


def announce(lab, nva, asn, prefixes=PREFIXES, hops=1):
    """Sessions of the NVA with both instances, on which it has announced everything, `hops` ASNs away."""
    peers = []
    for instance in ("10.0.1.4", "10.0.1.5"):
        peer = RawPeer(asn=asn, local={"nva1": "10.0.2.4", "nva2": "10.0.2.5"}[nva], remote=instance, netns=lab.ns(nva))
        until(lambda p=peer: p.connect() or True, 20, "a connection")
        peer.establish(hold=0)
        for at in range(0, len(prefixes), 700):
            peer.update(prefixes[at:at + 700], as_path=[asn] * hops)
        peers.append(peer)
    return peers


def leads_to(lab, *hops, prefixes=PREFIXES):
    return all(lab.next_hops("vm", prefix) == sorted(hops) for prefix in (prefixes[0], prefixes[-1]))


def dies(lab, peers, *hops, prefixes=PREFIXES):
    """The NVA is gone, and these next hops are left. Returns how many writes that took."""
    until(lambda: at_rest(lab), 60, "at rest")
    before = writes(lab)
    for peer in peers:
        peer.close()
    until(lambda: leads_to(lab, *hops, prefixes=prefixes), 60, "the next hops that are left")
    until(lambda: at_rest(lab), 60, "at rest")
    return writes(lab) - before


def test_few_writes_move_all_prefixes(lab):
    second = announce(lab, "nva2", 65002)
    first = announce(lab, "nva1", 65001)
    until(lambda: leads_to(lab, "10.0.2.4", "10.0.2.5"), 30, "both NVAs")
    assert writes(lab) > len(PREFIXES)
    took = dies(lab, first, "10.0.2.5")
    print(f"{took} writes moved {len(PREFIXES)} prefixes")
    assert 0 < took <= FEW
    for peer in second:
        peer.close()


def in_force(lab):
    """How many prefixes of the NVAs the machine has in its own table, as the kernel says."""
    return sum("via" in line and line.startswith("10.") for line in lab.exec("vm", "ip", "-o", "route").splitlines())


def test_a_longer_path_takes_over_in_as_few(lab):
    """The nearer NVA dies: the other one was no next hop of any prefix. It comes back, and dies again."""
    for nva in ("nva1", "nva2"):
        lab.exec(nva, "ip", "address", "add", "10.50.0.1/32", "dev", "lo")  # both answer
    took = []
    for prefixes in (PREFIXES, MORE):
        second = announce(lab, "nva2", 65002, prefixes, hops=3)
        until(lambda: leads_to(lab, "10.0.2.5", prefixes=prefixes), 60, "the farther NVA")
        for _ in range(2):
            first = announce(lab, "nva1", 65001, prefixes)
            until(lambda: leads_to(lab, "10.0.2.4", prefixes=prefixes), 60, "the nearer NVA")
            took.append(dies(lab, first, "10.0.2.5", prefixes=prefixes))
            until(lambda: lab.ping("vm", "10.50.0.1"), 10, "an answer of the other NVA")
        assert in_force(lab) >= len(prefixes)
        dies(lab, second, prefixes=prefixes)
    print(f"{took} writes moved {len(PREFIXES)} and {len(MORE)} prefixes")
    assert 0 < min(took) and max(took) <= FEW
