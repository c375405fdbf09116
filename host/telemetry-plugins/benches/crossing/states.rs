//! Metrics: states out and in.

use std::hint::black_box;

use serde_json::Map;
use telemetry_model::query::RowSink as _;
use telemetry_model::{BatchBuilder, Value};

use crate::catalog;
use crate::measure::medians;

/// A metric over 10,000 groups: update, states out, merge in.
pub fn states() {
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
