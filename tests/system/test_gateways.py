# SPDX-License-Identifier: GPL-2.0-or-later
"""VPN and ExpressRoute gateways with real routers at the sites: FRR behind two tunnels, BIRD behind a circuit, and one
without BGP. One lab for all tests; each leaves it as it was."""
import subprocess

import pytest

from conftest import Lab, leftovers, sh, until

LAB = """
name: {name}
dataplane: {dataplane}
defaults: {{bgp: {{keepalive: 3, hold: 20}}}}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: GatewaySubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: RouteServerSubnet, addressPrefix: 10.0.2.0/26}}
      - {{name: apps, addressPrefix: 10.0.3.0/24}}
routeServers:
  - {{name: rs, virtualNetwork: hub, allowBranchToBranchTraffic: true}}
virtualNetworkGateways:
  - {{name: vpn, virtualNetwork: hub, gatewayType: Vpn, activeActive: true, publicIps: [203.0.113.10, 203.0.113.11]}}
  - {{name: er, virtualNetwork: hub, gatewayType: ExpressRoute}}
sites:
  - name: branch
    addressPrefixes: [10.60.0.0/16]
    asn: 65010
    publicIp: 198.51.100.10
    run: {{kind: frr}}
    hosts: [{{name: pc, ip: 10.60.0.10}}]
  - name: depot
    addressPrefixes: [10.61.0.0/16]
    publicIp: 198.51.100.11
    hosts: [{{name: store, ip: 10.61.0.10}}]
  - name: dc
    addressPrefixes: [10.62.0.0/16]
    asn: 65020
    run: {{kind: bird}}
    hosts: [{{name: rack, ip: 10.62.0.10}}]
connections:
  - {{name: tb, gateway: vpn, site: branch, connectionType: IPsec, enableBgp: true, sharedKey: do-not-tell}}
  - {{name: td, gateway: vpn, site: depot, connectionType: IPsec}}
  - {{name: circuit, gateway: er, site: dc, connectionType: ExpressRoute, password: s3cret,
     bfd: {{transmitInterval: 300, receiveInterval: 300, detectMultiplier: 3}}}}
machines:
  - {{name: vm, nics: [{{subnet: hub/apps, privateIp: 10.0.3.10}}]}}
"""
ONE_PLANE = pytest.mark.parametrize("lab", ["ebpf"], indirect=True)  # what the data plane has no part in
SITES = {"branch": "10.60.0.10", "depot": "10.61.0.10", "dc": "10.62.0.10"}


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = f"gws-{request.param}"
    lab = Lab(daemon, LAB.format(name=name, dataplane=request.param), name, tmp_path_factory.mktemp(name))
    lab.apply(timeout=90)
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def reaches(lab, *sites):
    return all(lab.ping("vm", SITES[site]) for site in sites)


def test_machines_and_sites_reach_each_other(lab):
    until(lambda: reaches(lab, *SITES), 60, "vm to every site")
    for host in ("pc", "store", "rack"):
        until(lambda: lab.ping(f"host.{host}", "10.0.3.10"), 30, f"{host} to vm")
    # The routers speak from an address that is known on the other side.
    for site in SITES:
        until(lambda s=site: lab.ping(s, "10.0.3.10"), 30, f"{site} to vm")


def test_routes_of_both_sides(lab):
    until(lambda: lab.next_hops("vm", "10.60.0.0/16") == ["10.0.1.4", "10.0.1.5"], 60, "both instances lead to the branch")
    until(lambda: lab.next_hops("vm", "10.62.0.0/16") == ["10.0.1.8", "10.0.1.9"], 60, "both MSEEs lead to the data center")

    def hub_at(site, links):
        shown = lab.exec(site, "ip", "route", "show", "10.0.0.0/16")
        return all(f"dev {link}" in shown for link in links)
    until(lambda: hub_at("branch", ["tun-tb-0", "tun-tb-1"]), 60, "FRR routes by both tunnels")
    until(lambda: hub_at("dc", ["er-circuit-0", "er-circuit-1"]), 60, "BIRD routes by both links")
    assert hub_at("depot", ["tun-td-0", "tun-td-1"])


def test_nothing_is_readable_on_the_internet(lab):
    until(lambda: reaches(lab, "branch", "depot"), 60)
    file = lab.file.with_name("seen")
    with open(file, "w") as out:
        dump = subprocess.Popen(["ip", "netns", "exec", lab.ns("internet.edge"), "tcpdump", "-lni", "any", "--immediate-mode"],
                                stdout=out, stderr=subprocess.PIPE, text=True)
    while "listening" not in dump.stderr.readline():
        pass
    for site in ("branch", "depot") * 3:
        until(lambda s=site: reaches(lab, s), 30, site)  # a tunnel is a program, which may have no time
    until(lambda: file.read_text().count("UDP-encap: ESP") >= 12, 20, "all of them")
    dump.terminate()
    dump.communicate()
    seen = [line for line in file.read_text().splitlines() if " IP " in line]
    assert all(".4500: " in line and ("ESP" in line or "isakmp" in line or "isakmp-nat-keep-alive" in line)
               for line in seen), seen
    assert not any(address in line for line in seen for address in ("10.0.3.10", *SITES.values()))


def drop(lab, machine, *rule):
    sh("ip", "netns", "exec", lab.ns(machine), "nft", "add table inet test; add chain inet test in "
       "{ type filter hook prerouting priority -300; }; add rule inet test in " + " ".join(rule) + " drop")


def undrop(lab, machine):
    sh("ip", "netns", "exec", lab.ns(machine), "nft", "delete table inet test")


@ONE_PLANE
def test_doctor_says_who_carries_esp(lab):
    told = {x["name"]: x["text"] for x in lab.daemon.json("doctor")}["strongSwan"]
    for tunnel in ("tunnel.tb-0", "tunnel.td-1.site"):
        shown = sh("ip", "-n", lab.ns(tunnel), "-d", "link", "show", "ipsec0")
        assert "xfrm if_id 0x1" in shown if "by the kernel" in told else "tun type tun" in shown, told


@ONE_PLANE
def test_the_other_tunnel_takes_over(lab):
    until(lambda: reaches(lab, "branch", "depot"), 60)
    drop(lab, "gateway.vpn-0", "udp dport { 500, 4500 }")
    try:
        until(lambda: "NO-CARRIER" in lab.exec("branch", "ip", "link", "show", "tun-tb-0"), 60, "the tunnel is seen down")
        until(lambda: lab.next_hops("vm", "10.60.0.0/16") == ["10.0.1.5"], 60, "one instance leads to the branch")
        until(lambda: all(reaches(lab, "branch") for _ in range(4)), 30, "the other tunnel carries all")
        until(lambda: all(lab.ping("depot", "10.0.1.5") for _ in range(3)), 30, "the depot, too")
    finally:
        undrop(lab, "gateway.vpn-0")
    until(lambda: lab.next_hops("vm", "10.60.0.0/16") == ["10.0.1.4", "10.0.1.5"], 60, "both again")


@ONE_PLANE
def test_charon_is_made_again(lab):
    until(lambda: reaches(lab, "branch"), 60)
    pids = [p for p in sh("pgrep", "-x", "charon-systemd").split()
            if sh("readlink", f"/proc/{p}/cwd").strip().endswith("/proc/tunnel.tb-1")]
    sh("kill", "-9", *pids)
    until(lambda: lab.next_hops("vm", "10.60.0.0/16") == ["10.0.1.4", "10.0.1.5"]
          and all(reaches(lab, "branch") for _ in range(4)), 60, "the tunnel is back")


@ONE_PLANE
def test_an_instance_is_made_again(lab):
    """What Azure's standby does for one that is lost (azure-routing.md 6.1): the same addresses, tunnels, sessions."""
    def session():
        return next(p for p in lab.get("peers", "--all") if (p["speaker"], p["name"]) == ("gateway.vpn-1", "tb"))

    until(lambda: session()["state"] == "Established", 60)
    before = lab.daemon.children("gateway.vpn-1")
    sh("ip", "netns", "del", f"vnrs.{lab.name}.gateway.vpn-1")
    until(lambda: lab.daemon.children("gateway.vpn-1") not in ([], before), 60, "another speaker")
    until(lambda: session()["state"] == "Established", 90, "BGP through the new tunnel")
    until(lambda: lab.next_hops("vm", "10.60.0.0/16") == ["10.0.1.4", "10.0.1.5"]
          and all(reaches(lab, "branch") for _ in range(4)), 60, "it is back")
    until(lambda: all(p["state"] == "Established" for p in lab.get("peers", "--all")), 60, "every session of it")


@ONE_PLANE
def test_the_other_link_of_a_circuit_takes_over(lab):
    until(lambda: lab.next_hops("vm", "10.62.0.0/16") == ["10.0.1.8", "10.0.1.9"], 60)
    drop(lab, "dc", "iifname er-circuit-0")
    try:
        until(lambda: lab.next_hops("vm", "10.62.0.0/16") == ["10.0.1.9"], 20, "BFD tells")
        until(lambda: all(reaches(lab, "dc") for _ in range(4)), 20, "the other link carries all")
    finally:
        undrop(lab, "dc")
    until(lambda: lab.next_hops("vm", "10.62.0.0/16") == ["10.0.1.8", "10.0.1.9"], 60, "both again")


def test_twice_is_no_change(lab):
    until(lambda: reaches(lab, *SITES), 60)
    assert "no changes" in lab.apply().stdout
    shown = lab.daemon.cli("status", lab.name).stdout + lab.daemon.logged()
    assert "do-not-tell" not in shown and "do-not-tell".encode().hex() not in shown
