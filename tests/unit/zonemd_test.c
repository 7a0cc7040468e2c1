// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone digests: the example zones of RFC 8976 appendix A, then each way in which a digest can be
// wrong, foreign or gone.
#include "zonemd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "name.h"
#include "rrtype.h"
#include "zonefile.h"

// The RFC wraps at 72 columns; the text is its own otherwise.
static const char simple[] = // A.1
    "example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n"
    "example. 86400 IN NS ns1\n"
    "example. 86400 IN NS ns2\n"
    "example. 86400 IN ZONEMD 2018031900 1 1 ( c68090d90a7aed71 6bc459f9340e3d7c\n"
    "  1370d4d24b7e2fc3 a1ddc0b9a87153b9 a9713b3c9ae5cc27 777f98b8e730044c )\n"
    "ns1 3600 IN A 203.0.113.63\n"
    "ns2 3600 IN AAAA 2001:db8::63\n";
static const char complex_zone[] = // A.2
    "example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n"
    "example. 86400 IN NS ns1\n"
    "example. 86400 IN NS ns2\n"
    "example. 86400 IN ZONEMD 2018031900 1 1 ( a3b69bad980a3504 e1cffcb0fd6397f9\n"
    "  3848071c93151f55 2ae2f6b1711d4bd2 d8b39808226d7b9d b71e34b72077f8fe )\n"
    "ns1 3600 IN A 203.0.113.63\n"
    "NS2 3600 IN AAAA 2001:db8::63\n"
    "occluded.sub 7200 IN TXT \"I'm occluded but must be digested\"\n"
    "sub 7200 IN NS ns1\n"
    "duplicate 300 IN TXT \"I must be digested just once\"\n"
    "duplicate 300 IN TXT \"I must be digested just once\"\n"
    "foo.test. 555 IN TXT \"out-of-zone data must be excluded\"\n"
    "UPPERCASE 3600 IN TXT \"canonicalize uppercase owner names\"\n"
    "* 777 IN PTR dont-forget-about-wildcards\n"
    "mail 3600 IN MX 20 MAIL1\n"
    "mail 3600 IN MX 10 Mail2.Example.\n"
    "sortme 3600 IN AAAA 2001:db8::5:61\n"
    "sortme 3600 IN AAAA 2001:db8::3:62\n"
    "sortme 3600 IN AAAA 2001:db8::4:63\n"
    "sortme 3600 IN AAAA 2001:db8::1:65\n"
    "sortme 3600 IN AAAA 2001:db8::2:64\n"
    "non-apex 900 IN ZONEMD 2018031900 1 1 ( 616c6c6f77656420 6275742069676e6f\n"
    "  7265642e20616c6c 6f77656420627574 2069676e6f726564 2e20616c6c6f7765 )\n";
#define MULTIPLE_HEAD                                                        \
	"example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n" \
	"example. 86400 IN NS ns1.example.\n"                                \
	"example. 86400 IN NS ns2.example.\n"
#define MULTIPLE_SHA384                                                                 \
	"example. 86400 IN ZONEMD 2018031900 1 1 ( 62e6cf51b02e54b9 b5f967d547ce4313\n" \
	"  6792901f9f88e637 493daaf401c92c27 9dd10f0edb1c56f8 080211f8480ee306 )\n"
#define MULTIPLE_SHA512                                                                 \
	"example. 86400 IN ZONEMD 2018031900 1 2 ( 08cfa1115c7b948c 4163a901270395ea\n" \
	"  226a930cd2cbcf2f a9a5e6eb85f37c8a 4e114d884e66f176 eab121cb02db7d65\n"       \
	"  2e0cc4827e7a3204 f166b47e5613fd27 )\n"
#define MULTIPLE_OTHER                                                                    \
	"example. 86400 IN ZONEMD 2018031900 1 240 e2d523f654b9422a96c5a8f44607bbee\n"    \
	"example. 86400 IN ZONEMD 2018031900 241 1 ( e1846540e33a9e41 89792d18d5d131f6\n" \
	"  05fc283e )\n"
#define MULTIPLE_TAIL                                                       \
	"ns1.example. 3600 IN A 203.0.113.63\n"                             \
	"ns2.example. 86400 IN TXT \"This example has multiple digests\"\n" \
	"NS2.EXAMPLE. 3600 IN AAAA 2001:db8::63\n"
static const char signed_zone[] = // A.4
    "uri.arpa. 3600 IN SOA sns.dns.icann.org. noc.dns.icann.org. 2018100702 10800 3600 1209600 "
    "3600\n"
    "uri.arpa. 3600 IN RRSIG NSEC 8 2 3600 20181028142623 20181007205525 47155 uri.arpa. "
    "eEC4w/oXLR1Epwgv4MBiDtSBsXhqrJVvJWUpbX8XpetAvD35bxwNCUTi/"
    "pAJVUXefegWeiriD2rkTgCBCMmn7YQIm3gdR+HjY/"
    "+o3BXNQnz97f+eHAE9EDDzoNVfL1PyV/2fde9tDeUuAGVVwmD399NGq9jWYMRpyri2kysrq/g=\n"
    "uri.arpa. 86400 IN RRSIG NS 8 2 86400 20181028172020 20181007175821 47155 uri.arpa. "
    "ATyV2A2A8ZoggC+68u4GuP5MOUuR+2rr3eWOkEU55zAHld/"
    "7FiBxl4ln4byJYy7NudUwlMOEXajqFZE7DVl8PpcvrP3HeeGaVzKqa"
    "Wj+aus0jbKFBsvs2b1qDZemBfkz/IfAhUTJKnto0vSUicJKfItu0GjyYNJCz2CqEuGDWxc=\n"
    "uri.arpa. 600 IN RRSIG MX 8 2 600 20181028170556 20181007175821 47155 uri.arpa. "
    "e7/r3KXDohX1lyVavetFFObp8fB8aXT76HnN9KCQDxSnSghNM83UQV0tlTtD8JVeN1mCvcNFZpagwIgB7XhTtm6Beur/"
    "m5ES+4uSnV"
    "eS6Q66HBZKA3mR95IpevuVIZvvJ+GcCAQpBo6KRODYvJ/c/ZG6sfYWkZ7qg/Em5/+34UI=\n"
    "uri.arpa. 3600 IN RRSIG DNSKEY 8 2 3600 20181028152832 20181007175821 15796 uri.arpa. "
    "nzpbnh0OqsgBBP8St28pLvPEQ3wZAUdEBuUwil+"
    "rtjjWlYYiqjPxZ286XF4Rq1usfV5x71jZz5IqswOaQgia91ylodFpLuXD6FTGs2"
    "nXGhNKkg1VchHgtwj70mXU72GefVgo8TxrFYzxuEFP5ZTP92t97FVWVVyyFd86sbbR6DZj3uA2wEvqBVLECgJLrMQ9Yy7M"
    "ueJl3UA4"
    "h4E6zO2JY9Yp0W9woq0BdqkkwYTwzogyYffPmGAJG91RJ2h6cHtFjEZe2MnaY2glqniZ0WT9vXXduFPm0KD9U77Ac+"
    "ZtctAF9tsZwS"
    "dAoL365E2L1usZbA+K0BnPPqGFJRJk5R0A1w==\n"
    "uri.arpa. 3600 IN RRSIG DNSKEY 8 2 3600 20181028152832 20181007175821 55480 uri.arpa. "
    "lWtQV/5szQjkXmbcD47/+rOW8kJPksRFHlzxxmzt906+DBYyfrH6uq5XnHvrUlQO6M12uhqDeL+bDFVgqSpNy+42/"
    "OaZvaK3J8EzPZ"
    "VBHPJykKMV63T83aAiJrAyHzOaEdmzLCpalqcEE2ImzlLHSafManRfJL8Yuv+JDZFj2WDWfEcUuwkmIZWX11zxp+"
    "DxwzyUlRl7x4+o"
    "k5iKZWIg5UnBAf6B8T75WnXzlhCw3F2pXI0a5LYg71L3Tp/"
    "xhjN6Yy9jGlIRf5BjB59X2zra3a2RPkI09SSnuEwHyF1mDaV5BmQrLG"
    "RnCjvwXA7ho2m+vv4SP5dUdXf+GTeA1HeBfw==\n"
    "uri.arpa. 3600 IN RRSIG SOA 8 2 3600 20181029114753 20181008222815 47155 uri.arpa. "
    "qn8yBNoHDjGdT79U2Wu9IIahoS0YPOgYP8lG+qwPcrZ1BwGiHywuoUa2Mx6BWZlg+HDyaxj2iOmox+"
    "IIqoUHhXUbO7IUkJFlgrOKCg"
    "AR2twDHrXu9BUQHy9SoV16wYm3kBTEPyxW5FFm8vcdnKAF7sxSY8BbaYNpRIEjDx4AJUc=\n"
    "uri.arpa. 3600 IN NSEC ftp.uri.arpa. NS SOA MX RRSIG NSEC DNSKEY\n"
    "uri.arpa. 86400 IN NS a.iana-servers.net.\n"
    "uri.arpa. 86400 IN NS b.iana-servers.net.\n"
    "uri.arpa. 86400 IN NS c.iana-servers.net.\n"
    "uri.arpa. 86400 IN NS ns2.lacnic.net.\n"
    "uri.arpa. 86400 IN NS sec3.apnic.net.\n"
    "uri.arpa. 600 IN MX 10 pechora.icann.org.\n"
    "uri.arpa. 3600 IN DNSKEY 256 3 8 "
    "AwEAAcBi7tSart2J599zbYWspMNGN70IBWb4ziqyQYH9MTB/"
    "VCz6WyUKuXunwiJJbbQ3bcLqTLWEw134B6cTMHrZpjTAb5WAwg4XcW"
    "Uu8mdcPTiLBl6qVRlRD0WiFCTzuYUfkwsh1Rbr7rvrxSQhF5rh71zSpwV5jjjp65WxSdJjlH0B\n"
    "uri.arpa. 3600 IN DNSKEY 257 3 8 "
    "AwEAAbNVv6ulgRdO31MtAehz7j3ALRjwZglWesnzvllQl/"
    "+hBRZr9QoYcO2I+DkO4Q1NKxox4DUIxj8SxPO3GwDuOFR9q2/CFi2O0m"
    "ZjafbdYtWc3zSdBbi3q0cwCIx7GuG9eqlL+pg7mdk9dgdNZfHwB0LnqTD8ebLPsrO/"
    "Id7kBaiqYOfMlZnh2fp+2h6OOJZHtY0DK1Ul"
    "ssyB5PKsE0tVzo5s6zo9iXKe5u+8WTMaGDY49vG80JPAKE7ezMiH/"
    "NZcUMiE0PRZ8D3foq2dYuS5ym+vA83Z7v8A+Rwh4UGnjxKB8z"
    "mr803V0ASAmHz/gwH5Vb0nH+LObwFtl3wpbp+Wpm8=\n"
    "uri.arpa. 3600 IN DNSKEY 257 3 8 "
    "AwEAAbwnFTakCvaUKsXji4mgmxZUJi1IygbnGahbkmFEa0L16J+TchKRwcgzVfsxUGa2MmeA4hgkAooC3uy+"
    "tTmoMsgy8uq/JAj24D"
    "jiHzd46LfDFK/"
    "qMidVqFpYSHeq2Vv5ojkuIsx4oe4KsafGWYNOczKZgH5loGjN2aJGmrIm++XCphOskgCsQYl65MIzuXffzJyxlAut"
    "s+ecAIiVeqRaqQfr8LRU7wIsLxinXirprtQrbor+EtvlHp9qXE6ARTZDzf4jvsNpKvLFZtmxzFf3e/"
    "UJz5eHjpwDSiZL7xE8aE1o1n"
    "GfPtJx9ZnB3bapltaJ5wY+5XOCKgY0xmJVvNQlwdE=\n"
    "ftp.uri.arpa. 3600 IN RRSIG NSEC 8 3 3600 20181028080856 20181007175821 47155 uri.arpa. "
    "HClGAqPxzkYkAT7Q/QNtQeB6YrkP6EPOef+9Qo5/2zngwAewXEAQiyF9jD1USJiroM11QqBS3v3aIdW/"
    "LXORs4Ez3hLcKNO1cKHsOu"
    "WAqzmE+BPPArfh8N95jqh/q6vpaB9UtMkQ53tM2fYU1GszOLN0knxbHgDHAh2axMGHlqM=\n"
    "ftp.uri.arpa. 604800 IN RRSIG NAPTR 8 3 604800 20181028103644 20181007205525 47155 uri.arpa. "
    "WoLi+vZzkxaoLr2IGZnwkRvcDf6KxiWQd1WZP/"
    "U+AWnV+7MiqsWPZaf09toRErerGoFOiOASNxZjBGJrRgjmavOM9U+LZSconP9zrN"
    "Fd4dIu6kp5YxlQJ0uHOvx1ZHFCj6lAt1ACUIw04ZhMydTmi27c8MzEOMepvn7iH7r7k7k=\n"
    "ftp.uri.arpa. 3600 IN NSEC http.uri.arpa. NAPTR RRSIG NSEC\n"
    "ftp.uri.arpa. 604800 IN NAPTR 0 0 \"\" \"\" \"!^ftp://([^:/?#]*).*$!\\\\1!i\" .\n"
    "http.uri.arpa. 3600 IN RRSIG NSEC 8 3 3600 20181029010647 20181007175821 47155 uri.arpa. "
    "U03NntQ73LHWpfLmUK8nMsqkwVsOGW2KdsyuHYAjqQSZvKbtmbv7HBmEH1+Ii3Z+wtfdMZBy5aC/"
    "6sHdx69BfZJs16xumycMlAy632"
    "5DKTQbIMN+ift9GrKBC7cgCd2msF/uzSrYxxg4MJQzBPvlkwXnY3b7eJSlIXisBIn73b8=\n"
    "http.uri.arpa. 604800 IN RRSIG NAPTR 8 3 604800 20181029011815 20181007205525 47155 uri.arpa. "
    "T7mRrdag+WSmG+n22mtBSQ/"
    "0Y3v+rdDnfQV90LN5Fq32N5K2iYFajF7FTp56oOznytfcL4fHrqOE0wRc9NWOCCUec9C7Wa1gJQcllE"
    "vgoAM+L6f0RsEjWq6+9jvlLKMXQv0xQuMX17338uoD/xiAFQSnDbiQKxwWMqVAimv57Zs=\n"
    "http.uri.arpa. 3600 IN NSEC mailto.uri.arpa. NAPTR RRSIG NSEC\n"
    "http.uri.arpa. 604800 IN NAPTR 0 0 \"\" \"\" \"!^http://([^:/?#]*).*$!\\\\1!i\" .\n"
    "mailto.uri.arpa. 3600 IN RRSIG NSEC 8 3 3600 20181028110727 20181007175821 47155 uri.arpa. "
    "GvxzVL85rEukwGqtuLxek9ipwjBMfTOFIEyJ7afC8HxVMs6mfFa/nEM/"
    "IdFvvFg+lcYoJSQYuSAVYFl3xPbgrxVSLK125QutCFMdC/"
    "YjuZEnq5clfQciMRD7R3+znZfm8d8u/snLV9w4D+lTBZrJJUBe1Efc8vum5vvV7819ZoY=\n"
    "mailto.uri.arpa. 604800 IN RRSIG NAPTR 8 3 604800 20181028141825 20181007205525 47155 "
    "uri.arpa. "
    "MaADUgc3fc5v++M0YmqjGk3jBdfIA5RuP62hUSlPsFZO4k37erjIGCfFj+g84yc+QgbSde0PQHszl9fE/"
    "+SU5ZXiS9YdcbzSZxp2er"
    "FpZOTchrpg916T4vx6i59scodjb0l6bDyZ+mtIPrc1w6b4hUyOUTsDQoAJYxdfEuMgVy4=\n"
    "mailto.uri.arpa. 3600 IN NSEC urn.uri.arpa. NAPTR RRSIG NSEC\n"
    "mailto.uri.arpa. 604800 IN NAPTR 0 0 \"\" \"\" \"!^mailto:(.*)@(.*)$!\\\\2!i\" .\n"
    "urn.uri.arpa. 3600 IN RRSIG NSEC 8 3 3600 20181028123243 20181007175821 47155 uri.arpa. "
    "Hgsw4Deops1O8uWyELGe6hpR/"
    "OEqCnTHvahlwiQkHhO5CSEQrbhmFAWeUOkmGAdTEYrSz+skLRQuITRMwzyFf4oUkZihGyhZyzHbcx"
    "WfuDc/Pd/9DSl56gdeBwy1evn5wBTms8yWQVkNtphbJH395gRqZuaJs3LD/qTyJ5DpLvA=\n"
    "urn.uri.arpa. 604800 IN RRSIG NAPTR 8 3 604800 20181029071816 20181007205525 47155 uri.arpa. "
    "ALIZD0vBqAQQt40GQ0Efaj8OCyE9xSRJRdyvyn/H/wZVXFRFKrQYrLASD/"
    "K7q6CMTOxTRCu2J8yes63WJiaJEdnh+dscXzZkmOg4n5"
    "PsgZbkvUSWBiGtxvz5jNncM0xVbkjbtByrvJQAO1cU1mnlDKe1FmVB1uLpVdA9Ib4JhMU=\n"
    "urn.uri.arpa. 3600 IN NSEC uri.arpa. NAPTR RRSIG NSEC\n"
    "urn.uri.arpa. 604800 IN NAPTR 0 0 \"\" \"\" \"/urn:([^:]+)/\\\\1/i\" .\n"
    "uri.arpa. 3600 IN ZONEMD 2018100702 1 1 ( 1291b78ddf7669b1a39d014d87626b709b55774c5d7d58fa\n"
    "  dc556439889a10eaf6f11d615900a4f996bd46279514e473 )\n";
#define ROOT_SERVER(letter, v6, v4)                                 \
	letter ".root-servers.net. 3600000 IN AAAA " v6 "\n" letter \
	       ".root-servers.net. 3600000 IN A " v4 "\n"           \
	       "root-servers.net. 3600000 IN NS " letter ".root-servers.net.\n"
static const char root_servers[] = // A.5
    "root-servers.net. 3600000 IN SOA a.root-servers.net. ( nstld.verisign-grs.com. 2018091100\n"
    "  14400 7200 1209600 3600000 )\n" ROOT_SERVER("a", "2001:503:ba3e::2:30",
        "198.41.0.4") "b.root-servers.net. 3600000 IN MX 20 mail.isi.edu.\n" ROOT_SERVER("b",
        "2001:500:200::b",
        "199.9.14.201") ROOT_SERVER("c", "2001:500:2::c", "192.33.4.12") ROOT_SERVER("d",
        "2001:500:2d::d", "199.7.91.13") ROOT_SERVER("e", "2001:500:a8::e",
        "192.203.230.10") ROOT_SERVER("f", "2001:500:2f::f", "192.5.5.241") ROOT_SERVER("g",
        "2001:500:12::d0d", "192.112.36.4") ROOT_SERVER("h", "2001:500:1::53",
        "198.97.190.53") "i.root-servers.net. 3600000 IN MX 10 "
                         "mx.i.root-servers.org.\n" ROOT_SERVER(
                             "i", "2001:7fe::53", "192.36.148.17") ROOT_SERVER("j",
                             "2001:503:c27::2:30", "192.58.128.30") ROOT_SERVER("k", "2001:7fd::1",
                             "193.0.14.129") ROOT_SERVER("l", "2001:500:9f::42",
                             "199.7.83.42") ROOT_SERVER("m", "2001:dc3::35",
                             "202.12.27.33") "root-servers.net. 3600000 IN ZONEMD 2018091100 1 1 "
                                             "(\n"
                                             "  f1ca0ccd91bd5573d9f431c00ee0101b2545c97602be0a97\n"
                                             "  8a3b11dbfc1c776d5b3e86ae3d973d6b5349ba7f04340f79 "
                                             ")\n";

#define PLAIN "@ 60 SOA ns h 7 1 1 1 1\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
#define ZEROS48                                                              \
	"00000000000000000000000000000000 00000000000000000000000000000000 " \
	"00000000000000000000000000000000"

static const struct row {
	const char *what, *apex, *text;
	int want;
	const char *error;
} rows[] = {
    {"A.1", "example.", simple, ZONEMD_GOOD, NULL},
    {"A.2", "example.", complex_zone, ZONEMD_GOOD, NULL},
    {"A.3", "example.", MULTIPLE_HEAD MULTIPLE_SHA384 MULTIPLE_SHA512 MULTIPLE_OTHER MULTIPLE_TAIL,
        ZONEMD_GOOD, NULL},
    {"A.3, SHA-384 alone", "example.", MULTIPLE_HEAD MULTIPLE_SHA384 MULTIPLE_TAIL, ZONEMD_GOOD,
        NULL},
    {"A.3, SHA-512 alone", "example.", MULTIPLE_HEAD MULTIPLE_SHA512 MULTIPLE_TAIL, ZONEMD_GOOD,
        NULL},
    {"A.3, the others alone", "example.", MULTIPLE_HEAD MULTIPLE_OTHER MULTIPLE_TAIL, ZONEMD_OTHER,
        "not known here"},
    {"A.4", "uri.arpa.", signed_zone, ZONEMD_GOOD, NULL},
    {"A.5", "root-servers.net.", root_servers, ZONEMD_GOOD, NULL},
    {"a TTL changed", "example.",
        MULTIPLE_HEAD MULTIPLE_SHA384 "ns1.example. 3601 IN A 203.0.113.63\n", ZONEMD_WRONG,
        "does not have the digest that its ZONEMD record (SHA-384) says"},
    {"a record gone", "example.", MULTIPLE_HEAD MULTIPLE_SHA512, ZONEMD_WRONG, "(SHA-512)"},
    {"a record more", "example.",
        MULTIPLE_HEAD MULTIPLE_SHA384 MULTIPLE_TAIL "more 60 IN TXT more\n", ZONEMD_WRONG,
        "(SHA-384)"},
    {"the wrong one before the right one", "example.",
        MULTIPLE_HEAD "example. 86400 IN ZONEMD 2018031900 1 1 " ZEROS48
                      "\n" MULTIPLE_SHA512 MULTIPLE_TAIL,
        ZONEMD_GOOD, NULL},
    {"none", "example.", PLAIN, ZONEMD_ABSENT, "no ZONEMD"},
    {"below the apex only", "example.", PLAIN "ns 60 ZONEMD 7 1 1 " ZEROS48 "\n", ZONEMD_ABSENT,
        "no ZONEMD"},
    {"of another serial", "example.", PLAIN "@ 60 ZONEMD 6 1 1 " ZEROS48 "\n", ZONEMD_WRONG,
        "of serial 6, the zone of 7"},
    {"too short", "example.", PLAIN "@ 60 ZONEMD 7 1 2 " ZEROS48 "\n", ZONEMD_WRONG,
        "wrong length"},
    {"the right one twice, once wrong", "example.",
        MULTIPLE_HEAD MULTIPLE_SHA384 MULTIPLE_TAIL
        "example. 86400 IN ZONEMD 2018031900 1 1 " ZEROS48 "\n",
        ZONEMD_WRONG, "same scheme and algorithm"},
};

static int record_take(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	int rc = records_add(ctx, owner, type, ttl, rdata, rdlen);

	return rc == -ERANGE ? 0 : rc; // outside the zone
}

static struct records *zone_of(const struct row *row)
{
	struct zonefile_error zone_error;
	uint8_t apex[NAME_LEN_MAX];
	char error[RECORDS_ERROR_MAX];

	assert_true(name_from_text(row->apex, strlen(row->apex), NULL, apex) > 0);
	struct records *records = records_new(apex);

	if (zonefile_parse_text(
	        row->text, strlen(row->text), apex, record_take, records, &zone_error) != 0)
		fail_msg("%s: %u: %s", row->what, zone_error.line, zone_error.message);
	assert_int_equal(records_sort(records), 0);
	if (records_check(records, error) != 0)
		fail_msg("%s: %s", row->what, error);
	return records;
}

static void the_examples_of_the_rfc_verify_and_what_is_wrong_does_not(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct records *records = zone_of(row);
		char error[ZONEMD_ERROR_MAX] = "";
		int verdict = zonemd_verify(records, error);

		if (verdict != row->want ||
		    (row->error != NULL && strstr(error, row->error) == NULL))
			fail_msg("%s: %d \"%s\"", row->what, verdict, error);
		records_free(records);
	}
}

static void every_byte_of_a_zone_counts(void **state)
{
	struct records *records = zone_of(&rows[1]);
	char error[ZONEMD_ERROR_MAX];

	for (size_t i = 0; i < records->count; i++) {
		struct record *record = &records->items[i];
		const uint8_t *before = record->rdata;
		uint8_t changed[512];

		if (record->type == RRTYPE_ZONEMD && name_equal(record->owner, records->apex))
			continue;
		memcpy(changed, before, record->rdlen);
		changed[record->rdlen - 1] ^= 0x80; // no letter either way
		record->rdata = changed;
		if (record->type != RRTYPE_SOA && record->type != RRTYPE_NS &&
		    record->type != RRTYPE_MX && record->type != RRTYPE_PTR)
			assert_int_equal(zonemd_verify(records, error), ZONEMD_WRONG);
		record->rdata = before;
		record->ttl ^= 1;
		assert_int_equal(zonemd_verify(records, error), ZONEMD_WRONG);
		record->ttl ^= 1;
	}
	assert_int_equal(zonemd_verify(records, error), ZONEMD_GOOD);
	records_free(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_examples_of_the_rfc_verify_and_what_is_wrong_does_not),
	    cmocka_unit_test(every_byte_of_a_zone_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
