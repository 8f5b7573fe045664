# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of kernel object that is ours, removed by hand, is noticed and back; what is of others is not touched.

    a, b (rate) ── subnet a ── net ── subnet nva ── nva ── site1        Internet (source NAT) ── www
"""
import collections
import json
import pathlib
import re
import signal
import time

import pytest

from conftest import Lab, Monitor, leftovers, sh, until

TOPOLOGY = """
name: NAME
dataplane: DATAPLANE
virtualNetworks:
  - name: net
    addressSpace: [10.0.0.0/16, "fd00::/48"]
    subnets:
      - {name: a, addressPrefixes: [10.0.0.0/24, "fd00:0:0:1::/64"], routeTable: rt}
      - {name: nva, addressPrefixes: [10.0.2.0/24, "fd00:0:0:2::/64"]}
routeTables:
  - name: rt
    routes:
      - {name: site, addressPrefix: 10.50.0.0/16, nextHopType: VirtualAppliance, nextHopIpAddress: 10.0.2.4}
internet:
  hosts: [{name: www, ip: 203.0.113.80}]
  snat: true
machines:
  - {name: a, nics: [{subnet: net/a, privateIps: [10.0.0.4, "fd00:0:0:1::4"]}]}
  - {name: b, nics: [{subnet: net/a, privateIps: [10.0.0.5, "fd00:0:0:1::5"], link: {rate: 100mbit}}]}
  - name: nva
    nics: [{subnet: net/nva, privateIps: [10.0.2.4, "fd00:0:0:2::4"], enableIPForwarding: true}]
    hosts: [{name: site1, ip: 10.50.0.1}]
"""

SYSCTLS = ("net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.rp_filter net.ipv4.conf.all.accept_redirects "
           "net.ipv6.conf.all.proxy_ndp net.ipv4.nexthop_compat_mode net.ipv4.fib_multipath_hash_policy").split()


@pytest.fixture(scope="module", params=["ebpf", "kernel"])
def lab(request, daemon, tmp_path_factory):
    name = "re-" + request.param[0]
    source = TOPOLOGY.replace("NAME", name).replace("DATAPLANE", request.param)
    lab = Lab(daemon, source, name, tmp_path_factory.mktemp("re"))
    lab.dataplane = request.param
    lab.apply()
    links = {m["name"]: m["nics"][0]["fabricLink"] for m in lab.get("inspect")["machines"]}
    lab.words = {"F": f"vnrs.{name}", "VA": links["a"], "VB": links["b"], "pins": f"/sys/fs/bpf/vnrs/{name}",
                 **{k: lab.ns(v) for k, v in (("A", "a"), ("B", "b"), ("N", "nva"), ("E", "internet.edge"), ("S", "host.site1"))}}
    lab.links = {lab.words["F"]: sorted(links.values())}
    until(lambda: flows(lab), 10, "packets flow")
    lab.right = {ns: state(ns, lab.links.get(ns, ())) for ns in (lab.words[word] for word in "FABNES")}
    lab.right_pins = pins(lab)
    yield lab
    lab.destroy()
    assert leftovers(name, daemon.run_dir) == []


def state(ns, links=()):
    """What of the namespace is or could be ours, without what the kernel numbers anew. `links`: of the fabric."""
    def batch(program, *lines):
        return sh(*program, "-n", ns, "-batch", "-", stdin="\n".join(lines), check=False).splitlines()

    found = [line for line in batch(("ip", "-o"), "link show", "addr show") if "scope link" not in line]
    for family in "-4", "-6":
        found += batch(("ip", family), "route show table all proto 157", "rule show")
    found += batch(("ip", "-6"), "neigh show nud permanent", "neigh show proxy", "nexthop show proto 157")
    found += batch(("tc",), "qdisc show", *(f"filter show dev {link} ingress" for link in links))
    found += sh("ip", "netns", "exec", ns, "sh", "-c", "nft -s -t list ruleset; nft -s list table inet vnrs; sysctl " + " ".join(
        SYSCTLS + [f"net.ipv4.conf.{link}.{name}" for link in links for name in ("proxy_arp", "forwarding")])).splitlines()
    volatile = re.compile(r"^\d+: |\b(nhid|id|link-netnsid|group|refcnt) [0-9a-f/]+|name tag jited|\bid \d+ |@\S+|qlen \d+")
    return sorted(volatile.sub("", line).strip() for line in found)


def pins(lab):
    return sorted(str(p) for p in pathlib.Path(lab.words["pins"]).rglob("*"))


def suspects(lab, since=0):
    """Numbers of the events that tell of another hand."""
    url = f"http://vnrs/v1/labs/{lab.name}/events?since={since}"
    events = json.loads(sh("curl", "-s", "--unix-socket", lab.daemon.socket, url))["value"]
    return [e["id"] for e in events if e["kind"] == "suspect"]


def flows(lab):
    return all(lab.ping("a", to) for to in ("10.0.0.5", "10.50.0.1", "203.0.113.80", "fd00:0:0:1::5", "fd00:0:0:2::4"))


def wrong(lab, words="FABNES"):
    """What is not as it was when the lab was new."""
    found = {}
    for ns in (lab.words[word] for word in words):
        right, now = lab.right[ns], state(ns, lab.links.get(ns, ()))
        if now != right:
            lost, more = (collections.Counter(x) - collections.Counter(y) for x, y in ((right, now), (now, right)))
            found[ns] = {"lost": list(lost), "more": list(more)}
    if pins(lab) != lab.right_pins:
        found["pins"] = pins(lab)
    return found


BOTH, EBPF, KERNEL = ("ebpf", "kernel"), ("ebpf",), ("kernel",)
# What is done by hand, in words of a shell: {A} is a namespace, {VA} the fabric end of its link.
CASES = {
    "guest route": (BOTH, "ip -n {A} route del 10.50.0.0/16"),
    "guest routes": (BOTH, "for p in 10.50.0.0/16 10.0.0.0/16 10.0.0.0/8 default; do ip -n {A} route del $p; done"),
    "guest routes, IPv6": (BOTH, "for p in fd00::/48 default; do ip -n {A} -6 route del $p; done"),
    "guest next hops": (BOTH, "ip -n {A} nexthop flush"),
    "guest link down": (BOTH, "ip -n {A} link set eth0 down"),
    "guest link down and up": (BOTH, "ip -n {A} link set eth0 down; ip -n {A} link set eth0 up"),
    "guest link deleted": (BOTH, "ip -n {A} link del eth0"),
    "guest link renamed": (BOTH, "ip -n {A} link set eth0 down; ip -n {A} link set eth0 name eth7"),
    "guest MTU": (BOTH, "ip -n {A} link set eth0 mtu 1300"),
    "guest MAC": (BOTH, "ip -n {A} link set eth0 address 02:00:00:00:00:99"),
    "guest alias": (BOTH, "ip -n {A} link set eth0 alias ''"),
    "guest address": (BOTH, "ip -n {A} addr del 10.0.0.4/24 dev eth0"),
    "guest address, IPv6": (BOTH, "ip -n {A} addr del fd00:0:0:1::4/64 dev eth0"),
    "guest addresses": (BOTH, "ip -n {A} addr flush dev eth0 scope global"),
    "fabric link down": (BOTH, "ip -n {F} link set {VA} down"),
    "fabric link down and up": (BOTH, "ip -n {F} link set {VA} down; ip -n {F} link set {VA} up"),
    "fabric link deleted": (BOTH, "ip -n {F} link del {VA}"),
    "routes of an appliance": (BOTH, "ip -n {N} route flush table main proto 157"),
    "routes of a host": (BOTH, "ip -n {S} route flush table main"),
    "routes of the Internet": (BOTH, "ip -n {E} route flush table main; ip -n {E} -6 route flush table main proto 157"),
    "source NAT": (BOTH, "ip netns exec {E} nft delete table inet vnrs.h-www-0"),
    "source NAT's rules": (BOTH, "ip netns exec {E} nft flush table inet vnrs.h-www-0"),
    "source NAT, with everything": (BOTH, "ip netns exec {E} nft flush ruleset"),
    "forwarding": (BOTH, "ip netns exec {N} sysctl -qw net.ipv4.ip_forward=0"),
    "forwarding, IPv6": (BOTH, "ip netns exec {N} sysctl -qw net.ipv6.conf.all.forwarding=0"),
    "forwarding of the fabric": (BOTH, "ip netns exec {F} sysctl -qw net.ipv4.ip_forward={other}"),
    "reverse path filter": (BOTH, "ip netns exec {A} sysctl -qw net.ipv4.conf.all.rp_filter=1"),
    "rate of a guest link": (BOTH, "tc -n {B} qdisc del dev eth0 root"),
    "rate of a fabric link": (BOTH, "tc -n {F} qdisc del dev {VB} root"),
    "namespace of a machine": (BOTH, "ip netns del {A}"),
    "namespace of a machine, another in its place": (BOTH, "ip netns del {A}; ip netns add {A}"),
    "namespace of the Internet": (BOTH, "ip netns del {E}"),
    "namespace of the fabric": (BOTH, "ip netns del {F}"),
    "namespace of the fabric, another in its place": (BOTH, "ip netns del {F}; ip netns add {F}"),
    "ingress qdisc": (EBPF, "tc -n {F} qdisc del dev {VA} ingress"),
    "filter": (EBPF, "tc -n {F} filter del dev {VA} ingress"),
    "filter by its number": (EBPF, "tc -n {F} filter del dev {VA} ingress prio 1"),
    "filter of the qdisc": (EBPF, "tc -n {F} filter del dev {VA} parent ffff:"),
    "pin of a map": (EBPF, "rm {pins}/v*/nics"),
    "pin of the program": (EBPF, "rm {pins}/v*/forward"),
    "all pins": (EBPF, "rm -r {pins}"),
    "fabric's table": (KERNEL, "ip -n {F} route flush table 10001"),
    "fabric's table, IPv6": (KERNEL, "ip -n {F} -6 route flush table 10001"),
    "fabric's route": (KERNEL, "ip -n {F} route del 10.50.0.0/16 table 10001"),
    "fabric's next hops": (KERNEL, "ip -n {F} nexthop flush"),
    "fabric's rule": (KERNEL, "ip -n {F} rule del iif {VA}"),
    "fabric's rule, IPv6": (KERNEL, "ip -n {F} -6 rule del iif {VA}"),
    "fabric's neighbour": (KERNEL, "ip -n {F} -6 neigh del fe80::1 dev {VA}"),
    "fabric's neighbours": (KERNEL, "ip -n {F} neigh flush nud permanent"),
    "fabric's link for drops": (KERNEL, "ip -n {F} link del vnrs.drop"),
    "fabric's link for drops, down": (KERNEL, "ip -n {F} link set vnrs.drop down"),
    "fabric's link for drops, no carrier": (KERNEL, "ip -n {F} link set vnrs.drop-end down"),
    "fabric's source check": (KERNEL, "ip netns exec {F} nft delete table inet vnrs"),
    "fabric's counters": (KERNEL, "ip netns exec {F} nft delete table inet vnrs_count"),
    "fabric's ARP check": (KERNEL, "ip netns exec {F} nft delete table arp vnrs"),
    "fabric's proxy ARP": (KERNEL, "ip netns exec {F} sysctl -qw net.ipv4.conf.{VA}.proxy_arp=0"),
}


@pytest.mark.parametrize("case", CASES)
def test_is_back(lab, case):
    dataplanes, hand = CASES[case]
    if lab.dataplane not in dataplanes:
        pytest.skip("not in this data plane")
    touched = "".join(word for word in "FABNES" if f"{{{word}}}" in hand)
    before = max(suspects(lab), default=0)
    begin = time.monotonic()
    sh("sh", "-ec", hand.format(other=int(lab.dataplane == "ebpf"), **lab.words))
    until(lambda: suspects(lab, before), 10, "somebody noticed")  # nobody looks without a reason
    noticed = time.monotonic() - begin
    try:
        until(lambda: not wrong(lab, touched) and not wrong(lab), 10, case)
    except AssertionError:
        assert not wrong(lab), case
    took = time.monotonic() - begin
    print(f"{case}: noticed after {noticed:.2f} s, right after {took:.2f} s")
    until(lambda: flows(lab), 10, "packets flow")
    assert len(suspects(lab, before)) <= 8, "our own repair is no news"  # each of several commands may be


def test_what_goes_unheard_is_back(lab):
    """While nobody listens more happens than there is room to tell of (4 MB); what goes then is not among what is told."""
    flood = ["link add flood type veth peer floodp", *(f"link set flood mtu {1300 + i % 2}" for i in range(20000)), "link del flood"]
    hand = "ip -n {A} nexthop flush; ip -n {A} addr del 10.0.0.4/24 dev eth0"
    if lab.dataplane == "kernel":
        hand += "; ip -n {F} route flush table 10001"
    before = max(suspects(lab), default=0)
    lab.daemon.process.send_signal(signal.SIGSTOP)
    try:
        sh("ip", "-n", lab.words["N"], "-batch", "-", stdin="\n".join(flood))
        sh("sh", "-ec", hand.format(**lab.words))
    finally:
        lab.daemon.process.send_signal(signal.SIGCONT)
    until(lambda: suspects(lab, before), 10, "somebody noticed")
    until(lambda: not wrong(lab), 20, "all as it was")
    until(lambda: flows(lab), 10, "packets flow")


FOREIGN = """
ip -n {A} link add other type veth peer name peer; ip -n {A} link set other up; ip -n {A} link set peer up; ip -n {A} addr add 172.20.0.1/24 dev other
ip -n {A} route add 198.18.0.0/24 dev other proto static; ip -n {A} nexthop add id 7 dev other proto static
ip -n {A} route add 198.18.1.0/24 nhid 7 proto static; ip -n {A} rule add from 172.20.0.1 lookup 77 pref 900
ip -n {A} neigh add 172.20.0.9 lladdr 02:00:00:00:00:09 dev other nud permanent
ip -n {F} link add other type veth peer name peer; ip -n {F} link set other up; ip -n {F} link set peer up; ip -n {F} route add 198.18.0.0/24 dev other table 77
ip -n {F} rule add iif other lookup 77 pref 900
tc -n {F} qdisc {add} dev {VA} {qdisc}
tc -n {F} filter add dev {VA} ingress prio 50000 bpf bytecode '1,6 0 0 0,' flowid 1:1
tc -n {B} qdisc add dev lo root tbf rate 1gbit burst 100k limit 100k
ip netns exec {F} nft add table inet other; ip netns exec {F} nft add table inet vnrsx
ip netns exec {E} nft add table inet vnrs.other; ip netns exec {E} nft add chain inet vnrs.other keep
"""
FOREIGN_SHOW = """
ip -n {A} -o addr show dev other; ip -n {A} route show dev other; ip -n {A} nexthop show id 7; ip -n {A} rule show pref 900
ip -n {A} neigh show dev other nud permanent; ip -n {F} route show table 77; ip -n {F} rule show pref 900
tc -n {F} filter show dev {VA} ingress prio 50000; tc -n {B} qdisc show dev lo
ip netns exec {F} nft list table inet other; ip netns exec {F} nft list table inet vnrsx
ip netns exec {E} nft list table inet vnrs.other
"""
FOREIGN_GONE = """
tc -n {F} filter del dev {VA} ingress prio 50000; tc -n {B} qdisc del dev lo root
ip netns exec {F} nft delete table inet other; ip netns exec {F} nft delete table inet vnrsx
ip netns exec {E} nft delete table inet vnrs.other
ip -n {A} rule del pref 900; ip -n {F} rule del pref 900; ip -n {A} nexthop del id 7
ip -n {A} neigh del 172.20.0.9 dev other; ip -n {A} route del 198.18.0.0/24
ip -n {A} link del other; ip -n {F} link del other
"""


def test_what_is_of_others_is_left_alone(lab):
    """It outlives a check that mends what is ours, and its own end is nothing to us."""
    words = lab.words
    kernel = lab.dataplane == "kernel"
    # In the kernel's data plane the qdisc is theirs as well.
    add, qdisc = ("add", "clsact") if kernel else ("show", "")
    sh("sh", "-ec", FOREIGN.format(add=add, qdisc=qdisc, **words))
    before = max(suspects(lab), default=0)
    there = sh("sh", "-ec", FOREIGN_SHOW.format(**words))
    sh("sh", "-ec", "ip -n {A} nexthop flush proto 157; ip netns exec {E} nft flush table inet vnrs.h-www-0".format(**words))
    sh("sh", "-ec", "ip -n {F} link set {VB} down".format(**words))
    until(lambda: suspects(lab, before), 5, "somebody noticed")
    until(lambda: flows(lab), 10, "packets flow")
    until(lambda: lab.get("status")["ready"], 20, "ready")
    assert sh("sh", "-ec", FOREIGN_SHOW.format(**words)) == there
    before = max(suspects(lab), default=0)
    sh("sh", "-ec", FOREIGN_GONE.format(**words))
    if kernel:
        sh("tc", "-n", words["F"], "qdisc", "del", "dev", words["VA"], "clsact")
    # Known to be heard after all that, and the only thing told.
    sh("ip", "-n", words["N"], "route", "del", "default")
    until(lambda: suspects(lab, before), 5, "somebody noticed")
    until(lambda: not wrong(lab), 10, "all as it was")
    assert len(suspects(lab, before)) == 1


def test_nothing_is_written_when_nothing_is_wrong(lab):
    """After all this, a check writes nothing and is the last one."""
    before = max(suspects(lab), default=0)
    with Monitor(*(words for key, words in lab.words.items() if key in "FABNES")) as monitor:
        assert lab.apply().stdout.strip() == "no changes"
    assert monitor.seen == ""
    assert suspects(lab, before) == []
