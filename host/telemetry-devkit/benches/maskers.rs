//! What the shipped maskers cost beside the same code native. `cargo bench -p telemetry-devkit --bench maskers`
//!
//! Medians of the thread's CPU time over 1 MiB of leaves that were not seen before; as in the server a fresh instance for each call, and
//! no more leaves in a call than 96 KiB, or one. Below the line stands text made to mislead.
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
#[path = "../../../plugins/secret-masker/src/set.rs"]
mod set;
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
/// Bytes of leaves of a call, with twelve more for each.
const CALL: usize = 96 << 10;

fn main() {
    println!("{:<34} {:>12} {:>14} {:>8} {:>6} {:>11}", "MB/s", "leaves of, B", "secret-masker", "native", "ratio", "pii-masker");
    for (name, leaves) in texts().into_iter().chain([("", Vec::new())]).chain(misleading()) {
        if leaves.is_empty() {
            println!();
            continue;
        }
        let bytes: usize = leaves.iter().map(String::len).sum();
        let batches: Vec<Batch> = calls(&leaves).map(batch).collect();
        let native = median(|| {
            for leaf in &leaves {
                scan::scan::<false>(leaf.as_bytes(), 0, |secret| {
                    black_box(secret);
                });
            }
        });
        let [secrets, persons] = ["secret-masker", "pii-masker"].map(|id| {
            let catalog = catalog(id);
            let parts = catalog.parts(id).unwrap();
            median(|| batches.iter().for_each(|batch| drop(black_box(parts.enrich(batch).unwrap()))))
        });
        let rate = |time: f64| bytes as f64 / time * 1e3;
        let (mean, ratio) = (bytes / leaves.len(), secrets / native);
        println!("{:<34} {mean:>12} {:>14.0} {:>8.0} {ratio:>6.2} {:>11.0}", shown(name), rate(secrets), rate(native), rate(persons));
    }
}

/// The beginning of `part`, on one line.
fn shown(part: &str) -> String {
    part.chars().take(32).map(|character| if character == '\n' { '|' } else { character }).collect()
}

fn catalog(id: &str) -> Catalog {
    let off = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|other| other != id).collect();
    let grants = Grants::parse("[secret-masker]\nmask = true\n[pii-masker]\nmask = true\n").unwrap();
    let on = ["pii-masker".to_owned()].into();
    Catalog::open(PluginSettings { off, on, grants, ..PluginSettings::default() }).unwrap()
}

/// What goes in one call each.
fn calls(leaves: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = leaves;
    std::iter::from_fn(move || {
        let mut size = 0;
        let within = rest.iter().take_while(|leaf| {
            size += leaf.len() + 12;
            size <= CALL
        });
        let (call, others) = rest.split_at(within.count().max(1).min(rest.len()));
        rest = others;
        (!call.is_empty()).then_some(call)
    })
}

/// Leaves as the host hands them over.
fn batch(leaves: &[String]) -> Batch {
    let mut batch = BatchBuilder::new(leaves.len(), Vec::new());
    batch.values(FieldType::Text, |_| Value::Text(Cow::Borrowed("attributes[\"llm.request.data\"]")));
    batch.values(FieldType::Text, |_| Value::Text(Cow::Borrowed("value")));
    batch.values(FieldType::Text, |leaf| Value::Text(Cow::Borrowed(&leaves[leaf])));
    batch.finish()
}

/// `part` over and over, 1 MiB in four leaves.
fn four(part: &str) -> Vec<String> {
    (0..4).map(|number| part.repeat(SIZE / 4 / part.len()) + &number.to_string()).collect()
}

/// 1 MiB each: prompts, what real events hold, ids, the labelled set.
fn texts() -> Vec<(&'static str, Vec<String>)> {
    let ids = "2026-11-23T08:00:31.183396Z,0e5d46f893f8491ba55ab2613e5586a8,140430309234496,550e8400-e29b-41d4-a716-446655440000;";
    let prose = "You are a careful assistant. Look up the weather in Paris, then book a table for two at eight; don't over-explain it. ";
    vec![
        ("prose", four(prose)),
        ("messages", until_full((0..).map(|number| prose.repeat(4) + &number.to_string()))),
        ("events", until_full(golden().iter().cycle().enumerate().map(|(number, text)| format!("{text}{number}")))),
        ("ids", four(ids)),
        ("labelled", until_full(labelled().iter().cycle().cloned())),
    ]
}

/// What looks like a secret, over and over, and secrets back to back; all made up.
fn misleading() -> Vec<(&'static str, Vec<String>)> {
    let parts = [
        "sk-",
        " sk-",
        " sk-ant-aaaaaaaa",
        "-",
        "- ",
        "a-",
        "_",
        "aws_secret_access_key",
        "aws_secret_access_key = ",
        "SecretAccessKey=",
        "AccountKey=",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----a:",
        "a:-----BEGIN PRIVATE KEY-----\n",
        ":",
        "://",
        "://:%40%40%40",
        "://u:{a@",
        "eyJaaaaaaaaaa.",
        "SG.",
        "Bearer ",
        "AIza",
        "I",
        "\\-",
        "://:abc@h",
        "://u:hunter@host/ ",
        "AKIAIOSFODNN7EXAMPLE ",
        "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8 ",
        "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END PRIVATE KEY-----\n",
    ];
    parts.map(|part| (part, four(part))).into()
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
