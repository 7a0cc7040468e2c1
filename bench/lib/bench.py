# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# What each table's program begins with: options, and processes that are ended, by their own id and in the order in
# which they were started, whatever happens.
import argparse
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from .table import TOP

LEVELS = ("tiny", "quick", "full")


class Failure(Exception):
    """One sentence that says what cannot go on."""


class Options(argparse.Namespace):
    def pick(self, tiny, quick, full):
        return (tiny, quick, full)[LEVELS.index(self.level)]


# rows: the words that choose rows of the table; empty for all that the level has.
def options(description, rows=(), more=None):
    parser = argparse.ArgumentParser(description=description)
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--quick", dest="level", action="store_const", const="quick", help="a minute or two")
    level.add_argument("--tiny", dest="level", action="store_const", const="tiny",
                       help="some seconds, for the tests: the figures mean nothing")
    parser.set_defaults(level="full")
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--out", help="folder for the JSON (build/bench)")
    parser.add_argument("--load-cpu", type=int, default=0)
    parser.add_argument("--server-cpu", type=int, default=1)
    if more is not None:
        more(parser)
    parser.add_argument("row", nargs="*", help="of: " + ", ".join(rows))
    chosen = parser.parse_args(namespace=Options())
    unknown = [row for row in chosen.row if row not in rows]
    if unknown:
        parser.error(f"there is no '{unknown[0]}'; there are: {', '.join(rows)}")
    if os.geteuid() != 0:
        parser.error("this needs root: network namespaces, hugepages")
    if (os.cpu_count() or 1) < 2:
        parser.error("two CPUs are needed: one for the generator, one for the server")
    chosen.build = os.path.abspath(chosen.build)
    chosen.out = os.path.abspath(chosen.out or os.path.join(chosen.build, "bench"))
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")
    return chosen


def run(*command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    if done.returncode != 0:
        raise Failure(f"{os.path.basename(command[0])}: {done.stdout.strip()[-600:]}")
    return done.stdout


PRIORITY = -20  # of everything here: other work on the machine then takes little, and takes it from all alike


# Where processes are grouped by session, priority counts between the groups.
def group_priority(pid):
    try:
        with open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as out:
            out.write(str(PRIORITY))
    except OSError:
        pass


def tail(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        return lines.read().strip()[-600:]


class Bench:
    """with Bench(options) as bench: a work folder, and what was started in it."""

    def __init__(self, chosen):
        self.options = chosen
        self.bin = os.path.join(chosen.build, "bench")
        self.dataplane = os.path.join(chosen.build, "dataplane", "np-dataplane")
        self.controlplane = os.path.join(chosen.build, "controlplane", "np-controlplane")
        self.work = ""
        self.started = []
        self.at_end = []  # called after the processes are gone

    def __enter__(self):
        for program in (self.dataplane, self.controlplane):
            if not os.path.exists(program):
                raise Failure(f"there is no {program}; build it with './dev build'")
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        self.work = tempfile.mkdtemp(prefix="np-bench-")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(1))
        return self

    def __exit__(self, *_):
        self.stop_all()
        for call in reversed(self.at_end):
            call()
        if os.environ.get("NAMEPLANE_KEEP"):
            print("kept:", self.work)
        else:
            shutil.rmtree(self.work, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.work, *names)

    # In network namespace `ns` and pinned to `cpu` where given. With a session of its own: signals are ours to send.
    def start(self, log, *command, ns=None, cpu=None, **more):
        if cpu is not None:
            command = ("taskset", "-c", str(cpu), *command)
        if ns is not None:
            command = ("ip", "netns", "exec", ns, *command)
        with open(self.path(log), "w", encoding="ascii") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                       **({"stdin": subprocess.DEVNULL} | more))
        group_priority(process.pid)
        process.log, process.log_path = log, self.path(log)
        self.started.append(process)
        return process

    def stop(self, process, seconds=20):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its own session: itself and its children
                process.wait()
        if process.stdin:
            process.stdin.close()
        if process in self.started:
            self.started.remove(process)

    def stop_all(self):
        for process in list(reversed(self.started)):
            self.stop(process)

    def tail(self, log):
        return tail(self.path(log))

    def wait_log(self, process, text, seconds):
        end = time.monotonic() + seconds
        while True:
            with open(self.path(process.log), encoding="utf-8", errors="replace") as lines:
                if text in lines.read():
                    return
            if process.poll() is not None or time.monotonic() > end:
                raise Failure(f"{process.log}: no '{text}': {self.tail(process.log)}")
            time.sleep(0.02)


# A socket in another network namespace, without leaving this one.
def socket_in(ns, make):
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", encoding="ascii") as home, open(f"/run/netns/{ns}", encoding="ascii") as there:
        if libc.setns(there.fileno(), 0) != 0:
            raise Failure(f"cannot enter the namespace {ns}: {os.strerror(ctypes.get_errno())}")
        try:
            return make()
        finally:
            libc.setns(home.fileno(), 0)
