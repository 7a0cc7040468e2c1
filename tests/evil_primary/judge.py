# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""Runs cases against a node and says what it did wrong. One case is one zone with two primaries:

    1  the first version is served (from the evil primary, where a difference is to be asked of it; else from the
       good one)
    2  the evil primary is armed and sends NOTIFY; the good one has a newer version, and holds it back
    3  once the good one is asked: the first version is served, whole; `npctl zone status` has the reason
    4  the good one lets go: its version is served, whole

A case whose zone is right though odd ends with the evil primary's version instead, and then the good one's."""
import asyncio
import json
import random
import socket
import time

import dnswire
import wire
import case as cases


class Wrong(Exception):
    """What the node did is not what the case wants."""


class Resolver:
    """Questions over UDP, any number under way."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.setblocking(False)
        self.socket.connect((address, 53))
        self.pending = {}
        asyncio.get_running_loop().add_reader(self.socket, self.readable)

    def readable(self):
        while True:
            try:
                data = self.socket.recv(65535)
            except OSError:
                return
            future = self.pending.pop(data[:2], None)
            if future and not future.done():
                future.set_result(data)

    async def ask(self, name, qtype):
        for _ in range(30):
            ident = random.randrange(65536)
            while ident.to_bytes(2, "big") in self.pending:
                ident = random.randrange(65536)
            future = asyncio.get_running_loop().create_future()
            self.pending[ident.to_bytes(2, "big")] = future
            try:
                self.socket.send(dnswire.query(name, qtype, ident, edns=4096))
                return dnswire.Message(await asyncio.wait_for(future, 0.5))
            except asyncio.TimeoutError:
                self.pending.pop(ident.to_bytes(2, "big"), None)
            except OSError:                     # nobody listens yet
                self.pending.pop(ident.to_bytes(2, "big"), None)
                await asyncio.sleep(0.5)
        raise Wrong("the data plane does not answer")


class Judge:
    """`npctl` is a command; `control` where the control plane takes NOTIFY: (address, port)."""

    def __init__(self, server, address, tcp_address, npctl, control):
        self.server, self.control = server, control
        self.resolver, self.tcp_address = Resolver(address), tcp_address
        self.npctl = npctl

    # --- what is served

    async def serial(self, zone):
        reply = await self.resolver.ask(zone.wire, wire.SOA)
        return reply.soa_serial() if reply.rcode == 0 else None

    async def version(self, zone):
        """What each name says: a set of texts; one element when the version is whole."""
        seen = set()
        for name in zone.names():
            reply = await self.resolver.ask(name, wire.TXT)
            texts = [r[4][1:].decode() for r in reply.answer if r[1] == wire.TXT]
            seen.add(" & ".join(texts) if reply.rcode == 0 and texts else "rcode %d" % reply.rcode)
        return seen

    async def serves(self, zone, serial, source):
        """Whole, and with the SOA that belongs to it."""
        seen, wanted = await self.version(zone), {zone.text(serial, source)}
        if seen != wanted:
            raise Wrong("served is %s, not %s" % (sorted(seen), sorted(wanted)))
        if await self.serial(zone) != serial:
            raise Wrong("the SOA is of serial %s, the records of %d" % (await self.serial(zone), serial))

    async def becomes(self, zone, serial, source, seconds):
        limit = time.monotonic() + seconds
        while await self.serial(zone) != serial:
            if time.monotonic() > limit:
                raise Wrong("serial %d is not served after %g s: %s" % (
                    serial, seconds, await self.told(zone) if self.npctl else ""))
            await asyncio.sleep(0.02)
        await self.serves(zone, serial, source)

    async def answers(self, zone, record):
        """The node answers this very record, over TCP: some are large."""
        reader, writer = await asyncio.open_connection(self.tcp_address, 53)
        query = dnswire.query(record.owner.lower(), record.type, 7, None)
        writer.write(len(query).to_bytes(2, "big") + query)
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        writer.close()
        found = [r[4] for r in dnswire.Message(reply).answer if r[1] == record.type]
        if record.rdata.lower() not in [rdata.lower() for rdata in found]:
            raise Wrong("%s TYPE%d is answered with %s" % (dnswire.name_to_text(record.owner), record.type, found))

    # --- what is said

    async def status(self, zone):
        process = await asyncio.create_subprocess_exec(
            *self.npctl, "zone", "status", zone.domain, "--json", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return json.loads(out)["zones"][0]

    async def reasons(self, zone):
        """The newest first; one the control plane does not say any more is one of the recent failures."""
        status = await self.status(zone)
        reasons = [status["error"]] if status["error"] else []
        return reasons + [failure["error"] for failure in status["recent-failures"]]

    async def told(self, zone):
        status = await self.status(zone)
        return "state %s, phase %s, %s; the evil primary was asked %s" % (
            status["state"], status["phase"], await self.reasons(zone), zone.exchanges)

    async def asked_so_far(self, zone, most):
        if len(zone.exchanges) > most:
            raise Wrong("the evil primary was asked %d times: %s" % (len(zone.exchanges), zone.exchanges[:60]))

    async def asked_at_most(self, zone, seconds, questions):
        before = len(zone.exchanges)
        await asyncio.sleep(seconds)
        if len(zone.exchanges) - before > questions:
            raise Wrong("%d questions in %g s" % (len(zone.exchanges) - before, seconds))

    # --- a case

    async def notify(self, zone, evil=True):
        serial = zone.new if evil else zone.good_serial
        rcode = await self.server.notify(zone, zone.evil_address if evil else zone.good_address,
                                         serial if zone.case.hint or not evil else None, self.control)
        if rcode != 0:
            raise Wrong("a NOTIFY was answered with RCODE %d" % rcode)

    async def fails(self, zone):
        """-> the reason that matched."""
        try:
            await asyncio.wait_for(zone.asked.wait(), zone.case.seconds)
        except asyncio.TimeoutError:
            raise Wrong("the next primary is not asked within %g s: %s" % (
                zone.case.seconds, await self.told(zone)))
        await self.serves(zone, zone.old, zone.first_source)
        if not zone.exchanges:
            raise Wrong("the evil primary was not asked")
        reasons = await self.reasons(zone)
        if not zone.case.said(reasons):
            raise Wrong("no reason matches %r: %s" % (zone.case.reason, reasons))
        if any(ord(c) < 0x20 for reason in reasons for c in reason):
            raise Wrong("a reason with a control character: %r" % reasons)
        zone.released.set()
        await self.becomes(zone, zone.good, "good", 20)
        if not zone.case.said(await self.reasons(zone)):
            raise Wrong("the reason is forgotten: %s" % await self.reasons(zone))
        return next((r for r in reasons if zone.case.reason and zone.case.said([r])), "")

    async def equal(self, zone):
        """The evil primary has what is served, so the round ends there."""
        zone.released.set()
        limit = time.monotonic() + 10
        while not zone.exchanges and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        if not zone.exchanges:
            raise Wrong("the evil primary was not asked")
        await self.serves(zone, zone.old, zone.first_source)
        await self.notify(zone, evil=False)
        await self.becomes(zone, zone.good, "good", 20)

    async def served(self, zone):
        await self.becomes(zone, zone.new, "evil", zone.case.seconds)
        if zone.case.check is not None:
            await zone.case.check(self, zone)
        zone.released.set()
        await self.notify(zone, evil=False)
        await self.becomes(zone, zone.good, "good", 20)

    async def watch(self, zone):
        """For a server that is not the node: -> which primary's version it took, `old` for neither, `none` when it did
        not even have the first one."""
        try:
            await self.becomes(zone, zone.old, zone.first_source, 20)
        except Wrong:
            return "none"
        zone.good_serial, zone.armed = zone.good, True
        limit = time.monotonic() + 15
        try:
            await (zone.case.act or Judge.notify)(self, zone)
            while await self.serial(zone) == zone.old and time.monotonic() < limit:
                await asyncio.sleep(0.02)
            seen = await self.version(zone)
        except (Wrong, TimeoutError):       # it answers nothing at all, or no NOTIFY
            return "silent"
        for word, serial, source in (("old", zone.old, zone.first_source), ("evil", zone.new, "evil"),
                                     ("good", zone.good, "good")):
            if seen == {zone.text(serial, source)}:
                return word
        return "mixed: %s" % sorted(seen)

    async def run(self, zone):
        """Raises Wrong. -> what was said."""
        await self.becomes(zone, zone.old, zone.first_source, 30)
        zone.good_serial = zone.good
        zone.released.clear()
        zone.armed = True
        try:
            await (zone.case.act or Judge.notify)(self, zone)
            if zone.case.expect == cases.FAILS:
                said = await self.fails(zone)
                if zone.case.check is not None:
                    await zone.case.check(self, zone)
                return said
            await (self.served if zone.case.expect == cases.SERVED else self.equal)(zone)
            return ""
        finally:
            zone.released.set()
