# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""TSIG (RFC 8945) as the primary makes it: hmac-sha256, and everything that may be wrong with it."""
import hmac
import struct
import time

from dnswire import name_to_wire
from wire import HEADER, TSIG, skip_name

SHA256 = name_to_wire("hmac-sha256.")
ANY = 255
BADSIG, BADKEY, BADTIME, BADTRUNC = 16, 17, 18, 22


class Key:
    def __init__(self, name, secret):
        self.name, self.secret = name_to_wire(name), secret

    def mac(self, *parts):
        return hmac.new(self.secret, b"".join(parts), "sha256").digest()


def times(when, fudge):
    return struct.pack("!HIH", when >> 32, when & 0xFFFFFFFF, fudge)


def record(name, algorithm, when, fudge, mac, ident, error=0, other=b"", rclass=ANY, ttl=0, mac_len=None):
    rdata = algorithm + times(when, fudge) + \
        struct.pack("!H", len(mac) if mac_len is None else mac_len) + mac + \
        struct.pack("!HHH", ident, error, len(other)) + other
    return name + struct.pack("!HHIH", TSIG, rclass, ttl, len(rdata)) + rdata


def with_record(message, record_wire):
    """The message with one more record at its end."""
    count = struct.unpack_from("!H", message, 10)[0] + 1
    return message[:10] + struct.pack("!H", count & 0xFFFF) + message[HEADER:] + record_wire


def read_record(wire, at):
    """-> name, algorithm, time and fudge (8 bytes), mac, original id."""
    after = skip_name(wire, at)
    name, at = wire[at:after].lower(), after + 10
    after = skip_name(wire, at)
    algorithm, at = wire[at:after].lower(), after
    when, mac_len = wire[at:at + 8], struct.unpack_from("!H", wire, at + 8)[0]
    mac = wire[at + 10:at + 10 + mac_len]
    return name, algorithm, when, mac, wire[at + 10 + mac_len:at + 12 + mac_len]


def variables(key, algorithm, when, fudge, error, other, ttl=0, rclass=ANY):
    return key.name + struct.pack("!HI", rclass, ttl) + algorithm + times(when, fudge) + \
        struct.pack("!HH", error, len(other)) + other


def verify_query(key, query):
    """Raises ValueError when the query is not signed with the key. -> its MAC."""
    if query.tsig_at is None:
        raise ValueError("the query is not signed")
    name, algorithm, when, mac, original = read_record(query.wire, query.tsig_at)
    count = struct.unpack_from("!H", query.wire, 10)[0] - 1
    bare = original + query.wire[2:10] + struct.pack("!H", count) + query.wire[HEADER:query.tsig_at]
    stamp, fudge = int.from_bytes(when[:6], "big"), int.from_bytes(when[6:], "big")
    wanted = key.mac(bare, variables(key, algorithm, stamp, fudge, 0, b""))
    if name != key.name or algorithm != SHA256 or not hmac.compare_digest(mac, wanted):
        raise ValueError("the query's signature is wrong")
    if abs(time.time() - stamp) > fudge:
        raise ValueError("the query's signature is of another time")
    return mac


class Signer:
    """Signs the messages of one answer in order (RFC 8945 5.3.1)."""

    def __init__(self, key, request_mac):
        self.key, self.prior, self.first, self.unsigned = key, request_mac, True, b""

    def skip(self, message):
        """A message that goes out unsigned is covered by the next signature."""
        self.unsigned += message
        return message

    def sign(self, message, late=0, fudge=300, error=0, other=b"", name=None, algorithm=SHA256, mac=None,
             key=None, ttl=0, rclass=ANY, mac_len=None, cover=None):
        """`late` shifts the time, `mac` changes the MAC that is sent, `key` signs instead of ours, `cover` is what
        is signed instead of the message; the rest is the record's."""
        key = key or self.key
        when = int(time.time()) + late
        tail = variables(key, algorithm, when, fudge, error, other) if self.first else times(when, fudge)
        right = key.mac(struct.pack("!H", len(self.prior)), self.prior, self.unsigned,
                        message if cover is None else cover, tail)
        self.prior, self.first, self.unsigned = right, False, b""
        sent = right if mac is None else mac(right)
        return with_record(message, record(name or key.name, algorithm, when, fudge, sent,
                                           struct.unpack_from("!H", message)[0], error, other, rclass, ttl,
                                           mac_len))


def sign_notify(key, message):
    """A whole message of ours that answers nothing."""
    when = int(time.time())
    mac = key.mac(message, variables(key, SHA256, when, 300, 0, b""))
    return with_record(message, record(key.name, SHA256, when, 300, mac, struct.unpack_from("!H", message)[0]))
