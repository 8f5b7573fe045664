# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs capture: both directions of one NIC as pcapng, with what became of each packet; read back with tshark.

    a ── subnet a (203.0.113.0/24 → None) ─ net ─ subnet b ── b, small (MTU 1280)
"""
import json
import os
import pathlib
import pty
import signal
import subprocess

import pytest

from conftest import BIN, Lab, leftovers, sh, until
from test_flows import switch

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16, fd00::/48]
    subnets:
      - {name: a, addressPrefixes: [10.0.0.0/24, "fd00:0:0:1::/64"], routeTable: rt}
      - {name: b, addressPrefixes: [10.0.1.0/24, "fd00:0:0:2::/64"]}
routeTables:
  - name: rt
    routes: [{name: drop, addressPrefix: 203.0.113.0/24, nextHopType: None}]
machines:
  - {name: a, nics: [{subnet: net/a, privateIp: 10.0.0.4}]}
  - {name: b, nics: [{subnet: net/b, privateIp: 10.0.1.4}]}
  - {name: small, nics: [{subnet: net/b, privateIp: 10.0.1.5, mtu: 1280}]}
"""

FIELDS = ["frame.comment", "frame.packet_flags_direction", "frame.len", "frame.cap_len", "frame.time_epoch", "eth.src",
          "eth.dst", "_ws.col.Protocol", "ip.src", "ip.dst", "arp.opcode", "frame.interface_name", "vlan.id"]


@pytest.fixture(scope="module")
def lab(daemon, tmp_path_factory):
    lab = Lab(daemon, TOPOLOGY.replace("NAME", "cap").replace("DATAPLANE", "ebpf"), "cap", tmp_path_factory.mktemp("cap"))
    lab.apply()
    # A machine's own routes tell it what leads nowhere; this one tries nevertheless.
    sh("ip", "-n", lab.ns("a"), "route", "add", "203.0.113.0/24", "via", "10.0.0.1", "dev", "eth0", "onlink", "metric", 1)
    yield lab
    lab.destroy()
    assert leftovers("cap", daemon.run_dir) == []


def read(file, *args):
    """The packets of a capture, as tshark sees them."""
    out = sh("tshark", "-n", "-r", file, "-T", "fields", "-E", "separator=|", *(x for f in FIELDS for x in ("-e", f)), *args)
    packets = [dict(zip(FIELDS, line.split("|"))) for line in out.splitlines()]
    for packet in packets: # 1: inbound, 2: outbound
        packet["frame.packet_flags_direction"] = int(packet["frame.packet_flags_direction"], 0)
    return packets


class Capture:
    """`vnrs capture` in the background, writing to a file."""

    def __init__(self, lab, file, *args):
        self.file = file
        self.process = subprocess.Popen([BIN / "vnrs", "--socket", lab.daemon.socket, "--lab", lab.name, "capture", "-w", file,
                                         *args], stderr=subprocess.PIPE, text=True)
        until(lambda: self.process.poll() is not None or (file.exists() and file.stat().st_size), 10, "the capture runs")

    def size(self):
        return self.file.stat().st_size

    def packets(self, *args):
        return read(self.file, *args)

    def stop(self, sig=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.err = self.process.communicate(timeout=10)[1]
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def mac(lab, machine):
    return sh("ip", "-n", lab.ns(machine), "-br", "link", "show", "eth0").split()[2]


def test_both_directions_with_what_became_of_them(lab, tmp_path):
    lab.exec("a", "ip", "neigh", "flush", "dev", "eth0")
    with Capture(lab, tmp_path / "a.pcapng", "a") as capture:
        assert lab.ping("a", "10.0.1.4")
        lab.exec("a", "ping", "-n", "-q", "-c", "1", "-W", "0.2", "203.0.113.9", check=False)
        until(lambda: len(capture.packets("-Y", "icmp")) >= 3, 10, "three pings")
    assert capture.stop() == 0 and "packets captured, 0 lost" in capture.err
    packets = capture.packets()
    fabric = "12:34:56:78:9a:bc"
    arp = [(p["arp.opcode"], p["frame.comment"], p["frame.packet_flags_direction"]) for p in packets if p["arp.opcode"]]
    assert arp[:2] == [("1", "answered by the fabric", 2), ("2", "answer of the fabric", 1)]
    icmp = [p for p in packets if p["_ws.col.Protocol"] == "ICMP"]
    assert [(p["frame.comment"], p["frame.packet_flags_direction"], p["ip.src"], p["eth.src"], p["eth.dst"]) for p in icmp] == [
        ("forwarded: VnetLocal, to b/eth0", 2, "10.0.0.4", mac(lab, "a"), fabric),
        ("forwarded: VnetLocal, from b/eth0", 1, "10.0.1.4", fabric, mac(lab, "a")),
        ("dropped: NONE_ROUTE (next hop type None)", 2, "10.0.0.4", mac(lab, "a"), fabric)]
    assert {(p["frame.len"], p["frame.cap_len"], p["frame.interface_name"]) for p in icmp} == {("98", "98", "a/eth0")}
    times = [float(p["frame.time_epoch"]) for p in packets]
    assert times == sorted(times) and abs(times[0] - capture.file.stat().st_mtime) < 20


def test_a_packet_that_its_answer_overwrites_is_there_whole(lab, tmp_path):
    with Capture(lab, tmp_path / "big.pcapng", "a", "--to", "10.0.1.5") as capture:
        lab.exec("a", "ping", "-n", "-q", "-c", "1", "-W", "0.5", "-M", "do", "-s", "1400", "10.0.1.5", check=False)
        until(lambda: len(capture.packets()) >= 2, 10, "question and answer")
    big, answer = capture.packets()[:2]
    assert big["frame.comment"] == "dropped: TOO_BIG (larger than the MTU)"
    assert (big["frame.len"], big["frame.cap_len"], big["eth.src"]) == ("1442", "1442", mac(lab, "a"))
    assert answer["frame.comment"] == "answer of the fabric: TOO_BIG" and answer["frame.packet_flags_direction"] == 1
    assert answer["ip.src"].startswith("10.0.0.1")


def test_only_the_receiver(lab, tmp_path):
    with Capture(lab, tmp_path / "b.pcapng", "b/eth0", "--protocol", "icmp", "-c", "2") as capture:
        assert lab.ping("a", "10.0.1.5") and lab.ping("a", "10.0.1.4")
        assert capture.process.wait(10) == 0
    got = [(p["frame.comment"], p["ip.src"], p["eth.dst"]) for p in capture.packets()]
    assert got == [("forwarded: VnetLocal, from a/eth0", "10.0.0.4", mac(lab, "b")),
                   ("forwarded: VnetLocal, to a/eth0", "10.0.1.4", "12:34:56:78:9a:bc")]
    assert "2 packets captured" in capture.err


def test_count_and_snapshot_length(lab, tmp_path):
    with Capture(lab, tmp_path / "c.pcapng", "a", "-c", "3", "-s", "64", "--from", "10.0.0.4") as capture:
        lab.ping("a", "10.0.1.4", count=5)
        assert capture.process.wait(10) == 0
    assert [(p["frame.len"], p["frame.cap_len"]) for p in capture.packets()] == [("98", "64")] * 3
    assert capture.stop() == 0 and "3 packets captured, 0 lost" in capture.err


def test_filters(lab, tmp_path):
    with Capture(lab, tmp_path / "drops", "a", "--dropped") as drops, \
            Capture(lab, tmp_path / "reason", "a", "--reason", "none_route", "-s", "96") as reason, \
            Capture(lab, tmp_path / "port", "a", "--port", "80") as port, \
            Capture(lab, tmp_path / "to", "a", "--to", "10.0.1.0/24", "--forwarded") as to:
        assert lab.ping("a", "10.0.1.4")
        lab.exec("a", "timeout", "0.3", "bash", "-c", "echo > /dev/tcp/203.0.113.8/80", check=False)
        lab.exec("a", "timeout", "0.3", "bash", "-c", "echo > /dev/tcp/203.0.113.8/81", check=False)
        until(lambda: len(drops.packets()) >= 2 and len(reason.packets()) >= 2, 10, "what goes to None")
    assert {p["frame.comment"] for p in drops.packets() + reason.packets() + port.packets()} == {
        "dropped: NONE_ROUTE (next hop type None)"}
    assert {p["ip.dst"] for p in port.packets()} == {"203.0.113.8"} and len(port.packets()) < len(drops.packets())
    assert {(p["ip.dst"], p["_ws.col.Protocol"]) for p in to.packets()} == {("10.0.1.4", "ICMP")}
    assert {p["frame.cap_len"] for p in drops.packets()} == {p["frame.len"] for p in drops.packets()}


def test_vlan_tag_is_put_back(lab, tmp_path):
    frame = bytes.fromhex("123456789abc0200000000018100006408000102")
    send = f"import socket; s = socket.socket(17, 3); s.bind(('eth0', 0)); s.send(bytes.fromhex('{frame.hex()}') + bytes(40))"
    with Capture(lab, tmp_path / "vlan", "a", "--reason", "vlan", "-c", "1") as capture:
        lab.exec("a", "python3", "-c", send)
        assert capture.process.wait(10) == 0
    packet = capture.packets()[0]
    assert packet["vlan.id"] == "100" and packet["frame.comment"] == "dropped: VLAN (VLAN tag)"
    assert packet["frame.len"] == str(len(frame) + 40)


def test_to_a_pipe_and_large_packets(lab, tmp_path):
    server = subprocess.Popen(["ip", "netns", "exec", lab.ns("b"), "nc", "-N", "-l", "5001"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    until(lambda: ":5001" in lab.exec("b", "ss", "-Hltn"), 10, "the server listens")
    with open(tmp_path / "pipe", "wb") as out, \
            subprocess.Popen([BIN / "vnrs", "--socket", lab.daemon.socket, "--lab", lab.name, "capture", "a", "--port", "5001"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as capture, \
            subprocess.Popen(["cat"], stdin=capture.stdout, stdout=out) as copy:
        try:
            until(lambda: os.path.getsize(tmp_path / "pipe"), 10, "the capture runs")
            sh("ip", "netns", "exec", lab.ns("a"), "nc", "-N", "10.0.1.4", "5001", stdin="x" * 300000)
            assert len(server.communicate(timeout=10)[0]) == 300000
            until(lambda: sum(map(int, sh("tshark", "-r", tmp_path / "pipe", "-Y", "ip.src == 10.0.0.4", "-T", "fields", "-e",
                                          "tcp.len").split())) >= 300000, 10, "all of it")
        finally:
            capture.send_signal(signal.SIGTERM)
        assert capture.wait(10) == 0 and copy.wait(10) == 0
    assert any(int(p["frame.cap_len"]) > 1514 for p in read(tmp_path / "pipe"))  # not segmented yet


@pytest.mark.parametrize("args", [["zz"], ["a", "--reason", "bad luck"], ["a", "--from", "10.0.0"], ["a", "--protocol", "gre"],
                                  ["a", "--port", "0"], ["a", "--port", "80", "--protocol", "icmp"], ["a", "-c", "0"],
                                  ["a", "-s", "63"], ["a", "-s", "65536"], ["a", "--dropped", "--forwarded"],
                                  ["a", "--forwarded", "--reason", "VLAN"]])
def test_wrong_arguments_are_usage_errors_and_leave_the_file(lab, tmp_path, args):
    file = tmp_path / "kept"
    file.write_text("kept")
    p = lab.daemon.cli("--lab", lab.name, "capture", "-w", file, *args, check=False, timeout=10)
    assert p.returncode == 2 and p.stderr.startswith("vnrs: error: "), p.stderr
    assert file.read_text() == "kept"


def test_file_that_cannot_be_written(lab, tmp_path):
    p = lab.daemon.cli("--lab", lab.name, "capture", "a", "-w", tmp_path / "no" / "file", check=False, timeout=10)
    assert p.returncode == 1 and "cannot write" in p.stderr and "No such file" in p.stderr
    if os.path.exists("/dev/full"):
        p = lab.daemon.cli("--lab", lab.name, "capture", "a", "-w", "/dev/full", check=False, timeout=10)
        assert p.returncode == 1 and "No space left" in p.stderr


def test_terminal_is_refused(lab):
    master, slave = pty.openpty()
    p = subprocess.run([BIN / "vnrs", "--socket", lab.daemon.socket, "--lab", lab.name, "capture", "a"], stdout=slave,
                       stderr=subprocess.PIPE, text=True, timeout=10)
    os.close(slave), os.close(master)
    assert p.returncode == 2 and "pcapng is not for a terminal" in p.stderr


def asked(lab):
    """What the packet path is to tell of (2: captures), and of how many NICs."""
    maps = next(pathlib.Path(f"/sys/fs/bpf/vnrs/{lab.name}").glob("**/captures"))
    out = json.loads(sh("bpftool", "-j", "map", "dump", "pinned", maps))
    return switch(lab)[0], sum(any(int(b, 16) for b in e["value"]) for e in out)


def test_nothing_is_left_on_when_nobody_captures(lab, tmp_path):
    with Capture(lab, tmp_path / "one", "a"), Capture(lab, tmp_path / "two", "a", "-s", "100"), Capture(lab, tmp_path / "b", "b"):
        assert asked(lab) == (2, 2)
    until(lambda: asked(lab) == (0, 0), 10, "nothing is captured any more")


def test_nothing_is_left_on_when_the_reader_is_killed(lab, daemon, tmp_path):
    with Capture(lab, tmp_path / "one", "a") as capture:
        daemon.kill_everything()
        assert capture.process.wait(10) == 1
        assert asked(lab) == (2, 1)
    daemon.start()
    until(lambda: lab.get("status")["ready"], 30, "ready again")
    assert asked(lab) == (0, 0)


def test_kernel_data_plane_says_that_it_has_none(daemon, make_lab):
    lab = make_lab(TOPOLOGY.replace("NAME", "cap-k").replace("DATAPLANE", "kernel"), "cap-k")
    lab.apply()
    p = daemon.cli("--lab", lab.name, "capture", "a", "-w", "/dev/null", check=False)
    assert p.returncode == 1 and "eBPF data plane" in p.stderr and "help: " in p.stderr
