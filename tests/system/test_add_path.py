# SPDX-License-Identifier: GPL-2.0-or-later
"""ADD-PATH (RFC 7911) with FRR, BIRD, GoBGP and OpenBGPD both ways, and what a raw peer sees of it.

    net.rs  10.0.0.4   vnrs-speaker (AS 65515)
       │ veth
    net.nva 10.0.0.10  raw peer a        AS 65001  ┐ of the speaker, who
            10.0.0.11  raw peer b        AS 65002  ┘ announce the same prefixes
            10.0.0.12  FRR, BIRD, …      AS 65012    with the speaker, ADD-PATH both ways
            10.0.0.13  raw peer          AS 65013  ┐ of that daemon: two paths of a prefix
            10.0.0.14  raw peer          AS 65014  ┘
"""
import contextlib
import os
import struct

import pytest

import bgp_daemons
from raw_peer import UPDATE, RawPeer, capability, message, mp, path_attrs, prefix_bytes
from speaker_harness import ADD_PATH, BIN, Net, Peer, Speaker

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

FEEDERS = ("10.0.0.13", 65013), ("10.0.0.14", 65014)
P, Q, R = "192.168.0.0/24", "192.168.1.0/24", "172.20.0.0/16"


@contextlib.contextmanager
def speaker():
    with Net("vadd") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True), Peer("b", "10.0.0.11", 65002, passive=True),
                             Peer("them", "10.0.0.12", 65012, passive=True)], features=ADD_PATH)
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as a, \
             RawPeer(65002, "10.0.0.11", "10.0.0.4", netns=net.nva) as b:
            yield net, spk, a, b


@pytest.mark.parametrize("daemon", [d for d in bgp_daemons.ALL if d is not bgp_daemons.Exabgp], ids=lambda d: d.name)
def test_several_paths_both_ways(daemon, tmp_path):
    if daemon.missing():
        pytest.skip(daemon.missing())
    with speaker() as (net, spk, a, b), contextlib.ExitStack() as stack:
        tmp_path.chmod(0o755)
        tmp_path.parent.chmod(0o755)
        them = stack.enter_context(daemon(net.nva, tmp_path, 65012, "10.0.0.12", "10.0.0.4", 65515,
                                          options=bgp_daemons.Options(add_path=True, feeders=FEEDERS)))
        feeders = [stack.enter_context(RawPeer(65000 + i, f"10.0.0.{i}", "10.0.0.12", netns=net.nva)) for i in (13, 14)]
        for raw in (a, b, *feeders):
            raw.connect(20).establish(20, hold=180)  # GoBGP cannot do without
        spk.wait(lambda: spk.is_up("them"), 20)
        assert {"add-path-rx-ipv4", "add-path-tx-ipv4"} <= spk.detail("them").in_use

        def paths_of(prefix):
            return len(them.paths().get(prefix, ()))

        def until(check, what):
            try:
                spk.wait(check, 15, what)
            except AssertionError as e:
                raise AssertionError(f"{e}\n{them.name} says:\n{them.logged()[-3000:]}") from None

        # Ours there: of P two paths, of Q one; then the other one is withdrawn, by its identifier alone.
        a.update([P, Q])
        b.update([P], as_path=[65002, 65100])
        until(lambda: paths_of(P) == 2 and paths_of(Q) == 1, "two paths there")
        a.withdraw([P])
        until(lambda: paths_of(P) == 1, "one path there")
        assert "65002" in them.describe(P)
        a.update([P], as_path=[65001, 65100])
        b.withdraw([P])
        b.update([P])
        until(lambda: paths_of(P) == 2, "two paths there again")
        a.close()
        until(lambda: paths_of(P) == 1 and paths_of(Q) == 0, "one peer gone")

        # Theirs here.
        for f in feeders:
            f.update([R], as_path=[f.asn, 65200])
        until(lambda: len(spk.rib(R)) == 2, "two paths here")
        paths = spk.rib(R)
        assert {p.as_path for p in paths} == {"65012-65013-65200", "65012-65014-65200"}
        assert sorted(p.best for p in paths) == [1, 2] and {p.peer for p in paths} == {"them"}
        spk.wait(lambda: spk.peers["them"].received == 2)
        until(lambda: R in b.routes() and b.rib[R].as_path == [65515, *map(int, paths[0].as_path.split("-"))],
              "the best at one without ADD-PATH")
        feeders[0].withdraw([R])
        until(lambda: [p.as_path for p in spk.rib(R)] == ["65012-65014-65200"], "one path here")
        feeders[0].update([R])  # shorter now
        until(lambda: [p.as_path for p in spk.rib(R)] == ["65012-65013", "65012-65014-65200"], "the better one first")
        assert spk.rib(R)[1].note == "longer AS path"
        assert paths_of(R) == 0  # nothing of its own comes back
        them.stop()
        until(lambda: not spk.rib(R), "all gone")


def nlri(ident, prefix):
    return struct.pack("!I", ident) + prefix_bytes(prefix)


def announcement(peer, ident, prefix, *tail):
    attrs = path_attrs([peer.asn, *tail], peer.local)
    return message(UPDATE, struct.pack("!HH", 0, len(attrs)) + attrs + nlri(ident, prefix))


def withdrawal(ident, prefix):
    raw = nlri(ident, prefix)
    return message(UPDATE, struct.pack("!H", len(raw)) + raw + b"\0\0")


def test_identifiers_on_the_wire():
    """Received ones mean something to their sender only; what is sent is unique among the paths of a prefix, and stays."""
    caps = [mp(1), capability(2), capability(69, struct.pack("!HBB", 1, 1, 3))]
    with speaker() as (_, spk, a, b):
        for raw in (a, b):
            raw.add_path = True
            raw.connect().establish(caps=[*caps, capability(65, struct.pack("!I", raw.asn))])
        seen = {}

        def listen():
            """{(identifier, prefix): AS path} of what b knows."""
            with contextlib.suppress(TimeoutError):
                while True:
                    msg = b.recv(0.3)
                    if msg.kind != UPDATE:
                        continue
                    n = struct.unpack("!H", msg.body[:2])[0]
                    gone, rest = msg.body[2:2 + n], msg.body[2 + n:]
                    m = struct.unpack("!H", rest[:2])[0]
                    told = rest[2 + m:]
                    while gone:
                        del seen[struct.unpack("!I", gone[:4])[0]]
                        gone = gone[5 + (gone[4] + 7) // 8:]
                    while told:
                        seen[struct.unpack("!I", told[:4])[0]] = msg.decode(True)[1].as_path
                        told = told[5 + (told[4] + 7) // 8:]
            return seen

        for ident, tail in ((0xFFFFFFFF, 1), (7, 2), (0, 3)):
            a.send(announcement(a, ident, P, tail))
        b.send(announcement(b, 7, P, 4))
        def hears(*last):
            spk.wait(lambda: sorted(listen().values()) == [[65515, 65001, n] for n in last], what=f"paths to {last}: {seen}")
            return dict(seen)

        first = hears(1, 2, 3)
        a.send(announcement(a, 7, P, 5))  # in place of the other with that identifier
        a.send(withdrawal(0xFFFFFFFF, P))
        a.send(withdrawal(12345, P))  # nobody knows it
        second = hears(3, 5)
        assert all(i in first for i in second)
        assert first[next(i for i, p in second.items() if p[-1] == 5)] == [65515, 65001, 2]
        assert {p.as_path for p in spk.rib(P)} == {"65001-3", "65001-5", "65002-4"}
        spk.wait(lambda: spk.peers["a"].received == 2 and spk.peers["b"].received == 1)
        assert len(spk.advertised("b")) == 2 and len(spk.advertised("a")) == 1
        a.close()
        hears()
