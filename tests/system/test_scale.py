# SPDX-License-Identifier: GPL-2.0-or-later
"""Many machines: a lab of 500, and one of 4,000 where VNRS_SLOW is set (10 virtual networks, counted sets of machines)."""
import os
import re

import pytest

from conftest import Monitor, leftovers, sh, until

SIZES = [50, pytest.param(400, marks=pytest.mark.skipif("VNRS_SLOW" not in os.environ, reason="VNRS_SLOW is not set"))]


def source(name, per_network):
    networks = "".join(f"  - {{name: v{i}, addressSpace: [10.{i}.0.0/16], subnets: [{{name: s, addressPrefix: 10.{i}.0.0/20}}]}}\n"
                       for i in range(10))
    machines = "".join(f"  - {{name: 'vm{i}-{{1..{per_network}}}', nics: [{{subnet: v{i}/s}}]}}\n" for i in range(10))
    return f"name: {name}\nvirtualNetworks:\n{networks}machines:\n{machines}"


@pytest.mark.parametrize("per_network", SIZES)
def test_many_machines(make_lab, daemon, per_network):
    name = f"many-{per_network}"
    lab = make_lab(source(name, per_network), name)
    daemon.cli("apply", lab.file, "--wait", "--timeout", "300s", timeout=310)
    assert len(re.findall(rf"^vnrs\.{name}\.vm", sh("ip", "netns", "list"), re.M)) == 10 * per_network
    last = f"vm9-{per_network}"
    until(lambda: lab.ping("vm9-1", lab.get("inspect")["machines"][-1]["nics"][0]["privateIpAddresses"][0]), 5, "a ping")
    assert not lab.ping("vm9-1", "10.0.0.4")  # another network, no peering

    with Monitor(lab.ns(last), f"vnrs.{name}") as monitor:
        assert lab.apply().stdout.strip() == "no changes"
    assert monitor.seen == ""

    # Each machine is watched, the last one as well: what is taken away by hand comes back, and nothing else is touched.
    with Monitor(lab.ns("vm0-1")) as monitor:
        lab.exec(last, "ip", "nexthop", "flush")
        until(lambda: "proto vnrs" in lab.exec(last, "ip", "route"), 20, "routes are back")
    assert monitor.seen == ""

    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []
