# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The four servers of a differential run, each on a port of its own on the loopback address, with the
# same zones from the same files, set up to be comparable: no rate limit, no cookie, EDNS up to 1232,
# nothing in a reply that a policy would add or leave out.
import os
import random
import shutil
import socket
import subprocess
import time

import dnsclient

HOST = "127.0.0.1"


def free_port():
    while True:
        port = random.randrange(20000, 60000)
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((HOST, port))
            return port
        except OSError:
            continue


class Server:
    """One process. `zones`: list of (origin text, absolute path)."""
    host = HOST

    def __init__(self, folder, zones):
        self.folder = os.path.join(folder, self.name)
        os.makedirs(self.folder, mode=0o755)
        self.port = free_port()
        self.log = os.path.join(self.folder, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command(zones), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=self.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="latin-1") as file:
            file.write(text)
        return path

    def wait(self, apexes, seconds=60):
        """Until the SOA of every apex (wire form) is answered with authority, or until those that are
        not have given SERVFAIL or REFUSED for some time. -> the apexes that are not served."""
        client = dnsclient.UdpClient(self.host, self.port, timeout=0.5, tries=1)
        end = time.monotonic() + seconds
        left, since, before = list(apexes), time.monotonic(), None
        while left and time.monotonic() < end:
            if not self.alive():
                raise RuntimeError("%s has ended; see %s" % (self.name, self.log))
            replies = client.ask([(apex, 6) for apex in left])
            left = [apex for apex, reply in zip(left, replies)
                    if reply is None or reply[3] & 15 != 0 or not reply[2] & 4]
            if len(left) != before:
                before, since = len(left), time.monotonic()
            elif len(left) < len(apexes) and time.monotonic() - since > 2:
                break
            time.sleep(0.1)
        client.close()
        if len(left) == len(apexes):
            raise RuntimeError("%s serves nothing; see %s" % (self.name, self.log))
        return left

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def quoted(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


class Nsd(Server):
    name = "nsd"

    def command(self, zones):
        text = """server:
  ip-address: %s@%d
  username: ""
  chroot: ""
  zonesdir: "%s"
  database: ""
  pidfile: ""
  xfrdfile: "%s/xfrd.state"
  zonelistfile: "%s/zone.list"
  server-count: 1
  tcp-count: 60
  tcp-query-count: 0
  ipv4-edns-size: 1232
  minimal-responses: no
  refuse-any: no
  answer-cookie: no
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
""" % (HOST, self.port, self.folder, self.folder, self.folder)
        for origin, path in zones:
            text += 'zone:\n  name: %s\n  zonefile: "%s"\n' % ('"%s"' % origin, path)
        return ["/usr/sbin/nsd", "-d", "-c", self.write("nsd.conf", text)]


class Knot(Server):
    name = "knot"

    def command(self, zones):
        text = """server:
  listen: %s@%d
  rundir: "%s"
  pidfile: "%s/pid"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  udp-max-payload: 1232
  tcp-max-clients: 60
database:
  storage: "%s"
control:
  listen: "%s/control"
log:
  - target: stderr
    any: warning
template:
  - id: default
    zonefile-sync: -1
    journal-content: none
    semantic-checks: off
zone:
""" % (HOST, self.port, self.folder, self.folder, self.folder, self.folder)
        for origin, path in zones:
            text += "  - domain: %s\n    file: \"%s\"\n" % (quoted(origin), path)
        return ["/usr/sbin/knotd", "-c", self.write("knot.conf", text)]


class Bind(Server):
    """Its zones are secondary, of a primary that is not there: then it takes from the file what it would
    refuse as a primary, name servers that are aliases for one. The files are copies: it renames those it
    does not take."""
    name = "bind"

    def command(self, zones):
        text = """options {
  directory "%s";
  pid-file none;
  session-keyfile none;
  listen-on port %d { %s; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  minimal-responses no;
  minimal-any no;
  rrset-order { order none; };
  max-udp-size 1232;
  edns-udp-size 1232;
  answer-cookie no;
  tcp-clients 60;
  notify no;
  check-names secondary ignore;
  zone-statistics none;
  masterfile-format text;
};
controls { };
""" % (self.folder, self.port, HOST)
        for number, (origin, path) in enumerate(zones):
            own = os.path.join(self.folder, "%d.zone" % number)
            shutil.copyfile(path, own)
            text += 'zone %s { type secondary; primaries { %s port 9; }; file "%s"; };\n' % (
                quoted(origin), HOST, own)
        return ["/usr/sbin/named", "-g", "-n", "1", "-c", self.write("named.conf", text)]


class Ours(Server):
    """The answer function behind two sockets."""
    name = "ours"
    program = None

    def command(self, zones):
        lines = "".join("%s\t%s\n" % (origin, os.path.relpath(path, self.folder)) for origin, path in zones)
        return [self.program, str(self.port), self.write("zones.tsv", lines)]


class Elsewhere(Server):
    """A node that somebody else has started."""
    name, port, log = "ours", 53, "the scenario's log"

    def __init__(self, host):
        self.host = host

    def alive(self):
        return True

    def stop(self):
        pass
