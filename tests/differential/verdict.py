# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# One reply beside those of three other servers. What is compared: rcode, AA, TC, the flags that come
# back, OPT and its DO, the answer section and the authority section as sets of records with their
# TTLs, and of a referral the addresses of name servers inside the delegated zone. Of the additional
# section: nothing that none of them has, and what all of them have. The order of records, compression
# and optional additional records are each server's own.
import dnswire

NS, CNAME, SOA, DNAME, DS, RRSIG, NSEC, NSEC3, ANY = 2, 5, 6, 39, 43, 46, 47, 50, 255
FLAGS = {0x0100: "RD", 0x0080: "RA", 0x0040: "Z", 0x0020: "AD", 0x0010: "CD", 0x7800: "opcode"}
MINOR = {"CD", "AD"}
NO_ADDITIONAL = "no additional records where all of them have some"
# We add addresses for these, not all of the three do (RFC 9460 4.1, RFC 1183, RFC 2230, RFC 3403).
OPTIONAL_FOR = {18, 21, 35, 36, 64, 65}
NEAR_LIMIT = 0.85          # sizes differ by compression: who is so near the limit may be cut


class Reply:
    """What counts of a reply. `strict`: no record twice."""

    def __init__(self, wire, apexes, strict=False):
        self.fault = None
        try:
            m = dnswire.Message(wire, repeats=not strict)
        except dnswire.WireError as error:
            self.fault = str(error)
            return
        self.size, self.rcode, self.aa, self.tc = m.size, m.rcode, m.aa, m.tc
        self.flags = m.flags & 0x79F0               # opcode, RA, AD, CD, RD, Z
        self.question = m.question
        self.opt = m.opt and (m.opt[1] >> 16 & 0xFF, m.opt[1] & 0xFFFF)
        self.answer = frozenset(m.answer)
        authority = m.authority
        if m.aa and m.answer and m.rcode == 0:      # apex NS, which a server may add to any answer
            authority = [r for r in authority if not (r[0] in apexes and (
                r[1] == NS or (r[1] == RRSIG and r[4][:2] == b"\0\2")))]
        self.authority = frozenset(authority)
        self.additional = frozenset(m.additional)
        self.glue = frozenset()
        if not m.aa and not m.answer:
            cuts = {r[0] for r in m.authority if r[1] == NS}
            targets = {r[4] for r in m.authority if r[1] == NS
                       and any(inside(r[4], cut) for cut in cuts)}
            self.glue = frozenset(r for r in m.additional if r[0] in targets and r[1] in (1, 28))


def inside(name, apex):
    """Wire names in lower case."""
    return name.endswith(apex) and len(apex) in {len(name) - at for at in starts(name)}


def starts(name):
    at = 0
    while name[at]:
        yield at
        at += 1 + name[at]
    yield at


def differences(ours, theirs, question, limit):
    """The set of words for what differs; empty when nothing that counts does."""
    words = set()
    if ours.fault or theirs.fault:
        return {"fault"} if ours.fault != theirs.fault else words
    for bit, word in FLAGS.items():
        if (ours.flags ^ theirs.flags) & bit:
            words.add(word)
    for word in ("question", "opt"):
        if getattr(ours, word) != getattr(theirs, word):
            words.add(word)
    if ours.rcode != theirs.rcode:
        words.add("rcode")
    if ours.aa != theirs.aa:
        words.add("aa")
    if question[1] in (ANY, RRSIG):                 # any non-empty subset, cut or not (RFC 8482 4.1)
        if not (ours.tc or theirs.tc):
            if bool(ours.answer) != bool(theirs.answer):
                words.add("answer")
            if ours.authority != theirs.authority:
                words.add("authority")
        return words
    if ours.tc or theirs.tc:
        if ours.tc != theirs.tc and max(ours.size, theirs.size) < NEAR_LIMIT * limit:
            words.add("tc")
        return words
    for word in ("answer", "authority", "glue"):
        if getattr(ours, word) != getattr(theirs, word):
            words.add(word)
    return words


def beside_the_point(replies, question, limit):
    """What is wrong with our optional records. Pre: `replies` agree in all that is not optional."""
    ours, peers, words = replies[0], replies[1:], set()
    if any(r.tc or r.fault for r in replies):
        return words
    if question[1] in (ANY, RRSIG):
        if not ours.answer <= frozenset().union(*(p.answer for p in peers)):
            words.add("an answer that none of them gives")
        return words
    if max(r.size for r in replies) >= NEAR_LIMIT * limit:
        return words
    if question[1] not in OPTIONAL_FOR and not ours.additional <= frozenset().union(*(p.additional for p in peers)):
        words.add("additional records that none of them has")
    if frozenset.intersection(*(p.additional for p in peers)) - ours.additional:
        words.add(NO_ADDITIONAL)
    return words


def judge(replies, question, limit):
    """`replies`: ours, then those of the three. -> (kind, words, who). Kinds: None, nothing that counts;
    "wrong", the three agree on something and we do not; "alone", in something all four differ; "outvoted",
    two of them agree on something and only the third is with us; "disputed", the rest. `who`: for each of
    the three what it differs in from us."""
    peers = replies[1:]
    who = [differences(replies[0], p, question, limit) for p in peers]
    pairs = [differences(peers[i], peers[j], question, limit) for i, j in ((0, 1), (0, 2), (1, 2))]
    among = set().union(*pairs)
    if not any(w - MINOR for w in who) and not among - MINOR:
        extra = beside_the_point(replies, question, limit)
        if extra:
            return "wrong", extra, who
    if not any(who):
        return None, set(), who
    every = set.intersection(*who)
    if "rcode" in among:                            # what stands in the sections follows from it
        among |= {"answer", "authority", "tc"}
    if every - among:
        return "wrong", every - among, who
    if every - MINOR:
        return "alone", every - MINOR, who
    outvoted = set()
    for (i, j), pair in zip(((0, 1), (0, 2), (1, 2)), pairs):
        outvoted |= (who[i] & who[j]) - pair - MINOR
    if outvoted:
        return "outvoted", outvoted, who
    return "disputed", set().union(*who), who


def show(name, reply):
    if reply.fault:
        return "    %-5s broken: %s" % (name, reply.fault)
    lines = ["    %-5s rcode=%d aa=%d tc=%d flags=%#06x opt=%s size=%d" % (
        name, reply.rcode, reply.aa, reply.tc, reply.flags, reply.opt, reply.size)]
    for section in ("answer", "authority", "additional"):
        for record in sorted(getattr(reply, section)):
            lines.append("          %-10s %s" % (section, dnswire.record_text(record)[:150]))
    return "\n".join(lines)


def path_of(question, reply):
    """The way to the answer."""
    types = {r[1] for r in reply.answer}
    words = [word for number, word in ((DNAME, "DNAME"), (CNAME, "CNAME"))
             if number in types and question[1] != number]
    if {r[1] for r in reply.authority} & {NS} and not {SOA} & {r[1] for r in reply.authority}:
        words.append("referral")
    return "+".join(words) or "-"


def kind_of(question, replies, who, zone_kind):
    """A class of dispute: who differs in what, with which outcomes, for which kind of question."""
    ours, peers = replies[0], replies[1:]
    minor = not any(w - MINOR for w in who)
    differ = "; ".join("%s: %s" % (name, " ".join(sorted(w if minor else w - MINOR)))
                       for name, w in zip(("nsd", "knot", "bind"), who) if (w if minor else w - MINOR))
    if minor:
        return differ
    special = {DS: "DS", NSEC: "NSEC", NSEC3: "NSEC3", RRSIG: "RRSIG", ANY: "ANY", SOA: "SOA", CNAME: "CNAME",
               DNAME: "DNAME", 0: "TYPE0", 128: "NXNAME", 253: "MAILB", 254: "MAILA"}.get(question[1], "data")
    outcomes = ["fault" if r.fault else "%d%s%s" % (r.rcode, "+" if r.aa else "-", "t" if r.tc else "")
                for r in replies]
    outcome = outcomes[0] if len(set(outcomes)) == 1 else "/".join(outcomes)
    return "%s | %s | %s, %s, %s%s" % (differ, outcome, special, "-" if ours.fault else path_of(question, ours),
                                       zone_kind, ", DO" if question[3] else "")
