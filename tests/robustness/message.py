# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The pieces malformed messages are made of, and the record of one case. A case's message has no id:
# whoever sends it puts one in front. Standard library only.
import collections
import struct

from dnswire import TYPE, name_to_wire

# group: what stands in README.md where the servers disagree; body: the message behind its id; cut: how
# much of the message is sent (None: all); udp: whether it also goes over UDP.
Case = collections.namedtuple("Case", "group text body cut udp", defaults=(None, True))

UDP_MAX = 1400                             # one frame: a fragment is dropped before it is DNS
IN, CH, HS, NONE, ANY = 1, 3, 4, 254, 255
ORIGINS = ["plain.robust.", "nsec.robust.", "nsec3.robust."]


def wire(case, ident):
    message = struct.pack("!H", ident) + case.body
    return message if case.cut is None else message[:case.cut]


def name(text):
    return name_to_wire(text)


def question(owner=None, qtype=TYPE["SOA"], qclass=IN):
    owner = name(ORIGINS[0]) if owner is None else owner
    return owner + struct.pack("!HH", qtype & 0xFFFF, qclass)


def body(flags=0, counts=(1, 0, 0, 0), rest=None):
    return struct.pack("!5H", flags, *counts) + (question() if rest is None else rest)


def record(owner, rtype, rclass=IN, ttl=0, rdata=b"", rdlen=None):
    return owner + struct.pack("!HHIH", rtype, rclass, ttl,
                               len(rdata) if rdlen is None else rdlen) + rdata


def option(code, data=b"", length=None):
    return struct.pack("!HH", code, len(data) if length is None else length) + data


def opt(options=b"", size=1232, version=0, flags=0, rcode=0, owner=b"\0", rdlen=None):
    ttl = rcode << 24 | version << 16 | flags
    return record(owner, 41, size, ttl, options, rdlen)


def tsig_rdata(algorithm=name("hmac-sha256."), mac=b"m" * 32, mac_len=None, other=b"",
               other_len=None, time=1700000000, error=0):
    return (algorithm + struct.pack("!HIH", time >> 32, time & 0xFFFFFFFF, 300) +
            struct.pack("!H", len(mac) if mac_len is None else mac_len) + mac +
            struct.pack("!HHH", 0, error, len(other) if other_len is None else other_len) + other)


def tsig(rdata=None, owner=name("unknown-key."), rclass=ANY, ttl=0, rdlen=None):
    return record(owner, 250, rclass, ttl, tsig_rdata() if rdata is None else rdata, rdlen)


def soa_rdata(serial=1):
    return name("ns.") + name("host.") + struct.pack("!5I", serial, 60, 10, 3600, 30)


A = record(name(ORIGINS[0]), TYPE["A"], IN, 60, b"\xc0\0\2\1")
