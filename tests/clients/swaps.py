#!/usr/bin/env python3
"""Swaps an enricher under full load, and the same load without swaps; prints times from rename to served, and memory.
  python3 swaps.py --server target/release/cylestio-server --plugin GUEST.wasm --events events.jsonl [--swaps 200] [--batch 100]
GUEST.wasm has `version = "0.1.0"` in its manifest; each swap is a copy with another version, and so of another digest, compiled anew."""
import argparse
import json
import pathlib
import sqlite3
import time

from served import Load, Served, bodies, quantile, wait_for

parser = argparse.ArgumentParser()
parser.add_argument("--server", required=True)
parser.add_argument("--plugin", required=True)
parser.add_argument("--events", required=True)
parser.add_argument("--swaps", type=int, default=200)
parser.add_argument("--batch", type=int, default=100)
parser.add_argument("--pause", type=float, default=0.2, help="seconds between a swap served and the next one")
parser.add_argument("--rest", type=float, default=30, help="seconds of quiet before memory is read")
parser.add_argument("--seconds", type=float, help="only the control, for so long")
arguments = parser.parse_args()
name = pathlib.Path(arguments.plugin).stem
component = pathlib.Path(arguments.plugin).read_bytes()
requests = bodies(arguments.events, arguments.batch)


def version(number):
    assert component.count(b'version = "0.1.0"') == 1
    return component.replace(b'version = "0.1.0"', b'version = "v%04d"' % number)


def maps(served):
    return len(pathlib.Path(f"/proc/{served.process.pid}/maps").read_text().splitlines())


def run(work):
    with Served(arguments.server) as served:
        served.drop(name, version(0))
        wait_for("the first version", lambda: served.plugin(name).get("state") == "serving", 60)
        load = Load(served, requests)
        began, before = time.perf_counter(), (served.resident(), maps(served))
        work(served)
        took = time.perf_counter() - began
        load.end()
        latencies, rate = load.between(began, began + took)
        loaded = served.resident()
        time.sleep(arguments.rest)
        after = (served.resident(), maps(served))
        store = sqlite3.connect(f"file:{served.folder.name}/server.db?mode=ro", uri=True)
        stored = store.execute("select count(*) from events").fetchone()[0]
        versions = dict(store.execute("select id, version from plugin_versions where plugin_id = ?", (served.plugin(name)["id"],)))
        told, seen = 0, set()
        for runs, count in store.execute("select r.runs, count(*) from event_rows e join run_sets r on r.id = e.runs group by e.runs"):
            ok = {run[0] for run in json.loads(runs) if run[0] in versions and run[1] == "ok"}
            told, seen = told + count * len(ok), seen | ok
        store.close()
        print(
            f"  {took:.0f} s, {load.events} events ({rate:.0f}/s), p50 {quantile(latencies, 0.5):.0f} ms, p99 {quantile(latencies, 0.99):.0f} ms,"
            f" failed requests {len(load.failed)}; stored {stored}, with an outcome {told} of {len(seen)} versions\n"
            f"  MB resident: {before[0]:.0f} before, {loaded:.0f} loaded, {after[0]:.0f} after {arguments.rest:.0f} s of rest;"
            f" places in the address space: {before[1]} before, {after[1]} after")
        assert not load.failed and stored == load.events == told, load.failed[:3]
        return took


def swap(served):
    times = []
    for number in range(1, arguments.swaps + 1):
        served.drop(name, version(number))
        expected = f"v{number:04d}"
        times.append(wait_for(f"version {number}", lambda: served.plugin(name).get("version") == expected, 60))
        time.sleep(arguments.pause)
    shares = ", ".join(f"{word} {quantile(times, share):.2f}" for word, share in [("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1)])
    print(f"  {len(times)} swaps, s from rename to served: {shares}")


seconds = arguments.seconds
if seconds is None:
    print("with swaps")
    seconds = run(swap)
print("the same load without swaps")
run(lambda _: time.sleep(seconds))
