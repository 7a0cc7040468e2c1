# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Connections, frames, headers, questions, counts, names: what is wrong before any record means something."""
import asyncio
import struct

import wire
from case import SERVED, SHRINKS, case
from server import packed

# A few bytes and then nothing may be found out by either limit.
SILENT = "timed out waiting for data|too slow"
CLOSED = r"connection closed before the end|Connection reset|hung up"


# --- the connection

@case("close-at-once", CLOSED)
async def close_at_once(x):
    pass


@case("reset-at-once", "Connection reset by peer")
async def reset_at_once(x):
    x.reset()


@case("close-before-the-end", CLOSED)
async def close_before_the_end(x):
    await x.send(x.answer()[:-1])


@case("reset-before-the-end", "Connection reset by peer")
async def reset_before_the_end(x):
    await x.send(x.answer()[:-1])
    await asyncio.sleep(0.1)
    x.reset()


@case("reset-after-the-end", None, expect=SERVED)
async def reset_after_the_end(x):
    await x.send(x.answer())
    await asyncio.sleep(0.1)
    x.reset()


@case("more-after-the-end", None, expect=SERVED)
async def more_after_the_end(x):
    """The connection is the server's to use again; nobody reads what follows the last SOA's message."""
    await x.send(x.answer())
    await x.frame(b"more than was asked for")


@case("silence", "timed out waiting for data", seconds=45)
async def silence(x):
    await x.linger()


@case("silence-before-the-end", SILENT, seconds=45)
async def silence_before_the_end(x):
    await x.send(x.answer()[:-1])
    await x.linger()


@case("one-byte-a-second", "too slow", seconds=40)
async def one_byte_a_second(x):
    data = b"".join(struct.pack("!H", len(m)) + m for m in (m.pack() for m in x.answer()))
    for byte in data:
        await x.raw(bytes([byte]))
        await asyncio.sleep(1)


# --- frames

@case("length-0", "message of 0 bytes")
async def length_0(x):
    await x.frame(b"")
    await x.linger()


@case("length-1", "message of 1 bytes")
async def length_1(x):
    await x.frame(b"\x00")
    await x.linger()


@case("length-11", "message of 11 bytes")
async def length_11(x):
    await x.frame(x.answer()[0].pack()[:11])
    await x.linger()


@case("header-only", "answer with 0 questions|message without records")
async def header_only(x):
    await x.frame(struct.pack("!6H", x.query.ident, wire.QR | wire.AA, 0, 0, 0, 0))
    await x.linger()


@case("half-a-length", CLOSED)
async def half_a_length(x):
    await x.raw(b"\x01")


@case("length-too-long", CLOSED)
async def length_too_long(x):
    data = x.answer()[0].pack()
    await x.raw(struct.pack("!H", len(data) + 1) + data)


@case("length-too-short", "malformed|behind")
async def length_too_short(x):
    data = x.answer()[0].pack()
    await x.raw(struct.pack("!H", len(data) - 1) + data)
    await x.linger()


@case("length-zeros-between", "message of 0 bytes")
async def length_zeros_between(x):
    messages = x.answer()
    await x.send(messages[:1])
    await x.raw(b"\0\0" * 100)
    await x.send(messages[1:])
    await x.linger()


@case("random-bytes", r"another id|message of|malformed|a query came")
async def random_bytes(x):
    await x.frame(bytes((i * 167 + 41) & 0xFF for i in range(1000)))
    await x.linger()


@case("http", "another id")
async def http(x):
    await x.frame(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@case("split-everywhere", None, expect=SERVED, seconds=40)
async def split_everywhere(x):
    """Every byte in a segment of its own, quickly."""
    for message in x.answer(per_message=100):
        data = packed(message, x.signer)
        data = struct.pack("!H", len(data)) + data
        for at in range(min(len(data), 300)):
            await x.raw(data[at:at + 1])
            if at % 16 == 0:
                await asyncio.sleep(0)
        await x.raw(data[300:])


@case("ten-thousand-messages", None, expect=SERVED, seconds=60, config=SHRINKS)
async def ten_thousand_messages(x):
    records = [wire.Record(wire.under("t%d" % i, x.zone.wire), wire.A, bytes([192, 0, 2, i & 255]))
               for i in range(10000)]
    await x.send(x.answer(records, per_message=1))


async def guess(x):
    """The whole zone, sent as soon as the connection stands, to a question nobody has read."""
    for guessed in (0, 1, 0x1234):
        x.query.ident = guessed
        await x.send(x.answer(per_message=100))


@case("answers-before-asked", "another id", greet=guess)
async def answers_before_asked(x):
    await x.linger(5)


# --- header and question

def spoilt(name, reason, spoil, which=0, per_message=4, **words):
    async def transfer(x):
        messages = x.answer(per_message=per_message)
        spoil(messages[which], x)
        await x.send(messages)
        await x.linger()
    case(name, reason, **words)(transfer)


def flags(bits):
    def spoil(message, _):
        message.flags ^= bits
    return spoil


def field(name, value):
    def spoil(message, _):
        setattr(message, name, value)
    return spoil


def ident(message, _):
    message.ident ^= 1


spoilt("wrong-id", "message with another id", ident)
spoilt("wrong-id-later", "message with another id", ident, which=1)
spoilt("a-query", "a query came instead of an answer", flags(wire.QR))
spoilt("opcode-notify", "another opcode", flags(4 << 11))
spoilt("opcode-update-later", "another opcode", flags(5 << 11), which=1)
spoilt("truncated", "truncated", flags(wire.TC))
spoilt("truncated-later", "truncated", flags(wire.TC), which=-1)
spoilt("not-authoritative", None, flags(wire.AA), expect=SERVED)
spoilt("reserved-bit", None, flags(0x0040), expect=SERVED)
spoilt("no-question", "answer with 0 questions", field("question", []))
spoilt("no-question-later", None, field("question", []), which=1, expect=SERVED)
spoilt("two-questions", "answer with 2 questions", lambda m, x: m.question.append(m.question[0]))
spoilt("other-question", "answer to another question",
       lambda m, x: setattr(m, "question", [(wire.under("x", x.zone.wire), x.query.qtype, wire.IN)]))
spoilt("other-question-type", "answer to another question",
       lambda m, x: setattr(m, "question", [(x.zone.wire, wire.SOA, wire.IN)]))
spoilt("other-question-class", "answer to another question",
       lambda m, x: setattr(m, "question", [(x.zone.wire, x.query.qtype, wire.CH)]))
spoilt("other-question-later", "answer to another question",
       lambda m, x: setattr(m, "question", [(x.zone.wire, wire.A, wire.IN)]), which=1)
spoilt("question-in-other-case", None,
       lambda m, x: setattr(m, "question", [(x.zone.wire.upper(), x.query.qtype, wire.IN)]), expect=SERVED)
spoilt("question-pointer-to-itself", "malformed question",
       lambda m, x: setattr(m, "question", [(b"\xc0\x0c", x.query.qtype, wire.IN)]))
spoilt("questions-65535", "answer with 65535 questions", field("qdcount", 65535))
spoilt("no-records", "message without records", field("answer", []))
spoilt("no-records-later", "message without records", field("answer", []), which=1)
spoilt("fewer-records-than-counted", "malformed|TSIG: is not of class IN", field("ancount", 65535))
spoilt("more-records-than-counted", "malformed additional section or bytes behind", field("ancount", 1))
spoilt("records-in-authority", "authority section is not empty",
       lambda m, x: m.authority.append(x.zone.soa(x.new)))
spoilt("bytes-behind", "bytes behind the message", field("tail", b"\0"), signed=(False,))
spoilt("additional-lies", "malformed additional section", field("arcount", 7), signed=(False,))
spoilt("additional-glue", None,
       lambda m, x: m.additional.append(wire.Record(wire.under("ns1", x.zone.wire), wire.A, b"\xc0\0\2\2")),
       expect=SERVED)

RCODES = ("FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
          "NOTAUTH", "NOTZONE", "RCODE11", "RCODE12", "RCODE13", "RCODE14", "RCODE15")
for number, text in enumerate(RCODES, 1):
    def make(number):
        async def transfer(x):
            await x.rcode(number)
        return transfer
    case("rcode-%d" % number, "primary answers " + text)(make(number))
spoilt("rcode-later", "primary answers SERVFAIL", flags(wire.SERVFAIL), which=1)
spoilt("rcode-with-records", "primary answers REFUSED", flags(wire.REFUSED))


# --- names on the wire

def owner(name, reason, make):
    async def transfer(x):
        bad = wire.Record(make(x), wire.A, b"\xc0\0\2\1")
        await x.send(x.answer([bad], per_message=100))
        await x.linger()
    case("name-" + name, reason)(transfer)


def here(x):
    """The offset at which the bad record begins, in the message that answer() makes."""
    records = x.answer_records()
    return wire.HEADER + len(x.zone.wire) + 4 + sum(len(r.pack()) for r in records[:-1])


owner("pointer-to-itself", "malformed record", lambda x: struct.pack("!H", 0xC000 | here(x)))
owner("pointer-loop", "malformed record", lambda x: b"\x01a" + struct.pack("!H", 0xC000 | here(x)))
owner("pointer-forward", "malformed record", lambda x: struct.pack("!H", 0xC000 | here(x) + 20))
owner("pointer-past-the-end", "malformed record", lambda x: b"\xff\xff")
owner("pointer-into-the-header", "malformed record", lambda x: b"\xc0\x00")
owner("label-type-01", "malformed record", lambda x: b"\x41a" + x.zone.wire)
owner("label-type-10", "malformed record", lambda x: b"\x81a" + x.zone.wire)
owner("over-255", "malformed record", lambda x: b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 + b"\x3f" + b"c" * 63 +
      b"\x3f" + b"d" * 63 + x.zone.wire)
owner("over-255-by-pointer", "malformed record",
      lambda x: (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"d" * 61 + b"\xc0\x0c")
