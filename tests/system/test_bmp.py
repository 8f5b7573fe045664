# SPDX-License-Identifier: GPL-2.0-or-later
"""What a monitoring station hears of a speaker with real and scripted peers.

    net.rs  10.0.0.4   vnrs-speaker (AS 65515)
       │ veth
    net.nva 10.0.0.11  FRR | BIRD (AS 4200000001)
            10.0.0.10  raw peer   (AS 65001)
            10.0.0.14  station, port 11019
"""
import contextlib
import os
import re
import socket
import struct
import time

import pytest

import bgp_daemons
from bmp_station import LOC, Station
from conftest import example, until
from raw_peer import (NOTIFICATION, UPDATE, RawPeer, attr, capability, message, mp, open_body, path_attrs,
                      update_body)
from speaker_harness import (BIN, BMP_ADJ_RIB_OUT, BMP_LOC_RIB, BMP_POST_POLICY, BMP_PRE_POLICY, GRACEFUL_RESTART, Clock,
                             Net, Peer, Speaker, sh)
from test_interop import ASN, LOCALS, THEIRS, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")
ALL = BMP_PRE_POLICY | BMP_POST_POLICY | BMP_LOC_RIB | BMP_ADJ_RIB_OUT
PORT = 11019
STATION = ("10.0.0.14", PORT, ALL)


def is_told(st, *peers, views=("pre", "post", "out"), family=4):
    """End-of-RIB of everything."""
    return st.eors >= {(v, p, family) for p in peers for v in views} | {(LOC, None, family)}


@contextlib.contextmanager
def watched(lab, *stations):
    """The lab's speaker with stations; all are listened to while something is waited for."""
    lab.configure(stations=stations or [STATION])
    with Station(lab.net.nva, "10.0.0.14", PORT) as station:
        def wait(check, what, timeout=20):
            lab.spk.wait(lambda: (station.pump(), check())[1], timeout, what)
        yield station, wait


@pytest.mark.parametrize("daemon,family", [(bgp_daemons.Frr, 4), (bgp_daemons.Bird, 4), (bgp_daemons.Bird, 6)],
                         ids=lambda v: getattr(v, "name", v))
def test_real_peers(daemon, family):
    with Lab(daemon, family=family) as lab:
        raw, them = lab.addr[1], lab.addr[2]
        if family == 4:
            lab.raw.update(["10.50.0.0/16", "192.168.1.0/24"], as_path=[65001, 70000, 70001], med=9,
                           communities=["65001:1"])
            ours = {"10.50.0.0/16", "192.168.1.0/24"}
        else:
            ours = set()
        lab.wait(lambda: len(lab.spk.routes) >= 4, "their routes")
        theirs, locals_ = set(THEIRS[family]), set(LOCALS[family])
        with watched(lab) as (st, wait):
            wait(lambda: is_told(st, raw, them, family=family), "every End-of-RIB")
            assert st.name == "test/0" and set(st.peers) == {raw, them, LOC}
            assert st.peers[them]["asn"] == ASN and st.peers[them]["id"] == "10.0.0.11"
            assert st.peers[LOC]["asn"] == 65515 and st.peers[LOC]["table"] == "test/0"
            assert st.peers[raw]["received"] == open_body(65001, router_id=lab.raw.router_id)
            assert st.peers[raw]["sent"][:3] == bytes([4, 0xff, 0xeb])
            for view in ("pre", "post"):
                wait(lambda: set(st.rib(view, raw)) == ours and set(st.rib(view, them)) == theirs, f"{view}-policy")
            wait(lambda: set(st.rib(LOC)) == ours | theirs | locals_, "Loc-RIB")
            if family == 4:
                wait(lambda: set(st.rib("out", raw)) == theirs | locals_, "what raw was told")
                wait(lambda: set(st.rib("out", them)) == ours - theirs | locals_, "what they were told")
                got = st.rib("pre", raw)["10.50.0.0/16"]
                assert (got.as_path, got.med, got.communities) == ([65001, 70000, 70001], 9, ["65001:1"])
                told = st.rib("out", them)["10.50.0.0/16"]
                assert told.as_path == [65515, 65001, 70000, 70001] and told.nexthop == "10.0.0.4"
                assert told.med is None and "65517:65517" in told.communities
                assert st.rib(LOC)["192.168.1.0/24"].as_path == [ASN]
            # A withdrawal, everywhere.
            gone = THEIRS[family][1]
            lab.them.withdraw(gone)
            wait(lambda: gone not in st.rib("pre", them) and gone not in st.rib("post", them)
                 and gone not in st.rib(LOC) and gone not in st.rib("out", raw), "the withdrawal")
            # The daemon ends its session with words.
            if daemon.shut_text:
                lab.them.shut("going home")
                wait(lambda: st.downs, "Peer Down")
                assert st.downs[0][:2] == (them, 3) and st.downs[0][2][0] == 6
                wait(lambda: set(st.rib(LOC)) == ours | locals_, "what is left")


def test_changes_are_told_newest():
    with Net("vbmp") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=["10.0.0.0/16"], stations=[STATION])
        with Station(net.nva, "10.0.0.14", PORT) as st, RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw:
            def wait(check, what):
                spk.wait(lambda: (st.pump(), check())[1], 20, what)
            wait(lambda: LOC in st.peers, "the station is connected")
            assert set(st.peers) == {LOC}
            raw.connect().establish()
            wait(lambda: ("pre", "10.0.0.10", 4) in st.eors, "Peer Up and the end of nothing")
            raw.update(["10.50.0.0/16", "10.51.0.0/16", "10.0.7.0/24"])
            wait(lambda: len(st.rib("pre", "10.0.0.10")) == 3, "three routes")
            # One of the virtual network's range may not be used: before policy only.
            wait(lambda: set(st.rib("post", "10.0.0.10")) == {"10.50.0.0/16", "10.51.0.0/16"}, "two of use")
            wait(lambda: set(st.rib(LOC)) == {"10.50.0.0/16", "10.51.0.0/16", "10.0.0.0/16"}, "Loc-RIB")
            raw.update(["10.50.0.0/16"], as_path=[65001, 7, 8])
            wait(lambda: st.rib("pre", "10.0.0.10")["10.50.0.0/16"].as_path == [65001, 7, 8]
                 and st.rib(LOC)["10.50.0.0/16"].as_path == [65001, 7, 8], "another path")
            raw.withdraw(["10.51.0.0/16"])
            wait(lambda: "10.51.0.0/16" not in st.rib(LOC) and "10.51.0.0/16" not in st.rib("pre", "10.0.0.10"), "gone")
            raw.send(message(UPDATE, update_body(attr(0x40, 1, b"\x09"), ["10.50.0.0/16"])))
            wait(lambda: st.mirrors and not st.rib("post", "10.0.0.10"), "treated as withdrawn")
            who, tlv = st.mirrors[0]
            assert who == "10.0.0.10" and tlv[0] == (1, b"\0\0")
            assert tlv[1] == (0, message(UPDATE, update_body(attr(0x40, 1, b"\x09"), ["10.50.0.0/16"])))


@pytest.mark.parametrize("how,reason", [("notification", 3), ("close", 4), ("clear", 1), ("removed", 1),
                                        ("hold", 1), ("reconnect", 2)])
def test_peer_down_reasons(how, reason):
    features = GRACEFUL_RESTART if how == "reconnect" else 0
    peer = Peer("raw", "10.0.0.10", 65001, passive=True, hold=3 if how == "hold" else 180)
    with Net("vbmp") as net, Speaker(net) as spk, Station(net.nva, "10.0.0.14", PORT) as st:
        def wait(check, what):
            spk.wait(lambda: (st.pump(), check())[1], 20, what)
        config = dict(locals=["10.0.0.0/16"], stations=[STATION], features=features)
        spk.configure(peers=[peer], **config)
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw:
            gr = bytes([2, 8, 64, 6]) + bytes.fromhex("007800010180") if how == "reconnect" else b""
            caps = [mp(1), mp(2), capability(2), capability(65, struct.pack("!I", 65001))] + ([gr] if gr else [])
            raw.connect().establish(hold=3 if how == "hold" else 180, caps=caps)
            raw.update(["10.50.0.0/16"])
            wait(lambda: st.rib("pre", "10.0.0.10"), "a route")
            if how == "notification":
                raw.send(message(NOTIFICATION, b"\x06\x04\x05lunch"))
            elif how == "close":
                raw.close_connection()
            elif how == "clear":
                spk.clear("raw", "bye")
            elif how == "removed":
                spk.configure(peers=[], **config)
            elif how == "reconnect":
                time.sleep(1.1)  # a second connection in a session's first second may be a collision
                second = RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva)
                second.connect()
            wait(lambda: st.downs, "Peer Down")
            who, got, data = st.downs[0]
            assert (who, got) == ("10.0.0.10", reason)
            expected = {"notification": (6, 4, b"\x05lunch"), "clear": (6, 4, b"\x03bye"), "removed": (6, 3, b""),
                        "hold": (4, 0, b""), "close": b"", "reconnect": 17}[how]
            assert data == expected
            if how == "reconnect":
                second.establish(hold=180, caps=caps)
                wait(lambda: st.ups.count("10.0.0.10") == 2, "up again")
                wait(lambda: "10.50.0.0/16" in st.rib("pre", "10.0.0.10"), "what was retained is told again")
                second.close()


def test_station_restarts():
    with Net("vbmp") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=["10.0.0.0/16"],
                      stations=[("10.0.0.14", PORT, BMP_PRE_POLICY | BMP_LOC_RIB, 1)])
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw:
            raw.connect().establish()
            raw.update([f"10.50.{i}.0/24" for i in range(100)])
            spk.wait(lambda: len(spk.routes) == 100)
            for round in range(2):  # the first connection is refused, too
                with Station(net.nva, "10.0.0.14", PORT) as st:
                    spk.wait(lambda: (st.pump(), is_told(st, "10.0.0.10", views=["pre"]))[1], 20, "everything")
                    assert len(st.rib("pre", "10.0.0.10")) == 100 and len(st.rib(LOC)) == 101
                    assert set(st.ribs) == {("pre", "10.0.0.10"), (LOC, None)}
                    raw.update([f"10.60.{round}.0/24"], as_path=[65001, round + 1])
                    spk.wait(lambda: (st.pump(), f"10.60.{round}.0/24" in st.rib(LOC))[1], 20, "news")
                    raw.withdraw([f"10.60.{round}.0/24"])
                    spk.wait(lambda: (st.pump(), f"10.60.{round}.0/24" not in st.rib(LOC))[1], 20, "news")
                    spk.wait(lambda: (st.pump(), "10.0.0.10" in st.stats and LOC in st.stats)[1], 20, "statistics")
                    spk.wait(lambda: (st.pump(), st.stats["10.0.0.10"][7] == 100 and st.stats[LOC][8] == 101)[1], 20)
                    assert st.stats["10.0.0.10"][15] == 1
                    st.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
            # It is taken out of the configuration: a last word.
            with Station(net.nva, "10.0.0.14", PORT) as st:
                spk.wait(lambda: (st.pump(), is_told(st, "10.0.0.10", views=["pre"]))[1], 20, "everything")
                spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=["10.0.0.0/16"])
                spk.wait(lambda: (st.pump(), st.terminated is not None and not st.conn)[1], 20, "Termination")
                assert st.terminated == 0
            assert spk.is_up("raw") and spk.peers["raw"].flaps == 0


def test_two_stations_and_the_end():
    stations = [("10.0.0.14", PORT, BMP_PRE_POLICY), ("10.0.0.13", 5000, BMP_LOC_RIB)]
    with Net("vbmp") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=["10.0.0.0/16"], stations=stations)
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw, \
                Station(net.nva, "10.0.0.14", PORT) as a, Station(net.nva, "10.0.0.13", 5000) as b:
            raw.connect().establish()
            raw.update(["10.50.0.0/16"])
            spk.wait(lambda: (a.pump(), b.pump(), a.ribs and len(b.rib(LOC)) == 2)[2], 20, "both")
            assert set(a.ribs) == {("pre", "10.0.0.10")} and set(b.ribs) == {(LOC, None)}
            assert set(b.peers) == {LOC, "10.0.0.10"}
            assert spk.terminate() == 0
            a.pump(), b.pump()
            assert a.terminated == 0 and b.terminated == 0
            assert a.downs == [("10.0.0.10", 1, (6, 2, b"\x17the instance is stopped"))]


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def test_station_that_never_reads(tmp_path):
    """BGP goes on as if it were not there, memory is bounded, and it is dropped in the end."""
    clock = Clock(tmp_path)
    with Net("vbmp") as net, Speaker(net, env=clock.env) as spk:
        for ns in (net.rs, net.nva):  # what waits, waits here and not in the kernel
            sh("ip", "netns", "exec", ns, "sysctl", "-qw", "net.ipv4.tcp_wmem=4096 16384 32768",
               "net.ipv4.tcp_rmem=4096 16384 32768")
        peers = [Peer("raw", "10.0.0.10", 65001, passive=True, max_prefixes=0),
                 Peer("two", "10.0.0.11", 65002, passive=True, max_prefixes=0)]
        spk.configure(peers=peers, locals=["10.0.0.0/16"], stations=[STATION])
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw, \
                RawPeer(65002, "10.0.0.11", "10.0.0.4", netns=net.nva) as two, \
                Station(net.nva, "10.0.0.14", PORT) as st:
            raw.connect().establish()
            two.connect().establish()
            spk.wait(lambda: (st.pump(), st.connections == 1 and is_told(st, "10.0.0.10", "10.0.0.11"))[1], 20, "the station")
            pid, small = spk.speaker_pid, None
            bulk = attr(0xC0, 8, b"\xfd\xe9\0\1" * 800)  # so that what is told is much
            for round in range(12):
                for i in range(0, 1000, 10):
                    raw.send(message(UPDATE, update_body(
                        path_attrs([65001, 3000 + round, i + 1], "10.0.0.10") + bulk,
                        [f"20.{(i + j) // 256}.{(i + j) % 256}.0/24" for j in range(10)])))
                spk.wait(lambda: any(r.as_path.startswith(f"65001-{3000 + round}-") for r in spk.rib("20.3.231.0/24")), 20)
                if round == 3:
                    small = rss_kib(pid)
            assert rss_kib(pid) < small + 4096
            told = {}

            def second_has_all():
                told.update(two.routes(0.05))
                return len(told) >= 1001
            spk.wait(second_has_all, 20, "the other peer's routes")
            assert spk.is_up("raw") and spk.is_up("two")
            # It stalls: dropped, and told anew when it reads again.
            clock.forward(30)
            spk.wait(lambda: "does not read" in spk.logged(), 60, "it is dropped")
            assert spk.is_up("raw") and spk.is_up("two") and spk.peers["raw"].flaps == 0
            st.close()
            spk.wait(lambda: (st.pump(), st.connections == 2 and is_told(st, "10.0.0.10", "10.0.0.11"))[1], 60, "told anew")
            assert len(st.rib("pre", "10.0.0.10")) == 1000 and len(st.rib("out", "10.0.0.11")) == 1001


def test_from_the_topology_file(make_lab):
    """Both instances connect to a machine of the lab; another file ends that."""
    text = example("hub-spoke.vnrs.yml", "bmp-lab")
    with_bmp = text.replace("    bgpConnections:\n", "    bmp: [{station: 10.0.3.4, ribs: [prePolicy, locRib, adjRibOut]}]\n"
                            "    bgpConnections:\n", 1)
    assert with_bmp != text
    lab = make_lab(with_bmp, "bmp-lab")
    lab.apply()
    with Station(lab.ns("vm-hub"), "10.0.3.4", PORT) as first, \
            Station(None, None, None, listener=first.listener) as second:
        until(lambda: (first.pump(), first.name)[1], 60, "one instance")
        until(lambda: (second.pump(), second.name)[1], 60, "the other one")
        assert {first.name, second.name} == {"bmp-lab/rs-0", "bmp-lab/rs-1"}
        for st in (first, second):
            until(lambda: (st.pump(), {LOC, "10.0.2.4", "10.0.2.5"} <= set(st.peers))[1], 60, "Peer Up of the NVAs")
            until(lambda: (st.pump(), "10.50.0.0/16" in st.rib(LOC))[1], 30, "a route")
            learned = {r["network"] for r in lab.get("learned-routes", "nva1")["RouteServiceRole_IN_0"]}
            until(lambda: (st.pump(), set(st.rib("pre", "10.0.2.4")) == learned)[1], 20, "what nva1 announced")
            advertised = {r["network"] for r in lab.get("advertised-routes", "nva1")["RouteServiceRole_IN_0"]}
            until(lambda: (st.pump(), set(st.rib("out", "10.0.2.4")) == advertised)[1], 20, "what nva1 was told")
        lab.file.write_text(text)
        lab.apply()
        until(lambda: (first.pump(), second.pump(), first.terminated == 0 and second.terminated == 0)[2], 20, "goodbye")
