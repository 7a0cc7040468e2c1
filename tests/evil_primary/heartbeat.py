#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""heartbeat ADDRESS EDGE CONTROL-PORT KEY SECRET FILE: a good primary of one small zone that changes every 200 ms
and tells by NOTIFY, and a client that asks for its serial without pause. FILE gets one line for each change: when
it was made, and how many ms later the node answered with it. In a process of its own, so that it measures the node
and not the evil primary."""
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import base64

import dnswire
import tsig
import wire

ZONE = wire.name_to_wire("heartbeat.test.")
EVERY_S = 0.2
PORT = 5300         # 53 is the evil one


class Heart:
    def __init__(self, address, edge, port, key):
        self.address, self.edge, self.port, self.key = address, edge, port, key
        self.serial, self.udp = 1, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, PORT))
        self.tcp = socket.create_server((address, PORT), backlog=64)

    def records(self):
        ns1 = wire.under("ns1", ZONE)
        soa = wire.soa(ZONE, self.serial)
        return [soa, wire.Record(ZONE, wire.NS, ns1), wire.Record(ns1, wire.A, b"\xc0\0\2\1"), soa]

    def answer(self, data):
        query = wire.parse_query(data)
        signer = tsig.Signer(self.key, tsig.verify_query(self.key, query))
        records = self.records()
        if query.qtype == wire.SOA or query.serial == self.serial:
            records = records[:1]
        return signer.sign(wire.Message(query.ident, ZONE, query.qtype, records).pack())

    def serve_udp(self):
        while True:
            data, source = self.udp.recvfrom(65535)
            if not data[2] & 0x80:              # else it is the reply to a NOTIFY
                self.udp.sendto(self.answer(data), source)

    def serve_tcp(self):
        while True:
            stream, _ = self.tcp.accept()
            stream.settimeout(5)
            with stream:
                try:
                    length = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))[0]
                    reply = self.answer(stream.recv(length, socket.MSG_WAITALL))
                    stream.sendall(struct.pack("!H", len(reply)) + reply)
                except (OSError, struct.error):
                    pass

    def notify(self):
        message = wire.Message(self.serial & 0xFFFF, ZONE, wire.SOA, [wire.soa(ZONE, self.serial)])
        message.flags = 4 << 11 | wire.AA
        self.udp.sendto(tsig.sign_notify(self.key, message.pack()), (self.edge, self.port))

    def seen(self, client):
        """The serial that the node answers with, or None."""
        try:
            client.send(dnswire.query(ZONE, wire.SOA, 1))
            return dnswire.Message(client.recv(65535)).soa_serial()
        except OSError:
            return None

    def beat(self, client):
        """One change. -> ms; told again each second for as long as it is not there."""
        self.serial += 1
        began = told = time.monotonic()
        self.notify()
        while self.seen(client) != self.serial:
            if time.monotonic() - told > 1:
                told = time.monotonic()
                self.notify()
            time.sleep(0.001)
        return (time.monotonic() - began) * 1000


def main(address, edge, port, key, secret, path):
    heart = Heart(address, edge, int(port), tsig.Key(key, base64.b64decode(secret)))
    for serve in (heart.serve_udp, heart.serve_tcp):
        threading.Thread(target=serve, daemon=True).start()
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.05)
    client.connect((edge, 53))
    with open(path, "w", buffering=1) as out:
        while True:
            began = time.monotonic()
            out.write("%.3f %.1f\n" % (began, heart.beat(client)))
            time.sleep(max(0.0, began + EVERY_S - time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[1:])
