# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# The zones of the validation run, as lists of records before they are signed. A family is a parent,
# signed by one program with one algorithm and one kind of denial, and four children: secure, insecure
# (unsigned), island (signed, no DS) and bogus (the DS is of another key). Standard library only.
import collections

SIGNERS = ("bind", "ldns", "knot")
DENIALS = ("nsec", "nsec3", "optout")
ALGORITHMS = ("RSASHA256", "ECDSAP256SHA256", "ED25519")
CHILDREN = ("secure", "insecure", "island", "bogus")
PARENT_ADDRESS, CHILD_ADDRESS = "127.0.0.1", "127.0.0.2"

# records: list of (owner relative to the origin or "@", type, rdata); security: secure, insecure, bogus.
Zone = collections.namedtuple("Zone", "origin signer denial algorithm security parent records")


def families(full=False):
    """Every signer with every kind of denial, the algorithm by turns; or with every algorithm."""
    for i, signer in enumerate(SIGNERS):
        for j, denial in enumerate(DENIALS):
            for number, algorithm in enumerate(ALGORITHMS):
                if full or number == (i + j) % 3:
                    yield "%s-%s-%d.judged." % (signer, denial, number), signer, denial, algorithm


PARENT = """
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
@ MX 10 www
@ TXT "apex"
ns A 127.0.0.1
www A 192.0.2.80
www AAAA 2001:db8::80
www TXT "www"
MiXeD A 192.0.2.77
Below.MiXeD TXT "below"
ALL.UPPER.Case A 192.0.2.78
a\\.b A 192.0.2.70
\\000 A 192.0.2.71
\\255\\254 TXT "bytes"
_443._tcp.www TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
svc HTTPS 1 . alpn=h2
odd TYPE65400 \\# 4 01020304
l23456789012345678901234567890123456789012345678901234567890123 A 192.0.2.63
one.of.many.empty TXT "deep"
two.of.many.empty TXT "deep"
*.w A 192.0.2.42
*.w TXT "wild"
host.w A 192.0.2.43
in.tree.w A 192.0.2.44
*.nested TXT "outer"
*.inner.nested TXT "inner"
x.*.nested TXT "below a star"
*.under.blank A 192.0.2.45
*.wc CNAME www
*.wnone CNAME nothing.here
*.wwild CNAME foo.w
*.wsecure CNAME www.secure
*.winsecure CNAME www.insecure
c1 CNAME c2
c2 CNAME www
cnone CNAME nothing.at.all
cempty CNAME many.empty
cwild CNAME some.w
cwildempty CNAME some.nested
csecure CNAME www.secure
cnonesecure CNAME nothing.secure
cinsecure CNAME www.insecure
cisland CNAME www.island
cbogus CNAME www.bogus
cdname CNAME host.d
d DNAME tree
tree A 192.0.2.50
host.tree A 192.0.2.51
deep.in.tree TXT "tree"
*.star.tree TXT "star"
dsecure DNAME secure
dinsecure DNAME insecure
secure NS ns.secure
ns.secure A 127.0.0.2
insecure NS ns.insecure
ns.insecure A 127.0.0.2
island NS ns.insecure
bogus NS ns.insecure
insecure.far.away NS ns.insecure
insecure.near NS ns.insecure
beside.near A 192.0.2.90
"""

CHILD = """
@ SOA ns hostmaster 1 3600 600 86400 300
@ NS ns
@ TXT "child"
ns A 127.0.0.2
www A 192.0.2.81
www TXT "child"
MixeD A 192.0.2.82
deep.of.empty A 192.0.2.83
*.w TXT "wild"
host.w A 192.0.2.84
*.wc CNAME www
c CNAME www
cnone CNAME nothing
d DNAME w
"""


def records(text):
    return [tuple(line.split(None, 2)) for line in text.split("\n") if line]


def children(origin, signer, denial, algorithm):
    """The children of a family; those under other names are unsigned. Their denial is another one."""
    other = DENIALS[(DENIALS.index(denial) + 1) % 3]
    for label in CHILDREN + ("insecure.far.away", "insecure.near"):
        kind = label.split(".")[0]
        yield Zone("%s.%s" % (label, origin), signer if kind != "insecure" else None, other, algorithm,
                   {"island": "insecure"}.get(kind, kind), origin, records(CHILD))


def parent(origin, signer, denial, algorithm):
    return Zone(origin, signer, denial, algorithm, "secure", None, records(PARENT))


def text(zone, extra=()):
    """Zone file text; names in rdata are relative to the origin, as are owners."""
    lines = ["$ORIGIN %s" % zone.origin, "$TTL 300"]
    lines += ["%s IN %s %s" % record for record in list(zone.records) + list(extra)]
    return "\n".join(lines) + "\n"
