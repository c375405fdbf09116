//! What waits for the writer, and how many bytes of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use telemetry_model::Outcome;
use telemetry_model::journal::HandedParts;

use super::Reply;
use crate::item::WriteItem;
use crate::journal::Notes;

/// A request of more bytes is large: it is written in parts of about so many, and other requests come between.
const LARGE_BYTES: usize = 4 << 20;
/// Small requests are joined into one transaction until they have so many bytes, so that nobody waits long for its commit.
pub(super) const GROUP_BYTES: usize = 4 << 20;

/// The items of one request.
pub(crate) struct Job {
    pub(crate) items: Vec<WriteItem>,
    pub(crate) reply: Reply,
    pub(crate) bytes: usize,
    /// Whether to write something even without items.
    pub(crate) probe: bool,
    /// Of a large request: what its parts so far came to.
    pub(crate) outcomes: Vec<Outcome>,
    /// For the journal.
    pub(crate) notes: Notes,
    /// Of a large request: what its parts take their share of.
    parts: Option<HandedParts>,
}

impl Job {
    pub(crate) fn new(items: Vec<WriteItem>, notes: Notes, reply: Reply, probe: bool) -> Self {
        let bytes = items.iter().map(WriteItem::bytes).sum::<usize>() + notes.bytes();
        Job { items, reply, bytes, probe, outcomes: Vec::new(), notes, parts: None }
    }

    /// Whether it is written in parts.
    pub(crate) fn is_large(&self) -> bool {
        self.bytes > LARGE_BYTES && self.items.len() > 1
    }

    /// Takes the next part from what is left: one item at least.
    pub(crate) fn take_part(&mut self) -> (Vec<WriteItem>, Notes) {
        let mut bytes = 0;
        let fits = |item: &&WriteItem| {
            bytes += item.bytes();
            bytes <= LARGE_BYTES
        };
        let count = self.items.iter().take_while(fits).count().max(1).min(self.items.len());
        let rest = self.items.split_off(count);
        let part = std::mem::replace(&mut self.items, rest);
        let handed = std::mem::take(&mut self.notes.handed);
        let parts = self.parts.get_or_insert_with(|| HandedParts::new(handed));
        let notes = Notes { handed: parts.take(part.len()), time: self.notes.time, entry: self.notes.entry.take() };
        (part, notes)
    }

    /// What is left when nothing more of the request will be stored.
    pub(crate) fn rest_of_notes(&mut self) -> Notes {
        let left = self.parts.take().map(|mut parts| parts.take(usize::MAX));
        Notes { handed: left.unwrap_or_else(|| std::mem::take(&mut self.notes.handed)), ..Notes::default() }
    }
}

/// Bytes that wait. Large requests are counted apart, so that none of them keeps small ones out.
#[derive(Debug, Default)]
pub(crate) struct Queued {
    small: AtomicUsize,
    large: AtomicUsize,
}

impl Queued {
    /// Adds `bytes` of one request if its kind then has at most `limit`, or nothing else of it waits.
    pub(crate) fn add(&self, bytes: usize, limit: usize) -> bool {
        let counter = self.of(bytes);
        let before = counter.fetch_add(bytes, Ordering::AcqRel);
        let fits = bytes == 0 || before == 0 || before.saturating_add(bytes) <= limit;
        if !fits {
            counter.fetch_sub(bytes, Ordering::AcqRel);
        }
        fits
    }

    /// Takes back what [`Queued::add`] added.
    pub(crate) fn remove(&self, bytes: usize) {
        self.of(bytes).fetch_sub(bytes, Ordering::AcqRel);
    }

    /// All bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.small.load(Ordering::Acquire) + self.large.load(Ordering::Acquire)
    }

    fn of(&self, bytes: usize) -> &AtomicUsize {
        if bytes > LARGE_BYTES { &self.large } else { &self.small }
    }
}
