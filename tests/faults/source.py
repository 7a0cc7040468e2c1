# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""A primary of one zone that changes when it is told to, and a client that reads it without pause. Every name says
the serial at which it changed last, so that an answer of two versions, or of one that was never there, is seen."""
import bisect
import os
import random
import socket
import struct
import threading
import time

import dnswire
import tsig
import wire

ZONE = wire.name_to_wire("faults.test.")
PORT = 5300
RECORDS_MAX = 1000      # of one message
SILENCE_S = float(os.environ.get("FAULTS_SILENCE_S", "1"))     # no answer for so long is a fault


def soa(serial):
    """Retried soon: a fault must not leave the zone behind for longer than the test waits."""
    return wire.soa(ZONE, serial, refresh=2, retry=1)


class Source:
    """`whole`: answers a question for a difference with the zone. Each version changes `part` of the names and the apex."""

    def __init__(self, address, control, key, hosts, part):
        self.owners = [ZONE] + [wire.under("h%d" % i, ZONE) for i in range(hosts)]
        self.said = [[1] for _ in self.owners]  # the serials at which each changed
        self.part = part
        self.control, self.key, self.serial, self.whole = control, key, 1, True
        self.acknowledged = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, PORT))
        self.tcp = socket.create_server((address, PORT), backlog=64)
        for serve in (self.serve_udp, self.serve_tcp, self.tell):
            threading.Thread(target=serve, daemon=True).start()

    def text(self, index, serial):
        """What a name says in that version."""
        said = self.said[index]
        return wire.Record(self.owners[index], wire.TXT, wire.text(str(said[bisect.bisect(said, serial) - 1])))

    def upto(self, index, value):
        """The last version in which a name says `value`; None: it never did."""
        said = self.said[index]
        at = bisect.bisect_left(said, value)
        if at == len(said) or said[at] != value:
            return None
        return said[at + 1] - 1 if at + 1 < len(said) else self.serial

    def records(self, query):
        serial, last = self.serial, soa(self.serial)
        if query.qtype == wire.SOA or (query.qtype == wire.IXFR and query.serial == serial):
            return [last]
        if query.qtype == wire.IXFR and not self.whole and 0 < query.serial < serial:
            changed = [i for i, said in enumerate(self.said) if bisect.bisect(said, serial) > bisect.bisect(said, query.serial)]
            return [last, soa(query.serial), *(self.text(i, query.serial) for i in changed),
                    last, *(self.text(i, serial) for i in changed), last]
        ns1 = wire.under("ns1", ZONE)
        return [last, wire.Record(ZONE, wire.NS, ns1), wire.Record(ns1, wire.A, b"\xc0\0\2\1"),
                *(self.text(i, serial) for i in range(len(self.owners))), last]

    def answer(self, data):
        query = wire.parse_query(data)
        signer = tsig.Signer(self.key, tsig.verify_query(self.key, query))
        records = self.records(query)
        step = max(1, min(len(records) // 3, RECORDS_MAX))     # some messages: a read each
        return [signer.sign(wire.Message(query.ident, ZONE, query.qtype, records[i:i + step]).pack())
                for i in range(0, len(records), step)]

    def serve_udp(self):
        while True:
            data, peer = self.udp.recvfrom(65535)
            if data[2] & 0x80:
                self.acknowledged = struct.unpack_from("!H", data)[0]
            else:
                self.udp.sendto(self.answer(data)[0], peer)

    def serve_tcp(self):
        while True:
            stream, _ = self.tcp.accept()
            threading.Thread(target=self.converse, args=(stream,), daemon=True).start()

    def converse(self, stream):
        stream.settimeout(5)
        with stream:
            try:
                length = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))[0]
                for reply in self.answer(stream.recv(length, socket.MSG_WAITALL)):
                    stream.sendall(struct.pack("!H", len(reply)) + reply)
            except (OSError, struct.error):
                pass

    def tell(self):
        """NOTIFY until it is answered, each half second (RFC 1996 3.6)."""
        while True:
            if self.acknowledged != self.serial & 0xFFFF:
                message = wire.Message(self.serial & 0xFFFF, ZONE, wire.SOA, [soa(self.serial)])
                message.flags = 4 << 11 | wire.AA
                self.udp.sendto(tsig.sign_notify(self.key, message.pack()), self.control)
                for _ in range(50):
                    if self.acknowledged == self.serial & 0xFFFF:
                        break
                    time.sleep(0.01)
            time.sleep(0.005)

    def change(self, whole):
        self.whole = whole
        for i in [0, *random.sample(range(1, len(self.owners)), self.part)]:
            self.said[i].append(self.serial + 1)
        self.serial += 1        # last: no thread looks at what is said after it


class Watcher:
    """Asks for a random name all the time, and each second time for the apex. What must not be is in `wrong`; `serial` is
    the least that is served as far as was seen."""

    def __init__(self, edge, source):
        self.source, self.socket = source, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.05)
        self.socket.connect((edge, 53))
        self.wrong, self.serial, self.answered, self.servfail = [], None, 0, 0
        self.down = True                # no data plane: silence is no fault
        self.heard = time.monotonic()
        threading.Thread(target=self.watch, daemon=True).start()

    def ask(self, owner, qtype):
        try:
            ident = random.randrange(65536)
            self.socket.send(dnswire.query(owner, qtype, ident))
            while True:
                reply = dnswire.Message(self.socket.recv(65535))
                if reply.ident == ident:
                    self.heard = time.monotonic()
                    return reply
        except OSError:
            return None

    def one(self):
        index = random.choice((0, random.randrange(len(self.source.owners))))
        owner = self.source.owners[index]
        reply = self.ask(owner, wire.TXT)
        if reply is None:
            if not self.down and time.monotonic() - self.heard > SILENCE_S:
                self.wrong.append("no answer for %g s" % SILENCE_S)
                self.heard = time.monotonic()
            return
        self.answered += 1
        if reply.rcode != 0:
            self.servfail += reply.rcode == 2
            self.wrong.append("rcode %d for %s" % (reply.rcode, dnswire.name_to_text(owner)))
            return
        seen = [int(r[4][1:]) for r in reply.answer if r[1] == wire.TXT]
        upto = self.source.upto(index, seen[0]) if len(seen) == 1 else None
        if upto is None:
            self.wrong.append("%s says %s" % (dnswire.name_to_text(owner), seen))
            return
        if self.down:           # what a start brings back may be older
            if index == 0:
                self.serial = seen[0]
            return
        # With one question at a time, answers are in order: a version never goes back.
        if self.serial is not None and upto < self.serial:
            self.wrong.append("%s says %d, of a version before %d" % (dnswire.name_to_text(owner), seen[0], self.serial))
        self.serial = max(self.serial or 0, seen[0])

    def watch(self):
        while True:
            self.one()
            time.sleep(0.002)
