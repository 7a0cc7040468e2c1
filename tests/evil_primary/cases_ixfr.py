# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Differences (RFC 1995): right ones of every form, and wrong ones."""
import wire
from case import SERVED, case, ixfr_case
from cases_framing import SILENT

def difference(name, reason, make, per_message=100, **words):
    """make(x) -> the records of the wrong difference."""
    async def answer(x):
        await x.send(x.messages(make(x), per_message))
        await x.linger()
    ixfr_case("ixfr-" + name, reason, **words)(answer)


def right(name, make, **words):
    async def answer(x):
        await x.send(x.messages(make(x), 100) if x.incremental else x.answer(per_message=100))
    case("ixfr-" + name, None, expect=SERVED, forms=("ixfr",), **words)(answer)


def step(x, first, second, gone, come):
    return [x.zone.soa(first), *gone, x.zone.soa(second), *come]


def texts(x, serial):
    return x.zone.texts(serial, "evil")


def answer(x, *steps):
    last = x.zone.soa(x.new)
    return [last] + [record for s in steps for record in s] + [last]


def address(x, label, last):
    return wire.Record(wire.under(label, x.zone.wire), wire.A, bytes([192, 0, 2, last]))


def plain(x):
    return step(x, x.old, x.new, texts(x, x.old), texts(x, x.new))


def steps(x, *serials):
    return [step(x, a, b, texts(x, a), texts(x, b)) for a, b in zip(serials, serials[1:])]


# --- what must be taken

right("condensed", lambda x: answer(x, plain(x)))
right("stepwise", lambda x: answer(x, *steps(x, x.old, 1001, 1500, x.new)))
right("axfr-style", lambda x: x.whole_records())
right("soa-only-changes", lambda x: answer(
    x, step(x, x.old, 1001, [], []), step(x, 1001, x.new, texts(x, x.old), texts(x, x.new))))
right("record-goes-and-comes-back", lambda x: answer(
    x, step(x, x.old, 1001, [address(x, "ns1", 1)], []),
    step(x, 1001, x.new, texts(x, x.old), texts(x, x.new) + [address(x, "ns1", 1)])))
right("owner-in-other-case", lambda x: answer(x, step(
    x, x.old, x.new, [wire.Record(r.owner.upper(), r.type, r.rdata) for r in texts(x, x.old)], texts(x, x.new))))
right("removal-with-another-ttl", lambda x: answer(x, step(
    x, x.old, x.new, [wire.Record(r.owner, r.type, r.rdata, ttl=7) for r in texts(x, x.old)], texts(x, x.new))))


def falls_back(name, rcode):
    async def transfer(x):
        await (x.rcode(rcode) if x.incremental else x.send(x.answer(per_message=100)))
    case("ixfr-%s-then-axfr" % name, None, expect=SERVED, forms=("ixfr",))(transfer)


falls_back("formerr", wire.FORMERR)
falls_back("notimp", wire.NOTIMP)
falls_back("refused", wire.REFUSED)
falls_back("servfail", wire.SERVFAIL)


async def wrong_then_whole(x):
    if x.incremental:
        await x.send(x.messages(answer(x, step(x, x.old, x.new, [address(x, "h1", 77)], texts(x, x.new))), 100))
    else:
        await x.send(x.answer(per_message=100))

case("ixfr-wrong-then-axfr", None, expect=SERVED, forms=("ixfr",))(wrong_then_whole)


# --- what must not

difference("removes-what-is-not-there", "removes a record that is not there", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old) + [address(x, "h1", 9)], texts(x, x.new))))
difference("removes-twice", "removes a record that is not there", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old) + texts(x, x.old)[:1], texts(x, x.new))))
difference("adds-what-is-there", "adds a record that is there|there already", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old), texts(x, x.new) + [address(x, "ns1", 1)])))
difference("adds-twice", "adds a record that is there|there already", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old), texts(x, x.new) + texts(x, x.new)[:1])))
difference("starts-elsewhere", "starts from serial 999, not from ours",
           lambda x: answer(x, step(x, 999, x.new, texts(x, x.old), texts(x, x.new))))
difference("gap", "goes on from serial 1002, but stood at 1001",
           lambda x: answer(x, *steps(x, x.old, 1001), *steps(x, 1002, x.new)))
difference("loops", "goes back from serial 1001 to 1000",
           lambda x: answer(x, *steps(x, x.old, 1001), *steps(x, 1001, x.old), *steps(x, x.old, x.new)))
difference("step-of-nothing", "goes back from serial 1000 to 1000",
           lambda x: answer(x, *steps(x, x.old, x.old), *steps(x, x.old, x.new)))
difference("goes-past", "goes past serial 2000 to 2001", lambda x: answer(x, *steps(x, x.old, 2001)))
difference("stops-short", "goes on from serial 2000, but stood at 1001", lambda x: answer(x, *steps(x, x.old, 1001)))
difference("ends-in-removals", SILENT, lambda x: answer(x, plain(x))[:4], seconds=45)
difference("ends-in-additions", SILENT, lambda x: answer(x, plain(x))[:-3], seconds=45)
difference("last-soa-differs", "last SOA .* differs|not the one", lambda x: answer(x, plain(x))[:-1] + [
    x.zone.soa(x.new, expire=7)])
difference("new-soa-differs", "is not the one the answer began with", lambda x: [x.zone.soa(x.new, refresh=7)] +
           plain(x) + [x.zone.soa(x.new)])
difference("old-soa-differs", "removes a record that is not there|SOA", lambda x: answer(
    x, [x.zone.soa(x.old, refresh=7)] + plain(x)[1:]))
difference("one-newer-soa", SILENT, lambda x: [x.zone.soa(x.new)], seconds=45)
difference("removes-ns", "no NS record", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old) + [wire.Record(x.zone.wire, wire.NS, wire.under("ns1", x.zone.wire))],
    texts(x, x.new))))
difference("removes-everything", "no NS record|Held", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old) + x.zone.skeleton(), [])))
difference("adds-cname-beside-data", "CNAME and other data", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old), texts(x, x.new) +
    [wire.Record(wire.under("h1", x.zone.wire), wire.CNAME, x.zone.wire)])))
difference("removes-out-of-zone", "out of zone", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old) + [wire.Record(b"\x01a\x04test\0", wire.A, b"\xc0\0\2\1")], texts(x, x.new))))
difference("grows-one-rrset-too-far", "too many records|too large", lambda x: answer(x, step(
    x, x.old, x.new, texts(x, x.old), texts(x, x.new) +
    [wire.Record(wire.under("big", x.zone.wire), wire.A, bytes([10, i >> 16, i >> 8 & 255, i & 255]))
     for i in range(6000)])))


async def as_axfr(x):
    messages = x.messages(x.whole_records(), 100)
    for message in messages:
        message.question = [(x.zone.wire, wire.AXFR, wire.IN)]
    await x.send(messages)
    await x.linger()

ixfr_case("ixfr-answers-an-axfr", "another question")(as_axfr)
