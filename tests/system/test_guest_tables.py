# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines' own tables follow behind the fabric: after bursts of changes, and after kill -9 in the middle of them, every
machine has what was announced last, and nothing else.

    vm-1 … vm-30 ── workload ─ net ─ RouteServerSubnet (two instances)
                                └── nva ── nva1, nva2 (scripted peers)
"""
import random

import pytest

from conftest import Lab, sh, until
from raw_peer import Closed, RawPeer

MACHINES = 30
TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}
      - {name: nva, addressPrefix: 10.0.2.0/24}
      - {name: workload, addressPrefix: 10.0.3.0/24}
defaults: {bgp: {keepalive: 5, hold: 60}}
routeServers:
  - name: rs
    virtualNetwork: net
    bgpConnections: [{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001}, {name: nva2, peerIp: 10.0.2.5, peerAsn: 65002}]
machines:
  - {name: "vm-{1..30}", nics: [{subnet: net/workload}]}
  - {name: nva1, nics: [{subnet: net/nva, privateIp: 10.0.2.4, enableIPForwarding: true}]}
  - {name: nva2, nics: [{subnet: net/nva, privateIp: 10.0.2.5, enableIPForwarding: true}]}
"""
NVAS = {"10.0.2.4": ("nva1", 65001), "10.0.2.5": ("nva2", 65002)}
INSTANCES = ("10.0.1.4", "10.0.1.5")
PREFIXES = [f"198.18.{i}.0/24" for i in range(120)]


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = "guests-" + request.param[0]
    source = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", request.param)
    lab = Lab(daemon, source, name, tmp_path_factory.mktemp("guests"))
    daemon.cli("apply", lab.file)
    until(lambda: all(nva in lab.exec(name, "ip", "-o", "addr") for nva, (name, _) in NVAS.items()), 20, "both NVAs")
    yield lab
    lab.destroy()


@pytest.fixture
def world(lab):
    world = World(lab)
    world.connect()
    yield world
    world.close()


class World:
    """Both NVAs, their sessions with both instances, and what they announce: prefix → NVAs."""

    def __init__(self, lab):
        self.lab, self.peers = lab, {}
        self.said = {prefix: set() for prefix in PREFIXES}
        self.random = random.Random(lab.name)

    def connect(self):
        for nva, (name, asn) in NVAS.items():
            for instance in INSTANCES:
                peer = self.peers[nva, instance] = RawPeer(asn=asn, local=nva, remote=instance, netns=self.lab.ns(name))
                until(lambda p=peer: self.session(p), 40, "a session")

    @staticmethod
    def session(peer):
        """One that has just been started may not know its peers yet."""
        try:
            peer.connect()
            peer.establish(timeout=3, hold=0)
        except (Closed, OSError):
            return False
        return True

    def close(self):
        for peer in self.peers.values():
            peer.close()

    def say(self, nva, announced, withdrawn=()):
        for prefix in announced:
            self.said[prefix].add(nva)
        for prefix in withdrawn:
            self.said[prefix].discard(nva)
        for instance in INSTANCES:
            if withdrawn:
                self.peers[nva, instance].withdraw(list(withdrawn))
            if announced:
                self.peers[nva, instance].update(list(announced), as_path=[NVAS[nva][1]])

    def say_all(self):
        for nva in NVAS:
            self.say(nva, [p for p in PREFIXES if nva in self.said[p]])

    def burst(self, rounds):
        """The same prefixes again and again, faster than tables can be written."""
        for _ in range(rounds):
            some = self.random.sample(PREFIXES, self.random.randrange(1, 40))
            cut = self.random.randrange(len(some) + 1)
            self.say(self.random.choice(list(NVAS)), some[:cut], some[cut:])

    def table_of(self, machine):
        """prefix → next hops, of routes that were learned."""
        table, hops = {}, None
        for line in sh("ip", "-n", self.lab.ns(machine), "route", "show", "proto", "157").splitlines():
            words = line.split()
            if line[0] not in " \t":
                hops = table.setdefault(words[0], set()) if words[0].startswith("198.18.") else set()
            hops.update(words[i + 1] for i, word in enumerate(words) if word == "via")
        return table

    def is_right(self, machine):
        return self.table_of(machine) == {prefix: nvas for prefix, nvas in self.said.items() if nvas}

    def is_programmed(self):
        return next(c["ok"] for c in self.lab.get("status")["conditions"] if c["name"] == "routes")

    def check(self):
        """When the first and the last are right, they are said to be programmed; then all are."""
        until(lambda: self.is_right("vm-1") and self.is_right(f"vm-{MACHINES}"), 60, "the last state")
        until(self.is_programmed, 60, "programmed")
        assert [m for m in range(1, MACHINES + 1) if not self.is_right(f"vm-{m}")] == []


def test_bursts(world):
    for _ in range(3):
        world.burst(40)
        world.check()
    for nva in NVAS:
        world.say(nva, [], PREFIXES)
    world.check()


def test_controller_killed_in_a_burst(world, daemon):
    world.burst(20)
    (controller,) = daemon.children("vnrsd")
    sh("kill", "-9", controller)
    world.burst(20)  # the speakers keep the sessions
    world.check()


def test_everything_killed_in_a_burst(world, daemon):
    world.burst(30)
    daemon.kill_everything()
    world.close()
    daemon.start()
    world.connect()
    world.say_all()
    world.burst(10)
    world.check()


def test_a_route_of_somebody_else(world):
    """It stays, it is told, and the other machines go on."""
    world.say("10.0.2.4", PREFIXES[:3])
    world.check()
    ns = world.lab.ns("vm-7")
    (ours,) = sh("ip", "-n", ns, "route", "show", PREFIXES[0], "proto", "157").splitlines()
    metric = ours.split("metric")[1].split()[0]
    theirs = [PREFIXES[5], "via", "10.0.3.1", "metric", metric, "proto", "static"]
    sh("ip", "-n", ns, "route", "add", *theirs)
    world.say("10.0.2.4", PREFIXES[5:6])
    until(lambda: world.is_right("vm-1") and world.is_right(f"vm-{MACHINES}"), 30, "the others")
    until(lambda: any("vm-7" in e and PREFIXES[5] in e and "somebody else" in e for e in world.lab.get("status")["errors"]),
          30, "it is told")
    assert not world.is_programmed()
    assert "proto static" in sh("ip", "-n", ns, "route", "show", PREFIXES[5])
    sh("ip", "-n", ns, "route", "del", *theirs)
    world.check()
