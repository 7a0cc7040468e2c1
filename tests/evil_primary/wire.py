# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""DNS messages as a primary makes them, right by default and wrong wherever a case says so: every count, length
and byte can be set. No name is compressed unless a record's bytes say so."""
import dataclasses
import struct

from dnswire import name_to_wire

A, NS, CNAME, SOA, MX, TXT, AAAA, SRV, DNAME = 1, 2, 5, 6, 15, 16, 28, 33, 39
APL, DS, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, SVCB, ZONEMD = 42, 43, 46, 47, 48, 50, 51, 64, 63
OPT, TSIG, IXFR, AXFR, ANY, CAA = 41, 250, 251, 252, 255, 257
IN, CH = 1, 3
QR, AA, TC = 0x8000, 0x0400, 0x0200
FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH = 1, 2, 3, 4, 5, 9
MESSAGE_MAX = 65535
HEADER = 12
APEX_POINTER = b"\xc0\x0c"          # to the question's name


@dataclasses.dataclass(frozen=True)
class Record:
    owner: bytes
    type: int
    rdata: bytes
    ttl: int = 300
    rclass: int = IN
    rdlen: int = None               # when the record lies about it

    def pack(self):
        length = len(self.rdata) if self.rdlen is None else self.rdlen
        return self.owner + struct.pack("!HHIH", self.type, self.rclass, self.ttl, length) + self.rdata


def soa_rdata(zone, serial, refresh=3600, retry=600, expire=604800, minimum=60):
    return b"\x03ns1" + zone + b"\x0ahostmaster" + zone + \
        struct.pack("!5I", serial, refresh, retry, expire, minimum)


def soa(zone, serial, **timers):
    return Record(zone, SOA, soa_rdata(zone, serial, **timers))


def text(*strings):
    """TXT rdata."""
    return b"".join(bytes([len(s)]) + s for s in (s.encode() if isinstance(s, str) else s for s in strings))


def under(label, zone):
    """The name LABEL.ZONE; `label` as text, dots and escapes as in zone files."""
    return name_to_wire(label)[:-1] + zone


class Message:
    """One message; what stays None follows from the rest."""

    def __init__(self, ident, zone, qtype, answer=()):
        self.ident, self.flags = ident, QR | AA
        self.question = [(zone, qtype, IN)]
        self.answer, self.authority, self.additional = list(answer), [], []
        self.qdcount = self.ancount = self.nscount = self.arcount = None
        self.tail = b""             # behind the last section
        self.unsigned = False       # sent without TSIG although there is a key
        self.tsig = {}              # what is wrong with the signature, see tsig.py

    def size(self):
        return HEADER + sum(len(n) + 4 for n, _, _ in self.question) + \
            sum(len(r.pack()) for r in self.answer)

    def pack(self):
        counts = [len(section) if count is None else count for section, count in (
            (self.question, self.qdcount), (self.answer, self.ancount),
            (self.authority, self.nscount), (self.additional, self.arcount))]
        return b"".join((
            struct.pack("!6H", self.ident, self.flags, *counts),
            *(name + struct.pack("!HH", qtype, qclass) for name, qtype, qclass in self.question),
            *(r.pack() for r in self.answer), *(r.pack() for r in self.authority),
            *(r.pack() for r in self.additional), self.tail))


@dataclasses.dataclass
class Query:
    """What the secondary asked."""
    wire: bytes
    ident: int
    flags: int
    name: bytes                     # lower case
    qtype: int
    serial: int = None              # of an IXFR: what it has
    tsig_at: int = None             # where its TSIG record begins


def skip_name(wire, at):
    while True:
        length = wire[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if length == 0:
            return at


def parse_query(wire):
    """Raises ValueError, IndexError or struct.error: the other side here is the node under test."""
    ident, flags, questions, answers, authorities, additionals = struct.unpack_from("!6H", wire)
    if questions != 1 or answers != 0 or flags & QR:
        raise ValueError("not a query")
    at = skip_name(wire, HEADER)
    query = Query(wire, ident, flags, wire[HEADER:at].lower(), struct.unpack_from("!H", wire, at)[0])
    at += 4
    for i in range(authorities + additionals):
        start = at
        at = skip_name(wire, at)
        rtype, _, _, length = struct.unpack_from("!HHIH", wire, at)
        at += 10 + length
        if rtype == SOA and i < authorities:
            query.serial = struct.unpack_from("!I", wire, at - 20)[0]
        elif rtype == TSIG:
            query.tsig_at = start
    if at != len(wire):
        raise ValueError("bytes behind the query")
    return query
