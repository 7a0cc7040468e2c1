# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""The zone of one case: a version is a serial and a source, and every name of it says both, so that an answer
tells which version it is of and from whom that came."""
import asyncio
import collections

import wire
from dnswire import name_to_wire

HOSTS = 6
OLD, NEW, GOOD = 1000, 2000, 3000

Variant = collections.namedtuple("Variant", "form signed")
VARIANTS = [Variant(form, signed) for form in ("axfr", "ixfr") for signed in (False, True)]


class Zone:
    """`form` is how the evil primary is asked: for a whole zone, since the version before came from the good
    one, or for a difference, since it came from itself."""

    def __init__(self, case, variant, number, key, member=None):
        """`member`: of a crowd of zones with few primaries."""
        self.case, self.form = case, variant.form
        self.key = key if variant.signed else None
        self.number = number
        self.domain = "%s%s.%s%s.test." % (case.name, "" if member is None else "-%d" % member, self.form,
                                           "-tsig" if variant.signed else "")
        self.wire = name_to_wire(self.domain)
        host = "%d.%d" % (number // 200, number % 200 + 1)
        self.evil_address, self.good_address = "198.18." + host, "198.19." + host
        if member is not None:
            self.evil_address = "198.18.250.%d" % (member // 10 + 1)
        self.old, self.new, self.good = case.serials
        self.first_source = "evil" if self.form == "ixfr" else "good"
        self.armed = False              # the evil primary is evil
        self.ports = set()              # at which it was
        self.exchanges = []             # what it was asked since: "AXFR", "IXFR", "SOA"
        self.good_serial = self.old
        self.asked, self.released = asyncio.Event(), asyncio.Event()
        self.released.set()

    def text(self, serial, source):
        return "%d %s" % (serial, source)

    def soa(self, serial, **timers):
        return wire.soa(self.wire, serial, **{**self.case.timers, **timers})

    def texts(self, serial, source):
        rdata = wire.text(self.text(serial, source))
        owners = [self.wire] + [wire.under("h%d" % i, self.wire) for i in range(HOSTS)]
        return [wire.Record(owner, wire.TXT, rdata) for owner in owners]

    def skeleton(self):
        ns1 = wire.under("ns1", self.wire)
        return [wire.Record(self.wire, wire.NS, ns1), wire.Record(ns1, wire.A, bytes([192, 0, 2, 1]))]

    def records(self, serial, source):
        """Without the SOA."""
        return self.skeleton() + self.texts(serial, source) + list(self.case.always(self))

    def names(self):
        """To be asked for TXT: every one tells the version."""
        return [self.wire] + [wire.under("h%d" % i, self.wire) for i in range(HOSTS)]
