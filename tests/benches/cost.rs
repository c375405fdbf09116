//! What plugins cost a server: `cargo bench --workspace --bench cost`.
//!
//! Captured events, each time with other traces, spans, sessions and times, go through the whole write path in batches of 100 (from the
//! bytes of a body to the answer behind the commit; no HTTP), four at once, into a fresh database. The variants take turns. CPU is that
//! of the process until the last row is enriched; the generator's part is the same in each variant.
//! `-- --rounds N`, `-- --batch N` and `-- --events N` change what their names say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs, dead_code)]

#[path = "../plugins/guest.rs"]
mod guest;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guest::Guest;
use telemetry_model::Timestamp;
use telemetry_model::time::FixedClock;
use telemetry_plugins::SHIPPED;
use telemetry_server::processing::decode::Shape;
use telemetry_server::processing::{Answer, Unit};
use telemetry_server::{App, Config, Surroundings};

const GOLDEN: &str = include_str!("../fixtures/golden/monitor-events.ndjson");
const START: i64 = 1_795_420_831_000_000_000;
const AT_ONCE: usize = 4;

/// A way to run the server.
struct Variant {
    name: &'static str,
    shipped: bool,
    journal: bool,
    without: &'static [&'static str],
    guests: usize,
}

const VARIANTS: [Variant; 8] = [
    Variant { name: "no plugin", shipped: false, journal: true, without: &[], guests: 0 },
    Variant { name: "all shipped", shipped: true, journal: true, without: &[], guests: 0 },
    Variant { name: "all shipped, no journal", shipped: true, journal: false, without: &[], guests: 0 },
    Variant { name: "all but secret-masker", shipped: true, journal: true, without: &["secret-masker"], guests: 0 },
    Variant {
        name: "all but enrichers of rows",
        shipped: true,
        journal: true,
        without: &["conversation-turn", "prompt-size", "tool-loop"],
        guests: 0,
    },
    Variant {
        name: "secret-masker and secret-scan off",
        shipped: true,
        journal: true,
        without: &["secret-masker", "secret-scan"],
        guests: 0,
    },
    Variant { name: "one pass-through enricher", shipped: false, journal: true, without: &[], guests: 1 },
    Variant { name: "20 dropped-in enrichers", shipped: false, journal: true, without: &[], guests: 20 },
];

const fn footprint_of(name: &'static str, shipped: bool, guests: usize) -> Variant {
    Variant { name, shipped, journal: true, without: &[], guests }
}

const FOOTPRINTS: [Variant; 4] = [
    footprint_of("no plugin", false, 0),
    footprint_of("all shipped", true, 0),
    footprint_of("50 dropped in", false, 50),
    footprint_of("all shipped and 50 dropped in", true, 50),
];

fn main() {
    let only = argument("--footprint", usize::MAX);
    if let Some(variant) = FOOTPRINTS.get(only) {
        let cache = std::env::args().skip_while(|argument| argument != "--cache").nth(1).unwrap();
        return one_footprint(variant, Path::new(&cache));
    }
    let [rounds, batch, count] = [("--rounds", 5), ("--batch", 100), ("--events", 20_000)].map(|(name, usual)| argument(name, usual));
    let folder = tempfile::tempdir_in(".").unwrap();
    let cache = folder.path().canonicalize().unwrap();
    let bodies = bodies(count, batch);
    let mut figures = vec![Vec::new(); VARIANTS.len()];
    // The first round compiles what is dropped in.
    for round in 0..=rounds {
        for (variant, figures) in VARIANTS.iter().zip(&mut figures) {
            let figure = run(variant, &cache, &bodies, count);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    println!("{count} events in batches of {batch}, {AT_ONCE} at once; medians of {rounds} rounds");
    println!("{:<36} {:>10} {:>8} {:>12} {:>8}", "", "events/s", "of none", "CPU us/event", "+ us");
    let [none_rate, none_cpu] = median(&figures[0]);
    for (variant, figures) in VARIANTS.iter().zip(&figures) {
        let [rate, cpu] = median(figures);
        println!("{:<36} {rate:>10.0} {:>7.0}% {cpu:>12.1} {:>8.1}", variant.name, 100.0 * rate / none_rate, cpu - none_cpu);
    }
    footprint(&cache);
}

fn argument(name: &str, usual: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
    arguments.next().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn median(figures: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|place: usize| {
        let mut values: Vec<f64> = figures.iter().map(|figure| figure[place]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    })
}

/// Bodies of `batch` events each.
fn bodies(count: usize, batch: usize) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = GOLDEN.lines().collect();
    let event = |index: usize| {
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
        body["timestamp"] = Timestamp(START + index as i64 * 7_000_000).to_string().into();
        body.to_string()
    };
    let events: Vec<String> = (0..count).map(event).collect();
    events.chunks(batch).map(|events| format!("{{\"events\":[{}]}}", events.join(",")).into_bytes()).collect()
}

/// A server in a folder of its own.
fn open(variant: &Variant, cache: &Path) -> (App, tempfile::TempDir) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut config = Config::default();
    config.database.path = folder.path().join("bench.db");
    config.plugins.path = Some(folder.path().join("plugins"));
    config.plugins.grants_file = Some(folder.path().join("grants.toml"));
    config.plugins.switches_file = Some(folder.path().join("switches.toml"));
    config.plugins.cache_path = Some(cache.to_owned());
    config.plugins.watch = false;
    config.plugins.journal = variant.journal;
    let is_off = |id: &str| !variant.shipped || variant.without.contains(&id);
    config.plugins.disabled = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|id| is_off(id)).collect();
    config.plugins.enabled.clear();
    std::fs::create_dir_all(folder.path().join("plugins")).unwrap();
    (0..variant.guests).for_each(|number| Guest::enricher(&format!("guest-{number}"), "(local.get $n)").drop_into(folder.path()));
    let clock = Arc::new(FixedClock(Timestamp(START + 1_000_000_000_000)));
    (App::open(config, clock, Surroundings::default()).unwrap(), folder)
}

/// Events a second, and microseconds of CPU time an event.
fn run(variant: &Variant, cache: &Path, bodies: &[Vec<u8>], count: usize) -> [f64; 2] {
    let (app, _folder) = open(variant, cache);
    let (started, before) = (Instant::now(), cpu());
    store(&app, bodies, count);
    let seconds = started.elapsed().as_secs_f64();
    while app.store.snapshot().unwrap().pending_rows().unwrap() > 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let used = cpu() - before;
    app.close();
    [count as f64 / seconds, used.as_secs_f64() * 1e6 / count as f64]
}

fn store(app: &App, bodies: &[Vec<u8>], count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let send = |first: usize| async move {
        let mut stored = 0;
        for bytes in bodies.iter().skip(first).step_by(AT_ONCE) {
            let mut lease = app.pipeline.lease();
            lease.grow(bytes.len()).unwrap();
            let unit = Unit {
                bytes: bytes.clone(),
                encoding: None,
                shape: Shape::Batch { max_events: 10_000 },
                limit: 64 << 20,
                strict: false,
                source: "127.0.0.1".into(),
                flags: Vec::new(),
                received_at: app.clock.now(),
                lease,
            };
            match app.pipeline.ingest(unit).await.unwrap() {
                Answer::Events(events) => stored += events.len(),
                other => panic!("{other:?}"),
            }
        }
        stored
    };
    let stored = runtime.block_on(async {
        let (a, b, c, d) = tokio::join!(send(0), send(1), send(2), send(3));
        a + b + c + d
    });
    assert_eq!(stored, count);
}

/// CPU time of the threads of this process, by the kernel's own count.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path().join("schedstat"));
    let of_task = |path| std::fs::read_to_string(path).ok()?.split(' ').next()?.parse::<u64>().ok();
    Duration::from_nanos(tasks.filter_map(of_task).sum())
}

/// Memory and start, beside the same without: each time in a process of its own.
fn footprint(cache: &Path) {
    println!("{:<36} {:>10} {:>14} {:>14}", "warm cache", "open, ms", "open, KiB", "loaded, KiB");
    for (place, variant) in FOOTPRINTS.iter().enumerate() {
        let mut figures = [const { Vec::new() }; 3];
        for _ in 0..6 {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap());
            let out = child.arg("--footprint").arg(place.to_string()).arg("--cache").arg(cache).output().unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            text.split_whitespace().zip(&mut figures).for_each(|(figure, figures)| figures.push(figure.parse::<f64>().unwrap()));
        }
        // The first one compiled what was not in the cache.
        let [time, opened, loaded] = figures.map(|mut figures| {
            figures.remove(0);
            figures.sort_by(f64::total_cmp);
            figures[figures.len() / 2]
        });
        println!("{:<36} {time:>10.0} {opened:>14.0} {loaded:>14.0}", variant.name);
    }
}

/// One of [`FOOTPRINTS`]: milliseconds to open it, KiB of memory then and after 2,000 events.
fn one_footprint(variant: &Variant, cache: &Path) {
    let bodies = bodies(2_000, 100);
    let (before, started) = (resident(), Instant::now());
    let (app, _folder) = open(variant, cache);
    let (time, opened) = (started.elapsed(), resident());
    store(&app, &bodies, 2_000);
    println!("{} {} {}", time.as_secs_f64() * 1e3, opened - before, resident() - before);
    app.close();
}

/// Resident memory, KiB.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap() * 4.0
}
