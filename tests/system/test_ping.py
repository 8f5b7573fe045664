# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs ping --all: who answers whom, with the reason where there is no answer.

    a, b, deaf ─ net, both families     alone ─ other network, not peered
"""
import pytest

from conftest import Lab, leftovers

TOPOLOGY = """
name: ping
virtualNetworks:
  - {name: net, addressSpace: [10.0.0.0/16, "fd00::/48"], subnets: [{name: a, addressPrefixes: [10.0.0.0/24, "fd00::/64"]}]}
  - {name: other, addressSpace: [10.1.0.0/16], subnets: [{name: a, addressPrefix: 10.1.0.0/24}]}
machines:
  - {name: a, nics: [{subnet: net/a, privateIps: [10.0.0.4, "fd00::4"]}]}
  - {name: b, nics: [{subnet: net/a, privateIps: [10.0.0.5, "fd00::5"]}]}
  - {name: deaf, nics: [{subnet: net/a, privateIps: [10.0.0.6, "fd00::6"]}]}
  - {name: alone, nics: [{subnet: other/a, privateIp: 10.1.0.4}]}
"""


@pytest.fixture(scope="module")
def lab(daemon, tmp_path_factory):
    lab = Lab(daemon, TOPOLOGY, "ping", tmp_path_factory.mktemp("ping"))
    lab.apply()
    lab.exec("deaf", "sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1")
    yield lab
    lab.destroy()
    assert leftovers("ping", daemon.run_dir) == []


def test_matrix(lab):
    results = lab.get("ping", "--all")
    answered = {(r["from"], r["to"], ":" in r["address"]): r["answered"] for r in results}
    inside = {"a", "b", "deaf"}
    assert answered == {(x, y, six): six or y != "deaf" for x in inside for y in inside - {x} for six in (False, True)
                        } | {(x, "alone", False): False for x in inside} | {
                            ("alone", y, six): False for y in inside for six in (False, True)}
    reasons = {(r["from"], r["to"]): r["reason"] for r in results if not r["answered"] and ":" not in r["address"]}
    assert reasons["a", "deaf"] == "the routes lead there, but there was no answer"
    assert reasons["a", "alone"].startswith("forward: dropped: ")
    assert all(r["reason"] is None for r in results if r["answered"])


def test_table_of_some(lab):
    lines = lab.daemon.cli("--lab", "ping", "ping", "--all", "a").stdout.splitlines()
    assert lines[0].split() == ["From", "a", "b", "deaf", "alone"]
    assert lines[2].split() == ["a", "+", "+/-", "-"]
    assert lines[4] == "a → deaf 10.0.0.6: the routes lead there, but there was no answer"
    assert lines[5].startswith("a → alone 10.1.0.4: forward: dropped: ") and len(lines) == 6


@pytest.mark.parametrize("args,rc,says", [([], 2, "--all is missing"), (["--all", "nope"], 1, "no machine 'nope'")])
def test_wrong_inputs(lab, args, rc, says):
    p = lab.daemon.cli("--lab", "ping", "ping", *args, check=False)
    assert p.returncode == rc and says in p.stderr and "\nhelp: " in p.stderr and p.stdout == ""
