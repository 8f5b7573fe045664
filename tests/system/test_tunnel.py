# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends of tunnels as the agent makes them: IKE and ESP by strongSwan between two namespaces, each behind its own NAT."""
import os
import subprocess

import pytest

import agent_harness as h
from agent_harness import Agent
from test_agent import leftovers, run_dir, sh, until  # noqa: F401

LAB = "tun"
PUB = {"gw": "203.0.113.10", "site": "198.51.100.7"}
INSIDE = {"gw": "10.0.1.4", "site": "10.60.0.1"}


def swanctl(local, remote, key="topsecret"):
    return f"""connections {{
    tunnel {{
        version = 2
        remote_addrs = {remote}
        encap = yes
        mobike = no
        dpd_delay = 2s
        unique = replace
        keyingtries = 1
        proposals = aes256gcm16-prfsha384-ecp384
        local {{
            auth = psk
            id = {local}
        }}
        remote {{
            auth = psk
            id = {remote}
        }}
        children {{
            tunnel {{
                local_ts = 0.0.0.0/0
                remote_ts = 0.0.0.0/0
                esp_proposals = aes256gcm16
                if_id_in = 1
                if_id_out = 1
                updown = /bin/sh updown
                dpd_action = clear
            }}
        }}
    }}
}}
secrets {{
    ike-tunnel {{
        secret = 0x{key.encode().hex()}
    }}
}}
""".encode()


def end(me, other, number, key="topsecret"):
    """Objects of one end: namespace, links, routes, NAT, strongSwan."""
    t, inner = f"tunnel.{me}", f"169.254.1.{number}"
    mac = bytes([2, 0, 0, 0, 0, number])
    return [
        (h.NETNS, me, h.netns(h.FORWARD | h.CARRIER), b""),
        (h.NETNS, t, h.netns(h.FORWARD), b""),
        (h.LINK, f"internet.{me}/pub", h.link(h.end("edge", f"h-{me}", ["192.0.2.1/32"]), h.end(me, "pub", [PUB[me] + "/32"])), b""),
        (h.LINK, f"{t}/ike", h.link(h.end(me, "ike", ["169.254.0.2/32"]), h.end(t, "ike", [inner + "/32"])), b""),
        (h.LINK, f"{t}/tun", h.link(h.end(me, "tun-x", [INSIDE[me] + "/32"], mac=mac), h.end(t, "tun"), 1400, h.TUNNEL_LINK), b""),
        (h.ROUTE, f"edge/{me}", h.route("edge", f"h-{me}", PUB[me] + "/32"), b""),
        (h.ROUTE, f"{me}/edge", h.route(me, "pub", "192.0.2.1/32"), b""),
        (h.ROUTE, f"{me}/peer", h.route(me, "pub", PUB[other] + "/32", ["192.0.2.1"]), b""),
        (h.ROUTE, f"{me}/inner", h.route(me, "ike", inner + "/32"), b""),
        (h.ROUTE, f"{me}/other", h.route(me, "tun-x", INSIDE[other] + "/32"), b""),
        (h.ROUTE, f"{me}/none", h.route(me, "", INSIDE[other] + "/32", metric=4294967294, refuse=1), b""),
        (h.ROUTE, f"{t}/owner", h.route(t, "ike", "169.254.0.2/32"), b""),
        (h.ROUTE, f"{t}/peer", h.route(t, "ike", PUB[other] + "/32", ["169.254.0.2"]), b""),
        (h.SNAT, f"{t}/ike", h.snat(me, "pub", [inner + "/32"], PUB[other], inner), b""),
        (h.PROC, t, h.proc(t, h.STRONGSWAN), swanctl(PUB[me], PUB[other], key)),
    ]


def objects(site_key="topsecret"):
    both = end("gw", "site", 1) + end("site", "gw", 2, site_key)
    return [(h.NETNS, "edge", h.netns(h.FORWARD), b"")] + sorted(both, key=lambda o: o[0])


def ensure_all(agent, wanted):
    return {(kind, key): agent.ensure(LAB, kind, key, spec, data) for kind, key, spec, data in wanted}


def remove_all(agent):
    for kind, key, _, _ in reversed(objects()):
        agent.remove(LAB, kind, key)
    agent.record(LAB, b"")


def state(agent, me):
    return agent.list(LAB)[h.PROC, f"tunnel.{me}"].tunnel


def ns(name):
    return f"vnrs.{LAB}.{name}"


def ping(size=56):
    return subprocess.run(["ip", "netns", "exec", ns("site"), "ping", "-n", "-q", "-c1", "-W1", "-s", str(size), "-M", "do",
                           "-I", INSIDE["site"], INSIDE["gw"]], capture_output=True).returncode == 0


def charon(run_dir, me):
    where = run_dir / "labs" / LAB / "proc" / f"tunnel.{me}"
    pids = sh("pgrep", "-x", "charon-systemd").split()
    return [p for p in pids if os.readlink(f"/proc/{p}/cwd") == str(where)][0]


@pytest.fixture
def lab(run_dir):
    with Agent(run_dir) as agent:
        first = ensure_all(agent, objects())
        assert set(first.values()) <= {"created"}, first
        until(lambda: state(agent, "gw") == state(agent, "site") == h.T_UP, 30, "the tunnel is not up")
        yield agent
        remove_all(agent)
        assert leftovers(LAB, run_dir) == []


def kernel_has_esp():
    """By iproute2, in a namespace of nobody's."""
    return subprocess.run(
        ["unshare", "-n", "sh", "-c", "ip link add x type xfrm dev lo if_id 1 && ip xfrm state add src 127.0.0.1 "
         "dst 127.0.0.1 proto esp spi 1 mode tunnel aead 'rfc4106(gcm(aes))' 0x" + "00" * 36 + " 128"],
        capture_output=True).returncode == 0


def test_esp_is_the_kernels_where_it_has_it(lab):
    until(ping, 10, "no answer through the tunnel")
    for me in PUB:
        shown = sh("ip", "-n", ns(f"tunnel.{me}"), "-d", "link", "show", "ipsec0")
        states = sh("ip", "-n", ns(f"tunnel.{me}"), "xfrm", "state", "count") if kernel_has_esp() else ""
        assert ("xfrm if_id 0x1" in shown and "SAD count 0" not in states) if kernel_has_esp() else "tun type tun" in shown


def test_carries_and_hides_packets(lab, run_dir):
    until(ping, 10, "no answer through the tunnel")
    until(lambda: ping(1372), 10, "what just fits does not pass")
    assert not ping(1373)
    file = run_dir.with_name("seen")
    with open(file, "w") as out:
        dump = subprocess.Popen(["ip", "netns", "exec", ns("edge"), "tcpdump", "-lni", "any", "--immediate-mode"],
                                stdout=out, stderr=subprocess.PIPE, text=True)
    while "listening" not in dump.stderr.readline():
        pass
    for _ in range(5):
        until(ping, 10, "no answer through the tunnel")
    until(lambda: file.read_text().count("UDP-encap: ESP") >= 10, 20, "not all of them are seen")
    dump.terminate()
    dump.communicate()
    seen = [line for line in file.read_text().splitlines() if " IP" in line]
    assert all(".4500: " in line and ("ESP" in line or "isakmp" in line) for line in seen), seen
    assert not any(address in line for line in seen for address in INSIDE.values())
    assert set(ensure_all(lab, objects()).values()) == {"unchanged"}
    assert not [e for e in lab.take_events() if e.kind == h.SUSPECT]
    # Nobody but strongSwan's own user can read the key, and no process shows it.
    for path in (run_dir / "labs" / LAB / "proc").rglob("*"):
        if path.is_file() and b"topsecret".hex().encode() in path.read_bytes():
            assert (path.name, path.stat().st_mode & 0o777) == ("swanctl.conf", 0o600)
    for me in PUB:
        pid = charon(run_dir, me)
        assert sh("ps", "-o", "user=", "-p", pid).strip() == "vnrs-ike"
        assert b"topsecret".hex().encode() not in open(f"/proc/{pid}/cmdline", "rb").read()
    assert "topsecret" not in lab.logged() and "topsecret".encode().hex() not in lab.logged()


def test_is_made_again_when_charon_dies(lab, run_dir):
    until(ping, 10, "no answer through the tunnel")
    lab.take_events()
    os.kill(int(charon(run_dir, "gw")), 9)
    until(lambda: lab.receive(0.1) or {(h.TUNNEL, "tunnel.gw", h.T_NOT_RUNNING), (h.EXITED, "tunnel.gw", h.T_NONE)} <=
          {(e.kind, e.key, e.tunnel) for e in lab.events}, 10, "its end is not told")
    kind, key, spec, data = [o for o in objects() if o[:2] == (h.PROC, "tunnel.gw")][0]
    assert lab.ensure(LAB, kind, key, spec, data) == "changed"
    until(lambda: state(lab, "gw") == h.T_UP and ping(), 30, "the tunnel does not come back")


def test_outlives_the_agent(run_dir):
    with Agent(run_dir) as agent:
        ensure_all(agent, objects())
        until(lambda: state(agent, "gw") == h.T_UP and ping(), 30, "the tunnel is not up")
        pids = [charon(run_dir, me) for me in PUB]
        agent.kill()
    until(ping, 10, "no answer through the tunnel")
    with Agent(run_dir) as agent:
        assert set(ensure_all(agent, objects()).values()) == {"unchanged"}
        assert pids == [charon(run_dir, me) for me in PUB]
        assert state(agent, "gw") == state(agent, "site") == h.T_UP
        remove_all(agent)
        assert leftovers(LAB, run_dir) == []


def test_says_why_it_is_down(run_dir):
    with Agent(run_dir) as agent:
        ensure_all(agent, objects(site_key="another"))
        until(lambda: state(agent, "gw") == state(agent, "site") == h.T_KEY, 30, "different keys are not told")
        assert not ping()
        assert agent.remove(LAB, h.PROC, "tunnel.site") == "removed"
        until(lambda: state(agent, "gw") == h.T_NO_ANSWER, 60, "silence is not told")
        ensure_all(agent, objects())
        until(lambda: state(agent, "gw") == state(agent, "site") == h.T_UP and ping(), 60, "the right key does not do")
        remove_all(agent)
        assert leftovers(LAB, run_dir) == []
