# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""What is in the zone: records that cannot be, that lie about their length, and that look odd and are right."""
import struct

import wire
from case import SERVED, SHRINKS, case, content_case
from wire import Record, under

MALFORMED = "malformed rdata|malformed record"


def at(label, rtype, rdata, **words):
    return lambda zone: [Record(under(label, zone.wire), rtype, rdata, **words)]


def bad(name, rtype, rdata, reason=MALFORMED, **words):
    content_case(name, reason, at("x", rtype, rdata, **words))


def right(name, *wanted, **words):
    """wanted: (label, type, rdata): each is in the zone, and must be answered so."""
    def records(zone):
        return [Record(under(label, zone.wire), rtype, rdata) for label, rtype, rdata in wanted]

    async def check(judge, zone):
        for record in records(zone):
            await judge.answers(zone, record)
    content_case(name, None, records, expect=SERVED, check=check, **words)


# --- the zone

content_case("out-of-zone", "out of zone", lambda z: [Record(b"\x01a\x05other\x04test\0", wire.A, b"\xc0\0\2\1")])
content_case("out-of-zone-parent", "out of zone", lambda z: [Record(b"\x04test\0", wire.NS, b"\1a\4test\0")])
content_case("out-of-zone-suffix-of-a-label", "out of zone", lambda z: [
    Record(bytes([z.wire[0] + 1]) + b"x" + z.wire[1:], wire.A, b"\xc0\0\2\1")])
bad("class-ch", wire.A, b"\xc0\0\2\1", "is not of class IN", rclass=wire.CH)
bad("class-any", wire.A, b"\xc0\0\2\1", "is not of class IN", rclass=255)
bad("class-none", wire.A, b"\xc0\0\2\1", "is not of class IN", rclass=254)
bad("class-0", wire.A, b"\xc0\0\2\1", "is not of class IN", rclass=0)
for number in (0, 41, 128, 249, 250, 251, 252, 253, 254, 255):
    bad("meta-type-%d" % number, number, b"", "cannot be zone data|malformed")
content_case("cname-beside-data", "CNAME and other data", at("h1", wire.CNAME, b"\0"))
content_case("cname-at-the-apex", "CNAME and other data", lambda z: [Record(z.wire, wire.CNAME, b"\1a" + z.wire)])
content_case("two-cnames", "more than one CNAME", lambda z: [
    Record(under("c", z.wire), wire.CNAME, under(t, z.wire)) for t in "ab"])
content_case("two-dnames", "more than one DNAME", lambda z: [
    Record(under("d", z.wire), wire.DNAME, under(t, z.wire)) for t in "ab"])


async def no_ns(x):
    records = [r for r in x.answer_records() if r.type != wire.NS]
    if x.incremental:
        records.insert(2, Record(x.zone.wire, wire.NS, under("ns1", x.zone.wire)))
    await x.send(x.messages(records, 100))

case("no-ns", "no NS record at its apex")(no_ns)


async def empty_zone(x):
    """Nothing but the SOA."""
    if x.incremental:
        old = x.zone.records(x.old, x.zone.first_source)
        await x.send(x.messages([x.zone.soa(x.new), x.zone.soa(x.old), *old, x.zone.soa(x.new), x.zone.soa(x.new)]))
    else:
        await x.send(x.messages([x.zone.soa(x.new), x.zone.soa(x.new)]))

case("empty-zone", "no NS record at its apex")(empty_zone)

# --- a name in a reason is escaped: this one would clear a terminal and forge a line
content_case("escape-in-a-name", r"\\027\[2J.*out of zone", lambda z: [
    Record(b"\x0a\x1b[2J\n\0ok\"\\\x05other\x04test\0", wire.A, b"\xc0\0\2\1")])

# --- lengths

bad("a-of-3", wire.A, b"\xc0\0\2")
bad("a-of-5", wire.A, b"\xc0\0\2\1\1")
bad("a-of-0", wire.A, b"")
bad("aaaa-of-15", wire.AAAA, b"\0" * 15)
bad("rdlen-past-the-message", wire.A, b"\xc0\0\2\1", rdlen=65535)
bad("rdlen-one-more", wire.A, b"\xc0\0\2\1", "malformed", rdlen=5)
bad("mx-without-name", wire.MX, b"\0\1")
bad("mx-name-and-more", wire.MX, b"\0\1\0\0")
bad("srv-short", wire.SRV, b"\0\0\0\0\0")
bad("ns-empty", wire.NS, b"")
bad("ns-not-ended", wire.NS, b"\x03abc")
bad("cname-label-past-rdata", wire.CNAME, b"\x3fabc")
bad("txt-empty", wire.TXT, b"")
bad("txt-string-too-long", wire.TXT, b"\x05abc")
bad("caa-no-tag", wire.CAA, b"\0\0")
bad("caa-tag-past-rdata", wire.CAA, b"\0\xffissue")
bad("ds-header-only", wire.DS, b"\0\1\x08")
bad("dnskey-short", wire.DNSKEY, b"\1\0\3")
bad("rrsig-short", wire.RRSIG, b"\0\1\x08\1" + b"\0" * 13)
bad("nsec-no-bitmap-window-end", wire.NSEC, b"\0\0\x21" + b"\1" * 33)
bad("nsec-window-empty", wire.NSEC, b"\0\0\0")
bad("nsec-windows-backwards", wire.NSEC, b"\0\1\1\x40\0\1\x40")
bad("nsec3-salt-past-rdata", wire.NSEC3, b"\1\0\0\1\xffab")
bad("nsec3-hash-empty", wire.NSEC3, b"\1\0\0\1\0\0")
content_case("loc-version-1", None, at("x", 29, b"\1" + b"\0" * 15), expect=SERVED)
bad("apl-prefix-33", wire.APL, b"\0\1\x21\0")
bad("apl-length-past-rdata", wire.APL, b"\0\1\x18\x7f\xc0\0\2")
bad("apl-five-bytes-of-four", wire.APL, b"\0\1\x20\5\xc0\0\2\1\1")
bad("apl-trailing-zero", wire.APL, b"\0\1\x18\4\xc0\0\2\0")
bad("ipseckey-gateway-short", 45, b"\x0a\1\2\xc0\0")
bad("hip-lengths", 55, b"\xff\2\xff\xff\0")
content_case("zonemd-digest-of-11-below-the-apex", None, at("x", wire.ZONEMD, b"\0\0\0\1\1\1" + b"\0" * 11),
             expect=SERVED)
bad("svcb-keys-unsorted", wire.SVCB, b"\0\1\0" + b"\0\3\0\2\0\x35" + b"\0\1\0\3\2h2")
bad("svcb-key-twice", wire.SVCB, b"\0\1\0" + b"\0\3\0\2\0\x35" * 2)
bad("svcb-value-past-rdata", wire.SVCB, b"\0\1\0\0\3\xff\xff\0")
bad("svcb-port-of-3", wire.SVCB, b"\0\1\0\0\3\0\3\0\0\1")
bad("svcb-mandatory-itself", wire.SVCB, b"\0\1\0\0\0\0\2\0\0")
bad("svcb-mandatory-absent", wire.SVCB, b"\0\1\0\0\0\0\2\0\3")
bad("svcb-alpn-empty", wire.SVCB, b"\0\1\0\0\1\0\0")
bad("svcb-ipv4hint-of-5", wire.SVCB, b"\0\1\0\0\4\0\5\xc0\0\2\1\1")
bad("svcb-target-compressed", wire.SVCB, b"\0\1\xc0\x0c")
bad("rrsig-signer-compressed-loop", wire.RRSIG, b"\0\1\x08\1" + b"\0" * 14 + b"\xff\xff")
bad("cname-pointer-past-the-end", wire.CNAME, b"\xff\xff")
bad("cname-pointer-into-the-header", wire.CNAME, b"\xc0\x00")
bad("ns-label-type-01", wire.NS, b"\x41a\0")
bad("mx-name-over-255", wire.MX, b"\0\1" + (b"\x3f" + b"m" * 63) * 4 + b"\0")


# A name that a pointer makes longer than the record: 16-bit lengths wrap in careless hands (CVE-2026-12244
# was an SVCB one). The signer's name grows by the zone's, the signature fills the message.
async def grows_past_65535(x):
    start = len(x.message().pack())
    signer = (b"\x3f" + b"s" * 63) * 2 + b"\xc0\x0c"
    fixed = b"\0\1\x08\1" + b"\0" * 14 + signer
    fill = wire.MESSAGE_MAX - start - len(x.zone.wire) - 10 - len(fixed) - 100
    records = x.answer_records()
    await x.send(x.messages(records[:-1], 100))
    await x.send(x.message([Record(wire.APEX_POINTER, wire.RRSIG, fixed + b"\0" * fill)]))
    await x.send(x.message([Record(wire.APEX_POINTER, 35,
                                   b"\0\1\0\1" + (b"\xff" + b"n" * 255) * 3 + signer + b"\0" * (fill - 800))]))
    await x.send(x.messages(records[-1:]))
    await x.linger()

case("rdata-grows-past-its-length", MALFORMED)(grows_past_65535)

# --- right, if odd

right("unknown-types", ("u", 65280, b""), ("u", 65281, b"\0"), ("u", 65534, b"\xc0\x0c" * 9), ("v", 4711, b"x" * 300))
right("unknown-type-of-60000-bytes", ("u", 65280, bytes(i & 255 for i in range(60000))))
right("strings-that-are-empty", ("t", wire.TXT, b"\0"), ("t2", wire.TXT, b"\0\0\0"))
right("names-of-odd-bytes", *((label, wire.A, bytes([192, 0, 2, i])) for i, label in enumerate((
    "\\$", "\\@", "\\\"", "\\\\", "\\000", "\\.", "\\032", "\\255", "a\\.b", "\\*", "\\009\\010", "-", "_", "\\012x\\013"))))
right("name-of-100-labels", (".".join("a" * 90), wire.A, b"\xc0\0\2\1"))
right("svcb-right", ("s", wire.SVCB, b"\0\1\0" + b"\0\1\0\3\2h2" + b"\0\3\0\2\0\x35"), ("s0", wire.SVCB, b"\0\0\0"))
right("apl-right", ("p", wire.APL, b"\0\1\x18\3\xc0\0\2" + b"\0\1\x20\x84\xc0\0\2\1"), ("q", wire.APL, b""))
content_case("nsec3-of-65535-iterations", "NSEC3 with 65535 iterations: more than 50 are not served", lambda z: [
    Record(z.wire, wire.NSEC3PARAM, b"\1\0\xff\xff\0"),
    Record(under("h9t23lbqq8gbhvrv7vjglcufbn1v9v2n", z.wire), wire.NSEC3,
           b"\1\0\xff\xff\0\x14" + b"\x11" * 20 + b"\0\1\x40")])
right("rrsig-without-anything", ("r", wire.RRSIG, struct.pack("!HBBIIIH", wire.A, 13, 3, 300, 2 ** 31 + 5, 1, 7) +
                                 b"\0" + b"s" * 64))
right("wildcards", ("*", wire.A, b"\xc0\0\2\1"), ("*.w", wire.A, b"\xc0\0\2\2"))


def compressed(zone):
    """RFC 3597 4: receivers must expand these."""
    return [Record(under("m", zone.wire), wire.MX, b"\0\1" + wire.APEX_POINTER),
            Record(under("s", zone.wire), wire.SRV, b"\0\1\0\2\0\3" + wire.APEX_POINTER),
            Record(under("c", zone.wire), wire.CNAME, b"\1x" + wire.APEX_POINTER)]


async def expanded(judge, zone):
    await judge.answers(zone, Record(under("s", zone.wire), wire.SRV, b"\0\1\0\2\0\3" + zone.wire))

content_case("names-compressed-in-rdata", None, compressed, expect=SERVED, check=expanded)
content_case("record-twice", None, lambda z: [Record(under("two", z.wire), wire.A, b"\xc0\0\2\1")] * 2, expect=SERVED,
             forms=("axfr",))
content_case("ttls-of-two-minds", None, lambda z: [
    Record(under("ttl", z.wire), wire.A, bytes([192, 0, 2, i]), ttl=i) for i in range(4)], expect=SERVED)
content_case("ttl-of-2-32-less-1", None, at("x", wire.A, b"\xc0\0\2\1", ttl=2 ** 32 - 1), expect=SERVED)
content_case("owner-in-other-case", None, lambda z: [
    Record(under("UPPER", z.wire).upper(), wire.A, b"\xc0\0\2\1")], expect=SERVED)
content_case("data-below-a-cut", None, lambda z: [
    Record(under("cut", z.wire), wire.NS, under("ns.cut", z.wire)),
    Record(under("ns.cut", z.wire), wire.A, b"\xc0\0\2\1"),
    Record(under("mail.cut", z.wire), wire.MX, b"\0\1\0")], expect=SERVED)
content_case("data-below-a-dname", None, lambda z: [
    Record(under("d", z.wire), wire.DNAME, z.wire), Record(under("a.d", z.wire), wire.A, b"\xc0\0\2\1")],
    expect=SERVED)
content_case("rrset-in-two-places", None, lambda z: [
    Record(under("a", z.wire), wire.A, b"\xc0\0\2\1"), Record(under("b", z.wire), wire.A, b"\xc0\0\2\1"),
    Record(under("a", z.wire), wire.A, b"\xc0\0\2\2")], expect=SERVED)


# --- too much of it

def addresses(label, zone, count):
    owner = under(label, zone.wire)
    return [Record(owner, wire.A, bytes([10, i >> 16 & 255, i >> 8 & 255, i & 255])) for i in range(count)]


async def endless(x, make):
    records, number = x.answer_records()[:-1], 0
    await x.send(x.messages(records, 100))
    while True:
        await x.send(x.message([make(x.zone, number + i) for i in range(900)]))
        number += 900


@case("endless-rrset", "too many records of one type", seconds=40)
async def endless_rrset(x):
    owner = under("big", x.zone.wire)
    await endless(x, lambda zone, i: Record(owner, wire.A, struct.pack("!I", i)))


@case("rrset-too-large-in-pieces", "RRset|too many records|too large", seconds=40)
async def rrset_in_pieces(x):
    """Never two records of the RRset behind each other."""
    one, other = addresses("big", x.zone, 6000), addresses("other", x.zone, 6000)
    await x.send(x.answer([r for pair in zip(one, other) for r in pair], per_message=1000))
    await x.linger()


def many_types(zone):
    owner = under("types", zone.wire)
    return [Record(owner, rtype, b"x") for rtype in range(300, 32768)]

content_case("thirty-thousand-types-at-a-name", None, many_types, expect=SERVED, seconds=60, config=SHRINKS)
