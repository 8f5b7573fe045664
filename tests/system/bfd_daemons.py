# SPDX-License-Identifier: GPL-2.0-or-later
"""FRR with bfdd and BIRD with BFD, in net.nva. Each function returns the processes that it started."""
import shutil
import subprocess
import time

from patience import PATIENCE


def stop(processes):
    for p in processes:
        p.kill()
        p.wait()


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
        deadline = time.monotonic() + 10 * PATIENCE
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
    return [subprocess.Popen(["ip", "netns", "exec", net.nva, "bird", "-f", "-c", conf, "-s", tmp / "ctl", "-P",
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
    return [subprocess.Popen(["ip", "netns", "exec", net.nva, "bird", "-f", "-c", conf, "-s", tmp / "ctl", "-P",
                              tmp / "bird.pid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
