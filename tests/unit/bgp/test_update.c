// SPDX-License-Identifier: GPL-2.0-or-later
// UPDATE decoding, one row a case: RFC 4271 section 6.3, RFC 7606, 4760, 6793, 8092, 4724.
#include "test_update_text.h"

#include <stdlib.h>

// Sessions: a letter each for what differs from external, 4-octet, both families.
//   2: 2-octet ASNs   i: internal   4/6: that family is not in use   p: path identifiers   e: IPv6 next hops of IPv4
#define O    "40010100 "
#define P    "4002 06 0201 0000fde9 " // 65001
#define N    "4003 04 0a000001 "
#define GOOD O P N
#define PFX  "18 0a0001"
#define TEXT "+10.0.1.0/24 nh 10.0.0.1 path 65001"
#define TAW  "+10.0.1.0/24" // no attributes: to be withdrawn
#define NH6  "20010db8000000000000000000000001"
#define LL6  "fe800000000000000000000000000002"
#define P6   "30 20010db80001 "
#define R6   "800e 1c 0002 01 10 " NH6 " 00 " P6 // MP_REACH of 2001:db8:1::/48
#define TXT6 "+2001:db8:1::/48 nh 2001:db8::1 path 65001"

enum { OK = VNRS_BGP_OK, DISCARD = VNRS_BGP_ATTR_DISCARD, WITHDRAW = VNRS_BGP_TREAT_AS_WITHDRAW };
enum { RESET = VNRS_BGP_SESSION_RESET };

static const struct row {
    const char *what, *session, *withdrawn, *attrs, *nlri;
    int outcome;
    const char *text;
    unsigned bad_attr, subcode; // subcode and data: of a reset
    const char *data;
} rows[] = {
    // whole messages
    {"announce", "", "", GOOD, PFX, OK, TEXT, 0, 0, NULL},
    {"withdraw", "", PFX " 00", "", "", OK, "-10.0.1.0/24 -0.0.0.0/0", 0, 0, NULL},
    {"both", "", "08 0b", GOOD, PFX, OK, "-11.0.0.0/8 " TEXT, 0, 0, NULL},
    {"Azure's first", "", "", "40010100 4002060201 0000ffeb 4003040a010084", "180a0100 180aff00", OK,
     "+10.1.0.0/24 +10.255.0.0/24 nh 10.1.0.132 path 65515", 0, 0, NULL},
    {"attributes in any order", "", "", N P O, PFX, OK, TEXT, 0, 0, NULL},
    {"attributes that announce nothing", "", "", GOOD, "", OK, "", 0, 0, NULL},
    {"IPv4 end of RIB", "", "", "", "", OK, "eor4", 0, 0, NULL},
    {"IPv6 end of RIB", "", "", "800f 03 0002 01", "", OK, "eor6", 0, 0, NULL},
    {"IPv4 end of RIB, multiprotocol form", "", "", "800f 03 0001 01", "", OK, "eor4", 0, 0, NULL},
    {"end of RIB of a family not in use", "6", "", "800f 03 0002 01", "", DISCARD, "", 15, 0, NULL},
    {"IPv4 end of RIB, not in use", "4", "", "", "", OK, "", 0, 0, NULL},
    {"empty MP_UNREACH with a withdrawal is no marker", "", "08 0b", "800f 03 0002 01", "", OK, "-11.0.0.0/8", 0, 0,
     NULL},
    {"empty MP_UNREACH with attributes is no marker", "", "", O "800f 03 0002 01", "", OK, "", 0, 0, NULL},

    // prefixes
    {"host bits are cleared", "", "09 0aff", GOOD, "0c 0aff 14 0a00ff", OK,
     "-10.128.0.0/9 +10.240.0.0/12 +10.0.240.0/20 nh 10.0.0.1 path 65001", 0, 0, NULL},
    {"host route and default", "", "", GOOD, "20 0a000102 00", OK, "+10.0.1.2/32 +0.0.0.0/0 nh 10.0.0.1 path 65001", 0,
     0, NULL},
    {"prefix length 33", "", "", GOOD, "21 0a00000000", RESET, "", 0, 10, ""},
    {"prefix cut short", "", "", GOOD, "18 0a00", RESET, "", 0, 10, ""},
    {"withdrawn prefix length 33", "", "21 0a00000000", "", "", RESET, "", 0, 10, ""},
    {"withdrawn prefix cut short", "", "20 0a0000", GOOD, PFX, RESET, "", 0, 10, ""},
    {"IPv4 prefixes not in use", "4", "08 0b", GOOD, PFX, DISCARD, "", 0, 0, NULL},
    {"malformed though not in use", "4", "", GOOD, "21 0a00000000", RESET, "", 0, 10, ""},

    // lengths that disagree (section 4)
    {"last attribute beyond the field", "", "", O P "4003 05 0a000001", PFX, WITHDRAW, TAW, 0, 0, NULL},
    {"one octet behind the attributes", "", "", GOOD "40", PFX, WITHDRAW, TAW, 0, 0, NULL},
    {"two octets behind the attributes", "", "", GOOD "4006", PFX, WITHDRAW, TAW, 0, 0, NULL},
    {"extended length cut short", "", "", GOOD "5008 00", PFX, WITHDRAW, TAW, 0, 0, NULL},
    {"beyond the field and nothing announced", "", "", O P "4003 05 0a000001", "", RESET, "", 0, 1, ""},
    {"beyond the field, withdrawals only", "", "08 0b", "40", "", RESET, "", 0, 1, ""},
    {"MP_REACH beyond the field", "", "", GOOD "800e 40 0002 01", PFX, RESET, "", 0, 1, ""},
    {"internal: the same", "i", "", O P "4003 05 0a000001", PFX, WITHDRAW, TAW, 0, 0, NULL},

    // flags (section 3 c)
    {"ORIGIN optional", "", "", "c0010100" P N, PFX, WITHDRAW, TAW, 1, 0, NULL},
    {"ORIGIN not transitive", "", "", "00010100" P N, PFX, WITHDRAW, TAW, 1, 0, NULL},
    {"low flag bits are ignored", "", "", "4f010100" P N, PFX, OK, TEXT, 0, 0, NULL},
    {"Partial on a well-known one is not looked at", "", "", "60010100" P N, PFX, OK, TEXT, 0, 0, NULL},
    {"extended length of a short value", "", "", "50010001 00" P N, PFX, OK, TEXT, 0, 0, NULL},
    {"MED transitive", "", "", GOOD "c004 04 00000005", PFX, WITHDRAW, TAW, 4, 0, NULL},
    {"COMMUNITIES well-known", "", "", GOOD "4008 04 fde80001", PFX, WITHDRAW, TAW, 8, 0, NULL},
    {"ATOMIC_AGGREGATE optional", "", "", GOOD "c006 00", PFX, WITHDRAW, TAW, 6, 0, NULL},
    {"MP_REACH transitive", "", "", O P "c00e 1c 0002 01 10" NH6 "00" P6, "", RESET, "", 14, 4,
     "c00e 1c 0002 01 10" NH6 "00" P6},
    {"MP_UNREACH well-known", "", "", "400f 03 0002 01", "", RESET, "", 15, 4, "400f 03 0002 01"},

    // ORIGIN
    {"EGP", "", "", "40010101" P N, PFX, OK, TEXT " origin 1", 0, 0, NULL},
    {"incomplete", "", "", "40010102" P N, PFX, OK, TEXT " origin 2", 0, 0, NULL},
    {"ORIGIN 3", "", "", "40010103" P N, PFX, WITHDRAW, TAW, 1, 0, NULL},
    {"ORIGIN empty", "", "", "400100" P N, PFX, WITHDRAW, TAW, 1, 0, NULL},
    {"ORIGIN long", "", "", "4001020000" P N, PFX, WITHDRAW, TAW, 1, 0, NULL},
    {"ORIGIN missing", "", "", P N, PFX, WITHDRAW, TAW, 1, 0, NULL},
    {"ORIGIN 3, nothing announced", "", "08 0b", "40010103", "", RESET, "", 1, 6, "40010103"},

    // AS_PATH
    {"empty path", "i", "", O "400200" N "400504 00000064", PFX, OK, "+10.0.1.0/24 nh 10.0.0.1 path  lp 100", 0, 0,
     NULL},
    {"sequences and sets", "", "", O "4002 1a 0202 0000fde9 00011170 0102 00000001 00000002 0201 00000003" N, PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 65001-70000-{1,2}-3", 0, 0, NULL},
    {"unknown segment type", "", "", O "4002 06 0501 0000fde9" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"segment type 0", "", "", O "4002 06 0001 0000fde9" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"confederation sequence", "", "", O "4002 06 0301 0000fde9" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"confederation set", "", "", O "4002 06 0401 0000fde9" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"empty segment", "", "", O "4002 02 0200" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"segment too long", "", "", O "4002 06 0202 0000fde9" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"one octet left", "", "", O "4002 07 0201 0000fde9 02" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"2-octet path to a 4-octet session", "", "", O "4002 04 0201 fde9" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"AS 0", "", "", O "4002 0a 0202 0000fde9 00000000" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"AS_PATH missing", "", "", O N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"AS_PATH missing, IPv6", "", "", O R6, "", WITHDRAW, "+2001:db8:1::/48", 2, 0, NULL},
    {"AS_PATH bad, nothing announced", "", "08 0b", O "4002 02 0200", "", RESET, "", 2, 11, ""},

    // NEXT_HOP
    {"NEXT_HOP short", "", "", O P "4003 03 0a0000", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP long", "", "", O P "4003 10" NH6, PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP empty", "", "", O P "4003 00", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP missing", "", "", O P, PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP 0.0.0.0", "", "", O P "4003 04 00000000", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP 0.1.2.3", "", "", O P "4003 04 00010203", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP 127.0.0.1", "", "", O P "4003 04 7f000001", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP 224.0.0.1", "", "", O P "4003 04 e0000001", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP 255.255.255.255", "", "", O P "4003 04 ffffffff", PFX, WITHDRAW, TAW, 3, 0, NULL},
    {"NEXT_HOP 223.255.255.254", "", "", O P "4003 04 dffffffe", PFX, OK, "+10.0.1.0/24 nh 223.255.255.254 path 65001",
     0, 0, NULL},
    {"NEXT_HOP unusable but not used", "", "", O P "4003 04 00000000" R6, "", OK, TXT6, 0, 0, NULL},

    // MED, LOCAL_PREF, aggregation
    {"MED", "", "", GOOD "8004 04 00000005", PFX, OK, TEXT " med 5", 0, 0, NULL},
    {"MED 0 is not no MED", "", "", GOOD "8004 04 00000000", PFX, OK, TEXT " med 0", 0, 0, NULL},
    {"MED short", "", "", GOOD "8004 03 000005", PFX, WITHDRAW, TAW, 4, 0, NULL},
    {"LOCAL_PREF", "i", "", GOOD "4005 04 000000c8", PFX, OK, TEXT " lp 200", 0, 0, NULL},
    {"LOCAL_PREF from outside", "", "", GOOD "4005 04 000000c8", PFX, DISCARD, TEXT, 5, 0, NULL},
    {"LOCAL_PREF from outside, malformed", "", "", GOOD "8005 01 00", PFX, DISCARD, TEXT, 5, 0, NULL},
    {"LOCAL_PREF long", "i", "", GOOD "4005 05 0000000064", PFX, WITHDRAW, TAW, 5, 0, NULL},
    {"LOCAL_PREF missing", "i", "", GOOD, PFX, WITHDRAW, TAW, 5, 0, NULL},
    {"ATOMIC_AGGREGATE", "", "", GOOD "4006 00", PFX, OK, TEXT " atomic", 0, 0, NULL},
    {"ATOMIC_AGGREGATE long", "", "", GOOD "4006 01 00", PFX, DISCARD, TEXT, 6, 0, NULL},
    {"AGGREGATOR", "", "", GOOD "c007 08 00011170 01020304", PFX, OK, TEXT " agg 70000@1.2.3.4", 0, 0, NULL},
    {"AGGREGATOR Partial", "", "", GOOD "e007 08 00011170 01020304", PFX, OK, TEXT " agg 70000@1.2.3.4", 0, 0, NULL},
    {"AGGREGATOR of the other size", "", "", GOOD "c007 06 fde9 01020304", PFX, DISCARD, TEXT, 7, 0, NULL},
    {"AGGREGATOR of the other size, 2", "2", "", O "4002 04 0201 fde9" N "c007 08 00011170 01020304", PFX, DISCARD,
     TEXT, 7, 0, NULL},
    {"AGGREGATOR of AS 0", "", "", GOOD "c007 08 00000000 01020304", PFX, DISCARD, TEXT, 7, 0, NULL},

    // communities
    {"communities sorted, once", "", "", GOOD "c008 10 ffffff02 fde80002 fde80001 fde80002", PFX, OK,
     TEXT " c 65000:1 c 65000:2 c 65535:65282", 0, 0, NULL},
    {"COMMUNITIES empty", "", "", GOOD "c008 00", PFX, WITHDRAW, TAW, 8, 0, NULL},
    {"COMMUNITIES of 5", "", "", GOOD "c008 05 fde8000100", PFX, WITHDRAW, TAW, 8, 0, NULL},
    {"extended communities", "", "", GOOD "c010 08 0002fde800000001", PFX, OK, TEXT " ext 0002fde800000001", 0, 0,
     NULL},
    {"extended communities of 9", "", "", GOOD "c010 09 0002fde80000000100", PFX, WITHDRAW, TAW, 16, 0, NULL},
    {"extended communities empty", "", "", GOOD "c010 00", PFX, WITHDRAW, TAW, 16, 0, NULL},
    {"IPv6 extended communities are carried", "", "", GOOD "c019 14 0002" NH6 "0007", PFX, OK,
     TEXT " pass c019140002" NH6 "0007", 0, 0, NULL},
    {"IPv6 extended communities, Partial stays", "", "", GOOD "e019 14 0002" NH6 "0007 c018 00", PFX, OK,
     TEXT " pass e01800e019140002" NH6 "0007", 0, 0, NULL},
    {"IPv6 extended communities of 21", "", "", GOOD "c019 15 0002" NH6 "000700", PFX, WITHDRAW, TAW, 25, 0, NULL},
    {"IPv6 extended communities empty", "", "", GOOD "c019 00", PFX, WITHDRAW, TAW, 25, 0, NULL},
    {"IPv6 extended communities, non-transitive", "", "", GOOD "8019 14 0002" NH6 "0007", PFX, WITHDRAW, TAW, 25, 0,
     NULL},
    {"large communities, once", "", "",
     GOOD "c020 24 000000020000000000000000 000000010000000000000000 000000020000000000000000", PFX, OK,
     TEXT " large 000000010000000000000000000000020000000000000000", 0, 0, NULL},
    {"large communities of 11", "", "", GOOD "c020 0b 0000000200000000000000", PFX, WITHDRAW, TAW, 32, 0, NULL},
    {"large communities empty", "", "", GOOD "c020 00", PFX, WITHDRAW, TAW, 32, 0, NULL},

    // reflection
    {"ORIGINATOR_ID from outside", "", "", GOOD "8009 04 01020304", PFX, DISCARD, TEXT, 9, 0, NULL},
    {"ORIGINATOR_ID from outside, malformed", "", "", GOOD "8009 00", PFX, DISCARD, TEXT, 9, 0, NULL},
    {"ORIGINATOR_ID", "i", "", GOOD "4005 04 00000064 8009 04 01020304", PFX, OK, TEXT " lp 100", 0, 0, NULL},
    {"ORIGINATOR_ID of our own", "i", "", GOOD "4005 04 00000064 8009 04 0a000004", PFX, WITHDRAW, TAW, 0, 0, NULL},
    {"ORIGINATOR_ID of our own, nothing announced", "i", "08 0b", "8009 04 0a000004", "", OK, "-11.0.0.0/8", 0, 0,
     NULL},
    {"ORIGINATOR_ID long", "i", "", GOOD "4005 04 00000064 8009 05 0102030405", PFX, WITHDRAW, TAW, 9, 0, NULL},
    {"CLUSTER_LIST from outside", "", "", GOOD "800a 04 01020304", PFX, DISCARD, TEXT, 10, 0, NULL},
    {"CLUSTER_LIST", "i", "", GOOD "4005 04 00000064 800a 08 0102030401020305", PFX, OK, TEXT " lp 100", 0, 0, NULL},
    {"CLUSTER_LIST empty", "i", "", GOOD "4005 04 00000064 800a 00", PFX, WITHDRAW, TAW, 10, 0, NULL},

    // multiprotocol
    {"IPv6", "", "", R6 O P, "", OK, TXT6, 0, 0, NULL},
    {"IPv6 next hop of 32", "", "", O P "800e 2c 0002 01 20 " NH6 LL6 " 00 " P6, "", OK,
     "+2001:db8:1::/48 nh 2001:db8::1 ll fe80::2 path 65001", 0, 0, NULL},
    {"IPv6 link-local alone", "", "", O P "800e 1c 0002 01 10 " LL6 " 00 " P6, "", OK,
     "+2001:db8:1::/48 nh fe80::2 path 65001", 0, 0, NULL},
    {"IPv6 :: and link-local", "", "", O P "800e 2c 0002 01 20 00000000000000000000000000000000" LL6 " 00 " P6, "", OK,
     "+2001:db8:1::/48 nh fe80::2 ll fe80::2 path 65001", 0, 0, NULL},
    {"IPv6 second address is not link-local", "", "", O P "800e 2c 0002 01 20 " NH6 NH6 " 00 " P6, "", OK, TXT6, 0, 0,
     NULL},
    {"IPv6 next hop ::", "", "", O P "800e 1c 0002 01 10 00000000000000000000000000000000 00 " P6, "", WITHDRAW,
     "+2001:db8:1::/48", 14, 0, NULL},
    {"IPv6 next hop ::1", "", "", O P "800e 1c 0002 01 10 00000000000000000000000000000001 00 " P6, "", WITHDRAW,
     "+2001:db8:1::/48", 14, 0, NULL},
    {"IPv6 next hop multicast", "", "", O P "800e 1c 0002 01 10 ff020000000000000000000000000001 00 " P6, "", WITHDRAW,
     "+2001:db8:1::/48", 14, 0, NULL},
    {"reserved octet is ignored", "", "", O P "800e 1c 0002 01 10 " NH6 " 07 " P6, "", OK, TXT6, 0, 0, NULL},
    {"both families in one", "", "", GOOD R6, PFX, OK, TEXT " " TXT6, 0, 0, NULL},
    {"IPv6 withdrawn", "", "", "800f 0a 0002 01" P6, "", OK, "-2001:db8:1::/48", 0, 0, NULL},
    {"IPv4 in MP_REACH", "", "", O P "800e 0d 0001 01 04 0a000001 00" PFX, "", OK, TEXT, 0, 0, NULL},
    {"IPv4 in MP_UNREACH", "", "", "800f 07 0001 01" PFX, "", OK, "-10.0.1.0/24", 0, 0, NULL},
    {"IPv4 in MP_REACH, next hop 127.0.0.1", "", "", O P "800e 0d 0001 01 04 7f000001 00" PFX, "", WITHDRAW, TAW, 14, 0,
     NULL},
    {"IPv4 in MP_REACH, next hop of 16", "", "", O P "800e 19 0001 01 10 " NH6 " 00" PFX, "", RESET, "", 14, 9,
     "800e 19 0001 01 10 " NH6 " 00" PFX},
    {"IPv6 next hop of 4", "", "", O P "800e 10 0002 01 04 0a000001 00" P6, "", RESET, "", 14, 9,
     "800e 10 0002 01 04 0a000001 00" P6},
    {"IPv6 next hop of 0", "", "", O P "800e 0c 0002 01 00 00" P6, "", RESET, "", 14, 9, "800e 0c 0002 01 00 00" P6},
    {"IPv6 next hop of 24", "", "", O P "800e 1d 0002 01 18 " NH6 "0000000000000000 00", "", RESET, "", 14, 9,
     "800e 1d 0002 01 18 " NH6 "0000000000000000 00"},
    {"next hop beyond the attribute", "", "", O P "800e 05 0002 01 10 20", "", RESET, "", 14, 9,
     "800e 05 0002 01 10 20"},
    {"MP_REACH ends at the next hop", "", "", O P "800e 14 0002 01 10 " NH6, "", RESET, "", 14, 9,
     "800e 14 0002 01 10 " NH6},
    {"MP_REACH empty", "", "", O P "800e 00", "", RESET, "", 14, 9, "800e 00"},
    {"MP_REACH of 4", "", "", O P "800e 04 0002 01 00", "", RESET, "", 14, 9, "800e 04 0002 01 00"},
    {"MP_REACH without prefixes", "", "", O P "800e 15 0002 01 10 " NH6 " 00", "", OK, "", 0, 0, NULL},
    {"MP_UNREACH of 2", "", "", "800f 02 0002", "", RESET, "", 15, 9, "800f 02 0002"},
    {"MP_UNREACH empty", "", "", "800f 00", "", RESET, "", 15, 9, "800f 00"},
    {"IPv6 prefix length 129", "", "", "800f 15 0002 01 81 " NH6 "00", "", RESET, "", 15, 9,
     "800f 15 0002 01 81 " NH6 "00"},
    {"IPv6 prefix cut short", "", "", "800f 06 0002 01 30 2001", "", RESET, "", 15, 9, "800f 06 0002 01 30 2001"},
    {"MP_REACH of a family not in use", "6", "", GOOD R6, PFX, DISCARD, TEXT, 14, 0, NULL},
    {"MP_REACH of EVPN", "", "", GOOD "800e 08 0019 46 02 0000 00 ff", PFX, DISCARD, TEXT, 14, 0, NULL},
    {"MP_UNREACH of multicast", "", "", "800f 05 0001 02 08 0a", "", DISCARD, "", 15, 0, NULL},
    {"fault beside a family not in use", "6", "", "40010103" P R6, "", WITHDRAW, "", 1, 0, NULL},
    {"MP_REACH twice", "", "", O P R6 R6, "", RESET, "", 0, 1, ""},
    {"MP_UNREACH twice", "", "", "800f 03 0002 01 800f 03 0002 01", "", RESET, "", 0, 1, ""},
    {"fault and MP_UNREACH only", "", "", "40010103 800f 0a 0002 01" P6, "", RESET, "", 1, 6, "40010103"},

    // path identifiers (RFC 7911)
    {"ADD-PATH: IPv4", "p", "00000002 08 0b 00000000 00", GOOD, "00000001" PFX "ffffffff" PFX, OK,
     "-11.0.0.0/8#2 -0.0.0.0/0#0 +10.0.1.0/24#1 +10.0.1.0/24#4294967295 nh 10.0.0.1 path 65001", 0, 0, NULL},
    {"ADD-PATH: IPv6", "p", "", O P "800e 20 0002 01 10 " NH6 " 00 00000007" P6 "800f 0e 0002 01 00000009" P6, "", OK,
     "-2001:db8:1::/48#9 +2001:db8:1::/48#7 nh 2001:db8::1 path 65001", 0, 0, NULL},
    {"ADD-PATH: identifier cut short", "p", "", GOOD, "00000001" PFX "000000", RESET, "", 0, 10, ""},
    {"ADD-PATH: identifier without a prefix", "p", "", GOOD, "00000001", RESET, "", 0, 10, ""},
    {"ADD-PATH: prefix cut short", "p", "", GOOD, "00000001 18 0a00", RESET, "", 0, 10, ""},
    {"ADD-PATH: withdrawn identifier without a prefix", "p", "00000001", "", "", RESET, "", 0, 10, ""},
    {"ADD-PATH: prefix length 33", "p", "", GOOD, "00000001 21 0a00000000", RESET, "", 0, 10, ""},
    {"ADD-PATH: prefixes without identifiers", "p", "", GOOD, PFX, RESET, "", 0, 10, ""},
    {"ADD-PATH: MP_UNREACH cut short", "p", "", "800f 07 0002 01 00000009", "", RESET, "", 15, 9,
     "800f 07 0002 01 00000009"},
    {"ADD-PATH: withdrawn by treat-as-withdraw with its identifier", "p", "", P N, "00000005" PFX, WITHDRAW,
     "+10.0.1.0/24#5", 1, 0, NULL},
    {"ADD-PATH: end of RIB, IPv6", "p", "", "800f 03 0002 01", "", OK, "eor6", 0, 0, NULL},

    // IPv4 over an IPv6 next hop (RFC 8950)
    {"IPv4 over IPv6", "e", "", O P "800e 19 0001 01 10 " NH6 " 00" PFX, "", OK,
     "+10.0.1.0/24 nh 2001:db8::1 path 65001", 0, 0, NULL},
    {"IPv4 over IPv6, next hop of 32", "e", "", O P "800e 29 0001 01 20 " NH6 LL6 " 00" PFX, "", OK,
     "+10.0.1.0/24 nh 2001:db8::1 ll fe80::2 path 65001", 0, 0, NULL},
    {"IPv4 over IPv4 in MP_REACH still", "e", "", O P "800e 0d 0001 01 04 0a000001 00" PFX, "", OK, TEXT, 0, 0, NULL},
    {"IPv4 over IPv6: next hop of 24", "e", "", O P "800e 21 0001 01 18 0000000000000000" NH6 "00" PFX, "", RESET, "",
     14, 9, "800e 21 0001 01 18 0000000000000000" NH6 "00" PFX},
    {"IPv4 over IPv6: next hop of 0", "e", "", O P "800e 09 0001 01 00 00" PFX, "", RESET, "", 14, 9,
     "800e 09 0001 01 00 00" PFX},
    {"IPv4 over IPv6: next hop ::", "e", "", O P "800e 19 0001 01 10 00000000000000000000000000000000 00" PFX, "",
     WITHDRAW, TAW, 14, 0, NULL},
    {"IPv6 keeps its own lengths", "e", "", O P "800e 10 0002 01 04 0a000001 00" P6, "", RESET, "", 14, 9,
     "800e 10 0002 01 04 0a000001 00" P6},
    {"IPv4 both ways in one", "ep", "", GOOD "800e 1d 0001 01 10 " NH6 " 00 00000002" PFX, "00000001" PFX, OK,
     "+10.0.1.0/24#1 nh 10.0.0.1 path 65001 +10.0.1.0/24#2 nh 2001:db8::1 path 65001", 0, 0, NULL},

    // repeats and unknown
    {"ORIGIN twice: the first counts", "", "", "40010102" GOOD, PFX, DISCARD, TEXT " origin 2", 1, 0, NULL},
    {"second one malformed", "", "", GOOD "40010107", PFX, DISCARD, TEXT, 1, 0, NULL},
    {"unknown twice", "", "", GOOD "c0f0 01 aa c0f0 01 bb", PFX, DISCARD, TEXT " pass e0f001aa", 240, 0, NULL},
    {"unknown optional transitive", "", "", GOOD "c0f0 03 010203", PFX, OK, TEXT " pass e0f003010203", 0, 0, NULL},
    {"unknown, Partial already", "", "", GOOD "e0f0 00", PFX, OK, TEXT " pass e0f000", 0, 0, NULL},
    {"unknown, ascending and with plain lengths", "", "", GOOD "dff0 0001 aa c01c 00", PFX, OK,
     TEXT " pass e01c00e0f001aa", 0, 0, NULL},
    {"unknown optional non-transitive", "", "", GOOD "80f0 03 010203", PFX, OK, TEXT, 0, 0, NULL},
    {"unknown well-known", "", "", GOOD "40f0 01 00", PFX, RESET, "", 240, 2, "40f0 01 00"},
    {"attribute 0, optional", "", "", "c000 00" GOOD, PFX, OK, TEXT " pass e00000", 0, 0, NULL},
    {"the worst decides", "", "", "40010103" P N "c008 00 4006 01 00", PFX, WITHDRAW, TAW, 1, 0, NULL},

    // 2-octet peers
    {"2-octet path", "2", "", O "4002 06 0202 fde9 0001" N, PFX, OK, "+10.0.1.0/24 nh 10.0.0.1 path 65001-1", 0, 0,
     NULL},
    {"AS4_PATH of the same length", "2", "", O "4002 06 0202 fde9 5ba0" N "c011 0a 0202 0000fde9 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 65001-70000", 0, 0, NULL},
    {"old speakers in front", "2", "", O "4002 08 0203 fde8 fde9 5ba0" N "c011 0a 0202 0000fde9 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 65000-65001-70000", 0, 0, NULL},
    {"AS4_PATH longer: ignored", "2", "", O "4002 04 0201 5ba0" N "c011 0a 0202 0000fde9 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 23456", 0, 0, NULL},
    {"sets count as one", "2", "", O "4002 0a 0201 fde9 0102 0001 0002" N "c011 06 0201 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 65001-70000", 0, 0, NULL},
    {"a set in front is taken whole", "2", "", O "4002 0a 0102 0001 0002 0201 5ba0" N "c011 06 0201 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path {1,2}-70000", 0, 0, NULL},
    {"AS4_PATH before AS_PATH", "2", "", "c011 06 0201 00011170" O "4002 04 0201 5ba0" N, PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 70000", 0, 0, NULL},
    {"AS4_PATH alone", "2", "", O "c011 06 0201 00011170" N, PFX, WITHDRAW, TAW, 2, 0, NULL},
    {"AS4_PATH with a confederation", "2", "", O "4002 04 0201 5ba0" N "c011 0c 0301 00000001 0201 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 70000", 0, 0, NULL},
    {"AS4_PATH malformed", "2", "", O "4002 04 0201 5ba0" N "c011 05 0201 000111", PFX, DISCARD,
     "+10.0.1.0/24 nh 10.0.0.1 path 23456", 17, 0, NULL},
    {"AS4_PATH empty", "2", "", O "4002 04 0201 5ba0" N "c011 00", PFX, DISCARD, "+10.0.1.0/24 nh 10.0.0.1 path 23456",
     17, 0, NULL},
    {"AS4_PATH of AS 0", "2", "", O "4002 04 0201 5ba0" N "c011 06 0201 00000000", PFX, DISCARD,
     "+10.0.1.0/24 nh 10.0.0.1 path 23456", 17, 0, NULL},
    {"AS4_PATH from a 4-octet peer", "", "", GOOD "c011 06 0201 00011170", PFX, DISCARD, TEXT, 17, 0, NULL},
    {"AS4_AGGREGATOR", "2", "", O "4002 04 0201 fde9" N "c007 06 5ba0 01020304 c012 08 00011170 05060708", PFX, OK,
     TEXT " agg 70000@5.6.7.8", 0, 0, NULL},
    {"AGGREGATOR changed since: both ignored", "2", "",
     O "4002 04 0201 5ba0" N "c007 06 fde8 01020304 c012 08 00011170 05060708 c011 06 0201 00011170", PFX, OK,
     "+10.0.1.0/24 nh 10.0.0.1 path 23456 agg 65000@1.2.3.4", 0, 0, NULL},
    {"AS4_AGGREGATOR alone", "2", "", O "4002 04 0201 fde9" N "c012 08 00011170 05060708", PFX, OK, TEXT, 0, 0, NULL},
    {"AS4_AGGREGATOR of 6", "2", "", O "4002 04 0201 fde9" N "c007 06 5ba0 01020304 c012 06 fde9 05060708", PFX,
     DISCARD, TEXT " agg 23456@1.2.3.4", 18, 0, NULL},
    {"AS4_AGGREGATOR from a 4-octet peer", "", "", GOOD "c012 08 00011170 05060708", PFX, DISCARD, TEXT, 18, 0, NULL},
};

static struct vnrs_bgp_session session_of(const char *letters)
{
    return (struct vnrs_bgp_session){
        .as4 = !strchr(letters, '2'),
        .ibgp = strchr(letters, 'i'),
        .mp = {!strchr(letters, '4'), !strchr(letters, '6')},
        .extended_message = strchr(letters, 'x'),
        .add_path_rx = {strchr(letters, 'p'), strchr(letters, 'p')},
        .ext_nexthop = strchr(letters, 'e'),
        .local_id = 0x0a000004,
    };
}

static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
static uint8_t msg[VNRS_BGP_MSG_EXTENDED_MAX];

static size_t put_field(uint8_t *at, const char *hex)
{
    size_t n = hex_bytes(hex, at + 2, 4096);

    at[0] = (uint8_t)(n >> 8);
    at[1] = (uint8_t)n;
    return n + 2;
}

static size_t build(const char *withdrawn, const char *attrs, const char *nlri)
{
    size_t at = VNRS_BGP_HEADER_BYTES;

    at += put_field(msg + at, withdrawn);
    at += put_field(msg + at, attrs);
    at += hex_bytes(nlri, msg + at, 4096);
    return hex_header(msg, VNRS_BGP_UPDATE, at - VNRS_BGP_HEADER_BYTES);
}

// From a copy of exactly that size, so that a sanitizer sees any read beyond it.
static enum vnrs_bgp_outcome decode_tight(const char *letters, size_t len, struct line *line,
                                          struct vnrs_bgp_update *update, struct vnrs_bgp_error *error)
{
    struct vnrs_bgp_session session = session_of(letters);
    _free_ uint8_t *tight = malloc(len);

    assert_non_null(tight);
    memcpy(tight, msg, len);
    enum vnrs_bgp_outcome outcome = vnrs_bgp_update_decode(&session, tight, len, scratch, update, error);
    update_text(line, outcome, update);
    return outcome;
}

static bool is_row_right(const struct row *r)
{
    struct vnrs_bgp_error error = {0}, want = {0};
    struct vnrs_bgp_update update;
    struct line line;

    size_t len = build(r->withdrawn, r->attrs, r->nlri);
    int outcome = (int)decode_tight(r->session, len, &line, &update, &error);
    if (r->outcome == RESET) {
        want.code = VNRS_BGP_ERR_UPDATE;
        want.subcode = (uint8_t)r->subcode;
        want.data_len = (uint16_t)hex_bytes(r->data, want.data, sizeof(want.data));
    }
    bool right = outcome == r->outcome && strcmp(line.text, r->text) == 0 && update.bad_attr == r->bad_attr &&
                 (update.why != NULL) == (r->outcome != OK) && update.has_reach == (strchr(r->text, '+') != NULL) &&
                 memcmp(&error, &want, sizeof(error)) == 0;
    if (!right)
        print_error("'%s': outcome %d, attribute %u, error %u/%u with %u octets, '%s'\n  expected '%s'\n", r->what,
                    outcome, update.bad_attr, error.code, error.subcode, error.data_len, line.text, r->text);
    return right;
}

static void test_rows(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        wrong += !is_row_right(&rows[i]);
    assert_int_equal(wrong, 0);
}

// The two length fields against the message's own: RFC 7606 section 3 a.
static void test_field_lengths(void **state)
{
    static const struct {
        const char *what, *body;
        unsigned code, subcode;
    } cases[] = {
        {"withdrawn beyond the message", "0001 0000", 3, 1},
        {"withdrawn 65535", "ffff 0000", 3, 1},
        {"attributes beyond the message", "0000 0001", 3, 1},
        {"attributes 65535", "0000 ffff", 3, 1},
        {"withdrawn swallows the attributes' length", "0004 08 0a 0000", 3, 1},
        {"both together", "0002 080a 0005 40010100", 3, 1},
        {"body too short", "0000 00", 1, 2},
        {"no body", "", 1, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vnrs_bgp_error error = {0};
        struct vnrs_bgp_update update;
        struct line line;

        print_message("  %s\n", cases[i].what);
        size_t len = hex_message(VNRS_BGP_UPDATE, cases[i].body, msg, sizeof(msg));
        assert_int_equal(decode_tight("", len, &line, &update, &error), RESET);
        assert_int_equal(error.code, cases[i].code);
        assert_int_equal(error.subcode, cases[i].subcode);
    }
}

// Every cut of a message with every attribute, with the lengths left as they were.
static void test_cut_anywhere(void **state)
{
    (void)state;
    size_t whole =
        build("08 0b",
              GOOD "8004 04 00000005 c007 08 00011170 01020304 c008 08 fde80001 fde80002"
                   "c010 08 0002fde800000001 c020 0c 000000010000000200000003 c0f0 03 010203" R6 "800f 0a 0002 01" P6,
              PFX);
    for (size_t len = 0; len < whole; len++) {
        struct vnrs_bgp_error error;
        struct vnrs_bgp_update update;
        struct line line;

        enum vnrs_bgp_outcome outcome = decode_tight("", len, &line, &update, &error);
        // Without the last prefix at all it is a smaller, good message.
        assert_int_equal(outcome, len == whole - 4 ? VNRS_BGP_OK : VNRS_BGP_SESSION_RESET);
    }
}

static size_t put_path(uint8_t *at, unsigned asns, unsigned asn_bytes)
{
    size_t n = 0;

    while (asns) {
        unsigned count = MIN(asns, 255u);
        at[n++] = 2;
        at[n++] = (uint8_t)count;
        for (unsigned i = 0; i < count; i++, n += asn_bytes) {
            memset(at + n, 0, asn_bytes);
            at[n + asn_bytes - 1] = 7;
        }
        asns -= count;
    }
    return n;
}

// Long paths are withdrawn, and an AS4_PATH cannot make a path longer than the limit either.
static void test_path_limit(void **state)
{
    static const struct {
        const char *session;
        unsigned asns, asn_bytes;
        int outcome;
    } cases[] = {
        {"x", VNRS_BGP_PATH_ASNS_MAX, 4, OK},
        {"x", VNRS_BGP_PATH_ASNS_MAX + 1, 4, WITHDRAW},
        {"2x", VNRS_BGP_PATH_ASNS_MAX, 2, OK},
        {"2x", VNRS_BGP_PATH_ASNS_MAX + 1, 2, WITHDRAW},
        {"x", 16000, 4, WITHDRAW},
        {"2x", 30000, 2, WITHDRAW},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vnrs_bgp_error error;
        struct vnrs_bgp_update update;
        struct line line;
        uint8_t *at = msg + 23;

        memset(msg + 19, 0, 4);
        at += hex_bytes(O N "5002", at, 64);
        size_t n = put_path(at + 2, cases[i].asns, cases[i].asn_bytes);
        at[0] = (uint8_t)(n >> 8);
        at[1] = (uint8_t)n;
        at += 2 + n;
        size_t attrs = (size_t)(at - msg) - 23;
        msg[21] = (uint8_t)(attrs >> 8);
        msg[22] = (uint8_t)attrs;
        at += hex_bytes(PFX, at, 8);
        struct vnrs_bgp_session session = session_of(cases[i].session);
        size_t len = hex_header(msg, VNRS_BGP_UPDATE, (size_t)(at - msg) - 19);
        assert_int_equal(vnrs_bgp_update_decode(&session, msg, len, scratch, &update, &error), cases[i].outcome);
        if (cases[i].outcome == OK)
            assert_int_equal(update.attrs[0].path_len, cases[i].asns);
        else
            assert_string_equal(update_text(&line, VNRS_BGP_TREAT_AS_WITHDRAW, &update), TAW);
    }
}

static uint8_t *put_long_attr(uint8_t *at, uint8_t flags, uint8_t type, size_t len)
{
    at[0] = flags | 0x10;
    at[1] = type;
    at[2] = (uint8_t)(len >> 8);
    at[3] = (uint8_t)len;
    return at + 4;
}

// A 2-octet path grows when it is read; a message so full that the result has no room is withdrawn.
static void test_no_room(void **state)
{
    static const struct {
        size_t passed_on; // octets of an unknown attribute
        int outcome;
    } cases[] = {{60000, OK}, {63000, WITHDRAW}};
    struct vnrs_bgp_session session = session_of("2x");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vnrs_bgp_error error;
        struct vnrs_bgp_update update;
        uint8_t *at = msg + 23;

        memset(msg + 19, 0, 4);
        at += hex_bytes(O N, at, 64);
        at = put_long_attr(at, 0x40, 2, 2 * 1000 + 2 * 4);
        at += put_path(at, 1000, 2);
        at = put_long_attr(at, 0xc0, 240, cases[i].passed_on);
        memset(at, 0xab, cases[i].passed_on);
        at += cases[i].passed_on;
        size_t attrs = (size_t)(at - msg) - 23;
        msg[21] = (uint8_t)(attrs >> 8);
        msg[22] = (uint8_t)attrs;
        at += hex_bytes(PFX, at, 8);
        size_t len = hex_header(msg, VNRS_BGP_UPDATE, (size_t)(at - msg) - 19);
        assert_int_equal(vnrs_bgp_update_decode(&session, msg, len, scratch, &update, &error), cases[i].outcome);
        assert_int_equal(update.attrs[0].unknown_bytes, cases[i].outcome == OK ? cases[i].passed_on + 4 : 0);
        assert_true(update.has_reach);
    }
}

// Scratch need not be aligned.
static void test_unaligned_scratch(void **state)
{
    static uint8_t memory[VNRS_BGP_MSG_EXTENDED_MAX + 4];
    struct vnrs_bgp_session session = session_of("");

    (void)state;
    size_t len = build("", GOOD "c008 08 fde80002 fde80001 c020 0c 000000010000000200000003", PFX);
    for (size_t shift = 0; shift < 4; shift++) {
        struct vnrs_bgp_error error;
        struct vnrs_bgp_update update;
        struct line line;

        assert_int_equal(vnrs_bgp_update_decode(&session, msg, len, memory + shift, &update, &error), OK);
        assert_string_equal(update_text(&line, VNRS_BGP_OK, &update),
                            TEXT " c 65000:1 c 65000:2 large 000000010000000200000003");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_field_lengths),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_path_limit),
        cmocka_unit_test(test_unaligned_scratch),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests_name("bgp.update", tests, NULL, NULL);
}
