# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Signatures (RFC 8945): wrong, old, short, absent, and in the wrong place."""
import struct

import tsig
import wire
from case import SERVED, SHRINKS, case
from dnswire import name_to_wire
from server import packed

OTHER = tsig.Key("another-key.", b"0123456789abcdef0123456789abcdef")
SHA512 = name_to_wire("hmac-sha512.")


def signature(case_name, reason, which=0, expect="fails", per_message=4, **wrong):
    """`wrong` is given to the signer of that message."""
    async def transfer(x):
        messages = x.answer(per_message=per_message)
        messages[which].tsig = wrong
        await x.send(messages)
        await x.linger(5)
    case("tsig-" + case_name, reason, signed=(True,), expect=expect)(transfer)


signature("clock-301-behind", "BADTIME", late=-302)
signature("clock-301-ahead", "BADTIME", late=302)
signature("clock-290-behind", None, late=-290, expect=SERVED)
signature("clock-290-ahead", None, late=290, expect=SERVED)
signature("clock-2106", "BADTIME", late=2 ** 32)
signature("clock-behind-later", "BADTIME", which=1, late=-302)
signature("fudge-0", None, fudge=0, late=0, expect=SERVED)
signature("fudge-0-and-late", "BADTIME", fudge=0, late=-5)
signature("mac-wrong", "BADSIG", mac=lambda m: bytes([m[0] ^ 1]) + m[1:])
signature("mac-wrong-last-bit", "BADSIG", mac=lambda m: m[:-1] + bytes([m[-1] ^ 1]))
signature("mac-wrong-later", "message 2: BADSIG", which=1, mac=lambda m: bytes(32))
signature("mac-wrong-in-the-last", "BADSIG", which=-1, mac=lambda m: bytes(32))
signature("mac-truncated", "BADTRUNC", mac=lambda m: m[:16])
signature("mac-truncated-to-9", "malformed signature", mac=lambda m: m[:9])
signature("mac-truncated-to-1", "malformed signature", mac=lambda m: m[:1])
signature("mac-empty", "malformed signature", mac=lambda m: b"")
signature("mac-longer", "malformed signature", mac=lambda m: m + m)
signature("mac-length-lies", "malformed", mac_len=65535)
signature("other-key", "BADKEY", key=OTHER)
signature("other-secret", "BADSIG", key=tsig.Key("xfr-key.", b"another secret"))
signature("other-name-only", "BADKEY", name=name_to_wire("another-key."))
signature("other-algorithm", "BADKEY", algorithm=SHA512)
signature("key-retired-on-the-way", "BADKEY", which=2, key=OTHER)
signature("error-badsig-signed", "BADSIG", error=tsig.BADSIG)
signature("error-badtime-signed", "BADTIME", error=tsig.BADTIME, other=struct.pack("!HI", 0, 1))
signature("class-in", "malformed|BADSIG", rclass=1)
signature("ttl-not-0", "malformed|BADSIG", ttl=300)
signature("over-other-bytes", "BADSIG", cover=b"something else")


def layout(name, reason, arrange, expect="fails", signed=(True,), **words):
    """arrange(x, messages) sends them in its own way."""
    async def transfer(x):
        await arrange(x, x.answer(per_message=1))
        await x.linger(5)
    case("tsig-" + name, reason, signed=signed, expect=expect, **words)(transfer)


async def unsigned(x, messages):
    for message in messages:
        message.unsigned = True
    await x.send(messages)


async def unsigned_first(x, messages):
    messages[0].unsigned = True
    await x.send(messages)


async def unsigned_last(x, messages):
    messages[-1].unsigned = True
    await x.send(messages)


async def unsigned_between(x, messages):
    """As RFC 8945 5.3.1 allows."""
    for message in messages[1:-1]:
        message.unsigned = True
    await x.send(messages)


def a_hundred(between):
    async def arrange(x, _):
        extra = [wire.Record(wire.under("u%d" % i, x.zone.wire), wire.A, b"\xc0\0\2\1") for i in range(200)]
        messages = x.answer(extra, per_message=1)
        for i, message in enumerate(messages):
            message.unsigned = i % (between + 1) != 0 and i != len(messages) - 1
        await x.send(messages)
    return arrange


async def swapped(x, messages):
    data = [packed(m, x.signer) for m in messages]
    data[2], data[3] = data[3], data[2]
    for wire_message in data:
        await x.frame(wire_message)


async def one_lost(x, messages):
    data = [packed(m, x.signer) for m in messages]
    for wire_message in data[:2] + data[3:]:
        await x.frame(wire_message)


async def one_twice(x, messages):
    data = [packed(m, x.signer) for m in messages]
    for wire_message in data[:3] + data[2:]:
        await x.frame(wire_message)


async def inserted(x, messages):
    """An unsigned message of somebody else's between two signed ones."""
    data = [packed(m, x.signer) for m in messages]
    for wire_message in data[:2]:
        await x.frame(wire_message)
    await x.frame(x.message([wire.Record(wire.under("forged", x.zone.wire), wire.A, b"\xc0\0\2\1")]).pack())
    for wire_message in data[2:]:
        await x.frame(wire_message)


async def not_last(x, messages):
    data = packed(messages[0], x.signer)
    extra = wire.Record(wire.under("x", x.zone.wire), wire.A, b"\xc0\0\2\1").pack()
    await x.frame(tsig.with_record(data, extra))


async def twice(x, messages):
    data = packed(messages[0], x.signer)
    await x.frame(x.signer.sign(data))


async def in_the_answer(x, messages):
    record = packed(messages[0], x.signer)[len(messages[0].pack()):]
    messages[0].answer.append(wire.Record(record[:record.index(b"\0") + 1], wire.TSIG, b"", rclass=255))
    await x.frame(messages[0].pack())


async def refusal(x, messages):
    """BADKEY as RFC 8945 5.2 has it: unsigned, with an empty MAC."""
    message = x.message(flags=wire.QR | wire.NOTAUTH).pack()
    await x.frame(tsig.with_record(message, tsig.record(
        x.zone.key.name, tsig.SHA256, 0, 300, b"", x.query.ident, error=tsig.BADKEY)))


async def keyless(x, messages):
    """Signed, though nobody asked for it."""
    signer = tsig.Signer(OTHER, b"")
    for message in messages:
        await x.frame(signer.sign(message.pack()))


layout("nothing-signed", "signature missing", unsigned)
layout("first-unsigned", "message 1: signature missing", unsigned_first)
layout("last-unsigned", "signature missing", unsigned_last)
layout("unsigned-between", None, unsigned_between, expect=SERVED)
layout("99-unsigned-between", None, a_hundred(99), expect=SERVED, config=SHRINKS)
layout("100-unsigned-between", "signature missing", a_hundred(100))
layout("messages-swapped", "BADSIG", swapped)
layout("message-lost", "BADSIG", one_lost)
layout("message-twice", "BADSIG", one_twice)
layout("message-inserted", "BADSIG", inserted)
layout("not-the-last-record", "malformed additional", not_last)
layout("twice-in-a-message", "malformed additional", twice)
layout("in-the-answer-section", "TSIG: is not of class IN", in_the_answer)
layout("refused-with-badkey", "NOTAUTH, its signature record says BADKEY", refusal)
layout("unasked-for", "signed, but no key is configured", keyless, signed=(False,))
