# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab of thousands of machines beside as many bare namespaces and veth pairs; see scripts/bench.

  v0  Route Server, nva1, nva2 (scripted peers, AS 65001 and 65002)  ── peered with each of ──  v1 … v9
  machines: counted sets, a tenth in every virtual network

Bare creation (scale_bare.c) and the lab take turns. In the last round, while the lab is there: the unchanged file again,
single routes, kill -9 of everything while a ping goes on. Then single routes and the death of an NVA (scale_route.c) in
labs of 4 machines and of all, without guest tables (with them every route is written once for each machine, by the
kernel's nature). Then kill -9 of everything with a million routes of an NVA that comes back with all of them (bgp_hold.c),
learned by one network alone. Then the data plane alone with as many NICs (scale_nics.c).
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VNRS_BUILD_DIR", ROOT / "build/release")).resolve()
os.environ["VNRS_BIN_DIR"] = str(BUILD / "bin")
sys.path[:0] = [str(ROOT / "tests/system"), str(ROOT / "tests/bench")]
from bgp_bench import machine  # noqa: E402
from conftest import Daemon, Monitor, Pinger, children_of, in_ns, until  # noqa: E402
from many_routes import announced, has_learned, last_address  # noqa: E402

NAME = "scale"
PROBES = 200
PREFIXES = 100_000
MANY = 1_000_000
UNCHANGED = 3
TICK_S = 1 / os.sysconf("SC_CLK_TCK")

# id, what, goal, unit, the most that it may be (else the least), key of a figure
GOALS = [
    ("–", "up, ratio to bare", "≤ 1.5", "", 1.5, "up_ratio"),
    ("–", "memory, ratio to bare", "≤ 1.3", "", 1.3, "memory_ratio"),
    ("–", "unchanged file again", "≤ 1 s", "s", 1.0, "unchanged_s"),
    ("–", "kernel writes of that", "0", "", 0, "unchanged_writes"),
    ("–", "one route, CPU beside 4 NICs", "≤ 1.1", "", 1.1, "route_growth"),
    ("–", f"an NVA with {PREFIXES:,} prefixes dies, all packets go to the other", "≤ 5 ms", "ms", 5.0, "moved_ms"),
    ("–", "the same, to another that is farther and had none before", "≤ 5 ms", "ms", 5.0, "moved_far_ms"),
    ("P6", "packets to all NICs in turn, rate beside redirect_peer", "≥ 90 %", "%", -90.0, "spread_percent"),
    ("S1", "attach", "≤ 3 s", "s", 3.0, "attach_s"),
    ("S2", "replace the program", "≤ 50 ms", "ms", 50.0, "replace_ms"),
    ("S2", "packets lost by that", "0", "", 0, "replace_lost"),
    ("S3", "kill -9 of everything, all objects adopted", "≤ 5 s", "s", 5.0, "adopt_s"),
    ("S3", "pings lost by that", "0", "", 0, "adopt_lost"),
    ("S3", f"the same with {MANY:,} routes", "≤ 5 s", "s", 5.0, "many_adopt_s"),
    ("S3", "pings lost by that, along a learned route", "0", "", 0, "many_adopt_lost"),
    ("S3", "kernel writes of that, all routes announced again", "0", "", 0, "many_writes"),
    ("U1", "one route, peer to all domains, 99 %", "≤ 1 ms", "ms", 1.0, "route_p99_ms"),
    ("U3", "kernel writes for the dead NVA", "≤ 100", "", 100, "moved_writes"),
]


def topology(machines, inject, alone=False):
    """`alone`: only the first network learns, of one NVA."""
    networks, peerings, sets = "", "", ""
    for i in range(10):
        more = ", {name: RouteServerSubnet, addressPrefix: 10.0.250.0/26}, {name: nva, addressPrefix: 10.0.251.0/24}" if i == 0 else ""
        networks += (f"  - {{name: v{i}, addressSpace: [10.{i}.0.0/16], "
                     f"subnets: [{{name: s, addressPrefix: 10.{i}.0.0/17}}{more}]}}\n")
        count = machines // 10 + (i < machines % 10)
        if i:
            transit, remote = ("", "") if alone else (", allowGatewayTransit: true", ", useRemoteGateways: true")
            peerings += f"  - {{virtualNetwork: v0, remoteVirtualNetwork: v{i}{transit}}}\n"
            peerings += f"  - {{virtualNetwork: v{i}, remoteVirtualNetwork: v0{remote}}}\n"
        if count:
            sets += f"  - {{name: 'vm{i}-{{1..{count}}}', inject: {'on' if inject else 'off'}, nics: [{{subnet: v{i}/s}}]}}\n"
    connections, nvas = "", ""
    for i in range(1, 2 if alone else 3):
        connections += f"      - {{name: nva{i}, peerIp: 10.0.251.{3 + i}, peerAsn: 6500{i}, bgp: {{keepalive: 60, hold: 180}}}}\n"
        nvas += f"  - {{name: nva{i}, nics: [{{subnet: v0/nva, privateIp: 10.0.251.{3 + i}, enableIPForwarding: true}}]}}\n"
    return f"""name: {NAME}
limits: none
virtualNetworks:
{networks}virtualNetworkPeerings:
{peerings}routeServers:
  - name: rs
    virtualNetwork: v0
    instanceIps: [10.0.250.4, 10.0.250.5]
    bgpConnections:
{connections}machines:
{nvas}{sets}"""


def kernel_mib():
    """What the kernel uses itself. (MemAvailable would be all of it, and whatever else goes on on the machine.)"""
    found = dict(re.findall(r"^(\w+): +(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M))
    return sum(int(found[k]) for k in ("Slab", "Percpu", "VmallocUsed", "KernelStack", "PageTables")) / 1024


def namespaces():
    found = re.search(r"^net_namespace +(\d+)", pathlib.Path("/proc/slabinfo").read_text(), re.M)
    return int(found[1]) if found else 0


def rest(before):
    """The kernel goes on taking namespaces down when nobody knows them any more; some of what it counts it only keeps."""
    seen = []

    def is_down():
        seen.append(namespaces())
        return seen[-1] <= before + 50 or len(seen) > 20 and len(set(seen[-20:])) == 1

    until(is_down, 180, "the kernel has taken the namespaces down", 0.5)
    time.sleep(3)  # their memory comes back after a grace period; nothing tells when


def pids_of(daemon):
    found = [daemon.process.pid]
    for pid in found:
        found += children_of(pid)
    return found


def cpu_s(pids):
    fields = [pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split() for p in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) * TICK_S


def pss_mib(pids):
    return sum(int(re.search(r"Pss:\s+(\d+)", pathlib.Path(f"/proc/{p}/smaps_rollup").read_text())[1]) for p in pids) / 1024


def writes(daemon):
    """Writes to maps and kernel tables so far, as the agent counts them."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(daemon.socket))
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return int(re.search(r"^vnrs_lab_sink_writes_total\{.*\} (\d+)$", text, re.M)[1])


def bare(machines):
    """One round of scale_bare."""
    before, existing = kernel_mib(), namespaces()
    p = subprocess.Popen([BUILD / "tests/scale_bare", str(machines)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    up, cpu = map(float, p.stdout.readline().split()[1:])
    used = kernel_mib() - before
    p.stdin.close()
    down = float(p.stdout.readline().split()[1])
    p.wait()
    rest(existing)
    return {"up_s": up, "cpu_s": cpu, "mib": used, "down_s": down}


class Lab:
    def __init__(self, directory, machines, inject=True, alone=False):
        self.file = directory / "scale.vnrs.yml"
        self.file.write_text(topology(machines, inject, alone))
        self.daemon = Daemon(directory / "run")
        (directory / "run").mkdir(exist_ok=True)
        self.figures = {}

    def __enter__(self):
        before, self.existing = kernel_mib(), namespaces()
        self.daemon.start()
        begin = time.monotonic()
        self.apply()
        pids = pids_of(self.daemon)
        self.figures = {"up_s": time.monotonic() - begin, "cpu_s": cpu_s(pids), "pss_mib": pss_mib(pids)}
        self.figures["mib"] = kernel_mib() - before + self.figures["pss_mib"]
        return self

    def apply(self):
        return self.daemon.cli("apply", self.file, "--timeout", "600s", "-q", timeout=620).stdout

    def __exit__(self, *_):
        begin = time.monotonic()
        self.daemon.cli("destroy", NAME, timeout=600)
        self.figures["down_s"] = time.monotonic() - begin
        self.daemon.stop()
        rest(self.existing)

    def status(self):
        return json.loads(self.daemon.cli("status", "--lab", NAME, "-o", "json", check=False).stdout)

    def is_adopted(self):
        """Every object was looked at and is right. Learned routes are not touched before the sessions are back, or half
        a minute has passed: scale_route stays away."""
        status = self.status()
        return status["progress"]["done"] >= status["progress"]["total"] > 0 and status["conditions"][0]["ok"]

    def unchanged(self):
        took, before = [], writes(self.daemon)
        with Monitor(f"vnrs.{NAME}", f"vnrs.{NAME}.nva1") as monitor:
            for _ in range(UNCHANGED):
                begin = time.monotonic()
                assert self.apply().strip() == "no changes"
                took.append(time.monotonic() - begin)
        self.figures["unchanged_s"] = statistics.median(took)
        self.figures["unchanged_writes"] = writes(self.daemon) - before + len(monitor.seen.splitlines())

    def route(self, prefixes):
        """Single routes; with `prefixes` also the death of an NVA that announces so many."""
        command = [BUILD / "tests/scale_route", f"/sys/fs/bpf/vnrs/{NAME}", "10.0.250.4", str(PROBES), str(prefixes),
                   f"vnrs.{NAME}.nva1", "10.0.251.4", f"vnrs.{NAME}.nva2", "10.0.251.5", *map(str, pids_of(self.daemon))]
        p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = p.stdout.readline().split()
        if not line:
            raise RuntimeError("scale_route failed")
        self.figures.update(zip(["domains", "route_p50_us", "route_p99_us", "route_cpu_us"], map(float, line[1:])))
        for name in ("moved", "moved_far") if prefixes else ():
            p.stdout.readline()
            before = writes(self.daemon)
            p.stdin.write("\n")
            p.stdin.flush()
            line = p.stdout.readline().split()
            self.figures.update(zip([f"{name}_first_us", f"{name}_us", f"{name}_cpu_us"], map(float, line[1:])))
            self.figures[f"{name}_writes"] = writes(self.daemon) - before
        p.stdin.close()
        p.wait()

    def killed(self, name, sender, address, learn=None):
        """`learn`: is called when all objects are adopted, and done when all is as before."""
        pinger = Pinger(f"vnrs.{NAME}.{sender}", address)
        self.daemon.kill_everything()
        begin = time.monotonic()
        self.daemon.start()
        until(self.is_adopted, 120, "adopted")
        self.figures[f"{name}_s"] = time.monotonic() - begin
        self.figures[f"{name}_cpu_s"] = cpu_s(pids_of(self.daemon))
        if learn:
            learn()
            self.figures[f"{name}_learned_s"] = time.monotonic() - begin
        sent, received = pinger.stop()
        self.figures[f"{name}_lost"] = sent - received

    def many(self):
        """The same with many routes of an NVA that lives on."""
        nva, address = f"vnrs.{NAME}.nva1", last_address(MANY)
        in_ns(nva, "ip", "addr", "add", f"{address}/32", "dev", "lo")
        with announced(BUILD / "tests/bgp_hold", nva, MANY) as sent:
            def learn():
                sent()
                until(lambda: has_learned(self.status(), MANY), 100, "the routes are there", 0.05)

            begin = time.monotonic()
            learn()
            self.figures["many_load_s"] = time.monotonic() - begin
            self.figures["many_pss_mib"] = pss_mib(pids_of(self.daemon))
            self.killed("many_adopt", "vm0-1", address, learn)
            self.figures["many_writes"] = writes(self.daemon)


def lab(machines, whole=False, inject=True, route=True, prefixes=0, many=False):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="vnrs-bench-"))
    directory.chmod(0o755)
    try:
        with Lab(directory, machines, inject, alone=many) as it:
            if whole:
                it.unchanged()
            if route:
                it.route(prefixes)
            if whole:
                nic = json.loads(it.daemon.cli("inspect", "--lab", NAME, "-o", "json").stdout)["machines"][-1]["nics"][0]
                it.killed("adopt", "nva1", nic["privateIpAddresses"][0])
            if many:
                it.many()
        return it.figures
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def nics(machines, rounds):
    out = subprocess.run([BUILD / "tests/scale_nics", str(machines), str(rounds)], capture_output=True, text=True)
    if out.returncode:
        raise RuntimeError(out.stderr.strip())
    rows = {}
    for line in out.stdout.splitlines():
        name, *numbers = line.split()
        rows.setdefault(name, []).append([float(n) for n in numbers])
    return rows


def median(samples, key):
    return statistics.median(s[key] for s in samples)


def figures_of(bares, labs, route_labs, many, spread):
    """What the goals are about. `route_labs`: of 4 machines and of all, both without guest tables."""
    small, fabric = route_labs
    whole = labs[-1]
    bare_ns, ours_ns = min(r[0] for r in spread["bare"]), min(r[0] for r in spread["ours"])
    return {
        "up_ratio": median(labs, "up_s") / median(bares, "up_s"),
        "memory_ratio": median(labs, "mib") / median(bares, "mib"),
        "unchanged_s": whole["unchanged_s"],
        "unchanged_writes": whole["unchanged_writes"],
        "route_growth": fabric["route_cpu_us"] / max(small["route_cpu_us"], 1),
        "moved_ms": fabric["moved_us"] / 1000,
        "moved_far_ms": fabric["moved_far_us"] / 1000,
        "moved_writes": max(fabric["moved_writes"], fabric["moved_far_writes"]),
        "spread_percent": 100 * bare_ns / ours_ns,
        "attach_s": spread["attach"][0][0] / 1000,
        "replace_ms": min(r[0] for r in spread["replace"]),
        "replace_lost": sum(r[3] for r in spread["replace"]),
        "adopt_s": whole["adopt_s"],
        "adopt_lost": whole["adopt_lost"],
        **{key: many[key] for key in ("many_adopt_s", "many_adopt_lost", "many_writes")},
        "route_p99_ms": whole["route_p99_us"] / 1000,
    }


def goal_table(figures):
    rows = ["| goal | what | wanted | measured | |", "|---|---|---|---|---|"]
    for goal, what, wanted, unit, limit, key in GOALS:
        value = figures[key]
        met = value <= limit if limit >= 0 else value >= -limit
        shown = f"{value:.0f}" if float(value).is_integer() or value >= 100 else f"{value:.2f}"
        rows.append(f"| {goal} | {what} | {wanted} | {shown}{' ' + unit if unit else ''} | {'met' if met else '**missed**'} |")
    return rows


def lab_table(bares, labs):
    rows = ["| | up s | CPU s | memory MiB | of that ours, PSS | destroyed s |", "|---|---|---|---|---|---|"]
    rows.append(f"| bare | {median(bares, 'up_s'):.2f} | {median(bares, 'cpu_s'):.2f} | {median(bares, 'mib'):.0f} | – | "
                f"{median(bares, 'down_s'):.2f} |")
    rows.append(f"| lab | {median(labs, 'up_s'):.2f} | {median(labs, 'cpu_s'):.2f} | {median(labs, 'mib'):.0f} | "
                f"{median(labs, 'pss_mib'):.0f} | {median(labs, 'down_s'):.2f} |")
    return rows


def route_table(named):
    rows = ["| lab | domains | one route, p50 µs | p99 µs | CPU of it µs | NVA dead: first domain ms | all ms |",
            "|---|---|---|---|---|---|---|"]
    for name, f in named:
        moved = [f"{f[k] / 1000:.1f}" if k in f else "–" for k in ("moved_first_us", "moved_us")]
        rows.append(f"| {name} | {f['domains']:.0f} | {f['route_p50_us']:.0f} | {f['route_p99_us']:.0f} | "
                    f"{f['route_cpu_us']:.0f} | {' | '.join(moved)} |")
    return rows


def many_table(named):
    rows = [f"| lab with {MANY:,} routes | learned s | memory of ours, PSS MiB | adopted after kill -9 s | CPU of it s | "
            "all learned again s |", "|---|---|---|---|---|---|"]
    for name, f in named:
        rows.append(f"| {name} | {f['many_load_s']:.2f} | {f['many_pss_mib']:.0f} | {f['many_adopt_s']:.2f} | "
                    f"{f['many_adopt_cpu_s']:.2f} | {f['many_adopt_learned_s']:.2f} |")
    return rows


def nic_table(spread):
    rows = ["| | min | median | max |", "|---|---|---|---|"]
    for name, text, column in [("bare", "bare redirect_peer, ns a packet", 0), ("ours", "vnrs, ns a packet", 0),
                               ("replace", "replace the program on all, ms", 0), ("replace", "CPU of that, ms", 1)]:
        values = sorted(r[column] for r in spread[name])
        rows.append(f"| {text} | {values[0]:.1f} | {statistics.median(values):.1f} | {values[-1]:.1f} |")
    rows.append(f"| attach to all, ms (CPU {spread['attach'][0][1]:.0f}) | {spread['attach'][0][0]:.0f} | | |")
    rows.append(f"| memory of a veth pair, KiB (S5) | {spread['pair'][0][0]:.0f} | | |")
    return rows


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench scale")
    parser.add_argument("--machines", type=int, default=4000, help="500 is a quick run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-record", action="store_true", help="leave docs/benchmarks.md alone")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    n = args.machines
    print(f"bench: {n:,} machines, {args.rounds} rounds; {machine()}", flush=True)

    bares, labs = [], []
    for r in range(args.rounds):
        bares.append(bare(n))
        last = r == args.rounds - 1
        labs.append(lab(n, whole=True) if last else lab(n, route=False))
        print(f"  round {r + 1}: bare {bares[-1]['up_s']:.2f} s, {bares[-1]['mib']:.0f} MiB; "
              f"lab {labs[-1]['up_s']:.2f} s, {labs[-1]['mib']:.0f} MiB", flush=True)
    small, fabric = (lab(size, inject=False, prefixes=PREFIXES) for size in (4, n))
    many = [(size, lab(size, inject=False, route=False, many=True)) for size in (4, n)]
    spread = nics(n, max(5, args.rounds))

    whole = labs[-1]
    version = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True).stdout.strip()
    text = "\n".join([
        f"## Scale, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC", "",
        f"- Machine: {machine()}; 1-minute load at the start {load:.1f}",
        f"- Version {version}; {n:,} machines in 10 virtual networks; {args.rounds} rounds, interleaved; medians", "",
        *lab_table(bares, labs), "",
        *route_table([("4 machines, without guest tables", small), (f"{n:,}, without guest tables", fabric), (f"{n:,}", whole)]), "",
        *many_table([(f"{size:,} machines", figures) for size, figures in many]), "",
        *nic_table(spread), "",
        f"Adopted after kill -9 of everything in {whole['adopt_s']:.2f} s ({whole['adopt_cpu_s']:.2f} s of CPU).", "",
        *goal_table(figures_of(bares, labs, (small, fabric), many[-1][1], spread)),
    ]) + "\n"
    print("\n" + text)
    if not args.no_record:
        with open(ROOT / "docs/benchmarks.md", "a") as f:
            f.write("\n" + text)


if __name__ == "__main__":
    main()
