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

    def pids(self, name):
        """The process and its children; `ip netns exec` becomes what it starts."""
        pid = self.processes[name].pid
        out = [pid]
        for path in glob.glob("/proc/%d/task/*/children" % pid):
            try:
                with open(path) as children:
                    out += [int(p) for p in children.read().split()]
            except OSError:
                pass
        return out

    def trace(self, name, path, *words):
        """strace on the process, its threads and children, once it is attached."""
        targets = [w for pid in self.pids(name) for w in ("-p", str(pid))]
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", path, *words, *targets],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 30
        while time.monotonic() < limit and alive(tracer):
            with open("/proc/%d/status" % self.processes[name].pid) as status:
                if "TracerPid:\t0\n" not in status.read():
                    return tracer
            time.sleep(0.005)
        tracer.kill()
        raise RuntimeError("strace cannot attach")

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


def end(tracer):
    tracer.send_signal(signal.SIGINT)
    try:
        tracer.wait(10)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()
