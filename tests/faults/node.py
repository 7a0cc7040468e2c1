# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
"""The two processes of the node, started, killed, and traced with strace."""
import glob
import json
import os
import re
import signal
import subprocess
import time

READY_S = 180     # the kernel may take its time with an interface that others work on
CHILD = "compiler"
READY = re.compile(r"(^|[: ])ready$", re.M)


def alive(process):
    return process is not None and process.poll() is None


class Node:
    def __init__(self, namespace, build, config, folder, worker_cpu):
        self.namespace, self.build, self.config, self.folder = namespace, build, config, folder
        self.prefix = {"controlplane": [], "dataplane": ["taskset", "-c", "0-%s" % worker_cpu]}
        self.processes, self.logs = {}, {}

    def start(self, name):
        """-> seconds until it was ready. Raises RuntimeError."""
        path = os.path.join(self.folder, name + ".log")
        log = open(path, "ab")
        began, at = time.monotonic(), os.path.getsize(path)
        self.processes[name] = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *self.prefix[name],
             "%s/%s/np-%s" % (self.build, name, name), "-c", self.config],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while time.monotonic() - began < READY_S:
            if READY.search(self.said(name, at)):
                return time.monotonic() - began
            if not alive(self.processes[name]):
                break
            time.sleep(0.01)
        raise RuntimeError("np-%s is not ready: %s" % (name, self.said(name, at)[-600:]))

    def said(self, name, at=0):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as log:
            log.seek(at)
            return log.read()

    def alive(self, name):
        return alive(self.processes.get(name))

    def kill(self, name):
        if self.alive(name):
            self.processes[name].send_signal(signal.SIGKILL)
        if name in self.processes:
            self.processes[name].wait()

    def stop(self):
        for process in self.processes.values():
            if alive(process):
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    MAIN = {"controlplane": "np-controlplane", "dataplane": "np-dataplane"}

    def children(self, name):
        """`ip netns exec` becomes what it starts."""
        out = []
        for path in glob.glob("/proc/%d/task/*/children" % self.processes[name].pid):
            try:
                with open(path) as children:
                    out += [int(p) for p in children.read().split()]
            except OSError:
                pass
        return out

    def threads(self, name):
        """-> {thread's number: its name}, of the process and its children."""
        out = {child: CHILD for child in self.children(name)}
        for path in glob.glob("/proc/%d/task/*" % self.processes[name].pid):
            with open(path + "/comm") as comm:
                out[int(os.path.basename(path))] = comm.read().strip()
        return out

    def kill_compilers(self):
        """And nobody takes their place before there is work."""
        limit = time.monotonic() + 5
        for pid in self.children("controlplane"):
            os.kill(pid, signal.SIGKILL)
        while self.children("controlplane") and time.monotonic() < limit:
            time.sleep(0.002)

    def trace(self, name, path, threads, *words):
        """strace on these threads, once it is attached."""
        targets = [w for tid in threads for w in ("-p", str(tid))]
        tracer = subprocess.Popen(["strace", "-qq", "-o", path, *words, *targets],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit, left = time.monotonic() + 30, set(threads)
        while left and time.monotonic() < limit and alive(tracer):
            left = {tid for tid in left if not traced(tid)}
            time.sleep(0.002)
        # One that waits in a call meets its fault at once, and may be gone.
        if left and not (os.path.exists(path) and os.path.getsize(path) > 0):
            tracer.kill()
            raise RuntimeError("strace cannot attach")
        return tracer

    def status(self):
        """The zone's, or None."""
        out = subprocess.run(["%s/controlplane/npctl" % self.build, "-s", self.folder + "/node/run/control.sock",
                              "zone", "status", "--json"], capture_output=True, timeout=10)
        try:
            return json.loads(out.stdout)["zones"][0]
        except (ValueError, KeyError, IndexError):
            return None

    def holds(self, name):
        """Descriptors."""
        return len(os.listdir("/proc/%d/fd" % self.processes[name].pid))


def traced(tid):
    """Or gone."""
    try:
        with open("/proc/%d/status" % tid) as status:
            return "TracerPid:\t0\n" not in status.read()
    except OSError:
        return True


def end(tracer):
    tracer.send_signal(signal.SIGINT)
    try:
        tracer.wait(10)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()
