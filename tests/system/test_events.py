# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs events: what happened, of one lab or of all, as a list and as it happens."""
import json
import signal
import subprocess

import pytest

from conftest import BIN, Lab, leftovers

TOPOLOGY = """
name: NAME
virtualNetworks:
  - {name: net, addressSpace: [10.0.0.0/16], subnets: [{name: a, addressPrefix: 10.0.0.0/24}]}
machines:
  - {name: a, nics: [{subnet: net/a, privateIp: 10.0.0.4}]}
"""


@pytest.fixture(scope="module")
def labs(daemon, tmp_path_factory):
    labs = [Lab(daemon, TOPOLOGY.replace("NAME", n), n, tmp_path_factory.mktemp(n)) for n in ("ev-1", "ev-2")]
    for lab in labs:
        lab.apply()
    yield labs
    for lab in labs:
        lab.destroy()
        assert leftovers(lab.name, daemon.run_dir) == []


def test_list_of_all_and_of_one(daemon, labs):
    events = daemon.json("events")
    assert [e["id"] for e in events] == sorted(e["id"] for e in events)
    assert {e["lab"] for e in events} >= {"ev-1", "ev-2"}
    assert {e["lab"] for e in daemon.json("events", "--lab", "ev-2")} == {"ev-2"}
    lines = daemon.cli("events", "--lab", "ev-1").stdout.splitlines()
    assert any(line.split("  ")[1:3] == ["ev-1", "apply"] and line.endswith(" accepted") for line in lines)
    p = daemon.cli("events", "--lab", "ev-3", check=False)
    assert p.returncode == 1 and "'ev-3'" in p.stderr


@pytest.mark.parametrize("args", [[], ["--lab", "ev-1"]])
@pytest.mark.parametrize("form", ["table", "json"])
def test_follow(daemon, labs, args, form):
    p = subprocess.Popen([BIN / "vnrs", "--socket", daemon.socket, "events", "-f", "-o", form, *args],
                         stdout=subprocess.PIPE, text=True)
    for what in ("down", "up"):
        daemon.cli("--lab", "ev-2", "link", "a", what)  # of the other lab
        daemon.cli("--lab", "ev-1", "link", "a", what)
        while True:  # what was before comes first
            line = p.stdout.readline()
            event = json.loads(line) if form == "json" else dict(zip(("time", "lab", "kind", "text"), line[:-1].split("  ")))
            assert event["lab"] == "ev-1" or not args
            if event["lab"] == "ev-1" and event["kind"] == "link" and event["text"].startswith(f"a/eth0: {what}"):
                break
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == -signal.SIGINT
