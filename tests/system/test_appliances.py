# SPDX-License-Identifier: GPL-2.0-or-later
"""Every routing daemon that a machine can run, with the configuration that vnrs generates: plain, and with everything
that a session can have beyond Azure's.

    RouteServerSubnet rs/0, rs/1 ── hub ── frr .4, bird .5, gobgp .6, exabgp .7, openbgpd .8      (10.0.2.0/24)
"""
import os
import re
import signal

import pytest

from conftest import until

KINDS = ["frr", "bird", "gobgp", "exabgp", "openbgpd"]
MACHINE = """
  - name: {kind}
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.{host}, enableIPForwarding: true}}]
    run:
      kind: {kind}
      asn: {asn}
      announce:
        - 10.5{host}.0.0/16
        - {{prefix: 10.6{host}.0.0/16, prepend: 2, med: 7, nextHop: 10.0.2.99, communities: ["65001:100", "65002:{host}"]}}
"""
LAB = """
name: {name}
defaults: {{bgp: {{keepalive: 5, hold: 60}}}}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: nva, addressPrefix: 10.0.2.0/24}}
routeServers:
  - name: rs
    virtualNetwork: hub
    bgp: {{{bgp}}}
    bgpConnections:
{connections}
machines:
  - {{name: vm, inject: on, nics: [{{subnet: hub/nva, privateIp: 10.0.2.99, enableIPForwarding: true}}]}}
{machines}
"""
ALL = "gracefulRestart: true, enhancedRefresh: true, extendedMessages: true, addPath: true"


def source(name, bgp="", connection=""):
    hosts = {kind: 4 + i for i, kind in enumerate(KINDS)}
    asns = {kind: 4200000000 + host for kind, host in hosts.items()}
    return LAB.format(
        name=name, bgp=bgp,
        connections="\n".join(f"      - {{name: {k}, peerIp: 10.0.2.{h}, peerAsn: {asns[k]}{connection}}}"
                              for k, h in hosts.items()),
        machines="".join(MACHINE.format(kind=k, host=h, asn=asns[k]) for k, h in hosts.items()))


def learned(lab, kind):
    routes = lab.get("learned-routes", kind)
    return {instance: {r["network"]: r for r in rows} for instance, rows in routes.items()}


def check_routes(lab):
    for host, kind in enumerate(KINDS, 4):
        asn = str(4200000000 + host)
        for instance, rows in until(lambda k=kind: (lambda r: all(len(x) == 2 for x in r.values()) and r)(learned(lab, k)),
                                    30, f"routes of {kind}")[0].items():
            plain, dressed = rows[f"10.5{host}.0.0/16"], rows[f"10.6{host}.0.0/16"]
            assert plain["asPath"] == asn and plain["nextHop"] == f"10.0.2.{host}", (kind, instance)
            assert dressed["asPath"] == "-".join([asn] * 3) and dressed["nextHop"] == "10.0.2.99", (kind, instance)
        [med] = {p["med"] for p in lab.get("bgp", "rib", f"10.6{host}.0.0/16")}
        assert med == 7, kind


def vtysh(lab, command):
    [bgpd] = lab.processes("frr", "bgpd")
    args = open(f"/proc/{bgpd}/cmdline").read().split("\0")
    return lab.exec("frr", "vtysh", "--vty_socket", args[args.index("--vty_socket") + 1], "-c", command)


def check_communities(lab):
    for host in range(5, 9):
        until(lambda h=host: re.search(rf"Community: .*65001:100 65002:{h}", vtysh(lab, f"show bgp ipv4 unicast 10.6{h}.0.0/16")), 30,
              f"communities of 10.6{host}.0.0/16")


def test_all_kinds(make_lab):
    lab = make_lab(source("kinds"), "kinds")
    lab.apply()
    check_routes(lab)
    check_communities(lab)
    # One that dies is started again, and says all it has.
    [gobgpd] = lab.processes("gobgp", "gobgpd")
    os.kill(gobgpd, signal.SIGKILL)
    until(lambda: lab.processes("gobgp", "gobgpd") not in ([], [gobgpd]), 30, "gobgpd is back")
    until(lambda: all(p["state"] == "Established" for p in lab.get("peers")), 30, "its sessions")
    check_routes(lab)
    # Another prefix is announced, and one no more: only that daemon is touched.
    text = lab.file.read_text()
    for host in range(4, 9):
        text = text.replace(f"- 10.5{host}.0.0/16", f"- 10.7{host}.0.0/16")
    lab.file.write_text(text)
    lab.apply()
    for host, kind in enumerate(KINDS, 4):
        until(lambda h=host, k=kind: all(set(r) == {f"10.7{h}.0.0/16", f"10.6{h}.0.0/16"} for r in learned(lab, k).values()),
              30, f"the other prefix of {kind}")
    assert "no changes" in lab.apply().stdout


@pytest.mark.parametrize("hops", [1, 3])
def test_all_kinds_with_everything(make_lab, hops):
    lab = make_lab(source("kinds", ALL, f", password: s3cret, ttlSecurityHops: {hops}"), "kinds")
    lab.apply()
    check_routes(lab)
    check_communities(lab)
    for kind in KINDS:
        for peer in lab.get("peer", kind):
            used = {c["name"] for c in peer["capabilities"] if c["inUse"]}
            wanted = {"4-octet AS number", "route refresh", "graceful restart"}
            if kind in ("frr", "bird", "openbgpd"):
                wanted |= {"enhanced route refresh"}
            if kind in ("frr", "bird", "exabgp"):
                wanted |= {"extended messages"}
            if kind != "openbgpd":
                wanted |= {"ADD-PATH IPv4 unicast, in", "ADD-PATH IPv4 unicast, out"}
            assert used >= wanted, (kind, wanted - used)
            assert peer["md5"] and peer["ttlSecurityHops"] == hops
