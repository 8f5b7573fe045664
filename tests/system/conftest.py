# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the system tests: a vnrsd of the test's own in a run directory of its own, labs, and waiting.

Nothing here sleeps for a fixed time: `until` polls a condition with a deadline and says what was last seen.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from patience import PATIENCE

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("VNRS_BIN_DIR", ROOT / "build/dev/bin"))
EXAMPLES = ROOT / "packaging/examples"

# A shell that starts something in the background has it ignore SIGINT, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def until(check, timeout=20.0, what="condition", interval=0.02):
    """Wait until check() is true; returns its value, and the seconds it took as a second value."""
    begin = time.monotonic()
    seen = None
    timeout *= PATIENCE
    while time.monotonic() - begin < timeout:
        try:
            seen = check()
        except (AssertionError, KeyError, IndexError, StopIteration, FileNotFoundError, subprocess.CalledProcessError,
                json.JSONDecodeError) as e:
            seen = e
        else:
            if seen:
                return seen, time.monotonic() - begin
        time.sleep(interval)
    raise AssertionError(f"{what}: not within {timeout} s; last seen: {seen!r}")


def sh(*args, check=True, timeout=60, stdin=None):
    """Run a command, return its standard output; raises with everything it printed."""
    p = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=timeout * PATIENCE,
                       input=stdin)
    if check and p.returncode:
        raise AssertionError(f"{' '.join(map(str, args))}: exit {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stdout


def in_ns(ns, *args, **kw):
    return sh("ip", "netns", "exec", ns, *args, **kw)


def children_of(pid):
    out = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return {int(line.split(None, 1)[0]): line.split(None, 1)[1] for line in out.splitlines() if line.strip()}


class Daemon:
    """A vnrsd in its own run directory."""

    def __init__(self, run_dir):
        self.run_dir = pathlib.Path(run_dir)
        self.log = open(self.run_dir.parent / (self.run_dir.name + ".log"), "a+")
        self.process = None

    @property
    def socket(self):
        return self.run_dir / "vnrs.sock"

    def start(self, *options):
        self.process = subprocess.Popen([BIN / "vnrsd", "--run-dir", self.run_dir, *options], stdout=self.log, stderr=self.log)
        until(lambda: self.process.poll() is not None or self.cli("list", check=False).returncode == 0, 20, "vnrsd answers")
        assert self.process.poll() is None, self.logged()
        return self

    def logged(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def cli(self, *args, check=True, timeout=120, stdin=None):
        p = subprocess.run([str(BIN / "vnrs"), "--socket", str(self.socket), *map(str, args)], capture_output=True,
                           text=True, timeout=timeout * PATIENCE, input=stdin)
        if check and p.returncode:
            raise AssertionError(f"vnrs {' '.join(map(str, args))}: exit {p.returncode}\n{p.stdout}{p.stderr}\n"
                                 f"--- vnrsd ---\n{self.logged()[-4000:]}")
        return p

    def json(self, *args):
        return json.loads(self.cli(*args, "-o", "json").stdout)

    def children(self, name):
        """Pids of our own children whose command line holds `name`."""
        return [pid for pid, args in children_of(self.process.pid).items() if name in args]

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(30 * PATIENCE)

    def kill_everything(self):
        """kill -9 of the agent, the controller and every speaker at once; machines' daemons stay."""
        self.process.send_signal(signal.SIGSTOP)  # or it might be starting another child meanwhile
        victims = [self.process.pid, *children_of(self.process.pid)]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10 * PATIENCE)
        for pid in victims:
            until(lambda p=pid: not pathlib.Path(f"/proc/{p}").exists(), 10, f"{pid} is gone")


class Lab:
    """One topology applied to a daemon; gone at the end, whatever happened."""

    def __init__(self, daemon, source, name, directory):
        self.daemon, self.name = daemon, name
        self.file = pathlib.Path(directory) / f"{name}.vnrs.yml"
        self.file.write_text(source)

    def apply(self, *args, timeout=60):
        return self.daemon.cli("apply", self.file, "--wait", "--timeout", f"{timeout * PATIENCE:.0f}s", *args)

    def ns(self, machine):
        return f"vnrs.{self.name}.{machine}"

    def exec(self, machine, *args, **kw):
        return in_ns(self.ns(machine), *args, **kw)

    def ping(self, machine, to, count=1):
        p = subprocess.run(["ip", "netns", "exec", self.ns(machine), "ping", "-n", "-q", "-c", str(count), "-i", "0.2",
                            "-W", "1", to], capture_output=True, text=True)
        return p.returncode == 0

    def get(self, verb, *args):
        # `status` of a lab that is not ready is an answer too, with exit status 4.
        return json.loads(self.daemon.cli(verb, *args, "--lab", self.name, "-o", "json", check=verb != "status").stdout)

    def next_hops(self, nic, prefix):
        rows = self.get("effective-routes", nic)["value"]
        return sorted(r["nextHopIpAddress"][0] for r in rows
                      if r["addressPrefix"] == [prefix] and r["state"] == "Active" and r["nextHopIpAddress"])

    def processes(self, machine, name):
        pids = sh("ip", "netns", "pids", self.ns(machine)).split()
        return [int(p) for p in pids if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == name]

    def destroy(self, check=True):
        return self.daemon.cli("destroy", self.name, check=check)


def leftovers(name, run_dir=None):
    """Everything of a lab that can still be found on this host."""
    found = [line for line in sh("ip", "netns", "list").splitlines() if line.split()[0] in (f"vnrs.{name}",)
             or line.startswith(f"vnrs.{name}.")]
    found += [line for line in sh("ip", "-d", "link").splitlines() if f"vnrs:{name}:" in line]
    pins = pathlib.Path("/sys/fs/bpf/vnrs") / name
    found += [str(pins)] if pins.exists() else []
    if run_dir:
        lab_dir = pathlib.Path(run_dir) / "labs" / name
        found += [str(lab_dir)] if lab_dir.exists() else []
    for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            there = cmdline.read_bytes() + os.fsencode(os.readlink(cmdline.parent / "cwd"))
            if f"{run_dir or ''}/labs/{name}/".encode() in there:
                found.append(f"process {cmdline.parent.name}")
        except OSError:
            pass
    return found


class Pinger:
    """Pings at 50 Hz in the background and counts what was lost."""

    def __init__(self, ns, to):
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(["ip", "netns", "exec", ns, "ping", "-n", "-i", "0.02", "-W", "2", to], stdout=self.out)

    def answered(self):
        """Numbers of the requests that were answered so far."""
        self.out.seek(0)
        return {int(n) for n in re.findall(r"icmp_seq=(\d+) ttl=.* ms\n", self.out.read())}

    def stop(self):
        """(sent, received), of at least a second, up to an answer that comes now: what is on its way is no loss."""
        first = max(self.answered(), default=0)
        try:
            until(lambda: max(self.answered()) >= max(50, first + 2), 20, "answers")
        except ValueError:
            raise AssertionError("nothing was answered") from None
        finally:
            self.process.kill()
            self.process.wait()
        answered = self.answered()
        self.out.close()
        return max(answered), len(answered)


class Monitor:
    """Every change of kernel state (links, addresses, routes, rules, next hops) in some namespaces."""

    def __init__(self, *namespaces):
        self.processes = [subprocess.Popen(["ip", "-n", ns, "monitor", "link", "address", "route", "rule", "nexthop"],
                                           stdout=subprocess.PIPE, text=True) for ns in namespaces]

    def __enter__(self):
        for p in self.processes:
            until(lambda p=p: any("socket" in os.readlink(f) for f in pathlib.Path(f"/proc/{p.pid}/fd").iterdir()), 5,
                  "ip monitor listens")
        return self

    def __exit__(self, *_):
        for p in self.processes:
            p.terminate()
        self.seen = "".join(p.communicate(timeout=10)[0] for p in self.processes)


@pytest.fixture
def tmp_path():
    """As pytest's, but open to the users that routing daemons change to, wherever pytest keeps its own."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="vnrs-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def daemon():
    base = pathlib.Path(tempfile.mkdtemp(prefix="vnrs-test-"))
    base.chmod(0o755)
    run_dir = base / "run"
    run_dir.mkdir(mode=0o755)
    d = Daemon(run_dir).start()
    try:
        yield d
    finally:
        try:
            if d.process.poll() is not None:
                d.start()
            for lab in json.loads(d.cli("list", "-o", "json", check=False).stdout or "[]"):
                d.cli("destroy", lab["name"], check=False)
        finally:
            d.stop()
            log = d.logged()
            shutil.rmtree(base, ignore_errors=True)
            assert "AddressSanitizer" not in log and "runtime error:" not in log, log[-6000:]


@pytest.fixture
def make_lab(daemon, tmp_path):
    """make_lab(source, name): a lab that is destroyed after the test."""
    labs = []

    def make(source, name):
        lab = Lab(daemon, source, name, tmp_path)
        labs.append(lab)
        return lab

    yield make
    for lab in labs:
        lab.destroy(check=False)


STEADY = "\ndefaults: {bgp: {keepalive: 5, hold: 60}}\n"  # sessions that a busy machine does not end


def example(file, name, dataplane=None):
    """An example topology under another lab name, so that tests do not meet a lab of the user's."""
    text = re.sub(r"(?m)^name: .*$", f"name: {name}", (EXAMPLES / file).read_text(), count=1)
    if dataplane:
        text, n = re.subn(r"(?m)^dataplane: .*$", f"dataplane: {dataplane}", text, count=1)
        if not n:
            text = text.replace(f"name: {name}\n", f"name: {name}\ndataplane: {dataplane}\n", 1)
    return text
