//! Masking: the first thing that happens to decoded text. What is found is replaced in the JSON itself and the event read again, so
//! whatever comes behind (flags, reasons, digests, idempotency, quarantine) knows the masked text only.

mod body;
mod leaves;
mod replay;
mod splice;
mod withhold;

use std::sync::Arc;

use telemetry_model::journal::Handed;
use telemetry_model::{DigestKey, Flag};
use telemetry_plugins::{Catalog, Leaf, LeafPart, Masking, Span};

use super::decode;
use super::pipeline::Job;
use super::stages::{Arrival, Stages, State, Work};
pub(super) use body::MaskedBody;
use leaves::{Found, Leaves};
pub use replay::{ReplayError, replay};

/// Leaves are handed to the maskers in lists of at most so many, or so many bytes.
const LIST_LEAVES: usize = 1 << 10;
const LIST_BYTES: usize = 1 << 20;

/// Something to replace.
struct Hit<'t> {
    leaf: Leaf<'t>,
    at: usize,
    spans: Arc<[Span]>,
}

impl Stages {
    /// Masks the text of every event, and of every body that holds none.
    pub(super) fn mask(&self, plugins: &Catalog, jobs: &[Job], work: &mut Work) {
        if !plugins.has_maskers() {
            return;
        }
        let key = self.store.digest_key();
        let refused = body::refused(jobs, &work.texts);
        let sources: Vec<u64> = work.arrivals.iter().map(|arrival| arrival.source).chain(refused.iter().map(|body| body.source)).collect();
        let masking = plugins.mask(&sources);
        let mut list = List::new(masking, plugins.min_leaf_bytes(), plugins.wants_pointers());
        let events = work.texts.iter().flatten();
        let texts = events.flat_map(|(text, count)| std::iter::repeat_n(text.as_str(), *count));
        for ((row, arrival), text) in (0..).zip(&work.arrivals).zip(texts) {
            list.event(row, text.get(arrival.place.clone()).unwrap_or_default());
        }
        let first = work.arrivals.len();
        for (row, body) in (first as u32..).zip(&refused) {
            body.list(row, &mut list);
        }
        let (hits, mut masked) = list.finish();
        let handed = std::mem::take(&mut masked.handed);
        let mut rest = &hits[..];
        let mut rows = masked.withheld.iter().zip(masked.runs);
        let mut events = (0..).zip(work.arrivals.iter_mut());
        for (job, text) in jobs.iter().zip(&work.texts) {
            let Ok((text, count)) = text else { continue };
            let text = text.as_str();
            for ((row, arrival), (withheld, runs)) in events.by_ref().zip(rows.by_ref()).take(*count) {
                let hits = take_row(&mut rest, row);
                arrival.maskers = runs;
                let event = text.get(arrival.place.clone()).unwrap_or_default();
                match withheld {
                    Some(plugin) => {
                        let (text, flag) = withhold::withhold(event, plugin, key);
                        arrival.replace(text, &job.unit.flags, Some(flag));
                    }
                    None if hits.is_empty() => {}
                    None => arrival.replace(spliced(event, hits, key), &job.unit.flags, None),
                }
            }
        }
        for ((row, body), (withheld, _)) in (first as u32..).zip(&refused).zip(rows) {
            let hits = take_row(&mut rest, row);
            let masked = body.masked(hits, withheld.is_some(), key);
            if let Some(slot) = work.bodies.get_mut(body.job) {
                *slot = Some(masked);
            }
        }
        self.note_masked(jobs, work, handed);
    }
}

impl Stages {
    /// Keeps what maskers were handed of events; of bodies that hold none it is noted at once.
    fn note_masked(&self, jobs: &[Job], work: &mut Work, handed: Vec<Handed>) {
        let events = u32::try_from(work.arrivals.len()).unwrap_or(u32::MAX);
        let mut bodies = Vec::new();
        for mut handed in handed {
            let of_bodies = handed.rows.split_off(handed.rows.partition_point(|row| row.row < events));
            if !of_bodies.is_empty() {
                bodies.push(Handed { subject: Arc::clone(&handed.subject), rows: of_bodies, bytes: 0, lookups: Vec::new() });
            }
            work.handed.push(handed);
        }
        let Some(time) = jobs.first().map(|job| job.unit.received_at).filter(|_| !bodies.is_empty()) else { return };
        if let Err(error) = self.store.submit_handed(Vec::new(), bodies, time, Box::new(|_| {})) {
            tracing::debug!(%error, "rows of a body are noted later");
        }
    }
}

impl Arrival {
    /// Gives the event other text, and reads it again.
    fn replace(&mut self, text: String, unit_flags: &[Flag], flag: Option<Flag>) {
        if let State::Decoded(event) = &self.state {
            self.state = match decode::again(&text, event) {
                Ok(event) => State::Decoded(Box::new(event)),
                Err(refusal) => State::Refused(vec![refusal.reason], Default::default()),
            };
            unit_flags.iter().cloned().chain(flag).for_each(|flag| self.flag(flag));
        }
        self.text = Some(text.into());
    }
}

/// Leaves on their way to the maskers.
struct List<'a, 't> {
    masking: Masking<'a>,
    min_bytes: usize,
    pointers: bool,
    leaves: Vec<Leaf<'t>>,
    places: Vec<usize>,
    bytes: usize,
    hits: Vec<Hit<'t>>,
}

impl<'a, 't> List<'a, 't> {
    fn new(masking: Masking<'a>, min_bytes: usize, pointers: bool) -> Self {
        List { masking, min_bytes, pointers, leaves: Vec::new(), places: Vec::new(), bytes: 0, hits: Vec::new() }
    }

    fn event(&mut self, row: u32, text: &'t str) {
        if self.min_bytes > text.len() {
            return;
        }
        let mut key: Option<Found<'t>> = None;
        for found in Leaves::new(text, row, self.pointers) {
            if found.leaf.raw.len() < self.min_bytes {
                continue;
            }
            let before = key.take();
            if found.leaf.part == LeafPart::Key {
                before.into_iter().for_each(|key| self.leaf(key.leaf, key.at));
                key = Some(found);
                continue;
            }
            let Some(before) = before else {
                self.leaf(found.leaf, found.at);
                continue;
            };
            let clean = self.masking.are_clean(&before.leaf, &found.leaf);
            let unclean = [before, found].into_iter().zip(clean).filter(|(_, is_clean)| !is_clean);
            unclean.for_each(|(found, _)| self.push(found.leaf, found.at));
        }
        key.into_iter().for_each(|key| self.leaf(key.leaf, key.at));
    }

    fn leaf(&mut self, leaf: Leaf<'t>, at: usize) {
        if leaf.raw.len() >= self.min_bytes && !self.masking.is_clean(&leaf) {
            self.push(leaf, at);
        }
    }

    fn push(&mut self, leaf: Leaf<'t>, at: usize) {
        self.bytes += leaf.raw.len();
        self.leaves.push(leaf);
        self.places.push(at);
        if self.leaves.len() >= LIST_LEAVES || self.bytes >= LIST_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for (place, spans) in self.masking.leaves(&self.leaves) {
            if let (Some(leaf), Some(at)) = (self.leaves.get(place), self.places.get(place)) {
                self.hits.push(Hit { leaf: leaf.clone(), at: *at, spans });
            }
        }
        self.leaves.clear();
        self.places.clear();
        self.bytes = 0;
    }

    fn finish(mut self) -> (Vec<Hit<'t>>, telemetry_plugins::Masked) {
        self.flush();
        (self.hits, self.masking.finish())
    }
}

/// The hits of `row`, which are the next ones if there are any.
fn take_row<'h, 't>(rest: &mut &'h [Hit<'t>], row: u32) -> &'h [Hit<'t>] {
    let count = rest.iter().take_while(|hit| hit.leaf.row == row).count();
    let (hits, others) = rest.split_at_checked(count).unwrap_or_default();
    *rest = others;
    hits
}

fn spliced(text: &str, hits: &[Hit<'_>], key: &DigestKey) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for hit in hits {
        out.push_str(text.get(copied..hit.at).unwrap_or_default());
        splice::splice(&hit.leaf, &hit.spans, key, &mut out);
        copied = hit.at + hit.leaf.raw.len();
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
