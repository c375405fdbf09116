//! The writer beside raw rusqlite that inserts the same bytes: `cargo bench -p telemetry-store`.
//!
//! `cargo bench -p telemetry-store -- --file events.jsonl` stores a file of `tests/clients` instead and tells bytes on disk per byte sent.
//! `--plain` indexes no attributes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "../src/testing.rs"]
mod testing;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use telemetry_model::facts::Facts;
use telemetry_model::{Event, Timestamp};
use telemetry_store::{NewEvent, PreparedEvent, Store, StoreSettings, WriteItem};

const GOLDEN: &str = include_str!("../../../tests/fixtures/golden/monitor-events.ndjson");
const SAMPLES: usize = 5;
/// As the server's defaults.
const INDEXED: [&str; 8] = [
    "error.type",
    "framework.type",
    "llm.request.type",
    "llm.response.stop_reason",
    "llm.usage.output_tokens",
    "node.name",
    "tool.status",
    "user.id",
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--file") {
        Some(place) => file(Path::new(&arguments[place + 1])),
        None => groups(),
    }
}

/// Events of many sessions: the captured ones, each time with other traces, spans, sessions and times.
fn bodies(count: usize) -> Vec<String> {
    let lines: Vec<&str> = GOLDEN.lines().collect();
    (0..count)
        .map(|index| {
            let (line, round) = (lines[index % lines.len()], index / lines.len());
            let mut body: serde_json::Value = serde_json::from_str(line).unwrap();
            for key in ["trace_id", "span_id"] {
                if let Some(id) = body[key].as_str() {
                    body[key] = format!("{round:04x}{}", &id[4..]).into();
                }
            }
            if let Some(id) = body["attributes"]["session.id"].as_str() {
                body["attributes"]["session.id"] = format!("{round:04x}{}", &id[4..]).into();
            }
            body["timestamp"] = Timestamp(1_795_420_831_000_000_000 + index as i64 * 7_000_000).to_string().into();
            body.to_string()
        })
        .collect()
}

fn groups() {
    println!("full sync, medians of {SAMPLES} interleaved samples; CPU is that of the thread that writes");
    println!(
        "{:>6} {:>10} {:>10} {:>6} {:>14} {:>11} {:>11}",
        "group", "writer/s", "raw/s", "ratio", "writer CPU us", "raw CPU us", "prepare us"
    );
    for (group, count) in [(1, 400), (100, 20_000), (1_000, 40_000)] {
        let bodies = bodies(count);
        let (mut writer, mut raw) = (Samples::default(), Samples::default());
        for _ in 0..SAMPLES {
            through_store(&bodies, group, &mut writer);
            through_rusqlite(&bodies, group, &mut raw);
        }
        let rate = |samples: &Samples| count as f64 / samples.wall().as_secs_f64();
        let (fast, plain) = (rate(&writer), rate(&raw));
        println!(
            "{group:>6} {fast:>10.0} {plain:>10.0} {:>6.2} {:>14.1} {:>11.1} {:>11.1}",
            fast / plain,
            us(median(&writer.cpu), count),
            us(median(&raw.cpu), count),
            us(median(&writer.prepare), count)
        );
    }
}

/// Times of one side.
#[derive(Default)]
struct Samples {
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
    prepare: Vec<Duration>,
}

impl Samples {
    fn wall(&self) -> Duration {
        median(&self.wall)
    }
}

/// CPU time of the thread of this process with that name, by the kernel's own count.
fn cpu(name: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|entry| entry.unwrap().path());
    let task = tasks.into_iter().find(|task| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    let times = task.and_then(|task| std::fs::read_to_string(task.join("schedstat")).ok()).unwrap_or_default();
    Duration::from_nanos(times.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or_default())
}

fn through_store(bodies: &[String], group: usize, samples: &mut Samples) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let store = Store::open(settings(&folder.path().join("bench.db"))).unwrap();
    let events: Vec<_> = bodies.iter().map(|body| testing::read(body, store.digest_key())).collect();
    let started = Instant::now();
    let prepared: Vec<_> = events.into_iter().map(|(event, facts)| prepare(&store, event, facts)).collect();
    samples.prepare.push(started.elapsed());
    let mut requests: Vec<Vec<WriteItem>> = Vec::new();
    for event in prepared {
        match requests.last_mut() {
            Some(request) if request.len() < group => request.push(WriteItem::Event(Box::new(event))),
            _ => requests.push(vec![WriteItem::Event(Box::new(event))]),
        }
    }
    let (started, before) = (Instant::now(), cpu("store-writer"));
    for request in requests {
        submit(&store, request);
    }
    samples.wall.push(started.elapsed());
    samples.cpu.push(cpu("store-writer") - before);
}

fn prepare(store: &Store, event: Event, facts: Facts) -> PreparedEvent {
    store.prepare(NewEvent { event, facts, derived: Vec::new(), runs: Arc::from([]), received_at: Timestamp(1) })
}

/// With the usual indexed attributes; `--plain`: with none.
fn settings(path: &Path) -> StoreSettings {
    let plain = std::env::args().any(|argument| argument == "--plain");
    let keys = if plain { &[][..] } else { &INDEXED[..] };
    StoreSettings { indexed_attributes: keys.iter().map(|key| (*key).to_owned()).collect(), ..StoreSettings::new(path) }
}

fn submit(store: &Store, request: Vec<WriteItem>) {
    let (sender, receiver) = channel();
    store.submit(request, Box::new(move |result| sender.send(result.map(|_| ())).unwrap())).unwrap();
    receiver.recv().unwrap().unwrap();
}

/// The same bytes as a JSON column with four indexes.
fn through_rusqlite(bodies: &[String], group: usize, samples: &mut Samples) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut connection = Connection::open(folder.path().join("raw.db")).unwrap();
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 16000;
             create table events (id integer primary key, timestamp integer, trace text, span text, agent text, session text, body text);
             create index events_timestamp on events (timestamp);
             create index events_trace on events (trace, span);
             create index events_agent on events (agent, timestamp);
             create index events_session on events (session, timestamp);",
        )
        .unwrap();
    let key = telemetry_model::DigestKey::new([1; 32]);
    let events: Vec<_> = bodies.iter().map(|body| (testing::read(body, &key).0, body)).collect();
    let me = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
    let (started, before) = (Instant::now(), cpu(me.trim()));
    for part in events.chunks(group) {
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached("insert into events (timestamp, trace, span, agent, session, body) values (?, ?, ?, ?, ?, ?)")
                .unwrap();
            for (event, body) in part {
                insert.execute(params![event.timestamp.0, event.trace_id, event.span_id, event.agent_id, event.session_id, body]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    samples.wall.push(started.elapsed());
    samples.cpu.push(cpu(me.trim()) - before);
}

fn file(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir_in(".").unwrap();
    let database = folder.path().join("bench.db");
    let store = Store::open(settings(&database)).unwrap();
    let events: Vec<_> = text.lines().map(|line| testing::read(line, store.digest_key())).collect();
    let count = events.len();
    let (mut preparing, mut writing) = (Duration::ZERO, Duration::ZERO);
    let mut events = events.into_iter();
    loop {
        let part: Vec<_> = events.by_ref().take(1_000).collect();
        if part.is_empty() {
            break;
        }
        let started = Instant::now();
        let request = part.into_iter().map(|(event, facts)| WriteItem::Event(Box::new(prepare(&store, event, facts)))).collect();
        preparing += started.elapsed();
        let started = Instant::now();
        submit(&store, request);
        writing += started.elapsed();
    }
    store.close();
    let size = std::fs::metadata(&database).unwrap().len();
    println!("{count} events, {} bytes sent, {size} bytes on disk: {:.4} per byte sent", text.len(), size as f64 / text.len() as f64);
    println!("prepare {:.1} us an event, write {:.1} us an event in groups of 1,000", us(preparing, count), us(writing, count));
    if std::env::args().any(|argument| argument == "--keep") {
        std::fs::copy(&database, "/tmp/bench.db").unwrap();
    }
}

fn us(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}
