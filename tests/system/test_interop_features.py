# SPDX-License-Identifier: GPL-2.0-or-later
"""What vnrs-speaker and the BGP daemons of Debian agree on beyond plain routes: passwords, restarts of either side,
enhanced refresh, texts, attributes that nobody knows, IPv6 next hops of IPv4 routes. The lab is that of test_interop.py.
"""
import os
import re
import time

import pytest

import bgp_daemons
from bgp_daemons import Options
from patience import PATIENCE
from raw_peer import RawPeer, attr
from speaker_harness import (ADD_PATH, BIN, ENHANCED_REFRESH, EXTENDED_NEXTHOP, FORWARDING_KEPT, GRACEFUL_RESTART,
                             RESTARTED, Peer, Speaker)
from test_interop import ASN, LOCALS, OURS, Lab, each, each_opener

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

SECRET = "s3cret-of-both"
UNKNOWN = attr(0xC0, 99, b"\xde\xad\xbe\xef")  # optional, transitive
REFRESH = 4  # place in the counters of messages


def having(what):
    daemons = [d for d in bgp_daemons.ALL if getattr(d, what)]
    return pytest.mark.parametrize("daemon", daemons, ids=lambda d: d.name)


@each_opener
def test_md5(daemon, opener):
    if opener == "speaker" and not daemon.takes_signed:
        pytest.skip(f"{daemon.name} takes no signed connections")
    with Lab(daemon, opener, options=Options(password=SECRET)) as lab:
        lab.filled()
        assert lab.spk.peers["them"].flaps == 0


@having("has_enhanced")
def test_enhanced_refresh(daemon):
    with Lab(daemon, options=Options(enhanced=True, restart=20), features=ENHANCED_REFRESH | GRACEFUL_RESTART) as lab:
        lab.filled()
        lab.spk.wait(lambda: lab.spk.converged)
        assert "enhanced-refresh" in lab.spk.detail("them").in_use
        if daemon.answers_refresh:
            lab.spk.refresh("them")
            lab.wait(lambda: lab.spk.detail("them").messages_in[REFRESH] == 2, "begin and end of what they tell again")
        sent = lab.spk.detail("them").messages_out[REFRESH]
        lab.them.refresh()
        lab.wait(lambda: lab.spk.detail("them").messages_out[REFRESH] >= sent + 2, "begin and end of what we tell again")
        assert set(lab.spk.routes) == set(lab.routes) and lab.them.prefixes() == set(LOCALS[4])
        assert lab.spk.peers["them"].flaps == 0


@pytest.mark.parametrize("kept", [True, False], ids=["forwarding-kept", "forwarding-lost"])
@having("keeps")
def test_speaker_restarts(daemon, kept):
    """Killed and started again: with the data plane kept, as the F bit says, they lose nothing meanwhile. What is gone
    when it is back goes with its End-of-RIB."""
    features = {"features": GRACEFUL_RESTART, "restart_s": 30}
    with Lab(daemon, options=Options(restart=30), **features) as lab:
        lab.filled()
        lab.spk.wait(lambda: lab.spk.converged)
        detail = lab.spk.detail("them")
        assert {"graceful-restart", "ipv4"} <= detail.in_use and "gr-restarted" not in detail.announced
        lab.spk.process.kill()
        lab.spk.process.wait()
        stays, goes = LOCALS[4]
        for _ in range(10):
            assert {stays, goes} <= lab.them.prefixes()
        with Speaker(lab.net) as lab.spk:
            lab.spk.configure(peers=lab.peers[1:], locals=[stays], connect_retry_ms=100, **features,
                              restart=RESTARTED | (FORWARDING_KEPT if kept else 0))
            while not lab.spk.is_up("them") or not lab.spk.converged:
                lab.wait(lambda: True, "")
                lab.spk.pump(0.05)
                assert not kept or stays in lab.them.prefixes()
            announced = lab.spk.detail("them").announced
            assert "gr-restarted" in announced and ("forwarding-ipv4" in announced) == kept
            lab.wait(lambda: lab.them.prefixes() == {stays}, "what is gone goes")
            lab.wait(lambda: set(lab.spk.routes) == set(lab.routes), "their routes here")


@having("restarts")
def test_daemon_restarts(daemon):
    """Killed and started again: the speaker loses none of its routes, nor tells anybody that they are gone."""
    with Lab(daemon, options=Options(restart=30), features=GRACEFUL_RESTART) as lab:
        lab.filled()
        lab.spk.wait(lambda: lab.spk.converged)
        lab.wait(lambda: set(lab.raw.routes()) == set(lab.routes + LOCALS[4]), "their routes at the second peer")
        lab.them.die()
        lab.wait(lambda: not lab.spk.is_up("them"), "down")
        assert lab.spk.peers["them"].stale
        lab.them.start()

        def is_back():
            assert set(lab.spk.routes) == set(lab.routes) and set(lab.raw.routes()) == set(lab.routes + LOCALS[4])
            return lab.spk.is_up("them") and not lab.spk.peers["them"].stale

        lab.wait(is_back, "up and complete", 40)
        lab.spk.pump(0.5)
        assert is_back() and lab.spk.peers["them"].flaps == 1
        lab.wait(lambda: set(LOCALS[4]) <= lab.them.prefixes(), "our routes there")


def test_speaker_restarts_and_exabgp_keeps_nothing():
    """It helps nobody who restarts: what it had is gone with the session, and comes again."""
    features = {"features": GRACEFUL_RESTART, "restart_s": 30}
    with Lab(bgp_daemons.Exabgp, options=Options(restart=30), **features) as lab:
        lab.filled()
        assert "graceful-restart" in lab.spk.detail("them").in_use
        lab.spk.process.kill()
        lab.spk.process.wait()
        deadline = time.monotonic() + 10 * PATIENCE
        while lab.them.prefixes():
            assert time.monotonic() < deadline, lab.them.logged()
        del lab.peers[0]  # a speaker that restarts waits for all that its peers have to say
        with Speaker(lab.net) as lab.spk:
            lab.configure(restart=RESTARTED | FORWARDING_KEPT)
            lab.wait(lambda: lab.spk.is_up("them"), "up again", 20)
            assert "gr-restarted" in lab.spk.detail("them").announced
            lab.filled()


def test_openbgpd_restarts_without_saying_so():
    """Killed, it still says Cease; and it names no family whose routes could be kept. They go at once, but for those that
    somebody else has, too, and are all back when it is."""
    with Lab(bgp_daemons.Openbgpd, options=Options(restart=30), features=GRACEFUL_RESTART) as lab:
        lab.filled()
        received = lab.spk.detail("them").received
        assert "graceful-restart" in received and "gr-ipv4" not in received
        shared = lab.routes[0]
        lab.announce([shared])
        lab.wait(lambda: len(lab.spk.rib(shared)) == 2, "the second path")
        lab.them.die()
        lab.wait(lambda: not lab.spk.is_up("them"), "down")
        assert not lab.spk.peers["them"].stale and "Cease" in lab.spk.peers["them"].last_error
        lab.wait(lambda: set(lab.spk.routes) == {shared}, "only what another peer has")
        lab.them.start()

        def is_back():
            assert shared in lab.spk.routes
            return lab.spk.is_up("them") and set(lab.spk.routes) == set(lab.routes)

        lab.wait(is_back, "up and complete", 20)
        lab.wait(lambda: set(LOCALS[4]) <= lab.them.prefixes(), "our routes there")


def test_add_path_with_exabgp():
    """The others: test_add_path.py."""
    with Lab(bgp_daemons.Exabgp, options=Options(add_path=True), features=ADD_PATH) as lab:
        lab.filled()
        assert {"add-path-rx-ipv4", "add-path-tx-ipv4"} <= lab.spk.detail("them").in_use
        lab.peers.append(Peer("other", "10.0.0.12", 65002, passive=True))
        lab.configure()
        with RawPeer(65002, "10.0.0.12", "10.0.0.4", netns=lab.net.nva) as other:
            other.connect().establish()
            prefix, ours = OURS[4][0], {"65515 65001 65100", "65515 65002 65200"}
            lab.announce([prefix])
            other.update([prefix], as_path=[65002, 65200])
            lab.wait(lambda: {p for _, p in lab.them.paths().get(prefix, ())} == ours, "both paths there")
            lab.withdraw([prefix])
            lab.wait(lambda: len(lab.them.paths().get(prefix, ())) == 1, "one path there")
        for i in (1, 2):
            lab.them.say(f"announce route 172.20.0.0/16 next-hop self path-information 0.0.0.{i} as-path [{ASN} {i}]")
        lab.wait(lambda: {p.as_path for p in lab.spk.rib("172.20.0.0/16")} == {f"{ASN}-1", f"{ASN}-2"}, "two here")
        lab.them.say("withdraw route 172.20.0.0/16 next-hop self path-information 0.0.0.1")
        lab.wait(lambda: {p.as_path for p in lab.spk.rib("172.20.0.0/16")} == {f"{ASN}-2"}, "one here")


@each
def test_unknown_attribute(daemon):
    """Optional and transitive: passed on with its bytes and the partial bit (RFC 4271 section 5)."""
    shown = daemon.shows_unknown
    with Lab(daemon, options=Options(feeders=() if shown else (("10.0.0.12", 65009),))) as lab:
        lab.filled()
        lab.announce(OURS[4][:1], extra=UNKNOWN)
        lab.wait(lambda: OURS[4][0] in lab.them.prefixes(), "the route there")
        if shown:
            text = lab.them.describe(OURS[4][0])
            assert re.search(shown, text, re.S), text
            return
        with RawPeer(65009, "10.0.0.12", lab.addr[2], netns=lab.net.nva) as behind:
            behind.connect().establish()
            lab.wait(lambda: OURS[4][0] in behind.routes(), "the route behind them")
            assert (0xE0, 99, b"\xde\xad\xbe\xef") in behind.rib[OURS[4][0]].unknown


@each
def test_text_of_a_reset(daemon):
    with Lab(daemon) as lab:
        lab.filled()
        lab.spk.clear("them", "back at nine")
        if daemon.shows_reset_text:
            lab.wait(lambda: "back at nine" in lab.them.complaint(), "the text there")
        lab.wait(lambda: lab.spk.peers["them"].flaps == 1, "down")
        lab.wait(lambda: lab.spk.is_up("them"), "up again", 30)
        assert lab.spk.detail("them").reset_text == "ended here: Cease, administrative reset (back at nine)"
        lab.filled()


@pytest.mark.parametrize("opener", ["speaker", "peer"])
@having("has_nexthop6")
def test_ipv4_over_ipv6(daemon, opener):
    with Lab(daemon, opener, session=6, options=Options(nexthop6=True), features=EXTENDED_NEXTHOP) as lab:
        lab.filled()
        assert "extended-nexthop" in lab.spk.detail("them").in_use
        assert {p: hops for p, hops in lab.spk.routes.items()} == {p: [(lab.addr[2], 1)] for p in lab.routes}
        assert {hop for p in LOCALS[4] for hop, _ in lab.them.paths()[p]} == {lab.addr[0]}
        lab.them.withdraw(lab.routes[1])
        lab.wait(lambda: lab.routes[1] not in lab.spk.routes, "withdrawn here")
