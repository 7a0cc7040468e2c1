# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# What a validator must say of a question, read off the records before they were signed: RFC 1034 4.3.2
# and RFC 4592 over a dictionary, RFC 4035 for what is secure. Standard library only.
import collections

import dnswire

CHAIN_MAX = 12

# kinds: every step's kind, the last one last; security: secure, insecure, bogus; optout: a denial in an
# opt-out zone is part of it, which proves less; origins: the zones that the chain passed.
Verdict = collections.namedtuple("Verdict", "rcode kinds security optout origins")


def labels_of(wire):
    out, at = [], 0
    while wire[at]:
        out.append(wire[at:at + 1 + wire[at]].lower())
        at += 1 + wire[at]
    return tuple(out)


class Tree:
    """The names of one zone: labels -> {type: [rdata]}; empty non-terminals have no types."""

    def __init__(self, zone):
        self.zone = zone
        self.apex = labels_of(dnswire.name_to_wire(zone.origin))
        self.names = collections.defaultdict(dict)
        for owner, rtype, rdata in zone.records:
            name = labels_of(dnswire.name_to_wire(self.absolute(owner)))
            self.names[name].setdefault(rtype, []).append(rdata)
            while len(name) > len(self.apex):
                name = name[1:]
                self.names[name]       # made when it was missing
        if zone.parent is None:            # as `make` puts them there
            for label in ("secure", "bogus"):
                self.names[labels_of(dnswire.name_to_wire(self.absolute(label)))]["DS"] = [""]
        if zone.signer:
            self.names[self.apex]["DNSKEY"] = [""]
            if zone.denial != "nsec":
                self.names[self.apex]["NSEC3PARAM"] = [""]

    def absolute(self, name):
        if name == "@":
            return self.zone.origin
        return name if name.endswith(".") else "%s.%s" % (name, self.zone.origin)

    def cut_above(self, name, qtype):
        """The delegation at or above a name, None where there is none; DS is the parent's."""
        for length in range(len(self.apex) + 1, len(name) + 1):
            at = name[len(name) - length:]
            if "NS" in self.names.get(at, ()) and not (at == name and qtype == "DS"):
                return at
        return None

    def dname_above(self, name):
        for length in range(len(self.apex), len(name)):
            at = name[len(name) - length:]
            if "DNAME" in self.names.get(at, ()):
                return at
        return None


class Oracle:
    def __init__(self, zones):
        self.trees = {}
        for zone in zones:
            tree = Tree(zone)
            self.trees[tree.apex] = tree

    def tree_of(self, name, qtype):
        """The zone whose authority answers, by delegation from the parents down."""
        found = None
        for length in range(1, len(name) + 1):
            tree = self.trees.get(name[len(name) - length:])
            if tree and not (qtype == "DS" and length == len(name) and found):
                found = tree
        return found

    def step(self, name, qtype):
        """-> (tree, kind, rcode, next name or None)."""
        tree = self.tree_of(name, qtype)
        dname = tree.dname_above(name)
        if dname is not None and tree.cut_above(dname, qtype) is None:
            target = labels_of(dnswire.name_to_wire(tree.absolute(tree.names[dname]["DNAME"][0])))
            following = name[:len(name) - len(dname)] + target
            return tree, "DNAME", 0, following
        if name in tree.names:
            return (tree,) + self.at(tree, tree.names[name], name, qtype, "")
        encloser = name
        while encloser not in tree.names:
            encloser = encloser[1:]
        star = (b"\1*",) + encloser
        if star in tree.names:
            return (tree,) + self.at(tree, tree.names[star], name, qtype, "wildcard ")
        return tree, "NXDOMAIN", 3, None

    def at(self, tree, types, name, qtype, prefix):
        if qtype in types:
            return (prefix or "positive ").strip() if qtype != "DS" else "DS", 0, None
        if "CNAME" in types:
            target = labels_of(dnswire.name_to_wire(tree.absolute(types["CNAME"][0])))
            return prefix + "CNAME", 0, target
        if qtype == "DS" and "NS" in types and name != tree.apex:
            return "DS denial", 0, None
        return prefix + ("NODATA" if types else "ENT"), 0, None

    def judge(self, wire, qtype):
        name, kinds, optout, security, origins = labels_of(wire), [], False, "secure", []
        for _ in range(CHAIN_MAX):
            tree, kind, rcode, following = self.step(name, qtype)
            kinds.append(kind)
            origins.append(tree.zone.origin)
            if tree.zone.security == "bogus":
                security = "bogus"
            elif tree.zone.security == "insecure" and security == "secure":
                security = "insecure"
            denied = kind in ("NXDOMAIN", "DS denial", "ENT") or kind.startswith("wildcard")
            if denied and tree.zone.denial == "optout" and tree.zone.security == "secure":
                optout = True
            if kind == "DNAME" and qtype == "CNAME":   # the one that is made is the answer
                origins.append(self.tree_of(following, qtype).zone.origin)
                following = None
            if following is None:
                return Verdict(rcode, kinds, security, optout, origins)
            name = following
        raise ValueError("a chain without end")
