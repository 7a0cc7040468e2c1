# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# What a zone is asked: every name that is there, empty non-terminals, wildcards and what they stand
# for, occluded names, names below and beside each; types present and absent; every kind of client.
import dnswire

# Types that are always asked for; those of the zone's own records come to them. RARE ones are no data
# anywhere, or stand for several types.
TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39, 43, 46, 47, 48, 50, 51, 59, 64, 65, 255, 257, 65280]
COMMON = [1, 2, 16, 28, 43]
RARE = [0, 3, 4, 10, 32, 55, 60, 62, 99, 103, 128, 253, 254, 256, 32768, 65279, 65535]
HASHED_MAX = 5             # owners of NSEC3 records asked as names, per zone
SIZES = [None, 512, 1232, 4096]
DO, RD, AD, CD = 0x8000, 0x100, 0x20, 0x10


class Question(tuple):
    """(name, type, EDNS size or None, DO, flags)"""
    __slots__ = ()

    def message(self, ident):
        name, qtype, edns, do, flags = self
        return dnswire.query(name, qtype, ident, edns, flags, do=do)

    def text(self):
        name, qtype, edns, do, flags = self
        return "%s %s%s%s%s" % (
            dnswire.name_to_text(name), dnswire.TYPE_NAME.get(qtype, "TYPE%d" % qtype),
            "" if edns is None else " +bufsize=%d" % edns, " +dnssec" if do else "",
            " flags=%#x" % flags if flags else "")


def parse(text):
    """What Question.text() gives."""
    name, qtype, *words = text.split()
    number = dnswire.TYPE.get(qtype) or int(qtype[4:])
    edns, do, flags = None, False, 0
    for word in words:
        if word.startswith("+bufsize="):
            edns = int(word[9:])
        elif word.startswith("flags="):
            flags = int(word[6:], 0)
        do |= word == "+dnssec"
    return Question((dnswire.name_to_wire(name), number, edns, do, flags))


def labels_of(name):
    """The labels of a wire name, each with its length byte, without the root."""
    out, at = [], 0
    while name[at]:
        out.append(name[at:at + 1 + name[at]])
        at += 1 + name[at]
    return out


def zone_names(text_lines):
    """Lines `OWNER TTL CLASS TYPE RDATA` -> {owner in lower case: types}, and names in rdata."""
    owners, targets = {}, set()
    for line in text_lines:
        fields = line.split(None, 4)
        if len(fields) < 5:
            continue
        owner = dnswire.name_to_wire(fields[0]).lower()
        number = dnswire.TYPE.get(fields[3])
        if number is None:
            number = {"NSEC3": 50, "NSEC3PARAM": 51, "CDS": 59, "CDNSKEY": 60}.get(fields[3])
        if number is None and fields[3].startswith("TYPE"):
            number = int(fields[3][4:])
        owners.setdefault(owner, set()).add(number or 65280)
        if number in (2, 5, 12, 15, 33, 39):
            try:
                targets.add(dnswire.name_to_wire(fields[4].split()[-1]).lower())
            except dnswire.WireError:
                pass
    return owners, targets


def beside(name, rnd):
    """A sibling that sorts just before, just behind, or anywhere."""
    first = bytearray(labels_of(name)[0][1:])
    rest = name[1 + name[0]:]
    kind = rnd.randrange(4)
    if kind == 0 and len(first) < 63:
        first.append(0)
    elif kind == 1:
        first[-1] = (first[-1] + 1) & 0xFF
    elif kind == 2:
        first[-1] = (first[-1] - 1) & 0xFF
    else:
        first = bytearray(rnd.choices(b"abcwxyz01", k=rnd.randrange(1, 4)))
    return bytes([len(first)]) + bytes(first).lower() + rest


def below(name, rnd):
    label = rnd.choice([b"\1*", b"\1a", b"\3www", b"\1\0", b"\2ns", b"\1c"])
    out = label + name
    if rnd.randrange(4) == 0:
        out = rnd.choice([b"\1*", b"\1b", b"\3x.y"]) + out
    return out if len(out) <= 255 else name


def mixed_case(name, rnd):
    out, at = bytearray(name), 0
    while name[at]:
        for i in range(at + 1, at + 1 + name[at]):
            if 0x61 <= out[i] <= 0x7A and rnd.randrange(2):
                out[i] -= 32
        at += 1 + name[at]
    return bytes(out)


def longest(name, rnd):
    """As long below `name` as a name can be, or as deep."""
    room = 255 - len(name)
    if room < 2:
        return name
    sizes = [1] * (room // 2) if rnd.randrange(2) else [min(63, room - 1)] * (room // 64) + [room % 64 - 1]
    if sum(sizes) + len(sizes) < room:
        sizes[0] += 1
    out = b"".join(bytes([size]) + b"a" * size for size in sizes if size > 0) + name
    return out if len(out) <= 255 else name


def candidates(apex, owners, targets, rnd):
    """Names worth asking, with the types that stand there."""
    names = {apex: owners.get(apex, set())}
    hashed = [owner for owner, types in owners.items() if 50 in types and not types - {46, 50}]
    left_out = set(hashed) - set(rnd.sample(sorted(hashed), min(len(hashed), HASHED_MAX)))
    for owner, types in owners.items():
        if owner in left_out:
            continue
        names.setdefault(owner, types)
        labels = labels_of(owner)
        for depth in range(1, len(labels)):       # empty non-terminals among them
            ancestor = b"".join(labels[depth:]) + b"\0"
            if ancestor.endswith(apex) and len(ancestor) >= len(apex):
                names.setdefault(ancestor, owners.get(ancestor, set()))
        for _ in range(2):
            names.setdefault(below(owner, rnd), set())
            if owner != apex:
                names.setdefault(beside(owner, rnd), set())
        if labels and labels[0] == b"\1*":
            for _ in range(3):
                names.setdefault(below(owner[2:], rnd), types)
        if rnd.randrange(12) == 0:
            names.setdefault(longest(owner, rnd), set())
    for target in targets:
        names.setdefault(target, owners.get(target, set()))
        if rnd.randrange(3) == 0:
            names.setdefault(below(target, rnd), set())
    names.setdefault(below(below(apex, rnd), rnd), set())
    names.setdefault(apex[1 + apex[0]:], set())   # above the zone
    names.setdefault(beside(apex, rnd), set())
    return names


def questions(apex, owners, targets, limit, rnd):
    """-> at most `limit` questions, every name among them when they suffice."""
    asked = {}
    names = candidates(apex, owners, targets, rnd)
    every = list(names)
    rnd.shuffle(every)

    def ask(name, qtype):
        size = rnd.choice(SIZES)
        do = size is not None and rnd.randrange(3) > 0
        flags = rnd.choice([0, 0, 0, RD, AD, CD, RD | CD])
        if rnd.randrange(5) == 0:
            name = mixed_case(name, rnd)
        asked[Question((name, qtype, size, do, flags))] = None

    for name in every:                            # once around with what matters most
        for qtype in sorted(names[name] | {1}):
            ask(name, qtype)
    tries = 0
    while len(asked) < limit and tries < 4 * limit:
        tries += 1
        name = rnd.choice(every)
        present = sorted(names[name])
        pool = present if present and rnd.randrange(3) == 0 else COMMON if rnd.randrange(2) else TYPES
        if rnd.randrange(60) == 0:
            pool = RARE
        ask(name, rnd.choice(pool))
    out = list(asked)
    rnd.shuffle(out)
    return out[:limit]
