# SPDX-License-Identifier: GPL-2.0-or-later
"""A real storage service behind a service endpoint: Azurite, Microsoft's emulator of Azure Storage.

    vm-in  (endpoint, allowed)      ─┐
    vm-out (endpoint, not allowed)  ─┼── Microsoft.Storage: storage1 198.18.64.10 (azurite-blob)
    vm-no  (no endpoint)            ─┘
"""
import base64
import email.utils
import hashlib
import hmac
import os
import pathlib
import subprocess

import pytest

from conftest import until

AZURITE = pathlib.Path("/usr/local/lib/vnrs-test/node_modules/.bin/azurite-blob")
STORAGE = "198.18.64.10"
PORT = 10000
# The account that every Azurite has, and its published key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

pytestmark = pytest.mark.skipif(not AZURITE.exists(), reason="no Azurite: scripts/setup installs it where npm is")

LAB = """
name: {name}
dataplane: {dataplane}
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {{name: in, addressPrefix: 10.0.1.0/24, serviceEndpoints: [{{service: Microsoft.Storage}}]}}
      - {{name: out, addressPrefix: 10.0.2.0/24, serviceEndpoints: [{{service: Microsoft.Storage}}], routeTable: all-to-nva}}
      - {{name: no, addressPrefix: 10.0.3.0/24}}
      - {{name: nva, addressPrefix: 10.0.4.0/24}}
routeTables:
  - name: all-to-nva
    routes:
      - {{name: all, addressPrefix: 0.0.0.0/0, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.4.4}}
      - {{name: storage, addressPrefix: 198.18.64.0/20, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.4.4}}
services:
  - name: Microsoft.Storage
    addressPrefixes: [198.18.64.0/20]
    hosts: [{{name: storage1, ip: {storage}}}]
    allowedSubnets: {allowed}
machines:
  - {{name: vm-in, nics: [{{subnet: net/in, privateIp: 10.0.1.4}}]}}
  - {{name: vm-out, nics: [{{subnet: net/out, privateIp: 10.0.2.4}}]}}
  - {{name: vm-no, nics: [{{subnet: net/no, privateIp: 10.0.3.4}}]}}
  - {{name: nva, nics: [{{subnet: net/nva, privateIp: 10.0.4.4, enableIPForwarding: true}}]}}
"""


def source(name, dataplane, allowed="[net/in]"):
    return LAB.format(name=name, dataplane=dataplane, storage=STORAGE, allowed=allowed)


def signed(method, path, length="", extra=None):
    """Headers of a request with Shared Key authorization, version 2009-09-19 and later."""
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-10-04", **(extra or {})}
    resource, _, query = path.partition("?")
    canonical = "".join(f"{k}:{headers[k]}\n" for k in sorted(headers)) + f"/{ACCOUNT}/{ACCOUNT}{resource}"
    canonical += "".join("\n" + pair.replace("=", ":") for pair in sorted(query.split("&"))) if query else ""
    text = "\n".join([method, "", "", str(length or ""), "", "", "", "", "", "", "", "", canonical])
    digest = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    return {**headers, "Authorization": f"SharedKey {ACCOUNT}:{digest}"}


def request(lab, machine, method, path, body=None, extra=None):
    """Status code and body of a request from a machine; curl's exit status in place of the code where there is none."""
    args = ["curl", "-s", "--connect-timeout", "2", "-m", "60", "-X", method, "-w", "\n%{http_code}"]
    for key, value in signed(method, path, len(body) if body else "", extra).items():
        args += ["-H", f"{key}: {value}"]
    args += ["-H", "Content-Type:", "--data-binary", body] if body else ["-H", "Content-Length: 0"]
    p = subprocess.run(["ip", "netns", "exec", lab.ns(machine), *args, f"http://{STORAGE}:{PORT}/{ACCOUNT}{path}"],
                       capture_output=True, text=True)
    text, _, code = p.stdout.rpartition("\n")
    return (int(code), text) if p.returncode == 0 else (f"curl {p.returncode}", "")


@pytest.fixture(params=["ebpf", "kernel"])
def stored(request, make_lab, tmp_path):
    name = f"azurite-{request.param}"
    lab = make_lab(source(name, request.param), name)
    lab.dataplane = request.param
    lab.apply()
    log = open(tmp_path / "azurite.log", "w+")
    service = subprocess.Popen(["ip", "netns", "exec", lab.ns("service.storage1"), AZURITE, "--inMemoryPersistence",
                                "--blobHost", STORAGE, "--blobPort", str(PORT), "--disableTelemetry"],
                               stdout=log, stderr=log, env={**os.environ, "HOME": str(tmp_path)})
    lab.log = pathlib.Path(log.name)
    try:
        until(lambda: "successfully listens" in lab.log.read_text(), 30, "Azurite listens")
        yield lab
    finally:
        service.terminate()
        service.wait(60)


def test_identity_is_the_subnet(stored):
    """azure-routing.md 7: the service lets in subnets, and sees private addresses."""
    assert request(stored, "vm-in", "PUT", "/box?restype=container")[0] == 201
    code, _ = request(stored, "vm-in", "PUT", "/box/greeting", "hello", {"x-ms-blob-type": "BlockBlob"})
    assert code == 201
    assert request(stored, "vm-in", "GET", "/box/greeting") == (200, "hello")
    assert "10.0.1.4 - - " in stored.log.read_text()
    assert request(stored, "vm-out", "GET", "/box/greeting")[0] == "curl 28"  # dropped: connecting times out
    assert request(stored, "vm-no", "GET", "/box/greeting")[0] == "curl 7"  # without the endpoint there is no route
    if stored.dataplane == "ebpf":
        drops = {d["reason"]: d["packets"] for d in stored.get("counters")["drops"]}
        assert drops["SERVICE_DENIED"] > 0, drops


def test_endpoint_beats_route_table_and_is_live(stored, tmp_path):
    """azure-routing.md 2.1-4: not even a route table overrides a service endpoint; allowing a subnet needs no restart."""
    rows = stored.get("effective-routes", "vm-out")["value"]
    shown = {(r["source"], r["state"]) for r in rows if r["addressPrefix"] == ["198.18.64.0/20"]}
    assert shown == {("Default", "Active"), ("User", "Invalid")}
    hop = stored.get("next-hop", "--from", "vm-out", "--to", STORAGE)
    assert hop["nextHopType"] == "VirtualNetworkServiceEndpoint"
    assert request(stored, "vm-in", "PUT", "/box?restype=container")[0] == 201
    stored.file.write_text(source(stored.name, stored.dataplane, "[net/in, net/out]"))
    stored.apply()
    code, _ = request(stored, "vm-out", "PUT", "/box/note", "from out", {"x-ms-blob-type": "BlockBlob"})
    assert code == 201
    assert request(stored, "vm-in", "GET", "/box/note") == (200, "from out")
    assert "10.0.2.4 - - " in stored.log.read_text()
