# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""What only a stream can have wrong: lengths, splits, several messages at once, a half closed end."""
import struct

import dnswire
from exchange import framed, stream_outcome
from message import ORIGINS, body, opt, question

NAME = dnswire.name_to_wire(ORIGINS[0])


def soa(ident):
    return framed(dnswire.query(NAME, dnswire.TYPE["SOA"], ident))


def streams():
    """(group, text, pieces, messages wanted, half close)."""
    whole = soa(77)
    for cut in range(1, len(whole)):
        yield "split", "split after %d bytes" % cut, [whole[:cut], None, whole[cut:]], 1, False
    yield "split", "byte by byte", [piece for byte in whole for piece in (bytes([byte]), None)], 1, False
    for n in (2, 3, 5, 20, 50):
        yield "pipelined", "%d in a segment" % n, b"".join(soa(i + 1) for i in range(n)), n, False
        cut = len(whole) + 1
        many = b"".join(soa(i + 1) for i in range(n))
        yield "pipelined", "%d, split within the second" % n, [many[:cut], None, many[cut:]], n, False
    yield "pipelined", "two behind a malformed one", framed(
        struct.pack("!H", 9) + body(0, (1, 0, 0, 0), question() + b"xx")) + soa(1) + soa(2), 3, False
    yield "pipelined", "one behind a response", framed(struct.pack("!H", 9) + body(0x8000)) + soa(1), 1, False
    for n in (1, 2, 5):
        yield "half closed", "%d, then half closed" % n, b"".join(soa(i + 1) for i in range(n)), n, True
    yield "half closed", "nothing, then half closed", b"", 0, True
    yield "half closed", "half a length", whole[:1], 0, True
    yield "half closed", "half a message", whole[:20], 0, True
    yield "half closed", "one and a half", whole + whole[:20], 1, True
    for length in range(12):
        yield "length 0" if length == 0 else "length below 12", "length %d" % length, framed(
            (struct.pack("!H", 9) + body())[:length]), 1, False
        yield ("length 0" if length == 0 else "length below 12") + ", a query behind", \
            "length %d, a query behind" % length, framed(b"\0" * length) + soa(1), 1, False
    padding = 65535 - 12 - len(question())
    yield "length 65535", "a query and garbage", framed(
        struct.pack("!H", 9) + body(rest=question() + b"\0" * padding)), 1, False
    data = struct.pack("!HH", 65001, padding - 15) + b"\0" * (padding - 15)
    yield "length 65535", "one option", framed(
        struct.pack("!H", 9) + body(0, (1, 0, 0, 1), question() + opt(data))), 1, False
    yield "length 65535", "65535 zeros", framed(b"\0" * 65535), 1, False
    yield "length 65535", "65535 bytes of ff", framed(b"\xff" * 65535), 1, False


def ident_and_shape(reply):
    """What is compared of each reply: id, flags, counts."""
    return struct.unpack_from("!6H", reply) if len(reply) >= 12 else (len(reply),)


def outcome_text(address, pieces, wanted, half_close):
    replies, kept, extra = stream_outcome(address, pieces, wanted, half_close)
    # Over one connection replies may come in another order (RFC 7766 6.2.1.1).
    shapes = sorted(ident_and_shape(r) for r in replies)
    return len(replies), tuple(shapes), len(extra), "kept" if kept else "closed"
