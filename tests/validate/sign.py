# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The three signers: dnssec-signzone, ldns-signzone, kzonesign. Each leaves a file of one record a line.
import os
import subprocess

SALT, ITERATIONS = "c0ffee", {"bind": 5, "ldns": 0, "knot": 2}   # RFC 9276 wants 0; others must do


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("%s: %s%s" % (" ".join(command), done.stdout, done.stderr))
    return done.stdout


def stem(zone):
    return zone.origin.rstrip(".")


def zone_file(folder, zone, text):
    os.makedirs("%s/%s" % (folder, stem(zone)), exist_ok=True)
    path = "%s/%s/zone" % (folder, stem(zone))
    with open(path, "w", encoding="latin-1") as out:
        out.write(text)
    return path


def sign_bind(place, zone, path):
    bits = ["-b", "2048"] if zone.algorithm.startswith("RSA") else []
    for flag in (["-f", "KSK"], []):
        run("dnssec-keygen", "-q", "-a", zone.algorithm, *bits, *flag, "-K", place, zone.origin)
    denial = []
    if zone.denial != "nsec":
        denial = ["-3", SALT, "-H", str(ITERATIONS["bind"])] + (["-A"] if zone.denial == "optout" else [])
    run("dnssec-signzone", "-q", "-S", "-K", place, "-O", "full", *denial, "-o", zone.origin, "-d", place,
        "-f", place + "/signed", path, cwd=place)
    return place + "/signed"


def sign_ldns(place, zone, path):
    bits = ["-b", "2048"] if zone.algorithm.startswith("RSA") else []
    keys = [run("ldns-keygen", "-a", zone.algorithm, *bits, *flag, zone.origin, cwd=place).strip()
            for flag in (["-k"], [])]
    denial = []
    if zone.denial != "nsec":
        denial = ["-n", "-s", SALT, "-t", str(ITERATIONS["ldns"])] + (["-p"] if zone.denial == "optout" else [])
    run("ldns-signzone", *denial, "-o", zone.origin, "-f", place + "/signed", path, *keys, cwd=place)
    return place + "/signed"


def sign_knot(place, zone, path):
    with open(place + "/knot.conf", "w", encoding="ascii") as conf:
        conf.write("""
server:
  rundir: "{place}"
database:
  storage: "{place}/db"
policy:
  - id: p
    algorithm: {algorithm}
    nsec3: {nsec3}
    nsec3-opt-out: {optout}
    nsec3-iterations: {iterations}
    nsec3-salt-length: 4
    cds-cdnskey-publish: none
zone:
  - domain: {origin}
    file: "{path}"
    dnssec-signing: on
    dnssec-policy: p
""".format(place=place, algorithm=zone.algorithm.lower(), origin=zone.origin, path=path,
           nsec3="off" if zone.denial == "nsec" else "on", iterations=ITERATIONS["knot"],
           optout="on" if zone.denial == "optout" else "off"))
    os.makedirs(place + "/out", exist_ok=True)
    os.makedirs(place + "/db", exist_ok=True)
    run("kzonesign", "-c", place + "/knot.conf", "-o", place + "/out", zone.origin)
    (name,) = os.listdir(place + "/out")
    return "%s/out/%s" % (place, name)


def sign(folder, zone, path):
    place = "%s/%s" % (folder, stem(zone))
    return {"bind": sign_bind, "ldns": sign_ldns, "knot": sign_knot}[zone.signer](place, zone, path)
