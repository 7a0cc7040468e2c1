# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Is this what a benchmark writes? Called by tests/bench/tables; an exception says what is not.
#
#     shape.py TABLE FILE | shape.py np-load JSON CSV | shape.py report FOLDER
import csv
import glob
import json
import sys
import xml.etree.ElementTree

PERCENTILES = ("p50", "p90", "p99", "p99_9", "p99_99")
# A table without its peers measures nothing. (The tiny form has fewer of them.)
PEERS = {
    "io": {"testpmd macswap", "np-reply", "itself without"},
    "veth": {"testpmd-5tswap", "knot-xdp"},
    "memory": {"nsd", "knot", "bind"},
    "load": {"nsd", "knot", "bind"},
    "freshness": {"nsd"},
    "latency": {"testpmd macswap", "itself without", "knot-xdp"},
    "instructions": {"nsd"},
}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def rising(values):
    values = [values[word] for word in PERCENTILES]
    return all(map(is_number, values)) and values == sorted(values)


def row_is_whole(name, row):
    ours, theirs = ("answers_per_s", "macswap_per_s") if name == "io" else ("nameplane", "peer_figure")
    assert row["workload"] and row["peer"] and row["commit"], row
    assert {"cpu", "cpus", "memory_gb", "kernel"} <= set(row["machine"]), row
    assert {"dpdk", "nsd", "knot", "bind"} <= set(row["versions"]), row
    if "why" in row:
        assert row[ours] is None and row["ratio"] is None and not row["why"].startswith("FAILED"), row
        return None
    assert is_number(row[ours]) and row["unit"], row
    if row[theirs] is None:
        assert row["ratio"] is None, row
        return None
    assert is_number(row[theirs]) and row[theirs] > 0, row
    assert abs(row["ratio"] - row[ours] / row[theirs]) <= 0.0001, row
    assert ("goal" in row) == ("met" in row), row
    for word in ("percentiles_us", "peer_percentiles_us"):
        assert word not in row or rising(row[word]), row
    return row["peer"]


def table(name, path):
    with open(path, encoding="utf-8") as text:
        rows = json.load(text)
    assert isinstance(rows, list)
    peers = {row_is_whole(name, row) for row in rows}
    assert PEERS[name] <= peers, peers
    if name == "latency":
        assert any("percentiles_us" in row for row in rows)


def np_load(json_path, csv_path):
    with open(json_path, encoding="utf-8") as text:
        run = json.load(text)
    assert run["received"] > 1000 and run["checked"] > 10, run
    assert run["faults"] == run["checked"] == run["checks"]["address"] and run["checks"]["none"] == 0, run
    assert rising(run["latency_us"]) and rising(run["latency_clear_us"]) and run["lost"] <= run["sent"], run
    with open(csv_path, encoding="utf-8", newline="") as text:
        seconds = list(csv.DictReader(text))
    assert len(seconds) == 2 and all(float(row["p99_99_us"]) > 0 for row in seconds), seconds
    # What is still under way at the end comes after the last second.
    assert 0 <= run["received"] - sum(int(row["received"]) for row in seconds) <= run["window"], seconds


def report(folder):
    drawn = glob.glob(folder + "/*.svg")
    assert len(drawn) >= 2, drawn
    for path in drawn:
        root = xml.etree.ElementTree.parse(path).getroot()
        assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) >= 2, path
    with open(folder + "/RESULTS.md", encoding="utf-8") as text:
        words = text.read()
    for name in PEERS:
        assert f"\n## {name}\n" in words, name
    assert "Not measured" not in words and "FAILED" not in words


if __name__ == "__main__":
    kind, *paths = sys.argv[1:]
    if kind == "np-load":
        np_load(*paths)
    elif kind == "report":
        report(*paths)
    else:
        table(kind, *paths)
