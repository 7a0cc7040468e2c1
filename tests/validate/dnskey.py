# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Key signing keys out of signed zone files, and the DS of one (RFC 4034 5.1.4, appendix B).
import base64
import hashlib
import struct

import dnswire


def keys(path):
    """(flags, protocol, algorithm, base64) of every key signing key in a file of one record a line."""
    found = []
    for line in open(path, encoding="latin-1"):
        words = line.split(";")[0].replace("(", " ").replace(")", " ").split()
        if "DNSKEY" in words:
            at = words.index("DNSKEY")
            if words[at + 1:at + 2] == ["257"]:
                found.append((257, int(words[at + 2]), int(words[at + 3]), "".join(words[at + 4:])))
    if not found:
        raise SystemExit("%s holds no key signing key" % path)
    return found


def text(key):
    return "%d %d %d %s" % key


def tag(rdata):
    total = sum(byte << 8 if i % 2 == 0 else byte for i, byte in enumerate(rdata))
    return (total + (total >> 16)) & 0xFFFF


def ds(origin, key, wrong=False):
    """SHA-256; `wrong`: of a key that nobody has."""
    rdata = struct.pack("!HBB", *key[:3]) + base64.b64decode(key[3])
    digest = hashlib.sha256(dnswire.name_to_wire(origin).lower() + rdata + b"x" * wrong).hexdigest()
    return "%d %d 2 %s" % (tag(rdata), key[2], digest)
