# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs-speaker alone, against FRR, BIRD and a scripted raw peer.

    net.rs  10.0.0.4  vnrs-speaker (AS 65515)  ──veth──  net.nva  10.0.0.10 raw peer   AS 65001
                                                                  10.0.0.11 raw peer   AS 65002
                                                                  10.0.0.12 FRR bgpd   AS 65012
                                                                  10.0.0.13 BIRD       AS 65013
"""
import os
import pathlib
import signal
import struct
import subprocess
import threading
import time

import pytest

import raw_peer
from bgp_daemons import bird, birdc, directories, frr, stop, vtysh
from patience import PATIENCE
from raw_peer import KEEPALIVE, NOTIFICATION, OPEN, REFRESH, UPDATE, Closed, RawPeer, message
from speaker_harness import ACTION, BIN, S_ACTION, Net, Peer, Speaker

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

A = Peer("a", "10.0.0.10", 65001, passive=True)
B = Peer("b", "10.0.0.11", 65002, passive=True)
VNET = ["10.0.0.0/16", "10.1.0.0/16"]


@pytest.fixture
def net():
    with Net() as n:
        yield n


@pytest.fixture
def spk(net):
    with Speaker(net) as s:
        yield s


@pytest.fixture
def raw(net):
    made = []

    def make(which="a", **kw):
        asn, addr = {"a": (65001, "10.0.0.10"), "b": (65002, "10.0.0.11")}[which]
        made.append(RawPeer(asn, addr, "10.0.0.4", netns=net.nva, **kw))
        return made[-1]

    yield make
    for p in made:
        p.close()


def until(check, timeout=15, what="condition"):
    deadline = time.monotonic() + timeout * PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.01)


def both_up(spk, raw, **kw):
    spk.configure(peers=[A, B], locals=VNET, **kw)
    a, b = raw("a").connect().establish(), raw("b").connect().establish()
    spk.wait(lambda: spk.is_up("a") and spk.is_up("b"))
    return a, b


# --- the wire image of a Route Server (azure-routing.md 5.2)

def test_open_and_first_update_are_azures(spk, raw):
    spk.configure(peers=[A], locals=["10.1.0.0/24", "10.1.255.0/24", "10.0.2.0/24", "10.0.1.0/24"])
    a = raw("a").connect().establish(hold=180)
    assert a.remote_open.hex() == "04ffeb00b40a00000416021401040001000101040002000102004104" + "0000ffeb"
    first = a.expect(UPDATE)
    assert first.body[:4 + 20].hex() == "0000" + "0014" + "40010100" + "40020602010000ffeb" + "4003040a000004"
    assert sorted(a.rib) == ["10.0.1.0/24", "10.0.2.0/24", "10.1.0.0/24", "10.1.255.0/24"]


def test_routes_between_peers(spk, raw):
    a, b = both_up(spk, raw)
    a.update(["192.168.0.0/16"], as_path=[65001, 65100], communities=["65001:7"], med=5)
    until(lambda: "192.168.0.0/16" in b.routes())
    got = b.rib["192.168.0.0/16"]
    assert got.as_path == [65515, 65001, 65100] and got.nexthop == "10.0.0.4" and got.med is None
    assert got.communities == ["65001:7", "65517:65517"] and got.local_pref is None
    spk.wait(lambda: spk.routes.get("192.168.0.0/16") == [("10.0.0.10", 2)])
    assert spk.alone == 0
    assert "192.168.0.0/16" not in a.routes()
    a.withdraw(["192.168.0.0/16"])
    until(lambda: "192.168.0.0/16" not in b.routes())
    spk.wait(lambda: "192.168.0.0/16" not in spk.routes)


def test_receivers_own_asn_is_still_sent(spk, raw):
    a, b = both_up(spk, raw)
    a.update(["192.168.0.0/16"], as_path=[65001, 65002])
    until(lambda: "192.168.0.0/16" in b.routes())


def test_ecmp_at_equal_length_and_the_next_hop_as_received(spk, raw):
    a, b = both_up(spk, raw)
    a.update(["172.16.0.0/12"], nexthop="10.0.0.99")
    b.update(["172.16.0.0/12"])
    spk.wait(lambda: spk.hops("172.16.0.0/12") == ["10.0.0.11", "10.0.0.99"])
    b.update(["172.16.0.0/12"], as_path=[65002, 65002])
    spk.wait(lambda: spk.hops("172.16.0.0/12") == ["10.0.0.99"])
    lost = [p for p in spk.rib("172.16.0.0/12") if not p.best]
    assert [(p.peer, p.note) for p in lost] == [("b", "longer AS path")]
    b.update(["172.16.0.0/12"])
    spk.wait(lambda: len(spk.hops("172.16.0.0/12")) == 2)
    a.close_connection()
    spk.wait(lambda: spk.hops("172.16.0.0/12") == ["10.0.0.11"])


def test_no_advertise_and_no_export(spk, raw):
    a, b = both_up(spk, raw)
    a.update(["192.168.1.0/24"], communities=["65535:65282"])
    a.update(["192.168.2.0/24"], communities=["65535:65281"])
    a.update(["192.168.3.0/24"])
    until(lambda: "192.168.3.0/24" in b.routes())
    assert not {"192.168.1.0/24", "192.168.2.0/24"} & set(b.rib)
    spk.wait(lambda: {"192.168.1.0/24", "192.168.2.0/24"} <= set(spk.routes))
    a.update(["192.168.3.0/24"], communities=["65535:65282"])
    until(lambda: "192.168.3.0/24" not in b.routes())


def test_virtual_network_ranges_always_win(spk, raw):
    a, b = both_up(spk, raw)
    a.update(["10.0.0.0/16", "10.0.7.0/24", "10.0.0.0/8", "192.168.0.0/16"])
    spk.wait(lambda: set(spk.routes) == {"10.0.0.0/8", "192.168.0.0/16"})
    notes = {p.prefix: p.note for p in spk.learned("a")}
    assert set(notes) == {"10.0.0.0/16", "10.0.7.0/24", "10.0.0.0/8", "192.168.0.0/16"}
    assert "virtual network" in notes["10.0.7.0/24"] and notes["10.0.0.0/8"] == ""
    until(lambda: "192.168.0.0/16" in b.routes())
    assert b.rib["10.0.0.0/16"].as_path == [65515] and "10.0.7.0/24" not in b.rib
    # A range that is no longer served lets the routes through.
    spk.configure(peers=[A, B], locals=["10.1.0.0/16"])
    spk.wait(lambda: "10.0.7.0/24" in spk.routes and "10.0.0.0/16" in spk.routes)
    until(lambda: b.routes().get("10.0.0.0/16") and b.rib["10.0.0.0/16"].as_path == [65515, 65001])
    assert spk.peers["a"].flaps == 0


def test_loops_are_not_even_learned(spk, raw):
    a, _ = both_up(spk, raw)
    a.update(["192.168.1.0/24"], as_path=[65001, 65515])
    a.update(["192.168.2.0/24"], as_path=[65001, 0])
    a.update(["192.168.3.0/24"], as_path=[65009])  # first ASN is not the peer's
    a.update(["192.168.4.0/24"])
    spk.wait(lambda: "192.168.4.0/24" in spk.routes)
    assert [p.prefix for p in spk.learned("a")] == ["192.168.4.0/24"]
    a.update(["192.168.4.0/24"], as_path=[65001, 65515])
    spk.wait(lambda: "192.168.4.0/24" not in spk.routes)


def test_learned_and_advertised(spk, raw):
    a, b = both_up(spk, raw)
    a.update([f"192.168.{i}.0/24" for i in range(200)], as_path=[65001, 65100])
    spk.wait(lambda: len(spk.routes) == 200)
    rows = spk.learned("a")
    assert len(rows) == 200 and {(p.nexthop, p.as_path, p.weight, p.peer) for p in rows} == {
        ("10.0.0.10", "65001-65100", 32768, "a")}
    until(lambda: len(b.routes()) == 202)
    rows = spk.advertised("b")
    assert len(rows) == 202 and ("192.168.7.0/24", "10.0.0.4", "65515-65001-65100", 0) in {
        (p.prefix, p.nexthop, p.as_path, p.weight) for p in rows}
    assert {p.prefix for p in spk.advertised("a")} == set(VNET)
    with pytest.raises(FileNotFoundError):
        spk.learned("nobody")
    spk.wait(lambda: spk.peers["a"].received == 200 and spk.peers["b"].advertised == 202)


# --- limits, errors, and that they disturb nobody else

def test_prefix_limit(spk, raw):
    limited = Peer("a", "10.0.0.10", 65001, passive=True, max_prefixes=10)
    spk.configure(peers=[limited, B], locals=VNET)
    a, b = raw("a").connect().establish(), raw("b").connect().establish()
    a.update([f"192.168.{i}.0/24" for i in range(5)])
    spk.wait(lambda: len(spk.routes) == 5)
    a.update([f"192.168.{i}.0/24" for i in range(5)])  # present + incoming = 10
    time.sleep(2.2)  # what comes now is counted anew
    a.update(["192.168.0.0/24"])
    spk.wait(lambda: spk.is_up("a"))
    a.update([f"192.168.{i}.0/24" for i in range(6)])  # 5 present, 11 in all
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode, note.data) == (6, 1, struct.pack("!HBI", 1, 1, 10))
    a.expect_closed()
    spk.wait(lambda: not spk.routes and "maximum number of prefixes" in spk.peers["a"].last_error)
    b.keepalive()
    assert spk.is_up("b")


GARBAGE = [
    ("marker", b"\0" * 16 + struct.pack("!HB", 19, KEEPALIVE), 1, 1, b""),
    ("length below 19", raw_peer.MARKER + struct.pack("!HB", 18, KEEPALIVE), 1, 2, b"\0\x12"),
    ("length above 4096", raw_peer.MARKER + struct.pack("!HB", 4097, UPDATE), 1, 2, b"\x10\x01"),
    ("keepalive with a body", message(KEEPALIVE, b"x"), 1, 2, b"\0\x14"),
    ("type 9", message(9), 1, 3, b"\x09"),
    ("open again", message(OPEN, raw_peer.open_body(65001)), 5, 3, bytes([OPEN])),
    ("update too short for its withdrawn routes", message(UPDATE, b"\0\xff\0\0"), 3, 1, b""),
]


@pytest.mark.parametrize("what,bytes_,code,subcode,data", GARBAGE, ids=[g[0] for g in GARBAGE])
def test_garbage_in_established(spk, raw, what, bytes_, code, subcode, data):
    a, b = both_up(spk, raw)
    a.update(["192.168.1.0/24"])
    b.update(["192.168.2.0/24"])
    spk.wait(lambda: len(spk.routes) == 2)
    a.send(bytes_)
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode, note.data) == (code, subcode, data)
    a.expect_closed()
    spk.wait(lambda: spk.hops("192.168.1.0/24") == [] and not spk.is_up("a"))
    assert spk.hops("192.168.2.0/24") == ["10.0.0.11"] and spk.peers["b"].flaps == 0
    # After its wait the peer is let in again.
    a.connect()
    for _ in range(600):
        try:
            a.establish()
            break
        except (Closed, BrokenPipeError, ConnectionResetError):
            time.sleep(0.05)
            a.connect()
    spk.wait(lambda: spk.is_up("a"))


OPENS = [
    ("version 3", dict(version=3), 2, 1, b"\0\x04"),
    ("wrong AS", dict(asn=65009), 2, 2, None),
    ("identifier 0", dict(router_id="0.0.0.0"), 2, 3, None),
    ("hold time 1", dict(hold=1), 2, 6, None),
    ("unknown optional parameter", dict(caps=[b"\x7f\x00"]), 2, 4, None),
    ("no family of ours", dict(caps=[raw_peer.mp(25, 70)]), 2, 7, b"\x01\x04\0\x01\0\x01"),
]


@pytest.mark.parametrize("what,fields,code,subcode,data", OPENS, ids=[o[0] for o in OPENS])
def test_unacceptable_open(spk, raw, what, fields, code, subcode, data):
    spk.configure(peers=[A])
    a = raw("a").connect()
    a.send_open(**fields)
    a.expect(OPEN)
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode) == (code, subcode)
    assert data is None or note.data == data
    a.expect_closed()
    spk.wait(lambda: "sent NOTIFICATION" in spk.peers["a"].last_error)


@pytest.mark.parametrize("kind,body", [(KEEPALIVE, b""), (UPDATE, b"\0\0\0\0"), (REFRESH, b"\0\1\0\1")])
def test_message_before_open(spk, raw, kind, body):
    spk.configure(peers=[A])
    a = raw("a").connect()
    a.send(message(kind, body))
    a.expect(OPEN)
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode, note.data) == (5, 1, bytes([kind]))


def test_stranger_is_closed_at_once(spk, raw, net):
    spk.configure(peers=[A])
    with RawPeer(65001, "10.0.0.14", "10.0.0.4", netns=net.nva) as stranger:
        stranger.connect()
        with pytest.raises(Closed):
            stranger.recv()


def test_malformed_attribute_withdraws(spk, raw):
    a, b = both_up(spk, raw)
    a.update(["192.168.1.0/24"])
    spk.wait(lambda: "192.168.1.0/24" in spk.routes)
    bad = raw_peer.path_attrs([65001], "10.0.0.10", origin=9)
    a.send(message(UPDATE, raw_peer.update_body(bad, ["192.168.1.0/24"])))
    spk.wait(lambda: "192.168.1.0/24" not in spk.routes)
    assert spk.is_up("a")
    # RFC 7606 section 6: the log has the prefixes and the whole message; not without end.
    said = message(UPDATE, raw_peer.update_body(bad, ["192.168.1.0/24"]))
    log = spk.logged()
    assert "peer 'a': malformed UPDATE, treated as withdrawn: undefined ORIGIN (attribute 1): 192.168.1.0/24" in log
    assert said.hex() in log
    a.send(said * 50)
    a.update(["192.168.2.0/24"])
    spk.wait(lambda: "192.168.2.0/24" in spk.routes)
    assert spk.logged().count("malformed UPDATE,") == 10


# --- timers, restarts, who connects

def test_hold_timer(spk, raw):
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True, hold=3, keepalive=1), B])
    a = raw("a").connect().establish(hold=3)
    spk.wait(lambda: spk.is_up("a"))
    assert spk.peers["a"].hold == 3 and spk.peers["a"].keepalive == 1
    begin, alive = time.monotonic(), 0
    while True:
        msg = a.recv()
        if msg.kind == NOTIFICATION:
            break
        alive += msg.kind == KEEPALIVE
    assert (msg.code, msg.subcode) == (4, 0) and time.monotonic() - begin > 2.5 and alive >= 2
    spk.wait(lambda: spk.peers["a"].last_error == "sent NOTIFICATION: hold timer expired")


def test_short_hold_times_are_refused(spk, raw):
    """RFC 4271 6.2: a hold time may be refused, here below 20 seconds; 0, never, is taken."""
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True, min_hold=20), B])
    a = raw("a")
    for hold in (20, 0):
        a.connect().establish(hold=hold)
        spk.wait(lambda: spk.is_up("a"))
        a.close_connection()
        spk.wait(lambda: not spk.is_up("a"))
    a.connect().send_open(hold=19)
    a.expect(OPEN)
    notification = a.expect(NOTIFICATION)
    assert (notification.code, notification.subcode) == (2, 6)


def test_delayed_open(spk, raw):
    """RFC 4271 8.1.3: the peer's OPEN is waited for, and comes first; without one ours goes after all."""
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True, delay_open=2), B])
    a = raw("a").connect()
    with pytest.raises(TimeoutError):
        a.recv(0.3)
    a.establish()
    spk.wait(lambda: spk.is_up("a"))
    a.close_connection()
    spk.wait(lambda: not spk.is_up("a"))
    begin = time.monotonic()
    a.connect().expect(OPEN)
    assert time.monotonic() - begin > 0.5
    a.close_connection()
    a.connect().keepalive()  # before any OPEN: the end, without a NOTIFICATION
    with pytest.raises(Closed):
        a.recv()
    spk.wait(lambda: "unexpected message before the OPEN" in spk.peers["a"].last_error)


def test_speaker_connects(spk, raw):
    a = raw("a").listen()
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, ttl=33)])
    a.accept().establish()
    spk.wait(lambda: spk.is_up("a"))
    assert a.sock.getpeername()[0] == "10.0.0.4"
    a.update(["192.168.0.0/16"])
    spk.wait(lambda: "192.168.0.0/16" in spk.routes)
    a.close_connection()
    spk.wait(lambda: not spk.routes and spk.peers["a"].last_error == "connection closed by the peer")
    a.accept().establish()
    spk.wait(lambda: spk.is_up("a"))
    assert spk.peers["a"].flaps == 1


def test_peer_that_knows_no_capabilities(spk, raw):
    """RFC 5492 section 3: it refuses the optional parameter, and gets an OPEN without any."""
    a = raw("a", as4=False).listen()
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001)], locals=["10.0.0.0/16"], connect_retry_ms=100)
    a.accept()
    assert a.expect(OPEN).body[9] > 0  # length of optional parameters
    a.send(message(NOTIFICATION, bytes([2, 4])))
    a.expect_closed()
    a.accept().establish(caps=[])
    assert a.remote_open[9] == 0 and len(a.remote_open) == 10
    spk.wait(lambda: spk.is_up("a"))
    assert spk.detail("a").in_use == {"ipv4"} and spk.peers["a"].flaps == 0
    a.send(message(UPDATE, raw_peer.update_body(raw_peer.path_attrs([65001, 23456], "10.0.0.10", as4=False),
                                                ["192.168.0.0/16"])))
    spk.wait(lambda: "192.168.0.0/16" in spk.routes)
    until(lambda: "10.0.0.0/16" in a.routes() and a.rib["10.0.0.0/16"].as_path == [65515])
    # The next session is tried with capabilities again.
    a.close_connection()
    a.accept()
    assert a.expect(OPEN).body[9] > 0


def test_connect_is_retried(spk, raw):
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001)], connect_retry_ms=100)
    spk.wait(lambda: "a" in spk.peers and "refused" in spk.peers["a"].last_error)
    spk.wait(lambda: spk.agent_requests >= 3)
    raw("a").listen().accept().establish()
    spk.wait(lambda: spk.is_up("a"))


def test_agent_without_sockets(spk):
    spk.agent_refuses = True
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001)], connect_retry_ms=100)
    spk.wait(lambda: "a" in spk.peers and "no socket" in spk.peers["a"].last_error)


@pytest.mark.parametrize("router_id,keeps_ours", [("10.0.0.1", True), ("10.0.0.200", False)])
def test_collision(spk, net, router_id, keeps_ours):
    with RawPeer(65001, "10.0.0.10", "10.0.0.4", router_id=router_id, netns=net.nva) as out, \
            RawPeer(65001, "10.0.0.10", "10.0.0.4", router_id=router_id, netns=net.nva) as inc:
        out.listen()
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001)])
        out.accept()
        inc.connect()
        for p in (out, inc):
            p.expect(OPEN)
        out.send_open()
        out.expect(KEEPALIVE)
        inc.send_open()
        winner, loser = (out, inc) if keeps_ours else (inc, out)
        note = loser.expect(NOTIFICATION)
        assert (note.code, note.subcode) == (6, 7)
        loser.expect_closed()
        if not keeps_ours:
            winner.expect(KEEPALIVE)
        winner.keepalive()
        spk.wait(lambda: spk.is_up("a"))
        winner.update(["192.168.0.0/16"])
        spk.wait(lambda: "192.168.0.0/16" in spk.routes)


def test_collision_that_the_peer_decides_late(spk, net):
    """BIRD has both KEEPALIVEs but for our own on its way when our OPEN comes to it on the connection that it opened, whose
    identifier is for that one: it closes the other one. There we have all that Established needs."""
    with RawPeer(65001, "10.0.0.10", "10.0.0.4", router_id="10.0.0.200", netns=net.nva) as out, \
            RawPeer(65001, "10.0.0.10", "10.0.0.4", router_id="10.0.0.200", netns=net.nva) as inc:
        out.listen()
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001)])
        out.accept()
        inc.connect()
        for p in (out, inc):
            p.expect(OPEN)
        out.send_open()
        out.keepalive()
        out.expect(KEEPALIVE)
        inc.send_open()
        inc.expect(KEEPALIVE)
        out.send(message(NOTIFICATION, bytes([6, 7])))
        inc.keepalive()
        spk.wait(lambda: spk.is_up("a"))
        inc.update(["192.168.0.0/16"])
        spk.wait(lambda: "192.168.0.0/16" in spk.routes)
        assert spk.peers["a"].flaps == 0 and spk.peers["a"].last_error == ""


def test_route_refresh(spk, raw):
    a, b = both_up(spk, raw)
    until(lambda: len(b.routes()) == 2)
    b.rib.clear()
    b.refresh()
    until(lambda: set(b.routes()) == set(VNET))
    spk.refresh("a")
    assert a.expect(REFRESH).body == b"\0\1\0\1"


def test_clear(spk, raw):
    a, b = both_up(spk, raw)
    spk.clear("a")
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode) == (6, 4)
    a.connect().establish()
    spk.wait(lambda: spk.is_up("a") and spk.peers["a"].flaps == 1)
    assert spk.peers["b"].flaps == 0


def test_configuration_changes_touch_only_what_changed(spk, raw):
    a, b = both_up(spk, raw)
    spk.configure(peers=[A, B], locals=VNET + ["10.2.0.0/16"])
    until(lambda: "10.2.0.0/16" in a.routes() and "10.2.0.0/16" in b.routes())
    spk.configure(peers=[B], locals=["10.2.0.0/16"])
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode) == (6, 3)
    until(lambda: set(b.routes()) == {"10.2.0.0/16"})
    spk.configure(peers=[Peer("b", "10.0.0.11", 65002, passive=True, shutdown=True)])
    note = b.expect(NOTIFICATION)
    assert (note.code, note.subcode) == (6, 2)
    spk.wait(lambda: not spk.is_up("b"))


def test_new_controller_is_told_everything(spk, raw):
    a, b = both_up(spk, raw)
    a.update([f"192.168.{i}.0/24" for i in range(100)])
    spk.wait(lambda: len(spk.routes) == 100)
    spk.wait(lambda: spk.converged)
    spk.hello()
    assert len(spk.routes) == 100 and spk.synced[:2] == (100, 2) and spk.is_up("a") and spk.is_up("b")
    spk.configure(peers=[A, B], locals=VNET)
    spk.wait(lambda: spk.converged)
    assert spk.peers["a"].flaps == 0
    # What an earlier controller left in the socket is passed over.
    spk.send(ACTION, 1, S_ACTION.pack(1, b"a", b""), generation=1)
    assert spk.learned("a") and spk.is_up("a")


def test_converged(spk, raw):
    spk.configure(peers=[A, Peer("off", "10.0.0.12", 65012, shutdown=True)])
    a = raw("a").connect().establish()
    begin = time.monotonic()
    spk.wait(lambda: spk.is_up("a"))
    assert not spk.converged
    a.send(message(UPDATE, b"\0\0\0\0"))  # End-of-RIB of IPv4; none for IPv6: quiet for a while
    spk.wait(lambda: spk.converged)
    assert spk.peers["a"].eor and time.monotonic() - begin > 1.5


def test_termination(spk, raw):
    a, b = both_up(spk, raw)
    assert spk.terminate() == 0
    for p in (a, b):
        note = p.expect(NOTIFICATION)
        assert (note.code, note.subcode) == (6, 2)


def test_agent_gone(spk):
    spk.agent.shutdown(2)
    assert spk.process.wait(5 * PATIENCE) == 0


def test_malformed_controller_message_ends_the_speaker(spk):
    spk.send(4, count=7, body=b"short")
    assert spk.process.wait(5 * PATIENCE) == 1
    assert "refused" in spk.logged()


def test_slow_controller_holds_the_peers_back_and_loses_nothing(spk, raw):
    """The controller reads nothing while 60,000 routes come; then it must hear of each."""
    chunks = [[f"{x}.{y}.{z}.0/24" for z in range(256)] for x in (20, 21) for y in range(117)]
    body = b"".join(message(UPDATE, raw_peer.update_body(raw_peer.path_attrs([65001], "10.0.0.10"), c)) for c in chunks)
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True, max_prefixes=0, hold=3, keepalive=1)])
    a = raw("a").connect().establish(hold=3)  # and from now on there is no time to lose
    spk.wait(lambda: spk.is_up("a"))
    all_heard = threading.Event()

    def say():  # as fast as it is taken; then it lives on
        a.send(body)
        while not all_heard.wait(0.5):
            a.keepalive()

    a.sock.settimeout(None)
    sender = threading.Thread(target=say, daemon=True)
    sender.start()
    try:
        time.sleep(4)  # longer than the hold time
        spk.wait(lambda: len(spk.routes) == 2 * 117 * 256, 30)
    finally:
        all_heard.set()
        sender.join(10)
    assert spk.peers["a"].flaps == 0


def test_without_privileges(net, raw):
    """As the agent starts it: another user, no capabilities. Both ways of opening work on the sockets it is given."""
    nobody = 65534
    if subprocess.run(["setpriv", f"--reuid={nobody}", "--clear-groups", "test", "-x", BIN / "vnrs-speaker"]).returncode:
        pytest.skip("the program cannot be reached by another user")
    with Speaker(net, uid=nobody) as spk:
        a = raw("a").listen()
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001), B], locals=VNET)
        a.accept().establish()
        raw("b").connect().establish()
        spk.wait(lambda: spk.is_up("a") and spk.is_up("b"))
        assert os.stat(f"/proc/{spk.process.pid}").st_uid in (nobody, 0)  # 0: not dumpable
        check_sandbox(spk)


def test_sandbox(spk):
    check_sandbox(spk)


def check_sandbox(spk):
    status = pathlib.Path(f"/proc/{spk.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1" and int(fields["CapEff"], 16) == 0 and int(fields["CapPrm"], 16) == 0
    if b"__asan" not in (BIN / "vnrs-speaker").read_bytes():
        assert fields["Seccomp"] == "2"


# --- FRR and BIRD

@pytest.mark.parametrize("opener", ["speaker", "peer", "both"])
def test_frr_and_bird(spk, net, tmp_path, opener):
    dirs = directories(tmp_path)
    we_wait, they_wait = opener == "peer", opener == "speaker"
    daemons = [frr(net, dirs["frr"], they_wait), bird(net, dirs["bird"], they_wait, timers=(2, 6))]
    try:
        spk.configure(locals=VNET, peers=[Peer("frr", "10.0.0.12", 65012, passive=we_wait),
                                          Peer("bird", "10.0.0.13", 65013, passive=we_wait)])
        spk.wait(lambda: spk.is_up("frr") and spk.is_up("bird"), 30)
        assert spk.peers["frr"].hold == 60 and spk.peers["bird"].hold == 6 and spk.peers["frr"].remote_asn == 65012
        spk.wait(lambda: spk.hops("172.31.0.0/16") == ["10.0.0.12", "10.0.0.13"])
        spk.wait(lambda: spk.hops("192.168.12.0/24") == ["10.0.0.12"] and spk.hops("192.168.13.0/24") == ["10.0.0.13"])
        spk.wait(lambda: spk.converged)
        until(lambda: "65515 65013 i" in vtysh(dirs["frr"], "show bgp ipv4 unicast 192.168.13.0/24").replace(
            "65515 65013\n", "65515 65013 i\n"))
        until(lambda: "AS65012i" in birdc(dirs["bird"], "show", "route", "192.168.12.0/24", "all"))
        seen = birdc(dirs["bird"], "show", "route", "192.168.12.0/24", "all")
        assert "65515 65012" in seen and "next_hop: 10.0.0.4" in seen and "(65517,65517)" in seen
        assert "10.1.0.0/16" in vtysh(dirs["frr"], "show bgp ipv4 unicast")
        # Withdraw, on either side.
        vtysh(dirs["frr"], "configure terminal", "router bgp 65012", "address-family ipv4 unicast",
              "no network 172.31.0.0/16")
        spk.wait(lambda: spk.hops("172.31.0.0/16") == ["10.0.0.13"])
        birdc(dirs["bird"], "disable", '"s?"')
        spk.wait(lambda: "172.31.0.0/16" not in spk.routes and "192.168.13.0/24" not in spk.routes)
        until(lambda: "192.168.13.0" not in vtysh(dirs["frr"], "show bgp ipv4 unicast"))
        # Refresh both ways.
        spk.refresh("frr")
        vtysh(dirs["frr"], "clear bgp 10.0.0.4 soft in")
        spk.wait(lambda: spk.hops("192.168.12.0/24") == ["10.0.0.12"])
        # A peer that is frozen goes with the hold timer, one that is killed at once.
        pid = int((dirs["bird"] / "bird.pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        spk.wait(lambda: not spk.is_up("bird"))
        assert spk.peers["bird"].last_error == "sent NOTIFICATION: hold timer expired" and spk.is_up("frr")
        os.kill(pid, signal.SIGCONT)
        os.kill(int((dirs["frr"] / "bgpd.pid").read_text()), signal.SIGKILL)
        spk.wait(lambda: not spk.is_up("frr"))
        spk.wait(lambda: not spk.routes)
    finally:
        stop(daemons)
