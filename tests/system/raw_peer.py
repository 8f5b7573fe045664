# SPDX-License-Identifier: GPL-2.0-or-later
"""A scripted BGP peer: says exactly the bytes it is told to, for what well-behaved speakers never send.

    peer = RawPeer(asn=65001, local="10.0.0.10", remote="10.0.0.4", netns="lab-nva")
    peer.connect(); peer.establish()               # or peer.listen(); peer.accept(); peer.establish()
    peer.update(["10.9.0.0/16"], as_path=[65001])
    peer.withdraw(["10.9.0.0/16"])
    msg = peer.expect(NOTIFICATION); msg.code, msg.subcode, msg.data
    peer.routes()                                  # announced to us and not withdrawn: prefix -> Attrs
    peer.send(raw_bytes)

Proposes hold time 0 unless told otherwise, so that a test may take its time.
"""
import ctypes
import ipaddress
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from patience import PATIENCE

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, REFRESH = 1, 2, 3, 4, 5
MARKER = b"\xff" * 16
TYPES = {1: "OPEN", 2: "UPDATE", 3: "NOTIFICATION", 4: "KEEPALIVE", 5: "ROUTE-REFRESH"}

_libc = ctypes.CDLL(None, use_errno=True)


def in_netns(netns, make):
    """Runs make() in a thread of its own inside the named namespace (None: here) and returns what it returned."""
    if netns is None:
        return make()
    result = []

    def run():
        try:
            fd = os.open(f"/run/netns/{netns}", os.O_RDONLY)
            if _libc.setns(fd, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            os.close(fd)
            result.append((make(), None))
        except Exception as e:  # handed to the caller's thread
            result.append((None, e))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    value, error = result[0]
    if error:
        raise error
    return value


def tcp_socket(netns, local, port=0, listen=False):
    def make():
        s = socket.socket(socket.AF_INET6 if ":" in local else socket.AF_INET, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((local, port))
        if listen:
            s.listen(8)
        return s

    return in_netns(netns, make)


def message(kind, body=b""):
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


def prefix_bytes(prefix):
    net = ipaddress.ip_network(prefix)
    return bytes([net.prefixlen]) + net.network_address.packed[: (net.prefixlen + 7) // 8]


def prefixes_of(data, v6=False, add_path=False):
    out = []
    while data:
        if add_path:
            data = data[4:]
        bits, data = data[0], data[1:]
        n = (bits + 7) // 8
        raw = data[:n].ljust(16 if v6 else 4, b"\0")
        out.append(f"{ipaddress.ip_address(raw)}/{bits}")
        data = data[n:]
    return out


def capability(code, value=b""):
    return bytes([2, 2 + len(value), code, len(value)]) + value


def mp(afi, safi=1):
    return capability(1, struct.pack("!HBB", afi, 0, safi))


def open_body(asn, hold=0, router_id="10.0.0.10", caps=None, version=4, as2=None):
    """caps: list of optional parameters (see capability); None: IPv4 and IPv6 unicast, refresh, 4-octet AS."""
    if caps is None:
        caps = [mp(1), mp(2), capability(2), capability(65, struct.pack("!I", asn))]
    params = b"".join(caps)
    as2 = as2 if as2 is not None else (asn if asn < 65536 else 23456)
    return struct.pack("!BHH4sB", version, as2, hold, socket.inet_aton(router_id), len(params)) + params


def attr(flags, code, value):
    if len(value) > 255:
        return struct.pack("!BBH", flags | 0x10, code, len(value)) + value
    return bytes([flags, code, len(value)]) + value


def path_attrs(as_path, nexthop, origin=0, communities=(), med=None, as4=True, local_pref=None):
    fmt = "!I" if as4 else "!H"
    segment = bytes([2, len(as_path)]) + b"".join(struct.pack(fmt, a) for a in as_path) if as_path else b""
    out = attr(0x40, 1, bytes([origin])) + attr(0x40, 2, segment)
    if nexthop and ":" not in nexthop:
        out += attr(0x40, 3, socket.inet_aton(nexthop))
    if med is not None:
        out += attr(0x80, 4, struct.pack("!I", med))
    if local_pref is not None:
        out += attr(0x40, 5, struct.pack("!I", local_pref))
    if communities:
        out += attr(0xC0, 8, b"".join(struct.pack("!HH", *map(int, c.split(":"))) for c in communities))
    return out


def update_body(attrs=b"", nlri=(), withdrawn=()):
    w = b"".join(map(prefix_bytes, withdrawn))
    n = b"".join(map(prefix_bytes, nlri))
    return struct.pack("!H", len(w)) + w + struct.pack("!H", len(attrs)) + attrs + n


@dataclass
class Attrs:
    origin: int = None
    as_path: list = field(default_factory=list)
    nexthop: str = None
    med: int = None
    local_pref: int = None
    communities: list = field(default_factory=list)
    extended: bytes = b""  # extended and large communities, as received
    large: bytes = b""
    unknown: list = field(default_factory=list)  # (flags, type code, value)
    order: list = field(default_factory=list)  # type codes as sent
    mp_reach: list = field(default_factory=list)
    mp_unreach: list = field(default_factory=list)


@dataclass
class Message:
    kind: int
    body: bytes

    @property
    def code(self):
        return self.body[0]

    @property
    def subcode(self):
        return self.body[1]

    @property
    def data(self):
        return self.body[2:]

    def __repr__(self):
        return f"<{TYPES.get(self.kind, self.kind)} {self.body.hex()}>"

    def decode(self, add_path=False, as4=True):
        """Of an UPDATE: (withdrawn, Attrs, announced), IPv4 and IPv6 together, without path identifiers."""
        n = struct.unpack("!H", self.body[:2])[0]
        withdrawn = prefixes_of(self.body[2:2 + n], False, add_path)
        rest = self.body[2 + n:]
        n = struct.unpack("!H", rest[:2])[0]
        attrs = parse_attrs(rest[2:2 + n], add_path, as4)
        return withdrawn + attrs.mp_unreach, attrs, prefixes_of(rest[2 + n:], False, add_path) + attrs.mp_reach


def parse_attrs(data, add_path=False, as4=True):
    a = Attrs()
    while data:
        flags, code = data[0], data[1]
        if flags & 0x10:
            n, data = struct.unpack("!H", data[2:4])[0], data[4:]
        else:
            n, data = data[2], data[3:]
        value, data = data[:n], data[n:]
        a.order.append(code)
        if code == 1:
            a.origin = value[0]
        elif code == 2:
            while value:
                count = value[1]
                n = count * (4 if as4 else 2)
                a.as_path += struct.unpack(f"!{count}{'I' if as4 else 'H'}", value[2:2 + n])
                value = value[2 + n:]
        elif code == 3:
            a.nexthop = socket.inet_ntoa(value)
        elif code == 4:
            a.med = struct.unpack("!I", value)[0]
        elif code == 5:
            a.local_pref = struct.unpack("!I", value)[0]
        elif code == 8:
            a.communities = ["%d:%d" % c for c in struct.iter_unpack("!HH", value)]
        elif code == 16:
            a.extended = value
        elif code == 32:
            a.large = value
        elif code == 14:
            nh = value[3]
            a.nexthop = str(ipaddress.ip_address(value[4:4 + min(nh, 16)]))
            a.mp_reach = prefixes_of(value[5 + nh:], value[1] == 2, add_path)
        elif code == 15:
            a.mp_unreach = prefixes_of(value[3:], value[1] == 2, add_path)
        else:
            a.unknown.append((flags, code, value))
    return a


class Closed(Exception):
    """The other side closed the connection."""


class RawPeer:
    def __init__(self, asn, local, remote, router_id=None, netns=None, port=179, add_path=False, as4=True):
        self.asn, self.local, self.remote, self.netns, self.port = asn, local, remote, netns, port
        self.add_path, self.as4 = add_path, as4  # path identifiers, 4-octet ASNs in what is received
        self.router_id = router_id or (local if ":" not in local else "10.255.0.1")
        self.sock = self.listener = None
        self.buffer = b""
        self.rib = {}
        self.remote_open = None

    # --- connections
    def connect(self, timeout=10):
        """Connects, again and again until the deadline where nobody listens or lets us in yet."""
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            s = tcp_socket(self.netns, self.local)
            s.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                s.connect((self.remote, self.port))
                self.attach(s)
                return self
            except OSError:
                s.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def listen(self):
        self.listener = tcp_socket(self.netns, self.local, self.port, listen=True)
        return self

    def accept(self, timeout=15):
        self.listener.settimeout(timeout * PATIENCE)
        self.attach(self.listener.accept()[0])
        return self

    def attach(self, sock):
        self.close_connection()
        self.sock, self.buffer, self.rib = sock, b"", {}

    def close_connection(self):
        if self.sock:
            self.sock.close()
            self.sock = None

    def close(self):
        self.close_connection()
        if self.listener:
            self.listener.close()
            self.listener = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- messages
    def send(self, raw):
        self.sock.sendall(raw)

    def recv(self, timeout=10 * PATIENCE):
        """The next message; Closed at the end of the connection, TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 19:
                n = struct.unpack("!H", self.buffer[16:18])[0]
                if len(self.buffer) >= n:
                    raw, self.buffer = self.buffer[:n], self.buffer[n:]
                    msg = Message(raw[18], raw[19:])
                    self._note(msg)
                    return msg
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no message")
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            except socket.timeout:
                raise TimeoutError("no message") from None
            if not data:
                raise Closed()
            self.buffer += data

    def _note(self, msg):
        if msg.kind != UPDATE:
            return
        withdrawn, attrs, announced = msg.decode(self.add_path, self.as4)
        for p in withdrawn:
            self.rib.pop(p, None)
        for p in announced:
            self.rib[p] = attrs

    def expect(self, kind, timeout=10):
        """The next message of that kind; KEEPALIVEs and UPDATEs in between are passed over, others are an error."""
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            msg = self.recv(max(0.01, deadline - time.monotonic()))
            if msg.kind == kind:
                return msg
            assert msg.kind in (KEEPALIVE, UPDATE), f"expected {TYPES[kind]}, got {msg!r}"

    def expect_closed(self, timeout=10):
        try:
            while True:
                self.recv(timeout * PATIENCE)
        except Closed:
            return

    def send_open(self, **kw):
        kw.setdefault("router_id", self.router_id)
        self.send(message(OPEN, open_body(kw.pop("asn", self.asn), **kw)))

    def keepalive(self):
        self.send(message(KEEPALIVE))

    def establish(self, timeout=10, **kw):
        """OPEN and KEEPALIVE both ways; keyword arguments are those of open_body."""
        self.send_open(**kw)
        self.remote_open = self.expect(OPEN, timeout).body
        self.keepalive()
        self.expect(KEEPALIVE, timeout)
        return self

    def update(self, nlri, as_path=None, nexthop=None, **kw):
        attrs = path_attrs([self.asn] if as_path is None else as_path, nexthop or self.local, **kw)
        self.send(message(UPDATE, update_body(attrs, nlri)))

    def withdraw(self, prefixes):
        self.send(message(UPDATE, update_body(withdrawn=prefixes)))

    def refresh(self, afi=1, subtype=0):
        self.send(message(REFRESH, struct.pack("!HBB", afi, subtype, 1)))

    def routes(self, timeout=0.0):
        """What was announced to us so far, after reading everything that is there."""
        try:
            while True:
                self.recv(timeout or 0.001)
        except (TimeoutError, Closed):
            return self.rib
