# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Resident memory of processes, pages that they share counted once each (Pss); huge pages, which Pss leaves out, too.
import re
import subprocess
import threading


def pss_mb(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as text:
                total += sum(int(kb) for kb in re.findall(r"^(?:Pss|Private_Hugetlb|Shared_Hugetlb): *(\d+)", text.read(), re.M))
        except OSError:  # it has ended
            pass
    return total / 1024


# Of every process in a network namespace. Children that share nothing but the namespace are counted, too.
def namespace_pids(ns):
    done = subprocess.run(["ip", "netns", "pids", ns], stdout=subprocess.PIPE, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


class Peak:
    """with Peak(ns) as peak: the most seen in a namespace, and of each `phase()`. Not often: to ask takes the process's own time."""

    def __init__(self, ns, every=0.5, phase=lambda: ""):
        self.ns, self.every, self.mb, self.phase, self.of = ns, every, 0.0, phase, {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(self.every):
            phase, mb = self.phase(), pss_mb(namespace_pids(self.ns))
            self.of[phase] = max(self.of.get(phase, 0.0), mb)
            self.mb = max(self.mb, mb)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
