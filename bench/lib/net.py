# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# One veth pair between two network namespaces, named at random so that runs may overlap:
#
#     client: c0 10.53.0.2 ------- s0: server  10.53.0.1 serves, 10.53.0.3 is for NOTIFY and transfers
import os
import secrets
import socket
import struct
import time

from .bench import Failure, run, socket_in, tail

SERVED, CLIENT, MANAGEMENT = "10.53.0.1", "10.53.0.2", "10.53.0.3"
CLIENT6 = "2001:db8:53::2"


class Veth:
    def __init__(self, bench):
        mark = secrets.token_hex(3)
        self.server, self.client = f"npb-s-{mark}", f"npb-c-{mark}"
        self.ip = lambda ns, *words: run("ip", "-n", ns, *words)
        bench.at_end.append(self.remove)
        for ns in (self.server, self.client):
            run("ip", "netns", "add", ns)
            self.ip(ns, "link", "set", "lo", "up")
        run("ip", "link", "add", "s0", "netns", self.server, "type", "veth", "peer", "name", "c0", "netns", self.client)
        # Checksums are there when an XDP program looks.
        for ns, device, addresses in ((self.server, "s0", (SERVED, MANAGEMENT)), (self.client, "c0", (CLIENT,))):
            for address in addresses:
                self.ip(ns, "address", "add", address + "/24", "dev", device)
            self.ip(ns, "link", "set", device, "up")
            run("ip", "netns", "exec", ns, "ethtool", "-K", device, "tx", "off")

    def mac(self, ns, device):
        return self.ip(ns, "-br", "link", "show", device).split()[2]

    # Both know each other for ever: what takes frames off a port may take the neighbours' with them.
    def neighbours_fixed(self):
        self.ip(self.client, "neigh", "replace", SERVED, "lladdr", self.mac(self.server, "s0"), "dev", "c0")
        self.ip(self.server, "neigh", "replace", CLIENT, "lladdr", self.mac(self.client, "c0"), "dev", "s0")

    # Knot and DPDK leave their XDP programs behind.
    def xdp_off(self):
        for ns, device in ((self.server, "s0"), (self.client, "c0")):
            run("ip", "-n", ns, "link", "set", "dev", device, "xdp", "off")

    def remove(self):
        for ns in (self.server, self.client):
            if os.path.exists(f"/run/netns/{ns}"):
                run("ip", "netns", "delete", ns)


def question(name, kind=1):
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split(".") if label)
    return struct.pack("!6H", 4242, 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


# Asks each `every` seconds, while all of `processes` run, until the reply is NOERROR with records in it. Post: the clock's time of that.
def wait_answer(ns, name, kind=1, seconds=60, every=0.001, address=SERVED, processes=()):
    sock = socket_in(ns, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with sock:
        sock.settimeout(every)
        end = time.monotonic() + seconds
        message = question(name, kind)
        while time.monotonic() < end:
            asked = time.monotonic()
            try:
                sock.sendto(message, (address, 53))
                while True:
                    reply = sock.recv(4096)
                    if len(reply) >= 12 and reply[3] & 15 == 0 and reply[6:10] != b"\0\0\0\0":
                        return time.monotonic()
            except OSError:
                pass
            for process in processes:
                if process.poll() is not None:
                    raise Failure(f"{process.log}: it ended before it answered (status {process.poll()}): {tail(process.log_path)}")
            time.sleep(max(0.0, asked + every - time.monotonic()))
    raise Failure(f"no answer for {name} within {seconds} s" + "".join(f"; {tail(process.log_path)}" for process in processes))
