//! What it costs to cross into a component and back.
//! `cargo bench --workspace --bench crossing [-- workloads rules languages states shapes shipped columns]`
//!
//! Medians of interleaved samples, nanoseconds. Ratios within one run mean something; runs on a shared machine move by half.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::borrow::Cow;
use std::hint::black_box;

use measure::medians;
use telemetry_model::{Batch, BatchView, Family, Field, FieldType, Rows, Value};
use telemetry_plugins::{Catalog, Grants, PluginSettings, SHIPPED};

mod columns;
mod languages;
mod measure;
mod rules;
mod shapes;
mod states;
mod workloads;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let run = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    if run("workloads") {
        workloads::workloads();
    }
    if run("rules") {
        rules::rules();
    }
    if run("languages") {
        languages::languages();
    }
    if run("states") {
        states::states();
    }
    if run("shapes") {
        shapes::shapes();
    }
    if run("shipped") {
        let catalog = catalog("event-category");
        crossing(&catalog);
        parts(&catalog);
    }
    if run("columns") {
        columns::columns();
    }
}

/// One shipped plugin alone.
fn catalog(id: &str) -> Catalog {
    let off = SHIPPED.iter().map(|shipped| shipped.id.to_owned()).filter(|other| other != id).collect();
    let grants = Grants::parse("[secret-scan]\nfields = [\"event.attributes\"]\n").unwrap();
    Catalog::open(PluginSettings { off, grants, ..PluginSettings::default() }).unwrap()
}

/// Events in memory: the fixed fields and 16 attributes in a list.
struct Events(Vec<Event>);

struct Event {
    name: &'static str,
    attributes: Vec<(Box<str>, Value<'static>)>,
}

const NAMES: [&str; 4] = ["llm.call.start", "llm.call.finish", "llm.request", "llm.response"];

impl Events {
    fn new(count: usize) -> Self {
        let attributes = |row: usize| {
            let mut list: Vec<(Box<str>, Value<'static>)> = vec![
                ("llm.vendor".into(), Value::Text(Cow::Borrowed("anthropic"))),
                ("llm.model".into(), Value::Text(Cow::Borrowed("claude-sonnet-4"))),
                ("llm.usage.input_tokens".into(), Value::Integer(row as i64)),
            ];
            list.extend((0..13).map(|n| (format!("env.other.{n}").into(), Value::Integer(n))));
            list
        };
        Events((0..count).map(|row| Event { name: NAMES[row % 4], attributes: attributes(row) }).collect())
    }
}

impl Rows for Events {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn family(&self, _row: usize) -> Family {
        Family::Llm
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        let event = &self.0[row];
        match field {
            Field::Fixed(_, "name") => Value::Text(Cow::Borrowed(event.name)),
            Field::Fixed(..) => Value::Absent,
            Field::Attribute(key) => match event.attributes.iter().find(|(known, _)| known == key) {
                Some((_, Value::Text(text))) => Value::Text(Cow::Borrowed(text)),
                Some((_, value)) => value.clone(),
                None => Value::Absent,
            },
        }
    }

    fn source(&self, _row: usize) -> u64 {
        0
    }
}

/// The same enrichment in the host.
fn native(rows: &dyn Rows, field: &Field) -> Vec<Option<&'static str>> {
    let category = |row| match rows.value(row, field) {
        Value::Text(name) => Some(match name.split('.').next().unwrap_or_default() {
            "llm" => "llm",
            "tool" | "mcp" => "tool",
            "security" => "security",
            _ => "other",
        }),
        _ => None,
    };
    (0..rows.len()).map(category).collect()
}

/// End to end: project, fresh instance, configure, call, check, read back.
fn crossing(catalog: &Catalog) {
    println!("event-category, ns an event, end to end with a fresh instance");
    println!("{:>6} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}", "batch", "native", "catalog", "fresh", "live", "project", "call");
    let parts = catalog.parts("event-category").unwrap();
    let mut live = parts.live().unwrap();
    let field = Field::parse("event.name", telemetry_model::Relation::Events).unwrap();
    for count in [1, 10, 100, 1000] {
        let events = Events::new(count);
        let batch = parts.project(&events);
        let [native, whole, fresh, living, project, call] = medians([
            &mut || drop(black_box(native(&events, &field))),
            &mut || drop(black_box(catalog.enrich(&events))),
            &mut || {
                let batch = parts.project(&events);
                read(&parts.enrich(&batch).unwrap());
                parts.recycle(batch);
            },
            &mut || {
                let batch = parts.project(&events);
                read(&live.enrich(&batch).unwrap());
                parts.recycle(batch);
            },
            &mut || parts.recycle(parts.project(&events)),
            &mut || drop(black_box(parts.enrich(&batch).unwrap())),
        ])
        .map(|ns| ns / count as f64);
        println!("{count:>6} {native:>10.1} {whole:>10.1} {fresh:>10.1} {living:>10.1} {project:>10.1} {call:>10.1}");
    }
}

/// Checks and reads every value.
fn read(answer: &Batch) {
    let view = BatchView::check(answer, &[FieldType::Text]).unwrap();
    for row in 0..view.rows() {
        black_box(view.columns()[0].value(row));
    }
}

fn parts(catalog: &Catalog) {
    let parts = catalog.parts("event-category").unwrap();
    let [instance, configured] = medians([&mut || parts.instantiate().unwrap(), &mut || parts.configure().unwrap()]);
    println!("\nns: fresh instance {instance:.0}, configure {:.0} more", configured - instance);
}
