# SPDX-License-Identifier: GPL-2.0-or-later
"""What Route Servers, gateways and edge routers say on the wire, to whom (azure-routing.md 5.4 to 5.8 and 6).

 net.rs: speaker 10.0.0.4, 10.0.0.5 ── veth ── net.nva: 10.0.0.10 to .13: BIRD as an NVA or a site, scripted peers

One speaker for each role, with all who speak with it. Scripted peers propose no keepalives.
"""
import os
import socket
import time

import pytest

from bgp_daemons import Bird
from raw_peer import RawPeer
from speaker_harness import (BIN, ER_GATEWAY, MSEE, PREFER_AS_PATH, PREFER_VPN, ROUTE_SERVER, TO_ER_GATEWAY, TO_MSEE,
                             TO_OUTSIDE, TO_ROUTE_SERVER, TO_TWIN, TO_VPN_GATEWAY, VPN_GATEWAY, Net, Peer, Speaker, sh)

pytestmark = [pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                 reason="needs root and vnrs-speaker"),
              pytest.mark.skipif(Bird.missing() is not None, reason=str(Bird.missing()))]

MARK = ["65517:65517"]
VNET = "10.0.0.0/16"


@pytest.fixture(scope="module")
def net():
    with Net() as n:
        sh("ip", "-n", n.rs, "addr", "add", "10.0.0.5/24", "dev", "eth0")
        yield n


@pytest.fixture
def spk(net):
    with Speaker(net) as s:
        yield s


def peer(name, host, asn, kind=TO_OUTSIDE, **kw):
    kw.setdefault("passive", True)
    return Peer(name, f"10.0.0.{host}", asn, kind=kind, **kw)


def raw(net, host, asn, to="10.0.0.4"):
    return RawPeer(asn, f"10.0.0.{host}", to, netns=net.nva)


def reflection(attrs):
    """ORIGINATOR_ID and CLUSTER_LIST, as text."""
    values = {code: value for _, code, value in attrs.unknown}
    return [socket.inet_ntoa(values[code][i:i + 4]) for code in (9, 10) for i in range(0, len(values.get(code, b"")), 4)]


def heard(p):
    return {prefix: (a.nexthop, a.as_path, a.communities, reflection(a)) for prefix, a in p.routes().items()}


def hears(p, want, timeout=15):
    """The peer knows exactly that: prefix -> next hop, AS path and, where there are any, communities and reflection."""
    want = {prefix: (*row, *([], [])[len(row) - 2:]) for prefix, row in want.items()}
    deadline = time.monotonic() + timeout
    while heard(p) != want:
        assert time.monotonic() < deadline, f"{p.local} heard {heard(p)}, not {want}"


def all_up(spk, *names):
    spk.wait(lambda: all(spk.is_up(n) for n in names))
    assert all(spk.peers[n].flaps == 0 for n in names)


def test_route_server(spk, net, tmp_path):
    peers = [peer("bird", 10, 65001), peer("nva", 11, 65002), peer("vpn", 12, 65515, TO_VPN_GATEWAY),
             peer("er", 13, 65515, TO_ER_GATEWAY)]
    names = [p.name for p in peers]

    def configure(**kw):
        spk.configure(role=ROUTE_SERVER, locals=[VNET], peers=peers, **kw)

    configure()
    with Bird(net.nva, tmp_path, 65001, "10.0.0.10", "10.0.0.4", 65515, ["10.50.0.0/16"]) as bird, \
            raw(net, 11, 65002) as nva, raw(net, 12, 65515) as vpn, raw(net, 13, 65515) as er:
        for p in (nva, vpn, er):
            p.connect().establish()
        all_up(spk, *names)
        vpn.update(["10.60.0.0/16"], [65050], local_pref=100)
        er.update(["10.70.0.0/16"], [12076, 65060], "10.0.0.50", local_pref=100)
        vpn.update(["10.80.0.0/16"], [65050], local_pref=100)
        er.update(["10.80.0.0/16"], [12076, 65060, 65061], "10.0.0.50", local_pref=100)
        own = {VNET: ("10.0.0.4", [65515]), "10.50.0.0/16": ("10.0.0.4", [65515, 65001], MARK)}
        hears(nva, own)
        spk.wait(lambda: spk.hops("10.50.0.0/16") == ["10.0.0.10"])
        assert set(bird.paths()) == {VNET} and heard(vpn) == heard(er) == {}

        configure(branch_to_branch=True)
        hears(nva, {**own, "10.60.0.0/16": ("10.0.0.4", [65515, 65050]),
                    "10.70.0.0/16": ("10.0.0.4", [65515, 12076, 65060]),
                    "10.80.0.0/16": ("10.0.0.4", [65515, 12076, 65060, 65061])})
        bird.until(lambda: bird.paths().get("10.70.0.0/16") == {("10.0.0.4", "65515 12076 65060")})
        of_er, of_vpn = ["10.0.0.13", "10.0.0.4"], ["10.0.0.12", "10.0.0.4"]
        hears(vpn, {"10.50.0.0/16": ("10.0.0.10", [65001], MARK),
                    "10.70.0.0/16": ("10.0.0.50", [12076, 65060], [], of_er),
                    "10.80.0.0/16": ("10.0.0.50", [12076, 65060, 65061], [], of_er)})
        hears(er, {"10.50.0.0/16": ("10.0.0.10", [65001], MARK),
                   "10.60.0.0/16": ("10.0.0.12", [65050], [], of_vpn)})
        for preference in (PREFER_VPN, PREFER_AS_PATH):  # the VPN's is shorter, too
            configure(branch_to_branch=True, preference=preference)
            spk.wait(lambda: heard(nva)["10.80.0.0/16"][1] == [65515, 65050])
            hears(er, {"10.50.0.0/16": ("10.0.0.10", [65001], MARK),
                       **{p: ("10.0.0.12", [65050], [], of_vpn) for p in ("10.60.0.0/16", "10.80.0.0/16")}})
        assert set(spk.routes) == {"10.50.0.0/16"}  # the gateways' own instances say the others

        configure(preference=PREFER_AS_PATH)
        hears(nva, own)
        hears(vpn, {})
        hears(er, {})
        bird.until(lambda: set(bird.paths()) == {VNET})
        all_up(spk, *names)


def test_vpn_gateway(spk, net, tmp_path):
    spk.configure(role=VPN_GATEWAY, locals=[VNET], statics=["172.20.0.0/16"], peers=[
        peer("site", 10, 65050, local="10.0.0.5", passive=False), peer("bird", 11, 65051),
        peer("rs", 12, 65515, TO_ROUTE_SERVER), peer("twin", 13, 65515, TO_TWIN)])
    with Bird(net.nva, tmp_path, 65051, "10.0.0.11", "10.0.0.4", 65515, ["192.168.51.0/24"]) as bird, \
            raw(net, 10, 65050, "10.0.0.5").listen() as site, raw(net, 12, 65515) as rs, raw(net, 13, 65515) as twin:
        site.accept().establish()
        assert site.sock.getpeername()[0] == "10.0.0.5"
        rs.connect().establish()
        twin.connect().establish()
        all_up(spk, "site", "bird", "rs", "twin")
        site.update(["192.168.50.0/24", VNET, "0.0.0.0/0"], [65050])
        rs.update(["10.50.0.0/16"], [65001], "10.0.0.10", communities=MARK, local_pref=100)
        rs.update(["0.0.0.0/0"], [65001, 65002], "10.0.0.10", local_pref=100)
        twin.update(["192.168.52.0/24"], [65052], local_pref=100)
        hears(site, {VNET: ("10.0.0.5", [65515]), "172.20.0.0/16": ("10.0.0.5", [65515]),
                     "192.168.51.0/24": ("10.0.0.5", [65515, 65051]),
                     "192.168.52.0/24": ("10.0.0.5", [65515, 65052]),
                     "10.50.0.0/16": ("10.0.0.5", [65515, 65001], MARK)})
        bird.until(lambda: bird.paths() == {p: {("10.0.0.4", path)} for p, path in (
            (VNET, "65515"), ("172.20.0.0/16", "65515"), ("192.168.50.0/24", "65515 65050"),
            ("192.168.52.0/24", "65515 65052"), ("10.50.0.0/16", "65515 65001"))})
        sites = {"192.168.50.0/24": ("10.0.0.4", [65050]), "192.168.51.0/24": ("10.0.0.4", [65051]),
                 "0.0.0.0/0": ("10.0.0.4", [65050])}
        hears(rs, {**sites, "172.20.0.0/16": ("10.0.0.4", [])})
        hears(twin, sites)
        spk.wait(lambda: {p: spk.hops(p) for p in spk.routes} == {
            "192.168.50.0/24": ["10.0.0.10"], "192.168.51.0/24": ["10.0.0.11"], "0.0.0.0/0": ["10.0.0.10"],
            "172.20.0.0/16": ["10.0.0.4"]})
        all_up(spk, "site", "bird", "rs", "twin")


def test_expressroute_gateway(spk, net):
    peers = [peer("msee0", 10, 12076, TO_MSEE), peer("msee1", 11, 12076, TO_MSEE), peer("rs", 12, 65515, TO_ROUTE_SERVER)]
    spk.configure(role=ER_GATEWAY, locals=[VNET], peers=peers)
    with raw(net, 10, 12076) as msee0, raw(net, 11, 12076) as msee1, raw(net, 12, 65515) as rs:
        for p in (msee0, msee1, rs):
            p.connect().establish()
        all_up(spk, "msee0", "msee1", "rs")
        for p in (msee0, msee1):
            p.update(["192.168.60.0/24"], [12076, 65060])
        msee0.update(["10.99.0.0/16"], [12076], communities=MARK)
        rs.update(["0.0.0.0/0"], [65001], "10.0.0.20", communities=MARK, local_pref=100)
        told = {VNET: ("10.0.0.4", [65515]), "0.0.0.0/0": ("10.0.0.4", [65515, 65001], MARK)}
        hears(msee0, told)
        hears(msee1, told)
        hears(rs, {"192.168.60.0/24": ("10.0.0.10", [12076, 65060])})
        spk.wait(lambda: {p: spk.hops(p) for p in spk.routes} == {"192.168.60.0/24": ["10.0.0.10", "10.0.0.11"]})
        spk.configure(role=ER_GATEWAY, locals=[VNET], peers=peers[:2])  # what was marked is for it, once there is no rs
        spk.wait(lambda: spk.hops("10.99.0.0/16") == ["10.0.0.10"])
        hears(msee1, {VNET: ("10.0.0.4", [65515])})
        all_up(spk, "msee0", "msee1")


def test_edge_router(spk, net, tmp_path):
    spk.configure(asn=12076, role=MSEE, peers=[peer("bird", 10, 65060), peer("gateway", 11, 65515, TO_ER_GATEWAY)])
    with Bird(net.nva, tmp_path, 65060, "10.0.0.10", "10.0.0.4", 12076, ["192.168.60.0/24"]) as bird, \
            raw(net, 11, 65515) as gateway:
        gateway.connect().establish()
        all_up(spk, "bird", "gateway")
        gateway.update([VNET], [65515])
        gateway.update(["10.50.0.0/16"], [65515, 65001, 3356], communities=MARK)
        hears(gateway, {"192.168.60.0/24": ("10.0.0.4", [12076, 65060])})
        bird.until(lambda: bird.paths() == {VNET: {("10.0.0.4", "12076")}, "10.50.0.0/16": {("10.0.0.4", "12076 3356")}})
        assert "65517,65517" in bird.describe("10.50.0.0/16")
        spk.wait(lambda: {p: spk.hops(p) for p in spk.routes} == {"192.168.60.0/24": ["10.0.0.10"]})
