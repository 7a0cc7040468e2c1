# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Where all three agree and yet we answer otherwise, because only our answer can be validated, or because they
# agree by accident. Each is as narrow as it can be; DISPUTED.md says why.
import dnswire
import verdict


def wildcard_above(name, qname):
    """Is `name` below a wildcard that would be the source for `qname`?"""
    for at in verdict.starts(name):
        if name[at:at + 2] == b"\1*" and at > 0 and verdict.inside(qname, name[at + 2:]):
            return True
    return False


def empty_wildcard(question, replies, words):
    """NODATA from a wildcard that is an empty non-terminal, with NSEC: the record that shows that there is one
    (its next name is below it) is left out by Knot and BIND, and by NSD where another zone has names below the
    question's. Without it nothing denies a wildcard with data (RFC 4035 3.1.3.4, 5.4)."""
    ours, peers = replies[0], replies[1:]
    if words != {"authority"} or ours.rcode != 0 or not all(p.authority < ours.authority for p in peers):
        return False
    extra = [r for r in ours.authority if not any(r in p.authority for p in peers)]
    nsec = [r for r in extra if r[1] == verdict.NSEC]
    return len(nsec) == 1 and {r[0] for r in extra} == {nsec[0][0]} and \
        {r[1] for r in extra} <= {verdict.NSEC, verdict.RRSIG} and \
        wildcard_above(dnswire.read_name(nsec[0][4], 0)[0].lower(), question[0].lower())


def wildcard_target(owners, replies, words):
    """Addresses that a wildcard has for a name that an additional section is about. We add those that stand in
    the zone (RFC 1034 4.3.2, step 6: "useful to add"), and a signed wildcard would need its proof as well."""
    if words != {verdict.NO_ADDITIONAL}:
        return False
    missing = frozenset.intersection(*(p.additional for p in replies[1:])) - replies[0].additional
    return not any(r[0] in owners for r in missing)


def long_owner(reply):
    """The owner of an NSEC record leans on the apex only (zones/FORMAT.md), which costs more than the three
    spend where it is long and shares most of its labels with the question."""
    return any(r[1] == verdict.NSEC and len(r[0]) > 100 for r in reply.authority)


def explain(question, owners, replies, words):
    return empty_wildcard(question, replies, words) or wildcard_target(owners, replies, words)
