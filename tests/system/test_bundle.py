# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs bundle: one archive with all that helps to find a fault, and no secret in it.

    nva2 (BIRD, a configuration of the user's own)   rs ── nva1 (FRR, TCP MD5) ── hub ── vpngw ══ IPsec ══ branch
"""
import json
import os
import pathlib
import subprocess
import tarfile

import pytest
import yaml

from conftest import BIN, Lab, sh, until

MD5, PSK, OWN, WORD = "md5-s3cret", "psk-s3cret", "own-s3cret", "word-s3cret"
LAB = f"""
name: bundle
defaults: {{bgp: {{keepalive: 5, hold: 60}}}}
virtualNetworks:
  - name: hub
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: RouteServerSubnet, addressPrefix: 10.0.1.0/26}}
      - {{name: GatewaySubnet, addressPrefix: 10.0.0.0/27}}
      - {{name: nva, addressPrefix: 10.0.2.0/24}}
routeServers:
  - name: rs
    virtualNetwork: hub
    bgpConnections:
      - {{name: nva1, peerIp: 10.0.2.4, peerAsn: 65001, password: {MD5}}}  # {MD5}
virtualNetworkGateways:
  - {{name: vpngw, virtualNetwork: hub, gatewayType: Vpn, sku: VpnGw1, activeActive: true, bgpSettings: {{asn: 65515}}}}
sites:
  - {{name: branch, addressPrefixes: [192.168.10.0/24], publicIp: 198.51.100.10}}
connections:
  - {{name: vpn, gateway: vpngw, site: branch, connectionType: IPsec, sharedKey: {PSK}}}
machines:
  - name: nva1
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.4, enableIPForwarding: true}}]
    run: {{kind: frr, asn: 65001, announce: [10.51.0.0/16]}}
  - name: nva2
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.5, enableIPForwarding: true}}]
    run: {{kind: bird, configText: "router id 10.0.2.5; protocol device {{}} # {OWN}"}}
  - name: vm
    nics: [{{subnet: hub/nva, privateIp: 10.0.2.9}}]
    run: {{kind: exec, exec: [sh, -c, "exec sleep 1000000 # {WORD}"]}}
"""


@pytest.fixture(scope="module")
def lab(daemon):
    lab = Lab(daemon, LAB, "bundle", daemon.run_dir.parent)
    try:
        lab.apply()
        yield lab
    finally:
        lab.destroy(check=False)


def unpack(path):
    """The files of an archive by their names below its one folder."""
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        [folder] = {m.name.split("/")[0] for m in members}
        assert all(m.isfile() for m in members)
        return folder, {m.name.split("/", 1)[1]: tar.extractfile(m).read().decode() for m in members}


def test_what_is_in_it(lab, tmp_path):
    p = lab.daemon.cli("bundle", tmp_path / "b.tar.gz")
    assert p.stdout == f"{tmp_path}/b.tar.gz\n" and (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
    folder, files = unpack(tmp_path / "b.tar.gz")
    data = {name: json.loads(text) for name, text in files.items() if name.endswith(".json")}
    assert folder.startswith("vnrs-bundle-")
    assert data["bundle.json"]["kernel"]["release"] == os.uname().release and data["version.json"]["version"]
    [what] = [m["what"] for m in data["bundle.json"]["notCollected"]]
    assert what == "log of the agent and the speakers" and "journalctl" in p.stderr
    doctor = {x["name"]: x for x in data["doctor.json"]["value"]}
    assert "kernel" in doctor
    assert [w for w in ("agent", "controller", "speakers") if w not in doctor["memory"]["text"]] == []
    assert " 0.0 MB" not in doctor["memory"]["text"] and " 0 speakers" not in doctor["memory"]["text"]
    assert any(x["lab"] == "bundle" for x in data["events.json"]["value"]) and "value" in data["log.json"]
    assert 'vnrs_lab_ready{lab="bundle"}' in files["metrics.txt"]
    assert [x["name"] for x in data["labs.json"]["value"]] == ["bundle"]
    lab_data = {name.split("/", 2)[2]: x for name, x in data.items() if name.startswith("labs/bundle/")}
    for part in "status", "peerings", "counters", "tests", "rib", "inspect", "peers":
        assert lab_data.pop(f"{part}.json") is not None
    assert any(r["network"] == "10.51.0.0/16" for r in lab_data["learned-routes/rs_nva1.json"]["RouteServiceRole_IN_0"])
    assert lab_data["advertised-routes/rs_nva1.json"]["RouteServiceRole_IN_0"]
    assert lab_data["peer/rs_nva1.json"]["value"][0]["md5"] is True and "learned-routes/vpngw.json" in lab_data
    assert any(r["addressPrefix"] == ["10.51.0.0/16"] for r in lab_data["effective-routes/vm_eth0.json"]["value"])


def test_secrets_are_never_in_it(lab, tmp_path):
    lab.daemon.cli("bundle", tmp_path / "b.tar.gz")
    _, files = unpack(tmp_path / "b.tar.gz")
    for name, text in files.items():
        for secret in MD5, PSK, OWN, WORD, "s3cret":
            assert secret not in text and secret not in name, name
    config = files["labs/bundle/config.vnrs.yml"]
    assert config.count("********") >= 4
    (tmp_path / "config.vnrs.yml").write_text(config)
    lab.daemon.cli("validate", tmp_path / "config.vnrs.yml")  # a topology file as any other
    assert {m["name"] for m in yaml.safe_load(config)["machines"]} == {"nva1", "nva2", "vm"}


def test_anybody_in_the_group_can_make_it(lab, tmp_path):
    sh("chmod", "a+x", lab.daemon.run_dir.parent)
    tmp_path.chmod(0o777)
    group = pathlib.Path(lab.daemon.socket).stat().st_gid
    p = subprocess.run([str(BIN / "vnrs"), "--socket", str(lab.daemon.socket), "bundle", "-o", "json"], cwd=tmp_path,
                       user="nobody", group=group, extra_groups=[], capture_output=True, text=True, timeout=120)
    assert p.returncode == 0, p.stderr
    told = json.loads(p.stdout)
    _, files = unpack(tmp_path / told["file"])
    assert json.loads(files["bundle.json"])["notCollected"] == told["notCollected"]


def test_one_lab_and_to_a_pipe(lab, tmp_path):
    p = lab.daemon.cli("bundle", "--lab", "none", tmp_path / "b.tar.gz", check=False)
    assert p.returncode == 1 and "not collected: none: there is no such lab" in p.stderr
    with open(tmp_path / "piped", "wb") as out:
        subprocess.run([str(BIN / "vnrs"), "--socket", str(lab.daemon.socket), "--lab", "bundle", "bundle", "-", "-q"],
                       stdout=out, check=True, timeout=120)
    assert "labs/bundle/rib.json" in unpack(tmp_path / "piped")[1]


def test_without_a_daemon(tmp_path):
    p = subprocess.run([str(BIN / "vnrs"), "--socket", str(tmp_path / "none.sock"), "bundle", str(tmp_path / "b.tar.gz")],
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 6 and "not collected: version.json: no vnrsd answers" in p.stderr
    assert list(unpack(tmp_path / "b.tar.gz")[1]) == ["bundle.json"]
