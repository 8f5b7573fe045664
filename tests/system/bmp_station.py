# SPDX-License-Identifier: GPL-2.0-or-later
"""A monitoring station (BMP version 3: RFC 7854, 8671, 9069) that believes nothing.

    station = Station(netns, "10.0.0.14", 11019)
    station.pump()                  # accepts and reads what is there
    station.ribs[view, peer]        # prefix -> raw_peer.Attrs; view: "pre", "post", "out", "loc"
    station.peers, station.downs, station.eors, station.stats, station.mirrors, station.terminated

Every length must add up to the last octet; a message about a peer that is not up, a second Peer Up, an unknown flag or
TLV, an UPDATE that is no UPDATE is an AssertionError.
"""
import ipaddress
import struct
import time

from raw_peer import MARKER, OPEN, UPDATE, NOTIFICATION, Message, tcp_socket

ROUTE, STATISTICS, DOWN, UP, INITIATION, TERMINATION, MIRROR = range(7)
VIEWS = {0x00: "pre", 0x40: "post", 0x50: "out"}  # by flags without V
STAT_SIZE = {4: 4, 7: 8, 8: 8, 11: 4, 15: 8}
LOC = "loc"


def tlvs(data):
    while data:
        kind, length = struct.unpack("!HH", data[:4])
        assert 4 + length <= len(data), "TLV cut off"
        yield kind, data[4:4 + length]
        data = data[4 + length:]


def bgp_message(data):
    """The BGP message at the front, and what is behind it."""
    length, kind = struct.unpack("!HB", data[16:19])
    assert data[:16] == MARKER and 19 <= length <= len(data)
    return Message(kind, data[19:length]), data[length:]


class Station:
    def __init__(self, netns, addr, port, listener=None):
        """`listener`: of another station, which takes the first connection; this one takes the next."""
        self.listener = listener or tcp_socket(netns, addr, port, listen=True)
        self.listener.setblocking(False)
        self.conn, self.connections, self.raw = None, 0, b""
        self.reset()

    def reset(self):
        self.name, self.peers, self.ribs, self.downs, self.eors = None, {}, {}, [], set()
        self.stats, self.mirrors, self.terminated, self.messages = {}, [], None, 0
        self.ups = []
        self.spurious = 0  # withdrawals of what was not there

    def pump(self):
        if not self.conn:
            try:
                self.conn, _ = self.listener.accept()
            except BlockingIOError:
                return self
            self.conn.setblocking(False)
            self.connections += 1
            self.raw = b""
            self.reset()
        while True:
            try:
                data = self.conn.recv(1 << 20)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self.raw, "the last message is cut off"
                self.close()
                break
            self.raw += data
            self._frames()
        return self

    def close(self):
        if self.conn:
            self.conn.close()
        self.conn = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.listener.close()

    def _frames(self):
        at = 0
        while len(self.raw) - at >= 6:
            version, length, kind = struct.unpack_from("!BIB", self.raw, at)
            assert version == 3 and 6 <= length <= 48 + 65535, (version, length)
            if len(self.raw) - at < length:
                break
            self._take(kind, self.raw[at + 6:at + length])
            at += length
        self.raw = self.raw[at:]

    def _take(self, kind, body):
        assert self.terminated is None, "a message behind Termination"
        assert (self.messages == 0) == (kind == INITIATION), "Initiation comes first, and once"
        self.messages += 1
        if kind == INITIATION:
            info = dict(tlvs(body))
            assert set(info) == {1, 2}
            self.name = info[2].decode()
            assert info[1].startswith(b"vnrs ")
        elif kind == TERMINATION:
            info = dict(tlvs(body))
            assert set(info) <= {0, 1}
            self.terminated = struct.unpack("!H", info[1])[0]
        else:
            self._take_peer(kind, *self._peer(body))

    def _peer(self, body):
        peer_type, flags, distinguisher, addr, asn, ident, sec, usec = struct.unpack("!BBQ16sI4sII", body[:42])
        assert distinguisher == 0 and usec < 1000000
        assert sec == 0 or abs(time.time() - sec) < 600, "a time of about now"
        if peer_type == 3:
            assert flags == 0 and addr == bytes(16)
            return (LOC, None), body[42:], asn, str(ipaddress.ip_address(ident)), sec
        assert peer_type == 0 and not flags & ~0xD0
        peer = str(ipaddress.ip_address(addr if flags & 0x80 else addr[12:]))
        assert flags & 0x80 or addr[:12] == bytes(12)
        return (VIEWS[flags & 0x7F], peer), body[42:], asn, str(ipaddress.ip_address(ident)), sec

    def _take_peer(self, kind, key, body, asn, ident, sec):
        view, peer = key
        who = LOC if view == LOC else peer
        if kind == UP:
            self._up(who, body, asn, ident, sec)
            return
        assert who in self.peers, f"nothing was said of {who} being up"
        assert self.peers[who]["asn"] == asn and self.peers[who]["id"] == ident
        if kind == DOWN:
            assert view in ("pre", LOC)
            self._down(who, body)
        elif kind == ROUTE:
            self._route(key, body)
        elif kind == STATISTICS:
            (n,) = struct.unpack("!I", body[:4])
            found = {k: int.from_bytes(v, "big") for k, v in tlvs(body[4:]) if len(v) == STAT_SIZE[k]}
            assert len(found) == n
            self.stats[who] = found
        elif kind == MIRROR:
            self.mirrors.append((who, list(tlvs(body))))
        else:
            raise AssertionError(f"message type {kind}")

    def _up(self, who, body, asn, ident, sec):
        assert who not in self.peers, "Peer Up of a peer that is up"
        local, local_port, remote_port = struct.unpack("!16sHH", body[:20])
        sent, rest = bgp_message(body[20:])
        received, rest = bgp_message(rest)
        assert sent.kind == received.kind == OPEN
        info = dict(tlvs(rest))
        if who == LOC:
            assert (local, local_port, remote_port) == (bytes(16), 0, 0) and set(info) == {3}
        else:
            assert not info and 179 in (local_port, remote_port) and min(local_port, remote_port) > 0
            assert sec, "when the session came up is known"
        self.peers[who] = {"asn": asn, "id": ident, "local": local, "sent": sent.body, "received": received.body,
                           "table": info.get(3, b"").decode()}
        self.ups.append(who)

    def _down(self, who, body):
        reason, data = body[0], body[1:]
        if reason in (1, 3):
            message, rest = bgp_message(data)
            assert message.kind == NOTIFICATION and not rest
            data = (message.code, message.subcode, message.data)
        elif reason == 2:
            (data,) = struct.unpack("!H", data)
        else:
            assert reason == 4 and not data
        self.downs.append((who, reason, data))
        del self.peers[who]
        for key in [k for k in self.ribs if k[1] == who]:
            del self.ribs[key]
        self.eors = {e for e in self.eors if e[1] != who}

    def _route(self, key, body):
        message, rest = bgp_message(body)
        assert message.kind == UPDATE and not rest
        if message.body == b"\0\0\0\0":
            self.eors.add((*key, 4))
            return
        if message.body == bytes.fromhex("00000006800f03000201"):
            self.eors.add((*key, 6))
            return
        withdrawn, attrs, announced = message.decode()
        assert withdrawn or announced
        rib = self.ribs.setdefault(key, {})
        for prefix in withdrawn:
            self.spurious += rib.pop(prefix, None) is None
        for prefix in announced:
            rib[prefix] = attrs

    def rib(self, view, peer=None):
        return self.ribs.get((view, peer), {})
