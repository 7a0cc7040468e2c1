# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""A TLS server that can send what Python's own cannot: session tickets and key updates, at any time and without end.
OpenSSL by ctypes, a thread for each connection; what is answered is the business of the Server it belongs to."""
import asyncio
import ctypes
import os
import socket
import ssl
import struct
import threading

import wire

PORT = 8853     # 853 is the Server's own
DOT = ctypes.create_string_buffer(b"dot")   # OpenSSL copies it when select() has returned
SELECT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p), ctypes.POINTER(ctypes.c_ubyte),
                          ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p)
LIBRARY = None


def library():
    global LIBRARY
    if LIBRARY is None:
        LIBRARY = ctypes.CDLL("libssl.so.%d" % ssl.OPENSSL_VERSION_INFO[0])
        for name in ("TLS_server_method", "SSL_CTX_new", "SSL_new"):
            getattr(LIBRARY, name).restype = ctypes.c_void_p
    return LIBRARY


@SELECT
def select(_ssl, out, length, _offered, _offered_len, _arg):
    out[0], length[0] = ctypes.cast(DOT, ctypes.c_char_p), 3
    return 0    # SSL_TLSEXT_ERR_OK


class Link:
    """One connection; in the place of asyncio's reader and writer, but it blocks."""

    def __init__(self, context, sock):
        self.socket, self.lib = sock, library()
        self.ssl = ctypes.c_void_p(self.lib.SSL_new(context))
        self.lib.SSL_set_fd(self.ssl, sock.fileno())
        self.must(self.lib.SSL_accept(self.ssl))

    @staticmethod
    def must(returned):
        if returned <= 0:
            raise ConnectionError("the node has had enough")
        return returned

    def read(self, size):
        data = b""
        while len(data) < size:
            part = ctypes.create_string_buffer(size - len(data))
            got = self.must(self.lib.SSL_read(self.ssl, part, len(part)))
            data += part.raw[:got]
        return data

    def write(self, data):
        self.must(self.lib.SSL_write(self.ssl, data, len(data)))

    async def drain(self):
        pass

    def get_extra_info(self, word):
        return {"sockname": self.socket.getsockname(), "ssl_object": self}.get(word)

    def tickets(self, count=1):
        for _ in range(count):
            self.must(self.lib.SSL_new_session_ticket(self.ssl))
            self.must(self.lib.SSL_do_handshake(self.ssl))

    def key_updates(self, count=1, wanted=0):
        """`wanted`: the other side is to answer each with one of its own."""
        for _ in range(count):
            self.must(self.lib.SSL_key_update(self.ssl, wanted))
            self.must(self.lib.SSL_do_handshake(self.ssl))

    def close(self):
        self.lib.SSL_free(self.ssl)
        self.socket.close()


class Listener:
    def __init__(self, server):
        self.server, lib = server, library()
        self.context = ctypes.c_void_p(lib.SSL_CTX_new(ctypes.c_void_p(lib.TLS_server_method())))
        certificate = os.environ["EVIL_CERT"].encode()
        lib.SSL_CTX_use_certificate_chain_file(self.context, certificate)
        lib.SSL_CTX_use_PrivateKey_file(self.context, certificate, 1)   # PEM
        lib.SSL_CTX_set_alpn_select_cb(self.context, select, None)
        self.socket = socket.create_server(("0.0.0.0", PORT), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.socket.accept()
            threading.Thread(target=self.converse, args=(sock,), daemon=True).start()

    def converse(self, sock):
        address = sock.getsockname()[0]
        link = None
        sock.settimeout(None)
        try:
            link = Link(self.context, sock)
            while True:
                length = struct.unpack("!H", link.read(2))[0]
                exchange, evil = self.server.exchange(address, link.read(length), link)
                if exchange.query.qtype in (wire.AXFR, wire.IXFR):
                    asyncio.run(self.server.behaviour.transfer(exchange, evil))
                    break
                data = self.server.behaviour.soa(exchange, evil, True)
                link.write(struct.pack("!H", len(data)) + data)
        except ConnectionError:
            pass
        except Exception as error:
            self.server.errors.append("%s: %r" % (address, error))
        finally:
            if link is not None:
                link.close()
            sock.close()
