//! What the shipped validators and enrichers cost. `cargo bench -p telemetry-devkit`
//!
//! Medians of the thread's CPU time, projection and reading back included, a fresh instance for each call.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

mod measure;

use std::borrow::Cow;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use serde_json::Value as Json;
use telemetry_model::{Family, Field, Relation, Rows, Value};
use telemetry_plugins::{Catalog, Grants, PluginSettings, SHIPPED};

use measure::median;

/// Shipped plugins that run at ingest.
const PLUGINS: [&str; 4] = ["event-envelope", "genai-attributes", "event-category", "secret-scan"];

fn main() {
    let golden = golden();
    println!("golden events: {} rows", golden.0.len());
    println!("{:<18} {:>12} {:>12}", "ns an event", "batch 1", "batch 100");
    for id in PLUGINS {
        let catalog = catalog(id);
        let single = median(|| golden.0.iter().take(100).for_each(|row| run(&catalog, &Batch(vec![row.clone()])))) / 100.0;
        let hundred = Batch(golden.0.iter().take(100).cloned().collect());
        println!("{id:<18} {single:>12.0} {:>12.0}", median(|| run(&catalog, &hundred)) / 100.0);
    }
    let catalog = catalog("secret-scan");
    for (name, text) in texts() {
        let row = vec![
            (field("event.attributes"), Value::Json(Cow::Owned(text.clone()))),
            (field("event.name"), Value::Text("llm.call.start".into())),
        ];
        let time = median(|| run(&catalog, &Batch(vec![row.clone()])));
        println!("secret-scan, {name}: {:.0} MB/s", text.len() as f64 / time * 1e3);
    }
}

fn run(catalog: &Catalog, rows: &Batch) {
    black_box(catalog.validate(rows));
    black_box(catalog.enrich(rows));
}

/// One shipped plugin alone.
fn catalog(id: &str) -> Catalog {
    let off = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|other| other != id).collect();
    let grants = Grants::parse("[secret-scan]\nfields = [\"event.attributes\"]\n").unwrap();
    Catalog::open(PluginSettings { off, grants, ..PluginSettings::default() }).unwrap()
}

/// 1 MiB each: prompts as agents send them, JSON full of numbers and ids, and text made to mislead.
fn texts() -> [(&'static str, String); 3] {
    let fill = |part: &str| format!("{{\"a\":\"{}\"}}", part.repeat((1 << 20) / part.len()));
    let ids = "2026-11-23T08:00:31.183396Z,0e5d46f893f8491ba55ab2613e5586a8,140430309234496,550e8400-e29b-41d4-a716-446655440000;";
    [
        (
            "prose",
            fill("You are a careful assistant. Look up the weather in Paris, then book a table for two at eight; don't over-explain it. "),
        ),
        ("ids", fill(ids)),
        ("misleading", fill("sk-")),
    ]
}

fn field(name: &str) -> Field {
    Field::parse(name, Relation::Events).unwrap()
}

#[derive(Clone)]
struct Batch(Vec<Vec<(Field, Value<'static>)>>);

impl Rows for Batch {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn family(&self, row: usize) -> Family {
        match self.value(row, &Field::Fixed(Relation::Events, "name")) {
            Value::Text(name) => Family::of(&name),
            _ => Family::Other,
        }
    }
    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        match self.0[row].iter().find(|(known, _)| known == field).map(|(_, value)| value) {
            Some(Value::Text(text)) => Value::Text(Cow::Borrowed(text)),
            Some(Value::Json(text)) => Value::Json(Cow::Borrowed(text)),
            Some(other) => other.clone(),
            None => Value::Absent,
        }
    }
    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}

fn golden() -> Batch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/golden/monitor-events.ndjson");
    Batch(fs::read_to_string(path).unwrap().lines().map(row).collect())
}

fn row(line: &str) -> Vec<(Field, Value<'static>)> {
    let event: Json = serde_json::from_str(line).unwrap();
    let event = event.get("body").cloned().unwrap_or(event);
    let mut row = Vec::new();
    for name in ["timestamp", "name", "level", "schema_version", "trace_id", "span_id", "parent_span_id", "agent_id"] {
        row.push((Field::Fixed(Relation::Events, name), value(&event[name])));
    }
    row.push((field("event.size"), Value::Integer(line.len() as i64)));
    row.push((field("event.attributes"), value(&event["attributes"])));
    for (key, attribute) in event["attributes"].as_object().into_iter().flatten() {
        row.push((Field::Attribute(key.as_str().into()), value(attribute)));
    }
    row
}

fn value(json: &Json) -> Value<'static> {
    match json {
        Json::Null => Value::Absent,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Real(number.as_f64().unwrap_or(0.0)), Value::Integer),
        Json::String(text) => Value::Text(Cow::Owned(text.clone())),
        other => Value::Json(Cow::Owned(other.to_string())),
    }
}
