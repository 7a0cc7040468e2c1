#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""main.py SIZE WHAT EDGE-NAMESPACE EDGE PORT KEY SECRET BUILD FOLDER CPU: what the scenario `run` calls. Finds out which system
calls an update takes, and then makes each of them fail, or kills the process there; one line for each case.

SIZE: `small`, or `layers`: a zone so large that a difference becomes an overlay.
WHAT: `sample` or `all`, or a pattern of cases (`controlplane.*fsync`)."""
import base64
import collections
import os
import random
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "evil_primary")]
import node as nodes
import source
import tsig

SAMPLE = int(os.environ.get("FAULTS_SAMPLE", "30"))
MOST = int(os.environ.get("FAULTS_MOST", "12"))     # of one call in one thread
CONVERGE_S = float(os.environ.get("FAULTS_CONVERGE_S", "5"))
SMALL = (30, 30)        # names, and how many each version changes
LAYERS = (5000, 100)    # so that each difference is an overlay, and most begin a fold
OVERLAY_MAX = 100000    # bytes; the base of LAYERS is larger

# What the kernel may say. Calls that are not here are only places to be killed at.
FAULTS = {
    "openat": "ENOSPC EIO ENOMEM EMFILE", "open": "ENOSPC EIO ENOMEM EMFILE", "memfd_create": "ENOMEM EMFILE",
    "ftruncate": "ENOSPC EIO ENOMEM", "fallocate": "ENOSPC EIO", "write": "ENOSPC EIO", "pwrite64": "ENOSPC EIO",
    "writev": "ENOSPC EIO", "pwritev": "ENOSPC EIO", "copy_file_range": "ENOSPC EIO ENOMEM", "sendfile": "EIO ENOMEM",
    "fsync": "ENOSPC EIO", "fdatasync": "ENOSPC EIO", "rename": "ENOSPC EIO", "renameat": "ENOSPC EIO",
    "renameat2": "ENOSPC EIO", "unlink": "EIO", "unlinkat": "EIO", "mkdir": "ENOSPC EIO", "mkdirat": "ENOSPC EIO",
    "read": "EIO", "pread64": "EIO", "fstat": "EIO", "newfstatat": "EIO ENOMEM", "statx": "EIO ENOMEM", "stat": "EIO",
    "lstat": "EIO", "getdents64": "EIO", "mmap": "ENOMEM", "mremap": "ENOMEM", "brk": "ENOMEM", "mprotect": "ENOMEM",
    "mlock": "ENOMEM", "mlock2": "ENOMEM", "madvise": "ENOMEM EIO", "socket": "EMFILE ENOMEM",
    "socketpair": "EMFILE ENOMEM", "pipe2": "EMFILE ENOMEM", "dup": "EMFILE", "dup3": "EMFILE", "accept4": "EMFILE ENOMEM",
    "connect": "ENOMEM", "bind": "ENOMEM", "sendmsg": "ENOMEM", "sendto": "ENOMEM", "recvmsg": "ENOMEM",
    "recvfrom": "ENOMEM", "fcntl": "EMFILE ENOMEM", "epoll_ctl": "ENOMEM ENOSPC", "clone": "ENOMEM EAGAIN",
    "clone3": "ENOMEM EAGAIN", "vfork": "ENOMEM EAGAIN", "fork": "ENOMEM EAGAIN", "execve": "ENOMEM EIO",
    "timerfd_create": "EMFILE ENOMEM", "eventfd2": "EMFILE ENOMEM", "epoll_create1": "EMFILE ENOMEM",
}
# Neither a step of anything, nor able to fail.
BORING = {"futex", "epoll_wait", "epoll_pwait", "poll", "ppoll", "nanosleep", "clock_nanosleep", "sched_yield",
          "rt_sigprocmask", "restart_syscall", "exit", "exit_group", "rt_sigreturn", "getpid", "gettid"}
# Steps of what is written down: killed here, the disk alone must do.
STORES = {"openat", "write", "pwrite64", "writev", "ftruncate", "fallocate", "fsync", "fdatasync", "rename",
          "renameat", "renameat2", "unlink", "unlinkat", "copy_file_range"}
LINE = re.compile(r"^(\d+) +(\w+)\(")
CHILD = nodes.CHILD
FRESH = "a new " + CHILD
STARTS = {("np-controlplane", call) for call in ("socketpair", "clone", "clone3", "vfork", "fork", "kill", "wait4")}
# Threads that an update does not touch: a call of theirs is a client's.
CLIENTS = re.compile(r"rte-worker|np-tcp")

# `kind` of update, in which `thread` makes that call so often.
Case = collections.namedtuple("Case", "kind process thread call number fault")


def title(case):
    return "%s: %s, %s, %s number %d: %s" % case


class Faults:
    def __init__(self, node, edge, port, key, folder, layers):
        self.node, self.folder, self.layers = node, folder, layers
        self.source = source.Source("192.0.2.1", (edge, port), key, *(LAYERS if layers else SMALL))
        self.watcher = source.Watcher(edge, self.source)
        self.round = 0

    def start(self):
        self.node.start("controlplane")
        self.node.start("dataplane")
        self.converge(30)
        self.watcher.down = False

    # --- a version

    def change(self, kind):
        """`difference`, `whole`; `fresh`: whole, with no compiler that was ready before; `anew`: a difference, with no journal
        that it could be added to. Of layers every 20th is whole, since all begins anew with it."""
        self.round += 1
        self.source.change(whole=kind in ("whole", "fresh") or (self.layers and self.round % 20 == 0))

    def prepare(self, kind):
        if kind == "fresh":
            self.node.kill_compilers()
        if kind == "anew":
            shutil.rmtree(os.path.join(self.folder, "node", "storage", "journal"), ignore_errors=True)

    def kinds(self):
        return ("difference",) if self.layers else ("difference", "whole", "fresh", "anew")

    def converged(self):
        return self.watcher.serial == self.source.serial

    def wait(self, condition, seconds):
        limit = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > limit:
                return False
            time.sleep(0.005)
        return True

    def converge(self, seconds):
        """-> how long it took."""
        began = time.monotonic()
        if not self.wait(self.converged, seconds):
            status = self.node.status() or {}
            raise AssertionError("serial %s is served after %g s, not %d; %s, error %s, recent %s" % (
                self.watcher.serial, seconds, self.source.serial, status.get("state"), status.get("error"),
                status.get("recent-failures")))
        return time.monotonic() - began

    def durable(self):
        status = self.node.status()
        return status is not None and status["durable"] and status["serial-held"] == self.source.serial

    def disk(self):
        """Changes when something is committed. Nobody is asked for it: that would be calls, too."""
        out = []
        for name in ("manifest", "manifest.changes"):
            try:
                found = os.stat(os.path.join(self.folder, "node", "storage", name))
                out.append((found.st_ino, found.st_size, found.st_mtime_ns))
            except OSError:
                out.append(None)
        return out

    # --- what an update is made of

    def learn(self, process, kind, most):
        """Adds {(thread, call): the most that such a thread makes of it during an update and its storing}"""
        self.prepare(kind)
        path, threads = os.path.join(self.folder, "calls"), self.node.threads(process)
        tracer = self.node.trace(process, path, threads, "-f")
        before = self.disk()
        self.change(kind)
        self.converge(20)
        self.wait(lambda: self.disk() != before, 10)
        time.sleep(0.6 if self.layers else 0.3)
        nodes.end(tracer)
        seen = collections.Counter()
        with open(path, errors="replace") as lines:
            for line in lines:
                found = LINE.match(line)
                if found:
                    seen[found.groups()] += 1
        for (tid, call), count in seen.items():
            thread = threads.get(int(tid), FRESH)
            if call not in BORING and not CLIENTS.search(thread):
                most[thread, call] = max(most[thread, call], count)

    def cases(self, process):
        out = []
        for kind in self.kinds():
            most = collections.Counter()
            for _ in range(5 if self.layers and kind == "difference" else 2):   # up to the first fold and one more
                self.learn(process, kind, most)
            others = {thread for thread, _ in most} - {FRESH}
            for (thread, call), count in sorted(most.items()):
                # Of a start of the compiler only what nothing else is made of, and of nothing else a start, which is by chance.
                if (kind == "fresh") != (thread == FRESH or (thread, call) in STARTS):
                    continue
                if kind == "anew" and thread != "np-journal":
                    continue
                # Who looks at a new process looks at all that are there, and the first to come there is killed.
                alone = thread != FRESH or not any(most[other, call] for other in others)
                faults = ["KILL"] if alone else []
                for number in range(1, min(count, MOST) + 1):
                    out += [Case(kind, process, thread, call, number, fault)
                            for fault in (*faults, *FAULTS.get(call, "").split())]
        return out

    def overlays(self):
        """How many image files are too small to hold the zone."""
        folder = os.path.join(self.folder, "node", "storage", "images")
        return sum(os.path.getsize(os.path.join(folder, name)) < OVERLAY_MAX for name in os.listdir(folder))

    # --- a case

    def inject(self, case):
        """-> whether the place was reached."""
        path = os.path.join(self.folder, "injected")
        if os.path.exists(path):
            os.unlink(path)
        self.prepare(case.kind)
        how = "error=" + case.fault
        if case.fault == "KILL":
            how = "signal=KILL"
        elif case.call == "brk":
            how = "retval=0"        # it says no in its own way
        thread = self.node.MAIN[case.process] if case.thread == FRESH else case.thread
        threads = {tid: name for tid, name in self.node.threads(case.process).items() if name == thread}
        tracer = self.node.trace(case.process, path, threads, *(["-f"] if case.thread == FRESH else []),
                                 "-e", "trace=" + case.call,
                                 "-e", "inject=%s:%s:when=%d" % (case.call, how, case.number))
        if case.process == "dataplane" and case.fault == "KILL":
            self.watcher.down = True

        def reached():
            try:
                with open(path, errors="replace") as lines:
                    return bool(re.search(r"INJECTED|killed by SIGKILL", lines.read()))
            except FileNotFoundError:
                return False

        before = self.disk()
        self.change(case.kind)
        # As soon as it has happened nobody looks on; otherwise until all is done.
        if self.wait(lambda: reached() or (self.converged() and self.disk() != before), 3):
            self.wait(reached, 0.4 if self.layers else 0.2)
        nodes.end(tracer)
        if not reached():
            return False
        if case.fault == "KILL" and case.thread not in (CHILD, FRESH):
            self.wait(lambda: not self.node.alive(case.process), 5)
        return True

    def alone(self):
        """A data plane that finds nothing but what is on the disk at this instant serves the last version that was durable,
        or the one after it."""
        self.watcher.down = True
        self.node.kill("dataplane")
        self.watcher.serial = None
        self.node.start("dataplane")
        if not self.wait(lambda: self.watcher.serial is not None, 5):
            raise AssertionError("the data plane alone does not answer")
        if self.watcher.serial < self.source.serial - 1:
            raise AssertionError("alone it serves %d, after %d was durable" % (
                self.watcher.serial, self.source.serial - 1))

    def again(self, case, at):
        """What died is started again; what it says must not be that its state is broken."""
        if case.fault != "KILL" or case.thread in (CHILD, FRESH):
            status = self.node.processes[case.process].returncode
            raise AssertionError("np-%s ended with %s: %s" % (
                case.process, status, self.node.said(case.process, at)[-400:]))
        if case.process == "controlplane" and case.call in STORES:
            self.alone()
        self.node.start(case.process)
        said = self.node.said(case.process, at)
        if re.search(r"broken|corrupt|cannot be read|is not readable|checksum", said):
            raise AssertionError("what was stored is not readable: %s" % said[-600:])

    def run(self, case):
        """-> how long it took to converge; None when the place was not reached. Raises AssertionError."""
        at = os.path.getsize(os.path.join(self.folder, case.process + ".log"))
        before = len(self.watcher.wrong)
        reached = False
        for _ in range(5 if self.layers else 3):        # what a thread does is not the same each time
            reached = self.inject(case)
            if reached or not self.node.alive(case.process):
                break
            self.converge(CONVERGE_S)
        if not self.node.alive(case.process):
            reached = True
            self.again(case, at)
        took = self.converge(CONVERGE_S)
        self.watcher.down = False
        self.watcher.heard = time.monotonic()
        if not self.wait(self.durable, 12):
            raise AssertionError("it is not durable: %s" % self.node.status())
        wrong = self.watcher.wrong[before:]
        if wrong:
            raise AssertionError("; ".join(wrong[:5]))
        return took if reached else None


def say(word, text):
    print("%s %s" % (word, text), flush=True)


def choose(cases, what, seed):
    if what == "sample":
        return random.Random(seed).sample(cases, min(SAMPLE, len(cases)))
    return [c for c in cases if what == "all" or re.search(what, title(c))]


def main():
    size, what, namespace, edge, port, key_name, secret, build, folder, cpu = sys.argv[1:]
    node = nodes.Node(namespace, build, os.path.join(folder, "node", "node.yaml"), folder, cpu)
    faults = Faults(node, edge, int(port), tsig.Key(key_name, base64.b64decode(secret)), folder, size == "layers")
    slowest, failed, ran, unreached = 0.0, 0, 0, 0
    try:
        faults.start()
        cases = faults.cases("controlplane") + faults.cases("dataplane")
        say("figures", "%d cases there are" % len(cases))
        if faults.layers and faults.overlays() == 0:
            raise RuntimeError("there are no overlays")
        holds = {name: node.holds(name) for name in node.processes}
        pids = {name: node.processes[name].pid for name in node.processes}
        for case in choose(cases, what, int(os.environ.get("SEED", "1"))):
            try:
                took = faults.run(case)
            except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                say("fail", "%s: %s" % (title(case), str(error).replace("\n", " / ")))
                for name in ("controlplane", "dataplane"):
                    node.kill(name)
                faults.watcher.down = True
                faults.start()
                faults.watcher.wrong.clear()
                continue
            if took is None:
                unreached += 1
                say("not reached:", title(case))
                continue
            ran, slowest = ran + 1, max(slowest, took)
            say("pass", "%s (%d ms)" % (title(case), took * 1000))
        for name in pids:
            if node.processes[name].pid == pids[name] and node.holds(name) > holds[name] + 2:
                say("fail", "%s: descriptors %d -> %d" % (name, holds[name], node.holds(name)))
        say("figures", "%d cases, %d wrong, %d places not reached; slowest to converge %.2f s; %d answers, %d SERVFAIL" % (
            ran + failed, failed, unreached, slowest, faults.watcher.answered, faults.watcher.servfail))
        say("end", "")
    finally:
        node.stop()


if __name__ == "__main__":
    main()
