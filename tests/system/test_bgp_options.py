# SPDX-License-Identifier: GPL-2.0-or-later
"""What a topology file gives the sessions of a Route Server beyond Azure's: passwords, GTSM, graceful restart, enhanced
refresh, extended messages, who connects. The daemons' configurations are those that vnrs generates.

    RouteServerSubnet rs/0 10.0.1.4, rs/1 10.0.1.5 ── hub ── nva1 10.0.2.4 (FRR), nva2 10.0.2.5 (BIRD)
"""
import os
import signal

import pytest

from conftest import until

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
    bgp: {{gracefulRestart: true, restartTime: 60, enhancedRefresh: true, extendedMessages: true,
          addPath: true, extendedNextHop: true}}
    bgpConnections:
      - {{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001, password: {password}, ttlSecurityHops: 1}}
      - {{name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, password: {password}, ttlSecurityHops: 1, passive: true,
          bgp: {{keepalive: 2, hold: 9}}}}
machines:
  - {{name: vm, nics: [{{subnet: hub/nva, privateIp: 10.0.2.9}}]}}
  - name: nva1
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}}]
    run: {{kind: frr, asn: 65001, announce: [10.51.0.0/16]}}
  - name: nva2
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}}]
    run: {{kind: bird, asn: 65002, announce: [10.52.0.0/16]}}
"""
SECRET = "s3cret-of-two"


@pytest.fixture
def lab(make_lab):
    lab = make_lab(LAB.format(name="opts", password=SECRET), "opts")
    lab.apply()
    return lab


def vtysh(lab, command):
    [bgpd] = lab.processes("nva1", "bgpd")
    args = open(f"/proc/{bgpd}/cmdline").read().split("\0")
    return lab.exec("nva1", "vtysh", "--vty_socket", args[args.index("--vty_socket") + 1], "-c", command)


def birdc(lab, *command):
    [bird] = lab.processes("nva2", "bird")
    args = open(f"/proc/{bird}/cmdline").read().split("\0")
    return lab.exec("nva2", "birdc", "-s", args[args.index("-s") + 1], *command)


def test_sessions_have_what_the_file_says(lab):
    peers = lab.get("peers")
    assert len(peers) == 4 and {p["state"] for p in peers} == {"Established"}
    assert {p["holdTime"] for p in peers if p["name"] == "nva2"} == {9}
    seen = vtysh(lab, "show bgp neighbors 10.0.1.4")
    for line in ("Graceful Restart Capability: advertised and received", "Extended Message: advertised and received",
                 "Enhanced Route Refresh: advertised and received", "Peer Authentication Enabled"):
        assert line in seen, seen
    seen = birdc(lab, "show", "protocols", "all", "rs0")
    received = seen[seen.index("Neighbor capabilities"):]
    for line in ("Restart time: 60", "Extended message", "Enhanced refresh", "ADD-PATH", "Extended next hop"):
        assert line in received, seen
    for name, opener in (("nva1", None), ("nva2", "peer")):
        for i, peer in enumerate(lab.get("peer", name)):
            assert (peer["instance"], peer["md5"], peer["ttlSecurityHops"], peer["ttl"]) == (i, True, 1, 255)
            assert opener in (None, peer["openedBy"]) and 179 in (peer["localPort"], peer["peerPort"])
            used = {c["name"] for c in peer["capabilities"] if c["inUse"]}
            assert used >= {"4-octet AS number", "enhanced route refresh", "extended messages", "graceful restart",
                            "ADD-PATH IPv4 unicast, in", "ADD-PATH IPv4 unicast, out"}
            [v4] = [f for f in peer["families"] if f["name"] == "IPv4 unicast"]
            assert v4["received"] == v4["accepted"] == 1 and v4["gracefulRestartReceived"]
            assert peer["gracefulRestart"]["peerRestartTime"] == peer["gracefulRestart"]["localRestartTime"] == 60
            assert peer["messages"]["received"]["open"] >= 1 and peer["timers"]["configuredHoldTime"] in (60, 9)
    # Without the password nobody gets in; with it nobody else is told.
    log = lab.daemon.logged()
    for verb in (["inspect"], ["peers"], ["status"], ["peer", "nva1"]):
        for output in ("json", "table"):
            assert SECRET not in lab.daemon.cli(*verb, "--lab", lab.name, "-o", output, check=False).stdout
    assert SECRET not in lab.daemon.cli("plan", lab.file).stdout and SECRET not in log


def test_clear_with_a_text(lab):
    assert "2 instances" in lab.daemon.cli("bgp", "clear", "nva2", "--message", "Wartung um vier").stdout
    until(lambda: all("Wartung um vier" in p["lastReset"]["reason"] for p in lab.get("peer", "nva2")), 20, "the reset")
    until(lambda: all(p["state"] == "Established" for p in lab.get("peers")), 30, "all sessions are up again")
    [note] = {(n["sentBy"], n["code"], bytes.fromhex(n["data"])[-15:].decode())
              for n in (p["lastNotification"] for p in lab.get("peer", "nva2"))}
    assert note == ("local", 6, "Wartung um vier")
    text = lab.daemon.cli("peer", "nva2").stdout
    assert "BGP neighbor 10.0.2.5, rs/nva2 instance 1" in text and "TCP MD5 on, TTL security 1 hop" in text
    assert "10.0.2.5" in lab.daemon.cli("peers").stdout
    assert lab.daemon.cli("peer", "nobody", check=False).returncode == 1


def test_an_appliance_restarts_and_nothing_is_lost(lab):
    """Killed, it comes back within the restart time: its routes stay in the kernel's tables meanwhile."""
    until(lambda: lab.next_hops("vm", "10.52.0.0/16") == ["10.0.2.5"], what="the route")
    [bird] = lab.processes("nva2", "bird")
    flaps = [p["flaps"] for p in lab.get("peer", "nva2")]
    os.kill(bird, signal.SIGKILL)
    hops = []

    def is_back():
        hops.append(lab.next_hops("vm", "10.52.0.0/16"))
        again = all(p["flaps"] > before for p, before in zip(lab.get("peer", "nva2"), flaps))
        return again and all(p["state"] == "Established" and not p["stale"] for p in lab.get("peers"))

    until(is_back, 40, "BIRD is back")
    assert all(h == ["10.0.2.5"] for h in hops)


def test_a_new_password_is_one_change(lab):
    lab.file.write_text(lab.file.read_text().replace(SECRET, "another-one", 1))
    plan = lab.daemon.cli("plan", lab.file).stdout
    assert "BGP connection" in plan and "rs/nva1" in plan and "nva2" not in plan and "another-one" not in plan
    lab.apply()
    until(lambda: all(p["state"] == "Established" for p in lab.get("peers")), 30, "all sessions are up again")
    assert "no changes" in lab.apply().stdout
