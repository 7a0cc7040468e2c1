# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Signs a zone file in a way that the seed chooses: by dnssec-signzone, ldns-signzone or kzonesign,
# whose chains differ in TTLs, in what they do with occluded names and in what opt-out leaves out.
import os
import subprocess

BEGINS, ENDS = "20240101000000", "20371231000000"
ALGORITHMS = ["ECDSAP256SHA256", "ECDSAP256SHA256", "ED25519", "RSASHA256"]


def quiet(*command, cwd=None):
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                          cwd=cwd, check=False).returncode == 0


def key_make(folder, origin, algorithm, *words):
    made = subprocess.run(["dnssec-keygen", "-q", "-K", folder, "-a", algorithm, *words, origin],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    key = os.path.join(folder, made.stdout.decode().strip())
    return key if made.returncode == 0 and os.path.exists(key + ".key") else None


def keys_make(folder, origin, plain, rnd):
    """One key, or one for keys and one for data. They are put into the zone. -> their paths."""
    algorithm = rnd.choice(ALGORITHMS)
    words = ["-b", "2048"] if algorithm == "RSASHA256" else []
    keys = [key_make(folder, origin, algorithm, *words, "-f", "KSK")]
    if rnd.randrange(3) == 0:
        keys.append(key_make(folder, origin, algorithm, *words))
    if None in keys:
        return None
    with open(plain, "a", encoding="latin-1") as zone:
        for key in keys:
            with open(key + ".key", encoding="latin-1") as text:
                zone.write("".join(line for line in text if line[0] != ";"))
    return keys


def with_bind(folder, origin, plain, signed, kind, salt, iterations, rnd):
    if not keys_make(folder, origin, plain, rnd):
        return False
    words = [] if kind == "nsec" else ["-3", salt or "-", "-H", str(iterations)]
    words += ["-A"] if kind == "optout" else []
    return quiet("dnssec-signzone", "-q", "-z", "-P", *words, "-K", folder, "-d", folder, "-o", origin, "-f", signed,
                 "-s", BEGINS, "-e", ENDS, plain)


def with_ldns(folder, origin, plain, signed, kind, salt, iterations, rnd):
    keys = keys_make(folder, origin, plain, rnd)
    if not keys:
        return False
    words = [] if kind == "nsec" else ["-n", "-t", str(iterations)] + (["-s", salt] if salt else [])
    words += ["-p"] if kind == "optout" else []
    return quiet("ldns-signzone", *words, "-e", ENDS, "-i", BEGINS, "-o", origin, "-f", signed, plain, *keys)


def with_knot(folder, origin, plain, signed, kind, salt, iterations, rnd):
    out = os.path.join(folder, "out")
    os.makedirs(out)
    with open(os.path.join(folder, "knot.conf"), "w", encoding="latin-1") as conf:
        conf.write("""database:
  storage: "%s"
policy:
  - id: p
    algorithm: ecdsap256sha256
    single-type-signing: on
    rrsig-lifetime: 3000d
    nsec3: %s
    nsec3-opt-out: %s
    nsec3-iterations: %d
    nsec3-salt-length: %d
    nsec3-salt-lifetime: -1
zone:
  - domain: "%s"
    storage: "%s"
    file: "%s"
    dnssec-policy: p
""" % (folder, "off" if kind == "nsec" else "on", "on" if kind == "optout" else "off", iterations, len(salt) // 2,
       origin.replace("\\", "\\\\"), os.path.dirname(plain), os.path.basename(plain)))
    if not quiet("kzonesign", "-c", os.path.join(folder, "knot.conf"), "-o", out, origin):
        return False
    made = os.listdir(out)
    if len(made) != 1:
        return False
    os.rename(os.path.join(out, made[0]), signed)
    return True


def sign(folder, origin, plain, signed, kind, rnd):
    """Pre: `folder` is empty. -> False when it could not be done."""
    salt, iterations = rnd.choice(["", "", "aabb", "0123456789abcdef"]), rnd.choice([0, 0, 0, 1, 5, 50])
    tool = rnd.choice([with_bind, with_bind, with_ldns, with_knot])
    return tool(folder, origin, plain, signed, kind, salt, iterations, rnd)
