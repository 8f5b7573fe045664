# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that share one formatting of what they are told, against one of them that does not read.

    net.rs  10.0.0.4   vnrs-speaker (AS 65515)
       │ veth, small TCP buffers
    net.nva 10.0.0.10  raw peer a  AS 65001, who announces
            10.0.0.11  raw peer b  AS 65002
            10.0.0.12  raw peer c  AS 65003, who may be slow
"""
import contextlib
import os
import select
import time

import pytest

from patience import PATIENCE
from raw_peer import KEEPALIVE, UPDATE, RawPeer, message, path_attrs, update_body
from speaker_harness import BIN, Clock, Net, Peer, Speaker, sh

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

PER_UPDATE = 10
N = 20_000
KEEPALIVES = 3  # place in the counters of messages


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def lab(clock):
    with contextlib.ExitStack() as stack:
        net = stack.enter_context(Net("vgrp"))
        for ns in (net.rs, net.nva):
            sh("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.tcp_wmem=4096 16384 32768",
               "net.ipv4.tcp_rmem=4096 16384 32768")
        spk = stack.enter_context(Speaker(net, env=clock.env))
        spk.configure(peers=[Peer(n, f"10.0.0.{10 + i}", 65001 + i, passive=True, max_prefixes=0, hold=240)
                             for i, n in enumerate("abc")])
        peers = [stack.enter_context(RawPeer(65001 + i, f"10.0.0.{10 + i}", net.rs_addr, netns=net.nva))
                 for i in range(3)]
        for p in peers:
            p.connect().establish(hold=240)
        spk.wait(lambda: all(spk.is_up(n) for n in "abc"))
        yield spk, *peers


def prefix(i):
    return f"20.{i >> 8 & 255}.{i & 255}.0/24" if i < 65536 else f"21.{i >> 8 & 255}.{i & 255}.0/24"


def table(n, last_asn=0):
    """A path of its own for every ten prefixes."""
    return b"".join(message(UPDATE, update_body(path_attrs([65001, 100000 + i + last_asn], "10.0.0.10"),
                                                [prefix(k) for k in range(i, min(i + PER_UPDATE, n))]))
                    for i in range(0, n, PER_UPDATE))


def exchange(spk, sender, data, readers, done, timeout=60):
    """Sends `data` as far as it is taken, while `readers` read what they get, until done()."""
    sender.sock.setblocking(False)
    sent, deadline = 0, time.monotonic() + timeout * PATIENCE
    while not (sent == len(data) and done()):
        assert time.monotonic() < deadline, f"{sent} of {len(data)} octets; {[len(r.rib) for r in readers]} routes"
        spk.pump()
        with contextlib.suppress(BlockingIOError):
            sent += sender.sock.send(data[sent:sent + 65536]) if sent < len(data) else 0
        ready = select.select([r.sock for r in readers], [], [], 0.01)[0]
        for r in readers:
            if r.sock in ready:
                drain(r)
    sender.sock.setblocking(True)


def drain(peer):
    with contextlib.suppress(TimeoutError):
        while True:
            peer.recv(0.001)


def test_slow_receiver_delays_nobody_and_misses_nothing(lab):
    spk, a, b, c = lab
    exchange(spk, a, table(N), [b], lambda: len(b.rib) == N)  # c reads nothing at all
    spk.wait(lambda: spk.peers["b"].advertised == N)
    assert spk.peers["c"].advertised < N  # it is behind
    # All of it changes, part of it goes, before c has read its first version.
    gone = [prefix(i) for i in range(0, N, 2)]
    changes = table(N, last_asn=1) + b"".join(
        message(UPDATE, update_body(withdrawn=gone[i:i + 500])) for i in range(0, len(gone), 500))
    exchange(spk, a, changes, [b], lambda: len(b.rib) == N // 2)
    rest = {prefix(i) for i in range(1, N, 2)}
    assert set(b.rib) == rest
    exchange(spk, a, b"", [b, c], lambda: set(c.rib) == rest and spk.peers["c"].advertised == N // 2)
    assert all(c.rib[p].as_path == b.rib[p].as_path for p in rest)
    # In step again: both hear of what comes now, and nothing else.
    b.rib.clear()
    c.rib.clear()
    more = message(UPDATE, update_body(path_attrs([65001], "10.0.0.10"), ["192.168.0.0/24"]))
    exchange(spk, a, more, [b, c], lambda: "192.168.0.0/24" in b.rib and "192.168.0.0/24" in c.rib)
    assert len(b.rib) == len(c.rib) == 1
    assert [spk.peers[n].flaps for n in "abc"] == [0, 0, 0]


def test_split_horizon_among_peers_that_are_told_the_same(lab):
    spk, a, b, c = lab
    both = [prefix(i) for i in range(100)]
    b.send(message(UPDATE, update_body(path_attrs([65002, 65100], "10.0.0.11"), both)))
    exchange(spk, a, b"", [a, b, c], lambda: len(a.rib) == len(c.rib) == 100)
    assert not b.rib
    # a's path is shorter: b and c hear of that, a is to forget b's.
    a.send(message(UPDATE, update_body(path_attrs([65001], "10.0.0.10"), both)))
    exchange(spk, a, b"", [a, b, c], lambda: not a.rib and len(b.rib) == 100
             and all(r.as_path == [65515, 65001] for r in c.rib.values()))
    a.send(message(UPDATE, update_body(withdrawn=both)))
    exchange(spk, a, b"", [a, b, c], lambda: len(a.rib) == 100 and not b.rib
             and all(r.as_path == [65515, 65002, 65100] for r in c.rib.values()))
    assert len(c.rib) == 100


def test_keepalives_are_not_behind_the_table(lab):
    """A KEEPALIVE that falls due while a table waits for its receiver goes out before the rest of it."""
    spk, a, b, c = lab
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True, max_prefixes=0, hold=240),
                         Peer("b", "10.0.0.11", 65002, passive=True, max_prefixes=0, hold=240),
                         Peer("c", "10.0.0.12", 65003, passive=True, max_prefixes=0, hold=60, keepalive=1)])
    spk.wait(lambda: not spk.is_up("c"))
    c.connect().establish(hold=60)
    spk.wait(lambda: spk.is_up("c"))
    many = 2 * N  # several times what all buffers on the way hold
    exchange(spk, a, table(many), [b], lambda: len(b.rib) == many)
    assert spk.peers["c"].advertised < many // 2  # c's buffers are full
    before = spk.detail("c").messages_out[KEEPALIVES]
    spk.wait(lambda: spk.detail("c").messages_out[KEEPALIVES] >= before + 2, 20)
    kinds = []
    while len(c.rib) < many:
        kinds.append(c.recv().kind)
    first = kinds.index(KEEPALIVE, 1)
    later = sum(k == UPDATE for k in kinds[first:])
    assert kinds.count(KEEPALIVE) >= 2 and later > len(kinds) // 4, (first, len(kinds))
    assert spk.peers["c"].flaps <= 1  # the reconfiguration


def test_who_reads_nothing_is_given_up(lab, clock):
    """RFC 9687: KEEPALIVEs still come from it, so it is not the hold timer that ends the session, but eight minutes in
    which the connection takes nothing. Nothing can be told to it any more either."""
    spk, a, b, c = lab
    exchange(spk, a, table(N), [b], lambda: len(b.rib) == N)
    assert spk.peers["c"].advertised < N
    c.update(["192.168.3.0/24"])
    spk.wait(lambda: "192.168.3.0/24" in spk.routes)
    for seconds in [59] * 8 + [20]:
        heard = {n: spk.detail(n).messages_in[KEEPALIVES] for n in "abc"}
        for p in (a, b, c):
            p.keepalive()
        spk.wait(lambda: all(spk.detail(n).messages_in[KEEPALIVES] > heard[n] for n in "abc"))
        assert spk.is_up("c"), spk.peers["c"].last_error
        clock.forward(seconds)
    spk.wait(lambda: spk.detail("c") and not spk.is_up("c"))
    assert "send hold timer expired" in spk.peers["c"].last_error
    spk.wait(lambda: "192.168.3.0/24" not in spk.routes)
    c.expect_closed()
    assert [spk.peers[n].flaps for n in "abc"] == [0, 0, 1]
