# SPDX-License-Identifier: GPL-2.0-or-later
"""What a speaker says about one peer when it is asked for everything. The namespaces and addresses are those of
test_speaker.py."""
import os
import struct

import pytest

from raw_peer import NOTIFICATION, UPDATE, RawPeer, capability, message, mp
from speaker_harness import (BIN, ENHANCED_REFRESH, EXTENDED_MESSAGES, GRACEFUL_RESTART, Net, Peer, Speaker)

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not (BIN / "vnrs-speaker").exists(),
                                reason="needs root and vnrs-speaker")

A = Peer("a", "10.0.0.10", 65001, passive=True)
US, PEER = 1, 2
OPEN, UPD, NOTE, ALIVE, REFR = range(5)


@pytest.fixture
def net():
    with Net() as n:
        yield n


@pytest.fixture
def spk(net):
    with Speaker(net) as s:
        yield s


@pytest.fixture
def a(net):
    with RawPeer(65001, "10.0.0.10", "10.0.0.4", netns=net.nva) as p:
        yield p


def test_azures_session(spk, a):
    spk.configure(peers=[A], locals=["10.0.0.0/16"])
    d = spk.detail("a")
    assert d.announced == {"ipv4", "ipv6", "refresh", "as4"} and not d.received and not d.in_use
    assert d.opened_by == d.error_by == d.local_port == d.remote_port == d.reset_ms == 0
    a.connect().establish(hold=90)
    a.update(["192.168.1.0/24", "10.0.5.0/24"])
    spk.wait(lambda: "192.168.1.0/24" in spk.routes)
    d = spk.detail("a")
    assert d.in_use == d.announced == d.received
    assert (d.local_port, d.remote_port) == (179, a.sock.getsockname()[1]) and d.opened_by == PEER
    assert d.hold_remote == 90 and 80_000 < d.hold_left_ms <= 90_000
    assert d.paths == (2, 0) and d.accepted == (1, 0) and d.advertised == (1, 0) and d.queued == 0
    assert d.messages_in[OPEN] == d.messages_out[OPEN] == 1 and d.messages_in[UPD] == 1 == d.messages_out[UPD]
    spk.refresh("a")
    a.refresh()
    spk.wait(lambda: spk.detail("a").messages_in[REFR] == 1)
    assert spk.detail("a").messages_out[REFR] == 2  # one a family
    # It says good-bye, in words.
    a.send(message(NOTIFICATION, b"\x06\x02\x03bye"))
    spk.wait(lambda: not spk.is_up("a"))
    d = spk.detail("a")
    assert (d.error_by, d.error_code, d.error_subcode, d.error_data) == (PEER, 6, 2, b"\x03bye")
    assert d.error_text == "Cease, administrative shutdown (bye)" and d.messages_in[NOTE] == 1
    assert d.reset_text == "peer sent NOTIFICATION: Cease, administrative shutdown (bye)" and d.reset_ms >= d.error_ms
    assert d.paths == (0, 0) and d.opened_by == 0 and not d.in_use


def test_everything_negotiated_and_a_reset_of_ours(spk, a):
    spk.configure(peers=[A], features=GRACEFUL_RESTART | EXTENDED_MESSAGES | ENHANCED_REFRESH, restart_s=77)
    caps = [mp(1), capability(2), capability(65, struct.pack("!I", 65001)), capability(6), capability(70),
            capability(64, struct.pack("!HHBB", 0xC000 | 55, 1, 1, 0x80))]
    a.connect().establish(caps=caps)
    a.send(message(UPDATE, b"\0\0\0\0"))
    spk.wait(lambda: spk.is_up("a"))
    d = spk.detail("a")
    assert d.in_use == {"as4", "refresh", "enhanced-refresh", "extended-messages", "graceful-restart",
                        "gr-notification", "ipv4"}
    assert d.received == d.in_use | {"gr-restarted", "gr-ipv4", "forwarding-ipv4"}
    assert d.announced >= {"gr-ipv4", "gr-ipv6", "ipv6"} and "forwarding-ipv4" not in d.announced
    assert (d.gr_time_local, d.gr_time_remote) == (77, 55)
    spk.clear("a", "Pause")
    spk.wait(lambda: not spk.is_up("a"))
    d = spk.detail("a")
    assert (d.error_by, d.error_code, d.error_subcode) == (US, 6, 9) and d.error_data == b"\x06\x04\x05Pause"
    assert d.reset_text == "ended here: Cease, hard reset: Cease, administrative reset (Pause)"
    with pytest.raises(FileNotFoundError):
        spk.detail("nobody")


def test_a_closed_connection_is_a_reset_without_notification(spk, a):
    spk.configure(peers=[A])
    a.connect().establish()
    spk.wait(lambda: spk.is_up("a"))
    a.close_connection()
    spk.wait(lambda: not spk.is_up("a"))
    d = spk.detail("a")
    assert d.error_by == 0 and d.reset_text == "connection closed by the peer"
