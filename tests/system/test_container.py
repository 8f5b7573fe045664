# SPDX-License-Identifier: GPL-2.0-or-later
"""dataplane none: vnrs inside a container that has CAP_NET_ADMIN only, as a route injector.

      container "vnrs-test-c" (podman, --network none, NET_ADMIN)          namespace vnrs-test-nva
        eth0 10.88.9.4/24, vnrsd + one Route Server instance  ── veth ──  eth0 10.88.9.10/24, BIRD AS 65001
"""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BIN, ROOT, sh, until

NAME, NVA = "vnrs-test-c", "vnrs-test-nva"
PREFIX = "10.77.0.0/16"

TOPOLOGY = """\
name: box
dataplane: none
virtualNetworks:
  - name: net
    addressSpace: [10.88.0.0/16]
    subnets: [{name: default, addressPrefix: 10.88.9.0/24}]
routeServers:
  - name: rs
    virtualNetwork: net
    instanceIps: [10.88.9.4]
    bgpConnections: [{name: nva, peerIp: 10.88.9.10, peerAsn: 65001}]
machines:
  - name: self
    nics: [{subnet: net/default, privateIp: 10.88.9.4, attach: eth0}]
"""

BIRD = """\
router id 10.88.9.10;
protocol device {}
protocol static announced { ipv4; route %s blackhole; }
protocol bgp azure { local 10.88.9.10 as 65001; neighbor 10.88.9.4 as 65515; hold time 9; ipv4 { import all; export all; }; }
""" % PREFIX


def in_container(*args, check=True):
    return sh("podman", "exec", NAME, *args, check=check)


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    if not shutil.which("podman"):
        pytest.skip("podman is not installed")
    directory = tmp_path_factory.mktemp("container")
    image = "localhost/vnrs-test"
    sh(ROOT / "packaging/container/build", BIN, image, timeout=120)
    (directory / "box.vnrs.yml").write_text(TOPOLOGY)
    (directory / "bird.conf").write_text(BIRD)
    subprocess.run(["podman", "rm", "-f", NAME], capture_output=True)
    subprocess.run(["ip", "netns", "delete", NVA], capture_output=True)
    bird = None
    try:
        sh("podman", "run", "-d", "--name", NAME, "--network", "none", "--cap-drop", "all", "--cap-add", "NET_ADMIN",
           "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "-v", f"{directory}:/lab:ro",
           "--sysctl", "net.ipv4.ip_unprivileged_port_start=0", image, timeout=120)
        pid = sh("podman", "inspect", "-f", "{{.State.Pid}}", NAME).strip()
        sh("ip", "netns", "add", NVA)
        sh("ip", "-n", NVA, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", pid)
        sh("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "addr", "add", "10.88.9.4/24", "dev", "eth0")
        sh("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "link", "set", "eth0", "up")
        sh("ip", "-n", NVA, "addr", "add", "10.88.9.10/24", "dev", "eth0")
        sh("ip", "-n", NVA, "link", "set", "eth0", "up")
        bird = subprocess.Popen(["ip", "netns", "exec", NVA, "bird", "-f", "-c", directory / "bird.conf", "-s",
                                 directory / "bird.ctl"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        yield directory
    finally:
        if bird:
            bird.terminate()
            bird.wait(60)
        logs = subprocess.run(["podman", "logs", NAME], capture_output=True, text=True)
        print(logs.stdout + logs.stderr)
        subprocess.run(["podman", "rm", "-f", "-t", "3", NAME], capture_output=True)
        subprocess.run(["podman", "rmi", "-f", image], capture_output=True)
        subprocess.run(["ip", "netns", "delete", NVA], capture_output=True)


def shown():
    return in_container("ip", "route", "show", PREFIX)


def test_learned_routes_are_injected(container):
    until(lambda: in_container("vnrs", "list", "-o", "json", check=False).strip() == "[]", 20, "vnrsd in the container")
    in_container("vnrs", "apply", "/lab/box.vnrs.yml", "--wait", "--timeout", "90s")
    until(lambda: "via 10.88.9.10 dev eth0" in shown() and "proto vnrs" in shown(), what="the route in the container")
    # a plain injector: what the container had stays, and no system route is added
    routes = in_container("ip", "route")
    assert "10.88.9.0/24 dev eth0 proto kernel" in routes
    assert "default" not in routes and "blackhole" not in routes


def test_nothing_but_net_admin(container):
    status = in_container("ip", "-o", "route")
    assert status
    caps = sh("podman", "inspect", "-f", "{{json .EffectiveCaps}}", NAME)
    assert json.loads(caps) == ["CAP_NET_ADMIN"]


def test_withdrawal(container):
    sh("birdc", "-s", container / "bird.ctl", "disable", "announced")
    until(lambda: shown() == "", 5, "the route is gone")
    sh("birdc", "-s", container / "bird.ctl", "enable", "announced")
    until(lambda: "10.88.9.10" in shown(), 10, "the route is back")


def test_effective_routes_are_shown(container):
    rows = json.loads(in_container("vnrs", "effective-routes", "self", "-o", "json"))["value"]
    assert any(r["addressPrefix"] == [PREFIX] and r["nextHopIpAddress"] == ["10.88.9.10"] for r in rows)


def test_destroy_removes_only_ours(container):
    in_container("vnrs", "destroy")
    routes = in_container("ip", "route")
    assert "proto vnrs" not in routes and "10.88.9.0/24" in routes
