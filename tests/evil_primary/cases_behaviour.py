# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Conduct over more than one message: NOTIFY without end, zones that shrink, digests that are wrong."""
import asyncio
import hashlib

import wire
from behaviour import soa_answer
from case import SERVED, case
from wire import Record, under


async def right(x):
    await x.send(x.answer(per_message=100))


# --- NOTIFY

async def flood(judge, zone):
    """Two thousand, as fast as they go, each with a serial of its own, for a version that does not come."""
    for i in range(2000):
        judge.server.send_from(zone.evil_address, judge.server.notify_message(zone, zone.new + i), judge.control)
        if i % 50 == 0:
            await asyncio.sleep(0)
    await judge.notify(zone)


async def nothing_comes(x):
    await x.rcode(wire.SERVFAIL)

case("notify-flood", "primary answers SERVFAIL", act=flood)(nothing_comes)


async def ahead(judge, zone):
    """Always one more than there is."""
    for i in range(40):
        await judge.server.notify(zone, zone.evil_address, zone.old + 1000 + i, judge.control)
        await asyncio.sleep(0.05)


async def old_version(x):
    x.new = x.old
    await x.send(x.messages(x.whole_records(), 100) if not x.incremental else x.message([x.zone.soa(x.old)]))


async def asked_seldom(judge, zone):
    await judge.asked_so_far(zone, 40)

case("notify-ahead-for-ever", None, act=ahead, check=asked_seldom,
     soa=lambda x, tcp: soa_answer(x, x.old))(old_version)


# --- less than there was

def lots(zone):
    return [Record(under("r%d" % i, zone.wire), wire.A, bytes([10, 0, i >> 8, i & 255])) for i in range(400)]


async def most_is_missing(x):
    """72 % gone and a correct final SOA: a registry's day in 2010."""
    most = lots(x.zone)
    gone = most[:300]
    if x.incremental:
        records = x.difference_records(gone=gone)
    else:
        records = [r for r in x.whole_records() if r not in gone]
    await x.send(x.messages(records, 100))

case("most-is-missing", "Held: it has", always=lots)(most_is_missing)


async def all_but_nothing(x):
    """A zone that would do, but for all that was in it."""
    keep = [x.zone.soa(x.new), *x.zone.skeleton(), x.zone.soa(x.new)]
    if x.incremental:
        gone = [*x.zone.texts(x.old, x.zone.first_source), *lots(x.zone)]
        keep = [keep[0], x.zone.soa(x.old), *gone, keep[0], keep[0]]
    await x.send(x.messages(keep, 100))

case("zone-then-empty-zone", "Held: it has", always=lots)(all_but_nothing)


def dnskey(zone):
    return [Record(zone.wire, wire.DNSKEY, b"\1\1\3\x0d" + b"k" * 64)]


async def no_dnskey(x):
    key = dnskey(x.zone)
    if x.incremental:
        await x.send(x.messages(x.difference_records(gone=key), 100))
    else:
        await x.send(x.messages([r for r in x.whole_records() if r not in key], 100))

case("dnskey-gone", "no DNSKEY at its apex", always=dnskey)(no_dnskey)


# --- digests (RFC 8976)

def zonemd(zone, serial, digest, scheme=1, algorithm=1):
    return Record(zone.wire, wire.ZONEMD, serial.to_bytes(4, "big") + bytes([scheme, algorithm]) + digest)


def digest_case(name, reason, make, expect="fails", **words):
    async def transfer(x):
        await x.send(x.answer(make(x), per_message=100))
    case("zonemd-" + name, reason, expect=expect, **words)(transfer)


def right_digest(x):
    """RFC 8976 3.3.1 for the plain names of these zones: names sort by label from the right."""
    def labels(name):
        out, at = [], 0
        while name[at]:
            out.append(name[at + 1:at + 1 + name[at]].lower())
            at += 1 + name[at]
        return out[::-1]
    records = [x.zone.soa(x.new), *x.zone.records(x.new, "evil")]
    records.sort(key=lambda r: (labels(r.owner), r.type, r.rdata))
    data = b"".join(Record(r.owner.lower(), r.type, r.rdata, r.ttl).pack() for r in records)
    return hashlib.sha384(data).digest()


digest_case("right", None, lambda x: [zonemd(x.zone, x.new, right_digest(x))], expect=SERVED)
digest_case("wrong", "ZONEMD|digest", lambda x: [zonemd(x.zone, x.new, bytes(48))])
digest_case("of-another-serial", "ZONEMD|digest", lambda x: [zonemd(x.zone, x.new - 1, right_digest(x))])
digest_case("twice", "ZONEMD|digest", lambda x: [zonemd(x.zone, x.new, right_digest(x)), zonemd(x.zone, x.new, bytes(48))])
digest_case("unknown-scheme-only", None, lambda x: [zonemd(x.zone, x.new, bytes(48), scheme=200)], expect=SERVED)


# --- ten primaries that take every transfer there is room for, and let none of them end

async def creep(x):
    """More than the least rate, for a while, and no end."""
    more = [Record(under("r%d" % i, x.zone.wire), wire.A, bytes([10, 0, 0, i])) for i in range(25)]
    messages = [message.pack() for message in x.answer(more, per_message=4)[:-1]]
    data = b"".join(len(message).to_bytes(2, "big") + message for message in messages)
    for at in range(0, len(data), 30):
        await x.raw(data[at:at + 30])
        await asyncio.sleep(0.2)

case("creeping-transfers", "connection closed before the end", forms=("axfr",), signed=(False,),
     crowd=100, seconds=40)(creep)


# --- two primaries of one mind, and not

async def other_content(x):
    """The serial that is served already, other data."""
    x.new = x.old
    await x.send(x.messages(x.whole_records(source="forger"), 100))

case("equal-serial-other-content", None, forms=("axfr",), hint=False, expect="equal",
     serials=(1000, 1000, 3000))(other_content)


async def stalls_in_steps(x):
    """A message, a pause: never long enough to count as silence."""
    for message in x.answer(per_message=4):
        await x.send(message)
        await asyncio.sleep(0.2)

case("pauses-that-are-short", None, expect=SERVED)(stalls_in_steps)


async def differs_each_time(x):
    """A wrong difference, then a wrong zone: two reasons, both told."""
    if x.incremental:
        await x.send(x.messages([x.zone.soa(x.new), x.zone.soa(7)], 100))
    else:
        await x.send(x.messages(x.whole_records([Record(b"\1a\0", wire.A, b"\xc0\0\2\1")]), 100))

case("wrong-twice", "starts from serial 7", forms=("ixfr",))(differs_each_time)
