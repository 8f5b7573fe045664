# SPDX-License-Identifier: GPL-2.0-or-later
"""A BFD peer for tests that does what it is told, also what a real one never does.

    with RawBfd("10.0.0.10", "10.0.0.4", netns=net.nva, multihop=True, interval_ms=100) as bfd:  # dead after ten intervals
        bfd.wait("Up")
        bfd.silent = True            # nothing is sent any more, as if it were dead
        bfd.admin_down = True        # says AdminDown
        bfd.heard[-1]                # Packet, with the TTL and the source port that it came with
        bfd.send(raw_bytes, ttl=7)
"""
import os
import select
import socket
import struct
import threading
import time
from collections import namedtuple

from patience import PATIENCE
from raw_peer import in_netns

ADMIN_DOWN, DOWN, INIT, UP = range(4)
NAMES = ["AdminDown", "Down", "Init", "Up"]
PORTS = {False: 3784, True: 4784}
IP_RECVTTL = 12
POLL, FINAL, INDEPENDENT = 0x20, 0x10, 0x08
FORMAT = struct.Struct("!BBBBIIIII")

Packet = namedtuple("Packet", "at state diag flags multiplier my your tx rx echo ttl port")


def packet(state, my=7, your=0, flags=0, diag=0, multiplier=3, tx=100000, rx=100000, echo=0, version=1, length=24):
    return FORMAT.pack(version << 5 | diag, state << 6 | flags, multiplier, length, my, your, tx, rx, echo)


class RawBfd:
    def __init__(self, local, remote, netns=None, multihop=True, interval_ms=100, multiplier=10, flags=0, ttl=255):
        self.local, self.remote, self.netns, self.multihop = local, remote, netns, multihop
        self.interval_ms, self.multiplier, self.flags, self.ttl = interval_ms, multiplier, flags, ttl
        self.v6 = ":" in local
        self.state, self.your, self.remote_state = DOWN, 0, DOWN
        self.silent = self.admin_down = False
        self.heard, self.answer_poll, self.my = [], True, 7
        self.rx = self._socket(PORTS[multihop])
        self.tx = self._socket(49152 + os.getpid() % 10000)
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _socket(self, port):
        def make():
            s = socket.socket(socket.AF_INET6 if self.v6 else socket.AF_INET, socket.SOCK_DGRAM)
            if self.v6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            else:
                s.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            s.bind((self.local, port))
            return s

        return in_netns(self.netns, make)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.thread.join()
        self.rx.close()
        self.tx.close()

    def send(self, raw, ttl=None, port=None):
        level, name = ((socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if self.v6 else (socket.IPPROTO_IP, socket.IP_TTL))
        self.tx.setsockopt(level, name, self.ttl if ttl is None else ttl)
        try:
            self.tx.sendto(raw, (self.remote, port or PORTS[self.multihop]))
        except OSError:
            pass  # nobody listens there (yet), or the link is down

    def _say(self, flags=0):
        if self.silent:
            return
        state = ADMIN_DOWN if self.admin_down else self.state
        interval = self.interval_ms * 1000
        self.send(packet(state, self.my, self.your, flags | self.flags, multiplier=self.multiplier,
                         tx=interval if state == UP else 1000000, rx=interval))

    def _hear(self):
        raw, ancillary, _, source = self.rx.recvmsg(256, 256)
        ttl = next((struct.unpack("i", data)[0] for _, kind, data in ancillary
                    if kind in (socket.IP_TTL, socket.IPV6_HOPLIMIT)), None)
        version, state, *rest = FORMAT.unpack(raw)
        assert version >> 5 == 1 and rest[1] == 24
        p = Packet(time.monotonic(), state >> 6, version & 31, state & 63, rest[0], *rest[2:], ttl, source[1])
        self.heard.append(p)
        self.your, self.remote_state = p.my, p.state
        if self.admin_down:
            return
        if self.state == DOWN and p.state in (DOWN, INIT):
            self.state = INIT if p.state == DOWN else UP
        elif self.state == INIT and p.state in (INIT, UP):
            self.state = UP
        elif self.state in (INIT, UP) and p.state in (ADMIN_DOWN, DOWN) and self.state == UP:
            self.state = DOWN
        if p.flags & POLL and self.answer_poll:
            self._say(FINAL)

    def _run(self):
        due = time.monotonic()
        while not self.closing.is_set():
            left = due - time.monotonic()
            if left <= 0:
                self._say()
                due = time.monotonic() + self.interval_ms / 1000 * 0.8
            elif select.select([self.rx], [], [], min(left, 0.05))[0]:
                self._hear()

    def wait(self, state, timeout=10):
        """Until the other side says that it is in that state."""
        deadline = time.monotonic() + timeout * PATIENCE
        while not self.heard or NAMES[self.heard[-1].state] != state:
            assert time.monotonic() < deadline, f"not {state}: {self.heard[-3:]}"
            time.sleep(0.01)
        return self.heard[-1]
