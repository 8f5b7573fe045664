# SPDX-License-Identifier: GPL-2.0-or-later
"""BGP daemons side by side: vnrs-speaker, BIRD, FRR, GoBGP, OpenBGPD; see scripts/bench.

    net.rs   10.0.0.4  the daemon under test, AS 65515, passive
       │ veth
    net.nva  10.0.0.10 … .17  senders     AS 65001 …      all of them are
             10.0.0.30 … .38  receivers   AS 65030 …      one bgp_blast

  load    N routes of one sender, until one receiver has all
  same    N prefixes by 8 senders, paths of equal length, until the receiver has all and something last from each
  fanout  after load: 8 more receivers connect, until each has all

  fib     see fib_bench.py: N routes of one sender into a kernel table, and what follows

Rounds are interleaved: every daemon once, then every daemon again. A figure is the median of the rounds; its noise the
distance of the extremes in percent of the median.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VNRS_BUILD_DIR", ROOT / "build/release")).resolve()
os.environ["VNRS_BIN_DIR"] = str(BUILD / "bin")
sys.path.insert(0, str(ROOT / "tests/system"))
from speaker_harness import ROUTES, SETS, Net, Peer, Speaker  # noqa: E402

RS, ASN = "10.0.0.4", 65515
PEERS = [(f"10.0.0.{10 + i}", 65001 + i) for i in range(8)] + [(f"10.0.0.{30 + i}", 65030 + i) for i in range(9)]
SLOW_S = 120  # who takes longer for a round is measured once
WORK = ["load", "same", "fanout"]


class Missing(Exception):
    pass


def first_line(*command):
    try:
        p = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise Missing(f"{command[0]} is not installed") from None
    return (p.stdout + p.stderr).strip().splitlines()[0]


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(p) for p in out.split()]


class Daemon:
    """In its own directory, with every peer of PEERS configured and passive."""

    def __init__(self, net, directory):
        self.net, self.dir = net, directory

    def __enter__(self):
        self.prepare()
        with open(self.dir / "out.log", "wb") as log:
            self.process = subprocess.Popen(["ip", "netns", "exec", self.net.rs, *map(str, self.command())], stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "GOGC": "100"})
        self.wait_listening()
        return self

    def __exit__(self, *_):
        helpers = self.pids()[1:]
        self.process.kill()
        self.process.wait()
        for pid in helpers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_listening(self):
        deadline = time.monotonic() + 20
        while f"{RS}:179" not in subprocess.run(["ip", "netns", "exec", self.net.rs, "ss", "-Hltn"],
                                                capture_output=True, text=True).stdout:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not listen:\n{(self.dir / 'out.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def pids(self):
        return [self.process.pid] + children(self.process.pid)


class Vnrs(Daemon):
    name = "vnrs-speaker"

    @staticmethod
    def version():
        return "vnrs-speaker " + subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"],
                                                capture_output=True, text=True).stdout.strip()

    def __enter__(self):
        outer = self

        class Quick(Speaker):
            """Takes the routes off the socket and looks no closer: the controller is not what is measured."""

            def _take(self, kind, count, body):
                if kind not in (SETS, ROUTES):
                    super()._take(kind, count, body)

        self.speaker = Quick(self.net).__enter__()
        self.process = self.speaker.process
        self.speaker.configure(asn=ASN, peers=[Peer(f"p{a}", a, n, passive=True, max_prefixes=0) for a, n in PEERS])
        self.ended = False

        def drain():
            while not outer.ended:
                outer.speaker.pump(0.05)

        self.thread = threading.Thread(target=drain)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.ended = True
        self.thread.join()
        self.speaker.__exit__(*exc)


class Bird(Daemon):
    name = "BIRD"

    @staticmethod
    def version():
        return first_line("bird", "--version")

    def prepare(self):
        peers = "".join(f"protocol bgp p{i} from t {{ neighbor {a} as {n}; }}\n" for i, (a, n) in enumerate(PEERS))
        (self.dir / "bird.conf").write_text(f"""router id {RS};
protocol device {{ }}
protocol direct {{ ipv4; }}
template bgp t {{ local {RS} as {ASN}; passive on; strict bind yes; hold time 240;
    ipv4 {{ import all; export where source = RTS_BGP; next hop self; }}; }}
{peers}""")

    def command(self):
        return ["bird", "-f", "-c", self.dir / "bird.conf", "-s", self.dir / "ctl", "-P", self.dir / "pid"]


class Frr(Daemon):
    name = "FRR"

    @staticmethod
    def version():
        return "FRR " + first_line("/usr/lib/frr/bgpd", "--version")

    def prepare(self):
        peers = "".join(f" neighbor {a} remote-as {n}\n neighbor {a} passive\n neighbor {a} advertisement-interval 0\n"
                        f" neighbor {a} timers 80 240\n" for a, n in PEERS)
        (self.dir / "bgpd.conf").write_text(f"""log file {self.dir}/bgpd.log errors
router bgp {ASN}
 bgp router-id {RS}
 no bgp ebgp-requires-policy
{peers}""")
        for path in (self.dir, self.dir / "bgpd.conf"):
            shutil.chown(path, "frr", "frr")

    def command(self):
        return ["/usr/lib/frr/bgpd", "-n", "-Z", "-f", self.dir / "bgpd.conf", "-i", self.dir / "pid", "-z",
                self.dir / "zserv", "--vty_socket", self.dir, "-A", "127.0.0.1", "-P", "0", "-l", RS]


class Gobgp(Daemon):
    name = "GoBGP"

    @staticmethod
    def version():
        return first_line("gobgpd", "--version")

    def prepare(self):
        peers = "".join(f"""[[neighbors]]
[neighbors.config]
neighbor-address = "{a}"
peer-as = {n}
[neighbors.transport.config]
passive-mode = true
local-address = "{RS}"
[neighbors.timers.config]
hold-time = 240
""" for a, n in PEERS)
        (self.dir / "gobgpd.toml").write_text(f"""[global.config]
as = {ASN}
router-id = "{RS}"
local-address-list = ["{RS}"]
{peers}""")

    def command(self):
        return ["gobgpd", "-f", self.dir / "gobgpd.toml", "--api-hosts", f"unix://{self.dir}/api", "--pprof-disable",
                "-l", "error"]


class Openbgpd(Daemon):
    name = "OpenBGPD"

    @staticmethod
    def version():
        return first_line("/usr/sbin/bgpd", "-V")

    def prepare(self):
        peers = "".join(f"neighbor {a} {{\n remote-as {n}\n passive\n}}\n" for a, n in PEERS)
        conf = self.dir / "bgpd.conf"
        conf.write_text(f"""AS {ASN}
router-id {RS}
listen on {RS}
socket "{self.dir}/ctl"
fib-update no
holdtime 240
{peers}
allow from any
allow to any
""")
        conf.chmod(0o600)
        os.makedirs("/run/openbgpd", exist_ok=True)

    def command(self):
        return ["/usr/sbin/bgpd", "-d", "-f", self.dir / "bgpd.conf"]


DAEMONS = [Vnrs, Bird, Frr, Gobgp, Openbgpd]


def measure(cls, routes, senders, fan, timeout):
    """One daemon, once: what bgp_blast printed, or a text that says why not."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="vnrs-bench-"))
    directory.chmod(0o755)
    try:
        with Net("vbench", nva=tuple(a for a, _ in PEERS)) as net, cls(net, directory) as daemon:
            numbers = [str(n) for n in (routes, senders, fan, timeout, *daemon.pids())]
            p = subprocess.run(["ip", "netns", "exec", net.nva, BUILD / "tests/bgp_blast", RS, *numbers],
                               capture_output=True, text=True)
            return json.loads(p.stdout) if p.returncode == 0 else p.stderr.strip() or f"exit {p.returncode}"
    except RuntimeError as e:
        return str(e)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(daemons, args):
    """work -> daemon's name -> list of (seconds, CPU seconds, KiB); failed: work -> name -> text."""
    results = {w: {d.name: [] for d in daemons} for w in WORK}
    failed = {w: {} for w in WORK}

    def note(work, d, result, phase):
        if isinstance(result, str):
            failed[work][d.name] = result
        else:
            results[work][d.name].append((result[f"{phase}_s"], result[f"{phase}_cpu_s"], result["peak_kib"]))

    slow = set()
    for r in range(args.rounds):
        for d in daemons:
            if d in slow:
                continue
            begin = time.monotonic()
            if d.name not in failed["load"]:
                # Peak memory of the load is taken in a run without fan-out.
                note("load", d, measure(d, args.routes, 1, 0, args.timeout), "load")
            if d.name not in failed["fanout"]:
                note("fanout", d, measure(d, args.routes, 1, 8, args.timeout), "fan")
            if d.name not in failed["same"]:
                note("same", d, measure(d, args.routes, 8, 0, args.timeout), "load")
            if time.monotonic() - begin > SLOW_S:
                slow.add(d)
            said = [f"{w} {failed[w].get(d.name) or '%.2f s' % results[w][d.name][-1][0]}" for w in WORK]
            print(f"  round {r + 1}: {d.name}: {', '.join(said)}", flush=True)
    return results, failed


def titles(routes):
    return {"load": f"{routes:,} routes of one peer, until another peer has all",
            "same": f"{routes:,} prefixes, the same by 8 peers, until another peer has all",
            "fanout": f"{routes:,} routes told to 8 peers that come up at once"}


def table(work, results, failed, reference):
    columns = ["daemon", "wall s", "ratio to BIRD", "CPU s", "peak MiB", "rounds", "noise %"]
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    base = results[work].get(reference) or None
    for name, samples in results[work].items():
        if not samples:
            rows.append(f"| {name} | {failed[work].get(name, 'not run')} | | | | | |")
            continue
        wall, cpu, kib = (statistics.median(s[i] for s in samples) for i in range(3))
        ratio = f"{wall / statistics.median(s[0] for s in base):.2f}" if base else "–"
        walls = [s[0] for s in samples]
        noise = f"{100 * (max(walls) - min(walls)) / wall:.0f}" if len(walls) > 1 else "–"
        rows.append(f"| {name} | {wall:.2f} | {ratio} | {cpu:.2f} | {kib / 1024:.0f} | {len(samples)} | {noise} |")
    return rows


def machine():
    models = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(open("/proc/meminfo").readline().split()[1]) // 1024 // 1024
    model = models[0] if models else platform.machine()
    return f"{model}, {os.cpu_count()} cores, {memory} GiB, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench bgp")
    parser.add_argument("--quick", action="store_true", help="100,000 routes, one round")
    parser.add_argument("--routes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one measurement")
    parser.add_argument("--daemons", help="comma-separated names; BIRD is what the ratios refer to")
    parser.add_argument("--only", choices=["rib", "fib"], help="only the daemons' tables, or only kernel tables")
    parser.add_argument("--no-record", action="store_true", help="leave docs/benchmarks.md alone")
    args = parser.parse_args()
    if args.quick:
        args.routes, args.rounds = 100_000, 1

    wanted = [n.lower() for n in args.daemons.split(",")] if args.daemons else [d.name.lower() for d in DAEMONS]
    daemons, versions = [], []
    for d in DAEMONS:
        if d.name.lower() not in wanted:
            continue
        try:
            versions.append(d.version())
            daemons.append(d)
        except Missing as e:
            print(f"bench: without {d.name}: {e}")
    load = os.getloadavg()[0]
    print(f"bench: {args.routes:,} routes, {args.rounds} rounds; {machine()}", flush=True)
    only_fib = args.only == "fib"
    results, failed = ({}, {}) if only_fib else run(daemons, args)
    fib, fib_failed = fib_bench.run(daemons, args) if args.only != "rib" else ({}, {})

    lines = [f"## BGP, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC", "",
             f"- Machine: {machine()}; 1-minute load at the start {load:.1f}",
             f"- Versions: {'; '.join(versions)}",
             f"- Rounds: {args.rounds}, interleaved; medians. Who needs more than {SLOW_S} s for a round is measured once"]
    for work in [] if only_fib else WORK:
        lines += ["", f"### {titles(args.routes)[work]}", "", *table(work, results, failed, Bird.name)]
    if fib:
        lines += ["", *fib_bench.table(args.routes, fib, fib_failed)]
    text = "\n".join(lines) + "\n"
    print("\n" + text)
    if not args.no_record:
        path = ROOT / "docs/benchmarks.md"
        with open(path, "a") as f:
            f.write("\n" + text)


if __name__ == "__main__":
    sys.modules["bgp_bench"] = sys.modules["__main__"]
    import fib_bench  # it builds on what is above
    main()
