# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Zones and questions of the benchmarks, made once (bench/zonegen: the same arguments give the same bytes) and kept
# under build/bench/zones/. A folder holds zones.bundle (a zone file where it is one zone), queries and store/, a
# storage folder from which np-dataplane boots.
import hashlib
import os
import shutil
import sys

from .bench import run
from .table import TOP

ARCHIVE = os.path.join(TOP, "..", "shared", "data", "root-zone", "root-20-versions.tar.xz")


def arguments(name):
    kind, _, size = name.partition(":")
    if kind in ("root", "signed-root"):
        return [ARCHIVE] if os.path.exists(ARCHIVE) else []
    return [size]


def digest(path):
    with open(path, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


# name: "root", "signed-root", "nsec3:20000", "tld:1000000", "registry:1000000", "hosting:100000"
def folder(bench, name):
    path = os.path.join(bench.options.build, "bench", "zones", name.replace(":", "-"))
    done = os.path.join(path, "made")
    generator = os.path.join(TOP, "bench", "zonegen")
    if not made_by(done, digest(generator)):
        print(f"making the zone {name}", flush=True)
        shutil.rmtree(path, ignore_errors=True)
        run(sys.executable, generator, name.partition(":")[0], path, *arguments(name))
        mark(done, digest(generator))
    return path


def text(bench, name):
    return os.path.join(folder(bench, name), "zones.bundle")


def queries(bench, name):
    return os.path.join(folder(bench, name), "queries")


# Compiled again by another np-store: the image's format may be another.
def store(bench, name):
    path = os.path.join(folder(bench, name), "store")
    program = os.path.join(bench.bin, "np-store")
    done = path + ".made"
    if not made_by(done, digest(program)):
        print(f"compiling the zone {name}", flush=True)
        shutil.rmtree(path, ignore_errors=True)
        run(program, path, text(bench, name))
        mark(done, digest(program))
    return path


def made_by(path, what):
    if not os.path.exists(path):
        return False
    with open(path, encoding="ascii") as line:
        return line.read() == what


def mark(path, what):
    with open(path, "w", encoding="ascii") as out:
        out.write(what)
