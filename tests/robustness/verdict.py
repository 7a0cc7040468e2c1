# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# What is compared of an outcome, field by field: where NSD, Knot and BIND say the same, it is what we
# must say; where they do not, the class of cases is disputed and stands in README.md.
import collections
import struct

import dnswire
from message import wire

PEERS = ("nsd", "knot", "bind")
BITS = (("aa", 0x400), ("tc", 0x200), ("rd", 0x100), ("ra", 0x80), ("z", 0x40), ("ad", 0x20), ("cd", 0x10))


def has_opt(reply):
    """-> (is there an OPT, upper bits of the rcode). A reply need not be well formed."""
    questions, *counts = struct.unpack_from("!4H", reply, 4)
    try:
        at = 12
        for _ in range(questions):
            _, at = dnswire.read_name(reply, at)
            at += 4
        for _ in range(sum(counts)):
            _, at = dnswire.read_name(reply, at)
            rtype, _, ttl, length = struct.unpack_from("!HHIH", reply, at)
            if rtype == dnswire.OPT:
                return True, ttl >> 24
            at += 10 + length
    except (dnswire.WireError, struct.error):
        pass
    return False, 0


def fields(outcome, case):
    """What counts of an outcome, by name. Without a reply there is little to say."""
    out = {}
    if outcome.kept is not None:
        out["connection"] = "kept" if outcome.kept else "closed"
    reply = outcome.reply
    out["reply"] = "silence" if reply is None else "reply"
    if reply is None:
        return out
    if len(reply) < 12:
        out["reply"] = "%d bytes" % len(reply)
        return out
    flags, questions, answers, authorities, additionals = struct.unpack_from("!5H", reply, 2)
    opt, upper = has_opt(reply)
    out["rcode"] = flags & 15 | upper << 4
    out["qr and opcode"] = flags & 0x8000, (flags ^ int.from_bytes(case.body[:2], "big")) & 0x7800
    for bit, mask in BITS:
        out[bit] = int(flags & mask != 0)
    out["opt"] = int(opt)
    out["questions"] = questions
    out["answers"], out["authorities"], out["additionals"] = answers, authorities, additionals - opt
    sent = wire(case, 0)
    try:
        _, end = dnswire.read_name(sent, 12)
    except dnswire.WireError:
        end = len(sent)
    if questions == 1 and end + 4 <= len(sent):
        out["question echoed"] = int(reply[12:end + 4] == sent[12:end + 4])
    return out


def flaw(outcome):
    """What is wrong with a reply of ours whatever the others say, or None."""
    if outcome.extra:
        return "%d more replies" % len(outcome.extra)
    if outcome.reply is None:
        return None
    try:
        message = dnswire.Message(outcome.reply)
    except dnswire.WireError as error:
        return "not well formed: %s" % error
    if message.flags & 0x40:
        return "Z is set"
    return None


class Tally:
    """Agreements, differences and disputes of one transport."""

    def __init__(self, transport):
        self.transport = transport
        self.cases = self.judged = 0
        self.wrong = []                    # (case, field, what they say, what we say)
        self.disputed = collections.defaultdict(list)  # (group, field, their values, ours) -> cases

    def take(self, case, outcomes, ours):
        """outcomes: peer -> Outcome."""
        self.cases += 1
        theirs = {peer: fields(outcome, case) for peer, outcome in outcomes.items()}
        mine = fields(ours, case)
        broken = flaw(ours)
        if broken:
            self.wrong.append((case, "form", "a whole message", broken))
        for field in dict.fromkeys(f for said in theirs.values() for f in said):
            said = [theirs[peer].get(field, "-") for peer in PEERS]
            mine_said = mine.get(field, "-")
            if said[0] == said[1] == said[2]:
                self.judged += 1
                if mine_said != said[0]:
                    self.wrong.append((case, field, said[0], mine_said))
            elif "-" not in said:          # where one of them is silent, "reply" is the dispute
                self.disputed[(case.group, field, tuple(said), mine_said)].append(case)
