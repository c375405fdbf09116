//! What plugins cost a server: `cargo bench --workspace --bench cost`.
//!
//! Captured events, each time with other traces, spans, sessions and times, go through the whole write path in batches of 100 (from the
//! bytes of a body to the answer behind the commit; no HTTP), four at once, into a fresh database. The variants take turns. CPU is that
//! of the process until the last row is enriched; the generator's part is the same in each variant. What follows is measured in
//! processes of its own: start and memory, the pool of instances, swaps, and the queue of rows.
//! `-- --rounds N`, `-- --batch N`, `-- --events N` and `-- --variants 0,1` change what their names say; `--rounds 0` leaves the first table out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs, dead_code)]

mod apart;
#[path = "../../plugins/guest.rs"]
mod guest;
mod memory;
mod queue;
mod server;

// The server's own allocator: rows are freed on another thread than they were made on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::path::Path;
use std::time::{Duration, Instant};

use server::{AT_ONCE, Variant, bodies, config, cpu, folder, open, store};

/// Enrichers over calls and executions.
const ROW_ENRICHERS: &[&str] = &["conversation-turn", "llm-cost", "prompt-size", "tool-loop"];

const VARIANTS: [Variant; 8] = [
    Variant { name: "no plugin", shipped: false, journal: true, without: &[], guests: 0 },
    Variant { name: "all shipped", shipped: true, journal: true, without: &[], guests: 0 },
    Variant { name: "all shipped, no journal", shipped: true, journal: false, without: &[], guests: 0 },
    Variant { name: "all but secret-masker", shipped: true, journal: true, without: &["secret-masker"], guests: 0 },
    Variant { name: "all but enrichers of rows", shipped: true, journal: true, without: ROW_ENRICHERS, guests: 0 },
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

fn main() {
    if let Some(arguments) = apart::child() {
        return apart::run(&arguments);
    }
    let [rounds, batch, count] = [("--rounds", 5), ("--batch", 100), ("--events", 20_000)].map(|(name, usual)| number(name, usual));
    let chosen = argument("--variants").map(|list| list.split(',').filter_map(|place| place.parse::<usize>().ok()).collect::<Vec<_>>());
    let variants: Vec<&Variant> = match &chosen {
        Some(places) => places.iter().map(|place| &VARIANTS[*place]).collect(),
        None => VARIANTS.iter().collect(),
    };
    let kept = tempfile::tempdir_in(".").unwrap();
    let cache = kept.path().canonicalize().unwrap();
    if rounds > 0 {
        write_path(&variants, &cache, rounds, batch, count);
    }
    if chosen.is_none() {
        apart::print(&cache);
    }
}

fn write_path(variants: &[&Variant], cache: &Path, rounds: usize, batch: usize, count: usize) {
    let bodies = bodies(count, batch);
    let mut figures = vec![Vec::new(); variants.len()];
    // The first round compiles what is dropped in.
    for round in 0..=rounds {
        for (variant, figures) in variants.iter().zip(&mut figures) {
            let figure = run(variant, cache, &bodies, count);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    println!("{count} events in batches of {batch}, {AT_ONCE} at once; medians of {rounds} rounds");
    println!("{:<36} {:>10} {:>8} {:>12} {:>8}", "", "events/s", "of first", "CPU us/event", "+ us");
    let [none_rate, none_cpu] = median(&figures[0]);
    for (variant, figures) in variants.iter().zip(&figures) {
        let [rate, cpu] = median(figures);
        println!("{:<36} {rate:>10.0} {:>7.0}% {cpu:>12.1} {:>8.1}", variant.name, 100.0 * rate / none_rate, cpu - none_cpu);
    }
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn number(name: &str, usual: usize) -> usize {
    argument(name).and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn median<const N: usize>(figures: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|place| {
        let mut values: Vec<f64> = figures.iter().map(|figure| figure[place]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    })
}

/// Events a second, and microseconds of CPU time an event.
fn run(variant: &Variant, cache: &Path, bodies: &[Vec<u8>], count: usize) -> [f64; 2] {
    let folder = folder(variant);
    let app = open(config(variant, folder.path(), cache));
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
