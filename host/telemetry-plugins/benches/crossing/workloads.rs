//! Workloads over one enricher, written in Rust with the SDK and in C by hand, beside the same closure in the host.

use std::borrow::Cow;
use std::hint::black_box;

use telemetry_model::{Batch, BatchView, Family, Field, FieldType, Relation, Rows, Value};
use telemetry_plugins::{Catalog, Parts, PluginSettings, Policy};

use crate::measure::medians;

/// The enricher in Rust.
pub const RUST: &[u8] = include_bytes!("../../../../plugins/examples/boundary/boundary.wasm");

const GUESTS: [(&str, &[u8]); 2] =
    [("boundary", RUST), ("boundary-c", include_bytes!("../../../../plugins/examples/boundary-c/boundary-c.wasm"))];

/// Cells of one row: three texts, a number, a share, content.
type Cells = [Value<'static>; 6];

pub struct Workload {
    pub name: &'static str,
    pub batches: &'static [usize],
    cells: fn(usize) -> Cells,
}

pub const WORKLOADS: [Workload; 3] = [
    Workload { name: "1 metadata, dictionaries", batches: &[1, 10, 100, 1000], cells: metadata },
    Workload { name: "2 three unique ids of 32", batches: &[1, 10, 100, 1000], cells: ids },
    Workload { name: "3 content of 10 kB", batches: &[1, 10, 100], cells: content },
];

fn metadata(row: usize) -> Cells {
    let [vendor, model, state] = [["anthropic", "openai"][row % 2], ["claude-sonnet-4", "gpt-4o", "o3"][row % 3], ["ok", "error"][row % 2]];
    [text(vendor), text(model), text(state), Value::Integer(row as i64), Value::Real(row as f64 / 1000.0), Value::Absent]
}

fn ids(row: usize) -> Cells {
    let id = |start: usize| Value::Text(Cow::Owned(format!("{:032x}", start + row)));
    [id(1 << 20), id(1 << 30), id(1 << 40), Value::Integer(row as i64), Value::Real(row as f64 / 1000.0), Value::Absent]
}

/// Unlike any other row's: a dictionary would hand it over once.
fn content(row: usize) -> Cells {
    let text = format!("{row} {}", "lorem ipsum dolor sit amet, a needle ".repeat(271));
    [Value::Absent, Value::Absent, Value::Absent, Value::Integer(row as i64), Value::Real(0.7), Value::Text(Cow::Owned(text))]
}

fn text(text: &'static str) -> Value<'static> {
    Value::Text(Cow::Borrowed(text))
}

/// Rows in memory, cells found by name.
pub struct Table {
    names: Vec<Field>,
    rows: Vec<Cells>,
}

impl Table {
    /// `count` rows; with `sparse`, every third cell is absent, which takes a bitmap a column.
    pub fn new(workload: &Workload, count: usize, sparse: bool) -> Self {
        let names = ["first", "second", "third", "number", "share", "content"];
        let names = names.map(|name| Field::parse(&format!("attributes[\"boundary.{name}\"]"), Relation::Events).unwrap());
        let row = |row: usize| {
            let mut cells = (workload.cells)(row);
            for (at, cell) in cells.iter_mut().enumerate().filter(|_| sparse) {
                if (row + at).is_multiple_of(3) {
                    *cell = Value::Absent;
                }
            }
            cells
        };
        Table { names: names.into(), rows: (0..count).map(row).collect() }
    }

    /// What both guests do.
    pub fn native(&self) -> Vec<(i64, Option<bool>)> {
        let row = |row: usize| {
            let value = |at: usize| self.value(row, &self.names[at]);
            let len = |at: usize| if let Value::Text(text) = value(at) { text.len() as i64 } else { 0 };
            let found = if let Value::Text(text) = value(5) { text.matches("needle").count() as i64 } else { 0 };
            let number = if let Value::Integer(number) = value(3) { number } else { 0 };
            let high = if let Value::Real(share) = value(4) { Some(share > 0.5) } else { None };
            (number + len(0) + 2 * len(1) + 3 * len(2) + found, high)
        };
        (0..self.rows.len()).map(row).collect()
    }
}

impl Rows for Table {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn family(&self, _row: usize) -> Family {
        Family::Llm
    }

    fn value(&self, row: usize, field: &Field) -> Value<'_> {
        let at = self.names.iter().position(|name| std::ptr::eq(name, field) || name == field).unwrap();
        match &self.rows[row][at] {
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    fn source(&self, row: usize) -> u64 {
        row as u64
    }
}

/// Prints the table: for each workload and batch, end to end (project, call, check, read back) with an instance that lives and a fresh one.
pub fn workloads() {
    let folder = tempfile::tempdir().unwrap();
    for (id, component) in GUESTS {
        std::fs::write(folder.path().join(format!("{id}.wasm")), component).unwrap();
    }
    let settings =
        PluginSettings { policy: Policy::Open, path: Some(folder.path().into()), without_shipped: true, ..PluginSettings::default() };
    let catalog = Catalog::open(settings).unwrap();
    let [rust, c] = GUESTS.map(|(id, _)| catalog.parts(id).unwrap());
    println!("ns an event, end to end: project, call, check, read back");
    println!(
        "{:<26} {:<8} {:>5} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "workload", "bitmaps", "batch", "native", "Rust live", "fresh", "C live", "fresh", "project", "read"
    );
    for workload in &WORKLOADS {
        for sparse in [false, true] {
            for count in workload.batches {
                let table = Table::new(workload, *count, sparse);
                let row = measure(&table, rust, c).map(|ns| format!("{:>9.1}", ns / *count as f64));
                let [native, live, fresh, c_live, c_fresh, project, read] = row;
                let bitmaps = if sparse { "in use" } else { "none" };
                println!(
                    "{:<26} {bitmaps:<8} {count:>5}{native}{live:>10}{fresh:>10}{c_live:>10}{c_fresh:>10}{project:>10}{read:>10}",
                    workload.name
                );
            }
        }
    }
}

fn measure(table: &Table, rust: Parts<'_>, c: Parts<'_>) -> [f64; 7] {
    let expected = table.native();
    let batch = rust.project(table);
    let answer = rust.enrich(&batch).unwrap();
    assert_eq!(read(&answer), expected);
    assert_eq!(read(&c.enrich(&batch).unwrap()), expected);
    let (mut rust_live, mut c_live) = (rust.live().unwrap(), c.live().unwrap());
    let through = |call: &mut dyn FnMut(&Batch) -> Batch| {
        let batch = rust.project(table);
        black_box(read(&call(&batch)));
        rust.recycle(batch);
    };
    medians([
        &mut || drop(black_box(table.native())),
        &mut || through(&mut |batch| rust_live.enrich(batch).unwrap()),
        &mut || through(&mut |batch| rust.enrich(batch).unwrap()),
        &mut || through(&mut |batch| c_live.enrich(batch).unwrap()),
        &mut || through(&mut |batch| c.enrich(batch).unwrap()),
        &mut || rust.recycle(rust.project(table)),
        &mut || drop(black_box(read(&answer))),
    ])
}

/// Checks and reads every value.
pub fn read(answer: &Batch) -> Vec<(i64, Option<bool>)> {
    let view = BatchView::check(answer, &[FieldType::Integer, FieldType::Boolean]).unwrap();
    let row = |row: usize| match (view.columns()[0].value(row), view.columns()[1].value(row)) {
        (Value::Integer(score), Value::Boolean(high)) => (score, Some(high)),
        (Value::Integer(score), _) => (score, None),
        _ => (i64::MIN, None),
    };
    (0..view.rows()).map(row).collect()
}
