# SPDX-License-Identifier: GPL-2.0-or-later
"""Route maps of a whole lab, from the topology file to what the NIC of a virtual machine has: the example, and changes of
its maps while it runs.

    nva1 (FRR) ---- from-nva1 ---->  rs  <---- from-nva2 ---- nva2 (BIRD)
                                         ----- to-nva2 ----->
"""
import os
import signal

import pytest

from conftest import EXAMPLES, STEADY, Lab, leftovers, until

SOURCE = (EXAMPLES / "route-maps.vnrs.yml").read_text() + STEADY  # what is looked at is that changes end no session


@pytest.fixture
def lab(daemon, tmp_path):
    made = Lab(daemon, SOURCE, "route-maps", tmp_path)
    made.apply()
    try:
        yield made
    finally:
        made.destroy()
        assert not leftovers("route-maps")


def flaps(lab):
    return {(p["name"], p["instance"]): (p["state"], p["flaps"]) for p in lab.get("peers")}


UP = {(n, i): ("Established", 0) for n in ("nva1", "nva2") for i in (0, 1)}


def notes(lab, verb, peer):
    """prefix → note, on both instances the same."""
    by_role = lab.get(verb, peer)
    found = [{r["network"]: r.get("note", "") for r in rows} for rows in by_role.values()]
    assert found[0] == found[1]
    return found[0]


def change(lab, old, new):
    """Applies the file with something else in it; nobody's session ends."""
    text = lab.file.read_text()
    assert old in text
    lab.file.write_text(text.replace(old, new))
    plan = lab.daemon.cli("plan", lab.file).stdout
    assert "route map" in plan or "routing configuration" in plan
    assert "session" not in plan
    lab.apply()
    assert flaps(lab) == UP
    return plan


def test_the_example_and_live_changes(lab):
    lab.daemon.cli("test", "route-maps")
    assert flaps(lab) == UP
    assert notes(lab, "learned-routes", "nva1") == {
        "10.50.1.0/24": "summarised as 10.50.0.0/16 by route map 'from-nva1' rule 'one-branch'",
        "10.50.2.0/24": "summarised as 10.50.0.0/16 by route map 'from-nva1' rule 'one-branch'",
        "192.168.66.0/24": "dropped by route map 'from-nva1' rule 'no-test-net'",
        "192.168.7.0/24": "longer AS path; changed by route map 'from-nva1' rule 'longer'"}
    assert notes(lab, "advertised-routes", "nva2") == {
        "10.0.0.0/16": "", "10.50.0.0/16": "changed by route map 'to-nva2' rule 'tag'"}
    table = lab.daemon.cli("learned-routes", "nva1", "--lab", "route-maps", "--wide").stdout
    assert "Note" in table and "dropped by route map" in table
    assert "Note" not in lab.daemon.cli("learned-routes", "nva1", "--lab", "route-maps").stdout
    why = lab.daemon.cli("bgp", "rib", "192.168.66.0/24", "--why", "--lab", "route-maps").stdout
    assert why.count("dropped by route map 'from-nva1' rule 'no-test-net'") == 2

    # Inbound: the rule is gone, the network is there at once.
    change(lab, "routePrefix: [192.168.66.0/24]", "routePrefix: [192.168.67.0/24]")
    until(lambda: lab.next_hops("vm", "192.168.66.0/24") == ["10.0.2.4"])
    # One network of the branch by itself.
    change(lab, "[{routePrefix: [10.50.0.0/16]}]", "[{routePrefix: [10.50.1.0/24]}]")
    until(lambda: lab.next_hops("vm", "10.50.1.0/24") == ["10.0.2.4"])
    assert lab.next_hops("vm", "10.50.2.0/24") == ["10.0.2.4"]
    until(lambda: lab.next_hops("vm", "10.50.0.0/16") == ["10.0.2.5"])
    # Both paths equally long.
    change(lab, "asPath: [65001, 65001]", "community: [\"65001:7\"]")
    until(lambda: lab.next_hops("vm", "192.168.7.0/24") == ["10.0.2.4", "10.0.2.5"])
    # Outbound: what nva2 is told changes, what the machines have does not.
    change(lab, "- name: tag\n", "- {name: keep, matchCriteria: [{matchCondition: Contains, routePrefix: "
           "[192.168.66.0/24]}], actions: [{type: Drop}], nextStepIfMatched: Terminate}\n          - name: tag\n")
    until(lambda: "192.168.66.0/24" not in notes(lab, "advertised-routes", "nva2"))
    assert lab.next_hops("vm", "192.168.66.0/24") == ["10.0.2.4"]
    why = lab.daemon.cli("bgp", "rib", "192.168.66.0/24", "--why", "--lab", "route-maps").stdout
    assert why.count("to nva2: dropped by route map 'to-nva2' rule 'keep'") == 2
    # No map any more.
    change(lab, "{inboundRouteMap: from-nva2, outboundRouteMap: to-nva2}", "{inboundRouteMap: from-nva2}")
    until(lambda: notes(lab, "advertised-routes", "nva2").get("192.168.66.0/24") == "")
    assert lab.daemon.cli("plan", lab.file).stdout.count("\n") <= 1  # nothing more to do


def test_a_speaker_that_dies_has_its_maps_again(lab):
    speakers = lab.daemon.children("vnrs-speaker")
    assert len(speakers) == 2
    for pid in speakers:
        os.kill(pid, signal.SIGKILL)
    until(lambda: all(p["state"] == "Established" for p in lab.get("peers")) and
          "192.168.66.0/24" in notes(lab, "learned-routes", "nva1"), 60, "the sessions are back")
    until(lambda: lab.next_hops("vm", "10.50.0.0/16") == ["10.0.2.4"], 30)
    assert lab.next_hops("vm", "192.168.66.0/24") == []
