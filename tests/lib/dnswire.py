# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# A strict reader of DNS messages and a writer of queries, for the tests: every byte is accounted
# for, and whatever a careful resolver would refuse raises WireError. Standard library only.
import struct

TYPE = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "RP": 17,
        "AFSDB": 18, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "KX": 36, "DNAME": 39, "DS": 43,
        "SSHFP": 44, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "TLSA": 52, "SVCB": 64, "HTTPS": 65,
        "AXFR": 252, "ANY": 255, "CAA": 257}
TYPE_NAME = {number: name for name, number in TYPE.items()}
OPT = 41

# Where names lie in rdata that may arrive compressed: counts of plain bytes and "n" for a name.
# Everything else is compared byte for byte.
NAMES_IN = {2: "n", 3: "n", 4: "n", 5: "n", 6: ("n", "n", 20), 7: "n", 8: "n", 9: "n", 12: "n",
            14: ("n", "n"), 15: (2, "n"), 17: ("n", "n"), 18: (2, "n"), 21: (2, "n"),
            33: (6, "n"), 36: (2, "n"), 39: "n"}


class WireError(Exception):
    """The message is not well formed."""


def name_to_wire(text):
    if text == ".":
        return b"\0"
    out, label, i = bytearray(), bytearray(), 0
    if not text.endswith(".") or text.endswith("\\."):
        text += "."
    while i < len(text):
        c = text[i]
        if c == "\\":
            if text[i + 1:i + 4].isdigit() and len(text[i + 1:i + 4]) == 3:
                label.append(int(text[i + 1:i + 4]))
                i += 4
            else:
                label += text[i + 1].encode("latin-1")
                i += 2
            continue
        if c == ".":
            if not 0 < len(label) < 64:
                raise WireError("label of %d bytes in %r" % (len(label), text))
            out.append(len(label))
            out += label
            label.clear()
        else:
            label += c.encode("latin-1")
        i += 1
    out.append(0)
    if len(out) > 255:
        raise WireError("name of %d bytes" % len(out))
    return bytes(out)


def name_to_text(wire):
    if wire == b"\0":
        return "."
    text, i = "", 0
    while wire[i]:
        for byte in wire[i + 1:i + 1 + wire[i]]:
            if byte in b'."();@$\\':
                text += "\\" + chr(byte)
            else:
                text += chr(byte) if 0x20 < byte < 0x7f else "\\%03d" % byte
        text += "."
        i += 1 + wire[i]
    return text


def query(name, qtype, ident, edns=1232, flags=0, qclass=1, do=False):
    """`name` in wire form; edns None for none, else the payload size."""
    message = struct.pack("!6H", ident, flags, 1, 0, 0, 0 if edns is None else 1)
    message += name + struct.pack("!HH", qtype, qclass)
    if edns is not None:
        message += b"\0" + struct.pack("!HHIH", OPT, edns, 0x8000 if do else 0, 0)
    return message


def read_name(message, at):
    """-> (uncompressed wire name, offset after it). Pointers must point strictly backwards."""
    out, after, limit = bytearray(), None, at
    while True:
        if at >= len(message):
            raise WireError("name past the end")
        length = message[at]
        if length >= 0xC0:
            if at + 1 >= len(message):
                raise WireError("pointer past the end")
            target = (length & 0x3F) << 8 | message[at + 1]
            if after is None:
                after = at + 2
            if target >= limit:
                raise WireError("pointer that does not point backwards")
            at = limit = target
            continue
        if length >= 0x40:
            raise WireError("label type %#x" % (length >> 6))
        if at + 1 + length > len(message):
            raise WireError("label past the end")
        out += message[at:at + 1 + length]
        at += 1 + length
        if len(out) > 255:
            raise WireError("name over 255 bytes")
        if length == 0:
            return bytes(out), at if after is None else after


def read_rdata(message, at, length, rtype):
    """Rdata with its names expanded and lower-cased, so that equal data compares equal."""
    layout = NAMES_IN.get(rtype)
    if layout is None:
        return message[at:at + length]
    end, out = at + length, b""
    for part in layout:
        if part == "n":
            name, at = read_name(message, at)
            out += name.lower()
        else:
            out += message[at:at + part]
            at += part
    if at != end:
        raise WireError("rdata of type %d does not fill its length" % rtype)
    return out


class Message:
    """A parsed message; the sections are lists of (owner, type, class, ttl, rdata). `repeats`: a record may
    stand twice in a section, as some servers have it where a chain comes back to where it was."""

    def __init__(self, wire, repeats=False):
        self.repeats = repeats
        if len(wire) < 12:
            raise WireError("%d bytes are no message" % len(wire))
        self.ident, self.flags, questions, answers, authorities, additionals = \
            struct.unpack_from("!6H", wire)
        at, self.question = 12, []
        for _ in range(questions):
            name, at = read_name(wire, at)
            if at + 4 > len(wire):
                raise WireError("question past the end")
            self.question.append((name,) + struct.unpack_from("!HH", wire, at))
            at += 4
        self.opt = None
        self.answer, at = self._section(wire, at, answers)
        self.authority, at = self._section(wire, at, authorities)
        self.additional, at = self._section(wire, at, additionals, additional=True)
        if at != len(wire):
            raise WireError("%d bytes after the message" % (len(wire) - at))
        self.size = len(wire)
        self.rcode = self.flags & 15
        if self.opt:
            self.rcode |= self.opt[1] >> 24 << 4
        self.aa, self.tc = bool(self.flags & 0x400), bool(self.flags & 0x200)

    def _section(self, wire, at, count, additional=False):
        records = []
        for _ in range(count):
            owner, at = read_name(wire, at)
            if at + 10 > len(wire):
                raise WireError("record past the end")
            rtype, rclass, ttl, length = struct.unpack_from("!HHIH", wire, at)
            at += 10
            if at + length > len(wire):
                raise WireError("rdata past the end")
            if rtype == OPT:
                if not additional or self.opt or owner != b"\0":
                    raise WireError("misplaced OPT")
                self.opt = (rclass, ttl, wire[at:at + length])
            else:
                records.append((owner.lower(), rtype, rclass, ttl,
                                read_rdata(wire, at, length, rtype)))
            at += length
        if not self.repeats and len(set(records)) != len(records):
            raise WireError("a record twice in one section")
        return records, at

    def soa_serial(self):
        for records in (self.answer, self.authority):
            for _, rtype, _, _, rdata in records:
                if rtype == 6:
                    return struct.unpack_from("!I", rdata, len(rdata) - 20)[0]
        return None


def record_text(record):
    owner, rtype, _, ttl, rdata = record
    return "%s %d %s %s" % (name_to_text(owner), ttl,
                            TYPE_NAME.get(rtype, "TYPE%d" % rtype), rdata.hex())
