# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes in bulk between two machines, by TCP and by UDP with segmentation offload, and what both ends see of it:

    bulk.py receive ADDRESS PORT                 prints "ready", then a line of JSON
    bulk.py send ADDRESS PORT SEGMENT BYTES      UDP datagrams of SEGMENT bytes, BYTES in all; prints a line of JSON

JSON: digests of what was sent or received, the longest IP packet of each protocol as a packet socket sees it (longer
than the MTU where it was not segmented on the way), and how many errors about packets that are too big came.
"""
import hashlib
import json
import random
import socket
import sys
import threading

SOL_UDP, UDP_SEGMENT = 17, 103
PACKET_OUTGOING = 4
MSG_TRUNC = 0x20
SEND_MAX = 60000
DEADLINE_S = 60
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58


class Watch(threading.Thread):
    """Packets that come in by eth0."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest = {TCP: 0, UDP: 0}
        self.errors = 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind(("eth0", 3))
        self.socket.settimeout(0.2)
        self.ending = False
        self.start()

    def run(self):
        frame = bytearray(64)
        while True:
            try:
                length, address = self.socket.recvfrom_into(frame, len(frame), MSG_TRUNC)
            except TimeoutError:
                if self.ending:
                    return
                continue
            if address[2] != PACKET_OUTGOING:
                self.see(frame, length)

    def see(self, frame, length):
        v6 = frame[12:14] == b"\x86\xdd"
        protocol, icmp = (frame[20], frame[54:56]) if v6 else (frame[23], frame[34:36])
        if protocol in self.longest:
            self.longest[protocol] = max(self.longest[protocol], length - 14)
        self.errors += (protocol, icmp[0]) == (ICMPV6, 2) or (protocol, bytes(icmp)) == (ICMP, b"\x03\x04")

    def told(self, **more):
        self.ending = True  # when all has been looked at that came
        self.join(DEADLINE_S)
        return json.dumps({"tcp_longest": self.longest[TCP], "udp_longest": self.longest[UDP], "errors": self.errors, **more})


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def receive(address, port):
    watch, family = Watch(), family_of(address)
    listener, datagrams = socket.socket(family, socket.SOCK_STREAM), socket.socket(family, socket.SOCK_DGRAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    datagrams.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    for s in (listener, datagrams):
        s.settimeout(DEADLINE_S)
        s.bind((address, port))
    listener.listen(1)
    print("ready", flush=True)
    stream = listener.accept()[0]
    stream.settimeout(DEADLINE_S)
    want, n, segments = int.from_bytes(stream.recv(8, socket.MSG_WAITALL), "big"), 0, {}
    tcp = hashlib.sha256()
    while n < want:
        piece = stream.recv(1 << 20)
        assert piece, f"the stream ends after {n} of {want} bytes"
        tcp.update(piece)
        n += len(piece)
    while sum(map(len, segments.values())) < want:
        segment = datagrams.recv(1 << 16)
        segments[segment[:4]] = segment
    udp = hashlib.sha256(b"".join(segments[k] for k in sorted(segments))).hexdigest()
    stream.send(b"all")
    print(watch.told(tcp=tcp.hexdigest(), udp=udp), flush=True)


def send(address, port, segment, n):
    watch, data = Watch(), random.Random(n).randbytes(n)
    stream = socket.create_connection((address, port), timeout=DEADLINE_S)
    stream.sendall(n.to_bytes(8, "big") + data)
    segments = [i.to_bytes(4, "big") + data[at:at + segment - 4] for i, at in enumerate(range(0, n, segment - 4))]
    whole = b"".join(segments)[:n]
    datagrams = socket.socket(family_of(address), socket.SOCK_DGRAM)
    datagrams.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
    step = SEND_MAX // segment * segment
    for at in range(0, n, step):
        datagrams.sendto(whole[at:at + step], (address, port))
    assert stream.recv(3, socket.MSG_WAITALL) == b"all"
    print(watch.told(tcp=hashlib.sha256(data).hexdigest(), udp=hashlib.sha256(whole).hexdigest()), flush=True)


if __name__ == "__main__":
    role, to, on, *numbers = sys.argv[1:]
    receive(to, int(on)) if role == "receive" else send(to, int(on), *map(int, numbers))
