# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""TLS (RFC 9103) offered and dropped in the middle of a transfer. Nothing that is not whole is taken, and nothing
is asked again in clear: port 53 of these primaries would be counted as well."""
import asyncio
import os
import socket
import struct

from case import SERVED, case
from server import packed


async def most(x):
    """All but the last message."""
    messages = x.answer()
    await x.send(messages[:-1])
    await asyncio.sleep(0.2)
    return messages[-1]


async def over_tls_alone(judge, zone):
    if any(port != 853 for port in zone.ports):
        raise AssertionError("asked in clear: %s" % zone.ports)


@case("tls-right", None, expect=SERVED, tls=True, check=over_tls_alone)
async def tls_right(x):
    await x.send(x.answer())


@case("tls-reset-in-mid-transfer", "Connection reset by peer", tls=True, check=over_tls_alone)
async def tls_reset(x):
    await most(x)
    x.reset()


@case("tls-cut-in-mid-transfer", "TLS: connection cut off without close_notify", tls=True, check=over_tls_alone)
async def tls_cut(x):
    """The TCP connection ends in order, TLS does not say so: anybody on the way can do that."""
    await most(x)
    x.writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    await x.linger(2)


@case("tls-closed-in-mid-transfer", "TLS: connection closed before the end", tls=True, check=over_tls_alone)
async def tls_closed(x):
    """By close_notify, as it should be."""
    await most(x)


@case("tls-then-in-clear", "TLS: ", tls=True, check=over_tls_alone)
async def tls_then_clear(x):
    """The rest, rightly framed and signed, without TLS."""
    last = packed(await most(x), x.signer)
    x.beneath(struct.pack("!H", len(last)) + last)
    await x.linger(5)


@case("tls-then-noise", "TLS: ", tls=True, check=over_tls_alone)
async def tls_then_noise(x):
    """A record that nobody has encrypted."""
    await most(x)
    x.beneath(b"\x17\x03\x03\x00\x40" + os.urandom(64))
    await x.linger(5)
