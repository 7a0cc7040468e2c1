# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""What a case is, and how one is written down:

    @case("wrong-id", "message with another id")
    async def wrong_id(x):
        messages = x.answer()
        messages[0].ident ^= 1
        await x.send(messages)

The function answers the transfer; `reason` is a pattern that one of the node's reasons matches. By default a case
is run as AXFR and as IXFR, each with TSIG and without, and must change nothing that is served."""
import dataclasses
import re
import typing

import wire
import zone as zones

SHRINKS = ("shrink-limit: off",)      # the good version is so much smaller
FAILS, SERVED = "fails", "served"   # the next primary's version is served; or the evil one's is, being right


def nothing(_):
    return ()


@dataclasses.dataclass
class Case:
    name: str
    reason: typing.Optional[str]        # None: nothing need be said
    transfer: typing.Callable = None    # async (Exchange): how the transfer is answered
    expect: str = FAILS
    forms: tuple = ("axfr", "ixfr")
    signed: tuple = (False, True)
    serials: tuple = (zones.OLD, zones.NEW, zones.GOOD)
    timers: dict = dataclasses.field(default_factory=dict)
    soa: typing.Callable = None         # (Exchange, tcp) -> bytes: how an SOA query is answered
    greet: typing.Callable = None       # async (Exchange): before anything was asked
    always: typing.Callable = nothing   # (Zone) -> further records of every version
    hint: bool = True                   # the NOTIFY names the new serial
    config: tuple = ()                  # words of the zone's configuration
    check: typing.Callable = None       # async (judge, zone): once the version expected is served
    act: typing.Callable = None         # async (judge, zone): instead of one NOTIFY
    seconds: float = 20                 # until the next primary is asked
    tls: bool = False                   # the evil primary is asked over TLS
    flood: bool = False                 # ... at the server of tls_flood.py: `x.writer` is its Link
    crowd: int = 0                      # so many zones at once, ten to an evil primary

    def variants(self):
        return [v for v in zones.VARIANTS if v.form in self.forms and v.signed in self.signed]

    def said(self, reasons):
        return self.reason is None or any(re.search(self.reason, reason) for reason in reasons)


CASES = []


def case(name, reason, **words):
    """Decorates the function that answers the transfer."""
    def add(transfer):
        CASES.append(Case(name, reason, transfer, **words))
        return transfer
    return add


def ixfr_case(name, reason, **words):
    """A wrong difference; asked for the whole zone the primary refuses, so that the next one is needed."""
    def add(answer):
        async def transfer(x):
            if x.incremental:
                await answer(x)
            else:
                await x.rcode(wire.REFUSED)
        CASES.append(Case(name, reason, transfer, forms=("ixfr",), **words))
        return answer
    return add


def content_case(name, reason, records, **words):
    """records(zone): what is in the zone, or comes with the difference, beside what belongs there."""
    async def transfer(x):
        await x.send(x.answer(records(x.zone), per_message=50))
    CASES.append(Case(name, reason, transfer, **words))
