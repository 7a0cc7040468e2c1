# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The servers that are held against each other, each in the same place: one worker, the same zones, primary from text
# or secondary of one address. Peers are Debian's.
import os
import shutil

from .bench import Failure
from .net import MANAGEMENT, SERVED

PEERS = ("nsd", "knot", "bind")
NO_NSD_XDP = "Debian's NSD (4.6) has no XDP; it came with later versions"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


class Zone:
    """Primary from a file, or (file None) secondary of `primary`."""

    def __init__(self, domain, file=None, primary=None):
        self.domain, self.file, self.primary = domain, file, primary


class Nameplane:
    """Both daemons or either, with a storage folder of its own or one that np-store made."""

    def __init__(self, bench, device, ns=None, zones=(), storage=None, addresses=(SERVED,), hugepages=True):
        self.bench, self.ns = bench, ns
        self.run = bench.path("nameplane", "run")
        self.storage = storage or bench.path("nameplane", "storage")
        for folder in (self.run, self.storage):
            os.makedirs(folder, exist_ok=True)
        text = (f"server:\n  identity: bench\n  rundir: {self.run}\n  storage: {self.storage}\n"
                f"dataplane:\n  workers: [{bench.options.server_cpu}]\n  hugepages: {str(hugepages).lower()}\n  ports:\n"
                f"    - device: {device}\n      addresses: [{', '.join(repr(a) for a in addresses)}]\n"
                f"  tcp:\n    threads: 1\ncontrolplane:\n  listen: [{MANAGEMENT}@53]\n".replace("'", '"'))
        primaries = sorted({zone.primary for zone in zones if zone.primary})
        if primaries:
            text += "remote:\n" + "".join(f"  - id: r{i}\n    address: {p}@53\n" for i, p in enumerate(primaries))
        if zones:
            text += "zone:\n"
        for zone in zones:
            text += f"  - domain: \"{zone.domain}\"\n"
            if zone.file:
                text += f"    file: \"{zone.file}\"\n"
            else:
                remote = f"r{primaries.index(zone.primary)}"
                text += f"    primaries: [{remote}]\n    notify-from: [{remote}]\n"
        self.config = write(bench.path("nameplane", "node.yaml"), text)

    # Not pinned as a whole: the worker pins itself, the sleeping threads are elsewhere.
    def start_dataplane(self, ready=120):
        process = self.bench.start("dataplane.log", self.bench.dataplane, "-c", self.config, ns=self.ns)
        if ready:
            self.bench.wait_log(process, "ready", ready)
        return process

    # Off the worker's CPU, which is the worker's own. (The peers have both CPUs.)
    def start_controlplane(self, ready=60):
        process = self.bench.start("controlplane.log", self.bench.controlplane, "-c", self.config, ns=self.ns,
                                   cpu=self.bench.options.load_cpu)
        if ready:
            self.bench.wait_log(process, "ready", ready)
        return process


def nsd(folder, zones):
    text = (f"server:\n  ip-address: {SERVED}\n  ip-address: {MANAGEMENT}\n  username: \"\"\n  zonesdir: \"{folder}\"\n"
            f"  database: \"\"\n  pidfile: \"\"\n  xfrdfile: \"{folder}/xfrd.state\"\n  zonelistfile: \"{folder}/zone.list\"\n"
            "  rrl-ratelimit: 0\n  server-count: 1\nremote-control:\n  control-enable: no\n")
    for zone in zones:
        text += f"zone:\n  name: \"{zone.domain}\"\n"
        text += (f"  zonefile: \"{zone.file}\"\n" if zone.file else
                 f"  allow-notify: {zone.primary} NOKEY\n  request-xfr: {zone.primary} NOKEY\n")
    return ["nsd", "-d", "-c", write(folder + "/nsd.conf", text)]


def knot(folder, zones, xdp=False):
    text = (f"server:\n  rundir: \"{folder}\"\n  pidfile: \"{folder}/pid\"\n  listen: [ {SERVED}@53, {MANAGEMENT}@53 ]\n"
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f"database:\n  storage: \"{folder}\"\nlog:\n  - target: stderr\n    any: warning\n")
    if xdp:
        text += "xdp:\n  listen: [ s0@53 ]\n"
    primaries = sorted({zone.primary for zone in zones if zone.primary})
    if primaries:
        text += "remote:\n" + "".join(f"  - id: r{i}\n    address: {p}@53\n" for i, p in enumerate(primaries))
        text += "acl:\n" + "".join(f"  - id: r{i}\n    address: {p}\n    action: notify\n" for i, p in enumerate(primaries))
    text += f"template:\n  - id: default\n    storage: \"{folder}\"\n    semantic-checks: off\nzone:\n"
    for zone in zones:
        text += f"  - domain: \"{zone.domain}\"\n"
        text += (f"    file: \"{zone.file}\"\n    zonefile-load: whole\n    zonefile-sync: -1\n" if zone.file else
                 f"    master: r{primaries.index(zone.primary)}\n    acl: r{primaries.index(zone.primary)}\n")
    return ["knotd", "-c", write(folder + "/knot.conf", text)]


def bind(folder, zones):
    text = (f"options {{ directory \"{folder}\"; pid-file none; session-keyfile none; listen-on {{ {SERVED}; {MANAGEMENT}; }};\n"
            "  listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no; minimal-responses no-auth;\n"
            "  check-names primary ignore; check-integrity no; zone-statistics none; };\ncontrols { };\n")
    for zone in zones:
        text += (f"zone \"{zone.domain}\" {{ type primary; file \"{zone.file}\"; }};\n" if zone.file else
                 f"zone \"{zone.domain}\" {{ type secondary; primaries {{ {zone.primary}; }}; file \"{folder}/s.db\";\n"
                 "  masterfile-format raw; };\n")
    return ["named", "-g", "-n", "1", "-c", write(folder + "/named.conf", text)]


# nsd, knot, knot-xdp, bind; `wrap` stands before the command (valgrind).
def start_peer(bench, name, ns, zones, cpu=None, wrap=()):
    folder = bench.path(name)
    shutil.rmtree(folder, ignore_errors=True)  # nothing left of an earlier start
    make = {"nsd": nsd, "knot": knot, "bind": bind, "knot-xdp": lambda f, z: knot(f, z, True)}.get(name)
    if make is None:
        raise Failure(f"there is no server '{name}'")
    return bench.start(name + ".log", *wrap, *make(folder, zones), ns=ns, cpu=cpu)
