//! One masker over a list of leaves: what was seen is not scanned, what is new goes in batches, what fails is run again row by row.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use telemetry_model::outcome::RunOutcome;

use super::columns::LeafBatch;
use super::seen::Found;
use super::{FoundLeaf, Leaf, LeafField, LeafPart, Masker, answer};
use crate::call::CallError;
use crate::journal::LeafNotes;
use crate::poison::{MS, by_bytes, is_worth_another};
use crate::settings::Limits;

/// Bytes of leaves of one call: what an instance keeps resident has room for them, so that no page of it is new.
const CALL_BYTES: usize = 96 << 10;

/// What a masker must do well on whoever sends what.
const PROBE: [&str; 3] = ["a", "Look up the weather in Paris.", "0e5d46f893f8491ba55ab2613e5586a8"];

pub(super) struct Attempts<'a> {
    pub masker: &'a Masker,
    pub limits: &'a Limits,
    pub sources: &'a [u64],
    /// By row.
    pub failed: &'a mut [Option<RunOutcome>],
    pub notes: &'a mut Option<LeafNotes>,
}

/// A text that was not seen before.
struct New {
    /// The first leaf that has it.
    place: usize,
    key: u128,
    found: Option<Found>,
}

/// The new texts, and which leaves have them.
#[derive(Default)]
struct Fresh {
    texts: Vec<New>,
    /// Row, place and number of the text; in order of places.
    uses: Vec<(u32, usize, usize)>,
}

/// A call that failed, until it is known whom it counts against.
type Failure = (u64, usize);

impl Attempts<'_> {
    /// What is to be replaced, by place.
    pub(super) fn run(&mut self, leaves: &[Leaf<'_>]) -> Vec<FoundLeaf> {
        let mut found = Vec::new();
        let mut fresh = self.sort_out(leaves, &mut found);
        let mut start = 0;
        while start < fresh.texts.len() {
            let end = self.cut(leaves, &fresh, start);
            self.run_cut(leaves, &mut fresh, start, end);
            start = end;
        }
        let before = found.len();
        for (_, place, text) in &fresh.uses {
            if let Some(Some(Some(spans))) = fresh.texts.get(*text).map(|new| &new.found) {
                found.push((*place, Arc::clone(spans)));
            }
        }
        if before > 0 && found.len() > before {
            found.sort_by_key(|(place, _)| *place);
        }
        found
    }

    /// Looks each leaf up; those that must be scanned come back.
    fn sort_out(&self, leaves: &[Leaf<'_>], found: &mut Vec<FoundLeaf>) -> Fresh {
        let min = self.masker.min_bytes();
        let mut fresh = Fresh::default();
        let mut known: HashMap<u128, usize> = HashMap::new();
        for (place, leaf) in leaves.iter().enumerate() {
            if leaf.raw.len() < min {
                continue;
            }
            let key = self.masker.key(leaf);
            match self.masker.seen.get(key) {
                Some(None) => {}
                Some(Some(spans)) => found.push((place, spans)),
                None => {
                    let text = *known.entry(key).or_insert_with(|| {
                        fresh.texts.push(New { place, key, found: None });
                        fresh.texts.len() - 1
                    });
                    fresh.uses.push((leaf.row, place, text));
                }
            }
        }
        fresh
    }

    /// Where a batch that begins at `start` ends.
    fn cut(&self, leaves: &[Leaf<'_>], fresh: &Fresh, start: usize) -> usize {
        let mut bytes = 0;
        let size = |new: &New| leaves.get(new.place).map_or(0, |leaf| leaf.raw.len() + 12);
        let within = fresh.texts.iter().skip(start).take_while(|new| {
            bytes += size(new);
            bytes <= self.limits.batch_bytes.min(CALL_BYTES)
        });
        start + within.count().max(1)
    }

    fn run_cut(&mut self, leaves: &[Leaf<'_>], fresh: &mut Fresh, start: usize, end: usize) {
        let rows = rows_of(fresh, start, end);
        if self.masker.plugin.breaker().is_open(Instant::now()) {
            rows.iter().for_each(|row| self.leave_out(*row));
            return;
        }
        let places: Vec<usize> = (start..end).filter(|text| !self.is_out(leaves, fresh, *text)).collect();
        let base = self.masker.plugin.limits.deadline_ms * MS;
        let mut failures = Vec::new();
        let budget = |bytes: usize| base + 50_000 * rows.len() as u64 + by_bytes(bytes);
        match self.call(leaves, fresh, &places, budget, &mut failures) {
            Ok(()) if places.len() == end - start => self.masker.plugin.breaker().batch(Instant::now(), 0, rows.len()),
            // A row by itself was alone already, and had more time than a row run alone.
            Err(error) if rows.len() == 1 && places.len() == end - start => {
                rows.iter().for_each(|row| self.failed_alone(*row, &error));
                self.count(usize::from(error.is_plugins()), 1, &mut failures);
            }
            // Some were left out for their senders' sake: their rows are looked at one by one.
            _ => self.run_alone(leaves, fresh, start, end, &rows, failures),
        }
    }

    /// Whether every row that has a text is of a source that is left out.
    fn is_out(&self, leaves: &[Leaf<'_>], fresh: &Fresh, text: usize) -> bool {
        let now = Instant::now();
        let row = fresh.texts.get(text).and_then(|new| leaves.get(new.place)).map_or(0, |leaf| leaf.row);
        self.masker.sources.is_out(self.source(row), now)
    }

    fn run_alone(&mut self, leaves: &[Leaf<'_>], fresh: &mut Fresh, start: usize, end: usize, rows: &[u32], mut failures: Vec<Failure>) {
        let mut failed = 0;
        for row in rows {
            let of_row = |fresh: &Fresh| -> Vec<usize> {
                let from = fresh.uses.partition_point(|(known, ..)| known < row);
                let uses = fresh.uses.iter().skip(from).take_while(|(known, ..)| known == row);
                let open = |text: &usize| fresh.texts.get(*text).is_some_and(|new| new.found.is_none());
                let mut texts: Vec<usize> =
                    uses.map(|(_, _, text)| *text).filter(|text| (start..end).contains(text)).filter(open).collect();
                texts.sort_unstable();
                texts.dedup();
                texts
            };
            let texts = of_row(fresh);
            if texts.is_empty() {
                continue;
            }
            let now = Instant::now();
            if self.masker.plugin.breaker().is_open(now) || self.masker.sources.is_out(self.source(*row), now) {
                self.leave_out(*row);
                continue;
            }
            let pace = self.masker.plugin.breaker().pace();
            let budget = |bytes: usize| (2 * MS + 200_000 + by_bytes(bytes)).max(20 * pace * bytes as u64);
            if let Err(error) = self.call(leaves, fresh, &texts, budget, &mut failures) {
                self.failed_alone(*row, &error);
                failed += usize::from(error.is_plugins());
                self.judge(&mut failures);
            }
        }
        self.count(failed, rows.len(), &mut failures);
    }

    fn failed_alone(&mut self, row: u32, error: &CallError) {
        self.fail(row, error.outcome());
        self.masker.plugin.counters.poison();
        if error.is_plugins() {
            self.masker.sources.failed(self.source(row), Instant::now());
        }
    }

    /// A batch of `rows` ended, of which so many failed alone.
    fn count(&self, failed: usize, rows: usize, failures: &mut Vec<Failure>) {
        self.judge(failures);
        let counted = if failed > 0 && self.agree() { failed } else { 0 };
        self.masker.plugin.breaker().batch(Instant::now(), counted, rows);
    }

    /// Counts failed calls against the masker when their senders agree.
    fn judge(&self, failures: &mut Vec<Failure>) {
        if !failures.is_empty() && self.agree() {
            let mut breaker = self.masker.plugin.breaker();
            failures.drain(..).for_each(|(cpu, bytes)| breaker.call(Instant::now(), cpu, bytes, true));
        }
    }

    fn agree(&self) -> bool {
        self.masker.sources.agree(Instant::now(), || self.probe())
    }

    /// Whether it does well on texts of ours.
    fn probe(&self) -> bool {
        let leaf =
            |raw| Leaf { row: 0, field: LeafField::Fixed("event.name"), part: LeafPart::Value, raw, is_escaped: false, pointer: None };
        let leaves = PROBE.map(leaf);
        let sent = LeafBatch::new(&leaves, 0..leaves.len(), self.masker.plugin.manifest.leaves.pointer);
        let (answer, _) = self.masker.plugin.callee.fresh(20 * MS, |live| self.masker.plugin.enrich(live, &sent.batch));
        let well = answer.and_then(|answer| answer::read(&sent, &answer, self.masker.plugin.limits.output_bytes)).is_ok();
        sent.recycle();
        well
    }

    /// One call over `texts`; again when that may help.
    fn call(
        &mut self,
        leaves: &[Leaf<'_>],
        fresh: &mut Fresh,
        texts: &[usize],
        budget: impl Fn(usize) -> u64,
        failures: &mut Vec<Failure>,
    ) -> Result<(), CallError> {
        if texts.is_empty() {
            return Ok(());
        }
        let plugin = &self.masker.plugin;
        let places: Vec<usize> = texts.iter().filter_map(|text| fresh.texts.get(*text)).map(|new| new.place).collect();
        let sent = LeafBatch::new(leaves, places.iter().copied(), plugin.manifest.leaves.pointer);
        let bytes = sent.batch.data.len();
        if let Some(notes) = self.notes {
            notes.handing(places.iter().filter_map(|place| leaves.get(*place)), bytes);
        }
        let mut rows = places.iter().filter_map(|place| leaves.get(*place)).map(|leaf| leaf.row);
        let first = rows.next();
        let alone = rows.all(|row| Some(row) == first);
        let mut tries = 0;
        let result = loop {
            let (answer, used) = plugin.callee.fresh(budget(bytes), |live| plugin.enrich(live, &sent.batch));
            let result = answer.and_then(|answer| {
                plugin.counters.answer(answer.data.len());
                answer::read(&sent, &answer, plugin.limits.output_bytes)
            });
            if let Some(notes) = self.notes {
                notes.looked_up(&used.1);
            }
            plugin.counters.call(texts.len(), bytes, &used, result.as_ref().err());
            tries += 1;
            match &result {
                Err(error) if is_worth_another(error, alone, tries) => std::thread::yield_now(),
                Err(error) if !error.is_plugins() => break result,
                Err(_) => {
                    failures.push((used.0, bytes));
                    break result;
                }
                Ok(_) => {
                    plugin.breaker().call(Instant::now(), used.0, bytes, false);
                    break result;
                }
            }
        };
        sent.recycle();
        for (text, found) in texts.iter().zip(result?) {
            if let Some(new) = fresh.texts.get_mut(*text) {
                self.masker.seen.put(new.key, &found);
                new.found = Some(found);
            }
        }
        Ok(())
    }

    fn source(&self, row: u32) -> u64 {
        self.sources.get(row as usize).copied().unwrap_or_default()
    }

    fn leave_out(&mut self, row: u32) {
        self.masker.plugin.counters.skip(1);
        self.fail(row, RunOutcome::BreakerOpen);
    }

    fn fail(&mut self, row: u32, outcome: RunOutcome) {
        if let Some(slot) = self.failed.get_mut(row as usize) {
            *slot = Some(slot.unwrap_or(outcome));
        }
    }
}

/// Rows that have a text between `start` and `end`, rising.
fn rows_of(fresh: &Fresh, start: usize, end: usize) -> Vec<u32> {
    let mut rows: Vec<u32> = fresh.uses.iter().filter(|(_, _, text)| (start..end).contains(text)).map(|(row, ..)| *row).collect();
    rows.dedup();
    rows
}
