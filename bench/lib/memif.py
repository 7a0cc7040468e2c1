# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# One worker and np-load, joined by memif: shared memory, no kernel, no NIC. testpmd in macswap mode takes the worker's
# place for the figure beside it. The server is always ended before np-load gives its port back: a memif port that is
# polled while its peer goes away may read memory that is gone.
import contextlib
import json
import os
import subprocess
import time

from .bench import Failure
from .servers import Nameplane
from .table import line_of

ADDRESSES = ("192.0.2.53", "2001:db8::53")  # np-load's defaults


def hugepages_free_mb():
    return int(line_of("/proc/meminfo", "HugePages_Free")) * int(line_of("/proc/meminfo", "Hugepagesize").split()[0]) // 1024


def wait_socket(bench, path, process):
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        if os.path.exists(path):
            time.sleep(0.5)  # neither says anything that could be waited for
            return
        time.sleep(0.05)
    raise Failure("nobody made a socket: " + bench.tail(process.log))


# In the worker's place: `program`, with EAL's options and `more` behind them.
@contextlib.contextmanager
def instead(bench, name, program, *more):
    socket = bench.path(name + ".sock")
    options = bench.options
    # As np-load and np-dataplane do it: on hugepages where enough are free for both.
    memory = ["--in-memory", "-m", "256", "--single-file-segments"]
    if hugepages_free_mb() < 512:
        memory = ["--no-huge", "-m", "256"]
    process = bench.start(
        name + ".log", program, "--lcores", f"0@{options.load_cpu},1@{options.server_cpu}", "--no-pci", *memory,
        f"--vdev=net_memif0,role=server,id=0,socket-abstract=no,socket={socket}", "--", *more, stdin=subprocess.PIPE)
    try:
        wait_socket(bench, socket, process)
        yield socket, process
    finally:
        bench.stop(process)


def macswap(bench):
    pool = ["--total-num-mbufs=16384"] if hugepages_free_mb() < 512 else []
    return instead(bench, "testpmd", "dpdk-testpmd", "--forward-mode=macswap", "--nb-cores=1", "-a", *pool)


# Replies of so many bytes that cost nothing but to be written.
def replies(bench, length):
    return instead(bench, "np-reply", os.path.join(bench.bin, "np-reply"), str(length))


# A data plane with no control plane, booted from `store`. Yields the memif socket, the process and the node.
@contextlib.contextmanager
def worker(bench, store):
    socket = bench.path("worker.sock")
    node = Nameplane(bench, f"memif:{socket}", storage=store, addresses=ADDRESSES)
    process = node.start_dataplane()
    try:
        yield socket, process, node
    finally:
        bench.stop(process)


# Post: np-load's JSON. The server, `process`, is gone afterwards.
def load(bench, socket, process, queries, *more, seconds=None, during=None, after=None):
    return run_load(bench, process, "--memif", socket, "--queries", queries, "--seconds",
                    str(seconds or bench.options.pick(0.5, 2, 3)), "--warmup", "0.5", *more, during=during, after=after)


# np-load with any port; ends `process` while np-load still has its own. `during` is called once np-load has begun,
# `after` when it has its figures and the server still runs.
def run_load(bench, process, *arguments, during=None, after=None, ns=None):
    result = bench.path("load.json")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(result)
    loader = bench.start("np-load.log", os.path.join(bench.bin, "np-load"), "--linger", "--json", result, "--cpu",
                         str(bench.options.load_cpu), *arguments, ns=ns, stdin=subprocess.PIPE)
    try:
        if during is not None:
            during()
        # The report is whole once its last line is there.
        bench.wait_log(loader, "checked ", 120)
        if after is not None:
            after()
        crashed = process.poll()
        bench.stop(process)
        loader.stdin.close()
        loader.wait(20)
        if crashed is not None:
            raise Failure(f"the server ended under load: {bench.tail(process.log)}")
        if loader.returncode not in (0, 3):
            raise Failure("np-load: " + bench.tail("np-load.log"))
    finally:
        loader.stdin.close()
        bench.stop(loader)
    with open(result, encoding="utf-8") as text:
        return json.load(text)


# So often a zone is published anew, and for np-load to tell those turns from the ones of rest between them.
EVERY_MS = 100
TURNS = ("--turns", "300")
IN_TURNS = ("--every", str(EVERY_MS), *TURNS)


# A control plane that only publishes the node's first zone anew. Pre: the data plane runs.
def republish(bench, node, *arguments):
    publisher = bench.start("np-republish.log", os.path.join(bench.bin, "np-republish"), "--rundir", node.run,
                            "--storage", node.storage, *arguments)
    bench.wait_log(publisher, "ready", 20)
    return publisher


# What it counted. Pre: it has been stopped, before the data plane was.
def republished(bench):
    line = bench.tail("np-republish.log").splitlines()[-1]
    if not line.startswith("{"):
        raise Failure("np-republish: " + line)
    return json.loads(line)
