# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Behind the question: OPT in all its wrongness, cookies, TSIG, SIG(0), other records, garbage."""
import struct

from message import (A, ANY, NONE, ORIGINS, Case, body, name, opt, option, question, record, tsig,
                     tsig_rdata)

ORIGIN = name(ORIGINS[0])


def with_records(rest, ar=1, an=0, ns=0, flags=0, ask=None):
    return body(flags, (1, an, ns, ar), (question() if ask is None else ask) + rest)


def garbage():
    for n in list(range(1, 34)) + [63, 64, 100, 255, 256, 500, 1000, 1300]:
        for fill in (b"\0", b"\xff", b"g"):
            yield Case("trailing bytes", "%d times %r" % (n, fill), body(rest=question() + fill * n))
            yield Case("trailing bytes behind OPT", "%d times %r behind OPT" % (n, fill),
                       with_records(opt() + fill * n))
    yield Case("trailing bytes", "a question more than counted", body(rest=question() * 2))
    yield Case("trailing bytes", "a record more than counted", body(rest=question() + A))
    yield Case("trailing OPT", "an OPT that is not counted", body(rest=question() + opt()))
    yield Case("trailing bytes behind OPT", "an OPT more than counted", with_records(opt() * 2))


def opts():
    for size in (0, 1, 11, 12, 100, 511, 512, 513, 1231, 1232, 1233, 4096, 65535):
        for flags in (0, 0x8000):
            yield Case("OPT size", "size %d flags %#x" % (size, flags), with_records(opt(size=size, flags=flags)))
            for origin in ORIGINS:
                yield Case("OPT size", "size %d flags %#x, a big answer of %s" % (size, flags, origin), with_records(
                    opt(size=size, flags=flags), ask=question(name("big." + origin), 16)))
    for version in (1, 2, 127, 128, 255):
        group = "OPT version"
        yield Case(group, "version %d" % version, with_records(opt(version=version)))
        yield Case(group, "version %d DO" % version, with_records(opt(version=version, flags=0x8000)))
        yield Case(group, "version %d at no name" % version, with_records(
            opt(version=version), ask=question(name("nothing." + ORIGINS[0]))))
        yield Case(group + " elsewhere", "version %d elsewhere" % version,
                   with_records(opt(version=version), ask=question(name("elsewhere."))))
        yield Case(group + " and a wrong option", "version %d, options lie" % version,
                   with_records(opt(option(3, b"", 9), version=version)))
        yield Case(group + " and type", "version %d, type OPT" % version,
                   with_records(opt(version=version), ask=question(ORIGIN, 41)))
        yield Case(group + " and class", "version %d, class HS" % version,
                   with_records(opt(version=version), ask=question(ORIGIN, 6, 4)))
        yield Case(group + " and a wrong cookie", "version %d, cookie of 3" % version,
                   with_records(opt(option(10, b"abc"), version=version)))
        yield Case(group + " and two OPTs", "version %d twice" % version,
                   with_records(opt(version=version) * 2, 2))
    for bit in range(16):
        yield Case("OPT flags", "flag bit %d" % bit, with_records(opt(flags=1 << bit)))
    yield Case("OPT flags", "all flags", with_records(opt(flags=0xFFFF)))
    for rcode in (1, 2, 128, 255):
        yield Case("OPT rcode", "extended rcode %d" % rcode, with_records(opt(rcode=rcode)))
    two = opt() + opt()
    yield Case("two OPTs", "two OPTs", with_records(two, 2))
    yield Case("two OPTs", "two OPTs of different sizes", with_records(opt(size=512) + opt(size=4096), 2))
    yield Case("two OPTs", "three OPTs", with_records(two + opt(), 3))
    yield Case("OPT with another record", "A, then OPT", with_records(A + opt(), 2))
    yield Case("OPT with another record", "OPT, then A", with_records(opt() + A, 2))
    for owner in (name("a."), ORIGIN, b"\xc0\x0c", b"\1\0\0", b"\xc0\x1a"):
        yield Case("OPT owner", "owner %r" % owner, with_records(opt(owner=owner)))
    yield Case("OPT in another section", "in the answer", with_records(opt(), 0, 1))
    yield Case("OPT in another section", "in the authority", with_records(opt(), 0, 0, 1))
    yield Case("OPT in another section", "in answer and additional", with_records(two, 1, 1))
    yield Case("OPT in another section", "in authority and additional", with_records(two, 1, 0, 1))
    whole = opt(option(3) + option(65001, b"data"))
    for cut in range(len(whole)):
        yield Case("OPT cut short", "OPT of %d bytes, %d there" % (len(whole), cut), with_records(whole[:cut]))


def options():
    for length in (1, 2, 3, 5, 100, 0x7fff, 0xffff):
        yield Case("option length lies", "NSID of %d, none there" % length,
                   with_records(opt(option(3, b"", length))))
        yield Case("option length lies", "unknown option of %d, one missing" % length,
                   with_records(opt(option(65001, b"x" * min(length - 1, 200), length))))
        yield Case("option length lies", "the second option of %d, none there" % length,
                   with_records(opt(option(65001, b"abc") + option(65002, b"", length))))
    for n in (1, 2, 3):
        yield Case("option length lies", "%d bytes of an option" % n, with_records(opt(b"\0" * n)))
        yield Case("option length lies", "%d bytes behind an option" % n,
                   with_records(opt(option(3) + b"\0" * n)))
    for rdlen in (1, 4, 100, 65535):
        yield Case("OPT cut short", "rdata of %d, none there" % rdlen, with_records(opt(rdlen=rdlen)))
    for code, what in ((3, "NSID"), (5, "DAU"), (6, "DHU"), (7, "N3U"), (8, "client subnet"), (9, "EXPIRE"),
                       (11, "keepalive"), (12, "padding"), (13, "chain"), (14, "key tag"), (15, "EDE"),
                       (16, "client tag"), (17, "server tag"), (18, "report channel"), (19, "ZONEVERSION"),
                       (0, "option 0"), (1, "LLQ"), (2, "UL"), (4, "option 4"), (20, "option 20"),
                       (26946, "DeviceID"), (65001, "local"), (65535, "option 65535")):
        group = "option " + what if code in (8, 11, 12, 13, 14) else "option"
        for n in (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 20, 32, 40, 41, 255, 1000):
            yield Case(group, "%s of %d bytes" % (what, n), with_records(opt(option(code, b"\0" * n))))
        yield Case(group, "%s twice" % what, with_records(opt(option(code) * 2)))
    subnet = struct.pack("!HBB", 1, 24, 0) + b"\xc0\0\2"
    for text, data in (("well formed", subnet), ("scope set", struct.pack("!HBB", 1, 24, 24) + b"\xc0\0\2"),
                       ("too long", struct.pack("!HBB", 1, 33, 0) + b"\xc0\0\2\1\1"),
                       ("family 3", struct.pack("!HBB", 3, 0, 0)), ("bits past it", struct.pack(
                           "!HBB", 1, 23, 0) + b"\xc0\0\3")):
        yield Case("option client subnet", text, with_records(opt(option(8, data))))
    for n in (1400, 4000, 65000):
        yield Case("big option", "padding of %d" % n, with_records(opt(option(12, b"\0" * n))), None, n < 1400)
        yield Case("big option", "unknown of %d" % n, with_records(opt(option(65001, b"\0" * n))), None, n < 1400)
    room = 65535 - 12 - len(question()) - 11 - 4
    yield Case("big option", "as long as a message can be",
               with_records(opt(option(65001, b"\0" * room))), None, False)
    many = b"".join(option(65001 + n % 500, b"") for n in range(300))
    yield Case("option", "300 options", with_records(opt(many)))


def cookies():
    for n in range(0, 42):
        group = "cookie" if n == 8 or 16 <= n <= 40 else "cookie of a wrong length"
        cookie = option(10, bytes(range(n)))
        yield Case(group, "cookie of %d" % n, with_records(opt(cookie)))
        yield Case(group + " without question", "cookie of %d, no question" % n,
                   body(0, (0, 0, 0, 1), opt(cookie)))
        yield Case(group + " elsewhere", "cookie of %d elsewhere" % n,
                   with_records(opt(cookie), ask=question(name("elsewhere."))))
    yield Case("two cookies", "two cookies", with_records(opt(option(10, b"abcdefgh") * 2)))
    yield Case("two cookies", "a good and a wrong one",
               with_records(opt(option(10, b"abcdefgh") + option(10, b"abc"))))


def tsigs():
    yield Case("TSIG, unknown key", "unknown key", with_records(tsig()))
    yield Case("TSIG, unknown key", "unknown key behind OPT", with_records(opt() + tsig(), 2))
    yield Case("TSIG, unknown key", "unknown key at no name", with_records(
        tsig(), ask=question(name("nothing." + ORIGINS[0]))))
    yield Case("TSIG, unknown key elsewhere", "unknown key elsewhere", with_records(
        tsig(), ask=question(name("elsewhere."))))
    yield Case("TSIG, unknown algorithm", "unknown algorithm", with_records(tsig(tsig_rdata(name("hmac-none.")))))
    yield Case("TSIG, known key", "known key, wrong MAC", with_records(tsig(owner=name("xfr-key."))))
    yield Case("TSIG, known key", "known key, no MAC", with_records(tsig(tsig_rdata(mac=b""), name("xfr-key."))))
    yield Case("TSIG, unknown key", "unknown key, type A", with_records(
        opt() + tsig(), 2, ask=question(name("www." + ORIGINS[0]), 1)))
    for n in (1, 9, 10, 15, 16, 17, 31, 32, 33, 64):
        yield Case("TSIG, known key, MAC length", "known key, MAC of %d" % n,
                   with_records(tsig(tsig_rdata(mac=b"m" * n), name("xfr-key."))))
    for n in (1, 9, 10, 15, 16, 31, 33, 64, 65, 300):
        yield Case("TSIG, unknown key, MAC length", "MAC of %d" % n, with_records(tsig(tsig_rdata(mac=b"m" * n))))
    for text, rr in (("MAC longer than the rdata", tsig(tsig_rdata(mac_len=500))),
                     ("MAC length 65535", tsig(tsig_rdata(mac_len=65535))),
                     ("other data longer than the rdata", tsig(tsig_rdata(other_len=5))),
                     ("bytes behind other data", tsig(tsig_rdata() + b"xx")),
                     ("no rdata", tsig(b"")),
                     ("algorithm only", tsig(name("hmac-sha256."))),
                     ("algorithm with a pointer", tsig(tsig_rdata(b"\xc0\x0c"))),
                     ("algorithm with label type 01", tsig(tsig_rdata(b"\x41a\0"))),
                     ("rdata past the end", tsig(rdlen=500))):
        yield Case("TSIG malformed", text, with_records(rr))
    whole = tsig_rdata()
    for cut in range(1, len(whole)):
        yield Case("TSIG malformed", "rdata cut to %d bytes" % cut, with_records(tsig(whole[:cut])))
    yield Case("TSIG class", "class IN", with_records(tsig(rclass=1)))
    yield Case("TSIG class", "class NONE", with_records(tsig(rclass=NONE)))
    yield Case("TSIG TTL", "TTL 1", with_records(tsig(ttl=1)))
    yield Case("TSIG place", "before OPT", with_records(tsig() + opt(), 2))
    yield Case("TSIG place", "before A", with_records(tsig() + A, 2))
    yield Case("TSIG place", "two of them", with_records(tsig() * 2, 2))
    yield Case("TSIG place", "in the answer", with_records(tsig(), 0, 1))
    yield Case("TSIG place", "in the authority", with_records(tsig(), 0, 0, 1))
    yield Case("TSIG with trailing bytes", "bytes behind", with_records(tsig() + b"xxx"))
    yield Case("TSIG, unknown key, no question", "no question", body(0, (0, 0, 0, 1), tsig()))
    yield Case("TSIG, unknown key, opcode", "opcode UPDATE", with_records(tsig(), flags=5 << 11))
    yield Case("TSIG, unknown key, opcode", "opcode 15", with_records(tsig(), flags=15 << 11))
    sig0 = struct.pack("!HBBIIIH", 0, 8, 0, 0, 0xFFFFFFFF, 0, 1) + name("key.") + b"s" * 64
    for rclass in (1, ANY):
        for ttl in (0, 1):
            yield Case("SIG(0)", "class %d TTL %d" % (rclass, ttl), with_records(record(b"\0", 24, rclass, ttl, sig0)))
    yield Case("SIG(0)", "with an owner", with_records(record(ORIGIN, 24, ANY, 0, sig0)))
    yield Case("SIG(0)", "behind OPT", with_records(opt() + record(b"\0", 24, ANY, 0, sig0), 2))
    yield Case("SIG(0) place", "before OPT", with_records(record(b"\0", 24, ANY, 0, sig0) + opt(), 2))
    yield Case("SIG(0) malformed", "cut short", with_records(record(b"\0", 24, ANY, 0, sig0[:10])))
    yield Case("SIG(0) malformed", "no rdata", with_records(record(b"\0", 24, ANY, 0)))


def others():
    for rtype in (1, 2, 5, 6, 15, 16, 28, 39, 43, 46, 48, 249, 251, 252, 255, 0, 65400):
        for section, counts in (("answer", (1, 1, 0, 0)), ("authority", (1, 0, 1, 0)), ("additional", (1, 0, 0, 1))):
            for rclass in (1, NONE, ANY):
                group = "a record in the " + section
                yield Case(group, "type %d class %d in the %s" % (rtype, rclass, section), body(
                    0, counts, question() + record(ORIGIN, rtype, rclass, 0, b"\xc0\0\2\1")))
        yield Case("a record without rdata", "type %d" % rtype, with_records(record(ORIGIN, rtype)))
    for text, owner in (("a pointer to the question", b"\xc0\x0c"), ("a pointer to itself", b"\xc0\x1d"),
                        ("a pointer past the end", b"\xff\xff"), ("a pointer forwards", b"\xc0\x20"),
                        ("label type 01", b"\x41a\0"), ("label type 10", b"\x81a\0"),
                        ("300 bytes", b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 +
                         b"\x3f" + b"d" * 63 + b"\x3f" + b"e" * 63 + b"\0"),
                        ("130 labels", b"\1a" * 130 + b"\0")):
        yield Case("owner of a record", text, with_records(record(owner, 1, 1, 0, b"\1\2\3\4")))
        yield Case("owner of an OPT", text, with_records(opt(owner=owner)))
    for cut in range(1, len(A)):
        yield Case("a record cut short", "A of %d bytes, %d there" % (len(A), cut), with_records(A[:cut]))


def cases():
    for part in (garbage, opts, options, cookies, tsigs, others):
        yield from part()
