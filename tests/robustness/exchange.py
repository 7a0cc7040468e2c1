# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Sends messages as they are, over UDP and TCP, and says what came back: bytes or silence and, over
# TCP, whether the connection is still good for a query afterwards. Standard library only.
import collections
import concurrent.futures
import select
import socket
import struct
import time

import dnsclient
import dnswire
from message import ORIGINS, wire

# reply: bytes or None; kept: the connection answered a good query afterwards (UDP: None); extra: what
# came besides, which nobody asked for.
Outcome = collections.namedtuple("Outcome", "reply kept extra", defaults=(None, ()))

ROUNDS = 4                                 # silence is believed after as many messages, and after
ROUNDS_MAX = 12                            # a round that brought nothing: NSD rations its errors
WINDOW = 32
QUIET = 0.25                               # seconds without a byte that end a round
SENTINEL_ID = 0xFFFE
PATIENCE = 0.15                            # seconds for a reply over TCP before the good query follows
SENTINEL_PATIENCE = 5.0


def sentinel():
    return dnswire.query(dnswire.name_to_wire(ORIGINS[0]), dnswire.TYPE["SOA"], SENTINEL_ID, None)


def udp(address, cases):
    """-> (outcomes in order, replies with an id that nobody sent)."""
    assert len(cases) < SENTINEL_ID
    stream = socket.socket(dnsclient.family(address), socket.SOCK_DGRAM)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    stream.connect((address, 53))
    stream.setblocking(False)
    replies, strays = {}, []

    def receive():
        """Everything that is there; -> how much."""
        count = 0
        while True:
            try:
                reply = stream.recv(65535)
            except BlockingIOError:
                return count
            except OSError:
                continue
            ident = int.from_bytes(reply[:2], "big")
            count += 1
            if not 0 < ident <= len(cases):
                strays.append(reply)
            else:
                replies.setdefault(ident, reply)

    for turn in range(ROUNDS_MAX):
        waiting = [i for i in range(1, len(cases) + 1) if i not in replies]
        if turn >= ROUNDS and len(waiting) == before:
            break
        before = len(waiting)
        for start in range(0, len(waiting), WINDOW):
            part = waiting[start:start + WINDOW]
            for ident in part:
                try:
                    stream.send(wire(cases[ident - 1], ident))
                except OSError:
                    pass                   # the next round says whether it mattered
            deadline = time.monotonic() + 0.02
            while any(i not in replies for i in part) and time.monotonic() < deadline:
                select.select([stream], [], [], 0.005)
                receive()
        quiet = time.monotonic() + QUIET
        while time.monotonic() < quiet:
            select.select([stream], [], [], 0.02)
            if receive():
                quiet = time.monotonic() + QUIET
    stream.close()
    return [Outcome(replies.get(i + 1)) for i in range(len(cases))], strays


class Reader:
    """Messages out of a TCP stream."""

    def __init__(self, address):
        self.stream = socket.create_connection((address, 53), 5)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.closed = b"", False

    def send(self, data):
        """What a closed peer does not take is no error here: reading says so."""
        try:
            self.stream.sendall(data)
        except OSError:
            pass

    def message(self, seconds):
        """The next message, or None: closed, or nothing came in time."""
        deadline = time.monotonic() + seconds
        while True:
            if len(self.buffer) >= 2:
                length = int.from_bytes(self.buffer[:2], "big")
                if len(self.buffer) >= 2 + length:
                    reply, self.buffer = self.buffer[2:2 + length], self.buffer[2 + length:]
                    return reply
            left = deadline - time.monotonic()
            if left <= 0 or self.closed:
                return None
            self.stream.settimeout(left)
            try:
                data = self.stream.recv(262144)
            except socket.timeout:
                return None
            except OSError:
                data = b""
            if not data:
                self.closed = True
            self.buffer += data

    def close(self):
        self.stream.close()


def framed(message):
    return struct.pack("!H", len(message)) + message


def stream_outcome(address, data, wanted=1, half_close=False):
    """Sends data (a list: piece by piece), reads at most `wanted` messages, then asks a good query."""
    reader = Reader(address)
    try:
        for piece in data if isinstance(data, list) else [data]:
            if piece is None:
                time.sleep(0.003)            # under half a second for a whole query: Knot waits no longer
            else:
                reader.send(piece)
        if half_close:
            reader.stream.shutdown(socket.SHUT_WR)
        replies = []
        while len(replies) < wanted:
            reply = reader.message(2.0 if wanted > 1 or half_close else PATIENCE)
            if reply is None:
                break
            replies.append(reply)
        if half_close:
            while not reader.closed and (reply := reader.message(2.0)):
                replies.append(reply)
            return replies, not reader.closed, []
        reader.send(framed(sentinel()))
        extra, kept = [], False
        while not kept and not reader.closed:
            reply = reader.message(SENTINEL_PATIENCE)
            if reply is None:
                break
            if int.from_bytes(reply[:2], "big") == SENTINEL_ID:
                kept = True
            elif len(replies) < wanted:
                replies.append(reply)      # late, but before the good query's answer
            else:
                extra.append(reply)
        return replies, kept, extra
    finally:
        reader.close()


def tcp_one(address, case):
    replies, kept, extra = stream_outcome(address, framed(wire(case, 1)))
    return Outcome(replies[0] if replies else None, kept, tuple(extra))


def tcp(address, cases, parallel=12):
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(lambda case: tcp_one(address, case), cases))
