# SPDX-License-Identifier: GPL-2.0-or-later
"""vnrs link: carrier, loss, rate, delay, live and in the file, with real packets; and that reset and destroy leave nothing.

    a ── subnet a ─ net ─ subnet b ── b         slow: loss and rate in the file
"""
import json
import re
import subprocess
import time

import pytest

from conftest import Lab, leftovers, sh, until

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16]
    subnets:
      - {name: a, addressPrefix: 10.0.0.0/24}
      - {name: b, addressPrefix: 10.0.1.0/24}
machines:
  - {name: a, nics: [{subnet: net/a, privateIp: 10.0.0.4}]}
  - {name: b, nics: [{subnet: net/b, privateIp: 10.0.1.4}]}
  - {name: slow, nics: [{subnet: net/b, privateIp: 10.0.1.5, link: {rate: 10mbit}}]}
"""


def source(name, dataplane):
    return TOPOLOGY.replace("NAME", name).replace("DATAPLANE", dataplane)


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = "link-" + request.param[0]
    lab = Lab(daemon, source(name, request.param), name, tmp_path_factory.mktemp("link"))
    lab.dataplane = request.param
    lab.apply()
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


@pytest.fixture(autouse=True)
def mended(request):
    yield
    if "lab" in request.fixturenames:
        lab = request.getfixturevalue("lab")
        for nic in ("a", "b"):
            lab.daemon.cli("--lab", lab.name, "link", nic, "reset")


def has_netem():
    p = subprocess.run(["unshare", "-n", "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], capture_output=True)
    return p.returncode == 0


def link(lab, *args, check=True):
    return lab.daemon.cli("--lab", lab.name, "link", *args, check=check)


def ready(lab):
    until(lambda: lab.get("status")["ready"], 20, "ready")


def carrier(lab, machine):
    return "NO-CARRIER" not in sh("ip", "-n", lab.ns(machine), "link", "show", "eth0")


def qdisc(lab, machine):
    """Root qdiscs of both ends of a machine's link, with a handle of ours."""
    nic = next(n for m in lab.get("inspect")["machines"] if m["name"] == machine for n in m["nics"])
    both = sh("tc", "-n", f"vnrs.{lab.name}", "qdisc", "show", "dev", nic["fabricLink"]), \
        sh("tc", "-n", lab.ns(machine), "qdisc", "show", "dev", "eth0")
    return [q.split()[1] for text in both for q in text.splitlines() if " 766e: root" in q]


def drops(lab, reason):
    return next((d["packets"] for d in lab.get("counters")["drops"] if d["reason"] == reason), 0)


def ping(lab, count, *args):
    """Sends `count` at 500 a second at most; how many came back."""
    out = lab.exec("a", "ping", "-n", "-q", "-c", count, "-i", "0.002", "-W", "1", *args, "10.0.1.4", check=False)
    return int(re.search(r"(\d+) received", out)[1])


def test_down_takes_the_carrier_and_up_gives_it_back(lab):
    until(lambda: lab.ping("a", "10.0.1.4"), 10, "pings")
    assert carrier(lab, "b")
    assert link(lab, "b", "down").stdout == "link b/eth0: down (set live)\n"
    assert not carrier(lab, "b") and carrier(lab, "a")
    assert not lab.ping("a", "10.0.1.4") and not lab.ping("b", "10.0.0.4")
    ready(lab)
    until(lambda: lab.ping("a", "10.0.1.5"), 10, "others notice nothing")
    if lab.dataplane == "ebpf":
        assert drops(lab, "LINK_DOWN") >= 1
    status = lab.get("status")
    assert [(x["nic"], x["down"], x["live"]) for x in status["links"]] == [("slow/eth0", False, False), ("b/eth0", True, True)]
    assert "link b/eth0: down (set live)\n" in lab.daemon.cli("status", lab.name).stdout
    nics = {n["name"]: n["link"] for m in lab.get("inspect")["machines"] for n in m["nics"]}
    assert nics == {"a/eth0": "up", "b/eth0": "down", "slow/eth0": "rate 10mbit"}
    assert link(lab, "b", "up").stdout == "link b/eth0: up\n"
    assert carrier(lab, "b")
    until(lambda: lab.ping("a", "10.0.1.4"), 10, "back")
    ready(lab)


def test_down_stays_when_somebody_sets_it_up_by_hand(lab):
    link(lab, "b", "down")
    fabric = next(n["fabricLink"] for m in lab.get("inspect")["machines"] if m["name"] == "b" for n in m["nics"])
    sh("ip", "-n", f"vnrs.{lab.name}", "link", "set", fabric, "up")
    until(lambda: not carrier(lab, "b"), 10, "down again")


def test_apply_of_the_same_file_keeps_what_was_set_live(lab):
    link(lab, "b", "down")
    lab.daemon.cli("apply", lab.file, "--timeout", "60s")
    until(lambda: lab.get("status")["generation"] == lab.get("status")["reached"], 20, "applied")
    assert not carrier(lab, "b")
    # A file that says another thing of this NIC than before wins.
    text = lab.file.read_text()
    lab.file.write_text(text.replace("privateIp: 10.0.1.4", "privateIp: 10.0.1.4, link: {rate: 20mbit}"))
    lab.apply()
    assert carrier(lab, "b") and qdisc(lab, "b") == ["tbf", "tbf"]
    assert json.loads(link(lab, "b", "-o", "json").stdout) == {
        "nic": "b/eth0", "down": False, "loss": None, "rate": "20mbit", "delay": None, "jitter": None, "live": False,
        "text": "rate 20mbit"}
    lab.file.write_text(text)
    lab.apply()
    assert qdisc(lab, "b") == []


def test_loss(lab):
    if lab.dataplane == "kernel" and not has_netem():
        p = link(lab, "b", "set", "loss", "1%", check=False)
        assert p.returncode == 1 and "loss with the kernel's data plane needs the kernel's sch_netem" in p.stderr
        ready(lab)
        assert qdisc(lab, "b") == [] and link(lab, "b").stdout == "link b/eth0: up\n"
        return
    sent = 3000
    assert ping(lab, sent) == sent
    assert link(lab, "b", "set", "loss", "10%").stdout == "link b/eth0: loss 10% (set live)\n"
    before = drops(lab, "LINK_LOSS")
    got = ping(lab, sent)
    assert 0.81 * sent - 150 < got < 0.81 * sent + 150  # 10 % of each direction; 150: seven standard deviations
    if lab.dataplane == "ebpf":
        assert sent - got <= drops(lab, "LINK_LOSS") - before < sent - got + 40  # and a few ARP and ND packets
    link(lab, "b", "set", "loss", "100%")
    assert ping(lab, 3) == 0
    link(lab, "b", "reset")
    assert ping(lab, 500) == 500


def transfer(lab, megabytes, to="10.0.1.4", machine="b"):
    """Seconds that a TCP transfer from a takes."""
    server = subprocess.Popen(["ip", "netns", "exec", lab.ns(machine), "nc", "-N", "-l", "5001"], stdout=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL)
    until(lambda: ":5001" in lab.exec(machine, "ss", "-Hltn"), 10, "the server listens")
    begin = time.monotonic()
    lab.exec("a", "bash", "-c", f"head -c {megabytes * 1000000} /dev/zero | nc -N {to} 5001", timeout=60)
    server.wait(60)
    return time.monotonic() - begin


@pytest.mark.parametrize("end", ["a", "b"])
def test_rate(lab, end):
    link(lab, end, "set", "rate", "20mbit")
    assert qdisc(lab, end) == ["tbf", "tbf"]
    seconds = transfer(lab, 5)  # 2 seconds, and 5 % of headers
    assert seconds > 1.9
    link(lab, end, "reset")
    assert qdisc(lab, end) == []
    transfer(lab, 5)


def test_rate_in_the_file(lab):
    assert qdisc(lab, "slow") == ["tbf", "tbf"]
    assert transfer(lab, 1, "10.0.1.5", "slow") > 0.75  # 0.8 seconds
    assert link(lab, "slow", "reset").stdout == "link slow/eth0: up (set live)\n"
    assert qdisc(lab, "slow") == []
    transfer(lab, 1, "10.0.1.5", "slow")
    link(lab, "slow", "set", "rate", "10mbit")
    assert link(lab, "slow").stdout == "link slow/eth0: rate 10mbit\n"  # as the file says: nothing is live


def test_delay_or_what_the_kernel_lacks_for_it(lab):
    doctor = {x["name"]: x for x in lab.daemon.json("doctor")}["link impairments"]
    if not has_netem():
        p = link(lab, "b", "set", "delay", "20ms", "loss", "1%", check=False)
        assert p.returncode == 1 and "delay needs the kernel's sch_netem" in p.stderr and "vnrs doctor" in p.stderr
        assert doctor["status"] == "WARN" and "sch_netem" in doctor["text"]
        ready(lab)
        assert link(lab, "b").stdout == "link b/eth0: up\n" and qdisc(lab, "b") == []
        return
    assert doctor["status"] == "OK"
    link(lab, "b", "set", "delay", "20ms")
    out = lab.exec("a", "ping", "-n", "-q", "-c", "10", "-i", "0.05", "10.0.1.4")
    assert 38 < float(re.search(r"= ([\d.]+)/", out)[1]) < 80  # the least of them


def test_set_adds_and_none_takes_away(lab):
    if lab.dataplane == "kernel" and not has_netem():
        pytest.skip("loss needs netem there")
    link(lab, "b", "set", "loss", "0.5%")
    assert link(lab, "b", "set", "rate", "1gbit").stdout == "link b/eth0: loss 0.5%, rate 1gbit (set live)\n"
    assert link(lab, "b", "down").stdout == "link b/eth0: down, loss 0.5%, rate 1gbit (set live)\n"
    assert link(lab, "b", "set", "loss", "none").stdout == "link b/eth0: down, rate 1gbit (set live)\n"
    assert link(lab, "b", "up").stdout == "link b/eth0: rate 1gbit (set live)\n"


@pytest.mark.parametrize("args,says", [
    (["nope", "down"], "has no NIC 'nope'"), (["nope"], "has no NIC 'nope'"), (["b", "set", "loss", "200%"], "'200%' of loss"),
    (["b", "set", "loss", "1"], "'1' of loss"), (["b", "set", "rate", "1mbps"], "'1mbps' of rate"),
    (["b", "set", "rate", "1kbit"], "'1kbit' of rate"), (["b", "set", "delay", "20"], "'20' of delay"),
    (["b", "set", "jitter", "5ms"], "jitter is more"), (["b", "set", "color", "red"], "no 'color'"), (["b", "set"], "value is missing"),
    (["b", "set", "loss"], "value is missing"), (["b", "explode"], "not down, up"), (["b", "down", "now"], "nothing comes after"),
    (["b", "set", "loss", "1%", "loss", "2%"], "given twice")])
def test_wrong_inputs(lab, args, says):
    p = link(lab, *args, check=False)
    assert p.returncode == 2 and p.stderr.startswith("vnrs: error: ") and says in p.stderr and "\nhelp: " in p.stderr
    assert link(lab, "b").stdout == "link b/eth0: up\n"


def test_nothing_of_it_outlives_the_controller(lab, daemon):
    link(lab, "b", "set", "rate", "20mbit")
    link(lab, "a", "down")
    daemon.kill_everything()
    daemon.start()
    ready(lab)
    until(lambda: carrier(lab, "a") and qdisc(lab, "b") == [], 20, "as the file says")
    assert qdisc(lab, "slow") == ["tbf", "tbf"]
    until(lambda: lab.ping("a", "10.0.1.4"), 10, "pings")


def test_qdisc_that_is_not_ours_is_left_alone(lab):
    sh("tc", "-n", lab.ns("b"), "qdisc", "add", "dev", "eth0", "root", "handle", "1:", "pfifo")
    try:
        p = link(lab, "b", "set", "rate", "20mbit", check=False)
        assert p.returncode == 1 and "not ours" in p.stderr
        assert "qdisc pfifo 1: root" in sh("tc", "-n", lab.ns("b"), "qdisc", "show", "dev", "eth0")
        assert qdisc(lab, "b") == []
    finally:
        sh("tc", "-n", lab.ns("b"), "qdisc", "del", "dev", "eth0", "root")


def test_counters_of_nics(lab):
    """In both data planes; next hop types the eBPF one alone knows, and the other says so."""
    def counted():
        counters = lab.get("counters")
        return {n["name"]: (n["fromNic"]["packets"], n["toNic"]["packets"], n["toNic"]["bytes"]) for n in counters["nics"]}, counters

    before, _ = counted()
    assert ping(lab, 100, "-s", "1000") == 100
    after, counters = counted()
    for nic in ("a/eth0", "b/eth0"):
        sent, got, size = (x - y for x, y in zip(after[nic], before[nic]))
        assert 100 <= sent < 120 and 100 <= got < 120 and 100 * 1028 <= size < 100 * 1028 + 1000  # and some ARP, not 14 bytes for each
    assert bool(counters["nextHopTypes"]) == (lab.dataplane == "ebpf")
    p = lab.daemon.cli("--lab", lab.name, "counters")
    assert "a/eth0" in p.stdout and ("counts no next hop types" in p.stderr) == (lab.dataplane == "kernel")
