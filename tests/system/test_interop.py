# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs-speaker against the BGP daemons of Debian, one at a time, and a scripted second peer behind the speaker.

    net.rs  10.0.0.4 fd00::4   vnrs-speaker (AS 65515)
       │ veth
    net.nva 10.0.0.11 fd00::11  FRR | BIRD | GoBGP | OpenBGPD | ExaBGP   AS 4200000001
            10.0.0.10 fd00::10  raw peer                                 AS 65001
"""
import contextlib
import os
import re
import shutil
import socket
import struct
import tempfile
import time

import pytest

import bgp_daemons
from patience import PATIENCE
from raw_peer import UPDATE, RawPeer, attr, message, path_attrs, prefix_bytes, update_body
from speaker_harness import BIN, Net, Peer, Speaker, sh

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

ASN = 4200000001
THEIRS = {4: ["192.168.1.0/24", "192.168.2.0/24", "192.168.3.0/24", "172.31.0.0/16"],
          6: ["2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48", "2001:db8:100::/40"]}
LOCALS = {4: ["10.0.0.0/16", "10.1.0.0/16"], 6: ["fd00::/48", "fd01::/48"]}
OURS = {4: ["10.200.1.0/24", "10.200.2.0/24"], 6: ["2001:db8:f001::/48", "2001:db8:f002::/48"]}

# Of the daemons' words for 65001:7 (standard), rt 65001:8 (extended), 4200000001:1:2 (large).
SHOWN = [r"65001\D{1,3}7\b", r"(?i)(rt|target|extcomms)\W*65001\D{1,3}8\b", r"4200000001\D{1,3}1\D{1,3}2\b"]
WIRE_EXTENDED, WIRE_LARGE = bytes.fromhex("0002fde900000008"), struct.pack("!III", 4200000001, 1, 2)


def mp_reach(nexthop, prefixes):
    return attr(0x80, 14, struct.pack("!HBB", 2, 1, 16) + socket.inet_pton(socket.AF_INET6, nexthop) + b"\0"
                + b"".join(map(prefix_bytes, prefixes)))


def mp_unreach(prefixes):
    return attr(0x80, 15, struct.pack("!HB", 2, 1) + b"".join(map(prefix_bytes, prefixes)))


class Lab:
    """The speaker, a daemon and the raw peer, for one test."""

    def __init__(self, daemon, opener="speaker", family=4, extra=(), options=None, session=None, **conf):
        """`options` of the daemon; `session`: family of the addresses, where it is not that of the routes; `conf`: of
        the speaker (speaker_harness.py)."""
        self.daemon_class, self.opener, self.family = daemon, opener, family
        self.options, self.session, self.conf = options or bgp_daemons.Options(), session or family, conf
        self.routes = THEIRS[family] + list(extra)
        self.tagged = THEIRS[family][0]

    def __enter__(self):
        if self.daemon_class.missing():
            pytest.skip(self.daemon_class.missing())
        with contextlib.ExitStack() as stack:
            self.net = stack.enter_context(Net("vint", v6=True))
            sh("ip", "-n", self.net.nva, "addr", "add", "fd00::11/64", "dev", "eth0", "nodad")
            self.addr = {4: ["10.0.0.4", "10.0.0.10", "10.0.0.11"], 6: ["fd00::4", "fd00::10", "fd00::11"]}[self.session]
            self.net.rs_addr = self.addr[0]
            self.spk = stack.enter_context(Speaker(self.net))
            self.peers = [Peer("raw", self.addr[1], 65001, passive=True, max_prefixes=0),
                          Peer("them", self.addr[2], ASN, passive=self.opener == "peer", max_prefixes=0,
                               md5=self.options.password)]
            self.configure()
            self.raw = stack.enter_context(RawPeer(65001, self.addr[1], self.addr[0], netns=self.net.nva))
            directory = tempfile.mkdtemp(prefix="vnrs-interop-")
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
            os.chmod(directory, 0o755)
            self.them = stack.enter_context(self.daemon_class(
                self.net.nva, directory, ASN, self.addr[2], self.addr[0], 65515, self.routes, [self.tagged],
                passive=self.opener == "speaker", options=self.options))
            self.raw.connect().establish()
            self.wait(lambda: self.spk.is_up("raw") and self.spk.is_up("them"), "the session", 20)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        return self.stack.__exit__(*exc)

    def configure(self, **changes):
        self.spk.configure(peers=self.peers, locals=LOCALS[self.family], connect_retry_ms=100,
                           **{**self.conf, **changes})

    def wait(self, check, what, timeout=10):
        """Until check() is true, or fails no more; what the daemon says goes with a failure."""
        try:
            return self.spk.wait(check, timeout, what)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.them.name} says:\n{self.them.logged()[-3000:]}") from None

    def announce(self, prefixes, communities=False, origin=65100, extra=b""):
        """By the raw peer, AS path 65001 `origin`."""
        attrs = path_attrs([65001, origin], None if self.family == 6 else self.addr[1],
                           communities=["65001:7"] if communities else ()) + extra
        if self.family == 6:
            attrs += mp_reach(self.addr[1], prefixes)
        if communities:
            attrs += attr(0xC0, 16, WIRE_EXTENDED) + attr(0xC0, 32, WIRE_LARGE)
        self.raw.send(message(UPDATE, update_body(attrs, [] if self.family == 6 else prefixes)))

    def withdraw(self, prefixes):
        body = update_body(mp_unreach(prefixes)) if self.family == 6 else update_body(withdrawn=prefixes)
        self.raw.send(message(UPDATE, body))

    def counters(self):
        """(messages in, messages out) of the daemon's session, now."""
        self.spk.hello()
        return self.spk.peers["them"].messages_in, self.spk.peers["them"].messages_out

    def filled(self):
        """Both sides have all there is."""
        self.wait(lambda: set(self.spk.routes) == set(self.routes), "their routes here")
        self.wait(lambda: set(LOCALS[self.family]) <= self.them.prefixes(), "our routes there")


def openers():
    for d in bgp_daemons.ALL:
        for opener in ("speaker", "peer"):
            yield pytest.param(d, opener, id=f"{d.name}-opened-by-{opener}")


each_opener = pytest.mark.parametrize("daemon,opener", list(openers()))
each = pytest.mark.parametrize("daemon", bgp_daemons.ALL, ids=lambda d: d.name)


@pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
@each_opener
def test_routes_and_communities_both_ways(daemon, opener, family):
    with Lab(daemon, opener, family) as lab:
        spk, them, raw = lab.spk, lab.them, lab.raw
        lab.filled()
        state = spk.peers["them"]
        assert state.remote_asn == ASN and state.flaps == 0 and state.router_id == 0x0A00000B
        assert all(hops == [(lab.addr[2], 1)] for hops in spk.routes.values())
        # Theirs at the second peer: path, next hop, and the communities as they were.
        lab.wait(lambda: set(raw.routes()) == set(lab.routes + LOCALS[family]), "their routes at the second peer")
        tagged, plain = raw.rib[lab.tagged], raw.rib[lab.routes[1]]
        assert tagged.as_path == plain.as_path == [65515, ASN] and tagged.nexthop == plain.nexthop == lab.addr[0]
        assert tagged.communities == ["65001:7", "65517:65517"]
        assert tagged.extended == WIRE_EXTENDED and tagged.large == WIRE_LARGE
        assert plain.communities == ["65517:65517"] and not plain.extended and not plain.large
        # The second peer's at them.
        lab.announce(OURS[family][:1], communities=True)
        lab.announce(OURS[family][1:])
        lab.wait(lambda: them.prefixes() == set(OURS[family] + LOCALS[family]), "the second peer's routes there")
        text = them.describe(OURS[family][0])
        for pattern in SHOWN:
            assert re.search(pattern, text), text
        assert re.search(r"65515\D{1,3}65001\D{1,3}65100", text) and lab.addr[0] in text, text
        # Withdrawn one by one, on either side.
        lab.withdraw(OURS[family][:1])
        lab.wait(lambda: them.prefixes() == set(OURS[family][1:] + LOCALS[family]), "withdrawn there")
        them.withdraw(lab.routes[1])
        lab.wait(lambda: set(spk.routes) == set(lab.routes + OURS[family]) - {lab.routes[1], OURS[family][0]},
                 "withdrawn here")
        lab.wait(lambda: lab.routes[1] not in raw.routes(), "withdrawn at the second peer")
        assert spk.peers["them"].flaps == 0


@each
def test_route_refresh_both_ways(daemon):
    with Lab(daemon) as lab:
        lab.filled()
        lab.spk.wait(lambda: lab.spk.converged)  # what comes from now on comes for a reason
        before = lab.counters()
        lab.spk.refresh("them")
        if daemon.answers_refresh:
            lab.wait(lambda: lab.counters()[0] > before[0], "routes told again by them")
        else:
            lab.wait(lambda: "route refresh" in lab.them.logged(), "the refresh is seen by them")
        assert set(lab.spk.routes) == set(lab.routes)
        if daemon.asks_refresh:
            before = lab.counters()
            lab.them.refresh()
            lab.wait(lambda: lab.counters()[1] > before[1], "routes told again by us")
            assert lab.counters()[0] > before[0]
        lab.wait(lambda: lab.them.prefixes() == set(LOCALS[4]), "the same routes there")
        assert lab.counters() and lab.spk.peers["them"].flaps == 0


@each
def test_ten_thousand_routes_both_ways(daemon):
    theirs = [f"{100 + i // 2500}.{i // 250 % 10}.{i % 250}.0/{24 + i % 3}" for i in range(10_000)]
    ours = [f"{120 + i // 2500}.{i // 250 % 10}.{i % 250}.0/{24 + i % 3}" for i in range(10_000)]
    with Lab(daemon, extra=theirs) as lab:
        for i in range(0, len(ours), 500):
            lab.announce(ours[i:i + 500], origin=65100 + i // 500)
        lab.wait(lambda: len(lab.spk.routes) == len(lab.routes) + len(ours), "all routes here", 20)
        assert {p: lab.spk.routes[p] for p in lab.routes} == {p: [(lab.addr[2], 1)] for p in lab.routes}
        assert {p: lab.spk.routes[p] for p in ours} == {p: [(lab.addr[1], 2)] for p in ours}
        lab.wait(lambda: len(lab.raw.routes()) == len(lab.routes) + 2, "all routes at the second peer", 20)
        assert {p: (a.nexthop, tuple(a.as_path)) for p, a in lab.raw.rib.items()} == {
            **{p: (lab.addr[0], (65515, ASN)) for p in lab.routes}, **{p: (lab.addr[0], (65515,)) for p in LOCALS[4]}}
        them = lab.them
        deadline = time.monotonic() + 20 * PATIENCE
        while len(have := them.paths()) < len(ours) + 2 and time.monotonic() < deadline:
            lab.spk.pump(0.2)
        assert have == {**{p: {(lab.addr[0], f"65515 65001 {65100 + i // 500}")} for i, p in enumerate(ours)},
                        **{p: {(lab.addr[0], "65515")} for p in LOCALS[4]}}
        # And all of them go.
        for i in range(0, len(ours), 500):
            lab.withdraw(ours[i:i + 500])
        deadline = time.monotonic() + 20 * PATIENCE
        while (have := them.prefixes()) != set(LOCALS[4]) and time.monotonic() < deadline:
            lab.spk.pump(0.2)
        assert have == set(LOCALS[4])
        them.stop()
        lab.wait(lambda: not lab.spk.routes and set(lab.raw.routes()) == set(LOCALS[4]), "all gone", 20)


@each
def test_cease_from_them(daemon):
    with Lab(daemon) as lab:
        lab.filled()
        lab.them.shut("going home")
        lab.wait(lambda: not lab.spk.is_up("them") and not lab.spk.routes, "down")
        error = lab.spk.peers["them"].last_error
        assert error.startswith("peer sent NOTIFICATION: Cease, administrative shutdown"), error
        if daemon.shut_text:
            assert daemon.shut_text in error, error
    with Lab(daemon) as lab:
        lab.filled()
        lab.them.stop()
        lab.wait(lambda: not lab.spk.is_up("them") and not lab.spk.routes, "down")
        error = lab.spk.peers["them"].last_error
        assert error.startswith("peer sent NOTIFICATION: Cease") == daemon.stop_cease, error


@each
def test_cease_from_us(daemon):
    with Lab(daemon) as lab:
        lab.filled()
        gone = lab.peers.pop()
        lab.configure()
        lab.wait(lambda: re.search(daemon.DECONFIGURED, lab.them.complaint()), "peer de-configured, there")
        lab.wait(lambda: not lab.spk.routes, "routes gone")
        lab.peers.append(gone)
        lab.configure()
        lab.wait(lambda: lab.spk.is_up("them"), "up again", 20)
        lab.wait(lambda: set(lab.spk.routes) == set(lab.routes), "their routes here")
