# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Question: names of every kind of wrongness, classes, and types that are not a question's."""
import struct

from dnswire import TYPE
from message import ANY, ORIGINS, Case, body, name, opt, question, record, soa_rdata

TAIL = struct.pack("!HH", TYPE["A"], 1)
ORIGIN = ORIGINS[0]


def asked(rest, edns=False):
    return body(0, (1, 0, 0, int(edns)), rest + (opt() if edns else b""))


def labels():
    for first in (0x40, 0x41, 0x42, 0x5f, 0x60, 0x7f, 0x80, 0x81, 0x9f, 0xa0, 0xbf):
        yield Case("label type", "a label that begins with %#x" % first,
                   asked(bytes([first]) + question(name(ORIGIN))))
        yield Case("label type", "the second label begins with %#x" % first,
                   asked(b"\1a" + bytes([first]) + question(name(ORIGIN))))
    # A pointer at any offset: before the message's names, at itself, forwards, past the end.
    for target in (0, 2, 6, 11, 12, 13, 14, 16, 20, 100, 0x3fff):
        pointer = struct.pack("!H", 0xC000 | target)
        for before in (b"", b"\1a", name(ORIGIN)[:-1]):
            yield Case("pointer in the question", "%r then a pointer to %d" % (before, target),
                       asked(before + pointer + TAIL))
    yield Case("pointer in the question", "half a pointer", asked(b"\1a\xc0"))
    # The name stands behind the question, where the pointer leads.
    yield Case("pointer in the question", "forwards to a name",
               asked(b"\xc0\x12" + TAIL + name(ORIGIN)))
    for missing in range(1, 12):
        yield Case("past the end", "the question without its last %d bytes" % missing,
                   asked(question()[:-missing]))
    for length in (1, 5, 63):
        yield Case("past the end", "a label of %d bytes, none there" % length, asked(bytes([length])))
        yield Case("past the end", "a label of %d bytes, one missing" % length,
                   asked(bytes([length]) + b"a" * (length - 1)))
        yield Case("past the end", "a label of %d bytes and no more" % length,
                   asked(bytes([length]) + b"a" * length))


def sized(total, tail):
    """A name of exactly `total` bytes that ends with `tail`, labels of 63 as far as they go."""
    out, left = b"", total - len(tail)
    while left:
        n = min(left, 64)
        if left - n == 1:
            n -= 1
        out += bytes([n - 1]) + b"l" * (n - 1)
        left -= n
    return out + tail


def lengths():
    for origin in ORIGINS:
        for total in range(250, 260):
            yield Case("name length", "%d bytes below %s" % (total, origin),
                       asked(sized(total, name(origin)) + TAIL))
    for total in (300, 512, 1000):
        yield Case("name length", "%d bytes" % total, asked(sized(total, name(ORIGIN)) + TAIL))
    for count in range(122, 132):
        tail = name(ORIGIN)
        yield Case("label count", "%d labels" % count,
                   asked(b"\1a" * (count - 2) + tail + TAIL))
        yield Case("label count", "%d labels outside" % count, asked(b"\1a" * count + b"\0" + TAIL))


def bytes_in_names():
    for value in range(256):
        yield Case("bytes in names", "byte %d" % value,
                   asked(bytes([3, 120, value, 121]) + name(ORIGIN) + TAIL))
        yield Case("bytes in names", "byte %d alone" % value,
                   asked(bytes([1, value]) + name(ORIGIN) + TAIL))
    for text in ("PLAIN.ROBUST.", "pLaIn.RoBuSt.", "WWW.plain.ROBUST.", "wWw.PLAIN.robust.",
                 "ALIAS.plain.robust.", "X.WILD.plain.robust.", "X.SUB.plain.robust.",
                 "NoThing.plain.robust.", "H.OLD.Plain.robust."):
        yield Case("case", text, asked(name(text) + TAIL))
        yield Case("case", text + " with OPT", asked(name(text) + TAIL, True))
    for text in ("a\\.b.plain.robust.", "\\000.plain.robust.", "\\000\\000x.plain.robust.",
                 "a\\032b.plain.robust.", "\\255\\254.plain.robust.", "\\192\\012.plain.robust."):
        yield Case("bytes in names", text, asked(name(text) + TAIL))


def classes():
    for qclass in (0, 1, 2, 3, 4, 5, 100, 253, 254, 255, 256, 32768, 65280, 65535):
        group = {3: "class CH", 4: "class HS", 254: "class NONE", 255: "class ANY",
                 0: "class 0"}.get(qclass, "class other" if qclass != 1 else "class IN")
        for owner in (ORIGIN, "elsewhere.", ".", "www." + ORIGIN, "nothing." + ORIGIN):
            for qtype in ("SOA", "A", "TXT", "ANY", "AXFR"):
                suffix = ", " + qtype if qtype in ("ANY", "AXFR") else ""
                yield Case(group + suffix, "%s %s class %d" % (owner, qtype, qclass),
                           asked(question(name(owner), TYPE[qtype], qclass)))
        yield Case(group, "class %d with OPT" % qclass,
                   asked(question(None, TYPE["SOA"], qclass), True))


# Named where the servers have a say of their own; every other one of the range must look alike.
META = {0: "type 0", 41: "type OPT", 128: "type NXNAME", 249: "type TKEY", 250: "type TSIG",
        251: "type IXFR", 252: "type AXFR", 253: "type MAILB", 254: "type MAILA", 255: "type ANY",
        46: "type RRSIG", 47: "type NSEC", 50: "type NSEC3"}


def types():
    numbers = list(range(0, 66)) + list(range(99, 110)) + list(range(128, 262)) + [
        1000, 32767, 32768, 32769, 65279, 65280, 65400, 65534, 65535]
    for qtype in numbers:
        group = META.get(qtype, "type meta" if 129 <= qtype <= 248 else "type")
        for owner in ORIGINS + ["www." + ORIGIN, "nothing." + ORIGIN, "x.sub." + ORIGIN, "elsewhere."]:
            place = {"nothing." + ORIGIN: "at no name", "elsewhere.": "elsewhere",
                     "x.sub." + ORIGIN: "below a cut", "www." + ORIGIN: "at a name"}.get(owner, "at an apex")
            yield Case("%s %s" % (group, place), "%s TYPE%d" % (owner, qtype),
                       asked(question(name(owner), qtype)))
        for origin in ORIGINS[1:]:
            yield Case("%s with DO" % group, "%s TYPE%d DO" % (origin, qtype),
                       body(0, (1, 0, 0, 1), question(name(origin), qtype) + opt(flags=0x8000)))


def transfers():
    for origin in (ORIGIN, "www." + ORIGIN, "nothing." + ORIGIN, "elsewhere."):
        for qtype, what in ((251, "IXFR"), (252, "AXFR")):
            place = "elsewhere" if origin != ORIGIN else "at an apex"
            ask = question(name(origin), qtype)
            for text, counts, rest in (
                    ("with its SOA", (1, 0, 1, 0), record(name(origin), 6, rdata=soa_rdata())),
                    ("with its SOA and OPT", (1, 0, 1, 1), record(name(origin), 6, rdata=soa_rdata()) + opt()),
                    ("with another's SOA", (1, 0, 1, 0), record(name("x."), 6, rdata=soa_rdata())),
                    ("with an SOA cut short", (1, 0, 1, 0), record(name(origin), 6, rdata=soa_rdata()[:9])),
                    ("with half an SOA", (1, 0, 1, 0), record(name(origin), 6, rdata=soa_rdata())[:-9]),
                    ("with A for SOA", (1, 0, 1, 0), record(name(origin), 1, rdata=b"abcd")),
                    ("with SOA of class ANY", (1, 0, 1, 0), record(name(origin), 6, ANY, 0, soa_rdata())),
                    ("with two SOAs", (1, 0, 2, 0), record(name(origin), 6, rdata=soa_rdata()) * 2),
                    ("SOA in the answer", (1, 1, 0, 0), record(name(origin), 6, rdata=soa_rdata())),
                    ("SOA, pointer as owner", (1, 0, 1, 0), record(b"\xc0\x0c", 6, rdata=soa_rdata()))):
                yield Case("%s %s %s" % (what, text, place), "%s %s %s" % (origin, what, text),
                           body(0, counts, ask + rest))


def cases():
    for part in (labels, lengths, bytes_in_names, classes, types, transfers):
        yield from part()
