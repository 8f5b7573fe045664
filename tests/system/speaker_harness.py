# SPDX-License-Identifier: GPL-2.0-or-later
"""Controller and agent of one vnrs-speaker, for tests: starts it with its socket pairs, speaks speaker_proto.h.

    with Net("vspk") as net, Speaker(net) as spk:
        spk.configure(asn=65515, local="10.0.0.4", peers=[Peer("nva", "10.0.0.10", 65001)], locals=["10.0.0.0/16"])
        spk.wait(lambda: spk.is_up("nva"))
        spk.routes            # prefix -> [(next hop, peer ASN, path length)], what the controller was told
        spk.peers["nva"]      # PeerState
        spk.learned("nva"), spk.advertised("nva"), spk.rib("10.9.0.0/16")   # lists of Path
        spk.clear("nva"), spk.refresh("nva")
        spk.hello()           # as a new controller: everything is told anew
        spk.configure(…, peers=[Peer("nva", "10.0.0.10", 65001, in_map=1)], maps=[("m", "a! ~p:10.9.0.0/16 drop")])
        spk.terminate()

Route maps are written as in tests/unit/bgp/test_map_text.h: rules apart by ';', each a name ('!': Terminate), criteria
(= Equals, ~ Contains, != NotEquals, !~ NotContains) and actions (+ Add, - Remove, > Replace, drop) of p: prefixes, c:
communities, a: AS paths.

Clock(directory).env for Speaker(env=…) makes a speaker whose monotonic clock the test moves on: clock.forward(seconds).

Net is two namespaces joined by a veth: net.rs has 10.0.0.4/24 (the speaker's sockets), net.nva 10.0.0.10 to .14.
"""
import ipaddress
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections import namedtuple
from dataclasses import dataclass

from patience import PATIENCE
from raw_peer import in_netns, tcp_socket

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("VNRS_BIN_DIR", ROOT / "build/dev/bin"))

(HELLO, CONFIG_BEGIN, OWN, PEER_CONFIG, CONFIG_END, PEER, ROUTES, SYNCED, CONVERGED, QUERY, PATHS, QUERY_END, ACTION,
 SOCKET, MAP, MAP_RULE, MAP_ITEM, DETAIL, SETS, DOWN, BMP, DUMP, DUMP_DATA, DUMP_END, NEXT) = range(1, 26)
STATES = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"]
LEARNED, ADVERTISED, RIB, PEER_DETAIL = 1, 2, 3, 4
PROTO = 7
EXTENDED_MESSAGES, ENHANCED_REFRESH, GRACEFUL_RESTART, ADD_PATH, EXTENDED_NEXTHOP = 1, 2, 4, 8, 16  # features
RESTARTED, FORWARDING_KEPT = 1, 2
PLAIN, ROUTE_SERVER, VPN_GATEWAY, ER_GATEWAY, MSEE = range(5)  # roles
TO_OUTSIDE, TO_ROUTE_SERVER, TO_VPN_GATEWAY, TO_ER_GATEWAY, TO_MSEE, TO_TWIN = range(6)  # kinds of peers
PREFER_EXPRESSROUTE, PREFER_VPN, PREFER_AS_PATH = range(3)
OWN_RANGE, OWN_CUSTOM, OWN_STATIC = range(3)  # kinds of prefixes that the instance originates

HDR = struct.Struct("=HHIQ")
S_HELLO = struct.Struct("=QiI")
S_CONFIG = struct.Struct("=II17sBBBIHBB")
S_OWN = struct.Struct("=18sBx")
S_PEER_CONFIG = struct.Struct("=64s17sBHHHIIBBBB84sHHIIBBBB17sBHH2x")
S_BFD = struct.Struct("=8BiIIII4xQQQ")
S_PEER = struct.Struct(f"=64s17sBBBIQIIIIHHIII320s{S_BFD.size}s")
S_NEXTHOP = struct.Struct("=17s3xIQ")
S_SET = struct.Struct("=I4x")
S_ROUTE = struct.Struct("=18s2xI")
S_DOWN = struct.Struct("=Q")
S_SYNCED = struct.Struct("=QII")
S_QUERY = struct.Struct("=II64s18s2x")
S_PATH = struct.Struct("=I18s17sBBBHI64s128s192s")
S_DETAIL = struct.Struct("=IIII5I5I2I2I2IIIHHHHHBBBBH4080sQQ320s320s")
S_QUERY_END = struct.Struct("=Ii")
S_ACTION = struct.Struct("=I64s256s")
S_MAP = struct.Struct("=64sI")
S_MAP_RULE = struct.Struct("=64sIB3x")
S_MAP_ITEM = struct.Struct("=BBBBH18sI")
S_BMP = struct.Struct("=64s17sBHH2x")
S_DUMP = struct.Struct("=IIII64s")
S_DUMP_PIECE = struct.Struct("=IH2x1016s")
S_DUMP_END = struct.Struct("=Ii")
DUMP_TABLE, DUMP_UPDATES, DUMP_MORE, DUMP_STOP = range(1, 5)
S_SOCKET = struct.Struct("=IIIi")
UDP = 1  # kind of socket
BMP_PRE_POLICY, BMP_POST_POLICY, BMP_LOC_RIB, BMP_ADJ_RIB_OUT = 1, 2, 4, 8
PATHS_MAX = 16
SET_BYTES = S_SET.size + PATHS_MAX * S_NEXTHOP.size

PeerState = namedtuple("PeerState", "name addr state eor stale asn established_ms received advertised messages_in "
                       "messages_out hold keepalive flaps router_id remote_asn last_error bfd")
# Bits of enum vnrs_spk_cap: a set of names each in announced, received, in_use.
CAPS = ["as4", "refresh", "enhanced-refresh", "extended-messages", "graceful-restart", "gr-notification", "gr-restarted",
        "extended-nexthop", "ipv4", "ipv6", "gr-ipv4", "gr-ipv6", "forwarding-ipv4", "forwarding-ipv6", "add-path-rx-ipv4",
        "add-path-rx-ipv6", "add-path-tx-ipv4", "add-path-tx-ipv6", "bfd-strict"]
Detail = namedtuple("Detail", "announced received in_use messages_in messages_out paths accepted advertised queued "
                    "hold_left_ms local_port remote_port hold_remote gr_time_local gr_time_remote opened_by error_by "
                    "error_code error_subcode error_data error_ms reset_ms error_text reset_text")
BfdState = namedtuple("BfdState", "configured state remote_state diag remote_diag failure remote_multiplier independent "
                      "error failures tx_us detection_us discarded packets_in packets_out changed_ms")
BFD_STATES = ["AdminDown", "Down", "Init", "Up"]
Path = namedtuple("Path", "prefix nexthop origin best lost_at weight med peer as_path note")


def pack_addr(text):
    a = ipaddress.ip_address(text)
    return bytes([a.version]) + a.packed.ljust(16, b"\0")


def unpack_addr(raw):
    return "" if not raw[0] else str(ipaddress.ip_address(raw[1:5] if raw[0] == 4 else raw[1:17]))


def pack_prefix(text):
    n = ipaddress.ip_network(text)
    return bytes([n.version, n.prefixlen]) + n.network_address.packed.ljust(16, b"\0")


def unpack_prefix(raw):
    return f"{ipaddress.ip_address(raw[2:6] if raw[0] == 4 else raw[2:18])}/{raw[1]}"


def unpack_text(raw):
    return raw.split(b"\0", 1)[0].decode()


@dataclass
class Peer:
    name: str
    addr: str
    asn: int
    passive: bool = False
    hold: int = 180
    keepalive: int = 60
    port: int = 0
    max_prefixes: int = 4000
    ttl: int = 0
    shutdown: bool = False
    ttl_min: int = 0
    md5: str = ""
    delay_open: int = 0
    in_map: int = 0
    out_map: int = 0
    bfd: tuple = (0, 0, 0)  # milliseconds to send and to receive, multiplier; 0: none
    multihop: bool = True
    bfd_ttl_min: int = 0
    strict: bool = False
    local: str = ""  # in place of the instance's address
    kind: int = TO_OUTSIDE
    min_hold: int = 0
    weight: int = 0

    def pack(self):
        return S_PEER_CONFIG.pack(self.name.encode(), pack_addr(self.addr), self.passive, self.hold, self.keepalive,
                                  self.port, self.asn, self.max_prefixes, self.ttl, self.shutdown, self.ttl_min,
                                  self.delay_open, self.md5.encode(), self.in_map, self.out_map, self.bfd[0] * 1000,
                                  self.bfd[1] * 1000, self.bfd[2], self.multihop, self.bfd_ttl_min, self.strict,
                                  pack_addr(self.local) if self.local else bytes(17), self.kind, self.min_hold,
                                  self.weight)


SIGNS = [("!=", 0, 2), ("!~", 0, 3), ("=", 0, 0), ("~", 0, 1), ("+", 1, 1), ("-", 1, 3), (">", 1, 2), ("drop", 1, 0)]


def map_items(part, word):
    """One criterion or action of a rule as MAP_ITEMs."""
    sign, is_action, what = next(s for s in SIGNS if word.startswith(s[0]))
    prop, _, values = word[len(sign):].partition(":")
    kind = {"": 0, "p": 1, "c": 2, "a": 3}[prop]
    for value in filter(None, values.split(",")):
        high, _, low = value.partition(":")
        number = 0 if kind == 1 else int(value) if kind == 3 else int(high) << 16 | int(low)
        yield S_MAP_ITEM.pack(is_action, what, kind, 0, part, pack_prefix(value) if kind == 1 else bytes(18), number)
    if not values:
        yield S_MAP_ITEM.pack(is_action, what, kind, 1, part, bytes(18), 0)


def pack_maps(maps):
    """(MAPs, MAP_RULEs, MAP_ITEMs) of [(name, text)…]."""
    heads, rules, items = [], [], []
    for name, text in maps:
        written = [r.split() for r in text.split(";") if r.strip()]
        heads.append(S_MAP.pack(name.encode(), len(written)))
        for rule, *words in written:
            mine = [item for part, word in enumerate(words) for item in map_items(part, word)]
            rules.append(S_MAP_RULE.pack(rule.rstrip("!").encode(), len(mine), rule.endswith("!")))
            items += mine
    return heads, rules, items


def sh(*args):
    subprocess.run([str(a) for a in args], check=True, stdout=subprocess.DEVNULL)


class Net:
    """Two namespaces and a veth. `prefix` and the pid make the names."""

    def __init__(self, prefix="vspk", rs="10.0.0.4", nva=tuple(f"10.0.0.{i}" for i in range(10, 15)), v6=False):
        self.rs, self.nva = f"{prefix}-{os.getpid()}-rs", f"{prefix}-{os.getpid()}-nva"
        self.rs_addr, self.nva_addrs, self.v6 = rs, nva, v6

    def __enter__(self):
        sh("ip", "netns", "add", self.rs)
        sh("ip", "netns", "add", self.nva)
        sh("ip", "link", "add", "eth0", "netns", self.rs, "type", "veth", "peer", "name", "eth0", "netns", self.nva)
        for ns, addrs in ((self.rs, [self.rs_addr]), (self.nva, self.nva_addrs)):
            for addr in addrs:
                sh("ip", "-n", ns, "addr", "add", f"{addr}/24", "dev", "eth0")
            sh("ip", "-n", ns, "link", "set", "lo", "up")
            sh("ip", "-n", ns, "link", "set", "eth0", "up")
            if self.v6:
                host = 4 if ns == self.rs else 10
                sh("ip", "-n", ns, "addr", "add", f"fd00::{host}/64", "dev", "eth0", "nodad")
        return self

    def link(self, up):
        sh("ip", "-n", self.nva, "link", "set", "eth0", "up" if up else "down")

    def __exit__(self, *_):
        for ns in (self.rs, self.nva):
            subprocess.run(["ip", "netns", "del", ns], check=False)


class Clock:
    """Of a speaker that was given `env`; `directory` outlives it."""

    def __init__(self, directory):
        self.file, library = pathlib.Path(directory) / "clock", pathlib.Path(directory) / "clock_shift.so"
        self.seconds = 0
        self.forward(0)
        sh("cc", "-shared", "-fPIC", "-O1", "-o", library, pathlib.Path(__file__).with_name("clock_shift.c"))
        linked = subprocess.run(["ldd", BIN / "vnrs-speaker"], capture_output=True, text=True).stdout
        first = re.findall(r"\S*/libasan\S*", linked)  # it insists
        self.env = {"LD_PRELOAD": " ".join([*first, str(library)]), "CLOCK_SHIFT": str(self.file)}

    def forward(self, seconds):
        self.seconds += seconds
        with open(self.file, "r+b" if self.file.exists() else "wb") as f:
            f.write(struct.pack("=q", self.seconds))


class Dump:
    def __init__(self, spk, ident, credit):
        self.spk, self.id, self.credit, self.bytes, self.error = spk, ident, credit, bytearray(), None

    def more(self, credit):
        self.credit += credit
        self.spk.send(DUMP, 1, S_DUMP.pack(self.id, DUMP_MORE, credit, 0, b""))

    def stop(self):
        self.spk.send(DUMP, 1, S_DUMP.pack(self.id, DUMP_STOP, 0, 0, b""))


class Speaker:
    def __init__(self, net, name="test/0", listen=True, uid=None, env=None):
        self.uid = uid  # run as that user, as the agent does; None: as ourselves
        self.env = env or {}  # what its environment has beyond ours
        self.net, self.generation, self.log = net, 0, tempfile.TemporaryFile("w+")
        self.control, control_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.agent, agent_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # listen: True for the instance's address, or another one
        listener = tcp_socket(net.rs, net.rs_addr if listen is True else listen, 179, listen=True) if listen else None
        children = [control_child, agent_child] + ([listener] if listener else [])
        self.process = self._spawn(name, [s.fileno() for s in children])
        for s in children:
            s.close()
        self.agent_requests = 0
        self.agent_refuses = False
        self.reset_state()
        threading.Thread(target=self._serve_agent, daemon=True).start()

    def _spawn(self, name, fds):
        def arrange():  # the descriptors to 3, 4, 5, whatever numbers they have now
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
                os.close(fd)
            os.closerange(3 + len(fds), 200)
            if self.uid is not None:
                os.setgroups([])
                os.setresgid(self.uid, self.uid, self.uid)
                os.setresuid(self.uid, self.uid, self.uid)

        return subprocess.Popen([BIN / "vnrs-speaker", name], preexec_fn=arrange, close_fds=False, stdout=self.log,
                                stderr=self.log, env={**os.environ, **self.env})

    def __enter__(self):
        self.hello()
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.agent.close()
        self.control.close()
        log = self.logged()
        assert "Sanitizer" not in log and "runtime error" not in log, log

    def logged(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def terminate(self, sig=signal.SIGTERM, timeout=10):
        self.process.send_signal(sig)
        return self.process.wait(timeout * PATIENCE)

    # --- the agent's side: a socket of the namespace for each request
    def _serve_agent(self):
        while True:
            try:
                msg = self.agent.recv(4096)
            except OSError:
                return
            if not msg:
                return
            ident, family, kind, _ = S_SOCKET.unpack(msg[HDR.size:])
            self.agent_requests += 1
            if self.agent_refuses:
                self.agent.send(HDR.pack(PROTO, SOCKET, 1, 0) + S_SOCKET.pack(ident, family, kind, -1))
                continue
            af = socket.AF_INET if family == 4 else socket.AF_INET6
            s = in_netns(self.net.rs, lambda: socket.socket(af, socket.SOCK_DGRAM if kind == UDP else socket.SOCK_STREAM))
            try:
                socket.send_fds(self.agent, [HDR.pack(PROTO, SOCKET, 1, 0) + S_SOCKET.pack(ident, family, kind, 0)],
                                [s.fileno()])
            except OSError:
                return
            finally:
                s.close()

    # --- the controller's side
    def reset_state(self):
        self.peers, self.routes, self.synced, self.converged = {}, {}, None, False
        self.details = []
        self.paths, self.query_ends, self.speaker_pid, self.route_messages = [], {}, None, 0
        self.alone = 0  # SETS without ROUTES in the same datagram
        self.sets, self.downs, self.heirs = [], (), []
        self.dumps = {}

    def send(self, kind, count=0, body=b"", generation=None):
        self.control.send(HDR.pack(PROTO, kind, count, self.generation if generation is None else generation) + body)

    def hello(self, timeout=10):
        self.generation += 1
        self.reset_state()
        self.send(HELLO, 1, S_HELLO.pack(self.generation, os.getpid(), 0))
        self.wait(lambda: self.synced is not None, timeout)

    def configure(self, asn=65515, local=None, router_id=None, peers=(), locals=(), role=ROUTE_SERVER,
                  connect_retry_ms=500, features=0, restart=0, restart_s=0, maps=(), stations=(), statics=(),
                  branch_to_branch=False, preference=PREFER_EXPRESSROUTE):
        local = local or self.net.rs_addr
        rid = int(ipaddress.IPv4Address(router_id or (local if ":" not in local else "10.0.0.4")))
        self.converged = False
        self.send(CONFIG_BEGIN, 1, S_CONFIG.pack(asn, rid, pack_addr(local), role, features, restart,
                                              connect_retry_ms, restart_s, branch_to_branch, preference))
        own = [(p, OWN_RANGE) for p in locals] + [(p, OWN_STATIC) for p in statics]
        if own:
            self.send(OWN, len(own), b"".join(S_OWN.pack(pack_prefix(p), kind) for p, kind in own))
        for kind, structs in zip((MAP, MAP_RULE, MAP_ITEM), pack_maps(maps)):
            if structs:
                self.send(kind, len(structs), b"".join(structs))
        if peers:
            self.send(PEER_CONFIG, len(peers), b"".join(p.pack() for p in peers))
        for addr, port, ribs, *every_s in stations:
            self.send(BMP, 1, S_BMP.pack(b"test/0", pack_addr(addr), ribs, port, *(every_s or [0])))
        self.send(CONFIG_END)
        self.query(RIB, prefix="0.0.0.0/32")  # answered once the configuration is in force

    def pump(self, timeout=0.0):
        """Handles what the speaker said; waits at most `timeout` for the first message."""
        while select.select([self.control], [], [], timeout)[0]:
            timeout = 0.0
            msg = self.control.recv(65536)
            if not msg:
                raise EOFError("the speaker is gone\n" + self.logged())
            assert len(msg) <= 32768
            while msg:
                proto, kind, count, generation = HDR.unpack(msg[:HDR.size])
                assert proto == PROTO
                end = HDR.size + count * SET_BYTES if kind == SETS else len(msg)  # another one only behind SETS
                if generation == self.generation:
                    self.alone += kind == SETS and end == len(msg)
                    self._take(kind, count, msg[HDR.size:end])
                msg = msg[end:]

    def _take(self, kind, count, body):
        if kind == HELLO:
            _, self.speaker_pid, _ = S_HELLO.unpack(body)
        elif kind == PEER:
            assert len(body) == count * S_PEER.size
            for raw in S_PEER.iter_unpack(body):
                bfd = BfdState(*S_BFD.unpack(raw[-1]))
                bfd = bfd._replace(state=BFD_STATES[bfd.state], remote_state=BFD_STATES[bfd.remote_state])
                p = PeerState(unpack_text(raw[0]), unpack_addr(raw[1]), STATES[raw[2]], *raw[3:-2], unpack_text(raw[-2]), bfd)
                self.peers[p.name] = p
        elif kind == SETS:
            assert len(body) == count * SET_BYTES
            self.sets = [self._unpack_set(body[i * SET_BYTES:(i + 1) * SET_BYTES]) for i in range(count)]
        elif kind == ROUTES:
            assert len(body) == count * S_ROUTE.size
            self.route_messages += 1
            for prefix, number in S_ROUTE.iter_unpack(body):
                if number:
                    self.routes[unpack_prefix(prefix)] = self.sets[number - 1]
                else:
                    self.routes.pop(unpack_prefix(prefix), None)
        elif kind == DOWN:
            self.downs += S_DOWN.unpack(body)
        elif kind == NEXT:
            size = 2 * SET_BYTES + 8
            assert len(body) == count * size
            for at in range(0, len(body), size):
                was, to = self._unpack_set(body[at:]), self._unpack_set(body[at + SET_BYTES:], may_be_empty=True)
                self.heirs.append((was, None if body[at + 2 * SET_BYTES] else to))  # None: not the same for all
        elif kind == SYNCED:
            self.synced = S_SYNCED.unpack(body)
        elif kind == CONVERGED:
            self.converged = True
        elif kind == PATHS:
            assert len(body) == count * S_PATH.size
            for q, prefix, nh, origin, best, lost, weight, med, peer, path, note in S_PATH.iter_unpack(body):
                self.paths.append((q, Path(unpack_prefix(prefix), unpack_addr(nh), origin, best, lost, weight, med,
                                           unpack_text(peer), unpack_text(path), unpack_text(note))))
        elif kind == DETAIL:
            self.details.append(self._detail(S_DETAIL.unpack(body)))
        elif kind == QUERY_END:
            q, error = S_QUERY_END.unpack(body)
            self.query_ends[q] = error
        elif kind == DUMP_DATA:
            assert len(body) == count * S_DUMP_PIECE.size
            for ident, length, raw in S_DUMP_PIECE.iter_unpack(body):
                dump = self.dumps[ident]
                dump.bytes += raw[:length]
                assert dump.error is None and 0 < length and len(dump.bytes) <= dump.credit
        elif kind == DUMP_END:
            ident, error = S_DUMP_END.unpack(body)
            assert self.dumps[ident].error is None
            self.dumps[ident].error = error
        else:
            raise AssertionError(f"unexpected message {kind}")

    @staticmethod
    def _detail(v):
        caps = [frozenset(name for i, name in enumerate(CAPS) if bits >> i & 1) for bits in v[1:4]]
        fields = v[20:31]
        return Detail(*caps, v[4:9], v[9:14], v[14:16], v[16:18], v[18:20], *fields, v[32][:v[31]], *v[33:35],
                      unpack_text(v[35]), unpack_text(v[36]))

    @staticmethod
    def _unpack_set(raw, may_be_empty=False):
        hops = [S_NEXTHOP.unpack_from(raw, S_SET.size + i * S_NEXTHOP.size) for i in range(S_SET.unpack_from(raw)[0])]
        assert (hops or may_be_empty) and all(sources for _, _, sources in hops)
        return sorted((unpack_addr(nh), length) for nh, length, _ in hops)

    def wait(self, check, timeout=15, what=None):
        """Until check() is true, handling messages meanwhile."""
        begin = time.monotonic()
        timeout *= PATIENCE
        while True:
            self.pump()
            if check():
                return
            if time.monotonic() - begin > timeout:
                raise AssertionError(f"{what or 'condition'}: not within {timeout} s; peers {self.peers}, "
                                     f"{len(self.routes)} routes\n{self.logged()}")
            self.pump(0.01)

    def is_up(self, name):
        return name in self.peers and self.peers[name].state == "Established"

    def hops(self, prefix):
        return [h[0] for h in self.routes.get(prefix, [])]

    def query(self, kind, peer="", prefix=None, timeout=10):
        ident = len(self.query_ends) + 1000
        raw = pack_prefix(prefix) if prefix else bytes(18)
        self.send(QUERY, 1, S_QUERY.pack(ident, kind, peer.encode(), raw))
        self.wait(lambda: ident in self.query_ends, timeout, "query")
        if self.query_ends[ident]:
            raise OSError(-self.query_ends[ident], os.strerror(-self.query_ends[ident]))
        return [p for q, p in self.paths if q == ident]

    def learned(self, peer):
        return self.query(LEARNED, peer)

    def advertised(self, peer):
        return self.query(ADVERTISED, peer)

    def rib(self, prefix=None):
        return self.query(RIB, prefix=prefix)

    def detail(self, peer):
        self.details.clear()
        self.query(PEER_DETAIL, peer)
        return self.details[-1]

    def clear(self, peer="", text=""):
        self.send(ACTION, 1, S_ACTION.pack(1, peer.encode(), text.encode()))

    def dump(self, kind, credit=1 << 20, view="test"):
        """Begins an MRT dump; `more` and `stop` are for it, `bytes` is what came, `error` is set at its end."""
        dump = Dump(self, len(self.dumps) + 1, credit)
        self.dumps[dump.id] = dump
        self.send(DUMP, 1, S_DUMP.pack(dump.id, kind, credit, 0, view.encode()))
        return dump

    def table(self, view="test"):
        """The whole table, with credit given as it comes."""
        dump = self.dump(DUMP_TABLE, 100000, view)

        def done():
            if dump.credit - len(dump.bytes) < 50000:
                dump.more(100000)
            return dump.error is not None
        self.wait(done, 60, "dump")
        assert dump.error == 0
        return bytes(dump.bytes)

    def refresh(self, peer=""):
        self.send(ACTION, 1, S_ACTION.pack(2, peer.encode(), b""))
