# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Past the limits that the zone's configuration sets (nameplane.conf(5)): too many bytes or records, too large an
RRset, too slow, too long."""
import asyncio
import struct

from case import SERVED, case, ixfr_case
from wire import A, TXT, Record, under
from server import packed


def addresses(zone, label, count):
    owner = under(label, zone.wire)
    return [Record(owner, A, struct.pack("!I", 0x0A000000 | i)) for i in range(count)]


def hosts(zone, count, first=0):
    return [Record(under("r%d" % i, zone.wire), A, b"\x0a\0\0\1") for i in range(first, first + count)]


def limited(name, reason, records, config, **words):
    """records(zone): what comes beside the right answer."""
    async def transfer(x):
        await x.send(x.answer(records(x.zone), per_message=200))
        await x.linger()
    case("limit-" + name, reason, config=config, **words)(transfer)


# --- records

limited("records", "more than 100 records", lambda z: hosts(z, 101), ("zone-max-records: 100",))
limited("records-just-fit", None, lambda z: hosts(z, 60), ("zone-max-records: 100", "shrink-limit: off"),
        expect=SERVED)
# Neither the zone nor the difference is too much, but the zone that comes of it.


async def zone_grows(x):
    await x.send(x.answer(hosts(x.zone, 60, 100), per_message=200))
    await x.linger()

ixfr_case("limit-records-after-the-difference", "It has 1[0-9][0-9] records, and zone-max-records is 100",
          config=("zone-max-records: 100",), always=lambda z: hosts(z, 60))(zone_grows)


# --- RRsets

limited("rrset", "too many records of one type, more than 20", lambda z: addresses(z, "big", 21),
        ("rrset-max-records: 20",))
limited("rrset-just-fits", None, lambda z: addresses(z, "big", 20), ("rrset-max-records: 20",), expect=SERVED)
limited("rrset-in-pieces", "too many records of one type",
        lambda z: [r for pair in zip(addresses(z, "big", 21), addresses(z, "other", 21)) for r in pair],
        ("rrset-max-records: 20",))


async def rrset_grows(x):
    """Fifteen are there, and fifteen come."""
    await x.send(x.answer(addresses(x.zone, "big", 30)[15:], per_message=200))
    await x.linger()

ixfr_case("limit-rrset-grows", "big.* A: too many records of one type", config=("rrset-max-records: 20",),
          always=lambda z: addresses(z, "big", 15))(rrset_grows)

# --- bytes

limited("bytes", "more than 65536 bytes",
        lambda z: [Record(under("t%d" % i, z.wire), TXT, b"\xff" + b"x" * 255) for i in range(300)],
        ("transfer-max-size: 64K",))


async def never_ending(x):
    """Right records, one message after the other, for as long as anybody listens."""
    await x.send(x.messages(x.answer_records()[:-1], 100))
    number = 0
    while True:
        await x.send(x.message(hosts(x.zone, 500, number)))
        number += 500

case("limit-never-ending-bytes", "more than 1048576 bytes", config=("transfer-max-size: 1M",))(never_ending)
case("limit-never-ending-records", "more than 20000 records", config=("zone-max-records: 20000",))(never_ending)


# --- memory

# No word of the zone's: what the node's memory-max (of `run`) leaves is the limit.

async def fills_the_memory(x):
    """The same message again and again: what comes twice takes twice the memory until the zone is whole."""
    await x.send(x.messages(x.answer_records()[:-1], 100))
    many = [Record(under("m%d" % i, x.zone.wire), TXT, b"\xff" + b"x" * 255) for i in range(200)]
    message = packed(x.message(many), None)
    while True:
        await x.raw(struct.pack("!H", len(message)) + message)

case("limit-never-ending-default", "no memory for more than [0-9]+ records: memory-max is 128 MiB",
     signed=(False,), seconds=60)(fills_the_memory)


# --- time

async def never_ending_slowly(x):
    """Enough to be no silence, and too little to be past any other limit."""
    await x.send(x.messages(x.answer_records()[:-1], 100))
    number = 0
    while True:
        await x.send(x.message(hosts(x.zone, 10, number)))
        number += 10
        await asyncio.sleep(0.1)

case("limit-time", "took too long", config=("transfer-max-time: 3s",))(never_ending_slowly)


async def drips(x):
    """Twenty times what passes without the limit, and a quarter of what must come."""
    data = b"".join(struct.pack("!H", len(m)) + m
                    for m in (packed(m, x.signer) for m in x.answer(hosts(x.zone, 3000), per_message=20)))
    for at in range(0, len(data), 200):
        await x.raw(data[at:at + 200])
        await asyncio.sleep(0.1)

case("limit-rate", "too slow", config=("transfer-min-rate: 8000", "shrink-limit: off"), seconds=40)(drips)


async def pauses(x):
    """Shorter than the silence that passes without the limit; the good primary is held back less."""
    await x.send(x.answer(per_message=4)[:-1])
    await x.linger(20)

case("limit-idle", "timed out waiting for data", config=("transfer-idle-timeout: 8s",))(pauses)
