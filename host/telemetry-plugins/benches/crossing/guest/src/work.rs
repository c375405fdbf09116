//! What the guest does with a batch, whatever its shape. The bench does the same natively.

use std::sync::Mutex;

use crate::layout::{Batch, Cells, STATE, kind};
use crate::write::Writer;

/// Five columns (three texts, a number, a share), three (ids) or one (content); a score a row comes out and, for five, a level.
pub fn enrich(batch: &impl Batch, out: &mut impl Writer) {
    let rows = batch.rows();
    if batch.width() == 1 {
        let content = batch.column(0);
        return out.numbers(kind::INTEGER, &[], rows, |row| content.bytes(row).map_or(0, |text| needles(text)));
    }
    let texts = [batch.column(0), batch.column(1), batch.column(2)];
    let weigh = |row: usize| {
        let weight = |at: usize| texts[at].bytes(row).map_or(0, |text| text.len() as u64 + u64::from(text[text.len() - 1]));
        weight(0) + 2 * weight(1) + 3 * weight(2)
    };
    if batch.width() == 3 {
        return out.numbers(kind::INTEGER, &[], rows, weigh);
    }
    let (number, share) = (batch.column(3), batch.column(4));
    out.numbers(kind::INTEGER, &[], rows, |row| weigh(row) + number.number(row).unwrap_or(0));
    let level = |row| u32::from(share.number(row).is_some_and(|share| f64::from_bits(share) > 0.5));
    out.texts(share.present(), Some((0..rows).map(level).collect()), vec!["low", "high"]);
}

/// A function of its own: the component would hold it ten times.
#[allow(unsafe_code)]
#[inline(never)]
fn needles(text: &[u8]) -> u64 {
    // SAFETY: the host hands over UTF-8 that it has checked.
    unsafe { std::str::from_utf8_unchecked(text) }.matches("needle").count() as u64
}

type State = [u64; 3];

static STATES: Mutex<Vec<State>> = Mutex::new(Vec::new());

/// Makes `groups` states.
pub fn fill(groups: u32) {
    *STATES.lock().expect("one thread") = (0..u64::from(groups)).map(|group| [group, 2 * group, 3 * group]).collect();
}

/// All states, and how many there are.
pub fn state(out: &mut impl Writer) -> u32 {
    let states = STATES.lock().expect("one thread");
    out.states(states.len(), |group| {
        let mut bytes = [0; STATE];
        bytes.as_chunks_mut().0.iter_mut().zip(states[group]).for_each(|(place, part)| *place = part.to_le_bytes());
        bytes
    });
    states.len() as u32
}

/// Adds a state a row to its group's.
pub fn merge(batch: &impl Batch) {
    let mut states = STATES.lock().expect("one thread");
    let (given, groups) = (batch.column(0), batch.column(1));
    for row in 0..batch.rows() {
        let group = groups.group(row) as usize;
        if states.len() <= group {
            states.resize(group + 1, [0; 3]);
        }
        let parts = given.bytes(row).unwrap_or_default().as_chunks::<8>().0.iter();
        states[group].iter_mut().zip(parts).for_each(|(sum, part)| *sum = sum.wrapping_add(u64::from_le_bytes(*part)));
    }
}
