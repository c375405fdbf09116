//! What it costs to cross into a component and back. `cargo bench --bench crossing`
//!
//! Medians of interleaved samples, nanoseconds. Ratios within one run mean something; runs on a shared machine move by half.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Map;
use telemetry_model::query::RowSink as _;
use telemetry_model::{Batch, BatchBuilder, BatchView, Family, Field, FieldType, Rows, Value};
use telemetry_plugins::{Catalog, Grants, PluginSettings, SHIPPED};

const SAMPLES: usize = 31;
const SAMPLE: Duration = Duration::from_millis(3);

fn main() {
    let catalog = catalog("event-category");
    crossing(&catalog);
    parts(&catalog);
    columns();
    states();
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

/// Medians of the calls' times, samples interleaved. Time is CPU time of this thread: what else runs does not count.
fn medians<const N: usize>(mut calls: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut per_sample = [1u32; N];
    for (call, count) in calls.iter_mut().zip(&mut per_sample) {
        let start = cpu();
        while cpu() - start < SAMPLE {
            call();
            *count += 1;
        }
    }
    let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..SAMPLES {
        for (at, call) in calls.iter_mut().enumerate() {
            let start = cpu();
            (0..per_sample[at]).for_each(|_| call());
            samples[at].push((cpu() - start).as_nanos() as f64 / f64::from(per_sample[at]));
        }
    }
    samples.map(|mut list| {
        list.sort_by(f64::total_cmp);
        list[list.len() / 2]
    })
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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

/// Building and checking columns, with and without bitmaps.
fn columns() {
    println!("\ncolumns of 100 rows, ns a row: build, check and read");
    let text = |row: usize| Value::Text(Cow::Owned(format!("{row:032}")));
    let texts: Vec<_> = (0..100).map(text).collect();
    let some = |row: usize, value: Value<'static>| if row.is_multiple_of(3) { Value::Absent } else { value };
    let odd = |row: usize, value: Value<'static>| if row.is_multiple_of(5) { Value::Boolean(true) } else { value };
    type Cell<'a> = Box<dyn Fn(usize) -> Value<'static> + 'a>;
    let shapes: [(&str, FieldType, Cell<'_>); 8] = [
        ("integer", FieldType::Integer, Box::new(|row| Value::Integer(row as i64))),
        ("integer, a third absent", FieldType::Integer, Box::new(move |row| some(row, Value::Integer(row as i64)))),
        ("integer, a fifth mismatched", FieldType::Integer, Box::new(move |row| odd(row, Value::Integer(row as i64)))),
        ("real", FieldType::Real, Box::new(|row| Value::Real(row as f64))),
        ("boolean", FieldType::Boolean, Box::new(|row| Value::Boolean(row % 2 == 0))),
        ("text of 4 kinds", FieldType::Text, Box::new(|row| Value::Text(Cow::Borrowed(NAMES[row % 4])))),
        ("text, unique, 32 bytes", FieldType::Text, Box::new(|row| texts[row].clone())),
        ("json, 32 bytes", FieldType::Json, Box::new(|_| Value::Json(Cow::Borrowed("{\"a\":[1,2,3],\"b\":\"twenty-two\"}")))),
    ];
    for (name, ty, cell) in &shapes {
        let build = || {
            let mut batch = BatchBuilder::new(100, Vec::with_capacity(8192));
            batch.values(*ty, cell);
            batch.finish()
        };
        let batch = build();
        let [built, checked] = medians([&mut || drop(black_box(build())), &mut || {
            let view = BatchView::check(&batch, &[*ty]).unwrap();
            (0..100).for_each(|row| drop(black_box(view.columns()[0].value(row))));
        }]);
        println!("{name:>28} {:>7.1} {:>7.1}", built / 100.0, checked / 100.0);
    }
}

/// A metric over 10,000 groups: update, states out, merge in.
fn states() {
    let catalog = catalog("token-usage");
    let metric = catalog.metric("token-usage").unwrap();
    let groups: Vec<u32> = (0..10_000).collect();
    let mut batch = BatchBuilder::new(groups.len(), Vec::new());
    metric.spec().reads.iter().for_each(|(_, ty)| batch.values(*ty, |row| Value::Integer(row as i64)));
    batch.groups(&groups);
    let batch = batch.finish();
    let open = || metric.open(&Map::new()).unwrap();
    let mut run = open();
    run.rows(batch.clone(), 10_000).unwrap();
    let states = run.state().unwrap();
    // Each on a query of its own: the CPU time of one is bounded.
    let [update, state, merge, whole] = medians([
        &mut || open().rows(batch.clone(), 10_000).unwrap(),
        &mut || {
            let mut run = open();
            run.ensure_groups(10_000).unwrap();
            drop(black_box(run.state().unwrap()));
        },
        &mut || open().merge(&states, &groups, 10_000).unwrap(),
        &mut || {
            let mut run = open();
            run.rows(batch.clone(), 10_000).unwrap();
            drop(black_box(run.finish().unwrap()));
        },
    ])
    .map(|ns| ns / 10_000.0);
    println!("\ntoken-usage, 10,000 groups, ns a group, each with a fresh instance:");
    println!("update {update:.1}, groups and states {state:.1}, merge {merge:.1}, update and evaluate {whole:.1}");
}
