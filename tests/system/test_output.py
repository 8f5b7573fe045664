# SPDX-License-Identifier: GPL-2.0-or-later
"""-o: every verb says the same in JSON and YAML, and the rows of its table in TSV.

    a ── net/default ── nva (BIRD) ── BGP ── rs
"""
import json

import pytest
import yaml

from conftest import Lab

LAB = """
name: output
defaults: {bgp: {keepalive: 5, hold: 60}}
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}
      - {name: default, addressPrefix: 10.0.0.0/24}
  - {name: other, addressSpace: [10.1.0.0/16], subnets: [{name: default, addressPrefix: 10.1.0.0/24}]}
virtualNetworkPeerings:
  - {virtualNetwork: net, remoteVirtualNetwork: other}
  - {virtualNetwork: other, remoteVirtualNetwork: net}
routeServers:
  - {name: rs, virtualNetwork: net, bgpConnections: [{name: nva, peerIp: 10.0.0.5, peerAsn: 65001}]}
machines:
  - {name: a, nics: [{subnet: net/default, privateIp: 10.0.0.4}]}
  - name: nva
    nics: [{subnet: net/default, privateIp: 10.0.0.5, enableIPForwarding: true}]
    run: {kind: bird, asn: 65001, announce: [10.50.0.0/16]}
tests:
  - {name: a reaches nva, from: a, ping: nva}
"""
# What is said of the same thing twice is equal, but for what counts and ages.
STEADY = [["list"], ["inspect"], ["effective-routes", "a"], ["effective-routes", "a", "--wide"],
          ["next-hop", "--from", "a", "--to", "10.0.0.5"], ["trace", "--from", "a", "--to", "10.0.0.5"], ["peerings"],
          ["link", "a"], ["version"], ["test"], ["ping", "--all"], ["learned-routes", "nva"],
          ["advertised-routes", "nva"], ["bgp", "rib", "--why"]]
MOVING = [["peers"], ["peer", "nva"], ["status"], ["counters"], ["counters", "a"], ["doctor"], ["events"]]


@pytest.fixture(scope="module")
def lab(daemon):
    lab = Lab(daemon, LAB, "output", daemon.run_dir.parent)
    lab.apply()
    yield lab
    lab.destroy(check=False)


def out(lab, verb, form):
    return lab.daemon.cli(*verb, "-o", form).stdout


def shape(value):
    if isinstance(value, dict):
        return {key: shape(v) for key, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value[:1]]
    return type(value).__name__


@pytest.mark.parametrize("verb", STEADY, ids=" ".join)
def test_yaml_is_json(lab, verb):
    assert yaml.safe_load(out(lab, verb, "yaml")) == json.loads(out(lab, verb, "json"))


@pytest.mark.parametrize("verb", MOVING, ids=" ".join)
def test_yaml_has_the_shape_of_json(lab, verb):
    assert shape(yaml.safe_load(out(lab, verb, "yaml"))) == shape(json.loads(out(lab, verb, "json")))


@pytest.mark.parametrize("verb", [v for v in STEADY + MOVING if v != ["peer", "nva"]], ids=" ".join)
def test_tsv_is_a_table(lab, verb):
    lines = out(lab, verb, "tsv").splitlines()
    columns = len(lines[0].split("\t"))
    assert len(lines) > 1 and [len(line.split("\t")) for line in lines] == [columns] * len(lines)


def test_tsv_rows_are_those_of_the_table(lab):
    rows = json.loads(out(lab, ["effective-routes", "a"], "json"))["value"]
    lines = [line.split("\t") for line in out(lab, ["effective-routes", "a"], "tsv").splitlines()]
    assert lines[0] == ["Source", "State", "Address Prefix", "Next Hop Type", "Next Hop IP"]
    assert lines[1:] == [[r["source"], r["state"], " ".join(r["addressPrefix"]), r["nextHopType"],
                          " ".join(r["nextHopIpAddress"])] for r in rows]


def test_file_verbs(lab, tmp_path):
    bad = tmp_path / "bad.vnrs.yml"
    bad.write_text("name: x\nnonsense: 1\n")
    p = lab.daemon.cli("validate", bad, lab.file, "-o", "yaml", check=False)
    value = yaml.safe_load(p.stdout)
    assert p.returncode == 3 and [v["valid"] for v in value] == [False, True]
    rows = [line.split("\t") for line in lab.daemon.cli("validate", bad, "-o", "tsv", check=False).stdout.splitlines()]
    assert rows[0] == ["File", "Line", "Column", "Severity", "Id", "Message", "Help"]
    assert [str(bad), "2", "1", "error", "V005"] in [row[:5] for row in rows[1:]]
    assert yaml.safe_load(lab.daemon.cli("plan", lab.file, "-o", "yaml").stdout)["changes"] == []
    assert lab.daemon.cli("plan", lab.file, "-o", "tsv").stdout == "Op\tType\tName\tDetail\n"
    assert yaml.safe_load(lab.daemon.cli("apply", lab.file, "-o", "yaml").stdout)["lab"] == "output"
    assert yaml.safe_load(lab.daemon.cli("schema", "-o", "yaml").stdout) == json.loads(lab.daemon.cli("schema").stdout)


def test_streams(lab):
    flows = lab.daemon.cli("flows", "--sample", "1", "-o", "tsv")
    assert flows.stdout.startswith("Time\tNIC\tVerdict\t")
    assert isinstance(yaml.safe_load(lab.daemon.cli("flows", "--sample", "1", "-o", "yaml").stdout), list)
