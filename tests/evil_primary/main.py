#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""What the scenario `run` calls:

    main.py config KEY SECRET WHICH             the node's remotes and zones, as YAML
    main.py judge KEY SECRET WHICH EDGE PORT HEARTBEATS GO NPCTL...
                                                plays all primaries, says `calm` when every first version is
                                                served, waits for the file GO, judges all cases: one line each
    main.py peer KEY SECRET WHICH KIND FOLDER ADDRESS
                                                configuration of NSD, Knot or BIND as the secondary
    main.py watch KEY SECRET WHICH EDGE         plays the primaries for it; one line each: which version it took

WHICH: `all`, `sample` (each case in one of its variants, another each run), `plain:PATTERN` (without TSIG where it
does not matter), or a pattern of names."""
import asyncio
import base64
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import case
import cases_behaviour  # noqa: F401
import cases_content    # noqa: F401
import cases_framing    # noqa: F401
import cases_ixfr       # noqa: F401
import cases_limits     # noqa: F401
import cases_soa        # noqa: F401
import cases_tls        # noqa: F401
import cases_tsig       # noqa: F401
import judge
import peer
import server
import tls_flood
import tsig
from behaviour import Behaviour
from zone import Zone

AT_ONCE = int(os.environ.get("EVIL_AT_ONCE", "40"))
HEARTBEAT_MAX_MS = float(os.environ.get("EVIL_HEARTBEAT_MAX_MS", "2000"))


def zones(key, which):
    """The same list in every process of a run: numbers are addresses."""
    dice = random.Random(int(os.environ.get("SEED", "1")))
    out = []
    for c in case.CASES:
        variants = c.variants()
        if c.crowd and (which in ("all", "sample") or re.search(which, c.name)):
            out += [Zone(c, variants[0], len(out) + i, key, i) for i in range(c.crowd)]
        if c.crowd:
            continue
        if which == "sample":
            variants = [dice.choice(variants)]
        elif which.startswith("plain:"):
            variants = [v for v in variants if not v.signed or c.signed == (True,)]
            variants = variants if re.search(which[len("plain:"):], c.name) else []
        elif which != "all" and not re.search(which, c.name):
            variants = []
        for variant in variants:
            out.append(Zone(c, variant, len(out), key))
    # PART=K/N: every N-th zone, so that a server that stumbles over one case does not spoil all the others.
    part, parts = map(int, os.environ.get("PART", "0/1").split("/"))
    return out[part::parts]


def config(all_zones, key):
    print("remote:")
    print("  - id: heart\n    address: 192.0.2.1@5300\n    key: %s" % key)
    for zone in all_zones:
        for word, address in (("e", zone.evil_address), ("g", zone.good_address)):
            port = "@%d" % tls_flood.PORT if zone.case.flood and word == "e" else ""
            print("  - id: %s%d\n    address: %s%s" % (word, zone.number, address, port))
            if zone.key is not None:
                print("    key: %s" % key)
            if zone.case.tls and word == "e":
                print("    tls: on")
    print('zone:\n  - domain: "heartbeat.test."\n    primaries: [heart]\n    notify-from: [heart]')
    for zone in all_zones:
        both = "[e%d, g%d]" % (zone.number, zone.number)
        print('  - domain: "%s"\n    primaries: %s\n    notify-from: %s' % (zone.domain, both, both))
        for word in zone.case.config:
            print("    " + word)


def heartbeats(path):
    with open(path) as lines:
        return [tuple(map(float, line.split())) for line in lines if line.endswith("\n")]


def worst_beat(beats, began, ended):
    """The longest of the changes that were under way in that time, or of the silence since the last one."""
    worst = max((ms for at, ms in beats if at <= ended and at + ms / 1000 >= began), default=0.0)
    last = max((at + ms / 1000 for at, ms in beats), default=0.0)
    return max(worst, (ended - max(last, began)) * 1000 - 200)


def say(word, text):
    print("%s %s" % (word, text), flush=True)


async def judge_all(all_zones, edge, port, path, go, npctl):
    primary = server.Server(all_zones, Behaviour())
    await primary.open()
    judged = judge.Judge(primary, edge, edge, npctl, (edge, int(port)))
    gate, failed = asyncio.Semaphore(AT_ONCE), 0
    say("ready", "")
    for zone in all_zones:
        await judged.becomes(zone, zone.old, zone.first_source, 60)
    say("calm", "")
    while not os.path.exists(go):
        await asyncio.sleep(0.05)

    async def tried(zones):
        """-> what was said of the last, what went wrong first, or None."""
        outcomes = await asyncio.gather(*(asyncio.wait_for(judged.run(zone), 120) for zone in zones),
                                        return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                return "", str(outcome) if isinstance(outcome, judge.Wrong) else repr(outcome)
        return outcomes[-1], None

    async def one(*zones):
        nonlocal failed
        async with gate:
            began = time.monotonic()
            said, wrong = await tried(zones)
            ended = time.monotonic()
        await asyncio.sleep(0.5)            # for the heartbeats that were under way
        beat = worst_beat(heartbeats(path), began, ended)
        if wrong is None and beat > HEARTBEAT_MAX_MS:
            wrong = "the heartbeat zone was %d ms late" % beat
        zone = zones[0]
        title = "%s, %s%s%s" % (zone.case.name, zone.form.upper(), ", TSIG" if zone.key else "",
                                ", %d zones" % len(zones) if len(zones) > 1 else "")
        if wrong is not None:
            failed += 1
            say("fail", "%s: %s" % (title, wrong))
        else:
            say("pass", "%s (%d ms; heartbeat at most %d ms%s)" % (
                title, (ended - began) * 1000, beat, "; " + said if said else ""))

    began = time.monotonic()
    # The slow ones first, so that they are not waited for alone at the end.
    order = sorted((z for z in all_zones if not z.case.crowd), key=lambda z: -z.case.seconds)
    await asyncio.gather(*(one(zone) for zone in order))
    for c in case.CASES:
        crowd = [zone for zone in all_zones if zone.case is c]
        if c.crowd and crowd:
            await one(*crowd)
    beats = [ms for at, ms in heartbeats(path) if at >= began]
    beats.sort()
    say("figures", "%d cases in %d zones, %d wrong; %d heartbeats: p50 %.1f ms, p99 %.1f ms, worst %.1f ms" % (
        len({z.case.name for z in all_zones}), len(all_zones), failed, len(beats), beats[len(beats) // 2],
        beats[len(beats) * 99 // 100], beats[-1]))
    for error in primary.errors[:20]:
        say("fail", "the primary itself: " + error)
    await primary.close()
    return failed + len(primary.errors)


async def watch_all(all_zones, edge):
    primary = server.Server(all_zones, Behaviour())
    await primary.open()
    judged = judge.Judge(primary, edge, edge, (), (edge, 53))
    gate = asyncio.Semaphore(AT_ONCE)
    say("ready", "")

    async def one(zone):
        async with gate:
            say("took", "%s %s %s" % (zone.case.name, zone.domain.split(".")[1], await judged.watch(zone)))

    await asyncio.gather(*(one(zone) for zone in all_zones))
    await primary.close()


def main():
    word, key_name, secret, which = sys.argv[1:5]
    key = tsig.Key(key_name, base64.b64decode(secret))
    all_zones = [zone for zone in zones(key, which) if not zone.case.tls or word in ("config", "judge")]
    if word == "config":
        config(all_zones, key_name)
    elif word == "judge":
        edge, port, path, go, npctl = *sys.argv[5:9], sys.argv[9:]
        wrong = asyncio.run(judge_all(all_zones, edge, port, path, go, npctl))
        sys.exit(1 if wrong else 0)
    elif word == "peer":
        peer.CONFIGURE[sys.argv[5]](all_zones, key_name, secret, *sys.argv[6:8])
    elif word == "watch":
        asyncio.run(watch_all(all_zones, sys.argv[5]))


if __name__ == "__main__":
    main()
