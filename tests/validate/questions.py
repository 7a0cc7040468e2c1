# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Every name in, beside and below a zone's names, with types that are there and types that are not.
import dnswire

TYPES = dict(dnswire.TYPE, NSEC3PARAM=51, TYPE65400=65400)
ABSENT = ("A", "TXT", "DS", "MX", "TYPE65400", "CNAME")
NAME_MAX = 255


def beside(wire):
    """Names just before and after, with the first label changed in its last byte or one longer."""
    length, label, rest = wire[0], wire[1:1 + wire[0]], wire[1 + wire[0]:]
    for last in (label[-1] - 1, label[-1] + 1):
        if 0 <= last < 256:
            yield bytes([length]) + label[:-1] + bytes([last]) + rest
    if length < 63:
        yield bytes([length + 1]) + label + b"!" + rest


def around(tree):
    """Wire names in an order that does not change from run to run."""
    seen = {}
    for labels, types in sorted(tree.names.items()):
        wire = b"".join(labels) + b"\0"
        found = [wire, b"\1x" + wire, b"\1a\1b" + wire, b"\1*" + wire, b"\2zz\1*" + wire]
        if labels != tree.apex:
            found += list(beside(wire)) + [wire.upper() if b"\\" not in wire else wire]
        for name in found:
            if len(name) <= NAME_MAX:
                seen.setdefault(name, list(types))
    return seen.items()


def questions(tree, parents_served):
    """(wire name, type) of all; DS of an apex only where the parent is served."""
    for wire, types in around(tree):
        apex = wire.lower() == dnswire.name_to_wire(tree.zone.origin).lower()
        wanted = dict.fromkeys([t for t in types if t in TYPES] + list(ABSENT))
        for qtype in wanted:
            if qtype == "DS" and apex and not parents_served:
                continue
            yield wire, qtype
