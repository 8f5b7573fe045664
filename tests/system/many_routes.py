# SPDX-License-Identifier: GPL-2.0-or-later
"""An NVA (10.0.251.4, AS 65001) that tells a Route Server (10.0.250.4 and .5) as many prefixes as wanted, and comes back
with all of them whenever a session ends; see tests/bench/bgp_hold.c."""
import contextlib
import ipaddress
import subprocess


def last_address(routes):
    """In the prefix that is told last: prefixes are /24, from 20.0.0.0 on."""
    return str(ipaddress.ip_address("20.0.0.1") + 256 * (routes - 1))


@contextlib.contextmanager
def announced(program, netns, routes):
    """Yields a function that waits until all are on their way, once more each time."""
    peers = [subprocess.Popen([program, instance, str(routes), netns, "10.0.251.4", "65001"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) for instance in ("10.0.250.4", "10.0.250.5")]

    def sent():
        for peer in peers:
            assert peer.stdout.readline() == "sent\n", "the peer ended"

    try:
        yield sent
    finally:
        for peer in peers:
            peer.communicate(timeout=60)


def has_learned(status, routes):
    """By the `status` of the lab: all sessions are up, and the routes are where packets find them."""
    programmed = next(c["text"] for c in status["conditions"] if c["name"] == "routes")
    return status["ready"] and status["reached"] == status["generation"] and int(programmed.split()[0]) >= routes
