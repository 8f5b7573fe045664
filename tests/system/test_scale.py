# SPDX-License-Identifier: GPL-2.0-or-later
"""Many machines: a lab of 500, and one of 4,000 where VNRS_SLOW is set (10 virtual networks, counted sets of machines).
Many routes: 20,000 of one peer, and a million where VNRS_SLOW is set.

  v0  Route Server, nva (a scripted peer, AS 65001)  ── peered with each of ──  v1 … v8      v9 is alone
"""
import os
import pty
import re
import subprocess

import pytest

from conftest import BIN, Monitor, Pinger, leftovers, sh, until
from many_routes import announced, has_learned, last_address
from raw_peer import RawPeer

SLOW = pytest.mark.skipif("VNRS_SLOW" not in os.environ, reason="VNRS_SLOW is not set")
SIZES = [50, pytest.param(400, marks=SLOW)]
ROUTES = [20000, pytest.param(1000000, marks=SLOW)]
PREFIXES = [f"198.18.{i}.0/24" for i in range(20)]


def source(name, per_network, dataplane="ebpf"):
    more = ", {name: RouteServerSubnet, addressPrefix: 10.0.250.0/26}, {name: nva, addressPrefix: 10.0.251.0/24}"
    networks = "".join(f"  - {{name: v{i}, addressSpace: [10.{i}.0.0/16], "
                       f"subnets: [{{name: s, addressPrefix: 10.{i}.0.0/20}}{more if i == 0 else ''}]}}\n" for i in range(10))
    peerings = "".join(f"  - {{virtualNetwork: v0, remoteVirtualNetwork: v{i}, allowGatewayTransit: true}}\n"
                       f"  - {{virtualNetwork: v{i}, remoteVirtualNetwork: v0, useRemoteGateways: true}}\n" for i in range(1, 9))
    machines = "".join(f"  - {{name: 'vm{i}-{{1..{per_network}}}', nics: [{{subnet: v{i}/s}}]}}\n" for i in range(10))
    return f"""name: {name}
dataplane: {dataplane}
limits: none
virtualNetworks:
{networks}virtualNetworkPeerings:
{peerings}routeServers:
  - name: rs
    virtualNetwork: v0
    instanceIps: [10.0.250.4, 10.0.250.5]
    bgpConnections: [{{name: nva, peerIp: 10.0.251.4, peerAsn: 65001, bgp: {{keepalive: 5, hold: 60}}}}]
machines:
  - {{name: nva, nics: [{{subnet: v0/nva, privateIp: 10.0.251.4, enableIPForwarding: true}}]}}
{machines}"""


def apply_on_terminal(daemon, lab):
    """What `apply` shows to somebody who watches: its lines of progress."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen([BIN / "vnrs", "--socket", daemon.socket, "apply", lab.file, "--timeout", "300s"],
                         stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # nobody has the other end any more
            break
        shown += piece
    os.close(ours)
    assert p.wait(60) == 0, shown[-2000:]
    return re.findall(r"\r\x1b\[K(\d+)/(\d+) (\S+)", shown.decode())


def sink_writes(daemon, name):
    text = sh("curl", "-s", "--unix-socket", daemon.socket, "http://vnrs/metrics")
    return int(re.search(rf'^vnrs_lab_sink_writes_total{{lab="{name}"}} (\d+)$', text, re.M)[1])


@pytest.mark.parametrize("dataplane", ["ebpf", "kernel"])
@pytest.mark.parametrize("per_network", SIZES)
def test_many_machines(make_lab, daemon, per_network, dataplane):
    name = f"many-{dataplane[0]}{per_network}"
    lab = make_lab(source(name, per_network, dataplane), name)
    progress = [(int(done), int(total)) for done, total, step in apply_on_terminal(daemon, lab) if int(total)]
    assert any(0 < done < total for done, total in progress)
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)
    assert progress[-1][1] >= 30 * per_network  # a namespace, a link and a table each
    assert len(re.findall(rf"^vnrs\.{name}\.vm", sh("ip", "netns", "list"), re.M)) == 10 * per_network
    last = f"vm9-{per_network}"
    addresses = {m["name"]: m["nics"][0]["privateIpAddresses"][0] for m in lab.get("inspect")["machines"]}
    until(lambda: lab.ping("vm9-1", addresses[last]), 5, "a ping")
    assert not lab.ping("vm9-1", "10.0.0.4")  # another network, no peering

    before = sink_writes(daemon, name)
    with Monitor(lab.ns(last), lab.ns("nva"), f"vnrs.{name}") as monitor:
        assert daemon.cli("apply", lab.file).stdout.strip() == "no changes"
    assert monitor.seen == ""
    assert sink_writes(daemon, name) == before

    # Each machine is watched, the last one as well: what is taken away by hand comes back, and nothing else is touched.
    with Monitor(lab.ns("vm0-1")) as monitor:
        lab.exec(last, "ip", "nexthop", "flush")
        until(lambda: "proto vnrs" in lab.exec(last, "ip", "route"), 20, "routes are back")
    assert monitor.seen == ""

    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def learn(lab, daemon):
    """How many writes PREFIXES took, announced one by one by the NVA until a machine's NIC has each."""
    peer = RawPeer(asn=65001, local="10.0.251.4", remote="10.0.250.4", netns=lab.ns("nva"))
    until(lambda: peer.connect() or True, 20, "a connection")
    peer.establish()
    before = sink_writes(daemon, lab.name)
    for prefix in PREFIXES:
        peer.update([prefix], as_path=[65001])
        until(lambda p=prefix: lab.next_hops("vm8-1/eth0", p) == ["10.0.251.4"], 20, prefix)
    until(lambda: lab.get("status")["reached"] == lab.get("status")["generation"], 20, "all is written")
    writes = sink_writes(daemon, lab.name) - before
    peer.close()
    return writes


def test_a_route_costs_the_same_whatever_the_number_of_nics(make_lab, daemon):
    few, many = 0, 0
    for name, per_network in ("nics-10", 1), ("nics-200", 20):
        # Guest tables are the machines' own: one write each.
        lab = make_lab(source(name, per_network).replace("}', nics:", "}', inject: off, nics:"), name)
        daemon.cli("apply", lab.file, "--timeout", "100s")
        few, many = many, learn(lab, daemon)
        lab.destroy()
    assert few > 0 and many <= few * 1.1, (few, many)


def is_adopted(lab):
    """Every object was looked at; learned routes wait for the peers."""
    progress = lab.get("status")["progress"]
    return progress["done"] >= progress["total"] > 0


@pytest.mark.parametrize("dataplane", ["ebpf", "kernel"])
@pytest.mark.parametrize("routes", ROUTES)
def test_killed_with_many_routes(make_lab, daemon, routes, dataplane):
    """Packets go on by what is there, which is found to be right: nothing is written."""
    name = f"routes-{dataplane[0]}"
    alone = re.sub(", (allowGatewayTransit|useRemoteGateways): true", "", source(name, 1, dataplane))  # a domain that learns
    lab = make_lab(alone.replace("}', nics:", "}', inject: off, nics:"), name)
    daemon.cli("apply", lab.file)
    last = last_address(routes)
    lab.exec("nva", "ip", "addr", "add", f"{last}/32", "dev", "lo")
    with announced(BIN.parent / "tests/bgp_hold", lab.ns("nva"), routes) as sent:
        sent()
        until(lambda: has_learned(lab.get("status"), routes), 60, "the routes are there", 0.2)
        until(lambda: lab.ping("vm0-1", last), 20, "a ping")
        pinger = Pinger(lab.ns("vm0-1"), last)
        until(pinger.answered, 20, "answers")
        daemon.kill_everything()
        daemon.start()
        until(lambda: is_adopted(lab), 5, "adopted")
        sent()
        until(lambda: has_learned(lab.get("status"), routes), 60, "the routes are back", 0.2)
        requests, answers = pinger.stop()
        assert requests == answers
        assert sink_writes(daemon, name) == 0
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []
