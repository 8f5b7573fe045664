# SPDX-License-Identifier: GPL-2.0-or-later
"""BFD (RFC 5880, 5881, 5883) of vnrs-speaker, and what it does to BGP (RFC 5882, RFC 9384).

 net.rs: speaker 10.0.0.4, fd00::4 ── veth ── net.nva: 10.0.0.10 to .14, fd00::10: FRR (AS 65012), BIRD (AS 65013), or
                                              a scripted peer (AS 65001 …)

The peers' hold time is 180 s: a session that ends at once was ended by BFD.
"""
import os
import random
import signal
import socket
import subprocess
import threading
import time

import pytest

from bfd_daemons import bird_for_bfd, bird_with_bfd, frr_with_bfd, stop
from bgp_daemons import birdc, directories, vtysh
from raw_bfd import ADMIN_DOWN, DOWN, INDEPENDENT, UP, RawBfd, packet
from raw_peer import NOTIFICATION, OPEN, KEEPALIVE, RawPeer, capability, in_netns, mp
from speaker_harness import BIN, FORWARDING_KEPT, GRACEFUL_RESTART, PLAIN, Net, Peer, Speaker, sh

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

BLAST = BIN.parent / "tests/bgp_blast"
FAST = (100, 100, 3)
ADDRS = {4: ("10.0.0.4", {"frr": "10.0.0.12", "bird": "10.0.0.13"}), 6: ("fd00::4", {"frr": "fd00::10", "bird": "fd00::10"})}


@pytest.fixture
def net():
    with Net() as n:
        yield n


@pytest.fixture
def spk(net):
    with Speaker(net) as s:
        yield s


def bfd_is(spk, name, state):
    return name in spk.peers and spk.peers[name].bfd.state == state


def peer_a(**kw):
    kw.setdefault("bfd", FAST)
    return Peer("a", "10.0.0.10", 65001, passive=True, **kw)


def raw_peer(net, **kw):
    return RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva, **kw)


def raw_bfd(net, **kw):
    return RawBfd("10.0.0.10", "10.0.0.4", netns=net.nva, **kw)


# --- with a scripted peer

@pytest.mark.parametrize("multihop", [True, False], ids=["multihop", "singlehop"])
def test_session_and_packets(spk, net, multihop):
    with raw_bfd(net, multihop=multihop, interval_ms=200, multiplier=15) as bfd, raw_peer(net) as a:
        spk.configure(peers=[peer_a(multihop=multihop, bfd=(50, 100, 3))])
        a.connect().establish()
        spk.wait(lambda: bfd_is(spk, "a", "Up") and spk.is_up("a"))
        spk.wait(lambda: spk.peers["a"].bfd.tx_us == 200000)  # the peer takes no more
        spk.wait(lambda: spk.peers["a"].bfd.detection_us == 15 * 200000)
        state = spk.peers["a"].bfd
        assert state.configured and not state.error and not state.failures and state.remote_state == "Up"
        spk.wait(lambda: spk.peers["a"].bfd.packets_in > state.packets_in > 0 and bfd.heard[-1].tx == 50000)
        p = bfd.heard[-1]
        assert p.ttl == 255 and 49152 <= p.port <= 65535 and p.echo == 0 and p.multiplier == 3
        assert (p.tx, p.rx) == (50000, 100000) and p.your == bfd.my
        assert {q.port for q in bfd.heard} == {p.port} and {q.my for q in bfd.heard} == {p.my}
        assert spk.agent_requests == 2  # one socket to receive, one to send


def test_failure_ends_bgp_at_once(spk, net):
    with raw_bfd(net) as bfd, raw_peer(net) as a:
        spk.configure(peers=[peer_a()])
        a.connect().establish()
        a.update(["192.168.0.0/16"])
        spk.wait(lambda: "192.168.0.0/16" in spk.routes and bfd_is(spk, "a", "Up"))
        bfd.silent = True
        note = a.expect(NOTIFICATION)
        assert (note.code, note.subcode, note.data) == (6, 10, b"")
        spk.wait(lambda: not spk.is_up("a") and "192.168.0.0/16" not in spk.routes)
        assert spk.peers["a"].last_error == "BFD: control detection time expired"
        assert spk.peers["a"].bfd.failures == 1 and spk.peers["a"].bfd.state == "Down"
        # BGP comes back without BFD, which is not strict, and both when the peer is there again.
        a.connect().establish()
        spk.wait(lambda: spk.is_up("a"))
        bfd.silent = False
        spk.wait(lambda: bfd_is(spk, "a", "Up"))
        assert spk.is_up("a")
        # The peer's own word is a failure, too.
        bfd.state = DOWN
        note = a.expect(NOTIFICATION)
        assert (note.code, note.subcode) == (6, 10)
        spk.wait(lambda: spk.peers["a"].bfd.failures == 2)
        assert spk.peers["a"].last_error.startswith("BFD: neighbor signaled session down")


def test_admin_down_is_no_failure(spk, net):
    with raw_bfd(net) as bfd, raw_peer(net) as a:
        spk.configure(peers=[peer_a()])
        a.connect().establish()
        spk.wait(lambda: bfd_is(spk, "a", "Up") and spk.is_up("a"))
        bfd.admin_down = True
        spk.wait(lambda: bfd_is(spk, "a", "Down"))
        assert spk.is_up("a") and spk.peers["a"].bfd.remote_state == "AdminDown"
        bfd.admin_down, bfd.state = False, DOWN
        spk.wait(lambda: bfd_is(spk, "a", "Up"))
        # Ours: no longer configured.
        spk.configure(peers=[peer_a(bfd=(0, 0, 0))])
        bfd.wait("AdminDown")
        assert bfd.heard[-1].diag == 7
        spk.wait(lambda: not spk.peers["a"].bfd.configured)
        spk.query(3, prefix="0.0.0.0/32")
        assert spk.is_up("a") and spk.peers["a"].flaps == 0
        # And again, with other intervals and as another session.
        spk.configure(peers=[peer_a(bfd=(300, 300, 4))])
        spk.wait(lambda: bfd_is(spk, "a", "Up"))
        spk.wait(lambda: spk.peers["a"].bfd.tx_us == 300000)
        spk.configure(peers=[peer_a(bfd=(400, 300, 4))])
        spk.wait(lambda: spk.peers["a"].bfd.tx_us == 400000)
        spk.configure(peers=[peer_a(bfd=(400, 300, 4), shutdown=True)])
        bfd.wait("AdminDown")
        spk.configure(peers=[peer_a(bfd=(400, 300, 4))])
        bfd.wait("Up")
        spk.terminate()
        bfd.wait("AdminDown")


@pytest.mark.parametrize("independent", [False, True])
def test_graceful_restart(spk, net, independent):
    """Of a session that BFD ends nothing is kept. A restart that goes on already is left alone, unless the peer's BFD
    would have survived it (RFC 5882 section 4.3)."""
    caps = [mp(1), capability(2), capability(65, (65001).to_bytes(4, "big")),
            capability(64, bytes([0x40, 120, 0, 1, 1, 0x80]))]
    with raw_bfd(net, flags=INDEPENDENT if independent else 0) as bfd, raw_peer(net) as a:
        spk.configure(peers=[peer_a()], features=GRACEFUL_RESTART)
        for restarts in (True, False):
            a.connect().establish(caps=caps)
            a.update(["192.168.0.0/16"])
            spk.wait(lambda: "192.168.0.0/16" in spk.routes and bfd_is(spk, "a", "Up"))
            failures = spk.peers["a"].bfd.failures
            if restarts:
                a.close_connection()
                spk.wait(lambda: not spk.is_up("a"))
                assert "192.168.0.0/16" in spk.routes
            bfd.silent = True
            spk.wait(lambda: spk.peers["a"].bfd.failures > failures)
            if restarts and not independent:
                spk.query(3, prefix="192.168.0.0/16")
                assert spk.routes.get("192.168.0.0/16") and spk.peers["a"].stale
            else:
                spk.wait(lambda: "192.168.0.0/16" not in spk.routes)
            if not restarts:
                note = a.expect(NOTIFICATION)
                assert (note.code, note.subcode, note.data) == (6, 9, bytes([6, 10]))
            bfd.silent = False
            spk.wait(lambda: bfd_is(spk, "a", "Up"))


def test_up_again_ends_the_wait_for_the_next_try(spk, net):
    """The peer is gone for longer than one try takes: without BFD the next one would be due after connect_retry_ms."""
    with raw_bfd(net) as bfd, raw_peer(net) as a:
        a.listen()
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001, bfd=FAST)], connect_retry_ms=120000)
        a.accept().establish()
        spk.wait(lambda: bfd_is(spk, "a", "Up") and spk.is_up("a"))
        net.link(False)
        spk.wait(lambda: not spk.is_up("a"))
        assert spk.peers["a"].last_error.startswith("BFD: control detection time expired")
        spk.wait(lambda: spk.peers["a"].state == "Connect")
        net.link(True)
        a.accept(20).establish()
        spk.wait(lambda: spk.is_up("a"))


def test_strict_mode(spk, net):
    strict = [mp(1), capability(2), capability(65, (65001).to_bytes(4, "big")), capability(74)]
    with raw_peer(net) as a:
        spk.configure(peers=[peer_a(strict=True)])
        a.connect().establish()  # a peer that does not want it
        assert capability(74)[2:] in a.remote_open
        spk.wait(lambda: spk.is_up("a"))
        a.close_connection()
        a.connect()
        a.send_open(caps=strict)
        a.expect(OPEN)
        a.keepalive()
        spk.wait(lambda: "strict mode" in spk.peers["a"].last_error)
        with pytest.raises(TimeoutError):
            a.recv(1)
        assert spk.peers["a"].state == "OpenConfirm"
        with raw_bfd(net) as bfd:
            a.expect(KEEPALIVE)
            spk.wait(lambda: spk.is_up("a"))
            bfd.silent = True
            note = a.expect(NOTIFICATION)
            assert (note.code, note.subcode) == (6, 10)


def test_what_must_not_count(spk, net):
    """Packets that a session must not take: wrong TTL, discriminators, sources, flags."""
    with raw_bfd(net, multihop=False) as bfd, raw_peer(net) as a, \
            RawBfd("10.0.0.11", "10.0.0.4", netns=net.nva, multihop=False) as stranger, \
            RawBfd("10.0.0.12", "10.0.0.4", netns=net.nva) as far:
        stranger.silent = far.silent = True
        spk.configure(peers=[peer_a(multihop=False), Peer("far", "10.0.0.12", 65002, passive=True, bfd=FAST,
                                                          bfd_ttl_min=200)])
        a.connect().establish()
        spk.wait(lambda: bfd_is(spk, "a", "Up") and spk.is_up("a"))
        ours = bfd.heard[-1].my
        down = packet(DOWN, your=ours)
        bfd.send(down, ttl=254)
        stranger.send(down)
        stranger.send(packet(DOWN))
        discarded = spk.peers["a"].bfd.discarded
        bad = [packet(DOWN, your=ours ^ 1), packet(DOWN, your=ours, multiplier=0), packet(DOWN, your=ours, flags=1),
               packet(DOWN, your=ours, flags=4, length=26) + b"\1\2", packet(DOWN, my=0, your=ours), packet(UP, your=0),
               packet(DOWN, your=ours, length=25)]
        for raw in bad:
            bfd.send(raw)
        spk.wait(lambda: spk.peers["a"].bfd.discarded - discarded == len(bad))
        assert bfd_is(spk, "a", "Up") and spk.peers["a"].bfd.failures == 0
        far.ttl, far.silent = 199, False
        spk.wait(lambda: spk.peers["far"].bfd.discarded > 2)
        assert bfd_is(spk, "far", "Down")
        far.ttl = 200
        spk.wait(lambda: bfd_is(spk, "far", "Up"))


def test_flood(spk, net):
    """Garbage from a stranger, and from the peer itself, as fast as it can be sent."""
    sources = {"10.0.0.11": [os.urandom(24), b"", packet(DOWN)], "10.0.0.10": [os.urandom(40), packet(UP, your=1)]}
    ends = threading.Event()

    def flood(source, payloads):
        s = in_netns(net.nva, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        s.bind((source, 0))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        while not ends.is_set():
            for port in (3784, 4784):
                s.sendto(random.choice(payloads), ("10.0.0.4", port))
            if source == "10.0.0.10":
                time.sleep(0.0005)  # what passes the filter: more than its share, but not more than the queue
        s.close()

    with raw_bfd(net, multiplier=60) as bfd, raw_peer(net) as a:
        spk.configure(peers=[peer_a(bfd=(50, 50, 6))])
        bfd.interval_ms = 50
        a.connect().establish()
        spk.wait(lambda: bfd_is(spk, "a", "Up") and spk.is_up("a"))
        threads = [threading.Thread(target=flood, args=x) for x in sources.items()]
        for t in threads:
            t.start()
        try:
            packets = spk.peers["a"].bfd.packets_in
            spk.wait(lambda: spk.peers["a"].bfd.packets_in > packets + 60, 30)
        finally:
            ends.set()
            for t in threads:
                t.join()
        assert spk.peers["a"].bfd.failures == 0 and spk.is_up("a")
        assert spk.peers["a"].bfd.discarded > 100


def test_sockets_that_cannot_be_had(spk, net):
    taken = in_netns(net.rs, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    taken.bind(("10.0.0.4", 4784))
    with raw_bfd(net) as bfd, raw_peer(net) as a:
        spk.configure(peers=[peer_a()])
        a.connect().establish()
        spk.wait(lambda: spk.is_up("a") and spk.peers["a"].bfd.error)
        assert -spk.peers["a"].bfd.error == 98  # EADDRINUSE
        taken.close()
        spk.wait(lambda: bfd_is(spk, "a", "Up"))
        spk.agent_refuses = True
        spk.configure(peers=[peer_a(multihop=False)])
        spk.wait(lambda: spk.peers["a"].bfd.error)
        spk.agent_refuses = False
        spk.configure(peers=[peer_a()])
        spk.wait(lambda: bfd_is(spk, "a", "Up"))
        assert spk.is_up("a") and spk.peers["a"].flaps == 0


def test_the_address_moves(spk, net):
    subprocess.run(["ip", "-n", net.rs, "addr", "add", "10.0.0.5/24", "dev", "eth0"], check=True)
    with raw_bfd(net) as bfd:
        spk.configure(peers=[peer_a()])
        spk.wait(lambda: bfd_is(spk, "a", "Up"))
        bfd.remote, bfd.state, bfd.your = "10.0.0.5", DOWN, 0
        spk.configure(peers=[peer_a()], local="10.0.0.5", router_id="10.0.0.4")
        spk.wait(lambda: bfd_is(spk, "a", "Up"))


@pytest.mark.skipif(not BLAST.exists(), reason="needs bgp_blast")
def test_sessions_from_addresses_of_their_own(spk, net):
    sh("ip", "-n", net.rs, "addr", "add", "10.0.0.5/24", "dev", "eth0")
    b = Peer("b", "10.0.0.11", 65002, local="10.0.0.5", bfd=FAST)
    with raw_bfd(net) as bfd_a, raw_peer(net) as ra, RawBfd("10.0.0.11", "10.0.0.5", netns=net.nva) as bfd_b, \
            RawPeer(65002, "10.0.0.11", "10.0.0.5", netns=net.nva) as rb:
        spk.configure(peers=[peer_a()])
        ra.connect().establish()
        spk.wait(lambda: bfd_is(spk, "a", "Up") and spk.is_up("a"))
        rb.listen()
        spk.configure(peers=[peer_a(), b])  # from now on packets are received at both addresses
        rb.accept().establish()
        spk.wait(lambda: bfd_is(spk, "b", "Up") and spk.is_up("b"))
        assert rb.sock.getpeername()[0] == "10.0.0.5" and spk.peers["a"].bfd.failures == 0 and spk.is_up("a")
        bfd_b.silent = True
        rb.expect(NOTIFICATION)
        spk.wait(lambda: bfd_is(spk, "b", "Down"))
        assert spk.peers["a"].bfd.failures == 0 and spk.is_up("a") and bfd_a.state == UP


def test_stays_up_while_a_million_routes_load(spk, net, tmp_path):
    """While the main loop is busy with a million routes; 2.5 s, since the machine may be busy with other things too."""
    for i in range(15, 31):
        subprocess.run(["ip", "-n", net.nva, "addr", "add", f"10.0.0.{i}/24", "dev", "eth0"], check=True)
    watched = "10.0.0.20"
    loading = [Peer("sender", "10.0.0.10", 65001, passive=True, max_prefixes=0),
               Peer("receiver", "10.0.0.30", 65030, passive=True, max_prefixes=0)]
    beside = Peer("watched", watched, 64512, passive=True, bfd=(100, 100, 25))
    directory = directories(tmp_path)["bird"]
    daemons = bird_for_bfd(net, directory, watched, "10.0.0.4", 100, 25)
    try:
        spk.configure(peers=[*loading, beside], role=PLAIN)
        spk.wait(lambda: bfd_is(spk, "watched", "Up") and spk.peers["watched"].bfd.detection_us == 2500000)
        begin = birdc(directory, "show", "bfd", "sessions").splitlines()
        blast = subprocess.Popen(["ip", "netns", "exec", net.nva, BLAST, "10.0.0.4", "1000000", "1", "0", "240",
                                  str(spk.process.pid)], stdout=subprocess.PIPE, text=True)
        spk.wait(lambda: blast.poll() is not None, 240, "the load")
        assert blast.returncode == 0, blast.stdout.read()
        assert spk.peers["watched"].bfd.failures == 0 and spk.peers["watched"].bfd.state == "Up"
        assert birdc(directory, "show", "bfd", "sessions").splitlines() == begin  # with the time since when
    finally:
        stop(daemons)


# --- with FRR and BIRD

def daemon(net, tmp_path, which, family, multihop, tx, rx, multiplier):
    dirs = directories(tmp_path)
    local, remotes = ADDRS[family]
    start = frr_with_bfd if which == "frr" else bird_with_bfd
    return dirs[which], start(net, dirs[which], remotes[which], local, multihop, tx, rx, multiplier)


def remote_bfd(which, directory):
    """What the daemon says of its session: (state, interval of its sending, detection time in ms)."""
    if which == "frr":
        import json
        sessions = json.loads(vtysh(directory, "show bfd peers json"))
        return (sessions[0]["status"], sessions[0]["transmit-interval"], sessions[0]["detect-multiplier"]) if sessions else None
    lines = [line.split() for line in birdc(directory, "show", "bfd", "sessions").splitlines() if " eth0 " in line or " --- " in line]
    return (lines[0][2].lower(), round(float(lines[0][4]) * 1000), round(float(lines[0][5]) * 1000)) if lines else None


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("multihop", [True, False], ids=["multihop", "singlehop"])
@pytest.mark.parametrize("which", ["frr", "bird"])
def test_interop(tmp_path, which, multihop, family):
    with Net(v6=family == 6) as net:
        net.rs_addr = ADDRS[family][0]
        asn = {"frr": 65012, "bird": 65013}[which]
        directory, daemons = daemon(net, tmp_path, which, family, multihop, 200, 150, 10)
        try:
            with Speaker(net) as spk:
                spk.configure(router_id="10.0.0.4", peers=[Peer(which, ADDRS[family][1][which], asn, passive=True,
                                                                bfd=(100, 120, 10), multihop=multihop)])
                spk.wait(lambda: spk.is_up(which) and bfd_is(spk, which, "Up"), 40)
                spk.wait(lambda: spk.peers[which].bfd.tx_us == 150000)
                spk.wait(lambda: spk.peers[which].bfd.detection_us == 10 * 200000)
                spk.wait(lambda: remote_bfd(which, directory)[0] == "up")
                if which == "bird":
                    spk.wait(lambda: remote_bfd(which, directory)[1:] == (200, 10 * 150))
                # It dies, and the hold time is far away.
                for d in daemons:
                    d.send_signal(signal.SIGSTOP)
                spk.wait(lambda: not spk.is_up(which) and not spk.routes, 10)
                assert spk.peers[which].last_error.startswith("BFD: control detection time expired")
                for d in daemons:
                    d.send_signal(signal.SIGCONT)
                spk.wait(lambda: spk.is_up(which) and bfd_is(spk, which, "Up") and spk.routes, 40)
                # The path dies.
                failures = spk.peers[which].bfd.failures
                net.link(False)
                spk.wait(lambda: not spk.is_up(which), 10)
                assert spk.peers[which].bfd.failures == failures + 1
        finally:
            stop(daemons)


def test_admin_down_of_frr(spk, net, tmp_path):
    directory, daemons = daemon(net, tmp_path, "frr", 4, True, 100, 100, 20)
    peer = "peer 10.0.0.4 multihop local-address 10.0.0.12"
    try:
        spk.configure(peers=[Peer("frr", "10.0.0.12", 65012, passive=True, bfd=(100, 100, 20))])
        spk.wait(lambda: spk.is_up("frr") and bfd_is(spk, "frr", "Up"), 40)
        vtysh(directory, "configure", "bfd", peer, "shutdown")
        spk.wait(lambda: bfd_is(spk, "frr", "Down"))
        assert spk.peers["frr"].bfd.remote_state == "AdminDown" and spk.peers["frr"].bfd.failures == 0
        assert spk.is_up("frr") or spk.peers["frr"].last_error.startswith("peer sent")  # ours did not end it
        vtysh(directory, "configure", "bfd", peer, "no shutdown")
        spk.wait(lambda: spk.is_up("frr") and bfd_is(spk, "frr", "Up"), 40)
        # Ours ends. This FRR takes the peer's AdminDown for a failure, and comes back without BFD.
        spk.configure(peers=[Peer("frr", "10.0.0.12", 65012, passive=True)])
        spk.wait(lambda: not spk.peers["frr"].bfd.configured)
        spk.wait(lambda: spk.is_up("frr"), 40)
    finally:
        stop(daemons)
