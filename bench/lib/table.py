# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# A table of the benchmarks: rows of our figure, a peer's and their ratio, each with the machine, the versions and the
# commit it was measured with. Each row is printed as it comes and the whole is written again, so that what was
# measured stays when something later fails.
import json
import os
import platform
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

# What a row calls the two figures. The ratio is ours divided by the peer's.
OURS, THEIRS = "nameplane", "peer_figure"
IO_OURS, IO_THEIRS = "answers_per_s", "macswap_per_s"

PACKAGES = {"dpdk": "dpdk", "nsd": "nsd", "knot": "knot", "bind": "bind9", "dnsperf": "dnsperf",
            "kxdpgun": "knot-dnsutils", "liburcu": "liburcu8", "valgrind": "valgrind"}


def output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip()


def line_of(path, word):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(word):
                return line.split(":", 1)[1].strip()
    return ""


def machine():
    return {"cpu": line_of("/proc/cpuinfo", "model name"), "cpus": os.cpu_count(),
            "memory_gb": round(int(line_of("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20), 1),
            "kernel": platform.release().split("-")[0]}


def versions():
    found = {}
    for word, package in PACKAGES.items():
        version = output("dpkg-query", "-W", "-f", "${Version}", package)
        if version:
            found[word] = version.split(":")[-1]
    return found


def commit():
    return output("git", "-C", TOP, "describe", "--always", "--dirty") or "unknown"


def figures(row):
    """Ours, the peer's: one or both None where a row only says why it was not measured."""
    return row.get(OURS, row.get(IO_OURS)), row.get(THEIRS, row.get(IO_THEIRS))


def text(value):
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


class Goal:
    """at_least or at_most a number, of the ratio or of our own figure."""

    def __init__(self, what, relation, value):
        self.what, self.relation, self.value = what, relation, value

    def __str__(self):
        return f"{self.what} {'>=' if self.relation == 'at least' else '<='} {self.value:g}"

    def met(self, ours, ratio):
        value = ratio if self.what == "ratio" else ours
        if value is None:
            return False
        return value >= self.value if self.relation == "at least" else value <= self.value


def ratio_at_least(value):
    return Goal("ratio", "at least", value)


def ratio_at_most(value):
    return Goal("ratio", "at most", value)


def at_most(value):
    return Goal("figure", "at most", value)


class Table:
    def __init__(self, name, options, ours=OURS, theirs=THEIRS):
        self.name, self.ours, self.theirs = name, ours, theirs
        self.path = os.path.join(options.out, name + ".json")
        self.rows, self.failures = [], 0
        self.level = options.level
        self.common = {"machine": machine(), "versions": versions(), "commit": commit()}
        os.makedirs(options.out, exist_ok=True)
        self.write()

    # ours or theirs is None where there is none; `more` goes into the row as it is.
    def add(self, workload, unit, ours, peer, theirs, goal=None, **more):
        row = {"workload": workload, "unit": unit, self.ours: ours, "peer": peer, self.theirs: theirs,
               "ratio": round(ours / theirs, 4) if ours is not None and theirs else None}
        if goal is not None:
            row["goal"] = str(goal)
            row["met"] = goal.met(ours, row["ratio"])
        self.rows.append(row | more | {"level": self.level, "at": int(time.time())} | self.common)
        self.write()
        self.say(f"{workload:34} {text(ours):>12} {unit:10} {peer}: {text(theirs)}  ratio {text(row['ratio'])}"
                 + (f"  ({row['goal']}: {'met' if row['met'] else 'NOT met'})" if goal is not None else "")
                 + "".join(f"  {word} {text(value)}" for word, value in more.items()
                           if isinstance(value, (int, float)) and not isinstance(value, bool)))

    # Why a row cannot be measured here, in one sentence.
    def cannot(self, workload, peer, why):
        self.rows.append({"workload": workload, "unit": "", self.ours: None, "peer": peer, self.theirs: None,
                          "ratio": None, "why": why, "level": self.level, "at": int(time.time())} | self.common)
        self.write()
        self.say(f"{workload:34} {peer}: not measured: {why}")

    def failed(self, workload, why):
        self.failures += 1
        self.cannot(workload, "-", f"FAILED: {why}")

    def say(self, words):
        print(f"{self.name}: {words}", flush=True)

    def write(self):
        temporary = self.path + ".new"
        with open(temporary, "w", encoding="utf-8") as out:
            json.dump(self.rows, out, indent=1)
            out.write("\n")
        os.replace(temporary, self.path)
