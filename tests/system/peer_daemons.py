# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR's bgpd (AS 65012, 10.0.0.12) and BIRD (AS 65013, 10.0.0.13) as peers of a speaker at 10.0.0.4, in net.nva."""
import shutil
import subprocess


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
