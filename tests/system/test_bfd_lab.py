# SPDX-License-Identifier: GPL-2.0-or-later
"""BFD in a whole lab, on both data planes: hub-spoke with Azure's BGP timers, so that what is fast is BFD.

  vm-spoke ── spoke ═peering═ hub ── Route Server (two instances, each with BFD to both NVAs, over hops)
                               │
                      nva1 (FRR) nva2 (BIRD) ──── sdwan1
"""
import os
import re
import signal

import pytest

from conftest import Lab, example, leftovers, sh, until

SDWAN = "10.50.0.0/16"
NVAS = {"nva1": "10.0.2.4", "nva2": "10.0.2.5"}
DEFAULTS = """
defaults:
  bgp: {keepalive: 60, hold: 180}
  bfd: {transmitInterval: 100, receiveInterval: 150, detectMultiplier: 10}
"""
COUNT = """table inet count {
chain forward {
type filter hook forward priority 0
ip daddr 10.50.0.1 icmp type echo-request counter
}
}
"""


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = f"bfd-{request.param}"
    lab = Lab(daemon, example("hub-spoke.vnrs.yml", name, request.param) + DEFAULTS, name, tmp_path_factory.mktemp(name))
    lab.apply()
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def peers(lab, nva):
    return [p for p in lab.get("peers") if p["name"] == nva]


def is_all_up(lab):
    return all(p["state"] == "Established" and p["bfd"]["state"] == "Up" for nva in NVAS for p in peers(lab, nva)) and \
        lab.next_hops("vm-spoke", SDWAN) == sorted(NVAS.values())


def test_comes_up_with_both_and_is_shown(lab):
    until(lambda: is_all_up(lab), 40, "BFD with both NVAs")
    for nva in NVAS:
        def negotiated():
            return [(p["bfd"]["transmitIntervalUs"], p["bfd"]["detectionTimeUs"]) for p in peers(lab, nva)] == \
                [(150000, 1500000)] * 2
        until(negotiated, what=f"intervals with {nva}")
        assert all(p["bfd"]["multihop"] and not p["bfd"]["failures"] and not p["bfd"]["error"] for p in peers(lab, nva))
    text = lab.daemon.cli("peer", "nva1", "--lab", lab.name).stdout
    assert "BFD               Up for" in text and "a packet every 150 ms, 1500 ms to detect a failure" in text
    assert " Up  " in lab.daemon.cli("peers", "--lab", lab.name).stdout
    metrics = sh("curl", "-s", "--unix-socket", lab.daemon.socket, "http://vnrs/metrics")
    assert sum(1 for line in metrics.splitlines() if line.startswith(f'vnrs_bfd_up{{lab="{lab.name}"') and
               line.endswith(" 1")) == 4


def counted(lab, nva):
    return int(re.search(r"packets (\d+) ", lab.exec(nva, "nft", "list", "table", "inet", "count"))[1])


@pytest.mark.parametrize("nva", list(NVAS))
def test_traffic_leaves_an_nva_that_went_silent(lab, nva):
    """It drops every packet: no link goes down, no connection closes, and the hold time is three minutes away. What the
    host behind the NVAs answers may still go through the dead one, which is nothing that BGP could know."""
    survivor, other = next((name, [ip]) for name, ip in NVAS.items() if name != nva)
    until(lambda: is_all_up(lab), 60, "BFD with both NVAs")
    rules = "table inet silence {\n%s}\n" % "".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; policy drop; }}\n" for hook in ("input", "forward", "output"))
    lab.exec(nva, "nft", "-f", "-", stdin=rules)
    try:
        until(lambda: lab.next_hops("vm-spoke", SDWAN) == other, 10, "the other NVA alone")
        lab.exec(survivor, "nft", "-f", "-", stdin=COUNT)

        def all_through():
            before = counted(lab, survivor)
            lab.ping("vm-spoke", "10.50.0.1", count=3)
            return counted(lab, survivor) - before == 3

        until(all_through, 10, "requests through the other NVA")
        for p in peers(lab, nva):
            assert p["state"] != "Established" and p["lastError"].startswith("BFD: control detection time expired"), p
        status = lab.daemon.cli("status", lab.name, check=False).stdout
        assert "BFD: control detection time expired" in status
        events = sh("curl", "-s", "--unix-socket", lab.daemon.socket, f"http://vnrs/v1/labs/{lab.name}/events?since=0")
        assert all(f"BFD with peer '{nva}' of 'rs-{i}' is down: control detection time expired" in events for i in (0, 1))
    finally:
        lab.exec(nva, "nft", "delete", "table", "inet", "silence")
        lab.exec(survivor, "nft", "delete", "table", "inet", "count", check=False)
    until(lambda: is_all_up(lab), 60, "both NVAs again")


@pytest.mark.parametrize("nva", list(NVAS))
def test_stopped_daemons(lab, nva):
    """The machine forwards still, but nobody speaks for it."""
    other = [ip for name, ip in NVAS.items() if name != nva]
    until(lambda: is_all_up(lab), 60, "BFD with both NVAs")
    pids = [pid for name in ("zebra", "staticd", "bgpd", "bfdd", "bird") for pid in lab.processes(nva, name)]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: lab.next_hops("vm-spoke", SDWAN) == other, 10, "the other NVA alone")
        until(lambda: lab.ping("vm-spoke", "10.50.0.1"), 10, "through the other one")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until(lambda: is_all_up(lab), 60, "both NVAs again")


def test_switched_off_and_on(lab):
    """A new file: sessions of BGP go on where the NVA does not take the end of BFD for a failure."""
    until(lambda: is_all_up(lab), 60, "BFD with both NVAs")
    text = lab.file.read_text()
    lab.file.write_text(text.replace("detectMultiplier: 10", "detectMultiplier: 11"))
    lab.apply()
    until(lambda: all(p["bfd"]["detectionTimeUs"] == 1650000 for nva in NVAS for p in peers(lab, nva)), 60, "new multiplier")
    lab.file.write_text(text.split("  bfd:")[0])
    lab.apply()
    until(lambda: all(p["bfd"] is None and p["state"] == "Established" for nva in NVAS for p in peers(lab, nva)), 60,
          "BGP without BFD")
    lab.file.write_text(text)
    lab.apply()
    until(lambda: is_all_up(lab), 60, "BFD again")
    # bgpd that asks for BFD before it has found zebra never gets it.
    assert "was not installed" not in (lab.daemon.run_dir / "labs" / lab.name / "proc/nva1/log").read_text()
