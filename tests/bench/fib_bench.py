# SPDX-License-Identifier: GPL-2.0-or-later
"""From a BGP peer into a kernel table: vnrs (vnrsd, its controller, one speaker; `dataplane: none`, so that routes go
into the main table of a namespace that exists), BIRD with its kernel protocol, FRR with zebra, and raw netlink as the
limit. See fib_blast.c for what is measured. All take equal paths (ECMP) and work in a namespace with
net.ipv4.nexthop_compat_mode=0, as vnrs sets it in namespaces of its own. GoBGP and Debian's OpenBGPD have no kernel
table of their own.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import bgp_bench as bench

COLUMNS = [("load_s", "load s", 2), ("load_cpu_s", "CPU s", 2), ("pss_kib", "PSS MiB", 0), ("p50_s", "one prefix p50 ms", 2),
           ("p99_s", "p99 ms", 2), ("first_s", "switched, first ms", 1), ("switch_s", "all ms", 1),
           ("clear_s", "withdrawn s", 2)]


def descendants(pid):
    found = bench.children(pid)
    return found + [p for child in found for p in descendants(child)]


class VnrsFib(bench.Daemon):
    name = "vnrs"

    def prepare(self):
        peers = "".join(f"      - {{name: p{i}, peerIp: {a}, peerAsn: {n}, bgp: {{keepalive: 60, hold: 180}}}}\n"
                        for i, (a, n) in enumerate(bench.PEERS[:2]))
        (self.dir / "l.vnrs.yml").write_text(f"""name: l
dataplane: none
limits: none
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets: [{{name: default, addressPrefix: 10.0.0.0/24}}]
routeServers:
  - name: rs
    virtualNetwork: net
    instanceIps: [{bench.RS}]
    bgpConnections:
{peers}machines:
  - {{name: self, nics: [{{subnet: net/default, privateIp: {bench.RS}, attach: eth0}}]}}
""")

    def command(self):
        return [bench.BUILD / "bin/vnrsd", "--run-dir", self.dir / "run"]

    def cli(self, *args):
        return subprocess.run([bench.BUILD / "bin/vnrs", "--socket", self.dir / "run/vnrs.sock", *args],
                              capture_output=True, text=True)

    def wait_listening(self):
        deadline = time.monotonic() + 20
        while self.cli("list").returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"vnrsd does not answer:\n{(self.dir / 'out.log').read_text()[-2000:]}")
            time.sleep(0.05)
        p = self.cli("apply", str(self.dir / "l.vnrs.yml"))
        if p.returncode:
            raise RuntimeError(p.stderr)
        super().wait_listening()

    def pids(self):
        return [self.process.pid] + descendants(self.process.pid)


class BirdFib(bench.Bird):
    def prepare(self):
        super().prepare()
        with open(self.dir / "bird.conf", "a") as f:
            f.write("protocol kernel { merge paths on; ipv4 { import none; export where source = RTS_BGP; }; }\n")


class FrrFib(bench.Frr):
    def prepare(self):
        super().prepare()
        with open(self.dir / "bgpd.conf", "a") as f:
            f.write(" bgp bestpath as-path multipath-relax\n maximum-paths 8\n")
        (self.dir / "zebra.conf").write_text(f"log file {self.dir}/zebra.log errors\n")
        shutil.chown(self.dir / "zebra.conf", "frr", "frr")
        self.zebra = subprocess.Popen(
            ["ip", "netns", "exec", self.net.rs, "/usr/lib/frr/zebra", "-f", self.dir / "zebra.conf", "-i",
             self.dir / "zpid", "-z", self.dir / "zserv", "--vty_socket", self.dir, "-A", "127.0.0.1", "-P", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (self.dir / "zserv").exists():
            if self.zebra.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("zebra does not start")
            time.sleep(0.05)

    def command(self):
        return [a for a in super().command() if a not in ("-n", "-Z")]

    def __exit__(self, *exc):
        super().__exit__(*exc)
        self.zebra.kill()
        self.zebra.wait()

    def pids(self):
        return super().pids() + [self.zebra.pid]


def measure(cls, routes, timeout):
    """What fib_blast printed, or a text that says why not. `cls` None: raw netlink."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="vnrs-bench-"))
    directory.chmod(0o755)
    if cls is FrrFib:
        shutil.chown(directory, "frr", "frr")
    try:
        with bench.Net("vbench", nva=tuple(a for a, _ in bench.PEERS)) as net:
            subprocess.run(["ip", "netns", "exec", net.rs, "sysctl", "-qw", "net.ipv4.nexthop_compat_mode=0"], check=True)

            def blast(remote, *pids):
                p = subprocess.run(["ip", "netns", "exec", net.nva, bench.BUILD / "tests/fib_blast",
                                    f"/run/netns/{net.rs}", remote, str(routes), str(timeout), *map(str, pids)],
                                   capture_output=True, text=True)
                return json.loads(p.stdout) if p.returncode == 0 else p.stderr.strip() or f"exit {p.returncode}"

            if not cls:
                return blast("-")
            with cls(net, directory) as daemon:
                return blast(bench.RS, *daemon.pids())
    except (RuntimeError, OSError) as e:
        return str(e)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(daemons, args):
    """name -> list of what was printed, name -> text of a failure."""
    wanted = [(d.name, d) for d in (VnrsFib, BirdFib, FrrFib) if any(issubclass(d, w) or d is VnrsFib and w is bench.Vnrs
                                                                    for w in daemons)]
    wanted.append(("raw netlink", None))
    results, failed = {name: [] for name, _ in wanted}, {}
    for r in range(args.rounds):
        for name, cls in wanted:
            if name in failed:
                continue
            result = measure(cls, args.routes, args.timeout)
            if isinstance(result, str):
                failed[name] = result
            else:
                results[name].append(result)
            said = failed.get(name) or ", ".join(f"{k} {v}" for k, v in result.items())
            print(f"  round {r + 1}: kernel table, {name}: {said}", flush=True)
    return results, failed


def value(samples, key, digits):
    found = [s[key] for s in samples if key in s]
    if not found:
        return "–"
    scale = {"pss_kib": 1 / 1024, "p50_s": 1000, "p99_s": 1000, "first_s": 1000, "switch_s": 1000}.get(key, 1)
    return f"{statistics.median(found) * scale:.{digits}f}"


def table(routes, results, failed):
    rows = [f"### {routes:,} routes of one peer into a kernel table; one prefix more; the peer dies, another has them too",
            "", f"| daemon | {' | '.join(title for _, title, _ in COLUMNS)} | ratio to BIRD | rounds | noise % |",
            "|---" * (len(COLUMNS) + 4) + "|"]
    base = results.get(bench.Bird.name)
    for name, samples in results.items():
        if not samples:
            rows.append(f"| {name} | {failed.get(name, 'not run')}{' |' * (len(COLUMNS) + 3)}")
            continue
        load = [s["load_s"] for s in samples]
        ratio = f"{statistics.median(load) / statistics.median(s['load_s'] for s in base):.2f}" if base else "–"
        noise = f"{100 * (max(load) - min(load)) / statistics.median(load):.0f}" if len(load) > 1 else "–"
        values = [value(samples, key, digits) for key, _, digits in COLUMNS]
        rows.append(f"| {name} | {' | '.join(values)} | {ratio} | {len(samples)} | {noise} |")
    return rows
