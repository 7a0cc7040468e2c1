# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""NSD, Knot and BIND as secondaries of the evil primary, to see what they do where a verdict is debatable."""


def nsd(zones, key, secret, folder, address):
    print("""server:
  ip-address: %(address)s
  username: ""
  zonesdir: "%(folder)s"
  database: ""
  pidfile: ""
  xfrdfile: "%(folder)s/xfrd.state"
  zonelistfile: "%(folder)s/zone.list"
  server-count: 1
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  verbosity: 2
  xfrd-reload-timeout: 0
remote-control:
  control-enable: no
key:
  name: "%(key)s"
  algorithm: hmac-sha256
  secret: "%(secret)s\"""" % locals())
    for zone in zones:
        with_key = key if zone.key is not None else "NOKEY"
        print('zone:\n  name: "%s"\n  zonefile: "z%d"' % (zone.domain, zone.number))
        for primary in (zone.evil_address, zone.good_address):
            print("  request-xfr: %s %s\n  allow-notify: %s %s" % (primary, with_key, primary, with_key))


def knot(zones, key, secret, folder, address):
    print("""server:
  listen: %(address)s@53
  rundir: "%(folder)s"
  pidfile: "%(folder)s/pid"
  udp-workers: 1
  tcp-workers: 1
  background-workers: 4
database:
  storage: "%(folder)s/db"
  journal-db-max-size: 200M
control:
  listen: "%(folder)s/control"
log:
  - target: stderr
    any: info
key:
  - id: %(key)s
    algorithm: hmac-sha256
    secret: %(secret)s
remote:""" % locals())
    for zone in zones:
        for word, primary in (("e", zone.evil_address), ("g", zone.good_address)):
            print("  - id: %s%d\n    address: %s" % (word, zone.number, primary))
            if zone.key is not None:
                print("    key: %s" % key)
    print("acl:\n  - id: plain\n    address: 198.18.0.0/15\n    action: notify")
    print("  - id: signed\n    address: 198.18.0.0/15\n    action: notify\n    key: %s" % key)
    print("""template:
  - id: default
    storage: "%s"
    semantic-checks: off
    journal-content: changes
zone:""" % folder)
    for zone in zones:
        print('  - domain: "%s"\n    file: z%d\n    master: [e%d, g%d]\n    acl: %s' % (
            zone.domain, zone.number, zone.number, zone.number, "signed" if zone.key else "plain"))


def bind(zones, key, secret, folder, address):
    print("""key "%(key)s" { algorithm hmac-sha256; secret "%(secret)s"; };
options {
	directory "%(folder)s";
	pid-file none;
	session-keyfile none;
	listen-on port 53 { %(address)s; };
	listen-on-v6 { none; };
	recursion no;
	dnssec-validation no;
	notify no;
	transfers-in 200;
	transfers-per-ns 50;
	serial-query-rate 1000;
	startup-notify-rate 1000;
	zone-statistics none;
	minimal-responses yes;
	check-names secondary ignore;
};
controls { };""" % locals())
    for zone in zones:
        with_key = ' key "%s"' % key if zone.key is not None else ""
        print('zone "%s" { type secondary; file "z%d"; primaries { %s%s; %s%s; }; allow-notify { 198.18.0.0/15; }; };' % (
            zone.domain, zone.number, zone.evil_address, with_key, zone.good_address, with_key))


CONFIGURE = {"nsd": nsd, "knot": knot, "bind": bind}
