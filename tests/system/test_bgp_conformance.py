# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of tests/lib/bgp_conformance.txt against a vnrs-speaker process: every line, to the last octet.

Lines that end a connection have one of their own each; all others of a kind of session share one: everything is said,
a ROUTE-REFRESH whose answer comes behind it all, then one look at what was learned and what the other peer was told.
"""
import collections
import os
import pathlib
import re
import struct

import pytest

import raw_peer
from raw_peer import KEEPALIVE, NOTIFICATION, OPEN, REFRESH, UPDATE, Closed, RawPeer, capability, message, mp
from speaker_harness import ADD_PATH, BIN, EXTENDED_MESSAGES, EXTENDED_NEXTHOP, PLAIN, Net, Peer, Speaker

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

ASN, EXTERNAL = 65515, 65001
LOCAL = "10.1.0.0/16"
TYPES = {"OPEN": 1, "UPDATE": 2, "UPDATE-RAW": 2, "UPDATE-SHORT": 2, "NOTIFICATION": 3, "KEEPALIVE": 4, "REFRESH": 5}
FEATURES = {"x": EXTENDED_MESSAGES, "X": EXTENDED_MESSAGES, "p": ADD_PATH, "n": EXTENDED_NEXTHOP}

Line = collections.namedtuple("Line", "number clause kind options state message outcome what")


def table():
    rows = []
    text = (pathlib.Path(__file__).resolve().parents[1] / "lib/bgp_conformance.txt").read_text()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            rows.append([field.strip() for field in line.split("|")])
    for number, (clause, sessions, states, said, outcome, what) in enumerate(rows, 1):
        kinds, _, options = sessions.partition(" ")
        for kind in kinds:
            for state in states:
                yield Line(number, clause, kind, options, state, said, outcome, what)


LINES = list(table())
SESSIONS = sorted({(line.kind, line.options) for line in LINES})


def prefix4(line):
    return f"100.{64 + line.number // 256}.{line.number % 256}.0/24"


def prefix6(line):
    return f"2001:db8:{line.number:x}::/48"


def words(line, text, msg=b""):
    """Octets of a field of the table."""
    names = {
        "MARK": "ff" * 16,
        "AS2": "ffeb" if line.kind == "i" else "fde9",
        "AS4": "0000ffeb" if line.kind == "i" else "0000fde9",
        "ORIGIN": "40010100",
        "PATH": "4002040201fde9" if "2" in line.options else "40020602010000fde9",
        "NEXTHOP": "4003040a00000a",
        "LP": "40050400000064" if line.kind == "i" else "",
        "NH6": "20010db8000000000000000000000001",
        "ID": "00000001",
        "PFX": raw_peer.prefix_bytes(prefix4(line)).hex(),
        "P6": raw_peer.prefix_bytes(prefix6(line)).hex(),
        "MSG": msg.hex(),
    }
    names["GOOD"] = "".join(names[n] for n in ("ORIGIN", "PATH", "NEXTHOP", "LP"))
    out = b""
    for word in text.split():
        times, _, octets = word.rpartition("*")
        out += bytes.fromhex(names.get(octets, octets)) * int(times or 1)
    return out


def build(line, said):
    name, _, body = said.partition(" ")
    if name == "RAW":
        return words(line, body)
    if name != "UPDATE":
        return message(TYPES[name], words(line, body))
    withdrawn, attrs, nlri = (words(line, field) for field in body.split(";"))
    return message(UPDATE, struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attrs)) + attrs + nlri)


def before(line):
    """What a line that makes prefixes go needs."""
    ident = "ID " if "p" in line.options else ""
    reach = f"{'800e20' if ident else '800e1c'} 0002 01 10 NH6 00 {ident}P6 ORIGIN PATH LP"
    return build(line, f"UPDATE ; GOOD ; {ident}PFX") + build(line, f"UPDATE ; {reach} ;")


@pytest.fixture(scope="module")
def net():
    with Net() as n:
        yield n


@pytest.fixture(scope="module")
def spk(net):
    with Speaker(net) as s:
        yield s


class Session:
    """Peer a of one kind and features, and b, which is external and hears what is told on."""

    def __init__(self, spk, net, kind, options):
        self.spk, self.net, self.kind, self.options = spk, net, kind, options
        self.asn = ASN if kind == "i" else EXTERNAL
        features = 0
        for letter in options:
            features |= FEATURES.get(letter, 0)
        spk.configure(asn=ASN, locals=[LOCAL], role=PLAIN, features=features, peers=[
            Peer("a", "10.0.0.10", self.asn, passive=True, max_prefixes=0),
            Peer("b", "10.0.0.11", 65002, passive=True, max_prefixes=0)])

    def caps(self):
        caps = [mp(afi) for afi, letter in ((1, "4"), (2, "6")) if letter not in self.options] + [capability(2)]
        if "2" not in self.options:
            caps.append(capability(65, struct.pack("!I", self.asn)))
        if "x" in self.options:
            caps.append(capability(6))
        if "p" in self.options:
            caps.append(capability(69, struct.pack("!HBBHBB", 1, 1, 3, 2, 1, 3)))
        if "n" in self.options:
            caps.append(capability(5, struct.pack("!HHH", 1, 1, 2)))
        return caps

    def open(self, state):
        """A connection of a in that state."""
        self.spk.clear("a")  # ends the wait after errors
        a = RawPeer(self.asn, "10.0.0.10", "10.0.0.4", netns=self.net.nva, add_path="p" in self.options,
                    as4="2" not in self.options)
        a.connect()
        a.expect(OPEN)
        if state != "S":
            a.send_open(hold=180, caps=self.caps())
            a.expect(KEEPALIVE)
        if state == "E":
            a.keepalive()
            self.wait_told(a, [LOCAL])
        return a

    @staticmethod
    def wait_told(peer, prefixes):
        while not set(prefixes) <= set(peer.rib):
            msg = peer.recv()
            assert msg.kind in (KEEPALIVE, UPDATE), f"{msg!r}"

    def barrier(self, peer):
        """Everything said before was handled: the answer to a ROUTE-REFRESH has come."""
        peer.rib.clear()
        peer.refresh()
        self.wait_told(peer, [LOCAL])


def check_ended(line, a, said):
    """The NOTIFICATION, or none, and the end of the connection."""
    got = []
    try:
        while True:
            msg = a.recv()
            if msg.kind not in (KEEPALIVE, UPDATE):
                got.append(msg)
    except Closed:
        pass
    if line.outcome == "closed":
        return None if not got else f"{got[0]!r}"
    code, subcode, data = re.fullmatch(r"(\d+)/(\d+) ?(.*)", line.outcome).groups()
    want = bytes([int(code), int(subcode)]) + words(line, data, said)
    if len(got) == 1 and got[0].kind == NOTIFICATION and got[0].body == want:
        return None
    return f"{got!r}, expected {want.hex()}"


def check_going_on(line, a):
    """A KEEPALIVE answers an OPEN; before Established nothing else can be asked."""
    try:
        a.expect(KEEPALIVE)
        return None
    except (Closed, AssertionError, TimeoutError) as e:
        return f"{e!r}"


def check_routes(line, learned, told):
    p4, p6, said = prefix4(line), prefix6(line), line.message.split()
    if line.outcome == "gone":
        left = [p for p, name in ((p4, "PFX"), (p6, "P6")) if name in said and p in learned]
        return f"{left} are still there" if left else None
    if line.outcome == "ignored":
        return f"told {told[p4].order}" if p4 in told else None
    if line.outcome.startswith("lacks"):
        return "it is there" if line.outcome.split()[1] in learned else None
    if line.outcome == "nothing":
        return None
    want4, want6 = "PFX" in said, "P6" in said and "6" not in line.options
    if (p4 in learned, p6 in learned) != (want4, want6):
        return f"learned: {p4 in learned}, {p6 in learned}"
    types = line.outcome[5:]
    if types and (p4 not in told or types != ",".join(map(str, told[p4].order))):
        return f"told {told[p4].order if p4 in told else 'nothing'}"
    return None


def ends(line):
    return line.outcome == "closed" or line.outcome[0].isdigit()


@pytest.mark.parametrize("kind,options", SESSIONS, ids=[f"{k}-{o or 'plain'}" for k, o in SESSIONS])
def test_lines(spk, net, kind, options):
    session = Session(spk, net, kind, options)
    mine = [line for line in LINES if (line.kind, line.options) == (kind, options)]
    wrong = []

    def judge(line, why):
        if why:
            wrong.append(f"{line.clause}, {line.state}, {line.what}: {why}")

    for line in mine:
        if line.state == "E" and not ends(line):
            continue
        a, said = session.open(line.state), build(line, line.message)
        a.send(said)
        judge(line, check_ended(line, a, said) if ends(line) else check_going_on(line, a))
        a.close()
    together = [line for line in mine if line.state == "E" and not ends(line)]
    if together:
        with RawPeer(65002, "10.0.0.11", "10.0.0.4", netns=net.nva) as b:
            b.connect().establish()
            a = session.open("E")
            a.send(b"".join(before(line) for line in together if line.outcome == "gone"))
            session.barrier(a)
            known = {p.prefix for p in spk.learned("a")}
            for line in together:
                if line.outcome == "gone":
                    assert {prefix4(line), prefix6(line)} <= known
            a.send(b"".join(build(line, line.message) for line in together))
            try:
                session.barrier(a)
            except (Closed, AssertionError) as e:
                wrong.append(f"the session ended: {e!r}")
            learned = {p.prefix for p in spk.learned("a")}
            session.wait_told(b, [p.prefix for p in spk.advertised("b")])
            for line in together:
                judge(line, check_routes(line, learned, b.rib))
            a.close()
    assert not wrong, "\n".join(wrong)
