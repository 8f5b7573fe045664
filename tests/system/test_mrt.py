# SPDX-License-Identifier: GPL-2.0-or-later
"""MRT dumps: read by bgpdump and GoBGP, replayed into another speaker, taken through the CLI.

The speaker, a routing daemon (10.0.0.11, AS 4200000001) and a raw peer (10.0.0.10, AS 65001), as in test_interop.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

import bgp_daemons
import mrt
from conftest import example, until
from raw_peer import KEEPALIVE, NOTIFICATION, OPEN, UPDATE, RawPeer, attr, message, parse_attrs, path_attrs, update_body
from speaker_harness import BIN, DUMP_TABLE, DUMP_UPDATES, EXTENDED_MESSAGES, Net, Peer, Speaker
from test_interop import ASN, LOCALS, THEIRS, WIRE_EXTENDED, WIRE_LARGE, Lab

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")
REPLAY = BIN.parent / "tests" / "bgp_replay"
ENOBUFS = 105


@pytest.fixture
def directory():
    path = tempfile.mkdtemp(prefix="vnrs-mrt-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def store(directory, name, raw):
    path = f"{directory}/{name}"
    with open(path, "wb") as f:
        f.write(raw)
    return path


def timeless(entries):
    return sorted((e.peer, e.asn, e.prefix, e.attrs) for e in entries)


@pytest.mark.parametrize("daemon,family", [(bgp_daemons.Frr, 4), (bgp_daemons.Frr, 6), (bgp_daemons.Bird, 4),
                                           (bgp_daemons.Bird, 6)], ids=lambda v: getattr(v, "name", v))
def test_table(daemon, family, directory):
    with Lab(daemon, family=family) as lab:
        lab.wait(lambda: len(lab.spk.routes) == 4, "their routes")
        raw = lab.spk.table("hub/rs-0")
        view, index, entries = mrt.table(raw)
        assert view == "hub/rs-0"
        assert index == [("0.0.0.0", 65515, "10.0.0.4"), (lab.addr[1], 65001, lab.raw.router_id),
                         (lab.addr[2], ASN, "10.0.0.11")]
        assert {(e.peer, e.prefix) for e in entries} == {(lab.addr[2], p) for p in THEIRS[family]} | {
            ("0.0.0.0", p) for p in LOCALS[family]}
        tagged = parse_attrs(mrt.without_mp_reach(next(e.attrs for e in entries if e.prefix == lab.tagged)))
        assert tagged.as_path == [ASN] and tagged.communities == ["65001:7"]
        assert (tagged.extended, tagged.large) == (WIRE_EXTENDED, WIRE_LARGE)
        lines = mrt.bgpdump(store(directory, "table", raw))
        if lines is None:
            pytest.skip("bgpdump is not installed (package bgpdump)")
        shown = {(f[2], f[3], f[4], f[5], f[7]) for f in lines}
        assert all(f[0] == "TABLE_DUMP2" and f[1] == "B" for f in lines)
        assert {s for s in shown if s[0] != "0.0.0.0"} == {
            (lab.addr[2], str(ASN), p, str(ASN), lab.addr[2]) for p in THEIRS[family]}


@contextlib.contextmanager
def replayed(path, family, asn2, remote_addr):
    """Another speaker to which bgp_replay announced the file."""
    a, b = ("10.0.0.10", "10.0.0.11") if family == 4 else ("fd00::10", "fd00::11")
    with Net("vmrt2", v6=True) as net:
        subprocess.run(["ip", "-n", net.nva, "addr", "add", "fd00::11/64", "dev", "eth0", "nodad"], check=True)
        net.rs_addr = remote_addr
        with Speaker(net) as spk:
            spk.configure(peers=[Peer("raw", a, 65001, passive=True, max_prefixes=0),
                                 Peer("them", b, asn2, passive=True, max_prefixes=0)], locals=LOCALS[family])
            replay = subprocess.Popen(["ip", "netns", "exec", net.nva, str(REPLAY), path, remote_addr, "20"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                spk.wait(lambda: spk.is_up("raw") and spk.is_up("them"), 20, "replayed sessions")
                yield spk, replay
                assert replay.poll() is None, replay.stderr.read()
            finally:
                replay.stdin.close()
                replay.wait(60)


@pytest.mark.parametrize("family", [4, 6])
def test_round_trip(family, directory):
    with Lab(bgp_daemons.Bird, family=family) as lab:
        if family == 4:
            lab.raw.update(["10.50.0.0/16", "10.51.0.0/24", "192.168.1.0/24"], as_path=[65001, 70000], med=7,
                           communities=["65001:1", "65001:2"])
            lab.raw.update([f"10.60.{i}.0/24" for i in range(200)])
            n = 203
        else:
            mp = attr(0x80, 14, bytes.fromhex("00020110fd00000000000000000000000000001000302001" + "0db8000a"))
            lab.raw.send(message(UPDATE, update_body(mp + path_attrs([65001], None))))
            n = 1
        lab.wait(lambda: lab.spk.peers["raw"].received == n and lab.spk.peers["them"].received == 4, "their routes")
        first = lab.spk.table()
        remote = lab.addr[0]
    path = store(directory, "first", first)
    with replayed(path, family, ASN, remote) as (spk, replay):
        told = json.loads(replay.stdout.readline())
        assert told["peers"] == 2
        spk.wait(lambda: spk.peers["raw"].received == n and spk.peers["them"].received == 4, 20, "replayed routes")
        second = spk.table()
    assert timeless(mrt.table(second)[2]) == timeless(mrt.table(first)[2])
    assert sorted(mrt.table(second)[1]) == sorted(mrt.table(first)[1])
    lines = mrt.bgpdump(path)
    assert lines is None or sorted(mrt.bgpdump(store(directory, "second", second))) == sorted(lines)


def test_gobgp_takes_our_table(directory):
    with Lab(bgp_daemons.Bird) as lab:
        lab.raw.update([f"10.60.{i}.0/24" for i in range(50)], communities=["65001:9"])
        lab.wait(lambda: lab.spk.peers["raw"].received == 50 and lab.spk.peers["them"].received == 4, "their routes")
        raw = lab.spk.table()
        index = 12 + len(next(mrt.records(raw)).body)
        # Its client ends without waiting for the server, which may drop what it has not read by then: all of it comes again
        # and again, so that this does not matter.
        path = store(directory, "table", raw + raw[index:] * 100)
        if bgp_daemons.Gobgp.missing():
            pytest.skip(bgp_daemons.Gobgp.missing())
        with bgp_daemons.Gobgp(lab.net.nva, directory, 65009, "10.0.0.12", "10.0.0.4", 65515) as gobgp:
            def all_there():
                gobgp.gobgp("mrt", "inject", "global", path)
                return set(json.loads(gobgp.gobgp("global", "rib", "-j"))) >= (
                    {f"10.60.{i}.0/24" for i in range(50)} | set(THEIRS[4]) | set(LOCALS[4]))
            gobgp.until(all_there, 30)
            assert "65001:9" in gobgp.describe("10.60.7.0/24") and "65001" in gobgp.describe("10.60.7.0/24")


def test_updates(directory):
    with Net("vmrt") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=["10.0.0.0/16"])
        dump = spk.dump(DUMP_UPDATES)
        attrs = path_attrs([65001, 70000], "10.0.0.10", communities=["65001:3"])
        said = [message(UPDATE, update_body(attrs, ["10.50.0.0/16", "10.51.0.0/16"])),
                message(UPDATE, update_body(b"", [], ["10.50.0.0/16"])),
                message(NOTIFICATION, b"\x06\x02")]
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw:
            raw.connect().establish()
            for m in said:
                raw.send(m)

            def has_ended():
                return bytes(dump.bytes).endswith(b"\0\6\0\1")  # Established to Idle
            spk.wait(has_ended, 10, "the whole story")
        dump.stop()
        spk.rib("10.51.0.0/16")
        assert dump.error is None
        recs = list(mrt.records(bytes(dump.bytes)))
        assert all(mrt.session(r)[:4] == (65001, 65515, "10.0.0.10", "10.0.0.4") for r in recs)
        messages = [mrt.session(r)[4] for r in recs if r.subtype == mrt.MESSAGE_AS4]
        assert [m[18] for m in messages] == [OPEN, KEEPALIVE, UPDATE, UPDATE, NOTIFICATION]
        assert messages[2:] == said
        states = [tuple(mrt.session(r)[4]) for r in recs if r.subtype == mrt.STATE_AS4]
        assert [(a[1], a[3]) for a in states][-1] == (6, 1)
        assert all(one[3] == other[1] for one, other in zip(states, states[1:]))
        lines = mrt.bgpdump(store(directory, "updates", bytes(dump.bytes)))
        if lines is not None:
            assert [f[4] for f in lines if f[0] == "BGP4MP" and f[1] == "A"] == ["10.50.0.0/16", "10.51.0.0/16"]
            assert [f[4] for f in lines if f[0] == "BGP4MP" and f[1] == "W"] == ["10.50.0.0/16"]
            assert "STATE" in {f[1] for f in lines}
    # What was heard once, another speaker hears again.
    with Net("vmrt") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=["10.0.0.0/16"])
        replay = subprocess.Popen(["ip", "netns", "exec", net.nva, str(REPLAY), f"{directory}/updates", "10.0.0.4", "20"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            spk.wait(lambda: spk.hops("10.51.0.0/16") == ["10.0.0.10"] and not spk.hops("10.50.0.0/16"), 20)
        finally:
            replay.stdin.close()
            replay.wait(60)


def test_two_octet_session():
    """Its messages have 2-octet AS paths, and the record says so."""
    with Net("vmrt") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True)], locals=[])
        dump = spk.dump(DUMP_UPDATES)
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw:
            raw.connect().establish(caps=[])
            raw.send(message(UPDATE, update_body(path_attrs([65001], "10.0.0.10", as4=False), ["10.50.0.0/16"])))
            spk.wait(lambda: spk.hops("10.50.0.0/16"))
            spk.wait(lambda: any(r.subtype == mrt.MESSAGE and mrt.session(r)[4][18] == UPDATE
                                 for r in mrt.records(bytes(dump.bytes))), 10, "the UPDATE")


def test_credit():
    """Not an octet more than allowed; what waits is bounded, and the end says that something is missing."""
    with Net("vmrt") as net, Speaker(net) as spk:
        spk.configure(peers=[Peer("raw", "10.0.0.10", 65001, passive=True, max_prefixes=0)], locals=["10.0.0.0/16"],
                      features=EXTENDED_MESSAGES)
        table, updates = spk.dump(DUMP_TABLE, 10), spk.dump(DUMP_UPDATES, 0)
        with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as raw:
            raw.connect().establish()
            bulk = path_attrs([65001], "10.0.0.10") + attr(0xC0, 8, b"\xfd\xe9\0\1" * 900)
            for i in range(600):  # more than 2 MiB
                raw.send(message(UPDATE, update_body(bulk, [f"10.{50 + i // 256}.{i % 256}.0/24"])))
            raw.send(message(UPDATE, update_body(path_attrs([65001], "10.0.0.10"), ["10.99.0.0/16"])))
            spk.wait(lambda: spk.hops("10.99.0.0/16"), 30)
            assert len(table.bytes) == 10 and not updates.bytes and updates.error is None
            table.more(1 << 20)
            updates.more(1 << 22)
            spk.wait(lambda: table.error is not None and updates.error is not None, 20, "both ends")
            assert table.error == 0 and updates.error == -ENOBUFS
            assert len(updates.bytes) <= 1 << 20
            assert sum(1 for _ in mrt.records(bytes(updates.bytes))) > 200
            mrt.table(bytes(table.bytes))
            # Another one may begin; a new controller ends it.
            again = spk.dump(DUMP_UPDATES)
            raw.update(["10.98.0.0/16"])
            spk.wait(lambda: again.bytes)
            spk.hello()
            raw.update(["10.97.0.0/16"])
            spk.wait(lambda: spk.hops("10.97.0.0/16"))
            assert not spk.dumps


def test_cli(daemon, make_lab, tmp_path):
    lab = make_lab(example("hub-spoke.vnrs.yml", "mrt-cli"), "mrt-cli")
    lab.apply()
    until(lambda: all(p["state"] == "Established" for p in lab.get("peers")), 40, "all sessions")
    until(lambda: len(lab.get("learned-routes", "nva1")["RouteServiceRole_IN_0"]) >= 2, 20, "routes")
    learned = {r["network"] for r in lab.get("learned-routes", "nva1")["RouteServiceRole_IN_1"]}
    for args, view in (((), "rs-0"), (("rs",), "rs-0"), (("rs/1",), "rs-1")):
        daemon.cli("bgp", "dump", "-w", tmp_path / "t", *args, "--lab", lab.name)
        got, index, entries = mrt.table((tmp_path / "t").read_bytes())
        assert got == view and len(index) == 3
        assert learned <= {e.prefix for e in entries}
    lines = mrt.bgpdump(tmp_path / "t")
    assert lines is None or learned <= {f[4] for f in lines}
    for bad, text in (("nope", "no Route Server instance"), ("rs/7", "0 or 1")):
        p = daemon.cli("bgp", "dump", "-w", tmp_path / "bad", bad, "--lab", lab.name, check=False)
        assert p.returncode and text in p.stderr
    p = daemon.cli("bgp", "dump", "-w", "/nonexistent/x", "--lab", lab.name, check=False)
    assert p.returncode == 1 and "cannot write" in p.stderr

    follow = subprocess.Popen([str(BIN / "vnrs"), "--socket", str(daemon.socket), "--lab", lab.name, "bgp", "dump",
                               "--updates", "-w", str(tmp_path / "u")], stderr=subprocess.PIPE, text=True)

    def seen():
        return list(mrt.records((tmp_path / "u").read_bytes())) if (tmp_path / "u").exists() else []

    until(seen, 20, "keepalives in the file")  # it has begun
    daemon.cli("bgp", "clear", "nva1", "--lab", lab.name)
    until(lambda: any(r.subtype == mrt.STATE_AS4 for r in seen()) and any(
        r.subtype == mrt.MESSAGE_AS4 and mrt.session(r)[4][18] == UPDATE for r in seen()), 40, "updates in the file")
    follow.send_signal(signal.SIGINT)
    follow.wait(60)
    assert list(mrt.records((tmp_path / "u").read_bytes()))
    # A speaker that dies breaks it off, and that is said.
    broken = subprocess.Popen([str(BIN / "vnrs"), "--socket", str(daemon.socket), "--lab", lab.name, "bgp", "dump",
                               "--updates", "-w", str(tmp_path / "b")], stderr=subprocess.PIPE, text=True)
    until(lambda: (tmp_path / "b").stat().st_size, 20, "keepalives in the other file")
    def kill_speaker():
        for pid in daemon.children("rs-0"):
            os.kill(pid, signal.SIGKILL)
        return broken.poll() is not None
    until(kill_speaker, 20, "the end", interval=0.5)
    assert broken.returncode == 1 and "broke off" in broken.stderr.read()
