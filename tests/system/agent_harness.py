# SPDX-License-Identifier: GPL-2.0-or-later
"""A controller for tests: starts a vnrsd with --agent-fd and speaks agent_proto.h to it.

    with Agent(run_dir) as agent:
        agent.ensure("lab", NETNS, "vm1", netns_spec())   # -> "created", "changed", "unchanged"
        agent.list("lab")                                 # {(type, key): Found}
        agent.wait_event(SUSPECT, "lab")
        agent.kill()                                      # kill -9; a new Agent on the same run_dir goes on
"""
import errno
import ipaddress
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time
from collections import namedtuple

from patience import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("VNRS_BIN_DIR", ROOT / "build/dev/bin"))

(HELLO, RECORD, ENSURE, REMOVE, LIST, OBJECT, FIB, COUNTERS, COUNTER, PROBE, PROBED, REPLY, SPEAKER_MSG,
 EVENT, FLOWS, FLOW_EVENTS) = range(1, 17)
FABRIC, NETNS, LINK, ROUTE, SNAT, TABLE, PROC, SPEAKER, IMPAIR = range(1, 10)
OUTCOMES = ["unchanged", "created", "changed", "removed", "behind"]
OURS, SELF, PATH, PID, CONTAINER = range(5)
EBPF, KERNEL = 0, 1
FORWARD, CARRIER = 1, 2
PLAIN, NIC, TUNNEL_LINK = range(3)
FRR, BIRD, EXEC, STRONGSWAN = 1, 2, 3, 7
SUSPECT, EXITED, TUNNEL = 1, 2, 3
(T_NONE, T_UP, T_CONNECTING, T_NOT_RUNNING, T_NO_ANSWER, T_KEY, T_PROPOSAL, T_FAILED) = range(8)
FIB_BEGIN, FIB_GROUPS, FIB_ROUTES, FIB_NICS, FIB_ENDPOINTS, FIB_ACLS, FIB_END, FIB_FLUSH, FIB_SETTLE = range(1, 10)
MSG_MAX = 131072
PROTO = 5
FABRIC_MAC = bytes.fromhex("123456789abc")

HDR = struct.Struct("=HHIII")
S_OBJ = struct.Struct("=48s112sI4x")
S_REPLY = struct.Struct("=iIQ256s")
S_FOUND = struct.Struct("=48s112sI4xIII")
S_EVENT = struct.Struct("=II48s112sI4x120s")
S_SPEAKER = struct.Struct("=48s112sI4xi")
S_RECORD = struct.Struct("=48sII")
S_PROBE = struct.Struct("=I40s200s")
S_COUNTER = struct.Struct("=HHIQQ")

Found = namedtuple("Found", "ifindex running tunnel")
Event = namedtuple("Event", "kind lab key type text tunnel")
Speaker = namedtuple("Speaker", "key pid fd")
Reply = namedtuple("Reply", "error outcome writes text items")


class AgentError(Exception):
    def __init__(self, reply):
        super().__init__(f"{errno.errorcode.get(-reply.error, reply.error)}: {reply.text}")
        self.errno, self.text = -reply.error, reply.text


def text(raw):
    return raw.split(b"\0", 1)[0].decode()


def addr(a):
    if not a:
        return bytes(17)
    ip = ipaddress.ip_address(a)
    return bytes([ip.version]) + ip.packed.ljust(16, b"\0")


def prefix(p):
    net = ipaddress.ip_network(p)
    return bytes([net.version, net.prefixlen]) + net.network_address.packed.ljust(16, b"\0")


def ns(name="", kind=OURS, pid=0):
    return struct.pack("=B3xi120s", kind, pid, name.encode())


def fabric(dataplane=EBPF):
    return struct.pack("=I", dataplane)


def netns(flags=0):
    return struct.pack("=I", flags)


def end(where, ifname, addrs=(), ifindex=0, mac=bytes(6)):
    where = ns(where) if isinstance(where, str) else where
    out = where + struct.pack("=16sI6sBx", ifname.encode(), ifindex, mac, len(addrs))
    for a in addrs:
        i = ipaddress.ip_interface(a)
        out += addr(i.ip) + bytes([i.network.prefixlen]) + bytes(2)
    return out.ljust(128 + 28 + 16 * 20, b"\0")


def link(a, b, mtu=1500, kind=0, down=0):
    return a + b + struct.pack("=III", mtu, kind, down)


def nic(where, key, ifindex, addrs, mtu=1500, ifname="eth0"):
    mac = bytes([2]) + ifindex.to_bytes(5, "big")
    return link(end("", f"v{ifindex}", ifindex=ifindex, mac=FABRIC_MAC), end(where, ifname, addrs, mac=mac), mtu, 1)


def route(where, ifname, to, via=(), metric=0, refuse=0):
    out = ns(where) + struct.pack("=16s", ifname.encode()) + prefix(to)
    out += b"".join(addr(v) for v in via).ljust(4 * 17, b"\0") + bytes(64) + bytes([len(via), refuse])
    return out + struct.pack("=I", metric)


def snat(where, ifname, sources, ike_peer=None, ike_inside=None):
    out = ns(where) + struct.pack("=16sI", ifname.encode(), len(sources))
    return out + b"".join(prefix(s) for s in sources).ljust(32 * 18, b"\0") + addr(ike_peer) + addr(ike_inside) + bytes(2)


def table(where, ifname, domain, number=254, metric=100, protocol=157, gw4=None, gw6=None, onlink=1, by_link=0, from_link=0):
    where = ns(where) if isinstance(where, str) else where
    return (where + struct.pack("=16sIIII", ifname.encode(), domain, number, metric, protocol) + addr(gw4) + addr(gw6) +
            bytes([onlink, by_link, 0]) + bytes(17 * 16) + bytes([from_link, 0, 0]))


def proc(where, kind):
    return ns(where) + struct.pack("=I", kind)


def speaker(where, listen=None, optional=0):
    where = ns(where) if isinstance(where, str) else where
    return where + addr(listen) + bytes(3) + struct.pack("=I", optional)


def argv(*args):
    return b"".join(a.encode() + b"\0" for a in args)


def fib_member(kind, vnet=0, ifindex=0, via=None):
    return struct.pack("=B3xII", kind, vnet, ifindex) + addr(via) + bytes(3)


def fib_group(handle, members):
    return struct.pack("=II", handle, len(members)) + b"".join(members).ljust(64 * 32, b"\0")


def fib_route(domain, group, to, kind):
    return struct.pack("=II", domain, group) + prefix(to) + bytes([kind, 0])


class Agent:
    def __init__(self, run_dir, binary=None, hello=True, cmd=()):
        self.run_dir = pathlib.Path(run_dir)
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log = open(self.run_dir.with_suffix(".log"), "a+")
        self.seq = 0
        self.events, self.speakers, self.records = [], {}, {}
        args = [*cmd, str(binary or BIN / "vnrsd"), "--run-dir", str(run_dir), "--log-level", "debug", "--agent-fd",
                str(theirs.fileno())]
        self.process = subprocess.Popen(args, pass_fds=[theirs.fileno()], stdout=self.log, stderr=self.log)
        theirs.close()
        if hello:
            self.hello()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.process.wait(20 * PATIENCE)
        self.close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait(10 * PATIENCE)
        self.close()

    def close(self):
        for s in self.speakers.values():
            if s.fd is not None:
                os.close(s.fd)
        self.speakers = {}
        self.sock.close()

    def logged(self):
        return pathlib.Path(self.log.name).read_text()

    # Messages

    def send(self, kind, fixed=b"", data=b"", count=None, spec=b""):
        self.seq += 1
        n = (1 if fixed else 0) if count is None else count
        self.sock.send(HDR.pack(PROTO, kind, self.seq, n, len(data)) + fixed + spec + data)
        return self.seq

    def receive(self, timeout):
        """Handle one message; returns it as (type, seq, count, body), or None after the timeout."""
        if not select.select([self.sock], [], [], timeout)[0]:
            return None
        try:
            raw, fds, _, _ = socket.recv_fds(self.sock, MSG_MAX, 4)
        except ConnectionResetError:
            raw = b""
        if not raw:
            raise ConnectionError("the agent is gone: " + self.logged()[-2000:])
        proto, kind, seq, count, size = HDR.unpack_from(raw)
        body = raw[HDR.size:]
        assert proto == PROTO
        if kind == EVENT:
            k, tunnel, lab, key, typ, why = S_EVENT.unpack(body)
            self.events.append(Event(k, text(lab), text(key), typ, text(why), tunnel))
        elif kind == SPEAKER_MSG:
            _, key, _, pid = S_SPEAKER.unpack(body)
            assert len(fds) == 1
            self.speakers[text(key)] = Speaker(text(key), pid, fds[0])
        elif kind == RECORD:
            lab, total, offset = S_RECORD.unpack_from(body)
            have = self.records.get(text(lab), b"") if offset else b""
            assert offset == len(have)
            self.records[text(lab)] = have + body[S_RECORD.size:]
        return kind, seq, count, body

    def answer(self, seq, timeout=60):
        items, deadline = [], time.monotonic() + timeout * PATIENCE
        while True:
            got = self.receive(max(0, deadline - time.monotonic()))
            assert got, f"no answer to {seq}: {self.logged()[-2000:]}"
            kind, its, count, body = got
            if its != seq:
                continue
            if kind != REPLY:
                items.append((kind, count, body))
                continue
            error, outcome, writes, why = S_REPLY.unpack(body)
            return Reply(error, OUTCOMES[outcome], writes, text(why), items)

    def request(self, *args, **kw):
        timeout = kw.pop("timeout", 60)
        reply = self.answer(self.send(*args, **kw), timeout)
        if reply.error:
            raise AgentError(reply)
        return reply

    # Requests

    def hello(self):
        self.records = {}
        return self.request(HELLO, struct.pack("=Q", time.monotonic_ns()))

    def obj(self, lab, kind, key):
        return S_OBJ.pack(lab.encode(), key.encode(), kind)

    def ensure(self, lab, kind, key, spec, data=b""):
        return self.request(ENSURE, self.obj(lab, kind, key), data, spec=spec).outcome

    def remove(self, lab, kind, key):
        return self.request(REMOVE, self.obj(lab, kind, key)).outcome

    def list(self, lab):
        found = {}
        for _, count, body in self.request(LIST, lab.encode().ljust(48, b"\0")).items:
            for i in range(count):
                _, key, kind, ifindex, running, tunnel = S_FOUND.unpack_from(body, i * S_FOUND.size)
                assert (kind, text(key)) not in found
                found[kind, text(key)] = Found(ifindex, running, tunnel)
        return found

    def record(self, lab, content, piece=100000):
        for at in range(0, max(len(content), 1), piece):
            self.request(RECORD, S_RECORD.pack(lab.encode(), len(content), at), content[at:at + piece])

    def fib(self, lab, kind, *items):
        return self.request(FIB, struct.pack("=48sII", lab.encode(), kind, len(items)), b"".join(items)).writes

    def probe(self):
        probes = {}
        for _, count, body in self.request(PROBE).items:
            for i in range(count):
                status, name, what = S_PROBE.unpack_from(body, i * S_PROBE.size)
                probes[text(name)] = (status, text(what))
        return probes

    def counters(self, lab):
        out = {}
        for _, count, body in self.request(COUNTERS, lab.encode().ljust(48, b"\0")).items:
            for i in range(count):
                kind, billing, index, packets, size = S_COUNTER.unpack_from(body, i * S_COUNTER.size)
                out[kind, billing, index] = (packets, size)
        return out

    def take_events(self, settle=0.2):
        """Events so far, and those that come before nothing came for `settle` seconds."""
        while self.receive(settle):
            pass
        events, self.events = self.events, []
        return events

    def wait_event(self, kind, lab, timeout=10):
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            for e in self.events:
                if e.kind == kind and e.lab == lab:
                    self.events.remove(e)
                    return e
            left = deadline - time.monotonic()
            assert left > 0, f"no event {kind} of {lab}: {self.logged()[-2000:]}"
            self.receive(left)
