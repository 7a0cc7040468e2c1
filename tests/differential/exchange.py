# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Many questions to one server, many of them under way at a time. Replies come back in the order of
# the questions, None where there was none after several tries.
import collections
import select
import socket
import struct
import time


def ask_udp(host, port, questions, window=64, timeout=1.0, tries=5):
    replies = [None] * len(questions)
    todo = collections.deque((i, tries) for i in range(len(questions)))
    pending, deadlines, ident = {}, collections.deque(), 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.connect((host, port))
        sock.setblocking(False)
        while todo or pending:
            while todo and len(pending) < window:
                index, left = todo.popleft()
                while ident in pending:
                    ident = ident % 65535 + 1
                try:
                    sock.send(questions[index].message(ident))
                except OSError:
                    pass
                pending[ident] = (index, left - 1)
                deadlines.append((time.monotonic() + timeout, ident, index))
                ident = ident % 65535 + 1
            select.select([sock], [], [], 0.05)
            while True:
                try:
                    reply = sock.recv(65535)
                except OSError:
                    break
                entry = pending.pop(int.from_bytes(reply[:2], "big"), None)
                if entry:
                    replies[entry[0]] = reply
            now = time.monotonic()
            while deadlines and deadlines[0][0] < now:
                _, late, index = deadlines.popleft()
                entry = pending.get(late)
                if entry and entry[0] == index:
                    del pending[late]
                    if entry[1] > 0:
                        todo.append(entry)
    return replies


def ask_tcp(host, port, questions, batch=12, timeout=10.0):
    replies = [None] * len(questions)
    if not questions:
        return replies
    with socket.create_connection((host, port), timeout) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(questions), batch):
            part = range(start, min(start + batch, len(questions)))
            out = b""
            for index in part:
                message = questions[index].message(index - start + 1)
                out += struct.pack("!H", len(message)) + message
            sock.sendall(out)
            buffer, missing = b"", len(part)
            while missing:
                try:
                    data = sock.recv(262144)
                except OSError:
                    data = b""
                if not data:
                    return replies
                buffer += data
                while len(buffer) >= 2 and len(buffer) >= 2 + int.from_bytes(buffer[:2], "big"):
                    length = int.from_bytes(buffer[:2], "big")
                    reply, buffer = buffer[2:2 + length], buffer[2 + length:]
                    replies[start + int.from_bytes(reply[:2], "big") - 1] = reply
                    missing -= 1
    return replies
