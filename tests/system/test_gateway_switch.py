# SPDX-License-Identifier: GPL-2.0-or-later
"""One of the two instances of a VPN gateway loses its session with a site: what leads to the site follows by next-hop
slots, whatever the number of prefixes, and what leads to the next site stays.

    vm ── workload ─ hub ─ GatewaySubnet ── vpn-0, -1 == two tunnels each == branch, depot (scripted peers)
"""
import os
import random
import signal

import pytest

from conftest import Lab, until
from raw_peer import RawPeer
from test_switch import FEW, at_rest, writes

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
limits: none
defaults: {bgp: {keepalive: 60, hold: 180}}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: GatewaySubnet, addressPrefix: 10.0.1.0/26}
      - {name: workload, addressPrefix: 10.0.3.0/24}
virtualNetworkGateways:
  - {name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true}
sites:
  - {name: branch, addressPrefixes: [192.168.10.0/24], asn: 65010, run: {kind: exec, exec: [sleep, infinity]}}
  - {name: depot, addressPrefixes: [192.168.20.0/24], asn: 65020, run: {kind: exec, exec: [sleep, infinity]}}
connections:
  - {name: tb, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true}
  - {name: td, gateway: vpn, site: depot, connectionType: IPsec, enableBgp: true}
machines:
  - {name: vm, nics: [{subnet: hub/workload, privateIp: 10.0.3.4}]}
"""
RANDOM = random.Random(1)  # as in test_switch.py
MORE = [f"10.{50 + i // 250}.{i % 250}.{RANDOM.randrange(64) * 4}/30" for i in range(2500)]  # more than are computed in one turn
OTHERS = [f"10.99.{i}.0/24" for i in range(20)]
BOTH = ["10.0.1.4", "10.0.1.5"]  # instances
SITES = {"branch": (65010, "192.168.10.1"), "depot": (65020, "192.168.20.1")}


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = "gsw-" + request.param[0]
    source = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", request.param)
    lab = Lab(daemon, source, name, tmp_path_factory.mktemp(name))
    daemon.cli("apply", lab.file)  # not until the sessions are there: it is the test that has them
    for link in ("tun-tb-0", "tun-tb-1"):
        until(lambda at=link: at in lab.exec("branch", "ip", "-o", "link"), 30, link)
    yield lab
    lab.destroy()


def announce(lab, site, instance, prefixes):
    asn, address = SITES[site]
    peer = RawPeer(asn=asn, local=address, remote=instance, netns=lab.ns(site))
    until(lambda: peer.connect() or True, 30, "a connection")
    peer.establish(hold=0)
    for at in range(0, len(prefixes), 700):
        peer.update(prefixes[at:at + 700], as_path=[asn])
    return peer


def leads_to(lab, prefixes, hops):
    """All of them: those of two sessions are told in any order."""
    seen = {prefix: [] for prefix in prefixes}
    for row in lab.get("effective-routes", "vm")["value"]:
        if row["addressPrefix"][0] in seen and row["state"] == "Active":
            seen[row["addressPrefix"][0]] += row["nextHopIpAddress"]
    return all(sorted(found) == hops for found in seen.values())


def dies(lab, peer, prefixes, hops):
    """The session is gone, and these next hops are left. Returns how many writes that took, but for those to the table
    of the instance itself, which has no other way to them."""
    until(lambda: at_rest(lab), 60, "at rest")
    before = writes(lab)
    peer.close()
    until(lambda: leads_to(lab, prefixes, hops), 60, f"{hops} are left")
    until(lambda: at_rest(lab), 60, "at rest")
    return writes(lab) - before - len(prefixes)


def writes_of_a_new_controller(lab):
    """It computes everything anew, and writes what the sinks do not have so."""
    before, pid = writes(lab), lab.daemon.children("--controller")[0]
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in lab.daemon.children("--controller") and lab.daemon.children("--controller"), 30, "a new one")
    until(lambda: at_rest(lab), 60, "at rest")
    return writes(lab) - before


def test_few_writes_move_all_prefixes_of_a_site(lab):
    kept = [announce(lab, "depot", instance, OTHERS) for instance in BOTH]
    took = []
    for prefixes in (MORE[:900], MORE):
        first, second = [announce(lab, "branch", instance, prefixes) for instance in BOTH]
        until(lambda: leads_to(lab, prefixes, BOTH) and leads_to(lab, OTHERS, BOTH), 60, "both instances")
        took.append(dies(lab, first, prefixes, BOTH[1:]))
        first = announce(lab, "branch", BOTH[0], prefixes)
        until(lambda: leads_to(lab, prefixes, BOTH), 60, "both again")
        took.append(dies(lab, second, prefixes, BOTH[:1]))
        assert leads_to(lab, OTHERS, BOTH)
        if prefixes is MORE:
            assert writes_of_a_new_controller(lab) == 0
            assert leads_to(lab, prefixes, BOTH[:1]) and leads_to(lab, OTHERS, BOTH)
        first.close()
        until(lambda: leads_to(lab, prefixes, []), 60, "nothing is left")
    print(f"{took} writes moved 900 and {len(MORE)} prefixes")
    assert 0 < min(took) and max(took) <= FEW
    for peer in kept:
        peer.close()
