# SPDX-License-Identifier: GPL-2.0-or-later
"""An NVA dies, another one announces the same prefixes: forwarding follows by next-hop slots, whatever the number of prefixes.

    vm ── workload ─ net ─ RouteServerSubnet (two instances)
                      └── nva ── nva1, nva2 (scripted peers)
"""
import re

import pytest

from conftest import Lab, sh, until
from raw_peer import RawPeer

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}
      - {name: nva, addressPrefix: 10.0.2.0/24}
      - {name: workload, addressPrefix: 10.0.3.0/24}
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
PREFIXES = [f"10.{50 + i // 250}.{i % 250}.0/24" for i in range(900)]
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


def announce(lab, nva, asn):
    """Sessions of the NVA with both instances, on which it has announced everything."""
    peers = []
    for instance in ("10.0.1.4", "10.0.1.5"):
        peer = RawPeer(asn=asn, local={"nva1": "10.0.2.4", "nva2": "10.0.2.5"}[nva], remote=instance, netns=lab.ns(nva))
        until(lambda p=peer: p.connect() or True, 20, "a connection")
        peer.establish(hold=0)
        peer.update(PREFIXES, as_path=[asn])
        peers.append(peer)
    return peers


def leads_to(lab, *hops):
    return all(lab.next_hops("vm", prefix) == sorted(hops) for prefix in (PREFIXES[0], PREFIXES[-1]))


def test_few_writes_move_all_prefixes(lab):
    second = announce(lab, "nva2", 65002)
    first = announce(lab, "nva1", 65001)
    until(lambda: leads_to(lab, "10.0.2.4", "10.0.2.5"), 30, "both NVAs")
    until(lambda: at_rest(lab), 30, "at rest")
    before = writes(lab)
    assert before > len(PREFIXES)
    for peer in first:
        peer.close()
    until(lambda: leads_to(lab, "10.0.2.5"), 30, "the other NVA")
    until(lambda: at_rest(lab), 30, "at rest")
    took = writes(lab) - before
    print(f"{took} writes moved {len(PREFIXES)} prefixes")
    assert 0 < took <= FEW
    for peer in second:
        peer.close()
