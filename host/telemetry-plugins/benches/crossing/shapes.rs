//! Ways to hand columns over, one guest that speaks them all: what the choice of the contract's shape (G) rests on.
//!
//! A typed lists; B five lists a column; C headers and a buffer a width; D one buffer with C's headers inside; E B with bytes in every
//! list; F C's headers and one buffer; G short headers and one buffer; H G in one buffer. B' and G' are B and G whose guest checks that
//! text is UTF-8, G- is G whose guest allocates without a static arena. Rows, work, writers and readers are the same for all (`guest/src`): only the lists differ. The guest is built by
//! `cargo run -- plugin build host/telemetry-plugins/benches/crossing/guest`.

#[path = "guest/src/convert.rs"]
mod convert;
mod guest;
#[path = "guest/src/layout.rs"]
mod layout;
mod rows;
mod shape;
mod wit;
#[path = "guest/src/write.rs"]
mod write;

use std::hint::black_box;

use crate::measure::medians_of;
use guest::{Exports, Guest, Live};
use layout::{Batch, Cells as _, STATE};
use rows::{Sums, Table, WORKLOADS};
use shape::{A, B, C, CheckedB, CheckedG, D, E, F, G, H, PlainG, Read, Shape};
use write::Writer as _;

/// Groups of the states' workload.
const GROUPS: usize = 10_000;

type Calls<'a> = Vec<Box<dyn FnMut() + 'a>>;

/// `$each` of every shape.
macro_rules! each_shape {
    ($each:ident, $exports:expr, $($argument:expr),*) => {{
        let [a, b, c, d, e, f, g, h, checked_b, checked_g, plain_g] = $exports;
        $each::<A>(a, $($argument),*);
        $each::<B>(b, $($argument),*);
        $each::<C>(c, $($argument),*);
        $each::<D>(d, $($argument),*);
        $each::<E>(e, $($argument),*);
        $each::<F>(f, $($argument),*);
        $each::<G>(g, $($argument),*);
        $each::<H>(h, $($argument),*);
        $each::<CheckedB>(checked_b, $($argument),*);
        $each::<CheckedG>(checked_g, $($argument),*);
        $each::<PlainG>(plain_g, $($argument),*);
    }};
}

/// Prints the tables: shapes by workload and batch, on an instance that lives and on a fresh one.
pub fn shapes() {
    let guest = Guest::new();
    let exports = [
        guest.exports::<A>(),
        guest.exports::<B>(),
        guest.exports::<C>(),
        guest.exports::<D>(),
        guest.exports::<E>(),
        guest.exports::<F>(),
        guest.exports::<G>(),
        guest.exports::<H>(),
        guest.exports::<CheckedB>(),
        guest.exports::<CheckedG>(),
        guest.exports::<PlainG>(),
    ];
    println!("\nns an event, end to end: project, call, check, read back");
    let shapes = ["native", "A", "B", "C", "D", "E", "F", "G", "H", "B'", "G'", "G-"].map(|name| format!("{name:>9}")).concat();
    println!("{:<26} {:<8} {:>5} {:<5}{shapes}", "workload", "bitmaps", "batch", "on");
    for workload in &WORKLOADS {
        for sparse in [false, true] {
            if sparse && workload.width == 1 {
                continue;
            }
            for count in workload.batches {
                let table = Table::new(workload, *count, sparse);
                let mut calls: Calls<'_> = vec![Box::new(|| _ = black_box(table.native()))];
                each_shape!(enrich, &exports, &guest, &table, &mut calls);
                print(workload.name, if sparse { "in use" } else { "none" }, *count, &mut calls);
            }
        }
    }
    let states: Vec<[u8; STATE]> = (0..GROUPS).map(|group| [group as u8; STATE]).collect();
    let mut calls: Calls<'_> = vec![Box::new(|| drop(black_box(black_box(&states).to_vec())))];
    each_shape!(states_out, &exports, &guest, &mut calls);
    print("4 states out, 24 bytes", "none", GROUPS, &mut calls);
    let mut sums = vec![[0u64; 3]; GROUPS];
    let mut calls: Calls<'_> = vec![Box::new(|| merge(&mut sums, black_box(&states)))];
    each_shape!(merge_in, &exports, &guest, &states, &mut calls);
    print("4 merge back in", "none", GROUPS, &mut calls);
}

/// A line of live instances and one of fresh ones; `calls` are the closure, then both of each shape.
fn print(workload: &str, bitmaps: &str, count: usize, calls: &mut Calls<'_>) {
    let medians = medians_of(calls);
    for (at, on) in ["live", "fresh"].into_iter().enumerate() {
        let shapes = medians[1 + at..].iter().step_by(2);
        let cells: String = std::iter::once(&medians[0]).chain(shapes).map(|ns| format!("{:>9.1}", ns / count as f64)).collect();
        println!("{workload:<26} {bitmaps:<8} {count:>5} {on:<5}{cells}");
    }
}

/// Adds the end-to-end calls of a workload.
fn enrich<'a, S: Shape + 'a>(exports: &'a Exports, guest: &'a Guest, table: &'a Table, calls: &mut Calls<'a>) {
    let project = || {
        let mut writer = S::writer(table.width, table.len(), table.size);
        table.project(&mut writer);
        S::finish(table.len(), writer)
    };
    let through = move |live: &mut Live<'_, S>| S::view(&live.enrich(project()), ReadScores(table));
    let mut live = guest.fresh::<S>(exports);
    assert_eq!(through(&mut live), table.native());
    calls.push(Box::new(move || _ = black_box(through(&mut live))));
    calls.push(Box::new(move || _ = black_box(through(&mut guest.fresh(exports)))));
}

struct ReadScores<'a>(&'a Table);

impl Read<Sums> for ReadScores<'_> {
    fn read(self, batch: &impl Batch) -> Sums {
        self.0.read(batch)
    }
}

/// Adds the calls that take all states out.
fn states_out<'a, S: Shape + 'a>(exports: &'a Exports, guest: &'a Guest, calls: &mut Calls<'a>) {
    let mut live = guest.fresh::<S>(exports);
    live.fill(GROUPS);
    assert_eq!(S::view(&live.state(), ReadStates), (0..GROUPS as u64).sum::<u64>() * 6);
    calls.push(Box::new(move || _ = black_box(S::view(&live.state(), ReadStates))));
    calls.push(Box::new(move || {
        let mut live = guest.fresh::<S>(exports);
        live.fill(GROUPS);
        black_box(S::view(&live.state(), ReadStates));
    }));
}

struct ReadStates;

impl Read<u64> for ReadStates {
    fn read(self, batch: &impl Batch) -> u64 {
        let states = batch.column(0);
        states.check(GROUPS);
        let state = |group| states.bytes(group).expect("a state").as_chunks().0.iter().map(|part| u64::from_le_bytes(*part)).sum::<u64>();
        (0..GROUPS).map(state).sum()
    }
}

/// Adds the calls that hand all states back in.
fn merge_in<'a, S: Shape + 'a>(exports: &'a Exports, guest: &'a Guest, states: &'a [[u8; STATE]], calls: &mut Calls<'a>) {
    let project = || {
        let mut writer = S::writer(2, GROUPS, GROUPS * 32 + 64);
        writer.states(GROUPS, |group| states[group]);
        writer.groups((0..GROUPS as u32).collect());
        S::finish(GROUPS, writer)
    };
    let mut live = guest.fresh::<S>(exports);
    live.merge(project());
    let mut sums = vec![[0; 3]; GROUPS];
    merge(&mut sums, states);
    assert_eq!(S::view(&live.state(), ReadStates), sums.into_iter().flatten().fold(0, u64::wrapping_add));
    calls.push(Box::new(move || live.merge(project())));
    calls.push(Box::new(move || guest.fresh::<S>(exports).merge(project())));
}

/// Adds states in the host.
fn merge(sums: &mut [[u64; 3]], states: &[[u8; STATE]]) {
    for (sum, state) in sums.iter_mut().zip(states) {
        let parts = state.as_chunks().0.iter();
        sum.iter_mut().zip(parts).for_each(|(sum, part)| *sum = sum.wrapping_add(u64::from_le_bytes(*part)));
    }
}
