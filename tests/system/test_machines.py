# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines: commands of the file's author, the user's own configuration, machines of somebody else."""
import pathlib
import subprocess

from conftest import STEADY, example, sh, until

LAB = """\
name: {name}
virtualNetworks:
  - name: net
    addressSpace: [10.9.0.0/16]
    subnets: [{{name: default, addressPrefix: 10.9.0.0/24}}]
machines:
  - name: web
    nics: [{{subnet: net/default}}]
    run: {{exec: [/usr/bin/python3, -m, http.server, "80"]}}
  - name: client
    nics: [{{subnet: net/default}}]
tests:
  - {{name: the web server answers, from: client, connect: web, port: 80}}
  - {{name: nothing listens on 81, from: client, connect: web, port: 81, expect: fail}}
"""


def test_command_runs_without_root(make_lab):
    lab = make_lab(LAB.format(name="mc-exec"), "mc-exec")
    lab.apply()
    assert "2 passed, 0 failed" in lab.daemon.cli("test", lab.name, "--timeout", "20s").stdout
    pid = lab.processes("web", "python3")[0]
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] != "0"
    # NET_BIND_SERVICE, NET_ADMIN, NET_RAW and nothing else
    assert int(status["CapEff"], 16) == (1 << 10) | (1 << 12) | (1 << 13)
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"


def test_own_configuration_file(daemon, make_lab, tmp_path):
    """run.config: the user's file is used as it is."""
    own = """\
router id 10.0.2.5;
protocol device {}
protocol static mine { ipv4; route 10.60.0.0/16 unreachable; }
template bgp azure { local as 65002; multihop; hold time 9; ipv4 { import all; export where proto = "mine"; }; }
protocol bgp in0 from azure { neighbor 10.0.1.4 as 65515; }
protocol bgp in1 from azure { neighbor 10.0.1.5 as 65515; }
"""
    text = example("hub-spoke.vnrs.yml", "mc-own") + STEADY
    text = text.replace("run: {kind: bird, asn: 65002, announce: [10.50.0.0/16]}", "run: {kind: bird, asn: 65002, config: own.conf}")
    assert "own.conf" in text
    (tmp_path / "own.conf").write_text(own)
    lab = make_lab(text, "mc-own")
    lab.apply()
    until(lambda: lab.next_hops("vm-spoke", "10.60.0.0/16") == ["10.0.2.5"], what="the user's own announcement")
    assert lab.next_hops("vm-spoke", "10.50.0.0/16") == ["10.0.2.4"]
    # a changed file is taken over by apply, and the other NVA's session goes on
    flaps = {(p["name"], p["instance"]): p["flaps"] for p in lab.get("peers")}
    (tmp_path / "own.conf").write_text(own.replace("10.60", "10.61"))
    assert "nva2" in lab.apply().stdout
    until(lambda: lab.next_hops("vm-spoke", "10.61.0.0/16") == ["10.0.2.5"], what="the changed announcement")
    until(lambda: lab.next_hops("vm-spoke", "10.60.0.0/16") == [], what="the old announcement goes")
    assert {k: v for k, v in ((((p["name"], p["instance"])), p["flaps"]) for p in lab.get("peers")) if k[0] == "nva1"} == \
        {k: v for k, v in flaps.items() if k[0] == "nva1"}


def test_apply_does_only_the_difference(make_lab):
    """A machine more, a peering less: the others keep their links, their daemons and their sessions."""
    text = example("hub-spoke.vnrs.yml", "mc-diff") + STEADY
    lab = make_lab(text, "mc-diff")
    lab.apply()
    until(lambda: len(lab.next_hops("vm-spoke", "10.50.0.0/16")) == 2)

    def identity():
        return {m: (lab.exec(m, "cat", "/sys/class/net/eth0/ifindex", "/sys/class/net/eth0/iflink"))
                for m in ("vm-hub", "vm-spoke", "nva1", "nva2")}, lab.processes("nva1", "bgpd"), lab.processes("nva2", "bird")
    before = identity()
    lab.file.write_text(text.replace("  - name: vm-spoke\n", "  - name: vm-new\n    nics: [{subnet: hub/workload}]\n  - name: vm-spoke\n"))
    plan = lab.daemon.cli("plan", lab.file).stdout
    out = lab.apply().stdout
    assert "+ machine vm-new" in out and out == plan
    assert not [line for line in out.splitlines() if line.startswith("-")]
    assert identity() == before
    until(lambda: lab.ping("vm-spoke", "10.0.3.5"), what="the new machine answers")
    lab.file.write_text(text)
    assert "- machine vm-new" in lab.apply().stdout
    assert identity() == before
    assert lab.ns("vm-new") not in sh("ip", "netns", "list")


def test_peering_removed_and_added(make_lab):
    text = example("hub-spoke.vnrs.yml", "mc-peer") + STEADY
    lab = make_lab(text, "mc-peer")
    lab.apply()
    until(lambda: len(lab.next_hops("vm-spoke", "10.50.0.0/16")) == 2)
    start = text.index("virtualNetworkPeerings:")
    end = text.index("routeTables:")
    lab.file.write_text(text[:start] + text[end:])
    lab.apply()
    until(lambda: lab.next_hops("vm-spoke", "10.50.0.0/16") == [], what="no Route Server for the spoke")
    assert not lab.ping("vm-spoke", "10.0.3.4")
    # azure-routing.md 5.4: the spoke is no longer advertised to the NVAs
    until(lambda: "10.1.0.0/16" not in [r["network"] for r in lab.get("advertised-routes", "nva1")["RouteServiceRole_IN_0"]])
    lab.file.write_text(text)
    lab.apply()
    until(lambda: len(lab.next_hops("vm-spoke", "10.50.0.0/16")) == 2, what="and back")
    until(lambda: lab.ping("vm-spoke", "10.0.3.4"))


def test_machine_in_a_namespace_of_somebody_else(make_lab):
    sh("ip", "netns", "add", "vnrs-test-theirs")
    try:
        text = example("minimal.vnrs.yml", "mc-theirs").replace("{name: a,", "{name: a, netns: vnrs-test-theirs,")
        assert "vnrs-test-theirs" in text
        lab = make_lab(text, "mc-theirs")
        lab.apply()
        until(lambda: subprocess.run(["ip", "netns", "exec", "vnrs-test-theirs", "ping", "-c1", "-W1", "10.0.0.5"],
                                     capture_output=True).returncode == 0, what="ping from their namespace")
        lab.destroy()
        assert "vnrs-test-theirs" in sh("ip", "netns", "list")
        assert "eth0" not in sh("ip", "-n", "vnrs-test-theirs", "-br", "link")
    finally:
        sh("ip", "netns", "delete", "vnrs-test-theirs")
