# SPDX-License-Identifier: GPL-2.0-or-later
"""Network designs beyond the seed's lab: what Azure's documentation draws, small, with real NVAs."""
import json
import re

import pytest

from conftest import Lab, leftovers, until

DATAPLANES = ["ebpf", "kernel"]


def rows(lab, nic):
    """prefix → {(source, next hop type, sorted next hops)} of the active routes of a NIC."""
    found = {}
    for r in lab.get("effective-routes", nic)["value"]:
        if r["state"] != "Active":
            continue
        key = (r["source"], r["nextHopType"])
        found.setdefault(r["addressPrefix"][0], {}).setdefault(key, []).extend(r["nextHopIpAddress"])
    return {prefix: {key: sorted(hops) for key, hops in by.items()} for prefix, by in found.items()}


def learned(*hops):
    return {("VirtualNetworkGateway", "VirtualNetworkGateway"): sorted(hops)}


def packets(lab, machine, direction="rx"):
    out = json.loads(lab.exec(machine, "ip", "-s", "-j", "link", "show", "eth0"))
    return out[0]["stats64"][direction]["packets"]


# ---- IPv6

DUAL_STACK = """
name: {name}
dataplane: {dataplane}
virtualNetworks:
  - name: one
    addressSpace: [10.0.0.0/16, 'fd00:0:1::/48']
    subnets:
      - {{name: a, addressPrefixes: [10.0.0.0/24, 'fd00:0:1:1::/64']}}
      - {{name: b, addressPrefixes: [10.0.1.0/24, 'fd00:0:1:2::/64'], routeTable: drop6}}
  - name: two
    addressSpace: [10.1.0.0/16, 'fd00:0:2::/48']
    subnets:
      - {{name: c, addressPrefixes: [10.1.0.0/24, 'fd00:0:2:1::/64']}}
virtualNetworkPeerings:
  - {{virtualNetwork: one, remoteVirtualNetwork: two}}
  - {{virtualNetwork: two, remoteVirtualNetwork: one}}
routeTables:
  - name: drop6
    routes:
      - {{name: no-c, addressPrefix: 'fd00:0:2:1::/64', nextHopType: None}}
machines:
  - {{name: va, nics: [{{subnet: one/a}}]}}
  - {{name: vb, nics: [{{subnet: one/b}}]}}
  - {{name: vc, nics: [{{subnet: two/c}}]}}
"""


@pytest.mark.parametrize("dataplane", DATAPLANES)
def test_dual_stack(make_lab, dataplane):
    lab = make_lab(DUAL_STACK.format(name=f"ds-{dataplane}", dataplane=dataplane), f"ds-{dataplane}")
    lab.apply()
    for a, b in (("va", "vb"), ("va", "vc"), ("vc", "va")):
        nics = {n["name"]: n["privateIpAddresses"] for m in lab.get("inspect")["machines"] for n in m["nics"]}
        assert len(nics[f"{b}/eth0"]) == 2
        for ip in nics[f"{b}/eth0"]:
            until(lambda: lab.ping(a, ip), 5, f"{a} pings {b} {ip}")
    v6_of_c = next(ip for ip in nics["vc/eth0"] if ":" in ip)
    assert not lab.ping("vb", v6_of_c) and lab.ping("vb", next(ip for ip in nics["vc/eth0"] if "." in ip))
    seen = rows(lab, "va")
    assert seen["fd00:0:1::/48"] == {("Default", "VnetLocal"): []}
    assert seen["fd00:0:2::/48"] == {("Default", "VNetPeering"): []}
    assert rows(lab, "vb")["fd00:0:2:1::/64"] == {("User", "None"): []}
    assert "fd00:0:2::/48" in lab.exec("va", "ip", "-6", "route", "show", "proto", "vnrs")
    assert lab.get("next-hop", "--from", "vb", "--to", v6_of_c)["nextHopType"] == "None"
    assert lab.apply().stdout.strip() == "no changes"


# ---- BGP attributes, route tables

HUB = """
name: {name}
dataplane: {dataplane}
defaults: {{bgp: {{keepalive: 5, hold: 60}}}}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: nva, addressPrefix: 10.0.2.0/24}}
      - {{name: vm, addressPrefix: 10.0.3.0/24}}
      - {{name: quiet, addressPrefix: 10.0.4.0/24, routeTable: no-bgp}}
      - {{name: web, addressPrefix: 10.0.5.0/24, routeTable: through-fw}}
      - {{name: db, addressPrefix: 10.0.6.0/24, routeTable: through-fw}}
routeTables:
  - {{name: no-bgp, disableBgpRoutePropagation: true}}
  - name: through-fw
    routes:
      - {{name: web, addressPrefix: 10.0.5.0/24, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.9}}
      - {{name: db, addressPrefix: 10.0.6.0/24, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.9}}
routeServers:
  - name: rs
    virtualNetwork: hub
    bgpConnections:
      - {{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}}
      - {{name: nva2, peerIp: 10.0.2.5, peerAsn: 65002}}
machines:
  - name: nva1
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}}]
    run:
      kind: bird
      asn: 65001
      announce:
        - 10.50.0.0/16
        - {{prefix: 10.51.0.0/16, prepend: {prepend}}}
        - {{prefix: 10.52.0.0/16, communities: ['65535:65282']}}
        - {{prefix: 10.53.0.0/16, nextHop: 10.0.2.9}}
        - 10.54.0.0/16
    hosts: [{{name: behind, ip: 10.54.0.9}}, {{name: beside, ip: 10.54.0.8}}]
  - name: nva2
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}}]
    run: {{kind: bird, asn: 65002, announce: [10.50.0.0/16, 10.51.0.0/16]}}
  - {{name: fw, nics: [{{subnet: hub/nva, privateIp: 10.0.2.9, enableIPForwarding: true}}]}}
  - {{name: vm, nics: [{{subnet: hub/vm, privateIp: 10.0.3.4}}]}}
  - {{name: quiet, nics: [{{subnet: hub/quiet, privateIp: 10.0.4.4}}]}}
  - {{name: web, nics: [{{subnet: hub/web, privateIp: 10.0.5.4}}]}}
  - {{name: db, nics: [{{subnet: hub/db, privateIp: 10.0.6.4}}]}}
"""


@pytest.fixture(scope="module", params=DATAPLANES)
def hub(request, daemon, tmp_path_factory):
    name = f"design-{request.param}"
    source = HUB.format(name=name, dataplane=request.param, prepend=0)
    lab = Lab(daemon, source, name, tmp_path_factory.mktemp(name))
    lab.dataplane = request.param
    lab.apply()
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def test_ready_means_that_every_announced_route_is_there(hub):
    """Without waiting again after apply --wait."""
    seen = rows(hub, "vm")
    assert seen["10.50.0.0/16"] == learned("10.0.2.4", "10.0.2.5")
    assert seen["10.51.0.0/16"] == learned("10.0.2.4", "10.0.2.5")


def test_next_hop_other_than_the_peer(hub):
    """azure-routing.md 5.5: the next hop is kept as announced, for instance an appliance behind the peer."""
    assert rows(hub, "vm")["10.53.0.0/16"] == learned("10.0.2.9")
    before = packets(hub, "fw")
    hub.ping("vm", "10.53.0.1", count=3)
    assert packets(hub, "fw") >= before + 3


def test_no_advertise_is_programmed_and_sent_to_nobody(hub):
    assert rows(hub, "vm")["10.52.0.0/16"] == learned("10.0.2.4")
    advertised = hub.get("advertised-routes", "nva2")
    for i in (0, 1):
        networks = {r["network"] for r in advertised[f"RouteServiceRole_IN_{i}"]}
        assert "10.53.0.0/16" in networks and "10.52.0.0/16" not in networks


def dropped(lab):
    """Packets that the fabric dropped because of a None route."""
    return sum(d["packets"] for d in lab.get("counters")["drops"] if d["reason"] == "NONE_ROUTE")


def test_blackhole_is_dropped_until_it_is_withdrawn(hub):
    """RFC 7999: a victim's own address, announced with 65535:666, by BIRD."""
    text, victim = hub.file.read_text(), "10.54.0.9"
    until(lambda: hub.ping("vm", victim) and hub.ping("fw", victim), 10, "the host behind nva1")
    hub.file.write_text(text.replace("        - 10.54.0.0/16\n", "        - 10.54.0.0/16\n        - {prefix: "
                                     f"{victim}/32, communities: ['65535:666']}}\n"))
    try:
        hub.apply()
        until(lambda: rows(hub, "vm").get(f"{victim}/32") == {("VirtualNetworkGateway", "None"): []}, 10, "the drop")
        [row] = [r for r in hub.get("effective-routes", "vm")["value"] if r["addressPrefix"] == [f"{victim}/32"]]
        assert row["why"] == "learned by Route Server 'rs' as BLACKHOLE (RFC 7999): packets are dropped"
        hop = hub.get("next-hop", "--from", "vm", "--to", victim)
        assert hop["nextHopType"] == "None" and hop["nextHopIpAddress"] == "" and hop["why"] == row["why"]
        way = hub.get("trace", "--from", "vm", "--to", victim)["forward"]
        assert way["result"] == "dropped" and way["reason"] == "the next hop is None", way

        def learned_by_both():
            routes = [[r for r in rows if r["network"] == f"{victim}/32"] for rows in hub.get("learned-routes", "nva1").values()]
            return all(routes) and routes

        for [route] in until(learned_by_both, 10, "both instances have it")[0]:
            assert route["nextHop"] == "10.0.2.4" and route["note"] == "BLACKHOLE (RFC 7999): packets are dropped"
        for routes in hub.get("advertised-routes", "nva2").values():
            assert f"{victim}/32" not in {r["network"] for r in routes}
        until(lambda: hub.exec("vm", "ip", "route", "show", "proto", "vnrs", victim).startswith(f"blackhole {victim} "),
              10, "the machine's own table")
        before = dropped(hub)  # a machine that routes itself has no routes of ours: the fabric drops
        until(lambda: not hub.ping("fw", victim), 10, "the fabric drops")
        assert hub.ping("fw", "10.54.0.8") and hub.ping("vm", "10.54.0.8") and not hub.ping("vm", victim)
        assert dropped(hub) > before
    finally:
        hub.file.write_text(text)
        hub.apply()
    until(lambda: hub.ping("vm", victim) and hub.ping("fw", victim), 10, "forwarded again")
    assert f"{victim}/32" not in rows(hub, "vm")
    assert victim not in hub.exec("vm", "ip", "route")


def test_route_table_without_propagation(hub):
    seen = rows(hub, "quiet")
    assert not [prefix for prefix in seen if prefix.startswith("10.5")]
    assert "10.50.0.0/16" not in hub.exec("quiet", "ip", "route")
    assert all(r["disableBgpRoutePropagation"] for r in hub.get("effective-routes", "quiet")["value"])


def test_user_route_to_an_appliance_inside_the_network(hub):
    """azure-routing.md: a user route wins over VnetLocal; both directions pass the appliance."""
    assert rows(hub, "web")["10.0.6.0/24"] == {("User", "VirtualAppliance"): ["10.0.2.9"]}
    until(lambda: hub.ping("web", "10.0.6.4"), 5, "web reaches db")
    before = packets(hub, "fw")
    assert hub.ping("web", "10.0.6.4", count=3)
    assert packets(hub, "fw") >= before + 6
    assert hub.get("next-hop", "--from", "web", "--to", "10.0.6.4")["routeTableId"] == "through-fw"


def test_prepend_makes_one_next_hop_and_back(hub):
    """A changed file: nva1's path becomes longer, so nva2 alone carries the prefix."""
    text = hub.file.read_text()
    hub.file.write_text(text.replace("prepend: 0", "prepend: 2"))
    try:
        out = hub.apply().stdout
        assert re.findall(r"^[+~-] (.*?) \(", out, re.M) == ["daemon nva1"]
        until(lambda: rows(hub, "vm")["10.51.0.0/16"] == learned("10.0.2.5"), 10, "nva2 alone")
        assert rows(hub, "vm")["10.50.0.0/16"] == learned("10.0.2.4", "10.0.2.5")
        until(lambda: "10.0.2.4" not in hub.exec("vm", "ip", "route", "show", "10.51.0.0/16"), 5, "guest table follows")
    finally:
        hub.file.write_text(text)
    hub.apply()
    until(lambda: rows(hub, "vm")["10.51.0.0/16"] == learned("10.0.2.4", "10.0.2.5"), 10, "both again")


def test_connection_that_leaves_and_returns(hub):
    """Ready after the change means that the session of the connection that came back is Established again."""
    text = hub.file.read_text()
    hub.file.write_text(re.sub(r".*name: nva2, peerIp.*\n", "", text))
    try:
        hub.apply()
        assert {p["name"] for p in hub.get("peers")} == {"nva1"}
        until(lambda: rows(hub, "vm")["10.50.0.0/16"] == learned("10.0.2.4"), 5, "nva1 alone")
    finally:
        hub.file.write_text(text)
    hub.apply()
    assert rows(hub, "vm")["10.50.0.0/16"] == learned("10.0.2.4", "10.0.2.5")


# ---- two Route Servers, two labs

DUAL_HOMED = """
name: dual-homed
dataplane: kernel
defaults: {bgp: {keepalive: 5, hold: 60}}
virtualNetworks:
  - name: hub1
    addressSpace: [10.1.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.1.1.0/26}
      - {name: nva, addressPrefix: 10.1.2.0/24}
      - {name: vm, addressPrefix: 10.1.3.0/24}
  - name: hub2
    addressSpace: [10.2.0.0/16]
    subnets: [{name: nva, addressPrefix: 10.2.2.0/24}]
  - name: spoke
    addressSpace: [10.3.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.3.1.0/26}
      - {name: vm, addressPrefix: 10.3.3.0/24}
virtualNetworkPeerings:
  - {virtualNetwork: hub1, remoteVirtualNetwork: spoke, allowForwardedTraffic: true}
  - {virtualNetwork: spoke, remoteVirtualNetwork: hub1, allowForwardedTraffic: true}
  - {virtualNetwork: hub2, remoteVirtualNetwork: spoke, allowForwardedTraffic: true}
  - {virtualNetwork: spoke, remoteVirtualNetwork: hub2, allowForwardedTraffic: true}
routeServers:
  - name: rs
    virtualNetwork: spoke
    bgpConnections:
      - {name: nva1, peerIp: 10.1.2.4, peerAsn: 65001}
      - {name: nva2, peerIp: 10.2.2.4, peerAsn: 65002}
  - name: rs-hub1
    virtualNetwork: hub1
    bgpConnections:
      - {name: nva1, peerIp: 10.1.2.4, peerAsn: 65001}
machines:
  - name: nva1
    nics: [{subnet: hub1/nva, privateIp: 10.1.2.4, enableIPForwarding: true}]
    run: {kind: bird, asn: 65001, announce: [10.50.0.0/16]}
    hosts: [{name: onprem, ip: 10.50.0.1}]
  - name: nva2
    nics: [{subnet: hub2/nva, privateIp: 10.2.2.4, enableIPForwarding: true}]
    run: {kind: bird, asn: 65002, announce: [10.50.0.0/16]}
    hosts: [{name: onprem, ip: 10.50.0.1}]
  - {name: vm-spoke, nics: [{subnet: spoke/vm, privateIp: 10.3.3.4}]}
  - {name: vm-hub, nics: [{subnet: hub1/vm, privateIp: 10.1.3.4}]}
"""


def test_dual_homed_spoke_and_a_second_route_server(daemon, make_lab):
    """azure-routing.md 8.1: the spoke's own Route Server learns from an NVA of each hub, over plain peerings."""
    lab = make_lab(DUAL_HOMED, "dual-homed")
    lab.apply()
    assert rows(lab, "vm-spoke")["10.50.0.0/16"] == learned("10.1.2.4", "10.2.2.4")
    assert rows(lab, "vm-hub")["10.50.0.0/16"] == learned("10.1.2.4")  # by the hub's own Route Server
    until(lambda: lab.ping("vm-spoke", "10.50.0.1"), 5, "on-prem from the spoke")
    p = daemon.cli("learned-routes", "nva1", "--lab", lab.name, check=False)
    assert p.returncode == 2 and "several connections 'nva1'" in p.stderr
    for name in ("rs/nva1", "rs-hub1/nva1"):
        assert [r["network"] for r in lab.get("learned-routes", name)["RouteServiceRole_IN_0"]] == ["10.50.0.0/16"]


TWINS = """
name: {name}
dataplane: {dataplane}
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: one, addressPrefix: 10.0.0.0/24}}
      - {{name: two, addressPrefix: 10.0.1.0/24, routeTable: t}}
      - {{name: dmz, addressPrefix: 10.0.2.0/24}}
routeTables:
  - name: t
    routes: [{{name: one, addressPrefix: 10.0.0.0/24, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.9}}]
machines:
  - name: a
    nics: [{{subnet: net/one, privateIp: 10.0.0.4}}]
  - name: b
    nics: [{{subnet: net/two, privateIp: 10.0.1.4}}]
  - name: fw
    nics:
      - {{subnet: net/one, privateIp: 10.0.0.9, enableIPForwarding: true}}
      - {{subnet: net/dmz, privateIp: 10.0.2.9, enableIPForwarding: true}}
"""


def test_two_labs_of_the_same_names_and_an_appliance_with_two_nics(daemon, make_lab):
    labs = [make_lab(TWINS.format(name=f"twin-{d}", dataplane=d), f"twin-{d}") for d in DATAPLANES]
    for lab in labs:
        lab.apply()
    for lab in labs:
        until(lambda: lab.ping("b", "10.0.0.4"), 5, "through the appliance")
        assert [n["name"] for m in lab.get("inspect")["machines"] for n in m["nics"]][-2:] == ["fw/eth0", "fw/eth1"]
    labs[0].destroy()
    assert leftovers(labs[0].name, daemon.run_dir) == []
    assert labs[1].ping("b", "10.0.0.4")
    assert labs[1].apply().stdout.strip() == "no changes"


# ---- changes that come too early

def test_apply_and_destroy_while_an_apply_is_under_way(daemon, make_lab):
    many = TWINS.format(name="hasty", dataplane="ebpf") + "".join(
        f"  - {{name: x{i}, nics: [{{subnet: net/one}}]}}\n" for i in range(60))
    lab = make_lab(many, "hasty")
    daemon.cli("apply", lab.file, "--timeout", "0s", check=False)
    lab.file.write_text(TWINS.format(name="hasty", dataplane="ebpf"))
    lab.apply()  # the second file wins
    assert {m["name"] for m in lab.get("inspect")["machines"]} == {"a", "b", "fw"}
    assert not [line for line in leftovers("hasty") if ".x" in line]
    lab.file.write_text(many)
    daemon.cli("apply", lab.file, "--timeout", "0s", check=False)
    assert lab.destroy().returncode == 0
    assert leftovers("hasty", daemon.run_dir) == []


@pytest.mark.parametrize("name", ["a b", "..", "a/b", "x" * 70, "ü"])
def test_a_name_that_no_lab_has(daemon, name):
    """Answered at once, and never asked for again."""
    p = daemon.cli("destroy", name, timeout=5)
    assert "nothing to remove" in p.stdout
    p = daemon.cli("status", name, check=False, timeout=5)
    assert p.returncode == 1 and "error: there is" in p.stderr
    assert "malformed" not in daemon.logged()


# ---- limits

def test_a_peer_beyond_the_prefix_limit_is_dropped(make_lab):
    """azure-routing.md 5.3: 4,000 routes of a peer; one more and the session ends."""
    routes = "".join(f"        route 20.{i >> 8}.{i & 255}.0/24 reject;\n" for i in range(4001))
    bgp = "".join(f"""        protocol bgp rs{i} {{
          local 10.0.2.4 as 65001; neighbor 10.0.1.{4 + i} as 65515; multihop;
          ipv4 {{ import all; export all; next hop self; }};
        }}
""" for i in (0, 1))
    source = f"""
name: too-many
dataplane: kernel
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: nva, addressPrefix: 10.0.2.0/24}}
routeServers:
  - name: rs
    virtualNetwork: hub
    bgpConnections: [{{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}}]
machines:
  - name: nva1
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}}]
    run:
      kind: bird
      asn: 65001
      configText: |
        router id 10.0.2.4;
        protocol device {{ }}
{bgp}        protocol static {{
          ipv4;
{routes}        }}
"""
    lab = make_lab(source, "too-many")
    lab.daemon.cli("apply", lab.file, "--timeout", "0s", check=False)
    until(lambda: all("prefixes" in p["lastError"] for p in lab.get("peers")), 60, "both sessions are dropped")

    def is_explained():
        p = lab.daemon.cli("status", lab.name, check=False)
        return p.returncode == 4 and "prefixes" in p.stdout

    until(is_explained, 20, "status says why")  # BIRD may just have come back, to be dropped again
