# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""What the two primaries of a zone do with a question. The evil one is harmless until it is armed: it serves the
first version where differences are to be asked of it, else it refuses, so that the good one's is taken."""
import wire
from server import packed


def soa_answer(exchange, serial, **fields):
    return packed(exchange.message([exchange.zone.soa(serial)], **fields), exchange.signer)


def refusal(exchange):
    return packed(exchange.message(flags=wire.QR | wire.REFUSED), exchange.signer)


class Behaviour:
    def soa(self, exchange, evil, tcp):
        zone = exchange.zone
        if not evil:
            return soa_answer(exchange, zone.good_serial)
        if zone.armed and zone.case.soa is not None:
            return zone.case.soa(exchange, tcp)
        if zone.armed:
            return soa_answer(exchange, zone.new)
        return soa_answer(exchange, zone.old) if zone.form == "ixfr" else refusal(exchange)

    async def transfer(self, exchange, evil):
        zone = exchange.zone
        if not evil:
            await self.good(exchange)
        elif zone.armed:
            await zone.case.transfer(exchange)
        elif zone.form == "ixfr":
            await exchange.send(exchange.messages(exchange.whole_records((), zone.old), 100))
        else:
            await exchange.rcode(wire.REFUSED)

    async def good(self, exchange):
        """Whole, or one SOA when there is nothing newer. Waits for the judge, who looks at the node meanwhile."""
        zone = exchange.zone
        if not zone.released.is_set():
            zone.asked.set()
            await zone.released.wait()
        if exchange.incremental and exchange.query.serial == zone.good_serial:
            await exchange.send(exchange.message([zone.soa(zone.good_serial)]))
            return
        await exchange.send(exchange.messages(
            exchange.whole_records((), zone.good_serial, "good"), 100))
