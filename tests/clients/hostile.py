#!/usr/bin/env python3
"""The hostile table: what each hostile plugin costs a server and the other plugins, before and after its breaker opened.
  HOSTILE_PLUGINS=/tmp/guests cargo test --workspace --test all -- files_are_written
  python3 hostile.py --server target/release/cylestio-server --guests /tmp/guests --events events.jsonl [--rounds 3] [--seconds 6] [--rate 5000] [--only loop,bomb]
For each plugin and round one server under constant load: without it (A), from the copy on until it is left out, refused or has served for as
long (B), a second after that (C), and without it again (A). What moves with the machine moves A too: C is compared with the A around it, medians over
rounds. CPU of the others is by their own counters, ns a row."""
import argparse
import pathlib
import sqlite3
import statistics
import time

from served import Load, Served, bodies, quantile, wait_for

parser = argparse.ArgumentParser()
parser.add_argument("--server", required=True)
parser.add_argument("--guests", required=True)
parser.add_argument("--events", required=True)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=6)
parser.add_argument("--batch", type=int, default=20)
parser.add_argument("--connections", type=int, default=4)
parser.add_argument("--rate", type=float, help="events a second; without it as many as the server takes")
parser.add_argument("--only", default="")
arguments = parser.parse_args()
requests = bodies(arguments.events, arguments.batch)
DONE = ("breaker-open", "refused")


class Span:
    """One span of time: latencies, throughput, and what the other plugins used."""

    def __init__(self, served, load, name):
        self.served, self.load, self.name = served, load, name
        self.began, self.used, self.cpu = time.perf_counter(), self.others(), served.cpu()

    def others(self):
        items = self.served.ask("/v1/plugins")["items"]
        # A masker's rows are texts that were not seen before, and rows of calls come late: neither is a row of this load.
        others = [item for item in items if item["kind"] in ("validator", "enricher") and item["source"] == "events" and item["id"] != self.name]
        return [(item["counters"]["cpu_ns"], item["counters"]["rows"]) for item in others if item.get("counters")]

    def end(self):
        ended = time.perf_counter()
        latencies, rate = self.load.between(self.began, ended)
        used = [(cpu - cpu_before, rows - rows_before) for (cpu, rows), (cpu_before, rows_before) in zip(self.others(), self.used)]
        return {
            # Where none began, all waited as long as that.
            "p50": quantile(latencies or [1000 * (ended - self.began)], 0.5), "p99": quantile(latencies or [1000 * (ended - self.began)], 0.99), "rate": rate, "seconds": ended - self.began,
            "cpu": (self.served.cpu() - self.cpu) / max(rate * (ended - self.began), 1),
            "others": sum(cpu for cpu, _ in used) / max(sum(rows for _, rows in used), 1),
        }


def spend(served, load, name, seconds):
    span = Span(served, load, name)
    time.sleep(seconds)
    return span.end()


def one_round(name, component):
    with Served(arguments.server) as served:
        load = Load(served, requests, arguments.connections, arguments.rate)
        time.sleep(2)
        before = spend(served, load, name, arguments.seconds)
        meeting = Span(served, load, name)
        served.drop(name, component)
        deadline = time.perf_counter() + arguments.seconds
        while served.plugin(name).get("state") not in DONE and time.perf_counter() < deadline:
            time.sleep(0.05)
        state = served.plugin(name).get("state")
        met = meeting.end()
        # What came due until then is answered first.
        time.sleep(1)
        after = spend(served, load, name, arguments.seconds)
        plugin = served.plugin(name)
        served.remove(name)
        wait_for("its removal", lambda: not served.plugin(name), 60)
        again = spend(served, load, name, arguments.seconds)
        others = [item for item in served.ask("/v1/plugins")["items"] if item["state"] not in ("serving", "switched-off")]
        load.end()
        assert not load.failed and not others, (load.failed[:3], others)
        store = sqlite3.connect(f"file:{served.folder.name}/server.db?mode=ro", uri=True)
        assert store.execute("select count(*) from events").fetchone()[0] == load.events, "an event is lost"
        store.close()
        return {"without": (before, again), "met": met, "after": after, "state": state, "plugin": plugin}


def median(values):
    return statistics.median(values)


print("| plugin | ends as | rows it failed on, left out | p50, p99 without (ms) | until then | after | p99 after | events/s after | server's CPU an event after | others' CPU a row after |")
print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
for path in sorted(pathlib.Path(arguments.guests).glob("*.wasm")):
    name = path.stem
    if arguments.only and name not in arguments.only.split(","):
        continue
    rounds = [one_round(name, path.read_bytes()) for _ in range(arguments.rounds)]
    mean = lambda one, what: (one["without"][0][what] + one["without"][1][what]) / 2
    change = lambda what: 100 * (median(one["after"][what] / mean(one, what) for one in rounds) - 1)
    pair = lambda pick: f"{median(pick(one, 'p50') for one in rounds):.1f}, {median(pick(one, 'p99') for one in rounds):.0f}"
    counters = rounds[-1]["plugin"].get("counters") or {}
    print(
        f"| {name} | {', '.join(sorted({str(one['state']) for one in rounds}))} | {counters.get('poison_rows', 0)}, {counters.get('skipped_rows', 0)}"
        f" | {pair(mean)} | {pair(lambda one, what: one['met'][what])} | {pair(lambda one, what: one['after'][what])}"
        f" | {change('p99'):+.0f} % | {change('rate'):+.0f} % | {change('cpu'):+.0f} % | {change('others'):+.0f} % |", flush=True)
