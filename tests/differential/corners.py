# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Seeded zones that love corners. Few labels, so that names collide, nest and occlude; families of up
# to four zones that are cut from, lie below and point into each other, all on the same server.

LABELS = ["a", "b", "c", "*", "ns", "www", "x", "y", "A", "Www", "a-b", "\\000", "\\.", "x\\.y", "_tcp", "\\255"]
COMMON = ["a", "b", "c", "*", "x"]
KINDS = ["none", "nsec", "nsec3", "optout"]
# NSD 4.6.1 ends at once where NSEC3 and a name are together for which there is no room for a wildcard.
NAME_MAX = {"none": 255, "nsec": 255, "nsec3": 253, "optout": 253}


def fold(name):
    return tuple(label.lower() for label in name)


def wire_length(text):
    """Of an absolute name with escapes."""
    length, at = 1 if text != "." else 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 4 if text[at + 1].isdigit() else 2
        else:
            at += 1
        length += 1
    return length


class Zone:
    """Owners are tuples of labels below the apex, compared without regard to case."""

    def __init__(self, origin, rnd):
        self.origin, self.rnd = origin, rnd
        self.kind = rnd.choice(KINDS + KINDS[1:])
        self.name_max = NAME_MAX[self.kind]
        self.records = {}                  # folded owner -> [(owner, ttl, type, rdata)]
        self.names = [()]
        self.labels = rnd.sample(LABELS, 4) + COMMON if rnd.randrange(3) else COMMON[:3]
        self.family = [self]

    def text_of(self, name):
        return ".".join(name + (self.origin,)) if name else self.origin

    def types(self, name):
        return {r[2] for r in self.records.get(fold(name), ())}

    def add(self, name, rtype, rdata, ttl=None):
        held = self.types(name)
        if "CNAME" in held or (rtype == "CNAME" and held) or (rtype == "DNAME" and "DNAME" in held):
            return False
        if name and ((rtype == "DNAME" and "NS" in held) or (rtype == "NS" and "DNAME" in held)):
            return False
        if rtype in ("NS", "DS") and (name[:1] == ("*",) or (rtype == "DS" and "NS" not in held)):
            return False                   # BIND refuses the first
        if any(wire_length(word) > self.name_max for word in [self.text_of(name)] + rdata.split() if word[-1] == "."):
            return False
        rows = self.records.setdefault(fold(name), [])
        ttl = next((r[1] for r in rows if r[2] == rtype),
                   self.rnd.choice([0, 60, 300, 300, 86400]) if ttl is None else ttl)
        rows.append((name, ttl, rtype, rdata))
        self.names.append(name)
        return True

    def hidden(self, name, rtype):
        """Below a DNAME nothing may stand, for NSD not even the names of another zone; below a cut most
        signers and servers take only what is innocent."""
        folded = self.text_of(name).lower()
        if rtype == "DNAME" and any(z is not self and ("." + z.origin.lower()).endswith("." + folded) for z in self.family):
            return True
        for depth in range(1, len(name) + 1):
            above = self.types(name[depth:])
            if "DNAME" in above:
                return True
            if "NS" in above and depth < len(name) and rtype not in ("A", "AAAA", "TXT", "NS", "MX", "CNAME"):
                return True
        return False

    def write(self):
        lines = []
        for rows in self.records.values():
            for name, ttl, rtype, rdata in rows:
                if not self.hidden(name, rtype):
                    lines.append("%s %d IN %s %s" % (self.text_of(name), ttl, rtype, rdata))
        return "\n".join(sorted(lines, key=lambda l: " SOA " not in l)) + "\n"


def owner(zone, rnd):
    """A new name below, or beside, one that is there."""
    base = rnd.choice(zone.names) if rnd.randrange(2) else ()
    name = tuple(rnd.choice(zone.labels) for _ in range(rnd.choice([0, 1, 1, 1, 2, 3]))) + base
    return name if len(name) <= 5 else name[-5:]


def target(zone, rnd):
    kind = rnd.randrange(12)
    if kind == 0:
        return rnd.choice(["out.example.", ".", "ns.other.test."])
    if kind < 4:
        zone = rnd.choice(zone.family)
    return zone.text_of(rnd.choice(zone.names) if kind < 9 else owner(zone, rnd))


def address(rnd):
    return "192.0.2.%d" % rnd.randrange(1, 255)


def address6(rnd):
    return "2001:db8::%x" % rnd.randrange(1, 65535)


def put_addresses(zone, rnd, name):
    for _ in range(rnd.choice([1, 1, 2, 30])):
        zone.add(name, "A", address(rnd))
    if rnd.randrange(2):
        zone.add(name, "AAAA", address6(rnd))


def put_texts(zone, rnd, name):
    for _ in range(rnd.choice([1, 1, 3, 12])):
        zone.add(name, "TXT", '"%s" "%d"' % ("t" * rnd.choice([0, 1, 60, 250]), rnd.randrange(1000)))


def put_cname(zone, rnd, name):
    zone.add(name, "CNAME", target(zone, rnd))


def put_dname(zone, rnd, name):
    zone.add(name, "DNAME", target(zone, rnd))


def put_chain(zone, rnd, name):
    """Aliases in a row, each the target of the one before, up to where servers give up."""
    base, length = name[-2:], rnd.choice([2, 3, 5, 8, 12, 17])
    steps = [("c%d" % i,) + base for i in range(length)]
    for here, there in zip(steps, steps[1:]):
        if rnd.randrange(6) == 0:
            zone.add(here, "DNAME", zone.text_of(there))
            here = ("a",) + here
        zone.add(here, "CNAME", zone.text_of(there))
    zone.add(steps[-1], "CNAME", rnd.choice([zone.text_of(steps[0]), target(zone, rnd), target(zone, rnd)]))


def put_cut(zone, rnd, name):
    if not name:
        return
    for _ in range(rnd.choice([1, 2, 2, 5])):
        server = rnd.choice([zone.text_of(("ns",) + name), zone.text_of(("a", "b") + name),
                             target(zone, rnd), zone.text_of(("ns",))])
        if server != ".":
            zone.add(name, "NS", server)
    for prefix in (("ns",), ("a", "b")):
        if rnd.randrange(3):
            zone.add(prefix + name, "A", address(rnd))
        if rnd.randrange(3) == 0:
            zone.add(prefix + name, "AAAA", address6(rnd))
    for _ in range(rnd.choice([0, 0, 1, 2])):
        zone.add(name, "DS", "%d 13 2 %064x" % (rnd.randrange(65536), rnd.getrandbits(256)))


def put_pointer(zone, rnd, name):
    goal = target(zone, rnd)
    rtype, rdata = rnd.choice([
        ("MX", "%d %s" % (rnd.randrange(20), goal)), ("MX", "0 ."), ("SRV", "0 0 53 %s" % goal), ("PTR", goal),
        ("SVCB", "0 %s" % goal), ("HTTPS", "0 %s" % goal), ("HTTPS", "1 %s alpn=h2" % rnd.choice([goal, "."])),
        ("SVCB", "1 . mandatory=port port=53 ipv4hint=192.0.2.1"), ("NAPTR", '1 1 "s" "x" "" %s' % goal),
        ("KX", "1 %s" % goal), ("AFSDB", "1 %s" % goal), ("RT", "1 %s" % goal), ("RP", "%s %s" % (goal, goal)),
        ("MINFO", "%s %s" % (goal, goal)), ("MB", goal)])
    zone.add(name, rtype, rdata)


def put_plain(zone, rnd, name):
    rtype, rdata = rnd.choice([
        ("TYPE65280", "\\# 3 %06x" % rnd.randrange(1 << 24)), ("TYPE65281", "\\# 0"), ("CAA", '0 issue "ca.test"'),
        ("HINFO", '"a" "b"'), ("LOC", "52 22 23 N 4 53 32 E -2m"), ("URI", '1 1 "x"'), ("SSHFP", "1 1 %040x" % rnd.getrandbits(160)),
        ("TLSA", "3 1 1 %064x" % rnd.getrandbits(256)), ("TYPE1", "\\# 4 c0000201")])
    zone.add(name, rtype, rdata)


def put_wildcard(zone, rnd, name):
    rnd.choice([put_addresses, put_texts, put_cname, put_pointer, put_dname])(zone, rnd, ("*",) + name[-3:])


def put_long(zone, rnd, name):
    """A name as long as can be, or a byte less, or as many labels as go; or a DNAME that leads there."""
    room = zone.name_max - wire_length(zone.text_of(())) - rnd.randrange(2)
    if rnd.randrange(2):
        labels = ["a"] * (room // 2)
        if room % 2 and labels:
            labels[0] = "aa"
    else:
        labels = []
        while room > 1:
            labels.append("l" * min(63, room - 1))
            room -= len(labels[-1]) + 1
    if not labels:
        return
    if rnd.randrange(3):
        rnd.choice([put_addresses, put_cname, put_cut])(zone, rnd, tuple(labels))
    else:
        zone.add(name, "DNAME", zone.text_of(tuple(labels[1:])))


def put_large(zone, rnd, name):
    for i in range(rnd.choice([5, 20, 100])):
        zone.add(name, "TXT", '"%d %s"' % (i, "L" * 200))


PUTS = ([put_addresses] * 4 + [put_texts] * 2 + [put_cname] * 4 + [put_dname] * 2 + [put_cut] * 5 + [put_pointer] * 4
        + [put_plain] * 2 + [put_wildcard] * 3)
RARE = [put_chain, put_long, put_large]


def start(zone, rnd):
    zone.add((), "SOA", "%s %s 1 3600 600 86400 %d" % (
        "ns." + zone.origin, "Host." + zone.origin, rnd.choice([0, 60, 600, 90000])))
    for _ in range(rnd.choice([1, 2, 3])):
        zone.add((), "NS", rnd.choice(["ns." + zone.origin, "NS." + zone.origin, "ns.other.test.", "a.b." + zone.origin]))
    if rnd.randrange(8):
        zone.add(("ns",), "A", address(rnd))


def cut_children(zone, rnd):
    """What a parent knows of a zone that is on the same server: mostly a cut, now and then not."""
    for child in zone.family:
        if child is zone or not child.origin.endswith("." + zone.origin):
            continue
        name = tuple(child.origin[:-len(zone.origin) - 1].split("."))
        if rnd.randrange(4):
            put_cut(zone, rnd, name)
        elif rnd.randrange(2):
            put_addresses(zone, rnd, name)


def family(origin, rnd):
    """-> [(origin, text, kind)] of one to four zones; every later one lies below an earlier one."""
    zones = [Zone(origin, rnd)]
    for _ in range(rnd.choice([0, 0, 0, 1, 1, 2, 3])):
        parent = rnd.choice(zones)
        below = rnd.choice(["a.", "b.", "x.", "x.a.", "a.b.", "c.b.a."]) + parent.origin
        if below.lower() not in {z.origin.lower() for z in zones}:
            zones.append(Zone(below, rnd))
    for zone in zones:
        zone.family = zones
        start(zone, rnd)
        cut_children(zone, rnd)
    for zone in zones:
        for _ in range(rnd.choice([3, 8, 15, 30, 45])):
            put = rnd.choice(PUTS) if rnd.randrange(12) else rnd.choice(RARE)
            put(zone, rnd, owner(zone, rnd))
        if rnd.randrange(12) == 0:
            put_dname(zone, rnd, ())
    return [(zone.origin, zone.write(), zone.kind) for zone in zones]
