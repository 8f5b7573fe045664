# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs capture: both directions of one NIC as pcapng; read back with tshark. With the eBPF data plane each packet says what
became of it; the kernel's does not know.

    a ── subnet a (203.0.113.0/24 → None) ─ net ─ subnet b ── b, small (MTU 1280)
"""
import json
import os
import pathlib
import pty
import signal
import subprocess

import pytest

from conftest import BIN, Lab, in_ns, leftovers, sh, until
from test_flows import dial, switch

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
  - {name: a, nics: [{subnet: net/a, privateIps: [10.0.0.4, "fd00:0:0:1::4"]}]}
  - {name: b, nics: [{subnet: net/b, privateIps: [10.0.1.4, "fd00:0:0:2::4"]}]}
  - {name: small, nics: [{subnet: net/b, privateIp: 10.0.1.5, mtu: 1280}]}
"""

FIELDS = ["frame.comment", "frame.packet_flags_direction", "frame.len", "frame.cap_len", "frame.time_epoch", "eth.src",
          "eth.dst", "_ws.col.Protocol", "ip.src", "ip.dst", "arp.opcode", "frame.interface_name", "vlan.id"]


@pytest.fixture(scope="module")
def labs(daemon, tmp_path_factory):
    """A lab of each data plane, made when the first test wants it."""
    made = {}

    def get(dataplane):
        if dataplane not in made:
            name = f"cap-{dataplane}"
            text = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", dataplane)
            made[dataplane] = prepare(Lab(daemon, text, name, tmp_path_factory.mktemp(name)))
        return made[dataplane]

    yield get
    for lab in made.values():
        lab.destroy()
        assert leftovers(lab.name, daemon.run_dir) == []


def prepare(lab):
    lab.apply()
    # A machine's own routes tell it what leads nowhere; this one tries nevertheless.
    sh("ip", "-n", lab.ns("a"), "route", "add", "203.0.113.0/24", "via", "10.0.0.1", "dev", "eth0", "onlink", "metric", 1)
    return lab


@pytest.fixture
def lab(labs):
    return labs("ebpf")


@pytest.fixture(params=["ebpf", "kernel"])
def either(request, labs):
    return labs(request.param)


def told(lab, *comments):
    """What the packets say: nothing where nobody knows."""
    return list(comments) if lab.name == "cap-ebpf" else [""] * len(comments)


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
        self.err = self.process.communicate(timeout=60)[1]
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def mac(lab, machine):
    return sh("ip", "-n", lab.ns(machine), "-br", "link", "show", "eth0").split()[2]


def test_both_directions_with_what_became_of_them(either, tmp_path):
    lab = either
    lab.exec("a", "ip", "neigh", "flush", "dev", "eth0")
    with Capture(lab, tmp_path / "a.pcapng", "a") as capture:
        assert lab.ping("a", "10.0.1.4")
        lab.exec("a", "ping", "-n", "-q", "-c", "1", "-W", "0.2", "203.0.113.9", check=False)
        until(lambda: len(capture.packets("-Y", "icmp")) >= 3, 10, "three pings")
    assert capture.stop() == 0 and "packets captured, 0 lost" in capture.err
    packets = capture.packets()
    fabric = "12:34:56:78:9a:bc"
    arp = [(p["arp.opcode"], p["frame.comment"], p["frame.packet_flags_direction"]) for p in packets if p["arp.opcode"]]
    asked, answered = told(lab, "answered by the fabric", "answer of the fabric")
    assert arp[:2] == [("1", asked, 2), ("2", answered, 1)]
    icmp = [p for p in packets if p["_ws.col.Protocol"] == "ICMP"]
    there, back, nowhere = told(lab, "forwarded: VnetLocal, to b/eth0", "forwarded: VnetLocal, from b/eth0",
                                "dropped: NONE_ROUTE (next hop type None)")
    assert [(p["frame.comment"], p["frame.packet_flags_direction"], p["ip.src"], p["eth.src"], p["eth.dst"]) for p in icmp] == [
        (there, 2, "10.0.0.4", mac(lab, "a"), fabric), (back, 1, "10.0.1.4", fabric, mac(lab, "a")),
        (nowhere, 2, "10.0.0.4", mac(lab, "a"), fabric)]
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


def test_only_the_receiver(either, tmp_path):
    lab = either
    with Capture(lab, tmp_path / "b.pcapng", "b/eth0", "--protocol", "icmp", "-c", "2") as capture:
        assert lab.ping("a", "10.0.1.5") and lab.ping("a", "10.0.1.4")
        assert capture.process.wait(60) == 0
    got = [(p["frame.comment"], p["ip.src"], p["eth.dst"]) for p in capture.packets()]
    came, went = told(lab, "forwarded: VnetLocal, from a/eth0", "forwarded: VnetLocal, to a/eth0")
    assert got == [(came, "10.0.0.4", mac(lab, "b")), (went, "10.0.1.4", "12:34:56:78:9a:bc")]
    assert "2 packets captured" in capture.err


def test_count_and_snapshot_length(either, tmp_path):
    with Capture(either, tmp_path / "c.pcapng", "a", "-c", "3", "-s", "64", "--from", "10.0.0.4") as capture:
        either.ping("a", "10.0.1.4", count=5)
        assert capture.process.wait(60) == 0
    assert [(p["frame.len"], p["frame.cap_len"]) for p in capture.packets()] == [("98", "64")] * 3
    assert capture.stop() == 0 and "3 packets captured, 0 lost" in capture.err


def test_filters_by_headers(either, tmp_path):
    lab = either
    with Capture(lab, tmp_path / "port", "a", "--port", "80", "-s", "64") as port, \
            Capture(lab, tmp_path / "to", "a", "--to", "10.0.1.0/24") as to, \
            Capture(lab, tmp_path / "v6", "a", "--to", "fd00:0:0:2::/64", "--protocol", "icmp") as v6:
        assert lab.ping("a", "10.0.1.4")
        until(lambda: lab.ping("a", "fd00:0:0:2::4"), 10, "IPv6")
        dial(lab, "203.0.113.8", 81)
        dial(lab, "203.0.113.8", 80)
        until(lambda: port.packets(), 10, "what goes to port 80")  # the others came before
    assert {p["ip.dst"] for p in port.packets()} == {"203.0.113.8"}
    assert set(sh("tshark", "-n", "-r", port.file, "-T", "fields", "-e", "tcp.dstport").split()) == {"80"}
    assert {(p["ip.dst"], p["_ws.col.Protocol"]) for p in to.packets()} == {("10.0.1.4", "ICMP")}
    assert {(p["_ws.col.Protocol"], p["ip.dst"]) for p in v6.packets()} == {("ICMPv6", "")}


def test_filters_by_what_became_of_them(lab, tmp_path):
    with Capture(lab, tmp_path / "drops", "a", "--dropped") as drops, \
            Capture(lab, tmp_path / "reason", "a", "--reason", "none_route", "-s", "96") as reason, \
            Capture(lab, tmp_path / "to", "a", "--to", "10.0.1.0/24", "--forwarded") as to:
        assert lab.ping("a", "10.0.1.4")
        dial(lab, "203.0.113.8", 80)
        dial(lab, "203.0.113.8", 81)
        until(lambda: len(drops.packets()) >= 2 and len(reason.packets()) >= 2, 10, "what goes to None")
    assert {p["frame.comment"] for p in drops.packets() + reason.packets()} == {"dropped: NONE_ROUTE (next hop type None)"}
    assert {(p["ip.dst"], p["_ws.col.Protocol"]) for p in to.packets()} == {("10.0.1.4", "ICMP")}
    assert {p["frame.cap_len"] for p in drops.packets()} == {p["frame.len"] for p in drops.packets()}


def test_vlan_tag_is_put_back(either, tmp_path):
    frame = bytes.fromhex("123456789abc0200000000018100006408000102")
    send = f"import socket; s = socket.socket(17, 3); s.bind(('eth0', 0)); s.send(bytes.fromhex('{frame.hex()}') + bytes(40))"
    with Capture(either, tmp_path / "vlan", "a") as capture:
        either.exec("a", "python3", "-c", send)
        until(lambda: capture.packets("-Y", "vlan"), 10, "the frame")
    packet = capture.packets("-Y", "vlan")[0]
    assert packet["vlan.id"] == "100" and [packet["frame.comment"]] == told(either, "dropped: VLAN (VLAN tag)")
    assert packet["frame.len"] == str(len(frame) + 40)


def test_to_a_pipe_and_large_packets(either, tmp_path):
    lab = either
    server = subprocess.Popen(["ip", "netns", "exec", lab.ns("b"), "nc", "-N", "-l", "5001"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    until(lambda: ":5001" in lab.exec("b", "ss", "-Hltn"), 10, "the server listens")
    with open(tmp_path / "pipe", "wb") as out, \
            subprocess.Popen([BIN / "vnrs", "--socket", lab.daemon.socket, "--lab", lab.name, "capture", "a", "--port", "5001"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as capture, \
            subprocess.Popen(["cat"], stdin=capture.stdout, stdout=out) as copy:
        try:
            until(lambda: os.path.getsize(tmp_path / "pipe"), 10, "the capture runs")
            sh("ip", "netns", "exec", lab.ns("a"), "nc", "-N", "10.0.1.4", "5001", stdin="x" * 300000)
            assert len(server.communicate(timeout=60)[0]) == 300000
            until(lambda: sum(map(int, sh("tshark", "-r", tmp_path / "pipe", "-Y", "ip.src == 10.0.0.4", "-T", "fields", "-e",
                                          "tcp.len").split())) >= 300000, 10, "all of it")
        finally:
            capture.send_signal(signal.SIGTERM)
        assert capture.wait(60) == 0 and copy.wait(60) == 0
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
    """What the packet path is to tell of (2: captures), and of how many NICs. The kernel's is not asked: sockets are."""
    if lab.name == "cap-kernel":
        n = len(sockets(lab))
        return 2 if n else 0, n
    maps = next(pathlib.Path(f"/sys/fs/bpf/vnrs/{lab.name}").glob("**/captures"))
    out = json.loads(sh("bpftool", "-j", "map", "dump", "pinned", maps))
    return switch(lab)[0], sum(any(int(b, 16) for b in e["value"]) for e in out)


def sockets(lab):
    """Numbers of the links that packet sockets in the fabric are bound to; -1: one that is gone."""
    lines = in_ns(f"vnrs.{lab.name}", "cat", "/proc/net/packet").splitlines()[1:]
    return [int(line.split()[4]) for line in lines]


def descriptors(daemon):
    """How many the agent has, but for the procfs that each of its threads keeps for a while."""
    links = pathlib.Path(f"/proc/{daemon.process.pid}/fd")
    return sum(os.readlink(link) != "/" for link in links.iterdir())


def test_nothing_is_left_on_when_nobody_captures(either, daemon, tmp_path):
    before, _ = until(lambda: descriptors(daemon), 10, "the agent's descriptors")
    with Capture(either, tmp_path / "one", "a"), Capture(either, tmp_path / "two", "a", "-s", "100") as two, \
            Capture(either, tmp_path / "b", "b"):
        until(lambda: asked(either) == (2, 2), 10, "two NICs are captured")
        two.stop(signal.SIGKILL)
        assert asked(either) == (2, 2)
    until(lambda: asked(either) == (0, 0) and descriptors(daemon) == before, 10, "nothing is captured any more")


def test_nothing_is_left_on_when_the_reader_is_killed(either, daemon, tmp_path):
    with Capture(either, tmp_path / "one", "a") as capture:
        daemon.kill_everything()
        assert capture.process.wait(60) == 1
        assert asked(either) == ((2, 1) if either.name == "cap-ebpf" else (0, 0))
    daemon.start()
    until(lambda: either.get("status")["ready"], 30, "ready again")
    until(lambda: asked(either) == (0, 0), 10, "nothing is captured any more")


def test_controller_killed(either, daemon, tmp_path):
    before = descriptors(daemon)
    with Capture(either, tmp_path / "one", "a") as capture:
        controller, = daemon.children("--controller")
        os.kill(controller, signal.SIGKILL)
        assert capture.process.wait(60) == 1
        until(lambda: asked(either) == (0, 0), 10, "nothing is captured any more")
    until(lambda: either.get("status")["ready"] and descriptors(daemon) == before, 30, "ready again, as it was")


def test_goes_on_when_the_link_is_made_again(either, tmp_path):
    def pings():
        return len(capture.packets("-Y", "icmp.type == 8"))

    with Capture(either, tmp_path / "a", "a") as capture:
        assert either.ping("a", "10.0.1.4")
        until(pings, 10, "the first ping")
        either.exec("a", "ip", "link", "delete", "eth0")
        until(lambda: either.ping("a", "10.0.1.4"), 20, "the NIC is restored")
        seen = pings()
        until(lambda: either.ping("a", "10.0.1.4") and pings() > seen, 10, "pings after it")
        assert asked(either) == (2, 1)
    prepare(either)


def test_goes_on_when_the_fabric_is_made_again(either, daemon, tmp_path):
    def pings():
        return len(capture.packets("-Y", "icmp.type == 8"))

    before = descriptors(daemon)
    with Capture(either, tmp_path / "a", "a") as capture:
        sh("ip", "netns", "del", f"vnrs.{either.name}")
        until(lambda: either.ping("a", "10.0.1.4") and either.get("status")["ready"], 40, "the fabric is restored")
        seen = pings()
        until(lambda: either.ping("a", "10.0.1.4") and pings() > seen, 10, "pings after it")
        assert asked(either) == (2, 1)
    until(lambda: descriptors(daemon) == before and asked(either) == (0, 0), 10, "nothing is captured any more")
    prepare(either)


def test_ends_with_the_lab(daemon, make_lab, tmp_path):
    lab = make_lab(TOPOLOGY.replace("NAME", "cap-end").replace("DATAPLANE", "kernel"), "cap-end")
    lab.apply()
    lab.destroy()
    before, _ = until(lambda: descriptors(daemon), 10, "the agent's descriptors")
    lab.apply()
    with Capture(lab, tmp_path / "a", "a") as capture:
        assert len(sockets(lab)) == 1
        lab.destroy()
        assert capture.process.wait(60) == 0
    assert leftovers(lab.name, daemon.run_dir) == []
    until(lambda: descriptors(daemon) == before, 10, "no descriptor is left")


@pytest.mark.parametrize("args", [["--dropped"], ["--forwarded"], ["--reason", "vlan"]])
def test_kernel_data_plane_knows_no_verdicts(labs, daemon, args):
    p = daemon.cli("--lab", labs("kernel").name, "capture", "a", "-w", "/dev/null", *args, check=False)
    assert p.returncode == 1 and "does not tell what becomes of a packet" in p.stderr and "help: " in p.stderr
