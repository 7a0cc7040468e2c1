# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Asking many questions at once: a window over UDP with retries that are counted, pipelining over
# TCP. Standard library only.
import collections
import random
import select
import socket
import struct
import time

import dnswire


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class UdpClient:
    """One connected socket; at most `window` questions under way."""

    def __init__(self, address, port=53, window=48, timeout=1.0, tries=4):
        self.socket = socket.socket(family(address), socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect((address, port))
        self.socket.setblocking(False)
        self.window, self.timeout, self.tries = window, timeout, tries
        self.ident = random.randrange(65536)
        self.retries = 0

    def close(self):
        self.socket.close()

    def ask(self, questions, edns=1232, flags=0):
        """questions: list of (wire name, type). -> list of reply bytes or None, in order."""
        replies = [None] * len(questions)
        pending = {}                       # ident -> (index, tries left)
        deadlines = collections.deque()    # (time, ident, index)
        again = collections.deque()        # (index, tries left)
        following = 0
        while pending or again or following < len(questions):
            while len(pending) < self.window and (again or following < len(questions)):
                if again:
                    index, left = again.popleft()
                else:
                    index, left = following, self.tries
                    following += 1
                while self.ident in pending:
                    self.ident = (self.ident + 1) & 0xFFFF
                name, qtype = questions[index]
                try:
                    self.socket.send(dnswire.query(name, qtype, self.ident, edns, flags))
                except OSError:
                    pass                   # the retry says whether it mattered
                pending[self.ident] = (index, left - 1)
                deadlines.append((time.monotonic() + self.timeout, self.ident, index))
                self.ident = (self.ident + 1) & 0xFFFF
            select.select([self.socket], [], [], 0.05)
            while True:
                try:
                    reply = self.socket.recv(65535)
                except OSError:
                    break
                entry = pending.pop(int.from_bytes(reply[:2], "big"), None)
                if entry:
                    replies[entry[0]] = reply
            now = time.monotonic()
            while deadlines and deadlines[0][0] < now:
                _, ident, index = deadlines.popleft()
                entry = pending.get(ident)
                if entry and entry[0] == index:
                    del pending[ident]
                    if entry[1] > 0:
                        self.retries += 1
                        again.append(entry)
        return replies


def ask_tcp(address, questions, edns=1232, port=53, timeout=10.0, batch=64):
    """-> list of reply bytes or None, in order; one connection, `batch` questions in flight."""
    replies = [None] * len(questions)
    if not questions:
        return replies
    with socket.create_connection((address, port), timeout) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(questions), batch):
            part = range(start, min(start + batch, len(questions)))
            out = b""
            for index in part:
                message = dnswire.query(*questions[index], index & 0xFFFF, edns)
                out += struct.pack("!H", len(message)) + message
            stream.sendall(out)
            buffer, missing = b"", len(part)
            while missing:
                data = stream.recv(262144)
                if not data:
                    return replies
                buffer += data
                while len(buffer) >= 2:
                    length = int.from_bytes(buffer[:2], "big")
                    if len(buffer) < 2 + length:
                        break
                    reply, buffer = buffer[2:2 + length], buffer[2 + length:]
                    index = int.from_bytes(reply[:2], "big")
                    for candidate in part:
                        if candidate & 0xFFFF == index and replies[candidate] is None:
                            replies[candidate] = reply
                            missing -= 1
                            break
    return replies
