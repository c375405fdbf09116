//! Metrics: accumulators, states, failures.

use serde_json::{Map, json};
use telemetry_model::query::RowSink as _;
use telemetry_model::{BatchBuilder, FieldType, Value};
use telemetry_plugins::{CallError, Catalog, MetricError, MetricUnavailable, PluginSettings};

use crate::guest::{Table, module, plugin};
use crate::loading::{Folder, settings};

/// Sums one integer column by group, up to 64 groups at address 8192; traps at 1, loops at 2, declines at 3.
fn guest() -> String {
    module(
        "metric",
        r#"(import "[export]INTERFACE" "[resource-new]accumulator" (func $new (param i32) (result i32)))"#,
        r#"
  (global $groups (mut i32) (i32.const 0))
  (func (export "INTERFACE#[static]accumulator.open") (param i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (call $new (i32.const 1)))
    (i32.const 512))
  ;; adds the s64 cells at $cells to the groups (u32) at $ids
  (func $add (param $rows i32) (param $cells i32) (param $ids i32) (result i32)
    (local $row i32) (local $sum i32) (local $value i64)
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $row) (local.get $rows)))
        (local.set $value (i64.load (i32.add (local.get $cells) (i32.mul (local.get $row) (i32.const 8)))))
        (if (i64.eq (local.get $value) (i64.const 1)) (then (unreachable)))
        (if (i64.eq (local.get $value) (i64.const 2)) (then (loop $ever (br $ever))))
        (if (i64.eq (local.get $value) (i64.const 3)) (then
          (i32.store8 (i32.const 512) (i32.const 1)) (i32.store8 (i32.const 516) (i32.const 2))
          (i32.store (i32.const 520) (i32.const 1024)) (i32.store (i32.const 524) (i32.const 28))
          (return (i32.const 512))))
        (local.set $sum (i32.add (i32.const 8192)
          (i32.mul (i32.const 8) (i32.load (i32.add (local.get $ids) (i32.mul (local.get $row) (i32.const 4)))))))
        (i64.store (local.get $sum) (i64.add (i64.load (local.get $sum)) (local.get $value)))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))
    (call $fine))
  (func (export "INTERFACE#[method]accumulator.update")
    (param i32) (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (param $groups i32)
    (result i32)
    (global.set $groups (local.get $groups))
    (call $add (local.get $rows) (local.get $data)
      (i32.add (local.get $data) (i32.load offset=20 (local.get $columns)))))
  ;; states are 8 bytes each, so their cells follow the padded offsets
  (func (export "INTERFACE#[method]accumulator.merge")
    (param i32) (param $rows i32) (param $columns i32) (param $count i32) (param $data i32) (param $len i32) (param $groups i32)
    (result i32)
    (global.set $groups (local.get $groups))
    (call $add (local.get $rows)
      (i32.add (local.get $data) (i32.and (i32.add (i32.mul (i32.add (local.get $rows) (i32.const 1)) (i32.const 4)) (i32.const 7)) (i32.const -8)))
      (i32.add (local.get $data) (i32.load offset=20 (local.get $columns)))))
  (func $answer (param $kind i32) (param $data i32) (param $len i32) (result i32)
    (i32.store (i32.const 600) (local.get $kind))
    (i32.store (i32.const 604) (global.get $groups))
    (i32.store (i32.const 608) (i32.const 0))
    (i32.store8 (i32.const 512) (i32.const 0))
    (i32.store (i32.const 516) (global.get $groups))
    (i32.store (i32.const 520) (i32.const 600))
    (i32.store (i32.const 524) (i32.const 1))
    (i32.store (i32.const 528) (local.get $data))
    (i32.store (i32.const 532) (local.get $len))
    (i32.const 512))
  (func (export "INTERFACE#[method]accumulator.evaluate") (param i32) (result i32)
    (call $answer (i32.const 2) (i32.const 8192) (i32.mul (global.get $groups) (i32.const 8))))
  (func (export "INTERFACE#[method]accumulator.state") (param i32) (result i32)
    (local $group i32) (local $head i32)
    (local.set $head (i32.and (i32.add (i32.mul (i32.add (global.get $groups) (i32.const 1)) (i32.const 4)) (i32.const 7)) (i32.const -8)))
    (block $end
      (loop $next
        (br_if $end (i32.ge_u (local.get $group) (global.get $groups)))
        (local.set $group (i32.add (local.get $group) (i32.const 1)))
        (i32.store (i32.add (i32.const 16384) (i32.mul (local.get $group) (i32.const 4))) (i32.mul (local.get $group) (i32.const 8)))
        (br $next)))
    (memory.copy (i32.add (i32.const 16384) (local.get $head)) (i32.const 8192) (i32.mul (global.get $groups) (i32.const 8)))
    (call $answer (i32.const 7) (i32.const 16384)
      (i32.add (local.get $head) (i32.mul (global.get $groups) (i32.const 8)))))"#,
    )
    // The allocator stays clear of the sums.
    .replace("(mut i32) (i32.const 4096)", "(mut i32) (i32.const 65536)")
}

fn catalog(folder: &Folder) -> Catalog {
    let manifest = r#"
id = "sum"
version = "0.1.0"
kind = "metric"
source = "llm_calls"
[[reads]]
field = "call.input_tokens"
type = "integer"
[[writes]]
key = "total"
type = "integer"
unit = "{token}"
[parameters.top]
type = "integer"
default = 5
[limits]
deadline_ms = 200
"#;
    folder.put("sum", &plugin("metric", &guest(), manifest));
    Catalog::open(settings(folder)).unwrap()
}

fn batch(rows: &[(i64, u32)]) -> telemetry_model::Batch {
    let mut batch = BatchBuilder::new(rows.len(), Vec::new());
    batch.values(FieldType::Integer, |row| Value::Integer(rows[row].0));
    batch.groups(&rows.iter().map(|row| row.1).collect::<Vec<_>>());
    batch.finish()
}

const ROWS: [(i64, u32); 6] = [(10, 0), (20, 1), (30, 0), (40, 2), (50, 1), (60, 2)];

#[test]
fn adds_up_by_group() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let metric = catalog.metric("sum").unwrap();
    assert_eq!((&*metric.spec().outputs[0].name, metric.spec().outputs[0].unit.as_deref()), ("total", Some("{token}")));
    let mut run = metric.open(&Map::new()).unwrap();
    run.rows(batch(&ROWS[..2]), 2).unwrap();
    run.rows(batch(&ROWS[2..]), 3).unwrap();
    let rows: Vec<_> = run.finish().unwrap().into_iter().map(|row| (row.group, row.values)).collect();
    assert_eq!(rows, [(0, vec![json!(40)]), (1, vec![json!(70)]), (2, vec![json!(100)])]);
}

#[test]
fn any_cut_merges_to_the_same() {
    let folder = Folder::new();
    let metric = catalog(&folder).metric("sum").unwrap();
    for cut in 0..=ROWS.len() {
        let mut whole = metric.open(&Map::new()).unwrap();
        whole.ensure_groups(3).unwrap();
        for part in [&ROWS[..cut], &ROWS[cut..]] {
            let mut run = metric.open(&Map::new()).unwrap();
            run.rows(batch(part), 3).unwrap();
            let states = run.state().unwrap();
            assert_eq!(run.state().unwrap(), states, "a state leaves the accumulator as it is");
            whole.merge(&states, &[0, 1, 2], 3).unwrap();
        }
        let values: Vec<_> = whole.finish().unwrap().into_iter().map(|row| row.values[0].clone()).collect();
        assert_eq!(values, [json!(40), json!(70), json!(100)], "{cut}");
    }
}

#[test]
fn groups_without_rows_are_evaluated_too() {
    let folder = Folder::new();
    let mut run = catalog(&folder).metric("sum").unwrap().open(&Map::new()).unwrap();
    run.ensure_groups(2).unwrap();
    assert_eq!(run.finish().unwrap().len(), 2);
}

#[test]
fn a_failure_is_typed_and_ends_the_query() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    let metric = catalog.metric("sum").unwrap();
    let fail = |number| {
        let mut run = metric.open(&Map::new()).unwrap();
        let first = run.rows(batch(&[(number, 0)]), 1).unwrap_err();
        assert!(run.rows(batch(&ROWS), 3).is_err() && run.finish().is_err());
        match first {
            MetricError::Failed { id, error } => (id, error),
            other => panic!("{other}"),
        }
    };
    assert!(matches!(fail(1).1, CallError::Trap(_)));
    assert!(matches!(fail(2), (id, CallError::Deadline(200_000_000)) if &*id == "sum"));
    assert!(matches!(fail(3).1, CallError::Declined(text) if text == "the plugin panicked at row 7"));
    let counters = catalog.statuses()[0].counters.unwrap();
    assert_eq!((counters.traps, counters.deadlines, counters.declined), (1, 1, 1));
}

#[test]
fn parameters_are_checked_against_the_schema() {
    let folder = Folder::new();
    let metric = catalog(&folder).metric("sum").unwrap();
    let open = |parameters: serde_json::Value| metric.open(parameters.as_object().unwrap()).map(|_| ());
    assert_eq!(open(json!({"top": "7"})), Ok(()));
    assert!(matches!(open(json!({"top": "x"})), Err(MetricError::InvalidParameter(_))));
    assert!(matches!(open(json!({"topp": 7})), Err(MetricError::InvalidParameter(_))));
}

#[test]
fn an_absent_metric_says_why() {
    let folder = Folder::new();
    let catalog = catalog(&folder);
    assert_eq!(catalog.metric("none").unwrap_err(), MetricUnavailable::Unknown("none".into()));
    let off = Catalog::open(PluginSettings { off: ["sum".to_owned()].into(), ..settings(&folder) }).unwrap();
    assert_eq!(off.metric("sum").unwrap_err(), MetricUnavailable::SwitchedOff("sum".into()));
    folder.put("sum", b"spoilt");
    let refused = Catalog::open(settings(&folder)).unwrap();
    assert!(matches!(refused.metric("sum").unwrap_err(), MetricUnavailable::Refused { .. }));
    let _ = Table::default();
}
