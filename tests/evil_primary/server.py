# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""A DNS primary on asyncio, for any number of addresses: TCP and UDP on port 53, NOTIFY out. Who is asked, the
evil primary of a zone or its good one, the address says. Standard library only."""
import asyncio
import os
import random
import socket
import ssl
import struct

import tls_flood
import tsig
import wire

PKTINFO = getattr(socket, "IP_PKTINFO", 8)
PORT, TLS_PORT = 53, 853


def packed(message, signer):
    data = message.pack()
    if signer is None:
        return data
    return signer.skip(data) if message.unsigned else signer.sign(data, **message.tsig)


class Exchange:
    """One question to a primary, and the means to answer it: rightly by default."""

    def __init__(self, zone, query, signer, writer=None):
        self.zone, self.query, self.signer, self.writer = zone, query, signer, writer
        self.incremental = query.qtype == wire.IXFR
        self.old, self.new = zone.old, zone.new

    # --- messages

    def message(self, answer=(), **fields):
        message = wire.Message(self.query.ident, self.zone.wire, self.query.qtype, answer)
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    def messages(self, records, per_message=4):
        return [self.message(records[i:i + per_message]) for i in range(0, len(records), per_message)]

    def whole_records(self, extra=(), serial=None, source="evil"):
        serial = self.new if serial is None else serial
        soa = self.zone.soa(serial)
        return [soa, *self.zone.records(serial, source), *extra, soa]

    def difference_records(self, extra=(), gone=()):
        """From the old version of this primary to its new one."""
        zone, last, first = self.zone, self.zone.soa(self.new), self.zone.soa(self.old)
        return [last, first, *zone.texts(self.old, zone.first_source), *gone,
                last, *zone.texts(self.new, "evil"), *extra, last]

    def answer_records(self, extra=()):
        return self.difference_records(extra) if self.incremental else self.whole_records(extra)

    def answer(self, extra=(), per_message=4):
        """The right answer, as messages that may be spoilt before they are sent."""
        return self.messages(self.answer_records(extra), per_message)

    # --- the wire

    async def send(self, messages):
        for message in messages if isinstance(messages, list) else [messages]:
            await self.frame(packed(message, self.signer))

    async def frame(self, data):
        await self.raw(struct.pack("!H", len(data)) + data)

    async def raw(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def rcode(self, rcode):
        await self.send(self.message(flags=wire.QR | rcode))

    async def linger(self, seconds=60):
        """Keeps the connection until the other side ends it."""
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(self.writer.reader.read(1), seconds)
        except asyncio.TimeoutError:
            pass

    def beneath(self, data):
        """Past TLS, right into the TCP connection."""
        os.write(self.writer.get_extra_info("socket").fileno(), data)

    def reset(self):
        stream = self.writer.get_extra_info("socket")
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Server:
    """`behaviour.transfer(exchange, evil)` answers a transfer, `behaviour.soa(exchange, evil, tcp)` gives the bytes that
    answer an SOA query, or None."""

    def __init__(self, zones, behaviour):
        self.zones = {}                 # (address, name) -> (zone, evil?)
        for zone in zones:
            self.zones[zone.evil_address, zone.wire] = (zone, True)
            self.zones[zone.good_address, zone.wire] = (zone, False)
        self.greeters = {zone.evil_address: zone for zone in zones if zone.case.greet is not None}
        self.behaviour = behaviour
        self.errors = []                # of our own, and what the node did wrong
        self.notify_replies = {}        # (address, id) -> future
        self.datagrams = self.listener = self.tls_listener = None
        self.tls = any(zone.case.tls for zone in zones)
        self.flood = any(zone.case.flood for zone in zones)
        self.conversations = set()

    async def open(self):
        self.listener = await asyncio.start_server(self.connected, "0.0.0.0", PORT, backlog=512, limit=1 << 17)
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.environ["EVIL_CERT"])
            context.set_alpn_protocols(["dot"])
            self.tls_listener = await asyncio.start_server(
                self.connected, "0.0.0.0", TLS_PORT, backlog=512, limit=1 << 17, ssl=context)
        if self.flood:
            tls_flood.Listener(self)
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.setsockopt(socket.IPPROTO_IP, PKTINFO, 1)
        self.datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.datagrams.bind(("0.0.0.0", PORT))
        self.datagrams.setblocking(False)
        asyncio.get_running_loop().add_reader(self.datagrams, self.datagram)

    async def close(self):
        """Ends what still goes on, so that nothing complains of it later."""
        self.listener.close()
        if self.tls_listener is not None:
            self.tls_listener.close()
        for task in self.conversations:
            task.cancel()
        await asyncio.gather(*self.conversations, return_exceptions=True)

    def exchange(self, address, data, writer=None):
        """-> Exchange, evil?"""
        query = wire.parse_query(data)
        zone, evil = self.zones[address, query.name]
        signer = None
        if zone.key is not None:
            signer = tsig.Signer(zone.key, tsig.verify_query(zone.key, query))
        elif query.tsig_at is not None:
            raise ValueError("signed, but no key was configured")
        if evil and zone.armed:
            zone.ports.add(TLS_PORT if writer is not None and writer.get_extra_info("ssl_object") else PORT)
            zone.exchanges.append({wire.AXFR: "AXFR", wire.IXFR: "IXFR"}.get(query.qtype, "SOA"))
        return Exchange(zone, query, signer, writer), evil

    async def connected(self, reader, writer):
        address = writer.get_extra_info("sockname")[0]
        writer.reader = reader
        self.conversations.add(asyncio.current_task())
        try:
            zone = self.greeters.get(address)
            if zone is not None and zone.armed:
                zone.exchanges.append("greeted")
                await zone.case.greet(Exchange(zone, wire.Query(b"", 0, 0, zone.wire, wire.AXFR), None, writer))
            while True:
                length = struct.unpack("!H", await reader.readexactly(2))[0]
                exchange, evil = self.exchange(address, await reader.readexactly(length), writer)
                if exchange.query.qtype in (wire.AXFR, wire.IXFR):
                    await self.behaviour.transfer(exchange, evil)
                    break
                data = self.behaviour.soa(exchange, evil, True)
                if data is None:
                    break
                await exchange.frame(data)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass                        # the node has had enough
        except Exception as error:      # a case that breaks is a failure of the run
            self.errors.append("%s: %r" % (address, error))
        finally:
            self.conversations.discard(asyncio.current_task())
            writer.close()

    def datagram(self):
        while True:
            try:
                data, ancillary, _, source = self.datagrams.recvmsg(65535, 128)
            except BlockingIOError:
                return
            address = socket.inet_ntoa(ancillary[0][2][8:12])
            try:
                if data[2] & 0x80:
                    future = self.notify_replies.pop((address, data[:2]), None)
                    if future and not future.done():
                        future.set_result(data[3] & 15)
                    continue
                reply = self.behaviour.soa(*self.exchange(address, data), False)
            except Exception as error:
                self.errors.append("%s: %r" % (address, error))
                continue
            if reply is not None:
                self.send_from(address, reply, source)

    def send_from(self, address, data, target):
        info = struct.pack("=I4s4s", 0, socket.inet_aton(address), b"\0" * 4)
        self.datagrams.sendmsg([data], [(socket.IPPROTO_IP, PKTINFO, info)], 0, target)

    def notify_message(self, zone, serial):
        message = wire.Message(random.randrange(65536), zone.wire, wire.SOA,
                               [] if serial is None else [zone.soa(serial)])
        message.flags = 4 << 11 | wire.AA
        data = message.pack()
        return data if zone.key is None else tsig.sign_notify(zone.key, data)

    async def notify(self, zone, address, serial, target):
        """-> the RCODE of the reply; tells again for as long as none comes (RFC 1996 3.6)."""
        for _ in range(20):
            data = self.notify_message(zone, serial)
            future = asyncio.get_running_loop().create_future()
            self.notify_replies[address, data[:2]] = future
            self.send_from(address, data, target)
            try:
                return await asyncio.wait_for(future, 0.5)
            except asyncio.TimeoutError:
                self.notify_replies.pop((address, data[:2]), None)
        raise TimeoutError("nobody answers the NOTIFY for " + zone.domain)
