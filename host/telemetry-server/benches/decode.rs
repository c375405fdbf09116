//! Decoding and normalizing beside plain parsing, nanoseconds an event of the captured ones: medians of many rounds. An argument
//! picks one row by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use telemetry_model::DigestKey;
use telemetry_server::processing::decode::{Shape, decode};
use telemetry_server::processing::normalize::normalize;

const ROUNDS: usize = 301;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/golden/monitor-events.ndjson");
    let text = std::fs::read_to_string(file).expect("the captured events");
    let lines: Vec<&str> = text.lines().collect();
    let key = DigestKey::new([1; 32]);
    let one = |line: &str| decode(line.as_bytes(), Shape::Single).unwrap().items.pop().unwrap().0.unwrap();
    let decoded: Vec<_> = lines.iter().map(|line| one(line)).collect();
    let batch = format!("{{\"events\": [{}]}}", lines.join(", "));

    println!("{} events, {} bytes on average", lines.len(), text.len() / lines.len());
    let rows: [(&str, &dyn Fn()); 6] = [
        ("serde_json::Value", &|| lines.iter().for_each(|line| drop(black_box(serde_json::from_str::<serde_json::Value>(line).unwrap())))),
        ("decode", &|| lines.iter().for_each(|line| drop(black_box(one(line))))),
        ("decode, one batch", &|| drop(black_box(decode(batch.as_bytes(), Shape::Batch { max_events: 1000 }).unwrap()))),
        ("clone (part of the next)", &|| decoded.iter().for_each(|raw| drop(black_box(raw.clone())))),
        ("clone + normalize", &|| decoded.iter().for_each(|raw| drop(black_box(normalize(raw.clone(), &key).unwrap())))),
        ("decode + normalize", &|| lines.iter().for_each(|line| drop(black_box(normalize(one(line), &key).unwrap())))),
    ];
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for (name, run) in rows.into_iter().filter(|(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name)) {
        println!("{name:26} {:>8.0} ns/event", median(run) / lines.len() as f64);
    }
}

fn median(run: &dyn Fn()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
