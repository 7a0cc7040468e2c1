# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# One reply beside those of three other servers. What is compared: rcode, AA, TC, the flags that come
# back, OPT and its DO, the answer section and the authority section as sets of records with their
# TTLs, and of a referral the addresses of name servers inside the delegated zone. The order of
# records, compression and optional additional records are each server's own.
import dnswire

NS, SOA, RRSIG, ANY = 2, 6, 46, 255
FLAGS = {0x0100: "RD", 0x0080: "RA", 0x0040: "Z", 0x0020: "AD", 0x0010: "CD", 0x7800: "opcode"}
MINOR = {"CD", "AD"}
NEAR_LIMIT = 0.85          # sizes differ by compression: who is so near the limit may be cut


class Reply:
    """What counts of a reply."""

    def __init__(self, wire, apexes):
        self.fault = None
        try:
            m = dnswire.Message(wire)
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
                       and any(r[4].endswith(cut) for cut in cuts)}
            self.glue = frozenset(r for r in m.additional if r[0] in targets and r[1] in (1, 28))


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
        return words
    if ours.aa != theirs.aa:
        words.add("aa")
    if ours.tc or theirs.tc:
        if ours.tc != theirs.tc and max(ours.size, theirs.size) < NEAR_LIMIT * limit:
            words.add("tc")
        return words
    if question[1] in (ANY, RRSIG):                 # any non-empty subset (RFC 8482 4.1)
        if bool(ours.answer) != bool(theirs.answer):
            words.add("answer")
        elif not ours.answer and ours.authority != theirs.authority:
            words.add("authority")
        return words
    for word in ("answer", "authority", "glue"):
        if getattr(ours, word) != getattr(theirs, word):
            words.add(word)
    return words


def judge(replies, question, limit):
    """`replies`: ours, then those of the three. -> (kind, words). Kinds: None, nothing that counts;
    "wrong", the three agree on something and we do not; "alone", each of them differs from us and they
    from each other; "disputed", one of them answers as we do."""
    ours, peers = replies[0], replies[1:]
    words = [differences(ours, p, question, limit) for p in peers]
    if not any(words):
        return None, set()
    among = set().union(*(differences(peers[0], p, question, limit) for p in peers[1:]))
    if question[1] in (ANY, RRSIG) and not among and not any(r.tc or r.fault for r in replies):
        known = frozenset().union(*(p.answer for p in peers if not p.fault))
        if not ours.answer <= known:
            return "wrong", {"an answer that none of them gives"}
    wrong = set.intersection(*words) - among
    if wrong:
        return "wrong", wrong
    every = set().union(*words)
    return ("alone" if all(w - MINOR for w in words) else "disputed"), every


def show(name, reply):
    if reply.fault:
        return "    %-5s broken: %s" % (name, reply.fault)
    lines = ["    %-5s rcode=%d aa=%d tc=%d flags=%#06x opt=%s size=%d" % (
        name, reply.rcode, reply.aa, reply.tc, reply.flags, reply.opt, reply.size)]
    for section in ("answer", "authority", "glue"):
        for record in sorted(getattr(reply, section)):
            lines.append("          %-9s %s" % (section, dnswire.record_text(record)[:150]))
    return "\n".join(lines)


def kind_of(question, replies, words):
    """A class of dispute: what differs, with which outcomes, for which kind of question."""
    words = words - MINOR or words
    if words <= MINOR:
        return ", ".join(sorted(words))
    outcomes = ["fault" if r.fault else "%d%s%s" % (r.rcode, "+" if r.aa else "-", "t" if r.tc else "")
                for r in replies]
    outcome = outcomes[0] if len(set(outcomes)) == 1 else "/".join(outcomes)
    return "%s, %s%s" % (", ".join(sorted(words)), outcome, ", DO" if question[3] else "")
