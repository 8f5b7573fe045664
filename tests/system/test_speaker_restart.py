# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs-speaker with what goes beyond Azure's Route Server: graceful restart, enhanced refresh, extended messages. The
namespaces and addresses are those of test_speaker.py."""
import dataclasses
import os
import struct
import time

import pytest

import raw_peer
from bgp_daemons import bird, birdc, directories, frr, stop, vtysh
from patience import PATIENCE
from raw_peer import NOTIFICATION, REFRESH, UPDATE, RawPeer, capability, message, mp
from speaker_harness import (BIN, ENHANCED_REFRESH, EXTENDED_MESSAGES, FORWARDING_KEPT, GRACEFUL_RESTART, RESTARTED,
                             Clock, Net, Peer, Speaker)

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

ALL = EXTENDED_MESSAGES | ENHANCED_REFRESH | GRACEFUL_RESTART
A = Peer("a", "10.0.0.10", 65001, passive=True)
B = Peer("b", "10.0.0.11", 65002, passive=True)
FRR, BIRD = Peer("frr", "10.0.0.12", 65012), Peer("bird", "10.0.0.13", 65013)
# They alone open sessions where the other connection of a collision would matter: one that comes late is taken for one more
# restart, with which what was stale goes (RFC 4724 4.2), and they forget why a session ended once its next one collides.
OPENERS = [dataclasses.replace(p, passive=True) for p in (FRR, BIRD)]
VNET = ["10.0.0.0/16"]
EOR = message(UPDATE, b"\0\0\0\0")


@pytest.fixture
def net():
    with Net() as n:
        yield n


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def spk(net, clock):
    with Speaker(net, env=clock.env) as s:
        yield s


@pytest.fixture
def raw(net):
    made = []

    def make(which="a"):
        asn, addr = {"a": (65001, "10.0.0.10"), "b": (65002, "10.0.0.11")}[which]
        made.append(RawPeer(asn, addr, "10.0.0.4", netns=net.nva))
        return made[-1]

    yield make
    for p in made:
        p.close()


def caps(asn, restart=None, flags=0, forwarding=True, extended=False, enhanced=False):
    """restart: seconds, None for no graceful restart; flags: 8 restarted, 4 notifications."""
    out = [mp(1), capability(2), capability(65, struct.pack("!I", asn))]
    if restart is not None:
        out.append(capability(64, struct.pack("!HHBB", flags << 12 | restart, 1, 1, 0x80 if forwarding else 0)))
    return out + ([capability(6)] if extended else []) + ([capability(70)] if enhanced else [])


def until(check, timeout=15, what="condition"):
    deadline = time.monotonic() + timeout * PATIENCE
    while not check():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.05)


# --- scripted peer

def test_peer_restarts(spk, raw, clock):
    spk.configure(peers=[A, B], locals=VNET, features=GRACEFUL_RESTART)
    a, b = raw("a"), raw("b").connect().establish()
    a.connect().establish(caps=caps(65001, 10))
    a.update(["192.168.1.0/24", "192.168.2.0/24"])
    a.send(EOR)
    spk.wait(lambda: len(spk.routes) == 2)
    until(lambda: len(b.routes()) == 3)
    a.close_connection()
    spk.wait(lambda: not spk.is_up("a") and spk.peers["a"].stale)
    assert {p.note for p in spk.learned("a")} == {"stale: the peer restarts"} and len(spk.routes) == 2
    a.connect().establish(caps=caps(65001, 10, flags=8))
    a.update(["192.168.2.0/24"])
    assert len(spk.learned("a")) == 2
    a.send(EOR)
    spk.wait(lambda: set(spk.routes) == {"192.168.2.0/24"} and not spk.peers["a"].stale)
    until(lambda: set(b.routes()) == {"192.168.2.0/24", "10.0.0.0/16"})
    # It goes for good.
    a.close_connection()
    spk.wait(lambda: not spk.is_up("a"))
    clock.forward(8)
    assert len(spk.learned("a")) == 1 and spk.peers["a"].stale
    clock.forward(2)
    spk.wait(lambda: not spk.routes)


def test_notification_keeps_routes_only_where_both_said_so(spk, raw):
    spk.configure(peers=[A], features=GRACEFUL_RESTART)
    a = raw("a").connect().establish(caps=caps(65001, 60, flags=4))
    a.update(["192.168.1.0/24"])
    spk.wait(lambda: spk.routes)
    a.send(message(NOTIFICATION, b"\x06\x04"))
    spk.wait(lambda: not spk.is_up("a") and spk.peers["a"].stale)
    assert spk.routes
    a.connect().establish(caps=caps(65001, 60, flags=12))
    a.send(message(NOTIFICATION, b"\x06\x09\x06\x02\x03bye"))
    spk.wait(lambda: not spk.routes)
    assert spk.peers["a"].last_error == ("peer sent NOTIFICATION: Cease, hard reset: Cease, administrative shutdown "
                                         "(bye)")
    a.connect().establish(caps=caps(65001, 60, flags=4))
    spk.wait(lambda: spk.is_up("a"))
    spk.clear("a", "Wartung bis 7 Uhr, grüß Gott")
    note = a.expect(NOTIFICATION)
    assert (note.code, note.subcode, note.data[:2]) == (6, 9, b"\x06\x04")
    assert note.data[3:].decode() == "Wartung bis 7 Uhr, grüß Gott" and note.data[2] == len(note.data) - 3


def test_extended_messages(spk, raw):
    spk.configure(peers=[Peer("a", "10.0.0.10", 65001, passive=True, max_prefixes=0), B], features=EXTENDED_MESSAGES)
    a = raw("a").connect().establish(caps=caps(65001, extended=True))
    b = raw("b").connect().establish(caps=caps(65002, extended=True))
    assert capability(6)[2:] in a.remote_open
    nlri = [f"20.{y}.{z}.0/24" for y in range(62) for z in range(256)]
    a.update(nlri)  # 63 kB
    spk.wait(lambda: len(spk.routes) == len(nlri))
    longest = 0
    while len(b.rib) < len(nlri):
        msg = b.recv()
        longest = max(longest, len(msg.body) + 19)
    assert longest > 4096
    a.withdraw(nlri)
    until(lambda: not b.routes())


def test_enhanced_refresh(spk, raw):
    spk.configure(peers=[A, B], locals=VNET, features=ENHANCED_REFRESH)
    a = raw("a").connect().establish(caps=caps(65001, enhanced=True))
    a.update(["192.168.1.0/24", "192.168.2.0/24"])
    spk.wait(lambda: len(spk.routes) == 2)
    spk.refresh("a")
    assert a.expect(REFRESH).body == b"\0\1\0\1"
    a.refresh(subtype=1)
    a.update(["192.168.1.0/24"])
    assert len(spk.learned("a")) == 2
    a.refresh(subtype=2)
    spk.wait(lambda: set(spk.routes) == {"192.168.1.0/24"})
    a.refresh()
    assert a.expect(REFRESH).body == b"\0\1\1\1"
    assert a.expect(UPDATE).decode()[2] == VNET
    assert a.expect(REFRESH).body == b"\0\1\2\1"


# --- FRR and BIRD

def seen_by(dirs, prefix):
    """Which of the two daemons have a route to the prefix."""
    return {name for name, there in (
        ("frr", "10.0.0.4" in vtysh(dirs["frr"], f"show bgp ipv4 unicast {prefix}")),
        ("bird", "via 10.0.0.4" in birdc(dirs["bird"], "show", "route", prefix) or "unreachable" in
         birdc(dirs["bird"], "show", "route", prefix))) if there}


def frr_gr(net, dirs):
    return frr(net, dirs["frr"], False, "bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n"
               " bgp graceful-restart restart-time 20\n bgp graceful-restart select-defer-time 5")


def bird_gr(net, dirs):
    return bird(net, dirs["bird"], False, "graceful restart on; graceful restart time 20; enable extended messages on;")


def both_up(spk):
    spk.wait(lambda: spk.is_up("frr") and spk.is_up("bird"), 30)
    spk.wait(lambda: spk.hops("192.168.12.0/24") == ["10.0.0.12"] and spk.hops("192.168.13.0/24") == ["10.0.0.13"])


def test_speaker_restarts(net, tmp_path):
    """It is killed; neither peer loses a route, and what is gone when it is back goes with its End-of-RIB."""
    dirs = directories(tmp_path)
    daemons = [frr_gr(net, dirs), bird_gr(net, dirs)]
    everybody = {"frr", "bird"}
    try:
        with Speaker(net) as spk:
            spk.configure(locals=["10.1.0.0/16", "10.2.0.0/16"], peers=[FRR, BIRD], features=ALL, restart_s=20)
            both_up(spk)
            until(lambda: seen_by(dirs, "10.1.0.0/16") == seen_by(dirs, "10.2.0.0/16") == everybody)
            time.sleep(1)  # End-of-RIB of all
            spk.process.kill()
            spk.process.wait()
            time.sleep(1)
            assert seen_by(dirs, "10.1.0.0/16") == everybody
        with Speaker(net) as spk:
            spk.configure(locals=["10.1.0.0/16"], peers=[FRR, BIRD], features=ALL, restart_s=20,
                          restart=RESTARTED | FORWARDING_KEPT)
            begin = time.monotonic()
            while not spk.converged or time.monotonic() - begin < 3:
                assert seen_by(dirs, "10.1.0.0/16") == everybody
                assert time.monotonic() - begin < 30 * PATIENCE
                spk.pump(0.02)
            both_up(spk)
            until(lambda: not seen_by(dirs, "10.2.0.0/16"))
            assert seen_by(dirs, "10.1.0.0/16") == everybody
    finally:
        stop(daemons)


def test_frr_and_bird_restart(spk, net, tmp_path):
    """They are killed; the speaker loses none of their routes, nor tells the other that they are gone."""
    dirs = directories(tmp_path)
    daemons = [frr_gr(net, dirs), bird_gr(net, dirs)]
    try:
        spk.configure(locals=VNET, peers=OPENERS, features=ALL)
        both_up(spk)
        spk.wait(lambda: spk.peers["frr"].eor and spk.peers["bird"].eor)
        for name, prefix, other in (("frr", "192.168.12.0/24", "bird"), ("bird", "192.168.13.0/24", "frr")):
            i = ("frr", "bird").index(name)
            until(lambda: seen_by(dirs, prefix) >= {other})
            daemons[i].die()
            spk.wait(lambda: not spk.is_up(name))
            assert spk.peers[name].stale and prefix in spk.routes
            daemons[i].start()
            begin = time.monotonic()
            while not spk.is_up(name) or spk.peers[name].stale:
                spk.pump(0.02)
                assert prefix in spk.routes and time.monotonic() - begin < 40 * PATIENCE, spk.peers[name].last_error
            spk.pump(0.5)
            assert prefix in spk.routes
    finally:
        stop(daemons)


def test_refresh_shutdown_text_and_capabilities(spk, net, tmp_path):
    dirs = directories(tmp_path)
    daemons = [frr_gr(net, dirs), bird_gr(net, dirs)]
    try:
        spk.configure(locals=VNET, peers=OPENERS, features=ALL)
        both_up(spk)
        shown = vtysh(dirs["frr"], "show bgp neighbors 10.0.0.4")
        assert "Enhanced Route Refresh: advertised and received" in shown
        assert "Graceful Restart Capability: advertised and received" in shown
        assert "Extended Message: advertised and received" in shown
        shown = birdc(dirs["bird"], "show", "protocols", "all", "azure")
        assert "Enhanced refresh" in shown and "Extended message" in shown
        spk.refresh()
        birdc(dirs["bird"], "reload", "in", "azure")
        vtysh(dirs["frr"], "clear bgp 10.0.0.4 soft in")
        spk.pump(1)
        both_up(spk)
        assert seen_by(dirs, "10.0.0.0/16") == {"frr", "bird"} and spk.peers["frr"].flaps == 0
        birdc(dirs["bird"], "disable", "azure", '"BIRD wird gewartet"')
        spk.wait(lambda: "BIRD wird gewartet" in spk.peers["bird"].last_error)
        vtysh(dirs["frr"], "configure terminal", "router bgp 65012", "neighbor 10.0.0.4 shutdown message FRR ist müde")
        spk.wait(lambda: "FRR ist müde" in spk.peers["frr"].last_error)
        spk.wait(lambda: not spk.routes)
        vtysh(dirs["frr"], "configure terminal", "router bgp 65012", "no neighbor 10.0.0.4 shutdown")
        birdc(dirs["bird"], "enable", "azure")
        both_up(spk)
        spk.clear("", "Pause – bis gleich")
        until(lambda: "Pause – bis gleich" in birdc(dirs["bird"], "show", "protocols", "all", "azure"))
        until(lambda: "Notification received (Cease/Administrative Reset/Hard Reset)" in
              vtysh(dirs["frr"], "show bgp neighbors 10.0.0.4"))
    finally:
        stop(daemons)
