# SPDX-License-Identifier: GPL-2.0-or-later
"""Load balancers as next hops, and several appliances in a user route, with real firewalls.

   a (10.0.3.4) ── subnet a ┐                ┌── subnet b ── b (10.0.4.4)
                            ├── nva1, nva2 ──┤
                            │  behind lb 10.0.2.100, both with a stateful firewall: what comes back through the
                            │  other one is dropped there
   nva3 (10.0.2.6) announces 10.50.0.0/16 with the load balancer as next hop
"""
import subprocess

import pytest

from conftest import Lab, in_ns, sh, until

TOPOLOGY = """
name: {name}
dataplane: {dataplane}
defaults: {{bgp: {{keepalive: 5, hold: 60}}}}
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: nva, addressPrefix: 10.0.2.0/24}}
      - {{name: a, addressPrefix: 10.0.3.0/24, routeTable: balanced}}
      - {{name: b, addressPrefix: 10.0.4.0/24, routeTable: balanced}}
      - {{name: c, addressPrefix: 10.0.5.0/24, routeTable: spread}}
serviceTags:
  - {{name: Storage, addressPrefixes: [20.1.0.0/16, 20.2.0.0/16]}}
  - {{name: AzureCloud, addressPrefixes: [20.1.0.0/16]}}
routeTables:
  - name: balanced
    routes:
      - {{name: all, addressPrefix: 10.0.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.100}}
  - name: spread
    routes:
      - name: all
        addressPrefix: 10.0.0.0/16
        nextHopType: VirtualApplianceEcmp
        nextHop: {{nextHopIpAddresses: [10.0.2.4, 10.0.2.5, 10.0.2.6]}}
      - {{name: cloud, addressPrefix: AzureCloud, nextHopType: None}}
      - {{name: storage, addressPrefix: Storage, nextHopType: Internet}}
loadBalancers:
  - name: lb
    subnet: net/nva
    privateIPAddress: 10.0.2.100
    backendPool: [nva1, nva2]
    probe: {{port: 8080, intervalInSeconds: 1, numberOfProbes: 2}}
routeServers:
  - name: rs
    virtualNetwork: net
    bgpConnections: [{{name: nva3, peerIp: 10.0.2.6, peerAsn: 65003}}]
internet: {{hosts: [{{name: www, ip: 20.2.0.1}}]}}
tests:
  - {{name: three appliances, from: c, to: 10.0.3.4, expect: {{nextHopType: VirtualApplianceEcmp}}}}
machines:
  - {{name: a, nics: [{{subnet: net/a, privateIp: 10.0.3.4}}]}}
  - {{name: b, nics: [{{subnet: net/b, privateIp: 10.0.4.4}}]}}
  - {{name: c, nics: [{{subnet: net/c, privateIp: 10.0.5.4}}]}}
  - {{name: nva1, nics: [{{subnet: net/nva, privateIp: 10.0.2.4, enableIPForwarding: true}}]}}
  - {{name: nva2, nics: [{{subnet: net/nva, privateIp: 10.0.2.5, enableIPForwarding: true}}]}}
  - name: nva3
    nics: [{{subnet: net/nva, privateIp: 10.0.2.6, enableIPForwarding: true}}]
    run: {{kind: bird, asn: 65003, announce: [{{prefix: 10.50.0.0/16, nextHop: 10.0.2.100}}]}}
"""

FIREWALL = """
table ip fw {
  chain through {
    type filter hook forward priority 0; policy accept;
    ct state invalid counter drop
    tcp flags & (syn | ack) == syn ct state new counter accept
    ct state new meta l4proto tcp counter drop
  }
}
"""

# TCP connections from distinct ports; how many got an answer.
CLIENT = """
import socket, sys
got = 0
for i in range(int(sys.argv[2])):
    s = socket.socket()
    s.settimeout(2)
    try:
        s.connect((sys.argv[1], 9000))
        got += s.recv(2) == b"ok"
    except OSError:
        pass
    s.close()
print(got)
"""

SERVER = """
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen(256)
while True:
    c, _ = s.accept()
    c.send(b"ok")
    c.close()
"""


class Server:
    def __init__(self, ns, port):
        self.process = subprocess.Popen(["ip", "netns", "exec", ns, "/usr/bin/python3", "-c", SERVER, str(port)])

    def stop(self):
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(daemon, request, tmp_path_factory):
    name = f"lb-{request.param}"
    lab = Lab(daemon, TOPOLOGY.format(name=name, dataplane=request.param), name, tmp_path_factory.mktemp(name))
    lab.dataplane = request.param
    lab.servers = {}
    try:
        lab.apply()
        lab.servers = {m: Server(lab.ns(m), port) for m, port in
                       (("nva1", 8080), ("nva2", 8080), ("a", 9000), ("b", 9000), ("c", 9000))}
        for nva in ("nva1", "nva2"):
            in_ns(lab.ns(nva), "nft", "-f", "-", stdin=FIREWALL)
        yield lab
    finally:
        for server in lab.servers.values():
            server.stop()
        lab.destroy(check=False)


def backends(lab):
    return {b["nic"]: b["state"] for b in lab.get("inspect")["loadBalancers"][0]["backends"]}


def connect(lab, machine, to, n=40):
    return int(lab.exec(machine, "/usr/bin/python3", "-c", CLIENT, to, n, timeout=180))


def accepted(lab, nva):
    """New connections that the firewall of the NVA let through."""
    rule = next(r for r in lab.exec(nva, "nft", "list", "table", "ip", "fw").splitlines() if "syn" in r)
    return int(rule.split("packets ")[1].split()[0])


def test_rows(lab):
    rows = {(r["addressPrefix"][0], r["source"], r["state"]): r for r in lab.get("effective-routes", "c")["value"]}
    spread = rows["10.0.0.0/16", "User", "Active"]
    assert spread["nextHopType"] == "VirtualAppliance"
    assert spread["nextHopIpAddress"] == ["10.0.2.4", "10.0.2.5", "10.0.2.6"]  # one row, azure-routing.md 3.6
    hop = lab.get("next-hop", "--from", "c", "--to", "10.0.3.4")  # 9.3
    assert hop["nextHopType"] == "VirtualApplianceEcmp" and hop["nextHopIpAddresses"] == spread["nextHopIpAddress"]
    [way] = lab.get("trace", "--from", "c", "--to", "10.0.3.4")["forward"]["hops"][:1]
    assert way["nextHopType"] == "VirtualApplianceEcmp"
    assert lab.get("next-hop", "--from", "a", "--to", "10.0.4.4")["nextHopType"] == "VirtualAppliance"
    assert rows["20.1.0.0/16", "User", "Active"]["destinationServiceTags"] == ["Storage"]  # 3.3
    assert rows["20.1.0.0/16", "User", "Invalid"]["destinationServiceTags"] == ["AzureCloud"]
    assert lab.next_hops("a", "10.0.0.0/16") == ["10.0.2.100"]
    until(lambda: lab.next_hops("a", "10.50.0.0/16") == ["10.0.2.100"], 30, "the learned route leads to the frontend")
    until(lambda: lab.ping("c", "20.2.0.1"), 10, "the tag leads to the Internet")
    lab.daemon.cli("test", lab.name)


def test_both_directions_meet_in_one_firewall(lab):
    until(lambda: backends(lab) == {"nva1/eth0": "Up", "nva2/eth0": "Up"}, 20, "both are probed")
    until(lambda: connect(lab, "a", "10.0.4.4") == 40 and all(accepted(lab, n) for n in ("nva1", "nva2")), 20, "both are used")
    before = [accepted(lab, n) for n in ("nva1", "nva2")]
    assert connect(lab, "a", "10.0.4.4") == 40 and connect(lab, "b", "10.0.3.4") == 40
    used = [accepted(lab, n) - b for n, b in zip(("nva1", "nva2"), before)]
    assert sum(used) == 80 and min(used) >= 15, used


def test_a_backend_that_does_not_answer_is_left_out(lab):
    until(lambda: backends(lab) == {"nva1/eth0": "Up", "nva2/eth0": "Up"}, 20, "both are probed")
    lab.servers["nva1"].stop()
    until(lambda: backends(lab) == {"nva1/eth0": "Down", "nva2/eth0": "Up"}, 20, "nva1 is out")
    assert "Connection refused" in lab.daemon.cli("inspect", lab.name).stdout

    def is_left_out():
        before = accepted(lab, "nva1")
        return connect(lab, "a", "10.0.4.4") == 40 and connect(lab, "b", "10.0.3.4") == 40 and accepted(lab, "nva1") == before

    until(is_left_out, 20, "all go through nva2")
    before = accepted(lab, "nva1")
    lab.servers["nva1"] = Server(lab.ns("nva1"), 8080)
    until(lambda: backends(lab) == {"nva1/eth0": "Up", "nva2/eth0": "Up"}, 20, "nva1 is in again")
    until(lambda: connect(lab, "a", "10.0.4.4") == 40 and accepted(lab, "nva1") > before, 30, "it has flows")
    assert lab.apply().stdout.strip() == "no changes"


def test_probes_come_from_the_platform_address(lab):
    seen = sh("timeout", "30", "ip", "netns", "exec", lab.ns("nva2"), "tcpdump", "-n", "-c", "1", "-i", "eth0",
              "tcp dst port 8080", check=False)
    assert "168.63.129.16" in seen and "10.0.2.5.8080" in seen


def test_packets_to_the_frontend_go_to_a_backend(lab):
    """Their destination stays: only who has the address as well answers (floating IP)."""
    for nva in ("nva1", "nva2"):
        lab.exec(nva, "ip", "address", "add", "10.0.2.100/32", "dev", "lo")
    try:
        until(lambda: lab.ping("c", "10.0.2.100"), 10, "a backend answers for the frontend")
    finally:
        for nva in ("nva1", "nva2"):
            lab.exec(nva, "ip", "address", "del", "10.0.2.100/32", "dev", "lo")


def test_flows_are_spread_over_all_appliances(lab):
    """Not symmetric, as in Azure: only that each of the three gets some is looked at."""
    def received(nva):
        return int(lab.exec(nva, "cat", "/sys/class/net/eth0/statistics/rx_packets"))

    before = {n: received(n) for n in ("nva1", "nva2", "nva3")}
    lab.exec("c", "/usr/bin/python3", "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
             "[s.sendto(b'x', ('10.0.3.4', port)) for port in range(20000, 20090)]")
    until(lambda: all(received(n) - b >= 15 for n, b in before.items()), 10, "each has some")
