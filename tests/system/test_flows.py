# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs flows: what is dropped and samples of what is forwarded, with reason and NIC; and that watching costs nobody else.
In both data planes; the kernel's does not know the next hop types of samples.

    a ── subnet a (203.0.113.0/24 → None) ─ net ─ subnet b ── b        storage1 lets subnet b in, only
"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import BIN, Lab, leftovers, sh, until

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: a, addressPrefix: 10.0.0.0/24, routeTable: rt, serviceEndpoints: [{service: Microsoft.Storage}]}
      - {name: b, addressPrefix: 10.0.1.0/24, serviceEndpoints: [{service: Microsoft.Storage}]}
routeTables:
  - name: rt
    routes: [{name: drop, addressPrefix: 203.0.113.0/24, nextHopType: None}]
services:
  - name: Microsoft.Storage
    addressPrefixes: [198.18.64.0/20]
    hosts: [{name: storage1, ip: 198.18.64.10}]
    allowedSubnets: [net/b]
machines:
  - {name: a, nics: [{subnet: net/a, privateIp: 10.0.0.4}]}
  - {name: b, nics: [{subnet: net/b, privateIp: 10.0.1.4}]}
"""


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = f"flows-{request.param}"
    text = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", request.param)
    lab = Lab(daemon, text, name, tmp_path_factory.mktemp(name))
    lab.apply()
    sh("ip", "-n", lab.ns("a"), "address", "add", "192.0.2.7/32", "dev", "lo")
    # A machine's own routes tell it what leads nowhere; this one tries nevertheless.
    for route in "203.0.113.0/24", "198.51.100.0/24":
        sh("ip", "-n", lab.ns("a"), "route", "add", route, "via", "10.0.0.1", "dev", "eth0", "onlink", "metric", 1)
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def switch(lab):
    """(on, sample) of the packet path."""
    if lab.name.endswith("-kernel"):
        rules = sh("ip", "netns", "exec", f"vnrs.{lab.name}", "nft", "list", "table", "inet", "vnrs_flows", check=False)
        samples = re.search(r"0x00020000(.* mod (\d+))?.* log group 1", rules)
        return int("log group 1" in rules), int(samples[2] or 1) if samples else 0
    pin = next(pathlib.Path(f"/sys/fs/bpf/vnrs/{lab.name}").glob("**/flow_switch"))
    out = json.loads(sh("bpftool", "-j", "map", "lookup", "pinned", pin, "key", 0, 0, 0, 0))
    raw = bytes(int(b, 16) for b in out["value"])
    return int.from_bytes(raw[0:4], "little"), int.from_bytes(raw[4:8], "little")


class Watch:
    """`vnrs flows -f -o json` in the background; made once the daemon tells of packets."""

    def __init__(self, lab, *args):
        self.lines = []
        self.process = subprocess.Popen([BIN / "vnrs", "--socket", lab.daemon.socket, "--lab", lab.name, "flows", "-f", "-o",
                                         "json", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.rest = b""
        os.set_blocking(self.process.stdout.fileno(), False)
        assert self.process.stderr.readline() == b"vnrs: watching\n"

    def flows(self):
        data = self.process.stdout.read()
        self.rest += data or b""
        *whole, self.rest = self.rest.split(b"\n")
        self.lines += [json.loads(line) for line in whole]
        return self.lines

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)


def probe(lab, to, *args):
    lab.exec("a", "ping", "-n", "-q", "-c", "1", "-W", "0.2", *args, to, check=False)

def dial(lab, to, port):
    """One SYN, and nobody waits for an answer."""
    lab.exec("a", "/usr/bin/python3", "-c", "import socket; s = socket.socket(); s.setblocking(False); "
             f"s.connect_ex(('{to}', {port}))")


@pytest.mark.parametrize("to,args,reason", [("203.0.113.9", [], "NONE_ROUTE"), ("10.0.1.4", ["-I", "192.0.2.7"], "SOURCE"),
                                            ("198.18.64.10", [], "SERVICE_DENIED"), ("10.0.1.77", [], "NO_ENDPOINT"),
                                            ("198.51.100.9", [], "DEAD_NEXTHOP")])
def test_drops_name_reason_and_nic(lab, to, args, reason):
    with Watch(lab, "--to", to) as watch:
        probe(lab, to, *args)
        until(watch.flows, 10, "the packet")
        flow = watch.lines[0]
        assert flow["reason"] == reason and flow["text"] and flow["nic"] == "a/eth0" and flow["verdict"] == "dropped"
        assert flow["to"] == to and flow["from"] == (args[1] if args else "10.0.0.4")
        assert flow["protocol"] == "icmp" and flow["bytes"] == 84 and flow["toNic"] is None
        assert flow["time"][:13] in (time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() - d)) for d in (0, 10))


def test_filters_keep_the_rest_out(lab):
    with Watch(lab, "--reason", "none_route") as by_reason, Watch(lab, "--nic", "b") as by_nic, \
            Watch(lab, "--protocol", "tcp", "--from", "10.0.0.0/24") as by_protocol:
        probe(lab, "10.0.1.4", "-I", "192.0.2.7")
        probe(lab, "203.0.113.9")
        dial(lab, "203.0.113.8", 80)
        until(lambda: len(by_reason.flows()) >= 2 and by_protocol.flows(), 10, "both to None")
        assert {f["reason"] for f in by_reason.lines} == {"NONE_ROUTE"}
        assert {(f["protocol"], f["toPort"]) for f in by_protocol.lines} == {("tcp", 80)}
        assert {f["nic"] for f in by_nic.flows()} <= {"b/eth0"}


def test_samples_show_what_is_forwarded(lab):
    with Watch(lab, "--forwarded", "--sample", "1") as watch:
        probe(lab, "203.0.113.9")
        probe(lab, "10.0.1.4")
        until(lambda: len(watch.flows()) == 2, 10, "request and reply")
        way = None if lab.name.endswith("-kernel") else "VnetLocal"
        assert [(f["nic"], f["toNic"], f["nextHopType"], f["verdict"], f["from"]) for f in watch.lines] == [
            ("a/eth0", "b/eth0", way, "forwarded", "10.0.0.4"), ("b/eth0", "a/eth0", way, "forwarded", "10.0.1.4")]


def test_without_follow_it_ends_by_itself(lab):
    pings = subprocess.Popen(["ip", "netns", "exec", lab.ns("a"), "ping", "-n", "-q", "-i", "0.2", "203.0.113.9"],
                             stdout=subprocess.DEVNULL)
    try:
        cli = subprocess.Popen([BIN / "vnrs", "--socket", lab.daemon.socket, "--lab", lab.name, "flows"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert cli.stderr.readline() == "vnrs: watching for 2 s\n"
        out, _ = cli.communicate(timeout=60)
    finally:
        pings.kill()
        pings.wait()
    assert cli.returncode == 0
    assert "  a/eth0  dropped  NONE_ROUTE (next hop type None)  icmp 10.0.0.4 → 203.0.113.9  84 bytes\n" in out
    until(lambda: switch(lab) == (0, 0), 10, "nobody reads")
    assert lab.get("flows", "--reason", "VLAN") == []


@pytest.mark.parametrize("args", [["--nic", "zz"], ["--reason", "bad luck"], ["--from", "10.0.0"], ["--protocol", "gre"],
                                  ["--sample", "0"], ["--forwarded"], ["--dropped", "--forwarded"],
                                  ["--dropped", "--sample", "2"], ["--to", "10.0.0.1/24"]])
def test_wrong_filters_are_usage_errors(lab, args):
    p = lab.daemon.cli("--lab", lab.name, "flows", "-f", *args, check=False, timeout=10)
    assert p.returncode == 2 and p.stdout == ""
    assert p.stderr.startswith("vnrs: error: ") and "\nhelp: " in p.stderr


def test_rules_that_another_hand_removes_are_back(lab):
    if not lab.name.endswith("-kernel"):
        pytest.skip("the program has none")
    for table in "vnrs_flows", "vnrs":
        with Watch(lab, "--to", "203.0.113.9", "--sample", "100") as watch:
            assert switch(lab) == (1, 100)
            sh("ip", "netns", "exec", f"vnrs.{lab.name}", "nft", "delete", "table", "inet", table)
            until(lambda: probe(lab, "203.0.113.9") or watch.flows(), 20, "the packet")
            until(lambda: switch(lab) == (1, 100), 10, "all that is wanted")
    until(lambda: switch(lab) == (0, 0), 10, "nobody reads")
    until(lambda: lab.get("status")["ready"], 30, "ready again")


def resident_kb(pid):
    return int(next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")))


def test_one_that_never_reads_costs_nobody_anything(lab):
    """A flood of packets, a client that does not read, and one that does: the daemon answers, memory stays."""
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(str(lab.daemon.socket))
    deaf.send(f"GET /v1/labs/{lab.name}/flows?sample=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    until(lambda: switch(lab) == (1, 1), 10, "the packet path tells")
    pids = [lab.daemon.process.pid, *lab.daemon.children("--controller")]
    for _ in range(3):  # an answer takes 4 MB, which malloc keeps for the next ones
        lab.get("counters")
    before = [resident_kb(p) for p in pids]
    flood = subprocess.Popen(["ip", "netns", "exec", lab.ns("a"), "ping", "-n", "-q", "-f", "-w", "3", "10.0.1.4"],
                             stdout=subprocess.DEVNULL)
    with Watch(lab, "--dropped") as watch:
        while flood.poll() is None:
            lab.get("counters")
        until(lambda: probe(lab, "203.0.113.9") or any(f["reason"] == "NONE_ROUTE" for f in watch.flows()), 10,
              "the other one sees")
    grown = [resident_kb(p) - b for p, b in zip(pids, before)]
    if b"__asan" not in (BIN / "vnrsd").read_bytes():  # which keeps what is freed
        assert max(grown) < 16384, grown  # what is told in three seconds would be several times that
    deaf.close()
    until(lambda: switch(lab) == (0, 0), 10, "nobody reads any more")


def test_reader_closes_when_the_controller_dies(lab):
    with Watch(lab) as watch:
        controller = lab.daemon.children("--controller")[0]
        os.kill(controller, signal.SIGKILL)
        assert watch.process.wait(60) == 1
    until(lambda: switch(lab) == (0, 0), 10, "nobody reads any more")
    until(lambda: lab.get("status")["ready"], 30, "ready again")
