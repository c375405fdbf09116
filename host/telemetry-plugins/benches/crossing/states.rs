//! Metrics over many groups: rows in, states out, states in. One metric in each language that is built, beside the closure.

use std::hint::black_box;
use std::sync::Arc;

use serde_json::Map;
use telemetry_model::query::RowSink as _;
use telemetry_model::{Batch, BatchBuilder, FieldType, Value};
use telemetry_plugins::{Metric, MetricRun};

use crate::languages::built;
use crate::measure::medians;

const GROUPS: u32 = 10_000;
/// Calls whose cost above that of one tells what a call on a living instance costs: the CPU time of one query is bounded.
const MORE: usize = 4;

/// What the metric keeps of a group: slow calls, calls.
type State = [u64; 2];

/// Prints ns a group.
pub fn states() {
    println!("\nslow-calls, {GROUPS} groups, ns a group; fresh: with a fresh instance, evaluated at the end; live: one call more on it");
    println!("{:<14} {:>12} {:>12} {:>12} {:>12} {:>12} {:>12}", "", "update live", "fresh", "states live", "fresh", "merge live", "fresh");
    let groups: Vec<u32> = (0..GROUPS).collect();
    let durations: Vec<f64> = groups.iter().map(|group| f64::from(*group) / 5.0).collect();
    native(&durations);
    for (id, catalog) in built("slow-calls") {
        let metric = catalog.metric(&id).unwrap();
        let mut batch = BatchBuilder::new(groups.len(), Vec::new());
        batch.values(FieldType::Real, |row| Value::Real(durations[row]));
        batch.groups(&groups);
        measure(&id, &metric, &batch.finish(), &groups);
    }
}

fn measure(id: &str, metric: &Arc<Metric>, batch: &Batch, groups: &[u32]) {
    let open = || metric.open(&Map::new()).unwrap();
    let update = |run: &mut MetricRun| run.rows(batch.clone(), GROUPS).unwrap();
    let mut run = open();
    update(&mut run);
    let states = run.state().unwrap();
    let rows = run.finish().unwrap();
    assert_eq!((rows.len(), format!("{:?}", rows[9_999].values)), (10_000, expected()), "{id}");
    let merge = |run: &mut MetricRun| run.merge(&states, groups, GROUPS).unwrap();
    let state = |run: &mut MetricRun| drop(black_box(run.state().unwrap()));
    // Each in a query of its own, once and more than once.
    let queried = |first: &dyn Fn(&mut MetricRun), each: &dyn Fn(&mut MetricRun), times: usize, evaluate: bool| {
        let mut run = open();
        first(&mut run);
        (0..times).for_each(|_| each(&mut run));
        if evaluate {
            drop(black_box(run.finish().unwrap()));
        }
    };
    let nothing = |_: &mut MetricRun| {};
    let [update_1, update_n, whole, fill, state_1, state_n, merge_1, merge_n, merged] = medians([
        &mut || queried(&nothing, &update, 1, false),
        &mut || queried(&nothing, &update, 1 + MORE, false),
        &mut || queried(&nothing, &update, 1, true),
        &mut || queried(&update, &state, 0, false),
        &mut || queried(&update, &state, 1, false),
        &mut || queried(&update, &state, 1 + MORE, false),
        &mut || queried(&nothing, &merge, 1, false),
        &mut || queried(&nothing, &merge, 1 + MORE, false),
        &mut || queried(&nothing, &merge, 1, true),
    ]);
    let more = |one: f64, several: f64| (several - one) / MORE as f64;
    let row = [more(update_1, update_n), whole, more(state_1, state_n), state_1 - fill, more(merge_1, merge_n), merged];
    let cells: String = row.iter().map(|ns| format!(" {:>12.1}", ns / f64::from(GROUPS))).collect();
    println!("{id:<14}{cells}");
}

fn expected() -> String {
    format!("{:?}", [serde_json::Value::from(1), serde_json::Value::from(1)])
}

/// The same in the host.
fn native(durations: &[f64]) {
    let mut kept: Vec<State> = vec![[0, 0]; durations.len()];
    let update = |kept: &mut Vec<State>| {
        for (state, duration) in kept.iter_mut().zip(durations) {
            state[0] += u64::from(*duration >= 1000.0);
            state[1] += 1;
        }
    };
    update(&mut kept);
    let (mut updated, mut merged) = (kept.clone(), kept.clone());
    let out = states_of(&kept);
    let [update, states, merge] =
        medians([&mut || update(black_box(&mut updated)), &mut || drop(black_box(states_of(black_box(&kept)))), &mut || {
            merge(&mut merged, black_box(&out))
        }])
        .map(|ns| ns / f64::from(GROUPS));
    println!("{:<14} {update:>12.1} {:>12} {states:>12.1} {:>12} {merge:>12.1}", "closure", "", "");
}

/// As states cross: where each ends, and their bytes.
fn states_of(kept: &[State]) -> (Vec<u32>, Vec<u8>) {
    let (mut offsets, mut bytes) = (vec![0], Vec::with_capacity(kept.len() * 16));
    for state in kept {
        state.iter().for_each(|part| bytes.extend(part.to_le_bytes()));
        offsets.push(bytes.len() as u32);
    }
    (offsets, bytes)
}

fn merge(kept: &mut [State], (offsets, bytes): &(Vec<u32>, Vec<u8>)) {
    for (state, range) in kept.iter_mut().zip(offsets.windows(2)) {
        let parts = bytes[range[0] as usize..range[1] as usize].as_chunks::<8>().0.iter();
        state.iter_mut().zip(parts).for_each(|(sum, part)| *sum = sum.wrapping_add(u64::from_le_bytes(*part)));
    }
}
