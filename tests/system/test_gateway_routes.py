# SPDX-License-Identifier: GPL-2.0-or-later
"""Route exchange between NVA, VPN site, ExpressRoute site and the machines of a hub and its spoke, and what changes while
it runs: preference, branch-to-branch, a connection, a gateway. One lab; each test leaves it as it was.

    dc (FRR, AS 65060) == msee.circuit-0, -1 (12076) == ergw-0, -1 (65515) \\
    branch (BIRD, AS 65050) == two tunnels == vpngw-0, -1 (65515)           rs-0, -1 (65515) == nva1 (BIRD, AS 65001)
    depot == two tunnels, static                                           /
"""
import json

import pytest

from conftest import Lab, Pinger, leftovers, sh, until

SHARED = "172.20.0.0/16"  # announced by all three

LAB = """
name: gwr
defaults: {bgp: {keepalive: 5, hold: 60}}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}
      - {name: nva, addressPrefix: 10.0.2.0/24}
      - {name: GatewaySubnet, addressPrefix: 10.0.3.0/26}
      - {name: vm, addressPrefix: 10.0.4.0/24}
      - {name: quiet, addressPrefix: 10.0.5.0/24, routeTable: quiet}
  - name: spoke
    addressSpace: [10.1.0.0/16]
    subnets: [{name: vm, addressPrefix: 10.1.0.0/24}]
virtualNetworkPeerings:
  - {virtualNetwork: hub, remoteVirtualNetwork: spoke, allowGatewayTransit: true, allowForwardedTraffic: true}
  - {virtualNetwork: spoke, remoteVirtualNetwork: hub, useRemoteGateways: true, allowForwardedTraffic: true}
routeTables:
  - {name: quiet, disableBgpRoutePropagation: true}
routeServers:
  - name: rs
    virtualNetwork: hub
    allowBranchToBranchTraffic: B2B
    hubRoutingPreference: PREFERENCE
    bgpConnections: [{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}]
virtualNetworkGateways:
  - {name: vpngw, virtualNetwork: hub, gatewayType: Vpn, activeActive: true}
  - {name: ergw, virtualNetwork: hub, gatewayType: ExpressRoute}
sites:
  - name: branch
    addressPrefixes: [192.168.10.0/24]
    asn: 65050
    run: {kind: bird, announce: [{prefix: 172.20.0.0/16, prepend: 1}]}
    hosts: [{name: till, ip: 192.168.10.80}]
  - name: dc
    addressPrefixes: [192.168.20.0/24]
    asn: 65060
    run: {kind: frr, announce: [{prefix: 172.20.0.0/16, prepend: 2}]}
    hosts: [{name: desk, ip: 192.168.20.80}]
  - name: depot
    addressPrefixes: [192.168.30.0/24]
    hosts: [{name: clerk, ip: 192.168.30.80}]
connections:
  - {name: tunnel, gateway: vpngw, site: branch, connectionType: IPsec, enableBgp: true}
  - {name: circuit, gateway: ergw, site: dc, connectionType: ExpressRoute}
  - {name: static, gateway: vpngw, site: depot, connectionType: IPsec}
machines:
  - {name: vm, nics: [{subnet: hub/vm, privateIp: 10.0.4.4}]}
  - {name: far, nics: [{subnet: spoke/vm, privateIp: 10.1.0.4}]}
  - {name: deaf, nics: [{subnet: hub/quiet, privateIp: 10.0.5.4}]}
  - name: nva1
    nics: [{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]
    run: {kind: bird, asn: 65001, announce: [10.50.0.0/16, {prefix: 172.20.0.0/16, prepend: 2}]}
    hosts: [{name: pos, ip: 10.50.0.9}]
"""
VPN, ER, NVA = ["10.0.3.4", "10.0.3.5"], ["10.0.3.8", "10.0.3.9"], ["10.0.2.4"]


def source(preference="ExpressRoute", b2b=True):
    return LAB.replace("PREFERENCE", preference).replace("B2B", str(b2b).lower())


@pytest.fixture(scope="module")
def lab(daemon, tmp_path_factory):
    lab = Lab(daemon, source(), "gwr", tmp_path_factory.mktemp("gwr"))
    lab.apply("--timeout", "90s")
    yield lab
    lab.destroy()
    assert leftovers("gwr", daemon.run_dir) == []


def change(lab, text):
    lab.file.write_text(text)
    lab.apply("--timeout", "90s")


def sessions(lab):
    """Of every session, which one it is since when: who flapped has another line."""
    return {(p["speaker"], p["name"], p["flaps"]) for p in lab.get("peers", "--all")}


def told(lab, site):
    """What the site's router has of Azure."""
    routes = json.loads(lab.exec(site, "ip", "-j", "route", "show", "proto", "bgp" if site == "dc" else "bird"))
    return {r["dst"] for r in routes if r.get("type", "unicast") == "unicast"}


def why(lab, nic, prefix):
    return next(r["why"] for r in lab.get("effective-routes", nic)["value"] if r["addressPrefix"] == [prefix])


def test_all_reach_all(lab):
    hosts = {"till": "192.168.10.80", "desk": "192.168.20.80", "clerk": "192.168.30.80", "pos": "10.50.0.9"}
    for machine in ("vm", "far"):
        for ip in hosts.values():
            until(lambda m=machine, i=ip: lab.ping(m, i), 30, f"{machine} to {ip}")
    # Transit: VPN, ExpressRoute and NVA (5.6, 6.3). A static site knows the way to the virtual networks only.
    for here in ("till", "desk", "pos"):
        for there in ("till", "desk", "pos"):
            if here != there:
                until(lambda h=here, t=there: lab.ping(f"host.{h}", hosts[t]), 30, f"{here} to {there}")
    assert not lab.ping("deaf", hosts["till"])  # 3.5


def test_next_hops(lab):
    until(lambda: lab.next_hops("vm", "192.168.10.0/24") == VPN, 30, "both instances of the VPN gateway, 6.1")
    until(lambda: lab.next_hops("vm", "192.168.20.0/24") == ER, 30, "both edge routers, 6.2")
    until(lambda: lab.next_hops("vm", "192.168.30.0/24") == VPN, 30, "static prefixes, 6.1")
    assert lab.next_hops("vm", "10.50.0.0/16") == NVA
    assert lab.next_hops("far", "192.168.20.0/24") == ER  # 4.2
    assert lab.next_hops("deaf", "192.168.20.0/24") == []  # 3.5
    assert lab.next_hops("vm", "192.168.10.1/32") == VPN  # the way to the BGP peer, 6.1


def test_preference_changes_under_way(lab):
    wanted = {"ExpressRoute": (ER, "by hubRoutingPreference ExpressRoute"),
              "VpnGateway": (VPN, "by hubRoutingPreference VpnGateway"),
              "ASPath": (VPN, "its AS path is shorter than that of ExpressRoute gateway 'ergw'")}
    before = sessions(lab)
    for preference in ("ExpressRoute", "VpnGateway", "ASPath", "ExpressRoute"):
        change(lab, source(preference))
        hops, reason = wanted[preference]
        until(lambda h=hops: lab.next_hops("vm", SHARED) == h, 30, preference)  # 5.8
        until(lambda r=reason: r in why(lab, "vm", SHARED), 10, reason)
    assert sessions(lab) == before


def test_branch_to_branch_changes_under_way(lab):
    azure = {"10.0.0.0/16", "10.1.0.0/16"}
    until(lambda: told(lab, "branch") >= azure | {"10.50.0.0/16", "192.168.20.0/24"}, 30, "all")
    until(lambda: told(lab, "dc") >= azure | {"10.50.0.0/16", "192.168.10.0/24"}, 30, "all")
    before = sessions(lab)
    change(lab, source(b2b=False))
    # Transit among the gateway's own sites needs no Route Server (6.1).
    until(lambda: told(lab, "branch") == azure | {"192.168.30.0/24"}, 30, "the branch is alone")
    until(lambda: told(lab, "dc") == azure, 30, "the data center is alone")
    assert lab.next_hops("vm", "192.168.20.0/24") == ER  # machines are not concerned
    change(lab, source())
    until(lambda: {"10.50.0.0/16", "192.168.20.0/24"} <= told(lab, "branch"), 30, "all again")
    until(lambda: {"10.50.0.0/16", "192.168.10.0/24"} <= told(lab, "dc"), 30, "all again")
    assert sessions(lab) == before


def test_a_connection_and_a_gateway_come_and_go(lab):
    others = {s for s in sessions(lab) if "ergw" not in s[0] + s[1] and "circuit" not in s[0] + s[1]}
    text = source()
    without = "\n".join(line for line in text.splitlines() if "name: circuit" not in line and "name: ergw" not in line)
    change(lab, without)
    until(lambda: lab.next_hops("vm", "192.168.20.0/24") == [], 30, "routes of the circuit go")
    until(lambda: lab.next_hops("vm", SHARED) == VPN, 30, "the next best")
    assert {s for s in sessions(lab)} == others
    until(lambda: lab.ping("vm", "192.168.10.80"), 30, "the branch is where it was")
    change(lab, text)
    until(lambda: lab.next_hops("vm", "192.168.20.0/24") == ER, 60, "they come back")
    assert others <= sessions(lab)


def test_a_second_circuit(lab):
    """5.6: beside a Route Server flows are not spread over circuits; the weight of a connection comes before the length
    of AS paths."""
    def with_second(prepend, weight):
        site = ("  - {name: dc2, addressPrefixes: [192.168.40.0/24], asn: 65061, run: {kind: bird, announce: [{prefix: "
                f"{SHARED}, prepend: {prepend}}}]}}}}\n")
        circuit = ("  - {name: second, gateway: ergw, site: dc2, connectionType: ExpressRoute, routingWeight: "
                   f"{weight}}}\n")
        return source().replace("connections:\n", site + "connections:\n").replace("machines:\n", circuit + "machines:\n")

    second = ["10.0.3.10", "10.0.3.11"]
    change(lab, with_second(2, 0))
    until(lambda: lab.next_hops("vm", "192.168.40.0/24") == second, 30, "both links of the second circuit")
    until(lambda: lab.next_hops("vm", SHARED) == ER[:1], 30, "one edge router of two circuits")
    assert lab.next_hops("vm", "192.168.20.0/24") == ER
    change(lab, with_second(3, 0))
    until(lambda: lab.next_hops("vm", SHARED) == ER, 30, "the shorter path has both links")
    before = sessions(lab)
    change(lab, with_second(3, 1))
    until(lambda: lab.next_hops("vm", SHARED) == second, 30, "the heavier circuit, although its path is longer")
    paths = [p for p in lab.get("bgp", "rib", SHARED, "--why") if p["speaker"] == "gateway.ergw-0"]
    assert {p["note"] for p in paths} >= {"less preferred class of routes or circuit"}, paths
    assert sessions(lab) == before
    change(lab, source())
    until(lambda: lab.next_hops("vm", SHARED) == ER, 30, "the first alone")


def check_formats(lab):
    def rows(verb, name):
        return lab.get(verb, name)["value"]

    learned = rows("learned-routes", "vpngw")
    assert {r["localAddress"] for r in learned if r["origin"] == "IBgp" and r["asPath"] == "12076-65060"} == set(VPN)
    own = next(r for r in learned if r["network"] == "10.0.0.0/16")
    assert (own["origin"], own["nextHop"], own["asPath"], own["weight"]) == ("Network", None, "", 32768)
    site = [r for r in rows("learned-routes", "tunnel") if r["network"] == "192.168.10.0/24"]
    assert {(r["origin"], r["sourcePeer"], r["asPath"]) for r in site} == {("EBgp", "192.168.10.1", "65050")}
    circuit = [r for r in rows("learned-routes", "circuit") if r["network"] == "192.168.20.0/24"]
    assert {(r["origin"], r["nextHop"], r["asPath"], r["weight"]) for r in circuit} == {
        ("EBgp", hop, "12076-65060", 32769) for hop in ER}  # 6.2
    assert "65515-65001" in {r["asPath"] for r in rows("advertised-routes", "circuit")}  # 5.6
    # Edge routers take private ASNs out: the customer sees 12076 only (6.2).
    assert {r["asPath"] for r in rows("advertised-routes", "circuit/circuit")} == {"12076"}
    nva = lab.get("advertised-routes", "nva1")["RouteServiceRole_IN_0"]
    paths = {r["network"]: r["asPath"] for r in nva}
    assert paths["192.168.20.0/24"] == "65515-12076-65060"  # 5.4
    assert paths["192.168.10.0/24"] == "65515-65050" and paths["192.168.30.0/24"] == "65515"
    return True


def test_formats_of_azures_gateways(lab):
    until(lambda: check_formats(lab), 30, "as they are")  # one instance may have what another one has not yet


def test_what_is_shown(lab):
    until(lambda: lab.get("status")["ready"], 60, "ready")
    shown = lab.get("inspect")
    assert {c["name"]: c["connectionStatus"] for c in shown["connections"]} == {
        "tunnel": "Connected", "circuit": "Connected", "static": "Connected"}
    conditions = {c["name"]: c for c in lab.get("status")["conditions"]}
    assert conditions["tunnels"]["text"] == "4 of 4 tunnels are up"
    assert len(lab.get("peers")) == 6 and len(lab.get("peers", "vpngw")) == 2 + 2 + 4
    metrics = sh("curl", "-s", "--unix-socket", lab.daemon.socket, "http://localhost/metrics")
    assert 'vnrs_bgp_peer_up{lab="gwr",gateway="vpngw",instance="1",peer="tunnel",peer_ip="192.168.10.1"} 1' in metrics
    assert 'vnrs_bgp_peer_up{lab="gwr",circuit="circuit",instance="0",peer="circuit"' in metrics


def test_trace(lab):
    until(lambda: lab.next_hops("vm", "192.168.10.0/24") == VPN, 30)
    trace = lab.get("trace", "--from", "far", "--to", "192.168.10.80")
    assert [hop["at"] for hop in trace["forward"]["hops"]] == ["far", "gateway.vpngw-0", "branch"]
    assert (trace["forward"]["result"], trace["forward"]["to"], trace["asymmetric"]) == ("delivered", "till", False)
    assert [hop["at"] for hop in trace["back"]["hops"]] == ["branch", "gateway.vpngw-0"]
    trace = lab.get("trace", "--from", "nva1", "--to", "192.168.20.80")
    assert [hop["at"] for hop in trace["forward"]["hops"]] == ["nva1", "msee.circuit-0", "dc"]


def test_a_killed_controller_is_not_noticed(lab):
    until(lambda: lab.get("status")["ready"], 60)
    before = sessions(lab)
    pingers = [Pinger(lab.ns("vm"), ip) for ip in ("192.168.10.80", "192.168.20.80", "192.168.30.80")]
    controller = lab.daemon.children("--controller")[0]
    sh("kill", "-9", str(controller))
    until(lambda: controller not in lab.daemon.children("--controller") and lab.get("status")["ready"], 60, "a new one")
    for pinger in pingers:
        sent, received = pinger.stop()
        assert sent == received
    assert sessions(lab) == before
    assert lab.next_hops("vm", SHARED) == ER


def test_a_killed_speaker_of_each_gateway_loses_nothing(lab):
    until(lambda: lab.next_hops("vm", "192.168.10.0/24") == VPN and lab.next_hops("vm", "192.168.20.0/24") == ER, 30)
    for key in ("gateway.vpngw-0", "gateway.ergw-1", "msee.circuit-1"):
        sh("kill", "-9", *map(str, lab.daemon.children(key)))
    for _ in range(5):
        assert lab.next_hops("vm", "192.168.10.0/24") == VPN  # stale routes stay until they are back
        until(lambda: lab.ping("vm", "192.168.10.80"), 10, "packets go on")  # a tunnel is a program, which may have no time
    until(lambda: lab.get("status")["ready"], 60, "the sessions are back")
    assert lab.next_hops("vm", "192.168.10.0/24") == VPN
