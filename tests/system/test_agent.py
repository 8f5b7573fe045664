# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent alone: this test is its controller.

             fabric (eBPF)
               | nic
  vm1 --l1-- r --l2-- vm2      nva: FRR      vm1: BIRD      vm2: sleep
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import pytest

import agent_harness as h
from agent_harness import Agent, AgentError
from conftest import Pinger, in_ns, leftovers, sh, until

LAB = "agt"
FRR_CONF = b"""hostname nva
router bgp 65001
 bgp router-id 10.0.0.4
 no bgp ebgp-requires-policy
 neighbor 10.0.0.200 remote-as 65515
exit
ip route 10.77.0.0/16 blackhole
"""
BIRD_CONF = b"""router id 10.1.0.4;
protocol device {}
protocol static s1 { ipv4; route 10.88.0.0/16 blackhole; }
"""


def objects():
    """In the order in which they depend on each other."""
    return [
        (h.FABRIC, "fabric", h.fabric(h.EBPF), b""),
        (h.NETNS, "vm1", h.netns(), b""),
        (h.NETNS, "vm2", h.netns(), b""),
        (h.NETNS, "r", h.netns(h.FORWARD), b""),
        (h.NETNS, "nva", h.netns(h.FORWARD), b""),
        (h.LINK, "l1", h.link(h.end("vm1", "eth0", ["10.1.0.4/24", "fd01::4/64"]),
                              h.end("r", "e1", ["10.1.0.1/24", "fd01::1/64"])), b""),
        (h.LINK, "l2", h.link(h.end("vm2", "eth0", ["10.2.0.4/24", "10.2.0.5/24", "fd02::4/64"]),
                              h.end("r", "e2", ["10.2.0.1/24", "fd02::1/64"])), b""),
        (h.LINK, "nva/eth0", h.nic("nva", "nva/eth0", 16, ["10.0.0.4/24", "fd00::4/64"]), b""),
        (h.ROUTE, "vm1/0.0.0.0/0", h.route("vm1", "eth0", "0.0.0.0/0", ["10.1.0.1"]), b""),
        (h.ROUTE, "vm2/0.0.0.0/0", h.route("vm2", "eth0", "0.0.0.0/0", ["10.2.0.1"]), b""),
        (h.ROUTE, "vm1/::/0", h.route("vm1", "eth0", "::/0", ["fd01::1"]), b""),
        (h.ROUTE, "vm2/::/0", h.route("vm2", "eth0", "::/0", ["fd02::1"]), b""),
        (h.ROUTE, "vm1/ecmp", h.route("vm1", "eth0", "10.99.0.0/16", ["10.1.0.1", "10.1.0.9"], 7), b""),
        (h.SNAT, "r", h.snat("r", "e2", ["10.1.0.0/24", "fd01::/64"]), b""),
        (h.TABLE, "nva/eth0", h.table("nva", "eth0", 1, gw4="10.0.0.1", gw6="fd00::1"), b""),
        (h.PROC, "nva", h.proc("nva", h.FRR), FRR_CONF),
        (h.PROC, "vm1", h.proc("vm1", h.BIRD), BIRD_CONF),
        (h.PROC, "vm2", h.proc("vm2", h.EXEC), h.argv("sleep", "infinity")),
        (h.SPEAKER, "rs-0", h.speaker("r", "10.1.0.1"), b""),
    ]


def ensure_all(agent, some=None):
    return {(kind, key): agent.ensure(LAB, kind, key, spec, data) for kind, key, spec, data in some or objects()}


def remove_all(agent):
    for kind, key, _, _ in reversed(objects()):
        agent.remove(LAB, kind, key)
    agent.record(LAB, b"")


def run_dirs():
    base = pathlib.Path(tempfile.mkdtemp(prefix="vnrs-agt-"))
    base.chmod(0o755)
    return base, base / "run"


@pytest.fixture
def run_dir():
    base, run = run_dirs()
    yield run
    with Agent(run) as agent:
        for kind, key in sorted(agent.list(LAB), reverse=True):
            agent.remove(LAB, kind, key)
        agent.record(LAB, b"")
    log = run.with_suffix(".log").read_text()
    shutil.rmtree(base, ignore_errors=True)
    assert "AddressSanitizer" not in log and "runtime error:" not in log, log[-6000:]


@pytest.fixture
def agent(run_dir):
    with Agent(run_dir) as a:
        yield a


def ping(machine, to):
    return subprocess.run(["ip", "netns", "exec", f"vnrs.{LAB}.{machine}", "ping", "-n", "-q", "-c1", "-W2", to],
                          capture_output=True).returncode == 0


def test_everything_twice_then_gone(run_dir):
    with Agent(run_dir) as agent:
        first = ensure_all(agent)
        assert set(first.values()) <= {"created", "unchanged"}, first
        assert [k for k, v in first.items() if v == "unchanged"] == [(h.TABLE, "nva/eth0")]
        assert ping("vm1", "10.2.0.4") and ping("vm1", "fd02::4")
        # Sources of vm1 are translated at e2: vm2 knows a route, but sees r's address.
        assert "10.2.0.1" in sh("bash", "-c", f"ip netns exec vnrs.{LAB}.r nft list table inet vnrs.r; ip -n vnrs.{LAB}.r a")
        second = ensure_all(agent)
        assert set(second.values()) == {"unchanged"}, second
        assert set(agent.list(LAB)) == {(kind, key) for kind, key, _, _ in objects()}
        found = agent.list(LAB)
        assert found[h.LINK, "nva/eth0"].ifindex == 16
        assert all(found[h.PROC, key].running for key in ("nva", "vm1", "vm2")) and found[h.SPEAKER, "rs-0"].running
        assert not [e for e in agent.take_events() if e.kind == h.SUSPECT]
        remove_all(agent)
        assert agent.list(LAB) == {}
        assert leftovers(LAB, run_dir) == []
        remove_all(agent)  # of what is not there
        assert sorted(p.name for p in run_dir.iterdir()) == ["labs", "lock"]
        assert list((run_dir / "labs").iterdir()) == []


def test_link_attributes(agent):
    ensure_all(agent)
    guest = sh("ip", "-n", f"vnrs.{LAB}.nva", "-d", "addr", "show", "eth0")
    assert "mtu 1500" in guest and "02:00:00:00:00:10" in guest and f"alias vnrs:{LAB}:nva/eth0" in guest
    assert "10.0.0.4/24" in guest and "fd00::4/64" in guest and "tentative" not in guest and "state UP" in guest
    assert "numtxqueues 1 " in guest and "numrxqueues 1 " in guest
    end = sh("ip", "-n", f"vnrs.{LAB}", "-d", "addr", "show", "v16")
    assert "numtxqueues 1 " in end and "numrxqueues 1 " in end
    assert end.startswith("16: v16") and "12:34:56:78:9a:bc" in end and "inet" not in end
    assert "direct-action" in sh("tc", "-n", f"vnrs.{LAB}", "filter", "show", "dev", "v16", "ingress")
    assert in_ns(f"vnrs.{LAB}.r", "sysctl", "-n", "net.ipv4.ip_forward", "net.ipv4.conf.e1.send_redirects").split() == ["1", "0"]
    assert in_ns(f"vnrs.{LAB}.vm1", "sysctl", "-n", "net.ipv4.ip_forward", "net.ipv4.conf.eth0.rp_filter").split() == ["0", "0"]
    assert "proto 157" in sh("ip", "-n", f"vnrs.{LAB}.vm1", "-N", "route", "show", "default")


def test_many_at_once(agent):
    """Requests that wait are read ahead, and namespaces made beside the links before them: nothing else shows."""
    agent.ensure(LAB, h.FABRIC, "fabric", h.fabric())
    keys = [f"m{i}" for i in range(100)]
    sent = []

    def add(i):
        for kind, key, spec in [(h.NETNS, f"m{i}", h.netns(h.FORWARD if i % 2 else 0)),
                                (h.LINK, f"m{i}/eth0", h.nic(f"m{i}", f"m{i}/eth0", 16 + i, [f"10.0.0.{4 + i}/24"]))]:
            sent.append(agent.send(h.ENSURE, agent.obj(LAB, kind, key), spec=spec))

    for i in range(len(keys)):
        add(i)
        if i == 50:  # in order: gone, and made once more
            sent.append(agent.send(h.REMOVE, agent.obj(LAB, h.NETNS, "m49")))
            add(49)
    replies = [agent.answer(seq) for seq in sent]
    assert [r.text for r in replies if r.error] == []
    assert [r.outcome for r in replies if r.outcome != "created"] == ["removed"]
    seen = {key: in_ns(f"vnrs.{LAB}.{key}", "sh", "-c", "readlink /proc/self/ns/net; sysctl -n net.ipv4.ip_forward "
                       "net.ipv6.conf.default.accept_ra; cat /sys/class/net/lo/flags") for key in keys}
    assert len({text.splitlines()[0] for text in seen.values()}) == len(keys)
    assert [text.split()[1:] for text in seen.values()] == [[str(i % 2), "0", "0x9"] for i in range(len(keys))]
    assert "10.0.0.53/24" in sh("ip", "-n", f"vnrs.{LAB}.m49", "addr", "show", "eth0")
    assert not [e for e in agent.take_events() if e.kind == h.SUSPECT]
    again = [agent.ensure(LAB, h.NETNS, key, h.netns(h.FORWARD if i % 2 else 0)) for i, key in enumerate(keys)]
    assert set(again) == {"unchanged"}


def test_links_go_where_the_fabrics_name_leads(agent):
    """The fabric's socket stays open from link to link: not beyond the namespace that has the name."""
    ensure_all(agent, objects()[:1] + [(h.NETNS, "a", h.netns(), b""), (h.NETNS, "b", h.netns(), b"")])
    a, b = (h.nic(m, f"{m}/eth0", 16 + i, [f"10.0.0.{4 + i}/24"]) for i, m in enumerate("ab"))
    assert agent.ensure(LAB, h.LINK, "a/eth0", a) == "created"
    sh("ip", "netns", "del", f"vnrs.{LAB}")
    with pytest.raises(AgentError, match=f"namespace 'vnrs.{LAB}'") as e:
        agent.ensure(LAB, h.LINK, "b/eth0", b)
    assert e.value.errno == 2
    assert agent.ensure(LAB, h.FABRIC, "fabric", h.fabric()) == "created"
    assert [agent.ensure(LAB, h.LINK, f"{m}/eth0", spec) for m, spec in (("a", a), ("b", b))] == ["created"] * 2
    for link in ("v16", "v17"):
        assert "direct-action" in sh("tc", "-n", f"vnrs.{LAB}", "filter", "show", "dev", link, "ingress")


def test_change_in_place(agent):
    ensure_all(agent)
    before = sh("ip", "-n", f"vnrs.{LAB}.vm1", "link", "show", "eth0").split(":")[0]
    changed = h.link(h.end("vm1", "eth0", ["10.1.0.7/24"]), h.end("r", "e1", ["10.1.0.1/24", "fd01::1/64"]), mtu=1400)
    sh("ip", "-n", f"vnrs.{LAB}.vm1", "addr", "add", "192.0.2.9/32", "dev", "eth0")  # not ours: stays
    assert agent.ensure(LAB, h.LINK, "l1", changed) == "changed"
    assert agent.ensure(LAB, h.LINK, "l1", changed) == "unchanged"
    now = sh("ip", "-n", f"vnrs.{LAB}.vm1", "addr", "show", "eth0")
    assert now.split(":")[0] == before and "mtu 1400" in now
    assert "10.1.0.7/24" in now and "192.0.2.9/32" in now and "10.1.0.4/24" not in now and "fd01::4" not in now
    # Moved: gone at the old place.
    moved = h.route("vm1", "eth0", "10.98.0.0/16", ["10.1.0.1"], 7)
    assert agent.ensure(LAB, h.ROUTE, "vm1/ecmp", moved) == "created"
    routes = sh("ip", "-n", f"vnrs.{LAB}.vm1", "route")
    assert "10.98.0.0/16" in routes and "10.99.0.0/16" not in routes
    assert agent.ensure(LAB, h.SNAT, "r", h.snat("r", "e2", ["10.1.0.0/25"])) == "changed"
    assert "10.1.0.0/25" in in_ns(f"vnrs.{LAB}.r", "nft", "list", "ruleset")


def test_foreign_objects_stay(agent):
    some = objects()
    ensure_all(agent, some[:5])
    sh("ip", "-n", f"vnrs.{LAB}.vm1", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    sh("ip", "-n", f"vnrs.{LAB}.vm1", "link", "set", "eth0", "alias", "of somebody else")
    with pytest.raises(AgentError, match="not ours") as e:
        agent.ensure(LAB, h.LINK, "l1", some[5][2])
    assert e.value.errno == 17
    sh("ip", "-n", f"vnrs.{LAB}.vm1", "link", "del", "eth0")
    agent.ensure(LAB, h.LINK, "l1", some[5][2])
    sh("ip", "-n", f"vnrs.{LAB}.vm1", "route", "add", "default", "via", "10.1.0.1", "proto", "static")
    with pytest.raises(AgentError, match="not ours"):
        agent.ensure(LAB, h.ROUTE, "vm1/0.0.0.0/0", some[8][2])
    assert agent.remove(LAB, h.ROUTE, "vm1/0.0.0.0/0") == "unchanged"
    assert "proto static" in sh("ip", "-n", f"vnrs.{LAB}.vm1", "route", "show", "default")


@pytest.fixture
def given():
    """A namespace of somebody else, with an eth0 as podman makes it: a veth without alias."""
    name = f"{LAB}-given"
    sh("ip", "netns", "add", name)
    sh("ip", "-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    yield name
    sh("ip", "netns", "del", name)


def test_links_in_a_given_namespace(agent, given):
    ensure_all(agent, objects()[:1])
    where = h.ns(f"/run/netns/{given}", h.PATH)
    before = sh("ip", "-n", given, "-o", "link", "show", "eth0")
    with pytest.raises(AgentError, match="not ours"):
        agent.ensure(LAB, h.LINK, "x/eth0", h.nic(where, "x/eth0", 17, []))
    assert sh("ip", "-n", given, "-o", "link", "show", "eth0") == before
    spec = h.nic(where, "x/eth1", 18, ["10.3.0.4/24"], ifname="eth1")
    assert agent.ensure(LAB, h.LINK, "x/eth1", spec) == "created"
    # As a kill between making it and marking it leaves it: still known by its peer.
    sh("ip", "-n", given, "link", "set", "eth1", "alias", "")
    assert agent.ensure(LAB, h.LINK, "x/eth1", spec) == "changed"
    assert agent.remove(LAB, h.LINK, "x/eth1") == "removed"
    agent.remove(LAB, h.LINK, "x/eth0")
    assert sh("ip", "-n", given, "-o", "link", "show", "eth0") == before
    with pytest.raises(AgentError, match="is not a network namespace"):
        agent.ensure(LAB, h.LINK, "x/eth0", h.nic(h.ns("/dev/null", h.PATH), "x/eth0", 17, []))


def test_daemons_are_not_put_beside_vnrsd(agent):
    for where in (h.ns(kind=h.SELF), h.ns("/proc/self/ns/net", h.PATH)):
        with pytest.raises(AgentError, match="would run in the namespace of vnrsd") as e:
            agent.ensure(LAB, h.PROC, "x", where + h.struct.pack("=I", h.EXEC), h.argv("sleep", "infinity"))
        assert e.value.errno == 1


def test_a_daemon_sets_traps_in_its_directory(agent, run_dir):
    agent.ensure(LAB, h.NETNS, "vm2", h.netns())
    private = run_dir / "labs" / LAB / "proc" / "vm2"
    passwd = pathlib.Path("/etc/passwd").read_bytes()
    command = h.argv("sh", "-c", "rm -f argv log; mkfifo argv log state; ln -s /etc/passwd argv.new; mkdir -p a/b; "
                     "sleep 600 & trap '' TERM; cd /; touch /proc/self/cwd/x; while :; do sleep 600; done")
    assert agent.ensure(LAB, h.PROC, "vm2", h.proc("vm2", h.EXEC), command) == "created"
    until(lambda: (private / "a" / "b").exists(), 5, "the traps are set")
    # Somebody reads the log meanwhile.
    reader = subprocess.Popen(["sleep", "600"], cwd=private)
    try:
        assert agent.ensure(LAB, h.PROC, "vm2", h.proc("vm2", h.EXEC), command) == "changed"
        assert agent.list(LAB)[h.PROC, "vm2"].running
        until(lambda: (private / "argv").is_fifo(), 5, "the traps are set again")
        assert agent.remove(LAB, h.PROC, "vm2") == "removed"
        assert sh("ip", "netns", "pids", f"vnrs.{LAB}.vm2") == ""
        assert reader.poll() is None
    finally:
        reader.kill()
        reader.wait()
    assert not (run_dir / "labs" / LAB / "proc").exists()
    assert pathlib.Path("/etc/passwd").read_bytes() == passwd


def test_run_dir_by_another_name(run_dir):
    link = run_dir.with_name("link")
    run_dir.mkdir()
    link.symlink_to(run_dir)
    with Agent(link) as agent:
        agent.ensure(LAB, h.NETNS, "vm2", h.netns())
        # Its children are known by their directory only.
        agent.ensure(LAB, h.PROC, "vm2", h.proc("vm2", h.EXEC), h.argv("sh", "-c", "setsid sleep 600 & exec sleep 600"))
        until(lambda: len(sh("ip", "netns", "pids", f"vnrs.{LAB}.vm2").split()) == 2, 5, "both run")
        assert agent.remove(LAB, h.PROC, "vm2") == "removed"
        assert sh("ip", "netns", "pids", f"vnrs.{LAB}.vm2") == ""


FORGE = """
import os, socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
s.bind((0, 0))
index = socket.if_nametoindex("eth0")
body = struct.pack("=BxHiII", 0, 1, index, 0, 0xffffffff) + struct.pack("=HH5s3x", 9, 3, b"eth0")
gone = struct.pack("=IHHII", 16 + len(body), 17, 0, 0, 0) + body  # RTM_DELLINK
refused = 0
ports = [int(l.split()[2]) for l in open("/proc/net/netlink").readlines()[1:] if l.split()[1] == "0"]
ours = [p for p in ports if p >> 16 == 0x564e]
for port in ours:
    try:
        s.sendto(gone, (port, 0))
    except ConnectionRefusedError:
        refused += 1
for _ in range(1000):
    try:
        s.sendto(gone, (0, 1))  # everybody in RTNLGRP_LINK
    except ConnectionRefusedError:
        pass
print(len(ours), refused)
"""


def test_machines_cannot_speak_for_the_kernel(agent):
    ensure_all(agent, objects()[:8])
    agent.take_events()
    # The agent listens from outside; what sockets it has in there take nothing that is not the kernel's.
    asked, refused = in_ns(f"vnrs.{LAB}.vm1", "python3", "-c", FORGE).split()
    assert refused == asked
    time.sleep(0.3)  # nothing may come: there is no event to wait for
    assert not [e for e in agent.take_events() if e.kind == h.SUSPECT]
    sh("ip", "-n", f"vnrs.{LAB}.vm1", "link", "set", "eth0", "down")
    agent.wait_event(h.SUSPECT, LAB)


def test_kill_9_and_adopt(run_dir):
    agent = Agent(run_dir)
    ensure_all(agent)
    agent.record(LAB, b"what the controller keeps" * 20000)

    def daemons():
        pids = {m: sh("ip", "netns", "pids", f"vnrs.{LAB}.{m}").split() for m in ("nva", "vm1", "vm2")}
        return {m: sorted(p for p in pids[m] if pathlib.Path(f"/proc/{p}/comm").read_text() != "ping\n") for m in pids}

    pids = daemons()
    vtysh = ["vtysh", "--vty_socket", run_dir / "labs" / LAB / "proc" / "nva", "-c", "show running-config"]
    until(lambda: "router bgp 65001" in sh(*vtysh, check=False), 15, "FRR is configured")
    pinger = Pinger(f"vnrs.{LAB}.vm1", "10.2.0.4")
    spk = agent.speakers["rs-0"].pid
    agent.kill()
    until(lambda: not pathlib.Path(f"/proc/{spk}").exists(), 10, "the speaker ends with the agent")
    with Agent(run_dir) as agent:
        assert agent.records == {LAB: b"what the controller keeps" * 20000}
        assert agent.speakers == {}
        found = agent.list(LAB)
        assert set(found) == {(kind, key) for kind, key, _, _ in objects()}
        outcomes = ensure_all(agent)
        assert {k for k, v in outcomes.items() if v != "unchanged"} == {(h.SPEAKER, "rs-0")}, outcomes
        assert "rs-0" in agent.speakers
        assert daemons() == pids
        sent, received = pinger.stop()
        assert sent == received
        remove_all(agent)
        assert leftovers(LAB, run_dir) == []


def suspect_and_repair(agent, *command):
    agent.take_events()
    sh(*command)
    agent.wait_event(h.SUSPECT, LAB)
    outcomes = ensure_all(agent)
    assert not [e for e in agent.take_events() if e.kind == h.SUSPECT], "our own repair is no news"
    assert set(ensure_all(agent).values()) == {"unchanged"}
    return {k for k, v in outcomes.items() if v != "unchanged"}


def test_changes_by_hand(agent):
    ensure_all(agent)
    vm1, r = f"vnrs.{LAB}.vm1", f"vnrs.{LAB}.r"
    assert (h.LINK, "l1") in suspect_and_repair(agent, "ip", "-n", vm1, "link", "del", "eth0")
    assert ping("vm1", "10.2.0.4") and ping("vm1", "fd02::4")
    assert (h.LINK, "l2") in suspect_and_repair(agent, "ip", "-n", r, "link", "set", "e2", "down")
    assert ping("vm1", "10.2.0.4") and ping("vm1", "fd02::4")
    assert (h.LINK, "l1") in suspect_and_repair(agent, "ip", "-n", vm1, "addr", "del", "10.1.0.4/24", "dev", "eth0")
    assert (h.LINK, "l1") in suspect_and_repair(agent, "ip", "-n", vm1, "link", "set", "eth0", "mtu", "1300")
    assert suspect_and_repair(agent, "ip", "-n", vm1, "route", "del", "default") == {(h.ROUTE, "vm1/0.0.0.0/0")}
    assert (h.LINK, "nva/eth0") in suspect_and_repair(agent, "ip", "-n", f"vnrs.{LAB}", "link", "del", "v16")
    assert "direct-action" in sh("tc", "-n", f"vnrs.{LAB}", "filter", "show", "dev", "v16", "ingress")
    changed = suspect_and_repair(agent, "ip", "netns", "del", f"vnrs.{LAB}.vm2")
    assert {(h.NETNS, "vm2"), (h.LINK, "l2"), (h.ROUTE, "vm2/0.0.0.0/0"), (h.PROC, "vm2")} <= changed
    assert ping("vm1", "10.2.0.4") and ping("vm1", "fd02::4")


def test_daemons(agent, run_dir):
    ensure_all(agent)
    nva = f"vnrs.{LAB}.nva"
    private = run_dir / "labs" / LAB / "proc"
    show = ["vtysh", "--vty_socket", private / "nva", "-c", "show running-config"]
    until(lambda: "router bgp 65001" in sh(*show, check=False), 15, "FRR is configured")
    assert "10.77.0.0/16" in sh(*show)
    agent.take_events()
    # One daemon dies: an event, and only that one is started again, configured as before.
    pids = {int(p): pathlib.Path(f"/proc/{p}/comm").read_text().strip() for p in sh("ip", "netns", "pids", nva).split()}
    bgpd = [p for p, name in pids.items() if name == "bgpd"][0]
    os.kill(bgpd, signal.SIGKILL)
    event = agent.wait_event(h.EXITED, LAB)
    assert event.key == "nva" and event.type == h.PROC and event.text == "bgpd ended: signal 9 (Killed)"
    assert not agent.list(LAB)[h.PROC, "nva"].running
    assert agent.ensure(LAB, h.PROC, "nva", h.proc("nva", h.FRR), FRR_CONF) == "changed"
    until(lambda: "router bgp 65001" in sh(*show, check=False), 15, "FRR is configured again")
    now = {int(p) for p in sh("ip", "netns", "pids", nva).split()}
    assert set(pids) - {bgpd} <= now
    # A new configuration.
    assert agent.ensure(LAB, h.PROC, "nva", h.proc("nva", h.FRR), FRR_CONF.replace(b"65001", b"65002")) == "changed"
    until(lambda: "router bgp 65002" in sh(*show, check=False), 15, "FRR has the new configuration")
    birdc = ["birdc", "-s", private / "vm1" / "bird.ctl", "show", "route"]
    until(lambda: "10.88.0.0/16" in sh(*birdc, check=False), 10, "BIRD answers")
    pid = sh("ip", "netns", "pids", f"vnrs.{LAB}.vm1").split()
    new = BIRD_CONF.replace(b"10.88", b"10.89")
    assert agent.ensure(LAB, h.PROC, "vm1", h.proc("vm1", h.BIRD), new) == "changed"
    assert "10.89.0.0/16" in sh(*birdc) and sh("ip", "netns", "pids", f"vnrs.{LAB}.vm1").split() == pid
    with pytest.raises(AgentError, match="BIRD refuses the configuration"):
        agent.ensure(LAB, h.PROC, "vm1", h.proc("vm1", h.BIRD), b"nonsense;\n")
    with pytest.raises(AgentError, match="there is no program 'no-such-thing'"):
        agent.ensure(LAB, h.PROC, "vm2", h.proc("vm2", h.EXEC), h.argv("no-such-thing"))
    assert agent.take_events() == []


def test_speaker_restarts(agent):
    ensure_all(agent)
    first = agent.speakers["rs-0"]
    assert sh("ps", "-o", "user=", "-p", first.pid).strip() == "vnrs"
    status = pathlib.Path(f"/proc/{first.pid}/status").read_text()
    for what in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
        assert re.search(rf"{what}:\t0+\n", status), status
    assert "NoNewPrivs:\t1" in status
    assert "10.1.0.1:179" in in_ns(f"vnrs.{LAB}.r", "ss", "-Hltn")
    os.kill(first.pid, signal.SIGKILL)
    assert agent.wait_event(h.EXITED, LAB).text == "signal 9 (Killed)"
    until(lambda: agent.receive(0.05) is None and agent.speakers["rs-0"].pid != first.pid, 10, "a new speaker")
    # Its namespace is another one: it listens there, and not for nobody any more.
    second = agent.speakers["rs-0"]
    sh("ip", "netns", "del", f"vnrs.{LAB}.r")
    assert ensure_all(agent)[h.SPEAKER, "rs-0"] == "changed"
    until(lambda: agent.receive(0.05) is None and agent.speakers["rs-0"].pid != second.pid, 10, "one in the new namespace")
    assert "10.1.0.1:179" in in_ns(f"vnrs.{LAB}.r", "ss", "-Hltn")
    assert ensure_all(agent)[h.SPEAKER, "rs-0"] == "unchanged"
    assert agent.remove(LAB, h.SPEAKER, "rs-0") == "removed"
    assert "10.1.0.1:179" not in in_ns(f"vnrs.{LAB}.r", "ss", "-Hltn")


def test_guest_table_and_fabric_routes(agent):
    ensure_all(agent)
    routes = [h.fib_route(1, 1, "10.50.0.0/16", 1), h.fib_route(1, 1, "fd50::/32", 1)]

    def sync():
        agent.fib(LAB, h.FIB_BEGIN)
        agent.fib(LAB, h.FIB_GROUPS, h.fib_group(1, [h.fib_member(1, vnet=1)]))
        agent.fib(LAB, h.FIB_ROUTES, *routes)
        agent.fib(LAB, h.FIB_END)
        return agent.fib(LAB, h.FIB_SETTLE)

    before = sync()
    assert before > 0
    shown = sh("ip", "-n", f"vnrs.{LAB}.nva", "-N", "route", "show", "proto", "157")
    assert "10.50.0.0/16" in shown
    assert sync() == before
    agent.take_events()
    sh("ip", "-n", f"vnrs.{LAB}.nva", "route", "del", "10.50.0.0/16")
    agent.wait_event(h.SUSPECT, LAB)
    agent.fib(LAB, h.FIB_FLUSH)
    agent.fib(LAB, h.FIB_SETTLE)
    assert "10.50.0.0/16" in sh("ip", "-n", f"vnrs.{LAB}.nva", "-N", "route", "show", "proto", "157")
    assert not [e for e in agent.take_events() if e.kind == h.SUSPECT]
    assert agent.remove(LAB, h.TABLE, "nva/eth0") == "removed"
    assert "10.50.0.0/16" not in sh("ip", "-n", f"vnrs.{LAB}.nva", "route")


def test_kernel_data_plane(agent):
    assert agent.ensure(LAB, h.FABRIC, "fabric", h.fabric(h.KERNEL)) == "created"
    agent.ensure(LAB, h.NETNS, "nva", h.netns())
    agent.ensure(LAB, h.LINK, "nva/eth0", h.nic("nva", "nva/eth0", 16, ["10.0.0.4/24"]))
    assert agent.ensure(LAB, h.FABRIC, "fabric", h.fabric(h.KERNEL)) == "unchanged"
    assert agent.ensure(LAB, h.LINK, "nva/eth0", h.nic("nva", "nva/eth0", 16, ["10.0.0.4/24"])) == "unchanged"
    assert in_ns(f"vnrs.{LAB}", "sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"
    # The other data plane: a new fabric; its links are made again.
    assert agent.ensure(LAB, h.FABRIC, "fabric", h.fabric(h.EBPF)) == "created"
    assert agent.ensure(LAB, h.LINK, "nva/eth0", h.nic("nva", "nva/eth0", 16, ["10.0.0.4/24"])) == "created"
    in_ns(f"vnrs.{LAB}.nva", "ping", "-c", "1", "-W", "0.1", "10.0.0.9", check=False)  # its ARP request: the NIC is not known yet
    assert agent.counters(LAB) != {}


def test_probe(agent):
    probes = agent.probe()
    assert {"kernel", "capabilities", "user", "eBPF data plane", "nftables", "FRR", "BIRD", "vnrs-speaker",
            "leftovers"} <= set(probes)
    assert probes["vnrs-speaker"] == (0, "beside vnrsd")
    assert all(what for _, what in probes.values())
    assert probes["kernel"][0] == 0 and probes["FRR"] == (0, "/usr/lib/frr/bgpd")


def test_bad_messages(run_dir):
    with Agent(run_dir) as agent:
        cases = [
            (h.ENSURE, agent.obj("a/b", h.NETNS, "x"), h.netns()),
            (h.ENSURE, agent.obj("agt", h.NETNS, "../x"), h.netns()),
            (h.ENSURE, agent.obj("agt", 99, "x"), h.netns()),
            (h.ENSURE, agent.obj("agt", h.NETNS, "x"), h.netns()[:3]),
            (h.ENSURE, agent.obj("agt", h.LINK, "x"), h.link(h.end("a", "e/0"), h.end("b", "e0"))),
        ]
        for kind, fixed, spec in cases:
            with pytest.raises(AgentError) as e:
                agent.request(kind, fixed, spec=spec)
            assert e.value.errno == 22 and e.value.text.startswith("malformed request:")
        assert agent.list(LAB) == {}
        agent.sock.send(b"nonsense")
        with pytest.raises(ConnectionError):
            agent.receive(5)
        assert agent.process.wait(10) == 0


def test_second_agent_is_refused(run_dir):
    with Agent(run_dir):
        p = subprocess.run([h.BIN / "vnrsd", "--run-dir", run_dir], capture_output=True, text=True, timeout=20)
        assert p.returncode == 1
        assert p.stderr.strip().endswith(f"error: another vnrsd is running with the run directory '{run_dir}'")


def test_injector(run_dir):
    """Only CAP_NET_ADMIN, as in a container: the own namespace's tables and nothing else."""
    ns = "vnrs-agt-inject"
    sh("ip", "netns", "add", ns)
    try:
        sh("ip", "-n", ns, "link", "set", "lo", "up")
        sh("ip", "-n", ns, "link", "add", "eth0", "type", "veth", "peer", "name", "other")
        sh("ip", "-n", ns, "link", "set", "other", "up")
        sh("ip", "-n", ns, "addr", "add", "10.0.0.4/24", "dev", "eth0")
        sh("ip", "-n", ns, "link", "set", "eth0", "up")
        limited = ["ip", "netns", "exec", ns, "capsh", "--drop=" + dropped_but("cap_net_admin"), "--shell=/usr/bin/env", "--"]
        with Agent(run_dir, cmd=limited) as agent:
            own = h.ns(kind=h.SELF)
            with pytest.raises(AgentError, match="CAP_SYS_ADMIN") as e:
                agent.ensure(LAB, h.FABRIC, "fabric", h.fabric())
            assert e.value.errno == 1
            with pytest.raises(AgentError, match="netns: self"):
                agent.ensure(LAB, h.TABLE, "t", h.table("vm1", "eth0", 1))
            agent.ensure(LAB, h.TABLE, "t", h.table(own, "eth0", 1, gw4="10.0.0.1"))
            agent.fib(LAB, h.FIB_BEGIN)
            agent.fib(LAB, h.FIB_GROUPS, h.fib_group(1, [h.fib_member(1, vnet=1)]))
            agent.fib(LAB, h.FIB_ROUTES, h.fib_route(1, 1, "10.50.0.0/16", 1))
            agent.fib(LAB, h.FIB_END)
            agent.fib(LAB, h.FIB_SETTLE)
            assert "10.50.0.0/16" in sh("ip", "-n", ns, "route")
            agent.ensure(LAB, h.SPEAKER, "rs-0", h.speaker(own, "10.0.0.4", 1))
            assert agent.speakers["rs-0"].pid
            agent.remove(LAB, h.SPEAKER, "rs-0")
            agent.remove(LAB, h.TABLE, "t")
            assert "10.50.0.0/16" not in sh("ip", "-n", ns, "route")
            assert agent.probe()["capabilities"][0] == 1
            agent.record(LAB, b"")
    finally:
        sh("ip", "netns", "del", ns)


def dropped_but(kept):
    """Every capability of this process except one, as capsh writes them."""
    names = re.search(r"Bounding set =(.*)", sh("capsh", "--print")).group(1).strip().split(",")
    return ",".join(n for n in names if n != kept)
