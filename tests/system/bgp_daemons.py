# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR, BIRD, GoBGP, OpenBGPD and ExaBGP behind one interface, as the peer of a vnrs-speaker.

    with Bird(ns, directory, asn, local, remote, remote_asn, routes, passive=False, options=Options()) as peer:
        peer.paths()           # what it learned from the speaker: prefix -> set of (next hop, AS path as text)
        peer.prefixes()        # only the prefixes
        peer.describe(prefix)  # text with the attributes it has for a prefix, in the daemon's own words
        peer.withdraw(prefix)  # one that it announces
        peer.refresh()         # asks the speaker for its routes again
        peer.shut("text")      # administrative shutdown of the session
        peer.complaint()       # text with the NOTIFICATION it got from us last
        peer.stop()            # ends the daemon as its service would be ended
        peer.die(), peer.start()   # killed, and started again as after a crash

`routes` are announced from the start; those in `tagged` carry a standard, an extended and a large community. Each
daemon runs in the foreground in the namespace `ns`, with files and control socket in `directory`, and is ended by its
process id. `Options` are what the session shall have beyond a plain one.
"""
import ipaddress
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass

from patience import PATIENCE

STANDARD, EXTENDED, LARGE = "65001:7", "65001:8", "4200000001:1:2"


def vtysh(directory, *commands):
    return Daemon.run("vtysh", "--vty_socket", directory, *[x for c in commands for x in ("-c", c)])


def birdc(directory, *command):
    """What BIRD answers, also when that is an error."""
    return subprocess.run(["birdc", "-s", str(directory / "ctl"), *command], capture_output=True, text=True).stdout


@dataclass
class Options:
    password: str = ""
    restart: int = 0  # graceful restart: seconds
    enhanced: bool = False  # refresh, where it is not announced anyway
    add_path: bool = False
    nexthop6: bool = False  # IPv4 routes on an IPv6 session (RFC 8950)
    timers: tuple = (60, 180)  # keepalive and hold, seconds
    before: str = ""  # configuration text ahead of BGP, of the session, and of its family (FRR, BIRD)
    session: str = ""
    channel: str = ""
    feeders: tuple = ()  # (address, ASN) of further peers that open their sessions themselves (not with ExaBGP)


class Daemon:
    name = package = binary = None
    shut_text = None  # what the speaker is to show of a shutdown text; None: the daemon sends none
    stop_cease = True  # says Cease when it is ended
    answers_refresh = True  # tells its routes again when asked
    asks_refresh = True  # can be made to ask
    has_enhanced = False  # enhanced refresh
    keeps = False  # helps a speaker that restarts gracefully: keeps its routes
    restarts = False  # restarts gracefully itself
    has_nexthop6 = False  # RFC 8950
    shows_unknown = None  # in describe(): attribute 99 with the bytes de ad be ef
    takes_signed = True  # connections with TCP MD5 that we open
    shows_reset_text = True  # of an administrative reset, in complaint()
    DECONFIGURED = r"(?i)peer de-?configured|peer unconfig"  # Cease/3 in complaint()

    def __init__(self, ns, directory, asn, local, remote, remote_asn, routes=(), tagged=(), passive=False,
                 options=None):
        self.ns, self.asn, self.local, self.remote, self.remote_asn = ns, asn, local, remote, remote_asn
        self.dir, self.routes, self.tagged, self.passive = pathlib.Path(directory), list(routes), list(tagged), passive
        self.v6, self.process = ":" in local, None
        self.router_id = "10.0.0.11" if self.v6 else local
        self.options = options or Options()
        self.family = "ipv6" if self.v6 and not self.options.nexthop6 else "ipv4"
        self.again = False  # started after it died

    @classmethod
    def missing(cls):
        return None if shutil.which(cls.binary) else f"{cls.name} is not installed (package {cls.package})"

    def __enter__(self):
        self.prepare()
        return self.start()

    def die(self):
        self.process.kill()
        self.process.wait()
        self.again = True
        (self.dir / "api").unlink(missing_ok=True)  # GoBGP's

    def start(self):
        log = open(self.dir / "out.log", "ab")
        self.process = subprocess.Popen(["ip", "netns", "exec", self.ns, *map(str, self.command())], stdout=log,
                                        stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **self.environment()})
        log.close()
        self.started()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def environment(self):
        return {}

    def started(self):
        pass

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def prefixes(self):
        return set(self.paths())

    def logged(self):
        return (self.dir / "out.log").read_text(errors="replace")

    def until(self, check, timeout=10):
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            try:
                value = check()
            except (OSError, subprocess.CalledProcessError, json.JSONDecodeError):
                value = None
            if value:
                return value
            assert self.process.poll() is None and time.monotonic() < deadline, f"{self.name}:\n{self.logged()}"
            time.sleep(0.02)

    @staticmethod
    def run(*args):
        return subprocess.run([str(a) for a in args], capture_output=True, text=True, check=True, timeout=30 * PATIENCE).stdout


class Frr(Daemon):
    name, package, binary = "FRR", "frr", "/usr/lib/frr/bgpd"
    shut_text = "going home"
    has_enhanced = keeps = restarts = has_nexthop6 = True

    def prepare(self):
        o = self.options
        feeders = "".join(f"\n neighbor {a} remote-as {n}\n neighbor {a} passive\n neighbor {a} advertisement-interval 0"
                          for a, n in o.feeders)
        activate = "".join(f"\n  neighbor {a} activate" for a, _ in o.feeders)
        restart = f"""
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time {o.restart}
 bgp graceful-restart select-defer-time 5""" if o.restart else ""
        networks = [f"  network {p}" + (" route-map with-communities" if p in self.tagged else "") for p in self.routes]
        (self.dir / "bgpd.conf").write_text(f"""
log file {self.dir}/bgpd.log
bgp route-map delay-timer 0
{o.before}
route-map with-communities permit 10
 set community {STANDARD}
 set extcommunity rt {EXTENDED}
 set large-community {LARGE}
router bgp {self.asn}
 bgp router-id {self.router_id}
 bgp log-neighbor-changes
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast{restart}{feeders}
 neighbor {self.remote} remote-as {self.remote_asn}
 neighbor {self.remote} ebgp-multihop 8
 neighbor {self.remote} update-source {self.local}
 neighbor {self.remote} timers {" ".join(map(str, o.timers))}
 neighbor {self.remote} timers connect 1
 neighbor {self.remote} advertisement-interval 0
 {f"neighbor {self.remote} passive" if self.passive else ""}
 {f"neighbor {self.remote} password {o.password}" if o.password else ""}
 {f"neighbor {self.remote} capability extended-nexthop" if o.nexthop6 else ""}
 {o.session}
 address-family {self.family} unicast
  neighbor {self.remote} activate{activate}
  {f"neighbor {self.remote} addpath-tx-all-paths" if o.add_path else ""}
  {o.channel}
""" + "\n".join(networks) + "\n exit-address-family\n")
        for path in (self.dir, self.dir / "bgpd.conf"):
            shutil.chown(path, "frr", "frr")

    def command(self):
        return [self.binary, "-n", "-Z", "-f", self.dir / "bgpd.conf", "-i", self.dir / "bgpd.pid", "-z",
                self.dir / "zserv", "--vty_socket", self.dir, "-A", "127.0.0.1", "-P", "0", "-l", self.local]

    def vtysh(self, *commands):
        return vtysh(self.dir, *commands)

    def paths(self):
        out = self.until(lambda: json.loads(self.vtysh(f"show bgp {self.family} unicast json")))
        found = {p: {(path["nexthops"][0]["ip"], path["path"]) for path in paths if path.get("peerId") == self.remote}
                 for p, paths in out.get("routes", {}).items()}
        return {p: paths for p, paths in found.items() if paths}

    def describe(self, prefix):
        return self.vtysh(f"show bgp {self.family} unicast {prefix}")

    def withdraw(self, prefix):
        self.vtysh("configure terminal", f"router bgp {self.asn}", f"address-family {self.family} unicast",
                   f"no network {prefix}")

    def refresh(self):
        self.vtysh(f"clear bgp {self.family} {self.remote} soft in")

    def shut(self, text):
        self.vtysh("configure terminal", f"router bgp {self.asn}", f"neighbor {self.remote} shutdown message {text}")

    def complaint(self):
        log = self.dir / "bgpd.log"
        return self.vtysh(f"show bgp neighbors {self.remote}") + (log.read_text() if log.exists() else "")


class Bird(Daemon):
    name, package, binary = "BIRD", "bird2", "bird"
    shut_text = "going home"
    has_enhanced = keeps = restarts = has_nexthop6 = True
    shows_unknown = r"BGP\.63.*: de ad be ef"

    def prepare(self):
        o = self.options
        session = (f'password "{o.password}"; ' if o.password else "") + (
            f"graceful restart on; graceful restart time {o.restart};" if o.restart else "")
        channel = ("add paths on; " if o.add_path else "") + ("extended next hop on;" if o.nexthop6 else "")
        tag = (f"{{ bgp_community.add(({STANDARD.replace(':', ',')})); "
               f"bgp_ext_community.add((rt,{EXTENDED.replace(':', ',')})); "
               f"bgp_large_community.add(({LARGE.replace(':', ',')})); }}")
        single = self.routes[:4]  # each one can be withdrawn by itself
        protocols = "".join(f"protocol static s{i} {{ {self.family}; route {p} blackhole "
                            f"{tag if p in self.tagged else ''}; }}\n" for i, p in enumerate(single))
        rest = "\n".join(f"route {p} blackhole;" for p in self.routes[4:])
        protocols += "".join(f"""protocol bgp f{i} {{
    local {self.local} as {self.asn}; neighbor {a} as {n}; multihop; strict bind yes; passive on;
    {self.family} {{ import all; export none; }};
}}
""" for i, (a, n) in enumerate(o.feeders))
        told = " || ".join(["source = RTS_STATIC", *(f'proto = "f{i}"' for i in range(len(o.feeders)))])
        (self.dir / "bird.conf").write_text(f"""
router id {self.router_id};
{o.before}
protocol device {{ }}
{protocols}
protocol static rest {{ {self.family}; {rest} }}
protocol bgp azure {{
    local {self.local} as {self.asn};
    neighbor {self.remote} as {self.remote_asn};
    multihop;
    strict bind yes;
    passive {"on" if self.passive else "off"};
    connect delay time 1; connect retry time 1; error wait time 1, 2;
    keepalive time {o.timers[0]}; hold time {o.timers[1]};
    {session} {o.session}
    {self.family} {{ import all; export where {told}; {channel} {o.channel} }};
}}
""")

    def command(self):
        return ["bird", "-f", "-c", self.dir / "bird.conf", "-s", self.dir / "ctl", "-P", self.dir / "bird.pid",
                *(["-R"] if self.again else [])]

    def birdc(self, *command):
        return self.run("birdc", "-s", self.dir / "ctl", *command)

    def paths(self):
        out, found, prefix = self.until(lambda: self.birdc("show", "route", "protocol", "azure", "all")), {}, None
        for line in out.splitlines():
            if match := re.match(r"([0-9a-f:.]+/\d+)? +\S+ \[azure ", line):
                prefix = match[1] or prefix
            elif match := re.match(r"\tBGP\.as_path: (.*)", line):
                as_path = match[1].strip()
            elif match := re.match(r"\tBGP\.next_hop: (\S+)", line):
                found.setdefault(prefix, set()).add((match[1], as_path))
        return found

    def describe(self, prefix):
        return self.birdc("show", "route", prefix, "all")

    def withdraw(self, prefix):
        self.birdc("disable", f"s{self.routes.index(prefix)}")

    def refresh(self):
        self.birdc("reload", "in", "azure")

    def shut(self, text):
        self.birdc("disable", "azure", f'"{text}"')

    def complaint(self):
        return self.birdc("show", "protocols", "all", "azure")


class Gobgp(Daemon):
    name, package, binary = "GoBGP", "gobgpd", "gobgpd"
    shut_text = "going home"
    asks_refresh = False  # softresetin works on what it has; nothing makes it send a ROUTE-REFRESH
    keeps = restarts = has_nexthop6 = True
    shows_unknown = r"(?i)99.*de.?ad.?be.?ef|3q2.7w"

    def prepare(self):
        o = self.options
        restart = f"""
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = {o.restart}
    deferral-time = 5""" if o.restart else ""
        feeders = "".join(f"""[[neighbors]]
  [neighbors.config]
    neighbor-address = "{a}"
    peer-as = {n}
  [neighbors.transport.config]
    local-address = "{self.local}"
    passive-mode = true
""" for a, n in o.feeders)
        family = "    [neighbors.afi-safis.mp-graceful-restart.config]\n      enabled = true\n" if o.restart else ""
        if o.add_path:
            family += "    [neighbors.afi-safis.add-paths.config]\n      receive = true\n      send-max = 8\n"
        (self.dir / "gobgpd.toml").write_text(f"""
[global.config]
  as = {self.asn}
  router-id = "{self.router_id}"
  port = 179
  local-address-list = ["{self.local}"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{self.remote}"
    peer-as = {self.remote_asn}
    {f'auth-password = "{o.password}"' if o.password else ""}{restart}
  [neighbors.transport.config]
    local-address = "{self.local}"
    passive-mode = {"true" if self.passive else "false"}
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 8
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 180
    keepalive-interval = 60
    idle-hold-time-after-reset = 1
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{self.family}-unicast"
{family}{feeders}""")

    def command(self):
        return ["gobgpd", "-f", self.dir / "gobgpd.toml", "--api-hosts", f"unix://{self.dir}/api",
                "--pprof-disable", "-l", "info", *(["-r"] if self.again else [])]

    def gobgp(self, *command):
        return self.run("gobgp", "--target", f"unix://{self.dir}/api", *command)

    def started(self):
        self.until(lambda: (self.dir / "api").exists() and self.gobgp("global"))
        for p in self.tagged:
            self.announce(p, "community", STANDARD, "rt", EXTENDED, "large-community", LARGE)
        plain = [p for p in self.routes if p not in self.tagged]
        if len(plain) < 10:
            for p in plain:
                self.announce(p)
        else:
            self._inject(plain)

    def announce(self, prefix, *attributes):
        self.gobgp("global", "rib", "add", prefix, "nexthop", self.local, *attributes, "-a", self.family)

    def _inject(self, prefixes):
        """IPv4, all at once, as an MRT table dump (RFC 6396): the command line takes one prefix a run."""
        attrs = b"\x40\x01\x01\x00" + b"\x40\x02\x00" + b"\x40\x03\x04" + socket.inet_aton(self.local)
        # The client ends without waiting for the server, which may drop what it has not read by then: the end of the
        # file is such that it does not matter.
        prefixes = prefixes + prefixes[-1:] * 5000
        index = struct.pack("!4sHH", socket.inet_aton(self.router_id), 0, 1) + struct.pack(
            "!B4s4sI", 2, socket.inet_aton(self.router_id), socket.inet_aton(self.router_id), self.asn)
        records = [(1, index)]
        for i, p in enumerate(prefixes):
            net = ipaddress.ip_network(p)
            raw = bytes([net.prefixlen]) + net.network_address.packed[:(net.prefixlen + 7) // 8]
            records.append((2, struct.pack("!I", i) + raw + struct.pack("!HHIH", 1, 0, 0, len(attrs)) + attrs))
        with open(self.dir / "table.mrt", "wb") as f:
            for subtype, body in records:
                f.write(struct.pack("!IHHI", 0, 13, subtype, len(body)) + body)
        self.gobgp("mrt", "inject", "global", self.dir / "table.mrt")

    def paths(self):
        out, found = self.gobgp("neighbor", self.remote, "adj-in", "-a", self.family, "-j"), {}
        for prefix, paths in (json.loads(out) if out.strip().startswith("{") else {}).items():
            for path in paths:
                attrs = {a["type"]: a for a in path["attrs"]}
                as_path = " ".join(str(n) for segment in attrs[2]["as_paths"] for n in segment["asns"])
                found.setdefault(prefix, set()).add((attrs.get(3, attrs.get(14))["nexthop"], as_path))
        return found

    def describe(self, prefix):
        return self.gobgp("global", "rib", prefix, "-a", self.family) + self.gobgp(
            "global", "rib", prefix, "-a", self.family, "-j")

    def withdraw(self, prefix):
        self.gobgp("global", "rib", "del", prefix, "nexthop", self.local, "-a", self.family)

    def shut(self, text):
        self.gobgp("neighbor", self.remote, "shutdown", "--reason", text)

    def complaint(self):
        return self.logged()


class Openbgpd(Daemon):
    name, package, binary = "OpenBGPD", "openbgpd", "/usr/sbin/bgpd"
    shut_text = "going home"
    # 7.7 drops every ROUTE-REFRESH of a family that was negotiated, and says "AID not negotiated": the question is asked
    # the wrong way round (openbgpd-portable issue 46; mended in 7.8).
    answers_refresh = False
    has_enhanced = keeps = True
    takes_signed = False  # 7.7 on Linux does not answer a connection with TCP MD5; it opens such ones
    shows_unknown = r"(?i)99.*de.?ad.?be.?ef"

    @classmethod
    def missing(cls):
        if os.path.exists(cls.binary):  # FRR's has the same name, elsewhere
            out = subprocess.run([cls.binary, "-V"], capture_output=True, text=True)
            if "OpenBGPD" in out.stdout + out.stderr:
                return None
        return f"{cls.name} is not installed (package {cls.package})"

    def prepare(self):
        o = self.options
        tag = f"set {{ community {STANDARD} ext-community rt {EXTENDED} large-community {LARGE} }}"
        single = "\n".join(f"network {p} {tag if p in self.tagged else ''}" for p in self.routes[:4])
        rest = "\n".join(f"network {p}" for p in self.routes[4:])
        feeders = "".join(f"neighbor {a} {{\n    remote-as {n}\n    local-address {self.local}\n    passive\n    export none\n}}\n"
                          for a, n in o.feeders)
        conf = self.dir / "bgpd.conf"
        conf.write_text(f"""
AS {self.asn} 23456
router-id {self.router_id}
listen on {self.local}
socket "{self.dir}/ctl"
fib-update no
holdtime 180
{single}
{rest}
neighbor {self.remote} {{
    remote-as {self.remote_asn}
    local-address {self.local}
    multihop 8
    {"passive" if self.passive else ""}
    {f"tcp md5sig password {o.password}" if o.password else ""}
    announce restart {"yes" if o.restart else "no"}
    {"announce enhanced refresh yes" if o.enhanced else ""}
    {"announce add-path recv yes" if o.add_path else ""}
    {"announce add-path send all" if o.add_path else ""}
    announce IPv4 {"none" if self.v6 else "unicast"}
    announce IPv6 {"unicast" if self.v6 else "none"}
}}
{feeders}
allow from any
allow to any
""")
        conf.chmod(0o600)
        os.makedirs("/run/openbgpd", exist_ok=True)

    def command(self):
        return [self.binary, "-d", "-v", "-f", self.dir / "bgpd.conf"]

    def die(self):
        super().die()
        deadline = time.monotonic() + 10 * PATIENCE
        while ":179 " in self.run("ip", "netns", "exec", self.ns, "ss", "-Hltn"):  # its other processes end after it
            assert time.monotonic() < deadline, self.logged()
            time.sleep(0.02)

    def bgpctl(self, *command):
        return self.run("bgpctl", "-s", self.dir / "ctl", *command)

    def paths(self):
        out, found = json.loads(self.until(lambda: self.bgpctl("-j", "show", "rib", "in", "neighbor", self.remote))), {}
        for r in out.get("rib", []):
            found.setdefault(r["prefix"], set()).add((r["exit_nexthop"], r["aspath"]))
        return found

    def describe(self, prefix):
        return self.bgpctl("show", "rib", "detail", prefix)

    def withdraw(self, prefix):
        self.bgpctl("network", "delete", prefix)

    def refresh(self):
        self.bgpctl("neighbor", self.remote, "refresh")

    def shut(self, text):
        self.bgpctl("neighbor", self.remote, "down", text)

    def complaint(self):
        return self.bgpctl("show", "neighbor", self.remote) + self.logged()


class Exabgp(Daemon):
    name, package, binary = "ExaBGP", "exabgp", "exabgp"
    DECONFIGURED = r'"code": 6, "subcode": 3'
    restarts = has_nexthop6 = True
    stop_cease = False  # closes the connection
    shows_unknown = r"(?i)attribute-0x63.*deadbeef"
    shows_reset_text = False  # 4.2.21 fails over any text (a TypeError of its own) and sends Message Header Error

    def prepare(self):
        o = self.options
        script = self.dir / "api.sh"
        # Events come to standard input until ExaBGP ends, commands go to standard output.
        script.write_text(f"#!/bin/sh\ncat <>{self.dir}/commands &\ncat >{self.dir}/events\nkill $!\n")
        script.chmod(0o755)
        os.mkfifo(self.dir / "commands")
        # From its configuration, so that they are there before its first End-of-RIB; commands may come after it.
        tag = f"community [{STANDARD}] extended-community [target:{EXTENDED}] large-community [{LARGE}]"
        hop = self.local if o.nexthop6 else "self"
        static = "".join(f"route {p} next-hop {hop} {tag if p in self.tagged else ''};\n" for p in self.routes[:4])
        (self.dir / "exabgp.conf").write_text(f"""
process ctl {{ run {script}; encoder json; }}
neighbor {self.remote} {{
    router-id {self.router_id};
    local-address {self.local};
    local-as {self.asn};
    peer-as {self.remote_asn};
    hold-time 180;
    outgoing-ttl 8;
    {"passive true; listen 179;" if self.passive else ""}
    {f'md5-password "{o.password}";' if o.password else ""}
    capability {{ asn4 enable; route-refresh enable; {f"graceful-restart {o.restart};" if o.restart else ""}
                  {"add-path send/receive;" if o.add_path else ""} {"nexthop enable;" if o.nexthop6 else ""} }}
    family {{ {self.family} unicast; {"ipv6 unicast;" if o.nexthop6 else ""} }}
    {"nexthop { ipv4 unicast ipv6; }" if o.nexthop6 else ""}
    static {{ {static} }}
    api {{ processes [ ctl ]; neighbor-changes; receive {{ parsed; update; notification; refresh; }} }}
}}
""")

    def environment(self):
        env = {"exabgp.daemon.user": "root", "exabgp.daemon.drop": "false", "exabgp.api.cli": "false",
               "exabgp.api.ack": "false", "exabgp.log.level": "INFO", "exabgp.log.destination": "stdout",
               "exabgp.daemon.daemonize": "false"}
        if self.passive:
            env |= {"exabgp.tcp.bind": self.local, "exabgp.tcp.port": "179"}
        return env

    def command(self):
        return ["exabgp", self.dir / "exabgp.conf"]

    def started(self):
        self.fifo = os.open(self.dir / "commands", os.O_RDWR)
        self.hop = self.local if self.options.nexthop6 else "self"
        rest = self.routes[4:]
        for i in range(0, len(rest), 100):
            self.say(f"announce attributes next-hop {self.hop} nlri " + " ".join(rest[i:i + 100]))

    def __exit__(self, *exc):
        super().__exit__(*exc)
        os.close(self.fifo)

    def say(self, line):
        os.write(self.fifo, line.encode() + b"\n")

    def events(self):
        path = self.dir / "events"
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                yield line, json.loads(line)
            except json.JSONDecodeError:
                pass  # being written

    def paths(self):
        have = {}  # (prefix, path identifier) -> (next hop, AS path)
        for _, event in self.events():
            if event["type"] == "state" and event["neighbor"]["state"] == "down":
                have.clear()
            update = event.get("neighbor", {}).get("message", {}).get("update", {})
            as_path = " ".join(map(str, update.get("attribute", {}).get("as-path", ())))
            for by_nexthop in update.get("announce", {}).values():
                for nexthop, nlris in by_nexthop.items():
                    have.update({(n["nlri"], n.get("path-information")): (nexthop, as_path) for n in nlris if "nlri" in n})
            for nlris in update.get("withdraw", {}).values():
                for n in nlris:
                    have.pop((n["nlri"], n.get("path-information")), None)
        found = {}
        for (prefix, _), path in have.items():
            found.setdefault(prefix, set()).add(path)
        return found

    def describe(self, prefix):
        return "".join(line for line, _ in self.events() if f'"{prefix}"' in line)

    def withdraw(self, prefix):
        self.say(f"withdraw route {prefix} next-hop {self.hop}")

    def refresh(self):
        self.say(f"announce route-refresh {self.family} unicast")

    def shut(self, text):
        self.say(f"neighbor {self.remote} teardown 2")

    def complaint(self):
        return "".join(line for line, e in self.events() if e["type"] == "notification") + self.logged()


# --- FRR (AS 65012, 10.0.0.12) and BIRD (AS 65013, 10.0.0.13) as peers of a speaker at 10.0.0.4, in net.nva

def directories(tmp_path):
    """One for each daemon, which FRR's user can get at."""
    dirs = {n: tmp_path / n for n in ("frr", "bird")}
    for d in dirs.values():
        d.mkdir()
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    return dirs


def frr(net, directory, passive, session="", before="", channel=""):
    return Frr(net.nva, directory, 65012, "10.0.0.12", "10.0.0.4", 65515, ["192.168.12.0/24", "172.31.0.0/16"],
               passive=passive, options=Options(timers=(20, 60), session=session, before=before, channel=channel)).__enter__()


def bird(net, directory, passive, session="", timers=(20, 60)):
    return Bird(net.nva, directory, 65013, "10.0.0.13", "10.0.0.4", 65515, ["192.168.13.0/24", "172.31.0.0/16"],
                passive=passive, options=Options(timers=timers, session=session)).__enter__()


def stop(daemons):
    for d in daemons:
        d.__exit__()


ALL = [Frr, Bird, Gobgp, Openbgpd, Exabgp]
