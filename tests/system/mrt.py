# SPDX-License-Identifier: GPL-2.0-or-later
"""MRT files (RFC 6396), read by Debian's bgpdump and by a strict decoder of our own."""
import ipaddress
import shutil
import struct
import subprocess
from collections import namedtuple

TABLE_DUMP_V2, BGP4MP = 13, 16
PEER_INDEX, RIB4, RIB6 = 1, 2, 4
MESSAGE, MESSAGE_AS4, STATE_AS4 = 1, 4, 5

Record = namedtuple("Record", "time type subtype body")
Entry = namedtuple("Entry", "peer asn prefix attrs time")


def records(raw):
    at = 0
    while at < len(raw):
        when, kind, subtype, length = struct.unpack_from("!IHHI", raw, at)
        at += 12 + length
        assert at <= len(raw), "the last record is cut off"
        yield Record(when, kind, subtype, raw[at - length:at])


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def take(self, n):
        self.at += n
        assert self.at <= len(self.body)
        return self.body[self.at - n:self.at]

    def unpack(self, form):
        return struct.unpack("!" + form, self.take(struct.calcsize("!" + form)))

    def addr(self, version):
        return str(ipaddress.ip_address(self.take(16 if version == 6 else 4)))

    def end(self):
        assert self.at == len(self.body), f"{len(self.body) - self.at} octets too many"


def peers(body):
    r = Reader(body)
    collector, view_len = r.unpack("4sH")
    view = r.take(view_len).decode()
    out = []
    for _ in range(*r.unpack("H")):
        kind, ident = r.unpack("B4s")
        assert kind & 2, "ASNs of four octets"
        addr = r.addr(6 if kind & 1 else 4)
        out.append((addr, r.unpack("I")[0], str(ipaddress.ip_address(ident))))
    r.end()
    return str(ipaddress.ip_address(collector)), view, out


def table(raw):
    """(view, peers, entries) of one table dump; everything in it must be known and add up."""
    it = records(raw)
    first = next(it)
    assert (first.type, first.subtype) == (TABLE_DUMP_V2, PEER_INDEX)
    _, view, index = peers(first.body)
    entries = []
    for number, rec in enumerate(it):
        assert rec.type == TABLE_DUMP_V2 and rec.subtype in (RIB4, RIB6)
        v6 = rec.subtype == RIB6
        r = Reader(rec.body)
        sequence, bits = r.unpack("IB")
        assert sequence == number
        prefix = ipaddress.ip_network((r.take((bits + 7) // 8).ljust(16 if v6 else 4, b"\0"), bits))
        (n,) = r.unpack("H")
        assert n
        for _ in range(n):
            peer, when, length = r.unpack("HIH")
            entries.append(Entry(*index[peer][:2], str(prefix), r.take(length), when))
        r.end()
    return view, index, entries


def without_mp_reach(attrs):
    """Of a RIB entry, where it has the next hop only and comes first."""
    return attrs[3 + attrs[2]:] if attrs[1] == 14 else attrs


def session(rec):
    """(peer ASN, local ASN, peer, local, rest) of a BGP4MP record."""
    assert rec.type == BGP4MP
    r = Reader(rec.body)
    peer_asn, local_asn, _, afi = r.unpack("IIHH" if rec.subtype in (MESSAGE_AS4, STATE_AS4) else "HHHH")
    peer, local = r.addr(6 if afi == 2 else 4), r.addr(6 if afi == 2 else 4)
    return peer_asn, local_asn, peer, local, r.body[r.at:]


def bgpdump(path):
    """Lines of `bgpdump -m` without the time, split; None where it is not installed."""
    if not shutil.which("bgpdump"):
        return None
    p = subprocess.run(["bgpdump", "-m", str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert "unknown" not in p.stderr.lower() and "warn" not in p.stderr.lower(), p.stderr
    return [[line.split("|")[0], *line.split("|")[2:]] for line in p.stdout.splitlines()]
