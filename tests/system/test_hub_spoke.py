# SPDX-License-Identifier: GPL-2.0-or-later
"""The seed's hub-and-spoke lab, on both data planes.

          vm-spoke ── spoke ═peering═ hub ── vm-hub, RouteServerSubnet (two instances)
                                       │
                              nva1 (FRR) nva2 (BIRD)      www (Internet), storage1 (service)
                                    └──── sdwan1 ────┘
"""
import os
import signal

import pytest

from conftest import Lab, Monitor, Pinger, example, leftovers, sh, until

SDWAN = "10.50.0.0/16"
BOTH = ["10.0.2.4", "10.0.2.5"]


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = f"hs-{request.param}"
    lab = Lab(daemon, example("hub-spoke.vnrs.yml", name, request.param), name, tmp_path_factory.mktemp(name))
    lab.apply()
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def both_nvas(lab):
    return lab.next_hops("vm-spoke", SDWAN) == BOTH


def test_file_assertions_pass(lab):
    out = lab.daemon.cli("test", lab.name, "--timeout", "30s").stdout
    assert ", 0 failed" in out


def test_both_nvas_are_next_hops_in_hub_and_spoke(lab):
    """azure-routing.md 5.5: equal AS-path length from several peers gives one row per next hop."""
    until(lambda: both_nvas(lab), what="both NVAs in vm-spoke")
    until(lambda: lab.next_hops("vm-hub", SDWAN) == BOTH, what="both NVAs in vm-hub")


def test_effective_routes_are_azures(lab):
    until(lambda: both_nvas(lab))
    rows = lab.get("effective-routes", "vm-spoke")["value"]
    seen = [(r["source"], r["nextHopType"], r["addressPrefix"][0]) for r in rows]
    assert ("Default", "VnetLocal", "10.1.0.0/16") == seen[0]
    assert ("Default", "VNetPeering", "10.0.0.0/16") == seen[1]
    assert ("VirtualNetworkGateway", "VirtualNetworkGateway", SDWAN) in seen
    # azure-routing.md 2.4: a learned 0/0 hides the Default one and the None rows
    assert ("Default", "Internet", "0.0.0.0/0") not in seen
    for row in rows:
        assert set(row) >= {"name", "source", "state", "addressPrefix", "nextHopType", "nextHopIpAddress",
                            "disableBgpRoutePropagation", "hasBgpOverride", "why"}


def test_machine_sees_learned_prefixes_in_its_own_table(lab):
    def shown():
        out = lab.exec("vm-spoke", "ip", "route", "show", SDWAN)
        return "proto vnrs" in out and all(nh in out for nh in BOTH)
    until(shown, what="ip route in vm-spoke")


def test_nva_keeps_its_own_routing(lab):
    """architecture.md 3: guest injection is off for machines that forward."""
    assert SDWAN not in lab.exec("nva1", "ip", "route", "show", "proto", "vnrs")


def test_ping_host_behind_the_nvas(lab):
    until(lambda: lab.ping("vm-spoke", "10.50.0.1"), what="ping sdwan1")


def test_service_only_from_its_subnet(lab):
    until(lambda: lab.ping("vm-hub", "198.18.64.10"), what="storage from hub/workload")
    assert not lab.ping("vm-spoke", "198.18.64.10")


def test_azure_envelopes_of_learned_and_advertised_routes(lab):
    def learned():
        routes = lab.get("learned-routes", "nva1")
        return all(any(r["network"] == SDWAN and r["asPath"] == "65001" and r["nextHop"] == "10.0.2.4"
                       and r["weight"] == 32768 for r in routes[f"RouteServiceRole_IN_{i}"]) for i in (0, 1))
    until(learned, what="learned routes")

    def advertised():
        told = lab.get("advertised-routes", "nva2")
        return [{r["network"]: r for r in told[f"RouteServiceRole_IN_{i}"]} for i in (0, 1)]

    until(lambda: all(SDWAN in rows for rows in advertised()), what="nva2 is told by both instances")
    for rows in advertised():
        # azure-routing.md 5.4: own ranges and those of networks that use the Route Server
        assert rows["10.0.0.0/16"]["asPath"] == "65515" and rows["10.1.0.0/16"]["asPath"] == "65515"
        assert rows["10.0.0.0/16"]["nextHop"] == rows["10.0.0.0/16"]["localAddress"]
        # the other NVA's route, though branch-to-branch has nothing to do with it
        assert rows[SDWAN]["asPath"] == "65515-65001"


def test_second_apply_changes_nothing(lab):
    """No change is told, and no kernel write is made."""
    until(lambda: both_nvas(lab) and lab.get("status")["ready"])
    with Monitor(f"vnrs.{lab.name}", lab.ns("vm-spoke"), lab.ns("nva1")) as monitor:
        out = lab.apply().stdout
    assert out.strip() == "no changes"
    assert monitor.seen == ""


def test_next_hop_answers_like_network_watcher(lab):
    until(lambda: both_nvas(lab))
    answer = lab.get("next-hop", "--from", "vm-hub", "--to", "203.0.113.9")
    assert (answer["nextHopType"], answer["routeTableId"]) == ("None", "rt-workload")
    answer = lab.get("next-hop", "--from", "vm-spoke", "--to", "10.50.1.2")
    assert answer["nextHopType"] == "VirtualNetworkGateway" and answer["routeTableId"] == "System Route"
    assert sorted(answer["nextHopIpAddresses"]) == BOTH


def test_withdrawal(lab):
    """nva1's FRR stops announcing; the row goes, with the session where it is, and comes back."""
    until(lambda: both_nvas(lab))
    flaps = [p["flaps"] for p in lab.get("peers", "rs")]
    vty = lab.daemon.run_dir / "labs" / lab.name / "proc"
    directory = next(d for d in vty.iterdir() if d.name.endswith("nva1"))

    def configure(line):
        sh("vtysh", "--vty_socket", directory, "-c", "configure terminal", "-c", "router bgp 65001",
           "-c", "address-family ipv4 unicast", "-c", line)

    configure(f"no network {SDWAN}")
    try:
        until(lambda: lab.next_hops("vm-spoke", SDWAN) == ["10.0.2.5"], what="withdrawal")
        until(lambda: lab.ping("vm-spoke", "10.50.0.1"), what="traffic through nva2")
        assert [p["flaps"] for p in lab.get("peers", "rs")] == flaps
    finally:
        out = sh("vtysh", "--vty_socket", directory, "-c", "show running-config")
        routemap = [line.split()[-1] for line in out.splitlines() if " route-map " in line and "network" in line]
        configure(f"network {SDWAN}" + (f" route-map {routemap[0]}" if routemap else ""))
    until(lambda: both_nvas(lab), what="announced again")


def test_dead_nva_leaves(lab):
    until(lambda: both_nvas(lab))
    pids = lab.processes("nva1", "bgpd")
    assert pids
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: lab.next_hops("vm-spoke", SDWAN) == ["10.0.2.5"], what="nva1 is gone")
    until(lambda: lab.ping("vm-spoke", "10.50.0.1"), what="traffic through nva2")
    until(lambda: "10.0.2.4" not in lab.exec("vm-spoke", "ip", "route", "show", SDWAN), 5, "guest table follows")
    lab.apply()
    until(lambda: both_nvas(lab), 30, "nva1 is back after apply")


def test_hold_timer_of_a_frozen_nva(lab):
    """A daemon that is stopped, not dead: only the hold timer can tell."""
    until(lambda: both_nvas(lab))
    pid = lab.processes("nva2", "bird")[0]
    hold = max(p["holdTime"] for p in lab.get("peers") if p["name"] == "nva2")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: lab.next_hops("vm-spoke", SDWAN) == ["10.0.2.4"], hold + 20, "nva2 timed out")
        until(lambda: lab.ping("vm-spoke", "10.50.0.1"), what="traffic through nva1")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: both_nvas(lab), 30, "nva2 is back")


def state_of(lab):
    rows = lab.get("effective-routes", "vm-spoke")["value"]
    routes = sorted(line.strip() for line in lab.exec("vm-spoke", "ip", "route").splitlines())
    return rows, routes


def same_state(lab, before):
    rows, routes = state_of(lab)
    strip = lambda lines: sorted(w for line in lines for w in line.split() if w.count(".") == 3)
    return rows == before[0] and strip(routes) == strip(before[1])


@pytest.mark.parametrize("victim", ["controller", "speaker", "everything"])
def test_kill_9_loses_no_packet(lab, victim):
    until(lambda: both_nvas(lab))
    until(lambda: lab.get("status")["ready"], what="ready")
    until(lambda: lab.ping("vm-spoke", "10.50.0.1"))
    before = state_of(lab)
    pings = [Pinger(lab.ns("vm-spoke"), "10.50.0.1"), Pinger(lab.ns("vm-spoke"), "10.0.3.4")]
    try:
        until(lambda: all(p.process.poll() is None for p in pings))
        if victim == "everything":
            lab.daemon.kill_everything()
            lab.daemon.start()
        else:
            name = "--controller" if victim == "controller" else "vnrs-speaker"
            pid = lab.daemon.children(name)[0]
            os.kill(pid, signal.SIGKILL)
            until(lambda: pid not in lab.daemon.children(name) and lab.daemon.children(name), what=f"a new {victim}")
        until(lambda: lab.get("status")["ready"], 60, "ready again")
        until(lambda: both_nvas(lab), 60, "both NVAs again")
    finally:
        results = [p.stop() for p in pings]
    for sent, received in results:
        assert sent >= 10 and received >= sent - 1, f"{sent} sent, {received} received"
    until(lambda: same_state(lab, before), 30, "the same state")


def test_link_removed_by_hand_comes_back(lab):
    lab.exec("vm-hub", "ip", "link", "delete", "eth0")
    until(lambda: lab.ping("vm-spoke", "10.0.3.4"), 20, "vm-hub's NIC is restored")


def test_routes_flushed_by_hand_come_back(lab):
    until(lambda: both_nvas(lab))
    # With next-hop objects iproute2 6.1 cannot flush routes by protocol; the objects take their routes with them.
    lab.exec("vm-spoke", "ip", "nexthop", "flush", "proto", "157")
    until(lambda: "10.0.2.4" in lab.exec("vm-spoke", "ip", "route", "show", SDWAN), 10, "guest routes are restored")


def test_exec_returns_the_commands_status(lab):
    assert lab.daemon.cli("exec", "vm-hub", "--lab", lab.name, "--", "sh", "-c", "exit 7", check=False).returncode == 7


def test_counters_tell_why_packets_were_dropped(lab):
    def denied():
        return {d["reason"]: d["packets"] for d in lab.get("counters")["drops"]}.get("SERVICE_DENIED", 0)

    before = denied()
    lab.ping("vm-spoke", "198.18.64.10")
    until(lambda: denied() > before, what="it is counted")


def test_rib_says_why_a_path_lost(lab):
    """Both paths of the shared prefix are used; nva1 alone announces 0/0; `bgp clear` and `refresh` act on both instances."""
    def both_have_both():
        best = sorted((r["instance"], r["peer"]) for r in lab.get("bgp", "rib", SDWAN) if r["best"])
        return best == [(i, nva) for i in (0, 1) for nva in ("nva1", "nva2")]

    until(both_have_both, 30, "both NVAs at both instances")
    flaps = {(p["name"], p["instance"]): p["flaps"] for p in lab.get("peers")}
    assert lab.get("bgp", "refresh", "nva1") == {"instances": 2}
    assert {(p["name"], p["instance"]): p["flaps"] for p in lab.get("peers")} == flaps
    assert lab.get("bgp", "clear", "nva1") == {"instances": 2}
    until(lambda: all(p["flaps"] > flaps[("nva1", p["instance"])] and p["state"] == "Established"
                      for p in lab.get("peers") if p["name"] == "nva1"), 30, "nva1 is up again")
    until(lambda: both_nvas(lab), 30, "both NVAs again")
    assert [p["instance"] for p in lab.get("peer", "rs/nva1")] == [0, 1]


def test_foreign_route_in_the_way_is_told_and_left(lab):
    """Somebody's own route with our metric stays; status names it; once it is gone ours is back."""
    until(lambda: both_nvas(lab))
    lab.exec("vm-spoke", "ip", "route", "replace", SDWAN, "via", "10.1.0.9", "dev", "eth0", "metric", "100", "proto",
             "static", "onlink")
    try:
        until(lambda: any(SDWAN in e and "somebody else" in e for e in lab.get("status")["errors"]), 10, "status names it")
        assert "proto static" in lab.exec("vm-spoke", "ip", "route", "show", SDWAN)
    finally:
        lab.exec("vm-spoke", "ip", "route", "delete", SDWAN, "proto", "static")
    until(lambda: "10.0.2.4" in lab.exec("vm-spoke", "ip", "route", "show", SDWAN), 20, "ours is back")
    until(lambda: lab.get("status")["ready"], 20, "ready again")
