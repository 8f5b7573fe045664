# SPDX-License-Identifier: GPL-2.0-or-later
"""-o: every verb says the same in JSON and YAML, and the rows of its table in TSV.

    a ── net/default ── nva (BIRD) ── BGP ── rs
"""
import json
import os
import subprocess
import xml.etree.ElementTree

import pytest
import yaml

from conftest import BIN, Lab

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
          ["link", "a"], ["version"], ["ping", "--all"], ["learned-routes", "nva"],
          ["advertised-routes", "nva"], ["bgp", "rib", "--why"]]
MOVING = [["peers"], ["peer", "nva"], ["status"], ["counters"], ["counters", "a"], ["doctor"], ["events"],
          ["test"]]


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
    said = yaml.safe_load(out(lab, verb, "yaml")), json.loads(out(lab, verb, "json"))
    if verb[:2] == ["bgp", "rib"]:  # whichever instance answers first comes first
        said = [sorted(rows, key=json.dumps) for rows in said]
    assert said[0] == said[1]


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


def graph(lab, *args, check=True, **env):
    return subprocess.run([str(BIN / "vnrs"), "--socket", str(lab.daemon.socket), "graph", *map(str, args)], check=check,
                          capture_output=True, text=True, timeout=60, env={**os.environ, **env})


def test_graph_of_a_lab_has_its_states(lab):
    made = json.loads(graph(lab, "-o", "json").stdout)
    assert made == yaml.safe_load(graph(lab, "-o", "yaml").stdout)
    nodes = {n["name"]: n for n in made["nodes"]}
    [session] = [e for e in made["edges"] if e["kind"] == "bgp"]
    assert nodes["nva"]["kind"] == "nva" and nodes["nva"]["state"] == "up" and nodes["a"]["in"] == nodes["net/default"]["id"]
    assert (session["name"], session["state"], session["details"]) == ("nva", "up", ["AS 65001", "Established"])
    assert '---|"BGP nva<br/>AS 65001<br/>Established"|' in graph(lab).stdout
    assert graph(lab, "--format", "dot").stdout.startswith('graph "output" {\n')
    of_file = json.loads(graph(lab, lab.file, "-o", "json").stdout)
    assert [n["name"] for n in of_file["nodes"]] == [n["name"] for n in made["nodes"]]
    assert all("state" not in n for n in of_file["nodes"])


def test_graph_as_svg(lab, tmp_path):
    p = graph(lab, "--format", "svg", check=False, PATH="/nonexistent")
    assert p.returncode == 1 and "graphviz, which is not installed" in p.stderr and "help:" in p.stderr and p.stdout == ""
    (tmp_path / "dot").write_text('#!/bin/sh\n[ "$1" = -Tsvg ] && read first && echo "<svg>$first</svg>"\n')
    (tmp_path / "dot").chmod(0o755)
    assert graph(lab, "--format", "svg", PATH=f"{tmp_path}").stdout == '<svg>graph "output" {</svg>\n'
    (tmp_path / "dot").write_text("#!/bin/sh\nexit 1\n")
    p = graph(lab, "--format", "svg", check=False, PATH=f"{tmp_path}")
    assert p.returncode == 1 and "graphviz failed" in p.stderr


def test_graph_refuses(lab, tmp_path):
    p = graph(lab, "--format", "png", check=False)
    assert p.returncode == 2 and "mermaid, dot or svg, not 'png'" in p.stderr
    assert graph(lab, "-o", "tsv", check=False).returncode == 2
    bad = tmp_path / "bad.vnrs.yml"
    bad.write_text("name: x\nnonsense: 1\n")
    p = graph(lab, bad, check=False)
    assert p.returncode == 3 and "unknown key 'nonsense'" in p.stderr and p.stdout == ""


def test_assertions_of_another_file(lab, tmp_path):
    """vnrs test FILE: its assertions, in the lab that runs, as JUnit XML; one that fails is told, and is no usage error."""
    file = tmp_path / "other.vnrs.yml"
    file.write_text(LAB.replace("a reaches nva, from: a, ping: nva", "a < nva, from: a, ping: nva") +
                    "  - {name: nva is nowhere, from: a, to: 10.0.0.5, expect: {nextHopType: None}}\n")
    p = lab.daemon.cli("test", file, "--format", "junit", "--timeout", "2s", check=False)
    suite = xml.etree.ElementTree.fromstring(p.stdout)
    assert p.returncode == 1 and "1 passed, 1 failed" in p.stderr
    assert {k: suite.get(k) for k in ("name", "tests", "failures")} == {"name": "output", "tests": "2", "failures": "1"}
    assert [case.get("name") for case in suite] == ["a < nva", "nva is nowhere"]
    assert "VnetLocal" in suite[1].find("failure").get("message") and suite[0].find("failure") is None


@pytest.mark.parametrize("text, message", [
    (LAB.replace("name: output", "name: nobody"), "lab 'nobody' of"),
    (LAB.replace("name: a,", "name: b,").replace("from: a,", "from: b,"), "machine 'b' is not in the lab")])
def test_assertions_of_what_does_not_run(lab, tmp_path, text, message):
    file = tmp_path / "other.vnrs.yml"
    file.write_text(text)
    p = lab.daemon.cli("test", file, check=False)
    assert p.returncode == 1 and message in p.stderr and "help:" in p.stderr and p.stdout == ""


def test_requests_are_told(lab):
    p = lab.daemon.cli("list", "-v")
    assert "vnrs: GET /v1/labs: 200, " in p.stderr and p.stdout == lab.daemon.cli("list").stdout
