# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs-speaker as a Route Server, a VPN gateway, an ExpressRoute gateway and an edge router of Microsoft's, among scripted
peers and BIRD: who is told what, in exactly which form (azure-routing.md 5.4 to 5.8 and 6), and what changes while
sessions go on.
"""
import contextlib
import os
import socket
import struct
import time

import pytest

from bgp_daemons import Bird
from patience import PATIENCE
from raw_peer import NOTIFICATION, Closed, RawPeer
from speaker_harness import (BIN, ER_GATEWAY, MSEE, PREFER_AS_PATH, PREFER_EXPRESSROUTE, PREFER_VPN, ROUTE_SERVER,
                             TO_ER_GATEWAY, TO_MSEE, TO_OUTSIDE, TO_ROUTE_SERVER, TO_TWIN, TO_VPN_GATEWAY, VPN_GATEWAY,
                             Net, Peer, Speaker, sh)

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

MARK = "65517:65517"
VNET = "10.0.0.0/16"
FROM_NVA = ["0.0.0.0/0", "10.0.0.0/8", "10.50.0.0/16"]

# Peers: name -> (kind, ASN), at 10.0.0.10 and after. Said: (who, prefixes, AS path, what else). Told: to whom -> prefix
# -> "next hop, AS path, …" ("-": empty; iBGP: pref LOCAL_PREF; reflected: of ORIGINATOR_ID through CLUSTER_LIST), without
# branch-to-branch; `on`: with it what differs. Reported: what the controller hears of, without. `bird`: who may be BIRD.
SCENES = {
    "route-server": dict(
        role=ROUTE_SERVER, asn=65515, locals=[VNET],
        peers={"nva1": (TO_OUTSIDE, 65001), "nva2": (TO_OUTSIDE, 65002), "vpn": (TO_VPN_GATEWAY, 65515),
               "er": (TO_ER_GATEWAY, 65515), "alien": (TO_VPN_GATEWAY, 65004)},
        said=[("nva1", FROM_NVA, [65001], {}),
              ("nva1", ["10.51.0.0/16"], [65001], dict(communities=["65535:65282"])),  # 5.5: NO_ADVERTISE
              ("nva1", [VNET, "10.0.5.0/24"], [65001], {}),  # 5.5: equal, inside
              ("nva1", ["10.52.0.0/16"], [65001, 65515], {}),  # 5.5: own ASN
              ("nva2", ["10.55.0.0/16"], [65002], {}),
              ("vpn", ["10.60.0.0/16"], [65003], {}),
              ("er", ["10.70.0.0/16"], [12076, 65020], dict(nexthop="10.0.0.99")),
              ("alien", ["10.80.0.0/16"], [65004, 65005], {})],
        told={"nva1": {VNET: "10.0.0.4 65515", "10.55.0.0/16": f"10.0.0.4 65515-65002 {MARK}"},  # 5.4 1, 3
              "nva2": {VNET: "10.0.0.4 65515", **dict.fromkeys(FROM_NVA, f"10.0.0.4 65515-65001 {MARK}")}},
        on={"nva1": {VNET: "10.0.0.4 65515", "10.55.0.0/16": f"10.0.0.4 65515-65002 {MARK}", "10.60.0.0/16": "10.0.0.4 65515-65003",  # 5.4 4
                     "10.70.0.0/16": "10.0.0.4 65515-12076-65020", "10.80.0.0/16": "10.0.0.4 65515-65004-65005"},
            "nva2": {VNET: "10.0.0.4 65515", **dict.fromkeys(FROM_NVA, f"10.0.0.4 65515-65001 {MARK}"),
                     "10.60.0.0/16": "10.0.0.4 65515-65003", "10.70.0.0/16": "10.0.0.4 65515-12076-65020",
                     "10.80.0.0/16": "10.0.0.4 65515-65004-65005"},
            "vpn": {**dict.fromkeys(FROM_NVA, f"10.0.0.10 65001 {MARK} pref 100"),  # 5.6: next hop preserved
                    "10.55.0.0/16": f"10.0.0.11 65002 {MARK} pref 100",
                    "10.70.0.0/16": "10.0.0.99 12076-65020 pref 100 of 10.0.0.13 through 10.0.0.4"},
            "er": {**dict.fromkeys(FROM_NVA, f"10.0.0.10 65001 {MARK} pref 100"),
                   "10.55.0.0/16": f"10.0.0.11 65002 {MARK} pref 100",
                   "10.60.0.0/16": "10.0.0.12 65003 pref 100 of 10.0.0.12 through 10.0.0.4",
                   "10.80.0.0/16": "10.0.0.14 65004-65005 pref 100"},
            "alien": {**dict.fromkeys(FROM_NVA, f"10.0.0.10 65515-65001 {MARK}"),
                      "10.55.0.0/16": f"10.0.0.11 65515-65002 {MARK}",
                      "10.70.0.0/16": "10.0.0.99 65515-12076-65020"}},
        reported={**dict.fromkeys([*FROM_NVA, "10.51.0.0/16"], [("10.0.0.10", 1)]),
                  "10.55.0.0/16": [("10.0.0.11", 1)]},
        bird="nva2"),
    "vpn-gateway": dict(
        role=VPN_GATEWAY, asn=65515, locals=[VNET], statics=["172.20.0.0/16"],
        peers={"site1": (TO_OUTSIDE, 65050), "site2": (TO_OUTSIDE, 65051), "rs": (TO_ROUTE_SERVER, 65515),
               "twin": (TO_TWIN, 65515)},
        said=[("site1", ["192.168.10.0/24", "0.0.0.0/0", VNET, "10.0.7.0/24"], [65050], {}),
              ("site2", ["10.0.0.0/8"], [65051], {}),  # 6.1: a superset is accepted
              ("rs", ["10.50.0.0/16"], [65001], dict(nexthop="10.0.0.99", communities=[MARK])),
              ("rs", ["128.0.0.0/1"], [65001], dict(nexthop="10.0.0.99")),
              ("rs", ["0.0.0.0/0"], [65001], dict(nexthop="10.0.0.99")),  # a site's own is preferred, and told to none
              ("twin", ["192.168.40.0/24"], [65052], {})],
        told={"site1": {VNET: "10.0.0.4 65515", "172.20.0.0/16": "10.0.0.4 65515",
                        "10.0.0.0/8": "10.0.0.4 65515-65051", "10.50.0.0/16": f"10.0.0.4 65515-65001 {MARK}",
                        "128.0.0.0/1": "10.0.0.4 65515-65001", "192.168.40.0/24": "10.0.0.4 65515-65052"},
              "site2": {VNET: "10.0.0.4 65515", "172.20.0.0/16": "10.0.0.4 65515",
                        "192.168.10.0/24": "10.0.0.4 65515-65050", "10.50.0.0/16": f"10.0.0.4 65515-65001 {MARK}",
                        "128.0.0.0/1": "10.0.0.4 65515-65001", "192.168.40.0/24": "10.0.0.4 65515-65052"},
              "rs": {"192.168.10.0/24": "10.0.0.4 65050 pref 100", "0.0.0.0/0": "10.0.0.4 65050 pref 100",
                     "10.0.0.0/8": "10.0.0.4 65051 pref 100", "172.20.0.0/16": "10.0.0.4 - pref 100"},
              "twin": {"192.168.10.0/24": "10.0.0.4 65050 pref 100", "0.0.0.0/0": "10.0.0.4 65050 pref 100",
                       "10.0.0.0/8": "10.0.0.4 65051 pref 100"}},
        reported={"192.168.10.0/24": [("10.0.0.10", 1)], "0.0.0.0/0": [("10.0.0.10", 1)],
                  "10.0.0.0/8": [("10.0.0.11", 1)], "172.20.0.0/16": [("10.0.0.4", 0)]},
        bird="site2"),
    "vpn-gateway-of-another-as": dict(  # 5.6, seen in labs
        role=VPN_GATEWAY, asn=65004, locals=[VNET], statics=["172.20.0.0/16"],
        peers={"site1": (TO_OUTSIDE, 65003), "rs": (TO_ROUTE_SERVER, 65515)},
        said=[("site1", ["192.168.10.0/24"], [65003], {}),
              ("rs", ["10.50.0.0/16"], [65515, 65001], dict(nexthop="10.0.0.99"))],
        told={"site1": {VNET: "10.0.0.4 65004", "172.20.0.0/16": "10.0.0.4 65004",
                        "10.50.0.0/16": "10.0.0.4 65004-65515-65001"},
              "rs": {"192.168.10.0/24": "10.0.0.4 65004-65003", "172.20.0.0/16": "10.0.0.4 65004"}},
        reported={"192.168.10.0/24": [("10.0.0.10", 1)], "172.20.0.0/16": [("10.0.0.4", 0)]}),
    "expressroute-gateway": dict(
        role=ER_GATEWAY, asn=65515, locals=[VNET],
        peers={"msee1": (TO_MSEE, 12076), "msee2": (TO_MSEE, 12076), "rs": (TO_ROUTE_SERVER, 65515)},
        said=[("msee1", ["192.168.20.0/24", VNET], [12076, 65060], {}),
              ("msee2", ["192.168.20.0/24", "192.168.21.0/24"], [12076, 65060], {}),
              ("msee1", ["10.99.0.0/16"], [12076], dict(communities=[MARK])),  # 5.6: has been at a Route Server
              ("rs", ["0.0.0.0/0"], [65001], dict(nexthop="10.0.0.99", communities=[MARK]))],
        told={"msee1": {VNET: "10.0.0.4 65515", "0.0.0.0/0": f"10.0.0.4 65515-65001 {MARK}"},
              "msee2": {VNET: "10.0.0.4 65515", "0.0.0.0/0": f"10.0.0.4 65515-65001 {MARK}"},
              "rs": {"192.168.20.0/24": "10.0.0.10 12076-65060 pref 100",
                     "192.168.21.0/24": "10.0.0.11 12076-65060 pref 100"}},
        reported={"192.168.20.0/24": [("10.0.0.10", 2), ("10.0.0.11", 2)], "192.168.21.0/24": [("10.0.0.11", 2)]}),
    "edge-router": dict(
        role=MSEE, asn=12076,
        peers={"site": (TO_OUTSIDE, 65060), "er1": (TO_ER_GATEWAY, 65515), "er2": (TO_ER_GATEWAY, 65515),
               "other": (TO_OUTSIDE, 65061)},
        said=[("site", ["192.168.20.0/24", "0.0.0.0/0"], [65060], {}),
              ("other", ["10.99.0.0/16"], [65061], dict(communities=[MARK])),
              ("er1", [VNET], [65515], {}),
              ("er2", [VNET], [65515], {}),
              ("er1", ["10.50.0.0/16"], [65515, 65001, 3356, 4200000001], dict(communities=[MARK]))],
        told={**{site: {VNET: "10.0.0.4 12076", "10.50.0.0/16": f"10.0.0.4 12076-3356 {MARK}"}  # 6.2
                 for site in ("site", "other")},
              **{er: {"192.168.20.0/24": "10.0.0.4 12076-65060", "0.0.0.0/0": "10.0.0.4 12076-65060",
                      "10.99.0.0/16": f"10.0.0.4 12076-65061 {MARK}"} for er in ("er1", "er2")}},
        reported={**dict.fromkeys(("192.168.20.0/24", "0.0.0.0/0"), [("10.0.0.10", 1)]),
                  "10.99.0.0/16": [("10.0.0.13", 1)]},
        bird="site"),
}


@pytest.fixture(scope="module")
def net():
    with Net("vrol") as n:
        for ns, addr in ((n.rs, "169.254.21.1/24"), (n.nva, "169.254.21.2/24")):
            sh("ip", "-n", ns, "addr", "add", addr, "dev", "eth0")
        yield n


@pytest.fixture
def spk(net):
    with Speaker(net, listen="0.0.0.0") as s:
        yield s


def form(a):
    """What was told of a prefix, in the words of the table."""
    words = [a.nexthop, "-".join(map(str, a.as_path)) or "-", *a.communities]
    if a.local_pref is not None:
        words += ["pref", str(a.local_pref)]
    known = {code: [socket.inet_ntoa(value[i:i + 4]) for i in range(0, len(value), 4)] for _, code, value in a.unknown}
    if 9 in known or 10 in known:  # RFC 4456
        words += ["of", *known.pop(9), "through", *known.pop(10)]
    assert a.med is None and not known and not a.extended and not a.large and a.order == sorted(a.order)
    return " ".join(words)


class Scene:
    """`bird`, with `directory`: that peer is BIRD, and says what the scene has of it."""

    def __init__(self, net, spk, role, asn, peers, said=(), bird=None, directory=None, **conf):
        self.spk, self.conf = spk, {"role": role, "asn": asn, **{k: v for k, v in conf.items() if k in ("locals", "statics")}}
        self.peers = [Peer(name, f"10.0.0.{10 + i}", other, passive=True, kind=kind)
                      for i, (name, (kind, other)) in enumerate(peers.items())]
        self.bird_name, self.bird, self.raw = bird if directory else None, None, {}
        self.configure()
        with contextlib.ExitStack() as stack:
            for p in self.peers:
                if p.name == self.bird_name:
                    prefixes = [prefix for who, these, *_ in said if who == p.name for prefix in these]
                    self.bird = stack.enter_context(Bird(net.nva, directory, p.asn, p.addr, "10.0.0.4", asn, prefixes))
                else:
                    self.raw[p.name] = stack.enter_context(RawPeer(p.asn, p.addr, "10.0.0.4", netns=net.nva))
                    self.raw[p.name].connect().establish(hold=180)
            spk.wait(lambda: all(spk.is_up(name) for name in peers))
            for who, prefixes, path, more in said:
                if who in self.raw:
                    self.say(who, prefixes, path, **more)
            self.stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def configure(self, **kw):
        self.conf.update(kw)
        self.spk.configure(peers=self.peers, **self.conf)

    def say(self, who, prefixes, path, **more):
        inside = {"local_pref": 100} if self.raw[who].asn == self.conf["asn"] else {}
        self.raw[who].update(prefixes, as_path=path, **inside, **more)

    def told(self):
        told = {name: {p: form(a) for p, a in raw.routes().items()} for name, raw in self.raw.items()}
        if self.bird:  # which shows the rest apart from it
            told[self.bird_name] = {prefix: " ".join((hop, path.replace(" ", "-")))
                                    for prefix, paths in self.bird.paths().items() for hop, path in paths}
        return told

    def wait_told(self, want, timeout=20):
        want = {p.name: dict(want.get(p.name, {})) for p in self.peers}
        marked = []
        for prefix, row in want.get(self.bird_name, {}).items():
            marked += [prefix] if MARK in row.split() else []
            want[self.bird_name][prefix] = " ".join(row.split()[:2])
        deadline = time.monotonic() + timeout * PATIENCE
        while self.told() != want:
            assert time.monotonic() < deadline, f"told: {self.told()}\nwanted: {want}"
        for prefix in marked:
            assert MARK.replace(":", ",") in self.bird.describe(prefix)

    def sessions(self):
        self.spk.pump()
        return {(p.name, p.state, p.established_ms, p.flaps) for p in self.spk.peers.values()}


def with_and_without_bird():
    for name, scene in SCENES.items():
        yield pytest.param(scene, False, id=name)
        if "bird" in scene:
            yield pytest.param(scene, True, id=f"{name}-bird", marks=pytest.mark.skipif(
                Bird.missing() is not None, reason=str(Bird.missing())))


@pytest.mark.parametrize("scene,bird", with_and_without_bird())
def test_who_is_told_what(net, spk, scene, bird, tmp_path):
    with Scene(net, spk, **scene, directory=tmp_path if bird else None) as s:
        s.wait_told(scene["told"])
        spk.wait(lambda: spk.routes == scene["reported"], what="report")
        before = s.sessions()
        s.configure(branch_to_branch=True)
        s.wait_told({**scene["told"], **scene.get("on", {})})
        s.configure(branch_to_branch=False)
        s.wait_told(scene["told"])
        spk.wait(lambda: spk.routes == scene["reported"], what="report")
        assert s.sessions() == before and all(p[1] == "Established" for p in before)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_open_is_azures(net, spk, scene):
    """5.2, as a Route Server's: captured there, and nothing else is known of the others."""
    with Scene(net, spk, **{**scene, "said": ()}) as s:
        asn = scene["asn"]
        want = struct.pack("!BHH4sB", 4, asn, 180, bytes([10, 0, 0, 4]), 22).hex() + \
            "0214" "010400010001" "010400020001" "0200" "4104" + struct.pack("!I", asn).hex()
        assert {name: p.remote_open.hex() for name, p in s.raw.items()} == dict.fromkeys(s.raw, want)


def test_hub_routing_preference(net, spk):
    """5.8: it decides before the length of the AS path, and is changed while sessions go on."""
    peers = {"nva": (TO_OUTSIDE, 65001), "other": (TO_OUTSIDE, 65002), "vpn": (TO_VPN_GATEWAY, 65515),
             "er": (TO_ER_GATEWAY, 65515)}
    paths = {"nva": [65001, 65001, 65009], "vpn": [65003, 65009], "er": [12076, 65020, 65021, 65022]}
    with Scene(net, spk, ROUTE_SERVER, 65515, peers,
               [(who, ["10.50.0.0/16"], path, {}) for who, path in paths.items()]) as s:
        s.configure(branch_to_branch=True)
        before = s.sessions()
        at = {"vpn": "10.0.0.12", "er": "10.0.0.13"}
        less, longer = "less preferred class of routes or circuit", "longer AS path"
        first = (PREFER_EXPRESSROUTE, "er", {"er": "", "vpn": less, "nva": less})
        for preference, wins, why in (first, (PREFER_VPN, "vpn", {"er": less, "vpn": "", "nva": longer}),
                                      (PREFER_AS_PATH, "vpn", {"er": longer, "vpn": "", "nva": longer}), first):
            s.configure(preference=preference)
            path = "-".join(map(str, paths[wins]))
            reflected = {"10.50.0.0/16": "{0} {1} pref 100 of {0} through 10.0.0.4".format(at[wins], path)}
            outside = {"10.50.0.0/16": f"10.0.0.4 65515-{path}"}
            s.wait_told({"nva": outside, "other": outside,
                         **{gateway: reflected for gateway in ("vpn", "er") if gateway != wins}})
            assert {p.peer: p.note for p in spk.rib("10.50.0.0/16")} == why
            assert "10.50.0.0/16" not in spk.routes  # the gateway that has it says so itself
        s.raw["er"].withdraw(["10.50.0.0/16"])
        s.say("nva", ["10.50.0.0/16"], [65001])
        spk.wait(lambda: spk.hops("10.50.0.0/16") == ["10.0.0.10"])  # NVA and VPN: by AS path
        assert s.sessions() == before


def test_what_is_marked_counts_where_there_is_no_route_server(net, spk):
    """5.6: an ExpressRoute gateway lets it go only because it may have come from its own network's."""
    with Scene(net, spk, **SCENES["expressroute-gateway"]) as s:
        s.wait_told(SCENES["expressroute-gateway"]["told"])
        assert "10.99.0.0/16" not in spk.routes
        s.peers = [p for p in s.peers if p.name != "rs"]
        s.configure()
        spk.wait(lambda: spk.hops("10.99.0.0/16") == ["10.0.0.10"])
        deadline = time.monotonic() + 10 * PATIENCE
        while {name: s.told()[name] for name in ("msee1", "msee2")} != dict.fromkeys(("msee1", "msee2"),
                                                                                    {VNET: "10.0.0.4 65515"}):
            assert time.monotonic() < deadline, s.told()
        assert spk.is_up("msee1") and spk.is_up("msee2") and spk.peers["msee1"].flaps == 0


def test_static_prefixes_change_while_sessions_go_on(net, spk):
    with Scene(net, spk, **{**SCENES["vpn-gateway"], "said": ()}) as s:
        before = s.sessions()
        s.configure(statics=["172.20.0.0/16", "172.21.0.0/16"])
        spk.wait(lambda: spk.routes == {p: [("10.0.0.4", 0)] for p in ("172.20.0.0/16", "172.21.0.0/16")})
        s.configure(statics=["172.21.0.0/16"])
        s.wait_told({**{site: {p: "10.0.0.4 65515" for p in (VNET, "172.21.0.0/16")} for site in ("site1", "site2")},
                     "rs": {"172.21.0.0/16": "10.0.0.4 - pref 100"}})
        spk.wait(lambda: list(spk.routes) == ["172.21.0.0/16"])
        assert s.sessions() == before


def test_a_site_that_says_too_much(net, spk):
    """6.1: above the limit the session ends."""
    spk.configure(role=VPN_GATEWAY, peers=[Peer("site", "10.0.0.10", 65050, passive=True, max_prefixes=3)])
    with RawPeer(65050, "10.0.0.10", "10.0.0.4", netns=net.nva).connect().establish() as site:
        site.update([f"192.168.{i}.0/24" for i in range(3)])
        spk.wait(lambda: len(spk.routes) == 3)
        site.update(["192.168.3.0/24"])
        end = site.expect(NOTIFICATION)
        assert (end.code, end.subcode) == (6, 1)
        spk.wait(lambda: not spk.routes)


def test_sessions_have_addresses_of_their_own(net, spk):
    """6.1: APIPA addresses of a VPN gateway: who is spoken with from there, and is told of that next hop."""
    apipa = Peer("apipa", "169.254.21.2", 65050, local="169.254.21.1")
    spk.configure(role=VPN_GATEWAY, locals=[VNET], peers=[apipa, Peer("plain", "10.0.0.10", 65051, passive=True)])
    with RawPeer(65050, "169.254.21.2", "169.254.21.1", netns=net.nva).listen() as a, \
            RawPeer(65051, "10.0.0.10", "10.0.0.4", netns=net.nva).connect() as b:
        a.accept().establish(hold=180)
        assert a.sock.getpeername()[0] == "169.254.21.1"
        b.establish(hold=180)
        spk.wait(lambda: spk.is_up("apipa") and spk.is_up("plain"))
        a.update(["192.168.10.0/24"])
        spk.wait(lambda: spk.hops("192.168.10.0/24") == ["169.254.21.2"])
        deadline = time.monotonic() + 10 * PATIENCE
        while "192.168.10.0/24" not in b.routes():
            assert time.monotonic() < deadline
        assert {p: form(r) for p, r in a.routes().items()} == {VNET: "169.254.21.1 65515"}
        assert {p: form(r) for p, r in b.rib.items()} == {VNET: "10.0.0.4 65515",
                                                          "192.168.10.0/24": "10.0.0.4 65515-65050"}
    # Who connects is let in at the address of his session only, although all are listened on.
    spk.configure(role=VPN_GATEWAY, locals=[VNET], peers=[Peer("apipa", "169.254.21.2", 65050, local="169.254.21.1",
                                                               passive=True)])
    with RawPeer(65050, "169.254.21.2", "10.0.0.4", netns=net.nva) as elsewhere:
        elsewhere.connect()
        with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
            elsewhere.establish()
    with RawPeer(65050, "169.254.21.2", "169.254.21.1", netns=net.nva).connect().establish():
        spk.wait(lambda: spk.is_up("apipa"))
