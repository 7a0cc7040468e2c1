# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Header: every opcode, every combination of flags, counts that lie, and messages shorter than it."""
import itertools

from message import A, Case, body, opt, question

QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10
COUNTS = (0, 1, 2, 65535)


def short():
    for length in range(12):
        yield Case("short", "%d bytes" % length, body(), length)
        yield Case("short", "%d bytes, no count set" % length, body(0, (0, 0, 0, 0), b""), length)
    yield Case("no question", "a header alone", body(0, (0, 0, 0, 0), b""))
    yield Case("no question", "a header and OPT", body(0, (0, 0, 0, 1), opt()))
    yield Case("short", "QDCOUNT 1 and nothing behind it", body(0, (1, 0, 0, 0), b""))


def opcodes():
    for opcode in range(16):
        group = "opcode %d" % opcode if opcode in (0, 1, 4, 5, 6) else "opcode other"
        for text, flags, counts, rest in (
                ("alone", 0, (1, 0, 0, 0), question()),
                ("with RD and CD", RD | CD, (1, 0, 0, 0), question()),
                ("with OPT", 0, (1, 0, 0, 1), question() + opt()),
                ("without question", 0, (0, 0, 0, 0), b""),
                ("two questions", 0, (2, 0, 0, 0), question() * 2),
                ("half a question", 0, (1, 0, 0, 0), question()[:5]),
                ("trailing bytes", 0, (1, 0, 0, 0), question() + b"x" * 3),
                ("EDNS version 1", 0, (1, 0, 0, 1), question() + opt(version=1))):
            yield Case("%s, %s" % (group, text), "opcode %d %s" % (opcode, text),
                       body(opcode << 11 | flags, counts, rest))
        yield Case("QR", "opcode %d in a response" % opcode, body(QR | opcode << 11))


def flags():
    bits = (AA, TC, RD, RA, Z, AD, CD)
    for n in range(len(bits) + 1):
        for chosen in itertools.combinations(bits, n):
            value = sum(chosen)
            yield Case("flags", "flags %#06x" % value, body(value))
            yield Case("flags", "flags %#06x with OPT" % value,
                       body(value, (1, 0, 0, 1), question() + opt()))
            yield Case("QR", "flags %#06x in a response" % value, body(QR | value))
    for rcode in range(1, 16):
        yield Case("rcode in a query", "rcode %d" % rcode, body(rcode))
        yield Case("rcode in a query", "rcode %d with OPT" % rcode,
                   body(rcode, (1, 0, 0, 1), question() + opt()))
        yield Case("QR", "rcode %d in a response" % rcode, body(QR | rcode))
    yield Case("QR", "all bits", body(0xFFFF))


def counts():
    for numbers in itertools.product(COUNTS, repeat=4):
        group = "counts %s" % (numbers[0] if numbers[0] < 3 else "65535")
        yield Case(group, "counts %d %d %d %d over one question" % numbers, body(0, numbers))
    # The records that the counts announce are there.
    for an, ns, ar in itertools.product((0, 1, 2), repeat=3):
        rest = question() + A * (an + ns + ar)
        yield Case("records where none belong", "%d %d %d records" % (an, ns, ar),
                   body(0, (1, an, ns, ar), rest))
        yield Case("records where none belong", "%d %d %d records and OPT" % (an, ns, ar),
                   body(0, (1, an, ns, ar + 1), rest + opt()))
    yield Case("two questions", "two questions", body(0, (2, 0, 0, 0), question() * 2))
    yield Case("two questions", "two questions and OPT", body(0, (2, 0, 0, 1), question() * 2 + opt()))
    for n in (3, 4, 10):
        yield Case("records where none belong", "%d additional records" % n,
                   body(0, (1, 0, 0, n), question() + A * n))


def cases():
    for part in (short, opcodes, flags, counts):
        yield from part()
