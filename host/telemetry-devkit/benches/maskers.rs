//! What the shipped maskers cost beside the same code native. `cargo bench -p telemetry-devkit --bench maskers`
//!
//! Medians of the thread's CPU time over 1 MiB of leaves that were not seen before, a fresh instance for each call.
#![allow(clippy::all, clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs, dead_code, unused_imports)]

#[path = "../../../plugins/secret-masker/src/card.rs"]
mod card;
#[path = "../../../plugins/secret-masker/src/keys.rs"]
mod keys;
#[path = "../../../plugins/secret-masker/src/kind.rs"]
mod kind;
#[path = "../../../plugins/secret-masker/src/many.rs"]
mod many;
#[path = "../../../plugins/secret-masker/src/pem.rs"]
mod pem;
#[path = "../../../plugins/secret-masker/src/scan.rs"]
mod scan;
#[path = "../../../plugins/secret-masker/src/token.rs"]
mod token;
#[path = "../../../plugins/secret-masker/src/url.rs"]
mod url;

mod measure;

use std::borrow::Cow;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use serde_json::Value as Json;
use telemetry_model::{Batch, BatchBuilder, FieldType, Value};
use telemetry_plugins::{Catalog, Grants, PluginSettings, SHIPPED};

use measure::median;

const SIZE: usize = 1 << 20;

fn main() {
    println!("{:<12} {:>14} {:>14} {:>14} {:>6} {:>14}", "MB/s", "leaves of, B", "secret-masker", "native", "ratio", "pii-masker");
    for (name, leaves) in texts() {
        let bytes: usize = leaves.iter().map(String::len).sum();
        let batch = batch(&leaves);
        let native = median(|| {
            for leaf in &leaves {
                scan::scan::<false>(leaf.as_bytes(), |secret| {
                    black_box(secret);
                });
            }
        });
        let [secrets, persons] = ["secret-masker", "pii-masker"].map(|id| {
            let catalog = catalog(id);
            median(|| drop(black_box(catalog.parts(id).unwrap().enrich(&batch).unwrap())))
        });
        let rate = |time: f64| bytes as f64 / time * 1e3;
        let (mean, ratio) = (bytes / leaves.len(), secrets / native);
        println!("{name:<12} {mean:>14} {:>14.0} {:>14.0} {ratio:>6.2} {:>14.0}", rate(secrets), rate(native), rate(persons));
    }
}

fn catalog(id: &str) -> Catalog {
    let off = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|other| other != id).collect();
    let grants = Grants::parse("[secret-masker]\nmask = true\n[pii-masker]\nmask = true\n").unwrap();
    let on = ["pii-masker".to_owned()].into();
    Catalog::open(PluginSettings { off, on, grants, ..PluginSettings::default() }).unwrap()
}

/// Leaves as the host hands them over.
fn batch(leaves: &[String]) -> Batch {
    let mut batch = BatchBuilder::new(leaves.len(), Vec::new());
    batch.values(FieldType::Text, |_| Value::Text(Cow::Borrowed("attributes[\"llm.request.data\"]")));
    batch.values(FieldType::Text, |_| Value::Text(Cow::Borrowed("value")));
    batch.values(FieldType::Text, |leaf| Value::Text(Cow::Borrowed(&leaves[leaf])));
    batch.finish()
}

/// 1 MiB each: prompts, what real events hold, ids, the labelled set, and text made to mislead.
fn texts() -> Vec<(&'static str, Vec<String>)> {
    let fill = |part: &str| part.repeat(SIZE / 4 / part.len());
    let four = |part: &str| (0..4).map(|number| fill(part) + &number.to_string()).collect::<Vec<_>>();
    let ids = "2026-11-23T08:00:31.183396Z,0e5d46f893f8491ba55ab2613e5586a8,140430309234496,550e8400-e29b-41d4-a716-446655440000;";
    let prose = "You are a careful assistant. Look up the weather in Paris, then book a table for two at eight; don't over-explain it. ";
    vec![
        ("prose", four(prose)),
        ("messages", until_full((0..).map(|number| prose.repeat(4) + &number.to_string()))),
        ("events", until_full(golden().iter().cycle().enumerate().map(|(number, text)| format!("{text}{number}")))),
        ("ids", four(ids)),
        ("labelled", until_full(labelled().iter().cycle().cloned())),
        ("misleading", four("sk-")),
    ]
}

fn until_full(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut size = 0;
    let within = texts.take_while(|text| {
        size += text.len();
        size <= SIZE
    });
    within.collect()
}

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)).unwrap()
}

/// Every string of the golden events, keys too.
fn golden() -> Vec<String> {
    let mut texts = Vec::new();
    for line in fixture("golden/monitor-events.ndjson").lines() {
        strings(serde_json::from_str(line).unwrap(), &mut texts);
    }
    texts.retain(|text| text.len() >= scan::MIN_BYTES);
    texts
}

fn strings(value: Json, texts: &mut Vec<String>) {
    match value {
        Json::String(text) => texts.push(text),
        Json::Array(list) => list.into_iter().for_each(|value| strings(value, texts)),
        Json::Object(object) => object.into_iter().for_each(|(key, value)| {
            texts.push(key);
            strings(value, texts);
        }),
        _ => {}
    }
}

fn labelled() -> Vec<String> {
    let text = |line: &str| {
        let line: Json = serde_json::from_str(line).unwrap();
        line["text"].as_array().unwrap().iter().map(|piece| piece.as_str().unwrap()).collect()
    };
    fixture("secrets/labelled.jsonl").lines().map(text).collect()
}
