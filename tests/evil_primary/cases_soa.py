# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""SOA records: absent, elsewhere, of two minds; serials (RFC 1982) and timers; and SOA queries."""
import struct

import wire
from behaviour import soa_answer
from case import SERVED, case
from server import packed


def records_case(name, reason, make, per_message=100, **words):
    """make(x) -> the records of the whole answer."""
    async def transfer(x):
        await x.send(x.messages(make(x), per_message))
        await x.linger()
    case(name, reason, **words)(transfer)


def last(x, **timers):
    """The right answer but for the last SOA's numbers."""
    return x.answer_records()[:-1] + [x.zone.soa(x.new, **timers)]


def with_soa(x, serial):
    """Another SOA where records are expected."""
    records = x.answer_records()
    return records[:-2] + [x.zone.soa(serial)] + records[-2:]


records_case("soa-missing-first", "comes before the first SOA", lambda x: x.answer_records()[1:],
             forms=("axfr",))
records_case("soa-missing-everywhere", "comes before the first SOA", lambda x: x.zone.records(x.new, "evil"))
records_case("soa-only-last", "comes before the first SOA",
             lambda x: x.zone.records(x.new, "evil") + [x.zone.soa(x.new)])
records_case("soa-missing-last", "timed out waiting for data|too slow", lambda x: x.answer_records()[:-1], seconds=45)
records_case("soa-serials-differ", r"last SOA \(serial 2001\) differs from the first \(serial 2000\)",
             lambda x: x.whole_records()[:-1] + [x.zone.soa(x.new + 1)])
records_case("soa-timers-differ", "last SOA .* differs from the first", lambda x: last(x, refresh=7))
records_case("soa-minimum-differs", "last SOA .* differs from the first", lambda x: last(x, minimum=7))
records_case("soa-in-the-middle", "differs from the first|comes after the last SOA",
             lambda x: with_soa(x, x.new), forms=("axfr",))
records_case("soa-of-another-serial-in-the-middle", "differs from the first", lambda x: with_soa(x, x.old + 1),
             forms=("axfr",))
records_case("soa-twice-and-no-more", "no NS record", lambda x: [x.zone.soa(x.new), x.zone.soa(x.new)])
records_case("soa-below-the-apex", "SOA: is not at the apex", lambda x: x.answer_records(
    [wire.Record(wire.under("h1", x.zone.wire), wire.SOA, wire.soa_rdata(x.zone.wire, x.new))]))
records_case("soa-first-of-another-zone", "out of zone|SOA: is not at the apex", lambda x: [
    wire.soa(b"\x05other\x04test\0", x.new)] + x.answer_records()[1:])
records_case("soa-last-of-another-zone", "out of zone|SOA: is not at the apex", lambda x: x.answer_records()[:-1] + [
    wire.soa(b"\x05other\x04test\0", x.new)])
records_case("soa-of-class-ch", "is not of class IN", lambda x: [
    wire.Record(x.zone.wire, wire.SOA, wire.soa_rdata(x.zone.wire, x.new), rclass=wire.CH)] +
    x.answer_records()[1:])
records_case("soa-records-after-the-last", "comes after the last SOA",
             lambda x: x.answer_records() + [x.zone.texts(x.new, "evil")[0]])


def rdata_case(name, change):
    def make(x):
        rdata = change(x, wire.soa_rdata(x.zone.wire, x.new))
        return [wire.Record(x.zone.wire, wire.SOA, rdata)] + x.answer_records()[1:]
    records_case("soa-rdata-" + name, "SOA: malformed rdata|malformed record", make)


rdata_case("short", lambda x, rdata: rdata[:-1])
rdata_case("long", lambda x, rdata: rdata + b"\0")
rdata_case("empty", lambda x, rdata: b"")
rdata_case("names-only", lambda x, rdata: rdata[:-20])
rdata_case("one-name", lambda x, rdata: b"\0" + rdata[-20:])
rdata_case("mname-loops", lambda x, rdata: struct.pack("!H", 0xC00C + 4 + 2 * len(x.zone.wire) + 10) + b"\0" + rdata[-20:])


# --- serials (RFC 1982): what is newer, and what is not

def serials(name, reason, old, new, good, **words):
    async def transfer(x):
        await x.send(x.answer(per_message=100))
    case("serial-" + name, reason, serials=(old, new, good), **words)(transfer)


serials("lower", "serial 999, older than ours|went back to serial 999, ours is 1000", 1000, 999, 3000, hint=False)
serials("equal", None, 1000, 1000, 3000, hint=False, expect="equal")
serials("plus-2-31", "older than ours|went back to serial", 1000, 1000 + 2 ** 31, 3000, hint=False)
serials("plus-2-31-less-1", None, 1000, 999 + 2 ** 31, 1000 + 2 ** 31, expect=SERVED)
serials("wraps", None, 2 ** 32 - 1, 0, 1, expect=SERVED)
serials("wraps-to-4", None, 2 ** 32 - 5, 4, 9, expect=SERVED)
serials("wraps-back", "older than ours|went back to serial", 4, 2 ** 32 - 5, 9, hint=False)


async def transfers_less(x):
    """SOA queries are answered with the new serial, transfers with the old one."""
    x.new = x.old
    await x.send(x.messages(x.whole_records(), 100))

case("serial-promised-but-not-sent", None)(transfers_less)


async def older_zone(x):
    x.new = x.old - 1
    await x.send(x.messages(x.whole_records(), 100))

case("serial-promised-but-older-sent", "serial 999, older than ours|went back to serial 999")(older_zone)


# --- timers

async def right(x):
    await x.send(x.answer(per_message=100))


ZERO = {"refresh": 0, "retry": 0, "expire": 0, "minimum": 0}
MOST = {"refresh": 2 ** 32 - 1, "retry": 2 ** 32 - 1, "expire": 2 ** 32 - 1, "minimum": 2 ** 32 - 1}


async def asks_seldom(judge, zone):
    await judge.asked_at_most(zone, seconds=4, questions=8)

case("timers-0", None, expect=SERVED, timers=ZERO, check=asks_seldom)(right)
case("timers-2-32-less-1", None, expect=SERVED, timers=MOST)(right)
case("timers-refresh-past-expire", None, expect=SERVED,
     timers={"refresh": 86400, "retry": 7200, "expire": 1})(right)


# --- SOA queries, after a NOTIFY that names no serial

def query_case(name, reason, answer, **words):
    async def transfer(x):
        await x.rcode(wire.SERVFAIL)    # where the query was of no use, none comes
    case("query-" + name, reason, soa=answer, hint=False, **words)(transfer)


def spoil(change):
    def answer(x, tcp):
        message = x.message([x.zone.soa(x.new)])
        change(message, x)
        return packed(message, x.signer)
    return answer


def flag(bits):
    def change(message, _):
        message.flags ^= bits
    return change


def blow(message, _):
    message.flags |= wire.TC
    message.answer = []


TIMED_OUT = "no answer over UDP|unusable answer over TCP"
query_case("no-answer", TIMED_OUT, lambda x, tcp: None)
query_case("wrong-id", TIMED_OUT, spoil(lambda m, x: setattr(m, "ident", m.ident ^ 1)))
query_case("other-question", TIMED_OUT, spoil(lambda m, x: setattr(
    m, "question", [(wire.under("x", x.zone.wire), wire.SOA, wire.IN)])))
query_case("not-a-response", TIMED_OUT, spoil(flag(wire.QR)))
query_case("not-authoritative", "not authoritative", spoil(flag(wire.AA)))
query_case("empty-answer", "without a usable SOA", spoil(lambda m, x: setattr(m, "answer", [])))
query_case("soa-of-another-name", "without a usable SOA",
           spoil(lambda m, x: setattr(m, "answer", [wire.soa(b"\x05other\x04test\0", x.new)])))
query_case("soa-malformed", "without a usable SOA", spoil(lambda m, x: setattr(
    m, "answer", [wire.Record(x.zone.wire, wire.SOA, b"\0\0\0")])))
query_case("truncated-for-ever", "unusable answer over TCP", spoil(blow))
query_case("rcode-refused", "primary answers REFUSED", spoil(flag(wire.REFUSED)))
query_case("rcode-notauth", "primary answers NOTAUTH", spoil(flag(wire.NOTAUTH)))
query_case("rcode-formerr", "primary answers FORMERR", spoil(flag(wire.FORMERR)))
query_case("short", TIMED_OUT, lambda x, tcp: b"\0\0\0")


async def fine(x):
    await x.send(x.answer(per_message=100))

case("query-first-answer-truncated", None, expect=SERVED, hint=False,
     soa=lambda x, tcp: soa_answer(x, x.new) if tcp else spoil(blow)(x, tcp))(fine)
