# SPDX-License-Identifier: GPL-2.0-or-later
"""Route maps of one vnrs-speaker, with FRR (AS 65012, 10.0.0.12) and BIRD (AS 65013, 10.0.0.13) on the other side. FRR
announces, BIRD hears what became of it, and the other way round; the maps change while the sessions are up.

       FRR  ------ in map ------>  speaker  ------ out map ------>  BIRD
"""
import re

import pytest

from bgp_daemons import bird, birdc, directories, frr, stop, vtysh
from speaker_harness import CONFIG_BEGIN, CONFIG_END, MAP_RULE, S_CONFIG, S_MAP_RULE, Net, Peer, Speaker, pack_addr
from test_speaker import until

VNET = ["10.0.0.0/16"]
FRR_ROUTES = "192.168.12.0/24", "172.31.0.0/16"
TAGS = """
route-map tag permit 10
 match ip address prefix-list tagged
 set community 65012:1 65012:2
 set as-path prepend 65100
route-map tag permit 20
ip prefix-list tagged permit 192.168.12.0/24
"""


@pytest.fixture
def net():
    with Net("vmap") as n:
        yield n


@pytest.fixture
def lab(net, tmp_path):
    """The speaker with both daemons up."""
    dirs = directories(tmp_path)
    with Speaker(net) as spk:
        daemons = [frr(net, dirs["frr"], False, before=TAGS, channel="neighbor 10.0.0.4 route-map tag out"),
                   bird(net, dirs["bird"], False)]
        try:
            made = MapLab(spk, dirs)
            made.set()
            spk.wait(lambda: spk.is_up("frr") and spk.is_up("bird"), 30)
            until(lambda: all(made.at_bird(p) for p in FRR_ROUTES), what="routes at BIRD")
            yield made
        finally:
            stop(daemons)


class MapLab:
    def __init__(self, spk, dirs):
        self.spk, self.dirs = spk, dirs

    def set(self, frr_in=None, frr_out=None, bird_in=None, bird_out=None):
        """Maps, by their rules."""
        maps, places = [], []
        for text in (frr_in, frr_out, bird_in, bird_out):
            if text is not None:
                maps.append((f"map{len(maps) + 1}", text))
            places.append(len(maps) if text is not None else 0)
        self.spk.configure(locals=VNET, maps=maps,
                           peers=[Peer("frr", "10.0.0.12", 65012, in_map=places[0], out_map=places[1]),
                                  Peer("bird", "10.0.0.13", 65013, in_map=places[2], out_map=places[3])])

    def at_bird(self, prefix):
        """(AS path, communities) that BIRD has for a prefix, or None."""
        text = birdc(self.dirs["bird"], "show", "route", prefix, "all")
        path = re.search(r"BGP.as_path:(.*)", text)
        communities = re.search(r"BGP.community:(.*)", text)
        if not path:
            return None
        return path.group(1).split(), re.findall(r"\((\d+),(\d+)\)", communities.group(1) if communities else "")

    def no_reset(self):
        return all(self.spk.is_up(p) and self.spk.peers[p].flaps == 0 for p in ("frr", "bird"))


RS = ("65517", "65517")
TAGGED = ["65515", "65012", "65100"], [("65012", "1"), ("65012", "2"), RS]

# Rules of the map of what comes from FRR, or of what goes to BIRD, and what BIRD then has of 192.168.12.0/24 (None:
# nothing). Both maps see the same: the route as it is in the RIB.
MAPS = [
    ("a ~p:192.168.0.0/16 drop", None),
    ("a =p:192.168.12.0/24 drop", None),
    ("a =p:192.168.0.0/16 drop", TAGGED),
    ("a !~p:172.16.0.0/12 drop", None),
    ("a !=p:192.168.12.0/24 drop", TAGGED),
    ("a =c:65012:1,65012:2 drop", None),
    ("a =c:65012:1,65012:3 drop", TAGGED),
    ("a ~c:65012:3,65012:2 drop", None),
    ("a !=c:65012:1,65012:3 drop", None),
    ("a !~c:65012:1 drop", TAGGED),
    ("a =a:65012,65100 drop", None),
    ("a =a:65012 drop", TAGGED),
    ("a ~a:65100,65101 drop", None),
    ("a !=a:65012,65100 drop", TAGGED),
    ("a !~a:65101 drop", None),
    ("a =p:192.168.12.0/24 +a:65201,65202", (["65515", "65201", "65202", "65012", "65100"], TAGGED[1])),
    ("a =p:192.168.12.0/24 >a:65201", (["65515", "65201"], TAGGED[1])),
    ("a =p:192.168.12.0/24 >a:", (["65515"], TAGGED[1])),
    ("a =p:192.168.12.0/24 -a:65100", (["65515", "65012"], TAGGED[1])),
    ("a =p:192.168.12.0/24 +c:65001:9", (TAGGED[0], [("65001", "9"), *TAGGED[1]])),
    ("a =p:192.168.12.0/24 >c:65001:9", (TAGGED[0], [("65001", "9"), RS])),
    ("a =p:192.168.12.0/24 >c:", (TAGGED[0], [RS])),
    ("a =p:192.168.12.0/24 -c:65012:1", (TAGGED[0], [("65012", "2"), RS])),
    ("a ~p:192.168.0.0/16 >p:192.168.0.0/16", None),
    ("a! ~p:192.168.0.0/16; b drop", TAGGED),
    ("a ~p:192.168.0.0/16; b drop", None),
    ("a +c:65001:9; b ~c:65001:9 drop", None),
]


@pytest.mark.parametrize("way", ["frr_in", "bird_out"])
def test_every_condition_and_action(lab, way):
    for rules, expected in MAPS:
        lab.set(**{way: rules})
        until(lambda e=expected: lab.at_bird("192.168.12.0/24") == e, what=rules)
        assert sorted(p.prefix for p in lab.spk.learned("frr")) == sorted(FRR_ROUTES)
        lab.spk.wait(lambda: lab.spk.peers["frr"].received == 2)
        if way == "bird_out":  # what is chosen and programmed stays
            assert lab.spk.hops("192.168.12.0/24") == ["10.0.0.12"]
        assert lab.at_bird("10.0.0.0/16") == (["65515"], [])
    lab.set()
    until(lambda: lab.at_bird("192.168.12.0/24") == TAGGED)
    assert lab.no_reset()


def frr_has(lab):
    return vtysh(lab.dirs["frr"], "show bgp ipv4 unicast")


@pytest.mark.parametrize("way", ["bird_in", "frr_out"])
def test_summaries(lab, way):
    lab.set(**{way: "a ~p:192.168.0.0/16 >p:192.168.0.0/16 +c:65001:1; b drop"})
    until(lambda: "192.168.13.0" not in frr_has(lab))
    lab.set(**{way: "a! ~p:192.168.0.0/16 >p:192.168.0.0/16 +c:65001:1; b drop"})
    until(lambda: "192.168.0.0/16" in frr_has(lab))
    shown = vtysh(lab.dirs["frr"], "show bgp ipv4 unicast 192.168.0.0/16")
    assert "Community: 65001:1 65517:65517" in shown and re.search(r"^  65515$", shown, re.M)
    assert "192.168.13.0/24" not in frr_has(lab)
    inbound = way == "bird_in"
    assert lab.spk.hops("192.168.0.0/16") == (["10.0.0.13"] if inbound else [])
    assert lab.spk.hops("192.168.13.0/24") == ([] if inbound else ["10.0.0.13"])
    if inbound:
        assert lab.spk.hops("172.31.0.0/16") == ["10.0.0.12"]  # BIRD's is dropped
        notes = {p.prefix: p.note for p in lab.spk.learned("bird")}
        assert notes == {"192.168.13.0/24": "summarised as 192.168.0.0/16 by route map 'map1' rule 'a'",
                         "172.31.0.0/16": "dropped by route map 'map1' rule 'b'"}
    else:
        told = {p.prefix: (p.as_path, p.note) for p in lab.spk.advertised("frr")}
        assert told == {"10.0.0.0/16": ("65515", ""), "192.168.0.0/16": ("65515", "summary of route map 'map1'")}
        assert lab.spk.rib("192.168.13.0/24")[0].note == \
            "to frr: summarised as 192.168.0.0/16 by route map 'map1' rule 'a'"
    # The last route of a summary takes it along.
    birdc(lab.dirs["bird"], "disable", '"s?"')
    until(lambda: "192.168.0.0/16" not in frr_has(lab))
    birdc(lab.dirs["bird"], "enable", '"s?"')
    until(lambda: "192.168.0.0/16" in frr_has(lab))
    vtysh(lab.dirs["frr"], "clear bgp 10.0.0.4 soft in")  # told again when asked
    lab.set()
    until(lambda: "192.168.13.0/24" in frr_has(lab) and "192.168.0.0/16" not in frr_has(lab))
    assert lab.no_reset()


def test_both_ways_at_once(lab):
    lab.set(frr_in="a ~c:65012:1 +c:65001:1", bird_out="a ~c:65001:1 >a:; b ~p:172.16.0.0/12 drop", bird_in="a drop")
    until(lambda: lab.at_bird("192.168.12.0/24") == (["65515"], [("65001", "1"), *TAGGED[1]]))
    until(lambda: lab.at_bird("172.31.0.0/16") is None and "192.168.13.0/24" not in frr_has(lab))
    assert lab.spk.hops("172.31.0.0/16") == ["10.0.0.12"]
    lab.spk.clear("bird")  # the maps are those of the next session, too
    lab.spk.wait(lambda: lab.spk.peers["bird"].flaps == 1 and lab.spk.is_up("bird"), 30)
    until(lambda: lab.at_bird("192.168.12.0/24") == (["65515"], [("65001", "1"), *TAGGED[1]]))
    assert lab.at_bird("172.31.0.0/16") is None


def test_a_shorter_path_wins(lab):
    """The maps of what comes in have their say in the choice: both announce 172.31.0.0/16."""
    both = ["10.0.0.12", "10.0.0.13"]
    lab.spk.wait(lambda: lab.spk.hops("172.31.0.0/16") == both)
    lab.set(frr_in="a +a:65201")
    lab.spk.wait(lambda: lab.spk.hops("172.31.0.0/16") == ["10.0.0.13"])
    lab.set(bird_in="a +a:65201,65202")
    lab.spk.wait(lambda: lab.spk.hops("172.31.0.0/16") == ["10.0.0.12"])
    lost = [p for p in lab.spk.rib("172.31.0.0/16") if not p.best]
    assert [p.note for p in lost] == ["longer AS path; changed by route map 'map1' rule 'a'"]
    lab.set()
    lab.spk.wait(lambda: lab.spk.hops("172.31.0.0/16") == both)
    assert lab.no_reset()


def test_malformed_maps_end_the_speaker(lab):
    lab.spk.send(CONFIG_BEGIN, 1, S_CONFIG.pack(65515, 0x0a000004, pack_addr("10.0.0.4"), 1, 0, 0, 500, 0, 0, 0))
    lab.spk.send(MAP_RULE, 1, S_MAP_RULE.pack(b"a", 0, 0))  # of no map
    lab.spk.send(CONFIG_END)
    assert lab.spk.process.wait(60) == 1
    assert "refused" in lab.spk.logged()
