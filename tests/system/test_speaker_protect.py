# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP MD5 signatures (RFC 2385) and GTSM (RFC 5082) of vnrs-speaker. The namespaces and addresses are those of
test_speaker.py."""
import os
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from bgp_daemons import bird, directories, frr, stop
from raw_peer import NOTIFICATION, Closed, RawPeer, tcp_socket
from speaker_harness import BIN, Net, Peer, Speaker

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

TCP_MD5SIG, IP_TTL, IP_MINTTL = 14, 2, 21
SECRET = "correct horse battery staple"


@pytest.fixture
def net():
    with Net() as n:
        yield n


@pytest.fixture
def spk(net):
    with Speaker(net) as s:
        yield s
        assert SECRET not in s.logged()


def sign(sock, key, peer="10.0.0.4"):
    if ":" in peer:
        addr = struct.pack("=HHI16s", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, peer))
    else:
        addr = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(peer))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, struct.pack("=128sBBHI80s", addr, 0, 0, len(key), 0, key.encode()))


def dial(net, key=None, ttl=None, timeout=5):
    """A connection of 10.0.0.10 to the speaker, prepared; TimeoutError when it is not answered."""
    s = tcp_socket(net.nva, "10.0.0.10")
    if key:
        sign(s, key)
    if ttl:
        s.setsockopt(socket.IPPROTO_IP, IP_TTL, ttl)
    s.settimeout(timeout)
    try:
        s.connect(("10.0.0.4", 179))
    except OSError:
        s.close()
        raise
    peer = RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva)
    peer.attach(s)
    return peer


def peer_a(**kw):
    return Peer("a", "10.0.0.10", 65001, passive=True, **kw)


def test_md5_of_incoming_connections(spk, net):
    spk.configure(peers=[peer_a(md5=SECRET), Peer("b", "10.0.0.11", 65002, passive=True)])
    for wrong in (None, "something else"):
        with pytest.raises(TimeoutError):
            dial(net, wrong, timeout=1.5)
    with dial(net, SECRET) as a:
        a.establish()
        a.update(["192.168.0.0/16"])
        spk.wait(lambda: "192.168.0.0/16" in spk.routes)
        # Another peer has no key and needs none.
        with RawPeer(65002, "10.0.0.11", "10.0.0.4", netns=net.nva) as b:
            b.connect().establish()
            spk.wait(lambda: spk.is_up("b"))
        # A new key ends the session, told with the old one, and counts from then on.
        spk.configure(peers=[peer_a(md5="another")])
        note = a.expect(NOTIFICATION)
        assert (note.code, note.subcode) == (6, 6)
    with pytest.raises(TimeoutError):
        dial(net, SECRET, timeout=1.5)
    with dial(net, "another") as a:
        a.establish()
        spk.wait(lambda: spk.is_up("a"))
    spk.configure(peers=[peer_a()])
    with dial(net) as a:
        a.establish()
        spk.wait(lambda: spk.is_up("a"))
    assert SECRET not in str(spk.peers)


def test_connection_from_before_the_key_is_no_way_around_it(spk, net):
    """It waits for accept when the key is set: nothing on it counts."""
    s = tcp_socket(net.nva, "10.0.0.10")
    spk.process.send_signal(19)
    try:
        s.connect(("10.0.0.4", 179))
        time.sleep(0.1)
        peer = RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva)
        peer.attach(s)
        peer.send_open()
        configuring = threading.Thread(target=spk.configure, kwargs={"peers": [peer_a(md5=SECRET)]})
        configuring.start()
        time.sleep(0.2)
    finally:
        spk.process.send_signal(18)
    configuring.join()
    with pytest.raises((Closed, TimeoutError, ConnectionResetError)):
        peer.keepalive()
        peer.recv(1)
        peer.keepalive()
        peer.recv(1)
    assert not spk.is_up("a")
    peer.close()


def test_md5_of_outgoing_connections_without_privileges(net):
    nobody = 65534
    if subprocess.run(["setpriv", f"--reuid={nobody}", "--clear-groups", "test", "-x", BIN / "vnrs-speaker"]).returncode:
        pytest.skip("the program cannot be reached by another user")
    with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as a, Speaker(net, uid=nobody) as spk:
        a.listen()
        sign(a.listener, SECRET)
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001, md5="wrong")])
        a.listener.settimeout(1.5)
        with pytest.raises(TimeoutError):
            a.listener.accept()
        spk.configure(peers=[Peer("a", "10.0.0.10", 65001, md5=SECRET)])
        a.accept().establish()
        spk.wait(lambda: spk.is_up("a"))
        assert pathlib.Path(f"/proc/{spk.process.pid}/cmdline").read_bytes().find(SECRET.encode()) < 0


@pytest.mark.parametrize("ttl,comes_up", [(255, True), (254, True), (253, False), (64, False)])
def test_gtsm(spk, net, ttl, comes_up):
    spk.configure(peers=[peer_a(ttl_min=254)])
    with dial(net, ttl=ttl) as a:
        a.sock.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)  # what comes back has left with 255
        if comes_up:
            a.establish()
            spk.wait(lambda: spk.is_up("a"))
        else:
            with pytest.raises((TimeoutError, Closed, OSError)):
                a.establish(timeout=2)
            spk.pump(0.5)
            assert not spk.is_up("a")


@pytest.mark.parametrize("opener", ["speaker", "peer"])
def test_ipv6(opener):
    with Net(v6=True) as net:
        net.rs_addr = "fd00::4"
        with Speaker(net) as spk, RawPeer(65001, "fd00::10", "fd00::4", netns=net.nva) as a:
            conf = dict(md5=SECRET, ttl_min=255)
            if opener == "speaker":
                a.listen()
                sign(a.listener, SECRET, "fd00::4")
                a.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
                spk.configure(peers=[Peer("a", a.local, 65001, **conf)])
                a.accept()
            else:
                spk.configure(peers=[Peer("a", a.local, 65001, passive=True, **conf)])
                for hops, comes_up in ((64, False), (255, True)):
                    s = tcp_socket(net.nva, a.local)
                    sign(s, SECRET, "fd00::4")
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
                    s.settimeout(5)
                    s.connect(("fd00::4", 179))
                    a.attach(s)
                    if not comes_up:
                        a.expect_closed()
            a.establish()
            spk.wait(lambda: spk.is_up("a"))


@pytest.mark.parametrize("opener", ["speaker", "peer"])
def test_frr_and_bird(spk, net, tmp_path, opener):
    dirs = directories(tmp_path)
    they_wait = opener == "speaker"
    daemons = [frr(net, dirs["frr"], they_wait, f"neighbor 10.0.0.4 password {SECRET.replace(' ', '-')}\n"
                   " no neighbor 10.0.0.4 ebgp-multihop\n neighbor 10.0.0.4 ttl-security hops 1"),
               bird(net, dirs["bird"], they_wait, f'password "{SECRET}"; multihop 2; ttl security on;')]
    try:
        spk.configure(peers=[Peer("frr", "10.0.0.12", 65012, passive=not they_wait, md5=SECRET.replace(" ", "-"),
                                  ttl_min=255),
                             Peer("bird", "10.0.0.13", 65013, passive=not they_wait, md5=SECRET, ttl_min=254)])
        spk.wait(lambda: spk.is_up("frr") and spk.is_up("bird"), 30)
        spk.wait(lambda: spk.hops("172.31.0.0/16") == ["10.0.0.12", "10.0.0.13"])
    finally:
        stop(daemons)
