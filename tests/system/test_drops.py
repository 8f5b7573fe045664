# SPDX-License-Identifier: GPL-2.0-or-later
"""What the packet path drops is counted by reason, in both data planes alike; those that routing drops in both families.

    a (203.0.113.0/24, 2001:db8:1::/48 → None) ── net ── b        no Internet, where the default routes lead
                                                   └── storage1 lets b in, only
"""
import pytest

from conftest import Lab, leftovers, sh, until

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16, 'fd00::/48']
    subnets:
      - name: a
        addressPrefixes: [10.0.0.0/24, 'fd00:0:0:1::/64']
        routeTable: rt
        serviceEndpoints: [{service: Microsoft.Storage}]
      - {name: b, addressPrefixes: [10.0.1.0/24, 'fd00:0:0:2::/64'], serviceEndpoints: [{service: Microsoft.Storage}]}
routeTables:
  - name: rt
    routes:
      - {name: none, addressPrefix: 203.0.113.0/24, nextHopType: None}
      - {name: none6, addressPrefix: '2001:db8:1::/48', nextHopType: None}
services:
  - name: Microsoft.Storage
    addressPrefixes: [198.18.64.0/20]
    hosts: [{name: storage1, ip: 198.18.64.10}]
    allowedSubnets: [net/b]
machines:
  - {name: a, nics: [{subnet: net/a, privateIps: [10.0.0.4, 'fd00:0:0:1::4']}]}
  - {name: b, nics: [{subnet: net/b, privateIps: [10.0.1.4, 'fd00:0:0:2::4']}]}
"""

# From, to, reason, further arguments of ping.
DROPS = [
    ("a", "203.0.113.9", "NONE_ROUTE"),
    ("a", "2001:db8:1::9", "NONE_ROUTE"),
    ("a", "10.0.1.77", "NO_ENDPOINT"),
    ("a", "fd00:0:0:2::77", "NO_ENDPOINT"),
    ("a", "198.51.100.9", "DEAD_NEXTHOP"),
    ("a", "2001:db8:2::9", "DEAD_NEXTHOP"),
    ("a", "169.254.7.7", "NO_ROUTE"),
    ("service.storage1", "192.0.2.9", "NONE_ROUTE"),
    ("a", "198.18.64.10", "SERVICE_DENIED"),
    ("a", "10.0.1.4", "SOURCE", "-I", "192.0.2.7"),
]


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = f"drops-{request.param}"
    text = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", request.param)
    lab = Lab(daemon, text, name, tmp_path_factory.mktemp(name))
    lab.apply()
    sh("ip", "-n", lab.ns("a"), "address", "add", "192.0.2.7/32", "dev", "lo")
    # A machine's own routes tell it what leads nowhere; these try nevertheless.
    for ns, route in (("a", "203.0.113.0/24"), ("a", "198.51.100.0/24"), ("a", "198.18.64.0/24"), ("a", "169.254.0.0/16"),
                      ("service.storage1", "192.0.2.0/24")):
        sh("ip", "-n", lab.ns(ns), "route", "add", route, "via", "10.0.0.1", "dev", "eth0", "onlink", "metric", 1)
    for route in "2001:db8:1::/48", "2001:db8:2::/48":
        sh("ip", "-n", lab.ns("a"), "route", "add", route, "via", "fd00:0:0:1::1", "dev", "eth0", "metric", 1)
    assert lab.ping("a", "10.0.1.4") and lab.ping("a", "fd00:0:0:2::4")
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


NOISE = ("MULTICAST", "NO_ROUTE", "SOURCE")  # what machines say of their own, to groups, to and from link-local addresses


def drops(lab):
    return {d["reason"]: (d["packets"], d["bytes"]) for d in lab.get("counters")["drops"]}


@pytest.mark.parametrize("way", DROPS, ids=lambda way: f"{way[0]}-{way[1]}")
def test_counted_by_reason(lab, way):
    machine, to, reason, *args = way
    before = drops(lab)
    out = lab.exec(machine, "ping", "-n", "-q", "-c", "3", "-i", "0.01", "-W", "0.1", *args, to, check=False)
    assert "3 packets transmitted, 0 received" in out, out
    size = 104 if ":" in to else 84
    packets, octets = before.get(reason, (0, 0))
    after = drops(lab)
    if reason in NOISE:
        assert after[reason][0] >= packets + 3 and after[reason][1] >= octets + 3 * size
    else:
        assert after[reason] == (packets + 3, octets + 3 * size)
    others = {*before, *after} - {reason, *NOISE}
    assert {r: after.get(r) for r in others} == {r: before.get(r) for r in others}


def test_routes_stay_what_they_are(lab):
    """Where packets are led to be counted is nothing that a user sees."""
    rows = {r["addressPrefix"][0]: r for r in lab.get("effective-routes", "a")["value"] if r["state"] == "Active"}
    assert rows["203.0.113.0/24"]["nextHopType"] == "None" and rows["203.0.113.0/24"]["nextHopIpAddress"] == []
    assert rows["0.0.0.0/0"]["nextHopType"] == "Internet"
