# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""TLS (RFC 9103) offered and dropped in the middle of a transfer. Nothing that is not whole is taken, and nothing
is asked again in clear: port 53 of these primaries would be counted as well."""
import asyncio
import os
import socket
import struct

from case import SERVED, case
from server import TLS_PORT, packed


async def most(x):
    """All but the last message."""
    messages = x.answer()
    await x.send(messages[:-1])
    await asyncio.sleep(0.2)
    return messages[-1]


async def over_tls_alone(judge, zone):
    if any(port != TLS_PORT for port in zone.ports):
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


# --- what is no data, without end

NO_DATA = "TLS: too many messages that are no data"


def flood_case(name, flood):
    """flood(link): some of it. Before the answer, within it, and before the answer to the SOA query."""
    async def first(x):
        while True:
            flood(x.writer)

    async def within(x):
        await x.send(x.messages(x.answer_records()[:-1], 2))
        while True:
            flood(x.writer)
            await x.send(x.message([x.zone.skeleton()[1]]))

    def at_soa(x, tcp):
        while True:
            flood(x.writer)

    words = {"tls": True, "flood": True, "check": over_tls_alone}
    case("tls-flood-of-" + name, NO_DATA, **words)(first)
    case("tls-flood-of-%s-within" % name, NO_DATA, **words)(within)
    case("tls-flood-of-%s-at-the-soa" % name, NO_DATA, **words, hint=False, soa=at_soa, forms=("ixfr",))(None)


flood_case("tickets", lambda link: link.tickets(40))
flood_case("key-updates", lambda link: link.key_updates(40))
flood_case("key-updates-wanted", lambda link: link.key_updates(40, wanted=1))
