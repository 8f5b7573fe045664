# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR's bgpd (AS 65012, 10.0.0.12) and BIRD (AS 65013, 10.0.0.13) as peers of a speaker at 10.0.0.4, in net.nva."""
import shutil
import subprocess
import time


def directories(tmp_path):
    """One for each daemon, which FRR's user can get at."""
    dirs = {n: tmp_path / n for n in ("frr", "bird")}
    for d in dirs.values():
        d.mkdir()
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    return dirs


def frr(net, tmp, passive, extra="", before="", in_family=""):
    conf = tmp / "bgpd.conf"
    conf.write_text(f"""
log file {tmp}/bgpd.log debugging
{before}
router bgp 65012
 bgp router-id 10.0.0.12
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 1 3
 neighbor 10.0.0.4 remote-as 65515
 neighbor 10.0.0.4 ebgp-multihop 8
 neighbor 10.0.0.4 update-source 10.0.0.12
 neighbor 10.0.0.4 timers connect 1
 {"neighbor 10.0.0.4 passive" if passive else ""}
 {extra}
 address-family ipv4 unicast
  network 192.168.12.0/24
  network 172.31.0.0/16
 {in_family}
 exit-address-family
""")
    shutil.chown(tmp, "frr", "frr")
    shutil.chown(conf, "frr", "frr")
    return subprocess.Popen(["ip", "netns", "exec", net.nva, "/usr/lib/frr/bgpd", "-n", "-Z", "-f", conf, "-i",
                             tmp / "bgpd.pid", "-z", tmp / "zserv", "--vty_socket", tmp, "-A", "127.0.0.1", "-P", "0",
                             "-l", "10.0.0.12"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def vtysh(tmp, *commands):
    args = [x for c in commands for x in ("-c", c)]
    return subprocess.run(["vtysh", "--vty_socket", str(tmp), *args], capture_output=True, text=True, check=True).stdout


def bird(net, tmp, passive, extra="", args=()):
    conf = tmp / "bird.conf"
    conf.write_text(f"""
router id 10.0.0.13;
protocol device {{ }}
protocol static statics {{ ipv4; route 192.168.13.0/24 blackhole; route 172.31.0.0/16 blackhole; }}
protocol bgp azure {{
    local 10.0.0.13 as 65013;
    neighbor 10.0.0.4 as 65515;
    multihop;
    strict bind yes;
    passive {"on" if passive else "off"};
    connect delay time 1; connect retry time 1; error wait time 1, 2;
    hold time 3; keepalive time 1;
    {extra}
    ipv4 {{ import all; export where proto = "statics"; }};
}}
""")
    return subprocess.Popen(["ip", "netns", "exec", net.nva, "bird", "-f", "-c", conf, "-s", tmp / "bird.ctl", "-P",
                             tmp / "bird.pid", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def birdc(tmp, *command):
    return subprocess.run(["birdc", "-s", str(tmp / "bird.ctl"), *command], capture_output=True, text=True).stdout


def stop(daemons):
    for d in daemons:
        if d.poll() is None:
            d.kill()
        d.wait()


def frr_with_bfd(net, tmp, local, remote, multihop, tx, rx, multiplier):
    """zebra, bfdd and bgpd (AS 65012), which opens the session; hold time 180 s, BFD with these milliseconds."""
    family = "ipv6" if ":" in local else "ipv4"
    (tmp / "zebra.conf").write_text("ip nht resolve-via-default\n")
    (tmp / "bfdd.conf").write_text(f"""
bfd
 profile fast
  transmit-interval {tx}
  receive-interval {rx}
  detect-multiplier {multiplier}
 exit
exit
""")
    (tmp / "bgpd.conf").write_text(f"""
router bgp 65012
 bgp router-id 10.0.0.12
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 60 180
 neighbor {remote} remote-as 65515
 {f"neighbor {remote} ebgp-multihop 8" if multihop else ""}
 neighbor {remote} update-source {local}
 neighbor {remote} timers connect 1
 neighbor {remote} bfd
 neighbor {remote} bfd profile fast
 address-family {family} unicast
  network {"fd12::/48" if family == "ipv6" else "192.168.12.0/24"}
  neighbor {remote} activate
 exit-address-family
""")
    shutil.chown(tmp, "frr", "frr")
    daemons = []
    for name, args in (("zebra", []), ("bfdd", ["--bfdctl", tmp / "bfdd.sock"]),
                       ("bgpd", ["-n", "-l", local, "-p", "1790"])):
        # Who does not find zebra looks again only after ten seconds.
        deadline = time.monotonic() + 10
        while daemons and not (tmp / "zserv").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        shutil.chown(tmp / f"{name}.conf", "frr", "frr")
        daemons.append(subprocess.Popen(
            ["ip", "netns", "exec", net.nva, f"/usr/lib/frr/{name}", "-f", tmp / f"{name}.conf", "-i",
             tmp / f"{name}.pid", "-z", tmp / "zserv", "--vty_socket", tmp, "-A", "127.0.0.1", "-P", "0", *args],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    return daemons


def bird_with_bfd(net, tmp, local, remote, multihop, tx, rx, multiplier):
    """BIRD (AS 65013), which opens the session; hold time 180 s, BFD with these milliseconds."""
    v6 = ":" in local
    conf = tmp / "bird.conf"
    conf.write_text(f"""
router id 10.0.0.13;
protocol device {{ }}
protocol bfd {{ }}
protocol static statics {{ {"ipv6; route fd13::/48" if v6 else "ipv4; route 192.168.13.0/24"} blackhole; }}
protocol bgp azure {{
    local {local} as 65013;
    neighbor {remote} as 65515;
    {"multihop" if multihop else "direct"};
    strict bind yes;
    connect delay time 1; connect retry time 1; error wait time 1, 2;
    hold time 180;
    bfd {{ min tx interval {tx} ms; min rx interval {rx} ms; multiplier {multiplier}; idle tx interval 1 s; }};
    {"ipv6" if v6 else "ipv4"} {{ import all; export where proto = "statics"; }};
}}
""")
    return [subprocess.Popen(["ip", "netns", "exec", net.nva, "bird", "-f", "-c", conf, "-s", tmp / "bird.ctl", "-P",
                              tmp / "bird.pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]


def bird_for_bfd(net, tmp, local, remote, interval, multiplier):
    """BIRD as nothing but the other end of a BFD session over hops."""
    conf = tmp / "bird.conf"
    conf.write_text(f"""
router id 10.0.0.13;
protocol device {{ }}
protocol bfd {{
    multihop {{ interval {interval} ms; multiplier {multiplier}; idle tx interval 1 s; }};
    neighbor {remote} local {local} multihop on;
}}
""")
    return [subprocess.Popen(["ip", "netns", "exec", net.nva, "bird", "-f", "-c", conf, "-s", tmp / "bird.ctl", "-P",
                              tmp / "bird.pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
