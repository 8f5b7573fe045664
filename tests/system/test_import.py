# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs import: an ARM template becomes a lab that runs.

    vm ── hub/vms ── nva (FRR) ── BGP ── rs, by two templates: the network is a module
"""
import json
import subprocess

import pytest

from conftest import BIN, Lab, leftovers, until

NETWORK = "Microsoft.Network/virtualNetworks"


def ident(kind, *names):
    return f"[resourceId('{kind}', {', '.join(repr(n) for n in names)})]"


def nic(name, address, forwards):
    return {"type": "Microsoft.Network/networkInterfaces", "name": f"{name}-nic", "properties": {
        "enableIPForwarding": forwards, "ipConfigurations": [{"properties": {
            "privateIPAddress": address, "subnet": {"id": ident(NETWORK + "/subnets", "hub", "vms")}}}]}}


def machine(name):
    return {"type": "Microsoft.Compute/virtualMachines", "name": name, "properties": {"networkProfile": {
        "networkInterfaces": [{"id": ident("Microsoft.Network/networkInterfaces", f"{name}-nic")}]}}}


TEMPLATE = {
    "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
    "parameters": {"asn": {"type": "int"}, "space": {"type": "string", "defaultValue": "10.0.0.0/16"}},
    "resources": [
        {"type": "Microsoft.Resources/deployments", "name": "network", "properties": {
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"space": {"value": "[parameters('space')]"}},
            "template": {"parameters": {"space": {"type": "string"}}, "resources": [
                {"type": NETWORK, "name": "hub", "properties": {
                    "addressSpace": {"addressPrefixes": ["[parameters('space')]"]}, "subnets": [
                        {"name": "vms", "properties": {"addressPrefix": "[cidrSubnet(parameters('space'), 24, 0)]"}},
                        {"name": "RouteServerSubnet", "properties": {"addressPrefix": "[cidrSubnet(parameters('space'), 26, 4)]"}}]}}]}}},
        {"type": "Microsoft.Network/virtualHubs", "name": "rs", "properties": {"sku": "Standard"}},
        {"type": "Microsoft.Network/virtualHubs/ipConfigurations", "name": "rs/ip", "properties": {
            "subnet": {"id": ident(NETWORK + "/subnets", "hub", "RouteServerSubnet")}}},
        {"type": "Microsoft.Network/virtualHubs/bgpConnections", "name": "rs/nva", "properties": {
            "peerIp": "10.0.0.5", "peerAsn": "[parameters('asn')]"}},
        nic("vm", "10.0.0.4", False), nic("nva", "10.0.0.5", True), machine("vm"), machine("nva"),
        {"type": "Microsoft.Network/networkSecurityGroups", "name": "nsg", "properties": {}},
    ],
}


def run(*args):
    return subprocess.run([str(BIN / "vnrs"), "import", *map(str, args)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def files(tmp_path):
    template, parameters = tmp_path / "im-port.json", tmp_path / "parameters.json"
    template.write_text(json.dumps(TEMPLATE))
    parameters.write_text(json.dumps({"parameters": {"asn": {"value": 65001}}}))
    return template, parameters


def test_a_template_becomes_a_lab(daemon, files):
    p = run(*files)
    assert p.returncode == 0 and "networkSecurityGroups nsg: routing does not depend" in p.stderr
    assert "# " in p.stdout and "kind: frr" in p.stdout
    text = p.stdout.replace("    asn: 65001", "    asn: 65001\n    announce: [10.50.0.0/16]")
    assert text != p.stdout
    lab = Lab(daemon, text, "im-port", daemon.run_dir.parent)
    try:
        lab.apply()
        until(lambda: lab.next_hops("vm", "10.50.0.0/16") == ["10.0.0.5"], what="the appliance's route at the machine")
    finally:
        lab.destroy()
    assert leftovers("im-port", daemon.run_dir) == []


def test_what_is_missing_is_told(files):
    template, _ = files
    p = run(template)
    assert p.returncode == 3 and "parameter 'asn' has no value" in p.stderr and "peerAsn" in p.stderr
    assert "name: rs" in p.stdout  # what there is of it, to be mended by hand


def test_as_json(files):
    p = run(*files, "-o", "json")
    answer = json.loads(p.stdout)
    assert p.returncode == 0 and answer["topology"]["routeServers"][0]["bgpConnections"][0]["peerAsn"] == 65001
    assert [note["resource"] for note in answer["notes"]][-1] == "Microsoft.Network/networkSecurityGroups nsg"


@pytest.mark.parametrize("text, rc, message", [("resource vnet 'x' = {", 1, "az bicep build"), ("{}", 3, "it is no ARM template"),
                                               (None, 1, "cannot read")])
def test_what_is_no_template(tmp_path, text, rc, message):
    file = tmp_path / "main.bicep"
    if text is not None:
        file.write_text(text)
    p = run(file)
    assert p.returncode == rc and message in p.stderr and p.stdout == ""
