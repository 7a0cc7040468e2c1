# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Valid queries, cut at every byte; and a seeded crowd of them with bytes changed at random."""
import struct

from dnswire import TYPE
from message import ORIGINS, Case, body, name, opt, option, question, record, soa_rdata, tsig


def valid():
    """(text, body)."""
    for origin in ORIGINS:
        for owner, qtype in ((origin, "SOA"), ("www." + origin, "A"), ("alias." + origin, "A"),
                             ("x.wild." + origin, "TXT"), ("x.sub." + origin, "A"), ("nothing." + origin, "A"),
                             ("h.old." + origin, "A"), ("ent." + origin, "A")):
            ask = question(name(owner), TYPE[qtype])
            yield "%s %s" % (owner, qtype), body(0x100, rest=ask)
            yield "%s %s DO" % (owner, qtype), body(0, (1, 0, 0, 1), ask + opt(flags=0x8000))
    ask = question()
    yield "NSID and cookie", body(0, (1, 0, 0, 1), ask + opt(option(3) + option(10, b"abcdefgh") +
                                                             option(65001, b"data"), 4096))
    yield "TSIG", body(0, (1, 0, 0, 2), ask + opt() + tsig())
    yield "IXFR", body(0, (1, 0, 1, 1), question(None, 251) + record(
        name(ORIGINS[0]), 6, rdata=soa_rdata()) + opt())
    yield "NOTIFY", body(4 << 11, (1, 1, 0, 0), ask + record(name(ORIGINS[0]), 6, rdata=soa_rdata()))


def truncations():
    for text, whole in valid():
        if text.startswith(ORIGINS[0]) or " " not in text or "NSID" in text:
            for cut in range(2, len(whole) + 2):
                yield Case("truncated query", "%s, %d of %d bytes" % (text, cut, len(whole) + 2), whole, cut)


def change(rng, data):
    at = rng.randrange(len(data))
    kind = rng.randrange(6)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.randrange(256)
    elif kind == 2:
        data[at] = rng.choice((0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff))
    elif kind == 3:
        del data[at]
    elif kind == 4:
        data.insert(at, rng.randrange(256))
    elif len(data) >= at + 2:
        struct.pack_into("!H", data, at, rng.choice((0, 1, 2, 41, 250, 255, 0xc00c, 0xffff)))


def flips(rng, count):
    pool = list(valid())
    for n in range(count):
        text, whole = pool[rng.randrange(len(pool))]
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
            change(rng, data)
        yield Case("changed bytes", "%s, change %d" % (text, n), bytes(data))
